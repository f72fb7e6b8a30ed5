"""Forecasts in the shapes that integrations really use; units and currencies; what makes no sense is passed over."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.tariff import PriceCurve
from custom_components.charge_cluster.tariffs.settings import Quantity
from custom_components.charge_cluster.tariffs.shapes import MOST_POINTS, Reading, has_forecast, read_attributes
from custom_components.charge_cluster.tariffs.units import (
    BadUnit,
    OtherCurrency,
    to_grams_per_kwh,
    to_price_per_kwh,
    to_watts,
)

OSLO = ZoneInfo("Europe/Oslo")
MIDNIGHT = datetime(2026, 6, 1, tzinfo=OSLO)


def at(hour: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hour)


def read(
    attributes: dict[str, Any], unit: str | None, currency: str = "EUR", quantity: Quantity = Quantity.PRICE
) -> PriceCurve:
    reading = Reading(quantity=quantity, currency=currency, unit=unit, zone=OSLO)
    return PriceCurve.of(read_attributes(attributes, reading))


def means(curve: PriceCurve, *hours: float) -> list[float | None]:
    return [curve.at(at(hour).timestamp()) for hour in hours]


def test_nord_pool_of_hacs() -> None:
    attributes = {
        "today": [10.0, 20.0],
        "raw_today": [{"start": at(0), "end": at(1), "value": 10.0}, {"start": at(1), "end": at(2), "value": -20.0}],
        "raw_tomorrow": [
            {"start": at(24), "end": at(25), "value": 30.0},
            {"start": at(25), "end": at(26), "value": math.inf},
        ],
        "price_in_cents": True,
    }
    curve = read(attributes, "Øre/kWh", "NOK")

    assert means(curve, 0.5, 1.5, 24.5, 25.5) == pytest.approx([0.10, -0.20, 0.30, None])


def test_energi_data_service_begins_by_the_hour_and_has_a_forecast_beyond() -> None:
    attributes = {
        "raw_today": [{"hour": at(hour), "price": 1.0 + hour} for hour in range(3)],
        "raw_tomorrow": None,
        "forecast": [{"hour": at(hour), "price": 9.0} for hour in range(2, 5)],
    }
    curve = read(attributes, "DKK/kWh", "DKK")

    assert means(curve, 0, 1, 2, 3, 4.9, 5) == [1.0, 2.0, 3.0, 9.0, 9.0, None]


def test_entso_e_has_times_as_text() -> None:
    attributes = {"prices": [{"time": f"2026-06-01 0{hour}:00:00+02:00", "price": hour / 10} for hour in range(3)]}

    assert means(read(attributes, "EUR/kWh"), 0, 1, 2.5, 3) == [0.0, 0.1, 0.2, None]


@pytest.mark.parametrize(
    ("name", "value", "unit", "currency", "price"),
    [
        ("price_ct_per_kwh", 12.5, "EUR/MWh", "EUR", 0.125),
        ("price_eur_per_mwh", 125.0, "EUR/MWh", "EUR", 0.125),
        ("price_per_kwh", 0.125, "EUR/kWh", "EUR", 0.125),
        ("price_pence_per_kwh", 12.5, "pence/kWh", "GBP", 0.125),
    ],
)
def test_epex_spot_tells_the_unit_in_the_name(name: str, value: float, unit: str, currency: str, price: float) -> None:
    slots = [
        {"start_time": at(n / 4).isoformat(), "end_time": at((n + 1) / 4).isoformat(), name: value} for n in range(4)
    ]
    curve = read({"data": slots}, unit, currency)

    assert means(curve, 0.2, 0.9, 1.0) == pytest.approx([price, price, None])


def test_octopus_rates_are_pounds_and_have_no_unit() -> None:
    rates = [
        {"start": at(n / 2), "end": at((n + 1) / 2), "value_inc_vat": n / 10, "is_capped": False} for n in range(2)
    ]

    assert means(read({"rates": rates}, None, "GBP"), 0.1, 0.6) == [0.0, 0.1]
    with pytest.raises(OtherCurrency):
        read({"rates": rates}, None, "EUR")


def test_what_comes_twice_out_of_order_and_broken_is_read_for_what_it_is() -> None:
    attributes = {
        "prices": [
            {"time": at(2).isoformat(), "price": "0.3"},
            {"time": at(0).timestamp() * 1000, "price": 0.1},
            {"time": at(0).timestamp(), "price": 0.2},
            {"time": "soon", "price": 9},
            {"time": at(3).isoformat(), "price": None},
            {"time": at(4).isoformat(), "price": True},
            {"start": at(6), "end": at(5), "price": 9},
            "nonsense",
            None,
        ]
    }
    curve = read(attributes, "EUR/kWh")

    # The hour from 1 to 2 is missing: nothing is made up for it.
    assert means(curve, 0.5, 1.5, 2.5, 3.5) == [0.2, None, 0.3, None]


def test_times_without_a_zone_are_those_of_the_site() -> None:
    curve = read({"prices": [{"time": "2026-06-01T05:00:00", "price": 0.4}]}, "EUR/kWh")

    assert curve.starts == (datetime(2026, 6, 1, 3, tzinfo=UTC).timestamp(),)


def test_an_empty_forecast_is_one_and_none_is_none() -> None:
    assert has_forecast({"raw_today": []}, Quantity.PRICE)
    assert not has_forecast({"raw_today": None, "friendly_name": "Price"}, Quantity.PRICE)
    assert not read({"raw_today": []}, "EUR/kWh")


def test_what_is_read_is_bounded() -> None:
    attributes = {"prices": [{"time": at(n).isoformat(), "price": n} for n in range(MOST_POINTS + 50)]}

    assert len(read(attributes, "EUR/kWh").starts) == MOST_POINTS


def test_emissions_and_solar_power() -> None:
    grid = {
        "forecast": [
            {"from": at(0).isoformat(), "to": at(0.5).isoformat(), "intensity": {"forecast": 146, "actual": None}}
        ]
    }
    assert means(read(grid, None, quantity=Quantity.EMISSIONS), 0.2) == [146.0]
    assert means(read(grid, "kgCO2eq/MWh", quantity=Quantity.EMISSIONS), 0.2) == [146.0]

    solcast = {
        "detailedForecast": [{"period_start": at(n / 2), "pv_estimate": 1.5, "pv_estimate90": 3.0} for n in range(2)]
    }
    assert means(read(solcast, "kWh", quantity=Quantity.POWER), 0.1, 0.9, 1.1) == [1500.0, 1500.0, None]

    forecast_solar = {
        "watts": {at(0).isoformat(): 0, at(1).isoformat(): 100},
        "wh_period": {at(0).isoformat(): 500, at(0.5).isoformat(): 300},
    }
    assert means(read(forecast_solar, None, quantity=Quantity.POWER), 0.1, 0.6) == [1000.0, 600.0]


@pytest.mark.parametrize(
    ("unit", "currency", "factor"),
    [
        ("EUR/kWh", "EUR", 1.0),
        ("€/MWh", "EUR", 0.001),
        ("ct/kWh", "EUR", 0.01),
        ("c/kWh", "USD", 0.01),
        ("öre/kWh", "SEK", 0.01),
        ("Øre/kWh", "DKK", 0.01),
        ("p/kWh", "GBP", 0.01),
        ("kr/kWh", "NOK", 1.0),
        ("SEK/Wh", "SEK", 1000.0),
        ("zł/MWh", "PLN", 0.001),
    ],
)
def test_units_of_prices(unit: str, currency: str, factor: float) -> None:
    assert to_price_per_kwh(unit, currency) == pytest.approx(factor)


@pytest.mark.parametrize(("unit", "currency"), [("EUR/kWh", "SEK"), ("p/kWh", "EUR"), ("öre/kWh", "NOK")])
def test_another_currency_is_refused(unit: str, currency: str) -> None:
    with pytest.raises(OtherCurrency, match=unit):
        to_price_per_kwh(unit, currency)


@pytest.mark.parametrize("unit", ["EUR", "kWh", "EUR/h", "EUROS/kWh", "", "/kWh", "%"])
def test_what_is_no_price_is_refused(unit: str) -> None:
    with pytest.raises(BadUnit):
        to_price_per_kwh(unit, "EUR")


def test_units_of_emissions_and_power() -> None:
    assert [to_grams_per_kwh(unit) for unit in ("g/kWh", "gCO2eq/kWh", "g CO₂/kWh", "kg/MWh")] == [1.0] * 4
    assert [to_watts(unit) for unit in ("W", "kW")] == [1.0, 1000.0]
    for bad in ("%", "kWh", "g"):
        with pytest.raises(BadUnit):
            to_grams_per_kwh(bad)
    with pytest.raises(BadUnit):
        to_watts("kWh")


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["start", "end", "time", "price", "value", "intensity", "x"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(
    st.dictionaries(st.sampled_from(["raw_today", "prices", "data", "forecast", "watts", "wh_period"]), anything),
    st.sampled_from(Quantity),
)
def test_nothing_that_comes_from_outside_breaks_the_reading(attributes: dict[str, Any], quantity: Quantity) -> None:
    curve = read(attributes, {Quantity.PRICE: "EUR/kWh"}.get(quantity), quantity=quantity)

    assert all(math.isfinite(price) for price in curve.prices)
