"""Every field, step, error and ending that the forms can show has its words."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import SelectSelector

from tests.site_entry import (
    DOMAIN,
    a_charge_point,
    a_cluster,
    a_meter,
    a_satellite,
    a_site,
    add,
    free_port,
    set_up,
    subentry_called,
)

INTEGRATION = Path(__file__).parents[2] / "custom_components" / "charge_cluster"
WORDS: Mapping[str, Any] = json.loads((INTEGRATION / "translations" / "en.json").read_text())

ENTITIES = ["sensor.l1", "sensor.l2", "sensor.l3"]


def missing_words(schema: Any, words: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields of a form that lack a label or an explanation, and the choices without a name."""
    for marker, field in schema.schema.items():
        name = str(marker.schema)
        if isinstance(field, section):
            part = words.get("sections", {}).get(name, {})
            if "name" not in part:
                yield f"section {name}"
            yield from missing_words(field.schema, part)
            continue
        if name not in words.get("data", {}):
            yield f"label of {name}"
        if name not in words.get("data_description", {}):
            yield f"explanation of {name}"
        if isinstance(field, SelectSelector) and "translation_key" in field.config:
            options = WORDS["selector"][field.config["translation_key"]]["options"]
            yield from (f"choice {option} of {name}" for option in field.config["options"] if option not in options)


async def test_the_forms_of_a_site_have_their_words(hass: HomeAssistant) -> None:
    steps = WORDS["config"]["step"]
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert list(missing_words(flow["data_schema"], steps["user"])) == []

    entry = await set_up(hass, a_site(free_port()))
    flow = await entry.start_reconfigure_flow(hass)
    assert list(missing_words(flow["data_schema"], steps["supply"])) == []


@pytest.mark.parametrize(
    ("kind", "title", "steps"),
    [
        ("cluster", "Cluster B", {"user": "user", "reconfigure": "reconfigure"}),
        ("charge_point", "CP1", {"user": "user", "settings": "settings"}),
        ("satellite", "Post 2", {"user": "user", "settings": "settings"}),
        ("meter", "Meter", {"entities": "entities", "modbus": "modbus"}),
    ],
)
async def test_the_forms_of_what_is_added_have_their_words(
    hass: HomeAssistant, kind: str, title: str, steps: dict[str, str]
) -> None:
    meter = a_meter("Meter", ENTITIES)
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B"), a_charge_point("CP1"), meter))
    await add(hass, entry, a_satellite(subentry_called(entry, "CP1").subentry_id, 2, "Post 2"))
    words = WORDS["config_subentries"][kind]
    flows = [
        await hass.config_entries.subentries.async_init((entry.entry_id, kind), context={"source": SOURCE_USER}),
        await entry.start_subentry_reconfigure_flow(hass, subentry_called(entry, title).subentry_id),
    ]
    configure = hass.config_entries.subentries.async_configure
    if kind != "cluster":
        menu = words["step"]["reconfigure"]["menu_options"]
        assert flows[1]["menu_options"] == [option for option in menu if option != "findings"]
        flows[1] = await configure(flows[1]["flow_id"], {"next_step_id": "settings"})
    if kind == "meter":
        flows[0] = await configure(flows[0]["flow_id"], {"next_step_id": "modbus"})

    assert {flow["step_id"] for flow in flows} == set(steps)
    for flow in flows:
        assert list(missing_words(flow["data_schema"], words["step"][flow["step_id"]])) == []


def literals_of(path: Path, *, call: str) -> set[str]:
    """Return the first string that calls of a name are given in a module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and _name(node.func) == call:
            keys = [word.value for word in node.keywords if word.arg in {"key", "reason", "error"}]
            found |= {
                first.value
                for first in (*node.args[:1], *keys)
                if isinstance(first, ast.Constant) and isinstance(first.value, str)
            }
    return found


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


PROOF = literals_of(INTEGRATION / "site" / "proof.py", call="SettingsFault") | literals_of(
    INTEGRATION / "site" / "proof.py", call="fault"
)
TREE = literals_of(INTEGRATION / "engine" / "topology.py", call="TopologyError")
CIRCUIT_FAULTS = {
    key for key in PROOF | TREE if key not in {"duplicate_identity", "duplicate_connector", "unknown_circuit"}
} - {
    "impossible_range",
    "impossible_fallback",
    "impossible_step",
    "impossible_steps",
    "fallback_between_steps",
    "impossible_single_phase_minimum",
    "impossible_rotation",
    "no_phases_to_switch",
}


def test_the_keys_of_faults_were_found() -> None:
    assert {"fallback_does_not_fit", "fallback_above_neutral", "impossible_range", "impossible_neutral"} <= PROOF
    assert "own_ancestor" in TREE


def test_every_error_of_a_form_has_its_sentence() -> None:
    of_circuits = literals_of(INTEGRATION / "subentries" / "circuit.py", call="add")
    assert of_circuits
    sources = {
        "cluster": (INTEGRATION / "subentries" / "cluster.py", CIRCUIT_FAULTS | of_circuits),
        "charge_point": (INTEGRATION / "subentries" / "charge_point.py", PROOF),
        "satellite": (INTEGRATION / "subentries" / "satellite.py", PROOF - {"duplicate_identity"}),
        "meter": (INTEGRATION / "subentries" / "meter.py", set()),
    }
    for kind, (path, faults) in sources.items():
        wanted = literals_of(path, call="add") | faults
        assert wanted - WORDS["config_subentries"][kind]["error"].keys() == set()
    wanted = literals_of(INTEGRATION / "config_flow.py", call="add") | PROOF | CIRCUIT_FAULTS | of_circuits
    assert wanted - WORDS["config"]["error"].keys() == set()


def test_every_ending_of_a_form_has_its_sentence() -> None:
    config_flow = INTEGRATION / "config_flow.py"
    endings = literals_of(config_flow, call="async_abort")
    endings |= literals_of(config_flow, call="_abort_if_unique_id_configured")

    assert endings - WORDS["config"]["abort"].keys() == set()
    assert {"charge_point_added", "ignored"} <= endings


def test_placeholders_of_a_fault_are_those_that_it_brings() -> None:
    brought = {
        "fallback_does_not_fit": {"fallback", "base_load", "rating", "circuit", "excess"},
        "impossible_range": {"minimum", "maximum", "fallback", "charge_point", "identity"},
        "no_phases_to_switch": {"charge_point", "identity"},
        "impossible_fallback": {"minimum", "maximum", "fallback", "charge_point", "identity"},
        "impossible_steps": {"minimum", "maximum", "fallback", "charge_point", "identity"},
        "fallback_between_steps": {"minimum", "maximum", "fallback", "charge_point", "identity", "steps"},
        "impossible_single_phase_minimum": {
            *("minimum", "maximum", "fallback", "charge_point", "identity"),
            *("single", "most"),
        },
        "impossible_margin": {"circuit", "margin", "rating"},
        "impossible_rating": {"circuit"},
        "impossible_neutral": {"circuit", "neutral", "margin"},
        "impossible_unbalance": {"circuit", "unbalance"},
        "impossible_power": {"circuit", "power", "least"},
        "impossible_demand": {"circuit", "demand"},
        "impossible_demand_window": {"circuit", "window"},
        "impossible_generation": {"circuit", "generation"},
        "impossible_device": {"circuit", "rated", "most"},
        "rating_above_device": {"circuit", "rated", "rating"},
        "impossible_device_settings": {"circuit"},
        "fallback_above_neutral": {"fallback", "base_load", "neutral", "circuit", "excess"},
        "fallback_above_unbalance": {"fallback", "unbalance", "circuit", "excess"},
        "fallback_above_power": {"fallback", "circuit", "total", "power", "excess", "voltage"},
        "impossible_stagger": {"stagger", "most"},
        "own_ancestor": {"circuit"},
        "unknown_parent": {"circuit"},
    }
    for errors in (WORDS["config"]["error"], WORDS["config_subentries"]["charge_point"]["error"]):
        for key, known in brought.items():
            assert set(re.findall(r"{(\w+)}", errors[key])) <= known
