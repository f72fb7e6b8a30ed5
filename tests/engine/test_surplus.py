"""What would be exported, as it is found from readings and draws; and how the pass shares it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from custom_components.charge_cluster.engine import controller, guard, solar
from custom_components.charge_cluster.engine.guard import CAR_SETTLING_S, DrawBound
from custom_components.charge_cluster.engine.model import ChargingMode, MeterReading, MeterScope, Reason
from custom_components.charge_cluster.engine.surplus import (
    AVERAGE_S,
    METER_LAG_S,
    RESERVE_A,
    SILENT_AFTER_S,
    SolarMemory,
    awaits_measurement,
    drawn_around,
    follow_surplus,
)

from .closed_loop import Car, Stage
from .sites import a_circuit, a_connector, a_stage, all_phases, named

C = a_connector("c")
EXPORTED_A = 12.0


def seen(amps: float, at: float, bound: DrawBound | None = None) -> DrawBound:
    """Return a bound after a measurement."""
    bound = guard.went_online(guard.unknown_bound(C), C, 0.0) if bound is None else bound
    return guard.measured(bound, C, all_phases(amps), at, at)


def told(bound: DrawBound, amps: float, at: float) -> DrawBound:
    """Return a bound after a limit was sent and accepted."""
    return guard.accepted(guard.sent(bound, amps, at), amps, at, at + 30.0)


def reading(amps: float, at: float) -> MeterReading:
    return MeterReading(circuit_id="supply", amps=all_phases(amps), measured_at=at, timeout_s=10.0)


def shared_after(memory: SolarMemory, *samples: tuple[float, float, tuple[float, float]]) -> SolarMemory:
    """Return the memory after readings: what is imported on each phase, when, and bounds of what is drawn."""
    for imported, at, drawn in samples:
        kept, shared = follow_surplus(memory, reading(imported, at), [drawn])
        memory = SolarMemory(samples=kept, shared_a=shared)
    return memory


def test_a_limit_that_stands_is_drawn_as_it_was_measured_last() -> None:
    bound = seen(9.5, 150.0, told(seen(0.0, 99.0), 10.0, 100.0))
    assert drawn_around(bound, 3, 165.0) == (28.5, 28.5)


def test_a_limit_that_nobody_saw_followed_may_be_followed_or_not() -> None:
    bound = seen(0.0, 103.0, told(seen(0.0, 99.0), 10.0, 100.0))
    assert drawn_around(bound, 3, 104.0) == (0.0, 30.0)
    assert not awaits_measurement(bound, 100.0 + CAR_SETTLING_S - 1.0)
    assert awaits_measurement(bound, 100.0 + CAR_SETTLING_S)
    followed = seen(9.0, 100.0 + CAR_SETTLING_S, bound)
    # What the meter shows may be older than it says.
    assert drawn_around(followed, 3, 116.0) == (0.0, 27.0)
    assert drawn_around(followed, 3, 116.0 + METER_LAG_S) == (27.0, 27.0)
    assert not awaits_measurement(followed, 120.0)


def test_an_order_after_a_reading_says_nothing_of_it() -> None:
    bound = told(seen(10.0, 99.0, seen(10.0, 80.0)), 0.0, 100.0)
    assert drawn_around(bound, 3, 99.5) == (30.0, 30.0)
    assert drawn_around(bound, 3, 100.5) == (0.0, 30.0)


def test_who_does_not_measure_is_taken_to_draw_its_limit() -> None:
    bound = told(guard.went_online(guard.unknown_bound(C), C, 0.0), 8.0, 50.0)
    assert drawn_around(bound, 3, 100.0) == (24.0, 24.0)
    assert drawn_around(told(bound, 6.0, 99.0), 3, 100.0) == (18.0, 24.0)


def test_who_falls_silent_after_an_order_is_taken_to_follow_it() -> None:
    """Some send nothing any more once their vehicle is paused; they are not asked for ever."""
    bound = told(seen(10.0, 99.0, told(seen(10.0, 80.0), 10.0, 82.0)), 0.0, 100.0)
    followed_at = 100.0 + CAR_SETTLING_S
    assert drawn_around(bound, 3, followed_at + SILENT_AFTER_S) == (0.0, 30.0)
    assert awaits_measurement(bound, followed_at + SILENT_AFTER_S)
    assert drawn_around(bound, 3, followed_at + SILENT_AFTER_S + 1.0) == (0.0, 0.0)
    assert not awaits_measurement(bound, followed_at + SILENT_AFTER_S + 1.0)


def test_what_is_shared_is_the_mean_less_a_reserve() -> None:
    memory = shared_after(SolarMemory(), *((-5.0, float(at), (0.0, 0.0)) for at in range(30)))
    assert memory.shared_a == 15.0 - RESERVE_A
    assert len(memory.samples) <= AVERAGE_S


def test_a_wide_interval_moves_nothing_that_it_does_not_disprove() -> None:
    before = shared_after(SolarMemory(), (-5.0, 0.0, (0.0, 0.0)))
    assert shared_after(before, (-5.0, 1.0, (0.0, 30.0))).shared_a == before.shared_a
    darker = shared_after(before, *((10.0, 100.0 + at, (0.0, 30.0)) for at in range(20)))
    assert darker.shared_a == 30.0 - 3 * 10.0 - RESERVE_A


def test_noise_moves_nothing() -> None:
    memory = shared_after(SolarMemory(), *((-5.0, float(at), (0.0, 0.0)) for at in range(30)))
    noisy = shared_after(memory, *((-5.0 + 0.15 * (-1) ** at, 30.0 + at, (0.0, 0.0)) for at in range(60)))
    assert noisy.shared_a == memory.shared_a


def test_the_same_reading_counts_once() -> None:
    memory = shared_after(SolarMemory(), (-5.0, 10.0, (0.0, 0.0)))
    assert shared_after(memory, (-9.0, 10.0, (0.0, 0.0))) == memory


# The pass -------------------------------------------------------------------------------------------------------------


def a_sunny_stage(*modes: ChargingMode, sun_a: float = EXPORTED_A, **connector: Any) -> Stage:
    """Return a stage with a car at each connector."""
    connectors = [a_connector(key, mode=mode, **connector) for key, mode in zip(named(len(modes)), modes, strict=True)]
    stage = a_stage(*connectors, base_load=lambda _: all_phases(-sun_a))
    for connector_id in stage.chargers:
        stage.plug(connector_id, Car())
    return stage


def test_a_paused_car_keeps_the_place_of_its_fallback() -> None:
    """A fallback above the minimum counts whatever is decided, and what the sun gives lies within it."""
    stage = a_sunny_stage(ChargingMode.SOLAR, sun_a=8.6, fallback_a=10.0)
    stage.run(240)
    assert stage.limits() == {"c00": 8.0}
    stage.base_load = lambda _: all_phases(5.0)
    stage.run(400)
    assert (stage.limits(), stage.reasons()) == ({"c00": 0.0}, {"c00": Reason.SURPLUS})


def test_a_car_that_takes_less_leaves_the_rest_to_the_other() -> None:
    stage = a_sunny_stage(ChargingMode.SOLAR, ChargingMode.SOLAR, sun_a=24.6)
    stage.chargers["c00"].car = Car(takes_a=7.0)
    stage.run(400)
    assert stage.drawn() == {"c00": 7.0, "c01": 16.0}


def test_a_full_car_keeps_nothing_from_the_other() -> None:
    stage = a_sunny_stage(ChargingMode.SOLAR, ChargingMode.SOLAR, sun_a=10.6)
    stage.chargers["c00"].car = Car(sated=True)
    stage.run(300)
    assert stage.drawn() == {"c00": 0.0, "c01": 10.0}


def test_a_cap_bounds_what_the_sun_gives() -> None:
    stage = a_sunny_stage(ChargingMode.MINIMUM_AND_SOLAR, cap_a=8.0)
    stage.run(120)
    assert (stage.limits(), stage.reasons()) == ({"c00": 8.0}, {"c00": Reason.USER_CAP})


@pytest.mark.parametrize("scope", [MeterScope.ALL_BUT_EVS, MeterScope.EVS_ONLY])
def test_a_meter_that_does_not_see_all_shows_no_sun(scope: MeterScope) -> None:
    stage = a_sunny_stage(ChargingMode.SOLAR, ChargingMode.MINIMUM_AND_SOLAR)
    stage.meter_scope = scope
    stage.run(120)
    assert stage.limits() == {"c00": 0.0, "c01": 6.0}
    assert set(stage.reasons().values()) == {Reason.METER_STALE}


def test_a_supply_without_a_meter_shows_no_sun() -> None:
    stage = a_sunny_stage(ChargingMode.SOLAR)
    stage.has_meter = False
    stage.run(120)
    assert (stage.limits(), stage.reasons()) == ({"c00": 0.0}, {"c00": Reason.METER_STALE})


def test_solar_cars_leave_every_place_to_those_who_charge_normally() -> None:
    modes = [ChargingMode.SOLAR, ChargingMode.NORMAL, ChargingMode.NORMAL]
    connectors = [a_connector(key, mode=mode) for key, mode in zip(named(3), modes, strict=True)]
    stage = a_stage(
        *connectors,
        circuits=(a_circuit(rating_a=18.0),),
        base_load=lambda _: all_phases(-40.0),
    )
    for key in stage.chargers:
        stage.plug(key, Car())
    stage.run(200)
    assert stage.limits() == {"c00": 0.0, "c01": 7.0, "c02": 6.0}
    assert stage.decision is not None
    assert list(stage.decision.queue) == []


@settings(max_examples=25, deadline=None)
@given(
    modes=st.lists(st.sampled_from([ChargingMode.NORMAL, ChargingMode.SOLAR]), min_size=2, max_size=6),
    wants=st.lists(st.floats(6.0, 32.0), min_size=6, max_size=6),
    phases=st.lists(st.sampled_from([(0, 1, 2), (0,), (1,)]), min_size=6, max_size=6),
    rating_a=st.floats(20.0, 120.0),
    sun_a=st.floats(0.0, 60.0),
)
def test_what_others_get_is_the_same_with_solar_cars_and_without(
    modes: list[ChargingMode],
    wants: list[float],
    phases: list[tuple[int, ...]],
    rating_a: float,
    sun_a: float,
) -> None:
    given_to: list[dict[str, float]] = []
    for present in (True, False):
        connectors = [
            a_connector(key, rotation=rotation, mode=mode)
            for key, mode, rotation in zip(named(len(modes)), modes, phases, strict=False)
        ]
        stage = a_stage(*connectors, circuits=(a_circuit(rating_a=rating_a),), base_load=lambda _: all_phases(-sun_a))
        normal = [each.connector_id for each in connectors if each.mode is ChargingMode.NORMAL]
        for each, takes_a in zip(connectors, wants, strict=False):
            if present or each.connector_id in normal:
                stage.plug(each.connector_id, Car(takes_a=takes_a))
        stage.run(240)
        given_to.append({key: stage.limits()[key] for key in normal})
        assert stage.over_s == {}
    assert given_to[0] == given_to[1]


def test_nobody_in_solar_mode_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def noting(name: str) -> Callable[..., object]:
        def note(*_: object) -> object:
            looked.append(name)
            return None

        return note

    monkeypatch.setattr(solar, "follow_surplus", noting("reading"))
    monkeypatch.setattr(solar, "drawn_around", noting("draw"))
    monkeypatch.setattr(controller, "with_sun", noting("outcome"))
    stage = a_sunny_stage(ChargingMode.NORMAL, ChargingMode.NORMAL)
    stage.run(30)
    assert looked == []
    assert stage.memory.solar is None
    assert stage.decision is not None
    assert stage.decision.surplus_a is None


def test_who_changes_the_mode_is_told_within_a_pass() -> None:
    stage = a_sunny_stage(ChargingMode.NORMAL)
    stage.run(60)
    stage.change("c00", mode=ChargingMode.MINIMUM_AND_SOLAR)
    stage.run(1)
    assert stage.reasons() == {"c00": Reason.SURPLUS}
