"""Charging profiles at a charge point over a real websocket: what is installed is what the car is offered."""

import json
from dataclasses import replace
from typing import Any

import pytest

from simulator import Scenario
from simulator.charge_point.spec import AtZero, StationMaximum

from .central_system import CentralSystem, Refused
from .conftest import RunSite
from .stories import OUTLET, OnePoint, a_car, a_profile, limit


class TestProfiles:
    async def charging(self, central: CentralSystem, run_site: RunSite, scenario: Scenario) -> Any:
        site = await run_site(scenario)
        await site.all_accepted()
        site.plug(OUTLET, a_car(maximum_a=32.0))
        await central.wait_action("StartTransaction")
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 32.0)
        return site

    async def test_the_car_follows_an_accepted_limit(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await self.charging(central, run_site, one_point())
        assert await limit(central, (0, 10.0)) == "Accepted"
        sent_at = site.now
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 10.0)
        assert site.now - sent_at == pytest.approx(5.5, abs=3.0)

    async def test_a_limit_that_comes_on_the_heels_of_the_transactions_id_is_taken(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        central.answers["StartTransaction"] = lambda _: None
        site = await run_site(one_point())
        await site.all_accepted()
        site.plug(OUTLET, a_car(maximum_a=32.0))
        started = await central.wait_action("StartTransaction")
        peer = central.peers["CP-01"]
        peer.asked["limit"], peer.pending["limit"] = "SetChargingProfile", central.loop_future()
        answer = {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}
        profile = a_profile((0, 9.0), purpose="TxProfile", transactionId=7)
        call = {"connectorId": 1, "csChargingProfiles": profile}
        await peer.websocket.send_str(json.dumps([3, started.message_id, answer]))
        await peer.websocket.send_str(json.dumps([2, "limit", "SetChargingProfile", call]))
        assert await peer.pending["limit"] == {"status": "Accepted"}

    async def test_a_limit_passes_into_its_fallback_by_itself(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await self.charging(central, run_site, one_point())
        assert await limit(central, (0, 20.0), (30, 6.0), purpose="TxProfile", transactionId=1) == "Accepted"
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 20.0)
        site.fault("drops", "CP-01")
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 6.0)

    async def test_zero_suspends_and_more_resumes(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await self.charging(central, run_site, one_point())
        await limit(central, (0, 0.0))
        await central.wait_action("StatusNotification", status="SuspendedEVSE")
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 0.0)
        before = len(central.heard)
        await limit(central, (0, 8.0))
        await central.wait_action("StatusNotification", after=before, status="Charging")
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 8.0)

    async def test_a_watt_limit_is_the_sum_over_the_phases(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await self.charging(central, run_site, one_point())
        assert await limit(central, (0, 6900.0), unit="W") == "Accepted"
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == pytest.approx(10.0))

    @pytest.mark.parametrize(("maximum", "each"), [(StationMaximum.SPLIT, 10.0), (StationMaximum.EACH, 20.0)])
    async def test_a_station_maximum_is_split_or_holds_for_each_connector_by_model(
        self, maximum: StationMaximum, each: float, central: CentralSystem, run_site: RunSite, quiet: Scenario
    ) -> None:
        twin = replace(quiet.charge_points[2], station_maximum=maximum)
        site = await run_site(replace(quiet, charge_points=(twin,), arrivals=()))
        await site.all_accepted()
        site.plug("CP-03/1", a_car(maximum_a=32.0))
        site.plug("CP-03/2", a_car(maximum_a=32.0))
        profile = a_profile((0, 20.0), purpose="ChargePointMaxProfile")
        await central.call("CP-03", "SetChargingProfile", {"connectorId": 0, "csChargingProfiles": profile})
        await site.until(lambda: site.truth.outlets["CP-03/1"].drawn[0] == each)

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            ({"connector": 7}, "Rejected"),
            ({"purpose": "TxProfile", "transactionId": 42}, "Rejected"),
            ({"purpose": "TxProfile", "connector": 0}, "Rejected"),
            ({"purpose": "ChargePointMaxProfile"}, "Rejected"),
        ],
    )
    async def test_what_does_not_fit_is_refused(
        self, changes: dict[str, Any], refusal: str, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        await self.charging(central, run_site, one_point())
        assert await limit(central, (0, 10.0), **changes) == refusal

    async def test_what_the_model_cannot_hold_is_refused(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        await self.charging(
            central, run_site, one_point(rate_units=("Current",), schedule_periods=2, profiles=1, stack_levels=3)
        )
        assert await limit(central, (0, 6900.0), unit="W") == "Rejected"
        assert await limit(central, (0, 10.0), (5, 9.0), (9, 8.0)) == "Rejected"
        assert await limit(central, (0, 10.0)) == "Accepted"
        assert await limit(central, (0, 11.0)) == "Accepted"
        assert await limit(central, (0, 10.0), chargingProfileId=2, stackLevel=1) == "Rejected"
        with pytest.raises(Refused, match="PropertyConstraintViolation"):
            await limit(central, (0, 10.0), stackLevel=4)

    async def test_a_transaction_profile_without_a_transaction_is_refused(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        assert await limit(central, (0, 10.0), purpose="TxProfile") == "Rejected"

    async def test_cleared_profiles_leave_the_hardware_as_the_limit(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await self.charging(central, run_site, one_point())
        await limit(central, (0, 10.0))
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 10.0)
        assert await central.call("CP-01", "ClearChargingProfile", {"id": 77}) == {"status": "Unknown"}
        assert await central.call("CP-01", "ClearChargingProfile", {"connectorId": 1}) == {"status": "Accepted"}
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 32.0)

    @pytest.mark.parametrize(("unit", "limits"), [("A", [16.0, 6.0]), ("W", [11040.0, 4140.0])])
    async def test_the_composite_schedule_tells_what_will_be_allowed(
        self, unit: str, limits: list[float], central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await run_site(one_point())
        await site.all_accepted()
        await limit(central, (0, 16.0), (300, 6.0))
        answer = await central.call(
            "CP-01", "GetCompositeSchedule", {"connectorId": 1, "duration": 600, "chargingRateUnit": unit}
        )
        periods = answer["chargingSchedule"]["chargingSchedulePeriod"]
        assert [period["limit"] for period in periods] == limits
        assert periods[1]["startPeriod"] == pytest.approx(300, abs=10)

    async def test_one_that_switches_phases_connects_as_many_as_a_schedule_asks_for(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await self.charging(central, run_site, one_point(switches_phases=True))
        outlet = site.truth.outlets[OUTLET]
        profile = a_profile((0, 10.0), (600, 8.0))
        profile["chargingSchedule"]["chargingSchedulePeriod"][0]["numberPhases"] = 1
        await central.call("CP-01", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
        await site.until(lambda: outlet.connected_phases == 1)
        assert outlet.drawn == (0.0, 0.0, 0.0)
        await site.until(lambda: outlet.drawn == (10.0, 0.0, 0.0))
        await limit(central, (0, 8.0))
        await site.until(lambda: outlet.drawn == (8.0, 8.0, 8.0))

    async def test_one_that_does_not_switch_phases_uses_all(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await self.charging(central, run_site, one_point())
        profile = a_profile((0, 10.0))
        profile["chargingSchedule"]["chargingSchedulePeriod"][0]["numberPhases"] = 1
        await central.call("CP-01", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
        await site.until(lambda: site.truth.outlets[OUTLET].drawn == (10.0, 10.0, 10.0))

    async def test_whole_amps_are_rounded_down(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await self.charging(central, run_site, one_point(whole_amps=True))
        await limit(central, (0, 10.9))
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 10.0)

    async def test_only_currents_that_it_knows_are_offered(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await self.charging(central, run_site, one_point(steps_a=(8.0, 10.0, 13.0, 32.0)))
        await limit(central, (0, 12.9))
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 10.0)
        await limit(central, (0, 7.9))
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 0.0)

    async def test_zero_keeps_the_minimum_on_some_models(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await self.charging(central, run_site, one_point(at_zero=AtZero.KEEPS_MINIMUM))
        await limit(central, (0, 0.0))
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 6.0)

    async def test_zero_ends_the_transaction_on_some_models(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        await self.charging(central, run_site, one_point(at_zero=AtZero.ENDS_TRANSACTION))
        await limit(central, (0, 0.0))
        await central.wait_action("StopTransaction", reason="Other")

    async def test_zero_does_not_show_in_the_status_of_some_models(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await self.charging(central, run_site, one_point(at_zero=AtZero.SAYS_CHARGING))
        await limit(central, (0, 0.0))
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 0.0)
        await site.clock.sleep(10.0)
        assert "SuspendedEVSE" not in {one.payload.get("status") for one in central.heard}
