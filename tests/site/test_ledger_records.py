"""What a site finds again in its ledger."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.charge_cluster.ledger import Ledger
from custom_components.charge_cluster.ledger.writer import StoreUnavailable
from custom_components.charge_cluster.site.cap import Afterwards, Cap
from custom_components.charge_cluster.site.exposure import KeptExposure, Spell
from custom_components.charge_cluster.site.ledger_records import LedgerRecords
from custom_components.charge_cluster.site.session import Session
from custom_components.charge_cluster.site.standing import KeptDemand, KeptStanding
from tests.ledger.records import NOON, WallClock, a_start, a_stop


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(tmp_path / "ledger", clock=WallClock())
    yield opened
    await opened.close()


async def test_a_session_is_found_as_it_was_kept(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    session = Session(
        session_id="s",
        started_at=NOON,
        start_energy_wh=500.0,
        id_tag="04AA",
        ended_at=NOON + 60,
        counted_wh=7.0,
        settled_wh={"1": 100.0, "foreign": None},
        earlier_wh=3.0,
        left_at=NOON + 50,
    )

    records.keep_session("cp1/1", session)
    assert (await records.load()).sessions == {"cp1/1": session}

    records.keep_session("cp1/1", None)
    assert (await records.load()).sessions == {}


async def test_what_was_kept_is_complete_only_after_an_orderly_stop(ledger: Ledger) -> None:
    runs = [LedgerRecords(ledger, "site") for _ in range(5)]
    assert not (await runs[0].load()).orderly, "nothing was kept before"
    runs[0].complete()
    assert (await runs[1].load()).orderly
    assert not (await runs[2].load()).orderly, "the run before was killed"
    runs[1].complete()
    assert not (await runs[3].load()).orderly, "that was an older one"
    runs[3].complete()
    assert (await runs[4].load()).orderly


async def test_without_a_disk_nothing_that_was_kept_is_relied_on(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = LedgerRecords(ledger, "site")
    await records.load()
    records.complete()

    async def full(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(ledger.kept, "put_now", full)
    assert not (await records.load()).orderly


async def test_a_cap_is_found_as_it_was_kept_until_it_is_dropped(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    cap = Cap(
        circuit_id="supply",
        source="§14a / operator",
        watts=13_020.0,
        vehicles_only=True,
        duration_s=3600.0,
        expires_at=NOON + 3600,
        after=Afterwards.KEEP,
    )

    records.keep_cap(replace(cap, watts=1.0))
    records.keep_cap(cap)
    assert (await records.load()).caps == [cap]

    records.drop_cap(cap.circuit_id, cap.source)
    assert (await records.load()).caps == []


async def test_what_a_circuit_carried_above_its_rating_is_found_as_it_was_kept(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    spell = Spell(
        began_at=NOON, above_s=(5.0, 0.0, 1.5), above_as=(40.0, 0.0, 2.0), highest=1.2, most_used=0.1, unknown_s=3.0
    )
    exposure = KeptExposure(at=NOON + 60, used=(0.1, 0.0, 0.02), device="C63", spells=(spell, spell))

    records.keep_exposure("supply", exposure)
    assert (await records.load()).exposures == {"supply": exposure}

    records.keep_exposure("supply", None)
    assert (await records.load()).exposures == {}


async def test_how_a_connector_stood_is_found_as_it_was_kept(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    standing = KeptStanding(
        session_id="s",
        came_at=NOON,
        transaction="7",
        phases=(2, 0),
        alike=True,
        upper_a=9.0,
        queued=True,
        place_since=NOON + 1,
        lost_place_at=NOON - 1,
        served_s=12.5,
        doubted=True,
        forms=2,
        starts_at=NOON + 60,
    )
    records.keep_standing("cp1/1", standing)
    records.keep_standing("cp2/1", KeptStanding(session_id="t"))
    assert (await records.load()).standings == {"cp1/1": standing, "cp2/1": KeptStanding(session_id="t")}

    records.keep_standing("cp1/1", None)
    assert list((await records.load()).standings) == ["cp2/1"]


async def test_a_demand_window_a_turn_and_a_stuck_meter_are_found_as_they_were_kept(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    assert (await records.load()).turn is None
    demand = KeptDemand(window=7, used_ws=1e6, at=NOON, flowing_w=5e3)
    records.keep_demand("supply", demand)
    records.keep_turn(1_999_999)
    records.keep_stuck("supply", (0.1, 20.0, 30.7))
    records.keep_stuck("cluster", (1.0, 2.0, 3.0))
    records.keep_stuck("cluster", None)
    kept = await records.load()
    assert kept.stuck == {"supply": (0.1, 20.0, 30.7)}
    assert (kept.demands, kept.turn) == ({"supply": demand}, 1_999_999)


async def test_a_register_that_came_while_nobody_looked_after_the_session_is_found(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    ended = await ledger.journal.start_transaction(a_start(meter_start_wh=1000))
    running = await ledger.journal.start_transaction(a_start(connector=2))
    await ledger.journal.stop_transaction(a_stop(ended.transaction_id, meter_stop_wh=4500))
    for number, transaction in enumerate((ended, running), start=1):
        session = Session(session_id=f"s{number}", started_at=NOON, start_energy_wh=None, counted_wh=20.0)
        session.join(str(transaction.transaction_id), "04AA")
        records.keep_session(f"cp1/{number}", session)

    sessions = (await records.load()).sessions

    assert (sessions["cp1/1"].energy_wh, sessions["cp1/1"].settled) == (3500.0, True)
    assert (sessions["cp1/2"].energy_wh, sessions["cp1/2"].settled) == (20.0, False)


async def test_that_a_vehicle_left_while_nobody_looked_after_its_session_is_found(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    for number, reason in enumerate(("EVDisconnected", "Local"), start=1):
        stored = await ledger.journal.start_transaction(a_start(connector=number))
        await ledger.journal.stop_transaction(a_stop(stored.transaction_id, stopped_at=NOON + 60, reason=reason))
        session = Session(session_id=f"s{number}", started_at=NOON, start_energy_wh=None)
        session.join(str(stored.transaction_id), "04AA")
        records.keep_session(f"cp1/{number}", session)

    sessions = (await records.load()).sessions

    assert (sessions["cp1/1"].left_at, sessions["cp1/2"].left_at) == (NOON + 60, None)


async def test_a_session_is_one_row_however_often_it_is_recorded(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    session = Session(session_id="s", started_at=NOON, start_energy_wh=None)
    records.session("cp1/1", session)
    session.join("7", "04AA")
    session.ended_at = NOON + 60
    session.settle("7", 800.0)
    records.session("cp1/1", session)

    [row] = await ledger.sessions.newest("site", NOON - 1, NOON + 1, count=100)
    assert (row.energy_wh, row.ended_at, row.transaction_id, row.id_tag) == (800.0, NOON + 60, "7", "04AA")
