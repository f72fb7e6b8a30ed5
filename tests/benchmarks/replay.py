"""A car park is lived through again in steps of five minutes, with somebody else who says what each car gets.

A car takes all that it is offered until it has what it needs. Whoever decides knows of a car what its class says that
it knows; whatever it decides, no row may carry more than it has, and a car gets whole amps, nothing or the minimum at
least: anything else ends the run.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .staff_car_park import MINIMUM_A, Session, capacity_of

ENOUGH_WITHIN_WH = 1e-6
FLOAT_NOISE_A = 1e-9


@dataclass(slots=True, eq=False)
class Car:
    """A car that is plugged in, or was."""

    session: Session
    taken_wh: float = 0.0
    served: int = 0
    """Steps in which it got current; it begins with as many as who has fewest then."""
    charges: bool = False
    """Whether it got current in the step before."""
    starts: int = 0

    @property
    def wants(self) -> bool:
        """Return whether it needs more."""
        return self.session.need_wh - self.taken_wh > ENOUGH_WITHIN_WH

    @property
    def met(self) -> float:
        """Return the fraction of its need that it got."""
        return self.taken_wh / self.session.need_wh


class Decider(Protocol):
    """Who says what each car gets."""

    @property
    def name(self) -> str:
        """What it goes by."""

    @property
    def knows(self) -> str:
        """What it knows of a car before it has gone: none, typed or true."""

    def begin(self, supply_a: float, past: Sequence[Session]) -> None:
        """Prepare for a replay, and learn from sessions of before."""

    def limits(self, step: int, cars: Sequence[Car]) -> Sequence[float]:
        """Return the amps of each car that is plugged in, until the next step; in order of arrival."""

    def left(self, step: int, car: Car) -> None:
        """Learn that a car has gone."""


class NotAllowed(Exception):
    """A decision broke a rating, or offered what no charger can."""


def replay(sessions: Sequence[Session], supply_a: float, decider: Decider, past: Sequence[Session] = ()) -> list[Car]:
    """Return how the cars fared, in the order of the sessions.

    Raises:
        NotAllowed: a decision broke a rating, or offered what no charger can.
    """
    capacity = capacity_of(supply_a)
    decider.begin(supply_a, past)
    fleet = [Car(session) for session in sessions]
    coming = deque(sorted(fleet, key=lambda car: car.session.first_step))
    here: list[Car] = []
    step = 0
    while here or coming:
        step = step + 1 if here else coming[0].session.first_step
        for car in here:
            if car.session.end_step <= step:
                decider.left(step, car)
        here = [car for car in here if car.session.end_step > step]
        while coming and coming[0].session.first_step <= step:
            car = coming.popleft()
            car.served = min((other.served for other in here if other.wants), default=0)
            here.append(car)
        if any(car.wants for car in here):
            amps = decider.limits(step, here)
            _check(here, amps, capacity)
            _flow(here, amps)
    return fleet


def _check(cars: Sequence[Car], amps: Sequence[float], capacity: Sequence[float]) -> None:
    left = list(capacity)
    for car, share in zip(cars, amps, strict=True):
        session = car.session
        if share != 0.0 and not (MINIMUM_A <= share <= session.most_a and share == math.floor(share)):
            raise NotAllowed(f"{share} A were offered to a car that takes {MINIMUM_A} to {session.most_a}")
        for row in session.rows:
            left[row] -= share
    if min(left) < -FLOAT_NOISE_A:
        raise NotAllowed(f"a row was promised {-min(left)} A more than it has")


def _flow(cars: Sequence[Car], amps: Sequence[float]) -> None:
    for car, share in zip(cars, amps, strict=True):
        charges = share > 0.0 and car.wants
        if charges:
            session = car.session
            car.taken_wh += min(share * session.wh_per_amp, session.need_wh - car.taken_wh)
            car.served += 1
            car.starts += not car.charges
        car.charges = charges


@dataclass(frozen=True, slots=True, kw_only=True)
class Fared:
    """How all cars fared."""

    met_pct: float
    """Of the energy that all need."""
    jain: float
    """How even the fractions are that each got of its need (Jain, Chiu, Hawe 1984): 1 is perfect."""
    worst_tenth_pct: float
    """The mean fraction of the tenth of the sessions that got least."""
    starts: float
    """Per session."""


def fared(cars: Sequence[Car]) -> Fared:
    """Return the figures of some cars, of one month or of several."""
    fractions = sorted(car.met for car in cars)
    worst = fractions[: max(1, len(fractions) // 10)]
    return Fared(
        met_pct=100.0 * math.fsum(car.taken_wh for car in cars) / math.fsum(car.session.need_wh for car in cars),
        jain=math.fsum(fractions) ** 2 / (len(fractions) * math.fsum(met * met for met in fractions)),
        worst_tenth_pct=100.0 * math.fsum(worst) / len(worst),
        starts=sum(car.starts for car in cars) / len(cars),
    )
