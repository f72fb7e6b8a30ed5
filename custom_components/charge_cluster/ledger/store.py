"""The database file: opened, checked, migrated, copied, and replaced by its snapshot when it is broken."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from .demand import DemandTable
from .drivers import DriverTable
from .findings import FindingTable
from .journal import Journal
from .kept import KeptTable
from .limits import LimitTable
from .sessions import SessionTable
from .tables import Base
from .writer import StoreUnavailable, Work, Writer

LOGGER = logging.getLogger(__name__)

FILE = "ledger.db"
SNAPSHOT = "ledger.snapshot.db"
RESTORED = "ledger.restored.db"
"""The snapshot on its way to become the ledger."""

BUSY_TIMEOUT_S = 2.0

PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
"""Faults that go by themselves. After any other one the file is opened, and with that checked, anew."""

PURGED_AT_ONCE = 5_000
"""Old records are deleted in portions, so that no transaction waits for millions of them."""


class WallClock(Protocol):
    """Where the time of a record comes from."""

    def time(self) -> float:
        """Return UTC POSIX seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """How the ledger is."""

    available: bool
    """Whether the last write reached the disk."""
    fault: str | None = None
    replaced_with: str | None = None
    """"snapshot" or "fresh" where the file was damaged and was set aside."""


class Ledger:
    """All records of one Home Assistant."""

    def __init__(self, folder: Path, clock: WallClock) -> None:
        """Use `open`."""
        self._folder = folder
        self._engine: Engine | None = None
        self._replaced: str | None = None
        self._copying = asyncio.Lock()
        self.state = LedgerState(available=True)
        self.writer = Writer(self._opened, self._wrote)
        self.journal = Journal(self.writer)
        self.sessions = SessionTable(self.writer)
        self.demand = DemandTable(self.writer)
        self.limits = LimitTable(self.writer, clock.time)
        self.drivers = DriverTable(self.writer)
        self.kept = KeptTable(self.writer)
        self.findings = FindingTable(self.writer)

    @classmethod
    async def open(cls, folder: Path, *, clock: WallClock) -> Ledger:
        """Open the ledger in a folder. A file that cannot be opened is reported in `state`, and tried again."""
        ledger = cls(folder, clock)
        try:
            await ledger.writer.run(_nothing)
        except StoreUnavailable as error:
            LOGGER.error("The ledger in %s cannot be opened: %s", folder.name, error)  # noqa: TRY400 - no trace needed
        return ledger

    @property
    def path(self) -> Path:
        """Return the database file."""
        return self._folder / FILE

    @property
    def snapshot_path(self) -> Path:
        """Return the consistent copy that a backup takes and a broken file is replaced with."""
        return self._folder / SNAPSHOT

    async def run[T](self, work: Work[T]) -> T:
        """Do work in the ledger's own thread. Raises StoreUnavailable."""
        return await self.writer.run(work)

    async def snapshot(self, path: Path | None = None) -> Path:
        """Write a consistent copy and return where it is. Raises StoreUnavailable."""
        target = self.snapshot_path if path is None else path
        async with self._copying:
            await self.writer.run(_nothing)
            await asyncio.to_thread(self._copy, target)
        return target

    async def purge(self, before: float) -> None:
        """Delete meter values, limits and demand from before a UTC POSIX time; transactions and sessions stay.

        Raises:
            StoreUnavailable: some may be deleted and some not.
        """
        for table in (self.journal, self.limits, self.demand):
            portion = partial(table.purge, before=before, at_most=PURGED_AT_ONCE)
            while await self.writer.run(portion) >= PURGED_AT_ONCE:
                pass

    async def close(self) -> None:
        """Write what waits and close the file."""
        await asyncio.to_thread(self.writer.close)
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    # In the writer's thread ----------------------------------------------------------------------------------------

    def _wrote(self, error: Exception | None) -> None:
        if error is None:
            if not self.state.available or self.state.replaced_with != self._replaced:
                self.state = LedgerState(available=True, replaced_with=self._replaced)
            return
        if self.state.available:
            LOGGER.error("The ledger cannot be written: %s", error)
        if self._engine is not None and not _passes(error):
            self._engine.dispose()
            self._engine = None
        self.state = LedgerState(available=False, fault=str(error), replaced_with=self._replaced)

    def _opened(self) -> Engine:
        if self._engine is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._mend()
            engine = _engine_for(self.path)
            try:
                with engine.begin() as connection:
                    _migrate(connection)
            except CommandError as error:
                engine.dispose()
                raise StoreUnavailable(f"{FILE} was written by a newer version: {error}") from error
            except SQLAlchemyError:
                engine.dispose()
                raise
            self._engine = engine
        return self._engine

    def _mend(self) -> None:
        """Where the file is damaged, empty or gone, put the snapshot in its place; without one begin afresh."""
        damaged = self.path.exists() and not _sound(self.path)
        empty = not self.path.exists() or self.path.stat().st_size == 0
        restorable = self.snapshot_path.exists() and _sound(self.snapshot_path)
        if not damaged and not (empty and restorable):
            return
        restored = self._folder / RESTORED
        if restorable:
            shutil.copyfile(self.snapshot_path, restored)
        self._set_aside()
        if restorable:
            restored.replace(self.path)
        self._replaced = "snapshot" if restorable else "fresh"
        LOGGER.error("The ledger was damaged or lost; it goes on with: %s", self._replaced)

    def _set_aside(self) -> None:
        """Keep a damaged file, with what was not yet moved into it, under another name."""
        number = 1
        while (aside := self.path.with_name(f"{FILE}.corrupt-{number}")).exists():
            number += 1
        for tail in ("-wal", "-shm", ""):
            damaged = self.path.with_name(FILE + tail)
            if damaged.exists():
                damaged.replace(aside.with_name(aside.name + tail))
                LOGGER.error("A damaged file is kept as %s", aside.name + tail)

    def _copy(self, target: Path) -> None:
        unfinished = target.with_suffix(".partial")
        try:
            # One that a killed process left is no database to write into.
            unfinished.unlink(missing_ok=True)
            with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(unfinished)) as copy:
                source.backup(copy)
            unfinished.replace(target)
        except (sqlite3.Error, OSError) as error:
            unfinished.unlink(missing_ok=True)
            raise StoreUnavailable(str(error)) from error


def _nothing(_session: object) -> None:
    """Open the database and wait until everything before is committed."""


def _passes(error: Exception) -> bool:
    """Return whether a fault goes by itself, so that the open file can be kept."""
    if not isinstance(error, DBAPIError) or not isinstance(error.orig, sqlite3.Error):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)  # absent where the driver itself complains
    return code is not None and code & 0xFF in PASSING


def _sound(path: Path) -> bool:
    """Return whether a database file is readable and passes SQLite's check. A locked file is sound."""
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.OperationalError:
        return True
    except sqlite3.DatabaseError:
        return False


def _engine_for(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        hide_parameters=True,  # faults are logged and shown, and among the values are idTags
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: object) -> None:
        # SQLAlchemy begins transactions itself (below), or SAVEPOINT does not work with this driver.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = Base.metadata
    command.upgrade(config, "head")


__all__ = ["Ledger", "LedgerState"]
