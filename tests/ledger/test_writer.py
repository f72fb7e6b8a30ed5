"""The one thread that writes: what waits together is committed together, in time, and a failure is told."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event

from custom_components.charge_cluster.ledger import Ledger, writer
from custom_components.charge_cluster.ledger.writer import StoreUnavailable, Writer

from .records import NOON, a_limit, a_reading, a_start, appears_on_disk, on_disk

READINGS = "SELECT count(*) FROM meter_value"


@pytest.fixture
def commits() -> Iterator[list[float]]:
    """Return when transactions of the database ended."""
    times: list[float] = []

    def committed(_connection: object) -> None:
        times.append(time.monotonic())

    event.listen(Engine, "commit", committed)
    yield times
    event.remove(Engine, "commit", committed)


async def test_what_waits_together_is_committed_together(ledger: Ledger, commits: list[float]) -> None:
    go_on = threading.Event()
    before = asyncio.create_task(ledger.run(lambda _session: go_on.wait(10.0)))
    waiting = [asyncio.create_task(ledger.journal.start_transaction(a_start(f"CP{number}"))) for number in range(300)]
    await asyncio.sleep(0)  # all have begun
    commits.clear()
    go_on.set()
    await asyncio.gather(before, *waiting)
    assert len(commits) <= 3
    assert on_disk(ledger.path, "SELECT count(*) FROM charge_transaction") == [(300,)]


async def test_readings_are_committed_within_five_seconds(ledger: Ledger) -> None:
    ledger.journal.record_meter_values([a_reading()])
    assert await asyncio.to_thread(appears_on_disk, ledger.path, READINGS, [(1,)], within_s=5.0)


async def test_a_burst_of_readings_is_not_spread_over_the_next_groups(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "GROUP_SIZE", 20)
    for number in range(200):
        ledger.journal.record_meter_values([a_reading(measured_at=NOON + number)])
    assert await asyncio.to_thread(appears_on_disk, ledger.path, READINGS, [(200,)], within_s=5.0)


async def test_who_asks_finds_what_was_handed_over_before(ledger: Ledger) -> None:
    ledger.limits.record(a_limit())
    assert await ledger.limits.latest("site") == [a_limit()]


async def test_closing_writes_what_waits(ledger: Ledger) -> None:
    for number in range(50):
        ledger.limits.record(a_limit(NOON + number))
    await ledger.close()
    assert on_disk(ledger.path, "SELECT count(*) FROM limit_order") == [(50,)]


async def test_a_caller_that_gave_up_disturbs_nobody(ledger: Ledger) -> None:
    given_up = asyncio.create_task(ledger.journal.start_transaction(a_start("CP1")))
    await asyncio.sleep(0)  # it has begun
    given_up.cancel()
    other = await ledger.journal.start_transaction(a_start("CP2"))
    assert other.charge_point_id == "CP2"
    assert given_up.cancelled()


async def test_a_periodic_record_that_cannot_be_stored_is_said_and_harms_no_other(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.limits.record(a_limit(connector="\ud800"))
    ledger.limits.record(a_limit(limit_a=float("nan")))
    ledger.limits.record(a_limit(limit_a=7.0))
    assert [limit.limit_a for limit in await ledger.limits.latest("site")] == [7.0]
    assert caplog.text.count("could not be written") == 2
    assert ledger.state.available


async def test_what_waits_while_the_disk_fails_is_bounded_and_the_newest_stay(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer, "MAX_WAITING", 30)
    monkeypatch.setattr(writer, "GROUP_SIZE", 20)
    go_on = threading.Event()
    busy = asyncio.create_task(ledger.run(lambda _session: go_on.wait(10.0)))
    await asyncio.sleep(0)  # it has begun
    for number in range(100):
        ledger.limits.record(a_limit(NOON + number, limit_a=float(number)))
    go_on.set()
    await busy
    await ledger.close()
    rows = on_disk(ledger.path, "SELECT limit_a FROM limit_order ORDER BY limit_a")
    assert rows == [(float(number),) for number in range(70, 100)]
    assert "70 periodic records were dropped" in caplog.text


async def test_a_group_that_failed_is_put_back_within_the_bound(
    monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    monkeypatch.setattr(writer, "MAX_WAITING", 30)
    tried: list[int] = []
    failed = threading.Event()

    def no_database() -> Engine:
        failed.set()
        raise StoreUnavailable("no disk")

    one = Writer(no_database, lambda _error: None)
    try:
        for number in range(30):
            one.enqueue(lambda _session, number=number: tried.append(number))  # type: ignore[misc] # a default argument
        with pytest.raises(StoreUnavailable, match="no disk"):
            await one.run(lambda _session: None)
        for number in range(30, 60):
            one.enqueue(lambda _session, number=number: tried.append(number))  # type: ignore[misc] # a default argument
        with pytest.raises(StoreUnavailable, match="no disk"):
            await one.run(lambda _session: None)
        assert len(one._periodic) <= 30
    finally:
        began = time.monotonic()
        await asyncio.to_thread(one.close)
    assert time.monotonic() - began < 5.0
    assert failed.is_set()
    assert tried == []


async def test_nothing_is_taken_after_the_close(ledger: Ledger) -> None:
    await ledger.close()
    ledger.limits.record(a_limit())
    with pytest.raises(StoreUnavailable):
        await ledger.limits.latest("site")
