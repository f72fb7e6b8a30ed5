"""Charge points as they truly are, without a wire: a permanent fallback, limits of transactions by their own clock.

A `Post` answers the site as the charger over OCPP does: one call at a time, a newer order overtakes a queued one, 10 s
without an answer is offline, an order for a connector without transaction needs no word while it allows the fallback.
What it truly holds is kept apart from what an obedient one would hold, so that disobedience can be judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING

from custom_components.charge_cluster.chargers import (
    Booted,
    ChargerEvent,
    ChargerOffline,
    ConnectorStatus,
    DeviceIdentity,
    DrawSample,
    LimitOrder,
    LimitOutcome,
    ReportEvent,
    TransactionStarted,
    TransactionStopped,
    WentOffline,
    WentOnline,
)
from custom_components.charge_cluster.engine.model import VehicleState
from custom_components.charge_cluster.ocpp.protocols import UNPLUGGED

from .stores import OBEYED_WITHIN_S, Held, Promise, Socket

if TYPE_CHECKING:
    from .world import World

POWER_LOSS = "PowerLoss"
"""The reason of a transaction that a power cut ended."""
ANSWER_TIMEOUT_S = 10.0
QUESTION_TIMEOUT_S = 2.0
MISSED_OFTEN = 3
"""Who left so many questions unanswered is not asked any more."""
START_LIMIT_S = 900.0

MEASURES_ON_DEMAND = 0.6
"""So many of all posts do."""

SWITCH_PHASES = 0.7
"""So many of all posts that are said to switch phases do."""

RENEWED_WITHIN_S = 15.0
"""Limits are sent again after a third of their validity (10 s), if they can be."""


class Mood(StrEnum):
    """How a post takes orders."""

    OBEYS = "obeys"
    REFUSES = "refuses"
    IGNORES = "ignores"
    """Accepts and goes on as before, until what it holds runs out."""
    WILD = "wild"
    """Accepts and offers all that it can."""
    LOSES_ORDERS = "loses_orders"
    LOSES_ANSWERS = "loses_answers"


class Link(StrEnum):
    """The way between us and a post."""

    UP = "up"
    HALF_OPEN = "half_open"
    """Nothing of ours arrives, and nothing of its; nobody has noticed."""
    DEAF = "deaf"
    """Nothing of ours arrives, but what it reports does."""
    DOWN = "down"


class Post:
    """A charge point; see `chargers.Charger`."""

    def __init__(self, world: World, identity: str, sockets: list[Socket], chance: Random) -> None:
        self.world = world
        self.name = identity
        self.identity = DeviceIdentity(vendor="Simulated", model="Post")
        self.sockets = {socket.number: socket for socket in sockets}
        self.chance = chance
        self.online = False
        self.link = Link.DOWN
        self.powered = True
        self.mood = Mood.OBEYS
        self.forgets_fallback = False
        self.late_s = 0.0
        """So much later than usual orders arrive and answers come."""
        self.wire_s = chance.choice((0.01, 0.05, 0.3, 1.0))
        self.apply_s = chance.choice((0.0, 0.0, 0.5, 1.0))
        self.raise_after_s = chance.choice((0.0, 0.0, 0.0, 5.0, 30.0))
        """A random delay of its own before it offers more (as some rules ask for)."""
        self.sample_every_s = chance.choice((1.0, 5.0, 10.0, 10.0, 30.0))
        self.clock_error_s = chance.choice((0.0, 0.0, -1.0, -0.5))
        self.can_measure_on_demand = Random(f"{world.plan.seed} {identity}").random() < MEASURES_ON_DEMAND
        self.switches_phases = Random(f"phases {world.plan.seed} {identity}").random() < SWITCH_PHASES
        self._missed = 0
        self.offset_s = 0.0
        """Its clock against ours."""
        self.offset_known_s = 0.0
        self.trouble_until = float("-inf")
        self.listeners: list[ReportEvent] = []
        self.queued: list[ChargerEvent] = []
        self._busy = asyncio.Lock()
        self._waiting: dict[asyncio.Future[LimitOutcome], None] = {}
        """In the order in which they were asked: a set would differ from run to run."""
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._serial = 0
        self._arrives_at = 0.0
        self._next_sample = 0.0

    # -- what the site sees -------------------------------------------------------------------------------------------

    def listen(self, report: ReportEvent) -> Callable[[], None]:
        self.listeners.append(report)
        report(WentOnline() if self.online else WentOffline())
        if self.online:
            for socket in self.sockets.values():
                report(self._status(socket))
                if socket.known is not None:
                    report(self._started(socket, socket.known, resumed=True))
        return lambda: self.listeners.remove(report) if report in self.listeners else None

    async def apply_limit(self, connector: int, order: LimitOrder) -> LimitOutcome:
        if not self.online:
            raise ChargerOffline
        socket = self.sockets[connector]
        before = socket.known
        socket.asking += 1
        try:
            outcome = await self._hold(socket, order)
            if outcome is LimitOutcome.ACCEPTED and before is None and socket.known is not None:
                outcome = await self._hold(socket, order)
        finally:
            socket.asking -= 1
        if outcome is LimitOutcome.ACCEPTED:
            socket.promise = Promise(order=order, until=self._now() + order.validity_s)
        elif outcome is not LimitOutcome.NOT_SENT:
            socket.promise = None
        return outcome

    async def provision_fallback(self, connector: int, fallback_a: float) -> LimitOutcome:
        if not self.online:
            raise ChargerOffline
        socket = self.sockets[connector]
        if socket.fallback_known == fallback_a:
            return LimitOutcome.ACCEPTED
        socket.fallback_known = None

        def store() -> None:
            socket.word.fallback_a = fallback_a
            if self.mood not in (Mood.IGNORES, Mood.WILD):
                socket.truth.fallback_a = fallback_a

        outcome = await self._call(store)
        if outcome is LimitOutcome.ACCEPTED:
            socket.fallback_known = fallback_a
        return outcome

    async def start(self, connector: int, id_tag: str) -> None: ...

    async def stop(self, connector: int) -> None: ...

    async def reset(self, *, hard: bool) -> None: ...

    async def unlock(self, connector: int) -> None: ...

    async def set_availability(self, connector: int, *, operative: bool) -> None: ...

    async def refresh(self) -> None: ...

    @property
    def measures_on_demand(self) -> bool:
        return self.can_measure_on_demand and self._missed < MISSED_OFTEN

    async def measure(self, connector: int) -> None:
        """Send a measurement, in turn with everything else that is asked."""
        async with self._busy:
            if not self.online:
                raise ChargerOffline
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[LimitOutcome] = loop.create_future()
            self._waiting[answer] = None
            if self.link is Link.UP and self.mood is not Mood.LOSES_ORDERS:
                loop.call_later(self.wire_s + self.late_s, self._asked, self._serial, self.sockets[connector], answer)
            try:
                async with asyncio.timeout(QUESTION_TIMEOUT_S):
                    await answer
                    self._missed = 0
            except TimeoutError:
                self._missed += 1
                raise ChargerOffline from None
            finally:
                self._waiting.pop(answer, None)

    def _asked(self, serial: int, socket: Socket, answer: asyncio.Future[LimitOutcome]) -> None:
        if serial != self._serial or not self.powered or self.link is not Link.UP:
            return
        if socket.transaction is not None:
            self._report_draw(socket, self._now())
        if self.mood is not Mood.LOSES_ANSWERS:
            asyncio.get_running_loop().call_later(
                self.wire_s + self.late_s, self._answered, serial, answer, LimitOutcome.ACCEPTED
            )

    async def close(self) -> None:
        self.listeners.clear()

    # -- orders -------------------------------------------------------------------------------------------------------

    async def _hold(self, socket: Socket, order: LimitOrder) -> LimitOutcome:
        socket.newest = order
        if socket.known is not None:
            return await self._limit_transaction(socket, order, socket.known)
        fallback = socket.fallback_known
        if fallback is not None and fallback <= order.amps:
            return LimitOutcome.ACCEPTED
        held = socket.start_known
        now = self._now()
        if held is not None and held[0] <= order.amps and held[1] - now > order.validity_s:
            return LimitOutcome.ACCEPTED
        amps = min(order.amps, order.fallback_a if fallback is None else fallback)
        offset = self.offset_known_s

        def write() -> None:
            socket.word.start_limit = (amps, now + START_LIMIT_S)
            if self.mood not in (Mood.IGNORES, Mood.WILD):
                socket.truth.start_limit = (amps, now + offset + START_LIMIT_S)

        outcome = await self._call(write, socket, order)
        if outcome is LimitOutcome.ACCEPTED:
            socket.start_known = (amps, now + START_LIMIT_S / 2)
        elif outcome is LimitOutcome.UNKNOWN:
            socket.start_known = None
        return outcome

    async def _limit_transaction(self, socket: Socket, order: LimitOrder, transaction: int) -> LimitOutcome:
        def take() -> bool:
            if socket.transaction != transaction:
                return False
            start = sent_at + self.offset_known_s
            until = start + order.validity_s
            held = Held(amps=order.amps, start=start, until=until, then_a=order.fallback_a, phases=order.phases)
            socket.word.limit = replace(held, start=sent_at, until=sent_at + order.validity_s)
            if self.mood not in (Mood.IGNORES, Mood.WILD):
                now = self._now()
                present = socket.truth.offer(now + self.offset_s)
                delay = self.raise_after_s if held.amps > present + 0.01 else self.apply_s
                socket.changes[:] = [*(change for change in socket.changes if change[0] <= now), (now + delay, held)]
            return True

        sent_at = self._now()
        return await self._call(take, socket, order)

    async def _call(
        self, effect: Callable[[], bool | None], socket: Socket | None = None, order: LimitOrder | None = None
    ) -> LimitOutcome:
        async with self._busy:
            if not self.online or (socket is not None and socket.newest is not order):
                return LimitOutcome.NOT_SENT
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[LimitOutcome] = loop.create_future()
            self._waiting[answer] = None
            self.world.orders += 1
            if self.link is Link.UP and self.mood is not Mood.LOSES_ORDERS:
                self._arrives_at = max(self._arrives_at, self._now() + self.wire_s + self.late_s)
                loop.call_at(self._arrives_at, self._arrive, self._serial, effect, answer)
            else:
                self.troubled()
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    return await answer
            except TimeoutError:
                self.troubled()
                if self.online:
                    self.online = False
                    self._tell(WentOffline())
                return LimitOutcome.UNKNOWN
            finally:
                self._waiting.pop(answer, None)

    def _arrive(self, serial: int, effect: Callable[[], bool | None], answer: asyncio.Future[LimitOutcome]) -> None:
        if serial != self._serial or not self.powered or self.link is not Link.UP:
            self.troubled()
            return
        if self.mood is Mood.REFUSES:
            self.troubled()
            outcome = LimitOutcome.REFUSED
        else:
            outcome = LimitOutcome.REFUSED if effect() is False else LimitOutcome.ACCEPTED
        if self.mood is Mood.LOSES_ANSWERS:
            self.troubled()
            return
        asyncio.get_running_loop().call_later(self.wire_s + self.late_s, self._answered, serial, answer, outcome)

    def _answered(self, serial: int, answer: asyncio.Future[LimitOutcome], outcome: LimitOutcome) -> None:
        if serial != self._serial or self.link is not Link.UP:
            return
        self._come_online()
        if not answer.done():
            answer.set_result(outcome)

    # -- what it reports ----------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self.world.loop.time()

    def _tell(self, event: ChargerEvent) -> None:
        for listener in list(self.listeners):
            listener(event)

    def _report(self, event: ChargerEvent) -> None:
        """Report over the wire, if there is one; what must not be lost is queued."""
        if self.powered and self.link in (Link.UP, Link.DEAF):
            self.world.loop.call_later(self.wire_s, self._deliver, self._serial, event)
        elif isinstance(event, TransactionStarted | TransactionStopped):
            self.queued.append(event)

    def _heartbeat(self, serial: int) -> None:
        if serial == self._serial:
            self.offset_known_s = self.offset_s
            self._come_online()

    def _deliver(self, serial: int, event: ChargerEvent) -> None:
        if serial != self._serial:
            if isinstance(event, TransactionStarted | TransactionStopped):
                self.queued.append(event)
            return
        self.offset_known_s = self.offset_s
        self._come_online()
        if isinstance(event, TransactionStarted):
            socket, number = self.sockets[event.connector], int(event.transaction_id)
            if number == socket.stored:
                # It was told before: a start that is sent again is recorded once.
                return
            socket.known = socket.stored = number if socket.transaction == number else None
            self._tell(event)
            if socket.known is not None:
                self._keep_promise(socket)
            return
        if isinstance(event, TransactionStopped):
            self.sockets[event.connector].known = None
            self.sockets[event.connector].promise = None
        self._tell(event)

    def _keep_promise(self, socket: Socket) -> None:
        promise = socket.promise
        if promise is not None and promise.until - self._now() > 1.0 and not socket.asking:
            order = LimitOrder(
                amps=promise.order.amps,
                fallback_a=promise.order.fallback_a,
                validity_s=promise.until - self._now(),
            )
            task = self.world.loop.create_task(self._keep(socket, order))
            self._tasks[task] = None
            task.add_done_callback(self._tasks.pop)

    async def _keep(self, socket: Socket, order: LimitOrder) -> None:
        await self._hold(socket, order)

    def _come_online(self) -> None:
        if not self.online:
            self.online = True
            self._tell(WentOnline())

    def _status(self, socket: Socket) -> ConnectorStatus:
        car = socket.outlet.car
        vehicle = VehicleState.ABSENT if car is None else VehicleState.SATED if car.sated else VehicleState.WANTS
        return ConnectorStatus(connector=socket.number, vehicle=vehicle, status=vehicle.value)

    def _started(self, socket: Socket, transaction: int, *, resumed: bool) -> TransactionStarted:
        return TransactionStarted(
            connector=socket.number,
            transaction_id=str(transaction),
            id_tag=None,
            meter_start_wh=socket.began_wh,
            started_at=socket.began_at,
            resumed=resumed,
        )

    def sample(self, now: float) -> None:
        """Report what is drawn, where a transaction runs."""
        if now < self._next_sample:
            return
        self._next_sample = now + self.sample_every_s
        if not self.powered:
            return
        if self.link in (Link.UP, Link.DEAF):
            self.world.loop.call_later(self.wire_s, self._heartbeat, self._serial)
        for socket in self.sockets.values():
            if socket.transaction is None:
                continue
            self._report_draw(socket, now)

    def _report_draw(self, socket: Socket, now: float) -> None:
        drawn, register = socket.outlet.drawn, socket.outlet.register_wh
        self._report(
            DrawSample(
                connector=socket.number,
                amps=(drawn[0], drawn[1], drawn[2]),
                measured_at=now + self.clock_error_s,
                power_w=sum(drawn) * 230.0,
                energy_wh=register,
                register_wh=register,
            )
        )

    # -- what happens to it -------------------------------------------------------------------------------------------

    def troubled(self) -> None:
        """Note that an order was not carried out."""
        self.trouble_until = self._now() + 25.0

    def uncontrolled(self, now: float) -> bool:
        """Return whether orders may not have reached it lately."""
        return self.link is not Link.UP or self.mood is not Mood.OBEYS or now < self.trouble_until

    def plugged(self, socket: Socket, starts_after_s: float) -> None:
        """A car was plugged in."""
        if self.powered:
            self._report(self._status(socket))
        self.world.loop.call_later(starts_after_s, self._begin, socket, socket.outlet.car)

    def _begin(self, socket: Socket, car: object) -> None:
        if not self.powered or car is None or socket.outlet.car is not car or socket.transaction is not None:
            return
        self.world.transactions += 1
        socket.transaction = self.world.transactions
        socket.began_wh = socket.outlet.register_wh
        socket.began_at = self.world.clock.time()
        socket.truth.limit = socket.word.limit = None
        socket.changes.clear()
        self._report(self._started(socket, socket.transaction, resumed=False))

    def unplugged(self, socket: Socket) -> None:
        """The car left."""
        self._end(socket, UNPLUGGED)
        if self.powered:
            self._report(self._status(socket))

    def _end(self, socket: Socket, reason: str) -> None:
        if socket.transaction is None:
            return
        ended, socket.transaction = socket.transaction, None
        socket.truth.limit = socket.word.limit = None
        socket.changes.clear()
        self._report(
            TransactionStopped(
                connector=socket.number,
                transaction_id=str(ended),
                meter_start_wh=socket.began_wh,
                meter_stop_wh=socket.outlet.register_wh,
                stopped_at=self.world.clock.time(),
                reason=reason,
                vehicle_left=reason == UNPLUGGED,
            )
        )

    def break_link(self, link: Link) -> None:
        """Cut the connection; where we notice, it is told."""
        self.link = link
        self.troubled()
        if link is Link.DOWN:
            self._serial += 1
            for answer in list(self._waiting):
                if not answer.done():
                    answer.set_result(LimitOutcome.UNKNOWN)
            if self.online:
                self.online = False
                self._tell(WentOffline())

    def connect(self, *, booted: bool = False) -> None:
        """Dial in (again)."""
        if not self.powered or not self.world.host_up:
            return
        self.troubled()
        if self.link is not Link.UP and self.online:
            # A new connection takes the place of one that nobody knew to be dead.
            self.break_link(Link.DOWN)
        self.link = Link.UP
        self._missed = 0
        self._serial += 1
        for answer in list(self._waiting):
            if not answer.done():
                answer.set_result(LimitOutcome.UNKNOWN)
        self.offset_known_s = self.offset_s
        self._come_online()
        if booted:
            self._tell_boot()
        for socket in self.sockets.values():
            self._tell(self._status(socket))
        waiting, self.queued = self.queued, []
        for event in waiting:
            self._deliver(self._serial, event)
        for socket in self.sockets.values():
            if socket.transaction is not None and socket.known != socket.transaction:
                socket.known = socket.stored = socket.transaction
                self._tell(self._started(socket, socket.transaction, resumed=True))

    def _tell_boot(self) -> None:
        for socket in self.sockets.values():
            socket.fallback_known = socket.start_known = socket.promise = None
        self._tell(Booted(identity=self.identity))

    def host_died(self) -> None:
        """All that we knew is gone, and so is the connection."""
        self.listeners.clear()
        self._serial += 1
        self.link = Link.DOWN
        self.online = False
        self.troubled()
        for task in self._tasks:
            task.cancel()
        for answer in list(self._waiting):
            answer.cancel()
        self._busy = asyncio.Lock()
        for socket in self.sockets.values():
            socket.fallback_known = socket.start_known = socket.promise = None
            socket.known = None
            socket.asking = 0

    def lose_power(self) -> None:
        """Everything at it goes dark."""
        if not self.powered:
            return
        self.powered = False
        self._serial += 1
        if self.link is not Link.DOWN:
            self.link = Link.HALF_OPEN
        self.troubled()
        for socket in self.sockets.values():
            socket.changes.clear()
            socket.truth.limit = socket.word.limit = None
            socket.outlet.cut_off(self.world.truth.now)
            if self.forgets_fallback:
                socket.truth.fallback_a = socket.outlet.spec.maximum_a
                socket.truth.start_limit = None

    def power_returns(self, *, resumes: bool) -> None:
        """Boot: what was for the transaction is gone, what is stored is there."""
        if self.powered:
            return
        self.powered = True
        for socket in self.sockets.values():
            if not resumes or socket.outlet.car is None:
                car = socket.outlet.car
                self._end(socket, UNPLUGGED if car is None else POWER_LOSS)
                if car is not None:
                    self.plugged(socket, 1.0)

    def offer(self, now: float) -> None:
        """Set the pilot signals."""
        clock = now + self.offset_s
        for socket in self.sockets.values():
            outlet = socket.outlet
            if not self.powered:
                outlet.cut_off(self.world.truth.now)
                socket.entitled.clear()
                continue
            while socket.changes and socket.changes[0][0] <= now:
                socket.truth.limit = socket.changes.pop(0)[1]
            runs = socket.transaction is not None
            offered = socket.truth.offer(clock) if runs else 0.0
            if not runs or socket.truth.governed(clock):
                socket.by_itself_since = None
            else:
                if socket.by_itself_since is None or self.uncontrolled(now) or offered > outlet.offered_a:
                    socket.by_itself_since = now
                if now - socket.by_itself_since <= RENEWED_WITHIN_S:
                    socket.fallen_until = now + OBEYED_WITHIN_S
            if runs and self.mood is Mood.WILD:
                offered = outlet.spec.maximum_a
            asked = socket.truth.phases(clock) if runs and self.switches_phases else None
            if not (outlet.switch_to(outlet.phases if asked is None else asked) or any(outlet.drawn)):
                # Contactors are switched once the car has let go of the signal.
                offered = 0.0
            if outlet.car is not None or outlet.offered_a:
                outlet.offer(offered, self.world.truth.now)
            socket.entitle(max(socket.word.offer(now), socket.word.fallback_a) if runs else 0.0, now)
