"""Sources out of Home Assistant: entities that change, actions behind them, calendars, schedules and switches."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant, ServiceCall, SupportsResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.charge_cluster.engine.tariff import Window
from custom_components.charge_cluster.tariffs import FaultKey, Source, Told
from custom_components.charge_cluster.tariffs.entity import ASK_AGAIN_S, ASK_EVERY_S, LOOK_EVERY_S, entity_sources
from custom_components.charge_cluster.tariffs.settings import (
    ForecastWanted,
    HolidaysWanted,
    Quantity,
    TimesWanted,
    Wanted,
)

OSLO = ZoneInfo("Europe/Oslo")
NOON = datetime(2026, 6, 1, 12, tzinfo=OSLO)


def at(hours: float) -> float:
    return (NOON + timedelta(hours=hours)).timestamp()


@pytest.fixture(autouse=True)
async def in_oslo(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await hass.config.async_set_time_zone("Europe/Oslo")
    hass.config.currency = "NOK"
    freezer.move_to(NOON)


class Heard:
    """What a source has told."""

    def __init__(self) -> None:
        self.all: list[Told] = []

    def __call__(self, told: Told) -> None:
        self.all.append(told)

    def newest(self) -> Told:
        return self.all[-1]

    def fault(self) -> FaultKey | None:
        fault = self.newest().fault
        return None if fault is None else fault.key


type Listen = Callable[[Wanted], Awaitable[Heard]]


@pytest.fixture
async def listen(hass: HomeAssistant) -> AsyncIterator[Listen]:
    """Start a source and hear what it tells; it is stopped with the test."""
    sources: list[Source] = []

    async def begin(wanted: Wanted) -> Heard:
        source, heard = entity_sources(hass, wanted), Heard()
        sources.append(source)
        await source.start(heard)
        await hass.async_block_till_done(wait_background_tasks=True)
        return heard

    yield begin
    for source in sources:
        await source.stop()


async def pass_time(hass: HomeAssistant, freezer: FrozenDateTimeFactory, seconds: float) -> None:
    freezer.tick(seconds)
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)


def of_integration(
    hass: HomeAssistant, platform: str, unique_id: str, unit: str | None, home: str | None = None
) -> str:
    """Return the sensor of an integration, with a present value and no forecast."""
    entry = MockConfigEntry(domain=platform, entry_id=f"entry_of_{platform}")
    entry.add_to_hass(hass)
    device = None
    if home is not None:
        device = dr.async_get(hass).async_get_or_create(
            config_entry_id=entry.entry_id, identifiers={(platform, home)}, name=home
        )
    registered = er.async_get(hass).async_get_or_create(
        "sensor",
        platform,
        unique_id,
        config_entry=entry,
        device_id=None if device is None else device.id,
        suggested_object_id=platform,
    )
    hass.states.async_set(registered.entity_id, "0.5", {"unit_of_measurement": unit})
    return registered.entity_id


class Action:
    """An action of another integration, as a test answers it."""

    def __init__(self, hass: HomeAssistant, domain: str, name: str) -> None:
        self.calls: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda _fields: {}
        hass.services.async_register(domain, name, self._call, supports_response=SupportsResponse.ONLY)

    async def _call(self, call: ServiceCall) -> Any:
        self.calls.append(dict(call.data))
        return self.answer(dict(call.data))


async def test_an_entity_is_read_whenever_it_changes(hass: HomeAssistant, listen: Listen) -> None:
    heard = await listen(ForecastWanted(entities=("sensor.price",)))
    assert heard.fault() is FaultKey.MISSING_ENTITY

    slots = [{"start": NOON, "value": 40.0}]
    hass.states.async_set("sensor.price", "x", {"unit_of_measurement": "øre/kWh", "raw_today": slots})
    await hass.async_block_till_done()
    assert heard.newest().curve.at(at(0.5)) == pytest.approx(0.4)
    assert heard.newest().fault is None

    hass.states.async_set("sensor.price", "unavailable", {})
    await hass.async_block_till_done()
    assert heard.fault() is FaultKey.ENTITY_UNAVAILABLE


async def test_todays_and_tomorrows_entities_are_one(hass: HomeAssistant, listen: Listen) -> None:
    hass.config.currency = "GBP"
    rates = [{"start": NOON, "end": NOON + timedelta(minutes=30), "value_inc_vat": 0.15}]
    hass.states.async_set("event.today", "2026-06-01T00:00:00", {"rates": rates})
    hass.states.async_set("event.tomorrow", "unavailable")

    heard = await listen(ForecastWanted(entities=("event.today", "event.tomorrow")))

    assert heard.newest().curve.at(at(0.2)) == 0.15
    # Tomorrow's are not there before they are published; whether they are late is judged by what is known.
    assert heard.newest().fault is None


async def test_nord_pool_is_asked_for_three_days_in_the_currency_of_the_site(
    hass: HomeAssistant, listen: Listen, freezer: FrozenDateTimeFactory
) -> None:
    action = Action(hass, "nordpool", "get_prices_for_date")

    def prices(fields: dict[str, Any]) -> dict[str, Any]:
        day = date.fromisoformat(fields["date"])
        if day > date(2026, 6, 1):
            return {"NO1": []}
        start = datetime(day.year, day.month, day.day, tzinfo=OSLO)
        hours = [start + timedelta(hours=hour) for hour in range(24)]
        return {
            "NO1": [
                {"start": hour.isoformat(), "end": (hour + timedelta(hours=1)).isoformat(), "price": 500.0}
                for hour in hours
            ]
        }

    action.answer = prices
    sensor = of_integration(hass, "nordpool", "NO1-current_price", "EUR/kWh")
    heard = await listen(ForecastWanted(entities=(sensor,)))

    assert heard.newest().fault is None
    assert heard.newest().curve.at(at(0)) == pytest.approx(0.5)
    assert heard.newest().curve.known_until(at(-30)) == at(12)
    assert [call["date"] for call in action.calls] == ["2026-05-31", "2026-06-01", "2026-06-02"]
    assert {(call["config_entry"], call["currency"], *call["areas"]) for call in action.calls} == {
        ("entry_of_nordpool", "NOK", "NO1")
    }

    # The sensor changes with each slot; the action is not called for that.
    hass.states.async_set(sensor, "0.6", {"unit_of_measurement": "EUR/kWh"})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(action.calls) == 3
    await pass_time(hass, freezer, LOOK_EVERY_S)
    assert len(action.calls) == 3
    await pass_time(hass, freezer, ASK_EVERY_S)
    assert len(action.calls) == 6
    # Less than twelve hours are known now: tomorrow's prices may come any moment.
    await pass_time(hass, freezer, ASK_AGAIN_S + 1)
    assert len(action.calls) == 9


async def test_an_action_that_fails_is_said_and_called_again(
    hass: HomeAssistant, listen: Listen, freezer: FrozenDateTimeFactory
) -> None:
    sensor = of_integration(hass, "nordpool", "NO1-current_price", "NOK/kWh")
    heard = await listen(ForecastWanted(entities=(sensor,)))
    assert heard.fault() is FaultKey.ACTION_FAILED
    assert "nordpool.get_prices_for_date" in str(heard.newest().fault)

    action = Action(hass, "nordpool", "get_prices_for_date")
    action.answer = lambda _fields: {"NO1": [{"start": NOON.isoformat(), "end": at(1), "price": 300.0}]}
    await pass_time(hass, freezer, ASK_AGAIN_S + 1)
    assert heard.newest().curve.at(at(0.5)) == pytest.approx(0.3)
    assert heard.newest().fault is None

    def refuse(_fields: dict[str, Any]) -> dict[str, Any]:
        raise ServiceValidationError("no connection")

    action.answer = refuse
    await pass_time(hass, freezer, ASK_AGAIN_S + 1)
    # What was told before is still known.
    assert heard.newest().curve.at(at(0.5)) == pytest.approx(0.3)
    assert heard.fault() is FaultKey.ACTION_FAILED


async def test_tibber_tells_the_prices_of_the_home_of_its_sensor(hass: HomeAssistant, listen: Listen) -> None:
    action = Action(hass, "tibber", "get_prices")
    action.answer = lambda _fields: {
        "prices": {
            "Cabin": [{"start_time": NOON.isoformat(), "price": 9.0}],
            "Works": [{"start_time": NOON.isoformat(), "price": 0.7}],
        }
    }
    sensor = of_integration(hass, "tibber", "el_price_works", "NOK/kWh", home="Works")
    stranger = of_integration(hass, "tibber", "el_price_other", "NOK/kWh", home="Other")

    heard = await listen(ForecastWanted(entities=(sensor,)))
    assert heard.newest().curve.at(at(0.5)) == 0.7
    assert action.calls[0] == {"start": "2026-06-01T00:00:00+02:00", "end": "2026-06-03T00:00:00+02:00"}
    heard = await listen(ForecastWanted(entities=(stranger,)))
    assert heard.fault() is FaultKey.SEVERAL_HOMES


async def test_forecast_solar_tells_the_power_of_its_installation(hass: HomeAssistant, listen: Listen) -> None:
    action = Action(hass, "forecast_solar", "get_forecast")
    action.answer = lambda _fields: {"watts": {}, "wh_period": {NOON.isoformat(): 4000}}
    sensor = of_integration(hass, "forecast_solar", "x", "W")

    heard = await listen(ForecastWanted(entities=(sensor,), quantity=Quantity.POWER))

    assert heard.newest().curve.at(at(0.5)) == 4000.0
    assert action.calls == [{"config_entry": "entry_of_forecast_solar"}]


async def test_an_entity_without_a_forecast_is_known_for_now(
    hass: HomeAssistant, listen: Listen, freezer: FrozenDateTimeFactory
) -> None:
    hass.states.async_set("sensor.co2", "120", {"unit_of_measurement": "gCO2eq/kWh"})
    hass.states.async_set("sensor.price", "0.9", {"unit_of_measurement": "NOK/kWh"})

    co2 = await listen(ForecastWanted(entities=("sensor.co2",), quantity=Quantity.EMISSIONS))
    price = await listen(ForecastWanted(entities=("sensor.price",)))

    assert (co2.newest().curve.at(at(0)), co2.newest().fault) == (120.0, None)
    assert price.newest().curve.at(at(0)) == 0.9
    assert price.fault() is FaultKey.NO_FORECAST
    # It goes on to be known though it does not change.
    await pass_time(hass, freezer, LOOK_EVERY_S + 1)
    assert co2.newest().curve.at(at(0.5)) == 120.0


async def test_a_calendar_says_when_it_is_cheap(hass: HomeAssistant, listen: Listen) -> None:
    action = Action(hass, "calendar", "get_events")
    events = [
        {"start": NOON.isoformat(), "end": (NOON + timedelta(hours=2)).isoformat(), "summary": "cheap"},
        {"start": (NOON + timedelta(hours=1)).isoformat(), "end": (NOON + timedelta(hours=3)).isoformat()},
        {"start": "2026-06-03", "end": "2026-06-04"},
        {"start": "soon", "end": None},
    ]
    action.answer = lambda fields: {fields["entity_id"]: {"events": events}}
    hass.states.async_set("calendar.cheap", "on")

    heard = await listen(TimesWanted(entity="calendar.cheap"))

    assert heard.newest().windows == (Window(at(0), at(3)), Window(at(36), at(60)))


@pytest.mark.parametrize("expected_lingering_timers", [True])  # the helper's own, for its next change
async def test_a_schedule_says_when_it_is_cheap(hass: HomeAssistant, listen: Listen) -> None:
    night = [{"from": "00:00:00", "to": "06:00:00"}, {"from": "22:30:00", "to": "24:00:00"}]
    assert await async_setup_component(hass, "schedule", {"schedule": {"cheap": {"name": "Cheap", "monday": night}}})
    await hass.async_block_till_done()

    heard = await listen(TimesWanted(entity="schedule.cheap"))

    week = heard.newest().week
    assert week is not None
    # 1 June 2026 is a Monday.
    assert week.off_peak(at(-36), at(60), OSLO) == (Window(at(-12), at(-6)), Window(at(10.5), at(12)))


async def test_a_switch_says_only_that_it_is_cheap_now(hass: HomeAssistant, listen: Listen) -> None:
    hass.states.async_set("input_boolean.cheap", "off")
    heard = await listen(TimesWanted(entity="input_boolean.cheap"))
    assert heard.newest().windows == ()

    hass.states.async_set("input_boolean.cheap", "on")
    await hass.async_block_till_done()
    assert heard.newest().windows == (Window(at(0), at(0.5)),)
    hass.states.async_set("input_boolean.cheap", "unknown")
    await hass.async_block_till_done()
    assert heard.newest().fault is not None


async def test_a_calendar_has_the_holidays(hass: HomeAssistant, listen: Listen, freezer: FrozenDateTimeFactory) -> None:
    action = Action(hass, "calendar", "get_events")
    events = [
        {"start": "2026-12-25", "end": "2026-12-27", "summary": "Christmas"},
        {"start": "2026-06-05T00:00:00+02:00", "end": "2026-06-06T00:00:00+02:00"},
    ]
    action.answer = lambda fields: {fields["entity_id"]: {"events": events}}
    hass.states.async_set("calendar.holidays", "off")

    heard = await listen(HolidaysWanted(entity="calendar.holidays"))

    days = frozenset({date(2026, 12, 25), date(2026, 12, 26), date(2026, 6, 5)})
    assert heard.newest().holidays == days
    hass.states.async_set("calendar.holidays", "unavailable")
    await hass.async_block_till_done()
    assert heard.newest().holidays == days
    assert heard.newest().fault is not None
