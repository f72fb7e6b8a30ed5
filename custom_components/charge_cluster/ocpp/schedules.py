"""The schedules that chargers tell of, and what they allow at a time, in any version of OCPP.

What cannot be read is none at all: half a schedule proves nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import TypeGuard

from .frames import JsonObject
from .profiles import Composite, RateUnit
from .times import read_stamp
from .voltages import LOWEST_V

MAX_PERIODS = 1440
"""A day in steps of a minute."""
LIMITS = ("limit", "limit_L2", "limit_L3")
"""OCPP 2.1 may tell one for each phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From so long after the start of its schedule, so much."""

    start_s: float
    limit: float
    """Amps of the phase that may have most, or watts of all phases together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Limits over time."""

    unit: RateUnit
    steps: tuple[Step, ...]
    """In the order of time; at least one."""
    starts_at: float | None = None
    """UTC POSIX seconds by the charger's clock; None: it starts with something else, or was not told."""
    duration_s: float | None = None
    """None: the last step goes on."""

    def step_at(self, elapsed_s: float) -> Step | None:
        """Return the step at a time after the start; None: the schedule has not begun, or is over."""
        if self.duration_s is not None and elapsed_s >= self.duration_s:
            return None
        begun = bisect_right(self.steps, elapsed_s, key=lambda step: step.start_s)
        return self.steps[begun - 1] if begun else None

    def amps(self, step: Step) -> float:
        """Return the most that a step may let flow on a phase: power may all flow on one."""
        return step.limit if self.unit is RateUnit.AMPS else step.limit / LOWEST_V


def read_schedule(raw: object) -> Schedule | None:
    """Return a schedule of a profile; None where any part of it cannot be read."""
    if not isinstance(raw, dict):
        return None
    periods, unit = raw.get("chargingSchedulePeriod"), unit_of(raw)
    if unit is None or not isinstance(periods, list) or not 0 < len(periods) <= MAX_PERIODS:
        return None
    steps: list[Step] = []
    for period in periods:
        if not isinstance(period, dict):
            return None
        start_s, limit = period.get("startPeriod", 0), highest_limit(period, unit)
        if not is_limit(start_s) or limit is None:
            return None
        steps.append(Step(start_s=start_s, limit=limit))
    steps.sort(key=lambda step: step.start_s)
    duration_s = raw.get("duration")
    return Schedule(
        unit=unit,
        steps=tuple(steps),
        starts_at=read_stamp(raw.get("startSchedule")),
        duration_s=duration_s if is_limit(duration_s) else None,
    )


def read_composite(schedule: JsonObject) -> Composite | None:
    """Return a composite schedule; None where any part of it cannot be read.

    Its duration is not looked at: chargers have been seen to tell years for the minute that was asked for.
    """
    read = read_schedule(schedule)
    return None if read is None else Composite(unit=read.unit, limits=tuple(step.limit for step in read.steps))


def unit_of(schedule: JsonObject) -> RateUnit | None:
    """Return the unit of a schedule."""
    told = schedule.get("chargingRateUnit")
    return RateUnit(told) if isinstance(told, str) and told in set(RateUnit) else None


def highest_limit(period: JsonObject, unit: RateUnit) -> float | None:
    """Return the limit of a period: amps of the phase that may have most, or watts of all phases together.

    Chargers have been seen to say -1 in a unit that they do not have.
    """
    told = [period.get(name) for name in LIMITS if period.get(name) is not None]
    limits = [limit for limit in told if is_limit(limit)]
    if not limits or len(limits) < len(told):
        return None
    return max(limits) if unit is RateUnit.AMPS else sum(limits)


def is_limit(value: object) -> TypeGuard[float]:
    """Return whether something is a number that a limit or a time can be."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
