"""The same cars with the engine in charge: one whole pass every five minutes, and what it decides flows until the next.

The site is one that nothing else happens to. Its circuits are the car park's, with no margin and a declared base load
of nothing; its connectors are those that a car is plugged into, wired and rated as that car charges, with a fallback of
nothing; and whatever was decided in one pass is the limit in force in the next. A rule that is told more of a car, or
learns from those that have gone, overrides `EngineRule.facts_of`, `snapshot_of`, `begin` and `left`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from custom_components.charge_cluster.engine.controller import decide
from custom_components.charge_cluster.engine.guard import DrawBound
from custom_components.charge_cluster.engine.model import (
    NO_AMPS,
    Circuit,
    Connector,
    SharingRule,
    SiteModel,
    VehicleState,
)
from custom_components.charge_cluster.engine.snapshot import ConnectorFacts, Memory, Snapshot

from .replay import Car
from .staff_car_park import FEEDER_SHARE, FEEDERS, MINIMUM_A, STEP_S, Session

SUPPLY = "supply"
TURN_S = 900.0


class EngineRule:
    """A sharing rule of the engine."""

    def __init__(self, sharing: SharingRule, name: str, knows: str = "none") -> None:
        """Wrap a rule under a name; `begin` makes it ready."""
        self.sharing = sharing
        self.name = name
        self.knows = knows
        self.begin(1.0, ())

    def begin(self, supply_a: float, past: Sequence[Session]) -> None:
        """Forget everything; nothing is learned from the sessions of before."""
        self._circuits = _circuits(supply_a, self.sharing)
        self._memory = Memory()
        self._facts: dict[str, ConnectorFacts] = {}
        self._plugged_in: list[Car] = []
        self._site = SiteModel(circuits=self._circuits, connectors={})

    def left(self, step: int, car: Car) -> None:
        """Learn nothing of a car that has gone."""
        self._facts.pop(car.session.point, None)

    def limits(self, step: int, cars: Sequence[Car]) -> list[float]:
        """Run a pass and return the limit of each car."""
        if self._plugged_in != cars:
            self._plugged_in = list(cars)
            connectors = {car.session.point: _connector(car.session) for car in cars}
            self._site = SiteModel(circuits=self._circuits, connectors=connectors)
        now = float(step * STEP_S)
        for car in cars:
            self._facts[car.session.point] = self.facts_of(car, self._facts.get(car.session.point), now)
        decision = decide(self.snapshot_of(now, self._site, self._facts), self._memory)
        self._memory = decision.memory
        amps = []
        for car in cars:
            point = car.session.point
            limit_a = decision.limits[point].amps
            amps.append(limit_a)
            before = self._facts[point]
            if before.bound.limit_a != limit_a:
                self._facts[point] = replace(before, bound=_in_force(limit_a, now))
        return amps

    def facts_of(self, car: Car, before: ConnectorFacts | None, now: float) -> ConnectorFacts:
        """Return what is known of a car: the same object until something is new, as a running site does it."""
        vehicle = VehicleState.WANTS if car.wants else VehicleState.SATED
        if before is None:
            return ConnectorFacts(bound=_in_force(0.0, now), vehicle=vehicle, since=now)
        if before.vehicle is vehicle:
            return before
        return replace(before, vehicle=vehicle)

    def snapshot_of(self, now: float, site: SiteModel, facts: Mapping[str, ConnectorFacts]) -> Snapshot:
        """Return what the pass is given."""
        return Snapshot(now=now, wall=now, site=site, facts=facts, meters={}, on_time_s=TURN_S)


def engine_rules() -> list[EngineRule]:
    """Return the engine's rules that can be told apart where no car has a priority."""
    return [
        EngineRule(SharingRule.FIRST_COME, "engine, first come"),
        EngineRule(SharingRule.EQUAL, "engine, equal"),
        EngineRule(SharingRule.PROPORTIONAL, "engine, proportional"),
    ]


def _circuits(supply_a: float, sharing: SharingRule) -> Mapping[str, Circuit]:
    feeder_a = FEEDER_SHARE * supply_a
    supply = Circuit(
        circuit_id=SUPPLY,
        rating_a=(supply_a, supply_a, supply_a),
        margin_a=NO_AMPS,
        declared_base_load_a=NO_AMPS,
        sharing=sharing,
    )
    feeders = [
        Circuit(
            circuit_id=_feeder(index),
            parent_id=SUPPLY,
            rating_a=(feeder_a, feeder_a, feeder_a),
            margin_a=NO_AMPS,
            declared_base_load_a=NO_AMPS,
        )
        for index in range(FEEDERS)
    ]
    return {circuit.circuit_id: circuit for circuit in (supply, *feeders)}


def _feeder(index: int) -> str:
    return f"feeder {index}"


def _connector(session: Session) -> Connector:
    first = session.phase
    return Connector(
        connector_id=session.point,
        circuit_id=_feeder(session.feeder),
        rotation=(first, (first + 1) % 3, (first + 2) % 3) if session.phases == 3 else (first,),
        minimum_a=float(MINIMUM_A),
        maximum_a=float(session.most_a),
    )


def _in_force(limit_a: float, now: float) -> DrawBound:
    """Return the proof of a limit that was accepted, and that nothing is doubted about."""
    return DrawBound(held_a=limit_a, limit_a=limit_a, since=now, changed_at=now, fallback_a=0.0, online=True)
