"""A meter over Modbus: what it shows is reported with its time, and whatever is wrong with it is a fault, not zero."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from custom_components.charge_cluster.meters import MeterFault, MeterSample, modbus
from custom_components.charge_cluster.meters.modbus import ModbusMeter
from custom_components.charge_cluster.meters.settings import ModbusMeterSettings
from custom_components.charge_cluster.modbus import link as link_module
from custom_components.charge_cluster.modbus.link import ModbusLinks
from simulator.meter_images import EastronImage, MeterReading, SunSpecImage
from simulator.modbus_server import ModbusServer

from .reports import Reports, settings_for

LOAD = MeterReading(
    amps=(12.0, -23.0, 34.0),
    volts=(230.0, 231.0, 229.0),
    imported_wh=(1000.0, 2000.0, 3000.0),
    exported_wh=(10.0, 20.0, 30.0),
)
TIMEOUT_S = 0.1


class HostClock:
    """The host's clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    def synchronised(self) -> bool:
        return True


type Image = SunSpecImage | EastronImage
type StartMeter = Callable[..., Awaitable[tuple[ModbusMeter, Reports]]]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask again soon, and wait little."""
    monkeypatch.setattr(modbus, "RETRY_S", 0.02)
    monkeypatch.setattr(link_module, "BACKOFF_S", (0.0,))
    plain = link_module.ModbusLink
    monkeypatch.setattr(
        link_module, "ModbusLink", lambda host, port, framing: plain(host, port, framing=framing, timeout_s=TIMEOUT_S)
    )


@pytest.fixture
def image() -> Image:
    image = SunSpecImage()
    image.show(LOAD)
    return image


@pytest.fixture
async def server(image: Image) -> AsyncIterator[ModbusServer]:
    server = ModbusServer({1: image})
    await server.start("127.0.0.1", 0)
    yield server
    await server.stop()


@pytest.fixture
def links() -> ModbusLinks:
    return ModbusLinks()


@pytest.fixture
async def start(server: ModbusServer, links: ModbusLinks) -> AsyncIterator[StartMeter]:
    """Start a meter on the server; it is stopped with the test."""
    meters: list[ModbusMeter] = []

    async def begin(
        profile: str = "sunspec", *, unit: int = 1, ratio: float = 1.0, inverted: bool = False, interval_s: float = 0.02
    ) -> tuple[ModbusMeter, Reports]:
        source = ModbusMeterSettings(
            host="127.0.0.1", port=server.port, unit=unit, profile=profile, interval_s=interval_s
        )
        settings = settings_for(source, ratio=ratio, inverted=inverted)
        meters.append(ModbusMeter(settings, source, links=links, clock=HostClock()))
        reports = Reports()
        await meters[-1].start(reports)
        return meters[-1], reports

    yield begin
    for meter in meters:
        await meter.stop()


def shown(image: Image, *amps: float) -> None:
    image.show(MeterReading(amps=(amps[0], amps[1], amps[2]), volts=LOAD.volts))


# What it shows ------------------------------------------------------------------------------------------------------


async def test_a_reading_is_reported_whole(start: StartMeter) -> None:
    _, reports = await start()
    before = time.monotonic()
    sample = await reports.sample()
    assert sample.amps == pytest.approx(LOAD.amps, abs=0.01)
    assert sample.power_w == pytest.approx(sum(LOAD.watts), abs=10.0)
    assert sample.voltage_v == pytest.approx(LOAD.volts)
    assert (sample.energy_import_wh, sample.energy_export_wh) == (6000.0, 60.0)
    assert before - 1.0 < sample.measured_at <= time.monotonic()


async def test_it_goes_on_reporting(start: StartMeter, image: Image) -> None:
    _, reports = await start()
    first = await reports.sample()
    shown(image, 1.0, 2.0, 3.0)
    later = await reports.until(lambda report: isinstance(report, MeterSample) and report.amps[0] < 2.0)
    assert isinstance(later, MeterSample)
    assert later.amps == pytest.approx((1.0, 2.0, 3.0))
    assert later.measured_at > first.measured_at


async def test_a_reading_is_never_thought_newer_than_it_can_be(start: StartMeter, server: ModbusServer) -> None:
    server.faults.answers_late_s = 0.05
    _, reports = await start()
    sample = await reports.sample()
    assert time.monotonic() - sample.measured_at >= 0.05
    server.faults.answers_late_s = 0.0
    await reports.sample()


async def test_ratio_and_direction_hold_for_all_that_is_reported(start: StartMeter) -> None:
    _, reports = await start(ratio=2.0, inverted=True)
    sample = await reports.sample()
    assert sample.amps == pytest.approx((-24.0, 46.0, -68.0), abs=0.01)
    assert sample.power_w == pytest.approx(-2.0 * sum(LOAD.watts), abs=20.0)
    assert (sample.energy_import_wh, sample.energy_export_wh) == (120.0, 12_000.0)
    assert sample.voltage_v == pytest.approx(LOAD.volts)


@pytest.mark.parametrize("image", [EastronImage()])
async def test_an_eastron_is_read(start: StartMeter, image: EastronImage) -> None:
    image.show(LOAD)
    _, reports = await start("eastron_sdm630")
    sample = await reports.sample()
    assert sample.amps == pytest.approx(LOAD.amps, abs=1e-4)
    assert sample.energy_import_wh == pytest.approx(6000.0)


# What is wrong with the values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [0, 1, 2])
@pytest.mark.parametrize(("kind", "profile"), [(SunSpecImage, "sunspec"), (EastronImage, "eastron_sdm630")])
async def test_a_phase_without_a_value_is_a_fault_and_not_zero(
    links: ModbusLinks, phase: int, kind: type[Image], profile: str
) -> None:
    image = kind()
    amps = list(LOAD.amps)
    amps[phase] = math.nan
    shown(image, *amps)
    server = ModbusServer({1: image})
    await server.start("127.0.0.1", 0)
    source = ModbusMeterSettings(host="127.0.0.1", port=server.port, unit=1, profile=profile, interval_s=0.02)
    meter = ModbusMeter(settings_for(source), source, links=links, clock=HostClock())
    reports = Reports()
    await meter.start(reports)
    assert (await reports.fault()).key == "missing_phase"
    image.show(LOAD)
    assert (await reports.sample()).amps == pytest.approx(LOAD.amps, abs=0.01)
    await meter.stop()
    await server.stop()


async def test_a_current_that_no_supply_carries_is_a_fault(start: StartMeter) -> None:
    _, reports = await start(ratio=1000.0)
    assert (await reports.fault()).key == "implausible"


# What is wrong with the wire ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "value", "key"),
    [
        ("silent", True, "timeout"),
        ("closes", True, "timeout"),
        ("wrong_transaction", True, "timeout"),
        ("short_by", 1, "short_reply"),
        ("exception", 4, "refused"),
        ("exception", 6, "refused"),
        ("exception", 11, "refused"),
    ],
)
async def test_a_meter_that_misbehaves_is_a_fault_until_it_is_well(
    start: StartMeter, server: ModbusServer, fault: str, value: object, key: str
) -> None:
    _, reports = await start()
    await reports.sample()
    well = getattr(server.faults, fault)
    setattr(server.faults, fault, value)
    # Not only at first: while it lasts it must not be taken for a meter that was exchanged.
    for _ in range(3):
        assert (await reports.fault()).key == key
    setattr(server.faults, fault, well)
    assert (await reports.sample()).amps == pytest.approx(LOAD.amps, abs=0.01)


async def test_a_meter_that_is_away_comes_back(
    start: StartMeter, server: ModbusServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    _, reports = await start()
    await reports.sample()
    await server.stop()
    for _ in range(3):
        await reports.fault("unreachable")
    assert caplog.text.count("gives no reading") <= 2, "it is said once for each fault, not each second"
    await server.restart()
    await reports.sample()
    assert "reads again" in caplog.text


async def test_a_meter_that_is_not_there_at_the_start_is_found_later(start: StartMeter, server: ModbusServer) -> None:
    await server.stop()
    _, reports = await start()
    await reports.fault("unreachable")
    await server.restart()
    await reports.sample()


# Is it still the same meter? ----------------------------------------------------------------------------------------


async def test_another_device_at_the_address_is_not_believed(start: StartMeter, server: ModbusServer) -> None:
    _, reports = await start(interval_s=0.2)
    await reports.sample()
    other = SunSpecImage(serial="another")
    shown(other, 1.0, 1.0, 1.0)
    server._units = {1: other}
    server.disconnect()  # between two readings, so that no reading fails
    fault = await reports.fault()
    assert fault.key == "other_device"
    assert "another" in fault.detail
    assert [report.amps[0] for report in reports.all[:-1] if isinstance(report, MeterSample)] == [12.0]


async def test_a_meter_whose_registers_moved_is_found_where_they_are(start: StartMeter, server: ModbusServer) -> None:
    _, reports = await start()
    await reports.sample()
    moved = SunSpecImage(base=50000)
    shown(moved, 5.0, 5.0, 5.0)
    server._units = {1: moved}
    server.disconnect()
    sample = await reports.until(lambda report: isinstance(report, MeterSample) and report.amps[0] < 6.0)
    assert isinstance(sample, MeterSample)
    assert sample.amps == pytest.approx((5.0, 5.0, 5.0))


async def test_an_address_without_any_meter_is_another_device(start: StartMeter, server: ModbusServer) -> None:
    _, reports = await start()
    await reports.sample()
    server._units = {1: EastronImage()}
    server.disconnect()
    assert "no SunSpec meter" in (await reports.fault("other_device")).detail


# Life ---------------------------------------------------------------------------------------------------------------


async def test_two_meters_behind_one_gateway_share_its_connection(start: StartMeter, server: ModbusServer) -> None:
    second = EastronImage()
    shown(second, 5.0, 6.0, 7.0)
    server._units = {**server._units, 2: second}
    _, first_reports = await start()
    await first_reports.sample()
    meter, second_reports = await start("eastron_sdm630", unit=2)
    assert (await second_reports.sample()).amps == pytest.approx((5.0, 6.0, 7.0))
    assert server.tally["connections"] == 1
    await meter.stop()
    assert (await first_reports.sample()).amps == pytest.approx(LOAD.amps, abs=0.01)
    assert server.tally["connections"] == 1, "the other one lost its connection"


async def test_a_meter_that_was_stopped_says_nothing_more_and_frees_the_link(
    start: StartMeter, server: ModbusServer, links: ModbusLinks
) -> None:
    meter, reports = await start()
    await reports.sample()
    await meter.stop()
    said, asked = len(reports.all), server.tally["requests"]
    await asyncio.sleep(0.05)  # nothing can be awaited where nothing is to happen
    assert (len(reports.all), server.tally["requests"]) == (said, asked)
    fresh, release = links.acquire("127.0.0.1", server.port)
    assert fresh.connections == 0
    release()


async def test_a_meter_can_be_stopped_while_it_waits_for_an_answer(start: StartMeter, server: ModbusServer) -> None:
    meter, reports = await start()
    await reports.sample()
    server.faults.silent = True
    await reports.fault("timeout")
    async with asyncio.timeout(TIMEOUT_S):
        await meter.stop()
    assert isinstance(reports.newest, MeterFault)
