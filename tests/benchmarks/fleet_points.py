"""The charge points of a whole fleet with their cars, and the supply meter; a process of its own.

They dial in all at once, their cars are plugged in all at once, and after a power cut they all boot at once. Each tells
when it was managed: when every connector holds the fallback, or the limit of its running transaction.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, override

from aiohttp import ClientSession, TCPConnector

from simulator.meter_images import MeterReading, SunSpecImage
from simulator.modbus_server import ModbusServer

from .charge_points import ChargePoint
from .messages import meter_values, stamp
from .premises import FOLLOWS_AFTER_S, HOST, UNIT, VOLTS
from .program import answer_questions

ENDS_WITHIN_S = 110.0
"""What is not managed by then is told as it is."""
FLEET_TAG = "FLEET"
REPORTS_AFTER_S = 5.0
"""After its power came back a charge point has other things to do first."""


class Plug:
    """One connector and what hangs on it."""

    def __init__(self, number: int) -> None:
        """Begin without a car."""
        self.number = number
        self.transaction_id: int | None = None
        self.limit_a = 0.0
        """Of the transaction that runs."""
        self.fallback_a: float | None = None
        """Under which a transaction begins; None: nobody has told."""
        self.register_wh = 0.0
        self.limited_at: float | None = None
        """When the running transaction was given more than the fallback; monotonic."""
        self._followed_a = 0.0
        self._follows_at = 0.0

    def drawn_a(self, now: float) -> float:
        """Return what flows on each phase."""
        if self.transaction_id is None:
            return 0.0
        if now >= self._follows_at:
            self._followed_a = self.limit_a
        return self._followed_a

    def take(self, limit_a: float) -> None:
        """Take a limit; the car follows a little later."""
        now = time.monotonic()
        if limit_a > (self.fallback_a or 0.0) and self.limited_at is None:
            self.limited_at = now
        if limit_a != self.limit_a:
            self.drawn_a(now)
            self.limit_a, self._follows_at = limit_a, now + FOLLOWS_AFTER_S


class FleetPoint(ChargePoint):
    """A charge point with several connectors."""

    def __init__(self, identity: str, connectors: int) -> None:
        """Begin without a connection."""
        super().__init__(identity)
        self.plugs = [Plug(number) for number in range(1, connectors + 1)]
        self.ready = asyncio.Event()
        """Every connector holds its fallback."""
        self.charging = asyncio.Event()
        """Every connector was given its share: more than the fallback under which it began."""
        self.answers_ms: list[float] = []
        self.interrupted = False
        self._turn = asyncio.Lock()

    async def dial(self, session: ClientSession, port: int) -> None:
        """Dial in and boot; an old connection is not there any more for us."""
        url = f"ws://{HOST}:{port}/{self.identity}"
        self._socket = await session.ws_connect(url, protocols=("ocpp1.6",))
        self._reading = asyncio.get_running_loop().create_task(self._read(self._socket))
        await self.say(
            "BootNotification",
            {"chargePointVendor": "Bench", "chargePointModel": "Fleet", "firmwareVersion": "1.0"},
        )
        for plug in self.plugs:
            await self._status(plug, "Available" if plug.transaction_id is None else "Preparing")

    async def say(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send a call when it is its turn, and return the answer."""
        async with self._turn:
            return await self._call(action, payload)

    async def plug_in(self) -> None:
        """Have cars plugged in at every connector, and start."""
        for plug in self.plugs:
            await self._status(plug, "Preparing")
        for plug in self.plugs:
            await self._start(plug)

    async def recover(self, session: ClientSession, port: int) -> None:
        """Come back after a power cut, with the cars still plugged in."""
        self.charging.clear()
        running = [(plug, plug.transaction_id) for plug in self.plugs]
        for plug in self.plugs:
            plug.limited_at = None
            plug.take(0.0)
        await self.dial(session, port)
        for plug, transaction_id in running:
            if transaction_id is not None:
                plug.transaction_id = None
                stop = {"transactionId": transaction_id, "meterStop": round(plug.register_wh), "reason": "PowerLoss"}
                await self.say("StopTransaction", {**stop, "timestamp": stamp(time.time())})
        for plug, transaction_id in running:
            if transaction_id is not None:
                await self._start(plug)

    async def _start(self, plug: Plug) -> None:
        start = {"connectorId": plug.number, "idTag": FLEET_TAG, "meterStart": round(plug.register_wh)}
        begun = await self.say("StartTransaction", {**start, "timestamp": stamp(time.time())})
        plug.transaction_id = begun.get("transactionId")
        plug.take(plug.fallback_a or 0.0)
        await self._status(plug, "Charging")

    async def _status(self, plug: Plug, status: str) -> None:
        notice = {"connectorId": plug.number, "errorCode": "NoError", "status": status}
        await self.say("StatusNotification", {**notice, "timestamp": stamp(time.time())})

    async def unplug(self) -> None:
        """Let every car leave."""
        for plug in self.plugs:
            transaction_id, plug.transaction_id = plug.transaction_id, None
            if transaction_id is not None:
                stop = {
                    "transactionId": transaction_id,
                    "meterStop": round(plug.register_wh),
                    "reason": "EVDisconnected",
                }
                await self.say("StopTransaction", {**stop, "timestamp": stamp(time.time())})
            await self._status(plug, "Available")

    @override
    def answer(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        if action == "SetChargingProfile":
            self._take(payload["connectorId"], payload["csChargingProfiles"])
        return super().answer(action, payload)

    def _take(self, connector: int, profile: dict[str, Any]) -> None:
        limit_a = float(profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"])
        for plug in self.plugs if connector == 0 else [self.plugs[connector - 1]]:
            if profile["chargingProfilePurpose"] == "TxProfile":
                plug.take(limit_a)
            else:
                plug.fallback_a = limit_a
        if all(plug.fallback_a is not None for plug in self.plugs):
            self.ready.set()
        if all(plug.limited_at is not None for plug in self.plugs):
            self.charging.set()

    async def report(self, first_s: float, every_s: float) -> None:
        """Send the measurements of every connector for ever, at a steady pace."""
        pause_s = every_s / len(self.plugs)
        due = time.monotonic() + first_s
        while True:
            for plug in self.plugs:
                await asyncio.sleep(due - time.monotonic())
                await self._measure(plug, pause_s)
                due += pause_s

    async def _measure(self, plug: Plug, since_s: float) -> None:
        now = time.monotonic()
        amps = plug.drawn_a(now)
        plug.register_wh += amps * 3 * VOLTS * since_s * len(self.plugs) / 3600
        async with self._turn:
            self._next += 1
            transaction_id = plug.transaction_id or 0
            call = meter_values(self._next, transaction_id, time.time(), amps=amps, connector=plug.number)
            if plug.transaction_id is None:
                del call[3]["transactionId"]
            begun = time.perf_counter()
            await self._ask(call)
            self.answers_ms.append((time.perf_counter() - begun) * 1e3)

    def lose_power(self) -> None:
        """Be gone without a word: the other side finds out when somebody dials in again."""
        self.interrupted = True
        if self._reading is not None:
            self._reading.cancel()


class Fleet:
    """All of them, and the image of their meter."""

    def __init__(self) -> None:
        """Begin without charge points."""
        self.points: list[FleetPoint] = []
        self.image = SunSpecImage(amps_scale=0, watts_scale=3)
        self.server = ModbusServer({UNIT: self})
        self.reporting: list[asyncio.Task[None]] = []
        self.every_s = 10.0

    def read(self, function: int, address: int, count: int) -> list[int]:
        """Return registers: what flows at this moment."""
        now = time.monotonic()
        amps = sum(plug.drawn_a(now) for point in self.points for plug in point.plugs)
        self.image.show(MeterReading(amps=(amps, amps, amps), volts=(VOLTS, VOLTS, VOLTS)))
        return self.image.read(function, address, count)

    async def dial(self, session: ClientSession, port: int, identities: Sequence[str], connectors: int) -> Any:
        """Dial in all at once, and wait until every connector holds its fallback."""
        self.points = [FleetPoint(identity, connectors) for identity in identities]
        begun = time.monotonic()
        dialled = asyncio.gather(*(point.dial(session, port) for point in self.points))
        return await self._wait(begun, dialled, [point.ready for point in self.points])

    async def plug_in(self) -> Any:
        """Plug in everywhere at once, and wait until every one was given its share."""
        begun = time.monotonic()
        plugged = asyncio.gather(*(point.plug_in() for point in self.points))
        return await self._wait(begun, plugged, [point.charging for point in self.points])

    async def power_back(self, session: ClientSession, port: int, off_s: float) -> Any:
        """Lose power everywhere, and come back at once, with the cars still plugged in."""
        self.stop_reporting()
        for point in self.points:
            point.lose_power()
        await asyncio.sleep(off_s)
        begun = time.monotonic()
        self.begin_reporting(self.every_s, after_s=REPORTS_AFTER_S)
        recovered = asyncio.gather(*(point.recover(session, port) for point in self.points))
        return await self._wait(begun, recovered, [point.charging for point in self.points])

    async def unplug(self) -> Any:
        """Let all cars leave."""
        await asyncio.gather(*(point.unplug() for point in self.points))
        return {}

    async def _wait(self, begun: float, told: asyncio.Future[Any], ends: Sequence[asyncio.Event]) -> dict[str, Any]:
        await told
        answered_s = time.monotonic() - begun
        waiting = asyncio.gather(*(event.wait() for event in ends))
        try:
            async with asyncio.timeout(ENDS_WITHIN_S):
                await waiting
        except TimeoutError:
            return {"answered_s": answered_s, "over_s": None, "over": sum(event.is_set() for event in ends)}
        return {"answered_s": answered_s, "over_s": time.monotonic() - begun, "over": len(ends)}

    def begin_reporting(self, every_s: float, after_s: float = 0.0) -> None:
        """Have everybody measure at a steady pace, spread over the interval."""
        self.every_s = every_s
        spread = every_s / max(1, len(self.points))
        self.reporting = [
            asyncio.create_task(point.report(after_s + number * spread, every_s))
            for number, point in enumerate(self.points)
        ]

    def stop_reporting(self) -> None:
        """Be silent."""
        for task in self.reporting:
            task.cancel()
        self.reporting = []

    def figures(self) -> dict[str, Any]:
        """Return how it stands, and forget the times of answers so far."""
        answers_ms = [taken for point in self.points for taken in point.answers_ms]
        for point in self.points:
            point.answers_ms = []
        limits = [plug.limit_a for point in self.points for plug in point.plugs]
        return {
            "answers_ms": answers_ms,
            "least_a": min(limits, default=0.0),
            "refusals": sum(point.refusals for point in self.points),
            "hung_up": sum(point.hung_up for point in self.points),
        }


async def _live() -> None:
    fleet = Fleet()
    async with ClientSession(connector=TCPConnector(limit=0)) as session:

        async def answer(question: dict[str, Any]) -> Any:
            match question["ask"]:
                case "listen":
                    await fleet.server.start(HOST, 0)
                    return {"meter_port": fleet.server.port}
                case "dial":
                    return await fleet.dial(session, question["port"], question["identities"], question["connectors"])
                case "plug in":
                    return await fleet.plug_in()
                case "report":
                    fleet.begin_reporting(question["every_s"])
                case "power cut":
                    return await fleet.power_back(session, question["port"], question["off_s"])
                case "unplug":
                    return await fleet.unplug()
            return fleet.figures()

        await answer_questions(answer)
        fleet.stop_reporting()
        await asyncio.gather(*(point.close() for point in fleet.points), return_exceptions=True)
        await fleet.server.stop()


if __name__ == "__main__":
    asyncio.run(_live())
