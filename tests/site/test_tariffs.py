"""All tariffs of a site in one: they add up, degrade visibly, and change without anybody noticing."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from custom_components.charge_cluster.engine.bands import EVERY_DAY, Band, Bands, Day, Otherwise, economy_7, flat
from custom_components.charge_cluster.engine.tariff import PriceCurve, PricePoint, Window
from custom_components.charge_cluster.site.problems import ProblemKey
from custom_components.charge_cluster.site.tariffs import Tariffs
from custom_components.charge_cluster.tariffs import FaultKey, Report, SourceFault, Told
from custom_components.charge_cluster.tariffs.settings import (
    BandTariff,
    CheapTimesTariff,
    DemandCharge,
    EmissionsTariff,
    FeedInTariff,
    ForecastTariff,
    ForecastWanted,
    Quantity,
    SolarForecast,
    TariffSettings,
    TariffSource,
    TimesWanted,
    Wanted,
)

BERLIN = ZoneInfo("Europe/Berlin")
H = 3600.0
DAY = 24 * H


class Clock:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 6, 1, 12, tzinfo=BERLIN).timestamp()

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.wall

    def synchronised(self) -> bool:
        return True


class Outside:
    """What tariffs ask for, as a test tells it."""

    def __init__(self) -> None:
        self.reports: dict[Wanted, Report] = {}

    def __call__(self, wanted: Wanted) -> _Source:
        return _Source(self, wanted)

    def tell(self, wanted: Wanted, told: Told) -> None:
        self.reports[wanted](told)


class _Source:
    def __init__(self, outside: Outside, wanted: Wanted) -> None:
        self._outside, self._wanted = outside, wanted

    async def start(self, report: Report) -> None:
        self._outside.reports[self._wanted] = report

    async def stop(self) -> None:
        del self._outside.reports[self._wanted]


class Stage:
    """Tariffs before an outside."""

    def __init__(self) -> None:
        self.clock, self.outside = Clock(), Outside()
        self.shown: list[str] = []
        self.heard = 0
        self.tariffs = Tariffs(
            clock=self.clock,
            local_zone=lambda: BERLIN,
            currency=lambda: "EUR",
            sources=self.outside,
            tell=self.shown.append,
        )
        self.tariffs.listen(self._hear)

    def _hear(self) -> None:
        self.heard += 1

    async def apply(self, **sources: TariffSource) -> None:
        await self.tariffs.apply(
            [TariffSettings(tariff_id=name, name=name, source=source) for name, source in sources.items()]
        )

    def problems(self) -> list[ProblemKey]:
        return [problem.key for problem in self.tariffs.problems()]

    def at(self, hours: float) -> float | None:
        """Return the price so many hours after noon."""
        noon = datetime(2026, 6, 1, 12, tzinfo=BERLIN).timestamp()
        return self.tariffs.curve(noon - DAY, noon + 9 * DAY).at(noon + hours * H)


@pytest.fixture
def stage() -> Stage:
    return Stage()


MARKET = ForecastWanted(entities=("sensor.price",))


def hourly(stage: Stage, *prices: float, first_h: float = -12.0) -> PriceCurve:
    start = stage.clock.wall + first_h * H
    return PriceCurve.of(PricePoint(start + n * H, start + (n + 1) * H, price) for n, price in enumerate(prices))


async def test_prices_of_several_tariffs_add_up(stage: Stage) -> None:
    await stage.apply(market=ForecastTariff(forecast=MARKET, factor=1.19, plus=0.02), grid=BandTariff(bands=flat(0.10)))
    stage.outside.tell(MARKET, Told(curve=hourly(stage, *[0.1 + n / 100 for n in range(36)])))

    assert stage.at(0.5) == pytest.approx(0.22 * 1.19 + 0.02 + 0.10)
    assert stage.tariffs.price.now == pytest.approx(0.22 * 1.19 + 0.02 + 0.10)
    assert stage.tariffs.price.sources == ("market", "grid")
    assert stage.tariffs.price.known_until == stage.clock.wall + 24 * H
    assert stage.tariffs.price.forecast[0].start == stage.clock.wall - 12 * H
    assert stage.problems() == []
    assert "price" in stage.shown


async def test_where_a_forecast_ends_its_bands_stand_in_and_otherwise_its_last_day(stage: Stage) -> None:
    fallback = BandTariff(bands=economy_7(0.5, 0.4))
    with_bands, without = ForecastTariff(forecast=MARKET, fallback=fallback), ForecastTariff(forecast=MARKET)
    await stage.apply(market=with_bands)
    told = Told(curve=hourly(stage, *[n / 100 for n in range(24)]))
    stage.outside.tell(MARKET, told)
    assert [stage.at(hours) for hours in (11.5, 12.2, 13.5, 24.5)] == [0.23, 0.5, 0.4, 0.5]

    await stage.apply(market=without)
    stage.outside.tell(MARKET, told)
    assert [stage.at(hours) for hours in (11.5, 12.5, 24.5, 6 * 24.0 + 0.5)] == [0.23, 0.0, 0.12, 0.12]
    # Further ahead nothing is made up.
    assert stage.at(8 * 24.0) is None


async def test_missing_and_late_prices_are_said(stage: Stage) -> None:
    await stage.apply(market=ForecastTariff(forecast=MARKET, fallback=BandTariff(bands=flat(0.3))))
    assert stage.problems() == [ProblemKey.PRICES_MISSING]
    assert stage.tariffs.price.degraded == ("market",)
    assert stage.tariffs.price.now == 0.3

    stage.outside.tell(MARKET, Told(curve=hourly(stage, *[0.1] * 24)))
    assert stage.problems() == []
    stage.clock.wall += 7.5 * H
    assert stage.problems() == [ProblemKey.PRICES_LATE]
    stage.tariffs.look()
    assert stage.tariffs.price.degraded == ("market",)

    # What is known stays known though the entity is gone; that it is gone is said.
    fault = SourceFault(key=FaultKey.ENTITY_UNAVAILABLE, detail="sensor.price is unavailable")
    stage.outside.tell(MARKET, Told(fault=fault))
    assert stage.problems() == [ProblemKey.TARIFF_UNREADABLE]
    assert stage.tariffs.price.now == 0.1
    stage.clock.wall += 5 * H
    assert stage.problems() == [ProblemKey.PRICES_MISSING]
    assert stage.tariffs.problems()[0].placeholders["fault"] == "entity_unavailable: sensor.price is unavailable"


async def test_what_is_as_it_was_goes_on_and_what_changes_is_told_once(stage: Stage) -> None:
    market = ForecastTariff(forecast=MARKET)
    await stage.apply(market=market)
    stage.outside.tell(MARKET, Told(curve=hourly(stage, *[0.1] * 36)))
    report, heard = stage.outside.reports[MARKET], stage.heard

    stage.outside.tell(MARKET, Told(curve=hourly(stage, *[0.1] * 36)))
    assert stage.heard == heard
    await stage.apply(market=market, grid=BandTariff(bands=flat(0.1)))
    assert stage.outside.reports[MARKET] is report
    assert stage.heard == heard + 1
    assert stage.at(1) == pytest.approx(0.2)
    await stage.apply(grid=BandTariff(bands=flat(0.1)))
    assert stage.outside.reports == {}
    assert stage.at(1) == 0.1
    await stage.tariffs.close()
    assert stage.at(1) is None


async def test_off_peak_is_what_all_that_know_of_it_say(stage: Stage) -> None:
    noon = stage.clock.wall
    span = (noon, noon + DAY)
    # Nobody says it: the usual hours, which are everything but 08-11 and 16-22 on workdays.
    assert stage.tariffs.off_peak(*span) == (
        Window(noon, noon + 4 * H),
        Window(noon + 10 * H, noon + 20 * H),
        Window(noon + 23 * H, noon + 24 * H),
    )
    times = TimesWanted(entity="schedule.cheap")
    await stage.apply(grid=BandTariff(bands=economy_7(0.3, 0.1)), fee=BandTariff(bands=flat(0.1)))
    assert stage.tariffs.off_peak(*span) == (Window(noon + 12.5 * H, noon + 19.5 * H),)
    assert stage.tariffs.off_peak_now.now is False
    assert stage.tariffs.off_peak_now.changes_at == noon + 12.5 * H
    assert stage.tariffs.off_peak_now.sources == ("grid",)

    await stage.apply(
        grid=BandTariff(bands=economy_7(0.3, 0.1)),
        cheap=CheapTimesTariff(times=times),
        market=ForecastTariff(forecast=MARKET, off_peak_below=0.2),
    )
    week = Bands(
        bands=(Band(name="cheap", price=0.0, ends_min=180, days=EVERY_DAY, off_peak=True),),
        otherwise=Otherwise(price=0.0),
    )
    stage.outside.tell(times, Told(week=week))
    stage.outside.tell(MARKET, Told(curve=hourly(stage, *[0.2] * 14, *[0.3] * 22, first_h=0)))
    assert stage.tariffs.off_peak(*span) == (Window(noon + 12.5 * H, noon + 14 * H),)


async def test_who_cannot_be_read_does_not_say_that_it_is_never_off_peak(stage: Stage) -> None:
    noon, times = stage.clock.wall, TimesWanted(entity="calendar.cheap")
    usual = stage.tariffs.off_peak(noon, noon + DAY)
    await stage.apply(cheap=CheapTimesTariff(times=times), market=ForecastTariff(forecast=MARKET, off_peak_below=0.2))
    gone = SourceFault(key=FaultKey.ENTITY_UNAVAILABLE, detail="calendar.cheap is unavailable")
    stage.outside.tell(times, Told(windows=(Window(noon, noon + H),)))
    stage.outside.tell(times, Told(fault=gone))
    assert stage.tariffs.off_peak(noon, noon + DAY) == (Window(noon, noon + H),)

    stage.clock.wall += 2 * H
    assert stage.tariffs.off_peak(noon, noon + DAY) == usual
    assert stage.problems() == [ProblemKey.TARIFF_UNREADABLE, ProblemKey.PRICES_MISSING]
    stage.outside.tell(times, Told())
    assert stage.tariffs.off_peak(noon, noon + DAY) == ()


async def test_the_same_prices_told_again_and_again_are_no_news(stage: Stage) -> None:
    await stage.apply(market=ForecastTariff(forecast=MARKET))
    curve = hourly(stage, *[n / 100 for n in range(24 * 6)], first_h=-72)
    stage.outside.tell(MARKET, Told(curve=curve))
    heard = stage.heard
    for _ in range(4):
        stage.clock.wall += H
        stage.outside.tell(MARKET, Told(curve=curve))
    assert stage.heard == heard


async def test_cheap_times_may_have_prices(stage: Stage) -> None:
    times = TimesWanted(entity="calendar.cheap")
    await stage.apply(cheap=CheapTimesTariff(times=times, cheap=0.1, usual=0.3))
    stage.outside.tell(times, Told(windows=(Window(stage.clock.wall, stage.clock.wall + H),)))

    assert [stage.at(hours) for hours in (-0.5, 0.5, 1.5)] == [0.3, 0.1, 0.3]
    assert stage.tariffs.off_peak_now.now is True


async def test_a_plan_minimises_prices_and_emissions(stage: Stage) -> None:
    noon = stage.clock.wall
    carbon = ForecastWanted(entities=("sensor.co2",), quantity=Quantity.EMISSIONS)
    emissions = EmissionsTariff(forecast=carbon, weight=0.5, value_per_kg=1.0)
    await stage.apply(grid=BandTariff(bands=flat(0.2)), air=emissions)
    assert stage.tariffs.objective(noon, noon + H).at(noon) == 0.2
    stage.outside.tell(carbon, Told(curve=hourly(stage, 100.0, 500.0, first_h=0)))
    assert [stage.tariffs.objective(noon, noon + 2 * H).at(noon + h * H) for h in (0, 1)] == pytest.approx([0.15, 0.35])
    assert stage.tariffs.emissions.now == 100.0
    assert stage.tariffs.price.now == 0.2

    # Without prices the emissions alone count, and without these off-peak times do.
    await stage.apply(air=emissions)
    stage.outside.tell(carbon, Told(curve=hourly(stage, 100.0, 500.0, first_h=0)))
    assert [stage.tariffs.objective(noon, noon + 2 * H).at(noon + h * H) for h in (0, 1)] == pytest.approx([0.1, 0.5])
    await stage.apply()
    objective = stage.tariffs.objective(noon, noon + DAY)
    assert [objective.at(noon + h * H) for h in (3, 5, 11)] == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(("weight", "counts_as"), [(0.0, 8.0), (0.25, 6.0), (1.0, 0.0)])
async def test_the_weight_of_emissions_is_that_of_a_demand_charge_too(
    stage: Stage, weight: float, counts_as: float
) -> None:
    noon = stage.clock.wall
    carbon = ForecastWanted(entities=("sensor.co2",), quantity=Quantity.EMISSIONS)
    emissions = EmissionsTariff(forecast=carbon, weight=weight, value_per_kg=1.0)
    await stage.apply(grid=BandTariff(bands=flat(0.2)), air=emissions, peak=DemandCharge(per_kw_month=8.0))
    # While nothing is known of emissions only money counts, as it does for the price.
    assert (stage.tariffs.demand_charge, stage.tariffs.demand_objective) == (8.0, 8.0)
    stage.outside.tell(carbon, Told(curve=hourly(stage, 100.0, 500.0, first_h=0)))
    assert (stage.tariffs.demand_charge, stage.tariffs.demand_objective) == (8.0, counts_as)

    await stage.apply(air=emissions, peak=DemandCharge(per_kw_month=8.0))
    stage.outside.tell(carbon, Told(curve=hourly(stage, 100.0, 500.0, first_h=0)))
    share = weight or 0.0 if counts_as else 1.0
    assert stage.tariffs.objective(noon, noon + H).at(noon) == pytest.approx(0.1 * share)


async def test_feed_in_demand_charge_and_solar(stage: Stage) -> None:
    noon = stage.clock.wall
    sun = ForecastWanted(entities=("sensor.sun",), quantity=Quantity.POWER)
    await stage.apply(
        paid=FeedInTariff(price=0.08),
        peak=DemandCharge(per_kw_month=5.0),
        more=DemandCharge(per_kw_month=1.5),
        sun=SolarForecast(forecast=sun),
    )
    stage.outside.tell(sun, Told(curve=hourly(stage, 4000.0, first_h=0)))

    assert stage.tariffs.feed_in(noon, noon + H).at(noon) == 0.08
    assert stage.tariffs.demand_charge == 6.5
    assert stage.tariffs.solar(noon, noon + DAY).at(noon) == 4000.0
    assert not stage.tariffs.curve(noon, noon + DAY)
    assert not stage.tariffs.priced


async def test_holidays_come_from_a_calendar(stage: Stage) -> None:
    free = Band(name="free", price=0.0, days=frozenset({Day.HOLIDAY}))
    source = BandTariff(bands=Bands(bands=(free,), otherwise=Otherwise(price=0.3)), holidays="calendar.holidays")
    await stage.apply(grid=source)
    (wanted,) = stage.outside.reports
    assert stage.at(1) == 0.3
    stage.outside.tell(wanted, Told(holidays=frozenset({date(2026, 6, 1)})))
    assert [stage.at(1), stage.at(13)] == [0.0, 0.3]
    stage.outside.tell(
        wanted, Told(holidays=frozenset({date(2026, 6, 1)}), fault=SourceFault(key=FaultKey.ACTION_FAILED, detail="x"))
    )
    assert stage.problems() == [ProblemKey.TARIFF_UNREADABLE]


async def test_a_clock_that_is_set_back_does_not_stop_what_is_shown(stage: Stage) -> None:
    await stage.apply(grid=BandTariff(bands=economy_7(0.3, 0.1)))
    stage.clock.wall = datetime(2030, 1, 1, 3, tzinfo=UTC).timestamp()
    stage.tariffs.look()
    assert stage.tariffs.price.now == 0.1
    stage.clock.wall = datetime(2026, 6, 1, 12, tzinfo=BERLIN).timestamp()
    stage.tariffs.look()
    assert stage.tariffs.price.now == 0.3
