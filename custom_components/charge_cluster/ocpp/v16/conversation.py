"""The conversation with one charge point in OCPP 1.6, over all of its connections.

It answers what the charger tells (table `actions`), keeps what follows from it, and asks for things. A charger may be
used once it has booted, or has been connected for a while without booting (it may have kept running while we did not),
and never while our own clock is wrong. It is set up once per boot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..conversation import (
    DeviceFacts,
    LimitWish,
    Listener,
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
from ..frames import ErrorCode, JsonObject
from ..protocols import (
    Authorisation,
    AuthorisationStatus,
    Authoriser,
    Clock,
    JournalUnavailable,
    MeterRecord,
    TransactionJournal,
)
from ..rpc import Action, CallFailed, CallFault, CallRefused, Compose, Late, Priority, RpcLink
from ..times import ChargerClock, stamp
from . import requests
from .configuration import AUTHORISATION_KEY, Configuration, WantedSettings, change, set_up
from .connectors import ConnectorState
from .limits import Limits
from .metering import Sample, read_samples
from .notices import read_boot, read_id_tag, read_meter_values, read_start, read_status, read_stop
from .requests import ResetKind, Triggered
from .transactions import STALE_AFTER_S, TransactionBook, opened

_LOGGER = logging.getLogger(__name__)

BOOT_PATIENCE_S = 5.0
"""A charger that has not booted so long after it connected was running already, and is asked for its state."""
PENDING_INTERVAL_S = 10
AUTHORISING_PATIENCE_S = 5.0
OWN_TRIGGER_S = 30.0
"""A BootNotification within this time of our asking for one is no restart."""
PROBE_EVERY_S = 10.0
"""A charger that left a limit unanswered is asked something harmless this often."""
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


class Conversation16:
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
        self._set_up_done = False
        self._boot_triggered_at: float | None = None
        self._probed_at = 0.0
        self._key_to_provision: tuple[str, Callable[[], None]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
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
            proved_phases=lambda connector: self._connector(connector).proved_phases,
            report=self._report,
        )
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

    def running_transaction(self, connector: int) -> int | None:
        """Return the id of the transaction that runs at a connector."""
        running = self._book.running.get(connector)
        return running.stored.transaction_id if running is not None else None

    def describe(self, terminals: Terminals) -> None:
        """Say what is known of a connector by configuration."""
        self._limits.terminals[terminals.connector] = terminals

    def limit_by_default_profile(self, *, wanted: bool) -> None:
        """Limit this charger by default profiles only: some ignore those of transactions."""
        self._limits.by_default_profile = wanted

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have facts reported, the present state at once; return what ends it."""
        for report in self._present_state():
            listener(report)
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def _present_state(self) -> list[Report]:
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
            self._device = device
        if not self._book.restored:
            self._spawn(self._restore())

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
        if self._set_up_done and self.online:
            self._spawn(self._give_key())

    def tick(self) -> None:
        """Look what time has done; called every second or so."""
        now = self._clock.monotonic()
        if not self._book.restored and self._link is not None and not self._tasks:
            self._spawn(self._restore())
        if self._link is not None and not self._ready and now - self._attached_at >= BOOT_PATIENCE_S:
            self._become_ready(booted=False)
        if self._link is not None and self._ready and not self._link.responsive:
            self._probe(now)
        self._end_stale_transactions(now)

    async def close(self) -> None:
        """End everything that runs for this conversation."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _responsive_changed(self, responsive: bool) -> None:
        if self._ready:
            self._report(Reachable() if responsive else Unreachable())

    def _become_ready(self, *, booted: bool) -> None:
        if self._link is None or self._ready or not self._clock.synchronised():
            return
        self._ready = True
        self._report(Reachable())
        self._spawn(self._set_up(self._link, ask_device=not booted))

    async def _set_up(self, link: RpcLink, *, ask_device: bool) -> None:
        async with self._services.setting_up:
            if link is not self._link:
                return
            try:
                if not self._set_up_done:
                    await set_up(self._ask, self.configuration, self._services.wanted)
                    self._set_up_done = True
                if self._key_to_provision is not None:
                    await self._give_key()
                if ask_device and self._device == DeviceFacts():
                    await self._trigger(Triggered.BOOT)
                await self._ask_for_state()
            except CallFailed as failure:
                _LOGGER.info("%s could not be set up: %s", self._identity, type(failure).__name__)

    async def _ask_for_state(self) -> None:
        """Ask for state and measurements of every connector; what it does not know how to send it refuses."""
        if not await self._trigger(Triggered.STATUS):
            return
        for connector in sorted(self._book.running):
            await self._trigger(Triggered.METER_VALUES, connector)

    async def _trigger(self, message: Triggered, connector: int | None = None) -> bool:
        if message is Triggered.BOOT:
            self._boot_triggered_at = self._clock.monotonic()
        try:
            answer = await self._ask("TriggerMessage", requests.trigger_message(message, connector))
        except CallRefused:
            return False
        return answer.get("status") == "Accepted"

    async def _give_key(self) -> None:
        if self._key_to_provision is None:
            return
        key, done = self._key_to_provision
        try:
            taken = await change(self._ask, self.configuration, AUTHORISATION_KEY, key)
        except CallFailed:
            return
        if not taken:
            _LOGGER.warning("%s does not take a key", self._identity)
            return
        self._key_to_provision = None
        if AUTHORISATION_KEY not in self.configuration.restart_needed:
            done()

    async def _restore(self) -> None:
        try:
            await self._book.restore()
        except JournalUnavailable:
            _LOGGER.warning("The open transactions of %s cannot be read yet", self._identity)

    def _probe(self, now: float) -> None:
        if now - self._probed_at >= PROBE_EVERY_S:
            self._probed_at = now
            self._spawn(self._probe_once())

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
                self._spawn(self._end_stale(connector, running.stored.transaction_id))

    async def _end_stale(self, connector: int, transaction_id: int) -> None:
        await self._book.end_stale(connector, transaction_id)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- what it tells ------------------------------------------------------------------------------------------------

    def _boot(self, payload: JsonObject) -> JsonObject:
        self._device = read_boot(payload)
        accepted = self._clock.synchronised()
        if accepted:
            asyncio.get_running_loop().call_soon(self._booted, self._link)
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
            self._set_up_done = False
            self._charger_clock.forget()
            self._limits.forget()
            self._report(Rebooted(device=self._device))
            if self._ready:
                self._spawn(self._set_up(link, ask_device=False))
        self._become_ready(booted=True)

    def _heartbeat(self, _payload: JsonObject) -> JsonObject:
        self._spoke()
        return {"currentTime": stamp(self._clock.time())}

    def _status(self, payload: JsonObject) -> JsonObject:
        notice = read_status(payload)
        if notice.stamped_at is not None:
            self._charger_clock.saw(notice.stamped_at, self._clock.time())
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
                self._spawn(self._adopt(notice.connector, transaction_id, newest.energy_wh, arrived))
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
            _LOGGER.warning("A transaction of %s cannot be taken up yet", self._identity)

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
            asyncio.get_running_loop().call_soon(lambda: self._become_ready(booted=False))

    def _transaction_changed(self, report: TransactionOpened | TransactionClosed) -> None:
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

    async def start(self, connector: int, id_tag: str) -> None:
        """Start a transaction from here; it runs only when the charger tells so."""
        await self._command("RemoteStartTransaction", requests.remote_start_transaction(connector, id_tag))

    async def stop(self, connector: int) -> None:
        """Stop the running transaction."""
        transaction_id = self.running_transaction(connector)
        if transaction_id is None:
            raise Refused("NoTransaction")
        await self._command("RemoteStopTransaction", requests.remote_stop_transaction(transaction_id))

    async def reset(self, *, hard: bool) -> None:
        """Restart the charge point."""
        await self._command("Reset", requests.reset(ResetKind.HARD if hard else ResetKind.SOFT))

    async def unlock(self, connector: int) -> None:
        """Release the plug."""
        await self._command("UnlockConnector", requests.unlock_connector(connector), "Unlocked")

    async def set_availability(self, connector: int, *, operative: bool) -> None:
        """Take a connector (0: all) out of service or back; during a transaction it follows after its end."""
        payload = requests.change_availability(connector, operative=operative)
        await self._command("ChangeAvailability", payload, "Accepted", "Scheduled")

    async def refresh(self) -> None:
        """Ask for the present state."""
        await self._command("TriggerMessage", requests.trigger_message(Triggered.STATUS))
        for connector in sorted(self._book.running):
            await self._command("TriggerMessage", requests.trigger_message(Triggered.METER_VALUES, connector))

    async def clear_cache(self) -> None:
        """Make it forget the idTags that it remembers."""
        await self._command("ClearCache", requests.clear_cache())

    async def clear_profile(self, profile_id: int) -> None:
        """Make it forget one charging profile; what governs afterwards is the charger's affair."""
        await self._command("ClearChargingProfile", requests.clear_charging_profile(profile_id))

    async def transfer(self, vendor: str, message: str | None = None, content: str | None = None) -> str | None:
        """Send something of a vendor's own and return what came back."""
        answer = await self._command("DataTransfer", requests.data_transfer(vendor, message, content))
        returned = answer.get("data")
        return returned if isinstance(returned, str) else None

    async def change_setting(self, key: str, value: str) -> None:
        """Set a configuration key."""
        payload = requests.change_configuration(key, value)
        await self._command("ChangeConfiguration", payload, "Accepted", "RebootRequired")

    async def _command(self, action: str, payload: JsonObject, *good: str) -> JsonObject:
        if not self.online:
            raise NotReachable(self._identity)
        try:
            answer = await self._ask(action, payload)
        except CallRefused as refusal:
            raise Refused(refusal.code) from None
        except CallFailed:
            raise NotReachable(self._identity) from None
        status = answer.get("status")
        if status not in (good or ("Accepted",)):
            raise Refused(str(status)[:50])
        return answer

    async def _ask(self, action: str, payload: JsonObject) -> JsonObject:
        return await self._require_link().call(action, payload)

    async def _ask_limit(self, connector: int, compose: Compose, late: Late) -> JsonObject:
        return await self._require_link().call(
            "SetChargingProfile", compose, priority=Priority.LIMIT, replaces=("limit", connector), late=late
        )

    def _require_link(self) -> RpcLink:
        if self._link is None:
            raise CallFailed("there is no connection")
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
