"""A meter made of sensors: three currents, or powers with voltages; its age is that of the oldest report."""

import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT
from homeassistant.core import HomeAssistant

from custom_components.charge_cluster.meters import MeterFault, MeterSample
from custom_components.charge_cluster.meters.entity import entity_meters
from custom_components.charge_cluster.meters.settings import EntityMeterSettings

from .reports import Reports, settings_for

CURRENTS = ("sensor.l1_current", "sensor.l2_current", "sensor.l3_current")
POWERS = ("sensor.l1_power", "sensor.l2_power", "sensor.l3_power")
VOLTAGES = ("sensor.l1_voltage", "sensor.l2_voltage", "sensor.l3_voltage")

type StartMeter = Callable[..., Awaitable[Reports]]


@pytest.fixture
async def start(hass: HomeAssistant) -> AsyncIterator[StartMeter]:
    """Start a meter on sensors; it is stopped with the test."""
    meters = []

    async def begin(source: EntityMeterSettings, *, ratio: float = 1.0, inverted: bool = False) -> Reports:
        meter = entity_meters(hass, settings_for(source, ratio=ratio, inverted=inverted), source)
        meters.append(meter)
        reports = Reports()
        await meter.start(reports)
        return reports

    yield begin
    for meter in meters:
        await meter.stop()


def show(
    hass: HomeAssistant, entities: tuple[str, ...], values: tuple[object, ...], unit: str | None, *, age_s: float = 0.0
) -> None:
    for entity, value in zip(entities, values, strict=True):
        hass.states.async_set(
            entity, str(value), {ATTR_UNIT_OF_MEASUREMENT: unit} if unit else {}, timestamp=time.time() - age_s
        )


def sample_of(reports: Reports) -> MeterSample:
    assert isinstance(reports.newest, MeterSample), reports.newest
    return reports.newest


def fault_of(reports: Reports) -> MeterFault:
    assert isinstance(reports.newest, MeterFault), reports.newest
    return reports.newest


# Three currents -----------------------------------------------------------------------------------------------------


async def test_what_the_sensors_show_is_reported_at_once(hass: HomeAssistant, start: StartMeter) -> None:
    show(hass, CURRENTS, (10.0, -20.5, 30.0), "A")
    reports = await start(EntityMeterSettings(currents=CURRENTS))
    sample = sample_of(reports)
    assert sample.amps == (10.0, -20.5, 30.0)
    assert (sample.power_w, sample.voltage_v) == (None, None)
    assert sample.measured_at <= time.monotonic()


async def test_every_change_is_reported(hass: HomeAssistant, start: StartMeter) -> None:
    show(hass, CURRENTS, (10.0, 20.0, 30.0), "A")
    reports = await start(EntityMeterSettings(currents=CURRENTS))
    show(hass, CURRENTS[1:2], (21.0,), "A")
    await hass.async_block_till_done()
    assert sample_of(reports).amps == (10.0, 21.0, 30.0)
    assert len(reports.all) == 2


async def test_currents_may_come_in_milliamps(hass: HomeAssistant, start: StartMeter) -> None:
    show(hass, CURRENTS, (10_000, 20_000, -500), "mA")
    reports = await start(EntityMeterSettings(currents=CURRENTS))
    assert sample_of(reports).amps == pytest.approx((10.0, 20.0, -0.5))


@pytest.mark.parametrize(
    ("inverted", "source_inverted", "sign"), [(False, False, 1), (True, False, -1), (False, True, -1), (True, True, 1)]
)
async def test_ratio_and_direction(
    hass: HomeAssistant, start: StartMeter, inverted: bool, source_inverted: bool, sign: int
) -> None:
    show(hass, CURRENTS, (1.0, 2.0, 3.0), "A")
    source = EntityMeterSettings(currents=CURRENTS, inverted=source_inverted)
    reports = await start(source, ratio=40.0, inverted=inverted)
    assert sample_of(reports).amps == (sign * 40.0, sign * 80.0, sign * 120.0)


async def test_currents_need_no_voltages(hass: HomeAssistant, start: StartMeter) -> None:
    show(hass, CURRENTS, (1.0, 2.0, 3.0), "A")
    show(hass, VOLTAGES, ("unavailable",) * 3, None)
    reports = await start(EntityMeterSettings(currents=CURRENTS, voltages=VOLTAGES))
    assert sample_of(reports).amps == (1.0, 2.0, 3.0)


# Three powers -------------------------------------------------------------------------------------------------------


async def test_powers_are_divided_by_the_voltages(hass: HomeAssistant, start: StartMeter) -> None:
    show(hass, POWERS, (2.3, -4.6, 6.9), "kW")
    show(hass, VOLTAGES, (230_000, 230_000, 240_000), "mV")
    reports = await start(EntityMeterSettings(powers=POWERS, voltages=VOLTAGES), ratio=2.0)
    sample = sample_of(reports)
    assert sample.amps == pytest.approx((20.0, -40.0, 57.5))
    assert sample.power_w == pytest.approx(9200.0)
    assert sample.voltage_v == pytest.approx((230.0, 230.0, 240.0))


@pytest.mark.parametrize("inverted", [False, True])
async def test_without_voltages_a_power_is_the_most_amps_that_it_can_be(
    hass: HomeAssistant, start: StartMeter, inverted: bool
) -> None:
    sign = -1.0 if inverted else 1.0
    show(hass, POWERS, (sign * 2300.0, sign * -2300.0, 0.0), "W")
    reports = await start(EntityMeterSettings(powers=POWERS), inverted=inverted)
    importing, exporting, idle = sample_of(reports).amps
    for volts in (0.94 * 230.0, 230.0, 1.1 * 230.0):
        assert importing >= 2300.0 / volts - 1e-9
        assert exporting >= -2300.0 / volts - 1e-9
    assert importing < 11.0
    assert exporting < -9.0
    assert idle == 0.0
    assert sample_of(reports).power_w == 0.0


@pytest.mark.parametrize("volts", [(230.0, 0.0, 230.0), (230.0, 100.0, 230.0), (400.0, 400.0, 400.0), (-230.0, 1, 1)])
async def test_voltages_that_no_phase_has_are_a_fault(
    hass: HomeAssistant, start: StartMeter, volts: tuple[float, float, float]
) -> None:
    show(hass, POWERS, (2300.0, 2300.0, 2300.0), "W")
    show(hass, VOLTAGES, volts, "V")
    reports = await start(EntityMeterSettings(powers=POWERS, voltages=VOLTAGES))
    assert fault_of(reports).key == "implausible"


async def test_neither_currents_nor_powers_are_no_meter(hass: HomeAssistant, start: StartMeter) -> None:
    reports = await start(EntityMeterSettings())
    assert fault_of(reports).key == "missing_entity"


# Bad states are faults, not zero ------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize(
    ("state", "key"),
    [
        ("unknown", "entity_unknown"),
        ("unavailable", "entity_unavailable"),
        ("nan", "not_a_number"),
        ("inf", "not_a_number"),
        ("-inf", "not_a_number"),
        ("on", "not_numeric"),
        ("", "not_numeric"),
        ("12,5", "not_numeric"),
        ("30000", "implausible"),
        ("-30000", "implausible"),
    ],
)
async def test_a_bad_state_of_one_sensor_is_a_fault_until_it_is_good(
    hass: HomeAssistant, start: StartMeter, which: int, state: str, key: str
) -> None:
    show(hass, CURRENTS, (10.0, 20.0, 30.0), "A")
    reports = await start(EntityMeterSettings(currents=CURRENTS))
    show(hass, CURRENTS[which : which + 1], (state,), "A")
    await hass.async_block_till_done()
    assert fault_of(reports).key == key
    show(hass, CURRENTS[which : which + 1], (5.0,), "A")
    await hass.async_block_till_done()
    assert sample_of(reports).amps[which] == 5.0


async def test_a_sensor_that_does_not_exist_is_a_fault_until_it_does(hass: HomeAssistant, start: StartMeter) -> None:
    show(hass, CURRENTS[:2], (10.0, 20.0), "A")
    reports = await start(EntityMeterSettings(currents=CURRENTS))
    assert fault_of(reports).key == "missing_entity"
    assert CURRENTS[2] in fault_of(reports).detail
    show(hass, CURRENTS[2:], (30.0,), "A")
    await hass.async_block_till_done()
    assert sample_of(reports).amps == (10.0, 20.0, 30.0)


async def test_a_sensor_that_is_removed_is_a_fault(hass: HomeAssistant, start: StartMeter) -> None:
    show(hass, CURRENTS, (10.0, 20.0, 30.0), "A")
    reports = await start(EntityMeterSettings(currents=CURRENTS))
    hass.states.async_remove(CURRENTS[0])
    await hass.async_block_till_done()
    assert fault_of(reports).key == "missing_entity"


@pytest.mark.parametrize(
    ("source", "entities", "unit"),
    [
        (EntityMeterSettings(currents=CURRENTS), CURRENTS, None),
        (EntityMeterSettings(currents=CURRENTS), CURRENTS, "W"),
        (EntityMeterSettings(currents=CURRENTS), CURRENTS, "V"),
        (EntityMeterSettings(currents=CURRENTS), CURRENTS, "°C"),
        (EntityMeterSettings(powers=POWERS), POWERS, "A"),
        (EntityMeterSettings(powers=POWERS), POWERS, "kWh"),
        (EntityMeterSettings(powers=POWERS, voltages=VOLTAGES), VOLTAGES, "A"),
    ],
    ids=["no unit", "power", "voltage", "temperature", "current for power", "energy", "current for voltage"],
)
async def test_the_unit_of_another_quantity_is_a_fault(
    hass: HomeAssistant, start: StartMeter, source: EntityMeterSettings, entities: tuple[str, ...], unit: str | None
) -> None:
    show(hass, CURRENTS, (10.0, 20.0, 30.0), "A")
    show(hass, POWERS, (10.0, 20.0, 30.0), "W")
    show(hass, VOLTAGES, (230.0, 230.0, 230.0), "V")
    reports = await start(source)
    sample_of(reports)
    show(hass, entities[:1], (230.0,), unit)
    await hass.async_block_till_done()
    assert fault_of(reports).key == "wrong_unit"


# Age ----------------------------------------------------------------------------------------------------------------


async def test_it_is_as_old_as_its_oldest_report(hass: HomeAssistant, start: StartMeter) -> None:
    show(hass, CURRENTS[:1], (10.0,), "A", age_s=5.0)
    show(hass, CURRENTS[1:2], (20.0,), "A", age_s=40.0)
    show(hass, CURRENTS[2:], (30.0,), "A")
    reports = await start(EntityMeterSettings(currents=CURRENTS))
    assert time.monotonic() - sample_of(reports).measured_at == pytest.approx(40.0, abs=1.0)


async def test_voltages_age_too(hass: HomeAssistant, start: StartMeter) -> None:
    show(hass, POWERS, (2300.0, 2300.0, 2300.0), "W")
    show(hass, VOLTAGES, (230.0, 230.0, 230.0), "V", age_s=70.0)
    reports = await start(EntityMeterSettings(powers=POWERS, voltages=VOLTAGES))
    assert time.monotonic() - sample_of(reports).measured_at == pytest.approx(70.0, abs=1.0)


async def test_a_value_that_repeats_is_fresh(hass: HomeAssistant, start: StartMeter) -> None:
    show(hass, CURRENTS, (10.0, 20.0, 30.0), "A", age_s=60.0)
    reports = await start(EntityMeterSettings(currents=CURRENTS))
    assert time.monotonic() - sample_of(reports).measured_at == pytest.approx(60.0, abs=1.0)
    show(hass, CURRENTS, (10.0, 20.0, 30.0), "A")
    await hass.async_block_till_done()
    for entity in CURRENTS:
        state = hass.states.get(entity)
        assert state is not None
        assert time.time() - state.last_updated_timestamp > 59.0, "only the report is new"
    assert time.monotonic() - sample_of(reports).measured_at < 1.0


async def test_a_report_from_the_future_is_of_now(hass: HomeAssistant, start: StartMeter) -> None:
    show(hass, CURRENTS, (10.0, 20.0, 30.0), "A", age_s=-3600.0)
    reports = await start(EntityMeterSettings(currents=CURRENTS))
    assert math.isclose(sample_of(reports).measured_at, time.monotonic(), abs_tol=1.0)
    assert sample_of(reports).measured_at <= time.monotonic()


# Life ---------------------------------------------------------------------------------------------------------------


async def test_a_meter_that_was_stopped_says_nothing_more(hass: HomeAssistant) -> None:
    show(hass, CURRENTS, (10.0, 20.0, 30.0), "A")
    source = EntityMeterSettings(currents=CURRENTS)
    meter = entity_meters(hass, settings_for(source), source)
    reports = Reports()
    await meter.start(reports)
    await meter.stop()
    await meter.stop()
    show(hass, CURRENTS, (11.0, 21.0, 31.0), "A")
    await hass.async_block_till_done()
    assert len(reports.all) == 1
