"""Rules that heed the price, in the replay of the staff car park: each car alone, and all of them together.

A rule that plans each car alone says which cars want current now; those share what there is as charge-now does. The
rule that plans all together makes a plan with `engine.planner` each quarter-hour and when somebody comes, goes or has
all, of what it may know: *true* departures and needs, those that drivers *typed*, or those *learned* from the stays
before, with what was typed as one of their signs. The amps of the present slot flow, as in a running site. Arrivals are
expected as on the four same weekdays before.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from custom_components.charge_cluster.engine.habits import Expectation, Habits, Stay
from custom_components.charge_cluster.engine.planner import Plan, PlannedSession, PlanTask, plan
from custom_components.charge_cluster.engine.tariff import Grid

from .need_rule import arrival_of, stay_of
from .plain_rules import plain_rules
from .replay import Car, Decider
from .staff_car_park import FEEDERS, MINIMUM_A, STEP_S, Session, capacity_of

SLOT_S = 900
STEPS_PER_SLOT = SLOT_S // STEP_S
MOST_SLOTS = 96
DAY_S = 86_400
WEEK_S = 7 * DAY_S
WEEKS = 4
BUCKET_S = 2 * 3600
"""Expected arrivals of so long a time are one, on the same rows."""
LEAST_WH = 300.0
NEVER_WH = 1.0

type Price = Callable[[float], float]


class Knowledge(StrEnum):
    """What is known of a car before it has gone."""

    TRUE = "true"
    TYPED = "typed"
    LEARNED = "learned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """How honest a margin is taken; fitted to May."""

    leaves_with: float = 0.8
    """A car is planned to be there for as long as the likelihood that it has left is no more than this."""
    takes_with: float = 0.7
    """It is planned to take what it exceeds with a likelihood of 1 minus this."""
    later_costs: float = 0.002
    """Of each hour that energy is put off, EUR/kWh: who comes unforeseen finds more room later."""
    lost_costs: float = 0.6
    """Of energy that is lost because the car has gone, EUR/kWh."""


class Priced:
    """A rule, and what the energy costs that flows by it."""

    def __init__(self, decider: Decider, price: Price) -> None:
        """Wrap a rule."""
        self._decider, self._price = decider, price
        self.name, self.knows = decider.name, decider.knows
        self.cost = 0.0

    def begin(self, supply_a: float, past: Sequence[Session]) -> None:
        """Prepare the rule."""
        self._decider.begin(supply_a, past)

    def left(self, step: int, car: Car) -> None:
        """Tell the rule."""
        self._decider.left(step, car)

    def limits(self, step: int, cars: Sequence[Car]) -> Sequence[float]:
        """Return what the rule says, and add up what it costs."""
        amps = self._decider.limits(step, cars)
        price = self._price(float(step * STEP_S))
        for car, share in zip(cars, amps, strict=True):
            session = car.session
            self.cost += price / 1000.0 * max(0.0, min(share * session.wh_per_amp, session.need_wh - car.taken_wh))
        return amps


def charge_now() -> Decider:
    """Return fair shares at once."""
    return next(rule for rule in plain_rules() if rule.name == "water-fill + rotation")


class Alone:
    """Each car charges at its most in its own cheapest slots; those that want current now share it fairly."""

    knows = Knowledge.TRUE

    def __init__(self, price: Price, *, contiguous: bool) -> None:
        """Make one for single slots, or for one window."""
        self.name = "each car alone, one window" if contiguous else "each car alone, cheapest slots"
        self._price, self._contiguous = price, contiguous
        self._shares = charge_now()
        self._chosen: dict[str, frozenset[int]] = {}

    def begin(self, supply_a: float, past: Sequence[Session]) -> None:
        """Forget everything."""
        self._shares = charge_now()
        self._shares.begin(supply_a, past)
        self._chosen = {}

    def left(self, step: int, car: Car) -> None:
        """Forget a car."""
        self._chosen.pop(car.session.session_id, None)

    def limits(self, step: int, cars: Sequence[Car]) -> list[float]:
        """Return the shares of those that want current now."""
        for car in cars:
            if car.wants and (step % STEPS_PER_SLOT == 0 or car.session.session_id not in self._chosen):
                self._chosen[car.session.session_id] = self._choose(car, step)
        willing = [car for car in cars if car.wants and step in self._chosen.get(car.session.session_id, ())]
        shares = dict(zip(map(id, willing), self._shares.limits(step, willing), strict=True))
        return [shares.get(id(car), 0.0) for car in cars]

    def _choose(self, car: Car, step: int) -> frozenset[int]:
        session = car.session
        steps = range(step, session.end_step)
        needed = math.ceil((session.need_wh - car.taken_wh) / (session.wh_per_amp * session.most_a) - 1e-9)
        if needed >= len(steps):
            return frozenset(steps)
        prices = [self._price(float(at * STEP_S)) for at in steps]
        if not self._contiguous:
            return frozenset(sorted(steps, key=lambda at: (prices[at - step], at))[:needed])
        first = min(range(len(steps) - needed + 1), key=lambda at: (sum(prices[at : at + needed]), at))
        return frozenset(steps[first : first + needed])


@dataclass(slots=True)
class _Known:
    leave_at: float
    wanted_wh: float


class Together:
    """All cars in one plan."""

    def __init__(self, knowledge: Knowledge, price: Price, caution: Caution | None = None) -> None:
        """Make one; `begin` makes it ready."""
        self.name, self.knows = "ours", knowledge
        self._price = price
        self._caution = caution or Caution()
        self.solved_s: list[float] = []
        self.tasks: list[PlanTask] = []
        """Every so many tasks that were planned, for a judge."""
        self.begin(1.0, ())

    def begin(self, supply_a: float, past: Sequence[Session]) -> None:
        """Learn from the sessions of before."""
        self._capacity = capacity_of(supply_a)
        self._habits = Habits.of([_stay(session) for session in past])
        self._history = deque(sorted(past, key=lambda session: session.arrival))
        self._expected_of: dict[str, Expectation] = {}
        self._plan: Plan | None = None
        self._planned: frozenset[str] = frozenset()

    def left(self, step: int, car: Car) -> None:
        """Learn from a car that has gone."""
        self._expected_of.pop(car.session.session_id, None)
        self._habits = self._habits.learn(_stay(car.session))
        self._history.append(car.session)

    def limits(self, step: int, cars: Sequence[Car]) -> list[float]:
        """Return the amps of the present slot."""
        now = float(step * STEP_S)
        wanting = [car for car in cars if car.wants]
        there = frozenset(car.session.session_id for car in wanting)
        if self._plan is None or step % STEPS_PER_SLOT == 0 or there != self._planned:
            self._make(wanting, now)
        assert self._plan is not None
        slot = self._plan.grid.index(now)
        assert slot is not None
        amps = {key: self._plan.sessions[key].amps[slot] for key in there}
        return [amps.get(car.session.session_id, 0.0) for car in cars]

    def _make(self, wanting: Sequence[Car], now: float) -> None:
        sessions = [self._session(car, now) for car in wanting]
        start = now // SLOT_S * SLOT_S
        end = max([now + SLOT_S, *(session.leave_at for session in sessions)])
        grid = Grid(start, SLOT_S, min(MOST_SLOTS, math.ceil((end - start) / SLOT_S)))
        task = PlanTask(
            grid=grid,
            now=now,
            paths={"supply": ("supply",), **{_feeder(index): (_feeder(index), "supply") for index in range(FEEDERS)}},
            free_a={
                circuit: [(amps, amps, amps)] * grid.count
                for circuit, amps in [
                    ("supply", self._capacity[0]),
                    *((_feeder(index), self._capacity[3]) for index in range(FEEDERS)),
                ]
            },
            cost=[self._price(max(now, start + index * SLOT_S)) for index in range(grid.count)],
            sessions=[
                replace(session, staying=self._staying(car, now, grid))
                for session, car in zip(sessions, wanting, strict=True)
            ],
            lost_costs=self._caution.lost_costs,
            later_costs=0.0 if self.knows == Knowledge.TRUE else self._caution.later_costs,
            expected=self._expected(now, grid.end),
        )
        begun = time.thread_time()
        self._plan = plan(task)
        self.solved_s.append(time.thread_time() - begun)
        self._planned = frozenset(session.key for session in sessions)
        if len(self.solved_s) % 50 == 0:
            self.tasks.append(task)

    def _session(self, car: Car, now: float) -> PlannedSession:
        session = car.session
        known = self._known(car, now)
        return PlannedSession(
            key=session.session_id,
            circuit_id=_feeder(session.feeder),
            phases=_phases(session),
            minimum_a=float(MINIMUM_A),
            maximum_a=float(session.most_a),
            ready_at=now,
            leave_at=max(known.leave_at, now + SLOT_S),
            wanted_wh=max(known.wanted_wh, NEVER_WH),
            taken_wh=car.taken_wh,
        )

    def _staying(self, car: Car, now: float, grid: Grid) -> tuple[float, ...] | None:
        if self.knows != Knowledge.LEARNED:
            return None
        expectation, now_h = self._expectation(car, now)
        return tuple(
            expectation.still_here(now_h, now_h + (slot.end - now) / 3600.0) if slot.start > now else 1.0
            for slot in grid.slots()
        )

    def _known(self, car: Car, now: float) -> _Known:
        session = car.session
        if self.knows == Knowledge.TRUE:
            return _Known(float(session.end_step * STEP_S), session.need_wh - car.taken_wh)
        if self.knows == Knowledge.TYPED:
            return _Known(session.typed_departure, max(session.typed_wh - car.taken_wh, LEAST_WH))
        expectation, now_h = self._expectation(car, now)
        leaves_h = expectation.departure_h(now_h, self._caution.leaves_with)
        wanted_wh = expectation.energy_wh(car.taken_wh, self._caution.takes_with) - car.taken_wh
        return _Known(now + (leaves_h - now_h) * 3600.0, max(wanted_wh, LEAST_WH))

    def _expectation(self, car: Car, now: float) -> tuple[Expectation, float]:
        session = car.session
        arrival = arrival_of(session, typed=True)
        expectation = self._expected_of.get(session.session_id)
        if expectation is None:
            expectation = self._expected_of[session.session_id] = self._habits.expect(arrival)
        return expectation, arrival.arrived_h + max(0.0, now - session.arrival) / 3600.0

    def _expected(self, now: float, end: float) -> list[PlannedSession]:
        """Return who comes until the end, as on the mean of the same weekdays before."""
        while self._history and self._history[0].arrival < now - WEEKS * WEEK_S - DAY_S:
            self._history.popleft()
        sums: dict[tuple[int, tuple[int, ...], int], list[float]] = {}
        for session in self._history:
            # The same weekday, so many weeks ago, is the same time today.
            weeks = math.ceil((now - session.arrival) / WEEK_S)
            arrives = session.arrival + weeks * WEEK_S
            if not (now <= arrives < end and 1 <= weeks <= WEEKS):
                continue
            key = (session.feeder, _phases(session), int((arrives - now) // BUCKET_S))
            stays = session.end_step * STEP_S - session.arrival
            of_bucket = sums.setdefault(key, [0.0, 0.0, 0.0, 0.0])
            for place, value in enumerate((session.need_wh, float(session.most_a), arrives, arrives + stays)):
                of_bucket[place] += value * (session.need_wh if place >= 2 else 1.0)
        return [
            PlannedSession(
                key=f"expected {index}",
                circuit_id=_feeder(feeder),
                phases=phases,
                maximum_a=most_a / WEEKS,
                minimum_a=0.0,
                ready_at=arrives / wh,
                leave_at=leaves / wh,
                wanted_wh=wh / WEEKS,
            )
            for index, ((feeder, phases, _), (wh, most_a, arrives, leaves)) in enumerate(sums.items())
        ]


def _stay(session: Session) -> Stay:
    return stay_of(session, arrival_of(session, typed=True))


def _feeder(index: int) -> str:
    return f"feeder {index}"


def _phases(session: Session) -> tuple[int, ...]:
    return (0, 1, 2) if session.phases == 3 else (session.phase,)
