"""The plan of one session, as it is kept and as it is shown; and what it aims at.

A plan says for each slot how many amps a session is to have at most. What is made of it at a moment (random delay,
windows of the tariff) and what a pass does with that lies elsewhere: here is what it says, and what a person reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from ..engine.model import NOMINAL_VOLTAGE_V, ChargingMode

SECONDS_AN_HOUR = 3600.0


class Said(StrEnum):
    """Who says when a vehicle leaves, or how much it takes."""

    DRIVER = "driver"
    VEHICLE = "vehicle"
    """By its own word over the cable."""
    PROFILE = "profile"
    """What is known of its driver."""
    HABITS = "habits"
    """Learned from stays like this one."""
    SITE = "site"
    """The default that the manager set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a session is planned for."""

    leave_at: float
    """UTC POSIX seconds."""
    leave_by: Said
    remaining_wh: float
    """Still to be taken."""
    remaining_by: Said

    @property
    def promised(self) -> bool:
        """Return whether somebody asked for so much by then, so that it has to be told where that cannot be."""
        asked = {Said.DRIVER, Said.VEHICLE, Said.PROFILE}
        return self.leave_by in asked and self.remaining_by in asked


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPlan:
    """What is planned for a session; kept over a restart. Times are UTC POSIX seconds."""

    session_id: str
    start: float
    """Of its first slot, which may lie before it was made: what was planned then says what is a rise now."""
    step_s: float
    amps: tuple[float, ...]
    """Per phase, slot by slot."""
    phases: int
    """On so many phases."""
    made_at: float
    taken_wh: float
    """What the session had taken then."""
    leave_at: float
    """Where it was learned it is the likely one; slots after it are for a vehicle that is still there."""
    leave_by: Said
    wanted_wh: float
    """To be taken from then on."""
    planned_wh: float
    """What of it is planned until it leaves."""
    wanted_by: Said
    shortfall_wh: float
    """What of it cannot be had by then."""
    completes_at: float | None
    cost: float | None
    """Of what is planned from then on; None: not all prices are known."""
    prompted_at: float
    """When its driver came or said something last."""
    pauses: tuple[tuple[float, float], ...] = ()
    """From when to when it pauses should nobody lead it; otherwise it is at its charger's fallback then."""

    @property
    def end(self) -> float:
        """Return the end of its last slot."""
        return self.start + self.step_s * len(self.amps)

    def at(self, when: float) -> float:
        """Return the amps of a moment: 0 after its end, and before it what its first slot says."""
        if not self.amps or when >= self.end:
            return 0.0
        return self.amps[max(0, int((when - self.start) // self.step_s))]

    def energy_wh(self, start: float, end: float) -> float:
        """Return what it plans between two times, as if all of it was drawn."""
        found = 0.0
        for begins, ends, amps in self.slots():
            found += amps * max(0.0, min(ends, end) - max(begins, start))
        return found * self.phases * NOMINAL_VOLTAGE_V / SECONDS_AN_HOUR

    def expected_wh(self, now: float) -> float:
        """Return what it plans to have been taken since it was made: it is done before its last slot ends."""
        return min(self.planned_wh, self.energy_wh(self.made_at, now))

    def slots(self) -> Iterator[tuple[float, float, float]]:
        """Yield (start, end, amps)."""
        bounds = (self.start + self.step_s * index for index in range(len(self.amps) + 1))
        return ((begins, ends, amps) for (begins, ends), amps in zip(pairwise(bounds), self.amps, strict=True))

    def next_rise(self, when: float) -> float | None:
        """Return when it says more than at a moment, as the start of a slot; None: never."""
        now = self.at(when)
        return next((begins for begins, _, amps in self.slots() if begins > when and amps > now), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSlot:
    """Amps per phase from when to when, UTC POSIX seconds."""

    start: float
    end: float
    amps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """What is planned for a session, as it is shown; times are UTC POSIX seconds."""

    mode: ChargingMode
    next_start: float | None = None
    """When it begins or goes on; None: it charges, or will not."""
    completes_at: float | None = None
    """When it is expected to have what it wants; None: not before it leaves, or not known."""
    energy_wh: float = 0.0
    """What it is planned to take from now on."""
    shortfall_wh: float = 0.0
    """What it will lack when it leaves."""
    possible_at: float | None = None
    """By when it could have that as well, at the soonest; None: nothing lacks."""
    promised: bool = False
    """Whether that was asked for by its driver or vehicle."""
    leave_at: float | None = None
    leave_by: Said | None = None
    wanted_by: Said | None = None
    """Who says how much it takes."""
    cost: float | None = None
    """What that is expected to cost, in the site's currency; None: not known."""
    taken_wh: float = 0.0
    """What it had taken when that was planned."""
    phases: int = 0
    """On so many it is planned to charge."""
    slots: tuple[PlannedSlot, ...] = ()
    """From now on; equal ones that follow each other are one, and those with nothing are left out. Those after a
    departure that was learned are for a vehicle that is still there, and count in nothing of the above."""

    @property
    def impossible(self) -> bool:
        """Return whether what was asked for cannot be had in time."""
        return self.promised and self.shortfall_wh > 0.0


def slots_from(plan: KeptPlan, now: float) -> tuple[PlannedSlot, ...]:
    """Return what is planned from now on."""
    found: list[PlannedSlot] = []
    for begins, ends, amps in plan.slots():
        if ends <= now or amps <= 0.0:
            continue
        if found and found[-1].end == begins and found[-1].amps == amps:
            found[-1] = PlannedSlot(start=found[-1].start, end=ends, amps=amps)
        else:
            found.append(PlannedSlot(start=max(begins, now), end=ends, amps=amps))
    return tuple(found)
