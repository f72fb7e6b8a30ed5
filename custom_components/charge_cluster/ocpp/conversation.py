"""What a conversation with one charge point is to the rest of the house, whatever version of OCPP is spoken.

A conversation belongs to the central system and outlives connections and whoever listens to it. It reports facts in
the words below and carries out wishes; how those are worded on the wire is the vocabulary's affair.
Currents are amps on the charge point's own terminals. `at` is monotonic, times named `..._at` of records are UTC POSIX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from .operations import Operations
from .versions import OcppVersion

if TYPE_CHECKING:
    from .experience import Known, Topic
    from .quirks import Quirk

type Amps = tuple[float, float, float]


class Notice(StrEnum):
    """What a charge point tells of its own accord, for a person to know."""

    SECURITY = "security"
    """Something that concerns its security happened."""
    MONITOR = "monitor"
    """Something that somebody had it watch did what it was watched for."""


class Progress(StrEnum):
    """What a charge point tells the progress of."""

    DIAGNOSTICS = "diagnostics"
    LOG = "log"
    FIRMWARE = "firmware"
    PUBLISHING = "publishing"
    """Of a firmware that it offers to others."""
    RESERVATION = "reservation"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """Who a charge point says it is."""

    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    """It can be talked to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """It cannot be talked to: the connection ended, or a limit was left unanswered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebooted:
    """It restarted, or says so."""

    device: DeviceFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReported:
    """A connector's state in the charger's own words."""

    connector: int
    status: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a connector draws."""

    connector: int
    amps: Amps
    at: float
    power_w: float | None = None
    energy_wh: float | None = None
    """Monotonic register."""
    register_wh: float | None = None
    """The charger's own register, as it was told in this measurement."""
    voltage_v: Amps | None = None
    temperature_c: float | None = None
    soc_percent: float | None = None
    offered_a: float | None = None
    """What it says that it offers the vehicle on a phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorShown:
    """There is such a connector, by what the charger says that it is made of; nothing is known of its state."""

    connector: int


class Unusable(StrEnum):
    """Why a measurement of the station says nothing of each phase."""

    MISSING_PHASE = "missing_phase"
    IMPLAUSIBLE = "implausible"
    """More power than the currents can carry: a phase is not told, or told wrongly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationMeasured:
    """What flows through the meter of the charge point itself (connector 0): all of its connectors, or more."""

    amps: Amps | None
    """Of each phase; None: they were not all told, or do not fit the power."""
    at: float
    unusable: Unusable | None = None
    power_w: float | None = None
    energy_wh: float | None = None
    """Its register, as it was told."""
    voltage_v: Amps | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionOpened:
    """A transaction runs and is stored."""

    connector: int
    transaction_id: int
    id_tag: str | None
    meter_start_wh: float
    started_at: float
    resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionClosed:
    """A transaction ended, and the end is stored."""

    connector: int
    transaction_id: int
    meter_start_wh: float
    meter_stop_wh: float
    stopped_at: float
    reason: str | None
    presumed: bool = False
    """Nobody told of the end: the register is the last one that was seen."""
    late: bool = False
    """It did not run any more for us, so that its register alone is news; another one may run meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitAnsweredLate:
    """The answer to a limit came after its time."""

    connector: int
    limit_a: float
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """How far something is that it does in its own time, in its own word: a log on its way, a firmware."""

    what: Progress
    status: str
    request_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingNeeds:
    """What a vehicle told of itself over the cable; None: not told."""

    connector: int
    departure_at: float | None = None
    """UTC POSIX seconds by our clock."""
    energy_wh: float | None = None
    """From now on."""
    least_a: float | None = None
    most_a: float | None = None
    """Per phase."""
    phases: int | None = None
    soc_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityAsked:
    """The driver of a running transaction asked at the charger to charge now, or takes that back."""

    connector: int
    asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFromOutside:
    """Somebody at the charger's site holds it back, or does so no more; it can only lower."""

    connector: int
    """0: the charge point as a whole."""
    source: str
    """The charger's word for who it is."""
    limit_a: float | None = None
    """Per phase; None: not told in amps."""
    limit_w: float | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Something that a person may want to know; nothing here depends on it."""

    what: Notice
    name: str
    """Of a security event its type, of a monitor its variable, as settings are named."""
    value: str | None = None
    details: str | None = None
    monitor_id: int | None = None
    cleared: bool | None = None
    """Whether what was told before is over."""
    at: float | None = None


type Report = (
    Reachable
    | Unreachable
    | Rebooted
    | StatusReported
    | Measured
    | StationMeasured
    | ConnectorShown
    | TransactionOpened
    | TransactionClosed
    | LimitAnsweredLate
    | Progressed
    | ChargingNeeds
    | PriorityAsked
    | LimitFromOutside
    | Noticed
)
type Listener = Callable[[Report], None]


class Outcome(StrEnum):
    """What became of a limit."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """It may or may not hold."""
    NOT_SENT = "not_sent"
    """It never went out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileWrites:
    """How many charging profiles a charge point was sent for a connector since the conversation began."""

    passing: int = 0
    """For a transaction: they are gone with it."""
    lasting: int = 0
    """Default profiles and maxima of the station, which many charge points write to their flash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminals:
    """What is fixed about a connector and matters for wording a limit."""

    connector: int
    phases: int = 3
    minimum_a: float = 6.0
    maximum_a: float = 32.0


@dataclass(frozen=True, slots=True)
class Afterwards:
    """From a time on, what a charger goes to by itself when nobody renews its limit: never above the fallback."""

    at: float
    """UTC POSIX seconds by our clock."""
    amps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitWish:
    """From now `amps`; after `validity_s` without renewal `fallback_a`."""

    amps: float
    fallback_a: float
    validity_s: float
    reworded: bool = False
    """The wording that was used last is not obeyed: from now on the next one is used."""
    phases: int | None = None
    """1: `amps` is for the first phase alone; None: for all that the connector has, as the fallback always is."""
    afterwards: tuple[Afterwards, ...] = ()
    """In their order: what it goes to in place of the fallback, where the charger can hold that; the last one stays."""


class KeyOutcome(StrEnum):
    """What became of a new key."""

    TAKEN = "taken"
    TAKEN_AFTER_RESTART = "taken_after_restart"
    """It counts when the charge point has restarted."""
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """It may or may not use it from now on."""


class NotReachable(Exception):
    """Nothing can be asked of the charge point now."""


class NoAnswer(NotReachable):
    """It was asked and kept quiet: what was asked for may have been done."""


class Refused(Exception):
    """The charge point answered that it will not; `answer` is its own word."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer)
        self.answer = answer


class Conversation(Protocol):
    """A charge point as the central system knows it. Requests raise NotReachable and Refused."""

    @property
    def identity(self) -> str:
        """Return the OCPP identity."""

    @property
    def version(self) -> OcppVersion:
        """Return the version that it speaks now, or spoke last; for showing it only."""

    @property
    def online(self) -> bool:
        """Return whether it can be talked to."""

    @property
    def device(self) -> DeviceFacts:
        """Return who it says it is."""

    @property
    def expiry_error_s(self) -> float:
        """Return how much sooner or later than its validity a limit may end, for what is known of the clock."""

    @property
    def operations(self) -> Operations:
        """Return what can be asked of it beyond charging."""

    @property
    def kept_at_fallback(self) -> bool:
        """Return whether nobody is given more than the fallback here, since no limit would end by itself."""

    def present_state(self) -> Sequence[Report]:
        """Return the facts that describe the present state."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have facts reported, the present state at once; return what ends it."""

    def describe(self, terminals: Terminals) -> None:
        """Say what is known of a connector by configuration."""

    @property
    def measures_on_demand(self) -> bool:
        """Return whether it sends a measurement when it is asked for one, as far as is known."""

    @property
    def known(self) -> Mapping[Topic, Known]:
        """Return what was found out about it, and what is remembered of its model."""

    def found_out(self, topic: Topic, finding: str) -> None:
        """Take note of what was found out about it above the wire, for others of its model as well."""

    def is_overruled(self, connector: int) -> bool:
        """Return whether a profile of somebody else, which could not be taken out, may govern in place of ours."""

    @property
    def quirks(self) -> frozenset[Quirk]:
        """Return what its make is known for."""

    @property
    def station(self) -> StationMeasured | None:
        """Return what the meter of the charge point itself told last; None: it told nothing."""

    def want_station_values(self, interval_s: int) -> None:
        """Have it tell what its own meter reads so often, from now on and after each boot."""

    async def measure_station(self) -> None:
        """Ask what its own meter reads now; it comes as `StationMeasured`."""

    def profile_writes(self, connector: int) -> ProfileWrites:
        """Return how many profiles it was sent for a connector."""

    def running_transaction(self, connector: int) -> int | None:
        """Return the id of the transaction that runs at a connector."""

    async def hold_limit(self, connector: int, wish: LimitWish) -> Outcome:
        """Make the connector draw no more than a limit. Never raises."""

    async def store_fallback(self, connector: int, fallback_a: float) -> Outcome:
        """Make the charge point hold a permanent fallback. Never raises."""

    async def start(self, connector: int, id_tag: str) -> None:
        """Start a transaction from here."""

    async def stop(self, connector: int) -> None:
        """Stop the running transaction."""

    async def reset(self, *, hard: bool) -> None:
        """Restart the charge point."""

    async def unlock(self, connector: int) -> None:
        """Release the plug."""

    async def set_availability(self, connector: int, *, operative: bool) -> None:
        """Take a connector (0: all) out of service or back."""

    async def refresh(self) -> None:
        """Ask for the present state."""

    async def measure(self, connector: int) -> None:
        """Ask for a measurement now; it comes as `Measured`. Everything else goes before that."""
