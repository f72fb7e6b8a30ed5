"""A site at the other end of the wires: charge points with cars and a Modbus meter; a process of its own.

What the meter shows is what flows: the base load and what the cars draw, which follow their limits after a few seconds.
It is asked to let the base load jump, and tells how long it took until the last reduction was there.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, override

from aiohttp import ClientSession, TCPConnector

from simulator.meter_images import MeterReading, SunSpecImage
from simulator.modbus_server import ModbusServer

from .charge_points import ChargePoint
from .program import answer_questions

HOST = "127.0.0.1"
UNIT = 1
FOLLOWS_AFTER_S = 3.0
"""A car follows its pilot signal within 5 s (IEC 61851-1), mostly sooner."""
SAMPLED_EVERY_S = 10.0
DIALS_IN_AT_A_TIME = 25
WOBBLE_A = 0.6
"""No building draws the same current twice. With what its registers round, the meter is wrong by 1.1 A."""
VOLTS = 230.0
QUIET_S = 0.8
"""A wave of reductions is over when none came for so long."""
NOTHING_CAME_S = 8.0
CURRENTS_AT = 40_000 + 72
"""Where a SunSpec meter shows currents: behind its identity (2 + 68 registers) and the head of its model (2)."""


class LimitedPoint(ChargePoint):
    """A charge point whose car follows the limit of its transaction."""

    def __init__(self, identity: str, premises: Premises) -> None:
        """Begin without a limit: nothing is drawn."""
        super().__init__(identity)
        self.limit_a = 0.0
        self._premises = premises
        self._followed_a = 0.0
        self._follows_at = 0.0
        self._telling = asyncio.Lock()
        self._asked: set[asyncio.Task[None]] = set()

    def drawn_a(self, now: float) -> float:
        """Return what the car draws on each phase."""
        if now >= self._follows_at:
            self._followed_a = self.limit_a
        return self._followed_a

    @override
    def answer(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        if action == "SetChargingProfile":
            profile = payload["csChargingProfiles"]
            if profile["chargingProfilePurpose"] == "TxProfile":
                self._take(float(profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]))
        if action == "TriggerMessage":
            if payload["requestedMessage"] == "MeterValues":
                task = asyncio.get_running_loop().create_task(self._tell())
                self._asked.add(task)
                task.add_done_callback(self._asked.discard)
            return {"status": "Accepted"}
        return super().answer(action, payload)

    def _take(self, limit_a: float) -> None:
        now = time.monotonic()
        if abs(limit_a - self.limit_a) < 0.01:
            return
        if limit_a < self.limit_a:
            self._premises.reduced(now)
        self.drawn_a(now)
        self.limit_a, self._follows_at = limit_a, now + FOLLOWS_AFTER_S

    async def _tell(self) -> None:
        """Send a measurement; one call is on the wire at a time."""
        async with self._telling:
            await self.measure(self.drawn_a(time.monotonic()))

    async def report(self) -> None:
        """Send MeterValues as a charge point does, for ever."""
        await asyncio.sleep(random.uniform(0.0, SAMPLED_EVERY_S))
        while True:
            begun = time.monotonic()
            await self._tell()
            await asyncio.sleep(max(0.0, begun + SAMPLED_EVERY_S - time.monotonic()))


class Premises:
    """The site, and the image of its meter."""

    def __init__(self, base_a: float) -> None:
        """Begin without charge points."""
        self.points: list[LimitedPoint] = []
        self.base_a = base_a
        self.shown_at: float | None = None
        """When the meter first showed the last jump."""
        self.arrived_at: list[float] = []
        """When reductions arrived since."""
        self.image = SunSpecImage(amps_scale=0, watts_scale=3)
        self.server = ModbusServer({UNIT: self})

    def read(self, function: int, address: int, count: int) -> list[int]:
        """Return registers: what flows at this moment."""
        now = time.monotonic()
        if address <= CURRENTS_AT < address + count:
            amps = self.flowing_a(now) + random.uniform(-WOBBLE_A, WOBBLE_A)
            self.image.show(MeterReading(amps=(amps, amps, amps), volts=(VOLTS, VOLTS, VOLTS)))
            if self.shown_at is None:
                self.shown_at = now
        return self.image.read(function, address, count)

    def flowing_a(self, now: float) -> float:
        """Return what flows on each phase."""
        return self.base_a + sum(point.drawn_a(now) for point in self.points)

    def promised_a(self) -> float:
        """Return what flows on each phase when all cars have followed."""
        return self.base_a + sum(point.limit_a for point in self.points)

    def reduced(self, now: float) -> None:
        """Note a reduction that has arrived."""
        self.arrived_at.append(now)

    async def jump(self, to_a: float, rating_a: float) -> dict[str, Any]:
        """Let the base load jump, and watch until the reductions have come."""
        self.base_a, self.shown_at = to_a, None
        self.arrived_at = []
        begun = time.monotonic()
        while time.monotonic() - begun < NOTHING_CAME_S:
            await asyncio.sleep(0.05)
            over = self.arrived_at and time.monotonic() - self.arrived_at[-1] > QUIET_S
            if over and self.promised_a() <= rating_a:
                break
        return {
            "shown_at": self.shown_at,
            "arrived_at": self.arrived_at,
            "cleared": self.promised_a() <= rating_a,
            **self.figures(),
        }

    def figures(self) -> dict[str, Any]:
        """Return how it stands."""
        limits = [point.limit_a for point in self.points]
        return {
            "least_a": min(limits),
            "most_a": max(limits),
            "mean_a": sum(limits) / len(limits),
            "hung_up": sum(point.hung_up for point in self.points),
        }


async def _live() -> None:
    premises = Premises(base_a=0.0)
    reporting: list[asyncio.Task[None]] = []
    async with ClientSession(connector=TCPConnector(limit=0)) as session:

        async def answer(question: dict[str, Any]) -> dict[str, Any]:
            match question["ask"]:
                case "listen":
                    premises.base_a = question["base_a"]
                    await premises.server.start(HOST, 0)
                    return {"meter_port": premises.server.port}
                case "dial":
                    points = [LimitedPoint(identity, premises) for identity in question["identities"]]
                    for first in range(0, len(points), DIALS_IN_AT_A_TIME):
                        batch = points[first : first + DIALS_IN_AT_A_TIME]
                        await asyncio.gather(*(point.connect(session, question["port"]) for point in batch))
                    premises.points.extend(points)
                    reporting.extend(asyncio.create_task(point.report()) for point in points)
                    return {}
                case "jump":
                    return await premises.jump(question["to_a"], question["rating_a"])
                case "settle":
                    premises.base_a = question["base_a"]
            return premises.figures()

        await answer_questions(answer)
        for task in reporting:
            task.cancel()
        await asyncio.gather(*(point.close() for point in premises.points), return_exceptions=True)
        await premises.server.stop()


if __name__ == "__main__":
    asyncio.run(_live())
