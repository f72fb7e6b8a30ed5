"""The time at which a driver leaves, as the driver says it for the session that runs."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import override

from homeassistant.components.datetime import DateTimeEntity, DateTimeEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import ChargeClusterConfigEntry
from .entity import Shows, always, described
from .session_wishes import SessionWishEntity, wish_of
from .site.views import ConnectorView

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class ConnectorTimeDescription(DateTimeEntityDescription, Shows[ConnectorView]):
    """A time that a driver says."""


def _departure(view: ConnectorView) -> datetime | None:
    wish = wish_of(view)
    return None if wish is None or wish.departure_at is None else datetime.fromtimestamp(round(wish.departure_at), UTC)


DEPARTURE = ConnectorTimeDescription(
    key="departure",
    translation_key="departure",
    entity_registry_enabled_default=False,
    value_fn=_departure,
    available_fn=always,
)


class Departure(SessionWishEntity, DateTimeEntity):
    """When the vehicle is to leave."""

    entity_description: ConnectorTimeDescription

    @property
    @override
    def native_value(self) -> datetime | None:
        at: datetime | None = self.value
        return at

    @override
    async def async_set_value(self, value: datetime) -> None:
        self.wish_session(departure_at=value.timestamp())


async def async_setup_entry(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the times of every connector that is there and that comes."""
    del hass
    entry.runtime_data.coordinator.add_platform(async_add_entities, connector=described(Departure, (DEPARTURE,)))
