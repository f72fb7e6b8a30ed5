"""Triggers tell of sessions, ceilings and meters of ours, wherever they are looked for, and of nothing else."""

from datetime import timedelta

import pytest
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.charge_cluster.ledger.drivers import DriverRecord
from tests.entities.stage import Controls, Dial, plug_in_and_charge
from tests.ocpp.charge_point import energy, sampled
from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .stage import Circuit, automate, lose_meter, metered_site, narrow_site, queue, show_meter, targets, unplug

SESSION = {name: f"{{{{ trigger.{name} }}}}" for name in ("connector", "session_id", "energy_kwh", "duration_s")}
WAYS = ("entity", "device", "area", "label")


def trigger(name: str, target: dict[str, str], **options: object) -> dict[str, object]:
    return {"trigger": f"charge_cluster.{name}", "target": target, "options": options}


@pytest.mark.parametrize("way", WAYS)
async def test_a_session_is_told_to_automations(hass: HomeAssistant, dial: Dial, way: str) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", rotations=["l1_l2_l3", "l2_l3_l1"])))
    charge_point = Controls(hass, entry, "CP1")
    target = targets(hass, charge_point.registered("event", "session"))[way]
    told = await automate(
        hass,
        triggers=[trigger("session_started", target), trigger("session_ended", target)],
        data={"trigger": "{{ trigger.platform }}", "who": "{{ trigger.entity_id }}", **SESSION},
    )
    point = await dial(port, "CP1", 2)

    transaction_id = await plug_in_and_charge(point, 2)
    await point.measure([*sampled(L1=16, L2=16, L3=16), energy(1000)], 2, transaction_id)
    await point.measure([*sampled(L1=16, L2=16, L3=16), energy(1055.6)], 2, transaction_id)
    await unplug(point, transaction_id, 2, 1056)
    ended = await charge_point.until("event", "session", lambda state: state.attributes["event_type"] == "ended")
    await hass.async_block_till_done()

    first, last = (dict(call.data) for call in told)
    assert (first["trigger"], last["trigger"]) == ("charge_cluster.session_started", "charge_cluster.session_ended")
    assert first["who"] == last["who"] == ended.entity_id
    assert first["session_id"] == last["session_id"] == ended.attributes["session_id"]
    assert (first["connector"], first["energy_kwh"], first["duration_s"]) == (2, 0.0, 0)
    assert (last["connector"], last["energy_kwh"]) == (2, 0.056)
    assert last["duration_s"] == ended.attributes["duration_s"]


async def test_a_session_that_waits_gets_its_place_and_is_done_is_told_to_automations(
    hass: HomeAssistant, dial: Dial
) -> None:
    line = await queue(hass, dial)
    target = {"entity_id": line.place.registered("event", "session").entity_id}
    kinds = ("session_waiting", "session_admitted", "session_done")
    told = await automate(
        hass,
        triggers=[trigger(kind, target) for kind in kinds],
        data={"trigger": "{{ trigger.platform }}", **SESSION, "place": "{{ trigger.queue_position }}"},
    )

    waiting = await line.wait()
    await line.admit()
    await line.finish()

    calls = [dict(call.data) for call in told]
    assert [call["trigger"] for call in calls] == [f"charge_cluster.{kind}" for kind in kinds]
    assert [call["place"] for call in calls] == [1, None, None]
    assert {call["session_id"] for call in calls} == {waiting.attributes["session_id"]}
    assert calls[-1]["energy_kwh"] == 2.0


async def test_what_is_not_ours_is_not_told(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    session = Controls(hass, entry, "CP1").registered("event", "session")
    area = targets(hass, session)["area"]
    foreign = er.async_get(hass).async_get_or_create("event", "other", "1-session")
    er.async_get(hass).async_update_entity(foreign.entity_id, area_id=area["area_id"])
    hass.states.async_set(foreign.entity_id, "unknown")
    told = await automate(hass, triggers=[trigger("session_started", area)])

    for number in range(2):
        attributes = {"event_type": "started", "session_id": str(number)}
        hass.states.async_set(foreign.entity_id, dt_util.utcnow().isoformat(), attributes)
        await hass.async_block_till_done()
    assert told == []

    hass.states.async_set(session.entity_id, dt_util.utcnow().isoformat(), {"event_type": "started", "session_id": "a"})
    await hass.async_block_till_done()
    assert [call.data["who"] for call in told] == [session.entity_id]


async def test_two_sessions_that_begin_in_one_moment_are_both_told(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    session = Controls(hass, entry, "CP1").registered("event", "session")
    told = await automate(hass, triggers=[trigger("session_started", {"entity_id": session.entity_id})], data=SESSION)

    moment = dt_util.utcnow().isoformat()
    for number in (1, 2):
        attributes = {"event_type": "started", "session_id": f"s{number}", "connector": number}
        hass.states.async_set(session.entity_id, moment, attributes)
    await hass.async_block_till_done()

    assert [call.data["connector"] for call in told] == [1, 2]


async def test_an_event_that_comes_back_is_no_news(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    charge_point = Controls(hass, entry, "CP1")
    session = charge_point.registered("event", "session").entity_id
    point = await dial(port, "CP1")
    told = await automate(hass, triggers=[trigger("session_started", {"entity_id": session})])
    await plug_in_and_charge(point)
    await charge_point.until("event", "session", lambda state: state.attributes["event_type"] == "started")
    await hass.async_block_till_done()
    assert len(told) == 1

    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    er.async_get(hass).async_update_entity(session, name="Visits")
    await hass.async_block_till_done()

    assert charge_point.state("event", "session").attributes["event_type"] == "started"
    assert len(told) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_a_ceiling_that_holds_back_is_told_and_that_it_no_longer_does(
    hass: HomeAssistant, dial: Dial, way: str
) -> None:
    site = await narrow_site(hass, dial)
    limited = site.cluster.registered("binary_sensor", "limited")
    target = targets(hass, limited)[way]
    told = await automate(
        hass,
        triggers=[trigger("load_limited", target), trigger("load_no_longer_limited", target)],
        data={"what": "{{ trigger.platform }}", "who": "{{ trigger.entity_id }}"},
    )

    await site.plug_in()
    assert [dict(call.data) for call in told] == [{"what": "charge_cluster.load_limited", "who": limited.entity_id}]

    await site.unplug()
    assert [call.data["what"] for call in told][1:] == ["charge_cluster.load_no_longer_limited"]


async def test_a_ceiling_may_have_to_hold_back_for_a_while(hass: HomeAssistant, dial: Dial) -> None:
    site = await narrow_site(hass, dial)
    target = {"entity_id": site.cluster.registered("binary_sensor", "limited").entity_id}
    told = await automate(hass, triggers=[trigger("load_limited", target, **{"for": {"minutes": 5}})])

    await site.plug_in()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=4))
    await hass.async_block_till_done()
    assert told == []
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=5, seconds=1))
    await hass.async_block_till_done()
    assert len(told) == 1


async def test_a_site_tells_of_its_supply_and_not_of_its_clusters(hass: HomeAssistant, dial: Dial) -> None:
    site = await narrow_site(hass, dial)
    supply = targets(hass, Circuit(hass, site.entry).registered("binary_sensor", "limited"))["device"]
    told = await automate(hass, triggers=[trigger("load_limited", supply)])

    await site.plug_in()

    assert told == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_meter_that_is_lost_is_told_once(hass: HomeAssistant, way: str) -> None:
    entry = await metered_site(hass)
    stale = Circuit(hass, entry).registered("binary_sensor", "stale")
    told = await automate(hass, triggers=[trigger("meter_stale", targets(hass, stale)[way])])

    await lose_meter(hass, entry)
    show_meter(hass, 20.0, 15.0, 5.0)
    await Circuit(hass, entry).until("binary_sensor", "stale", lambda state: state.state == "off")
    await hass.async_block_till_done()

    assert [call.data["who"] for call in told] == [stale.entity_id]


async def test_a_trigger_listens_to_nothing_else_of_its_device(hass: HomeAssistant) -> None:
    entry = await metered_site(hass)
    supply = targets(hass, Circuit(hass, entry).registered("binary_sensor", "stale"))["device"]
    told = await automate(hass, triggers=[trigger("load_limited", supply)])

    await lose_meter(hass, entry)

    assert told == []


async def test_a_meter_that_is_stale_after_a_reload_is_no_news(hass: HomeAssistant) -> None:
    entry = await metered_site(hass)
    stale = Circuit(hass, entry).registered("binary_sensor", "stale").entity_id
    await lose_meter(hass, entry)
    told = await automate(hass, triggers=[trigger("meter_stale", {"entity_id": stale})])

    assert await hass.config_entries.async_unload(entry.entry_id)
    assert hass.states.is_state(stale, STATE_UNAVAILABLE)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    assert hass.states.is_state(stale, "on")
    assert told == []


async def test_what_is_listened_to_is_enabled_and_found_on_its_device(hass: HomeAssistant) -> None:
    entry = await metered_site(hass)

    for key in ("limited", "stale"):
        registered = Circuit(hass, entry).registered("binary_sensor", key)
        assert (registered.disabled, registered.entity_category) == (False, None)


async def test_cards_are_told_to_automations(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), authorisation="known"))
    await entry.runtime_data.installation.ledger.drivers.put(DriverRecord(id_tag="04AABBCC", name="Ann"))
    target = {"entity_id": Controls(hass, entry, "CP1").registered("event", "card").entity_id}
    told = await automate(
        hass,
        triggers=[trigger("card_accepted", target), trigger("card_refused", target)],
        data={
            "trigger": "{{ trigger.platform }}",
            **{name: f"{{{{ trigger.{name} }}}}" for name in ("driver", "card", "answer")},
        },
    )
    point = await dial(port, "CP1")

    await point.tell("Authorize", {"idTag": "04AABBCC"})
    await point.tell("Authorize", {"idTag": "04EE1122"})
    await hass.async_block_till_done()

    assert [dict(call.data) for call in told] == [
        {"trigger": "charge_cluster.card_accepted", "driver": "Ann", "card": "…CC", "answer": "accepted"},
        {"trigger": "charge_cluster.card_refused", "driver": None, "card": "…22", "answer": "unknown"},
    ]
