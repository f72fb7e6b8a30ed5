"""What a set of profiles allows at a time, whoever wrote them."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.ocpp.held import DAY_S, WEEK_S, HeldProfile, allowed_a, most_allowed_a
from custom_components.charge_cluster.ocpp.profiles import Kind, Purpose, RateUnit
from custom_components.charge_cluster.ocpp.schedules import Schedule, Step
from custom_components.charge_cluster.ocpp.voltages import LOWEST_V

NOW = 1_796_000_000.0
HARDWARE_A = 32.0
HOUR = 3600.0


def schedule(*steps: tuple[float, float], **more: Any) -> Schedule:
    return Schedule(
        **{
            "unit": RateUnit.AMPS,
            "steps": tuple(Step(start_s=start, limit=limit) for start, limit in steps),
            **more,
        }
    )


def profile(*steps: tuple[float, float], **more: Any) -> HeldProfile:
    of_schedule = {name: more.pop(name) for name in ("unit", "starts_at", "duration_s") if name in more}
    return HeldProfile(
        **{
            "profile_id": 1,
            "connector": 1,
            "level": 0,
            "purpose": Purpose.DEFAULT,
            "kind": Kind.ABSOLUTE,
            "schedules": (schedule(*steps, **{"starts_at": NOW, **of_schedule}),),
            **more,
        }
    )


def allowed(*profiles: HeldProfile, at: float = 0.0, **more: Any) -> float:
    return allowed_a(profiles, 1, NOW + at, maximum_a=HARDWARE_A, **more)


def test_without_a_profile_the_hardware_is_the_limit() -> None:
    assert allowed() == HARDWARE_A
    assert allowed(profile((0, 6), connector=2)) == HARDWARE_A


def test_an_absolute_schedule_counts_from_its_start() -> None:
    steps = profile((0, 16), (HOUR, 10), (2 * HOUR, 6))
    assert [allowed(steps, at=at) for at in (-1, 0, HOUR - 1, HOUR, 9 * HOUR)] == [HARDWARE_A, 16, 16, 10, 6]


def test_a_relative_schedule_counts_from_the_start_of_the_transaction() -> None:
    steps = profile((0, 16), (HOUR, 6), kind=Kind.RELATIVE, starts_at=None)
    assert allowed(steps, at=HOUR, began_at=NOW) == 6
    assert allowed(steps, at=HOUR, began_at=NOW + 60) == 16
    # One that is not known yet begins now.
    assert allowed(steps, at=HOUR) == 16


@pytest.mark.parametrize(("every_s", "days"), [(DAY_S, 1), (WEEK_S, 7)])
def test_a_recurring_schedule_begins_anew(every_s: float, days: int) -> None:
    nightly = profile((0, 16), (8 * HOUR, 6), kind=Kind.RECURRING, recurs_s=every_s)
    assert [allowed(nightly, at=at) for at in (HOUR, 9 * HOUR)] == [16, 6]
    later = 30 * days * DAY_S
    assert [allowed(nightly, at=later + at) for at in (HOUR, 9 * HOUR)] == [16, 6]
    assert allowed(nightly, at=-1) == HARDWARE_A


def test_after_a_duration_that_is_shorter_than_the_schedule_the_level_below_counts() -> None:
    above = profile((0, 16), (HOUR, 10), level=3, duration_s=HOUR / 2)
    below = profile((0, 6))
    assert [allowed(above, below, at=at) for at in (0, HOUR / 2 - 1, HOUR / 2, 2 * HOUR)] == [16, 16, 6, 6]


def test_a_profile_says_nothing_outside_its_validity() -> None:
    within = profile((0, 16), level=1, valid_from=NOW + 60, valid_to=NOW + 120)
    below = profile((0, 6))
    assert [allowed(within, below, at=at) for at in (0, 59, 60, 119, 120)] == [6, 6, 16, 16, 6]


def test_the_highest_level_counts_upward_too() -> None:
    assert allowed(profile((0, 6), level=0), profile((0, 16), level=8), profile((0, 10), level=3)) == 16


def test_the_profile_of_a_transaction_stands_in_place_of_the_default() -> None:
    default = profile((0, 6), level=9)
    own = profile((0, 16), purpose=Purpose.TRANSACTION, transaction="tx")
    assert allowed(default, own, transaction="tx") == 16
    assert allowed(default, own, transaction="another") == 6
    assert allowed(default, own) == 6


def test_maxima_and_limits_from_outside_only_lower() -> None:
    own = profile((0, 16), purpose=Purpose.TRANSACTION)
    maximum = profile((0, 10), purpose=Purpose.STATION_MAXIMUM, connector=0)
    outside = profile((0, 8), purpose=Purpose.EXTERNAL, connector=0)
    assert (allowed(own, maximum), allowed(own, maximum, outside)) == (10, 8)
    assert allowed(profile((0, 6)), maximum) == 6
    assert allowed(profile((0, 99))) == HARDWARE_A


def test_what_is_generated_on_site_adds_to_a_maximum_and_to_nothing_else() -> None:
    generated = profile((0, 5), purpose=Purpose.GENERATION, connector=0)
    maximum = profile((0, 10), purpose=Purpose.STATION_MAXIMUM, connector=0)
    own = profile((0, 16), purpose=Purpose.TRANSACTION)
    assert allowed(own, maximum, generated) == 15
    assert allowed(profile((0, 6)), generated) == 6


def test_a_driver_who_goes_first_may_have_more_than_the_transactions_profile() -> None:
    first = profile((0, 20), purpose=Purpose.PRIORITY)
    assert allowed(profile((0, 6)), first) == 20


def test_watts_count_as_if_they_flowed_on_one_phase() -> None:
    assert allowed(profile((0, 3 * 6 * LOWEST_V), unit=RateUnit.WATTS)) == pytest.approx(18)


def test_of_several_schedules_the_highest_counts() -> None:
    both = profile((0, 0), schedules=(schedule((0, 6), starts_at=NOW), schedule((0, 12), starts_at=NOW)))
    assert allowed(both) == 12


def test_a_profile_that_cannot_be_read_may_allow_anything() -> None:
    assert allowed(profile((0, 0), schedules=())) == HARDWARE_A
    assert allowed(profile((0, 0), schedules=(), valid_to=NOW), profile((0, 6))) == 6


STEPS = st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 40)), min_size=1, max_size=4).map(sorted)
TIMES = st.none() | st.floats(-2 * DAY_S, 2 * DAY_S).map(lambda s: NOW + s)


@st.composite
def profiles(draw: st.DrawFn) -> HeldProfile:
    kind = draw(st.sampled_from([Kind.ABSOLUTE, Kind.RELATIVE, Kind.RECURRING]))
    return profile(
        *draw(STEPS),
        kind=kind,
        purpose=draw(st.sampled_from(list(Purpose))),
        level=draw(st.integers(0, 3)),
        connector=draw(st.integers(0, 2)),
        starts_at=None if kind is Kind.RELATIVE else draw(TIMES),
        duration_s=draw(st.none() | st.floats(1, 100_000)),
        valid_from=draw(TIMES),
        valid_to=draw(TIMES),
        recurs_s=draw(st.sampled_from([DAY_S, WEEK_S])) if kind is Kind.RECURRING else None,
    )


@given(st.lists(profiles(), max_size=5), st.lists(st.floats(0, WEEK_S), min_size=1, max_size=20))
def test_the_most_of_a_span_is_what_is_reached_in_it_and_never_exceeded(
    held: list[HeldProfile], offsets: list[float]
) -> None:
    most = most_allowed_a(held, 1, NOW, NOW + WEEK_S, maximum_a=HARDWARE_A)
    assert 0 <= most <= HARDWARE_A
    for offset in offsets:
        assert allowed(*held, at=offset, began_at=NOW) <= most


@given(st.lists(profiles(), max_size=4), st.floats(0, DAY_S), st.integers(0, 40))
def test_a_maximum_never_raises(held: list[HeldProfile], at: float, limit: int) -> None:
    without_generation = [known for known in held if known.purpose is not Purpose.GENERATION]
    maximum = profile((0, limit), purpose=Purpose.STATION_MAXIMUM, connector=0, level=9, starts_at=NOW - 1)
    assert allowed(*without_generation, maximum, at=at) <= limit


def test_more_changes_than_can_be_reckoned_with_count_as_the_hardware() -> None:
    minutes = [(60.0 * n, 6.0) for n in range(1440)]
    flood = [
        profile(*minutes, kind=Kind.RECURRING, recurs_s=DAY_S, starts_at=NOW - n / 100, profile_id=n) for n in range(5)
    ]
    assert most_allowed_a(flood, 1, NOW, NOW + WEEK_S, maximum_a=HARDWARE_A) == HARDWARE_A
