"""Small sites for the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from custom_components.charge_cluster.engine.model import Circuit, Connector, PhaseAmps, SharingRule, SiteModel

from .closed_loop import Charger, Stage

THREE = (0, 1, 2)


def all_phases(amps: float) -> PhaseAmps:
    """Return the same current on each phase."""
    return (amps, amps, amps)


def a_circuit(
    circuit_id: str = "supply",
    rating_a: float = 100.0,
    *,
    parent_id: str | None = None,
    margin_a: float = 5.0,
    declared_a: float | None = 20.0,
    sharing: SharingRule | None = None,
) -> Circuit:
    """Return a circuit with the same rating on each phase."""
    return Circuit(
        circuit_id=circuit_id,
        parent_id=parent_id,
        rating_a=all_phases(rating_a),
        margin_a=all_phases(margin_a),
        declared_base_load_a=None if declared_a is None else all_phases(declared_a),
        sharing=sharing,
    )


def a_connector(
    key: str, circuit_id: str = "supply", rotation: tuple[int, ...] | None = THREE, **facts: object
) -> Connector:
    """Return a connector."""
    usual = Connector(connector_id=key, circuit_id=circuit_id, rotation=rotation)
    return replace(usual, **facts)  # type: ignore[arg-type]  # fields by name


def a_stage(
    *connectors: Connector,
    circuits: tuple[Circuit, ...] = (a_circuit(),),
    base_load: Callable[[float], PhaseAmps] = lambda _: all_phases(20.0),
    **facts: object,
) -> Stage:
    """Return a stage with a charger for each connector and nothing plugged in."""
    site = SiteModel(
        circuits={circuit.circuit_id: circuit for circuit in circuits},
        connectors={connector.connector_id: connector for connector in connectors},
    )
    chargers = {key: Charger(connector=connector) for key, connector in site.connectors.items()}
    return Stage(site=site, chargers=chargers, base_load=base_load, **facts)  # type: ignore[arg-type]  # fields by name


def named(count: int) -> list[str]:
    """Return names for so many connectors."""
    return [f"c{number:02}" for number in range(count)]
