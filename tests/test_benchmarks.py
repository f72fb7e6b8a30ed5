"""The figures are taken by `scripts/benchmark`; here only that it takes them, tells them, and judges none by itself."""

import json
import random
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_socket

from custom_components.charge_cluster.engine.allocation import Claim, fair_shares
from custom_components.charge_cluster.site.session import Session
from simulator.vehicle import CarSpec
from tests.attack import happenings
from tests.attack.posts import Link
from tests.benchmarks import __main__ as program, faults, guard, ocpp, rpc, scheduling, shares
from tests.benchmarks.bookkeeping import Charged, Record, lost, sessions_in
from tests.benchmarks.car_parks import a_car_park
from tests.benchmarks.day_ahead import FLAT, DayAhead
from tests.benchmarks.ledger_life import Life
from tests.benchmarks.measuring import percentile, timed
from tests.benchmarks.oracle import OutOfPatience, bottleneck_gap_a, shares_by_lp
from tests.benchmarks.report import Report, Row, Verdict
from tests.ledger.records import NOON, WallClock

ENTRY = Path(__file__).parents[1] / "scripts" / "benchmark"


def a_row(value: float, target: float | None) -> Row:
    return Row(benchmark="shares", subject="s", figure="f", value=value, unit="ms", target=target)


@pytest.fixture(autouse=True)
def sockets_of_the_host(loopback: None) -> None:
    """Let processes be forked by a server on a socket in the file system; no other machine can be reached by one."""
    pytest_socket.socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)


@pytest.fixture
def without_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "measure", lambda _: iter([a_row(20.0, 10.0)]))
    monkeypatch.setattr(scheduling, "measure", lambda _: iter([a_row(0.5, 100.0)]))
    monkeypatch.setattr(ocpp, "measure", lambda _: iter([a_row(0.1, 0.25)]))
    monkeypatch.setattr(guard, "measure", lambda _: iter([a_row(0.3, None)]))


def test_it_can_be_run() -> None:
    assert ENTRY.stat().st_mode & 0o100


def test_shares_are_measured_and_written_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "figures.json"
    assert program.main(["shares", "--quick", "--json", str(written)]) == 0
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert set(figures) == {"form", "quick", "machine", "versions", "rows"}
    assert figures["quick"] is True
    assert {"cpu", "cores"} <= set(figures["machine"])
    assert {"python", "homeassistant", "scipy"} <= set(figures["versions"])
    assert {row["benchmark"] for row in figures["rows"]} == {"shares"}
    exact = [row for row in figures["rows"] if row["figure"] == "deviation from LP"]
    assert [row["verdict"] for row in exact] == ["met", "met"]
    assert all(row["value"] > 0 for row in figures["rows"] if row["unit"] == "ms")
    table = capsys.readouterr().out
    assert all(row["subject"] in table for row in figures["rows"])


def test_plans_are_measured_against_the_linear_programme_and_in_the_car_park() -> None:
    rows = list(scheduling.measure(scheduling.QUICK))
    assert {row.benchmark for row in rows} == {"scheduling"}
    costs = {row.subject.partition(": ")[2]: row for row in rows if row.figure == "cost"}
    assert set(costs) == {
        "limit (true, arrivals too)",
        "water-fill + rotation (none)",
        "each car alone, cheapest slots (true)",
        "each car alone, one window (true)",
        "ours (true)",
        "ours (typed)",
        "ours (learned)",
    }
    limit = costs["limit (true, arrivals too)"]
    ours = costs["ours (true)"]
    assert ours.also["met_pct"] >= 0.97 * limit.also["met_pct"]
    assert limit.value - 1e-9 <= ours.value < costs["water-fill + rotation (none)"].value
    gaps = [row for row in rows if row.figure.startswith("dearer than LP") and row.target is not None]
    assert gaps
    assert all(row.value < 1.0 for row in gaps)


def test_made_up_prices_are_the_same_each_time_and_have_the_shape_of_a_market() -> None:
    prices = DayAhead(zone=UTC, first=date(2019, 4, 1))
    start = datetime(2019, 4, 1, tzinfo=UTC)
    year = [prices.at((start + timedelta(hours=hour)).timestamp()) - FLAT for hour in range(364 * 24)]
    by_hour = [sum(year[hour::24]) / 364 for hour in range(24)]
    assert by_hour.index(max(by_hour)) == 19
    assert max(by_hour[6:10]) > by_hour[3] < by_hour[0]
    assert min(by_hour) == min(by_hour[11:15])
    assert 0.05 < sum(year) / len(year) < 0.1
    assert 100 < sum(price < 0.0 for price in year) < 600
    again = DayAhead(zone=UTC, first=date(2019, 4, 1))
    assert again.at(start.timestamp() + 30 * 86_400) == prices.at(start.timestamp() + 30 * 86_400)


def test_faults_and_passes_are_measured() -> None:
    rows = list(guard.measure(guard.QUICK))
    silent, dies, *passes = rows
    assert silent.subject == "meter silent"
    assert dies.subject.startswith("everything dies")
    for fault in (silent, dies):
        assert fault.verdict is Verdict.MET
        assert fault.value > 0
        assert fault.also["above_as"] > 0
        assert fault.also["records_lost"] == 0
    assert {"pass of 6, steady", "pass of 12, base load jumps", "pass of 6, everybody arrives"} <= {
        row.subject for row in passes
    }


def test_nothing_exceeds_a_rating_where_nothing_jumps() -> None:
    """The trial sees what flows: with the building quiet no fault of a charge point brings it above a rating."""
    trial = faults.Trial()
    try:
        trial.fill()
        trial.run(60.0)
        trial.tally = tally = faults.Tally()
        faults.FAULTS[8].happens(trial)
        trial.run(60.0)
        assert tally.worst.above_s == 0.0
        assert tally.worst.highest_a > 60.0
    finally:
        trial.end()


def the_fault(name: str) -> faults.Fault:
    return next(fault for fault in faults.FAULTS if fault.name == name)


def _kill_as_a_car_leaves(trial: faults.Trial) -> None:
    leaving = trial.posts["P8"]
    trial.at_once(happenings.unplug, leaving, leaving.sockets[1])
    trial.run(1.0)
    happenings.restart(trial, 8.0, orderly=False, memory=None)


def _another_car_comes(trial: faults.Trial) -> None:
    """Let the car at P8 leave, two others come, the first of them leave again."""
    post = trial.posts["P8"]
    for _ in range(2):
        trial.at_once(happenings.unplug, post, post.sockets[1])
        trial.run(5.0)
        trial.at_once(happenings.plug, post, post.sockets[1], CarSpec(name="another"), 1.0)
        trial.run(20.0)


def _cars_change_offline(trial: faults.Trial) -> None:
    trial.at_once(happenings.break_link, trial.posts["P8"], Link.DOWN)
    _another_car_comes(trial)
    trial.at_once(happenings.reconnect, trial.posts["P8"])


def _killed_while_cars_change(trial: faults.Trial) -> None:
    trial.at_once(happenings.kill)
    _another_car_comes(trial)
    happenings.revive(trial, None)


KILLED = the_fault("killed, back after 8 s with a memory 5 s old")
KILLED_AS_A_CAR_LEAVES = faults.Fault("killed as a car leaves", _kill_as_a_car_leaves, None)
CARS_CHANGE_OFFLINE = faults.Fault("cars change while their charge point is offline", _cars_change_offline, None)
KILLED_WHILE_CARS_CHANGE = faults.Fault("killed, and cars change meanwhile", _killed_while_cars_change, None)


DOUBLE = """
    INSERT INTO session (session_id, site_id, connector, started_at, ended_at, energy_wh, held_back_s)
    SELECT 'again', site_id, connector, started_at, ended_at, energy_wh, held_back_s FROM session
    WHERE connector = 'p4/1'
"""


class TestRecords:
    """What the faults cost is counted in the files of the real ledger."""

    @pytest.mark.parametrize(
        "fault",
        [
            KILLED,
            KILLED_AS_A_CAR_LEAVES,
            CARS_CHANGE_OFFLINE,
            KILLED_WHILE_CARS_CHANGE,
            the_fault("power cut of the site"),
            the_fault("power cut of the site and the host"),
            the_fault("Home Assistant restarts, 45 s"),
            the_fault("charge point removed while it charges"),
        ],
        ids=lambda fault: fault.name,
    )
    def test_a_fault_loses_no_record(self, fault: faults.Fault) -> None:
        assert faults.strike(fault, 25.0, watched_s=60.0).lost == 0

    def test_a_record_that_is_not_as_it_was_is_lost(self) -> None:
        trial = faults.Trial()
        try:
            trial.fill()
            trial.run(30.0)
            trial.make_well()
            counted = [trial.lost()]
            with closing(sqlite3.connect(trial.ledger_path)) as ledger:
                for spoil in (
                    "DELETE FROM session WHERE connector = 'p1/1'",
                    "UPDATE session SET energy_wh = energy_wh - 3 WHERE connector = 'p2/1'",
                    "UPDATE session SET ended_at = NULL WHERE connector = 'p3/1'",
                    DOUBLE,
                    "DELETE FROM charge_transaction WHERE charge_point_id = 'p5'",
                    "UPDATE charge_transaction SET meter_stop_wh = NULL WHERE charge_point_id = 'p6'",
                ):
                    assert ledger.execute(spoil).rowcount == 1
                    ledger.commit()
                    counted.append(trial.lost())
        finally:
            trial.end()
        assert counted == [0, 1, 2, 3, 4, 5, 6]

    def test_a_site_that_kept_no_session_over_a_kill_would_double_them_all(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tell = Life.tell

        def forget(life: Life, name: str, *arguments: Any, **named: Any) -> None:
            if name != "keep_session":
                tell(life, name, *arguments, **named)

        monkeypatch.setattr(Life, "tell", forget)
        assert faults.strike(KILLED, 25.0, watched_s=60.0).lost == faults.POSTS_OF_CLUSTER + faults.POSTS_OF_SUPPLY

    def test_a_ledger_that_is_killed_holds_what_was_committed_and_no_more(self, tmp_path: Path) -> None:
        life = Life(tmp_path, "site", WallClock())
        for connector in ("cp1/1", "cp2/1"):
            life.records.session(connector, Session(session_id=connector, started_at=NOON, start_energy_wh=None))
            if connector == "cp1/1":
                life.commit()
        life.kill()
        assert (tmp_path / "ledger.db-wal").exists(), "it was closed"

        life = Life(tmp_path, "site", WallClock())
        life.commit()
        assert [record.connector for record in sessions_in(tmp_path / "ledger.db")] == ["cp1/1"]
        life.close()
        assert not (tmp_path / "ledger.db-wal").exists(), "it was not closed"

    @pytest.mark.parametrize(
        ("recorded_wh", "count"),
        [
            ([100.0, 500.0], 0),
            ([500.0, 100.0], 0),
            ([501.0, 99.0], 0),  # told in whole Wh
            ([500.0], 1),
            ([500.0, 100.0, 100.0], 1),
            ([500.0, 110.0], 1),
            ([500.0, None], 1),
            ([], 2),
        ],
    )
    def test_each_is_held_against_what_truly_was(self, recorded_wh: list[float | None], count: int) -> None:
        truth = [Charged(connector="cp1/1", energy_wh=energy_wh) for energy_wh in (100.0, 500.0)]
        assert lost(truth, [Record(connector="cp1/1", energy_wh=energy_wh) for energy_wh in recorded_wh]) == count

    def test_a_record_of_what_never_was_counts(self) -> None:
        assert lost([], [Record(connector="cp1/1", energy_wh=0.0)]) == 1

    def test_what_nobody_could_measure_may_be_missing(self) -> None:
        charged = Charged(connector="cp1/1", energy_wh=100.0, unseen_wh=50.0)
        assert [lost([charged], [Record(connector="cp1/1", energy_wh=wh)]) for wh in (47.0, 51.0, 101.0, 103.0)] == [
            1,
            0,
            0,
            1,
        ]


def test_messages_are_measured_over_real_sockets() -> None:
    rows = list(ocpp.measure(ocpp.QUICK))
    (ours,) = (row for row in rows if row.target is not None)
    assert ours.subject == "central system, real handlers"
    assert ours.value > 0
    assert ours.ratio is not None
    assert {row.figure for row in rows} >= {"CPU per message", "answer, p50", "answer, p99"}


@pytest.mark.usefixtures("without_work")
class TestCommand:
    def test_without_a_name_all_are_taken(self, capsys: pytest.CaptureFixture[str]) -> None:
        program.main([])
        assert "20 ms" in (table := capsys.readouterr().out)
        assert "0.1 ms" in table

    def test_with_a_name_only_that_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        program.main(["ocpp"])
        assert "20 ms" not in capsys.readouterr().out

    def test_a_missed_target_is_shown_and_no_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert program.main([]) == 0
        assert "missed" in capsys.readouterr().out

    def test_a_missed_target_is_an_error_where_that_was_asked_for(self) -> None:
        assert program.main(["--strict"]) == 1
        assert program.main(["ocpp", "--strict"]) == 0

    def test_an_unknown_name_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as refused:
            program.main(["speed"])
        assert refused.value.code == 2
        assert "shares" in capsys.readouterr().err

    def test_a_run_that_breaks_off_shows_what_was_measured_before_and_writes_nothing_down(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        def lose(_: ocpp.Extent) -> list[Row]:
            raise rpc.Worthless("9 of 10 messages")

        monkeypatch.setattr(ocpp, "measure", lose)
        assert program.main(["--json", str(tmp_path / "figures.json")]) == 2
        told = capsys.readouterr()
        assert "shares" in told.out
        assert "9 of 10 messages" in told.err
        assert not (tmp_path / "figures.json").exists()


class TestReport:
    @pytest.mark.parametrize(
        ("value", "target", "verdict"),
        [(10.0, 10.0, Verdict.MET), (10.1, 10.0, Verdict.MISSED), (10.0, None, Verdict.SHOWN)],
    )
    def test_a_figure_stands_to_its_target(self, value: float, target: float | None, verdict: Verdict) -> None:
        assert a_row(value, target).verdict is verdict

    def test_a_quick_run_says_that_it_means_nothing(self) -> None:
        assert "mean nothing" in Report(rows=[a_row(1.0, None)], quick=True).as_table()
        assert "mean nothing" not in Report(rows=[a_row(1.0, None)], quick=False).as_table()


class TestJudges:
    CAPACITY = (20.0, 100.0)
    CLAIMS = (Claim((0, 1), 0.0, 32.0), Claim((0, 1), 0.0, 32.0), Claim((1,), 0.0, 10.0))

    def test_the_linear_programmes_know_the_fair_shares(self) -> None:
        amps, _ = shares_by_lp(self.CAPACITY, self.CLAIMS, patience_s=10)
        assert amps == pytest.approx([10.0, 10.0, 10.0])

    def test_the_linear_programmes_give_up(self) -> None:
        with pytest.raises(OutOfPatience):
            shares_by_lp(self.CAPACITY, self.CLAIMS, patience_s=-1)

    def test_fair_shares_have_no_gap(self) -> None:
        assert bottleneck_gap_a(self.CAPACITY, self.CLAIMS, [10.0, 10.0, 10.0]) == pytest.approx(0.0, abs=1e-12)

    @pytest.mark.parametrize(
        ("amps", "gap"),
        [
            ([11.0, 9.0, 10.0], 2.0),  # the other has more in the row that holds it back
            ([9.0, 9.0, 10.0], 2.0),  # room is left
            ([11.0, 10.0, 10.0], 1.0),  # over the capacity
            ([10.0, 10.0, 10.5], 0.5),  # over its upper bound
        ],
    )
    def test_unfair_shares_have_a_gap(self, amps: list[float], gap: float) -> None:
        assert bottleneck_gap_a(self.CAPACITY, self.CLAIMS, amps) == pytest.approx(gap)


def test_cars_are_held_back_on_every_level_of_a_large_car_park() -> None:
    park = a_car_park(300, seed=1)
    circuits = list(park.site.circuits)
    held_back_by = {
        "nothing" if row is None else circuits[row // 3].partition(" ")[0]
        for row in fair_shares(park.capacity, park.claims).bottleneck
    }
    assert held_back_by == {"nothing", "supply", "board", "cluster"}


def test_the_same_seed_is_the_same_car_park() -> None:
    assert a_car_park(20, seed=3) == a_car_park(20, seed=3)
    assert a_car_park(20, seed=3) != a_car_park(20, seed=4)


def test_percentiles() -> None:
    values = [float(value) for value in range(1, 101)]
    random.Random(1).shuffle(values)
    assert percentile(values, 95) == 95
    assert percentile([7.0], 99) == 7


def test_a_call_is_timed_beside_the_reference() -> None:
    timing = timed([lambda: sum(range(20_000))] * 3, warm_up=1)
    assert 0 < timing.median_ms <= timing.p95_ms
    assert timing.reference_ms > 0
    assert timing.ratio == timing.median_ms / timing.reference_ms
