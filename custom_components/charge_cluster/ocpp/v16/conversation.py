"""The conversation with one charge point in OCPP 1.6: it answers what the charger tells (table `actions`), and asks.

What is the same in every version is in `ocpp.dialogue`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import override

from ..conversation import Progress, StatusReported
from ..dialogue import AskTokens, Dialogue
from ..frames import ErrorCode, JsonObject
from ..local_list import TokenPolicy
from ..metering import read_samples
from ..protocols import Authorisation, AuthorisationStatus, JournalUnavailable, Purpose
from ..quirks import Quirk
from ..rpc import Action, CallFault
from ..standing import STATION, Services, Standing
from ..times import stamp
from ..transactions import StartNotice
from ..versions import OcppVersion
from . import requests
from .commands import Commands16
from .configuration import AUTHORISATION_KEY, Configuration, align, change, set_up
from .dialect import Dialect16
from .local_list import hold_tokens
from .notices import read_boot, read_id_tag, read_meter_values, read_progress, read_start, read_status, read_stop
from .operations import Operations16
from .requests import Triggered

_PROGRESS = {
    "DiagnosticsStatusNotification": Progress.DIAGNOSTICS,
    "LogStatusNotification": Progress.LOG,
    "FirmwareStatusNotification": Progress.FIRMWARE,
    "SignedFirmwareStatusNotification": Progress.FIRMWARE,
}


class Conversation16(Dialogue, Commands16):
    """One charge point that speaks OCPP 1.6. See `ocpp.conversation.Conversation`."""

    def __init__(self, identity: str, services: Services, standing: Standing | None = None) -> None:
        """Begin without a connection.

        Args:
            standing: what is known of it from a conversation in another version.
        """
        super().__init__(identity, services, standing)
        self._configuration = Configuration()
        self.operations = Operations16(
            identity=identity, online=lambda: self.online, ask=self._ask_operation, clock=services.clock
        )
        self._limits = self._limits_in(Dialect16(self._configuration), self.running_transaction)
        self.actions = {
            "BootNotification": Action(self._boot),
            "Heartbeat": Action(self._heartbeat),
            "StatusNotification": Action(self._status),
            "Authorize": Action(self._authorise),
            "StartTransaction": Action(self._start_transaction, once=True),
            "StopTransaction": Action(self._stop_transaction, once=True),
            "MeterValues": Action(self._meter_values, once=True),
            "DataTransfer": Action(_unknown_vendor),
            "SecurityEventNotification": Action(self._security_event),
            **{message: Action(partial(self._progressed, message)) for message in _PROGRESS},
        }

    @property
    def version(self) -> OcppVersion:
        """Return the version that is spoken; for showing it only."""
        return OcppVersion.V16

    @override
    def running_transaction(self, connector: int) -> int | None:
        """Return the id under which the transaction at a connector can be addressed."""
        return None if self._standing.is_starting(connector) else super().running_transaction(connector)

    @property
    def configuration(self) -> Configuration:
        """Return its configuration keys as far as they are known."""
        return self._configuration

    # -- setting up ---------------------------------------------------------------------------------------------------

    async def _configure(self) -> None:
        self._look_closer = not await set_up(
            self._ask,
            self.configuration,
            self._services.wanted,
            self.experience,
            few_measurands=Quirk.NEEDED_MEASURANDS_ONLY in self.quirks,
            may_try=not self._book.running,
        )

    async def _hold_tokens(self, policy: TokenPolicy, ask: AskTokens) -> bool:
        return await hold_tokens(ask, self.configuration, self._token_keeper.list, policy)

    async def _configure_station(self, interval_s: int) -> None:
        await align(self._ask, self.configuration, interval_s)

    async def _take_key(self, key: str) -> tuple[bool, bool]:
        taken = await change(self._ask, self.configuration, AUTHORISATION_KEY, key)
        return taken, AUTHORISATION_KEY in self.configuration.restart_needed

    async def _trigger_boot(self) -> bool:
        return await self._ask_trigger(requests.trigger_message(Triggered.BOOT))

    async def _trigger_status(self) -> bool:
        return await self._ask_trigger(requests.trigger_message(Triggered.STATUS))

    async def _trigger_values(self, connector: int) -> bool:
        return await self._ask_trigger(requests.trigger_message(Triggered.METER_VALUES, connector))

    async def _question(self, connector: int) -> JsonObject:
        # Without a connector it is about all of them, and that of the charge point itself is among these.
        return await self._ask_question(connector, requests.trigger_message(Triggered.METER_VALUES, connector or None))

    async def _stop_running(self, connector: int) -> None:
        await self.stop(connector)

    async def _ask_something(self) -> None:
        await self._ask("GetConfiguration", requests.get_configuration(["HeartbeatInterval"]))

    # -- what it tells ------------------------------------------------------------------------------------------------

    def _boot(self, payload: JsonObject) -> JsonObject:
        return self._take_boot(read_boot(payload))

    def _status(self, payload: JsonObject) -> JsonObject:
        notice = read_status(payload)
        if notice.stamped_at is not None:
            self.charger_clock.saw(notice.stamped_at, self._clock.time())
        if notice.status == "Available":
            self._book.gone_from(notice.connector)
            self.operations.connector_free(notice.connector)
        if notice.connector > 0:
            self._news.take_status(StatusReported(connector=notice.connector, status=notice.status, error=notice.error))
        return {}

    def _progressed(self, message: str, payload: JsonObject) -> JsonObject:
        self._spoke()
        self.operations.heard(message, payload)
        self._news.take_progress(read_progress(_PROGRESS[message], payload))
        return {}

    async def _authorise(self, payload: JsonObject) -> JsonObject:
        return {"idTagInfo": _id_tag_info(await self._admittance.judge(read_id_tag(payload)))}

    async def _start_transaction(self, payload: JsonObject) -> JsonObject:
        self._spoke()
        notice = read_start(payload)
        notice = replace(notice, meter_start_wh=self._standing.register_wh(notice.meter_start_wh))
        if notice.stamped_at is not None:
            self.charger_clock.saw(notice.stamped_at, self._clock.time())
        self._standing.begin_start(notice.connector)
        try:
            return await self._started(notice)
        finally:
            # Not before the answer is on the wire.
            asyncio.get_running_loop().call_soon(self._standing.end_start, notice.connector)

    async def _started(self, notice: StartNotice) -> JsonObject:
        try:
            stored = await self._book.start(notice)
        except JournalUnavailable:
            raise CallFault(ErrorCode.INTERNAL_ERROR, "the start could not be stored, send it again") from None
        if notice.reservation_id is not None:
            self.operations.reservation_over(notice.reservation_id)
        # Whoever is to decide may take their time; the record does not wait for it.
        authorisation = await self._admittance.judge(
            notice.id_tag,
            purpose=Purpose.START,
            connector=notice.connector,
            age_s=self._standing.age(notice.stamped_at),
        )
        if authorisation.status is not AuthorisationStatus.ACCEPTED:
            self._admittance.end_later(notice.connector, stored.transaction_id)
        return {"transactionId": stored.transaction_id, "idTagInfo": _id_tag_info(authorisation)}

    async def _stop_transaction(self, payload: JsonObject) -> JsonObject:
        self._spoke()
        notice = read_stop(payload)
        notice = replace(notice, meter_stop_wh=self._standing.register_wh(notice.meter_stop_wh))
        connector = self._book.connector_of(notice.transaction_id)
        try:
            await self._book.stop(notice)
        except JournalUnavailable:
            raise CallFault(ErrorCode.INTERNAL_ERROR, "the end could not be stored, send it again") from None
        if connector is not None:
            samples = read_samples(notice.values, wh_means=self._standing.wh_means)
            self._news.record(connector, notice.transaction_id, samples)
        if notice.id_tag is None:
            return {}
        return {
            "idTagInfo": _id_tag_info(
                await self._admittance.judge(notice.id_tag, purpose=Purpose.STOP, connector=connector)
            )
        }

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
        for sample in samples:
            self._news.take_sample(notice.connector, sample, arrived)
        if notice.connector == STATION:
            return {}
        transaction_id = notice.transaction_id or self.running_transaction(notice.connector)
        if transaction_id is not None:
            self._news.record(notice.connector, transaction_id, samples)
            if self._book.saw(notice.connector, transaction_id, newest.energy_wh, arrived):
                adopt = partial(self._adopt, notice.connector, transaction_id, newest.energy_wh, arrived)
                self._spawn(f"adopt at {notice.connector}", adopt)
        return {}

    async def _adopt(self, connector: int, transaction_id: int, register_wh: float | None, at: float) -> None:
        try:
            await self._book.adopt(connector, transaction_id, register_wh, at)
        except JournalUnavailable:
            self._log.warning("A transaction of %s cannot be taken up yet", self._identity)


def _id_tag_info(authorisation: Authorisation) -> JsonObject:
    status = authorisation.status
    info: JsonObject = {
        "status": (AuthorisationStatus.INVALID if status is AuthorisationStatus.UNKNOWN else status).value
    }
    if authorisation.parent_id_tag is not None:
        info["parentIdTag"] = authorisation.parent_id_tag[: requests.ID_TAG_LENGTH]
    if authorisation.expires_at is not None:
        info["expiryDate"] = stamp(authorisation.expires_at)
    return info


def _unknown_vendor(_payload: JsonObject) -> JsonObject:
    return {"status": "UnknownVendorId"}
