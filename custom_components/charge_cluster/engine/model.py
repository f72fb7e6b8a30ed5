"""The facts that the engine decides on: circuits, connectors, readings, limits.

Everything here is immutable. Currents are in amps, per phase of the *supply*, as triples (L1, L2, L3); what a charge
point measures on its own terminals is turned into supply phases by `Connector.on_supply`. `now` is always a monotonic
time in seconds and `wall` a UTC POSIX time in seconds; both are passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .rows import Layout

type PhaseAmps = tuple[float, float, float]

NO_AMPS: PhaseAmps = (0.0, 0.0, 0.0)
PHASES = (0, 1, 2)

NOMINAL_VOLTAGE_V = 230.0
HIGHEST_VOLTAGE_V = 1.1 * NOMINAL_VOLTAGE_V
"""EN 50160: what a public supply may have. Power limits count at it where nobody measures the voltage."""

INDUCED_CURRENT_A = 0.5
"""A current below this on a phase is leakage or induction, not a vehicle."""


class SharingRule(StrEnum):
    """How a circuit's current is weighted among the vehicles below it."""

    PROPORTIONAL = "proportional"
    """Each vehicle gets the same fraction of what it could take."""
    EQUAL = "equal"
    """Each vehicle gets the same amps."""
    PRIORITY = "priority"
    """Higher priority classes are filled first; inside a class shares are proportional."""
    FIRST_COME = "first_come"
    """Who came first gets all that it can take before the next; all together they have their proportional share."""
    NEED = "need"
    """Each vehicle gets as much as it is expected to need now so as to leave with what it came for."""


class MeterScope(StrEnum):
    """What a meter on a circuit sees."""

    EVERYTHING = "everything"
    ALL_BUT_EVS = "all_but_evs"
    EVS_ONLY = "evs_only"
    GENERATION = "generation"
    """What generation and storage on the circuit feed in (positive: towards the circuit). It guards nothing by itself;
    it says how much of `Circuit.generation_a` hides load now."""


class ChargingMode(StrEnum):
    """What a connector charges from, and when."""

    NORMAL = "normal"
    """Now, from whatever the supply has left."""
    OFF_PEAK = "off_peak"
    """The same in the hours that the tariff calls cheap; now where none are known."""
    SMART = "smart"
    """By a plan: at least cost until its driver leaves; now where there is none."""
    SOLAR = "solar"
    """Only from what would be exported."""
    MINIMUM_AND_SOLAR = "minimum_and_solar"
    """Its minimum always, and more from what would be exported."""
    OFF = "off"
    """Not at all, whoever asks."""


SOLAR_MODES = frozenset({ChargingMode.SOLAR, ChargingMode.MINIMUM_AND_SOLAR})
"""Modes that need to know what would be exported."""

PLAN_MODES = frozenset({ChargingMode.OFF_PEAK, ChargingMode.SMART})
"""Modes in which a vehicle waits for its hours."""


class VehicleState(StrEnum):
    """What is known of the vehicle at a connector."""

    ABSENT = "absent"
    """Nothing is plugged in."""
    WANTS = "wants"
    """Plugged in, and current is wanted or flows."""
    SATED = "sated"
    """Plugged in, but the vehicle itself does not take current now (full, timer, asleep)."""
    FAULTED = "faulted"
    """The charge point reports a fault or is out of service; it is not offered current."""
    UNKNOWN = "unknown"
    """Not heard of since start-up."""


class Reason(StrEnum):
    """Why a connector has the limit it has."""

    NO_VEHICLE = "no_vehicle"
    FULL_POWER = "full_power"
    SHARED = "shared"
    """The ceiling of a circuit is shared among several vehicles."""
    VEHICLE_TAKES_LESS = "vehicle_takes_less"
    """What the vehicle does not draw was given to others."""
    ASLEEP = "asleep"
    """The vehicle takes nothing of what it is offered; it keeps no place from others, and gets a turn again later."""
    USER_CAP = "user_cap"
    SWITCHED_OFF = "switched_off"
    WAITING_TURN = "waiting_turn"
    """The minima of all do not fit together; places rotate."""
    NO_CAPACITY = "no_capacity"
    """Not even one minimum fits below the ceiling."""
    WAITING_RELEASE = "waiting_release"
    """The share is decided; it is raised when others have been seen to draw less."""
    FIRST_START = "first_start"
    """Its vehicle begins with its minimum, and has its share as soon as it was seen to draw."""
    METER_STALE = "meter_stale"
    STARTING = "starting"
    """The site was started a moment ago and has not heard of everything yet."""
    OFFLINE = "offline"
    """No connection: the charge point goes by itself to its fallback."""
    FAULTED = "faulted"
    LIMIT_IGNORED = "limit_ignored"
    """The connector draws more than it accepted; it is counted at what it draws."""
    FALLBACK_UNPROVED = "fallback_unproved"
    """It may not be offered current before its fallback is in place."""
    EXTERNAL_CAP = "external_cap"
    """Somebody outside (the grid operator, an automation) holds a circuit lower for a while."""
    DEMAND = "demand"
    """The mean power of the running clock window would exceed the demand cap."""
    PHASE_BALANCE = "phase_balance"
    """The difference between phases, or the neutral conductor, has no more room."""
    RESTARTING = "restarting"
    """After an outage vehicles start one after the other, at random moments."""
    COMMISSIONING = "commissioning"
    """A commissioning test holds it there for a moment."""
    SURPLUS = "surplus"
    """It charges from what would be exported, and no more than this would be."""
    PLANNED = "planned"
    """Its plan gives it no more now: it charges in cheaper hours, and is ready when its driver leaves."""
    OFF_PEAK = "off_peak"
    """It waits for the hours that the tariff calls cheap."""
    PHASE_SWITCH = "phase_switch"
    """Charging stands still for a moment while its charge point changes between three phases and one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandCap:
    """The most that may flow on the mean of each clock window."""

    mean_w: float
    """Three-phase power, import."""
    window_s: float = 900.0
    """15, 30 or 60 minutes; windows begin on the clock (UTC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalCap:
    """A ceiling that somebody outside sets for a while; the lowest of all that are in force counts."""

    circuit_id: str
    source: str
    """Who set it, for people: "grid_operator", "section_14a", "g100", or the name an automation gives."""
    amps: PhaseAmps | None = None
    watts: float | None = None
    """Three-phase power."""
    vehicles_only: bool = False
    """Whether it bounds the vehicles below the circuit (§14a EnWG) and not all that flows through it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """Anything with a rating that current flows through; the supply is the one without a parent."""

    circuit_id: str
    parent_id: str | None = None
    rating_a: PhaseAmps
    margin_a: PhaseAmps
    """What is kept free below the rating."""
    declared_base_load_a: PhaseAmps | None = None
    """The worst that everything but our vehicles may draw, as the owner declares it; None: not declared."""
    sharing: SharingRule | None = None
    """None: as its parent."""
    neutral_a: float | None = None
    """Rating of the neutral conductor; None: it carries whatever the phases may."""
    unbalance_a: float | None = None
    """The most by which the current of one phase may exceed that of another; None: any."""
    power_va: float | None = None
    """Three-phase apparent power that it may carry (a transformer, an agreed capacity); None: as the phases allow."""
    demand: DemandCap | None = None
    generation_a: PhaseAmps = NO_AMPS
    """What generation and storage below its meter may feed in at most, and no credit is given for: the meter hides so
    much load, and an inverter trips without asking. 0: there is none, or the electrician grants the credit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """What is fixed about a connector until somebody changes the configuration or an entity."""

    connector_id: str
    circuit_id: str
    rotation: tuple[int, ...] | None
    """Supply phase (0–2) of each of its own phases L1, L2, L3; one entry for a single-phase connector. None: unknown,
    so that its current counts on every phase."""
    minimum_a: float = 6.0
    minimum_single_phase_a: float | None = None
    """Its minimum while its vehicle uses one phase, where that needs more; None: the same."""
    maximum_a: float = 32.0
    """The most that the hardware and its cable allow: also what counts while nothing better is proved."""
    step_a: float = 1.0
    steps_a: tuple[float, ...] | None = None
    """The only currents that it knows, ascending; None: multiples of `step_a`."""
    fallback_a: float = 0.0
    """Amps it goes to by itself when it hears nothing."""
    cap_a: float | None = None
    """Set by a user, or by a test under way."""
    cap_reason: Reason = Reason.USER_CAP
    """Whose cap that is."""
    enabled: bool = True
    """A user may switch charging off."""
    priority: int = 0
    """Higher goes first where the rule is by priority, and in the queue."""
    settling_s: float | None = None
    """Time after which a reduction counts without a measurement, proved at commissioning; None: not proved."""
    delay_s: float = 0.0
    """How much later than others it may follow a limit, because it adds a delay of its own (found at commissioning)."""
    switches_phases: bool = False
    """Whether its charge point can be told to use one phase instead of three, and obeys that: its L1 remains."""
    fallback_kept: bool = True
    """False: it was seen to draw more than its fallback after a loss of connection or power, or that is being tested:
    its hardware maximum counts instead."""
    mode: ChargingMode = ChargingMode.NORMAL
    """As it holds now: who wants current at once, whatever sun and prices do, is given `NORMAL`."""

    @property
    def allowed(self) -> bool:
        """Return whether it may charge at all as far as users say."""
        return self.enabled and self.mode is not ChargingMode.OFF

    def on_supply(self, drawn: PhaseAmps) -> PhaseAmps:
        """Return terminal currents (L1, L2, L3 of the connector) as currents of the supply's phases."""
        rotation = self.rotation
        if rotation is None:
            most = max(drawn)
            return (most, most, most)
        amps = [0.0, 0.0, 0.0]
        for own, supply in enumerate(rotation):
            amps[supply] += drawn[own]
        return (amps[0], amps[1], amps[2])

    def minimum_on(self, phases: tuple[int, ...] | None) -> float:
        """Return the least that a vehicle on these supply phases charges with; None: they are not known."""
        single = self.minimum_single_phase_a
        if single is None or len(phases or self.phases) > 1:
            return self.minimum_a
        return max(self.minimum_a, single)

    @property
    def phases(self) -> tuple[int, ...]:
        """Return the supply phases that its current must be counted on."""
        return PHASES if self.rotation is None else self.rotation

    @property
    def can_switch_phases(self) -> bool:
        """Return whether there are phases to switch, and it is known which one remains."""
        return self.switches_phases and self.rotation is not None and len(self.rotation) == len(PHASES)


@dataclass(frozen=True, slots=True)
class ChosenRule:
    """The sharing rule that holds in a circuit."""

    rule: SharingRule
    circuit_id: str | None
    """The circuit that it was chosen for: this one, or the nearest above; None: nobody chose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteModel:
    """One grid connection: its circuits and connectors, checked for consistency.

    Raises:
        TopologyError: a parent is missing, a circuit is its own ancestor, there is not exactly one supply, a rating is
            not a positive finite number, or a connector hangs on an unknown circuit.
    """

    circuits: Mapping[str, Circuit]
    connectors: Mapping[str, Connector]
    paths: Mapping[str, tuple[str, ...]] = field(init=False)
    """Circuits from each circuit up to the supply, itself first."""
    supply_id: str = field(init=False)
    rules: Mapping[str, ChosenRule] = field(init=False)
    """How what each circuit has is shared."""
    solar: tuple[str, ...] = field(init=False)
    """Connectors that charge from what would be exported, at least beyond their minimum."""
    planned: tuple[str, ...] = field(init=False)
    """Connectors that charge off-peak or by a plan."""
    switching: tuple[str, ...] = field(init=False)
    """Connectors that can be told to use one phase instead of three."""
    layouts: dict[bool, Layout] = field(init=False, repr=False, compare=False)
    """Where the rows of its circuits lie, made when first asked for, see `rows.layout_of`."""

    def __post_init__(self) -> None:
        from .topology import check_connectors, paths_of  # noqa: PLC0415 - topology needs the types above

        paths = paths_of(self.circuits)
        check_connectors(self.circuits, self.connectors)
        object.__setattr__(self, "paths", paths)
        object.__setattr__(self, "rules", {key: _chosen_rule(self.circuits, path) for key, path in paths.items()})
        solar = tuple(key for key, each in self.connectors.items() if each.mode in SOLAR_MODES)
        object.__setattr__(self, "solar", solar)
        planned = tuple(key for key, each in self.connectors.items() if each.mode in PLAN_MODES)
        object.__setattr__(self, "planned", planned)
        switching = tuple(key for key, connector in self.connectors.items() if connector.can_switch_phases)
        object.__setattr__(self, "switching", switching)
        object.__setattr__(self, "layouts", {})
        object.__setattr__(self, "supply_id", next(c.circuit_id for c in self.circuits.values() if c.parent_id is None))


def _chosen_rule(circuits: Mapping[str, Circuit], path: tuple[str, ...]) -> ChosenRule:
    for circuit_id in path:
        rule = circuits[circuit_id].sharing
        if rule is not None:
            return ChosenRule(rule, circuit_id)
    return ChosenRule(SharingRule.PROPORTIONAL, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """The newest sample of the meter that guards a circuit."""

    circuit_id: str
    amps: PhaseAmps
    """Signed, import positive."""
    measured_at: float
    """Monotonic seconds, as well as it is known; never later than the arrival."""
    timeout_s: float
    scope: MeterScope = MeterScope.EVERYTHING
    voltage_v: float | None = None
    """The highest of its phases; None: not measured."""
    hidden_a: PhaseAmps = NO_AMPS
    """Load that generation covered when it was taken and no credit is given for; the pass sets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Amps per phase that a connector may draw, and why."""

    amps: float
    reason: Reason
    circuit_id: str | None = None
    """The circuit whose ceiling is the reason, where one is."""
    expected_at: float | None = None
    """UTC POSIX time at which it is expected to change for the better, where that is known."""
    phases: int | None = None
    """1: it is for one phase alone, though there are three; None: for all phases."""


def plus(a: PhaseAmps, b: PhaseAmps) -> PhaseAmps:
    """Return the sum per phase."""
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])
