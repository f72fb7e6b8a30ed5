"""Transactions: once each, under numbers that are never used twice, and answered only when they are on the disk."""

import asyncio
import itertools
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from sqlalchemy import text

from custom_components.charge_cluster.ledger import Ledger
from custom_components.charge_cluster.ocpp.protocols import JournalUnavailable, StoredTransaction

from .conftest import OpenLedger
from .records import NOON, WallClock, a_reading, a_start, a_stop, on_disk


async def test_a_start_is_on_the_disk_when_it_is_answered(ledger: Ledger) -> None:
    stored = await ledger.journal.start_transaction(a_start())
    rows = on_disk(ledger.path, "SELECT transaction_id, meter_start_wh FROM charge_transaction")
    assert rows == [(stored.transaction_id, 1000)]


async def test_a_stop_is_on_the_disk_when_it_is_answered(ledger: Ledger) -> None:
    stored = await ledger.journal.start_transaction(a_start())
    stopped = await ledger.journal.stop_transaction(a_stop(stored.transaction_id))
    assert stopped == replace(stored, meter_stop_wh=9000, stopped_at=NOON + 3600.0, stop_reason="Local")
    rows = on_disk(ledger.path, "SELECT meter_stop_wh, stop_reason FROM charge_transaction")
    assert rows == [(9000, "Local")]


async def test_a_commit_waits_for_the_platter(ledger: Ledger) -> None:
    modes = await ledger.run(lambda s: [s.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous")])
    assert modes == ["wal", 2]


async def test_a_start_is_not_answered_before_it_is_on_the_disk(ledger: Ledger) -> None:
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        starting = asyncio.create_task(ledger.journal.start_transaction(a_start()))
        done, _ = await asyncio.wait({starting}, timeout=0.2)
        assert not done
        other.execute("ROLLBACK")
    assert (await starting).meter_start_wh == 1000


@pytest.mark.parametrize("id_tag", ["04AA", None])
async def test_a_start_that_is_sent_again_is_the_same_transaction(ledger: Ledger, id_tag: str | None) -> None:
    first = await ledger.journal.start_transaction(a_start(id_tag=id_tag))
    again = await ledger.journal.start_transaction(a_start(id_tag=id_tag, received_at=NOON + 600.0))
    assert again == first
    assert on_disk(ledger.path, "SELECT count(*) FROM charge_transaction") == [(1,)]


async def test_the_same_start_from_many_at_once_is_stored_once(ledger: Ledger) -> None:
    stored = await asyncio.gather(*(ledger.journal.start_transaction(a_start()) for _ in range(20)))
    assert len({one.transaction_id for one in stored}) == 1


@pytest.mark.parametrize(
    "other",
    [
        a_start("CP2"),
        a_start(connector=2),
        a_start(id_tag="04BB"),
        a_start(id_tag=None),
        a_start(meter_start_wh=1001),
        a_start(started_at=NOON + 1.0),
    ],
)
async def test_other_content_is_another_transaction(ledger: Ledger, other: object) -> None:
    first = await ledger.journal.start_transaction(a_start())
    second = await ledger.journal.start_transaction(other)  # type: ignore[arg-type] # parametrize forgets types
    assert second.transaction_id != first.transaction_id


async def test_an_end_that_is_sent_again_changes_nothing(ledger: Ledger) -> None:
    stored = await ledger.journal.start_transaction(a_start())
    first = await ledger.journal.stop_transaction(a_stop(stored.transaction_id))
    again = await ledger.journal.stop_transaction(a_stop(stored.transaction_id, meter_stop_wh=1, reason="Remote"))
    assert again == first
    assert on_disk(ledger.path, "SELECT meter_stop_wh, stop_reason FROM charge_transaction") == [(9000, "Local")]


async def test_a_start_that_comes_again_after_its_end_is_still_the_same(ledger: Ledger) -> None:
    stored = await ledger.journal.start_transaction(a_start())
    stopped = await ledger.journal.stop_transaction(a_stop(stored.transaction_id))
    assert await ledger.journal.start_transaction(a_start()) == stopped


async def test_the_told_end_replaces_a_presumed_one_and_not_the_other_way_round(ledger: Ledger) -> None:
    number = (await ledger.journal.start_transaction(a_start())).transaction_id
    await ledger.journal.stop_transaction(a_stop(number, meter_stop_wh=2000, reason="Stale"))
    told = await ledger.journal.stop_transaction(a_stop(number, meter_stop_wh=9000, reason="EVDisconnected"))
    presumed = await ledger.journal.stop_transaction(a_stop(number, meter_stop_wh=2000, reason="Stale"))
    assert told == presumed
    assert told is not None
    assert told.meter_stop_wh == 9000


async def test_the_end_of_an_unknown_transaction_is_kept_once_and_ends_no_other(ledger: Ledger) -> None:
    running = await ledger.journal.start_transaction(a_start())
    unknown = a_stop(running.transaction_id + 1)
    assert await ledger.journal.stop_transaction(unknown) is None
    assert await ledger.journal.stop_transaction(unknown) is None
    assert await ledger.journal.open_transactions("CP1") == [running]
    assert on_disk(ledger.path, "SELECT transaction_id, meter_stop_wh FROM orphan_stop") == [
        (running.transaction_id + 1, 9000)
    ]


async def test_a_charge_point_cannot_end_the_transaction_of_another(ledger: Ledger) -> None:
    running = await ledger.journal.start_transaction(a_start("CP1"))
    assert await ledger.journal.stop_transaction(a_stop(running.transaction_id, "CP2")) is None
    assert await ledger.journal.open_transactions("CP1") == [running]


async def test_what_was_queued_offline_is_stored_with_its_own_times(ledger: Ledger) -> None:
    yesterday = NOON - 86_400.0
    young = await ledger.journal.start_transaction(a_start())
    old = await ledger.journal.start_transaction(a_start(started_at=yesterday, meter_start_wh=10))
    await ledger.journal.stop_transaction(a_stop(old.transaction_id, stopped_at=yesterday + 60.0, meter_stop_wh=20))
    assert await ledger.journal.open_transactions("CP1") == [young]
    assert await ledger.journal.transactions("CP1", yesterday, yesterday + 1.0) == [
        replace(old, stopped_at=yesterday + 60.0, meter_stop_wh=20, stop_reason="Local")
    ]


async def test_open_transactions_come_oldest_first_and_of_one_charge_point_only(ledger: Ledger) -> None:
    journal = ledger.journal
    late = await journal.start_transaction(a_start(started_at=NOON + 5.0))
    early = await journal.start_transaction(a_start(started_at=NOON - 5.0, connector=2))
    await journal.start_transaction(a_start("CP2"))
    assert await journal.open_transactions("CP1") == [early, late]


async def test_the_ends_of_some_transactions_are_found(ledger: Ledger) -> None:
    running = await ledger.journal.start_transaction(a_start())
    others = [await ledger.journal.start_transaction(a_start(f"CP{number}")) for number in (2, 3)]
    ended = [await ledger.journal.stop_transaction(a_stop(one.transaction_id, one.charge_point_id)) for one in others]
    asked = [running.transaction_id, others[0].transaction_id, 4711]
    assert await ledger.journal.ended(asked) == ended[:1]
    assert await ledger.journal.ended([]) == []


async def test_transactions_are_found_after_a_restart_under_the_same_numbers(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    stored = await ledger.journal.start_transaction(a_start())
    await ledger.close()
    again = await open_ledger()
    assert await again.journal.open_transactions("CP1") == [stored]
    assert await again.journal.start_transaction(a_start()) == stored
    new = await again.journal.start_transaction(a_start(started_at=NOON + 1.0))
    assert new.transaction_id > stored.transaction_id


async def test_numbers_go_on_where_the_host_has_lost_its_clock(ledger: Ledger) -> None:
    first = await ledger.journal.start_transaction(a_start())
    in_1970 = await ledger.journal.start_transaction(a_start(started_at=1.0, received_at=7.0))
    in_2200 = await ledger.journal.start_transaction(a_start(started_at=2.0, received_at=7.26e9))
    assert [in_1970.transaction_id, in_2200.transaction_id] == [first.transaction_id + 1, first.transaction_id + 2]


async def test_a_ledger_that_lost_everything_gives_no_number_again(
    open_ledger: OpenLedger, folder: Path, clock: WallClock
) -> None:
    ledger = await open_ledger()
    lost = [await ledger.journal.start_transaction(a_start(started_at=NOON + n)) for n in range(5)]
    await ledger.close()
    shutil.rmtree(folder)
    fresh = await open_ledger()
    new = await fresh.journal.start_transaction(a_start(received_at=NOON + 60.0))
    assert new.transaction_id > max(one.transaction_id for one in lost)


async def test_a_transaction_that_a_charger_runs_already_keeps_its_number(ledger: Ledger) -> None:
    adopted = await ledger.journal.adopt_transaction(a_start(id_tag=None), 2**31 - 1)
    assert adopted.transaction_id == 2**31 - 1
    assert await ledger.journal.adopt_transaction(a_start(started_at=NOON + 9.0), 2**31 - 1) == adopted
    ours = await ledger.journal.start_transaction(a_start(started_at=NOON + 1.0))
    assert ours.transaction_id < 2**31 - 1, "chargers have 32 bits for it"


async def test_a_number_that_another_charge_point_has_is_not_given_twice(ledger: Ledger) -> None:
    first = await ledger.journal.adopt_transaction(a_start("CP1"), 17)
    second = await ledger.journal.adopt_transaction(a_start("CP2"), 17)
    assert (first.transaction_id, first.charge_point_id) == (17, "CP1")
    assert (second.charge_point_id, second.transaction_id != 17) == ("CP2", True)


async def test_numbers_pass_over_those_that_chargers_made_up(ledger: Ledger) -> None:
    first = await ledger.journal.start_transaction(a_start())
    await ledger.journal.adopt_transaction(a_start("CP2"), first.transaction_id + 1)
    second = await ledger.journal.start_transaction(a_start(started_at=NOON + 1.0))
    assert second.transaction_id == first.transaction_id + 2


async def test_the_newest_register_is_known_and_never_turned_back(ledger: Ledger) -> None:
    number = (await ledger.journal.start_transaction(a_start())).transaction_id
    ledger.journal.record_meter_values([a_reading(number, energy_wh=2500.4), a_reading(number, energy_wh=1700.0)])
    ledger.journal.record_meter_values([a_reading(number, energy_wh=1600.0, measured_at=NOON - 60.0)])
    ledger.journal.record_meter_values([a_reading(number, "CP2", energy_wh=99_000.0)])
    (running,) = await ledger.journal.open_transactions("CP1")
    assert running.last_meter_wh == 2500


async def test_readings_that_are_sent_again_are_recorded_once(ledger: Ledger) -> None:
    reading, blank = a_reading(), a_reading(energy_wh=None, amps=None)
    for _ in range(3):
        ledger.journal.record_meter_values([reading, blank, reading])
    ledger.journal.record_meter_values([a_reading(energy_wh=1500.5)])
    ledger.journal.record_meter_values([])
    await ledger.run(lambda _session: None)
    rows = on_disk(ledger.path, "SELECT energy_wh, l2_a FROM meter_value ORDER BY id")
    assert rows == [(1500.0, 16.0), (None, None), (1500.5, 16.0)]


@pytest.mark.parametrize(
    "bad",
    [a_start(meter_start_wh=10**30), a_start("\ud800"), a_start(id_tag="\udfff"), a_start(started_at=float("nan"))],
)
async def test_content_that_cannot_be_stored_is_refused_and_harms_nobody(ledger: Ledger, bad: object) -> None:
    refused, fine = await asyncio.gather(
        ledger.journal.start_transaction(bad),  # type: ignore[arg-type] # parametrize forgets types
        ledger.journal.start_transaction(a_start()),
        return_exceptions=True,
    )
    assert isinstance(refused, JournalUnavailable)
    assert isinstance(fine, StoredTransaction)
    assert await ledger.journal.start_transaction(a_start()) == fine
    assert ledger.state.available


async def test_a_closed_ledger_says_so(ledger: Ledger) -> None:
    await ledger.close()
    with pytest.raises(JournalUnavailable):
        await ledger.journal.start_transaction(a_start())


# Whatever a charger sends, in whatever order and however often ------------------------------------------------------


@dataclass(frozen=True)
class Began:
    connector: int
    second: int
    id_tag: str | None


@dataclass(frozen=True)
class Ended:
    which: int
    """Counted among what began so far; beyond it: unknown."""
    reason: str


MESSAGES = st.lists(
    st.builds(Began, connector=st.integers(1, 2), second=st.integers(0, 3), id_tag=st.sampled_from(["A", "B", None]))
    | st.builds(Ended, which=st.integers(0, 5), reason=st.sampled_from(["Local", "Stale"])),
    max_size=25,
)
UNKNOWN = 7


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Ledger]]:
    """One ledger for all examples; each takes a charge point of its own."""
    with asyncio.Runner() as loop:
        ledger = loop.run(Ledger.open(tmp_path_factory.mktemp("journal"), clock=WallClock()))
        yield loop, ledger
        loop.run(ledger.close())


CHARGE_POINTS = itertools.count()


@settings(max_examples=60)
@given(messages=MESSAGES)
def test_every_transaction_is_there_once_with_its_first_told_end(
    runner: tuple[asyncio.Runner, Ledger], messages: list[Began | Ended]
) -> None:
    loop, ledger = runner
    loop.run(_tell(ledger, f"H{next(CHARGE_POINTS)}", messages))


async def _tell(ledger: Ledger, charge_point: str, messages: list[Began | Ended]) -> None:
    numbers: dict[Began, int] = {}
    ends: dict[int, tuple[int, str]] = {}
    for register, message in enumerate(messages):
        if isinstance(message, Began):
            start = a_start(
                charge_point,
                connector=message.connector,
                started_at=NOON + message.second,
                id_tag=message.id_tag,
            )
            stored = await ledger.journal.start_transaction(start)
            assert numbers.setdefault(message, stored.transaction_id) == stored.transaction_id
            continue
        known = sorted(numbers.values())
        number = known[message.which] if message.which < len(known) else UNKNOWN
        stop = a_stop(number, charge_point, meter_stop_wh=register, reason=message.reason, stopped_at=NOON + register)
        answer = await ledger.journal.stop_transaction(stop)
        assert (answer is None) == (number == UNKNOWN)
        if number != UNKNOWN and (number not in ends or ends[number][1] == "Stale" != message.reason):
            ends[number] = (register, message.reason)
    stored_all = await ledger.journal.transactions(charge_point, NOON - 1.0, NOON + 10.0)
    assert sorted(one.transaction_id for one in stored_all) == sorted(numbers.values())
    assert {one.transaction_id: one.meter_stop_wh for one in stored_all if one.stopped_at is not None} == {
        number: register for number, (register, _) in ends.items()
    }


# Ids of the charger (OCPP 2.x) ---------------------------------------------------------------------------------------


async def test_an_id_of_the_charger_says_which_transaction_it_is(ledger: Ledger) -> None:
    first = await ledger.journal.start_transaction(a_start(charger_id="tx-a"))
    again = await ledger.journal.start_transaction(a_start(charger_id="tx-a", started_at=NOON + 5.0))
    other = await ledger.journal.start_transaction(a_start(charger_id="tx-b"))
    assert again == first
    assert (first.charger_id, first.started_at) == ("tx-a", NOON)
    assert other.transaction_id != first.transaction_id
    assert await ledger.journal.find_transaction("CP1", "tx-b") == other
    assert await ledger.journal.find_transaction("CP2", "tx-b") is None


async def test_an_id_that_a_charger_uses_again_is_another_transaction(ledger: Ledger) -> None:
    first = await ledger.journal.start_transaction(a_start(charger_id="1"))
    await ledger.journal.stop_transaction(a_stop(first.transaction_id, stopped_at=NOON + 60.0))
    second = await ledger.journal.start_transaction(a_start(charger_id="1", started_at=NOON + 90.0))
    assert second.transaction_id != first.transaction_id
    assert second.stopped_at is None
    assert await ledger.journal.find_transaction("CP1", "1") == second


async def test_one_that_was_told_of_before_its_start_gets_what_the_start_says(ledger: Ledger) -> None:
    adopted = await ledger.journal.adopt_transaction(
        a_start(charger_id="tx", id_tag=None, meter_start_wh=1500, started_at=NOON + 100.0), None
    )
    assert await ledger.journal.adopt_transaction(a_start(charger_id="tx"), None) == adopted
    await ledger.journal.stop_transaction(a_stop(adopted.transaction_id, stopped_at=NOON + 200.0))
    started = await ledger.journal.start_transaction(a_start(charger_id="tx", meter_start_wh=1000))
    assert started.transaction_id == adopted.transaction_id
    assert (started.started_at, started.meter_start_wh, started.id_tag) == (NOON, 1000, "04AA")
    assert started.stopped_at == NOON + 200.0
    # Once the start is known, it stays.
    again = await ledger.journal.start_transaction(a_start(charger_id="tx", meter_start_wh=1))
    assert again.meter_start_wh == 1000


async def test_whose_a_transaction_is_may_be_told_later_and_once(ledger: Ledger) -> None:
    stored = await ledger.journal.start_transaction(a_start(charger_id="tx", id_tag=None))
    named = await ledger.journal.complete_transaction(stored.transaction_id, id_tag="04AA")
    assert named is not None
    assert named.id_tag == "04AA"
    assert await ledger.journal.complete_transaction(stored.transaction_id, id_tag="04BB") == named
    assert await ledger.journal.complete_transaction(-1, id_tag="04AA") is None


async def test_the_register_at_the_start_may_be_told_later(ledger: Ledger) -> None:
    stored = await ledger.journal.start_transaction(a_start(charger_id="tx", meter_start_wh=0))
    completed = await ledger.journal.complete_transaction(stored.transaction_id, meter_start_wh=4711)
    assert completed is not None
    assert (completed.meter_start_wh, completed.id_tag) == (4711, "04AA")


async def test_two_transactions_of_one_moment_differ_by_their_ids(ledger: Ledger) -> None:
    """A charger that lost its time stamps each with the same moment."""
    one, two = [await ledger.journal.start_transaction(a_start(charger_id=own)) for own in ("a", "b")]
    assert one.transaction_id != two.transaction_id
    assert [stored.charger_id for stored in await ledger.journal.open_transactions("CP1")] == ["a", "b"]
