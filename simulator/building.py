"""Building load: what a circuit carries besides cars, as a programme of steps and ramps with seeded noise.

The programme is a pure function of time, so that the same scenario gives the same load whatever the step of the
simulation is. Amps are per supply phase and signed: generation is a negative load.
"""

import random
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise

type SupplyAmps = tuple[float, float, float]

NO_LOAD: SupplyAmps = (0.0, 0.0, 0.0)

RISE_A = 2.0
"""A load that rises by less than this stays within the margin below every rating: it does not jump."""

SLOW_RISE_S = 60.0
"""One that takes longer than this can be followed: it does not jump either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadChange:
    """From `at_s` on the load moves to `amps`: at once, or linearly over `over_s` seconds."""

    at_s: float
    amps: SupplyAmps
    over_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProgramme:
    """The load of a circuit over time; before the first change it is nothing."""

    changes: tuple[LoadChange, ...] = ()
    noise_a: float = 0.0
    """Largest deviation to either side, on each phase for itself."""
    noise_period_s: float = 5.0
    """Time between two random values; in between the load moves linearly."""
    seed: int = 0
    repeat_s: float | None = None
    """Begin again after so long; None: the last change holds for ever."""
    _times: tuple[float, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        times = tuple(change.at_s for change in self.changes)
        if list(times) != sorted(times):
            raise ValueError("the changes of a load must be in the order of time")
        if self.noise_period_s <= 0.0 or (self.repeat_s is not None and self.repeat_s <= 0.0):
            raise ValueError("the period of noise and the time of repetition are positive")
        object.__setattr__(self, "_times", times)

    def amps_at(self, moment: float) -> SupplyAmps:
        """Return the load at a virtual moment."""
        amps = self._programme_at(moment if self.repeat_s is None else moment % self.repeat_s)
        if self.noise_a == 0.0:
            return amps
        noise = self._noise_at(moment)
        return (amps[0] + noise[0], amps[1] + noise[1], amps[2] + noise[2])

    def jumps(self, until: float) -> list[float]:
        """Return when it rises faster than it can be followed, up to a virtual moment."""
        rounds = 1 if self.repeat_s is None else int(until // self.repeat_s) + 1
        changes = [
            (change.at_s + number * (self.repeat_s or 0.0), change)
            for number in range(rounds)
            for change in self.changes
        ]
        return [
            at
            for (_, earlier), (at, change) in pairwise(changes)
            if at <= until
            and change.over_s < SLOW_RISE_S
            and max(after - before for before, after in zip(earlier.amps, change.amps, strict=True)) > RISE_A
        ]

    def _programme_at(self, moment: float) -> SupplyAmps:
        index = bisect_right(self._times, moment) - 1
        if index < 0:
            return NO_LOAD
        change = self.changes[index]
        elapsed = moment - change.at_s
        if elapsed >= change.over_s:
            return change.amps
        before = self._programme_at_end(index - 1)
        done = elapsed / change.over_s
        return (
            before[0] + (change.amps[0] - before[0]) * done,
            before[1] + (change.amps[1] - before[1]) * done,
            before[2] + (change.amps[2] - before[2]) * done,
        )

    def _programme_at_end(self, index: int) -> SupplyAmps:
        return self.changes[index].amps if index >= 0 else NO_LOAD

    def _noise_at(self, moment: float) -> SupplyAmps:
        knot, within = divmod(moment, self.noise_period_s)
        share = within / self.noise_period_s
        first, second = self._knot(int(knot)), self._knot(int(knot) + 1)
        return (
            first[0] + (second[0] - first[0]) * share,
            first[1] + (second[1] - first[1]) * share,
            first[2] + (second[2] - first[2]) * share,
        )

    def _knot(self, number: int) -> SupplyAmps:
        dice = random.Random(self.seed * 1_000_003 + number)
        bound = self.noise_a
        return (dice.uniform(-bound, bound), dice.uniform(-bound, bound), dice.uniform(-bound, bound))
