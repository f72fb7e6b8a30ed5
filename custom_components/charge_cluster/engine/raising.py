"""Guard stage: which raises may go out now, given what may still flow?

A share is a decision about the future; a raise has to fit beside everything that may be drawn at this very moment.
"""

from __future__ import annotations

from collections.abc import Mapping

from .allocation import ROUNDING_A, Claim, fair_shares
from .budget import Budget
from .guard import DrawBound
from .seat import Seat, Sums, whole_steps_below
from .snapshot import Snapshot

SMALL_RAISE_A = 2.0
SMALL_RAISE_AFTER_S = 30.0
"""A raise smaller than the first waits until the limit has stood for the second: it spares contactors and cars."""

RAISE_AFTER_S = 5.0
"""A limit is not raised sooner than this after it changed: IEC 61851-1 gives a car 5 s to follow."""


def safe_raises(snapshot: Snapshot, seats: Mapping[str, Seat], budget: Budget, sums: Sums) -> dict[str, float]:
    """Return the raises that are safe now: connector → amps per phase."""
    if snapshot.starting:
        return {}
    now = snapshot.now
    wishes = [seat for seat in seats.values() if seat.fixed is None and _may_rise(seat, now)]
    if not wishes:
        return {}
    slack = [amps - worst for amps, worst in zip(budget.prove, sums.worst, strict=True)]
    rising = _with_room_to_rise(slack, wishes, now)
    if not rising:
        return {}
    members: dict[tuple[int, float, float, float], list[Seat]] = {}
    for seat in rising:
        floor = max(seat.worst, seat.lower)
        # What it counts at already stays its own; beyond that it shares what is left.
        key = (id(seat.rows), floor, max(seat.target, floor), max(seat.upper, 1.0))
        members.setdefault(key, []).append(seat)
    claims: list[Claim] = []
    room = slack
    for (_, floor, most, weight), alike in members.items():
        claims.append(Claim(alike[0].rows, floor, most, weight, len(alike)))
        for row in alike[0].rows:
            room[row] += floor * len(alike)
    shares = fair_shares([max(amps, 0.0) for amps in room], claims)
    raises = {}
    for alike, amps in zip(members.values(), shares.amps, strict=True):
        for seat in alike:
            granted = min(whole_steps_below(amps, seat.connector.step_a), seat.target)
            if _is_worth_it(seat, granted, now):
                raises[seat.connector.connector_id] = granted
    return raises


def _with_room_to_rise(slack: list[float], wishes: list[Seat], now: float) -> list[Seat]:
    """Return who can have at least its minimum, in queue order; `slack` is what is left after that."""
    wishes.sort(key=lambda s: (-s.connector.priority, s.memory.served(now), s.facts.since, s.connector.connector_id))
    rising: list[Seat] = []
    for seat in wishes:
        rows = seat.rows
        extra = max(seat.worst, seat.lower) - seat.worst
        # A row that is committed beyond its ceiling lets nobody rise, not even to what is counted already.
        if any(slack[row] < extra * rows.count(row) - ROUNDING_A for row in rows):
            continue
        if extra:
            for row in rows:
                slack[row] -= extra
        rising.append(seat)
    return rising


def _may_rise(seat: Seat, now: float) -> bool:
    limit = seat.bound.limit_a
    return (
        limit is not None
        and seat.target > limit + ROUNDING_A
        and not seat.bound.in_flight
        and now >= seat.facts.retry_at
        and now - seat.bound.changed_at >= RAISE_AFTER_S
        and (now >= seat.facts.starts_at or limit >= seat.lower)
        and _settled(seat.bound, now)
    )


def _settled(bound: DrawBound, now: float) -> bool:
    """Return whether the last change is over: measured since, or long enough ago."""
    if now - bound.changed_at >= bound.follows_within_s:
        return True
    return bool(bound.draws) and bound.draws[-1].at > bound.changed_at and bound.limit_a == 0.0


def _is_worth_it(seat: Seat, granted: float, now: float) -> bool:
    limit = seat.bound.limit_a or 0.0
    gain = granted - limit
    if granted < seat.lower - ROUNDING_A or gain < seat.connector.step_a - ROUNDING_A:
        return False
    return gain >= SMALL_RAISE_A or now - seat.bound.changed_at >= SMALL_RAISE_AFTER_S
