"""Logs, signed firmware and certificates: what the versions of OCPP have in common, word for word."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cryptography import x509

from .arguments import group, moment, moment_or_none, one_of, text, whole
from .link import Payload, Reply
from .spec import Security
from .upkeep import DOWNLOADS_IN_S, INSTALLS_IN_S, RESTARTS_AFTER_S, UPLOADS_IN_S, Stage, Upkeep, firmware_at

if TYPE_CHECKING:
    from .station import ChargePoint

LOG_TYPES = ("DiagnosticsLog", "SecurityLog")

type Tell = Callable[[str, int | None], None]


def teller(station: ChargePoint, action: str) -> Tell:
    """Return what tells the status of an errand in a message of its own."""

    def tell(status: str, request_id: int | None) -> None:
        payload = {"status": status} if request_id is None else {"status": status, "requestId": request_id}
        station.say(action, payload)

    return tell


def get_log(station: ChargePoint, payload: Payload) -> Reply:
    """Upload a log, giving up the one that is on its way."""
    kind = one_of(payload, "logType", LOG_TYPES)
    request_id = whole(payload, "requestId")
    text(group(payload, "log"), "remoteLocation")
    status = "AcceptedCanceled" if station.log_upload.busy else "Accepted"
    stages = [Stage(status="Uploading", lasts_s=UPLOADS_IN_S), Stage(status="Uploaded")]

    def begin() -> None:
        tell = teller(station, "LogStatusNotification")
        station.log_upload.begin(stages, tell, now=station.now(), request_id=request_id)

    return Reply({"status": status, "filename": f"{station.spec.identity}-{kind}.log"[:255]}, begin)


def update_firmware(station: ChargePoint, payload: Payload, action: str) -> Reply:
    """Fetch and install firmware that carries a request's number; `action` is the message that tells how far it is."""
    request_id = whole(payload, "requestId")
    firmware = group(payload, "firmware")
    location = text(firmware, "location")
    retrieve, install = moment(firmware, "retrieveDateTime"), moment_or_none(firmware, "installDateTime")
    certificate = firmware.get("signingCertificate")
    if certificate is not None and not _readable(str(certificate)):
        return Reply({"status": "InvalidCertificate"})
    status = "AcceptedCanceled" if station.firmware_update.busy else "Accepted"
    stages = firmware_stages(station, location, retrieve, install, signed=certificate is not None)

    def begin() -> None:
        tell = teller(station, action)
        station.firmware_update.begin(stages, tell, now=station.now(), request_id=request_id)

    return Reply({"status": status}, begin)


def firmware_stages(
    station: ChargePoint, location: str, retrieve: float, install: float | None, *, signed: bool
) -> Sequence[Stage]:
    """Return the way from a location to the restart with new firmware; a location that is no address ends it early."""
    if "://" not in location:
        return [Stage(status="Downloading", lasts_s=DOWNLOADS_IN_S, at=retrieve), Stage(status="DownloadFailed")]

    def restart() -> None:
        station.firmware = firmware_at(location, station.firmware)
        station.restart_in(RESTARTS_AFTER_S, "Firmware")

    return [
        Stage(status="Downloading", lasts_s=DOWNLOADS_IN_S, at=retrieve),
        Stage(status="Downloaded"),
        *([Stage(status="SignatureVerified")] if signed else []),
        Stage(status="Installing", lasts_s=INSTALLS_IN_S, at=install),
        Stage(status="Installed", deed=restart, lasts_s=1.0),
    ]


def status_now(upkeep: Upkeep) -> tuple[str, int | None]:
    """Return how far an errand is, and of which request it is."""
    return upkeep.status, upkeep.request_id


def install_certificate(station: ChargePoint, payload: Payload) -> Reply:
    """Take a root certificate."""
    kind, pem = text(payload, "certificateType"), text(payload, "certificate")
    return Reply({"status": station.certificates.install(kind, pem)})


def delete_certificate(station: ChargePoint, payload: Payload) -> Reply:
    """Remove a root certificate."""
    named = group(payload, "certificateHashData")
    hash_data = {name: text(named, name) for name in ("hashAlgorithm", "issuerNameHash", "issuerKeyHash")}
    return Reply({"status": station.certificates.delete({**hash_data, "serialNumber": text(named, "serialNumber")})})


def certificate_signed(station: ChargePoint, payload: Payload) -> Reply:
    """Take the certificate for the charge point's own key; who is to prove itself by it dials anew with it."""
    status = station.certificates.take_signed(text(payload, "certificateChain"))
    used = status == "Accepted" and station.spec.security is Security.CERTIFICATE
    return Reply({"status": status}, station.conversation.redial if used else None)


def sign_certificate(station: ChargePoint) -> str:
    """Return the request for a certificate of the charge point's own."""
    organisation = station.configuration.text("CpoName")
    return station.certificates.request(station.spec.serial_number, organisation)


def _readable(pem: str) -> bool:
    try:
        x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return False
    return True
