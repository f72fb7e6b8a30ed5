"""What curves of prices promise, against an oracle that asks every minute."""

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.tariff import (
    BadGrid,
    BadPrice,
    Grid,
    PriceCurve,
    PricePoint,
    Window,
    add,
    blend,
    common,
    merged,
)

MINUTE_S = 60.0
MINUTES = 120
NOON = 1_700_000_100.0 // 900.0 * 900.0

prices = st.integers(-50, 50).map(lambda cents: cents / 100.0)


@st.composite
def points(draw: st.DrawFn) -> PricePoint:
    """A price for some whole minutes, negative ones too."""
    first = draw(st.integers(0, MINUTES - 1))
    last = draw(st.integers(first + 1, MINUTES))
    return PricePoint(NOON + first * MINUTE_S, NOON + last * MINUTE_S, draw(prices))


def of_each_minute(given_points: Sequence[PricePoint]) -> list[float | None]:
    """Return what the last of the points that hold says of each minute."""
    found: list[float | None] = [None] * MINUTES
    for point in given_points:
        for minute in range(MINUTES):
            if point.start <= NOON + minute * MINUTE_S < point.end:
                found[minute] = point.price
    return found


curves = st.lists(points(), max_size=8)


def asked(curve: PriceCurve) -> list[float | None]:
    return [curve.at(NOON + minute * MINUTE_S) for minute in range(MINUTES)]


def is_a_curve(curve: PriceCurve) -> bool:
    ordered = [bound for point in curve.points() for bound in (point.start, point.end)]
    return ordered == sorted(ordered) and all(point.start < point.end for point in curve.points())


@given(curves)
def test_points_in_any_order_twice_and_over_each_other_are_what_was_said_last(many: list[PricePoint]) -> None:
    curve = PriceCurve.of(many)

    assert is_a_curve(curve)
    assert asked(curve) == of_each_minute(many)


@given(curves, st.integers(0, MINUTES), st.integers(0, MINUTES))
def test_a_mean_is_that_of_the_minutes_and_nothing_where_one_is_unknown(
    many: list[PricePoint], first: int, last: int
) -> None:
    minutes = of_each_minute(many)[first:last]
    mean = PriceCurve.of(many).mean(NOON + first * MINUTE_S, NOON + last * MINUTE_S)

    if not minutes or None in minutes:
        assert mean is None
    else:
        assert mean == pytest.approx(math.fsum(price for price in minutes if price is not None) / len(minutes))


@given(curves, curves, st.sampled_from([300.0, 900.0, 1800.0, 3600.0]))
def test_what_is_combined_is_combined_minute_by_minute(
    some: list[PricePoint], others: list[PricePoint], step_s: float
) -> None:
    first, second = PriceCurve.of(some), PriceCurve.of(others)
    pairs = list(zip(of_each_minute(some), of_each_minute(others), strict=True))

    total = add([first, second])
    assert is_a_curve(total)
    assert asked(total) == [None if a is None or b is None else math.fsum((a, b)) for a, b in pairs]
    assert asked(first.with_fallback(second)) == [b if a is None else a for a, b in pairs]
    assert asked(first.clipped(NOON + 600, NOON + 1200))[10:20] == of_each_minute(some)[10:20]
    grid = Grid.covering(NOON, NOON + 3600.0, step_s)
    assert list(total.on(grid)) == [total.mean(slot.start, slot.end) for slot in grid.slots()]


@given(curves, st.floats(0.0, 1.0))
def test_emissions_that_nobody_knows_count_as_their_mean(many: list[PricePoint], weight: float) -> None:
    price = PriceCurve.flat(NOON, NOON + MINUTES * MINUTE_S, 0.30)
    grams = PriceCurve.of(many)
    known = [value for value in asked(grams) if value is not None]

    mixed = asked(blend(price, grams, weight, value_per_kg=2.0))

    if not known:
        assert mixed == [0.30] * MINUTES
        return
    mean = math.fsum(known) / len(known)
    for got, emitted in zip(mixed, asked(grams), strict=True):
        value = (mean if emitted is None else emitted) / 1000.0 * 2.0
        assert got == pytest.approx((1 - weight) * 0.30 + weight * value)


windows = st.lists(
    st.tuples(st.integers(0, MINUTES), st.integers(0, MINUTES)).map(
        lambda pair: Window(NOON + pair[0] * MINUTE_S, NOON + pair[1] * MINUTE_S)
    ),
    max_size=6,
)


def minutes_in(many: Sequence[Window]) -> set[int]:
    return {m for m in range(MINUTES) if any(window.holds(NOON + m * MINUTE_S) for window in many)}


@given(windows, windows)
def test_windows_are_merged_and_cut_as_sets_of_minutes(some: list[Window], others: list[Window]) -> None:
    whole = merged(some)
    assert minutes_in(whole) == minutes_in(some)
    assert all(before.end < after.start for before, after in pairwise(whole))
    assert minutes_in(common(some, others)) == minutes_in(some) & minutes_in(others)
    grid = Grid(NOON, 900.0, MINUTES // 15)
    held = minutes_in(some)
    wholly = [all(15 * slot + m in held for m in range(15)) for slot in range(grid.count)]
    assert list(grid.inside(some)) == wholly


def test_what_is_no_price_is_refused() -> None:
    for bad in (PricePoint(5.0, 5.0, 0.1), PricePoint(9.0, 5.0, 0.1), PricePoint(0.0, 5.0, math.nan)):
        with pytest.raises(BadPrice):
            PriceCurve.of([bad])


def test_a_grid_begins_at_a_multiple_of_slots_of_5_to_60_minutes() -> None:
    assert Grid.covering(NOON + 1.0, NOON + 901.0) == Grid(NOON, 900.0, 2)
    assert Grid.covering(NOON, NOON).count == 0
    assert Grid(NOON, 900.0, 2).index(NOON + 1799.9) == 1
    assert Grid(NOON, 900.0, 2).index(NOON + 1800.0) is None
    for start, step_s in ((NOON + 1.0, 900.0), (NOON, 299.0), (NOON, 3601.0)):
        with pytest.raises(BadGrid):
            Grid(start, step_s, 1)


@given(curves, st.integers(0, MINUTES), st.integers(0, MINUTES))
def test_what_is_clipped_is_known_of_its_span_and_of_nothing_else(
    many: list[PricePoint], first: int, last: int
) -> None:
    start, end = NOON + first * MINUTE_S, NOON + last * MINUTE_S
    clipped = PriceCurve.of(many).clipped(start, end)

    assert is_a_curve(clipped)
    of_all = of_each_minute(many)
    assert asked(clipped) == [price if first <= minute < last else None for minute, price in enumerate(of_all)]


def test_known_is_known_until_the_first_gap() -> None:
    curve = PriceCurve.of([PricePoint(0, 10, 1.0), PricePoint(10, 20, 2.0), PricePoint(30, 40, -1.0)])

    assert [curve.known_until(when) for when in (0, 15, 25, 35)] == [20, 20, 25, 40]
    assert curve.below(1.0) == (Window(0, 10), Window(30, 40))
    assert curve.scaled(1.2, 0.1).at(35) == pytest.approx(-1.1)
    assert curve.point_at(12) == PricePoint(10, 20, 2.0)
