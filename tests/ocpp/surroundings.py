"""What a central system needs from outside, in memory: journal, door, authorisations, a clock that obeys."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from custom_components.charge_cluster.ocpp.protocols import (
    Admission,
    Authorisation,
    AuthorisationStatus,
    Credentials,
    JournalUnavailable,
    MeterRecord,
    Purpose,
    StoredTransaction,
    TransactionStart,
    TransactionStop,
)
from custom_components.charge_cluster.ocpp.tokens import TokenType
from custom_components.charge_cluster.ocpp.transactions import STALE_REASON
from custom_components.charge_cluster.ocpp.versions import OcppVersion


class MemoryJournal:
    """A journal whose disk is a dictionary; it can be slow, full, or broken."""

    def __init__(self) -> None:
        self.stored: dict[int, StoredTransaction] = {}
        self.orphans: list[TransactionStop] = []
        self.stops: list[TransactionStop] = []
        self.records: list[MeterRecord] = []
        self.presumed: set[int] = set()
        """Ends that nobody told of; the real one may still come."""
        self.adopted: set[int] = set()
        """Transactions whose start was never told."""
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
        if start.charger_id is not None:
            return self._start_of_charger(start, start.charger_id)
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

    def _start_of_charger(self, start: TransactionStart, charger_id: str) -> StoredTransaction:
        known = self._of_charger(start.charge_point_id, charger_id)
        if known is None:
            self._next_id += 1
            known = self.stored[self._next_id] = self._new(start, self._next_id)
        elif known.transaction_id in self.adopted:
            self.adopted.discard(known.transaction_id)
            known = self.stored[known.transaction_id] = replace(
                known,
                connector=start.connector,
                started_at=start.started_at,
                meter_start_wh=start.meter_start_wh,
                id_tag=start.id_tag or known.id_tag,
            )
        return known

    def _of_charger(self, charge_point_id: str, charger_id: str) -> StoredTransaction | None:
        wanted = (charge_point_id, charger_id)
        found = [stored for stored in self.stored.values() if (stored.charge_point_id, stored.charger_id) == wanted]
        return found[-1] if found else None

    async def adopt_transaction(self, start: TransactionStart, transaction_id: int | None) -> StoredTransaction:
        await self._write()
        if start.charger_id is not None:
            known = self._of_charger(start.charge_point_id, start.charger_id)
            if known is not None:
                return known
        if transaction_id is None:
            self._next_id += 1
            transaction_id = self._next_id
        if transaction_id not in self.stored:
            self.adopted.add(transaction_id)
        return self.stored.setdefault(transaction_id, self._new(start, transaction_id))

    async def find_transaction(self, charge_point_id: str, charger_id: str) -> StoredTransaction | None:
        await self._write()
        return self._of_charger(charge_point_id, charger_id)

    async def complete_transaction(
        self, transaction_id: int, *, id_tag: str | None = None, meter_start_wh: int | None = None
    ) -> StoredTransaction | None:
        await self._write()
        stored = self.stored.get(transaction_id)
        if stored is not None:
            stored = self.stored[transaction_id] = replace(
                stored,
                id_tag=stored.id_tag or id_tag,
                meter_start_wh=stored.meter_start_wh if meter_start_wh is None else meter_start_wh,
            )
        return stored

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
            charger_id=start.charger_id,
        )


class Door:
    """Knows charge points by identity; a key of None lets them in without one."""

    def __init__(self, **keys: bytes | None) -> None:
        self.keys: dict[str, bytes | None] = dict(keys)
        self.versions: dict[str, OcppVersion] = {}
        """Charge points that are spoken to in one version only."""

    def admit(self, identity: str, brought: Credentials) -> Admission:
        if identity not in self.keys:
            return Admission.UNKNOWN
        key = self.keys[identity]
        if key is None:
            return Admission.WELCOME
        if brought.password is None:
            return Admission.KEY_MISSING
        return Admission.WELCOME if brought.password == key else Admission.WRONG_KEY

    def version(self, identity: str) -> OcppVersion | None:
        return self.versions.get(identity)


class Tags:
    """Accepts every idTag but those it was told of."""

    def __init__(self) -> None:
        self.answers: dict[str, AuthorisationStatus] = {}
        self.asked: list[tuple[str, Purpose]] = []
        self.kinds: list[TokenType | None] = []
        self.ages: list[float] = []
        self.decides_after_s = 0.0

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
        self.asked.append((id_tag, purpose))
        self.kinds.append(kind)
        self.ages.append(age_s)
        if self.decides_after_s:
            await asyncio.sleep(self.decides_after_s)
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
