"""The meter of a charge point itself, told as connector 0: read as it is told, with nothing assumed."""

from typing import Any

import pytest

from custom_components.charge_cluster.ocpp.conversation import (
    Measured,
    NotReachable,
    Refused,
    StationMeasured,
    Unusable,
)
from tests.ocpp.charge_point import ChargePoint, energy, sampled
from tests.ocpp.stage import Stage, virtually


def power(watts: float) -> dict[str, str]:
    return {"measurand": "Power.Active.Import", "unit": "W", "value": str(watts)}


def phase_powers(**watts: float) -> list[dict[str, str]]:
    return [power(value) | {"phase": phase} for phase, value in watts.items()]


async def told(stage: Stage, point: ChargePoint, *values: Any) -> StationMeasured | None:
    await point.measure(list(values), connector=0)
    await stage.settle()
    return stage.conversation.station


@virtually
async def test_the_currents_of_connector_0_are_those_of_the_station_and_of_no_connector(stage: Stage) -> None:
    point = await stage.booted()
    station = await told(stage, point, *sampled(L1=41.0, L2=38.5, L3=40.0), power(27000), energy(123000))
    assert station is not None
    assert (station.amps, station.power_w, station.energy_wh) == ((41.0, 38.5, 40.0), 27000, 123000)
    assert stage.heard(StationMeasured) == [station]
    assert stage.heard(Measured) == []
    assert 0 not in stage.conversation.connectors
    assert station in stage.conversation.present_state()


@virtually
async def test_powers_of_the_phases_do_as_well(stage: Stage) -> None:
    point = await stage.booted()
    volts = [
        {"measurand": "Voltage", "unit": "V", "value": "230", "phase": phase} for phase in ("L1-N", "L2-N", "L3-N")
    ]
    station = await told(stage, point, *phase_powers(L1=2300, L2=4600, L3=0), *volts)
    assert station is not None
    assert station.amps == (10.0, 20.0, 0.0)


@virtually
async def test_what_does_not_tell_each_phase_is_no_reading(stage: Stage) -> None:
    point = await stage.booted()
    for values in (sampled(L1=20.0), [power(9000)], [{"measurand": "Current.Import", "unit": "A", "value": "30"}]):
        station = await told(stage, point, *values)
        assert station is not None
        assert (station.amps, station.unusable) == (None, Unusable.MISSING_PHASE)


@virtually
async def test_currents_that_cannot_carry_the_power_are_not_believed(stage: Stage) -> None:
    point = await stage.booted()
    station = await told(stage, point, *sampled(L1=1.0, L2=1.0, L3=1.0), power(20000))
    assert station is not None
    assert (station.amps, station.unusable) == (None, Unusable.IMPLAUSIBLE)


@virtually
async def test_a_register_alone_says_nothing_of_what_flows(stage: Stage) -> None:
    point = await stage.booted()
    assert await told(stage, point, energy(5000)) is None
    assert stage.heard(StationMeasured) == []


@virtually
async def test_its_time_is_put_right_by_the_clock_of_the_charge_point(stage: Stage) -> None:
    point = await stage.connect()
    point.clock_error_s = -3600.0
    await point.boot()
    await stage.settle()
    await point.status(1, "Available")
    await told(stage, point, *sampled(L1=1.0, L2=1.0, L3=1.0))
    payload = {
        "connectorId": 0,
        "meterValue": [{"timestamp": point.stamp(ago_s=-20.0), "sampledValue": sampled(L1=9.0, L2=9.0, L3=9.0)}],
    }
    await point.tell("MeterValues", payload)
    await stage.settle()
    station = stage.conversation.station
    assert station is not None
    assert station.at <= stage.clock.monotonic()

    older = {
        "connectorId": 0,
        "meterValue": [{"timestamp": point.stamp(ago_s=300.0), "sampledValue": sampled(L1=2.0, L2=2.0, L3=2.0)}],
    }
    await point.tell("MeterValues", older)
    await stage.settle()
    assert stage.conversation.station == station


@virtually
async def test_it_is_asked_to_tell_of_it_by_the_clock_now_and_after_each_boot(stage: Stage) -> None:
    point = await stage.booted()
    stage.conversation.want_station_values(10)
    stage.conversation.want_station_values(10)
    await stage.settle()

    def wanted() -> list[Any]:
        changes = [(call["key"], call["value"]) for call in point.calls("ChangeConfiguration")]
        return [change for change in changes if "Aligned" in change[0]]

    once = [
        (
            "MeterValuesAlignedData",
            "Current.Import,Power.Active.Import,Energy.Active.Import.Register,Voltage",
        ),
        ("ClockAlignedDataInterval", "10"),
    ]
    assert wanted() == once
    await point.boot()
    await stage.settle()
    assert wanted() == once * 2


@virtually
async def test_nobody_is_told_of_a_meter_that_nobody_asks_for(stage: Stage) -> None:
    point = await stage.booted()
    assert not any("Aligned" in call["key"] for call in point.calls("ChangeConfiguration"))


@virtually
async def test_what_it_holds_already_is_not_written_again(stage: Stage) -> None:
    keys = [
        {"key": "MeterValuesAlignedData", "readonly": True, "value": "Current.Import"},
        {"key": "ClockAlignedDataInterval", "readonly": False, "value": "10"},
    ]
    point = await stage.booted(GetConfiguration=lambda _: {"configurationKey": keys})
    stage.conversation.want_station_values(10)
    await stage.settle()
    assert not any("Aligned" in call["key"] for call in point.calls("ChangeConfiguration"))


@virtually
async def test_it_is_asked_for_a_reading_without_naming_a_connector(stage: Stage) -> None:
    point = await stage.booted()
    await stage.conversation.measure_station()
    assert point.calls("TriggerMessage")[-1] == {"requestedMessage": "MeterValues"}


@virtually
async def test_one_that_never_tells_of_a_meter_is_not_asked_for_ever_and_measures_its_connectors_all_the_same(
    stage: Stage,
) -> None:
    await stage.booted()
    for _ in range(4):
        await stage.conversation.measure_station()
    with pytest.raises(Refused):
        await stage.conversation.measure_station()
    assert stage.conversation.measures_on_demand


@virtually
async def test_nobody_who_is_away_can_be_asked(stage: Stage) -> None:
    with pytest.raises(NotReachable):
        await stage.conversation.measure_station()
