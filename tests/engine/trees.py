"""Random circuit trees as rows and claims, for the exactness of shares.

The supply also has a row for the sum of its phases, in which a claim stands once for each phase that it uses; some
claims stand for several vehicles that are alike.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from custom_components.charge_cluster.engine.allocation import Claim


@dataclass(frozen=True)
class Tree:
    """Capacities of rows (site, boards, clusters, three phases each; the sum at the site) and the claims on them."""

    capacity: list[float]
    claims: list[Claim]


def a_tree(points: int, seed: int, *, lower_a: float = 0.0) -> Tree:
    """Return a three-level tree with single- and three-phase claims of random weights and bounds."""
    chance = random.Random(seed)
    clusters = max(1, points // 8)
    boards = max(1, clusters // 3)
    per_board, per_cluster = points / boards, points / clusters
    capacity = [points * chance.uniform(2.0, 14.0) for _ in range(3)]
    capacity += [per_board * chance.uniform(3.0, 16.0) for _ in range(3 * boards)]
    capacity += [per_cluster * chance.uniform(3.0, 18.0) for _ in range(3 * clusters)]
    power = len(capacity)
    capacity.append(points * chance.uniform(4.0, 24.0))
    claims = []
    load = [0.0] * len(capacity)
    for index in range(points):
        cluster = index % clusters
        board = cluster % boards
        phases = (0, 1, 2) if chance.random() < 0.4 else (chance.randrange(3),)
        rows = tuple(base + phase for base in (0, 3 + 3 * board, 3 + 3 * boards + 3 * cluster) for phase in phases)
        rows += (power,) * len(phases)
        count = chance.choice([1, 1, 2, 3])
        lower = max(0.0, min([lower_a, *((capacity[row] - load[row]) / (count * rows.count(row)) for row in rows)]))
        for row in rows:
            load[row] += count * lower
        upper = lower + chance.uniform(0.0, 32.0)
        claims.append(Claim(rows, lower, upper, chance.uniform(0.2, 40.0), count))
    return Tree(capacity, claims)
