"""A meter over Modbus TCP, asked at its interval.

Its time is taken before the request goes out, so that a reading is never thought newer than it is. After every new
connection the device is identified again: an address that another device took over is no meter of ours.
"""

from __future__ import annotations

import asyncio
import logging

from ..engine.model import PhaseAmps
from ..modbus.link import DeviceFault, LinkFault, ModbusLinks
from ..modbus.profile import SUNSPEC, MeterProfile, MeterValues, MissingPhase, profiles, read_values
from ..modbus.scan import find_sunspec
from ..ocpp.protocols import Clock
from . import FaultKey, MeterFault, MeterSample, ReportSample, plausible
from .settings import MeterSettings, ModbusMeterSettings

LOGGER = logging.getLogger(__name__)

RETRY_S = 1.0
"""How soon a meter that failed is asked again; the link itself backs off up to 5 s."""


class OtherDevice(Exception):
    """Another device than before answers at the address."""


class ModbusMeter:
    """One meter behind a shared link."""

    def __init__(
        self, settings: MeterSettings, source: ModbusMeterSettings, *, links: ModbusLinks, clock: Clock
    ) -> None:
        """Prepare; `start` begins to ask."""
        self._settings = settings
        self._source = source
        self._clock = clock
        self._link, self._release = links.acquire(source.host, source.port)
        self._task: asyncio.Task[None] | None = None
        self._map: tuple[MeterProfile, int] | None = None
        self._met_on = 0
        """Over which connection the device was identified."""
        self._serial: str | None = None
        self._failing: str | None = None

    async def start(self, report: ReportSample) -> None:
        """Begin to report."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._poll(report))

    async def stop(self) -> None:
        """End reporting and give the link back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        self._release()

    async def _poll(self, report: ReportSample) -> None:
        await asyncio.to_thread(profiles)
        while True:
            asked_at = self._clock.monotonic()
            outcome = await self._read(asked_at)
            self._log(outcome)
            report(outcome)
            wait = (
                self._source.interval_s if isinstance(outcome, MeterSample) else max(RETRY_S, self._source.interval_s)
            )
            await asyncio.sleep(max(0.0, wait - (self._clock.monotonic() - asked_at)))

    async def _read(self, asked_at: float) -> MeterSample | MeterFault:
        try:
            values = await self._values()
        except LinkFault as fault:
            self._map = None
            return MeterFault(key=FaultKey(fault.key), detail=fault.detail)
        except DeviceFault as fault:
            self._map = None
            return MeterFault(key=FaultKey.REFUSED, detail=str(fault))
        except MissingPhase as fault:
            return MeterFault(key=FaultKey.MISSING_PHASE, detail=str(fault))
        except OtherDevice as fault:
            self._map = None
            return MeterFault(key=FaultKey.OTHER_DEVICE, detail=str(fault))
        return self._sample(values, asked_at)

    async def _values(self) -> MeterValues:
        profile, base = await self._located()
        values = await read_values(self._link, self._source.unit, profile, base)
        if await self._located() != (profile, base):
            raise OtherDevice("the registers are elsewhere since the connection was renewed")
        return values

    async def _located(self) -> tuple[MeterProfile, int]:
        """Return the profile and where its registers begin, identified over the present connection."""
        if self._map is None or self._link.connections != self._met_on:
            self._map = None
            located = await self._locate()
            self._map, self._met_on = located, self._link.connections
        return self._map

    async def _locate(self) -> tuple[MeterProfile, int]:
        if self._source.profile != SUNSPEC:
            return profiles()[self._source.profile], 0
        found = await find_sunspec(self._link, self._source.unit)
        if found is None:
            raise OtherDevice(f"no SunSpec meter at {self._source.host} any more")
        if self._serial is not None and found.serial != self._serial:
            raise OtherDevice(f"the meter has serial number {found.serial}, it was {self._serial}")
        self._serial = found.serial
        return found.profile, found.base

    def _sample(self, values: MeterValues, asked_at: float) -> MeterSample | MeterFault:
        factor = -self._settings.ratio if self._settings.inverted else self._settings.ratio
        amps: PhaseAmps = (values.amps[0] * factor, values.amps[1] * factor, values.amps[2] * factor)
        if not plausible(amps):
            return MeterFault(key=FaultKey.IMPLAUSIBLE, detail=f"currents {values.amps}")
        power, imported, exported = values.power_w, values.energy_import_wh, values.energy_export_wh
        if self._settings.inverted:
            imported, exported = exported, imported
        ratio = self._settings.ratio
        return MeterSample(
            amps=amps,
            measured_at=asked_at,
            power_w=None if power is None else power * factor,
            energy_import_wh=None if imported is None else imported * ratio,
            energy_export_wh=None if exported is None else exported * ratio,
            voltage_v=values.voltage_v,
        )

    def _log(self, outcome: MeterSample | MeterFault) -> None:
        """Say once that it failed and once that it is back."""
        failing = outcome.key if isinstance(outcome, MeterFault) else None
        if failing == self._failing:
            return
        if isinstance(outcome, MeterFault):
            LOGGER.warning("Meter %s gives no reading: %s", self._settings.name, outcome.detail)
        else:
            LOGGER.info("Meter %s reads again", self._settings.name)
        self._failing = failing
