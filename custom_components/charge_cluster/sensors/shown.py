"""What the sensors of all kinds share: units, names, and how figures are shown."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorStateClass
from homeassistant.const import EntityCategory, UnitOfElectricCurrent, UnitOfEnergy, UnitOfPower, UnitOfTime

from ..const import ONE_PHASE, Key
from ..coordinator import SiteCoordinator
from ..engine.model import PHASES, PhaseAmps
from ..entity import SubjectEntity, always
from ..site.commissioning.findings import CommissionedState
from ..site.views import ChargePointView, MeterView

WH_PER_KWH = 1000.0

NOISE_A = 0.3
NOISE_W = 70.0
"""0.3 A at 230 V."""
NOISE_V = 1.0
NOISE_KWH = 0.1
NOISE_MONEY = 0.01
MONEY_DIGITS = 4


AMPS: Mapping[str, Any] = {
    "device_class": SensorDeviceClass.CURRENT,
    "native_unit_of_measurement": UnitOfElectricCurrent.AMPERE,
    "state_class": SensorStateClass.MEASUREMENT,
}
DECIDED_AMPS: Mapping[str, Any] = {**AMPS, "suggested_display_precision": 0}
MEASURED_AMPS: Mapping[str, Any] = {**AMPS, "suggested_display_precision": 1, "measured": True, "least_change": NOISE_A}
MEASURED_WATTS: Mapping[str, Any] = {
    "device_class": SensorDeviceClass.POWER,
    "native_unit_of_measurement": UnitOfPower.WATT,
    "suggested_unit_of_measurement": UnitOfPower.KILO_WATT,
    "state_class": SensorStateClass.MEASUREMENT,
    "suggested_display_precision": 1,
    "measured": True,
    "least_change": NOISE_W,
}
REGISTER: Mapping[str, Any] = {
    "device_class": SensorDeviceClass.ENERGY,
    "native_unit_of_measurement": UnitOfEnergy.KILO_WATT_HOUR,
    "state_class": SensorStateClass.TOTAL_INCREASING,
    "suggested_display_precision": 1,
    "measured": True,
    "least_change": NOISE_KWH,
}
SECONDS: Mapping[str, Any] = {
    "device_class": SensorDeviceClass.DURATION,
    "native_unit_of_measurement": UnitOfTime.SECONDS,
    "state_class": SensorStateClass.MEASUREMENT,
}
COUNT: Mapping[str, Any] = {"state_class": SensorStateClass.MEASUREMENT, "suggested_display_precision": 0}
TOTAL: Mapping[str, Any] = {"state_class": SensorStateClass.TOTAL_INCREASING, "suggested_display_precision": 0}
OFF: Mapping[str, Any] = {"entity_registry_enabled_default": False}
DIAGNOSTIC: Mapping[str, Any] = {"entity_category": EntityCategory.DIAGNOSTIC}


def named(key: str) -> Mapping[str, Any]:
    """Return key and name of a description: the translations go by the key."""
    return {"key": key, "translation_key": key}


def phase_of(amps: PhaseAmps | None, phase: int) -> float | None:
    """Return the value of one phase, to 0.1."""
    return None if amps is None else round(amps[phase], 1)


def by_phase(amps: PhaseAmps) -> dict[str, float]:
    """Return all three phases as attributes."""
    return {f"l{phase + 1}": round(amps[phase], 1) for phase in PHASES}


def kwh(wh: float | None) -> float | None:
    """Return an energy as it is shown."""
    return None if wh is None else wh / WH_PER_KWH


def moment(at: float | None) -> datetime | None:
    """Return a POSIX time as a date, to the second."""
    return None if at is None else datetime.fromtimestamp(round(at), UTC)


def money(amount: float | None) -> float | None:
    """Return an amount as it is shown."""
    return None if amount is None else round(amount, MONEY_DIGITS)


def _commissioned(view: ChargePointView | MeterView) -> dict[str, Any]:
    tested_at = moment(view.commissioned.tested_at)
    return {
        "tested_at": None if tested_at is None else tested_at.isoformat(),
        "verdicts": dict(view.commissioned.verdicts),
    }


COMMISSIONED: Mapping[str, Any] = {
    **named("commissioned"),
    **DIAGNOSTIC,
    "device_class": SensorDeviceClass.ENUM,
    "options": [state.value for state in CommissionedState],
    "value_fn": lambda view: view.commissioned.state.value,
    "attributes_fn": _commissioned,
    "available_fn": always,
}


class Sensor[ViewT](SubjectEntity[ViewT], SensorEntity):
    """A sensor that shows what its description takes out of the picture."""

    @property
    @override
    def native_value(self) -> Any:
        return self.value


def phases_of(coordinator: SiteCoordinator) -> tuple[int, ...]:
    """Return the phases that the supply of a site has."""
    return PHASES[:1] if coordinator.entry.data.get(Key.PHASES) == ONE_PHASE else PHASES
