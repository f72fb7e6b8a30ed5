"""Three phases or one, in a site that runs in virtual time: places, the order on the wire, a restart, and a repair."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from custom_components.charge_cluster.site.problems import ProblemKey
from tests.virtual_time import VirtualLoop, run_virtually

from .physical import PhysicalSite, a_site


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def play(site: PhysicalSite, story: Callable[[PhysicalSite], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        await site.start()
        try:
            await story(site)
        finally:
            await site.site.stop()

    run_virtually(whole(), site.loop)


def a_crowded_site(loop: VirtualLoop) -> PhysicalSite:
    """Return a site with four charge points that switch phases, on which three minima fit."""
    site = a_site(loop, 4, supply_a=43.0, declared_a=20.0)
    points = tuple(replace(point, switches_phases=True) for point in site.settings.charge_points)
    site.settings = replace(site.settings, charge_points=points)
    site.site = site._site()
    return site


async def crowd(site: PhysicalSite) -> None:
    """Plug in four vehicles, and let it be decided who leaves two of its phases."""
    await site.run(20)
    for identity in site.chargers:
        site.plug(identity)
    await site.run(300)


def charging(site: PhysicalSite) -> int:
    return sum(any(outlet.drawn) for outlet in site.truth.outlets.values())


def on_one_phase(site: PhysicalSite) -> set[str]:
    return {view.key for view in site.site.connectors.values() if view.on_one_phase}


def test_four_charge_where_three_would_fit(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await crowd(site)
        assert charging(site) == 4
        assert on_one_phase(site)
        assert {view.phases for view in site.site.connectors.values()} == {1, 3}
        assert site.above_s() == 0.0

    play(a_crowded_site(loop), story)


def test_a_short_restart_leaves_them_on_one_phase(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await crowd(site)
        before = on_one_phase(site)
        connected = {key: outlet.connected_phases for key, outlet in site.truth.outlets.items()}
        await site.restart(5.0)
        await site.run(120)
        assert on_one_phase(site) == before
        assert {key: outlet.connected_phases for key, outlet in site.truth.outlets.items()} == connected
        assert charging(site) == 4
        assert site.above_s() == 0.0

    play(a_crowded_site(loop), story)


def test_one_that_does_not_switch_is_a_repair_and_overloads_nothing(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(1)
        for charger in site.chargers.values():
            charger.switches_phases = False
        await crowd(site)
        [found, *_] = [problem for problem in site.site.problems() if problem.key is ProblemKey.PHASES_NOT_SWITCHED]
        assert found.subject not in on_one_phase(site)
        await site.run(600)
        assert found.subject not in on_one_phase(site)
        assert site.above_s() == 0.0

    play(a_crowded_site(loop), story)
