"""Observe stage: what is each connector, what may it draw at most, and what does it take part with?"""

from __future__ import annotations

from dataclasses import replace

from . import guard, obedience
from .appetite import observe
from .guard import DrawBound
from .model import NO_AMPS, PHASES, Connector, Reason, VehicleState
from .obedience import LimitForm
from .rows import Layout
from .seat import Seat, whole_steps_above, whole_steps_below
from .snapshot import ConnectorFacts, ConnectorMemory, Memory, Snapshot

OUTSTANDING_GRACE_S = 1.0
"""A charger that has not answered an order for this long counts at its old limit, and the others pay for it at once."""

UNLIKE_A = 1.0
UNLIKE_SHARE = 0.1
"""Phases of a charger differ by less than the larger of the two while its vehicle draws on all of them."""

PLUGGED_IN = frozenset({VehicleState.WANTS, VehicleState.SATED})


def take_seats(snapshot: Snapshot, memory: Memory, layout: Layout) -> dict[str, Seat]:
    """Return the seats of all connectors; those that nothing happened to are taken over from the pass before."""
    room = memory.room
    before = room.seats if room is not None and room.layout is layout else {}
    facts_of, remembered_of = snapshot.facts, memory.connectors
    seats: dict[str, Seat] = {}
    for connector_id, connector in snapshot.site.connectors.items():
        facts = facts_of.get(connector_id)
        seat = before.get(connector_id)
        if (
            seat is None
            or not seat.still
            or seat.facts is not facts
            or seat.memory is not remembered_of.get(connector_id)
        ):
            seat = _seat(connector, facts, remembered_of.get(connector_id), layout, snapshot.now)
        seat.begin()
        seats[connector_id] = seat
    return seats


def _seat(
    connector: Connector, facts: ConnectorFacts | None, remembered: ConnectorMemory | None, layout: Layout, now: float
) -> Seat:
    if facts is None:
        facts = ConnectorFacts(bound=guard.unknown_bound(connector), vehicle=VehicleState.UNKNOWN, since=0.0)
    bound = guard.at_time(facts.bound, connector, now)
    if facts.vehicle is VehicleState.ABSENT and bound.online:
        bound = guard.idle(bound, now)
    if remembered is None or remembered.since != facts.since:
        remembered = ConnectorMemory(since=facts.since)
    if facts.vehicle in PLUGGED_IN:
        appetite = observe(remembered.appetite, connector, bound)
        if appetite is not remembered.appetite:
            remembered = replace(remembered, appetite=appetite)
    # What was learned of a vehicle holds while it is known to be there: unheard, another may have taken its place.
    learned = remembered.appetite.phases if bound.online and facts.vehicle in PLUGGED_IN else None
    balanced = learned is not None and len(learned) == len(PHASES) and _loads_alike(bound)
    own, rows = layout.rows_of(connector.circuit_id, learned or connector.phases, balanced=balanced)
    fallback = guard.fallback_of(connector, bound)
    cap = connector.maximum_a if connector.cap_a is None else min(connector.cap_a, connector.maximum_a)
    seat = Seat(
        connector=connector,
        facts=facts,
        bound=bound,
        memory=remembered,
        own=own,
        rows=rows,
        kinds=len(rows) if layout.power_at is None else len(set(rows)),
        first=layout.stride * layout.index_of[connector.circuit_id],
        worst=guard.worst_case_a(connector, bound),
        drawn=bound.draws[-1].amps if bound.draws else NO_AMPS,
        fallback=fallback,
        reserved=connector.fallback_a if facts.proving else fallback,
        upper=whole_steps_below(cap, connector.step_a),
        lower=whole_steps_above(connector.minimum_a, connector.step_a),
        still=(
            bound is facts.bound
            and bound.online
            and not bound.in_flight
            and not facts.proving
            and (connector.settling_s is None or bound.limit_a == bound.held_a)
        ),
    )
    _want(seat, now)
    if seat.memory.conduct.in_doubt:
        seat.still = False
    return seat


def _loads_alike(bound: DrawBound) -> bool:
    """Return whether the newest draw is the same on all phases, or nothing; some cars taper on one phase."""
    if not bound.draws:
        return False
    drawn = bound.draws[-1].amps
    return min(drawn) >= max(drawn) - max(UNLIKE_A, UNLIKE_SHARE * max(drawn))


def _want(seat: Seat, now: float) -> None:
    """Find what a connector takes part in the sharing with, or counts at instead."""
    connector, facts, bound = seat.connector, seat.facts, seat.bound
    seat.fixed = seat.reserved
    unheard = max(seat.reserved, *(max(draw.amps) for draw in bound.draws[-1:]), 0.0) if facts.proving else seat.worst
    if not bound.online:
        seat.fixed = unheard
        seat.own_target = bound.limit_a if bound.limit_a is not None else seat.reserved
        seat.own_reason = Reason.OFFLINE
    elif facts.vehicle is VehicleState.UNKNOWN:
        seat.fixed = unheard
        seat.own_target = bound.limit_a if bound.limit_a is not None else seat.reserved
        seat.own_reason = Reason.STARTING
    elif facts.vehicle is VehicleState.ABSENT and connector.enabled:
        seat.own_target = connector.fallback_a
        seat.own_reason = Reason.NO_VEHICLE
    elif facts.vehicle is not VehicleState.ABSENT and _is_in_doubt(seat, now):
        # It counts at what it may draw; it is asked for its minimum at most, and the others pay for the rest.
        seat.fixed = seat.worst
        seat.own_target = min(seat.lower, seat.worst) if _may_charge(seat) else 0.0
        seat.own_reason = Reason.LIMIT_IGNORED
    elif facts.vehicle is VehicleState.FAULTED:
        seat.own_reason = Reason.FAULTED
    elif not connector.enabled:
        seat.own_reason = Reason.SWITCHED_OFF
    elif seat.upper < seat.lower:
        seat.own_reason = connector.cap_reason
    elif _unanswered(facts, now):
        # So does one that has not answered.
        seat.fixed = seat.worst
        seat.own_target = min(seat.lower, seat.worst)
        if facts.outstanding and bound.in_flight:
            # Another word would only wait behind the call that is under way; one that is slow would never rise.
            seat.own_target = bound.in_flight[-1]
        seat.own_reason = Reason.WAITING_RELEASE
    else:
        seat.fixed = None
        seat.wants = facts.vehicle is VehicleState.WANTS


def _may_charge(seat: Seat) -> bool:
    return seat.facts.vehicle is not VehicleState.FAULTED and seat.connector.enabled and seat.upper >= seat.lower


def _is_in_doubt(seat: Seat, now: float) -> bool:
    """Judge whether it keeps its limit, and have it worded otherwise where that is due."""
    bound, before = seat.bound, seat.memory.conduct
    conduct = obedience.judge(before, bound, now)
    if conduct.in_doubt and now >= seat.facts.retry_at and obedience.wants_other_form(conduct, bound):
        conduct = obedience.ordered_otherwise(conduct, now)
        seat.form = LimitForm.OTHER
    if conduct is not before:
        seat.memory = replace(seat.memory, conduct=conduct)
    return conduct.in_doubt


def _unanswered(facts: ConnectorFacts, now: float) -> bool:
    bound = facts.bound
    if not guard.undecided(bound):
        return False
    return not facts.outstanding or (bound.ordered_at is not None and now - bound.ordered_at > OUTSTANDING_GRACE_S)
