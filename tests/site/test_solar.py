"""Charging from what would be exported, judged by the physical truth: what flows through the supply, and who has it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings, strategies as st

from custom_components.charge_cluster.engine.model import ChargingMode, PhaseAmps, Reason, SharingRule
from custom_components.charge_cluster.site.settings import ConnectorWish
from tests.site.physical import PhysicalSite, a_site
from tests.virtual_time import VirtualLoop, run_virtually

NORMAL, SOLAR, MINIMUM = ChargingMode.NORMAL, ChargingMode.SOLAR, ChargingMode.MINIMUM_AND_SOLAR
MINIMUM_A = 6.0
SETTLED_S = 90
"""The mean of the meter, what a car needs to follow, and the time to see that it did."""


@dataclass(kw_only=True)
class Roof:
    """A site with something on its roof, and what it was seen to do second by second."""

    site: PhysicalSite
    net_a: list[float] = field(default_factory=list)
    """The supply, all phases together; below zero: exported."""

    def shines(self, amps: float) -> None:
        """Let so much more be generated on each phase than the building draws."""
        self.site.truth.set_base_load("supply", (-amps,) * 3)

    async def run(self, seconds: int) -> None:
        for _ in range(seconds):
            await self.site.run(1)
            self.net_a.append(sum(self.site.truth.amps("supply")))

    def choose(self, number: int, mode: ChargingMode) -> None:
        self.site.site.wish(f"p{number}/1", ConnectorWish(mode=mode))

    @property
    def limits(self) -> list[float]:
        return [view.limit_a for view in self.site.site.connectors.values()]

    @property
    def drawn(self) -> list[float]:
        return [max(outlet.drawn) for outlet in self.site.truth.outlets.values()]

    @property
    def reasons(self) -> list[Reason]:
        return [view.reason for view in self.site.site.connectors.values()]


def play(
    story: Callable[[Roof], Awaitable[None]],
    modes: list[ChargingMode],
    *,
    sun_a: float = 0.0,
    supply_a: float = 100.0,
    timeout_s: float | None = None,
    sharing: SharingRule | None = None,
    single_phase: bool = False,
    on_time_s: float = 900.0,
) -> None:
    """Play a story of as many charge points as there are modes, each with a car from the beginning."""
    loop = VirtualLoop()
    site = a_site(loop, len(modes), supply_a=supply_a, declared_a=10.0, single_phase=single_phase, on_time_s=on_time_s)
    meters = tuple(replace(meter, timeout_s=timeout_s) for meter in site.settings.meters)
    supply = replace(site.settings.circuits[0], sharing=sharing)
    site.settings = replace(site.settings, meters=meters, circuits=(supply,))
    site.wishes = {f"p{number}/1": ConnectorWish(mode=mode) for number, mode in enumerate(modes, start=1)}
    site.site = site._site()
    roof = Roof(site=site)

    async def whole() -> None:
        roof.shines(sun_a)
        await site.start()
        await site.run(5)
        for number in range(1, len(modes) + 1):
            site.plug(f"P{number}", phases=1 if single_phase else 3)
        await story(roof)
        await site.site.stop()

    run_virtually(whole(), loop)


def test_a_solar_car_follows_the_sun_and_never_imports_for_long() -> None:
    async def story(roof: Roof) -> None:
        for step in range(60):
            roof.shines(step / 4)
            await roof.run(20)
        assert roof.drawn == [pytest.approx(14.0, abs=1.0)]
        assert max(roof.net_a) <= 0.0
        for step in range(28):
            roof.shines(14.75 - step / 4)
            await roof.run(20)
        assert roof.drawn == [pytest.approx(7.0, abs=1.0)]
        # One step down on three phases is what the mean of the meter may lag behind.
        assert max(roof.net_a) <= 3.0

    play(story, [SOLAR])


def test_it_begins_when_the_surplus_has_carried_it_for_a_minute() -> None:
    async def story(roof: Roof) -> None:
        await roof.run(120)
        assert (roof.limits, roof.reasons) == ([0.0], [Reason.SURPLUS])
        assert roof.site.site.connectors["p1/1"].reason_circuit == "Supply"
        roof.shines(10.0)
        await roof.run(60)
        assert roof.limits == [0.0]
        await roof.run(60)
        assert roof.drawn == [9.0]
        assert not roof.site.site.circuits["supply"].limited

    play(story, [SOLAR])


def test_what_does_not_carry_a_minimum_is_exported() -> None:
    async def story(roof: Roof) -> None:
        await roof.run(600)
        assert roof.drawn == [0.0]

    play(story, [SOLAR], sun_a=5.5)


def test_a_small_cloud_switches_nobody() -> None:
    async def story(roof: Roof) -> None:
        await roof.run(180)
        assert roof.drawn == [9.0]
        roof.shines(0.0)
        await roof.run(SETTLED_S)
        assert roof.drawn == [MINIMUM_A]
        await roof.run(180 - SETTLED_S)
        roof.shines(10.0)
        await roof.run(120)
        assert roof.drawn == [9.0]
        orders = [amps for _, _, amps, _ in roof.site.notebook.orders]
        assert 0.0 not in orders[orders.index(MINIMUM_A) :]

    play(story, [SOLAR], sun_a=9.6)


def test_a_cloud_that_stays_ends_it_after_five_minutes() -> None:
    async def story(roof: Roof) -> None:
        await roof.run(180)
        roof.shines(0.0)
        await roof.run(290)
        assert roof.drawn == [MINIMUM_A]
        await roof.run(60)
        assert (roof.drawn, roof.reasons) == ([0.0], [Reason.SURPLUS])

    play(story, [SOLAR], sun_a=10.0)


def test_two_solar_cars_share_what_there_is() -> None:
    async def story(roof: Roof) -> None:
        await roof.run(240)
        assert sorted(roof.drawn) == [9.0, 10.0]
        assert set(roof.reasons) == {Reason.SURPLUS}

    play(story, [SOLAR, SOLAR], sun_a=19.6)


def test_where_the_surplus_carries_one_they_take_turns() -> None:
    async def story(roof: Roof) -> None:
        served = [0, 0]
        for _ in range(5400):
            await roof.run(1)
            drawn = roof.drawn
            assert sum(amps > 1.0 for amps in drawn) <= 1 or roof.net_a[-1] <= 0.0
            for number, amps in enumerate(drawn):
                served[number] += amps > 1.0
        assert min(served) > 0.4 * sum(served)
        assert sum(served) > 0.9 * 5400

    play(story, [SOLAR, SOLAR], sun_a=9.6)


def test_who_comes_later_waits_for_its_turn_and_begins_with_as_little_as_who_has_least() -> None:
    async def story(roof: Roof) -> None:
        roof.site.unplug("P2")
        await roof.run(1800)
        roof.site.plug("P2")
        served = [0, 0]
        for second in range(3600):
            await roof.run(1)
            drawn = roof.drawn
            assert second > 60 or drawn == [9.0, 0.0]
            served = [before + (amps > 1.0) for before, amps in zip(served, drawn, strict=True)]
        assert served == [pytest.approx(1800, abs=500)] * 2

    play(story, [SOLAR, SOLAR], sun_a=9.6)


def test_the_minimum_comes_first_and_the_sun_on_top() -> None:
    async def story(roof: Roof) -> None:
        await roof.run(120)
        assert (roof.drawn, roof.reasons) == ([MINIMUM_A, 0.0], [Reason.SURPLUS, Reason.SURPLUS])
        roof.shines(9.6)
        await roof.run(180)
        assert roof.drawn == [9.0, 0.0]
        roof.shines(15.6)
        await roof.run(180)
        assert sorted(roof.drawn) == [7.0, 8.0]

    play(story, [MINIMUM, SOLAR])


def test_who_charges_normally_comes_first_in_the_sun() -> None:
    async def story(roof: Roof) -> None:
        await roof.run(240)
        assert roof.drawn == [16.0, 9.0]
        roof.shines(20.0)
        await roof.run(SETTLED_S)
        assert roof.drawn == [16.0, MINIMUM_A]

    play(story, [NORMAL, SOLAR], sun_a=25.6)


def test_a_full_supply_is_for_those_who_charge_normally() -> None:
    """20 A of supply less its margin carry one car of 16 A: whatever the sun does, it is not the solar car's."""

    async def story(roof: Roof) -> None:
        await roof.run(240)
        assert roof.drawn == [16.0, 0.0]
        assert roof.limits[0] >= 16.0

    play(story, [NORMAL, SOLAR], sun_a=100.0, supply_a=20.0)


@pytest.mark.parametrize("mode", [SOLAR, MINIMUM])
def test_a_stale_meter_shows_no_sun(mode: ChargingMode) -> None:
    async def story(roof: Roof) -> None:
        await roof.run(240)
        assert roof.drawn == [12.0]
        roof.site.meters["supply"].silent = True
        await roof.run(40)
        assert roof.drawn == [MINIMUM_A if mode is MINIMUM else 0.0]
        assert roof.reasons == [Reason.METER_STALE]
        roof.site.meters["supply"].silent = False
        await roof.run(240)
        assert roof.drawn == [12.0]

    play(story, [mode], sun_a=12.6)


@pytest.mark.parametrize("told", [True, False])
def test_a_meter_that_lags_by_ten_seconds_makes_nothing_swing(told: bool) -> None:
    async def story(roof: Roof) -> None:
        meter = roof.site.meters["supply"]
        meter.lag_s, meter.tells_lag = 10.0, told
        for sun_a in (19.6, 31.6, 14.6, 24.6):
            for second in range(300):
                # A real sun is never the same to the last digit: a meter that shows that repeats itself.
                roof.shines(sun_a + 0.001 * (second % 2))
                await roof.run(1)
            settled = [round(amps, 1) for amps in roof.net_a[-150:]]
            assert len(set(settled)) == 1
            # Less than a step of one car is left.
            assert -3.5 < settled[0] <= 0.0

    play(story, [SOLAR, SOLAR], timeout_s=30.0)


@pytest.mark.parametrize("measures", ["on demand", "once a minute", "never"])
def test_chargers_that_seldom_measure_follow_the_sun_too(measures: str) -> None:
    async def story(roof: Roof) -> None:
        for charger in roof.site.chargers.values():
            charger.sample_every_s = 60.0
            charger.measures_on_demand = measures == "on demand"
            charger.measures = measures != "never"
        for sun_a in (15.6, 24.6, 14.6):
            roof.shines(sun_a)
            await roof.run(420)
            assert -5.0 < roof.net_a[-1] <= 0.0
            assert sum(roof.drawn) == pytest.approx(sun_a, abs=1.7)

    play(story, [SOLAR, SOLAR], sun_a=15.6)


def test_a_car_that_is_put_in_solar_mode_goes_on_where_the_sun_carries_it() -> None:
    async def story(roof: Roof) -> None:
        await roof.run(90)
        assert roof.drawn == [16.0]
        roof.choose(1, SOLAR)
        for _ in range(120):
            await roof.run(1)
            assert roof.drawn[0] >= MINIMUM_A
        assert roof.drawn == [10.0]
        roof.choose(1, NORMAL)
        await roof.run(60)
        assert roof.drawn == [16.0]

    play(story, [NORMAL], sun_a=10.6)


def test_a_car_that_is_put_in_solar_mode_in_the_dark_stops_within_two_minutes() -> None:
    async def story(roof: Roof) -> None:
        await roof.run(90)
        roof.choose(1, SOLAR)
        await roof.run(120)
        assert roof.drawn == [0.0]

    play(story, [NORMAL])


def test_a_short_restart_changes_nothing_for_a_solar_car() -> None:
    async def story(roof: Roof) -> None:
        await roof.run(240)
        assert sorted(roof.drawn) == [9.0, 10.0]
        roof.site.wishes = {f"p{number}/1": ConnectorWish(mode=SOLAR) for number in (1, 2)}
        before = roof.drawn
        await roof.site.restart(10.0)
        for _ in range(120):
            await roof.run(1)
            assert roof.drawn == before

    play(story, [SOLAR, SOLAR], sun_a=19.6)


def test_a_car_of_one_phase_takes_what_all_phases_would_export_together() -> None:
    """Meters for billing net the phases: import on one and export on the others are no import."""

    async def story(roof: Roof) -> None:
        surplus: PhaseAmps = (-6.0, -6.0, -0.6)
        roof.site.truth.set_base_load("supply", surplus)
        await roof.run(240)
        assert roof.drawn == [pytest.approx(12.0, abs=1.0)]
        assert roof.site.truth.amps("supply")[0] > 4.0
        assert max(roof.net_a) <= 0.0

    play(story, [SOLAR], single_phase=True)


def test_the_higher_class_has_the_sun_first() -> None:
    async def story(roof: Roof) -> None:
        roof.site.site.wish("p2/1", ConnectorWish(mode=SOLAR, priority=5))
        await roof.run(240)
        assert roof.drawn == [MINIMUM_A, 13.0]

    play(story, [SOLAR, SOLAR], sun_a=19.6, sharing=SharingRule.PRIORITY)


def test_the_surplus_is_told_in_watts() -> None:
    async def story(roof: Roof) -> None:
        await roof.run(240)
        assert roof.site.site.circuits["supply"].surplus_w == pytest.approx(10.0 * 3 * 230.0, rel=0.05)
        roof.choose(1, NORMAL)
        await roof.run(60)
        # Nobody is in solar mode: it is what is exported.
        assert roof.site.site.circuits["supply"].surplus_w == pytest.approx(-6.0 * 3 * 230.0, rel=0.05)

    play(story, [SOLAR], sun_a=10.0)


@settings(max_examples=12, deadline=None)
@given(
    modes=st.lists(st.sampled_from([SOLAR, MINIMUM]), min_size=1, max_size=3),
    sun=st.lists(st.floats(-5.0, 40.0), min_size=2, max_size=4),
)
def test_what_solar_cars_import_is_no_more_than_their_minima(modes: list[ChargingMode], sun: list[float]) -> None:
    async def story(roof: Roof) -> None:
        for sun_a in sun:
            roof.shines(sun_a)
            await roof.run(SETTLED_S)
            for _ in range(150):
                await roof.run(1)
                drawn = roof.drawn
                minima = sum(min(amps, MINIMUM_A) for amps in drawn)
                # Beyond the minima they draw no more than is there.
                assert 3 * (sum(drawn) - minima) <= max(0.0, 3 * (sun_a - minima)) + 0.5

    play(story, modes, sun_a=sun[0])


def test_a_session_that_is_to_charge_now_does_not_wait_for_the_sun() -> None:
    async def story(roof: Roof) -> None:
        await roof.run(60)
        assert roof.drawn == [0.0]
        roof.site.site.wish_session("p1/1", charge_now=True)
        await roof.run(90)
        assert roof.drawn == [16.0]
        # The mode that the owner chose is still the one that is shown, and counts again for the next vehicle.
        assert roof.site.site.connectors["p1/1"].mode is SOLAR
        roof.site.site.wish_session("p1/1", charge_now=False)
        await roof.run(200)
        assert roof.drawn == [0.0]

    play(story, [SOLAR])
