"""Stories of a whole site in virtual time, judged by the physical truth."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from custom_components.charge_cluster.chargers import LimitOutcome
from custom_components.charge_cluster.engine.model import Reason
from custom_components.charge_cluster.meters import FaultKey
from custom_components.charge_cluster.site.proof import SettingsError
from custom_components.charge_cluster.site.settings import ConnectorWish
from tests.site.physical import PhysicalSite, a_charge_point, a_site
from tests.virtual_time import VirtualLoop, run_virtually

REACTION_S = 20.0
"""Meter, pass, wire, charger and car together; what a base-load jump may exceed a rating for."""


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def play(physical: PhysicalSite, story: Callable[[PhysicalSite], Awaitable[None]]) -> None:
    async def whole() -> None:
        await physical.start()
        await story(physical)
        await physical.site.stop()

    run_virtually(whole(), physical.loop)


def test_eight_cars_share_the_supply_and_never_exceed_it(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        for index in range(8):
            site.plug(f"P{index + 1}", maximum_a=32.0)
        await site.run(240)
        assert site.above_s() == 0.0
        # 100 A − 5 A margin − 20 A base load = 75 A for eight equal cars.
        assert all(8.0 <= limit <= 10.0 for limit in site.limits())
        assert sum(site.limits()) == pytest.approx(75.0, abs=1.0)

    play(a_site(loop, 8), story)


def test_a_base_load_step_exceeds_for_no_longer_than_the_reaction_time(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        for index in range(8):
            site.plug(f"P{index + 1}", maximum_a=32.0)
        await site.run(240)
        site.truth.set_base_load("supply", (45.0, 45.0, 45.0))
        await site.run(240)
        assert 0.0 < site.above_s() <= REACTION_S
        assert max(site.truth.amps("supply")) <= 95.5
        assert all(limit >= 6.0 for limit in site.limits())

    play(a_site(loop, 8), story)


def test_a_dead_meter_leaves_what_the_declared_base_load_leaves(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        for index in range(4):
            site.plug(f"P{index + 1}", maximum_a=32.0)
        await site.run(240)
        assert sum(site.limits()) > 70.0
        site.meters["supply"].silent = True
        await site.run(30)
        assert site.stale()
        assert sum(site.limits()) <= 35.0
        site.meters["supply"].silent = False
        await site.run(120)
        assert not site.stale()
        assert sum(site.limits()) > 70.0
        assert site.above_s() == 0.0

    play(a_site(loop, 4), story)


def test_without_a_declared_base_load_a_dead_meter_stops_charging(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=32.0)
        await site.run(120)
        assert site.limits()[0] == 32.0
        site.meters["supply"].fail(FaultKey.NOT_A_NUMBER)
        site.meters["supply"].silent = True
        await site.run(10)
        view = site.site.connectors["p1/1"]
        assert view.limit_a == 0.0
        assert view.reason is Reason.METER_STALE

    play(a_site(loop, 2, declared_a=None), story)


def test_a_charger_that_is_cut_off_goes_to_its_fallback_and_the_others_get_the_rest(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        for index in range(3):
            site.plug(f"P{index + 1}", maximum_a=32.0)
        await site.run(240)
        before = site.site.connectors["p2/1"].limit_a
        site.chargers["P1"].lose_connection()
        await site.run(10)
        assert site.site.connectors["p1/1"].reason is Reason.OFFLINE
        assert site.site.connectors["p2/1"].limit_a == before
        await site.run(120)
        assert site.truth.outlets["P1"].drawn[0] == 6.0
        assert site.site.connectors["p2/1"].limit_a > before
        site.chargers["P1"].reconnect()
        await site.run(200)
        assert site.site.connectors["p1/1"].limit_a == pytest.approx(before, abs=1.0)
        assert site.above_s() == 0.0

    play(a_site(loop, 3, supply_a=80.0, fallback_a=6.0, declared_a=50.0), story)


def test_every_order_is_recorded_with_the_limit_that_was_in_force_before(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=32.0)
        await site.run(60)
        site.chargers["P1"].refuses = True
        site.truth.set_base_load("supply", (75.0, 75.0, 75.0))
        await site.run(30)
        site.chargers["P1"].refuses = False
        await site.run(60)
        in_force = 0.0  # the fallback
        for _, before_a, amps, outcome in site.notebook.orders:
            assert before_a == in_force
            in_force = amps if outcome is LimitOutcome.ACCEPTED else in_force
        assert {outcome for *_, outcome in site.notebook.orders} == {LimitOutcome.ACCEPTED, LimitOutcome.REFUSED}
        assert in_force == site.site.connectors["p1/1"].limit_a < 32.0

    play(a_site(loop, 1), story)


def test_places_rotate_when_the_minima_do_not_fit(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        for index in range(6):
            site.plug(f"P{index + 1}", maximum_a=32.0)
        await site.run(3 * 300 + 100)
        # 32 A − 2 A − 10 A = 20 A: three of six at a time, so everybody had a place after two turns.
        delivered = [outlet.register_wh for outlet in site.truth.outlets.values()]
        assert all(energy > 150.0 for energy in delivered), delivered
        waiting = [view for view in site.site.connectors.values() if view.reason is Reason.WAITING_TURN]
        assert len(waiting) == 3
        assert {view.queue_position for view in waiting} == {1, 2, 3}
        assert all(view.expected_at is not None for view in waiting)
        assert site.above_s() == 0.0

    play(a_site(loop, 6, supply_a=32.0, base_load_a=10.0, declared_a=10.0, on_time_s=300.0), story)


def test_a_restart_shorter_than_the_validity_changes_nothing_for_the_cars(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        for index in range(4):
            site.plug(f"P{index + 1}", maximum_a=32.0)
        await site.run(240)
        drawn = [site.truth.outlets[f"P{i + 1}"].drawn for i in range(4)]
        least = list(drawn)

        def watch() -> None:
            for i in range(4):
                least[i] = min(least[i], site.truth.outlets[f"P{i + 1}"].drawn)

        await site.site.stop()
        await site.run(8, watch)
        site.site = site._site()
        await site.site.start()
        await site.run(120, watch)
        assert least == drawn
        assert site.above_s() == 0.0

    play(a_site(loop, 4), story)


def test_a_charge_point_is_added_and_another_renamed_while_cars_charge(loop: VirtualLoop) -> None:
    physical = a_site(loop, 3)
    settings = physical.settings
    physical.settings = replace(settings, charge_points=settings.charge_points[:2])
    physical.site = physical._site()

    async def story(site: PhysicalSite) -> None:
        site.settings = replace(site.settings, charge_points=(*site.settings.charge_points, a_charge_point("P3")))
        await site.run(5)
        site.plug("P1", maximum_a=32.0)
        site.plug("P2", maximum_a=32.0)
        await site.run(120)
        renamed = replace(site.settings.charge_points[1], name="Visitors")
        first, _, third = site.settings.charge_points
        await site.site.apply(replace(site.settings, charge_points=(first, renamed, third)))
        await site.run(15)
        assert site.site.connectors["p1/1"].limit_a == 32.0
        assert site.site.connectors["p2/1"].limit_a == 32.0
        assert site.site.connectors["p3/1"].fallback_confirmed
        site.plug("P3", maximum_a=32.0)
        await site.run(120)
        assert site.limits() == [25.0, 25.0, 25.0]
        assert site.above_s() == 0.0

    play(physical, story)


def test_a_removed_charge_point_counts_until_its_limit_has_run_out(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=32.0)
        site.plug("P2", maximum_a=32.0)
        await site.run(120)
        before = site.site.connectors["p2/1"].limit_a
        await site.site.apply(replace(site.settings, charge_points=(site.settings.charge_points[1],)))
        await site.run(15)
        assert site.site.connectors["p2/1"].limit_a == before
        await site.run(120)
        assert site.site.connectors["p2/1"].limit_a > before
        assert "p1/1" not in site.site.connectors
        assert site.above_s() == 0.0

    play(a_site(loop, 2, supply_a=63.0, declared_a=40.0), story)


def test_impossible_settings_change_nothing(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        points = tuple(replace(point, fallback_a=16.0) for point in site.settings.charge_points)
        with pytest.raises(SettingsError) as refused:
            await site.site.apply(replace(site.settings, charge_points=points))
        fault = refused.value.faults[0]
        assert fault.key == "fallback_does_not_fit"
        assert fault.placeholders == {
            "fallback": "4 × 16 A",
            "base_load": "60",
            "rating": "100",
            "circuit": "Supply",
            "excess": "24",
        }
        assert site.site.settings is site.settings

    play(a_site(loop, 4), story)


def test_a_lost_answer_counts_and_the_limit_is_sent_again(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=32.0)
        await site.run(60)
        site.chargers["P1"].loses_answers = True
        site.site.wish("p1/1", ConnectorWish(cap_a=10.0))
        await site.run(3)
        assert site.site.connectors["p1/1"].worst_case_a == 32.0
        site.chargers["P1"].loses_answers = False
        await site.run(60)
        assert site.site.connectors["p1/1"].limit_a == 10.0
        assert site.site.connectors["p1/1"].worst_case_a == 10.0
        assert site.site.connectors["p1/1"].reason is Reason.USER_CAP

    play(a_site(loop, 1), story)


def test_a_charger_that_ignores_limits_is_counted_at_what_it_draws(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        for index in range(3):
            site.plug(f"P{index + 1}", maximum_a=32.0)
        await site.run(200)
        site.chargers["P1"].ignores = True
        await site.run(120)
        assert site.site.connectors["p1/1"].reason is Reason.LIMIT_IGNORED
        assert any(problem.key == "limit_ignored" for problem in site.site.problems())
        assert max(site.truth.amps("supply")) <= 80.0

    play(a_site(loop, 3, supply_a=80.0, declared_a=40.0), story)


def test_switching_off_stops_one_and_sessions_and_demand_are_recorded(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        await site.run(5)
        site.plug("P1", maximum_a=16.0)
        site.plug("P2", maximum_a=16.0)
        await site.run(120)
        site.site.wish("p1/1", ConnectorWish(enabled=False))
        await site.run(30)
        assert site.site.connectors["p1/1"].reason is Reason.SWITCHED_OFF
        assert site.truth.outlets["P1"].drawn == (0.0, 0.0, 0.0)
        assert site.site.connectors["p2/1"].limit_a >= 16.0
        site.unplug("P2")
        await site.run(120)
        kinds = [(event.key, event.kind) for event in site.told]
        assert kinds == [("p1/1", "started"), ("p2/1", "started"), ("p2/1", "ended")]
        assert site.told[-1].session.energy_wh > 200.0
        peaks = [peak for circuit, _, peak, _ in site.notebook.minutes if circuit == "supply"]
        assert max(peak[0] for peak in peaks) == pytest.approx(52.0, abs=1.0)

    play(a_site(loop, 2), story)
