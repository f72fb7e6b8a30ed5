"""What the planner is given: who is there, what each circuit has left in each slot, and whom room is kept for.

Times are UTC POSIX seconds; a slot is a quarter of an hour, or five minutes where prices are as short. Nothing here is
a promise about current: a plan that was made of it is followed as far as every pass finds room, and made anew where it
was wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from ..engine.guard import stored_at_most_a
from ..engine.model import (
    HIGHEST_VOLTAGE_V,
    NO_AMPS,
    NOMINAL_VOLTAGE_V,
    PHASES,
    Circuit,
    PhaseAmps,
    SiteModel,
)
from ..engine.planner import PlannedSession, SessionPlan
from ..engine.snapshot import Decision
from ..engine.tariff import LEAST_STEP_S, USUAL_STEP_S, Grid, PriceCurve
from .aims import LEAST_MORE_WH
from .cap import Afterwards
from .connector import ConnectorState
from .foresight import ExpectedStay, StillHere
from .plan import SECONDS_AN_HOUR, Aim
from .usual_load import UsualLoads
from .views import CapView

HORIZON_S = 48 * 3600.0
"""Nothing is planned further ahead: prices are known for less."""

MOST_SLOTS = 192
"""Where slots are short the horizon is nearer: making a plan takes as long as it has slots."""

MOST_PAUSES = 2
"""With the limit before and the fallback after them these are six periods at most; chargers hold as many or more."""

SPARE_S = 300.0
"""A session is planned to be ready so long before its vehicle leaves: it may get a little less than planned."""

LOST_COSTS = 3.4
"""Energy that is planned for when the vehicle has gone is dearer by so many times the mean price, as likely as that is:
0.6 EUR/kWh at the 0.175 of the replay that chose it. Prices are in any currency, and may be blended with emissions."""

LATER_COSTS = 0.0114
"""Each hour that energy is put off is dearer by this share of the mean price: 0.002 EUR/kWh at the 0.175 of the same
replay. Who comes unforeseen finds the more room, the less was put off."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a plan is made of."""

    model: SiteModel
    states: Mapping[str, ConnectorState]
    decision: Decision
    caps: Mapping[str, tuple[CapView, ...]]
    now: float


def grid_for(prices: Callable[[float, float], PriceCurve], now: float, last: float) -> Grid:
    """Return the slots of a plan from now on until the last vehicle leaves, as far as is planned ahead.

    They are quarters of an hour, and shorter where prices change in between: the mean of a cheap and a dear part would
    hide both.
    """
    end = min(last, now + HORIZON_S)
    curve = prices(now, min(end, now + MOST_SLOTS * LEAST_STEP_S))
    short = any(start % USUAL_STEP_S for start in curve.starts if start > now)
    if not short:
        return Grid.covering(now, end)
    return Grid.covering(now, min(end, now + (MOST_SLOTS - 1) * LEAST_STEP_S), LEAST_STEP_S)


def filled(cost: Sequence[float | None]) -> tuple[float, ...] | None:
    """Return what slots cost, where that is not known what they cost in the mean; None: nothing is known.

    So an hour of which nothing is known is neither favoured nor avoided.
    """
    known = [each for each in cost if each is not None]
    if not known:
        return None
    mean = math.fsum(known) / len(known)
    return tuple(mean if each is None else each for each in cost)


def lost_costs(cost: Sequence[float]) -> float:
    """Return what a kilowatt-hour costs beside its price that is planned for when its vehicle has gone."""
    return LOST_COSTS * fmean(map(abs, cost))


def later_costs(cost: Sequence[float]) -> float:
    """Return what a kilowatt-hour costs beside its price for each hour that it is put off."""
    return LATER_COSTS * fmean(map(abs, cost))


def shape_of(state: ConnectorState, decision: Decision) -> tuple[tuple[int, ...], float]:
    """Return the phases that a vehicle uses and the most that it takes, as well as that is known."""
    connector = state.connector
    remembered = decision.memory.connectors.get(state.key)
    appetite = None if remembered is None else remembered.appetite
    phases = _likely_phases(state) if appetite is None or appetite.phases is None else appetite.phases
    most = connector.maximum_a if connector.cap_a is None else min(connector.cap_a, connector.maximum_a)
    if state.needs is not None and state.needs.most_a is not None:
        most = min(most, state.needs.most_a)
    if appetite is not None and appetite.upper_a is not None:
        most = min(most, appetite.upper_a)
    return phases, max(most, connector.minimum_a)


def _likely_phases(state: ConnectorState) -> tuple[int, ...]:
    """Return the phases of a vehicle that was not seen to charge: as it says itself, or as its driver's did before."""
    connector, session = state.connector, state.session
    told = None if state.needs is None else state.needs.phases
    count = told or (None if session is None else session.usual_phases)
    if count is None or connector.rotation is None:
        return connector.phases
    return connector.rotation[:count]


def planned_session(
    state: ConnectorState,
    situation: Situation,
    aim: Aim,
    grid: Grid,
    *,
    taken_wh: float,
    delay_s: float,
    only_in: Sequence[bool] | None = None,
    still_here: StillHere | None = None,
) -> PlannedSession:
    """Return a session as the planner is to see it.

    Args:
        taken_wh: what the session has taken: who has had least comes first where not all fits.
        delay_s: by so much what is planned may be put off at random; it is done before the vehicle leaves all the same.
        only_in: slots in which it may charge; None: any.
        still_here: how likely its vehicle is there until the aim ends; None: surely.
    """
    connector = state.connector
    phases, most_a = shape_of(state, situation.decision)
    margin_s = max(delay_s, SPARE_S)
    return PlannedSession(
        key=state.key,
        circuit_id=connector.circuit_id,
        phases=phases,
        minimum_a=min(connector.minimum_on(phases), most_a),
        maximum_a=most_a,
        step_a=connector.step_a,
        ready_at=situation.now,
        leave_at=max(min(aim.leave_at - margin_s, grid.end), min(aim.leave_at, situation.now + USUAL_STEP_S)),
        wanted_wh=aim.remaining_wh,
        taken_wh=taken_wh,
        allowed=None if only_in is None else tuple(only_in),
        staying=None if still_here is None else staying(still_here, situation.now, grid, delay_s),
        kept_a=kept_of(state),
    )


def staying(still_here: StillHere, now: float, grid: Grid, delay_s: float) -> tuple[float, ...]:
    """Return how likely a vehicle is still there when what is planned for a slot has flowed, put off or not.

    It is there now: what flows in the present slot is not lost.
    """
    return tuple(still_here.at(slot.end + delay_s) if slot.start > now else 1.0 for slot in grid.slots())


def had_by(leave_at: float, found: SessionPlan, session: PlannedSession, grid: Grid) -> SessionPlan:
    """Return a plan with what is had of it by a departure: it may go on for a vehicle that is still there then."""
    if found.completes_at is None or found.completes_at <= leave_at:
        return found
    amp_hours = math.fsum(
        amps * max(0.0, min(slot.end, leave_at) - max(slot.start, session.ready_at)) / SECONDS_AN_HOUR
        for slot, amps in zip(grid.slots(), found.amps, strict=True)
    )
    energy_wh = min(found.energy_wh, amp_hours * session.delivers_w)
    lost_wh = found.energy_wh - energy_wh
    return replace(found, energy_wh=energy_wh, shortfall_wh=found.shortfall_wh + lost_wh, completes_at=None)


def base_of(circuit: Circuit, situation: Situation, loads: UsualLoads, grid: Grid) -> list[PhaseAmps]:
    """Return what a circuit is expected to carry beside vehicles, slot by slot."""
    decided = situation.decision.circuits.get(circuit.circuit_id)
    present = (None if decided is None else decided.base_load_a) or circuit.declared_base_load_a or NO_AMPS
    return loads.expected(circuit.circuit_id, grid, situation.now, present)


def room_of(circuit: Circuit, situation: Situation, loads: UsualLoads, grid: Grid) -> list[PhaseAmps]:
    """Return what a circuit is expected to have for vehicles, slot by slot."""
    usual = base_of(circuit, situation, loads, grid)
    found = []
    for slot, base in zip(grid.slots(), usual, strict=True):
        caps = [cap for cap in situation.caps[circuit.circuit_id] if _holds(cap, slot.start)]
        l1, l2, l3 = (_room(circuit, caps, phase, base[phase]) for phase in PHASES)
        found.append((l1, l2, l3))
    return found


def pauses(  # noqa: PLR0917 - a small plan for one session alone
    grid: Grid,
    cost: Sequence[float],
    now: float,
    leave_at: float,
    wanted_wh: float,
    power_w: float,
    only_in: Sequence[bool] | None,
) -> tuple[tuple[float, float], ...]:
    """Return when a session pauses that nobody leads and that has so much power when it does not.

    It has the cheapest slots that give it what it wants, and after the last of them it never pauses; what it wants goes
    before the cost. A charger holds a few periods only, so the shortest pauses are left out.
    """
    if power_w <= 0.0:
        return ()
    open_slots = only_in or (True,) * grid.count
    here = [index for index in range(grid.count) if grid.slot(index).start < leave_at]
    charges: set[int] = set()
    left_wh = wanted_wh
    for index in sorted(here, key=lambda each: (not open_slots[each], cost[each], each)):
        if left_wh <= 0.0:
            break
        slot = grid.slot(index)
        charges.add(index)
        left_wh -= power_w * (min(slot.end, leave_at) - max(slot.start, now)) / SECONDS_AN_HOUR
    found: list[tuple[float, float]] = []
    last = max(charges, default=-1)
    for index in here:
        # How much it wants may be a guess: nobody is paused who has had it.
        if index in charges or index > last:
            continue
        slot = grid.slot(index)
        end = min(slot.end, leave_at)
        if found and found[-1][1] == slot.start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((slot.start, end))
    longest = sorted(found, key=lambda window: window[0] - window[1])[:MOST_PAUSES]
    return tuple(sorted(longest))


def _holds(cap: CapView, at: float) -> bool:
    """Return whether a cap holds at a time: some stay when their time is over."""
    return cap.after == Afterwards.KEEP or cap.expires_at is None or cap.expires_at > at


def take_unplanned(
    free_a: Mapping[str, list[PhaseAmps]], situation: Situation, grid: Grid, planned: Collection[str], usual_wh: float
) -> None:
    """Take out of what is free what vehicles draw that charge without a plan, for as long as they may go on."""
    for state in situation.states.values():
        session, limit = state.session, situation.decision.limits.get(state.key)
        if session is None or state.key in planned or limit is None or limit.amps <= 0.0:
            continue
        phases, _ = shape_of(state, situation.decision)
        left_wh = max(usual_wh - session.energy_wh, LEAST_MORE_WH)
        hours = left_wh / (limit.amps * len(phases) * NOMINAL_VOLTAGE_V)
        slots = min(grid.count, math.ceil(hours * SECONDS_AN_HOUR / grid.step_s))
        for circuit_id in situation.model.paths.get(state.connector.circuit_id, ()):
            free = free_a[circuit_id]
            for slot in range(slots):
                l1, l2, l3 = (
                    max(0.0, amps - limit.amps * phases.count(phase)) for phase, amps in enumerate(free[slot])
                )
                free[slot] = (l1, l2, l3)


def kept_of(state: ConnectorState) -> float:
    """Return the amps that passes keep for a connector that waits or is empty: it may go to its fallback by itself."""
    return min(stored_at_most_a(state.bound), state.connector.maximum_a)


def take_fallbacks(free_a: Mapping[str, list[PhaseAmps]], situation: Situation, planned: Collection[str]) -> None:
    """Take out of what is free what passes keep for connectors, whether they charge or wait.

    A session with a plan may draw as much of it as it likes (`PlannedSession.kept_a`). One without a plan draws by
    itself. Where a cap from outside leaves less than all fallbacks together a plan may promise more than there is:
    caps are kept by control alone.
    """
    taken = {circuit_id: [0.0] * len(PHASES) for circuit_id in free_a}
    for state in situation.states.values():
        kept_a = kept_of(state)
        if kept_a <= 0.0 or state.leaving or (state.key not in planned and state.session is not None):
            continue
        for circuit_id in situation.model.paths.get(state.connector.circuit_id, ()):
            for phase in state.connector.phases:
                taken[circuit_id][phase] += kept_a
    for circuit_id, free in free_a.items():
        kept1, kept2, kept3 = taken[circuit_id]
        free[:] = [(max(0.0, l1 - kept1), max(0.0, l2 - kept2), max(0.0, l3 - kept3)) for l1, l2, l3 in free]


def expected_sessions(
    stays: Iterable[ExpectedStay], situation: Situation, grid: Grid, taken_until: Mapping[str, float]
) -> tuple[PlannedSession, ...]:
    """Return vehicles that room is kept for, as they are expected; those of an hour that stand alike are one.

    `taken_until` says until when a connector is taken by who is there.
    """
    groups: dict[tuple[str, tuple[int, ...], int], list[tuple[float, float, float]]] = {}
    for stay in stays:
        connector = situation.model.connectors.get(stay.key)
        if connector is None or stay.arrive_at < taken_until.get(stay.key, -math.inf):
            continue
        place = (connector.circuit_id, connector.phases, int((stay.arrive_at - grid.start) // SECONDS_AN_HOUR))
        most_a = stay.weight * connector.maximum_a
        groups.setdefault(place, []).append((stay.weight * stay.energy_wh, most_a, stay.leave_at))
    found = []
    for number, ((circuit_id, phases, hour), members) in enumerate(groups.items()):
        energy_wh = sum(member[0] for member in members)
        leave_at = sum(member[0] * member[2] for member in members) / energy_wh
        ready_at = grid.start + hour * SECONDS_AN_HOUR
        if leave_at <= ready_at:
            continue
        found.append(
            PlannedSession(
                key=f"expected {number}",
                circuit_id=circuit_id,
                phases=phases,
                minimum_a=0.0,
                maximum_a=sum(member[1] for member in members),
                step_a=0.0,
                ready_at=max(ready_at, situation.now),
                leave_at=min(leave_at, grid.end),
                wanted_wh=energy_wh,
            )
        )
    return tuple(found)


def _room(circuit: Circuit, caps: Iterable[CapView], phase: int, base_a: float) -> float:
    """Return what a phase of a circuit is expected to have for vehicles beside its base load."""
    most = circuit.rating_a[phase]
    if circuit.power_va is not None:
        most = min(most, circuit.power_va / HIGHEST_VOLTAGE_V / len(PHASES))
    room = most - circuit.margin_a[phase] - base_a
    if circuit.demand is not None:
        room = min(room, circuit.demand.mean_w / NOMINAL_VOLTAGE_V / len(PHASES) - base_a)
    for cap in caps:
        amps = cap.amps if cap.amps is not None else (cap.watts or 0.0) / NOMINAL_VOLTAGE_V / len(PHASES)
        room = min(room, amps if cap.vehicles_only else amps - base_a)
    return max(0.0, room)
