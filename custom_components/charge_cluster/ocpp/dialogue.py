"""What the conversation with a charge point is in every version of OCPP, over all of its connections.

A charger may be used once it has booted, or has been connected for a while without booting (it may have kept running
while we did not), and never while our own clock is wrong. It is set up once per boot. What is known of it is its
`Standing`, what it tells goes through its `News`, who may charge there is its `Admittance`.

Whoever inherits this adds a vocabulary: what answers the charger's calls, and the wording of ours.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from .admittance import Admittance
from .connectors import ConnectorState
from .conversation import (
    DeviceFacts,
    KeyOutcome,
    LimitWish,
    Listener,
    NotReachable,
    Outcome,
    ProfileWrites,
    Reachable,
    Rebooted,
    Refused,
    Report,
    StationMeasured,
    Terminals,
    Unreachable,
)
from .experience import ABLE, UNABLE, Experience, Known, Topic
from .frames import JsonObject
from .key_giving import KeyGiver
from .limits import Limits
from .listeners import enlist
from .local_list import TokenPolicy
from .news import News
from .on_demand import OnDemand
from .pacing import CalmLog
from .profiles import ProfileDialect, TransactionKey
from .protocols import (
    JournalUnavailable,
)
from .quirks import Quirk
from .reading import security_event
from .rivals import ReadHeld
from .rpc import Action, CallFailed, CallNotSent, CallRefused, Compose, Late, Priority, RpcLink
from .security.enrolment import TRIGGERS, Enrolment
from .standing import STATION, Services, Standing
from .times import ChargerClock, stamp
from .token_keeping import TokenKeeper
from .transactions import STALE_AFTER_S, TransactionBook, opened
from .versions import OcppVersion

_LOGGER = logging.getLogger(__name__)

BOOT_PATIENCE_S = 5.0
"""A charger that has not booted so long after it connected was running already, and is asked for its state."""
PENDING_INTERVAL_S = 10
PENDING_PATIENCE_S = 40.0
"""Longer than any interval that we name to one that waits."""
OWN_TRIGGER_S = 30.0
"""A BootNotification within this time of our asking for one is no restart."""
PROBE_EVERY_S = 10.0
"""A charger that left a limit unanswered is asked something harmless this often."""
RESTORE_EVERY_S = 30.0
"""While the journal cannot be read it is tried again this often."""
DRAWING_A = 1.0
MAX_STATUS = 50

type AskTokens = Callable[[str, JsonObject], Coroutine[Any, Any, JsonObject]]
"""Sends a call behind everything that somebody waits for."""


class Dialogue(ABC):
    """One charge point in one version. See `ocpp.conversation.Conversation`."""

    actions: Mapping[str, Action]
    """What answers its calls."""
    _limits: Limits

    def __init__(self, identity: str, services: Services, standing: Standing | None = None) -> None:
        """Begin without a connection.

        Args:
            standing: what is known of it from a conversation in another version.
        """
        self._identity = identity
        self._services = services
        self._clock = services.clock
        self._standing = standing or Standing(identity, services)
        self._link: RpcLink | None = None
        self._attached_at = 0.0
        self._ready = False
        self._pending_until = 0.0
        """Until then a charger whose boot was answered Pending is expected to boot again."""
        self._boots = 0
        self._set_up_for_boot: int | None = None
        self._look_closer = False
        """Whether something is still to be found out by trying, once nobody charges."""
        self._setting_up = asyncio.Lock()
        self._boot_triggered_at: float | None = None
        self._probed_at = 0.0
        self._restore_at = 0.0
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._on_demand = OnDemand(self._question)
        self.enrolment = Enrolment(
            identity,
            services.certifier,
            names=self._certified_names,
            bring=partial(self._ask, "CertificateSigned"),
            spawn=self._spawn,
            monotonic=services.clock.monotonic,
            log=self._standing.log,
        )
        self._keys = KeyGiver(identity, self._standing, self._take_key)
        self._security_actions = {
            "SignCertificate": Action(self.enrolment.asked),
        }
        self._station_on_demand = OnDemand(self._question)
        """Apart: a charge point without a meter of its own measures at its connectors all the same."""
        self._news = News(
            self._standing,
            journal=services.journal,
            clock=services.clock,
            charge_point_id=self._charge_point_id,
            terminals=self._terminals_of,
            on_demand=self._on_demand,
            station_on_demand=self._station_on_demand,
        )
        self._admittance = Admittance(
            identity,
            self._standing,
            services.authoriser,
            charge_point_id=self._charge_point_id,
            online=lambda: self.online,
            stop_running=self._stop_running,
            spawn=self._spawn,
        )
        self._token_keeper = TokenKeeper(
            identity,
            self._standing,
            hold=lambda policy: self._hold_tokens(policy, self._ask_tokens),
            ready=lambda: self.online and self._set_up_for_boot == self._boots and not self._setting_up.locked(),
            listing=services.listing,
            spawn=self._spawn,
        )

    def _limits_in(
        self,
        dialect: ProfileDialect,
        transaction_at: Callable[[int], TransactionKey | None],
        *,
        read_held: ReadHeld | None = None,
        supplied_phases: Callable[[int], int | None] = lambda _: None,
    ) -> Limits:
        """Return the limits of this charge point, spelled in a dialect; see `Limits`."""
        limits = Limits(
            dialect=dialect,
            read_held=read_held,
            supplied_phases=supplied_phases,
            ask_limit=self._ask_limit,
            ask=self._ask,
            clock=self._clock,
            charger_clock=self.charger_clock,
            transaction_at=transaction_at,
            busy=lambda connector: self._connector(connector).busy,
            proved_phases=lambda connector: self._connector(connector).proved_phases,
            forget_phases=lambda connector: self._connector(connector).forget_phases(),
            report=self._report,
            quirks=lambda: self.quirks,
            experience=self.experience,
        )
        limits.terminals = self._standing.terminals
        return limits

    # -- what a version adds ------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def version(self) -> OcppVersion:
        """Return the version that is spoken; for showing it only."""

    @abstractmethod
    async def _configure(self) -> None:
        """Bring its configuration to what we need, after a boot. Raises CallFailed."""

    async def _configure_station(self, interval_s: int) -> None:
        """Have it tell of its own meter so often, where the version has a way to say so. Raises CallFailed."""
        _LOGGER.debug("%s is asked for its own meter every %d s", self._identity, interval_s)

    @abstractmethod
    async def _take_key(self, key: str) -> tuple[bool, bool]:
        """Have it use a key; return whether it took it, and whether only after a restart. Raises CallFailed."""

    @abstractmethod
    async def _trigger_boot(self) -> bool:
        """Ask for a BootNotification; return whether it will come. Raises CallFailed other than CallRefused."""

    @abstractmethod
    async def _trigger_status(self) -> bool:
        """Ask for the state of all connectors; return whether it will come. Raises as above."""

    @abstractmethod
    async def _trigger_values(self, connector: int) -> bool:
        """Ask for the measurements of a connector; return whether they will come. Raises as above."""

    @abstractmethod
    async def _question(self, connector: int) -> JsonObject:
        """Ask for a measurement of a connector, after everything else. Raises CallFailed."""

    @abstractmethod
    async def _ask_something(self) -> None:
        """Ask something harmless, to hear whether it answers. Raises CallFailed."""

    @abstractmethod
    async def _stop_running(self, connector: int) -> None:
        """Stop the running transaction. Raises NotReachable, Refused."""

    @abstractmethod
    async def _hold_tokens(self, policy: TokenPolicy, ask: AskTokens) -> bool:
        """Bring what it decides without us to a policy; return whether it is. Raises CallFailed."""

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
        return self._standing.device

    @property
    def experience(self) -> Experience:
        """Return what was found out about it, and what is remembered of its model."""
        return self._standing.experience

    @property
    def known(self) -> Mapping[Topic, Known]:
        """Return what was found out about it, and what is remembered of its model."""
        return self.experience.all

    @property
    def quirks(self) -> frozenset[Quirk]:
        """Return what its make is known for."""
        return self._standing.quirks

    @property
    def connectors(self) -> Mapping[int, ConnectorState]:
        """Return the connectors that it has told of."""
        return self._standing.connectors

    @property
    def charger_clock(self) -> ChargerClock:
        """Return what is known of its clock."""
        return self._standing.charger_clock

    @property
    def expiry_error_s(self) -> float:
        """Return how much sooner or later than its validity a limit may end, for what is known of the clock."""
        return self.charger_clock.offset.uncertainty_s

    @property
    def kept_at_fallback(self) -> bool:
        """Return whether nobody is given more than the fallback here, since no limit would end by itself."""
        return self._limits.kept_at_fallback

    def found_out(self, topic: Topic, finding: str) -> None:
        """Take note of what was found out about it above the wire, for others of its model as well."""
        self.experience.learned(topic, finding)

    def is_overruled(self, connector: int) -> bool:
        """Return whether a profile of somebody else, which could not be taken out, may govern in place of ours."""
        return self._limits.rivals.govern(connector)

    @property
    def measures_on_demand(self) -> bool:
        """Return whether it sends a measurement when it is asked for one, as far as is known."""
        return self._on_demand.possible

    @property
    def station(self) -> StationMeasured | None:
        """Return what the meter of the charge point itself told last; None: it told nothing."""
        return self._standing.station

    def running_transaction(self, connector: int) -> int | None:
        """Return the id under which the transaction at a connector can be addressed."""
        return self._book.id_at(connector)

    def describe(self, terminals: Terminals) -> None:
        """Say what is known of a connector by configuration."""
        self._standing.terminals[terminals.connector] = terminals

    def limit_by_default_profile(self, *, wanted: bool) -> None:
        """Limit this charger by default profiles only: some ignore those of transactions."""
        self._limits.by_default_profile = wanted

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have facts reported, the present state at once; return what ends it."""
        for report in self.present_state():
            listener(report)
        return enlist(self._standing.listeners, listener)

    def present_state(self) -> Sequence[Report]:
        """Return the facts that describe the present state."""
        reports: list[Report] = [Reachable() if self.online else Unreachable()]
        for state in self.connectors.values():
            reports.extend(report for report in (state.status, state.measured) if report is not None)
        if self.station is not None:
            reports.append(self.station)
        reports.extend(opened(running, resumed=True) for running in self._book.running.values())
        return reports

    def _terminals_of(self, connector: int) -> Terminals:
        return self._limits.of(connector)

    def _charge_point_id(self) -> str:
        return self._services.charge_point_id(self._identity)

    @property
    def _book(self) -> TransactionBook:
        return self._standing.book

    @property
    def _log(self) -> CalmLog:
        return self._standing.log

    def _report(self, report: Report) -> None:
        self._standing.report(report)

    def _connector(self, connector: int) -> ConnectorState:
        return self._standing.connector(connector)

    # -- who it is for sure -------------------------------------------------------------------------------------------

    async def change_key(self, key: str) -> KeyOutcome:
        """Have it use another key. Raises NotReachable: it was not even asked."""
        if not self.online:
            raise NotReachable(self.identity)
        return await self._keys.change(key)

    async def request_certificate(self) -> None:
        """Have it ask for a certificate of its own. Raises NotReachable, Refused."""
        if not self.online:
            raise NotReachable(self.identity)
        action, message = TRIGGERS[self.version]
        try:
            answer = await self._ask(action, {"requestedMessage": message})
        except CallRefused as refusal:
            raise Refused(refusal.code) from None
        except CallFailed:
            raise NotReachable(self.identity) from None
        if answer.get("status") != "Accepted":
            raise Refused(str(answer.get("status"))[:MAX_STATUS])

    def _certified_names(self) -> tuple[str, ...]:
        """Return what it may be called in its certificate: its identity, or the serial number that it tells."""
        serial = self.device.serial
        return (self._identity,) if serial is None else (self._identity, serial)

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
        link.actions = {**self.actions, **self._security_actions}
        link.responsive_changed = self._responsive_changed
        self._limits.look_again()
        if device is not None:
            # It was told to wait; asked now, it need not wait for its interval to boot again.
            self._standing.device = device
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
        self._keys.provision(key, done)
        if self._set_up_for_boot == self._boots and self.online:
            self._spawn("key", self._keys.give)

    def keep_tokens(self, policy: TokenPolicy | None) -> None:
        """Say what it is to decide without us, soon and after each restart of it; None: that is left alone."""
        self._token_keeper.keep(policy)

    def want_station_values(self, interval_s: int) -> None:
        """Have it tell what its own meter reads so often, from now on and after each boot."""
        if self._standing.station_interval_s == interval_s:
            return
        self._standing.station_interval_s = interval_s
        if self._set_up_for_boot == self._boots and self.online:
            self._spawn("station", self._set_up_station)

    async def _set_up_station(self) -> None:
        interval_s = self._standing.station_interval_s
        if interval_s is None:
            return
        try:
            await self._configure_station(interval_s)
        except CallFailed as failure:
            self._log.warning("%s was not asked for its meter: %s", self._identity, type(failure).__name__)

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
        self._token_keeper.follow(now)
        self._end_stale_transactions(now)
        if self._look_closer and self.online and not self._book.running:
            self._look_closer = False
            self._spawn("look closer", self._find_out)

    async def _find_out(self) -> None:
        """Find out by trying what was left out while somebody charged."""
        async with self._services.setting_up, self._setting_up:
            try:
                await self._configure()
            except CallFailed as failure:
                self._log.warning("%s could not be looked at closer: %s", self._identity, type(failure).__name__)

    def leave(self) -> None:
        """End what is under way: from now on the charger is spoken to in another version."""
        if self._link is not None:
            self.detach(self._link)
        self._cancel()

    @property
    def under_way(self) -> bool:
        """Return whether anything runs for this conversation."""
        return bool(self._tasks)

    async def close(self) -> None:
        """End everything that runs for this conversation."""
        tasks = self._cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _cancel(self) -> list[asyncio.Task[None]]:
        self._admittance.close()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        return tasks

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
                    await self._configure()
                    if self._standing.station_interval_s is not None:
                        await self._configure_station(self._standing.station_interval_s)
                    self._set_up_for_boot = boot
                await self._keys.give()
            except CallFailed as failure:
                self._log.warning("%s could not be set up: %s", self._identity, type(failure).__name__)

    async def _ask_tokens(self, action: str, payload: JsonObject) -> JsonObject:
        return await self._require_link().call(action, payload, priority=Priority.ROUTINE)

    async def _ask_to_boot(self) -> None:
        self._boot_triggered_at = self._clock.monotonic()
        try:
            if await self._trigger_boot():
                return
        except CallFailed:
            return
        self._boot_triggered_at = None

    async def _ask_for_state(self) -> None:
        """Ask for state and measurements; that comes first, for with it the charger's clock gets known."""
        if self.device == DeviceFacts():
            self._boot_triggered_at = self._clock.monotonic()
            if not await self._trigger_boot():
                self._boot_triggered_at = None
        self._on_demand.begin(answers=False)
        answers = await self._trigger_status()
        self._on_demand.begin(answers=answers)
        self._station_on_demand.begin(answers=answers)
        self.experience.learned(Topic.STATUS_ON_DEMAND, ABLE if answers else UNABLE)
        if not answers:
            return
        for connector in sorted(self._book.running):
            await self._trigger_values(connector)

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
            await self._ask_something()
        except CallFailed:
            return

    def _end_stale_transactions(self, now: float) -> None:
        standing = self._standing
        if not standing.book.running:
            return
        for connector, running in list(standing.book.running.items()):
            state = standing.connectors.get(connector)
            if state is None or state.status is None or state.status.status != "Available" or not self.online:
                continue
            drawing = state.measured is not None and max(state.measured.amps) >= DRAWING_A
            silent_s = self._clock.time() - running.seen_at
            patience_s = self._stale_after_s(connector)
            if not drawing and min(now - state.status_at, silent_s) >= patience_s:
                end = partial(self._book.end_stale, connector, running.stored.transaction_id)
                self._spawn(f"end at {connector}", end)

    def _stale_after_s(self, connector: int) -> float:  # noqa: ARG002 - versions differ in what they tell of it
        """Return how long a transaction may be open at a connector that is said to be free."""
        return STALE_AFTER_S

    def _spawn(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin some work, unless the same is already under way."""
        if what not in self._tasks:
            task = asyncio.get_running_loop().create_task(work())
            self._tasks[what] = task
            task.add_done_callback(lambda _: self._tasks.pop(what, None))

    # -- what it tells ------------------------------------------------------------------------------------------------

    def _take_boot(self, device: DeviceFacts, *, triggered: bool = False) -> JsonObject:
        """Take note of a boot and return the answer, which has the same words in every version.

        Args:
            triggered: the charger says that it was only asked to tell who it is.
        """
        self._standing.device = device
        accepted = self._clock.synchronised()
        if accepted:
            self._pending_until = 0.0
            asyncio.get_running_loop().call_soon(self._booted, self._link, triggered)
        else:
            self._pending_until = self._clock.monotonic() + PENDING_PATIENCE_S
        return {
            "status": "Accepted" if accepted else "Pending",
            "currentTime": stamp(self._clock.time()),
            "interval": self._services.wanted.heartbeat_interval_s if accepted else PENDING_INTERVAL_S,
        }

    def _booted(self, link: RpcLink | None, triggered: bool) -> None:  # noqa: FBT001 - called by the loop
        """Take note of a boot after it was answered."""
        if link is None or link is not self._link:
            return
        triggered_at, self._boot_triggered_at = self._boot_triggered_at, None
        own = triggered or (triggered_at is not None and self._clock.monotonic() - triggered_at < OWN_TRIGGER_S)
        if not own:
            self._boots += 1
            self._token_keeper.restarted()
            self.charger_clock.forget()
            self._limits.forget()
            self.experience.forget()
            self._report(Rebooted(device=self.device))
            if self._ready:
                self._spawn(f"set up after boot {self._boots}", self._set_up)
        self._become_ready()

    def _heartbeat(self, _payload: JsonObject) -> JsonObject:
        self._spoke()
        return {"currentTime": stamp(self._clock.time())}

    def _security_event(self, payload: JsonObject) -> JsonObject:
        self._spoke()
        self._news.take_notice(security_event(payload))
        return {}

    def _spoke(self) -> None:
        """A message that only a charger sends which has booted before."""
        if not self._ready and self._link is not None:
            asyncio.get_running_loop().call_soon(self._become_ready)

    # -- what it is asked ---------------------------------------------------------------------------------------------

    async def hold_limit(self, connector: int, wish: LimitWish) -> Outcome:
        """Make the connector draw no more than a limit. Never raises."""
        return await self._limits.hold(connector, wish) if self.online else Outcome.NOT_SENT

    def profile_writes(self, connector: int) -> ProfileWrites:
        """Return how many profiles it was sent for a connector."""
        return self._limits.writes(connector)

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

    async def measure_station(self) -> None:
        """Ask what its own meter reads now; everything else goes before that. Raises NotReachable, Refused."""
        if not self.online:
            raise NotReachable(self.identity)
        if not self._station_on_demand.possible:
            raise Refused("TriggerMessage")
        try:
            await self._station_on_demand.ask(STATION)
        except CallFailed:
            raise NotReachable(self.identity) from None

    async def _ask(self, action: str, payload: JsonObject) -> JsonObject:
        return await self._require_link().call(action, payload)

    async def _ask_operation(self, action: str, payload: JsonObject) -> JsonObject:
        """Send an operation that somebody asks for; a boot that it triggers is no restart."""
        if payload.get("requestedMessage") == "BootNotification":
            self._boot_triggered_at = self._clock.monotonic()
        return await self._ask(action, payload)

    async def _ask_trigger(self, payload: JsonObject) -> bool:
        """Ask for a message; return whether it will come. Raises CallFailed other than CallRefused."""
        try:
            answer = await self._ask("TriggerMessage", payload)
        except CallRefused:
            return False
        return answer.get("status") == "Accepted"

    async def _ask_question(self, connector: int, payload: JsonObject) -> JsonObject:
        key = ("measure", connector)
        return await self._require_link().call("TriggerMessage", payload, priority=Priority.QUESTION, replaces=key)

    async def _ask_limit(self, connector: int, compose: Compose, late: Late) -> JsonObject:
        return await self._require_link().call(
            "SetChargingProfile", compose, priority=Priority.LIMIT, replaces=("limit", connector), late=late
        )

    def _require_link(self) -> RpcLink:
        if self._link is None:
            raise CallNotSent("there is no connection")
        return self._link
