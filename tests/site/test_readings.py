"""Who guards a circuit, and who only tells what is fed in below it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from custom_components.charge_cluster.engine.controller import decide
from custom_components.charge_cluster.engine.model import MeterScope
from custom_components.charge_cluster.engine.snapshot import Decision, Memory, Snapshot
from custom_components.charge_cluster.site.problems import ProblemKey, Severity
from custom_components.charge_cluster.site.settings import MeterSettings, ModbusMeterSettings, SiteSettings
from tests.site.physical import PhysicalSite, a_site
from tests.virtual_time import VirtualLoop, run_virtually

ROOF = MeterSettings(
    meter_id="roof",
    name="Roof",
    circuit_id="supply",
    source=ModbusMeterSettings(host="127.0.0.1", port=502, unit=2, profile="sunspec"),
    scope=MeterScope.GENERATION,
)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[Snapshot]:
    """The snapshots of all passes."""
    seen: list[Snapshot] = []

    def noted(snapshot: Snapshot, memory: Memory) -> Decision:
        seen.append(snapshot)
        return decide(snapshot, memory)

    monkeypatch.setattr("custom_components.charge_cluster.site.site.decide", noted)
    return seen


def with_roof(settings: SiteSettings) -> SiteSettings:
    supply = replace(settings.circuits[0], generation_a=(30.0,) * 3)
    return replace(settings, circuits=(supply, *settings.circuits[1:]), meters=(*settings.meters, ROOF))


def play(story: Callable[[PhysicalSite], Awaitable[None]], *, roof: bool = True, metered: bool = True) -> None:
    loop = VirtualLoop()
    physical = a_site(loop, 2, metered=metered)
    if roof:
        physical.settings = with_roof(physical.settings)
        physical.site = physical._site()

    async def whole() -> None:
        await physical.start()
        await story(physical)
        await physical.site.stop()

    run_virtually(whole(), loop)


def test_a_meter_of_generation_is_told_apart_from_the_guard(passes: list[Snapshot]) -> None:
    async def story(site: PhysicalSite) -> None:
        site.meters["roof"].frozen = (12.0, 13.0, 14.0)
        await site.run(5)

    play(story)

    guard, roof = passes[-1].meters["supply"], passes[-1].generation["supply"]
    assert guard is not None
    assert roof is not None
    assert guard.amps == (20.0, 20.0, 20.0)
    assert roof.amps == (12.0, 13.0, 14.0)


def test_a_circuit_with_nothing_but_a_meter_of_generation_is_not_guarded(passes: list[Snapshot]) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)

    play(story, metered=False)

    assert passes[-1].meters == {}
    assert passes[-1].unheard == frozenset()


def test_a_silent_meter_of_generation_makes_no_circuit_stale_and_is_told(passes: list[Snapshot]) -> None:
    async def story(site: PhysicalSite) -> None:
        site.meters["roof"].frozen = (12.0, 13.0, 14.0)
        await site.run(5)
        site.meters["roof"].silent = True
        await site.run(20)
        assert not site.stale()
        problems = [problem for problem in site.site.problems() if problem.subject == "roof"]
        assert [(problem.key, problem.severity) for problem in problems] == [
            (ProblemKey.GENERATION_UNSEEN, Severity.WARNING)
        ]

    play(story)


def test_taking_a_meter_of_generation_away_leaves_nothing_unguarded(passes: list[Snapshot]) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        await site.site.apply(replace(site.site.settings, meters=site.site.settings.meters[:1]))
        await site.run(5)
        assert not site.stale()

    play(story)

    assert passes[-1].generation == {}
    assert passes[-1].meters["supply"] is not None


def test_a_guard_that_is_made_to_measure_generation_leaves_its_circuit_unguarded() -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        [guard] = site.site.settings.meters
        await site.site.apply(replace(site.site.settings, meters=(replace(guard, scope=MeterScope.GENERATION),)))
        await site.run(5)
        assert site.stale()
        assert ProblemKey.METER_MISSING in {problem.key for problem in site.site.problems()}

    play(story, roof=False)


def test_a_circuit_that_lost_its_meter_is_stale_over_a_restart_until_somebody_looks_at_its_settings() -> None:
    """After a restart it passed for a circuit on which nothing but vehicles draws current."""

    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.settings = replace(site.site.settings, meters=())
        await site.site.apply(site.settings)
        await site.restart(5)
        await site.run(5)
        assert site.stale()
        [supply] = site.settings.circuits
        site.settings = replace(site.settings, circuits=(replace(supply, declared_base_load_a=(0.0, 0.0, 0.0)),))
        await site.site.apply(site.settings)
        await site.run(5)
        assert not site.stale()
        await site.restart(5)
        await site.run(5)
        assert not site.stale()

    play(story, roof=False)
