"""Vehicles that take nothing of what they are offered: full ones, sleepers, and those that need more to run."""

from __future__ import annotations

import pytest

from custom_components.charge_cluster.engine.model import Reason
from custom_components.charge_cluster.engine.rest import (
    ASLEEP_AFTER_S,
    ASLEEP_FOR_S,
    WAKE_AFTER_S,
    WAKE_OFFER_A,
    WAKE_PAUSE_S,
)

from .closed_loop import Car, Stage
from .sites import a_connector, a_stage, all_phases, named

FOLLOWS_S = 40.0
"""Until a limit is in force, followed and measured."""


def a_scarce_stage(cars: dict[str, Car], *, places: int, on_time_s: float) -> Stage:
    """Return a stage on which so many minima fit beside the base load; cars come one after the other."""
    base = 95.0 - 6.0 * places - 2.0
    stage = a_stage(*(a_connector(key) for key in cars), base_load=lambda _: all_phases(base), on_time_s=on_time_s)
    for key, car in cars.items():
        stage.plug(key, car)
        stage.run(1.0)
    return stage


def offered_nothing_s(stage: Stage, key: str, seconds: float) -> float:
    """Return for how long a car is offered nothing in the next seconds."""
    nothing_s, until = 0.0, stage.now + seconds
    while stage.now < until:
        stage.step()
        nothing_s += 0.5 if stage.chargers[key].limit_a == 0.0 else 0.0
    return nothing_s


def test_a_full_car_whose_charger_does_not_say_so_gives_its_place_to_who_waits() -> None:
    stage = a_scarce_stage({"full": Car(full=True), "waits": Car()}, places=1, on_time_s=100_000.0)
    stage.run(FOLLOWS_S)
    assert stage.reasons()["waits"] is Reason.WAITING_TURN
    stage.run_until(lambda: stage.drawn()["waits"] == 8.0, within_s=WAKE_AFTER_S + WAKE_PAUSE_S + ASLEEP_AFTER_S + 60.0)
    assert stage.reasons()["full"] is Reason.ASLEEP
    assert not stage.over_s


def test_a_sleeper_keeps_an_offer_where_there_is_room_and_begins_by_itself() -> None:
    stage = a_stage(a_connector("a"), a_connector("b"), base_load=lambda _: all_phases(20.0))
    stage.plug("a", Car(full=True))
    stage.plug("b", Car())
    stage.run(400.0)
    assert stage.limits()["a"] == WAKE_OFFER_A
    stage.chargers["a"].car = Car()
    stage.run_until(lambda: stage.drawn()["a"] == 32.0, within_s=120.0)
    assert stage.reasons()["a"] is Reason.FULL_POWER
    assert not stage.over_s


def test_a_sleeper_gets_a_turn_again_after_a_while() -> None:
    stage = a_scarce_stage({"asleep": Car(full=True), "b": Car()}, places=1, on_time_s=600.0)
    stage.run_until(lambda: stage.reasons()["asleep"] is Reason.ASLEEP and stage.drawn()["b"] > 0.0, within_s=400.0)
    assert stage.decision is not None
    until = stage.decision.limits["asleep"].expected_at
    assert until is not None
    stage.chargers["asleep"].car = Car()
    stage.run_until(lambda: stage.drawn()["asleep"] > 0.0, within_s=ASLEEP_FOR_S + 2 * 600.0)


def test_a_car_that_fell_asleep_while_it_was_paused_is_woken_once() -> None:
    stage = a_stage(a_connector("a"), base_load=lambda now: all_phases(20.0 if now < 60 or now > 180 else 94.0))
    stage.plug("a", Car(falls_asleep=True))
    stage.run(60.0)
    assert stage.drawn()["a"] == 32.0
    stage.run(140.0)  # the building leaves nothing for a while, and the car falls asleep
    assert stage.drawn()["a"] == 0.0
    stage.run_until(lambda: stage.drawn()["a"] == 32.0, within_s=WAKE_AFTER_S + WAKE_PAUSE_S + 2 * FOLLOWS_S)


def test_a_full_car_is_woken_no_second_time() -> None:
    stage = a_stage(a_connector("a"), base_load=lambda _: all_phases(20.0))
    stage.plug("a", Car(full=True))
    assert 0.0 < offered_nothing_s(stage, "a", 300.0) <= WAKE_PAUSE_S + 30.0
    assert offered_nothing_s(stage, "a", 2 * ASLEEP_FOR_S) == 0.0


def test_a_car_that_drew_until_it_was_full_is_not_woken() -> None:
    stage = a_stage(a_connector("a"), base_load=lambda _: all_phases(20.0))
    stage.plug("a", Car())
    stage.run(60.0)
    stage.chargers["a"].car = Car(full=True)
    assert offered_nothing_s(stage, "a", 600.0) == 0.0


def test_the_others_keep_what_they_have_while_one_is_woken() -> None:
    stage = a_scarce_stage({"sleeper": Car(full=True), "b": Car(), "c": Car()}, places=2, on_time_s=100_000.0)
    stage.run(WAKE_AFTER_S + FOLLOWS_S + 30.0)
    assert [at for at, key, amps, _ in stage.sent if key == "sleeper" and amps == 0.0]
    assert {key: amps for key, amps in stage.drawn().items() if amps} == {"b": 8.0}
    assert not [at for at, key, _, _ in stage.sent if key == "c"]


@pytest.mark.parametrize("needs_a", [7.0, 10.0, 13.0])
def test_a_car_that_does_not_run_on_the_minimum_is_given_what_it_needs(needs_a: float) -> None:
    cars = {key: Car() for key in named(3)} | {"zoe": Car(needs_a=needs_a)}
    stage = a_stage(*(a_connector(key) for key in cars), base_load=lambda now: all_phases(68.0 if now < 400 else 40.0))
    for key, car in cars.items():
        stage.plug(key, car)
    stage.run(390.0)
    assert stage.drawn()["zoe"] == 0.0  # 27 A for four
    stage.run_until(lambda: stage.drawn()["zoe"] >= needs_a, within_s=ASLEEP_FOR_S + 300.0)  # 55 A for four
    stage.run(FOLLOWS_S)
    stage.base_load = lambda _: all_phases(60.0)  # 35 A: a fair share would be 8 A
    stage.run(60.0)
    stage.over_s.clear()
    stage.run(600.0)
    assert stage.drawn()["zoe"] >= needs_a
    assert not stage.over_s


def test_another_transaction_begins_without_a_memory_of_sleep() -> None:
    stage = a_scarce_stage({"full": Car(full=True), "b": Car()}, places=1, on_time_s=600.0)
    stage.run_until(lambda: stage.reasons()["full"] is Reason.ASLEEP and stage.drawn()["b"] > 0.0, within_s=400.0)
    stage.unplug("full")
    stage.run(5.0)
    stage.plug("full", Car())
    stage.run_until(lambda: stage.drawn()["full"] == 8.0, within_s=2 * 600.0)
