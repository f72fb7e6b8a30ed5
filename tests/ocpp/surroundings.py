"""What a central system needs from outside, in memory: journal, door, authorisations, a clock that obeys."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from custom_components.charge_cluster.ocpp.protocols import (
    Admission,
    Authorisation,
    AuthorisationStatus,
    JournalUnavailable,
    MeterRecord,
    StoredTransaction,
    TransactionStart,
    TransactionStop,
)
from custom_components.charge_cluster.ocpp.v16.transactions import STALE_REASON


class MemoryJournal:
    """A journal whose disk is a dictionary; it can be slow, full, or broken."""

    def __init__(self) -> None:
        self.stored: dict[int, StoredTransaction] = {}
        self.orphans: list[TransactionStop] = []
        self.stops: list[TransactionStop] = []
        self.records: list[MeterRecord] = []
        self.presumed: set[int] = set()
        """Ends that nobody told of; the real one may still come."""
        self.broken = False
        self.disk = asyncio.Event()
        self.disk.set()
        self._contents: dict[tuple[str, int, str | None, int, float], int] = {}
        self._next_id = 100

    async def _write(self) -> None:
        await self.disk.wait()
        if self.broken:
            raise JournalUnavailable

    async def start_transaction(self, start: TransactionStart) -> StoredTransaction:
        await self._write()
        content = (start.charge_point_id, start.connector, start.id_tag, start.meter_start_wh, start.started_at)
        if content not in self._contents:
            self._next_id += 1
            self._contents[content] = self._next_id
            self.stored[self._next_id] = self._new(start, self._next_id)
        return self.stored[self._contents[content]]

    async def stop_transaction(self, stop: TransactionStop) -> StoredTransaction | None:
        await self._write()
        self.stops.append(stop)
        stored = self.stored.get(stop.transaction_id)
        if stored is None:
            self.orphans.append(stop)
            return None
        if stored.stopped_at is None or stored.transaction_id in self.presumed:
            self.presumed.discard(stored.transaction_id)
            if stop.reason == STALE_REASON:
                self.presumed.add(stored.transaction_id)
            stored = replace(
                stored, stopped_at=stop.stopped_at, meter_stop_wh=stop.meter_stop_wh, stop_reason=stop.reason
            )
            self.stored[stop.transaction_id] = stored
        return stored

    async def adopt_transaction(self, start: TransactionStart, transaction_id: int) -> StoredTransaction:
        await self._write()
        return self.stored.setdefault(transaction_id, self._new(start, transaction_id))

    async def open_transactions(self, charge_point_id: str) -> Sequence[StoredTransaction]:
        await self._write()
        mine = (stored for stored in self.stored.values() if stored.charge_point_id == charge_point_id)
        return [stored for stored in mine if stored.stopped_at is None]

    def record_meter_values(self, records: Sequence[MeterRecord]) -> None:
        self.records.extend(records)

    def _new(self, start: TransactionStart, transaction_id: int) -> StoredTransaction:
        return StoredTransaction(
            transaction_id=transaction_id,
            charge_point_id=start.charge_point_id,
            connector=start.connector,
            id_tag=start.id_tag,
            meter_start_wh=start.meter_start_wh,
            started_at=start.started_at,
        )


class Door:
    """Knows charge points by identity; a key of None lets them in without one."""

    def __init__(self, **keys: bytes | None) -> None:
        self.keys: dict[str, bytes | None] = dict(keys)

    def admit(self, identity: str, password: bytes | None, remote: str) -> Admission:
        if identity not in self.keys:
            return Admission.UNKNOWN
        key = self.keys[identity]
        if key is None:
            return Admission.WELCOME
        if password is None:
            return Admission.KEY_MISSING
        return Admission.WELCOME if password == key else Admission.WRONG_KEY


class Tags:
    """Accepts every idTag but those it was told of."""

    def __init__(self) -> None:
        self.answers: dict[str, AuthorisationStatus] = {}

    async def authorise(self, charge_point_id: str, id_tag: str) -> Authorisation:
        return Authorisation(status=self.answers.get(id_tag, AuthorisationStatus.ACCEPTED))


class SettableClock:
    """The clocks of this machine, which can be put forward, and be wrong."""

    def __init__(self) -> None:
        self.right = True
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s

    def time(self) -> float:
        return time.time() + self.ahead_s

    def synchronised(self) -> bool:
        return self.right
