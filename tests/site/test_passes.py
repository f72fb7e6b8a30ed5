"""When passes are made: a meter's sample is answered at once, and all together they are bounded."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from custom_components.charge_cluster.chargers import DrawSample
from custom_components.charge_cluster.engine.controller import decide
from custom_components.charge_cluster.engine.snapshot import Decision, Memory, Snapshot
from custom_components.charge_cluster.site import site as site_module
from custom_components.charge_cluster.site.site import PASS_SPACING_S
from tests.site.physical import PhysicalSite, a_site
from tests.virtual_time import VirtualLoop, run_virtually

AT_ONCE_S = 0.001
BETWEEN_REPORTS_S = 0.02


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When passes were made, in seconds of the loop."""
    made: list[float] = []

    def noted(snapshot: Snapshot, memory: Memory) -> Decision:
        made.append(snapshot.now)
        return decide(snapshot, memory)

    monkeypatch.setattr(site_module, "decide", noted)
    return made


async def chatter(say: Callable[[], None], seconds: float) -> None:
    """Say something again and again."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        say()
        await asyncio.sleep(BETWEEN_REPORTS_S)


async def _charging(site: PhysicalSite) -> None:
    await site.start()
    await site.run(5)
    for index in range(3):
        site.plug(f"P{index + 1}", maximum_a=32.0)
    await site.run(240)


@pytest.mark.parametrize("moment_s", [0.01, 0.03, 0.05, 0.07, 0.09])
def test_a_breach_is_answered_at_once_however_much_chargers_report(moment_s: float) -> None:
    loop = VirtualLoop()
    site = a_site(loop, 3)

    async def story() -> None:
        await _charging(site)
        charger, meter = site.chargers["P1"], site.meters["supply"]

        def report() -> None:
            charger.sample(loop.time())

        await chatter(report, 1.0 + moment_s)
        charger.calls.clear()
        meter.frozen = (130.0,) * 3
        shown_at = loop.time()
        meter.sample(shown_at)
        await chatter(report, 0.5)
        arrived_at, _ = charger.calls[0]
        assert arrived_at - charger.answer_after_s - shown_at <= AT_ONCE_S
        await site.site.stop()

    run_virtually(story(), loop)


def test_no_more_than_ten_passes_a_second_whoever_reports(passes: list[float]) -> None:
    loop = VirtualLoop()
    site = a_site(loop, 3)

    async def story() -> None:
        await _charging(site)
        charger, meter = site.chargers["P1"], site.meters["supply"]

        def say() -> None:
            charger.sample(loop.time())
            meter.sample(loop.time())

        passes.clear()
        await chatter(say, 10.0)
        await site.site.stop()

    run_virtually(story(), loop)
    assert 99 <= len(passes) <= 10.0 / PASS_SPACING_S + 2


def test_after_a_quiet_time_a_charger_with_news_is_answered_at_once(passes: list[float]) -> None:
    loop = VirtualLoop()
    site = a_site(loop, 3)

    async def story() -> None:
        await _charging(site)
        await asyncio.sleep(0.35)
        passes.clear()
        reported_at = loop.time()
        site.chargers["P1"].report(DrawSample(connector=1, amps=(7.0, 0.0, 0.0), measured_at=reported_at))
        await asyncio.sleep(PASS_SPACING_S)
        assert passes[0] - reported_at <= AT_ONCE_S
        await site.site.stop()

    run_virtually(story(), loop)


def test_who_says_the_same_again_asks_for_no_pass(passes: list[float]) -> None:
    loop = VirtualLoop()
    site = a_site(loop, 3)

    async def story() -> None:
        await _charging(site)
        charger = site.chargers["P1"]
        passes.clear()
        await chatter(lambda: charger.sample(loop.time()), 10.0)
        await site.site.stop()

    run_virtually(story(), loop)
    assert 8 <= len(passes) <= 20, "the meter's or those of time alone, and an answer or two"


def test_who_draws_more_than_it_may_is_answered_at_once_however_often_it_says_so(passes: list[float]) -> None:
    loop = VirtualLoop()
    site = a_site(loop, 3)

    async def story() -> None:
        await _charging(site)
        charger = site.chargers["P1"]
        passes.clear()
        sample = DrawSample(connector=1, amps=(40.0, 40.0, 40.0), measured_at=loop.time())
        await chatter(lambda: charger.report(replace(sample, measured_at=loop.time())), 2.0)
        await site.site.stop()

    run_virtually(story(), loop)
    assert len(passes) >= 18
