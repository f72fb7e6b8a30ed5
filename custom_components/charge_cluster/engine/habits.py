"""What is learned of stays: how long vehicles stay and how much they take, with how sure that is.

Every stay that ended is remembered as it was. What is expected of a newcomer is what happened in stays that were like
it: each remembered stay has a weight, the higher the more alike the two are in the hour of arrival, in what the driver
announced, in weekday and place, and above all in the driver. So a departure that a driver types is not believed, but
taken for what came of it when it, or one like it, was typed before; and where nothing was typed the same sum runs over
hours and weekdays alone. The answer is a distribution, never a single number: whoever asks sees how wide it is.

A few imagined stays with next to no weight stand in for a history that there is none of yet, and for stays longer than
any that was seen.

Kernel-weighted (conditional) survival: R. Beran, "Nonparametric regression with randomly censored survival data", 1981;
here nothing is censored, because a stay is learned when it has ended. The widths were fitted to the staff car park of
the benchmark (May 2019); `scripts/benchmark shares` shows what they bring in the other months.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

MOST_STAYS = 2000
"""So many are remembered, the newest ones; what is expected of one newcomer then takes some milliseconds."""

PIECE = 500
"""So many stays are weighed at a time where what is expected is reckoned in pieces."""

DAY_H = 24.0
WEEKEND = 5
"""Weekdays from here on are the weekend; Monday is 0."""

ARRIVAL_WIDTH_H = 1.0
ANNOUNCED_WIDTH_H = 0.5
ASKED_WIDTH = 0.35
"""As the logarithm of a ratio."""
ASKED_COUNTS = 0.9
OF_ANOTHER_WORKDAY = 0.1
"""Weight of a weekend's stay for a working day, and the other way round."""
OF_ANOTHER_KIND = 0.2
"""Weight of a stay for which nothing was announced, for one for which something was."""
SAME_ASKED_BONUS = 10.0
SAME_WORDS_BONUS = 30.0
SAME_DRIVER_BONUS = 30.0
"""Who types the very same energy and duration is most likely the same person: a card says so for sure."""
SAME_PLACE_BONUS = 1.0
SAME_WEEKDAY_BONUS = 1.0
WIDE_WEIGHT = 0.005
LEAST_WEIGHT = 1e-6

ENERGY_ASKED_WIDTH = 0.1
ENERGY_STAY_WIDTH_H = 2.0
ENERGY_ARRIVAL_WIDTH_H = 2.0
ENERGY_SAME_WORDS_BONUS = 100.0
ENERGY_SAME_PLACE_BONUS = 4.0
ENERGY_WIDE_WEIGHT = 1e-3
ENERGY_ANY_WEIGHT = 0.05

SAME_ASKED_WH = 5.0
SAME_STAY_H = 1.0 / 120.0

LEAST_REMAINING_WH = 300.0
"""A vehicle that takes current takes at least so much more."""

IMAGINED_STAYS_H = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0, 24.0, 48.0, 96.0, 168.0)
IMAGINED_DELAYS_H = (-1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0)
IMAGINED_WH = (3e3, 6e3, 10e3, 15e3, 20e3, 30e3, 50e3)
IMAGINED_RATIOS = (0.25, 0.5, 0.75, 1.0)
IMAGINED_WEIGHT = 3e-3
IMAGINED_ANNOUNCED_WEIGHT = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What is known of a stay when it begins, or learned of it from its driver later."""

    arrived_h: float
    """Local clock hours since midnight."""
    weekday: int
    """0 is Monday."""
    announced_h: float | None = None
    """How long the driver said that the vehicle stays, in hours; None: nothing was said."""
    asked_wh: float | None = None
    """The energy that the driver asked for; None: nothing was said."""
    driver: str | None = None
    place: str | None = None
    """The connector."""

    @property
    def usable(self) -> bool:
        """Return whether it makes sense: finite, and nothing negative."""
        announced = self.announced_h is None or 0.0 < self.announced_h < math.inf
        asked = self.asked_wh is None or 0.0 < self.asked_wh < math.inf
        return 0.0 <= self.arrived_h < DAY_H and announced and asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A stay that has ended."""

    arrival: Arrival
    stayed_h: float
    taken_wh: float

    @property
    def usable(self) -> bool:
        """Return whether something can be learned from it."""
        return self.arrival.usable and 0.0 < self.stayed_h < math.inf and 0.0 < self.taken_wh < math.inf


@dataclass(frozen=True, slots=True)
class Distribution:
    """Values with weights, ascending; answers under the condition that the value is above one that is passed."""

    values: tuple[float, ...]
    beyond: tuple[float, ...]
    """Weight of a value and all above it."""
    sums_beyond: tuple[float, ...]
    """Sum of weight × value of it and all above it."""

    @classmethod
    def of(cls, weighted: Iterable[tuple[float, float]]) -> Distribution:
        """Return the distribution of some (value, weight)."""
        ordered = sorted(weighted)
        falling = ordered[::-1]
        beyond = list(accumulate(weight for _, weight in falling))
        sums = list(accumulate(weight * value for value, weight in falling))
        return cls(tuple(value for value, _ in ordered), tuple(beyond[::-1]), tuple(sums[::-1]))

    def share_beyond(self, passed: float, value: float) -> float:
        """Return how likely it is above a value, if it is above one that is passed; 0 where none is above that."""
        given = bisect_right(self.values, passed)
        if given == len(self.values):
            return 0.0
        at = bisect_right(self.values, value)
        return 0.0 if at == len(self.values) else min(1.0, self.beyond[at] / self.beyond[given])

    def mean_beyond(self, passed: float) -> float | None:
        """Return the mean of those above a value; None: there are none."""
        given = bisect_right(self.values, passed)
        return None if given == len(self.values) else self.sums_beyond[given] / self.beyond[given]

    def quantile_beyond(self, passed: float, share: float) -> float | None:
        """Return the value that so large a share of those above the passed one is not above; None: there are none."""
        given = bisect_right(self.values, passed)
        if given == len(self.values):
            return None
        left = (1.0 - share) * self.beyond[given]
        low, high = given, len(self.values) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self.beyond[middle] >= left:
                low = middle
            else:
                high = middle - 1
        return self.values[low]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is expected of a stay; hours are counted from the local midnight before the arrival."""

    departures_h: Distribution
    energies: Distribution
    """In multiples of `scale_wh`."""
    scale_wh: float
    alike: float
    """How many remembered stays it rests on in effect, (Σ w)² / Σ w²; near 0: it is hardly more than a guess."""
    of_driver: int
    """How many of them are of the same driver."""

    def still_here(self, now_h: float, at_h: float) -> float:
        """Return how likely the vehicle, here now, is still here at a later hour."""
        if at_h <= now_h:
            return 1.0
        if now_h >= self.departures_h.values[-1]:
            # Longer than anything that can be imagined: it may leave at any moment.
            return math.exp(now_h - at_h)
        return self.departures_h.share_beyond(now_h, at_h)

    def departure_h(self, now_h: float, share: float) -> float:
        """Return the hour by which a vehicle that is here now has left with that likelihood."""
        found = self.departures_h.quantile_beyond(now_h, share)
        return now_h if found is None else found

    def remaining_wh(self, taken_wh: float) -> float:
        """Return how much more it is expected to take, in the mean; it takes current now."""
        mean = self.energies.mean_beyond(taken_wh / self.scale_wh)
        return LEAST_REMAINING_WH if mean is None else max(mean * self.scale_wh - taken_wh, LEAST_REMAINING_WH)

    def energy_wh(self, taken_wh: float, share: float) -> float:
        """Return the energy that the stay does not exceed with that likelihood; it has taken some and takes more."""
        found = self.energies.quantile_beyond(taken_wh / self.scale_wh, share)
        return taken_wh if found is None else found * self.scale_wh


@dataclass(frozen=True, slots=True)
class Habits:
    """The stays that are remembered, oldest first."""

    stays: tuple[Stay, ...] = ()

    @classmethod
    def of(cls, stays: Sequence[Stay]) -> Habits:
        """Return what can be learned from some stays, oldest first."""
        return cls(tuple(stay for stay in stays if stay.usable)[-MOST_STAYS:])

    def learn(self, stay: Stay) -> Habits:
        """Return the habits with one stay more; nothing is learned from one that makes no sense."""
        return Habits((*self.stays, stay)[-MOST_STAYS:]) if stay.usable else self

    def forget(self, driver: str) -> Habits:
        """Return the habits without what was learned of a driver."""
        return Habits(tuple(stay for stay in self.stays if stay.arrival.driver != driver))

    def expect(self, newcomer: Arrival) -> Expectation:
        """Reckon it all at once, see `expect_in_pieces`."""
        pieces = self.expect_in_pieces(newcomer)
        while True:
            try:
                next(pieces)
            except StopIteration as end:
                expectation: Expectation = end.value
                return expectation

    def expect_in_pieces(self, newcomer: Arrival) -> Generator[None, None, Expectation]:
        """Return what is expected of a newcomer, in pieces of a few milliseconds.

        What makes no sense of what it announced is passed over.
        """
        if not newcomer.usable:
            newcomer = replace(newcomer, arrived_h=newcomer.arrived_h % DAY_H, announced_h=None, asked_wh=None)
        alike = _Alike(newcomer, self.stays)
        departures, energies = [], []
        total = squares = 0.0
        for number, stay in enumerate(self.stays, start=1):
            weight = alike.in_departure(stay)
            total += weight
            squares += weight * weight
            # Some leave at an hour of the day, some after a while: nobody has said which.
            departures.append((stay.arrival.arrived_h + stay.stayed_h, weight / 2.0))
            departures.append((newcomer.arrived_h + stay.stayed_h, weight / 2.0))
            taken = alike.taken(stay)
            if taken is not None:
                energies.append((taken, alike.in_energy(stay)))
            if number % PIECE == 0:
                yield
        departures += _imagined_departures(newcomer)
        energies += [
            (value, IMAGINED_WEIGHT) for value in (IMAGINED_WH if newcomer.asked_wh is None else IMAGINED_RATIOS)
        ]
        return Expectation(
            departures_h=Distribution.of(departures),
            energies=Distribution.of(energies),
            scale_wh=newcomer.asked_wh or 1.0,
            alike=total * total / squares if squares else 0.0,
            of_driver=sum(stay.arrival.driver == newcomer.driver for stay in self.stays) if newcomer.driver else 0,
        )


def _imagined_departures(newcomer: Arrival) -> list[tuple[float, float]]:
    arrived, announced = newcomer.arrived_h, newcomer.announced_h
    found = [(arrived + stayed, IMAGINED_WEIGHT) for stayed in IMAGINED_STAYS_H]
    if announced is not None:
        found += [
            (arrived + announced + delay, IMAGINED_ANNOUNCED_WEIGHT)
            for delay in IMAGINED_DELAYS_H
            if announced + delay > 0.0
        ]
    return found


class _Alike:
    """How alike remembered stays are to a newcomer."""

    def __init__(self, newcomer: Arrival, stays: Iterable[Stay]) -> None:
        self._new = newcomer
        same_asked = same_words = 0
        for stay in stays:
            if self._same_asked(stay.arrival):
                same_asked += 1
                same_words += self._same_announced(stay.arrival)
        # What is rarely typed says more about who typed it.
        self._asked_bonus = 1.0 / math.sqrt(max(same_asked, 1))
        self._words_bonus = 1.0 / math.sqrt(max(same_words, 1))

    def in_departure(self, stay: Stay) -> float:
        """Return the weight of a stay for the departure."""
        new, old = self._new, stay.arrival
        apart = (new.arrived_h - old.arrived_h) / ARRIVAL_WIDTH_H
        exponent = -0.5 * apart * apart
        wide = math.exp(exponent / 4.0)
        weight = 1.0
        if new.announced_h is not None:
            if old.announced_h is None:
                weight *= OF_ANOTHER_KIND
            else:
                apart = new.arrived_h + new.announced_h - old.arrived_h - old.announced_h
                exponent -= 0.5 * (apart / ANNOUNCED_WIDTH_H) ** 2
        weight *= math.exp(exponent)
        if new.asked_wh is not None:
            asked = OF_ANOTHER_KIND
            if old.asked_wh is not None:
                asked = math.exp(-0.5 * (math.log(new.asked_wh / old.asked_wh) / ASKED_WIDTH) ** 2)
            weight *= ASKED_COUNTS * asked + 1.0 - ASKED_COUNTS
        weight *= self._bonus(old, SAME_ASKED_BONUS, SAME_WORDS_BONUS)
        if new.place is not None and new.place == old.place:
            weight *= 1.0 + SAME_PLACE_BONUS
        if new.weekday == old.weekday:
            weight *= 1.0 + SAME_WEEKDAY_BONUS
        weight += WIDE_WEIGHT * wide + LEAST_WEIGHT
        return weight if (new.weekday >= WEEKEND) is (old.weekday >= WEEKEND) else weight * OF_ANOTHER_WORKDAY

    def in_energy(self, stay: Stay) -> float:
        """Return the weight of a stay for the energy."""
        new, old = self._new, stay.arrival
        exponent = -0.5 * ((new.arrived_h - old.arrived_h) / ENERGY_ARRIVAL_WIDTH_H) ** 2
        wide = ENERGY_ANY_WEIGHT
        if new.announced_h is not None and old.announced_h is not None:
            exponent -= 0.5 * ((new.announced_h - old.announced_h) / ENERGY_STAY_WIDTH_H) ** 2
        if new.asked_wh is not None and old.asked_wh is not None:
            apart = -0.5 * (math.log(new.asked_wh / old.asked_wh) / ENERGY_ASKED_WIDTH) ** 2
            exponent += apart
            wide = ENERGY_WIDE_WEIGHT * math.exp(apart / 9.0)
        weight = math.exp(exponent) * self._bonus(old, SAME_ASKED_BONUS, ENERGY_SAME_WORDS_BONUS)
        if new.place is not None and new.place == old.place:
            weight *= 1.0 + ENERGY_SAME_PLACE_BONUS
        return weight + wide

    def taken(self, stay: Stay) -> float | None:
        """Return what a stay took: as a multiple of what was asked for, where the newcomer asks; None: nobody knows."""
        if self._new.asked_wh is None:
            return stay.taken_wh
        return None if stay.arrival.asked_wh is None else stay.taken_wh / stay.arrival.asked_wh

    def _bonus(self, old: Arrival, asked: float, words: float) -> float:
        bonus = 1.0
        if self._same_asked(old):
            bonus += asked * self._asked_bonus
            if self._same_announced(old):
                bonus += words * self._words_bonus
        if self._new.driver is not None and self._new.driver == old.driver:
            bonus += SAME_DRIVER_BONUS
        return bonus

    def _same_asked(self, old: Arrival) -> bool:
        asked, other = self._new.asked_wh, old.asked_wh
        return asked is not None and other is not None and abs(asked - other) < SAME_ASKED_WH

    def _same_announced(self, old: Arrival) -> bool:
        announced, other = self._new.announced_h, old.announced_h
        return announced is not None and other is not None and abs(announced - other) < SAME_STAY_H
