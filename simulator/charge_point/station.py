"""A whole charge point: power, connection, registration, what it says and what it keeps over a loss of power.

`run` is its one task: it dials, says what waits, and redials. `tick`, called by the site for all charge points in turn,
moves its connectors and timers on and never waits, so that hundreds of charge points share one loop.
"""

import asyncio
import random
from base64 import b64encode
from binascii import unhexlify
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from math import inf
from urllib.parse import quote
from uuid import uuid4

import aiohttp

from ..clock import PointClock, SimClock, utc_of, utc_text
from ..physics import Outlet, SiteTruth
from ..profile_store import WHOLE_STATION, ProfileStore
from ..profiles import Stacks, Wiring, limit_at
from . import commands
from .configuration import Configuration
from .connector import NO_TRANSACTION, Connector, Transaction
from .link import CALL_TIMEOUT_S, CallRefused, Link, LinkLost, NoAnswer, Payload, Reply
from .outbox import Message, Outbox
from .spec import (
    AfterPowerCut,
    ChargePointSpec,
    MessageIds,
    Resending,
    StationMaximum,
    WattsBy,
)

SUBPROTOCOL = "ocpp1.6"

BACK_OFF_S = (2.0, 60.0)
"""Virtual seconds before the second attempt to connect, doubled up to the longest."""

BOOT_RETRY_S = 10.0
"""Before the next BootNotification, where the central system names no interval."""

CONNECT_TIMEOUT_S = 10.0
"""Real seconds."""


class Registration(StrEnum):
    """What the central system answered to BootNotification."""

    NONE = "None"
    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


class ChargePoint:
    """A simulated charge point that talks OCPP 1.6J."""

    def __init__(
        self, spec: ChargePointSpec, truth: SiteTruth, clock: SimClock, *, session: aiohttp.ClientSession, seed: int = 0
    ) -> None:
        """Build it with its outlets in the truth; it has power from `power_up` on."""
        self.spec = spec
        self.configuration = Configuration(spec)
        self.misbehaviour = replace(spec.misbehaviour)
        self.profiles = ProfileStore()
        self.tally: Counter[str] = Counter()
        self.registration = Registration.NONE
        self.connected = asyncio.Event()
        self.connectors: dict[int, Connector] = {}
        for connector in spec.connectors:
            outlet = truth.outlets[connector.outlet_id]
            self.connectors[connector.number] = Connector(connector, outlet, self)
        self._truth = truth
        self._sim_clock = clock
        self._clock = PointClock(clock, offset_s=spec.clock_offset_s, drift_ppm=spec.clock_drift_ppm)
        self._session = session
        self._dice = random.Random(f"{seed}:{spec.identity}")
        self._outbox = Outbox()
        self._work = asyncio.Event()
        self._powered = asyncio.Event()
        self._cut = asyncio.Event()
        self._reachable = asyncio.Event()
        self._reachable.set()
        self._link: Link | None = None
        self._ghost: tuple[Link, asyncio.Task[None]] | None = None
        self._up_at: float | None = None
        self._down_at: float | None = None
        self._down_reason = ""
        self._boot_due = 0.0
        self._told_boot = False
        self._heartbeat_s = float(self.configuration.number("HeartbeatInterval"))
        self._heard_at = 0.0
        self._next_aligned: float | None = None
        self._call_number = 0
        self._deliveries: set[asyncio.Task[None]] = set()

    # What connectors and commands ask of the station.

    @property
    def volts(self) -> float:
        """Return the present voltage of a phase."""
        return self._truth.volts

    @property
    def accepted(self) -> bool:
        """Return whether the central system accepted this charge point since its last restart."""
        return self.registration is Registration.ACCEPTED

    @property
    def powered(self) -> bool:
        """Return whether it runs: it has power and has started up."""
        return self._powered.is_set()

    @property
    def may_begin(self) -> bool:
        """Return whether transactions may begin: accepted, or out of reach and allowed to go on alone."""
        if self.accepted or self.misbehaviour.never_boots:
            return True
        return not self.connected.is_set() and self.configuration.flag("AllowOfflineTxForUnknownId")

    @property
    def stored_messages(self) -> int:
        """Return how many messages of transactions wait to be sent."""
        return self._outbox.stored

    def utc(self) -> float:
        """Return what its clock shows."""
        return self._clock.utc()

    def text(self, utc: float) -> str:
        """Return a time as OCPP writes it."""
        return utc_text(utc)

    def stacks(self, number: int) -> Stacks:
        """Return the profiles that concern a connector, or the station as a whole for 0."""
        if number == WHOLE_STATION:
            return self.profiles.station_only()
        transaction = self.connectors[number].transaction
        began = None if transaction is None else transaction.began_utc
        return self.profiles.stacks(number, transaction_began=began)

    def wiring(self, number: int) -> Wiring:
        """Return the hardware behind a connector, or of the station as a whole for 0."""
        if number == WHOLE_STATION:
            most = sum(connector.spec.maximum_a for connector in self.connectors.values())
            return Wiring(maximum_a=most, phases=max(one.spec.phases for one in self.connectors.values()))
        outlet = self.connectors[number].outlet
        phases = outlet.phases
        if self.spec.watts_by is WattsBy.IN_USE and outlet.car is not None:
            phases = min(phases, outlet.car.spec.phases)
        return Wiring(maximum_a=self.connectors[number].spec.maximum_a, phases=phases)

    def allowed_a(self, connector: Connector) -> float:
        """Return what the charging profiles allow a connector now."""
        wiring = self.wiring(connector.number)
        if self.misbehaviour.ignores_limits:
            return wiring.maximum_a
        moment, prevails = self.utc(), self.misbehaviour.expired_prevails
        stacks = self.stacks(connector.number)
        own = limit_at(replace(stacks, station=()), moment, wiring, expired_prevails=prevails)
        if not stacks.station:
            return own
        whole = limit_at(self.profiles.station_only(), moment, replace(wiring, maximum_a=inf))
        return min(own, whole / self._sharers())

    def _sharers(self) -> int:
        if self.spec.station_maximum is StationMaximum.EACH:
            return 1
        return max(1, sum(connector.transaction is not None for connector in self.connectors.values()))

    # What it says.

    def say(self, action: str, payload: Payload) -> None:
        """Queue a message that is forgotten when the connection ends."""
        self._put(Message(action=action, payload=lambda: payload))

    def say_boot(self) -> None:
        """Queue a BootNotification."""
        self._boot_due = self._sim_clock.now()
        self._told_boot = False
        self._work.set()

    def say_heartbeat(self) -> None:
        """Queue a Heartbeat."""
        self._put(Message(action="Heartbeat", payload=dict, answered=self._take_time))

    def say_status(self, connector: Connector) -> None:
        """Queue the status of a connector."""
        connector.reported = connector.status
        self.say("StatusNotification", self._status(connector.number, str(connector.status), connector.fault))

    def status_changed(self, connector: Connector) -> None:
        """Say the status of a connector, if anybody listens; otherwise it is said when somebody does."""
        if self._link is not None and (self.accepted or self.misbehaviour.never_boots):
            self.say_status(connector)

    def authorise(self, connector: Connector, tag: str) -> None:
        """Ask the central system whether a tag may charge; out of reach the charge point decides alone."""
        if self._link is None:
            accepted = self.configuration.flag("LocalAuthorizeOffline")
            connector.tag_answered(tag, accepted=accepted, now=self._sim_clock.now())
            return

        def answered(payload: Payload) -> None:
            connector.tag_answered(tag, accepted=_tag_accepted(payload), now=self._sim_clock.now())

        def given_up() -> None:
            connector.tag_answered(tag, accepted=False, now=self._sim_clock.now())

        self._put(Message(action="Authorize", payload=lambda: {"idTag": tag}, answered=answered, given_up=given_up))

    def start_remotely(self, connector: Connector, tag: str) -> None:
        """Begin a transaction that the central system asked for."""
        now = self._sim_clock.now()
        if not self.configuration.flag("AuthorizeRemoteTxRequests"):
            connector.start_remotely(tag, now)
            return
        self._put(
            Message(
                action="Authorize",
                payload=lambda: {"idTag": tag},
                answered=lambda payload: (
                    connector.start_remotely(tag, self._sim_clock.now()) if _tag_accepted(payload) else None
                ),
            )
        )

    def say_started(self, connector: Connector, transaction: Transaction) -> None:
        """Queue StartTransaction."""
        payload = {
            "connectorId": connector.number,
            "idTag": transaction.tag,
            "meterStart": connector.register(transaction),
            "timestamp": utc_text(transaction.began_utc),
        }

        def answered(answer: Payload) -> None:
            transaction_id = answer.get("transactionId", NO_TRANSACTION)
            connector.start_answered(transaction, transaction_id, accepted=_tag_accepted(answer))

        self._put(Message(action="StartTransaction", payload=lambda: payload, of_transaction=True, answered=answered))

    def say_stopped(self, connector: Connector, transaction: Transaction, reason: str, samples: list[Payload]) -> None:
        """Queue StopTransaction, and forget the transaction's profiles."""
        self.profiles.end_transaction(connector.number)
        payload = {
            "meterStop": connector.register(transaction),
            "timestamp": self._clock.text(),
            "reason": reason,
            "idTag": transaction.tag,
        }
        if samples:
            payload["transactionData"] = samples
        self._put(
            Message(
                action="StopTransaction",
                payload=lambda: {**payload, "transactionId": _id_of(transaction)},
                of_transaction=True,
            )
        )

    def say_values(self, connector: Connector, transaction: Transaction | None, values: Payload) -> None:
        """Queue MeterValues; those of a transaction outlive an outage."""

        def payload() -> Payload:
            stated: dict[str, object] = {"connectorId": connector.number, "meterValue": [values]}
            if transaction is not None and transaction.transaction_id is not None:
                stated["transactionId"] = transaction.transaction_id
            return stated

        self._put(Message(action="MeterValues", payload=payload, of_transaction=transaction is not None))

    def beat_every(self, seconds: float) -> None:
        """Set the heartbeat interval; 0: no heartbeats."""
        self._heartbeat_s = seconds

    # Time, power and faults.

    def tick(self, now: float) -> None:
        """Move on to a virtual moment."""
        if self._down_at is not None and now >= self._down_at:
            self._down_at = None
            self._go_down(now, self._down_reason, silent=False)
            self._up_at = now + self.spec.boot_s
        if self._up_at is not None and now >= self._up_at:
            self._up_at = None
            self._powered.set()
        if not self.powered:
            return
        for connector in self.connectors.values():
            connector.tick(now)
        self._tick_messages(now)

    def power_up(self, now: float, *, after_s: float | None = None) -> None:
        """Give it power; it has started up after its boot time or the one given."""
        if not self.powered and self._up_at is None:
            self._up_at = now + (self.spec.boot_s if after_s is None else after_s)

    def cut_power(self, now: float) -> None:
        """Take the power away: not a word to anybody, and the contactors fall."""
        self._down_at = self._up_at = None
        self._go_down(now, "PowerLoss", silent=True)

    def restart_in(self, seconds: float, reason: str) -> None:
        """Restart soon; `reason` is what its transactions are stopped with."""
        if reason == "SoftReset":
            self._end_transactions(reason)
        self._down_reason = reason
        self._down_at = self._sim_clock.now() + seconds

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
        self.misbehaviour.half_open = half_open
        if self._link is None:
            return
        if half_open:
            self._link.deaf = True
        else:
            self._link.abort()

    def _go_down(self, now: float, reason: str, *, silent: bool) -> None:
        if not self.powered:
            return
        self._powered.clear()
        resumes = self.spec.after_power_cut is AfterPowerCut.RESUMES and reason == "PowerLoss"
        if not resumes:
            self._end_transactions(reason)
        for connector in self.connectors.values():
            connector.outlet.cut_off(now)
            connector.lose_power()
        self.profiles.lose_power(defaults_survive=self.spec.defaults_survive_power)
        self.registration = Registration.NONE
        self._told_boot = False
        self._call_number = 0
        if silent:
            if self._link is not None:
                self._link.deaf = True
            self._cut.set()
        elif self._link is not None:
            self._link.abort()

    def _end_transactions(self, reason: str) -> None:
        for connector in self.connectors.values():
            connector.end(reason)

    def _tick_messages(self, now: float) -> None:
        if self._link is None:
            return
        if self.accepted and self._heartbeat_s > 0.0 and now - self._heard_at >= self._heartbeat_s:
            self._heard_at = now
            self.say_heartbeat()
        self._tick_aligned(now)
        retry_at = self._outbox.retry_at()
        boot_due = not self._told_boot and now >= self._boot_due
        if boot_due or (retry_at is not None and now >= retry_at):
            self._work.set()

    def _tick_aligned(self, now: float) -> None:
        interval = self.configuration.number("ClockAlignedDataInterval")
        if interval == 0 or not self.accepted:
            self._next_aligned = None
            return
        if self._next_aligned is None:
            self._next_aligned = now + interval - self.utc() % interval
        if now < self._next_aligned:
            return
        self._next_aligned += interval
        names = self.configuration.names("MeterValuesAlignedData")
        for connector in self.connectors.values():
            self.say_values(connector, connector.transaction, connector.values(names, "Sample.Clock"))

    # The connection.

    async def run(self, url: str) -> None:
        """Dial, converse and redial until cancelled."""
        attempts = 0
        try:
            while True:
                await self._powered.wait()
                self._cut.clear()
                await self._reachable.wait()
                if not self.powered:
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
            for task in (*self._deliveries, *([self._ghost[1]] if self._ghost else [])):
                task.cancel()

    async def stop(self) -> None:
        """End what is left of connections."""
        if self._link is not None:
            await self._link.close()
        if self._ghost is not None:
            self._ghost[0].abort()

    def _back_off(self, attempts: int) -> float:
        shortest, longest = BACK_OFF_S
        return min(longest, shortest * 2.0 ** min(attempts, 10)) * self._dice.uniform(0.8, 1.2)

    async def _dial(self, url: str) -> Link:
        key = self.configuration.key
        headers = {}
        if key:
            password = unhexlify(key) if self.spec.key_is_hex else key.encode()
            headers["Authorization"] = _basic(self.spec.identity.encode(), password)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            websocket = await self._session.ws_connect(
                f"{url.rstrip('/')}/{quote(self.spec.identity, safe='')}",
                protocols=() if self.misbehaviour.no_subprotocol else (SUBPROTOCOL,),
                headers=headers,
                autoping=False,
                autoclose=False,
            )
        self.tally["connections"] += 1
        return Link(
            websocket,
            answer=self._answer,
            delay=lambda: self.misbehaviour.answers_late_s / self._sim_clock.factor,
            tally=self.tally,
            timeout_s=CALL_TIMEOUT_S,
        )

    async def _converse(self, link: Link) -> None:
        """Say what waits and answer what is asked, until the connection ends or the power does."""
        self._bury_ghost()
        self._link = link
        link.deaf = self.misbehaviour.half_open
        self._greet()
        self.connected.set()
        reader = asyncio.create_task(link.serve())
        speaker = asyncio.create_task(self._speak(link))
        cut = asyncio.create_task(self._cut.wait())
        kept = False
        try:
            await asyncio.wait((reader, speaker, cut), return_when=asyncio.FIRST_COMPLETED)
            kept = self._cut.is_set() and not reader.done()
        finally:
            self.connected.clear()
            self._link = None
            self._outbox.connection_ended()
            for task in (speaker, cut, *self._deliveries):
                task.cancel()
            if kept:
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

    def _greet(self) -> None:
        now = self._sim_clock.now()
        self._heard_at = now
        if self.misbehaviour.never_boots:
            self._told_boot = True
            self._tell_all()
            return
        if not self.accepted or self.spec.boots_on_reconnect:
            self.say_boot()
        if self.misbehaviour.calls_at_once:
            self._tell_all()
        elif self.accepted:
            for connector in self.connectors.values():
                if connector.status is not connector.reported:
                    self.say_status(connector)

    def _tell_all(self) -> None:
        """Queue the status of the station and of every connector."""
        self.say("StatusNotification", self._status(WHOLE_STATION, "Available", None))
        for connector in self.connectors.values():
            connector.reported = connector.status
            self.say("StatusNotification", self._status(connector.number, str(connector.status), connector.fault))

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
            if not self.misbehaviour.calls_at_once:
                await asyncio.wait((delivery,))

    def _next_message(self) -> Message | None:
        now = self._sim_clock.now()
        if not self._told_boot and now >= self._boot_due:
            self._told_boot = True
            return Message(
                action="BootNotification",
                payload=self._boot,
                answered=self._registered,
                given_up=lambda: self._boot_again(BOOT_RETRY_S),
            )
        return self._outbox.next(now, registered=self.accepted or self.misbehaviour.never_boots)

    async def _deliver(self, link: Link, message: Message) -> None:
        message.message_id = message.message_id or self._new_id()
        payload = message.payload()
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
        if message.of_transaction and self.misbehaviour.resends is not None:
            await self._resend(link, message, payload, answer)

    async def _resend(self, link: Link, message: Message, payload: Payload, answer: Payload) -> None:
        again = message.message_id
        if again is None or self.misbehaviour.resends is Resending.NEW_ID:
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
        if message.of_transaction and message.attempts < self.configuration.number("TransactionMessageAttempts"):
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
        pause = self.configuration.number("TransactionMessageRetryInterval") * max(1, message.attempts)
        message.not_before = self._sim_clock.now() + pause
        message.in_flight = False

    def _give_up(self, message: Message) -> None:
        self._outbox.remove(message)
        self.tally[f"gave up {message.action}"] += 1
        if message.given_up is not None:
            message.given_up()

    def _put(self, message: Message) -> None:
        if message.of_transaction or self._link is not None:
            self._outbox.put(message)
            self._work.set()

    def _new_id(self) -> str:
        if self.spec.message_ids is MessageIds.RANDOM:
            return str(uuid4())
        self._call_number += 1
        return str(self._call_number)

    def _answer(self, action: str, payload: Payload) -> Reply:
        return commands.answer(self, action, payload)

    # Registration.

    def _boot(self) -> Payload:
        return {
            "chargePointVendor": self.spec.vendor[:20],
            "chargePointModel": self.spec.model[:20],
            "chargePointSerialNumber": self.spec.serial_number,
            "firmwareVersion": self.spec.firmware[:50],
        }

    def _registered(self, answer: Payload) -> None:
        try:
            self.registration = Registration(answer.get("status", ""))
        except ValueError:
            self.registration = Registration.REJECTED
        interval = answer.get("interval", 0)
        self._take_time(answer)
        if self.accepted:
            self.tally["boots"] += 1
            self._heartbeat_s = float(interval) if interval else self._heartbeat_s
            self._heard_at = self._sim_clock.now()
            self._tell_all()
        else:
            self._boot_again(float(interval) if interval else BOOT_RETRY_S)

    def _boot_again(self, pause: float) -> None:
        self._boot_due = self._sim_clock.now() + pause
        self._told_boot = False

    def _take_time(self, answer: Payload) -> None:
        told = answer.get("currentTime")
        if not self.spec.takes_time or not isinstance(told, str):
            return
        try:
            self._clock.set(utc_of(told))
        except ValueError:
            self.tally["unreadable times"] += 1

    def _status(self, number: int, status: str, fault: str | None) -> Payload:
        return {
            "connectorId": number,
            "status": status,
            "errorCode": fault or "NoError",
            "timestamp": self._clock.text(),
        }


def _basic(user: bytes, password: bytes) -> str:
    return "Basic " + b64encode(user + b":" + password).decode()


def _tag_accepted(payload: Payload) -> bool:
    info = payload.get("idTagInfo")
    return isinstance(info, dict) and info.get("status") == "Accepted"


def _id_of(transaction: Transaction) -> int:
    return NO_TRANSACTION if transaction.transaction_id is None else transaction.transaction_id
