"""The central system's figures: its RPC layer beside others, and a whole fleet in a real Home Assistant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import fleet, rpc
from .report import Row
from .rpc import NAME

__all__ = ["NAME", "QUICK", "Extent", "measure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    rpc: rpc.Extent | None = field(default_factory=rpc.Extent)
    """None: the layer alone is left out."""
    fleet: fleet.Extent | None = field(default_factory=fleet.Extent)
    """None: no Home Assistant is started."""


QUICK = Extent(rpc=rpc.QUICK, fleet=None)


def measure(extent: Extent) -> Iterator[Row]:
    """Yield the figures."""
    if extent.rpc is not None:
        yield from rpc.measure(extent.rpc)
    if extent.fleet is not None:
        yield from fleet.measure(extent.fleet)
