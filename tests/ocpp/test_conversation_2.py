"""The conversation with one charge point in OCPP 2.0.1 and 2.1: boots, setting up, states, commands."""

import asyncio
from typing import Any

import pytest

from custom_components.charge_cluster.ocpp.conversation import (
    ChargingNeeds,
    LimitFromOutside,
    LimitWish,
    Measured,
    NotReachable,
    Outcome,
    Reachable,
    Rebooted,
    Refused,
    StatusReported,
    Terminals,
)
from custom_components.charge_cluster.ocpp.times import read_stamp
from custom_components.charge_cluster.ocpp.v2.device_model import MAX_VARIABLES

from .charge_point_2 import (
    CHARGING,
    CONNECTED,
    IDLE,
    PAUSED,
    SUSPENDED,
    ChargePoint2,
    energy_2,
    limits_of_2,
    sampled_2,
    variable,
)
from .stage import Stage2, virtually_2

WISH = LimitWish(amps=10, fallback_a=0, validity_s=30)


@virtually_2
async def test_a_boot_is_answered_before_anything_is_asked(stage: Stage2) -> None:
    point = await stage.connect()
    answer = await point.boot()
    assert point.asked == []
    assert (answer["status"], answer["interval"]) == ("Accepted", 60)
    assert read_stamp(answer["currentTime"]) == pytest.approx(stage.clock.time(), abs=1)
    await stage.settle()
    assert [type(report) for report in stage.reports[:2]] == [Rebooted, Reachable]
    device = stage.conversation.device
    assert (device.vendor, device.model, device.serial, device.firmware) == ("Sample", "Two", "S1", "2.3")


@virtually_2
async def test_a_charger_that_never_boots_is_used_and_asked_who_it_is(stage: Stage2) -> None:
    point = await stage.connect()
    await asyncio.sleep(7)
    assert stage.is_online()
    triggers = [payload["requestedMessage"] for payload in point.calls("TriggerMessage")]
    assert triggers[:2] == ["BootNotification", "StatusNotification"]
    assert point.calls("TriggerMessage")[1]["evse"] == {"id": 1, "connectorId": 1}


@virtually_2
async def test_a_boot_that_was_asked_for_is_no_restart_whoever_asked(stage: Stage2) -> None:
    point = await stage.booted()
    await asyncio.sleep(60)
    await point.boot("Triggered")
    await stage.settle()
    assert len(stage.heard(Rebooted)) == 1
    await point.boot("Watchdog")
    await stage.settle()
    assert len(stage.heard(Rebooted)) == 2


@virtually_2
async def test_while_our_clock_is_wrong_a_boot_waits_and_nothing_goes_out(stage: Stage2) -> None:
    stage.clock.right = False
    point = await stage.connect()
    assert (await point.boot())["status"] == "Pending"
    await asyncio.sleep(30)
    assert point.asked == []
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.NOT_SENT
    stage.clock.right = True
    assert (await point.boot())["status"] == "Accepted"
    await stage.settle()
    assert stage.is_online()


# Setting up -----------------------------------------------------------------------------------------------------------


@virtually_2
async def test_setting_up_reads_changes_and_reads_back(stage: Stage2) -> None:
    point = await stage.connect()
    point.variables[("AlignedDataCtrlr", "Interval")] = "900"
    point.variables[("OCPPCommCtrlr", "HeartbeatInterval")] = "60"
    await point.boot()
    await stage.settle()
    assert point.variables[("SampledDataCtrlr", "TxUpdatedInterval")] == "10"
    assert point.variables[("SampledDataCtrlr", "TxUpdatedMeasurands")].startswith("Current.Import,Power.Active.Import")
    assert point.variables[("AlignedDataCtrlr", "Interval")] == "0"
    changed = {entry["variable"]["name"] for call in point.calls("SetVariables") for entry in call["setVariableData"]}
    assert changed == {"TxUpdatedMeasurands", "TxUpdatedInterval", "Interval"}
    read_last = point.calls("GetVariables")[-1]["getVariableData"]
    assert {entry["variable"]["name"] for entry in read_last} == changed
    assert point.calls("GetBaseReport")[0]["reportBase"] == "FullInventory"


@virtually_2
async def test_measurands_are_tried_one_by_one_where_all_are_refused(stage: Stage2) -> None:
    point = await stage.connect()
    takes = {"Current.Import", "Energy.Active.Import.Register"}
    take = point.answers["SetVariables"]

    def choosy(payload: Any) -> Any:
        (asked,) = payload["setVariableData"]
        if asked["variable"]["name"] == "TxUpdatedMeasurands" and not set(asked["attributeValue"].split(",")) <= takes:
            return {
                "setVariableResult": [
                    {
                        "component": asked["component"],
                        "variable": asked["variable"],
                        "attributeStatus": "Rejected",
                    }
                ]
            }
        return take(payload)

    point.answers["SetVariables"] = choosy
    await point.boot()
    await stage.settle()
    assert point.variables[("SampledDataCtrlr", "TxUpdatedMeasurands")] == (
        "Current.Import,Energy.Active.Import.Register"
    )


@virtually_2
async def test_a_charger_that_takes_one_variable_at_a_time_is_asked_for_one_at_a_time(stage: Stage2) -> None:
    point = await stage.connect()
    read = point.answers["GetVariables"]
    point.answers["GetVariables"] = lambda payload: (
        "OccurrenceConstraintViolation" if len(payload["getVariableData"]) > 1 else read(payload)
    )
    await point.boot()
    await stage.settle()
    assert point.variables[("SampledDataCtrlr", "TxUpdatedInterval")] == "10"


@pytest.mark.parametrize("answer", [{"status": "Rejected"}, {"status": "NotSupported"}, "NotImplemented", {}], ids=str)
def test_a_report_that_is_refused_holds_nothing_up(answer: Any) -> None:
    @virtually_2
    async def story(stage: Stage2) -> None:
        point = await stage.booted(GetBaseReport=lambda _: answer)
        assert [call["reportBase"] for call in point.calls("GetBaseReport")] == [
            "FullInventory",
            "ConfigurationInventory",
        ]
        assert stage.is_online()
        assert stage.conversation.device_model.evses is None

    story(Stage2)


@virtually_2
async def test_parts_of_a_report_count_whenever_they_come(stage: Stage2) -> None:
    point = await stage.booted()
    model = stage.conversation.device_model
    await point.report([variable("EVSE", "Power", "22000", evse=1, read_only=True)], more=True)
    assert model.evses == 1
    await asyncio.sleep(600)
    await point.report(
        [variable("EVSE", "Power", "22000", evse=2), variable("SmartChargingCtrlr", "RateUnit", "W", read_only=True)]
    )
    assert model.evses == 2
    assert model.smart_charging("RateUnit", None) == "W"


@virtually_2
async def test_odd_reports_are_answered_and_cost_little(stage: Stage2) -> None:
    point = await stage.booted()
    flood = [variable("TxCtrlr", f"Variable{number}", "x" * 50) for number in range(1200)]
    odd: list[Any] = [{}, None, 7, {"component": 1, "variable": {"name": 2}}, variable("EVSE", "Power", None, evse=3)]
    answer = await point.tell("NotifyReport", {"reportData": flood + odd, "seqNo": "x", "requestId": None})
    assert answer[0] == 3
    assert len(stage.conversation.device_model) == MAX_VARIABLES
    assert (await point.tell("NotifyReport", {"reportData": odd}))[0] == 3
    assert stage.conversation.device_model.evses == 1


@virtually_2
async def test_secrets_of_a_charger_are_not_kept(stage: Stage2) -> None:
    point = await stage.booted()
    await point.report([variable("OCPPCommCtrlr", "BasicAuthPassword", "TOPSECRET")])
    assert "TOPSECRET" not in repr(vars(stage.conversation.device_model))


@virtually_2
async def test_smart_charging_that_is_switched_off_is_switched_on(stage: Stage2) -> None:
    point = await stage.connect()
    point.variables[("SmartChargingCtrlr", "Enabled")] = "false"
    await point.boot()
    await stage.settle()
    assert point.variables[("SmartChargingCtrlr", "Enabled")] == "true"


@virtually_2
async def test_a_charger_without_smart_charging_refuses_its_limits(stage: Stage2) -> None:
    """Whoever asks hears it at once, and tells the owner."""
    point = await stage.connect(SetChargingProfile=lambda _: "NotImplemented")
    point.variables[("SmartChargingCtrlr", "Available")] = "false"
    await point.boot()
    await point.begin()
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.REFUSED
    assert await stage.conversation.store_fallback(1, 0) is Outcome.REFUSED


@virtually_2
async def test_it_is_set_up_once_for_each_boot(stage: Stage2) -> None:
    point = await stage.booted()
    await stage.hang_up(point)
    again = await stage.connect()
    await again.tell("Heartbeat", {})
    await stage.settle()
    assert again.calls("GetVariables") == []
    await again.boot()
    await stage.settle()
    assert again.calls("GetVariables") != []


@virtually_2
async def test_a_key_is_given_once_it_is_set_up_and_confirmed_when_taken(stage: Stage2) -> None:
    given: list[str] = []
    stage.conversation.provision_key("0123456789abcdef0123", lambda: given.append("done"))
    point = await stage.booted()
    assert point.variables[("SecurityCtrlr", "BasicAuthPassword")] == "0123456789abcdef0123"
    assert given == ["done"]


# States ---------------------------------------------------------------------------------------------------------------


def words(stage: Stage2, evse: int = 1) -> list[str]:
    return [report.status for report in stage.heard(StatusReported) if report.connector == evse]


@virtually_2
async def test_a_session_is_told_in_the_words_that_are_known_above(stage: Stage2) -> None:
    point = await stage.booted()
    await point.status(1, "Available")
    await point.status(1, "Occupied")
    await point.event("Started", evse=1, state=CONNECTED, trigger="CablePluggedIn")
    await point.event("Updated", tag="TAG1", state=CHARGING, trigger="Authorized")
    await point.event("Updated", state=PAUSED, trigger="ChargingStateChanged")
    await point.event("Updated", state=SUSPENDED, trigger="ChargingStateChanged")
    await point.event("Updated", state=CONNECTED, trigger="StopAuthorized", tag="TAG1")
    await point.event("Ended", trigger="EVCommunicationLost", info={"stoppedReason": "Local"})
    await point.status(1, "Available")
    await stage.settle()
    assert words(stage) == [
        "Available",
        "Preparing",
        "Charging",
        "SuspendedEVSE",
        "SuspendedEV",
        "Finishing",
        "Available",
    ]


@virtually_2
async def test_of_several_connectors_of_an_evse_the_busiest_speaks(stage: Stage2) -> None:
    point = await stage.booted()
    await point.status(1, "Available", plug=1)
    await point.status(1, "Unavailable", plug=2)
    await point.status(1, "Occupied", plug=2)
    await point.status(1, "Faulted", plug=1)
    await stage.settle()
    assert words(stage) == ["Available", "Preparing"]
    await point.status(1, "Available", plug=2)
    await point.status(1, "Faulted", plug=2)
    await stage.settle()
    assert words(stage)[2:] == ["Available", "Faulted"]


@virtually_2
async def test_a_fault_outweighs_the_state_of_a_transaction(stage: Stage2) -> None:
    point = await stage.booted()
    await point.begin()
    await point.status(1, "Faulted")
    await stage.settle()
    assert words(stage)[-1] == "Faulted"


@virtually_2
async def test_a_connector_that_is_free_has_no_transactions_state_any_more(stage: Stage2) -> None:
    point = await stage.booted()
    await point.begin()
    await point.status(1, "Available")
    await stage.settle()
    assert words(stage)[-1] == "Available"
    assert stage.conversation.running_transaction(1) is not None
    await asyncio.sleep(90)
    assert stage.conversation.running_transaction(1) is None
    assert stage.conversation.own_id_at(1) is None


@virtually_2
async def test_a_charger_that_tells_no_state_of_its_connectors_is_understood_by_its_transactions(stage: Stage2) -> None:
    point = await stage.booted()
    for own_id in ("one", "two"):
        await point.event("Started", own_id, evse=1, tag="T", state=CONNECTED, trigger="CablePluggedIn")
        await point.event("Updated", own_id, state=CHARGING, trigger="ChargingStateChanged")
        await point.event("Ended", own_id, trigger="EVDeparted")
    await stage.settle()
    assert words(stage) == ["Preparing", "Charging", "Finishing"] * 2


@virtually_2
async def test_whoever_was_let_in_before_plugging_in_is_waited_for(stage: Stage2) -> None:
    point = await stage.booted()
    await point.status(1, "Available")
    await point.event("Started", evse=1, tag="TAG1", state=IDLE, trigger="Authorized")
    await asyncio.sleep(300)
    assert stage.conversation.running_transaction(1) is not None
    await point.status(1, "Occupied")
    await point.event("Updated", state=CHARGING, trigger="CablePluggedIn")
    await stage.settle()
    assert words(stage)[-1] == "Charging"


@virtually_2
async def test_the_station_itself_is_no_connector(stage: Stage2) -> None:
    point = await stage.booted()
    await point.tell("StatusNotification", {"evseId": 0, "connectorId": 0, "connectorStatus": "Available"})
    await point.tell("StatusNotification", {"evseId": 1.0, "connectorStatus": "Occupied", "timestamp": None, "x": {}})
    await stage.settle()
    assert stage.heard(StatusReported) == [StatusReported(connector=1, status="Preparing", error=None)]


@virtually_2
async def test_states_may_come_as_events_of_the_device_model(stage: Stage2) -> None:
    point = await stage.booted()
    event = {
        "eventId": 1,
        "timestamp": point.stamp(),
        "trigger": "Delta",
        "actualValue": "Occupied",
        "component": {"name": "Connector", "evse": {"id": 2, "connectorId": 1}},
        "variable": {"name": "AvailabilityState"},
        "eventNotificationType": "HardWiredNotification",
    }
    other = {**event, "variable": {"name": "Temperature"}, "actualValue": "41"}
    answer = await point.tell("NotifyEvent", {"generatedAt": point.stamp(), "seqNo": 0, "eventData": [other, event, 5]})
    assert answer[2] == {}
    await stage.settle()
    assert stage.heard(StatusReported) == [StatusReported(connector=2, status="Preparing", error=None)]


# Measurements ---------------------------------------------------------------------------------------------------------


@virtually_2
async def test_values_have_multipliers_and_units_of_their_own(stage: Stage2) -> None:
    point = await stage.booted()
    milliamps = {"measurand": "Current.Import", "phase": "L1", "value": 9000, "unitOfMeasure": {"multiplier": -3}}
    await point.read([milliamps, *sampled_2(L2=9, L3=9), energy_2(1.5, "Wh", 3)])
    await point.read([*sampled_2(L1=9, L2=9, L3=9), energy_2(1.6, "kWh")])
    await stage.settle()
    first, second = stage.heard(Measured)
    assert (first.amps, first.register_wh) == ((9.0, 9.0, 9.0), 1500.0)
    assert second.register_wh == 1600.0


@virtually_2
async def test_power_that_stays_0_while_the_register_climbs_is_reckoned_from_it(stage: Stage2) -> None:
    point = await stage.booted()
    await point.begin(meter=1000)
    nothing = {"measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W"}, "value": 0}
    for number in range(1, 9):
        await asyncio.sleep(10)
        # 6.9 kW: 10 A on each of three phases, or all of it on fewer.
        await point.event("Updated", state=CHARGING, values=[nothing, energy_2(1000 + number * 19)])
    await stage.settle()
    measured = stage.heard(Measured)[-1]
    assert measured.power_w == pytest.approx(6840, rel=0.02)
    assert min(measured.amps) > 9
    for _ in range(14):
        await asyncio.sleep(10)
        await point.event("Updated", state=PAUSED, values=[nothing, energy_2(1152)])
    await stage.settle()
    assert stage.heard(Measured)[-1].amps == (0, 0, 0)


@virtually_2
async def test_a_vehicle_that_stops_is_seen_at_once_where_power_is_told(stage: Stage2) -> None:
    point = await stage.booted()
    await point.begin(meter=1000)
    for number, amps in enumerate((16, 16, 16, 0, 0, 0), start=1):
        await asyncio.sleep(10)
        await point.event("Updated", values=[*sampled_2(L1=amps, L2=amps, L3=amps), energy_2(1000 + number * 30)])
    await stage.settle()
    assert [max(report.amps) for report in stage.heard(Measured)] == [16, 16, 16, 0, 0, 0]


@virtually_2
async def test_a_measurement_is_asked_for_as_an_event_while_a_transaction_runs(stage: Stage2) -> None:
    point = await stage.booted()
    assert stage.conversation.measures_on_demand
    await stage.conversation.measure(1)
    await point.begin()
    await stage.conversation.measure(1)
    asked = [(call["requestedMessage"], call["evse"]["id"]) for call in point.calls("TriggerMessage")[-2:]]
    assert asked == [("MeterValues", 1), ("TransactionEvent", 1)]


@virtually_2
async def test_one_that_tells_no_event_on_demand_is_asked_for_values(stage: Stage2) -> None:
    point = await stage.booted(
        TriggerMessage=lambda payload: {
            "status": "NotImplemented" if payload["requestedMessage"] == "TransactionEvent" else "Accepted"
        }
    )
    await point.begin()
    for _ in range(2):
        await stage.conversation.measure(1)
    asked = [call["requestedMessage"] for call in point.calls("TriggerMessage")[-3:]]
    assert asked == ["TransactionEvent", "MeterValues", "MeterValues"]


# Limits and commands --------------------------------------------------------------------------------------------------


@virtually_2
async def test_a_limit_names_the_chargers_own_transaction(stage: Stage2) -> None:
    point = await stage.booted()
    await point.begin("b3f1c2de-own")
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.ACCEPTED
    (profile,) = point.profiles("TxProfile")
    assert profile["transactionId"] == "b3f1c2de-own"
    assert [limit for _, limit in limits_of_2(profile)] == [10, 0]


@virtually_2
async def test_a_transaction_that_cannot_be_stored_is_limited_all_the_same(stage: Stage2) -> None:
    point = await stage.booted()
    stage.journal.broken = True
    assert (await point.begin("unstored"))[2] == "InternalError"
    assert stage.conversation.running_transaction(1) is None
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.ACCEPTED
    assert point.profiles("TxProfile")[0]["transactionId"] == "unstored"


@virtually_2
async def test_commands_are_carried_out_or_refused_in_the_chargers_own_word(stage: Stage2) -> None:
    point = await stage.booted(
        Reset=lambda _: {"status": "Scheduled"},
        UnlockConnector=lambda _: {"status": "OngoingAuthorizedTransaction"},
        ChangeAvailability=lambda _: {"status": "Accepted"},
    )
    conversation = stage.conversation
    with pytest.raises(Refused, match="NoTransaction"):
        await conversation.stop(1)
    await conversation.start(1, "HERE")
    (started,) = point.calls("RequestStartTransaction")
    assert (started["evseId"], started["idToken"]) == (1, {"idToken": "HERE", "type": "Central"})
    await point.begin("own")
    await conversation.stop(1)
    assert point.calls("RequestStopTransaction") == [{"transactionId": "own"}]
    await conversation.reset(hard=True)
    await conversation.reset(hard=False)
    assert [call["type"] for call in point.calls("Reset")] == ["Immediate", "OnIdle"]
    await conversation.set_availability(0, operative=False)
    await conversation.set_availability(2, operative=True)
    assert point.calls("ChangeAvailability") == [
        {"operationalStatus": "Inoperative"},
        {"operationalStatus": "Operative", "evse": {"id": 2}},
    ]
    await conversation.refresh()
    with pytest.raises(Refused, match="OngoingAuthorizedTransaction"):
        await conversation.unlock(1)


@virtually_2
async def test_the_connector_with_the_plug_is_unlocked(stage: Stage2) -> None:
    point = await stage.booted(UnlockConnector=lambda _: {"status": "Unlocked"})
    await point.status(1, "Available", plug=1)
    await point.status(1, "Occupied", plug=2)
    await stage.conversation.unlock(1)
    assert point.calls("UnlockConnector") == [{"evseId": 1, "connectorId": 2}]


@virtually_2
async def test_nothing_can_be_asked_of_one_that_is_gone(stage: Stage2) -> None:
    point = await stage.booted()
    await stage.hang_up(point)
    for command in (stage.conversation.reset(hard=False), stage.conversation.refresh(), stage.conversation.measure(1)):
        with pytest.raises(NotReachable):
            await command


@virtually_2
async def test_what_a_vehicle_needs_and_who_else_holds_it_back_is_told(stage: Stage2) -> None:
    point = await stage.booted()
    needs = {"requestedEnergyTransfer": "AC_three_phase", "departureTime": point.stamp(ago_s=-7200)}
    assert (await point.tell("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": needs}))[2] == {
        "status": "Accepted"
    }
    assert (await point.tell("ClearedChargingLimit", {"chargingLimitSource": "EMS", "evseId": 1}))[2] == {}
    await stage.settle()
    assert [report.phases for report in stage.heard(ChargingNeeds)] == [3]
    assert [report.source for report in stage.heard(LimitFromOutside)] == ["EMS"]


# Everything else ------------------------------------------------------------------------------------------------------

IN_BOTH = (
    "ClearedChargingLimit",
    "DataTransfer",
    "FirmwareStatusNotification",
    "Get15118EVCertificate",
    "GetCertificateStatus",
    "Heartbeat",
    "LogStatusNotification",
    "NotifyChargingLimit",
    "NotifyCustomerInformation",
    "NotifyDisplayMessages",
    "NotifyEvent",
    "NotifyMonitoringReport",
    "NotifyReport",
    "PublishFirmwareStatusNotification",
    "ReportChargingProfiles",
    "ReservationStatusUpdate",
    "SecurityEventNotification",
    "SignCertificate",
)
IN_21 = (
    "BatterySwap",
    "ClosePeriodicEventStream",
    "NotifyAllowedEnergyTransfer",
    "NotifyDERAlarm",
    "NotifyDERStartStop",
    "NotifyPriorityCharging",
    "NotifySettlement",
    "NotifyWebPaymentStarted",
    "OpenPeriodicEventStream",
    "PullDynamicScheduleUpdate",
    "ReportDERControl",
    "VatNumberValidation",
)


@virtually_2
async def test_every_message_of_the_vocabulary_is_answered_as_its_schema_demands(stage: Stage2) -> None:
    """The charge point checks each answer."""
    point = await stage.booted()
    for action in IN_BOTH:
        assert (await point.tell(action, {}))[0] == 3, action
    in_21 = {(await point.tell(action, {}))[0] for action in IN_21}
    assert in_21 == ({3} if stage.version == "2.1" else {4})
    assert (await point.tell("Dance", {}))[2] == "NotImplemented"
    assert (await point.tell("StartTransaction", {}))[2] == "NotImplemented"
    assert (await point.tell("GetCertificateChainStatus", {}))[2] in {"NotSupported", "NotImplemented"}


@virtually_2
async def test_what_is_told_without_wanting_an_answer_gets_none(stage: Stage2) -> None:
    point = await stage.booted()
    for action in ("NotifyPeriodicEventStream", "Dance"):
        await point.client.send([6, "s1", action, {"id": 1, "pending": 0, "basetime": point.stamp(), "data": []}])
    assert (await point.tell("Heartbeat", {}))[0] == 3
    assert stage.is_online()


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("StatusNotification", {"evseId": 1}),
        ("StatusNotification", {"connectorStatus": "Available"}),
        ("StatusNotification", {"evseId": -1, "connectorStatus": "Available"}),
        ("StatusNotification", {"evseId": 10**9, "connectorStatus": "Available"}),
        ("TransactionEvent", {"eventType": "Started"}),
        ("TransactionEvent", {"eventType": "Begun", "transactionInfo": {"transactionId": "x"}}),
        ("TransactionEvent", {"transactionInfo": {"transactionId": ""}, "eventType": "Ended"}),
        ("TransactionEvent", {"transactionInfo": {"transactionId": "x"}, "eventType": "Ended", "evse": {"id": -3}}),
        ("MeterValues", {"meterValue": []}),
    ],
    ids=str,
)
def test_a_message_without_what_it_is_about_is_refused(action: str, payload: dict[str, object]) -> None:
    @virtually_2
    async def story(stage: Stage2) -> None:
        point = await stage.booted()
        answer = await point.tell(action, payload)
        assert answer[0] == 4
        assert answer[2] in {"OccurrenceConstraintViolation", "PropertyConstraintViolation"}
        assert answer[4] == {}

    story(Stage2)


@virtually_2
async def test_two_evses_are_two_connectors(stage: Stage2) -> None:
    stage.conversation.describe(Terminals(connector=2))
    point: ChargePoint2 = await stage.booted()
    await point.begin("one", evse=1)
    await point.begin("two", evse=2)
    await stage.settle()
    assert stage.conversation.own_id_at(1) == "one"
    assert stage.conversation.own_id_at(2) == "two"
    asked = [call["evse"]["id"] for call in point.calls("TriggerMessage") if "evse" in call]
    assert asked == [1, 2]
