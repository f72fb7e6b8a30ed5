"""Prices over time: what a kilowatt-hour costs from when to when, and nothing where nobody knows.

Here are the pictures that tariffs and plans exchange: a curve of prices, a window of time, a grid of equal slots. How
prices come about (bands, forecasts of integrations) lies elsewhere. A curve is piecewise constant and may have gaps: a
price that is not known is never taken for zero, and whoever needs one everywhere lays a second curve beneath the first.
All times are UTC seconds, so that a day of 23 or 25 hours is nothing special here.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

LEAST_STEP_S = 300.0
MOST_STEP_S = 3600.0
USUAL_STEP_S = 900.0

G_PER_KG = 1000.0


class TariffFault(ValueError):
    """Something is wrong with prices or with what they are made of; its words say what would fit."""

    key = "tariff_fault"
    """Names the kind of fault for a sentence in the user's language."""

    @property
    def placeholders(self) -> dict[str, str]:
        """Return the names and figures of that sentence."""
        return {}


class BadGrid(TariffFault):
    """Slots that nobody can plan in."""

    key = "bad_grid"


class BadPrice(TariffFault):
    """A price that is no number, or holds for no time."""

    key = "bad_price"


@dataclass(frozen=True, slots=True)
class Window:
    """A time from when to when; UTC POSIX seconds, the end is not part of it."""

    start: float
    end: float

    @property
    def length_s(self) -> float:
        """Return how long it is."""
        return self.end - self.start

    def holds(self, when: float) -> bool:
        """Return whether a moment lies in it."""
        return self.start <= when < self.end


@dataclass(frozen=True, slots=True)
class Grid:
    """Slots of equal length, one after the other; the first begins at a multiple of their length."""

    start: float
    """UTC POSIX seconds."""
    step_s: float
    count: int

    def __post_init__(self) -> None:
        """Refuse what cannot be planned in. Raises BadGrid."""
        if not LEAST_STEP_S <= self.step_s <= MOST_STEP_S:
            raise BadGrid(f"slots of {self.step_s:g} s: {LEAST_STEP_S:g} s to {MOST_STEP_S:g} s fit")
        if self.count < 0 or not math.isfinite(self.start) or self.start % self.step_s:
            raise BadGrid(f"{self.count} slots from {self.start}: the first must begin at a multiple of {self.step_s}")

    @classmethod
    def covering(cls, start: float, end: float, step_s: float = USUAL_STEP_S) -> Grid:
        """Return the fewest slots that contain a span; none for one that has no length."""
        first, last = math.floor(start / step_s), math.ceil(end / step_s)
        return cls(first * step_s, step_s, max(0, last - first) if end > start else 0)

    @property
    def end(self) -> float:
        """Return when the last slot ends."""
        return self.start + self.count * self.step_s

    def slot(self, index: int) -> Window:
        """Return a slot."""
        return Window(self.start + index * self.step_s, self.start + (index + 1) * self.step_s)

    def slots(self) -> Iterator[Window]:
        """Yield all slots."""
        return (self.slot(index) for index in range(self.count))

    def index(self, when: float) -> int | None:
        """Return the slot that a moment lies in; None: it lies in none."""
        if not self.start <= when < self.end:
            return None
        return min(int((when - self.start) // self.step_s), self.count - 1)

    def inside(self, windows: Iterable[Window]) -> tuple[bool, ...]:
        """Return for each slot whether it lies wholly in the windows."""
        whole = merged(windows)
        ends = [window.end for window in whole]

        def is_inside(slot: Window) -> bool:
            at = bisect_left(ends, slot.end)
            return at < len(whole) and whole[at].start <= slot.start

        return tuple(is_inside(slot) for slot in self.slots())


def merged(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Return the same time in windows that neither touch nor overlap, in their order; empty ones are left out."""
    found: list[Window] = []
    for window in sorted((w for w in windows if w.end > w.start), key=lambda w: w.start):
        if found and window.start <= found[-1].end:
            found[-1] = Window(found[-1].start, max(found[-1].end, window.end))
        else:
            found.append(window)
    return tuple(found)


def common(first: Iterable[Window], second: Iterable[Window]) -> tuple[Window, ...]:
    """Return the time that lies in windows of both."""
    ours, theirs = merged(first), merged(second)
    found: list[Window] = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        start, end = max(ours[i].start, theirs[j].start), min(ours[i].end, theirs[j].end)
        if start < end:
            found.append(Window(start, end))
        if ours[i].end <= theirs[j].end:
            i += 1
        else:
            j += 1
    return tuple(found)


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A price and the time for which it holds."""

    start: float
    end: float
    price: float


@dataclass(frozen=True, slots=True)
class PriceCurve:
    """Prices over time, piecewise constant, sorted, not overlapping; where there is a gap nothing is known."""

    starts: tuple[float, ...] = ()
    """UTC POSIX seconds."""
    ends: tuple[float, ...] = ()
    prices: tuple[float, ...] = ()
    """Currency per kWh."""

    @classmethod
    def of(cls, points: Iterable[PricePoint]) -> PriceCurve:
        """Return the curve of points in any order; where two say something of one time, the one given later holds.

        Whoever revises a forecast appends to it, and what is given twice is given twice alike. Raises BadPrice.
        """
        given = list(points)
        for point in given:
            if not (math.isfinite(point.start) and math.isfinite(point.end) and math.isfinite(point.price)):
                raise BadPrice(f"a price of {point.price} from {point.start} to {point.end} is no number")
            if point.end <= point.start:
                raise BadPrice(f"the price from {point.start} ends at {point.end}, before it begins")
        order = sorted(range(len(given)), key=lambda index: given[index].start)
        bounds = sorted({bound for point in given for bound in (point.start, point.end)})
        holding: list[int] = []
        """Negative numbers of the points that have begun, the one given last on top."""
        pieces: list[tuple[float, float, int]] = []
        begun = 0
        for start, end in pairwise(bounds):
            while begun < len(order) and given[order[begun]].start <= start:
                heappush(holding, -order[begun])
                begun += 1
            while holding and given[-holding[0]].end <= start:
                heappop(holding)
            if holding:
                _append(pieces, start, end, -holding[0])
        return cls(
            tuple(start for start, _, _ in pieces),
            tuple(end for _, end, _ in pieces),
            tuple(given[index].price for _, _, index in pieces),
        )

    @classmethod
    def flat(cls, start: float, end: float, price: float) -> PriceCurve:
        """Return one price for a span; nothing for one that has no length."""
        return cls.of([PricePoint(start, end, price)]) if end > start else cls()

    def __bool__(self) -> bool:
        """Return whether anything is known."""
        return bool(self.starts)

    def points(self) -> Iterator[PricePoint]:
        """Yield the prices with their times."""
        return (PricePoint(*point) for point in zip(self.starts, self.ends, self.prices, strict=True))

    def at(self, when: float) -> float | None:
        """Return the price at a moment; None: it is not known."""
        piece = self._piece(when)
        return None if piece is None else self.prices[piece]

    def point_at(self, when: float) -> PricePoint | None:
        """Return the price at a moment with its time; None: it is not known."""
        piece = self._piece(when)
        return None if piece is None else PricePoint(self.starts[piece], self.ends[piece], self.prices[piece])

    def known_until(self, when: float) -> float:
        """Return until when every price from a moment on is known; the moment itself where nothing is."""
        piece = self._piece(when)
        if piece is None:
            return when
        while piece + 1 < len(self.starts) and self.starts[piece + 1] == self.ends[piece]:
            piece += 1
        return self.ends[piece]

    def mean(self, start: float, end: float) -> float | None:
        """Return the mean price of a span; None where any part of it is unknown, or where it has no length."""
        piece = self._piece(start)
        if piece is None or end <= start:
            return None
        if end <= self.ends[piece]:
            return self.prices[piece]
        total, reached = 0.0, start
        while reached < end:
            if piece == len(self.starts) or self.starts[piece] > reached:
                return None
            until = min(end, self.ends[piece])
            total += self.prices[piece] * (until - reached)
            reached, piece = until, piece + 1
        return total / (end - start)

    def on(self, grid: Grid) -> tuple[float | None, ...]:
        """Return the mean price of each slot."""
        return tuple(self.mean(slot.start, slot.end) for slot in grid.slots())

    def clipped(self, start: float, end: float) -> PriceCurve:
        """Return what is known of a span."""
        first, last = bisect_right(self.ends, start), bisect_left(self.starts, end)
        if start >= end or first >= last:
            return PriceCurve()
        return PriceCurve(
            (max(start, self.starts[first]), *self.starts[first + 1 : last]),
            (*self.ends[first : last - 1], min(end, self.ends[last - 1])),
            self.prices[first:last],
        )

    def scaled(self, factor: float, plus: float = 0.0) -> PriceCurve:
        """Return each price times a factor and plus an amount (tax, a fee)."""
        return PriceCurve(self.starts, self.ends, tuple(price * factor + plus for price in self.prices))

    def below(self, most: float) -> tuple[Window, ...]:
        """Return when it is known to be no dearer than a price."""
        return merged(Window(point.start, point.end) for point in self.points() if point.price <= most)

    def with_fallback(self, other: PriceCurve) -> PriceCurve:
        """Return this curve, and another one where nothing is known of this."""
        return _combined((self, other), lambda prices: prices[1] if prices[0] is None else prices[0])

    def _piece(self, when: float) -> int | None:
        piece = bisect_right(self.starts, when) - 1
        return piece if piece >= 0 and when < self.ends[piece] else None


def add(curves: Sequence[PriceCurve]) -> PriceCurve:
    """Return the sum of prices, known where each of them is; of no curves nothing is known."""

    def total(prices: Sequence[float | None]) -> float | None:
        known = [price for price in prices if price is not None]
        return math.fsum(known) if len(known) == len(prices) else None

    if len(curves) == 1:
        return curves[0]
    return _combined(curves, total)


def blend(price: PriceCurve, co2: PriceCurve, weight: float, value_per_kg: float = 1.0) -> PriceCurve:
    """Return what a plan minimises: prices and emissions in one, as currency per kWh.

    Where nothing is known of the emissions their mean stands for them, so that such a time is neither favoured nor
    avoided; where nothing is known of them at all the prices stay as they are.

    Args:
        price: currency per kWh.
        co2: grams per kWh.
        weight: 0: only the price counts, 1: only the emissions.
        value_per_kg: what a kilogram counts as, in the currency; it makes the two comparable.
    """
    if not co2 or weight <= 0.0:
        return price
    spans = [point.end - point.start for point in co2.points()]
    usual = math.fsum(g * span for g, span in zip(co2.prices, spans, strict=True)) / math.fsum(spans)
    share = min(weight, 1.0)

    def mixed(values: Sequence[float | None]) -> float | None:
        if values[0] is None:
            return None
        grams = usual if values[1] is None else values[1]
        return (1.0 - share) * values[0] + share * grams / G_PER_KG * value_per_kg

    return _combined((price, co2), mixed)


def _combined(curves: Sequence[PriceCurve], combine: Callable[[Sequence[float | None]], float | None]) -> PriceCurve:
    """Return what becomes of several curves, moment by moment; None: nothing is known."""
    bounds = sorted({bound for curve in curves for bound in (*curve.starts, *curve.ends)})
    pieces: list[tuple[float, float, float]] = []
    for start, end in pairwise(bounds):
        price = combine([curve.at(start) for curve in curves])
        if price is not None:
            _append(pieces, start, end, price)
    return PriceCurve(
        tuple(start for start, _, _ in pieces),
        tuple(end for _, end, _ in pieces),
        tuple(price for _, _, price in pieces),
    )


def _append[What: float](pieces: list[tuple[float, float, What]], start: float, end: float, what: What) -> None:
    """Add a piece, or lengthen the last one where it says the same and ends here."""
    if pieces and pieces[-1][1] == start and pieces[-1][2] == what:
        pieces[-1] = (pieces[-1][0], end, what)
    else:
        pieces.append((start, end, what))
