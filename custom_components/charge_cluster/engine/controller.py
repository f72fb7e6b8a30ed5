"""One pass: observe → budget → want → admit → share → guard → commands.

`decide` is a pure function of a snapshot and a small memory. Its stages run in this order; each takes what the ones
before it found and answers one question. Those that only need what is known of the connectors stand below; the budget,
the shares, the raises and the picture of the outcome have rooms of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from . import guard
from .allocation import ROUNDING_A
from .appetite import observe
from .budget import budget_for
from .model import Reason, VehicleState
from .outcome import outcome
from .raising import safe_raises
from .seat import ROWS_PER_CIRCUIT, Seat, whole_steps_above, whole_steps_below
from .sharing import admit_candidates, share_out
from .snapshot import Command, ConnectorFacts, ConnectorMemory, Decision, Memory, Snapshot

OUTSTANDING_GRACE_S = 1.0
"""A charger that has not answered an order for this long counts at its old limit, and the others pay for it at once."""

PLUGGED_IN = frozenset({VehicleState.WANTS, VehicleState.SATED})


def decide(snapshot: Snapshot, memory: Memory) -> Decision:
    """Run one pass."""
    seats = _observe(snapshot, memory)
    budget = budget_for(snapshot, memory, seats)
    _want(snapshot, seats)
    places = admit_candidates(snapshot, memory, seats, budget)
    share_out(snapshot, seats, places, budget)
    raises = safe_raises(snapshot, seats, budget)
    commands = _commands(snapshot, seats, raises)
    return outcome(snapshot, memory, seats, budget, places, commands)


# --- observe: what is each connector, and what may it draw at most? --------------------------------------------------


def _observe(snapshot: Snapshot, memory: Memory) -> dict[str, Seat]:
    circuit_ids = list(snapshot.site.circuits)
    first_row = {circuit_id: ROWS_PER_CIRCUIT * index for index, circuit_id in enumerate(circuit_ids)}
    path_rows = {
        circuit_id: tuple(first_row[above] for above in path) for circuit_id, path in snapshot.site.paths.items()
    }
    seats: dict[str, Seat] = {}
    for connector_id, connector in snapshot.site.connectors.items():
        facts = snapshot.facts.get(connector_id)
        if facts is None:
            facts = ConnectorFacts(bound=guard.unknown_bound(connector), vehicle=VehicleState.UNKNOWN, since=0.0)
        bound = guard.at_time(facts.bound, connector, snapshot.now)
        if facts.vehicle is VehicleState.ABSENT and bound.online:
            bound = guard.idle(bound, snapshot.now)
        remembered = memory.connectors.get(connector_id)
        if remembered is None or remembered.since != facts.since:
            remembered = ConnectorMemory(since=facts.since)
        if facts.vehicle in PLUGGED_IN:
            appetite = observe(remembered.appetite, connector, bound)
            if appetite is not remembered.appetite:
                remembered = replace(remembered, appetite=appetite)
        # What was learned of a vehicle holds while it is known to be there: unheard, another may have taken its place.
        learned = remembered.appetite.phases if bound.online and facts.vehicle in PLUGGED_IN else None
        phases = learned or connector.phases
        rows = tuple(base + phase for base in path_rows[connector.circuit_id] for phase in phases)
        seats[connector_id] = Seat(
            connector=connector,
            facts=facts,
            bound=bound,
            memory=remembered,
            rows=rows,
            worst=guard.worst_case_a(connector, bound),
            fallback=guard.fallback_of(connector, bound),
        )
    return seats


# --- want: what does each connector take part with? ------------------------------------------------------------------


def _want(snapshot: Snapshot, seats: Mapping[str, Seat]) -> None:
    for seat in seats.values():
        connector, facts, bound = seat.connector, seat.facts, seat.bound
        if facts.proving:
            seat.fallback = connector.fallback_a
        cap = connector.maximum_a if connector.cap_a is None else min(connector.cap_a, connector.maximum_a)
        seat.upper = whole_steps_below(cap, connector.step_a)
        seat.lower = whole_steps_above(connector.minimum_a, connector.step_a)
        seat.fixed = seat.fallback
        unheard = (
            max(seat.fallback, *(max(draw.amps) for draw in bound.draws[-1:]), 0.0) if facts.proving else seat.worst
        )
        if not bound.online:
            seat.fixed = unheard
            seat.target = bound.limit_a if bound.limit_a is not None else seat.fallback
            seat.reason = Reason.OFFLINE
        elif facts.vehicle is VehicleState.UNKNOWN:
            seat.fixed = unheard
            seat.target = bound.limit_a if bound.limit_a is not None else seat.fallback
            seat.reason = Reason.STARTING
        elif facts.vehicle is VehicleState.FAULTED:
            seat.reason = Reason.FAULTED
        elif not connector.enabled:
            seat.reason = Reason.SWITCHED_OFF
        elif facts.vehicle is VehicleState.ABSENT:
            seat.target = connector.fallback_a
            seat.reason = Reason.NO_VEHICLE
        elif seat.upper < seat.lower:
            seat.reason = Reason.USER_CAP
        elif _ignores(seat, snapshot.now) or _unanswered(facts, snapshot.now):
            # It counts at what it may draw; it is asked for its minimum, and the others pay for the rest.
            seat.fixed = seat.worst
            seat.target = min(seat.lower, seat.worst)
            seat.reason = Reason.LIMIT_IGNORED if seat.memory.ignores_since is not None else Reason.WAITING_RELEASE
        else:
            seat.fixed = None
            seat.wants = facts.vehicle is VehicleState.WANTS


def _ignores(seat: Seat, now: float) -> bool:
    obeys = guard.obeys(seat.bound)
    if obeys is None:
        return seat.memory.ignores_since is not None
    since = None if obeys else (now if seat.memory.ignores_since is None else seat.memory.ignores_since)
    if since != seat.memory.ignores_since:
        seat.memory = replace(seat.memory, ignores_since=since)
    return since is not None


def _unanswered(facts: ConnectorFacts, now: float) -> bool:
    bound = facts.bound
    if not bound.in_flight:
        return False
    return not facts.outstanding or (bound.ordered_at is not None and now - bound.ordered_at > OUTSTANDING_GRACE_S)


# --- commands: what is sent, in which order? -------------------------------------------------------------------------


def _commands(snapshot: Snapshot, seats: Mapping[str, Seat], raises: Mapping[str, float]) -> list[Command]:
    reductions: list[Command] = []
    increases: list[Command] = []
    renewals: list[Command] = []
    for connector_id, seat in seats.items():
        bound = seat.bound
        if not bound.online or seat.facts.vehicle is VehicleState.UNKNOWN:
            continue
        unproved = bool(bound.in_flight) and not seat.facts.outstanding
        ordered = bound.in_flight[-1] if seat.facts.outstanding and bound.in_flight else bound.limit_a
        idle = seat.facts.vehicle is VehicleState.ABSENT
        if ordered is None or unproved:
            # Nothing is known of its limit. A small known one is sure to be no increase of what is counted.
            if not idle or unproved:
                reductions.append(_command(seat, min(seat.target, seat.lower), reduces=True))
        elif seat.target < ordered - ROUNDING_A:
            reductions.append(_command(seat, seat.target, reduces=True))
        elif connector_id in raises:
            increases.append(_command(seat, raises[connector_id], reduces=False))
        elif _renewal_due(seat, snapshot):
            renewals.append(_command(seat, ordered, reduces=False, renews=True))
        if connector_id not in raises and seat.fixed is None and ordered is not None and seat.target > ordered:
            seat.reason = _why_not_yet(snapshot, seat)
    held = [c for c in (*reductions, *renewals) if snapshot.now < seats[c.connector_id].facts.retry_at]
    blocked = {c.connector_id for c in held}
    return [c for c in (*reductions, *increases, *renewals) if c.connector_id not in blocked]


def _command(seat: Seat, amps: float, *, reduces: bool, renews: bool = False) -> Command:
    return Command(
        connector_id=seat.connector.connector_id, amps=amps, reason=seat.reason, reduces=reduces, renews=renews
    )


def _renewal_due(seat: Seat, snapshot: Snapshot) -> bool:
    """Return whether the limit must be sent again: at a third of its validity, and only where it would run out."""
    bound = seat.bound
    if bound.expires_at is None or bound.in_flight or bound.limit_a == seat.connector.fallback_a:
        return False
    if bound.ordered_at is None:
        return True
    return snapshot.now - bound.ordered_at >= snapshot.validity_s / 3


def _why_not_yet(snapshot: Snapshot, seat: Seat) -> Reason:
    if snapshot.starting:
        return Reason.STARTING
    if seat.bound.fallback_a is None:
        return Reason.FALLBACK_UNPROVED
    if (seat.bound.limit_a or 0.0) < seat.lower:
        return Reason.WAITING_RELEASE
    return seat.reason
