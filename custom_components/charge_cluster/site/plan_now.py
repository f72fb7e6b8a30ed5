"""What the plans of a site say at this moment: to each pass, to people, and to chargers should nobody lead them.

What holds of a session changes at few moments: with a slot, with the end of a random delay, with off-peak hours, with
another plan. Until then it is the same object, so that a pass with hundreds of sessions looks at hardly any.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from ..engine.model import PLAN_MODES, ChargingMode, Reason, SiteModel
from ..engine.planned import PlannedNow, delay_s, delayed
from ..engine.tariff import USUAL_STEP_S, PriceCurve, Window
from ..ocpp.conversation import Afterwards
from ..ocpp.protocols import Clock
from .connector import ConnectorState
from .plan import SECONDS_AN_HOUR, Aim, KeptPlan, PlannedSlot, PlanView, slots_from
from .session import Session
from .settings import SiteWish
from .wish_watch import most_power_w, worth_telling

AWAITED_S = 30.0
"""So long a vehicle that has just come waits for its plan; then it charges now."""

WINDOWS_FOR_S = 7 * 86_400.0
"""Off-peak hours are looked for so far ahead: where there are none, nobody waits for them."""
WINDOWS_SINCE_S = 86_400.0
WINDOWS_AGAIN_S = 900.0


class Prices(Protocol):
    """What a site's tariffs say; see `tariffs.Tariffs`."""

    @property
    def demand_objective(self) -> float:
        """Return what a kilowatt of the highest demand of a month counts as in what a plan minimises."""

    def curve(self, start: float, end: float) -> PriceCurve:
        """Return what energy costs."""

    def objective(self, start: float, end: float) -> PriceCurve:
        """Return what a plan minimises."""

    def off_peak(self, start: float, end: float) -> tuple[Window, ...]:
        """Return when is off-peak."""

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have changes told; return what ends it."""


class PlanBook:
    """The plans of the sessions of a site, and what else they rest on."""

    def __init__(self, defaults: SiteWish) -> None:
        """Begin without plans and prices."""
        self.defaults = defaults
        self.prices: Prices | None = None
        self.plans: dict[str, KeptPlan] = {}
        """By connector."""
        self.prompted: dict[str, tuple[object, float]] = {}
        """What a session asked for when it was looked at last, and since when."""

    def of(self, key: str, session: Session, now: float) -> KeptPlan | None:
        """Return the plan of a session; None: it has none, or that is over."""
        kept = self.plans.get(key)
        return kept if kept is not None and kept.session_id == session.session_id and now < kept.end else None

    def prompted_at(self, key: str, session: Session) -> float:
        """Return when the driver of a session came or said something last."""
        return self.prompted.get(key, (None, session.started_at))[1]


@dataclass(frozen=True, slots=True)
class _Now:
    """What holds of a session until something changes."""

    session_id: str
    mode: ChargingMode
    until: float
    """UTC POSIX seconds."""
    planned: PlannedNow | None
    view: PlanView | None


class PlanNow:
    """What holds now."""

    def __init__(self, book: PlanBook, clock: Clock) -> None:
        """Look at these plans."""
        self._book = book
        self._clock = clock
        self._present: dict[str, _Now] = {}
        self._slots: dict[str, tuple[PlannedSlot, ...]] = {}
        """Of each plan, as they are shown."""
        self._awaited: dict[str, tuple[str, float]] = {}
        """Sessions that wait for their first plan, and since when."""
        self._windows: tuple[Window, ...] = ()
        self._windows_at = -math.inf
        self.moved: set[str] = set()
        """Connectors of whose plan something else is to be shown."""

    def prices_changed(self) -> None:
        """Take note that prices are others than before."""
        self._windows_at = -math.inf
        for key in self._present:
            self.stale(key)

    def stale(self, key: str) -> None:
        """Have looked at anew what holds of a connector, and kept what was said of it until then."""
        self._slots.pop(key, None)
        known = self._present.get(key)
        if known is not None:
            self._present[key] = replace(known, until=-math.inf)

    def dropped(self, key: str) -> None:
        """Take note that a connector has no plan any more: it waits for the next one as if it had just come."""
        self._slots.pop(key, None)
        self._present.pop(key, None)
        self._awaited.pop(key, None)
        self.moved.add(key)

    def keep_only(self, keys: Mapping[str, object]) -> None:
        """Forget connectors at which nothing is planned."""
        for book in (self._present, self._awaited, self._slots):
            for key in [key for key in book if key not in keys]:
                del book[key]

    def await_no_more(self, sessions: frozenset[str]) -> None:
        """Let no session wait any longer for whom a plan was made, or could not be."""
        for key, (session_id, _) in self._awaited.items():
            if session_id in sessions:
                self._awaited[key] = (session_id, -math.inf)
                self.stale(key)

    def present(self, model: SiteModel, states: Mapping[str, ConnectorState]) -> Mapping[str, PlannedNow]:
        """Return what is planned now, by connector."""
        now = self._clock.time()
        found: dict[str, PlannedNow] = {}
        for key in model.planned:
            state = states[key]
            session = state.session
            if session is None or state.leaving:
                continue
            known = self._present.get(key)
            if (
                known is None
                or known.session_id != session.session_id
                or known.mode is not state.connector.mode
                or not known.until > now
            ):
                fresh = self._look_at(state, session, now)
                if known is not None and known.planned == fresh.planned:
                    # The engine takes the same object for the same word.
                    fresh = replace(fresh, planned=known.planned)
                if known is None or known.view != fresh.view:
                    self.moved.add(key)
                known = self._present[key] = fresh
            if known.planned is not None:
                found[key] = known.planned
        return found

    def afterwards(self, state: ConnectorState) -> tuple[Afterwards, ...]:
        """Return what a connector goes to by itself should nobody lead it: its fallback, in the hours that it needs."""
        session = state.session
        if session is None or state.connector.mode not in PLAN_MODES:
            return ()
        kept = self._book.of(state.key, session, self._clock.time())
        found: list[Afterwards] = []
        for start, end in () if kept is None else kept.pauses:
            goes_on = end + delay_s(session.session_id, end, self.most_delay_s(state))
            found += (Afterwards(start, 0.0), Afterwards(goes_on, state.fallback_a))
        return tuple(found)

    def view(self, state: ConnectorState) -> PlanView | None:
        """Return what is shown of the plan of the session at a connector."""
        known = self._present.get(state.key)
        if state.session is None or known is None or known.session_id != state.session.session_id:
            return None
        return known.view

    def _look_at(self, state: ConnectorState, session: Session, now: float) -> _Now:
        mode, plan_now = state.connector.mode, self._book.of(state.key, session, now)
        off_peak = self._off_peak_now(now) if mode is ChargingMode.OFF_PEAK else None
        if plan_now is None and off_peak is None:
            return self._without_plan(state, session, now)
        most_s = self.most_delay_s(state)
        slot_ends = (math.floor(now / USUAL_STEP_S) + 1) * USUAL_STEP_S
        amps, next_at, until = 0.0, None, slot_ends
        if plan_now is not None:
            amps, moment = delayed(
                plan_now.at,
                now,
                step_s=plan_now.step_s,
                most_s=most_s,
                seed=session.session_id,
                prompted_at=plan_now.prompted_at,
            )
            rise = plan_now.next_rise(now)
            next_at = moment if moment is not None or rise is None else rise + delay_s(session.session_id, rise, most_s)
            slot_ends = (math.floor(now / plan_now.step_s) + 1) * plan_now.step_s
            until = min(until, slot_ends, next_at or until)
        reason = Reason.PLANNED
        if off_peak is not None:
            reason = Reason.OFF_PEAK
            begins, ends = off_peak
            prompted_at = self._book.prompted_at(state.key, session)
            put_off_s = 0.0 if begins <= prompted_at else delay_s(session.session_id, begins, most_s)
            if begins + put_off_s <= now:
                amps, next_at, until = math.inf, None, ends
            elif amps <= 0.0:
                next_at = begins + put_off_s if next_at is None else min(next_at, begins + put_off_s)
                until = min(until, next_at)
        planned = PlannedNow(amps=amps, reason=reason, next_at=next_at)
        return _Now(session.session_id, mode, until, planned, self._picture(state, plan_now, planned))

    def late_by_s(self, state: ConnectorState) -> float:
        """Return by how much at most what is planned for a connector comes later: put off by us, or by itself."""
        return max(self._book.defaults.delay_s, state.connector.delay_s)

    def most_delay_s(self, state: ConnectorState) -> float:
        """Return by how long at most a connector is put off; one that delays by itself is not put off twice."""
        return 0.0 if state.connector.delay_s > 0.0 else self._book.defaults.delay_s

    def _without_plan(self, state: ConnectorState, session: Session, now: float) -> _Now:
        """Return what holds of a session before its plan is made: it waits a moment, unless it charges already."""
        awaited = self._awaited.get(state.key)
        if awaited is None or awaited[0] != session.session_id:
            awaited = self._awaited[state.key] = (session.session_id, now)
        until = awaited[1] + AWAITED_S
        charges = state.bound.limit_a is not None and state.bound.limit_a >= state.connector.minimum_a
        overdue = session.wish.departure_at is None and session.told_departure_at is not None
        waits = self._book.prices is not None and now < until and not (charges or overdue or is_done(session))
        planned = PlannedNow(amps=0.0, reason=Reason.PLANNED) if waits else None
        return _Now(session.session_id, state.connector.mode, until if waits else math.inf, planned, None)

    def _picture(self, state: ConnectorState, kept: KeptPlan | None, planned: PlannedNow) -> PlanView:
        next_start = planned.next_at if planned.amps <= 0.0 else None
        view = PlanView(mode=state.connector.mode, next_start=next_start)
        if kept is None:
            return view
        aim = Aim(
            leave_at=kept.leave_at,
            leave_by=kept.leave_by,
            remaining_wh=kept.wanted_wh,
            remaining_by=kept.wanted_by,
        )
        lacks = worth_telling(kept.shortfall_wh, kept.wanted_wh)
        slots = self._slots.get(state.key)
        if slots is None:
            slots = self._slots[state.key] = slots_from(kept, kept.made_at)
        return replace(
            view,
            completes_at=kept.completes_at,
            energy_wh=kept.planned_wh,
            shortfall_wh=lacks,
            possible_at=kept.leave_at + SECONDS_AN_HOUR * lacks / most_power_w(state, kept.phases) if lacks else None,
            promised=aim.promised,
            leave_at=kept.leave_at,
            leave_by=kept.leave_by,
            wanted_by=kept.wanted_by,
            cost=kept.cost,
            taken_wh=kept.taken_wh,
            phases=kept.phases,
            slots=slots,
        )

    def _off_peak_now(self, now: float) -> tuple[float, float] | None:
        """Return the off-peak hours that run or come next; None: nobody knows of any."""
        if self._book.prices is None:
            return None
        if not 0.0 <= now - self._windows_at < WINDOWS_AGAIN_S:
            self._windows_at = now
            self._windows = self._book.prices.off_peak(now - WINDOWS_SINCE_S, now + WINDOWS_FOR_S)
        return next(((window.start, window.end) for window in self._windows if window.end > now), None)


def is_done(session: Session) -> bool:
    """Return whether a vehicle takes nothing any more by itself; one that has what was asked for may want more."""
    wanted_wh = session.asked_wh
    return session.told_done and (wanted_wh is None or session.energy_wh < wanted_wh)
