"""The meters, read by pymodbus as an independent client: registers, liveliness, faults."""

import asyncio
import math
import struct
from collections.abc import AsyncIterator, Callable

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from simulator import Scenario, SimClock, SimulatedSite
from simulator.meter import MeterKind, MeterSpec, Sees, SimulatedMeter
from simulator.meter_images import EastronImage, MeterReading, SunSpecImage
from simulator.modbus_server import READ_HOLDING, READ_INPUT, NoSuchRegister
from simulator.physics import CircuitSpec, OutletSpec, SiteTruth
from simulator.vehicle import CarSpec

LOAD = (12.34, 23.45, 34.56)


@pytest.fixture
async def site(quiet: Scenario) -> AsyncIterator[SimulatedSite]:
    site = SimulatedSite(quiet, clock=SimClock(factor=20.0))
    await site.start(None)
    site.set_base_load("supply", LOAD)
    await site.clock.sleep(2.0)
    yield site
    await site.stop()


@pytest.fixture
async def client(site: SimulatedSite) -> AsyncIterator[AsyncModbusTcpClient]:
    client = AsyncModbusTcpClient("127.0.0.1", port=site.meter_ports["supply-meter"], timeout=0.5, retries=0)
    await client.connect()
    yield client
    client.close()


async def registers(client: AsyncModbusTcpClient, address: int, count: int, unit: int = 1) -> list[int]:
    answer = await client.read_holding_registers(address, count=count, device_id=unit)
    assert not answer.isError(), answer
    return list(answer.registers)


def signed(register: int) -> int:
    return register - 0x10000 if register >= 0x8000 else register


async def sunspec_amps(client: AsyncModbusTcpClient) -> list[float]:
    """Return the currents as a SunSpec client would find them: along the chain of models."""
    address = 40002
    while True:
        model, length = await registers(client, address, 2)
        if model == 203:
            break
        assert model != 0xFFFF, "there is no meter model"
        address += 2 + length
    values = await registers(client, address, length + 2)
    scale = 10.0 ** signed(values[6])
    return [math.nan if values[at] == 0x8000 else signed(values[at]) * scale for at in (3, 4, 5)]


async def until_amps(
    client: AsyncModbusTcpClient, site: SimulatedSite, met: Callable[[list[float]], bool]
) -> list[float]:
    async with asyncio.timeout(10):
        while not met(amps := await sunspec_amps(client)):
            await site.clock.sleep(0.5)
    return amps


class TestSunSpec:
    async def test_the_chain_begins_with_the_marker_and_ends_with_its_end(self, client: AsyncModbusTcpClient) -> None:
        head = await registers(client, 40000, 4)
        assert struct.pack(">2H", *head[:2]) == b"SunS"
        assert head[2:] == [1, 66]
        assert await registers(client, 40070, 2) == [203, 105]
        assert await registers(client, 40177, 2) == [0xFFFF, 0]

    async def test_the_common_model_names_the_meter(self, client: AsyncModbusTcpClient) -> None:
        maker = await registers(client, 40004, 16)
        serial = await registers(client, 40052, 16)
        assert struct.pack(">16H", *maker).rstrip(b"\0") == b"Simulated"
        assert struct.pack(">16H", *serial).rstrip(b"\0") == b"supply-meter"

    async def test_it_shows_what_flows_on_each_phase(self, client: AsyncModbusTcpClient) -> None:
        assert await sunspec_amps(client) == pytest.approx(list(LOAD), abs=0.01)

    async def test_power_voltage_and_energy_fit_the_currents(
        self, client: AsyncModbusTcpClient, site: SimulatedSite
    ) -> None:
        values = await registers(client, 40070, 107)
        volts = [signed(values[at]) * 10.0 ** signed(values[15]) for at in (8, 9, 10)]
        watts = [signed(values[at]) * 10.0 ** signed(values[22]) for at in (18, 19, 20, 21)]
        assert volts == pytest.approx([site.truth.volts] * 3, abs=0.1)
        assert watts[1:] == pytest.approx([amps * volts[0] for amps in LOAD], abs=10.0)
        assert watts[0] == pytest.approx(sum(watts[1:]), abs=30.0)
        imported = (values[46] << 16) + values[47]
        assert 0 < imported <= sum(site.truth.accounts["supply"].imported_wh) + 1

    async def test_it_shows_a_car_that_charges(self, client: AsyncModbusTcpClient, site: SimulatedSite) -> None:
        site.plug("CP-02/1", CarSpec(name="car", phases=1, maximum_a=10.0, reaction_s=5.0))
        amps = await until_amps(client, site, lambda amps: amps[1] > LOAD[1] + 9.98)
        assert amps == pytest.approx([LOAD[0], LOAD[1] + 10.0, LOAD[2]], abs=0.01)

    async def test_registers_outside_the_chain_do_not_exist(self, client: AsyncModbusTcpClient) -> None:
        answer = await client.read_holding_registers(40170, count=20, device_id=1)
        assert answer.isError()
        assert answer.exception_code == 2

    async def test_another_unit_is_not_there(self, client: AsyncModbusTcpClient) -> None:
        answer = await client.read_holding_registers(40000, count=2, device_id=9)
        assert answer.exception_code == 11

    async def test_it_cannot_be_written(self, client: AsyncModbusTcpClient) -> None:
        answer = await client.write_register(40073, 0, device_id=1)
        assert answer.exception_code == 1


class TestEastron:
    async def test_it_shows_floats_in_input_registers(self, site: SimulatedSite) -> None:
        site.set_base_load("cluster-a", (7.5, 8.25, -3.125))
        await site.clock.sleep(2.0)
        client = AsyncModbusTcpClient("127.0.0.1", port=site.meter_ports["cluster-meter"], timeout=1, retries=0)
        await client.connect()
        answer = await client.read_input_registers(0, count=40, device_id=1)
        floats = client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32)
        assert isinstance(floats, list)
        assert floats[3:6] == [7.5, 8.25, -3.125]
        assert floats[0] == pytest.approx(site.truth.volts, abs=0.1)
        assert floats[8] == pytest.approx(-3.125 * floats[0], rel=1e-4)
        client.close()


class TestFaults:
    async def test_silence(self, client: AsyncModbusTcpClient, site: SimulatedSite) -> None:
        site.fault("meter_silent", "supply-meter")
        with pytest.raises(ModbusException):
            await client.read_holding_registers(40000, count=2, device_id=1)

    async def test_not_a_number(self, client: AsyncModbusTcpClient, site: SimulatedSite) -> None:
        site.fault("meter_nan", "supply-meter")
        await until_amps(client, site, lambda amps: all(map(math.isnan, amps)))
        site.mend("meter_nan", "supply-meter")
        await until_amps(client, site, lambda amps: amps == pytest.approx(list(LOAD), abs=0.01))

    async def test_a_lost_phase(self, client: AsyncModbusTcpClient, site: SimulatedSite) -> None:
        site.fault("meter_lost_phase", "supply-meter", value=2)
        amps = await until_amps(client, site, lambda amps: math.isnan(amps[1]))
        assert amps[0] == pytest.approx(LOAD[0], abs=0.01)

    async def test_fewer_registers_than_asked_for(self, client: AsyncModbusTcpClient, site: SimulatedSite) -> None:
        site.fault("meter_short", "supply-meter", value=3)
        answer = await client.read_holding_registers(40070, count=10, device_id=1)
        assert len(answer.registers) == 7

    async def test_the_answer_to_another_request(self, client: AsyncModbusTcpClient, site: SimulatedSite) -> None:
        site.fault("meter_wrong_transaction", "supply-meter")
        with pytest.raises(ModbusException):
            await client.read_holding_registers(40000, count=2, device_id=1)

    async def test_an_exception(self, client: AsyncModbusTcpClient, site: SimulatedSite) -> None:
        site.fault("meter_exception", "supply-meter", value=6)
        answer = await client.read_holding_registers(40000, count=2, device_id=1)
        assert answer.exception_code == 6

    async def test_a_frozen_value(self, client: AsyncModbusTcpClient, site: SimulatedSite) -> None:
        site.fault("meter_frozen", "supply-meter")
        await site.clock.sleep(1.0)
        site.set_base_load("supply", (1.0, 1.0, 1.0))
        await site.clock.sleep(5.0)
        assert await sunspec_amps(client) == pytest.approx(list(LOAD), abs=0.01)

    async def test_a_reversed_direction(self, client: AsyncModbusTcpClient, site: SimulatedSite) -> None:
        site.fault("meter_exporting", "supply-meter")
        await until_amps(client, site, lambda amps: amps == pytest.approx([-one for one in LOAD], abs=0.01))

    async def test_a_late_answer(self, client: AsyncModbusTcpClient, site: SimulatedSite) -> None:
        site.fault("meter_late", "supply-meter", value=0.2)
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        await registers(client, 40000, 2)
        assert loop.time() - asked_at >= 0.2

    async def test_a_closed_connection(self, client: AsyncModbusTcpClient, site: SimulatedSite) -> None:
        site.fault("meter_closes", "supply-meter")
        with pytest.raises(ModbusException):
            await client.read_holding_registers(40000, count=2, device_id=1)

    async def test_a_restart_on_the_same_port(self, client: AsyncModbusTcpClient, site: SimulatedSite) -> None:
        port = site.meter_ports["supply-meter"]
        site.fault("meter_down", "supply-meter", for_s=20.0)
        await site.clock.sleep(5.0)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await site.clock.sleep(20.0)
        client.close()
        await client.connect()
        assert await sunspec_amps(client) == pytest.approx(list(LOAD), abs=0.01)


def a_truth() -> SiteTruth:
    truth = SiteTruth(
        [CircuitSpec(circuit_id="supply", rating_a=(100.0, 100.0, 100.0))],
        [OutletSpec(outlet_id="1", circuit_id="supply")],
    )
    truth.set_base_load("supply", (10.0, 20.0, 30.0))
    truth.plug("1", CarSpec(name="car", reaction_s=0.0, ramp_a_per_s=100.0))
    truth.outlets["1"].offer(8.0, 0.0)
    truth.step(1.0)
    return truth


@pytest.mark.parametrize(
    ("sees", "amps"),
    [
        (Sees.EVERYTHING, (18.0, 28.0, 38.0)),
        (Sees.BASE_LOAD, (10.0, 20.0, 30.0)),
        (Sees.CHARGING, (8.0, 8.0, 8.0)),
    ],
)
def test_a_meter_sees_what_its_transformers_enclose(sees: Sees, amps: tuple[float, float, float]) -> None:
    meter = SimulatedMeter(MeterSpec(meter_id="m", circuit_id="supply", sees=sees, latency_s=0.0), a_truth())
    meter.tick(0.0)
    assert meter.reading.amps == amps


def test_a_measurement_can_be_read_only_after_its_latency_and_at_its_interval() -> None:
    truth = a_truth()
    meter = SimulatedMeter(MeterSpec(meter_id="m", circuit_id="supply", interval_s=2.0, latency_s=0.5), truth)
    meter.tick(0.0)
    assert meter.reading.amps == (0.0, 0.0, 0.0)
    meter.tick(0.5)
    assert meter.reading.amps == (18.0, 28.0, 38.0)
    truth.set_base_load("supply", (1.0, 1.0, 1.0))
    truth.step(1.0)
    meter.tick(1.5)
    assert meter.reading.amps == (18.0, 28.0, 38.0)
    meter.tick(2.0)
    meter.tick(2.5)
    assert meter.reading.amps == (9.0, 9.0, 9.0)


def test_an_inexact_meter_stays_within_its_error() -> None:
    meter = SimulatedMeter(MeterSpec(meter_id="m", circuit_id="supply", error=0.02, latency_s=0.0), a_truth())
    seen = set()
    for moment in range(50):
        meter.tick(float(moment))
        seen.add(meter.reading.amps[0])
        assert 18.0 * 0.98 <= meter.reading.amps[0] <= 18.0 * 1.02
    assert len(seen) > 40


@pytest.mark.parametrize("kind", list(MeterKind))
def test_every_kind_of_meter_can_be_built(kind: MeterKind) -> None:
    meter = SimulatedMeter(MeterSpec(meter_id="m", circuit_id="supply", kind=kind), a_truth())
    assert isinstance(meter.image, SunSpecImage if kind is MeterKind.SUNSPEC else EastronImage)


def test_a_sunspec_meter_may_keep_its_registers_elsewhere() -> None:
    image = SunSpecImage(base=50000)
    assert image.read(READ_HOLDING, 50000, 2) == [0x5375, 0x6E53]
    with pytest.raises(NoSuchRegister):
        image.read(READ_HOLDING, 40000, 2)
    with pytest.raises(NoSuchRegister):
        image.read(READ_INPUT, 50000, 2)


def test_currents_beyond_the_registers_are_shown_as_the_most_they_can_hold() -> None:
    image = SunSpecImage()
    image.show(MeterReading(amps=(900.0, -900.0, 0.0)))
    assert [signed(register) for register in image.read(READ_HOLDING, 40073, 3)] == [0x7FFF, -0x7FFF, 0]
