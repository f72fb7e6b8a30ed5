"""The demand of every circuit, minute by minute: what capacity planning rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from .tables import DemandMinute, delete_some
from .writer import Writer

type PhaseAmps = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandRecord:
    """A minute of a circuit."""

    circuit_id: str
    minute_start: int
    """UTC POSIX seconds."""
    peak_a: PhaseAmps
    mean_power_w: float
    samples: int


class DemandTable:
    """The demand of all sites."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def record(  # noqa: PLR0917 - a row, in the order of its columns
        self,
        site_id: str,
        circuit_id: str,
        minute_start: float,
        peak_a: PhaseAmps,
        mean_power_w: float,
        samples: int,
    ) -> None:
        """Store a minute; two parts of one minute (a restart lay between) are joined. Never blocks, never raises."""

        def work(session: Session) -> None:
            key = (site_id, circuit_id, int(minute_start))
            known = session.get(DemandMinute, key)
            if known is None:
                session.add(
                    DemandMinute(
                        site_id=site_id,
                        circuit_id=circuit_id,
                        minute_start=int(minute_start),
                        l1_a=peak_a[0],
                        l2_a=peak_a[1],
                        l3_a=peak_a[2],
                        mean_power_w=mean_power_w,
                        samples=samples,
                    )
                )
                return
            total = known.samples + samples
            known.mean_power_w = (known.mean_power_w * known.samples + mean_power_w * samples) / total
            known.samples = total
            known.l1_a, known.l2_a, known.l3_a = (
                max(known.l1_a, peak_a[0]),
                max(known.l2_a, peak_a[1]),
                max(known.l3_a, peak_a[2]),
            )

        self._writer.enqueue(work)

    async def between(
        self, site_id: str, start: float, end: float, circuit_id: str | None = None
    ) -> Sequence[DemandRecord]:
        """Return the minutes that began in a span of time, oldest first. Raises StoreUnavailable."""

        def work(session: Session) -> list[DemandRecord]:
            query = select(DemandMinute).where(
                DemandMinute.site_id == site_id, DemandMinute.minute_start >= start, DemandMinute.minute_start < end
            )
            if circuit_id is not None:
                query = query.where(DemandMinute.circuit_id == circuit_id)
            return [_record(row) for row in session.scalars(query.order_by(DemandMinute.minute_start))]

        return await self._writer.run(work)

    def purge(self, session: Session, before: float, at_most: int) -> int:
        """Delete minutes from before a time, not more than so many; return how many."""
        return delete_some(session, DemandMinute, DemandMinute.minute_start < before, at_most)


def _record(row: DemandMinute) -> DemandRecord:
    return DemandRecord(
        circuit_id=row.circuit_id,
        minute_start=row.minute_start,
        peak_a=(row.l1_a, row.l2_a, row.l3_a),
        mean_power_w=row.mean_power_w,
        samples=row.samples,
    )
