"""Actions about drivers: who may charge where only known drivers may. They are known to all sites alike.

A driver is somebody's name beside the token of a card, so all of this is for administrators.
"""

from collections.abc import Mapping
from datetime import time
from typing import Any

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util.json import JsonObjectType

from ..const import DOMAIN
from ..ledger.drivers import MOST_DRIVERS, DriverRecord, TooManyDrivers
from ..ocpp.tokens import TokenType, token_type
from ..session_wishes import MOST_WANTED_KWH, WH_PER_KWH
from ..site.installation import Installation
from ..site.session_wish import FULL_SOC
from .fields import at_once, group, id_tag, posix, priority, text, time_of_day
from .ledger_errors import told
from .sentences import spoken
from .target import the_installation

ID_TAG = "id_tag"
NAME = "name"
ENABLED = "enabled"
EXPIRES_AT = "expires_at"
PRIORITY = "priority"
TYPE = "type"
GROUP = "group"
AT_ONCE = "at_once"
LEAVE_BY = "leave_by"
ENERGY_KWH = "energy_kwh"
TARGET_SOC = "target_soc"
BATTERY_KWH = "battery_kwh"
BATTERY_ENTITY = "battery_entity"

MOST_TOLD = 5_000
"""In one answer."""


def read_type(word: str) -> TokenType:
    """Return what a token is, however it is written."""
    kind = token_type(word)
    if kind is None:
        raise vol.Invalid("This is no type of token")
    return kind


usual_kwh = vol.All(vol.Coerce(float), vol.Range(min=0.1, max=MOST_WANTED_KWH))
"""What is usually taken: a session that is to take nothing is not plugged in."""

usual_soc = vol.All(vol.Coerce(float), vol.Range(min=1.0, max=FULL_SOC))

OF_DRIVER = {
    vol.Required(NAME): text,
    vol.Optional(ENABLED, default=True): cv.boolean,
    vol.Optional(EXPIRES_AT): posix,
    vol.Optional(PRIORITY): vol.Any(None, priority),
    vol.Optional(TYPE): vol.Any(None, vol.All(cv.string, read_type)),
    vol.Optional(GROUP): vol.Any(None, group),
    vol.Optional(AT_ONCE): vol.Any(None, at_once),
    vol.Optional(LEAVE_BY): vol.Any(None, time_of_day),
    vol.Optional(ENERGY_KWH): vol.Any(None, usual_kwh),
    vol.Optional(TARGET_SOC): vol.Any(None, usual_soc),
    vol.Optional(BATTERY_KWH): vol.Any(None, usual_kwh),
    vol.Optional(BATTERY_ENTITY): vol.Any(None, cv.entity_id),
}
"""What can be said of a driver beside the token."""

SET_DRIVER = vol.Schema({vol.Required(ID_TAG): id_tag, **OF_DRIVER})
REMOVE_DRIVER = vol.Schema({vol.Required(ID_TAG): id_tag})
GET_DRIVERS = vol.Schema({})


@told
async def set_driver(call: ServiceCall) -> None:
    """Add a driver, or replace what is known of one."""
    await put(the_installation(call.hass), driver_of(call.data[ID_TAG], call.data))


def driver_of(id_tag: str, data: Mapping[str, Any], *, kind: TokenType | None = None) -> DriverRecord:
    """Return the driver that the fields of a call describe; `kind` where they do not say what the token is.

    Raises ServiceValidationError.
    """
    if data.get(TARGET_SOC) is not None and data.get(BATTERY_KWH) is None:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="battery_of_driver_unknown")
    return DriverRecord(
        id_tag=id_tag,
        name=data[NAME],
        enabled=data[ENABLED],
        expires_at=data.get(EXPIRES_AT),
        priority=data.get(PRIORITY),
        kind=data.get(TYPE) or kind,
        group=data.get(GROUP),
        at_once=data.get(AT_ONCE),
        leave_by_s=data.get(LEAVE_BY),
        usual_wh=None if (usual := data.get(ENERGY_KWH)) is None else WH_PER_KWH * usual,
        target_soc=data.get(TARGET_SOC),
        battery_wh=None if (battery := data.get(BATTERY_KWH)) is None else WH_PER_KWH * battery,
        battery_entity=data.get(BATTERY_ENTITY),
    )


async def put(installation: Installation, driver: DriverRecord) -> None:
    """Have a driver known from now on. Raises ServiceValidationError, StoreUnavailable."""
    try:
        await installation.ledger.drivers.put(driver)
    except TooManyDrivers as error:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="too_many_drivers",
            translation_placeholders={"most": str(MOST_DRIVERS)},
        ) from error
    for site in installation.sites().values():
        site.cards.taken_up(driver.id_tag)
    installation.drivers_changed()


@told
async def remove_driver(call: ServiceCall) -> None:
    """Remove a driver and what was learned of its habits; what it charged stays recorded."""
    installation = the_installation(call.hass)
    if not await installation.ledger.drivers.remove(call.data[ID_TAG]):
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="unknown_driver")
    await installation.forget_habits(call.data[ID_TAG])
    installation.drivers_changed()


@told
async def get_drivers(call: ServiceCall) -> ServiceResponse:
    """Return the drivers by name."""
    known = await the_installation(call.hass).ledger.drivers.all()
    return {
        "drivers": [spoken_driver(driver) for driver in known[:MOST_TOLD]],
        "complete": len(known) <= MOST_TOLD,
    }


def spoken_driver(driver: DriverRecord) -> JsonObjectType:
    """Return a driver as answers give it."""
    return {
        ID_TAG: driver.id_tag,
        NAME: driver.name,
        ENABLED: driver.enabled,
        EXPIRES_AT: spoken(driver.expires_at),
        PRIORITY: driver.priority,
        TYPE: None if driver.kind is None else driver.kind.value,
        GROUP: driver.group,
        AT_ONCE: driver.at_once,
        LEAVE_BY: None if driver.leave_by_s is None else _clock_time(driver.leave_by_s),
        ENERGY_KWH: None if driver.usual_wh is None else driver.usual_wh / WH_PER_KWH,
        TARGET_SOC: driver.target_soc,
        BATTERY_KWH: None if driver.battery_wh is None else driver.battery_wh / WH_PER_KWH,
        BATTERY_ENTITY: driver.battery_entity,
    }


def _clock_time(seconds: float) -> str:
    """Return what a clock shows so many seconds after midnight."""
    minutes, second = divmod(round(seconds), 60)
    return time(minutes // 60, minutes % 60, second).isoformat()
