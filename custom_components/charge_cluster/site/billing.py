"""What sessions cost while they go on, what they are expected to cost, and what a month has cost: of one site.

Each session carries its own `bill`; here time passes for it, and what was measured is accounted for at the prices of
that time. A month counts what the sessions cost that ended in it, as an invoice does: what still goes on is not in it
yet, and nothing is counted twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Protocol

from ..engine.model import NOMINAL_VOLTAGE_V
from ..engine.tariff import PriceCurve
from ..ocpp.protocols import Clock
from .bill import SECONDS_AN_HOUR, WH_PER_KWH, Bill
from .connector import ConnectorState
from .plan import PlanView
from .plan_task import HORIZON_S
from .session import Session

MONTH = "month"
"""Under this a site tells that the account of the month shows something else."""

AT_ONCE_S = 60.0
"""A longer time in which nobody looked is one in which we were away."""

AWAY_A = 1.0
"""What was allowed while we were away is not known: each moment of it counts alike, and more than a moment since."""

LONGEST_AWAY_S = 7 * 86_400.0
"""Nobody asks for prices from before: chargers have wrong clocks."""

PRICES_AGAIN_S = 300.0
"""What prices are to come is asked anew this often, and when they change."""

UNPRICED_AGAIN_S = 30.0
"""While nobody names prices the time of a session is accounted for this often: all of it counts alike."""

FORECAST_AGAIN_S = 60.0
FORECASTS_AT_ONCE = 20
"""So many forecasts are made a second."""


type _Forecast = tuple[float | None, float | None, float | None]
"""What a session is going to cost, and save against charging at once and against the cheapest hours for it alone."""

NO_FORECAST: _Forecast = (None, None, None)


class Plans(Protocol):
    """Where prices and plans come from; see `planning.Planning`."""

    @property
    def price_news(self) -> int:
        """Return what is another number whenever prices may be others."""

    def prices(self, start: float, end: float) -> PriceCurve:
        """Return what energy costs; nothing where nobody has said."""

    def view(self, state: ConnectorState) -> PlanView | None:
        """Return what is planned for the session at a connector."""


class Shelf(Protocol):
    """Where the account of a month is kept."""

    def keep_month(self, month: MonthView) -> None:
        """Keep it for the next start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthView:
    """What the sessions have cost that ended in a month."""

    start: float
    """Of the month by the clock on the wall, UTC POSIX seconds."""
    currency: str
    cost: float = 0.0
    saving: float = 0.0
    """Against charging at once, as far as that is known."""
    energy_wh: float = 0.0
    unpriced_wh: float = 0.0
    """What of it was taken while no price was known."""
    sessions: int = 0
    saving_against_alone: float = 0.0
    """Against the cheapest hours of each for it alone, as far as that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedSlot:
    """What is planned from when to when, at one price."""

    start: float
    end: float
    """UTC POSIX seconds."""
    amps: float
    """Per phase."""
    power_w: float
    energy_wh: float
    """Less than its power gives where the session has what it wants before its end."""
    price: float | None
    """None: not known."""


def priced_slots(plan: PlanView, charged_wh: float, prices: PriceCurve, now: float) -> Iterator[PricedSlot]:
    """Yield what is planned from now on, each piece at one price.

    Args:
        plan: what is planned.
        charged_wh: what the session has taken by now.
        prices: of the time to come.
        now: UTC POSIX seconds.
    """
    left_wh = max(0.0, plan.energy_wh - max(0.0, charged_wh - plan.taken_wh))
    for slot in plan.slots:
        power_w = slot.amps * plan.phases * NOMINAL_VOLTAGE_V
        at = max(slot.start, now)
        while at < slot.end and left_wh > 0.0:
            point = prices.point_at(at)
            if point is not None:
                ends = min(point.end, slot.end)
            else:
                ends = min((start for start in prices.starts if start > at), default=slot.end)
                ends = min(ends, slot.end)
            energy_wh = min(left_wh, power_w * (ends - at) / SECONDS_AN_HOUR)
            left_wh -= energy_wh
            price = None if point is None else point.price
            yield PricedSlot(start=at, end=ends, amps=slot.amps, power_w=power_w, energy_wh=energy_wh, price=price)
            at = ends


class Billing:
    """The accounts of one site."""

    def __init__(
        self,
        shelf: Shelf,
        clock: Clock,
        plans: Plans,
        *,
        currency: Callable[[], str],
        local_zone: Callable[[], tzinfo],
        tell: Callable[[], None],
    ) -> None:
        """Begin with a month in which nothing was charged; `tell` is told when it shows something else."""
        self._shelf = shelf
        self._clock = clock
        self._plans = plans
        self._currency = currency
        self._zone = local_zone
        self._tell = tell
        self._prices = PriceCurve()
        self._prices_of: tuple[int, float] = (-1, -math.inf)
        """What `_prices` are: of which news, and from when."""
        self._forecasts: dict[str, tuple[str, object, float]] = {}
        """Of which session, plan and time (monotonic seconds) the forecast at a connector is."""
        self.month = self._new_month()

    # The month -------------------------------------------------------------------------------------------------------

    def _new_month(self) -> MonthView:
        local = datetime.fromtimestamp(self._clock.time(), self._zone())
        first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
        return MonthView(start=first.timestamp(), currency=self._currency())

    def restore(self, month: MonthView | None) -> None:
        """Go on with the account that was kept, if it is of this month."""
        fresh = self._new_month()
        if month is not None and (month.start, month.currency) == (fresh.start, fresh.currency):
            self.month = month
        else:
            self.month = fresh

    def _turn_month(self) -> None:
        fresh = self._new_month()
        if (fresh.start, fresh.currency) != (self.month.start, self.month.currency):
            self.month = fresh
            self._tell()

    def book(self, session: Session) -> None:
        """Take a session that has ended into the account of its month, or mend what stands there of it."""
        self._turn_month()
        bill, month = session.bill, self.month
        if session.ended_at is None or session.ended_at < month.start:
            return
        bill.compare_with_alone()
        cost, saving, against_alone = bill.cost_known or 0.0, bill.saving or 0.0, bill.saving_against_alone or 0.0
        self.month = replace(
            month,
            cost=month.cost + cost - bill.booked_cost,
            saving=month.saving + saving - bill.booked_saving,
            energy_wh=month.energy_wh + bill.taken_wh - bill.booked_wh,
            unpriced_wh=month.unpriced_wh + bill.unpriced_wh - bill.booked_unpriced_wh,
            sessions=month.sessions + (not bill.booked),
            saving_against_alone=month.saving_against_alone + against_alone - bill.booked_saving_against_alone,
        )
        bill.booked, bill.booked_cost, bill.booked_saving = True, cost, saving
        bill.booked_saving_against_alone = against_alone
        bill.booked_wh, bill.booked_unpriced_wh = bill.taken_wh, bill.unpriced_wh
        self._shelf.keep_month(self.month)
        self._tell()

    # Sessions --------------------------------------------------------------------------------------------------------

    def take(self, state: ConnectorState, session: Session) -> None:
        """Account for what a session has taken by now."""
        self._pass_time(state, session, self._clock.time())
        bill = session.bill
        if session.energy_wh == bill.taken_wh:
            return
        bill.take(session.energy_wh)
        bill.save(_could_w(state))

    def measured(self, state: ConnectorState, session: Session) -> None:
        """Account for what a session has taken, as its energy was just measured."""
        if session is state.session:
            session.bill.most_w = max(session.bill.most_w, state.power_now_w)
        self.take(state, session)
        session.bill.take_nothing()

    def look(self, states: Mapping[str, ConnectorState]) -> set[str]:
        """Take note of the time; return the connectors of whose session something else is expected. Every second."""
        now = self._clock.time()
        self._turn_month()
        moved: set[str] = set()
        for key in self._forecasts.keys() - states.keys():
            del self._forecasts[key]
        unpriced = not self._ahead(now).starts
        for key, state in states.items():
            session = state.session
            if session is None or state.leaving:
                self._forecasts.pop(key, None)
                continue
            if not (unpriced and _is_up_to_date(session.bill, now)):
                self._pass_time(state, session, now)
            if len(moved) < FORECASTS_AT_ONCE and self._expect(state, session, now):
                moved.add(key)
        return moved

    def _expect(self, state: ConnectorState, session: Session, now: float) -> bool:
        """Say what a session is going to cost, where that is due; return whether that is something else."""
        plan, monotonic = self._plans.view(state), self._clock.monotonic()
        known = self._forecasts.get(state.key)
        if known is not None and known[:2] == (session.session_id, plan) and monotonic < known[2] + FORECAST_AGAIN_S:
            return False
        self._forecasts[state.key] = (session.session_id, plan, monotonic)
        bill = session.bill
        before = (bill.forecast, bill.forecast_saving, bill.forecast_saving_against_alone)
        expected = self._forecast(state, session.bill, plan, now)
        bill.forecast, bill.forecast_saving, bill.forecast_saving_against_alone = expected
        return before != expected

    def _forecast(self, state: ConnectorState, bill: Bill, plan: PlanView | None, now: float) -> _Forecast:
        so_far = bill.cost_known
        if plan is None or plan.leave_at is None or so_far is None:
            return NO_FORECAST
        ahead = self._ahead(now)
        energy_wh, cost = bill.taken_wh, so_far
        for slot in priced_slots(plan, bill.taken_wh, ahead, now):
            if slot.price is None:
                return NO_FORECAST
            energy_wh += slot.energy_wh
            cost += slot.price * slot.energy_wh / WH_PER_KWH
        if bill.unpriced_wh > 0.0:
            return cost, None, None
        at_once = bill.at_once(energy_wh, _could_w(state), ahead)
        alone = bill.alone(energy_wh, _could_w(state), plan.leave_at, ahead)
        return cost, None if at_once is None else at_once - cost, None if alone is None else alone - cost

    def _pass_time(self, state: ConnectorState, session: Session, now: float) -> None:
        """Let time pass for a session: at the price that holds, or at those that held while nobody looked."""
        bill = session.bill
        end = now if session.ended_at is None else min(now, session.ended_at)
        start = max(session.started_at if bill.until is None else bill.until, end - LONGEST_AWAY_S)
        if end <= start:
            return
        if end - start > AT_ONCE_S:
            at = start
            for point in self._plans.prices(start, end).clipped(start, end).points():
                bill.pass_time(at, point.start, None, AWAY_A)
                bill.pass_time(point.start, point.end, point.price, AWAY_A)
                at = point.end
            bill.pass_time(at, end, None, AWAY_A)
        else:
            allowed_a = state.limit_a if state.limit_a >= state.connector.minimum_a else 0.0
            bill.pass_time(start, end, self._ahead(now).at(start), allowed_a)
        if bill.price is not None and bill.currency is None:
            bill.currency = self._currency()

    def _ahead(self, now: float) -> PriceCurve:
        """Return the prices from a while ago on, as far as plans reach."""
        news, since = self._prices_of
        if news != self._plans.price_news or not 0.0 <= now - since < PRICES_AGAIN_S:
            self._prices = self._plans.prices(now - AT_ONCE_S, now + HORIZON_S)
            self._prices_of = (self._plans.price_news, now)
        return self._prices

    def prices_ahead(self) -> PriceCurve:
        """Return the prices from now on, as far as plans reach."""
        return self._ahead(self._clock.time())


def _is_up_to_date(bill: Bill, now: float) -> bool:
    """Return whether a bill without a price need not be looked at yet while there is none."""
    return bill.price is None and bill.until is not None and 0.0 <= now - bill.until < UNPRICED_AGAIN_S


def _could_w(state: ConnectorState) -> float:
    """Return what a vehicle could take that was not seen to take anything yet."""
    connector = state.connector
    most = connector.maximum_a if connector.cap_a is None else min(connector.cap_a, connector.maximum_a)
    return max(most, connector.minimum_a) * len(connector.phases) * NOMINAL_VOLTAGE_V
