"""What commissioning found: kept as a history for every test, for what a person signs must be found again."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from .tables import CommissioningFinding
from .writer import Writer

KEPT_OF_EACH = 20
"""Findings of one test of one subject; the oldest go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRecord:
    """The outcome of one test."""

    site_id: str
    subject: str
    test: str
    verdict: str
    at: float
    """UTC POSIX seconds."""
    firmware: str | None
    figures: Mapping[str, float | str | None]
    outdated: bool = False


class FindingTable:
    """The findings of all sites."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def record(self, record: FindingRecord) -> None:
        """Store a finding; never blocks, never raises."""

        def work(session: Session) -> None:
            session.add(
                CommissioningFinding(
                    site_id=record.site_id,
                    subject=record.subject,
                    test=record.test,
                    verdict=record.verdict,
                    at=record.at,
                    firmware=record.firmware,
                    figures=json.dumps(dict(record.figures)),
                    outdated=record.outdated,
                )
            )
            session.flush()
            _trim(session, record)

        self._writer.enqueue(work)

    def outdate(self, site_id: str, subject: str, tests: Collection[str]) -> None:
        """Mark findings as outdated; never blocks, never raises."""
        wanted = tuple(tests)

        def work(session: Session) -> None:
            row = CommissioningFinding
            session.execute(
                update(row)
                .where(row.site_id == site_id, row.subject == subject, row.test.in_(wanted))
                .values(outdated=True)
            )

        self._writer.enqueue(work)

    async def load(self, site_id: str, subject: str | None = None) -> Sequence[FindingRecord]:
        """Return what is kept of a site or of one subject of it, newest first. Raises StoreUnavailable."""

        def work(session: Session) -> list[FindingRecord]:
            row = CommissioningFinding
            query = select(row).where(row.site_id == site_id)
            if subject is not None:
                query = query.where(row.subject == subject)
            return [_record(found) for found in session.scalars(query.order_by(row.at.desc(), row.id.desc()))]

        return await self._writer.run(work)


def _trim(session: Session, newest: FindingRecord) -> None:
    row = CommissioningFinding
    same = (row.site_id == newest.site_id, row.subject == newest.subject, row.test == newest.test)
    kept = select(row.id).where(*same).order_by(row.at.desc(), row.id.desc()).limit(KEPT_OF_EACH)
    session.execute(delete(row).where(*same, row.id.not_in(kept)), execution_options={"synchronize_session": False})


def _record(row: CommissioningFinding) -> FindingRecord:
    return FindingRecord(
        site_id=row.site_id,
        subject=row.subject,
        test=row.test,
        verdict=row.verdict,
        at=row.at,
        firmware=row.firmware,
        figures=json.loads(row.figures),
        outdated=row.outdated,
    )
