"""The file: made and migrated, copied, set aside when it is damaged, and missed when it cannot be written."""

import asyncio
import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from custom_components.charge_cluster.ledger import Ledger, LedgerState, store
from custom_components.charge_cluster.ledger.drivers import DriverRecord
from custom_components.charge_cluster.ledger.tables import Base
from custom_components.charge_cluster.ledger.writer import StoreUnavailable
from custom_components.charge_cluster.ocpp.protocols import JournalUnavailable

from .conftest import OpenLedger
from .records import NOON, WallClock, a_limit, a_reading, a_session, a_start, a_stop, appears_on_disk, on_disk

TRANSACTIONS = "SELECT transaction_id FROM charge_transaction ORDER BY transaction_id"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file as somebody else who lets nobody in."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


async def recovered(ledger: Ledger) -> None:
    """Wait until the ledger has noticed by itself that it can write again."""

    def wait() -> bool:
        return any(ledger.state.available or threading.Event().wait(0.01) for _ in range(500))

    assert await asyncio.to_thread(wait)


async def start_until_refused(ledger: Ledger, accepted: list[int]) -> None:
    """Start transactions, and note which were accepted, until the disk takes no more. Raises JournalUnavailable."""
    for number in range(1, 500):
        stored = await ledger.journal.start_transaction(a_start(started_at=NOON + number))
        accepted.append(stored.transaction_id)


def names(folder: Path, pattern: str = "*") -> list[str]:
    return sorted(file.name for file in folder.glob(pattern))


# Tables -------------------------------------------------------------------------------------------------------------


async def test_the_migrations_make_the_tables_that_the_code_knows(ledger: Ledger) -> None:
    await ledger.close()
    engine = create_engine(f"sqlite:///{ledger.path}", poolclass=NullPool)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    (sql,) = on_disk(ledger.path, "SELECT sql FROM sqlite_master WHERE name = 'charge_transaction'")[0]
    assert "AUTOINCREMENT" in sql


async def test_opening_again_changes_nothing(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    await ledger.close()
    made = on_disk(ledger.path, "SELECT type, name, sql FROM sqlite_master ORDER BY name")
    version = on_disk(ledger.path, "SELECT version_num FROM alembic_version")
    again = await open_ledger()
    assert again.state == LedgerState(available=True)
    await again.close()
    assert on_disk(ledger.path, "SELECT type, name, sql FROM sqlite_master ORDER BY name") == made
    assert on_disk(ledger.path, "SELECT version_num FROM alembic_version") == version
    assert len(version) == 1


ADDED_LATER = {
    "limit_order": ("sent_at", "form", "seen_a", "seen_at"),
    "session": (
        "departure_at",
        "wanted_wh",
        "forgotten",
        "cost",
        "saving",
        "unpriced_wh",
        "currency",
        "saving_against_alone",
        "phases",
    ),
    "driver": (
        "priority",
        "kind",
        "group_id",
        "at_once",
        "leave_by_s",
        "usual_wh",
        "target_soc",
        "battery_wh",
        "battery_entity",
    ),
    "charge_transaction": ("charger_id",),
}


def forget_column(session: Session, table: str, column: str) -> None:
    session.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))


async def test_a_ledger_of_the_first_version_is_brought_up_and_keeps_what_it_holds(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    ledger.sessions.record(a_session())
    await ledger.drivers.put(DriverRecord(id_tag="04AA", name="Ada"))
    await ledger.run(lambda session: session.execute(text("DROP INDEX ix_session_end")))
    await ledger.run(lambda session: session.execute(text("DROP INDEX ix_charge_transaction_charger")))
    await ledger.run(lambda session: session.execute(text("DROP TABLE commissioning_finding")))
    for table, columns in ADDED_LATER.items():
        for column in columns:
            await ledger.run(partial(forget_column, table=table, column=column))
    await ledger.run(lambda session: session.execute(text("UPDATE alembic_version SET version_num = '0001'")))
    await ledger.close()
    again = await open_ledger()
    assert again.state == LedgerState(available=True)
    again.limits.record(a_limit())
    assert await again.limits.latest("site") == [a_limit()]
    assert await again.sessions.newest("site", NOON, NOON + 1.0, count=100) == [a_session()]
    assert await again.drivers.all() == [DriverRecord(id_tag="04AA", name="Ada")]
    assert on_disk(ledger.path, "SELECT count(*) FROM sqlite_master WHERE name = 'ix_session_end'") == [(1,)]


async def test_how_often_a_token_may_charge_is_left_to_the_site_where_nobody_had_said_it(
    open_ledger: OpenLedger,
) -> None:
    ledger = await open_ledger()
    for id_tag, at_once in (("04AA", 1), ("04BB", 3)):
        await ledger.drivers.put(DriverRecord(id_tag=id_tag, name="Ada", at_once=at_once))
    await ledger.run(partial(forget_column, table="session", column="phases"))
    await ledger.run(lambda session: session.execute(text("UPDATE alembic_version SET version_num = '0012'")))
    await ledger.close()
    again = await open_ledger()
    assert again.state == LedgerState(available=True)
    assert [driver.at_once for driver in await again.drivers.all()] == [None, 3]


async def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    await ledger.drivers.put(DriverRecord(id_tag="04AA", name="Ada"))
    await ledger.run(lambda session: session.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    await ledger.close()
    older = await open_ledger()
    assert not older.state.available
    assert older.state.replaced_with is None
    assert older.state.fault is not None
    assert "newer version" in older.state.fault
    with pytest.raises(JournalUnavailable, match="newer version"):
        await older.journal.start_transaction(a_start())
    older.limits.record(a_limit())
    await older.close()
    assert on_disk(ledger.path, "SELECT version_num FROM alembic_version") == [("9999",)]
    assert on_disk(ledger.path, "SELECT id_tag FROM driver") == [("04AA",)]


# A damaged file -----------------------------------------------------------------------------------------------------


def scribble(path: Path, *, first: int = 0) -> None:
    """Write over what is in the file."""
    content = bytearray(path.read_bytes())
    content[first:] = b"\xa5" * len(content[first:])
    path.write_bytes(content)


def scribble_behind_the_header(path: Path) -> None:
    """Leave the first page as it was."""
    scribble(path, first=4096)


def overwrite(path: Path) -> None:
    """Put something else in its place."""
    path.write_text("no database")


def cut(path: Path) -> None:
    """Leave the first half, as a failed copy would."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [scribble, scribble_behind_the_header, cut, overwrite])
async def test_the_snapshot_takes_the_place_of_a_damaged_file(
    open_ledger: OpenLedger, folder: Path, damage: Callable[[Path], None]
) -> None:
    ledger = await open_ledger()
    kept = await ledger.journal.start_transaction(a_start())
    await ledger.snapshot()
    lost = await ledger.journal.start_transaction(a_start(started_at=NOON + 1.0))
    await ledger.close()
    damage(ledger.path)
    damaged = ledger.path.read_bytes()

    again = await open_ledger()
    assert again.state == LedgerState(available=True, replaced_with="snapshot")
    assert await again.journal.open_transactions("CP1") == [kept]
    assert (folder / "ledger.db.corrupt-1").read_bytes() == damaged, "it may still tell something to somebody"
    new = await again.journal.start_transaction(a_start("CP2", received_at=NOON + 60.0))
    assert new.transaction_id > lost.transaction_id, "the charger may still run the lost one"
    await again.close()
    assert on_disk(ledger.path, "PRAGMA integrity_check") == [("ok",)]


async def test_without_a_snapshot_a_fresh_ledger_begins(open_ledger: OpenLedger, folder: Path) -> None:
    ledger = await open_ledger()
    await ledger.journal.start_transaction(a_start())
    await ledger.close()
    scribble(ledger.path)
    again = await open_ledger()
    assert again.state == LedgerState(available=True, replaced_with="fresh")
    assert await again.journal.open_transactions("CP1") == []
    assert (folder / "ledger.db.corrupt-1").exists()


async def test_a_damaged_snapshot_is_not_taken(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    await ledger.snapshot()
    await ledger.close()
    scribble(ledger.path)
    scribble(ledger.snapshot_path)
    again = await open_ledger()
    assert again.state == LedgerState(available=True, replaced_with="fresh")
    await again.journal.start_transaction(a_start())


async def test_every_damaged_file_is_kept(open_ledger: OpenLedger, folder: Path) -> None:
    for _ in range(2):
        ledger = await open_ledger()
        await ledger.close()
        scribble(ledger.path)
    await open_ledger()
    assert names(folder, "*.corrupt-?") == [
        "ledger.db.corrupt-1",
        "ledger.db.corrupt-2",
    ]


@pytest.mark.parametrize("emptied", [True, False])
async def test_the_snapshot_takes_the_place_of_a_lost_file(open_ledger: OpenLedger, emptied: bool) -> None:
    ledger = await open_ledger()
    kept = await ledger.journal.start_transaction(a_start())
    await ledger.snapshot()
    await ledger.close()
    if emptied:
        ledger.path.write_bytes(b"")
    else:
        ledger.path.unlink()
    again = await open_ledger()
    assert again.state.replaced_with == "snapshot"
    assert await again.journal.open_transactions("CP1") == [kept]


async def test_the_log_of_a_lost_file_does_not_spoil_the_snapshot(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    kept = await ledger.journal.start_transaction(a_start())
    await ledger.snapshot()
    for number in range(20):
        await ledger.journal.start_transaction(a_start("CP2", started_at=NOON + number))
    log = ledger.path.with_name("ledger.db-wal").read_bytes()
    assert log, "nothing waits outside the file"
    await ledger.close()
    ledger.path.unlink()
    ledger.path.with_name("ledger.db-wal").write_bytes(log)
    again = await open_ledger()
    assert await again.journal.open_transactions("CP1") == [kept]
    assert await again.journal.open_transactions("CP2") == []
    await again.close()
    assert on_disk(ledger.path, "PRAGMA integrity_check") == [("ok",)]


async def test_a_file_that_is_damaged_while_it_is_open_is_replaced(ledger: Ledger, impatient: None) -> None:
    for number in range(200):
        await ledger.journal.start_transaction(a_start("CP2", started_at=NOON + number))
    await ledger.snapshot()
    with closing(sqlite3.connect(ledger.path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    scribble(ledger.path, first=4096)
    with pytest.raises(JournalUnavailable):
        await ledger.journal.open_transactions("CP2")
    assert not ledger.state.available
    assert len(await ledger.journal.open_transactions("CP2")) == 200
    assert ledger.state == LedgerState(available=True, replaced_with="snapshot")


# A file that cannot be written now ----------------------------------------------------------------------------------


async def test_while_the_file_is_locked_it_is_said_and_nothing_else_happens(ledger: Ledger, impatient: None) -> None:
    await ledger.run(lambda session: session.execute(text("PRAGMA busy_timeout = 50")))
    before = await ledger.journal.start_transaction(a_start())
    with locked(ledger.path):
        with pytest.raises(JournalUnavailable, match="locked"):
            await ledger.journal.start_transaction(a_start("CP2"))
        assert not ledger.state.available
        assert ledger.state.fault is not None
        assert "locked" in ledger.state.fault
        assert await ledger.drivers.find("04AA") is None
        assert await ledger.kept.load("site") == {}
        with pytest.raises(StoreUnavailable):
            await ledger.sessions.newest("site", 0.0, NOON, count=100)
        # What control tells the ledger never raises and never waits.
        ledger.journal.record_meter_values([a_reading(before.transaction_id)])
        ledger.limits.record(a_limit())
        ledger.sessions.record(a_session())
        ledger.demand.record("site", "supply", NOON, (1.0, 2.0, 3.0), 1380.0, 60)
        ledger.kept.put("site", "bound", "cp1/1", {"limit_a": 6.0})
    await recovered(ledger)
    assert ledger.state == LedgerState(available=True)
    assert await ledger.limits.latest("site") == [a_limit()]
    assert await ledger.sessions.newest("site", NOON, NOON + 1.0, count=100) == [a_session()]
    assert await ledger.kept.load("site") == {"bound": {"cp1/1": {"limit_a": 6.0}}}
    (running,) = await ledger.journal.open_transactions("CP1")
    assert running.last_meter_wh == 1500
    assert (await ledger.journal.start_transaction(a_start("CP2"))).charge_point_id == "CP2"


async def test_a_file_that_is_locked_at_the_start_is_opened_later(
    open_ledger: OpenLedger, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    first = await open_ledger()
    stored = await first.journal.start_transaction(a_start())
    await first.close()
    with locked(first.path):
        ledger = await open_ledger()
        assert not ledger.state.available
        assert ledger.state.replaced_with is None
        assert "cannot be opened" in caplog.text
        ledger.limits.record(a_limit())
    await recovered(ledger)
    assert await ledger.journal.open_transactions("CP1") == [stored]
    assert await ledger.limits.latest("site") == [a_limit()]


async def test_a_full_disk_loses_nothing_that_was_acknowledged_and_is_used_again_when_it_can(
    ledger: Ledger, impatient: None
) -> None:
    stored = await ledger.journal.start_transaction(a_start())
    pages = await ledger.run(lambda session: session.scalar(text("PRAGMA page_count")))
    await ledger.run(lambda session: session.execute(text(f"PRAGMA max_page_count = {pages}")))
    accepted = [stored.transaction_id]
    with pytest.raises(JournalUnavailable, match="full"):
        await start_until_refused(ledger, accepted)
    assert not ledger.state.available
    assert ledger.state.fault is not None
    assert "full" in ledger.state.fault
    assert [number for (number,) in on_disk(ledger.path, TRANSACTIONS)] == accepted
    ledger.limits.record(a_limit())
    await ledger.run(lambda session: session.execute(text("PRAGMA max_page_count = 1000000")))
    assert ledger.state == LedgerState(available=True)
    assert await ledger.limits.latest("site") == [a_limit()]
    await ledger.journal.stop_transaction(a_stop(stored.transaction_id))


async def test_a_fault_names_nobody(ledger: Ledger, impatient: None, caplog: pytest.LogCaptureFixture) -> None:
    pages = await ledger.run(lambda session: session.scalar(text("PRAGMA page_count")))
    await ledger.run(lambda session: session.execute(text(f"PRAGMA max_page_count = {pages}")))
    long_tag = "SECRET0815" * 1000
    with pytest.raises(JournalUnavailable, match="full") as refused:
        await ledger.journal.start_transaction(a_start(id_tag=long_tag))
    assert ledger.state.fault is not None
    assert "full" in ledger.state.fault
    assert "The ledger cannot be written" in caplog.text
    assert "SECRET" not in f"{refused.value} {ledger.state.fault} {caplog.text}"


async def test_a_record_that_cannot_be_stored_names_nobody(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    spoilt = replace(a_session(), id_tag="SECRET0815", energy_wh=float("nan"))  # NaN is NULL to SQLite
    ledger.sessions.record(spoilt)
    assert await ledger.sessions.newest("site", NOON, NOON + 1.0, count=100) == []
    assert "A periodic record could not be written" in caplog.text
    assert "SECRET" not in caplog.text


@contextmanager
def no_file_may_grow_beyond(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_write_that_the_system_refuses_is_a_fault_and_no_loss(ledger: Ledger, impatient: None) -> None:
    stored = await ledger.journal.start_transaction(a_start())
    size = ledger.path.with_name("ledger.db-wal").stat().st_size
    accepted = [stored.transaction_id]
    with no_file_may_grow_beyond(size + 8192), pytest.raises(JournalUnavailable):
        await start_until_refused(ledger, accepted)
    assert ledger.state.replaced_with is None
    after = await ledger.journal.start_transaction(a_start("CP2"))
    assert ledger.state == LedgerState(available=True)
    assert [number for (number,) in on_disk(ledger.path, TRANSACTIONS)] == sorted([*accepted, after.transaction_id])


async def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ledger = await Ledger.open(tmp_path / "file" / "ledger", clock=WallClock())
    assert not ledger.state.available
    with pytest.raises(JournalUnavailable):
        await ledger.journal.start_transaction(a_start())
    await ledger.close()


# Snapshots ----------------------------------------------------------------------------------------------------------


async def test_a_snapshot_is_consistent_while_others_write(ledger: Ledger, tmp_path: Path) -> None:
    enough = asyncio.Event()
    acknowledged: set[int] = set()

    async def charge(point: int) -> None:
        second = 0
        while not enough.is_set():
            second += 1
            started = await ledger.journal.start_transaction(a_start(f"CP{point}", started_at=NOON + second))
            await ledger.journal.stop_transaction(a_stop(started.transaction_id, f"CP{point}"))
            acknowledged.add(started.transaction_id)

    charging = asyncio.gather(*(charge(point) for point in range(4)))
    for number in range(8):
        known = set(acknowledged)
        path = await ledger.snapshot(tmp_path / f"copy-{number}.db")
        assert on_disk(path, "PRAGMA integrity_check") == [("ok",)]
        finished = {
            number for (number,) in on_disk(path, f"{TRANSACTIONS.replace(' ORDER', ' WHERE stopped_at ORDER')}")
        }
        assert known <= finished
    enough.set()
    await charging
    assert acknowledged, "nothing was written meanwhile"


async def test_a_snapshot_is_replaced_whole_and_leaves_nothing_behind(ledger: Ledger, folder: Path) -> None:
    (folder / "ledger.snapshot.partial").write_bytes(b"left by a process that was killed" * 200)
    assert await ledger.snapshot() == ledger.snapshot_path
    await ledger.journal.start_transaction(a_start())
    await asyncio.gather(*(ledger.snapshot() for _ in range(3)))
    assert len(on_disk(ledger.snapshot_path, TRANSACTIONS)) == 1
    await ledger.close()
    assert names(folder) == [
        "ledger.db",
        "ledger.snapshot.db",
    ]


async def test_a_snapshot_that_cannot_be_written_is_said_and_the_old_one_stays(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.snapshot()
    before = ledger.snapshot_path.read_bytes()
    with pytest.raises(StoreUnavailable):
        await ledger.snapshot(tmp_path / "nowhere" / "copy.db")
    assert ledger.snapshot_path.read_bytes() == before


async def test_a_ledger_that_is_down_is_tried_again_without_being_asked(
    ledger: Ledger, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PASSING", frozenset())  # so that it has to be opened anew as well
    await ledger.run(lambda session: session.execute(text("PRAGMA busy_timeout = 50")))
    with locked(ledger.path):
        with pytest.raises(StoreUnavailable):
            await ledger.limits.latest("site")
        ledger.limits.record(a_limit())
    rows = await asyncio.to_thread(
        appears_on_disk, ledger.path, "SELECT count(*) FROM limit_order", [(1,)], within_s=5.0
    )
    assert rows
