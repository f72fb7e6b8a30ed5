"""What a site shows to the outside: immutable pictures, replaced when what they show changes.

A connector is addressed by `"<charge_point_id>/<number>"`, see `connector_key`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..chargers import DeviceIdentity, HeldBack
from ..engine.model import ChargingMode, PhaseAmps, Reason, VehicleState
from .battery import StateOfCharge, Target
from .bill import NO_COSTS, CostView
from .commissioning.findings import NOT_COMMISSIONED, CommissionedView
from .exposure import ExposureView
from .plan import PlanView
from .session_wish import NO_SESSION_WISH, SessionWish
from .wear import NO_WEAR, KeptWear


def connector_key(charge_point_id: str, number: int) -> str:
    """Return the id of a connector within its site."""
    return f"{charge_point_id}/{number}"


def connector_number(key: str) -> int:
    """Return the number that a connector has at its charge point, from its id within the site."""
    return int(key.rpartition("/")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """The session at a connector, from plug-in to plug-out."""

    session_id: str
    started_at: float
    """UTC POSIX seconds."""
    energy_wh: float
    id_tag: str | None
    transaction_id: str | None
    wish: SessionWish = NO_SESSION_WISH
    """What counts of its driver's wish: a departure that has passed is not known."""
    told_departure_at: float | None = None
    """The departure that its driver said last, whether that has passed or not."""
    costs: CostView = NO_COSTS
    """What it costs."""
    asked_wh: float | None = None
    """What it is to take in all, by its driver, by its vehicle, or until its battery is as full as it is to be."""
    phases: int | None = None
    """On how many phases its vehicle was seen to charge; None: not yet."""
    target: Target | None = None
    """How full its battery is to be; None: nobody says."""
    soc: StateOfCharge | None = None
    """How full it was when that was told last; None: not known, or nobody needs to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorView:
    """A connector as it is now."""

    key: str
    online: bool
    vehicle: VehicleState
    status: str | None
    """The charger's own word."""
    error: str | None
    limit_a: float
    """The limit that the charger accepted last."""
    target_a: float
    """The limit that was decided."""
    reason: Reason
    reason_circuit: str | None
    """Name of the circuit whose ceiling is the reason."""
    expected_at: float | None
    """UTC POSIX seconds."""
    queue_position: int | None
    """Place in the queue, 1 is next; None: not waiting."""
    drawn_a: PhaseAmps | None
    """On its own terminals."""
    power_w: float | None
    energy_wh: float | None
    """Monotonic import register."""
    soc_percent: float | None
    worst_case_a: float
    """The most it may draw on any phase now."""
    fallback_a: float
    fallback_confirmed: bool
    cap_a: float
    """The user's cap, the hardware maximum when none is set."""
    enabled: bool
    priority: int
    """Of the connector: the user's, the charge point's where none is set."""
    session: SessionView | None
    wear: KeptWear = NO_WEAR
    reason_source: str | None = None
    """Who set the ceiling that is the reason, where it comes from outside."""
    held_back: tuple[HeldBack, ...] = ()
    """Who holds it back at its own site, beside us."""
    phases: int = 3
    """How many phases its limit is for."""
    on_one_phase: bool = False
    """Whether that is one though it has three."""
    effective_priority: int = 0
    """What counts now: a session or its driver may have another than the connector."""
    mode: ChargingMode = ChargingMode.NORMAL
    """What it charges from, whether that was chosen for it or is the default of the site."""
    chosen_mode: ChargingMode | None = None
    """What was chosen for it; None: it has the site's default."""
    plan: PlanView | None = None
    """What is planned for its session; None: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePointView:
    """A charge point as it is now."""

    charge_point_id: str
    online: bool
    identity: DeviceIdentity
    last_heard_at: float | None
    """UTC POSIX seconds."""
    commissioned: CommissionedView = NOT_COMMISSIONED
    strangers: tuple[int, ...] = ()
    """Connectors that it tells of and that are not configured: they are held at 0 A until they are."""


G100_ALLOWED_S = 60.0
"""EREC G100 issue 2: back at or below the agreed import within so long at most (typically 15 s), also when any part or
signal of the scheme fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailSafeTime:
    """How long a circuit may be above its cap when the scheme that holds it fails, in seconds."""

    detection_s: float
    """Until its meter is known to be dead; 0 where it is held without one."""
    validity_s: float
    """Until a limit in a charger has run out by itself, with its slack."""
    reaction_s: float
    """Until the car has followed; nothing more has to be decided or sent."""

    @property
    def total_s(self) -> float:
        """Return the sum: the worst, where one failure follows the other."""
        return self.detection_s + self.validity_s + self.reaction_s

    @property
    def fits_g100(self) -> bool:
        """Return whether it is within what EREC G100 allows."""
        return self.total_s <= G100_ALLOWED_S

    @property
    def detection_that_fits_s(self) -> float:
        """Return the largest time-out of the meter that G100 would allow; not above 0: none would."""
        return G100_ALLOWED_S - self.validity_s - self.reaction_s


@dataclass(frozen=True, slots=True, kw_only=True)
class CapView:
    """A ceiling from outside as it is now; one of `amps` and `watts` is given."""

    circuit_id: str
    source: str
    amps: float | None
    """On each phase."""
    watts: float | None
    """Three-phase power."""
    vehicles_only: bool
    expires_at: float | None
    """UTC POSIX seconds; None: it has no end."""
    after: str
    """"lift" or "keep": what becomes of it then."""
    lapsed: bool
    """Whether its time is over and it was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitView:
    """The supply or a cluster as it is now."""

    circuit_id: str
    load_a: PhaseAmps | None
    """All that flows; None: not known."""
    ev_load_a: PhaseAmps
    """What our vehicles were last measured to draw."""
    ev_power_w: float
    base_load_a: PhaseAmps | None
    """Upper bound of everything else; None: not known."""
    headroom_a: PhaseAmps
    """Rating − margin − load, negative when over; against the worst case when the load is not known."""
    worst_case_a: PhaseAmps
    """The most that may flow now by what is known."""
    if_all_dies_a: PhaseAmps
    """The most that would flow if every controller died now: fallbacks plus the declared base load."""
    fallbacks_a: PhaseAmps
    """What of it vehicles would draw."""
    fallback_fits: bool
    limited: bool
    """Whether its ceiling holds back a vehicle now."""
    stale: bool
    """Whether the meter that guards it cannot be trusted now."""
    reaction_time_s: float
    waiting: int
    """Vehicles that wait for a place."""
    charging: int
    """Vehicles that draw current."""
    demand_w: float | None = None
    """Mean power of the running clock window if nothing more flowed in it; None: there is no demand cap."""
    caps: tuple[CapView, ...] = ()
    """Ceilings from outside that are in force, the lowest first."""
    exposure: ExposureView | None = None
    """What it has carried above its rating, and how near its protective device came to tripping."""
    fail_safe: FailSafeTime | None = None
    """How long it may be above such a ceiling when what holds it fails."""
    surplus_w: float | None = None
    """Of the supply: what would be exported if vehicles in solar mode drew nothing, below zero: what lacks for that.
    None: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterView:
    """A meter as it is now."""

    meter_id: str
    available: bool
    amps: PhaseAmps | None
    power_w: float | None
    energy_import_wh: float | None
    energy_export_wh: float | None
    voltage_v: PhaseAmps | None
    age_s: float | None
    fault: str | None
    """Key of the fault, for translations."""
    commissioned: CommissionedView = NOT_COMMISSIONED


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEvent:
    """Something that happened to a session."""

    key: str
    """Of the connector."""
    kind: str
    """"started" or "ended", and meanwhile "waiting", "admitted", "done" or "impossible", see `session_news`."""
    session: SessionView
    duration_s: float
    queue_position: int | None = None
    """Of one that waits: its place in the queue, 1 is next."""
    expected_at: float | None = None
    """When its limit is expected to change, UTC POSIX seconds; None: not known."""
    shortfall_wh: float = 0.0
    """Of a wish that cannot be met: what will lack when it leaves."""
    possible_at: float | None = None
    """By when that could be had, at the soonest; UTC POSIX seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewcomerView:
    """A charge point that dials in and is not configured."""

    identity: str
    remote: str
    first_seen_at: float
    """UTC POSIX seconds."""
    identity_report: DeviceIdentity
    connectors: int | None
    """As many as it has shown; None: not known."""
