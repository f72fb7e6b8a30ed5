"""Rules from the literature as short policies, to hold the engine's rules against.

All of them give whole amps, and a place first: who has one gets the minimum at least. A rule is an order in which
places are given, a weight for what is above the minimum, and whether places are kept for a turn of 15 minutes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from custom_components.charge_cluster.engine.admission import Candidate, admit
from custom_components.charge_cluster.engine.allocation import Claim, fair_shares

from .replay import Car
from .staff_car_park import MINIMUM_A, STEP_S, Session, capacity_of

TURN_STEPS = 3

LEAST_ASKED_WH = 100.0
"""A car that has all it asked for and still takes current is taken to need so much more."""

LEAST_WEIGHT_A = 0.05

type Judged = Callable[[Car, int], float]
"""What is thought of a car at a step."""


@dataclass(slots=True, kw_only=True)
class PlainRule:
    """A rule that looks at the cars alone."""

    name: str
    knows: str
    order: Judged
    """Who has the smaller one goes first."""
    weight: Judged | None
    """By which current above the minimum is shared; None: who goes first takes all that it can."""
    in_turns: bool = False
    """Whether who has a place keeps it until the turn ends."""
    minima_first: bool = True
    """Whether a car gets a place while its minimum fits, though others could use all that there is."""
    _capacity: Sequence[float] = ()

    def begin(self, supply_a: float, past: Sequence[Session]) -> None:
        """Take the size of the supply over; nothing is learned."""
        self._capacity = capacity_of(supply_a)

    def left(self, step: int, car: Car) -> None:
        """Learn nothing."""

    def limits(self, step: int, cars: Sequence[Car]) -> list[float]:
        """Return the amps of each car."""
        new_turn = not self.in_turns or step % TURN_STEPS == 0
        ordered = [(not new_turn and not car.charges, self.order(car, step), car) for car in cars if car.wants]
        ordered.sort(key=lambda place: place[:2])
        queue = self._with_place([(order, car) for _, order, car in ordered], new_turn=new_turn)
        amps = self._in_order(queue) if self.weight is None else self._by_weight(queue, step)
        share_of = {id(car): share for car, share in zip(queue, amps, strict=True)}
        return [share_of.get(id(car), 0.0) for car in cars]

    def _with_place(self, queue: Sequence[tuple[float, Car]], *, new_turn: bool) -> list[Car]:
        if not self.minima_first:
            return self._while_anything_is_left([car for _, car in queue])
        candidates = [
            Candidate(
                key=car.session.session_id,
                rows=car.session.rows,
                minimum_a=MINIMUM_A,
                reserved_a=0.0,
                priority=0,
                holds_place=car.charges,
                paused=False,
                served_s=order,
                since=car.session.arrival,
            )
            for order, car in queue
        ]
        admitted = admit(self._capacity, candidates, new_turn=new_turn).admitted
        return [car for _, car in queue if car.session.session_id in admitted]

    def _while_anything_is_left(self, queue: Sequence[Car]) -> list[Car]:
        """Return who gets a place where nobody does who comes after all is spoken for."""
        minima, unspoken = list(self._capacity), list(self._capacity)
        admitted = []
        for car in queue:
            rows = car.session.rows
            if all(minima[row] >= MINIMUM_A and unspoken[row] > 0.0 for row in rows):
                admitted.append(car)
                for row in rows:
                    minima[row] -= MINIMUM_A
                    unspoken[row] -= car.session.most_a
        return admitted

    def _in_order(self, queue: Sequence[Car]) -> list[float]:
        left = list(self._capacity)
        for car in queue:
            for row in car.session.rows:
                left[row] -= MINIMUM_A
        amps = []
        for car in queue:
            rows = car.session.rows
            extra = min(car.session.most_a - MINIMUM_A, *(math.floor(left[row]) for row in rows))
            for row in rows:
                left[row] -= extra
            amps.append(float(MINIMUM_A + extra))
        return amps

    def _by_weight(self, queue: Sequence[Car], step: int) -> list[float]:
        """Return weighted max-min fair shares; those that are alike make one claim."""
        assert self.weight is not None
        counts: dict[tuple[tuple[int, ...], int, float], int] = {}
        kinds = []
        for car in queue:
            kind = (car.session.rows, car.session.most_a, self.weight(car, step))
            counts[kind] = counts.get(kind, 0) + 1
            kinds.append(kind)
        claims = [Claim(rows, MINIMUM_A, most_a, weight, count) for (rows, most_a, weight), count in counts.items()]
        shares = dict(zip(counts, fair_shares(self._capacity, claims).amps, strict=True))
        amps = [float(math.floor(shares[kind] + 1e-6)) for kind in kinds]
        self._hand_out_the_rest(queue, amps)
        return amps

    def _hand_out_the_rest(self, queue: Sequence[Car], amps: list[float]) -> None:
        """Give amp by amp, in the order of the queue, what rounding down left over."""
        left = list(self._capacity)
        for car, share in zip(queue, amps, strict=True):
            for row in car.session.rows:
                left[row] -= share
        asking = list(range(len(queue)))
        while asking:
            still_asking = []
            for index in asking:
                session = queue[index].session
                if amps[index] < session.most_a and all(left[row] >= 1.0 for row in session.rows):
                    amps[index] += 1.0
                    for row in session.rows:
                        left[row] -= 1.0
                    still_asking.append(index)
            asking = still_asking


def _arrival(car: Car, _: int) -> float:
    return car.session.arrival


def _least_served(car: Car, _: int) -> float:
    return car.served


def _alike(_: Car, __: int) -> float:
    return 1.0


def _most(car: Car, _: int) -> float:
    return car.session.most_a


def _typed_departure(car: Car, _: int) -> float:
    return car.session.typed_departure / STEP_S


def _typed_rest_wh(car: Car) -> float:
    return max(car.session.typed_wh - car.taken_wh, LEAST_ASKED_WH)


def _needed_a(car: Car, rest_wh: float, steps: float) -> float:
    """Return the amps that it needs on average until it leaves."""
    amps = rest_wh / car.session.wh_per_amp / max(steps, 1.0)
    return min(max(amps, LEAST_WEIGHT_A), car.session.most_a)


def _needed_by_typed_a(car: Car, step: int) -> float:
    return _needed_a(car, _typed_rest_wh(car), _typed_departure(car, step) - step)


def _truly_needed_a(car: Car, step: int) -> float:
    return _needed_a(car, car.session.need_wh - car.taken_wh, car.session.end_step - step)


def _laxity(car: Car, rest_wh: float, steps: float) -> float:
    """Return for how many steps it could wait."""
    return steps - rest_wh / (car.session.wh_per_amp * car.session.most_a)


def _typed_laxity(car: Car, step: int) -> float:
    return _laxity(car, _typed_rest_wh(car), _typed_departure(car, step) - step)


def _true_laxity(car: Car, step: int) -> float:
    return _laxity(car, car.session.need_wh - car.taken_wh, car.session.end_step - step)


def plain_rules() -> list[PlainRule]:
    """Return all of them."""
    return [
        PlainRule(name="first come, first served", knows="none", order=_arrival, weight=None, minima_first=False),
        PlainRule(name="round robin", knows="none", order=_arrival, weight=_alike),
        PlainRule(name="water-fill + rotation", knows="none", order=_least_served, weight=_most, in_turns=True),
        PlainRule(name="equal + rotation", knows="none", order=_least_served, weight=_alike, in_turns=True),
        PlainRule(name="need-weighted", knows="typed", order=_least_served, weight=_needed_by_typed_a, in_turns=True),
        PlainRule(name="earliest departure first", knows="typed", order=_typed_departure, weight=None),
        PlainRule(name="least laxity first", knows="typed", order=_typed_laxity, weight=None),
        PlainRule(name="need-weighted", knows="true", order=_least_served, weight=_truly_needed_a, in_turns=True),
        PlainRule(name="least laxity first", knows="true", order=_true_laxity, weight=None),
    ]
