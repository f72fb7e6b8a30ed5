"""A Modbus meter on a circuit of the simulated site: it shows what truly flows there, late and inexactly as configured.

The meter measures every `interval_s` virtual seconds; a measurement can be read `latency_s` later. What is wrong with
the *values* is decided here (`ValueFaults`), what is wrong with the *wire* in `modbus_server`.
"""

import math
import random
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from .building import SupplyAmps
from .meter_images import NOT_A_NUMBER, EastronImage, MeterImage, MeterReading, SunSpecImage
from .modbus_server import ModbusServer
from .physics import SiteTruth


class MeterKind(StrEnum):
    """Which registers it has."""

    SUNSPEC = "sunspec"
    EASTRON_SDM630 = "eastron_sdm630"


class Sees(StrEnum):
    """What flows through its current transformers."""

    EVERYTHING = "everything"
    BASE_LOAD = "base_load"
    """All but the cars."""
    CHARGING = "charging"
    """The cars only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSpec:
    """One meter."""

    meter_id: str
    circuit_id: str
    kind: MeterKind = MeterKind.SUNSPEC
    unit: int = 1
    interval_s: float = 1.0
    latency_s: float = 0.2
    error: float = 0.0
    """Largest relative error of a current, drawn anew for each measurement."""
    sees: Sees = Sees.EVERYTHING
    base_address: int = 40000
    """Where a SunSpec meter keeps its registers."""


@dataclass(slots=True, kw_only=True)
class ValueFaults:
    """What is wrong with the values just now."""

    not_a_number: bool = False
    """Shows the markers for "not implemented"."""
    frozen: bool = False
    """Goes on showing the last measurement."""
    lost_phase: int | None = None
    """This phase (0–2) shows nothing."""
    exporting: bool = False
    """All currents with the opposite sign."""


class SimulatedMeter:
    """A meter and its Modbus server."""

    def __init__(self, spec: MeterSpec, truth: SiteTruth, *, seed: int = 0) -> None:
        """Build it on a circuit of the truth."""
        self.spec = spec
        self.faults = ValueFaults()
        self.image: MeterImage = (
            SunSpecImage(base=spec.base_address, serial=spec.meter_id)
            if spec.kind is MeterKind.SUNSPEC
            else EastronImage()
        )
        self.server = ModbusServer({spec.unit: self.image})
        self.reading = MeterReading()
        """What it shows now."""
        self._truth = truth
        self._dice = random.Random(f"{seed}:{spec.meter_id}")
        self._measured: deque[tuple[float, MeterReading]] = deque()
        self._next_at = 0.0

    def tick(self, now: float) -> None:
        """Measure when it is time, and show what is ready."""
        if now >= self._next_at:
            self._next_at = max(self._next_at + self.spec.interval_s, now)
            if not self.faults.frozen:
                self._measured.append((now + self.spec.latency_s, self._measure()))
        shown = None
        while self._measured and self._measured[0][0] <= now:
            shown = self._measured.popleft()[1]
        if shown is not None:
            self.reading = shown
            self.image.show(shown)

    def _measure(self) -> MeterReading:
        volts = self._truth.volts
        account = self._truth.accounts[self.spec.circuit_id]
        imported, exported = account.imported_wh, account.exported_wh
        reading = MeterReading(
            amps=self._amps(),
            volts=(volts, volts, volts),
            imported_wh=(imported[0], imported[1], imported[2]),
            exported_wh=(exported[0], exported[1], exported[2]),
        )
        return self._spoilt(reading)

    def _amps(self) -> SupplyAmps:
        total = self._truth.amps(self.spec.circuit_id)
        base = self._truth.base_load(self.spec.circuit_id)
        match self.spec.sees:
            case Sees.EVERYTHING:
                true = total
            case Sees.BASE_LOAD:
                true = base
            case Sees.CHARGING:
                true = (total[0] - base[0], total[1] - base[1], total[2] - base[2])
            case _:
                assert_never(self.spec.sees)
        if self.spec.error == 0.0:
            return true
        bound = self.spec.error
        return (
            true[0] * (1.0 + self._dice.uniform(-bound, bound)),
            true[1] * (1.0 + self._dice.uniform(-bound, bound)),
            true[2] * (1.0 + self._dice.uniform(-bound, bound)),
        )

    def _spoilt(self, reading: MeterReading) -> MeterReading:
        faults = self.faults
        if faults.not_a_number:
            return MeterReading(
                amps=NOT_A_NUMBER, volts=NOT_A_NUMBER, imported_wh=NOT_A_NUMBER, exported_wh=NOT_A_NUMBER
            )
        amps, volts = list(reading.amps), list(reading.volts)
        if faults.exporting:
            amps = [-ampere for ampere in amps]
        if faults.lost_phase is not None:
            amps[faults.lost_phase] = volts[faults.lost_phase] = math.nan
        return MeterReading(
            amps=(amps[0], amps[1], amps[2]),
            volts=(volts[0], volts[1], volts[2]),
            imported_wh=reading.imported_wh,
            exported_wh=reading.exported_wh,
        )
