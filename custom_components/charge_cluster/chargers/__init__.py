"""What the site means by a charger: one Protocol, whatever wire is behind it.

A charger reports what happened to it as events and carries out limits; it decides nothing. Amps here are on the charge
point's own terminals (L1, L2, L3 of the connector); the engine maps them to supply phases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from ..engine.model import PhaseAmps, VehicleState
from ..engine.obedience import LimitForm
from ..ocpp.conversation import Afterwards
from ..ocpp.operations import Operations


class LimitOutcome(StrEnum):
    """What became of a limit that was sent."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """The charger said no: the limit before it still holds."""
    UNKNOWN = "unknown"
    """No answer, or an odd one: it may or may not hold."""
    NOT_SENT = "not_sent"
    """Nothing went out (offline, replaced by a newer order, clock not right): the limit before it still holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOrder:
    """A limit as a charger is to hold it: from now `amps`, after `validity_s` without renewal `fallback_a`."""

    amps: float
    fallback_a: float
    validity_s: float
    form: LimitForm = LimitForm.USUAL
    """Whether the last wording was not obeyed, so that the next one has to be used from now on."""
    phases: int | None = None
    """1: `amps` is for its first phase alone; None: for all that it has, as the fallback always is."""
    afterwards: tuple[Afterwards, ...] = ()
    """Where the charger can hold it: how much of the fallback it goes to by itself, and when; none: all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceIdentity:
    """Who a charge point says it is."""

    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    protocol: str | None = None
    """What is spoken with it, for showing it only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WentOnline:
    """A connection was established; what is known of the charger before may no longer hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WentOffline:
    """The connection ended, or nothing was heard for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """The charger restarted (or says so): limits of transactions may be gone, its fallback applies."""

    identity: DeviceIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorStatus:
    """The state of a connector changed."""

    connector: int
    vehicle: VehicleState
    status: str
    """The charger's own word for it (an OCPP status, for instance), for display."""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSample:
    """What a connector was measured to draw."""

    connector: int
    amps: PhaseAmps
    measured_at: float
    """Monotonic seconds, corrected for the charger's clock; never later than the arrival."""
    power_w: float | None = None
    energy_wh: float | None = None
    """Import register, made monotonic over transactions and restarts of the charger."""
    register_wh: float | None = None
    """The charger's own import register, the one that starts and ends of transactions tell."""
    voltage_v: PhaseAmps | None = None
    temperature_c: float | None = None
    soc_percent: float | None = None
    offered_a: float | None = None
    """What it says that it offers the vehicle on a phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionStarted:
    """A transaction is stored and runs."""

    connector: int
    transaction_id: str
    id_tag: str | None
    meter_start_wh: float
    started_at: float
    """UTC POSIX seconds."""
    resumed: bool = False
    """It ran before we (re)started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionStopped:
    """A transaction is stored as ended."""

    connector: int
    transaction_id: str
    meter_start_wh: float
    meter_stop_wh: float
    """By the same register as at the start: the energy of the transaction lies between the two."""
    stopped_at: float
    """UTC POSIX seconds."""
    reason: str | None
    vehicle_left: bool = False
    """It ended because the vehicle was unplugged, by the charger's own word."""
    presumed: bool = False
    """Nobody told of the end: the register is the last one that was seen."""
    late: bool = False
    """It did not run any more for us, so that its register alone is news; another one may run meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerSeen:
    """It tells of a connector that is not configured: a satellite that an electrician has just added, for instance."""

    connector: int
    drawn_a: float = 0.0
    """The most that it was measured to draw on a phase; 0 where nothing was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationProgressed:
    """How far something is that the charger does in its own time, in its own word: a log on its way, a firmware."""

    what: str
    status: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerNoticed:
    """Something that a person may want to know; nothing here depends on it. See `ocpp.conversation.Noticed`."""

    what: str
    name: str
    value: str | None = None
    details: str | None = None
    monitor_id: int | None = None
    cleared: bool | None = None
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsTold:
    """A vehicle told what it needs; None: it did not tell that."""

    connector: int
    departure_at: float | None = None
    """UTC POSIX seconds."""
    energy_wh: float | None = None
    """From now on."""
    least_a: float | None = None
    most_a: float | None = None
    """Per phase."""
    phases: int | None = None
    soc_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeNowAsked:
    """A driver asked at the charger itself to charge now, or takes that back."""

    connector: int
    asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """Somebody at its own site holds the charger back, beside all that we order, or does so no more."""

    connector: int
    """0: all of them together."""
    source: str
    """The charger's own word for who it is."""
    limit_a: float | None = None
    """Per phase."""
    limit_w: float | None = None
    ended: bool = False


class Quirk(StrEnum):
    """What a person should know of how a charger treats limits; it is dealt with."""

    ZERO_ENDS_TRANSACTIONS = "zero_ends_transactions"
    """0 A has ended transactions again and again."""
    LIMITS_WITHOUT_END = "limits_without_end"
    """No limit ends by itself, so that it is never given more than its fallback."""
    FOREIGN_PROFILE = "foreign_profile"
    """A charging profile of somebody else governs, and could not be taken out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuirkShown:
    """A charger has shown a quirk, or has shown that it has it no more."""

    connector: int
    quirk: Quirk
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StationReading:
    """What the meter of a charge point itself reads."""

    amps: PhaseAmps | None
    """None: not of each phase, or not plausible."""
    measured_at: float


type ConnectorEvent = (
    ConnectorStatus | DrawSample | TransactionStarted | TransactionStopped | NeedsTold | ChargeNowAsked | QuirkShown
)
"""What is about one connector alone."""
type ChargerEvent = (
    WentOnline | WentOffline | Booted | StrangerSeen | OperationProgressed | ChargerNoticed | HeldBack | ConnectorEvent
)

type ForAutomations = OperationProgressed | ChargerNoticed
"""What is passed on to automations as it is."""

type ReportEvent = Callable[[ChargerEvent], None]


class ChargerOffline(Exception):
    """The charger has no connection, so that nothing can be asked of it."""


class ChargerSilent(ChargerOffline):
    """The charger was asked and gave no answer: what was asked for may have been done."""


class OperationRefused(Exception):
    """The charger answered that it will not; `answer` is its own word."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer)
        self.answer = answer


class Charger(Protocol):
    """A charge point with one or more connectors, numbered from 1."""

    @property
    def online(self) -> bool:
        """Return whether it can be talked to."""

    @property
    def identity(self) -> DeviceIdentity:
        """Return who it says it is."""

    def listen(self, report: ReportEvent) -> Callable[[], None]:
        """Have events reported, at once all that describes the present state; return what ends it."""

    async def apply_limit(self, connector: int, order: LimitOrder) -> LimitOutcome:
        """Make a connector hold a limit; a newer order for the same connector replaces one still queued."""

    async def provision_fallback(self, connector: int, fallback_a: float) -> LimitOutcome:
        """Store the permanent fallback, if the charger does not hold it already."""

    async def start(self, connector: int, id_tag: str) -> None:
        """Start a transaction from here. Raises ChargerOffline, OperationRefused."""

    async def stop(self, connector: int) -> None:
        """Stop the running transaction. Raises ChargerOffline, OperationRefused."""

    async def reset(self, *, hard: bool) -> None:
        """Restart the charge point. Raises ChargerOffline, OperationRefused."""

    async def unlock(self, connector: int) -> None:
        """Release the plug. Raises ChargerOffline, OperationRefused."""

    async def set_availability(self, connector: int, *, operative: bool) -> None:
        """Take a connector (0: all) out of service or back. Raises ChargerOffline, OperationRefused."""

    async def refresh(self) -> None:
        """Ask for the present state. Raises ChargerOffline, OperationRefused."""

    async def close(self) -> None:
        """Let go of it; a conversation that belongs to the domain goes on."""


@runtime_checkable
class MeasuresOnDemand(Protocol):
    """What a charger can do besides that measures when it is asked to; not every one can."""

    @property
    def measures_on_demand(self) -> bool:
        """Return whether this one does, as far as is known."""

    async def measure(self, connector: int) -> None:
        """Ask for a measurement now, which comes as a sample. Raises ChargerOffline, OperationRefused."""


@runtime_checkable
class HasMeter(Protocol):
    """What a charge point can do besides that has a meter of its own, beside those of its connectors."""

    async def read_station(self, within_s: float) -> StationReading | None:
        """Return what it reads, asked for now; None: nothing was ever told of such a meter. Raises ChargerOffline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquaintance:
    """What is known of a charge point's ways: for people who look, nothing is decided by it."""

    topics: Mapping[str, tuple[str, str | None]]
    """Of each topic of a first contact: "unknown", "remembered" of its model or "known", and the finding."""
    quirks: tuple[str, ...]
    """What its make is known for."""


@runtime_checkable
class GetsKnown(Protocol):
    """What a charger can do besides whose ways are found out at its first contact."""

    @property
    def acquaintance(self) -> Acquaintance:
        """Return how far it is known."""


@runtime_checkable
class CountsWrites(Protocol):
    """What a charger can do besides that counts the limits that are written to it; not every one can."""

    def writes(self, connector: int) -> tuple[int, int]:
        """Return how many limits were written for a connector since it began: those that pass, and those that last."""


@runtime_checkable
class TakesOperations(Protocol):
    """What a charger can do besides that speaks OCPP."""

    @property
    def operations(self) -> Operations | None:
        """Return what can be asked of it beyond charging."""


def operations_of(charger: object) -> Operations | None:
    """Return what can be asked of a charger over OCPP; None: it does not speak it."""
    return charger.operations if isinstance(charger, TakesOperations) else None


def writes_of(charger: object, connector: int) -> tuple[int, int]:
    """Return how many limits were written for a connector; none where its charger does not count them."""
    return charger.writes(connector) if isinstance(charger, CountsWrites) else (0, 0)


def measures_on_demand(charger: Charger) -> MeasuresOnDemand | None:
    """Return a charger as one that measures when it is asked to; None: it does not."""
    return charger if isinstance(charger, MeasuresOnDemand) and charger.measures_on_demand else None
