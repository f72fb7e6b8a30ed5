"""How long exact shares take, how exact they are, and what rules of sharing come to in a staff car park."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from custom_components.charge_cluster.engine.allocation import fair_shares

from . import staff_shares
from .car_parks import CarPark, a_car_park
from .measuring import timed
from .oracle import OutOfPatience, bottleneck_gap_a, shares_by_lp
from .progress import say
from .report import Row
from .staff_shares import NAME

__all__ = ["NAME", "QUICK", "Extent", "measure"]

TARGET_MS = 10.0
TARGET_CONNECTORS = 1000
TARGET_DEVIATION_A = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    connectors: tuple[int, ...] = (10, 100, 1000)
    seeds: int = 5
    """Car parks of each size."""
    repeats: int = 20
    """Calls for each car park."""
    lp_patience_s: float = 60.0
    staff: staff_shares.Extent = field(default_factory=staff_shares.Extent)


QUICK = Extent(connectors=(6, 12), seeds=1, repeats=3, lp_patience_s=10.0, staff=staff_shares.QUICK)


def measure(extent: Extent) -> Iterator[Row]:
    """Yield the figures, size by size."""
    for connectors in extent.connectors:
        say(f"shares: {connectors} connectors")
        parks = [a_car_park(connectors, seed) for seed in range(extent.seeds)]
        yield from _time_of_shares(parks, connectors, extent)
        yield from _exactness(parks, connectors, extent)
    yield from staff_shares.measure(extent.staff)


def _time_of_shares(parks: list[CarPark], connectors: int, extent: Extent) -> Iterator[Row]:
    calls = [partial(fair_shares, park.capacity, park.claims) for park in parks] * extent.repeats
    timing = timed(calls)
    target = TARGET_MS if connectors == TARGET_CONNECTORS else None
    subject = f"fair_shares, {connectors}"
    note = f"{len(calls)} calls"
    yield Row(
        benchmark=NAME,
        subject=subject,
        figure="CPU, median",
        value=timing.median_ms,
        unit="ms",
        target=target,
        ratio=timing.ratio,
        note=note,
    )
    yield Row(benchmark=NAME, subject=subject, figure="CPU, p95", value=timing.p95_ms, unit="ms", target=target)


def _exactness(parks: list[CarPark], connectors: int, extent: Extent) -> Iterator[Row]:
    subject = f"fair_shares, {connectors}"
    ours = [fair_shares(park.capacity, park.claims).amps for park in parks]
    gaps = [bottleneck_gap_a(park.capacity, park.claims, amps) for park, amps in zip(parks, ours, strict=True)]
    yield Row(
        benchmark=NAME,
        subject=subject,
        figure="bottleneck condition missed by",
        value=max(gaps),
        unit="A",
        target=TARGET_DEVIATION_A,
        note=f"worst of {len(parks)} car parks",
    )
    deviations: list[float] = []
    programmes = 0
    begun = time.monotonic()
    for park, amps in zip(parks, ours, strict=True):
        left_s = begun + extent.lp_patience_s - time.monotonic()
        say(f"shares: {connectors} connectors, linear programmes for car park {len(deviations) + 1}")
        try:
            theirs, needed = shares_by_lp(park.capacity, park.claims, patience_s=left_s)
        except OutOfPatience as patience:
            say(f"shares: {patience}")
            break
        programmes += needed
        deviations.append(max(abs(a - b) for a, b in zip(amps, theirs, strict=True)))
    if not deviations:
        return
    yield Row(
        benchmark=NAME,
        subject=subject,
        figure="deviation from LP",
        value=max(deviations),
        unit="A",
        target=TARGET_DEVIATION_A,
        note=f"worst of {len(deviations)} car parks, {programmes} LPs in {time.monotonic() - begun:.1f} s",
    )
