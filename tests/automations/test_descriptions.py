"""What the automation editor shows of triggers and conditions is there, in words, and fits what they take."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import condition, trigger
from homeassistant.helpers.condition import Condition
from homeassistant.helpers.trigger import Trigger
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict

from custom_components.charge_cluster.condition import CONDITIONS
from custom_components.charge_cluster.trigger import TRIGGERS

INTEGRATION = Path(__file__).parents[2] / "custom_components" / "charge_cluster"
KINDS: Mapping[str, Mapping[str, type[Trigger | Condition]]] = {"triggers": TRIGGERS, "conditions": CONDITIONS}


def offered(kind: str) -> dict[str, Any]:
    """Return what the file of a kind describes."""
    described = load_yaml_dict(str(INTEGRATION / f"{kind}.yaml"))
    return {key: value for key, value in described.items() if not key.startswith(".")}


def stored(name: str, kind: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((INTEGRATION / name).read_text(encoding="utf-8"))[kind]
    return content


async def test_home_assistant_offers_them_all(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, "automation", {"automation": []})
    assert await async_setup_component(hass, "charge_cluster", {})
    await hass.async_block_till_done()

    described = await trigger.async_get_all_descriptions(hass) | await condition.async_get_all_descriptions(hass)

    for kind, known in KINDS.items():
        for key in known:
            description = described[f"charge_cluster.{key}"]
            assert description is not None, (kind, key)
            assert all(found["integration"] == "charge_cluster" for found in description["target"]["entity"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_one_is_described_named_and_drawn(kind: str) -> None:
    assert set(offered(kind)) == set(stored("translations/en.json", kind)) == set(stored("icons.json", kind))
    assert set(offered(kind)) == set(KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_named(kind: str) -> None:
    texts = stored("translations/en.json", kind)

    for key, description in offered(kind).items():
        assert set(description.get("fields", {})) == set(texts[key].get("fields", {})), key
        assert texts[key]["name"], key
        assert texts[key]["description"].endswith("."), key


@pytest.mark.parametrize("kind", KINDS)
async def test_what_the_editor_offers_by_default_is_taken(hass: HomeAssistant, kind: str) -> None:
    for key, description in offered(kind).items():
        defaults = {name: field["default"] for name, field in description.get("fields", {}).items()}
        config = {"target": {"entity_id": "sensor.some"}, "options": defaults}

        await KINDS[kind][key].async_validate_config(hass, config)
