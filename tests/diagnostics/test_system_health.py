"""*System information* tells how much there is, where charge points dial in and how the ledger is."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from tests.entities.stage import Dial
from tests.repairs.stage import REPOSITORY, words_of
from tests.site_entry import DOMAIN, a_charge_point, a_site, free_port, set_up


async def health(hass: HomeAssistant, ws_client: WebSocketGenerator) -> dict[str, Any]:
    """Return what a person sees, once all of it has arrived."""
    assert await async_setup_component(hass, "system_health", {})
    client = await ws_client(hass)
    await client.send_json_auto_id({"type": "system_health/info"})
    assert (await client.receive_json())["success"]
    told: dict[str, Any] = {}
    while (event := (await client.receive_json())["event"])["type"] != "finish":
        if event["type"] == "initial":
            told = event["data"][DOMAIN]["info"]
        elif event["domain"] == DOMAIN:
            told[event["key"]] = event["data"] if event["success"] else event["error"]
    return told


def newest_schema() -> str:
    versions = REPOSITORY / "custom_components" / DOMAIN / "ledger" / "migrations" / "versions"
    return max(path.stem for path in versions.glob("[0-9]*.py")).partition("_")[0]


async def test_it_tells_of_all_sites(hass: HomeAssistant, hass_ws_client: WebSocketGenerator, dial: Dial) -> None:
    one, other = free_port(), free_port()
    await set_up(hass, a_site(one, a_charge_point("CP1"), a_charge_point("CP2"), name="North"))
    await set_up(hass, a_site(other, a_charge_point("CP3"), name="South"))
    await dial(one, "CP1")

    told = await health(hass, hass_ws_client)

    first, second = sorted((one, other))
    assert told.pop("ledger_size").endswith(" MiB")
    assert told == {
        "sites": 2,
        "charge_points": "1/3",
        "security_profiles": "0: 1",
        "listener": f"ws://127.0.0.1:{first}, ws://127.0.0.1:{second}",
        "ledger": "ok",
        "schema_version": newest_schema(),
    }


async def test_without_a_site_there_is_nothing_to_tell_of_the_ledger(
    hass: HomeAssistant, hass_ws_client: WebSocketGenerator
) -> None:
    entry = await set_up(hass, a_site(free_port()))
    assert await hass.config_entries.async_unload(entry.entry_id)

    assert await health(hass, hass_ws_client) == {"sites": 0, "charge_points": "0/0", "security_profiles": "–"}


async def test_a_ledger_that_cannot_be_read_is_told(hass: HomeAssistant, hass_ws_client: WebSocketGenerator) -> None:
    entry = await set_up(hass, a_site(free_port()))
    ledger = entry.runtime_data.installation.ledger
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Exception, match="locked"):
            await ledger.limits.latest(entry.entry_id)

        told = await health(hass, hass_ws_client)

        other.execute("ROLLBACK")
    failed = {"type": "failed", "error": "(sqlite3.OperationalError) database is locked"}
    assert (told["ledger"], told["schema_version"]) == (failed, failed)


async def test_every_figure_has_its_name(hass: HomeAssistant, hass_ws_client: WebSocketGenerator) -> None:
    await set_up(hass, a_site(free_port()))

    told = await health(hass, hass_ws_client)

    assert told.keys() == words_of("system_health")["info"].keys()
