"""When vehicles leave a site, as its manager says it for all drivers who do not."""

import datetime as dt
from dataclasses import dataclass
from typing import override

from homeassistant.components.time import TimeEntity, TimeEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import ChargeClusterConfigEntry
from .entity import Shows, SiteEntity, always, described
from .site.site import Site

PARALLEL_UPDATES = 0

SECONDS_A_MINUTE = 60
MINUTES_AN_HOUR = 60


@dataclass(frozen=True, kw_only=True)
class SiteTimeDescription(TimeEntityDescription, Shows[Site]):
    """A time of day that holds at a site."""


def _of_day(seconds: float) -> dt.time:
    minutes, second = divmod(round(seconds), SECONDS_A_MINUTE)
    hour, minute = divmod(minutes, MINUTES_AN_HOUR)
    return dt.time(hour, minute, second)


LEAVE_BY = SiteTimeDescription(
    key="leave_by",
    translation_key="leave_by",
    entity_category=EntityCategory.CONFIG,
    value_fn=lambda site: _of_day(site.usual.leave_by_s),
    available_fn=always,
)


class LeaveBy(SiteEntity, TimeEntity):
    """When vehicles leave of which nothing else is known."""

    entity_description: SiteTimeDescription

    @property
    @override
    def native_value(self) -> dt.time | None:
        at: dt.time | None = self.value
        return at

    @override
    async def async_set_value(self, value: dt.time) -> None:
        seconds = (value.hour * MINUTES_AN_HOUR + value.minute) * SECONDS_A_MINUTE + value.second
        self.coordinator.wish_usual(leave_by_s=float(seconds))


async def async_setup_entry(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the times of the site."""
    del hass
    entry.runtime_data.coordinator.add_platform(async_add_entities, site=described(LeaveBy, (LEAVE_BY,)))
