"""All actions are offered, described and guarded as they should be."""

import json
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from homeassistant.core import Context, HomeAssistant, SupportsResponse
from homeassistant.exceptions import Unauthorized
from homeassistant.helpers.selector import selector
from homeassistant.helpers.service import async_get_all_descriptions
from homeassistant.setup import async_setup_component

from custom_components.charge_cluster.services import ACTIONS, Action
from tests.site_entry import DOMAIN, a_charge_point, a_site, free_port, set_up

from .stage import device, member

INTEGRATION = Path(__file__).parents[2] / "custom_components" / "charge_cluster"
DESCRIBED: dict[str, Any] = yaml.safe_load((INTEGRATION / "services.yaml").read_text())
WORDS: dict[str, Any] = json.loads((INTEGRATION / "translations" / "en.json").read_text())
ICONS: dict[str, Any] = json.loads((INTEGRATION / "icons.json").read_text())

FOR_EVERYBODY = {"get_sessions", "get_limits", "get_demand", "explain", "get_plan", "get_commissioning"}
ANSWERING = FOR_EVERYBODY | {
    "accept_charge_points",
    "accept_satellites",
    "get_cards",
    "get_drivers",
    "get_habits",
    "commission",
    "commissioning_report",
    "get_authority",
    "get_settings",
    "get_certificates",
    "get_composite_schedule",
    "get_charging_profiles",
}
NEEDED: dict[str, Any] = {
    "operative": True,
    "identities": ["CP9"],
    "maximum": 16,
    "id_tag": "04AA",
    "name": "Ann",
    "keep_days": 9,
    "decision_id": "0" * 32,
    "accept": True,
    "source": "grid_operator",
    "key": "ConnectionTimeOut",
    "value": "60",
    "message": "heartbeat",
    "expires": "2026-12-01 12:00:00",
    "address": "https://files.example/here",
    "use": "central_system",
    "certificate": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "hash_algorithm": "SHA256",
    "issuer_name_hash": "0a",
    "issuer_key_hash": "0b",
    "serial_number": "0c",
    "vendor": "Acme",
    "operation": "GetConfiguration",
}
each_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)


def fields_of(action: Action) -> dict[str, Any]:
    """Return the fields that are described."""
    fields: dict[str, Any] = (DESCRIBED[action.name] or {}).get("fields", {})
    return fields


async def test_actions_are_there_before_any_site_is(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})

    offered = hass.services.async_services_for_domain(DOMAIN)

    assert set(offered) == set(DESCRIBED) == {action.name for action in ACTIONS}
    assert {
        name for name, service in offered.items() if service.supports_response is SupportsResponse.ONLY
    } == ANSWERING


@each_action
def test_the_described_fields_are_those_that_are_taken(action: Action) -> None:
    taken = {str(marker.schema) for marker in action.schema.schema}
    required = {name for name, field in fields_of(action).items() if field.get("required")}

    assert set(fields_of(action)) == taken
    assert required == {str(marker.schema) for marker in action.schema.schema if type(marker).__name__ == "Required"}


@each_action
def test_every_field_has_words_and_every_choice_a_name(action: Action) -> None:
    words = WORDS["services"][action.name]

    assert words["name"]
    assert words["description"]
    assert set(words.get("fields", {})) == set(fields_of(action))
    for field in fields_of(action).values():
        selector(field["selector"])  # raises where there is no such selector
        choice = field["selector"].get("select")
        if choice is not None and "translation_key" in choice:
            assert set(choice["options"]) <= set(WORDS["selector"][choice["translation_key"]]["options"])


@each_action
def test_every_action_has_its_icon(action: Action) -> None:
    assert ICONS["services"][action.name]["service"].startswith("mdi:")


@each_action
async def test_what_changes_something_or_shows_people_is_for_administrators(
    hass: HomeAssistant, action: Action
) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    data: dict[str, Any] = {
        str(marker.schema): NEEDED.get(str(marker.schema), device(hass, entry, "CP1"))
        for marker in action.schema.schema
        if fields_of(action)[str(marker.schema)].get("required")
    }
    answers = action.answers is SupportsResponse.ONLY

    async def called() -> None:
        await hass.services.async_call(
            DOMAIN, action.name, data, blocking=True, context=Context(user_id=member(hass).id), return_response=answers
        )

    if action.name in FOR_EVERYBODY:
        await called()
        return
    with pytest.raises(Unauthorized):
        await called()


async def test_home_assistant_shows_every_action(hass: HomeAssistant) -> None:
    await set_up(hass, a_site(free_port()))

    shown = (await async_get_all_descriptions(hass))[DOMAIN]

    assert {name: set(described["fields"]) for name, described in shown.items()} == {
        action.name: set(fields_of(action)) for action in ACTIONS
    }


def test_sentences_bring_only_what_they_are_given() -> None:
    given = {"connector", "circuit", "limit", "fallback", "source"}
    sentences = {key: text for key, text in WORDS["common"].items() if key.startswith("because_")}

    assert sentences
    for text in sentences.values():
        assert {name for _, name, _, _ in string.Formatter().parse(text) if name} <= given
