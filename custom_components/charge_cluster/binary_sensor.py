"""Binary sensors: connections, plugs, and the few things that are either well or not.

What warns (a ceiling that holds back, a meter that cannot be trusted, a fallback that is not in place) is written at
once and stays available whatever else has failed.
"""

from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import ChargeClusterConfigEntry
from .engine.model import VehicleState
from .entity import (
    ChargePointEntity,
    CircuitEntity,
    ConnectorEntity,
    MeterEntity,
    Shows,
    SubjectEntity,
    always,
    described,
)
from .site.views import ChargePointView, CircuitView, ConnectorView, MeterView

PARALLEL_UPDATES = 0


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


CONNECTOR_BINARY_SENSORS = (
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
    )
