"""How full a vehicle is, by an entity of a car integration."""

import math

from homeassistant.core import HomeAssistant, callback

from .site.battery import FULL, BatteryReading


@callback
def read_battery(hass: HomeAssistant, entity_id: str) -> BatteryReading | None:
    """Return what an entity tells in percent; None: it is not there, or tells nothing that can be."""
    state = hass.states.get(entity_id)
    if state is None:
        return None
    try:
        percent = float(state.state)
    except ValueError:
        return None
    if not math.isfinite(percent) or not 0.0 <= percent <= FULL:
        return None
    return BatteryReading(percent=percent, at=state.last_reported_timestamp)
