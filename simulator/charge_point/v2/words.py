"""What OCPP 2.x calls what a connector and a transaction do."""

from typing import TYPE_CHECKING

from ..connector import Status

if TYPE_CHECKING:
    from ..connector import Connector

CONNECTOR_ID = 1
"""Each EVSE has one connector."""

CHARGING_STATES = {
    Status.CHARGING: "Charging",
    Status.SUSPENDED_EV: "SuspendedEV",
    Status.SUSPENDED_EVSE: "SuspendedEVSE",
}

CONNECTOR_STATUSES = {
    Status.AVAILABLE: "Available",
    Status.RESERVED: "Reserved",
    Status.UNAVAILABLE: "Unavailable",
    Status.FAULTED: "Faulted",
}

STOPPED_REASONS = {
    "DeAuthorized": ("DeAuthorized", "Deauthorized"),
    "EVDisconnected": ("EVDisconnected", "EVCommunicationLost"),
    "HardReset": ("ImmediateReset", "ResetCommand"),
    "Local": ("Local", "StopAuthorized"),
    "PowerLoss": ("PowerLoss", "AbnormalCondition"),
    "Reboot": ("Reboot", "AbnormalCondition"),
    "Remote": ("Remote", "RemoteStop"),
    "SoftReset": ("ImmediateReset", "ResetCommand"),
}
"""The reason why a transaction was stopped and what triggered the event, by the reason in OCPP 1.6."""

OTHER_REASON = ("Other", "AbnormalCondition")


def connector_status(connector: Connector) -> str:
    """Return the status of a connector."""
    if connector.car is None and connector.status is Status.PREPARING:
        return "Available"  # it waits for the car of a remote start
    return CONNECTOR_STATUSES.get(connector.status, "Occupied")


def charging_state(connector: Connector) -> str:
    """Return what the transaction of a connector does."""
    if connector.car is None:
        return "Idle"
    if connector.free:
        return "EVConnected"
    return CHARGING_STATES.get(connector.status, "EVConnected")
