"""What a charger says that it holds, whoever wrote it, and what that allows: arithmetic without a wire.

Per purpose the profile with the highest stack level that says anything at a time is the one that counts. That of a
transaction stands in place of the default one, upward too; the station's maximum and limits from outside bound both.
Where the standard leaves room (two profiles on one level, one of several schedules, power that may flow on one phase)
the answer is the most that a charger may make of it: it is asked for to find out what could be drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .profiles import Kind, Purpose, TransactionKey
from .schedules import Schedule

DAY_S = 86400.0
WEEK_S = 7 * DAY_S
MAX_EFFORT = 10_000
"""Changes within a span times profiles that are reckoned with; beyond them its hardware is the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldProfile:
    """A profile in a charger."""

    profile_id: int
    connector: int
    """0: the station, or each connector of it."""
    level: int
    purpose: Purpose
    kind: Kind
    schedules: tuple[Schedule, ...]
    """More than one are for the vehicle to choose from; none: they cannot be read, and may say anything."""
    transaction: TransactionKey | None = None
    valid_from: float | None = None
    valid_to: float | None = None
    recurs_s: float | None = None
    source: str | None = None
    """Who wrote it, by the charger's word."""

    def amps_at(self, at: float, began_at: float) -> float | None:
        """Return what it lets flow on a phase at a time; None: it says nothing then.

        Args:
            at: UTC POSIX seconds by the charger's clock.
            began_at: when the transaction began.
        """
        if self.valid_from is not None and at < self.valid_from:
            return None
        if self.valid_to is not None and at >= self.valid_to:
            return None
        if not self.schedules:
            return math.inf
        told = [
            schedule.amps(step)
            for schedule in self.schedules
            for elapsed_s in (self._elapsed_s(schedule, at, began_at),)
            if elapsed_s is not None and (step := schedule.step_at(elapsed_s)) is not None
        ]
        return max(told, default=None)

    def moments(self, since: float, until: float, began_at: float) -> Iterator[float]:
        """Yield the times within a span at which it may say something else."""
        yield from (at for at in (self.valid_from, self.valid_to) if at is not None)
        for schedule in self.schedules:
            start = self._start(schedule, began_at)
            every_s = self.recurs_s or math.inf
            rounds = [0.0] if math.isinf(every_s) else _rounds(start, since, until, every_s)
            ends = () if schedule.duration_s is None else (schedule.duration_s,)
            for begun in rounds:
                yield from (start + begun + offset for offset in (*(step.start_s for step in schedule.steps), *ends))

    def _elapsed_s(self, schedule: Schedule, at: float, began_at: float) -> float | None:
        if self.kind is Kind.DYNAMIC:
            return schedule.steps[-1].start_s
        elapsed_s = at - self._start(schedule, began_at)
        if elapsed_s < 0:
            return None
        return elapsed_s % self.recurs_s if self.kind is Kind.RECURRING and self.recurs_s is not None else elapsed_s

    def _start(self, schedule: Schedule, began_at: float) -> float:
        """Return when a schedule starts; one that does not say so starts with its validity or the transaction."""
        if self.kind is Kind.RELATIVE:
            return began_at
        if schedule.starts_at is not None:
            return schedule.starts_at
        return began_at if self.valid_from is None else self.valid_from


def allowed_a(
    profiles: Iterable[HeldProfile],
    connector: int,
    at: float,
    *,
    maximum_a: float,
    transaction: TransactionKey | None = None,
    began_at: float | None = None,
) -> float:
    """Return what a set of profiles lets flow on a phase of a connector at a time.

    Args:
        at: UTC POSIX seconds by the charger's clock.
        maximum_a: of its hardware.
        transaction: the one that runs; None: one that is not known yet, so that no profile of another is for it.
        began_at: when that began; None: now.
    """
    concerned = [profile for profile in profiles if profile.connector in {0, connector}]
    began = at if began_at is None else began_at
    own = [
        profile
        for profile in concerned
        if profile.purpose is Purpose.TRANSACTION and profile.transaction in {None, transaction}
    ]
    led = _highest(own, at, began)
    if led is None:
        led = _highest(_of(concerned, Purpose.DEFAULT), at, began)
    first = _highest(_of(concerned, Purpose.PRIORITY), at, began)
    if first is not None:
        led = first if led is None else max(led, first)
    bounds = [
        bound
        for purpose in (Purpose.STATION_MAXIMUM, Purpose.EXTERNAL)
        if (bound := _highest(_of(concerned, purpose), at, began)) is not None
    ]
    if bounds:
        generated = _highest(_of(concerned, Purpose.GENERATION), at, began) or 0.0
        bounds = [min(bounds) + generated]
    return min(maximum_a, min(bounds, default=math.inf), math.inf if led is None else led)


def most_allowed_a(
    profiles: Iterable[HeldProfile],
    connector: int,
    since: float,
    until: float,
    *,
    maximum_a: float,
    transaction: TransactionKey | None = None,
    began_at: float | None = None,
) -> float:
    """Return the most that a set of profiles lets flow on a phase at any time of a span; arguments as above."""
    held = list(profiles)
    began = since if began_at is None else began_at
    moments = {since}
    for profile in held:
        for at in profile.moments(since, until, began):
            if since < at <= until:
                moments.add(at)
            if len(moments) * len(held) > MAX_EFFORT:
                return maximum_a
    return max(
        allowed_a(held, connector, at, maximum_a=maximum_a, transaction=transaction, began_at=began) for at in moments
    )


def _of(profiles: Iterable[HeldProfile], purpose: Purpose) -> list[HeldProfile]:
    return [profile for profile in profiles if profile.purpose is purpose]


def _highest(profiles: Iterable[HeldProfile], at: float, began_at: float) -> float | None:
    """Return what the profile with the highest level that says anything says."""
    told = [(profile.level, amps) for profile in profiles if (amps := profile.amps_at(at, began_at)) is not None]
    return max(told)[1] if told else None


def _rounds(start: float, since: float, until: float, every_s: float) -> list[float]:
    """Return by how much later than its first start a schedule starts again, within a span."""
    first = max(0, math.floor((since - start) / every_s))
    last = max(first, math.floor((until - start) / every_s))
    return [number * every_s for number in range(first, min(last, first + MAX_EFFORT) + 1)]
