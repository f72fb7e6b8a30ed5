"""What the meter inside a charge point reads, rightly or wrongly. How a reading is worded is its version's affair."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..physics import Outlet
from .misbehaviour import CurrentForm, EnergyForm

TEMPERATURE_C = 31.0

ENERGY_REGISTER = "Energy.Active.Import.Register"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """How values are worded."""

    context: str
    register_offset_wh: float = 0.0
    """Taken off the energy register (registers that begin at 0 with each transaction)."""
    energy: EnergyForm | None = None
    currents: CurrentForm | None = None
    single_phase: bool = False
    power_stays_zero: bool = False


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
    """Empty: it is not said."""
    phase: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value of one measurand, and the occasion that it was taken on."""

    measurand: str
    value: Value
    context: str


def readings_of(instant: Instant, measurands: Sequence[str]) -> list[Reading]:
    """Return what is read of an outlet."""
    return [
        Reading(measurand=measurand, value=value, context=instant.reporting.context)
        for measurand in measurands
        for value in _METERS[measurand](instant)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What flows through a circuit at the moment of sampling."""

    amps: tuple[float, float, float]
    volts: float
    imported_wh: float


def readings_of_feed(feed: Feed, measurands: Sequence[str], context: str) -> list[Reading]:
    """Return what is read of a circuit; measurands that only an outlet has say nothing."""
    phases = [(f"L{number}", amps) for number, amps in enumerate(feed.amps, start=1)]
    found = {
        "Current.Import": [Value(f"{amps:.2f}", "A", phase) for phase, amps in phases],
        "Power.Active.Import": [Value(f"{sum(feed.amps) * feed.volts:.0f}", "W")],
        ENERGY_REGISTER: [Value(f"{feed.imported_wh:.0f}", "Wh")],
        "Voltage": [Value(f"{feed.volts:.1f}", "V", f"{phase}-N") for phase, _ in phases],
    }
    return [
        Reading(measurand=measurand, value=value, context=context)
        for measurand in measurands
        for value in found.get(measurand, ())
    ]


def _current(instant: Instant) -> Iterator[Value]:
    drawn, form = instant.outlet.drawn, instant.reporting.currents
    if form is CurrentForm.TOTAL:
        yield Value(f"{sum(drawn):.2f}", "A")
        return
    if form is not CurrentForm.ONE_FOR_ALL:
        for terminal in instant.terminals:
            yield Value(f"{drawn[terminal]:.2f}", "A", f"L{terminal + 1}")
    if form is not None:
        yield Value(f"{max(drawn):.2f}", "A")


def _voltage(instant: Instant) -> Iterator[Value]:
    for terminal in instant.terminals:
        yield Value(f"{instant.volts:.1f}", "V", f"L{terminal + 1}-N")


def _power(instant: Instant) -> Iterator[Value]:
    watts = 0.0 if instant.reporting.power_stays_zero else sum(instant.outlet.drawn) * instant.volts
    yield Value(f"{watts:.0f}", "W")


def _energy(instant: Instant) -> Iterator[Value]:
    energy_wh = instant.outlet.register_wh - instant.reporting.register_offset_wh
    match instant.reporting.energy:
        case EnergyForm.KWH:
            yield Value(f"{energy_wh / 1000.0:.3f}", "kWh")
        case EnergyForm.UNNAMED_KWH:
            yield Value(f"{energy_wh / 1000.0:.3f}", "")
        case EnergyForm.WHOLE_KWH_AS_WH:
            yield Value(f"{energy_wh // 1000.0:.0f}", "Wh")
        case EnergyForm.ONE_PHASE:
            yield Value(f"{energy_wh / instant.outlet.phases:.0f}", "Wh", "L1")
        case _:
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
