"""Actions ask charge points over their own connections, many at once, and say what became of it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.charge_cluster.ledger.drivers import DriverRecord
from tests.entities.stage import Dial, plug_in_and_charge
from tests.site_entry import DOMAIN, a_charge_point, a_cluster, a_meter, a_site, add, free_port, set_up, subentry_called

from .stage import administrator, answer, ask, device, member

COMMANDS: dict[str, dict[str, Any]] = {
    "start_charging": {},
    "stop_charging": {},
    "unlock": {},
    "reset": {},
    "set_availability": {"operative": False},
    "refresh": {},
}
TWO_CONNECTORS = ["l1_l2_l3", "l2_l3_l1"]


@pytest.mark.parametrize("action", COMMANDS)
async def test_only_administrators_may_ask(hass: HomeAssistant, dial: Dial, action: str) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    point = await dial(port, "CP1")
    before = len(point.asked)

    with pytest.raises(Unauthorized):
        await ask(hass, action, device(hass, entry, "CP1"), by=member(hass), **COMMANDS[action])

    assert {name for name, _ in point.asked[before:]} <= {"SetChargingProfile", "ChangeConfiguration"}


@pytest.mark.parametrize("action", COMMANDS)
async def test_who_is_away_cannot_be_asked(hass: HomeAssistant, action: str) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    with pytest.raises(HomeAssistantError, match=r"has no connection") as failed:
        await ask(hass, action, device(hass, entry, "CP1"), **COMMANDS[action])

    assert failed.value.translation_key == "charger_offline"


@pytest.mark.parametrize("action", COMMANDS)
async def test_a_meter_cannot_be_asked(hass: HomeAssistant, action: str) -> None:
    meter = a_meter("Meter", ["sensor.l1", "sensor.l2", "sensor.l3"])
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), meter))

    with pytest.raises(ServiceValidationError, match=r"^Meter is no") as refused:
        await ask(hass, action, device(hass, entry, "Meter"), **COMMANDS[action])

    assert refused.value.translation_key in {"needs_connector", "needs_charge_point"}


async def test_a_device_of_somebody_else_is_refused(hass: HomeAssistant) -> None:
    await set_up(hass, a_site(free_port()))

    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "refresh", "no such device")

    assert refused.value.translation_key == "service_device_not_found"


async def test_a_device_whose_site_does_not_run_is_refused(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    assert await hass.config_entries.async_unload(entry.entry_id)

    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "refresh", device(hass, entry, "CP1"))

    assert refused.value.translation_key == "service_config_entry_not_loaded"


async def test_a_device_that_nothing_stands_behind_any_more_is_refused(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    left = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={(DOMAIN, "gone")}, name="Place 9"
    )

    with pytest.raises(ServiceValidationError, match="Place 9 is not part of a site any more") as refused:
        await ask(hass, "refresh", left.id)

    assert refused.value.translation_key == "device_gone"


async def test_a_charge_point_that_is_just_being_let_go_is_not_asked(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    about = device(hass, entry, "CP1")
    await entry.runtime_data.site.apply(replace(entry.runtime_data.site.settings, charge_points=()))

    with pytest.raises(ServiceValidationError) as no_connector:
        await ask(hass, "stop_charging", about)
    with pytest.raises(ServiceValidationError) as no_charge_point:
        await ask(hass, "reset", about)

    assert no_connector.value.translation_key == "device_gone"
    assert no_charge_point.value.translation_key == "needs_charge_point"


# Charging -----------------------------------------------------------------------------------------------------------


async def test_charging_is_started_in_nobodys_name_where_everybody_may(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", rotations=TWO_CONNECTORS)))
    point = await dial(port, "CP1", 2)

    await ask(hass, "start_charging", device(hass, entry, "CP1", 2), by=administrator(hass), wait=0)

    assert point.calls("RemoteStartTransaction") == [{"connectorId": 2, "idTag": "CHARGECLUSTER"}]


async def test_charging_is_started_with_the_id_tag_of_a_driver(hass: HomeAssistant, dial: Dial) -> None:
    site = a_site(port := free_port(), a_charge_point("CP1"), accept_all_tags=False)
    entry = await set_up(hass, site)
    await entry.runtime_data.installation.ledger.drivers.put(DriverRecord(id_tag="04AA", name="Ann"))
    point = await dial(port, "CP1")

    await ask(hass, "start_charging", device(hass, entry, "CP1"), id_tag=" 04AA ", wait=0)

    assert point.calls("RemoteStartTransaction") == [{"connectorId": 1, "idTag": "04AA"}]


async def test_a_start_is_done_when_the_transaction_has_begun(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    point = await dial(port, "CP1")
    starting = asyncio.ensure_future(answer(hass, "start_charging", device(hass, entry, "CP1")))
    await point.was_asked("RemoteStartTransaction")
    assert not starting.done()

    transaction_id = await point.start(tag="CHARGECLUSTER")

    [started] = (await starting)["started"]
    assert started == {
        "connector": "CP1",
        "device_id": device(hass, entry, "CP1"),
        "transaction_id": str(transaction_id),
    }


async def test_a_start_that_nobody_follows_fails_with_what_to_do(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    await dial(port, "CP1")

    with pytest.raises(HomeAssistantError, match="plugged in") as failed:
        await ask(hass, "start_charging", device(hass, entry, "CP1"), wait=0.3)

    assert failed.value.translation_key == "start_not_followed"


@pytest.mark.parametrize(
    ("driver", "told"),
    [
        (DriverRecord(id_tag="OTHER", name="Somebody else"), "Unknown"),
        (DriverRecord(id_tag="04AA", name="Ann", enabled=False), "Blocked"),
        (DriverRecord(id_tag="04AA", name="Ann", expires_at=1.0), "Expired"),
    ],
)
async def test_who_may_not_charge_is_not_started(
    hass: HomeAssistant, dial: Dial, driver: DriverRecord, told: str
) -> None:
    site = a_site(port := free_port(), a_charge_point("CP1"), accept_all_tags=False)
    entry = await set_up(hass, site)
    await entry.runtime_data.installation.ledger.drivers.put(driver)
    point = await dial(port, "CP1")

    with pytest.raises(ServiceValidationError, match=told) as refused:
        await ask(hass, "start_charging", device(hass, entry, "CP1"), id_tag="04AA")

    assert refused.value.translation_key == "id_tag_refused"
    assert "04AA" not in str(refused.value)
    assert point.calls("RemoteStartTransaction") == []


async def test_where_only_drivers_may_charge_nobody_does_without_an_id_tag(hass: HomeAssistant, dial: Dial) -> None:
    site = a_site(port := free_port(), a_charge_point("CP1"), accept_all_tags=False)
    entry = await set_up(hass, site)
    point = await dial(port, "CP1")

    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "start_charging", device(hass, entry, "CP1"))

    assert refused.value.translation_key == "id_tag_needed"
    assert point.calls("RemoteStartTransaction") == []


@pytest.mark.parametrize("tag", ["", "   ", "x" * 256, "line\nbreak", "Ünicode"])
async def test_what_is_no_id_tag_is_refused(hass: HomeAssistant, tag: str) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    with pytest.raises(vol.Invalid):
        await ask(hass, "start_charging", device(hass, entry, "CP1"), id_tag=tag)


async def test_a_running_transaction_is_stopped(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    point = await dial(port, "CP1")
    transaction_id = await plug_in_and_charge(point)

    await ask(hass, "stop_charging", device(hass, entry, "CP1"))

    assert point.calls("RemoteStopTransaction") == [{"transactionId": transaction_id}]


@pytest.mark.parametrize("action", ["start_charging", "stop_charging", "unlock"])
@pytest.mark.parametrize("title", ["CP1", "Cluster B", None])
async def test_one_of_several_connectors_must_be_chosen(hass: HomeAssistant, action: str, title: str | None) -> None:
    site = a_site(free_port(), a_charge_point("CP1", rotations=TWO_CONNECTORS), a_cluster("Cluster B"))
    entry = await set_up(hass, site)

    with pytest.raises(ServiceValidationError, match=title or "Depot") as refused:
        await ask(hass, action, device(hass, entry, title))

    assert refused.value.translation_key == "needs_connector"


async def test_the_plug_of_the_right_connector_is_released(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", rotations=TWO_CONNECTORS)))
    point = await dial(port, "CP1", 2)

    await ask(hass, "unlock", device(hass, entry, "CP1", 2))

    assert point.calls("UnlockConnector") == [{"connectorId": 2}]


# Charge points ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fields", "kind"), [({}, "Soft"), ({"kind": "soft"}, "Soft"), ({"kind": "hard"}, "Hard")])
async def test_a_charge_point_is_restarted(hass: HomeAssistant, dial: Dial, fields: dict[str, Any], kind: str) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", rotations=TWO_CONNECTORS)))
    point = await dial(port, "CP1")

    await ask(hass, "reset", device(hass, entry, "CP1"), **fields)

    assert point.calls("Reset") == [{"type": kind}]


async def test_one_connector_cannot_be_restarted(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", rotations=TWO_CONNECTORS)))

    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "reset", device(hass, entry, "CP1", 2))

    assert refused.value.translation_key == "needs_charge_point"


async def test_a_charge_point_tells_its_state_anew(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    point = await dial(port, "CP1")
    point.asked.clear()

    await ask(hass, "refresh", device(hass, entry, "CP1"))

    asked = [payload["requestedMessage"] for payload in point.calls("TriggerMessage")]
    assert asked == ["StatusNotification", "MeterValues"]


async def test_a_connector_is_taken_out_of_service_and_back(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", rotations=TWO_CONNECTORS)))
    point = await dial(port, "CP1", 2)

    await ask(hass, "set_availability", device(hass, entry, "CP1", 2), operative=False)
    await ask(hass, "set_availability", device(hass, entry, "CP1", 2), operative=True)

    assert point.calls("ChangeAvailability") == [
        {"connectorId": 2, "type": "Inoperative"},
        {"connectorId": 2, "type": "Operative"},
    ]


async def a_car_park(hass: HomeAssistant, port: int) -> MockConfigEntry:
    """Return a site with a charge point on its supply, one in a cluster and one in a cluster below that."""
    entry = await set_up(hass, a_site(port, a_cluster("Outer"), a_charge_point("Beside")))
    outer = subentry_called(entry, "Outer").subentry_id
    await add(hass, entry, a_cluster("Inner", parent=outer), a_charge_point("CP1", cluster=outer))
    await add(hass, entry, a_charge_point("CP2", cluster=subentry_called(entry, "Inner").subentry_id))
    return entry


@pytest.mark.parametrize(
    ("title", "asked"), [("Outer", {"CP1", "CP2"}), ("Inner", {"CP2"}), (None, {"Beside", "CP1", "CP2"})]
)
async def test_a_cluster_stands_for_all_below_it(
    hass: HomeAssistant, dial: Dial, title: str | None, asked: set[str]
) -> None:
    entry = await a_car_park(hass, port := free_port())
    points = {identity: await dial(port, identity) for identity in ("Beside", "CP1", "CP2")}

    await ask(hass, "set_availability", device(hass, entry, title), operative=False)

    closed = {"connectorId": 0, "type": "Inoperative"}
    taken = {name: point.calls("ChangeAvailability") for name, point in points.items()}
    assert taken == {name: [closed] if name in asked else [] for name in points}


async def test_who_is_named_twice_is_asked_once(hass: HomeAssistant, dial: Dial) -> None:
    entry = await a_car_park(hass, port := free_port())
    point = await dial(port, "CP2")

    await ask(hass, "reset", device(hass, entry, "Inner"), device(hass, entry, "CP2"), device(hass, entry, "CP2"))

    assert len(point.calls("Reset")) == 1


async def test_a_cluster_without_charge_points_is_refused(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B")))

    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "reset", device(hass, entry, "Cluster B"))

    assert refused.value.translation_key == "needs_charge_point"


async def test_one_that_fails_keeps_nobody_else_from_being_asked(hass: HomeAssistant, dial: Dial) -> None:
    entry = await a_car_park(hass, port := free_port())
    points = {identity: await dial(port, identity) for identity in ("Beside", "CP1")}
    points["CP1"].answers["Reset"] = lambda _: {"status": "Rejected"}

    with pytest.raises(HomeAssistantError) as failed:
        await ask(hass, "reset", device(hass, entry))

    assert failed.value.translation_key == "some_failed"
    assert str(failed.value).startswith("2 of 3 could not be done.")
    assert "CP1: The charge point answered: Rejected;" in str(failed.value)
    assert "CP2: The charge point has no connection" in str(failed.value)
    assert len(points["Beside"].calls("Reset")) == 1


async def test_of_many_that_fail_some_are_named(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), *(a_charge_point(f"CP{number}") for number in range(12))))

    with pytest.raises(HomeAssistantError, match=r"^12 of 12 .*; …$") as failed:
        await ask(hass, "reset", device(hass, entry))

    assert str(failed.value).count("has no connection") == 10


async def test_a_connection_that_ends_before_the_answer_is_told(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    point = await dial(port, "CP1")
    point.silent_on.add("Reset")

    asking = asyncio.create_task(ask(hass, "reset", device(hass, entry, "CP1")))
    await point.was_asked("Reset")
    point.client.abort()

    with pytest.raises(HomeAssistantError) as failed:
        await asking
    assert failed.value.translation_key == "charger_offline"
