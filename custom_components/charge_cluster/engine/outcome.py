"""The outcome of a pass: limits with their reasons, what is remembered, and the picture of every circuit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .admission import Places, turn_ends, turn_of
from .budget import Budget
from .guard import FallbackProof, fallback_of
from .model import NO_AMPS, PHASES, Circuit, Limit, MeterReading, MeterScope, PhaseAmps, Reason, plus
from .seat import ROWS_PER_CIRCUIT, Seat
from .snapshot import CircuitDecision, Command, ConnectorMemory, Decision, Memory, Snapshot


def outcome(  # noqa: PLR0917 - the sum of all stages
    snapshot: Snapshot,
    memory: Memory,
    seats: Mapping[str, Seat],
    budget: Budget,
    places: Places,
    commands: Sequence[Command],
) -> Decision:
    """Return what the stages found, in words and for the next pass."""
    circuit_ids = list(snapshot.site.circuits)
    elapsed = 0.0 if memory.at is None else max(0.0, min(snapshot.now - memory.at, 60.0))
    limits: dict[str, Limit] = {}
    remembered: dict[str, ConnectorMemory] = {}
    expected = turn_ends(snapshot.wall, snapshot.on_time_s)
    for connector_id, seat in seats.items():
        waits = seat.reason is Reason.WAITING_TURN
        limits[connector_id] = Limit(
            amps=seat.target,
            reason=seat.reason,
            circuit_id=None if seat.row is None else circuit_ids[seat.row // ROWS_PER_CIRCUIT],
            expected_at=expected if waits else None,
        )
        place = connector_id in places.admitted
        kept = seat.memory
        if place or kept.holds_place:
            kept = replace(
                kept,
                holds_place=place,
                lost_place_at=kept.lost_place_at if place else snapshot.now,
                served_s=kept.served_s + (elapsed if place and kept.holds_place else 0.0),
            )
        remembered[connector_id] = kept
    return Decision(
        limits=limits,
        commands=commands,
        circuits=_circuits(snapshot, seats, budget),
        bounds={connector_id: seat.bound for connector_id, seat in seats.items()},
        queue=[key for key, _ in places.waiting],
        memory=Memory(
            connectors=remembered,
            circuits=budget.memories,
            turn=turn_of(snapshot.wall, snapshot.on_time_s),
            at=snapshot.now,
        ),
    )


def _circuits(snapshot: Snapshot, seats: Mapping[str, Seat], budget: Budget) -> dict[str, CircuitDecision]:
    rows = ROWS_PER_CIRCUIT * len(snapshot.site.circuits)
    worst, drawn, dead = [0.0] * rows, [0.0] * rows, [0.0] * rows
    limited: set[int] = set()
    waiting = [0] * len(snapshot.site.circuits)
    charging = [0] * len(snapshot.site.circuits)
    for seat in seats.values():
        fallback = fallback_of(seat.connector, seat.bound)
        draw = seat.bound.draws[-1].amps if seat.bound.draws else NO_AMPS
        flows = max(draw) > 1.0
        for row in seat.rows:
            worst[row] += seat.worst
            drawn[row] += draw[row % ROWS_PER_CIRCUIT]
        first_rows = {row - row % ROWS_PER_CIRCUIT for row in seat.rows}
        for first in first_rows:
            for phase in seat.connector.phases:
                dead[first + phase] += fallback
            waiting[first // ROWS_PER_CIRCUIT] += seat.wants and seat.target < seat.lower
            charging[first // ROWS_PER_CIRCUIT] += flows
        if seat.row is not None:
            limited.add(seat.row // ROWS_PER_CIRCUIT)
    result: dict[str, CircuitDecision] = {}
    for index, (circuit_id, circuit) in enumerate(snapshot.site.circuits.items()):
        at = ROWS_PER_CIRCUIT * index
        base = budget.base[circuit_id]
        reading = snapshot.meters.get(circuit_id)
        stale = circuit_id in budget.stale
        ev_load = (drawn[at], drawn[at + 1], drawn[at + 2])
        unknown = stale or (circuit_id in snapshot.meters and reading is None)
        load = None if unknown else _load(reading, base, ev_load)
        committed = plus(base or NO_AMPS, (worst[at], worst[at + 1], worst[at + 2]))
        against = load if load is not None else committed
        headroom = tuple(circuit.rating_a[p] - circuit.margin_a[p] - against[p] for p in PHASES)
        needs_base = circuit.parent_id is None
        result[circuit_id] = CircuitDecision(
            base_load_a=base,
            load_a=load,
            ev_load_a=ev_load,
            worst_case_a=committed,
            headroom_a=(headroom[0], headroom[1], headroom[2]),
            proof=_proof(circuit, (dead[at], dead[at + 1], dead[at + 2]), needs_base=needs_base),
            limited=index in limited,
            stale=stale,
            waiting=waiting[index],
            charging=charging[index],
        )
    return result


def _load(reading: MeterReading | None, base: PhaseAmps | None, ev_load: PhaseAmps) -> PhaseAmps | None:
    if reading is not None and reading.scope is MeterScope.EVERYTHING:
        return reading.amps
    if reading is not None and reading.scope is MeterScope.ALL_BUT_EVS:
        return plus(reading.amps, ev_load)
    return None if base is None else plus(base, ev_load)


def _proof(circuit: Circuit, fallbacks: PhaseAmps, *, needs_base: bool) -> FallbackProof:
    total = plus(circuit.declared_base_load_a or NO_AMPS, fallbacks)
    return FallbackProof(
        amps=total,
        excess_a=max(total[phase] - circuit.rating_a[phase] for phase in PHASES),
        declared=circuit.declared_base_load_a is not None or not needs_base,
    )
