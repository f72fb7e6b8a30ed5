"""What a first contact finds out: shown in the dialogue and the diagnostics, remembered for the next of the model."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from homeassistant.core import HomeAssistant

from custom_components.charge_cluster.chargers import Acquaintance, GetsKnown
from custom_components.charge_cluster.diagnostics import async_get_config_entry_diagnostics
from custom_components.charge_cluster.site.commissioning.findings import CommissioningTest, Finding, Verdict
from tests.flows.test_newcomers import until
from tests.ocpp.charge_point import ChargePoint
from tests.ocpp.raw_client import RawClient
from tests.site_entry import a_charge_point, a_site, free_port, set_up, subentry_called

type Dial = Callable[..., Awaitable[ChargePoint]]


@pytest.fixture
async def dial(hass: HomeAssistant) -> AsyncIterator[Dial]:
    """Dial in and boot as a charge point of a model."""
    points: list[ChargePoint] = []

    async def dialled(port: int, identity: str, **answers: Any) -> ChargePoint:
        point = ChargePoint(await RawClient.dial(port, f"/{identity}"))
        point.answers |= answers
        points.append(point)
        await point.boot()
        await point.status(1, "Available")
        await hass.async_block_till_done()
        return point

    yield dialled
    for point in points:
        await point.close()


def acquaintance(entry: Any, title: str) -> Acquaintance:
    charger = entry.runtime_data.site.charger(subentry_called(entry, title).subentry_id)
    assert isinstance(charger, GetsKnown)
    return charger.acquaintance


async def test_the_next_of_a_model_is_begun_with_what_was_found_with_the_first(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), a_charge_point("CP2")))
    assert acquaintance(entry, "CP1").topics["composite"] == ("unknown", None)

    first = await dial(port, "CP1", GetCompositeSchedule=lambda _: "NotImplemented")
    await until(lambda: acquaintance(entry, "CP1").topics["composite"] == ("known", "unable"))
    await until(lambda: acquaintance(entry, "CP1").topics["measurands"][0] == "known")
    second = await dial(port, "CP2")
    await second.was_asked("SetChargingProfile")
    await until(lambda: acquaintance(entry, "CP2").topics["measurands"][0] == "known")

    assert first.calls("GetCompositeSchedule") != []
    assert second.calls("GetCompositeSchedule") == []
    assert acquaintance(entry, "CP2").topics["composite"] == ("remembered", "unable")

    told = await async_get_config_entry_diagnostics(hass, entry)
    ways = told["acquaintance"][subentry_called(entry, "CP2").subentry_id]
    assert ways["topics"]["composite"] == ["remembered", "unable"]
    assert ways["quirks"] == []


async def test_the_dialogue_shows_what_is_known_beside_what_was_found(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    point = await dial(port, "CP1")
    await point.tell(
        "BootNotification",
        {"chargePointVendor": "United Chargers", "chargePointModel": "GRS-1", "firmwareVersion": "05.6"},
    )
    await until(lambda: acquaintance(entry, "CP1").quirks == ("lowest_level_only",))
    await until(lambda: acquaintance(entry, "CP1").topics["configuration"] == ("known", "able"))
    point_id = subentry_called(entry, "CP1").subentry_id
    passed = Finding(
        subject=f"{point_id}/1",
        test=CommissioningTest.MINIMUM,
        verdict=Verdict.PASSED,
        at=time.time(),
        firmware="05.6",
        figures={"minimum_a": 6.0},
    )
    entry.runtime_data.site.commissioning.load([passed])

    menu = await entry.start_subentry_reconfigure_flow(hass, point_id)
    shown = await hass.config_entries.subentries.async_configure(menu["flow_id"], {"next_step_id": "findings"})

    lines = (shown["description_placeholders"] or {})["findings"].splitlines()
    assert "**What is known of its ways**" in lines
    assert "- Tells all of its configuration in one answer: found out with this one: `able`" in lines
    assert "- Words in which it takes the profile of a transaction: not known yet" in lines
    assert any("stack level 0 only" in line for line in lines)
