"""What is told of a meter."""

from collections.abc import Iterable
from dataclasses import dataclass

from homeassistant.components.sensor import SensorDeviceClass, SensorEntityDescription
from homeassistant.const import UnitOfElectricPotential
from homeassistant.helpers.entity import Entity

from ..coordinator import SiteCoordinator, Subject
from ..entity import MeterEntity, Shows, always, described
from ..meters import FaultKey
from ..site.views import MeterView
from .shown import (
    COMMISSIONED,
    COUNT,
    DIAGNOSTIC,
    MEASURED_AMPS,
    MEASURED_WATTS,
    NOISE_V,
    OFF,
    REGISTER,
    SECONDS,
    Sensor,
    kwh,
    named,
    phase_of,
    phases_of,
)

NO_FAULT = "none"


@dataclass(frozen=True, kw_only=True)
class MeterSensorDescription(SensorEntityDescription, Shows[MeterView]):
    """Something to be told of a meter."""


def meter_phase_sensors(phase: int) -> tuple[MeterSensorDescription, ...]:
    """Return the sensors that a meter has of each phase."""
    name = f"l{phase + 1}"
    return (
        MeterSensorDescription(
            **named(f"current_{name}"), **MEASURED_AMPS, value_fn=lambda view: phase_of(view.amps, phase)
        ),
        MeterSensorDescription(
            **named(f"voltage_{name}"),
            **COUNT,
            **OFF,
            device_class=SensorDeviceClass.VOLTAGE,
            native_unit_of_measurement=UnitOfElectricPotential.VOLT,
            value_fn=lambda view: phase_of(view.voltage_v, phase),
            measured=True,
            least_change=NOISE_V,
        ),
    )


METER_SENSORS = (
    MeterSensorDescription(**COMMISSIONED),
    MeterSensorDescription(
        **named("power"),
        **MEASURED_WATTS,
        value_fn=lambda view: None if view.power_w is None else round(view.power_w),
    ),
    MeterSensorDescription(**named("energy_import"), **REGISTER, value_fn=lambda view: kwh(view.energy_import_wh)),
    MeterSensorDescription(
        **named("energy_export"), **REGISTER, **OFF, value_fn=lambda view: kwh(view.energy_export_wh)
    ),
    MeterSensorDescription(
        **named("age"),
        **SECONDS,
        **OFF,
        **DIAGNOSTIC,
        suggested_display_precision=1,
        value_fn=lambda view: None if view.age_s is None else round(view.age_s, 1),
        available_fn=always,
        measured=True,
        least_change=1.0,
    ),
    MeterSensorDescription(
        **named("fault"),
        **DIAGNOSTIC,
        device_class=SensorDeviceClass.ENUM,
        options=[NO_FAULT, *(fault.value for fault in FaultKey)],
        value_fn=lambda view: NO_FAULT if view.fault is None else view.fault,
        available_fn=always,
    ),
)


class MeterSensor(Sensor[MeterView], MeterEntity):
    """What is told of a meter."""

    entity_description: MeterSensorDescription


def meter_sensors(coordinator: SiteCoordinator, subject: Subject) -> Iterable[Entity]:
    """Return the sensors of a meter, without the phases that its site does not have."""
    phases = (sensor for phase in phases_of(coordinator) for sensor in meter_phase_sensors(phase))
    return described(MeterSensor, (*phases, *METER_SENSORS))(coordinator, subject)
