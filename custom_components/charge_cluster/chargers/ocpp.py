"""A charge point over OCPP, as the site means a charger.

It turns what a conversation reports into the site's events and the site's orders into wishes. Two things are decided
here. What a status word says about the *vehicle*: current that flows outweighs any word, and a vehicle that takes
nothing while it is offered nothing has not said no. And that a limit which was promised while no transaction ran is
sent as soon as one starts.

What the outcome of `apply_limit` means: ACCEPTED is returned only when what the charger holds makes it true that the
connector will draw no more than the order. For a running transaction that is its own profile, taken by the charger. A
connector without transaction draws nothing and would start at the permanent fallback: an order of at least the
fallback is ACCEPTED without a word on the wire, one below it only when the charger took a default profile that holds it
there. NOT_SENT says that nothing went out and all is as before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..engine.model import VehicleState
from ..ocpp.conversation import (
    Conversation,
    DeviceFacts,
    LimitAnsweredLate,
    LimitWish,
    Measured,
    NotReachable,
    Outcome,
    Reachable,
    Rebooted,
    Refused,
    Report,
    StatusReported,
    Terminals,
    TransactionClosed,
    TransactionOpened,
    Unreachable,
)
from ..ocpp.listeners import enlist
from ..ocpp.protocols import UNPLUGGED
from . import (
    Booted,
    ChargerEvent,
    ChargerOffline,
    ConnectorStatus,
    DeviceIdentity,
    DrawSample,
    LimitForm,
    LimitOrder,
    LimitOutcome,
    OperationRefused,
    ReportEvent,
    TransactionStarted,
    TransactionStopped,
    WentOffline,
    WentOnline,
)

FLOWING_A = 1.0
"""From here on current flows into a vehicle, whatever the status says."""
UNWANTED_AFTER_S = 60.0
"""A vehicle that is offered its minimum for so long and takes nothing does not want it."""
START_AFTER_S = 5.0
"""A vehicle that stays in Preparing for so long is not going to start by itself."""
START_AGAIN_AFTER_S = 45.0
START_ATTEMPTS = 2
PREPARING = "Preparing"

_WANTING = frozenset({PREPARING, "Charging", "SuspendedEVSE"})
_CONTENT = frozenset({"SuspendedEV", "Finishing"})
_EMPTY = frozenset({"Available", "Reserved"})
_BROKEN = frozenset({"Faulted", "Unavailable"})

_OUTCOMES = {
    Outcome.ACCEPTED: LimitOutcome.ACCEPTED,
    Outcome.REFUSED: LimitOutcome.REFUSED,
    Outcome.UNKNOWN: LimitOutcome.UNKNOWN,
    Outcome.NOT_SENT: LimitOutcome.NOT_SENT,
}


@dataclass(slots=True, kw_only=True)
class _Promise:
    """An order that was accepted, and how long it binds."""

    order: LimitOrder
    until: float
    offered_since: float | None
    """Since when at least the minimum was offered without a break."""


class _Connector:
    """What is remembered of one connector to tell its vehicle's state."""

    def __init__(self, terminals: Terminals) -> None:
        self.terminals = terminals
        self.status: StatusReported | None = None
        self.flowing_a = 0.0
        self.wanted = True
        """What the vehicle last showed by a word that is clear."""
        self.promise: _Promise | None = None
        self.transaction: TransactionOpened | None = None
        self.asking = 0
        """Orders under way."""
        self.told: ConnectorStatus | None = None
        self.sample: DrawSample | None = None
        self.starting: asyncio.TimerHandle | None = None
        self.attempts = 0
        """To start the vehicle that is plugged in; a transaction uses them up."""

    def vehicle(self, now: float) -> VehicleState:
        """Return what is known of the vehicle."""
        if self.status is None:
            return VehicleState.WANTS if self.flowing_a >= FLOWING_A else VehicleState.UNKNOWN
        word = self.status.status
        if word in _BROKEN:
            return VehicleState.FAULTED
        if self.flowing_a >= FLOWING_A or word in _WANTING:
            return VehicleState.WANTS
        if word in _EMPTY:
            return VehicleState.ABSENT
        if word == "SuspendedEV" and self.wanted and not self._was_offered(now):
            return VehicleState.WANTS
        return VehicleState.SATED if word in _CONTENT else VehicleState.UNKNOWN

    def _was_offered(self, now: float) -> bool:
        """Return whether current was on offer long enough for the vehicle to take it."""
        promise = self.promise
        return (
            promise is not None
            and promise.offered_since is not None
            and now < promise.until
            and now - promise.offered_since >= UNWANTED_AFTER_S
        )

    def promised(self, order: LimitOrder, now: float) -> None:
        """Note an order that the charger will keep."""
        offered_since = None
        if order.amps >= self.terminals.minimum_a and self.transaction is not None:
            before = self.promise.offered_since if self.promise is not None and now < self.promise.until else None
            offered_since = now if before is None else before
        self.promise = _Promise(order=order, until=now + order.validity_s, offered_since=offered_since)

    def cancel_start(self) -> None:
        """Do not start it from here."""
        if self.starting is not None:
            self.starting.cancel()
            self.starting = None


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
            connectors: those that are configured; others that the charge point tells of are ignored.
            start_tag: idTag under which a vehicle that is plugged in is started from here, for charge points that
                do not start by themselves where everybody may charge. None: nobody is started.
            monotonic: the clock.
        """
        self._conversation = conversation
        self._start_tag = start_tag
        self._monotonic = monotonic
        self._connectors = {terminals.connector: _Connector(terminals) for terminals in connectors}
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
        return _identity(self._conversation.device)

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
        for number, terminals in wanted.items():
            self._conversation.describe(terminals)
            if number in self._connectors:
                self._connectors[number].terminals = terminals
            else:
                self._connectors[number] = _Connector(terminals)
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
        )
        known.asking += 1
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
        elif outcome is not Outcome.NOT_SENT:
            known.promise = None
        self._tell_vehicle(known)
        return _OUTCOMES[outcome]

    def _starts_anew(self, connector: int) -> bool:
        return self._conversation.running_transaction(connector) is not None

    async def provision_fallback(self, connector: int, fallback_a: float) -> LimitOutcome:
        """Store the permanent fallback, if the charger does not hold it already."""
        return _OUTCOMES[await self._conversation.store_fallback(connector, fallback_a)]

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

    @property
    def measures_on_demand(self) -> bool:
        """Return whether it sends a measurement when it is asked for one, as far as is known."""
        return self._conversation.measures_on_demand

    async def measure(self, connector: int) -> None:
        """Ask for a measurement now. Raises ChargerOffline, OperationRefused."""
        await _carried_out(self._conversation.measure(connector))

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
            case Unreachable():
                self._tell(WentOffline())
            case Rebooted(device=device):
                for known in self._connectors.values():
                    known.promise = None
                self._tell(Booted(identity=_identity(device)))
            case LimitAnsweredLate():
                # The site heard UNKNOWN and goes on from there; the answer made the charger reachable again.
                pass
            case StatusReported() | Measured() | TransactionOpened() | TransactionClosed():
                connector = self._connectors.get(report.connector)
                if connector is not None:
                    self._heard_of(connector, report)

    def _heard_of(
        self, connector: _Connector, report: StatusReported | Measured | TransactionOpened | TransactionClosed
    ) -> None:
        match report:
            case StatusReported():
                self._take_status(connector, report)
            case Measured():
                connector.flowing_a = max(report.amps)
                connector.sample = _draw_sample(report)
                self._tell_vehicle(connector)
                self._tell(connector.sample)
            case TransactionOpened():
                connector.transaction = report
                connector.attempts = START_ATTEMPTS
                connector.cancel_start()
                self._tell(_started(report))
                self._keep_promise(connector)
            case TransactionClosed():
                if not report.late:
                    connector.transaction = None
                    connector.flowing_a = 0.0
                    # It was for this transaction: the next one would get a limit that nobody counts.
                    connector.promise = None
                self._tell(_stopped(report))

    def _take_status(self, connector: _Connector, status: StatusReported) -> None:
        connector.status = status
        if status.status in _EMPTY:
            connector.flowing_a = 0.0
            connector.wanted = True
            connector.attempts = 0
        elif status.status in _WANTING:
            connector.wanted = True
        elif connector.vehicle(self._monotonic()) is VehicleState.SATED:
            connector.wanted = False
        self._tell_vehicle(connector)
        if status.status != PREPARING:
            connector.cancel_start()
        elif connector.starting is None:
            self._start_later(connector, START_AFTER_S)

    def _tell_vehicle(self, connector: _Connector) -> None:
        vehicle = connector.vehicle(self._monotonic())
        if vehicle is VehicleState.SATED:
            connector.wanted = False
        status = connector.status
        if status is None and vehicle is VehicleState.UNKNOWN:
            return
        event = ConnectorStatus(
            connector=connector.terminals.connector,
            vehicle=vehicle,
            status=status.status if status is not None else "Unknown",
            error=status.error if status is not None else None,
        )
        if event != connector.told:
            connector.told = event
            self._tell(event)

    def _present_state(self) -> list[ChargerEvent]:
        events: list[ChargerEvent] = [WentOnline() if self.online else WentOffline()]
        for connector in self._connectors.values():
            if connector.told is not None:
                events.append(connector.told)
            if connector.sample is not None:
                events.append(connector.sample)
            if connector.transaction is not None:
                events.append(_started(connector.transaction, resumed=True))
        return events

    def _tell(self, event: ChargerEvent) -> None:
        for listener in list(self._listeners):
            listener(event)

    # -- what it does by itself ---------------------------------------------------------------------------------------

    def _keep_promise(self, connector: _Connector) -> None:
        """Send what was promised to the idle connector now that there is a transaction to send it for."""
        promise = connector.promise
        remaining_s = promise.until - self._monotonic() if promise is not None else 0.0
        if promise is not None and remaining_s > 1.0 and not connector.asking:
            wish = LimitWish(amps=promise.order.amps, fallback_a=promise.order.fallback_a, validity_s=remaining_s)
            self._spawn(self._offer(connector.terminals.connector, wish))

    async def _offer(self, connector: int, wish: LimitWish) -> None:
        await self._conversation.hold_limit(connector, wish)

    def _start_later(self, connector: _Connector, delay_s: float) -> None:
        connector.cancel_start()
        if self._start_tag is not None and connector.attempts < START_ATTEMPTS:
            connector.starting = asyncio.get_running_loop().call_later(delay_s, self._start_now, connector)

    def _start_now(self, connector: _Connector) -> None:
        connector.starting = None
        waiting = connector.status is not None and connector.status.status == PREPARING
        if self._start_tag is None or not waiting or connector.transaction is not None:
            return
        if self.online:
            connector.attempts += 1
            self._spawn(self._start_quietly(connector.terminals.connector, self._start_tag))
        self._start_later(connector, START_AGAIN_AFTER_S)

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
    except NotReachable as failure:
        raise ChargerOffline from failure
    except Refused as refusal:
        raise OperationRefused(refusal.answer) from refusal


def _identity(device: DeviceFacts) -> DeviceIdentity:
    return DeviceIdentity(vendor=device.vendor, model=device.model, serial=device.serial, firmware=device.firmware)


def _started(opened: TransactionOpened, *, resumed: bool | None = None) -> TransactionStarted:
    return TransactionStarted(
        connector=opened.connector,
        transaction_id=str(opened.transaction_id),
        id_tag=opened.id_tag,
        meter_start_wh=opened.meter_start_wh,
        started_at=opened.started_at,
        resumed=opened.resumed if resumed is None else resumed,
    )


def _stopped(closed: TransactionClosed) -> TransactionStopped:
    return TransactionStopped(
        connector=closed.connector,
        transaction_id=str(closed.transaction_id),
        meter_start_wh=closed.meter_start_wh,
        meter_stop_wh=closed.meter_stop_wh,
        stopped_at=closed.stopped_at,
        reason=closed.reason,
        vehicle_left=closed.reason == UNPLUGGED,
        presumed=closed.presumed,
        late=closed.late,
    )


def _draw_sample(measured: Measured) -> DrawSample:
    return DrawSample(
        connector=measured.connector,
        amps=measured.amps,
        measured_at=measured.at,
        power_w=measured.power_w,
        energy_wh=measured.energy_wh,
        register_wh=measured.register_wh,
        voltage_v=measured.voltage_v,
        temperature_c=measured.temperature_c,
        soc_percent=measured.soc_percent,
        offered_a=measured.offered_a,
    )
