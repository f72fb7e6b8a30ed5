"""Stories of circuits that are more than a rating per phase, judged by the physical truth."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from custom_components.charge_cluster.engine.model import Reason
from custom_components.charge_cluster.site.proof import with_fitting_fallbacks
from tests.site.physical import PhysicalSite, a_site
from tests.virtual_time import VirtualLoop, run_virtually

VOLTS = 230.0


def play(
    story: Callable[[PhysicalSite], Awaitable[None]],
    *,
    base_load_a: float = 20.0,
    single_phase: bool = False,
    automatic: bool = False,
    cars: int = 8,
    **told: Any,
) -> None:
    """Play a story of eight charge points at a supply of 100 A that is told as it is.

    Their fallbacks are 0 A, or chosen by what fits (`automatic`).
    """
    loop = VirtualLoop()
    physical = a_site(loop, 8, base_load_a=base_load_a, single_phase=single_phase)
    supply = replace(physical.settings.circuits[0], **told)
    points = (replace(point, fallback_automatic=automatic) for point in physical.settings.charge_points)
    physical.settings = with_fitting_fallbacks(
        replace(physical.settings, circuits=(supply,), charge_points=tuple(points))
    )
    physical.site = physical._site()

    async def whole() -> None:
        await physical.start()
        await physical.run(5)
        for index in range(cars):
            physical.plug(f"P{index + 1}", maximum_a=32.0, phases=1 if single_phase else 3)
        await story(physical)
        await physical.site.stop()

    run_virtually(whole(), loop)


def power_w(site: PhysicalSite) -> float:
    return sum(site.truth.amps("supply")) * VOLTS


@pytest.mark.parametrize("credit", [False, True])
def test_an_inverter_that_trips_exceeds_nothing_unless_it_was_granted_credit(credit: bool) -> None:
    async def story(site: PhysicalSite) -> None:
        # 50 A of load, 40 A of them from the roof.
        await site.run(240)
        site.truth.set_base_load("supply", (50.0, 50.0, 50.0))
        await site.run(60)
        assert (site.above_s() > 0.0) is credit

    play(story, base_load_a=10.0, generation_a=(40.0, 40.0, 40.0), generation_credit=credit)


def test_a_transformer_carries_no_more_than_its_apparent_power() -> None:
    async def story(site: PhysicalSite) -> None:
        most = 0.0
        for _ in range(240):
            await site.run(1)
            most = max(most, power_w(site))
        # Currents are taken at the highest voltage that the supply may have, and the margin stays free.
        assert 31_000.0 < most <= 40_000.0

    play(story, power_kva=40.0, declared_base_load_a=(30.0,) * 3)


def test_the_mean_of_each_clock_window_stays_below_the_demand_cap() -> None:
    async def story(site: PhysicalSite) -> None:
        window_s = 900.0
        # To the begin of a window: what flowed before that is not known to the site in full.
        while site.clock.time() % window_s >= 1.0:
            await site.run(0.5)
        for _ in range(2):
            used_ws = 0.0
            for second in range(int(window_s)):
                site.truth.set_base_load("supply", ((20.0 if second < 600 else 45.0),) * 3)
                await site.run(1)
                used_ws += power_w(site)
            assert 35_000.0 < used_ws / window_s <= 40_000.0
        assert site.site.circuits["supply"].limited

    play(story, demand_kw=40.0)


def test_a_thin_neutral_is_told_as_the_reason() -> None:
    async def story(site: PhysicalSite) -> None:
        for index in range(8):
            if index % 3:
                site.unplug(f"P{index + 1}")
        for _ in range(240):
            await site.run(1)
            amps = site.truth.amps("supply")
            assert max(amps) - min(amps) <= 25.0
        plugged = [view for key, view in site.site.connectors.items() if key in {"p1/1", "p4/1", "p7/1"}]
        assert {view.reason for view in plugged} <= {Reason.PHASE_BALANCE, Reason.WAITING_TURN, Reason.NO_CAPACITY}
        assert sum(view.limit_a for view in plugged) >= 12.0

    play(story, single_phase=True, neutral_a=25.0)


@pytest.mark.parametrize(
    "told", [{"unbalance_a": 20.0}, {"neutral_a": 60.0}, {"power_kva": 50.0}, {"demand_kw": 30.0}], ids=str
)
def test_fallbacks_that_are_left_to_us_leave_room_for_those_who_charge(told: dict[str, Any]) -> None:
    """A fallback has its place while nobody charges there; eight times 6 A would fill these ceilings for ever."""

    async def story(site: PhysicalSite) -> None:
        await site.run(120)
        assert all(site.truth.outlets[f"P{number}"].drawn[0] >= 6.0 for number in (1, 2, 3))
        assert site.site.circuits["supply"].fallback_fits

    play(story, automatic=True, cars=3, declared_base_load_a=(20.0,) * 3, **told)
