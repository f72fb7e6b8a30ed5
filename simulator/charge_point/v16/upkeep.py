"""Answers about lists, reservations, firmware, logs and certificates, as OCPP 1.6 and its security paper word them."""

from typing import TYPE_CHECKING

from ..arguments import group_or_none, groups, moment, one_of, text, whole, whole_or_none
from ..link import CallFault, Payload, Reply
from ..reservations import reserve_connector
from ..upkeep import UPLOADS_IN_S, Stage
from ..upkeep_commands import firmware_stages, status_now, teller, update_firmware

if TYPE_CHECKING:
    from ..station import ChargePoint

CERTIFICATE_TYPES = ("CentralSystemRootCertificate", "ManufacturerRootCertificate")


def list_version(station: ChargePoint, payload: Payload) -> Reply:  # noqa: ARG001 - nothing is asked
    """Return the version of the local list."""
    return Reply({"listVersion": station.local_list.version})


def send_list(station: ChargePoint, payload: Payload) -> Reply:
    """Take a local list or changes to it."""
    version = whole(payload, "listVersion")
    entries: dict[str, str | None] = {}
    for entry in groups(payload, "localAuthorizationList"):
        info = group_or_none(entry, "idTagInfo")
        entries[text(entry, "idTag")] = None if info is None else text(info, "status")
    if one_of(payload, "updateType", ("Full", "Differential")) == "Differential":
        return Reply({"status": station.local_list.update(version, entries)})
    statuses = {tag: status for tag, status in entries.items() if status is not None}
    return Reply({"status": station.local_list.replace(version, statuses)})


def reserve(station: ChargePoint, payload: Payload) -> Reply:
    """Keep a connector for a tag."""
    connector = station.connectors.get(whole(payload, "connectorId"))
    reservation_id, tag = whole(payload, "reservationId"), text(payload, "idTag")
    until = moment(payload, "expiryDate")
    if connector is None:
        return Reply({"status": "Rejected"})  # ReserveConnectorZeroSupported is false
    return Reply({"status": reserve_connector(station.reservations, connector, reservation_id, tag, until)})


def cancel_reservation(station: ChargePoint, payload: Payload) -> Reply:
    """Give a reservation up."""
    cancelled = station.reservations.cancel(whole(payload, "reservationId"))
    return Reply({"status": "Accepted" if cancelled else "Rejected"})


def get_diagnostics(station: ChargePoint, payload: Payload) -> Reply:
    """Upload diagnostics."""
    text(payload, "location")
    stages = [Stage(status="Uploading", lasts_s=UPLOADS_IN_S), Stage(status="Uploaded")]
    tell = teller(station, "DiagnosticsStatusNotification")
    return Reply(
        {"fileName": f"{station.spec.identity}-diagnostics.log"[:255]},
        lambda: station.log_upload.begin(stages, tell, now=station.now()),
    )


def update(station: ChargePoint, payload: Payload) -> Reply:
    """Fetch and install firmware that nobody signed."""
    location, retrieve = text(payload, "location"), moment(payload, "retrieveDate")
    stages = firmware_stages(station, location, retrieve, None, signed=False)
    tell = teller(station, "FirmwareStatusNotification")
    return Reply({}, lambda: station.firmware_update.begin(stages, tell, now=station.now()))


def update_signed(station: ChargePoint, payload: Payload) -> Reply:
    """Fetch and install signed firmware."""
    return update_firmware(station, payload, "SignedFirmwareStatusNotification")


def installed_certificates(station: ChargePoint, payload: Payload) -> Reply:
    """Name the installed roots of a kind."""
    kind = one_of(payload, "certificateType", CERTIFICATE_TYPES)
    found = [root.hash_data for root in station.certificates.installed([kind])]
    return Reply({"status": "Accepted", "certificateHashData": found} if found else {"status": "NotFound"})


def extended_trigger(station: ChargePoint, payload: Payload) -> Reply | None:
    """Answer a request for a message of the security paper; None: it is one that TriggerMessage knows as well."""
    whole_or_none(payload, "connectorId")
    match text(payload, "requestedMessage"):
        case "LogStatusNotification":
            status, request_id = status_now(station.log_upload)
            return Reply({"status": "Accepted"}, lambda: teller(station, "LogStatusNotification")(status, request_id))
        case "FirmwareStatusNotification":
            status, request_id = status_now(station.firmware_update)
            tell = teller(station, "SignedFirmwareStatusNotification")
            return Reply({"status": "Accepted"}, lambda: tell(status, request_id))
        case "SignChargePointCertificate":
            return Reply({"status": "Accepted"}, station.voice.ask_for_certificate)
        case "DiagnosticsStatusNotification":
            raise CallFault("PropertyConstraintViolation", "requestedMessage is none of the allowed values")
    return None
