"""A charge point over a real websocket: registration, sessions, commands. The central system checks every schema."""

from base64 import b64decode
from typing import Any

import pytest

from simulator import Scenario
from simulator.charge_point.spec import MessageIds, NewKey, StartBy

from .central_system import CentralSystem, Heard, Refused
from .conftest import RunSite
from .stories import OUTLET, OnePoint, a_car, a_profile, drawn


class TestRegistration:
    async def test_it_boots_and_tells_the_state_of_everything(
        self, central: CentralSystem, run_site: RunSite, quiet: Scenario
    ) -> None:
        site = await run_site(quiet)
        await site.all_accepted()
        for identity, numbers in (("CP-01", {0, 1}), ("CP-03", {0, 1, 2})):
            for number in numbers:

                def tells(one: Heard, identity: str = identity, number: int = number) -> bool:
                    told = one.identity == identity and one.action == "StatusNotification"
                    return told and one.payload["connectorId"] == number

                heard = await central.wait_for(tells)
                assert heard.payload["status"] == "Available"
            first = next(one for one in central.heard if one.identity == identity)
            assert first.action == "BootNotification"
            assert first.payload["chargePointSerialNumber"] == f"SIM-{identity}"
        assert central.peers["CP-01"].subprotocol == "ocpp1.6"

    @pytest.mark.parametrize("status", ["Pending", "Rejected"])
    async def test_until_it_is_accepted_it_asks_again_after_the_interval_and_starts_nothing(
        self, status: str, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        central.answers["BootNotification"] = lambda _: central.boot(status, interval=10)
        site = await run_site(one_point())
        await central.wait_action("BootNotification")
        site.plug(OUTLET, a_car())
        asked_at = site.now
        await central.wait_action("BootNotification", after=1)
        assert site.now - asked_at == pytest.approx(10.0, abs=4.0)
        central.answers["BootNotification"] = lambda _: central.boot()
        await central.wait_action("StartTransaction")
        actions = [one.action for one in central.heard]
        assert set(actions[: actions.index("StatusNotification")]) == {"BootNotification"}

    async def test_while_pending_it_can_be_configured_and_triggered(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        central.answers["BootNotification"] = lambda _: central.boot("Pending", interval=1000)
        await run_site(one_point())
        await central.wait_action("BootNotification")
        change = {"key": "MeterValueSampleInterval", "value": "7"}
        assert await central.call("CP-01", "ChangeConfiguration", change) == {"status": "Accepted"}
        central.answers["BootNotification"] = lambda _: central.boot()
        trigger = {"requestedMessage": "BootNotification"}
        assert await central.call("CP-01", "TriggerMessage", trigger) == {"status": "Accepted"}
        await central.wait_action("StatusNotification", connectorId=1)

    async def test_it_beats_as_often_as_it_is_told(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        central.answers["BootNotification"] = lambda _: central.boot(interval=20)
        site = await run_site(one_point())
        await site.all_accepted()
        accepted_at = site.now
        await central.wait_action("Heartbeat")
        assert site.now - accepted_at == pytest.approx(20.0, abs=4.0)

    async def test_it_takes_the_central_systems_time_where_its_model_does(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        central.answers["BootNotification"] = lambda _: {
            "status": "Accepted",
            "interval": 300,
            "currentTime": "2030-01-01T00:00:00Z",
        }
        await run_site(one_point(takes_time=True))
        heard = await central.wait_action("StatusNotification", connectorId=1)
        assert heard.payload["timestamp"].startswith("2030-01-01T00:0")

    async def test_numbers_of_calls_begin_anew_after_a_restart(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point(message_ids=MessageIds.COUNTER))
        await site.all_accepted()
        before = len(central.heard)
        site.fault("reboots", "CP-01")
        again = await central.wait_action("BootNotification", after=before)
        assert again.message_id == central.heard[0].message_id == "1"


class TestAuthentication:
    async def test_a_new_key_is_used_at_the_next_connection(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        assert "Authorization" not in central.connections[0].headers
        key = {"key": "AuthorizationKey", "value": "a-generated-key-of-32-characters"}
        assert await central.call("CP-01", "ChangeConfiguration", key) == {"status": "Accepted"}
        site.fault("drops", "CP-01", for_s=1.0)
        peer = await central.wait_connections(2)
        kind, _, pair = peer.headers["Authorization"].partition(" ")
        assert kind == "Basic"
        assert b64decode(pair) == b"CP-01:a-generated-key-of-32-characters"

    async def test_some_redial_at_once_with_a_new_key(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point(new_key=NewKey.RECONNECTS))
        await site.all_accepted()
        await central.call("CP-01", "ChangeConfiguration", {"key": "AuthorizationKey", "value": "k" * 20})
        assert "Authorization" in (await central.wait_connections(2)).headers

    async def test_a_hexadecimal_key_stands_for_its_bytes(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        await run_site(one_point(key="00ff" * 8, key_is_hex=True))
        peer = await central.wait_connections(1)
        assert b64decode(peer.headers["Authorization"].split()[1]) == b"CP-01:" + b"\x00\xff" * 8

    async def test_refused_at_the_door_it_tries_again(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        central.admits = lambda _: False
        site = await run_site(one_point())
        point = site.charge_points["CP-01"]
        await site.until(lambda: point.tally["connections refused"] >= 2)
        central.admits = lambda _: True
        await central.wait_action("BootNotification")

    async def test_the_key_is_never_shown(self, central: CentralSystem, run_site: RunSite, one_point: OnePoint) -> None:
        site = await run_site(one_point(key="k" * 20))
        await site.all_accepted()
        answer = await central.call("CP-01", "GetConfiguration", {"key": ["AuthorizationKey"]})
        assert answer["configurationKey"] == [{"key": "AuthorizationKey", "readonly": False}]


class TestConfiguration:
    async def test_all_keys_are_shown_when_none_is_named(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point(rate_units=("Power",)))
        await site.all_accepted()
        answer = await central.call("CP-01", "GetConfiguration", {})
        shown = {one["key"]: one.get("value") for one in answer["configurationKey"]}
        assert shown["NumberOfConnectors"] == "1"
        assert shown["ChargingScheduleAllowedChargingRateUnit"] == "Power"
        assert shown["ConnectorPhaseRotation"] == "0.RST,1.RST"
        assert "SmartCharging" in shown["SupportedFeatureProfiles"]

    async def test_unknown_keys_are_named(self, central: CentralSystem, run_site: RunSite, one_point: OnePoint) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        answer = await central.call("CP-01", "GetConfiguration", {"key": ["HeartbeatInterval", "Nonsense"]})
        assert [one["key"] for one in answer["configurationKey"]] == ["HeartbeatInterval"]
        assert answer["unknownKey"] == ["Nonsense"]

    @pytest.mark.parametrize(
        ("key", "value", "status"),
        [
            ("MeterValueSampleInterval", "3", "Accepted"),
            ("MeterValueSampleInterval", "-3", "Rejected"),
            ("MeterValuesSampledData", "Current.Import,Voltage", "Accepted"),
            ("MeterValuesSampledData", "Current.Import,Happiness", "Rejected"),
            ("StopTransactionOnInvalidId", "maybe", "Rejected"),
            ("NumberOfConnectors", "4", "Rejected"),
            ("AuthorizationKey", "short", "Rejected"),
            ("Nonsense", "1", "NotSupported"),
        ],
    )
    async def test_a_change_is_taken_only_where_it_fits(
        self, key: str, value: str, status: str, *, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        answer = await central.call("CP-01", "ChangeConfiguration", {"key": key, "value": value})
        assert answer == {"status": status}


class TestSessions:
    async def test_a_free_vend_session_from_plug_to_unplug(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        site.plug(OUTLET, a_car())
        started = await central.wait_action("StartTransaction")
        assert started.payload["idTag"] == "FREEVEND"
        await central.wait_action("StatusNotification", status="Charging")
        values = await central.wait_for(lambda one: one.action == "MeterValues" and drawn(one) == [16.0, 16.0, 16.0])
        assert values.payload["transactionId"] == 1
        site.unplug(OUTLET)
        stopped = await central.wait_action("StopTransaction")
        assert stopped.payload["reason"] == "EVDisconnected"
        assert stopped.payload["meterStop"] > started.payload["meterStart"]
        await central.wait_action("StatusNotification", after=central.heard.index(stopped), status="Available")
        statuses = [
            one.payload["status"]
            for one in central.heard
            if one.action == "StatusNotification" and one.payload["connectorId"] == 1
        ]
        assert statuses[:2] == ["Available", "Preparing"]
        assert statuses[-1] == "Available"

    async def test_values_come_at_the_configured_interval_with_the_configured_measurands(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        for key, value in (("MeterValueSampleInterval", "10"), ("MeterValuesSampledData", "Voltage,Temperature")):
            await central.call("CP-01", "ChangeConfiguration", {"key": key, "value": value})
        site.plug(OUTLET, a_car())
        first = await central.wait_action("MeterValues")
        at = site.now
        await central.wait_action("MeterValues", after=central.heard.index(first) + 1)
        assert site.now - at == pytest.approx(10.0, abs=4.0)
        sampled = first.payload["meterValue"][0]["sampledValue"]
        assert [(one["measurand"], one.get("phase")) for one in sampled] == [
            ("Voltage", "L1-N"),
            ("Voltage", "L2-N"),
            ("Voltage", "L3-N"),
            ("Temperature", None),
        ]

    async def test_values_can_come_by_the_clock_while_nothing_charges(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        change = {"key": "ClockAlignedDataInterval", "value": "10"}
        await central.call("CP-01", "ChangeConfiguration", change)
        heard = await central.wait_action("MeterValues")
        assert heard.payload["meterValue"][0]["sampledValue"][0]["context"] == "Sample.Clock"
        assert "transactionId" not in heard.payload

    async def test_a_card_is_authorised_before_the_transaction(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point(starts_by=StartBy.TAG))
        await site.all_accepted()
        site.plug(OUTLET, a_car(id_tag="TAG-1", tag_after_s=3.0))
        await central.wait_action("Authorize", idTag="TAG-1")
        await central.wait_action("StartTransaction", idTag="TAG-1")

    async def test_a_refused_card_starts_nothing(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        central.answers["Authorize"] = lambda _: {"idTagInfo": {"status": "Blocked"}}
        site = await run_site(one_point(starts_by=StartBy.TAG))
        await site.all_accepted()
        site.plug(OUTLET, a_car(id_tag="TAG-1", tag_after_s=1.0))
        await central.wait_action("Authorize")
        await site.clock.sleep(20.0)
        assert site.charge_points["CP-01"].connectors[1].transaction is None

    async def test_a_transaction_refused_at_its_start_is_stopped(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        central.answers["StartTransaction"] = lambda _: {"transactionId": 9, "idTagInfo": {"status": "Invalid"}}
        site = await run_site(one_point())
        await site.all_accepted()
        site.plug(OUTLET, a_car())
        stopped = await central.wait_action("StopTransaction", transactionId=9)
        assert stopped.payload["reason"] == "DeAuthorized"
        await central.wait_action("StatusNotification", status="Finishing")

    async def test_started_and_stopped_from_afar(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point(starts_by=StartBy.REMOTE))
        await site.all_accepted()
        site.plug(OUTLET, a_car())
        await central.wait_action("StatusNotification", status="Preparing")
        start = {"connectorId": 1, "idTag": "FLEET"}
        assert await central.call("CP-01", "RemoteStartTransaction", start) == {"status": "Accepted"}
        await central.wait_action("StartTransaction", idTag="FLEET")
        await central.wait_action("StatusNotification", status="Charging")
        assert await central.call("CP-01", "RemoteStartTransaction", start) == {"status": "Rejected"}
        assert await central.call("CP-01", "RemoteStopTransaction", {"transactionId": 99}) == {"status": "Rejected"}
        assert await central.call("CP-01", "RemoteStopTransaction", {"transactionId": 1}) == {"status": "Accepted"}
        await central.wait_action("StopTransaction", reason="Remote")
        await central.wait_action("StatusNotification", status="Finishing")

    async def test_a_remote_start_waits_for_the_car_no_longer_than_the_connection_time_out(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point(starts_by=StartBy.REMOTE))
        await site.all_accepted()
        await central.call("CP-01", "ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "10"})
        await central.call("CP-01", "RemoteStartTransaction", {"connectorId": 1, "idTag": "FLEET"})
        preparing = await central.wait_action("StatusNotification", status="Preparing")
        await central.wait_action("StatusNotification", after=central.heard.index(preparing), status="Available")
        site.plug(OUTLET, a_car())
        await site.clock.sleep(20.0)
        assert all(one.action != "StartTransaction" for one in central.heard)

    async def test_a_remote_start_can_bring_its_limit_along(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point(starts_by=StartBy.REMOTE))
        await site.all_accepted()
        site.plug(OUTLET, a_car())
        profile = a_profile((0, 9.0), purpose="TxProfile")
        await central.call(
            "CP-01", "RemoteStartTransaction", {"connectorId": 1, "idTag": "FLEET", "chargingProfile": profile}
        )
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 9.0)

    async def test_a_full_car_is_suspended_by_itself(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        site.plug(OUTLET, a_car(wanted_kwh=0.05))
        charging = await central.wait_action("StatusNotification", status="Charging")
        await central.wait_action("StatusNotification", after=central.heard.index(charging), status="SuspendedEV")

    async def test_both_connectors_of_a_twin_have_transactions_of_their_own(
        self, central: CentralSystem, run_site: RunSite, quiet: Scenario
    ) -> None:
        site = await run_site(quiet)
        await site.all_accepted()
        site.plug("CP-03/1", a_car())
        site.plug("CP-03/2", a_car(phases=1, maximum_a=32.0))
        first = await central.wait_action("StartTransaction", connectorId=1)
        second = await central.wait_action("StartTransaction", connectorId=2)
        assert first.identity == second.identity == "CP-03"
        values = await central.wait_for(
            lambda one: one.action == "MeterValues" and one.payload["connectorId"] == 2 and drawn(one) == [16.0]
        )
        assert values.payload["transactionId"] == 2
        assert site.truth.amps("cluster-a") == (16.0, 32.0, 16.0)


class TestCommands:
    @pytest.mark.parametrize(
        ("message", "action"),
        [
            ("Heartbeat", "Heartbeat"),
            ("StatusNotification", "StatusNotification"),
            ("MeterValues", "MeterValues"),
            ("BootNotification", "BootNotification"),
            ("FirmwareStatusNotification", "FirmwareStatusNotification"),
        ],
    )
    async def test_a_trigger_is_answered_before_the_message(
        self, message: str, action: str, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        await central.wait_action("StatusNotification", connectorId=1)
        before = len(central.heard)
        answer = await central.call("CP-01", "TriggerMessage", {"requestedMessage": message, "connectorId": 1})
        assert answer == {"status": "Accepted"}
        await central.wait_action(action, after=before)

    async def test_an_unlocked_connector_ends_its_transaction(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        site.plug(OUTLET, a_car())
        await central.wait_action("StartTransaction")
        assert await central.call("CP-01", "UnlockConnector", {"connectorId": 1}) == {"status": "Unlocked"}
        await central.wait_action("StopTransaction", reason="UnlockCommand")
        assert await central.call("CP-01", "UnlockConnector", {"connectorId": 9}) == {"status": "NotSupported"}

    async def test_a_connector_goes_out_of_service_when_it_is_free(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        site.plug(OUTLET, a_car())
        await central.wait_action("StartTransaction")
        change = {"connectorId": 1, "type": "Inoperative"}
        assert await central.call("CP-01", "ChangeAvailability", change) == {"status": "Scheduled"}
        site.unplug(OUTLET)
        await central.wait_action("StatusNotification", status="Unavailable")
        before = len(central.heard)
        change = {"connectorId": 0, "type": "Operative"}
        assert await central.call("CP-01", "ChangeAvailability", change) == {"status": "Accepted"}
        await central.wait_action("StatusNotification", after=before, status="Available")

    @pytest.mark.parametrize(("kind", "reason"), [("Soft", "SoftReset"), ("Hard", "HardReset")])
    async def test_a_reset_is_answered_then_ends_the_transaction_and_boots_again(
        self, kind: str, reason: str, *, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        site.plug(OUTLET, a_car())
        await central.wait_action("StartTransaction")
        before = len(central.heard)
        assert await central.call("CP-01", "Reset", {"type": kind}) == {"status": "Accepted"}
        await central.wait_action("StopTransaction", after=before, reason=reason)
        await central.wait_action("BootNotification", after=before)
        await central.wait_action("StartTransaction", after=before)

    @pytest.mark.parametrize(
        ("action", "payload", "answer"),
        [
            ("ClearCache", {}, {"status": "Accepted"}),
            ("DataTransfer", {"vendorId": "nobody"}, {"status": "UnknownVendorId"}),
            ("GetLocalListVersion", {}, {"listVersion": 0}),
        ],
    )
    async def test_what_it_has_no_use_for_is_answered_all_the_same(
        self,
        action: str,
        payload: dict[str, Any],
        answer: dict[str, Any],
        *,
        central: CentralSystem,
        run_site: RunSite,
        one_point: OnePoint,
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        assert await central.call("CP-01", action, payload) == answer

    async def test_an_action_that_it_does_not_know_is_answered_with_an_error(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        peer = central.peers["CP-01"]
        refused = central.loop_future()
        peer.pending["odd"] = refused
        await peer.websocket.send_str('[2,"odd","MakeCoffee",{}]')
        with pytest.raises(Refused, match="NotImplemented"):
            await refused

    async def test_a_fault_shows_as_faulted_and_stops_the_current(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        site.plug(OUTLET, a_car())
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] > 0.0)
        site.fault("out_of_order", "CP-01", value="GroundFailure")
        await central.wait_action("StatusNotification", status="Faulted", errorCode="GroundFailure")
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 0.0)
        before = len(central.heard)
        site.mend("out_of_order", "CP-01")
        await central.wait_action("StatusNotification", after=before, status="Charging")
