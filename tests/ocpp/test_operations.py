"""What can be asked beyond charging, of somebody else's charge point: the `ocpp` library judges all that we send."""
# mypy: disable-error-code="no-untyped-call,untyped-decorator"
# The library's calls and decorators carry no types.

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from ocpp.routing import on
from ocpp.v16 import ChargePoint as LibraryChargePoint, call, call_result
from ocpp.v16.enums import Action

from custom_components.charge_cluster.ocpp.asking import REDACTED
from custom_components.charge_cluster.ocpp.conversation import (
    LimitWish,
    NoAnswer,
    NotReachable,
    Progress,
    Progressed,
    Refused,
)
from custom_components.charge_cluster.ocpp.following import MOST_WAITING, TooManyWait
from custom_components.charge_cluster.ocpp.forbidden import Forbidden, Instead
from custom_components.charge_cluster.ocpp.listener import CentralSystem
from custom_components.charge_cluster.ocpp.operations import (
    CertificateName,
    CertificateUse,
    Change,
    FirmwareWish,
    LogKind,
    LogWish,
    Message,
    NoReservation,
    NotInThisVersion,
    Operations,
    SchedulePeriod,
    ScheduleUnit,
    Setting,
)
from custom_components.charge_cluster.ocpp.versions import OcppVersion
from custom_components.charge_cluster.ocpp.vocabulary import Fault, PayloadFault, vocabulary

from .stage import Stage, virtually
from .test_conformance import Wire, now

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
HASH = {"hash_algorithm": "SHA256", "issuer_name_hash": "0a", "issuer_key_hash": "0b", "serial_number": "0c"}
NAME = CertificateName(algorithm="SHA256", issuer_name_hash="0a", issuer_key_hash="0b", serial_number="0c")
AT = 4_000_000_000.0
STAMP = "2096-10-02T07:06:40.000Z"
A_MINUTE_LATER = "2096-10-02T07:07:40.000Z"


class Library(LibraryChargePoint):
    """A charge point made of the library that knows all of 1.6 and says yes to everything."""

    def __init__(self, wire: Wire) -> None:
        super().__init__("CP1", wire)
        self.asked: dict[str, list[dict[str, Any]]] = {}
        self._news = asyncio.Event()

    def _note(self, action: Action, said: dict[str, Any]) -> None:
        self.asked.setdefault(action.value, []).append(said)
        self._news.set()

    async def was_asked(self, action: str) -> dict[str, Any]:
        """Wait for a call of this name and return what it said."""
        async with asyncio.timeout(20):
            while action not in self.asked:
                self._news.clear()
                await self._news.wait()
        return self.last(action)

    def last(self, action: str) -> dict[str, Any]:
        return self.asked[action][-1]

    @on(Action.get_configuration)
    async def configuration(self, key: list[str] | None = None) -> call_result.GetConfiguration:
        self._note(Action.get_configuration, {"key": key})
        return call_result.GetConfiguration(
            configuration_key=[
                {"key": "ConnectionTimeOut", "readonly": False, "value": "60"},
                {"key": "NumberOfConnectors", "readonly": True, "value": "1"},
                {"key": "AuthorizationKey", "readonly": False, "value": "0123456789abcdef"},
            ],
            unknown_key=["Nonsense"],
        )

    @on(Action.change_configuration)
    async def change(self, **said: Any) -> call_result.ChangeConfiguration:
        self._note(Action.change_configuration, said)
        status = {"60": "Accepted", "61": "RebootRequired", "62": "Rejected", "63": "NotSupported"}
        return call_result.ChangeConfiguration(status=status.get(said["value"], "Accepted"))  # type: ignore[arg-type]  # words are what the wire has

    @on(Action.trigger_message)
    async def trigger(self, **said: Any) -> call_result.TriggerMessage:
        self._note(Action.trigger_message, said)
        return call_result.TriggerMessage(status="Accepted")  # type: ignore[arg-type]  # as above

    @on(Action.extended_trigger_message)
    async def extended_trigger(self, **said: Any) -> call_result.ExtendedTriggerMessage:
        self._note(Action.extended_trigger_message, said)
        return call_result.ExtendedTriggerMessage(status="Accepted")  # type: ignore[arg-type]  # as above

    @on(Action.reserve_now)
    async def reserve(self, **said: Any) -> call_result.ReserveNow:
        self._note(Action.reserve_now, said)
        return call_result.ReserveNow(status="Occupied" if said["connector_id"] == 2 else "Accepted")  # type: ignore[arg-type]  # as above

    @on(Action.cancel_reservation)
    async def cancel(self, **said: Any) -> call_result.CancelReservation:
        self._note(Action.cancel_reservation, said)
        return call_result.CancelReservation(status="Accepted")  # type: ignore[arg-type]  # as above

    @on(Action.get_diagnostics)
    async def diagnostics(self, **said: Any) -> call_result.GetDiagnostics:
        self._note(Action.get_diagnostics, said)
        return call_result.GetDiagnostics(file_name="diagnostics.zip")

    @on(Action.get_log)
    async def log(self, **said: Any) -> call_result.GetLog:
        self._note(Action.get_log, said)
        return call_result.GetLog(status="Accepted", filename="log.gz")  # type: ignore[arg-type]  # as above

    @on(Action.update_firmware)
    async def firmware(self, **said: Any) -> call_result.UpdateFirmware:
        self._note(Action.update_firmware, said)
        return call_result.UpdateFirmware()

    @on(Action.signed_update_firmware)
    async def signed_firmware(self, **said: Any) -> call_result.SignedUpdateFirmware:
        self._note(Action.signed_update_firmware, said)
        return call_result.SignedUpdateFirmware(status="Accepted")  # type: ignore[arg-type]  # as above

    @on(Action.install_certificate)
    async def install(self, **said: Any) -> call_result.InstallCertificate:
        self._note(Action.install_certificate, said)
        return call_result.InstallCertificate(status="Accepted")  # type: ignore[arg-type]  # as above

    @on(Action.get_installed_certificate_ids)
    async def certificates(self, **said: Any) -> call_result.GetInstalledCertificateIds:
        self._note(Action.get_installed_certificate_ids, said)
        if said["certificate_type"] == "ManufacturerRootCertificate":
            return call_result.GetInstalledCertificateIds(status="NotFound")  # type: ignore[arg-type]  # as above
        return call_result.GetInstalledCertificateIds(status="Accepted", certificate_hash_data=[HASH])  # type: ignore[arg-type]  # as above

    @on(Action.delete_certificate)
    async def delete(self, **said: Any) -> call_result.DeleteCertificate:
        self._note(Action.delete_certificate, said)
        return call_result.DeleteCertificate(status="Accepted")  # type: ignore[arg-type]  # as above

    @on(Action.get_composite_schedule)
    async def composite(self, **said: Any) -> call_result.GetCompositeSchedule:
        self._note(Action.get_composite_schedule, said)
        periods = [{"start_period": 0, "limit": 16, "number_phases": 3}, {"start_period": 60, "limit": 6}]
        schedule = {"duration": 600, "charging_rate_unit": "A", "charging_schedule_period": periods}
        return call_result.GetCompositeSchedule(
            status="Accepted",  # type: ignore[arg-type]  # as above
            connector_id=said["connector_id"],
            schedule_start=STAMP,
            charging_schedule=schedule,
        )

    @on(Action.clear_cache)
    async def forget(self) -> call_result.ClearCache:
        self._note(Action.clear_cache, {})
        return call_result.ClearCache(status="Accepted")  # type: ignore[arg-type]  # as above

    @on(Action.data_transfer)
    async def transfer(self, **said: Any) -> call_result.DataTransfer:
        self._note(Action.data_transfer, said)
        return call_result.DataTransfer(status="Accepted", data="hello")  # type: ignore[arg-type]  # as above

    @on(Action.get_local_list_version)
    async def list_version(self) -> call_result.GetLocalListVersion:
        return call_result.GetLocalListVersion(list_version=7)

    @on(Action.unlock_connector)
    async def unlock(self, **said: Any) -> call_result.UnlockConnector:
        self._note(Action.unlock_connector, said)
        return call_result.UnlockConnector(status="Unlocked")  # type: ignore[arg-type]  # as above


@pytest.fixture
async def library(central: CentralSystem) -> AsyncIterator[Library]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{central.port}/ocpp/CP1", protocols=["ocpp1.6"]) as socket,
    ):
        point = Library(Wire(socket))
        running = asyncio.create_task(point.start())
        await point.call(call.BootNotification(charge_point_model="M", charge_point_vendor="V"), suppress=False)
        yield point
        running.cancel()
        await asyncio.wait([running])


@pytest.fixture
def operations(central: CentralSystem, library: Library) -> Operations:
    return of_charge_point(central)


def of_charge_point(central: CentralSystem) -> Operations:
    operations = central.conversation("CP1").operations
    assert operations is not None
    return operations


async def test_settings_are_read_without_their_secrets(library: Library, operations: Operations) -> None:
    read = await operations.settings()

    assert read.settings == (
        Setting(name="ConnectionTimeOut", value="60", read_only=False),
        Setting(name="NumberOfConnectors", value="1", read_only=True),
        Setting(name="AuthorizationKey", value=REDACTED, read_only=False),
    )
    assert (read.unknown, read.complete) == (("Nonsense",), True)


async def test_settings_are_asked_for_by_name(library: Library, operations: Operations) -> None:
    await operations.settings(["ConnectionTimeOut", "Nonsense"])

    assert {"key": ["ConnectionTimeOut", "Nonsense"]} in library.asked["GetConfiguration"]


@pytest.mark.parametrize(("value", "change"), [("60", Change.DONE), ("61", Change.RESTART_NEEDED)])
async def test_a_setting_is_changed(library: Library, operations: Operations, value: str, change: Change) -> None:
    assert await operations.change_setting("ConnectionTimeOut", value) is change
    assert {"key": "ConnectionTimeOut", "value": value} in library.asked["ChangeConfiguration"]


@pytest.mark.parametrize(("value", "answer"), [("62", "Rejected"), ("63", "NotSupported")])
async def test_a_setting_may_be_refused(operations: Operations, value: str, answer: str) -> None:
    with pytest.raises(Refused) as refused:
        await operations.change_setting("ConnectionTimeOut", value)

    assert refused.value.answer == answer


async def test_a_setting_that_is_kept_does_not_go_out(library: Library, operations: Operations) -> None:
    with pytest.raises(Forbidden):
        await operations.change_setting("MeterValueSampleInterval", "900")
    with pytest.raises(Forbidden):
        await operations.call("ChangeConfiguration", {"key": "MaxCurrent", "value": "63"})

    said = library.asked.get("ChangeConfiguration", [])
    assert {"key": "MeterValueSampleInterval", "value": "900"} not in said
    assert "MaxCurrent" not in {one["key"] for one in said}


@pytest.mark.parametrize(
    ("message", "action", "said"),
    [
        (Message.HEARTBEAT, "TriggerMessage", {"requested_message": "Heartbeat"}),
        (Message.STATUS, "TriggerMessage", {"requested_message": "StatusNotification", "connector_id": 1}),
        (Message.METER_VALUES, "TriggerMessage", {"requested_message": "MeterValues", "connector_id": 1}),
        (Message.BOOT, "TriggerMessage", {"requested_message": "BootNotification"}),
        (Message.FIRMWARE, "TriggerMessage", {"requested_message": "FirmwareStatusNotification"}),
        (Message.LOG, "ExtendedTriggerMessage", {"requested_message": "LogStatusNotification"}),
        (Message.CERTIFICATE_REQUEST, "ExtendedTriggerMessage", {"requested_message": "SignChargePointCertificate"}),
    ],
)
async def test_a_message_is_triggered(
    library: Library, operations: Operations, message: Message, action: str, said: dict[str, Any]
) -> None:
    await operations.trigger(message, 1)

    assert said in library.asked[action]


async def test_a_boot_that_was_asked_for_is_no_restart(
    library: Library, central: CentralSystem, operations: Operations
) -> None:
    heard: list[Any] = []
    central.conversation("CP1").listen(heard.append)
    await operations.trigger(Message.BOOT)

    await library.call(call.BootNotification(charge_point_model="M", charge_point_vendor="V"), suppress=False)
    await library.call(call.Heartbeat(), suppress=False)

    assert "Rebooted" not in {type(report).__name__ for report in heard}


async def test_there_is_no_transaction_to_trigger_in_this_version(operations: Operations) -> None:
    with pytest.raises(NotInThisVersion):
        await operations.trigger(Message.TRANSACTION)


async def test_a_connector_is_reserved_and_given_up(library: Library, operations: Operations) -> None:
    kept = await operations.reserve(1, "04AA", AT, group_id_tag="STAFF")

    assert library.last("ReserveNow") == {
        "connector_id": 1,
        "expiry_date": STAMP,
        "id_tag": "04AA",
        "parent_id_tag": "STAFF",
        "reservation_id": kept.reservation_id,
    }
    assert list(operations.reservations) == [kept]

    assert await operations.cancel_reservation(connector=1) == kept.reservation_id
    assert library.last("CancelReservation") == {"reservation_id": kept.reservation_id}
    assert list(operations.reservations) == []


async def test_a_reservation_that_is_refused_is_none(operations: Operations) -> None:
    with pytest.raises(Refused, match="Occupied"):
        await operations.reserve(2, "04AA", AT)

    assert list(operations.reservations) == []


async def test_a_reservation_is_over_when_it_is_used(library: Library, operations: Operations) -> None:
    kept = await operations.reserve(1, "04AA", AT)
    start = call.StartTransaction(
        connector_id=1, id_tag="04AA", meter_start=0, timestamp=now(), reservation_id=kept.reservation_id
    )
    await library.call(start, suppress=False)

    assert list(operations.reservations) == []
    with pytest.raises(NoReservation):
        await operations.cancel_reservation(connector=1)


async def test_which_of_two_reservations_is_meant_must_be_said(library: Library, operations: Operations) -> None:
    first, second = await operations.reserve(0, "04AA", AT), await operations.reserve(1, "04BB", AT)

    with pytest.raises(NoReservation):
        await operations.cancel_reservation()
    assert await operations.cancel_reservation(reservation_id=second.reservation_id) == second.reservation_id
    assert await operations.cancel_reservation() == first.reservation_id


async def test_a_log_is_uploaded_and_its_end_is_waited_for(library: Library, operations: Operations) -> None:
    wish = LogWish(kind=LogKind.SECURITY, address="https://files/here", since=AT, until=AT + 60, retries=2, wait_s=20)
    asked = asyncio.create_task(operations.fetch_log(wish))
    request_id = (await library.was_asked("GetLog"))["request_id"]
    for status in ("Uploading", "Uploaded"):
        await library.call(call.LogStatusNotification(status=status, request_id=request_id), suppress=False)  # type: ignore[arg-type]  # words are what the wire has

    done = await asked
    assert (done.request_id, done.file_name, done.status, done.ended) == (request_id, "log.gz", "Uploaded", True)
    assert library.last("GetLog") == {
        "log_type": "SecurityLog",
        "request_id": request_id,
        "retries": 2,
        "log": {
            "remote_location": "https://files/here",
            "oldest_timestamp": STAMP,
            "latest_timestamp": A_MINUTE_LATER,
        },
    }


async def test_who_does_not_wait_is_answered_at_once(library: Library, operations: Operations) -> None:
    done = await operations.fetch_log(LogWish(kind=LogKind.DIAGNOSTICS, address="https://files/here"))

    assert (done.file_name, done.status, done.ended) == ("log.gz", None, False)


async def test_a_firmware_is_fetched_and_told_of(
    library: Library, central: CentralSystem, operations: Operations
) -> None:
    heard: list[Any] = []
    central.conversation("CP1").listen(heard.append)
    asked = asyncio.create_task(
        operations.update_firmware(FirmwareWish(address="https://files/fw.bin", retrieve_at=AT, wait_s=20))
    )
    await library.was_asked("UpdateFirmware")
    for status in ("Downloading", "Downloading", "Installed"):
        await library.call(call.FirmwareStatusNotification(status=status), suppress=False)  # type: ignore[arg-type]  # words are what the wire has

    done = await asked
    assert (done.request_id, done.status, done.ended) == (None, "Installed", True)
    assert library.last("UpdateFirmware") == {"location": "https://files/fw.bin", "retrieve_date": STAMP}
    told = [report for report in heard if isinstance(report, Progressed)]
    assert told == [Progressed(what=Progress.FIRMWARE, status=word) for word in ("Downloading", "Installed")]


async def test_a_signed_firmware_is_checked_by_the_charge_point(library: Library, operations: Operations) -> None:
    wish = FirmwareWish(
        address="https://files/fw.bin", retrieve_at=AT, install_at=AT + 60, certificate=PEM, signature="c2ln"
    )
    done = await operations.update_firmware(wish)

    said = library.last("SignedUpdateFirmware")
    assert said["request_id"] == done.request_id
    assert said["firmware"] == {
        "location": "https://files/fw.bin",
        "retrieve_date_time": STAMP,
        "install_date_time": A_MINUTE_LATER,
        "signing_certificate": PEM,
        "signature": "c2ln",
    }


async def test_certificates_are_installed_told_and_deleted(library: Library, operations: Operations) -> None:
    await operations.install_certificate(CertificateUse.CENTRAL_SYSTEM, PEM)
    [held] = await operations.certificates()
    await operations.delete_certificate(held.name)

    installed = {"certificate_type": "CentralSystemRootCertificate", "certificate": PEM}
    assert library.last("InstallCertificate") == installed
    assert (held.use, held.name) == (CertificateUse.CENTRAL_SYSTEM, NAME)
    assert library.last("DeleteCertificate") == {"certificate_hash_data": HASH}


@pytest.mark.parametrize("use", [CertificateUse.V2G, CertificateUse.MOBILITY_OPERATOR])
async def test_uses_that_the_version_does_not_know_are_refused(operations: Operations, use: CertificateUse) -> None:
    with pytest.raises(NotInThisVersion):
        await operations.install_certificate(use, PEM)


async def test_the_composite_schedule_is_told(library: Library, operations: Operations) -> None:
    schedule = await operations.composite_schedule(1, 600, ScheduleUnit.AMPS)

    assert library.last("GetCompositeSchedule") == {"connector_id": 1, "duration": 600, "charging_rate_unit": "A"}
    assert (schedule.unit, schedule.starts_at, schedule.duration_s) == (ScheduleUnit.AMPS, AT, 600)
    assert schedule.periods == (
        SchedulePeriod(start_s=0, limit=16.0, phases=3),
        SchedulePeriod(start_s=60, limit=6.0),
    )


async def test_profiles_cannot_be_read_in_this_version(operations: Operations) -> None:
    with pytest.raises(NotInThisVersion) as missing:
        await operations.held_profiles()

    assert missing.value.version is OcppVersion.V16


async def test_the_cache_is_cleared_and_a_vendor_is_talked_to(library: Library, operations: Operations) -> None:
    await operations.clear_cache()

    assert await operations.transfer("Acme", "Greeting", "welcome") == "hello"
    assert library.last("ClearCache") == {}
    assert library.last("DataTransfer") == {"vendor_id": "Acme", "message_id": "Greeting", "data": "welcome"}


async def test_every_other_operation_goes_by_its_own_name(library: Library, operations: Operations) -> None:
    version = await operations.call("GetLocalListVersion", {})
    await operations.call("UnlockConnector", {"connectorId": 1.0})
    log = await operations.call("GetLog", {"logType": "SecurityLog", "log": {"remoteLocation": "https://files/here"}})

    assert (version.answer, version.parts, version.complete) == ({"listVersion": 7}, (), True)
    assert library.last("UnlockConnector") == {"connector_id": 1}
    assert log.answer == {"status": "Accepted", "filename": "log.gz"}
    assert library.last("GetLog")["request_id"] > 0


async def test_what_comes_back_has_no_secrets(operations: Operations) -> None:
    came = await operations.call("GetConfiguration", {})

    values = {entry["key"]: entry["value"] for entry in came.answer["configurationKey"]}
    assert values == {"ConnectionTimeOut": "60", "NumberOfConnectors": "1", "AuthorizationKey": REDACTED}


async def test_what_does_not_fit_or_is_forbidden_does_not_go_out(library: Library, operations: Operations) -> None:
    with pytest.raises(PayloadFault) as unfit:
        await operations.call("UnlockConnector", {"connectorId": "first"})
    with pytest.raises(PayloadFault):
        await operations.call("GetVariables", {"getVariableData": []})
    with pytest.raises(Forbidden) as profile:
        await operations.call("SetChargingProfile", {"connectorId": 1})
    with pytest.raises(Forbidden) as start:
        await operations.call("RemoteStartTransaction", {"idTag": "A", "chargingProfile": {"stackLevel": 0}})

    assert unfit.value.fault is Fault.KIND
    assert (profile.value.instead, start.value.instead) == (Instead.LIMITS, Instead.START)
    assert "UnlockConnector" not in library.asked
    assert "RemoteStartTransaction" not in library.asked


async def test_who_is_away_cannot_be_asked(central: CentralSystem) -> None:
    operations = of_charge_point(central)

    with pytest.raises(NotReachable):
        await operations.clear_cache()
    with pytest.raises(NotReachable):
        await operations.call("ClearCache", {})


@pytest.mark.parametrize("operation", vocabulary(OcppVersion.V16).operations)
def test_every_operation_of_the_version_can_be_called(operation: str) -> None:
    samples: dict[str, Any] = {
        "s": "https://x",
        "i": 1,
        "t": STAMP,
    }

    def sample(kind: Any) -> Any:
        if isinstance(kind, list):
            return kind[0]
        if isinstance(kind, dict):
            if "[]" in kind:
                return [sample(kind["[]"])]
            return {name.removesuffix("!"): sample(field) for name, field in kind.items() if name.endswith("!")}
        if kind.startswith("@"):
            return sample(vocabulary(OcppVersion.V16).types[kind[1:]])
        return samples[kind[0]]

    payload = sample(vocabulary(OcppVersion.V16).operations[operation])

    @virtually
    async def story(stage: Stage) -> None:
        point = await stage.booted(**{operation: lambda _: {"status": "Accepted"}})
        point.asked.clear()
        came = await stage.conversation.operations.call(operation, payload)
        assert came.answer == {"status": "Accepted"}
        assert [name for name, _ in point.asked] == [operation]

    story()


# -- what charge points do ---------------------------------------------------------------------------------------------


@virtually
async def test_one_that_does_not_know_the_new_log_is_asked_in_the_old_way(stage: Stage) -> None:
    point = await stage.booted(GetDiagnostics=lambda _: {"fileName": "d.zip"})
    wish = LogWish(kind=LogKind.DIAGNOSTICS, address="ftp://files", since=AT, until=AT + 60, wait_s=30)
    asked = asyncio.ensure_future(stage.conversation.operations.fetch_log(wish))
    await point.was_asked("GetDiagnostics")
    await point.tell("DiagnosticsStatusNotification", {"status": "Uploading"})
    await point.tell("DiagnosticsStatusNotification", {"status": "UploadFailed"})
    done = await asked

    assert (done.file_name, done.status, done.ended) == ("d.zip", "UploadFailed", True)
    assert point.calls("GetDiagnostics") == [
        {"location": "ftp://files", "startTime": STAMP, "stopTime": A_MINUTE_LATER}
    ]


@virtually
async def test_one_that_has_nothing_to_send_says_so(stage: Stage) -> None:
    await stage.booted(GetDiagnostics=lambda _: {})
    wish = LogWish(kind=LogKind.DIAGNOSTICS, address="ftp://files", wait_s=600)
    done = await stage.conversation.operations.fetch_log(wish)

    assert (done.file_name, done.ended) == (None, True)


@virtually
async def test_a_security_log_is_not_made_of_diagnostics(stage: Stage) -> None:
    point = await stage.booted(GetDiagnostics=lambda _: {"fileName": "d.zip"})

    with pytest.raises(Refused) as refused:
        await stage.conversation.operations.fetch_log(LogWish(kind=LogKind.SECURITY, address="ftp://files"))

    assert refused.value.answer == "NotImplemented"
    assert point.calls("GetDiagnostics") == []


@virtually
async def test_the_end_of_a_log_is_waited_for_no_longer_than_was_said(stage: Stage) -> None:
    await stage.booted(GetLog=lambda _: {"status": "Accepted"})
    began = stage.clock.monotonic()
    done = await stage.conversation.operations.fetch_log(
        LogWish(kind=LogKind.SECURITY, address="ftp://files", wait_s=60)
    )

    assert (done.status, done.ended) == (None, False)
    assert stage.clock.monotonic() - began == pytest.approx(60)


@virtually
async def test_the_progress_of_another_request_is_not_taken_for_this_one(stage: Stage) -> None:
    point = await stage.booted(GetLog=lambda _: {"status": "Accepted"})
    wish = LogWish(kind=LogKind.SECURITY, address="ftp://files", wait_s=60)
    asked = asyncio.ensure_future(stage.conversation.operations.fetch_log(wish))
    said = await point.was_asked("GetLog")
    await point.tell("LogStatusNotification", {"status": "Uploaded", "requestId": said["requestId"] + 1})
    await point.tell("LogStatusNotification", {"status": "Uploading", "requestId": said["requestId"]})
    done = await asked

    assert (done.status, done.ended) == ("Uploading", False)


@virtually
async def test_one_that_keeps_quiet_is_not_waited_for_long(stage: Stage) -> None:
    point = await stage.booted()
    point.silent_on.add("ClearCache")
    began = stage.clock.monotonic()

    with pytest.raises(NoAnswer):
        await stage.conversation.operations.clear_cache()

    assert stage.clock.monotonic() - began <= 5


@virtually
async def test_no_more_wait_than_are_let_in(stage: Stage) -> None:
    await stage.booted(GetLog=lambda _: {"status": "Accepted"})
    wish = LogWish(kind=LogKind.SECURITY, address="ftp://files", wait_s=60)
    operations = stage.conversation.operations
    waiting = [asyncio.ensure_future(operations.fetch_log(wish)) for _ in range(MOST_WAITING)]
    await stage.settle()

    with pytest.raises(TooManyWait):
        await operations.fetch_log(wish)
    await asyncio.wait(waiting)
    await operations.fetch_log(LogWish(kind=LogKind.SECURITY, address="ftp://files"))


@virtually
async def test_a_reservation_ends_with_its_time_and_with_its_connector(stage: Stage) -> None:
    point = await stage.booted(ReserveNow=lambda _: {"status": "Accepted"})
    operations = stage.conversation.operations
    await operations.reserve(1, "A", stage.clock.time() + 60)
    await asyncio.sleep(61)
    assert list(operations.reservations) == []

    await operations.reserve(1, "A", stage.clock.time() + 600)
    await point.status(1, "Reserved")
    assert len(operations.reservations) == 1
    await point.status(1, "Available")
    assert list(operations.reservations) == []


@virtually
async def test_odd_answers_are_read_as_far_as_they_go(stage: Stage) -> None:
    await stage.booted(
        GetConfiguration=lambda _: {"configurationKey": [3, {"key": 1}, {"key": "A"}], "unknownKey": "B"},
        GetCompositeSchedule=lambda _: {"status": "Accepted", "chargingSchedule": {"chargingSchedulePeriod": [1, {}]}},
        GetInstalledCertificateIds=lambda _: {"status": "Accepted", "certificateHashData": [{"serialNumber": 3}]},
    )
    operations = stage.conversation.operations

    assert (await operations.settings()).settings == (Setting(name="A", value=None, read_only=False),)
    assert (await operations.composite_schedule(1, 60)).periods == ()
    [held] = await operations.certificates(CertificateUse.MANUFACTURER)
    assert held.name.serial_number == ""


@virtually
async def test_limits_go_before_operations(stage: Stage) -> None:
    point = await stage.booted()
    await point.start()
    point.silent_on.add("GetConfiguration")
    operations = stage.conversation.operations
    first = asyncio.ensure_future(operations.settings())
    await stage.settle()
    point.asked.clear()
    others = [asyncio.ensure_future(operations.trigger(Message.HEARTBEAT)) for _ in range(5)]
    await stage.settle()
    limit = asyncio.ensure_future(stage.conversation.hold_limit(1, LimitWish(amps=10, fallback_a=0, validity_s=30)))
    await stage.settle()
    await point.answer_late({"configurationKey": []})
    await asyncio.wait([first, limit, *others])

    assert [name for name, _ in point.asked] == ["SetChargingProfile", *["TriggerMessage"] * 5]
