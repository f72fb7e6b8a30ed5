"""Switches that a user sets on a connector, or on the session at it.

A switch shows what is wished. What is wished of the connector is kept beside the configuration, so it can be set while
the charge point is away; what is wished of a session goes with it. What comes of a wish is told by the limit and its
reason.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import ChargeClusterConfigEntry, SiteCoordinator, Subject
from .entity import ConnectorEntity, Shows, always, described
from .session_wishes import SessionWishEntity, wish_of
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


@dataclass(frozen=True, kw_only=True)
class SessionSwitchDescription(SwitchEntityDescription, Shows[ConnectorView]):
    """A wish of a session that is on or off."""


def _charges_now(view: ConnectorView) -> bool:
    wish = wish_of(view)
    return wish is not None and wish.charge_now


CHARGE_NOW = SessionSwitchDescription(
    key="charge_now",
    translation_key="charge_now",
    entity_registry_enabled_default=False,
    value_fn=_charges_now,
    available_fn=always,
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


class ChargeNow(SessionWishEntity, SwitchEntity):
    """Whether the session that runs goes before all others; off with the next one."""

    entity_description: SessionSwitchDescription

    @property
    @override
    def is_on(self) -> bool | None:
        on: bool | None = self.value
        return on

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        self.wish_session(charge_now=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        self.wish_session(charge_now=False)


def connector_switches(coordinator: SiteCoordinator, subject: Subject) -> Iterable[Entity]:
    """Return the switches of a connector."""
    yield from described(ConnectorSwitch, CONNECTOR_SWITCHES)(coordinator, subject)
    yield ChargeNow(coordinator=coordinator, subject=subject, description=CHARGE_NOW)


async def async_setup_entry(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the switches of every connector that is there and that comes."""
    del hass
    entry.runtime_data.coordinator.add_platform(async_add_entities, connector=connector_switches)
