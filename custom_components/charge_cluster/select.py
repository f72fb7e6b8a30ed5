"""When a connector charges, and from what: the mode that a user chooses for it, and that of the site for all others.

A mode is a wish like a cap: kept beside the configuration, and shown as wished. One that needs the sun is refused where
no meter shows what is exported, with a sentence that says what is missing. One that waits for cheap hours is always
taken: where no hours or prices are known it charges at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .coordinator import ChargeClusterConfigEntry, SiteCoordinator, Subject
from .engine.model import SOLAR_MODES, ChargingMode
from .entity import ConnectorEntity, Shows, SiteEntity, SubjectEntity, always, described
from .site.site import Site
from .site.solar import has_generation, shows_export
from .site.views import ConnectorView

PARALLEL_UPDATES = 0

AS_THE_SITE = "as_the_site"
"""The option of a connector that has no mode of its own."""


@dataclass(frozen=True, kw_only=True)
class ConnectorSelectDescription(SelectEntityDescription, Shows[ConnectorView]):
    """A wish of a connector that is one of several."""


@dataclass(frozen=True, kw_only=True)
class SiteSelectDescription(SelectEntityDescription, Shows[Site]):
    """A wish of a site that is one of several."""


MODE = ConnectorSelectDescription(
    key="mode",
    translation_key="mode",
    entity_category=EntityCategory.CONFIG,
    options=[AS_THE_SITE, *(mode.value for mode in ChargingMode)],
    value_fn=lambda view: AS_THE_SITE if view.chosen_mode is None else view.chosen_mode.value,
    available_fn=always,
)

USUAL_MODE = SiteSelectDescription(
    key="usual_mode",
    translation_key="usual_mode",
    entity_category=EntityCategory.CONFIG,
    options=[mode.value for mode in ChargingMode],
    value_fn=lambda site: site.usual.mode.value,
    available_fn=always,
)


class ModeChoice[ViewT](SubjectEntity[ViewT], SelectEntity):
    """A choice of a mode."""

    @property
    @override
    def current_option(self) -> str | None:
        mode: str | None = self.value
        return mode

    def chosen(self, option: str) -> ChargingMode:
        """Return the mode of an option.

        Raises:
            ServiceValidationError: it needs to know what is exported, and nobody does.
        """
        mode = ChargingMode(option)
        if mode in SOLAR_MODES and not shows_export(self.coordinator.site.settings):
            raise ServiceValidationError(translation_domain=DOMAIN, translation_key="export_unseen")
        return mode


class ModeSelect(ConnectorEntity, ModeChoice[ConnectorView]):
    """When a connector charges, and from what."""

    entity_description: ConnectorSelectDescription

    @override
    async def async_select_option(self, option: str) -> None:
        if option == AS_THE_SITE:
            self.wish(mode=None)
            return
        self.wish(mode=self.chosen(option))


class UsualModeSelect(SiteEntity, ModeChoice[Site]):
    """The same of all connectors of a site that nobody chose a mode for."""

    entity_description: SiteSelectDescription

    @override
    async def async_select_option(self, option: str) -> None:
        self.coordinator.wish_usual(mode=self.chosen(option))


def connector_selects(coordinator: SiteCoordinator, subject: Subject) -> Iterable[Entity]:
    """Return the selects of a connector; shown unasked where the sun can be used."""
    settings = coordinator.site.settings
    offered = shows_export(settings) or has_generation(settings)
    mode = replace(MODE, entity_registry_enabled_default=offered)
    return [ModeSelect(coordinator=coordinator, subject=subject, description=mode)]


async def async_setup_entry(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the selects of the site, and of every connector that is there and that comes."""
    del hass
    entry.runtime_data.coordinator.add_platform(
        async_add_entities, site=described(UsualModeSelect, (USUAL_MODE,)), connector=connector_selects
    )
