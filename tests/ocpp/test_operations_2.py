"""What can be asked beyond charging in OCPP 2.0.1 and 2.1: the same words as in 1.6, and reports that come in parts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from custom_components.charge_cluster.ocpp.asking import REDACTED
from custom_components.charge_cluster.ocpp.conversation import Notice, Noticed, Progress, Progressed, Refused
from custom_components.charge_cluster.ocpp.following import MOST_PARTS, QUIET_S, REPORT_S
from custom_components.charge_cluster.ocpp.forbidden import Forbidden, Instead
from custom_components.charge_cluster.ocpp.listener import CentralSystem
from custom_components.charge_cluster.ocpp.news import TOLD_AT_ONCE
from custom_components.charge_cluster.ocpp.operations import (
    CertificateName,
    CertificateUse,
    Change,
    FirmwareWish,
    LogKind,
    LogWish,
    Message,
    Operations,
    ScheduleUnit,
    Setting,
)
from custom_components.charge_cluster.ocpp.versions import OcppVersion
from custom_components.charge_cluster.ocpp.vocabulary import PayloadFault

from .charge_point_2 import ChargePoint2, variable
from .library import dialled_in
from .stage import Stage2, Stage21, virtually_2

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
NAME = CertificateName(algorithm="SHA256", issuer_name_hash="0a", issuer_key_hash="0b", serial_number="0c")
HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "0a", "issuerKeyHash": "0b", "serialNumber": "0c"}
AT = 4_000_000_000.0
STAMP = "2096-10-02T07:06:40.000Z"
A_MINUTE_LATER = "2096-10-02T07:07:40.000Z"
KINDS = [Stage2, Stage21]
BOTH = (OcppVersion.V201, OcppVersion.V21)

type Asked = Callable[[Operations], Awaitable[Any]]

GO_OUT: list[tuple[str, Asked, dict[str, Any]]] = [
    # operation, what is asked, what goes out (but for the number of the request) as the library tells it
    (
        "TriggerMessage",
        lambda ops: ops.trigger(Message.STATUS, 1),
        {"requested_message": "StatusNotification", "evse": {"id": 1, "connector_id": 1}},
    ),
    (
        "TriggerMessage",
        lambda ops: ops.trigger(Message.METER_VALUES, 2),
        {"requested_message": "MeterValues", "evse": {"id": 2}},
    ),
    ("TriggerMessage", lambda ops: ops.trigger(Message.LOG, 2), {"requested_message": "LogStatusNotification"}),
    ("TriggerMessage", lambda ops: ops.trigger(Message.BOOT), {"requested_message": "BootNotification"}),
    ("TriggerMessage", lambda ops: ops.trigger(Message.TRANSACTION), {"requested_message": "TransactionEvent"}),
    (
        "TriggerMessage",
        lambda ops: ops.trigger(Message.CERTIFICATE_REQUEST),
        {"requested_message": "SignChargingStationCertificate"},
    ),
    (
        "ReserveNow",
        lambda ops: ops.reserve(2, "04AA", AT, group_id_tag="STAFF"),
        {
            "expiry_date_time": STAMP,
            "id_token": {"id_token": "04AA", "type": "ISO14443"},
            "evse_id": 2,
            "group_id_token": {"id_token": "STAFF", "type": "Central"},
        },
    ),
    (
        "ReserveNow",
        lambda ops: ops.reserve(0, "04AA", AT),
        {"expiry_date_time": STAMP, "id_token": {"id_token": "04AA", "type": "ISO14443"}},
    ),
    ("CancelReservation", lambda ops: ops.cancel_reservation(reservation_id=7), {"reservation_id": 7}),
    (
        "GetLog",
        lambda ops: ops.fetch_log(LogWish(kind=LogKind.SECURITY, address="https://files", since=AT, retries=1)),
        {
            "log_type": "SecurityLog",
            "log": {"remote_location": "https://files", "oldest_timestamp": STAMP},
            "retries": 1,
        },
    ),
    (
        "UpdateFirmware",
        lambda ops: ops.update_firmware(
            FirmwareWish(
                address="https://fw", retrieve_at=AT, install_at=AT + 60, certificate=PEM, signature="c2ln", retries=2
            )
        ),
        {
            "firmware": {
                "location": "https://fw",
                "retrieve_date_time": STAMP,
                "install_date_time": A_MINUTE_LATER,
                "signing_certificate": PEM,
                "signature": "c2ln",
            },
            "retries": 2,
        },
    ),
    (
        "InstallCertificate",
        lambda ops: ops.install_certificate(CertificateUse.V2G, PEM),
        {"certificate_type": "V2GRootCertificate", "certificate": PEM},
    ),
    (
        "GetInstalledCertificateIds",
        lambda ops: ops.certificates(CertificateUse.MOBILITY_OPERATOR),
        {"certificate_type": ["MORootCertificate"]},
    ),
    ("GetInstalledCertificateIds", lambda ops: ops.certificates(), {}),
    (
        "DeleteCertificate",
        lambda ops: ops.delete_certificate(NAME),
        {
            "certificate_hash_data": {
                "hash_algorithm": "SHA256",
                "issuer_name_hash": "0a",
                "issuer_key_hash": "0b",
                "serial_number": "0c",
            }
        },
    ),
    (
        "GetCompositeSchedule",
        lambda ops: ops.composite_schedule(1, 600, ScheduleUnit.WATTS),
        {"evse_id": 1, "duration": 600, "charging_rate_unit": "W"},
    ),
    ("GetChargingProfiles", lambda ops: ops.held_profiles(2), {"charging_profile": {}, "evse_id": 2}),
    ("ClearCache", lambda ops: ops.clear_cache(), {}),
    (
        "DataTransfer",
        lambda ops: ops.transfer("Acme", "Hello", "you"),
        {"vendor_id": "Acme", "message_id": "Hello", "data": "you"},
    ),
]


@pytest.mark.parametrize("version", BOTH)
async def test_each_goes_out_in_the_words_of_the_version(central: CentralSystem, version: OcppVersion) -> None:
    async with dialled_in(central.port, version) as (_, noting):
        operations = central.conversation("CP1").operations
        for operation, asked, expected in GO_OUT:
            await asked(operations)
            sent = [said for name, said in noting.asked if name == operation]
            bare = [{key: item for key, item in said.items() if key not in ("request_id", "id")} for said in sent]
            assert expected in bare, operation


# -- settings ----------------------------------------------------------------------------------------------------------


@virtually_2
async def test_variables_are_read_by_name_a_few_at_a_time(stage: Stage2) -> None:
    point = await stage.booted()
    point.variables |= {("ClockCtrlr", f"V{number}"): str(number) for number in range(12)}
    point.variables["SecurityCtrlr", "BasicAuthPassword"] = "do-not-tell"
    point.asked.clear()
    names = [f"ClockCtrlr.V{number}" for number in range(12)]
    read = await stage.conversation.operations.settings(
        [*names, "SecurityCtrlr.BasicAuthPassword", "Nowhere@2:1.At[x]"]
    )

    assert {setting.name: setting.value for setting in read.settings} == {
        **{name: str(number) for number, name in enumerate(names)},
        "SecurityCtrlr.BasicAuthPassword": REDACTED,
    }
    assert read.unknown == ("Nowhere@2:1.At[x]",)
    assert [len(payload["getVariableData"]) for payload in point.calls("GetVariables")] == [10, 4]
    assert point.calls("GetVariables")[1]["getVariableData"][-1] == {
        "component": {"name": "Nowhere", "evse": {"id": 2, "connectorId": 1}},
        "variable": {"name": "At", "instance": "x"},
    }


@pytest.mark.parametrize("name", ["NoDot", ".Variable", "Component.", "A@x.B", "A[.B", "", "A.B[", f"{'c' * 51}.V"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_name_of_a_variable_is_refused(name: str, kind: type[Stage2]) -> None:
    @virtually_2
    async def story(stage: Stage2) -> None:
        await stage.booted()
        with pytest.raises(PayloadFault):
            await stage.conversation.operations.settings([name])
        with pytest.raises(PayloadFault):
            await stage.conversation.operations.change_setting(name, "1")

    story(kind)


async def report(point: ChargePoint2, request_id: int, entries: list[Any], *, tbc: bool, seq_no: int) -> None:
    await point.tell(
        "NotifyReport",
        {"requestId": request_id, "generatedAt": point.stamp(), "tbc": tbc, "seqNo": seq_no, "reportData": entries},
    )


@virtually_2
async def test_all_variables_come_in_parts(stage: Stage2) -> None:
    point = await stage.booted()
    asked = asyncio.ensure_future(stage.conversation.operations.settings())
    count = len(point.calls("GetBaseReport"))
    await stage.settle()
    request_id = point.calls("GetBaseReport")[-1]["requestId"]
    assert len(point.calls("GetBaseReport")) >= count
    await report(point, request_id, [variable("ClockCtrlr", "TimeZone", "UTC")], tbc=True, seq_no=0)
    await report(point, request_id + 1, [variable("Foreign", "Report", "1")], tbc=False, seq_no=0)
    entries = [variable("EVSE", "Power", "11000", evse=1, read_only=True), variable("A", "Key", None)]
    await report(point, request_id, entries, tbc=False, seq_no=1)
    read = await asked

    assert read.complete
    assert read.settings == (
        Setting(name="ClockCtrlr.TimeZone", value="UTC", read_only=False),
        Setting(name="EVSE@1.Power", value="11000", read_only=True, evse=1),
        Setting(name="A.Key", value=None, read_only=False),
    )


@virtually_2
async def test_a_report_that_does_not_go_on_is_told_as_far_as_it_came(stage: Stage2) -> None:
    point = await stage.booted()
    began = stage.clock.monotonic()
    asked = asyncio.ensure_future(stage.conversation.operations.settings())
    await stage.settle()
    request_id = point.calls("GetBaseReport")[-1]["requestId"]
    await report(point, request_id, [variable("ClockCtrlr", "TimeZone", "UTC")], tbc=True, seq_no=0)
    read = await asked

    assert ([setting.name for setting in read.settings], read.complete) == (["ClockCtrlr.TimeZone"], False)
    assert stage.clock.monotonic() - began == pytest.approx(QUIET_S, abs=1)


@virtually_2
async def test_a_report_that_never_ends_is_waited_for_no_longer_than_two_minutes(stage: Stage2) -> None:
    point = await stage.booted()
    began = stage.clock.monotonic()
    asked = asyncio.ensure_future(stage.conversation.operations.settings())
    await stage.settle()
    request_id = point.calls("GetBaseReport")[-1]["requestId"]
    seq_no = 0
    while not asked.done():
        await report(point, request_id, [variable("A", f"V{seq_no}", "1")], tbc=True, seq_no=seq_no)
        seq_no += 1
        await asyncio.sleep(5)

    assert not (await asked).complete
    assert stage.clock.monotonic() - began <= REPORT_S + 5
    assert seq_no < MOST_PARTS


@virtually_2
async def test_one_without_a_full_report_tells_what_can_be_configured(stage: Stage2) -> None:
    point = await stage.booted()
    bases: list[str] = []

    def refuse_full(payload: Any) -> Any:
        bases.append(payload["reportBase"])
        full = payload["reportBase"] == "FullInventory"
        return {"status": "NotSupported" if full else "EmptyResultSet"}

    point.answers["GetBaseReport"] = refuse_full
    assert (await stage.conversation.operations.settings()).settings == ()
    assert bases == ["FullInventory", "ConfigurationInventory"]


@virtually_2
async def test_a_variable_is_changed_or_refused_in_the_chargers_word(stage: Stage2) -> None:
    point = await stage.booted()
    operations = stage.conversation.operations
    assert await operations.change_setting("TxCtrlr.StopTxOnEVSideDisconnect", "true") is Change.DONE
    assert point.variables["TxCtrlr", "StopTxOnEVSideDisconnect"] == "true"

    def answering(status: str) -> Callable[[Any], Any]:
        def answer(payload: Any) -> Any:
            [asked] = payload["setVariableData"]
            del asked["attributeValue"]
            return {"setVariableResult": [{**asked, "attributeStatus": status}]}

        return answer

    point.answers["SetVariables"] = answering("RebootRequired")
    assert await operations.change_setting("TxCtrlr.StopTxOnEVSideDisconnect", "true") is Change.RESTART_NEEDED
    point.answers["SetVariables"] = answering("UnknownVariable")
    with pytest.raises(Refused, match="UnknownVariable"):
        await operations.change_setting("AuthCtrlr.Nonsense", "true")


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("SmartChargingCtrlr.Enabled", Instead.SETTING),
        ("SampledDataCtrlr.TxUpdatedInterval", Instead.SETTING),
        ("SecurityCtrlr.BasicAuthPassword", Instead.KEY),
        ("Acme@1.MaxCurrent[x]", Instead.UNKNOWN_SETTING),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_variables_that_are_kept_do_not_go_out(name: str, instead: Instead, kind: type[Stage2]) -> None:
    @virtually_2
    async def story(stage: Stage2) -> None:
        point = await stage.booted()
        point.asked.clear()
        with pytest.raises(Forbidden) as refused:
            await stage.conversation.operations.change_setting(name, "1")
        assert refused.value.instead is instead
        assert point.calls("SetVariables") == []

    story(kind)


# -- what comes later --------------------------------------------------------------------------------------------------


@virtually_2
async def test_the_end_of_a_log_and_of_a_firmware_is_waited_for(stage: Stage2) -> None:
    point = await stage.booted(
        GetLog=lambda _: {"status": "Accepted", "filename": "log.gz"},
        UpdateFirmware=lambda _: {"status": "Accepted"},
    )
    operations = stage.conversation.operations
    log = asyncio.ensure_future(operations.fetch_log(LogWish(kind=LogKind.DIAGNOSTICS, address="https://x", wait_s=60)))
    number = (await point.was_asked("GetLog"))["requestId"]
    await point.tell("LogStatusNotification", {"status": "Uploading", "requestId": number})
    await point.tell("LogStatusNotification", {"status": "Uploaded", "requestId": number})
    firmware = asyncio.ensure_future(
        operations.update_firmware(FirmwareWish(address="https://x", retrieve_at=AT, wait_s=60))
    )
    number = (await point.was_asked("UpdateFirmware"))["requestId"]
    await point.tell("FirmwareStatusNotification", {"status": "InstallVerificationFailed", "requestId": number})

    assert ((await log).status, (await log).ended, (await log).file_name) == ("Uploaded", True, "log.gz")
    assert ((await firmware).status, (await firmware).ended) == ("InstallVerificationFailed", True)
    told = stage.heard(Progressed)
    assert [(one.what, one.status) for one in told] == [
        (Progress.LOG, "Uploading"),
        (Progress.LOG, "Uploaded"),
        (Progress.FIRMWARE, "InstallVerificationFailed"),
    ]


@virtually_2
async def test_a_reservation_that_the_charger_gives_up_is_over(stage: Stage2) -> None:
    point = await stage.booted(ReserveNow=lambda _: {"status": "Accepted"})
    operations = stage.conversation.operations
    kept = await operations.reserve(1, "04AA", stage.clock.time() + 600)
    assert list(operations.reservations) == [kept]
    await point.tell(
        "ReservationStatusUpdate", {"reservationId": kept.reservation_id, "reservationUpdateStatus": "Removed"}
    )

    assert list(operations.reservations) == []
    assert stage.heard(Progressed) == [
        Progressed(what=Progress.RESERVATION, status="Removed", request_id=kept.reservation_id)
    ]


@virtually_2
async def test_a_reservation_is_over_when_it_is_used_or_its_connector_is_free(stage: Stage2) -> None:
    point = await stage.booted(ReserveNow=lambda _: {"status": "Accepted"})
    operations = stage.conversation.operations
    kept = await operations.reserve(1, "04AA", stage.clock.time() + 600)
    await point.event("Started", evse=1, tag="04AA", reservationId=kept.reservation_id)
    assert list(operations.reservations) == []

    await operations.reserve(1, "04AA", stage.clock.time() + 600)
    await point.status(1, "Reserved")
    assert len(operations.reservations) == 1
    await point.status(1, "Available")
    assert list(operations.reservations) == []


@virtually_2
async def test_the_profiles_that_it_holds_are_told(stage: Stage2) -> None:
    point = await stage.booted()
    await stage.settle()
    point.answers["GetChargingProfiles"] = lambda _: {"status": "Accepted"}
    point.asked.clear()
    asked = asyncio.ensure_future(stage.conversation.operations.held_profiles())
    number = (await point.was_asked("GetChargingProfiles"))["requestId"]
    profile = {
        "id": 5,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [
            {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}]}
        ],
    }
    part = {"requestId": number, "chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": [profile]}
    await point.tell("ReportChargingProfiles", {**part, "tbc": True})
    await point.tell("ReportChargingProfiles", part)
    held = await asked

    assert held.complete
    assert held.profiles == ({"evseId": 1, "chargingLimitSource": "CSO", **profile},) * 2


@virtually_2
async def test_who_holds_no_profiles_is_not_waited_for(stage: Stage2) -> None:
    point = await stage.booted()
    point.answers["GetChargingProfiles"] = lambda _: {"status": "NoProfiles"}

    assert (await stage.conversation.operations.held_profiles(1)).profiles == ()


@virtually_2
async def test_certificates_and_schedules_are_read_as_they_are_told(stage: Stage2) -> None:
    chain = [
        {"certificateType": "CSMSRootCertificate", "certificateHashData": HASH},
        {"certificateType": "V2GCertificateChain", "certificateHashData": HASH},
    ]
    schedule = {
        "evseId": 1,
        "duration": 60,
        "scheduleStart": STAMP,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 7.5}],
    }
    await stage.booted(
        GetInstalledCertificateIds=lambda _: {"status": "Accepted", "certificateHashDataChain": chain},
        GetCompositeSchedule=lambda _: {"status": "Accepted", "schedule": schedule},
    )
    operations = stage.conversation.operations
    held = await operations.certificates()
    composed = await operations.composite_schedule(1, 60)

    assert [(one.use, one.name) for one in held] == [(CertificateUse.CENTRAL_SYSTEM, NAME), (None, NAME)]
    assert (composed.starts_at, composed.unit, composed.duration_s) == (AT, ScheduleUnit.AMPS, 60)
    assert [(period.start_s, period.limit) for period in composed.periods] == [(0, 7.5)]


IN_PARTS: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("GetReport", {}, "NotifyReport", {"generatedAt": STAMP, "seqNo": 0}),
    ("GetBaseReport", {"reportBase": "SummaryInventory"}, "NotifyReport", {"generatedAt": STAMP, "seqNo": 0}),
    ("GetMonitoringReport", {}, "NotifyMonitoringReport", {"generatedAt": STAMP, "seqNo": 0}),
    (
        "CustomerInformation",
        {"report": True, "clear": False, "customerIdentifier": "Ann"},
        "NotifyCustomerInformation",
        {"data": "charged twice", "generatedAt": STAMP, "seqNo": 0},
    ),
    ("GetDisplayMessages", {}, "NotifyDisplayMessages", {}),
]


@pytest.mark.parametrize(("operation", "payload", "message", "part"), IN_PARTS, ids=[one[0] for one in IN_PARTS])
@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_in_parts_is_in_the_answer(
    operation: str, payload: dict[str, Any], message: str, part: dict[str, Any], kind: type[Stage2]
) -> None:
    @virtually_2
    async def story(stage: Stage2) -> None:
        point = await stage.booted()
        await stage.settle()
        point.answers[operation] = lambda _: {"status": "Accepted"}
        point.asked.clear()
        asked = asyncio.ensure_future(stage.conversation.operations.call(operation, payload))
        number = (await point.was_asked(operation))["requestId"]
        parts = [{**part, "requestId": number, "tbc": True}, {**part, "requestId": number, "tbc": False}]
        for one in parts:
            await point.tell(message, one)
        came = await asked

        assert (came.answer, came.parts, came.complete) == ({"status": "Accepted"}, tuple(parts), True)

    story(kind)


def test_in_2_1_the_controls_that_follow_the_grid_are_in_the_answer() -> None:
    @virtually_2
    async def story(stage: Stage2) -> None:
        point = await stage.booted(GetDERControl=lambda _: {"status": "Accepted"})
        asked = asyncio.ensure_future(stage.conversation.operations.call("GetDERControl", {}))
        number = (await point.was_asked("GetDERControl"))["requestId"]
        part = {"requestId": number, "tbc": False, "freqDroop": []}
        await point.tell("ReportDERControl", part)

        assert (await asked).parts == (part,)

    story(Stage21)


@virtually_2
async def test_how_far_a_firmware_is_that_it_passes_on_is_told(stage: Stage2) -> None:
    point = await stage.booted()
    await point.tell("PublishFirmwareStatusNotification", {"status": "Downloaded", "requestId": 7})
    await stage.settle()

    assert stage.heard(Progressed) == [Progressed(what=Progress.PUBLISHING, status="Downloaded", request_id=7)]


@virtually_2
async def test_what_is_refused_is_told_at_once_and_without_parts(stage: Stage2) -> None:
    await stage.booted(GetMonitoringReport=lambda _: {"status": "EmptyResultSet"})
    began = stage.clock.monotonic()
    came = await stage.conversation.operations.call("GetMonitoringReport", {})

    assert (came.answer, came.parts) == ({"status": "EmptyResultSet"}, ())
    assert stage.clock.monotonic() == began


@virtually_2
async def test_secrets_in_reports_are_not_told(stage: Stage2) -> None:
    point = await stage.booted()
    point.variables["SecurityCtrlr", "BasicAuthPassword"] = "do-not-tell"
    asked = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    came = await stage.conversation.operations.call("GetVariables", {"getVariableData": [asked]})

    assert came.answer["getVariableResult"][0]["attributeValue"] == REDACTED
    assert "do-not-tell" not in str(came)


# -- what it tells of its own accord -----------------------------------------------------------------------------------


def an_event(point: ChargePoint2, **more: Any) -> dict[str, Any]:
    event = {
        "eventId": 1,
        "timestamp": point.stamp(),
        "trigger": "Alerting",
        "actualValue": "71",
        "eventNotificationType": "CustomMonitor",
        "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}},
        "variable": {"name": "Temperature"},
    }
    return {"generatedAt": point.stamp(), "seqNo": 0, "eventData": [event | more]}


@virtually_2
async def test_what_somebody_had_it_watch_is_told(stage: Stage2) -> None:
    point = await stage.booted()
    await point.tell("NotifyEvent", an_event(point, variableMonitoringId=4))
    await point.tell("NotifyEvent", an_event(point, variableMonitoringId=4, actualValue="40", cleared=True))
    await point.tell("NotifyEvent", an_event(point, eventNotificationType="HardWiredNotification"))
    answered = await point.tell("NotifyEvent", an_event(point, eventNotificationType=["CustomMonitor"]))
    assert answered[0] == 3  # what makes no sense is not told, and costs nothing else
    await stage.settle()

    told = [(one.what, one.name, one.value, one.monitor_id, one.cleared) for one in stage.heard(Noticed)]
    assert told == [
        (Notice.MONITOR, "Connector@1:1.Temperature", "71", 4, False),
        (Notice.MONITOR, "Connector@1:1.Temperature", "40", 4, True),
    ]


@virtually_2
async def test_an_event_of_its_security_is_told(stage: Stage2) -> None:
    point = await stage.booted()
    event = {"type": "SettingSystemTime", "timestamp": point.stamp(), "techInfo": "by hand"}
    assert (await point.tell("SecurityEventNotification", event))[2] == {}
    await stage.settle()

    [told] = stage.heard(Noticed)
    assert (told.what, told.name, told.details) == (Notice.SECURITY, "SettingSystemTime", "by hand")
    assert told.at == pytest.approx(stage.clock.time(), abs=2)


@virtually_2
async def test_of_one_that_tells_too_much_not_all_is_passed_on(stage: Stage2) -> None:
    point = await stage.booted()
    for number in range(3 * TOLD_AT_ONCE):
        await point.tell("NotifyEvent", an_event(point, eventId=number))
        await point.tell("LogStatusNotification", {"status": "Uploading", "requestId": number})
    await stage.settle()

    assert len(stage.heard(Noticed)) + len(stage.heard(Progressed)) <= TOLD_AT_ONCE + 5
