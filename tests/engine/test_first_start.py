"""The first current of a session is the minimum, until the vehicle was seen to draw."""

from __future__ import annotations

from custom_components.charge_cluster.engine.first_start import SEEN_WITHIN_S
from custom_components.charge_cluster.engine.guard import CAR_SETTLING_S
from custom_components.charge_cluster.engine.model import Connector, Reason

from .closed_loop import Car, Stage
from .sites import a_connector, a_stage, all_phases

SAMPLED_EVERY_S = 10.0


def offers(stage: Stage, key: str, since: float = 0.0) -> list[float]:
    """Return the offers of a car, one after the other."""
    found: list[float] = []
    for at, amps in stage.chargers[key].offers:
        if at >= since and amps and amps not in found[-1:]:
            found.append(amps)
    return found


def risen_after_s(stage: Stage, key: str = "a") -> float:
    """Return how long a car is held to its first offer."""
    return stage.run_until(lambda: stage.chargers[key].limit_a > 6.0, within_s=2 * SEEN_WITHIN_S)


A = a_connector("a")


def a_stage_of_one(car: Car, connector: Connector = A) -> Stage:
    """Return a stage with room for a full share, on which a car was offered its first current a moment ago."""
    stage = a_stage(connector, base_load=lambda _: all_phases(20.0))
    stage.run(60.0)
    stage.plug("a", car)
    stage.run_until(lambda: stage.chargers["a"].limit_a > 0.0, within_s=20.0)
    return stage


def test_a_car_begins_with_its_minimum_and_gets_its_share_once_it_was_seen_to_draw() -> None:
    stage = a_stage_of_one(Car())
    stage.run(1.0)
    assert stage.reasons()["a"] is Reason.FIRST_START
    held_s = risen_after_s(stage)
    # A raise waits until the car has followed the one before, seen or not.
    assert CAR_SETTLING_S - 1.0 <= held_s <= CAR_SETTLING_S + SAMPLED_EVERY_S
    assert offers(stage, "a") == [6.0, 32.0]


def test_a_car_that_begins_late_is_held_no_longer_than_it_may_take_to_begin() -> None:
    assert risen_after_s(a_stage_of_one(Car(reacts_after_s=20.0))) <= SEEN_WITHIN_S


def test_a_car_that_nobody_measures_is_held_no_longer_either() -> None:
    stage = a_stage_of_one(Car(), a_connector("a", settling_s=20.0))
    stage.chargers["a"].measures = False
    assert SEEN_WITHIN_S - 1.0 <= risen_after_s(stage) <= SEEN_WITHIN_S + 1.0


def test_where_nobody_measures_only_the_first_car_is_held() -> None:
    stage = a_stage_of_one(Car(), a_connector("a", settling_s=20.0))
    stage.chargers["a"].measures = False
    stage.run(60.0)
    stage.unplug("a")
    stage.run(30.0)
    left = stage.now
    stage.plug("a", Car())
    stage.run(60.0)
    assert offers(stage, "a", left) == [32.0]
    stage.chargers["a"].measures = True
    stage.run(30.0)
    stage.unplug("a")
    stage.run(30.0)
    left = stage.now
    stage.plug("a", Car())
    stage.run(60.0)
    assert offers(stage, "a", left) == [6.0, 32.0]


def test_a_car_that_does_not_begin_on_so_little_is_offered_more() -> None:
    stage = a_stage_of_one(Car(needs_a=10.0))
    stage.run_until(lambda: stage.drawn()["a"] == 32.0, within_s=SEEN_WITHIN_S + 30.0)


def test_the_first_offer_is_enough_to_begin_on_one_phase() -> None:
    stage = a_stage_of_one(Car(phases=1, needs_a=9.0), a_connector("a", minimum_single_phase_a=9.0))
    stage.run(120.0)
    assert offers(stage, "a") == [9.0, 32.0]


def test_a_share_at_the_minimum_is_no_first_start() -> None:
    stage = a_stage(a_connector("a"), base_load=lambda _: all_phases(88.5))
    stage.plug("a", Car())
    stage.run(40.0)
    assert stage.drawn()["a"] == 6.0
    assert stage.reasons()["a"] is Reason.SHARED


def test_who_begins_at_a_higher_fallback_is_told_no_less() -> None:
    stage = a_stage(a_connector("a", fallback_a=10.0), base_load=lambda _: all_phases(20.0))
    stage.run(60.0)
    stage.plug("a", Car())
    stage.run(60.0)
    assert offers(stage, "a") == [10.0, 32.0]


def test_another_car_begins_anew_and_a_pause_is_no_beginning() -> None:
    stage = a_stage_of_one(Car())
    stage.run(60.0)
    stage.change("a", enabled=False)
    stage.run(40.0)
    stage.change("a", enabled=True)
    paused = stage.now
    stage.run(60.0)
    assert offers(stage, "a", paused) == [32.0]
    stage.unplug("a")
    stage.run(30.0)
    left = stage.now
    stage.plug("a", Car())
    stage.run(60.0)
    assert offers(stage, "a", left) == [6.0, 32.0]


def test_the_others_keep_what_is_theirs_while_a_share_is_not_taken_up_yet() -> None:
    stage = a_stage(a_connector("a"), a_connector("b"), base_load=lambda _: all_phases(55.0))
    stage.plug("b", Car())
    stage.run(90.0)
    assert stage.drawn()["b"] == 32.0
    stage.plug("a", Car())
    plugged = stage.now
    stage.run(120.0)
    # 40 A for both: down to its share at once, and not up and down again.
    assert offers(stage, "b", plugged + 1.0) == [20.0]
    assert offers(stage, "a") == [6.0, 20.0]
    assert not stage.over_s
