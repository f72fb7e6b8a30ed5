"""What a site must find again after a restart: the newest content of each key, no history."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from .tables import Kept
from .writer import StoreUnavailable, Writer


class KeptTable:
    """What all sites keep, by kind and key."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def put(self, site_id: str, kind: str, key: str, fields: dict[str, Any] | None) -> None:
        """Keep fields under a key, or drop the key (None); never blocks, never raises."""
        self._writer.enqueue(_put(site_id, kind, key, fields))

    async def put_now(self, site_id: str, kind: str, key: str, fields: dict[str, Any]) -> None:
        """Keep fields under a key and return when they are on the disk. Raises StoreUnavailable."""
        await self._writer.run(_put(site_id, kind, key, fields))

    async def load(self, site_id: str) -> dict[str, dict[str, dict[str, Any]]]:
        """Return everything that is kept: kind → key → fields; nothing where the ledger cannot be read."""

        def work(session: Session) -> dict[str, dict[str, dict[str, Any]]]:
            found: dict[str, dict[str, dict[str, Any]]] = {}
            for row in session.scalars(select(Kept).where(Kept.site_id == site_id)):
                found.setdefault(row.kind, {})[row.key] = json.loads(row.content)
            return found

        try:
            return await self._writer.run(work)
        except StoreUnavailable:
            return {}


def _put(site_id: str, kind: str, key: str, fields: dict[str, Any] | None) -> Callable[[Session], None]:
    content = None if fields is None else json.dumps(fields)

    def work(session: Session) -> None:
        if content is None:
            session.execute(delete(Kept).where(Kept.site_id == site_id, Kept.kind == kind, Kept.key == key))
        else:
            session.merge(Kept(site_id=site_id, kind=kind, key=key, content=content))

    return work
