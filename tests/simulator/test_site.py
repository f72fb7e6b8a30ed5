"""The site as a whole: what a scenario does over real sockets, and what the report says of it."""

import asyncio
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulator import Scenario, SimClock, SimulatedSite, load_scenario
from simulator.clock import PointClock, utc_of, utc_text
from simulator.physics import OutletTaken
from simulator.scenario import Arrival
from simulator.scenario_file import scenario_of
from simulator.vehicle import CarSpec

from .central_system import CentralSystem, Heard
from .conftest import RunSite
from .stories import a_profile

REPOSITORY = Path(__file__).parents[2]


def above(report: dict[str, Any]) -> float:
    """Return the ampere-seconds that charging caused above any rating."""
    phases = [phase for circuit in report["circuits"].values() for phase in circuit["phases"].values()]
    return float(sum(phase["charging_as"] + phase["charging_on_top_as"] for phase in phases))


class TestDemo:
    async def test_without_limits_it_overloads_the_site(self, run_site: RunSite) -> None:
        site = await run_site(load_scenario("demo"), factor=60.0)
        await site.until(lambda: site.now > 300.0)
        report: dict[str, Any] = site.report()
        assert above(report) > 1000.0
        assert report["circuits"]["supply"]["phases"]["L1"]["highest_a"] > 100.0

    async def test_with_the_minimum_for_each_it_does_not(self, central: CentralSystem, run_site: RunSite) -> None:
        limited: set[str] = set()
        pending: set[asyncio.Task[Any]] = set()

        def boot(heard: Heard) -> dict[str, Any]:
            asyncio.get_running_loop().call_later(0.01, limit, heard.identity)
            return central.boot()

        def limit(identity: str) -> None:
            task = asyncio.create_task(
                central.call(
                    identity, "SetChargingProfile", {"connectorId": 0, "csChargingProfiles": a_profile((0, 6.0))}
                )
            )
            pending.add(task)
            task.add_done_callback(lambda _: limited.add(identity))

        central.answers["BootNotification"] = boot
        site = await run_site(load_scenario("demo"), factor=60.0)
        await site.until(lambda: limited == set(site.charge_points))
        await site.until(lambda: site.now > 290.0)
        report: dict[str, Any] = site.report()
        assert above(report) == 0.0
        charged = [session for session in report["sessions"] if session["first_current_at_s"] is not None]
        assert len(charged) >= 6


class TestReport:
    async def test_it_is_json_and_says_who_got_what(
        self, central: CentralSystem, run_site: RunSite, quiet: Scenario
    ) -> None:
        site = await run_site(quiet)
        await site.all_accepted()
        site.plug("CP-01/1", CarSpec(name="first", wanted_kwh=0.1, reaction_s=5.0))
        site.plug("CP-02/1", CarSpec(name="second", wanted_kwh=50.0, battery_kwh=90.0, reaction_s=5.0))
        await site.until(
            lambda: site.truth.outlets["CP-01/1"].car is not None and site.truth.outlets["CP-01/1"].car.sated
        )
        site.unplug("CP-01/1")
        await central.wait_action("StopTransaction")
        report: dict[str, Any] = json.loads(json.dumps(site.report()))
        first, second = report["sessions"]
        assert first["car"] == "first"
        assert first["sated"]
        assert first["delivered_kwh"] == pytest.approx(first["wanted_kwh"], abs=0.01)
        assert first["unplugged_at_s"] > first["first_current_at_s"] > first["plugged_at_s"]
        assert second["wanted_kwh"] == 50.0
        assert 0.0 < second["delivered_kwh"] < 1.0
        assert second["unplugged_at_s"] is None
        assert report["energy"]["delivered_kwh"] == pytest.approx(
            first["delivered_kwh"] + second["delivered_kwh"], abs=1e-3
        )
        assert report["counts"]["sent StartTransaction"] == 2
        assert report["counts"]["sent StopTransaction"] == 1
        assert report["charge_points"]["CP-02"]["connectors"]["1"]["status"] == "Charging"
        assert report["circuits"]["cluster-a"]["phases"]["L1"]["rating_a"] == 40.0
        assert report["circuits"]["supply"]["imported_kwh"] > report["energy"]["delivered_kwh"]

    async def test_base_load_alone_is_not_charged_to_charging(self, run_site: RunSite, quiet: Scenario) -> None:
        site = await run_site(quiet)
        site.set_base_load("supply", (70.0, 10.0, 10.0))
        await site.until(lambda: site.truth.accounts["supply"].phases[0].base_load_s > 5.0)
        phases: Any = site.report()["circuits"]
        assert phases["supply"]["phases"]["L1"]["charging_as"] == 0.0
        assert phases["supply"]["phases"]["L2"]["above_s"] == 0.0


async def test_cars_come_and_go_as_the_scenario_says(
    central: CentralSystem, run_site: RunSite, quiet: Scenario
) -> None:
    car = CarSpec(name="visitor", stays_s=20.0)
    site = await run_site(replace(quiet, arrivals=(Arrival(at_s=5.0, outlet_id="CP-01/1", car=car),)))
    await central.wait_action("StopTransaction", reason="EVDisconnected")
    session = site.truth.sessions[0]
    assert session.plugged_at == pytest.approx(5.0, abs=1.5)
    assert session.unplugged_at == pytest.approx(25.0, abs=3.0)


async def test_a_car_waits_until_its_outlet_is_free(run_site: RunSite, quiet: Scenario) -> None:
    arrivals = tuple(
        Arrival(at_s=at, outlet_id="CP-01/1", car=CarSpec(name=name, stays_s=15.0))
        for at, name in ((2.0, "first"), (6.0, "second"))
    )
    site = await run_site(replace(quiet, arrivals=arrivals))
    await site.until(lambda: len(site.truth.sessions) == 2)
    first, second = site.truth.sessions
    assert first.unplugged_at is not None
    assert second.plugged_at >= first.unplugged_at


async def test_a_taken_outlet_takes_no_second_car(run_site: RunSite, quiet: Scenario) -> None:
    site = await run_site(quiet)
    site.plug("CP-01/1", CarSpec(name="first"))
    with pytest.raises(OutletTaken, match="first"):
        site.plug("CP-01/1", CarSpec(name="second"))


async def test_alone_it_charges_without_a_central_system(quiet: Scenario) -> None:
    site = SimulatedSite(quiet, clock=SimClock(factor=40.0))
    await site.start(None)
    site.plug("CP-01/1", CarSpec(name="car"))
    await site.until(lambda: site.truth.outlets["CP-01/1"].drawn[0] == 16.0)
    await site.stop()


async def test_many_charge_points_are_accepted_and_charge(central: CentralSystem, run_site: RunSite) -> None:
    scenario = scenario_of(
        {
            "circuits": [{"id": "supply", "rating_a": 2000}],
            "charge_points": [
                {"id": "CP-{n}", "count": 60, "circuit": "supply", "rotation": "cycle", "clock_offset_s": 0}
            ],
            "cars": [{"outlet": "CP-{n}/1", "count": 60, "at_s": 20}],
        }
    )
    site = await run_site(scenario, factor=20.0)
    await site.until(lambda: all(outlet.drawn[0] > 0.0 for outlet in site.truth.outlets.values()), within_s=30.0)

    def started() -> list[str]:
        return [one.identity for one in central.heard if one.action == "StartTransaction"]

    await site.until(lambda: len(started()) >= 60, within_s=30.0)
    assert len(set(started())) == len(started())


async def test_a_stopped_site_leaves_nothing_running(central: CentralSystem, quiet: Scenario) -> None:
    before = asyncio.all_tasks()
    site = SimulatedSite(quiet, clock=SimClock(factor=25.0))
    await site.start(central.url)
    await site.all_accepted()
    site.fault("power_cut", "CP-01")
    await site.clock.sleep(5.0)
    await site.stop()
    assert not {task for task in asyncio.all_tasks() - before if "simulator/" in repr(task.get_coro())}
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", next(iter(site.meter_ports.values())))


def test_the_command_line_tells_what_happens_and_writes_the_account(tmp_path: Path) -> None:
    account = tmp_path / "report.json"
    command = [sys.executable, "-m", "simulator", "--scenario", "quiet", "--meter-port", "0", "--factor", "50"]
    run = subprocess.run(  # noqa: S603 - our own module
        [*command, "--duration", "40", "--every", "0.4", "--report", str(account)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    lines = run.stdout.splitlines()
    assert re.match(r"meter supply-meter \(sunspec\) at 127\.0\.0\.1:\d+, unit 1", lines[0])
    assert "Supply 5/5/5 A" in lines[-1]
    assert json.loads(account.read_text())["scenario"] == "quiet"


def test_the_command_line_explains_a_wrong_scenario() -> None:
    command = [sys.executable, "-m", "simulator", "--scenario", "nonsense"]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - our own program
    assert run.returncode == 2
    assert "there is no scenario nonsense" in run.stderr


class TestClocks:
    def test_a_charge_points_clock_is_off_and_drifts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 100.0
        monkeypatch.setattr("simulator.clock.time.monotonic", lambda: now)
        truth = SimClock(starts_at=1000.0)
        clock = PointClock(truth, offset_s=-30.0, drift_ppm=1000.0)
        assert clock.utc() == pytest.approx(970.0)
        now = 1100.0
        assert clock.utc() == pytest.approx(2000.0 - 30.0 + 1.0)
        clock.set(5000.0)
        assert clock.utc() == pytest.approx(5000.0)

    def test_times_are_written_and_read_alike(self) -> None:
        assert utc_text(utc_of("2026-11-23T12:00:00.250Z")) == "2026-11-23T12:00:00.250Z"
        assert utc_of("2026-11-23T13:00:00+01:00") == utc_of("2026-11-23T12:00:00")

    def test_a_clock_cannot_stand_still(self) -> None:
        with pytest.raises(ValueError, match="forwards"):
            SimClock(factor=0.0)
