"""What a conversation with one charge point is to the rest of the house, whatever version of OCPP is spoken.

A conversation belongs to the central system and outlives connections and whoever listens to it. It reports facts in
the words below and carries out wishes; how those are worded on the wire is the vocabulary's affair.
Currents are amps on the charge point's own terminals. `at` is monotonic, times named `..._at` of records are UTC POSIX.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

type Amps = tuple[float, float, float]


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


type Report = (
    Reachable
    | Unreachable
    | Rebooted
    | StatusReported
    | Measured
    | TransactionOpened
    | TransactionClosed
    | LimitAnsweredLate
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
class Terminals:
    """What is fixed about a connector and matters for wording a limit."""

    connector: int
    phases: int = 3
    minimum_a: float = 6.0
    maximum_a: float = 32.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitWish:
    """From now `amps`; after `validity_s` without renewal `fallback_a`."""

    amps: float
    fallback_a: float
    validity_s: float
    reworded: bool = False
    """The wording that was used last is not obeyed: from now on the next one is used."""


class NotReachable(Exception):
    """Nothing can be asked of the charge point now."""


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
    def online(self) -> bool:
        """Return whether it can be talked to."""

    @property
    def device(self) -> DeviceFacts:
        """Return who it says it is."""

    @property
    def expiry_error_s(self) -> float:
        """Return how much sooner or later than its validity a limit may end, for what is known of the clock."""

    def present_state(self) -> Sequence[Report]:
        """Return the facts that describe the present state."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have facts reported, the present state at once; return what ends it."""

    def describe(self, terminals: Terminals) -> None:
        """Say what is known of a connector by configuration."""

    @property
    def measures_on_demand(self) -> bool:
        """Return whether it sends a measurement when it is asked for one, as far as is known."""

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
