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

from .actions import (
    acceptance,
    caps,
    cards,
    commands,
    commissioning,
    drivers,
    explain,
    habits,
    operations,
    plans,
    records,
    report,
    security,
    session,
)
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
    Action(
        name="start_charging",
        act=commands.start_charging,
        schema=commands.START,
        answers=SupportsResponse.OPTIONAL,
    ),
    Action(name="stop_charging", act=commands.stop_charging, schema=commands.COMMAND),
    Action(name="unlock", act=commands.unlock, schema=commands.COMMAND),
    Action(name="reset", act=commands.reset, schema=commands.RESET),
    Action(name="set_availability", act=commands.set_availability, schema=commands.SET_AVAILABILITY),
    Action(name="refresh", act=commands.refresh, schema=commands.COMMAND),
    Action(
        name="get_settings", act=operations.get_settings, schema=operations.GET_SETTINGS, answers=SupportsResponse.ONLY
    ),
    Action(
        name="change_setting",
        act=operations.change_setting,
        schema=operations.CHANGE_SETTING,
        answers=SupportsResponse.OPTIONAL,
    ),
    Action(
        name="trigger_message",
        act=operations.trigger_message,
        schema=operations.TRIGGER_MESSAGE,
        answers=SupportsResponse.OPTIONAL,
    ),
    Action(name="reserve", act=operations.reserve, schema=operations.RESERVE, answers=SupportsResponse.OPTIONAL),
    Action(
        name="cancel_reservation",
        act=operations.cancel_reservation,
        schema=operations.CANCEL_RESERVATION,
        answers=SupportsResponse.OPTIONAL,
    ),
    Action(name="get_log", act=operations.get_log, schema=operations.GET_LOG, answers=SupportsResponse.OPTIONAL),
    Action(
        name="update_firmware",
        act=operations.update_firmware,
        schema=operations.UPDATE_FIRMWARE,
        answers=SupportsResponse.OPTIONAL,
    ),
    Action(
        name="install_certificate",
        act=operations.install_certificate,
        schema=operations.INSTALL_CERTIFICATE,
        answers=SupportsResponse.OPTIONAL,
    ),
    Action(
        name="get_certificates",
        act=operations.get_certificates,
        schema=operations.GET_CERTIFICATES,
        answers=SupportsResponse.ONLY,
    ),
    Action(
        name="delete_certificate",
        act=operations.delete_certificate,
        schema=operations.DELETE_CERTIFICATE,
        answers=SupportsResponse.OPTIONAL,
    ),
    Action(
        name="get_composite_schedule",
        act=operations.get_composite_schedule,
        schema=operations.GET_COMPOSITE_SCHEDULE,
        answers=SupportsResponse.ONLY,
    ),
    Action(
        name="get_charging_profiles",
        act=operations.get_charging_profiles,
        schema=operations.ONLY_DEVICES,
        answers=SupportsResponse.ONLY,
    ),
    Action(
        name="clear_cache",
        act=operations.clear_cache,
        schema=operations.ONLY_DEVICES,
        answers=SupportsResponse.OPTIONAL,
    ),
    Action(
        name="transfer_data",
        act=operations.transfer_data,
        schema=operations.TRANSFER_DATA,
        answers=SupportsResponse.OPTIONAL,
    ),
    Action(name="ocpp_call", act=operations.ocpp_call, schema=operations.OCPP_CALL, answers=SupportsResponse.OPTIONAL),
    Action(name="set_session", act=session.set_session, schema=session.SET_SESSION, answers=SupportsResponse.OPTIONAL),
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
    Action(
        name="get_plan",
        act=plans.get_plan,
        schema=plans.GET_PLAN,
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
        name="accept_satellites",
        act=acceptance.accept_satellites,
        schema=acceptance.ACCEPT_SATELLITES,
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
    Action(
        name="rotate_key",
        act=security.rotate_key,
        schema=security.OF_CHARGE_POINTS,
        answers=SupportsResponse.OPTIONAL,
    ),
    Action(
        name="renew_certificate",
        act=security.renew_certificate,
        schema=security.OF_CHARGE_POINTS,
        answers=SupportsResponse.OPTIONAL,
    ),
    Action(
        name="get_authority",
        act=security.get_authority,
        schema=security.GET_AUTHORITY,
        answers=SupportsResponse.ONLY,
    ),
    Action(name="set_driver", act=drivers.set_driver, schema=drivers.SET_DRIVER),
    Action(name="remove_driver", act=drivers.remove_driver, schema=drivers.REMOVE_DRIVER),
    Action(name="get_drivers", act=drivers.get_drivers, schema=drivers.GET_DRIVERS, answers=SupportsResponse.ONLY),
    Action(name="get_cards", act=cards.get_cards, schema=cards.GET_CARDS, answers=SupportsResponse.ONLY),
    Action(
        name="take_up_card",
        act=cards.take_up_card,
        schema=cards.TAKE_UP_CARD,
        answers=SupportsResponse.OPTIONAL,
    ),
    Action(
        name="answer_authorisation",
        act=cards.answer_authorisation,
        schema=cards.ANSWER_AUTHORISATION,
        answers=SupportsResponse.OPTIONAL,
    ),
    Action(name="get_habits", act=habits.get_habits, schema=habits.GET_HABITS, answers=SupportsResponse.ONLY),
    Action(
        name="forget_habits",
        act=habits.forget_habits,
        schema=habits.FORGET_HABITS,
        answers=SupportsResponse.OPTIONAL,
    ),
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
