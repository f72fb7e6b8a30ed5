"""Sessions that begin and end are told at their charge point, once and without saying who it was."""

import asyncio
import json
import time

from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant, State
from homeassistant.util import dt as dt_util

from custom_components.charge_cluster import DOMAIN_DATA
from tests.automations.stage import queue
from tests.ocpp.charge_point import ChargePoint, energy, sampled
from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .stage import Controls, Dial, plug_in_and_charge

TAG = "TAG1"


async def unplug(point: ChargePoint, transaction_id: int, connector: int = 1, register_wh: int = 1000) -> None:
    """End a transaction and take the vehicle away."""
    await point.stop(transaction_id, register_wh)
    await point.status(connector, "Finishing")
    await point.status(connector, "Available")


async def told(charge_point: Controls, kind: str) -> State:
    """Wait for an event of a kind."""
    return await charge_point.until("event", "session", lambda state: state.attributes["event_type"] == kind)


async def recorded(hass: HomeAssistant, started: State) -> tuple[float, str | None]:
    """Return the energy and the transaction that stand in the ledger for a session that has ended."""
    installation = hass.data[DOMAIN_DATA].installation
    assert installation is not None
    for site_id in installation.sites():
        for row in await installation.ledger.sessions.newest(site_id, 0.0, time.time() + 60.0, count=100):
            if row.session_id == started.attributes["session_id"]:
                assert row.ended_at is not None
                return row.energy_wh, row.transaction_id
    raise AssertionError("the session is not in the ledger")


async def test_nothing_has_happened_at_first(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    session = Controls(hass, entry, "CP1").state("event", "session")

    assert (session.name, session.state) == ("CP1 Session", STATE_UNKNOWN)
    assert session.attributes["event_types"] == ["started", "waiting", "admitted", "done", "impossible", "ended"]


async def test_a_session_is_told_when_it_begins_and_when_it_ends(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", rotations=["l1_l2_l3", "l2_l3_l1"])))
    charge_point = Controls(hass, entry, "CP1")
    point = await dial(port, "CP1", 2)

    transaction_id = await plug_in_and_charge(point, 2)
    started = await told(charge_point, "started")
    await point.measure([*sampled(L1=16, L2=16, L3=16), energy(1000)], 2, transaction_id)
    await point.measure([*sampled(L1=16, L2=16, L3=16), energy(1055.6)], 2, transaction_id)
    await unplug(point, transaction_id, 2, 1056)
    ended = await told(charge_point, "ended")

    assert started.attributes["connector"] == ended.attributes["connector"] == 2
    assert started.attributes["session_id"] == ended.attributes["session_id"] != ""
    assert (started.attributes["energy_kwh"], started.attributes["duration_s"]) == (0.0, 0)
    assert ended.attributes["energy_kwh"] == 0.056
    assert 0 <= ended.attributes["duration_s"] <= 60


async def test_a_charge_point_that_never_measures_has_the_energy_of_its_registers(
    hass: HomeAssistant, dial: Dial
) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    charge_point, connector = Controls(hass, entry, "CP1"), Controls(hass, entry, "CP1", 1)
    point = await dial(port, "CP1")

    await point.status(1, "Preparing")
    transaction_id = await point.start(meter=1000)
    await point.status(1, "Charging")
    started = await told(charge_point, "started")
    await point.stop(transaction_id, 8654)
    await connector.sees(lambda view: view.session is not None and view.session.energy_wh == 7654.0)
    await point.status(1, "Available")
    ended = await told(charge_point, "ended")

    assert ended.attributes["energy_kwh"] == 7.654
    assert await recorded(hass, started) == (7654.0, str(transaction_id))


async def test_the_register_of_an_end_that_was_queued_counts(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    charge_point, connector = Controls(hass, entry, "CP1"), Controls(hass, entry, "CP1", 1)
    point = await dial(port, "CP1")
    await point.status(1, "Preparing")
    transaction_id = await point.start(meter=1000)
    started = await told(charge_point, "started")

    point.client.abort()
    await connector.sees(lambda view: not view.online)
    again = await dial(port, "CP1")
    await connector.sees(lambda view: view.session is None)
    assert charge_point.state("event", "session").attributes["event_type"] == "started"
    await again.stop(transaction_id, 8654)
    ended = await told(charge_point, "ended")

    assert ended.attributes["session_id"] == started.attributes["session_id"]
    assert ended.attributes["energy_kwh"] == 7.654
    assert await recorded(hass, started) == (7654.0, str(transaction_id))


async def test_a_session_that_waits_is_told_with_its_place_and_when_it_gets_one(
    hass: HomeAssistant, dial: Dial
) -> None:
    line = await queue(hass, dial)

    waiting = await line.wait()
    admitted = await line.admit()
    done = await line.finish()

    turns = dt_util.parse_datetime(waiting.attributes["expected_at"])
    assert turns is not None
    assert 0.0 <= (turns - dt_util.utcnow()).total_seconds() <= 900.0
    assert (waiting.attributes["queue_position"], admitted.attributes["queue_position"]) == (1, None)
    assert (done.attributes["energy_kwh"], "queue_position" in done.attributes) == (2.0, False)
    assert {state.attributes["session_id"] for state in (waiting, admitted, done)} == {done.attributes["session_id"]}


async def test_who_charges_is_not_told(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    charge_point = Controls(hass, entry, "CP1")
    point = await dial(port, "CP1")

    await unplug(point, await plug_in_and_charge(point))
    ended = await told(charge_point, "ended")

    assert TAG not in json.dumps(dict(ended.attributes))


async def test_a_session_is_told_at_its_own_charge_point_only(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), a_charge_point("CP10")))
    first, tenth = Controls(hass, entry, "CP1"), Controls(hass, entry, "CP10")
    await dial(port, "CP1")
    point = await dial(port, "CP10")

    await plug_in_and_charge(point)
    await told(tenth, "started")
    await hass.async_block_till_done()

    assert first.state("event", "session").state == STATE_UNKNOWN


async def test_an_event_stays_what_it_was_while_the_charge_point_comes_and_goes(
    hass: HomeAssistant, dial: Dial
) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    charge_point = Controls(hass, entry, "CP1")
    point = await dial(port, "CP1")
    await plug_in_and_charge(point)
    started = await told(charge_point, "started")

    point.client.abort()
    await charge_point.until("button", "reset", lambda state: state.state == "unavailable")
    await dial(port, "CP1", 0)
    await charge_point.until("button", "reset", lambda state: state.state != "unavailable")

    assert charge_point.state("event", "session").last_updated == started.last_updated


async def test_the_last_event_is_still_shown_after_a_reload(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    charge_point = Controls(hass, entry, "CP1")
    point = await dial(port, "CP1")
    transaction_id = await plug_in_and_charge(point)
    started = await told(charge_point, "started")

    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert charge_point.state("event", "session").state == started.state

    async with asyncio.timeout(10):
        await unplug(point, transaction_id)
        ended = await told(charge_point, "ended")
    assert ended.attributes["session_id"] == started.attributes["session_id"]
