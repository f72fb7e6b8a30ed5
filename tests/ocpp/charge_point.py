"""A charge point for tests: it answers what it is asked and tells what the test wants told.

It is strict with us: every call and every answer that it receives has to fulfil its schema.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from jsonschema import ValidationError

from .schemas import V16, conforms


def sampled(**currents: float) -> list[dict[str, str]]:
    """Return phase currents as sampled values."""
    return [
        {"measurand": "Current.Import", "phase": phase, "unit": "A", "value": str(amps)}
        for phase, amps in currents.items()
    ]


def energy(register_wh: float) -> dict[str, str]:
    """Return an import register as a sampled value."""
    return {"measurand": "Energy.Active.Import.Register", "unit": "Wh", "value": str(register_wh)}


class ChargePoint:
    """Runs one connection: answers calls from a table, collects them, and waits for the answers to its own.

    `client` is a `RawClient` or anything with its `send`, `receive` and `abort`.
    """

    schemas = V16

    def __init__(self, client: Any, wall: Callable[[], float] = time.time) -> None:
        self.client = client
        self.clock_error_s = 0.0
        self.asked: list[tuple[str, Any]] = []
        self.answers: dict[str, Callable[[Any], Any]] = {
            "GetConfiguration": lambda _: {"configurationKey": []},
            "ChangeConfiguration": lambda _: {"status": "Accepted"},
            "TriggerMessage": lambda _: {"status": "Accepted"},
            "SetChargingProfile": lambda _: {"status": "Accepted"},
            "GetCompositeSchedule": lambda _: {"status": "Rejected"},
            "ClearChargingProfile": lambda _: {"status": "Unknown"},
            "RemoteStartTransaction": lambda _: {"status": "Accepted"},
            "RemoteStopTransaction": lambda _: {"status": "Accepted"},
        }
        """What is answered; a text is the code of a CALLERROR."""
        self.silent_on: set[str] = set()
        self.unanswered: deque[tuple[str, str]] = deque()
        self.offended: list[Exception] = []
        """What was wrong with calls from the other side."""
        self.ended = asyncio.Event()
        self._wall = wall
        self._number = 0
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while (message := await self.client.receive()) is not None:
            if message == "pong":
                continue
            if message[0] == 2:
                await self._asked(*message[1:4])
            else:
                future = self._waiting.pop(message[1], None)
                if future is not None and not future.done():
                    future.set_result(message)
        self.ended.set()

    async def _asked(self, message_id: str, action: str, payload: Any) -> None:
        try:
            assert conforms(action, payload, self.schemas)
        except (AssertionError, ValidationError) as error:
            self.offended.append(error)
        if action in self.silent_on:
            self.unanswered.append((message_id, action))
        else:
            answer = self.answers[action](payload) if action in self.answers else "NotImplemented"
            if isinstance(answer, str):
                await self.client.send([4, message_id, answer, "", {}])
            else:
                await self.client.send([3, message_id, answer])
        async with self._news:
            self.asked.append((action, payload))
            self._news.notify_all()

    def stamp(self, ago_s: float = 0.0) -> str:
        """Return the time as this charge point sees it."""
        moment = datetime.fromtimestamp(self._wall() + self.clock_error_s - ago_s, UTC)
        return moment.isoformat().replace("+00:00", "Z")

    async def tell(self, action: str, payload: Any, message_id: str | None = None) -> Any:
        """Send a call and return the frame that answers it."""
        self._number += 1
        message_id = message_id or f"cp{self._number}"
        future = self._waiting[message_id] = asyncio.get_running_loop().create_future()
        await self.client.send([2, message_id, action, payload])
        async with asyncio.timeout(60):
            answer = await future
        if answer[0] == 3:
            conforms(f"{action}Response", answer[2], self.schemas)
        return answer

    async def boot(self) -> Any:
        answer = await self.tell(
            "BootNotification", {"chargePointVendor": "Sample", "chargePointModel": "One", "firmwareVersion": "1.2"}
        )
        return answer[2]

    async def status(self, connector: int, status: str, error: str = "NoError") -> None:
        await self.tell(
            "StatusNotification",
            {"connectorId": connector, "status": status, "errorCode": error, "timestamp": self.stamp()},
        )

    async def start(self, connector: int = 1, tag: str = "TAG1", meter: int = 1000) -> int:
        answer = await self.tell("StartTransaction", self.start_payload(connector, tag, meter))
        return int(answer[2]["transactionId"])

    def start_payload(self, connector: int = 1, tag: str = "TAG1", meter: int = 1000, ago_s: float = 0) -> Any:
        return {"connectorId": connector, "idTag": tag, "meterStart": meter, "timestamp": self.stamp(ago_s)}

    async def stop(self, transaction_id: int, meter: int = 2000, **more: Any) -> Any:
        payload = {"transactionId": transaction_id, "meterStop": meter, "timestamp": self.stamp(), **more}
        return await self.tell("StopTransaction", payload)

    async def measure(self, values: list[Any], connector: int = 1, transaction_id: int | None = None) -> Any:
        payload: dict[str, Any] = {
            "connectorId": connector,
            "meterValue": [{"timestamp": self.stamp(), "sampledValue": values}],
        }
        if transaction_id is not None:
            payload["transactionId"] = transaction_id
        return await self.tell("MeterValues", payload)

    async def was_asked(self, action: str, count: int = 1, within_s: float = 20.0) -> Any:
        """Wait for the n-th call of this name and return its payload."""
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(lambda: len(self.calls(action)) >= count)
        return self.calls(action)[count - 1]

    def calls(self, action: str) -> list[Any]:
        return [payload for name, payload in self.asked if name == action]

    def profiles(self, purpose: str) -> list[Any]:
        """Return the charging profiles of a purpose that were sent, oldest first."""
        sent = (payload["csChargingProfiles"] for payload in self.calls("SetChargingProfile"))
        return [profile for profile in sent if profile["chargingProfilePurpose"] == purpose]

    async def answer_late(self, payload: Any) -> None:
        """Answer the oldest call that was left unanswered."""
        message_id, _ = self.unanswered.popleft()
        await self.client.send([3, message_id, payload])

    async def close(self) -> None:
        self.client.abort()
        self._task.cancel()
        await asyncio.wait([self._task])
        assert self.offended == []


def limits_of(profile: Any) -> list[tuple[int, float]]:
    """Return the periods of a profile as (start, limit)."""
    periods = profile["chargingSchedule"]["chargingSchedulePeriod"]
    return [(period["startPeriod"], period["limit"]) for period in periods]
