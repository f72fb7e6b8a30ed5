"""What the meter inside a charge point reports: sampled values, rightly or wrongly."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..physics import Outlet

TEMPERATURE_C = 31.0

ENERGY_REGISTER = "Energy.Active.Import.Register"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """How values are worded."""

    context: str
    register_offset_wh: float = 0.0
    """Taken off the energy register (registers that begin at 0 with each transaction)."""
    energy_in_kwh: bool = False
    single_phase: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """An outlet at the moment of sampling."""

    outlet: Outlet
    volts: float
    reporting: Reporting

    @property
    def terminals(self) -> range:
        """Return the terminals that are reported."""
        return range(1 if self.reporting.single_phase else self.outlet.phases)


@dataclass(frozen=True, slots=True)
class Value:
    """One value; without a phase it is of all of them."""

    text: str
    unit: str
    phase: str | None = None


def sampled_values(instant: Instant, measurands: Sequence[str]) -> list[dict[str, str]]:
    """Return the values of an outlet, as OCPP writes them."""
    sampled = []
    for measurand in measurands:
        for value in _METERS[measurand](instant):
            one = {
                "value": value.text,
                "context": instant.reporting.context,
                "measurand": measurand,
                "unit": value.unit,
            }
            if value.phase is not None:
                one["phase"] = value.phase
            sampled.append(one)
    return sampled


def _current(instant: Instant) -> Iterator[Value]:
    for terminal in instant.terminals:
        yield Value(f"{instant.outlet.drawn[terminal]:.2f}", "A", f"L{terminal + 1}")


def _voltage(instant: Instant) -> Iterator[Value]:
    for terminal in instant.terminals:
        yield Value(f"{instant.volts:.1f}", "V", f"L{terminal + 1}-N")


def _power(instant: Instant) -> Iterator[Value]:
    yield Value(f"{sum(instant.outlet.drawn) * instant.volts:.0f}", "W")


def _energy(instant: Instant) -> Iterator[Value]:
    energy_wh = instant.outlet.register_wh - instant.reporting.register_offset_wh
    if instant.reporting.energy_in_kwh:
        yield Value(f"{energy_wh / 1000.0:.3f}", "kWh")
    else:
        yield Value(f"{energy_wh:.0f}", "Wh")


def _current_offered(instant: Instant) -> Iterator[Value]:
    yield Value(f"{instant.outlet.offered_a:.1f}", "A")


def _power_offered(instant: Instant) -> Iterator[Value]:
    yield Value(f"{instant.outlet.offered_a * instant.volts * instant.outlet.phases:.0f}", "W")


def _temperature(instant: Instant) -> Iterator[Value]:  # noqa: ARG001 - the cabinet keeps its temperature
    yield Value(f"{TEMPERATURE_C:.1f}", "Celsius")


_METERS: dict[str, Callable[[Instant], Iterator[Value]]] = {
    "Current.Import": _current,
    "Current.Offered": _current_offered,
    ENERGY_REGISTER: _energy,
    "Power.Active.Import": _power,
    "Power.Offered": _power_offered,
    "Temperature": _temperature,
    "Voltage": _voltage,
}

MEASURANDS = tuple(_METERS)
