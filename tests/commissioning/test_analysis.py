"""The arithmetic of commissioning, on random steps: what is there is found, what is not is never claimed."""

from __future__ import annotations

import random

from hypothesis import given, settings, strategies as st

from custom_components.charge_cluster.engine.model import PhaseAmps
from custom_components.charge_cluster.site.commissioning import analysis
from custom_components.charge_cluster.site.commissioning.analysis import Crossing, Sight, Step

sizes = st.floats(4.0, 26.0)
slopes = st.floats(0.4, 4.0).flatmap(lambda slope: st.sampled_from([slope, -slope]))


def stairs(size: float, slope: float, disturbances: list[float]) -> list[Step]:
    steps = []
    for index, disturbance in enumerate(disturbances):
        drawn = size if index % 2 else -size
        steps.append(Step(drawn_a=drawn, seen=(slope * drawn + disturbance, 0.0, 0.0)))
    return steps


@given(size=sizes, slope=slopes, disturbances=st.lists(st.floats(-0.06, 0.06), min_size=4, max_size=12))
def test_a_share_is_found_in_sign_and_size_beside_small_disturbances(
    size: float, slope: float, disturbances: list[float]
) -> None:
    found = analysis.fit(stairs(size, slope, [share * size for share in disturbances]), 0)
    assert found.sight is Sight.SEEN
    assert abs(found.slope - slope) <= 0.07
    assert found.slope * slope > 0.0


@given(size=sizes, slope=slopes, jump=st.floats(-200.0, 200.0), place=st.integers(0, 5))
def test_one_jump_of_the_building_changes_nothing(size: float, slope: float, jump: float, place: int) -> None:
    disturbances = [0.0] * 6
    disturbances[place] = jump
    found = analysis.fit(stairs(size, slope, disturbances), 0)
    assert found.sight is Sight.SEEN
    assert abs(found.slope - slope) <= 0.01


@given(size=sizes, disturbances=st.lists(st.floats(-0.03, 0.03), min_size=4, max_size=12))
def test_a_quiet_phase_without_the_vehicle_shows_nothing(size: float, disturbances: list[float]) -> None:
    found = analysis.fit(stairs(size, 0.0, [share * size for share in disturbances]), 0)
    assert found.sight is Sight.UNSEEN


@settings(max_examples=300)
@given(seed=st.integers(0, 10**9), amplitude=st.floats(5.0, 80.0), size=sizes)
def test_a_restless_building_is_seldom_taken_for_a_vehicle(seed: int, amplitude: float, size: float) -> None:
    chance = random.Random(seed)
    wrong = 0
    for _ in range(40):
        disturbances = [chance.gauss(0.0, amplitude) for _ in range(6)]
        wrong += analysis.fit(stairs(size, 0.0, disturbances), 0).sight is Sight.SEEN
    assert wrong <= 5


@given(steps=st.integers(0, 2), size=sizes)
def test_fewer_than_three_steps_prove_nothing(steps: int, size: float) -> None:
    assert analysis.fit(stairs(size, 1.0, [0.0] * steps), 0).sight is Sight.UNCLEAR


@given(
    reaction=st.floats(0.5, 40.0),
    settles=st.floats(0.0, 20.0),
    interval=st.floats(0.5, 15.0),
    before=st.floats(6.0, 32.0),
    after=st.floats(6.0, 32.0),
)
def test_the_true_delay_and_settling_time_lie_within_what_is_told(
    reaction: float, settles: float, interval: float, before: float, after: float
) -> None:
    def truth(at: float) -> float:
        if at < reaction:
            return before
        if at >= reaction + settles:
            return after
        return before + (after - before) * (at - reaction) / settles

    samples = [(100.0 + interval * n, truth(interval * n)) for n in range(-3, int(120 / interval))]
    found = analysis.response(samples, at=100.0, until=100.0 + 119.0, before_a=before)
    assert found is not None
    assert abs(found.end_a - after) < 1e-6
    if abs(after - before) < 4.0:
        return
    assert found.left_after_s is not None
    assert found.settled_s is not None
    assert reaction <= found.left_after_s + 1e-9
    assert found.still_at_s <= reaction + settles
    # It is settled at the first sample from which on it is within 0.75 A (3 %): no later than one interval after.
    assert found.settled_s <= reaction + settles + interval + 1e-6


@given(
    lag=st.floats(0.0, 60.0),
    moments=st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(0.0, 10.0)), min_size=3, max_size=8),
)
def test_the_true_lag_lies_within_what_is_told(lag: float, moments: list[tuple[float, float]]) -> None:
    crossings = [
        Crossing(not_before=100.0 - earlier, not_after=100.0 + later, shown_at=100.0 + lag)
        for earlier, later in moments
    ]
    found = analysis.lag(crossings)
    assert found is not None
    assert found.least_s <= lag + 1e-9
    assert found.most_s >= lag - 1e-9


def test_terminals_in_use_are_those_that_step() -> None:
    steps: list[PhaseAmps] = [(-10.0, 0.1, -9.5), (10.0, 0.0, 9.4)]
    assert analysis.terminals_in_use(steps) == (0, 2)
    assert analysis.terminals_in_use([]) == ()
