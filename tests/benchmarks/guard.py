"""The guard's figures: what each fault costs, how long a pass takes as a site grows, how soon a breach is answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import breach, faults, pass_times
from .faults import FAULTS, MOMENTS_S, NAME, Fault
from .report import Row

__all__ = ["NAME", "QUICK", "Extent", "measure"]

QUICK_FAULTS = ("meter silent", "everything dies and stays dead")
QUICK_MOMENTS_S = (120.0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    faults: tuple[Fault, ...] = FAULTS
    moments_s: tuple[float, ...] = MOMENTS_S
    passes: pass_times.Extent = field(default_factory=pass_times.Extent)
    breach: breach.Extent | None = field(default_factory=breach.Extent)
    """None: no Home Assistant is started."""


QUICK = Extent(
    faults=tuple(fault for fault in FAULTS if fault.name in QUICK_FAULTS),
    moments_s=QUICK_MOMENTS_S,
    passes=pass_times.QUICK,
    breach=None,
)


def measure(extent: Extent) -> Iterator[Row]:
    """Yield the figures."""
    yield from faults.measure(extent.moments_s, extent.faults)
    yield from pass_times.measure(extent.passes)
    if extent.breach is not None:
        yield from breach.measure(extent.breach)
