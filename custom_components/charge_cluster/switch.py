"""Switches that a user sets on a connector.

A switch shows what is wished: it is kept beside the configuration, so it can be set while the charge point is away.
What comes of the wish is told by the limit and its reason.
"""

from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import ChargeClusterConfigEntry
from .entity import ConnectorEntity, Shows, always, described
from .site.views import ConnectorView

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class ConnectorSwitchDescription(SwitchEntityDescription, Shows[ConnectorView]):
    """A wish of a connector that is on or off."""

    wish: str
    """The field of `ConnectorWish` that it sets."""


CONNECTOR_SWITCHES = (
    ConnectorSwitchDescription(
        key="charging",
        translation_key="charging",
        value_fn=lambda view: view.enabled,
        available_fn=always,
        wish="enabled",
    ),
)


class ConnectorSwitch(ConnectorEntity, SwitchEntity):
    """A wish of a connector that is on or off."""

    entity_description: ConnectorSwitchDescription

    @property
    @override
    def is_on(self) -> bool | None:
        on: bool | None = self.value
        return on

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        self.wish(**{self.entity_description.wish: True})

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        self.wish(**{self.entity_description.wish: False})


async def async_setup_entry(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the switches of every connector that is there and that comes."""
    del hass
    entry.runtime_data.coordinator.add_platform(
        async_add_entities, connector=described(ConnectorSwitch, CONNECTOR_SWITCHES)
    )
