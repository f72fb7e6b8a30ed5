"""Charge points that dial in uninvited: discovered one by one, accepted one by one or many at once."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from homeassistant.config_entries import SOURCE_IGNORE, SOURCE_INTEGRATION_DISCOVERY
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.charge_cluster.newcomers import Newcomer
from tests.site_entry import DOMAIN, SUPPLY, Dialled, a_charge_point, a_site, add, free_port, set_up

PATIENCE_S = 10.0
ADVANCED = {"minimum": 6, "step": 1, "priority": 0, "onward": False}


async def until(happened: Callable[[], bool]) -> None:
    """Wait for something that comes over the wire."""
    async with asyncio.timeout(PATIENCE_S):
        while not happened():  # noqa: ASYNC110 - what is awaited shows in many places, not in one event
            await asyncio.sleep(0.01)


def discoveries(hass: HomeAssistant) -> list[Any]:
    """Return the discoveries that are shown."""
    return [
        flow
        for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        if flow["context"]["source"] == SOURCE_INTEGRATION_DISCOVERY
    ]


def waits(entry: MockConfigEntry, identity: str) -> bool:
    """Return whether a newcomer has introduced itself."""
    newcomer = entry.runtime_data.site.newcomers.get(identity)
    return newcomer is not None and newcomer.identity_report.vendor is not None


def filled_in(**changes: Any) -> dict[str, Any]:
    """Return the form of a discovered charge point as most fill it in."""
    return {
        "name": "Place 1",
        "cluster": SUPPLY,
        "connectors": 1,
        "maximum": 16,
        "rotation": "l1_l2_l3",
        "security": "basic",
        "advanced": ADVANCED,
    } | changes


async def submit(hass: HomeAssistant, flow: Any, form: dict[str, Any]) -> Any:
    """Return what became of a form."""
    result = await hass.config_entries.flow.async_configure(flow["flow_id"], form)
    await hass.async_block_till_done()
    return result


async def test_a_newcomer_is_discovered_once_and_accepted(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port()))
    site = entry.runtime_data.site

    async with Dialled(port, "CP1"):
        await until(lambda: waits(entry, "CP1"))
        await until(lambda: len(discoveries(hass)) == 1)
        [flow] = discoveries(hass)
        assert flow["context"]["unique_id"] == "newcomer:CP1"
        assert flow["step_id"] == "charge_point"
        step = await submit(hass, flow, filled_in())
        assert step["step_id"] == "connect"
        result = await submit(hass, flow, {})

        assert result["type"] is FlowResultType.ABORT
        assert result["reason"] == "charge_point_added"
        [point] = site.settings.charge_points
        assert (point.name, point.identity, point.key) == ("Place 1", "CP1", step["description_placeholders"]["key"])
        assert entry.runtime_data.site is site
        assert discoveries(hass) == []
        await until(lambda: "CP1" not in site.newcomers)


async def test_redialling_raises_no_second_discovery(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port()))

    for _ in range(3):
        async with Dialled(port, "CP1"):
            await until(lambda: "CP1" in entry.runtime_data.site.newcomers)
            await hass.async_block_till_done()
            assert len(discoveries(hass)) == 1


async def test_the_site_is_asked_only_where_there_are_several(hass: HomeAssistant) -> None:
    port = free_port()
    entry = await set_up(hass, a_site(port))
    other = await set_up(hass, a_site(port, name="Office"))

    async with Dialled(port, "CP1"):
        await until(lambda: waits(entry, "CP1") and waits(other, "CP1"))
        await until(lambda: len(discoveries(hass)) == 1)
        [flow] = discoveries(hass)
        assert flow["step_id"] == "site"
        step = await submit(hass, flow, {"site": other.entry_id})
        assert step["step_id"] == "charge_point"
        assert step["description_placeholders"]["site"] == "Office"
        await submit(hass, flow, filled_in(security="plain"))
        await submit(hass, flow, {})

        assert [point.identity for point in other.runtime_data.site.settings.charge_points] == ["CP1"]
        assert entry.runtime_data.site.settings.charge_points == ()


async def test_an_ignored_newcomer_stays_ignored_until_that_is_undone(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port()))

    async with Dialled(port, "CP1"):
        await until(lambda: waits(entry, "CP1"))
        await until(lambda: len(discoveries(hass)) == 1)
        await hass.config_entries.flow.async_init(
            DOMAIN, context={"source": SOURCE_IGNORE}, data={"unique_id": "newcomer:CP1", "title": "CP1"}
        )
        assert discoveries(hass) == []
    await until(lambda: "CP1" not in entry.runtime_data.site.newcomers)

    async with Dialled(port, "CP1"):
        await until(lambda: waits(entry, "CP1"))
        await hass.async_block_till_done()
        assert discoveries(hass) == []

        [ignored] = [known for known in hass.config_entries.async_entries(DOMAIN) if known.source == SOURCE_IGNORE]
        await hass.config_entries.async_remove(ignored.entry_id)
        await until(lambda: len(discoveries(hass)) == 1)


async def test_a_discovery_goes_when_the_charge_point_is_added_by_hand(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port()))

    async with Dialled(port, "CP1"):
        await until(lambda: waits(entry, "CP1"))
        await until(lambda: len(discoveries(hass)) == 1)
        await add(hass, entry, a_charge_point("CP1"))

        await until(lambda: discoveries(hass) == [])


async def test_a_discovery_of_somebody_who_left_ends_kindly(hass: HomeAssistant) -> None:
    await set_up(hass, a_site(free_port()))

    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_INTEGRATION_DISCOVERY}, data=Newcomer("CP1")
    )

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "newcomer_gone"


async def test_a_form_of_a_newcomer_is_checked(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("Place 1")))

    async with Dialled(port, "CP1"):
        await until(lambda: waits(entry, "CP1"))
        await until(lambda: len(discoveries(hass)) == 1)
        [flow] = discoveries(hass)
        name = await submit(hass, flow, filled_in())
        fallback = await submit(hass, flow, filled_in(name="Place 2", maximum=60, fallback=60))

    assert name["errors"] == {"name": "name_taken"}
    assert fallback["errors"] == {"fallback": "fallback_does_not_fit"}
    assert fallback["description_placeholders"]["excess"] == "7"


async def test_many_are_accepted_together(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port(), rating=100.0, base_load=80.0))
    coordinator = entry.runtime_data.coordinator
    identities = [f"CP{number}" for number in range(6)]

    async with AsyncExitStack() as wires:
        for identity in identities:
            await wires.enter_async_context(Dialled(port, identity))
        await until(lambda: all(waits(entry, identity) for identity in identities))
        menu = await entry.start_reconfigure_flow(hass)
        assert menu["type"] is FlowResultType.MENU
        form = await submit(hass, menu, {"next_step_id": "waiting"})
        assert form["description_placeholders"]["count"] == "6"
        keys = await submit(
            hass,
            menu,
            {
                "identities": identities[:5],
                "cluster": SUPPLY,
                "maximum": 16,
                "rotation": "in_turn",
                "security": "basic",
            },
        )
        assert keys["step_id"] == "keys"
        assert entry.runtime_data.site.settings.charge_points == ()
        result = await submit(hass, menu, {})

        assert result["reason"] == "charge_points_added"
        assert result["description_placeholders"] == {"count": "5"}
        points = entry.runtime_data.site.settings.charge_points
        assert [point.identity for point in points] == identities[:5]
        assert [point.connectors[0].rotation for point in points[:4]] == [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 1, 2)]
        assert [point.fallback_a for point in points] == [0.0] * 5  # 3 × 6 A would have fitted
        assert all(point.key in keys["description_placeholders"]["keys"] for point in points if point.key)
        assert entry.runtime_data.coordinator is coordinator
        await until(lambda: list(entry.runtime_data.site.newcomers) == ["CP5"])


async def test_many_whose_fallbacks_do_not_fit_are_refused_together(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port(), rating=63.0, base_load=20.0))
    identities = ["CP1", "CP2", "CP3"]

    async with AsyncExitStack() as wires:
        for identity in identities:
            await wires.enter_async_context(Dialled(port, identity))
        await until(lambda: all(waits(entry, identity) for identity in identities))
        menu = await entry.start_reconfigure_flow(hass)
        await submit(hass, menu, {"next_step_id": "waiting"})
        form = {
            "identities": identities,
            "cluster": SUPPLY,
            "maximum": 16,
            "rotation": "unknown",
            "fallback": 16,
            "security": "plain",
        }
        refused = await submit(hass, menu, form)
        nobody = await submit(hass, menu, form | {"identities": []})

    assert refused["errors"] == {"fallback": "fallback_does_not_fit"}
    assert refused["description_placeholders"]["fallback"] == "3 × 16 A"
    assert refused["description_placeholders"]["excess"] == "5"
    assert nobody["errors"] == {"identities": "nobody_chosen"}
