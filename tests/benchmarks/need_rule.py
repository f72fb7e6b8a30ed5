"""The engine's rule by need in the replay, with as much known of the drivers as it is told.

Nothing: the rule has neither history nor words, and shares by what cars have got. Learned: stays of the month before
say how long cars stay at which hour. Typed: what drivers typed as well, taken for what came of it in that month. Typed
and learned on: each car that has gone is learned from at once, as a running site does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import override

from custom_components.charge_cluster.engine.habits import Arrival, Expectation, Habits, Stay
from custom_components.charge_cluster.engine.model import SharingRule, SiteModel
from custom_components.charge_cluster.engine.needs import NO_PRICES, Need, Visitor, weigh
from custom_components.charge_cluster.engine.snapshot import ConnectorFacts, Snapshot

from .engine_rules import EngineRule
from .replay import Car
from .staff_car_park import MINIMUM_A, STEP_S, Session, capacity_of

LOCAL = timezone(timedelta(hours=-7))
"""Of the car park, in summer."""


class Knowledge(StrEnum):
    """What is known of a car before it has gone."""

    NOTHING = "none"
    LEARNED = "learned"
    TYPED = "typed"
    LEARNED_ON = "typed, learned on"


class NeedRule(EngineRule):
    """Need-weighted sharing."""

    def __init__(self, knowledge: Knowledge) -> None:
        """Wrap the rule; `begin` makes it ready."""
        self._knowledge = knowledge
        super().__init__(SharingRule.NEED, "engine, need", knowledge)

    @override
    def begin(self, supply_a: float, past: Sequence[Session]) -> None:
        super().begin(supply_a, past)
        self._room = capacity_of(supply_a)
        self._prices = NO_PRICES
        self._needs: Mapping[str, Need] = {}
        self._expected: dict[str, Expectation] = {}
        self._habits = Habits()
        if self._knowledge is not Knowledge.NOTHING:
            self._habits = Habits.of([self._stay(session) for session in past])

    @override
    def left(self, step: int, car: Car) -> None:
        super().left(step, car)
        self._expected.pop(car.session.session_id, None)
        if self._knowledge is Knowledge.LEARNED_ON:
            self._habits = self._habits.learn(self._stay(car.session))

    @override
    def limits(self, step: int, cars: Sequence[Car]) -> list[float]:
        visitors = [self._visitor(car, float(step * STEP_S)) for car in cars if car.wants]
        weighed = weigh(visitors, self._room, float(step * STEP_S), self._prices)
        self._needs, self._prices = weighed.needs, weighed.prices
        return super().limits(step, cars)

    @override
    def snapshot_of(self, now: float, site: SiteModel, facts: Mapping[str, ConnectorFacts]) -> Snapshot:
        return replace(super().snapshot_of(now, site, facts), needs=self._needs)

    def _visitor(self, car: Car, now: float) -> Visitor:
        session = car.session
        expectation = self._expected.get(session.session_id)
        arrival = self._arrival(session)
        if expectation is None:
            expectation = self._expected[session.session_id] = self._habits.expect(arrival)
        return Visitor(
            key=session.point,
            rows=session.rows,
            phases=session.phases,
            most_a=float(session.most_a),
            minimum_a=float(MINIMUM_A),
            taken_wh=car.taken_wh,
            expectation=expectation,
            now_h=arrival.arrived_h + max(0.0, now - session.arrival) / 3600.0,
        )

    def _arrival(self, session: Session) -> Arrival:
        return arrival_of(session, typed=self._knowledge in {Knowledge.TYPED, Knowledge.LEARNED_ON})

    def _stay(self, session: Session) -> Stay:
        return stay_of(session, self._arrival(session))


def arrival_of(session: Session, *, typed: bool) -> Arrival:
    """Return what is known when a session begins, with or without what its driver typed."""
    local = datetime.fromtimestamp(session.arrival, UTC).astimezone(LOCAL)
    return Arrival(
        arrived_h=local.hour + local.minute / 60.0 + local.second / 3600.0,
        weekday=local.weekday(),
        announced_h=(session.typed_departure - session.arrival) / 3600.0 if typed else None,
        asked_wh=session.typed_wh if typed else None,
        place=session.point,
    )


def stay_of(session: Session, arrival: Arrival) -> Stay:
    """Return what is learned when it has ended."""
    stayed_s = session.end_step * STEP_S - session.arrival
    return Stay(arrival=arrival, stayed_h=stayed_s / 3600.0, taken_wh=session.need_wh)


def need_rules() -> list[NeedRule]:
    """Return the rule with each kind of knowledge."""
    return [NeedRule(knowledge) for knowledge in Knowledge]
