"""The benchmark of a whole fleet: its figures are those of what happened, and it runs with a real Home Assistant."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import fleet
from tests.benchmarks.fleet import Extent, Size, Storm, Trial, Window, figures_of, held, recorded
from tests.benchmarks.fleet_points import FleetPoint, Plug
from tests.benchmarks.premises import FOLLOWS_AFTER_S
from tests.benchmarks.report import Row, Verdict

AHEAD_S = time.time() - time.monotonic()


def a_window(messages: int = 1000, cpu_s: float = 1.0, answer_ms: float = 5.0) -> Window:
    answers = [answer_ms] * messages
    return Window(messages=messages, cpu_s=cpu_s, answers_ms=answers, begun=AHEAD_S + 100.0, ended=AHEAD_S + 160.0)


def rows_of(trial: Trial, smallest: Trial | None = None) -> dict[str, Row]:
    return {row.figure: row for row in figures_of(trial, smallest, Extent())}


def test_the_targets_for_a_message_are_those_of_200_charge_points() -> None:
    few, many = (rows_of(Trial(size=Size(points=points), charging=a_window())) for points in (10, 200))
    name = "CPU of the whole process per MeterValues"
    assert (few[name].value, few[name].target) == (1.0, None)
    assert (many[name].value, many[name].verdict) == (1.0, Verdict.MET)
    assert many["answer, p99"].verdict is Verdict.MET
    slow = rows_of(Trial(size=Size(points=200), charging=a_window(cpu_s=1.6, answer_ms=51.0)))
    assert [slow[figure].verdict for figure in (name, "answer, p99")] == [Verdict.MISSED, Verdict.MISSED]


def test_a_charge_point_weighs_what_it_adds_to_a_smaller_fleet() -> None:
    smallest = Trial(size=Size(points=10), full_mb=200.0)
    rows = rows_of(Trial(size=Size(points=210), full_mb=260.0), smallest)
    assert rows["memory per charge point"].value == pytest.approx(0.3)
    assert "memory per charge point" not in rows_of(smallest)


def test_rows_are_counted_per_connector_and_minute() -> None:
    size = Size(points=5, connectors=2)
    rows = rows_of(Trial(size=size, rows={"charging": (200, 230), "idle": (11, 40)}))
    charging, idle = (rows[f"recorder rows per connector-minute, {name}"] for name in ("charging", "idle"))
    assert (charging.value, charging.verdict) == (20.0, Verdict.MET)
    assert (idle.value, idle.verdict) == (1.1, Verdict.MISSED)


def test_only_rows_of_charge_points_in_the_window_count(tmp_path: Path) -> None:
    file = tmp_path / "recorder.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE states_meta (metadata_id, entity_id)")
        database.execute("CREATE TABLE states (metadata_id, entity_id, last_updated_ts)")
        names = ["sensor.cp0001_power", "sensor.cp0002_connector_1_limit", "sensor.supply_load_l1"]
        database.executemany("INSERT INTO states_meta VALUES (?, ?)", list(enumerate(names)))
        begun = a_window().begun
        states = [(number, begun + after) for number in range(3) for after in (-1.0, 1.0, 61.0)]
        database.executemany("INSERT INTO states VALUES (?, NULL, ?)", states)
        database.commit()
    assert recorded(file, a_window()) == (2, 3)


def test_what_held_the_loop_is_told_by_name_and_only_while_it_matters() -> None:
    lines: list[dict[str, Any]] = [
        {"at": 99.0, "held_s": 0.9, "by": "too early"},
        {"at": 101.0, "held_s": 0.01, "by": "Site._pass"},
        {"at": 102.0, "held_s": 0.03, "by": "Site._pass"},
        {"at": 103.0, "held_s": 0.02, "by": "RpcLink._work"},
        {"at": 104.0, "late_s": 0.5},
    ]
    assert held(lines, 100.0, 160.0) == [("Site._pass", 30.0), ("RpcLink._work", 20.0)]
    row = rows_of(Trial(size=Size(points=10), charging=a_window(), lines=lines))["longest callback, charging"]
    assert (row.value, row.verdict, row.note) == (30.0, Verdict.MISSED, "Site._pass 30 ms, RpcLink._work 20 ms")


def a_storm(name: str, over_s: float | None, over: int) -> Storm:
    return Storm(
        name=name,
        begun=0.0,
        ended=110.0,
        outcome="all managed",
        target_s=15.0,
        answered_s=2.0,
        over_s=over_s,
        over=over,
    )


def test_a_storm_that_is_not_over_in_time_misses_its_target() -> None:
    rows = rows_of(Trial(size=Size(points=10), storms=[a_storm("one", 9.0, 10), a_storm("another", None, 9)]))
    assert (rows["one, all managed"].value, rows["one, all managed"].verdict) == (9.0, Verdict.MET)
    assert rows["another, all managed"].verdict is Verdict.MISSED
    assert rows["another, all managed"].note == "9 of 10 in time"


def a_profile(purpose: str, limit_a: float) -> dict[str, object]:
    schedule = {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}, {"startPeriod": 30, "limit": 6.0}]}
    return {"chargingProfilePurpose": purpose, "chargingSchedule": schedule}


async def test_a_charge_point_is_managed_when_every_connector_is() -> None:
    point = FleetPoint("CP1", 2)
    for connector in (1, 2):
        assert not point.ready.is_set()
        point.answer(
            "SetChargingProfile", {"connectorId": connector, "csChargingProfiles": a_profile("TxDefaultProfile", 6.0)}
        )
    assert point.ready.is_set()
    for limit_a, connector in ((6.0, 1), (16.0, 1), (16.0, 2)):
        assert not point.charging.is_set()
        point.answer(
            "SetChargingProfile", {"connectorId": connector, "csChargingProfiles": a_profile("TxProfile", limit_a)}
        )
    assert point.charging.is_set()


def test_a_car_follows_its_limit_a_little_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    plug = Plug(1)
    plug.take(10.0)
    assert plug.drawn_a(now + FOLLOWS_AFTER_S) == 0.0, "nothing is plugged in"
    plug.transaction_id = 1
    assert plug.drawn_a(now + FOLLOWS_AFTER_S) == 10.0


@pytest.mark.e2e
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("socket_enabled")
def test_a_fleet_lives_inside_a_real_home_assistant() -> None:
    rows = {row.figure: row for row in fleet.measure(fleet.QUICK)}
    assert rows["CPU of the whole process per MeterValues"].value > 0.0
    assert 0.0 < rows["answer, p50"].value <= rows["answer, p99"].value
    for storm, outcome in (
        ("dialling in at once", "all managed"),
        ("charging at once", "all have their share"),
        ("power back after an outage", "all have their share"),
    ):
        assert 0.0 < rows[f"{storm}, all answered"].value <= rows[f"{storm}, {outcome}"].value < 110.0
    assert rows["recorder rows per connector-minute, charging"].value >= 0.0
