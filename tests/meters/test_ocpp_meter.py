"""The meter of a charge point itself as a meter of the site."""

import asyncio
from typing import Any

from custom_components.charge_cluster.meters import FaultKey, MeterFault, MeterSample
from custom_components.charge_cluster.meters.ocpp import OcppMeter
from custom_components.charge_cluster.meters.settings import OcppMeterSettings
from tests.meters.reports import settings_for
from tests.ocpp.charge_point import energy, sampled
from tests.ocpp.stage import Stage, virtually

SOURCE = OcppMeterSettings(charge_point_id="north", identity="CP1", interval_s=10.0)


async def started(
    stage: Stage, reports: list[MeterSample | MeterFault], *, ratio: float = 1.0, inverted: bool = False
) -> OcppMeter:
    meter = OcppMeter(
        settings_for(SOURCE, ratio=ratio, inverted=inverted),
        SOURCE,
        conversation=stage.conversation,
        clock=stage.clock,
    )
    await meter.start(reports.append)
    return meter


async def reads(stage: Stage, *values: Any) -> None:
    await stage.points[-1].measure(list(values), connector=0)
    await stage.settle()


@virtually
async def test_what_the_charge_point_tells_is_a_sample_with_its_ratio_and_direction(stage: Stage) -> None:
    await stage.booted()
    reports: list[MeterSample | MeterFault] = []
    meter = await started(stage, reports, ratio=2.0, inverted=True)
    await reads(stage, *sampled(L1=10.0, L2=11.0, L3=12.0), energy(500))
    [sample] = reports
    assert isinstance(sample, MeterSample)
    assert sample.amps == (-20.0, -22.0, -24.0)
    assert sample.energy_import_wh == 1000.0
    assert sample.measured_at <= stage.clock.monotonic()
    await meter.stop()
    await reads(stage, *sampled(L1=10.0, L2=11.0, L3=12.0))
    assert len(reports) == 1


@virtually
async def test_one_that_begins_later_has_what_was_told_last(stage: Stage) -> None:
    await stage.booted()
    await reads(stage, *sampled(L1=10.0, L2=11.0, L3=12.0))
    reports: list[MeterSample | MeterFault] = []
    meter = await started(stage, reports)
    assert [type(report) for report in reports] == [MeterSample]
    await meter.stop()


@virtually
async def test_what_is_not_told_of_each_phase_is_a_fault(stage: Stage) -> None:
    await stage.booted()
    reports: list[MeterSample | MeterFault] = []
    meter = await started(stage, reports)
    await reads(stage, *sampled(L1=10.0))
    await reads(stage, *sampled(L1=1e6, L2=1.0, L3=1.0))
    assert [report.key for report in reports if isinstance(report, MeterFault)] == [
        FaultKey.MISSING_PHASE,
        FaultKey.IMPLAUSIBLE,
    ]
    await meter.stop()


@virtually
async def test_a_charge_point_that_goes_away_takes_its_meter_with_it(stage: Stage) -> None:
    point = await stage.booted()
    reports: list[MeterSample | MeterFault] = []
    meter = await started(stage, reports)
    await stage.hang_up(point)
    assert [report.key for report in reports if isinstance(report, MeterFault)] == [FaultKey.UNREACHABLE]
    await meter.stop()


@virtually
async def test_it_is_asked_only_while_it_does_not_tell_by_itself(stage: Stage) -> None:
    point = await stage.booted()
    asked = len(point.calls("TriggerMessage"))
    reports: list[MeterSample | MeterFault] = []
    meter = await started(stage, reports)
    for _ in range(6):
        await asyncio.sleep(8)
        await reads(stage, *sampled(L1=1.0, L2=1.0, L3=1.0))
    assert len(point.calls("TriggerMessage")) == asked
    await asyncio.sleep(31)
    assert len(point.calls("TriggerMessage")) > asked
    await meter.stop()


@virtually
async def test_of_a_charge_point_that_was_removed_there_is_no_meter(stage: Stage) -> None:
    source = OcppMeterSettings(charge_point_id="north", identity=None)
    reports: list[MeterSample | MeterFault] = []
    meter = OcppMeter(settings_for(source), source, conversation=None, clock=stage.clock)
    await meter.start(reports.append)
    assert [report.key for report in reports if isinstance(report, MeterFault)] == [FaultKey.UNREACHABLE]
    await meter.stop()
