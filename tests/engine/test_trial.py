"""Where places are scarce, who was just plugged in has a trial soon; nobody is switched more than once for that."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.admission import Candidate, admit
from custom_components.charge_cluster.engine.model import SharingRule
from custom_components.charge_cluster.engine.trial import NEWCOMERS_A_PASS, TRIAL_S, with_trials

from .closed_loop import Car, Stage
from .sites import a_circuit, a_connector, a_stage, all_phases, named

FOLLOWS_S = 60.0
"""Until one has left its place, was seen to, and another one draws on it."""


def a_candidate(key: str, **facts: object) -> Candidate:
    usual = Candidate(
        key=key,
        rows=(0,),
        minimum_a=6.0,
        reserved_a=0.0,
        priority=0,
        holds_place=False,
        paused=False,
        served_s=0.0,
        since=0.0,
    )
    return replace(usual, **facts)  # type: ignore[arg-type]  # fields by name


def a_holder(key: str, place_s: float = TRIAL_S, **facts: object) -> Candidate:
    return a_candidate(key, holds_place=True, place_s=place_s, **{"served_s": place_s, **facts})


NEWCOMER = a_candidate("new", untried=True, since=9.0)


def admitted(room: list[float], *candidates: Candidate, **how: object) -> frozenset[str]:
    """Return who has a place in a running turn."""
    places = admit(room, candidates, new_turn=False)
    after = with_trials(places, room, candidates, TRIAL_S, **how)  # type: ignore[arg-type]  # arguments by name
    assert after.admitted | dict(after.waiting).keys() == {candidate.key for candidate in candidates}
    assert after.admitted.isdisjoint(dict(after.waiting))
    return after.admitted


def test_a_newcomer_takes_the_place_of_who_was_served_most() -> None:
    assert admitted([12.0], a_holder("a"), a_holder("b", served_s=900.0), NEWCOMER) == {"a", "new"}


def test_who_has_had_its_place_for_a_moment_only_keeps_it() -> None:
    assert admitted([6.0], a_holder("a", place_s=TRIAL_S - 1.0), NEWCOMER) == {"a"}


def test_who_had_a_place_before_is_no_newcomer() -> None:
    assert admitted([6.0], a_holder("a"), replace(NEWCOMER, untried=False)) == {"a"}


def test_nobody_gives_way_to_a_lower_priority() -> None:
    assert admitted([6.0], a_holder("a", priority=1), NEWCOMER) == {"a"}
    assert admitted([6.0], a_holder("a", priority=1), replace(NEWCOMER, priority=1)) == {"new"}


def test_no_newcomer_takes_more_than_one_place() -> None:
    three = replace(NEWCOMER, rows=(0, 1, 2))
    holders = [a_holder(f"h{row}", rows=(row,)) for row in (0, 1, 2)]
    assert admitted([6.0, 6.0, 6.0], *holders, three) == {"h0", "h1", "h2"}
    # A place on all three phases is room for a newcomer on one of them.
    assert admitted([6.0, 6.0, 6.0], a_holder("three", rows=(0, 1, 2)), replace(NEWCOMER, rows=(1,))) == {"new"}


def test_among_those_that_go_by_arrival_there_are_no_trials() -> None:
    assert admitted([6.0], a_holder("a"), NEWCOMER, of_their_own={"new", "a"}) == {"a"}


@given(
    room=st.lists(st.floats(0.0, 60.0), min_size=3, max_size=3),
    holders=st.lists(st.tuples(st.integers(0, 3), st.floats(0.0, 900.0), st.sampled_from([6.0, 10.0])), max_size=8),
    newcomers=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), max_size=8),
)
def test_trials_fit_and_cost_one_switch_each(
    room: list[float], holders: list[tuple[int, float, float]], newcomers: list[tuple[int, int]]
) -> None:
    rows = [(0,), (1,), (2,), (0, 1, 2)]
    candidates = [
        a_holder(f"h{index}", place_s=place_s, rows=rows[at], minimum_a=minimum)
        for index, (at, place_s, minimum) in enumerate(holders)
    ] + [
        replace(NEWCOMER, key=f"n{index}", rows=rows[at], priority=priority)
        for index, (at, priority) in enumerate(newcomers)
    ]
    before = admit(room, candidates, new_turn=False).admitted
    after = admitted(room, *candidates)
    assert len(before - after) == len(after - before) <= NEWCOMERS_A_PASS
    for row in (0, 1, 2):
        assert sum(c.minimum_a for c in candidates if c.key in after and row in c.rows) <= room[row] + 1e-6


def a_scarce_stage(count: int, *, places: int, sharing: SharingRule | None = None) -> Stage:
    """Return a stage with so many places, and all but the last connector in use for a whole turn."""
    keys = named(count)
    base = 95.0 - 6.0 * places - 0.5
    stage = a_stage(
        *(a_connector(key) for key in keys),
        circuits=(a_circuit(sharing=sharing),),
        base_load=lambda _: all_phases(base),
    )
    for key in keys[:-1]:
        stage.plug(key, Car())
    stage.run(1000.0)
    return stage


def test_a_driver_sees_its_car_start_within_minutes_at_the_price_of_one_switch() -> None:
    stage = a_scarce_stage(4, places=2)
    stage.run(300.0)
    before = len(stage.sent)
    stage.plug("c03", Car())
    stage.run_until(lambda: stage.drawn()["c03"] == 6.0, within_s=TRIAL_S + FOLLOWS_S)
    stage.run(TRIAL_S - FOLLOWS_S)
    assert stage.drawn()["c03"] == 6.0
    told = [(key, amps) for _, key, amps, _ in stage.sent[before:]]
    assert [amps for _, amps in told] == [0.0, 6.0]
    assert told[1][0] == "c03"
    assert not stage.over_s


def test_newcomers_wait_for_the_trials_of_those_before_them_and_all_get_one() -> None:
    stage = a_scarce_stage(7, places=2)
    newcomers = {"c03", "c04", "c05", "c06"}
    for key in newcomers - {"c06"}:
        stage.unplug(key)
    stage.run(30.0)
    for key in newcomers:
        stage.plug(key, Car())
    drew: set[str] = set()
    until = stage.now + 3 * (TRIAL_S + FOLLOWS_S)
    while stage.now < until:
        stage.step()
        drew |= {key for key, amps in stage.drawn().items() if amps}
    assert newcomers <= drew
    assert not stage.over_s


def test_who_came_first_keeps_its_place_where_that_is_the_rule() -> None:
    stage = a_scarce_stage(3, places=2, sharing=SharingRule.FIRST_COME)
    stage.plug("c02", Car())
    stage.run(TRIAL_S + FOLLOWS_S)
    assert stage.drawn() == {"c00": 6.0, "c01": 6.0, "c02": 0.0}
