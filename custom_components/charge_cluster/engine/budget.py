"""Budget stage: how much is left for vehicles in each row of each circuit?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .base_load import BaseMemory, follow
from .demand import DemandMemory, allowed_w, follow_demand
from .guard import DrawBound
from .model import (
    HIGHEST_VOLTAGE_V,
    NO_AMPS,
    NOMINAL_VOLTAGE_V,
    PHASES,
    Circuit,
    Connector,
    MeterReading,
    MeterScope,
    PhaseAmps,
    Reason,
    VehicleState,
    plus,
)
from .obedience import by_measurements
from .rows import PHASE_ROWS, Layout, total_of
from .seat import Seat, Sums
from .snapshot import Memory, Snapshot


@dataclass(slots=True)
class Budget:
    """Amps per row: what sharing may use, and what increases may rest on."""

    layout: Layout
    share: list[float]
    prove: list[float]
    base: dict[str, PhaseAmps | None]
    stale: set[str]
    memories: dict[str, BaseMemory]
    demands: dict[str, DemandMemory]
    why: dict[int, Reason]
    """Rows that something else than the rating bounds."""
    margin: list[float]
    """What is kept free below the ceiling, which nothing but fallbacks may take."""
    empty: list[float]
    """What connectors count at that nothing is plugged into."""
    asked: set[str]
    """Connectors that should be measured now."""


@dataclass(slots=True)
class _Cap:
    """The lowest of the caps from outside on one circuit."""

    amps: list[float] = field(default_factory=lambda: [math.inf] * 3)
    vehicle_amps: list[float] = field(default_factory=lambda: [math.inf] * 3)
    watts: float = math.inf
    vehicle_watts: float = math.inf


NO_CAP = _Cap()
NOTHING_SEEN = BaseMemory()


def budget_for(snapshot: Snapshot, memory: Memory, seats: Mapping[str, Seat], layout: Layout, sums: Sums) -> Budget:
    """Return what each row has for vehicles."""
    rows = len(layout)
    budget = Budget(layout, [0.0] * rows, [0.0] * rows, {}, set(), {}, {}, {}, [0.0] * rows, sums.absent, set())
    below = _plugged_below(snapshot, seats)
    caps = _lowest_caps(snapshot)
    for index, (circuit_id, circuit) in enumerate(snapshot.site.circuits.items()):
        cap = caps.get(circuit_id, NO_CAP)
        load = _base_of(snapshot, memory, circuit, below.get(circuit_id, ()), cap, budget)
        budget.base[circuit_id] = None if load is None else load.believed
        if load is None:
            continue
        first = index * layout.stride
        _phases(circuit, load, cap, first, budget)
        if layout.power_at is not None:
            _power(snapshot, memory, circuit, load, cap, first, sums, budget)
        if layout.balance_at is not None:
            _balance(circuit, load, first + layout.balance_at, budget)
    return budget


def _lowest_caps(snapshot: Snapshot) -> dict[str, _Cap]:
    lowest: dict[str, _Cap] = {}
    for cap in snapshot.caps:
        held = lowest.setdefault(cap.circuit_id, _Cap())
        if cap.amps is not None:
            amps = held.vehicle_amps if cap.vehicles_only else held.amps
            amps[:] = map(min, amps, cap.amps, strict=True)
        if cap.watts is not None and cap.vehicles_only:
            held.vehicle_watts = min(held.vehicle_watts, cap.watts)
        elif cap.watts is not None:
            held.watts = min(held.watts, cap.watts)
    return lowest


def _phases(circuit: Circuit, load: _Load, cap: _Cap, first: int, budget: Budget) -> None:
    """Set what each phase has for vehicles.

    A cap is kept by what flows, and has its time to be: a connector that nothing is plugged into does not count below
    it, though a vehicle that comes may draw the fallback until its charger has heard otherwise. Were it counted, the
    fallbacks of an empty car park would leave nothing of the cap to the few vehicles that are there.
    """
    for phase in PHASES:
        row = first + phase
        empty = budget.empty[row]
        most = min(circuit.rating_a[phase], cap.amps[phase] + empty) - circuit.margin_a[phase]
        vehicles = cap.vehicle_amps[phase] + empty
        share = most - load.believed[phase]
        # Nothing may rest on a base load that nobody has measured since the start.
        prove = 0.0 if load.upper is None else most - max(load.upper[phase], 0.0)
        budget.share[row], budget.prove[row] = min(share, vehicles), min(prove, vehicles)
        budget.margin[row] = min(share + circuit.margin_a[phase], vehicles) - budget.share[row]
        if cap.amps[phase] + empty < circuit.rating_a[phase] or vehicles < share:
            budget.why[row] = Reason.EXTERNAL_CAP


def _plugged_below(snapshot: Snapshot, seats: Mapping[str, Seat]) -> dict[str, list[tuple[Connector, DrawBound]]]:
    """Return the connectors that may draw now below each circuit with a meter."""
    below: dict[str, list[tuple[Connector, DrawBound]]] = {circuit_id: [] for circuit_id in snapshot.meters}
    if not below:
        return below
    paths = snapshot.site.paths
    lists_of: dict[str, list[list[tuple[Connector, DrawBound]]]] = {}
    for seat in seats.values():
        if seat.facts.vehicle is VehicleState.ABSENT and seat.bound.online:
            continue
        circuit_id = seat.connector.circuit_id
        lists = lists_of.get(circuit_id)
        if lists is None:
            lists = lists_of[circuit_id] = [below[above] for above in paths[circuit_id] if above in below]
        bound = seat.bound
        if seat.memory.conduct.in_doubt and bound.draws:
            bound = by_measurements(bound, seat.connector, snapshot.now)
        pair = (seat.connector, bound)
        for members in lists:
            members.append(pair)
    return below


@dataclass(frozen=True, slots=True)
class _Load:
    """The base load of a circuit as this pass reckons with it."""

    believed: PhaseAmps
    """For shares."""
    upper: PhaseAmps | None
    """For increases; None: nothing may rest on it."""
    least: PhaseAmps
    """What surely flows."""


def _base_of(  # noqa: PLR0917 - one call, from the stage above
    snapshot: Snapshot,
    memory: Memory,
    circuit: Circuit,
    below: Sequence[tuple[Connector, DrawBound]],
    cap: _Cap,
    budget: Budget,
) -> _Load | None:
    """Return the base load of a circuit; None: it is not known, so that nothing is left."""
    circuit_id = circuit.circuit_id
    declared = circuit.declared_base_load_a
    if circuit_id not in snapshot.meters:
        if declared is None and circuit.parent_id is None:
            return None
        return _declared(declared or NO_AMPS)
    reading = snapshot.meters[circuit_id]
    before = memory.circuits.get(circuit_id, NOTHING_SEEN)
    unheard = circuit_id in snapshot.unheard
    if unheard and before.settled is not None and not before.stuck:
        # What was believed before the restart keeps everybody where they are; nothing may rest on it.
        budget.memories[circuit_id] = before
        return _Load(before.settled, None, NO_AMPS)
    if reading is None or snapshot.now - reading.measured_at > reading.timeout_s:
        budget.memories[circuit_id] = before
        budget.stale.add(circuit_id)
        return None if declared is None else _declared(declared)
    if circuit.generation_a != NO_AMPS and reading.scope is not MeterScope.EVS_ONLY:
        reading = replace(reading, hidden_a=_hidden(snapshot, circuit))
    (r1, r2, r3), (c1, c2, c3) = circuit.rating_a, cap.amps
    ceiling = (min(r1, c1), min(r2, c2), min(r3, c3))
    after, load = follow(before, reading, below, snapshot.now, ceiling, total_a=_total_a(snapshot, circuit, cap))
    budget.memories[circuit_id] = after
    budget.asked.update(load.asked)
    if after.stuck:
        budget.stale.add(circuit_id)
        return None if declared is None else _declared(declared)
    if reading.scope is MeterScope.EVS_ONLY:
        extra = declared or NO_AMPS
        return _Load(plus(load.believed, extra), plus(load.upper, extra), NO_AMPS)
    # At the newest reading the lower bound is as wide as what the vehicles may have changed since they reported. What
    # the base load was at least when they last did is tight, and no less sure: it may fall at any moment anyhow.
    return _Load(load.believed, load.upper, load.least if after.reached is None else after.reached)


def _declared(amps: PhaseAmps) -> _Load:
    return _Load(amps, amps, NO_AMPS)


def _hidden(snapshot: Snapshot, circuit: Circuit) -> PhaseAmps:
    """Return the load that generation on a circuit may cover now: what is measured of it, or all that it could.

    What is measured counts where it is more than was declared, too: so much load is hidden.
    """
    reading = snapshot.generation.get(circuit.circuit_id)
    if reading is None or snapshot.now - reading.measured_at > reading.timeout_s:
        return circuit.generation_a
    fed = reading.amps
    return (max(fed[0], 0.0), max(fed[1], 0.0), max(fed[2], 0.0))


# Other ceilings than those of the phases ------------------------------------------------------------------------------


def _balance(circuit: Circuit, load: _Load, first: int, budget: Budget) -> None:
    """Set what each phase has for vehicles that may load it alone.

    The difference between two phases is greatest when all that may stop has stopped on the lower one. So a vehicle on
    another phase gives no credit, and what loads all phases alike does not count. The current of the neutral conductor
    is at most the greatest difference between two phases: three currents of I₁ ≥ I₂ ≥ I₃ at 120° and power factor 1
    add up to √(a² + ab + b²) ≤ a + b with a = I₁ − I₂ and b = I₂ − I₃.
    """
    unbalance = math.inf if circuit.unbalance_a is None else circuit.unbalance_a
    neutral = math.inf if circuit.neutral_a is None else circuit.neutral_a
    most = min(unbalance, neutral - max(circuit.margin_a))
    upper = load.upper
    for phase in PHASES:
        row = first + phase
        if most == math.inf:
            budget.share[row] = budget.prove[row] = math.inf
            continue
        others = [other for other in PHASES if other != phase]
        budget.margin[row] = min(unbalance, neutral) - most
        budget.share[row] = most - load.believed[phase] + min(load.believed[other] for other in others)
        budget.prove[row] = 0.0 if upper is None else most - upper[phase] + min(load.least[other] for other in others)
        budget.why[row] = Reason.PHASE_BALANCE


def _power(  # noqa: PLR0917 - one call, from the stage above
    snapshot: Snapshot,
    memory: Memory,
    circuit: Circuit,
    load: _Load,
    cap: _Cap,
    first: int,
    sums: Sums,
    budget: Budget,
) -> None:
    """Set what the sum of the phases has for vehicles, in amps; empty connectors count below no cap, see `_phases`."""
    row = first + PHASE_ROWS
    empty = budget.empty[row]
    volts = _highest_voltage(snapshot, circuit.circuit_id)
    margin = total_of(circuit.margin_a)
    ceiling = most = math.inf
    why = None
    if circuit.power_va is not None:
        ceiling = circuit.power_va / volts
        most = ceiling - margin
    if circuit.demand is not None:
        flowing = _flowing_w(snapshot, circuit, load, sums, first, volts)
        before = memory.demands.get(circuit.circuit_id)
        demand = follow_demand(before, circuit.demand, flowing, snapshot.now, snapshot.wall)
        budget.demands[circuit.circuit_id] = demand
        allowed = allowed_w(demand, circuit.demand) / volts + empty
        ceiling = min(ceiling, allowed)
        if allowed < most:
            most, why = allowed, Reason.DEMAND
    if cap.watts < math.inf:
        capped = cap.watts / volts + empty
        ceiling = min(ceiling, capped)
        capped -= margin
        if capped < most:
            most, why = capped, Reason.EXTERNAL_CAP
    share = most - total_of(load.believed)
    prove = 0.0 if load.upper is None else most - total_of(load.upper)
    vehicles = cap.vehicle_watts / volts + empty
    if vehicles < share:
        why = Reason.EXTERNAL_CAP
    budget.share[row], budget.prove[row] = min(share, vehicles), min(prove, vehicles)
    if most < math.inf:
        budget.margin[row] = min(ceiling - total_of(load.believed), vehicles) - budget.share[row]
    if why is not None:
        budget.why[row] = why


def _total_a(snapshot: Snapshot, circuit: Circuit, cap: _Cap) -> float:
    """Return what may flow at most through all phases together."""
    watts = cap.watts if circuit.power_va is None else min(circuit.power_va, cap.watts)
    return watts if watts == math.inf else watts / _highest_voltage(snapshot, circuit.circuit_id)


def _highest_voltage(snapshot: Snapshot, circuit_id: str) -> float:
    for above in snapshot.site.paths[circuit_id]:
        reading = snapshot.meters.get(above)
        if reading is not None and reading.voltage_v is not None:
            return max(reading.voltage_v, NOMINAL_VOLTAGE_V)
    return HIGHEST_VOLTAGE_V


def _flowing_w(  # noqa: PLR0917 - one call, from the function above
    snapshot: Snapshot, circuit: Circuit, load: _Load, sums: Sums, first: int, volts: float
) -> float:
    """Return the import that flows now: by the meter, or at most."""
    reading: MeterReading | None = snapshot.meters.get(circuit.circuit_id)
    fresh = reading is not None and snapshot.now - reading.measured_at <= reading.timeout_s
    if reading is not None and fresh and reading.scope is MeterScope.EVERYTHING:
        return max(0.0, total_of(reading.amps)) * volts
    worst = sum(sums.worst[first + phase] for phase in PHASES)
    return (total_of(load.believed) + worst) * volts
