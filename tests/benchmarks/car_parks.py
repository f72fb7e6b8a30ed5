"""Car parks to take figures of: any number of connectors below a supply, boards and clusters.

Two fifths of the connectors are three-phase with rotated phases, the others stand on one phase each; some cars take
16 A at most, some owners set a cap, and ratings differ from circuit to circuit and phase to phase, so that cars are
held back on every level. The same number and seed always give the same car park.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from custom_components.charge_cluster.engine.allocation import Claim
from custom_components.charge_cluster.engine.model import PHASES, Circuit, Connector, PhaseAmps, SiteModel

CONNECTORS_PER_CLUSTER = 20
CLUSTERS_PER_BOARD = 5
SUPPLY = "supply"
MARGIN_A = 2.0
THREE_PHASE_SHARE = 0.4
CAPPED_SHARE = 0.1
SMALL_SHARE = 0.3

ROOM = {"supply": (0.35, 0.55), "board": (0.3, 0.8), "cluster": (0.3, 1.0)}
"""Of what lies between everybody's minimum and everybody's most, so much is there for each kind of circuit."""


@dataclass(frozen=True, slots=True)
class CarPark:
    """A site, what each vehicle may get, and what flows beside the vehicles."""

    site: SiteModel
    capacity: Sequence[float]
    """Amps for vehicles per row: three phases for each circuit, in the order of the site's circuits."""
    claims: Sequence[Claim]
    """In the order of the site's connectors."""
    base_load_a: PhaseAmps


def a_car_park(connectors: int, seed: int) -> CarPark:
    """Return a car park; the seed decides on its cars, ratings and weights."""
    chance = random.Random(seed)
    parents = _circuits(connectors)
    clusters = [circuit_id for circuit_id in parents if circuit_id.startswith("cluster")]
    fleet = [_connector(index, clusters[index % len(clusters)], chance) for index in range(connectors)]
    rows_of = {circuit_id: 3 * index for index, circuit_id in enumerate(parents)}
    claims = [_claim(connector, parents, rows_of, chance) for connector in fleet]
    capacity = _capacity(parents, claims, chance)
    base = float(connectors)
    site = SiteModel(
        circuits={
            circuit_id: _circuit(circuit_id, parent, capacity[rows_of[circuit_id] :][:3], base)
            for circuit_id, parent in parents.items()
        },
        connectors={connector.connector_id: connector for connector in fleet},
    )
    return CarPark(site, capacity, claims, (base, base, base))


def _circuits(connectors: int) -> Mapping[str, str | None]:
    """Return the parent of each circuit."""
    clusters = max(2, connectors // CONNECTORS_PER_CLUSTER)
    boards = max(1, clusters // CLUSTERS_PER_BOARD)
    return {
        SUPPLY: None,
        **{f"board {board}": SUPPLY for board in range(boards)},
        **{f"cluster {cluster}": f"board {cluster % boards}" for cluster in range(clusters)},
    }


def _connector(index: int, cluster: str, chance: random.Random) -> Connector:
    three_phase = chance.random() < THREE_PHASE_SHARE
    first = index % 3
    return Connector(
        connector_id=f"connector {index}",
        circuit_id=cluster,
        rotation=(first, (first + 1) % 3, (first + 2) % 3) if three_phase else (chance.randrange(3),),
        maximum_a=16.0 if chance.random() < SMALL_SHARE else 32.0,
        cap_a=chance.choice([8.0, 10.0, 13.0]) if chance.random() < CAPPED_SHARE else None,
        priority=chance.randrange(3),
    )


def _claim(
    connector: Connector, parents: Mapping[str, str | None], rows_of: Mapping[str, int], chance: random.Random
) -> Claim:
    rows: list[int] = []
    at: str | None = connector.circuit_id
    while at is not None:
        rows += (rows_of[at] + phase for phase in connector.phases)
        at = parents[at]
    upper = connector.maximum_a if connector.cap_a is None else connector.cap_a
    return Claim(tuple(rows), connector.minimum_a, upper, upper * chance.uniform(0.5, 2.0))


def _capacity(parents: Mapping[str, str | None], claims: Sequence[Claim], chance: random.Random) -> list[float]:
    least = [0.0] * (3 * len(parents))
    most = [0.0] * (3 * len(parents))
    for claim in claims:
        for row in claim.rows:
            least[row] += claim.lower
            most[row] += claim.upper
    capacity: list[float] = []
    for circuit_id in parents:
        room = ROOM[circuit_id.partition(" ")[0]]
        for _ in PHASES:
            row = len(capacity)
            # One more amp, so that a phase on which nobody stands has a rating too.
            capacity.append(1.0 + least[row] + chance.uniform(*room) * (most[row] - least[row]))
    return capacity


def _circuit(circuit_id: str, parent_id: str | None, room: Sequence[float], base_a: float) -> Circuit:
    beside = MARGIN_A + (base_a if parent_id is None else 0.0)
    l1, l2, l3 = (amps + beside for amps in room)
    return Circuit(
        circuit_id=circuit_id,
        parent_id=parent_id,
        rating_a=(l1, l2, l3),
        margin_a=(MARGIN_A, MARGIN_A, MARGIN_A),
        declared_base_load_a=(base_a, base_a, base_a) if parent_id is None else None,
    )
