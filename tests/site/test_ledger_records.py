"""What a site finds again in its ledger."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.charge_cluster.ledger import Ledger
from custom_components.charge_cluster.ledger.drivers import DriverRecord
from custom_components.charge_cluster.ledger.writer import StoreUnavailable
from custom_components.charge_cluster.site.cap import Afterwards, Cap
from custom_components.charge_cluster.site.exposure import KeptExposure, Spell
from custom_components.charge_cluster.site.ledger_records import LedgerRecords
from custom_components.charge_cluster.site.month_peak import KeptPeak
from custom_components.charge_cluster.site.plan import KeptPlan, Said
from custom_components.charge_cluster.site.records import KeptBound
from custom_components.charge_cluster.site.session import Session
from custom_components.charge_cluster.site.session_wish import NO_PROFILE, NO_SESSION_WISH, Profile, SessionWish
from custom_components.charge_cluster.site.standing import KeptDemand, KeptStanding
from custom_components.charge_cluster.site.wear import KeptWear
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
        wish=SessionWish(wanted_wh=8000.0, priority=3, charge_now=True),
        told_by_vehicle=SessionWish(departure_at=NOON + 70, wanted_wh=8000.0),
        missed_departure_at=NOON + 40,
    )

    records.keep_session("cp1/1", session)
    assert (await records.load()).sessions == {"cp1/1": session}

    records.keep_session("cp1/1", None)
    assert (await records.load()).sessions == {}


async def test_what_may_flow_at_a_connector_is_found_as_it_was_kept(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    bounds = {
        "cp1/1": KeptBound(
            key="cp1/1", limit_a=14.0, held_a=16.0, expires_at=NOON + 30.0, fallback_a=6.0, one_phase=True
        ),
        "cp2/1": KeptBound(key="cp2/1", limit_a=None, held_a=32.0, expires_at=None, fallback_a=None),
    }

    for bound in bounds.values():
        records.keep_bound(bound)

    assert (await records.load()).bounds == bounds


async def test_a_plan_is_found_as_it_was_kept_and_one_of_another_version_is_not(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    plan = KeptPlan(
        session_id="s",
        start=NOON,
        step_s=900.0,
        amps=(0.0, 16.0),
        phases=3,
        made_at=NOON + 1.0,
        taken_wh=0.0,
        leave_at=NOON + 3600.0,
        leave_by=Said.HABITS,
        wanted_wh=9000.0,
        wanted_by=Said.DRIVER,
        planned_wh=8000.0,
        shortfall_wh=1000.0,
        completes_at=None,
        cost=1.5,
        prompted_at=NOON,
        pauses=((NOON, NOON + 900.0),),
    )
    records.keep_plan("cp1/1", plan)
    ledger.kept.put("site", "plan", "cp1/2", {"session_id": "t"})

    assert (await records.load()).plans == {"cp1/1": plan}
    records.keep_plan("cp1/1", None)
    assert (await records.load()).plans == {}


async def test_usual_loads_are_found_by_circuit_and_weekday(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    day = [None, (1.0, 2.0, 3.0)]
    records.keep_usual_load("a/b", 6, day)
    assert (await records.load()).usual_loads == {("a/b", 6): day}


async def test_a_session_that_was_kept_before_drivers_could_wish_is_found(ledger: Ledger) -> None:
    ledger.kept.put("site", "session", "cp1/1", {"session_id": "s", "started_at": NOON, "start_energy_wh": None})

    kept = (await LedgerRecords(ledger, "site").load()).sessions

    assert kept == {"cp1/1": Session(session_id="s", started_at=NOON, start_energy_wh=None, wish=NO_SESSION_WISH)}


async def test_what_was_wished_of_a_session_is_on_record(ledger: Ledger) -> None:
    wish = SessionWish(departure_at=NOON + 40, wanted_wh=8000.0)
    session = Session(session_id="s", started_at=NOON, start_energy_wh=None, wish=wish)

    for now in (NOON, NOON + 50):
        assert session.falls_overdue(now) is (now > NOON)
        LedgerRecords(ledger, "site").session("cp1/1", session)
        [record] = await ledger.sessions.newest("site", NOON, NOON + 1.0, count=1)
        assert (record.departure_at, record.wanted_wh) == (NOON + 40, 8000.0)


async def test_the_priority_of_a_driver_is_known_from_the_start(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.drivers.put(DriverRecord(id_tag="04AA", name="Ada", priority=7))
    records = LedgerRecords(ledger, "site")

    await records.load()
    assert records.driver_priority("04aa") == 7

    async def full() -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(ledger.drivers, "learn", full)
    await records.load()
    assert records.driver_priority("04CC") is None


async def test_the_profile_of_a_driver_is_known_by_its_token(ledger: Ledger) -> None:
    await ledger.drivers.put(DriverRecord(id_tag="04AA", name="Ada", leave_by_s=61_200.0, usual_wh=9000.0))
    records = LedgerRecords(ledger, "site")

    assert records.driver_profile("04aa") == Profile(leave_by_s=61_200.0, usual_wh=9000.0)
    assert records.driver_profile("04BB") == NO_PROFILE


async def test_the_peak_of_a_month_is_found_again(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    assert (await records.load()).peak is None

    records.keep_peak(KeptPeak(start=NOON, watts=20_000.0))
    records.keep_peak(KeptPeak(start=NOON, watts=30_000.5))

    assert (await records.load()).peak == KeptPeak(start=NOON, watts=30_000.5)
    assert (await LedgerRecords(ledger, "other").load()).peak is None


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


async def test_wear_is_found_as_it_was_kept(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    worn = KeptWear(starts=3, passing_writes=400, lasting_writes=2)
    records.keep_wear("cp1/1", worn)
    records.keep_wear("cp2/1", KeptWear())
    records.keep_wear("cp2/1", None)
    assert (await records.load()).wear == {"cp1/1": worn}


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


async def test_habits_are_learned_from_sessions_that_ended_and_were_not_forgotten(ledger: Ledger) -> None:
    records = LedgerRecords(ledger, "site")
    ended = [
        Session(session_id=f"s{number}", started_at=NOON + number, start_energy_wh=None, id_tag=tag)
        for number, tag in enumerate(("04aa", "04BB", None, "04BB"))
    ]
    for session in ended[:3]:
        session.ended_at = session.started_at + 3600.0
    ended[0].wish = SessionWish(departure_at=NOON + 5000.0, wanted_wh=8000.0)
    for session in ended:
        records.session("cp1/1", session)
    LedgerRecords(ledger, "elsewhere").session("cp9/1", replace(ended[0], session_id="e"))

    first, second, third = (await records.load()).stays
    assert (first.key, first.started_at, first.ended_at, first.id_tag) == ("cp1/1", NOON, NOON + 3600.0, "04aa")
    assert (first.departure_at, first.wanted_wh) == (NOON + 5000.0, 8000.0)
    assert (second.id_tag, third.id_tag) == ("04BB", None)

    assert await ledger.sessions.forget("04AA") == 2
    assert [stay.id_tag for stay in (await records.load()).stays] == ["04BB", None]
    # The record itself stays, and writing it anew does not bring the habit back.
    records.session("cp1/1", ended[0])
    assert len(await ledger.sessions.newest("site", NOON, NOON + 10.0, count=9)) == 4
    assert len((await records.load()).stays) == 2


async def test_habits_are_empty_where_the_ledger_cannot_be_read(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(site_id: str, count: int) -> None:
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(ledger.sessions, "for_habits", broken)
    assert (await LedgerRecords(ledger, "site").load()).stays == ()
