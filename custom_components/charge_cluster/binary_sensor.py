"""Binary sensors: connections, plugs, and the few things that are either well or not.

What warns (a ceiling that holds back, a meter that cannot be trusted, a fallback that is not in place) is written at
once and stays available whatever else has failed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .coordinator import ChargeClusterConfigEntry, SiteCoordinator, Subject
from .engine.model import VehicleState
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
from .site.tariffs import OFF_PEAK, Tariffs
from .site.views import ChargePointView, CircuitView, ConnectorView, MeterView

PARALLEL_UPDATES = 0

WH_PER_KWH = 1000.0


@dataclass(frozen=True, kw_only=True)
class ConnectorBinarySensorDescription(BinarySensorEntityDescription, Shows[ConnectorView]):
    """Something that is so or not at a connector."""


@dataclass(frozen=True, kw_only=True)
class ChargePointBinarySensorDescription(BinarySensorEntityDescription, Shows[ChargePointView]):
    """Something that is so or not at a charge point."""


@dataclass(frozen=True, kw_only=True)
class CircuitBinarySensorDescription(BinarySensorEntityDescription, Shows[CircuitView]):
    """Something that is so or not on the supply or in a cluster."""


@dataclass(frozen=True, kw_only=True)
class MeterBinarySensorDescription(BinarySensorEntityDescription, Shows[MeterView]):
    """Something that is so or not with a meter."""


def _plugged_in(view: ConnectorView) -> bool | None:
    """Return whether a vehicle is plugged in; None: a fault or silence hides it."""
    if view.vehicle in (VehicleState.WANTS, VehicleState.SATED):
        return True
    return False if view.vehicle is VehicleState.ABSENT else None


def _cannot_be_met(view: ConnectorView) -> bool | None:
    """Return whether what was asked for cannot be had in time; None: nothing is plugged in."""
    return None if view.session is None else view.plan is not None and view.plan.impossible


def _what_lacks(view: ConnectorView) -> dict[str, Any]:
    plan = view.plan if view.plan is not None and view.plan.impossible else None
    return {
        "shortfall_kwh": None if plan is None else plan.shortfall_wh / WH_PER_KWH,
        "possible_at": None
        if plan is None or plan.possible_at is None
        else dt_util.utc_from_timestamp(round(plan.possible_at)).isoformat(),
    }


CONNECTOR_BINARY_SENSORS = (
    ConnectorBinarySensorDescription(
        key="wish_impossible",
        translation_key="wish_impossible",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_registry_enabled_default=False,
        value_fn=_cannot_be_met,
        attributes_fn=_what_lacks,
        available_fn=always,
    ),
    ConnectorBinarySensorDescription(
        key="plugged_in",
        translation_key="plugged_in",
        device_class=BinarySensorDeviceClass.PLUG,
        entity_registry_enabled_default=False,
        value_fn=_plugged_in,
    ),
    ConnectorBinarySensorDescription(
        key="fallback_confirmed",
        translation_key="fallback_confirmed",
        entity_registry_enabled_default=False,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda view: view.fallback_confirmed,
        available_fn=always,
    ),
)

CHARGE_POINT_BINARY_SENSORS = (
    ChargePointBinarySensorDescription(
        key="connected",
        translation_key="connected",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda view: view.online,
        available_fn=always,
    ),
)

CIRCUIT_BINARY_SENSORS = (
    CircuitBinarySensorDescription(
        key="limited",
        translation_key="limited",
        value_fn=lambda view: view.limited,
    ),
    CircuitBinarySensorDescription(
        key="stale",
        translation_key="stale",
        device_class=BinarySensorDeviceClass.PROBLEM,
        value_fn=lambda view: view.stale,
    ),
    CircuitBinarySensorDescription(
        key="fallback_problem",
        translation_key="fallback_problem",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_registry_enabled_default=False,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda view: not view.fallback_fits,
    ),
)

METER_BINARY_SENSORS = (
    MeterBinarySensorDescription(
        key="reachable",
        translation_key="reachable",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda view: view.available,
        available_fn=always,
    ),
)


@dataclass(frozen=True, kw_only=True)
class TariffBinarySensorDescription(BinarySensorEntityDescription, Shows[Tariffs]):
    """Something that is so or not by the tariffs of a site."""


def _off_peak(tariffs: Tariffs) -> dict[str, Any]:
    changes_at = tariffs.off_peak_now.changes_at
    return {
        "sources": list(tariffs.off_peak_now.sources),
        "changes_at": None if changes_at is None else datetime.fromtimestamp(changes_at, UTC).isoformat(),
    }


TARIFF_BINARY_SENSORS = (
    TariffBinarySensorDescription(
        key="now",
        translation_key="off_peak",
        value_fn=lambda tariffs: tariffs.off_peak_now.now,
        attributes_fn=_off_peak,
    ),
)
"""Of off-peak times."""


class _BinarySensor[ViewT](SubjectEntity[ViewT], BinarySensorEntity):
    """A binary sensor that shows what its description takes out of the picture."""

    @property
    @override
    def is_on(self) -> bool | None:
        on: bool | None = self.value
        return on


class ConnectorBinarySensor(_BinarySensor[ConnectorView], ConnectorEntity):
    """What is so or not at a connector."""

    entity_description: ConnectorBinarySensorDescription


class ChargePointBinarySensor(_BinarySensor[ChargePointView], ChargePointEntity):
    """What is so or not at a charge point."""

    entity_description: ChargePointBinarySensorDescription


class CircuitBinarySensor(_BinarySensor[CircuitView], CircuitEntity):
    """What is so or not on the supply or in a cluster."""

    entity_description: CircuitBinarySensorDescription


class MeterBinarySensor(_BinarySensor[MeterView], MeterEntity):
    """What is so or not with a meter."""

    entity_description: MeterBinarySensorDescription


class TariffBinarySensor(_BinarySensor[Tariffs], TariffEntity):
    """What is so or not by the tariffs of a site."""

    entity_description: TariffBinarySensorDescription


def tariff_binary_sensors(coordinator: SiteCoordinator, subject: Subject) -> Iterable[Entity]:
    """Return the binary sensors of what tariffs say of one thing."""
    descriptions = TARIFF_BINARY_SENSORS if subject.subject_id == OFF_PEAK else ()
    return described(TariffBinarySensor, descriptions)(coordinator, subject)


async def async_setup_entry(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the binary sensors of everything that is there and that comes."""
    del hass
    entry.runtime_data.coordinator.add_platform(
        async_add_entities,
        connector=described(ConnectorBinarySensor, CONNECTOR_BINARY_SENSORS),
        charge_point=described(ChargePointBinarySensor, CHARGE_POINT_BINARY_SENSORS),
        circuit=described(CircuitBinarySensor, CIRCUIT_BINARY_SENSORS),
        meter=described(MeterBinarySensor, METER_BINARY_SENSORS),
        tariff=tariff_binary_sensors,
    )
