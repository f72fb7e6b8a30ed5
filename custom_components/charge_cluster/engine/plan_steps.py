"""From amounts to currents that a charger can give: nothing, or its minimum at least, and in its steps.

Slot by slot, the cheapest first, everybody gets the highest of its currents below its amount; what that leaves free in
the rows goes to those who have lost most by it so far, as one step more or as a minimum to begin with. So what is
lost in one slot comes back in the next, and small pieces of several vehicles become turns. At last each vehicle
gets back what it still lacks, and gives away what it has beyond its need. What is more than it needs in its last
slot is not taken by the vehicle, but room is kept for it. What is free in the present slot even then goes to those
for whom a later slot of theirs is dearer: by its price, or because they may have gone by then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .plan_flow import room_for, take_room

DUST_A = 1e-6
DUST_PRICE = 1e-9
WORTH_A_START = 0.5
"""Who has lost at least so much of its minimum may begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The currents that a vehicle knows, and what it needs."""

    rows: tuple[tuple[int, int], ...]
    """Its rows, and how many times it stands in each."""
    metered: frozenset[int] = frozenset()
    """Those in which all counts that it draws."""
    kept_a: float = 0.0
    """What is kept for it whether it draws that or not: it stands in no other row."""
    hours: Sequence[float]
    """How much of each slot it can charge in."""
    wanted: float
    """Ampere-hours per phase."""
    minimum_a: float
    maximum_a: float
    step_a: float
    """0: any current."""
    weight: float

    @property
    def dust_a(self) -> float:
        """Return what may be missing of a step by rounding alone."""
        return DUST_A if self.step_a > 0.0 else 0.0

    def down(self, amps: float) -> float:
        """Return the highest of its currents that is not above one; 0: there is none."""
        amps = min(amps, self.maximum_a)
        if self.step_a > 0.0:
            amps = self.step_a * math.floor(amps / self.step_a + DUST_A)
        return amps if amps >= self.minimum_a - DUST_A else 0.0

    def above(self, amps: float) -> float:
        """Return the lowest of its currents above one."""
        if self.step_a <= 0.0:
            return max(self.minimum_a, amps)
        least = self.step_a * max(1, math.ceil(self.minimum_a / self.step_a - DUST_A))
        return max(least, amps + self.step_a)


def in_steps(
    ladders: Sequence[Ladder],
    took: Sequence[Sequence[float]],
    free: Sequence[Sequence[float]],
    price: Sequence[float],
    *,
    soft: int | None = None,
    now: int | None = None,
    own: Sequence[Sequence[float]] = (),
) -> list[list[float]]:
    """Return the amps of each vehicle in each slot, which fit below what each row has free.

    Args:
        ladders: the vehicles.
        took: what each is to take in each slot, in ampere-hours.
        free: the amps of each row, slot by slot.
        price: of each slot.
        soft: the row that may carry more than it has rather than that somebody lacks something.
        now: the present slot; None: it is not among them.
        own: for each vehicle that is there, which are the first ones: what each slot costs it.
    """
    slots = _Slots(ladders, free)
    order = sorted(range(len(price)), key=lambda slot: (price[slot], slot))
    for slot in order:
        slots.share_out(slot, [index for index, amounts in enumerate(took) if amounts[slot] > 0.0], took)
    lacks = [slots.lacks(index) for index in range(len(ladders))]
    for index, lacking in enumerate(lacks):
        if lacking < -DUST_A:
            slots.give_away(index, -lacking, order)
    neediest = sorted(range(len(ladders)), key=lambda index: (-ladders[index].weight, -lacks[index]))
    for turn in range(1 if soft is None else 2):
        for index in neediest:
            if lacks[index] > DUST_A:
                lacks[index] = slots.give_back(index, lacks[index], order)
        if now is not None and turn == 0:
            slots.hurry(now, own)
        if soft is not None:
            slots.lift(soft)
    return slots.amps


class _Slots:
    """Who has how many amps in each slot, and what is left of each row."""

    def __init__(self, ladders: Sequence[Ladder], free: Sequence[Sequence[float]]) -> None:
        self._ladders = ladders
        self._room = [list(of_slot) for of_slot in free]
        self._lost = [0.0] * len(ladders)
        self.amps = [[0.0] * len(free) for _ in ladders]

    def share_out(self, slot: int, users: Sequence[int], took: Sequence[Sequence[float]]) -> None:
        """Turn the amounts of a slot into currents."""
        lost = self._lost
        rest: list[tuple[float, int]] = []
        for index in users:
            ladder = self._ladders[index]
            lost[index] += took[index][slot]
            # What was lost before is made up for where there is room, but nobody loses its own amount by that.
            amps = ladder.down(min(took[index][slot] / ladder.hours[slot], self._there(index, slot)))
            if amps:
                self._give(index, slot, amps)
                lost[index] -= amps * ladder.hours[slot]
            rest.append((-lost[index], index))
        rest.sort()
        for _, index in rest:
            ladder, hours = self._ladders[index], self._ladders[index].hours[slot]
            has = self.amps[index][slot]
            while True:
                more = ladder.above(has) - has
                worth = WORTH_A_START * more if has <= 0.0 else DUST_A
                if more <= DUST_A or lost[index] / hours < worth or has + more > ladder.maximum_a + DUST_A:
                    break
                if more > self._there(index, slot) + DUST_A:
                    break
                self._give(index, slot, more)
                has += more
                lost[index] -= more * hours

    def lacks(self, index: int) -> float:
        """Return what a vehicle lacks; below 0: it has more than it needs."""
        ladder = self._ladders[index]
        return ladder.wanted - math.sumprod(self.amps[index], ladder.hours)

    def give_away(self, index: int, more: float, order: Sequence[int]) -> None:
        """Take from a vehicle what it has beyond its need, in the dearest slots first."""
        ladder, amps = self._ladders[index], self.amps[index]
        for slot in reversed(order):
            if amps[slot] <= 0.0:
                continue
            hours = ladder.hours[slot]
            # Never more than it can spare, so the current is rounded up.
            keeps = amps[slot] - more / hours
            keeps = 0.0 if keeps <= DUST_A else max(ladder.down(keeps), ladder.above(ladder.down(keeps - DUST_A)))
            if keeps < amps[slot] - DUST_A:
                more -= (amps[slot] - keeps) * hours
                self._give(index, slot, keeps - amps[slot])
            if more <= DUST_A:
                return

    def give_back(self, index: int, lacks: float, order: Sequence[int]) -> float:
        """Give a vehicle what it lacks, the cheapest slots first; return what it still lacks."""
        ladder, amps = self._ladders[index], self.amps[index]
        for slot in order:
            hours = ladder.hours[slot]
            if hours <= 0.0 or amps[slot] >= ladder.maximum_a:
                continue
            wants = lacks / hours
            if ladder.step_a > 0.0:
                wants = ladder.step_a * math.ceil(wants / ladder.step_a - DUST_A)
            if amps[slot] <= 0.0:
                wants = max(wants, ladder.above(0.0))
            more = ladder.down(amps[slot] + min(wants, self._there(index, slot) + ladder.dust_a)) - amps[slot]
            if more > DUST_A:
                self._give(index, slot, more)
                lacks -= more * hours
                if lacks <= DUST_A:
                    break
        return lacks

    def hurry(self, now: int, own: Sequence[Sequence[float]]) -> None:
        """Let vehicles have now, as far as there is room, what is planned for slots that are dearer for them.

        Who gains most by that goes first.
        """
        gains = []
        for index, prices in enumerate(own):
            if self._ladders[index].hours[now] > 0.0:
                dearest = max((prices[slot] for slot, amps in enumerate(self.amps[index]) if amps), default=-math.inf)
                gains.append((prices[now] - dearest, index))
        for loses, index in sorted(gains):
            if loses >= -DUST_PRICE:
                return
            self._hurry_one(index, now, own[index])

    def lift(self, row: int) -> None:
        """Let a row carry anything from now on."""
        for of_slot in self._room:
            of_slot[row] = math.inf

    def _hurry_one(self, index: int, now: int, prices: Sequence[float]) -> None:
        ladder, amps = self._ladders[index], self.amps[index]
        dearer = [slot for slot, price in enumerate(prices) if amps[slot] and price > prices[now] + DUST_PRICE]
        later = math.fsum(amps[slot] * ladder.hours[slot] for slot in dearer)
        wants = (later + max(0.0, self.lacks(index))) / ladder.hours[now]
        if ladder.step_a > 0.0:
            wants = ladder.step_a * math.ceil(wants / ladder.step_a - DUST_A)
        if amps[now] <= 0.0:
            wants = max(wants, ladder.above(0.0))
        more = ladder.down(amps[now] + min(wants, self._there(index, now) + ladder.dust_a)) - amps[now]
        if more > DUST_A:
            self._give(index, now, more)
            self.give_away(index, -self.lacks(index), sorted(dearer, key=prices.__getitem__))

    def _there(self, index: int, slot: int) -> float:
        ladder = self._ladders[index]
        kept_a = max(0.0, ladder.kept_a - self.amps[index][slot])
        return room_for(self._room[slot], ladder.rows, ladder.metered, kept_a)

    def _give(self, index: int, slot: int, more: float) -> None:
        ladder, before = self._ladders[index], self.amps[index][slot]
        self.amps[index][slot] += more
        beyond = more
        if ladder.kept_a:
            beyond = max(0.0, before + more - ladder.kept_a) - max(0.0, before - ladder.kept_a)
        take_room(self._room[slot], ladder.rows, ladder.metered, more, beyond)
