"""Sessions, demand, limits, drivers, what is kept, and the purge of what is old."""

import sqlite3
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session as OrmSession

from custom_components.charge_cluster.ledger import Ledger, drivers, limits, store
from custom_components.charge_cluster.ledger.demand import DemandRecord
from custom_components.charge_cluster.ledger.drivers import DriverRecord
from custom_components.charge_cluster.ledger.writer import StoreUnavailable
from custom_components.charge_cluster.ocpp.tokens import TokenType

from .conftest import OpenLedger
from .records import NOON, WallClock, a_limit, a_reading, a_session, a_start, a_stop, on_disk

# Sessions -----------------------------------------------------------------------------------------------------------


async def test_a_session_that_goes_on_is_one_session(ledger: Ledger) -> None:
    ledger.sessions.record(a_session())
    assert await ledger.sessions.newest("site", NOON, NOON + 1.0, count=100) == [a_session()]
    ended = replace(a_session(ended_at=NOON + 3600.0), departure_at=NOON + 7200.0, wanted_wh=9000.0)
    ledger.sessions.record(ended)
    assert await ledger.sessions.newest("site", NOON, NOON + 1.0, count=100) == [ended]


@pytest.mark.parametrize(
    ("ended_at", "start", "end", "touches"),
    [
        (None, NOON + 9000.0, NOON + 9001.0, True),
        (NOON + 100.0, NOON + 50.0, NOON + 60.0, True),
        (NOON + 100.0, NOON + 100.0, NOON + 200.0, True),
        (NOON + 100.0, NOON + 101.0, NOON + 200.0, False),
        (NOON + 100.0, NOON - 50.0, NOON, False),
        (NOON + 100.0, NOON - 50.0, NOON + 1.0, True),
    ],
)
async def test_sessions_are_found_by_the_time_that_they_touch(
    ledger: Ledger, ended_at: float | None, start: float, end: float, touches: bool
) -> None:
    ledger.sessions.record(a_session(ended_at=ended_at))
    assert bool(await ledger.sessions.newest("site", start, end, count=100)) is touches


async def test_sessions_come_newest_first_and_of_one_site(ledger: Ledger) -> None:
    ledger.sessions.record(a_session("late", started_at=NOON + 5.0))
    ledger.sessions.record(a_session("early", started_at=NOON - 5.0))
    ledger.sessions.record(replace(a_session("elsewhere"), site_id="other"))
    found = await ledger.sessions.newest("site", NOON - 9.0, NOON + 9.0, count=100)
    assert [session.session_id for session in found] == ["late", "early"]


async def test_the_newest_sessions_are_told_and_of_the_connectors_that_are_asked_for(ledger: Ledger) -> None:
    ledger.sessions.record(a_session("runs", started_at=NOON - 300.0))
    ledger.sessions.record(a_session("reaches", started_at=NOON - 200.0, ended_at=NOON + 50.0))
    ledger.sessions.record(a_session("over", started_at=NOON - 100.0, ended_at=NOON - 50.0))
    ledger.sessions.record(a_session("within", started_at=NOON + 10.0, ended_at=NOON + 20.0))
    ledger.sessions.record(replace(a_session("other", started_at=NOON + 20.0), connector="cp1/2"))
    ledger.sessions.record(a_session("later", started_at=NOON + 100.0))

    async def told(count: int, connectors: set[str] | None = None) -> list[str]:
        found = await ledger.sessions.newest("site", NOON, NOON + 100.0, connectors=connectors, count=count)
        return [session.session_id for session in found]

    assert await told(9) == ["other", "within", "reaches", "runs"]
    assert await told(3) == ["other", "within", "reaches"]
    assert await told(1) == ["other"]
    assert await told(9, {"cp1/1"}) == ["within", "reaches", "runs"]
    assert await told(9, {"cp1/2"}) == ["other"]
    assert await told(9, set()) == []


async def test_what_is_read_for_the_newest_sessions_does_not_grow_with_the_old_ones(ledger: Ledger) -> None:
    for number in range(1500):
        began = NOON - 60.0 * number
        ledger.sessions.record(a_session(f"{number}", started_at=began, ended_at=began + 30.0))
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    def count_steps(session: OrmSession) -> None:
        driver = session.connection().connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_progress_handler(step, 1)

    await ledger.run(count_steps)
    found = await ledger.sessions.newest("site", NOON - 600.0, NOON, count=50)
    assert len(found) == 10
    assert 0 < steps < 1500  # of SQLite's machine; to look at each session takes several


# Demand -------------------------------------------------------------------------------------------------------------


async def test_two_parts_of_a_minute_are_joined(ledger: Ledger) -> None:
    ledger.demand.record("site", "supply", NOON, (10.0, 20.0, 30.0), 9000.0, 15)
    ledger.demand.record("site", "supply", NOON, (12.0, 18.0, 31.0), 3000.0, 45)
    assert await ledger.demand.between("site", NOON, NOON + 60.0) == [
        DemandRecord(
            circuit_id="supply", minute_start=int(NOON), peak_a=(12.0, 20.0, 31.0), mean_power_w=4500.0, samples=60
        )
    ]


async def test_minutes_are_found_by_time_and_circuit(ledger: Ledger) -> None:
    for minute in range(3):
        for circuit in ("supply", "hall"):
            ledger.demand.record("site", circuit, NOON + 60.0 * minute, (1.0, 2.0, 3.0), 1380.0, 60)
    ledger.demand.record("other", "supply", NOON, (1.0, 2.0, 3.0), 1380.0, 60)
    found = await ledger.demand.between("site", NOON, NOON + 120.0, "supply")
    assert [(one.circuit_id, one.minute_start - NOON) for one in found] == [("supply", 0.0), ("supply", 60.0)]
    assert len(await ledger.demand.between("site", NOON, NOON + 180.0)) == 6


async def test_minutes_without_samples_do_not_stop_the_records(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.demand.record("site", "supply", NOON, (1.0, 2.0, 3.0), 0.0, 0)
    ledger.demand.record("site", "hall", NOON, (1.0, 2.0, 3.0), 0.0, 1)
    assert {one.circuit_id for one in await ledger.demand.between("site", NOON, NOON + 1.0)} == {"supply", "hall"}


# Limits -------------------------------------------------------------------------------------------------------------


async def test_limits_come_newest_first(ledger: Ledger) -> None:
    for second in (2, 0, 1):
        ledger.limits.record(a_limit(NOON + second, limit_a=float(second)))
    ledger.limits.record(a_limit(NOON + 1.0, limit_a=1.5))
    found = await ledger.limits.latest("site", count=3)
    assert [limit.limit_a for limit in found] == [2.0, 1.5, 1.0]
    assert found[0] == a_limit(NOON + 2.0, limit_a=2.0)


async def test_limits_are_found_by_connector_and_site(ledger: Ledger) -> None:
    ledger.limits.record(a_limit(connector="cp1/1"))
    ledger.limits.record(a_limit(connector="cp1/2"))
    ledger.limits.record(replace(a_limit(), site_id="other"))
    assert [limit.connector for limit in await ledger.limits.latest("site", "cp1/2")] == ["cp1/2"]
    assert len(await ledger.limits.latest("site")) == 2


async def test_a_limit_without_a_time_is_of_now(ledger: Ledger, clock: WallClock) -> None:
    clock.now = NOON + 5.0
    ledger.limits.record(a_limit(None))
    clock.now = NOON + 9.0
    assert await ledger.limits.latest("site") == [a_limit(NOON + 5.0)]


async def test_what_was_sent_is_kept_with_when_and_how(ledger: Ledger) -> None:
    sent = replace(a_limit(), sent_at=NOON - 1.0, form="other", before_a=20.0)
    ledger.limits.record(sent)
    assert await ledger.limits.latest("site") == [sent]


async def test_the_newest_accepted_limit_of_a_connector_is_seen_once(ledger: Ledger, clock: WallClock) -> None:
    older, newer = a_limit(NOON, limit_a=16.0), a_limit(NOON + 10.0, limit_a=8.0)
    refused = replace(a_limit(NOON + 20.0, limit_a=6.0), outcome="refused")
    other = a_limit(NOON + 30.0, limit_a=8.0, connector="cp2/1")
    for record in (older, newer, refused, other):
        ledger.limits.record(record)
    clock.now = NOON + 40.0
    ledger.limits.seen("site", "cp1/1", 8.0, 7.8, 5.0)
    ledger.limits.seen("site", "cp1/1", 8.0, 7.5, 1.0)
    ledger.limits.seen("site", "cp1/1", 16.0, 15.0, 1.0)
    found = await ledger.limits.latest("site")
    assert found == [other, refused, replace(newer, seen_a=7.8, seen_at=NOON + 35.0), older]


async def test_the_log_of_limits_is_bounded_and_the_oldest_go(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_ROWS", 50)
    monkeypatch.setattr(limits, "TRIM_EVERY", 10)
    for number in range(205):
        ledger.limits.record(a_limit(NOON + number, limit_a=float(number)))
    kept = await ledger.limits.latest("site", count=1000)
    assert 50 <= len(kept) < 60
    assert [limit.limit_a for limit in kept] == [204.0 - n for n in range(len(kept))]


# Drivers ------------------------------------------------------------------------------------------------------------


async def test_a_driver_is_found_whatever_the_case_of_the_tag(ledger: Ledger) -> None:
    await ledger.drivers.put(DriverRecord(id_tag="04aaBb", name="Ada", expires_at=NOON))
    assert await ledger.drivers.find("04AAbb") == DriverRecord(id_tag="04AABB", name="Ada", expires_at=NOON)
    assert await ledger.drivers.find("04") is None


async def test_a_driver_has_the_priority_that_it_was_given(ledger: Ledger) -> None:
    await ledger.drivers.put(DriverRecord(id_tag="04AA", name="Ada", priority=7))
    assert await ledger.drivers.find("04aa") == DriverRecord(id_tag="04AA", name="Ada", priority=7)


async def test_priorities_of_drivers_are_known_by_heart(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    for number, priority in (("04AA", 7), ("04BB", None), ("04CC", 0)):
        await ledger.drivers.put(DriverRecord(id_tag=number, name="Ada", priority=priority))
    await ledger.close()
    again = await open_ledger()
    assert again.drivers.priority("04aa") is None
    await again.drivers.learn()
    assert [again.drivers.priority(number) for number in ("04aa", "04BB", "04CC", "04DD")] == [7, None, 0, None]
    await again.drivers.put(DriverRecord(id_tag="04aa", name="Ada"))
    await again.drivers.remove("04cc")
    assert [again.drivers.priority(number) for number in ("04AA", "04CC")] == [None, None]


async def test_all_that_is_said_of_a_token_is_kept(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    ann = DriverRecord(id_tag="04AA", name="Ann", kind=TokenType.ISO14443, group="VANS", at_once=3)
    ann = replace(ann, leave_by_s=61_200.0, usual_wh=22_000.0)
    await ledger.drivers.put(ann)
    await ledger.close()
    again = await open_ledger()
    assert await again.drivers.find("04aa") == ann
    assert again.drivers.known("04aa") is None
    await again.drivers.learn()
    assert again.drivers.known("04aa") == ann


async def test_drivers_are_known_by_heart_while_the_disk_is_broken(ledger: Ledger) -> None:
    await ledger.drivers.put(DriverRecord(id_tag="04AA", name="Ann"))
    await ledger.drivers.learn()

    async def broken(_work: object) -> None:
        raise StoreUnavailable("disk I/O error")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger.drivers._writer, "run", broken)
        assert await ledger.drivers.find("04aa") == DriverRecord(id_tag="04AA", name="Ann")
        assert await ledger.drivers.find("04BB") is None


async def test_no_more_drivers_are_known_than_can_be_known_by_heart(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drivers, "MOST_DRIVERS", 1)
    await ledger.drivers.put(DriverRecord(id_tag="04AA", name="Ann"))
    with pytest.raises(drivers.TooManyDrivers):
        await ledger.drivers.put(DriverRecord(id_tag="04BB", name="Bob"))
    await ledger.drivers.put(DriverRecord(id_tag="04aa", name="Anna"))
    assert [driver.name for driver in await ledger.drivers.all()] == ["Anna"]
    assert ledger.drivers.known("04BB") is None


async def test_a_driver_is_changed_not_added_twice(ledger: Ledger) -> None:
    await ledger.drivers.put(DriverRecord(id_tag="04AA", name="Zoe"))
    await ledger.drivers.put(DriverRecord(id_tag="04BB", name="Ada"))
    await ledger.drivers.put(DriverRecord(id_tag="04aa", name="Zoë", enabled=False))
    assert await ledger.drivers.all() == [
        DriverRecord(id_tag="04BB", name="Ada"),
        DriverRecord(id_tag="04AA", name="Zoë", enabled=False),
    ]


async def test_a_driver_is_removed_once(ledger: Ledger) -> None:
    await ledger.drivers.put(DriverRecord(id_tag="04AA", name="Zoe"))
    assert await ledger.drivers.remove("04aa")
    assert not await ledger.drivers.remove("04aa")
    assert await ledger.drivers.all() == []


# What is kept -------------------------------------------------------------------------------------------------------


async def test_what_was_kept_is_found_after_a_restart(open_ledger: OpenLedger) -> None:
    ledger = await open_ledger()
    ledger.kept.put("site", "bound", "cp1/1", {"limit_a": 6.0})
    ledger.kept.put("site", "bound", "cp1/1", {"limit_a": 16.0, "expires_at": None})
    ledger.kept.put("site", "bound", "cp2/1", {"limit_a": 8.0})
    ledger.kept.put("site", "base", "supply", {"amps": [1.0, 2.0, 3.0]})
    ledger.kept.put("other", "base", "supply", {"amps": [0.0, 0.0, 0.0]})
    ledger.kept.put("site", "bound", "cp2/1", None)
    await ledger.close()
    again = await open_ledger()
    assert await again.kept.load("site") == {
        "bound": {"cp1/1": {"limit_a": 16.0, "expires_at": None}},
        "base": {"supply": {"amps": [1.0, 2.0, 3.0]}},
    }
    assert await again.kept.load("nobody") == {}


# Purge --------------------------------------------------------------------------------------------------------------


async def test_old_values_are_purged_and_what_is_billed_stays(ledger: Ledger) -> None:
    number = (await ledger.journal.start_transaction(a_start(started_at=NOON - 100.0))).transaction_id
    await ledger.journal.stop_transaction(a_stop(number, stopped_at=NOON - 50.0))
    ledger.sessions.record(a_session(started_at=NOON - 100.0, ended_at=NOON - 50.0))
    for at in (NOON - 60.0, NOON):
        ledger.journal.record_meter_values([a_reading(number, measured_at=at)])
        ledger.limits.record(a_limit(at))
        ledger.demand.record("site", "supply", at, (1.0, 2.0, 3.0), 1380.0, 60)
    await ledger.purge(NOON)
    assert on_disk(ledger.path, "SELECT measured_at FROM meter_value") == [(NOON,)]
    assert [limit.at for limit in await ledger.limits.latest("site")] == [NOON]
    assert [one.minute_start for one in await ledger.demand.between("site", 0.0, NOON * 2)] == [int(NOON)]
    assert len(await ledger.journal.transactions("CP1", 0.0, NOON)) == 1
    assert len(await ledger.sessions.newest("site", 0.0, NOON, count=100)) == 1


async def test_a_purge_goes_in_portions_until_nothing_old_is_left(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PURGED_AT_ONCE", 10)
    for number in range(35):
        ledger.limits.record(a_limit(NOON - 1.0 - number))
    await ledger.purge(NOON)
    assert await ledger.limits.latest("site") == []
