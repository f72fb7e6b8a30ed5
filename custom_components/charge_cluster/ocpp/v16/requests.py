"""What we ask of a charge point in OCPP 1.6, as typed builders: strict, so that no charger has to guess.

Strings are cut to the lengths of the specification; limits have one decimal, rounded down.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NotRequired, TypedDict

from ..frames import JsonObject
from ..profiles import ChargingProfile, Period, Purpose, RateUnit

ID_TAG_LENGTH = 20
KEY_LENGTH = 50
VALUE_LENGTH = 500

PURPOSES = {
    Purpose.STATION_MAXIMUM: "ChargePointMaxProfile",
    Purpose.DEFAULT: "TxDefaultProfile",
    Purpose.TRANSACTION: "TxProfile",
}


class ResetKind(StrEnum):
    """How thorough a restart is."""

    SOFT = "Soft"
    HARD = "Hard"


class Triggered(StrEnum):
    """What a charge point can be asked to send."""

    BOOT = "BootNotification"
    HEARTBEAT = "Heartbeat"
    METER_VALUES = "MeterValues"
    STATUS = "StatusNotification"


class _Period(TypedDict):
    startPeriod: int
    limit: float
    numberPhases: NotRequired[int]


class _Schedule(TypedDict):
    chargingRateUnit: str
    chargingSchedulePeriod: list[_Period]
    startSchedule: NotRequired[str]


class _Profile(TypedDict):
    chargingProfileId: int
    stackLevel: int
    chargingProfilePurpose: str
    chargingProfileKind: str
    chargingSchedule: _Schedule
    transactionId: NotRequired[int]
    validFrom: NotRequired[str]


def set_charging_profile(connector: int, profile: ChargingProfile) -> JsonObject:
    """Ask to hold a profile."""
    schedule: _Schedule = {
        "chargingRateUnit": profile.unit.value,
        "chargingSchedulePeriod": [_period(period) for period in profile.periods],
    }
    if profile.starts_at is not None:
        schedule["startSchedule"] = profile.starts_at
    body: _Profile = {
        "chargingProfileId": profile.profile_id,
        "stackLevel": profile.stack_level,
        "chargingProfilePurpose": PURPOSES[profile.purpose],
        "chargingProfileKind": profile.kind.value,
        "chargingSchedule": schedule,
    }
    if profile.valid_from is not None:
        body["validFrom"] = profile.valid_from
    if isinstance(profile.transaction, int):
        body["transactionId"] = profile.transaction
    return {"connectorId": connector, "csChargingProfiles": body}


def _period(period: Period) -> _Period:
    body: _Period = {"startPeriod": period.start_s, "limit": period.limit}
    if period.phases is not None:
        body["numberPhases"] = period.phases
    return body


def clear_charging_profile(profile_id: int) -> JsonObject:
    """Ask to forget one profile."""
    return {"id": profile_id}


def get_composite_schedule(connector: int, duration_s: int, unit: RateUnit) -> JsonObject:
    """Ask what limits follow from all profiles."""
    return {"connectorId": connector, "duration": duration_s, "chargingRateUnit": unit.value}


def get_configuration(keys: Sequence[str] = ()) -> JsonObject:
    """Ask for configuration keys, all of them without names."""
    return {"key": [key[:KEY_LENGTH] for key in keys]} if keys else {}


def change_configuration(key: str, value: str) -> JsonObject:
    """Ask to set a configuration key."""
    return {"key": key[:KEY_LENGTH], "value": value[:VALUE_LENGTH]}


def trigger_message(message: Triggered, connector: int | None = None) -> JsonObject:
    """Ask to send a message now."""
    payload: JsonObject = {"requestedMessage": message.value}
    if connector is not None:
        payload["connectorId"] = connector
    return payload


def remote_start_transaction(connector: int, id_tag: str) -> JsonObject:
    """Ask to start a transaction; always with the connector, chargers have been seen to refuse it without."""
    return {"connectorId": connector, "idTag": id_tag[:ID_TAG_LENGTH]}


def remote_stop_transaction(transaction_id: int) -> JsonObject:
    """Ask to stop a transaction."""
    return {"transactionId": transaction_id}


def reset(kind: ResetKind) -> JsonObject:
    """Ask to restart."""
    return {"type": kind.value}


def unlock_connector(connector: int) -> JsonObject:
    """Ask to release the plug."""
    return {"connectorId": connector}


def change_availability(connector: int, *, operative: bool) -> JsonObject:
    """Ask to take a connector (0: all) out of service or back."""
    return {"connectorId": connector, "type": "Operative" if operative else "Inoperative"}


def data_transfer(vendor: str, message: str | None = None, content: str | None = None) -> JsonObject:
    """Send something of a vendor's own."""
    payload: JsonObject = {"vendorId": vendor[:255]}
    if message is not None:
        payload["messageId"] = message[:50]
    if content is not None:
        payload["data"] = content
    return payload
