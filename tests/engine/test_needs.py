"""Need-weighted sharing: current goes first to who would otherwise leave without it, and nobody is forgotten."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping

from hypothesis import given, settings, strategies as st

from custom_components.charge_cluster.engine.habits import Arrival, Expectation, Habits, Stay
from custom_components.charge_cluster.engine.model import Reason, SharingRule
from custom_components.charge_cluster.engine.needs import (
    NO_PRICES,
    PIECE,
    Need,
    Visitor,
    Weighed,
    weigh,
    weigh_in_pieces,
)

from .closed_loop import Car, Stage
from .sites import a_circuit, a_connector, a_stage, all_phases, named

NEED = SharingRule.NEED
WALL = 1_800_000_000.0


def an_expectation(*stayed_h: float, wh: float = 20_000.0) -> Expectation:
    """Return what is expected of somebody who came at eight, and whose stays have been like these."""
    arrival = Arrival(arrived_h=8.0, weekday=0)
    stays = [Stay(arrival=arrival, stayed_h=stayed, taken_wh=wh) for stayed in stayed_h for _ in range(20)]
    return Habits.of(stays).expect(arrival)


def a_visitor(key: str, expectation: Expectation, **facts: object) -> Visitor:
    usual = {"rows": (0,), "phases": 1, "most_a": 32.0, "minimum_a": 6.0, "taken_wh": 0.0, "now_h": 8.0}
    return Visitor(key=key, expectation=expectation, **{**usual, **facts})  # type: ignore[arg-type]  # fields by name


def test_who_leaves_soon_comes_before_who_stays_all_day() -> None:
    hurried, calm = an_expectation(3.0), an_expectation(10.0)
    visitors = [a_visitor(f"calm {place}", calm) for place in range(3)] + [a_visitor("hurried", hurried)]
    weighed = weigh(visitors, [50.0], WALL, NO_PRICES)
    for _ in range(5):
        weighed = weigh(visitors, [50.0], WALL, weighed.prices)
    hurried_need = weighed.needs["hurried"]
    for place in range(3):
        assert hurried_need.order < weighed.needs[f"calm {place}"].order
        assert hurried_need.weight > weighed.needs[f"calm {place}"].weight


def test_among_equals_who_has_got_little_comes_before_who_has_got_much() -> None:
    expectation = an_expectation(8.0)
    visitors = [a_visitor("served", expectation, taken_wh=15_000.0), a_visitor("hungry", expectation)]
    needs = weigh(visitors, [20.0], WALL, NO_PRICES).needs
    assert needs["hungry"].order < needs["served"].order


def test_where_there_is_room_for_all_everybody_is_wanted_in_full() -> None:
    expectation = an_expectation(2.0)
    needs = weigh([a_visitor("a", expectation), a_visitor("b", expectation)], [100.0], WALL, NO_PRICES).needs
    assert [need.weight for need in needs.values()] == [32.0, 32.0]


VISITORS = st.lists(
    st.builds(
        lambda rows, stayed, most, taken, now: (rows, stayed, most, taken, now),
        st.sampled_from([(0,), (1,), (0, 1, 2), (3, 0), (3, 4, 5, 0, 1, 2)]),
        st.lists(st.floats(0.1, 40.0), min_size=0, max_size=3),
        st.floats(6.0, 80.0),
        st.floats(0.0, 80_000.0),
        st.floats(8.0, 60.0),
    ),
    min_size=1,
    max_size=2 * PIECE + 1,
)


@settings(deadline=None, max_examples=50)
@given(VISITORS, st.lists(st.floats(-50.0, 300.0), min_size=6, max_size=6), st.floats(0.0, 4e9))
def test_everybody_has_a_need_that_makes_sense_and_pieces_come_to_the_same(
    drawn: list[tuple[tuple[int, ...], list[float], float, float, float]], room: list[float], wall: float
) -> None:
    visitors = [
        a_visitor(
            str(place),
            an_expectation(*stayed),
            rows=rows,
            phases=3 if len(rows) % 3 == 0 else 1,
            most_a=most,
            taken_wh=taken,
            now_h=now,
        )
        for place, (rows, stayed, most, taken, now) in enumerate(drawn)
    ]
    weighed = weigh(visitors, room, wall, NO_PRICES)
    in_pieces: list[Weighed] = []

    def collected() -> Generator[None]:
        in_pieces.append((yield from weigh_in_pieces(visitors, room, wall, NO_PRICES)))

    yields = sum(1 for _ in collected())
    assert in_pieces == [weighed]
    assert yields >= 1 + 6 * (len(visitors) // PIECE)
    assert weighed.needs.keys() == {visitor.key for visitor in visitors}
    for need in weighed.needs.values():
        assert math.isfinite(need.order)
        assert 0.0 < need.weight < math.inf
        assert 0.0 < need.spoken_a < math.inf
    for of_block in weighed.prices.by_block.values():
        assert all(0.0 <= price < math.inf for price in of_block)


def plugged(stage: Stage, needs: Mapping[str, Need], *, settle_s: float = 150.0) -> Stage:
    """Plug a car in everywhere, with what was reckoned of each."""
    stage.needs = needs
    for key in stage.chargers:
        stage.plug(key, Car())
        stage.run(2.0)
    stage.run(settle_s)
    return stage


def a_need(order: float, weight: float, spoken_a: float = 7.5) -> Need:
    return Need(order=order, weight=weight, spoken_a=spoken_a)


def test_shares_follow_the_need() -> None:
    stage = a_stage(
        *(a_connector(key) for key in named(3)),
        circuits=(a_circuit(sharing=NEED),),
        base_load=lambda _: all_phases(50.0),
    )
    plugged(stage, {"c00": a_need(0.0, 20.0), "c01": a_need(0.0, 10.0), "c02": a_need(0.0, 0.01)})
    assert stage.drawn() == {"c00": 26.0, "c01": 13.0, "c02": 6.0}  # 45 A, and everybody its minimum
    assert not stage.over_s


def test_of_whom_nothing_was_reckoned_yet_takes_part_at_once() -> None:
    stage = a_stage(
        *(a_connector(key) for key in named(2)),
        circuits=(a_circuit(sharing=NEED),),
        base_load=lambda _: all_phases(55.0),
    )
    plugged(stage, {"c00": a_need(0.0, 16.0)})
    assert stage.drawn() == {"c00": 20.0, "c01": 20.0}


def test_where_the_minima_do_not_fit_who_needs_it_most_has_a_place_and_nobody_waits_for_ever() -> None:
    stage = a_stage(
        *(a_connector(key) for key in named(4)),
        circuits=(a_circuit(sharing=NEED),),
        base_load=lambda _: all_phases(80.0),
        on_time_s=120.0,
    )
    needs = {key: a_need(float(place), 16.0) for place, key in enumerate(named(4))}
    plugged(stage, needs, settle_s=100.0)
    drawn = stage.drawn()
    assert (drawn["c00"] >= 6.0, drawn["c01"] >= 6.0, drawn["c02"], drawn["c03"]) == (True, True, 0.0, 0.0)
    assert stage.reasons()["c03"] is Reason.WAITING_TURN
    served: set[str] = set()
    for _ in range(180):
        stage.run(6.0)
        served |= {key for key, amps in stage.drawn().items() if amps >= 6.0}
    # Two of four have a place: each is offered one within four times two turns.
    assert served == set(named(4))
    assert not stage.over_s


def test_few_that_get_much_have_the_places_that_many_would_have_at_the_minimum() -> None:
    stage = a_stage(
        *(a_connector(key) for key in named(6)),
        circuits=(a_circuit(sharing=NEED),),
        base_load=lambda _: all_phases(65.0),
    )
    needs = {key: a_need(float(place), 15.0, spoken_a=15.0) for place, key in enumerate(named(6))}
    plugged(stage, needs)
    assert stage.drawn() == {"c00": 15.0, "c01": 15.0, "c02": 0.0, "c03": 0.0, "c04": 0.0, "c05": 0.0}  # 30 A


def test_what_is_spoken_for_and_cannot_be_taken_goes_to_who_waits() -> None:
    modest = (a_connector(key, cap_a=8.0) for key in named(2))
    stage = a_stage(
        *modest,
        *(a_connector(f"d{number}") for number in range(4)),
        circuits=(a_circuit(sharing=NEED),),
        base_load=lambda _: all_phases(65.0),
    )
    orders = {"c00": 0.0, "c01": 1.0, "d0": 2.0, "d1": 3.0, "d2": 4.0, "d3": 5.0}
    plugged(stage, {key: a_need(order, 15.0, spoken_a=15.0) for key, order in orders.items()})
    drawn = stage.drawn()
    assert sum(drawn.values()) >= 29.0
    assert (drawn["c00"], drawn["c01"]) == (8.0, 8.0)


def test_it_takes_nothing_from_circuits_with_another_rule() -> None:
    circuits = (
        a_circuit(),
        a_circuit("board", 80.0, parent_id="supply", declared_a=None, sharing=NEED),
        a_circuit("yard", 80.0, parent_id="supply", declared_a=None),
    )
    connectors = [a_connector(key, "board" if place < 2 else "yard") for place, key in enumerate(named(4))]
    stage = a_stage(*connectors, circuits=circuits, base_load=lambda _: all_phases(35.0))
    plugged(stage, {"c00": a_need(0.0, 3.0), "c01": a_need(0.0, 1.0)})
    drawn = stage.drawn()
    assert drawn["c02"] == drawn["c03"] == 15.0
    assert drawn["c00"] + drawn["c01"] == 30.0
    assert drawn["c00"] > drawn["c01"]


def test_a_fleet_that_plugs_in_within_one_second_has_a_sane_share_and_a_reason_at_once() -> None:
    stage = a_stage(
        *(a_connector(key) for key in named(40)),
        circuits=(a_circuit(sharing=NEED),),
        base_load=lambda _: all_phases(20.0),
    )
    stage.needs = {key: a_need(0.0, 0.01) for key in named(20)}  # next to no weight, and of half nothing is known yet
    for key in stage.chargers:
        stage.plug(key, Car())
    stage.run(1.0)
    assert stage.decision is not None
    limits = stage.decision.limits
    assert sum(limit.amps for limit in limits.values()) <= 75.0 + 1e-6
    assert {limit.reason for limit in limits.values() if limit.amps == 0.0} == {Reason.WAITING_TURN}
    stage.run(60.0)
    assert 68.0 < sum(stage.drawn().values()) <= 75.0
    assert not stage.over_s
