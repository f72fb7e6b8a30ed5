"""The pass in a closed loop with a small physical site: no sockets, no event loop, time in half-second steps.

Cars follow the limit of their charger after a reaction time, chargers answer late or not at all, fall back by
themselves and are sampled at intervals of their own, and the meter lags. What the chargers tell goes into the draw
bounds exactly as `site/` puts it there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from custom_components.charge_cluster.engine import guard
from custom_components.charge_cluster.engine.controller import decide
from custom_components.charge_cluster.engine.guard import DrawBound
from custom_components.charge_cluster.engine.model import (
    PHASES,
    Connector,
    ExternalCap,
    MeterReading,
    MeterScope,
    PhaseAmps,
    Reason,
    SiteModel,
    VehicleState,
)
from custom_components.charge_cluster.engine.needs import Need
from custom_components.charge_cluster.engine.obedience import LimitForm
from custom_components.charge_cluster.engine.planned import PlannedNow
from custom_components.charge_cluster.engine.snapshot import Command, ConnectorFacts, Decision, Memory, Snapshot

STEP_S = 0.5
WALL_AT_START = 1_800_000_000.0
"""A turn begins here: it is a multiple of every on-time that the tests use."""

EXPIRY_SLACK_S = 5.0


@dataclass(kw_only=True)
class Car:
    """A vehicle: what it would draw on how many phases, and how it reacts."""

    phases: int = 3
    maximum_a: float = 32.0
    reacts_after_s: float = 6.0
    takes_a: float | None = None
    """It never draws more than this, whatever it is offered."""
    sated: bool = False
    full: bool = False
    """It takes nothing, and its charger does not say so."""
    needs_a: float = 0.0
    """It does not run on less, whatever its charger's minimum is."""
    phantom_a: float = 0.0
    """What flows on each phase that it does not use, by leakage and induction."""
    falls_asleep: bool = False
    """Once paused it takes nothing again before its offer was taken away a second time."""


@dataclass(kw_only=True)
class Charger:
    """A charge point with one connector, as it truly is."""

    connector: Connector
    sample_every_s: float = 10.0
    sample_offset_s: float = 0.0
    answers_after_s: float = 0.0
    answers: bool = True
    refuses: bool = False
    ignores: bool = False
    online: bool = True
    obeys_form: int | None = None
    """Where it ignores limits: it obeys them from so many other forms on; None: in no form."""
    forms: int = 0
    """Other forms in which a limit was ordered."""
    measures: bool = True
    switches_after_s: float | None = 0.0
    """So long after an order for another number of phases it changes them; None: it never does."""
    phases: list[tuple[float, int]] = field(default_factory=list)
    """(time, phases) that it connects of those it has, newest last."""
    car: Car | None = None
    plugged_at: float = 0.0
    limit_a: float = 0.0
    expires_at: float = float("inf")
    offers: list[tuple[float, float]] = field(default_factory=list)
    """(time, amps) that the car was offered, newest last."""

    def tick(self, now: float) -> None:
        """Let a limit run out."""
        if now >= self.expires_at:
            self.obey(self.connector.fallback_a, now, float("inf"))
            self.use_phases(None, now)

    def take_form(self, form: LimitForm) -> None:
        """Take note of how a limit is worded."""
        if form is LimitForm.OTHER:
            self.forms += 1
            if self.forms == self.obeys_form:
                self.ignores = False

    def obey(self, amps: float, now: float, expires_at: float) -> None:
        """Offer the car another limit."""
        self.limit_a, self.expires_at = amps, expires_at
        self.offers.append((now, amps))

    def drawn_a(self, now: float) -> float:
        """Return what the car draws per phase."""
        car = self.car
        if car is None or car.sated or car.full:
            return 0.0
        offered = 0.0
        for at, amps in self.offers:
            if max(at, self.plugged_at) + car.reacts_after_s <= now:
                offered = amps
        if offered < max(self.connector.minimum_a, car.needs_a) or (car.falls_asleep and self._pauses(now) == 1):
            return 0.0
        return min(offered, car.maximum_a, car.takes_a or offered)

    def use_phases(self, phases: int | None, now: float) -> None:
        """Take note of how many phases a limit is for."""
        wanted = len(PHASES) if phases is None else phases
        if self.switches_after_s is not None and wanted != (self.phases[-1][1] if self.phases else len(PHASES)):
            self.phases.append((now + self.switches_after_s, wanted))

    def _connected(self, now: float) -> int:
        return next((phases for at, phases in reversed(self.phases) if at <= now), len(PHASES))

    def _pauses(self, now: float) -> int:
        """Return how often the offer of its car was taken away by now, since it was plugged in."""
        seen = [amps for at, amps in self.offers if self.plugged_at <= at <= now]
        return sum(later <= 0.0 < sooner for sooner, later in pairwise(seen))

    def on_terminals(self, now: float) -> PhaseAmps:
        """Return what its own meter shows."""
        amps = self.drawn_a(now)
        wired = len(self.connector.rotation or PHASES)
        used = min(self.car.phases if self.car else 0, wired, self._connected(now))
        phantom = self.car.phantom_a if self.car else 0.0
        first, second, third = (amps if own < used else phantom if own < wired else 0.0 for own in PHASES)
        return (first, second, third)


@dataclass
class _Call:
    answered_at: float
    amps: float
    sent_at: float
    accepted: bool
    phases: int | None = None


@dataclass(kw_only=True)
class Stage:
    """A site with its chargers, driven pass by pass."""

    site: SiteModel
    chargers: dict[str, Charger]
    base_load: Callable[[float], PhaseAmps] = lambda _: (0.0, 0.0, 0.0)
    meter_lag_s: float = 0.0
    meter_interval_s: float = 1.0
    meter_timeout_s: float = 10.0
    meter_scope: MeterScope = MeterScope.EVERYTHING
    meter_speaks: bool = True
    meter_stuck: bool = False
    has_meter: bool = True
    seen_by_meter: Callable[[str], PhaseAmps] | None = None
    """What the meter of a circuit sees; None: all that flows."""
    voltage_v: float | None = None
    generation: MeterReading | None = None
    """What a meter of generation on the supply shows."""
    caps: Sequence[ExternalCap] = ()
    needs: Mapping[str, Need] = field(default_factory=dict)
    """What was reckoned of the cars that share by need."""
    plans: dict[str, PlannedNow] = field(default_factory=dict)
    """What is planned now of the cars that have a plan."""
    starts_at: dict[str, float] = field(default_factory=dict)
    """Moments before which a connector may not start."""
    validity_s: float = 30.0
    on_time_s: float = 900.0
    now: float = 0.0
    memory: Memory = field(default_factory=Memory)
    bounds: dict[str, DrawBound] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    over_s: dict[str, float] = field(default_factory=dict)
    """Seconds above the rating of each circuit in the physical truth."""
    sent: list[tuple[float, str, float, Reason]] = field(default_factory=list)
    """Changes of limits: time, connector, amps, reason."""
    decision: Decision | None = None
    _seen: list[tuple[float, PhaseAmps]] = field(default_factory=list)
    _reading: MeterReading | None = None
    _calls: dict[str, list[_Call]] = field(default_factory=dict)
    _read_at: float = float("-inf")

    def __post_init__(self) -> None:
        for key, charger in self.chargers.items():
            bound = guard.went_online(guard.unknown_bound(charger.connector), charger.connector, 0.0)
            fallback = charger.connector.fallback_a
            self.bounds[key] = guard.fallback_stored(bound, fallback, idle=True, now=0.0)
            charger.obey(fallback, 0.0, float("inf"))
            self.since[key] = 0.0
            self._calls[key] = []

    # What happens ----------------------------------------------------------------------------------------------------

    def plug(self, key: str, car: Car) -> None:
        """Plug a car in; its session starts with what the charger holds."""
        charger = self.chargers[key]
        charger.car, charger.plugged_at = car, self.now
        self.since[key] = self.now

    def unplug(self, key: str) -> None:
        """Take the car away; the charger goes back to its fallback, as at the end of a transaction."""
        charger = self.chargers[key]
        charger.car = None
        charger.obey(charger.connector.fallback_a, self.now, float("inf"))
        charger.use_phases(None, self.now)
        if charger.online:
            self.bounds[key] = guard.unplugged(self.bounds[key], self.now)
        self._calls[key].clear()
        self.since[key] = self.now

    def cut(self, key: str) -> None:
        """Cut the connection of a charger."""
        charger = self.chargers[key]
        charger.online = False
        self.bounds[key] = guard.went_offline(self.bounds[key], self.now)

    def reconnect(self, key: str) -> None:
        """Bring the connection back."""
        charger = self.chargers[key]
        charger.online = True
        self._calls[key].clear()
        self.bounds[key] = guard.went_online(self.bounds[key], charger.connector, self.now)

    # Time ------------------------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while self.now < until - 1e-9:
            self.step()

    def run_until(self, met: Callable[[], bool], *, within_s: float = 300.0) -> float:
        """Let time pass until something holds; return how long it took."""
        began = self.now
        while not met():
            assert self.now - began <= within_s, f"not within {within_s} s"
            self.step()
        return self.now - began

    def step(self) -> None:
        """One physical step and one pass."""
        for key, charger in self.chargers.items():
            charger.tick(self.now)
            self._sample(key, charger)
            self._answers(key, charger)
        self._account()
        self._read()
        self.decision = decide(self.snapshot(), self.memory)
        self.memory = self.decision.memory
        self.bounds = dict(self.decision.bounds)
        for command in self.decision.commands:
            self._send(command)
        self.now += STEP_S

    def snapshot(self) -> Snapshot:
        """Return what a pass may know now."""
        return Snapshot(
            now=self.now,
            wall=WALL_AT_START + self.now,
            site=self.site,
            facts={
                key: ConnectorFacts(
                    bound=self.bounds[key],
                    vehicle=self._vehicle(charger),
                    since=self.since[key],
                    outstanding=bool(self._calls[key]),
                    starts_at=self.starts_at.get(key, 0.0),
                    transaction=None if charger.car is None else f"{key} from {charger.plugged_at}",
                )
                for key, charger in self.chargers.items()
            },
            meters={self.site.supply_id: self._reading} if self.has_meter else {},
            generation={} if self.generation is None else {self.site.supply_id: self.generation},
            needs=self.needs,
            plans=self.plans,
            caps=self.caps,
            validity_s=self.validity_s,
            on_time_s=self.on_time_s,
        )

    @staticmethod
    def _vehicle(charger: Charger) -> VehicleState:
        if charger.car is None:
            return VehicleState.ABSENT
        return VehicleState.SATED if charger.car.sated else VehicleState.WANTS

    def _sample(self, key: str, charger: Charger) -> None:
        due = (self.now + charger.sample_offset_s) % charger.sample_every_s < STEP_S
        if due and charger.online and charger.measures and charger.car is not None:
            amps = charger.on_terminals(self.now)
            self.bounds[key] = guard.measured(self.bounds[key], charger.connector, amps, self.now, self.now)

    def _send(self, command: Command) -> None:
        key, amps = command.connector_id, command.amps
        charger = self.chargers[key]
        charger.take_form(command.form)
        bound = self.bounds[key]
        if bound.limit_a != amps or bound.in_flight:
            self.sent.append((self.now, key, amps, command.reason))
        runs_out_at = self.now + self.validity_s + EXPIRY_SLACK_S
        self.bounds[key] = guard.sent(bound, amps, self.now, runs_out_at, phases=command.phases)
        if not charger.online:
            return
        took = not charger.refuses
        if took and not charger.ignores:
            charger.obey(amps, self.now, self.now + self.validity_s)
            charger.use_phases(command.phases, self.now)
        if charger.answers:
            self._calls[key].append(_Call(self.now + charger.answers_after_s, amps, self.now, took, command.phases))
            self._answers(key, charger)

    def _answers(self, key: str, charger: Charger) -> None:
        while self._calls[key] and self._calls[key][0].answered_at <= self.now and charger.online:
            call = self._calls[key].pop(0)
            if call.accepted:
                expires_at = call.sent_at + self.validity_s + EXPIRY_SLACK_S
                self.bounds[key] = guard.accepted(self.bounds[key], call.amps, self.now, expires_at, phases=call.phases)
            else:
                self.bounds[key] = guard.refused(self.bounds[key], call.amps)

    def _read(self) -> None:
        see = self.load_a if self.seen_by_meter is None else self.seen_by_meter
        self._seen.append((self.now, see(self.site.supply_id)))
        if not self.meter_speaks or self.now - self._read_at < self.meter_interval_s:
            return
        usable = [seen for seen in self._seen if seen[0] <= self.now - self.meter_lag_s]
        if not usable:
            return
        self._read_at = self.now
        at, amps = usable[-1]
        if self.meter_stuck and self._reading is not None:
            amps = self._reading.amps
        self._reading = MeterReading(
            circuit_id=self.site.supply_id,
            amps=amps,
            measured_at=at,
            timeout_s=self.meter_timeout_s,
            scope=self.meter_scope,
            voltage_v=self.voltage_v,
        )

    # The physical truth ----------------------------------------------------------------------------------------------

    def charging_a(self, circuit_id: str) -> PhaseAmps:
        """Return what the cars below a circuit draw on its phases."""
        total = [0.0, 0.0, 0.0]
        for charger in self.chargers.values():
            if circuit_id in self.site.paths[charger.connector.circuit_id]:
                rotation = charger.connector.rotation or PHASES
                drawn = charger.on_terminals(self.now)
                for own, supply in enumerate(rotation):
                    total[supply] += drawn[own]
        return (total[0], total[1], total[2])

    def load_a(self, circuit_id: str) -> PhaseAmps:
        """Return what flows through a circuit; the base load hangs on the supply."""
        charging = self.charging_a(circuit_id)
        if circuit_id != self.site.supply_id:
            return charging
        base = self.base_load(self.now)
        return (charging[0] + base[0], charging[1] + base[1], charging[2] + base[2])

    def is_over(self) -> bool:
        """Return whether any circuit carries more than its rating now."""
        return any(map(self._over, self.site.circuits))

    def _over(self, circuit_id: str) -> bool:
        load, circuit = self.load_a(circuit_id), self.site.circuits[circuit_id]
        return any(load[phase] > circuit.rating_a[phase] + 1e-6 for phase in PHASES)

    def _account(self) -> None:
        for circuit_id in self.site.circuits:
            if self._over(circuit_id):
                self.over_s[circuit_id] = self.over_s.get(circuit_id, 0.0) + STEP_S

    # Short cuts ------------------------------------------------------------------------------------------------------

    def drawn(self) -> dict[str, float]:
        """Return what each car draws per phase."""
        return {key: charger.drawn_a(self.now) for key, charger in self.chargers.items()}

    def reasons(self) -> Mapping[str, Reason]:
        """Return why each connector has its limit."""
        assert self.decision is not None
        return {key: limit.reason for key, limit in self.decision.limits.items()}

    def limits(self) -> dict[str, float]:
        """Return the limit that was decided for each connector."""
        assert self.decision is not None
        return {key: limit.amps for key, limit in self.decision.limits.items()}

    def reconfigure(self, site: SiteModel) -> None:
        """Put another model in force, as a change of the configuration does."""
        self.site = site
        for key, charger in self.chargers.items():
            charger.connector = site.connectors[key]

    def change(self, key: str, **fields: object) -> None:
        """Change what is configured of one connector."""
        connector = replace(self.site.connectors[key], **fields)  # type: ignore[arg-type]  # fields by name
        self.reconfigure(SiteModel(circuits=self.site.circuits, connectors={**self.site.connectors, key: connector}))
