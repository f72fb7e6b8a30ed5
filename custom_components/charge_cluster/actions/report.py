"""The action that gives the address of a site's commissioning report."""

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import ServiceCall, ServiceResponse

from ..report_download import report_name, signed_report_path
from .target import site_of

COMMISSIONING_REPORT = vol.Schema({vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string})


async def commissioning_report(call: ServiceCall) -> ServiceResponse:
    """Return where the report can be fetched for some minutes, and what the file is called."""
    entry = site_of(call.hass, call)
    return {"url": signed_report_path(call.hass, entry), "filename": report_name(entry)}
