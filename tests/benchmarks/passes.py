"""A car park that lives second by second, to take figures of the whole pass `decide`.

Every connector has a car that wants current and draws what it is offered; a tenth of them is measured each second, the
meter reports each second, and every command is accepted at once. After the warm-up all histories are as long as they
get, so that a pass costs what it costs in the middle of a working day.
"""

from __future__ import annotations

from custom_components.charge_cluster.engine import guard
from custom_components.charge_cluster.engine.controller import decide
from custom_components.charge_cluster.engine.guard import DrawBound
from custom_components.charge_cluster.engine.model import (
    NO_AMPS,
    Connector,
    MeterReading,
    PhaseAmps,
    VehicleState,
    plus,
)
from custom_components.charge_cluster.engine.snapshot import ConnectorFacts, Decision, Memory, Snapshot

from .car_parks import SUPPLY, CarPark

MEASURED_EVERY_S = 10
LIMIT_LASTS_S = 35.0
METER_TIMEOUT_S = 10.0
STARTED_AT = 1_000.0
WOBBLE_A = 0.05
WALL_AT_START = 1_760_000_000.0


class LivingCarPark:
    """A car park and its engine's memory; each `second` makes the snapshot of the next pass."""

    def __init__(self, park: CarPark) -> None:
        """Begin with everybody plugged in, known and at its fallback of 0 A."""
        self.park = park
        self.memory = Memory()
        self.now = STARTED_AT
        self._bounds: dict[str, DrawBound] = {}
        self._facts: dict[str, ConnectorFacts] = {}
        for connector_id, connector in park.site.connectors.items():
            bound = guard.went_online(guard.unknown_bound(connector), connector, self.now)
            bound = guard.fallback_stored(bound, connector.fallback_a, idle=True, now=self.now)
            self._bounds[connector_id] = guard.idle(bound, self.now)

    def second(self, *, jump_a: float = 0.0) -> Snapshot:
        """Let a second pass and return what is then known; the base load is higher by `jump_a`."""
        self.now += 1.0
        for index, (connector_id, connector) in enumerate(self.park.site.connectors.items()):
            if (index + int(self.now)) % MEASURED_EVERY_S == 0:
                bound = self._bounds[connector_id]
                drawn = _drawn(connector, bound)
                self._bounds[connector_id] = guard.measured(bound, connector, drawn, self.now, self.now)
        return Snapshot(
            now=self.now,
            wall=WALL_AT_START + self.now,
            site=self.park.site,
            facts={connector_id: self._known(connector_id, bound) for connector_id, bound in self._bounds.items()},
            meters={SUPPLY: self._reading(jump_a)},
        )

    def _known(self, connector_id: str, bound: DrawBound) -> ConnectorFacts:
        """Return what is known of a connector: the same object until something is new, as a running site does it."""
        facts = self._facts.get(connector_id)
        if facts is None or facts.bound is not bound:
            facts = self._facts[connector_id] = ConnectorFacts(
                bound=bound, vehicle=VehicleState.WANTS, since=STARTED_AT
            )
        return facts

    def carry_out(self, decision: Decision) -> None:
        """Take a pass's decision over: every command is accepted at once."""
        self.memory = decision.memory
        self._bounds = dict(decision.bounds)
        for command in decision.commands:
            bound = guard.sent(self._bounds[command.connector_id], command.amps, self.now)
            self._bounds[command.connector_id] = guard.accepted(bound, command.amps, self.now, self.now + LIMIT_LASTS_S)

    def live(self, seconds: int) -> None:
        """Let so many passes go by."""
        for _ in range(seconds):
            self.carry_out(decide(self.second(), self.memory))

    def _reading(self, jump_a: float) -> MeterReading:
        # No building draws the same current to the last digit for long.
        extra = jump_a + WOBBLE_A * (int(self.now) * 7 % 10)
        amps = plus(self.park.base_load_a, (extra, extra, extra))
        for connector_id, connector in self.park.site.connectors.items():
            amps = plus(amps, connector.on_supply(_drawn(connector, self._bounds[connector_id])))
        return MeterReading(circuit_id=SUPPLY, amps=amps, measured_at=self.now, timeout_s=METER_TIMEOUT_S)


def _drawn(connector: Connector, bound: DrawBound) -> PhaseAmps:
    """Return what the car draws on the connector's terminals: all it is offered."""
    amps = bound.limit_a or 0.0
    used = len(connector.phases)
    first, second, third = (amps if own < used else none for own, none in enumerate(NO_AMPS))
    return (first, second, third)
