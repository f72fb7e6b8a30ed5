"""The conversation with one charge point in OCPP 2.0.1 or 2.1: it answers what the charger tells, and asks.

What is the same in every version is in `ocpp.dialogue`. Our connector is the charger's EVSE. A charger gives its
transactions ids of its own; ours stand for them everywhere above. For a limit or a command its own one is used, also
for a transaction that could not be stored yet.

An event of a transaction is stored before it is answered. Events come in any order: a charger that was offline tells of
the past, an end may come before its start, and of a transaction that went on while we were not there only what is new
is told. So each is taken for what it says, by the time at which it happened, and none is needed for another.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import override

from ..asking import PARTS
from ..conversation import ConnectorShown, Progress, StatusReported
from ..dialogue import AskTokens, Dialogue
from ..frames import ErrorCode, JsonObject
from ..local_list import TokenPolicy
from ..metering import Sample, read_samples
from ..protocols import Authorisation, AuthorisationStatus, JournalUnavailable, Purpose, StoredTransaction
from ..quirks import Quirk
from ..reading import MAX_CONNECTORS
from ..rpc import Action, Answer, CallFault, CallRefused
from ..standing import STATION, Services, Standing
from ..times import stamp
from ..tokens import TokenType
from ..transactions import STALE_AFTER_S, StartNotice, StopNotice
from ..versions import OcppVersion
from . import requests
from .commands import Commands2
from .courtesies import courtesies
from .device_model import BASIC_AUTH_PASSWORD, HEARTBEAT_INTERVAL, DeviceModel, align, change, set_up
from .evses import AVAILABLE, EvseState
from .local_list import hold_tokens
from .notices import (
    PROGRESS,
    EventKind,
    EventNotice,
    StatusNotice,
    Token,
    read_boot,
    read_event,
    read_meter_values,
    read_monitors,
    read_progress,
    read_states,
    read_status,
    read_token,
    was_triggered,
)
from .operations import Operations2
from .profiles import Dialect2
from .requests import Triggered
from .smart_charging import SmartCharging

IDLE_PATIENCE_S = 900.0
"""A transaction that was authorised may wait for its vehicle for so long."""
REMEMBERED_ENDED = 64
MOST_REQUEST_ID = 2**31 - 1
GROUP_LENGTH = 36
_STOPPING = frozenset({"StopAuthorized", "Deauthorized"})


class Conversation2(Dialogue, Commands2):
    """One charge point that speaks OCPP 2.0.1 or 2.1. See `ocpp.conversation.Conversation`."""

    def __init__(
        self, identity: str, services: Services, version: OcppVersion, standing: Standing | None = None
    ) -> None:
        """Begin without a connection.

        Args:
            version: one of the second generation.
            standing: what is known of it from a conversation in another version.
        """
        super().__init__(identity, services, standing)
        self._version = version
        self.device_model = DeviceModel()
        self._evses: dict[int, EvseState] = {}
        self._told: dict[int, str] = {}
        """EVSE → the charger's id of a transaction that runs there and is not stored yet."""
        self._ended: OrderedDict[str, float] = OrderedDict()
        """The charger's ids of transactions that ended, and when."""
        self._lane = asyncio.Lock()
        self._by_event = True
        """Whether a measurement in a transaction is asked for as an event of it."""
        dialect = Dialect2(
            self.device_model.smart_charging,
            lambda: self.device_model.evses,
            speaks_21=version is OcppVersion.V21,
        )
        smart_charging = SmartCharging(
            self._ask,
            self._report,
            now=self._clock.time,
            clock_offset_s=lambda: self.charger_clock.offset.offset_s,
            runs_at=self._runs_at,
            speaks_21=version is OcppVersion.V21,
        )
        self._limits = self._limits_in(
            dialect,
            self.own_id_at,
            read_held=smart_charging.inventory.read,
            supplied_phases=self.device_model.supply_phases,
        )
        self.operations = Operations2(
            version,
            identity=identity,
            online=lambda: self.online,
            ask=self._ask_operation,
            clock=services.clock,
            evses=self._known_evses,
            plugged=self._plugged_connector,
        )
        self.actions = {
            **courtesies(version),
            **smart_charging.actions,
            "BootNotification": Action(self._boot),
            "Heartbeat": Action(self._heartbeat),
            "StatusNotification": Action(self._status),
            "NotifyEvent": Action(self._event_of_parts),
            "NotifyReport": Action(self._report_of_parts),
            "Authorize": Action(self._authorise),
            "TransactionEvent": Action(self._transaction_event, once=True),
            "MeterValues": Action(self._meter_values, once=True),
            "SecurityEventNotification": Action(self._security_event),
            **{message: Action(partial(self._progressed, message)) for message in PROGRESS},
        }
        for message in set(PARTS.values()) & self.actions.keys():
            self.actions[message] = Action(partial(self._part, message, self.actions[message].answer))

    @property
    def version(self) -> OcppVersion:
        """Return the version that is spoken; for showing it only."""
        return self._version

    def own_id_at(self, connector: int) -> str | None:
        """Return the charger's own id of the transaction at an EVSE, stored or not."""
        told = self._told.get(connector)
        if told is not None:
            return told
        running = self._book.running.get(connector)
        return running.stored.charger_id if running is not None else None

    def _runs_at(self, transaction: str) -> int | None:
        """Return the EVSE at which a transaction runs, by the charger's own id of it."""
        evses = (*self._told, *self._book.running)
        return next((evse for evse in evses if transaction and self.own_id_at(evse) == transaction), None)

    # -- setting up ---------------------------------------------------------------------------------------------------

    async def _configure(self) -> None:
        self._look_closer = not await set_up(
            self._ask,
            self.device_model,
            self._services.wanted,
            1 + secrets.randbelow(MOST_REQUEST_ID),
            self.experience,
            few_measurands=Quirk.NEEDED_MEASURANDS_ONLY in self.quirks,
            may_try=not (self._book.running or self._told),
        )

    async def _hold_tokens(self, policy: TokenPolicy, ask: AskTokens) -> bool:
        return await hold_tokens(ask, self.device_model, self._token_keeper.list, policy, self._version)

    @override
    async def _ask_for_state(self) -> None:
        await super()._ask_for_state()
        for evse, running in list(self._book.running.items()):
            if running.stored.charger_id is not None:
                await self._ask_for_transaction(evse, running.stored, running.stored.charger_id)

    async def _ask_for_transaction(self, evse: int, stored: StoredTransaction, own_id: str) -> None:
        """End a transaction that the charger has not any more and has nothing left to tell of."""
        try:
            answer = await self._ask("GetTransactionStatus", requests.get_transaction_status(own_id))
        except CallRefused:
            return
        if answer.get("ongoingIndicator") is False and answer.get("messagesInQueue") is False:
            await self._book.end_stale(evse, stored.transaction_id)
            self._tell_state(evse)

    async def _configure_station(self, interval_s: int) -> None:
        await align(self._ask, self.device_model, interval_s)

    async def _take_key(self, key: str) -> tuple[bool, bool]:
        taken = await change(self._ask, self.device_model, BASIC_AUTH_PASSWORD, key)
        return taken, BASIC_AUTH_PASSWORD in self.device_model.restart_needed

    async def _trigger_boot(self) -> bool:
        return await self._ask_trigger(requests.trigger_message(Triggered.BOOT))

    async def _trigger_status(self) -> bool:
        """Ask for the state of each EVSE: the specification wants one named, and its connector."""
        answered = [
            await self._ask_trigger(requests.trigger_message(Triggered.STATUS, evse, self._plugged_connector(evse)))
            for evse in self._known_evses()
        ]
        return any(answered)

    async def _trigger_values(self, connector: int) -> bool:
        return await self._ask_trigger(requests.trigger_message(self._values_of(connector), connector))

    async def _question(self, connector: int) -> JsonObject:
        asked = self._values_of(connector)
        answer = await self._ask_question(connector, requests.trigger_message(asked, connector))
        if asked is Triggered.TRANSACTION and answer.get("status") != "Accepted":
            self._by_event = False
            answer = await self._ask_question(connector, requests.trigger_message(Triggered.METER_VALUES, connector))
        return answer

    def _values_of(self, connector: int) -> Triggered:
        in_transaction = self._by_event and self.own_id_at(connector) is not None
        return Triggered.TRANSACTION if in_transaction else Triggered.METER_VALUES

    async def _stop_running(self, connector: int) -> None:
        await self.stop(connector)

    async def _ask_something(self) -> None:
        await self._ask("GetVariables", requests.get_variables([HEARTBEAT_INTERVAL]))

    async def _refresh_once(self) -> bool:
        told = await self._trigger_status()
        for evse in self._known_evses():
            told = await self._trigger_values(evse) or told
        return told

    def _known_evses(self) -> list[int]:
        """Return the EVSEs that were configured, told of, or counted; the first one where there is nothing to go by."""
        counted = range(1, (self.device_model.evses or 0) + 1)
        known = {*self._standing.terminals, *self._evses, *counted} - {0}
        return sorted(known) or [1]

    def _plugged_connector(self, evse: int) -> int:
        state = self._evses.get(evse)
        return state.occupied_connector if state is not None else 1

    def _stale_after_s(self, connector: int) -> float:
        state = self._evses.get(connector)
        waits = state is not None and state.charging_state == "Idle"
        return IDLE_PATIENCE_S if waits else STALE_AFTER_S

    # -- what it tells ------------------------------------------------------------------------------------------------

    def _boot(self, payload: JsonObject) -> JsonObject:
        triggered = was_triggered(payload)
        if not triggered:
            for state in self._evses.values():
                state.restarted()
        return self._take_boot(read_boot(payload), triggered=triggered)

    def _status(self, payload: JsonObject) -> JsonObject:
        self._take_connector(read_status(payload))
        return {}

    def _event_of_parts(self, payload: JsonObject) -> JsonObject:
        for notice in read_states(payload):
            self._take_connector(notice)
        for noticed in read_monitors(payload):
            self._news.take_notice(noticed)
        return {}

    def _report_of_parts(self, payload: JsonObject) -> JsonObject:
        known = self.device_model.evse_numbers
        self.device_model.take_report(payload)
        for evse in sorted(self.device_model.evse_numbers - known):
            if 0 < evse <= MAX_CONNECTORS:
                self._report(ConnectorShown(connector=evse))
        return {}

    def _part(self, message: str, take: Callable[[JsonObject], Answer], payload: JsonObject) -> Answer:
        """Hand a part of a report to whoever waits for it, besides what it means to us."""
        self.operations.heard(message, payload)
        return take(payload)

    def _progressed(self, message: str, payload: JsonObject) -> JsonObject:
        self._spoke()
        self.operations.heard(message, payload)
        progressed = read_progress(message, payload)
        self._news.take_progress(progressed)
        if progressed is not None and progressed.what is Progress.RESERVATION and progressed.request_id is not None:
            self.operations.reservation_over(progressed.request_id)
        return {}

    def _take_connector(self, notice: StatusNotice) -> None:
        if notice.stamped_at is not None:
            self.charger_clock.saw(notice.stamped_at, self._clock.time())
        if notice.evse == 0:
            return
        evse = self._evse(notice.evse)
        evse.take_connector(notice.connector, notice.status)
        if evse.merged == AVAILABLE:
            self.operations.connector_free(notice.evse)
        if evse.merged == AVAILABLE and notice.evse not in self._book.running:
            self._told.pop(notice.evse, None)
        self._tell_state(notice.evse)

    def _evse(self, number: int) -> EvseState:
        return self._evses.setdefault(number, EvseState())

    def _tell_state(self, evse: int) -> None:
        word = self._evse(evse).word(transaction=self.own_id_at(evse) is not None)
        if word is not None:
            self._news.take_status(StatusReported(connector=evse, status=word, error=None))

    async def _authorise(self, payload: JsonObject) -> JsonObject:
        return {"idTokenInfo": _token_info(await self._judge(read_token(payload)))}

    def _meter_values(self, payload: JsonObject) -> JsonObject:
        self._spoke()
        notice = read_meter_values(payload)
        samples = read_samples(notice.values, wh_means=self._standing.wh_means)
        if not samples:
            return {}
        arrived = self._clock.time()
        newest = samples[-1]
        if newest.stamped_at is not None:
            self.charger_clock.saw(newest.stamped_at, arrived)
        self._take_samples(notice.evse, samples, arrived)
        if notice.evse == STATION:
            return {}
        transaction_id = self.running_transaction(notice.evse)
        if transaction_id is not None:
            self._news.record(notice.evse, transaction_id, samples)
            self._book.saw(notice.evse, transaction_id, newest.energy_wh, arrived)
        return {}

    def _take_samples(self, evse: int, samples: list[Sample], arrived: float) -> None:
        for sample in samples:
            self._news.take_sample(evse, sample, arrived)

    # -- transactions -------------------------------------------------------------------------------------------------

    async def _transaction_event(self, payload: JsonObject) -> JsonObject:
        self._spoke()
        notice = read_event(payload)
        arrived = self._clock.time()
        if notice.stamped_at is not None and not notice.offline:
            self.charger_clock.saw(notice.stamped_at, arrived)
        samples = read_samples(notice.values, wh_means=self._standing.wh_means)
        evse = self._evse_of(notice)
        if evse is not None:
            self._follow(notice, evse, samples, arrived)
        try:
            async with self._lane:
                stored = await self._store(notice, evse, samples, arrived)
        except JournalUnavailable:
            raise CallFault(ErrorCode.INTERNAL_ERROR, "the event could not be stored, send it again") from None
        if evse is not None:
            self._settle(notice, evse, stored)
            self._tell_state(evse)
        if stored is not None:
            self._news.record(stored.connector, stored.transaction_id, samples)
        if notice.token is None:
            return {}
        return {"idTokenInfo": _token_info(await self._judge_event(notice, notice.token, evse, stored))}

    def _evse_of(self, notice: EventNotice) -> int | None:
        """Return where a transaction is: often only its start tells."""
        if notice.evse is not None:
            return notice.evse
        running = self._book.of_charger(notice.own_id)
        if running is not None:
            return running.stored.connector
        told = next((evse for evse, own_id in self._told.items() if own_id == notice.own_id), None)
        known = self._known_evses()
        return known[0] if told is None and len(known) == 1 else told

    def _follow(self, notice: EventNotice, evse: int, samples: list[Sample], arrived: float) -> None:
        """Take what an event says of the present, if it is about it, before anything has to wait for a disk."""
        at = arrived if notice.stamped_at is None else notice.stamped_at
        present = self._is_present(notice, evse, at)
        if notice.kind is EventKind.ENDED:
            self._note_ended(notice.own_id, at)
            if self._told.get(evse) == notice.own_id:
                del self._told[evse]
            if present:
                self._evse(evse).transaction_ended()
        elif present:
            if notice.kind is EventKind.STARTED and self.own_id_at(evse) != notice.own_id:
                self._evse(evse).begin()
            self._told[evse] = notice.own_id
            self._evse(evse).take_event(notice.charging_state, notice.trigger, at)
            self._tell_state(evse)
        if present or notice.own_id == self.own_id_at(evse):
            if samples:
                self._book.begin_register(notice.own_id, _first_register(samples))
            self._take_samples(evse, samples, arrived)

    def _settle(self, notice: EventNotice, evse: int, stored: StoredTransaction | None) -> None:
        """Take note that an event is stored: what runs is in the book now, and what does not has no state."""
        if self._told.get(evse) == notice.own_id:
            del self._told[evse]
        over = stored is not None and stored.stopped_at is not None
        if over and notice.kind is not EventKind.ENDED and evse not in self._book.running:
            self._evse(evse).charging_state = None

    def _is_present(self, notice: EventNotice, evse: int, at: float) -> bool:
        """Return whether an event is about the transaction that runs at an EVSE, or about a newer one."""
        if notice.kind is not EventKind.ENDED and at <= self._ended.get(notice.own_id, -1.0):
            return False
        running = self._book.running.get(evse)
        if running is None or running.stored.charger_id == notice.own_id:
            told = self._told.get(evse)
            return told is None or told == notice.own_id or notice.kind is not EventKind.ENDED
        return notice.kind is not EventKind.ENDED and at > running.stored.started_at

    def _note_ended(self, own_id: str, at: float) -> None:
        self._ended[own_id] = at
        while len(self._ended) > REMEMBERED_ENDED:
            self._ended.popitem(last=False)

    async def _store(
        self, notice: EventNotice, evse: int | None, samples: list[Sample], arrived: float
    ) -> StoredTransaction | None:
        """Store what an event says. Raises JournalUnavailable."""
        match notice.kind:
            case EventKind.STARTED:
                if notice.reservation_id is not None:
                    self.operations.reservation_over(notice.reservation_id)
                return await self._book.start(self._start_of(notice, evse or 0, _first_register(samples)))
            case EventKind.UPDATED:
                return await self._store_update(notice, evse, samples, arrived)
            case EventKind.ENDED:
                return await self._store_end(notice, evse, samples)

    async def _store_update(
        self, notice: EventNotice, evse: int | None, samples: list[Sample], arrived: float
    ) -> StoredTransaction | None:
        at = arrived if notice.stamped_at is None else notice.stamped_at
        running = self._book.of_charger(notice.own_id)
        if running is None:
            if at <= self._ended.get(notice.own_id, -1.0):
                return await self._book.find(notice.own_id)
            start = self._start_of(notice, evse or 0, _first_register(samples))
            stored = await self._book.adopt_event(start)
            running = self._book.of_charger(notice.own_id)
            if running is None:
                return stored
        stored = running.stored
        register_wh = samples[-1].energy_wh if samples else None
        self._book.saw(stored.connector, stored.transaction_id, register_wh, at if notice.offline else arrived)
        shown = notice.token.text if notice.token is not None else None
        names = shown is not None and stored.id_tag is None and notice.trigger not in _STOPPING
        await self._book.complete(stored.connector, id_tag=shown if names else None)
        return running.stored

    async def _store_end(
        self, notice: EventNotice, evse: int | None, samples: list[Sample]
    ) -> StoredTransaction | None:
        running = self._book.of_charger(notice.own_id)
        if running is not None:
            stored = running.stored
        else:
            # Its start was told when we were not there, or comes later, or never.
            stored = await self._book.take_in(self._start_of(notice, evse or 0, _first_register(samples)))
        register_wh = _last_register(samples)
        if register_wh is None and running is None:
            register_wh = max(stored.last_meter_wh or 0, stored.meter_start_wh)
        return await self._book.stop(
            StopNotice(
                transaction_id=stored.transaction_id,
                id_tag=notice.token.text if notice.token is not None else None,
                meter_stop_wh=None if register_wh is None else round(register_wh),
                stamped_at=notice.stamped_at,
                reason=notice.reason or "Local",
            )
        )

    def _start_of(self, notice: EventNotice, evse: int, register_wh: float | None) -> StartNotice:
        """Return the start of a transaction as far as an event tells it."""
        shown = notice.token.text if notice.token is not None else None
        return StartNotice(
            connector=evse,
            id_tag=None if notice.kind is EventKind.ENDED else shown,
            meter_start_wh=None if register_wh is None else round(register_wh),
            stamped_at=notice.stamped_at,
            reservation_id=notice.reservation_id,
            charger_id=notice.own_id,
        )

    async def _judge(
        self, token: Token | None, *, purpose: Purpose = Purpose.ASK, evse: int | None = None, age_s: float = 0.0
    ) -> Authorisation:
        if token is None:
            return Authorisation(status=AuthorisationStatus.INVALID)
        shown = "" if token.kind is TokenType.NO_AUTHORISATION else token.text
        return await self._admittance.judge(shown, kind=token.kind, purpose=purpose, connector=evse, age_s=age_s)

    async def _judge_event(
        self, notice: EventNotice, token: Token, evse: int | None, stored: StoredTransaction | None
    ) -> Authorisation:
        """Have the token in an event judged; a transaction that is refused must not go on."""
        stops = notice.kind is EventKind.ENDED or notice.trigger in _STOPPING
        authorisation = await self._judge(
            token,
            purpose=Purpose.STOP if stops else Purpose.START,
            evse=evse,
            age_s=self._standing.age(notice.stamped_at),
        )
        refused = authorisation.status is not AuthorisationStatus.ACCEPTED and not stops
        if refused and stored is not None and stored.connector > 0:
            self._admittance.end_later(stored.connector, stored.transaction_id)
        return authorisation


def _first_register(samples: list[Sample]) -> float | None:
    """Return the register at the beginning of what was measured."""
    return next((sample.energy_wh for sample in samples if sample.energy_wh is not None), None)


def _last_register(samples: list[Sample]) -> float | None:
    told = [sample.energy_wh for sample in samples if sample.energy_wh is not None]
    return max(told) if told else None


def _token_info(authorisation: Authorisation) -> JsonObject:
    info: JsonObject = {"status": authorisation.status.value}
    if authorisation.parent_id_tag is not None:
        group = authorisation.parent_id_tag[:GROUP_LENGTH]
        info["groupIdToken"] = {"idToken": group, "type": TokenType.CENTRAL.value}
    if authorisation.expires_at is not None:
        info["cacheExpiryDateTime"] = stamp(authorisation.expires_at)
    return info
