"""What a circuit may be told to be, and the fallbacks that are left to the site to choose."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine import guard
from custom_components.charge_cluster.engine.controller import decide
from custom_components.charge_cluster.engine.exposure import DeviceKind, ProtectiveDevice
from custom_components.charge_cluster.engine.fallback_proof import Ceiling, FallbackProof
from custom_components.charge_cluster.engine.model import NO_AMPS, DemandCap, VehicleState
from custom_components.charge_cluster.engine.snapshot import ConnectorFacts, Memory, Snapshot
from custom_components.charge_cluster.site.proof import (
    SettingsFault,
    amps_text,
    check,
    circuit_of,
    model_of,
    with_fitting_fallbacks,
)
from custom_components.charge_cluster.site.settings import (
    ChargePointSettings,
    CircuitSettings,
    ConnectorSettings,
    SiteSettings,
)
from tests.virtual_time import START_WALL


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
        ({"power_kva": 3.79}, "impossible_power"),
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
        {"power_kva": 3.8},
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


# If everything dies ---------------------------------------------------------------------------------------------------


def charging_on(supply: CircuitSettings, *points: ChargePointSettings) -> SiteSettings:
    return SiteSettings(site_id="site", name="Site", circuits=(supply,), charge_points=points)


def on_phases(point: ChargePointSettings, rotation: tuple[int, ...] | None) -> ChargePointSettings:
    return replace(point, connectors=(replace(point.connectors[0], rotation=rotation),))


def test_what_flows_when_everything_dies_must_fit_the_apparent_power_at_the_highest_voltage() -> None:
    [fault] = faults_of(a_supply(power_kva=37.0, declared_base_load_a=(50.0,) * 3))

    assert (fault.key, fault.field) == ("fallback_above_power", "base_load")
    assert fault.placeholders == {
        "fallback": "0 A",
        "circuit": "Supply",
        "total": "38",
        "power": "37",
        "excess": "1",
        "voltage": "253",
    }
    assert faults_of(a_supply(power_kva=37.95, declared_base_load_a=(50.0,) * 3)) == []


def test_a_neutral_must_carry_the_fallbacks_if_all_charge_on_one_phase() -> None:
    points = (a_point(f"p{number}", fallback_a=16.0) for number in range(3))
    [fault] = check(charging_on(a_supply(neutral_a=60.0, declared_base_load_a=(17.0,) * 3), *points))

    assert (fault.key, fault.field, fault.subject) == ("fallback_above_neutral", "fallback", "supply")
    assert fault.placeholders == {
        "fallback": "3 × 16 A",
        "base_load": "17",
        "neutral": "60",
        "circuit": "Supply",
        "excess": "5",
    }


def test_a_base_load_above_the_neutral_is_refused_only_where_fallbacks_come_on_top() -> None:
    supply = a_supply(neutral_a=40.0, declared_base_load_a=(60.0,) * 3)

    assert check(charging_on(supply, a_point("none", fallback_a=0.0))) == ()
    [fault] = check(charging_on(supply, a_point("some", fallback_a=6.0)))
    assert (fault.key, fault.placeholders["excess"]) == ("fallback_above_neutral", "26")


def test_fallbacks_on_one_phase_must_keep_the_unbalance_limit() -> None:
    points = (a_point("p1", fallback_a=16.0), on_phases(a_point("p2", fallback_a=8.0), (1,)))
    [fault] = check(charging_on(a_supply(unbalance_a=20.0, declared_base_load_a=(50.0,) * 3), *points))

    assert (fault.key, fault.field) == ("fallback_above_unbalance", "fallback")
    assert fault.placeholders == {
        "fallback": "1 × 8 A + 1 × 16 A",
        "unbalance": "20",
        "circuit": "Supply",
        "excess": "4",
    }


def test_only_fallbacks_on_the_phase_concerned_stand_in_its_sum() -> None:
    points = [on_phases(a_point(f"p{number}", fallback_a=16.0), (number % 3,)) for number in range(4)]
    points.append(on_phases(a_point("anywhere", fallback_a=10.0), None))
    [fault] = check(charging_on(a_supply(rating_a=(40.0,) * 3, neutral_a=50.0), *points))

    assert fault.key == "fallback_does_not_fit"
    assert fault.placeholders == {
        "fallback": "1 × 10 A + 2 × 16 A",
        "base_load": "0",
        "rating": "40",
        "circuit": "Supply",
        "excess": "2",
    }


@pytest.mark.parametrize(
    "ceiling",
    [
        {"neutral_a": 17.0},
        {"unbalance_a": 17.0},
        {"power_kva": 13.0},
        {"demand_kw": 13.0},
        {"demand_kw": 13.0, "power_kva": 60.0},
    ],
)
def test_fallbacks_that_are_left_to_us_fit_every_ceiling_or_are_none(ceiling: dict[str, float]) -> None:
    """Three have 18 A on each phase, 13.7 kVA at 253 V: more than these; two have 12 A, which fit."""
    supply = a_supply(**ceiling)

    def chosen(count: int) -> set[float]:
        points = with_fitting_fallbacks(charging_on(supply, *several(count, "supply"))).charge_points
        return {point.fallback_a for point in points}

    assert chosen(2) == {6.0}
    assert chosen(3) == {0.0}


def test_a_demand_cap_refuses_no_fallback_that_somebody_chose() -> None:
    points = (a_point(f"p{number}", fallback_a=16.0) for number in range(3))
    settings = charging_on(a_supply(demand_kw=13.0), *points)

    assert check(settings) == ()
    assert with_fitting_fallbacks(settings) == settings


def test_a_ceiling_of_one_cluster_leaves_the_others_their_fallbacks() -> None:
    settings = a_site(*several(3, "a"), *several(3, "b"))
    thin = replace(settings.circuits[1], unbalance_a=17.0)
    chosen = fallbacks(replace(settings, circuits=(settings.circuits[0], thin, settings.circuits[2])))

    assert {amps for name, amps in chosen.items() if name.startswith("a")} == {0.0}
    assert {amps for name, amps in chosen.items() if name.startswith("b")} == {6.0}


# The forms and the running site ---------------------------------------------------------------------------------------

CEILINGS = {
    Ceiling.RATING: "fallback_does_not_fit",
    Ceiling.NEUTRAL: "fallback_above_neutral",
    Ceiling.UNBALANCE: "fallback_above_unbalance",
    Ceiling.POWER: "fallback_above_power",
}

per_phase = st.tuples(*[st.floats(0.0, 40.0)] * 3)


@st.composite
def sites(draw: st.DrawFn) -> SiteSettings:
    """Draw a tree of circuits with every kind of ceiling, tight and wide ones, and charge points in it."""
    circuits: list[CircuitSettings] = []
    for index in range(draw(st.integers(1, 4))):
        above = draw(st.sampled_from(circuits)).circuit_id if circuits else None
        circuits.append(
            CircuitSettings(
                circuit_id=f"circuit{index}",
                name=f"Circuit {index}",
                parent_id=above,
                rating_a=draw(st.tuples(*[st.floats(10.0, 120.0)] * 3)),
                margin_a=2.0,
                declared_base_load_a=draw(st.none() | per_phase),
                neutral_a=draw(st.none() | st.floats(2.5, 120.0)),
                unbalance_a=draw(st.none() | st.floats(1.0, 120.0)),
                power_kva=draw(st.none() | st.floats(2.0, 90.0)),
                demand_kw=draw(st.none() | st.floats(2.0, 90.0)),
            )
        )
    points = tuple(
        replace(
            a_point(f"p{index}", draw(st.sampled_from(circuits)).circuit_id),
            connectors=tuple(
                ConnectorSettings(number=number, rotation=draw(st.sampled_from([(0, 1, 2), (2, 0, 1), (1,), None])))
                for number in range(1, draw(st.integers(1, 2)) + 1)
            ),
            fallback_a=draw(st.sampled_from([0.0, 6.0, 10.0, 16.0])),
            fallback_automatic=draw(st.booleans()),
        )
        for index in range(draw(st.integers(0, 5)))
    )
    return SiteSettings(site_id="site", name="Site", circuits=tuple(circuits), charge_points=points)


def proofs_of_a_pass(settings: SiteSettings) -> dict[str, FallbackProof]:
    """Return what a pass shows of a site whose charge points have all stored the fallback that is configured."""
    site = model_of(settings, {})
    facts = {}
    for key, connector in site.connectors.items():
        bound = guard.went_online(guard.unknown_bound(connector), connector, 0.0)
        stored = guard.fallback_stored(bound, connector.fallback_a, idle=True, now=0.0)
        facts[key] = ConnectorFacts(bound=stored, vehicle=VehicleState.ABSENT, since=0.0)
    decision = decide(Snapshot(now=1.0, wall=START_WALL, site=site, facts=facts, meters={}), Memory())
    return {circuit_id: circuit.proof for circuit_id, circuit in decision.circuits.items()}


@given(settings=sites())
def test_a_form_refuses_what_a_running_site_would_say_does_not_fit_by_the_same_figures(settings: SiteSettings) -> None:
    shown = {
        (circuit_id, CEILINGS[shortfall.ceiling]): amps_text(
            shortfall.excess / (1000.0 if shortfall.ceiling is Ceiling.POWER else 1.0)
        )
        for circuit_id, proof in proofs_of_a_pass(settings).items()
        for shortfall in proof.shortfalls
    }
    refused = {(fault.subject, fault.key): fault.placeholders["excess"] for fault in check(settings)}

    assert refused == shown


@given(settings=sites())
def test_fallbacks_that_are_left_to_us_never_make_a_site_worse_than_without_them(settings: SiteSettings) -> None:
    chosen = with_fitting_fallbacks(settings)
    none = replace(
        settings,
        charge_points=tuple(
            replace(point, fallback_a=0.0) if point.fallback_automatic else point for point in settings.charge_points
        ),
    )

    assert {(f.subject, f.key) for f in check(chosen)} <= {(f.subject, f.key) for f in check(none)}
    kept = {point.name: point.fallback_a for point in settings.charge_points if not point.fallback_automatic}
    assert kept.items() <= {point.name: point.fallback_a for point in chosen.charge_points}.items()


@pytest.mark.parametrize("stagger_s", [-1.0, 1801.0, math.nan])
def test_a_stagger_beyond_reason_is_refused(stagger_s: float) -> None:
    assert [fault.key for fault in faults_of(a_supply(), restart_stagger_s=stagger_s)] == ["impossible_stagger"]
