"""Admit and share: who has a place when the minima do not fit together, and how much does everybody get?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .admission import RESTART_ROOM_A, Candidate, Places, admit, turn_of
from .allocation import ROUNDING_A, Claim, fair_shares
from .budget import Budget
from .first_come import places_by_arrival, shares_by_arrival
from .groups import groups_below
from .model import ChargingMode, Reason, SharingRule, SiteModel
from .needs import Need, places_by_need, weigh_groups
from .rest import WAKE_OFFER_A
from .seat import Seat, Sums, take_out
from .snapshot import Memory, Snapshot
from .solar import Sun, share_surplus
from .steps import current_below, step_from
from .trial import TRIAL_S, with_trials

PAUSE_HYSTERESIS_S = 60.0
"""For so long after it lost its place a vehicle needs a little more room than its minimum to get it back."""


def admit_candidates(
    snapshot: Snapshot, memory: Memory, seats: Mapping[str, Seat], budget: Budget, sums: Sums
) -> Places:
    """Return who has a place; from `budget.share` is taken what counts whatever is decided."""
    budget.share = room = _free(budget, sums)
    sharing = [seat for seat in seats.values() if seat.fixed is None]
    reserve = _reserves_that_fit(room, sharing, budget, sums)
    candidates = [seat for seat in sharing if seat.wants]
    fit = _all_fit(room, reserve, candidates, budget)
    if not fit and any(seat.sleeps for seat in candidates):
        # Sleepers keep no place from others.
        for seat in candidates:
            seat.wants = not seat.sleeps
        candidates = [seat for seat in candidates if seat.wants]
        fit = _all_fit(room, reserve, candidates, budget)
    _queue_newcomers(candidates, snapshot.now, admitted=fit)
    if fit:
        return Places(frozenset(seat.connector.connector_id for seat in candidates), ())
    new_turn = (
        not snapshot.starting and memory.turn is not None and turn_of(snapshot.wall, snapshot.on_time_s) != memory.turn
    )
    _keep_free_for_one(room, sharing, budget, sums)
    left = [amps - held for amps, held in zip(room, reserve, strict=True)]
    for seat in candidates:
        # What a candidate reserves is taken by `admit` itself.
        if seat.reserve:
            for row in seat.share_rows:
                left[row] += seat.reserve
    queue = [_candidate(seat, snapshot.now) for seat in candidates]
    places = admit(left, queue, new_turn=new_turn)
    first_come = groups_below(snapshot.site, candidates, SharingRule.FIRST_COME)
    by_need = groups_below(snapshot.site, candidates, SharingRule.NEED)
    if not new_turn and not snapshot.starting:
        of_their_own = {seat.connector.connector_id for group in (*first_come, *by_need) for seat in group}
        places = with_trials(places, left, queue, min(TRIAL_S, snapshot.on_time_s), of_their_own)
    places = places_by_arrival(places, left, queue, first_come)
    return places_by_need(places, left, queue, by_need, snapshot, new_turn=new_turn)


def _queue_newcomers(candidates: Sequence[Seat], now: float, *, admitted: bool) -> None:
    """Let those that want for the first time enter the queue, and take a place where there is one for everybody."""
    newcomers = [seat for seat in candidates if not seat.memory.queued]
    if not newcomers:
        return
    least = min((seat.memory.served(now) for seat in candidates if seat.memory.queued), default=0.0)
    for seat in newcomers:
        before = seat.memory
        if before.holds_place:
            place_since: float | None = before.place_since
        else:
            place_since = now if admitted else None
        seat.memory = before.entering(least, place_since=place_since)


def _free(budget: Budget, sums: Sums) -> list[float]:
    """Return what is left per row beside what counts whatever is decided, and what the next vehicles may start with.

    The latter is kept free where it fits beside the fallbacks; where it does not, vehicles that are there come first.
    The fallbacks themselves fit below the ceiling, and may take of its margin: they may flow at any moment, so that
    nobody else may have that current.
    """
    room = []
    rows = zip(budget.share, budget.margin, sums.fixed, sums.idle, sums.reserve, strict=True)
    for amps, margin, fixed, idle, reserve in rows:
        left = amps - fixed
        if left - idle >= reserve:
            left -= idle
        elif left < reserve <= left + margin:
            left = reserve
        room.append(left)
    return room


def _reserves_that_fit(room: Sequence[float], sharing: Sequence[Seat], budget: Budget, sums: Sums) -> list[float]:
    """Return what is reserved per row; nothing for vehicles that hang on a row where not even their fallbacks fit.

    The base load is then above the declared worst, or a charger disobeys: the proof of the fallback is broken, which is
    shown, and all that can be done is to tell vehicles less than their fallback, and nobody more than its minimum.
    """
    broken = {row for row, amps in enumerate(sums.reserve) if amps > 0.0 and amps > room[row] + ROUNDING_A}
    if not broken:
        return sums.reserve
    reserve = [0.0] * len(room)
    for seat in sharing:
        hangs_on = broken.intersection(seat.share_rows)
        if hangs_on:
            seat.reserve, seat.scarce = 0.0, True
            seat.row = min(hangs_on)
        elif seat.reserve:
            for row in seat.share_own:
                reserve[row] += seat.reserve
    budget.layout.climb(reserve)
    return reserve


def _keep_free_for_one(room: list[float], sharing: Sequence[Seat], budget: Budget, sums: Sums) -> None:
    """Take one fallback out of rows where not even the fallbacks fit, so that it fits beside those with a place.

    Who has no place may go to its fallback by itself (it reboots, its vehicle is changed). The margin serves as well.
    """
    largest: dict[int, float] = {}
    for seat in sharing:
        if seat.scarce:
            rows, amps = seat.share_rows, min(seat.reserved, seat.lower)
            for row in rows:
                largest[row] = max(largest.get(row, 0.0), amps * rows.count(row))
    for row, amps in largest.items():
        if sums.reserve[row] > room[row] + ROUNDING_A:
            room[row] -= max(0.0, amps - budget.margin[row])


def _all_fit(room: Sequence[float], reserve: Sequence[float], candidates: Sequence[Seat], budget: Budget) -> bool:
    """Note what each candidate needs; return whether the minima of all fit, and room to restart beside them."""
    needed = [0.0] * len(room)
    for seat in candidates:
        seat.minimum = max(seat.lower, min(seat.reserve, seat.upper))
        extra = seat.minimum - seat.reserve
        if extra > 0.0:
            for row in seat.share_own:
                needed[row] += extra
    budget.layout.climb(needed)
    return all(
        amps <= 0.0 or amps + RESTART_ROOM_A * budget.layout.stride <= left - held
        for amps, left, held in zip(needed, room, reserve, strict=True)
    )


def _candidate(seat: Seat, now: float) -> Candidate:
    remembered = seat.memory
    return Candidate(
        key=seat.connector.connector_id,
        rows=seat.share_rows,
        minimum_a=seat.minimum,
        reserved_a=seat.reserve,
        priority=seat.connector.priority,
        holds_place=remembered.holds_place,
        paused=now - remembered.lost_place_at < PAUSE_HYSTERESIS_S,
        served_s=remembered.served(now),
        since=remembered.came_at,
        untried=not remembered.holds_place and remembered.lost_place_at == -math.inf,
        place_s=now - remembered.place_since if remembered.holds_place else 0.0,
    )


def share_out(snapshot: Snapshot, seats: Mapping[str, Seat], places: Places, budget: Budget, sun: Sun | None) -> None:
    """Set target and reason of everybody who takes part in the sharing."""
    admitted, sated, waiting, woken, held = _sorted_out(seats, places, budget)
    budget.layout.climb(held)
    # A row below zero has nobody admitted in it.
    room = [max(amps - taken, 0.0) for amps, taken in zip(budget.share, held, strict=True)]
    _explain_waiting(waiting, [*admitted, *woken], budget)
    for seat in admitted:
        seat.target = seat.minimum
    weights = _weights(snapshot.site, admitted, snapshot.needs)
    _fill_by_class(room, admitted, weights)
    groups = groups_below(snapshot.site, admitted, SharingRule.FIRST_COME)
    if groups:
        shares_by_arrival(room, admitted, groups)
        # What they leave on some phases is for everybody.
        _fill_by_class(room, admitted, weights)
    left = _hand_out_whole_steps(room, admitted, budget)
    _let_sated_resume(left, sated)
    if sun is not None:
        share_surplus(sun, snapshot.site, left, places.admitted, budget)
    _offer_sleepers_more(left, [seat for seat in (*admitted, *sated) if seat.sleeps])


def _sorted_out(
    seats: Mapping[str, Seat], places: Places, budget: Budget
) -> tuple[list[Seat], list[Seat], list[Seat], list[Seat], list[float]]:
    """Return who has a place, takes nothing, waits for a place and is woken, and what is held in their own circuits."""
    admitted: list[Seat] = []
    sated: list[Seat] = []
    waiting: list[Seat] = []
    woken: list[Seat] = []
    held_back = dict(places.waiting)
    held = [0.0] * len(budget.layout)
    for connector_id, seat in seats.items():
        if seat.fixed is not None:
            if seat.woken:
                woken.append(seat)
            continue
        if connector_id in places.admitted:
            admitted.append(seat)
            amps = seat.reserve - seat.upper
        else:
            amps = seat.reserve
            if seat.wants:
                seat.row = held_back[connector_id]
                waiting.append(seat)
            elif not seat.later and seat.connector.mode is not ChargingMode.SOLAR:
                sated.append(seat)
        if amps > 0.0:
            for row in seat.share_own:
                held[row] += amps
    return admitted, sated, waiting, woken, held


def _explain_waiting(waiting: Sequence[Seat], served: Sequence[Seat], budget: Budget) -> None:
    if not waiting:
        return
    taken = {row for seat in served for row in seat.share_rows}
    for seat in waiting:
        assert seat.row is not None  # noqa: S101 - who waits, waits for a row
        if budget.layout.circuit_of(seat.row) in budget.stale:
            seat.reason = Reason.METER_STALE
        else:
            nobody = budget.why.get(seat.row, Reason.NO_CAPACITY)
            seat.reason = Reason.WAITING_TURN if seat.row in taken else nobody


def _weights(site: SiteModel, admitted: Sequence[Seat], needs: Mapping[str, Need]) -> list[tuple[int, float]]:
    """Return (class, weight) of each vehicle by the rule that holds in its circuit."""
    by_need = weigh_groups(groups_below(site, admitted, SharingRule.NEED), needs)
    weights = []
    for seat in admitted:
        rule = site.rules[seat.connector.circuit_id].rule
        # Who wants less than it could take for now is not to have less of that for it.
        could_take = seat.upper if seat.unplanned is None else seat.unplanned
        weight = 1.0 if rule is SharingRule.EQUAL else could_take
        if rule is SharingRule.NEED:
            weight = by_need[seat.connector.connector_id]
        weights.append((seat.connector.priority if rule is SharingRule.PRIORITY else 0, weight))
    return weights


def _fill_by_class(room: Sequence[float], admitted: Sequence[Seat], weights: Sequence[tuple[int, float]]) -> None:
    """Fill the classes from the highest down, from the targets on; the lower ones keep theirs meanwhile.

    Vehicles that stand on the same rows with the same bounds and weight get the same: they make one claim.
    """
    for priority in sorted({w[0] for w in weights}, reverse=True):
        members: dict[tuple[int, float, float, float], list[Seat]] = {}
        for seat, (of_class, weight) in zip(admitted, weights, strict=True):
            share = seat.target
            if of_class != priority:
                key = (id(seat.share_rows), share, share, 1.0)
            else:
                upper = share if seat.scarce else seat.most
                key = (id(seat.share_rows), share, max(share, upper), weight)
            alike = members.get(key)
            if alike is None:
                members[key] = [seat]
            else:
                alike.append(seat)
        claims = [
            Claim(alike[0].share_rows, lower, upper, weight, len(alike))
            for (_, lower, upper, weight), alike in members.items()
        ]
        shares = fair_shares(room, claims)
        for (_, lower, upper, _), alike, amps, row in zip(
            members, members.values(), shares.amps, shares.bottleneck, strict=True
        ):
            if upper > lower:
                # Who has all that it can take is held back by nothing, be the row full as well.
                held_by = row if amps < upper - ROUNDING_A else None
                for seat in alike:
                    seat.target, seat.row = amps, held_by


def _hand_out_whole_steps(room: Sequence[float], admitted: Sequence[Seat], budget: Budget) -> list[float]:
    """Round shares down to what the chargers know, give what is over step by step, and return what is left."""
    taken = [0.0] * len(room)
    wishes: list[tuple[float, Seat]] = []
    listed = False
    for seat in admitted:
        exact = seat.target
        target = current_below(seat.connector, exact)
        target = max(target, seat.lower)
        seat.target = target
        counted = min(seat.reserve, seat.upper)
        counted = max(counted, target)
        for row in seat.share_own:
            taken[row] += counted
        if seat.row is not None and not seat.scarce:
            wishes.append((exact, seat))
            listed = listed or seat.connector.steps_a is not None
        seat.reason = _why_shared(seat, budget)
    budget.layout.climb(taken)
    left = [amps - given for amps, given in zip(room, taken, strict=True)]
    given = _give_a_step_each(wishes, left)
    while given and listed:
        # Chargers with a list of their own leave more than a step: others may have several of theirs out of it.
        given = _give_a_step_each(wishes, left)
    for _, seat in wishes:
        if seat.target >= seat.most - ROUNDING_A:
            # The last step made it full: nothing holds it back.
            seat.row = None
            seat.reason = _why_shared(seat, budget)
    return left


def _give_a_step_each(wishes: Sequence[tuple[float, Seat]], left: list[float]) -> bool:
    """Give one more step to each seat that has room for it; return whether anybody got one.

    Who has such a limit already comes first, so that left-overs do not wander; then who lost most by rounding.
    """
    queue: list[tuple[bool, float, str, float, Seat]] = []
    for exact, seat in wishes:
        step, limit = step_from(seat.connector, seat.target), seat.bound.limit_a
        has_it = limit is not None and limit >= seat.target + step - ROUNDING_A
        queue.append((not has_it, seat.target - exact, seat.connector.connector_id, step, seat))
    queue.sort(key=lambda wish: wish[:3])
    given = False
    for _, _, _, step, seat in queue:
        if seat.row is not None and left[seat.row] < step:
            continue
        if seat.target + step <= min(seat.upper, seat.takes) + ROUNDING_A and take_out(seat, step, left):
            seat.target += step
            given = True
    return given


def _why_shared(seat: Seat, budget: Budget) -> Reason:
    if seat.row is not None:
        return budget.why.get(seat.row, Reason.SHARED)
    if seat.target < seat.upper - ROUNDING_A and seat.takes < seat.upper:
        return Reason.VEHICLE_TAKES_LESS
    if seat.unplanned is not None and seat.planned is not None:
        return seat.planned.reason
    connector = seat.connector
    if connector.cap_a is not None and connector.cap_a < connector.maximum_a:
        return connector.cap_reason
    return Reason.FULL_POWER


def _let_sated_resume(left: list[float], sated: Sequence[Seat]) -> None:
    """Offer a vehicle that takes nothing its minimum from what is left, so that it can begin again by itself."""
    for seat in sorted(sated, key=lambda s: (s.sleeps, s.memory.came_at, s.connector.connector_id)):
        extra = seat.lower - min(seat.reserve, seat.lower)
        seat.reason = Reason.VEHICLE_TAKES_LESS
        seat.target = seat.lower if take_out(seat, extra - ROUNDING_A, left) else 0.0


def _offer_sleepers_more(left: list[float], sleepers: Sequence[Seat]) -> None:
    """Offer vehicles that sleep more than their minimum where nobody wants it: they may need that to run at all."""
    for seat in sorted(sleepers, key=lambda s: (s.memory.came_at, s.connector.connector_id)):
        seat.reason = Reason.ASLEEP
        offer = min(seat.upper, current_below(seat.connector, WAKE_OFFER_A))
        if offer > seat.target and take_out(
            seat, offer - max(seat.target, min(seat.reserve, offer)) - ROUNDING_A, left
        ):
            seat.target = offer
