"""One tree below one supply: what does not make sense is refused with its name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from custom_components.charge_cluster.engine.model import Circuit, Connector, SiteModel
from custom_components.charge_cluster.engine.topology import TopologyError

from .sites import a_circuit, a_connector


def site(*circuits: Circuit, connectors: tuple[Connector, ...] = ()) -> SiteModel:
    return SiteModel(
        circuits={circuit.circuit_id: circuit for circuit in circuits},
        connectors={connector.connector_id: connector for connector in connectors},
    )


def test_paths_lead_from_each_circuit_up_to_the_supply() -> None:
    model = site(
        a_circuit(),
        a_circuit("board", 63.0, parent_id="supply"),
        a_circuit("feeder", 32.0, parent_id="board"),
    )
    assert model.supply_id == "supply"
    assert model.paths == {
        "supply": ("supply",),
        "board": ("board", "supply"),
        "feeder": ("feeder", "board", "supply"),
    }


@pytest.mark.parametrize(
    ("circuits", "key", "subject"),
    [
        ((), "one_supply", ""),
        ((a_circuit("a"), a_circuit("b")), "one_supply", ""),
        ((a_circuit(), a_circuit("a", parent_id="b"), a_circuit("b", parent_id="a")), "own_ancestor", "a"),
        ((a_circuit(), a_circuit("a", parent_id="a")), "own_ancestor", "a"),
        ((a_circuit(), a_circuit("a", parent_id="gone")), "unknown_parent", "a"),
        ((a_circuit(rating_a=0.0, margin_a=0.0),), "impossible_rating", "supply"),
        ((a_circuit(rating_a=math.nan),), "impossible_rating", "supply"),
        ((a_circuit(rating_a=math.inf),), "impossible_rating", "supply"),
        ((a_circuit(rating_a=5.0, margin_a=5.0),), "impossible_margin", "supply"),
        ((a_circuit(margin_a=-1.0),), "impossible_margin", "supply"),
        ((a_circuit(declared_a=-1.0),), "impossible_base_load", "supply"),
        ((a_circuit(declared_a=math.inf),), "impossible_base_load", "supply"),
    ],
)
def test_circuits_that_form_no_tree_or_carry_nothing_are_refused(
    circuits: tuple[Circuit, ...], key: str, subject: str
) -> None:
    with pytest.raises(TopologyError) as refused:
        site(*circuits)
    assert (refused.value.key, refused.value.subject) == (key, subject)
    assert str(refused.value)


@pytest.mark.parametrize(
    ("facts", "key"),
    [
        ({"circuit_id": "gone"}, "unknown_circuit"),
        ({"minimum_a": 0.0}, "impossible_range"),
        ({"minimum_a": 33.0}, "impossible_range"),
        ({"minimum_single_phase_a": 33.0}, "impossible_single_phase_minimum"),
        ({"minimum_single_phase_a": 0.0}, "impossible_single_phase_minimum"),
        ({"maximum_a": math.inf}, "impossible_range"),
        ({"fallback_a": -1.0}, "impossible_fallback"),
        ({"fallback_a": 33.0}, "impossible_fallback"),
        ({"step_a": 0.0}, "impossible_step"),
        ({"rotation": ()}, "impossible_rotation"),
        ({"rotation": (0, 0)}, "impossible_rotation"),
        ({"rotation": (0, 3)}, "impossible_rotation"),
    ],
)
def test_connectors_that_make_no_sense_are_refused(facts: Mapping[str, object], key: str) -> None:
    connector = replace(a_connector("a"), **facts)  # type: ignore[arg-type]  # fields by name
    with pytest.raises(TopologyError) as refused:
        site(a_circuit(), connectors=(connector,))
    assert (refused.value.key, refused.value.subject) == (key, "a")
