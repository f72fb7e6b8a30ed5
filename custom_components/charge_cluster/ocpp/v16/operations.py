"""The operations in OCPP 1.6, with those of the security whitepaper. See `ocpp.operations`.

What a charge point knows is found by asking: one that has no `GetLog` is asked for its diagnostics in the old way, one
without signed updates takes plain ones only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import override

from ..asking import NOT_KNOWN, REDACTED
from ..conversation import Refused
from ..forbidden import forbid_setting, is_secret
from ..frames import JsonObject
from ..operating import FILE_NAME_LENGTH, Operating, certificate_name, composite, firmware, retries
from ..operations import (
    CertificateUse,
    Change,
    CompositeSchedule,
    FirmwareWish,
    HeldCertificate,
    HeldProfiles,
    LogKind,
    LogWish,
    Message,
    NotInThisVersion,
    Reservation,
    ScheduleUnit,
    Setting,
    Settings,
    Undertaking,
)
from ..protocols import Clock
from ..reading import inner, objects, text
from ..rpc import Ask
from ..times import stamp
from ..versions import OcppVersion
from . import requests
from .configuration import MAX_KEYS, MAX_VALUE

MOST_CERTIFICATES = 100

_TRIGGERED = {
    Message.BOOT: "BootNotification",
    Message.HEARTBEAT: "Heartbeat",
    Message.STATUS: "StatusNotification",
    Message.METER_VALUES: "MeterValues",
    Message.FIRMWARE: "FirmwareStatusNotification",
    Message.LOG: "DiagnosticsStatusNotification",
}
_TRIGGERED_BY_EXTENSION = {
    Message.LOG: "LogStatusNotification",
    Message.CERTIFICATE_REQUEST: "SignChargePointCertificate",
}
_OF_CONNECTORS = frozenset({Message.STATUS, Message.METER_VALUES})

_USES = {
    CertificateUse.CENTRAL_SYSTEM: "CentralSystemRootCertificate",
    CertificateUse.MANUFACTURER: "ManufacturerRootCertificate",
}
_DIAGNOSTICS_ENDED = frozenset({"Uploaded", "UploadFailed"})


class Operations16(Operating):
    """What can be asked of one charge point that speaks OCPP 1.6."""

    def __init__(self, *, identity: str, online: Callable[[], bool], ask: Ask, clock: Clock) -> None:
        """Begin with nothing reserved."""
        super().__init__(OcppVersion.V16, identity=identity, online=online, ask=ask, clock=clock)

    @override
    async def settings(self, names: Collection[str] = ()) -> Settings:
        answer = await self._asking.ask("GetConfiguration", requests.get_configuration(tuple(names)))
        unknown = answer.get("unknownKey")
        return Settings(
            settings=tuple(_settings(answer)),
            unknown=tuple(str(key)[:100] for key in unknown[:MAX_KEYS]) if isinstance(unknown, list) else (),
        )

    @override
    async def change_setting(self, name: str, value: str) -> Change:
        forbid_setting(name)
        payload = requests.change_configuration(name, value)
        answer = await self._asking.command("ChangeConfiguration", payload, "Accepted", "RebootRequired")
        return Change.RESTART_NEEDED if answer["status"] == "RebootRequired" else Change.DONE

    @override
    async def trigger(self, message: Message, connector: int | None = None) -> None:
        if message in _TRIGGERED_BY_EXTENSION:
            try:
                wanted = {"requestedMessage": _TRIGGERED_BY_EXTENSION[message]}
                await self._asking.command("ExtendedTriggerMessage", wanted)
            except Refused as refusal:
                if refusal.answer not in NOT_KNOWN or message not in _TRIGGERED:
                    raise
            else:
                return
        if message not in _TRIGGERED:
            raise NotInThisVersion(self.version)
        payload: JsonObject = {"requestedMessage": _TRIGGERED[message]}
        if connector is not None and message in _OF_CONNECTORS:
            payload["connectorId"] = connector
        await self._asking.command("TriggerMessage", payload)

    @override
    def _reserving(self, reservation: Reservation) -> JsonObject:
        payload: JsonObject = {
            "connectorId": reservation.connector,
            "expiryDate": stamp(reservation.expires_at),
            "idTag": reservation.id_tag[: requests.ID_TAG_LENGTH],
            "reservationId": reservation.reservation_id,
        }
        if reservation.group_id_tag is not None:
            payload["parentIdTag"] = reservation.group_id_tag[: requests.ID_TAG_LENGTH]
        return payload

    @override
    async def fetch_log(self, wish: LogWish) -> Undertaking:
        try:
            return await super().fetch_log(wish)
        except Refused as refusal:
            if refusal.answer not in NOT_KNOWN or wish.kind is not LogKind.DIAGNOSTICS:
                raise
        return await self._get_diagnostics(wish)

    async def _get_diagnostics(self, wish: LogWish) -> Undertaking:
        payload: JsonObject = {"location": wish.address, **retries(wish)}
        if wish.since is not None:
            payload["startTime"] = stamp(wish.since)
        if wish.until is not None:
            payload["stopTime"] = stamp(wish.until)
        with self._asking.following.awaiting(["DiagnosticsStatusNotification"]) as awaited:
            answer = await self._asking.ask("GetDiagnostics", payload)
            file_name = text(answer, "fileName", FILE_NAME_LENGTH)
            if file_name is None:
                # Without a name there is nothing that it would send.
                return Undertaking(ended=True)
            if wish.wait_s > 0:
                await awaited.until(_DIAGNOSTICS_ENDED, wish.wait_s)
            return Undertaking(file_name=file_name, status=awaited.status, ended=awaited.status in _DIAGNOSTICS_ENDED)

    @override
    async def update_firmware(self, wish: FirmwareWish) -> Undertaking:
        if wish.certificate is not None and wish.signature is not None:
            request_id = self._asking.next_id()
            signed = {"requestId": request_id, "firmware": firmware(wish), **retries(wish)}
            message = "SignedFirmwareStatusNotification"
            return await self._install("SignedUpdateFirmware", message, wish, request_id, signed)
        plain = {"location": wish.address, "retrieveDate": stamp(wish.retrieve_at), **retries(wish)}
        return await self._install("UpdateFirmware", "FirmwareStatusNotification", wish, None, plain)

    @property
    @override
    def _uses(self) -> Mapping[CertificateUse, str]:
        return _USES

    @override
    async def certificates(self, use: CertificateUse | None = None) -> Sequence[HeldCertificate]:
        held: list[HeldCertificate] = []
        for one in _USES if use is None else (use,):
            payload = {"certificateType": self._use(one)}
            answer = await self._asking.command("GetInstalledCertificateIds", payload, "Accepted", "NotFound")
            hashes = objects(answer.get("certificateHashData"), MOST_CERTIFICATES)
            held.extend(HeldCertificate(use=one, name=certificate_name(raw)) for raw in hashes)
        return held

    @override
    async def composite_schedule(
        self, connector: int, duration_s: int, unit: ScheduleUnit | None = None
    ) -> CompositeSchedule:
        payload: JsonObject = {"connectorId": connector, "duration": duration_s}
        if unit is not None:
            payload["chargingRateUnit"] = unit.value
        answer = await self._asking.command("GetCompositeSchedule", payload)
        return composite(connector, inner(answer, "chargingSchedule"), answer.get("scheduleStart"))

    @override
    async def held_profiles(self, connector: int | None = None) -> HeldProfiles:
        # What a charge point holds shows in its composite schedule only.
        raise NotInThisVersion(self.version)


def _settings(answer: JsonObject) -> Iterator[Setting]:
    for entry in objects(answer.get("configurationKey"), MAX_KEYS):
        key, value = entry.get("key"), entry.get("value")
        if isinstance(key, str):
            told = None if value is None else REDACTED if is_secret(key) else str(value)[:MAX_VALUE]
            yield Setting(name=key[:100], value=told, read_only=bool(entry.get("readonly")))
