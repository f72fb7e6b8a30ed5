"""What sessions cost: at the prices of the time, against charging at once, over restarts, and by the month."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest

from custom_components.charge_cluster.engine.model import ChargingMode
from custom_components.charge_cluster.engine.tariff import PriceCurve, PricePoint
from custom_components.charge_cluster.site.bill import Bill, CostView
from custom_components.charge_cluster.site.settings import SiteWish
from tests.site.physical import PhysicalSite, a_site
from tests.site.test_planning import AT_ONCE, CHEAP, CHEAP_AT, DEAR, DearMorning
from tests.virtual_time import START_WALL, VirtualLoop, run_virtually

NOW_MODE = replace(AT_ONCE, mode=ChargingMode.NORMAL)
HOUR_S = 3600.0


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def play(
    site: PhysicalSite,
    story: Callable[[PhysicalSite], Awaitable[None]],
    *,
    usual: SiteWish = AT_ONCE,
    prices: DearMorning | None = None,
) -> None:
    async def whole() -> None:
        site.usual, site.prices = usual, DearMorning() if prices is None else prices
        site.site = site._site()
        await site.start()
        await site.run(10)
        await story(site)
        await site.site.stop()

    run_virtually(whole(), site.loop)


def costs_of(site: PhysicalSite) -> CostView:
    session = site.site.connectors["p1/1"].session
    assert session is not None
    return session.costs


def charged_kwh(site: PhysicalSite) -> float:
    session = site.site.connectors["p1/1"].session
    return 0.0 if session is None else session.energy_wh / 1000.0


async def until(site: PhysicalSite, wall: float) -> None:
    await site.run(wall - site.clock.time())


def test_energy_costs_what_it_cost_when_it_was_taken(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1", maximum_a=32.0)
        await until(site, CHEAP_AT)
        dear_kwh = charged_kwh(site)
        assert costs_of(site).cost == pytest.approx(dear_kwh * DEAR, rel=1e-6)
        await site.run(600)
        cheap_kwh = charged_kwh(site) - dear_kwh
        assert cheap_kwh > 1.0
        # What was taken since the last measurement before the price fell was dear.
        assert costs_of(site).cost == pytest.approx(dear_kwh * DEAR + cheap_kwh * CHEAP, abs=0.03)
        assert costs_of(site).saving == pytest.approx(0.0, abs=0.15)
        # Alone it would have taken the last ten minutes in full, and the rest dear.
        alone_kwh = min(charged_kwh(site), 22.08 * 600 / HOUR_S)
        saved = (alone_kwh - cheap_kwh) * (CHEAP - DEAR)
        assert costs_of(site).saving_against_alone == pytest.approx(saved, abs=0.1)
        assert (costs_of(site).unpriced_wh, costs_of(site).currency) == (0.0, "EUR")

    play(a_site(loop, 1), story, usual=NOW_MODE)


def test_waiting_for_the_cheap_hour_saves_what_it_costs_less(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        before = costs_of(site)
        assert (before.cost, before.saving) == (0.0, None)
        assert before.forecast == pytest.approx(4.0 * CHEAP, rel=0.05)
        # Nobody has seen yet what it can take: with all that the connector gives, it would all have been dear.
        assert before.forecast_saving == pytest.approx(4.0 * (DEAR - CHEAP), rel=0.05)
        assert before.forecast_saving_against_alone == pytest.approx(0.0, abs=0.001)
        await until(site, CHEAP_AT + 1500.0)
        taken_kwh = charged_kwh(site)
        # A vehicle goes on at its plan's last slot until it has what it is planned for.
        assert costs_of(site).cost == pytest.approx(taken_kwh * CHEAP, rel=1e-6)
        site.unplug("P1")
        await site.run(30)
        (ended,) = [event for event in site.told if event.kind == "ended"]
        # With the 11 kW that it was seen to take, 2.7 kWh would have been dear.
        saved = 11.04 * (CHEAP_AT - START_WALL - 10.0) / HOUR_S * (DEAR - CHEAP)
        assert ended.session.costs.saving == pytest.approx(saved, rel=0.1)
        (recorded,) = site.notebook.sessions.values()
        assert recorded.bill.cost_known == ended.session.costs.cost
        month = site.site.billing.month
        assert (month.sessions, month.cost) == (1, ended.session.costs.cost)
        assert month.saving == ended.session.costs.saving
        # Nobody else was there, and what it took was cheap.
        assert ended.session.costs.saving_against_alone == pytest.approx(0.0, abs=1e-6)
        assert month.saving_against_alone == ended.session.costs.saving_against_alone
        assert month.start == datetime(2027, 1, 1, tzinfo=UTC).timestamp()

    play(a_site(loop, 1), story)


def test_energy_without_a_known_price_is_counted_and_not_taken_for_free(loop: VirtualLoop) -> None:
    prices = DearMorning(known=False, windows=())

    async def story(site: PhysicalSite) -> None:
        site.plug("P1", maximum_a=32.0)
        await site.run(300)
        unpriced_kwh = charged_kwh(site)
        costs = costs_of(site)
        assert (costs.cost, costs.saving, costs.currency) == (None, None, None)
        assert costs.unpriced_wh == pytest.approx(1000.0 * unpriced_kwh)
        prices.known = True
        for changed in list(prices.listeners):
            changed()
        await site.run(300)
        costs = costs_of(site)
        assert costs.cost == pytest.approx((charged_kwh(site) - unpriced_kwh) * DEAR, abs=0.05)
        assert costs.unpriced_wh == pytest.approx(1000.0 * unpriced_kwh, abs=100.0)
        assert costs.saving is None

    play(a_site(loop, 1), story, usual=NOW_MODE, prices=prices)


def test_a_register_at_the_end_alone_costs_the_mean_of_the_hours_in_which_it_might_charge(loop: VirtualLoop) -> None:
    """A charger that measures nothing: the plan gave it the cheap hour, so that the cheap price is its price."""

    async def story(site: PhysicalSite) -> None:
        site.chargers["P1"].measures = False
        site.plug("P1")
        await until(site, CHEAP_AT + 900.0)
        assert charged_kwh(site) == 0.0
        site.unplug("P1")
        await site.run(30)
        (ended,) = [event for event in site.told if event.kind == "ended"]
        assert ended.session.energy_wh > 1000.0
        assert ended.session.costs.cost == pytest.approx(ended.session.energy_wh / 1000.0 * CHEAP, rel=0.02)

    play(a_site(loop, 1, fallback_a=0.0), story)


def test_a_restart_goes_on_with_the_account_and_mends_what_happened_meanwhile(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1", maximum_a=32.0)
        await site.run(300)
        before, dear_kwh = costs_of(site), charged_kwh(site)
        await site.restart(CHEAP_AT + 60.0 - site.clock.time())
        await site.run(60)
        more_kwh = charged_kwh(site) - dear_kwh
        assert before.cost is not None
        added = (costs_of(site).cost or 0.0) - before.cost
        assert more_kwh * CHEAP < added <= more_kwh * DEAR
        site.unplug("P1")
        await site.run(30)
        month = site.site.billing.month
        await site.restart(5)
        assert site.site.billing.month == month
        assert month.sessions == 1

    play(a_site(loop, 1), story, usual=NOW_MODE)


def test_of_many_prices_and_registers_the_bill_is_the_sum(loop: VirtualLoop) -> None:
    """Against a sum over every second, for made-up prices, powers and times at which energy is told."""
    del loop
    for seed in range(20):
        chance = Random(seed)
        bill, cost, energy_wh, at, curve = Bill(), 0.0, 0.0, 0.0, []
        for _ in range(60):
            price = chance.choice([-0.05, 0.0, 0.1, 0.3])
            length = float(chance.randrange(1, 900))
            power_w = chance.choice([0.0, 3680.0, 11_040.0])
            bill.pass_time(at, at + length, price, 16.0)
            curve.append(PricePoint(at, at + length, price))
            taken_wh = power_w * length / HOUR_S
            energy_wh, cost = energy_wh + taken_wh, cost + price * taken_wh / 1000.0
            bill.most_w = max(bill.most_w, power_w)
            if taken_wh:
                bill.take(energy_wh)
            else:
                bill.take_nothing()
            at += length
        assert bill.cost == pytest.approx(cost)
        hours = energy_wh / 11_040.0 * HOUR_S
        at_once = PriceCurve.of(curve).mean(0.0, hours)
        assert at_once is not None
        assert bill.at_once(energy_wh, 0.0) == pytest.approx(at_once * energy_wh / 1000.0)
        ahead = PriceCurve.flat(at, at + 48 * HOUR_S, 0.2)
        later_wh = 11_040.0 * (at + HOUR_S) / HOUR_S
        whole = PriceCurve.of(curve).mean(0.0, at)
        assert whole is not None
        assert bill.at_once(later_wh, 0.0, ahead) == pytest.approx(11.04 * (whole * at / HOUR_S + 0.2))
        assert bill.at_once(later_wh, 0.0) is None
        hours_at = sorted((point.price, point.end - point.start) for point in PriceCurve.of(curve).points())
        left_s, alone = hours, 0.0
        for price, lasts in hours_at:
            alone += 11.04 * price * min(left_s, lasts) / HOUR_S
            left_s -= min(left_s, lasts)
        assert bill.alone(energy_wh, 0.0) == pytest.approx(alone)
        assert alone <= min(bill.cost, at_once * energy_wh / 1000.0) + 1e-9
        # An hour more at nothing takes the place of the dearest; one without a price leaves it unknown.
        free = PriceCurve.flat(at, at + HOUR_S, -1.0)
        cheaper = bill.alone(energy_wh, 0.0, at + HOUR_S, free)
        assert cheaper is not None
        assert cheaper <= alone - min(11.04, energy_wh / 1000.0) * 0.95
        assert bill.alone(energy_wh, 0.0, at + HOUR_S) is None
        assert bill.alone(11_040.0 * (at + HOUR_S), 0.0) is None
        # A register that says in the end that it was half of that halves it.
        bill.take(energy_wh / 2.0)
        assert bill.cost == pytest.approx(cost / 2.0)
