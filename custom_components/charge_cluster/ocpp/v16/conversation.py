"""The conversation with one charge point in OCPP 1.6, over all of its connections.

It answers what the charger tells (table `actions`), keeps what follows from it, and asks for things. A charger may be
used once it has booted, or has been connected for a while without booting (it may have kept running while we did not),
and never while our own clock is wrong. It is set up once per boot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..conversation import (
    DeviceFacts,
    LimitWish,
    Listener,
    NotReachable,
    Outcome,
    Reachable,
    Rebooted,
    Report,
    StatusReported,
    Terminals,
    TransactionClosed,
    TransactionOpened,
    Unreachable,
)
from ..frames import ErrorCode, JsonObject
from ..listeners import enlist
from ..pacing import CalmLog
from ..protocols import (
    Authorisation,
    AuthorisationStatus,
    Authoriser,
    Clock,
    JournalUnavailable,
    MeterRecord,
    TransactionJournal,
)
from ..rpc import Action, CallFailed, CallFault, CallNotSent, CallRefused, Compose, Late, Priority, RpcLink
from ..times import ChargerClock, stamp
from . import requests
from .commands import Commands
from .configuration import AUTHORISATION_KEY, Configuration, WantedSettings, change, set_up
from .connectors import ConnectorState
from .limits import Limits
from .metering import Sample, read_samples
from .notices import read_boot, read_id_tag, read_meter_values, read_start, read_status, read_stop
from .on_demand import OnDemand
from .requests import Triggered
from .transactions import STALE_AFTER_S, TransactionBook, opened

_LOGGER = logging.getLogger(__name__)

BOOT_PATIENCE_S = 5.0
"""A charger that has not booted so long after it connected was running already, and is asked for its state."""
PENDING_INTERVAL_S = 10
PENDING_PATIENCE_S = 40.0
"""Longer than any interval that we name to one that waits."""
AUTHORISING_PATIENCE_S = 5.0
OWN_TRIGGER_S = 30.0
"""A BootNotification within this time of our asking for one is no restart."""
PROBE_EVERY_S = 10.0
"""A charger that left a limit unanswered is asked something harmless this often."""
RESTORE_EVERY_S = 30.0
"""While the journal cannot be read it is tried again this often."""
DRAWING_A = 1.0

_ACKNOWLEDGED = (
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "SecurityEventNotification",
    "LogStatusNotification",
    "SignedFirmwareStatusNotification",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What all conversations of a central system share."""

    journal: TransactionJournal
    authoriser: Authoriser
    clock: Clock
    charge_point_id: Callable[[str], str] = str
    """Turns an OCPP identity into the id that records carry."""
    wanted: WantedSettings = field(default_factory=WantedSettings)
    setting_up: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(16))
    """So many charge points are set up at a time, when all dial in at once."""


class Conversation16(Commands):
    """One charge point that speaks OCPP 1.6. See `ocpp.conversation.Conversation`."""

    def __init__(self, identity: str, services: Services) -> None:
        """Begin without a connection."""
        self._identity = identity
        self._services = services
        self._clock = services.clock
        self._device = DeviceFacts()
        self._listeners: list[Listener] = []
        self._link: RpcLink | None = None
        self._attached_at = 0.0
        self._ready = False
        self._pending_until = 0.0
        """Until then a charger whose boot was answered Pending is expected to boot again."""
        self._boots = 0
        self._set_up_for_boot: int | None = None
        self._setting_up = asyncio.Lock()
        self._boot_triggered_at: float | None = None
        self._probed_at = 0.0
        self._restore_at = 0.0
        self._key_to_provision: tuple[str, Callable[[], None]] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._log = CalmLog(_LOGGER, services.clock.monotonic)
        self._charger_clock = ChargerClock()
        self._connectors: dict[int, ConnectorState] = {}
        self._book = TransactionBook(
            lambda: services.charge_point_id(identity), services.journal, services.clock, self._transaction_changed
        )
        self._limits = Limits(
            ask_limit=self._ask_limit,
            ask=self._ask,
            clock=services.clock,
            charger_clock=self._charger_clock,
            transaction_at=self.running_transaction,
            busy=lambda connector: self._connector(connector).busy,
            proved_phases=lambda connector: self._connector(connector).proved_phases,
            report=self._report,
        )
        self._on_demand = OnDemand(self._question)
        self.actions: Mapping[str, Action] = {
            "BootNotification": Action(self._boot),
            "Heartbeat": Action(self._heartbeat),
            "StatusNotification": Action(self._status),
            "Authorize": Action(self._authorise),
            "StartTransaction": Action(self._start_transaction, once=True),
            "StopTransaction": Action(self._stop_transaction, once=True),
            "MeterValues": Action(self._meter_values, once=True),
            "DataTransfer": Action(_unknown_vendor),
            **{name: Action(_acknowledge) for name in _ACKNOWLEDGED},
        }

    # -- what it is ---------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> str:
        """Return the OCPP identity."""
        return self._identity

    @property
    def online(self) -> bool:
        """Return whether it can be talked to."""
        return self._ready and self._link is not None and self._link.responsive

    @property
    def device(self) -> DeviceFacts:
        """Return who it says it is."""
        return self._device

    @property
    def configuration(self) -> Configuration:
        """Return its configuration keys as far as they are known."""
        return self._limits.configuration

    @property
    def connectors(self) -> Mapping[int, ConnectorState]:
        """Return the connectors that it has told of."""
        return self._connectors

    @property
    def charger_clock(self) -> ChargerClock:
        """Return what is known of its clock."""
        return self._charger_clock

    @property
    def expiry_error_s(self) -> float:
        """Return how much sooner or later than its validity a limit may end, for what is known of the clock."""
        return self._charger_clock.offset.uncertainty_s

    @property
    def measures_on_demand(self) -> bool:
        """Return whether it sends a measurement when it is asked for one, as far as is known."""
        return self._on_demand.possible

    def running_transaction(self, connector: int) -> int | None:
        """Return the id under which the transaction at a connector can be addressed."""
        return self._book.id_at(connector)

    def describe(self, terminals: Terminals) -> None:
        """Say what is known of a connector by configuration."""
        self._limits.terminals[terminals.connector] = terminals

    def limit_by_default_profile(self, *, wanted: bool) -> None:
        """Limit this charger by default profiles only: some ignore those of transactions."""
        self._limits.by_default_profile = wanted

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have facts reported, the present state at once; return what ends it."""
        for report in self.present_state():
            listener(report)
        return enlist(self._listeners, listener)

    def present_state(self) -> Sequence[Report]:
        """Return the facts that describe the present state."""
        reports: list[Report] = [Reachable() if self.online else Unreachable()]
        for state in self._connectors.values():
            reports.extend(report for report in (state.status, state.measured) if report is not None)
        reports.extend(opened(running, resumed=True) for running in self._book.running.values())
        return reports

    def _report(self, report: Report) -> None:
        """Tell the listeners, each on its own turn, so that none can disturb this conversation."""
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.call_soon(self._deliver, listener, report)

    def _deliver(self, listener: Listener, report: Report) -> None:
        if listener in self._listeners:
            listener(report)

    # -- connections --------------------------------------------------------------------------------------------------

    def attach(self, link: RpcLink, *, device: DeviceFacts | None = None) -> None:
        """Go on over a new connection; one that was there before has ended.

        Args:
            device: what it told when it booted on this connection before it was accepted.
        """
        if self._link is not None:
            self.detach(self._link)
        self._link = link
        self._attached_at = self._clock.monotonic()
        link.actions = self.actions
        link.responsive_changed = self._responsive_changed
        if device is not None:
            # It was told to wait; asked now, it need not wait for its interval to boot again.
            self._device = device
            self._pending_until = self._attached_at + PENDING_PATIENCE_S
            self._spawn("boot", self._ask_to_boot)
        if not self._book.restored:
            self._spawn("restore", self._restore)

    def detach(self, link: RpcLink) -> None:
        """Note that a connection has ended, unless a newer one took its place."""
        if link is not self._link:
            return
        was_online = self.online
        self._link = None
        self._ready = False
        if was_online:
            self._report(Unreachable())

    def provision_key(self, key: str, done: Callable[[], None]) -> None:
        """Give the charger a new key as soon as it is set up; `done` is called when it took it."""
        self._key_to_provision = (key, done)
        if self._set_up_for_boot == self._boots and self.online:
            self._spawn("key", self._give_key)

    def tick(self) -> None:
        """Look what time has done; called every second or so."""
        now = self._clock.monotonic()
        if not self._book.restored and self._link is not None and now >= self._restore_at:
            self._spawn("restore", self._restore)
        patience_ends = max(self._attached_at + BOOT_PATIENCE_S, self._pending_until)
        if self._link is not None and not self._ready and now >= patience_ends:
            self._become_ready()
        if self._link is not None and self._ready and not self._link.responsive:
            self._probe(now)
        self._end_stale_transactions(now)

    async def close(self) -> None:
        """End everything that runs for this conversation."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _responsive_changed(self) -> None:
        if self._ready:
            self._report(Reachable() if self.online else Unreachable())

    def _become_ready(self) -> None:
        if self._link is None or self._ready or not self._clock.synchronised():
            return
        self._ready = True
        self._report(Reachable())
        self._spawn("set up", self._set_up)

    async def _set_up(self) -> None:
        """Learn its state and bring its configuration to what we need, once for each boot and connection."""
        link = self._link
        async with self._services.setting_up, self._setting_up:
            if link is None or link is not self._link:
                return
            boot = self._boots
            try:
                await self._ask_for_state()
                if self._set_up_for_boot != boot:
                    await set_up(self._ask, self.configuration, self._services.wanted)
                    self._set_up_for_boot = boot
                if self._key_to_provision is not None:
                    await self._give_key()
            except CallFailed as failure:
                self._log.warning("%s could not be set up: %s", self._identity, type(failure).__name__)

    async def _ask_to_boot(self) -> None:
        try:
            await self._trigger(Triggered.BOOT)
        except CallFailed:
            return

    async def _ask_for_state(self) -> None:
        """Ask for state and measurements; that comes first, for with it the charger's clock gets known."""
        if self._device == DeviceFacts():
            await self._trigger(Triggered.BOOT)
        self._on_demand.begin(answers=False)
        answers = await self._trigger(Triggered.STATUS)
        self._on_demand.begin(answers=answers)
        if not answers:
            return
        for connector in sorted(self._book.running):
            await self._trigger(Triggered.METER_VALUES, connector)

    async def _trigger(self, message: Triggered, connector: int | None = None) -> bool:
        if message is Triggered.BOOT:
            self._boot_triggered_at = self._clock.monotonic()
        try:
            answer = await self._ask("TriggerMessage", requests.trigger_message(message, connector))
        except CallRefused:
            answer = {}
        accepted = answer.get("status") == "Accepted"
        if message is Triggered.BOOT and not accepted:
            self._boot_triggered_at = None
        return accepted

    async def _give_key(self) -> None:
        if self._key_to_provision is None:
            return
        key, done = self._key_to_provision
        try:
            taken = await change(self._ask, self.configuration, AUTHORISATION_KEY, key)
        except CallFailed:
            return
        if not taken:
            self._log.warning("%s does not take a key", self._identity)
            return
        self._key_to_provision = None
        if AUTHORISATION_KEY not in self.configuration.restart_needed:
            done()

    async def _restore(self) -> None:
        try:
            await self._book.restore()
        except JournalUnavailable:
            self._restore_at = self._clock.monotonic() + RESTORE_EVERY_S
            self._log.warning("The open transactions of %s cannot be read yet", self._identity)

    def _probe(self, now: float) -> None:
        if now - self._probed_at >= PROBE_EVERY_S:
            self._probed_at = now
            self._spawn("probe", self._probe_once)

    async def _probe_once(self) -> None:
        try:
            await self._ask("GetConfiguration", requests.get_configuration(["HeartbeatInterval"]))
        except CallFailed:
            return

    def _end_stale_transactions(self, now: float) -> None:
        for connector, running in list(self._book.running.items()):
            state = self._connectors.get(connector)
            if not self.online or state is None or state.status is None or state.status.status != "Available":
                continue
            drawing = state.measured is not None and max(state.measured.amps) >= DRAWING_A
            silent_s = self._clock.time() - running.seen_at
            if not drawing and now - state.status_at >= STALE_AFTER_S and silent_s >= STALE_AFTER_S:
                end = partial(self._book.end_stale, connector, running.stored.transaction_id)
                self._spawn(f"end at {connector}", end)

    def _spawn(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin some work, unless the same is already under way."""
        if what not in self._tasks:
            task = asyncio.get_running_loop().create_task(work())
            self._tasks[what] = task
            task.add_done_callback(lambda _: self._tasks.pop(what, None))

    # -- what it tells ------------------------------------------------------------------------------------------------

    def _boot(self, payload: JsonObject) -> JsonObject:
        self._device = read_boot(payload)
        accepted = self._clock.synchronised()
        if accepted:
            self._pending_until = 0.0
            asyncio.get_running_loop().call_soon(self._booted, self._link)
        else:
            self._pending_until = self._clock.monotonic() + PENDING_PATIENCE_S
        return {
            "status": "Accepted" if accepted else "Pending",
            "currentTime": stamp(self._clock.time()),
            "interval": self._services.wanted.heartbeat_interval_s if accepted else PENDING_INTERVAL_S,
        }

    def _booted(self, link: RpcLink | None) -> None:
        """Take note of a boot after it was answered."""
        if link is None or link is not self._link:
            return
        triggered_at, self._boot_triggered_at = self._boot_triggered_at, None
        own = triggered_at is not None and self._clock.monotonic() - triggered_at < OWN_TRIGGER_S
        if not own:
            self._boots += 1
            self._charger_clock.forget()
            self._limits.forget()
            self._report(Rebooted(device=self._device))
            if self._ready:
                self._spawn(f"set up after boot {self._boots}", self._set_up)
        self._become_ready()

    def _heartbeat(self, _payload: JsonObject) -> JsonObject:
        self._spoke()
        return {"currentTime": stamp(self._clock.time())}

    def _status(self, payload: JsonObject) -> JsonObject:
        notice = read_status(payload)
        if notice.stamped_at is not None:
            self._charger_clock.saw(notice.stamped_at, self._clock.time())
        if notice.status == "Available":
            self._book.gone_from(notice.connector)
        if notice.connector > 0:
            status = StatusReported(connector=notice.connector, status=notice.status, error=notice.error)
            if self._connector(notice.connector).take_status(status, self._clock.monotonic()):
                self._report(status)
        return {}

    async def _authorise(self, payload: JsonObject) -> JsonObject:
        return {"idTagInfo": _id_tag_info(await self._authorisation(read_id_tag(payload)))}

    async def _start_transaction(self, payload: JsonObject) -> JsonObject:
        self._spoke()
        notice = read_start(payload)
        if notice.stamped_at is not None:
            self._charger_clock.saw(notice.stamped_at, self._clock.time())
        authorisation = await self._authorisation(notice.id_tag)
        try:
            stored = await self._book.start(notice)
        except JournalUnavailable:
            raise CallFault(ErrorCode.INTERNAL_ERROR, "the start could not be stored, send it again") from None
        return {"transactionId": stored.transaction_id, "idTagInfo": _id_tag_info(authorisation)}

    async def _stop_transaction(self, payload: JsonObject) -> JsonObject:
        self._spoke()
        notice = read_stop(payload)
        connector = self._book.connector_of(notice.transaction_id)
        try:
            await self._book.stop(notice)
        except JournalUnavailable:
            raise CallFault(ErrorCode.INTERNAL_ERROR, "the end could not be stored, send it again") from None
        if connector is not None:
            self._record(connector, notice.transaction_id, read_samples(notice.values))
        if notice.id_tag is None:
            return {}
        return {"idTagInfo": _id_tag_info(await self._authorisation(notice.id_tag))}

    def _meter_values(self, payload: JsonObject) -> JsonObject:
        self._spoke()
        notice = read_meter_values(payload)
        samples = read_samples(notice.values)
        if notice.connector == 0 or not samples:
            return {}
        arrived = self._clock.time()
        newest = samples[-1]
        if newest.stamped_at is not None:
            self._charger_clock.saw(newest.stamped_at, arrived)
        for sample in samples:
            self._take_sample(notice.connector, sample, arrived)
        transaction_id = notice.transaction_id or self.running_transaction(notice.connector)
        if transaction_id is not None:
            self._record(notice.connector, transaction_id, samples)
            if self._book.saw(notice.connector, transaction_id, newest.energy_wh, arrived):
                adopt = partial(self._adopt, notice.connector, transaction_id, newest.energy_wh, arrived)
                self._spawn(f"adopt at {notice.connector}", adopt)
        return {}

    def _take_sample(self, connector: int, sample: Sample, arrived: float) -> None:
        at = self._clock.monotonic()
        if sample.stamped_at is not None:
            at -= self._charger_clock.age(sample.stamped_at, arrived)
        state = self._connector(connector)
        if state.measured is not None and at < state.measured.at:
            return
        measured = state.take_sample(sample, self._limits.of(connector), at)
        if measured is not None:
            self._on_demand.measured(connector)
            self._report(measured)

    def _record(self, connector: int, transaction_id: int, samples: list[Sample]) -> None:
        now = self._clock.time()
        records = []
        for sample in samples:
            told = any(amps is not None for amps in sample.amps)
            first, second, third = (amps or 0.0 for amps in sample.amps)
            records.append(
                MeterRecord(
                    charge_point_id=self._services.charge_point_id(self._identity),
                    connector=connector,
                    transaction_id=transaction_id,
                    measured_at=now if sample.stamped_at is None else sample.stamped_at,
                    energy_wh=sample.energy_wh,
                    power_w=sample.power_w,
                    amps=(first, second, third) if told else None,
                )
            )
        if records:
            self._services.journal.record_meter_values(records)

    async def _adopt(self, connector: int, transaction_id: int, register_wh: float | None, at: float) -> None:
        try:
            await self._book.adopt(connector, transaction_id, register_wh, at)
        except JournalUnavailable:
            self._log.warning("A transaction of %s cannot be taken up yet", self._identity)

    async def _authorisation(self, id_tag: str | None) -> Authorisation:
        if id_tag is None:
            return Authorisation(status=AuthorisationStatus.INVALID)
        try:
            async with asyncio.timeout(AUTHORISING_PATIENCE_S):
                return await self._services.authoriser.authorise(self._services.charge_point_id(self._identity), id_tag)
        except TimeoutError:
            return Authorisation(status=AuthorisationStatus.INVALID)

    def _spoke(self) -> None:
        """A message that only a charger sends which has booted before."""
        if not self._ready and self._link is not None:
            asyncio.get_running_loop().call_soon(self._become_ready)

    def _transaction_changed(self, report: TransactionOpened | TransactionClosed) -> None:
        if isinstance(report, TransactionOpened) or not report.late:
            self._connector(report.connector).new_vehicle()
        self._report(report)

    def _connector(self, connector: int) -> ConnectorState:
        return self._connectors.setdefault(connector, ConnectorState(connector=connector))

    # -- what it is asked ---------------------------------------------------------------------------------------------

    async def hold_limit(self, connector: int, wish: LimitWish) -> Outcome:
        """Make the connector draw no more than a limit. Never raises."""
        return await self._limits.hold(connector, wish) if self.online else Outcome.NOT_SENT

    async def store_fallback(self, connector: int, fallback_a: float) -> Outcome:
        """Make the charge point hold a permanent fallback. Never raises."""
        return await self._limits.store_fallback(connector, fallback_a) if self.online else Outcome.NOT_SENT

    async def measure(self, connector: int) -> None:
        """Ask for a measurement now; everything else goes before that."""
        if not self.online:
            raise NotReachable(self.identity)
        try:
            await self._on_demand.ask(connector)
        except CallFailed:
            raise NotReachable(self.identity) from None

    async def _ask(self, action: str, payload: JsonObject) -> JsonObject:
        return await self._require_link().call(action, payload)

    async def _question(self, payload: JsonObject) -> JsonObject:
        key = ("measure", payload.get("connectorId"))
        return await self._require_link().call("TriggerMessage", payload, priority=Priority.QUESTION, replaces=key)

    async def _ask_limit(self, connector: int, compose: Compose, late: Late) -> JsonObject:
        return await self._require_link().call(
            "SetChargingProfile", compose, priority=Priority.LIMIT, replaces=("limit", connector), late=late
        )

    def _require_link(self) -> RpcLink:
        if self._link is None:
            raise CallNotSent("there is no connection")
        return self._link


def _id_tag_info(authorisation: Authorisation) -> JsonObject:
    info: JsonObject = {"status": authorisation.status.value}
    if authorisation.parent_id_tag is not None:
        info["parentIdTag"] = authorisation.parent_id_tag[: requests.ID_TAG_LENGTH]
    if authorisation.expires_at is not None:
        info["expiryDate"] = stamp(authorisation.expires_at)
    return info


def _unknown_vendor(_payload: JsonObject) -> JsonObject:
    return {"status": "UnknownVendorId"}


def _acknowledge(_payload: JsonObject) -> JsonObject:
    return {}
