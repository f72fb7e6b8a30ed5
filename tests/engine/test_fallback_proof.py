"""What a circuit draws if everything dies, against every way in which vehicles and the building could share it out."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine.fallback_proof import Ceiling, FallbackProof, fallback_proofs
from custom_components.charge_cluster.engine.model import NO_AMPS, PHASES, Circuit, Connector, PhaseAmps, SiteModel
from custom_components.charge_cluster.engine.rows import layout_of

from .sites import a_circuit, a_connector

HIGHEST_V = 253.0
ROTATIONS: list[tuple[int, ...] | None] = [(0, 1, 2), (1, 2, 0), (0,), (1,), (2,), (0, 1), None]


def proofs_of(site: SiteModel) -> dict[str, FallbackProof]:
    return fallback_proofs(site, layout_of(site), ((c, c.fallback_a) for c in site.connectors.values()))


def proof_of(circuit: Circuit, *connectors: Connector) -> FallbackProof:
    """Return the proof of a supply with these connectors."""
    site = SiteModel(circuits={circuit.circuit_id: circuit}, connectors={c.connector_id: c for c in connectors})
    return proofs_of(site)[circuit.circuit_id]


def broken(proof: FallbackProof) -> dict[Ceiling, float]:
    """Return the ceilings that do not hold, with what is too much."""
    return {shortfall.ceiling: shortfall.excess for shortfall in proof.shortfalls}


def a_supply(declared_a: float | None = 10.0, **ceilings: float) -> Circuit:
    return replace(a_circuit(rating_a=500.0, declared_a=declared_a), **ceilings)  # type: ignore[arg-type]  # by name


# What is added up -----------------------------------------------------------------------------------------------------


def test_a_circuit_draws_what_is_below_it_and_what_is_declared_of_itself() -> None:
    circuits = {
        "supply": a_circuit(declared_a=20.0),
        "board": a_circuit("board", parent_id="supply", declared_a=3.0),
        "feeder": a_circuit("feeder", parent_id="board", declared_a=None),
    }
    connectors = {
        "a": a_connector("a", "supply", fallback_a=6.0),
        "b": a_connector("b", "board", (1,), fallback_a=10.0),
        "c": a_connector("c", "feeder", None, fallback_a=16.0),
        "d": a_connector("d", "feeder"),
    }
    proofs = proofs_of(SiteModel(circuits=circuits, connectors=connectors))

    assert proofs["feeder"].amps == (16.0, 16.0, 16.0)
    assert proofs["board"].amps == (19.0, 29.0, 19.0)
    assert proofs["supply"].amps == (42.0, 52.0, 42.0)
    assert all(proof.fits for proof in proofs.values())


def test_a_supply_of_which_nothing_is_declared_is_not_proved_whatever_fits() -> None:
    assert not proof_of(a_supply(None)).declared
    assert proof_of(a_supply(0.0)).declared


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_the_worst_phase_is_judged(rotation: tuple[int, ...] | None) -> None:
    circuit = replace(a_circuit(declared_a=None), rating_a=(30.0, 20.0, 25.0), declared_base_load_a=(1.0, 2.0, 3.0))
    proof = proof_of(circuit, a_connector("a", rotation=rotation, fallback_a=32.0))
    counted = PHASES if rotation is None else rotation

    excesses = {
        phase: declared + (32.0 if phase in counted else 0.0) - rating
        for phase, (declared, rating) in enumerate(zip((1.0, 2.0, 3.0), (30.0, 20.0, 25.0), strict=True))
    }
    [shortfall] = proof.shortfalls
    assert shortfall.ceiling is Ceiling.RATING
    assert shortfall.excess == max(excesses.values())
    assert excesses[shortfall.phase or 0] == shortfall.excess


# Power ----------------------------------------------------------------------------------------------------------------


def test_power_is_that_at_the_highest_voltage_that_a_supply_may_have() -> None:
    total_a = 3 * 10.0 + 3 * 16.0 + 16.0
    connectors = (a_connector("a", fallback_a=16.0), a_connector("b", rotation=(2,), fallback_a=16.0))

    assert proof_of(a_supply(power_va=HIGHEST_V * total_a), *connectors).fits
    [shortfall] = proof_of(a_supply(power_va=HIGHEST_V * total_a - 100.0), *connectors).shortfalls
    assert (shortfall.ceiling, shortfall.phase) == (Ceiling.POWER, None)
    assert shortfall.excess == pytest.approx(100.0)


# The neutral conductor and the balance of phases ----------------------------------------------------------------------


def neutral_a(load: PhaseAmps) -> float:
    """Return the current of the neutral conductor at power factor 1."""
    return abs(sum(amps * cmath.exp(2j * math.pi * phase / 3) for phase, amps in enumerate(load)))


def ways_to_draw(connector: Connector) -> Iterator[PhaseAmps]:
    """Yield what a vehicle at its fallback may draw: nothing, one of its phases, two of them or all."""
    for chosen in product((0.0, connector.fallback_a), repeat=len(connector.phases)):
        amps = [0.0, 0.0, 0.0]
        for phase, drawn in zip(connector.phases, chosen, strict=True):
            amps[phase] = drawn
        yield (amps[0], amps[1], amps[2])


def loads(connectors: tuple[Connector, ...], declared: PhaseAmps) -> Iterator[tuple[PhaseAmps, PhaseAmps]]:
    """Yield every way in which vehicles and building share a circuit out, as (vehicles, all)."""
    for drawn in product(*(list(ways_to_draw(connector)) for connector in connectors)):
        vehicles = [sum(amps[phase] for amps in drawn) for phase in PHASES]
        for base in product(*((0.0, amps) for amps in declared)):
            both = [vehicles[phase] + base[phase] for phase in PHASES]
            yield (vehicles[0], vehicles[1], vehicles[2]), (both[0], both[1], both[2])


@st.composite
def few_connectors(draw: st.DrawFn) -> tuple[Connector, ...]:
    """Draw some connectors, few enough to go through all that they may do."""
    return tuple(
        a_connector(
            f"c{index}",
            rotation=draw(st.sampled_from(ROTATIONS)),
            fallback_a=draw(st.sampled_from([0.0, 6.0, 10.0, 16.0])),
        )
        for index in range(draw(st.integers(0, 3)))
    )


@given(connectors=few_connectors(), declared=st.tuples(*[st.sampled_from([0.0, 3.0, 10.0, 25.0])] * 3))
def test_a_neutral_that_fits_carries_whatever_vehicles_and_building_do(
    connectors: tuple[Connector, ...], declared: PhaseAmps
) -> None:
    charging = [c for c in connectors if c.fallback_a]
    circuit = replace(a_supply(None), declared_base_load_a=declared)
    # What the building alone may do is no matter of fallbacks.
    alone = max(neutral_a(load) for _, load in loads((), declared))
    worst = max(neutral_a(load) for _, load in loads(connectors, declared))

    [told] = proof_of(replace(circuit, neutral_a=0.001), *connectors).shortfalls if charging else [None]

    if told is None:
        assert worst == alone
    else:
        assert told.ceiling is Ceiling.NEUTRAL
        assert max(told.total, alone) == pytest.approx(worst)
        if told.total > alone:
            assert proof_of(replace(circuit, neutral_a=told.total), *connectors).fits
            assert broken(proof_of(replace(circuit, neutral_a=told.total - 1.0), *connectors)) == {
                Ceiling.NEUTRAL: pytest.approx(1.0)
            }


@given(connectors=few_connectors())
def test_an_unbalance_that_fits_is_kept_whatever_phases_the_vehicles_use(connectors: tuple[Connector, ...]) -> None:
    worst = max(max(vehicles) - min(vehicles) for vehicles, _ in loads(connectors, NO_AMPS))

    told = proof_of(a_supply(unbalance_a=0.001), *connectors).shortfalls

    assert [shortfall.total for shortfall in told] == ([worst] if worst else [])


def test_a_building_above_the_neutral_on_each_phase_is_not_the_fallbacks_fault_until_there_is_one() -> None:
    """A base load that is declared for each phase alone may be spread over all three, where a neutral carries none."""
    thin = a_supply(60.0, neutral_a=40.0, unbalance_a=20.0)

    assert proof_of(thin, a_connector("a")).fits
    assert broken(proof_of(thin, a_connector("a", fallback_a=6.0))) == {Ceiling.NEUTRAL: 26.0}


def test_each_ceiling_that_does_not_hold_is_told() -> None:
    circuit = replace(a_circuit(rating_a=20.0, declared_a=10.0), neutral_a=25.0, unbalance_a=10.0, power_va=HIGHEST_V)
    proof = proof_of(circuit, a_connector("a", rotation=(1,), fallback_a=16.0))

    assert [(told.ceiling, told.phase, told.most) for told in proof.shortfalls] == [
        (Ceiling.RATING, 1, 20.0),
        (Ceiling.NEUTRAL, 1, 25.0),
        (Ceiling.UNBALANCE, 1, 10.0),
        (Ceiling.POWER, None, HIGHEST_V),
    ]
    assert [told.total for told in proof.shortfalls] == pytest.approx([26.0, 26.0, 16.0, 46.0 * HIGHEST_V])
    assert not proof.fits
