"""Adding, changing and removing tariffs while the site runs; what is no tariff is refused with what would fit."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import voluptuous as vol
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.charge_cluster.site.site import Site
from custom_components.charge_cluster.subentries.tariff import MENU
from custom_components.charge_cluster.tariffs.settings import ForecastTariff
from tests.flows.test_translations import WORDS, literals_of, missing_words
from tests.site_entry import a_site, free_port, set_up, subentry_called

from .test_translations import INTEGRATION

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
async def at_home(hass: HomeAssistant) -> None:
    """Live in Berlin and pay in euros."""
    await hass.config.async_set_time_zone("Europe/Berlin")
    hass.config.currency = "EUR"


async def begun(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> Any:
    flow = await hass.config_entries.subentries.async_init((entry.entry_id, "tariff"), context={"source": SOURCE_USER})
    assert flow["menu_options"] == MENU
    return await hass.config_entries.subentries.async_configure(flow["flow_id"], {"next_step_id": kind})


async def added(hass: HomeAssistant, entry: MockConfigEntry, kind: str, form: dict[str, Any]) -> Any:
    flow = await begun(hass, entry, kind)
    result = await hass.config_entries.subentries.async_configure(flow["flow_id"], {"name": "Grid"} | form)
    await hass.async_block_till_done()
    return result


async def changed(hass: HomeAssistant, entry: MockConfigEntry, name: str, form: dict[str, Any]) -> Any:
    flow = await entry.start_subentry_reconfigure_flow(hass, subentry_called(entry, name).subentry_id)
    result = await hass.config_entries.subentries.async_configure(flow["flow_id"], form)
    await hass.async_block_till_done()
    return result


def price_at(site: Site, *when: int) -> float | None:
    year, month, day, hour, minute = when
    at = datetime(year, month, day, hour, minute, tzinfo=BERLIN).timestamp()
    return site.tariffs.curve(at, at + 60.0).at(at)


def band(name: str, begins: str, ends: str, price: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "begins": f"{begins}:00", "ends": f"{ends}:00", "price": price} | more


async def test_every_form_has_its_words(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    words = WORDS["config_subentries"]["tariff"]
    assert set(words["step"]["user"]["menu_options"]) == set(MENU)
    for kind in MENU:
        flow = await begun(hass, entry, kind)
        assert list(missing_words(flow["data_schema"], words["step"][kind])) == []
        hass.config_entries.subentries.async_abort(flow["flow_id"])
    faults = literals_of(INTEGRATION / "subentries" / "tariff.py", call="add")
    faults |= {"bands_overlap", "bands_leave_hole", "too_many_bands", "band_time_bad", "band_price_bad"}
    faults |= {
        f"source_{key}" for key in ("missing_entity", "no_forecast", "wrong_unit", "other_currency", "several_homes")
    }
    assert faults - words["error"].keys() == set()


async def test_a_browser_gets_the_editor_of_bands_with_what_was_stored(
    hass: HomeAssistant, hass_client: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, a_site(free_port()))
    await added(hass, entry, "uk_peaks", {"price": 0.3, "cheap_price": 0.1})
    assert await async_setup_component(hass, "config", {})
    client = await hass_client()
    tariff = subentry_called(entry, "Grid").subentry_id

    answer = await client.post(
        "/api/config/config_entries/subentries/flow",
        json={"handler": [entry.entry_id, "tariff"], "subentry_id": tariff, "show_advanced_options": False},
    )

    form = await answer.json()
    assert (answer.status, form["step_id"]) == (200, "bands"), form
    fields = {field["name"]: field for field in form["data_schema"]}
    editor = fields["bands"]["selector"]["object"]
    assert set(editor["fields"]) == set(WORDS["selector"]["band"]["fields"])
    stored = fields["bands"]["description"]["suggested_value"]
    assert [(band["name"], band["begins"]) for band in stored] == [
        ("Morning peak", "08:00:00"),
        ("Evening peak", "16:00:00"),
    ]
    sent = {name: field["description"]["suggested_value"] for name, field in fields.items() if "description" in field}
    answer = await client.post(f"/api/config/config_entries/subentries/flow/{form['flow_id']}", json=sent)
    assert (await answer.json())["reason"] == "reconfigure_successful"


UNPRICED = {"name": "Night", "begins": "00:00:00", "ends": "07:00:00"}


@pytest.mark.parametrize("kind", MENU)
async def test_no_form_begins_with_a_price_that_nobody_has_entered(hass: HomeAssistant, kind: str) -> None:
    """A browser fills a number that is required, and has no default, with the least that is possible."""
    entry = await set_up(hass, a_site(free_port()))
    flow = await begun(hass, entry, kind)
    required = [field for field in flow["data_schema"].schema if isinstance(field, vol.Required)]

    assert {str(field) for field in required} & {"price", "cheap_price"} == set()
    bands = flow["data_schema"].schema.get("bands")
    assert bands is None or not bands.config["fields"]["price"].get("required")


@pytest.mark.parametrize(
    ("kind", "form", "missing"),
    [
        ("flat", {}, {"price": "price_missing"}),
        ("demand_charge", {}, {"price": "price_missing"}),
        ("uk_peaks", {"price": 0.3}, {"cheap_price": "price_missing"}),
        ("economy_7", {}, {"price": "price_missing", "cheap_price": "price_missing"}),
        (
            "bands",
            {"bands": [{"name": "Night", "begins": "00:00:00", "ends": "07:00:00"}]},
            {"bands": "band_price_missing"},
        ),
    ],
)
async def test_a_price_that_is_missing_is_asked_for(
    hass: HomeAssistant, kind: str, form: dict[str, Any], missing: dict[str, str]
) -> None:
    entry = await set_up(hass, a_site(free_port()))
    hours = {"begins": "00:30:00", "ends": "07:30:00", "weekends": False} if kind == "economy_7" else {}

    result = await added(hass, entry, kind, hours | form)

    assert (result["type"], result["errors"]) == (FlowResultType.FORM, missing)
    assert not entry.subentries


async def test_templates_become_bands_that_can_be_changed(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    site = entry.runtime_data.site

    result = await added(
        hass,
        entry,
        "two_band_business",
        {"price": 0.3, "cheap_price": 0.2, "begins": "22:00:00", "ends": "06:00:00", "weekends": True},
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY, result
    # 2026-06-01 is a Monday.
    assert [price_at(site, 2026, 6, 1, hour, 0) for hour in (5, 6, 21, 22)] == [0.2, 0.3, 0.3, 0.2]
    assert [price_at(site, 2026, 6, day, 12, 0) for day in (5, 6, 7, 8)] == [0.3, 0.2, 0.2, 0.3]

    result = await changed(hass, entry, "Grid", {"name": "Day", "price": 0.4, "off_peak": False, "bands": []})
    assert result["reason"] == "reconfigure_successful", result
    assert price_at(site, 2026, 6, 6, 12, 0) == 0.4
    assert entry.runtime_data.site is site

    hass.config_entries.async_remove_subentry(entry, subentry_called(entry, "Day").subentry_id)
    await hass.async_block_till_done()
    assert price_at(site, 2026, 6, 6, 12, 0) is None


@pytest.mark.parametrize(
    ("kind", "form", "cheap"),
    [
        ("flat", {"price": 0.3}, 0.3),
        (
            "economy_7",
            {"price": 0.3, "cheap_price": 0.1, "begins": "00:30:00", "ends": "07:30:00", "weekends": False},
            0.1,
        ),
        ("uk_peaks", {"price": 0.3, "cheap_price": 0.1}, 0.1),
    ],
)
async def test_templates(hass: HomeAssistant, kind: str, form: dict[str, Any], cheap: float) -> None:
    entry = await set_up(hass, a_site(free_port()))

    result = await added(hass, entry, kind, form)

    assert result["type"] is FlowResultType.CREATE_ENTRY, result
    assert price_at(entry.runtime_data.site, 2026, 6, 1, 9, 0) == 0.3
    assert price_at(entry.runtime_data.site, 2026, 6, 1, 3, 0) == cheap


async def test_bands_have_days_seasons_and_holidays(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    winter = {"from_month": "11", "to_month": "3"}
    bands = [
        band("Peak", "17:00", "20:00", 0.5, days=["monday", "tuesday"], **winter),
        band("Night", "22:00", "06:00", 0.1, off_peak=True),
    ]

    result = await added(hass, entry, "bands", {"bands": bands, "price": 0.3, "off_peak": False})

    assert result["type"] is FlowResultType.CREATE_ENTRY, result
    site = entry.runtime_data.site
    assert [price_at(site, 2026, month, day, 18, 0) for month, day in ((12, 1), (12, 2), (6, 1))] == [0.5, 0.3, 0.3]
    assert price_at(site, 2026, 2, 28, 23, 0) == 0.1


@pytest.mark.parametrize(
    ("bands", "error", "said"),
    [
        (
            [band("Day", "06:00", "22:00", 0.3)],
            "bands_leave_hole",
            {"begins": "00:00", "ends": "06:00", "day": "Monday"},
        ),
        (
            [band("A", "00:00", "13:00", 0.3), band("B", "12:00", "00:00", 0.2)],
            "bands_overlap",
            {"first": "A", "second": "B"},
        ),
        ([band("A", "07:00", "07:00", 0.3)], "band_time_bad", {"band": "A"}),
    ],
)
async def test_holes_and_overlaps_are_refused_with_what_would_fit(
    hass: HomeAssistant, bands: list[dict[str, Any]], error: str, said: dict[str, str]
) -> None:
    entry = await set_up(hass, a_site(free_port()))

    result = await added(hass, entry, "bands", {"bands": bands, "off_peak": False})

    assert result["errors"] == {"bands": error}
    assert said.items() <= result["description_placeholders"].items()
    words = WORDS["config_subentries"]["tariff"]["error"][error]
    assert words.format(**result["description_placeholders"])


async def test_a_name_is_given_once(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    await added(hass, entry, "flat", {"price": 0.3})

    assert (await added(hass, entry, "flat", {"price": 0.2}))["errors"] == {"name": "name_taken"}
    assert (await added(hass, entry, "flat", {"price": 0.2, "name": " "}))["errors"] == {"name": "name_missing"}


def show_prices(hass: HomeAssistant, unit: str | None = "EUR/MWh") -> None:
    start = datetime.now(BERLIN).replace(hour=0, minute=0, second=0, microsecond=0)
    slots = [{"start": start.replace(hour=hour), "value": 100.0 + hour} for hour in range(24)]
    hass.states.async_set("sensor.price", "100", {"unit_of_measurement": unit, "raw_today": slots, "raw_tomorrow": []})


async def test_prices_of_an_entity_are_read_at_once(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    show_prices(hass)

    form = {"entities": ["sensor.price"], "factor": 1.1, "plus": 0.05, "off_peak_below": 0.2}
    result = await added(hass, entry, "prices", form | {"advanced": {"price": 0.4}})

    assert result["type"] is FlowResultType.CREATE_ENTRY, result
    now = datetime.now(BERLIN)
    expected = (100.0 + now.hour) / 1000.0 * 1.1 + 0.05
    assert entry.runtime_data.site.tariffs.price.now == pytest.approx(expected)
    source = entry.runtime_data.site.settings.tariffs[0].source
    assert isinstance(source, ForecastTariff)
    assert source.off_peak_below == 0.2
    assert source.fallback is not None


@pytest.mark.parametrize(
    ("unit", "attribute", "error", "detail"),
    [
        ("SEK/kWh", "raw_today", "source_other_currency", "sensor.price: SEK/kWh"),
        (None, "raw_today", "source_wrong_unit", "sensor.price: none"),
        ("EUR/kWh", "nothing", "source_no_forecast", "sensor.price"),
    ],
)
async def test_what_tells_no_prices_is_refused(
    hass: HomeAssistant, unit: str | None, attribute: str, error: str, detail: str
) -> None:
    entry = await set_up(hass, a_site(free_port()))
    slots = [{"start": datetime.now(BERLIN).isoformat(), "value": 1.0}]
    hass.states.async_set("sensor.price", "1", {"unit_of_measurement": unit, attribute: slots})

    result = await added(hass, entry, "prices", {"entities": ["sensor.price"], "advanced": {}})

    assert result["errors"] == {"entities": error}
    assert result["description_placeholders"]["detail"] == detail


async def test_what_is_wrong_with_other_forms_is_said(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    show_prices(hass)

    assert (await added(hass, entry, "prices", {"entities": [], "advanced": {}}))["errors"] == {
        "entities": "entities_missing"
    }
    form: dict[str, Any] = {"entities": ["sensor.price"], "price_unit": "furlongs", "advanced": {}}
    assert (await added(hass, entry, "prices", form))["errors"] == {"base": "unit_unknown"}
    form = {"entities": ["sensor.gone"], "advanced": {}}
    assert (await added(hass, entry, "prices", form))["errors"] == {"entities": "source_missing_entity"}
    assert (await added(hass, entry, "cheap_times", {"entity": "schedule.x", "price": 0.3}))["errors"] == {
        "price": "both_prices"
    }
    assert (await added(hass, entry, "feed_in", {"advanced": {}}))["errors"] == {"price": "price_or_entities"}


async def test_the_other_kinds_are_taken(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    hass.states.async_set("sensor.co2", "120", {"unit_of_measurement": "gCO2eq/kWh"})
    hass.states.async_set("input_boolean.cheap", "on")
    forms: dict[str, dict[str, Any]] = {
        "co2": {"entities": ["sensor.co2"], "weight": 30, "advanced": {"value_per_kg": 2}},
        "cheap_times": {"entity": "input_boolean.cheap"},
        "feed_in": {"price": 0.08, "advanced": {}},
        "demand_charge": {"price": 4.5},
    }
    for kind, form in forms.items():
        result = await added(hass, entry, kind, form | {"name": kind})
        assert result["type"] is FlowResultType.CREATE_ENTRY, (kind, result)

    tariffs = entry.runtime_data.site.tariffs
    assert tariffs.emissions.now == 120.0
    assert tariffs.off_peak_now.now is True
    assert tariffs.off_peak_now.sources == ("cheap_times",)
    assert tariffs.demand_charge == 4.5
    assert tariffs.feed_in(0.0, 60.0).at(0.0) == 0.08
