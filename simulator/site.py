"""The simulated site as a whole: truth, charge points, meters and the scenario's timeline on one clock.

One task moves everything on in small steps; charge points add one task each for their connection. Everything that a
scenario does can also be done from outside while it runs: plugging, base load, faults.
"""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from itertools import count
from random import Random

import aiohttp

from .building import SupplyAmps
from .charge_point import ChargePoint
from .clock import SimClock
from .episodes import Episodes
from .faults import befall_charge_point, befall_meter, mend_charge_point, mend_meter
from .meter import SimulatedMeter
from .physics import CircuitSpec, SiteTruth
from .report import Figures, report_of
from .scenario import EVERYTHING, METER_FAULTS, Arrival, FaultKind, FaultValue, Scenario
from .vehicle import CarSpec

TICK_S = 0.25
"""Virtual seconds that the site is moved on by at a time."""

LOOKS_AHEAD_S = 86_400.0
"""Jumps of a load are looked for so far ahead."""

REBOOTS_WITHIN_S = 10.0
"""A reboot ends by itself; no charge point of a scenario takes longer."""

SHORTEST_TICK_S = 0.01
"""Real seconds between two moves, however fast the clock runs."""

SESSION_TIMEOUT = aiohttp.ClientTimeout(total=None)


class UnknownTarget(KeyError):
    """A fault is to befall something that does not exist."""


class SimulatedSite:
    """A site that runs."""

    def __init__(self, scenario: Scenario, *, clock: SimClock | None = None) -> None:
        """Build the site; nothing happens before `start`."""
        self.scenario = scenario
        self.clock = SimClock() if clock is None else clock
        self.truth = SiteTruth(scenario.circuits, scenario.outlets)
        self.episodes = Episodes(self.truth)
        """What was drawn while something was wrong."""
        self.charge_points: dict[str, ChargePoint] = {}
        self.meters = {
            meter.meter_id: SimulatedMeter(meter, self.truth, seed=scenario.seed) for meter in scenario.meters
        }
        self._began_at = 0.0
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._points_run: list[asyncio.Task[None]] = []
        self._serials = count()
        self._moved = asyncio.Event()
        self._timeline: list[tuple[float, int, Callable[[], None]]] = []

    @property
    def now(self) -> float:
        """Return virtual seconds since the site was started."""
        return self.clock.now() - self._began_at

    @property
    def meter_ports(self) -> dict[str, int]:
        """Return the TCP port of each meter."""
        return {meter_id: meter.server.port for meter_id, meter in self.meters.items()}

    async def start(
        self,
        ocpp_url: str | None,
        *,
        secure_url: str | None = None,
        trusted: str | None = None,
        meter_port: int = 0,
        meter_host: str = "127.0.0.1",
    ) -> None:
        """Start meters and charge points, and let the scenario begin.

        Args:
            ocpp_url: where charge points dial in (their identity is added); None: they stay alone.
            secure_url: where those dial in that come over TLS; None: at the same host and port.
            trusted: certificate (PEM) of the authority by which these know the central system.
            meter_port: port of the first meter, the others follow; 0: any free ones.
            meter_host: address that meters listen on.

        Raises:
            OSError: a meter's port is taken.
        """
        for position, meter in enumerate(self.meters.values()):
            await meter.server.start(meter_host, meter_port + position if meter_port else 0)
        self._began_at = self.clock.now()
        self._session = aiohttp.ClientSession(timeout=SESSION_TIMEOUT, connector=aiohttp.TCPConnector(limit=0))
        dice = Random(self.scenario.seed)
        for spec in self.scenario.charge_points:
            point = ChargePoint(spec, self.truth, self.clock, session=self._session, seed=self.scenario.seed)
            self.charge_points[spec.identity] = point
            point.power_up(self.clock.now(), after_s=dice.uniform(0.0, self.scenario.powers_up_within_s))
            if trusted is not None and point.encryption.wanted:
                point.encryption.trust(trusted)
            if ocpp_url is not None:
                url = (secure_url or _over_tls(ocpp_url)) if point.encryption.wanted else ocpp_url
                self._points_run.append(asyncio.create_task(point.run(url), name=f"simulated {spec.identity}"))
        self._schedule_scenario()
        self._begin(self._move_on())

    async def stop(self) -> None:
        """End everything: connections politely, then the tasks."""
        await asyncio.gather(*(point.stop() for point in self.charge_points.values()))
        tasks = [*self._tasks, *self._points_run]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        for meter in self.meters.values():
            await meter.server.stop()
        if self._session is not None:
            await self._session.close()

    async def until(self, met: Callable[[], bool], *, within_s: float | None = 30.0) -> None:
        """Wait until a condition holds; it is looked at whenever the site has moved on.

        Args:
            met: the condition.
            within_s: real seconds to wait at most; None: for ever.

        Raises:
            TimeoutError: it did not hold in time.
        """
        async with asyncio.timeout(within_s):
            while not met():
                await self._moved.wait()

    async def all_accepted(self) -> None:
        """Wait until every charge point was accepted by the central system."""
        await self.until(lambda: all(point.accepted for point in self.charge_points.values()), within_s=None)

    def plug(self, outlet_id: str, car: CarSpec) -> None:
        """Plug a car in now; it leaves after its stay.

        Raises:
            OutletTaken: another car stands there.
        """
        plugged = self.truth.plug(outlet_id, car)

        def leave() -> None:
            if self.truth.outlets[outlet_id].car is plugged:
                self.truth.unplug(outlet_id)

        if car.stays_s is not None:
            self.at(self.now + car.stays_s, leave)

    def unplug(self, outlet_id: str) -> None:
        """Pull the plug."""
        self.truth.unplug(outlet_id)

    def ask_priority(self, outlet_id: str, *, asked: bool = True) -> None:
        """Let the driver at an outlet ask at the charge point to charge before others, or take it back."""
        for point in self.charge_points.values():
            for connector in point.connectors.values():
                if connector.spec.outlet_id == outlet_id:
                    point.voice.say_priority(connector, asked=asked)

    def set_base_load(self, circuit_id: str, amps: SupplyAmps | None) -> None:
        """Let a circuit's own load be constant from now on; None: as the scenario says."""
        self.truth.set_base_load(circuit_id, amps)

    def fault(
        self, kind: FaultKind | str, target: str, *, value: FaultValue = None, for_s: float | None = None
    ) -> None:
        """Begin a fault now; it ends after `for_s` virtual seconds, or by `mend`.

        Raises:
            UnknownTarget: there is no such charge point or meter.
            ImpossibleFault: the value does not fit the fault.
        """
        kind = FaultKind(kind)
        targets = self._targets(kind, target)
        self.episodes.begin(kind, target)
        for one in targets:
            if isinstance(one, ChargePoint):
                befall_charge_point(one, kind, value, now=self.clock.now())
            elif kind is FaultKind.METER_DOWN:
                self._begin(one.server.stop())
            else:
                befall_meter(one, kind, value)
        if kind is FaultKind.REBOOTS:
            self.at(self.now + REBOOTS_WITHIN_S, partial(self.episodes.mend, kind, target))
        if for_s is not None:
            self.at(self.now + for_s, lambda: self.mend(kind, target))

    def mend(self, kind: FaultKind | str, target: str) -> None:
        """End a fault.

        Raises:
            UnknownTarget: there is no such charge point or meter.
        """
        kind = FaultKind(kind)
        for one in self._targets(kind, target):
            if isinstance(one, ChargePoint):
                mend_charge_point(one, kind, now=self.clock.now())
            elif kind is FaultKind.METER_DOWN:
                self._begin(one.server.restart())
            else:
                mend_meter(one, kind)
        self.episodes.mend(kind, target)

    def at(self, moment: float, what: Callable[[], None]) -> None:
        """Do something at a virtual second of the scenario."""
        heapq.heappush(self._timeline, (moment, next(self._serials), what))

    def report(self) -> Figures:
        """Return what happened up to now, as plain figures."""
        return report_of(self.scenario, self.truth, self.charge_points, self.meters, self.episodes.all)

    def _targets(self, kind: FaultKind, target: str) -> list[ChargePoint | SimulatedMeter]:
        everything: dict[str, ChargePoint | SimulatedMeter] = {}
        everything.update(self.meters if kind in METER_FAULTS else self.charge_points)
        if target == EVERYTHING:
            return list(everything.values())
        if target not in everything:
            raise UnknownTarget(target)
        return [everything[target]]

    def _schedule_scenario(self) -> None:
        for arrival in self.scenario.arrivals:
            self.at(arrival.at_s, partial(self._arrive, arrival))
        for fault in self.scenario.faults:
            self.at(
                fault.at_s,
                partial(self.fault, fault.kind, fault.target, value=fault.value, for_s=fault.for_s),
            )
        for circuit in self.scenario.circuits:
            self._await_jump(circuit)

    def _await_jump(self, circuit: CircuitSpec) -> None:
        """Note the next jump of a circuit's load when it comes."""
        moment = next((at for at in circuit.load.jumps(self.now + LOOKS_AHEAD_S) if at > self.now), None)
        if moment is None:
            if circuit.load.repeat_s is not None:
                self.at(self.now + LOOKS_AHEAD_S, partial(self._await_jump, circuit))
            return

        def jumped() -> None:
            self.episodes.jump(circuit.circuit_id)
            self._await_jump(circuit)

        self.at(moment, jumped)

    def _arrive(self, arrival: Arrival) -> None:
        if self.truth.outlets[arrival.outlet_id].car is None:
            self.plug(arrival.outlet_id, arrival.car)
        else:
            self.at(self.now + 1.0, lambda: self._arrive(arrival))

    def _begin(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _move_on(self) -> None:
        pause = max(TICK_S, SHORTEST_TICK_S * self.clock.factor)
        while True:
            self._advance()
            self._moved.set()
            self._moved = asyncio.Event()
            await self.clock.sleep(pause)

    def _advance(self) -> None:
        """Bring everything up to the present."""
        now = self.now
        while self._timeline and self._timeline[0][0] <= now:
            heapq.heappop(self._timeline)[2]()
        while now - self.truth.now > TICK_S:
            self._step(TICK_S)
        self._step(now - self.truth.now)
        moment = self.clock.now()
        for point in self.charge_points.values():
            point.tick(moment)
        for meter in self.meters.values():
            meter.tick(moment)

    def _step(self, dt: float) -> None:
        self.truth.step(dt)
        if dt > 0.0:
            self.episodes.add(dt)


def _over_tls(url: str) -> str:
    """Return the address of the same host and port over TLS."""
    return url.replace("ws://", "wss://", 1)
