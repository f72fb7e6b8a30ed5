"""The base load that a circuit usually has at an hour of the week, as far as it was seen.

Of each quarter of an hour of the week one value per phase is remembered. What is seen moves it a part of the way, and
what is far from usual (a feast, a fault) counts as if it were not so far: one odd week is no new habit. Where an hour
was never seen, that hour of other days like it is taken, and where there is none, what is there now.

The near future is more like the present than like last week: what differs now fades within hours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from ..engine.habits import WEEKEND
from ..engine.model import NO_AMPS, PhaseAmps
from ..engine.snapshot import Decision
from ..engine.tariff import Grid

QUARTER_S = 900.0
QUARTERS = 96
"""Of a day."""
MOVES = 0.25
"""A week moves what is usual by this part of the difference."""
ODD_A = 10.0
"""What differs by more, and by more than half of what is usual, counts as if it differed by so much."""
FADES_S = 3600.0
"""After so long a third of what differs now is left."""
SEEN_FOR = 300
"""So many passes at least make a quarter of an hour that counts as seen."""

type Day = tuple[PhaseAmps | None, ...]


class Shelf(Protocol):
    """Where what is usual is kept."""

    def keep_usual_load(self, circuit_id: str, weekday: int, day: Day | None) -> None:
        """Keep a day of a circuit for the next start; None: it is gone."""


class UsualLoads:
    """The usual base loads of the circuits of one site."""

    def __init__(self, shelf: Shelf, local_zone: Callable[[], tzinfo]) -> None:
        self._shelf = shelf
        self._zone = local_zone
        self._days: dict[tuple[str, int], list[PhaseAmps | None]] = {}
        """By circuit and weekday."""
        self._quarter: int | None = None
        """The one that runs."""
        self._sums: dict[str, tuple[int, PhaseAmps]] = {}

    def restore(self, kept: Mapping[tuple[str, int], Day]) -> None:
        """Go on with what was kept."""
        self._days = {place: [*day, *(None,) * QUARTERS][:QUARTERS] for place, day in kept.items()}

    def look(self, decision: Decision | None, wall: float) -> None:
        """Take note of what the last pass found, at a UTC POSIX time."""
        quarter = math.floor(wall / QUARTER_S)
        if self._quarter is not None and quarter != self._quarter:
            self._learn(self._quarter * QUARTER_S)
            self._sums.clear()
        self._quarter = quarter
        if decision is None:
            return
        for circuit_id, circuit in decision.circuits.items():
            base = circuit.base_load_a
            if base is None or circuit.stale:
                continue
            count, sums = self._sums.get(circuit_id, (0, NO_AMPS))
            self._sums[circuit_id] = (count + 1, (sums[0] + base[0], sums[1] + base[1], sums[2] + base[2]))

    def keep_only(self, circuits: Mapping[str, object]) -> None:
        """Forget circuits that are gone."""
        for circuit_id, weekday in [place for place in self._days if place[0] not in circuits]:
            del self._days[circuit_id, weekday]
            self._shelf.keep_usual_load(circuit_id, weekday, None)

    def _learn(self, at: float) -> None:
        weekday, quarter = self._place(at)
        for circuit_id, (count, sums) in self._sums.items():
            if count < SEEN_FOR:
                continue
            day = self._days.setdefault((circuit_id, weekday), [None] * QUARTERS)
            seen = (sums[0] / count, sums[1] / count, sums[2] / count)
            day[quarter] = seen if (before := day[quarter]) is None else _moved(before, seen)
            self._shelf.keep_usual_load(circuit_id, weekday, tuple(day))

    def _place(self, at: float) -> tuple[int, int]:
        local = datetime.fromtimestamp(at, UTC).astimezone(self._zone())
        return local.weekday(), (60 * local.hour + local.minute) // 15

    def expected(self, circuit_id: str, grid: Grid, now: float, present: PhaseAmps) -> list[PhaseAmps]:
        """Return what is expected in each slot, when this much flows at the UTC POSIX time `now`."""
        usual_now = self._usual(circuit_id, *self._place(now))
        differs = NO_AMPS if usual_now is None else _difference(present, usual_now)
        found = []
        for slot in grid.slots():
            usual = self._usual(circuit_id, *self._place(slot.start))
            if usual is None:
                found.append(present)
                continue
            left = math.exp(-max(0.0, slot.start - now) / FADES_S)
            found.append((usual[0] + left * differs[0], usual[1] + left * differs[1], usual[2] + left * differs[2]))
        return found

    def _usual(self, circuit_id: str, weekday: int, quarter: int) -> PhaseAmps | None:
        own = self._seen(circuit_id, weekday, quarter)
        if own is not None:
            return own
        others = [
            seen
            for other in range(7)
            if (other >= WEEKEND) is (weekday >= WEEKEND)
            if (seen := self._seen(circuit_id, other, quarter)) is not None
        ]
        return _mean(others) if others else None

    def _seen(self, circuit_id: str, weekday: int, quarter: int) -> PhaseAmps | None:
        day = self._days.get((circuit_id, weekday))
        return None if day is None else day[quarter]


def _moved(before: PhaseAmps, seen: PhaseAmps) -> PhaseAmps:
    def phase(usual: float, now: float) -> float:
        most = max(ODD_A, abs(usual) / 2.0)
        return round(usual + MOVES * min(most, max(-most, now - usual)), 2)

    return (phase(before[0], seen[0]), phase(before[1], seen[1]), phase(before[2], seen[2]))


def _difference(a: PhaseAmps, b: PhaseAmps) -> PhaseAmps:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def _mean(amps: Sequence[PhaseAmps]) -> PhaseAmps:
    count = len(amps)
    return (sum(a[0] for a in amps) / count, sum(a[1] for a in amps) / count, sum(a[2] for a in amps) / count)
