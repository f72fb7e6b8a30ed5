"""One websocket connection of a charge point: OCPP-J frames in and out, and nothing of what they mean.

A call waits for its answer in real seconds, since the peer lives in real time. A link can go deaf: it then swallows all
that comes and sends nothing, as a charge point does whose power or network vanished without a word.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

CALL, RESULT, ERROR = 2, 3, 4

NO_ID = "-1"
"""Message id of an answer to what has none that could be read."""

CALL_LENGTH, SHORTEST_LENGTH = 4, 3

CALL_TIMEOUT_S = 30.0
"""Real seconds that a charge point waits for the central system's answer."""

type Payload = Mapping[str, Any]


class LinkLost(Exception):
    """The connection ended before the answer came."""


class NoAnswer(Exception):
    """The central system did not answer in time."""


class CallRefused(Exception):
    """The central system answered with a CALLERROR."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class CallFault(Exception):
    """A call of the central system that is answered with a CALLERROR."""

    def __init__(self, code: str, what: str = "") -> None:
        super().__init__(what)
        self.code = code


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a call of the central system, and what the charge point does once it is sent."""

    payload: Payload
    afterwards: Callable[[], None] | None = None


type Answerer = Callable[[str, Payload], Reply]


class Link:
    """A connection that is established."""

    def __init__(
        self,
        websocket: aiohttp.ClientWebSocketResponse,
        *,
        answer: Answerer,
        delay: Callable[[], float],
        answers_pings: Callable[[], bool],
        pong_delay: Callable[[], float],
        tally: Counter[str],
        error_codes: Mapping[str, str],
        answers_rubbish: bool,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Take over a websocket.

        Args:
            websocket: the connection.
            answer: answers calls.
            delay: gives the real seconds before each answer.
            answers_pings: whether pings are answered now.
            pong_delay: gives the real seconds before each answer to a ping.
            tally: counts what happens.
            error_codes: how the codes of errors are spelled, where they differ from OCPP 1.6.
            answers_rubbish: answers even what cannot be read.
            timeout_s: real seconds to wait for an answer.
        """
        self._websocket = websocket
        self._answer = answer
        self._delay = delay
        self._answers_pings = answers_pings
        self._pong_delay = pong_delay
        self._tally = tally
        self._error_codes = error_codes
        self._answers_rubbish = answers_rubbish
        self._timeout_s = timeout_s
        self._pending: dict[str, asyncio.Future[Payload]] = {}
        self._late: set[asyncio.Task[None]] = set()
        self.deaf = False

    async def call(self, action: str, payload: Payload, message_id: str) -> Payload:
        """Send a call and return its answer.

        Raises:
            CallRefused: a CALLERROR came back.
            NoAnswer: nothing came back in time.
            LinkLost: the connection ended.
        """
        answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        self._pending[message_id] = answer
        self._tally[f"sent {action}"] += 1
        try:
            await self._write([CALL, message_id, action, payload])
            async with asyncio.timeout(self._timeout_s):
                return await answer
        except TimeoutError:
            self._tally["unanswered"] += 1
            raise NoAnswer(action) from None
        finally:
            if self._pending.get(message_id) is answer:
                del self._pending[message_id]

    async def serve(self) -> None:
        """Read until the connection ends, answering calls."""
        try:
            while True:
                frame = await self._websocket.receive()
                if frame.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.ERROR):
                    return
                if self.deaf:
                    continue
                if frame.type is aiohttp.WSMsgType.CLOSE:
                    await self._websocket.close()
                    return
                if frame.type is aiohttp.WSMsgType.PING:
                    await self._pong(frame.data)
                elif frame.type is aiohttp.WSMsgType.TEXT:
                    await self._take(frame.data)
        except ConnectionError, aiohttp.ClientError, LinkLost:
            return
        finally:
            self._lose()

    async def ping(self) -> None:
        """Send a ping of the websocket; whether it is answered does not matter here.

        Raises:
            LinkLost: the connection ended.
        """
        if self.deaf:
            return
        try:
            await self._websocket.ping()
        except (ConnectionError, aiohttp.ClientError) as lost:
            raise LinkLost(str(lost)) from lost

    async def close(self) -> None:
        """End the connection politely."""
        self._lose()
        await self._websocket.close()

    def abort(self) -> None:
        """End the connection without a word of farewell."""
        self._lose()
        raw = self._websocket.get_extra_info("socket")
        if raw is None:
            return
        try:
            raw.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the peer was faster

    async def _pong(self, data: bytes) -> None:
        if not self._answers_pings():
            return
        delay = self._pong_delay()
        if delay > 0.0:
            self._later(self._pong_late(delay, data))
        else:
            await self._websocket.pong(data)

    async def _pong_late(self, delay: float, data: bytes) -> None:
        await asyncio.sleep(delay)
        with suppress(ConnectionError, aiohttp.ClientError):
            await self._websocket.pong(data)

    async def _take(self, text: str) -> None:
        try:
            frame = orjson.loads(text)
        except orjson.JSONDecodeError:
            await self._shrug(NO_ID, "RpcFrameworkError")
            return
        if not isinstance(frame, list) or len(frame) < SHORTEST_LENGTH:
            await self._shrug(NO_ID, "RpcFrameworkError")
        elif frame[0] == CALL and len(frame) == CALL_LENGTH:
            await self._reply(str(frame[1]), str(frame[2]), frame[3])
        elif frame[0] in (RESULT, ERROR):
            self._settle(frame)
            await asyncio.sleep(0)  # whoever waits for the answer acts upon it before the next frame is taken
        else:
            await self._shrug(str(frame[1]), "MessageTypeNotSupported")

    async def _shrug(self, message_id: str, code: str) -> None:
        """Let something unreadable pass, or say that it is, where the version wants that."""
        self._tally["unreadable"] += 1
        if self._answers_rubbish:
            await self._write([ERROR, message_id, code, "this cannot be read", {}])

    def _settle(self, frame: list[Any]) -> None:
        answer = self._pending.get(str(frame[1]))
        if answer is None or answer.done():
            self._tally["answers to nothing"] += 1
        elif frame[0] == ERROR:
            self._tally["errors received"] += 1
            answer.set_exception(CallRefused(str(frame[2])))
        elif isinstance(frame[2], dict):
            answer.set_result(frame[2])
        else:
            answer.set_exception(CallRefused("FormationViolation"))

    async def _reply(self, message_id: str, action: str, payload: object) -> None:
        self._tally[f"received {action}"] += 1
        afterwards = None
        try:
            reply = self._answer(action, _object(payload))
        except CallFault as fault:
            self._tally["errors sent"] += 1
            code = self._error_codes.get(fault.code, fault.code)
            frame = [ERROR, message_id, code, str(fault), {}]
        else:
            frame = [RESULT, message_id, reply.payload]
            afterwards = reply.afterwards
        delay = self._delay()
        if delay > 0.0:
            self._later(self._reply_late(delay, frame, afterwards))
            return
        await self._write(frame)
        if afterwards is not None:
            afterwards()

    def _later(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _reply_late(self, delay: float, frame: list[object], afterwards: Callable[[], None] | None) -> None:
        await asyncio.sleep(delay)
        try:
            await self._write(frame)
        except LinkLost:
            return
        if afterwards is not None:
            afterwards()

    async def _write(self, frame: list[Any]) -> None:
        if self.deaf:
            return
        try:
            await self._websocket.send_str(orjson.dumps(frame).decode())
        except (ConnectionError, aiohttp.ClientError) as lost:
            raise LinkLost(str(lost)) from lost

    def _lose(self) -> None:
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(LinkLost("the connection ended"))
        for task in self._late:
            task.cancel()


def _object(payload: object) -> Payload:
    if not isinstance(payload, dict):
        raise CallFault("FormationViolation", "the payload is no object")
    return payload
