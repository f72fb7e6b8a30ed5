"""What the energy of a session costs, and what it would have cost had its vehicle charged at once, or been alone.

Energy is told now and then, and prices change meanwhile: what was taken since it was told last costs what energy cost
in that time, each moment counting by what the connector was allowed. Energy taken while no price was known is counted
by itself, and never taken for free.

To charge at once means: from plug-in on with the power that the vehicle was seen to take, so much as it has taken
really. The prices since plug-in are kept with the session for that, as nobody tells those of yesterday again.

To be alone means: in the cheapest hours of its stay with that power, as if the supply were its own and as if it had
been known from the first when it leaves. No plan can do better, so that this tells what sharing the supply, and not
knowing, have cost.
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

NOTHING_WH = 1.0
"""So much is a matter of rounding."""

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
    saving_against_alone: float | None = None
    """Against the cheapest hours of its stay so far as if it were alone: hardly ever above zero; None: not known."""
    forecast_saving_against_alone: float | None = None


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
    saving_against_alone: float | None = None
    forecast: float | None = None
    forecast_saving: float | None = None
    forecast_saving_against_alone: float | None = None
    could_w: float = 0.0
    """What to go by where the vehicle was not seen to take anything."""
    booked: bool = False
    booked_cost: float = 0.0
    booked_saving: float = 0.0
    booked_saving_against_alone: float = 0.0
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
        power_w = self._power_w(most_w)
        if power_w <= 0.0:
            return None
        ends, cost = self.prices[0][0] + energy_wh / power_w * SECONDS_AN_HOUR, 0.0
        for start, end, price in self._steps(ends, ahead):
            if price is None:
                return None
            cost += price * power_w / WH_PER_KWH * (end - start) / SECONDS_AN_HOUR
        return cost

    def alone(
        self, energy_wh: float, most_w: float, leaves_at: float | None = None, ahead: PriceCurve | None = None
    ) -> float | None:
        """Return what so much would have cost in the cheapest hours of the stay; None: not all prices are known.

        Args:
            energy_wh: it may be more than was taken.
            most_w: what to go by where the vehicle was not seen to take anything.
            leaves_at: until when it stays, UTC POSIX seconds; None: until it was looked at last.
            ahead: prices of the time to come.
        """
        if energy_wh <= 0.0:
            return 0.0
        power_w = self._power_w(most_w)
        if power_w <= 0.0:
            return None
        spans: list[tuple[float, float]] = []
        for start, end, price in self._steps(self.until or 0.0 if leaves_at is None else leaves_at, ahead):
            if price is None:
                return None
            spans.append((price, (end - start) / SECONDS_AN_HOUR))
        left_wh, cost = energy_wh, 0.0
        for price, hours in sorted(spans):
            taken_wh = min(left_wh, power_w * hours)
            cost += price * taken_wh / WH_PER_KWH
            left_wh -= taken_wh
        # What does not fit into the stay with the power that was seen is no vehicle that can be compared.
        return cost if left_wh <= NOTHING_WH else None

    def _power_w(self, most_w: float) -> float:
        """Return the power with which it would have charged; 0: nothing is known of it."""
        if not self.prices or self.until is None:
            return 0.0
        lasted_h = (self.until - self.prices[0][0]) / SECONDS_AN_HOUR
        return max(self.most_w or most_w, self.taken_wh / lasted_h if lasted_h else 0.0)

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
        """Compare what it costs so far with charging at once, and with the cheapest hours for it alone."""
        self.could_w = most_w
        self.saving = self._less_than(self.at_once(self.taken_wh, most_w))
        self.compare_with_alone()

    def compare_with_alone(self) -> None:
        """Compare it with the cheapest hours until now: those that come after it has all that it wants count, too."""
        self.saving_against_alone = self._less_than(self.alone(self.taken_wh, self.could_w))

    def _less_than(self, otherwise: float | None) -> float | None:
        # What was taken without a price would look like a saving.
        cost = self.cost_known if self.unpriced_wh <= 0.0 else None
        return None if cost is None or otherwise is None else otherwise - cost

    def view(self) -> CostView:
        """Return the picture of it."""
        return CostView(
            cost=self.cost_known,
            unpriced_wh=self.unpriced_wh,
            saving=self.saving,
            forecast=self.forecast,
            forecast_saving=self.forecast_saving,
            currency=self.currency,
            saving_against_alone=self.saving_against_alone,
            forecast_saving_against_alone=self.forecast_saving_against_alone,
        )
