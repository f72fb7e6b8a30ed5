"""What a MeterValues costs in the RPC layer: over real sockets beside a bare one and a library, and without sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import median

from custom_components.charge_cluster.ocpp.frames import Call, encode_result, parse
from custom_components.charge_cluster.ocpp.pacing import Allowance
from custom_components.charge_cluster.ocpp.protocols import TransactionStart
from custom_components.charge_cluster.ocpp.rpc import RpcLink
from custom_components.charge_cluster.ocpp.v16.conversation import Conversation16, Services
from tests.ocpp.surroundings import SettableClock, Tags

from .measuring import cpu_ms, percentile, undisturbed
from .messages import frames
from .program import Program, running
from .progress import say
from .report import Row
from .servers import SERVERS, CentralServer, CountingJournal

NAME = "rpc"
TARGET_MS = 0.25
FLOOR = "bare"
OURS = "central"

SUBJECTS = {
    "bare": "bare aiohttp, parse and answer",
    "central": "central system, real handlers",
    "library": "ocpp library",
    "library without validation": "ocpp library, no validation",
}


class Worthless(Exception):
    """A run whose figures would say nothing: messages were refused, lost, or sent too slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    servers: tuple[str, ...] = tuple(SERVERS)
    charge_points: int = 50
    rate_per_s: float = 250.0
    """Of all charge points together."""
    messages: int = 1500
    """In each round."""
    rounds: int = 4
    warm_up_messages: int = 500
    link_messages: int = 500
    """In each of the rounds without sockets."""
    link_rounds: int = 20


QUICK = Extent(
    servers=("bare", "central"),
    charge_points=2,
    rate_per_s=200.0,
    messages=10,
    rounds=1,
    warm_up_messages=4,
    link_messages=10,
    link_rounds=2,
)


@dataclass(slots=True)
class Contender:
    """One server with its charge points."""

    kind: str
    server: Program
    charge_points: Program
    cpu_ms: list[float] = field(default_factory=list)
    """Per message, round by round."""
    answers_ms: list[float] = field(default_factory=list)


def measure(extent: Extent) -> Iterator[Row]:
    """Yield the figures."""
    contenders = asyncio.run(_compete(extent))
    floor_ms = next(median(one.cpu_ms) for one in contenders if one.kind == FLOOR)
    for one in contenders:
        yield from _rows(one, floor_ms, extent)
    say("rpc: without sockets")
    link_ms, frames_ms = asyncio.run(_without_sockets(extent))
    note = f"{extent.link_messages * extent.link_rounds} messages"
    yield _row("RpcLink and handlers, no socket", "CPU per message", median(link_ms), floor_ms, note=note)
    yield _row("parse and encode alone", "CPU per message", median(frames_ms), floor_ms)


def _row(
    subject: str, figure: str, value: float, floor_ms: float | None, *, target: float | None = None, note: str = ""
) -> Row:
    return Row(
        benchmark=NAME,
        subject=subject,
        figure=figure,
        value=value,
        unit="ms",
        target=target,
        ratio=None if floor_ms is None else value / floor_ms,
        note=note,
    )


def _rows(one: Contender, floor_ms: float, extent: Extent) -> Iterator[Row]:
    subject = SUBJECTS[one.kind]
    target = TARGET_MS if one.kind == OURS else None
    note = f"{len(one.answers_ms)} messages, {extent.charge_points} charge points, {extent.rate_per_s:g}/s"
    yield _row(subject, "CPU per message", median(one.cpu_ms), floor_ms, target=target, note=note)
    yield _row(subject, "answer, p50", percentile(one.answers_ms, 50), None)
    yield _row(subject, "answer, p99", percentile(one.answers_ms, 99), None)


async def _compete(extent: Extent) -> Sequence[Contender]:
    """Run all servers side by side and feed them in turns, so that a busy minute of the machine hits all alike."""
    async with AsyncExitStack() as stack:
        contenders = [contender async for contender in _set_up(extent, stack)]
        for number in range(extent.rounds):
            for one in contenders:
                say(f"rpc: {SUBJECTS[one.kind]}, round {number + 1} of {extent.rounds}")
                await _round(one, extent)
        return contenders


async def _set_up(extent: Extent, stack: AsyncExitStack) -> AsyncIterator[Contender]:
    identities = [f"CP{number}" for number in range(extent.charge_points)]
    for kind in extent.servers:
        say(f"rpc: {SUBJECTS[kind]}, dialling in")
        server = await stack.enter_async_context(running("servers", kind))
        charge_points = await stack.enter_async_context(running("charge_points"))
        started = await server.ask(ask="start", identities=identities)
        await charge_points.ask(ask="connect", port=started["port"], identities=identities)
        await charge_points.ask(ask="send", messages=extent.warm_up_messages, rate_per_s=extent.rate_per_s)
        await server.ask(ask="warm")
        yield Contender(kind, server, charge_points)


async def _round(one: Contender, extent: Extent) -> None:
    before = await one.server.ask(ask="figures")
    sent = await one.charge_points.ask(ask="send", messages=extent.messages, rate_per_s=extent.rate_per_s)
    after = await one.server.ask(ask="figures")
    if sent["refusals"]:
        raise Worthless(f"{SUBJECTS[one.kind]} refused {sent['refusals']} messages")
    if (taken := after["taken"] - before["taken"]) != extent.messages:
        raise Worthless(f"{SUBJECTS[one.kind]} took {taken} of {extent.messages} messages")
    one.cpu_ms.append((after["cpu_s"] - before["cpu_s"]) * 1e3 / extent.messages)
    one.answers_ms.extend(sent["answers_ms"])


async def _without_sockets(extent: Extent) -> tuple[list[float], list[float]]:
    """Return the CPU per message of a link with the real handlers, and of reading and writing frames, in rounds."""
    counted = CentralServer()
    journal = CountingJournal(counted)
    conversation = Conversation16("CP0", Services(journal=journal, authoriser=Tags(), clock=SettableClock()))
    conversation.listen(lambda _: None)
    answered: list[bytes] = []

    async def send(frame: bytes) -> None:
        answered.append(frame)

    unhindered = Allowance(rate_per_s=1e9, burst=1e9)
    link = RpcLink(send, conversation.actions, allowance=unhindered)
    stored = await journal.start_transaction(
        TransactionStart(
            charge_point_id="CP0", connector=1, id_tag=None, meter_start_wh=0, started_at=0.0, received_at=0.0
        )
    )
    link_ms: list[float] = []
    frames_ms: list[float] = []
    for _ in range(extent.link_rounds):
        calls = frames(extent.link_messages, stored.transaction_id)
        with undisturbed():
            begun = time.thread_time()
            for call in calls:
                await link.receive(call)
                await asyncio.sleep(0)  # lets the listener hear of it
            link_ms.append((time.thread_time() - begun) * 1e3 / len(calls))
            frames_ms.append(cpu_ms(lambda calls=calls: _read_and_write(calls)) / len(calls))
    link.close()
    await conversation.close()
    expected = extent.link_messages * extent.link_rounds
    if counted.taken != expected or len(answered) != expected:
        raise Worthless(f"the link answered {len(answered)} and recorded {counted.taken} of {expected} messages")
    return link_ms, frames_ms


def _read_and_write(calls: Sequence[str]) -> None:
    for call in calls:
        message = parse(call)
        if isinstance(message, Call):
            encode_result(message.message_id, {})
