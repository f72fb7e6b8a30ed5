"""Finding out what answers: SunSpec by its marker wherever it is, the Eastron by its voltages, and nothing else."""

import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest

from custom_components.charge_cluster.modbus import link as link_module, scan
from custom_components.charge_cluster.modbus.link import HOLDING, INPUT, DeviceFault, LinkFault, ModbusLink
from custom_components.charge_cluster.modbus.scan import NoMeterFound, find_sunspec, identify
from simulator.meter_images import EastronImage, MeterReading, SunSpecImage
from simulator.modbus_server import Image, ModbusServer

from .wire import Registers, chain

LOAD = MeterReading(amps=(12.0, 23.0, 34.0), volts=(230.0, 231.0, 229.0))

type Serve = Callable[[Mapping[int, Image]], Awaitable[ModbusServer]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[ModbusServer] = []

    async def start(units: Mapping[int, Image]) -> ModbusServer:
        servers.append(ModbusServer(units))
        await servers[-1].start("127.0.0.1", 0)
        return servers[-1]

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for those who do not answer."""
    monkeypatch.setattr(scan, "ModbusLink", lambda host, port: link_module.ModbusLink(host, port, timeout_s=0.05))


def a_sunspec(**options: int) -> SunSpecImage:
    image = SunSpecImage(serial="4711", **options)
    image.show(LOAD)
    return image


def an_eastron(volts: tuple[float, float, float] = LOAD.volts) -> EastronImage:
    image = EastronImage()
    image.show(MeterReading(amps=LOAD.amps, volts=volts))
    return image


def words(text: str, registers: int) -> list[int]:
    return list(struct.unpack(f">{registers}H", text.encode().ljust(2 * registers, b"\0")))


COMMON = (1, [*words("Maker", 16), *words("Type 3", 16), *[0] * 16, *words("S-1", 16), 1])
INVERTER = (103, [0] * 50)
METER = (203, [0] * 105)


async def sunspec_map(port: int) -> scan.SunSpecMap | None:
    link = ModbusLink("127.0.0.1", port)
    try:
        return await find_sunspec(link, 1)
    finally:
        await link.close()


@pytest.mark.parametrize("base", [40000, 0, 50000])
async def test_a_sunspec_meter_is_found_wherever_its_map_begins(serve: Serve, base: int) -> None:
    server = await serve({1: a_sunspec(base=base)})
    found = await identify("127.0.0.1", server.port)
    assert (found.profile, found.unit, found.serial) == ("sunspec", 1, "4711")
    assert (found.manufacturer, found.model) == ("Simulated", "Supply meter")
    assert found.values.amps == pytest.approx(LOAD.amps, abs=0.01)


@pytest.mark.parametrize("unit", [2, 240])
async def test_the_usual_units_are_tried(serve: Serve, unit: int) -> None:
    server = await serve({unit: a_sunspec()})
    assert (await identify("127.0.0.1", server.port)).unit == unit


async def test_a_unit_that_is_named_is_the_only_one_tried(serve: Serve) -> None:
    server = await serve({1: a_sunspec(), 55: an_eastron()})
    found = await identify("127.0.0.1", server.port, 55)
    assert (found.profile, found.unit) == ("eastron_sdm630", 55)
    with pytest.raises(NoMeterFound):
        await identify("127.0.0.1", server.port, 56)


async def test_an_eastron_is_found_by_its_voltages(serve: Serve) -> None:
    server = await serve({1: an_eastron()})
    found = await identify("127.0.0.1", server.port)
    assert (found.profile, found.model, found.serial) == ("eastron_sdm630", "SDM630", None)
    assert found.values.voltage_v == pytest.approx(LOAD.volts)


@pytest.mark.parametrize("volts", [(0.0, 0.0, 0.0), (230.0, 230.0, 1e6), (230.0, 20.0, 230.0), (-230.0, 230.0, 230.0)])
async def test_what_has_no_plausible_voltages_is_no_eastron(serve: Serve, volts: tuple[float, float, float]) -> None:
    server = await serve({1: an_eastron(volts)})
    with pytest.raises(NoMeterFound):
        await identify("127.0.0.1", server.port, 1)


async def test_a_charger_that_only_answers_is_no_meter(serve: Serve) -> None:
    server = await serve({1: Registers(HOLDING, dict.fromkeys(range(1000), 7))})
    with pytest.raises(NoMeterFound, match="no known meter"):
        await identify("127.0.0.1", server.port)


async def test_nobody_there_is_unreachable(serve: Serve) -> None:
    server = await serve({})
    await server.stop()
    with pytest.raises(LinkFault) as caught:
        await identify("127.0.0.1", server.port)
    assert caught.value.key == "unreachable"


async def test_one_who_listens_and_never_answers_is_silent(serve: Serve, hasty: None) -> None:
    server = await serve({1: a_sunspec()})
    server.faults.silent = True
    with pytest.raises(LinkFault) as caught:
        await identify("127.0.0.1", server.port, 1)
    assert caught.value.key == "timeout"
    with pytest.raises(NoMeterFound):
        await identify("127.0.0.1", server.port)


async def test_patience_has_an_end(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "PATIENCE_S", 0.05)
    server = await serve({1: a_sunspec()})
    server.faults.silent = True
    with pytest.raises(NoMeterFound, match="too slowly"):
        await identify("127.0.0.1", server.port, 1)


# The chain of models ------------------------------------------------------------------------------------------------


async def test_the_meter_is_found_behind_other_models(serve: Serve) -> None:
    server = await serve({1: Registers(HOLDING, chain(40000, COMMON, INVERTER, METER))})
    found = await sunspec_map(server.port)
    assert found is not None
    assert (found.base, found.profile.key) == (40002 + 67 + 52, "sunspec_201_204")
    assert (found.manufacturer, found.model, found.serial) == ("Maker", "Type 3", "S-1")


async def test_a_float_meter_has_its_own_profile(serve: Serve) -> None:
    server = await serve({1: Registers(HOLDING, chain(0, COMMON, (213, [0] * 124)))})
    found = await sunspec_map(server.port)
    assert found is not None
    assert found.profile.key == "sunspec_211_214"


@pytest.mark.parametrize(
    "models",
    [
        pytest.param([COMMON, INVERTER], id="no meter"),
        pytest.param([(1, [])], id="a model without registers"),
        pytest.param([(103, [0] * 4)] * 70, id="longer than any"),
    ],
)
async def test_a_chain_without_a_meter_ends(serve: Serve, models: list[tuple[int, list[int]]]) -> None:
    server = await serve({1: Registers(HOLDING, chain(40000, *models))})
    assert await sunspec_map(server.port) is None
    assert server.tally["requests"] < 70


@pytest.mark.parametrize("length", [0xFFFF, 25_532, 25_533])
async def test_a_model_that_claims_to_reach_beyond_the_last_register_ends_the_chain(serve: Serve, length: int) -> None:
    registers = {40000: 0x5375, 40001: 0x6E53, 40002: 103, 40003: length}
    server = await serve({1: Registers(HOLDING, registers)})
    assert await sunspec_map(server.port) is None
    with pytest.raises(NoMeterFound):
        await identify("127.0.0.1", server.port, 1)


async def test_a_marker_without_a_chain_does_not_hide_the_next_place(serve: Serve) -> None:
    registers = {40000: 0x5375, 40001: 0x6E53} | chain(50000, COMMON, METER)
    server = await serve({1: Registers(HOLDING, registers)})
    found = await sunspec_map(server.port)
    assert found is not None
    assert found.base == 50002 + 67


async def test_a_busy_device_is_not_one_without_a_meter(serve: Serve) -> None:
    server = await serve({1: a_sunspec()})
    server.faults.exception = 6
    with pytest.raises(DeviceFault, match="6"):
        await sunspec_map(server.port)
    with pytest.raises(NoMeterFound):
        await identify("127.0.0.1", server.port, 1)


async def test_the_scan_reads_only(serve: Serve) -> None:
    asked: set[int] = set()

    class Watched:
        def read(self, function: int, address: int, count: int) -> list[int]:
            asked.add(function)
            return an_eastron().read(function, address, count)

    server = await serve({1: Watched()})
    await identify("127.0.0.1", server.port)
    assert asked == {HOLDING, INPUT}
