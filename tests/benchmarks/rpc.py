"""What a MeterValues costs in the RPC layer: over real sockets beside a bare one and a library, and without sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from custom_components.charge_cluster.ocpp.frames import Call, encode_result, parse
from custom_components.charge_cluster.ocpp.pacing import Allowance
from custom_components.charge_cluster.ocpp.rpc import RpcLink
from custom_components.charge_cluster.ocpp.standing import Services
from custom_components.charge_cluster.ocpp.v16.conversation import Conversation16
from tests.ocpp.surroundings import SettableClock, Tags

from .measuring import cpu_ms, percentile, undisturbed
from .messages import frames
from .program import Program, running
from .progress import say
from .report import Row
from .servers import SERVERS, CentralServer, CountingJournal

NAME = "ocpp"
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
    hot_rounds: int = 10
    """Without sockets, as fast as it goes."""


QUICK = Extent(
    servers=("bare", "central"),
    charge_points=2,
    rate_per_s=200.0,
    messages=10,
    rounds=1,
    warm_up_messages=4,
    hot_rounds=2,
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
    yield from _alone(floor_ms, extent)


def _alone(floor_ms: float, extent: Extent) -> Iterator[Row]:
    """Yield the figures of the layer without sockets, at the pace of the servers and back to back."""
    say("ocpp: without sockets")
    calls = frames(extent.messages, transaction_id=1, spacing_s=1 / extent.rate_per_s)
    paced_ms = asyncio.run(_without_sockets(calls, pause_s=1 / extent.rate_per_s))
    yield _row("RpcLink and handlers, no socket", "CPU per message, at that pace", paced_ms, floor_ms)
    hot_ms = [asyncio.run(_without_sockets(calls, pause_s=0.0)) for _ in range(extent.hot_rounds)]
    note = f"{len(calls) * extent.hot_rounds} messages"
    yield _row("RpcLink and handlers, no socket", "CPU per message, back to back", median(hot_ms), floor_ms, note=note)
    with undisturbed():
        frames_ms = [cpu_ms(partial(_read_and_write, calls)) / len(calls) for _ in range(extent.hot_rounds)]
    yield _row("parse and encode alone", "CPU per message, back to back", median(frames_ms), floor_ms, note=note)


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
        contenders = [
            Contender(
                kind=kind,
                server=await stack.enter_async_context(running("servers", kind)),
                charge_points=await stack.enter_async_context(running("charge_points")),
            )
            for kind in extent.servers
        ]
        for one in contenders:
            await _set_up(one, extent)
        for number in range(extent.rounds):
            for one in contenders:
                say(f"ocpp: {SUBJECTS[one.kind]}, round {number + 1} of {extent.rounds}")
                await _round(one, extent)
        return contenders


async def _set_up(one: Contender, extent: Extent) -> None:
    say(f"ocpp: {SUBJECTS[one.kind]}, dialling in")
    identities = [f"CP{number}" for number in range(extent.charge_points)]
    started = await one.server.ask(ask="start", identities=identities)
    await one.charge_points.ask(ask="connect", port=started["port"], identities=identities)
    await one.charge_points.ask(ask="send", messages=extent.warm_up_messages, rate_per_s=extent.rate_per_s)
    await one.server.ask(ask="warm")


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


async def _without_sockets(calls: Sequence[str], *, pause_s: float) -> float:
    """Return the CPU per message, in milliseconds, of a link with the real handlers and somebody who listens.

    Args:
        pause_s: between messages; with none the processor's caches hold all that is needed, which flatters.
    """
    counted = CentralServer()
    journal = CountingJournal(counted)
    conversation = Conversation16("CP0", Services(journal=journal, authoriser=Tags(), clock=SettableClock()))
    conversation.listen(lambda _: None)
    answered: list[bytes] = []

    async def send(frame: bytes) -> None:
        answered.append(frame)

    link = RpcLink(send, conversation.actions, allowance=Allowance(rate_per_s=1e9, burst=1e9))
    spent_s = 0.0
    with undisturbed():
        for call in calls:
            if pause_s:
                await asyncio.sleep(pause_s)
            begun = time.thread_time()
            await link.receive(call)
            await asyncio.sleep(0)  # lets the listener hear of it
            spent_s += time.thread_time() - begun
    link.close()
    await conversation.close()
    if not counted.taken == len(answered) == len(calls):
        raise Worthless(f"the link answered {len(answered)} and recorded {counted.taken} of {len(calls)} messages")
    return spent_s * 1e3 / len(calls)


def _read_and_write(calls: Sequence[str]) -> None:
    for call in calls:
        message = parse(call)
        if isinstance(message, Call):
            encode_result(message.message_id, {})
