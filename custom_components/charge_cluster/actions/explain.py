"""The action that says of each connector what it may draw, and why."""

import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse

from .sentences import Sentences, spoken
from .target import DEVICES_OR_SITE, Place, places_below, targets_of

EXPLAIN = vol.Schema(DEVICES_OR_SITE)


async def explain(call: ServiceCall) -> ServiceResponse:
    """Return the limit of each connector and its reason, in the order of the configuration."""
    sentences = await Sentences.load(call.hass)
    places = {place.key: place for target in targets_of(call.hass, call) for place in places_below(target)}
    return {"connectors": [answer for place in places.values() if (answer := _explained(place, sentences)) is not None]}


def _explained(place: Place, sentences: Sentences) -> ServiceResponse:
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
        "sentence": sentences.whole(view, connector=place.name, site=site.settings.name),
    }
