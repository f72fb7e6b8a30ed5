"""Observe stage: what is each connector, what may it draw at most, and what does it take part with?"""

from __future__ import annotations

import math
from dataclasses import replace

from . import first_start, guard, obedience, rest
from .appetite import UNKNOWN_APPETITE, Appetite, observe
from .first_start import NOT_BEGUN
from .model import NO_AMPS, PHASES, PLAN_MODES, SOLAR_MODES, ChargingMode, Connector, Reason, VehicleState
from .obedience import LimitForm
from .phase_switching import stand_on_phases
from .phase_use import ALL_PHASES, follow, in_another_transaction
from .planned import PlannedNow, upper_by_plan
from .rest import RESTED
from .rows import Layout
from .seat import Seat
from .snapshot import ConnectorFacts, ConnectorMemory, Memory, Snapshot
from .steps import current_above, current_below

OUTSTANDING_GRACE_S = 1.0
"""A charger that has not answered an order for this long counts at its old limit, and the others pay for it at once."""

PLUGGED_IN = frozenset({VehicleState.WANTS, VehicleState.SATED})


def take_seats(snapshot: Snapshot, memory: Memory, layout: Layout) -> dict[str, Seat]:
    """Return the seats of all connectors; those that nothing happened to are taken over from the pass before."""
    room = memory.room
    before = room.seats if room is not None and room.layout is layout else {}
    facts_of, remembered_of, plans = snapshot.facts, memory.connectors, snapshot.plans
    seats: dict[str, Seat] = {}
    for connector_id, connector in snapshot.site.connectors.items():
        facts = facts_of.get(connector_id)
        seat = before.get(connector_id)
        if (
            seat is None
            or not seat.still
            or seat.facts is not facts
            or seat.memory is not remembered_of.get(connector_id)
            or seat.planned is not plans.get(connector_id)
        ):
            seat = _seat(connector, facts, remembered_of.get(connector_id), layout, snapshot)
        seat.begin()
        seats[connector_id] = seat
    return seats


def _seat(
    connector: Connector,
    facts: ConnectorFacts | None,
    remembered: ConnectorMemory | None,
    layout: Layout,
    snapshot: Snapshot,
) -> Seat:
    now = snapshot.now
    if facts is None:
        facts = ConnectorFacts(bound=guard.unknown_bound(connector), vehicle=VehicleState.UNKNOWN, since=0.0)
    bound = guard.at_time(facts.bound, connector, now)
    if facts.vehicle is VehicleState.ABSENT and bound.online:
        bound = guard.idle(bound, now)
    remembered = _remembered(facts, remembered)
    if connector.switches_phases or remembered.phase_use is not ALL_PHASES:
        remembered = _with_phase_use(remembered, connector, facts, bound, now)
    if facts.vehicle in PLUGGED_IN:
        on_one_phase = remembered.phase_use.one or bound.one_phase is not None
        appetite = observe(remembered.appetite, connector, bound, on_one_phase=on_one_phase)
        rests = rest.observe(remembered.rest, connector, bound, now)
        start = first_start.observe(remembered.start, connector, bound, facts.since, now)
        if appetite is not remembered.appetite or rests is not remembered.rest or start is not remembered.start:
            remembered = replace(remembered, appetite=appetite, rest=rests, start=start)
    appetite = remembered.appetite
    # What was learned of a vehicle holds while it is known to be there: unheard, another may have taken its place.
    there = bound.online and facts.vehicle in PLUGGED_IN
    used = appetite.proved_phases if there else None
    own, rows = _rows(layout, connector, appetite, used)
    share_own, share_rows = own, rows
    # While we start, nobody pays for those who have not had the time to dial in.
    awaited = snapshot.starting and facts.vehicle is VehicleState.UNKNOWN
    if appetite.remembered and (there or awaited):
        share_own, share_rows = _rows(layout, connector, appetite, appetite.phases)
        used = appetite.phases
    fallback = guard.fallback_of(connector, bound)
    idle_own = _idle(layout, connector, appetite.proved_phases if there else None, fallback)
    share_idle_own = idle_own if share_own is own else _idle(layout, connector, appetite.phases, fallback)
    cap = connector.maximum_a if connector.cap_a is None else min(connector.cap_a, connector.maximum_a)
    seat = Seat(
        connector=connector,
        facts=facts,
        bound=bound,
        memory=remembered,
        own=own,
        rows=rows,
        idle_own=idle_own,
        share_own=share_own,
        share_rows=share_rows,
        share_idle_own=share_idle_own,
        kinds=len(share_rows) if layout.power_at is None else len(set(share_rows)),
        first=layout.stride * layout.index_of[connector.circuit_id],
        worst=guard.worst_case_a(connector, bound),
        drawn=bound.draws[-1].amps if bound.draws else NO_AMPS,
        fallback=fallback,
        # A fallback that is to be raised is given room before it is stored.
        reserved=connector.fallback_a if facts.proving else max(fallback, connector.fallback_a),
        upper=current_below(connector, cap),
        takes=_takes(connector, remembered, now),
        lower=current_above(connector, max(connector.minimum_on(used), remembered.rest.needs_a)),
        rises_to=math.inf if remembered.start.over else first_start.first_offer(connector),
        still=(
            bound is facts.bound
            and bound.online
            and not awaited
            and not bound.in_flight
            and not facts.proving
            and (remembered.start.over or remembered.start.offered_at is None)
            and (connector.settling_s is None or bound.limit_a == bound.held_a)
        ),
    )
    if seat.memory.phase_use is not ALL_PHASES:
        stand_on_phases(seat, layout, now, awaited=awaited)
    seat.planned = snapshot.plans.get(connector.connector_id)
    _want(seat, now)
    if seat.memory.conduct.in_doubt or seat.woken or seat.memory.rest.asleep_until is not None:
        seat.still = False
    return seat


def _takes(connector: Connector, remembered: ConnectorMemory, now: float) -> float:
    """Return the most that is worth offering: a current that its charger knows, and no less than was found."""
    upper = remembered.appetite.upper_a
    if upper is None or remembered.rest.tries_again(now):
        return math.inf
    return upper if connector.steps_a is None else current_above(connector, upper)


def _remembered(facts: ConnectorFacts, before: ConnectorMemory | None) -> ConnectorMemory:
    """Return what is still true of what is remembered: another session or another transaction may be another car."""
    if before is None or before.since != facts.since:
        start = NOT_BEGUN if before is None else first_start.of_next(before.start)
        return ConnectorMemory(since=facts.since, came_at=facts.since, transaction=facts.transaction, start=start)
    if facts.transaction is None or facts.transaction == before.transaction:
        return before
    if before.transaction is None:
        return replace(before, transaction=facts.transaction)
    use = in_another_transaction(before.phase_use)
    return replace(before, transaction=facts.transaction, appetite=UNKNOWN_APPETITE, rest=RESTED, phase_use=use)


def _with_phase_use(
    remembered: ConnectorMemory, connector: Connector, facts: ConnectorFacts, bound: guard.DrawBound, now: float
) -> ConnectorMemory:
    """Return what is remembered after a change of the number of phases went on, where one is under way."""
    use = remembered.phase_use
    if use is ALL_PHASES or facts.vehicle not in PLUGGED_IN:
        return remembered
    after = follow(use, bound, able=connector.can_switch_phases, outstanding=facts.outstanding, now=now)
    return remembered if after is use else replace(remembered, phase_use=after)


def _rows(
    layout: Layout, connector: Connector, appetite: Appetite, phases: tuple[int, ...] | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the rows of a vehicle on these phases, or on all that it may use where they are not known."""
    balanced = phases is not None and len(phases) == len(PHASES) and appetite.alike
    return layout.rows_of(connector.circuit_id, phases or connector.phases, balanced=balanced)


def _idle(layout: Layout, connector: Connector, phases: tuple[int, ...] | None, fallback: float) -> tuple[int, ...]:
    """Return the rows of the phases that a vehicle is known not to use, where a fallback would use them.

    Another vehicle may be plugged in and start at its fallback sooner than those that use the room now have come down.
    """
    if phases is None or fallback <= 0.0:
        return ()
    idle = tuple(phase for phase in connector.phases if phase not in phases)
    return layout.rows_of(connector.circuit_id, idle, balanced=False)[0] if idle else ()


def _want(seat: Seat, now: float) -> None:
    """Find what a connector takes part in the sharing with, or counts at instead."""
    connector, facts, bound = seat.connector, seat.facts, seat.bound
    seat.fixed = seat.reserved
    if not bound.online:
        seat.fixed = _unheard(seat)
        seat.own_target = bound.limit_a if bound.limit_a is not None else seat.reserved
        seat.own_reason = Reason.OFFLINE
    elif facts.vehicle is VehicleState.UNKNOWN:
        seat.fixed = _unheard(seat)
        seat.own_target = bound.limit_a if bound.limit_a is not None else seat.reserved
        seat.own_reason = Reason.STARTING
    elif facts.vehicle is VehicleState.ABSENT and connector.allowed:
        seat.absent = True
        seat.own_target = connector.fallback_a
        seat.own_reason = Reason.NO_VEHICLE
    elif facts.vehicle is not VehicleState.ABSENT and _is_in_doubt(seat, now):
        # It counts at what it may draw; it is asked for its minimum at most, and the others pay for the rest.
        seat.fixed = seat.worst
        seat.own_target = min(seat.lower, seat.worst) if _may_charge(seat) else 0.0
        seat.own_reason = Reason.LIMIT_IGNORED
    elif facts.vehicle is VehicleState.FAULTED:
        seat.own_reason = Reason.FAULTED
    elif not connector.allowed:
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
        _take_part(seat, now)


def _take_part(seat: Seat, now: float) -> None:
    if seat.pauses and not seat.connector.can_switch_phases:
        # Its phases are given back to it, though it cannot be told so any more by configuration.
        seat.fixed = max(seat.reserved, seat.lower)
        seat.own_reason = Reason.PHASE_SWITCH
        return
    rests = seat.memory.rest
    if rests.is_being_woken(now):
        # Its current stays its own for the moment that it is taken away.
        seat.fixed = max(seat.reserved, seat.lower)
        seat.woken = True
        seat.own_reason = Reason.ASLEEP
        return
    seat.fixed = None
    seat.wants = seat.facts.vehicle is VehicleState.WANTS
    seat.sleeps = seat.wants and rests.sleeps(now)
    if seat.sleeps:
        seat.takes = 0.0
    if seat.connector.mode in SOLAR_MODES:
        _await_the_sun(seat)
    elif seat.planned is not None and seat.connector.mode in PLAN_MODES:
        _follow_plan(seat, seat.planned)


def _await_the_sun(seat: Seat) -> None:
    """Let a vehicle take part with what it gets without the sun: its minimum, or nothing and no place."""
    seat.solar_upper = seat.upper
    seat.solar_phases = len(seat.memory.appetite.phases or seat.connector.phases)
    if seat.connector.mode is ChargingMode.SOLAR:
        seat.wants = False
    else:
        seat.upper = seat.lower


def _follow_plan(seat: Seat, planned: PlannedNow) -> None:
    """Let a vehicle take part with what is planned for it now, or with nothing and no place."""
    if planned.amps <= 0.0:
        seat.later = True
        seat.wants = seat.sleeps = False
        seat.own_target, seat.own_reason = 0.0, planned.reason
    else:
        upper = upper_by_plan(planned, seat.connector, seat.lower, seat.upper)
        if upper < seat.upper:
            seat.unplanned, seat.upper = seat.upper, upper


def _unheard(seat: Seat) -> float:
    """Return what a connector counts at that is not heard of."""
    bound = seat.bound
    if not seat.facts.proving:
        return seat.worst
    counted = max(seat.reserved, *(max(draw.amps) for draw in bound.draws[-1:]), 0.0)
    if bound.limit_a is not None and bound.ordered_at == guard.BEFORE_START:
        # The limit that it had before our start is still its own.
        counted = max(counted, bound.limit_a)
    return counted


def _may_charge(seat: Seat) -> bool:
    return seat.facts.vehicle is not VehicleState.FAULTED and seat.connector.allowed and seat.upper >= seat.lower


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
