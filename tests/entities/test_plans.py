"""Charging by a plan, as a manager sets it and a driver sees it: entities of the site, and what a connector shows."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from custom_components.charge_cluster.engine.model import ChargingMode
from custom_components.charge_cluster.engine.tariff import PriceCurve, PricePoint, Window
from custom_components.charge_cluster.site.settings import SiteWish
from tests.site_entry import DOMAIN, a_charge_point, a_site, free_port, set_up

from .stage import Controls, Dial, held_to, plug_in_and_charge

HOUR_S = 3600.0


class CheapLater:
    """Prices that fall in a while, on the hour."""

    demand_objective = 0.0

    def __init__(self, hours: float = 3.0) -> None:
        self.now = time.time()
        self.cheap_at = (self.now // HOUR_S + hours) * HOUR_S

    def curve(self, start: float, end: float) -> PriceCurve:
        dear = PricePoint(self.now - 2 * HOUR_S, self.cheap_at, 0.4)
        return PriceCurve.of([dear, PricePoint(self.cheap_at, self.now + 72 * HOUR_S, 0.1)]).clipped(start, end)

    objective = curve

    def off_peak(self, start: float, end: float) -> tuple[Window, ...]:
        return (Window(self.cheap_at, self.cheap_at + 6 * HOUR_S),)

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


async def act(hass: HomeAssistant, domain: str, action: str, entity: str, **fields: object) -> None:
    await hass.services.async_call(domain, action, {"entity_id": f"{domain}.depot_{entity}", **fields}, blocking=True)


async def test_what_a_manager_sets_holds_for_the_site_and_after_a_restart(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    assert entry.runtime_data.site.usual == SiteWish()

    await act(hass, "select", "select_option", "usual_charging_mode", option="smart")
    await act(hass, "time", "set_value", "vehicles_leave_by", time="16:45:30")
    await act(hass, "number", "set_value", "usual_energy_of_a_session", value=12.5)
    await act(hass, "number", "set_value", "random_delay", value=0)
    wanted = SiteWish(mode=ChargingMode.SMART, leave_by_s=60_330.0, energy_wh=12_500.0, delay_s=0.0)
    assert entry.runtime_data.site.usual == wanted
    assert await hass.config_entries.async_unload(entry.entry_id)
    installation = hass.data[DOMAIN].installation
    await installation.remove(entry.entry_id)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    assert entry.runtime_data.site.usual == wanted
    states = {
        entity: hass.states.get(entity) for entity in ("time.depot_vehicles_leave_by", "number.depot_random_delay")
    }
    assert [None if state is None else state.state for state in states.values()] == ["16:45:30", "0.0"]


async def test_a_driver_sees_when_it_goes_on_and_what_cannot_be(hass: HomeAssistant, dial: Dial) -> None:
    port, prices = free_port(), CheapLater()
    entry = await set_up(hass, a_site(port, a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    shown = ("next_start", "expected_completion", "planned_energy", "shortfall")
    registry = er.async_get(hass)
    for platform, key in (*(("sensor", key) for key in shown), ("binary_sensor", "wish_impossible")):
        registry.async_update_entity(connector.registered(platform, key).entity_id, disabled_by=None)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    entry.runtime_data.site.planning.use(prices)
    leaves = dt_util.as_local(dt_util.utc_from_timestamp(prices.cheap_at + 7 * HOUR_S))
    await act(hass, "time", "set_value", "vehicles_leave_by", time=f"{leaves:%H:%M:%S}")
    await act(hass, "number", "set_value", "random_delay", value=0)
    await act(hass, "number", "set_value", "usual_energy_of_a_session", value=10)
    await act(hass, "select", "select_option", "usual_charging_mode", option="smart")
    point = await dial(port, "CP1")
    await plug_in_and_charge(point)

    reason = await connector.until("sensor", "limit_reason", lambda state: state.state == "planned")
    start = await connector.until("sensor", "next_start", lambda state: state.state != "unknown")
    assert datetime.fromisoformat(start.state).timestamp() == prices.cheap_at
    assert reason.attributes["expected_at"] in {None, datetime.fromtimestamp(prices.cheap_at, UTC).isoformat()}
    assert float(connector.state("sensor", "planned_energy").state) == pytest.approx(10.0, abs=0.1)
    completion = connector.state("sensor", "expected_completion")
    assert datetime.fromisoformat(completion.state).timestamp() > prices.cheap_at
    assert completion.attributes["leave_by"] == "site"
    assert (
        connector.state("sensor", "shortfall").state,
        connector.state("binary_sensor", "wish_impossible").state,
    ) == (
        "0.0",
        "off",
    )

    soon = datetime.fromtimestamp(time.time() + 1800.0, UTC).isoformat()
    answer = await hass.services.async_call(
        DOMAIN,
        "set_session",
        {"device_id": connector.registered("sensor", "status").device_id, "departure": soon, "energy_kwh": 80},
        blocking=True,
        return_response=True,
    )
    assert answer is not None
    wish = await connector.until("binary_sensor", "wish_impossible", lambda state: state.state == "on")
    assert wish.attributes["shortfall_kwh"] > 60.0
    assert datetime.fromisoformat(wish.attributes["possible_at"]).timestamp() > time.time() + 1800.0
    point_of = Controls(hass, entry, "CP1")
    told = await point_of.until("event", "session", lambda state: state.attributes["event_type"] == "impossible")
    assert told.attributes["shortfall_kwh"] == wish.attributes["shortfall_kwh"]
    assert "possible_at" not in told.attributes
    explained = await hass.services.async_call(
        DOMAIN,
        "explain",
        {"device_id": connector.registered("sensor", "status").device_id},
        blocking=True,
        return_response=True,
    )
    assert "kWh will be missing" in str(explained)
    # It charges all that it can, though that is dear.
    await held_to(point, 32.0)
