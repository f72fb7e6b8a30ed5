"""What a charge point tells in OCPP 2.x, read with every tolerance that the field demands; see `ocpp.reading`.

Our connector is its EVSE: that is what charges one vehicle at a time and is balanced. EVSE 0 is the station.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..conversation import DeviceFacts, Notice, Noticed, Progress, Progressed
from ..frames import ErrorCode, JsonObject
from ..reading import id_tag, inner, missing, numbered, objects, text, whole
from ..rpc import CallFault
from ..times import read_stamp
from ..tokens import LONGEST_TOKEN, TokenType, token_type

TRANSACTION_ID_LENGTH = 64
"""36 by the specification."""
VALUE_LENGTH = 255
MAX_EVENTS = 100
"""Events of one NotifyEvent that are looked at."""

PROGRESS = {
    "LogStatusNotification": Progress.LOG,
    "FirmwareStatusNotification": Progress.FIRMWARE,
    "PublishFirmwareStatusNotification": Progress.PUBLISHING,
    "ReservationStatusUpdate": Progress.RESERVATION,
}
"""Messages that tell how far something is, and what."""

_WATCHED = frozenset({"HardWiredMonitor", "PreconfiguredMonitor", "CustomMonitor"})


class EventKind(StrEnum):
    """What an event is in the life of its transaction."""

    STARTED = "Started"
    UPDATED = "Updated"
    ENDED = "Ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusNotice:
    """The state of one of the connectors of an EVSE."""

    evse: int
    connector: int
    status: str
    stamped_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What somebody showed; without `text` it stands for nothing shown."""

    text: str | None
    kind: TokenType | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventNotice:
    """TransactionEvent."""

    kind: EventKind
    own_id: str
    """The charger's id of the transaction."""
    evse: int | None
    trigger: str | None
    stamped_at: float | None
    offline: bool
    charging_state: str | None
    reason: str | None
    token: Token | None
    reservation_id: int | None
    values: tuple[JsonObject, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterNotice:
    """MeterValues."""

    evse: int
    values: tuple[JsonObject, ...]


def read_progress(message: str, payload: JsonObject) -> Progressed | None:
    """Return how far something is; None: it does not say."""
    of_reservation = PROGRESS[message] is Progress.RESERVATION
    status = text(payload, "reservationUpdateStatus" if of_reservation else "status")
    number = whole(payload, "reservationId" if of_reservation else "requestId")
    return None if status is None else Progressed(what=PROGRESS[message], status=status, request_id=number)


def read_boot(payload: JsonObject) -> DeviceFacts:
    """Return who boots."""
    station = inner(payload, "chargingStation")
    return DeviceFacts(
        vendor=text(station, "vendorName"),
        model=text(station, "model"),
        serial=text(station, "serialNumber"),
        firmware=text(station, "firmwareVersion"),
    )


def was_triggered(payload: JsonObject) -> bool:
    """Return whether a BootNotification was only asked for: nothing restarted."""
    return payload.get("reason") == "Triggered"


def read_status(payload: JsonObject) -> StatusNotice:
    """Return the state of a connector (EVSE 0: of the station). Raises CallFault."""
    status = text(payload, "connectorStatus")
    if status is None:
        raise missing("connectorStatus")
    return StatusNotice(
        evse=numbered(payload, "evseId"),
        connector=whole(payload, "connectorId") or 0,
        status=status,
        stamped_at=read_stamp(payload.get("timestamp")),
    )


def read_states(payload: JsonObject) -> list[StatusNotice]:
    """Return the states of connectors that a NotifyEvent tells, as some do in place of StatusNotification."""
    states = []
    for event in objects(payload.get("eventData"), MAX_EVENTS):
        component, variable = inner(event, "component"), inner(event, "variable")
        evse = inner(component, "evse")
        number, status = whole(evse, "id"), text(event, "actualValue")
        told = (component.get("name"), variable.get("name")) == ("Connector", "AvailabilityState")
        if told and number is not None and status is not None:
            connector = whole(evse, "connectorId") or 1
            stamped_at = read_stamp(event.get("timestamp"))
            states.append(StatusNotice(evse=number, connector=connector, status=status, stamped_at=stamped_at))
    return states


def read_monitors(payload: JsonObject) -> list[Noticed]:
    """Return what a NotifyEvent tells because somebody had it watched, by a monitor or by the hardware's maker."""
    return [
        Noticed(
            what=Notice.MONITOR,
            name=variable_name(event),
            value=text(event, "actualValue", VALUE_LENGTH),
            details=text(event, "techInfo", VALUE_LENGTH) or text(event, "trigger"),
            monitor_id=whole(event, "variableMonitoringId"),
            cleared=event.get("cleared") is True,
            at=read_stamp(event.get("timestamp")),
        )
        for event in objects(payload.get("eventData"), MAX_EVENTS)
        if text(event, "eventNotificationType") in _WATCHED or whole(event, "variableMonitoringId") is not None
    ]


def variable_name(entry: JsonObject) -> str:
    """Return the name of a variable as it may be asked for: "Component.Variable", with its place and instances."""
    component, variable = inner(entry, "component"), inner(entry, "variable")
    evse = inner(component, "evse")
    name = text(component, "name") or ""
    if (instance := text(component, "instance")) is not None:
        name += f"[{instance}]"
    if (evse_id := whole(evse, "id")) is not None:
        name += f"@{evse_id}"
        if (connector := whole(evse, "connectorId")) is not None:
            name += f":{connector}"
    name += f".{text(variable, 'name') or ''}"
    if (instance := text(variable, "instance")) is not None:
        name += f"[{instance}]"
    return name


def read_event(payload: JsonObject) -> EventNotice:
    """Return what happened to a transaction. Raises CallFault."""
    info = inner(payload, "transactionInfo")
    own_id = text(info, "transactionId", TRANSACTION_ID_LENGTH)
    if own_id is None:
        raise missing("transactionId")
    try:
        kind = EventKind(text(payload, "eventType") or "")
    except ValueError:
        raise CallFault(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, "there is no such type of event") from None
    evse = inner(payload, "evse")
    return EventNotice(
        kind=kind,
        own_id=own_id,
        evse=numbered(evse, "id") or None if evse else None,
        trigger=text(payload, "triggerReason"),
        stamped_at=read_stamp(payload.get("timestamp")),
        offline=payload.get("offline") is True,
        charging_state=text(info, "chargingState"),
        reason=text(info, "stoppedReason"),
        token=read_token(payload),
        reservation_id=whole(payload, "reservationId"),
        values=objects(payload.get("meterValue")),
    )


def read_token(payload: JsonObject) -> Token | None:
    """Return what was shown; None: nothing is said of it."""
    raw = payload.get("idToken")
    if isinstance(raw, str):
        raw = {"idToken": raw}
    if not isinstance(raw, dict):
        return None
    shown = id_tag(raw.get("idToken"), LONGEST_TOKEN)
    kind = token_type(raw.get("type"))
    return Token(text=None if kind is TokenType.NO_AUTHORISATION else shown, kind=kind)


def read_meter_values(payload: JsonObject) -> MeterNotice:
    """Return what was measured, not yet understood. Raises CallFault."""
    return MeterNotice(evse=numbered(payload, "evseId"), values=objects(payload.get("meterValue")))
