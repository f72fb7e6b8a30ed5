"""Chargers that know a few currents only: shares fall on them, and what that leaves is handed out as well."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.model import Reason, SiteModel
from custom_components.charge_cluster.engine.steps import current_above, current_below, step_from
from custom_components.charge_cluster.engine.topology import TopologyError

from .closed_loop import Car
from .sites import a_circuit, a_connector, a_stage, all_phases, named

LISTED = (6.0, 8.0, 10.0, 13.0, 16.0)
BASE_A = 20.0


@pytest.mark.parametrize(
    ("amps", "below", "above", "step"),
    [
        (5.9, 0.0, 6.0, 0.1),
        (6.0, 6.0, 6.0, 2.0),
        (8.0 - 1e-9, 8.0, 8.0, 2.0),
        (9.0, 8.0, 10.0, 1.0),
        (15.9, 13.0, 16.0, 0.1),
        (16.0, 16.0, 16.0, math.inf),
        (40.0, 16.0, math.inf, math.inf),
    ],
)
def test_a_current_is_rounded_to_one_that_the_charger_knows(
    amps: float, below: float, above: float, step: float
) -> None:
    connector = a_connector("a", steps_a=LISTED)
    assert current_below(connector, amps) == below
    assert current_above(connector, amps) == above
    assert step_from(connector, amps) == pytest.approx(step, abs=1e-6)


@pytest.mark.parametrize("steps", [(), (8.0, 6.0), (6.0, 6.0), (0.0, 6.0), (6.0, math.nan), (6.0, 40.0), (math.inf,)])
def test_a_list_that_no_charger_can_have_is_refused(steps: tuple[float, ...]) -> None:
    with pytest.raises(TopologyError) as refused:
        SiteModel(circuits={"supply": a_circuit()}, connectors={"a": a_connector("a", steps_a=steps)})
    assert refused.value.key == "impossible_steps"


def test_a_share_is_rounded_down_and_what_it_leaves_goes_to_another() -> None:
    stage = a_stage(a_connector("listed", steps_a=LISTED), a_connector("any"), base_load=lambda _: all_phases(67.0))
    stage.plug("listed", Car())
    stage.plug("any", Car())
    stage.run(120.0)
    # 28 A by 16 to 32: 9.3 A and 18.7 A. Of the 2 A that 8 A and 18 A leave, the one has most use that lost most.
    assert stage.limits() == {"listed": 10.0, "any": 18.0}
    assert stage.drawn() == {"listed": 10.0, "any": 18.0}
    assert not stage.over_s


def test_left_overs_go_on_by_steps_of_the_list() -> None:
    keys = named(3)
    # 29 A for three: 9.7 A each, so 8 A and 5 A over: two of them get the next current.
    stage = a_stage(*(a_connector(key, steps_a=LISTED) for key in keys), base_load=lambda _: all_phases(66.0))
    for key in keys:
        stage.plug(key, Car())
    stage.run(200.0)
    assert sorted(stage.limits().values()) == [8.0, 10.0, 10.0]
    before = stage.limits()
    stage.run(120.0)
    assert stage.limits() == before


def test_a_cap_and_a_minimum_fall_on_the_list_too() -> None:
    stage = a_stage(
        a_connector("capped", steps_a=LISTED, cap_a=12.0),
        a_connector("high", steps_a=LISTED, minimum_a=7.0),
        a_connector("paused", steps_a=LISTED, cap_a=5.0),
        base_load=lambda now: all_phases(20.0 if now < 120.0 else 81.0),
    )
    for key in stage.chargers:
        stage.plug(key, Car())
    stage.run(110.0)
    assert stage.limits() == {"capped": 10.0, "high": 16.0, "paused": 0.0}
    assert stage.reasons()["paused"] is Reason.USER_CAP
    stage.run(110.0)
    assert stage.limits() == {"capped": 6.0, "high": 8.0, "paused": 0.0}


def test_a_car_that_takes_less_keeps_a_current_of_the_list_that_reaches_what_it_takes() -> None:
    stage = a_stage(a_connector("a", steps_a=LISTED), base_load=lambda _: all_phases(BASE_A))
    stage.plug("a", Car(takes_a=10.4))
    stage.run(400.0)
    # 10.4 A and an ampere to spare would be 12 A, which is 10 A on this charger.
    assert stage.limits()["a"] == 13.0
    assert stage.drawn()["a"] == 10.4


@st.composite
def lists(draw: st.DrawFn) -> tuple[float, ...] | None:
    """Draw what a charger knows."""
    some = draw(st.none() | st.lists(st.sampled_from([6.0, 7.0, 8.0, 10.0, 13.0, 16.0, 20.0, 25.0, 32.0]), min_size=1))
    return None if some is None else tuple(sorted(set(some)))


@given(known=st.lists(lists(), min_size=1, max_size=5), room=st.integers(1, 70))
def test_whatever_they_know_all_are_on_their_lists_and_nobody_could_have_more(
    known: list[tuple[float, ...] | None], room: int
) -> None:
    keys = named(len(known))
    connectors = [a_connector(key, steps_a=steps) for key, steps in zip(keys, known, strict=True)]
    stage = a_stage(*connectors, base_load=lambda _: all_phases(95.0 - room))
    for key in keys:
        stage.plug(key, Car())
    stage.run(90.0)
    limits = stage.limits()
    left = room - sum(limits.values())
    assert left >= -1e-6
    for connector in connectors:
        amps = limits[connector.connector_id]
        assert amps == 0.0 or current_below(connector, amps) == pytest.approx(amps)
        if stage.reasons()[connector.connector_id] is Reason.SHARED:
            assert left < step_from(connector, amps) - 1e-6
    assert not stage.over_s
