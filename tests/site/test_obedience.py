"""A charger that draws more than it accepted, in a site that runs in virtual time: others, repairs and records."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from custom_components.charge_cluster.chargers import LimitOutcome, Quirk, QuirkShown
from custom_components.charge_cluster.engine.model import Reason
from custom_components.charge_cluster.site.problems import Problem, ProblemKey
from custom_components.charge_cluster.site.settings import ConnectorWish
from tests.virtual_time import VirtualLoop, run_virtually

from .physical import PhysicalSite, a_site

NOTICED_WITHIN_S = 30.0
CAR_S = 15.0


def play(site: PhysicalSite, story: Callable[[PhysicalSite], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        await site.start()
        try:
            await story(site)
        finally:
            await site.site.stop()

    run_virtually(whole(), site.loop)


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def a_full_site(loop: VirtualLoop) -> PhysicalSite:
    """Return a site on which three cars share what 20 A of base load leave of 80 A."""
    return a_site(loop, 3, supply_a=80.0, declared_a=40.0)


async def settled(site: PhysicalSite, *, sample_every_s: float = 10.0) -> None:
    for charger in site.chargers.values():
        charger.sample_every_s = sample_every_s
    await site.run(5)
    for identity in site.chargers:
        site.plug(identity, maximum_a=32.0)
    await site.run(150 + 4 * sample_every_s)


def problem(site: PhysicalSite, key: ProblemKey) -> Problem | None:
    return next((found for found in site.site.problems() if found.key is key), None)


@pytest.mark.parametrize("sample_every_s", [2.0, 10.0, 30.0, 60.0])
def test_the_others_pay_in_time_and_a_person_is_called_after_another_form(
    loop: VirtualLoop, sample_every_s: float
) -> None:
    async def story(site: PhysicalSite) -> None:
        await settled(site, sample_every_s=sample_every_s)
        wild = site.chargers["P1"]
        wild.ignores = True
        calls = 0

        def watch() -> None:
            nonlocal calls
            if problem(site, ProblemKey.LIMIT_IGNORED) is not None:
                calls += 1
                assert wild.forms >= 1
            for key in ("p2/1", "p3/1"):
                assert site.site.connectors[key].limit_a >= 6.0

        noticed_s = max(NOTICED_WITHIN_S, 2 * sample_every_s)
        await site.run(noticed_s + 1.0, watch)
        assert site.site.connectors["p1/1"].reason is Reason.LIMIT_IGNORED
        await site.run(CAR_S, watch)
        above_s = site.above_s()
        await site.run(4 * noticed_s + 60, watch)
        assert site.above_s() == above_s
        assert calls > 0
        raised = problem(site, ProblemKey.LIMIT_IGNORED)
        assert raised is not None
        assert raised.subject == "p1/1"
        assert raised.placeholders["charge_point"] == "P1"
        assert raised.placeholders["drawn"] == "32"
        assert raised.placeholders["limit"] == "6"
        assert raised.placeholders["since"].endswith(" UTC")

    play(a_full_site(loop), story)


def test_nobody_is_called_where_the_second_form_is_obeyed(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await settled(site)
        wild = site.chargers["P1"]
        wild.ignores, wild.obeys_form = True, 1

        def watch() -> None:
            assert problem(site, ProblemKey.LIMIT_IGNORED) is None

        await site.run(240, watch)
        assert wild.forms == 1
        assert site.site.connectors["p1/1"].reason is Reason.SHARED
        drawn = [site.truth.outlets[key].drawn[0] for key in ("P1", "P2", "P3")]
        assert sum(drawn) == pytest.approx(56.0)
        assert max(drawn) - min(drawn) <= 1.0

    play(a_full_site(loop), story)


def test_the_repair_goes_by_itself_when_it_obeys(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await settled(site)
        site.chargers["P1"].ignores = True
        await site.run(150)
        assert problem(site, ProblemKey.LIMIT_IGNORED) is not None
        site.chargers["P1"].ignores = False
        await site.run(45)
        assert problem(site, ProblemKey.LIMIT_IGNORED) is None

    play(a_full_site(loop), story)


def test_a_reduction_is_seen_when_it_was_measured(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await settled(site)
        site.notebook.seen.clear()
        site.site.wish("p1/1", ConnectorWish(cap_a=10.0))
        await site.run(1)
        key, before_a, ordered_a, outcome = next(
            order for order in reversed(site.notebook.orders) if order[0] == "p1/1"
        )
        assert (ordered_a < before_a, outcome) == (True, LimitOutcome.ACCEPTED)
        assert not any(told[0] == key for told in site.notebook.seen)
        await site.run(30)
        seen = [told for told in site.notebook.seen if told[0] == "p1/1"]
        assert seen == [("p1/1", ordered_a, ordered_a)]
        await site.run(60)
        assert [told for told in site.notebook.seen if told[0] == "p1/1"] == seen

    play(a_full_site(loop), story)


def test_what_is_ignored_is_never_seen(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await settled(site)
        site.chargers["P1"].ignores = True
        await site.run(5)
        site.notebook.seen.clear()
        site.site.wish("p1/1", ConnectorWish(cap_a=10.0))
        await site.run(120)
        assert [told for told in site.notebook.seen if told[0] == "p1/1"] == []

    play(a_full_site(loop), story)


def test_something_else_that_sets_limits_is_told(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        for charger in site.chargers.values():
            charger.reports_offer = True
        await settled(site)
        assert problem(site, ProblemKey.FOREIGN_LIMIT) is None
        site.chargers["P1"].foreign_a = 8.0
        await site.run(90)
        told = problem(site, ProblemKey.FOREIGN_LIMIT)
        assert told is not None
        assert (told.subject, told.placeholders["offered"]) == ("p1/1", "8")
        assert problem(site, ProblemKey.LIMIT_IGNORED) is None
        site.chargers["P1"].foreign_a = 32.0
        await site.run(60)
        assert problem(site, ProblemKey.FOREIGN_LIMIT) is None

    play(a_full_site(loop), story)


def test_a_connector_that_draws_on_more_phases_than_it_is_said_to_have_is_told(loop: VirtualLoop) -> None:
    physical = a_site(loop, 1)
    [point] = physical.settings.charge_points
    one_phase = tuple(replace(connector, rotation=(0,)) for connector in point.connectors)
    physical.settings = replace(physical.settings, charge_points=(replace(point, connectors=one_phase),))
    physical.site = physical._site()

    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=16.0, phases=1)
        await site.run(60)
        assert problem(site, ProblemKey.MORE_PHASES) is None
        site.unplug("P1")
        await site.run(30)
        site.plug("P1", maximum_a=16.0, phases=3)
        await site.run(60)
        told = problem(site, ProblemKey.MORE_PHASES)
        assert told is not None
        assert (told.subject, told.placeholders["beyond"]) == ("p1/1", "16")
        # The meter sees it: nobody is given that current.
        base = site.site.circuits["supply"].base_load_a
        assert base is not None
        assert base[1] >= 36.0
        site.unplug("P1")
        await site.run(30)
        site.plug("P1", maximum_a=16.0, phases=1)
        await site.run(60)
        assert problem(site, ProblemKey.MORE_PHASES) is None

    play(physical, story)


def test_the_log_tells_what_was_in_force_before_also_of_one_that_ignores(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await settled(site)
        site.chargers["P1"].ignores = True
        await site.run(200)
        accepted = [order for order in site.notebook.orders if order[0] == "p1/1" and order[3] is LimitOutcome.ACCEPTED]
        assert all(before == earlier[2] for earlier, (_, before, _, _) in pairwise(accepted[1:]))

    play(a_full_site(loop), story)


@pytest.mark.parametrize(
    ("quirk", "key"),
    [
        (Quirk.ZERO_ENDS_TRANSACTIONS, ProblemKey.ZERO_ENDS_TRANSACTIONS),
        (Quirk.LIMITS_WITHOUT_END, ProblemKey.LIMIT_WITHOUT_END),
        (Quirk.FOREIGN_PROFILE, ProblemKey.FOREIGN_PROFILE),
    ],
)
def test_a_quirk_is_told_as_long_as_it_is_there(loop: VirtualLoop, quirk: Quirk, key: ProblemKey) -> None:
    async def story(site: PhysicalSite) -> None:
        await settled(site)
        site.chargers["P1"].report(QuirkShown(connector=1, quirk=quirk))
        await site.run(2)
        told = problem(site, key)
        assert told is not None
        assert told.subject == "p1/1"
        site.chargers["P1"].report(QuirkShown(connector=1, quirk=quirk, gone=True))
        await site.run(2)
        assert problem(site, key) is None

    play(a_full_site(loop), story)
