"""Which of our entities a trigger or a condition is about, among everything that its target covers.

An area or a label holds much that is not ours, and even a device of ours has entities that say something else. What an
entity says is in its unique id, which a user cannot change as they can its name and its entity id.
"""

from collections.abc import Iterable

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .const import DOMAIN


@callback
def showing(hass: HomeAssistant, entity_ids: Iterable[str], key: str) -> set[str]:
    """Return those that show `key`, the key of a description."""
    registry = er.async_get(hass)
    return {entity_id for entity_id in entity_ids if _shows(registry.async_get(entity_id), key)}


def _shows(registered: er.RegistryEntry | None, key: str) -> bool:
    return registered is not None and registered.platform == DOMAIN and registered.unique_id.endswith(f"-{key}")


@callback
def subject_id(hass: HomeAssistant, entity_id: str, key: str) -> str | None:
    """Return the id that an entity's subject has in its site, for an entity that shows `key`."""
    registered = er.async_get(hass).async_get(entity_id)
    if registered is None or not _shows(registered, key):
        return None
    return registered.unique_id.removesuffix(f"-{key}")
