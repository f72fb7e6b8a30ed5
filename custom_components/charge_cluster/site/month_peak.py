"""The highest demand of a month: what a demand charge is paid for, and what vehicles may draw before it rises.

The demand is the mean power that the supply takes in a quarter of an hour by the clock. One figure is kept for a month,
so that a restart goes on with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Protocol

from ..engine.model import NOMINAL_VOLTAGE_V, PhaseAmps
from ..engine.planner import PeakCharge
from ..engine.tariff import USUAL_STEP_S, Grid

W_PER_KW = 1000.0

LEAST_MINUTES = 8
"""A quarter of an hour of which less than half was seen is left out: a moment says nothing of its mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPeak:
    """The highest demand of a month so far."""

    start: float
    """Of the month by the clock on the wall, UTC POSIX seconds."""
    watts: float = 0.0
    at: float | None = None
    """When the quarter of an hour of it began, UTC POSIX seconds; None: it was kept before this was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakView:
    """The highest demand of the present month, as it is shown."""

    start: float
    """Of the month, UTC POSIX seconds."""
    watts: float | None
    """None: no quarter of an hour of it was seen yet."""
    at: float | None
    """When that quarter of an hour began, UTC POSIX seconds."""
    cost: float | None
    """What is paid for it."""


class Shelf(Protocol):
    """Where it is kept."""

    def keep_peak(self, peak: KeptPeak) -> None:
        """Keep it for the next start."""


class MonthPeak:
    """The highest demand of the month of one site."""

    def __init__(self, shelf: Shelf, local_zone: Callable[[], tzinfo], tell: Callable[[], None]) -> None:
        """Begin with a month in which nothing was drawn; `tell` is told when it shows something else."""
        self._shelf = shelf
        self._zone = local_zone
        self._tell = tell
        self._month = -math.inf
        """The month that was looked at last."""
        self._peak = KeptPeak(start=-math.inf)
        self._window = -1
        self._minutes_w: list[float] = []
        """Means of the minutes of the window that runs."""

    def restore(self, peak: KeptPeak | None) -> None:
        """Go on with what was kept."""
        if peak is not None:
            self._peak = peak

    def take(self, minute_start: float, mean_power_w: float) -> None:
        """Take a minute of the supply that is over."""
        window = int(minute_start // USUAL_STEP_S)
        if window != self._window:
            self._close()
            self._window = window
        self._minutes_w.append(mean_power_w)

    def _close(self) -> None:
        minutes_w, self._minutes_w = self._minutes_w, []
        if len(minutes_w) < LEAST_MINUTES:
            return
        month = month_start(self._window * USUAL_STEP_S, self._zone())
        before = self._peak if self._peak.start == month else KeptPeak(start=month)
        demand_w = math.fsum(minutes_w) / len(minutes_w)
        if demand_w > before.watts:
            self._peak = replace(before, watts=demand_w, at=self._window * USUAL_STEP_S)
            self._shelf.keep_peak(self._peak)
            self._tell()

    def look(self, now: float) -> None:
        """Take note of the time: with a month it begins anew."""
        month = month_start(now, self._zone())
        if month != self._month:
            self._month = month
            self._tell()

    def view(self, now: float, per_kw: float) -> PeakView:
        """Return the highest demand so far of the month of a UTC POSIX time, at a price for each kilowatt."""
        month = month_start(now, self._zone())
        if self._peak.start != month:
            return PeakView(start=month, watts=None, at=None, cost=None)
        watts = self._peak.watts
        return PeakView(start=month, watts=watts, at=self._peak.at, cost=per_kw * watts / W_PER_KW)

    def of_month(self, at: float) -> float:
        """Return the highest demand so far, in W, of the month in which a UTC POSIX time lies."""
        return self._peak.watts if self._peak.start == month_start(at, self._zone()) else 0.0

    def charge(self, per_kw: float, grid: Grid, base_a: Sequence[PhaseAmps], others_w: Sequence[float]) -> PeakCharge:
        """Return what vehicles may draw before the demand is higher than it is, or will be without them.

        Args:
            per_kw: what a kilowatt of the highest demand of a month costs.
            base_a: what is expected of the supply in each slot beside vehicles.
            others_w: what vehicles are expected to draw in each slot that are not planned for.
        """
        demands = [sum(base) * NOMINAL_VOLTAGE_V + other for base, other in zip(base_a, others_w, strict=True)]
        months = [month_start(slot.start, self._zone()) for slot in grid.slots()]
        highest = {month: self.of_month(month) for month in set(months)}
        for month, demand_w in zip(months, demands, strict=True):
            highest[month] = max(highest[month], demand_w)
        free = [highest[month] - demand_w for month, demand_w in zip(months, demands, strict=True)]
        return PeakCharge(free_w=tuple(free), per_kw=per_kw)


def month_start(at: float, zone: tzinfo) -> float:
    """Return when the month of a UTC POSIX time began on a local clock."""
    first = datetime.fromtimestamp(at, zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    return first.timestamp()


def phase_watts(before_a: Sequence[PhaseAmps], after_a: Sequence[PhaseAmps]) -> list[float]:
    """Return what was taken out of the room of each slot, in W."""
    return [(sum(before) - sum(after)) * NOMINAL_VOLTAGE_V for before, after in zip(before_a, after_a, strict=True)]
