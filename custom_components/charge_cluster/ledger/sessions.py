"""Sessions from plug-in to plug-out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session as OrmSession

from .tables import Session
from .writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A session; without an end it still runs."""

    site_id: str
    session_id: str
    connector: str
    started_at: float
    ended_at: float | None
    energy_wh: float
    id_tag: str | None
    transaction_id: str | None
    held_back_s: float = 0.0
    """How long it was given less than it could have taken."""
    departure_at: float | None = None
    """When its driver meant to leave, UTC POSIX seconds; None: not told."""
    wanted_wh: float | None = None
    """What its driver wanted; None: not told."""
    phases: int | None = None
    """On how many its vehicle was seen to charge; None: not known."""
    cost: float | None = None
    """In its currency; None: no price was known."""
    saving: float | None = None
    """Against charging at once; None: not known."""
    saving_against_alone: float | None = None
    """Against the cheapest hours of its stay as if it had been alone; None: not known."""
    unpriced_wh: float = 0.0
    """What of its energy was taken while no price was known."""
    currency: str | None = None
    """ISO 4217."""


class SessionTable:
    """The sessions of all sites."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def record(self, record: SessionRecord) -> None:
        """Store a session as it is now; never blocks, never raises."""
        self._writer.enqueue(lambda session: _merge(session, record))

    async def newest(
        self,
        site_id: str,
        start: float,
        end: float,
        *,
        connectors: Collection[str] | None = None,
        count: int,
    ) -> Sequence[SessionRecord]:
        """Return the newest sessions that touch a span of time, newest first; without connectors those of all.

        Raises StoreUnavailable.
        """
        asked = [Session.site_id == site_id]
        if connectors is not None:
            asked.append(Session.connector.in_(connectors))

        def work(session: OrmSession) -> list[SessionRecord]:
            rows = list(session.scalars(_beginning(asked, start, end).limit(count)))
            if (missing := count - len(rows)) > 0:
                running = session.scalars(_before(asked, start, Session.ended_at.is_(None)).limit(missing))
                ended = session.scalars(_before(asked, start, Session.ended_at >= start).limit(missing))
                reaching = sorted((*running, *ended), key=lambda row: row.started_at, reverse=True)
                rows += reaching[:missing]
            return [_record(row) for row in rows]

        return await self._writer.run(work)

    async def for_habits(self, site_id: str, count: int) -> Sequence[SessionRecord]:
        """Return the newest sessions of a site that have ended and were not forgotten, oldest first.

        Raises StoreUnavailable.
        """

        def work(session: OrmSession) -> list[SessionRecord]:
            ended = select(Session).where(Session.site_id == site_id, Session.ended_at > 0.0, ~Session.forgotten)
            rows = session.scalars(ended.order_by(Session.ended_at.desc()).limit(count))
            return [_record(row) for row in rows][::-1]

        return await self._writer.run(work)

    async def forget(self, id_tag: str) -> int:
        """Have nobody's habits learned from the sessions of a driver; return of how many. Raises StoreUnavailable.

        The sessions stay recorded: what was charged has to be accounted for.
        """

        def work(session: OrmSession) -> int:
            theirs = update(Session).where(func.upper(Session.id_tag) == id_tag.upper(), ~Session.forgotten)
            found = session.execute(theirs.values(forgotten=True).returning(Session.session_id))
            return len(found.all())

        return await self._writer.run(work)


def _beginning(asked: Sequence[ColumnElement[bool]], start: float, end: float) -> Select[tuple[Session]]:
    """Select the sessions that began within a span of time, newest first."""
    begun = select(Session).where(*asked, Session.started_at >= start, Session.started_at < end)
    return begun.order_by(Session.started_at.desc())


def _before(asked: Sequence[ColumnElement[bool]], start: float, lasted: ColumnElement[bool]) -> Select[tuple[Session]]:
    """Select the sessions that began before a time and lasted until then, newest first.

    They are looked for by their end: by their beginning every older session would have to be read. The sum keeps
    SQLite from going by the beginning all the same.
    """
    began = Session.started_at + 0.0
    return select(Session).where(*asked, lasted, began < start).order_by(began.desc())


def _merge(session: OrmSession, record: SessionRecord) -> None:
    session.merge(
        Session(
            session_id=record.session_id,
            site_id=record.site_id,
            connector=record.connector,
            started_at=record.started_at,
            ended_at=record.ended_at,
            energy_wh=record.energy_wh,
            id_tag=record.id_tag,
            transaction_id=record.transaction_id,
            held_back_s=record.held_back_s,
            departure_at=record.departure_at,
            wanted_wh=record.wanted_wh,
            phases=record.phases,
            cost=record.cost,
            saving=record.saving,
            saving_against_alone=record.saving_against_alone,
            unpriced_wh=record.unpriced_wh,
            currency=record.currency,
        )
    )


def _record(row: Session) -> SessionRecord:
    return SessionRecord(
        site_id=row.site_id,
        session_id=row.session_id,
        connector=row.connector,
        started_at=row.started_at,
        ended_at=row.ended_at,
        energy_wh=row.energy_wh,
        id_tag=row.id_tag,
        transaction_id=row.transaction_id,
        held_back_s=row.held_back_s,
        departure_at=row.departure_at,
        wanted_wh=row.wanted_wh,
        phases=row.phases,
        cost=row.cost,
        saving=row.saving,
        saving_against_alone=row.saving_against_alone,
        unpriced_wh=row.unpriced_wh,
        currency=row.currency,
    )
