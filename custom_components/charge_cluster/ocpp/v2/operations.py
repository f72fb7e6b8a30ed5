"""The operations in OCPP 2.0.1 and 2.1. See `ocpp.operations`.

Settings are variables of the device model, named "Component.Variable". Where there are several of one name the rest
follows its part: `EVSE@2.AllowReset`, `Connector@2:1.Available` (EVSE and connector), `Controller[main].Interval` and
`OCPPCommCtrlr.MessageAttempts[TransactionEvent]` (instances). Our connector is the charger's EVSE.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import batched
from typing import override

from ..asking import REDACTED
from ..conversation import Refused
from ..forbidden import forbid_setting, is_secret
from ..frames import JsonObject
from ..operating import Operating, certificate_name, composite, firmware, retries
from ..operations import (
    CertificateUse,
    Change,
    CompositeSchedule,
    FirmwareWish,
    HeldCertificate,
    HeldProfiles,
    Message,
    Reservation,
    ScheduleUnit,
    Setting,
    Settings,
    Undertaking,
)
from ..protocols import Clock
from ..reading import inner, objects, text, whole
from ..rpc import Ask
from ..times import stamp
from ..tokens import TokenType
from ..versions import OcppVersion
from ..vocabulary import Fault, PayloadFault
from .notices import variable_name

ITEMS_AT_ONCE = 10
"""Chargers say how many they take in one message, in a variable; so few are taken by all that were seen."""
MOST_VARIABLES = 5000
MOST_CERTIFICATES = 200
MOST_PROFILES = 500
MOST_ATTRIBUTES = 4
VALUE_LENGTH = 2500
TOKEN_LENGTH = 36

_NAME = re.compile(
    r"(?P<component>[^\[\].@]{1,50})(?:\[(?P<component_instance>[^\]]{1,50})\])?"
    r"(?:@(?P<evse>\d{1,4})(?::(?P<connector>\d{1,4}))?)?"
    r"\.(?P<variable>[^\[\]]{1,50})(?:\[(?P<variable_instance>[^\]]{1,50})\])?"
)
NAMED_LIKE = "Component.Variable"

_TRIGGERED = {
    Message.BOOT: "BootNotification",
    Message.HEARTBEAT: "Heartbeat",
    Message.STATUS: "StatusNotification",
    Message.METER_VALUES: "MeterValues",
    Message.FIRMWARE: "FirmwareStatusNotification",
    Message.LOG: "LogStatusNotification",
    Message.CERTIFICATE_REQUEST: "SignChargingStationCertificate",
    Message.TRANSACTION: "TransactionEvent",
}
_OF_EVSES = frozenset({Message.METER_VALUES, Message.TRANSACTION})

_USES = {
    CertificateUse.CENTRAL_SYSTEM: "CSMSRootCertificate",
    CertificateUse.MANUFACTURER: "ManufacturerRootCertificate",
    CertificateUse.V2G: "V2GRootCertificate",
    CertificateUse.MOBILITY_OPERATOR: "MORootCertificate",
}
_BY_WORD = {word: use for use, word in _USES.items()}


class Operations2(Operating):
    """What can be asked of one charge point that speaks OCPP 2.0.1 or 2.1."""

    def __init__(
        self,
        version: OcppVersion,
        *,
        identity: str,
        online: Callable[[], bool],
        ask: Ask,
        clock: Clock,
        evses: Callable[[], Iterable[int]],
        plugged: Callable[[int], int],
    ) -> None:
        """Begin with nothing reserved.

        Args:
            version: one of the second generation.
            evses: those that it is known to have.
            plugged: which connector of an EVSE a plug is in.
        """
        super().__init__(version, identity=identity, online=online, ask=ask, clock=clock)
        self._evses = evses
        self._plugged = plugged

    # -- settings -----------------------------------------------------------------------------------------------------

    @override
    async def settings(self, names: Collection[str] = ()) -> Settings:
        return await self._named_settings(names) if names else await self._all_settings()

    async def _named_settings(self, names: Collection[str]) -> Settings:
        places = [_place(name) for name in names]
        settings: list[Setting] = []
        unknown: list[str] = []
        for some in batched(places, ITEMS_AT_ONCE, strict=False):
            answer = await self._asking.ask("GetVariables", {"getVariableData": list(some)})
            for result in objects(answer.get("getVariableResult"), ITEMS_AT_ONCE):
                if result.get("attributeStatus") == "Accepted":
                    settings.append(_setting(result, result.get("attributeValue")))
                else:
                    unknown.append(variable_name(result))
        return Settings(settings=tuple(settings), unknown=tuple(unknown))

    async def _all_settings(self) -> Settings:
        """Ask for a report of everything, else of what can be configured: some have only one of them."""
        try:
            return await self._report("FullInventory")
        except Refused:
            return await self._report("ConfigurationInventory")

    async def _report(self, base: str) -> Settings:
        request_id = self._asking.next_id()
        with self._asking.following.awaiting(["NotifyReport"], request_id) as awaited:
            payload = {"requestId": request_id, "reportBase": base}
            answer = await self._asking.command("GetBaseReport", payload, "Accepted", "EmptyResultSet")
            if answer["status"] == "EmptyResultSet":
                return Settings(settings=())
            await awaited.whole()
            return Settings(settings=tuple(_reported(awaited.parts)), complete=awaited.complete)

    @override
    async def change_setting(self, name: str, value: str) -> Change:
        place = _place(name)
        forbid_setting(place["variable"]["name"], component=place["component"]["name"])
        wanted = {**place, "attributeValue": value}
        answer = await self._asking.ask("SetVariables", {"setVariableData": [wanted]})
        results = objects(answer.get("setVariableResult"), 1)
        status = text(results[0], "attributeStatus") if results else None
        if status not in ("Accepted", "RebootRequired"):
            raise Refused(str(status))
        return Change.RESTART_NEEDED if status == "RebootRequired" else Change.DONE

    # -- single commands ----------------------------------------------------------------------------------------------

    @override
    async def trigger(self, message: Message, connector: int | None = None) -> None:
        if message is Message.STATUS:
            await self._trigger_status(connector)
            return
        payload: JsonObject = {"requestedMessage": _TRIGGERED[message]}
        if connector is not None and message in _OF_EVSES:
            payload["evse"] = {"id": connector}
        await self._asking.command("TriggerMessage", payload)

    async def _trigger_status(self, connector: int | None) -> None:
        """Ask for the state of an EVSE, or of each: the specification wants one named, and its connector."""
        for evse in sorted(self._evses()) if connector is None else (connector,):
            at = {"id": evse, "connectorId": self._plugged(evse)}
            await self._asking.command("TriggerMessage", {"requestedMessage": "StatusNotification", "evse": at})

    @override
    def _reserving(self, reservation: Reservation) -> JsonObject:
        payload: JsonObject = {
            "id": reservation.reservation_id,
            "expiryDateTime": stamp(reservation.expires_at),
            "idToken": _card(reservation.id_tag),
        }
        if reservation.connector > 0:
            payload["evseId"] = reservation.connector
        if reservation.group_id_tag is not None:
            payload["groupIdToken"] = {
                "idToken": reservation.group_id_tag[:TOKEN_LENGTH],
                "type": TokenType.CENTRAL.value,
            }
        return payload

    @override
    async def update_firmware(self, wish: FirmwareWish) -> Undertaking:
        request_id = self._asking.next_id()
        payload = {"requestId": request_id, "firmware": firmware(wish), **retries(wish)}
        return await self._install("UpdateFirmware", "FirmwareStatusNotification", wish, request_id, payload)

    # -- certificates -------------------------------------------------------------------------------------------------

    @property
    @override
    def _uses(self) -> Mapping[CertificateUse, str]:
        return _USES

    @override
    async def certificates(self, use: CertificateUse | None = None) -> Sequence[HeldCertificate]:
        payload: JsonObject = {} if use is None else {"certificateType": [self._use(use)]}
        answer = await self._asking.command("GetInstalledCertificateIds", payload, "Accepted", "NotFound")
        return [
            HeldCertificate(
                use=_BY_WORD.get(text(chain, "certificateType") or ""),
                name=certificate_name(inner(chain, "certificateHashData")),
            )
            for chain in objects(answer.get("certificateHashDataChain"), MOST_CERTIFICATES)
        ]

    # -- limits, to read ----------------------------------------------------------------------------------------------

    @override
    async def composite_schedule(
        self, connector: int, duration_s: int, unit: ScheduleUnit | None = None
    ) -> CompositeSchedule:
        payload: JsonObject = {"evseId": connector, "duration": duration_s}
        if unit is not None:
            payload["chargingRateUnit"] = unit.value
        answer = await self._asking.command("GetCompositeSchedule", payload)
        schedule = inner(answer, "schedule")
        return composite(connector, schedule, schedule.get("scheduleStart"))

    @override
    async def held_profiles(self, connector: int | None = None) -> HeldProfiles:
        request_id = self._asking.next_id()
        payload: JsonObject = {"requestId": request_id, "chargingProfile": {}}
        if connector is not None:
            payload["evseId"] = connector
        with self._asking.following.awaiting(["ReportChargingProfiles"], request_id) as awaited:
            answer = await self._asking.command("GetChargingProfiles", payload, "Accepted", "NoProfiles")
            if answer["status"] == "NoProfiles":
                return HeldProfiles(profiles=())
            await awaited.whole()
            told = [profile for part in awaited.parts for profile in _profiles(part)]
            return HeldProfiles(profiles=tuple(told[:MOST_PROFILES]), complete=awaited.complete)


def _place(name: str) -> JsonObject:
    """Return where a setting is. Raises PayloadFault."""
    read = _NAME.fullmatch(name.strip())
    if read is None:
        raise PayloadFault(Fault.KIND, name, NAMED_LIKE)
    component: JsonObject = {"name": read["component"]}
    if read["component_instance"] is not None:
        component["instance"] = read["component_instance"]
    if read["evse"] is not None:
        component["evse"] = {"id": int(read["evse"])}
        if read["connector"] is not None:
            component["evse"]["connectorId"] = int(read["connector"])
    variable: JsonObject = {"name": read["variable"]}
    if read["variable_instance"] is not None:
        variable["instance"] = read["variable_instance"]
    return {"component": component, "variable": variable}


def _setting(entry: JsonObject, value: object, *, read_only: bool | None = None) -> Setting:
    secret = is_secret(text(inner(entry, "variable"), "name") or "")
    at = inner(inner(entry, "component"), "evse")
    told = None if value is None or isinstance(value, dict | list) else str(value)[:VALUE_LENGTH]
    return Setting(
        name=variable_name(entry),
        value=REDACTED if secret and told is not None else told,
        read_only=read_only,
        evse=whole(at, "id"),
        connector=whole(at, "connectorId"),
    )


def _reported(parts: Iterable[JsonObject]) -> Iterator[Setting]:
    """Return the settings of a report: of each its actual value."""
    entries = (entry for part in parts for entry in objects(part.get("reportData"), MOST_VARIABLES))
    for _, entry in zip(range(MOST_VARIABLES), entries, strict=False):
        attributes = objects(entry.get("variableAttribute"), MOST_ATTRIBUTES)
        actual = next((one for one in attributes if one.get("type", "Actual") == "Actual"), None)
        if actual is not None:
            yield _setting(entry, actual.get("value"), read_only=actual.get("mutability") == "ReadOnly")


def _profiles(part: JsonObject) -> Iterator[JsonObject]:
    """Return the profiles of a part of a report, each with where it holds and who wrote it."""
    for profile in objects(part.get("chargingProfile"), MOST_PROFILES):
        yield {
            "evseId": whole(part, "evseId"),
            "chargingLimitSource": text(part, "chargingLimitSource"),
            **profile,
        }


def _card(id_tag: str) -> JsonObject:
    """Return a token as a reader tells it: it must be the same for the charger to let its owner in."""
    return {"idToken": id_tag[:TOKEN_LENGTH], "type": TokenType.ISO14443.value}
