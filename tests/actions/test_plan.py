"""What is planned, as it is answered: slots for a chart, money, and departures for those alone whom they concern."""

import time
from datetime import UTC, datetime

import pytest
from homeassistant.core import HomeAssistant

from tests.entities.stage import Controls, Dial, plug_in_and_charge
from tests.entities.test_plans import HOUR_S, CheapLater, act
from tests.site_entry import a_charge_point, a_cluster, a_site, free_port, set_up

from .stage import administrator, answer, device, member

WHO_LEAVES = {"departure", "departure_by", "possible_at"}


async def test_a_plan_is_answered_slot_by_slot_and_tells_nobody_who_leaves_when(
    hass: HomeAssistant, dial: Dial
) -> None:
    port, prices = free_port(), CheapLater()
    entry = await set_up(hass, a_site(port, a_charge_point("CP1"), a_charge_point("CP2"), a_cluster("West")))
    assert (await answer(hass, "get_plan"))["sessions"] == []
    entry.runtime_data.site.planning.use(prices)
    await act(hass, "number", "set_value", "random_delay", value=0)
    await act(hass, "select", "select_option", "usual_charging_mode", option="smart")
    await plug_in_and_charge(await dial(port, "CP1"))
    connector = Controls(hass, entry, "CP1", 1)
    leaves = datetime.fromtimestamp(prices.cheap_at + 7 * HOUR_S, UTC)
    cp1 = device(hass, entry, "CP1")
    await answer(hass, "set_session", cp1, departure=leaves.isoformat(), energy_kwh=20)
    await connector.sees(
        lambda view: view.plan is not None and view.plan.leave_at == leaves.timestamp() and bool(view.plan.slots)
    )
    await connector.sees(lambda view: view.session is not None and view.session.costs.forecast is not None)

    whole = await answer(hass, "get_plan", by=administrator(hass))
    [session] = whole["sessions"]
    assert whole["currency"] == hass.config.currency
    assert (session["connector"], session["device_id"], session["mode"]) == ("CP1", cp1, "smart")
    assert session["planned_kwh"] == pytest.approx(20.0, abs=0.1)
    assert (session["charged_kwh"], session["shortfall_kwh"], session["cost"]) == (0.0, 0.0, 0.0)
    assert datetime.fromisoformat(session["next_start"]).timestamp() == prices.cheap_at
    assert session["forecast_cost"] == pytest.approx(2.0, abs=0.05)
    assert session["forecast_saving"] == pytest.approx(20 * 0.3, abs=0.5)
    # As if it were alone it could not have had it for less.
    assert session["forecast_saving_against_alone"] == pytest.approx(0.0, abs=0.01)
    slots = session["slots"]
    assert sum(slot["kwh"] for slot in slots) == pytest.approx(session["planned_kwh"], abs=0.01)
    assert {slot["price"] for slot in slots} == {0.1}
    starts = [datetime.fromisoformat(slot["start"]).timestamp() for slot in slots]
    ends = [datetime.fromisoformat(slot["end"]).timestamp() for slot in slots]
    assert starts[0] == prices.cheap_at
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
    assert all(slot["kw"] == pytest.approx(slot["amps"] * 3 * 230 / 1000, abs=0.05) for slot in slots)
    assert datetime.fromisoformat(session["completes_at"]).timestamp() <= ends[-1]

    for asked in ([device(hass, entry)], []):
        for who in (administrator(hass), member(hass)):
            [session] = (await answer(hass, "get_plan", *asked, by=who))["sessions"]
            assert not WHO_LEAVES & session.keys()
    [session] = (await answer(hass, "get_plan", cp1, by=member(hass)))["sessions"]
    assert not WHO_LEAVES & session.keys()
    [session] = (await answer(hass, "get_plan", cp1, by=administrator(hass)))["sessions"]
    assert (datetime.fromisoformat(session["departure"]), session["departure_by"]) == (leaves, "driver")
    assert leaves.timestamp() > time.time()
    assert (await answer(hass, "get_plan", device(hass, entry, "West")))["sessions"] == []
