"""One pass: observe → budget → want → admit → share → guard → commands.

`decide` is a pure function of a snapshot and a small memory. Its stages stand below in the order in which they run;
each takes what the ones before it found and answers one question. What a stage finds about a connector is kept in one
`_Seat` per connector, so that a pass visits every connector a handful of times and no more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import guard
from .admission import Candidate, Places, admit, turn_ends, turn_of
from .allocation import ROUNDING_A, Claim, fair_shares
from .appetite import UNKNOWN_APPETITE, Appetite, observe
from .base_load import BaseMemory, follow, frozen
from .guard import CAR_SETTLING_S, DrawBound
from .model import (
    NO_AMPS,
    PHASES,
    Circuit,
    Connector,
    Limit,
    MeterReading,
    MeterScope,
    PhaseAmps,
    Reason,
    SharingRule,
    SiteModel,
    VehicleState,
)

OUTSTANDING_GRACE_S = 1.0
"""A charger that has not answered an order for this long counts at its old limit, and the others pay for it at once."""

SMALL_RAISE_A = 2.0
SMALL_RAISE_AFTER_S = 30.0
"""A raise smaller than the first waits until the limit has stood for the second: it spares contactors and cars."""

PAUSE_HYSTERESIS_S = 60.0
"""For so long after it lost its place a vehicle needs a little more room than its minimum to get it back."""

RAISE_AFTER_S = 5.0
"""A limit is not raised sooner than this after it changed: IEC 61851-1 gives a car 5 s to follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorFacts:
    """What is known of a connector at the time of a pass."""

    bound: DrawBound
    vehicle: VehicleState
    since: float
    """When the vehicle was plugged in, or the state began (monotonic)."""
    outstanding: bool = False
    """Whether a call with a limit has not been answered yet."""
    retry_at: float = 0.0
    """Not before this is an order sent again that failed."""
    proving: bool = False
    """Whether its fallback is being stored right now: shares reckon with success, raises do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that a pass may know."""

    now: float
    wall: float
    site: SiteModel
    facts: Mapping[str, ConnectorFacts]
    meters: Mapping[str, MeterReading | None]
    """By circuit, for every circuit that has a meter; None: no usable reading."""
    unheard: frozenset[str] = frozenset()
    """Circuits whose meter was started a moment ago and has not had the time to report."""
    starting: bool = False
    """Whether the site started a moment ago and has not heard of everything yet: nothing is raised."""
    validity_s: float = 30.0
    on_time_s: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorMemory:
    """What is remembered of a connector from pass to pass."""

    since: float
    """The session that this is about."""
    appetite: Appetite = UNKNOWN_APPETITE
    queued: bool = False
    """Whether it has entered the queue; it begins with as little service as who has least then."""
    holds_place: bool = False
    lost_place_at: float = -math.inf
    served_s: float = 0.0
    ignores_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The explicit memory of the controller."""

    connectors: Mapping[str, ConnectorMemory] = field(default_factory=dict)
    circuits: Mapping[str, BaseMemory] = field(default_factory=dict)
    turn: int | None = None
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A limit to be sent."""

    connector_id: str
    amps: float
    reason: Reason
    reduces: bool
    renews: bool = False
    """Nothing changes; only the validity starts anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitDecision:
    """What a pass found about a circuit."""

    base_load_a: PhaseAmps | None
    """Upper bound; None: not known."""
    load_a: PhaseAmps | None
    """All that flows by its meter, or by its vehicles and its declared base load; None: not known."""
    ev_load_a: PhaseAmps
    worst_case_a: PhaseAmps
    headroom_a: PhaseAmps
    proof: guard.FallbackProof
    limited: bool
    stale: bool
    waiting: int
    charging: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome of a pass."""

    limits: Mapping[str, Limit]
    """The limit decided for every connector, with its reason."""
    commands: Sequence[Command]
    """In order: reductions, then raises, then renewals."""
    circuits: Mapping[str, CircuitDecision]
    bounds: Mapping[str, DrawBound]
    """The draw bounds as time has made them."""
    queue: Sequence[str]
    """Connectors that wait for a place, the next one first."""
    memory: Memory


@dataclass(slots=True)
class _Seat:
    """What the stages of one pass found about one connector."""

    connector: Connector
    facts: ConnectorFacts
    bound: DrawBound
    memory: ConnectorMemory
    rows: tuple[int, ...]
    worst: float
    fallback: float
    upper: float = 0.0
    lower: float = 0.0
    fixed: float | None = None
    """Counts at this whatever is decided; None: it takes part in the sharing."""
    wants: bool = False
    target: float = 0.0
    reason: Reason = Reason.NO_VEHICLE
    row: int | None = None
    """The row that holds it back."""


@dataclass(slots=True)
class _Budget:
    """Amps per row: what sharing may use, and what increases may rest on."""

    share: list[float]
    prove: list[float]
    base: dict[str, PhaseAmps | None]
    stale: set[str]
    memories: dict[str, BaseMemory]


def decide(snapshot: Snapshot, memory: Memory) -> Decision:
    """Run one pass."""
    seats = _observe(snapshot, memory)
    budget = _budget(snapshot, memory, seats)
    _want(snapshot, seats)
    places = _admit(snapshot, memory, seats, budget)
    _share(snapshot, seats, places, budget)
    raises = _guard(snapshot, seats, budget)
    commands = _commands(snapshot, seats, raises)
    return _decision(snapshot, memory, seats, budget, places, commands)


# --- observe: what is each connector, and what may it draw at most? --------------------------------------------------


def _observe(snapshot: Snapshot, memory: Memory) -> dict[str, _Seat]:
    circuit_ids = list(snapshot.site.circuits)
    first_row = {circuit_id: 3 * index for index, circuit_id in enumerate(circuit_ids)}
    path_rows = {
        circuit_id: tuple(first_row[above] for above in path) for circuit_id, path in snapshot.site.paths.items()
    }
    seats: dict[str, _Seat] = {}
    for connector_id, connector in snapshot.site.connectors.items():
        facts = snapshot.facts.get(connector_id)
        if facts is None:
            facts = ConnectorFacts(bound=guard.unknown_bound(connector), vehicle=VehicleState.UNKNOWN, since=0.0)
        bound = guard.at_time(facts.bound, connector, snapshot.now)
        if facts.vehicle is VehicleState.ABSENT and bound.online:
            bound = guard.idle(bound, snapshot.now)
        remembered = memory.connectors.get(connector_id)
        if remembered is None or remembered.since != facts.since:
            remembered = ConnectorMemory(since=facts.since)
        if facts.vehicle in {VehicleState.WANTS, VehicleState.SATED}:
            appetite = observe(remembered.appetite, connector, bound)
            if appetite is not remembered.appetite:
                remembered = replace(remembered, appetite=appetite)
        phases = remembered.appetite.phases or connector.phases
        rows = tuple(base + phase for base in path_rows[connector.circuit_id] for phase in phases)
        seats[connector_id] = _Seat(
            connector=connector,
            facts=facts,
            bound=bound,
            memory=remembered,
            rows=rows,
            worst=guard.worst_case_a(connector, bound),
            fallback=guard.fallback_of(connector, bound),
        )
    return seats


# --- budget: how much is left for vehicles in each phase of each circuit? --------------------------------------------


def _budget(snapshot: Snapshot, memory: Memory, seats: Mapping[str, _Seat]) -> _Budget:
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
    return _Budget(share, prove, base, stale, memories)


def _plugged_below(snapshot: Snapshot, seats: Mapping[str, _Seat]) -> dict[str, list[tuple[Connector, DrawBound]]]:
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
    if frozen(after, below):
        stale.add(circuit_id)
        return declared, declared
    if reading.scope is MeterScope.EVS_ONLY:
        extra = declared or NO_AMPS
        return _plus(load.believed, extra), _plus(load.upper, extra)
    return load.believed, load.upper


# --- want: what does each connector take part with? ------------------------------------------------------------------


def _want(snapshot: Snapshot, seats: Mapping[str, _Seat]) -> None:
    for seat in seats.values():
        connector, facts, bound = seat.connector, seat.facts, seat.bound
        if facts.proving:
            seat.fallback = connector.fallback_a
        cap = connector.maximum_a if connector.cap_a is None else min(connector.cap_a, connector.maximum_a)
        seat.upper = _floor(cap, connector.step_a)
        seat.lower = _ceil(connector.minimum_a, connector.step_a)
        seat.fixed = seat.fallback
        unheard = (
            max(seat.fallback, *(max(draw.amps) for draw in bound.draws[-1:]), 0.0) if facts.proving else seat.worst
        )
        if not bound.online:
            seat.fixed = unheard
            seat.target = bound.limit_a if bound.limit_a is not None else seat.fallback
            seat.reason = Reason.OFFLINE
        elif facts.vehicle is VehicleState.UNKNOWN:
            seat.fixed = unheard
            seat.target = bound.limit_a if bound.limit_a is not None else seat.fallback
            seat.reason = Reason.STARTING
        elif facts.vehicle is VehicleState.FAULTED:
            seat.reason = Reason.FAULTED
        elif not connector.enabled:
            seat.reason = Reason.SWITCHED_OFF
        elif facts.vehicle is VehicleState.ABSENT:
            seat.target = connector.fallback_a
            seat.reason = Reason.NO_VEHICLE
        elif seat.upper < seat.lower:
            seat.reason = Reason.USER_CAP
        elif _ignores(seat, snapshot.now) or _unanswered(facts, snapshot.now):
            # It counts at what it may draw; it is asked for its minimum, and the others pay for the rest.
            seat.fixed = seat.worst
            seat.target = min(seat.lower, seat.worst)
            seat.reason = Reason.LIMIT_IGNORED if seat.memory.ignores_since is not None else Reason.WAITING_RELEASE
        else:
            seat.fixed = None
            seat.wants = facts.vehicle is VehicleState.WANTS


def _ignores(seat: _Seat, now: float) -> bool:
    obeys = guard.obeys(seat.bound)
    if obeys is None:
        return seat.memory.ignores_since is not None
    since = None if obeys else (now if seat.memory.ignores_since is None else seat.memory.ignores_since)
    if since != seat.memory.ignores_since:
        seat.memory = replace(seat.memory, ignores_since=since)
    return since is not None


def _unanswered(facts: ConnectorFacts, now: float) -> bool:
    bound = facts.bound
    if not bound.in_flight:
        return False
    return not facts.outstanding or (bound.ordered_at is not None and now - bound.ordered_at > OUTSTANDING_GRACE_S)


# --- admit: who has a place, when the minima do not fit together? ----------------------------------------------------


def _admit(snapshot: Snapshot, memory: Memory, seats: Mapping[str, _Seat], budget: _Budget) -> Places:
    room = list(budget.share)
    sharing = [seat for seat in seats.values() if seat.fixed is None]
    for seat in seats.values():
        if seat.fixed:
            for row in seat.rows:
                room[row] -= seat.fixed
    _drop_reserves_that_do_not_fit(room, sharing)
    budget.share = room
    least_served = min((s.memory.served_s for s in sharing if s.wants and s.memory.queued), default=0.0)
    candidates = []
    for seat in sharing:
        if not seat.wants:
            continue
        if not seat.memory.queued:
            seat.memory = replace(seat.memory, queued=True, served_s=least_served)
        remembered = seat.memory
        candidates.append(
            Candidate(
                key=seat.connector.connector_id,
                rows=seat.rows,
                minimum_a=max(seat.lower, min(seat.fallback, seat.upper)),
                reserved_a=seat.fallback,
                priority=seat.connector.priority,
                holds_place=remembered.holds_place,
                paused=snapshot.now - remembered.lost_place_at < PAUSE_HYSTERESIS_S,
                served_s=remembered.served_s,
                since=seat.facts.since,
            )
        )
    new_turn = memory.turn is not None and turn_of(snapshot.wall, snapshot.on_time_s) != memory.turn
    return admit(room, candidates, new_turn=new_turn)


def _drop_reserves_that_do_not_fit(room: Sequence[float], sharing: Sequence[_Seat]) -> None:
    """Count vehicles at what they are told where even their fallbacks do not fit.

    The base load is then above the declared worst: the proof of the fallback is broken, which is shown, and all that
    can be done is to tell vehicles less than their fallback.
    """
    reserved = [0.0] * len(room)
    for seat in sharing:
        for row in seat.rows:
            reserved[row] += seat.fallback
    broken = {row for row, amps in enumerate(reserved) if amps > 0.0 and amps > room[row] + ROUNDING_A}
    if broken:
        for seat in sharing:
            if not broken.isdisjoint(seat.rows):
                seat.fallback = 0.0


# --- share: how much does everybody get? -----------------------------------------------------------------------------


def _share(snapshot: Snapshot, seats: Mapping[str, _Seat], places: Places, budget: _Budget) -> None:
    room = list(budget.share)
    admitted: list[_Seat] = []
    sated: list[_Seat] = []
    waiting = dict(places.waiting)
    rows_per_circuit = {circuit_id: 3 * i for i, circuit_id in enumerate(snapshot.site.circuits)}
    for seat in seats.values():
        if seat.fixed is not None:
            continue
        if seat.connector.connector_id in places.admitted:
            admitted.append(seat)
            for row in seat.rows:
                room[row] -= max(0.0, seat.fallback - seat.upper)
            continue
        for row in seat.rows:
            room[row] -= seat.fallback
        if not seat.wants:
            sated.append(seat)
            continue
        seat.row = waiting[seat.connector.connector_id]
    taken = {row for seat in admitted for row in seat.rows}
    circuit_ids = list(snapshot.site.circuits)
    for seat in seats.values():
        if seat.fixed is None and seat.wants and seat.row is not None:
            if circuit_ids[seat.row // 3] in budget.stale:
                seat.reason = Reason.METER_STALE
            else:
                seat.reason = Reason.WAITING_TURN if seat.row in taken else Reason.NO_CAPACITY
    weights = _weights(snapshot.site, admitted, rows_per_circuit)
    # A row below zero has nobody admitted in it.
    room = [max(amps, 0.0) for amps in room]
    _fill_by_class(room, admitted, weights)
    _let_sated_resume(_hand_out_whole_steps(room, admitted), sated)


def _weights(
    site: SiteModel, admitted: Sequence[_Seat], rows_per_circuit: Mapping[str, int]
) -> list[tuple[int, float]]:
    """Return (class, weight) of each vehicle by the rule of the nearest circuit that has one."""
    rules: dict[str, SharingRule] = {}
    for circuit_id in rows_per_circuit:
        chosen = (site.circuits[above].sharing for above in site.paths[circuit_id])
        rules[circuit_id] = next((rule for rule in chosen if rule is not None), SharingRule.PROPORTIONAL)
    weights = []
    for seat in admitted:
        rule = rules[seat.connector.circuit_id]
        weights.append(
            (
                seat.connector.priority if rule is SharingRule.PRIORITY else 0,
                1.0 if rule is SharingRule.EQUAL else seat.upper,
            )
        )
    return weights


def _fill_by_class(room: Sequence[float], admitted: Sequence[_Seat], weights: Sequence[tuple[int, float]]) -> None:
    """Fill the classes from the highest down; the lower ones keep their minimum meanwhile."""
    lowers = [max(seat.lower, min(seat.fallback, seat.upper)) for seat in admitted]
    result = list(lowers)
    stopped: list[int | None] = [None] * len(admitted)
    for priority in sorted({w[0] for w in weights}, reverse=True):
        claims = []
        for index, seat in enumerate(admitted):
            appetite = seat.memory.appetite.upper_a
            upper = seat.upper if appetite is None else min(seat.upper, max(appetite, lowers[index]))
            if weights[index][0] != priority:
                upper = result[index]
            claims.append(Claim(seat.rows, result[index], max(upper, result[index]), weights[index][1]))
        shares = fair_shares(room, claims)
        for index, (amps, row) in enumerate(zip(shares.amps, shares.bottleneck, strict=True)):
            if weights[index][0] == priority:
                result[index] = amps
                stopped[index] = row
    for seat, amps, row in zip(admitted, result, stopped, strict=True):
        seat.target = amps
        seat.row = row


def _hand_out_whole_steps(room: Sequence[float], admitted: Sequence[_Seat]) -> list[float]:
    """Round shares down to the charger's step, give what is over step by step, and return what is left.

    Who has such a limit already comes first, so that left-overs do not wander.
    """
    left = list(room)
    wishes: list[tuple[bool, float, str, _Seat]] = []
    for seat in admitted:
        step = seat.connector.step_a
        exact = seat.target
        seat.target = max(_floor(exact, step), seat.lower)
        for row in seat.rows:
            left[row] -= max(seat.target, min(seat.fallback, seat.upper))
        if seat.row is not None:
            higher = seat.target + step
            has_it = seat.bound.limit_a is not None and seat.bound.limit_a >= higher - ROUNDING_A
            wishes.append((not has_it, seat.target - exact, seat.connector.connector_id, seat))
    wishes.sort(key=lambda wish: wish[:3])
    for _, _, _, seat in wishes:
        step = seat.connector.step_a
        most = seat.upper if seat.memory.appetite.upper_a is None else min(seat.upper, seat.memory.appetite.upper_a)
        if seat.target + step <= most + ROUNDING_A and all(left[row] >= step for row in seat.rows):
            seat.target += step
            for row in seat.rows:
                left[row] -= step
    for seat in admitted:
        seat.reason = _why_shared(seat)
    return left


def _why_shared(seat: _Seat) -> Reason:
    connector = seat.connector
    if seat.row is not None:
        return Reason.SHARED
    if seat.memory.appetite.upper_a is not None and seat.target < seat.upper - ROUNDING_A:
        return Reason.VEHICLE_TAKES_LESS
    if connector.cap_a is not None and connector.cap_a < connector.maximum_a:
        return Reason.USER_CAP
    return Reason.FULL_POWER


def _let_sated_resume(left: Sequence[float], sated: Sequence[_Seat]) -> None:
    """Offer a vehicle that takes nothing its minimum from what is left, so that it can begin again by itself."""
    spare = list(left)
    for seat in sorted(sated, key=lambda s: (s.facts.since, s.connector.connector_id)):
        extra = seat.lower - min(seat.fallback, seat.lower)
        seat.reason = Reason.VEHICLE_TAKES_LESS
        if all(spare[row] >= extra - ROUNDING_A for row in seat.rows):
            seat.target = seat.lower
            for row in seat.rows:
                spare[row] -= extra
        else:
            seat.target = 0.0


# --- guard: what may go out now, given what may still flow? ----------------------------------------------------------


def _guard(snapshot: Snapshot, seats: Mapping[str, _Seat], budget: _Budget) -> dict[str, float]:
    """Return the raises that are safe now: connector → amps."""
    if snapshot.starting:
        return {}
    slack = list(budget.prove)
    for seat in seats.values():
        for row in seat.rows:
            slack[row] -= seat.worst
    rising = _with_room_to_rise(slack, [seat for seat in seats.values() if _may_rise(seat, snapshot.now)])
    if not rising:
        return {}
    claims = []
    room = list(slack)
    for seat in rising:
        floor = max(seat.worst, seat.lower)
        claims.append(Claim(seat.rows, floor, max(seat.target, floor), max(seat.upper, 1.0)))
        for row in seat.rows:
            room[row] += floor
    shares = fair_shares([max(amps, 0.0) for amps in room], claims)
    raises = {}
    for seat, amps in zip(rising, shares.amps, strict=True):
        granted = min(_floor(amps, seat.connector.step_a), seat.target)
        if _worth_it(seat, granted, snapshot.now):
            raises[seat.connector.connector_id] = granted
    return raises


def _with_room_to_rise(slack: list[float], wishes: list[_Seat]) -> list[_Seat]:
    """Return who can have at least its minimum, in queue order; `slack` is what is left after that."""
    wishes.sort(key=lambda s: (-s.connector.priority, s.memory.served_s, s.facts.since, s.connector.connector_id))
    rising: list[_Seat] = []
    for seat in wishes:
        # A row that is committed beyond its ceiling lets nobody rise, not even to what is counted already.
        if any(slack[row] < -ROUNDING_A for row in seat.rows):
            continue
        floor = max(seat.worst, seat.lower)
        if any(slack[row] < floor - seat.worst - ROUNDING_A for row in seat.rows):
            continue
        for row in seat.rows:
            slack[row] -= floor - seat.worst
        rising.append(seat)
    return rising


def _may_rise(seat: _Seat, now: float) -> bool:
    limit = seat.bound.limit_a
    return (
        seat.fixed is None
        and limit is not None
        and seat.target > limit + ROUNDING_A
        and not seat.bound.in_flight
        and now >= seat.facts.retry_at
        and now - seat.bound.changed_at >= RAISE_AFTER_S
        and _settled(seat.bound, now)
    )


def _settled(bound: DrawBound, now: float) -> bool:
    """Return whether the last change is over: measured since, or long enough ago."""
    if now - bound.changed_at >= CAR_SETTLING_S:
        return True
    return bool(bound.draws) and bound.draws[-1].at > bound.changed_at and bound.limit_a == 0.0


def _worth_it(seat: _Seat, granted: float, now: float) -> bool:
    limit = seat.bound.limit_a or 0.0
    gain = granted - limit
    if granted < seat.lower - ROUNDING_A or gain < seat.connector.step_a - ROUNDING_A:
        return False
    return gain >= SMALL_RAISE_A or now - seat.bound.changed_at >= SMALL_RAISE_AFTER_S


# --- commands: what is sent, in which order? -------------------------------------------------------------------------


def _commands(snapshot: Snapshot, seats: Mapping[str, _Seat], raises: Mapping[str, float]) -> list[Command]:
    reductions: list[Command] = []
    increases: list[Command] = []
    renewals: list[Command] = []
    for connector_id, seat in seats.items():
        bound = seat.bound
        if not bound.online or seat.facts.vehicle is VehicleState.UNKNOWN:
            continue
        unproved = bool(bound.in_flight) and not seat.facts.outstanding
        ordered = bound.in_flight[-1] if seat.facts.outstanding and bound.in_flight else bound.limit_a
        idle = seat.facts.vehicle is VehicleState.ABSENT
        if ordered is None or unproved:
            # Nothing is known of its limit. A small known one is sure to be no increase of what is counted.
            if not idle or unproved:
                reductions.append(_command(seat, min(seat.target, seat.lower), reduces=True))
        elif seat.target < ordered - ROUNDING_A:
            reductions.append(_command(seat, seat.target, reduces=True))
        elif connector_id in raises:
            increases.append(_command(seat, raises[connector_id], reduces=False))
        elif _renewal_due(seat, snapshot):
            renewals.append(_command(seat, ordered, reduces=False, renews=True))
        if connector_id not in raises and seat.fixed is None and ordered is not None and seat.target > ordered:
            seat.reason = _why_not_yet(snapshot, seat)
    held = [c for c in (*reductions, *renewals) if snapshot.now < seats[c.connector_id].facts.retry_at]
    blocked = {c.connector_id for c in held}
    return [c for c in (*reductions, *increases, *renewals) if c.connector_id not in blocked]


def _command(seat: _Seat, amps: float, *, reduces: bool, renews: bool = False) -> Command:
    return Command(
        connector_id=seat.connector.connector_id, amps=amps, reason=seat.reason, reduces=reduces, renews=renews
    )


def _renewal_due(seat: _Seat, snapshot: Snapshot) -> bool:
    """Return whether the limit must be sent again: at a third of its validity, and only where it would run out."""
    bound = seat.bound
    if bound.expires_at is None or bound.in_flight or bound.limit_a == seat.connector.fallback_a:
        return False
    if bound.ordered_at is None:
        return True
    return snapshot.now - bound.ordered_at >= snapshot.validity_s / 3


def _why_not_yet(snapshot: Snapshot, seat: _Seat) -> Reason:
    if snapshot.starting:
        return Reason.STARTING
    if seat.bound.fallback_a is None:
        return Reason.FALLBACK_UNPROVED
    if (seat.bound.limit_a or 0.0) < seat.lower:
        return Reason.WAITING_RELEASE
    return seat.reason


# --- the picture -----------------------------------------------------------------------------------------------------


def _decision(  # noqa: PLR0917 - the sum of all stages
    snapshot: Snapshot,
    memory: Memory,
    seats: Mapping[str, _Seat],
    budget: _Budget,
    places: Places,
    commands: Sequence[Command],
) -> Decision:
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
            circuit_id=None if seat.row is None else circuit_ids[seat.row // 3],
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


def _circuits(snapshot: Snapshot, seats: Mapping[str, _Seat], budget: _Budget) -> dict[str, CircuitDecision]:
    rows = 3 * len(snapshot.site.circuits)
    worst, drawn, dead = [0.0] * rows, [0.0] * rows, [0.0] * rows
    limited: set[int] = set()
    waiting = [0] * len(snapshot.site.circuits)
    charging = [0] * len(snapshot.site.circuits)
    for seat in seats.values():
        fallback = guard.fallback_of(seat.connector, seat.bound)
        draw = seat.bound.draws[-1].amps if seat.bound.draws else NO_AMPS
        flows = max(draw) > 1.0
        for row in seat.rows:
            worst[row] += seat.worst
            drawn[row] += draw[row % 3]
        first_rows = {row - row % 3 for row in seat.rows}
        for first in first_rows:
            for phase in seat.connector.phases:
                dead[first + phase] += fallback
            waiting[first // 3] += seat.wants and seat.target < seat.lower
            charging[first // 3] += flows
        if seat.row is not None:
            limited.add(seat.row // 3)
    result: dict[str, CircuitDecision] = {}
    for index, (circuit_id, circuit) in enumerate(snapshot.site.circuits.items()):
        at = 3 * index
        base = budget.base[circuit_id]
        reading = snapshot.meters.get(circuit_id)
        stale = circuit_id in budget.stale
        ev_load = (drawn[at], drawn[at + 1], drawn[at + 2])
        unknown = stale or (circuit_id in snapshot.meters and reading is None)
        load = None if unknown else _load(reading, base, ev_load)
        committed = _plus(base or NO_AMPS, (worst[at], worst[at + 1], worst[at + 2]))
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
        return _plus(reading.amps, ev_load)
    return None if base is None else _plus(base, ev_load)


def _proof(circuit: Circuit, fallbacks: PhaseAmps, *, needs_base: bool) -> guard.FallbackProof:
    total = _plus(circuit.declared_base_load_a or NO_AMPS, fallbacks)
    return guard.FallbackProof(
        amps=total,
        excess_a=max(total[phase] - circuit.rating_a[phase] for phase in PHASES),
        declared=circuit.declared_base_load_a is not None or not needs_base,
    )


def _plus(a: PhaseAmps, b: PhaseAmps) -> PhaseAmps:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])


def _floor(amps: float, step: float) -> float:
    """Round down to a whole step; a share that is a whole step but for float noise stays."""
    return math.floor(amps / step + 1e-6) * step


def _ceil(amps: float, step: float) -> float:
    return math.ceil(amps / step - 1e-6) * step
