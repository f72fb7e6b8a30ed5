"""Where the certificate authority and what else is secret of all sites is kept: a file that only its owner may read."""

from collections.abc import Mapping
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store

from .const import DOMAIN

VERSION = 1


class HassTrustStore:
    """Keeps it in Home Assistant's storage, readable by its owner alone and written as a whole (`site.trust`)."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Name the file."""
        self._store: Store[dict[str, Any]] = Store(hass, VERSION, f"{DOMAIN}.trust", private=True, atomic_writes=True)

    async def load(self) -> Mapping[str, Any] | None:
        """Return what was kept; None: nothing."""
        return await self._store.async_load()

    async def save(self, kept: Mapping[str, Any]) -> None:
        """Keep it; durable when this returns."""
        await self._store.async_save(dict(kept))
