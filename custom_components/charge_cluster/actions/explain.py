"""The action that says of each connector what it may draw, and why.

When somebody leaves is told as `get_plan` does: to administrators who ask about a connector by its name.
"""

import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse

from .privacy import is_administrator, tells_departures
from .sentences import Sentences, spoken
from .target import DEVICES_OR_SITE, Place, places_below, targets_of

EXPLAIN = vol.Schema(DEVICES_OR_SITE)


async def explain(call: ServiceCall) -> ServiceResponse:
    """Return the limit of each connector and its reason, in the order of the configuration."""
    sentences = await Sentences.load(call.hass)
    administrator = await is_administrator(call.hass, call)
    places: dict[tuple[str, str], tuple[Place, bool]] = {}
    for target in targets_of(call.hass, call):
        departures = tells_departures(target, administrator=administrator)
        for place in places_below(target):
            key = place.entry.entry_id, place.key
            places[key] = place, departures or (key in places and places[key][1])
    explained = (_explained(place, sentences, departures=departures) for place, departures in places.values())
    return {"connectors": [answer for answer in explained if answer is not None]}


def _explained(place: Place, sentences: Sentences, *, departures: bool) -> ServiceResponse:
    """Return what is to be said of a connector; None: the site is just letting it go."""
    site = place.entry.runtime_data.site
    view = site.connectors.get(place.key)
    if view is None:
        return None
    return {
        "connector": place.name,
        "device_id": place.device_id,
        "limit_a": view.limit_a,
        "target_a": view.target_a,
        "reason": view.reason.value,
        "circuit": view.reason_circuit,
        "source": view.reason_source,
        "expected_at": spoken(view.expected_at),
        "queue_position": view.queue_position,
        "sentence": sentences.whole(view, connector=place.name, site=site.settings.name, departures=departures),
    }
