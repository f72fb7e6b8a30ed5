"""What can be asked beyond charging, of the simulator's charge points, which know nothing of this integration."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from custom_components.charge_cluster.ocpp.conversation import Noticed, Report, StatusReported
from custom_components.charge_cluster.ocpp.listener import CentralSystem
from custom_components.charge_cluster.ocpp.operations import (
    CertificateUse,
    Change,
    FirmwareWish,
    LogKind,
    LogWish,
    Message,
    Operations,
)
from custom_components.charge_cluster.ocpp.versions import OcppVersion
from simulator import Scenario, SimulatedSite
from simulator.charge_point import ChargePointSpec, ConnectorSpec, OcppVersion as SimulatedVersion
from simulator.physics import CircuitSpec, OutletSpec

from .certificates import certified
from .surroundings import SettableClock

OUTLET = "CP1/1"
SETTING = {
    OcppVersion.V16: ("ConnectionTimeOut", "77"),
    OcppVersion.V201: ("TxCtrlr.EVConnectionTimeOut", "77"),
    OcppVersion.V21: ("TxCtrlr.EVConnectionTimeOut", "77"),
}
second_generation = pytest.mark.parametrize("version", [OcppVersion.V201, OcppVersion.V21], indirect=True)


class Statuses:
    """The states of the connector, and whatever else is told."""

    def __init__(self) -> None:
        self.last: str | None = None
        self.noticed: asyncio.Future[Noticed] = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()

    def hear(self, report: Report) -> None:
        if isinstance(report, Noticed) and not self.noticed.done():
            self.noticed.set_result(report)
        if isinstance(report, StatusReported):
            self.last = report.status
            self._news.set()

    async def until(self, status: str) -> None:
        async with asyncio.timeout(20):
            while self.last != status:
                self._news.clear()
                await self._news.wait()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing take long that is only waited for."""
    for module in ("upkeep_commands", "v16.upkeep"):
        for step in ("UPLOADS_IN_S", "DOWNLOADS_IN_S", "INSTALLS_IN_S"):
            monkeypatch.setattr(f"simulator.charge_point.{module}.{step}", 0.2, raising=False)


@pytest.fixture(params=list(OcppVersion))
def version(request: pytest.FixtureRequest) -> OcppVersion:
    return OcppVersion(request.param)


@pytest.fixture
async def statuses(central: CentralSystem) -> Statuses:
    heard = Statuses()
    central.conversation("CP1").listen(heard.hear)
    return heard


@pytest.fixture
async def operations(central: CentralSystem, statuses: Statuses, version: OcppVersion) -> AsyncIterator[Operations]:
    """Run a charge point of the version and return what can be asked of it."""
    point = ChargePointSpec(
        identity="CP1",
        connectors=(ConnectorSpec(number=1, outlet_id=OUTLET),),
        version=SimulatedVersion(version.value),
        sampling_s=60,
        boot_s=0.1,
    )
    site = SimulatedSite(
        Scenario(
            name="one",
            title="One",
            circuits=(CircuitSpec(circuit_id="supply", name="Supply", rating_a=(100.0,) * 3),),
            outlets=(OutletSpec(outlet_id=OUTLET, circuit_id="supply"),),
            charge_points=(point,),
            meters=(),
            arrivals=(),
        )
    )
    await site.start(f"ws://127.0.0.1:{central.port}/ocpp/")
    await statuses.until("Available")
    yield central.conversation("CP1").operations
    await site.stop()


async def test_settings_are_read_changed_and_read_again(operations: Operations, version: OcppVersion) -> None:
    name, value = SETTING[version]
    everything = await operations.settings()
    assert everything.complete
    assert name in {setting.name for setting in everything.settings}

    assert await operations.change_setting(name, value) is Change.DONE
    [read] = (await operations.settings([name])).settings
    assert (read.name, read.value) == (name, value)


async def test_a_reservation_shows_and_is_given_up(
    clock: SettableClock, operations: Operations, statuses: Statuses
) -> None:
    kept = await operations.reserve(1, "04AA", clock.time() + 600)
    await statuses.until("Reserved")
    assert list(operations.reservations) == [kept]

    await operations.cancel_reservation(connector=1)
    await statuses.until("Available")
    assert list(operations.reservations) == []


async def test_a_log_is_uploaded(operations: Operations) -> None:
    done = await operations.fetch_log(LogWish(kind=LogKind.DIAGNOSTICS, address="https://files.example/", wait_s=30))

    assert (done.status, done.ended) == ("Uploaded", True)
    assert done.file_name


async def test_a_firmware_is_installed(clock: SettableClock, operations: Operations) -> None:
    wish = FirmwareWish(address="https://files.example/fw.bin", retrieve_at=clock.time(), wait_s=60)

    assert (await operations.update_firmware(wish)).status == "Installed"


async def test_certificates_come_and_go(operations: Operations) -> None:
    await operations.install_certificate(CertificateUse.CENTRAL_SYSTEM, certified(authority=True).pem)
    [held] = await operations.certificates(CertificateUse.CENTRAL_SYSTEM)
    await operations.delete_certificate(held.name)

    assert held.use is CertificateUse.CENTRAL_SYSTEM
    assert await operations.certificates(CertificateUse.CENTRAL_SYSTEM) == []


async def test_single_operations_are_carried_out(operations: Operations) -> None:
    await operations.clear_cache()
    await operations.trigger(Message.STATUS, 1)
    await operations.trigger(Message.HEARTBEAT)
    schedule = await operations.composite_schedule(1, 600)

    assert schedule.periods
    assert (await operations.call("GetLocalListVersion", {})).answer.keys() & {"listVersion", "versionNumber"}


@second_generation
async def test_profiles_are_told_where_the_version_can(operations: Operations) -> None:
    assert (await operations.held_profiles()).complete


@second_generation
async def test_a_variable_is_watched_and_its_monitor_told(operations: Operations, statuses: Statuses) -> None:
    monitor = {
        "value": 10.0,
        "type": "LowerThreshold",
        "severity": 5,
        "component": {"name": "EVSE", "evse": {"id": 1}},
        "variable": {"name": "Power"},
    }
    came = await operations.call("SetVariableMonitoring", {"setMonitoringData": [monitor]})
    report = await operations.call("GetMonitoringReport", {})

    [result] = came.answer["setMonitoringResult"]
    assert result["status"] == "Accepted"
    assert report.complete
    [watched] = report.parts[0]["monitor"]
    assert watched["variable"] == {"name": "Power"}
    async with asyncio.timeout(20):
        told = await statuses.noticed
    assert (told.name, told.monitor_id, told.cleared) == ("EVSE@1.Power", result["id"], False)
