"""Firmware and certificates in the words of OCPP 2.x."""

from typing import TYPE_CHECKING

from ..arguments import items
from ..link import Payload, Reply
from ..upkeep_commands import update_firmware
from .replies import status_reply

if TYPE_CHECKING:
    from ..station import ChargePoint
    from .voice import Voice2


def update(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - commands are alike
    """Fetch and install firmware."""
    return update_firmware(station, payload, "FirmwareStatusNotification")


def installed_certificates(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - as above
    """Name the installed roots of some kinds."""
    kinds = [str(kind) for kind in items(payload, "certificateType")]
    found = [
        {"certificateType": root.kind, "certificateHashData": root.hash_data}
        for root in station.certificates.installed(kinds)
    ]
    if not found:
        return status_reply("NotFound")
    return Reply({"status": "Accepted", "certificateHashDataChain": found})
