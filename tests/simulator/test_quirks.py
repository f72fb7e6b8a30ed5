"""Each oddity of a charge point shows on the wire, in every version of OCPP that it can show in."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from simulator import Scenario
from simulator.charge_point import Misbehaviour, OcppVersion
from simulator.charge_point.distortion import distorted
from simulator.charge_point.misbehaviour import (
    ABSURD_DURATION_S,
    Backlog,
    CompositeForm,
    CurrentForm,
    EnergyForm,
    Inventory,
    Silence,
)
from simulator.charge_point.spec import AfterPowerCut, AtZero, MessageIds, StartBy

from .central_system import CentralSystem, Heard, Payload, Refused
from .conftest import RunSite
from .stories import OUTLET, OnePoint, a_car, a_profile
from .stories_2 import a_profile_2, event, events

POINT = "CP-01"

REGISTER = "Energy.Active.Import.Register"


@pytest.fixture(params=list(OcppVersion))
def version(request: pytest.FixtureRequest) -> OcppVersion:
    return OcppVersion(request.param)


@pytest.fixture
def old(version: OcppVersion) -> bool:
    return version is OcppVersion.V16


@pytest.fixture
def odd(point_2: OnePoint) -> OnePoint:
    """Return a site with one charge point that does something wrong."""

    def make(**wrong: Any) -> Scenario:
        return point_2(misbehaviour=Misbehaviour(**wrong))

    return make


async def accepted(run_site: RunSite, scenario: Scenario) -> Any:
    site = await run_site(scenario)
    await site.all_accepted()
    return site


async def charging(run_site: RunSite, scenario: Scenario, **car: Any) -> Any:
    site = await accepted(run_site, scenario)
    site.plug(OUTLET, a_car(**car))
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] > 0.0)
    return site


def begins(one: Heard) -> bool:
    return one.action == "StartTransaction" or one.payload.get("eventType") == "Started"


def ends(one: Heard) -> bool:
    return one.action == "StopTransaction" or one.payload.get("eventType") == "Ended"


def samples(one: Heard, measurand: str) -> list[Payload]:
    """Return the values of a measurand in any message."""
    values = one.payload.get("meterValue") or []
    return [value for each in values for value in each["sampledValue"] if value.get("measurand") == measurand]


def with_samples(measurand: str) -> Callable[[Heard], bool]:
    return lambda one: bool(samples(one, measurand))


async def limit(central: CentralSystem, amps: float, *, old: bool, number: int = 1, unit: str = "A") -> Payload:
    if old:
        payload: Payload = {"connectorId": number, "csChargingProfiles": a_profile((0, amps), unit=unit)}
    else:
        payload = {"evseId": number, "chargingProfile": a_profile_2((0, amps), unit=unit)}
    return await central.call(POINT, "SetChargingProfile", payload)


async def composite(central: CentralSystem, unit: str, *, old: bool) -> Payload:
    place = "connectorId" if old else "evseId"
    answer = await central.call(POINT, "GetCompositeSchedule", {place: 1, "duration": 60, "chargingRateUnit": unit})
    assert answer["status"] == "Accepted"
    schedule: Payload = answer.get("chargingSchedule" if old else "schedule", {})
    return schedule


async def remote_start(central: CentralSystem, *, old: bool, numbered: bool = True) -> str:
    if old:
        payload: Payload = {"idTag": "FLEET", **({"connectorId": 1} if numbered else {})}
        return str((await central.call(POINT, "RemoteStartTransaction", payload))["status"])
    token = {"idToken": "FLEET", "type": "Central"}
    payload = {"idToken": token, "remoteStartId": 1, **({"evseId": 1} if numbered else {})}
    return str((await central.call(POINT, "RequestStartTransaction", payload))["status"])


class TestConnecting:
    async def test_ids_of_messages_repeat_exactly_after_each_restart(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await accepted(run_site, point_2(message_ids=MessageIds.REPEATED))
        before = len(central.heard)
        site.fault("reboots", POINT)
        again = await central.wait_action("BootNotification", after=before)
        assert again.message_id == central.heard[0].message_id
        assert len(again.message_id) == 36

    async def test_it_may_be_connected_and_say_nothing_at_all(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await run_site(odd(silence=Silence.FROM_THE_START))
        await central.wait_connections(1)
        await site.clock.sleep(20.0)
        assert central.heard == []
        assert "status" in await limit(central, 8.0, old=old)

    async def test_it_may_say_nothing_more_once_it_was_accepted(
        self, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        central.answers["BootNotification"] = lambda _: central.boot(interval=5)
        site = await accepted(run_site, odd(silence=Silence.AFTER_BOOT))
        site.plug(OUTLET, a_car())
        await site.clock.sleep(20.0)
        assert site.truth.outlets[OUTLET].drawn[0] == 16.0
        assert [one.action for one in central.heard] == ["BootNotification"]

    async def test_pings_may_be_answered_late(self, central: CentralSystem, run_site: RunSite, odd: OnePoint) -> None:
        site = await accepted(run_site, odd(pongs_late_s=20.0))
        pongs: list[bytes] = []
        central.on_pong = pongs.append
        sent_at = site.now
        await central.peers[POINT].websocket.ping(b"late")
        await site.until(lambda: pongs == [b"late"])
        assert site.now - sent_at >= 20.0

    async def test_it_may_offer_to_compress(self, central: CentralSystem, run_site: RunSite, odd: OnePoint) -> None:
        await accepted(run_site, odd(offers_deflate=True))
        assert "permessage-deflate" in central.peers[POINT].headers["Sec-WebSocket-Extensions"]

    async def test_no_boot_and_no_subprotocol_come_in_2x_too(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        central.tolerant = True  # without a subprotocol it takes what 2.x says for 1.6
        await run_site(odd(never_boots=True, no_subprotocol=True))
        peer = await central.wait_connections(1)
        assert peer.subprotocol is None
        first = await central.wait_action("StatusNotification")
        assert central.heard[0] is first
        assert bool(central.faults) is not old

    @pytest.mark.parametrize(("offset", "drift"), [(-3600.0, 0.0), (900.0, 0.0), (0.0, 20_000.0)])
    async def test_clocks_are_behind_ahead_or_drift(
        self, offset: float, drift: float, *, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await accepted(run_site, point_2(clock_offset_s=offset, clock_drift_ppm=drift))
        point = site.charge_points[POINT]
        await site.clock.sleep(50.0)
        gained = point.utc() - site.clock.utc()
        assert gained == pytest.approx(offset + drift * 1e-6 * site.clock.now(), abs=1.0)
        site.plug(OUTLET, a_car())
        started = await central.wait_for(begins)
        told = started.payload["timestamp"]
        assert told[:13] == point.time_text()[:13] or offset == 0.0


class TestWriting:
    async def test_a_status_may_have_no_timestamp(
        self, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        central.tolerant = True
        await run_site(odd(no_timestamps=True))
        assert "timestamp" not in (await central.wait_action("StatusNotification")).payload

    async def test_optional_fields_may_be_null(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        central.tolerant = True
        site = await accepted(run_site, odd(writes_nulls=True))
        site.plug(OUTLET, a_car())
        started = await central.wait_for(begins)
        assert started.payload["reservationId"] is None
        values = await central.wait_for(with_samples("Power.Active.Import"))
        assert samples(values, "Power.Active.Import")[0]["phase"] is None
        assert samples(values, "Current.Import")[0]["phase"] == "L1"
        assert central.faults

    async def test_values_may_be_of_the_other_type(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        central.tolerant = True
        await charging(run_site, odd(writes_numbers=True))
        values = await central.wait_for(with_samples("Voltage"))
        assert isinstance(samples(values, "Voltage")[0]["value"], float if old else str)

    async def test_connectors_may_be_named_by_fractions(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        central.tolerant = True
        site = await accepted(run_site, odd(writes_fractions=True))
        site.plug(OUTLET, a_car())
        status = await central.wait_action("StatusNotification", connectorId=1)
        assert isinstance(status.payload["connectorId"], float)
        started = await central.wait_for(begins)
        number = started.payload["connectorId"] if old else started.payload["evse"]["id"]
        assert (number, isinstance(number, float)) == (1, True)

    async def test_there_may_be_words_that_nobody_knows(
        self, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        central.tolerant = True
        await charging(run_site, odd(writes_unknown_words=True))
        values = await central.wait_for(with_samples("Current.Import"))
        assert values.payload["vendorField"]["colour"] == "green"
        assert samples(values, "Vendor.Happiness")


class TestAnswering:
    async def test_what_is_rejected_may_be_answered_with_an_error_at_length(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        await accepted(run_site, odd(errors_for_rejected=True))
        with pytest.raises(Refused, match="PropertyConstraintViolation"):
            await limit(central, 8.0, old=old, number=7)
        assert (await limit(central, 8.0, old=old))["status"] == "Accepted"

    async def test_a_power_only_model_rejects_amps(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        await accepted(run_site, point_2(rate_units=("Power",)))
        assert (await limit(central, 8.0, old=old))["status"] == "Rejected"
        assert (await limit(central, 8000.0, old=old, unit="W"))["status"] == "Accepted"

    async def test_limits_may_be_accepted_and_ignored(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await charging(run_site, odd(ignores_limits=True))
        assert (await limit(central, 8.0, old=old))["status"] == "Accepted"
        await site.clock.sleep(20.0)
        assert site.truth.outlets[OUTLET].drawn[0] == 16.0

    async def test_a_composite_schedule_may_be_accepted_and_not_there(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        await accepted(run_site, odd(composite=CompositeForm.NONE))
        assert await composite(central, "A", old=old) == {}

    async def test_a_composite_schedule_may_be_empty_and_absurd(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        central.tolerant = True
        await accepted(run_site, odd(composite=CompositeForm.EMPTY))
        schedule = await composite(central, "A", old=old)
        assert (schedule["chargingSchedulePeriod"], schedule["duration"]) == ([], ABSURD_DURATION_S)

    async def test_a_composite_schedule_in_amps_may_be_minus_one(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        await accepted(run_site, odd(composite=CompositeForm.MINUS_ONE))
        schedule = await composite(central, "A", old=old)
        assert [period["limit"] for period in schedule["chargingSchedulePeriod"]] == [-1]
        schedule = await composite(central, "W", old=old)
        assert [period["limit"] for period in schedule["chargingSchedulePeriod"]] == [22080.0]

    async def test_a_composite_schedule_may_always_be_in_watts(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        await accepted(run_site, odd(composite=CompositeForm.WATTS))
        assert (await composite(central, "A", old=old))["chargingRateUnit"] == "W"

    async def test_a_remote_start_without_a_connector_is_refused(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        await accepted(run_site, point_2())
        assert await remote_start(central, old=old, numbered=False) == "Rejected"

    async def test_a_second_remote_start_may_be_accepted_and_come_to_nothing(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        wrong = Misbehaviour(accepts_every_start=True)
        site = await accepted(run_site, point_2(starts_by=StartBy.REMOTE, misbehaviour=wrong))
        site.plug(OUTLET, a_car())
        assert await remote_start(central, old=old) == "Accepted"
        await central.wait_for(begins)
        assert await remote_start(central, old=old) == "Accepted"
        await site.clock.sleep(10.0)
        assert sum(begins(one) for one in central.heard) == 1

    async def test_a_lock_may_stay_locked(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        await accepted(run_site, odd(never_unlocks=True))
        ask = {"connectorId": 1} if old else {"connectorId": 1, "evseId": 1}
        answer = await central.call(POINT, "UnlockConnector", ask)
        assert answer["status"] == ("NotSupported" if old else "UnlockFailed")

    async def test_a_reset_may_be_the_last_that_is_heard_of_it(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await accepted(run_site, odd(stays_down=True))
        ask = {"type": "Hard" if old else "Immediate"}
        assert (await central.call(POINT, "Reset", ask))["status"] == "Accepted"
        await site.until(lambda: not site.charge_points[POINT].powered)
        await site.clock.sleep(60.0)
        assert len(central.connections) == 1
        site.charge_points[POINT].power_up(site.clock.now())  # somebody comes and switches it on
        await central.wait_connections(2)

    async def test_the_settings_of_a_vendor_make_a_long_answer(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        await accepted(run_site, point_2(vendor_settings=400))
        if old:
            answer = await central.call(POINT, "GetConfiguration", {})
            assert len(json.dumps(answer)) > 60_000
            return
        ask = {"requestId": 1, "reportBase": "FullInventory"}
        assert (await central.call(POINT, "GetBaseReport", ask))["status"] == "Accepted"
        last = await central.wait_action("NotifyReport", tbc=False)
        assert last.payload["seqNo"] >= 16


class TestReports:
    @pytest.fixture(params=[OcppVersion.V201, OcppVersion.V21])
    def version(self, request: pytest.FixtureRequest) -> OcppVersion:
        return OcppVersion(request.param)

    async def ask(self, central: CentralSystem) -> None:
        ask = {"requestId": 1, "reportBase": "FullInventory"}
        assert (await central.call(POINT, "GetBaseReport", ask))["status"] == "Accepted"

    async def test_a_report_may_never_come(self, central: CentralSystem, run_site: RunSite, odd: OnePoint) -> None:
        site = await accepted(run_site, odd(inventory=Inventory.ABSENT))
        await self.ask(central)
        await site.clock.sleep(40.0)
        assert all(one.action != "NotifyReport" for one in central.heard)

    async def test_a_report_may_never_be_complete(
        self, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await accepted(run_site, odd(inventory=Inventory.PARTIAL))
        await self.ask(central)
        await central.wait_action("NotifyReport", seqNo=1)
        await site.clock.sleep(10.0)
        assert all(one.payload["tbc"] for one in central.heard if one.action == "NotifyReport")

    async def test_a_report_may_come_late(self, central: CentralSystem, run_site: RunSite, odd: OnePoint) -> None:
        site = await accepted(run_site, odd(inventory=Inventory.LATE))
        await self.ask(central)
        asked_at = site.now
        await central.wait_action("NotifyReport", tbc=False)
        assert site.now - asked_at >= 29.0


class TestTelling:
    @pytest.mark.parametrize("backlog", list(Backlog))
    async def test_what_waited_through_an_outage_comes_in_any_order(
        self, backlog: Backlog, *, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await accepted(run_site, odd(backlog=backlog))
        site.fault("drops", POINT)
        await site.until(lambda: not site.charge_points[POINT].connected)
        site.plug(OUTLET, a_car())
        await site.clock.sleep(140.0)
        if backlog is not Backlog.AFTER_FRESH:
            site.unplug(OUTLET)
        await site.clock.sleep(3.0)
        before = len(central.heard)
        site.mend("drops", POINT)
        await site.until(lambda: site.charge_points[POINT].conversation.stored_messages == 0)
        told = [one for one in central.heard[before:] if begins(one) or ends(one) or samples(one, REGISTER)]
        times = [one.payload.get("timestamp") or one.payload["meterValue"][0]["timestamp"] for one in told]
        assert len(told) > 10
        match backlog:
            case Backlog.NEWEST_FIRST:
                assert times == sorted(times, reverse=True)
            case Backlog.SHUFFLED:
                assert times not in (sorted(times), sorted(times, reverse=True))
            case Backlog.AFTER_FRESH:
                assert central.heard[before].action == "StatusNotification"

    async def test_values_of_an_outage_may_be_lost_and_leave_a_gap(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await charging(run_site, odd(loses_values=True))
        await central.wait_for(with_samples("Voltage"))
        site.fault("drops", POINT, for_s=60.0)
        await site.until(lambda: not site.charge_points[POINT].connected)
        before = len(central.heard)
        lost_at = site.now
        await central.wait_for(with_samples("Voltage"), after=before)
        assert site.now - lost_at >= 55.0
        assert sum(bool(samples(one, "Voltage")) for one in central.heard[before:]) <= 2
        if not old:
            numbers = [one["seqNo"] for one in events(central)]
            assert max(after - earlier for earlier, after in pairwise(numbers)) > 5

    async def test_a_master_may_measure_its_cluster_as_connector_0(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(run_site, point_2(main_meter="supply"))
        place = "connectorId" if old else "evseId"

        def of_feed(one: Heard) -> bool:
            return one.action == "MeterValues" and one.payload[place] == 0

        await site.until(lambda: site.truth.amps("supply") == (21.0, 21.0, 21.0))
        heard = await central.wait_for(of_feed, after=len(central.heard))
        assert [float(one["value"]) for one in samples(heard, "Current.Import")] == [21.0, 21.0, 21.0]
        assert float(samples(heard, REGISTER)[0]["value"]) > 0.0

    async def test_a_status_may_come_late(self, central: CentralSystem, run_site: RunSite, odd: OnePoint) -> None:
        site = await accepted(run_site, odd(status_late_s=10.0))
        accepted_at = site.now
        site.plug(OUTLET, a_car())
        started = await central.wait_for(begins)
        status = await central.wait_action("StatusNotification", connectorId=1)
        assert central.heard.index(status) > central.heard.index(started)
        assert site.now - accepted_at >= 9.0

    async def test_a_late_status_that_found_no_connection_is_told_on_the_next_one(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await accepted(run_site, odd(status_late_s=6.0))
        await central.wait_action("StatusNotification", connectorId=1)
        before = len(central.heard)
        site.plug(OUTLET, a_car())
        await central.wait_for(begins)
        site.fault("drops", POINT, for_s=30.0)
        charging = {"status": "Charging"} if old else {"connectorStatus": "Occupied"}
        await central.wait_for(
            lambda one: one.action == "StatusNotification" and charging.items() <= one.payload.items(), after=before
        )
        assert len(central.connections) == 2

    async def test_the_station_may_have_no_status_or_an_evse_0(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        wrong = {"omits_station_status": True} if old else {"tells_evse_zero": True}
        await accepted(run_site, odd(**wrong))
        await central.wait_action("StatusNotification", connectorId=1)
        numbers = [one.payload["connectorId"] for one in central.heard if one.action == "StatusNotification"]
        assert (0 in numbers) is not old

    async def test_values_of_a_transaction_may_come_after_its_end(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await charging(run_site, odd(values_after_stop=True))
        site.unplug(OUTLET)
        ended = await central.wait_for(ends)
        after = await central.wait_for(with_samples("Voltage"), after=central.heard.index(ended) + 1)
        if old:
            assert after.payload["transactionId"] == ended.payload["transactionId"]
        else:
            assert (
                after.payload["transactionInfo"]["transactionId"]
                == events(central)[0]["transactionInfo"]["transactionId"]
            )

    async def test_values_may_name_a_transaction_that_nobody_knows(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        await charging(run_site, odd(foreign_values=True))
        values = await central.wait_for(with_samples("Voltage"))
        if old:
            assert values.payload["transactionId"] == 987_654
        else:
            known = events(central)[0]["transactionInfo"]["transactionId"]
            assert values.payload["transactionInfo"]["transactionId"] != known

    async def test_it_may_be_delivered_to_measure_nothing(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(run_site, point_2(measurands=()))
        await site.clock.sleep(15.0)
        assert not any(samples(one, "Current.Import") for one in central.heard)

    async def test_a_reboot_in_mid_session_ends_the_transaction(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(run_site, point_2())
        before = len(central.heard)
        site.fault("reboots", POINT)
        await central.wait_action("BootNotification", after=before)
        ended = await central.wait_for(ends, after=before)
        reason = ended.payload.get("reason") or ended.payload["transactionInfo"]["stoppedReason"]
        assert reason == "Reboot"

    async def test_somebody_else_may_limit_what_flows(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(run_site, point_2())
        site.fault("external_limit", POINT, value=8.0)
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 8.0)
        site.mend("external_limit", POINT)
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 16.0)
        if not old:
            told = await central.wait_action("NotifyChargingLimit", evseId=1)
            assert told.payload["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 8.0
            await central.wait_action("ClearedChargingLimit", evseId=1)


class TestEvents:
    @pytest.fixture(params=[OcppVersion.V201, OcppVersion.V21])
    def version(self, request: pytest.FixtureRequest) -> OcppVersion:
        return OcppVersion(request.param)

    async def test_events_may_all_have_the_number_0(
        self, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await charging(run_site, odd(sequence_stuck=True))
        site.unplug(OUTLET)
        await event(central, "Ended")
        assert {one["seqNo"] for one in events(central)} == {0}

    async def test_nothing_may_be_told_for_half_a_minute_after_the_start(
        self, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await accepted(run_site, odd(updates_after_s=30.0))
        site.plug(OUTLET, a_car())
        started = await event(central, "Started")
        assert started.payload["transactionInfo"]["chargingState"] == "EVConnected"
        began_at = site.now
        await event(central, "Updated")
        assert site.now - began_at >= 28.0

    async def test_a_transaction_that_goes_on_after_a_power_cut_says_so_in_21(
        self, version: OcppVersion, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(run_site, point_2(after_power_cut=AfterPowerCut.RESUMES))
        before = len(central.heard)
        site.fault("power_cut", POINT, for_s=5.0)
        await event(central, "Updated", after=before, chargingState="Charging")
        told = [one.payload["triggerReason"] for one in central.heard[before:] if one.action == "TransactionEvent"]
        assert ("TxResumed" in told) is (version is OcppVersion.V21)
        numbers = [one["seqNo"] for one in events(central)]
        assert numbers == list(range(len(numbers)))

    async def test_values_may_come_apart_from_the_transaction(
        self, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        await charging(run_site, odd(values_apart=True))
        values = await central.wait_action("MeterValues")
        assert samples(values, "Current.Import")
        assert all(one["triggerReason"] != "MeterValuePeriodic" for one in events(central))


class TestMetering:
    async def register(self, central: CentralSystem, *, after: int = 0) -> list[tuple[float, str | None]]:
        """Return energy values with their units, as far as they were told."""
        values = [value for one in central.heard[after:] for value in samples(one, REGISTER)]
        return [
            (float(value["value"]), value.get("unit") or value.get("unitOfMeasure", {}).get("unit")) for value in values
        ]

    async def test_energy_may_be_in_kwh_with_and_without_saying_so(
        self, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await charging(run_site, odd(energy=EnergyForm.KWH))
        await central.wait_for(with_samples(REGISTER))
        assert {unit for _, unit in await self.register(central)} == {"kWh"}
        site.charge_points[POINT].misbehaviour.energy = EnergyForm.UNNAMED_KWH
        # One may be on its way that was measured before.
        await central.wait_for(with_samples(REGISTER), after=len(central.heard))
        before = len(central.heard)
        await central.wait_for(with_samples(REGISTER), after=before)
        value, unit = (await self.register(central, after=before))[-1]
        assert unit is None
        assert value == pytest.approx(site.truth.outlets[OUTLET].register_wh / 1000.0, abs=0.1)

    async def test_energy_may_be_in_whole_kwh_that_are_called_wh(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await accepted(run_site, odd(energy=EnergyForm.WHOLE_KWH_AS_WH))
        site.truth.outlets[OUTLET].register_wh = 361_900.0
        site.plug(OUTLET, a_car())
        await central.wait_for(with_samples(REGISTER))
        assert {value for value, _ in await self.register(central)} <= {361.0, 362.0}
        assert {unit for _, unit in await self.register(central)} == {"Wh"}
        if old:
            (start,) = [one for one in central.heard if begins(one)]
            assert start.payload["meterStart"] == 361

    async def test_energy_may_be_in_wh_while_it_runs_and_in_kwh_at_the_end(
        self, old: bool, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await accepted(run_site, odd(energy=EnergyForm.KWH_AT_END))
        if old:
            change = {"key": "StopTxnSampledData", "value": REGISTER}
            await central.call(POINT, "ChangeConfiguration", change)
        site.plug(OUTLET, a_car())
        await central.wait_for(with_samples(REGISTER))
        site.unplug(OUTLET)
        ended = await central.wait_for(ends)
        if old:
            last = ended.payload["transactionData"][0]["sampledValue"][0]["unit"]
        else:
            last = samples(ended, REGISTER)[0]["unitOfMeasure"]["unit"]
        assert last == "kWh"
        index = central.heard.index(ended)
        assert {
            value.get("unit") or value["unitOfMeasure"]["unit"]
            for one in central.heard[:index]
            for value in samples(one, REGISTER)
        } == {"Wh"}

    async def test_energy_may_be_that_of_one_phase(
        self, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await charging(run_site, odd(energy=EnergyForm.ONE_PHASE))
        await site.clock.sleep(20.0)
        values = await central.wait_for(with_samples(REGISTER), after=len(central.heard))
        told = samples(values, REGISTER)[0]
        assert told["phase"] == "L1"
        assert float(told["value"]) == pytest.approx(site.truth.outlets[OUTLET].register_wh / 3.0, rel=0.3)

    @pytest.mark.parametrize(
        ("form", "expected"),
        [
            (CurrentForm.TOTAL, [(48.0, None)]),
            (CurrentForm.ONE_FOR_ALL, [(16.0, None)]),
            (CurrentForm.PHASES_AND_ONE, [(16.0, "L1"), (16.0, "L2"), (16.0, "L3"), (16.0, None)]),
        ],
    )
    async def test_currents_come_in_other_forms(
        self,
        form: CurrentForm,
        expected: list[tuple[float, str | None]],
        *,
        central: CentralSystem,
        run_site: RunSite,
        odd: OnePoint,
    ) -> None:
        await charging(run_site, odd(currents=form))
        before = len(central.heard)
        values = await central.wait_for(with_samples("Current.Import"), after=before)
        told = [(float(one["value"]), one.get("phase")) for one in samples(values, "Current.Import")]
        assert told == expected

    async def test_power_may_stay_0_while_the_energy_climbs(
        self, central: CentralSystem, run_site: RunSite, odd: OnePoint
    ) -> None:
        site = await charging(run_site, odd(power_stays_zero=True))
        await site.clock.sleep(20.0)
        powers = {float(value["value"]) for one in central.heard for value in samples(one, "Power.Active.Import")}
        energies = [value for value, _ in await self.register(central)]
        assert powers == {0.0}
        assert energies[-1] > energies[0]

    async def test_the_register_may_leap(self, central: CentralSystem, run_site: RunSite, odd: OnePoint) -> None:
        site = await charging(run_site, odd(register_jumps=True))
        await site.clock.sleep(60.0)
        energies = [value for value, _ in await self.register(central)]
        leaps = [after - before for before, after in pairwise(energies)]
        assert max(leaps) > 1100.0
        assert min(leaps) >= 0.0

    async def test_the_register_may_begin_anew_with_each_transaction(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(run_site, point_2(register_per_transaction=True))
        await site.clock.sleep(20.0)
        site.unplug(OUTLET)
        await central.wait_for(ends)
        before = len(central.heard)
        site.plug(OUTLET, a_car())
        started = await central.wait_for(begins, after=before)
        begin = started.payload["meterStart"] if old else samples(started, REGISTER)[0]["value"]
        assert begin == 0
        assert site.truth.outlets[OUTLET].register_wh > 0.0


class TestAtZero:
    async def test_it_may_go_on_with_one_amp(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(run_site, point_2(at_zero=AtZero.TRICKLES))
        await limit(central, 0.0, old=old)
        await site.until(lambda: site.truth.outlets[OUTLET].drawn == (1.0, 1.0, 1.0))
        before = len(central.heard)
        values = await central.wait_for(with_samples("Current.Import"), after=before)
        assert {float(one["value"]) for one in samples(values, "Current.Import")} == {1.0}
        await limit(central, 10.0, old=old)
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 10.0)

    async def test_it_may_say_charging_all_the_same(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(run_site, point_2(at_zero=AtZero.SAYS_CHARGING))
        await limit(central, 0.0, old=old)
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 0.0)
        await site.clock.sleep(5.0)
        told = [
            one.payload["status"] if old else one.payload["transactionInfo"]["chargingState"]
            for one in central.heard
            if one.action == ("StatusNotification" if old else "TransactionEvent")
        ]
        assert told[-1] == "Charging"
        assert "SuspendedEVSE" not in told


async def test_two_calls_are_under_way_at_once_in_2x_too(
    central: CentralSystem, run_site: RunSite, odd: OnePoint
) -> None:
    central.answers["BootNotification"] = lambda _: None
    await run_site(odd(calls_at_once=True))
    await central.wait_action("StatusNotification", connectorId=1)
    assert central.heard[0].action == "BootNotification"


def test_what_is_right_is_not_changed() -> None:
    payload = {"connectorId": 1, "meterValue": [{"sampledValue": [{"value": "1"}]}]}
    assert distorted("MeterValues", payload, Misbehaviour()) is payload
