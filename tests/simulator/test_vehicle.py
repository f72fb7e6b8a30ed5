"""A car follows the pilot signal late, within its own bounds, and may fall asleep."""

import pytest

from simulator.vehicle import Car, CarSpec, Waking


def a_car(**fields: object) -> CarSpec:
    facts: dict[str, object] = {"name": "car", "reaction_s": 8.0, "ramp_a_per_s": 1000.0, **fields}
    return CarSpec(**facts)  # type: ignore[arg-type] # the test names fields of the spec


def plugged(spec: CarSpec, *, offered_a: float = 0.0) -> Car:
    car = Car(spec, plugged_at=0.0)
    car.offer(offered_a, 0.0)
    return car


def drive(car: Car, until: float, *, since: float = 0.0, volts: float = 230.0, dt: float = 0.5) -> float:
    """Let time pass and return the current on the first terminal."""
    steps = round((until - since) / dt)
    for step in range(1, steps + 1):
        car.step(since + step * dt, dt)
        car.receive(sum(car.drawn(3)) * volts * dt / 3600.0)
    return car.drawn(3)[0]


def test_it_draws_nothing_before_its_reaction_time() -> None:
    car = plugged(a_car(), offered_a=10.0)
    assert drive(car, 7.5) == 0.0
    assert drive(car, 8.5, since=7.5) == 10.0


def test_a_change_of_the_offer_arrives_late_and_in_order() -> None:
    car = plugged(a_car(), offered_a=16.0)
    drive(car, 20.0)
    car.offer(10.0, 20.0)
    drive(car, 22.0, since=20.0)
    car.offer(6.0, 22.0)
    assert drive(car, 27.5, since=22.0) == 16.0
    assert drive(car, 29.0, since=27.5) == 10.0
    assert drive(car, 30.5, since=29.0) == 6.0


def test_it_takes_up_current_no_faster_than_its_ramp() -> None:
    car = plugged(a_car(ramp_a_per_s=2.0, reaction_s=0.0), offered_a=16.0)
    assert drive(car, 3.0) == pytest.approx(6.0)


@pytest.mark.parametrize("offered", [0.0, 3.0, 5.9])
def test_less_than_six_amps_is_no_offer(offered: float) -> None:
    assert drive(plugged(a_car(), offered_a=offered), 30.0) == 0.0


def test_a_car_with_a_higher_minimum_waits_for_it() -> None:
    car = plugged(a_car(minimum_a=8.0), offered_a=7.0)
    assert drive(car, 30.0) == 0.0
    car.offer(8.0, 30.0)
    assert drive(car, 40.0, since=30.0) == 8.0


def test_it_never_draws_more_than_its_own_charger_can() -> None:
    assert drive(plugged(a_car(maximum_a=16.0), offered_a=32.0), 30.0) == 16.0


def test_a_car_may_draw_less_than_it_is_offered() -> None:
    assert drive(plugged(a_car(draws_at_most_a=9.0), offered_a=16.0), 30.0) == 9.0


@pytest.mark.parametrize(("phases", "drawn"), [(1, (16.0, 0.0, 0.0)), (2, (16.0, 16.0, 0.0)), (3, (16.0, 16.0, 16.0))])
def test_it_draws_on_its_own_phases_only(phases: int, drawn: tuple[float, float, float]) -> None:
    car = plugged(a_car(phases=phases), offered_a=16.0)
    drive(car, 30.0)
    assert car.drawn(3) == drawn
    assert car.drawn(1) == (16.0, 0.0, 0.0)


def test_it_stops_once_it_has_what_it_wants() -> None:
    car = plugged(a_car(wanted_kwh=0.1), offered_a=16.0)
    assert drive(car, 120.0) == 0.0
    assert car.sated
    assert car.delivered_wh == pytest.approx(100.0, abs=2.0)


def test_it_may_end_early() -> None:
    car = plugged(a_car(ends_after_s=20.0, reaction_s=0.0), offered_a=16.0)
    assert drive(car, 19.0) == 16.0
    assert drive(car, 22.0, since=19.0) == 0.0


def test_it_tapers_when_the_battery_is_nearly_full() -> None:
    car = plugged(a_car(soc=0.97, taper_from_soc=0.9, battery_kwh=50.0), offered_a=16.0)
    assert 0.0 < drive(car, 20.0) < 8.0


def test_a_full_battery_wants_nothing() -> None:
    assert plugged(a_car(soc=1.0)).sated


def test_each_time_that_it_begins_to_draw_is_a_start() -> None:
    car = plugged(a_car(), offered_a=10.0)
    drive(car, 20.0)
    car.offer(16.0, 20.0)
    drive(car, 40.0, since=20.0)
    assert car.starts == 1
    car.offer(0.0, 40.0)
    drive(car, 60.0, since=40.0)
    car.offer(10.0, 60.0)
    drive(car, 80.0, since=60.0)
    assert car.starts == 2


def test_a_paused_car_falls_asleep_and_wakes_when_offered_current() -> None:
    car = plugged(a_car(sleeps_after_s=60.0))
    drive(car, 61.0)
    assert car.asleep
    car.offer(10.0, 61.0)
    assert drive(car, 70.0, since=61.0) == 10.0


def test_some_cars_wake_at_the_second_try_only() -> None:
    car = plugged(a_car(sleeps_after_s=60.0, waking=Waking.SECOND_TRY))
    drive(car, 61.0)
    car.offer(10.0, 61.0)
    assert drive(car, 80.0, since=61.0) == 0.0
    car.offer(0.0, 80.0)
    car.offer(10.0, 84.0)
    assert drive(car, 95.0, since=80.0) == 10.0


def test_some_cars_never_wake() -> None:
    car = plugged(a_car(sleeps_after_s=60.0, waking=Waking.NEVER))
    drive(car, 61.0)
    for attempt in range(5):
        car.offer(10.0, 61.0 + 20 * attempt)
        car.offer(0.0, 71.0 + 20 * attempt)
    car.offer(10.0, 161.0)
    assert drive(car, 200.0, since=161.0) == 0.0


def test_a_car_that_draws_does_not_fall_asleep() -> None:
    car = plugged(a_car(sleeps_after_s=10.0), offered_a=10.0)
    assert drive(car, 60.0) == 10.0


def test_a_car_that_ignores_the_pilot_is_stopped_by_the_contactor_alone() -> None:
    car = plugged(a_car(ignores_pilot=True), offered_a=16.0)
    drive(car, 20.0)
    car.offer(6.0, 20.0)
    assert drive(car, 40.0, since=20.0) == 16.0
    car.offer(0.0, 40.0)
    car.cut_off()
    assert drive(car, 60.0, since=40.0) == 0.0


@pytest.mark.parametrize(
    "wrong", [{"phases": 4}, {"soc": 1.5}, {"battery_kwh": 0.0}, {"maximum_a": 0.0}, {"reaction_s": -1.0}]
)
def test_an_impossible_car_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="car"):
        a_car(**wrong)


def test_currents_that_leak_show_on_terminals_that_are_not_used() -> None:
    car = plugged(a_car(phases=1, maximum_a=16.0, phantom_a=(0.0, 0.4, 0.5)), offered_a=16.0)
    drive(car, 30.0)
    assert car.drawn(3) == (16.0, 0.4, 0.5)
    assert car.drawn(1) == (16.0, 0.0, 0.0)


def test_a_full_car_takes_current_again_after_a_while_and_stops_again() -> None:
    car = plugged(a_car(ends_after_s=60.0, again_after_s=600.0, again_for_s=120.0, again_a=9.0), offered_a=16.0)
    assert (drive(car, 120.0), car.sated) == (0.0, True)
    assert (drive(car, 720.0, since=120.0), car.sated) == (9.0, False)
    assert (drive(car, 840.0, since=720.0), car.sated) == (0.0, True)


@pytest.mark.parametrize("wrong", [{"phantom_a": (0.0, -0.1, 0.0)}, {"again_for_s": 0.0}, {"again_a": 0.0}])
def test_a_car_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="leaks"):
        a_car(**wrong)
