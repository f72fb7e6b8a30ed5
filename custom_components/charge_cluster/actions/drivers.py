"""Actions about drivers: who may charge where only known drivers may. They are known to all sites alike.

A driver is somebody's name beside the idTag of a card, so all of this is for administrators.
"""

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import ServiceValidationError

from ..const import DOMAIN
from ..ledger.drivers import DriverRecord
from .fields import id_tag, posix, text
from .ledger_errors import told
from .sentences import spoken
from .target import the_ledger

ID_TAG = "id_tag"
NAME = "name"
ENABLED = "enabled"
EXPIRES_AT = "expires_at"

MOST_DRIVERS = 5_000
"""In one answer."""

SET_DRIVER = vol.Schema(
    {
        vol.Required(ID_TAG): id_tag,
        vol.Required(NAME): text,
        vol.Optional(ENABLED, default=True): cv.boolean,
        vol.Optional(EXPIRES_AT): posix,
    }
)
REMOVE_DRIVER = vol.Schema({vol.Required(ID_TAG): id_tag})
GET_DRIVERS = vol.Schema({})


@told
async def set_driver(call: ServiceCall) -> None:
    """Add a driver, or replace what is known of one."""
    driver = DriverRecord(
        id_tag=call.data[ID_TAG],
        name=call.data[NAME],
        enabled=call.data[ENABLED],
        expires_at=call.data.get(EXPIRES_AT),
    )
    await the_ledger(call.hass).drivers.put(driver)


@told
async def remove_driver(call: ServiceCall) -> None:
    """Remove a driver; what it charged stays recorded."""
    if not await the_ledger(call.hass).drivers.remove(call.data[ID_TAG]):
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="unknown_driver")


@told
async def get_drivers(call: ServiceCall) -> ServiceResponse:
    """Return the drivers by name."""
    known = await the_ledger(call.hass).drivers.all()
    return {
        "drivers": [
            {
                "id_tag": driver.id_tag,
                "name": driver.name,
                "enabled": driver.enabled,
                "expires_at": spoken(driver.expires_at),
            }
            for driver in known[:MOST_DRIVERS]
        ],
        "complete": len(known) <= MOST_DRIVERS,
    }
