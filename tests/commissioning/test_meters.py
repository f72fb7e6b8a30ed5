"""Meters that tell the truth, and those that do not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from custom_components.charge_cluster.engine.model import MeterScope, PhaseAmps
from custom_components.charge_cluster.site.commissioning.findings import CommissioningTest, Finding, Verdict
from custom_components.charge_cluster.site.problems import ProblemKey
from tests.commissioning.stage import Stage, a_stage, play
from tests.virtual_time import VirtualLoop

Check = CommissioningTest


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def keys(stage: Stage) -> set[ProblemKey]:
    return {problem.key for problem in stage.site.problems()}


def why(finding: Finding) -> object:
    assert finding.verdict is Verdict.INCONCLUSIVE
    return finding.figures["why"]


def a_little_noise(now: float) -> PhaseAmps:
    chance = random.Random(int(now))
    l1, l2, l3 = (20.0 + chance.gauss(0.0, 0.7) for _ in range(3))
    return (l1, l2, l3)


def put_to_tests(
    loop: VirtualLoop, change: Callable[[Stage], None], judge: Callable[[Stage, dict[Check, Finding]], None]
) -> None:
    async def story(stage: Stage) -> None:
        stage.building = a_little_noise
        change(stage)
        await stage.run(10)
        stage.plug("P1")
        await stage.run(60)
        found = await stage.commission("meter")
        await stage.run(3)
        judge(stage, found)

    play(a_stage(loop), story)


def test_a_meter_that_tells_the_truth_passes(loop: VirtualLoop) -> None:
    def judge(stage: Stage, found: dict[Check, Finding]) -> None:
        assert {finding.verdict for finding in found.values()} == {Verdict.PASSED}
        assert found[Check.METER_SPEED].figures["interval_s"] == 1.0
        assert found[Check.METER_SCOPE].figures["scope"] == MeterScope.EVERYTHING
        assert found[Check.METER_RATIO].figures["ratio"] == pytest.approx(1.0, abs=0.1)
        assert keys(stage) == set()

    put_to_tests(loop, lambda _stage: None, judge)


def test_one_transformer_the_wrong_way_round_is_found_on_its_phase(loop: VirtualLoop) -> None:
    def change(stage: Stage) -> None:
        stage.odd_meter().factors = (1.0, -1.0, 1.0)

    def judge(stage: Stage, found: dict[Check, Finding]) -> None:
        direction = found[Check.METER_DIRECTION]
        assert direction.verdict is Verdict.FAILED
        assert [direction.figures[f"sign_l{phase}"] for phase in (1, 2, 3)] == [1.0, -1.0, 1.0]
        [problem] = [problem for problem in stage.site.problems() if problem.key is ProblemKey.METER_INVERTED]
        assert problem.placeholders["phases"] == "L2"

    put_to_tests(loop, change, judge)


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_a_wrong_ratio_is_found_and_the_right_one_told(loop: VirtualLoop, factor: float) -> None:
    def change(stage: Stage) -> None:
        stage.odd_meter().factors = (factor, factor, factor)

    def judge(stage: Stage, found: dict[Check, Finding]) -> None:
        ratio = found[Check.METER_RATIO]
        assert ratio.verdict is Verdict.FAILED
        assert ratio.figures["ratio"] == pytest.approx(1.0 / factor, rel=0.1)
        assert found[Check.METER_DIRECTION].verdict is Verdict.PASSED
        [problem] = [problem for problem in stage.site.problems() if problem.key is ProblemKey.METER_RATIO_WRONG]
        assert float(problem.placeholders["ratio"]) == pytest.approx(1.0 / factor, rel=0.1)

    put_to_tests(loop, change, judge)


def test_a_meter_that_sees_no_vehicles_is_not_what_it_is_set_to_be(loop: VirtualLoop) -> None:
    def change(stage: Stage) -> None:
        stage.odd_meter().sees_vehicles = False

    def judge(stage: Stage, found: dict[Check, Finding]) -> None:
        assert found[Check.METER_SCOPE].verdict is Verdict.FAILED
        assert found[Check.METER_SCOPE].figures["scope"] == MeterScope.ALL_BUT_EVS
        assert ProblemKey.METER_SCOPE_WRONG in keys(stage)

    put_to_tests(loop, change, judge)


def test_a_meter_of_the_vehicles_alone_looks_like_an_idle_building(loop: VirtualLoop) -> None:
    def change(stage: Stage) -> None:
        stage.odd_meter().sees_building = False

    def judge(_stage: Stage, found: dict[Check, Finding]) -> None:
        assert why(found[Check.METER_SCOPE]) == "no_other_load"
        assert found[Check.METER_SCOPE].figures["scope"] == MeterScope.EVS_ONLY

    put_to_tests(loop, change, judge)


@pytest.mark.parametrize("lag_s", [0.0, 6.0, 25.0])
def test_the_lag_lies_between_the_bounds_that_are_told(loop: VirtualLoop, lag_s: float) -> None:
    def change(stage: Stage) -> None:
        stage.odd_meter().lag_s = lag_s

    def judge(_stage: Stage, found: dict[Check, Finding]) -> None:
        speed = found[Check.METER_SPEED].figures
        assert isinstance(speed["lag_least_s"], float)
        assert isinstance(speed["lag_s"], float)
        assert speed["lag_least_s"] <= lag_s + 1.0
        assert speed["lag_s"] >= lag_s - 1.0
        assert speed["lag_s"] - speed["lag_least_s"] <= 12.0
        assert found[Check.METER_RATIO].verdict is Verdict.PASSED

    put_to_tests(loop, change, judge)


def test_without_a_vehicle_only_the_interval_is_known(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        found = await stage.commission("meter")
        assert {why(finding) for finding in found.values()} == {"no_vehicle"}
        assert found[Check.METER_SPEED].figures["interval_s"] == 1.0

    play(a_stage(loop), story)


def test_single_phase_vehicles_cover_the_phases_one_after_the_other(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.odd_meter().factors = (1.0, 1.0, -1.0)
        for name in ("P1", "P2"):
            stage.plug(name, phases=1)
        await stage.run(60)
        found = await stage.commission("meter", Check.METER_DIRECTION)
        assert why(found[Check.METER_DIRECTION]) == "phase_not_seen"
        assert found[Check.METER_DIRECTION].figures["sign_l3"] is None
        stage.plug("P3", phases=1)
        await stage.run(60)
        found = await stage.commission("meter", Check.METER_DIRECTION)
        assert found[Check.METER_DIRECTION].verdict is Verdict.FAILED
        assert found[Check.METER_DIRECTION].figures["sign_l3"] == -1.0

    play(a_stage(loop, 3, supply_a=160.0), story)


def test_other_settings_make_the_findings_of_a_meter_outdated(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.odd_meter().factors = (2.0, 2.0, 2.0)
        stage.plug("P1")
        await stage.run(60)
        await stage.commission("meter")
        await stage.run(3)
        assert ProblemKey.METER_RATIO_WRONG in keys(stage)
        [meter] = stage.site.settings.meters
        await stage.site.apply(replace(stage.site.settings, meters=(replace(meter, name="Main meter"),)))
        assert not any(finding.outdated for finding in stage.site.findings("meter"))
        await stage.site.apply(replace(stage.site.settings, meters=(replace(meter, ratio=0.5),)))
        await stage.run(3)
        assert all(finding.outdated for finding in stage.site.findings("meter"))
        assert ProblemKey.METER_RATIO_WRONG not in keys(stage)
        await stage.restart(5.0)
        stage.site.settings = replace(stage.site.settings, meters=(meter,))

    play(a_stage(loop), story)
