"""A physical site with charge points and meters that are as odd as those that commissioning is made to find."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, override

from custom_components.charge_cluster.chargers import (
    Booted,
    ChargerOffline,
    DeviceIdentity,
    LimitOrder,
    LimitOutcome,
)
from custom_components.charge_cluster.engine.model import PhaseAmps
from custom_components.charge_cluster.meters import MeterSample
from custom_components.charge_cluster.site.commissioning.findings import CommissioningTest, Finding, Progress
from custom_components.charge_cluster.site.settings import ChargePointSettings, MeterSettings
from simulator.physics import OutletSpec
from tests.site.physical import STEP_S, PhysicalSite, WirelessCharger, WirelessMeter, a_site
from tests.virtual_time import VirtualLoop, run_virtually

DIALS_EVERY_S = 10.0
"""A charger that is not connected tries again."""


class OddCharger(WirelessCharger):
    """A charger with power and network that can be cut, and with habits."""

    def __init__(self, physical: PhysicalSite, settings: ChargePointSettings) -> None:
        super().__init__(physical, settings)
        self.identity = DeviceIdentity(vendor="Simulated", model="Post", firmware="1.0")
        self.powered = True
        self.networked = True
        self.keeps_fallback = True
        self.holds_zero = True
        self.falls_back = True
        self.starts_alone = True
        self.lost_transaction = False
        self.delay_s: Callable[[], float] = lambda: 0.0
        self.pending: tuple[float, float] | None = None
        self.dials_at = 0.0
        self.shut_until = float("-inf")
        self.knocked = 0

    def cut_power(self) -> None:
        self.powered = False
        self.lost_transaction = not self.starts_alone
        self.limit_a = None
        self.pending = None
        self._leave()
        self.physical.truth.outlets[self.outlet_id].cut_off(self.physical.truth.now)

    def restore_power(self) -> None:
        self.powered = True
        if not self.keeps_fallback:
            self.fallback_a = 32.0
        self.dials_at = self.physical.loop.time() + DIALS_EVERY_S

    def pull_network(self) -> None:
        self.networked = False
        self._leave()

    def restore_network(self) -> None:
        self.networked = True
        self.dials_at = self.physical.loop.time() + DIALS_EVERY_S

    def _leave(self) -> None:
        if self.online:
            self.lose_connection()
        self.dials_at = self.physical.loop.time() + DIALS_EVERY_S

    def live(self, now: float) -> None:
        """Dial where it can, and follow what is due."""
        if self.pending is not None and now >= self.pending[0]:
            self.limit_a, self.pending = self.pending[1], None
        if self.online or not self.powered or not self.networked or now < self.dials_at:
            return
        self.dials_at = now + DIALS_EVERY_S
        if now < self.shut_until:
            self.knocked += 1
            return
        self.reconnect()
        self.report(Booted(identity=self.identity))
        if self.lost_transaction:
            self.lost_transaction = False
            self.stop_transaction()

    @override
    def offer(self, now: float) -> float:
        if not self.powered:
            return 0.0
        if self.limit_a is None:
            offered = self.fallback_a if self.starts_alone else 0.0
        elif now >= self.expires_at and self.falls_back:
            offered = self.fallback_a
        else:
            offered = self.limit_a
        return offered if offered >= 6.0 or self.holds_zero else 6.0

    @override
    async def apply_limit(self, connector: int, order: LimitOrder) -> LimitOutcome:
        if not self.online:
            raise ChargerOffline
        await asyncio.sleep(self.answer_after_s)
        if self._cut_off():
            return LimitOutcome.UNKNOWN
        now = asyncio.get_running_loop().time()
        self.calls.append((now, order.amps))
        self.expires_at = now + order.validity_s
        coming = self.limit_a if self.pending is None else self.pending[1]
        if order.amps != coming:
            delay = self.delay_s()
            if self.limit_a is None or delay <= 0.0:
                self.limit_a, self.pending = order.amps, None
            else:
                self.pending = (now + delay, order.amps)
        return LimitOutcome.ACCEPTED


class OddMeter(WirelessMeter):
    """A meter with its transformers the wrong way round, of the wrong ratio, or in the wrong place."""

    def __init__(self, physical: PhysicalSite, settings: MeterSettings) -> None:
        super().__init__(physical, settings)
        self.factors: PhaseAmps = (1.0, 1.0, 1.0)
        self.sees_vehicles = True
        self.sees_building = True

    @override
    def sample(self, now: float) -> None:
        truth = self.physical.truth
        base, total = truth.base_load(self.circuit_id), truth.amps(self.circuit_id)
        shown = [0.0, 0.0, 0.0]
        for phase in (0, 1, 2):
            vehicles = total[phase] - base[phase]
            shown[phase] = (vehicles if self.sees_vehicles else 0.0) + (base[phase] if self.sees_building else 0.0)
            shown[phase] *= self.factors[phase]
        self.past.append((now, (shown[0], shown[1], shown[2])))
        if self.report is None or self.silent:
            return
        _, amps = next((p for p in reversed(self.past) if p[0] <= now - self.lag_s), self.past[0])
        self.report(MeterSample(amps=amps, measured_at=now))


@dataclass(kw_only=True)
class Stage(PhysicalSite):
    """A physical site with a commissioner."""

    building: Callable[[float], PhaseAmps] | None = None
    """The base load of the supply over time."""
    shown: list[Progress] = field(default_factory=list)

    @override
    def charger(self, settings: ChargePointSettings) -> OddCharger:
        known = self.chargers.get(settings.identity)
        if known is None:
            known = self.chargers[settings.identity] = OddCharger(self, settings)
        assert isinstance(known, OddCharger)
        return known

    @override
    def meter(self, settings: MeterSettings) -> OddMeter:
        known = self.meters.get(settings.circuit_id)
        meter = OddMeter(self, settings)
        if isinstance(known, OddMeter):
            meter.factors, meter.sees_vehicles, meter.sees_building = (
                known.factors,
                known.sees_vehicles,
                known.sees_building,
            )
        self.meters[settings.circuit_id] = meter
        return meter

    @override
    def shut_door(self, point: ChargePointSettings, for_s: float) -> None:
        charger = self.post(point.identity)
        charger.shut_until = self.loop.time() + for_s if for_s > 0.0 else float("-inf")
        if for_s > 0.0:
            charger.knocked = 0
            if charger.online:
                charger._leave()

    @override
    def knocks(self, point: ChargePointSettings) -> int:
        return self.post(point.identity).knocked

    def post(self, name: str) -> OddCharger:
        charger = self.chargers[name]
        assert isinstance(charger, OddCharger)
        return charger

    def odd_meter(self) -> OddMeter:
        meter = self.meters["supply"]
        assert isinstance(meter, OddMeter)
        return meter

    @override
    async def run(self, seconds: float, watch: Callable[[], None] | None = None) -> None:
        for _ in range(round(seconds / STEP_S)):
            now = self.loop.time()
            if self.building is not None:
                self.truth.set_base_load("supply", self.building(now))
            for name in self.chargers:
                self.post(name).live(now)
            await super().run(STEP_S, watch)

    async def commission(
        self,
        subject: str,
        *tests: CommissioningTest,
        person: Callable[[str], Coroutine[Any, Any, None]] | None = None,
        simulate: bool = False,
        meanwhile: Callable[[float], None] | None = None,
    ) -> dict[CommissioningTest, Finding]:
        """Run tests while time passes; `meanwhile` is told the seconds since the beginning."""
        began = self.loop.time()
        running = self.loop.create_task(
            self.site.commissioning.run(subject, tests, progress=self.shown.append, confirm=person, simulate=simulate)
        )
        while not running.done():
            await self.run(STEP_S)
            if meanwhile is not None:
                meanwhile(self.loop.time() - began)
        return {finding.test: finding for finding in running.result()}

    def takes(self, name: str) -> Callable[[str], Coroutine[Any, Any, None]]:
        """Return a person at a charge point who does what is asked, 5 s later."""
        acts: dict[str, Callable[[OddCharger], None]] = {
            "pull_network": OddCharger.pull_network,
            "restore_network": OddCharger.restore_network,
            "cut_power": OddCharger.cut_power,
            "restore_power": OddCharger.restore_power,
        }

        async def act(request: str) -> None:
            await asyncio.sleep(5.0)
            acts[request](self.post(name))

        return act


def a_stage(loop: VirtualLoop, points: int = 1, *, rotations: Sequence[tuple[int, ...]] = (), **how: Any) -> Stage:
    """Return a site with odd charge points; `rotations` is how they are truly wired."""
    plain = a_site(loop, points, **how)
    outlets = [
        OutletSpec(
            outlet_id=spec.outlet_id,
            circuit_id=spec.circuit_id,
            rotation=rotations[index] if index < len(rotations) else spec.rotation,
        )
        for index, spec in enumerate(plain.outlets)
    ]
    stage = Stage(settings=plain.settings, circuits=plain.circuits, outlets=outlets, loop=loop)
    base = how.get("base_load_a", 20.0)
    stage.building = lambda _now: (base, base, base)
    return stage


def play(stage: Stage, story: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    """Tell a story from a running site to its end; the ceiling is never exceeded."""

    async def whole() -> None:
        await stage.start()
        await stage.run(5)
        await story(stage)
        assert stage.above_s() == 0.0
        await stage.site.stop()

    run_virtually(whole(), stage.loop)
