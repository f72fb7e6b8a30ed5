"""Chargers that draw more than they accepted: noticed, counted, tried in another form, and left to a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from custom_components.charge_cluster.engine import guard, obedience
from custom_components.charge_cluster.engine.guard import Draw, DrawBound
from custom_components.charge_cluster.engine.model import Limit, Reason
from custom_components.charge_cluster.engine.obedience import FAITHFUL, Conduct, Obedience

from .closed_loop import STEP_S, Car, Stage
from .sites import a_circuit, a_connector, a_stage, all_phases, named

MOST_A = 32.0
SETTLED_S = 90.0


def stepping(low_a: float, high_a: float, at: float) -> object:
    return lambda now: all_phases(low_a if now < at else high_a)


def a_full_stage(count: int, *, interval_s: float = 10.0, base_a: float = 20.0) -> Stage:
    """Return a stage on which everybody charges and has settled."""
    stage = a_stage(*(a_connector(key) for key in named(count)), base_load=lambda _: all_phases(base_a))
    for place, key in enumerate(stage.chargers):
        stage.chargers[key].sample_every_s = interval_s
        stage.chargers[key].sample_offset_s = place * 0.7
        stage.plug(key, Car())
    stage.run(SETTLED_S + 2 * interval_s)
    return stage


def runs_wild(stage: Stage, key: str, amps: float = MOST_A) -> None:
    """Have a charger offer what it likes from now on, whatever it accepts."""
    charger = stage.chargers[key]
    charger.ignores = True
    charger.obey(amps, stage.now, float("inf"))


def conduct_of(stage: Stage, key: str) -> Conduct:
    return stage.memory.connectors[key].conduct


# In the loop --------------------------------------------------------------------------------------------------------


@given(
    interval_s=st.integers(1, 60).map(float),
    offset_s=st.integers(0, 60).map(float),
    amps=st.integers(24, 32).map(float),
)
@settings(max_examples=25, deadline=None)
def test_it_is_noticed_in_time_and_counted_whatever_its_sample_interval(
    interval_s: float, offset_s: float, amps: float
) -> None:
    stage = a_full_stage(4, interval_s=interval_s)
    stage.run(offset_s)
    runs_wild(stage, "c00", amps)
    bound_s = max(30.0, 2 * interval_s) + STEP_S

    took_s = stage.run_until(lambda: stage.reasons()["c00"] is Reason.LIMIT_IGNORED, within_s=bound_s)
    assert took_s <= bound_s
    # From now on the others are told to make room for what it draws, and each keeps its minimum.
    others = [amps_ for key, amps_ in stage.limits().items() if key != "c00"]
    assert sum(others) + amps + 20.0 <= 95.0 + 1e-6
    assert min(others) >= 6.0
    # A car has its time to follow.
    stage.run(guard.CAR_SETTLING_S + 1.0)
    stage.over_s.clear()
    for _ in range(400):
        stage.step()
        assert min(limit for key, limit in stage.limits().items() if key != "c00") >= 6.0
    assert not stage.over_s


@given(interval_s=st.integers(1, 60).map(float), obeys_form=st.sampled_from((1, 2, 3)))
@settings(max_examples=12, deadline=None)
def test_another_form_that_is_obeyed_ends_the_matter(interval_s: float, obeys_form: int) -> None:
    stage = a_full_stage(3, interval_s=interval_s)
    stage.chargers["c00"].obeys_form = obeys_form
    runs_wild(stage, "c00")
    seen: set[Obedience] = set()

    def settled() -> bool:
        if stage.memory.connectors:
            seen.add(conduct_of(stage, "c00").state)
        return stage.chargers["c00"].forms == obeys_form and stage.reasons()["c00"] is Reason.SHARED

    stage.run_until(settled, within_s=90 + obeys_form * (20 + 3 * interval_s))
    assert (Obedience.IGNORES in seen) is (obeys_form > 1)
    stage.run(60 + 3 * interval_s)
    assert stage.chargers["c00"].forms == obeys_form
    assert list(stage.drawn().values()) == [25.0] * 3
    assert conduct_of(stage, "c00").state is Obedience.OBEYS


def test_a_person_is_called_only_after_another_form_was_tried() -> None:
    stage = a_full_stage(3)
    runs_wild(stage, "c00")
    states: list[Obedience] = []
    for _ in range(round(300 / STEP_S)):
        stage.step()
        state = conduct_of(stage, "c00").state
        if not states or states[-1] is not state:
            states.append(state)
        assert state is not Obedience.IGNORES or stage.chargers["c00"].forms >= 1
    assert states == [Obedience.OBEYS, Obedience.SUSPECTED, Obedience.OTHER_FORM, Obedience.IGNORES]
    assert stage.chargers["c00"].forms == obedience.MOST_FORMS


def test_one_that_obeys_again_is_one_of_all_again() -> None:
    stage = a_full_stage(3)
    runs_wild(stage, "c00")
    stage.run(150)
    assert conduct_of(stage, "c00").state is Obedience.IGNORES
    stage.chargers["c00"].ignores = False
    stage.run_until(lambda: conduct_of(stage, "c00").state is Obedience.OBEYS, within_s=60)
    stage.run(90)
    assert list(stage.drawn().values()) == [25.0] * 3


def test_one_that_is_switched_off_and_draws_all_the_same_counts_at_what_it_draws() -> None:
    stage = a_full_stage(4)
    runs_wild(stage, "c00")
    stage.change("c00", enabled=False)
    stage.run_until(lambda: stage.reasons()["c00"] is Reason.LIMIT_IGNORED, within_s=30 + STEP_S)
    stage.run(guard.CAR_SETTLING_S + 1.0)
    stage.over_s.clear()
    stage.run(120)
    assert not stage.over_s
    assert stage.limits()["c00"] == 0.0
    assert min(stage.limits()[key] for key in ("c01", "c02", "c03")) >= 6.0


def test_a_vehicle_that_takes_less_is_no_fault() -> None:
    stage = a_full_stage(3)
    for key in stage.chargers:
        stage.chargers[key].car = replace(stage.chargers[key].car or Car(), takes_a=7.0)
    stage.run(200)
    assert all(conduct_of(stage, key) is FAITHFUL for key in stage.chargers)


def test_a_new_session_begins_without_suspicion() -> None:
    stage = a_full_stage(2)
    runs_wild(stage, "c00")
    stage.run(150)
    stage.unplug("c00")
    stage.chargers["c00"].ignores = False
    stage.run(20)
    stage.plug("c00", Car())
    stage.run(5)
    assert conduct_of(stage, "c00") is FAITHFUL


# Who pays for what takes the room of the fallbacks ------------------------------------------------------------------

TURN_S = 120.0


def a_stage_with_fallbacks(base_a: float, then_a: float, at: float) -> Stage:
    """Return eight cars whose fallbacks of 6 A fit beside the declared worst of 45 A, and a base load that steps."""
    stage = a_stage(
        *(a_connector(key, fallback_a=6.0) for key in named(8)),
        circuits=(a_circuit(declared_a=45.0),),
        base_load=lambda now: all_phases(base_a if now < at else then_a),
        on_time_s=TURN_S,
    )
    for place, key in enumerate(stage.chargers):
        stage.chargers[key].sample_offset_s = place * 0.7
        stage.plug(key, Car())
    stage.run(at - 1.0)
    return stage


def who_charges_in(stage: Stage, seconds: float) -> set[str]:
    """Return who charges at some time in the next seconds."""
    charged: set[str] = set()
    until = stage.now + seconds
    while stage.now < until:
        stage.step()
        charged |= {key for key, amps in stage.drawn().items() if amps > 0.0}
    return charged


def test_a_charger_that_takes_the_room_of_the_fallbacks_does_not_pause_everybody() -> None:
    stage = a_stage_with_fallbacks(15.0, 45.0, at=121.0)
    runs_wild(stage, "c00")
    stage.run(90.0)
    stage.over_s.clear()
    # 100 - 45 - 32 leaves 23 A: two minima, a fallback that may come on top, and what of the margin that does not take.
    assert sum(amps == 6.0 for key, amps in stage.drawn().items() if key != "c00") == 2
    assert all(
        limit.circuit_id == "supply" for key, limit in limits_of(stage).items() if limit.amps == 6.0 and key != "c00"
    )
    # Seven share two places: each has had its turn after four, and the time that it takes to begin.
    assert who_charges_in(stage, 4 * TURN_S + 60.0) == set(stage.chargers)
    assert not stage.over_s


def test_places_go_round_also_where_the_base_load_is_above_what_was_declared() -> None:
    stage = a_stage_with_fallbacks(15.0, 62.0, at=121.0)
    stage.run(60.0)
    stage.over_s.clear()
    assert sum(amps == 6.0 for amps in stage.drawn().values()) == 5
    assert who_charges_in(stage, 2 * TURN_S + 60.0) == set(stage.chargers)
    assert not stage.over_s


@pytest.mark.parametrize("base_a", [50.0, 55.0, 62.0, 70.0, 80.0, 86.0])
def test_one_that_goes_to_its_fallback_by_itself_fits_beside_those_that_may_charge(base_a: float) -> None:
    stage = a_stage_with_fallbacks(15.0, base_a, at=121.0)
    stage.run(120.0)
    stage.over_s.clear()
    for key in [key for key, amps in stage.drawn().items() if not amps]:
        charger = stage.chargers[key]
        # It forgot what it was told, and hears of it again a moment later.
        charger.ignores = True
        charger.obey(6.0, stage.now, float("inf"))
        stage.run(7.0)
        assert stage.drawn()[key] == 6.0
        charger.ignores = False
        charger.obey(stage.limits()[key], stage.now, stage.now + stage.validity_s)
        stage.run(60.0)
        assert not stage.over_s


def limits_of(stage: Stage) -> Mapping[str, Limit]:
    assert stage.decision is not None
    return stage.decision.limits


# The judgement ------------------------------------------------------------------------------------------------------


def a_bound(limit_a: float, *draws: tuple[float, float]) -> DrawBound:
    """Return the bound of a charger that accepted a limit at 0 s, with (time, amps) measured."""
    return DrawBound(
        held_a=MOST_A,
        limit_a=limit_a,
        online=True,
        draws=tuple(Draw(at, all_phases(amps), all_phases(amps)) for at, amps in draws),
    )


@pytest.mark.parametrize(
    ("times", "interval_s"),
    [((), None), ((0.0,), None), ((0.0, 10.0, 20.0), 10.0), ((0.0, 0.1, 0.2), 1.0), ((0.0, 60.0), 60.0)],
)
def test_the_sample_interval_is_learned_within_bounds(times: tuple[float, ...], interval_s: float | None) -> None:
    assert obedience.sample_interval_s(a_bound(10.0, *((at, 5.0) for at in times))) == interval_s


def test_one_odd_gap_does_not_change_the_interval() -> None:
    bound = a_bound(10.0, *((at, 5.0) for at in (0.0, 10.0, 20.0, 65.0, 75.0)))
    assert obedience.sample_interval_s(bound) == 10.0


@pytest.mark.parametrize(("interval_s", "within_s"), [(5.0, 30.0), (15.0, 30.0), (20.0, 40.0), (60.0, 120.0)])
def test_the_time_to_notice_is_the_longer_of_two(interval_s: float, within_s: float) -> None:
    bound = a_bound(10.0, (0.0, 5.0), (interval_s, 5.0))
    assert obedience.noticed_within_s(bound) == within_s


def test_a_draw_within_tolerance_and_one_before_the_car_could_follow_are_no_excess() -> None:
    assert obedience.judge(FAITHFUL, a_bound(16.0, (20.0, 16.9)), 20.0) is FAITHFUL
    assert obedience.judge(FAITHFUL, a_bound(16.0, (14.0, 32.0)), 14.0) is FAITHFUL


def test_the_same_measurement_is_counted_once() -> None:
    bound = a_bound(10.0, (10.0, 25.0), (20.0, 25.0))
    once = obedience.judge(FAITHFUL, bound, 20.0)
    assert once.state is Obedience.SUSPECTED
    assert obedience.judge(once, bound, 21.0) == once
    assert not obedience.wants_other_form(once, bound)


def test_frequent_measurements_confirm_each_other_and_rare_ones_are_believed() -> None:
    frequent = a_bound(10.0, (10.0, 25.0), (20.0, 25.0))
    assert not obedience.wants_other_form(obedience.judge(FAITHFUL, frequent, 20.0), frequent)
    rare = a_bound(10.0, (0.0, 25.0), (60.0, 25.0))
    assert obedience.wants_other_form(obedience.judge(FAITHFUL, rare, 60.0), rare)


def test_nothing_else_is_tried_while_an_order_is_unanswered() -> None:
    rare = a_bound(10.0, (0.0, 25.0), (60.0, 25.0))
    caught = obedience.judge(FAITHFUL, rare, 60.0)
    assert not obedience.wants_other_form(caught, replace(rare, in_flight=(6.0,)))


def test_a_form_that_is_never_answered_counts_as_tried() -> None:
    bound = a_bound(10.0, (0.0, 25.0), (60.0, 25.0))
    tried = obedience.ordered_otherwise(obedience.judge(FAITHFUL, bound, 60.0), 60.0)
    unanswered = replace(bound, in_flight=(6.0,))
    assert obedience.judge(tried, unanswered, 100.0).state is Obedience.OTHER_FORM
    assert obedience.judge(tried, unanswered, 60.0 + 15.0 + 120.0).state is Obedience.IGNORES


def test_the_trials_are_bounded_until_it_has_obeyed_for_long() -> None:
    over, within = a_bound(10.0, (0.0, 25.0), (60.0, 25.0)), a_bound(10.0, (0.0, 9.0), (60.0, 9.0))
    conduct = replace(FAITHFUL, forms=obedience.MOST_FORMS, obeyed_at=0.0)
    caught = obedience.judge(conduct, over, 60.0)
    assert caught.state is Obedience.IGNORES
    assert not obedience.wants_other_form(caught, over)
    obeyed = obedience.judge(caught, within, 70.0)
    assert (obeyed.state, obeyed.forms) == (Obedience.OBEYS, obedience.MOST_FORMS)
    assert obedience.judge(obeyed, within, 70.0 + obedience.FORGIVEN_AFTER_S) is FAITHFUL
