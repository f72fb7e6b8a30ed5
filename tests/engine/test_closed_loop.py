"""The pass in a closed loop with cars, chargers and a meter: what the promises mean in amps and seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings, strategies as st

from custom_components.charge_cluster.engine import guard
from custom_components.charge_cluster.engine.model import MeterScope, PhaseAmps, Reason, SharingRule

from .closed_loop import Car, Charger, Stage
from .sites import a_circuit, a_connector, a_stage, all_phases, named

REACTION_S = 12.0
"""How long an unforeseen step of the base load may exceed a rating here: a meter sample, a pass, and the car's 6 s."""


def plugged(stage: Stage, **facts: object) -> Stage:
    """Plug a car into every charger."""
    for key in stage.chargers:
        stage.plug(key, Car(**facts))  # type: ignore[arg-type]  # fields by name
    return stage


# -- everybody charges, within the ceiling -----------------------------------------------------------------------


def test_one_car_gets_all_that_it_can_take() -> None:
    stage = plugged(a_stage(a_connector("a")))
    stage.run(60)
    assert stage.drawn() == {"a": 32.0}
    assert stage.reasons()["a"] is Reason.FULL_POWER


def test_cars_share_what_the_building_leaves() -> None:
    stage = plugged(a_stage(*(a_connector(key) for key in named(5))))
    stage.run(120)
    assert list(stage.drawn().values()) == [15.0] * 5  # (100 - 5 - 20) / 5
    assert set(stage.reasons().values()) == {Reason.SHARED}
    assert not stage.over_s


def test_whole_steps_that_are_left_over_are_handed_out_and_stay_where_they_are() -> None:
    stage = plugged(a_stage(*(a_connector(key) for key in named(4)), base_load=lambda _: all_phases(33.0)))
    stage.run(180)
    assert sorted(stage.drawn().values()) == [15.0, 15.0, 16.0, 16.0]  # 62 A for four
    before = stage.drawn()
    stage.sent.clear()
    stage.run(600)
    assert stage.drawn() == before
    assert stage.sent == []


def test_an_inner_circuit_holds_back_only_those_below_it() -> None:
    circuits = (a_circuit(), a_circuit("board", 37.0, parent_id="supply", declared_a=None))
    stage = plugged(a_stage(a_connector("a", "board"), a_connector("b", "board"), a_connector("c"), circuits=circuits))
    stage.run(120)
    assert stage.drawn() == {"a": 16.0, "b": 16.0, "c": 32.0}
    assert stage.decision is not None
    assert stage.decision.limits["a"].circuit_id == "board"
    assert stage.decision.circuits["board"].limited
    assert not stage.decision.circuits["supply"].limited


def test_rotation_puts_single_phase_cars_on_different_phases() -> None:
    stage = a_stage(*(a_connector(key, rotation=(i, (i + 1) % 3, (i + 2) % 3)) for i, key in enumerate("abc")))
    plugged(stage, phases=1)
    stage.run(400)
    assert stage.drawn() == {"a": 32.0, "b": 32.0, "c": 32.0}
    assert stage.charging_a("supply") == all_phases(32.0)


def test_a_single_phase_car_gives_back_the_phases_that_it_does_not_use() -> None:
    stage = a_stage(a_connector("one"), a_connector("three"), base_load=lambda _: all_phases(60.0))
    stage.plug("one", Car(phases=1))
    stage.plug("three", Car(phases=3, maximum_a=20.0))
    stage.run(300)
    assert stage.drawn()["one"] > 14.0
    stage.run(600)
    assert not stage.over_s


def test_an_unknown_rotation_counts_on_every_phase() -> None:
    stage = a_stage(
        a_connector("a", rotation=None), a_connector("b", rotation=(0,)), base_load=lambda _: all_phases(70.0)
    )
    plugged(stage, phases=1)
    stage.run(300)
    assert sum(stage.drawn().values()) <= 25.0
    assert not stage.over_s


def test_what_a_car_does_not_take_is_given_to_others_and_comes_back() -> None:
    stage = a_stage(a_connector("modest"), a_connector("hungry"), base_load=lambda _: all_phases(55.0))
    stage.plug("modest", Car(takes_a=9.0))
    stage.plug("hungry", Car())
    stage.run(400)
    assert stage.drawn() == {"modest": 9.0, "hungry": 30.0}
    assert stage.reasons()["modest"] is Reason.VEHICLE_TAKES_LESS
    stage.chargers["modest"].car = Car()
    stage.run_until(lambda: stage.drawn() == {"modest": 20.0, "hungry": 20.0}, within_s=120)
    assert not stage.over_s


def test_a_sated_car_keeps_an_offer_where_there_is_room_and_loses_it_where_there_is_not() -> None:
    stage = a_stage(a_connector("sated"), a_connector("b"), a_connector("c"), base_load=lambda _: all_phases(20.0))
    stage.plug("sated", Car(sated=True))
    stage.run(60)
    assert stage.limits()["sated"] == 6.0
    stage.base_load = lambda _: all_phases(83.0)
    stage.plug("b", Car())
    stage.plug("c", Car())
    stage.run(120)
    assert stage.limits() == {"sated": 0.0, "b": 6.0, "c": 6.0}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (SharingRule.PROPORTIONAL, {"big": 32.0, "small": 16.0}),
        (SharingRule.EQUAL, {"big": 32.0, "small": 16.0}),
        (None, {"big": 32.0, "small": 16.0}),
    ],
)
def test_there_is_enough_for_all_by_every_rule(rule: SharingRule | None, expected: dict[str, float]) -> None:
    stage = a_stage(a_connector("big"), a_connector("small", maximum_a=16.0), circuits=(a_circuit(sharing=rule),))
    plugged(stage).run(120)
    assert stage.drawn() == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (SharingRule.PROPORTIONAL, {"big": 20.0, "small": 10.0}),
        (SharingRule.EQUAL, {"big": 15.0, "small": 15.0}),
    ],
)
def test_the_rule_decides_who_gets_what_is_scarce(rule: SharingRule, expected: dict[str, float]) -> None:
    stage = a_stage(
        a_connector("big"),
        a_connector("small", maximum_a=16.0),
        circuits=(a_circuit(sharing=rule),),
        base_load=lambda _: all_phases(65.0),
    )
    plugged(stage).run(240)
    assert stage.drawn() == expected


def test_priority_fills_the_higher_class_and_leaves_the_others_their_minimum() -> None:
    stage = a_stage(
        a_connector("first", priority=1),
        a_connector("second"),
        a_connector("third"),
        circuits=(a_circuit(sharing=SharingRule.PRIORITY),),
        base_load=lambda _: all_phases(50.0),
    )
    plugged(stage).run(240)
    assert stage.drawn()["first"] == 32.0
    assert sorted(stage.drawn().values()) == [6.0, 7.0, 32.0]


def test_a_cap_and_a_switch_are_obeyed() -> None:
    stage = plugged(a_stage(a_connector("a", cap_a=10.0), a_connector("b", enabled=False), a_connector("c", cap_a=4.0)))
    stage.run(60)
    assert stage.drawn() == {"a": 10.0, "b": 0.0, "c": 0.0}
    assert stage.reasons() == {"a": Reason.USER_CAP, "b": Reason.SWITCHED_OFF, "c": Reason.USER_CAP}
    stage.change("b", enabled=True)
    stage.run(60)
    assert stage.drawn()["b"] == 32.0


# -- more cars than minima fit -----------------------------------------------------------------------------------


def test_where_the_minima_do_not_fit_everybody_has_a_turn() -> None:
    stage = a_stage(*(a_connector(key) for key in named(6)), base_load=lambda _: all_phases(75.0), on_time_s=300.0)
    plugged(stage).run(60)
    assert sum(amps >= 6.0 for amps in stage.drawn().values()) == 3
    waiting = [key for key, reason in stage.reasons().items() if reason is Reason.WAITING_TURN]
    assert len(waiting) == 3
    assert stage.decision is not None
    assert list(stage.decision.queue) == waiting
    assert stage.decision.limits[waiting[0]].expected_at is not None
    assert stage.decision.circuits["supply"].waiting == 3
    had_current: set[str] = set()
    until = stage.now + 2 * 300.0 + 60.0
    while stage.now < until:
        stage.run(5)
        had_current |= {key for key, amps in stage.drawn().items() if amps >= 6.0}
    assert had_current == set(named(6))
    assert not stage.over_s


def test_turns_are_fair_over_time() -> None:
    stage = a_stage(*(a_connector(key) for key in named(5)), base_load=lambda _: all_phases(81.0), on_time_s=300.0)
    plugged(stage)
    energy = dict.fromkeys(stage.chargers, 0.0)
    until = stage.now + 5 * 300.0 * 4
    while stage.now < until:
        stage.run(5)
        for key, amps in stage.drawn().items():
            energy[key] += amps * 5
    assert min(energy.values()) >= 0.7 * max(energy.values())
    assert not stage.over_s


def test_where_not_even_one_minimum_fits_nobody_charges_and_says_so() -> None:
    stage = plugged(a_stage(a_connector("a"), base_load=lambda _: all_phases(92.0)))
    stage.run(60)
    assert stage.drawn() == {"a": 0.0}
    assert stage.reasons()["a"] is Reason.NO_CAPACITY


# -- a base load that moves --------------------------------------------------------------------------------------


def stepping(before: float, after: float, at: float) -> Callable[[float], PhaseAmps]:
    return lambda now: all_phases(before if now < at else after)


def test_a_step_of_the_base_load_is_answered_within_the_reaction_time() -> None:
    stage = plugged(a_stage(*(a_connector(key) for key in named(4)), base_load=stepping(10.0, 60.0, 120.0)))
    stage.run(300)
    assert sum(stage.drawn().values()) == pytest.approx(35.0)
    assert stage.over_s["supply"] <= REACTION_S


def test_a_step_of_the_base_load_takes_nobodys_minimum_where_all_minima_fit() -> None:
    stage = a_stage(
        *(a_connector(key, fallback_a=6.0) for key in named(8)),
        circuits=(a_circuit(rating_a=125.0, declared_a=60.0),),
        base_load=stepping(20.0, 60.0, 60.0),
        meter_lag_s=0.3,
    )
    for number, charger in enumerate(stage.chargers.values()):
        charger.sample_every_s, charger.sample_offset_s = 3.0, 0.4 * number
    plugged(stage)
    stage.run(60)
    assert min(stage.drawn().values()) > 10.0
    for _ in range(60):
        stage.run(1)
        assert min(stage.limits().values()) >= 6.0
    assert stage.over_s.get("supply", 0.0) <= REACTION_S
    assert sum(stage.drawn().values()) == 60.0


def test_whoever_paused_for_a_step_while_the_cars_were_starting_is_back_soon() -> None:
    stage = a_stage(
        *(a_connector(key, fallback_a=6.0) for key in named(8)),
        circuits=(a_circuit(rating_a=125.0, declared_a=60.0),),
        base_load=stepping(20.0, 60.0, 20.0),
        meter_lag_s=0.3,
    )
    for number, charger in enumerate(stage.chargers.values()):
        charger.sample_every_s, charger.sample_offset_s = 3.0, 0.4 * number
    plugged(stage)
    stage.run(20)
    assert stage.run_until(lambda: stage.over_s != {}, within_s=10) < 10.0
    stage.run_until(lambda: min(stage.drawn().values()) >= 6.0 and not stage.is_over(), within_s=35)


def test_freed_room_is_used_again() -> None:
    stage = plugged(a_stage(*(a_connector(key) for key in named(4)), base_load=stepping(60.0, 10.0, 120.0)))
    stage.run(110)
    assert sum(stage.drawn().values()) == pytest.approx(35.0)
    stage.run(120)
    assert sum(stage.drawn().values()) == pytest.approx(85.0)
    assert not stage.over_s


def test_export_gives_no_credit() -> None:
    stage = plugged(a_stage(*(a_connector(key) for key in named(4)), base_load=lambda _: all_phases(-30.0)))
    stage.run(200)
    assert sum(stage.drawn().values()) <= 95.0
    assert not stage.over_s


@pytest.mark.parametrize("lag", [0.0, 10.0, 30.0, 60.0])
@pytest.mark.parametrize("sampled", [5.0, 10.0, 30.0, 60.0])
def test_skewed_clocks_cause_neither_overshoot_nor_a_limit_cycle(lag: float, sampled: float) -> None:
    """Promise 2: constant load, any skew of meter and chargers."""
    stage = a_stage(
        *(a_connector(key, rotation=(i % 3, (i + 1) % 3, (i + 2) % 3)) for i, key in enumerate(named(6))),
        meter_lag_s=lag,
        meter_timeout_s=lag + 10.0,
    )
    for number, (key, charger) in enumerate(stage.chargers.items()):
        charger.sample_every_s, charger.sample_offset_s = sampled, 1.5 * number
        stage.run(3)
        stage.plug(key, Car(reacts_after_s=4.0 + number))
    stage.run(900)
    stage.sent.clear()
    stage.run(600)
    assert not stage.over_s
    assert stage.sent == []
    assert sum(stage.drawn().values()) >= 68.0  # of 75 A


# -- meters ------------------------------------------------------------------------------------------------------


def test_without_a_reading_the_declared_base_load_counts() -> None:
    stage = a_stage(a_connector("a"), a_connector("b"), a_connector("c"), circuits=(a_circuit(declared_a=70.0),))
    plugged(stage).run(60)
    assert sum(stage.drawn().values()) == 75.0
    stage.meter_speaks = False
    stage.run_until(lambda: sum(stage.drawn().values()) <= 25.0, within_s=40)
    assert stage.decision is not None
    assert stage.decision.circuits["supply"].stale
    assert stage.decision.circuits["supply"].load_a is None
    stage.meter_speaks = True
    stage.run_until(lambda: sum(stage.drawn().values()) == 75.0, within_s=180)


def test_without_a_reading_and_a_declared_base_load_nothing_flows() -> None:
    stage = plugged(a_stage(a_connector("a"), circuits=(a_circuit(declared_a=None),)))
    stage.run(60)
    assert stage.drawn()["a"] == 32.0
    stage.meter_speaks = False
    stage.run_until(lambda: stage.drawn()["a"] == 0.0, within_s=40)
    assert stage.reasons()["a"] is Reason.METER_STALE


def test_a_meter_that_does_not_show_a_step_of_a_car_is_not_believed() -> None:
    stage = a_stage(a_connector("a"), a_connector("b"), circuits=(a_circuit(declared_a=75.0),))
    stage.plug("a", Car())
    stage.run(60)
    stage.meter_stuck = True
    stage.plug("b", Car())
    stage.run(90)
    assert stage.decision is not None
    assert stage.decision.circuits["supply"].stale
    assert sum(stage.drawn().values()) <= 20.0


def test_a_supply_without_a_meter_lives_on_its_declared_base_load() -> None:
    stage = plugged(
        a_stage(*(a_connector(key) for key in "abc"), has_meter=False, circuits=(a_circuit(declared_a=40.0),))
    )
    stage.run(60)
    assert sum(stage.drawn().values()) == 55.0
    assert stage.decision is not None
    assert not stage.decision.circuits["supply"].stale


def test_a_supply_without_a_meter_and_a_declared_base_load_gives_nothing() -> None:
    stage = plugged(a_stage(a_connector("a"), has_meter=False, circuits=(a_circuit(declared_a=None),)))
    stage.run(60)
    assert stage.drawn() == {"a": 0.0}


@pytest.mark.parametrize("scope", [MeterScope.ALL_BUT_EVS, MeterScope.EVS_ONLY])
def test_what_a_meter_sees_is_respected(scope: MeterScope) -> None:
    stage = a_stage(*(a_connector(key) for key in "abcd"), meter_scope=scope, circuits=(a_circuit(declared_a=45.0),))

    def reading(_: str) -> PhaseAmps:
        return all_phases(45.0) if scope is MeterScope.ALL_BUT_EVS else stage.charging_a("supply")

    stage.base_load = lambda _: all_phases(45.0)
    stage.seen_by_meter = reading
    plugged(stage).run(240)
    assert sum(stage.drawn().values()) == pytest.approx(50.0)
    assert not stage.over_s
    assert stage.decision is not None
    load = stage.decision.circuits["supply"].load_a
    assert load is not None
    assert load[0] == pytest.approx(95.0, abs=1.0)


def test_a_charger_that_reboots_while_the_base_load_jumps_comes_back_below_the_ceiling() -> None:
    """It is back before anybody missed it, and its car begins to draw again a while later."""
    jumped = False
    stage = plugged(
        a_stage(
            *(a_connector(key, fallback_a=6.0) for key in named(4)),
            base_load=lambda _: all_phases(45.0 if jumped else 20.0),
        )
    )
    stage.run(90)
    dark = stage.chargers["c00"]
    assert dark.car is not None
    jumped = dark.car.sated = True
    stage.run(2)
    dark.obey(6.0, stage.now, float("inf"))
    stage.bounds["c00"] = guard.rebooted(stage.bounds["c00"], dark.connector, stage.now)
    stage.run(18)
    above = dict(stage.over_s)
    dark.car.sated = False
    stage.run(60)
    assert stage.drawn()["c00"] >= 6.0
    assert stage.over_s == above


def test_a_charger_whose_power_fails_while_the_base_load_jumps_comes_back_below_the_ceiling() -> None:
    """The meter shows the difference of the two, and what it hides is there when the charger is back."""
    jumped = False
    stage = plugged(
        a_stage(
            *(a_connector(key, fallback_a=6.0) for key in named(4)),
            base_load=lambda _: all_phases(45.0 if jumped else 20.0),
        )
    )
    stage.run(90)
    dark = stage.chargers["c00"]
    assert dark.car is not None
    jumped = dark.car.sated = True
    dark.measures = dark.answers = False
    stage.run(10)
    stage.cut("c00")
    stage.run(20)
    above = dict(stage.over_s)
    dark.car.sated = False
    dark.obey(6.0, stage.now, float("inf"))
    stage.run(60)
    assert stage.drawn()["c00"] == 6.0
    assert stage.over_s == above


# -- chargers that misbehave -------------------------------------------------------------------------------------


def test_a_charger_that_loses_its_connection_keeps_its_place_until_it_fell_back() -> None:
    stage = plugged(a_stage(*(a_connector(key) for key in named(3)), base_load=lambda _: all_phases(50.0)))
    stage.run(90)
    stage.cut("c00")
    stage.run(20)
    assert stage.reasons()["c00"] is Reason.OFFLINE
    assert stage.drawn() == {"c00": 15.0, "c01": 15.0, "c02": 15.0}
    stage.run(60)
    assert stage.drawn()["c00"] == 0.0
    stage.run_until(lambda: stage.drawn()["c01"] + stage.drawn()["c02"] >= 44.0, within_s=90)
    assert not stage.over_s


def test_a_fallback_above_zero_stays_reserved_for_a_silent_charger() -> None:
    stage = plugged(
        a_stage(*(a_connector(key, fallback_a=6.0) for key in named(3)), base_load=lambda _: all_phases(50.0))
    )
    stage.run(90)
    stage.cut("c00")
    stage.run(180)
    assert stage.drawn()["c00"] == 6.0
    # Unheard it may have lost its power: then the 6 A that the meter shows are base load, and its 6 A come on top.
    assert stage.drawn()["c01"] + stage.drawn()["c02"] == 32.0
    stage.reconnect("c00")
    stage.run(120)
    assert list(stage.drawn().values()) == [15.0] * 3
    assert not stage.over_s


def test_a_charger_that_does_not_answer_counts_at_its_old_limit() -> None:
    stage = plugged(a_stage(*(a_connector(key) for key in named(3)), base_load=stepping(20.0, 50.0, 90.0)))
    stage.run(85)
    stage.chargers["c00"].answers = False
    stage.run(60)
    assert stage.decision is not None
    # It may or may not have obeyed; the others pay the whole difference.
    assert sum(stage.drawn().values()) <= 45.0
    worst = sum(stage.limits()[key] for key in ("c01", "c02")) + 25.0
    assert worst <= 46.0


def test_a_refusal_leaves_the_limit_that_was() -> None:
    stage = plugged(a_stage(a_connector("a"), a_connector("b"), base_load=stepping(40.0, 60.0, 90.0)))
    stage.run(85)
    assert stage.drawn() == {"a": 27.0, "b": 28.0} or stage.drawn() == {"a": 28.0, "b": 27.0}
    stage.chargers["a"].refuses = True
    stage.run(60)
    assert stage.bounds["a"].limit_a in {27.0, 28.0}


def test_a_charger_that_ignores_its_limit_is_counted_at_what_it_draws() -> None:
    stage = plugged(a_stage(*(a_connector(key) for key in named(3)), base_load=stepping(20.0, 50.0, 90.0)))
    stage.run(85)
    stage.chargers["c00"].ignores = True
    stage.chargers["c00"].expires_at = float("inf")
    stage.run(90)
    assert stage.reasons()["c00"] is Reason.LIMIT_IGNORED
    assert stage.drawn()["c00"] == 25.0
    assert stage.drawn()["c01"] + stage.drawn()["c02"] == 20.0
    stage.chargers["c00"].ignores = False
    stage.run(120)
    assert stage.reasons()["c00"] is Reason.SHARED
    assert list(stage.drawn().values()) == [15.0] * 3


def test_a_charger_that_cannot_be_measured_keeps_its_share_to_itself() -> None:
    stage = a_stage(a_connector("a"), a_connector("b"), base_load=lambda _: all_phases(60.0))
    for charger in stage.chargers.values():
        charger.measures = False
    stage.run(2)
    plugged(stage)
    stage.run(300)
    assert sum(stage.drawn().values()) <= 35.0
    assert min(stage.drawn().values()) >= 6.0
    assert not stage.over_s


# -- any order of everything -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Happening:
    """Something that happens to one charger, after a pause."""

    pause_s: float
    kind: str
    charger: int
    amps: float


def happenings() -> st.SearchStrategy[list[Happening]]:
    return st.lists(
        st.builds(
            Happening,
            pause_s=st.floats(0.5, 40.0),
            kind=st.sampled_from(
                [
                    "plug",
                    "plug_one",
                    "unplug",
                    "cut",
                    "reconnect",
                    "mute",
                    "speak",
                    "slow",
                    "refuse",
                    "modest",
                    "unmeasured",
                ]
            ),
            charger=st.integers(0, 5),
            amps=st.floats(6.0, 32.0),
        ),
        max_size=18,
    )


def happen(stage: Stage, what: Happening) -> None:
    """Let it happen, where it can."""
    key = list(stage.chargers)[what.charger]
    charger = stage.chargers[key]
    match what.kind:
        case "plug" if charger.car is None:
            stage.plug(key, Car(reacts_after_s=4.0 + what.amps / 6))
        case "plug_one" if charger.car is None:
            stage.plug(key, Car(phases=1))
        case "modest" if charger.car is not None:
            charger.car.takes_a = what.amps
        case "unplug" if charger.car is not None and charger.online:
            stage.unplug(key)
        case "cut" if charger.online:
            stage.cut(key)
        case "reconnect" if not charger.online:
            stage.reconnect(key)
        case _:
            misbehave(charger, what)


def misbehave(charger: Charger, what: Happening) -> None:
    """Let the charger do worse, or well again."""
    match what.kind:
        case "mute":
            charger.answers = False
        case "speak":
            charger.answers, charger.refuses, charger.answers_after_s, charger.measures = True, False, 0.0, True
        case "slow":
            charger.answers_after_s = what.amps / 8
        case "refuse":
            charger.refuses = True
        case "unmeasured":
            charger.measures = False


@settings(deadline=None, max_examples=60)
@given(
    happenings=happenings(),
    fallback=st.sampled_from([0.0, 6.0]),
    lag=st.sampled_from([0.0, 5.0, 20.0]),
    base=st.floats(0.0, 40.0),
    inner=st.floats(40.0, 70.0),
)
def test_under_constant_base_load_no_rating_is_ever_exceeded(
    happenings: list[Happening], fallback: float, lag: float, base: float, inner: float
) -> None:
    """Promises 1 to 3, for any order of plugging, silence, refusals, late answers and lost connections."""
    circuits = (a_circuit(declared_a=40.0), a_circuit("board", inner, parent_id="supply", declared_a=None))
    stage = a_stage(
        *(
            a_connector(key, "board" if i % 2 else "supply", (i % 3, (i + 1) % 3, (i + 2) % 3), fallback_a=fallback)
            for i, key in enumerate(named(6))
        ),
        circuits=circuits,
        base_load=lambda _: all_phases(base),
        meter_lag_s=lag,
        meter_timeout_s=lag + 10.0,
    )
    stage.run(lag + 2)
    for what in happenings:
        happen(stage, what)
        stage.run(what.pause_s)
        assert not stage.over_s, what
        assert stage.decision is not None
        for circuit_id, circuit in stage.site.circuits.items():
            proof = stage.decision.circuits[circuit_id].proof
            assert proof.amps[0] <= circuit.rating_a[0]
    stage.run(60)
    assert not stage.over_s
