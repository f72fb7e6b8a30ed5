"""What the central system needs from outside; the site fulfils it with the ledger.

Times are UTC POSIX seconds, energy in Wh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

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
        """Store a start, or find the one with the same content. Raises JournalUnavailable."""

    async def stop_transaction(self, stop: TransactionStop) -> StoredTransaction | None:
        """Store an end, idempotently; an unknown id is stored as an orphan and gives None.

        Raises:
            JournalUnavailable: it could not be stored.
        """

    async def adopt_transaction(self, start: TransactionStart, transaction_id: int) -> StoredTransaction:
        """Store a transaction that a charger reports under an id that we do not know. Raises JournalUnavailable."""

    async def open_transactions(self, charge_point_id: str) -> Sequence[StoredTransaction]:
        """Return the transactions without an end. Raises JournalUnavailable."""

    def record_meter_values(self, records: Sequence[MeterRecord]) -> None:
        """Queue readings; they are committed in groups within 5 s. Never blocks, never raises."""


class AuthorisationStatus(StrEnum):
    """The answer to an idTag, in the words of OCPP 1.6."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT_TX = "ConcurrentTx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """Whether an idTag may charge."""

    status: AuthorisationStatus
    parent_id_tag: str | None = None
    expires_at: float | None = None


class Authoriser(Protocol):
    """Decides on idTags."""

    async def authorise(self, charge_point_id: str, id_tag: str) -> Authorisation:
        """Return the decision within the charger's patience (a few seconds)."""


class Admission(StrEnum):
    """What the door says to a charge point that dials in."""

    WELCOME = "welcome"
    UNKNOWN = "unknown"
    """Not configured: it waits in the waiting room, powerless, until it is accepted."""
    WRONG_KEY = "wrong_key"
    KEY_MISSING = "key_missing"


class Doorkeeper(Protocol):
    """Knows which charge points are expected and with which key."""

    def admit(self, identity: str, password: bytes | None, remote: str) -> Admission:
        """Judge a charge point that dials in; compares keys in constant time."""


class Clock(Protocol):
    """The two clocks of the host."""

    def monotonic(self) -> float:
        """Return seconds that never jump."""

    def time(self) -> float:
        """Return UTC POSIX seconds."""

    def synchronised(self) -> bool:
        """Return whether the wall clock is right; until then nothing absolute may go out."""
