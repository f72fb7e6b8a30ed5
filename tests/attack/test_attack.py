"""The proof by attack: anything may happen in any order, and with the physical truth known every promise holds."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from custom_components.charge_cluster.engine.model import ChargingMode, SharingRule
from custom_components.charge_cluster.site.settings import ConnectorWish
from simulator.vehicle import CarSpec

from . import happenings, service
from .extent import Totals, record
from .plans import cars, plans
from .posts import Link, Mood, Post
from .stores import Socket
from .world import SitePlan, World

STEPS = 20_000
"""Steps that the normal run takes at least."""
LONG_STEPS = 1_000_000
"""The same of scripts/test --long."""
STEPS_OF_A_PART = 25_000
"""A long run is cut into parts of about so many: processes that share them end at nearly the same time."""
STEPS_VARIABLE = "ATTACK_STEPS"
"""Environment: other numbers of steps."""
SEED_VARIABLE = "ATTACK_SEED"
"""Environment: any text, for other stories than the usual ones."""
TOTALS = Totals()

STORIES_OF_A_ROUND = 100
STEPS_OF_A_STORY = 50

SEARCH = settings(
    stateful_step_count=STEPS_OF_A_STORY,
    deadline=None,
    database=None,
    phases=(Phase.generate,) if "ATTACK_SHRINK" not in os.environ else (Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)

WHICH = st.integers(0, 7)
PAUSES = st.sampled_from((4.0, 0.5, 12.0, 1.5, 20.0, 30.0))
PARTS = st.sampled_from((1.0, 0.0, 1.0, 0.5, 0.8))
MEMORIES = st.sampled_from((None, 0, 1, 12))
"""What the disk holds after a kill: nothing, or what it held so many flushes (5 s each) ago."""


class Attack(RuleBasedStateMachine):
    """One site and what happens to it."""

    sharing_rules: ClassVar[Sequence[SharingRule | None]] = (None, *SharingRule)
    """What may be chosen for its circuits."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World
        self.calmed = False

    @initialize(plan=plans(), plugged=st.lists(cars(), min_size=6, max_size=9), part=PARTS)
    def begin(self, plan: SitePlan, plugged: list[CarSpec], part: float) -> None:
        self.world = World(plan, self.sharing_rules)
        for circuit_id in self.world.circuits:
            self.world.at_once(happenings.jump, circuit_id, (part, part, part))
        self.world.judge.excuses.clear()
        self.world.begin()
        self.world.run(6.0)
        for (post, socket), car in zip(self.world.sockets, plugged, strict=False):
            self.world.at_once(happenings.plug, post, socket, car, 1.0)
        self.world.run(60.0)

    def _socket(self, which: int) -> tuple[Post, Socket]:
        return self.world.sockets[which % len(self.world.sockets)]

    def _circuit(self, which: int) -> str:
        return list(self.world.circuits)[which % len(self.world.circuits)]

    def _pass(self, seconds: float) -> None:
        self.world.run(seconds)
        TOTALS.steps += 1

    @rule(which=WHICH, car=cars(), starts_after_s=st.sampled_from((0.5, 3.0)), then=PAUSES)
    def plug(self, which: int, car: CarSpec, starts_after_s: float, then: float) -> None:
        self.world.at_once(happenings.plug, *self._socket(which), car, starts_after_s)
        self._pass(then)

    @rule(which=WHICH, then=PAUSES)
    def unplug(self, which: int, then: float) -> None:
        self.world.at_once(happenings.unplug, *self._socket(which))
        self._pass(then)

    @rule(which=WHICH, parts=st.tuples(PARTS, PARTS, PARTS) | PARTS.map(lambda part: (part,) * 3), then=PAUSES)
    def jump(self, which: int, parts: tuple[float, float, float], then: float) -> None:
        self.world.at_once(happenings.jump, self._circuit(which), parts)
        self._pass(then)

    @rule(which=WHICH, amps=st.sampled_from((None, 0.0, 7.0, 12.0)), then=PAUSES)
    def draw_at_most(self, which: int, amps: float | None, then: float) -> None:
        self.world.at_once(happenings.draw_at_most, self._socket(which)[1], amps)
        self._pass(then)

    @rule(
        which=WHICH,
        mood=st.sampled_from((Mood.OBEYS, *Mood, Mood.OBEYS)),
        late_s=st.sampled_from((0.0, 0.0, 2.0, 6.0)),
        then=PAUSES,
    )
    def mood(self, which: int, mood: Mood, late_s: float, then: float) -> None:
        self.world.at_once(happenings.take_mood, self._socket(which)[0], mood, late_s)
        self._pass(then)

    @rule(which=WHICH, link=st.sampled_from((Link.DOWN, Link.HALF_OPEN, Link.DEAF)), then=PAUSES)
    def break_link(self, which: int, link: Link, then: float) -> None:
        self.world.at_once(happenings.break_link, self._socket(which)[0], link)
        self._pass(then)

    @rule(which=WHICH, then=PAUSES)
    def reconnect(self, which: int, then: float) -> None:
        self.world.at_once(happenings.reconnect, self._socket(which)[0])
        self._pass(then)

    @rule(
        which=WHICH,
        seconds=st.sampled_from((0.5, 3.0, 12.0)),
        resumes=st.booleans(),
        forgets=st.sampled_from((False, False, False, True)),
        then=PAUSES,
    )
    def cut_power(self, which: int, seconds: float, resumes: bool, forgets: bool, then: float) -> None:
        self.world.at_once(happenings.cut_power, self._socket(which)[0], seconds, resumes=resumes, forgets=forgets)
        self._pass(then)

    @rule(
        which=WHICH,
        what=st.sampled_from(("lag", "well", "silent", "phase", "well", "frozen", "well")),
        lag_s=st.sampled_from((0.0, 2.0, 5.0, 20.0, 60.0)),
        then=PAUSES,
    )
    def trouble_meter(self, which: int, what: str, lag_s: float, then: float) -> None:
        self.world.at_once(happenings.trouble_meter, self._circuit(which), what, lag_s)
        self._pass(then)

    @rule(
        which=WHICH,
        cap_a=st.sampled_from((None, 6.0, None, 10.0)),
        priority=st.integers(0, 2),
        mode=st.sampled_from((ChargingMode.NORMAL, *ChargingMode)),
        then=PAUSES,
    )
    def wish(self, which: int, cap_a: float | None, priority: int, mode: ChargingMode, then: float) -> None:
        wished = ConnectorWish(cap_a=cap_a, priority=priority, mode=mode)
        self.world.at_once(happenings.wish, self._socket(which)[1], wished)
        self._pass(then)

    @rule(which=WHICH, others=WHICH, off_s=st.sampled_from((3.0, 15.0, 30.0)), then=PAUSES)
    def switch_off_and_on(self, which: int, others: int, off_s: float, then: float) -> None:
        self.world.at_once(happenings.wish, self._socket(which)[1], ConnectorWish(enabled=False))
        self.world.run(off_s)
        self.world.at_once(happenings.wish, self._socket(others)[1], ConnectorWish(enabled=which != others))
        self.world.at_once(happenings.wish, self._socket(which)[1], ConnectorWish())
        self._pass(then)

    @rule(which=WHICH, car=cars(), then=PAUSES)
    def swap(self, which: int, car: CarSpec, then: float) -> None:
        self.world.at_once(happenings.unplug, *self._socket(which))
        self.world.run(2.0)
        self.world.at_once(happenings.plug, *self._socket(which), car, 0.5)
        self._pass(then)

    @rule(then=st.sampled_from((20.0, 45.0)))
    def mend(self, then: float) -> None:
        self.world.at_once(happenings.heal)
        self._pass(then)

    @rule(which=WHICH, part=st.sampled_from((1.0, 0.9, 0.7)), then=PAUSES)
    def rate(self, which: int, part: float, then: float) -> None:
        happenings.change_rating(self.world, self._circuit(which), part)
        self._pass(then)

    @rule(which=WHICH, margin_a=st.sampled_from((None, 0.5, 8.0)), then=PAUSES)
    def margin(self, which: int, margin_a: float | None, then: float) -> None:
        happenings.change_margin(self.world, self._circuit(which), margin_a)
        self._pass(then)

    @rule(
        which=WHICH,
        known=st.booleans(),
        fallback_a=st.sampled_from((0.0, 6.0)),
        name=st.sampled_from(("Post", "Visitors")),
        then=PAUSES,
    )
    def change_point(self, which: int, known: bool, fallback_a: float, name: str, then: float) -> None:
        post = self._socket(which)[0]
        happenings.change_point(self.world, post, known=known, fallback_a=fallback_a, name=name)
        self._pass(then)

    @rule(which=WHICH, then=PAUSES)
    def remove_or_add(self, which: int, then: float) -> None:
        post = self._socket(which)[0]
        if post.name in self.world.removed_at:
            happenings.add_point(self.world, post)
        else:
            happenings.remove_point(self.world, post)
        self._pass(then)

    @rule(which=WHICH, regroup=st.booleans(), then=PAUSES)
    def rebuild(self, which: int, regroup: bool, then: float) -> None:
        if regroup:
            happenings.regroup(self.world, self._socket(which)[0])
        else:
            happenings.toggle_meter(self.world, self._circuit(which))
        self._pass(then)

    @rule(seconds=st.sampled_from((0.5, 4.0, 15.0)), host_too=st.booleans(), memory=MEMORIES, then=PAUSES)
    def outage(self, seconds: float, host_too: bool, memory: int | None, then: float) -> None:
        happenings.outage(self.world, seconds, host_too=host_too, memory=memory)
        self._pass(then)

    @rule(away_s=st.sampled_from((2.0, 8.0, 20.0, 45.0)), orderly=st.booleans(), memory=MEMORIES, then=PAUSES)
    def restart(self, away_s: float, orderly: bool, memory: int | None, then: float) -> None:
        happenings.restart(self.world, away_s, orderly=orderly, memory=memory)
        self._pass(then)

    @rule(which=st.integers(-1, 7), seconds=st.sampled_from((60.0, -60.0, 3600.0, -5.0)), then=PAUSES)
    def step_clock(self, which: int, seconds: float, then: float) -> None:
        if which < 0:
            self.world.at_once(happenings.step_host_clock, seconds)
        else:
            self.world.at_once(happenings.step_post_clock, self._socket(which)[0], seconds)
        self._pass(then)

    @precondition(lambda self: self.world.loop.time() > 1400.0 and not self.world.totals_deaths)
    @rule(power_cycle=st.booleans(), memory=MEMORIES)
    def everything_dies(self, power_cycle: bool, memory: int | None) -> None:
        happenings.everything_dies(self.world, power_cycle=power_cycle, memory=memory)
        self._pass(10.0)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        TOTALS.examples += 1
        TOTALS.seconds += self.world.loop.time() - 1000.0
        TOTALS.orders += self.world.orders
        TOTALS.over_s += self.world.judge.over_s
        TOTALS.deaths += self.world.totals_deaths
        self.world.end()


class AttackOnService(Attack):
    """The same, and once in a story all is made well and the service is judged: promises 2, 5 and 6."""

    # Who goes first by arrival or by need has others wait longer than turns of the same length.
    sharing_rules = (None, SharingRule.EQUAL)

    @precondition(lambda self: self.world.loop.time() > 1300.0 and not self.calmed)
    @rule(away_s=st.sampled_from((0.0, 6.0, 12.0)))
    def calm(self, away_s: float) -> None:
        self.calmed = True
        service.calm(self.world, away_s)
        TOTALS.calms += 1
        self._pass(0.5)


MACHINES = (Attack, Attack, Attack, AttackOnService)
"""By part, in turn. Calm takes its time, so that one part in four judges the service."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Cut what is to be run into parts that several processes can take."""
    if "part" in metafunc.fixturenames:
        steps = _wanted_steps(metafunc.config)
        parts = len(MACHINES) * max(1, round(steps / len(MACHINES) / STEPS_OF_A_PART))
        metafunc.parametrize(("part", "wanted"), [(part, steps // parts) for part in range(parts)], ids=range(parts))


def _wanted_steps(config: pytest.Config) -> int:
    long = config.option.markexpr == ""
    return int(os.environ.get(STEPS_VARIABLE, LONG_STEPS if long else STEPS))


@pytest.mark.timeout(0)
def test_anything_may_happen_in_any_order(
    part: int,
    wanted: int,
    record_property: Callable[[str, object], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR, logger="custom_components.charge_cluster")
    name = os.environ.get(SEED_VARIABLE, "charge cluster")
    before, rounds = replace(TOTALS), 0
    try:
        while (missing := wanted - TOTALS.steps + before.steps) > 0:
            # Hypothesis ends a round when it likes; what was truly run is counted.
            stories = min(STORIES_OF_A_ROUND, -(-missing // STEPS_OF_A_STORY))
            search = seed(f"{name} {part} {rounds}")(MACHINES[part % len(MACHINES)])
            run_state_machine_as_test(search, settings=settings(SEARCH, max_examples=stories))
            rounds += 1
    finally:
        # What a part that failed has run counts as well.
        record(TOTALS, before, record_property)
    assert TOTALS.steps - before.steps >= wanted
