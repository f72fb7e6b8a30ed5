"""The servers that MeterValues are sent to, one kind a process: `python -m tests.benchmarks.servers KIND`.

`bare` is the floor: an aiohttp websocket that parses each frame and answers it, nothing more. `central` is our central
system with its real handlers, a journal that only counts, and somebody who listens. The two `library` kinds are the
`ocpp` package's own loop over the same sockets, as it comes and with its schema validation left out.
"""

# mypy: disable-error-code="no-untyped-call,untyped-decorator"
# The ocpp package has no types for its charge point and decorators.

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import WSMsgType, web
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import AuthorizationStatus, RegistrationStatus

from custom_components.charge_cluster.ocpp.conversation import Report
from custom_components.charge_cluster.ocpp.listener import CentralSystem
from custom_components.charge_cluster.ocpp.protocols import MeterRecord
from tests.ocpp.surroundings import Door, MemoryJournal, SettableClock, Tags

from .messages import stamp
from .program import answer_questions

HOST = "127.0.0.1"
UNHINDERED_PER_S = 1e9
HEARTBEAT_S = 3600


class Server(ABC):
    """One kind of server."""

    taken = 0
    """MeterValues that went all the way."""

    @abstractmethod
    async def start(self, identities: Sequence[str]) -> int:
        """Listen for these charge points and return the port."""

    @abstractmethod
    async def close(self) -> None:
        """Stop listening."""


class SocketServer(Server):
    """A websocket listener set up as our own is, without anything of ours."""

    def __init__(self) -> None:
        """Set up without listening."""
        self._runner = web.ServerRunner(web.Server(self._enter, access_log=None), handle_signals=False)

    async def start(self, identities: Sequence[str]) -> int:
        """Listen at any free port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0, backlog=512).start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Hang up."""
        await self._runner.cleanup()

    async def _enter(self, request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("ocpp1.6",), compress=False, autoping=False)
        await socket.prepare(request)
        await self.converse(socket, request.path)
        return socket

    @abstractmethod
    async def converse(self, socket: web.WebSocketResponse, path: str) -> None:
        """Talk until the other side hangs up."""


class BareServer(SocketServer):
    """Parses and answers, nothing more."""

    async def converse(self, socket: web.WebSocketResponse, path: str) -> None:
        """Answer every call with nothing in it."""
        while True:
            message = await socket.receive()
            if message.type is not WSMsgType.TEXT:
                return
            _, message_id, action, _ = orjson.loads(message.data)
            self.taken += action == "MeterValues"
            await socket.send_frame(orjson.dumps([3, message_id, {}]), WSMsgType.TEXT)


class CentralServer(Server):
    """Our central system."""

    def __init__(self) -> None:
        """Set up without listening."""
        self._journal = CountingJournal(self)
        self._central: CentralSystem | None = None
        self.reported = 0

    async def start(self, identities: Sequence[str]) -> int:
        """Listen, with somebody who listens to each charge point."""
        self._central = central = CentralSystem(
            host=HOST,
            port=0,
            doorkeeper=Door(**dict.fromkeys(identities)),
            journal=self._journal,
            authoriser=Tags(),
            clock=SettableClock(),
            inbound_rate_per_s=UNHINDERED_PER_S,
        )
        for identity in identities:
            central.conversation(identity).listen(self._note)
        await central.start()
        return central.port

    async def close(self) -> None:
        """Hang up."""
        if self._central is not None:
            await self._central.close()

    def _note(self, report: Report) -> None:
        self.reported += 1


class CountingJournal(MemoryJournal):
    """A journal that counts meter values and lets them go."""

    def __init__(self, server: Server) -> None:
        """Count for this server."""
        super().__init__()
        self._server = server

    def record_meter_values(self, records: Sequence[MeterRecord]) -> None:
        """Count."""
        self._server.taken += len(records)


class LibraryServer(SocketServer):
    """The library's loop, as it comes."""

    validates = True

    async def converse(self, socket: web.WebSocketResponse, path: str) -> None:
        """Let the library talk."""
        kind = LibraryChargePoint if self.validates else LenientLibraryChargePoint
        try:
            await kind(path.rpartition("/")[2], Wire(socket), self).start()
        except ConnectionError:
            return


class LenientLibraryServer(LibraryServer):
    """The library's loop without schema validation."""

    validates = False


class Wire:
    """An aiohttp socket as the library wants it."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        """Wrap it."""
        self._socket = socket

    async def recv(self) -> str:
        """Return the next frame."""
        message = await self._socket.receive()
        if message.type is not WSMsgType.TEXT:
            raise ConnectionError
        return str(message.data)

    async def send(self, message: str) -> None:
        """Send a frame."""
        await self._socket.send_str(message)


class LibraryChargePoint(ChargePoint):
    """What the library answers."""

    def __init__(self, identity: str, wire: Wire, server: Server) -> None:
        """Count for this server."""
        super().__init__(identity, wire)
        self._server = server

    @on("BootNotification")
    def on_boot_notification(self, **_: Any) -> call_result.BootNotification:
        """Accept."""
        return call_result.BootNotification(
            current_time=stamp(time.time()), interval=HEARTBEAT_S, status=RegistrationStatus.accepted
        )

    @on("StatusNotification")
    def on_status_notification(self, **_: Any) -> call_result.StatusNotification:
        """Acknowledge."""
        return call_result.StatusNotification()

    @on("StartTransaction")
    def on_start_transaction(self, **_: Any) -> call_result.StartTransaction:
        """Accept."""
        return call_result.StartTransaction(
            transaction_id=1, id_tag_info=IdTagInfo(status=AuthorizationStatus.accepted)
        )

    @on("MeterValues")
    def on_meter_values(self, **_: Any) -> call_result.MeterValues:
        """Count."""
        self._server.taken += 1
        return call_result.MeterValues()


class LenientLibraryChargePoint(LibraryChargePoint):
    """The same without validation of the message that is measured."""

    @on("MeterValues", skip_schema_validation=True)
    def on_meter_values(self, **_: Any) -> call_result.MeterValues:
        """Count."""
        self._server.taken += 1
        return call_result.MeterValues()


SERVERS: dict[str, type[Server]] = {
    "bare": BareServer,
    "central": CentralServer,
    "library": LibraryServer,
    "library without validation": LenientLibraryServer,
}


async def _serve(kind: str) -> None:
    logging.getLogger("ocpp").setLevel(logging.WARNING)
    server = SERVERS[kind]()

    async def answer(question: dict[str, Any]) -> dict[str, Any]:
        match question["ask"]:
            case "start":
                return {"port": await server.start(question["identities"])}
            case "warm":
                gc.collect()
                gc.freeze()
        return {"cpu_s": time.process_time(), "taken": server.taken}

    await answer_questions(answer)
    await server.close()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
