"""What a charge point tells in OCPP 1.6, read with every tolerance that the field demands; see `ocpp.reading`."""

from __future__ import annotations

from dataclasses import dataclass

from ..conversation import DeviceFacts, Progress, Progressed
from ..frames import ErrorCode, JsonObject
from ..reading import id_tag, missing, numbered, objects, text, whole
from ..rpc import CallFault
from ..times import read_stamp
from ..transactions import StartNotice, StopNotice


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusNotice:
    """StatusNotification."""

    connector: int
    status: str
    error: str | None
    stamped_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterNotice:
    """MeterValues; a transaction id of 0 or less is none."""

    connector: int
    transaction_id: int | None
    values: tuple[JsonObject, ...]


def read_boot(payload: JsonObject) -> DeviceFacts:
    """Return who boots."""
    return DeviceFacts(
        vendor=text(payload, "chargePointVendor"),
        model=text(payload, "chargePointModel"),
        serial=text(payload, "chargePointSerialNumber") or text(payload, "chargeBoxSerialNumber"),
        firmware=text(payload, "firmwareVersion"),
    )


def read_status(payload: JsonObject) -> StatusNotice:
    """Return the state of a connector (0: of the charge point). Raises CallFault."""
    status = text(payload, "status")
    if status is None:
        raise missing("status")
    error = text(payload, "errorCode")
    if error == "NoError":
        error = None
    if error == "OtherError":
        error = text(payload, "vendorErrorCode") or text(payload, "info") or error
    return StatusNotice(
        connector=numbered(payload, "connectorId"),
        status=status,
        error=error,
        stamped_at=read_stamp(payload.get("timestamp")),
    )


def read_start(payload: JsonObject) -> StartNotice:
    """Return the start of a transaction. Raises CallFault."""
    connector = numbered(payload, "connectorId")
    if connector == 0:
        raise CallFault(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, "a transaction needs a connector")
    meter_start = whole(payload, "meterStart")
    return StartNotice(
        connector=connector,
        id_tag=read_id_tag(payload),
        meter_start_wh=0 if meter_start is None else meter_start,
        stamped_at=read_stamp(payload.get("timestamp")),
        reservation_id=whole(payload, "reservationId"),
    )


def read_stop(payload: JsonObject) -> StopNotice:
    """Return the end of a transaction. Raises CallFault."""
    transaction_id = whole(payload, "transactionId")
    if transaction_id is None:
        raise missing("transactionId")
    return StopNotice(
        transaction_id=transaction_id,
        id_tag=read_id_tag(payload),
        meter_stop_wh=whole(payload, "meterStop"),
        stamped_at=read_stamp(payload.get("timestamp")),
        reason=text(payload, "reason"),
        values=objects(payload.get("transactionData")),
    )


def read_meter_values(payload: JsonObject) -> MeterNotice:
    """Return what was measured, not yet understood. Raises CallFault."""
    transaction_id = whole(payload, "transactionId")
    return MeterNotice(
        connector=numbered(payload, "connectorId"),
        transaction_id=transaction_id if transaction_id is not None and transaction_id > 0 else None,
        values=objects(payload.get("meterValue")),
    )


def read_progress(what: Progress, payload: JsonObject) -> Progressed | None:
    """Return how far something is; None: it does not say."""
    status = text(payload, "status")
    return None if status is None else Progressed(what=what, status=status, request_id=whole(payload, "requestId"))


def read_id_tag(payload: JsonObject) -> str | None:
    """Return the idTag, if there is one."""
    return id_tag(payload.get("idTag"))
