"""The plans of a site's sessions: made off the event loop, kept, followed, and made anew when something changed.

What the planner is given is put together in `plan_task`: who is there and what it aims at (`aims`), what each circuit
has left in each quarter of an hour beside its usual base load (`usual_load`), whom habits expect to come, and what
energy costs. What comes back is kept, so that a restart goes on with it; `plan_now` tells each pass what holds now.

A plan is made anew when somebody came, went or said something, when prices or ceilings changed, when a departure has
passed, and when a quarter of an hour begins and the plan rests on who may come or go, or a session has got clearly less
or more than planned; not otherwise, and not more often than every few seconds. A session without a plan charges now:
one that has just come waits for its plan for a moment, so that its contactor does not close for nothing.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Protocol

from ..engine.model import NOMINAL_VOLTAGE_V, PLAN_MODES, ChargingMode, PhaseAmps, SiteModel
from ..engine.planned import PlannedNow
from ..engine.planner import PeakCharge, Plan, PlannedSession, PlanTask, SessionPlan, plan
from ..engine.snapshot import Decision
from ..engine.tariff import USUAL_STEP_S, Grid, PriceCurve
from ..ocpp.conversation import Afterwards
from ..ocpp.pacing import CalmLog
from ..ocpp.protocols import Clock
from .aims import Aims, aims_of
from .caps import Caps
from .connector import ConnectorState
from .foresight import Foresight
from .month_peak import MonthPeak, phase_watts
from .plan import SECONDS_AN_HOUR, Aim, KeptPlan, PlanView
from .plan_now import PlanBook, PlanNow, Prices, is_done
from .plan_task import (
    Situation,
    base_of,
    expected_sessions,
    filled,
    grid_for,
    had_by,
    later_costs,
    lost_costs,
    pauses,
    planned_session,
    room_of,
    shape_of,
    take_fallbacks,
    take_unplanned,
)
from .session import Session
from .session_wish import NO_PROFILE, Profile
from .settings import SiteWish
from .usual_load import Shelf, UsualLoads
from .views import CapView
from .wish_watch import WishWatch, worth_telling

LOGGER = logging.getLogger(__name__)

APART_S = 5.0
"""Plans are made at most so often, however many come and go."""

MOST_WORK_S = 2.0
"""A plan that takes longer has to do as it is by then; hundreds of sessions take less than half a second."""

AGAIN_S = 60.0
"""After a plan could not be made it is tried again so much later."""

REMEMBERED_S = 1800.0
"""What was planned for so long before now is kept: it says which rises are being put off."""

OFF_BY_WH = 1000.0
OFF_BY_SHARE = 0.15
"""A session is not as planned where it has got so much more or less, and this share of what it wants."""

WH_PER_KWH = 1000.0


class PlanShelf(Shelf, Protocol):
    """Where plans are kept, and where drivers are known."""

    def driver_profile(self, id_tag: str) -> Profile:
        """Return what the driver with an idTag wishes of all its sessions."""

    def keep_plan(self, key: str, kept: KeptPlan | None) -> None:
        """Keep the plan of a connector for the next start; None: it has none."""


type Solve = Callable[[PlanTask], Awaitable[Plan]]


async def in_a_thread(task: PlanTask) -> Plan:
    """Make a plan beside the event loop, in bounded time."""
    clock = asyncio.get_running_loop().time
    until = clock() + MOST_WORK_S
    return await asyncio.to_thread(plan, task, enough=lambda: clock() >= until)


class Planning:
    """The plans of one site."""

    def __init__(  # noqa: PLR0917 - handed over once, by the site
        self,
        shelf: PlanShelf,
        clock: Clock,
        foresight: Foresight,
        peak: MonthPeak,
        local_zone: Callable[[], tzinfo],
        solve: Solve,
        changed: Callable[[], None],
        defaults: SiteWish,
    ) -> None:
        """Begin without plans and prices; `changed` is told when there are other plans."""
        self._shelf = shelf
        self._clock = clock
        self._foresight = foresight
        self._peak = peak
        self._zone = local_zone
        self._solve = solve
        self._changed = changed
        self._log = CalmLog(LOGGER, clock.monotonic)
        self._loads = UsualLoads(shelf, local_zone)
        self._end_prices: Callable[[], None] | None = None
        self.price_news = 0
        """Rises whenever prices may be others than before."""
        self._book = PlanBook(defaults)
        self._now = PlanNow(self._book, clock)
        self._wishes = WishWatch()
        self._news = 0
        """Rises with everything that a plan has to be made anew for and that is not seen in `_about_now`."""
        self._slot: float | None = None
        self._about: object = None
        self._hopeful = False
        self._due_at = -math.inf
        self._work: asyncio.Task[None] | None = None
        self._attempted: frozenset[str] = frozenset()
        """Sessions that the plan is about that is being made."""

    # What others do --------------------------------------------------------------------------------------------------

    def restore(
        self, plans: Mapping[str, KeptPlan], loads: Mapping[tuple[str, int], Sequence[PhaseAmps | None]]
    ) -> None:
        """Go on with what was kept over a restart."""
        self._book.plans = dict(plans)
        self._book.prompted = {}
        self._loads.restore({place: tuple(day) for place, day in loads.items()})

    def keep_only(self, circuits: Mapping[str, object]) -> None:
        """Forget what was learned of circuits that are gone."""
        self._loads.keep_only(circuits)

    def use(self, prices: Prices | None) -> None:
        """Plan by these prices from now on."""
        if self._end_prices is not None:
            self._end_prices()
        self._book.prices = prices
        self._end_prices = None if prices is None else prices.listen(self.prices_changed)
        self.prices_changed()

    def prices_changed(self) -> None:
        """Take note that prices are others than before."""
        self._news += 1
        self.price_news += 1
        self._now.prices_changed()

    def prices(self, start: float, end: float) -> PriceCurve:
        """Return what energy costs; nothing where nobody has said."""
        return PriceCurve() if self._book.prices is None else self._book.prices.curve(start, end)

    def close(self) -> None:
        """Stop planning."""
        if self._work is not None:
            self._work.cancel()
            self._work = None
        if self._end_prices is not None:
            self._end_prices()
            self._end_prices = None

    # What holds now --------------------------------------------------------------------------------------------------

    @property
    def defaults(self) -> SiteWish:
        """Return what holds where a connector and a driver say nothing else."""
        return self._book.defaults

    @defaults.setter
    def defaults(self, defaults: SiteWish) -> None:
        self._book.defaults = defaults

    def present(self, model: SiteModel, states: Mapping[str, ConnectorState]) -> Mapping[str, PlannedNow]:
        """Return what is planned now, by connector."""
        return self._now.present(model, states)

    def afterwards(self, state: ConnectorState) -> tuple[Afterwards, ...]:
        """Return what a connector goes to by itself should nobody lead it."""
        return self._now.afterwards(state)

    def view(self, state: ConnectorState) -> PlanView | None:
        """Return what is shown of the plan or the wish of the session at a connector."""
        return self._now.view(state) if state.connector.mode in PLAN_MODES else self._wishes.view(state.key)

    def moved_since(self) -> set[str]:
        """Return the connectors of whose plan something else is to be shown since this was asked last."""
        moved, self._now.moved = self._now.moved, set()
        return moved

    # When ------------------------------------------------------------------------------------------------------------

    def look(
        self, model: SiteModel, states: Mapping[str, ConnectorState], decision: Decision | None, caps: Caps
    ) -> None:
        """Begin to plan anew where that is due; asked every second."""
        now = self._clock.time()
        self._loads.look(decision, now)
        self._now.moved |= self._wishes.look(states, now)
        if decision is None or self._book.prices is None:
            return
        asking = _asking(model, states)
        self._forget({state.key: session.session_id for state, session in asking})
        if not asking or self._work is not None:
            return
        for state, session in asking:
            asks = (session.session_id, session.wish, state.connector.mode)
            if (before := self._book.prompted.get(state.key)) is None or before[0] != asks:
                kept = self._book.of(state.key, session, now)
                resumed = before is None and kept is not None
                self._book.prompted[state.key] = (asks, kept.prompted_at if resumed and kept is not None else now)
        self._look_at_slot(asking, now)
        if any(self._target_moved(session, state.key, now) for state, session in asking):
            self._news += 1
        held = {circuit_id: caps.of(circuit_id) for circuit_id in model.circuits}
        about = self._about_now(model, asking, decision, held)
        monotonic = self._clock.monotonic()
        if about == self._about or monotonic < self._due_at:
            return
        self._about, self._due_at = about, monotonic + APART_S
        situation = Situation(model, states, decision, held, now)
        self._attempted = frozenset(session.session_id for _, session in asking)
        self._work = asyncio.get_running_loop().create_task(self._replan(situation, asking))
        self._work.add_done_callback(self._done)

    def _about_now(
        self,
        model: SiteModel,
        asking: Sequence[tuple[ConnectorState, Session]],
        decision: Decision,
        held: Mapping[str, tuple[CapView, ...]],
    ) -> object:
        """Return what a plan made now would be about: where it is the same there is no need of another."""
        sessions = tuple(
            (
                *self._book.prompted[state.key],
                self._profile(session),
                session.target,
                session.soc is None,
                shape_of(state, decision),
                is_done(session),
            )
            for state, session in asking
        )
        ceilings = tuple(_shape_of_cap(cap) for caps in held.values() for cap in caps)
        return (sessions, tuple(model.circuits.values()), ceilings, self._book.defaults, self._demand(), self._news)

    def _demand(self) -> float:
        """Return the highest demand of the month where it costs something, in whole kilowatts: less is no news."""
        charged = self._book.prices is not None and self._book.prices.demand_objective > 0.0
        return round(self._peak.of_month(self._clock.time()) / WH_PER_KWH) if charged else 0.0

    def _look_at_slot(self, asking: Sequence[tuple[ConnectorState, Session]], now: float) -> None:
        """Compare plan and reality where a slot has begun, or a departure has passed."""
        steps_s = [
            kept.step_s for state, session in asking if (kept := self._book.of(state.key, session, now)) is not None
        ]
        slot = math.floor(now / min(steps_s, default=USUAL_STEP_S))
        first, self._slot = self._slot is None, slot if self._slot is None else self._slot
        for state, session in asking:
            kept = self._book.plans.get(state.key)
            if kept is not None and kept.session_id == session.session_id and now >= kept.leave_at:
                self._drop(state.key)
                self._news += 1
        if first or slot == self._slot:
            return
        self._slot = slot
        # Who was only expected may not have come, and who is still there is likely to stay for longer than it was.
        if self._hopeful or any(self._is_off(state, session, now) for state, session in asking):
            self._news += 1

    def _target_moved(self, session: Session, key: str, now: float) -> bool:
        """Return whether a battery is so much fuller or emptier than was thought that another plan is needed."""
        kept, target_wh = self._book.of(key, session, now), session.target_wh
        if kept is None or target_wh is None:
            return False
        difference = abs(kept.taken_wh + kept.wanted_wh - max(target_wh, kept.taken_wh))
        return difference > max(OFF_BY_WH, OFF_BY_SHARE * kept.wanted_wh)

    def _is_off(self, state: ConnectorState, session: Session, now: float) -> bool:
        kept = self._book.of(state.key, session, now)
        if kept is None:
            return False
        difference = abs(session.energy_wh - kept.taken_wh - kept.expected_wh(now))
        return difference > max(OFF_BY_WH, OFF_BY_SHARE * kept.wanted_wh)

    def _forget(self, sessions: Mapping[str, str]) -> None:
        """Drop the plans of sessions that are over or charge in another mode."""
        for key in [key for key, kept in self._book.plans.items() if sessions.get(key) != kept.session_id]:
            self._drop(key)
        for key in [key for key in self._book.prompted if key not in sessions]:
            del self._book.prompted[key]
        self._now.keep_only(sessions)

    def _drop(self, key: str) -> None:
        if self._book.plans.pop(key, None) is not None:
            self._shelf.keep_plan(key, None)
            self._now.dropped(key)

    def _done(self, work: asyncio.Task[None]) -> None:
        self._work = None
        self._now.await_no_more(self._attempted)
        self._attempted = frozenset()
        if work.cancelled():
            return
        error = work.exception()
        if error is not None:
            self._about = None
            self._due_at = self._clock.monotonic() + AGAIN_S
            self._log.warning("The charging of sessions could not be planned: %r; who has no plan charges now", error)
        self._changed()

    # A plan ----------------------------------------------------------------------------------------------------------

    async def _replan(self, situation: Situation, asking: Sequence[tuple[ConnectorState, Session]]) -> None:
        """Make a plan for all, in pieces where it takes the event loop, and take it over."""
        assert self._book.prices is not None  # noqa: S101 - nobody plans without
        now = situation.now
        aims = await self._all_aims(asking, now)
        if not aims:
            return
        last = max(max(each.word.leave_at, each.planned.leave_at) for _, _, each in aims.values())
        grid = grid_for(self._book.prices.objective, now, last)
        cost = filled(self._book.prices.objective(grid.start, grid.end).on(grid))
        if cost is None:
            # Nothing is known, as a moment after a start: what was planned before is better than nothing.
            return
        only_in = grid.inside(self._book.prices.off_peak(grid.start, grid.end))
        free_a = {}
        for circuit in situation.model.circuits.values():
            free_a[circuit.circuit_id] = room_of(circuit, situation, self._loads, grid)
            await asyncio.sleep(0)
        room_a = list(free_a[situation.model.supply_id])
        take_unplanned(free_a, situation, grid, aims.keys(), self._book.defaults.energy_wh)
        others_w = phase_watts(room_a, free_a[situation.model.supply_id])
        taken_until = {key: each.word.leave_at for key, (_, _, each) in aims.items()}
        stays = self._foresight.expected_arrivals(now, grid.end)
        expected = expected_sessions(stays, situation, grid, taken_until)
        self._hopeful = bool(expected) or any(each.still_here is not None for _, _, each in aims.values())
        await asyncio.sleep(0)
        sessions: dict[str, PlannedSession] = {}
        for key, (state, session, aim) in aims.items():
            sessions[key] = planned_session(
                state,
                situation,
                aim.planned,
                grid,
                taken_wh=session.energy_wh,
                delay_s=self._now.late_by_s(state),
                only_in=only_in if state.connector.mode is ChargingMode.OFF_PEAK and any(only_in) else None,
                still_here=aim.still_here,
            )
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        take_fallbacks(free_a, situation, sessions.keys())
        await asyncio.sleep(0)
        task = PlanTask(
            grid=grid,
            now=now,
            paths=situation.model.paths,
            free_a=free_a,
            cost=cost,
            sessions=tuple(sessions.values()),
            expected=expected,
            peak=self._peak_charge(situation, grid, others_w),
            lost_costs=lost_costs(cost),
            later_costs=later_costs(cost),
        )
        found_plan = await self._solve(task)
        short = {
            key
            for key, (_, _, aim) in aims.items()
            if aim.word.promised and worth_telling(found_plan.sessions[key].shortfall_wh, aim.word.remaining_wh)
        }
        if any(aims[key][2].careful != aims[key][2].word or sessions[key].allowed is not None for key in short):
            # A driver's word goes before the margin, and before the hours of the tariff.
            for key in short:
                state, session, aim = aims[key]
                sessions[key] = planned_session(
                    state,
                    situation,
                    aim.word,
                    grid,
                    taken_wh=session.energy_wh,
                    delay_s=self._now.late_by_s(state),
                )
            found_plan = await self._solve(replace(task, sessions=tuple(sessions.values())))
        prices = self._book.prices.curve(grid.start, grid.end).on(grid)
        for key, (state, session, aim) in aims.items():
            planned = found_plan.sessions.get(key)
            if planned is not None and state.session is session:
                alone = _pauses(state, session, aim.alone, grid, cost, only_in, situation)
                had = had_by(aim.word.leave_at, planned, sessions[key], grid)
                self._take(state, session, aim.word, had, situation, grid, prices, alone)
            await asyncio.sleep(0)

    def _peak_charge(self, situation: Situation, grid: Grid, others_w: Sequence[float]) -> PeakCharge | None:
        """Return what a higher demand of the month costs; None: nothing."""
        if self._book.prices is None or self._book.prices.demand_objective <= 0.0:
            return None
        supply = situation.model.circuits[situation.model.supply_id]
        base_a = base_of(supply, situation, self._loads, grid)
        return self._peak.charge(self._book.prices.demand_objective, grid, base_a, others_w)

    async def _all_aims(
        self, asking: Sequence[tuple[ConnectorState, Session]], now: float
    ) -> dict[str, tuple[ConnectorState, Session, Aims]]:
        """Return what each session is planned for; one that is to charge now has no plan any more."""
        found = {}
        for state, session in asking:
            for _ in self._foresight.foresee(state.key, session.view()):
                await asyncio.sleep(0)
            aims = self._aims(state, session, now)
            if aims is not None:
                found[state.key] = (state, session, aims)
            else:
                self._drop(state.key)
            await asyncio.sleep(0)
        return found

    def _aims(self, state: ConnectorState, session: Session, now: float) -> Aims | None:
        if is_done(session):
            return None
        forecast = self._foresight.forecast(state.key, session.view())
        return aims_of(session, forecast, self._book.defaults, now, self._zone(), self._profile(session))

    def _profile(self, session: Session) -> Profile:
        return NO_PROFILE if session.id_tag is None else self._shelf.driver_profile(session.id_tag)

    def _take(  # noqa: PLR0917 - all that a plan consists of
        self,
        state: ConnectorState,
        session: Session,
        aim: Aim,
        found: SessionPlan,
        situation: Situation,
        grid: Grid,
        prices: Sequence[float | None],
        alone: tuple[tuple[float, float], ...],
    ) -> None:
        """Take over what was planned for a session; `alone`: when it pauses should nobody lead it."""
        before = self._book.plans.get(state.key)
        phases, _ = shape_of(state, situation.decision)
        past = () if before is None or before.session_id != session.session_id else _past(before, grid)
        kept = KeptPlan(
            session_id=session.session_id,
            start=grid.start - len(past) * grid.step_s,
            step_s=grid.step_s,
            amps=(*past, *found.amps),
            phases=len(phases),
            made_at=situation.now,
            taken_wh=session.energy_wh,
            leave_at=aim.leave_at,
            leave_by=aim.leave_by,
            wanted_wh=aim.remaining_wh,
            wanted_by=aim.remaining_by,
            planned_wh=found.energy_wh,
            shortfall_wh=found.shortfall_wh,
            completes_at=None if found.shortfall_wh > 0.0 else found.completes_at,
            cost=_cost(found, len(phases), grid, situation.now, prices),
            prompted_at=self._book.prompted_at(state.key, session),
            pauses=alone,
        )
        self._book.plans[state.key] = kept
        self._shelf.keep_plan(state.key, kept)
        self._now.stale(state.key)


def _shape_of_cap(cap: CapView) -> object:
    """Return what a plan knows of a cap: one that is renewed all the time is the same within a slot."""
    until = None if cap.expires_at is None else math.ceil(cap.expires_at / USUAL_STEP_S)
    return (cap.circuit_id, cap.amps, cap.watts, cap.vehicles_only, until, cap.after)


def _asking(model: SiteModel, states: Mapping[str, ConnectorState]) -> list[tuple[ConnectorState, Session]]:
    """Return the sessions that charge by a plan or off-peak."""
    there = (states[key] for key in model.planned)
    return [(state, state.session) for state in there if state.session is not None and not state.leaving]


def _past(before: KeptPlan, grid: Grid) -> tuple[float, ...]:
    """Return what was planned before for the slots that have just passed."""
    count = math.ceil(REMEMBERED_S / grid.step_s)
    times = (grid.start - back * grid.step_s for back in range(count, 0, -1))
    return tuple(before.at(at) for at in times if at >= before.start) if before.step_s == grid.step_s else ()


def _pauses(  # noqa: PLR0917 - all that a plan for one alone is made of
    state: ConnectorState,
    session: Session,
    aim: Aim,
    grid: Grid,
    cost: Sequence[float],
    only_in: Sequence[bool],
    situation: Situation,
) -> tuple[tuple[float, float], ...]:
    """Return when a session pauses should nobody lead it."""
    connector = state.connector
    phases, _ = shape_of(state, situation.decision)
    off_peak = connector.mode is ChargingMode.OFF_PEAK and any(only_in)
    charges = connector.fallback_a >= connector.minimum_on(phases) and not is_done(session)
    power_w = connector.fallback_a * len(phases) * NOMINAL_VOLTAGE_V if charges else 0.0
    hours = only_in if off_peak else None
    return pauses(grid, cost, situation.now, aim.leave_at, aim.remaining_wh, power_w, hours)


def _cost(found: SessionPlan, phases: int, grid: Grid, now: float, prices: Sequence[float | None]) -> float | None:
    """Return what is expected to be paid; None: not all prices are known."""
    total, left_wh = 0.0, found.energy_wh
    for slot, amps, price in zip(grid.slots(), found.amps, prices, strict=True):
        if amps <= 0.0 or left_wh <= 0.0:
            continue
        if price is None:
            return None
        hours = (slot.end - max(slot.start, now)) / SECONDS_AN_HOUR
        taken_wh = min(left_wh, amps * phases * NOMINAL_VOLTAGE_V * hours)
        left_wh -= taken_wh
        total += price * taken_wh / WH_PER_KWH
    return total
