"""Charge points that do what they should, and those that do not: each is found, and no ceiling is ever exceeded."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from custom_components.charge_cluster.engine.model import PhaseAmps, Reason
from custom_components.charge_cluster.site.commissioning.findings import CommissioningTest, Finding, Verdict
from custom_components.charge_cluster.site.commissioning.runner import AlreadyRunning, UnknownSubject
from custom_components.charge_cluster.site.problems import ProblemKey
from custom_components.charge_cluster.site.settings import ConnectorWish
from simulator.vehicle import CarSpec
from tests.commissioning.stage import OddCharger, Stage, a_stage, play
from tests.virtual_time import VirtualLoop

Check = CommissioningTest
STAIRS = (Check.LIMIT_RESPONSE, Check.PHASE_MAP, Check.RANDOM_DELAY)


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def keys(stage: Stage) -> set[ProblemKey]:
    return {problem.key for problem in stage.site.problems()}


def why(finding: Finding) -> object:
    assert finding.verdict is Verdict.INCONCLUSIVE
    return finding.figures["why"]


def noise(amplitude_a: float, every_s: float = 7.0) -> Callable[[float], PhaseAmps]:
    """Return a building whose phases jump by themselves."""

    def load(now: float) -> PhaseAmps:
        chance = random.Random(int(now / every_s))
        l1, l2, l3 = (20.0 + amplitude_a * chance.random() for _ in range(3))
        return (l1, l2, l3)

    return load


def test_a_charge_point_that_does_all_it_should_passes_everything(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.plug("P1", phases=1)
        await stage.run(30)
        found = await stage.commission("p1/1", person=stage.takes("P1"))
        assert {test: finding.verdict for test, finding in found.items()} == dict.fromkeys(
            stage.site.commissioning.tests_for("p1/1"), Verdict.PASSED
        )
        assert found[Check.MINIMUM].figures["minimum_a"] == 6.0
        assert found[Check.PHASE_MAP].figures["rotation"] == "l1"
        assert found[Check.ZERO_AMPS].figures["behaviour"] == "paused"
        assert found[Check.CONNECTION_LOSS].figures["fallback_a"] == pytest.approx(6.0, abs=0.2)
        assert 25.0 <= found[Check.CONNECTION_LOSS].figures["after_s"] <= 45.0  # type: ignore[operator] # a number here
        assert found[Check.POWER_CYCLE].figures["fallback_a"] == pytest.approx(6.0, abs=0.2)
        assert stage.site.findings("p1/1") == tuple(found.values())
        assert {progress.request for progress in stage.shown} == {
            None,
            "pull_network",
            "restore_network",
            "cut_power",
            "restore_power",
        }
        await stage.run(60)
        assert stage.site.problems() == ()
        assert stage.site.connectors["p1/1"].limit_a == 32.0

    play(a_stage(loop, fallback_a=6.0), story)


def test_one_that_measures_once_a_minute_is_given_the_time(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.post("P1").sample_every_s = 60.0
        stage.plug("P1", phases=1)
        await stage.run(200)
        found = await stage.commission("p1/1", person=stage.takes("P1"))
        assert {finding.verdict for finding in found.values()} == {Verdict.PASSED}
        assert found[Check.LIMIT_RESPONSE].figures["settling_s"] <= 15.0  # type: ignore[operator] # a number here
        assert stage.site.commissioning.facts("p1/1").settling_s is None, "its own measurements decide"

    play(a_stage(loop, fallback_a=6.0), story)


def test_without_a_vehicle_nothing_is_claimed(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        found = await stage.commission("p1/1")
        assert {why(finding) for finding in found.values()} == {"no_vehicle"}
        assert len(found) == 5

    play(a_stage(loop), story)


def test_a_vehicle_that_leaves_ends_the_tests_and_the_cap_is_taken_back(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.plug("P1")
        await stage.run(30)
        left = False

        def leave(after_s: float) -> None:
            nonlocal left
            if after_s > 45.0 and not left:
                left = True
                stage.unplug("P1")

        found = await stage.commission("p1/1", meanwhile=leave)
        assert why(found[Check.LIMIT_RESPONSE]) == "unplugged"
        assert {why(finding) for finding in found.values()} <= {"unplugged", "no_vehicle"}
        assert stage.site.connectors["p1/1"].cap_a == 32.0

    play(a_stage(loop), story)


@pytest.mark.parametrize("amplitude_a", [12.0, 25.0])
def test_a_noisy_building_leads_to_no_wrong_claim(loop: VirtualLoop, amplitude_a: float) -> None:
    async def story(stage: Stage) -> None:
        stage.building = noise(amplitude_a)
        stage.plug("P1", phases=1)
        await stage.run(30)
        found = await stage.commission(
            "p1/1", Check.LIMIT_RESPONSE, Check.PHASE_MAP, Check.CONNECTION_LOSS, simulate=True
        )
        assert found[Check.LIMIT_RESPONSE].verdict is Verdict.PASSED, (
            "its own measurements know nothing of the building"
        )
        assert why(found[Check.PHASE_MAP]) == "noisy"
        loss = found[Check.CONNECTION_LOSS]
        assert loss.verdict is Verdict.INCONCLUSIVE or loss.figures["fallback_a"] == pytest.approx(0.0, abs=2.0)
        assert loss.verdict is not Verdict.FAILED

    play(a_stage(loop), story)


@pytest.mark.parametrize("wired", [(1, 2, 0), (2, 0, 1)])
def test_a_rotation_that_is_not_the_configured_one_is_found(loop: VirtualLoop, wired: tuple[int, ...]) -> None:
    async def story(stage: Stage) -> None:
        stage.building = noise(1.0)
        stage.plug("P1", phases=1)
        await stage.run(30)
        found = await stage.commission("p1/1", Check.PHASE_MAP)
        assert found[Check.PHASE_MAP].verdict is Verdict.FAILED
        assert found[Check.PHASE_MAP].figures["rotation"] == f"l{wired[0] + 1}"
        await stage.run(3)
        assert keys(stage) == {ProblemKey.ROTATION_MISMATCH}
        [point] = stage.site.settings.charge_points
        mended = replace(point, connectors=(replace(point.connectors[0], rotation=wired),))
        await stage.site.apply(replace(stage.site.settings, charge_points=(mended,)))
        await stage.run(3)
        assert keys(stage) == set()

    play(a_stage(loop, rotations=[wired]), story)


def test_three_phases_that_rise_together_say_nothing_of_their_order(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.plug("P1", phases=3)
        await stage.run(30)
        found = await stage.commission("p1/1", Check.PHASE_MAP)
        assert why(found[Check.PHASE_MAP]) == "needs_single_phase_vehicle"
        assert found[Check.PHASE_MAP].figures["rotation"] == "l1_l2_l3"

    play(a_stage(loop, rotations=[(1, 2, 0)]), story)


def test_a_charge_point_with_a_random_delay_is_found_and_reckoned_with(loop: VirtualLoop) -> None:
    chance = random.Random(7)

    async def story(stage: Stage) -> None:
        stage.post("P1").delay_s = lambda: chance.uniform(20.0, 70.0)
        stage.plug("P1")
        await stage.run(150)
        found = await stage.commission("p1/1", *STAIRS)
        delay = found[Check.RANDOM_DELAY]
        assert delay.verdict is Verdict.FAILED
        assert delay.figures["delayed"] in {"both", "raises", "reductions"}
        await stage.run(3)
        assert ProblemKey.DELAYS_BY_ITSELF in keys(stage)
        facts = stage.site.commissioning.facts("p1/1")
        assert facts.settling_s is None
        assert facts.delay_s >= 30.0

    play(a_stage(loop, supply_a=160.0), story)


def test_a_charge_point_that_follows_at_once_has_no_delay(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.post("P1").sample_every_s = 20.0
        stage.plug("P1")
        await stage.run(60)
        found = await stage.commission("p1/1", Check.RANDOM_DELAY)
        assert found[Check.RANDOM_DELAY].verdict is Verdict.PASSED

    play(a_stage(loop), story)


def test_a_charge_point_that_ignores_0_a_is_found(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.post("P1").holds_zero = False
        stage.plug("P1")
        await stage.run(30)
        found = await stage.commission("p1/1", Check.ZERO_AMPS)
        assert found[Check.ZERO_AMPS].verdict is Verdict.FAILED
        assert found[Check.ZERO_AMPS].figures["behaviour"] == "ignored"
        assert found[Check.ZERO_AMPS].figures["drawn_a"] == 6.0
        await stage.run(3)
        assert ProblemKey.COMMISSIONING_FAILED in keys(stage)

    play(a_stage(loop), story)


def test_a_charge_point_that_ignores_limits_fails_and_does_not_prove_a_settling_time(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.plug("P1", maximum_a=32.0)
        await stage.run(60)
        stage.post("P1").ignores = True
        found = await stage.commission("p1/1", Check.LIMIT_RESPONSE)
        assert found[Check.LIMIT_RESPONSE].verdict is not Verdict.PASSED
        assert stage.site.commissioning.facts("p1/1").settling_s is None

    play(a_stage(loop), story)


def test_the_minimum_is_looked_for_among_the_currents_that_a_charge_point_knows(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        [point] = stage.settings.charge_points
        listed = replace(point, steps_a=(6.0, 8.0, 10.0, 13.0, 16.0))
        await stage.site.apply(replace(stage.settings, charge_points=(listed,)))
        stage.truth.plug("P1", CarSpec(name="hungry", maximum_a=16.0, minimum_a=9.0))
        stage.chargers["P1"].plugged()
        await stage.run(30)
        found = await stage.commission("p1/1", Check.MINIMUM)
        assert found[Check.MINIMUM].figures["minimum_a"] == 10.0

    play(a_stage(loop), story)


def test_a_vehicle_that_needs_more_than_the_configured_minimum_is_told(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.truth.plug("P1", CarSpec(name="hungry", maximum_a=16.0, minimum_a=8.0))
        stage.chargers["P1"].plugged()
        await stage.run(30)
        found = await stage.commission("p1/1", Check.MINIMUM)
        assert found[Check.MINIMUM].verdict is Verdict.FAILED
        assert found[Check.MINIMUM].figures["minimum_a"] == 8.0
        await stage.run(3)
        assert ProblemKey.MINIMUM_TOO_LOW in keys(stage)

    play(a_stage(loop), story)


def test_a_fallback_lost_at_a_power_cycle_counts_at_the_hardware_maximum_from_then_on(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        post = stage.post("P1")
        post.keeps_fallback = False
        for name in ("P1", "P2", "P3"):
            stage.plug(name, maximum_a=32.0)
        await stage.run(120)
        found = await stage.commission("p1/1", Check.POWER_CYCLE, person=stage.takes("P1"))
        cycle = found[Check.POWER_CYCLE]
        assert cycle.verdict is Verdict.FAILED
        assert cycle.figures["fallback_a"] == pytest.approx(32.0, abs=1.0)
        await stage.run(60)
        assert ProblemKey.FALLBACK_NOT_KEPT in keys(stage)
        assert stage.site.connectors["p1/1"].worst_case_a == 32.0
        assert stage.site.circuits["supply"].if_all_dies_a[0] >= 30.0 + 32.0
        # Power is cut once more, with nobody watching: there is room for what it does.
        post.cut_power()
        await stage.run(20)
        post.restore_power()
        await stage.run(120)

    play(a_stage(loop, 3, declared_a=30.0), story)


def test_a_fallback_of_0_a_is_proved_where_the_transaction_went_on(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.plug("P1")
        await stage.run(60)
        found = await stage.commission("p1/1", Check.POWER_CYCLE, person=stage.takes("P1"))
        assert found[Check.POWER_CYCLE].verdict is Verdict.PASSED
        assert found[Check.POWER_CYCLE].figures["fallback_a"] == 0.0

    play(a_stage(loop), story)


def test_a_lost_fallback_is_found_beside_a_busier_phase(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.post("P1").keeps_fallback = False
        stage.plug("P1", maximum_a=10.0, phases=1)
        stage.plug("P2", maximum_a=16.0, phases=1)
        await stage.run(60)
        found = await stage.commission("p1/1", Check.POWER_CYCLE, person=stage.takes("P1"))
        assert found[Check.POWER_CYCLE].verdict is Verdict.FAILED
        assert found[Check.POWER_CYCLE].figures["fallback_a"] == pytest.approx(10.0, abs=0.5)

    play(a_stage(loop, 2), story)


def test_a_charge_point_that_does_not_fall_back_is_found(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.post("P1").falls_back = False
        stage.plug("P1")
        await stage.run(30)
        found = await stage.commission("p1/1", Check.CONNECTION_LOSS, simulate=True)
        assert found[Check.CONNECTION_LOSS].verdict is Verdict.FAILED
        assert found[Check.CONNECTION_LOSS].figures["fallback_a"] == pytest.approx(16.0, abs=0.5)
        await stage.run(30)
        assert stage.site.connectors["p1/1"].online
        assert stage.site.connectors["p1/1"].worst_case_a == 32.0
        assert ProblemKey.FALLBACK_NOT_KEPT in keys(stage)

    play(a_stage(loop), story)


@pytest.mark.parametrize("factor", [0.0, -1.0, 2.0])
@pytest.mark.parametrize("fallback_a", [0.0, 10.0])
def test_a_meter_that_is_wrong_tells_of_no_fallback(loop: VirtualLoop, factor: float, fallback_a: float) -> None:
    async def story(stage: Stage) -> None:
        stage.odd_meter().factors = (factor, factor, factor)
        stage.plug("P1")
        await stage.run(60)
        stage.post("P1").falls_back = False
        found = await stage.commission("p1/1", Check.CONNECTION_LOSS, simulate=True)
        assert why(found[Check.CONNECTION_LOSS]) == "meter_disagrees"
        assert stage.site.connectors["p1/1"].online

    play(a_stage(loop, fallback_a=fallback_a, supply_a=200.0, declared_a=100.0), story)


def test_without_a_meter_the_register_tells_of_the_fallback(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.plug("P1")
        await stage.run(60)
        found = await stage.commission("p1/1", Check.CONNECTION_LOSS, Check.POWER_CYCLE, person=stage.takes("P1"))
        for finding in found.values():
            assert finding.figures["source"] == "register"
            assert finding.verdict is Verdict.PASSED
            assert finding.figures["fallback_a"] == pytest.approx(6.0, abs=1.5)

    play(a_stage(loop, fallback_a=6.0, metered=False), story)


@pytest.mark.parametrize("fallback_a", [0.0, 6.0])
def test_one_that_does_not_begin_by_itself_after_a_power_cut_proves_nothing(
    loop: VirtualLoop, fallback_a: float
) -> None:
    async def story(stage: Stage) -> None:
        stage.post("P1").starts_alone = False
        stage.plug("P1")
        await stage.run(60)
        found = await stage.commission("p1/1", Check.POWER_CYCLE, person=stage.takes("P1"))
        assert why(found[Check.POWER_CYCLE]) == "did_not_start"
        assert keys(stage) == set()

    play(a_stage(loop, fallback_a=fallback_a), story)


def test_a_person_who_does_nothing_is_waited_for_and_then_not(loop: VirtualLoop) -> None:
    async def never(_request: str) -> None:
        await asyncio.Event().wait()

    async def story(stage: Stage) -> None:
        stage.plug("P1")
        await stage.run(30)
        found = await stage.commission("p1/1", Check.POWER_CYCLE, person=never)
        assert why(found[Check.POWER_CYCLE]) == "not_confirmed"
        await stage.run(60)
        assert stage.site.connectors["p1/1"].limit_a == 32.0

    play(a_stage(loop), story)


def test_what_a_person_does_is_seen_without_a_word(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        post = stage.post("P1")
        stage.plug("P1")
        await stage.run(30)
        acts = {"cut_power": post.cut_power, "restore_power": post.restore_power, "pull_network": post.pull_network}
        acts["restore_network"] = post.restore_network

        def act(_after: float) -> None:
            progress = stage.site.commissioning.progress
            if progress is not None and progress.request in acts:
                acts.pop(progress.request)()

        found = await stage.commission("p1/1", Check.CONNECTION_LOSS, Check.POWER_CYCLE, meanwhile=act)
        assert {finding.verdict for finding in found.values()} == {Verdict.PASSED}
        assert acts == {}

    play(a_stage(loop, fallback_a=6.0), story)


def test_a_request_can_be_answered_from_elsewhere(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.plug("P1")
        await stage.run(30)
        answered: list[str] = []

        def say_done(_after: float) -> None:
            progress = stage.site.commissioning.progress
            if progress is not None and progress.request is not None and progress.request not in answered:
                answered.append(progress.request)
                stage.site.commissioning.answer()

        found = await stage.commission("p1/1", Check.CONNECTION_LOSS, meanwhile=say_done)
        assert answered == ["pull_network"]
        assert why(found[Check.CONNECTION_LOSS]) == "not_confirmed", "it was said, and did not happen"

    play(a_stage(loop), story)


def test_where_the_hardware_maximum_does_not_fit_nobody_is_asked_to_pull_a_plug(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        for name in ("P1", "P2"):
            stage.plug(name)
        await stage.run(120)
        found = await stage.commission("p1/1", Check.CONNECTION_LOSS, simulate=True)
        assert why(found[Check.CONNECTION_LOSS]) == "no_headroom"
        assert stage.site.connectors["p1/1"].online

    play(a_stage(loop, 2, supply_a=50.0, declared_a=20.0), story)


def test_others_go_on_charging_and_the_ceiling_holds_while_one_is_tested(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        for name in ("P1", "P2", "P3", "P4"):
            stage.plug(name, maximum_a=32.0)
        await stage.run(120)
        least = 99.0

        reasons = set()

        def watch(_after: float) -> None:
            nonlocal least
            least = min(least, stage.truth.outlets["P2"].drawn[0])
            reasons.add(stage.site.connectors["p1/1"].reason)

        found = await stage.commission("p1/1", simulate=True, meanwhile=watch)
        assert found[Check.LIMIT_RESPONSE].verdict is Verdict.PASSED
        assert found[Check.CONNECTION_LOSS].verdict is Verdict.PASSED
        assert least >= 6.0
        assert Reason.COMMISSIONING in reasons
        assert Reason.USER_CAP not in reasons

    play(a_stage(loop, 4, supply_a=120.0, declared_a=60.0), story)


def test_a_users_cap_and_switch_stand_above_a_test(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.plug("P1")
        await stage.run(30)
        stage.site.wish("p1/1", ConnectorWish(cap_a=8.0))
        await stage.run(30)
        drawn = 0.0

        def watch(_after: float) -> None:
            nonlocal drawn
            drawn = max(drawn, stage.truth.outlets["P1"].drawn[0])

        found = await stage.commission("p1/1", Check.LIMIT_RESPONSE, meanwhile=watch)
        assert why(found[Check.LIMIT_RESPONSE]) == "no_headroom"
        assert drawn <= 8.0
        await stage.run(20)
        assert stage.site.connectors["p1/1"].cap_a == 8.0

    play(a_stage(loop), story)


def test_cancelling_puts_everything_back_and_keeps_what_was_found(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.plug("P1")
        await stage.run(30)

        def stop(after_s: float) -> None:
            if any(progress.test is Check.CONNECTION_LOSS and progress.step == "watching" for progress in stage.shown):
                stage.site.commissioning.cancel()

        found = await stage.commission("p1/1", simulate=True, meanwhile=stop)
        assert found[Check.LIMIT_RESPONSE].verdict is Verdict.PASSED
        assert why(found[Check.CONNECTION_LOSS]) == "cancelled"
        assert stage.site.commissioning.progress is None
        assert stage.post("P1").shut_until < stage.loop.time()
        await stage.run(60)
        assert stage.site.connectors["p1/1"].online
        assert stage.site.connectors["p1/1"].limit_a == 32.0

    play(a_stage(loop), story)


def test_one_at_a_time_and_only_what_is_there(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        commissioning = stage.site.commissioning
        with pytest.raises(UnknownSubject):
            await commissioning.run("p9/1")
        with pytest.raises(ValueError, match="meter_ratio"):
            await commissioning.run("p1/1", [Check.METER_RATIO])
        stage.plug("P1")
        first = stage.loop.create_task(commissioning.run("p1/1", [Check.LIMIT_RESPONSE]))
        await stage.run(5)
        with pytest.raises(AlreadyRunning):
            await commissioning.run("meter")
        first.cancel()
        await stage.run(5)
        assert first.cancelled()
        assert commissioning.progress is None
        assert why(stage.site.findings("p1/1")[0]) == "cancelled"

    play(a_stage(loop), story)


def test_new_firmware_makes_findings_outdated_and_a_restart_keeps_them(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.plug("P1")
        await stage.run(30)
        await stage.commission("p1/1", Check.LIMIT_RESPONSE)
        told: list[None] = []
        await stage.restart(5.0)
        await stage.run(10)
        [finding] = stage.site.findings("p1/1")
        assert finding.verdict is Verdict.PASSED
        assert finding.firmware == "1.0"
        assert not finding.outdated
        stage.site.subscribe("commissioning:p1/1", lambda: told.append(None))
        post = stage.post("P1")
        post.identity = replace(post.identity, firmware="2.0")
        post.cut_power()
        await stage.run(5)
        post.restore_power()
        await stage.run(20)
        [finding] = stage.site.findings("p1/1")
        assert finding.outdated
        assert told
        await stage.restart(5.0)
        assert stage.site.findings("p1/1")[0].outdated
        assert isinstance(post, OddCharger)

    play(a_stage(loop), story)


def test_below_a_cluster_the_meter_of_the_supply_shows_the_steps(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.building = noise(1.0)
        stage.plug("P2", phases=1)
        await stage.run(60)
        found = await stage.commission("p2/1", Check.PHASE_MAP, Check.CONNECTION_LOSS, simulate=True)
        assert found[Check.PHASE_MAP].verdict is Verdict.PASSED
        assert found[Check.PHASE_MAP].figures["rotation"] == "l2"
        assert found[Check.CONNECTION_LOSS].verdict is Verdict.PASSED
        assert stage.above_s("cluster") == 0.0

    play(a_stage(loop, 2, cluster_a=50.0), story)


def test_a_loss_of_the_site_itself_ends_a_run_and_leaves_no_door_shut(loop: VirtualLoop) -> None:
    async def story(stage: Stage) -> None:
        stage.plug("P1")
        await stage.run(30)
        running = loop.create_task(stage.site.commissioning.run("p1/1", [Check.CONNECTION_LOSS], simulate=True))
        while stage.post("P1").online:
            await stage.run(1)
        await stage.restart(5.0)
        [finding] = await running
        assert why(finding) == "cancelled"
        assert stage.post("P1").shut_until < loop.time()
        await stage.run(60)
        assert stage.site.connectors["p1/1"].online
        assert stage.site.connectors["p1/1"].limit_a == 32.0

    play(a_stage(loop), story)
