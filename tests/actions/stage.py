"""Words for the tests of the actions: devices found by what they are of, actions called as a user calls them."""

from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from tests.site_entry import DOMAIN, subentry_called


def device(hass: HomeAssistant, entry: MockConfigEntry, title: str | None = None, connector: int | None = None) -> str:
    """Return the device of a site, of something called so, or of one of several connectors of that."""
    registry = dr.async_get(hass)
    identifier = entry.entry_id if title is None else subentry_called(entry, title).subentry_id
    found: dr.AnyDeviceEntry | None
    if connector is None:
        found = registry.async_get_device_by_identifier((DOMAIN, identifier), entry.entry_id)
    else:
        found = registry.async_get_child_device_by_identifier((DOMAIN, f"{identifier}/{connector}"), entry.entry_id)
    assert found is not None
    return found.id


async def ask(hass: HomeAssistant, action: str, *devices: str, by: MockUser | None = None, **fields: Any) -> None:
    """Call an action about devices, as an automation or as a user."""
    about = {"device_id": list(devices)} if devices else {}
    context = None if by is None else Context(user_id=by.id)
    await hass.services.async_call(DOMAIN, action, about | fields, blocking=True, context=context)


async def answer(hass: HomeAssistant, action: str, *devices: str, by: MockUser | None = None, **fields: Any) -> Any:
    """Call an action that answers, and return its answer."""
    about = {"device_id": list(devices)} if devices else {}
    context = None if by is None else Context(user_id=by.id)
    return await hass.services.async_call(
        DOMAIN, action, about | fields, blocking=True, context=context, return_response=True
    )


def member(hass: HomeAssistant) -> MockUser:
    """Return a user who is no administrator."""
    return MockUser(groups=[], is_owner=False).add_to_hass(hass)


def administrator(hass: HomeAssistant) -> MockUser:
    """Return a user who may do everything."""
    return MockUser(is_owner=True).add_to_hass(hass)
