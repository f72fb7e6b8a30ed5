"""Masters in OCPP 2.x: EVSE 0 is the meter of the charge point itself; a report tells of EVSEs before they speak."""

from typing import Any

from custom_components.charge_cluster.chargers import ChargerEvent, StrangerSeen
from custom_components.charge_cluster.chargers.ocpp import OcppCharger
from custom_components.charge_cluster.ocpp.conversation import (
    ConnectorShown,
    Measured,
    StationMeasured,
    Terminals,
)

from .charge_point_2 import ChargePoint2, sampled_2, variable
from .stage import Stage2, virtually_2


async def station_reads(point: ChargePoint2, **amps: float) -> None:
    values = [{"timestamp": point.stamp(), "sampledValue": sampled_2(**amps)}]
    await point.tell("MeterValues", {"evseId": 0, "meterValue": values})


def set_variables(point: ChargePoint2) -> list[tuple[str, str, str]]:
    return [
        (asked["component"]["name"], asked["variable"]["name"], asked["attributeValue"])
        for payload in point.calls("SetVariables")
        for asked in payload["setVariableData"]
    ]


@virtually_2
async def test_evse_0_is_the_meter_of_the_station(stage: Stage2) -> None:
    point = await stage.booted()
    await station_reads(point, L1=41.0, L2=38.5, L3=40.0)
    await stage.settle()
    station = stage.conversation.station
    assert station is not None
    assert station.amps == (41.0, 38.5, 40.0)
    assert stage.heard(StationMeasured) == [station]
    assert stage.heard(Measured) == []
    assert 0 not in stage.conversation.connectors


@virtually_2
async def test_it_is_asked_to_tell_of_it_by_the_clock(stage: Stage2) -> None:
    point = await stage.connect()
    point.variables |= {("AlignedDataCtrlr", "Interval"): "900", ("AlignedDataCtrlr", "Measurands"): "Voltage"}
    await point.boot()
    await stage.settle()
    stage.conversation.want_station_values(10)
    await stage.settle()
    assert point.variables["AlignedDataCtrlr", "Interval"] == "10"
    assert "Current.Import" in point.variables["AlignedDataCtrlr", "Measurands"]
    assert ("AlignedDataCtrlr", "Interval", "10") in set_variables(point)


@virtually_2
async def test_it_is_asked_for_a_reading(stage: Stage2) -> None:
    point = await stage.booted()
    await stage.conversation.measure_station()
    asked: Any = point.calls("TriggerMessage")[-1]
    assert asked["requestedMessage"] == "MeterValues"
    assert asked.get("evse", {"id": 0}) == {"id": 0}


@virtually_2
async def test_an_evse_that_a_report_tells_of_is_met_before_it_speaks(stage: Stage2) -> None:
    point = await stage.booted()
    charger = OcppCharger(stage.conversation, [Terminals(connector=1)], monotonic=stage.clock.monotonic)
    events: list[ChargerEvent] = []
    charger.listen(events.append)
    parts = [variable("EVSE", "Power", "22000", evse=evse, read_only=True) for evse in (1, 2, 3, 99)]
    await point.report(parts)
    await point.report(parts)
    await stage.settle()
    assert [shown.connector for shown in stage.heard(ConnectorShown)] == [1, 2, 3]
    assert [event.connector for event in events if isinstance(event, StrangerSeen)] == [2, 3]
    held = {payload["evseId"] for payload in point.calls("SetChargingProfile")}
    assert held == {2, 3}
    await charger.close()
