"""How charging profiles are spelled in OCPP 2.0.1 and 2.1, and what a charge point says that it can do with them.

The unit that is balanced is the EVSE: its id is what is called a connector above this room. What a charge point can do
stands in variables of the component `SmartChargingCtrlr`. They are claims, as configuration keys are in 1.6: nothing
here is a condition for control, it makes the wording of limits right at the first try.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NotRequired, TypedDict

from ..frames import JsonObject
from ..profiles import (
    ALL_PHASES,
    ChargingProfile,
    Composite,
    Period,
    ProfileAbilities,
    Purpose,
    RateUnit,
    units_named,
)
from ..schedules import read_composite

SMART_CHARGING = "SmartChargingCtrlr"
RATE_UNITS = "RateUnit"
MAX_STACK_LEVEL = "ProfileStackLevel"
MAX_PERIODS = "PeriodsPerSchedule"
PHASE_SWITCHING = "ACPhaseSwitchingSupported"
MAX_EXTERNAL_ID = "MaxExternalConstraintsId"
ENABLED = "Enabled"

VARIABLES = (ENABLED, RATE_UNITS, MAX_STACK_LEVEL, MAX_PERIODS, PHASE_SWITCHING, MAX_EXTERNAL_ID)
"""What is asked of `SmartChargingCtrlr`, where the base report does not tell it."""

TRANSACTION_ID_LENGTH = 36
FIRST_PHASE = 1
SCHEDULE_ID = 1
"""A profile of ours has one schedule."""

PURPOSES = {
    Purpose.STATION_MAXIMUM: "ChargingStationMaxProfile",
    Purpose.DEFAULT: "TxDefaultProfile",
    Purpose.TRANSACTION: "TxProfile",
}

MOST_EXTERNAL_ID = 2**31 - 20_000
"""Above this there is no room for ours: such a claim is ignored."""

type Variable = Callable[[str, int | None], str | None]
"""The value of a variable of `SmartChargingCtrlr`, of the station or of one EVSE; None: not known."""


class _Period(TypedDict):
    startPeriod: int
    limit: float
    limit_L2: NotRequired[float]
    limit_L3: NotRequired[float]
    numberPhases: NotRequired[int]
    phaseToUse: NotRequired[int]


class _Schedule(TypedDict):
    id: int
    chargingRateUnit: str
    chargingSchedulePeriod: list[_Period]
    startSchedule: NotRequired[str]


class _Profile(TypedDict):
    id: int
    stackLevel: int
    chargingProfilePurpose: str
    chargingProfileKind: str
    chargingSchedule: list[_Schedule]
    validFrom: NotRequired[str]
    transactionId: NotRequired[str]
    maxOfflineDuration: NotRequired[int]
    invalidAfterOfflineDuration: NotRequired[bool]


class Dialect2:
    """One charge point's charging profiles in OCPP 2.0.1 or 2.1. See `ocpp.profiles.ProfileDialect`."""

    def __init__(self, variable: Variable, connectors: Callable[[], int | None], *, speaks_21: bool) -> None:
        """Read what it can do from its variables, whenever it is asked for.

        Args:
            variable: looks up what was last read of `SmartChargingCtrlr`.
            connectors: the number of its EVSEs, as far as is known.
            speaks_21: whether it is 2.1, which has limits for each phase and an end of profiles while offline.
        """
        self._variable = variable
        self._connectors = connectors
        self._speaks_21 = speaks_21

    @property
    def abilities(self) -> ProfileAbilities:
        """Return what the charger says it can do with profiles."""
        level, periods = self._whole(MAX_STACK_LEVEL), self._whole(MAX_PERIODS)
        return ProfileAbilities(
            units=units_named(self._variable(RATE_UNITS, None)),
            max_level=level if level is not None and level >= 0 else None,
            max_periods=periods if periods is not None and periods > 0 else None,
            ends_offline=self._speaks_21,
            each_phase=self._speaks_21,
        )

    @property
    def connectors(self) -> int | None:
        """Return how many EVSEs it says to have."""
        return self._connectors()

    def set_profile(self, connector: int, profile: ChargingProfile) -> JsonObject:
        """Return the payload that asks to hold a profile at an EVSE (0: the station)."""
        schedule: _Schedule = {
            "id": SCHEDULE_ID,
            "chargingRateUnit": profile.unit.value,
            "chargingSchedulePeriod": [self._period(connector, period) for period in profile.periods],
        }
        if profile.starts_at is not None:
            schedule["startSchedule"] = profile.starts_at
        body: _Profile = {
            "id": self.wire_id(profile.profile_id),
            "stackLevel": profile.stack_level,
            "chargingProfilePurpose": PURPOSES[profile.purpose],
            "chargingProfileKind": profile.kind.value,
            "chargingSchedule": [schedule],
        }
        if profile.valid_from is not None:
            body["validFrom"] = profile.valid_from
        if isinstance(profile.transaction, str):
            body["transactionId"] = profile.transaction[:TRANSACTION_ID_LENGTH]
        if profile.offline_s is not None and self._speaks_21:
            body["maxOfflineDuration"] = profile.offline_s
            body["invalidAfterOfflineDuration"] = True
        return {"evseId": connector, "chargingProfile": body}

    def wire_id(self, profile_id: int) -> int:
        """Return the id that a profile of ours has in the charger: above those for limits from outside."""
        kept = self._whole(MAX_EXTERNAL_ID)
        return profile_id if kept is None or not 0 <= kept <= MOST_EXTERNAL_ID else profile_id + kept

    def clear_profile(self, wire_id: int) -> JsonObject:
        """Return the payload that asks to forget one profile."""
        return {"chargingProfileId": wire_id}

    def composite_schedule(self, connector: int, duration_s: int, unit: RateUnit) -> JsonObject:
        """Return the payload that asks what limits follow from all profiles."""
        return {"evseId": connector, "duration": duration_s, "chargingRateUnit": unit.value}

    def read_composite(self, answer: JsonObject) -> Composite | None:
        """Return what the answer to that says."""
        schedule = answer.get("schedule")
        if answer.get("status") != "Accepted" or not isinstance(schedule, dict):
            return None
        return read_composite(schedule)

    def _period(self, connector: int, period: Period) -> _Period:
        body: _Period = {"startPeriod": period.start_s, "limit": period.limit}
        if period.each_phase and self._speaks_21:
            body["limit_L2"] = body["limit_L3"] = period.limit
        if period.phases is not None:
            body["numberPhases"] = min(period.phases, ALL_PHASES)
        if period.phases == 1 and self._switches_phases(connector):
            # It may be named only where the EVSE can switch, and would be its own choice otherwise.
            body["phaseToUse"] = FIRST_PHASE
        return body

    def _switches_phases(self, connector: int) -> bool:
        told = self._variable(PHASE_SWITCHING, connector)
        if told is None:
            told = self._variable(PHASE_SWITCHING, None)
        return (told or "").strip().casefold() == "true"

    def _whole(self, name: str) -> int | None:
        try:
            return int(float(self._variable(name, None) or ""))
        except ValueError, OverflowError:
            return None
