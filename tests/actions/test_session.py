"""What a driver wishes of a session by action: each field alone, taken back by nothing, all connectors or none."""

import math
from datetime import timedelta
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError, Unauthorized
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from custom_components.charge_cluster.site.session_wish import NO_SESSION_WISH, SessionWish
from tests.entities.stage import Controls, Dial, plug_in_and_charge
from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .stage import administrator, answer, ask, device, member


async def test_each_field_is_set_alone_and_taken_back_by_nothing(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", priority=2)))
    cp1 = device(hass, entry, "CP1")
    await plug_in_and_charge(await dial(port, "CP1"))
    leaves = (dt_util.utcnow() + timedelta(hours=3)).replace(microsecond=0)

    whole = await answer(
        hass, "set_session", cp1, by=administrator(hass), departure=leaves.isoformat(), energy_kwh=12.5, priority=7
    )
    urgent = await answer(hass, "set_session", cp1, charge_now=True)
    asked = await answer(hass, "set_session", cp1)
    back = await answer(hass, "set_session", cp1, departure=None, energy_kwh=None, priority=None, charge_now=False)

    [session] = whole["sessions"]
    running = entry.runtime_data.site.connectors[Controls(hass, entry, "CP1", 1).prefix].session
    assert running is not None
    assert session | {"expected_kwh": 0.0, "expected_at": None} == {
        "connector": "CP1",
        "device_id": cp1,
        "session_id": running.session_id,
        "departure": leaves.isoformat(),
        "energy_kwh": 12.5,
        "target_soc": None,
        "soc": None,
        "soc_by": None,
        "asked_kwh": 12.5,
        "charged_kwh": 0.0,
        "expected_kwh": 0.0,
        "priority": 7,
        "effective_priority": 7,
        "charge_now": False,
        "queue_position": None,
        "expected_at": None,
        "shortfall_kwh": 0.0,
        "possible_at": None,
    }
    assert 0.0 <= session["expected_kwh"] <= 12.5
    changed = {"charge_now": True, "effective_priority": 11}
    for named in ("departure", "energy_kwh", "priority"):
        changed[named] = session[named]
    assert {name: urgent["sessions"][0][name] for name in changed} == changed
    assert {name: asked["sessions"][0][name] for name in changed} == changed
    nothing = {"departure": None, "energy_kwh": None, "priority": None, "effective_priority": 2, "charge_now": False}
    assert {name: back["sessions"][0][name] for name in nothing} == nothing


async def test_an_automation_says_when_everybody_leaves(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    automation = {
        "alias": "A",
        "triggers": {
            "trigger": "charge_cluster.session_started",
            "target": {"device_id": device(hass, entry, "CP1")},
        },
        "actions": {
            "action": "charge_cluster.set_session",
            "data": {
                "device_id": "{{ device_id(trigger.entity_id) }}",
                "departure": "{{ today_at('17:00') + timedelta(days=1) }}",
            },
        },
    }
    assert await async_setup_component(hass, "automation", {"automation": [automation]})
    await hass.async_block_till_done()

    await plug_in_and_charge(await dial(port, "CP1"))

    leaves = dt_util.start_of_local_day() + timedelta(days=1, hours=17)
    await connector.sees(lambda view: view.session is not None and view.session.wish.departure_at == leaves.timestamp())


async def test_a_session_is_recorded_with_what_was_wished(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    await plug_in_and_charge(await dial(port, "CP1"))
    leaves = (dt_util.utcnow() + timedelta(hours=3)).replace(microsecond=0)

    await ask(hass, "set_session", device(hass, entry, "CP1"), departure=leaves.isoformat(), energy_kwh=12.5)
    [session] = (await answer(hass, "get_sessions", by=administrator(hass)))["sessions"]
    [for_others] = (await answer(hass, "get_sessions", by=member(hass)))["sessions"]

    assert (session["departure"], session["wanted_kwh"]) == (leaves.isoformat(), 12.5)
    assert session.keys() - for_others.keys() == {"departure", "wanted_kwh", "id_tag"}
    assert not {leaves.isoformat(), 12.5} & set(for_others.values())


async def test_a_target_needs_a_battery_and_takes_the_place_of_an_energy(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    cp1, connector = device(hass, entry, "CP1"), Controls(hass, entry, "CP1", 1)
    await plug_in_and_charge(await dial(port, "CP1"))
    hass.states.async_set("sensor.car_battery", "40", {"unit_of_measurement": "%"})
    await ask(hass, "set_session", cp1, energy_kwh=12.5)

    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "set_session", cp1, target_soc=80)
    assert refused.value.translation_key == "battery_unknown"
    assert "CP1" in str(refused.value)
    impossible: tuple[dict[str, Any], ...] = (
        {"target_soc": 101},
        {"target_soc": 0},
        {"target_soc": 80, "energy_kwh": 5},
    )
    for wrong in impossible:
        with pytest.raises(ServiceValidationError) as refused:
            await ask(hass, "set_session", cp1, battery_kwh=50, **wrong)
        assert refused.value.translation_key == "impossible_target"
    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "set_session", cp1, target_soc=80, battery_kwh=-1)
    assert refused.value.translation_key == "impossible_battery"

    await ask(hass, "set_session", cp1, target_soc=80, battery_kwh=45, battery_entity="sensor.car_battery")
    await connector.sees(lambda view: view.session is not None and view.session.soc is not None)
    [told] = (await answer(hass, "set_session", cp1))["sessions"]
    # 40 % of 45 kWh are 18 kWh in the battery, and a ninth more at the meter.
    names = ("energy_kwh", "target_soc", "soc", "soc_by", "asked_kwh")
    assert [told[name] for name in names] == [None, 80.0, 40.0, "entity", 20.0]

    # A battery that is fuller than its target is done.
    hass.states.async_set("sensor.car_battery", "85", {"unit_of_measurement": "%"})
    await Controls(hass, entry, "CP1").until("event", "session", lambda state: state.attributes["event_type"] == "done")
    [told] = (await answer(hass, "set_session", cp1, energy_kwh=5))["sessions"]
    assert (told["target_soc"], told["energy_kwh"], told["asked_kwh"]) == (None, 5.0, 5.0)


async def test_a_target_is_passed_over_where_nobody_tells_how_full_it_is(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    cp1, connector = device(hass, entry, "CP1"), Controls(hass, entry, "CP1", 1)
    await plug_in_and_charge(await dial(port, "CP1"))
    for state in (None, "unavailable", "full", "nan", "140"):
        if state is not None:
            hass.states.async_set("sensor.car_battery", state)
        await ask(hass, "set_session", cp1, target_soc=80, battery_kwh=45, battery_entity="sensor.car_battery")
        await connector.sees(lambda view: view.session is not None and view.session.target is not None)
        [told] = (await answer(hass, "set_session", cp1))["sessions"]
        assert (told["target_soc"], told["soc"], told["asked_kwh"]) == (80.0, None, None)
        [explained] = (await answer(hass, "explain", cp1))["connectors"]
        assert "How full its battery is nobody tells" in explained["sentence"]


async def test_where_one_of_several_cannot_none_is_changed(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), a_charge_point("CP2")))
    await plug_in_and_charge(await dial(port, "CP1"))

    with pytest.raises(ServiceValidationError, match="Nothing is plugged in at CP2") as refused:
        await ask(hass, "set_session", *(device(hass, entry, name) for name in ("CP1", "CP2")), charge_now=True)

    assert refused.value.translation_key == "nothing_plugged_in"
    assert _wish(hass, entry) == NO_SESSION_WISH


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"departure": "2020-01-01 08:00:00"}, "impossible_departure"),
        ({"departure": "2099-01-01 08:00:00"}, "impossible_departure"),
        ({"energy_kwh": 0}, "impossible_energy"),
        ({"energy_kwh": -3}, "impossible_energy"),
        ({"energy_kwh": 1000.1}, "impossible_energy"),
        ({"energy_kwh": math.nan}, "impossible_energy"),
    ],
)
async def test_what_does_not_fit_is_refused_in_words_and_changes_nothing(
    hass: HomeAssistant, dial: Dial, fields: dict[str, Any], refusal: str
) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    await plug_in_and_charge(await dial(port, "CP1"))
    await ask(hass, "set_session", device(hass, entry, "CP1"), energy_kwh=7)

    with pytest.raises(ServiceValidationError, match="not possible for CP1") as refused:
        await ask(hass, "set_session", device(hass, entry, "CP1"), charge_now=True, **fields)

    assert refused.value.translation_key == refusal
    assert _wish(hass, entry) == SessionWish(wanted_wh=7000.0)


@pytest.mark.parametrize(
    "fields",
    [
        {"departure": "some day"},
        {"energy_kwh": "much"},
        *({"priority": number} for number in (-1, 11, 2.5, math.nan, "high")),
        {"charge_now": "perhaps"},
        {"charge_now": None},
    ],
)
async def test_what_is_none_of_its_kind_is_refused(hass: HomeAssistant, fields: dict[str, Any]) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    with pytest.raises(vol.Invalid):
        await ask(hass, "set_session", device(hass, entry, "CP1"), **fields)


async def test_who_is_no_administrator_puts_nobody_first(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    await plug_in_and_charge(await dial(port, "CP1"))

    with pytest.raises(Unauthorized):
        await ask(hass, "set_session", device(hass, entry, "CP1"), by=member(hass), charge_now=True)

    assert _wish(hass, entry) == NO_SESSION_WISH


def _wish(hass: HomeAssistant, entry: Any) -> SessionWish:
    """Return what is wished of the session at CP1."""
    session = entry.runtime_data.site.connectors[Controls(hass, entry, "CP1", 1).prefix].session
    assert session is not None
    wish: SessionWish = session.wish
    return wish
