"""What the page for automation authors says is so: its examples are automations, its tables are complete."""

import re
from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml

from custom_components.charge_cluster.condition import CHARGES_ABOVE_A, CONDITIONS
from custom_components.charge_cluster.trigger import TRIGGERS, CardAsked, SessionEnded, SessionImpossible
from tests.site_entry import a_charge_point, a_site, free_port, set_up

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "automations.md").read_text(encoding="utf-8")
EXAMPLES: list[Any] = [parse_yaml(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["alias"] for example in EXAMPLES])
async def test_an_example_is_an_automation(hass: HomeAssistant, example: dict[str, Any]) -> None:
    await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    assert await async_setup_component(hass, "automation", {"automation": [example]})
    await hass.async_block_till_done()

    (automation,) = hass.states.async_all("automation")
    assert automation.state == "on"
    await hass.services.async_call("automation", "turn_off", {"entity_id": automation.entity_id}, blocking=True)


async def test_entities_of_a_site_called_depot_are_called_as_in_the_examples(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    known = {entity.entity_id for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)}

    named = set(re.findall(r"\b(?:\w+)\.(?:cp1|depot)_\w+", PAGE))

    assert named <= known


@pytest.mark.parametrize("name", [*TRIGGERS, *CONDITIONS])
def test_every_trigger_and_condition_has_its_row_and_what_it_looks_at(name: str) -> None:
    assert f"| `charge_cluster.{name}` |" in PAGE
    assert f"`{name}`" in PAGE.split("## Triggers")[0]


def test_only_what_there_is_is_named() -> None:
    assert set(re.findall(r"charge_cluster\.(\w+)", PAGE)) == {*TRIGGERS, *CONDITIONS}
    told = {name for kind in (SessionEnded, SessionImpossible, CardAsked) for name in kind._variables}
    assert set(re.findall(r"`trigger\.(\w+)` \|", PAGE)) == told
    assert f"more than {CHARGES_ABOVE_A:.0f} A" in PAGE


def test_every_blueprint_has_its_row() -> None:
    linked = set(re.findall(r"\]\(\.\./(blueprints/[^)]+)\)", PAGE))

    assert linked == {str(path.relative_to(ROOT)) for path in (ROOT / "blueprints").rglob("*.yaml")}
