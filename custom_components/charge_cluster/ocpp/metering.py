"""Sampled values turned into what a connector draws, with every oddity that has been seen in the field.

Where readings leave it open how much flows on a phase, the answer is the most that fits them: what is measured here
proves to others that current is free. One odd value never loses the rest of its message.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .conversation import Amps, Terminals
from .frames import JsonObject
from .times import read_stamp
from .voltages import LOWEST_V, NOMINAL_V

INDUCED_BELOW_V = 200.0
"""A phase below this may be an idle conductor with an induced voltage (126–140 V have been seen); no divisor."""
INDUCED_BELOW_A = 0.5
PLAUSIBLE_V = 300.0

POWER_TOLERANCE = 0.15
POWER_SLACK_W = 300.0
"""Power may exceed the sum of U × I by so much before currents count as missing."""
HARDWARE_TOLERANCE = 1.1
"""A current without phase above so many times the hardware's maximum can only be the sum of the phases."""

FULL_PERCENT = 100.0
COLDEST_C = -60.0
HOTTEST_C = 200.0

MAX_SAMPLED_VALUES = 200
MAX_MAGNITUDE = 1e12
MAX_EXPONENT = 12

BEGIN_CONTEXT = "Transaction.Begin"

WATT_HOURS = "Wh"
"""The unit of an energy that names none."""

_PHASES = {"L1": 0, "L2": 1, "L3": 2, "L1-N": 0, "L2-N": 1, "L3-N": 2}
_IGNORED_PHASES = frozenset({"N", "L1-L2", "L2-L3", "L3-L1"})

_SCALES = {
    "a": 1.0,
    "ma": 0.001,
    "v": 1.0,
    "kv": 1000.0,
    "w": 1.0,
    "kw": 1000.0,
    "va": 1.0,
    "kva": 1000.0,
    "wh": 1.0,
    "kwh": 1000.0,
    "mwh": 1_000_000.0,
    "percent": 1.0,
    "%": 1.0,
}

_SCALES_AS_WRITTEN = {"A": 1.0, "V": 1.0, "W": 1.0, "kW": 1000.0, "Wh": 1.0, "kWh": 1000.0, "Percent": 1.0}
"""As the specification writes them, which is what most chargers do."""


@dataclass(slots=True, kw_only=True)
class Sample:
    """The values of one moment, as they were told."""

    stamped_at: float | None = None
    amps: list[float | None] = field(default_factory=lambda: [None, None, None])
    total_a: float | None = None
    watts: list[float | None] = field(default_factory=lambda: [None, None, None])
    total_w: float | None = None
    volts: list[float | None] = field(default_factory=lambda: [None, None, None])
    total_v: float | None = None
    energies_wh: list[float | None] = field(default_factory=lambda: [None, None, None])
    total_wh: float | None = None
    soc_percent: float | None = None
    temperature_c: float | None = None
    offered_a: float | None = None
    """The highest of the phases that were told."""

    @property
    def power_w(self) -> float | None:
        """Return the power of all phases."""
        return self.total_w if self.total_w is not None else _sum(self.watts)

    @property
    def energy_wh(self) -> float | None:
        """Return the import register."""
        return self.total_wh if self.total_wh is not None else _sum(self.energies_wh)

    @property
    def voltage_v(self) -> Amps | None:
        """Return the phase voltages; a phase that was not told is 0."""
        if any(volts is not None for volts in self.volts):
            first, second, third = (volts or 0.0 for volts in self.volts)
            return (first, second, third)
        return None if self.total_v is None else (self.total_v, self.total_v, self.total_v)

    def divisor_v(self, phase: int) -> float:
        """Return the voltage that turns watts of a phase into no less amps than flow."""
        volts = self.volts[phase] if self.volts[phase] is not None else self.total_v
        return volts if volts is not None and INDUCED_BELOW_V <= volts <= PLAUSIBLE_V else LOWEST_V

    @property
    def flows(self) -> bool:
        """Return whether it tells of any current or power."""
        told = (*self.amps, self.total_a, *self.watts, self.total_w)
        return any(value is not None and value > 0 for value in told)


def read_samples(values: tuple[JsonObject, ...], *, wh_means: str = WATT_HOURS) -> list[Sample]:
    """Read the meter values of a message, oldest first; values of the same moment become one sample.

    `wh_means` is the unit in which energies are that are told in Wh, or without a unit.
    """
    samples: list[Sample] = []
    for value in values:
        stamped_at = read_stamp(value.get("timestamp"))
        if not samples or samples[-1].stamped_at != stamped_at:
            samples.append(Sample(stamped_at=stamped_at))
        sampled = value.get("sampledValue")
        if isinstance(sampled, dict):
            sampled = [sampled]
        if isinstance(sampled, list):
            _read_into(samples[-1], sampled[:MAX_SAMPLED_VALUES], wh_means)
    samples.sort(key=lambda sample: sample.stamped_at or math.inf)
    return samples


def _read_into(sample: Sample, sampled: list[object], wh_means: str) -> None:
    later: list[JsonObject] = []
    for value in sampled:
        if not isinstance(value, dict):
            continue
        if value.get("context") == BEGIN_CONTEXT or value.get("location") == "Inlet":
            _read_value(sample, value, wh_means)
        else:
            later.append(value)
    for value in later:
        _read_value(sample, value, wh_means)


def _read_value(sample: Sample, value: JsonObject, wh_means: str) -> None:
    measurand = value.get("measurand")
    reader = _READERS.get(measurand if isinstance(measurand, str) else _DEFAULT_MEASURAND)
    if reader is None:
        return
    number = _number(value.get("value"))
    raw_phase = value.get("phase")
    phase = raw_phase.strip().upper() if isinstance(raw_phase, str) else ""
    if number is None or phase in _IGNORED_PHASES:
        return
    unit, measure = value.get("unit"), value.get("unitOfMeasure")
    if measure is not None:
        unit, multiplier = _unit(value, measure)
        number *= multiplier
    if not isinstance(unit, str):
        unit = ""
    if wh_means is not WATT_HOURS and reader is _read_energy and unit.strip().casefold() in {"", "wh"}:
        unit = wh_means
    reader(sample, number, unit, _PHASES.get(phase))


def _unit(value: JsonObject, measure: object) -> tuple[object, float]:
    """Return the unit of a value, and what to multiply it with (OCPP 2.x)."""
    unit, exponent = value.get("unit"), None
    if isinstance(measure, dict):
        unit, exponent = measure.get("unit", unit), _number(measure.get("multiplier"))
    if exponent is None or abs(exponent) > MAX_EXPONENT:
        exponent = 0.0
    return unit, 10.0 ** round(exponent)


def _number(raw: object) -> float | None:
    if isinstance(raw, str):
        text = raw.strip()
        try:
            raw = float(text if "," not in text or "." in text else text.replace(",", "."))
        except ValueError:
            return None
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    return float(raw) if abs(raw) <= MAX_MAGNITUDE else None


def _scale(unit: str) -> float:
    known = _SCALES_AS_WRITTEN.get(unit)
    return _SCALES.get(unit.strip().casefold(), 1.0) if known is None else known


def _read_current(sample: Sample, number: float, unit: str, phase: int | None) -> None:
    amps = max(0.0, number * _scale(unit))
    if phase is None:
        sample.total_a = amps
    else:
        sample.amps[phase] = amps


def _read_power(sample: Sample, number: float, unit: str, phase: int | None) -> None:
    watts = number * _scale(unit)
    if phase is None:
        sample.total_w = watts
    else:
        sample.watts[phase] = watts


def _read_voltage(sample: Sample, number: float, unit: str, phase: int | None) -> None:
    volts = number * _scale(unit)
    if phase is None:
        sample.total_v = volts
    else:
        sample.volts[phase] = volts


def _read_energy(sample: Sample, number: float, unit: str, phase: int | None) -> None:
    energy_wh = number * _scale(unit)
    if phase is None:
        sample.total_wh = energy_wh
    else:
        sample.energies_wh[phase] = energy_wh


def _read_offered(sample: Sample, number: float, unit: str, _phase: int | None) -> None:
    sample.offered_a = max(sample.offered_a or 0.0, number * _scale(unit))


def _read_soc(sample: Sample, number: float, _unit: str, _phase: int | None) -> None:
    if 0 <= number <= FULL_PERCENT:
        sample.soc_percent = number


def _read_temperature(sample: Sample, number: float, unit: str, _phase: int | None) -> None:
    word = unit.strip().casefold()
    if word.startswith("f"):
        number = (number - 32) / 1.8
    elif word.startswith("k"):
        number -= 273.15
    if COLDEST_C <= number <= HOTTEST_C:
        sample.temperature_c = number


_DEFAULT_MEASURAND = "Energy.Active.Import.Register"

_READERS: dict[str, Callable[[Sample, float, str, int | None], None]] = {
    _DEFAULT_MEASURAND: _read_energy,
    "Current.Import": _read_current,
    "Current.Offered": _read_offered,
    "Power.Active.Import": _read_power,
    "Voltage": _read_voltage,
    "SoC": _read_soc,
    "Temperature": _read_temperature,
}


def phase_currents(sample: Sample) -> Amps | None:
    """Return what flows on each phase as it was told, by currents or powers; None where a phase was not told.

    For a meter, other than for a vehicle, nothing is assumed: what guards a circuit has to know.
    """
    if all(amps is not None for amps in sample.amps):
        first, second, third = (amps or 0.0 for amps in sample.amps)
        return (first, second, third)
    if all(watts is not None for watts in sample.watts):
        return _from_phase_powers(sample)
    return None


def fits_power(sample: Sample, amps: Amps) -> bool:
    """Return whether currents can carry the power that was told with them."""
    return not _power_unexplained(sample, list(amps))


def drawn_amps(sample: Sample, terminals: Terminals) -> Amps | None:
    """Return what flows at most on each phase of the connector, or None where nothing tells."""
    if any(amps is not None for amps in sample.amps):
        found = _from_phase_currents(sample, terminals)
    elif any(watts is not None for watts in sample.watts):
        found = _from_phase_powers(sample)
    elif sample.total_a is not None:
        found = _from_total_current(sample, sample.total_a, terminals)
    elif sample.total_w is not None:
        found = _from_power(sample, sample.total_w, terminals)
    else:
        return None
    return (max(found), 0.0, 0.0) if terminals.phases == 1 else found


def _from_phase_currents(sample: Sample, terminals: Terminals) -> Amps:
    told = [_without_induction(sample, phase) for phase in range(3)]
    if not _power_unexplained(sample, told):
        return (told[0], told[1], told[2])
    most = max(told)
    guessed = [most if sample.amps[phase] is None else told[phase] for phase in range(3)]
    if not _power_unexplained(sample, guessed):
        return (guessed[0], guessed[1], guessed[2])
    by_power = _from_power(sample, sample.power_w or 0.0, terminals)
    return (max(told[0], by_power[0]), max(told[1], by_power[1]), max(told[2], by_power[2]))


def _without_induction(sample: Sample, phase: int) -> float:
    amps, volts = sample.amps[phase] or 0.0, sample.volts[phase]
    return 0.0 if amps < INDUCED_BELOW_A and volts is not None and volts < INDUCED_BELOW_V else amps


def _power_unexplained(sample: Sample, amps: list[float]) -> bool:
    power_w = sample.power_w
    if power_w is None:
        return False
    explained = sum(amps[phase] * max(sample.divisor_v(phase), NOMINAL_V) for phase in range(3))
    return power_w > explained * (1 + POWER_TOLERANCE) + POWER_SLACK_W


def _from_phase_powers(sample: Sample) -> Amps:
    first, second, third = (max(0.0, sample.watts[phase] or 0.0) / sample.divisor_v(phase) for phase in range(3))
    return (first, second, third)


def _from_total_current(sample: Sample, total_a: float, terminals: Terminals) -> Amps:
    """A current without phase is the current of each phase or the sum of them: both fit all on one phase."""
    if _power_unexplained(sample, [total_a] * terminals.phases + [0.0] * (3 - terminals.phases)):
        by_power = _from_power(sample, sample.power_w or 0.0, terminals)
        total_a = max(total_a, by_power[0])
    if terminals.phases > 1 and total_a > terminals.maximum_a * HARDWARE_TOLERANCE:
        total_a = terminals.maximum_a
    return (total_a, total_a, total_a)


def _from_power(sample: Sample, power_w: float, terminals: Terminals) -> Amps:
    """Power alone may flow on any one phase, up to what the hardware allows."""
    lowest_v = min(sample.divisor_v(phase) for phase in range(3))
    amps = max(0.0, power_w) / lowest_v
    if terminals.phases > 1:
        amps = min(amps, terminals.maximum_a)
    return (amps, amps, amps)


def _sum(values: list[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return sum(told) if told else None


class EnergyPace:
    """Power out of the register, for chargers that tell none, or 0, while it climbs.

    Only an unbroken row of samples without current and power counts: where a vehicle has just stopped, the first of
    them still shows what it took before.
    """

    SPAN_S = 20.0
    """A register moves in steps: over less time its pace says little."""
    LONGEST_S = 120.0
    LEAST_WH = 50.0

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque()
        self._row = 0
        self.watts: float | None = None
        """None: the register says no more than the sample."""

    def feed(self, sample: Sample, total_wh: float | None, at: float) -> None:
        """Take a sample and the register at its time."""
        if sample.flows:
            self._points.clear()
            self._row, self.watts = 0, None
            return
        self._row += 1
        if total_wh is None or self._row == 1:
            return
        self._points.append((at, total_wh))
        while at - self._points[0][0] > self.LONGEST_S:
            self._points.popleft()
        began_at, began_wh = self._points[0]
        grown_wh, span_s = total_wh - began_wh, at - began_at
        enough = span_s >= self.SPAN_S and grown_wh >= self.LEAST_WH
        self.watts = grown_wh / span_s * 3600 if enough else None


class EnergyRegister:
    """A register that only grows, made of one that restarts, jumps, or goes back by a rounding."""

    BACKSTEP_WH = 10.0
    """Contexts round differently: a step back within this is none."""
    SLACK_WH = 100.0
    """Of each value: the moments at which a charger reads its register and its clock differ."""
    COARSEST_WH = 1000.0
    """Registers in whole kWh gather this much before they show it."""
    MARGIN = 1.25

    def __init__(self) -> None:
        self._total_wh: float | None = None
        self._last_wh = 0.0
        self._at = 0.0
        self._unshown_wh = 0.0
        """What may have flowed since and was not shown yet; at most as much as the coarsest register gathers."""
        self.implausible = 0
        """How many values in a row showed more than the connector can deliver."""

    @property
    def total_wh(self) -> float | None:
        """Return the register, None before the first value."""
        return self._total_wh

    def feed(self, register_wh: float, at: float, rated_w: float) -> float:
        """Take a value of the charger's register and return ours.

        Args:
            register_wh: as it was told.
            at: monotonic seconds of the value.
            rated_w: the most that the connector can deliver; what exceeds it over the time since is not counted.
        """
        if self._total_wh is None:
            self._total_wh, self._last_wh, self._at = register_wh, register_wh, at
            return register_wh
        if at < self._at or self._last_wh - self.BACKSTEP_WH <= register_wh < self._last_wh:
            return self._total_wh
        restarted = register_wh < self._last_wh
        grown_wh = max(0.0, register_wh) if restarted else register_wh - self._last_wh
        could_flow_wh = rated_w * self.MARGIN * (at - self._at) / 3600
        most_wh = self._unshown_wh + could_flow_wh + self.SLACK_WH
        self.implausible = 0 if grown_wh <= most_wh else self.implausible + 1
        counted_wh = min(grown_wh, most_wh)
        self._total_wh += counted_wh
        self._unshown_wh = min(max(0.0, self._unshown_wh + could_flow_wh - counted_wh), self.COARSEST_WH)
        self._last_wh, self._at = register_wh, at
        return self._total_wh
