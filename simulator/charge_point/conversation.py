"""How a charge point keeps in touch with the central system: it dials, registers, says what waits, and redials.

`Conversation.run` is the one task of a charge point. What is said and what is answered is the station's; here it is
only sent in order, one call at a time, kept where it must not be lost, and tried again.
"""

import asyncio
import random
from base64 import b64encode
from binascii import unhexlify
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid4, uuid5

import aiohttp

from ..clock import PointClock, SimClock, utc_of
from .configuration import Configuration
from .distortion import distorted, distorted_reply, question_heard
from .encryption import Encryption
from .link import CallRefused, Link, LinkLost, NoAnswer, Payload, Reply
from .misbehaviour import Misbehaviour, Resending, Silence
from .outbox import Message, Outbox
from .spec import ChargePointSpec, MessageIds
from .voice import Voice

BACK_OFF_S = (2.0, 60.0)
"""Virtual seconds before the second attempt to connect, doubled up to the longest."""

BOOT_RETRY_S = 10.0
"""Before the next BootNotification, where the central system names no interval."""

DEFLATE_WINDOW_BITS = 15

CONNECT_TIMEOUT_S = 10.0
"""Real seconds."""


class Registration(StrEnum):
    """What the central system answered to BootNotification."""

    NONE = "None"
    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


class Conversation:
    """The connection of one charge point over all its breaks."""

    def __init__(
        self,
        spec: ChargePointSpec,
        configuration: Configuration,
        misbehaviour: Misbehaviour,
        *,
        sim_clock: SimClock,
        clock: PointClock,
        encryption: Encryption,
        session: aiohttp.ClientSession,
        dice: random.Random,
        voice: Voice,
        registered: Callable[[], None],
        tell_all: Callable[[], None],
        tell_changes: Callable[[], None],
    ) -> None:
        """Begin without a connection.

        Args:
            spec: the charge point.
            configuration: its keys.
            misbehaviour: what it does wrong just now.
            sim_clock: virtual time.
            clock: the charge point's own clock.
            encryption: its TLS.
            session: what connections are made with.
            dice: chance.
            voice: words what it says, and answers the central system's calls.
            registered: queues what is said after registration.
            tell_all: queues the status of everything.
            tell_changes: queues what changed while nobody listened.
        """
        self.registration = Registration.NONE
        self.connected = asyncio.Event()
        self.powered = asyncio.Event()
        self.tally: Counter[str] = Counter()
        self._spec = spec
        self._configuration = configuration
        self._misbehaviour = misbehaviour
        self._sim_clock = sim_clock
        self._clock = clock
        self._encryption = encryption
        self._session = session
        self._dice = dice
        self._voice = voice
        self._after_registration = registered
        self._tell_all = tell_all
        self._tell_changes = tell_changes
        self._outbox = Outbox()
        self._work = asyncio.Event()
        self._cut = asyncio.Event()
        self._reachable = asyncio.Event()
        self._reachable.set()
        self._link: Link | None = None
        self._ghost: tuple[Link, asyncio.Task[None]] | None = None
        self._deliveries: set[asyncio.Task[None]] = set()
        self._told_boot = False
        self._boot_due = 0.0
        self._heartbeat_s = float(configuration.number("HeartbeatInterval"))
        self._beaten_at = 0.0
        self._calls = 0
        self._restarted = False

    @property
    def accepted(self) -> bool:
        """Return whether the central system accepted the charge point since its last restart."""
        return self.registration is Registration.ACCEPTED

    @property
    def listened_to(self) -> bool:
        """Return whether there is a connection over which the present state may be told."""
        return self._link is not None and (self.accepted or self._misbehaviour.never_boots)

    @property
    def stored_messages(self) -> int:
        """Return how many messages of transactions wait to be sent."""
        return self._outbox.stored

    # What is said.

    def put(self, message: Message) -> None:
        """Queue a message; one that is not of a transaction is lost without a connection."""
        if not message.of_transaction and (self._link is None or self._misbehaviour.silence is not None):
            return
        if message.minor and self._link is None and self._misbehaviour.loses_values:
            return
        self._outbox.put(message)
        self._work.set()

    def say_boot(self) -> None:
        """Send a BootNotification next."""
        self._boot_due = self._sim_clock.now()
        self._told_boot = False
        self._work.set()

    def say_heartbeat(self) -> None:
        """Queue a Heartbeat."""
        self.put(Message(action="Heartbeat", payload=dict, answered=self._take_time))

    def beat_every(self, seconds: float) -> None:
        """Set the heartbeat interval; 0: no heartbeats."""
        self._heartbeat_s = seconds

    def tick(self, now: float) -> None:
        """Say what is due at a virtual moment."""
        if self._link is None:
            return
        if self.accepted and self._heartbeat_s > 0.0 and now - self._beaten_at >= self._heartbeat_s:
            self._beaten_at = now
            self.say_heartbeat()
        retry_at = self._outbox.retry_at()
        boot_due = not self._told_boot and now >= self._boot_due
        if boot_due or (retry_at is not None and now >= retry_at):
            self._work.set()

    # What befalls it.

    def lose_power(self, *, silently: bool) -> None:
        """Fall silent without a word (and leave the old connection hanging), or drop the connection."""
        self.powered.clear()
        self.registration = Registration.NONE
        self._told_boot = False
        self._restarted = True
        if not silently:
            self.redial()
            return
        if self._link is not None:
            self._link.deaf = True
        self._cut.set()

    def redial(self) -> None:
        """Drop the connection and make a new one."""
        if self._link is not None:
            self._link.abort()

    def bar(self, *, barred: bool) -> None:
        """Drop the connection and make no new one, or let it be made again."""
        if barred:
            self._reachable.clear()
            self.redial()
        else:
            self._reachable.set()

    def go_half_open(self, *, half_open: bool) -> None:
        """Fall silent on a connection that stays up, or come back on a new one."""
        self._misbehaviour.half_open = half_open
        if self._link is None:
            return
        if half_open:
            self._link.deaf = True
        else:
            self._link.abort()

    # The connection.

    async def run(self, url: str) -> None:
        """Dial, converse and redial until cancelled."""
        attempts = 0
        try:
            while True:
                await self.powered.wait()
                self._cut.clear()
                await self._reachable.wait()
                if not self.powered.is_set():
                    continue
                try:
                    link = await self._dial(url)
                except aiohttp.ClientError, OSError, TimeoutError:
                    self.tally["connections refused"] += 1
                else:
                    await self._converse(link)
                    attempts = 0 if self.accepted else attempts
                await self._sim_clock.sleep(self._back_off(attempts))
                attempts += 1
        finally:
            self._bury_ghost()

    async def stop(self) -> None:
        """Say goodbye."""
        if self._link is not None and not self._link.deaf:
            await self._link.close()

    def _back_off(self, attempts: int) -> float:
        shortest, longest = BACK_OFF_S
        return min(longest, shortest * 2.0 ** min(attempts, 10)) * self._dice.uniform(0.8, 1.2)

    async def _dial(self, url: str) -> Link:
        key = self._configuration.key
        headers = {}
        if key and not self._encryption.shows_certificate:
            password = unhexlify(key) if self._spec.key_is_hex else key.encode()
            pair = self._spec.identity.encode() + b":" + password
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            websocket = await self._session.ws_connect(
                f"{url.rstrip('/')}/{quote(self._spec.identity, safe='')}",
                protocols=() if self._misbehaviour.no_subprotocol else (self._voice.subprotocol,),
                headers=headers,
                ssl=self._encryption.context() or True,
                autoping=False,
                autoclose=False,
                compress=DEFLATE_WINDOW_BITS if self._misbehaviour.offers_deflate else 0,
            )
        self.tally["connections"] += 1
        link = Link(
            websocket,
            answer=self._reply,
            error_codes=self._voice.error_codes,
            answers_rubbish=self._voice.answers_rubbish,
            delay=lambda: self._misbehaviour.answers_late_s / self._sim_clock.factor,
            answers_pings=lambda: not self._misbehaviour.ignores_pings,
            pong_delay=lambda: self._misbehaviour.pongs_late_s / self._sim_clock.factor,
            tally=self.tally,
        )
        link.deaf = self._misbehaviour.half_open
        return link

    async def _converse(self, link: Link) -> None:
        """Say what waits and answer what is asked, until the connection ends or the power does."""
        self._bury_ghost()
        self._outbox.connection_made()
        self._link = link
        self._greet()
        self.connected.set()
        reader = asyncio.create_task(link.serve())
        others = [asyncio.create_task(self._speak(link)), asyncio.create_task(self._cut.wait())]
        pings = asyncio.create_task(self._ping(link))
        try:
            await asyncio.wait((reader, *others), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.connected.clear()
            self._link = None
            self._outbox.connection_ended()
            for task in (*others, pings, *self._deliveries):
                task.cancel()
            if self._cut.is_set() and not reader.done():
                self._ghost = (link, reader)
            else:
                await self._end(link, reader)

    async def _end(self, link: Link, reader: asyncio.Task[None]) -> None:
        link.abort()
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await reader
        await link.close()

    def _bury_ghost(self) -> None:
        """End the connection that a loss of power left behind."""
        if self._ghost is not None:
            link, reader = self._ghost
            link.abort()
            reader.cancel()
            self._ghost = None

    async def _ping(self, link: Link) -> None:
        interval = self._configuration.number("WebSocketPingInterval")
        while interval > 0:
            await self._sim_clock.sleep(interval)
            try:
                await link.ping()
            except LinkLost:
                return

    def _greet(self) -> None:
        self._beaten_at = self._sim_clock.now()
        if self._restarted:
            self._restarted = False
            self._calls = 0
        if self._misbehaviour.never_boots:
            self._told_boot = True
            self._tell_all()
            return
        if not self.accepted or self._spec.boots_on_reconnect:
            self.say_boot()
        if self._misbehaviour.calls_at_once:
            self._tell_all()
        elif self.accepted:
            self._tell_changes()

    async def _speak(self, link: Link) -> None:
        """Send what waits, one call at a time (or not, when it misbehaves)."""
        while True:
            self._work.clear()
            message = self._next_message()
            if message is None:
                await self._work.wait()
                continue
            message.in_flight = True
            delivery = asyncio.create_task(self._deliver(link, message))
            self._deliveries.add(delivery)
            delivery.add_done_callback(self._deliveries.discard)
            if not self._misbehaviour.calls_at_once:
                await asyncio.wait((delivery,))

    def _next_message(self) -> Message | None:
        now = self._sim_clock.now()
        silence = self._misbehaviour.silence
        if silence is Silence.FROM_THE_START or (silence is Silence.AFTER_BOOT and self._told_boot):
            return None
        if not self._told_boot and now >= self._boot_due:
            self._told_boot = True
            return Message(
                action="BootNotification",
                payload=self._voice.boot,
                answered=self._registered,
                given_up=lambda: self._boot_again(BOOT_RETRY_S),
            )
        registered = self.accepted or self._misbehaviour.never_boots
        return self._outbox.next(now, registered=registered, backlog=self._misbehaviour.backlog)

    def _reply(self, action: str, payload: Payload) -> Reply:
        """Return the answer to a call, rightly or wrongly."""
        asked = question_heard(action, payload, self._misbehaviour)
        return distorted_reply(action, asked, self._voice.answer(action, asked), self._misbehaviour)

    async def _deliver(self, link: Link, message: Message) -> None:
        message.message_id = message.message_id or self._new_id()
        payload = distorted(message.action, message.payload(), self._misbehaviour)
        try:
            answer = await link.call(message.action, payload, message.message_id)
        except LinkLost:
            return
        except CallRefused:
            self._refused(message)
            return
        except NoAnswer:
            self._unanswered(message)
            return
        self._outbox.remove(message)
        if message.answered is not None:
            message.answered(answer)
        if message.of_transaction and self._misbehaviour.resends is not None:
            await self._resend(link, message, payload, answer)

    async def _resend(self, link: Link, message: Message, payload: Payload, answer: Payload) -> None:
        again = message.message_id
        if again is None or self._misbehaviour.resends is Resending.NEW_ID:
            again = self._new_id()
        try:
            second = await link.call(message.action, payload, again)
        except CallRefused, NoAnswer, LinkLost:
            self.tally["resent in vain"] += 1
            return
        self.tally["resent"] += 1
        if second.get("transactionId") != answer.get("transactionId"):
            self.tally["resent and answered differently"] += 1

    def _refused(self, message: Message) -> None:
        """Try a refused message of a transaction again, as often as configured."""
        message.attempts += 1
        if message.of_transaction and message.attempts < self._configuration.number("TransactionMessageAttempts"):
            self._try_later(message)
        else:
            self._give_up(message)

    def _unanswered(self, message: Message) -> None:
        """Keep an unanswered message of a transaction until it is answered."""
        if message.of_transaction:
            self._try_later(message)
        else:
            self._give_up(message)

    def _try_later(self, message: Message) -> None:
        pause = self._configuration.number("TransactionMessageRetryInterval") * max(1, message.attempts)
        message.not_before = self._sim_clock.now() + pause
        message.in_flight = False

    def _give_up(self, message: Message) -> None:
        self._outbox.remove(message)
        self.tally[f"gave up {message.action}"] += 1
        if message.given_up is not None:
            message.given_up()

    def _new_id(self) -> str:
        if self._spec.message_ids is MessageIds.RANDOM:
            return str(uuid4())
        self._calls += 1
        if self._spec.message_ids is MessageIds.COUNTER:
            return str(self._calls)
        return str(uuid5(NAMESPACE_URL, f"{self._spec.identity}/{self._calls}"))

    # Registration.

    def _registered(self, answer: Payload) -> None:
        try:
            self.registration = Registration(answer.get("status", ""))
        except ValueError:
            self.registration = Registration.REJECTED
        interval = float(answer.get("interval", 0))
        self._take_time(answer)
        if not self.accepted:
            self._boot_again(interval or BOOT_RETRY_S)
            return
        self.tally["boots"] += 1
        self._heartbeat_s = interval or self._heartbeat_s
        self._beaten_at = self._sim_clock.now()
        self._after_registration()

    def _boot_again(self, pause: float) -> None:
        self._boot_due = self._sim_clock.now() + pause
        self._told_boot = False

    def _take_time(self, answer: Payload) -> None:
        told = answer.get("currentTime")
        if not self._spec.takes_time or not isinstance(told, str):
            return
        try:
            self._clock.set(utc_of(told))
        except ValueError:
            self.tally["unreadable times"] += 1
