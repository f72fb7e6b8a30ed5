"""A plan in the pass: it holds vehicles back for other hours, and takes nothing from anybody else."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.model import ChargingMode, Reason
from custom_components.charge_cluster.engine.planned import PlannedNow, delay_s, delayed

from .closed_loop import WALL_AT_START, Car, Stage
from .sites import a_circuit, a_connector, a_stage, named

SLOT_S = 900.0
EVENING = 1_800_000_000.0
"""A slot begins here."""

LATER = PlannedNow(amps=0.0, reason=Reason.PLANNED, next_at=WALL_AT_START + 7200.0)


def a_planned_stage(*modes: ChargingMode, rating_a: float = 100.0, **connector: Any) -> Stage:
    """Return a stage with a car at each connector."""
    keys = named(len(modes))
    stage = a_stage(
        *(a_connector(key, mode=mode, **connector) for key, mode in zip(keys, modes, strict=True)),
        circuits=(a_circuit(rating_a=rating_a),),
    )
    for key in keys:
        stage.plug(key, Car())
    return stage


def planned(amps: float) -> PlannedNow:
    return PlannedNow(amps=amps, reason=Reason.PLANNED)


def test_who_is_planned_for_later_waits_and_says_until_when() -> None:
    stage = a_planned_stage(ChargingMode.SMART, ChargingMode.OFF_PEAK)
    stage.plans = {"c00": LATER, "c01": PlannedNow(amps=0.0, reason=Reason.OFF_PEAK, next_at=WALL_AT_START + 60.0)}
    stage.run(60)
    assert stage.drawn() == {"c00": 0.0, "c01": 0.0}
    assert stage.reasons() == {"c00": Reason.PLANNED, "c01": Reason.OFF_PEAK}
    assert stage.decision is not None
    assert [limit.expected_at for limit in stage.decision.limits.values()] == [
        WALL_AT_START + 7200.0,
        WALL_AT_START + 60.0,
    ]


def test_who_has_no_plan_charges_now() -> None:
    stage = a_planned_stage(ChargingMode.SMART, ChargingMode.OFF_PEAK)
    stage.run(60)
    assert stage.drawn() == {"c00": 32.0, "c01": 32.0}


@pytest.mark.parametrize("mode", [ChargingMode.NORMAL, ChargingMode.MINIMUM_AND_SOLAR])
def test_a_plan_is_nothing_to_who_is_in_another_mode(mode: ChargingMode) -> None:
    stage = a_planned_stage(mode)
    stage.plans = {"c00": LATER}
    stage.run(60)
    assert stage.drawn()["c00"] >= 6.0


def test_who_is_off_has_nothing_whatever_is_planned() -> None:
    stage = a_planned_stage(ChargingMode.OFF)
    stage.plans = {"c00": planned(math.inf)}
    stage.run(60)
    assert (stage.limits(), stage.reasons()) == ({"c00": 0.0}, {"c00": Reason.SWITCHED_OFF})


@pytest.mark.parametrize(("amps", "told"), [(10.4, 11.0), (2.0, 6.0), (16.0, 16.0), (40.0, 32.0), (math.inf, 32.0)])
def test_what_is_planned_is_the_most_and_no_less_than_it_can_charge_with(amps: float, told: float) -> None:
    stage = a_planned_stage(ChargingMode.SMART)
    stage.plans = {"c00": planned(amps)}
    stage.run(60)
    assert stage.drawn() == {"c00": told}
    assert stage.reasons() == {"c00": Reason.FULL_POWER if told == 32.0 else Reason.PLANNED}


def test_what_a_plan_leaves_is_for_others() -> None:
    """60 A: who is held to less than its fair share has all of that, and the others share the rest."""
    stage = a_planned_stage(
        ChargingMode.SMART, ChargingMode.SMART, ChargingMode.NORMAL, ChargingMode.NORMAL, rating_a=85.0
    )
    stage.plans = {"c00": planned(8.0), "c01": LATER}
    stage.run(60)
    assert stage.limits() == {"c00": 8.0, "c01": 0.0, "c02": 26.0, "c03": 26.0}
    assert stage.over_s == {}


def test_who_waits_for_cheap_hours_keeps_no_place_from_others() -> None:
    """13 A: a place for two, and nobody has to take turns with those that want none now."""
    stage = a_planned_stage(*[ChargingMode.SMART] * 3, *[ChargingMode.NORMAL] * 2, rating_a=38.0)
    stage.plans = dict.fromkeys(named(3), LATER)
    stage.run(120)
    assert [round(amps) for amps in stage.drawn().values()] == [0, 0, 0, 7, 6]
    assert stage.decision is not None
    assert list(stage.decision.queue) == []


def test_a_plan_is_followed_as_it_changes() -> None:
    stage = a_planned_stage(ChargingMode.SMART)
    stage.plans = {"c00": LATER}
    stage.run(60)
    stage.plans = {"c00": planned(12.0)}
    stage.run(60)
    assert stage.drawn() == {"c00": 12.0}
    stage.plans = {"c00": LATER}
    stage.run(30)
    assert stage.drawn() == {"c00": 0.0}
    stage.plans = {}
    stage.run(60)
    assert stage.drawn() == {"c00": 32.0}


def test_when_cheap_hours_begin_for_all_no_rating_is_exceeded() -> None:
    stage = a_planned_stage(*[ChargingMode.OFF_PEAK] * 6, rating_a=80.0)
    stage.plans = dict.fromkeys(named(6), LATER)
    stage.run(60)
    stage.plans = dict.fromkeys(named(6), planned(math.inf))
    stage.run(150)
    assert stage.over_s == {}
    assert sum(stage.drawn().values()) >= 48.0
    stage.plans = {**stage.plans, "c00": LATER, "c01": LATER}
    stage.run(120)
    assert stage.over_s == {}
    assert [round(amps) for amps in stage.drawn().values()][:2] == [0, 0]
    assert sum(stage.drawn().values()) >= 50.0


def test_a_car_whose_connector_falls_back_to_some_current_has_that_while_it_waits_unheard() -> None:
    """The dead man goes before a plan: what a charger does by itself stays counted."""
    stage = a_planned_stage(ChargingMode.SMART, fallback_a=10.0)
    stage.plans = {"c00": LATER}
    stage.run(60)
    assert stage.drawn() == {"c00": 0.0}
    stage.cut("c00")
    stage.run(60)
    assert stage.drawn() == {"c00": 10.0}
    assert stage.decision is not None
    assert stage.decision.circuits["supply"].worst_case_a == (30.0, 30.0, 30.0)


# Random delay ---------------------------------------------------------------------------------------------------------

slots = st.lists(st.sampled_from([0.0, 6.0, 10.0, 16.0]), min_size=8, max_size=8)


def says(amps: list[float], at: float) -> float:
    """Return what a plan of some slots says; before and after it says nothing."""
    index = math.floor((at - EVENING) / SLOT_S)
    return amps[index] if 0 <= index < len(amps) else 0.0


@given(
    amps=slots, seconds=st.floats(0.0, 8 * SLOT_S - 1.0), most_s=st.sampled_from([0.0, 600.0, 1800.0]), seed=st.text()
)
def test_a_rise_is_put_off_and_nothing_else(amps: list[float], seconds: float, most_s: float, seed: str) -> None:
    now = EVENING + seconds
    amount, until = delayed(lambda at: says(amps, at), now, step_s=SLOT_S, most_s=most_s, seed=seed)
    recent = [says(amps, at) for at in (now, *(now - back for back in range(1, int(most_s) + int(SLOT_S), 60)))]
    assert min(recent) <= amount <= says(amps, now)
    assert (until is None) is (amount == says(amps, now))
    if until is not None:
        assert now < until <= now + most_s
    if most_s == 0.0:
        assert amount == says(amps, now)


@given(seed=st.text(), most_s=st.floats(1.0, 1800.0))
def test_a_rise_takes_place_once_after_its_delay(seed: str, most_s: float) -> None:
    """Before its moment nothing changes, from it on it holds; to be asked again draws no other moment."""
    amps = [0.0, *[16.0] * 7]
    begins = EVENING + SLOT_S
    moment = begins + delay_s(seed, begins, most_s)

    def at(now: float) -> float:
        return delayed(lambda at: says(amps, at), now, step_s=SLOT_S, most_s=most_s, seed=seed)[0]

    assert begins <= moment <= begins + most_s
    assert at(max(begins, moment - 1.0)) == (0.0 if moment > begins + 1.0 else at(begins))
    assert at(moment) == 16.0
    assert at(begins + most_s) == 16.0


def test_what_a_driver_asks_for_is_not_put_off() -> None:
    amps, begins = [0.0, *[16.0] * 7], EVENING + SLOT_S
    seed = next(seed for seed in map(str, range(100)) if delay_s(seed, begins, 600.0) > 60.0)

    def at(prompted_at: float) -> float:
        told = delayed(
            lambda at: says(amps, at), begins + 30.0, step_s=SLOT_S, most_s=600.0, seed=seed, prompted_at=prompted_at
        )
        return told[0]

    assert (at(begins - 1.0), at(begins + 20.0)) == (0.0, 16.0)


def test_delays_are_spread_over_all_of_the_time() -> None:
    drawn = [delay_s(f"session {index}", EVENING, 600.0) for index in range(400)]
    assert 250.0 < sum(drawn) / len(drawn) < 350.0
    assert min(drawn) < 30.0
    assert max(drawn) > 570.0
    assert delay_s("a", EVENING, 600.0) != delay_s("a", EVENING + SLOT_S, 600.0)
