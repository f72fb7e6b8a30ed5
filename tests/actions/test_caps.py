"""Ceilings from outside, as automations set and clear them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.charge_cluster.actions.sentences import Sentences
from custom_components.charge_cluster.engine.model import Reason
from tests.site_entry import DOMAIN, a_charge_point, a_cluster, a_meter, a_site, free_port, set_up, subentry_called

from .stage import answer, device


async def cap(hass: HomeAssistant, entry: MockConfigEntry, title: str | None = None, **fields: Any) -> Any:
    return await answer(hass, "set_cap", device_id=device(hass, entry, title), **fields)


async def test_a_cap_is_set_for_a_while_and_told(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    before = dt_util.utcnow()

    answered = await cap(hass, entry, source="grid_operator", current_a=40, duration={"minutes": 30})

    [told] = answered.pop("caps")
    assert answered == {"circuit": "Depot"}
    ends = dt_util.parse_datetime(told.pop("expires_at"))
    assert ends is not None
    assert abs(ends - before - timedelta(minutes=30)) < timedelta(seconds=30)
    assert told == {
        "source": "grid_operator",
        "current_a": 40.0,
        "power_kw": None,
        "vehicles_only": False,
        "after": "lift",
        "lapsed": False,
    }
    [held] = entry.runtime_data.site.caps.ceilings()
    assert (held.circuit_id, held.amps) == ("supply", (40.0, 40.0, 40.0))


async def test_a_cluster_may_be_held_in_kilowatts(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B")))

    answered = await cap(hass, entry, "Cluster B", source="tariff", power_kw=11)

    assert answered["circuit"] == "Cluster B"
    [held] = entry.runtime_data.site.caps.ceilings()
    cluster = subentry_called(entry, "Cluster B").subentry_id
    assert (held.circuit_id, held.watts, held.source) == (cluster, 11_000.0, "tariff")


async def test_section_14a_dims_the_vehicles_to_the_floor_of_the_connectors_below(hass: HomeAssistant) -> None:
    double = a_charge_point("CP2", rotations=["l1_l2_l3", "l2_l3_l1"])
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), double))

    of_connectors = await cap(hass, entry, source="section_14a")
    told = await cap(hass, entry, source="section_14a", controllable_devices=9)
    given = await cap(hass, entry, source="section_14a", power_kw=5.5)

    assert of_connectors["section_14a"] == {"controllable_devices": 3, "minimum_kw": 10.5}
    assert told["section_14a"] == {"controllable_devices": 9, "minimum_kw": 19.32}
    assert "section_14a" not in given
    assert [(each["power_kw"], each["vehicles_only"]) for each in given["caps"]] == [(5.5, True)]


async def test_g100_stays_at_its_end_and_tells_whether_it_is_in_time(hass: HomeAssistant) -> None:
    meter = a_meter("Meter", ["sensor.l1", "sensor.l2", "sensor.l3"], timeout=5)
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B"), meter))
    site = entry.runtime_data.site
    while not site.circuits:
        await hass.async_block_till_done(wait_background_tasks=True)

    answered = await cap(hass, entry, source="g100", current_a=50, duration=60)

    assert [each["after"] for each in answered["caps"]] == ["keep"]
    assert answered["g100"] == {
        "detection_s": 5.0,
        "validity_s": 35.0,
        "reaction_s": 15.0,
        "total_s": 55.0,
        "allowed_s": 60.0,
        "fallbacks_fit": True,
        "fits": True,
    }
    assert (await cap(hass, entry, source="g100", current_a=50, after="lift"))["caps"][0]["after"] == "lift"


async def test_g100_does_not_fit_where_fallbacks_would_stay_above_it(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", fallback=6.0, maximum=32.0)))
    site = entry.runtime_data.site
    while not site.circuits:
        await hass.async_block_till_done(wait_background_tasks=True)

    # Its fallback is not confirmed yet: beside 10 A of the building it counts at its maximum.
    low = await cap(hass, entry, source="g100", current_a=41)
    high = await cap(hass, entry, source="g100", current_a=42)

    assert [(told["g100"]["fallbacks_fit"], told["g100"]["fits"]) for told in (low, high)] == [
        (False, False),
        (True, True),
    ]


async def test_all_that_holds_a_circuit_is_told_the_lowest_first(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    await cap(hass, entry, source="grid_operator", current_a=40)
    answered = await cap(hass, entry, source="tariff", power_kw=13.8)
    assert [each["source"] for each in answered["caps"]] == ["tariff", "grid_operator"]

    left = await answer(hass, "clear_cap", device_id=device(hass, entry), source="tariff")
    assert [each["source"] for each in left["caps"]] == ["grid_operator"]

    assert (await answer(hass, "clear_cap", device_id=device(hass, entry)))["caps"] == []


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"source": "grid_operator"}, "cap_needs_value"),
        ({"source": "section_14a"}, "cap_needs_value"),
        ({"source": "tariff", "controllable_devices": 3}, "cap_needs_value"),
        ({"source": "tariff", "current_a": 10, "expires_at": "2020-01-01 00:00:00"}, "cap_is_over"),
    ],
)
async def test_a_cap_that_makes_no_sense_is_refused(hass: HomeAssistant, fields: dict[str, Any], key: str) -> None:
    entry = await set_up(hass, a_site(free_port()))

    with pytest.raises(ServiceValidationError) as refused:
        await cap(hass, entry, **fields)

    assert refused.value.translation_key == key
    assert entry.runtime_data.site.caps.ceilings() == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"current_a": -1},
        {"current_a": "nan"},
        {"power_kw": "inf"},
        {"current_a": 10, "power_kw": 3},
        {"current_a": 10, "duration": 0},
        {"current_a": 10, "duration": 60, "expires_at": "2099-01-01 00:00:00"},
        {"current_a": 10, "after": "perhaps"},
        {"current_a": 10, "source": " "},
    ],
)
async def test_impossible_fields_are_refused(hass: HomeAssistant, fields: dict[str, Any]) -> None:
    entry = await set_up(hass, a_site(free_port()))

    with pytest.raises(vol.Invalid):
        await cap(hass, entry, **{"source": "tariff"} | fields)

    assert entry.runtime_data.site.caps.ceilings() == ()


async def test_a_charge_point_is_no_circuit(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    with pytest.raises(ServiceValidationError) as refused:
        await cap(hass, entry, "CP1", source="tariff", current_a=10)

    assert refused.value.translation_key == "needs_circuit"


@pytest.mark.parametrize(("fields", "key"), [({}, "no_cap"), ({"source": "g100"}, "no_such_cap")])
async def test_what_nobody_set_cannot_be_cleared(hass: HomeAssistant, fields: dict[str, Any], key: str) -> None:
    entry = await set_up(hass, a_site(free_port()))

    with pytest.raises(ServiceValidationError) as refused:
        await answer(hass, "clear_cap", device_id=device(hass, entry), **fields)

    assert refused.value.translation_key == key


async def test_too_many_sources_are_refused(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    for number in range(16):
        await cap(hass, entry, source=f"automation {number}", current_a=10)

    with pytest.raises(ServiceValidationError) as refused:
        await cap(hass, entry, source="one more", current_a=10)

    assert refused.value.translation_key == "too_many_caps"


async def test_a_cap_survives_a_reload(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    await cap(hass, entry, source="grid_operator", current_a=40)

    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()

    assert [held.source for held in entry.runtime_data.site.caps.of("supply")] == ["grid_operator"]


async def test_who_is_held_down_is_told_by_whom_and_until_when(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    [(key, view)] = entry.runtime_data.site.connectors.items()
    entry.runtime_data.site.connectors[key] = replace(
        view,
        online=True,
        reason=Reason.EXTERNAL_CAP,
        reason_circuit="Depot",
        reason_source="grid_operator",
        expected_at=datetime(2099, 1, 1, 12, tzinfo=UTC).timestamp(),
        limit_a=6.0,
        target_a=6.0,
    )

    [explained] = (await answer(hass, "explain"))["connectors"]

    assert (explained["reason"], explained["source"]) == ("external_cap", "grid_operator")
    assert explained["expected_at"] == "2099-01-01T12:00:00+00:00"
    assert explained["sentence"].startswith("CP1 may draw 6 A: the grid operator holds Depot down for a while. This is")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("g100", "the import limitation scheme (EREC G100)"),
        ("Tariff automation {x}", "Tariff automation {x}"),
        (None, "somebody outside"),
    ],
)
async def test_a_source_is_called_by_its_name(hass: HomeAssistant, source: str | None, said: str) -> None:
    await set_up(hass, a_site(free_port()))

    sentence = (await Sentences.load(hass)).reason(
        Reason.EXTERNAL_CAP, connector="CP1", circuit="Depot", limit_a=6, fallback_a=0, source=source
    )

    assert sentence == f"CP1 may draw 6 A: {said} holds Depot down for a while."


async def test_the_lowest_cap_is_shown_in_its_unit(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    registry = er.async_get(hass)
    ids = {}
    for key in ("external_cap", "external_cap_power"):
        entity_id = registry.async_get_entity_id("sensor", DOMAIN, f"{entry.entry_id}/supply-{key}")
        assert entity_id is not None
        registry.async_update_entity(entity_id, disabled_by=None)
        ids[key] = entity_id
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    site = entry.runtime_data.site
    await cap(hass, entry, source="grid_operator", current_a=40)
    await cap(hass, entry, source="tariff", current_a=32, duration=3600)
    await cap(hass, entry, source="section_14a", power_kw=4.2)
    while len(site.circuits["supply"].caps) < 3:
        await hass.async_block_till_done(wait_background_tasks=True)
    await hass.async_block_till_done()

    amps, power = hass.states.get(ids["external_cap"]), hass.states.get(ids["external_cap_power"])
    assert amps is not None
    assert power is not None
    assert (amps.state, amps.attributes["source"], amps.attributes["vehicles_only"]) == ("32.0", "tariff", False)
    assert amps.attributes["expires_at"] is not None
    assert (float(power.state), power.attributes["source"]) == (4.2, "section_14a")
    assert (power.attributes["expires_at"], power.attributes["vehicles_only"]) == (None, True)
