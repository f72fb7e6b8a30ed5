"""The continuous plan: how much of each slot each vehicle takes, without minimum and without steps.

Everything is counted in ampere-hours per phase: what a vehicle takes in a slot stands in that many of each of its rows
(one per phase and circuit up to the supply, as in `rows`; where the peak has a price, one more for the sum of all
phases). What is kept for it whether it charges or waits stands in none but that of the peak. After every step the plan
is one that fits, so it can be had at any time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

DUST_AH = 1e-7
"""Less than this is float noise."""
MOST_TRIES = 1500
"""So many times others are asked to make way, all together."""

type Rows = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """Where vehicles stand that hang on the same circuit with the same phases."""

    paths: tuple[Rows, ...]
    """For each phase its rows, the deepest circuit first."""
    metered: frozenset[int] = frozenset()
    """Those of them in which all counts that is drawn, whether it is kept for a vehicle anyway or not."""

    @property
    def uses(self) -> Mapping[int, int]:
        """Return how many times it stands in each of its rows."""
        found: dict[int, int] = {}
        for path in self.paths:
            for row in path:
                found[row] = found.get(row, 0) + 1
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Car:
    """A vehicle to be planned."""

    kind: int
    most: Sequence[float]
    """What it can take in each slot."""
    wanted: float
    taken: float
    """What it has got before, for who is worst off."""
    worth: float
    """What an ampere-hour is beside one on a single phase at 230 V."""
    weight: float
    risk: Sequence[float] | None = None
    """What each slot is dearer for it alone; None: nothing."""
    kept: Sequence[float] | None = None
    """What of each slot is kept for it whether it takes that or not; None: nothing."""

    @property
    def in_all(self) -> float:
        """Return what it wants with what it has got before."""
        return self.wanted + self.taken

    def priced(self, price: Sequence[float]) -> Sequence[float]:
        """Return prices as they are for this vehicle."""
        return price if self.risk is None else [a + b for a, b in zip(price, self.risk, strict=True)]

    def cheapest_first(self, price: Sequence[float]) -> list[int]:
        """Return the slots in which it can take anything, the cheapest first, and of these the earliest."""
        own = self.priced(price)
        return sorted((slot for slot, most in enumerate(self.most) if most > DUST_AH), key=own.__getitem__)


def room_for(room: Sequence[float], uses: Sequence[tuple[int, int]], metered: Collection[int], kept: float) -> float:
    """Return how much more a vehicle can take.

    Args:
        room: what each row has.
        uses: its rows, and how many times it stands in each.
        metered: those of them in which all counts that it draws.
        kept: what is kept for it beside what it takes already.
    """
    if not kept:
        return min([room[row] / times for row, times in uses], default=math.inf)
    return min([room[row] / times + (0.0 if row in metered else kept) for row, times in uses], default=math.inf)


def take_room(
    room: list[float], uses: Sequence[tuple[int, int]], metered: Collection[int], amount: float, beyond: float
) -> None:
    """Take out of rows what a vehicle takes more; `beyond` is as much of that as is not kept for it anyway."""
    if amount == beyond:
        for row, times in uses:
            room[row] -= times * amount
        return
    for row, times in uses:
        room[row] -= times * (amount if row in metered else beyond)


class Flow:
    """A plan that fits, and its improvement."""

    def __init__(
        self,
        kinds: Sequence[Kind],
        cars: Sequence[Car],
        room: Sequence[Sequence[float]],
        price: Sequence[float],
        *,
        largest_first: bool = True,
    ) -> None:
        """Begin with nothing planned.

        Args:
            kinds: where vehicles stand.
            cars: the vehicles.
            room: what each row has, slot by slot.
            price: of each slot.
            largest_first: whether who charges on several phases is served before the others.
        """
        self.cars = cars
        self.room = [list(of_slot) for of_slot in room]
        self._price = [car.priced(price) for car in cars]
        self._order = [car.cheapest_first(price) for car in cars]
        self.took = [[0.0] * len(price) for _ in cars]
        self.unmet = [car.wanted for car in cars]
        self._uses = [tuple(kind.uses.items()) for kind in kinds]
        self._metered = [kind.metered for kind in kinds]
        # Who needs room on several phases at once goes first, and of the others who has least choice; or just these.
        choice = [
            (
                -car.weight,
                -car.worth if largest_first else 0.0,
                sum(car.most) / max(car.wanted, DUST_AH),
                -car.worth,
                index,
            )
            for index, car in enumerate(cars)
        ]
        self._queue = [index for *_, index in sorted(choice)]
        self._tries = MOST_TRIES

    def fill(self) -> None:
        """Let everybody take its cheapest slots."""
        for index in self._queue:
            self._take(index, self._order[index])

    def follow(
        self,
        prices: Sequence[Sequence[float]],
        shares: Sequence[Sequence[float]],
        sure: float,
        lacking: Sequence[float],
    ) -> None:
        """Let everybody take what it surely takes by a guide, and then its cheapest slots by the prices of that.

        What still is left goes to who lacks the dearest, whatever the prices say.

        Args:
            prices: for each kind and slot.
            shares: for each vehicle and slot: how much it took of what it could.
            sure: what it took to a larger share is surely taken.
            lacking: for each vehicle: what it costs to give it nothing.
        """
        for index in self._queue:
            car = self.cars[index]
            for slot, share in enumerate(shares[index]):
                if share > sure:
                    self._take_one(index, slot, share * car.most[slot])
        worst_off_first = sorted(self._queue, key=lambda index: -lacking[index])
        for queue, at_any_price in ((self._queue, False), (worst_off_first, True)):
            for index in queue:
                if self.unmet[index] > DUST_AH:
                    car = self.cars[index]
                    own = car.priced(prices[car.kind])
                    self._take(
                        index,
                        [
                            slot
                            for slot in car.cheapest_first(prices[car.kind])
                            if at_any_price or own[slot] < lacking[index]
                        ],
                    )

    def lift(self, row: int) -> None:
        """Let who still lacks something have it beyond what a row has."""
        before = [of_slot[row] for of_slot in self.room]
        for of_slot in self.room:
            of_slot[row] = math.inf
        lifted = [list(took) for took in self.took]
        for index in self._queue:
            self._take(index, self._order[index])
        for slot, (of_slot, amount) in enumerate(zip(self.room, before, strict=True)):
            of_slot[row] = amount
            for index, car in enumerate(self.cars):
                more = self.took[index][slot] - lifted[index][slot]
                if more:
                    of_slot[row] -= more * dict(self._uses[car.kind])[row]

    def cost(self, lacking: Callable[[Car], float]) -> float:
        """Return what the plan costs, what is lacking at the price that is said for it."""
        return sum(
            car.worth * (math.sumprod(took, price) + unmet * lacking(car))
            for car, took, price, unmet in zip(self.cars, self.took, self._price, self.unmet, strict=True)
        )

    def improve(self, enough: Callable[[], bool]) -> None:
        """Let who lacks something have the place of others that can go elsewhere; then move everybody to cheaper slots.

        Args:
            enough: asked from time to time whether the plan has to do as it is.
        """
        for index in self._queue:
            if enough():
                return
            if self.unmet[index] > DUST_AH:
                self._make_way(index)
        for index in reversed(self._queue):
            if enough():
                return
            self._move_down(index)

    # ------------------------------------------------------------------------------------------------------------------

    def _take(self, index: int, order: Iterable[int]) -> None:
        most = self.cars[index].most
        for slot in order:
            if self.unmet[index] <= DUST_AH:
                return
            self._take_one(index, slot, most[slot])

    def _take_one(self, index: int, slot: int, amount: float) -> float:
        """Let a vehicle have more in a slot, as far as it wants, can, and there is room; return how much."""
        car = self.cars[index]
        amount = min(amount, self.unmet[index], car.most[slot] - self.took[index][slot])
        if amount <= DUST_AH:
            return 0.0
        amount = min(amount, self._room_for(index, slot))
        if amount <= DUST_AH:
            return 0.0
        self._put(index, slot, amount)
        return amount

    def _put(self, index: int, slot: int, amount: float) -> None:
        """Let a vehicle take more (or, below 0, less) in a slot."""
        kind, stood = self.cars[index].kind, self._stands(index, slot)
        self.took[index][slot] += amount
        self.unmet[index] -= amount
        beyond = amount if self.cars[index].kept is None else self._stands(index, slot) - stood
        take_room(self.room[slot], self._uses[kind], self._metered[kind], amount, beyond)

    def _stands(self, index: int, slot: int) -> float:
        """Return how much of what a vehicle takes in a slot stands in its rows."""
        kept = self.cars[index].kept
        return self.took[index][slot] if kept is None else max(0.0, self.took[index][slot] - kept[slot])

    def _room_for(self, index: int, slot: int) -> float:
        """Return how much more a vehicle can take in a slot."""
        car = self.cars[index]
        kept = 0.0 if car.kept is None else max(0.0, car.kept[slot] - self.took[index][slot])
        return room_for(self.room[slot], self._uses[car.kind], self._metered[car.kind], kept)

    def _make_way(self, index: int) -> None:
        """Let others move, in the slots in which a vehicle has no room, to where they have some."""
        car = self.cars[index]
        for slot in self._order[index]:
            if car.most[slot] - self.took[index][slot] <= DUST_AH:
                continue
            free = self.room[slot]
            for other in [other for other in self._queue if self.took[other][slot] > DUST_AH]:
                self._tries -= 1
                if self.unmet[index] <= DUST_AH or self._tries < 0:
                    return
                full = {row for row, _ in self._uses[car.kind] if free[row] <= DUST_AH}
                there = self._stands(other, slot)
                if other == index or there <= DUST_AH:
                    continue
                kind = self.cars[other].kind
                if full and full <= {row for row, _ in self._uses[kind]}:
                    needed = min(self.unmet[index], car.most[slot] - self.took[index][slot])
                    self._move_away(other, slot, min(there, needed))
                self._take_one(index, slot, car.most[slot])

    def _move_away(self, index: int, source: int, amount: float) -> None:
        """Move some of what a vehicle takes in a slot to others, the cheapest first."""
        most, took = self.cars[index].most, self.took[index]
        for slot in self._order[index]:
            if slot == source or most[slot] - took[slot] <= DUST_AH:
                continue
            moved = min(amount, most[slot] - took[slot], self._room_for(index, slot))
            if moved > DUST_AH:
                self._put(index, source, -moved)
                self._put(index, slot, moved)
                amount -= moved
                if amount <= DUST_AH:
                    return

    def _move_down(self, index: int) -> None:
        """Move a vehicle from its dearest and latest slots to cheaper or earlier ones that have room."""
        car, took = self.cars[index], self.took[index]
        targets = (slot for slot in self._order[index] if car.most[slot] - took[slot] > DUST_AH)
        sources = [slot for slot in self._order[index] if took[slot] > DUST_AH]
        price = self._price[index]
        for slot in targets:
            while sources:
                source = sources[-1]
                if (price[source], source) <= (price[slot], slot):
                    return
                moved = min(took[source], car.most[slot] - took[slot], self._room_for(index, slot))
                if moved <= DUST_AH:
                    break
                self._put(index, source, -moved)
                self._put(index, slot, moved)
                if took[source] <= DUST_AH:
                    sources.pop()
