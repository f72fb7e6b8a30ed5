"""Adding and changing a charge point by hand."""

from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.charge_cluster.ocpp.versions import OcppVersion
from custom_components.charge_cluster.subentries.charge_point import one_each, rotations, turned
from tests.site_entry import (
    SUPPLY,
    a_charge_point,
    a_cluster,
    a_site,
    free_port,
    set_up,
    settings_form,
    subentry_called,
)

IMPOSSIBLE_ON_ONE = "impossible_single_phase_minimum"
ADVANCED = {"minimum": 6, "step": 1, "priority": 0, "onward": False}


def filled_in(**changes: Any) -> dict[str, Any]:
    """Return a form as most fill it in."""
    return {
        "name": "Place 1",
        "identity": "CP1",
        "cluster": SUPPLY,
        "connectors": 1,
        "maximum": 32,
        "rotation": "l1_l2_l3",
        "security": "basic",
        "advanced": ADVANCED,
    } | changes


async def begun(hass: HomeAssistant, entry: MockConfigEntry, form: dict[str, Any]) -> Any:
    """Return the answer to a filled-in form for a new charge point."""
    flow = await hass.config_entries.subentries.async_init(
        (entry.entry_id, "charge_point"), context={"source": SOURCE_USER}
    )
    return await hass.config_entries.subentries.async_configure(flow["flow_id"], form)


async def confirmed(hass: HomeAssistant, step: Any) -> Any:
    """Submit the step that shows the key."""
    result = await hass.config_entries.subentries.async_configure(step["flow_id"], {})
    await hass.async_block_till_done()
    return result


async def test_the_last_step_shows_address_and_key_then_the_charge_point_joins(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port()))

    step = await begun(hass, entry, filled_in())
    assert step["step_id"] == "connect"
    shown = step["description_placeholders"]
    result = await confirmed(hass, step)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    [point] = entry.runtime_data.site.settings.charge_points
    assert (point.name, point.identity, point.circuit_id) == ("Place 1", "CP1", SUPPLY)
    assert point.key == shown["key"]
    assert len(shown["key"]) == 20
    assert shown["url"].startswith("ws://")
    assert shown["url"].endswith(f":{port}/CP1")


async def test_keys_differ_and_plain_has_none(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))

    first = await begun(hass, entry, filled_in())
    second = await begun(hass, entry, filled_in(name="Place 2", identity="CP2"))
    plain = await begun(hass, entry, filled_in(name="Place 3", identity="CP3", security="plain"))
    await confirmed(hass, plain)

    assert first["description_placeholders"]["key"] != second["description_placeholders"]["key"]
    assert plain["description_placeholders"]["key"] == "–"
    assert entry.runtime_data.site.settings.charge_points[0].key is None


async def test_without_a_fallback_given_all_have_their_minimum_as_long_as_that_fits(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), base_load=50.0))

    def fallbacks() -> list[float]:
        return [point.fallback_a for point in entry.runtime_data.site.settings.charge_points]

    await confirmed(hass, await begun(hass, entry, filled_in()))
    await confirmed(hass, await begun(hass, entry, filled_in(name="Place 2", identity="CP2")))
    assert fallbacks() == [6.0, 6.0]

    await confirmed(hass, await begun(hass, entry, filled_in(name="Place 3", identity="CP3")))
    assert fallbacks() == [0.0, 0.0, 0.0]


async def test_a_fallback_that_does_not_fit_is_refused_with_the_figures(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), base_load=20.0))
    for number in (1, 2):
        form = filled_in(name=f"Place {number}", identity=f"CP{number}", fallback=16)
        await confirmed(hass, await begun(hass, entry, form))

    step = await begun(hass, entry, filled_in(name="Place 3", identity="CP3", fallback=16))

    assert step["errors"] == {"fallback": "fallback_does_not_fit"}
    assert step["description_placeholders"] == {
        "fallback": "3 × 16 A",
        "base_load": "20",
        "rating": "63",
        "circuit": "Depot",
        "excess": "5",
    }


@pytest.mark.parametrize(
    ("told", "key", "excess"),
    [
        ({"neutral": 35.0}, "fallback_above_neutral", "7"),
        ({"unbalance": 20.0}, "fallback_above_unbalance", "12"),
        ({"power": 30.0}, "fallback_above_power", "1.9"),
    ],
)
async def test_a_fallback_that_another_ceiling_does_not_hold_is_refused_at_its_field(
    hass: HomeAssistant, told: dict[str, Any], key: str, excess: str
) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", fallback=16.0), **told))

    step = await begun(hass, entry, filled_in(name="Place 2", identity="CP2", fallback=16))

    assert step["errors"] == {"fallback": key}
    assert step["description_placeholders"]["excess"] == excess


async def test_without_a_fallback_given_a_thin_neutral_leaves_none(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), neutral=20.0))

    for number in (1, 2):
        await confirmed(hass, await begun(hass, entry, filled_in(name=f"Place {number}", identity=f"CP{number}")))

    assert [point.fallback_a for point in entry.runtime_data.site.settings.charge_points] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("wrong", "errors"),
    [
        ({"name": " "}, {"name": "name_missing"}),
        ({"identity": "no spaces"}, {"identity": "invalid_identity"}),
        ({"identity": "a/b"}, {"identity": "invalid_identity"}),
        ({"identity": "x" * 49}, {"identity": "invalid_identity"}),
        ({"maximum": 5}, {"maximum": "impossible_range"}),
        ({"fallback": 3}, {"fallback": "impossible_fallback"}),
        ({"advanced": ADVANCED | {"minimum_single_phase": 5}}, {"minimum_single_phase": IMPOSSIBLE_ON_ONE}),
        ({"advanced": ADVANCED | {"minimum_single_phase": 33}}, {"minimum_single_phase": IMPOSSIBLE_ON_ONE}),
        (
            {"advanced": ADVANCED | {"minimum_single_phase": 11, "steps": "6, 10"}},
            {"minimum_single_phase": IMPOSSIBLE_ON_ONE},
        ),
        ({"advanced": ADVANCED | {"steps": "6, 10, 8"}}, {"steps": "impossible_steps"}),
        ({"advanced": ADVANCED | {"steps": "6, 6"}}, {"steps": "impossible_steps"}),
        ({"advanced": ADVANCED | {"steps": "6, many"}}, {"steps": "impossible_steps"}),
        ({"advanced": ADVANCED | {"steps": "6, nan, 10"}}, {"steps": "impossible_steps"}),
        ({"advanced": ADVANCED | {"steps": "6, inf"}}, {"steps": "impossible_steps"}),
        ({"advanced": ADVANCED | {"steps": "4, 6, 8"}}, {"steps": "impossible_steps"}),
        ({"advanced": ADVANCED | {"steps": "6, 8, 40"}}, {"steps": "impossible_steps"}),
        ({"advanced": ADVANCED | {"steps": "40, 48"}}, {"steps": "impossible_steps"}),
        ({"advanced": ADVANCED | {"steps": "6, 8, 10"}, "fallback": 7}, {"fallback": "fallback_between_steps"}),
    ],
)
async def test_impossible_values_are_refused_at_their_field(
    hass: HomeAssistant, wrong: dict[str, Any], errors: dict[str, str]
) -> None:
    entry = await set_up(hass, a_site(free_port()))

    step = await begun(hass, entry, filled_in(**wrong))

    assert step["errors"] == errors


async def test_the_currents_that_it_knows_are_stored_and_shown_as_they_were_typed(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), base_load=20.0))

    form = filled_in(advanced=ADVANCED | {"steps": "8; 10 13,16"})
    await confirmed(hass, await begun(hass, entry, form))

    [point] = entry.runtime_data.site.settings.charge_points
    assert point.steps_a == (8.0, 10.0, 13.0, 16.0)
    # It charges with 8 A or more, and so does its fallback.
    assert (point.connectors[0].minimum_a, point.fallback_a) == (8.0, 8.0)
    flow = await settings_form(hass, entry, "Place 1")
    assert flow["data_schema"] is not None
    advanced = next(field for marker, field in flow["data_schema"].schema.items() if marker == "advanced")
    shown = {str(marker): (marker.description or {}).get("suggested_value") for marker in advanced.schema.schema}
    assert shown["steps"] == "8, 10, 13, 16"

    form = filled_in(name="Place 1", advanced=ADVANCED)
    await hass.config_entries.subentries.async_configure(flow["flow_id"], form)
    await hass.async_block_till_done()
    assert entry.runtime_data.site.settings.charge_points[0].steps_a is None


async def test_an_identity_is_taken_on_the_port_and_not_only_at_the_site(hass: HomeAssistant) -> None:
    port = free_port()
    entry = await set_up(hass, a_site(port))
    await set_up(hass, a_site(port, a_charge_point("CP1"), name="Office"))
    await set_up(hass, a_site(free_port(), a_charge_point("CP2"), name="Elsewhere"))

    taken = await begun(hass, entry, filled_in(identity="CP1"))
    free = await begun(hass, entry, filled_in(identity="CP2"))

    assert taken["errors"] == {"identity": "identity_taken"}
    assert taken["description_placeholders"]["site"] == "Office"
    assert free["step_id"] == "connect"


async def test_a_name_is_taken(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    step = await begun(hass, entry, filled_in(name="cp1", identity="CP2"))

    assert step["errors"] == {"name": "name_taken"}


async def test_two_connectors_are_wired_one_phase_on(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))

    form = filled_in(connectors=2, advanced=ADVANCED | {"onward": True})
    await confirmed(hass, await begun(hass, entry, form))

    [point] = entry.runtime_data.site.settings.charge_points
    assert [connector.rotation for connector in point.connectors] == [(0, 1, 2), (1, 2, 0)]


async def test_switching_phases_is_off_unless_it_is_chosen(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))

    await confirmed(hass, await begun(hass, entry, filled_in()))
    form = filled_in(name="Place 2", identity="CP2", advanced=ADVANCED | {"switches_phases": True})
    await confirmed(hass, await begun(hass, entry, form))

    points = entry.runtime_data.site.settings.charge_points
    assert [point.switches_phases for point in points] == [False, True]


async def test_the_best_version_is_spoken_unless_one_is_insisted_on(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))

    await confirmed(hass, await begun(hass, entry, filled_in()))
    form = filled_in(name="Place 2", identity="CP2", advanced=ADVANCED | {"ocpp_version": "ocpp201"})
    await confirmed(hass, await begun(hass, entry, form))

    points = entry.runtime_data.site.settings.charge_points
    assert [point.version for point in points] == [None, OcppVersion.V201]


@pytest.mark.parametrize("rotation", ["unknown", "l2"])
async def test_phases_are_switched_only_where_three_are_known(hass: HomeAssistant, rotation: str) -> None:
    entry = await set_up(hass, a_site(free_port()))

    form = filled_in(rotation=rotation, advanced=ADVANCED | {"switches_phases": True})
    step = await begun(hass, entry, form)

    assert step["errors"] == {"rotation": "no_phases_to_switch"}
    assert not entry.runtime_data.site.settings.charge_points


async def test_a_single_phase_site_offers_its_only_phase(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), phases="1"))

    step = await hass.config_entries.subentries.async_init(
        (entry.entry_id, "charge_point"), context={"source": SOURCE_USER}
    )

    assert step["data_schema"] is not None
    assert step["data_schema"].schema["rotation"].config["options"] == ["l1", "unknown"]


async def test_moving_a_charge_point_asks_for_nothing_to_type_in_and_keeps_the_key(hass: HomeAssistant) -> None:
    point = a_charge_point("CP1", security="basic", key="0123456789abcdef0123")
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B"), point))
    cluster_id = subentry_called(entry, "Cluster B").subentry_id

    flow = await settings_form(hass, entry, "CP1")
    form = filled_in(name="CP1", cluster=cluster_id, fallback=0)
    result = await hass.config_entries.subentries.async_configure(flow["flow_id"], form)
    await hass.async_block_till_done()

    assert result["reason"] == "reconfigure_successful"
    [settings] = entry.runtime_data.site.settings.charge_points
    assert settings.circuit_id == cluster_id
    assert settings.key == "0123456789abcdef0123"


async def test_a_new_key_is_shown_before_it_replaces_the_old(hass: HomeAssistant) -> None:
    point = a_charge_point("CP1", security="basic", key="0123456789abcdef0123")
    entry = await set_up(hass, a_site(free_port(), point))

    flow = await settings_form(hass, entry, "CP1")
    step = await hass.config_entries.subentries.async_configure(flow["flow_id"], filled_in(name="CP1", new_key=True))
    [before] = entry.runtime_data.site.settings.charge_points
    result = await confirmed(hass, step)

    assert before.key == "0123456789abcdef0123"
    assert result["reason"] == "reconfigure_successful"
    assert step["description_placeholders"] is not None
    [after] = entry.runtime_data.site.settings.charge_points
    assert after.key == step["description_placeholders"]["key"] != before.key


async def test_a_new_identity_keeps_the_charge_point(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    subentry = subentry_called(entry, "CP1")

    flow = await settings_form(hass, entry, "CP1")
    form = filled_in(name="CP1", identity="CP9", security="plain")
    step = await hass.config_entries.subentries.async_configure(flow["flow_id"], form)
    await confirmed(hass, step)

    assert subentry.unique_id == "charge_point:CP9"
    [settings] = entry.runtime_data.site.settings.charge_points
    assert (settings.charge_point_id, settings.identity) == (subentry.subentry_id, "CP9")


async def test_the_form_to_reconfigure_shows_what_is_set_but_not_the_key(hass: HomeAssistant) -> None:
    point = a_charge_point("CP1", security="basic", key="0123456789abcdef0123", rotations=["l2_l3_l1"])
    entry = await set_up(hass, a_site(free_port(), point))

    flow = await settings_form(hass, entry, "CP1")

    assert flow["data_schema"] is not None
    suggested = {str(field): field.description for field in flow["data_schema"].schema}
    assert suggested["rotation"] == {"suggested_value": "l2_l3_l1"}
    assert suggested["connectors"] == {"suggested_value": 1}
    assert "0123456789abcdef0123" not in repr(flow)


def test_turning_a_rotation_three_times_is_turning_it_not_at_all() -> None:
    for rotation in ("l1_l2_l3", "l1_l3_l2", "l3_l2_l1", "l2"):
        assert turned(rotation, 1) != rotation
        assert turned(rotation, 3) == rotation


def test_an_unknown_rotation_stays_unknown_for_all_connectors() -> None:
    assert rotations("unknown", 3, onward=True) == ["unknown"] * 3


def test_many_in_turn_begin_on_another_phase_each() -> None:
    each = one_each({"rotation": "in_turn"}, ["A", "B", "C", "D"], {"B": 2})

    assert [fields["rotation"] for fields in each] == ["l1_l2_l3", "l2_l3_l1", "l3_l1_l2", "l1_l2_l3"]
    assert [fields["connectors"] for fields in each] == [1, 2, 1, 1]
