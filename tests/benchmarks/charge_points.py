"""Charge points that dial in, start a transaction and send MeterValues at a steady pace; a process of its own.

Each has one call on the wire at a time, as OCPP wants, and answers what it is asked in between.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from .messages import meter_values, stamp
from .program import answer_questions

QUIET_S = 0.5
"""When nobody has asked for anything for so long, the server has done its setting up."""

ANSWERS: dict[str, dict[str, Any]] = {
    "GetConfiguration": {"configurationKey": [], "unknownKey": []},
    "TriggerMessage": {"status": "NotImplemented"},
}


class ChargePoint:
    """One charge point."""

    def __init__(self, identity: str) -> None:
        """Begin without a connection."""
        self.identity = identity
        self.refusals = 0
        self.asked_at = 0.0
        self._transaction_id = 1
        self._next = 0
        self._answered: asyncio.Future[Any] | None = None
        self._socket: ClientWebSocketResponse | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def hung_up(self) -> bool:
        """Return whether the connection that there was has ended."""
        return self._reading is not None and self._reading.done()

    async def connect(self, session: ClientSession, port: int) -> None:
        """Dial in, boot and start a transaction."""
        url = f"ws://127.0.0.1:{port}/{self.identity}"
        self._socket = await session.ws_connect(url, protocols=("ocpp1.6",))
        self._reading = asyncio.get_running_loop().create_task(self._read(self._socket))
        await self._call("BootNotification", {"chargePointVendor": "Bench", "chargePointModel": "One"})
        await self._call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"})
        started = await self._call(
            "StartTransaction", {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": stamp(time.time())}
        )
        self._transaction_id = started.get("transactionId", 1)

    async def send_meter_values(self) -> float:
        """Send MeterValues and return the milliseconds until their answer."""
        begun = time.perf_counter()
        await self.measure()
        return (time.perf_counter() - begun) * 1e3

    async def measure(self, amps: float | None = None) -> None:
        """Send MeterValues, of a current where it matters, and wait for the answer."""
        self._next += 1
        await self._ask(meter_values(self._next, self._transaction_id, time.time(), amps=amps))

    def answer(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a call of the central system."""
        del payload
        return ANSWERS.get(action, {"status": "Accepted"})

    async def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            await self._socket.close()
        if self._reading is not None:
            await self._reading

    async def _call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        self._next += 1
        answer: dict[str, Any] = await self._ask([2, str(self._next), action, payload])
        return answer

    async def _ask(self, call: list[Any]) -> Any:
        assert self._socket is not None
        self._answered = asyncio.get_running_loop().create_future()
        await self._socket.send_str(orjson.dumps(call).decode())
        return await self._answered

    async def _read(self, socket: ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                return
            kind, message_id, *rest = orjson.loads(message.data)
            if kind == 2:
                self.asked_at = time.monotonic()
                answer = self.answer(rest[0], rest[1])
                await socket.send_str(orjson.dumps([3, message_id, answer]).decode())
                continue
            self.refusals += kind != 3
            if self._answered is not None and not self._answered.done():
                self._answered.set_result(rest[0] if kind == 3 else {})


async def _send_steadily(point: ChargePoint, due: Sequence[float]) -> list[float]:
    taken: list[float] = []
    for at in due:
        await asyncio.sleep(at - time.monotonic())
        taken.append(await point.send_meter_values())
    return taken


async def _run_round(points: Sequence[ChargePoint], messages: int, rate_per_s: float) -> dict[str, Any]:
    begin = time.monotonic() + 0.1
    turns = [
        _send_steadily(point, [begin + number / rate_per_s for number in range(index, messages, len(points))])
        for index, point in enumerate(points)
    ]
    answers_ms = [taken for each in await asyncio.gather(*turns) for taken in each]
    return {
        "answers_ms": answers_ms,
        "refusals": sum(point.refusals for point in points),
        "took_s": time.monotonic() - begin,
    }


async def _quiet(points: Sequence[ChargePoint]) -> None:
    while (left_s := max(point.asked_at for point in points) + QUIET_S - time.monotonic()) > 0:  # noqa: ASYNC110 - silence is what is waited for
        await asyncio.sleep(left_s)


async def _live() -> None:
    points: list[ChargePoint] = []
    async with ClientSession() as session:

        async def answer(question: dict[str, Any]) -> dict[str, Any]:
            if question["ask"] == "connect":
                points.extend(ChargePoint(identity) for identity in question["identities"])
                await asyncio.gather(*(point.connect(session, question["port"]) for point in points))
                await _quiet(points)
                return {}
            return await _run_round(points, question["messages"], question["rate_per_s"])

        await answer_questions(answer)
        await asyncio.gather(*(point.close() for point in points))


if __name__ == "__main__":
    asyncio.run(_live())
