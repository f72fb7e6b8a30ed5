"""Shadow prices: what a row of a circuit is worth in a slot, so that everybody who follows them fits in.

A row that too many want is dearer until some of them go elsewhere, by the dual of the linear programme: minimum cost
under all ceilings, with what is not given as dear as a few times the spread of the prices. Given the prices of all
rows each vehicle takes its cheapest slots by itself, on several phases too, so a round costs one look at each vehicle
and block. The *volume algorithm* (Barahona & Anbil, "The volume algorithm: producing primal solutions with a
subgradient method", 2000) moves the prices along the overload of an average of all rounds and not of the last alone;
that average becomes the plan. Its step is Polyak's, towards what the greedy plan costs.

Slots that follow each other at one price make one block, so that hourly prices cost a quarter of the work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .plan_flow import Car, Kind

ROUNDS = 80
ROUNDS_OF_FEW = 140
FEW = 60
"""So many vehicles make rounds that cost next to nothing."""
KEPT = 0.5
"""Of this share of the rounds, the last ones, the mean is kept for who takes what."""
FIRST_PACE = 0.2
MOST_PACE = 2.0
FASTER = 1.1
SLOWER = 0.66
PATIENCE = 3
"""So many rounds without better prices make the pace slower."""
LEAST_PART = 0.1
"""Of the newest round in the average."""
CLOSE = 0.001
"""Prices whose bound is so near to the cost of a plan are good enough."""
SHORTAGE_SPREADS = 2.0
"""What is not given is dearer than the dearest slot by so many times the spread of the prices."""
WORST_OFF = 0.5
"""So much dearer is what a vehicle lacks that has got nothing yet than what one lacks that has got nearly all."""
PEAK_LASTS_H = 2.0
"""A peak is raised for what is needed for so long."""
NOTHING = 1e-12
LONGEST_BLOCK = 4
MOST_BLOCKS = 48
SAME_PRICE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """What the highest power of all costs."""

    row: int
    """The row of the sum of all phases."""
    price: float
    """Of an amp more, in every slot that needs it, for the whole of the time."""
    hours: Sequence[float]
    """Of each slot."""
    most: float
    """So many amps more are ever needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """What the rounds have found."""

    prices: Sequence[Sequence[float]]
    """For each kind and slot: the price with those of the rows."""
    shares: Sequence[Sequence[float]]
    """For each vehicle and slot: how much it took of what it could, 0 to 1, on average."""
    raised: float
    """Amps by which the peak is raised."""


def shortage_price(price: Sequence[float]) -> float:
    """Return the price of what a vehicle of weight 1 lacks that has got nearly all."""
    dearest = max(price, default=0.0)
    return dearest + SHORTAGE_SPREADS * (dearest - min(price, default=0.0)) + 0.01 * abs(dearest) + 1e-3


def lacking_price(car: Car, price: Sequence[float], peak: Peak | None) -> float:
    """Return the price of what a vehicle lacks."""
    share = car.wanted / car.in_all
    dearest = max(price, default=0.0) + (max(car.risk) if car.risk else 0.0)
    above = shortage_price(price) - max(price, default=0.0) + (peak.price / PEAK_LASTS_H if peak else 0.0)
    return dearest + above * car.weight * (1.0 + WORST_OFF * share)


def guide(
    kinds: Sequence[Kind],
    cars: Sequence[Car],
    room: Sequence[Sequence[float]],
    price: Sequence[float],
    *,
    known: float,
    peak: Peak | None,
    enough: Callable[[], bool],
) -> Guide:
    """Return prices that bring everybody below the ceilings, and what they take by them.

    Args:
        kinds: where vehicles stand.
        cars: the vehicles.
        room: what each row has, slot by slot, in ampere-hours.
        price: of each slot.
        known: what a plan costs that fits, with what it lacks.
        peak: what the highest power costs; None: nothing.
        enough: whether the prices have to do as they are.
    """
    rounds = _Rounds(kinds, cars, room, price, peak)
    most = ROUNDS_OF_FEW if len(cars) <= FEW else ROUNDS
    for turn in range(most):
        if enough() or rounds.turn(turn, known, keep=turn >= KEPT * most):
            break
    return rounds.guide()


def blocks_of(price: Sequence[float]) -> list[range]:
    """Return the slots in blocks of one price, or, where they are too many, in blocks of equal length."""
    blocks: list[range] = []
    for slot, of_slot in enumerate(price):
        if blocks:
            last = blocks[-1]
            if len(last) < LONGEST_BLOCK and abs(of_slot - price[last.start]) < SAME_PRICE:
                blocks[-1] = range(last.start, slot + 1)
                continue
        blocks.append(range(slot, slot + 1))
    if len(blocks) <= MOST_BLOCKS:
        return blocks
    length = math.ceil(len(price) / MOST_BLOCKS)
    return [range(first, min(first + length, len(price))) for first in range(0, len(price), length)]


@dataclass(slots=True)
class _Taker:
    """A vehicle as the rounds see it."""

    index: int
    wanted: float
    worth: float
    lacking: float
    most: list[float]
    """What it can take in each block; for a kind with something kept: beyond that, and then what is kept."""
    risk: list[float] | None
    sums: list[float]
    """What it took of each in the rounds that count, added up."""


class _Rounds:
    def __init__(
        self,
        kinds: Sequence[Kind],
        cars: Sequence[Car],
        room: Sequence[Sequence[float]],
        price: Sequence[float],
        peak: Peak | None,
    ) -> None:
        self._kinds, self._cars, self._slot_price, self._peak = kinds, cars, price, peak
        self._blocks = blocks_of(price)
        self._price = [sum(price[slot] for slot in block) / len(block) for block in self._blocks]
        self._takers: dict[int, list[_Taker]] = {}
        self._with_kept = {car.kind for car in cars if car.kept is not None}
        for index, car in enumerate(cars):
            most = [sum(car.most[slot] for slot in block) for block in self._blocks]
            risk = None
            if car.risk is not None:
                risk = [sum(car.risk[slot] for slot in block) / len(block) for block in self._blocks]
            if car.kind in self._with_kept:
                kept = [0.0 if car.kept is None else sum(car.kept[slot] for slot in block) for block in self._blocks]
                kept = [min(a, b) for a, b in zip(kept, most, strict=True)]
                most = [a - b for a, b in zip(most, kept, strict=True)] + kept
                risk = None if risk is None else risk * 2
            lacking = lacking_price(car, price, peak)
            taker = _Taker(index, car.wanted, car.worth, lacking, most, risk, [0.0] * len(most))
            self._takers.setdefault(car.kind, []).append(taker)
        self._uses = {kind: tuple(kinds[kind].uses.items()) for kind in self._takers}
        rows = sorted({row for uses in self._uses.values() for row, _ in uses})
        self._room = {row: [sum(room[slot][row] for slot in block) for block in self._blocks] for row in rows}
        self._users = {
            row: [
                ((kind, row in kinds[kind].metered), times)
                for kind, uses in self._uses.items()
                for other, times in uses
                if other == row
            ]
            for row in rows
        }
        """For each row who stands in it: kinds, and whether with all that they draw or what is beyond what is kept."""
        self._lengths = [sum(peak.hours[slot] for slot in block) for block in self._blocks] if peak else []
        nothing = [0.0] * len(self._blocks)
        self._row_price = dict.fromkeys(rows, nothing)
        self._best = self._row_price
        self._bound = -math.inf
        self._average = dict.fromkeys({user for users in self._users.values() for user, _ in users}, nothing)
        self._raised = 0.0
        self._pace, self._in_vain, self._kept = FIRST_PACE, 0, 0
        self._raised_sum = 0.0

    def turn(self, turn: int, known: float, *, keep: bool) -> bool:
        """Let everybody answer the prices, and move these; return whether nothing is to be gained any more."""
        cost, loads = self._answer(keep=keep)
        part = max(LEAST_PART, 1.0 / (turn + 1))
        raised = 0.0
        if self._peak is not None:
            value = math.sumprod(self._row_price[self._peak.row], self._lengths)
            raised = self._peak.most if value > self._peak.price else 0.0
            cost += min(0.0, self._peak.price - value) * self._peak.most
            self._raised += part * (raised - self._raised)
        if keep:
            self._kept += 1
            self._raised_sum += raised
        for user, average in self._average.items():
            kind, metered = user
            load = loads[kind]
            if kind in self._with_kept:
                load, kept = load[: len(average)], load[len(average) :]
                if metered:
                    load = [a + b for a, b in zip(load, kept, strict=True)]
            self._average[user] = [old + part * (new - old) for old, new in zip(average, load, strict=True)]
        if cost > self._bound:
            self._bound, self._best, self._in_vain = cost, self._row_price, 0
            self._pace = min(self._pace * FASTER, MOST_PACE)
        else:
            self._in_vain += 1
            if self._in_vain >= PATIENCE:
                self._pace, self._in_vain = self._pace * SLOWER, 0
        return self._move(max(known - self._bound, CLOSE * abs(known))) or (
            keep and 0.0 <= known - self._bound <= CLOSE * abs(known)
        )

    def _answer(self, *, keep: bool) -> tuple[float, dict[int, list[float]]]:
        """Return the bound that the present prices give, and what each kind takes in each block (see `_Taker.most`)."""
        total = -sum(math.sumprod(self._row_price[row], room) for row, room in self._room.items())
        loads = {}
        for kind, takers in self._takers.items():
            of_kind = self._prices_of_parts(kind)
            order_of_kind = sorted(range(len(of_kind)), key=of_kind.__getitem__)
            load = [0.0] * len(of_kind)
            for taker in takers:
                left, most, lacking, cost = taker.wanted, taker.most, taker.lacking, 0.0
                prices, order = of_kind, order_of_kind
                if taker.risk is not None:
                    prices = [a + b for a, b in zip(of_kind, taker.risk, strict=True)]
                    order = sorted([block for block in order if most[block]], key=prices.__getitem__)
                for block in order:
                    amount = most[block]
                    if not amount:
                        continue
                    price = prices[block]
                    if price >= lacking:
                        break
                    if amount > left:  # noqa: PLR1730 - the innermost loop: min() costs more than all the rest of it
                        amount = left
                    load[block] += amount
                    cost += price * amount
                    left -= amount
                    if keep:
                        taker.sums[block] += amount
                    if not left:
                        break
                total += taker.worth * (cost + left * lacking)
            loads[kind] = load
        return total, loads

    def _prices(self, kind: int, row_price: dict[int, list[float]], *, kept: bool = False) -> list[float]:
        """Return the price of each block for a kind, with that of its rows; `kept`: of those in which that counts."""
        phases = len(self._kinds[kind].paths)
        columns = [
            row_price[row] if times == 1 else [times * price for price in row_price[row]]
            for row, times in self._uses[kind]
            if not kept or row in self._kinds[kind].metered
        ]
        if not columns:
            return self._price
        return [
            price + extra / phases
            for price, extra in zip(self._price, map(sum, zip(*columns, strict=True)), strict=True)
        ]

    def _prices_of_parts(self, kind: int) -> list[float]:
        """Return the present prices of what `_Taker.most` says."""
        prices = self._prices(kind, self._row_price)
        return prices + self._prices(kind, self._row_price, kept=True) if kind in self._with_kept else prices

    def _move(self, gap: float) -> bool:
        """Move the prices along the overload, from the best ones on; return whether nothing is overloaded."""
        overload = {}
        squares = 0.0
        for row, room in self._room.items():
            over = [-amount for amount in room]
            for user, times in self._users[row]:
                average = self._average[user]
                over = [a + times * b for a, b in zip(over, average, strict=True)]
            if self._peak is not None and row == self._peak.row:
                over = [a - self._raised * b for a, b in zip(over, self._lengths, strict=True)]
            overload[row] = over
            squares += sum([a * a for a, b in zip(over, self._best[row], strict=True) if a > 0.0 or b > 0.0])
        if squares < NOTHING:
            return True
        step = self._pace * gap / squares
        self._row_price = {
            row: [max(0.0, price + step * a) for price, a in zip(self._best[row], over, strict=True)]
            for row, over in overload.items()
        }
        return False

    def guide(self) -> Guide:
        """Return what was found."""
        slots = len(self._slot_price)
        prices = [[0.0] * slots for _ in self._kinds]
        shares: list[list[float]] = [[0.0] * slots for _ in self._cars]
        for kind, takers in self._takers.items():
            of_kind = self._prices(kind, self._best)
            for block, price, mean in zip(self._blocks, of_kind, self._price, strict=True):
                for slot in block:
                    prices[kind][slot] = price - mean + self._slot_price[slot]
            for taker in takers if self._kept else ():
                sums, mosts = self._whole(kind, taker.sums), self._whole(kind, taker.most)
                for block, total, most in zip(self._blocks, sums, mosts, strict=True):
                    if total:
                        share = total / (self._kept * most)
                        for slot in block:
                            shares[taker.index][slot] = share
        return Guide(prices=prices, shares=shares, raised=self._raised_sum / self._kept if self._kept else 0.0)

    def _whole(self, kind: int, amounts: list[float]) -> list[float]:
        """Return amounts of blocks with what is kept in them."""
        if kind not in self._with_kept:
            return amounts
        half = len(amounts) // 2
        return [a + b for a, b in zip(amounts[:half], amounts[half:], strict=True)]
