"""Sensors: what is measured, decided and counted, of every connector, charge point, circuit and meter.

Eight entities of a connector are shown unless a user wants more: those that say what it does, why, and how much it has
charged. Everything else is there, disabled, so that three hundred connectors do not flood the recorder. What is
measured is marked as such and written seldom; what is decided is written at once (see `entity`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import (
    PERCENTAGE,
    EntityCategory,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfPower,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .chargers import HeldBack
from .const import ONE_PHASE, Key
from .coordinator import ChargeClusterConfigEntry, SiteCoordinator, Subject
from .engine.model import PHASES, PhaseAmps, Reason, VehicleState
from .entity import (
    ChargePointEntity,
    CircuitEntity,
    ConnectorEntity,
    MeterEntity,
    Shows,
    SubjectEntity,
    TariffEntity,
    always,
    described,
)
from .meters import FaultKey
from .site.bill import NO_COSTS, CostView
from .site.billing import MONTH, MonthView
from .site.commissioning.findings import CommissionedState
from .site.outlook import expected_wh
from .site.solar import has_generation
from .site.tariffs import EMISSIONS, PRICE, CurveView, Tariffs
from .site.views import CapView, ChargePointView, CircuitView, ConnectorView, MeterView

PARALLEL_UPDATES = 0

WH_PER_KWH = 1000.0
NO_FAULT = "none"

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


@dataclass(frozen=True, kw_only=True)
class ConnectorSensorDescription(SensorEntityDescription, Shows[ConnectorView]):
    """Something to be told of a connector."""

    reset_fn: Callable[[ConnectorView], datetime | None] = lambda _view: None
    """Since when a total counts."""
    money: bool = False
    """Whether it is in the currency of the site."""


@dataclass(frozen=True, kw_only=True)
class ChargePointSensorDescription(SensorEntityDescription, Shows[ChargePointView]):
    """Something to be told of a charge point as a whole."""


@dataclass(frozen=True, kw_only=True)
class CircuitSensorDescription(SensorEntityDescription, Shows[CircuitView]):
    """Something to be told of the supply or a cluster."""


@dataclass(frozen=True, kw_only=True)
class MeterSensorDescription(SensorEntityDescription, Shows[MeterView]):
    """Something to be told of a meter."""


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


def money(amount: float | None) -> float | None:
    """Return an amount as it is shown."""
    return None if amount is None else round(amount, MONEY_DIGITS)


def _about_cost(view: ConnectorView) -> dict[str, Any]:
    """Return what a cost leaves out."""
    return {"unpriced_kwh": round(_costs(view).unpriced_wh / WH_PER_KWH, 3)}


def _about_plan(view: ConnectorView) -> dict[str, Any]:
    """Return what a plan rests on."""
    plan = view.plan
    leave_at = None if plan is None else moment(plan.leave_at)
    return {
        "leave_at": None if leave_at is None else leave_at.isoformat(),
        "leave_by": None if plan is None or plan.leave_by is None else plan.leave_by.value,
    }


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
        **named("planned_energy"), **OFF, **KWH_OF_PLAN, value_fn=_planned_energy, available_fn=always
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

CHARGE_POINT_SENSORS = (
    ChargePointSensorDescription(**COMMISSIONED),
    ChargePointSensorDescription(
        **named("last_heard"),
        **OFF,
        **DIAGNOSTIC,
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda view: moment(view.last_heard_at),
        available_fn=always,
    ),
)


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


@dataclass(frozen=True, kw_only=True)
class TariffSensorDescription(SensorEntityDescription, Shows[Tariffs]):
    """Something to be told of tariffs."""


def _ahead(view: CurveView, digits: int) -> dict[str, Any]:
    """Return what is known of a price or of emissions over time, and how well."""
    known_until = moment(view.known_until)
    return {
        "sources": list(view.sources),
        "degraded": list(view.degraded),
        "known_until": None if known_until is None else known_until.isoformat(),
        "forecast": [
            {
                "start": datetime.fromtimestamp(point.start, UTC).isoformat(),
                "end": datetime.fromtimestamp(point.end, UTC).isoformat(),
                "value": round(point.price, digits),
            }
            for point in view.forecast
        ],
    }


PRICE_DIGITS = 5

TARIFF_SENSORS: Mapping[str, tuple[TariffSensorDescription, ...]] = {
    PRICE: (
        TariffSensorDescription(
            **named("price"),
            state_class=SensorStateClass.MEASUREMENT,
            suggested_display_precision=3,
            value_fn=lambda tariffs: None if tariffs.price.now is None else round(tariffs.price.now, PRICE_DIGITS),
            attributes_fn=lambda tariffs: _ahead(tariffs.price, PRICE_DIGITS),
        ),
    ),
    EMISSIONS: (
        TariffSensorDescription(
            **named("co2"),
            state_class=SensorStateClass.MEASUREMENT,
            suggested_display_precision=0,
            native_unit_of_measurement="gCO2eq/kWh",
            value_fn=lambda tariffs: None if tariffs.emissions.now is None else round(tariffs.emissions.now, 1),
            attributes_fn=lambda tariffs: _ahead(tariffs.emissions, 1),
        ),
    ),
}
"""By what they are of."""


@dataclass(frozen=True, kw_only=True)
class MonthSensorDescription(SensorEntityDescription, Shows[MonthView]):
    """Something to be told of what a month has cost."""


def _of_month(view: MonthView) -> dict[str, Any]:
    return {
        "sessions": view.sessions,
        "energy_kwh": round(view.energy_wh / WH_PER_KWH, 3),
        "unpriced_kwh": round(view.unpriced_wh / WH_PER_KWH, 3),
    }


MONTH_TOTAL: Mapping[str, Any] = {
    "device_class": SensorDeviceClass.MONETARY,
    "state_class": SensorStateClass.TOTAL,
    "suggested_display_precision": 2,
}

MONTH_SENSORS = (
    MonthSensorDescription(
        **named("month_cost"), **MONTH_TOTAL, value_fn=lambda month: money(month.cost), attributes_fn=_of_month
    ),
    MonthSensorDescription(**named("month_saving"), **MONTH_TOTAL, value_fn=lambda month: money(month.saving)),
)
"""Of the sessions that have ended in it."""


class _Sensor[ViewT](SubjectEntity[ViewT], SensorEntity):
    """A sensor that shows what its description takes out of the picture."""

    @property
    @override
    def native_value(self) -> Any:
        return self.value


class ConnectorSensor(_Sensor[ConnectorView], ConnectorEntity):
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


class ChargePointSensor(_Sensor[ChargePointView], ChargePointEntity):
    """What is told of a charge point."""

    entity_description: ChargePointSensorDescription


class CircuitSensor(_Sensor[CircuitView], CircuitEntity):
    """What is told of the supply or a cluster."""

    entity_description: CircuitSensorDescription


class MeterSensor(_Sensor[MeterView], MeterEntity):
    """What is told of a meter."""

    entity_description: MeterSensorDescription


class TariffSensor(_Sensor[Tariffs], TariffEntity):
    """What is told of prices or emissions; what is known ahead is for charts, not for the recorder."""

    entity_description: TariffSensorDescription
    _unrecorded_attributes = frozenset({"forecast"})

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        unit = self.entity_description.native_unit_of_measurement
        return f"{self.coordinator.site.tariffs.currency}/kWh" if unit is None else unit


class MonthSensor(_Sensor[MonthView]):
    """What the sessions have cost that ended in this month; on the site's device, where there are prices."""

    entity_description: MonthSensorDescription

    @override
    def picture(self) -> MonthView:
        return self.coordinator.site.billing.month

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.site.subscribe(MONTH, self._changed))

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        return self.picture().currency

    @property
    @override
    def last_reset(self) -> datetime | None:
        return moment(self.picture().start)


def phases_of(coordinator: SiteCoordinator) -> tuple[int, ...]:
    """Return the phases that the supply of a site has."""
    return PHASES[:1] if coordinator.entry.data.get(Key.PHASES) == ONE_PHASE else PHASES


def connector_sensors(coordinator: SiteCoordinator, subject: Subject) -> Iterable[Entity]:
    """Return the sensors of a connector, without the phases that its site does not have."""
    phases = (sensor for phase in phases_of(coordinator) for sensor in connector_phase_sensors(phase))
    return described(ConnectorSensor, (*phases, *CONNECTOR_SENSORS))(coordinator, subject)


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


def meter_sensors(coordinator: SiteCoordinator, subject: Subject) -> Iterable[Entity]:
    """Return the sensors of a meter, without the phases that its site does not have."""
    phases = (sensor for phase in phases_of(coordinator) for sensor in meter_phase_sensors(phase))
    return described(MeterSensor, (*phases, *METER_SENSORS))(coordinator, subject)


def tariff_sensors(coordinator: SiteCoordinator, subject: Subject) -> Iterable[Entity]:
    """Return the sensors of what tariffs say of one thing."""
    yield from described(TariffSensor, TARIFF_SENSORS.get(subject.subject_id, ()))(coordinator, subject)
    if subject.subject_id == PRICE:
        yield from described(MonthSensor, MONTH_SENSORS)(coordinator, subject)


async def async_setup_entry(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the sensors of everything that is there and that comes."""
    del hass
    entry.runtime_data.coordinator.add_platform(
        async_add_entities,
        connector=connector_sensors,
        charge_point=described(ChargePointSensor, CHARGE_POINT_SENSORS),
        circuit=circuit_sensors,
        meter=meter_sensors,
        tariff=tariff_sensors,
    )
