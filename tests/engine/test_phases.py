"""Which phases a vehicle uses: what it is measured to draw, and not what leaks or is induced on the others."""

from __future__ import annotations

import pytest

from custom_components.charge_cluster.engine.appetite import PHASES_LEARNED_AFTER_S
from custom_components.charge_cluster.engine.model import Reason

from .closed_loop import Car, Stage
from .sites import a_connector, a_stage, all_phases

LEARNED_S = PHASES_LEARNED_AFTER_S + 50.0


def learned(stage: Stage, key: str) -> tuple[int, ...] | None:
    """Return what is known of the phases that a car uses."""
    return stage.memory.connectors[key].appetite.phases


def a_pair(car: Car, rotation: tuple[int, ...] | None = (0, 1, 2)) -> Stage:
    """Return a stage with the car and, on the phase beside its own, another one that could take all that is left."""
    stage = a_stage(
        a_connector("odd", rotation=rotation, maximum_a=16.0),
        a_connector("beside", rotation=(1,)),
        base_load=lambda _: all_phases(61.0),
    )
    stage.plug("odd", car)
    stage.plug("beside", Car(phases=1))
    return stage


@pytest.mark.parametrize("phantom_a", [0.1, 0.4, 0.5])
@pytest.mark.parametrize("takes_a", [6.0, 16.0])
def test_a_phantom_current_is_no_phase_in_use(phantom_a: float, takes_a: float) -> None:
    stage = a_pair(Car(phases=1, phantom_a=phantom_a, takes_a=takes_a))
    stage.run(LEARNED_S)
    assert learned(stage, "odd") == (0,)
    stage.run_until(lambda: stage.drawn()["beside"] == 32.0, within_s=200.0)
    assert not stage.over_s


def test_a_current_that_is_more_than_a_phantom_is_a_phase_in_use() -> None:
    stage = a_pair(Car(phases=1, phantom_a=2.0))
    stage.run(LEARNED_S)
    assert learned(stage, "odd") == (0, 1, 2)
    assert stage.drawn()["beside"] < 32.0
    assert not stage.over_s


def test_two_phases_are_two() -> None:
    stage = a_stage(a_connector("a", rotation=(2, 0, 1)), base_load=lambda _: all_phases(20.0))
    stage.plug("a", Car(phases=2, phantom_a=0.4))
    stage.run(LEARNED_S)
    assert learned(stage, "a") == (2, 0)


def test_where_the_rotation_is_unknown_nothing_is_learned_and_every_phase_counts() -> None:
    stage = a_pair(Car(phases=1, phantom_a=0.4), rotation=None)
    stage.run(2 * LEARNED_S)
    assert learned(stage, "odd") is None
    assert stage.drawn()["odd"] + stage.drawn()["beside"] <= 34.0
    assert not stage.over_s


def test_a_phantom_current_alone_is_no_charging() -> None:
    stage = a_stage(a_connector("a"), base_load=lambda _: all_phases(20.0))
    stage.plug("a", Car(full=True, phantom_a=0.5, phases=0))
    stage.run(400.0)
    assert stage.reasons()["a"] is Reason.ASLEEP
    assert stage.decision is not None
    assert stage.decision.circuits["supply"].charging == 0
