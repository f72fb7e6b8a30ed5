"""What a site shows of its tariffs: the price with what is known ahead, emissions, off-peak now and as a calendar."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import device_registry as dr, entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.charge_cluster.diagnostics import async_get_config_entry_diagnostics
from tests.site_entry import DOMAIN, a_site, add, free_port, set_up, subentry_called

LONDON = ZoneInfo("Europe/London")
NOON = datetime(2026, 12, 1, 12, tzinfo=LONDON)
ECONOMY_7 = {
    "kind": "bands",
    "price": 0.3,
    "bands": [{"name": "Night", "begins": "00:30:00", "ends": "07:30:00", "price": 0.1, "off_peak": True}],
}
MARKET = {"kind": "prices", "entities": ["sensor.market"], "price": 0.5}


def a_tariff(name: str, stored: dict[str, Any]) -> ConfigSubentryData:
    return ConfigSubentryData(data=stored, subentry_type="tariff", title=name, unique_id=None)


@pytest.fixture(autouse=True)
async def in_london(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await hass.config.async_set_time_zone("Europe/London")
    hass.config.currency = "GBP"
    freezer.move_to(NOON)


def entity(hass: HomeAssistant, entry: MockConfigEntry, platform: str, suffix: str) -> str | None:
    return er.async_get(hass).async_get_entity_id(platform, DOMAIN, f"{entry.entry_id}/{suffix}")


def state(hass: HomeAssistant, entry: MockConfigEntry, platform: str, suffix: str) -> State:
    entity_id = entity(hass, entry, platform, suffix)
    assert entity_id is not None
    found = hass.states.get(entity_id)
    assert found is not None
    return found


def show_market(hass: HomeAssistant, *prices: float, unit: str = "GBP/MWh") -> None:
    slots = [{"start": NOON + timedelta(hours=hour), "value": price} for hour, price in enumerate(prices)]
    hass.states.async_set("sensor.market", "x", {"unit_of_measurement": unit, "raw_today": slots})


async def later(hass: HomeAssistant, freezer: FrozenDateTimeFactory, to: datetime) -> None:
    """Let the site look at a later time."""
    freezer.move_to(to)
    async_fire_time_changed(hass, to)
    for site in hass.config_entries.async_entries(DOMAIN):
        site.runtime_data.site.tariffs.look()
    await hass.async_block_till_done()


async def test_the_price_of_now_with_what_is_known_ahead(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    show_market(hass, *[100.0 + hour for hour in range(20)])
    entry = await set_up(hass, a_site(free_port(), a_tariff("Market", MARKET)))

    shown = state(hass, entry, "sensor", "price-price")
    assert float(shown.state) == 0.1
    assert shown.attributes["unit_of_measurement"] == "GBP/kWh"
    assert (shown.attributes["sources"], shown.attributes["degraded"]) == (["Market"], [])
    assert shown.attributes["known_until"] == "2026-12-02T08:00:00+00:00"
    ahead = [slot for slot in shown.attributes["forecast"] if slot["start"] >= "2026-12-01T13"]
    assert ahead[0] == {"start": "2026-12-01T13:00:00+00:00", "end": "2026-12-01T14:00:00+00:00", "value": 0.101}
    registered = er.async_get(hass).async_get(shown.entity_id)
    assert registered is not None
    assert registered.device_id is not None
    device = dr.async_get(hass).async_get(registered.device_id)
    assert device is not None
    assert (DOMAIN, entry.entry_id) in device.identifiers

    await later(hass, freezer, NOON + timedelta(hours=2))
    assert float(state(hass, entry, "sensor", "price-price").state) == 0.102

    # Late: less than five hours are known. Missing: the price of its fallback stands in.
    await later(hass, freezer, NOON + timedelta(hours=16))
    assert state(hass, entry, "sensor", "price-price").attributes["degraded"] == ["Market"]
    await later(hass, freezer, NOON + timedelta(hours=21))
    shown = state(hass, entry, "sensor", "price-price")
    assert (float(shown.state), shown.attributes["degraded"]) == (0.5, ["Market"])


async def test_what_is_shown_comes_and_goes_with_the_tariffs(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    site = entry.runtime_data.site
    assert entity(hass, entry, "sensor", "price-price") is None
    assert state(hass, entry, "binary_sensor", "off_peak-now").state == "on"

    hass.states.async_set("sensor.co2", "120.4", {"unit_of_measurement": "gCO2eq/kWh"})
    await add(hass, entry, a_tariff("Night", ECONOMY_7), a_tariff("Air", {"kind": "co2", "entities": ["sensor.co2"]}))
    assert float(state(hass, entry, "sensor", "price-price").state) == 0.3
    assert float(state(hass, entry, "sensor", "emissions-co2").state) == 120.4
    assert state(hass, entry, "binary_sensor", "off_peak-now").state == "off"

    hass.config_entries.async_remove_subentry(entry, subentry_called(entry, "Night").subentry_id)
    await hass.async_block_till_done()
    assert entity(hass, entry, "sensor", "price-price") is None
    assert entry.runtime_data.site is site


async def test_off_peak_now_and_as_a_calendar(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    entry = await set_up(hass, a_site(free_port(), a_tariff("Night", ECONOMY_7)))

    now = state(hass, entry, "binary_sensor", "off_peak-now")
    assert now.attributes["changes_at"] == "2026-12-02T00:30:00+00:00"
    assert now.attributes["sources"] == ["Night"]
    calendar = state(hass, entry, "calendar", "off_peak-calendar")
    assert calendar.state == "off"
    assert calendar.attributes["start_time"] == "2026-12-02 00:30:00"

    told = await hass.services.async_call(
        "calendar",
        "get_events",
        {
            "entity_id": calendar.entity_id,
            "start_date_time": "2026-10-24 12:00:00",
            "end_date_time": "2026-10-26 06:00:00",
        },
        blocking=True,
        return_response=True,
    )
    assert told is not None
    events: Any = told[calendar.entity_id]
    # The night of the 25th has the hour from 1 to 2 twice.
    assert [(event["start"], event["end"]) for event in events["events"]] == [
        ("2026-10-25T00:30:00+01:00", "2026-10-25T07:30:00+00:00"),
        ("2026-10-26T00:30:00+00:00", "2026-10-26T07:30:00+00:00"),
    ]
    assert {event["summary"] for event in events["events"]} == {"Off-peak times"}

    await later(hass, freezer, NOON + timedelta(hours=13))
    assert state(hass, entry, "binary_sensor", "off_peak-now").state == "on"
    assert state(hass, entry, "calendar", "off_peak-calendar").state == "on"


async def test_the_highest_demand_of_the_month_and_what_it_costs(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await set_up(hass, a_site(free_port(), a_tariff("Night", ECONOMY_7)))
    site = entry.runtime_data.site
    assert entity(hass, entry, "sensor", "demand_charge-month_peak") is None
    await add(hass, entry, a_tariff("Grid", {"kind": "demand_charge", "price": 12.5}))
    assert state(hass, entry, "sensor", "demand_charge-month_peak").state == "unknown"
    assert state(hass, entry, "sensor", "demand_charge-month_peak_cost").state == "unknown"

    for minute in range(31):
        site.month_peak.take(NOON.timestamp() + 60.0 * minute, 48_000.0 if minute < 15 else 30_000.0)
    await hass.async_block_till_done()
    peak = state(hass, entry, "sensor", "demand_charge-month_peak")
    assert (float(peak.state), peak.attributes["unit_of_measurement"]) == (48.0, "kW")
    assert peak.attributes["quarter_hour"] == "2026-12-01T12:00:00+00:00"
    cost = state(hass, entry, "sensor", "demand_charge-month_peak_cost")
    assert (float(cost.state), cost.attributes["unit_of_measurement"]) == (600.0, "GBP")
    assert cost.attributes["last_reset"] == "2026-12-01T00:00:00+00:00"

    await add(hass, entry, a_tariff("More", {"kind": "demand_charge", "price": 7.5}))
    assert float(state(hass, entry, "sensor", "demand_charge-month_peak_cost").state) == 960.0

    freezer.move_to(datetime(2027, 1, 1, 0, 1, tzinfo=LONDON))
    site.month_peak.look(datetime(2027, 1, 1, 0, 1, tzinfo=LONDON).timestamp())
    await hass.async_block_till_done()
    assert state(hass, entry, "sensor", "demand_charge-month_peak").state == "unknown"
    hass.config_entries.async_remove_subentry(entry, subentry_called(entry, "More").subentry_id)
    hass.config_entries.async_remove_subentry(entry, subentry_called(entry, "Grid").subentry_id)
    await hass.async_block_till_done()
    assert entity(hass, entry, "sensor", "demand_charge-month_peak") is None


async def test_diagnostics_tell_how_each_tariff_fares(hass: HomeAssistant) -> None:
    show_market(hass, 1.0, unit="SEK/kWh")
    entry = await set_up(hass, a_site(free_port(), a_tariff("Market", MARKET)))

    told = await async_get_config_entry_diagnostics(hass, entry)

    (view,) = told["tariffs"].values()
    assert view["known"] == 0
    assert view["faults"] == [{"key": "other_currency", "detail": "sensor.market: SEK/kWh"}]
    assert told["settings"]["tariffs"][0]["name"] == "Market"
