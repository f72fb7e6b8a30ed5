"""A tiny OCPP central system to test charge points against: it records, validates and answers what it is told to.

Every frame is checked against the OCA's schemas of its version that ship with the PyPI package `ocpp`, so that a charge
point which does not speak its version of OCPP fails the test that hears it. Charge points that are odd on purpose are
heard by one that is `tolerant`: it notes the breaches instead.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import jsonschema
import ocpp
from aiohttp import WSMsgType, web

from tests.ocpp.certificates import certified, serving_context

SCHEMAS = {
    version: Path(ocpp.__file__).parent / folder / "schemas"
    for version, folder in (("ocpp1.6", "v16"), ("ocpp2.0.1", "v201"), ("ocpp2.1", "v21"))
}

V16 = "ocpp1.6"

DRAFTS = {V16: jsonschema.Draft4Validator}
"""What the schemas of a version are written in; those of 2.x are in draft 6."""

type Payload = dict[str, Any]


@cache
def _validator(version: str, name: str) -> Any:
    schema = SCHEMAS[version] / f"{name}.json"
    if version != V16 and not name.endswith("Response"):
        schema = SCHEMAS[version] / f"{name}Request.json"
    validator = DRAFTS.get(version, jsonschema.Draft6Validator)
    return validator(json.loads(schema.read_text(encoding="utf-8-sig")))


def check(name: str, payload: Payload, version: str = V16) -> None:
    """Fail unless a payload conforms; `name` is the action, with "Response" behind it for an answer."""
    errors = [error.message for error in _validator(version, name).iter_errors(payload)]
    assert not errors, f"{version} {name} {payload}: {errors}"


class Refused(Exception):
    """The charge point answered with a CALLERROR."""


@dataclass
class Heard:
    """One call of a charge point."""

    identity: str
    action: str
    payload: Payload
    message_id: str
    version: str = V16


@dataclass
class Peer:
    """One connection of a charge point."""

    identity: str
    websocket: web.WebSocketResponse
    headers: dict[str, str]
    subprotocol: str | None
    secure: bool
    pending: dict[str, asyncio.Future[Payload]] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The version that was agreed upon; 1.6 where none was."""
        return self.subprotocol or V16


class CentralSystem:
    """Listens on a free port of this machine."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.peers: dict[str, Peer] = {}
        self.connections: list[Peer] = []
        self.faults: list[str] = []
        self.tolerant = False
        self.breached: set[str] = set()
        """Charge points that sent something that does not conform."""
        self.overlapping: set[str] = set()
        self.answers: dict[str, Callable[[Heard], Payload | None]] = defaultdict(lambda: lambda _: {})
        self.answers["BootNotification"] = lambda _: self.boot()
        self.answers["Heartbeat"] = lambda _: {"currentTime": now_text()}
        self.answers["Authorize"] = lambda heard: {token_info(heard): {"status": "Accepted"}}
        self.answers["TransactionEvent"] = lambda heard: (
            {"idTokenInfo": {"status": "Accepted"}} if "idToken" in heard.payload else {}
        )
        self.answers["NotifyEVChargingNeeds"] = lambda _: {"status": "Accepted"}
        self.answers["NotifyPriorityCharging"] = lambda _: {}
        self.answers["NotifyEVChargingSchedule"] = lambda _: {"status": "Accepted"}
        self.answers["SignCertificate"] = lambda _: {"status": "Accepted"}
        self.answers["StartTransaction"] = lambda _: {
            "transactionId": next(self._transactions),
            "idTagInfo": {"status": "Accepted"},
        }
        self.url = ""
        self.secure_url = ""
        self.certified = certified()
        """By which charge points know it that dial over TLS."""
        self._changed = asyncio.Condition()
        self._transactions = count(1)
        self._calls = count(1)
        self._runner: web.AppRunner | None = None
        self.on_pong: Callable[[bytes], None] = lambda _: None
        self.frames_seen: set[WSMsgType] = set()
        self.admits: Callable[[web.Request], bool] = lambda _: True

    @staticmethod
    def boot(status: str = "Accepted", interval: int = 300) -> Payload:
        return {"status": status, "interval": interval, "currentTime": now_text()}

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/ocpp/{identity}", self._serve)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        over_tls = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=serving_context(self.certified))
        await over_tls.start()
        (_, port), (_, secure_port) = self._runner.addresses
        self.url = f"ws://127.0.0.1:{port}/ocpp"
        self.secure_url = f"wss://127.0.0.1:{secure_port}/ocpp"

    async def stop(self) -> None:
        for peer in self.connections:
            await peer.websocket.close()
        if self._runner is not None:
            await self._runner.cleanup()
        assert self.tolerant or not self.faults, self.faults

    @staticmethod
    def loop_future() -> asyncio.Future[Payload]:
        return asyncio.get_running_loop().create_future()

    async def call(self, identity: str, action: str, payload: Payload) -> Payload:
        """Send a call and return the answer, both checked against the schemas."""
        peer = self.peers[identity]
        check(action, payload, peer.version)
        message_id = str(next(self._calls))
        peer.pending[message_id] = asyncio.get_running_loop().create_future()
        peer.asked[message_id] = action
        await peer.websocket.send_str(json.dumps([2, message_id, action, payload]))
        async with asyncio.timeout(10):
            return await peer.pending[message_id]

    async def wait_for(self, met: Callable[[Heard], bool], *, after: int = 0, within_s: float = 20.0) -> Heard:
        """Return the first call that meets a condition, of those heard after the first `after`."""

        def found() -> Heard | None:
            return next((one for one in self.heard[after:] if met(one)), None)

        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(lambda: found() is not None)
        one = found()
        assert one is not None
        return one

    async def wait_action(self, action: str, *, after: int = 0, **fields: object) -> Heard:
        """Return the first call of an action whose payload has these fields."""
        return await self.wait_for(
            lambda one: one.action == action and all(one.payload.get(name) == value for name, value in fields.items()),
            after=after,
        )

    async def wait_connections(self, number: int) -> Peer:
        """Return the connection with this number, counted from 1."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: len(self.connections) >= number)
        return self.connections[number - 1]

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        if not self.admits(request):
            raise web.HTTPUnauthorized
        websocket = web.WebSocketResponse(protocols=tuple(SCHEMAS), compress=False, autoping=False)
        await websocket.prepare(request)
        identity = request.match_info["identity"]
        peer = Peer(identity, websocket, dict(request.headers), websocket.ws_protocol, request.secure)
        self.peers[identity] = peer
        self.connections.append(peer)
        async with self._changed:
            self._changed.notify_all()
        async for message in websocket:
            self.frames_seen.add(message.type)
            if message.type is WSMsgType.TEXT:
                await self._take(peer, json.loads(message.data))
            elif message.type is WSMsgType.PING:
                await websocket.pong(message.data)
            elif message.type is WSMsgType.PONG:
                self.on_pong(message.data)
        return websocket

    async def _take(self, peer: Peer, frame: list[Any]) -> None:
        kind, message_id = frame[0], frame[1]
        if kind == 2:
            await self._hear(peer, Heard(peer.identity, frame[2], frame[3], message_id, peer.version))
            return
        answer = peer.pending.pop(message_id, None)
        if answer is None or answer.done():
            return
        if kind == 4:
            answer.set_exception(Refused(frame[2]))
            return
        self._check(f"{peer.asked[message_id]}Response", frame[2], peer)
        answer.set_result(frame[2])

    async def _hear(self, peer: Peer, heard: Heard) -> None:
        self._check(heard.action, heard.payload, peer)
        answer = self.answers[heard.action](heard)
        async with self._changed:
            self.heard.append(heard)
            self._changed.notify_all()
        if answer is None:
            return  # a central system that does not answer
        check(f"{heard.action}Response", answer, heard.version)
        await peer.websocket.send_str(json.dumps([3, heard.message_id, answer]))

    def _check(self, name: str, payload: Payload, peer: Peer) -> None:
        try:
            check(name, payload, peer.version)
        except AssertionError as fault:
            self.breached.add(peer.identity)
            self.faults.append(str(fault))


def token_info(heard: Heard) -> str:
    """Return what a version calls the verdict on a token."""
    return "idTagInfo" if heard.version == V16 else "idTokenInfo"


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
