"""The action that tells what is planned for sessions: for charts, and for automations that go by it.

When somebody leaves is nobody else's business: it is told to administrators who ask about a connector by its name, and
never in an answer about a site or a cluster.
"""

from collections.abc import Iterator

import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from ..site.billing import PricedSlot, priced_slots
from ..site.plan import PlanView
from ..site.views import ConnectorView
from .privacy import is_administrator, tells_departures
from .sentences import spoken
from .session import spoken_battery
from .target import DEVICES_OR_SITE, Place, Target, places_below, targets_of

GET_PLAN = vol.Schema(DEVICES_OR_SITE)

WH_PER_KWH = W_PER_KW = 1000.0
PRICE_DIGITS = 5
COST_DIGITS = 4


async def get_plan(call: ServiceCall) -> ServiceResponse:
    """Return what is planned for each session, in the order of the configuration."""
    administrator = await is_administrator(call.hass, call)
    answers: dict[tuple[str, str], JsonObjectType] = {}
    currencies: set[str] = set()
    for target in targets_of(call.hass, call):
        currencies.add(target.site.tariffs.currency)
        for key, answer in _planned(target, departures=tells_departures(target, administrator=administrator)):
            answers[target.entry.entry_id, key] = answer
    return {"currency": min(currencies), "sessions": list(answers.values())}


def _planned(target: Target, *, departures: bool) -> Iterator[tuple[str, JsonObjectType]]:
    """Yield what is to be said of each session below a target, by its connector."""
    for place in places_below(target):
        view = target.site.connectors.get(place.key)
        if view is None or view.session is None:
            continue
        answer = _session(place, view)
        if departures:
            answer |= _departure(view.plan) | spoken_battery(view.session)
        yield place.key, answer


def _session(place: Place, view: ConnectorView) -> JsonObjectType:
    site, plan, session = place.entry.runtime_data.site, view.plan, view.session
    assert session is not None  # noqa: S101 - the caller has looked
    now, costs = dt_util.utcnow().timestamp(), session.costs
    slots = [] if plan is None else list(priced_slots(plan, session.energy_wh, site.billing.prices_ahead(), now))
    return {
        "connector": place.name,
        "device_id": place.device_id,
        "session_id": session.session_id,
        "mode": view.mode.value,
        "reason": view.reason.value,
        "charged_kwh": _kwh(session.energy_wh),
        "planned_kwh": _kwh(sum(slot.energy_wh for slot in slots)),
        "shortfall_kwh": _kwh(0.0 if plan is None else plan.shortfall_wh),
        "next_start": spoken(None if plan is None else plan.next_start),
        "completes_at": spoken(None if plan is None else plan.completes_at),
        "cost": _money(costs.cost),
        "unpriced_kwh": _kwh(costs.unpriced_wh),
        "forecast_cost": _money(costs.forecast),
        "saving": _money(costs.saving),
        "forecast_saving": _money(costs.forecast_saving),
        "saving_against_alone": _money(costs.saving_against_alone),
        "forecast_saving_against_alone": _money(costs.forecast_saving_against_alone),
        "slots": [_slot(slot) for slot in slots],
    }


def _departure(plan: PlanView | None) -> JsonObjectType:
    """Return what only the driver and who manages the site are to know."""
    return {
        "departure": spoken(None if plan is None else plan.leave_at),
        "departure_by": None if plan is None or plan.leave_by is None else plan.leave_by.value,
        "energy_by": None if plan is None or plan.wanted_by is None else plan.wanted_by.value,
        "possible_at": spoken(None if plan is None else plan.possible_at),
    }


def _slot(slot: PricedSlot) -> JsonObjectType:
    return {
        "start": spoken(slot.start),
        "end": spoken(slot.end),
        "amps": round(slot.amps, 1),
        "kw": round(slot.power_w / W_PER_KW, 3),
        "kwh": _kwh(slot.energy_wh),
        "price": None if slot.price is None else round(slot.price, PRICE_DIGITS),
    }


def _kwh(wh: float) -> float:
    return round(wh / WH_PER_KWH, 3)


def _money(amount: float | None) -> float | None:
    return None if amount is None else round(amount, COST_DIGITS)
