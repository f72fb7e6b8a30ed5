"""The actions that the integration offers: names, rights, schemas and answers; what they do is in `actions/`.

They are there as soon as the integration is, whether a site runs or not. What changes something or shows people is for
administrators; automations that nobody started count as such, as everywhere in Home Assistant.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers.service import async_register_admin_service

from .actions import acceptance, caps, commands, commissioning, drivers, explain, records, report
from .const import DOMAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action."""

    name: str
    act: Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]
    schema: vol.Schema
    answers: SupportsResponse = SupportsResponse.NONE
    for_everybody: bool = False


ACTIONS = (
    Action(name="start_charging", act=commands.start_charging, schema=commands.START),
    Action(name="stop_charging", act=commands.stop_charging, schema=commands.COMMAND),
    Action(name="unlock", act=commands.unlock, schema=commands.COMMAND),
    Action(name="reset", act=commands.reset, schema=commands.RESET),
    Action(name="set_availability", act=commands.set_availability, schema=commands.SET_AVAILABILITY),
    Action(name="refresh", act=commands.refresh, schema=commands.COMMAND),
    Action(
        name="get_sessions",
        act=records.get_sessions,
        schema=records.GET_SESSIONS,
        answers=SupportsResponse.ONLY,
        for_everybody=True,
    ),
    Action(
        name="get_limits",
        act=records.get_limits,
        schema=records.GET_LIMITS,
        answers=SupportsResponse.ONLY,
        for_everybody=True,
    ),
    Action(
        name="get_demand",
        act=records.get_demand,
        schema=records.GET_DEMAND,
        answers=SupportsResponse.ONLY,
        for_everybody=True,
    ),
    Action(
        name="explain",
        act=explain.explain,
        schema=explain.EXPLAIN,
        answers=SupportsResponse.ONLY,
        for_everybody=True,
    ),
    Action(name="set_cap", act=caps.set_cap, schema=caps.SET_CAP, answers=SupportsResponse.OPTIONAL),
    Action(name="clear_cap", act=caps.clear_cap, schema=caps.CLEAR_CAP, answers=SupportsResponse.OPTIONAL),
    Action(
        name="accept_charge_points",
        act=acceptance.accept_charge_points,
        schema=acceptance.ACCEPT,
        answers=SupportsResponse.ONLY,
    ),
    Action(
        name="commission",
        act=commissioning.commission,
        schema=commissioning.COMMISSION,
        answers=SupportsResponse.ONLY,
    ),
    Action(
        name="get_commissioning",
        act=commissioning.get_commissioning,
        schema=commissioning.GET_COMMISSIONING,
        answers=SupportsResponse.ONLY,
        for_everybody=True,
    ),
    Action(
        name="commissioning_report",
        act=report.commissioning_report,
        schema=report.COMMISSIONING_REPORT,
        answers=SupportsResponse.ONLY,
    ),
    Action(name="set_driver", act=drivers.set_driver, schema=drivers.SET_DRIVER),
    Action(name="remove_driver", act=drivers.remove_driver, schema=drivers.REMOVE_DRIVER),
    Action(name="get_drivers", act=drivers.get_drivers, schema=drivers.GET_DRIVERS, answers=SupportsResponse.ONLY),
    Action(name="purge", act=records.purge, schema=records.PURGE),
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Offer all actions."""
    for action in ACTIONS:
        if action.for_everybody:
            hass.services.async_register(DOMAIN, action.name, action.act, action.schema, action.answers)
        else:
            async_register_admin_service(hass, DOMAIN, action.name, action.act, action.schema, action.answers)
