"""The action that tells of a session what its driver wishes: when it leaves, how much it wants, who goes first."""

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from ..session_wishes import WH_PER_KWH, refused
from ..site.outlook import expected_wh
from ..site.session_wish import WishChange, WishRefused
from ..site.views import SessionView
from .fields import posix, priority
from .sentences import spoken
from .target import DEVICES, Place, targets_of, the_connector

DEPARTURE = "departure"
ENERGY_KWH = "energy_kwh"
PRIORITY = "priority"
CHARGE_NOW = "charge_now"
TARGET_SOC = "target_soc"
BATTERY_KWH = "battery_kwh"
BATTERY_ENTITY = "battery_entity"

SET_SESSION = vol.Schema(
    {
        **DEVICES,
        vol.Optional(DEPARTURE): vol.Any(None, posix),
        vol.Optional(ENERGY_KWH): vol.Any(None, vol.Coerce(float)),
        vol.Optional(PRIORITY): vol.Any(None, priority),
        vol.Optional(CHARGE_NOW): cv.boolean,
        vol.Optional(TARGET_SOC): vol.Any(None, vol.Coerce(float)),
        vol.Optional(BATTERY_KWH): vol.Any(None, vol.Coerce(float)),
        vol.Optional(BATTERY_ENTITY): vol.Any(None, cv.entity_id),
    }
)


async def set_session(call: ServiceCall) -> ServiceResponse:
    """Change what is wished of the sessions at connectors, of all or of none; return what holds now."""
    places = [the_connector(target) for target in targets_of(call.hass, call)]
    changes = _changes(call)
    for place in places:
        try:
            place.entry.runtime_data.site.may_wish(place.key, **changes)
        except WishRefused as error:
            raise refused(error, place.name) from error
    for place in places:
        place.entry.runtime_data.site.wish_session(place.key, **changes)
    return {"sessions": [answer for place in places if (answer := _holding(place)) is not None]}


def _changes(call: ServiceCall) -> WishChange:
    """Return what is to become something else: what is not named stays, and nothing is none."""
    changes = WishChange()
    if DEPARTURE in call.data:
        changes["departure_at"] = call.data[DEPARTURE]
    if ENERGY_KWH in call.data:
        energy_kwh: float | None = call.data[ENERGY_KWH]
        changes["wanted_wh"] = None if energy_kwh is None else WH_PER_KWH * energy_kwh
    if PRIORITY in call.data:
        changes["priority"] = call.data[PRIORITY]
    if CHARGE_NOW in call.data:
        changes["charge_now"] = call.data[CHARGE_NOW]
    if TARGET_SOC in call.data:
        changes["target_soc"] = call.data[TARGET_SOC]
    if BATTERY_KWH in call.data:
        battery_kwh: float | None = call.data[BATTERY_KWH]
        changes["battery_wh"] = None if battery_kwh is None else WH_PER_KWH * battery_kwh
    if BATTERY_ENTITY in call.data:
        changes["battery_entity"] = call.data[BATTERY_ENTITY]
    return changes


def _holding(place: Place) -> JsonObjectType | None:
    """Return what holds of the session at a connector; None: there is none."""
    view = place.entry.runtime_data.site.connectors[place.key]
    session = view.session
    if session is None:
        return None
    wish = session.wish
    plan = view.plan
    expected = expected_wh(view, dt_util.utcnow().timestamp())
    return {
        "connector": place.name,
        "device_id": place.device_id,
        "session_id": session.session_id,
        DEPARTURE: spoken(wish.departure_at),
        ENERGY_KWH: _kwh(wish.wanted_wh),
        **spoken_battery(session),
        "charged_kwh": _kwh(session.energy_wh),
        "expected_kwh": _kwh(expected),
        PRIORITY: wish.priority,
        "effective_priority": view.effective_priority,
        CHARGE_NOW: wish.charge_now,
        "queue_position": view.queue_position,
        "expected_at": spoken(view.expected_at),
        "shortfall_kwh": _kwh(plan.shortfall_wh if plan is not None and plan.impossible else 0.0),
        "possible_at": spoken(plan.possible_at if plan is not None and plan.impossible else None),
    }


def spoken_battery(session: SessionView) -> JsonObjectType:
    """Return how full the battery of a session is to be and is, as answers give it."""
    target, soc = session.target, session.soc
    return {
        TARGET_SOC: session.wish.target_soc if target is None else target.percent,
        "soc": None if soc is None else soc.percent,
        "soc_by": None if soc is None else soc.source.value,
        "asked_kwh": _kwh(session.asked_wh),
    }


def _kwh(wh: float | None) -> float | None:
    return None if wh is None else round(wh / WH_PER_KWH, 3)
