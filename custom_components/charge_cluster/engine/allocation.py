"""Exact fair shares: weighted max-min over the rows of a tree of circuits.

A *row* is one phase of one circuit and has a capacity in amps. A *claim* is one vehicle: it uses the same amps in each
of its rows. Progressive filling raises a common level λ for all, each claim taking `max(lower, min(upper, λ·weight))`,
and freezes the claims of a row when that row is full. For rows with non-negative coefficients that fixed point is the
unique weighted max-min fair allocation (Bertsekas & Gallager, Data Networks, §6.5; Radunović & Le Boudec, 2007).

Every row's load is kept as a line `base + slope·λ`, so that an event costs two additions per row, and a heap finds
the row that fills first. A row can only fill *earlier* when a claim starts to rise; when one stops, its entry in the
heap is merely too early and is corrected when it surfaces. Cost: O((claims + freezes) × rows per claim × log rows).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

ROUNDING_A = 1e-9
"""Float noise allowed at a ceiling; shares are rounded down to the charger's step afterwards."""

FEASIBLE_WITHIN_A = 1e-6
"""Lower bounds that are over a capacity by less are float noise of many additions."""


class InfeasibleError(ValueError):
    """The lower bounds alone do not fit below a row's capacity."""

    def __init__(self, row: int, load: float, capacity: float) -> None:
        super().__init__(f"the lower bounds in row {row} add up to {load:.3f} A, more than its {capacity:.3f} A")
        self.row = row


@dataclass(frozen=True, slots=True)
class Claim:
    """What each of some vehicles that are alike may get: amps in [lower, upper], counted in each of their rows.

    A row that appears more than once counts as many times (the sum of the phases that they use).
    """

    rows: tuple[int, ...]
    lower: float
    upper: float
    weight: float = 1.0
    count: int = 1


@dataclass(frozen=True, slots=True)
class Shares:
    """The allocation, in the order of the claims."""

    amps: list[float]
    """For each vehicle of the claim."""
    bottleneck: list[int | None]
    """The row that held the claim back; None: it got its upper bound."""


def fair_shares(capacity: Sequence[float], claims: Sequence[Claim]) -> Shares:
    """Return the weighted max-min fair allocation in amps.

    Raises:
        InfeasibleError: the lower bounds do not fit.
        ValueError: a claim whose bounds or weight make no sense.
    """
    rows = len(capacity)
    base = [0.0] * rows
    slope = [0.0] * rows
    members: list[list[int]] = [[] for _ in range(rows)]
    starts: list[tuple[float, int]] = []
    ends: list[tuple[float, int]] = []
    amps = [claim.lower for claim in claims]
    bottleneck: list[int | None] = [None] * len(claims)
    for index, claim in enumerate(claims):
        lower, upper, weight = claim.lower, claim.upper, claim.weight
        if not 0.0 <= lower <= upper < math.inf or not 0.0 < weight < math.inf:
            raise ValueError(f"claim {index} is impossible: {claim}")
        for row in claim.rows:
            base[row] += claim.count * lower
            members[row].append(index)
        if upper > lower:
            starts.append((lower / weight, index))
            ends.append((upper / weight, index))
    for row, load in enumerate(base):
        if load > capacity[row] + FEASIBLE_WITHIN_A:
            raise InfeasibleError(row, load, capacity[row])
    _fill(capacity, claims, members, base, slope, starts, ends, amps, bottleneck)
    return Shares(amps, bottleneck)


def _fill(  # noqa: C901, PLR0912, PLR0915, PLR0917 - one loop over shared arrays: in parts it costs twice as much
    capacity: Sequence[float],
    claims: Sequence[Claim],
    members: list[list[int]],
    base: list[float],
    slope: list[float],
    starts: list[tuple[float, int]],
    ends: list[tuple[float, int]],
    amps: list[float],
    bottleneck: list[int | None],
) -> None:
    """Raise the level from event to event until every claim is at its upper bound or behind a full row."""
    starts.sort(reverse=True)
    ends.sort(reverse=True)
    weights = [claim.weight for claim in claims]
    counts = [claim.count for claim in claims]
    row_lists = [claim.rows for claim in claims]
    done = bytearray(len(claims))
    rising = bytearray(len(claims))
    full: list[tuple[float, int]] = []
    # A row that is full already stops its claims before they rise at all.
    for row, room in enumerate(capacity):
        if members[row] and base[row] >= room - ROUNDING_A:
            for index in members[row]:
                if not done[index]:
                    done[index] = 1
                    if claims[index].upper > claims[index].lower:
                        bottleneck[index] = row
    heapify(full)
    while True:
        while starts and done[starts[-1][1]]:
            starts.pop()
        while ends and done[ends[-1][1]]:
            ends.pop()
        if not ends:
            return
        next_start = starts[-1][0] if starts else math.inf
        next_end = ends[-1][0]
        level = min(next_start, next_end)
        if full and full[0][0] < level:
            level, row = heappop(full)
            if slope[row] <= 0.0:
                continue
            exact = (capacity[row] - base[row]) / slope[row]
            if exact > level + 1e-12 * max(1.0, level):
                heappush(full, (exact, row))
                continue
            for index in members[row]:
                if done[index]:
                    continue
                done[index] = 1
                bottleneck[index] = row
                if rising[index]:
                    share = exact * weights[index]
                    amps[index] = share
                    share, weight = counts[index] * share, counts[index] * weights[index]
                    for at in row_lists[index]:
                        base[at] += share
                        slope[at] -= weight
            slope[row] = 0.0
            continue
        if next_start <= next_end:
            touched: set[int] = set()
            while starts and starts[-1][0] == level:
                index = starts.pop()[1]
                if done[index]:
                    continue
                rising[index] = 1
                weight = counts[index] * weights[index]
                lower = counts[index] * amps[index]
                for at in row_lists[index]:
                    base[at] -= lower
                    slope[at] += weight
                touched.update(row_lists[index])
            for at in touched:
                heappush(full, ((capacity[at] - base[at]) / slope[at], at))
            continue
        index = ends.pop()[1]
        done[index] = 1
        weight = counts[index] * weights[index]
        upper = claims[index].upper
        amps[index] = upper
        upper *= counts[index]
        for at in row_lists[index]:
            base[at] += upper
            slope[at] -= weight
