"""The highest demand of a month, as it is measured and kept, and what a plan may draw before it rises."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from custom_components.charge_cluster.engine.tariff import Grid
from custom_components.charge_cluster.site.month_peak import KeptPeak, MonthPeak, PeakView, month_start, phase_watts

BERLIN = ZoneInfo("Europe/Berlin")
MARCH = datetime(2027, 3, 1, tzinfo=BERLIN).timestamp()
APRIL = datetime(2027, 4, 1, tzinfo=BERLIN).timestamp()
NOON = datetime(2027, 3, 10, 12, 0, tzinfo=BERLIN).timestamp()
QUARTER_S = 900.0


class Shelf:
    def __init__(self) -> None:
        self.kept: list[KeptPeak] = []
        self.told: list[int] = []

    def keep_peak(self, peak: KeptPeak) -> None:
        self.kept.append(peak)


def a_peak() -> tuple[MonthPeak, Shelf]:
    shelf = Shelf()
    return MonthPeak(shelf, lambda: BERLIN, lambda: shelf.told.append(len(shelf.kept))), shelf


def quarters(peak: MonthPeak, start: float, *watts: float, minutes: int = 15) -> None:
    """Let the supply carry so much, a quarter of an hour each, and one minute more of nothing."""
    for number, power_w in enumerate(watts):
        for minute in range(minutes):
            peak.take(start + number * QUARTER_S + 60.0 * minute, power_w)
    peak.take(start + len(watts) * QUARTER_S, 0.0)


def test_the_highest_mean_of_a_quarter_of_an_hour_is_kept_and_a_lower_one_changes_nothing() -> None:
    peak, shelf = a_peak()
    quarters(peak, NOON, 20_000.0, 30_000.0, 25_000.0)
    assert peak.of_month(NOON) == pytest.approx(30_000.0)
    assert [round(kept.watts) for kept in shelf.kept] == [20_000, 30_000]
    assert shelf.kept[-1].start == MARCH


def test_a_short_jump_counts_by_its_part_of_the_quarter() -> None:
    peak, _ = a_peak()
    for minute in range(16):
        peak.take(NOON + 60.0 * minute, 90_000.0 if minute == 3 else 15_000.0)
    assert peak.of_month(NOON) == pytest.approx(20_000.0)


def test_a_quarter_of_which_little_was_seen_is_left_out() -> None:
    peak, shelf = a_peak()
    quarters(peak, NOON, 50_000.0, minutes=7)
    assert not shelf.kept
    quarters(peak, NOON + 2 * QUARTER_S, 40_000.0, minutes=8)
    assert peak.of_month(NOON) == pytest.approx(40_000.0)


def test_a_month_of_the_local_clock_begins_anew() -> None:
    """1 April begins in Berlin at 22:00 UTC; a restart on either side goes on with what belongs to the month."""
    peak, shelf = a_peak()
    quarters(peak, APRIL - QUARTER_S, 60_000.0, 10_000.0)
    assert shelf.kept == [
        KeptPeak(start=MARCH, watts=60_000.0, at=APRIL - QUARTER_S),
        KeptPeak(start=APRIL, watts=10_000.0, at=APRIL),
    ]
    assert peak.of_month(APRIL) == 10_000.0
    again, _ = a_peak()
    again.restore(shelf.kept[0])
    assert (again.of_month(APRIL - 1.0), again.of_month(APRIL)) == (60_000.0, 0.0)
    assert month_start(APRIL - 1.0, BERLIN) == MARCH


def test_what_is_shown_is_told_when_it_rises_and_when_a_month_begins() -> None:
    peak, shelf = a_peak()
    peak.look(NOON)
    assert shelf.told == [0]
    assert peak.view(NOON, 80.0) == PeakView(start=MARCH, watts=None, at=None, cost=None)
    quarters(peak, NOON, 20_000.0, 15_000.0)
    assert shelf.told == [0, 1]
    assert peak.view(NOON, 80.0) == PeakView(start=MARCH, watts=20_000.0, at=NOON, cost=1600.0)
    peak.look(APRIL - 1.0)
    assert shelf.told == [0, 1]
    peak.look(APRIL)
    assert shelf.told == [0, 1, 1]
    assert peak.view(APRIL, 80.0) == PeakView(start=APRIL, watts=None, at=None, cost=None)


def test_a_peak_that_was_kept_before_its_time_was_is_shown() -> None:
    peak, _ = a_peak()
    peak.restore(KeptPeak(start=MARCH, watts=20_000.0))
    assert peak.view(NOON, 50.0) == PeakView(start=MARCH, watts=20_000.0, at=None, cost=1000.0)


def test_free_is_what_lies_below_the_peak_of_the_month_and_what_the_base_load_makes_of_it() -> None:
    """In March 20 kW were drawn, in April nothing yet, but the base load will draw 6.9 kW there."""
    peak, _ = a_peak()
    peak.restore(KeptPeak(start=MARCH, watts=20_000.0))
    grid = Grid(APRIL - 2 * QUARTER_S, QUARTER_S, 4)
    base_a = [(10.0, 10.0, 10.0), (0.0, 0.0, 0.0), (10.0, 10.0, 10.0), (4.0, 4.0, 4.0)]
    charge = peak.charge(90.0, grid, base_a, [0.0, 5000.0, 0.0, 0.0])
    assert charge.per_kw == 90.0
    assert charge.free_w == pytest.approx([13_100.0, 15_000.0, 0.0, 6 * 690.0])


def test_what_was_taken_out_of_the_room_is_told_in_watts() -> None:
    assert phase_watts([(16.0, 16.0, 16.0), (9.0, 9.0, 9.0)], [(10.0, 10.0, 16.0), (9.0, 9.0, 9.0)]) == [2760.0, 0.0]
