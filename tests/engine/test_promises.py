"""The promises, pass by pass: random trees of circuits, random chargers, and everything that may happen to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine import guard
from custom_components.charge_cluster.engine.appetite import Appetite
from custom_components.charge_cluster.engine.controller import decide
from custom_components.charge_cluster.engine.guard import DrawBound
from custom_components.charge_cluster.engine.model import (
    NO_AMPS,
    ChargingMode,
    Circuit,
    Connector,
    MeterReading,
    MeterScope,
    PhaseAmps,
    Reason,
    SiteModel,
    VehicleState,
    plus,
)
from custom_components.charge_cluster.engine.planned import PlannedNow
from custom_components.charge_cluster.engine.snapshot import ConnectorFacts, Decision, Memory, Snapshot

from .evidence import VALIDITY_S, Evidence, Rows, commitments

EXACT_A = 1e-6

HIGHEST_V = 253.0
"""Power counts at this voltage where nobody measures it."""

ROTATIONS = [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0,), (1,), (2,), None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A site as it is configured, and what else flows in it."""

    site: SiteModel
    base_a: dict[str, PhaseAmps]
    """What truly flows through each circuit beside our vehicles."""
    metered: dict[str, MeterScope]
    proved: frozenset[str]
    """Chargers whose fallback is in place from the start."""


@st.composite
def amps_per_phase(draw: st.DrawFn, least: float, most: float) -> PhaseAmps:
    """Draw a current for each phase."""
    return (draw(st.floats(least, most)), draw(st.floats(least, most)), draw(st.floats(least, most)))


@st.composite
def plans(draw: st.DrawFn, scopes: Sequence[MeterScope] = tuple(MeterScope)[:2]) -> Plan:
    """Draw a tree of circuits with its chargers, its meters and its base load."""
    circuits: dict[str, Circuit] = {}
    base: dict[str, PhaseAmps] = {}
    metered: dict[str, MeterScope] = {}
    for index in range(draw(st.integers(1, 4))):
        key = f"circuit{index}"
        parent = draw(st.sampled_from(list(circuits))) if circuits else None
        rating = draw(amps_per_phase(20.0, 120.0))
        # Where nothing measures, only what is declared can be known of: less may flow, never more.
        declared = draw(st.none() | amps_per_phase(0.0, 40.0))
        share = draw(st.floats(0.0, 1.0) | st.floats(-1.0, 0.0))
        scope = draw(st.none() | st.sampled_from(scopes))
        if scope is not None:
            metered[key] = scope
        circuits[key] = Circuit(
            circuit_id=key,
            parent_id=parent,
            rating_a=rating,
            margin_a=draw(amps_per_phase(0.0, 10.0)),
            declared_base_load_a=declared,
            power_va=draw(st.none() | st.floats(HIGHEST_V * 60.0, HIGHEST_V * 300.0)),
            unbalance_a=draw(st.none() | st.floats(8.0, 60.0)),
            neutral_a=draw(st.none() | st.floats(15.0, 100.0)),
        )
        limit = declared or (NO_AMPS if scope is None else rating)
        base[key] = (limit[0] * share, limit[1] * share, limit[2] * share)
    connectors = {}
    for index in range(draw(st.integers(1, 6))):
        key = f"c{index}"
        maximum = draw(st.sampled_from([10.0, 16.0, 32.0, 63.0]))
        connectors[key] = Connector(
            connector_id=key,
            circuit_id=draw(st.sampled_from(list(circuits))),
            rotation=draw(st.sampled_from(ROTATIONS)),
            minimum_a=draw(st.sampled_from([6.0, 8.0])),
            minimum_single_phase_a=draw(st.sampled_from([None, None, None, 9.5])),
            maximum_a=maximum,
            step_a=draw(st.sampled_from([0.1, 1.0, 2.0])),
            steps_a=draw(st.sampled_from([None, None, (6.0, 8.0, 10.0), (7.0, 9.5)])),
            fallback_a=draw(st.sampled_from([0.0, 0.0, 6.0, 10.0])),
            cap_a=draw(st.sampled_from([None, None, 7.5, 12.0])),
            enabled=draw(st.sampled_from([True, True, True, False])),
            priority=draw(st.integers(0, 2)),
            mode=draw(st.sampled_from([ChargingMode.NORMAL, *ChargingMode])),
            switches_phases=draw(st.booleans()),
        )
    site = SiteModel(circuits=circuits, connectors=connectors)
    unproved = draw(st.sets(st.sampled_from(list(connectors)), max_size=2))
    return Plan(site=site, base_a=base, metered=metered, proved=frozenset(connectors) - unproved)


@dataclass(kw_only=True)
class Play:
    """A plan in time: what happens, what is decided and what may flow then."""

    plan: Plan
    now: float = 100.0
    bounds: dict[str, DrawBound] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    drawn: dict[str, float] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    mood: dict[str, str] = field(default_factory=dict)
    """How each charger answers."""
    planned: dict[str, PlannedNow] = field(default_factory=dict)
    silent_meters: set[str] = field(default_factory=set)
    memory: Memory = field(default_factory=Memory)
    switches_after_s: dict[str, float | None] = field(default_factory=dict)
    """How late each charger connects as many phases as its limit is for; None: it never does."""
    asked: dict[str, int | None] = field(default_factory=dict)
    asked_at: dict[str, float] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    """How many phases each charger was seen to use."""

    def __post_init__(self) -> None:
        for key, connector in self.plan.site.connectors.items():
            self.bounds[key] = guard.went_online(guard.unknown_bound(connector), connector, 0.0)
            self.evidence[key] = Evidence(connector=connector)
            self.drawn[key] = 0.0
            self.since[key] = 0.0
            self.mood[key] = "accept"
            if key in self.plan.proved:
                self._prove(key)

    def happen(self, key: str, what: str, part: float) -> None:
        """Let something happen to a charger, where it can."""
        known, connector = self.evidence[key], self.plan.site.connectors[key]
        match what:
            case "prove" if known.online:
                self._prove(key)
            case "plug" if known.online and not known.plugged:
                known.plugged, self.since[key] = True, self.now
            case "unplug" if known.online and known.plugged:
                known.plugged, self.drawn[key], self.since[key] = False, 0.0, self.now
                known.uses_all()
                self.bounds[key] = guard.unplugged(self.bounds[key], self.now)
            case "accept" | "refuse" | "mute" | "lose":
                self.mood[key] = what
            case "draw" if known.online and known.plugged:
                # A vehicle takes what it likes of all that it may have been offered.
                offered = max(connector.maximum_a if known.limit_a is None else known.limit_a, *known.pending, 0.0)
                self.drawn[key] = part * offered
                self._measure(key)
            case "drop" if known.online:
                known.online = False
                known.out_of_sight(self.now)
                self.bounds[key] = guard.went_offline(self.bounds[key], self.now)
            case "back" if not known.online:
                known.online = True
                known.out_of_sight(self.now)
                self.bounds[key] = guard.went_online(self.bounds[key], connector, self.now)
            case "recall":
                self._recall(key, part)
            case "plan":
                self.planned[key] = PlannedNow(amps=max(0.0, 60.0 * part - 20.0), reason=Reason.PLANNED)
            case _:
                pass

    def _recall(self, key: str, part: float) -> None:
        """Have us start anew with something learned that is wrong: every vehicle draws on all of its phases."""
        remembered = self.memory.connectors.get(key)
        if remembered is not None:
            wrong = Appetite(phases=(int(part * 2.9),), alike=part > 0.5, upper_a=20.0 * part, remembered=True)
            anew = {**self.memory.connectors, key: replace(remembered, appetite=wrong)}
            self.memory = replace(self.memory, connectors=anew, room=None)

    def answer(self) -> None:
        """Let the chargers that are online answer one order each, as their mood is."""
        for key, known in self.evidence.items():
            if not known.online:
                continue
            if self.mood[key] == "accept" and (amps := known.accepts(self.now)) is not None:
                until, phases = self.now + VALIDITY_S, known.taken_phases
                self.bounds[key] = guard.accepted(self.bounds[key], amps, self.now, until, phases=phases)
                self._connect(key, phases)
            if self.mood[key] == "refuse" and (amps := known.refuses()) is not None:
                self.bounds[key] = guard.refused(self.bounds[key], amps)
            if self.mood[key] == "lose":
                known.lost = len(known.pending)

    def _connect(self, key: str, phases: int | None) -> None:
        """Have a charger take over how many phases a limit is for, as it does that."""
        if phases != self.asked.get(key):
            self.asked[key], self.asked_at[key] = phases, self.now

    def _used(self, key: str) -> int:
        """Return how many of its phases a charger connects now; one that switches late has those from before."""
        late_s = self.switches_after_s.get(key, 0.0)
        wired = len(self.plan.site.connectors[key].rotation or (0, 1, 2))
        phases = self.asked.get(key)
        if late_s is None or (self.now < self.asked_at.get(key, 0.0) + late_s):
            phases = None
        return wired if phases is None else phases

    def _prove(self, key: str) -> None:
        known, fallback = self.evidence[key], self.plan.site.connectors[key].fallback_a
        idle = not known.plugged
        known.fallback_a = fallback
        if idle and known.limit_a is None and not known.pending:
            known.limit_a, known.limit_since = fallback, self.now
        self.bounds[key] = guard.fallback_sent(self.bounds[key], fallback)
        self.bounds[key] = guard.fallback_stored(self.bounds[key], fallback, idle=idle, now=self.now)

    def _measure(self, key: str) -> None:
        amps, connector = self.drawn[key], self.plan.site.connectors[key]
        used = self.used[key] = self._used(key)
        terminals = (amps, amps if used > 1 else 0.0, amps if used > 2 else 0.0)
        self.bounds[key] = guard.measured(self.bounds[key], connector, terminals, self.now, self.now)
        self.evidence[key].draws(amps, self.now, elsewhere_a=terminals[1])

    def readings(self) -> dict[str, MeterReading | None]:
        """Return what the meters show."""
        shown: dict[str, MeterReading | None] = {}
        for circuit_id, scope in self.plan.metered.items():
            amps = self.plan.base_a[circuit_id]
            if scope is MeterScope.EVERYTHING:
                amps = plus(amps, self._charging(circuit_id))
            shown[circuit_id] = MeterReading(
                circuit_id=circuit_id, amps=amps, measured_at=self.now, timeout_s=10.0, scope=scope
            )
        return {key: None if key in self.silent_meters else reading for key, reading in shown.items()}

    def _charging(self, circuit_id: str) -> PhaseAmps:
        total = [0.0, 0.0, 0.0]
        for key, connector in self.plan.site.connectors.items():
            if circuit_id in self.plan.site.paths[connector.circuit_id]:
                wired = connector.rotation or (0, 1, 2)
                for phase in wired[: self.used.get(key, len(wired))]:
                    total[phase] += self.drawn[key]
        return (total[0], total[1], total[2])

    def decide(self) -> Decision:
        """Run a pass."""
        for known in self.evidence.values():
            known.passes(self.now)
        facts = {
            key: ConnectorFacts(
                bound=self.bounds[key],
                vehicle=VehicleState.WANTS if known.plugged else VehicleState.ABSENT,
                since=self.since[key],
                outstanding=len(known.pending) > known.lost,
                transaction=f"{key} from {self.since[key]}" if known.plugged else None,
            )
            for key, known in self.evidence.items()
        }
        decision = decide(
            Snapshot(
                now=self.now,
                wall=1_800_000_000.0 + self.now,
                site=self.plan.site,
                facts=facts,
                meters=self.readings(),
                plans=self.planned,
                validity_s=VALIDITY_S,
            ),
            self.memory,
        )
        self.memory, self.bounds = decision.memory, dict(decision.bounds)
        return decision

    def send(self, decision: Decision) -> None:
        """Send what was decided."""
        for command in decision.commands:
            key = command.connector_id
            self.bounds[key] = guard.sent(self.bounds[key], command.amps, self.now, phases=command.phases)
            self.evidence[key].is_sent(command.amps, command.phases)

    def commitments(self) -> Rows:
        """Return what may flow to vehicles."""
        return commitments(self.plan.site, self.evidence, lambda known: known.worst_a, lambda known: known.by_itself_a)

    def led(self) -> Rows:
        """Return what may flow to vehicles as long as the limits of running transactions hold."""
        return commitments(self.plan.site, self.evidence, lambda known: known.led_a, lambda _: 0.0)


def stories() -> st.SearchStrategy[list[tuple[int, str, float, float]]]:
    """Return which charger, what, how much of what it may draw, and how long until the next."""
    kinds = [
        *("plug", "draw", "accept", "wait") * 3,
        "unplug",
        "refuse",
        "mute",
        "lose",
        "drop",
        "back",
        "prove",
        "recall",
        "plan",
    ]
    event = st.tuples(st.integers(0, 5), st.sampled_from(kinds), st.floats(0.0, 1.0), st.floats(0.2, 20.0))
    return st.lists(event, min_size=10, max_size=60)


@given(plan=plans(), story=stories())
def test_no_decision_lets_more_flow_than_a_rating_allows(
    plan: Plan, story: list[tuple[int, str, float, float]]
) -> None:
    """Promise 1: beyond a rating may be what is there already, never what was decided; reductions free nothing yet."""
    play = Play(plan=plan)
    keys = list(plan.site.connectors)
    for index, what, part, pause_s in story:
        play.answer()
        play.happen(keys[index % len(keys)], what, part)
        decision = play.decide()
        before, led_before = play.commitments(), play.led()
        play.send(decision)
        rooms = rooms_of(plan)
        for row, amps in play.commitments().items():
            assert amps <= max(rooms[row], before[row]) + EXACT_A, (row, before)
        # Where more is committed than fits, nobody has of it what others are about to draw.
        for row, amps in play.led().items():
            assert amps <= max(rooms[row], led_before[row]) + EXACT_A, (row, led_before)
        play.now += pause_s


def rooms_of(plan: Plan) -> Rows:
    """Return what each circuit truly has for vehicles: per phase, for the sum of its phases, for one phase alone."""
    rooms: Rows = {}
    for circuit_id, circuit in plan.site.circuits.items():
        base = plan.base_a[circuit_id]
        power = float("inf") if circuit.power_va is None else circuit.power_va / HIGHEST_V - sum(circuit.margin_a)
        rooms[circuit_id, "sum"] = power - sum(base)
        neutral = float("inf") if circuit.neutral_a is None else circuit.neutral_a - max(circuit.margin_a)
        alone = min(neutral, float("inf") if circuit.unbalance_a is None else circuit.unbalance_a)
        for phase in (0, 1, 2):
            rooms[circuit_id, phase] = circuit.rating_a[phase] - circuit.margin_a[phase] - base[phase]
            others = min(base[other] for other in (0, 1, 2) if other != phase)
            rooms[circuit_id, f"alone {phase}"] = alone - base[phase] + others
    return rooms
