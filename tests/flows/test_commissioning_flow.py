"""Commissioning in the dialogue of a charge point or meter, from the menu to the ending."""

import ast
import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.charge_cluster.site.commissioning.findings import CHARGE_POINT_TESTS, METER_TESTS, Verdict
from custom_components.charge_cluster.subentries.commissioning import REQUESTS
from tests.commissioning.stage import OddCharger, Stage
from tests.site_entry import a_charge_point, a_meter, a_site, free_port, set_up, settings_form, subentry_called

from .dialogue import Dialogue, physical_depot

INTEGRATION = Path(__file__).parents[2] / "custom_components" / "charge_cluster"
WORDS: Mapping[str, Any] = json.loads((INTEGRATION / "translations" / "en.json").read_text())

STAIRS = ("limit_response", "phase_map", "random_delay")


async def a_depot(hass: HomeAssistant, **changes: Any) -> MockConfigEntry:
    """Return a site with a charge point on L1 to L3 and a meter over Modbus that nobody asks."""
    meter = a_meter("Meter", [])
    source = {"host": "127.0.0.1", "port": 1, "unit": 1, "profile": "sunspec"}
    data = {name: value for name, value in meter["data"].items() if name != "currents"} | source
    meter["data"] = data
    point = a_charge_point("P1", **({"fallback": 6.0} | changes))
    return await set_up(hass, a_site(free_port(), point, meter, rating=100.0))


def key_of(entry: MockConfigEntry) -> str:
    return f"{subentry_called(entry, 'P1').subentry_id}/1"


def under_way(stage: Stage) -> bool:
    return stage.site.commissioning.progress is not None


async def test_the_menu_offers_settings_and_tests_and_findings_once_there_are_some(hass: HomeAssistant) -> None:
    entry = await a_depot(hass)

    async with physical_depot(hass, entry):
        before = await Dialogue(hass, entry, "P1").opened()
        assert before.step["type"] is FlowResultType.MENU
        assert before.step["menu_options"] == ["settings", "commission"]
        await before.commission("minimum")
        await before.until("result")
        await before.submit()
        after = await Dialogue(hass, entry, "P1").opened()
        assert after.step["menu_options"] == ["settings", "commission", "findings"]
        await after.choose("findings")
        assert "**Least current**: Passed. The vehicle charges from 6 A" in _shown(after)["findings"]
        await after.submit()
        assert after.step["type"] is FlowResultType.MENU


async def test_while_the_site_rests_there_are_only_settings(hass: HomeAssistant) -> None:
    entry = await a_depot(hass)
    assert await hass.config_entries.async_unload(entry.entry_id)

    dialogue = await Dialogue(hass, entry, "P1").opened()

    assert dialogue.step["type"] is FlowResultType.FORM
    assert dialogue.step["step_id"] == "settings"


async def test_a_person_is_led_through_all_tests(hass: HomeAssistant) -> None:
    entry = await a_depot(hass)

    async with physical_depot(hass, entry) as stage:
        dialogue = await Dialogue(hass, entry, "P1").opened()
        await dialogue.choose("commission")
        fields = {str(marker): marker.default() for marker in dialogue.step["data_schema"].schema}
        assert fields == {"tests": [test.value for test in CHARGE_POINT_TESTS], "simulate": False}
        await dialogue.submit()
        post = stage.post("P1")
        for request, act in (
            ("pull_network", OddCharger.pull_network),
            ("restore_network", OddCharger.restore_network),
            ("cut_power", OddCharger.cut_power),
            ("restore_power", OddCharger.restore_power),
        ):
            await dialogue.until(request)
            assert _shown(dialogue) == {"name": "P1"}
            act(post)
            await dialogue.submit()
        await dialogue.until("result")
        found = stage.site.findings(key_of(entry))
        assert {finding.test: finding.verdict for finding in found} == dict.fromkeys(CHARGE_POINT_TESTS, Verdict.PASSED)
        lines = _shown(dialogue)["findings"].splitlines()
        assert len(lines) == len(CHARGE_POINT_TESTS)
        assert all(": Passed. " in line for line in lines)
        assert any("After its power was restored it drew 6 A" in line for line in lines)
        await dialogue.submit()
        assert (dialogue.step["type"], dialogue.step["reason"]) == (FlowResultType.ABORT, "commissioning_passed")

    actions = [step["progress_action"] for step in dialogue.seen]
    assert {"waiting_for_charging", "step_down", "step_up", "finding_minimum", "pausing", "watching"} <= set(actions)
    shares = [int(step["description_placeholders"]["percent"]) for step in dialogue.seen]
    assert shares == sorted(shares)
    assert shares[-1] > 80
    assert {step["description_placeholders"]["test"] for step in dialogue.seen} >= {"Least current", "Power cycle"}


async def test_what_was_done_is_seen_without_a_button(hass: HomeAssistant) -> None:
    entry = await a_depot(hass)

    async with physical_depot(hass, entry) as stage:
        dialogue = await Dialogue(hass, entry, "P1").opened()
        await dialogue.commission("connection_loss", simulate=False)
        await dialogue.until("pull_network")
        stage.post("P1").pull_network()
        await dialogue.until("testing")
        await dialogue.until("restore_network")
        stage.post("P1").restore_network()
        await dialogue.until("result")
        assert "After its connection was lost it drew 6 A" in _shown(dialogue)["findings"]


async def test_nobody_need_pull_anything_where_the_connection_is_closed_from_here(hass: HomeAssistant) -> None:
    entry = await a_depot(hass)

    async with physical_depot(hass, entry):
        dialogue = await Dialogue(hass, entry, "P1").opened()
        await dialogue.commission("connection_loss", simulate=True)
        await dialogue.until("result")
        assert "Loss of connection**: Passed" in _shown(dialogue)["findings"]
    assert "watching" in {step["progress_action"] for step in dialogue.seen}


async def test_who_does_not_do_what_is_asked_is_told_that_nothing_was_proved(hass: HomeAssistant) -> None:
    entry = await a_depot(hass)

    async with physical_depot(hass, entry):
        dialogue = await Dialogue(hass, entry, "P1").opened()
        await dialogue.commission("connection_loss", simulate=False)
        await dialogue.until("pull_network")
        await dialogue.until("result")
        assert "Nothing proved. Nothing was proved. Nobody did what was asked for." in _shown(dialogue)["findings"]
        await dialogue.submit()
        assert dialogue.step["reason"] == "commissioning_ended"


@pytest.mark.parametrize("place", ["testing", "pull_network"])
async def test_closing_the_dialogue_ends_the_tests_and_puts_everything_back(hass: HomeAssistant, place: str) -> None:
    entry = await a_depot(hass)

    async with physical_depot(hass, entry) as stage:
        dialogue = await Dialogue(hass, entry, "P1").opened()
        tests = STAIRS if place == "testing" else ("connection_loss",)
        await dialogue.commission(*tests, simulate=False)
        await dialogue.until(place)
        await asyncio.sleep(20.0)
        assert under_way(stage)
        dialogue.close()
        await asyncio.sleep(60.0)
        assert not under_way(stage)
        assert stage.site.commissioning.facts(key_of(entry)).hold.cap_a is None
        assert stage.site.connectors[key_of(entry)].target_a == 32.0
        [finding, *_] = stage.site.findings(key_of(entry))
        assert finding.figures["why"] == "cancelled"


async def test_tests_that_are_broken_off_elsewhere_say_so(hass: HomeAssistant) -> None:
    entry = await a_depot(hass)

    async with physical_depot(hass, entry) as stage:
        dialogue = await Dialogue(hass, entry, "P1").opened()
        await dialogue.commission("limit_response", "minimum")
        assert stage.site.commissioning.cancel()
        await dialogue.until("result")
        assert _shown(dialogue)["findings"].count("It was cancelled.") == 2


async def test_only_one_is_tested_at_a_time(hass: HomeAssistant) -> None:
    entry = await a_depot(hass)

    async with physical_depot(hass, entry):
        first = await Dialogue(hass, entry, "P1").opened()
        await first.commission("limit_response")
        second = await Dialogue(hass, entry, "Meter").opened()
        await second.commission("meter_speed")
        assert second.step["errors"] == {"base": "commissioning_runs"}
        assert _shown(second) == {"name": "Meter", "subject": "P1"}
        await first.until("result")
        await second.submit({"tests": ["meter_speed"]})
        assert second.step["type"] is FlowResultType.SHOW_PROGRESS
        await second.until("result")


async def test_at_least_one_test_is_chosen(hass: HomeAssistant) -> None:
    entry = await a_depot(hass)
    dialogue = await Dialogue(hass, entry, "P1").opened()

    await dialogue.commission()

    assert dialogue.step["errors"] == {"tests": "no_tests"}


async def test_of_several_connectors_one_is_chosen(hass: HomeAssistant) -> None:
    entry = await a_depot(hass, rotations=["l1_l2_l3", "l2_l3_l1"])
    dialogue = await Dialogue(hass, entry, "P1").opened()

    await dialogue.choose("commission")

    [connector, *_] = dialogue.step["data_schema"].schema.items()
    assert str(connector[0]) == "connector"
    assert [option["label"] for option in connector[1].config["options"]] == ["P1 (1)", "P1 (2)"]


async def test_a_meter_is_tested_by_vehicles_below_it(hass: HomeAssistant) -> None:
    entry = await a_depot(hass)

    async with physical_depot(hass, entry):
        dialogue = await Dialogue(hass, entry, "Meter").opened()
        await dialogue.choose("commission")
        assert [str(marker) for marker in dialogue.step["data_schema"].schema] == ["tests"]
        await dialogue.submit()
        await dialogue.until("result")
        assert len(_shown(dialogue)["findings"].splitlines()) == len(METER_TESTS)
        assert "**Interval and lag**: Passed. A reading every 1 s" in _shown(dialogue)["findings"]
        await dialogue.submit()
        # One single-phase vehicle does not show the other two phases.
        assert dialogue.step["reason"] == "commissioning_ended"


async def test_settings_are_changed_past_the_menu(hass: HomeAssistant) -> None:
    entry = await a_depot(hass)

    assert (await settings_form(hass, entry, "P1"))["step_id"] == "settings"
    assert (await settings_form(hass, entry, "Meter"))["step_id"] == "modbus"


# Words --------------------------------------------------------------------------------------------------------------


def spoken(*calls: str, argument: int) -> set[str]:
    """Return the words that commissioning says by calls of these names."""
    found = set()
    for path in (INTEGRATION / "site" / "commissioning").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or len(node.args) <= argument:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called not in calls:
                continue
            found |= {
                part.value
                for part in ast.walk(node.args[argument])
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            }
    return found


@pytest.mark.parametrize("kind", ["charge_point", "meter"])
def test_whatever_happens_has_its_words(kind: str) -> None:
    steps = spoken("tell", argument=0) | spoken("_say", argument=1) | {"waiting_for_request", "preparing"}

    assert {"step_down", "analysing"} <= steps
    assert steps - WORDS["config_subentries"][kind]["progress"].keys() == set()


def test_whatever_is_asked_for_has_its_step_and_its_words() -> None:
    asked = spoken("ask", argument=0) | spoken("_restored", argument=1)

    assert asked == REQUESTS
    for request in asked:
        assert WORDS["config_subentries"]["charge_point"]["step"][request]["submit"] == "Done"


def test_whatever_keeps_a_test_from_proving_something_has_its_sentence() -> None:
    whys = spoken("NoProof", argument=0) | spoken("_nothing_proved", argument=0)

    assert "no_vehicle" in whys
    assert {f"why_{why}" for why in whys} - WORDS["common"].keys() == set()


@pytest.mark.parametrize("kind", ["charge_point", "meter"])
def test_the_steps_of_commissioning_have_their_words(kind: str) -> None:
    words = WORDS["config_subentries"][kind]

    assert {"settings", "commission", "findings"} == words["step"]["reconfigure"]["menu_options"].keys()
    assert {"result", "findings", "commission"} <= words["step"].keys()
    endings = {"commissioning_passed", "commissioning_ended", "commissioning_broken_off", "not_running"}
    assert endings <= words["abort"].keys()
    assert {"no_tests", "commissioning_runs", "subject_gone"} <= words["error"].keys()


def _shown(dialogue: Dialogue) -> Any:
    return dialogue.step["description_placeholders"]
