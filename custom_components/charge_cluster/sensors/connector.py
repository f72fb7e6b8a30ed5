"""What is told of a connector.

Eight of its entities are shown unless a user wants more: those that say what it does, why, and how much it has charged.
Everything else is there, disabled, so that three hundred connectors do not flood the recorder. What is measured is
marked as such and written seldom; what is decided is written at once (see `entity`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntityDescription, SensorStateClass
from homeassistant.const import PERCENTAGE, UnitOfEnergy, UnitOfTime
from homeassistant.helpers.entity import Entity
from homeassistant.util import dt as dt_util

from ..chargers import HeldBack
from ..coordinator import SiteCoordinator, Subject
from ..engine.model import Reason, VehicleState
from ..entity import ConnectorEntity, Shows, always, described
from ..site.bill import NO_COSTS, CostView
from ..site.outlook import expected_wh
from ..site.views import ConnectorView
from .shown import (
    COUNT,
    DECIDED_AMPS,
    DIAGNOSTIC,
    MEASURED_AMPS,
    MEASURED_WATTS,
    NOISE_KWH,
    NOISE_MONEY,
    OFF,
    REGISTER,
    SECONDS,
    TOTAL,
    WH_PER_KWH,
    Sensor,
    kwh,
    moment,
    money,
    named,
    phase_of,
    phases_of,
)


@dataclass(frozen=True, kw_only=True)
class ConnectorSensorDescription(SensorEntityDescription, Shows[ConnectorView]):
    """Something to be told of a connector."""

    reset_fn: Callable[[ConnectorView], datetime | None] = lambda _view: None
    """Since when a total counts."""
    money: bool = False
    """Whether it is in the currency of the site."""


def _session_start(view: ConnectorView) -> datetime | None:
    return None if view.session is None else moment(view.session.started_at)


def _session_duration(view: ConnectorView) -> float | None:
    if view.session is None:
        return None
    return max(0.0, round(dt_util.utcnow().timestamp() - view.session.started_at))


def _expected_energy(view: ConnectorView) -> float | None:
    return kwh(expected_wh(view, dt_util.utcnow().timestamp()))


def _next_start(view: ConnectorView) -> datetime | None:
    return None if view.plan is None else moment(view.plan.next_start)


def _completion(view: ConnectorView) -> datetime | None:
    return None if view.plan is None else moment(view.plan.completes_at)


def _planned_energy(view: ConnectorView) -> float | None:
    return None if view.plan is None else kwh(view.plan.energy_wh)


def _shortfall(view: ConnectorView) -> float | None:
    return None if view.plan is None else kwh(view.plan.shortfall_wh)


def _costs(view: ConnectorView) -> CostView:
    return NO_COSTS if view.session is None else view.session.costs


def _about_cost(view: ConnectorView) -> dict[str, Any]:
    """Return what a cost leaves out."""
    return {"unpriced_kwh": round(_costs(view).unpriced_wh / WH_PER_KWH, 3)}


def _about_energy(view: ConnectorView) -> dict[str, Any]:
    """Return who says how much it takes: where a battery's state is not known, its target is passed over."""
    plan, session = view.plan, view.session
    target = None if session is None else session.target
    return {
        "energy_by": None if plan is None or plan.wanted_by is None else plan.wanted_by.value,
        "soc_unknown": target is not None and session is not None and session.soc is None,
    }


def _about_plan(view: ConnectorView) -> dict[str, Any]:
    """Return who says when it leaves; when that is, is nobody else's business."""
    plan = view.plan
    return {"leave_by": None if plan is None or plan.leave_by is None else plan.leave_by.value}


def _why(view: ConnectorView) -> dict[str, Any]:
    expected_at = moment(view.expected_at)
    return {
        "circuit": view.reason_circuit,
        "source": view.reason_source,
        "expected_at": None if expected_at is None else expected_at.isoformat(),
        "queue_position": view.queue_position,
        "held_back_by": [_held_back(held) for held in view.held_back],
    }


def _held_back(held: HeldBack) -> str:
    """Return who holds a charge point back at its own site, and to what."""
    told = ((held.limit_a, "A"), (held.limit_w, "W"))
    return " ".join((held.source, *(f"{limit:g} {unit}" for limit, unit in told if limit is not None)))


KWH_OF_PLAN: Mapping[str, Any] = {
    "device_class": SensorDeviceClass.ENERGY,
    "native_unit_of_measurement": UnitOfEnergy.KILO_WATT_HOUR,
    "suggested_display_precision": 1,
}


MONEY: Mapping[str, Any] = {
    "device_class": SensorDeviceClass.MONETARY,
    "suggested_display_precision": 2,
    "money": True,
}


CONNECTOR_SENSORS = (
    ConnectorSensorDescription(
        **named("status"),
        device_class=SensorDeviceClass.ENUM,
        options=[state.value for state in VehicleState],
        value_fn=lambda view: view.vehicle.value,
    ),
    ConnectorSensorDescription(
        **named("power"),
        **MEASURED_WATTS,
        value_fn=lambda view: None if view.power_w is None else round(view.power_w),
    ),
    ConnectorSensorDescription(**named("energy"), **REGISTER, value_fn=lambda view: kwh(view.energy_wh)),
    ConnectorSensorDescription(**named("limit"), **DECIDED_AMPS, value_fn=lambda view: view.limit_a),
    ConnectorSensorDescription(
        **named("limit_reason"),
        device_class=SensorDeviceClass.ENUM,
        options=[reason.value for reason in Reason],
        value_fn=lambda view: view.reason.value,
        attributes_fn=_why,
        available_fn=always,
    ),
    ConnectorSensorDescription(
        **named("session_energy"),
        **{**REGISTER, "state_class": SensorStateClass.TOTAL, "suggested_display_precision": 2},
        value_fn=lambda view: None if view.session is None else kwh(view.session.energy_wh),
        reset_fn=_session_start,
        available_fn=always,
    ),
    ConnectorSensorDescription(
        **named("session_start"),
        **OFF,
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=_session_start,
        available_fn=always,
    ),
    ConnectorSensorDescription(
        **named("session_duration"),
        **SECONDS,
        **OFF,
        suggested_unit_of_measurement=UnitOfTime.MINUTES,
        suggested_display_precision=0,
        value_fn=_session_duration,
        available_fn=always,
        measured=True,
    ),
    ConnectorSensorDescription(
        **named("soc"),
        **COUNT,
        **OFF,
        device_class=SensorDeviceClass.BATTERY,
        native_unit_of_measurement=PERCENTAGE,
        value_fn=lambda view: view.soc_percent,
        measured=True,
        least_change=1.0,
    ),
    ConnectorSensorDescription(
        **named("queue_position"), **OFF, value_fn=lambda view: view.queue_position, available_fn=always
    ),
    ConnectorSensorDescription(
        **named("expected_energy"),
        **OFF,
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        value_fn=_expected_energy,
        available_fn=always,
        measured=True,
        least_change=NOISE_KWH,
    ),
    ConnectorSensorDescription(
        **named("next_start"),
        **OFF,
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=_next_start,
        available_fn=always,
    ),
    ConnectorSensorDescription(
        **named("expected_completion"),
        **OFF,
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=_completion,
        attributes_fn=_about_plan,
        available_fn=always,
    ),
    ConnectorSensorDescription(
        **named("planned_energy"),
        **OFF,
        **KWH_OF_PLAN,
        value_fn=_planned_energy,
        attributes_fn=_about_energy,
        available_fn=always,
    ),
    ConnectorSensorDescription(**named("shortfall"), **OFF, **KWH_OF_PLAN, value_fn=_shortfall, available_fn=always),
    ConnectorSensorDescription(
        **named("session_cost"),
        **MONEY,
        **OFF,
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda view: money(_costs(view).cost),
        attributes_fn=_about_cost,
        reset_fn=_session_start,
        available_fn=always,
        measured=True,
        least_change=NOISE_MONEY,
    ),
    ConnectorSensorDescription(
        **named("session_saving"),
        **MONEY,
        **OFF,
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda view: money(_costs(view).saving),
        attributes_fn=lambda view: {"against_alone": money(_costs(view).saving_against_alone)},
        reset_fn=_session_start,
        available_fn=always,
        measured=True,
        least_change=NOISE_MONEY,
    ),
    ConnectorSensorDescription(
        **named("cost_forecast"),
        **MONEY,
        **OFF,
        value_fn=lambda view: money(_costs(view).forecast),
        available_fn=always,
        measured=True,
        least_change=NOISE_MONEY,
    ),
    ConnectorSensorDescription(
        **named("saving_forecast"),
        **MONEY,
        **OFF,
        value_fn=lambda view: money(_costs(view).forecast_saving),
        attributes_fn=lambda view: {"against_alone": money(_costs(view).forecast_saving_against_alone)},
        available_fn=always,
        measured=True,
        least_change=NOISE_MONEY,
    ),
    ConnectorSensorDescription(
        **named("target"), **DECIDED_AMPS, **OFF, value_fn=lambda view: view.target_a, available_fn=always
    ),
    ConnectorSensorDescription(
        **named("worst_case"),
        **MEASURED_AMPS,
        **OFF,
        **DIAGNOSTIC,
        value_fn=lambda view: round(view.worst_case_a, 1),
        available_fn=always,
    ),
    ConnectorSensorDescription(
        **named("fallback"),
        **DECIDED_AMPS,
        **OFF,
        **DIAGNOSTIC,
        value_fn=lambda view: view.fallback_a,
        available_fn=always,
    ),
    ConnectorSensorDescription(
        **named("starts"), **TOTAL, **OFF, **DIAGNOSTIC, value_fn=lambda view: view.wear.starts, available_fn=always
    ),
    ConnectorSensorDescription(
        **named("limit_writes"),
        **TOTAL,
        **OFF,
        **DIAGNOSTIC,
        value_fn=lambda view: view.wear.passing_writes,
        available_fn=always,
    ),
    ConnectorSensorDescription(
        **named("flash_writes"),
        **TOTAL,
        **OFF,
        **DIAGNOSTIC,
        value_fn=lambda view: view.wear.lasting_writes,
        available_fn=always,
    ),
    ConnectorSensorDescription(
        **named("phases"), **OFF, **DIAGNOSTIC, value_fn=lambda view: view.phases, available_fn=always
    ),
    ConnectorSensorDescription(**named("charger_status"), **OFF, **DIAGNOSTIC, value_fn=lambda view: view.status),
    ConnectorSensorDescription(**named("error_code"), **OFF, **DIAGNOSTIC, value_fn=lambda view: view.error),
)


def connector_phase_sensors(phase: int) -> tuple[ConnectorSensorDescription, ...]:
    """Return the sensors that a connector has of each phase: what is drawn on its own terminals."""
    return (
        ConnectorSensorDescription(
            **named(f"current_l{phase + 1}"),
            **MEASURED_AMPS,
            **OFF,
            value_fn=lambda view: phase_of(view.drawn_a, phase),
        ),
    )


class ConnectorSensor(Sensor[ConnectorView], ConnectorEntity):
    """What is told of a connector."""

    entity_description: ConnectorSensorDescription

    @property
    @override
    def last_reset(self) -> datetime | None:
        view = self.picture()
        return None if view is None else self.entity_description.reset_fn(view)

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        if self.entity_description.money:
            return self.coordinator.site.tariffs.currency
        return super().native_unit_of_measurement


def connector_sensors(coordinator: SiteCoordinator, subject: Subject) -> Iterable[Entity]:
    """Return the sensors of a connector, without the phases that its site does not have."""
    phases = (sensor for phase in phases_of(coordinator) for sensor in connector_phase_sensors(phase))
    return described(ConnectorSensor, (*phases, *CONNECTOR_SENSORS))(coordinator, subject)
