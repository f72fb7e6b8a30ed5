"""Ceilings beyond amps per phase: power, demand, balance, the neutral conductor, caps from outside, generation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.demand import DemandMemory, allowed_w, follow_demand, mean_w
from custom_components.charge_cluster.engine.model import (
    NO_AMPS,
    DemandCap,
    ExternalCap,
    MeterReading,
    MeterScope,
    PhaseAmps,
    Reason,
    SiteModel,
)

from .closed_loop import WALL_AT_START, Car, Stage
from .sites import a_circuit, a_connector, a_stage, all_phases, named

HIGHEST_V = 253.0
QUARTER_S = 900.0


def busy(count: int, *, rating_a: float, base_a: float = 20.0) -> Stage:
    """Return a stage of so many three-phase charge points below one supply."""
    return a_stage(
        *(a_connector(key) for key in named(count)),
        circuits=(a_circuit(rating_a=rating_a),),
        base_load=lambda _: all_phases(base_a),
    )


def with_supply(stage: Stage, **fields: object) -> Stage:
    """Give the supply of a stage further ceilings."""
    supply = replace(stage.site.circuits["supply"], **fields)  # type: ignore[arg-type]  # fields by name
    stage.reconfigure(SiteModel(circuits={**stage.site.circuits, "supply": supply}, connectors=stage.site.connectors))
    return stage


def full(stage: Stage, car: Car | None = None) -> Stage:
    """Plug a car in everywhere."""
    for key in stage.chargers:
        stage.plug(key, car or Car())
    return stage


def watts_flowing(stage: Stage) -> float:
    return sum(stage.load_a("supply")) * 230.0


# Three-phase power ----------------------------------------------------------------------------------------------------


def test_apparent_power_bounds_the_sum_of_the_phases() -> None:
    stage = full(with_supply(busy(4, rating_a=200.0), power_va=60_000.0))
    stage.run(180.0)
    # 60 kVA at the highest voltage that a supply may have, less the margin of three phases.
    assert sum(stage.load_a("supply")) <= 60_000.0 / HIGHEST_V - 15.0
    assert sum(stage.load_a("supply")) > 0.8 * 60_000.0 / HIGHEST_V - 15.0
    assert set(stage.reasons().values()) == {Reason.SHARED}


def test_power_counts_a_vehicle_once_for_each_phase_that_it_uses() -> None:
    single = with_supply(busy(4, rating_a=200.0), power_va=40_000.0)
    full(single, Car(phases=1))
    single.run(300.0)
    three = full(with_supply(busy(4, rating_a=200.0), power_va=40_000.0))
    three.run(300.0)
    assert max(single.drawn().values()) > 2 * max(three.drawn().values())
    assert sum(single.load_a("supply")) <= 40_000.0 / HIGHEST_V - 15.0


def test_a_measured_voltage_stands_in_for_the_highest() -> None:
    at_230 = full(with_supply(busy(4, rating_a=200.0), power_va=60_000.0))
    at_230.voltage_v = 230.0
    at_230.run(180.0)
    assert 60_000.0 / HIGHEST_V - 15.0 < sum(at_230.load_a("supply")) <= 60_000.0 / 230.0 - 15.0


# Balance and the neutral conductor ------------------------------------------------------------------------------------


def test_single_phase_cars_on_one_phase_stay_within_the_unbalance() -> None:
    stage = busy(4, rating_a=200.0)
    for key in stage.chargers:
        stage.change(key, rotation=(0,))
    with_supply(stage, unbalance_a=20.0)
    full(stage, Car(phases=1))
    stage.run(120.0)
    load = stage.load_a("supply")
    assert load[0] - min(load) <= 20.0
    assert load[0] - min(load) > 13.0
    assert Reason.PHASE_BALANCE in stage.reasons().values() or Reason.WAITING_TURN in stage.reasons().values()


def test_a_car_on_all_phases_needs_no_room_in_the_balance_once_it_has_shown_them() -> None:
    stage = full(with_supply(busy(3, rating_a=200.0), unbalance_a=20.0))
    stage.run(30.0)
    assert sum(stage.drawn().values()) <= 20.0
    stage.run(240.0)
    assert all(amps == 32.0 for amps in stage.drawn().values())


def test_a_car_that_goes_to_one_phase_needs_room_in_the_balance_again() -> None:
    stage = full(with_supply(busy(2, rating_a=200.0), unbalance_a=20.0))
    stage.run(240.0)
    assert all(amps == 32.0 for amps in stage.drawn().values())
    for charger in stage.chargers.values():
        assert charger.car is not None
        charger.car.phases = 1
    stage.run(45.0)
    load = stage.load_a("supply")
    assert max(load) - min(load) <= 20.0


def test_the_neutral_conductor_carries_no_more_than_its_rating() -> None:
    stage = busy(6, rating_a=200.0)
    for index, key in enumerate(stage.chargers):
        stage.change(key, rotation=(0,) if index < 4 else (1,))
    with_supply(stage, neutral_a=40.0)
    full(stage, Car(phases=1))
    for _ in range(200):
        stage.step()
        assert neutral_a(stage.load_a("supply")) <= 40.0


def neutral_a(load: PhaseAmps) -> float:
    """Return the current of the neutral conductor at power factor 1: three phasors at 120°."""
    l1, l2, l3 = load
    return float((((l1 - l2) ** 2 + (l2 - l3) ** 2 + (l3 - l1) ** 2) / 2) ** 0.5)


@given(st.tuples(*[st.floats(0.0, 500.0)] * 3))
def test_a_neutral_carries_at_most_the_largest_difference_between_two_phases(load: tuple[float, float, float]) -> None:
    assert neutral_a(load) <= max(load) - min(load) + 1e-6


# Fallbacks below them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plugged", [3, 6])
@pytest.mark.parametrize(
    "ceiling", [{"neutral_a": 38.0}, {"power_va": 38.0 * HIGHEST_V}, {"unbalance_a": 38.0}, {"neutral_a": 41.0}]
)
def test_fallbacks_that_fit_a_ceiling_are_kept_though_they_need_its_margin(
    plugged: int, ceiling: dict[str, float]
) -> None:
    connectors = (a_connector(key, rotation=(0,), fallback_a=6.0) for key in named(6))
    supply = replace(a_circuit(rating_a=200.0, declared_a=0.0), **ceiling)  # type: ignore[arg-type]  # by name
    stage = a_stage(*connectors, circuits=(supply,), base_load=lambda _: NO_AMPS)
    for key in named(plugged):
        stage.plug(key, Car(phases=1))
    stage.run(120.0)

    assert stage.decision is not None
    assert stage.decision.circuits["supply"].proof.fits
    assert all(stage.drawn()[key] >= 6.0 for key in named(plugged))
    assert stage.load_a("supply")[0] <= 38.0


# Demand ---------------------------------------------------------------------------------------------------------------


def demand_of_window(stage: Stage, seconds: float) -> float:
    """Run and return the mean power that flowed, in watts."""
    energy = 0.0
    for _ in range(round(seconds / 0.5)):
        stage.step()
        energy += watts_flowing(stage) * 0.5
    return energy / seconds


@pytest.mark.parametrize("window_s", [900.0, 1800.0, 3600.0])
def test_the_mean_of_each_clock_window_stays_within_the_demand_cap(window_s: float) -> None:
    cap = DemandCap(mean_w=40_000.0, window_s=window_s)
    stage = full(with_supply(busy(6, rating_a=300.0, base_a=10.0), demand=cap))
    assert demand_of_window(stage, window_s) <= 40_000.0
    assert 0.75 * 40_000.0 < demand_of_window(stage, window_s) <= 40_000.0
    assert stage.decision is not None
    held = [limit for limit in stage.decision.limits.values() if limit.reason is Reason.DEMAND]
    assert held
    assert all(limit.expected_at == WALL_AT_START + 2 * window_s for limit in held)


def test_energy_that_the_building_took_early_in_the_window_is_taken_back_from_the_cars() -> None:
    cap = DemandCap(mean_w=40_000.0)
    stage = busy(6, rating_a=300.0)
    stage.base_load = lambda now: all_phases(60.0 if now % QUARTER_S < 300.0 else 10.0)
    full(with_supply(stage, demand=cap))
    for _ in range(3):
        assert demand_of_window(stage, QUARTER_S) <= 40_000.0


@given(
    powers=st.lists(st.floats(0.0, 100_000.0), min_size=1, max_size=40),
    start=st.floats(0.0, 3600.0),
)
def test_what_is_allowed_never_lets_the_window_exceed_its_cap(powers: list[float], start: float) -> None:
    """Whoever keeps to what is allowed ends every window within the cap."""
    cap = DemandCap(mean_w=30_000.0)
    memory = follow_demand(None, cap, 0.0, start, start)
    now = start
    for power in powers:
        allowed = allowed_w(memory, cap)
        assert 0.0 <= allowed <= 1.5 * cap.mean_w
        now += 20.0
        memory = follow_demand(memory, cap, min(power, allowed), now, now)
        assert mean_w(memory, cap) <= cap.mean_w * 1.0001 + 1.5 * cap.mean_w * 30.0 / cap.window_s


def test_what_flowed_unseen_counts_at_the_cap() -> None:
    cap = DemandCap(mean_w=30_000.0)
    began = follow_demand(None, cap, 0.0, 100.0, 1_000_000_000.0 + 600.0)
    elapsed = (1_000_000_000.0 + 600.0) % 900.0
    assert began.used_ws == pytest.approx(30_000.0 * elapsed)
    assert allowed_w(began, cap) == pytest.approx(30_000.0)


def test_a_step_of_the_clock_counts_as_unseen() -> None:
    cap = DemandCap(mean_w=30_000.0)
    memory = DemandMemory(window=0, used_ws=0.0, at=100.0, wall=100.0, flowing_w=0.0)
    stepped = follow_demand(memory, cap, 0.0, 101.0, 100.0 + 500.0)
    assert stepped.used_ws == pytest.approx(30_000.0 * 600.0)
    back = follow_demand(memory, cap, 0.0, 101.0, 50.0)
    assert back.used_ws == pytest.approx(30_000.0 * 50.0)


# Caps from outside ----------------------------------------------------------------------------------------------------


def test_a_cap_from_outside_is_kept_within_the_reaction_time_and_ends_with_it() -> None:
    stage = full(busy(4, rating_a=125.0))
    stage.run(120.0)
    before = stage.load_a("supply")[0]
    stage.caps = (ExternalCap(circuit_id="supply", source="grid_operator", amps=all_phases(60.0)),)
    stage.run(15.0)
    assert max(stage.load_a("supply")) <= 60.0
    assert Reason.EXTERNAL_CAP in stage.reasons().values()
    stage.caps = ()
    stage.run(120.0)
    assert stage.load_a("supply")[0] >= before - 1.0


def test_a_cap_in_watts_holds_the_sum() -> None:
    stage = full(busy(4, rating_a=125.0))
    stage.caps = (ExternalCap(circuit_id="supply", source="automation", watts=45_000.0),)
    stage.run(120.0)
    assert watts_flowing(stage) <= 45_000.0
    assert watts_flowing(stage) > 0.7 * 45_000.0


def test_a_cap_on_vehicles_does_not_count_the_building() -> None:
    stage = full(busy(4, rating_a=125.0))
    cap = ExternalCap(circuit_id="supply", source="section_14a", watts=4 * 3 * 230.0 * 8.0, vehicles_only=True)
    stage.caps = (cap,)
    stage.run(120.0)
    charging = sum(stage.charging_a("supply")) * 230.0
    assert 4 * 3 * 230.0 * 6.0 <= charging <= 4 * 3 * 230.0 * 8.0


@pytest.mark.parametrize(
    ("cap", "total_a"),
    [
        (ExternalCap(circuit_id="supply", source="section_14a", watts=20_000.0, vehicles_only=True), 26.0),
        (ExternalCap(circuit_id="supply", source="section_14a", amps=all_phases(27.0), vehicles_only=True), 27.0),
        (ExternalCap(circuit_id="supply", source="grid_operator", amps=all_phases(52.0)), 27.0),
        (ExternalCap(circuit_id="supply", source="grid_operator", watts=253.0 * 3 * 52.0), 27.0),
    ],
)
def test_the_fallbacks_of_empty_connectors_take_nothing_of_a_cap_from_those_who_charge(
    cap: ExternalCap, total_a: float
) -> None:
    stage = a_stage(*(a_connector(key, fallback_a=6.0) for key in named(10)))
    for key in named(3):
        stage.plug(key, Car())
    stage.run(120.0)
    stage.caps = (cap,)
    stage.run(120.0)
    assert sum(stage.drawn().values()) == total_a
    assert min(stage.drawn()[key] for key in named(3)) >= 8.0
    stage.plug("c03", Car())
    stage.run(60.0)
    assert sum(stage.drawn().values()) <= total_a
    assert stage.drawn()["c03"] >= 6.0
    assert not stage.over_s


def test_a_demand_cap_leaves_something_to_the_few_who_charge_beside_empty_connectors() -> None:
    supply = replace(a_circuit(), demand=DemandCap(mean_w=253.0 * 3 * 45.0))
    stage = a_stage(*(a_connector(key, fallback_a=6.0) for key in named(10)), circuits=(supply,))
    for key in named(3):
        stage.plug(key, Car())
    stage.run(600.0)
    assert min(amps for key, amps in stage.drawn().items() if key in named(3)) >= 6.0


def test_of_two_caps_the_lower_counts() -> None:
    stage = full(busy(4, rating_a=125.0))
    stage.caps = (
        ExternalCap(circuit_id="supply", source="grid_operator", amps=all_phases(90.0)),
        ExternalCap(circuit_id="supply", source="automation", amps=all_phases(70.0)),
    )
    stage.run(120.0)
    assert 50.0 < max(stage.load_a("supply")) <= 70.0


def test_without_a_meter_the_demand_counts_what_may_flow() -> None:
    stage = busy(4, rating_a=200.0)
    stage.has_meter = False
    full(with_supply(stage, demand=DemandCap(mean_w=40_000.0)))
    assert demand_of_window(stage, QUARTER_S) <= 40_000.0
    assert stage.decision is not None
    shown = stage.decision.circuits["supply"].demand_w
    assert shown is not None
    assert 0.5 * 40_000.0 < shown <= 40_000.0


def test_of_a_demand_cap_and_a_cap_in_watts_the_lower_counts() -> None:
    stage = full(with_supply(busy(4, rating_a=200.0), demand=DemandCap(mean_w=60_000.0)))
    stage.caps = (ExternalCap(circuit_id="supply", source="grid_operator", watts=40_000.0),)
    stage.run(120.0)
    assert 20_000.0 < watts_flowing(stage) <= 40_000.0
    assert set(stage.reasons().values()) == {Reason.EXTERNAL_CAP}


def test_a_ceiling_of_one_circuit_does_not_bound_its_neighbour() -> None:
    circuits = (
        a_circuit(rating_a=300.0),
        a_circuit("north", 100.0, parent_id="supply", declared_a=None),
        a_circuit("south", 100.0, parent_id="supply", declared_a=None),
    )
    circuits = (circuits[0], replace(circuits[1], power_va=12_000.0, neutral_a=10.0), circuits[2])
    stage = full(
        a_stage(a_connector("n", "north", (0,)), a_connector("s", "south", (0,)), circuits=circuits), Car(phases=1)
    )
    stage.run(120.0)
    assert stage.drawn()["s"] == 32.0
    assert stage.drawn()["n"] == 0.0
    assert stage.reasons()["n"] is Reason.PHASE_BALANCE


# Generation -----------------------------------------------------------------------------------------------------------


def test_an_inverter_that_trips_takes_no_credit_with_it() -> None:
    stage = busy(4, rating_a=100.0)
    tripped = False
    stage.base_load = lambda _: all_phases(40.0 if tripped else 10.0)
    full(with_supply(stage, generation_a=all_phases(30.0)))
    stage.run(180.0)
    assert max(stage.load_a("supply")) > 10.0 + 4 * 6.0
    tripped = True
    for _ in range(60):
        stage.step()
        assert max(stage.load_a("supply")) <= 100.0


def test_measured_generation_hides_only_what_it_feeds_in() -> None:
    """At night the meter hides nothing, so that nothing is kept free for it."""
    stage = full(with_supply(busy(4, rating_a=100.0), generation_a=all_phases(30.0)))
    stage.generation = MeterReading(
        circuit_id="supply", amps=NO_AMPS, measured_at=0.0, timeout_s=1e9, scope=MeterScope.GENERATION
    )
    stage.run(180.0)
    assert max(stage.load_a("supply")) > 85.0
    stage.generation = None
    stage.run(60.0)
    assert max(stage.load_a("supply")) <= 100.0 - 30.0


def test_generation_that_is_measured_above_what_was_declared_hides_what_it_feeds_in() -> None:
    stage = full(with_supply(busy(4, rating_a=100.0), generation_a=all_phases(10.0)))
    stage.generation = MeterReading(
        circuit_id="supply", amps=all_phases(30.0), measured_at=0.0, timeout_s=1e9, scope=MeterScope.GENERATION
    )
    stage.run(180.0)
    assert 50.0 < max(stage.load_a("supply")) <= 100.0 - 30.0


# After an outage ------------------------------------------------------------------------------------------------------


def test_nobody_starts_before_its_moment_after_an_outage() -> None:
    stage = busy(3, rating_a=125.0)
    stage.starts_at = {"c01": 60.0, "c02": 120.0}
    full(stage)
    stage.run(50.0)
    assert [amps > 0.0 for amps in stage.drawn().values()].count(True) == 1
    assert list(stage.reasons().values()).count(Reason.RESTARTING) == 2
    assert stage.decision is not None
    assert stage.decision.limits["c01"].expected_at == pytest.approx(WALL_AT_START + 60.0)
    stage.run(40.0)
    assert [amps > 0.0 for amps in stage.drawn().values()].count(True) == 2
    stage.run(60.0)
    assert all(stage.drawn().values())
