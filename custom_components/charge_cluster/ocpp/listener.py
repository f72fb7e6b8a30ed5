"""The central system: where charge points dial in, and where their conversations live.

One `CentralSystem` listens on one host and port. It decides at the door (`doorway`, the `Doorkeeper`), seats strangers
in the waiting room, and gives everybody else the conversation that goes by its identity; conversations outlive
connections, and the newest connection of an identity wins. Nothing that one connection does can end another.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import WSCloseCode, WSMsgType, web

from .conversation import DeviceFacts
from .doorway import Arrival, Refusal, arrival
from .entrance import ARRIVAL_PATIENCE_S, Entrance, Gate
from .experience import Forgetful, ModelMemory
from .frames import MAX_FRAME_BYTES
from .http_door import HttpDoor
from .listeners import enlist
from .pacing import Allowance, AllowancePerAddress, CalmLog, CalmLogPerName
from .partner import Partner
from .protocols import Admission, Authoriser, Clock, Credentials, Doorkeeper, TransactionJournal
from .quirks import known_quirks
from .rpc import INBOUND_BURST, INBOUND_RATE_PER_S, LOGGER as FRAMES_LOGGER, RpcLink
from .security.enrolment import Certifier
from .security.peer import read_peer_certificate
from .shut_out import ShutOut
from .standing import Services, WantedSettings
from .versions import Agreed
from .waiting_room import Guest, Newcomer

_LOGGER = logging.getLogger(__name__)

MAX_CONNECTIONS = 2000
MAX_NEWCOMERS = 512
STRANGER_RATE_PER_S = 20.0
STRANGER_BURST = 600.0
"""A new car park dials in all at once, behind one address perhaps."""
GUEST_RATE_PER_S = 10.0
GUEST_BURST = 60.0
MAX_TURNED_AWAY = 256
STRANGERS = ""
"""No identity: all that nobody has accepted share the lines that they may provoke."""

TICK_S = 1.0
PING_AFTER_S = 30.0
GONE_AFTER_S = 180.0
"""Three heartbeats without a frame of any kind; pings answered late or never are no reason to hang up."""
CLOSING_PATIENCE_S = 2.0
STORING_PATIENCE_S = 5.0
MAX_UNREAD_BYTES = 256 * 1024
UNREAD_PATIENCE_S = 30.0
"""Who leaves unread what it is sent is hung up on, after so much or so long."""
FAILURES_PER_S = 0.2
FAILURES_BURST = 20.0
"""Wrong and missing keys of one address; what goes beyond is answered late."""
FAILURE_DELAY_S = 5.0
MAX_DELAYED = 128
"""Answers that are held back at the same time; who comes on top of that is answered at once, and at less cost."""
SPEECHLESS_AFTER_S = 60.0
"""A connection without a single message by then is worth a line: its charger may have failed its own checks."""


UNAUTHORISED = 401
REFUSALS: Mapping[Admission, int] = {
    Admission.WRONG_KEY: UNAUTHORISED,
    Admission.KEY_MISSING: UNAUTHORISED,
    Admission.NOT_ENCRYPTED: 403,
    Admission.CERTIFICATE_MISSING: 403,
    Admission.CERTIFICATE_REFUSED: 403,
}
"""The status that each refusal is answered with."""


class CannotListen(Exception):
    """The listener cannot be opened at this host and port."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen at {host}:{port}: {reason}")
        self.host = host
        self.port = port


class PortInUse(CannotListen):
    """Something else listens there already."""


type WatchNewcomers = Callable[[str, Newcomer | None], None]
"""Told of the identity of a newcomer and what is known of it; None when it is none any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How charge points may come: over what is plain, over TLS, or both."""

    plain: bool = True
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    tls_port: int | None = None
    """Where TLS is taken; None: at the port of the listener, beside plain connections where these are taken."""


@dataclass(slots=True, eq=False)
class _Connection:
    """A socket, its link, and who sits at it."""

    arrival: Arrival
    brought: Credentials
    socket: web.WebSocketResponse
    transport: asyncio.Transport | None
    link: RpcLink
    conversation: Partner | None = None
    guest: Guest | None = None
    pinged_at: float = 0.0
    opened_at: float = 0.0
    speechless_told: bool = False
    unread_since: float | None = None


class CentralSystem:
    """Listens for charge points and keeps their conversations."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        doorkeeper: Doorkeeper,
        journal: TransactionJournal,
        authoriser: Authoriser,
        clock: Clock,
        charge_point_id: Callable[[str], str] = str,
        wanted: WantedSettings | None = None,
        memory: ModelMemory | None = None,
        wire: Wire | None = None,
        certifier: Certifier | None = None,
        inbound_rate_per_s: float = INBOUND_RATE_PER_S,
    ) -> None:
        """Set up without listening yet.

        Args:
            charge_point_id: turns an OCPP identity into the id that records and authorisations carry.
            wanted: what every charge point is configured to.
            memory: what was found out about models of charge points; None: nothing is remembered.
            wire: what is taken at the port; None: plain connections.
            certifier: who signs the certificates of charge points; None: nobody.
            inbound_rate_per_s: messages of one charge point before it is read more slowly.
        """
        self.host = host
        self._port = port
        self._doorkeeper = doorkeeper
        self._clock = clock
        self._wire = wire or Wire()
        self._inbound_rate_per_s = inbound_rate_per_s
        self._services = Services(
            journal=journal,
            authoriser=authoriser,
            clock=clock,
            charge_point_id=charge_point_id,
            wanted=wanted or WantedSettings(),
            certifier=certifier,
            memory=memory or Forgetful(),
        )
        self._conversations: dict[str, Partner] = {}
        self._connections: dict[str, _Connection] = {}
        self._newcomer_watchers: list[WatchNewcomers] = []
        self._strangers = AllowancePerAddress(rate_per_s=STRANGER_RATE_PER_S, burst=STRANGER_BURST)
        self._turned_away: OrderedDict[str, Admission] = OrderedDict()
        self._keys: dict[str, str] = {}
        self._shut_out = ShutOut(clock.monotonic)
        self._log = CalmLog(_LOGGER, clock.monotonic)
        self._link_logs = CalmLogPerName(FRAMES_LOGGER, clock.monotonic)
        self._failures = AllowancePerAddress(rate_per_s=FAILURES_PER_S, burst=FAILURES_BURST)
        self._delayed = 0
        self._server: HttpDoor | None = None
        self._entrance: Entrance | None = None
        self._gate = Gate()
        self._tls_gate = Gate(plain=False)
        self._ticking: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    # -- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            PortInUse: something listens there already.
            CannotListen: the host is not ours, or the port is not allowed.
        """
        await asyncio.to_thread(known_quirks)
        server = HttpDoor(self._enter, self._log, keepalive_timeout=ARRIVAL_PATIENCE_S)
        entrance = Entrance(server, self._clock.monotonic)
        self._set_gates()
        try:
            await self._open(entrance, self._port, self._gate)
            if self._wire.tls_port is not None:
                await self._open(entrance, self._wire.tls_port, self._tls_gate)
        except CannotListen:
            await entrance.close()
            raise
        self._server, self._entrance = server, entrance
        self._ticking = asyncio.get_running_loop().create_task(self._tick())

    async def _open(self, entrance: Entrance, port: int, gate: Gate) -> None:
        try:
            await entrance.open(self.host, port, gate)
        except OSError as error:
            kind = PortInUse if error.errno == errno.EADDRINUSE else CannotListen
            raise kind(self.host, port, error.strerror or type(error).__name__) from error

    async def rewire(self, wire: Wire) -> None:
        """Take charge points another way from now on; connections that stand go on as they are.

        Raises:
            CannotListen: the port for TLS cannot be opened; everything stays as it was.
        """
        if self._entrance is not None and wire.tls_port != self._wire.tls_port:
            further = Gate(plain=False)
            if wire.tls_port is not None:
                await self._open(self._entrance, wire.tls_port, further)
            await self._entrance.shut(self._tls_gate)
            self._tls_gate = further
        self._wire = wire
        self._set_gates()

    def _set_gates(self) -> None:
        self._gate.plain = self._wire.plain
        self._gate.tls = self._wire.tls if self._wire.tls_port is None else None
        self._tls_gate.tls = self._wire.tls

    async def close(self) -> None:
        """Hang up on everybody and stop listening."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.wait([self._ticking])
            self._ticking = None
        links = [connection.link for connection in self._connections.values()]
        for connection in list(self._connections.values()):
            self._hang_up(connection, WSCloseCode.GOING_AWAY)
        if self._closing:
            await asyncio.wait(self._closing, timeout=CLOSING_PATIENCE_S)
        await self._let_finish(links)
        if self._entrance is not None and self._server is not None:
            await self._entrance.close()
            self._server.pre_shutdown()
            await self._server.shutdown(CLOSING_PATIENCE_S)
            self._entrance = self._server = None
        for conversation in self._conversations.values():
            await conversation.close()

    async def _let_finish(self, links: Sequence[RpcLink]) -> None:
        """Wait a little for what was told before the end and is still being stored."""
        if links:
            await asyncio.wait(
                [asyncio.ensure_future(link.wait_closed()) for link in links], timeout=STORING_PATIENCE_S
            )

    @property
    def port(self) -> int:
        """Return the port that is listened at (the real one where 0 was asked for)."""
        opened = None if self._entrance is None else self._entrance.port(self._gate)
        return self._port if opened is None else opened

    @property
    def tls_port(self) -> int | None:
        """Return the port at which TLS is taken; None: it is not."""
        if self._wire.tls is None:
            return None
        opened = None if self._entrance is None else self._entrance.port(self._tls_gate)
        return self.port if opened is None else opened

    # -- who is there -------------------------------------------------------------------------------------------------

    def conversation(self, identity: str) -> Partner:
        """Return the conversation with a charge point, begun if there is none yet."""
        conversation = self._conversations.get(identity)
        if conversation is None:
            conversation = self._conversations[identity] = Partner(identity, self._services)
        return conversation

    async def forget(self, identity: str) -> None:
        """End the conversation with a charge point that was removed; if connected, it is judged anew at the door."""
        conversation = self._conversations.pop(identity, None)
        if conversation is not None:
            connection = self._connections.get(identity)
            if connection is not None and connection.conversation is conversation:
                conversation.detach(connection.link)
                connection.conversation = None
                self._hang_up(connection, WSCloseCode.GOING_AWAY)
            await conversation.close()
        self._keys.pop(identity, None)

    @property
    def newcomers(self) -> Mapping[str, Newcomer]:
        """Return who sits in the waiting room."""
        return {i: c.guest.newcomer for i, c in self._connections.items() if c.guest is not None}

    @property
    def turned_away(self) -> Mapping[str, Admission]:
        """Return configured charge points that came with a wrong key or none, and have not come right since."""
        return dict(self._turned_away)

    def watch_newcomers(self, watch: WatchNewcomers) -> Callable[[], None]:
        """Be told of the waiting room, of everybody in it at once; return what ends it."""
        for identity, newcomer in self.newcomers.items():
            watch(identity, newcomer)
        return enlist(self._newcomer_watchers, watch)

    def reconsider(self, identity: str, *, provision_key: str | None = None) -> None:
        """Judge a connected charge point anew, after it was accepted, changed or removed.

        With `provision_key` the owner's acceptance is trusted: a newcomer that has not this key, or none, is taken in
        without losing its connection and is given the key (AuthorizationKey); it is let in without it until it took it.
        From then on the doorkeeper demands it. Call it for a charge point that never confirmed its key after a
        restart as well, or it will be locked out. Without `provision_key` the credentials of the present connection
        have to do, or it is hung up on.
        """
        if provision_key is not None:
            self._keys[identity] = provision_key
        connection = self._connections.get(identity)
        if connection is None:
            return
        match self._judge(identity, connection.brought):
            case Admission.WELCOME if self._speaks_otherwise(connection):
                # The version of a connection is settled when it is made.
                self._hang_up(connection, WSCloseCode.GOING_AWAY)
            case Admission.WELCOME:
                self._take_in(connection)
            case Admission.UNKNOWN:
                self._show_to_waiting_room(connection)
            case _:
                self._hang_up(connection, WSCloseCode.POLICY_VIOLATION)

    def _speaks_otherwise(self, connection: _Connection) -> bool:
        """Return whether the owner wants another version than the one that is spoken, and it can be had."""
        agreed = self._agree(connection.arrival)
        return agreed is None or agreed.version is not connection.link.version

    def shut_out(self, identity: str, for_s: float) -> None:
        """Hang up on a charge point and refuse it for so long; 0: it may come in again."""
        self._shut_out.shut(identity, for_s)
        connection = self._connections.get(identity)
        if connection is not None and for_s > 0.0:
            self._hang_up(connection, WSCloseCode.GOING_AWAY)

    def knocks(self, identity: str) -> int:
        """Return how often a charge point has come since it was shut out."""
        return self._shut_out.knocks(identity)

    # -- the door -----------------------------------------------------------------------------------------------------

    def _judge(self, identity: str, brought: Credentials) -> Admission:
        """Ask the doorkeeper; one whose key is still to be given is welcome without it."""
        admission = self._doorkeeper.admit(identity, brought)
        if admission in (Admission.KEY_MISSING, Admission.WRONG_KEY) and identity in self._keys:
            return Admission.WELCOME
        if admission is Admission.WELCOME and brought.password is not None:
            self._keys.pop(identity, None)
        return admission

    def _agree(self, who: Arrival) -> Agreed | None:
        """Return what is spoken with somebody, or None where nothing that it offers fits."""
        return who.agree(self._doorkeeper.version(who.identity))

    def connected(self) -> Mapping[str, Credentials]:
        """Return what each charge point brought that is connected and let in."""
        return {i: c.brought for i, c in self._connections.items() if c.conversation is not None}

    def brought(self, identity: str) -> Credentials | None:
        """Return what a charge point brought that is connected; None: it is not."""
        connection = self._connections.get(identity)
        return None if connection is None else connection.brought

    async def _enter(self, request: web.BaseRequest) -> web.StreamResponse:
        who = arrival(request.rel_url.raw_path, request.remote, request.headers)
        if isinstance(who, Refusal):
            self._log.warning("Somebody at %s was turned away: %s", request.remote, who.value)
            return web.Response(status=401 if who is Refusal.OTHER_USER else 404, text=who.value)
        brought = _credentials(request, who)
        admission = self._judge(who.identity, brought)
        now = self._clock.monotonic()
        if admission is not Admission.WELCOME and not self._strangers.take_if_free(who.remote, now):
            return web.Response(status=429, headers={"Retry-After": "60"})
        if admission in REFUSALS:
            self._turn_away(who, admission)
            await self._hold_back(who.remote, now)
            return web.Response(
                status=REFUSALS[admission],
                headers={"WWW-Authenticate": 'Basic realm="OCPP"'} if REFUSALS[admission] == UNAUTHORISED else None,
                text=admission.value,
            )
        if self._shut_out.refuses(who.identity) or self._full(who, admission):
            return web.Response(status=503, headers={"Retry-After": "60"})
        return await self._seat(request, who, brought, admission)

    async def _hold_back(self, remote: str, now: float) -> None:
        """Make an address wait for its answer that fails too often; who brings the right key never waits."""
        if self._failures.take_if_free(remote, now) or self._delayed >= MAX_DELAYED:
            return
        self._delayed += 1
        try:
            await asyncio.sleep(FAILURE_DELAY_S)
        finally:
            self._delayed -= 1

    def _full(self, who: Arrival, admission: Admission) -> bool:
        if who.identity in self._connections:
            return False
        if admission is Admission.UNKNOWN and len(self.newcomers) >= MAX_NEWCOMERS:
            self._log.warning("The waiting room is full: %s was sent away", who.remote)
            return True
        return len(self._connections) >= MAX_CONNECTIONS

    def _turn_away(self, who: Arrival, admission: Admission) -> None:
        self._turned_away[who.identity] = admission
        while len(self._turned_away) > MAX_TURNED_AWAY:
            self._turned_away.popitem(last=False)
        self._log.warning("%s at %s was turned away: %s", who.identity, who.remote, admission.value)

    async def _seat(
        self, request: web.BaseRequest, who: Arrival, brought: Credentials, admission: Admission
    ) -> web.StreamResponse:
        agreed = self._agree(who)
        taken = () if agreed is None or agreed.subprotocol is None else (agreed.subprotocol,)
        socket = web.WebSocketResponse(
            protocols=taken,
            compress=False,
            autoping=False,
            max_msg_size=MAX_FRAME_BYTES,
            timeout=CLOSING_PATIENCE_S,
        )
        transport = request.transport
        if self._entrance is not None:
            self._entrance.seated(transport)
        try:
            await socket.prepare(request if taken else _without_offer(request))
        except web.HTTPBadRequest:
            self._log.warning("%s at %s begins no websocket as RFC 6455 wants it", who.identity, who.remote)
            return web.Response(status=400, text="no websocket handshake", headers={"Sec-WebSocket-Version": "13"})
        if agreed is None:
            self._log.warning("%s offers no version that is spoken here", who.identity)
            await socket.close(code=WSCloseCode.PROTOCOL_ERROR)
            return socket
        if not who.offered:
            self._log.warning(
                "%s offers no subprotocol and is taken to speak OCPP %s", who.identity, agreed.version.value
            )

        async def send(frame: bytes) -> None:
            await socket.send_frame(frame, WSMsgType.TEXT)

        log = self._link_logs.of(who.identity if admission is Admission.WELCOME else STRANGERS)
        link = RpcLink(send, {}, monotonic=self._clock.monotonic, name=who.identity, version=agreed.version, log=log)
        connection = _Connection(who, brought, socket, transport, link, opened_at=self._clock.monotonic())
        self._replace(connection)
        if admission is Admission.WELCOME:
            self._take_in(connection)
        else:
            self._show_to_waiting_room(connection)
        try:
            await self._read(connection)
        finally:
            self._leave(connection)
        return socket

    def _replace(self, connection: _Connection) -> None:
        """The newest connection wins: the old one's calls fail now, and it is closed quietly."""
        old = self._connections.get(connection.arrival.identity)
        self._connections[connection.arrival.identity] = connection
        if old is not None:
            self._hang_up(old, WSCloseCode.OK)

    def _take_in(self, connection: _Connection) -> None:
        """Seat a connection at the conversation of its identity."""
        if connection.conversation is not None:
            return
        identity = connection.arrival.identity
        guest, connection.guest = connection.guest, None
        device = guest.newcomer.device if guest is not None else DeviceFacts()
        conversation = self.conversation(identity)
        connection.conversation = conversation
        connection.link.allow(Allowance(rate_per_s=self._inbound_rate_per_s, burst=INBOUND_BURST))
        conversation.attach(connection.link, device=device if device != DeviceFacts() else None)
        self._turned_away.pop(identity, None)
        key = self._keys.get(identity)
        if key is not None:
            conversation.provision_key(key, lambda: self._key_given(identity, key))
        if guest is not None:
            self._tell_newcomer(identity, None)

    def _key_given(self, identity: str, key: str) -> None:
        if self._keys.get(identity) == key:
            del self._keys[identity]

    def _show_to_waiting_room(self, connection: _Connection) -> None:
        if connection.guest is not None:
            return
        who = connection.arrival
        if connection.conversation is not None:
            connection.conversation.detach(connection.link)
            connection.conversation = None
        newcomer = Newcomer(
            identity=who.identity,
            remote=who.remote,
            first_seen_at=self._clock.time(),
            presented_key=who.password is not None,
        )
        connection.guest = Guest(
            newcomer,
            self._clock,
            lambda changed: self._tell_newcomer(who.identity, changed),
            connection.link.version,
        )
        connection.link.actions = connection.guest.actions
        connection.link.responsive_changed = None
        connection.link.allow(Allowance(rate_per_s=GUEST_RATE_PER_S, burst=GUEST_BURST))
        self._tell_newcomer(who.identity, newcomer)

    def _tell_newcomer(self, identity: str, newcomer: Newcomer | None) -> None:
        loop = asyncio.get_running_loop()
        for watch in self._newcomer_watchers:
            loop.call_soon(watch, identity, newcomer)

    # -- connections --------------------------------------------------------------------------------------------------

    async def _read(self, connection: _Connection) -> None:
        socket, link = connection.socket, connection.link
        while not link.closed:
            message = await socket.receive()
            match message.type:
                case WSMsgType.TEXT | WSMsgType.BINARY:
                    await link.receive(message.data)
                case WSMsgType.PING:
                    link.heard_at = self._clock.monotonic()
                    await self._pong(socket, message.data)
                case WSMsgType.PONG:
                    link.heard_at = self._clock.monotonic()
                case _:
                    return

    async def _pong(self, socket: web.WebSocketResponse, content: bytes) -> None:
        try:
            await socket.pong(content)
        except ConnectionError:
            return

    def _leave(self, connection: _Connection) -> None:
        connection.link.close()
        identity = connection.arrival.identity
        if connection.conversation is not None:
            connection.conversation.detach(connection.link)
            connection.conversation = None
        if self._connections.get(identity) is connection:
            del self._connections[identity]
            if connection.guest is not None:
                self._tell_newcomer(identity, None)
        connection.guest = None

    def _hang_up(self, connection: _Connection, code: int) -> None:
        """End a connection without waiting for its peer."""
        connection.link.close()
        if connection.conversation is not None:
            connection.conversation.detach(connection.link)
            connection.conversation = None
        task = asyncio.get_running_loop().create_task(self._part(connection, code))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _part(self, connection: _Connection, code: int) -> None:
        """Say farewell, and let go of the socket whether or not that is read."""
        try:
            async with asyncio.timeout(2 * CLOSING_PATIENCE_S):
                await connection.socket.close(code=code)
        except TimeoutError, ConnectionError:
            pass
        finally:
            if connection.transport is not None:
                connection.transport.abort()

    async def _tick(self) -> None:
        soon = asyncio.get_running_loop().call_soon
        while True:
            await asyncio.sleep(TICK_S)
            now = self._clock.monotonic()
            # Each in a turn of its own: what fails at one is logged by the event loop, and nobody else goes without.
            if self._entrance is not None:
                soon(self._entrance.tick, now)
            for connection in self._connections.values():
                soon(self._look_after, connection, now)
            for conversation in self._conversations.values():
                soon(conversation.tick)

    def _look_after(self, connection: _Connection, now: float) -> None:
        if self._connections.get(connection.arrival.identity) is not connection:
            return
        if not (connection.link.statistics.received or connection.speechless_told):
            connection.speechless_told = now - connection.opened_at >= SPEECHLESS_AFTER_S
            if connection.speechless_told:
                self._log.warning("%s is connected and says nothing", connection.arrival.identity)
        if connection.link.is_held_back and connection.transport is not None and connection.transport.is_closing():
            # What waits of it would be read for minutes, though nobody is there to be answered.
            connection.link.close()
            return
        if self._leaves_unread(connection, now):
            self._log.warning("%s does not read what it is sent", connection.arrival.identity)
            self._hang_up(connection, WSCloseCode.GOING_AWAY)
            return
        silent_s = now - connection.link.heard_at
        if silent_s >= GONE_AFTER_S:
            self._log.warning("%s has been silent for too long", connection.arrival.identity)
            self._hang_up(connection, WSCloseCode.GOING_AWAY)
        elif silent_s >= PING_AFTER_S and now - connection.pinged_at >= PING_AFTER_S:
            connection.pinged_at = now
            task = asyncio.get_running_loop().create_task(self._ping(connection.socket))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _leaves_unread(self, connection: _Connection, now: float) -> bool:
        """Return whether a peer has left what it was sent for too long, or too much of it."""
        try:
            unread = 0 if connection.transport is None else connection.transport.get_write_buffer_size()
        except AttributeError:
            # asyncio's transport over TLS asks what lies beneath it also when that is gone.
            unread = 0
        if not unread:
            connection.unread_since = None
        elif connection.unread_since is None:
            connection.unread_since = now
        return unread > MAX_UNREAD_BYTES or (
            connection.unread_since is not None and now - connection.unread_since >= UNREAD_PATIENCE_S
        )

    async def _ping(self, socket: web.WebSocketResponse) -> None:
        try:
            await socket.ping()
        except ConnectionError:
            return


def _without_offer(request: web.BaseRequest) -> web.BaseRequest:
    """Return a request that offers no subprotocol: aiohttp logs, at any length, each offer that it does not take."""
    headers = request.headers.copy()
    headers.popall("Sec-WebSocket-Protocol", None)
    return request.clone(headers=headers)


def _credentials(request: web.BaseRequest, who: Arrival) -> Credentials:
    """Return what a charge point brings with its request and its connection."""
    tls: ssl.SSLObject | None = None if request.transport is None else request.transport.get_extra_info("ssl_object")
    shown = None if tls is None else tls.getpeercert(binary_form=True)
    return Credentials(
        remote=who.remote,
        password=who.password,
        secure=tls is not None,
        certificate=None if shown is None else read_peer_certificate(shown),
    )
