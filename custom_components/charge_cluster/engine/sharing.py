"""Admit and share: who has a place when the minima do not fit together, and how much does everybody get?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .admission import Candidate, Places, admit, turn_of
from .allocation import ROUNDING_A, Claim, fair_shares
from .budget import Budget
from .model import Reason, SharingRule, SiteModel
from .seat import ROWS_PER_CIRCUIT, Seat, whole_steps_below
from .snapshot import Memory, Snapshot

PAUSE_HYSTERESIS_S = 60.0
"""For so long after it lost its place a vehicle needs a little more room than its minimum to get it back."""


def admit_candidates(snapshot: Snapshot, memory: Memory, seats: Mapping[str, Seat], budget: Budget) -> Places:
    """Return who has a place; from `budget.share` is taken what counts whatever is decided."""
    room = list(budget.share)
    sharing = [seat for seat in seats.values() if seat.fixed is None]
    for seat in seats.values():
        if seat.fixed:
            for row in seat.rows:
                room[row] -= seat.fixed
    _drop_reserves_that_do_not_fit(room, sharing)
    budget.share = room
    least_served = min((s.memory.served_s for s in sharing if s.wants and s.memory.queued), default=0.0)
    candidates = []
    for seat in sharing:
        if not seat.wants:
            continue
        if not seat.memory.queued:
            seat.memory = replace(seat.memory, queued=True, served_s=least_served)
        remembered = seat.memory
        candidates.append(
            Candidate(
                key=seat.connector.connector_id,
                rows=seat.rows,
                minimum_a=max(seat.lower, min(seat.fallback, seat.upper)),
                reserved_a=seat.fallback,
                priority=seat.connector.priority,
                holds_place=remembered.holds_place,
                paused=snapshot.now - remembered.lost_place_at < PAUSE_HYSTERESIS_S,
                served_s=remembered.served_s,
                since=seat.facts.since,
            )
        )
    new_turn = memory.turn is not None and turn_of(snapshot.wall, snapshot.on_time_s) != memory.turn
    return admit(room, candidates, new_turn=new_turn)


def _drop_reserves_that_do_not_fit(room: Sequence[float], sharing: Sequence[Seat]) -> None:
    """Count vehicles at what they are told where even their fallbacks do not fit.

    The base load is then above the declared worst: the proof of the fallback is broken, which is shown, and all that
    can be done is to tell vehicles less than their fallback.
    """
    reserved = [0.0] * len(room)
    for seat in sharing:
        for row in seat.rows:
            reserved[row] += seat.fallback
    broken = {row for row, amps in enumerate(reserved) if amps > 0.0 and amps > room[row] + ROUNDING_A}
    if broken:
        for seat in sharing:
            if not broken.isdisjoint(seat.rows):
                seat.fallback = 0.0


def share_out(snapshot: Snapshot, seats: Mapping[str, Seat], places: Places, budget: Budget) -> None:
    """Set target and reason of everybody who takes part in the sharing."""
    room = list(budget.share)
    admitted: list[Seat] = []
    sated: list[Seat] = []
    waiting = dict(places.waiting)
    rows_per_circuit = {circuit_id: ROWS_PER_CIRCUIT * i for i, circuit_id in enumerate(snapshot.site.circuits)}
    for seat in seats.values():
        if seat.fixed is not None:
            continue
        if seat.connector.connector_id in places.admitted:
            admitted.append(seat)
            for row in seat.rows:
                room[row] -= max(0.0, seat.fallback - seat.upper)
            continue
        for row in seat.rows:
            room[row] -= seat.fallback
        if not seat.wants:
            sated.append(seat)
            continue
        seat.row = waiting[seat.connector.connector_id]
    taken = {row for seat in admitted for row in seat.rows}
    circuit_ids = list(snapshot.site.circuits)
    for seat in seats.values():
        if seat.fixed is None and seat.wants and seat.row is not None:
            if circuit_ids[seat.row // ROWS_PER_CIRCUIT] in budget.stale:
                seat.reason = Reason.METER_STALE
            else:
                seat.reason = Reason.WAITING_TURN if seat.row in taken else Reason.NO_CAPACITY
    weights = _weights(snapshot.site, admitted, rows_per_circuit)
    # A row below zero has nobody admitted in it.
    room = [max(amps, 0.0) for amps in room]
    _fill_by_class(room, admitted, weights)
    _let_sated_resume(_hand_out_whole_steps(room, admitted), sated)


def _weights(site: SiteModel, admitted: Sequence[Seat], rows_per_circuit: Mapping[str, int]) -> list[tuple[int, float]]:
    """Return (class, weight) of each vehicle by the rule of the nearest circuit that has one."""
    rules: dict[str, SharingRule] = {}
    for circuit_id in rows_per_circuit:
        chosen = (site.circuits[above].sharing for above in site.paths[circuit_id])
        rules[circuit_id] = next((rule for rule in chosen if rule is not None), SharingRule.PROPORTIONAL)
    weights = []
    for seat in admitted:
        rule = rules[seat.connector.circuit_id]
        weights.append(
            (
                seat.connector.priority if rule is SharingRule.PRIORITY else 0,
                1.0 if rule is SharingRule.EQUAL else seat.upper,
            )
        )
    return weights


def _fill_by_class(room: Sequence[float], admitted: Sequence[Seat], weights: Sequence[tuple[int, float]]) -> None:
    """Fill the classes from the highest down; the lower ones keep their minimum meanwhile."""
    lowers = [max(seat.lower, min(seat.fallback, seat.upper)) for seat in admitted]
    result = list(lowers)
    stopped: list[int | None] = [None] * len(admitted)
    for priority in sorted({w[0] for w in weights}, reverse=True):
        claims = []
        for index, seat in enumerate(admitted):
            appetite = seat.memory.appetite.upper_a
            upper = seat.upper if appetite is None else min(seat.upper, max(appetite, lowers[index]))
            if weights[index][0] != priority:
                upper = result[index]
            claims.append(Claim(seat.rows, result[index], max(upper, result[index]), weights[index][1]))
        shares = fair_shares(room, claims)
        for index, (amps, row) in enumerate(zip(shares.amps, shares.bottleneck, strict=True)):
            if weights[index][0] == priority:
                result[index] = amps
                stopped[index] = row
    for seat, amps, row in zip(admitted, result, stopped, strict=True):
        seat.target = amps
        seat.row = row


def _hand_out_whole_steps(room: Sequence[float], admitted: Sequence[Seat]) -> list[float]:
    """Round shares down to the charger's step, give what is over step by step, and return what is left.

    Who has such a limit already comes first, so that left-overs do not wander.
    """
    left = list(room)
    wishes: list[tuple[bool, float, str, Seat]] = []
    for seat in admitted:
        step = seat.connector.step_a
        exact = seat.target
        seat.target = max(whole_steps_below(exact, step), seat.lower)
        for row in seat.rows:
            left[row] -= max(seat.target, min(seat.fallback, seat.upper))
        if seat.row is not None:
            higher = seat.target + step
            has_it = seat.bound.limit_a is not None and seat.bound.limit_a >= higher - ROUNDING_A
            wishes.append((not has_it, seat.target - exact, seat.connector.connector_id, seat))
    wishes.sort(key=lambda wish: wish[:3])
    for _, _, _, seat in wishes:
        step = seat.connector.step_a
        most = seat.upper if seat.memory.appetite.upper_a is None else min(seat.upper, seat.memory.appetite.upper_a)
        if seat.target + step <= most + ROUNDING_A and all(left[row] >= step for row in seat.rows):
            seat.target += step
            for row in seat.rows:
                left[row] -= step
    for seat in admitted:
        seat.reason = _why_shared(seat)
    return left


def _why_shared(seat: Seat) -> Reason:
    connector = seat.connector
    if seat.row is not None:
        return Reason.SHARED
    if seat.memory.appetite.upper_a is not None and seat.target < seat.upper - ROUNDING_A:
        return Reason.VEHICLE_TAKES_LESS
    if connector.cap_a is not None and connector.cap_a < connector.maximum_a:
        return Reason.USER_CAP
    return Reason.FULL_POWER


def _let_sated_resume(left: Sequence[float], sated: Sequence[Seat]) -> None:
    """Offer a vehicle that takes nothing its minimum from what is left, so that it can begin again by itself."""
    spare = list(left)
    for seat in sorted(sated, key=lambda s: (s.facts.since, s.connector.connector_id)):
        extra = seat.lower - min(seat.fallback, seat.lower)
        seat.reason = Reason.VEHICLE_TAKES_LESS
        if all(spare[row] >= extra - ROUNDING_A for row in seat.rows):
            seat.target = seat.lower
            for row in seat.rows:
                spare[row] -= extra
        else:
            seat.target = 0.0
