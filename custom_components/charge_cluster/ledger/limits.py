"""The log of every limit: when, what, why, and what became of it; bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Update, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from .tables import LimitOrder, delete_some
from .writer import Writer

MOST_ROWS = 500_000
"""About 100 MB; the oldest go first."""

TRIM_EVERY = 1_000

ACCEPTED = "accepted"
"""The outcome of a limit that can be seen to be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRecord:
    """A limit that was sent."""

    site_id: str
    connector: str
    at: float | None
    """When it was answered, UTC POSIX seconds; None: now."""
    limit_a: float
    reason: str
    circuit_id: str | None
    outcome: str
    drawn_a: float | None
    """What was seen to flow when it was answered."""
    before_a: float | None = None
    """The limit that was in force when it was answered; None in rows of earlier versions."""
    sent_at: float | None = None
    """UTC POSIX seconds; None in rows of earlier versions."""
    form: str | None = None
    """Whether it was worded as usual; None in rows of earlier versions."""
    seen_a: float | None = None
    """What was measured when it was seen to be kept; None: it has not been."""
    seen_at: float | None = None
    """When that was measured, UTC POSIX seconds."""


class LimitTable:
    """The limits of all sites."""

    def __init__(self, writer: Writer, now: Callable[[], float]) -> None:
        self._writer = writer
        self._now = now
        self._since_trim = 0

    def record(self, record: LimitRecord) -> None:
        """Store a limit; never blocks, never raises."""
        dated = replace(record, at=self._now()) if record.at is None else record
        self._since_trim += 1
        trim = self._since_trim >= TRIM_EVERY
        if trim:
            self._since_trim = 0

        def work(session: Session) -> None:
            session.add(
                LimitOrder(
                    site_id=dated.site_id,
                    connector=dated.connector,
                    at=dated.at,
                    limit_a=dated.limit_a,
                    before_a=dated.before_a,
                    reason=dated.reason,
                    circuit_id=dated.circuit_id,
                    outcome=dated.outcome,
                    drawn_a=dated.drawn_a,
                    sent_at=dated.sent_at,
                    form=dated.form,
                    seen_a=dated.seen_a,
                    seen_at=dated.seen_at,
                )
            )
            if trim:
                _trim(session)

        self._writer.enqueue(work)

    def seen(self, site_id: str, connector: str, limit_a: float, seen_a: float, seen_ago_s: float) -> None:
        """Note that the newest accepted limit of a connector was seen to be kept; never blocks, never raises."""
        seen_at = self._now() - seen_ago_s
        self._writer.enqueue_row(_see, _Seen(site_id, connector, limit_a, seen_a, seen_at))

    async def latest(self, site_id: str, connector: str | None = None, count: int = 100) -> Sequence[LimitRecord]:
        """Return the newest limits, newest first. Raises StoreUnavailable."""

        def work(session: Session) -> list[LimitRecord]:
            query = select(LimitOrder).where(LimitOrder.site_id == site_id)
            if connector is not None:
                query = query.where(LimitOrder.connector == connector)
            query = query.order_by(LimitOrder.at.desc(), LimitOrder.id.desc()).limit(count)
            return [_record(row) for row in session.scalars(query)]

        return await self._writer.run(work)

    def purge(self, session: Session, before: float, at_most: int) -> int:
        """Delete limits from before a time, not more than so many; return how many."""
        return delete_some(session, LimitOrder, LimitOrder.at < before, at_most)


@dataclass(frozen=True, slots=True)
class _Seen:
    """That a limit was seen to be kept."""

    site_id: str
    connector: str
    limit_a: float
    seen_a: float
    seen_at: float


def _note_seen() -> Update:
    """Return the statement: of what was accepted by then the newest, where it is the limit that was seen to be kept."""
    table = LimitOrder.metadata.tables[LimitOrder.__tablename__]
    orders = table.c
    newest = (
        select(orders.id)
        .where(orders.site_id == bindparam("of_site"), orders.connector == bindparam("of_connector"))
        .where(orders.outcome == ACCEPTED, orders.at <= bindparam("by_then"))
        .order_by(orders.at.desc(), orders.id.desc())
        .limit(1)
    )
    kept = update(table).where(orders.id == newest.scalar_subquery(), orders.limit_a == bindparam("of_limit"))
    return kept.where(orders.seen_at.is_(None)).values(seen_a=bindparam("now_seen"), seen_at=bindparam("by_then"))


_NOTE_SEEN = _note_seen()


def _see(session: Session, rows: Sequence[_Seen]) -> None:
    """Note all that was seen in one statement: a whole fleet may be told new limits at a time."""
    session.connection().execute(
        _NOTE_SEEN,
        [
            {
                "of_site": row.site_id,
                "of_connector": row.connector,
                "of_limit": row.limit_a,
                "now_seen": row.seen_a,
                "by_then": row.seen_at,
            }
            for row in rows
        ],
    )


def _trim(session: Session) -> None:
    newest = session.scalar(select(func.max(LimitOrder.id))) or 0
    session.execute(delete(LimitOrder).where(LimitOrder.id <= newest - MOST_ROWS))


def _record(row: LimitOrder) -> LimitRecord:
    return LimitRecord(
        site_id=row.site_id,
        connector=row.connector,
        at=row.at,
        limit_a=row.limit_a,
        reason=row.reason,
        circuit_id=row.circuit_id,
        outcome=row.outcome,
        drawn_a=row.drawn_a,
        before_a=row.before_a,
        sent_at=row.sent_at,
        form=row.form,
        seen_a=row.seen_a,
        seen_at=row.seen_at,
    )
