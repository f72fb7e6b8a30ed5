"""Phase switching: which vehicles charge on one phase for a while, so that more of them have a place?

A vehicle that is told its minimum on three phases takes it from three rows. Where the minima of all do not fit, one
that uses its first phase alone frees two of them; where three times the minimum does not fit below a small budget, one
phase may. So a switch is worth it where a vehicle that waits gets a place by it, be it another's or its own. A vehicle
goes back to three phases when nobody waits, there has been room for that a while, and it then gets more than now.

Each switch costs a pause of the vehicle and wears contactors: a session has few of them, and not one after the other.
This decides about the future only. Worst cases count all phases until one is measured, see `guard`, so a vehicle begins
on one phase only where its minimum still fits on three.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from .admission import RESTART_ROOM_A, Places
from .allocation import ROUNDING_A, Claim, InfeasibleError, fair_shares
from .budget import Budget
from .model import PHASES, Connector, Reason, VehicleState
from .phase_use import ALL_PHASES, SEEN_WITHIN_S, PhaseUse, begin, counts_on_one, shares_on_one
from .rows import Layout
from .seat import Seat, Sums
from .snapshot import Memory, Snapshot

MOST_SWITCHES = 4
"""In one session: there and back twice. Some cars take a change once only, and contactors wear."""

SWITCHES_APART_S = 600.0
"""A session is not switched again sooner than this."""

WAITS_FOR_S = 30.0
"""Nobody is switched for one that has waited for less: shares move for a while after each vehicle that comes."""

ROOM_FOR_S = 300.0
"""A vehicle goes back to three phases after there has been room for that for so long."""

ROOM_BESIDE_A = 1.0
"""So much more than the minimum is room."""

GAINS_A = 2.0
"""Going back is worth a pause where what all vehicles get, as a sum over the phases, grows by more than this."""

LOOKED_AGAIN_S = 30.0
"""So often what would be gained is reckoned: it costs as much as sharing."""

WAITERS_LOOKED_AT = 5
"""Room is sought for so many that wait, in the order of their turn, in each pass."""

_PLACELESS = frozenset({Reason.WAITING_TURN, Reason.NO_CAPACITY, Reason.EXTERNAL_CAP, Reason.DEMAND})
"""Why one waits whom a switch may help."""


def stand_on_phases(seat: Seat, layout: Layout, now: float, *, awaited: bool) -> None:
    """Put the seat of a vehicle whose phases were switched on the rows that it counts in.

    `awaited`: its charge point has not had the time to dial in, and nobody is to pay for that.
    """
    connector, bound, use = seat.connector, seat.bound, seat.memory.phase_use
    heard = bound.online and seat.facts.vehicle in {VehicleState.WANTS, VehicleState.SATED}
    able = connector.can_switch_phases
    seen = able and heard and counts_on_one(use, bound)
    # Which phases its vehicle uses of three was not learned while it was told to use one.
    known = seat.memory.appetite.proved_phases if heard and not use.one else None
    seat.own, seat.rows, seat.idle_own = _places(layout, connector, known, seat.fallback, on_one=seen)
    planned = able and (heard or awaited) and shares_on_one(use, bound, now)
    seat.share_own, seat.share_rows, seat.share_idle_own = _places(
        layout, connector, known, seat.fallback, on_one=planned
    )
    seat.kinds = len(set(seat.share_rows))
    seat.still = False
    seat.one_phase = use.one
    seat.pauses = use.pauses_since is not None
    began = bound.limit_a is not None and bound.limit_a >= seat.lower
    seat.moves = seat.pauses or (not began and now < use.decided_at + SEEN_WITHIN_S)
    if seat.pauses or (use.one and not seen):
        # It begins with its minimum, and has no more until what it draws has been seen.
        seat.upper = min(seat.upper, max(seat.lower, bound.limit_a or 0.0))


def _places(
    layout: Layout, connector: Connector, known: tuple[int, ...] | None, fallback: float, *, on_one: bool
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return its own rows, all of them, and those that a fallback would use besides.

    It is never taken to load its phases alike: its charge point may switch later than it says.
    """
    phases = connector.phases[:1] if on_one else known or connector.phases
    own, rows = layout.rows_of(connector.circuit_id, phases, balanced=False)
    others = tuple(phase for phase in connector.phases if phase not in phases)
    if not others or fallback <= 0.0:
        return own, rows, ()
    return own, rows, layout.rows_of(connector.circuit_id, others, balanced=False)[0]


def switch_phases(  # noqa: PLR0917 - the sum of the stages before
    snapshot: Snapshot, memory: Memory, seats: Mapping[str, Seat], places: Places, budget: Budget, sums: Sums
) -> None:
    """Decide who changes the number of phases, and have those pause that are about to."""
    able = [seats[key] for key in snapshot.site.switching]
    for seat in able:
        if seat.pauses and seat.fixed is None and seat.target > 0.0:
            seat.target, seat.reason, seat.row = 0.0, Reason.PHASE_SWITCH, None
    if snapshot.starting:
        return
    if places.waiting:
        for seat in able:
            _note_room(seat, None)
        if any(seat.moves for seat in able):
            # Whether there are enough places then is seen when they have been given.
            return
        _give_places(snapshot, seats, able, places, budget, sums)
    elif any(seat.one_phase for seat in able):
        look = memory.at is None or memory.at // LOOKED_AGAIN_S != snapshot.now // LOOKED_AGAIN_S
        _go_back(snapshot, seats, able, places, budget, look=look)


def _may_switch(seat: Seat, now: float) -> bool:
    """Return whether a vehicle may be switched at all now."""
    use, bound, connector = seat.memory.phase_use, seat.bound, seat.connector
    tested = connector.cap_a is not None and connector.cap_reason is Reason.COMMISSIONING
    return (
        seat.fixed is None
        and not tested
        and seat.wants
        and not seat.sleeps
        and not use.unable
        and use.pauses_since is None
        and use.switches < MOST_SWITCHES
        and now - use.decided_at >= SWITCHES_APART_S
        and seat.facts.transaction is not None
        and not seat.facts.outstanding
        and not bound.in_flight
        and bound.limit_a is not None
        and bool(bound.draws)
    )


def _may_leave_three(seat: Seat, now: float) -> bool:
    """Return whether a vehicle that may take all phases may be told to use one."""
    known = seat.memory.appetite.phases
    takes_all = known is None or len(known) == len(PHASES)
    return takes_all and not seat.memory.phase_use.one and _may_switch(seat, now)


# To one phase ---------------------------------------------------------------------------------------------------------


def _give_places(  # noqa: PLR0917 - the sum of the stages before
    snapshot: Snapshot,
    seats: Mapping[str, Seat],
    able: Sequence[Seat],
    places: Places,
    budget: Budget,
    sums: Sums,
) -> None:
    """Switch whom it takes to give those a place that wait."""
    now, layout = snapshot.now, budget.layout
    holders = [seat for seat in able if seat.connector.connector_id in places.admitted and _may_leave_three(seat, now)]
    holders.sort(key=lambda s: (s.memory.phase_use.switches, -s.memory.served(now), s.connector.connector_id))
    left = _left(seats.values(), budget, {key: seats[key].minimum for key in places.admitted})
    slack = [proved - worst for proved, worst in zip(budget.prove, sums.worst, strict=True)]
    for key, _ in places.waiting[:WAITERS_LOOKED_AT]:
        waiter = seats[key]
        waits_since = max(waiter.memory.came_at, waiter.memory.lost_place_at)
        if waiter.reason not in _PLACELESS or now - waits_since < WAITS_FOR_S:
            continue
        needs = _times(Counter(waiter.share_rows), waiter.minimum - waiter.reserve + RESTART_ROOM_A)
        if waiter.connector.can_switch_phases and _may_leave_three(waiter, now):
            on_one = _times(_first_rows(waiter, layout), waiter.minimum - waiter.reserve + RESTART_ROOM_A)
            begins = _times(Counter(waiter.rows), max(0.0, waiter.lower - waiter.worst))
            if _fits(on_one, left) and _fits(begins, slack):
                _begin(waiter, now)
                _take(on_one, left)
                _take(begins, slack)
                continue
        chosen = _who_frees(needs, waiter, holders, left, layout)
        for seat in chosen:
            _begin(seat, now)
            holders.remove(seat)
            _take(_change(seat, layout), left)
        if chosen:
            _take(needs, left)


def _who_frees(
    needs: Mapping[int, float], waiter: Seat, holders: Sequence[Seat], left: Sequence[float], layout: Layout
) -> list[Seat]:
    """Return who has to leave two of its phases for a waiter to have its minimum; nobody where that is not enough."""
    after = list(left)
    chosen: list[Seat] = []
    for seat in holders:
        missing = {row for row, amps in needs.items() if after[row] < amps - ROUNDING_A}
        if not missing:
            break
        if seat.connector.priority > waiter.connector.priority:
            continue
        change = _change(seat, layout)
        frees = any(amps < 0.0 for row, amps in change.items() if row in missing)
        if frees and all(amps <= 0.0 or after[row] >= amps - ROUNDING_A for row, amps in change.items()):
            chosen.append(seat)
            _take(change, after)
    return chosen if chosen and _fits(needs, after) else []


def _change(seat: Seat, layout: Layout) -> dict[int, float]:
    """Return by how much more the minimum of a vehicle takes of each row when it leaves two phases."""
    before, after = Counter(seat.share_rows), _first_rows(seat, layout)
    # The next vehicle may begin at the fallback on the phases that this one leaves.
    kept = min(seat.minimum, seat.reserved)
    rows = before.keys() | after.keys()
    return {
        row: seat.minimum * (after[row] - before[row]) + kept * max(0, before[row] - after[row])
        for row in rows
        if after[row] != before[row]
    }


# Back to three --------------------------------------------------------------------------------------------------------


def _go_back(
    snapshot: Snapshot, seats: Mapping[str, Seat], able: Sequence[Seat], places: Places, budget: Budget, *, look: bool
) -> None:
    """Let vehicles use all of their phases again where there has been room for that a while."""
    now, layout = snapshot.now, budget.layout
    left = _left(seats.values(), budget, {key: seats[key].minimum for key in places.admitted})
    ready: list[Seat] = []
    for seat in able:
        if not seat.one_phase or seat.pauses:
            continue
        connector = seat.connector
        more = Counter(_all_rows(seat, layout))
        more.subtract(_first_rows(seat, layout))
        needs = _times(+more, max(0.0, seat.lower - seat.reserved) + ROOM_BESIDE_A)
        held = connector.connector_id in places.admitted
        if not held or not _may_switch(seat, now) or not _fits(needs, left):
            _note_room(seat, None)
            continue
        _take(needs, left)
        since = seat.memory.phase_use.room_since
        if since is None:
            _note_room(seat, now)
        elif now - since >= ROOM_FOR_S:
            ready.append(seat)
    if ready and look and _gain_a(ready, seats, places, budget) > GAINS_A:
        for seat in ready:
            _begin(seat, now)


def _gain_a(ready: Sequence[Seat], seats: Mapping[str, Seat], places: Places, budget: Budget) -> float:
    """Return how much more all vehicles get, as a sum over the phases, when some have all of their phases again."""
    admitted = [seats[key] for key in places.admitted]
    room = _left((seat for key, seat in seats.items() if key not in places.admitted), budget, {})
    room = [max(amps, 0.0) for amps in room]
    back = {id(seat) for seat in ready}
    now = [_claim(seat, seat.share_rows) for seat in admitted]
    then = [_claim(s, _all_rows(s, budget.layout) if id(s) in back else s.share_rows) for s in admitted]
    try:
        return _on_all_phases(then, room, budget.layout) - _on_all_phases(now, room, budget.layout)
    except InfeasibleError:
        # There is room for each, and not for what is reserved besides.
        return 0.0


def _claim(seat: Seat, rows: tuple[int, ...]) -> Claim:
    return Claim(rows, seat.minimum, max(seat.minimum, seat.most), max(seat.upper, 1.0))


def _on_all_phases(claims: Sequence[Claim], room: Sequence[float], layout: Layout) -> float:
    shares = fair_shares(room, claims)
    below = len(PHASES)
    phases = (len({row % layout.stride for row in claim.rows if row % layout.stride < below}) for claim in claims)
    return sum(amps * count for amps, count in zip(shares.amps, phases, strict=True))


# Rows -----------------------------------------------------------------------------------------------------------------


def _left(seats: Iterable[Seat], budget: Budget, counted: Mapping[str, float]) -> list[float]:
    """Return what is left per row beside what everybody that takes part in the sharing counts at."""
    held = [0.0] * len(budget.layout)
    for seat in seats:
        if seat.fixed is None:
            amps = max(seat.reserve, counted.get(seat.connector.connector_id, 0.0))
            if amps:
                for row in seat.share_own:
                    held[row] += amps
    budget.layout.climb(held)
    return [amps - taken for amps, taken in zip(budget.share, held, strict=True)]


def _all_rows(seat: Seat, layout: Layout) -> tuple[int, ...]:
    connector = seat.connector
    return layout.rows_of(connector.circuit_id, connector.phases, balanced=False)[1]


def _first_rows(seat: Seat, layout: Layout) -> Counter[int]:
    connector = seat.connector
    return Counter(layout.rows_of(connector.circuit_id, connector.phases[:1], balanced=False)[1])


def _times(counts: Mapping[int, int], amps: float) -> dict[int, float]:
    return {row: count * amps for row, count in counts.items()}


def _fits(needs: Mapping[int, float], left: Sequence[float]) -> bool:
    return all(left[row] >= amps - ROUNDING_A for row, amps in needs.items())


def _take(needs: Mapping[int, float], left: list[float]) -> None:
    for row, amps in needs.items():
        left[row] -= amps


def _begin(seat: Seat, now: float) -> None:
    _remember(seat, begin(seat.memory.phase_use, now))


def _note_room(seat: Seat, since: float | None) -> None:
    use = seat.memory.phase_use
    if use.room_since != since:
        _remember(seat, replace(use, room_since=since))


def _remember(seat: Seat, use: PhaseUse) -> None:
    seat.memory = replace(seat.memory, phase_use=use)
    # The next pass has to look at it again, though nothing was heard of it.
    seat.still = False


# Raises ---------------------------------------------------------------------------------------------------------------


def keep_room(switching: Iterable[str], seats: Mapping[str, Seat], slack: list[float], layout: Layout) -> None:
    """Take from what increases rest on what those need to begin again whose phases change; they may need all three."""
    for key in switching:
        seat = seats[key]
        if not seat.moves or seat.memory.phase_use is ALL_PHASES:
            continue
        counted = Counter(seat.rows)
        standing = Counter(_all_rows(seat, layout))
        for row, count in standing.items():
            more = seat.lower * count - seat.worst * counted[row]
            if more > 0.0 and slack[row] > 0.0:
                slack[row] = max(0.0, slack[row] - more)
