"""Calls of a charge point that are answered without anything depending on it, in OCPP 2.0.1 and 2.1.

What is refused is something that needs a service which nobody here offers: a charger that hears so goes on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..frames import ErrorCode, JsonObject
from ..reading import text, whole
from ..rpc import Action, CallFault
from ..versions import OcppVersion

VAT_NUMBER_LENGTH = 20

_ACKNOWLEDGED = (
    "FirmwareStatusNotification",
    "LogStatusNotification",
    "NotifyCustomerInformation",
    "NotifyDisplayMessages",
    "NotifyEvent",
    "NotifyMonitoringReport",
    "NotifyReport",
    "PublishFirmwareStatusNotification",
    "ReservationStatusUpdate",
    "SecurityEventNotification",
)
_ACKNOWLEDGED_IN_21 = (
    "BatterySwap",
    "ClosePeriodicEventStream",
    "NotifyDERAlarm",
    "NotifyDERStartStop",
    "NotifyPeriodicEventStream",
    "NotifySettlement",
    "NotifyWebPaymentStarted",
    "ReportDERControl",
)
_REFUSED: Mapping[str, JsonObject] = {
    "DataTransfer": {"status": "UnknownVendorId"},
    "Get15118EVCertificate": {"status": "Failed", "exiResponse": ""},
    "GetCertificateStatus": {"status": "Failed"},
    "SignCertificate": {"status": "Rejected"},
}
_REFUSED_IN_21: Mapping[str, JsonObject] = {
    "NotifyAllowedEnergyTransfer": {"status": "Rejected"},
    "OpenPeriodicEventStream": {"status": "Rejected"},
    "PullDynamicScheduleUpdate": {"status": "Rejected"},
}


def courtesies(version: OcppVersion) -> dict[str, Action]:
    """Return what answers such calls in a version."""
    acknowledged, refused = list(_ACKNOWLEDGED), dict(_REFUSED)
    actions: dict[str, Action] = {}
    if version is OcppVersion.V21:
        acknowledged.extend(_ACKNOWLEDGED_IN_21)
        refused.update(_REFUSED_IN_21)
        actions["VatNumberValidation"] = Action(_vat_number)
        actions["GetCertificateChainStatus"] = Action(_not_supported)
    actions.update((name, Action(acknowledge)) for name in acknowledged)
    actions.update((name, Action(_always(answer))) for name, answer in refused.items())
    return actions


def acknowledge(_payload: JsonObject) -> JsonObject:
    """Answer what needs no more than that it was heard."""
    return {}


def _always(answer: JsonObject) -> Callable[[JsonObject], JsonObject]:
    return lambda _payload: dict(answer)


def _not_supported(_payload: JsonObject) -> JsonObject:
    """Refuse what has no word for a refusal in its answer."""
    raise CallFault(ErrorCode.NOT_SUPPORTED, "nobody here can tell")


def _vat_number(payload: JsonObject) -> JsonObject:
    """Answer with the number as it was asked for: nobody here can tell whether it exists."""
    answer: JsonObject = {
        "vatNumber": (text(payload, "vatNumber") or "")[:VAT_NUMBER_LENGTH],
        "status": "Rejected",
    }
    evse = whole(payload, "evseId")
    if evse is not None and evse >= 0:
        answer["evseId"] = evse
    return answer
