"""Sensors: what is measured, decided and counted, of every connector, charge point, circuit, meter and tariff."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import ChargeClusterConfigEntry
from .entity import described
from .sensors.charge_point import CHARGE_POINT_SENSORS, ChargePointSensor
from .sensors.circuit import circuit_sensors
from .sensors.connector import connector_sensors
from .sensors.meter import meter_sensors
from .sensors.tariff import tariff_sensors

PARALLEL_UPDATES = 0


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
