"""What the central system needs from outside; the site fulfils it with the ledger.

Times are UTC POSIX seconds, energy in Wh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from .security.peer import PeerCertificate
from .tokens import TokenType
from .versions import OcppVersion

UNPLUGGED = "EVDisconnected"
"""The reason of a transaction that ended because its vehicle was unplugged, in every version of OCPP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionStart:
    """The start of a transaction as the charger tells it; equal content is the same transaction."""

    charge_point_id: str
    connector: int
    id_tag: str | None
    meter_start_wh: int
    started_at: float
    received_at: float
    reservation_id: int | None = None
    charger_id: str | None = None
    """The id that the charger gave it, where it gives one (OCPP 2.x): then it is the same transaction by that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionStop:
    """The end of a transaction as the charger tells it."""

    charge_point_id: str
    transaction_id: int
    id_tag: str | None
    meter_stop_wh: int
    stopped_at: float
    received_at: float
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTransaction:
    """A transaction as it is on disk."""

    transaction_id: int
    charge_point_id: str
    connector: int
    id_tag: str | None
    meter_start_wh: int
    started_at: float
    meter_stop_wh: int | None = None
    stopped_at: float | None = None
    stop_reason: str | None = None
    last_meter_wh: int | None = None
    """The newest register that was recorded."""
    charger_id: str | None = None
    """The id that the charger gave it; None: it goes by ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterRecord:
    """A periodic reading of a transaction."""

    charge_point_id: str
    connector: int
    transaction_id: int | None
    measured_at: float
    energy_wh: float | None
    power_w: float | None
    amps: tuple[float, float, float] | None


class JournalUnavailable(Exception):
    """The record could not be stored; the charger must keep it and send it again."""


class TransactionJournal(Protocol):
    """Transactions on the local disk. What a coroutine returned is stored durably."""

    async def start_transaction(self, start: TransactionStart) -> StoredTransaction:
        """Store a start, or find the one with the same content, or of the same id of the charger.

        A transaction that was adopted before its start was told gets what the start says. Raises JournalUnavailable.
        """

    async def stop_transaction(self, stop: TransactionStop) -> StoredTransaction | None:
        """Store an end, idempotently; an unknown id is stored as an orphan and gives None.

        Raises:
            JournalUnavailable: it could not be stored.
        """

    async def adopt_transaction(self, start: TransactionStart, transaction_id: int | None) -> StoredTransaction:
        """Store a transaction that a charger reports under an id that we do not know, or find it.

        Args:
            start: what is known of it.
            transaction_id: the number that the charger knows it by; None: it has an id of the charger's.

        Raises:
            JournalUnavailable: it could not be stored.
        """

    async def find_transaction(self, charge_point_id: str, charger_id: str) -> StoredTransaction | None:
        """Return the transaction that a charger gave an id; None: nothing is known of it. Raises JournalUnavailable."""

    async def complete_transaction(
        self, transaction_id: int, *, id_tag: str | None = None, meter_start_wh: int | None = None
    ) -> StoredTransaction | None:
        """Store what was told of a transaction only after its start; None: it is not known. Raises JournalUnavailable.

        Args:
            transaction_id: our number.
            id_tag: whose it is, where nobody's is stored.
            meter_start_wh: the register at its start.
        """

    async def open_transactions(self, charge_point_id: str) -> Sequence[StoredTransaction]:
        """Return the transactions without an end. Raises JournalUnavailable."""

    def record_meter_values(self, records: Sequence[MeterRecord]) -> None:
        """Queue readings; they are committed in groups within 5 s. Never blocks, never raises."""


class AuthorisationStatus(StrEnum):
    """The answer to a token, in the words of OCPP 2.x; 1.6 has no Unknown and says Invalid."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    """It was refused."""
    UNKNOWN = "Unknown"
    """Nobody is known by it."""
    CONCURRENT_TX = "ConcurrentTx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """Whether a token may charge."""

    status: AuthorisationStatus
    parent_id_tag: str | None = None
    """The group that it belongs to: whoever has the same one may stop what it started."""
    expires_at: float | None = None


class Purpose(StrEnum):
    """What a token is shown for."""

    ASK = "ask"
    """To start or to stop: the charge point does not say."""
    START = "start"
    """A transaction has started with it."""
    STOP = "stop"
    """A transaction was stopped with it."""


class Authoriser(Protocol):
    """Decides on tokens."""

    async def authorise(
        self,
        charge_point_id: str,
        id_tag: str,
        *,
        kind: TokenType | None = None,
        connector: int | None = None,
        purpose: Purpose = Purpose.ASK,
        age_s: float = 0.0,
    ) -> Authorisation:
        """Return the decision, within `AUTHORISING_PATIENCE_S` at the latest.

        Args:
            charge_point_id: OCPP identity of the charge point.
            id_tag: the token.
            kind: what it is; None: not told, as in OCPP 1.6.
            connector: where it was shown, so far as it is told.
            purpose: what it was shown for.
            age_s: how long ago that was: a charge point that was offline tells later.
        """


AUTHORISING_PATIENCE_S = 35.0
"""The longest that a decision on a token takes; where a person is asked, the site has a time-out below it."""


class Admission(StrEnum):
    """What the door says to a charge point that dials in."""

    WELCOME = "welcome"
    UNKNOWN = "unknown"
    """Not configured: it waits in the waiting room, powerless, until it is accepted."""
    WRONG_KEY = "wrong_key"
    KEY_MISSING = "key_missing"
    NOT_ENCRYPTED = "not_encrypted"
    """It has to come over TLS, and did not."""
    CERTIFICATE_MISSING = "certificate_missing"
    CERTIFICATE_REFUSED = "certificate_refused"
    """The certificate that it shows is another's, or was revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How somebody came, and what it brought to prove who it is."""

    remote: str
    password: bytes | None = field(default=None, repr=False)
    secure: bool = False
    """Whether it came over TLS."""
    certificate: PeerCertificate | None = None


class Doorkeeper(Protocol):
    """Knows which charge points are expected, and what each has to bring."""

    def admit(self, identity: str, brought: Credentials) -> Admission:
        """Judge a charge point that dials in; compares keys in constant time."""

    def version(self, identity: str) -> OcppVersion | None:
        """Return the only version that the owner wants spoken with a charge point; None: the best that it offers."""


class Clock(Protocol):
    """The two clocks of the host."""

    def monotonic(self) -> float:
        """Return seconds that never jump."""

    def time(self) -> float:
        """Return UTC POSIX seconds."""

    def synchronised(self) -> bool:
        """Return whether the wall clock is right; until then nothing absolute may go out."""
