"""Transactions on the disk. See `ocpp.protocols.TransactionJournal`.

Equal content is the same transaction, so that a retry with any message id gets the same number. The end that a charger
tells replaces one that was only presumed.

Numbers are never used twice, not even by a ledger that lost some: each is at least the seconds since 2026, which no
earlier ledger can have reached, because nobody starts a transaction a second for years. A charger may still hold the
number of a transaction that went down with a damaged file.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Insert, and_, bindparam, exists, insert, select
from sqlalchemy.orm import Session

from ..ocpp.protocols import (
    JournalUnavailable,
    MeterRecord,
    StoredTransaction,
    TransactionStart,
    TransactionStop,
)
from .tables import ChargeTransaction, MeterValue, OrphanStop, delete_some
from .writer import StoreUnavailable, Work, Writer

PRESUMED = "Stale"
"""The reason of an end that nobody told; the real one may still come."""

FIRST_NUMBER_AT = 1_767_225_600.0
"""2026-01-01 UTC, in POSIX seconds."""

MOST_FROM_CLOCK = 2_000_000_000
"""A host's clock that claims more seconds than these (2089) is wrong; numbers have to fit into 32 bits with a sign."""


class Journal:
    """The transactions of all charge points."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def start_transaction(self, start: TransactionStart) -> StoredTransaction:
        """Store a start, or find the one with the same content. Raises JournalUnavailable."""
        return await self._run(lambda session: _start(session, start))

    async def stop_transaction(self, stop: TransactionStop) -> StoredTransaction | None:
        """Store an end, idempotently; an unknown id becomes an orphan and gives None. Raises JournalUnavailable."""
        return await self._run(lambda session: _stop(session, stop))

    async def adopt_transaction(self, start: TransactionStart, transaction_id: int) -> StoredTransaction:
        """Store a transaction that a charger reports under an id that we do not know. Raises JournalUnavailable."""
        return await self._run(lambda session: _adopt(session, start, transaction_id))

    async def open_transactions(self, charge_point_id: str) -> Sequence[StoredTransaction]:
        """Return the transactions without an end, oldest first. Raises JournalUnavailable."""

        def work(session: Session) -> list[StoredTransaction]:
            query = select(ChargeTransaction).where(
                ChargeTransaction.charge_point_id == charge_point_id, ChargeTransaction.stopped_at.is_(None)
            )
            return [_stored(row) for row in session.scalars(query.order_by(ChargeTransaction.started_at))]

        return await self._run(work)

    async def ended(self, transaction_ids: Collection[int]) -> Sequence[StoredTransaction]:
        """Return those of some transactions that have an end. Raises JournalUnavailable."""

        def work(session: Session) -> list[StoredTransaction]:
            query = select(ChargeTransaction).where(
                ChargeTransaction.transaction_id.in_(transaction_ids), ChargeTransaction.stopped_at.is_not(None)
            )
            return [_stored(row) for row in session.scalars(query)]

        return await self._run(work)

    async def transactions(self, charge_point_id: str, start: float, end: float) -> Sequence[StoredTransaction]:
        """Return the transactions that began in a span of time. Raises JournalUnavailable."""

        def work(session: Session) -> list[StoredTransaction]:
            query = select(ChargeTransaction).where(
                ChargeTransaction.charge_point_id == charge_point_id, ChargeTransaction.started_at.between(start, end)
            )
            return [_stored(row) for row in session.scalars(query.order_by(ChargeTransaction.started_at))]

        return await self._run(work)

    def record_meter_values(self, records: Sequence[MeterRecord]) -> None:
        """Queue readings; they are committed in groups within 5 s. Never blocks, never raises."""
        kept = tuple(records)
        if kept:
            self._writer.enqueue(lambda session: _record(session, kept))

    def purge(self, session: Session, before: float, at_most: int) -> int:
        """Delete readings from before a time, not more than so many; return how many."""
        return delete_some(session, MeterValue, MeterValue.measured_at < before, at_most)

    async def _run[T](self, work: Work[T]) -> T:
        try:
            return await self._writer.run(work)
        except StoreUnavailable as error:
            raise JournalUnavailable(str(error)) from error


def _insert_once() -> Insert:
    """Return the insertion of a reading that does nothing where the very same one is stored: chargers send it again."""
    table = MeterValue.metadata.tables[MeterValue.__tablename__]
    columns = [column for column in table.columns if not column.primary_key]
    told = {column.name: bindparam(column.name, type_=column.type) for column in columns}
    same = and_(*(column.is_not_distinct_from(told[column.name]) for column in columns))
    return insert(table).from_select(columns, select(*told.values()).where(~exists(select(table.c.id).where(same))))


_ONCE = _insert_once()


def _start(session: Session, start: TransactionStart) -> StoredTransaction:
    known = session.scalar(
        select(ChargeTransaction).where(
            ChargeTransaction.charge_point_id == start.charge_point_id,
            ChargeTransaction.connector == start.connector,
            ChargeTransaction.started_at == start.started_at,
            ChargeTransaction.meter_start_wh == start.meter_start_wh,
            ChargeTransaction.id_tag_key == (start.id_tag or ""),
        )
    )
    if known is not None:
        return _stored(known)
    row = _row(start)
    row.transaction_id = _next_number(session, start.received_at)
    session.add(row)
    session.flush()
    return _stored(row)


def _next_number(session: Session, now: float) -> int:
    """Return a number that nobody has; those that chargers made up do not move ours."""
    ours = select(ChargeTransaction.transaction_id).where(ChargeTransaction.adopted.is_(False))
    newest = session.scalar(ours.order_by(ChargeTransaction.transaction_id.desc()).limit(1)) or 0
    from_clock = int(now - FIRST_NUMBER_AT)
    number = max(newest + 1, from_clock if from_clock <= MOST_FROM_CLOCK else 1)
    while session.get(ChargeTransaction, number) is not None:
        number += 1
    return number


def _adopt(session: Session, start: TransactionStart, transaction_id: int) -> StoredTransaction:
    known = session.get(ChargeTransaction, transaction_id)
    if known is not None and known.charge_point_id == start.charge_point_id:
        return _stored(known)
    row = _row(start)
    row.adopted = True
    row.transaction_id = transaction_id if known is None else _next_number(session, start.received_at)
    session.add(row)
    session.flush()
    return _stored(row)


def _row(start: TransactionStart) -> ChargeTransaction:
    return ChargeTransaction(
        charge_point_id=start.charge_point_id,
        connector=start.connector,
        id_tag=start.id_tag,
        id_tag_key=start.id_tag or "",
        meter_start_wh=start.meter_start_wh,
        started_at=start.started_at,
        received_at=start.received_at,
        reservation_id=start.reservation_id,
        adopted=False,
    )


def _stop(session: Session, stop: TransactionStop) -> StoredTransaction | None:
    row = session.get(ChargeTransaction, stop.transaction_id)
    if row is None or row.charge_point_id != stop.charge_point_id:
        _orphan(session, stop)
        return None
    if row.stopped_at is None or (row.stop_reason == PRESUMED and stop.reason != PRESUMED):
        row.meter_stop_wh = stop.meter_stop_wh
        row.stopped_at = stop.stopped_at
        row.stop_id_tag = stop.id_tag
        row.stop_reason = stop.reason
        session.flush()
    return _stored(row)


def _orphan(session: Session, stop: TransactionStop) -> None:
    known = session.scalar(
        select(OrphanStop).where(
            OrphanStop.charge_point_id == stop.charge_point_id,
            OrphanStop.transaction_id == stop.transaction_id,
            OrphanStop.stopped_at == stop.stopped_at,
        )
    )
    if known is None:
        session.add(
            OrphanStop(
                charge_point_id=stop.charge_point_id,
                transaction_id=stop.transaction_id,
                id_tag=stop.id_tag,
                meter_stop_wh=stop.meter_stop_wh,
                stopped_at=stop.stopped_at,
                received_at=stop.received_at,
                stop_reason=stop.reason,
            )
        )


def _record(session: Session, records: Sequence[MeterRecord]) -> None:
    newest: dict[tuple[str, int], int] = {}
    rows = []
    for record in records:
        amps = record.amps or (None, None, None)
        rows.append(
            {
                "charge_point_id": record.charge_point_id,
                "connector": record.connector,
                "transaction_id": record.transaction_id,
                "measured_at": record.measured_at,
                "energy_wh": record.energy_wh,
                "power_w": record.power_w,
                "l1_a": amps[0],
                "l2_a": amps[1],
                "l3_a": amps[2],
            }
        )
        if record.transaction_id is not None and record.energy_wh is not None:
            key = (record.charge_point_id, record.transaction_id)
            newest[key] = max(newest.get(key, 0), round(record.energy_wh))
    session.execute(_ONCE, rows)
    for (charge_point_id, transaction_id), energy_wh in newest.items():
        row = session.get(ChargeTransaction, transaction_id)
        # A register only counts up: what comes late, or once more, does not turn it back.
        if row is not None and row.charge_point_id == charge_point_id:
            row.last_meter_wh = max(row.last_meter_wh or 0, energy_wh)


def _stored(row: ChargeTransaction) -> StoredTransaction:
    return StoredTransaction(
        transaction_id=row.transaction_id,
        charge_point_id=row.charge_point_id,
        connector=row.connector,
        id_tag=row.id_tag,
        meter_start_wh=row.meter_start_wh,
        started_at=row.started_at,
        meter_stop_wh=row.meter_stop_wh,
        stopped_at=row.stopped_at,
        stop_reason=row.stop_reason,
        last_meter_wh=row.last_meter_wh,
    )
