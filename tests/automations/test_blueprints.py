"""Blueprints are ones to Home Assistant, and the automations made of them do what they say."""

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant, ServiceCall, SupportsResponse, callback
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType
from homeassistant.util.yaml import load_yaml_dict
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed, async_mock_service

from tests.entities.stage import Controls, Dial, plug_in_and_charge
from tests.ocpp.charge_point import energy, sampled
from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .stage import Circuit, lose_meter, metered_site, narrow_site, queue, unplug

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


async def switched_off(hass: HomeAssistant) -> None:
    """Switch the automation off, so that it waits for no time any more."""
    await hass.services.async_call("automation", "turn_off", {"entity_id": "automation.a"}, blocking=True)


def test_they_are_all_known_here() -> None:
    assert FILES == [
        "ask_about_card.yaml",
        "charge_for_trips.yaml",
        "fleet_nights.yaml",
        "load_limited.yaml",
        "meter_stale.yaml",
        "pause_by_schedule.yaml",
        "ready.yaml",
        "session_ended.yaml",
        "session_news.yaml",
    ]


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


async def test_a_session_that_ended_is_told_with_its_cost_where_there_are_prices(
    hass: HomeAssistant, dial: Dial
) -> None:
    flat = ConfigSubentryData(
        data={"kind": "bands", "price": 0.3, "bands": []}, subentry_type="tariff", title="Flat", unique_id=None
    )
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), flat))
    device = Controls(hass, entry, "CP1").registered("event", "session").device_id
    told = await made_of(hass, "session_ended.yaml", charge_points={"device_id": device})

    await session(hass, dial, entry, port)

    assert told[0].data["message"] == "Connector 1: 1.1 kWh in 0 h 0 min, 0.33 EUR"


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


def said(calls: list[ServiceCall]) -> list[tuple[str, str]]:
    """Return titles and messages."""
    return [(call.data["title"], call.data["message"]) for call in calls]


async def test_a_driver_is_told_that_the_car_waits_has_its_place_and_is_done(hass: HomeAssistant, dial: Dial) -> None:
    line = await queue(hass, dial)
    device = line.place.registered("event", "session").device_id
    told = await made_of(hass, "session_news.yaml", charge_points={"device_id": device})

    waiting = await line.wait()
    await line.admit()
    await line.finish()
    await line.leave()

    turns = dt_util.parse_datetime(waiting.attributes["expected_at"])
    assert turns is not None
    assert said(told) == [
        (
            "CP2: the car waits",
            f"Connector 1: number 1 in the queue, expected to change at {dt_util.as_local(turns):%H:%M}.",
        ),
        ("CP2: the car has its place", "Connector 1: it charges now, or as soon as others have given way."),
        ("CP2: the car is done", "Connector 1: 2.0 kWh."),
    ]


async def test_phones_are_told_what_was_chosen_of_the_connector_that_was_chosen(
    hass: HomeAssistant, dial: Dial
) -> None:
    line = await queue(hass, dial)
    device = line.place.registered("event", "session").device_id
    sent = async_mock_service(hass, "notify", "send_message")
    told = await made_of(
        hass,
        "session_news.yaml",
        charge_points={"device_id": device},
        connector=1,
        about=["waiting", "ended"],
        phones=["notify.ann", "notify.bob"],
    )

    await line.wait()
    await line.admit()
    await line.leave()

    assert [title for title, _ in said(sent)] == ["CP2: the car waits", "CP2: the car was unplugged"]
    assert [call.data["entity_id"] for call in sent] == [["notify.ann", "notify.bob"]] * 2
    assert told == []


async def test_of_another_connector_a_driver_is_told_nothing(hass: HomeAssistant, dial: Dial) -> None:
    line = await queue(hass, dial)
    device = line.place.registered("event", "session").device_id
    told = await made_of(hass, "session_news.yaml", charge_points={"device_id": device}, connector=2)

    await line.wait()

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


@pytest.mark.parametrize(("button", "status"), [("ACCEPT", "Accepted"), ("REFUSE", "Invalid")])
async def test_a_phone_is_asked_about_a_card_and_decides(
    hass: HomeAssistant, dial: Dial, button: str, status: str
) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), authorisation="known_or_ask"))
    entity = Controls(hass, entry, "CP1").registered("event", "card")
    asked: asyncio.Future[ServiceCall] = hass.loop.create_future()

    @callback
    def send(call: ServiceCall) -> None:
        asked.set_result(call)

    hass.services.async_register("notify", "mobile_app_ann", send)
    await made_of(
        hass,
        "ask_about_card.yaml",
        charge_points={"entity_id": entity.entity_id},
        phones=["notify.mobile_app_ann"],
    )
    point = await dial(port, "CP1")

    waiting = asyncio.ensure_future(point.tell("Authorize", {"idTag": "04EE11223344"}))
    async with asyncio.timeout(30):
        question = (await asked).data
    for _ in range(100):  # the automation begins to wait
        await asyncio.sleep(0)
    chosen = next(each["action"] for each in question["data"]["actions"] if button in each["action"])
    hass.bus.async_fire("mobile_app_notification_action", {"action": chosen})

    assert (await waiting)[2]["idTagInfo"]["status"] == status
    assert question["title"] == "CP1: may this card charge?"
    assert question["message"] == "A card that nobody is known by (…44)"


async def test_a_car_that_cannot_be_ready_is_told_at_once_and_one_that_is_ready_when_it_is(
    hass: HomeAssistant, dial: Dial
) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    charge_point, connector = Controls(hass, entry, "CP1"), Controls(hass, entry, "CP1", 1)
    event = charge_point.registered("event", "session")
    told = await made_of(hass, "ready.yaml", charge_points={"entity_id": event.entity_id}, connector=1)
    point = await dial(port, "CP1")
    transaction_id = await plug_in_and_charge(point)
    await connector.sees(lambda view: view.session is not None)

    leaves = dt_util.utcnow() + timedelta(hours=1)
    entry.runtime_data.site.wish_session(connector.prefix, departure_at=leaves.timestamp(), wanted_wh=40_000.0)
    impossible = await charge_point.until(
        "event", "session", lambda state: state.attributes["event_type"] == "impossible"
    )
    entry.runtime_data.site.wish_session(connector.prefix, wanted_wh=2000.0)
    for register_wh in (1000, 3000):
        await point.measure([*sampled(L1=7, L2=7, L3=7), energy(register_wh)], 1, transaction_id)
    await charge_point.until("event", "session", lambda state: state.attributes["event_type"] == "done")
    await hass.async_block_till_done()

    # All that the connector gives from now on: 3 × 32 A.
    possible_at = leaves + timedelta(hours=impossible.attributes["shortfall_kwh"] / (3 * 0.23 * 32))
    missing = f"{impossible.attributes['shortfall_kwh']:.1f} kWh will be missing"
    assert said(told) == [
        (
            "CP1: the car will not be ready in time",
            f"Connector 1: {missing}, possible by {dt_util.as_local(possible_at):%H:%M}.",
        ),
        ("CP1: the car is ready", "Connector 1: 2.0 kWh."),
    ]


async def test_the_next_trip_of_a_calendar_is_the_departure(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    now = dt_util.now().replace(microsecond=0)
    starts = [now + timedelta(hours=9), now + timedelta(hours=3), now - timedelta(hours=1)]
    events: list[JsonValueType] = [
        {"start": at.isoformat(), "end": (at + timedelta(hours=2)).isoformat()} for at in starts
    ]
    events.append({"start": f"{now:%Y-%m-%d}", "end": f"{now + timedelta(days=1):%Y-%m-%d}"})
    asked = async_mock_service(
        hass,
        "calendar",
        "get_events",
        response={"calendar.trips": {"events": events}},
        supports_response=SupportsResponse.ONLY,
    )
    device = connector.registered("sensor", "status").device_id
    await made_of(hass, "charge_for_trips.yaml", trips="calendar.trips", place=device, energy=30)

    hass.states.async_set("calendar.trips", "off")
    await hass.async_block_till_done()
    assert asked == []

    await plug_in_and_charge(await dial(port, "CP1"))
    await connector.sees(lambda view: view.session is not None)
    hass.states.async_set("calendar.trips", "on")
    await hass.async_block_till_done()

    session = entry.runtime_data.site.connectors[connector.prefix].session
    assert (session.wish.departure_at, session.wish.wanted_wh) == (starts[1].timestamp(), 30_000.0)
    await switched_off(hass)


@pytest.mark.parametrize(
    ("evening", "morning", "mode"),
    [
        ("00:00:00", "23:59:59", "smart"),
        ("00:00:01", "00:00:00", "smart"),
        ("23:59:58", "23:59:59", "as_the_site"),
    ],
)
async def test_a_fleet_is_charged_otherwise_at_night(
    hass: HomeAssistant, evening: str, morning: str, mode: str
) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), a_charge_point("CP2")))
    one, two = (Controls(hass, entry, name, 1) for name in ("CP1", "CP2"))
    await two.enable("select", "mode")
    await one.enable("select", "mode")
    await one.ask("select", "mode", "select_option", option="off_peak")
    hass.set_state(CoreState.starting)
    place = one.registered("select", "mode").entity_id
    await made_of(hass, "fleet_nights.yaml", places=[place], evening=evening, morning=morning)

    hass.set_state(CoreState.running)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await hass.async_block_till_done()

    assert (one.state("select", "mode").state, two.state("select", "mode").state) == (mode, "as_the_site")
    await switched_off(hass)
