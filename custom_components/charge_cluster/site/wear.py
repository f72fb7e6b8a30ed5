"""What wears out: contactors that close, and limits that are written.

A contactor is good for some ten thousand starts, and the flash of a charge point for as many writes or fewer; which
limits go there only its maker knows, and those that outlive a transaction are the likely ones. Starts are counted by
measurements: from no current to some. Totals are kept over restarts, a few minutes behind at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from ..chargers import Charger, writes_of
from ..engine.rest import FLOWS_A
from ..ocpp.protocols import Clock

WEAR_EVERY_S = 300.0
"""Totals are added up, shown and written down so often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptWear:
    """What a connector has been through since it was added."""

    starts: int = 0
    """Times that current began to flow."""
    passing_writes: int = 0
    """Limits of transactions."""
    lasting_writes: int = 0
    """Limits that outlive a transaction: fallbacks above all."""


NO_WEAR = KeptWear()


@dataclass(slots=True, kw_only=True)
class Starts:
    """Counts how often current begins to flow at a connector."""

    count: int = 0
    flows: bool | None = None
    """Whether it flows; None: not known since our start, so that what flows first is no start."""

    def saw(self, most_a: float) -> None:
        """Take note of a measurement, or of 0 A where nothing is plugged in."""
        flows = most_a >= FLOWS_A
        if flows and self.flows is False:
            self.count += 1
        self.flows = flows


class Worn(Protocol):
    """A connector as far as it wears out."""

    starts: Starts
    wear: KeptWear
    number: int
    charge_point_id: str


class WearBook:
    """Adds up what connectors have been through."""

    def __init__(self, keep: Callable[[str, KeptWear | None], None], clock: Clock) -> None:
        """`keep` writes the total of a connector down; None: it is gone."""
        self._keep = keep
        self._clock = clock
        self._totals: dict[str, KeptWear] = {}
        self._seen: dict[str, KeptWear] = {}
        """What those who count had counted when they were asked last."""
        self._due_at = 0.0

    def recall(self, kept: Mapping[str, KeptWear]) -> None:
        """Begin with what was kept."""
        self._totals = dict(kept)

    def look[One: Worn](
        self, states: Mapping[str, One], charger_of: Callable[[str], Charger | None], changed: Callable[[One], None]
    ) -> None:
        """Take up connectors that came, let go of those that left, and add up where that is due."""
        for key in states.keys() - self._seen.keys():
            # What was counted before belongs to totals that were kept.
            self._seen[key] = _counted(states[key], charger_of)
            states[key].wear = self._totals.setdefault(key, NO_WEAR)
        for key in self._totals.keys() - states.keys():
            del self._totals[key]
            self._seen.pop(key, None)
            self._keep(key, None)
        now = self._clock.monotonic()
        if now >= self._due_at:
            self._due_at = now + WEAR_EVERY_S
            self.add_up(states, charger_of, changed)

    def add_up[One: Worn](
        self, states: Mapping[str, One], charger_of: Callable[[str], Charger | None], changed: Callable[[One], None]
    ) -> None:
        """Add up what happened since the last time, show it and keep it."""
        for key in states.keys() & self._seen.keys():
            state = states[key]
            counted, seen, total = _counted(state, charger_of), self._seen[key], self._totals[key]
            if counted == seen:
                continue
            self._seen[key] = counted
            state.wear = self._totals[key] = replace(
                total,
                starts=total.starts + _more(counted.starts, seen.starts),
                passing_writes=total.passing_writes + _more(counted.passing_writes, seen.passing_writes),
                lasting_writes=total.lasting_writes + _more(counted.lasting_writes, seen.lasting_writes),
            )
            self._keep(key, state.wear)
            changed(state)


def _counted(state: Worn, charger_of: Callable[[str], Charger | None]) -> KeptWear:
    charger = charger_of(state.charge_point_id)
    passing, lasting = (0, 0) if charger is None else writes_of(charger, state.number)
    return KeptWear(starts=state.starts.count, passing_writes=passing, lasting_writes=lasting)


def _more(counted: int, seen: int) -> int:
    """Return how much was counted since; who counts less than before has begun anew."""
    return counted - seen if counted >= seen else counted
