"""Budget stage: how much is left for vehicles in each phase of each circuit?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .base_load import BaseMemory, follow
from .guard import DrawBound
from .model import NO_AMPS, PHASES, Circuit, Connector, MeterScope, PhaseAmps, VehicleState, plus
from .seat import Seat
from .snapshot import Memory, Snapshot


@dataclass(slots=True)
class Budget:
    """Amps per row: what sharing may use, and what increases may rest on."""

    share: list[float]
    prove: list[float]
    base: dict[str, PhaseAmps | None]
    stale: set[str]
    memories: dict[str, BaseMemory]


def budget_for(snapshot: Snapshot, memory: Memory, seats: Mapping[str, Seat]) -> Budget:
    """Return what each row has for vehicles."""
    share: list[float] = []
    prove: list[float] = []
    base: dict[str, PhaseAmps | None] = {}
    stale: set[str] = set()
    memories: dict[str, BaseMemory] = {}
    below = _plugged_below(snapshot, seats)
    for circuit_id, circuit in snapshot.site.circuits.items():
        believed, upper = _base_of(snapshot, memory, circuit, below.get(circuit_id, ()), stale, memories)
        base[circuit_id] = believed
        for phase in PHASES:
            room = circuit.rating_a[phase] - circuit.margin_a[phase]
            share.append(0.0 if believed is None else room - believed[phase])
            prove.append(0.0 if upper is None or believed is None else room - max(upper[phase], 0.0))
    return Budget(share, prove, base, stale, memories)


def _plugged_below(snapshot: Snapshot, seats: Mapping[str, Seat]) -> dict[str, list[tuple[Connector, DrawBound]]]:
    """Return the connectors that may draw now below each circuit with a meter."""
    below: dict[str, list[tuple[Connector, DrawBound]]] = {circuit_id: [] for circuit_id in snapshot.meters}
    if below:
        for seat in seats.values():
            if seat.facts.vehicle is VehicleState.ABSENT and seat.bound.online:
                continue
            for circuit_id in snapshot.site.paths[seat.connector.circuit_id]:
                if circuit_id in below:
                    below[circuit_id].append((seat.connector, seat.bound))
    return below


def _base_of(  # noqa: PLR0917 - one call, from the stage above
    snapshot: Snapshot,
    memory: Memory,
    circuit: Circuit,
    below: Sequence[tuple[Connector, DrawBound]],
    stale: set[str],
    memories: dict[str, BaseMemory],
) -> tuple[PhaseAmps | None, PhaseAmps | None]:
    """Return the base load for sharing and the upper bound for increases; None: not known, so that nothing is left."""
    circuit_id = circuit.circuit_id
    declared = circuit.declared_base_load_a
    if circuit_id not in snapshot.meters:
        if declared is None and circuit.parent_id is None:
            return None, None
        known = declared or NO_AMPS
        return known, known
    reading = snapshot.meters[circuit_id]
    before = memory.circuits.get(circuit_id, BaseMemory())
    if circuit_id in snapshot.unheard and before.settled is not None:
        # What was believed before the restart keeps everybody where they are; nothing may rest on it.
        memories[circuit_id] = before
        return before.settled, None
    if reading is None or snapshot.now - reading.measured_at > reading.timeout_s:
        memories[circuit_id] = before
        stale.add(circuit_id)
        return declared, declared
    after, load = follow(before, reading, below, snapshot.now)
    memories[circuit_id] = after
    if after.stuck:
        stale.add(circuit_id)
        return declared, declared
    if reading.scope is MeterScope.EVS_ONLY:
        extra = declared or NO_AMPS
        return plus(load.believed, extra), plus(load.upper, extra)
    return load.believed, load.upper
