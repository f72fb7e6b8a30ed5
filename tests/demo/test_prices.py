"""The prices of the demo: told as day-ahead integrations tell them, read back by the integration as they were meant."""

from datetime import UTC

from custom_components.charge_cluster.engine.tariff import PriceCurve
from custom_components.charge_cluster.tariffs.settings import Quantity
from custom_components.charge_cluster.tariffs.shapes import Reading, read_attributes
from scripts.demo_site.account import prices_of
from scripts.demo_site.prices import PriceSignal
from simulator.scenario import Prices

NOON = 1_800_000_000.0
SIGNAL = PriceSignal(Prices(slot_s=300.0, per_kwh=(0.42, 0.12, 0.08)), NOON)


def test_prices_repeat_from_their_beginning_on() -> None:
    assert [SIGNAL.at(NOON + at) for at in (0.0, 299.0, 300.0, 899.0, 900.0)] == [0.42, 0.42, 0.12, 0.08, 0.42]


def test_what_is_told_in_advance_is_read_as_it_will_be() -> None:
    told = SIGNAL.told(NOON + 400.0)
    assert told["state"] == "0.12"
    unit = told["attributes"]["unit_of_measurement"]
    reading = Reading(quantity=Quantity.PRICE, currency="EUR", unit=unit, zone=UTC)
    curve = PriceCurve.of(read_attributes(told["attributes"], reading))
    assert all(curve.at(NOON + at) == SIGNAL.at(NOON + at) for at in range(310, 40_000, 150))


def test_what_charging_by_price_came_to_is_two_lines_and_none_without_prices() -> None:
    figures = {
        "currency": "EUR",
        "energy_kwh_by_price": {"0.08": 5.0, "0.12": 1.0},
        "true_cost": 0.52,
        "told_cost": 0.521,
        "told_saving": 1.9,
        "first_expected_cost": 0.5,
        "first_expected_saving": 2.0,
        "taken_as_planned_share": 0.981,
    }
    kept, money = prices_of({"prices": figures})
    assert kept == "5.0 kWh at 0.08, 1.0 kWh at 0.12 EUR/kWh; 98 % of it while the plan said so"
    assert money.startswith("cost 0.52 (truly 0.52, first expected 0.50), saving")
    assert prices_of({}) == []
