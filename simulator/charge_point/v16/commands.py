"""The charge point's answers to the central system: one function for each action of OCPP 1.6.

Each takes the station and the payload and returns the answer, with what is done after the answer is on the wire (a
reset is answered before the connection drops, a remote start before the transaction begins).
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...clock import utc_text
from ...profile_store import WHOLE_STATION
from ...profiles import ImpossibleProfile, Profile, Purpose, RateUnit, composite, profile_of
from ..arguments import text, whole, whole_or_none
from ..configuration import AUTHORIZATION_KEY
from ..connector import Connector
from ..link import CallFault, Payload, Reply
from ..misbehaviour import Refusal
from ..spec import NewKey
from ..upkeep_commands import certificate_signed, delete_certificate, get_log, install_certificate
from . import upkeep

if TYPE_CHECKING:
    from ..station import ChargePoint

SOFT_RESET_AFTER_S = 1.0
"""A soft reset leaves time to say goodbye to transactions."""

HARD_RESET_AFTER_S = 0.2

type Command = Callable[[ChargePoint, Payload], Reply]


def answer(station: ChargePoint, action: str, payload: Payload) -> Reply:
    """Return the answer to a call.

    Raises:
        CallFault: the call is unknown, malformed or refused with an error.
    """
    command = _COMMANDS.get(action)
    if command is None:
        raise CallFault("NotImplemented", "this charge point does not know the action")
    return command(station, payload)


def _status(status: str, afterwards: Callable[[], None] | None = None) -> Reply:
    return Reply({"status": status}, afterwards)


def _get_configuration(station: ChargePoint, payload: Payload) -> Reply:
    asked = payload.get("key") or []
    if not isinstance(asked, list):
        raise CallFault("TypeConstraintViolation", "key is no list")
    shown, unknown = station.configuration.shown(str(key) for key in asked)
    return Reply({"configurationKey": shown, "unknownKey": unknown} if unknown else {"configurationKey": shown})


def _change_configuration(station: ChargePoint, payload: Payload) -> Reply:
    key, value = text(payload, "key"), text(payload, "value")
    status = station.configuration.change(key, value)
    if status == "Accepted" and key == AUTHORIZATION_KEY:
        match station.spec.new_key:
            case NewKey.RECONNECTS:
                return _status(status, station.conversation.redial)
            case NewKey.REBOOTS:
                return _status("RebootRequired", lambda: station.restart_in(SOFT_RESET_AFTER_S, "Reboot"))
            case NewKey.NEXT_CONNECT:
                pass
    if status == "Accepted" and key == "HeartbeatInterval":
        station.conversation.beat_every(float(value))
    return _status(status)


def _change_availability(station: ChargePoint, payload: Payload) -> Reply:
    number, kind = whole(payload, "connectorId"), text(payload, "type")
    if kind not in ("Operative", "Inoperative"):
        raise CallFault("PropertyConstraintViolation", "type is none of the allowed values")
    concerned = _connectors(station, number)
    if not concerned:
        return _status("Rejected")
    answers = {connector.set_operative(operative=kind == "Operative") for connector in concerned}
    return _status("Scheduled" if "Scheduled" in answers else "Accepted")


def _connectors(station: ChargePoint, number: int) -> list[Connector]:
    """Return one connector, all of them for 0, none for an unknown number."""
    if number == WHOLE_STATION:
        return list(station.connectors.values())
    return [station.connectors[number]] if number in station.connectors else []


def _remote_start(station: ChargePoint, payload: Payload) -> Reply:
    tag, number = text(payload, "idTag"), whole_or_none(payload, "connectorId")
    connector = station.connectors.get(number) if number is not None else None
    if connector is None or not connector.free or not connector.operative or not station.accepted:
        return _status("Rejected")  # chargers want the connector named
    profile = None
    if payload.get("chargingProfile") is not None:
        profile = _profile(station, payload["chargingProfile"])
        if profile.purpose is not Purpose.TRANSACTION or _refusal(station, connector.number, profile) is not None:
            return _status("Rejected")

    def start() -> None:
        if profile is not None:
            station.profiles.install(connector.number, profile)
        station.voice.start_remotely(connector, tag)

    return _status("Accepted", start)


def _remote_stop(station: ChargePoint, payload: Payload) -> Reply:
    transaction_id = whole(payload, "transactionId")
    running = (one for one in station.connectors.values() if one.transaction is not None)
    connector = next((one for one in running if one.transaction_id == transaction_id), None)
    if connector is None:
        return _status("Rejected")
    return _status("Accepted", lambda: connector.end("Remote"))


def _reset(station: ChargePoint, payload: Payload) -> Reply:
    kind = text(payload, "type")
    if kind == "Soft":
        return _status("Accepted", lambda: station.restart_in(SOFT_RESET_AFTER_S, "SoftReset"))
    if kind == "Hard":
        return _status("Accepted", lambda: station.restart_in(HARD_RESET_AFTER_S, "HardReset"))
    raise CallFault("PropertyConstraintViolation", "type is none of the allowed values")


def _unlock(station: ChargePoint, payload: Payload) -> Reply:
    connector = station.connectors.get(whole(payload, "connectorId"))
    if connector is None or station.misbehaviour.never_unlocks:
        return _status("NotSupported")
    return _status("Unlocked", lambda: connector.end("UnlockCommand"))


def _trigger(station: ChargePoint, payload: Payload) -> Reply:
    message, number = text(payload, "requestedMessage"), whole_or_none(payload, "connectorId")
    concerned = _connectors(station, WHOLE_STATION if number is None else number)
    if not concerned:
        return _status("Rejected")
    match message:
        case "BootNotification":
            return _status("Accepted", station.conversation.say_boot)
        case "Heartbeat":
            return _status("Accepted", station.conversation.say_heartbeat)
        case "StatusNotification":
            return _status("Accepted", lambda: _say_status(station, concerned))
        case "MeterValues":
            return _status("Accepted", lambda: _say_values(station, concerned))
        case "DiagnosticsStatusNotification":
            return _status("Accepted", lambda: station.say(message, {"status": station.log_upload.status}))
        case "FirmwareStatusNotification":
            return _status("Accepted", lambda: station.say(message, {"status": station.firmware_update.status}))
    return _status("NotImplemented")


def _say_status(station: ChargePoint, concerned: list[Connector]) -> None:
    for connector in concerned:
        station.say_status(connector)


def _say_values(station: ChargePoint, concerned: list[Connector]) -> None:
    names = station.configuration.names("MeterValuesSampledData")
    context = "Trigger"
    for connector in concerned:
        readings = connector.readings(names, context)
        station.voice.say_values(connector, connector.transaction, readings, context)


def _set_profile(station: ChargePoint, payload: Payload) -> Reply:
    number = whole(payload, "connectorId")
    profile = _profile(station, payload.get("csChargingProfiles"))
    station.tally[f"profiles {profile.purpose}"] += 1
    match station.misbehaviour.refuses_profiles:
        case Refusal.REJECTED:
            return _status("Rejected")
        case Refusal.ERROR:
            raise CallFault("NotImplemented", "smart charging is not available on this charge point")
        case None:
            pass
    if profile.stack_level > station.spec.stack_levels:
        raise CallFault("PropertyConstraintViolation", "stackLevel is above ChargeProfileMaxStackLevel")
    refusal = _refusal(station, number, profile) or _transaction_refusal(station, number, profile)
    if refusal is not None:
        station.tally[f"refused: {refusal}"] += 1
        return _status("Rejected")
    station.install(number, profile)
    return _status("Accepted")


def _profile(station: ChargePoint, payload: object) -> Profile:
    try:
        return profile_of(payload, installed_at=station.utc())
    except ImpossibleProfile as impossible:
        raise CallFault(impossible.code, str(impossible)) from None


def _refusal(station: ChargePoint, number: int, profile: Profile) -> str | None:
    """Return why a profile is not taken, None when it is."""
    if number != WHOLE_STATION and number not in station.connectors:
        return "no such connector"
    unit = "Current" if profile.schedule.unit is RateUnit.AMPS else "Power"
    if unit not in station.spec.rate_units:
        return "unit"
    if len(profile.schedule.periods) > station.spec.schedule_periods:
        return "too many periods"
    full = len(station.profiles.installed) >= station.spec.profiles
    if full and not station.profiles.replaces(number, profile):
        return "too many profiles"
    if profile.purpose is Purpose.STATION and number != WHOLE_STATION:
        return "station maximum on a connector"
    if profile.purpose is Purpose.TRANSACTION and number == WHOLE_STATION:
        return "transaction profile without a connector"
    return None


def _transaction_refusal(station: ChargePoint, number: int, profile: Profile) -> str | None:
    """Return why a profile does not fit the transaction that runs; one given with a remote start comes before it."""
    if profile.purpose is not Purpose.TRANSACTION:
        return None
    transaction = station.connectors[number].transaction
    if transaction is None:
        return "no transaction"
    if profile.transaction_id is not None and transaction.transaction_id != profile.transaction_id:
        return "no such transaction"
    return None


def _clear_profile(station: ChargePoint, payload: Payload) -> Reply:
    purpose = payload.get("chargingProfilePurpose")
    if purpose is not None and purpose not in [one.value for one in Purpose]:
        raise CallFault("PropertyConstraintViolation", "chargingProfilePurpose is none of the allowed values")
    cleared = station.profiles.clear(
        profile_id=whole_or_none(payload, "id"),
        connector=whole_or_none(payload, "connectorId"),
        purpose=None if purpose is None else Purpose(purpose),
        stack_level=whole_or_none(payload, "stackLevel"),
    )
    return _status("Accepted" if cleared else "Unknown")


def _composite_schedule(station: ChargePoint, payload: Payload) -> Reply:
    number, duration = whole(payload, "connectorId"), whole(payload, "duration")
    asked = payload.get("chargingRateUnit")
    unit = asked if asked in ("A", "W") else ("A" if "Current" in station.spec.rate_units else "W")
    if number != WHOLE_STATION and number not in station.connectors:
        return _status("Rejected")
    start = station.utc()
    stacks, wiring = station.stacks(number), station.wiring(number)
    factor = 1.0 if unit == "A" else wiring.voltage_v * wiring.phases
    periods = [
        {"startPeriod": round(period.start_s), "limit": math.floor(period.amps * factor * 10.0 + 1e-6) / 10.0}
        for period in composite(stacks, start, float(duration), wiring)
    ]
    return Reply(
        {
            "status": "Accepted",
            "connectorId": number,
            "scheduleStart": utc_text(start),
            "chargingSchedule": {
                "duration": duration,
                "startSchedule": utc_text(start),
                "chargingRateUnit": unit,
                "chargingSchedulePeriod": periods,
            },
        }
    )


def _data_transfer(station: ChargePoint, payload: Payload) -> Reply:  # noqa: ARG001 - every vendor is unknown to it
    return _status("UnknownVendorId")


def _clear_cache(station: ChargePoint, payload: Payload) -> Reply:  # noqa: ARG001 - it keeps no cache
    return _status("Accepted")


def _extended_trigger(station: ChargePoint, payload: Payload) -> Reply:
    return upkeep.extended_trigger(station, payload) or _trigger(station, payload)


_COMMANDS: dict[str, Command] = {
    "CancelReservation": upkeep.cancel_reservation,
    "CertificateSigned": certificate_signed,
    "ChangeAvailability": _change_availability,
    "ChangeConfiguration": _change_configuration,
    "ClearCache": _clear_cache,
    "ClearChargingProfile": _clear_profile,
    "DataTransfer": _data_transfer,
    "DeleteCertificate": delete_certificate,
    "ExtendedTriggerMessage": _extended_trigger,
    "GetCompositeSchedule": _composite_schedule,
    "GetConfiguration": _get_configuration,
    "GetDiagnostics": upkeep.get_diagnostics,
    "GetInstalledCertificateIds": upkeep.installed_certificates,
    "GetLocalListVersion": upkeep.list_version,
    "GetLog": get_log,
    "InstallCertificate": install_certificate,
    "RemoteStartTransaction": _remote_start,
    "RemoteStopTransaction": _remote_stop,
    "ReserveNow": upkeep.reserve,
    "Reset": _reset,
    "SendLocalList": upkeep.send_list,
    "SetChargingProfile": _set_profile,
    "SignedUpdateFirmware": upkeep.update_signed,
    "TriggerMessage": _trigger,
    "UnlockConnector": _unlock,
    "UpdateFirmware": upkeep.update,
}
