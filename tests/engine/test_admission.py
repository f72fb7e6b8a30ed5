"""Places and turns when the minima do not fit together."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.admission import Candidate, admit, turn_ends, turn_of


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


def test_all_are_admitted_when_all_fit() -> None:
    places = admit([18.0], [a_candidate(key) for key in "abc"], new_turn=False)
    assert places.admitted == {"a", "b", "c"}
    assert places.waiting == ()


def test_the_others_wait_behind_the_row_without_room() -> None:
    candidates = [a_candidate("a", rows=(0, 1)), a_candidate("b", rows=(0, 1), since=1.0)]
    places = admit([100.0, 11.0], candidates, new_turn=False)
    assert places.admitted == {"a"}
    assert places.waiting == (("b", 1),)


def test_who_holds_a_place_keeps_it_in_the_running_turn() -> None:
    old = a_candidate("old", holds_place=True, served_s=800.0)
    new = a_candidate("new", served_s=0.0)
    assert admit([6.0], [new, old], new_turn=False).admitted == {"old"}
    assert admit([6.0], [new, old], new_turn=True).admitted == {"new"}


def test_the_most_served_is_shed_first() -> None:
    little, much = a_candidate("a", holds_place=True, served_s=10.0), a_candidate("b", holds_place=True, served_s=20.0)
    assert admit([6.0], [much, little], new_turn=False).admitted == {"a"}


def test_priority_goes_before_service() -> None:
    vip = a_candidate("vip", priority=1, served_s=900.0)
    assert admit([6.0], [a_candidate("a"), vip], new_turn=True).admitted == {"vip"}


def test_a_fallback_is_reserved_whether_it_has_a_place_or_not() -> None:
    # 14 A: the fallback of the first is counted before anybody is admitted.
    kept = a_candidate("kept", reserved_a=10.0, minimum_a=10.0, since=5.0)
    places = admit([14.0], [a_candidate("a"), kept], new_turn=False)
    assert places.admitted == {"kept"}
    # A fallback above the minimum costs nothing more to use.
    assert admit([10.0], [replace(kept, minimum_a=6.0)], new_turn=False).admitted == {"kept"}


def test_who_was_just_paused_needs_a_little_more_room() -> None:
    paused = a_candidate("a", paused=True)
    assert admit([6.5], [paused], new_turn=False).admitted == frozenset()
    assert admit([7.0], [paused], new_turn=False).admitted == {"a"}
    assert admit([6.5], [paused], new_turn=True).admitted == {"a"}
    assert admit([6.5], [replace(paused, holds_place=True)], new_turn=False).admitted == {"a"}


def test_turns_change_on_the_clock() -> None:
    assert turn_of(899.9, 900.0) == 0
    assert turn_of(900.0, 900.0) == 1
    assert turn_ends(1000.0, 900.0) == 1800.0


@given(sessions=st.integers(1, 14), places=st.integers(1, 6), late=st.integers(0, 5))
def test_everybody_is_offered_a_place_within_the_promised_turns(sessions: int, places: int, late: int) -> None:
    """Promise 5: with room for k of n, each gets a place within ⌈n/k⌉ turns; newcomers too."""
    on_time = 900.0
    served = {f"s{i}": 0.0 for i in range(sessions)}
    since = dict.fromkeys(served, 0.0)
    waited = dict.fromkeys(served, 0)
    bound = ceil((sessions + late) / places)
    holding: frozenset[str] = frozenset()
    for turn in range(3 * bound + 3):
        if turn == 2:
            least = min(served.values())
            for number in range(late):
                served[f"late{number}"], since[f"late{number}"], waited[f"late{number}"] = least, 1800.0, 0
        candidates = [
            a_candidate(key, served_s=served[key], since=since[key], holds_place=key in holding) for key in served
        ]
        holding = admit([6.0 * places], candidates, new_turn=True).admitted
        assert len(holding) == min(places, len(served))
        for key in served:
            if key in holding:
                served[key] += on_time
                waited[key] = 0
            else:
                waited[key] += 1
                assert waited[key] < bound + (1 if late else 0), (key, turn)


@pytest.mark.parametrize("new_turn", [True, False])
def test_nobody_wants_anything(new_turn: bool) -> None:
    assert admit([1.0], [], new_turn=new_turn).admitted == frozenset()
