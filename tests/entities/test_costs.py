"""What a session costs, as a driver and a manager see it: sensors, the event at its end, the account of the month."""

from typing import Any

import pytest
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.actions.stage import answer
from tests.ocpp.charge_point import energy, sampled
from tests.site_entry import DOMAIN, a_charge_point, a_site, free_port, set_up

from .stage import Controls, Dial, plug_in_and_charge

FLAT: dict[str, Any] = {"kind": "bands", "price": 0.25, "bands": []}


def of_site(hass: HomeAssistant, entry: MockConfigEntry, key: str) -> State:
    entity_id = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, f"{entry.entry_id}/price-{key}")
    assert entity_id is not None
    state = hass.states.get(entity_id)
    assert state is not None
    return state


async def test_a_session_is_told_with_what_it_cost_and_the_month_adds_it_up(hass: HomeAssistant, dial: Dial) -> None:
    hass.config.currency = "GBP"
    tariff = ConfigSubentryData(data=FLAT, subentry_type="tariff", title="Flat", unique_id=None)
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), tariff))
    connector = Controls(hass, entry, "CP1", 1)
    for key in ("session_saving", "cost_forecast", "saving_forecast"):
        er.async_get(hass).async_update_entity(connector.registered("sensor", key).entity_id, disabled_by=None)
    await connector.enable("sensor", "session_cost")
    assert connector.state("sensor", "session_cost").state == "unknown"
    month = of_site(hass, entry, "month_cost")
    assert (month.state, month.attributes["unit_of_measurement"], month.attributes["state_class"]) == (
        "0.0",
        "GBP",
        "total",
    )
    first = dt_util.start_of_local_day().replace(day=1)
    assert month.attributes["last_reset"] == dt_util.as_utc(first).isoformat()

    point = await dial(port, "CP1")
    transaction_id = await plug_in_and_charge(point)
    for register_wh in (1000, 5000):
        await point.measure([*sampled(L1=16, L2=16, L3=16), energy(register_wh)], 1, transaction_id)
    await connector.sees(lambda view: view.session is not None and view.session.energy_wh == 4000.0)
    [running] = (await answer(hass, "get_sessions"))["sessions"]
    assert (running["cost"], running["saving"], running["unpriced_kwh"], running["currency"]) == (1.0, 0.0, 0.0, "GBP")
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    cost = connector.state("sensor", "session_cost")
    assert float(cost.state) == pytest.approx(1.0)
    assert (cost.attributes["unit_of_measurement"], cost.attributes["device_class"]) == ("GBP", "monetary")
    assert cost.attributes["unpriced_kwh"] == 0.0
    assert float(connector.state("sensor", "session_saving").state) == 0.0
    # Nothing is planned: it charges now.
    assert connector.state("sensor", "cost_forecast").state == "unknown"

    await point.stop(transaction_id, 6000)
    await point.status(1, "Available")
    charge_point = Controls(hass, entry, "CP1")
    ended = await charge_point.until("event", "session", lambda state: state.attributes["event_type"] == "ended")
    told = [ended.attributes[name] for name in ("energy_kwh", "cost", "saving", "unpriced_kwh", "currency")]
    assert told == [5.0, 1.25, 0.0, 0.0, "GBP"]
    assert ended.attributes["saving_against_alone"] == 0.0
    await hass.async_block_till_done()
    month = of_site(hass, entry, "month_cost")
    assert (month.state, month.attributes["sessions"], month.attributes["energy_kwh"]) == ("1.25", 1, 5.0)
    saving = of_site(hass, entry, "month_saving")
    assert (saving.state, saving.attributes["against_alone"]) == ("0.0", 0.0)
    [stored] = (await answer(hass, "get_sessions"))["sessions"]
    assert (stored["running"], stored["cost"], stored["currency"]) == (False, 1.25, "GBP")
    assert stored["saving_against_alone"] == 0.0
