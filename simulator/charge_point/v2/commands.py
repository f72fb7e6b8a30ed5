"""The charge point's answers to the central system in OCPP 2.0.1 and 2.1: control, and who answers what.

Each command takes the station, its voice and the payload, and returns the answer with what is done after the answer is
on the wire. Larger subjects have modules of their own.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..arguments import group, group_or_none, one_of, text, whole, whole_or_none
from ..connector import Connector
from ..link import CallFault, Payload, Reply
from ..upkeep_commands import (
    certificate_signed,
    delete_certificate,
    get_log,
    install_certificate,
    status_now,
    teller,
)
from . import authorisation, charging, monitoring_commands, provisioning, upkeep
from .replies import refusal, status_reply

if TYPE_CHECKING:
    from ..station import ChargePoint
    from .voice import Voice2

RESET_AFTER_S = 0.5

type Command = Callable[[ChargePoint, Voice2, Payload], Reply]


def answer(station: ChargePoint, voice: Voice2, action: str, payload: Payload) -> Reply:
    """Return the answer to a call.

    Raises:
        CallFault: the call is unknown, malformed or refused with an error.
    """
    command = _COMMANDS.get(action)
    if command is None:
        raise CallFault("NotImplemented", "this charge point does not know the action")
    return command(station, voice, payload)


def _connectors(station: ChargePoint, payload: Payload) -> list[Connector]:
    """Return the connector of the EVSE that is named, all where none is, none for an unknown one."""
    evse = group_or_none(payload, "evse")
    if evse is None:
        return list(station.connectors.values())
    number = whole(evse, "id")
    if number == 0:
        return list(station.connectors.values())
    return [station.connectors[number]] if number in station.connectors else []


def _start(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:
    token, start_id = group(payload, "idToken"), whole(payload, "remoteStartId")
    tag, number = text(token, "idToken"), whole_or_none(payload, "evseId")
    connector = station.connectors.get(number) if number is not None else None
    if connector is None or not connector.free or not connector.operative or not station.accepted:
        return refusal("InvalidValue" if connector is None else "TxInProgress")  # chargers want the EVSE named
    wording = group_or_none(payload, "chargingProfile")
    profile = None
    if wording is not None:
        profile = charging.profile_of_2(station, wording)
        if not charging.fits_start(station, connector.number, profile):
            return refusal("InvalidProfile")

    def start() -> None:
        if profile is not None:
            station.profiles.install(connector.number, profile, wording)
        voice.expect(connector, tag, str(token.get("type", "")), start_id)
        voice.start_remotely(connector, tag)

    answer: dict[str, object] = {"status": "Accepted"}
    if connector.transaction_id is not None:
        answer["transactionId"] = connector.transaction_id
    return Reply(answer, start)


def _stop(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - commands are alike
    transaction_id = text(payload, "transactionId")
    connector = next((one for one in station.connectors.values() if one.transaction_id == transaction_id), None)
    if connector is None:
        return refusal("TxNotFound")
    return status_reply("Accepted", lambda: connector.end("Remote"))


def _reset(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - commands are alike
    kind, number = text(payload, "type"), whole_or_none(payload, "evseId")
    if kind not in ("Immediate", "OnIdle"):
        raise CallFault("PropertyConstraintViolation", "type is none of the allowed values")
    if number is not None:
        connector = station.connectors.get(number)
        if connector is None:
            return refusal("UnknownEvse")
        if kind == "OnIdle" and connector.transaction is not None:
            return refusal("TxInProgress")
        return status_reply("Accepted", lambda: connector.end("HardReset"))
    if kind == "OnIdle" and station.charging_sessions:
        return status_reply("Scheduled", lambda: station.restart_when_idle("HardReset"))
    return status_reply("Accepted", lambda: station.restart_in(RESET_AFTER_S, "HardReset"))


def _change_availability(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - as above
    operative = one_of(payload, "operationalStatus", ("Operative", "Inoperative")) == "Operative"
    concerned = _connectors(station, payload)
    if not concerned:
        return refusal("UnknownEvse")
    answers = {connector.set_operative(operative=operative) for connector in concerned}
    return status_reply("Scheduled" if "Scheduled" in answers else "Accepted")


def _unlock(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - commands are alike
    connector = station.connectors.get(whole(payload, "evseId"))
    if connector is None or whole(payload, "connectorId") != 1:
        return status_reply("UnknownConnector")
    if station.misbehaviour.never_unlocks:
        return status_reply("UnlockFailed")
    return status_reply("Unlocked" if connector.free else "OngoingAuthorizedTransaction")


def _trigger(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:
    concerned = _connectors(station, payload)
    if not concerned:
        return refusal("UnknownEvse")
    deed = _triggered(station, voice, text(payload, "requestedMessage"), concerned)
    if deed is None:
        return status_reply("NotImplemented")
    if text(payload, "requestedMessage") == "BootNotification" and station.accepted:
        return refusal("AlreadyAccepted")
    return status_reply("Accepted", deed)


def _triggered(
    station: ChargePoint, voice: Voice2, message: str, concerned: list[Connector]
) -> Callable[[], None] | None:
    """Return what says a message that the central system wants to hear, None where it cannot be said."""

    def each(say: Callable[[Connector], None]) -> Callable[[], None]:
        def say_all() -> None:
            for connector in concerned:
                say(connector)

        return say_all

    def boot() -> None:
        voice.triggered_boot = True
        station.conversation.say_boot()

    def values(connector: Connector) -> None:
        names = station.configuration.names("MeterValuesAlignedData")
        voice.say_values(connector, None, connector.readings(names, "Trigger"), "Trigger")

    return {
        "BootNotification": boot,
        "FirmwareStatusNotification": lambda: teller(station, message)(*status_now(station.firmware_update)),
        "Heartbeat": station.conversation.say_heartbeat,
        "LogStatusNotification": lambda: teller(station, message)(*status_now(station.log_upload)),
        "MeterValues": each(values),
        "SignChargingStationCertificate": voice.ask_for_certificate,
        "StatusNotification": each(station.say_status),
        "TransactionEvent": each(voice.say_transaction),
    }.get(message)


def _transaction_status(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - as above
    asked = payload.get("transactionId")
    waits = station.conversation.stored_messages > 0
    if asked is None:
        return Reply({"messagesInQueue": waits})
    ongoing = any(connector.transaction_id == asked for connector in station.connectors.values())
    return Reply({"ongoingIndicator": ongoing, "messagesInQueue": waits})


def _data_transfer(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - as above
    text(payload, "vendorId")
    return status_reply("UnknownVendorId")


def _clear_cache(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - it keeps no cache
    return status_reply("Accepted")


def _of_station(command: Callable[[ChargePoint, Payload], Reply]) -> Command:
    return lambda station, _voice, payload: command(station, payload)


_COMMANDS: dict[str, Command] = {
    "CancelReservation": authorisation.cancel_reservation,
    "CertificateSigned": _of_station(certificate_signed),
    "ChangeAvailability": _change_availability,
    "ClearCache": _clear_cache,
    "ClearChargingProfile": charging.clear_profile,
    "ClearVariableMonitoring": monitoring_commands.clear_monitoring,
    "CustomerInformation": authorisation.customer_information,
    "DataTransfer": _data_transfer,
    "DeleteCertificate": _of_station(delete_certificate),
    "GetBaseReport": provisioning.base_report,
    "GetChargingProfiles": charging.get_profiles,
    "GetCompositeSchedule": charging.composite_schedule,
    "GetInstalledCertificateIds": upkeep.installed_certificates,
    "GetLocalListVersion": authorisation.list_version,
    "GetLog": _of_station(get_log),
    "GetMonitoringReport": monitoring_commands.monitoring_report,
    "GetReport": provisioning.report,
    "GetTransactionStatus": _transaction_status,
    "GetVariables": provisioning.get_variables,
    "InstallCertificate": _of_station(install_certificate),
    "RequestStartTransaction": _start,
    "RequestStopTransaction": _stop,
    "ReserveNow": authorisation.reserve,
    "Reset": _reset,
    "SendLocalList": authorisation.send_list,
    "SetChargingProfile": charging.set_profile,
    "SetMonitoringBase": monitoring_commands.set_base,
    "SetMonitoringLevel": monitoring_commands.set_level,
    "SetNetworkProfile": provisioning.set_network_profile,
    "SetVariableMonitoring": monitoring_commands.set_monitoring,
    "SetVariables": provisioning.set_variables,
    "TriggerMessage": _trigger,
    "UnlockConnector": _unlock,
    "UpdateFirmware": upkeep.update,
}
