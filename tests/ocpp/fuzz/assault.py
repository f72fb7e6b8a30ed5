"""The assault: connection after connection, each with its throws, and a judge of what becomes of each."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
import ssl
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, override

from custom_components.charge_cluster.ocpp.frames import MAX_DESCRIPTION
from custom_components.charge_cluster.ocpp.listener import CentralSystem, Wire
from custom_components.charge_cluster.ocpp.protocols import MeterRecord
from custom_components.charge_cluster.ocpp.rpc import RpcLink
from custom_components.charge_cluster.ocpp.security.contexts import server_context
from tests.ocpp.certificates import an_authority, client_context, pairs_of
from tests.ocpp.raw_client import RawClient
from tests.ocpp.surroundings import Door, MemoryJournal, SettableClock, Tags

from . import vocabulary
from .bystanders import Bystander, watching
from .doors import broken_handshake, knock
from .throws import CANARY, Fate, Throw, odd_value, spoil_payload, throw
from .vocabulary import Version
from .wire import TEXT, frame, unmasked

BYSTANDERS = ("GOOD1", "GOOD2", "GOOD3")
KNOWN = ("EVIL1", "EVIL2", "EVIL3", "EVIL4")
KNOCKING = ("EVIL5",)
"""Known, and never there but to knock: some knocks are good enough to take the place of who is there."""
AT_A_TIME = len(KNOWN)
THROWS_OF_KNOWN = 25
THROWS_OF_STRANGER = 4
KNOCKS = 2
FLOOD = 2_000
ANSWERED_WITHIN_S = 20.0
REPEATED = frozenset({"transactionId", "vatNumber"})
"""Fields that repeat what a charge point said: the id that it gave a transaction, and the number that it asks about."""
ENDED_WITHIN_S = 20.0
DOOR_PATIENCE_S = 0.3
DOOR_ANSWERS = re.compile(rb"HTTP/1\.[01] (101|4\d\d|503) |\x15\x03")
"""A handshake that was good enough, a refusal, or an alert of TLS."""
TLS_ANSWERS = re.compile(rb"\x16\x03|\x15\x03")
"""The other half of the handshake of TLS, or an alert."""
MOST_LINES = 100
"""In the log, however much is thrown."""
MOST_GROWTH = 30_000
"""Blocks of memory by which the second half of an assault may leave more behind than the first (0.2 % of the usual)."""


class FateMissed(AssertionError):
    """Something that was thrown did not become what it has to."""


class ForgetfulJournal(MemoryJournal):
    """A journal that keeps the last things only: the memory that is looked at is the central system's."""

    KEPT = 200

    @override
    def record_meter_values(self, records: Sequence[MeterRecord]) -> None:
        for forgotten in (self.stored, self._contents):
            while len(forgotten) > self.KEPT:
                forgotten.pop(next(iter(forgotten)))  # type: ignore[call-overload]  # dictionaries with different keys
        del self.orphans[: -self.KEPT], self.stops[: -self.KEPT]


class Ears(logging.Handler):
    """Hears what is logged."""

    def __init__(self) -> None:
        """Hear warnings and worse."""
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.tracebacks: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        line = f"{record.name}: {record.getMessage()}"
        self.lines.append(line)
        if record.exc_info:
            self.tracebacks.append(f"{line}: {record.exc_info[1]!r}")


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was thrown, and what became of it."""

    connections: int = 0
    throws: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    refused: int = 0
    passed_over: int = 0
    ended: int = 0
    knocks: int = 0
    floods: int = 0
    slowest_s: float = 0.0
    """The longest wait of a bystander."""
    lines: int = 0
    growth: int = 0
    """Blocks of memory that the second half left behind."""

    def __str__(self) -> str:
        return (
            f"{self.throws.total()} throws and {self.knocks} knocks over {self.connections} connections and"
            f" {self.floods} floods: {self.answered} answered, {self.refused} refused, {self.passed_over} passed over,"
            f" {self.ended} ended; a bystander waited {self.slowest_s * 1e3:.0f} ms at most, {self.lines} lines were"
            f" logged, {self.growth} blocks of memory more than at half-time"
        )


class Assailant:
    """Throws things at one listener."""

    def __init__(
        self, port: int, versions: Sequence[Version], rng: Random, tally: Tally, *, tls: ssl.SSLContext | None
    ) -> None:
        """Aim at a port of this machine, through TLS or without."""
        self._port = port
        self._tls = tls
        self._versions = versions
        self._rng = rng
        self._tally = tally
        self._number = 0

    async def connection(self, identity: str, throws: int) -> None:
        """Dial in and throw; judge each throw."""
        version = self._rng.choice(self._versions)
        client = await self._dial(identity, version)
        self._tally.connections += 1
        sitting = _Sitting(client, version, self._rng, self._tally)
        for _ in range(throws):
            self._number += 1
            if not await sitting.throw(throw(self._rng, version, self._number)):
                return
        if self._rng.random() < 0.3:
            half = frame(TEXT, b'[2,"half","Heartbeat",{}]')
            await client.send_bytes(half[: self._rng.randrange(len(half))])
        client.abort()

    async def flood(self, identity: str) -> None:
        """Send as much as the wire takes, hear nothing, and be gone."""
        version = self._rng.choice(self._versions)
        client = await self._dial(identity, version)
        self._tally.floods += 1
        try:
            async with asyncio.timeout(1.0):
                for number in range(FLOOD):
                    await client.send_bytes(throw(self._rng, version, number).raw if number % 10 == 0 else _HEARTBEAT)
        except ConnectionError, TimeoutError:
            pass
        client.abort()

    async def knock(self, identity: str) -> None:
        """Begin wrongly: in what is said, or before that in the handshake of TLS."""
        if self._tls is not None and self._rng.random() < 0.5:
            said, tls, answers = broken_handshake(self._rng, self._tls), None, TLS_ANSWERS
        else:
            said, tls, answers = knock(self._rng, identity), self._tls, DOOR_ANSWERS
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, ssl=tls)
        self._tally.knocks += 1
        heard = b""
        try:
            writer.write(said)
            if self._rng.random() < 0.3 and writer.can_write_eof():
                writer.write_eof()
            async with asyncio.timeout(DOOR_PATIENCE_S):
                while chunk := await reader.read(65536):
                    heard += chunk
        except ConnectionError, TimeoutError:
            pass
        writer.transport.abort()
        if CANARY.encode() in heard:
            raise FateMissed(f"the door repeats what it was told: {said[:200]!r}")
        if heard and not answers.match(heard):
            raise FateMissed(f"the door answers {heard[:60]!r} to {said[:200]!r}")

    async def _dial(self, identity: str, version: Version) -> RawClient:
        return await RawClient.dial(self._port, f"/ocpp/{identity}", protocols=version.subprotocol, tls=self._tls)


_HEARTBEAT = frame(TEXT, b'[2,"flood","Heartbeat",{}]')


class _Sitting:
    """One connection of an assailant."""

    def __init__(self, client: RawClient, version: Version, rng: Random, tally: Tally) -> None:
        self._client = client
        self._version = version
        self._rng = rng
        self._tally = tally
        self._perhaps: list[Any] = []
        """Ids of what may still be answered."""
        self._probes = 0

    async def throw(self, one: Throw) -> bool:
        """Throw one, and judge; return whether the connection goes on."""
        self._tally.throws[one.how] += 1
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                try:
                    await self._client.send_bytes(one.raw)
                except ConnectionError:
                    return self._cut_off(one)
                return await self._judge(one)
        except TimeoutError:
            raise FateMissed(f"{_quoted(one)} is left without an answer") from None

    def _cut_off(self, one: Throw) -> bool:
        """Judge the end of a connection while something was still being sent: what was said of it is lost then."""
        if one.fate is not Fate.ENDS:
            raise FateMissed(f"{_quoted(one)} is not even heard to its end")
        self._tally.ended += 1
        return False

    async def _judge(self, one: Throw) -> bool:
        match one.fate:
            case Fate.ANSWERED:
                return await self._answered(one.message_id, one)
            case Fate.ENDS:
                while await self._next(one) is not None:
                    pass
                if self._client.close_code not in one.codes:
                    raise FateMissed(f"{_quoted(one)} ended with {self._client.close_code}, not {sorted(one.codes)}")
                self._tally.ended += 1
                return False
            case Fate.EITHER:
                self._perhaps.append(one.message_id)
        if self._version.unreadable_id is not None:
            self._perhaps.extend((self._version.unreadable_id, one.message_id))
        self._tally.passed_over += 1
        self._probes += 1
        probe = f"probe{self._probes}"
        await self._client.send([2, probe, "Heartbeat", {}])
        return await self._answered(probe, one)

    async def _answered(self, message_id: Any, one: Throw) -> bool:
        """Read until something is answered; whatever else is answered has to have been asked."""
        while (message := await self._next(one)) is not None:
            if message[1] == message_id:
                if not str(message_id).startswith("probe"):
                    self._count(message, one)
                return True
            if message[1] not in self._perhaps:
                raise FateMissed(f"{message[:3]} answers nothing that was asked; last was {_quoted(one)}")
            self._perhaps.remove(message[1])
        raise FateMissed(f"{_quoted(one)} ended the connection with {self._client.close_code}")

    def _count(self, message: list[Any], one: Throw) -> None:
        if message[0] == 4:
            self._tally.refused += 1
            return
        self._tally.answered += 1
        fault = vocabulary.fault_of(self._version, f"{one.action}Response", message[2])
        if fault is not None:
            raise FateMissed(f"the answer to {_quoted(one)} breaks its schema: {fault}")

    async def _next(self, one: Throw) -> Any:
        """Return the next answer; calls of the central system are answered, well or badly."""
        while (message := await self._client.receive()) is not None:
            if message == "pong":
                continue
            if CANARY in json.dumps(_own_words(message[2:])):
                raise FateMissed(f"what was thrown comes back: {message[:3]} after {_quoted(one)}")
            if message[0] == 2:
                await self._reply(message)
                continue
            if message[0] == 4:
                self._check_refusal(message, one)
            return message
        return None

    def _check_refusal(self, message: list[Any], one: Throw) -> None:
        _, _, code, description, details = message
        if code not in self._version.refusals or len(description) > MAX_DESCRIPTION or details != {}:
            raise FateMissed(f"{_quoted(one)} is refused with {message}")

    async def _reply(self, message: list[Any]) -> None:
        _, message_id, action, payload = message
        fault = vocabulary.fault_of(self._version, f"{action}{self._version.request}", payload)
        if fault is not None:
            raise FateMissed(f"{action} breaks its schema: {fault}")
        answer = vocabulary.response(self._rng, self._version, action)
        way = self._rng.random()
        if way < 0.3:
            spoil_payload(self._rng, answer)
        reply: list[Any] = [3, message_id, answer]
        if way > 0.95:
            reply = [3, message_id, odd_value(self._rng)]
        elif way > 0.9:
            reply = [4, message_id, odd_value(self._rng), odd_value(self._rng), odd_value(self._rng)]
        try:
            for _ in range(self._rng.choice((1, 1, 1, 1, 2, 0))):
                await self._client.send(reply)
        except ConnectionError:
            return  # it has ended, and what was said before that is still to be read


def _own_words(said: Any) -> Any:
    """Return what was said but for what the specification wants repeated."""
    if isinstance(said, dict):
        return {name: _own_words(value) for name, value in said.items() if name not in REPEATED}
    return [_own_words(value) for value in said] if isinstance(said, list) else said


def _quoted(one: Throw) -> str:
    return f"{one.how} ({unmasked(one.raw[:300])!r})"


async def assault(seed: str, throws: int, versions: Sequence[Version], *, over_tls: bool = False) -> Tally:
    """Throw so many things at a central system, and judge that nobody but the thrower noticed.

    Args:
        over_tls: through TLS, at a port that takes it and unencrypted connections; bystanders come either way.

    Raises:
        FateMissed: something did not become what it has to, or something of it was left behind.
        Disturbed: a bystander noticed.
    """
    tally, rng, ears = Tally(), Random(seed), Ears()
    door = Door(**dict.fromkeys((*BYSTANDERS, *KNOWN, *KNOCKING)))
    central = CentralSystem(
        host="127.0.0.1",
        port=0,
        doorkeeper=door,
        journal=ForgetfulJournal(),
        authoriser=Tags(),
        clock=SettableClock(),
    )
    tasks = len(asyncio.all_tasks())
    await central.start()
    tls = await _encrypted(central) if over_tls else None
    logging.getLogger().addHandler(ears)
    try:
        async with watching(central, BYSTANDERS, tls=tls) as bystanders:
            assailant = Assailant(central.port, versions, rng, tally, tls=tls)
            await _throw_until(assailant, tally, rng, throws // 2)
            blocks = await _left_behind()
            await _throw_until(assailant, tally, rng, throws)
            tally.growth = await _left_behind() - blocks
        tally.slowest_s = max(bystander.slowest_s for bystander in bystanders)
        _judge_bystanders(bystanders)
    finally:
        logging.getLogger().removeHandler(ears)
        await central.close()
    async with asyncio.timeout(ENDED_WITHIN_S):
        while len(asyncio.all_tasks()) > tasks:  # noqa: ASYNC110 - who was hung up on ends in its own turns
            await asyncio.sleep(0.05)
    tally.lines = len(ears.lines)
    _judge_ears(ears)
    if tally.growth > MOST_GROWTH:
        raise FateMissed(f"{tally.growth} blocks of memory are left behind")
    return tally


async def _encrypted(central: CentralSystem) -> ssl.SSLContext:
    """Have the port take TLS as well, and return what to dial it with."""
    authority = an_authority("Fuzzed authority")
    await central.rewire(Wire(plain=True, tls=server_context(pairs_of(authority), [authority.certificate])))
    return client_context(authority.certificate)


async def _throw_until(assailant: Assailant, tally: Tally, rng: Random, throws: int) -> None:
    strangers = 0
    while tally.throws.total() < throws:
        strangers += AT_A_TIME
        known = rng.random() < 0.8
        identities = KNOWN if known else [f"STRANGER{strangers + number}" for number in range(AT_A_TIME)]
        count = THROWS_OF_KNOWN if known else THROWS_OF_STRANGER
        connections = [assailant.connection(identity, count) for identity in identities]
        knocks = [assailant.knock(rng.choice((*KNOCKING, "NOBODY"))) for _ in range(KNOCKS)]
        await asyncio.gather(*connections, *knocks)
        if rng.random() < 0.1:
            await assailant.flood(rng.choice((KNOWN[0], "STRANGER")))


async def _left_behind() -> int:
    """Wait until nothing is left of the connections of assailants, and return how many blocks of memory are in use."""
    async with asyncio.timeout(30.0):
        while _links() > len(BYSTANDERS):  # noqa: ASYNC110 - what is waited for is that nobody refers to them
            await asyncio.sleep(0.1)
    gc.collect()
    return sys.getallocatedblocks()


def _links() -> int:
    gc.collect()
    return sum(isinstance(thing, RpcLink) for thing in gc.get_objects())


def _judge_bystanders(bystanders: Sequence[Bystander]) -> None:
    for bystander in bystanders:
        if not bystander.answers or not bystander.limits:
            raise FateMissed(f"{bystander.identity} was not seen to charge")


def _judge_ears(ears: Ears) -> None:
    if ears.tracebacks:
        raise FateMissed(f"tracebacks: {ears.tracebacks[:3]}")
    if len(ears.lines) > MOST_LINES:
        raise FateMissed(f"{len(ears.lines)} lines were logged, among them {ears.lines[:: len(ears.lines) // 5]}")
    for line in ears.lines:
        if CANARY in line:
            raise FateMissed(f"what was thrown is logged: {line}")
