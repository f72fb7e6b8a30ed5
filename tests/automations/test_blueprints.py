"""Blueprints are ones to Home Assistant, and the automations made of them do what they say."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant, ServiceCall
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed, async_mock_service

from tests.entities.stage import Controls, Dial, plug_in_and_charge
from tests.ocpp.charge_point import energy, sampled
from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .stage import Circuit, lose_meter, metered_site, narrow_site, unplug

FOLDER = Path(__file__).parents[2] / "blueprints" / "automation" / "charge_cluster"
FILES = sorted(path.name for path in FOLDER.iterdir())
PAUSES = "schedule.pauses"


def blueprint(name: str) -> Blueprint:
    """Return a blueprint as Home Assistant understands it."""
    content = load_yaml_dict(str(FOLDER / name))
    return Blueprint(content, path=name, expected_domain="automation", schema=AUTOMATION_BLUEPRINT_SCHEMA)


async def made_of(hass: HomeAssistant, name: str, **inputs: Any) -> list[ServiceCall]:
    """Make an automation of a blueprint and return what it tells by default."""
    told = async_mock_service(hass, "persistent_notification", "create")
    folder = Path(hass.config.path("blueprints", "automation", "charge_cluster"))
    await hass.async_add_executor_job(lambda: shutil.copytree(FOLDER, folder))
    config = {"alias": "A", "use_blueprint": {"path": f"charge_cluster/{name}", "input": inputs}}
    assert await async_setup_component(hass, "automation", {"automation": [config]})
    await hass.async_block_till_done()
    assert hass.states.is_state("automation.a", "on")
    return told


def test_they_are_all_known_here() -> None:
    assert FILES == ["load_limited.yaml", "meter_stale.yaml", "pause_by_schedule.yaml", "session_ended.yaml"]


@pytest.mark.parametrize("name", FILES)
def test_it_is_a_blueprint(name: str) -> None:
    understood = blueprint(name)

    assert understood.validate() is None
    assert understood.metadata["source_url"].endswith(f"/blueprints/automation/charge_cluster/{name}")
    for key, described in understood.inputs.items():
        assert described["name"], key
        assert described["selector"], key


async def session(hass: HomeAssistant, dial: Dial, entry: MockConfigEntry, port: int) -> None:
    """Let a vehicle charge 1.1 kWh and leave."""
    charge_point = Controls(hass, entry, "CP1")
    point = await dial(port, "CP1")
    transaction_id = await plug_in_and_charge(point)
    await point.measure([*sampled(L1=16, L2=16, L3=16), energy(1000)], 1, transaction_id)
    await point.measure([*sampled(L1=16, L2=16, L3=16), energy(2100)], 1, transaction_id)
    await unplug(point, transaction_id, 1, 2100)
    await charge_point.until("event", "session", lambda state: state.attributes["event_type"] == "ended")
    await hass.async_block_till_done()


async def test_a_session_that_ended_is_told_with_its_energy(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    device = Controls(hass, entry, "CP1").registered("event", "session").device_id
    told = await made_of(hass, "session_ended.yaml", charge_points={"device_id": device})

    await session(hass, dial, entry, port)

    (call,) = told
    assert call.data["title"] == "CP1: session ended"
    assert call.data["message"] == "Connector 1: 1.1 kWh in 0 h 0 min"


async def test_a_session_with_less_than_is_worth_telling_is_not_told(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    device = Controls(hass, entry, "CP1").registered("event", "session").device_id
    told = await made_of(hass, "session_ended.yaml", charge_points={"device_id": device}, least_energy=50)

    await session(hass, dial, entry, port)

    assert told == []


async def test_any_action_may_be_chosen(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    device = Controls(hass, entry, "CP1").registered("event", "session").device_id
    chosen = async_mock_service(hass, "test", "chosen")
    tell = [{"action": "test.chosen", "data": {"text": "{{ title }}, {{ trigger.session_id }}"}}]
    told = await made_of(hass, "session_ended.yaml", charge_points={"device_id": device}, tell=tell)

    await session(hass, dial, entry, port)

    ended = Controls(hass, entry, "CP1").state("event", "session")
    assert [call.data["text"] for call in chosen] == [f"CP1: session ended, {ended.attributes['session_id']}"]
    assert told == []


async def test_a_ceiling_that_limits_for_long_is_told(hass: HomeAssistant, dial: Dial) -> None:
    site = await narrow_site(hass, dial)
    device = site.cluster.registered("binary_sensor", "limited").device_id
    told = await made_of(
        hass, "load_limited.yaml", circuits={"device_id": device}, duration={"hours": 0, "minutes": 10, "seconds": 0}
    )

    await site.plug_in()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=9))
    await hass.async_block_till_done()
    assert told == []
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=10, seconds=1))
    await hass.async_block_till_done()

    since = dt_util.as_local(site.cluster.state("binary_sensor", "limited").last_changed).strftime("%H:%M")
    assert [dict(call.data) for call in told] == [
        {"title": "West: charging is limited", "message": f"Vehicles have been held back since {since}."}
    ]


async def test_a_ceiling_that_limits_for_a_moment_is_not_told(hass: HomeAssistant, dial: Dial) -> None:
    site = await narrow_site(hass, dial)
    device = site.cluster.registered("binary_sensor", "limited").device_id
    told = await made_of(hass, "load_limited.yaml", circuits={"device_id": device})

    await site.plug_in()
    await site.unplug()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=31))
    await hass.async_block_till_done()

    assert told == []


async def test_a_meter_that_is_stale_is_told(hass: HomeAssistant) -> None:
    entry = await metered_site(hass)
    supply = Circuit(hass, entry)
    device = supply.registered("binary_sensor", "stale").device_id
    told = await made_of(hass, "meter_stale.yaml", circuits={"device_id": device})

    await lose_meter(hass, entry)
    assert told == []
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=61))
    await hass.async_block_till_done()

    since = dt_util.as_local(supply.state("binary_sensor", "stale").last_changed).strftime("%H:%M")
    assert [dict(call.data) for call in told] == [
        {"title": "Depot: meter stale", "message": f"The meter has not been trusted since {since}."}
    ]


async def test_a_schedule_pauses_and_resumes_charging(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), a_charge_point("CP2"), a_charge_point("CP3")))
    one, two, other = (Controls(hass, entry, name, 1) for name in ("CP1", "CP2", "CP3"))
    hass.states.async_set(PAUSES, "off")
    switches = [connector.registered("switch", "charging").entity_id for connector in (one, two)]
    await made_of(hass, "pause_by_schedule.yaml", pauses=PAUSES, charging=switches)

    hass.states.async_set(PAUSES, "on")
    await hass.async_block_till_done()
    assert [connector.wished.enabled for connector in (one, two, other)] == [False, False, True]

    hass.states.async_set(PAUSES, "unavailable")
    await hass.async_block_till_done()
    assert [connector.wished.enabled for connector in (one, two, other)] == [False, False, True]

    hass.states.async_set(PAUSES, "off")
    await hass.async_block_till_done()
    assert [connector.wished.enabled for connector in (one, two, other)] == [True, True, True]


@pytest.mark.parametrize(("pauses", "charging"), [("on", False), ("off", True)])
async def test_a_schedule_that_changed_while_home_assistant_was_away_is_applied(
    hass: HomeAssistant, pauses: str, charging: bool
) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    await connector.ask("switch", "charging", "turn_off" if charging else "turn_on")
    hass.states.async_set(PAUSES, pauses)
    hass.set_state(CoreState.starting)
    await made_of(
        hass, "pause_by_schedule.yaml", pauses=PAUSES, charging=[connector.registered("switch", "charging").entity_id]
    )

    hass.set_state(CoreState.running)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await hass.async_block_till_done()

    assert connector.wished.enabled is charging
