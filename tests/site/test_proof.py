"""What a circuit may be told to be, and the fallbacks that are left to the site to choose."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.exposure import DeviceKind, ProtectiveDevice
from custom_components.charge_cluster.engine.model import NO_AMPS, DemandCap
from custom_components.charge_cluster.site.proof import SettingsFault, check, circuit_of, with_fitting_fallbacks
from custom_components.charge_cluster.site.settings import (
    ChargePointSettings,
    CircuitSettings,
    ConnectorSettings,
    SiteSettings,
)


def a_point(name: str, circuit_id: str = "supply", *, fallback_a: float | None = None) -> ChargePointSettings:
    return ChargePointSettings(
        charge_point_id=name,
        name=name,
        identity=name,
        circuit_id=circuit_id,
        connectors=(ConnectorSettings(number=1, rotation=(0, 1, 2)),),
        fallback_a=fallback_a or 0.0,
        fallback_automatic=fallback_a is None,
    )


def a_site(*points: ChargePointSettings, base_load_a: float = 40.0, cluster_a: float = 20.0) -> SiteSettings:
    """Return a supply of 100 A with a cluster A and a cluster B."""
    supply = CircuitSettings(
        circuit_id="supply",
        name="Supply",
        parent_id=None,
        rating_a=(100.0,) * 3,
        declared_base_load_a=(base_load_a,) * 3,
    )
    clusters = (
        CircuitSettings(circuit_id=name, name=name, parent_id="supply", rating_a=(cluster_a,) * 3)
        for name in ("a", "b")
    )
    return SiteSettings(site_id="site", name="Site", circuits=(supply, *clusters), charge_points=points)


def fallbacks(settings: SiteSettings) -> dict[str, float]:
    return {point.name: point.fallback_a for point in with_fitting_fallbacks(settings).charge_points}


def several(count: int, circuit_id: str) -> Iterator[ChargePointSettings]:
    return (a_point(f"{circuit_id}{number}", circuit_id) for number in range(count))


def test_all_have_their_minimum_where_that_fits() -> None:
    assert set(fallbacks(a_site(*several(3, "a"), *several(3, "b"))).values()) == {6.0}


def test_one_too_many_below_a_cluster_leaves_none_there_and_the_others_theirs() -> None:
    chosen = fallbacks(a_site(*several(4, "a"), *several(3, "b")))

    assert {amps for name, amps in chosen.items() if name.startswith("a")} == {0.0}
    assert {amps for name, amps in chosen.items() if name.startswith("b")} == {6.0}


def test_one_too_many_for_the_supply_leaves_none_anywhere() -> None:
    assert set(fallbacks(a_site(*several(3, "a"), *several(3, "b"), base_load_a=70.0)).values()) == {0.0}


def test_a_fallback_that_was_given_stays_and_takes_its_place() -> None:
    chosen = fallbacks(a_site(a_point("given", "a", fallback_a=16.0), a_point("left to us", "a")))

    assert chosen == {"given": 16.0, "left to us": 0.0}


@given(
    in_a=st.integers(0, 12),
    in_b=st.integers(0, 12),
    base_load_a=st.floats(0.0, 100.0),
    cluster_a=st.floats(10.0, 100.0),
)
def test_what_is_chosen_always_fits_and_treats_neighbours_alike(
    in_a: int, in_b: int, base_load_a: float, cluster_a: float
) -> None:
    settings = a_site(*several(in_a, "a"), *several(in_b, "b"), base_load_a=base_load_a, cluster_a=cluster_a)
    chosen = with_fitting_fallbacks(settings)

    assert check(chosen) == ()
    for cluster in ("a", "b"):
        assert len({point.fallback_a for point in chosen.charge_points if point.circuit_id == cluster}) <= 1


def test_faulty_settings_are_left_to_the_check() -> None:
    settings = a_site(a_point("lost", "nowhere"))

    assert fallbacks(settings) == {"lost": 0.0}


# Circuits as they are -------------------------------------------------------------------------------------------------


def a_supply(**changes: Any) -> CircuitSettings:
    """Return a supply of 100 A with its default margin of 5 A."""
    supply = CircuitSettings(circuit_id="supply", name="Supply", parent_id=None, rating_a=(100.0,) * 3)
    return replace(supply, **changes)


def faults_of(supply: CircuitSettings, **site: Any) -> list[SettingsFault]:
    return list(check(SiteSettings(site_id="site", name="Site", circuits=(supply,), **site)))


def a_device(kind: DeviceKind = DeviceKind.FUSE_GG, rated_a: float = 100.0, **changes: float) -> ProtectiveDevice:
    return ProtectiveDevice(kind=kind, rated_a=rated_a, **changes)


def test_what_is_told_of_a_circuit_reaches_the_engine() -> None:
    circuit = circuit_of(
        a_supply(
            neutral_a=80.0,
            unbalance_a=20.0,
            power_kva=50.0,
            demand_kw=40.0,
            demand_window_min=30,
            generation_a=(30.0, 30.0, 30.0),
        )
    )

    assert (circuit.neutral_a, circuit.unbalance_a, circuit.power_va) == (80.0, 20.0, 50_000.0)
    assert circuit.demand == DemandCap(mean_w=40_000.0, window_s=1800.0)
    assert circuit.generation_a == (30.0, 30.0, 30.0)


def test_nothing_is_told_unless_it_is_set() -> None:
    circuit = circuit_of(a_supply())

    assert (circuit.neutral_a, circuit.unbalance_a, circuit.power_va, circuit.demand) == (None,) * 4
    assert circuit.generation_a == NO_AMPS


def test_generation_that_is_granted_credit_hides_nothing() -> None:
    assert circuit_of(a_supply(generation_a=(30.0,) * 3, generation_credit=True)).generation_a == NO_AMPS


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"neutral_a": 5.0}, "impossible_neutral"),
        ({"neutral_a": math.nan}, "impossible_neutral"),
        ({"neutral_a": math.inf}, "impossible_neutral"),
        ({"neutral_a": 8.0, "margin_a": 10.0}, "impossible_neutral"),
        ({"unbalance_a": 0.0}, "impossible_unbalance"),
        ({"unbalance_a": -1.0}, "impossible_unbalance"),
        ({"power_kva": 3.45}, "impossible_power"),
        ({"power_kva": -2.0}, "impossible_power"),
        ({"demand_kw": 0.0}, "impossible_demand"),
        ({"demand_kw": math.inf}, "impossible_demand"),
        ({"demand_kw": 10.0, "demand_window_min": 20}, "impossible_demand_window"),
        ({"generation_a": (10.0, -0.1, 10.0)}, "impossible_generation"),
        ({"generation_a": (math.nan,) * 3}, "impossible_generation"),
        ({"device": a_device(rated_a=0.0)}, "impossible_device"),
        ({"device": a_device(rated_a=math.nan)}, "impossible_device"),
        ({"device": a_device(DeviceKind.MCB_C, 126.0)}, "impossible_device"),
        ({"device": a_device(DeviceKind.MCB_C, 80.0)}, "rating_above_device"),
        ({"device": a_device(DeviceKind.MCCB, long_delay_s=0.0)}, "impossible_device_settings"),
        ({"device": a_device(DeviceKind.MCCB, short_pickup=12.0)}, "impossible_device_settings"),
        ({"device": a_device(DeviceKind.MCCB, short_delay_s=-1.0)}, "impossible_device_settings"),
    ],
)
def test_impossible_figures_are_refused_by_name(changes: dict[str, Any], key: str) -> None:
    assert [fault.key for fault in faults_of(a_supply(**changes))] == [key]


@pytest.mark.parametrize(
    "changes",
    [
        {"neutral_a": 5.1},
        {"unbalance_a": 0.1},
        {"power_kva": 3.5},
        {"demand_kw": 0.1, "demand_window_min": 60},
        {"generation_a": NO_AMPS},
        {"device": a_device(DeviceKind.MCB_B, 125.0)},
        {"device": a_device(DeviceKind.MCCB, 160.0)},
        {"device": a_device(rated_a=100.0)},
    ],
)
def test_possible_figures_are_taken(changes: dict[str, Any]) -> None:
    assert faults_of(a_supply(**changes)) == []


def test_a_fault_says_what_fits() -> None:
    [fault] = faults_of(a_supply(neutral_a=4.0))

    assert fault.placeholders == {"circuit": "Supply", "neutral": "4", "margin": "5"}


def test_what_flows_when_everything_dies_must_fit_the_apparent_power_too() -> None:
    [fault] = faults_of(a_supply(power_kva=34.0, declared_base_load_a=(50.0,) * 3))

    assert fault.key == "fallback_above_power"
    assert fault.placeholders["excess"] == "0.5"


def test_fallbacks_that_are_left_to_us_respect_the_apparent_power() -> None:
    settings = a_site(*several(3, "a"), base_load_a=0.0)
    small = replace(settings.circuits[0], power_kva=10.0)
    chosen = with_fitting_fallbacks(replace(settings, circuits=(small, *settings.circuits[1:])))

    assert {point.fallback_a for point in chosen.charge_points} == {0.0}


@pytest.mark.parametrize("stagger_s", [-1.0, 1801.0, math.nan])
def test_a_stagger_beyond_reason_is_refused(stagger_s: float) -> None:
    assert [fault.key for fault in faults_of(a_supply(), restart_stagger_s=stagger_s)] == ["impossible_stagger"]
