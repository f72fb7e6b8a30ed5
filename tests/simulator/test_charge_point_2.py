"""A charge point that speaks OCPP 2.0.1 or 2.1 over a real websocket. The central system checks every schema."""

from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from simulator import Scenario
from simulator.charge_point import OcppVersion
from simulator.charge_point.connector import Status
from simulator.charge_point.spec import AfterPowerCut, NewKey, StartBy

from .central_system import CentralSystem, Heard, Refused, now_text
from .conftest import RunSite
from .stories import OUTLET, OnePoint, a_car
from .stories_2 import POINT, event, events, limit_2, sampled, set_variable, variable


async def charging(central: CentralSystem, run_site: RunSite, scenario: Scenario, **car: Any) -> Any:
    site = await run_site(scenario)
    await site.all_accepted()
    site.plug(OUTLET, a_car(**car))
    await event(central, "Started")
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] > 0.0)
    return site


class TestProvisioning:
    async def test_it_boots_with_a_reason_and_tells_the_status_of_each_evse(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint, version: OcppVersion
    ) -> None:
        await run_site(point_2())
        boot = await central.wait_action("BootNotification")
        assert boot.payload["reason"] == "PowerUp"
        assert boot.payload["chargingStation"]["serialNumber"] == "SIM-CP-01"
        status = await central.wait_action("StatusNotification")
        assert (status.payload["evseId"], status.payload["connectorId"]) == (1, 1)
        assert status.payload["connectorStatus"] == "Available"
        assert central.peers[POINT].subprotocol == f"ocpp{version}"

    async def test_while_pending_it_can_be_configured_and_asked_to_boot(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        central.answers["BootNotification"] = lambda _: central.boot("Pending", interval=1000)
        site = await run_site(point_2())
        await central.wait_action("BootNotification")
        assert await set_variable(central, "SampledDataCtrlr", "TxUpdatedInterval", "7") == "Accepted"
        central.answers["BootNotification"] = lambda _: central.boot()
        trigger = {"requestedMessage": "BootNotification"}
        assert (await central.call(POINT, "TriggerMessage", trigger))["status"] == "Accepted"
        again = await central.wait_action("BootNotification", after=1)
        assert again.payload["reason"] == "Triggered"
        await site.all_accepted()
        assert (await central.call(POINT, "TriggerMessage", trigger))["status"] == "Rejected"

    async def test_the_base_report_comes_in_numbered_parts(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2())
        await site.all_accepted()
        ask = {"requestId": 4, "reportBase": "FullInventory"}
        assert (await central.call(POINT, "GetBaseReport", ask))["status"] == "Accepted"
        last = await central.wait_action("NotifyReport", tbc=False)
        parts = [one.payload for one in central.heard if one.action == "NotifyReport"]
        assert [part["seqNo"] for part in parts] == list(range(len(parts)))
        assert len(parts) > 2
        assert last.payload["requestId"] == 4
        shown = {
            (one["component"]["name"], one["variable"]["name"]): one["variableAttribute"][0]
            for part in parts
            for one in part["reportData"]
        }
        assert shown["SmartChargingCtrlr", "RateUnit"]["value"] == "A,W"
        assert shown["SmartChargingCtrlr", "ProfileStackLevel"]["value"] == "8"
        assert shown["EVSE", "AvailabilityState"]["value"] == "Available"
        assert shown["SecurityCtrlr", "BasicAuthPassword"]["mutability"] == "WriteOnly"
        assert "value" not in shown["SecurityCtrlr", "BasicAuthPassword"]

    async def test_a_report_can_be_of_one_variable_or_of_what_has_a_problem(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2())
        await site.all_accepted()
        ask = {"requestId": 1, "componentVariable": [variable("EVSE", "Power", evse=1)]}
        assert (await central.call(POINT, "GetReport", ask))["status"] == "Accepted"
        report = await central.wait_action("NotifyReport", requestId=1)
        assert [one["variable"]["name"] for one in report.payload["reportData"]] == ["Power"]
        assert report.payload["reportData"][0]["variableCharacteristics"]["maxLimit"] == 22080.0
        ask = {"requestId": 2, "componentCriteria": ["Problem"]}
        assert (await central.call(POINT, "GetReport", ask))["status"] == "EmptyResultSet"
        site.fault("out_of_order", POINT)
        assert (await central.call(POINT, "GetReport", ask))["status"] == "Accepted"

    @pytest.mark.parametrize(
        ("asked", "status"),
        [
            (variable("TxCtrlr", "EVConnectionTimeOut"), "Accepted"),
            (variable("txctrlr", "evconnectiontimeout"), "Accepted"),
            (variable("OCPPCommCtrlr", "MessageAttempts", instance="TransactionEvent"), "Accepted"),
            (variable("TxCtrlr", "Nonsense"), "UnknownVariable"),
            (variable("Nonsense", "Enabled"), "UnknownComponent"),
            (variable("EVSE", "Power", evse=7), "UnknownComponent"),
            (variable("SecurityCtrlr", "BasicAuthPassword"), "Rejected"),
            ({**variable("TxCtrlr", "EVConnectionTimeOut"), "attributeType": "Target"}, "NotSupportedAttributeType"),
        ],
    )
    async def test_variables_are_shown_where_they_are(
        self, asked: Any, status: str, *, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2())
        await site.all_accepted()
        answer = await central.call(POINT, "GetVariables", {"getVariableData": [asked]})
        result = answer["getVariableResult"][0]
        assert result["attributeStatus"] == status
        assert ("attributeValue" in result) is (status == "Accepted")

    @pytest.mark.parametrize(
        ("component", "name", "value", "status"),
        [
            ("SampledDataCtrlr", "TxUpdatedInterval", "3", "Accepted"),
            ("SampledDataCtrlr", "TxUpdatedInterval", "-3", "Rejected"),
            ("SampledDataCtrlr", "TxUpdatedMeasurands", "Current.Import,Voltage", "Accepted"),
            ("SampledDataCtrlr", "TxUpdatedMeasurands", "Current.Import,Temperature", "Rejected"),
            ("TxCtrlr", "TxStartPoint", "EVConnected", "Accepted"),
            ("TxCtrlr", "TxStartPoint", "Whenever", "Rejected"),
            ("SmartChargingCtrlr", "ProfileStackLevel", "3", "Rejected"),
            ("SecurityCtrlr", "BasicAuthPassword", "short", "Rejected"),
            ("Nonsense", "Enabled", "true", "UnknownComponent"),
        ],
    )
    async def test_a_variable_is_changed_only_where_it_may_be(
        self,
        component: str,
        name: str,
        value: str,
        status: str,
        *,
        central: CentralSystem,
        run_site: RunSite,
        point_2: OnePoint,
    ) -> None:
        site = await run_site(point_2())
        await site.all_accepted()
        assert await set_variable(central, component, name, value) == status

    async def test_a_new_password_is_used_at_once_where_its_model_does_so(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2(new_key=NewKey.RECONNECTS))
        await site.all_accepted()
        assert await set_variable(central, "SecurityCtrlr", "BasicAuthPassword", "k" * 20) == "Accepted"
        peer = await central.wait_connections(2)
        assert b64decode(peer.headers["Authorization"].split()[1]) == b"CP-01:" + b"k" * 20

    async def test_a_weaker_security_profile_is_no_network_profile(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2(key="k" * 20))
        await site.all_accepted()

        def connection(security: int) -> dict[str, Any]:
            return {
                "ocppVersion": "OCPP20",
                "ocppTransport": "JSON",
                "ocppCsmsUrl": "wss://example.invalid/ocpp",
                "messageTimeout": 30,
                "securityProfile": security,
                "ocppInterface": "Wired0",
            }

        for slot, security, status in ((1, 2, "Accepted"), (9, 2, "Rejected"), (1, 0, "Rejected")):
            ask = {"configurationSlot": slot, "connectionData": connection(security)}
            assert (await central.call(POINT, "SetNetworkProfile", ask))["status"] == status


class TestTransactions:
    async def test_a_free_vend_transaction_from_plug_to_unplug(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(central, run_site, point_2())
        await event(central, "Updated", triggerReason="ChargingStateChanged", chargingState="Charging")
        await central.wait_for(lambda one: sampled(one.payload, "Current.Import") == [16.0, 16.0, 16.0])
        site.unplug(OUTLET)
        ended = await event(central, "Ended")
        told = events(central)
        assert [one["seqNo"] for one in told] == list(range(len(told)))
        assert len({one["transactionInfo"]["transactionId"] for one in told}) == 1
        assert told[0]["idToken"] == {"idToken": "", "type": "NoAuthorization"}
        assert told[0]["triggerReason"] == "Authorized"
        assert all(one["evse"] == {"id": 1, "connectorId": 1} for one in told)
        assert ended.payload["triggerReason"] == "EVCommunicationLost"
        assert ended.payload["transactionInfo"]["stoppedReason"] == "EVDisconnected"
        register = "Energy.Active.Import.Register"
        assert sampled(ended.payload, register)[0] > sampled(told[0], register)[0]
        await central.wait_action("StatusNotification", connectorStatus="Occupied")
        await central.wait_action("StatusNotification", after=central.heard.index(ended), connectorStatus="Available")

    async def test_it_can_begin_with_the_plug_and_charge_when_a_card_is_accepted(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2(starts_by=StartBy.TAG, begins_with_plug=True))
        await site.all_accepted()
        site.plug(OUTLET, a_car(id_tag="TAG-1", tag_after_s=6.0))
        started = await event(central, "Started", triggerReason="CablePluggedIn", chargingState="EVConnected")
        assert "idToken" not in started.payload
        assert site.truth.outlets[OUTLET].drawn[0] == 0.0
        await central.wait_action("Authorize", idToken={"idToken": "TAG-1", "type": "ISO14443"})
        authorised = await event(central, "Updated", triggerReason="Authorized")
        assert authorised.payload["idToken"]["idToken"] == "TAG-1"
        await event(central, "Updated", chargingState="Charging")

    async def test_a_refused_card_leaves_the_transaction_powerless(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        central.answers["Authorize"] = lambda _: {"idTokenInfo": {"status": "Blocked"}}
        site = await run_site(point_2(starts_by=StartBy.TAG, begins_with_plug=True))
        await site.all_accepted()
        site.plug(OUTLET, a_car(id_tag="TAG-1", tag_after_s=1.0))
        await central.wait_action("Authorize")
        await site.clock.sleep(15.0)
        assert site.truth.outlets[OUTLET].drawn[0] == 0.0
        site.unplug(OUTLET)
        await event(central, "Ended", stoppedReason="EVDisconnected")

    async def test_a_token_refused_in_the_answer_to_an_event_ends_the_transaction(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        central.answers["TransactionEvent"] = lambda heard: (
            {"idTokenInfo": {"status": "Invalid"}} if heard.payload["eventType"] == "Started" else {}
        )
        site = await run_site(point_2())
        await site.all_accepted()
        site.plug(OUTLET, a_car())
        await event(central, "Ended", stoppedReason="DeAuthorized", triggerReason="Deauthorized")

    async def test_started_and_stopped_from_afar(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2(starts_by=StartBy.REMOTE, begins_with_plug=True))
        await site.all_accepted()
        site.plug(OUTLET, a_car())
        started = await event(central, "Started")
        identity = started.payload["transactionInfo"]["transactionId"]
        ask = {"evseId": 1, "remoteStartId": 77, "idToken": {"idToken": "FLEET", "type": "Central"}}
        answer = await central.call(POINT, "RequestStartTransaction", ask)
        assert answer == {"status": "Accepted", "transactionId": identity}
        remote = await event(central, "Updated", triggerReason="RemoteStart", remoteStartId=77)
        assert remote.payload["idToken"] == ask["idToken"]
        await event(central, "Updated", chargingState="Charging")
        assert (await central.call(POINT, "RequestStartTransaction", ask))["status"] == "Rejected"
        no_evse = {name: value for name, value in ask.items() if name != "evseId"}
        assert (await central.call(POINT, "RequestStartTransaction", no_evse))["status"] == "Rejected"
        status = await central.call(POINT, "GetTransactionStatus", {"transactionId": identity})
        assert status["ongoingIndicator"] is True
        unknown = await central.call(POINT, "RequestStopTransaction", {"transactionId": "unknown"})
        assert unknown["status"] == "Rejected"
        stop = {"transactionId": identity}
        assert (await central.call(POINT, "RequestStopTransaction", stop))["status"] == "Accepted"
        ended = await event(central, "Ended", stoppedReason="Remote", triggerReason="RemoteStop")
        assert ended.payload["transactionInfo"]["chargingState"] == "EVConnected"

    async def test_what_happens_offline_is_told_afterwards_in_order_and_marked(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2())
        await site.all_accepted()
        site.fault("drops", POINT)
        await site.until(lambda: not site.charge_points[POINT].connected)
        site.plug(OUTLET, a_car())
        connector = site.charge_points[POINT].connectors[1]
        await site.until(lambda: connector.settled is Status.CHARGING)
        site.unplug(OUTLET)
        await site.clock.sleep(3.0)
        site.mend("drops", POINT)
        await event(central, "Ended")
        told = events(central)
        assert all(one["offline"] is True for one in told)
        assert [one["seqNo"] for one in told] == list(range(len(told)))
        assert [one["timestamp"] for one in told] == sorted(one["timestamp"] for one in told)
        assert "Charging" in {one["transactionInfo"]["chargingState"] for one in told}

    @pytest.mark.parametrize("after", list(AfterPowerCut))
    async def test_a_power_cut_ends_a_transaction_or_it_goes_on_under_its_identity(
        self, after: AfterPowerCut, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(central, run_site, point_2(after_power_cut=after))
        identity = events(central)[0]["transactionInfo"]["transactionId"]
        before = len(central.heard)
        site.fault("power_cut", POINT, for_s=10.0)
        if after is AfterPowerCut.ENDS:
            await event(central, "Ended", after=before, stoppedReason="PowerLoss", transactionId=identity)
            started = await event(central, "Started", after=before)
            assert started.payload["transactionInfo"]["transactionId"] != identity
        else:
            await event(central, "Updated", after=before, transactionId=identity, chargingState="Charging")
            numbers = [one["seqNo"] for one in events(central)]
            assert numbers == list(range(len(numbers)))

    async def test_a_car_that_talks_tells_what_it_needs_and_which_schedule_it_follows(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(central, run_site, point_2(), iso15118=True, stays_s=3600.0, wanted_kwh=10.0)
        heard = await central.wait_action("NotifyEVChargingNeeds")
        needs = heard.payload["chargingNeeds"]
        assert needs["requestedEnergyTransfer"] == "AC_three_phase"
        assert needs["acChargingParameters"]["energyAmount"] == 10_000
        assert needs["departureTime"] > now_text()
        identity = events(central)[0]["transactionInfo"]["transactionId"]
        answer = await limit_2(central, (0, 9.0), purpose="TxProfile", transactionId=identity)
        assert answer["status"] == "Accepted"
        schedule = await central.wait_action("NotifyEVChargingSchedule")
        assert schedule.payload["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 9.0
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 9.0)

    async def test_a_driver_who_asks_to_go_first_is_told_where_there_are_words_for_it(
        self, version: OcppVersion, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(central, run_site, point_2())
        identity = events(central)[0]["transactionInfo"]["transactionId"]
        for asked in (True, False):
            site.ask_priority(OUTLET, asked=asked)
        await event(central, "Updated", after=len(central.heard))
        heard = [one.payload for one in central.heard if one.action == "NotifyPriorityCharging"]
        told = [True, False] if version is OcppVersion.V21 else []
        assert heard == [{"transactionId": identity, "activated": asked} for asked in told]

    async def test_measured_values_come_without_a_transaction_too(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2())
        await site.all_accepted()
        await set_variable(central, "AlignedDataCtrlr", "Interval", "10")
        heard = await central.wait_action("MeterValues")
        assert heard.payload["evseId"] == 1
        assert heard.payload["meterValue"][0]["sampledValue"][0]["context"] == "Sample.Clock"


class TestControl:
    async def test_a_reset_ends_transactions_and_boots_with_its_reason(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        await charging(central, run_site, point_2())
        before = len(central.heard)
        assert (await central.call(POINT, "Reset", {"type": "Immediate"}))["status"] == "Accepted"
        boot = await central.wait_action("BootNotification", after=before)
        assert boot.payload["reason"] == "RemoteReset"
        await event(central, "Ended", after=before, stoppedReason="ImmediateReset", triggerReason="ResetCommand")

    async def test_a_reset_when_idle_waits_for_the_transaction(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(central, run_site, point_2())
        before = len(central.heard)
        assert (await central.call(POINT, "Reset", {"type": "OnIdle"}))["status"] == "Scheduled"
        await site.clock.sleep(10.0)
        assert all(one.action != "BootNotification" for one in central.heard[before:])
        site.unplug(OUTLET)
        await central.wait_action("BootNotification", after=before, reason="RemoteReset")

    async def test_one_evse_can_be_reset_alone(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        await charging(central, run_site, point_2())
        before = len(central.heard)
        assert (await central.call(POINT, "Reset", {"type": "Immediate", "evseId": 9}))["status"] == "Rejected"
        assert (await central.call(POINT, "Reset", {"type": "Immediate", "evseId": 1}))["status"] == "Accepted"
        await event(central, "Ended", stoppedReason="ImmediateReset")
        assert all(one.action != "BootNotification" for one in central.heard[before:])

    async def test_a_connector_is_not_unlocked_while_somebody_charges(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(central, run_site, point_2())
        ask = {"evseId": 1, "connectorId": 1}
        assert (await central.call(POINT, "UnlockConnector", ask))["status"] == "OngoingAuthorizedTransaction"
        site.unplug(OUTLET)
        await event(central, "Ended")
        assert (await central.call(POINT, "UnlockConnector", ask))["status"] == "Unlocked"
        ask = {"evseId": 1, "connectorId": 2}
        assert (await central.call(POINT, "UnlockConnector", ask))["status"] == "UnknownConnector"

    async def test_an_evse_goes_out_of_service_when_it_is_free(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(central, run_site, point_2())
        ask = {"evse": {"id": 1}, "operationalStatus": "Inoperative"}
        assert (await central.call(POINT, "ChangeAvailability", ask))["status"] == "Scheduled"
        site.unplug(OUTLET)
        await central.wait_action("StatusNotification", connectorStatus="Unavailable")
        before = len(central.heard)
        ask = {"operationalStatus": "Operative"}
        assert (await central.call(POINT, "ChangeAvailability", ask))["status"] == "Accepted"
        await central.wait_action("StatusNotification", after=before, connectorStatus="Available")

    @pytest.mark.parametrize(
        ("message", "action"),
        [
            ("Heartbeat", "Heartbeat"),
            ("StatusNotification", "StatusNotification"),
            ("MeterValues", "MeterValues"),
            ("TransactionEvent", "TransactionEvent"),
            ("FirmwareStatusNotification", "FirmwareStatusNotification"),
            ("LogStatusNotification", "LogStatusNotification"),
            ("SignChargingStationCertificate", "SignCertificate"),
        ],
    )
    async def test_a_message_can_be_asked_for(
        self, message: str, action: str, *, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        await charging(central, run_site, point_2(sampling_s=0))
        await event(central, "Updated", chargingState="Charging")
        before = len(central.heard)
        ask = {"requestedMessage": message, "evse": {"id": 1}}
        assert (await central.call(POINT, "TriggerMessage", ask))["status"] == "Accepted"
        await central.wait_action(action, after=before)

    async def test_what_it_does_not_know_is_answered_all_the_same(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2())
        await site.all_accepted()
        ask = {"requestedMessage": "SignV2GCertificate"}
        assert (await central.call(POINT, "TriggerMessage", ask))["status"] == "NotImplemented"
        assert (await central.call(POINT, "DataTransfer", {"vendorId": "nobody"}))["status"] == "UnknownVendorId"
        assert (await central.call(POINT, "ClearCache", {}))["status"] == "Accepted"
        with pytest.raises(Refused, match="NotImplemented"):
            await central.call(POINT, "GetDisplayMessages", {"requestId": 1})

    async def test_rubbish_is_answered_with_an_error_that_has_no_number(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2())
        await site.all_accepted()
        peer = central.peers[POINT]
        peer.pending["-1"] = answer = central.loop_future()
        await peer.websocket.send_str("{")
        with pytest.raises(Refused, match="RpcFrameworkError"):
            await answer

    async def test_a_security_event_is_told_where_its_model_does(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        await run_site(point_2(security_events=True))
        heard = await central.wait_action("SecurityEventNotification")
        assert heard.payload["type"] == "StartupOfTheDevice"


class TestMonitoring:
    async def test_a_threshold_is_told_when_it_is_passed_and_when_that_is_over(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2())
        await site.all_accepted()
        monitor = {**variable("EVSE", "Power", evse=1), "type": "UpperThreshold", "value": 5000, "severity": 4}
        answer = await central.call(POINT, "SetVariableMonitoring", {"setMonitoringData": [monitor]})
        number = answer["setMonitoringResult"][0]["id"]
        site.plug(OUTLET, a_car())
        first = await central.wait_action("NotifyEvent")
        told = first.payload["eventData"][0]
        assert (told["trigger"], told["variableMonitoringId"]) == ("Alerting", number)
        site.unplug(OUTLET)
        second = await central.wait_action("NotifyEvent", after=central.heard.index(first) + 1)
        assert second.payload["eventData"][0]["cleared"] is True
        ask = {"requestId": 3, "monitoringCriteria": ["ThresholdMonitoring"]}
        assert (await central.call(POINT, "GetMonitoringReport", ask))["status"] == "Accepted"
        report = await central.wait_action("NotifyMonitoringReport", requestId=3)
        assert report.payload["monitor"][0]["variableMonitoring"][0]["value"] == 5000
        cleared = await central.call(POINT, "ClearVariableMonitoring", {"id": [number, 99]})
        assert [one["status"] for one in cleared["clearMonitoringResult"]] == ["Accepted", "NotFound"]
        assert (await central.call(POINT, "GetMonitoringReport", ask))["status"] == "EmptyResultSet"

    async def test_a_change_is_told_and_a_variable_that_nobody_can_watch_is_refused(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2())
        await site.all_accepted()
        delta = {"type": "Delta", "value": 1, "severity": 6}
        asked = [
            {**variable("EVSE", "AvailabilityState", evse=1), **delta},
            {**variable("ChargingStation", "Model"), **delta},
            {**variable("EVSE", "Nonsense", evse=1), **delta},
            {**variable("EVSE", "AvailabilityState", evse=1), **delta},
        ]
        answer = await central.call(POINT, "SetVariableMonitoring", {"setMonitoringData": asked})
        statuses = [one["status"] for one in answer["setMonitoringResult"]]
        assert statuses == ["Accepted", "UnsupportedMonitorType", "UnknownVariable", "Duplicate"]
        await site.clock.sleep(3.0)
        site.plug(OUTLET, a_car())
        heard = await central.wait_action("NotifyEvent")
        assert heard.payload["eventData"][0]["actualValue"] == "Occupied"

    async def test_only_what_is_severe_enough_is_told(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await run_site(point_2())
        await site.all_accepted()
        assert (await central.call(POINT, "SetMonitoringLevel", {"severity": 4}))["status"] == "Accepted"
        both = [
            {**variable("EVSE", "Power", evse=1), "type": "Periodic", "value": 2, "severity": severity}
            for severity in (3, 7)
        ]
        answer = await central.call(POINT, "SetVariableMonitoring", {"setMonitoringData": both})
        severe = answer["setMonitoringResult"][0]["id"]

        def told() -> list[int]:
            notified = [one.payload for one in central.heard if one.action == "NotifyEvent"]
            return [one["variableMonitoringId"] for payload in notified for one in payload["eventData"]]

        await site.until(lambda: len(told()) >= 3)
        assert set(told()) == {severe}
        assert (await central.call(POINT, "SetMonitoringBase", {"monitoringBase": "FactoryDefault"}))["status"]
        assert (await central.call(POINT, "GetMonitoringReport", {"requestId": 1}))["status"] == "EmptyResultSet"


async def test_each_evse_of_a_twin_has_transactions_of_its_own(
    central: CentralSystem, run_site: RunSite, quiet: Scenario, version: OcppVersion
) -> None:
    twin = replace(quiet.charge_points[2], version=version)
    site = await run_site(replace(quiet, charge_points=(twin,)))
    await site.all_accepted()
    site.plug("CP-03/1", a_car())
    site.plug("CP-03/2", a_car(phases=1, maximum_a=32.0))

    def started(evse: int) -> Any:
        def told(one: Heard) -> bool:
            return one.action == "TransactionEvent" and one.payload["evse"]["id"] == evse

        return told

    first, second = [(await central.wait_for(started(evse))).payload for evse in (1, 2)]
    assert first["transactionInfo"]["transactionId"] != second["transactionInfo"]["transactionId"]
    await site.until(lambda: site.truth.amps("cluster-a") == (16.0, 32.0, 16.0))
