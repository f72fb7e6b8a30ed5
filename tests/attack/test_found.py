"""What the attack found, each as the shortest story that shows it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from custom_components.charge_cluster.engine import guard
from custom_components.charge_cluster.engine.model import Connector
from custom_components.charge_cluster.site.settings import ConnectorWish
from tests.site.physical import PhysicalSite, a_site
from tests.virtual_time import VirtualLoop, run_virtually


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def play(physical: PhysicalSite, story: Callable[[PhysicalSite], Awaitable[None]]) -> None:
    async def whole() -> None:
        await physical.start()
        await story(physical)
        await physical.site.stop()

    run_virtually(whole(), physical.loop)


def test_a_charge_point_that_answers_slowly_rises_and_stays(loop: VirtualLoop) -> None:
    """Every raise was taken back a second later because its answer was not there yet, and given again, for ever."""

    async def story(site: PhysicalSite) -> None:
        for charger in site.chargers.values():
            charger.answer_after_s = 2.5
        await site.run(5)
        site.plug("P1", maximum_a=32.0)
        site.plug("P2", maximum_a=32.0)
        await site.run(150)
        assert site.limits() == [32.0, 32.0]
        before = len(site.notebook.orders)
        await site.run(120)
        assert site.limits() == [32.0, 32.0]
        assert len(site.notebook.orders) == before

    play(a_site(loop, 2), story)


def test_a_renewal_that_is_answered_slowly_takes_nothing_away(loop: VirtualLoop) -> None:
    """A call that would change nothing made a car fall to its minimum when its answer took more than a second."""

    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=32.0)
        await site.run(120)
        assert site.limits() == [32.0]
        site.chargers["P1"].answer_after_s = 2.5
        before = len(site.notebook.orders)

        def watch() -> None:
            assert site.truth.outlets["P1"].drawn[0] == 32.0

        await site.run(60, watch)
        assert len(site.notebook.orders) == before

    play(a_site(loop, 1), story)


def test_a_fallback_is_reserved_once_where_places_are_given(loop: VirtualLoop) -> None:
    """What a candidate reserves was taken from the room twice, so that another waited though its minimum fitted."""
    physical = a_site(loop, 3, supply_a=32.0, base_load_a=10.0, declared_a=10.0, fallback_a=6.0)
    first, second, third = physical.settings.charge_points
    physical.settings = replace(physical.settings, charge_points=(first, replace(second, fallback_a=0.0), third))
    physical.site = physical._site()

    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=32.0)
        site.plug("P2", maximum_a=32.0)
        await site.run(120)
        # 32 A − 2 A − 10 A = 20 A: the fallback of the empty P3 and the minima of the others fit.
        assert min(site.truth.outlets[name].drawn[0] for name in ("P1", "P2")) >= 6.0
        assert site.above_s() == 0.0

    play(physical, story)


def test_a_fallback_that_was_refused_is_stored_again(loop: VirtualLoop) -> None:
    """Nobody asked again, so that the connector counted at 32 A for ever and nobody could charge."""

    async def story(site: PhysicalSite) -> None:
        site.chargers["P2"].refuses_fallback = True
        await site.run(5)
        site.chargers["P2"].refuses_fallback = False
        site.plug("P1", maximum_a=32.0)
        await site.run(120)
        assert site.site.connectors["p2/1"].fallback_confirmed
        assert site.truth.outlets["P1"].drawn[0] >= 6.0

    play(a_site(loop, 2, supply_a=40.0, base_load_a=10.0, declared_a=10.0), story)


def test_a_limit_that_ends_in_a_fallback_of_before_is_renewed(loop: VirtualLoop) -> None:
    """A limit of 0 A ended in 6 A: the fallback became 0 A, it was not renewed, and 6 A flowed that nobody counted."""

    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=32.0)
        site.site.wish("p1/1", ConnectorWish(enabled=False))
        await site.run(60)
        assert site.truth.outlets["P1"].drawn[0] == 0.0
        first, *others = site.settings.charge_points
        await site.site.apply(replace(site.settings, charge_points=(replace(first, fallback_a=0.0), *others)))

        def watch() -> None:
            assert site.truth.outlets["P1"].drawn[0] == 0.0

        await site.run(90, watch)

    play(a_site(loop, 2, fallback_a=6.0, declared_a=40.0), story)


def test_what_was_promised_to_an_idle_connector_counts_when_its_transaction_begins() -> None:
    """The charger is told the promise anew for the transaction, while the site counted the fallback alone."""
    connector = Connector(connector_id="a", circuit_id="supply", rotation=(0, 1, 2))
    bound = guard.went_online(guard.unknown_bound(connector), connector, 0.0)
    bound = guard.idle(guard.fallback_stored(bound, 0.0, idle=True, now=0.0), 0.0)
    bound = guard.accepted(guard.sent(bound, 16.0, 10.0), 16.0, 10.0, 45.0)
    began = guard.transaction_began(bound, connector, 30.0)
    assert guard.undecided(began)
    # The car has not followed yet: a sample of nothing proves nothing.
    began = guard.measured(began, connector, (0.0, 0.0, 0.0), 31.0, 31.0)
    assert guard.worst_case_a(connector, began) == 16.0
    answered = guard.accepted(guard.sent(began, 6.0, 32.0), 6.0, 32.5, 67.0)
    assert not answered.in_flight


def test_a_promise_that_has_run_out_does_not_count() -> None:
    connector = Connector(connector_id="a", circuit_id="supply", rotation=(0, 1, 2))
    bound = guard.went_online(guard.unknown_bound(connector), connector, 0.0)
    bound = guard.idle(guard.fallback_stored(bound, 0.0, idle=True, now=0.0), 0.0)
    bound = guard.accepted(guard.sent(bound, 16.0, 10.0), 16.0, 10.0, 45.0)
    assert not guard.transaction_began(bound, connector, 60.0).in_flight


def test_a_raise_whose_answer_was_lost_is_not_forgotten_with_the_connection(loop: VirtualLoop) -> None:
    """The limit before it was the fallback, which had run out long ago: so the raise was taken to have run out too."""

    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=32.0)
        site.plug("P2", maximum_a=32.0)
        await site.run(60)
        site.site.wish("p1/1", ConnectorWish(enabled=False))
        await site.run(120)
        site.site.wish("p2/1", ConnectorWish(cap_a=6.0))
        await site.run(40)
        site.chargers["P1"].loses_answers = True
        site.site.wish("p1/1", ConnectorWish())
        await site.run(1)
        assert site.truth.outlets["P1"].offered_a > 6.0
        site.chargers["P1"].lose_connection()
        site.site.wish("p2/1", ConnectorWish())

        def watch() -> None:
            assert site.truth.amps("supply")[0] <= 32.0

        await site.run(60, watch)

    play(a_site(loop, 2, supply_a=32.0, base_load_a=10.0, declared_a=10.0), story)


def test_a_higher_fallback_waits_until_there_is_room_for_it(loop: VirtualLoop) -> None:
    """A limit of 0 A had run out into 0 A; the new fallback was a raise to 6 A as soon as it was stored."""

    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        for name in ("P1", "P2", "P3"):
            site.plug(name, maximum_a=32.0)
        site.site.wish("p1/1", ConnectorWish(enabled=False))
        await site.run(120)
        assert [site.truth.outlets[name].drawn[0] for name in ("P1", "P2", "P3")] == [0.0, 10.0, 10.0]
        first, *others = site.settings.charge_points
        await site.site.apply(replace(site.settings, charge_points=(replace(first, fallback_a=6.0), *others)))

        def watch() -> None:
            assert site.truth.amps("supply")[0] <= 32.0

        await site.run(60, watch)
        assert site.site.connectors["p1/1"].fallback_confirmed
        assert min(site.truth.outlets[name].drawn[0] for name in ("P2", "P3")) == 7.0

    play(a_site(loop, 3, supply_a=32.0, base_load_a=10.0, declared_a=10.0), story)


def test_a_kill_makes_no_raise_of_an_old_limit(loop: VirtualLoop) -> None:
    """What was written last let the first one draw 16 A; what came down since was given to the other."""

    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=32.0)
        await site.run(120)
        old = dict(site.notebook.bounds)
        site.plug("P2", maximum_a=32.0)
        await site.run(120)
        drawn = [site.truth.outlets[name].drawn[0] for name in ("P1", "P2")]
        assert drawn[0] < (old["p1/1"].limit_a or 0.0)

        def watch() -> None:
            assert site.truth.amps("supply")[0] <= 40.0
            # Nobody pays for it either: who is told anything is told what it draws.
            assert min(site.truth.outlets[name].drawn[0] for name in ("P1", "P2")) >= 6.0

        await site.restart(8, memory=old)
        await site.run(120, watch)
        assert [site.truth.outlets[name].drawn[0] for name in ("P1", "P2")] == drawn

    play(a_site(loop, 2, supply_a=40.0, base_load_a=10.0, declared_a=10.0), story)


def test_a_restart_takes_nothing_from_the_neighbours_of_a_modest_car(loop: VirtualLoop) -> None:
    """Promise 6: the modest car counts as hungry again, and the others give way to it."""

    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=8.0)
        site.plug("P2", maximum_a=32.0)
        await site.run(240)
        before = site.truth.outlets["P2"].drawn[0]
        least = before

        def watch() -> None:
            nonlocal least
            least = min(least, site.truth.outlets["P2"].drawn[0])

        await site.restart(8)
        await site.run(60, watch)
        assert least >= before

    play(a_site(loop, 2, supply_a=40.0, base_load_a=10.0, declared_a=10.0), story)


def test_who_loses_its_answers_is_not_called_back_to_its_minimum_where_nothing_fits(loop: VirtualLoop) -> None:
    """Told to pause without an answer, it was asked for its minimum next, though more flowed than may already."""

    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=32.0)
        site.plug("P2", maximum_a=32.0)
        await site.run(120)
        drawn = site.truth.outlets["P1"].drawn
        assert drawn[0] >= 6.0
        site.chargers["P1"].loses_answers = True
        site.chargers["P2"].ignores = True
        site.truth.set_base_load("supply", (36.0,) * 3)
        await site.run(60)

        def watch() -> None:
            assert site.truth.outlets["P1"].drawn[0] == 0.0

        await site.run(180, watch)
        # As soon as what it counts at fits, it is charged again though nobody hears its answers.
        site.chargers["P2"].ignores = False
        site.truth.set_base_load("supply", (4.0,) * 3)
        await site.run(120)
        assert site.truth.outlets["P1"].drawn[0] >= 6.0

    play(a_site(loop, 2, supply_a=40.0, base_load_a=10.0, declared_a=10.0), story)


def test_who_ran_wild_and_is_not_heard_of_any_more_may_still_draw_when_its_limit_has_run_out(loop: VirtualLoop) -> None:
    """Its draw was taken out of the base load as if it still flowed, and counted as nothing as if it had stopped."""

    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=32.0)
        site.plug("P2", maximum_a=32.0)
        await site.run(120)
        site.chargers["P2"].ignores = True
        await site.run(60)
        assert site.truth.outlets["P1"].drawn[0] == 0.0
        site.chargers["P2"].lose_connection()

        def watch() -> None:
            assert site.truth.outlets["P1"].drawn[0] == 0.0

        await site.run(120, watch)

    play(a_site(loop, 2, supply_a=28.0, base_load_a=0.0, declared_a=0.0, fallback_a=0.0), story)


def test_a_fallback_that_is_raised_while_we_are_away_waits_for_room(loop: VirtualLoop) -> None:
    """Killed, the site stored the configured 6 A again where 0 A was stored, beside others that drew all there was."""

    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        for name in ("P1", "P2", "P3"):
            site.plug(name, maximum_a=32.0)
        site.site.wish("p1/1", ConnectorWish(enabled=False))
        await site.run(120)
        first, *others = site.settings.charge_points
        site.settings = replace(site.settings, charge_points=(replace(first, fallback_a=6.0), *others))

        def watch() -> None:
            assert site.truth.amps("supply")[0] <= 32.0

        await site.restart(8, memory=dict(site.notebook.bounds))
        await site.run(120, watch)
        assert site.site.connectors["p1/1"].fallback_confirmed

    play(a_site(loop, 3, supply_a=32.0, base_load_a=10.0, declared_a=10.0), story)
