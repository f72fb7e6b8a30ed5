"""What is told of a charge point as a whole."""

from dataclasses import dataclass

from homeassistant.components.sensor import SensorDeviceClass, SensorEntityDescription

from ..entity import ChargePointEntity, Shows, always
from ..site.views import ChargePointView
from .shown import COMMISSIONED, DIAGNOSTIC, OFF, Sensor, moment, named


@dataclass(frozen=True, kw_only=True)
class ChargePointSensorDescription(SensorEntityDescription, Shows[ChargePointView]):
    """Something to be told of a charge point as a whole."""


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


class ChargePointSensor(Sensor[ChargePointView], ChargePointEntity):
    """What is told of a charge point."""

    entity_description: ChargePointSensorDescription
