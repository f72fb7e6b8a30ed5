"""What the meter inside a charge point reports: sampled values, rightly or wrongly."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..physics import Outlet

TEMPERATURE_C = 31.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """How values are worded."""

    context: str
    register_offset_wh: float = 0.0
    """Taken off the energy register (registers that begin at 0 with each transaction)."""
    energy_in_kwh: bool = False
    single_phase: bool = False


def sampled_values(
    outlet: Outlet, volts: float, measurands: Sequence[str], reporting: Reporting
) -> list[dict[str, str]]:
    """Return the values of the outlet now, as OCPP writes them."""
    values: list[dict[str, str]] = []

    def add(measurand: str, value: str, unit: str, phase: str | None = None) -> None:
        sampled = {"value": value, "context": reporting.context, "measurand": measurand, "unit": unit}
        if phase is not None:
            sampled["phase"] = phase
        values.append(sampled)

    shown = 1 if reporting.single_phase else outlet.phases
    for measurand in measurands:
        match measurand:
            case "Current.Import":
                for terminal in range(shown):
                    add(measurand, f"{outlet.drawn[terminal]:.2f}", "A", f"L{terminal + 1}")
            case "Voltage":
                for terminal in range(shown):
                    add(measurand, f"{volts:.1f}", "V", f"L{terminal + 1}-N")
            case "Power.Active.Import":
                add(measurand, f"{sum(outlet.drawn) * volts:.0f}", "W")
            case "Energy.Active.Import.Register":
                energy = outlet.register_wh - reporting.register_offset_wh
                if reporting.energy_in_kwh:
                    add(measurand, f"{energy / 1000.0:.3f}", "kWh")
                else:
                    add(measurand, f"{energy:.0f}", "Wh")
            case "Current.Offered":
                add(measurand, f"{outlet.offered_a:.1f}", "A")
            case "Power.Offered":
                add(measurand, f"{outlet.offered_a * volts * outlet.phases:.0f}", "W")
            case "Temperature":
                add(measurand, f"{TEMPERATURE_C:.1f}", "Celsius")
    return values
