"""Timestamps, and what they say about a charger's clock."""

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.ocpp.times import ChargerClock, read_stamp, stamp

NOW = 1_795_000_000.0


@given(st.floats(min_value=0, max_value=7e9))
def test_a_stamp_is_read_as_it_was_written(posix_s: float) -> None:
    assert read_stamp(stamp(posix_s)) == pytest.approx(posix_s, abs=0.001)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_time_can_be_written(posix_s: float) -> None:
    assert stamp(posix_s).endswith("Z")


@given(st.text() | st.integers() | st.none())
def test_any_stamp_is_a_time_or_none(raw: object) -> None:
    read_stamp(raw)


@pytest.mark.parametrize(
    ("raw", "posix_s"),
    [
        ("2026-11-23T12:00:00Z", 1795435200.0),
        ("2026-11-23T12:00:00", 1795435200.0),
        ("2026-11-23T13:00:00+01:00", 1795435200.0),
        ("2026-11-23T12:00:00.500Z", 1795435200.5),
        ("yesterday", None),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("2026-11-23T12:00:00Z" * 3, None),
    ],
)
def test_stamps_of_the_field(raw: str, posix_s: float | None) -> None:
    assert read_stamp(raw) == posix_s


def test_before_any_stamp_the_offset_is_uncertain() -> None:
    clock = ChargerClock()
    assert (clock.known, clock.offset.offset_s, clock.offset.uncertainty_s) == (False, 0, 30)


def test_a_charger_with_the_right_time_is_known_after_one_message() -> None:
    clock = ChargerClock()
    clock.saw(NOW - 0.4, NOW)
    assert clock.offset.offset_s == pytest.approx(0, abs=0.5)
    assert clock.offset.uncertainty_s == 2


def test_a_clock_that_is_ahead_is_believed_at_once() -> None:
    clock = ChargerClock()
    clock.saw(NOW + 3600, NOW)
    assert clock.offset.offset_s == 3600
    assert clock.age(NOW + 3600, NOW) == 0


def test_one_stamp_that_is_behind_is_an_old_message() -> None:
    clock = ChargerClock()
    clock.saw(NOW - 600, NOW)
    assert clock.offset.offset_s == 0
    assert clock.age(NOW - 600, NOW) == 600


def test_old_messages_delivered_together_do_not_move_the_clock() -> None:
    clock = ChargerClock()
    for i in range(4):
        clock.saw(NOW - 600 + i * 0.1, NOW + i * 0.1)
    assert clock.offset.offset_s == 0


def test_stamps_that_stay_behind_for_some_time_are_a_clock_that_is_behind() -> None:
    clock = ChargerClock()
    for i in range(3):
        clock.saw(NOW - 600 + i * 10, NOW + i * 10)
    assert clock.offset.offset_s == -600
    assert clock.offset.uncertainty_s == 2
    assert clock.age(NOW - 600 + 30, NOW + 30) == 0


def test_a_clock_that_is_set_back_is_noticed() -> None:
    clock = ChargerClock()
    for i in range(5):
        clock.saw(NOW + 100 + i * 10, NOW + i * 10)
    for i in range(3):
        clock.saw(NOW + 100 + i * 10, NOW + 100 + i * 10)
    assert clock.offset.offset_s == 0


def test_a_restart_forgets_the_clock() -> None:
    clock = ChargerClock()
    clock.saw(NOW + 3600, NOW)
    clock.forget()
    assert (clock.known, clock.offset.offset_s) == (False, 0)
