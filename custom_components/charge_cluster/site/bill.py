"""What the energy of a session costs, and what it would have cost had its vehicle charged at once.

Energy is told now and then, and prices change meanwhile: what was taken since it was told last costs what energy cost
in that time, each moment counting by what the connector was allowed. Energy taken while no price was known is counted
by itself, and never taken for free.

To charge at once means: from plug-in on with the power that the vehicle was seen to take, so much as it has taken
really. The prices since plug-in are kept with the session for that, as nobody tells those of yesterday again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from ..engine.tariff import PriceCurve

SECONDS_AN_HOUR = 3600.0
WH_PER_KWH = 1000.0

MOST_PRICES = 400
"""Kept of a session: four days of quarters of an hour. Nobody charges for longer at a stretch."""

FORBIDDEN_A = 1e-6
"""How much time counts in which nothing was allowed: where there is no other, the vehicle took it all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostView:
    """What a session costs, as it is shown; in the currency of its site."""

    cost: float | None = None
    """So far; None: no price was known."""
    unpriced_wh: float = 0.0
    """Taken while no price was known: it is not part of the cost."""
    saving: float | None = None
    """Against charging at once, below zero where that would have been cheaper; None: not known."""
    forecast: float | None = None
    """So far and what is planned; None: nothing is planned, or not all prices are known."""
    forecast_saving: float | None = None
    currency: str | None = None
    """ISO 4217; None: no price was known."""


NO_COSTS = CostView()


@dataclass(slots=True, kw_only=True)
class Bill:
    """What a session costs so far; kept over a restart. Times are UTC POSIX seconds."""

    until: float | None = None
    """Up to here time was looked at; None: not yet."""
    price: float | None = None
    """What energy cost then."""
    currency: str | None = None
    prices: list[tuple[float, float | None]] = field(default_factory=list)
    """From when on energy has cost what, since plug-in."""
    taken_wh: float = 0.0
    """What is accounted for."""
    cost: float = 0.0
    unpriced_wh: float = 0.0
    most_w: float = 0.0
    """The most that the vehicle was seen to take."""
    known_as: float = 0.0
    costly_as: float = 0.0
    unknown_as: float = 0.0
    """Ampere-seconds that were allowed since energy was told last: at known prices, times these, at unknown ones."""
    saving: float | None = None
    forecast: float | None = None
    forecast_saving: float | None = None
    booked: bool = False
    booked_cost: float = 0.0
    booked_saving: float = 0.0
    booked_wh: float = 0.0
    booked_unpriced_wh: float = 0.0
    """What of it is part of the account of a month."""

    def pass_time(self, start: float, end: float, price: float | None, allowed_a: float) -> None:
        """Take note of what energy cost and what was allowed in a span; one comes after the other."""
        if end <= start:
            return
        if (not self.prices or self.prices[-1][1] != price) and len(self.prices) < MOST_PRICES:
            self.prices.append((start, price))
        weight = max(allowed_a, FORBIDDEN_A) * (end - start)
        if price is None:
            self.unknown_as += weight
        else:
            self.known_as += weight
            self.costly_as += weight * price
        self.until, self.price = end, price

    def take(self, energy_wh: float) -> None:
        """Account for what a session has taken by now."""
        more_wh = energy_wh - self.taken_wh
        if more_wh < 0.0:
            # A register that came later says less than was measured.
            share = max(0.0, energy_wh) / self.taken_wh
            self.cost, self.unpriced_wh = self.cost * share, self.unpriced_wh * share
        elif more_wh > 0.0:
            self._add(more_wh)
            self.take_nothing()
        self.taken_wh = max(0.0, energy_wh)

    def _add(self, more_wh: float) -> None:
        whole = self.known_as + self.unknown_as
        known = self.known_as / whole if whole else float(self.price is not None)
        mean = self.costly_as / self.known_as if self.known_as else self.price or 0.0
        self.cost += mean * known * more_wh / WH_PER_KWH
        self.unpriced_wh += (1.0 - known) * more_wh

    def take_nothing(self) -> None:
        """Take note that nothing was taken since energy was told last, or that it is accounted for."""
        self.known_as = self.costly_as = self.unknown_as = 0.0

    @property
    def cost_known(self) -> float | None:
        """Return what it costs so far; None: no price was known."""
        if self.taken_wh <= 0.0:
            return None if self.price is None else 0.0
        return None if self.unpriced_wh >= self.taken_wh else self.cost

    def at_once(self, energy_wh: float, most_w: float, ahead: PriceCurve | None = None) -> float | None:
        """Return what so much would have cost with so many watts from plug-in on; None: not all prices are known.

        Args:
            energy_wh: it may be more than was taken.
            most_w: what to go by where the vehicle was not seen to take anything.
            ahead: prices of the time to come.
        """
        if energy_wh <= 0.0:
            return 0.0
        began = self.prices[0][0] if self.prices else None
        if began is None or self.until is None:
            return None
        lasted_h = (self.until - began) / SECONDS_AN_HOUR
        power_w = max(self.most_w or most_w, self.taken_wh / lasted_h if lasted_h else 0.0)
        if power_w <= 0.0:
            return None
        ends, cost = began + energy_wh / power_w * SECONDS_AN_HOUR, 0.0
        for start, end, price in self._steps(ends, ahead):
            if price is None:
                return None
            cost += price * power_w / WH_PER_KWH * (end - start) / SECONDS_AN_HOUR
        return cost

    def _steps(self, ends: float, ahead: PriceCurve | None) -> Iterator[tuple[float, float, float | None]]:
        """Yield from when to when which price holds, from plug-in to a time."""
        until = self.until or 0.0
        bounds = [*(start for start, _ in self.prices), until]
        for (start, end), (_, price) in zip(pairwise(bounds), self.prices, strict=True):
            if start >= ends:
                return
            yield start, min(end, ends), price
        if ends <= until:
            return
        at = until
        for point in (PriceCurve() if ahead is None else ahead.clipped(until, ends)).points():
            if point.start > at:
                break
            yield at, point.end, point.price
            at = point.end
        # A hair's breadth is none: sums of spans do not come out even.
        if ends - at > 1.0:
            yield at, ends, None

    def save(self, most_w: float) -> None:
        """Compare what it costs so far with charging at once."""
        cost, at_once = self.cost_known, self.at_once(self.taken_wh, most_w)
        # What was taken without a price would look like a saving.
        known = cost is not None and at_once is not None and self.unpriced_wh <= 0.0
        self.saving = at_once - cost if known and cost is not None and at_once is not None else None

    def view(self) -> CostView:
        """Return the picture of it."""
        return CostView(
            cost=self.cost_known,
            unpriced_wh=self.unpriced_wh,
            saving=self.saving,
            forecast=self.forecast,
            forecast_saving=self.forecast_saving,
            currency=self.currency,
        )
