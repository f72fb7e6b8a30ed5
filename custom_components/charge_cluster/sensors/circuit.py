"""What is told of the supply and of clusters."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass, SensorEntityDescription, SensorStateClass
from homeassistant.const import PERCENTAGE, UnitOfPower
from homeassistant.helpers.entity import Entity

from ..coordinator import SiteCoordinator, Subject
from ..entity import CircuitEntity, Shows, described
from ..site.solar import has_generation
from ..site.views import CapView, CircuitView
from .shown import (
    COUNT,
    DECIDED_AMPS,
    DIAGNOSTIC,
    MEASURED_AMPS,
    MEASURED_WATTS,
    OFF,
    SECONDS,
    Sensor,
    by_phase,
    moment,
    named,
    phase_of,
    phases_of,
)


@dataclass(frozen=True, kw_only=True)
class CircuitSensorDescription(SensorEntityDescription, Shows[CircuitView]):
    """Something to be told of the supply or a cluster."""


def circuit_phase_sensors(phase: int) -> tuple[CircuitSensorDescription, ...]:
    """Return the sensors that a circuit has of each phase."""
    name = f"l{phase + 1}"
    return (
        CircuitSensorDescription(
            **named(f"load_{name}"), **MEASURED_AMPS, value_fn=lambda view: phase_of(view.load_a, phase)
        ),
        CircuitSensorDescription(
            **named(f"headroom_{name}"), **MEASURED_AMPS, value_fn=lambda view: phase_of(view.headroom_a, phase)
        ),
        CircuitSensorDescription(
            **named(f"base_load_{name}"),
            **MEASURED_AMPS,
            **OFF,
            value_fn=lambda view: phase_of(view.base_load_a, phase),
        ),
        CircuitSensorDescription(
            **named(f"charging_current_{name}"),
            **MEASURED_AMPS,
            **OFF,
            value_fn=lambda view: phase_of(view.ev_load_a, phase),
        ),
    )


def _lowest(view: CircuitView, unit: str) -> CapView | None:
    """Return the lowest ceiling from outside that is given in this unit ("amps", "watts")."""
    return next((cap for cap in view.caps if getattr(cap, unit) is not None), None)


def _whose(cap: CapView | None) -> dict[str, Any]:
    if cap is None:
        return {}
    expires_at = moment(cap.expires_at)
    return {
        "source": cap.source,
        "expires_at": None if expires_at is None else expires_at.isoformat(),
        "vehicles_only": cap.vehicles_only,
        "lapsed": cap.lapsed,
    }


def _overload(view: CircuitView) -> dict[str, Any]:
    exposure = view.exposure
    if exposure is None:
        return {}
    since = moment(exposure.since)
    return {
        "device": exposure.device,
        "seconds_above_rating": exposure.above_s,
        "ampere_seconds": exposure.above_as,
        "highest": exposure.highest,
        "since": None if since is None else since.isoformat(),
        "day_seconds_above_rating": exposure.day_above_s,
        "day_highest_share": exposure.day_percent,
    }


OVERLOAD_EXPOSURE = CircuitSensorDescription(
    **named("overload_exposure"),
    **COUNT,
    **DIAGNOSTIC,
    native_unit_of_measurement=PERCENTAGE,
    value_fn=lambda view: None if view.exposure is None else view.exposure.share_percent,
    attributes_fn=_overload,
    measured=True,
    least_change=1.0,
)
"""A report of what has happened, so that it can wait like a measurement."""


DEMAND = CircuitSensorDescription(
    **named("demand"),
    **MEASURED_WATTS,
    value_fn=lambda view: view.demand_w,
)
"""The mean power of the running clock window, if nothing more flowed in it."""


SURPLUS = CircuitSensorDescription(**named("surplus"), **MEASURED_WATTS, value_fn=lambda view: view.surplus_w)
"""Of the supply alone."""


CIRCUIT_SENSORS = (
    CircuitSensorDescription(
        **named("external_cap"),
        **DECIDED_AMPS,
        **OFF,
        value_fn=lambda view: None if (cap := _lowest(view, "amps")) is None else cap.amps,
        attributes_fn=lambda view: _whose(_lowest(view, "amps")),
    ),
    CircuitSensorDescription(
        **named("external_cap_power"),
        **OFF,
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_unit_of_measurement=UnitOfPower.KILO_WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
        value_fn=lambda view: None if (cap := _lowest(view, "watts")) is None else cap.watts,
        attributes_fn=lambda view: _whose(_lowest(view, "watts")),
    ),
    CircuitSensorDescription(**named("charging_power"), **MEASURED_WATTS, value_fn=lambda view: round(view.ev_power_w)),
    CircuitSensorDescription(**named("vehicles_charging"), **COUNT, value_fn=lambda view: view.charging),
    CircuitSensorDescription(**named("waiting"), **COUNT, value_fn=lambda view: view.waiting),
    CircuitSensorDescription(
        **named("if_all_dies"),
        **DECIDED_AMPS,
        **DIAGNOSTIC,
        value_fn=lambda view: round(max(view.if_all_dies_a), 1),
        attributes_fn=lambda view: by_phase(view.if_all_dies_a),
    ),
    CircuitSensorDescription(
        **named("worst_case"),
        **MEASURED_AMPS,
        **OFF,
        **DIAGNOSTIC,
        value_fn=lambda view: round(max(view.worst_case_a), 1),
    ),
    CircuitSensorDescription(
        **named("reaction_time"),
        **SECONDS,
        **OFF,
        **DIAGNOSTIC,
        suggested_display_precision=1,
        value_fn=lambda view: round(view.reaction_time_s, 1),
        measured=True,
        least_change=0.5,
    ),
)


class CircuitSensor(Sensor[CircuitView], CircuitEntity):
    """What is told of the supply or a cluster."""

    entity_description: CircuitSensorDescription


def circuit_sensors(coordinator: SiteCoordinator, subject: Subject) -> Iterable[Entity]:
    """Return the sensors of a circuit, without the phases that its site does not have."""
    phases = (sensor for phase in phases_of(coordinator) for sensor in circuit_phase_sensors(phase))
    settings = next((c for c in coordinator.site.settings.circuits if c.circuit_id == subject.subject_id), None)
    # Where nobody told what protects a circuit there is no curve to use up, and without a cap no window to follow.
    told = settings is not None and settings.device is not None
    capped = settings is not None and settings.demand_kw is not None
    special: tuple[CircuitSensorDescription, ...] = (
        replace(OVERLOAD_EXPOSURE, entity_registry_enabled_default=told),
        replace(DEMAND, entity_registry_enabled_default=capped),
    )
    if settings is not None and settings.parent_id is None:
        sunny = has_generation(coordinator.site.settings)
        special = (*special, replace(SURPLUS, entity_registry_enabled_default=sunny))
    return described(CircuitSensor, (*phases, *CIRCUIT_SENSORS, *special))(coordinator, subject)
