"""The place of one connector in a pass: what the stages find about it, one after the other.

A seat is the only thing in the engine that changes. What was observed stays in it as long as the facts it was made
from do, so that a pass looks closely only at those connectors that something happened to; what a pass decides is set
anew in each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from . import guard
from .guard import DrawBound
from .model import NO_AMPS, Connector, PhaseAmps, Reason
from .obedience import LimitForm
from .planned import PlannedNow
from .rows import Layout
from .snapshot import ConnectorFacts, ConnectorMemory


@dataclass(slots=True, eq=False)
class Seat:
    """What the stages of a pass found about one connector."""

    connector: Connector
    facts: ConnectorFacts
    bound: DrawBound
    memory: ConnectorMemory
    own: tuple[int, ...]
    """Its rows in its own circuit."""
    rows: tuple[int, ...]
    """All of its rows, up to the supply."""
    idle_own: tuple[int, ...]
    """Rows in its own circuit of the phases that its vehicle does not use: the next one may, at the fallback."""
    share_own: tuple[int, ...]
    """Its rows in its own circuit as shares reckon with them: by what is remembered of its vehicle as well."""
    share_rows: tuple[int, ...]
    """All of these."""
    share_idle_own: tuple[int, ...]
    """`idle_own` as shares reckon with it."""
    kinds: int
    """How many different ones there are among `share_rows`."""
    first: int
    """The first row of its circuit."""
    worst: float
    drawn: PhaseAmps
    """As last measured."""
    fallback: float
    """What it may go to by itself."""
    reserved: float
    """What it counts at without a place."""
    upper: float = 0.0
    takes: float = 0.0
    """The most that is worth offering: less than `upper` where its vehicle was seen to take less."""
    solar_upper: float = 0.0
    """The same where it charges from what would be exported: `upper` is then what it gets without that."""
    solar_phases: int = 0
    """How many phases its vehicle loads there, as well as it is known."""
    planned: PlannedNow | None = None
    """What is planned for it now; None: nothing."""
    later: bool = False
    """Whether that is nothing yet: it wants current in other hours."""
    unplanned: float | None = None
    """Where that lowers `upper`, what this would be without: it weighs so much; None: nothing is lowered."""
    lower: float = 0.0
    rises_to: float = math.inf
    """The most that it is raised to now: its first offer, while its vehicle was not seen to draw."""
    fixed: float | None = None
    """Counts at this whatever is decided; None: it takes part in the sharing."""
    absent: bool = False
    """Whether its charger says that nothing is plugged in."""
    wants: bool = False
    sleeps: bool = False
    """Whether its vehicle takes nothing of what it is offered: it has a place as long as nobody else needs it."""
    woken: bool = False
    """Whether its offer is taken away for a moment to wake its vehicle."""
    still: bool = False
    """Whether time alone changes nothing about it."""
    own_target: float = 0.0
    """The limit, with its reason, where it takes no part in the sharing."""
    own_reason: Reason = Reason.NO_VEHICLE
    form: LimitForm = LimitForm.USUAL
    """How its limit is to be worded now."""

    one_phase: bool = False
    """Whether its limits are for one phase alone."""
    pauses: bool = False
    """Whether it is told 0 A for a moment, so that its charge point can change the number of phases."""
    moves: bool = False
    """Whether it pauses for that, or has not been seen to charge since: room to begin again is kept for it."""

    target: float = 0.0
    reason: Reason = Reason.NO_VEHICLE
    row: int | None = None
    """The row that holds it back."""
    reserve: float = 0.0
    """`reserved`, or nothing where not even that fits."""
    scarce: bool = False
    """Whether it hangs on a row where not even the fallbacks fit."""
    minimum: float = 0.0
    """The least that a place gives."""

    @property
    def most(self) -> float:
        """Return the most that is worth offering to it where it has a place."""
        return min(self.upper, max(self.takes, self.minimum))

    @property
    def next_target(self) -> float:
        """Return what it may be raised to now of its share."""
        return min(self.target, self.rises_to)

    @property
    def unproved(self) -> bool:
        """Return whether its last order got no answer, and none is awaited, so that it may be in force or not."""
        return not self.facts.outstanding and bool(self.bound.in_flight) and guard.undecided(self.bound)

    def begin(self) -> None:
        """Forget what the pass before decided."""
        self.target = self.own_target
        self.reason = self.own_reason
        self.row = None
        self.reserve = self.reserved
        self.scarce = False


@dataclass(slots=True, eq=False)
class Sums:
    """Amps per row, each connector counted in every circuit above it."""

    worst: list[float]
    """The most that may flow."""
    drawn: list[float]
    """What was measured last; rows of phases only."""
    fixed: list[float]
    """What counts whatever is decided."""
    reserve: list[float]
    """What those that take part in the sharing count at without a place."""
    absent: list[float]
    """What of the worst, and of what is fixed, are fallbacks of connectors that nothing is plugged into."""
    idle: list[float]
    """What the next vehicle could draw by the fallback on phases that the present one does not use."""


@dataclass(slots=True, eq=False)
class Room:
    """What one pass leaves for the next, for speed alone: nothing is known by it that the facts do not say."""

    layout: Layout
    seats: dict[str, Seat] = field(default_factory=dict)


def sums_of(layout: Layout, seats: dict[str, Seat]) -> Sums:
    """Add up what counts for every row."""
    rows = len(layout)
    worst, drawn, fixed, reserve, absent, idle = ([0.0] * rows for _ in range(6))
    for seat in seats.values():
        amps, own = seat.worst, seat.own
        for row in own:
            worst[row] += amps
        if seat.idle_own or seat.share_idle_own:
            _add_idle(seat, worst, idle)
        if seat.drawn is not NO_AMPS:
            first = seat.first
            l1, l2, l3 = seat.drawn
            drawn[first] += l1
            drawn[first + 1] += l2
            drawn[first + 2] += l3
        into, amps = (reserve, seat.reserved) if seat.fixed is None else (fixed, seat.fixed)
        if amps:
            for row in seat.share_own:
                into[row] += amps
            if seat.absent:
                amps = min(amps, seat.worst)
                for row in seat.share_own:
                    absent[row] += amps
    for sums in (worst, drawn, fixed, reserve, absent, idle):
        layout.climb(sums)
    return Sums(worst, drawn, fixed, reserve, absent, idle)


def _add_idle(seat: Seat, worst: list[float], idle: list[float]) -> None:
    for row in seat.idle_own:
        worst[row] += seat.fallback
    for row in seat.share_idle_own:
        idle[row] += seat.reserved


def take_out(seat: Seat, amps: float, left: list[float]) -> bool:
    """Take amps out of all rows of a seat if they have so much."""
    rows = seat.share_rows
    if len(rows) == seat.kinds:
        for row in rows:
            if left[row] < amps:
                return False
    elif any(left[row] < amps * rows.count(row) for row in rows):
        return False
    for row in rows:
        left[row] -= amps
    return True
