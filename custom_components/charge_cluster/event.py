"""Events of a charge point: the beginnings and ends of the sessions at its connectors.

Who charges is not told here: an event lands in the recorder, where a driver's tag has no business.
"""

from dataclasses import dataclass
from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import ChargeClusterConfigEntry
from .entity import ChargePointEntity, Shows, always, described
from .site.views import ChargePointView, SessionEvent, connector_key, connector_number

PARALLEL_UPDATES = 0

WH_PER_KWH = 1000.0


@dataclass(frozen=True, kw_only=True)
class ChargePointEventDescription(EventEntityDescription, Shows[ChargePointView]):
    """Something that happens at a charge point."""


SESSION = ChargePointEventDescription(
    key="session",
    translation_key="session",
    event_types=["started", "ended"],
    # What happened stays true while the charge point is away, and coming back is no news of it.
    available_fn=always,
)


class SessionEvents(ChargePointEntity, EventEntity):
    """Sessions that begin and end at a charge point."""

    entity_description: ChargePointEventDescription

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.on_session(self._seen))

    @callback
    def _seen(self, event: SessionEvent) -> None:
        number = connector_number(event.key)
        if event.key != connector_key(self.subject.subject_id, number):
            return
        self._trigger_event(
            event.kind,
            {
                "connector": number,
                "session_id": event.session.session_id,
                "energy_kwh": round(event.session.energy_wh / WH_PER_KWH, 3),
                "duration_s": round(event.duration_s),
            },
        )
        self.async_write_ha_state()


async def async_setup_entry(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the events of every charge point that is there and that comes."""
    del hass
    entry.runtime_data.coordinator.add_platform(async_add_entities, charge_point=described(SessionEvents, (SESSION,)))
