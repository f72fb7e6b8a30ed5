"""What the planner is given: room in each slot, and vehicles that are only expected."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.guard import DrawBound
from custom_components.charge_cluster.engine.tariff import Grid
from custom_components.charge_cluster.site.connector import ConnectorState
from custom_components.charge_cluster.site.foresight import ExpectedStay, PastStay
from custom_components.charge_cluster.site.plan import Aim, Said
from custom_components.charge_cluster.site.plan_task import (
    MOST_PAUSES,
    Situation,
    expected_sessions,
    filled,
    later_costs,
    lost_costs,
    pauses,
    planned_session,
    take_fallbacks,
)
from tests.engine.sites import a_connector, a_stage
from tests.site.physical import a_site
from tests.virtual_time import START_WALL, VirtualLoop

WEEK_S = 7 * 86_400.0
HOUR_S = 3600.0
GRID = Grid(START_WALL, 900.0, 96)


def test_what_an_hour_costs_that_is_not_known_is_the_mean() -> None:
    assert filled((1.0, None, 3.0)) == (1.0, 2.0, 3.0)
    assert filled((None, None)) is None


def test_what_is_lost_is_as_dear_in_any_currency() -> None:
    euros = [0.05, 0.2, 0.275]
    assert lost_costs(euros) == pytest.approx(0.6, abs=0.02)
    assert lost_costs([160.0 * each for each in euros]) == pytest.approx(160.0 * lost_costs(euros))
    assert lost_costs([-0.1, 0.1]) > 0.0


def test_what_is_put_off_is_as_dear_in_any_currency() -> None:
    euros = [0.05, 0.2, 0.275]
    assert later_costs(euros) == pytest.approx(0.002, abs=0.0001)
    assert later_costs([160.0 * each for each in euros]) == pytest.approx(160.0 * later_costs(euros))
    assert later_costs([-0.1, 0.1]) > 0.0


@given(
    cost=st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=96, max_size=96),
    wanted_wh=st.floats(0.0, 40_000.0),
    leave_h=st.floats(0.5, 23.0),
    now_s=st.floats(0.0, 899.0),
)
def test_who_pauses_by_itself_has_what_it_wants_or_does_not_pause(
    cost: list[float], wanted_wh: float, leave_h: float, now_s: float
) -> None:
    now, leave_at, power_w = START_WALL + now_s, START_WALL + leave_h * HOUR_S, 4140.0
    found = pauses(GRID, cost, now, leave_at, wanted_wh, power_w, None)
    assert len(found) <= MOST_PAUSES
    assert all(start < end <= leave_at for start, end in found)
    assert all(first[1] < second[0] for first, second in pairwise(found))
    paused_s = sum(max(0.0, end - max(start, now)) for start, end in found)
    had_wh = power_w * (leave_at - now - paused_s) / HOUR_S
    assert had_wh >= min(wanted_wh, power_w * max(0.0, leave_at - now) / HOUR_S) - 1.0


def test_who_has_nothing_by_itself_pauses_for_nobody() -> None:
    assert pauses(GRID, [0.1] * 96, START_WALL, START_WALL + HOUR_S, 1000.0, 0.0, None) == ()


def test_off_peak_hours_go_first_by_itself_as_well() -> None:
    only_in = [index >= 8 for index in range(96)]
    (pause,) = pauses(GRID, [0.1] * 96, START_WALL, START_WALL + 4 * HOUR_S, 8000.0, 4000.0, only_in)
    assert pause == (START_WALL, START_WALL + 2 * HOUR_S)


def test_who_came_on_the_same_weekdays_is_expected_in_the_mean() -> None:
    site = a_site(VirtualLoop(), 1)
    foresight, now = site.site.foresight, START_WALL
    came = [now + HOUR_S - week * WEEK_S for week in (1, 2, 3, 4, 5)]
    foresight.remember(
        PastStay(key="p1/1", started_at=at, ended_at=at + 2 * HOUR_S, energy_wh=8000.0) for at in reversed(came)
    )
    stays = foresight.expected_arrivals(now, now + 86_400.0)
    # Five weeks ago is too long ago.
    assert [(stay.arrive_at, stay.leave_at, stay.weight) for stay in stays] == [
        (now + HOUR_S, now + 3 * HOUR_S, 0.25)
    ] * 4
    assert foresight.expected_arrivals(now, now + 1800.0) == []
    site.loop.close()


def test_what_was_seen_of_one_week_only_counts_in_full() -> None:
    site = a_site(VirtualLoop(), 1)
    at = START_WALL + HOUR_S - WEEK_S
    site.site.foresight.remember([PastStay(key="p1/1", started_at=at, ended_at=at + HOUR_S, energy_wh=8000.0)])
    (stay,) = site.site.foresight.expected_arrivals(START_WALL, START_WALL + 86_400.0)
    assert stay.weight == 1.0
    site.loop.close()


def test_those_of_an_hour_that_stand_alike_are_one_and_a_connector_is_taken_once() -> None:
    stage = a_stage(a_connector("c1"), a_connector("c2"), a_connector("c3"))
    stage.run(1)
    assert stage.decision is not None
    situation = Situation(stage.site, {}, stage.decision, {}, START_WALL)
    stays = [
        ExpectedStay(
            key=key,
            arrive_at=START_WALL + 2 * HOUR_S + minutes * 60.0,
            leave_at=START_WALL + 8 * HOUR_S,
            energy_wh=8000.0,
            weight=0.25,
        )
        for key in ("c1", "c2", "c3", "gone")
        for minutes in (5.0, 10.0)
    ]
    (group,) = expected_sessions(stays, situation, GRID, {"c3": START_WALL + 3 * HOUR_S})
    assert group.wanted_wh == pytest.approx(4 * 2000.0)
    assert group.maximum_a == pytest.approx(4 * 8.0)
    assert (group.ready_at, group.leave_at) == (START_WALL + 2 * HOUR_S, START_WALL + 8 * HOUR_S)


def test_what_passes_keep_for_fallbacks_is_not_planned_with() -> None:
    stage = a_stage(*(a_connector(key, fallback_a=6.0) for key in ("c1", "c2", "c3")))
    stage.run(1)
    assert stage.decision is not None
    states = {
        key: ConnectorState(
            connector=connector, charge_point_id=key, number=1, bound=DrawBound(held_a=6.0, fallback_a=fallback_a)
        )
        for (key, connector), fallback_a in zip(stage.site.connectors.items(), (6.0, 6.0, 0.0), strict=True)
    }
    situation = Situation(stage.site, states, stage.decision, {}, START_WALL)
    free_a = {circuit_id: [(40.0, 40.0, 5.0)] * GRID.count for circuit_id in stage.site.circuits}
    take_fallbacks(free_a, situation, {"c2"})
    for free in free_a.values():
        assert free == [(28.0, 28.0, 0.0)] * GRID.count
    aim = Aim(leave_at=START_WALL + HOUR_S, leave_by=Said.DRIVER, remaining_wh=1000.0, remaining_by=Said.DRIVER)
    kept = [planned_session(state, situation, aim, GRID, taken_wh=0.0, delay_s=0.0).kept_a for state in states.values()]
    assert kept == [6.0, 6.0, 0.0]
