"""What the meters of a site say to a pass: who guards a circuit, and who only tells what is fed in below it.

A circuit has one guard at most. A meter of generation guards nothing: its silence makes no circuit stale, and taking it
away leaves nothing unguarded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..engine.model import MeterReading, MeterScope
from .meter import MeterState
from .settings import MeterSettings


def guarded_circuits(meters: Iterable[MeterSettings]) -> set[str]:
    """Return the circuits that have a meter which says what flows through them."""
    return {meter.circuit_id for meter in meters if meter.scope is not MeterScope.GENERATION}


def guards(meters: Iterable[MeterState]) -> list[MeterState]:
    """Return the meters that guard a circuit."""
    return [meter for meter in meters if meter.settings.scope is not MeterScope.GENERATION]


def guard_readings(meters: Iterable[MeterState], unguarded: Collection[str]) -> dict[str, MeterReading | None]:
    """Return the newest reading of each guarded circuit; none of those that lost their guard."""
    readings = {meter.settings.circuit_id: meter.reading() for meter in guards(meters)}
    return readings | dict.fromkeys(unguarded)


def guard_timeouts(meters: Iterable[MeterState]) -> dict[str, float]:
    """Return the age, in s, from which the guard of each circuit is not believed."""
    return {meter.settings.circuit_id: meter.timeout_s for meter in guards(meters)}


def generation_readings(meters: Iterable[MeterState]) -> dict[str, MeterReading | None]:
    """Return what is fed in below each circuit where a meter tells it."""
    return {
        meter.settings.circuit_id: meter.reading() for meter in meters if meter.settings.scope is MeterScope.GENERATION
    }


def unheard_circuits(meters: Iterable[MeterState], now: float) -> frozenset[str]:
    """Return the circuits whose guard was started a moment ago and has had no time to report."""
    return frozenset(meter.settings.circuit_id for meter in guards(meters) if meter.unheard(now))


def measured_powers(meters: Iterable[MeterState]) -> dict[str, float]:
    """Return the power through circuits, in W, where the guard sees all that flows and measures power."""
    return {
        meter.settings.circuit_id: meter.sample.power_w
        for meter in meters
        if meter.settings.scope is MeterScope.EVERYTHING
        and meter.sample is not None
        and meter.sample.power_w is not None
    }
