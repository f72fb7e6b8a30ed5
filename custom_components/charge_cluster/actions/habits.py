"""Actions about habits: what was learned of stays and is expected of those that go on, and how a person is forgotten.

When somebody comes, leaves and how much they charge is personal, so all of this is for administrators.
"""

import asyncio

import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.util.json import JsonValueType

from ..site.foresight import Forecast
from .fields import id_tag
from .ledger_errors import told
from .sentences import spoken
from .target import DEVICES_OR_SITE, Place, places_below, targets_of, the_installation

ID_TAG = "id_tag"

GET_HABITS = vol.Schema(DEVICES_OR_SITE)
FORGET_HABITS = vol.Schema({vol.Required(ID_TAG): id_tag})


async def get_habits(call: ServiceCall) -> ServiceResponse:
    """Return what is expected of each session that goes on, and how sure that is."""
    targets = targets_of(call.hass, call)
    places = {(place.entry.entry_id, place.key): place for target in targets for place in places_below(target)}
    sites = {target.entry.entry_id: target.site for target in targets}
    sessions: list[JsonValueType] = []
    for place in places.values():
        answer = _expected(place)
        if answer is not None:
            sessions.append(answer)
            # To look through all stays takes milliseconds for each.
            await asyncio.sleep(0)
    return {
        "sites": [{"site": site.settings.name, "stays": site.foresight.stays} for site in sites.values()],
        "sessions": sessions,
    }


def _expected(place: Place) -> ServiceResponse:
    """Return what is expected of the session at a connector; None: there is none."""
    site = place.entry.runtime_data.site
    view = site.connectors.get(place.key)
    if view is None or view.session is None:
        return None
    forecast: Forecast = site.foresight.forecast(place.key, view.session)
    early, likely, late = (spoken(at) for at in forecast.departure_at)
    least, middle, most = (round(wh / 1000.0, 1) for wh in forecast.energy_wh)
    return {
        "connector": place.name,
        "device_id": place.device_id,
        "id_tag": view.session.id_tag,
        "departure": {"early": early, "likely": likely, "late": late},
        "energy_kwh": {"least": least, "likely": middle, "most": most},
        "alike_stays": round(forecast.alike, 1),
        "stays_of_driver": forecast.of_driver,
    }


@told
async def forget_habits(call: ServiceCall) -> ServiceResponse:
    """Forget what was learned of a driver; what it charged stays recorded."""
    forgotten = await the_installation(call.hass).forget_habits(call.data[ID_TAG])
    return {"sessions": forgotten}
