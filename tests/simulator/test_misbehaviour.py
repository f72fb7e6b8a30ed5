"""Charge points do wrong what they are told to do wrong, and stop doing it."""

from dataclasses import replace

import pytest

from simulator import Scenario
from simulator.charge_point import Misbehaviour
from simulator.charge_point.misbehaviour import Resending
from simulator.faults import ImpossibleFault
from simulator.scenario import Fault, FaultKind
from simulator.site import UnknownTarget

from .central_system import CentralSystem, Refused, now_text
from .conftest import RunSite
from .stories import OUTLET, OnePoint, a_car, drawn, limit
from .test_outages import begun


async def test_ignored_limits_are_accepted_and_not_obeyed(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await begun(central, run_site, one_point())
    site.fault("ignores_limits", "CP-01")
    assert await limit(central, (0, 8.0)) == "Accepted"
    await site.clock.sleep(20.0)
    assert site.truth.outlets[OUTLET].drawn[0] == 16.0
    site.mend("ignores_limits", "CP-01")
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 8.0)


async def test_limits_in_amps_are_ignored_and_those_in_watts_obeyed(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await begun(central, run_site, one_point())
    site.fault("ignores_form", "CP-01")
    assert await limit(central, (0, 8.0)) == "Accepted"
    await site.clock.sleep(20.0)
    assert site.truth.outlets[OUTLET].drawn[0] == 16.0
    assert await limit(central, (0, 3 * 230.0 * 8.0), unit="W") == "Accepted"
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == pytest.approx(8.0, abs=0.5))


async def test_profiles_of_transactions_are_ignored_and_default_ones_obeyed(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await begun(central, run_site, one_point())
    site.fault("ignores_form", "CP-01", value="transaction")
    transaction = site.charge_points["CP-01"].connectors[1].transaction
    assert transaction is not None
    told = {"purpose": "TxProfile", "transactionId": transaction.transaction_id, "chargingProfileId": 2}
    assert await limit(central, (0, 8.0), **told) == "Accepted"
    await site.clock.sleep(20.0)
    assert site.truth.outlets[OUTLET].drawn[0] == 16.0
    assert await limit(central, (0, 10.0)) == "Accepted"
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 10.0)


async def test_a_profile_that_lifts_a_pause_is_forgotten_and_the_next_one_obeyed(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await begun(central, run_site, one_point(misbehaviour=Misbehaviour(forgets_limit_in_pause=True)))
    outlet = site.truth.outlets[OUTLET]
    assert await limit(central, (0, 0.0)) == "Accepted"
    await site.until(lambda: outlet.offered_a == 0.0)
    assert await limit(central, (0, 8.0)) == "Accepted"
    await site.until(lambda: outlet.drawn[0] == 16.0)
    assert await limit(central, (0, 8.0)) == "Accepted"
    await site.until(lambda: outlet.drawn[0] == 8.0)


async def test_profiles_are_refused_in_either_way(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await begun(central, run_site, one_point())
    site.fault("refuses_profiles", "CP-01")
    assert await limit(central, (0, 8.0)) == "Rejected"
    site.fault("refuses_profiles", "CP-01", value="error")
    with pytest.raises(Refused, match="NotImplemented"):
        await limit(central, (0, 8.0))
    site.mend("refuses_profiles", "CP-01")
    assert await limit(central, (0, 8.0)) == "Accepted"


async def test_late_answers_are_late(central: CentralSystem, run_site: RunSite, one_point: OnePoint) -> None:
    site = await begun(central, run_site, one_point())
    site.fault("answers_late", "CP-01", value=15.0)
    asked_at = site.now
    assert await limit(central, (0, 8.0)) == "Accepted"
    assert site.now - asked_at >= 15.0


@pytest.mark.parametrize("how", list(Resending))
async def test_messages_of_transactions_are_sent_twice(
    how: Resending, central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await run_site(one_point())
    await site.all_accepted()
    site.fault("resends", "CP-01", value=str(how))
    site.plug(OUTLET, a_car())
    first = await central.wait_action("StartTransaction")
    second = await central.wait_action("StartTransaction", after=central.heard.index(first) + 1)
    assert second.payload == first.payload
    assert (second.message_id == first.message_id) is (how is Resending.SAME_ID)
    await site.until(lambda: site.charge_points["CP-01"].tally["resent and answered differently"] == 1)


async def test_energy_comes_in_wh_and_kwh_by_turns(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await begun(central, run_site, one_point())
    site.fault("wrong_units", "CP-01")
    before = len(central.heard)

    def units() -> set[str]:
        values = [one for one in central.heard[before:] if one.action == "MeterValues"]
        sampled = [value for one in values for value in one.payload["meterValue"][0]["sampledValue"]]
        return {value["unit"] for value in sampled if value["measurand"].startswith("Energy")}

    await site.until(lambda: units() == {"Wh", "kWh"})


async def test_only_one_phase_is_reported_while_three_are_drawn(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await begun(central, run_site, one_point())
    site.fault("single_phase_values", "CP-01")
    before = len(central.heard)
    heard = await central.wait_for(lambda one: one.action == "MeterValues" and len(drawn(one)) == 1, after=before)
    assert drawn(heard) == [16.0]
    assert site.truth.outlets[OUTLET].drawn == (16.0, 16.0, 16.0)


async def test_without_a_boot_it_begins_with_its_status(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await run_site(one_point(misbehaviour=Misbehaviour(never_boots=True)))
    await central.wait_action("StatusNotification", connectorId=1)
    site.plug(OUTLET, a_car())
    await central.wait_action("StartTransaction")
    assert all(one.action != "BootNotification" for one in central.heard)


async def test_without_a_subprotocol_it_offers_none(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    await run_site(one_point(misbehaviour=Misbehaviour(no_subprotocol=True)))
    peer = await central.wait_connections(1)
    assert "Sec-WebSocket-Protocol" not in peer.headers
    await central.wait_action("BootNotification")


async def test_it_may_not_wait_for_the_answer_to_its_boot(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    central.answers["BootNotification"] = lambda _: None
    await run_site(one_point(misbehaviour=Misbehaviour(calls_at_once=True)))
    await central.wait_action("StatusNotification", connectorId=1)
    assert central.heard[0].action == "BootNotification"


async def test_otherwise_it_waits_for_the_answer_before_the_next_call(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    central.answers["BootNotification"] = lambda _: None
    site = await run_site(one_point())
    await central.wait_action("BootNotification")
    await site.clock.sleep(10.0)
    assert [one.action for one in central.heard] == ["BootNotification"]
    boot = central.heard[0]
    answer = f'{{"status":"Accepted","interval":60,"currentTime":"{now_text()}"}}'
    await central.peers["CP-01"].websocket.send_str(f'[3,"{boot.message_id}",{answer}]')
    await central.wait_action("StatusNotification", connectorId=1)


async def test_an_expired_schedule_may_leave_no_limit(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await begun(central, run_site, one_point(), a_car(maximum_a=32.0))
    site.fault("expired_prevails", "CP-01")
    await limit(central, (0, 6.0))
    profile = {
        "chargingProfileId": 2,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
        "transactionId": 1,
        "chargingSchedule": {
            "duration": 10,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}],
        },
    }
    await central.call("CP-01", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 10.0)
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 32.0)


async def test_rubbish_from_the_central_system_ends_nothing(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await run_site(one_point())
    await site.all_accepted()
    peer = central.peers["CP-01"]
    for rubbish in ("{", "[]", "17", '[3,"nobody",{}]', '[2,"1","Reset"]', '[9,"1",{},{}]', '[2,"x","Reset",[]]'):
        await peer.websocket.send_str(rubbish)
    assert "configurationKey" in await central.call("CP-01", "GetConfiguration", {})
    tally = site.charge_points["CP-01"].tally
    assert tally["unreadable"] == 5
    assert tally["answers to nothing"] == 1


async def test_a_fault_ends_by_itself_after_its_time(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await begun(central, run_site, one_point())
    site.fault("ignores_limits", "CP-01", for_s=10.0)
    assert site.charge_points["CP-01"].misbehaviour.ignores_limits
    await site.clock.sleep(11.0)
    await site.until(lambda: not site.charge_points["CP-01"].misbehaviour.ignores_limits)


async def test_a_fault_that_befalls_nothing_is_refused(run_site: RunSite, quiet: Scenario) -> None:
    site = await run_site(quiet)
    with pytest.raises(UnknownTarget):
        site.fault("reboots", "CP-99")
    with pytest.raises(UnknownTarget):
        site.fault("meter_silent", "CP-01")
    with pytest.raises(ImpossibleFault, match="rejected, error"):
        site.fault("refuses_profiles", "CP-01", value="maybe")
    with pytest.raises(ImpossibleFault, match="number"):
        site.fault("answers_late", "CP-01", value="long")
    with pytest.raises(ValueError, match="earthquake"):
        site.fault("earthquake", "*")


async def test_faults_of_a_scenario_happen_at_their_time(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    scenario = one_point()
    site = await run_site(
        replace(scenario, faults=(Fault(kind=FaultKind.DROPS, target="CP-01", at_s=20.0, for_s=5.0),))
    )
    await site.all_accepted()
    await central.wait_connections(2)
    assert site.now >= 25.0
