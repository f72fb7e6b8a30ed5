"""A physical site around a real `Site` in virtual time: the simulator's physics, chargers and meters without a wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from random import Random
from typing import override

from custom_components.charge_cluster.chargers import (
    ChargerEvent,
    ChargerOffline,
    ConnectorStatus,
    DeviceIdentity,
    DrawSample,
    LimitForm,
    LimitOrder,
    LimitOutcome,
    ReportEvent,
    TransactionStarted,
    TransactionStopped,
    WentOffline,
    WentOnline,
)
from custom_components.charge_cluster.engine.controller import Command
from custom_components.charge_cluster.engine.model import MeterScope, PhaseAmps, VehicleState
from custom_components.charge_cluster.engine.planner import Plan, PlanTask, plan
from custom_components.charge_cluster.meters import FaultKey, MeterFault, MeterSample, ReportSample
from custom_components.charge_cluster.ocpp.conversation import Afterwards
from custom_components.charge_cluster.site.battery import BatteryReading
from custom_components.charge_cluster.site.billing import MonthView
from custom_components.charge_cluster.site.cap import Cap
from custom_components.charge_cluster.site.commissioning.findings import CommissioningTest, Finding
from custom_components.charge_cluster.site.connector import ConnectorState
from custom_components.charge_cluster.site.exposure import KeptExposure
from custom_components.charge_cluster.site.month_peak import KeptPeak
from custom_components.charge_cluster.site.plan import KeptPlan
from custom_components.charge_cluster.site.plan_now import Prices
from custom_components.charge_cluster.site.planning import Solve
from custom_components.charge_cluster.site.records import Kept, KeptBound
from custom_components.charge_cluster.site.session import Session
from custom_components.charge_cluster.site.session_wish import NO_PROFILE, Profile
from custom_components.charge_cluster.site.settings import (
    ChargePointSettings,
    CircuitSettings,
    ConnectorSettings,
    ConnectorWish,
    MeterSettings,
    ModbusMeterSettings,
    SiteSettings,
    SiteWish,
)
from custom_components.charge_cluster.site.site import Site
from custom_components.charge_cluster.site.standing import KeptDemand, KeptStanding
from custom_components.charge_cluster.site.views import SessionEvent
from custom_components.charge_cluster.site.wear import KeptWear
from simulator.physics import CircuitSpec, OutletSpec, SiteTruth
from simulator.vehicle import CarSpec
from tests.virtual_time import VirtualClock, VirtualLoop

STEP_S = 0.5


async def at_once(task: PlanTask) -> Plan:
    """Make a plan here and now: virtual time waits for no thread."""
    return plan(task)


class Notebook:
    """Records in memory."""

    def __init__(self) -> None:
        self.available = True
        self.replaced: str | None = None
        self.drivers_known = True
        self.bounds: dict[str, KeptBound] = {}
        self.bases: dict[str, PhaseAmps] = {}
        self.stuck: dict[str, PhaseAmps] = {}
        self.unguarded: set[str] = set()
        self.caps: dict[tuple[str, str], Cap] = {}
        self.orders: list[tuple[str, float, float, LimitOutcome]] = []
        """Connector, the limit that was in force until then, the one that was ordered, what became of it."""
        self.seen: list[tuple[str, float, float]] = []
        """Connector, the limit that was seen to be kept, what was measured then."""
        self.sessions: dict[str, Session] = {}
        """Those that were recorded, as they were last."""
        self.kept_sessions: dict[str, Session] = {}
        self.findings: list[Finding] = []
        self.exposures: dict[str, KeptExposure] = {}
        self.standings: dict[str, KeptStanding] = {}
        self.demands: dict[str, KeptDemand] = {}
        self.turn: int | None = None
        self.priorities: dict[str, int] = {}
        self.profiles: dict[str, Profile] = {}
        """Of drivers, by idTag."""
        self.wear: dict[str, KeptWear] = {}
        self.plans: dict[str, KeptPlan] = {}
        self.usual_loads: dict[tuple[str, int], Sequence[PhaseAmps | None]] = {}
        self.month: MonthView | None = None
        self.peak: KeptPeak | None = None
        self.minutes: list[tuple[str, float, PhaseAmps, float]] = []
        self.orderly = True
        """Whether what it holds is all that there was, as after an orderly stop."""

    async def load(self) -> Kept:
        sessions = {key: deepcopy(session) for key, session in self.kept_sessions.items()}
        return Kept(
            orderly=self.orderly,
            bounds=dict(self.bounds),
            sessions=sessions,
            bases=dict(self.bases),
            stuck=dict(self.stuck),
            unguarded=sorted(self.unguarded),
            caps=list(self.caps.values()),
            findings=tuple(self.findings),
            exposures=dict(self.exposures),
            standings=dict(self.standings),
            demands=dict(self.demands),
            turn=self.turn,
            wear=dict(self.wear),
            plans=dict(self.plans),
            usual_loads=dict(self.usual_loads),
            month=self.month,
            peak=self.peak,
        )

    def complete(self) -> None: ...

    def keep_base(self, circuit_id: str, amps: PhaseAmps) -> None:
        self.bases[circuit_id] = amps

    def keep_unguarded(self, circuit_id: str, *, lost: bool) -> None:
        (self.unguarded.add if lost else self.unguarded.discard)(circuit_id)

    def keep_stuck(self, circuit_id: str, amps: PhaseAmps | None) -> None:
        self.stuck.pop(circuit_id, None)
        if amps is not None:
            self.stuck[circuit_id] = amps

    def keep_cap(self, cap: Cap) -> None:
        self.caps[cap.circuit_id, cap.source] = cap

    def drop_cap(self, circuit_id: str, source: str) -> None:
        self.caps.pop((circuit_id, source), None)

    def ordered(self, state: ConnectorState, command: Command, outcome: LimitOutcome, before_a: float) -> None:
        self.orders.append((state.key, before_a, command.amps, outcome))

    def limit_seen(self, key: str, limit_a: float, seen_a: float, seen_ago_s: float) -> None:
        self.seen.append((key, limit_a, seen_a))

    def keep_bound(self, bound: KeptBound) -> None:
        self.bounds[bound.key] = bound

    def keep_exposure(self, circuit_id: str, exposure: KeptExposure | None) -> None:
        self.exposures.pop(circuit_id, None)
        if exposure is not None:
            self.exposures[circuit_id] = exposure

    def keep_finding(self, finding: Finding) -> None:
        self.findings.append(finding)

    def outdate_findings(self, subject: str, tests: Sequence[CommissioningTest]) -> None:
        self.findings = [
            replace(found, outdated=True) if found.subject == subject and found.test in tests else found
            for found in self.findings
        ]

    async def finding_history(self, subject: str) -> Sequence[Finding]:
        return [found for found in reversed(self.findings) if found.subject == subject]

    def keep_standing(self, key: str, standing: KeptStanding | None) -> None:
        self.standings.pop(key, None)
        if standing is not None:
            self.standings[key] = standing

    def keep_demand(self, circuit_id: str, demand: KeptDemand) -> None:
        self.demands[circuit_id] = demand

    def keep_wear(self, key: str, wear: KeptWear | None) -> None:
        self.wear.pop(key, None)
        if wear is not None:
            self.wear[key] = wear

    def keep_plan(self, key: str, kept: KeptPlan | None) -> None:
        self.plans.pop(key, None)
        if kept is not None:
            self.plans[key] = kept

    def keep_usual_load(self, circuit_id: str, weekday: int, day: Sequence[PhaseAmps | None] | None) -> None:
        self.usual_loads.pop((circuit_id, weekday), None)
        if day is not None:
            self.usual_loads[circuit_id, weekday] = day

    def keep_month(self, month: MonthView) -> None:
        self.month = month

    def keep_peak(self, peak: KeptPeak) -> None:
        self.peak = peak

    def keep_turn(self, turn: int) -> None:
        self.turn = turn

    def keep_session(self, key: str, session: Session | None) -> None:
        self.kept_sessions.pop(key, None)
        if session is not None:
            self.kept_sessions[key] = deepcopy(session)

    def driver_priority(self, id_tag: str) -> int | None:
        return self.priorities.get(id_tag)

    def driver_profile(self, id_tag: str) -> Profile:
        return self.profiles.get(id_tag, NO_PROFILE)

    def session(self, key: str, session: Session) -> None:
        self.sessions[session.session_id] = deepcopy(session)

    def demand(
        self, circuit_id: str, minute_start: float, peak_a: PhaseAmps, mean_power_w: float, samples: int
    ) -> None:
        self.minutes.append((circuit_id, minute_start, peak_a, mean_power_w))


class WirelessCharger:
    """A charge point with one connector that holds a limit with its fallback beneath, as a real one does."""

    def __init__(self, physical: PhysicalSite, settings: ChargePointSettings) -> None:
        self.physical = physical
        self.outlet_id = settings.identity
        self.online = True
        self.identity = DeviceIdentity(vendor="Simulated", model="Post")
        self.listeners: list[ReportEvent] = []
        self.fallback_a = 32.0
        self.limit_a: float | None = None
        self.ends_a = 0.0
        """What the limit ends in."""
        self.afterwards: tuple[Afterwards, ...] = ()
        self.expires_at = float("inf")
        self.answer_after_s = 0.05
        self.refuses = False
        self.refuses_fallback = False
        self.ignores = False
        self.obeys_form: int | None = None
        """Where it ignores limits: it obeys them from so many other forms on; None: in no form."""
        self.forms = 0
        """Other forms in which a limit was ordered."""
        self.switches_phases = True
        self.phases: int | None = None
        """How many phases its limit is for; None: all."""
        self.reports_offer = False
        self.foreign_a = 32.0
        """What something else lets it offer at most."""
        self.loses_answers = False
        self.sample_every_s = 10.0
        self.measures = True
        self.measures_on_demand = True
        self.asked_at: list[float] = []
        """When it was asked for a measurement."""
        self.transaction = 0
        self.id_tag: str | None = None
        """Whose transactions it starts."""
        self.told_sated = False
        self.runs = False
        """Whether that transaction runs."""
        self.meter_start_wh = 0.0
        self.started_at = 0.0
        self.calls: list[tuple[float, float]] = []
        self.fallbacks_stored = 0

    def listen(self, report: ReportEvent) -> Callable[[], None]:
        self.listeners.append(report)
        if self.online:
            report(WentOnline())
            self.report_state()
        return lambda: self.listeners.remove(report)

    def report(self, event: ChargerEvent) -> None:
        if self.online:
            for listener in list(self.listeners):
                listener(event)

    def report_status(self) -> None:
        car = self.physical.truth.outlets[self.outlet_id].car
        self.told_sated = car is not None and car.sated
        vehicle = VehicleState.ABSENT if car is None else VehicleState.SATED if car.sated else VehicleState.WANTS
        self.report(ConnectorStatus(connector=1, vehicle=vehicle, status=vehicle.value))

    def report_change(self) -> None:
        """Say whether its vehicle wants current, where that has changed."""
        car = self.physical.truth.outlets[self.outlet_id].car
        if car is not None and car.sated is not self.told_sated:
            self.report_status()

    def report_state(self) -> None:
        self.report_status()
        if self.runs:
            self.report(self._started(resumed=True))

    def plugged(self) -> None:
        self.report_status()
        self.start_transaction()

    def start_transaction(self, *, at: float | None = None, register_wh: float | None = None) -> None:
        self.transaction += 1
        self.meter_start_wh = self.register_wh if register_wh is None else register_wh
        self.started_at = self.physical.clock.time() if at is None else at
        self.runs = True
        self.report(self._started(resumed=False))

    def _started(self, *, resumed: bool) -> TransactionStarted:
        return TransactionStarted(
            connector=1,
            transaction_id=str(self.transaction),
            id_tag=self.id_tag,
            meter_start_wh=self.meter_start_wh,
            started_at=self.started_at,
            resumed=resumed,
        )

    def unplugged(self) -> None:
        self.limit_a = None
        self.stop_transaction(vehicle_left=True)
        self.report_status()

    def stop_transaction(
        self,
        *,
        register_wh: float | None = None,
        at: float | None = None,
        vehicle_left: bool = False,
        presumed: bool = False,
        late: bool = False,
    ) -> None:
        self.runs = self.runs and late
        self.report(
            TransactionStopped(
                connector=1,
                transaction_id=str(self.transaction),
                meter_start_wh=self.meter_start_wh,
                meter_stop_wh=self.register_wh if register_wh is None else register_wh,
                stopped_at=self.physical.clock.time() if at is None else at,
                reason=None,
                vehicle_left=vehicle_left,
                presumed=presumed,
                late=late,
            )
        )

    @property
    def register_wh(self) -> float:
        return self.physical.truth.outlets[self.outlet_id].register_wh

    def lose_connection(self) -> None:
        self.online = False
        for listener in list(self.listeners):
            listener(WentOffline())

    def reconnect(self) -> None:
        self.online = True
        self.report(WentOnline())
        self.report_state()

    def offer(self, now: float) -> float:
        """Return what it offers its vehicle now."""
        if self.limit_a is None:
            return self._known(self.fallback_a)
        return self._known(self._by_itself(now) if now >= self.expires_at else self.limit_a)

    def _by_itself(self, now: float) -> float:
        """Return what its limit has passed into, by what came with it."""
        wall = self.physical.clock.time() - self.physical.loop.time() + now
        return next((step.amps for step in reversed(self.afterwards) if step.at <= wall), self.ends_a)

    def _known(self, amps: float) -> float:
        """Return the highest current that it knows and that is not above `amps`."""
        steps = self.physical.steps_a.get(self.outlet_id, ())
        return max((step for step in steps if step <= amps), default=0.0) if steps else amps

    def connects(self, now: float) -> int:
        """Return how many phases it connects as soon as nothing flows."""
        holds = self.limit_a is not None and now < self.expires_at
        return 3 if self.phases is None or not holds or not self.switches_phases else self.phases

    async def apply_limit(self, connector: int, order: LimitOrder) -> LimitOutcome:
        if not self.online:
            raise ChargerOffline
        await asyncio.sleep(self.answer_after_s)
        if self._cut_off():
            return LimitOutcome.UNKNOWN
        if self.refuses:
            return LimitOutcome.REFUSED
        now = asyncio.get_running_loop().time()
        self.calls.append((now, order.amps))
        if order.form is LimitForm.OTHER:
            self.forms += 1
            self.ignores = self.ignores and self.forms != self.obeys_form
        if not self.ignores:
            self.limit_a, self.expires_at = order.amps, now + order.validity_s
            self.ends_a, self.afterwards = order.fallback_a, order.afterwards
            self.phases = order.phases
        return LimitOutcome.UNKNOWN if self.loses_answers else LimitOutcome.ACCEPTED

    def _cut_off(self) -> bool:
        return not self.online

    def writes(self, connector: int) -> tuple[int, int]:
        return (len(self.calls), self.fallbacks_stored)

    async def provision_fallback(self, connector: int, fallback_a: float) -> LimitOutcome:
        if not self.online:
            raise ChargerOffline
        await asyncio.sleep(self.answer_after_s)
        if self.refuses_fallback:
            return LimitOutcome.REFUSED
        self.fallback_a = fallback_a
        self.fallbacks_stored += 1
        return LimitOutcome.ACCEPTED

    def sample(self, now: float) -> None:
        if not self.measures:
            return
        outlet = self.physical.truth.outlets[self.outlet_id]
        drawn = outlet.drawn
        self.report(
            DrawSample(
                connector=1,
                amps=(drawn[0], drawn[1], drawn[2]),
                measured_at=now,
                power_w=sum(drawn) * 230.0,
                energy_wh=outlet.register_wh,
                register_wh=outlet.register_wh,
                offered_a=outlet.offered_a if self.reports_offer else None,
            )
        )

    async def start(self, connector: int, id_tag: str) -> None: ...

    async def stop(self, connector: int) -> None: ...

    async def reset(self, *, hard: bool) -> None: ...

    async def unlock(self, connector: int) -> None: ...

    async def set_availability(self, connector: int, *, operative: bool) -> None: ...

    async def refresh(self) -> None: ...

    async def measure(self, connector: int) -> None:
        loop = asyncio.get_running_loop()
        self.asked_at.append(loop.time())
        await asyncio.sleep(self.answer_after_s)
        self.sample(loop.time())

    async def close(self) -> None:
        self.listeners.clear()


class WirelessMeter:
    """A meter that reads the truth."""

    def __init__(self, physical: PhysicalSite, settings: MeterSettings) -> None:
        self.physical = physical
        self.circuit_id = settings.circuit_id
        self.report: ReportSample | None = None
        self.silent = False
        self.frozen: PhaseAmps | None = None
        """Shown instead of the truth; a meter of generation shows nothing else."""
        self.lag_s = 0.0
        self.tells_lag = True
        """Whether the time that it gives is that of what it shows, and not that of the report."""
        self.past: list[tuple[float, PhaseAmps]] = []

    async def start(self, report: ReportSample) -> None:
        self.report = report

    async def stop(self) -> None:
        self.report = None

    def sample(self, now: float) -> None:
        self.past.append((now, self.physical.truth.amps(self.circuit_id)))
        if self.report is None or self.silent:
            return
        at, amps = next((p for p in reversed(self.past) if p[0] <= now - self.lag_s), self.past[0])
        self.report(MeterSample(amps=self.frozen or amps, measured_at=at if self.tells_lag else now))

    def fail(self, key: FaultKey) -> None:
        if self.report is not None:
            self.report(MeterFault(key=key, detail="simulated"))


@dataclass(kw_only=True)
class PhysicalSite:
    """Truth, chargers, meters and the site that controls them; told what to build before it starts."""

    settings: SiteSettings
    circuits: list[CircuitSpec]
    outlets: list[OutletSpec]
    loop: VirtualLoop
    notebook: Notebook = field(default_factory=Notebook)
    wishes: dict[str, ConnectorWish] = field(default_factory=dict)
    usual: SiteWish = field(default_factory=SiteWish)
    prices: Prices | None = None
    solve: Solve = at_once
    batteries: dict[str, BatteryReading] = field(default_factory=dict)
    """What entities tell of how full vehicles are."""

    def __post_init__(self) -> None:
        self.clock = VirtualClock(self.loop)
        self.truth = SiteTruth(self.circuits, self.outlets)
        self.chargers: dict[str, WirelessCharger] = {}
        self.meters: dict[str, WirelessMeter] = {}
        self.steps_a: dict[str, tuple[float, ...]] = {}
        """The only currents that a charger knows, by its identity."""
        self.told: list[SessionEvent] = []
        """Sessions that were told to begin or end."""
        self.site = self._site()
        self._steps = 0

    def _site(self) -> Site:
        site = Site(
            self.settings,
            self.wishes,
            clock=self.clock,
            records=self.notebook,
            wiring=self,
            chance=Random(14),
            usual=self.usual,
            solve=self.solve,
            read_battery=self.batteries.get,
        )
        if self.prices is not None:
            site.planning.use(self.prices)
        site.on_session(self.told.append)
        return site

    async def prepare(self, settings: SiteSettings) -> None: ...

    def reconfigure(self, charger: object, point: ChargePointSettings) -> None: ...

    async def settle(self, settings: SiteSettings) -> None: ...

    def shut_door(self, point: ChargePointSettings, for_s: float) -> None:
        charger = self.chargers[point.identity]
        if for_s > 0.0 and charger.online:
            charger.lose_connection()
        elif for_s <= 0.0 and not charger.online:
            charger.reconnect()

    def knocks(self, point: ChargePointSettings) -> int:
        return 0

    def charger(self, settings: ChargePointSettings) -> WirelessCharger:
        known = self.chargers.get(settings.identity)
        if known is None:
            known = self.chargers[settings.identity] = WirelessCharger(self, settings)
        return known

    def meter(self, settings: MeterSettings) -> WirelessMeter:
        key = settings.circuit_id if settings.scope is not MeterScope.GENERATION else settings.meter_id
        meter = self.meters[key] = WirelessMeter(self, settings)
        return meter

    async def start(self) -> None:
        await self.site.start()

    async def restart(self, away_s: float, *, memory: Mapping[str, KeptBound] | None = None) -> None:
        """Stop the site and start it anew from what it kept, or as if it was killed: from limits of an earlier time."""
        await self.site.stop()
        if memory is not None:
            self.notebook.bounds, self.notebook.orderly = dict(memory), False
        await self.run(away_s)
        await self.begin_anew()

    async def begin_anew(self) -> None:
        """Start the site anew from what it kept."""
        self.site = self._site()
        await self.site.start()

    async def kill(self, away_s: float, found: Notebook) -> None:
        """End the site without a word and start it anew from what it finds on its disk."""
        await self.site.stop()  # what it writes is lost with its notebook
        found.orderly = False
        self.notebook = found
        await self.run(away_s)
        await self.begin_anew()

    async def run(self, seconds: float, watch: Callable[[], None] | None = None) -> None:
        """Let time pass."""
        for _ in range(round(seconds / STEP_S)):
            await asyncio.sleep(STEP_S)
            now = self.loop.time()
            self._steps += 1
            for charger in self.chargers.values():
                outlet = self.truth.outlets[charger.outlet_id]
                offer = 32.0 if charger.ignores and outlet.car is not None else charger.offer(now)
                if not (outlet.switch_to(charger.connects(now)) or any(outlet.drawn)):
                    offer = 0.0
                outlet.offer(min(offer, charger.foreign_a), self.truth.now)
            self.truth.step(STEP_S)
            for index, charger in enumerate(self.chargers.values()):
                if (self._steps + 3 * index) % round(charger.sample_every_s / STEP_S) == 0:
                    charger.sample(now)
            if self._steps % round(1.0 / STEP_S) == 0:
                for meter in self.meters.values():
                    meter.sample(now)
            if watch is not None:
                watch()

    def plug(self, outlet_id: str, *, maximum_a: float = 16.0, phases: int = 3) -> None:
        """Plug a car in."""
        self.truth.plug(outlet_id, CarSpec(name=f"car at {outlet_id}", maximum_a=maximum_a, phases=phases))
        self.chargers[outlet_id].plugged()

    def unplug(self, outlet_id: str) -> None:
        """Pull a plug."""
        self.truth.unplug(outlet_id)
        self.chargers[outlet_id].unplugged()

    def above_s(self, circuit_id: str = "supply") -> float:
        """Return the seconds that a circuit was above its rating, on its worst phase."""
        account = self.truth.accounts[circuit_id]
        return max(phase.above_s for phase in account.phases)

    def stale(self) -> bool:
        """Return whether the meter of the supply is not trusted."""
        return self.site.circuits["supply"].stale

    def limits(self) -> list[float]:
        """Return the limits in force."""
        return [view.limit_a for view in self.site.connectors.values()]


def a_site(
    loop: VirtualLoop,
    points: int,
    *,
    supply_a: float = 100.0,
    base_load_a: float = 20.0,
    declared_a: float | None = 60.0,
    fallback_a: float = 0.0,
    cluster_a: float | None = None,
    single_phase: bool = False,
    on_time_s: float = 900.0,
    metered: bool = True,
) -> PhysicalSite:
    """Return a site of equal charge points P1 … Pn below one supply (or one cluster of it)."""
    circuit_id = "supply" if cluster_a is None else "cluster"
    settings_circuits = [
        CircuitSettings(
            circuit_id="supply",
            name="Supply",
            parent_id=None,
            rating_a=(supply_a,) * 3,
            declared_base_load_a=None if declared_a is None else (declared_a,) * 3,
        )
    ]
    truth_circuits = [CircuitSpec(circuit_id="supply", rating_a=(supply_a,) * 3)]
    if cluster_a is not None:
        settings_circuits.append(
            CircuitSettings(circuit_id="cluster", name="Cluster", parent_id="supply", rating_a=(cluster_a,) * 3)
        )
        truth_circuits.append(CircuitSpec(circuit_id="cluster", parent_id="supply", rating_a=(cluster_a,) * 3))
    charge_points = []
    outlets = []
    for index in range(points):
        rotation = (index % 3,) if single_phase else (index % 3, (index + 1) % 3, (index + 2) % 3)
        name = f"P{index + 1}"
        charge_points.append(a_charge_point(name, circuit_id, rotation, fallback_a))
        outlets.append(OutletSpec(outlet_id=name, circuit_id=circuit_id, rotation=rotation))
    meter = MeterSettings(
        meter_id="meter",
        name="Supply meter",
        circuit_id="supply",
        source=ModbusMeterSettings(host="127.0.0.1", port=502, unit=1, profile="sunspec"),
    )
    physical = PhysicalSite(
        settings=SiteSettings(
            site_id="site",
            name="Site",
            circuits=tuple(settings_circuits),
            charge_points=tuple(charge_points),
            meters=(meter,) if metered else (),
            on_time_s=on_time_s,
        ),
        circuits=truth_circuits,
        outlets=outlets,
        loop=loop,
    )
    physical.truth.set_base_load("supply", (base_load_a,) * 3)
    return physical


def a_charge_point(
    name: str, circuit_id: str = "supply", rotation: tuple[int, ...] = (0, 1, 2), fallback_a: float = 0.0
) -> ChargePointSettings:
    """Return a charge point with one connector."""
    return ChargePointSettings(
        charge_point_id=name.lower(),
        name=name,
        identity=name,
        circuit_id=circuit_id,
        connectors=(ConnectorSettings(number=1, rotation=rotation),),
        fallback_a=fallback_a,
    )


__all__ = ["Notebook", "PhysicalSite", "WirelessCharger", "WirelessMeter", "a_charge_point", "a_site", "override"]
