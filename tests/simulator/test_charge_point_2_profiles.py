"""Charging profiles of OCPP 2.x over a real websocket: what is installed is what the car is offered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator import Scenario
from simulator.charge_point import OcppVersion
from simulator.charge_point.spec import AtZero

from .central_system import CentralSystem, Payload, Refused
from .conftest import RunSite
from .stories import OUTLET, OnePoint, a_car
from .stories_2 import POINT, a_profile_2, event, events, limit_2


async def charging(central: CentralSystem, run_site: RunSite, scenario: Scenario, **car: Any) -> Any:
    site = await run_site(scenario)
    await site.all_accepted()
    site.plug(OUTLET, a_car(maximum_a=32.0, **car))
    await event(central, "Started")
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 32.0)
    return site


def identity(central: CentralSystem) -> str:
    return str(events(central)[0]["transactionInfo"]["transactionId"])


def from_now(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_the_car_follows_an_accepted_limit(central: CentralSystem, run_site: RunSite, point_2: OnePoint) -> None:
    site = await charging(central, run_site, point_2())
    assert await limit_2(central, (0, 10.0)) == {"status": "Accepted"}
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 10.0)
    await limit_2(central, (0, 6900.0), unit="W")
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == pytest.approx(10.0))


async def test_a_transactions_own_profile_overrules_the_default_one_and_falls_back_by_itself(
    central: CentralSystem, run_site: RunSite, point_2: OnePoint
) -> None:
    site = await charging(central, run_site, point_2())
    await limit_2(central, (0, 8.0))
    own: dict[str, Any] = {"purpose": "TxProfile", "transactionId": identity(central), "id": 2}
    assert (await limit_2(central, (0, 20.0), (30, 6.0), **own))["status"] == "Accepted"
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 20.0)
    site.fault("drops", POINT)
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 6.0)


async def test_zero_suspends_by_the_state_of_the_transaction_and_more_resumes(
    central: CentralSystem, run_site: RunSite, point_2: OnePoint
) -> None:
    site = await charging(central, run_site, point_2())
    await limit_2(central, (0, 0.0))
    suspended = await event(central, "Updated", chargingState="SuspendedEVSE")
    await limit_2(central, (0, 8.0))
    await event(central, "Updated", after=central.heard.index(suspended), chargingState="Charging")
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 8.0)


async def test_zero_ends_the_transaction_on_some_models(
    central: CentralSystem, run_site: RunSite, point_2: OnePoint
) -> None:
    await charging(central, run_site, point_2(at_zero=AtZero.ENDS_TRANSACTION))
    await limit_2(central, (0, 0.0))
    await event(central, "Ended", stoppedReason="Other")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"evse": 7}, "UnknownEvse"),
        ({"stackLevel": 9}, "InvalidStackLevel"),
        ({"unit": "W"}, "UnsupportedRateUnit"),
        ({"purpose": "TxProfile", "transactionId": "unknown"}, "TxNotFound"),
        ({"purpose": "TxProfile"}, "MissingParam"),
        ({"purpose": "TxProfile", "evse": 0, "transactionId": "unknown"}, "InvalidProfile"),
        ({"purpose": "ChargingStationMaxProfile"}, "InvalidProfile"),
        ({"purpose": "ChargingStationExternalConstraints", "evse": 0}, "InvalidProfile"),
        ({"id": 5}, "DuplicateProfile"),
    ],
)
async def test_what_does_not_fit_is_refused_with_a_reason(
    changes: dict[str, Any], reason: str, *, central: CentralSystem, run_site: RunSite, point_2: OnePoint
) -> None:
    site = await run_site(point_2(rate_units=("Current",)))
    await site.all_accepted()
    assert (await limit_2(central, (0, 16.0)))["status"] == "Accepted"
    answer = await limit_2(central, (0, 16.0), **changes)
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", reason)


async def test_profiles_of_one_level_that_are_valid_at_different_times_do_not_clash(
    central: CentralSystem, run_site: RunSite, point_2: OnePoint
) -> None:
    site = await run_site(point_2())
    await site.all_accepted()
    assert (await limit_2(central, (0, 16.0), validTo=from_now(3600.0)))["status"] == "Accepted"
    later = await limit_2(central, (0, 10.0), id=2, validFrom=from_now(3600.5))
    assert later["status"] == "Accepted"


async def test_periods_in_disorder_are_an_error_in_the_spelling_of_the_version(
    central: CentralSystem, run_site: RunSite, point_2: OnePoint
) -> None:
    site = await run_site(point_2())
    await site.all_accepted()
    with pytest.raises(Refused, match="PropertyConstraintViolation"):
        await limit_2(central, (10, 16.0), (0, 8.0))
    recurring = {**a_profile_2((0, 8.0)), "chargingProfileKind": "Recurring"}
    with pytest.raises(Refused, match="OccurrenceConstraintViolation"):
        await central.call(POINT, "SetChargingProfile", {"evseId": 1, "chargingProfile": recurring})


async def test_installed_profiles_are_reported_as_they_were_sent(
    central: CentralSystem, run_site: RunSite, point_2: OnePoint
) -> None:
    site = await run_site(point_2())
    await site.all_accepted()
    await limit_2(central, (0, 16.0))
    await limit_2(central, (0, 30.0), id=2, purpose="ChargingStationMaxProfile", evse=0)
    ask: Payload = {"requestId": 5, "chargingProfile": {}}
    assert (await central.call(POINT, "GetChargingProfiles", ask))["status"] == "Accepted"
    await central.wait_action("ReportChargingProfiles", tbc=False)
    reports = [one.payload for one in central.heard if one.action == "ReportChargingProfiles"]
    assert {report["evseId"]: report["chargingProfile"] for report in reports} == {
        1: [a_profile_2((0, 16.0))],
        0: [a_profile_2((0, 30.0), id=2, purpose="ChargingStationMaxProfile")],
    }
    ask = {"requestId": 6, "chargingProfile": {"chargingProfilePurpose": "TxProfile"}}
    assert (await central.call(POINT, "GetChargingProfiles", ask))["status"] == "NoProfiles"


async def test_what_is_cleared_limits_no_longer(central: CentralSystem, run_site: RunSite, point_2: OnePoint) -> None:
    site = await charging(central, run_site, point_2())
    await limit_2(central, (0, 8.0))
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 8.0)
    criteria = {"chargingProfileCriteria": {"evseId": 1, "chargingProfilePurpose": "TxDefaultProfile"}}
    assert (await central.call(POINT, "ClearChargingProfile", criteria))["status"] == "Accepted"
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 32.0)
    assert (await central.call(POINT, "ClearChargingProfile", {"chargingProfileId": 1}))["status"] == "Unknown"


async def test_the_composite_schedule_shows_all_profiles_together(
    central: CentralSystem, run_site: RunSite, point_2: OnePoint
) -> None:
    site = await run_site(point_2())
    await site.all_accepted()
    await limit_2(central, (0, 16.0), (60, 10.0))
    await limit_2(central, (0, 12.0), id=2, purpose="ChargingStationMaxProfile", evse=0)
    ask = {"evseId": 1, "duration": 300, "chargingRateUnit": "A"}
    schedule = (await central.call(POINT, "GetCompositeSchedule", ask))["schedule"]
    assert [period["limit"] for period in schedule["chargingSchedulePeriod"]] == [12.0, 10.0]
    assert schedule["chargingRateUnit"] == "A"


async def test_a_power_only_model_has_no_schedule_in_amps(
    central: CentralSystem, run_site: RunSite, point_2: OnePoint
) -> None:
    site = await run_site(point_2(rate_units=("Power",)))
    await site.all_accepted()
    ask: Payload = {"evseId": 1, "duration": 300, "chargingRateUnit": "A"}
    assert (await central.call(POINT, "GetCompositeSchedule", ask))["status"] == "Rejected"
    ask = {"evseId": 1, "duration": 300}
    assert (await central.call(POINT, "GetCompositeSchedule", ask))["schedule"]["chargingRateUnit"] == "W"


async def test_a_remote_start_can_bring_its_limit_along(
    central: CentralSystem, run_site: RunSite, point_2: OnePoint
) -> None:
    site = await run_site(point_2(starts_by="remote"))
    await site.all_accepted()
    site.plug(OUTLET, a_car())
    ask = {
        "evseId": 1,
        "remoteStartId": 1,
        "idToken": {"idToken": "FLEET", "type": "Central"},
        "chargingProfile": a_profile_2((0, 9.0), purpose="TxProfile"),
    }
    assert (await central.call(POINT, "RequestStartTransaction", ask))["status"] == "Accepted"
    await event(central, "Started", triggerReason="RemoteStart", remoteStartId=1)
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 9.0)


class TestOnlyIn21:
    @pytest.fixture
    def version(self) -> OcppVersion:
        return OcppVersion.V21

    @pytest.mark.parametrize(("invalid_after", "again"), [(False, 9.0), (True, 32.0)])
    async def test_a_profile_may_hold_only_so_long_without_the_central_system(
        self, invalid_after: bool, again: float, *, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(central, run_site, point_2())
        dead_man = {"maxOfflineDuration": 10, "invalidAfterOfflineDuration": invalid_after}
        assert (await limit_2(central, (0, 9.0), **dead_man))["status"] == "Accepted"
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 9.0)
        site.fault("drops", POINT)
        lost_at = site.now
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 32.0)
        assert site.now - lost_at >= 10.0
        site.mend("drops", POINT)
        await site.until(lambda: site.charge_points[POINT].connected)
        await site.clock.sleep(10.0)
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == again)

    async def test_a_profile_that_holds_long_enough_outlasts_a_short_outage(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(central, run_site, point_2())
        await limit_2(central, (0, 9.0), maxOfflineDuration=600)
        site.fault("drops", POINT)
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 9.0)
        await site.clock.sleep(20.0)
        assert site.truth.outlets[OUTLET].drawn[0] == 9.0

    @pytest.mark.parametrize(("unit", "factor"), [("A", 1.0), ("W", 230.0)])
    async def test_limits_of_single_phases_hold_where_the_phase_is_used(
        self, unit: str, factor: float, *, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await charging(central, run_site, point_2())
        limits = {"limit_L2": 9.0 * factor, "limit_L3": 12.0 * factor}
        answer = await limit_2(central, (0, 16.0 * factor), unit=unit, period=limits)
        assert answer["status"] == "Accepted"
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == pytest.approx(9.0))

    async def test_the_limit_of_a_phase_that_is_not_wired_means_nothing(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        scenario = point_2()
        point = scenario.charge_points[0]
        connector = replace(point.connectors[0], rotation=(1,))
        outlets = tuple(
            replace(outlet, rotation=(1,)) if outlet.outlet_id == OUTLET else outlet for outlet in scenario.outlets
        )
        site = await charging(
            central,
            run_site,
            replace(scenario, outlets=outlets, charge_points=(replace(point, connectors=(connector,)),)),
        )
        await limit_2(central, (0, 14.0), period={"limit_L2": 6.0})
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 14.0)
