"""Guard stage: which raises may go out now, given what may still flow?

A share is a decision about the future; a raise has to fit beside everything that may be drawn at this very moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .allocation import ROUNDING_A, Claim, fair_shares
from .budget import Budget
from .guard import MEASURING_TOLERANCE_A, DrawBound
from .model import MeterScope, VehicleState
from .observing import PLUGGED_IN
from .phase_switching import keep_room
from .rows import Layout
from .seat import Seat, Sums
from .snapshot import Snapshot
from .steps import current_below, step_from

SMALL_RAISE_A = 2.0
SMALL_RAISE_AFTER_S = 30.0
"""A raise smaller than the first waits until the limit has stood for the second: it spares contactors and cars."""

RAISE_AFTER_S = 5.0
"""A limit is not raised sooner than this after it changed: IEC 61851-1 gives a car 5 s to follow."""

FIRST_REPORT_S = 12.0
"""A charge point whose limit is not known says within this what it draws: it is asked, and it samples every 10 s."""


@dataclass(frozen=True, slots=True)
class Raises:
    """What may rise now."""

    limits: Mapping[str, float]
    """Connector → amps per phase."""
    fallbacks: tuple[str, ...] = ()
    """Connectors whose fallback may be stored, though it is higher than the one before."""


def safe_raises(snapshot: Snapshot, seats: Mapping[str, Seat], budget: Budget, sums: Sums) -> Raises:
    """Return the raises that are safe now."""
    if snapshot.starting:
        return Raises({})
    slack = [amps - worst for amps, worst in zip(budget.prove, sums.worst, strict=True)]
    fallbacks = _fallbacks_with_room(slack, seats, budget.layout)
    now = snapshot.now
    if snapshot.site.switching:
        moving = [key for key in snapshot.site.switching if not _may_rise(seats[key], now)]
        keep_room(moving, seats, slack, budget.layout)
    wishes = [seat for seat in seats.values() if seat.fixed is None and _may_rise(seat, now)]
    if not wishes:
        return Raises({}, fallbacks)
    wishes.sort(
        key=lambda s: (
            not s.moves,
            -s.connector.priority,
            s.memory.served(now),
            s.memory.came_at,
            s.connector.connector_id,
        )
    )
    returns = _returns(wishes, slack, seats, budget)
    return Raises(_limits(wishes, slack, now) | returns, fallbacks)


def _fallbacks_with_room(slack: list[float], seats: Mapping[str, Seat], layout: Layout) -> tuple[str, ...]:
    """Return whose fallback may be raised; `slack` is what is left after that.

    What is told to a connector may have run out into the fallback, so that a higher one is a raise when it is stored.
    """
    found = []
    for connector_id, seat in seats.items():
        stored, wanted = seat.bound.fallback_a, seat.connector.fallback_a
        if stored is None or wanted <= stored or not seat.bound.online:
            continue
        rows = layout.rows_of(seat.connector.circuit_id, seat.connector.phases, balanced=False)[1]
        # On phases that its vehicle does not use it counts at the fallback alone.
        extra = wanted - (min(seat.worst, wanted) if rows == seat.rows else seat.fallback)
        if all(slack[row] >= extra * rows.count(row) - ROUNDING_A for row in rows):
            found.append(connector_id)
            for row in rows:
                slack[row] -= extra
    return tuple(found)


def _returns(
    wishes: Sequence[Seat], slack: Sequence[float], seats: Mapping[str, Seat], budget: Budget
) -> dict[str, float]:
    """Return who may rise to what it counts at anyhow where a row is committed beyond its ceiling.

    A charger that disobeys, or a base load above the declared worst, takes the room of the fallbacks: what everybody
    would draw by itself fits no more, whatever is told to whom. To pause all for that would only punish them. So a
    vehicle may have its fallback again as long as what is *led* fits: limits that are renewed all the time hold, and
    one that ends without us (a charger reboots, a vehicle is changed) is reserved for, within the margin.
    """
    within = [
        seat
        for seat in wishes
        if seat.worst >= max(seat.lower, seat.target) - ROUNDING_A and any(slack[row] < 0.0 for row in seat.rows)
    ]
    if not within:
        return {}
    left, ends = _beside_the_led(seats, budget, {row for seat in within for row in seat.rows})
    returns: dict[str, float] = {}
    for seat in within:
        key, rows = seat.connector.connector_id, seat.rows
        extra = seat.next_target - _led_a(seat)
        if all(
            left[row] + min(0.0, budget.margin[row] - _most_that_ends(ends[row], returns, key))
            >= extra * rows.count(row) - ROUNDING_A
            for row in rows
        ):
            for row in rows:
                left[row] -= extra
            returns[key] = seat.next_target
    return returns


def _beside_the_led(
    seats: Mapping[str, Seat], budget: Budget, rows: set[int]
) -> tuple[list[float], dict[int, list[tuple[float, str]]]]:
    """Return what each row has left beside what flows while limits hold, and by how much the end of each adds to it."""
    layout = budget.layout
    led = [0.0] * len(layout)
    ends: dict[int, list[tuple[float, str]]] = {row: [] for row in rows}
    for connector_id, seat in seats.items():
        is_led = _is_led(seat)
        amps = _led_a(seat) if is_led else seat.worst
        for row in seat.own:
            led[row] += amps
        if not is_led:
            for row in seat.idle_own:
                led[row] += seat.fallback
            continue
        connector = seat.connector
        standing = layout.rows_of(connector.circuit_id, connector.phases, balanced=False)[1]
        for row in rows.intersection(standing):
            more = seat.fallback * standing.count(row) - amps * seat.rows.count(row)
            if more > 0.0:
                ends[row].append((more, connector_id))
    layout.climb(led)
    for row_ends in ends.values():
        row_ends.sort()
    return [proved - held for proved, held in zip(budget.prove, led, strict=True)], ends


def _most_that_ends(ends: list[tuple[float, str]], risen: Mapping[str, float], rising: str) -> float:
    """Return the most that the end of one limit adds; those that have risen, and the one that would, add nothing."""
    while ends and ends[-1][1] in risen:
        ends.pop()
    at = -2 if ends and ends[-1][1] == rising else -1
    return ends[at][0] if len(ends) >= -at else 0.0


def _led_a(seat: Seat) -> float:
    """Return the most that it draws per phase while its limit holds."""
    return max(seat.bound.held_a, *seat.bound.in_flight, 0.0)


def _is_led(seat: Seat) -> bool:
    """Return whether a limit of its transaction holds it, which ends sooner than announced by an event of its own only.

    One that runs out is announced: its renewal at a third of the validity is not answered, and it counts in full.
    """
    facts = seat.facts
    known = seat.bound.limit_a is not None and facts.transaction is not None
    return seat.fixed is None and known and facts.vehicle in PLUGGED_IN


def _limits(wishes: Sequence[Seat], slack: list[float], now: float) -> dict[str, float]:
    """Return the limits that may be raised beside all that may flow: connector → amps per phase."""
    rising = _with_room_to_rise(slack, wishes)
    if not rising:
        return {}
    members: dict[tuple[int, float, float, float], list[Seat]] = {}
    for seat in rising:
        floor = max(seat.worst, seat.lower)
        # What it counts at already stays its own; beyond that it shares what is left.
        key = (id(seat.rows), floor, max(seat.next_target, floor), max(seat.upper, 1.0))
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
            granted = min(current_below(seat.connector, amps), seat.next_target)
            if _is_worth_it(seat, granted, now):
                raises[seat.connector.connector_id] = granted
    return raises


def _with_room_to_rise(slack: list[float], wishes: Sequence[Seat]) -> list[Seat]:
    """Return who can have at least its minimum, in queue order; `slack` is what is left after that."""
    rising: list[Seat] = []
    for seat in wishes:
        rows = seat.rows
        extra = max(seat.worst, seat.lower) - seat.worst
        # A row that is committed beyond its ceiling lets nobody rise here, not even to what is counted already.
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
        and seat.next_target > limit + ROUNDING_A
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
    if granted < seat.lower - ROUNDING_A or gain < step_from(seat.connector, limit) - ROUNDING_A:
        return False
    return gain >= SMALL_RAISE_A or now - seat.bound.changed_at >= SMALL_RAISE_AFTER_S


def unproved_limits(snapshot: Snapshot, seats: Mapping[str, Seat], budget: Budget, sums: Sums) -> dict[str, float]:
    """Return what connectors are told of which it is not known what limit is in force, as amps per phase.

    One whose last order got no answer counts at the highest of what may be in force, so that its minimum is no increase
    of what was proved to fit. Where no more fits at all it is asked again for what it was asked for last.

    Those whose limit was never known count at all that their hardware can, which fits nowhere; what truly flows may be
    nothing. So the first limit is no more than what flows, and 0 A where that is less than the minimum. Where nobody
    measured it yet it goes on as it did without us for a moment, unless more flows than may.
    """
    limits: dict[str, float] = {}
    for connector_id, seat in seats.items():
        bound = seat.bound
        if bound.limit_a is not None:
            if seat.unproved:
                amps = min(seat.target, seat.lower)
                if not _fits(seat, budget, sums):
                    amps = min(amps, bound.in_flight[-1])
                limits[connector_id] = seat.target = amps
            continue
        if seat.facts.vehicle is VehicleState.ABSENT and not seat.unproved:
            continue
        seen = bool(bound.draws) and bound.unseen_since is None
        drawn = max(bound.draws[-1].amps) + MEASURING_TOLERANCE_A if seen else 0.0
        flows = current_below(seat.connector, drawn)
        if _fits(seat, budget, sums):
            limits[connector_id] = min(seat.target, max(seat.lower, flows))
        elif seen and flows >= seat.lower:
            limits[connector_id] = min(seat.target, flows)
        elif seen or not seat.target or _has_waited(snapshot, seat) or _overloaded(snapshot, seat):
            limits[connector_id] = 0.0
    return limits


def _fits(seat: Seat, budget: Budget, sums: Sums) -> bool:
    """Return whether all that may flow in the rows of a connector is within what increases may rest on."""
    return all(sums.worst[row] <= budget.prove[row] + ROUNDING_A for row in seat.rows)


def _has_waited(snapshot: Snapshot, seat: Seat) -> bool:
    return snapshot.now - seat.facts.since >= FIRST_REPORT_S


def _overloaded(snapshot: Snapshot, seat: Seat) -> bool:
    """Return whether a meter above shows more than may flow, or cannot show it."""
    for circuit_id in snapshot.site.paths[seat.connector.circuit_id]:
        if circuit_id not in snapshot.meters or circuit_id in snapshot.unheard:
            continue
        circuit, reading = snapshot.site.circuits[circuit_id], snapshot.meters[circuit_id]
        if reading is None or reading.scope is not MeterScope.EVERYTHING:
            return True
        if any(amps > rating for amps, rating in zip(reading.amps, circuit.rating_a, strict=True)):
            return True
    return False
