"""The shape of a site's circuit tree and what is wrong with one that is no tree."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .model import Circuit, Connector


SUPPLY_PHASES = frozenset({0, 1, 2})


class TopologyError(ValueError):
    """The circuits and connectors do not form one tree below one supply.

    `key` names the fault for translations; `subject` the circuit or connector at fault.
    """

    def __init__(self, key: str, subject: str, message: str) -> None:
        super().__init__(message)
        self.key = key
        self.subject = subject


def paths_of(circuits: Mapping[str, Circuit]) -> dict[str, tuple[str, ...]]:
    """Return, for each circuit, the circuits from itself up to the supply.

    Raises:
        TopologyError: see `SiteModel`.
    """
    supplies = [c for c in circuits.values() if c.parent_id is None]
    if len(supplies) != 1:
        raise TopologyError("one_supply", "", f"a site needs exactly one supply, found {len(supplies)}")
    paths: dict[str, tuple[str, ...]] = {}
    for circuit in circuits.values():
        _check_amps(circuit)
        path: list[str] = []
        at: str | None = circuit.circuit_id
        while at is not None:
            if at in path:
                raise TopologyError(
                    "own_ancestor", circuit.circuit_id, f"circuit {circuit.circuit_id} is its own ancestor"
                )
            if at not in circuits:
                raise TopologyError(
                    "unknown_parent", circuit.circuit_id, f"circuit {path[-1]} hangs on unknown circuit {at}"
                )
            path.append(at)
            at = circuits[at].parent_id
        paths[circuit.circuit_id] = tuple(path)
    return paths


def check_connectors(circuits: Mapping[str, Circuit], connectors: Mapping[str, Connector]) -> None:
    """Refuse connectors that hang on nothing or whose amps make no sense."""
    for connector in connectors.values():
        name = connector.connector_id
        if connector.circuit_id not in circuits:
            raise TopologyError(
                "unknown_circuit", name, f"connector {name} hangs on unknown circuit {connector.circuit_id}"
            )
        if not 0 < connector.minimum_a <= connector.maximum_a < math.inf:
            raise TopologyError(
                "impossible_range",
                name,
                f"connector {name}: minimum {connector.minimum_a} A, maximum {connector.maximum_a} A",
            )
        single = connector.minimum_single_phase_a
        if single is not None and not 0 < single <= connector.maximum_a:
            raise TopologyError("impossible_single_phase_minimum", name, f"connector {name}: {single} A on one phase")
        if not 0 <= connector.fallback_a <= connector.maximum_a:
            raise TopologyError("impossible_fallback", name, f"connector {name}: fallback {connector.fallback_a} A")
        if not 0 < connector.step_a <= connector.maximum_a:
            raise TopologyError("impossible_step", name, f"connector {name}: step {connector.step_a} A")
        if connector.steps_a is not None and not are_steps(connector.steps_a, 0.0, connector.maximum_a):
            raise TopologyError("impossible_steps", name, f"connector {name}: currents {connector.steps_a} A")
        rotation = connector.rotation
        if rotation is not None and (
            not rotation or not set(rotation) <= SUPPLY_PHASES or len(set(rotation)) != len(rotation)
        ):
            raise TopologyError("impossible_rotation", name, f"connector {name}: rotation {rotation}")


def are_steps(steps_a: Sequence[float], least_a: float, most_a: float) -> bool:
    """Return whether these are the currents of a charger: some, ascending, above 0 A and within its range."""
    return (
        bool(steps_a)
        and all(0.0 < amps < math.inf for amps in steps_a)
        and all(lower < higher for lower, higher in pairwise(steps_a))
        and least_a <= steps_a[0]
        and steps_a[-1] <= most_a
    )


def _check_amps(circuit: Circuit) -> None:
    name = circuit.circuit_id
    if any(not 0 < amps < math.inf for amps in circuit.rating_a):
        raise TopologyError("impossible_rating", name, f"circuit {name}: rating {circuit.rating_a} A")
    if any(not 0 <= margin < rating for margin, rating in zip(circuit.margin_a, circuit.rating_a, strict=True)):
        raise TopologyError("impossible_margin", name, f"circuit {name}: margin {circuit.margin_a} A")
    base = circuit.declared_base_load_a
    if base is not None and any(not 0 <= amps < math.inf for amps in base):
        raise TopologyError("impossible_base_load", name, f"circuit {name}: declared base load {base} A")
