"""The calendar of a site: when it is off-peak, by its tariffs.

It is for automations and for people who want to see what the mode "off-peak" goes by; nobody writes into it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.calendar import CalendarEntity, CalendarEntityDescription, CalendarEvent
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .coordinator import ChargeClusterConfigEntry, SiteCoordinator, Subject
from .engine.tariff import Window
from .entity import Shows, TariffEntity
from .site.tariffs import OFF_PEAK, Tariffs

PARALLEL_UPDATES = 0

DAY_S = 86_400.0
LOOK_AHEAD_S = 14 * DAY_S
"""So far the next event is looked for."""


@dataclass(frozen=True, kw_only=True)
class TariffCalendarDescription(CalendarEntityDescription, Shows[Tariffs]):
    """Times that the tariffs of a site tell."""


OFF_PEAK_CALENDAR = TariffCalendarDescription(
    key="calendar", translation_key="off_peak", value_fn=lambda tariffs: tariffs.off_peak_now
)


class OffPeakCalendar(TariffEntity, CalendarEntity):
    """The off-peak times of a site."""

    def _windows(self, start: float, end: float) -> list[Window]:
        """Return the times that touch a span, each as a whole where it is not longer than a day on either side."""
        tariffs = self.coordinator.site.tariffs
        found = tariffs.off_peak(start - DAY_S, end + DAY_S)
        return [window for window in found if window.end > start and window.start < end]

    def _event(self, window: Window) -> CalendarEvent:
        return CalendarEvent(
            start=dt_util.as_local(dt_util.utc_from_timestamp(window.start)),
            end=dt_util.as_local(dt_util.utc_from_timestamp(window.end)),
            summary=str(self.name),
        )

    @property
    @override
    def event(self) -> CalendarEvent | None:
        """Return the present or the next time."""
        now = dt_util.utcnow().timestamp()
        return next((self._event(window) for window in self._windows(now, now + LOOK_AHEAD_S)), None)

    @override
    async def async_get_events(
        self, hass: HomeAssistant, start_date: datetime, end_date: datetime
    ) -> list[CalendarEvent]:
        """Return the off-peak times of a span."""
        del hass
        return [self._event(window) for window in self._windows(start_date.timestamp(), end_date.timestamp())]


def calendars(coordinator: SiteCoordinator, subject: Subject) -> list[OffPeakCalendar]:
    """Return the calendar of a site."""
    if subject.subject_id != OFF_PEAK:
        return []
    return [OffPeakCalendar(coordinator=coordinator, subject=subject, description=OFF_PEAK_CALENDAR)]


async def async_setup_entry(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the calendar of the site."""
    del hass
    entry.runtime_data.coordinator.add_platform(async_add_entities, tariff=calendars)
