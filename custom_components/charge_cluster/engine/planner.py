"""The plan of all sessions together: who has how many amps in which slot, so that nobody is left short cheaply.

Energy comes first: as much of what everybody wants as the circuits can carry until each leaves, the worst off before
the others where not all of it fits. Then the cost is made as low as it can be under the same ceilings. A plan is made
of what is known in one moment, and made again when something changes; it holds no ceiling by itself, the passes do.

Of who may leave at any moment `plan_first` has a first part charged before anything is put off. `plan_flow` finds how
much everybody takes in which slot, in any amounts; `plan_steps` turns that into currents that a charger can give.
Between equal prices the earlier slot is taken. docs/planning.md tells how good this is, measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, product

from .model import NOMINAL_VOLTAGE_V, PHASES, PhaseAmps
from .plan_first import as_early_as_possible, without
from .plan_flow import Car, Flow, Kind
from .plan_prices import FEW, Peak, guide, lacking_price
from .plan_steps import Ladder, in_steps
from .tariff import Grid

WAYS = ((True, 0.7), (True, 0.3), (False, 0.7), (False, 0.3), (True, math.inf), (False, math.inf))
"""How a plan is made from what the shadow prices say: who is served first, and what counts as surely taken (by
measurement the first does best). Where vehicles are few all are tried, because they cost next to nothing."""

LEAST_SPREAD = 0.01
"""The spread of prices that a peak is weighed against at least, as a share of the highest price."""

RAISES = (1.0, 0.5, 0.7, 0.85, 1.15)
"""Shares of the rise of the peak that the shadow prices say, all of which are tried."""

LEAST_WH = 0.01
"""Who wants less has all that it wants."""

WH_PER_KWH = 1000.0
SECONDS_PER_HOUR = 3600.0


class BadTask(ValueError):
    """A task that nobody can plan; its words say what does not fit together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSession:
    """A session as far as its plan depends on it."""

    key: str
    """Of its connector."""
    circuit_id: str
    phases: tuple[int, ...]
    """Supply phases that its current counts on."""
    minimum_a: float = 6.0
    maximum_a: float
    step_a: float = 1.0
    ready_at: float
    """UTC POSIX seconds: not before this."""
    leave_at: float
    wanted_wh: float
    """What it is still to take."""
    taken_wh: float = 0.0
    """What it has taken, for who is worst off."""
    weight: float = 1.0
    """How much more than others' its energy counts where not all of it fits."""
    allowed: tuple[bool, ...] | None = None
    """For each slot whether it may charge in it; None: in any."""
    staying: tuple[float, ...] | None = None
    """For each slot how likely it is still there when the slot ends; None: surely, until it leaves. Where what is lost
    costs something a first part of such a session is planned as early as there is room."""
    watts_per_amp: float | None = None
    """What an amp delivers; None: 230 V on each of its phases."""
    kept_a: float = 0.0
    """What is kept for it on its phases whether it charges or waits, and is not in `PlanTask.free_a`."""

    @property
    def delivers_w(self) -> float:
        """Return what an amp delivers."""
        return NOMINAL_VOLTAGE_V * len(self.phases) if self.watts_per_amp is None else self.watts_per_amp


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakCharge:
    """What the highest mean power of a slot costs (a demand charge)."""

    free_w: Sequence[float]
    """What vehicles may draw in each slot before the highest power so far is exceeded."""
    per_kw: float
    """What each kilowatt more costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTask:
    """All that a plan is made of."""

    grid: Grid
    now: float
    """UTC POSIX seconds; nothing is planned before it."""
    paths: Mapping[str, tuple[str, ...]]
    """Circuits from each circuit up to the supply, itself first: `SiteModel.paths`."""
    free_a: Mapping[str, Sequence[PhaseAmps]]
    """What each circuit has left for vehicles in each slot; a circuit that is not named carries anything."""
    cost: Sequence[float]
    """What a kilowatt-hour costs in each slot; the plan minimises it, negative prices too."""
    sessions: Sequence[PlannedSession]
    expected: Sequence[PlannedSession] = ()
    """Arrivals that are only expected: room is kept for them, and they get no plan."""
    lost_costs: float = 0.0
    """What a kilowatt-hour costs beside its price that is planned for when the vehicle has gone, as far as it has."""
    later_costs: float = 0.0
    """What a kilowatt-hour costs beside its price for each hour that it is put off: who comes unforeseen finds the more
    room, the less was put off."""
    peak: PeakCharge | None = None
    """Energy comes before it: the peak is raised rather than somebody left short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """What is planned for a session."""

    key: str
    amps: tuple[float, ...]
    """Per phase, slot by slot: 0, or at least its minimum and in its steps."""
    energy_wh: float
    shortfall_wh: float
    """What it wants and cannot have before it leaves; 0: the wish can be kept."""
    cost: float
    """Of the energy, in the currency of the task."""
    starts_at: float | None
    """UTC POSIX seconds; None: it gets nothing."""
    completes_at: float | None
    """When it has its energy; None: it gets nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of all sessions."""

    grid: Grid
    sessions: Mapping[str, SessionPlan] = field(default_factory=dict)
    raises_peak_w: float = 0.0
    """By so much the highest power so far is exceeded, expected arrivals included."""

    @property
    def energy_wh(self) -> float:
        """Return what all take."""
        return math.fsum(session.energy_wh for session in self.sessions.values())

    @property
    def shortfall_wh(self) -> float:
        """Return what all lack."""
        return math.fsum(session.shortfall_wh for session in self.sessions.values())

    @property
    def cost(self) -> float:
        """Return what all pay."""
        return math.fsum(session.cost for session in self.sessions.values())


def never() -> bool:
    """Return that it is not enough yet."""
    return False


def plan(task: PlanTask, *, enough: Callable[[], bool] = never) -> Plan:
    """Return the plan of all sessions.

    Args:
        task: what it is made of.
        enough: asked from time to time whether the plan has to do as it is; it fits at any time. Without it the work
            is bounded as well, but only by the number of sessions and slots.

    Raises:
        BadTask: something is missing, or no number.
    """
    _check(task)
    hours = _hours(task)
    price = _prices(task)
    sessions = [session for session in chain(task.sessions, task.expected) if session.wanted_wh > LEAST_WH]
    rows = _Rows(task)
    stays = [_stay(session, task, hours) for session in sessions]
    cars = [
        Car(
            kind=rows.kind_of(session),
            most=[session.maximum_a * of_slot for of_slot in stay],
            wanted=session.wanted_wh / session.delivers_w,
            taken=max(session.taken_wh, 0.0) / session.delivers_w,
            worth=session.delivers_w / NOMINAL_VOLTAGE_V,
            weight=session.weight,
            risk=_risk(session, task),
            kept=[min(session.kept_a, session.maximum_a) * of_slot for of_slot in stay] if session.kept_a else None,
        )
        for session, stay in zip(sessions, stays, strict=True)
    ]
    free = rows.free()
    room = [[amps * length for amps in of_slot] for of_slot, length in zip(free, hours, strict=True)]
    firsts = as_early_as_possible(rows.kinds, cars, room)
    rest = [without(car, first) for car, first in zip(cars, firsts, strict=True)]
    flow, raised_a = _flow(_Pool(rows.kinds, rest, room, hours, price), rows.peak, enough)
    took = [[a + b for a, b in zip(*parts, strict=True)] for parts in zip(firsts, flow.took, strict=True)]
    if rows.peak is not None:
        for of_slot in free:
            of_slot[rows.peak.row] += raised_a
    count = sum(session.wanted_wh > LEAST_WH for session in task.sessions)
    ladders = [
        Ladder(
            rows=tuple(rows.kinds[car.kind].uses.items()),
            metered=rows.kinds[car.kind].metered,
            kept_a=min(session.kept_a, session.maximum_a),
            hours=stay,
            wanted=car.wanted,
            # Nobody knows the steps of a charger at which somebody is only expected.
            minimum_a=session.minimum_a if index < count else 0.0,
            maximum_a=session.maximum_a,
            step_a=session.step_a if index < count else 0.0,
            weight=session.weight,
        )
        for index, (session, car, stay) in enumerate(zip(sessions, cars, stays, strict=True))
    ]
    amps = in_steps(
        ladders,
        took,
        free,
        price,
        soft=None if rows.peak is None else rows.peak.row,
        now=task.grid.index(task.now),
        own=[car.priced(price) for car in cars[:count]],
    )
    found = dict(zip((session.key for session in sessions[:count]), amps, strict=False))
    nothing = [0.0] * task.grid.count
    return Plan(
        grid=task.grid,
        sessions={
            session.key: _session_plan(session, found.get(session.key, nothing), task) for session in task.sessions
        },
        raises_peak_w=_raises_peak_w(task, sessions, amps),
    )


def _raises_peak_w(task: PlanTask, sessions: Sequence[PlannedSession], amps: Sequence[Sequence[float]]) -> float:
    if task.peak is None:
        return 0.0
    watts = [
        sum(session.delivers_w * of_session[slot] for session, of_session in zip(sessions, amps, strict=True))
        for slot in range(task.grid.count)
    ]
    return max([0.0, *(drawn - max(0.0, free) for drawn, free in zip(watts, task.peak.free_w, strict=True))])


@dataclass(frozen=True, slots=True)
class _Pool:
    """What a flow is made of."""

    kinds: Sequence[Kind]
    cars: Sequence[Car]
    left: Sequence[Sequence[float]]
    """Ampere-hours of each row, slot by slot."""
    hours: Sequence[float]
    price: Sequence[float]

    def room(self, peak: Peak | None, raised_a: float) -> list[list[float]]:
        """Return the ampere-hours of each row, that of the peak raised."""
        found = [list(of_slot) for of_slot in self.left]
        if peak is not None:
            for of_slot, length in zip(found, self.hours, strict=True):
                of_slot[peak.row] += raised_a * length
        return found


def _flow(pool: _Pool, peak: Peak | None, enough: Callable[[], bool]) -> tuple[Flow, float]:
    """Return the best of the greedy plan and those that follow shadow prices, and by how much it raises the peak."""

    def judged(flow: Flow, raised_a: float) -> tuple[float, Flow, float]:
        cost = flow.cost(lambda car: lacking_price(car, pool.price, peak))
        if peak is None:
            return cost, flow, 0.0
        # What was taken beyond the row counts, and what of it was not needed does not.
        needed = max(
            (
                raised_a - of_slot[peak.row] / length
                for of_slot, length in zip(flow.room, pool.hours, strict=True)
                if length > 0.0
            ),
            default=0.0,
        )
        needed = max(0.0, needed)
        return cost + peak.price * needed, flow, needed

    greedy = Flow(pool.kinds, pool.cars, pool.room(peak, 0.0), pool.price)
    if peak is None:
        greedy.fill()
    else:
        greedy.lift(peak.row)
    best = judged(greedy, 0.0)
    if enough() or not pool.cars:
        return best[1:]
    if peak is not None:
        peak = replace(peak, most=best[2])
    found = guide(pool.kinds, pool.cars, pool.room(peak, 0.0), pool.price, known=best[0], peak=peak, enough=enough)
    ways = WAYS if len(pool.cars) <= FEW and peak is None else WAYS[:1]
    raises = [found.raised * share for share in (RAISES if peak else (1.0,))]
    for (largest_first, sure), raised_a in product(ways, raises):
        flow = Flow(pool.kinds, pool.cars, pool.room(peak, raised_a), pool.price, largest_first=largest_first)
        flow.follow(found.prices, found.shares, sure, [lacking_price(car, pool.price, peak) for car in pool.cars])
        flow.improve(enough)
        if peak is not None:
            flow.lift(peak.row)
        this = judged(flow, raised_a)
        if this[0] < best[0]:
            best = this
        if enough():
            break
    return best[1:]


def _check(task: PlanTask) -> None:
    count = task.grid.count
    if len(task.cost) != count or not all(map(math.isfinite, task.cost)):
        raise BadTask(f"{count} slots need {count} finite prices")
    if task.peak is not None and len(task.peak.free_w) != count:
        raise BadTask(f"the peak has {len(task.peak.free_w)} values for {count} slots")
    for circuit_id, free in task.free_a.items():
        if len(free) != count:
            raise BadTask(f"circuit {circuit_id}: {len(free)} values for {count} slots")
    for session in chain(task.sessions, task.expected):
        _check_session(session, task)


def _check_session(session: PlannedSession, task: PlanTask) -> None:
    if session.circuit_id not in task.paths:
        raise BadTask(f"session {session.key} hangs on unknown circuit {session.circuit_id}")
    if not session.phases or not set(session.phases) <= set(PHASES):
        raise BadTask(f"session {session.key}: phases {session.phases}")
    if not 0.0 <= session.minimum_a <= session.maximum_a < math.inf or session.maximum_a <= 0.0:
        raise BadTask(f"session {session.key}: {session.minimum_a} A to {session.maximum_a} A")
    numbers = (session.ready_at, session.leave_at, session.wanted_wh, session.taken_wh, session.step_a, session.kept_a)
    if (
        not all(map(math.isfinite, numbers))
        or min(session.weight, session.delivers_w) <= 0.0
        or min(session.step_a, session.kept_a) < 0.0
    ):
        raise BadTask(f"session {session.key}: a time, an energy, a step or a weight makes no sense")
    for of_slots in (session.allowed, session.staying):
        if of_slots is not None and len(of_slots) != task.grid.count:
            raise BadTask(f"session {session.key}: {len(of_slots)} values for {task.grid.count} slots")


def _hours(task: PlanTask) -> list[float]:
    """Return how much of each slot is left, in hours."""
    return [
        max(0.0, slot.end - max(slot.start, task.now)) / SECONDS_PER_HOUR
        for slot in (task.grid.slot(index) for index in range(task.grid.count))
    ]


def _prices(task: PlanTask) -> list[float]:
    """Return what each slot costs with what it costs to put energy off.

    That rises with each hour of the clock and not with each slot, so that slots of one price stay one block: within an
    hour the earlier slot is taken anyway.
    """
    if not task.later_costs:
        return list(task.cost)
    first = task.grid.start // SECONDS_PER_HOUR
    return [
        price + task.later_costs * (task.grid.slot(index).start // SECONDS_PER_HOUR - first)
        for index, price in enumerate(task.cost)
    ]


def _stay(session: PlannedSession, task: PlanTask, hours: Sequence[float]) -> list[float]:
    """Return how much of each slot a session can charge in, in hours."""
    begin, end = max(session.ready_at, task.now), session.leave_at
    found = []
    for index in range(len(hours)):
        slot = task.grid.slot(index)
        allowed = session.allowed is None or session.allowed[index]
        found.append(max(0.0, min(slot.end, end) - max(slot.start, begin)) / SECONDS_PER_HOUR if allowed else 0.0)
    return found


def _risk(session: PlannedSession, task: PlanTask) -> list[float] | None:
    if session.staying is None or not task.lost_costs:
        return None
    return [task.lost_costs * (1.0 - likely) for likely in session.staying]


class _Rows:
    """The rows of a task: a row for each phase of each circuit that has a ceiling."""

    def __init__(self, task: PlanTask) -> None:
        self._task = task
        self._first = {circuit_id: index * len(PHASES) for index, circuit_id in enumerate(task.free_a)}
        self.peak: Peak | None = None
        if task.peak is not None:
            hours = _hours(task)
            # A kilowatt more saves the spread of the prices at most, in every hour: dearer is as good as infinite.
            # Where prices are alike it saves nothing, and costs something all the same.
            spread = max(task.cost, default=0.0) - min(task.cost, default=0.0)
            highest = max(map(abs, task.cost), default=0.0) or 1.0
            most = max(spread, LEAST_SPREAD * highest) * sum(hours)
            row = len(self._first) * len(PHASES)
            self.peak = Peak(row=row, price=min(task.peak.per_kw, most), hours=hours, most=math.inf)
        self._kind_of: dict[tuple[str, tuple[int, ...]], int] = {}
        self.kinds: list[Kind] = []

    def kind_of(self, session: PlannedSession) -> int:
        """Return the kind of a session."""
        key = (session.circuit_id, tuple(sorted(session.phases)))
        known = self._kind_of.get(key)
        if known is None:
            known = self._kind_of[key] = len(self.kinds)
            bounded = [circuit for circuit in self._task.paths[session.circuit_id] if circuit in self._first]
            summed = () if self.peak is None else (self.peak.row,)
            self.kinds.append(
                Kind(
                    tuple((*(self._first[circuit] + phase for circuit in bounded), *summed) for phase in key[1]),
                    frozenset(summed),
                )
            )
        return known

    def free(self) -> list[list[float]]:
        """Return the amps of each row, slot by slot; never below 0."""
        return [
            [
                *(max(0.0, amps) for of_circuit in self._task.free_a.values() for amps in of_circuit[slot]),
                *(() if self._task.peak is None else (max(0.0, self._task.peak.free_w[slot]) / NOMINAL_VOLTAGE_V,)),
            ]
            for slot in range(self._task.grid.count)
        ]


def _session_plan(session: PlannedSession, amps: Sequence[float], task: PlanTask) -> SessionPlan:
    """Return what some amps come to, when they flow from the first slot on until the session has what it wants."""
    left = wanted = max(session.wanted_wh, 0.0)
    used: list[float] = []
    cost = 0.0
    starts_at = completes_at = None
    hours = _stay(session, task, _hours(task))
    for index, (of_slot, length, price) in enumerate(zip(amps, hours, task.cost, strict=True)):
        if of_slot <= 0.0 or left <= 0.0:
            used.append(0.0)
            continue
        used.append(of_slot)
        begins = max(task.grid.slot(index).start, session.ready_at, task.now)
        starts_at = begins if starts_at is None else starts_at
        power_w = of_slot * session.delivers_w
        taken = min(left, power_w * length)
        completes_at = begins + taken / power_w * SECONDS_PER_HOUR
        left -= taken
        cost += taken / WH_PER_KWH * price
    shortfall = left if left > 1e-6 * wanted + 1e-3 else 0.0
    return SessionPlan(
        key=session.key,
        amps=tuple(used),
        energy_wh=wanted - left,
        shortfall_wh=shortfall,
        cost=cost,
        starts_at=starts_at,
        completes_at=completes_at,
    )
