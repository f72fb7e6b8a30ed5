"""Two independent judges of fair shares: linear programmes, and the bottleneck condition itself.

The linear programmes know nothing of filling: the common level is maximised, whoever then cannot rise (its dual price
is positive, so that every optimal solution leaves it there) is fixed, and the next programme is solved for the others.
The bottleneck condition is what only the max-min fair allocation fulfils, and checking it costs one look at each row.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, eye_array, hstack, vstack

from custom_components.charge_cluster.engine.allocation import Claim

PRICE = 1e-9
"""A dual price above this is one: the prices of a programme add up to 1, weighted."""

TOLERANCES = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
"""The tightest that HiGHS knows."""


class OutOfPatience(Exception):
    """The linear programmes took too long."""


class NoAnswer(Exception):
    """The solver did not solve a programme that has a solution."""


def shares_by_lp(capacity: Sequence[float], claims: Sequence[Claim], *, patience_s: float) -> tuple[list[float], int]:
    """Return the weighted max-min fair allocation in amps, and how many programmes it took.

    Raises:
        OutOfPatience: it took longer than `patience_s`.
        NoAnswer: the solver gave up.
    """
    give_up_at = time.monotonic() + patience_s
    uses = _uses(capacity, claims)
    weights = np.array([claim.weight for claim in claims])
    lower = np.array([claim.lower for claim in claims])
    upper = np.array([claim.upper for claim in claims])
    amps = lower.copy()
    rising = np.arange(len(claims))
    programmes = 0
    while rising.size:
        if time.monotonic() > give_up_at:
            raise OutOfPatience(f"{rising.size} of {len(claims)} shares were left after {programmes} programmes")
        settled = np.ones(len(claims), dtype=bool)
        settled[rising] = False
        room = np.array(capacity) - uses[:, settled] @ amps[settled]
        level, prices = _highest_level(uses[:, rising], room, weights[rising], lower[rising], upper[rising])
        programmes += 1
        stuck = prices > PRICE
        if not stuck.any():
            raise NoAnswer("no price is positive")
        who = rising[stuck]
        amps[who] = np.clip(level * weights[who], lower[who], upper[who])
        rising = rising[~stuck]
    return amps.tolist(), programmes


def _uses(capacity: Sequence[float], claims: Sequence[Claim]) -> Any:
    pairs = [(row, index) for index, claim in enumerate(claims) for row in claim.rows]
    rows, columns = zip(*pairs, strict=True)
    return csr_array(coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(capacity), len(claims))))


def _highest_level(uses: Any, room: Any, weights: Any, lower: Any, upper: Any) -> tuple[float, Any]:
    """Maximise the level λ with `amps ≥ λ·weight` for all, and return it with the price of each of these rows."""
    count = len(weights)
    keeps_up = hstack([-eye_array(count), csr_array(weights.reshape(-1, 1))])
    fits = hstack([uses, csr_array((uses.shape[0], 1))])
    objective = np.zeros(count + 1)
    objective[-1] = -1.0
    solved = linprog(
        objective,
        A_ub=vstack([fits, keeps_up]),
        b_ub=np.concatenate([room, np.zeros(count)]),
        bounds=np.column_stack([np.append(lower, 0.0), np.append(upper, np.inf)]),
        method="highs",
        options=TOLERANCES,
    )
    if solved.status != 0:
        raise NoAnswer(solved.message)
    return float(solved.x[-1]), -solved.ineqlin.marginals[len(room) :]


def bottleneck_gap_a(capacity: Sequence[float], claims: Sequence[Claim], amps: Sequence[float]) -> float:
    """Return by how many amps an allocation misses being max-min fair: 0 is perfect.

    Everybody must be within its bounds and no row over its capacity; and whoever is below its upper bound must stand
    in a full row in which nobody who could give way has a higher level.
    """
    members: Mapping[int, list[int]] = {row: [] for row in range(len(capacity))}
    for index, claim in enumerate(claims):
        for row in claim.rows:
            members[row].append(index)
    free = [room - math.fsum(amps[index] for index in members[row]) for row, room in enumerate(capacity)]
    highest = [
        max((amps[i] / claims[i].weight for i in members[row] if amps[i] > claims[i].lower), default=0.0)
        for row in range(len(capacity))
    ]
    gap = max(0.0, -min(free))
    for claim, share in zip(claims, amps, strict=True):
        gap = max(gap, claim.lower - share, share - claim.upper)
        held_back = min(
            max(free[row], highest[row] * claim.weight - share)  # what it could take there, fairly
            for row in claim.rows
        )
        gap = max(gap, min(claim.upper - share, held_back))
    return gap
