"""The outcome of a pass: limits with their reasons, what is remembered, and the picture of every circuit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .admission import Places, turn_ends, turn_of
from .budget import Budget
from .demand import mean_w
from .fallback_proof import fallback_proofs
from .guard import ONE_PHASE
from .model import NO_AMPS, PHASES, Limit, MeterReading, MeterScope, PhaseAmps, Reason, VehicleState, plus
from .rest import FLOWS_A
from .rows import Layout
from .seat import Room, Seat, Sums
from .snapshot import CircuitDecision, Command, ConnectorMemory, Decision, Memory, Snapshot


def outcome(  # noqa: PLR0917 - the sum of all stages
    snapshot: Snapshot,
    seats: dict[str, Seat],
    budget: Budget,
    places: Places,
    commands: Sequence[Command],
    fallbacks: Sequence[str],
    sums: Sums,
) -> Decision:
    """Return what the stages found, in words and for the next pass."""
    layout, now = budget.layout, snapshot.now
    limits: dict[str, Limit] = {}
    remembered: dict[str, ConnectorMemory] = {}
    # Many have the same limit for the same reason: they share one picture of it.
    pictures: dict[tuple[float, Reason, int | None, float | None, bool], Limit] = {}
    for connector_id, seat in seats.items():
        index = None if seat.row is None else seat.row // layout.stride
        key = (seat.target, seat.reason, index, _moment_of(seat), seat.one_phase)
        limit = pictures.get(key)
        if limit is None:
            limit = pictures[key] = Limit(
                amps=seat.target,
                reason=seat.reason,
                circuit_id=None if index is None else layout.circuit_ids[index],
                expected_at=_expected_at(seat, snapshot, budget),
                phases=ONE_PHASE if seat.one_phase else None,
            )
        limits[connector_id] = limit
        place = connector_id in places.admitted
        awaited = snapshot.starting and seat.facts.vehicle is VehicleState.UNKNOWN
        if place is not seat.memory.holds_place and not awaited and not seat.woken:
            seat.memory = _with_place(seat.memory, now) if place else _without_place(seat.memory, now)
        remembered[connector_id] = seat.memory
    return Decision(
        limits=limits,
        commands=commands,
        circuits=_circuits(snapshot, seats, budget, sums),
        bounds={connector_id: seat.bound for connector_id, seat in seats.items()},
        queue=[key for key, _ in places.waiting],
        memory=Memory(
            connectors=remembered,
            circuits=budget.memories,
            demands=budget.demands,
            turn=turn_of(snapshot.wall, snapshot.on_time_s),
            at=now,
            room=Room(layout, seats),
        ),
        fallbacks=fallbacks,
        asked=sorted(budget.asked),
    )


def _moment_of(seat: Seat) -> float | None:
    """Return the moment of its own that it may wait for."""
    if seat.planned is not None and seat.reason is seat.planned.reason:
        return seat.planned.next_at
    return seat.memory.rest.asleep_until if seat.reason is Reason.ASLEEP else seat.facts.starts_at


def _expected_at(seat: Seat, snapshot: Snapshot, budget: Budget) -> float | None:
    """Return when the limit is expected to change for the better, UTC; None: nobody knows."""
    if seat.planned is not None and seat.reason is seat.planned.reason:
        return seat.planned.next_at
    if seat.reason is Reason.WAITING_TURN:
        return turn_ends(snapshot.wall, snapshot.on_time_s)
    asleep_until = seat.memory.rest.asleep_until
    if seat.reason is Reason.ASLEEP and asleep_until is not None:
        return snapshot.wall + asleep_until - snapshot.now
    if seat.reason is Reason.RESTARTING:
        return snapshot.wall + seat.facts.starts_at - snapshot.now
    if seat.reason is Reason.DEMAND and seat.row is not None:
        circuit = snapshot.site.circuits[budget.layout.circuit_of(seat.row)]
        if circuit.demand is not None:
            return (budget.demands[circuit.circuit_id].window + 1) * circuit.demand.window_s
    return None


def _with_place(memory: ConnectorMemory, now: float) -> ConnectorMemory:
    return replace(memory, holds_place=True, place_since=now)


def _without_place(memory: ConnectorMemory, now: float) -> ConnectorMemory:
    return replace(memory, holds_place=False, lost_place_at=now, served_s=memory.served(now))


def _circuits(snapshot: Snapshot, seats: Mapping[str, Seat], budget: Budget, sums: Sums) -> dict[str, CircuitDecision]:
    layout = budget.layout
    waiting, charging, limited = _counts(layout, seats)
    proofs = fallback_proofs(snapshot.site, layout, ((seat.connector, seat.fallback) for seat in seats.values()))
    result: dict[str, CircuitDecision] = {}
    for index, (circuit_id, circuit) in enumerate(snapshot.site.circuits.items()):
        at = index * layout.stride
        base = budget.base[circuit_id]
        reading = snapshot.meters.get(circuit_id)
        stale = circuit_id in budget.stale
        ev_load = (sums.drawn[at], sums.drawn[at + 1], sums.drawn[at + 2])
        unknown = stale or (circuit_id in snapshot.meters and reading is None)
        load = None if unknown else _load(reading, base, ev_load)
        committed = plus(base or NO_AMPS, (sums.worst[at], sums.worst[at + 1], sums.worst[at + 2]))
        against = load if load is not None else committed
        headroom = tuple(circuit.rating_a[p] - circuit.margin_a[p] - against[p] for p in PHASES)
        demand = budget.demands.get(circuit_id)
        result[circuit_id] = CircuitDecision(
            base_load_a=base,
            load_a=load,
            ev_load_a=ev_load,
            worst_case_a=committed,
            headroom_a=(headroom[0], headroom[1], headroom[2]),
            proof=proofs[circuit_id],
            limited=index in limited,
            stale=stale,
            waiting=waiting[index],
            charging=charging[index],
            demand_w=None if demand is None or circuit.demand is None else mean_w(demand, circuit.demand),
        )
    return result


def _counts(layout: Layout, seats: Mapping[str, Seat]) -> tuple[list[int], list[int], set[int]]:
    """Return how many wait and charge below each circuit, and which circuits hold somebody back."""
    stride = layout.stride
    waiting = [0] * len(layout.circuit_ids)
    charging = [0] * len(layout.circuit_ids)
    limited: set[int] = set()
    for seat in seats.values():
        if seat.drawn is not NO_AMPS and max(seat.drawn) > FLOWS_A:
            charging[seat.first // stride] += 1
        if seat.wants and seat.target < seat.lower:
            waiting[seat.first // stride] += 1
        if seat.row is not None and seat.reason is not Reason.SURPLUS:
            limited.add(seat.row // stride)
    for child, parent in layout.climb_order:
        waiting[parent // stride] += waiting[child // stride]
        charging[parent // stride] += charging[child // stride]
    return waiting, charging, limited


def _load(reading: MeterReading | None, base: PhaseAmps | None, ev_load: PhaseAmps) -> PhaseAmps | None:
    if reading is not None and reading.scope is MeterScope.EVERYTHING:
        return reading.amps
    if reading is not None and reading.scope is MeterScope.ALL_BUT_EVS:
        return plus(reading.amps, ev_load)
    return None if base is None else plus(base, ev_load)
