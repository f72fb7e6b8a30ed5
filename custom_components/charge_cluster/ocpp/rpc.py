"""Calls and answers over one connection, whatever the version's vocabulary.

Inbound, a call is looked up in a table of `Action`s and answered at once; an action that has to wait (for a disk) is
answered when it is done and holds up nothing else. Outbound, one call at a time is on the wire, limits go before
everything, and a newer limit replaces one that still waits. Answers never wait for outgoing calls. When the connection
ends everything that waits fails at once. All times are the event loop's monotonic ones.

A link knows no sockets: frames come in through `receive` and leave through the `send` it was given.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from .frames import (
    Call,
    CallError,
    CallResult,
    CallResultError,
    ErrorCode,
    FrameFault,
    JsonObject,
    MessageId,
    Sent,
    encode_call,
    encode_error,
    encode_result,
    parse,
)
from .pacing import Allowance, CalmLog
from .versions import OcppVersion

LOGGER = logging.getLogger(__name__)

CALL_TIMEOUT_S = 5.0
QUESTION_TIMEOUT_S = 2.0
"""Limits do not wait for longer than this behind a call that only asks something."""
LIMIT_TIMEOUT_S = 10.0
"""A charger that leaves a limit unanswered for this long counts as offline."""
QUEUE_PATIENCE_S = 30.0
"""A call that could not be sent for this long is given up."""
MAX_QUEUED = 64
MAX_UNANSWERED = 16
"""Calls of the peer in work at the same time."""
REMEMBERED = 32
"""Answers kept for calls that come twice, and late answers still expected."""
MALFORMED_COST = 10.0
"""What a frame that is no message takes from the peer's allowance, in messages."""

INBOUND_RATE_PER_S = 100.0
INBOUND_BURST = 400.0

type Send = Callable[[bytes], Awaitable[None]]
type Compose = Callable[[], JsonObject]
"""Builds the payload at the moment of sending, so that times in it are fresh."""
type Late = Callable[[JsonObject | None], None]
"""Told of an answer that came after its time: the payload, or None for a refusal."""
type Ask = Callable[[str, JsonObject], Awaitable[JsonObject]]
"""Sends a call and returns its answer. Raises CallFailed."""


class CallFault(Exception):
    """Raised by an action: the call is answered with this CALLERROR."""

    def __init__(self, code: ErrorCode, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class CallFailed(Exception):
    """A call of ours got no usable answer."""


class CallRefused(CallFailed):
    """The answer is a CALLERROR."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.description = description


class CallTimedOut(CallFailed):
    """It was sent and nothing came back in time: what it asked for may have been done."""


class CallNotSent(CallFailed):
    """It never went out, so that it changed nothing."""


class Superseded(CallNotSent):
    """A newer call for the same thing took its place in the queue."""


class QueueFull(CallNotSent):
    """Too many calls wait already."""


class LinkClosed(CallFailed):
    """The connection ended while it was on the wire."""


class Priority(IntEnum):
    """The order of the queue."""

    LIMIT = 0
    COMMAND = 1
    """Somebody waits for it."""
    ROUTINE = 2
    QUESTION = 3
    """Something that is worth knowing only at once."""


TIMEOUTS_S = {Priority.LIMIT: LIMIT_TIMEOUT_S, Priority.QUESTION: QUESTION_TIMEOUT_S}


type Answer = JsonObject | Coroutine[Any, Any, JsonObject]


@dataclass(frozen=True, slots=True)
class Action:
    """What answers calls of one name: at once, or as a coroutine where it has to wait. Raises CallFault."""

    answer: Callable[[JsonObject], Answer]
    once: bool = False
    """A call that comes twice on one connection, same id and same content, is carried out once."""


@dataclass(slots=True, eq=False, kw_only=True)
class _Outgoing:
    action: str
    compose: Compose
    priority: Priority
    order: int
    replaces: Hashable | None
    timeout_s: float
    give_up_at: float
    late: Late | None
    answer: asyncio.Future[JsonObject]


@dataclass(slots=True)
class LinkStatistics:
    """Counts since the connection was made."""

    received: int = 0
    malformed: int = 0
    unexpected: int = 0
    """Answers that nobody waited for, and messages without an answer that mean nothing to us."""
    unusable: int = 0
    """Answers of ours that it could not use."""
    duplicates: int = 0
    sent: int = field(default=0)


class RpcLink:
    """One connection's calls in both directions."""

    def __init__(
        self,
        send: Send,
        actions: Mapping[str, Action],
        *,
        allowance: Allowance | None = None,
        responsive_changed: Callable[[], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        name: str = "charge point",
        version: OcppVersion = OcppVersion.V16,
        log: CalmLog | None = None,
    ) -> None:
        """Set up the link; nothing runs until frames are received or calls made.

        Args:
            send: puts one frame on the wire; raises ConnectionError when it cannot.
            actions: the vocabulary; may be replaced at any time through the attribute.
            allowance: how much the peer may send before it is read more slowly.
            responsive_changed: told when a limit stays unanswered and when answers come again; see `responsive`.
            version: what is spoken.
            log: where the peer's faults are told; one that outlives the connection keeps who dials again and again from
                filling the log.
        """
        self.version = version
        self.actions = actions
        self.responsive_changed = responsive_changed
        self.responsive = True
        self.statistics = LinkStatistics()
        self.heard_at = monotonic()
        self.is_held_back = False
        """Whether it sent too much, and its next frame waits to be read."""
        self.name = name
        self._send = send
        self._allowance = allowance or Allowance(rate_per_s=INBOUND_RATE_PER_S, burst=INBOUND_BURST)
        self._monotonic = monotonic
        self._log = log or CalmLog(LOGGER, monotonic)
        self._closed = False
        self._in_work: set[asyncio.Task[None]] = set()
        self._answered: OrderedDict[tuple[MessageId, int], bytes | None] = OrderedDict()
        self._queue: list[_Outgoing] = []
        self._queued = asyncio.Event()
        self._order = 0
        self._id_prefix = secrets.token_hex(4)
        self._worker: asyncio.Task[None] | None = None
        self._on_wire: tuple[str, asyncio.Future[JsonObject]] | None = None
        self._late: OrderedDict[str, Late | None] = OrderedDict()

    @property
    def closed(self) -> bool:
        """Return whether the link has ended."""
        return self._closed

    def allow(self, allowance: Allowance) -> None:
        """Change how much the peer may send."""
        self._allowance = allowance

    # -- inbound ------------------------------------------------------------------------------------------------------

    async def receive(self, frame: str | bytes) -> None:
        """Take one frame from the peer; returns when the next may be read."""
        now = self._monotonic()
        self.heard_at = now
        self.statistics.received += 1
        debt_s = self._allowance.take(now)
        if debt_s > 0:
            self._log.warning("%s sends too much and is read more slowly", self.name)
            self.is_held_back = True
            try:
                await asyncio.sleep(debt_s)
            finally:
                self.is_held_back = False
        try:
            message = parse(frame, self.version)
        except FrameFault as fault:
            await self._refuse_frame(fault)
            return
        if self._closed:
            return
        match message:
            case Call():
                await self._answer(message, frame)
            case Sent():
                self._take_note(message)
            case CallResultError():
                self.statistics.unusable += 1
                self._log.warning("%s could not use an answer: %s", self.name, message.code)
            case CallResult() | CallError():
                self._settle(message)

    async def _refuse_frame(self, fault: FrameFault) -> None:
        self.statistics.malformed += 1
        self._allowance.take(self._monotonic(), MALFORMED_COST)
        self._log.warning("%s sent something unusable: %s", self.name, fault.description)
        if fault.message_id is not None:
            await self._put_on_wire(self._error(fault.message_id, fault.code, fault.description))

    def _error(self, message_id: MessageId, code: ErrorCode, description: str) -> bytes:
        return encode_error(message_id, code, description, self.version)

    def _take_note(self, sent: Sent) -> None:
        """Take what is told without being answered."""
        action = self.actions.get(sent.action)
        if action is None:
            self.statistics.unexpected += 1
            return
        try:
            answer = action.answer(sent.payload)
        except CallFault as fault:
            self._log.warning("%s sent something unusable: %s", self.name, fault.description)
            return
        if not isinstance(answer, dict):
            # Whatever has to wait is for calls: nobody would hear that it failed.
            answer.close()

    async def _answer(self, call: Call, frame: str | bytes) -> None:
        action = self.actions.get(call.action)
        if action is None:
            await self._put_on_wire(self._error(call.message_id, ErrorCode.NOT_IMPLEMENTED, "unknown action"))
            return
        key = (call.message_id, hash(frame)) if action.once else None
        if key is not None and key in self._answered:
            self.statistics.duplicates += 1
            stored = self._answered[key]
            if stored is not None:
                await self._put_on_wire(stored)
            return
        try:
            answer = action.answer(call.payload)
        except CallFault as fault:
            await self._put_on_wire(self._error(call.message_id, fault.code, fault.description))
            return
        if isinstance(answer, dict):
            encoded = encode_result(call.message_id, answer)
            if key is not None:
                self._remember(key, encoded)
            await self._put_on_wire(encoded)
            return
        if len(self._in_work) >= MAX_UNANSWERED:
            answer.close()
            await self._put_on_wire(self._error(call.message_id, ErrorCode.INTERNAL_ERROR, "too many calls at once"))
            return
        if key is not None:
            self._remember(key, None)
        task = asyncio.get_running_loop().create_task(self._answer_when_done(call.message_id, answer, key))
        self._in_work.add(task)
        task.add_done_callback(self._in_work.discard)

    async def _answer_when_done(
        self, message_id: MessageId, answer: Coroutine[Any, Any, JsonObject], key: tuple[MessageId, int] | None
    ) -> None:
        try:
            payload = await answer
        except CallFault as fault:
            if key is not None:
                self._answered.pop(key, None)
            await self._put_on_wire(self._error(message_id, fault.code, fault.description))
            return
        encoded = encode_result(message_id, payload)
        if key is not None:
            self._remember(key, encoded)
        await self._put_on_wire(encoded)

    def _remember(self, key: tuple[MessageId, int], encoded: bytes | None) -> None:
        self._answered[key] = encoded
        while len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)

    def _settle(self, message: CallResult | CallError) -> None:
        message_id = str(message.message_id)
        if self._on_wire is not None and self._on_wire[0] == message_id:
            arrived = self._on_wire[1]
            self._on_wire = None
            if not arrived.done():
                if isinstance(message, CallResult):
                    arrived.set_result(message.payload)
                else:
                    arrived.set_exception(CallRefused(message.code, message.description))
        elif message_id in self._late:
            late = self._late.pop(message_id)
            if late is not None:
                late(message.payload if isinstance(message, CallResult) else None)
        else:
            self.statistics.unexpected += 1
            self._log.warning("%s sent an answer that nobody waits for", self.name)
            return
        self._set_responsive(responsive=True)

    # -- outbound -----------------------------------------------------------------------------------------------------

    async def call(
        self,
        action: str,
        payload: JsonObject | Compose,
        *,
        priority: Priority = Priority.COMMAND,
        replaces: Hashable | None = None,
        late: Late | None = None,
    ) -> JsonObject:
        """Ask the peer and return its answer.

        Args:
            payload: what to send, or a function that builds it when its turn has come.
            replaces: calls that wait under the same key are replaced by this one.
            late: told of an answer that comes after the time-out.

        Raises:
            CallRefused: it answered with a CALLERROR.
            CallTimedOut: no answer in time.
            CallNotSent: it never went out (also Superseded, QueueFull).
            LinkClosed: the connection ended meanwhile.
        """
        if self._closed:
            raise CallNotSent("the connection has ended")
        loop = asyncio.get_running_loop()
        self._order += 1
        outgoing = _Outgoing(
            action=action,
            compose=payload if callable(payload) else lambda: payload,
            priority=priority,
            order=self._order,
            replaces=replaces,
            timeout_s=TIMEOUTS_S.get(priority, CALL_TIMEOUT_S),
            give_up_at=self._monotonic() + QUEUE_PATIENCE_S,
            late=late,
            answer=loop.create_future(),
        )
        if replaces is not None:
            self._withdraw(replaces)
        self._make_room(outgoing)
        self._queue.append(outgoing)
        self._queued.set()
        if self._worker is None:
            self._worker = loop.create_task(self._work())
        return await outgoing.answer

    def _withdraw(self, key: Hashable) -> None:
        for waiting in [w for w in self._queue if w.replaces == key]:
            self._queue.remove(waiting)
            _fail(waiting.answer, Superseded("a newer call took its place"))

    def _make_room(self, newcomer: _Outgoing) -> None:
        if len(self._queue) < MAX_QUEUED:
            return
        last = max(self._queue, key=lambda waiting: (waiting.priority, waiting.order))
        if last.priority <= newcomer.priority:
            raise QueueFull("too many calls wait already")
        self._queue.remove(last)
        _fail(last.answer, QueueFull("a more urgent call took its place"))

    async def _work(self) -> None:
        while not self._closed:
            outgoing = self._next()
            if outgoing is None:
                self._queued.clear()
                await self._queued.wait()
                continue
            await self._ask(outgoing)

    def _next(self) -> _Outgoing | None:
        now = self._monotonic()
        for waiting in [w for w in self._queue if w.answer.done() or w.give_up_at < now]:
            self._queue.remove(waiting)
            _fail(waiting.answer, CallNotSent("other calls took too long"))
        if not self._queue:
            return None
        first = min(self._queue, key=lambda waiting: (waiting.priority, waiting.order))
        self._queue.remove(first)
        return first

    async def _ask(self, outgoing: _Outgoing) -> None:
        message_id = f"{self._id_prefix}-{outgoing.order}"
        arrived: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()
        self._on_wire = (message_id, arrived)
        try:
            async with asyncio.timeout(outgoing.timeout_s):
                await self._put_on_wire(encode_call(message_id, outgoing.action, outgoing.compose()))
                payload = await arrived
        except TimeoutError:
            self._on_wire = None
            self._expect_late(message_id, outgoing.late)
            _fail(outgoing.answer, CallTimedOut(f"no answer to {outgoing.action}"))
            if outgoing.priority is Priority.LIMIT:
                self._set_responsive(responsive=False)
        except (CallRefused, LinkClosed) as failure:
            _fail(outgoing.answer, failure)
        except asyncio.CancelledError:
            _fail(outgoing.answer, LinkClosed("the connection ended"))
            raise
        else:
            if not outgoing.answer.done():
                outgoing.answer.set_result(payload)

    def _expect_late(self, message_id: str, late: Late | None) -> None:
        self._late[message_id] = late
        while len(self._late) > REMEMBERED:
            self._late.popitem(last=False)

    def _set_responsive(self, *, responsive: bool) -> None:
        if responsive != self.responsive:
            self.responsive = responsive
            if self.responsive_changed is not None:
                self.responsive_changed()

    async def _put_on_wire(self, frame: bytes) -> None:
        if self._closed:
            return
        self.statistics.sent += 1
        try:
            await self._send(frame)
        except ConnectionError:
            self.close()

    def close(self) -> None:
        """End the link: everything that waits fails now."""
        if self._closed:
            return
        self._closed = True
        if self._on_wire is not None:
            _fail(self._on_wire[1], LinkClosed("the connection ended"))
            self._on_wire = None
        for waiting in self._queue:
            _fail(waiting.answer, CallNotSent("the connection ended"))
        self._queue.clear()
        self._queued.set()
        self._late.clear()

    async def wait_closed(self) -> None:
        """Close, and wait until calls in work are done: what a peer told before it went is still stored."""
        self.close()
        tasks = [*self._in_work, *([self._worker] if self._worker is not None else [])]
        if tasks:
            await asyncio.wait(tasks)


def _fail(future: asyncio.Future[JsonObject], failure: CallFailed) -> None:
    if not future.done():
        future.set_exception(failure)
