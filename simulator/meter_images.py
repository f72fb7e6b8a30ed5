"""Register images of supply meters: what a reading looks like on the wire.

`SunSpecImage` is common model 1 followed by meter model 203 (three-phase wye, integers with scale factors) at one of
the base addresses that SunSpec names; `EastronImage` is the SDM630's input registers. Register facts: SunSpec
Alliance models (github.com/sunspec/models) and volkszaehler/mbmd.
"""

import math
import struct
from dataclasses import dataclass
from typing import Protocol

from .building import SupplyAmps
from .modbus_server import READ_HOLDING, READ_INPUT, NoSuchRegister

NO_READING = (0.0, 0.0, 0.0)

NOT_A_NUMBER = (math.nan, math.nan, math.nan)

FREQUENCY_HZ = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """What a meter shows; NaN where it shows nothing."""

    amps: SupplyAmps = NO_READING
    """Signed, import positive."""
    volts: SupplyAmps = NO_READING
    imported_wh: SupplyAmps = NO_READING
    exported_wh: SupplyAmps = NO_READING

    @property
    def watts(self) -> SupplyAmps:
        """Return the power of each phase, import positive."""
        amps, volts = self.amps, self.volts
        return (amps[0] * volts[0], amps[1] * volts[1], amps[2] * volts[2])


class MeterImage(Protocol):
    """The registers of one kind of meter."""

    def show(self, reading: MeterReading) -> None:
        """Take over a new reading."""

    def read(self, function: int, address: int, count: int) -> list[int]:
        """Return registers.

        Raises:
            NoSuchRegister: one of them does not exist for this function.
        """


class SunSpecImage:
    """A SunSpec meter in holding registers."""

    COMMON_LENGTH = 66
    METER_MODEL = 203
    METER_LENGTH = 105
    NOT_INT16 = 0x8000
    NOT_ACC32 = 0

    def __init__(
        self, *, base: int = 40000, serial: str = "SIM-0001", amps_scale: int = -2, watts_scale: int = 1
    ) -> None:
        """Lay out the chain of models; scales are powers of ten of one register step."""
        self._base = base
        self._amps_scale = amps_scale
        self._watts_scale = watts_scale
        common = [1, self.COMMON_LENGTH, *_text("Simulated", 16), *_text("Supply meter", 16), *_text("", 8)]
        common += [*_text("1.0", 8), *_text(serial, 16), 1, 0x8000]
        self._head = [0x5375, 0x6E53, *common]
        self._meter: list[int] = []
        self.show(MeterReading())

    def show(self, reading: MeterReading) -> None:
        """Write a reading into the meter model."""
        model = [self.NOT_INT16] * (self.METER_LENGTH + 2)
        model[0], model[1] = self.METER_MODEL, self.METER_LENGTH
        watts = reading.watts
        self._place(model, 2, (sum(reading.amps), *reading.amps), self._amps_scale, 6)
        self._place(model, 7, (sum(reading.volts) / 3.0, *reading.volts), -1, 15)
        self._place(model, 16, (FREQUENCY_HZ,), -2, 17)
        self._place(model, 18, (sum(watts), *watts), self._watts_scale, 22)
        for first, energies in ((38, reading.exported_wh), (46, reading.imported_wh)):
            for position, energy in enumerate((sum(energies), *energies)):
                count = self.NOT_ACC32 if math.isnan(energy) else round(energy) & 0xFFFFFFFF
                model[first + 2 * position : first + 2 * position + 2] = [count >> 16, count & 0xFFFF]
        model[54] = 0
        model[self.METER_LENGTH] = model[self.METER_LENGTH + 1] = 0  # no events
        self._meter = [*self._head, *model, 0xFFFF, 0]

    def read(self, function: int, address: int, count: int) -> list[int]:
        """Return registers of the chain."""
        first = address - self._base
        if function != READ_HOLDING or first < 0 or first + count > len(self._meter):
            raise NoSuchRegister
        return self._meter[first : first + count]

    def _place(self, model: list[int], first: int, values: tuple[float, ...], scale: int, scale_at: int) -> None:
        model[scale_at] = scale & 0xFFFF
        for position, value in enumerate(values):
            if math.isnan(value):
                continue
            raw = round(value / 10.0**scale)
            model[first + position] = max(-0x7FFF, min(0x7FFF, raw)) & 0xFFFF


class EastronImage:
    """An Eastron SDM630 in input registers: 32-bit floats, high word first."""

    LAST = 0x17F

    def __init__(self) -> None:
        """Begin with no current."""
        self._values: dict[int, float] = {}
        self.show(MeterReading())

    def show(self, reading: MeterReading) -> None:
        """Write a reading."""
        watts = reading.watts
        values = {52: sum(watts), 70: FREQUENCY_HZ}
        for phase in (0, 1, 2):
            values[2 * phase] = reading.volts[phase]
            values[6 + 2 * phase] = reading.amps[phase]
            values[12 + 2 * phase] = watts[phase]
            values[30 + 2 * phase] = 1.0
            values[346 + 2 * phase] = reading.imported_wh[phase] / 1000.0
            values[352 + 2 * phase] = reading.exported_wh[phase] / 1000.0
        values[72] = sum(reading.imported_wh) / 1000.0
        values[74] = sum(reading.exported_wh) / 1000.0
        values[342] = values[72] + values[74]
        self._values = values

    def read(self, function: int, address: int, count: int) -> list[int]:
        """Return registers; places without a value read 0."""
        if function != READ_INPUT or address < 0 or address + count - 1 > self.LAST:
            raise NoSuchRegister
        registers = []
        for register in range(address, address + count):
            words = struct.unpack(">HH", struct.pack(">f", self._values.get(register & ~1, 0.0)))
            registers.append(words[register & 1])
        return registers


def _text(text: str, registers: int) -> list[int]:
    raw = text.encode("ascii")[: 2 * registers].ljust(2 * registers, b"\0")
    return list(struct.unpack(f">{registers}H", raw))
