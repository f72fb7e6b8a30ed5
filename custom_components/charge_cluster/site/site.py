"""One site that runs: reports come in, a pass is asked for, its commands go out, and what changed is told.

The pass itself is the engine's pure function. Around it this module keeps the snapshot, triggers passes (at most ten a
second, never overlapping), hands commands to the chargers without waiting for any of them, and replaces pictures when
what they show changes. Settings are applied by finding what differs; nobody else notices.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, tzinfo
from functools import partial
from random import Random
from typing import Unpack

from ..chargers import (
    Booted,
    ChargeNowAsked,
    Charger,
    ChargerEvent,
    ChargerNoticed,
    ConnectorEvent,
    ConnectorStatus,
    DrawSample,
    ForAutomations,
    HeldBack,
    LimitOutcome,
    NeedsTold,
    OperationProgressed,
    QuirkShown,
    StrangerSeen,
    TransactionStarted,
    TransactionStopped,
    WentOffline,
    WentOnline,
)
from ..engine import guard
from ..engine.controller import decide
from ..engine.guard import CAR_SETTLING_S
from ..engine.model import PLAN_MODES, ChargingMode, Connector, SiteModel
from ..engine.snapshot import Command, Decision, Memory, Snapshot
from ..meters import MeterFault, MeterSample
from ..ocpp.listeners import enlist
from ..ocpp.protocols import AuthorisationStatus, Clock
from ..tariffs import SourceFactory
from .battery import Batteries, ReadBattery, nothing_read
from .billing import MONTH, Billing
from .caps import Caps
from .cards import CardDesk, Running, ShownCard
from .charge_point import ChargePointState
from .commissioning.findings import Finding
from .commissioning.runner import Commissioning
from .connector import ConnectorState
from .demand import DemandBook
from .dispatch import EXPIRY_SLACK_S, PROVING_S, Dispatch
from .exposure import Exposures
from .foresight import Foresight
from .keeping import Keeping
from .meter import MeterState
from .month_peak import MonthPeak
from .planning import Planning, Solve, in_a_thread
from .problems import Problem
from .proof import SettingsError, check, circuit_of, connectors_of
from .reaction import Following
from .readings import generation_readings, guard_readings, guarded_circuits, measured_powers, unheard_circuits
from .records import SiteRecords
from .restart import Restart
from .session_news import SessionNews
from .session_wish import WishChange, WishFault, WishRefused
from .sessions import Sessions
from .settings import NOTHING_CHOSEN, ChargePointSettings, ConnectorWish, OcppMeterSettings, SiteSettings, SiteWish
from .showing import Showing
from .sightings import Sightings
from .surroundings import CircuitMatter, circuit_views, problems_of, stranger_problems
from .swipes import Swipes
from .tariffs import DEMAND, Tariffs
from .views import ChargePointView, CircuitView, ConnectorView, MeterView, NewcomerView, SessionEvent, connector_key
from .wear import WearBook
from .wiring import Wiring

LOGGER = logging.getLogger(__name__)

PASS_SPACING_S = 0.1
"""At most ten passes a second in the long run; a meter's sample takes the turn of the next one in advance."""

WORTH_A_PASS_A = 0.5
"""A current that differs by less from the one measured before can wait for the next pass."""

TICK_S = 1.0
"""What time alone changes is looked at this often."""

PASS_AT_LATEST_S = 1.25
"""And so long after the last one a pass is made by itself: a little more than the second in which most meters report,
so that it is their sample that makes the pass."""


def _utc() -> tzinfo:
    return UTC


def _euro() -> str:
    return "EUR"


class Site:
    """A site, from its start to its end."""

    problems_at_door: tuple[Problem, ...] = ()
    """What is wrong where charge points dial in; whoever keeps the listener tells."""
    _problems: tuple[Problem, ...] = ()
    _decision: Decision | None = None
    _started_at: float | None = None
    _pass_timer: asyncio.TimerHandle | None = None
    _tick_timer: asyncio.TimerHandle | None = None
    _next_turn = float("-inf")

    def __init__(
        self,
        settings: SiteSettings,
        wishes: Mapping[str, ConnectorWish],
        *,
        clock: Clock,
        records: SiteRecords,
        wiring: Wiring,
        chance: Random | None = None,
        local_zone: Callable[[], tzinfo] = _utc,
        currency: Callable[[], str] = _euro,
        tariff_sources: SourceFactory | None = None,
        read_battery: ReadBattery = nothing_read,
        usual: SiteWish = NOTHING_CHOSEN,
        solve: Solve = in_a_thread,
    ) -> None:
        """Prepare a site. Raises SettingsError."""
        _refuse(settings)
        self.settings = settings
        self.connectors: dict[str, ConnectorView] = {}
        self.charge_points: dict[str, ChargePointView] = {}
        self.circuits: dict[str, CircuitView] = {}
        self.meters: dict[str, MeterView] = {}
        self.newcomers: Mapping[str, NewcomerView] = {}
        self.caps = Caps(records, clock, self._request_pass)
        self._wishes = dict(wishes)
        self.commissioning = Commissioning(self, clock=clock, records=records, shutter=wiring, tell=self._tell)
        self._clock = clock
        self._records = records
        self._wiring = wiring
        self._dispatch = Dispatch(clock, self, self._proof_changed, self._renewed)
        self.cards = CardDesk(clock)
        self._swipes = Swipes()
        self.cards.watch(self._card_shown)
        self.foresight = Foresight(clock, local_zone, self._request_pass)
        self.month_peak = MonthPeak(records, local_zone, lambda: self._tell(f"tariff:{DEMAND}"))
        self.planning = Planning(
            records, clock, self.foresight, self.month_peak, local_zone, solve, self._request_pass, usual
        )
        self.billing = Billing(
            records,
            clock,
            self.planning,
            currency=currency,
            local_zone=local_zone,
            tell=lambda: self._tell(MONTH),
        )
        self._sessions = Sessions(records, clock, self.billing)
        self._batteries = Batteries(records, read_battery)
        self._news = SessionNews(clock, records, self._sessions.tell)
        self._sightings = Sightings(records)
        self._keeping = Keeping(records, clock)
        self._restart = Restart(clock, chance)
        self._sessions.listen(self.foresight.seen)
        self.tariffs = Tariffs(
            clock=clock,
            local_zone=local_zone,
            currency=currency,
            sources=tariff_sources,
            tell=lambda shown: self._tell(f"tariff:{shown}"),
        )
        self.planning.use(self.tariffs)
        self._states: dict[str, ConnectorState] = {}
        self._points: dict[str, ChargePointState] = {}
        self._meters: dict[str, MeterState] = {}
        self._unguarded: set[str] = set()
        self._leave_at: dict[str, float] = {}
        self._demand = DemandBook(records, self.month_peak)
        self._exposures = Exposures(records.keep_exposure, clock)
        self._wear = WearBook(records.keep_wear, clock)
        self._model: SiteModel
        self._reordered = False
        """Whether a connector has another priority than in the model; many may change before a pass."""
        self._circuits_made_of: dict[str, CircuitMatter] = {}
        self._circuit_names = _names_of(settings)
        self._following = Following()
        self._memory = Memory()
        self._subscribers: dict[str, list[Callable[[], None]]] = {}
        self._told_listeners: list[Callable[[str, ForAutomations], None]] = []
        self._showing = Showing(self._show_connector)
        self._changing = asyncio.Lock()

    @property
    def site_id(self) -> str:
        """Return its id."""
        return self.settings.site_id

    # Life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up what was kept, listen to everything and begin."""
        self._memory = await self._keeping.load()
        self._unguarded = self._keeping.unguarded(self.settings)
        self.caps.take_up(self._keeping.caps())
        self._exposures.restore(self._keeping.exposures())
        self.foresight.remember(self._keeping.stays())
        self.planning.restore(self._keeping.plans(), self._keeping.usual_loads())
        self.month_peak.restore(self._keeping.peak())
        self.billing.restore(self._keeping.month())
        self._wear.recall(self._keeping.wear())
        self.commissioning.load(self._keeping.findings())
        self._restart.begin(self.settings, after_outage=self._keeping.after_outage(), moments=self._keeping.moments())
        self._started_at = self._clock.monotonic()
        async with self._changing:
            await self._take_up(self.settings)
        self._tick()

    async def stop(self) -> None:
        """Let go of everything; limits in the chargers run out into their fallbacks."""
        await self.commissioning.close()
        for timer in (self._pass_timer, self._tick_timer):
            if timer is not None:
                timer.cancel()
        self._pass_timer = self._tick_timer = None
        self._showing.close()
        self._started_at = None
        await self.tariffs.close()
        self.foresight.close()
        self.planning.close()
        self.cards.close()
        await self._dispatch.close()
        self._keeping.keep_bounds(self._states.values())
        self._sessions.keep(self._states.values())
        self._keeping.hand_on(self._memory, self._states, self._restart.moments)
        self._demand.close()
        self._exposures.close()
        self._wear.add_up(self._states, self._charger_at, self._show_connector)
        for meter in self._meters.values():
            await meter.meter.stop()
        for point in self._points.values():
            point.stop_listening()
            await point.charger.close()
        self._records.complete()

    async def apply(self, settings: SiteSettings) -> None:
        """Change what is configured.

        Raises:
            SettingsError: it is not safe or not possible; nothing was changed.
            PortInUse: the listener it names cannot be opened; nothing was changed.
        """
        _refuse(settings)
        async with self._changing:
            await self._take_up(settings)

    def wish(self, key: str, wish: ConnectorWish) -> None:
        """Take note of what a user set on a connector."""
        self._wishes[key] = wish
        self.recommission(key)

    @property
    def usual(self) -> SiteWish:
        """Return what holds where a connector and a driver say nothing else."""
        return self.planning.defaults

    def wish_usual(self, usual: SiteWish) -> None:
        """Take note of what a user set on the site."""
        before, self.planning.defaults = self.planning.defaults, usual
        if usual.mode is not before.mode:
            for state in list(self._states.values()):
                if state.chosen_mode is None:
                    self.recommission(state.key)
        self._tell("site")

    def may_wish(self, key: str, **changes: Unpack[WishChange]) -> None:
        """Raise WishRefused where `wish_session` would."""
        self._sessions.wish_with(self._standing(key), **changes)

    def wish_session(self, key: str, **changes: Unpack[WishChange]) -> None:
        """Change what the driver wishes of the session at a connector. Raises WishRefused."""
        state = self._standing(key)
        self._sessions.wish(state, **changes)
        self._batteries.look({key: state})
        self._prioritise(state)
        self._show_connector(state)
        self._request_pass()

    def drivers_changed(self) -> None:
        """Take note that drivers may have another priority than before."""
        for state in self._states.values():
            if not state.leaving:
                self._prioritise(state)
                self._show_connector(state)
        self._request_pass()

    def _prioritise(self, state: ConnectorState) -> None:
        """Give a connector the priority that counts for what is plugged in; the next pass goes by it."""
        self._reordered = state.prioritise(self._sessions.priority(state)) or self._reordered

    def _standing(self, key: str) -> ConnectorState:
        """Return a connector that is ours. Raises WishRefused: nothing can be plugged in at one that is gone."""
        state = self._states.get(key)
        if state is None or state.leaving:
            raise WishRefused(WishFault.NOTHING_PLUGGED_IN)
        return state

    def recommission(self, subject: str) -> None:
        """Take note that what a user wishes or commissioning says of a connector, or of a meter, has changed."""
        meter = self._meters.get(subject)
        if meter is not None:
            self._show_meter(meter)
        state = self._states.get(subject)
        point = None if state is None else self._points.get(state.charge_point_id)
        if state is None or point is None or state.leaving:
            return
        state.configure(self._configured(point.settings)[subject], self._chosen_mode(subject))
        self._prioritise(state)
        self._show_point(point)
        self._rebuild_model()
        self._show_connector(state)
        self._request_pass()

    # What others may ask -------------------------------------------------------------------------------------------

    def subscribe(self, subject: str, changed: Callable[[], None]) -> Callable[[], None]:
        """Have changes of a subject told ("connector:<key>" …); return what ends it."""
        return enlist(self._subscribers.setdefault(subject, []), changed)

    def on_session(self, seen: Callable[[SessionEvent], None]) -> Callable[[], None]:
        """Have told what happens to sessions; return what ends it."""
        return self._sessions.listen(seen)

    def on_told(self, seen: Callable[[str, ForAutomations], None]) -> Callable[[], None]:
        """Have told, with the id of its charge point, what is for automations to know; return what ends it."""
        return enlist(self._told_listeners, seen)

    def running(self) -> Iterator[Running]:
        """Yield the transactions that run here with a token."""
        for state in self._states.values():
            if state.transaction is not None and state.transaction.id_tag is not None and not state.leaving:
                yield Running(
                    charge_point_id=state.charge_point_id, connector=state.number, id_tag=state.transaction.id_tag
                )

    def problems(self) -> tuple[Problem, ...]:
        """Return what a person must mend."""
        return self._problems

    def findings(self, subject: str) -> tuple[Finding, ...]:
        """Return what commissioning found last about a connector (by its key) or a meter (by its id)."""
        return self.commissioning.findings(subject)

    def charger(self, charge_point_id: str) -> Charger:
        """Return the charger of a charge point. Raises KeyError."""
        return self._points[charge_point_id].charger

    def _charger_at(self, charge_point_id: str) -> Charger | None:
        point = self._points.get(charge_point_id)
        return None if point is None else point.charger

    def show_newcomers(self, newcomers: Mapping[str, NewcomerView]) -> None:
        """Take note of who waits to be accepted."""
        if newcomers != self.newcomers:
            self.newcomers = dict(newcomers)
            self._tell("newcomers")

    # Settings ------------------------------------------------------------------------------------------------------

    async def _take_up(self, settings: SiteSettings) -> None:
        await self._wiring.prepare(settings)
        now = self._clock.monotonic()
        wanted = {point.charge_point_id: point for point in settings.charge_points}
        before = self.settings
        self.settings = settings
        self._circuit_names = _names_of(settings)
        for charge_point_id in self._points.keys() - wanted.keys():
            await self._remove_point(charge_point_id, now)
        moved = settings.listener != before.listener
        for charge_point_id, point in wanted.items():
            known = self._points.get(charge_point_id)
            if known is not None and (moved or known.settings.identity != point.identity):
                await self._remove_point(charge_point_id, now)
                known = None
            self._take_up_connectors(point, now)
            if known is None:
                self._add_point(point)
            else:
                familiar = known.know(point)
                self._wiring.reconfigure(known.charger, point)
                if familiar:
                    self._show_point(known)
                    self._tell("strangers")
        self._rebuild_model()
        self.caps.keep_only(self._model.circuits)
        await self._take_up_meters(settings, before)
        await self.tariffs.apply(settings.tariffs)
        for point_state in self._points.values():
            if point_state.online:
                self._provision(point_state)
        self.circuits = {key: view for key, view in self.circuits.items() if key in self._model.circuits}
        self._circuits_made_of.clear()
        self._demand.keep_only(self._model.circuits, self._model.supply_id)
        self.planning.keep_only(self._model.circuits)
        self._exposures.take_up(settings.circuits)
        self.commissioning.settings_changed()
        await self._wiring.settle(settings)
        self._request_pass()
        self._tell("site")

    def _add_point(self, point: ChargePointSettings) -> None:
        charger = self._wiring.charger(point)
        state = ChargePointState(settings=point, charger=charger, stop_listening=_nothing)
        self._points[point.charge_point_id] = state
        self.charge_points[point.charge_point_id] = state.view(self.commissioning.summary(state.keys))
        state.stop_listening = charger.listen(partial(self._report, state))

    async def _remove_point(self, charge_point_id: str, now: float) -> None:
        """Let a charge point go; it counts at what it may draw until its limit has run out."""
        point = self._points.pop(charge_point_id)
        point.stop_listening()
        await point.charger.close()
        self.charge_points.pop(charge_point_id, None)
        if point.strangers:
            self._tell("strangers")
        for state in list(self._states.values()):
            if state.charge_point_id == charge_point_id:
                self._let_go(state, now)

    def _let_go(self, state: ConnectorState, now: float) -> None:
        state.went_offline(now)
        state.leaving = True
        self._leave_at[state.key] = now + self.settings.validity_s + EXPIRY_SLACK_S + CAR_SETTLING_S
        self.connectors.pop(state.key, None)

    def _take_up_connectors(self, point: ChargePointSettings, now: float) -> None:
        present = self._points.get(point.charge_point_id)
        online = present is not None and present.online
        configured = self._configured(point)
        for key, state in list(self._states.items()):
            if state.charge_point_id == point.charge_point_id and key not in configured and not state.leaving:
                self._let_go(state, now)
        for connector_settings in point.connectors:
            key = connector_key(point.charge_point_id, connector_settings.number)
            connector = configured[key]
            known = self._states.get(key)
            joins = known is None or known.leaving
            if known is None:
                known = self._states[key] = self._new_state(
                    connector, point.charge_point_id, connector_settings.number, now
                )
            known.configure(connector, self._chosen_mode(key))
            if joins and online:
                # Its charge point will not say once more that it is there.
                known.went_online(now)
            self._prioritise(known)
            known.leaving = False
            self._leave_at.pop(key, None)
            self._show_connector(known)

    def _configured(self, point: ChargePointSettings) -> dict[str, Connector]:
        """Return the engine's connectors of a charge point as they are configured and wished now."""
        return connectors_of(point, self._wishes, self.commissioning.facts, self.usual.mode)

    def _chosen_mode(self, key: str) -> ChargingMode | None:
        wish = self._wishes.get(key)
        return None if wish is None else wish.mode

    def _new_state(self, connector: Connector, charge_point_id: str, number: int, now: float) -> ConnectorState:
        """Return the state of a connector as it was kept, or with nothing known."""
        state = ConnectorState(
            connector=connector,
            charge_point_id=charge_point_id,
            number=number,
            bound=self._keeping.bound(connector, now, self.settings.validity_s),
            since=self._keeping.since(connector.connector_id, now),
            proving_until=now + PROVING_S,
        )
        session = self._keeping.session(state.key)
        if session is not None:
            self._sessions.resume(state, session)
        return state

    async def _take_up_meters(self, settings: SiteSettings, before: SiteSettings) -> None:
        now = self._clock.monotonic()
        wanted = {meter.meter_id: meter for meter in settings.meters}
        lost = self._unguarded | guarded_circuits(meter.settings for meter in self._meters.values())
        for meter_id in self._meters.keys() - wanted.keys():
            gone = self._meters.pop(meter_id)
            await gone.meter.stop()
            self.meters.pop(meter_id, None)
        unchanged = {c.circuit_id for c in settings.circuits} & {
            c.circuit_id for c in before.circuits if c in settings.circuits
        }
        # A circuit whose meter was taken away is stale until somebody has looked at its settings or given it another.
        lost = (lost & unchanged) - guarded_circuits(settings.meters)
        self._keeping.keep_unguarded(self._unguarded, lost)
        self._unguarded = lost
        for meter_id, wanted_settings in wanted.items():
            known = self._meters.get(meter_id)
            elsewhere = settings.listener != before.listener and isinstance(wanted_settings.source, OcppMeterSettings)
            if known is not None and known.settings == wanted_settings and not elsewhere:
                continue
            if known is not None:
                await known.meter.stop()
            state = MeterState(settings=wanted_settings, meter=self._wiring.meter(wanted_settings), started_at=now)
            self._meters[meter_id] = state
            self.meters[meter_id] = state.view(now, self.commissioning.summary((meter_id,)))
            await state.meter.start(partial(self._metered, state))

    def _rebuild_model(self) -> None:
        self._reordered = False
        self._model = SiteModel(
            circuits={circuit.circuit_id: circuit_of(circuit) for circuit in self.settings.circuits},
            connectors={key: self._in_tree(state) for key, state in self._states.items()},
        )

    def _in_tree(self, state: ConnectorState) -> Connector:
        """Return a connector that hangs on a circuit that is there (one that leaves may have lost its own)."""
        circuits = {circuit.circuit_id for circuit in self.settings.circuits}
        if state.connector.circuit_id in circuits:
            return state.connector
        return replace(state.connector, circuit_id=self.settings.circuits[0].circuit_id)

    # Reports -------------------------------------------------------------------------------------------------------

    def _report(self, point: ChargePointState, event: ChargerEvent) -> None:
        """Take note of what a charger says; the cost is proportional to what it is about."""
        now, wall = self._clock.monotonic(), self._clock.time()
        point.last_heard_at = wall
        news = self._is_news(point, event)
        match event:
            case WentOnline():
                self._online(point, now)
            case WentOffline():
                self._offline(point, now)
            case Booted():
                self._booted(point, event, now)
            case OperationProgressed() | ChargerNoticed():
                for seen in list(self._told_listeners):
                    seen(point.settings.charge_point_id, event)
            case StrangerSeen():
                self._met_stranger(point, event)
            case HeldBack():
                self._held_back(point, event)
            case _:
                self._about(point, event, now)
        self._restart.heard(self.settings, point.settings, event)
        self.commissioning.heard(point.settings, event)
        if news:
            self._request_pass()

    def _report_about(self, state: ConnectorState, event: ConnectorEvent, now: float) -> None:
        match event:
            case ConnectorStatus():
                self._status_changed(state, event, now)
            case DrawSample():
                self._sampled(state, event, now)
            case TransactionStarted():
                self._transaction_started(state, event, now)
            case TransactionStopped():
                self._transaction_stopped(state, event, now)
            case NeedsTold():
                self._told_needs(state, event)
            case ChargeNowAsked():
                if state.session is not None:
                    self.wish_session(state.key, charge_now=event.asked)
            case QuirkShown():
                state.showed_quirk(event)

    def _is_news(self, point: ChargePointState, event: ChargerEvent) -> bool:
        """Return whether something is worth a pass of its own; if not, the next one comes within a second anyway.

        A measurement is not, where it says what the one before said and no more than is allowed, while nobody waits to
        be told what vehicles draw: hundreds of charge points that measure would ask for passes all the time.
        """
        if not isinstance(event, DrawSample):
            return True
        state = self._states.get(connector_key(point.settings.charge_point_id, event.connector))
        if state is None or state.drawn_a is None or self._decision is None or self._decision.asked:
            return True
        changed_a = max(abs(now_a - before_a) for now_a, before_a in zip(event.amps, state.drawn_a, strict=True))
        return changed_a >= WORTH_A_PASS_A or max(event.amps) > state.limit_a

    def _booted(self, point: ChargePointState, event: Booted, now: float) -> None:
        point.identity = event.identity
        for state in self._connectors_of(point):
            state.booted(now)
        self._provision(point)
        self._show_point(point)

    def _online(self, point: ChargePointState, now: float) -> None:
        point.online = True
        point.identity = point.charger.identity
        for state in self._connectors_of(point):
            state.went_online(now)
            self._show_connector(state)
        self._provision(point)
        self._show_point(point)

    def _held_back(self, point: ChargePointState, event: HeldBack) -> None:
        for state in self._connectors_of(point):
            if event.connector in {0, state.number}:
                state.is_held_back(event)
                self._show_connector(state)

    def _met_stranger(self, point: ChargePointState, event: StrangerSeen) -> None:
        fresh = event.connector not in point.strangers
        point.strangers[event.connector] = event.drawn_a
        if fresh:
            self._show_point(point)
            self._tell("strangers")

    def _offline(self, point: ChargePointState, now: float) -> None:
        point.online = False
        for state in self._connectors_of(point):
            state.went_offline(now)
            self._show_connector(state)
        self._show_point(point)

    def _provision(self, point: ChargePointState) -> None:
        for state in self._connectors_of(point):
            self._dispatch.provision(state, point.charger)

    def _about(self, point: ChargePointState, event: ConnectorEvent, now: float) -> None:
        state = self._states.get(connector_key(point.settings.charge_point_id, event.connector))
        if state is None or state.leaving:
            return
        self._report_about(state, event, now)
        if not isinstance(event, DrawSample):
            # Who draws how much gives nobody another priority.
            self._prioritise(state)
        self._show_connector(state)

    def _status_changed(self, state: ConnectorState, event: ConnectorStatus, now: float) -> None:
        state.status_changed(event, now)
        self._sessions.follow_vehicle(state)

    def _sampled(self, state: ConnectorState, event: DrawSample, now: float) -> None:
        state.sampled(event, now)
        self._sightings.sampled(state, now)
        self._sessions.measured(state, event)

    def _transaction_started(self, state: ConnectorState, event: TransactionStarted, now: float) -> None:
        self._sessions.transaction_started(state, event)
        if not event.resumed:
            if self._swipes.started(state, now):
                self._charge_now(state)
            state.bound = guard.transaction_began(state.bound, state.connector, now)

    def _transaction_stopped(self, state: ConnectorState, event: TransactionStopped, now: float) -> None:
        self._swipes.stops(state, now)
        self._sessions.transaction_stopped(state, event)
        if not event.late:
            state.bound = guard.transaction_ended(state.bound, state.connector, now)

    def _told_needs(self, state: ConnectorState, event: NeedsTold) -> None:
        state.told_needs(event)
        self._sessions.hear_vehicle(state, event)

    def _card_shown(self, card: ShownCard) -> None:
        """Take note of a card that may charge and that its charge point asks about."""
        point = self._points.get(card.charge_point_id)
        if point is None or card.starts or card.status is not AuthorisationStatus.ACCEPTED:
            return
        states = [state for state in self._connectors_of(point) if card.connector in {None, 0, state.number}]
        self._swipes.asked(card.charge_point_id, card.id_tag, states, self._clock.monotonic())

    def _charge_now(self, state: ConnectorState) -> None:
        """Let a session that waits for cheap hours charge now, as its driver has asked at the charge point."""
        if state.session is not None and state.connector.mode in PLAN_MODES:
            self.wish_session(state.key, charge_now=True)

    def _look_at_swipes(self) -> None:
        for key, transaction_id in self._swipes.due(self._clock.monotonic()):
            state = self._states.get(key)
            running = None if state is None or state.leaving else state.transaction
            if state is not None and running is not None and running.transaction_id == transaction_id:
                self._charge_now(state)

    def _metered(self, meter: MeterState, report: MeterSample | MeterFault) -> None:
        if self._meters.get(meter.settings.meter_id) is not meter:
            return
        meter.take(report)
        self.commissioning.metered(meter.settings.meter_id, report)
        self._show_meter(meter)
        self._schedule_pass(self._next_turn - PASS_SPACING_S)

    def _proof_changed(self, state: ConnectorState) -> None:
        """Take note that an order was answered or a fallback stored."""
        self._keeping.keep_bound(state)
        self.commissioning.accepted(state)
        if not state.leaving:
            self._show_connector(state)
        self._request_pass()

    def _renewed(self, state: ConnectorState) -> None:
        """Take note that a limit holds for longer; a pass is due only where another one waited for the answer."""
        self._keeping.keep_bound(state)
        self.commissioning.accepted(state)
        if state.limit.amps != state.bound.limit_a:
            self._request_pass()

    def ordered(self, state: ConnectorState, command: Command, outcome: LimitOutcome, before_a: float) -> None:
        """Record an order (the audit of the dispatch)."""
        self._records.ordered(state, command, outcome, before_a)
        self._sightings.ordered(state, command, outcome, before_a)

    # The pass ------------------------------------------------------------------------------------------------------

    def _request_pass(self) -> None:
        """Have a pass made soon: at once if the last one is long enough ago."""
        self._schedule_pass(self._next_turn)

    def _schedule_pass(self, at: float) -> None:
        """Have a pass made at a time, or at once if that is past; one that is due sooner serves as well."""
        if self._started_at is None:
            return
        loop, wait = asyncio.get_running_loop(), max(0.0, at - self._clock.monotonic())
        if self._pass_timer is not None:
            if self._pass_timer.when() <= loop.time() + wait:
                return
            self._pass_timer.cancel()
        self._pass_timer = loop.call_later(min(wait, 2 * PASS_SPACING_S), self._pass)

    def _tick(self) -> None:
        self._tick_timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)
        self._drop_the_departed()
        self.caps.look()
        self.tariffs.look()
        self.month_peak.look(self._clock.time())
        self._exposures.look(self._decision)
        self.foresight.look(self._model, self._states, self._decision)
        self._look_at_swipes()
        refilled = self._batteries.look(self._states)
        self.planning.look(self._model, self._states, self._decision, self.caps)
        moved = refilled | self.planning.moved_since() | self.billing.look(self._states)
        self._showing.show([self._states[key] for key in moved if key in self.connectors])
        self._wear.look(self._states, self._charger_at, self._show_connector)
        self._following.look(self._model, self._states, self._points)
        self._keeping.keep_up(self._memory, self._states, self._restart.moments)
        for state in self._states.values():
            self._sessions.conclude(state, self._clock.monotonic())
            if state.leaving:
                continue
            if self._sessions.falls_overdue(state):
                self._show_connector(state)
                self._request_pass()
            remembered = self._memory.connectors.get(state.key)
            holds_place = remembered is not None and remembered.holds_place
            self._news.look(state, holds_place=holds_place, plan=self.planning.view(state))
        problems = problems_of(
            self.settings,
            self._decision,
            self._states,
            self._meters,
            self._records,
            self._clock,
            self._unguarded,
            self.caps,
        )
        problems += stranger_problems(self._points.values())
        problems += self.commissioning.problems() + self._exposures.problems() + self.tariffs.problems()
        problems += self.problems_at_door
        if problems != self._problems:
            self._problems = problems
            self._tell("site")
        for meter in self._meters.values():
            if meter.available(self._clock.monotonic()) != self.meters[meter.settings.meter_id].available:
                self._show_meter(meter)

    def _drop_the_departed(self) -> None:
        now = self._clock.monotonic()
        departed = [key for key, leave_at in self._leave_at.items() if now >= leave_at]
        for key in departed:
            del self._leave_at[key]
            self._sightings.forget(key)
            self._news.forget(key)
            self._swipes.forget(key)
            self._sessions.leave(self._states.pop(key))
        if departed:
            self._rebuild_model()
            self._request_pass()

    def _pass(self) -> None:
        self._pass_timer = asyncio.get_running_loop().call_later(PASS_AT_LATEST_S, self._pass)
        if self._reordered:
            self._rebuild_model()
        now = self._clock.monotonic()
        self._next_turn = max(self._next_turn, now) + PASS_SPACING_S
        meters = self._meters.values()
        snapshot = Snapshot(
            now=now,
            wall=self._clock.time(),
            site=self._model,
            facts=self._restart.facts(self._states),
            caps=self.caps.ceilings(),
            meters=guard_readings(meters, self._unguarded),
            generation=generation_readings(meters),
            unheard=unheard_circuits(meters, now),
            starting=self._restart.starting(self._states.values()),
            needs=self.foresight.needs,
            plans=self.planning.present(self._model, self._states),
            validity_s=self.settings.validity_s,
            on_time_s=self.settings.on_time_s,
        )
        decision = decide(snapshot, self._memory)
        # Who loses a place in a new turn is judged once everybody has been heard of.
        self._memory = replace(decision.memory, turn=self._memory.turn) if snapshot.starting else decision.memory
        self._decision = decision
        moved = [
            state for key, state in self._states.items() if state.decided(decision.bounds[key], decision.limits[key])
        ]
        # What is sent comes before what is shown: a reduction is on the wire before anybody is told of it.
        self._send(decision)
        places = {key: place for place, key in enumerate(decision.queue, start=1)}
        for key, state in self._states.items():
            place = places.get(key)
            if place != state.queue_position:
                state.queue_position = place
                moved.append(state)
        self._showing.show(moved)
        self._show_circuits(decision)
        self._demand.add(decision, measured_powers(meters), snapshot.wall)

    def _send(self, decision: Decision) -> None:
        """Hand over what a pass decided, reductions first and questions last."""
        validity_s = self.settings.validity_s
        for command in decision.commands:
            state, charger = self._reached(command.connector_id)
            if charger is not None:
                self._dispatch.send(state, charger, command, validity_s, self.planning.afterwards(state))
        for key in decision.fallbacks:
            state, charger = self._reached(key)
            if charger is not None:
                self._dispatch.raise_fallback(state, charger, validity_s)
        for key in decision.asked:
            state, charger = self._reached(key)
            if charger is not None:
                self._dispatch.ask(state, charger)

    def _reached(self, key: str) -> tuple[ConnectorState, Charger | None]:
        """Return a connector and its charger; none where it was removed."""
        state = self._states[key]
        point = self._points.get(state.charge_point_id)
        return state, None if point is None or state.leaving else point.charger

    # Pictures ------------------------------------------------------------------------------------------------------

    def _show_connector(self, state: ConnectorState) -> None:
        view = self.caps.explained(state.view(self._circuit_names, self.planning.view(state)), state.limit)
        if self.connectors.get(state.key) != view:
            self.connectors[state.key] = view
            self._tell(f"connector:{state.key}")

    def _show_point(self, point: ChargePointState) -> None:
        view = point.view(self.commissioning.summary(point.keys))
        key = point.settings.charge_point_id
        if self.charge_points.get(key) != view:
            self.charge_points[key] = view
            self._tell(f"charge_point:{key}")

    def _show_meter(self, meter: MeterState) -> None:
        meter_id = meter.settings.meter_id
        self.meters[meter_id] = meter.view(self._clock.monotonic(), self.commissioning.summary((meter_id,)))
        self._tell(f"meter:{meter_id}")

    def _show_circuits(self, decision: Decision) -> None:
        views = circuit_views(
            self.settings,
            self._model,
            decision,
            self._states,
            self._meters,
            self._following.within_s,
            self.caps,
            self._exposures,
            self._circuits_made_of,
        )
        for circuit_id, view in views.items():
            if self.circuits.get(circuit_id) != view:
                self.circuits[circuit_id] = view
                self._tell(f"circuit:{circuit_id}")

    def _tell(self, subject: str) -> None:
        for listener in list(self._subscribers.get(subject, ())):
            listener()

    def _connectors_of(self, point: ChargePointState) -> list[ConnectorState]:
        found = (
            self._states.get(connector_key(point.settings.charge_point_id, c.number)) for c in point.settings.connectors
        )
        return [state for state in found if state is not None and not state.leaving]


def _names_of(settings: SiteSettings) -> dict[str, str]:
    return {circuit.circuit_id: circuit.name for circuit in settings.circuits}


def _refuse(settings: SiteSettings) -> None:
    faults = check(settings)
    if faults:
        raise SettingsError(faults)


def _nothing() -> None:
    """Nothing is listened to yet."""
