"""Actions ask charge points for what OCPP offers beyond charging and answer with what they said, or say why not."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.charge_cluster.const import EVENT_NOTICE, EVENT_PROGRESS
from custom_components.charge_cluster.ledger.drivers import DriverRecord
from custom_components.charge_cluster.ocpp.forbidden import Instead
from custom_components.charge_cluster.ocpp.vocabulary import Fault
from tests.entities.stage import Dial
from tests.ocpp.charge_point import ChargePoint
from tests.ocpp.charge_point_2 import ChargePoint2
from tests.ocpp.raw_client import RawClient
from tests.site_entry import DOMAIN, a_charge_point, a_cluster, a_site, free_port, set_up

from .stage import answer, ask, device

WORDS = json.loads(
    (Path(__file__).parents[2] / "custom_components" / "charge_cluster" / "translations" / "en.json").read_text()
)
TWO_CONNECTORS = ["l1_l2_l3", "l2_l3_l1"]
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
NAME = {"hash_algorithm": "SHA256", "issuer_name_hash": "0a", "issuer_key_hash": "0b", "serial_number": "0c"}
HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "0a", "issuerKeyHash": "0b", "serialNumber": "0c"}
ACCEPTED = {"status": "Accepted"}
SCHEDULE = {
    "status": "Accepted",
    "connectorId": 1,
    "scheduleStart": "2026-12-01T10:00:00Z",
    "chargingSchedule": {
        "duration": 60,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0, "numberPhases": 3}],
    },
}

CALLS: list[tuple[str, dict[str, Any], str, Any, Any, dict[str, Any]]] = [
    # action, fields, what goes out, its payload, what comes back, what is answered
    (
        "get_settings",
        {"keys": ["CpoName"]},
        "GetConfiguration",
        {"key": ["CpoName"]},
        {"configurationKey": [{"key": "CpoName", "readonly": False, "value": "Us"}], "unknownKey": []},
        {
            "settings": [{"name": "CpoName", "value": "Us", "read_only": False, "evse": None, "connector": None}],
            "unknown": [],
            "complete": True,
        },
    ),
    (
        "change_setting",
        {"key": "ConnectionTimeOut", "value": "90"},
        "ChangeConfiguration",
        {"key": "ConnectionTimeOut", "value": "90"},
        {"status": "RebootRequired"},
        {"outcome": "restart_needed"},
    ),
    ("trigger_message", {"message": "heartbeat"}, "TriggerMessage", {"requestedMessage": "Heartbeat"}, ACCEPTED, {}),
    ("clear_cache", {}, "ClearCache", {}, ACCEPTED, {}),
    (
        "transfer_data",
        {"vendor": "Acme", "message_id": "Hello", "data": "you"},
        "DataTransfer",
        {"vendorId": "Acme", "messageId": "Hello", "data": "you"},
        {"status": "Accepted", "data": "me"},
        {"data": "me"},
    ),
    (
        "get_log",
        {"address": "https://files.example/in", "log": "security", "start": "2026-11-01T00:00:00+00:00", "retries": 3},
        "GetLog",
        {
            "logType": "SecurityLog",
            "log": {"remoteLocation": "https://files.example/in", "oldestTimestamp": "2026-11-01T00:00:00.000Z"},
            "retries": 3,
        },
        {"status": "Accepted", "filename": "s.log"},
        {"file_name": "s.log", "status": None, "ended": False},
    ),
    (
        "update_firmware",
        {"address": "https://files.example/fw", "retrieve": "2026-12-24T00:00:00+00:00"},
        "UpdateFirmware",
        {"location": "https://files.example/fw", "retrieveDate": "2026-12-24T00:00:00.000Z"},
        {},
        {"request_id": None, "file_name": None, "status": None, "ended": False},
    ),
    (
        "install_certificate",
        {"use": "manufacturer", "certificate": PEM},
        "InstallCertificate",
        {"certificateType": "ManufacturerRootCertificate", "certificate": PEM},
        ACCEPTED,
        {},
    ),
    (
        "get_certificates",
        {"use": "central_system"},
        "GetInstalledCertificateIds",
        {"certificateType": "CentralSystemRootCertificate"},
        {"status": "Accepted", "certificateHashData": [HASH]},
        {"certificates": [{"use": "central_system", **NAME}]},
    ),
    ("delete_certificate", NAME, "DeleteCertificate", {"certificateHashData": HASH}, ACCEPTED, {}),
    (
        "get_composite_schedule",
        {"duration": 60, "unit": "A"},
        "GetCompositeSchedule",
        {"connectorId": 1, "duration": 60, "chargingRateUnit": "A"},
        SCHEDULE,
        {
            "connector": 1,
            "unit": "A",
            "starts_at": "2026-12-01T10:00:00+00:00",
            "duration_s": 60,
            "periods": [{"start_s": 0, "limit": 10.0, "phases": 3}],
        },
    ),
    (
        "ocpp_call",
        {"operation": "GetLocalListVersion"},
        "GetLocalListVersion",
        {},
        {"listVersion": 4},
        {"version": "1.6", "answer": {"listVersion": 4}, "parts": [], "complete": True},
    ),
    (
        "ocpp_call",
        {"operation": "UnlockConnector", "payload": {"connectorId": 1.0}},
        "UnlockConnector",
        {"connectorId": 1},
        {"status": "NotSupported"},
        {"version": "1.6", "answer": {"status": "NotSupported"}, "parts": [], "complete": True},
    ),
]
each_call = pytest.mark.parametrize("told", CALLS, ids=lambda told: f"{told[0]} {told[2]}")


class WithoutOcpp:
    """As much of a charger over another wire as an operation asks for."""

    online = True


def _always(said: Any, _payload: Any) -> Any:
    return said


async def one_that_answers(hass: HomeAssistant, dial: Dial, **answers: Any) -> tuple[MockConfigEntry, ChargePoint]:
    """Return a site and its charge point, which answers some operations so."""
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    point = await dial(port, "CP1")
    for action, said in answers.items():
        point.answers[action] = partial(_always, said)
    return entry, point


@each_call
async def test_what_is_asked_goes_out_and_what_comes_back_is_answered(
    hass: HomeAssistant, dial: Dial, told: tuple[str, dict[str, Any], str, Any, Any, dict[str, Any]]
) -> None:
    action, fields, operation, payload, came, answered = told
    entry, point = await one_that_answers(hass, dial, **{operation: came})
    about = device(hass, entry, "CP1")

    [said] = (await answer(hass, action, about, **fields))["answers"]

    sent = point.calls(operation)[-1]
    assert {key: value for key, value in sent.items() if key != "requestId"} == payload
    assert {key: value for key, value in said.items() if key in answered} == answered
    assert (said["charge_point"], said["device_id"]) == ("CP1", about)


@each_call
async def test_who_is_away_cannot_be_asked(
    hass: HomeAssistant, told: tuple[str, dict[str, Any], str, Any, Any, dict[str, Any]]
) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    with pytest.raises(HomeAssistantError, match="has no connection") as failed:
        await answer(hass, told[0], device(hass, entry, "CP1"), **told[1])

    assert failed.value.translation_key == "charger_offline"


@each_call
async def test_who_does_not_know_an_operation_says_so(
    hass: HomeAssistant, dial: Dial, told: tuple[str, dict[str, Any], str, Any, Any, dict[str, Any]]
) -> None:
    entry, _ = await one_that_answers(hass, dial, **{told[2]: "NotImplemented"})

    with pytest.raises(HomeAssistantError, match="does not know this operation") as failed:
        await answer(hass, told[0], device(hass, entry, "CP1"), **told[1])

    assert failed.value.translation_key == "operation_not_known"


@each_call
async def test_a_charge_point_without_ocpp_says_so(
    hass: HomeAssistant,
    dial: Dial,
    monkeypatch: pytest.MonkeyPatch,
    told: tuple[str, dict[str, Any], str, Any, Any, dict[str, Any]],
) -> None:
    entry, _ = await one_that_answers(hass, dial)
    monkeypatch.setattr(entry.runtime_data.site, "charger", lambda _charge_point_id: WithoutOcpp())

    with pytest.raises(ServiceValidationError, match="CP1 does not speak OCPP") as failed:
        await answer(hass, told[0], device(hass, entry, "CP1"), **told[1])

    assert failed.value.translation_key == "needs_ocpp"


async def test_a_refusal_is_told_in_the_charge_points_word(hass: HomeAssistant, dial: Dial) -> None:
    entry, _ = await one_that_answers(hass, dial, ClearCache={"status": "Rejected"})

    with pytest.raises(HomeAssistantError, match="The charge point answered: Rejected"):
        await ask(hass, "clear_cache", device(hass, entry, "CP1"))


async def test_what_the_version_does_not_have_is_said(hass: HomeAssistant, dial: Dial) -> None:
    entry, _ = await one_that_answers(hass, dial)

    with pytest.raises(ServiceValidationError, match=r"OCPP 1\.6, which the charge point speaks, does not have this"):
        await answer(hass, "get_charging_profiles", device(hass, entry, "CP1"))


@pytest.mark.parametrize("instead", Instead)
def test_every_reason_to_refuse_has_its_sentence(instead: Instead) -> None:
    assert "{what}" in WORDS["exceptions"][instead]["message"]


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_of_a_payload_has_its_sentence(fault: Fault) -> None:
    assert "{place}" in WORDS["exceptions"][fault]["message"]


@pytest.mark.parametrize(
    ("action", "fields", "words"),
    [
        ("ocpp_call", {"operation": "SetChargingProfile"}, "use the cap of the connector or the action Set cap"),
        ("ocpp_call", {"operation": "ClearChargingProfile"}, "use the cap of the connector or the action Set cap"),
        (
            "ocpp_call",
            {"operation": "RemoteStartTransaction", "payload": {"idTag": "A", "chargingProfile": {}}},
            "Start without one",
        ),
        (
            "ocpp_call",
            {"operation": "ChangeConfiguration", "payload": {"key": "MeterValuesSampledData", "value": ""}},
            "MeterValuesSampledData is kept by Charge Cluster",
        ),
        ("change_setting", {"key": "MeterValueSampleInterval", "value": "900"}, "is kept by Charge Cluster"),
        ("change_setting", {"key": "AcmeMaxCurrent", "value": "63"}, "commission it anew"),
        ("change_setting", {"key": "AuthorizationKey", "value": "0123456789abcdef"}, "new key in its settings"),
        ("transfer_data", {"vendor": "Acme", "message_id": "SetCurrentLimit", "data": "63"}, "commission it anew"),
        ("ocpp_call", {"operation": "Nonsense"}, r"OCPP 1\.6 has no operation Nonsense"),
        ("ocpp_call", {"operation": "Reset", "payload": {"type": "Warm"}}, r"Reset\.type must be one of: Hard, Soft"),
        ("ocpp_call", {"operation": "Reset"}, r"Reset\.type is missing"),
    ],
)
async def test_what_must_not_go_out_is_refused_with_what_to_do(
    hass: HomeAssistant, dial: Dial, action: str, fields: dict[str, Any], words: str
) -> None:
    entry, point = await one_that_answers(hass, dial)

    with pytest.raises(ServiceValidationError, match=words):
        await ask(hass, action, device(hass, entry, "CP1"), **fields)

    await ask(hass, "trigger_message", device(hass, entry, "CP1"), message="heartbeat")  # has gone out after it
    sent = [*point.asked, ("ChangeConfiguration", {"key": fields.get("key"), "value": fields.get("value")})]
    assert sent.count(sent[-1]) == 1
    payload = fields.get("payload", {})
    assert [said for name, said in point.asked if name == fields.get("operation") and said == payload] == []
    assert point.calls("DataTransfer") == []


# Reservations -------------------------------------------------------------------------------------------------------


async def test_a_connector_is_reserved_and_shows_it(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", rotations=TWO_CONNECTORS)))
    point = await dial(port, "CP1", 2)
    point.answers |= {"ReserveNow": lambda _: ACCEPTED, "CancelReservation": lambda _: ACCEPTED}
    expires = dt_util.utcnow() + timedelta(hours=1)
    about = device(hass, entry, "CP1", 2)

    [said] = (await answer(hass, "reserve", about, id_tag="04AA", expires=expires, group_id_tag="STAFF"))["answers"]
    await point.status(2, "Reserved")
    await hass.async_block_till_done()

    [sent] = point.calls("ReserveNow")
    assert (sent["connectorId"], sent["idTag"], sent["parentIdTag"]) == (2, "04AA", "STAFF")
    assert sent["reservationId"] == said["reservation_id"]
    assert (said["charge_point"], said["connector"]) == ("CP1 (2)", 2)
    charge_point_id = next(iter(entry.runtime_data.site.charge_points))
    assert entry.runtime_data.site.connectors[f"{charge_point_id}/2"].status == "Reserved"

    await ask(hass, "cancel_reservation", about)
    assert point.calls("CancelReservation") == [{"reservationId": said["reservation_id"]}]


async def test_of_a_charge_point_with_several_connectors_any_is_reserved(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", rotations=TWO_CONNECTORS)))
    point = await dial(port, "CP1", 2)
    point.answers["ReserveNow"] = lambda _: ACCEPTED

    await ask(hass, "reserve", device(hass, entry, "CP1"), id_tag="04AA", expires=dt_util.utcnow() + timedelta(hours=1))

    assert point.calls("ReserveNow")[0]["connectorId"] == 0


async def test_nothing_is_reserved_for_who_may_not_charge(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), accept_all_tags=False))
    await entry.runtime_data.installation.ledger.drivers.put(DriverRecord(id_tag="04AA", name="Ann", enabled=False))
    point = await dial(port, "CP1")

    with pytest.raises(ServiceValidationError) as refused:
        await ask(
            hass, "reserve", device(hass, entry, "CP1"), id_tag="04AA", expires=dt_util.utcnow() + timedelta(hours=1)
        )

    assert refused.value.translation_key == "id_tag_refused"
    assert point.calls("ReserveNow") == []


@pytest.mark.parametrize("hours", [-1, 8 * 24])
async def test_a_reservation_ends_within_a_week(hass: HomeAssistant, hours: int) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    expires = dt_util.utcnow() + timedelta(hours=hours)

    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "reserve", device(hass, entry, "CP1"), id_tag="04AA", expires=expires)

    assert refused.value.translation_key == "impossible_expiry"


async def test_which_reservation_is_meant_must_be_known(hass: HomeAssistant, dial: Dial) -> None:
    entry, point = await one_that_answers(hass, dial, CancelReservation=ACCEPTED)

    with pytest.raises(ServiceValidationError) as unknown:
        await ask(hass, "cancel_reservation", device(hass, entry, "CP1"))
    await ask(hass, "cancel_reservation", device(hass, entry, "CP1"), reservation_id=77)

    assert unknown.value.translation_key == "no_reservation"
    assert point.calls("CancelReservation") == [{"reservationId": 77}]


# Later --------------------------------------------------------------------------------------------------------------


async def test_the_end_is_in_the_answer_of_who_waits_and_each_word_is_an_event(hass: HomeAssistant, dial: Dial) -> None:
    entry, point = await one_that_answers(hass, dial, UpdateFirmware={})
    events = async_capture_events(hass, EVENT_PROGRESS)
    about = device(hass, entry, "CP1")

    asked = asyncio.create_task(answer(hass, "update_firmware", about, address="https://files.example/fw", wait=60))
    await point.was_asked("UpdateFirmware")
    await point.tell("FirmwareStatusNotification", {"status": "Downloading"})
    await point.tell("FirmwareStatusNotification", {"status": "InstallationFailed"})
    [said] = (await asked)["answers"]
    await hass.async_block_till_done()

    assert (said["status"], said["ended"]) == ("InstallationFailed", True)
    assert [event.data for event in events] == [
        {"device_id": about, "what": "firmware", "status": status, "request_id": None}
        for status in ("Downloading", "InstallationFailed")
    ]


async def test_what_a_charge_point_tells_of_its_own_accord_is_an_event(hass: HomeAssistant, dial: Dial) -> None:
    entry, point = await one_that_answers(hass, dial)
    events = async_capture_events(hass, EVENT_NOTICE)

    event = {"type": "TamperDetectionActivated", "timestamp": "2026-12-01T10:00:00Z", "techInfo": "door"}
    await point.tell("SecurityEventNotification", event)
    await hass.async_block_till_done()

    assert [event.data for event in events] == [
        {
            "device_id": device(hass, entry, "CP1"),
            "what": "security",
            "name": "TamperDetectionActivated",
            "value": None,
            "details": "door",
            "monitor_id": None,
            "cleared": None,
            "at": "2026-12-01T10:00:00+00:00",
        }
    ]


async def test_nothing_is_told_of_a_site_that_is_unloaded(hass: HomeAssistant, dial: Dial) -> None:
    entry, point = await one_that_answers(hass, dial)
    events = async_capture_events(hass, EVENT_PROGRESS)
    assert await hass.config_entries.async_unload(entry.entry_id)

    await point.tell("FirmwareStatusNotification", {"status": "Downloading"})
    await hass.async_block_till_done()

    assert events == []


async def test_a_log_that_ends_before_it_starts_is_refused(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    with pytest.raises(ServiceValidationError) as refused:
        await ask(
            hass,
            "get_log",
            device(hass, entry, "CP1"),
            address="https://files.example",
            start="2026-11-02 00:00:00",
            end="2026-11-01 00:00:00",
        )

    assert refused.value.translation_key == "ends_before_it_starts"


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("get_log", {"address": "no address"}),
        ("get_log", {"address": "https://"}),
        ("get_log", {"address": "https://x", "wait": 100_000}),
        ("update_firmware", {"address": "https://x", "signature": "c2ln"}),
        ("install_certificate", {"use": "central_system", "certificate": "-----BEGIN PRIVATE KEY-----"}),
        ("install_certificate", {"use": "anything", "certificate": PEM}),
        ("delete_certificate", NAME | {"serial_number": "not hexadecimal"}),
        ("trigger_message", {"message": "nonsense"}),
        ("get_settings", {"keys": []}),
        ("ocpp_call", {"operation": "no operation"}),
        ("ocpp_call", {"operation": "Reset", "payload": ["Soft"]}),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anybody_is_asked(
    hass: HomeAssistant, action: str, fields: dict[str, Any]
) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    with pytest.raises(vol.Invalid):
        await answer(hass, action, device(hass, entry, "CP1"), **fields)


# Several ------------------------------------------------------------------------------------------------------------


async def test_of_several_those_that_answer_are_told_and_the_others_say_why(hass: HomeAssistant, dial: Dial) -> None:
    site = a_site(port := free_port(), a_cluster("Cluster B"), a_charge_point("CP1"), a_charge_point("CP2"))
    entry = await set_up(hass, site)
    point = await dial(port, "CP1")
    point.answers["ClearCache"] = lambda _: ACCEPTED

    said = (await answer(hass, "clear_cache", device(hass, entry)))["answers"]

    assert [one["charge_point"] for one in said] == ["CP1", "CP2"]
    assert "error" not in said[0]
    assert "has no connection" in said[1]["error"]


async def test_who_wants_no_answer_is_told_of_failures(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), a_charge_point("CP2")))
    point = await dial(port, "CP1")
    point.answers["ClearCache"] = lambda _: ACCEPTED

    with pytest.raises(HomeAssistantError, match=r"1 of 2 could not be done\. CP2: The charge point has no"):
        await ask(hass, "clear_cache", device(hass, entry))

    assert point.calls("ClearCache") == [{}]


async def test_where_all_fail_the_action_fails(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), a_charge_point("CP2")))

    with pytest.raises(HomeAssistantError, match="2 of 2 could not be done"):
        await answer(hass, "clear_cache", device(hass, entry))


async def test_addresses_and_certificates_are_not_logged(
    hass: HomeAssistant, dial: Dial, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger=f"custom_components.{DOMAIN}")
    entry, _ = await one_that_answers(hass, dial, GetLog={"status": "Rejected"}, GetConfiguration={})

    with pytest.raises(HomeAssistantError):
        await ask(hass, "get_log", device(hass, entry, "CP1"), address="ftp://ann:hidden@files.example/")

    ours = [record.getMessage() for record in caplog.records if record.name.startswith(f"custom_components.{DOMAIN}")]
    assert not [line for line in ours if "hidden" in line]


# The second generation ----------------------------------------------------------------------------------------------


@pytest.fixture
async def one_of_2(hass: HomeAssistant) -> AsyncIterator[tuple[MockConfigEntry, ChargePoint2]]:
    """Return a site and its charge point, which speaks OCPP 2.0.1."""
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    point = ChargePoint2(await RawClient.dial(port, "/CP1", protocols="ocpp2.0.1"))
    assert (await point.boot())["status"] == "Accepted"
    await point.status(1, "Available")
    await hass.async_block_till_done()
    yield entry, point
    await point.close()


async def test_the_same_actions_ask_whatever_version_is_spoken(
    hass: HomeAssistant, one_of_2: tuple[MockConfigEntry, ChargePoint2]
) -> None:
    entry, point = one_of_2
    about = device(hass, entry, "CP1")
    point.variables["ClockCtrlr", "TimeZone"] = "UTC"
    point.answers["ReserveNow"] = lambda _: ACCEPTED

    [read] = (await answer(hass, "get_settings", about, keys=["ClockCtrlr.TimeZone", "ClockCtrlr.Nothing"]))["answers"]
    [changed] = (await answer(hass, "change_setting", about, key="ClockCtrlr.TimeZone", value="CET"))["answers"]
    [kept] = (await answer(hass, "reserve", about, id_tag="04AA", expires=dt_util.utcnow() + timedelta(hours=1)))[
        "answers"
    ]

    assert read["settings"] == [
        {"name": "ClockCtrlr.TimeZone", "value": "UTC", "read_only": None, "evse": None, "connector": None}
    ]
    assert read["unknown"] == ["ClockCtrlr.Nothing"]
    assert changed["outcome"] == "done"
    assert point.variables["ClockCtrlr", "TimeZone"] == "CET"
    assert point.calls("ReserveNow")[0]["id"] == kept["reservation_id"]


async def test_the_profiles_that_it_holds_are_answered(
    hass: HomeAssistant, one_of_2: tuple[MockConfigEntry, ChargePoint2]
) -> None:
    entry, point = one_of_2
    point.answers["GetChargingProfiles"] = lambda _: ACCEPTED
    before = len(point.calls("GetChargingProfiles"))

    asked = asyncio.create_task(answer(hass, "get_charging_profiles", device(hass, entry, "CP1")))
    number = (await point.was_asked("GetChargingProfiles", before + 1))["requestId"]
    profile = {
        "id": 5,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [
            {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}]}
        ],
    }
    report = {"requestId": number, "chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": [profile]}
    await point.tell("ReportChargingProfiles", report)
    [said] = (await asked)["answers"]

    assert said["profiles"] == [{"evseId": 1, "chargingLimitSource": "CSO", **profile}]
    assert said["complete"] is True


async def test_what_comes_in_parts_is_answered_whole(
    hass: HomeAssistant, one_of_2: tuple[MockConfigEntry, ChargePoint2]
) -> None:
    entry, point = one_of_2
    point.answers["GetMonitoringReport"] = lambda _: ACCEPTED

    asked = asyncio.create_task(answer(hass, "ocpp_call", device(hass, entry, "CP1"), operation="GetMonitoringReport"))
    number = (await point.was_asked("GetMonitoringReport"))["requestId"]
    parts = [
        {"requestId": number, "seqNo": seq_no, "generatedAt": "2026-12-01T10:00:00Z", "tbc": seq_no == 0}
        for seq_no in (0, 1)
    ]
    for part in parts:
        await point.tell("NotifyMonitoringReport", part)
    [said] = (await asked)["answers"]

    assert (said["version"], said["answer"], said["parts"], said["complete"]) == ("2.0.1", ACCEPTED, parts, True)


@pytest.mark.parametrize(
    ("action", "fields", "words"),
    [
        ("ocpp_call", {"operation": "ChangeConfiguration"}, r"OCPP 2\.0\.1 has no operation ChangeConfiguration"),
        ("ocpp_call", {"operation": "UsePriorityCharging"}, "Use Charge now"),
        ("ocpp_call", {"operation": "SetDERControl"}, "not in the books"),
        (
            "ocpp_call",
            {
                "operation": "SetVariables",
                "payload": {
                    "setVariableData": [
                        {
                            "component": {"name": "SmartChargingCtrlr"},
                            "variable": {"name": "Enabled"},
                            "attributeValue": "false",
                        }
                    ]
                },
            },
            r"SmartChargingCtrlr\.Enabled is kept by Charge Cluster",
        ),
        ("change_setting", {"key": "SmartChargingCtrlr.Enabled", "value": "false"}, "is kept by Charge Cluster"),
        ("change_setting", {"key": "NoDot", "value": "1"}, "NoDot must be like this: Component.Variable"),
    ],
)
async def test_in_no_version_goes_out_what_must_not(
    hass: HomeAssistant,
    one_of_2: tuple[MockConfigEntry, ChargePoint2],
    action: str,
    fields: dict[str, Any],
    words: str,
) -> None:
    entry, point = one_of_2
    before = dict(point.variables)

    with pytest.raises(ServiceValidationError, match=words):
        await ask(hass, action, device(hass, entry, "CP1"), **fields)

    assert point.variables.get(("SmartChargingCtrlr", "Enabled")) == before["SmartChargingCtrlr", "Enabled"]
    assert point.calls("SetDERControl") == point.calls("UsePriorityCharging") == []
