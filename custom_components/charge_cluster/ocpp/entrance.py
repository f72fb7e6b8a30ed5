"""The ports that charge points dial, from the accepted socket to the first request: plain, TLS, or both on one port.

Everything here is about somebody who has not said yet who it is, so everything is bounded: how many may be on their way
in, from one address and in all, how often an address may knock, and how long the first word, the TLS handshake and the
request may take. Whoever is seated (`seated`) is out of reach of these bounds, and a new certificate (`Gate.tls`)
concerns only those who come after it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from .pacing import AllowancePerAddress, CalmLog

_LOGGER = logging.getLogger(__name__)

BACKLOG = 512
MAX_ARRIVING = 768
"""On their way in at the same time, from all addresses."""
MAX_ARRIVING_PER_ADDRESS = 400
"""A new car park dials in all at once, behind one address perhaps."""
KNOCKS_PER_S = 50.0
KNOCKS_BURST = 800.0
FIRST_WORD_S = 10.0
"""Whoever dials a port that takes plain connections and TLS has to show by then which it wants."""
HANDSHAKE_S = 10.0
ARRIVAL_PATIENCE_S = 20.0
"""From the accepted socket to a whole request."""
SHUTDOWN_S = 2.0
AT_A_TIME = 16
"""So many are accepted before the event loop goes round."""
ACCEPT_AGAIN_S = 1.0

TLS_HANDSHAKE = 0x16
"""The first byte of whoever begins a TLS handshake; a plain request begins with a letter."""


@dataclass(slots=True, eq=False)
class Gate:
    """What one port takes."""

    plain: bool = True
    tls: ssl.SSLContext | None = None


@dataclass(slots=True, eq=False)
class _Arriving:
    """Somebody between the accepted socket and the first request."""

    remote: str
    since: float
    """Monotonic seconds."""
    ushering: asyncio.Task[None] | None = None
    transport: asyncio.Transport | None = None

    def drop(self) -> None:
        """Be rid of it at once."""
        if self.ushering is not None:
            self.ushering.cancel()
        if self.transport is not None:
            self.transport.abort()


class Entrance:
    """The ports of one listener."""

    def __init__(self, serve: Callable[[], asyncio.Protocol], monotonic: Callable[[], float]) -> None:
        """`serve` makes the protocol that reads the requests of one connection."""
        self._serve = serve
        self._monotonic = monotonic
        self._arriving: set[_Arriving] = set()
        self._knocks = AllowancePerAddress(rate_per_s=KNOCKS_PER_S, burst=KNOCKS_BURST)
        self._log = CalmLog(_LOGGER, monotonic)
        self._listening: dict[Gate, list[socket.socket]] = {}
        self._accepting: dict[Gate, list[asyncio.Task[None]]] = {}

    async def open(self, host: str, port: int, gate: Gate) -> None:
        """Listen at all addresses of a host. Raises OSError."""
        self._listening[gate] = sockets = await _bound(host, port)
        loop = asyncio.get_running_loop()
        self._accepting[gate] = [loop.create_task(self._accept(listening, gate)) for listening in sockets]

    async def shut(self, gate: Gate) -> None:
        """Listen there no longer; whoever came in by it stays."""
        accepting = self._accepting.pop(gate, [])
        for task in accepting:
            task.cancel()
        if accepting:
            await asyncio.wait(accepting)
        for listening in self._listening.pop(gate, []):
            listening.close()

    async def close(self) -> None:
        """Listen no longer and send away whoever has not said yet who it is."""
        for gate in list(self._listening):
            await self.shut(gate)
        for arriving in list(self._arriving):
            arriving.drop()
        ushering = [arriving.ushering for arriving in self._arriving if arriving.ushering is not None]
        if ushering:
            await asyncio.wait(ushering)
        self._arriving.clear()

    def port(self, gate: Gate) -> int | None:
        """Return the port that a gate listens at (the real one where 0 was asked for)."""
        sockets = self._listening.get(gate)
        return int(sockets[0].getsockname()[1]) if sockets else None

    @property
    def arriving(self) -> int:
        """Return how many are on their way in."""
        return len(self._arriving)

    def seated(self, transport: asyncio.BaseTransport | None) -> None:
        """Take note that a connection has said who it is, and is let in."""
        for arriving in self._arriving:
            if arriving.transport is transport:
                self._arriving.discard(arriving)
                return

    def tick(self, now: float) -> None:
        """Send away who takes too long; called every second or so."""
        for arriving in list(self._arriving):
            if arriving.transport is not None and arriving.transport.is_closing():
                self._arriving.discard(arriving)
            elif now - arriving.since >= ARRIVAL_PATIENCE_S:
                self._log.warning("Somebody at %s took too long to say who it is", arriving.remote)
                self._arriving.discard(arriving)
                arriving.drop()

    # -- one connection -----------------------------------------------------------------------------------------------

    async def _accept(self, listening: socket.socket, gate: Gate) -> None:
        loop = asyncio.get_running_loop()
        accepted = 0
        while True:
            try:
                incoming, address = await loop.sock_accept(listening)
            except ConnectionError:
                continue  # gone before it was accepted
            except OSError as error:
                self._log.warning("Nobody can be let in for a moment: %s", error.strerror)
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            self._receive(incoming, str(address[0]), gate)
            accepted += 1
            if accepted % AT_A_TIME == 0:
                await asyncio.sleep(0)

    def _receive(self, incoming: socket.socket, remote: str, gate: Gate) -> None:
        now = self._monotonic()
        if not self._knocks.take_if_free(remote, now) or not self._is_room_for(remote):
            self._log.warning("%s knocks too often and was sent away", remote)
            incoming.close()
            return
        arriving = _Arriving(remote=remote, since=now)
        self._arriving.add(arriving)
        arriving.ushering = asyncio.get_running_loop().create_task(self._usher(arriving, incoming, gate))

    def _is_room_for(self, remote: str) -> bool:
        """Make room for one more where another address takes more of it."""
        if len(self._arriving) < MAX_ARRIVING_PER_ADDRESS:
            return True
        by_address = Counter(arriving.remote for arriving in self._arriving)
        if by_address[remote] >= MAX_ARRIVING_PER_ADDRESS:
            return False
        if len(self._arriving) >= MAX_ARRIVING:
            [(greediest, _)] = by_address.most_common(1)
            oldest = min((a for a in self._arriving if a.remote == greediest), key=lambda a: a.since)
            self._arriving.discard(oldest)
            oldest.drop()
        return True

    async def _usher(self, arriving: _Arriving, incoming: socket.socket, gate: Gate) -> None:
        """Bring a socket to where its request is read, over TLS where it wants that."""
        try:
            secure = await self._wants_tls(incoming, gate)
            tls = gate.tls if secure else None
            if secure is None or (tls is None and not gate.plain):
                self._dismiss(arriving, incoming)
                return
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                self._serve,
                incoming,
                ssl=tls,
                ssl_handshake_timeout=HANDSHAKE_S if tls is not None else None,
                ssl_shutdown_timeout=SHUTDOWN_S if tls is not None else None,
            )
        except (OSError, TimeoutError) as error:  # a failed handshake is an OSError
            self._log.warning("Somebody at %s did not get in: %s", arriving.remote, _in_short(error))
            self._dismiss(arriving, incoming)
        except asyncio.CancelledError:
            self._dismiss(arriving, incoming)
            raise
        else:
            arriving.ushering = None
            arriving.transport = transport

    def _dismiss(self, arriving: _Arriving, incoming: socket.socket) -> None:
        self._arriving.discard(arriving)
        incoming.close()

    async def _wants_tls(self, incoming: socket.socket, gate: Gate) -> bool | None:
        """Return whether somebody begins with a handshake, where both are taken; None: it went without a word."""
        if gate.tls is None or not gate.plain:
            return gate.tls is not None
        async with asyncio.timeout(FIRST_WORD_S):
            first = await _peek(incoming)
        return None if not first else first[0] == TLS_HANDSHAKE


async def _peek(incoming: socket.socket) -> bytes:
    """Return the first byte that arrives, and leave it where it is; nothing: the other side has hung up."""
    loop = asyncio.get_running_loop()
    while True:
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(incoming, _settle, readable)
        try:
            await readable
        finally:
            loop.remove_reader(incoming)
        try:
            return incoming.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            continue  # woken for nothing


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _in_short(error: OSError | TimeoutError) -> str:
    """Return what went wrong, without what a peer could have put into it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate was refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {error.reason or 'the handshake failed'}"
    return "it took too long" if isinstance(error, TimeoutError) else "it hung up"


async def _bound(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets at all addresses of a host. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listening = socket.socket(family, kind, protocol)
            sockets.append(listening)
            if os.name == "posix" and sys.platform != "cygwin":
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.setblocking(False)
            listening.bind(address)
            listening.listen(BACKLOG)
    except OSError:
        for listening in sockets:
            listening.close()
        raise
    return sockets
