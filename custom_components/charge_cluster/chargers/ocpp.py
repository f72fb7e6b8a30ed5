"""A charge point over OCPP, as the site means a charger.

It turns what a conversation reports into the site's events and the site's orders into wishes. Three things are decided
here. What a status word says about the *vehicle*: current that flows outweighs any word, and a vehicle that takes
nothing while it is offered nothing has not said no. And that a limit which was promised while no transaction ran is
sent as soon as one starts. Where 0 A ended a transaction its vehicle still wants, and it is started again for the same
driver when it is offered current.

A connector that is not configured is nobody's, see `chargers.strangers`.

What the outcome of `apply_limit` means: ACCEPTED is returned only when what the charger holds makes it true that the
connector will draw no more than the order. For a running transaction that is its own profile, taken by the charger. A
connector without transaction draws nothing and would start at the permanent fallback: an order of at least the
fallback is ACCEPTED without a word on the wire, one below it only when the charger took a default profile that holds it
there. NOT_SENT says that nothing went out and all is as before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from ..engine.model import VehicleState
from ..ocpp.conversation import (
    ChargingNeeds,
    ConnectorShown,
    Conversation,
    DeviceFacts,
    LimitAnsweredLate,
    LimitFromOutside,
    LimitWish,
    Measured,
    NoAnswer,
    Noticed,
    NotReachable,
    Outcome,
    PriorityAsked,
    Progressed,
    Reachable,
    Rebooted,
    Refused,
    Report,
    StationMeasured,
    StatusReported,
    Terminals,
    TransactionClosed,
    TransactionOpened,
    Unreachable,
)
from ..ocpp.experience import ABLE, UNABLE, Topic
from ..ocpp.listeners import enlist
from ..ocpp.operations import Operations
from ..ocpp.quirks import Quirk as MakeQuirk
from . import (
    Acquaintance,
    Booted,
    ChargeNowAsked,
    ChargerEvent,
    ChargerOffline,
    ChargerSilent,
    ConnectorStatus,
    DeviceIdentity,
    LimitForm,
    LimitOrder,
    LimitOutcome,
    OperationRefused,
    Quirk,
    QuirkShown,
    ReportEvent,
    StationReading,
    WentOffline,
    WentOnline,
    ocpp_events as said,
)
from .ocpp_connector import CHARGING, EMPTY, PREPARING, WANTING, ConnectorMemory
from .strangers import Strangers
from .zero import ZeroWatch

_LOGGER = logging.getLogger(__name__)

START_AFTER_S = 5.0
"""A vehicle that stays in Preparing for so long is not going to start by itself."""
START_AGAIN_AFTER_S = 45.0
START_ATTEMPTS = 2

_OUTCOMES = {
    Outcome.ACCEPTED: LimitOutcome.ACCEPTED,
    Outcome.REFUSED: LimitOutcome.REFUSED,
    Outcome.UNKNOWN: LimitOutcome.UNKNOWN,
    Outcome.NOT_SENT: LimitOutcome.NOT_SENT,
}


class OcppCharger:
    """A charge point over OCPP. See `chargers.Charger`."""

    def __init__(
        self,
        conversation: Conversation,
        connectors: Sequence[Terminals],
        *,
        start_tag: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Listen to a conversation.

        Args:
            connectors: those that are configured; others that the charge point tells of are held at 0 A.
            start_tag: idTag under which a vehicle that is plugged in is started from here, for charge points that
                do not start by themselves where everybody may charge. None: nobody is started.
            monotonic: the clock.
        """
        self._conversation = conversation
        self._start_tag = start_tag
        self._monotonic = monotonic
        self._connectors = {terminals.connector: ConnectorMemory(terminals) for terminals in connectors}
        self._strangers = Strangers(conversation, spawn=self._spawn, tell=self._tell, monotonic=monotonic)
        for terminals in connectors:
            conversation.describe(terminals)
        self._listeners: list[ReportEvent] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._end = conversation.listen(self._heard)

    @property
    def online(self) -> bool:
        """Return whether it can be talked to."""
        return self._conversation.online

    @property
    def expiry_error_s(self) -> float:
        """Return how much sooner or later than its validity a limit may run out in the charger."""
        return self._conversation.expiry_error_s

    @property
    def identity(self) -> DeviceIdentity:
        """Return who it says it is."""
        return self._identity(self._conversation.device)

    def _identity(self, device: DeviceFacts) -> DeviceIdentity:
        return DeviceIdentity(
            vendor=device.vendor,
            model=device.model,
            serial=device.serial,
            firmware=device.firmware,
            protocol=f"OCPP {self._conversation.version.value}",
        )

    @property
    def operations(self) -> Operations | None:
        """Return what can be asked of it beyond charging."""
        return self._conversation.operations

    def listen(self, report: ReportEvent) -> Callable[[], None]:
        """Have events reported, the present state at once; return what ends it."""
        for event in self._present_state():
            report(event)
        return enlist(self._listeners, report)

    def reconfigure(self, connectors: Sequence[Terminals], *, start_tag: str | None) -> None:
        """Take over what changed in the configuration; nobody is interrupted."""
        self._start_tag = start_tag
        wanted = {terminals.connector: terminals for terminals in connectors}
        for number in [number for number in self._connectors if number not in wanted]:
            self._connectors.pop(number).cancel_start()
            self._strangers.meet(number)
        for number, terminals in wanted.items():
            self._conversation.describe(terminals)
            self._strangers.accepted(number)
            if number in self._connectors:
                self._connectors[number].terminals = terminals
            else:
                self._connectors[number] = ConnectorMemory(terminals)
                for report in self._conversation.present_state():
                    if getattr(report, "connector", None) == number:
                        self._heard(report)

    # -- orders -------------------------------------------------------------------------------------------------------

    async def apply_limit(self, connector: int, order: LimitOrder) -> LimitOutcome:
        """Make a connector hold a limit; what the outcome means is told at the head of this module."""
        known = self._connectors[connector]
        wish = LimitWish(
            amps=order.amps,
            fallback_a=order.fallback_a,
            validity_s=order.validity_s,
            reworded=order.form is LimitForm.OTHER,
            phases=order.phases,
            afterwards=order.afterwards,
        )
        known.asking += 1
        stood = not known.charges
        try:
            before = self._conversation.running_transaction(connector)
            outcome = await self._conversation.hold_limit(connector, wish)
            if outcome is Outcome.ACCEPTED and before is None and self._starts_anew(connector):
                # It was accepted for the idle connector, and a transaction began meanwhile.
                outcome = await self._conversation.hold_limit(connector, replace(wish, reworded=False))
        finally:
            known.asking -= 1
        if outcome is Outcome.ACCEPTED:
            known.promised(order, self._monotonic())
            if stood and known.charges:
                self._went_on(known)
            if known.transaction is not None and not known.may_be_resumed:
                known.zero.held(order.amps, self._monotonic())
                self._tell_quirks(known)
            elif order.amps >= known.terminals.minimum_a:
                self._resume(known)
        elif outcome is not Outcome.NOT_SENT:
            known.promise = None
            self._tell_quirks(known)
        self._tell_vehicle(known)
        return _OUTCOMES[outcome]

    def _starts_anew(self, connector: int) -> bool:
        return self._conversation.running_transaction(connector) is not None

    async def provision_fallback(self, connector: int, fallback_a: float) -> LimitOutcome:
        """Store the permanent fallback, if the charger does not hold it already."""
        outcome = await self._conversation.store_fallback(connector, fallback_a)
        if connector in self._connectors:
            self._tell_quirks(self._connectors[connector])
        return _OUTCOMES[outcome]

    async def start(self, connector: int, id_tag: str) -> None:
        """Start a transaction from here. Raises ChargerOffline, OperationRefused."""
        await _carried_out(self._conversation.start(connector, id_tag))

    async def stop(self, connector: int) -> None:
        """Stop the running transaction. Raises ChargerOffline, OperationRefused."""
        await _carried_out(self._conversation.stop(connector))

    async def reset(self, *, hard: bool) -> None:
        """Restart the charge point. Raises ChargerOffline, OperationRefused."""
        await _carried_out(self._conversation.reset(hard=hard))

    async def unlock(self, connector: int) -> None:
        """Release the plug. Raises ChargerOffline, OperationRefused."""
        await _carried_out(self._conversation.unlock(connector))

    async def set_availability(self, connector: int, *, operative: bool) -> None:
        """Take a connector (0: all) out of service or back. Raises ChargerOffline, OperationRefused."""
        await _carried_out(self._conversation.set_availability(connector, operative=operative))

    def writes(self, connector: int) -> tuple[int, int]:
        """Return how many profiles were sent for a connector: those for a transaction, and those that last."""
        sent = self._conversation.profile_writes(connector)
        return (sent.passing, sent.lasting)

    @property
    def measures_on_demand(self) -> bool:
        """Return whether it sends a measurement when it is asked for one, as far as is known."""
        return self._conversation.measures_on_demand

    async def measure(self, connector: int) -> None:
        """Ask for a measurement now. Raises ChargerOffline, OperationRefused."""
        await _carried_out(self._conversation.measure(connector))

    @property
    def acquaintance(self) -> Acquaintance:
        """Return how far the charge point is known."""
        topics = {topic.value: (known.stage.value, known.finding) for topic, known in self._conversation.known.items()}
        return Acquaintance(topics=topics, quirks=tuple(sorted(self._conversation.quirks)))

    async def read_station(self, within_s: float) -> StationReading | None:
        """Return what the meter of the charge point itself reads, asked for now; None: nothing was ever told of one.

        Raises:
            ChargerOffline: it cannot be asked.
        """
        news = asyncio.Event()

        def heard(report: Report) -> None:
            if isinstance(report, StationMeasured):
                news.set()

        end = self._conversation.listen(heard)
        news.clear()  # what was told before is not the answer
        try:
            await _carried_out(self._conversation.measure_station())
            async with asyncio.timeout(within_s):
                await news.wait()
        except OperationRefused, TimeoutError:
            _LOGGER.debug("%s tells its own meter at most by itself", self._conversation.identity)
        finally:
            end()
        told = self._conversation.station
        return None if told is None else StationReading(amps=told.amps, measured_at=told.at)

    async def refresh(self) -> None:
        """Ask for the present state. Raises ChargerOffline, OperationRefused."""
        await _carried_out(self._conversation.refresh())

    async def close(self) -> None:
        """Let go of the conversation, which goes on."""
        self._end()
        self._listeners.clear()
        for connector in self._connectors.values():
            connector.cancel_start()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # -- events -------------------------------------------------------------------------------------------------------

    def _heard(self, report: Report) -> None:
        match report:
            case Reachable():
                self._tell(WentOnline())
                self._strangers.hold_all()
            case Unreachable():
                self._tell(WentOffline())
            case Rebooted(device=device):
                self._restarted(device)
            case Progressed() | Noticed():
                self._tell(said.for_automations(report))
            case LimitAnsweredLate() | StationMeasured():
                # The site heard UNKNOWN of a limit and goes on from there; the answer made the charger reachable again.
                # What its own meter reads is for who listens to that.
                pass
            case ChargingNeeds() | LimitFromOutside() | PriorityAsked():
                self._pass_on(report)
            case ConnectorShown():
                if report.connector not in self._connectors:
                    self._strangers.meet(report.connector)
            case StatusReported() | Measured() | TransactionOpened() | TransactionClosed():
                self._heard_at(report)

    def _restarted(self, device: DeviceFacts) -> None:
        for known in self._connectors.values():
            known.promise = None
        self._tell(Booted(identity=self._identity(device)))
        for known in self._connectors.values():
            self._tell_quirks(known)
        self._strangers.hold_all()

    def _pass_on(self, report: ChargingNeeds | LimitFromOutside | PriorityAsked) -> None:
        if isinstance(report, LimitFromOutside) and report.connector in {0, *self._connectors}:
            self._tell(said.held_back(report))
        elif isinstance(report, ChargingNeeds) and report.connector in self._connectors:
            self._tell(said.needs(report))
        elif isinstance(report, PriorityAsked) and report.connector in self._connectors:
            self._tell(ChargeNowAsked(connector=report.connector, asked=report.asked))

    def _heard_at(self, report: StatusReported | Measured | TransactionOpened | TransactionClosed) -> None:
        connector = self._connectors.get(report.connector)
        if connector is not None:
            self._heard_of(connector, report)
        elif report.connector > 0:
            self._strangers.heard_of(report)

    def _heard_of(
        self, connector: ConnectorMemory, report: StatusReported | Measured | TransactionOpened | TransactionClosed
    ) -> None:
        match report:
            case StatusReported():
                self._take_status(connector, report)
            case Measured():
                connector.flowing_a = max(report.amps)
                connector.sample = said.draw_sample(report)
                self._tell_vehicle(connector)
                self._tell(connector.sample)
            case TransactionOpened():
                connector.transaction = report
                if report.id_tag is not None or not connector.waits:
                    connector.attempts = START_ATTEMPTS
                    connector.cancel_start()
                if report.id_tag is not None:
                    connector.resumption.over()
                self._tell(said.started(report))
                self._keep_promise(connector)
            case TransactionClosed():
                if not report.late:
                    self._look_at_end(connector, report)
                    connector.transaction = None
                    connector.flowing_a = 0.0
                    # It was for this transaction: the next one would get a limit that nobody counts.
                    connector.promise = None
                self._tell(said.stopped(report))

    def _look_at_end(self, connector: ConnectorMemory, closed: TransactionClosed) -> None:
        """See whether 0 A ended a transaction whose vehicle is still there."""
        opened = connector.transaction
        if closed.presumed or opened is None or not connector.zero.ended(closed.reason, self._monotonic()):
            return
        connector.resumption.begin(opened.id_tag or self._start_tag)
        self._tell_quirks(connector)

    def _tell_quirks(self, connector: ConnectorMemory) -> None:
        """Tell how it treats limits where that is news."""
        shown = {
            Quirk.ZERO_ENDS_TRANSACTIONS: self._ends_at_zero(connector.zero),
            Quirk.FOREIGN_PROFILE: self._conversation.is_overruled(connector.terminals.connector),
            Quirk.LIMITS_WITHOUT_END: self._conversation.kept_at_fallback,
        }
        for quirk, is_so in shown.items():
            if is_so is not (quirk in connector.quirks):
                (connector.quirks.add if is_so else connector.quirks.discard)(quirk)
                self._tell(QuirkShown(connector=connector.terminals.connector, quirk=quirk, gone=not is_so))

    def _ends_at_zero(self, zero: ZeroWatch) -> bool:
        """Return whether 0 A is known to end transactions: seen here, or of its model or make until it does not."""
        remembered = self._conversation.known[Topic.ZERO].finding
        of_its_make = remembered is None and MakeQuirk.ZERO_ENDS_TRANSACTIONS in self._conversation.quirks
        expected = remembered == UNABLE or of_its_make
        if zero.known and remembered != UNABLE:
            self._conversation.found_out(Topic.ZERO, UNABLE)
        elif zero.outlived and expected:
            self._conversation.found_out(Topic.ZERO, ABLE)
        return zero.known or (expected and not zero.outlived)

    def _take_status(self, connector: ConnectorMemory, status: StatusReported) -> None:
        stood = not connector.charges
        connector.status = status
        if stood and connector.charges:
            self._went_on(connector)
        if status.status in EMPTY:
            connector.flowing_a = 0.0
            connector.wanted = True
            connector.attempts = 0
            connector.resumption.over()
        elif status.status in WANTING:
            connector.wanted = True
            if status.status == CHARGING:
                connector.resumption.over()
        elif connector.vehicle(self._monotonic()) is VehicleState.SATED:
            connector.wanted = False
        self._tell_vehicle(connector)
        if status.status != PREPARING:
            connector.cancel_start()
        elif connector.starting is None:
            self._start_later(connector, START_AFTER_S)

    def _tell_vehicle(self, connector: ConnectorMemory) -> None:
        vehicle = connector.vehicle(self._monotonic())
        if vehicle is VehicleState.SATED:
            connector.wanted = False
        status, told = connector.status, connector.told
        if status is None and vehicle is VehicleState.UNKNOWN:
            return
        word, error = ("Unknown", None) if status is None else (status.status, status.error)
        if told is not None and told.vehicle is vehicle and told.status == word and told.error == error:
            return
        number = connector.terminals.connector
        connector.told = ConnectorStatus(connector=number, vehicle=vehicle, status=word, error=error)
        self._tell(connector.told)

    def _present_state(self) -> list[ChargerEvent]:
        events: list[ChargerEvent] = [WentOnline() if self.online else WentOffline()]
        for connector in self._connectors.values():
            if connector.told is not None:
                events.append(connector.told)
            if connector.sample is not None:
                events.append(connector.sample)
            if connector.transaction is not None:
                events.append(said.started(connector.transaction, resumed=True))
            events.extend(
                QuirkShown(connector=connector.terminals.connector, quirk=quirk) for quirk in sorted(connector.quirks)
            )
        events.extend(self._strangers.present())
        return events

    def _tell(self, event: ChargerEvent) -> None:
        for listener in list(self._listeners):
            listener(event)

    # -- what it does by itself ---------------------------------------------------------------------------------------

    def _went_on(self, connector: ConnectorMemory) -> None:
        """Send again what was promised to a vehicle that stood, where its charger forgets what it took meanwhile."""
        if MakeQuirk.LIMIT_LOST_IN_PAUSE in self._conversation.quirks and connector.transaction is not None:
            self._keep_promise(connector)

    def _keep_promise(self, connector: ConnectorMemory) -> None:
        """Send what was promised once more, for as long as it holds: now there is something to send it for."""
        promise = connector.promise
        remaining_s = promise.until - self._monotonic() if promise is not None else 0.0
        if promise is not None and remaining_s > 1.0 and not connector.asking:
            wish = LimitWish(
                amps=promise.order.amps,
                fallback_a=promise.order.fallback_a,
                validity_s=remaining_s,
                phases=promise.order.phases,
                afterwards=promise.order.afterwards,
            )
            self._spawn(self._offer(connector.terminals.connector, wish))

    async def _offer(self, connector: int, wish: LimitWish) -> None:
        await self._conversation.hold_limit(connector, wish)

    def _start_later(self, connector: ConnectorMemory, delay_s: float) -> None:
        connector.cancel_start()
        if self._start_tag is not None and connector.attempts < START_ATTEMPTS:
            connector.starting = asyncio.get_running_loop().call_later(delay_s, self._start_now, connector)

    def _start_now(self, connector: ConnectorMemory) -> None:
        connector.starting = None
        transaction = connector.transaction
        # In OCPP 2.x a transaction may begin as a cable is plugged in: nobody has been let in to charge by that.
        begun = transaction is not None and transaction.id_tag is not None
        if self._start_tag is None or not connector.waits or begun:
            return
        if self.online:
            connector.attempts += 1
            self._spawn(self._start_quietly(connector.terminals.connector, self._start_tag))
        self._start_later(connector, START_AGAIN_AFTER_S)

    def _resume(self, connector: ConnectorMemory) -> None:
        """Start a transaction again that 0 A ended, now that there is current for it."""
        tag = connector.resumption.attempt(self._monotonic()) if self.online else None
        if tag is not None:
            self._spawn(self._start_quietly(connector.terminals.connector, tag))

    async def _start_quietly(self, connector: int, id_tag: str) -> None:
        try:
            await self._conversation.start(connector, id_tag)
        except NotReachable, Refused:
            return

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _carried_out(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except NoAnswer as failure:
        raise ChargerSilent from failure
    except NotReachable as failure:
        raise ChargerOffline from failure
    except Refused as refusal:
        raise OperationRefused(refusal.answer) from refusal
