"""What a site must find again after a restart: the newest content of each key, no history."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.orm import Session

from .tables import Kept
from .writer import StoreUnavailable, Writer


class KeptTable:
    """What all sites keep, by kind and key."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def put(self, site_id: str, kind: str, key: str, fields: dict[str, Any] | None) -> None:
        """Keep fields under a key, or drop the key (None); never blocks, never raises."""
        self._writer.enqueue_row(_put, _Entry(site_id, kind, key, fields))

    async def put_now(self, site_id: str, kind: str, key: str, fields: dict[str, Any]) -> None:
        """Keep fields under a key and return when they are on the disk. Raises StoreUnavailable."""
        await self._writer.run(partial(_put, rows=[_Entry(site_id, kind, key, fields)]))

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


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is kept under a key."""

    site_id: str
    kind: str
    key: str
    fields: dict[str, Any] | None


def _put(session: Session, rows: Sequence[_Entry]) -> None:
    """Keep what is newest of each key."""
    newest = {(row.site_id, row.kind, row.key): row.fields for row in rows}
    kept, dropped = [], []
    for (site_id, kind, key), fields in newest.items():
        where = {"at_site": site_id, "of_kind": kind, "at_key": key}
        if fields is None:
            dropped.append(where)
        else:
            kept.append({**where, "fresh": json.dumps(fields)})
    if kept:
        session.connection().execute(_UPSERT, kept)
    if dropped:
        session.connection().execute(_DELETE, dropped)


def _upsert() -> Insert:
    table = Kept.metadata.tables[Kept.__tablename__]
    fresh = insert(table).values(
        site_id=bindparam("at_site"), kind=bindparam("of_kind"), key=bindparam("at_key"), content=bindparam("fresh")
    )
    return fresh.on_conflict_do_update(index_elements=table.primary_key, set_={"content": fresh.excluded.content})


_UPSERT = _upsert()
_DELETE = delete(Kept.metadata.tables[Kept.__tablename__]).where(
    Kept.site_id == bindparam("at_site"), Kept.kind == bindparam("of_kind"), Kept.key == bindparam("at_key")
)
