"""Drivers: persons or vehicles known by a token, an idTag in the words of OCPP 1.6. Its case means nothing.

Who may charge is asked for in the middle of a message of a charge point, where nobody may wait for a disk, and is to be
answered though the disk is broken. So all of them are also known by heart, from the first `learn` on; their number is
bounded for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from ..ocpp.tokens import TokenType, folded, token_type
from .tables import Driver
from .writer import StoreUnavailable, Writer

MOST_DRIVERS = 10_000
"""That can be known: all of them are known by heart."""


class TooManyDrivers(Exception):
    """There is no room for another driver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverRecord:
    """A driver, by one of its tokens."""

    id_tag: str
    name: str
    enabled: bool = True
    expires_at: float | None = None
    """UTC POSIX seconds; None: never."""
    priority: int | None = None
    """Of its sessions; None: as where it charges."""
    kind: TokenType | None = None
    """What the token is; None: not said, so that it may be anything."""
    group: str | None = None
    """Whoever belongs to the same one may stop what this one started."""
    at_once: int | None = None
    """So many transactions may run with it at a time; None: as many as the site lets."""
    leave_by_s: float | None = None
    """When its vehicle leaves where nothing else is said, in seconds after local midnight; None: not said."""
    usual_wh: float | None = None
    """What it takes in a session where nothing else is said; None: not said."""
    target_soc: float | None = None
    """How full its battery is to be where nothing else is said, in percent; None: not said."""
    battery_wh: float | None = None
    """What the whole battery holds; None: not said."""
    battery_entity: str | None = None
    """The entity that tells how full it is; None: only the charge point may."""


class DriverTable:
    """The drivers of all sites."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._known: dict[str, DriverRecord] = {}
        self.learned = False
        """Whether they have been read since the start, so that who is not known by heart is not known at all."""

    async def learn(self) -> None:
        """Read all drivers. Raises StoreUnavailable."""

        def work(session: Session) -> dict[str, DriverRecord]:
            rows = session.scalars(select(Driver).order_by(Driver.id_tag).limit(MOST_DRIVERS))
            return {row.id_tag: _record(row) for row in rows}

        self._known = await self._writer.run(work)
        self.learned = True

    def known(self, id_tag: str) -> DriverRecord | None:
        """Return the driver with a token, without a look at the disk; None: nobody is known by it."""
        return self._known.get(folded(id_tag))

    def everybody(self) -> Sequence[DriverRecord]:
        """Return all drivers by their tokens, without a look at the disk."""
        return [self._known[id_tag] for id_tag in sorted(self._known)]

    def priority(self, id_tag: str) -> int | None:
        """Return the priority of the driver with a token, without a look at the disk; None: it has none."""
        driver = self.known(id_tag)
        return None if driver is None else driver.priority

    async def all(self) -> Sequence[DriverRecord]:
        """Return all drivers by name. Raises StoreUnavailable."""

        def work(session: Session) -> list[DriverRecord]:
            return [_record(row) for row in session.scalars(select(Driver).order_by(Driver.name))]

        return await self._writer.run(work)

    async def put(self, record: DriverRecord) -> None:
        """Add a driver or change the one with this token. Raises StoreUnavailable, TooManyDrivers."""
        id_tag = folded(record.id_tag)

        def work(session: Session) -> bool:
            if session.get(Driver, id_tag) is None:
                count = session.scalar(select(func.count()).select_from(Driver)) or 0
                if count >= MOST_DRIVERS:
                    return False
            session.merge(
                Driver(
                    id_tag=id_tag,
                    name=record.name,
                    enabled=record.enabled,
                    expires_at=record.expires_at,
                    priority=record.priority,
                    kind=None if record.kind is None else record.kind.value,
                    group_id=record.group,
                    at_once=record.at_once,
                    leave_by_s=record.leave_by_s,
                    usual_wh=record.usual_wh,
                    target_soc=record.target_soc,
                    battery_wh=record.battery_wh,
                    battery_entity=record.battery_entity,
                )
            )
            return True

        if not await self._writer.run(work):
            raise TooManyDrivers
        self._known[id_tag] = replace(record, id_tag=id_tag)

    async def remove(self, id_tag: str) -> bool:
        """Remove a driver; return whether there was one. Raises StoreUnavailable."""

        def work(session: Session) -> bool:
            known = session.get(Driver, folded(id_tag))
            session.execute(delete(Driver).where(Driver.id_tag == folded(id_tag)))
            return known is not None

        was_known = await self._writer.run(work)
        self._known.pop(folded(id_tag), None)
        return was_known

    async def find(self, id_tag: str) -> DriverRecord | None:
        """Return the driver with a token; None: not known, by the disk or, where it cannot be read, by heart."""

        def work(session: Session) -> DriverRecord | None:
            row = session.get(Driver, folded(id_tag))
            return None if row is None else _record(row)

        try:
            return await self._writer.run(work)
        except StoreUnavailable:
            return self.known(id_tag)


def _record(row: Driver) -> DriverRecord:
    return DriverRecord(
        id_tag=row.id_tag,
        name=row.name,
        enabled=row.enabled,
        expires_at=row.expires_at,
        priority=row.priority,
        kind=token_type(row.kind),
        group=row.group_id,
        at_once=row.at_once,
        leave_by_s=row.leave_by_s,
        usual_wh=row.usual_wh,
        target_soc=row.target_soc,
        battery_wh=row.battery_wh,
        battery_entity=row.battery_entity,
    )
