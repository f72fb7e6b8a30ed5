"""Plans: nothing above a ceiling, nothing that no charger can, energy before cost, and what cannot be had is said."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings, strategies as st

from custom_components.charge_cluster.engine.planner import BadTask, PeakCharge, Plan, PlannedSession, PlanTask, plan
from custom_components.charge_cluster.engine.tariff import Grid
from tests.benchmarks.plan_oracle import best_plan
from tests.benchmarks.plan_tasks import a_plan_task

START = 1_800_000_000.0
STEP_S = 900.0
HOUR_S = 3600.0
PATHS = {"supply": ("supply",), "a": ("a", "supply"), "b": ("b", "supply")}


def a_session(key: str = "P1", *, hours: float = 4.0, wh: float = 7360.0, **facts: object) -> PlannedSession:
    """Return a session of so many hours, of a single-phase car of 32 A: one hour at its most is 7360 Wh."""
    usual: dict[str, object] = {"circuit_id": "a", "phases": (0,), "maximum_a": 32.0, "ready_at": START}
    usual |= {"leave_at": START + hours * HOUR_S, "wanted_wh": wh}
    return PlannedSession(key=key, **{**usual, **facts})  # type: ignore[arg-type]  # fields by name


def a_task(
    *sessions: PlannedSession, cost: Sequence[float], supply_a: float = 100.0, a_a: float = 100.0, now: float = START
) -> PlanTask:
    count = len(cost)
    return PlanTask(
        grid=Grid(START, STEP_S, count),
        now=now,
        paths=PATHS,
        free_a={"supply": [(supply_a,) * 3] * count, "a": [(a_a,) * 3] * count, "b": [(a_a,) * 3] * count},
        cost=cost,
        sessions=sessions,
    )


def hourly(*prices: float) -> list[float]:
    return [price for price in prices for _ in range(4)]


def assert_fits(task: PlanTask, made: Plan) -> None:
    """Assert that no row is above what it has, and that chargers can give what is planned, while it is there."""
    for circuit_id, free in task.free_a.items():
        for slot, of_slot in enumerate(free):
            for phase in range(3):
                load = sum(
                    max(0.0, made.sessions[session.key].amps[slot] - session.kept_a)
                    for session in task.sessions
                    if circuit_id in task.paths[session.circuit_id] and phase in session.phases
                )
                assert load <= max(of_slot[phase], 0.0) + 1e-6
    for session in task.sessions:
        planned = made.sessions[session.key]
        for slot, amps in enumerate(planned.amps):
            assert amps == 0.0 or session.minimum_a - 1e-6 <= amps <= session.maximum_a + 1e-6
            if session.step_a:
                assert abs(amps / session.step_a - round(amps / session.step_a)) < 1e-6
            window = task.grid.slot(slot)
            if amps:
                assert window.end > max(session.ready_at, task.now)
                assert window.start < session.leave_at
                assert session.allowed is None or session.allowed[slot]
        assert planned.energy_wh + planned.shortfall_wh == pytest.approx(max(session.wanted_wh, 0.0), abs=1.0)


def test_it_charges_in_the_cheapest_hour() -> None:
    made = plan(a_task(a_session(), cost=hourly(0.3, 0.2, 0.1, 0.2))).sessions["P1"]
    assert made.amps == (0.0,) * 8 + (32.0,) * 4 + (0.0,) * 4
    assert (made.starts_at, made.completes_at) == (START + 2 * HOUR_S, START + 3 * HOUR_S)
    assert made.cost == pytest.approx(0.736)
    assert made.shortfall_wh == 0.0


def test_between_equal_prices_it_charges_early() -> None:
    made = plan(a_task(a_session(), cost=hourly(0.1, 0.1, 0.1, 0.1))).sessions["P1"]
    assert made.amps == (32.0,) * 4 + (0.0,) * 12


def test_what_cannot_be_had_is_said() -> None:
    made = plan(a_task(a_session(hours=1.0, wh=10_000.0), cost=hourly(0.1, 0.2))).sessions["P1"]
    assert made.energy_wh == pytest.approx(7360.0)
    assert made.shortfall_wh == pytest.approx(2640.0)


@pytest.mark.parametrize("hours", [-1.0, 0.0])
def test_a_departure_in_the_past_is_all_shortfall(hours: float) -> None:
    made = plan(a_task(a_session(hours=hours), cost=hourly(0.1))).sessions["P1"]
    assert (made.energy_wh, made.shortfall_wh, made.starts_at) == (0.0, 7360.0, None)


def test_nothing_is_planned_before_now_nor_after_the_departure() -> None:
    task = a_task(a_session(hours=1.5, wh=99_999.0), cost=hourly(0.1, 0.1), now=START + 600.0)
    made = plan(task).sessions["P1"]
    assert made.energy_wh == pytest.approx(7360.0 * (1.5 - 1 / 6))
    assert made.starts_at == START + 600.0


def test_who_needs_nothing_gets_nothing() -> None:
    made = plan(a_task(a_session(wh=0.0), cost=hourly(0.1))).sessions["P1"]
    assert (made.energy_wh, made.shortfall_wh, sum(made.amps)) == (0.0, 0.0, 0.0)


def test_only_where_its_mode_lets_it() -> None:
    allowed = (False,) * 4 + (True,) * 4
    made = plan(a_task(a_session(allowed=allowed), cost=hourly(0.1, 0.2))).sessions["P1"]
    assert made.amps == (0.0,) * 4 + (32.0,) * 4


def test_room_is_kept_for_who_is_expected() -> None:
    task = replace(
        a_task(a_session(wh=14_720.0), cost=hourly(0.3, 0.1, 0.2, 0.3), supply_a=32.0),
        expected=[a_session("next", ready_at=START + HOUR_S, hours=2.0)],
    )
    made = plan(task)
    assert set(made.sessions) == {"P1"}
    assert sum(made.sessions["P1"].amps[4:8]) == 0.0
    assert made.shortfall_wh == 0.0


@pytest.mark.parametrize(
    "task",
    [
        a_task(a_session(circuit_id="none"), cost=[0.1]),
        a_task(a_session(phases=()), cost=[0.1]),
        a_task(a_session(minimum_a=40.0), cost=[0.1]),
        a_task(a_session(wh=float("nan")), cost=[0.1]),
        a_task(a_session(allowed=(True,)), cost=[0.1, 0.2]),
        a_task(a_session(staying=(1.0,)), cost=[0.1, 0.2]),
        a_task(a_session(kept_a=-1.0), cost=[0.1]),
        replace(a_task(cost=[0.1, 0.2]), cost=[0.1]),
        replace(a_task(cost=[0.1]), cost=[float("nan")]),
        replace(a_task(cost=[0.1]), free_a={"supply": []}),
    ],
)
def test_what_nobody_can_plan_is_refused(task: PlanTask) -> None:
    with pytest.raises(BadTask):
        plan(task)


def leaving(count: int) -> st.SearchStrategy[tuple[float, ...]]:
    """Return how likely a vehicle is still there slot by slot: less and less."""
    likely = st.lists(st.floats(0.0, 1.0), min_size=count, max_size=count)
    return likely.map(lambda values: tuple(sorted(values, reverse=True)))


@st.composite
def tasks(draw: st.DrawFn) -> PlanTask:
    """Return a small site with a few sessions and scarce room."""
    count = draw(st.integers(2, 12))
    cost = draw(st.lists(st.sampled_from([-0.05, 0.0, 0.1, 0.12, 0.2, 0.4]), min_size=count, max_size=count))
    free = st.lists(
        st.tuples(*[st.sampled_from([-3.0, 0.0, 7.5, 16.0, 33.3, 64.0])] * 3), min_size=count, max_size=count
    )
    sessions = []
    for index in range(draw(st.integers(1, 6))):
        ready = START + draw(st.sampled_from([0.0, 0.0, 900.0, 2000.0]))
        sessions.append(
            a_session(
                f"P{index}",
                circuit_id=draw(st.sampled_from(["a", "b", "supply"])),
                phases=draw(st.sampled_from([(0,), (1,), (2,), (0, 1, 2)])),
                maximum_a=draw(st.sampled_from([16.0, 32.0])),
                ready_at=ready,
                leave_at=ready + draw(st.floats(0.0, count * STEP_S)),
                wanted_wh=draw(st.floats(0.0, 20_000.0)),
                weight=draw(st.sampled_from([1.0, 1.0, 3.0])),
                taken_wh=draw(st.sampled_from([0.0, 0.0, 1500.0, 9000.0])),
                staying=draw(st.none() | leaving(count)),
                kept_a=draw(st.sampled_from([0.0, 0.0, 6.0, 20.0])),
            )
        )
    return replace(
        a_task(*sessions, cost=cost, now=START + draw(st.sampled_from([0.0, 0.0, 300.0]))),
        lost_costs=draw(st.sampled_from([0.0, 0.6])),
        later_costs=draw(st.sampled_from([0.0, 0.002])),
        free_a={circuit: draw(free) for circuit in PATHS},
        expected=[replace(session, key="expected") for session in sessions[:1]] if draw(st.booleans()) else [],
    )


@settings(deadline=None, max_examples=100)
@given(tasks())
def test_every_plan_fits(task: PlanTask) -> None:
    assert_fits(task, plan(task))


def at_any_current(task: PlanTask) -> PlanTask:
    """Return a task whose chargers know neither minimum nor steps, as the linear programme has it."""
    return replace(
        task, sessions=[replace(session, minimum_a=0.0, step_a=0.0) for session in task.sessions], expected=[]
    )


@st.composite
def single_phase_tasks(draw: st.DrawFn) -> PlanTask:
    """Return a task of single-phase cars who come and go with the slots, at any current."""
    task = at_any_current(draw(tasks()))
    free = st.lists(
        st.tuples(*[st.sampled_from([0.0, 7.5, 16.0, 33.3, 64.0])] * 3),
        min_size=task.grid.count,
        max_size=task.grid.count,
    )
    sessions = [
        replace(
            session,
            phases=session.phases[:1],
            ready_at=START,
            leave_at=START + draw(st.integers(0, task.grid.count)) * STEP_S,
            weight=1.0,
            staying=None,
        )
        for session in task.sessions
    ]
    ample = dict.fromkeys(PATHS, [(1000.0,) * 3] * task.grid.count)
    return replace(task, now=START, sessions=sessions, free_a=ample | {"supply": draw(free), "a": draw(free)})


@settings(deadline=None, max_examples=40)
@given(single_phase_tasks())
def test_on_one_phase_nobody_could_be_given_more(task: PlanTask) -> None:
    made = plan(task)
    assert made.energy_wh >= best_plan(task).energy_wh * 0.98 - 1.0
    assert_fits(task, made)


@pytest.mark.parametrize("scarce", [0.8, 1.2, 2.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_as_cheap_as_the_linear_programme(scarce: float, seed: int) -> None:
    task = at_any_current(a_plan_task(50, seed, scarce=scarce))
    made = plan(task)
    assert made.energy_wh >= 0.995 * best_plan(task).energy_wh
    assert made.cost <= 1.005 * best_plan(task, energy_wh=made.energy_wh).cost


@pytest.mark.parametrize("kept_a", [2.0, 6.0])
@pytest.mark.parametrize("scarce", [0.8, 1.2])
def test_it_is_as_cheap_with_what_is_kept_for_who_waits(scarce: float, kept_a: float) -> None:
    task = at_any_current(a_plan_task(50, 1, scarce=scarce))
    task = replace(task, sessions=[replace(session, kept_a=kept_a) for session in task.sessions])
    made = plan(task)
    assert_fits(task, made)
    assert made.energy_wh >= 0.995 * best_plan(task).energy_wh
    assert made.cost <= 1.005 * best_plan(task, energy_wh=made.energy_wh).cost


def test_who_has_to_be_kept_room_for_charges_beside_others_in_the_cheapest_hour() -> None:
    """Three cars for each of whom 6 A are kept, and nothing besides: all charge at once and none waits in vain."""
    sessions = [a_session(f"P{index}", wh=1380.0, hours=4.0, kept_a=6.0) for index in range(3)]
    made = plan(a_task(*sessions, cost=hourly(0.3, 0.2, 0.1, 0.2), supply_a=0.0))
    assert made.shortfall_wh == 0.0
    assert {session.amps for session in made.sessions.values()} == {(0.0,) * 8 + (6.0,) * 4 + (0.0,) * 4}


def test_what_is_kept_counts_in_the_peak_all_the_same() -> None:
    sessions = [a_session(f"P{index}", wh=1380.0, hours=4.0, kept_a=6.0) for index in range(2)]
    peak = PeakCharge(free_w=(1380.0,) * 16, per_kw=10.0)
    made = plan(replace(a_task(*sessions, cost=hourly(0.3, 0.2, 0.1, 0.2), supply_a=0.0), peak=peak))
    assert (made.shortfall_wh, made.raises_peak_w) == (0.0, 0.0)
    assert max(map(sum, zip(*(session.amps for session in made.sessions.values()), strict=True))) == 6.0


def test_with_whole_amps_and_a_minimum_little_is_lost() -> None:
    task = a_plan_task(100, 3)
    made = plan(task)
    assert_fits(task, made)
    assert made.energy_wh >= 0.99 * best_plan(task).energy_wh
    assert made.cost <= 1.01 * best_plan(task, energy_wh=made.energy_wh).cost


def test_small_pieces_become_turns() -> None:
    """Four cars at a supply of 10 A each get their turn, though an even share would be below the minimum."""
    sessions = [a_session(f"P{index}", wh=1000.0, hours=4.0) for index in range(4)]
    made = plan(a_task(*sessions, cost=[0.1] * 16, supply_a=10.0))
    assert made.shortfall_wh == 0.0


def test_who_has_more_weight_goes_first() -> None:
    sessions = [a_session("other", hours=1.0), a_session("first", hours=1.0, weight=4.0)]
    made = plan(a_task(*sessions, cost=hourly(0.1), supply_a=32.0))
    assert made.sessions["first"].shortfall_wh == 0.0
    assert made.sessions["other"].energy_wh == 0.0


def test_who_has_got_nothing_goes_before_who_has_got_much() -> None:
    sessions = [a_session("served", hours=1.0, taken_wh=70_000.0), a_session("hungry", hours=1.0)]
    made = plan(a_task(*sessions, cost=hourly(0.1), supply_a=32.0))
    assert made.sessions["hungry"].energy_wh > made.sessions["served"].energy_wh


def test_a_plan_that_has_to_do_at_once_fits_too() -> None:
    task = a_plan_task(40, 5)
    hurried = plan(task, enough=lambda: True)
    assert_fits(task, hurried)
    assert hurried.energy_wh >= 0.9 * plan(task).energy_wh


def test_who_may_leave_early_does_not_wait_for_a_little_saving() -> None:
    """Two ct are saved by waiting for two hours; with one chance in five to be gone by then that is not worth it."""
    staying = tuple(1.0 - 0.025 * slot for slot in range(16))
    cost = hourly(0.12, 0.12, 0.10, 0.10)
    sure, unsure = a_session(), a_session(staying=staying)
    assert plan(replace(a_task(sure, cost=cost), lost_costs=0.5)).sessions["P1"].starts_at == START + 2 * HOUR_S
    assert plan(replace(a_task(unsure, cost=cost), lost_costs=0.5)).sessions["P1"].starts_at == START
    assert plan(a_task(unsure, cost=cost)).sessions["P1"].starts_at == START + 2 * HOUR_S


def test_where_two_want_a_slot_it_goes_to_who_may_leave() -> None:
    staying = (1.0,) * 4 + (0.5,) * 4
    sessions = [a_session("stays", hours=2.0), a_session("may leave", hours=2.0, staying=staying)]
    made = plan(replace(a_task(*sessions, cost=hourly(0.1, 0.1), supply_a=32.0), lost_costs=0.5))
    assert made.sessions["may leave"].starts_at == START
    assert made.sessions["stays"].starts_at == START + HOUR_S
    assert made.shortfall_wh == 0.0


def test_a_first_part_of_who_may_leave_is_charged_at_once_and_the_rest_waits() -> None:
    """Next to nobody leaves before it gets cheap: it is for who does all the same that 3 kWh and a fifth go first."""
    staying = (0.999,) * 16
    unsure = a_session(wh=20_000.0, hours=8.0, staying=(*staying, *staying))
    cost = hourly(0.3, 0.3, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1)
    made = plan(replace(a_task(unsure, cost=cost), lost_costs=0.5)).sessions["P1"]
    first_wh = sum(made.amps[:12]) * 230.0 / 4.0
    assert first_wh == pytest.approx(0.2 * 20_000.0 + 3000.0, abs=32.0 * 230.0 / 4.0)
    assert made.amps[:3] == (32.0,) * 3
    assert made.shortfall_wh == 0.0
    had = replace(unsure, wanted_wh=10_000.0, taken_wh=10_000.0)
    assert sum(plan(replace(a_task(had, cost=cost), lost_costs=0.5)).sessions["P1"].amps[:12]) == 0.0


def test_who_surely_stays_waits_with_all_of_it() -> None:
    made = plan(replace(a_task(a_session(), cost=hourly(0.3, 0.1)), lost_costs=0.5)).sessions["P1"]
    assert sum(made.amps[:4]) == 0.0


def test_first_parts_go_to_who_has_had_least_of_what_it_wants() -> None:
    staying = (0.9,) * 8
    had = a_session("had", hours=2.0, wh=18_000.0, taken_wh=3000.0, staying=staying)
    hungry = a_session("hungry", hours=2.0, wh=20_000.0, staying=staying)
    task = replace(a_task(had, hungry, cost=hourly(0.1, 0.1), supply_a=32.0), lost_costs=0.5)
    made = plan(task)
    assert made.sessions["hungry"].amps[0] == 32.0
    first = plan(replace(task, sessions=[replace(had, weight=4.0), hungry]))
    assert first.sessions["had"].amps[0] == 32.0


def test_those_whose_first_parts_meet_take_turns() -> None:
    """Six cars at a supply for one: after an hour and a half each has had something."""
    sessions = [a_session(f"P{index}", hours=8.0, wh=20_000.0, staying=(0.9,) * 32) for index in range(6)]
    made = plan(replace(a_task(*sessions, cost=[0.1] * 32, supply_a=32.0), lost_costs=0.5))
    assert min(sum(session.amps[:6]) for session in made.sessions.values()) > 0.0


@pytest.mark.parametrize(("cheap", "waits"), [(0.19, False), (0.17, True)])
def test_putting_off_costs_something_by_itself(cheap: float, *, waits: bool) -> None:
    task = replace(a_task(a_session(), cost=hourly(0.2, 0.2, cheap, 0.2)), later_costs=0.01)
    made = plan(task).sessions["P1"]
    assert (made.starts_at == START + 2 * HOUR_S) is waits
    # What people are told is the price alone.
    assert made.cost == pytest.approx(7.36 * (cheap if waits else 0.2))


def leaves_some_time(task: PlanTask, seed: int) -> PlanTask:
    """Return a task whose vehicles may leave in any slot, some more likely than others."""
    chance = random.Random(seed)
    sessions = [
        replace(
            session,
            staying=tuple(max(0.0, 1.0 - slot * chance.choice([0.01, 0.02, 0.04])) for slot in range(task.grid.count)),
        )
        for session in task.sessions
    ]
    return replace(task, lost_costs=0.6, sessions=sessions)


@pytest.mark.parametrize(("count", "scarce", "seed"), [(12, 1.2, 3), (30, 0.8, 4), (30, 1.2, 4)])
def test_nobody_waits_for_a_dearer_slot_while_there_is_room(count: int, scarce: float, seed: int) -> None:
    """Dearer for it, by the price or because it may have gone: whole amps leave some room here and there."""
    task = leaves_some_time(a_plan_task(count, seed, scarce=scarce, slots=48), seed)
    made = plan(task)
    assert_fits(task, made)
    room = {circuit: list(free[0]) for circuit, free in task.free_a.items()}
    for session in task.sessions:
        for circuit, phase in product(task.paths[session.circuit_id], session.phases):
            room[circuit][phase] -= made.sessions[session.key].amps[0]
    for session in task.sessions:
        amps = made.sessions[session.key].amps
        there = min(room[circuit][phase] for circuit, phase in product(task.paths[session.circuit_id], session.phases))
        another = max(session.minimum_a, amps[0] + session.step_a)
        if session.ready_at > task.now or another - amps[0] > there or another > session.maximum_a:
            continue
        assert session.staying is not None
        own = [price + 0.6 * (1.0 - likely) for price, likely in zip(task.cost, session.staying, strict=True)]
        assert not [slot for slot, of_slot in enumerate(amps) if of_slot and own[slot] > own[0] + 1e-6]


class TestPeak:
    """A demand charge: the highest mean power of the month so far is 10 kW above what else flows."""

    def task(self, per_kw: float, wh: float = 7360.0) -> PlanTask:
        peak = PeakCharge(free_w=[10_000.0] * 16, per_kw=per_kw)
        sessions = [a_session(f"P{index}", phases=(index,), wh=wh) for index in range(3)]
        return replace(a_task(*sessions, cost=hourly(0.3, 0.2, 0.1, 0.2)), peak=peak)

    def test_where_it_is_dear_the_peak_stays(self) -> None:
        made = plan(self.task(per_kw=8.0))
        assert made.shortfall_wh == 0.0
        assert made.raises_peak_w <= 500.0

    def test_where_it_is_cheap_it_is_raised(self) -> None:
        made = plan(self.task(per_kw=0.01))
        assert made.raises_peak_w == pytest.approx(3 * 7360.0 - 10_000.0)

    @pytest.mark.parametrize("price", [0.3, 0.0, -0.1])
    def test_where_prices_are_alike_nothing_is_saved_by_raising_it(self, price: float) -> None:
        made = plan(replace(self.task(per_kw=8.0), cost=hourly(price, price, price, price)))
        assert made.shortfall_wh == 0.0
        assert made.raises_peak_w <= 500.0

    def test_nobody_is_left_short_for_it(self) -> None:
        made = plan(self.task(per_kw=1000.0, wh=4 * 7360.0))
        assert made.shortfall_wh == 0.0
        assert made.raises_peak_w == pytest.approx(3 * 7360.0 - 10_000.0)

    def test_one_without_a_value_for_each_slot_is_refused(self) -> None:
        with pytest.raises(BadTask, match="peak"):
            plan(replace(self.task(per_kw=1.0), peak=PeakCharge(free_w=[1.0], per_kw=1.0)))
