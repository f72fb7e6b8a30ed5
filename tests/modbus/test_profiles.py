"""What the profiles make of registers: SunSpec with its scale factors, floats, the Eastron's floats."""

import json
import math
import struct
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.modbus import profile as profile_module
from custom_components.charge_cluster.modbus.link import HOLDING, INPUT, MOST_REGISTERS, DeviceFault, ModbusLink
from custom_components.charge_cluster.modbus.profile import (
    EASTRON_SDM630,
    SUNSPEC_PROFILES,
    MissingPhase,
    interpret,
    profiles,
    read_values,
)
from simulator.meter_images import EastronImage, MeterReading, SunSpecImage
from simulator.modbus_server import ModbusServer

INTEGERS, FLOATS = (profiles()[key] for key in SUNSPEC_PROFILES)
EASTRON = profiles()[EASTRON_SDM630]
LOAD = MeterReading(
    amps=(12.34, -23.45, 0.0),
    volts=(230.1, 231.2, 229.3),
    imported_wh=(1000.0, 2000.0, 3000.0),
    exported_wh=(10.0, 20.0, 30.0),
)


def signed(*values: int) -> list[int]:
    return [value & 0xFFFF for value in values]


def integer_model(**changes: list[int]) -> dict[int, int]:
    """Return a model 203: 10 A, 20 A and 30 A imported at 230 V."""
    words = dict.fromkeys(range(55), 0x8000)
    parts = {
        "current_at_3": signed(100, 200, 300),
        "current_scale_at_6": signed(-1),
        "voltage_at_8": signed(2300, 2300, 2300),
        "voltage_scale_at_15": signed(-1),
        "power_at_18": signed(1380, 230, 460, 690),
        "power_scale_at_22": signed(1),
        "export_at_38": [0, 7],
        "import_at_46": [1, 0],
        "energy_scale_at_54": signed(2),
    }
    for name, content in (parts | changes).items():
        first = int(name.rpartition("_")[2])
        words.update({first + offset: word for offset, word in enumerate(content)})
    return words


def floats(values: dict[int, float]) -> dict[int, int]:
    words = {}
    for address, value in values.items():
        words[address], words[address + 1] = struct.unpack(">HH", struct.pack(">f", value))
    return words


def eastron_registers(**changes: float) -> dict[int, int]:
    places = {"v": (0, 2, 4), "a": (6, 8, 10), "w": (12, 14, 16)}
    values = dict.fromkeys(places["v"], 230.0) | {6: 10.0, 8: 20.0, 10: 30.0}
    values |= {12: 2300.0, 14: 4600.0, 16: 6900.0, 52: 13_800.0, 72: 1.5, 74: 0.25}
    for name, value in changes.items():
        values[places[name[0]][int(name[1]) - 1]] = value
    return floats(values)


# SunSpec ------------------------------------------------------------------------------------------------------------


def test_integers_are_scaled_by_their_factors() -> None:
    values = interpret(integer_model(), INTEGERS)
    assert values.amps == pytest.approx((10.0, 20.0, 30.0))
    assert values.voltage_v == pytest.approx((230.0, 230.0, 230.0))
    assert values.power_w == pytest.approx(13_800.0)
    assert values.energy_export_wh == pytest.approx(700.0)
    assert values.energy_import_wh == pytest.approx(6_553_600.0)


@given(raw=st.integers(-0x7FFF, 0x7FFF), exponent=st.integers(-10, 10))
def test_a_scale_factor_is_a_power_of_ten(raw: int, exponent: int) -> None:
    words = integer_model(
        current_at_3=signed(raw, raw, raw), current_scale_at_6=signed(exponent), power_at_18=signed(0, 0, 0, 0)
    )
    assert interpret(words, INTEGERS).amps == pytest.approx((raw * 10.0**exponent,) * 3)


@pytest.mark.parametrize("phase", [0, 1, 2])
def test_a_phase_without_a_current_leaves_nothing_to_guard_with(phase: int) -> None:
    currents = signed(100, 200, 300)
    currents[phase] = 0x8000
    with pytest.raises(MissingPhase, match=f"L{phase + 1}"):
        interpret(integer_model(current_at_3=currents), INTEGERS)


@pytest.mark.parametrize("factor", [[0x8000], signed(11), signed(-11)])
def test_a_scale_factor_that_is_none_makes_no_value(factor: list[int]) -> None:
    with pytest.raises(MissingPhase):
        interpret(integer_model(current_scale_at_6=factor), INTEGERS)
    assert interpret(integer_model(power_scale_at_22=factor), INTEGERS).power_w is None


def test_what_else_is_missing_is_none() -> None:
    words = integer_model(voltage_at_8=[0x8000, 2300, 2300], power_at_18=[0x8000] * 4, energy_scale_at_54=[0x8000])
    values = interpret(words, INTEGERS)
    assert values.amps == pytest.approx((10.0, 20.0, 30.0))
    assert (values.voltage_v, values.power_w, values.energy_import_wh, values.energy_export_wh) == (None,) * 4


def test_float_models_are_read_as_they_are() -> None:
    words = floats(
        dict.fromkeys((12, 14, 16), 230.0)
        | {4: 10.0, 6: 20.5, 8: 30.0, 28: 13_915.0, 30: 2300.0, 32: 4715.0, 34: 6900.0, 60: 7.0, 68: 9.0}
    )
    values = interpret(words, FLOATS)
    assert values.amps == (10.0, 20.5, 30.0)
    assert (values.power_w, values.energy_export_wh, values.energy_import_wh) == (13_915.0, 7.0, 9.0)


# The sign of a current ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [INTEGERS, FLOATS, EASTRON], ids=lambda profile: profile.key)
def test_no_profile_claims_to_know_the_sign_of_a_current(profile: profile_module.MeterProfile) -> None:
    assert not profile.current_has_sign


@pytest.mark.parametrize(
    ("amps", "watts", "signed_amps"),
    [
        (10.0, 2300.0, 10.0),
        (10.0, -2300.0, -10.0),
        (-10.0, -2300.0, -10.0),
        (-10.0, 2300.0, 10.0),
        (10.0, 0.0, 10.0),
        (-10.0, 0.0, -10.0),
        (10.0, math.nan, 10.0),
    ],
)
def test_a_current_takes_the_sign_of_the_power_of_its_phase(amps: float, watts: float, signed_amps: float) -> None:
    assert interpret(eastron_registers(a2=amps, w2=watts), EASTRON).amps == (10.0, signed_amps, 30.0)


# Eastron ------------------------------------------------------------------------------------------------------------


def test_the_eastron_counts_energy_in_kilowatt_hours() -> None:
    values = interpret(eastron_registers(), EASTRON)
    assert values.voltage_v == (230.0, 230.0, 230.0)
    assert (values.power_w, values.energy_import_wh, values.energy_export_wh) == (13_800.0, 1500.0, 250.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_current_that_is_no_number_is_a_missing_phase(bad: float) -> None:
    with pytest.raises(MissingPhase, match="L3"):
        interpret(eastron_registers(a3=bad), EASTRON)


# Over the wire ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [0, 40000, 50000])
async def test_a_sunspec_meter_is_read_where_its_model_begins(base: int) -> None:
    image = SunSpecImage(base=base)
    image.show(LOAD)
    server = ModbusServer({1: image})
    await server.start("127.0.0.1", 0)
    link = ModbusLink("127.0.0.1", server.port)
    values = await read_values(link, 1, INTEGERS, base + 2 + 68)
    assert values.amps == pytest.approx(LOAD.amps, abs=0.01)
    assert values.voltage_v == pytest.approx(LOAD.volts, abs=0.1)
    assert values.energy_import_wh == pytest.approx(6000.0)
    assert server.tally["requests"] == 1, "the scale factors have to come with the values"
    await link.close()
    await server.stop()


async def test_an_eastron_meter_is_read_in_small_blocks() -> None:
    image = EastronImage()
    image.show(LOAD)
    server = ModbusServer({1: image})
    await server.start("127.0.0.1", 0)
    link = ModbusLink("127.0.0.1", server.port)
    values = await read_values(link, 1, EASTRON)
    assert values.amps == pytest.approx(LOAD.amps, abs=1e-4)
    assert values.energy_export_wh == pytest.approx(60.0)
    with pytest.raises(DeviceFault):
        await read_values(link, 2, EASTRON)
    await link.close()
    await server.stop()


# The files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", profiles().values(), ids=lambda profile: profile.key)
def test_every_value_of_a_profile_is_among_what_is_read(profile: profile_module.MeterProfile) -> None:
    read = {address + offset for address, count in profile.blocks for offset in range(count)}
    for value in profile.values.values():
        assert set(range(value.address, value.address + value.kind.registers)) <= read
        assert value.scale_at is None or value.scale_at in read
    assert {f"current_{phase}" for phase in ("l1", "l2", "l3")} <= set(profile.values)
    assert all(1 <= count <= MOST_REGISTERS for _, count in profile.blocks)
    assert profile.function in {HOLDING, INPUT}


def test_every_profile_says_where_its_facts_come_from() -> None:
    files = sorted((Path(profile_module.__file__).parent / "profiles").glob("*.json"))
    assert [file.stem for file in files] == list(profiles())
    assert all(json.loads(file.read_text("utf-8"))["provenance"] for file in files)
