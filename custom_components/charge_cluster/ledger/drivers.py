"""Drivers: persons or vehicles known by an idTag. OCPP 1.6 compares idTags without regard to case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from .tables import Driver
from .writer import StoreUnavailable, Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverRecord:
    """A driver."""

    id_tag: str
    name: str
    enabled: bool = True
    expires_at: float | None = None
    """UTC POSIX seconds; None: never."""


class DriverTable:
    """The drivers of all sites."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def all(self) -> Sequence[DriverRecord]:
        """Return all drivers by name. Raises StoreUnavailable."""

        def work(session: Session) -> list[DriverRecord]:
            return [_record(row) for row in session.scalars(select(Driver).order_by(Driver.name))]

        return await self._writer.run(work)

    async def put(self, record: DriverRecord) -> None:
        """Add a driver or change the one with this idTag. Raises StoreUnavailable."""

        def work(session: Session) -> None:
            session.merge(
                Driver(
                    id_tag=record.id_tag.upper(), name=record.name, enabled=record.enabled, expires_at=record.expires_at
                )
            )

        await self._writer.run(work)

    async def remove(self, id_tag: str) -> bool:
        """Remove a driver; return whether there was one. Raises StoreUnavailable."""

        def work(session: Session) -> bool:
            known = session.get(Driver, id_tag.upper())
            session.execute(delete(Driver).where(Driver.id_tag == id_tag.upper()))
            return known is not None

        return await self._writer.run(work)

    async def find(self, id_tag: str) -> DriverRecord | None:
        """Return the driver with an idTag; None: not known, or the ledger cannot be read."""

        def work(session: Session) -> DriverRecord | None:
            row = session.get(Driver, id_tag.upper())
            return None if row is None else _record(row)

        try:
            return await self._writer.run(work)
        except StoreUnavailable:
            return None


def _record(row: Driver) -> DriverRecord:
    return DriverRecord(id_tag=row.id_tag, name=row.name, enabled=row.enabled, expires_at=row.expires_at)
