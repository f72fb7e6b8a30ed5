"""First come, first served: within the circuit that it was chosen for, and at nobody else's cost."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from custom_components.charge_cluster.engine.model import Reason, SharingRule

from .closed_loop import Car, Stage
from .sites import a_circuit, a_connector, a_stage, all_phases, named

FIRST_COME = SharingRule.FIRST_COME


def one_after_the_other(stage: Stage, *, apart_s: float = 5.0, settle_s: float = 120.0) -> Stage:
    """Plug a car in everywhere, one after the other."""
    for key in stage.chargers:
        stage.plug(key, Car())
        stage.run(apart_s)
    stage.run(settle_s)
    return stage


def test_who_came_first_has_all_that_it_can_take_and_the_others_their_minimum() -> None:
    stage = a_stage(
        *(a_connector(key) for key in named(4)),
        circuits=(a_circuit(sharing=FIRST_COME),),
        base_load=lambda _: all_phases(35.0),
    )
    one_after_the_other(stage)
    assert stage.drawn() == {"c00": 32.0, "c01": 16.0, "c02": 6.0, "c03": 6.0}  # 60 A
    assert stage.reasons()["c00"] is Reason.FULL_POWER
    assert stage.reasons()["c01"] is Reason.SHARED
    assert not stage.over_s


def test_who_leaves_makes_room_for_the_next_in_line() -> None:
    stage = a_stage(
        *(a_connector(key) for key in named(3)),
        circuits=(a_circuit(sharing=FIRST_COME),),
        base_load=lambda _: all_phases(51.0),
    )
    one_after_the_other(stage)
    assert stage.drawn() == {"c00": 32.0, "c01": 6.0, "c02": 6.0}
    stage.unplug("c00")
    stage.run(120.0)
    assert stage.drawn() == {"c00": 0.0, "c01": 32.0, "c02": 12.0}


def test_where_the_minima_do_not_fit_who_came_first_keeps_its_place_over_all_turns() -> None:
    stage = a_stage(
        *(a_connector(key) for key in named(4)),
        circuits=(a_circuit(sharing=FIRST_COME),),
        base_load=lambda _: all_phases(82.0),
        on_time_s=120.0,
    )
    one_after_the_other(stage)
    stage.sent.clear()
    stage.run(600.0)
    assert stage.drawn() == {"c00": 7.0, "c01": 6.0, "c02": 0.0, "c03": 0.0}
    assert stage.sent == []
    assert stage.reasons()["c02"] is Reason.WAITING_TURN


def test_it_takes_nothing_from_circuits_with_another_rule() -> None:
    circuits = (
        a_circuit(),
        a_circuit("board", 80.0, parent_id="supply", declared_a=None, sharing=FIRST_COME),
        a_circuit("yard", 80.0, parent_id="supply", declared_a=None),
    )
    connectors = [a_connector(key, "board" if place < 2 else "yard") for place, key in enumerate(named(4))]
    stage = a_stage(*connectors, circuits=circuits, base_load=lambda _: all_phases(35.0))
    one_after_the_other(stage)
    assert stage.drawn() == {"c00": 24.0, "c01": 6.0, "c02": 15.0, "c03": 15.0}  # 30 A for each of the two
    assert not stage.over_s


@settings(deadline=None, max_examples=60)
@given(
    rules=st.tuples(*[st.sampled_from([None, *SharingRule])] * 3),
    base=st.integers(0, 90),
    places=st.lists(st.sampled_from(["supply", "board", "yard"]), min_size=2, max_size=7),
    rotations=st.lists(st.sampled_from([(0, 1, 2), (1, 2, 0), (0,), (1,), (2,), None]), min_size=7, max_size=7),
)
def test_no_rule_exceeds_a_ceiling_or_leaves_current_that_somebody_in_line_could_take(
    rules: tuple[SharingRule | None, ...], base: int, places: list[str], rotations: list[tuple[int, ...] | None]
) -> None:
    circuits = (
        a_circuit(sharing=rules[0]),
        a_circuit("board", 63.0, parent_id="supply", declared_a=None, sharing=rules[1]),
        a_circuit("yard", 40.0, parent_id="supply", declared_a=None, sharing=rules[2]),
    )
    connectors = [
        a_connector(key, where, rotation) for key, where, rotation in zip(named(7), places, rotations, strict=False)
    ]
    stage = a_stage(*connectors, circuits=circuits, base_load=lambda _: all_phases(float(base)))
    one_after_the_other(stage, apart_s=1.0, settle_s=150.0)
    assert not stage.over_s
    assert stage.decision is not None
    for key, limit in stage.decision.limits.items():
        # Who is held back by a circuit is held back by one that is full, but for what is less than a step.
        if limit.reason is Reason.SHARED:
            assert limit.circuit_id is not None
            room = min(stage.decision.circuits[limit.circuit_id].headroom_a)
            assert room < 1.0 + 1e-6, key
