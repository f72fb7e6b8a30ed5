"""Sessions from plug-in to plug-out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
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


class SessionTable:
    """The sessions of all sites."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def record(self, record: SessionRecord) -> None:
        """Store a session as it is now; never blocks, never raises."""
        self._writer.enqueue(lambda session: _merge(session, record))

    async def between(self, site_id: str, start: float, end: float) -> Sequence[SessionRecord]:
        """Return the sessions that touch a span of time, oldest first. Raises StoreUnavailable."""

        def work(session: OrmSession) -> list[SessionRecord]:
            query = select(Session).where(
                Session.site_id == site_id,
                Session.started_at < end,
                or_(Session.ended_at.is_(None), Session.ended_at >= start),
            )
            return [_record(row) for row in session.scalars(query.order_by(Session.started_at))]

        return await self._writer.run(work)


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
    )
