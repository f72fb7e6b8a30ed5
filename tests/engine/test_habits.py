"""Habits: what is expected of a newcomer is what happened in stays like its own, with how sure that is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.habits import MOST_STAYS, PIECE, Arrival, Habits, Stay

MONDAY, SATURDAY = 0, 5


def an_arrival(arrived_h: float = 8.0, **facts: object) -> Arrival:
    return Arrival(**{"arrived_h": arrived_h, "weekday": MONDAY, **facts})  # type: ignore[arg-type]  # fields by name


def a_stay(arrived_h: float = 8.0, stayed_h: float = 9.0, taken_wh: float = 12_000.0, **facts: object) -> Stay:
    return Stay(arrival=an_arrival(arrived_h, **facts), stayed_h=stayed_h, taken_wh=taken_wh)


def test_who_comes_at_the_same_hour_stays_as_long_as_those_did() -> None:
    mornings = [a_stay(8.0 + minute / 60.0, 9.0) for minute in range(0, 40, 4)]
    afternoons = [a_stay(14.0 + minute / 60.0, 2.0) for minute in range(0, 40, 4)]
    habits = Habits.of([*mornings, *afternoons])
    assert habits.expect(an_arrival(8.2)).departure_h(8.2, 0.5) == pytest.approx(17.3, abs=0.4)
    assert habits.expect(an_arrival(14.2)).departure_h(14.2, 0.5) == pytest.approx(16.3, abs=0.4)


def test_a_departure_that_is_always_typed_an_hour_too_early_is_expected_an_hour_later() -> None:
    habits = Habits.of([a_stay(8.0, 9.0 + late / 60.0, announced_h=8.0) for late in range(0, 30, 3)])
    expected = habits.expect(an_arrival(announced_h=8.0))
    assert expected.departure_h(8.0, 0.5) == pytest.approx(17.25, abs=0.3)


def test_who_takes_half_of_what_it_asks_for_is_expected_to_take_half() -> None:
    habits = Habits.of([a_stay(taken_wh=asked / 2.0, asked_wh=asked) for asked in (9e3, 10e3, 10.5e3, 11e3) * 5])
    assert habits.expect(an_arrival(asked_wh=10_000.0)).remaining_wh(0.0) == pytest.approx(5_000.0, rel=0.05)


def test_a_known_driver_counts_more_than_everybody_else() -> None:
    others = [a_stay(8.0, 9.0, driver=f"D{number}") for number in range(30)]
    habits = Habits.of([*others, *(a_stay(8.0, 4.0, driver="EARLY") for _ in range(5))])
    early = habits.expect(an_arrival(driver="EARLY"))
    assert early.departure_h(8.0, 0.5) == pytest.approx(12.0)
    assert early.of_driver == 5
    assert habits.expect(an_arrival(driver="D3")).departure_h(8.0, 0.5) == pytest.approx(17.0)


def test_habits_that_contradict_each_other_are_told_as_uncertain() -> None:
    habits = Habits.of([a_stay(8.0, stayed, driver="BOTH") for stayed in (4.0, 9.0) * 10])
    expected = habits.expect(an_arrival(driver="BOTH"))
    assert expected.departure_h(8.0, 0.1) == pytest.approx(12.0)
    assert expected.departure_h(8.0, 0.9) == pytest.approx(17.0)
    assert expected.still_here(8.0, 13.0) == pytest.approx(0.5, abs=0.02)
    # Once noon has passed it is clear which day it is.
    assert expected.still_here(13.0, 16.5) > 0.97


def test_a_weekend_says_little_about_a_working_day() -> None:
    habits = Habits.of(
        [*(a_stay(8.0, 9.0) for _ in range(10)), *(a_stay(8.0, 3.0, weekday=SATURDAY) for _ in "x" * 10)]
    )
    assert habits.expect(an_arrival()).departure_h(8.0, 0.5) == pytest.approx(17.0)
    assert habits.expect(an_arrival(weekday=SATURDAY)).departure_h(8.0, 0.5) == pytest.approx(11.0)


def test_without_any_history_what_was_announced_is_a_wide_guess_and_nothing_a_wider_one() -> None:
    announced = Habits().expect(an_arrival(announced_h=8.0))
    assert announced.alike == 0.0
    assert 15.0 <= announced.departure_h(8.0, 0.3) <= 16.0 <= announced.departure_h(8.0, 0.6) <= 17.0
    silent = Habits().expect(an_arrival())
    assert silent.departure_h(8.0, 0.9) - silent.departure_h(8.0, 0.1) > 12.0
    assert silent.remaining_wh(0.0) > 1_000.0


def test_a_departure_in_the_past_and_other_nonsense_count_as_nothing_said() -> None:
    habits = Habits.of([a_stay(8.0, 9.0) for _ in range(10)])
    silent = habits.expect(an_arrival())
    for announced in (-1.0, 0.0, math.nan, math.inf):
        assert habits.expect(an_arrival(announced_h=announced)).departures_h == silent.departures_h
    for asked in (-5.0, 0.0, math.nan, math.inf):
        assert habits.expect(an_arrival(asked_wh=asked)).energies == silent.energies


def test_nothing_is_learned_from_stays_that_make_no_sense() -> None:
    habits = Habits.of([a_stay(stayed_h=math.nan), a_stay(stayed_h=-1.0), a_stay(taken_wh=math.inf), a_stay(25.0)])
    assert habits.stays == ()
    assert habits.learn(a_stay(taken_wh=0.0)) is habits


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    habits = Habits.of([a_stay(taken_wh=1.0 + number) for number in range(MOST_STAYS)])
    habits = habits.learn(a_stay(taken_wh=9e9))
    assert len(habits.stays) == MOST_STAYS
    assert habits.stays[0].taken_wh == 2.0
    assert habits.stays[-1].taken_wh == 9e9


def test_a_long_history_is_weighed_in_bounded_pieces() -> None:
    habits = Habits.of([a_stay(weekday=day % 5) for day in range(MOST_STAYS)])
    assert len(list(habits.expect_in_pieces(an_arrival()))) == MOST_STAYS // PIECE


def test_a_person_can_be_forgotten() -> None:
    habits = Habits.of([a_stay(8.0, 4.0, driver="EARLY"), a_stay(8.0, 9.0, driver="LATE")]).forget("EARLY")
    assert [stay.arrival.driver for stay in habits.stays] == ["LATE"]
    assert habits.expect(an_arrival(driver="EARLY")).of_driver == 0


HOURS = st.floats(0.0, 23.9)
STAYS = st.builds(
    a_stay,
    HOURS,
    st.floats(0.05, 60.0),
    st.floats(1.0, 1e5),
    weekday=st.integers(0, 6),
    announced_h=st.none() | st.floats(0.1, 30.0),
    asked_wh=st.none() | st.floats(10.0, 1e5),
    driver=st.none() | st.sampled_from("AB"),
    place=st.none() | st.sampled_from("xy"),
)


@given(
    st.lists(STAYS, max_size=12),
    STAYS,
    st.floats(0.0, 200.0),
    st.lists(st.floats(0.0, 100.0), min_size=3, max_size=3).map(sorted),
    st.floats(0.0, 2e5),
)
def test_what_is_expected_is_always_a_distribution(
    stays: list[Stay], newcomer: Stay, here_h: float, later: list[float], taken_wh: float
) -> None:
    expected = Habits.of(stays).expect(newcomer.arrival)
    now_h = newcomer.arrival.arrived_h + here_h
    here = [expected.still_here(now_h, now_h + hours) for hours in later]
    assert all(0.0 <= share <= 1.0 for share in here)
    assert here == sorted(here, reverse=True)
    departures = [expected.departure_h(now_h, share) for share in (0.1, 0.5, 0.9)]
    assert departures == sorted(departures)
    assert departures[0] >= now_h
    assert 0.0 < expected.remaining_wh(taken_wh) < math.inf
    energies = [expected.energy_wh(taken_wh, share) for share in (0.1, 0.5, 0.9)]
    assert taken_wh * (1.0 - 1e-9) <= energies[0] <= energies[1] <= energies[2] < math.inf
    assert 0.0 <= expected.alike <= len(stays) + 1e-6
