"""How full a battery is to be: what energy that comes to, who tells how full it is, and what counts otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custom_components.charge_cluster.chargers import NeedsTold
from custom_components.charge_cluster.site.battery import (
    BatteryReading,
    SocSource,
    StateOfCharge,
    Target,
    target_of,
    until_wh,
)
from custom_components.charge_cluster.site.plan import Said
from custom_components.charge_cluster.site.session_news import DONE
from custom_components.charge_cluster.site.session_wish import NO_PROFILE, NO_SESSION_WISH, Profile
from custom_components.charge_cluster.site.views import SessionView
from tests.site.physical import PhysicalSite, a_site
from tests.site.test_planning import AT_ONCE, CHEAP_AT, drawn, plan_of, play, until
from tests.virtual_time import START_WALL, VirtualLoop

HOUR_S = 3600.0
ANN = Profile(
    leave_by_s=17 * HOUR_S, usual_wh=3000.0, target_soc=80.0, battery_wh=45_000.0, battery_entity="sensor.ann"
)


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def session_of(site: PhysicalSite) -> SessionView:
    session = site.site.connectors["p1/1"].session
    assert session is not None
    return session


def the_car_says(site: PhysicalSite, percent: float, at: float | None = None) -> None:
    site.batteries["sensor.ann"] = BatteryReading(percent=percent, at=site.clock.time() if at is None else at)


def ann_comes(site: PhysicalSite, profile: Profile = ANN) -> None:
    site.notebook.profiles["ANN"] = profile
    site.chargers["P1"].id_tag = "ANN"
    site.plug("P1")


def test_what_lacks_of_a_battery_is_a_ninth_more_at_the_meter() -> None:
    target = Target(percent=80.0, battery_wh=45_000.0)
    soc = StateOfCharge(percent=60.0, taken_wh=2000.0, source=SocSource.ENTITY)
    assert until_wh(target, soc) == pytest.approx(2000.0 + 0.2 * 45_000.0 / 0.9)
    assert until_wh(target, replace(soc, percent=90.0)) == 2000.0


def test_an_energy_goes_before_the_target_of_a_profile_and_a_target_before_its_energy() -> None:
    assert target_of(NO_SESSION_WISH, NO_PROFILE) is None
    assert target_of(NO_SESSION_WISH, ANN) == Target(percent=80.0, battery_wh=45_000.0, entity="sensor.ann")
    assert target_of(replace(NO_SESSION_WISH, wanted_wh=5000.0), ANN) is None
    here = replace(NO_SESSION_WISH, target_soc=100.0, battery_wh=60_000.0)
    assert target_of(here, ANN) == Target(percent=100.0, battery_wh=60_000.0, entity="sensor.ann")
    assert target_of(replace(here, battery_wh=None), NO_PROFILE) is None


def test_a_target_of_a_profile_is_planned_for_as_an_energy(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        the_car_says(site, 70.0)
        ann_comes(site)
        await site.run(60)
        plan = plan_of(site)
        assert (plan.wanted_by, plan.leave_by) == (Said.PROFILE, Said.PROFILE)
        assert plan.energy_wh == pytest.approx(0.1 * 45_000.0 / 0.9, rel=0.02)
        assert drawn(site) == [0.0]
        # It turns out to be emptier than it had said before it came.
        the_car_says(site, 60.0)
        await site.run(60)
        assert plan_of(site).energy_wh == pytest.approx(0.2 * 45_000.0 / 0.9, rel=0.02)
        # One percent more or less is no reason to plan anew.
        the_car_says(site, 61.0)
        before = plan_of(site).energy_wh
        await site.run(60)
        assert plan_of(site).energy_wh == before

    play(a_site(loop, 1), story)


def test_a_target_below_the_present_is_done_already(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        the_car_says(site, 85.0)
        ann_comes(site)
        await until(site, CHEAP_AT + 300.0)
        assert drawn(site) == [0.0]
        assert session_of(site).asked_wh == 0.0
        assert [event.kind for event in site.told] == ["started", DONE]

    play(a_site(loop, 1), story)


def test_where_nobody_tells_how_full_it_is_the_usual_energy_counts_until_somebody_does(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        # What was told yesterday is no news of a car that has driven since.
        the_car_says(site, 30.0, at=START_WALL - 13 * HOUR_S)
        ann_comes(site, replace(ANN, usual_wh=None))
        await site.run(60)
        assert session_of(site).soc is None
        assert plan_of(site).wanted_by is Said.SITE
        site.notebook.profiles["ANN"] = ANN
        await site.run(60)
        assert plan_of(site).wanted_by is Said.PROFILE
        assert plan_of(site).energy_wh == pytest.approx(3000.0, rel=0.02)
        the_car_says(site, 70.0)
        await site.run(60)
        assert plan_of(site).energy_wh == pytest.approx(5000.0, rel=0.02)

    play(a_site(loop, 1), story)


def test_the_charge_point_goes_before_the_entity_and_what_flows_since_is_counted(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        the_car_says(site, 20.0)
        ann_comes(site)
        await site.run(30)
        site.chargers["P1"].report(NeedsTold(connector=1, soc_percent=75.0))
        await site.run(30)
        soc = session_of(site).soc
        assert soc is not None
        assert (soc.percent, soc.source) == (75.0, SocSource.CHARGE_POINT)
        asked_wh = session_of(site).asked_wh
        assert asked_wh == pytest.approx(0.05 * 45_000.0 / 0.9)
        await until(site, CHEAP_AT + 120.0)
        # Until it says more what it is to take in all stays the same, and what it has taken counts.
        assert session_of(site).energy_wh > 100.0
        assert session_of(site).asked_wh == asked_wh
        await site.restart(30)
        await site.run(30)
        assert session_of(site).asked_wh == asked_wh

    play(a_site(loop, 1), story)


def test_a_wish_that_cannot_be_had_is_told_of_a_target_too(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        the_car_says(site, 20.0)
        site.plug("P1", maximum_a=32.0)
        await site.run(20)
        leaves_at = site.clock.time() + HOUR_S
        site.site.wish_session("p1/1", departure_at=leaves_at, target_soc=100.0, battery_wh=60_000.0)
        site.site.wish_session("p1/1", battery_entity="sensor.ann")
        await site.run(30)
        plan = plan_of(site)
        assert plan.impossible
        assert plan.wanted_by is Said.DRIVER
        assert plan.shortfall_wh == pytest.approx(0.8 * 60_000.0 / 0.9 - 22_080.0, rel=0.1)

    play(a_site(loop, 1), story, usual=AT_ONCE)
