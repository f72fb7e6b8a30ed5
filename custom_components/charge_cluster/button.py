"""Buttons: what can be asked of a charge point or connector without saying more.

A press returns when the charge point has answered; if it is away or refuses, the press fails and says so. Starting a
transaction needs a driver, so it is an action and no button; stopping one needs none.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.button import ButtonDeviceClass, ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .chargers import Charger, ChargerOffline
from .coordinator import ChargeClusterConfigEntry, SiteCoordinator
from .entity import ChargePointEntity, ConnectorEntity, described, translated_errors
from .site.views import connector_number

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class ChargePointButtonDescription(ButtonEntityDescription):
    """Something that a charge point can be asked for."""

    press_fn: Callable[[Charger], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class ConnectorButtonDescription(ButtonEntityDescription):
    """Something that a connector can be asked for, by its number."""

    press_fn: Callable[[Charger, int], Awaitable[None]]


CHARGE_POINT_BUTTONS = (
    ChargePointButtonDescription(
        key="reset",
        translation_key="reset",
        device_class=ButtonDeviceClass.RESTART,
        entity_category=EntityCategory.CONFIG,
        press_fn=lambda charger: charger.reset(hard=False),
    ),
    ChargePointButtonDescription(
        key="hard_reset",
        translation_key="hard_reset",
        device_class=ButtonDeviceClass.RESTART,
        entity_category=EntityCategory.CONFIG,
        entity_registry_enabled_default=False,
        press_fn=lambda charger: charger.reset(hard=True),
    ),
)

CONNECTOR_BUTTONS = (
    ConnectorButtonDescription(
        key="unlock",
        translation_key="unlock",
        entity_registry_enabled_default=False,
        press_fn=lambda charger, connector: charger.unlock(connector),
    ),
    ConnectorButtonDescription(
        key="stop",
        translation_key="stop",
        entity_registry_enabled_default=False,
        press_fn=lambda charger, connector: charger.stop(connector),
    ),
)


def charger_of(coordinator: SiteCoordinator, charge_point_id: str | None) -> Charger:
    """Return the charger of a charge point. Raises ChargerOffline where the site is just letting it go."""
    try:
        return coordinator.site.charger(charge_point_id or "")
    except KeyError as gone:
        raise ChargerOffline from gone


class ChargePointButton(ChargePointEntity, ButtonEntity):
    """Something that a charge point can be asked for."""

    entity_description: ChargePointButtonDescription

    @override
    @translated_errors
    async def async_press(self) -> None:
        await self.entity_description.press_fn(charger_of(self.coordinator, self.subject.subentry_id))


class ConnectorButton(ConnectorEntity, ButtonEntity):
    """Something that a connector can be asked for."""

    entity_description: ConnectorButtonDescription

    @override
    @translated_errors
    async def async_press(self) -> None:
        charger = charger_of(self.coordinator, self.subject.subentry_id)
        await self.entity_description.press_fn(charger, connector_number(self.subject.subject_id))


async def async_setup_entry(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the buttons of every charge point and connector that is there and that comes."""
    del hass
    entry.runtime_data.coordinator.add_platform(
        async_add_entities,
        charge_point=described(ChargePointButton, CHARGE_POINT_BUTTONS),
        connector=described(ConnectorButton, CONNECTOR_BUTTONS),
    )
