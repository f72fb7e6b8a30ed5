"""Transactions on the disk. See `ocpp.protocols.TransactionJournal`.

Equal content is the same transaction, so that a retry with any message id gets the same number; where the charger gives
transactions ids of its own (OCPP 2.x) the id alone says which it is, and our number stands for it above. The end that a
charger tells replaces one that was only presumed.

Numbers are never used twice, not even by a ledger that lost some: each is at least the seconds since 2026, which no
earlier ledger can have reached, because nobody starts a transaction a second for years. A charger may still hold the
number of a transaction that went down with a damaged file.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Insert, Update, and_, bindparam, exists, func, insert, select, update
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

LONGEST_RETRY_S = 7 * 86400.0
"""Within so long a start that comes again is the same one, though its time be another."""


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

    async def adopt_transaction(self, start: TransactionStart, transaction_id: int | None) -> StoredTransaction:
        """Store a transaction that a charger reports under an id that we do not know. Raises JournalUnavailable."""
        return await self._run(lambda session: _adopt(session, start, transaction_id))

    async def find_transaction(self, charge_point_id: str, charger_id: str) -> StoredTransaction | None:
        """Return the transaction that a charger gave an id. Raises JournalUnavailable."""

        def work(session: Session) -> StoredTransaction | None:
            row = _of_charger(session, charge_point_id, charger_id)
            return None if row is None else _stored(row)

        return await self._run(work)

    async def complete_transaction(
        self, transaction_id: int, *, id_tag: str | None = None, meter_start_wh: int | None = None
    ) -> StoredTransaction | None:
        """Store what was told of a transaction only after its start. Raises JournalUnavailable."""
        return await self._run(lambda session: _complete(session, transaction_id, id_tag, meter_start_wh))

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
        for record in records:
            self._writer.enqueue_row(_record, record)

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


def _note_register() -> Update:
    """Return the update that notes a register. It only counts up: what comes late, or again, does not turn it back."""
    table = ChargeTransaction.metadata.tables[ChargeTransaction.__tablename__]
    mine = and_(table.c.transaction_id == bindparam("of_number"), table.c.charge_point_id == bindparam("of_point"))
    higher = func.max(func.coalesce(table.c.last_meter_wh, 0), bindparam("seen_wh", type_=table.c.last_meter_wh.type))
    return update(table).where(mine).values(last_meter_wh=higher)


_SEEN = _note_register()


def _start(session: Session, start: TransactionStart) -> StoredTransaction:
    if start.charger_id is not None:
        return _start_of_charger(session, start, start.charger_id)
    known = session.scalar(
        select(ChargeTransaction).where(
            ChargeTransaction.charge_point_id == start.charge_point_id,
            ChargeTransaction.connector == start.connector,
            ChargeTransaction.started_at == start.started_at,
            ChargeTransaction.meter_start_wh == start.meter_start_wh,
            ChargeTransaction.id_tag_key == (start.id_tag or ""),
        )
    )
    return _stored(known if known is not None else _numbered(session, start))


def _start_of_charger(session: Session, start: TransactionStart, charger_id: str) -> StoredTransaction:
    known = _of_charger(session, start.charge_point_id, charger_id)
    if known is None or _used_again(known, start):
        return _stored(_numbered(session, start))
    if known.adopted:
        # It was told of before its start was: now the start is known.
        known.adopted = False
        known.connector = start.connector
        known.started_at = start.started_at
        known.meter_start_wh = start.meter_start_wh
        known.id_tag = start.id_tag or known.id_tag
        known.reservation_id = start.reservation_id
        session.flush()
    return _stored(known)


def _used_again(known: ChargeTransaction, start: TransactionStart) -> bool:
    """Return whether a charger that counts its transactions began anew: it is another one under the same id."""
    if known.adopted:
        return False
    if known.stopped_at is not None:
        return start.started_at > known.stopped_at
    return start.started_at > known.started_at + LONGEST_RETRY_S


def _of_charger(session: Session, charge_point_id: str, charger_id: str) -> ChargeTransaction | None:
    return session.scalar(
        select(ChargeTransaction)
        .where(ChargeTransaction.charge_point_id == charge_point_id, ChargeTransaction.charger_id == charger_id)
        .order_by(ChargeTransaction.transaction_id.desc())
        .limit(1)
    )


def _numbered(session: Session, start: TransactionStart, *, adopted: bool = False) -> ChargeTransaction:
    """Store a transaction under a new number of ours."""
    row = _row(start)
    row.adopted = adopted
    row.transaction_id = _next_number(session, start.received_at)
    session.add(row)
    session.flush()
    return row


def _complete(
    session: Session, transaction_id: int, id_tag: str | None, meter_start_wh: int | None
) -> StoredTransaction | None:
    row = session.get(ChargeTransaction, transaction_id)
    if row is None:
        return None
    if row.id_tag is None:
        row.id_tag = id_tag
    if meter_start_wh is not None:
        row.meter_start_wh = meter_start_wh
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


def _adopt(session: Session, start: TransactionStart, transaction_id: int | None) -> StoredTransaction:
    if start.charger_id is not None:
        row = _of_charger(session, start.charge_point_id, start.charger_id)
        return _stored(row if row is not None else _numbered(session, start, adopted=True))
    known = None if transaction_id is None else session.get(ChargeTransaction, transaction_id)
    if known is not None and known.charge_point_id == start.charge_point_id:
        return _stored(known)
    row = _row(start)
    row.adopted = True
    if transaction_id is None or known is not None:
        transaction_id = _next_number(session, start.received_at)
    row.transaction_id = transaction_id
    session.add(row)
    session.flush()
    return _stored(row)


def _row(start: TransactionStart) -> ChargeTransaction:
    return ChargeTransaction(
        charge_point_id=start.charge_point_id,
        connector=start.connector,
        id_tag=start.id_tag,
        id_tag_key=start.charger_id or start.id_tag or "",
        meter_start_wh=start.meter_start_wh,
        started_at=start.started_at,
        received_at=start.received_at,
        reservation_id=start.reservation_id,
        adopted=False,
        charger_id=start.charger_id,
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


def _record(session: Session, rows: Sequence[MeterRecord]) -> None:
    newest: dict[tuple[str, int], int] = {}
    readings = []
    for record in rows:
        amps = record.amps or (None, None, None)
        readings.append(
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
    connection = session.connection()
    connection.execute(_ONCE, readings)
    seen = [
        {"of_point": charge_point_id, "of_number": transaction_id, "seen_wh": energy_wh}
        for (charge_point_id, transaction_id), energy_wh in newest.items()
    ]
    if seen:
        connection.execute(_SEEN, seen)


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
        charger_id=row.charger_id,
    )
