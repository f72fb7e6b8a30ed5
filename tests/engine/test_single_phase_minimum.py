"""The minimum on one phase: it holds for who uses one, by its wiring or as measured, and for nobody else."""

from __future__ import annotations

from custom_components.charge_cluster.engine.model import Reason

from .closed_loop import Car, Stage
from .sites import THREE, a_connector, a_stage, all_phases

PROVED_S = 110.0
"""Until it is known which phases a car uses."""


def offers(stage: Stage, key: str, since: float) -> set[float]:
    """Return what a car was offered from some time on."""
    return {amps for at, amps in stage.chargers[key].offers if at >= since}


def a_narrow_stage(*cars: Car, rotation: tuple[int, ...] = THREE) -> Stage:
    """Return a stage with 40 A for all, and 13 A from the moment on at which all is known of the cars."""
    keys = ["one", "three"][: len(cars)]
    stage = a_stage(
        *(a_connector(key, rotation=rotation, minimum_single_phase_a=8.0) for key in keys),
        base_load=lambda now: all_phases(55.0 if now < PROVED_S else 82.0),
    )
    for key, car in zip(keys, cars, strict=True):
        stage.plug(key, car)
    stage.run(PROVED_S)
    return stage


def test_a_car_that_was_measured_on_one_phase_has_its_minimum_or_a_turn() -> None:
    stage = a_narrow_stage(Car(phases=1), Car())
    stage.run(20.0)
    # 8 A and 6 A do not fit into 13 A, twice 6 A would.
    assert sorted(stage.reasons().values()) == [Reason.SHARED, Reason.WAITING_TURN]
    stage.run(1800.0)
    assert min(amps for amps in offers(stage, "one", PROVED_S + 20.0) if amps) >= 8.0
    assert max(offers(stage, "one", PROVED_S + 20.0)) == 13.0
    assert not {amps for amps in offers(stage, "three", 0.0) if 0.0 < amps < 6.0}


def test_cars_on_three_phases_have_the_usual_minimum() -> None:
    stage = a_narrow_stage(Car(), Car())
    stage.run(60.0)
    assert sorted(stage.drawn().values()) == [6.0, 7.0]


def test_a_connector_with_one_phase_has_it_from_the_beginning() -> None:
    stage = a_stage(
        *(a_connector(key, rotation=(0,), minimum_single_phase_a=8.0) for key in ("a", "b")),
        base_load=lambda _: all_phases(82.0),
    )
    for key in stage.chargers:
        stage.plug(key, Car(phases=1))
    stage.run(60.0)
    assert sorted(stage.drawn().values()) == [0.0, 13.0]


def test_a_cap_below_the_minimum_on_one_phase_pauses_who_uses_one() -> None:
    stage = a_stage(a_connector("a", minimum_single_phase_a=8.0, cap_a=7.0), base_load=lambda _: all_phases(20.0))
    stage.plug("a", Car(phases=1))
    stage.run(50.0)
    assert stage.drawn()["a"] == 7.0
    stage.run(PROVED_S)
    assert stage.drawn()["a"] == 0.0
    assert stage.reasons()["a"] is Reason.USER_CAP
    stage.unplug("a")
    stage.run(5.0)
    stage.plug("a", Car())
    stage.run(PROVED_S)
    assert stage.drawn()["a"] == 7.0
