"""What a meter reported, to be awaited, and settings of meters."""

import asyncio
from collections.abc import Callable

from custom_components.charge_cluster.meters import MeterFault, MeterSample
from custom_components.charge_cluster.meters.settings import (
    EntityMeterSettings,
    MeterSettings,
    ModbusMeterSettings,
    OcppMeterSettings,
)


class Reports:
    """Takes the reports of a meter."""

    def __init__(self) -> None:
        self.all: list[MeterSample | MeterFault] = []
        self._come = asyncio.Event()

    def __call__(self, report: MeterSample | MeterFault) -> None:
        self.all.append(report)
        self._come.set()

    @property
    def newest(self) -> MeterSample | MeterFault:
        return self.all[-1]

    async def until(self, fits: Callable[[MeterSample | MeterFault], bool]) -> MeterSample | MeterFault:
        """Return the first report from now on that fits; within 5 s."""
        seen = len(self.all)
        async with asyncio.timeout(5.0):
            while True:
                for report in self.all[seen:]:
                    if fits(report):
                        return report
                seen = len(self.all)
                self._come.clear()
                await self._come.wait()

    async def sample(self) -> MeterSample:
        """Return the next sample."""
        report = await self.until(lambda report: isinstance(report, MeterSample))
        assert isinstance(report, MeterSample)
        return report

    async def fault(self, key: str | None = None) -> MeterFault:
        """Return the next fault, or the next with this key."""
        report = await self.until(lambda report: isinstance(report, MeterFault) and key in {None, report.key})
        assert isinstance(report, MeterFault)
        return report


def settings_for(
    source: ModbusMeterSettings | EntityMeterSettings | OcppMeterSettings, *, ratio: float = 1.0, inverted: bool = False
) -> MeterSettings:
    return MeterSettings(
        meter_id="meter", name="Supply meter", circuit_id="supply", source=source, ratio=ratio, inverted=inverted
    )
