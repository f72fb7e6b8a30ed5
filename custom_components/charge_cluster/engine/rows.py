"""The rows of a site: every ceiling of every circuit is one row with a capacity in amps.

Each circuit has a row for each phase. Where a site has such ceilings at all, each circuit also has one for the sum of
its phases (three-phase power) and one per phase for what may load that phase alone (unbalance, neutral). A vehicle
takes the same amps out of each of its rows; in the row of the sum it stands once for each phase that it uses. Rows of
one kind lie in the same place for every circuit, so that sums climb from a circuit to its parent by position.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .model import PHASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import SiteModel

PHASE_ROWS = 3


@dataclass(slots=True, eq=False)
class Layout:
    """Where the rows of a site's circuits lie: circuit i has rows i·stride to (i + 1)·stride − 1."""

    circuit_ids: tuple[str, ...]
    stride: int
    power_at: int | None
    """Place of the sum of the phases among a circuit's rows; None: no circuit has such a ceiling."""
    balance_at: int | None
    """Place of the first of three rows for what loads one phase alone; None: as above."""
    climb_order: tuple[tuple[int, int], ...]
    """(first row of a circuit, first row of its parent), the deepest circuits first."""
    index_of: dict[str, int]
    paths: dict[str, tuple[str, ...]]
    _known: dict[tuple[str, tuple[int, ...], bool], tuple[tuple[int, ...], tuple[int, ...]]] = field(
        default_factory=dict
    )

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self.stride * len(self.circuit_ids)

    def rows_of(
        self, circuit_id: str, phases: tuple[int, ...], *, balanced: bool
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the rows in its own circuit, and those from there up to the supply, of a vehicle on these phases.

        `balanced`: it is known to load all of its phases alike and needs no room in the rows of one phase alone.
        """
        key = (circuit_id, phases, balanced)
        known = self._known.get(key)
        if known is None:
            below = [self._within(phases, balanced=balanced and len(phases) == PHASE_ROWS)]
            own = tuple(self.stride * self.index_of[circuit_id] + place for place in below[0])
            path = tuple(
                self.stride * self.index_of[above] + place for above in self.paths[circuit_id] for place in below[0]
            )
            known = self._known[key] = (own, path)
        return known

    def _within(self, phases: tuple[int, ...], *, balanced: bool) -> tuple[int, ...]:
        places = list(phases)
        if self.power_at is not None:
            places += [self.power_at] * len(phases)
        if self.balance_at is not None and not balanced:
            places += [self.balance_at + phase for phase in phases]
        return tuple(places)

    def climb(self, sums: list[float]) -> None:
        """Add what was summed up for each circuit by itself to all circuits above it."""
        places = range(self.stride)
        for child, parent in self.climb_order:
            for place in places:
                amps = sums[child + place]
                if amps:
                    sums[parent + place] += amps

    def first_row(self, circuit_id: str) -> int:
        """Return the first row of a circuit: that of its first phase."""
        return self.stride * self.index_of[circuit_id]

    def circuit_of(self, row: int) -> str:
        """Return the circuit that a row belongs to."""
        return self.circuit_ids[row // self.stride]


def layout_of(site: SiteModel, *, capped_in_watts: bool = False) -> Layout:
    """Return the layout of a site; the same one each time."""
    power = capped_in_watts or any(c.power_va is not None or c.demand is not None for c in site.circuits.values())
    balance = any(c.unbalance_a is not None or c.neutral_a is not None for c in site.circuits.values())
    layout = site.layouts.get(power)
    if layout is None:
        layout = site.layouts[power] = _build(site, power=power, balance=balance)
    return layout


def _build(site: SiteModel, *, power: bool, balance: bool) -> Layout:
    circuit_ids = tuple(site.circuits)
    index_of = {circuit_id: index for index, circuit_id in enumerate(circuit_ids)}
    stride = PHASE_ROWS + (1 if power else 0) + (PHASE_ROWS if balance else 0)
    deepest_first = sorted(circuit_ids, key=lambda circuit_id: len(site.paths[circuit_id]), reverse=True)
    climb_order: list[tuple[int, int]] = []
    for circuit_id in deepest_first:
        parent_id = site.circuits[circuit_id].parent_id
        if parent_id is not None:
            climb_order.append((stride * index_of[circuit_id], stride * index_of[parent_id]))
    return Layout(
        circuit_ids=circuit_ids,
        stride=stride,
        power_at=PHASE_ROWS if power else None,
        balance_at=(PHASE_ROWS + (1 if power else 0)) if balance else None,
        climb_order=tuple(climb_order),
        index_of=index_of,
        paths=dict(site.paths),
    )


def total_of(amps: Sequence[float]) -> float:
    """Return the sum over the phases."""
    return sum(amps[phase] for phase in PHASES)
