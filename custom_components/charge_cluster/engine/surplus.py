"""What would be exported if the vehicles in solar mode drew nothing: by the meter of the supply, and what they draw.

Billing nets the phases, so that one figure stands for all three: amps, summed over the phases. Meter and chargers are
sampled at different times, and a meter may show what was a moment ago. So each reading gives an interval, wide while a
vehicle follows a new limit, and what is shared moves only when the mean interval of the last seconds proves it wrong.
That figure does not depend on what the vehicles are given, so that nothing swings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .guard import DrawBound
from .model import MeterReading

RESERVE_A = 0.5
"""So much stays exported: 0.5 A in all three phases together are 115 W."""

AVERAGE_S = 20.0
"""The mean of so many seconds of the meter counts."""

METER_LAG_S = 10.0
"""A meter may show what flowed so long before the time that it gives (values that are averaged, sensors that pass them
on)."""

FALLS_BELOW_A = RESERVE_A
RISES_ABOVE_A = 1.0
"""What is shared is left as it is while the mean is no further below or above it: amps have whole steps."""


SILENT_AFTER_S = 30.0
"""A charger that has not measured for so long after its vehicle followed an order is taken not to."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The surplus at one reading of the meter, as bounds: amps, summed over the phases; below zero: a shortage."""

    at: float
    least_a: float
    most_a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sunlit:
    """What is remembered of a vehicle that charges only from what would be exported."""

    since: float
    """The session that this is about."""
    runs: bool = False
    """Whether it is given current."""
    changed_at: float = -math.inf
    """When it began or ended to be."""
    against_since: float | None = None
    """Since when the surplus says the other thing."""
    served_s: float = 0.0
    """How long it ran before."""

    def served(self, now: float) -> float:
        """Return how long it has run in all, in seconds."""
        return self.served_s + (now - self.changed_at) if self.runs else self.served_s

    def turned(self, now: float) -> Sunlit:
        """Return the same after it was given current, or is given none any more."""
        return Sunlit(since=self.since, runs=not self.runs, changed_at=now, served_s=self.served(now))


@dataclass(frozen=True, slots=True, kw_only=True)
class SolarMemory:
    """What is remembered of the surplus from pass to pass."""

    samples: tuple[Sample, ...] = ()
    shared_a: float | None = None
    """What vehicles in solar mode may have, summed over the phases; None: not known yet."""
    sunlit: Mapping[str, Sunlit] = field(default_factory=dict)


def follow_surplus(
    memory: SolarMemory, reading: MeterReading, drawn: Sequence[tuple[float, float]]
) -> tuple[tuple[Sample, ...], float | None]:
    """Return samples and what is shared after a reading; `drawn` bounds what each vehicle drew then, all phases."""
    samples, shared = memory.samples, memory.shared_a
    if samples and reading.measured_at <= samples[-1].at:
        return samples, shared
    imported = sum(reading.amps)
    least, most = sum(each[0] for each in drawn), sum(each[1] for each in drawn)
    kept = tuple(sample for sample in samples if sample.at > reading.measured_at - AVERAGE_S)
    samples = (*kept, Sample(reading.measured_at, least - imported, most - imported))
    lowest = sum(sample.least_a for sample in samples) / len(samples) - RESERVE_A
    highest = sum(sample.most_a for sample in samples) / len(samples) - RESERVE_A
    if shared is None or lowest > shared + RISES_ABOVE_A:
        return samples, lowest
    if highest < shared - FALLS_BELOW_A:
        return samples, highest
    return samples, shared


def drawn_around(bound: DrawBound, phases: int, at: float) -> tuple[float, float]:
    """Return the least and the most that a vehicle can have drawn at what a meter showed at a time, all phases.

    A limit that stands is drawn as it was measured last. One that nobody has seen followed yet may be followed or not.
    Who does not measure, or has been silent for long since, is taken to draw its limit.
    """
    since = at - METER_LAG_S
    measures = bool(bound.draws) and not _unseen_s(bound, at) > SILENT_AFTER_S
    if measures:
        least, most = math.inf, 0.0
        for draw in reversed(bound.draws):
            least, most = min(least, sum(draw.least)), max(most, sum(draw.amps))
            if draw.at <= since:
                break
    else:
        least = most = phases * (bound.limit_a or 0.0)
    seen_at = bound.draws[-1].at if measures else since
    for order in reversed(bound.orders):
        if order.at > at:
            continue
        followed = order.at + bound.follows_within_s <= seen_at
        if not followed or not measures:
            told = phases * order.amps
            least, most = min(least, told), max(most, told)
        if followed:
            break
    return least, most


def _unseen_s(bound: DrawBound, at: float) -> float:
    """Return for how long a vehicle has followed its last order by a time without being seen; below zero: it has been.

    A charger may send nothing any more once its vehicle is paused.
    """
    if not bound.orders:
        return -math.inf
    followed_at = bound.orders[-1].at + bound.follows_within_s
    return -math.inf if bound.draws and bound.draws[-1].at >= followed_at else at - followed_at


def awaits_measurement(bound: DrawBound, now: float) -> bool:
    """Return whether a vehicle has followed its last order by now, and nobody has seen how; not for ever."""
    return bound.online and bool(bound.draws) and 0.0 <= _unseen_s(bound, now) <= SILENT_AFTER_S
