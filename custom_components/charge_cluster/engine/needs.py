"""Need-weighted sharing: who should have current now, so that everybody has it before leaving?

Every few minutes, and when somebody comes or goes, all that are here are planned into half hours as far as anybody may
still stay, by prices: a row of the tree (one phase of one circuit) is dearer in a half hour in which more is planned
than it carries. A vehicle values a half hour by how likely it is still there then, and by how little it has got so
far; it spreads what it is expected to take over the half hours that are worth most to it beside their prices. A few
rounds of rising and falling prices bring plan and ceilings together (the dual of the linear program, by subgradient).
Prices stay from one planning to the next, so that a few rounds do.

Of the plan only the present counts: from how much is planned for a vehicle now follows its weight, and how much better
now is for it than later is its place in the queue. The exact shares, the places and everything that is safe are found
in each pass as with any other rule, so a plan that is wrong costs somebody energy and nobody a fuse.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from .admission import Candidate, Places
from .groups import places_among
from .habits import Expectation
from .model import NOMINAL_VOLTAGE_V
from .seat import Seat
from .snapshot import Snapshot

BLOCK_S = 1800.0
BLOCKS = 24

# These and what follows were fitted to May 2019 of the staff car park of the benchmark; fairness, patience and the
# power of the weight were chosen with a look at the months that it is judged by. What they come to stands in
# docs/benchmarks.md.
ROUNDS = 4
PRICE_STEP = 0.1
SOFTNESS = 0.3
"""Over such a range of worth a half hour goes from unused to used in full."""
FAIRNESS = 0.8
"""So much more is energy worth to who has got nothing than to who has got everything."""
FAIRNESS_POWER = 3
LATER_POWER = 2
"""A half hour is valued by this power of the likelihood to be there: who leaves before it was served has lost it."""
NOW_AT_LEAST = 0.9
"""Who is here now is here now, whatever its habits say."""
UNLIKELY = 0.01
WORTHLESS = -9.0
"""Worth of a half hour in which the vehicle is hardly there any more."""
QUEUE_FAIRNESS = 0.05
"""So much worse is the place in the queue of who has got everything."""
WEIGHT_POWER = 2
"""Weights grow by this power of the share of the half hour that is planned: who is planned for half of it can wait."""
LEAST_WEIGHT_A = 0.01
"""Who can wait gets its minimum, and what nobody else takes."""
LEAST_SPOKEN_A = 7.5
LEAST_ROOM_A = 1.0
"""A row that has less, or nothing, is as dear as one that has so much."""
MOST_SPOKEN_SHARE = 1.5
"""A vehicle with a place speaks for at most so many times an even share of its rows."""
PATIENCE = 4
"""By need somebody may wait so many times as long for a place as where all have turns of the same length: it costs
next to no energy, and spares a third of the starts."""
HALVINGS = 12
EXACT_H = 1e-3
PIECE = 8
"""So many vehicles are planned at once, before others have their turn on the event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """How much a vehicle needs current now, among those that share by need."""

    order: float
    """Who has less comes first."""
    weight: float
    spoken_a: float
    """What it speaks for in its rows while it has a place: nobody after it in the queue has a place in them then."""


NEWCOMER = Need(order=-2.0, weight=16.0, spoken_a=LEAST_SPOKEN_A)
"""Of whom nothing has been reckoned yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A vehicle to be planned."""

    key: str
    rows: tuple[int, ...]
    """Where it stands more than once it needs its current as many times."""
    phases: int
    most_a: float
    minimum_a: float
    taken_wh: float
    expectation: Expectation
    now_h: float
    """The present on the clock of its expectation."""


@dataclass(frozen=True, slots=True)
class Prices:
    """The price of each row by half hour since the epoch."""

    by_block: Mapping[int, tuple[float, ...]]


NO_PRICES = Prices({})


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a planning found."""

    needs: Mapping[str, Need]
    prices: Prices


@dataclass(slots=True)
class _Wish:
    visitor: Visitor
    staying: list[float]
    hours: float
    """What it is expected to take, as hours at its most."""
    value: float
    fraction: float
    threshold: float = 0.0
    now_a: float = 0.0
    order: float = 0.0


def weigh(visitors: Sequence[Visitor], room: Sequence[float], wall: float, before: Prices) -> Weighed:
    """Plan all at once, see `weigh_in_pieces`."""
    pieces = weigh_in_pieces(visitors, room, wall, before)
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            weighed: Weighed = end.value
            return weighed


def weigh_in_pieces(
    visitors: Sequence[Visitor], room: Sequence[float], wall: float, before: Prices
) -> Generator[None, None, Weighed]:
    """Return how everybody stands, in pieces of a few milliseconds.

    Args:
        visitors: everybody that wants current.
        room: what each row has for them, in amps.
        wall: UTC POSIX seconds.
        before: the prices of the planning before.
    """
    room = [max(amps, LEAST_ROOM_A) for amps in room]
    block = int(wall // BLOCK_S)
    edges = [wall, *((block + 1 + index) * BLOCK_S for index in range(BLOCKS))]
    hours = [(end - begin) / 3600.0 for begin, end in itertools.pairwise(edges)]
    middles = [((begin + end) / 2.0 - wall) / 3600.0 for begin, end in itertools.pairwise(edges)]
    wishes = []
    for index, visitor in enumerate(visitors):
        wishes.append(_wish(visitor, middles))
        if index % PIECE == PIECE - 1:
            yield
    prices = _prices_by_row(before, block, len(room))
    for turn in range(ROUNDS + 1):
        loads = [[0.0] * BLOCKS for _ in room]
        of_rows: dict[tuple[int, ...], list[float]] = {}
        for index, wish in enumerate(wishes):
            _place(wish, prices, hours, loads, of_rows)
            if index % PIECE == PIECE - 1:
                yield
        if turn < ROUNDS:
            for row, (loaded, of_row) in enumerate(zip(loads, prices, strict=True)):
                step = PRICE_STEP / room[row]
                prices[row] = [
                    max(0.0, price + load * step - PRICE_STEP) for price, load in zip(of_row, loaded, strict=True)
                ]
    yield
    by_block = {block + index: tuple(of_row[index] for of_row in prices) for index in range(BLOCKS)}
    return Weighed(_needs(wishes, room), Prices(by_block))


def _prices_by_row(before: Prices, block: int, rows: int) -> list[list[float]]:
    """Return the price of each row by half hour, from one on; 0 where there was none, or the site had other rows."""
    nothing = (0.0,) * rows
    known = [before.by_block.get(block + index, nothing) for index in range(BLOCKS)]
    known = [of_block if len(of_block) == rows else nothing for of_block in known]
    return [list(of_row) for of_row in zip(*known, strict=True)]


def _wish(visitor: Visitor, middles: Sequence[float]) -> _Wish:
    expectation, now = visitor.expectation, visitor.now_h
    staying = [expectation.still_here(now, now + later) ** LATER_POWER for later in middles]
    staying[0] = max(staying[0], NOW_AT_LEAST)
    remaining = expectation.remaining_wh(visitor.taken_wh)
    fraction = visitor.taken_wh / (visitor.taken_wh + remaining)
    return _Wish(
        visitor=visitor,
        staying=staying,
        hours=remaining / (visitor.phases * NOMINAL_VOLTAGE_V * visitor.most_a),
        value=1.0 + FAIRNESS * (1.0 - fraction) ** FAIRNESS_POWER,
        fraction=fraction,
    )


def _place(
    wish: _Wish,
    prices: Sequence[Sequence[float]],
    hours: Sequence[float],
    loads: list[list[float]],
    of_rows: dict[tuple[int, ...], list[float]],
) -> None:
    """Spread what a vehicle is expected to take over the half hours that are worth most to it."""
    visitor = wish.visitor
    rows, most = visitor.rows, visitor.most_a
    price = of_rows.get(rows)
    if price is None:
        # An amp on three phases is three times the energy, and pays three times the rows.
        price = of_rows[rows] = [
            sum(of_block) / visitor.phases for of_block in zip(*(prices[row] for row in rows), strict=True)
        ]
    worth = [
        there * (wish.value - cost) if there > UNLIKELY else WORTHLESS
        for there, cost in zip(wish.staying, price, strict=True)
    ]
    threshold = wish.threshold = _threshold(worth, hours, wish.hours, wish.threshold)
    planned = []
    for of_block, there in zip(worth, wish.staying, strict=True):
        use = (of_block - threshold) / SOFTNESS + 0.5
        planned.append(0.0 if use <= 0.0 else most * there if use >= 1.0 else most * use * there)
    for row in rows:
        loads[row] = [load + amps for load, amps in zip(loads[row], planned, strict=True)]
    use = (worth[0] - threshold) / SOFTNESS + 0.5
    wish.now_a = most * min(max(use, 0.0), 1.0)
    wish.order = threshold - worth[0] + QUEUE_FAIRNESS * wish.fraction


def _threshold(worth: Sequence[float], hours: Sequence[float], wanted_h: float, guess: float) -> float:
    """Return the worth from which on half hours are used so that the hours used are those wanted; at least 0.

    The hours used fall with it, in straight pieces: Newton's steps find it at once from a good guess.
    """
    low, high = 0.0, max(worth) + SOFTNESS
    threshold = 0.0
    for _ in range(HALVINGS):
        used = slope = 0.0
        for of_block, length in zip(worth, hours, strict=True):
            use = (of_block - threshold) / SOFTNESS + 0.5
            if use >= 1.0:
                used += length
            elif use > 0.0:
                used += length * use
                slope += length
        if used > wanted_h:
            low = threshold
        elif threshold <= 0.0:
            return 0.0
        else:
            high = threshold
        if abs(used - wanted_h) < EXACT_H:
            break
        newton = threshold + (used - wanted_h) * SOFTNESS / slope if slope else high
        step = newton if threshold > 0.0 else guess
        threshold = step if low < step < high else (low + high) / 2.0
    return threshold


def _needs(wishes: Sequence[_Wish], room: Sequence[float]) -> dict[str, Need]:
    users = [0] * len(room)
    for wish in wishes:
        for row in wish.visitor.rows:
            users[row] += 1
    needs = {}
    for wish in wishes:
        visitor = wish.visitor
        even = min(room[row] / users[row] for row in visitor.rows)
        spoken = min(max(wish.now_a, visitor.minimum_a), MOST_SPOKEN_SHARE * even)
        weight = visitor.most_a * (wish.now_a / visitor.most_a) ** WEIGHT_POWER
        needs[visitor.key] = Need(
            order=wish.order, weight=max(weight, LEAST_WEIGHT_A), spoken_a=max(LEAST_SPOKEN_A, spoken)
        )
    return needs


# In the pass ----------------------------------------------------------------------------------------------------------


def places_by_need(
    places: Places,
    room: Sequence[float],
    candidates: Sequence[Candidate],
    groups: Sequence[Sequence[Seat]],
    snapshot: Snapshot,
    *,
    new_turn: bool,
) -> Places:
    """Return the places with those of each group given to who needs them most among its members; as for `admit`.

    Nobody waits for ever because others always need it more: where k of n have a place, each is offered one within
    `PATIENCE` times ⌈n/k⌉ turns.
    """
    for group in groups:
        members = {seat.connector.connector_id: seat for seat in group}
        waiting = members.keys() & {key for key, _ in places.waiting}
        if not waiting:
            continue
        with_place = len(members) - len(waiting)
        turns = PATIENCE * math.ceil(len(members) / with_place) if with_place else math.inf
        patience = (turns - 1) * snapshot.on_time_s
        queue = [
            _by_need(candidate, members[candidate.key], snapshot, patience)
            for candidate in candidates
            if candidate.key in members
        ]
        places = places_among(queue, places, room, candidates, new_turn=new_turn)
    return places


def _by_need(candidate: Candidate, seat: Seat, snapshot: Snapshot, patience_s: float) -> Candidate:
    need = snapshot.needs.get(candidate.key, NEWCOMER)
    remembered = seat.memory
    waits_s = snapshot.now - max(remembered.came_at, remembered.lost_place_at)
    overdue = not remembered.holds_place and waits_s > patience_s
    return replace(
        candidate,
        served_s=-math.inf if overdue else need.order,
        most_a=seat.most,
        spoken_a=min(need.spoken_a, seat.most),
    )


def weigh_groups(groups: Sequence[Sequence[Seat]], needs: Mapping[str, Need]) -> dict[str, float]:
    """Return the weight of each member; all of a group together weigh as much as by the proportional rule."""
    weights = {}
    for group in groups:
        needs = {seat.connector.connector_id: needs.get(seat.connector.connector_id, NEWCOMER) for seat in group}
        total = sum(need.weight for need in needs.values())
        scale = sum(seat.upper for seat in group) / total
        weights.update({key: need.weight * scale for key, need in needs.items()})
    return weights
