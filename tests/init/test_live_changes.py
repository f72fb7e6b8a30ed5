"""Adding, moving, renaming and removing while the site runs: devices and entities follow, nothing is reloaded."""

import asyncio
import logging
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.helpers.device_registry import AnyDeviceEntry
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.charge_cluster import async_remove_config_entry_device
from tests.site_entry import DOMAIN, a_charge_point, a_cluster, a_meter, a_site, add, free_port, set_up, subentry_called


def device(hass: HomeAssistant, entry: MockConfigEntry, device_id: str) -> dr.DeviceEntry | None:
    """Return a main device by the second part of its identifier."""
    return dr.async_get(hass).async_get_device_by_identifier((DOMAIN, device_id), entry.entry_id)


def the_device(hass: HomeAssistant, entry: MockConfigEntry, device_id: str) -> dr.DeviceEntry:
    """Return a main device that must be there."""
    found = device(hass, entry, device_id)
    assert found is not None
    return found


def children(hass: HomeAssistant, entry: MockConfigEntry) -> list[dr.ChildDeviceEntry]:
    """Return the devices of connectors, in their order."""
    found = dr.async_child_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return sorted(found, key=lambda child: sorted(child.identifiers))


def entities_of(hass: HomeAssistant, entry: MockConfigEntry, title: str) -> dict[str, er.RegistryEntry]:
    """Return the entities of a subentry by unique id."""
    subentry_id = subentry_called(entry, title).subentry_id
    return {
        entity.unique_id: entity
        for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        if entity.config_subentry_id == subentry_id
    }


def change(hass: HomeAssistant, entry: MockConfigEntry, title: str, **changes: Any) -> None:
    """Change what is stored of a subentry."""
    subentry = subentry_called(entry, title)
    hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, **changes})


async def test_devices_hang_on_what_feeds_them(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster A")))
    upper = subentry_called(entry, "Cluster A").subentry_id
    await add(hass, entry, a_cluster("Cluster B", parent=upper))
    lower = subentry_called(entry, "Cluster B").subentry_id
    await add(hass, entry, a_charge_point("CP1", cluster=lower), a_charge_point("CP2"))
    await add(hass, entry, a_meter("Meter", ["sensor.l1", "sensor.l2", "sensor.l3"], circuit=upper))

    site = the_device(hass, entry, entry.entry_id)
    fed_by = {
        title: the_device(hass, entry, subentry_called(entry, title).subentry_id).via_device_id
        for title in ("Cluster A", "Cluster B", "CP1", "CP2", "Meter")
    }
    assert site.name == "Depot"
    assert site.config_subentry_id is None
    assert fed_by == {
        "Cluster A": site.id,
        "Cluster B": the_device(hass, entry, upper).id,
        "CP1": the_device(hass, entry, lower).id,
        "CP2": site.id,
        "Meter": the_device(hass, entry, upper).id,
    }


async def test_clusters_are_linked_in_whatever_order_they_were_added(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster A"), a_cluster("Cluster B")))
    lower, upper = (subentry_called(entry, title).subentry_id for title in ("Cluster A", "Cluster B"))

    change(hass, entry, "Cluster A", parent=upper)
    await hass.async_block_till_done()
    await hass.config_entries.async_reload(entry.entry_id)

    assert the_device(hass, entry, lower).via_device_id == the_device(hass, entry, upper).id


async def test_a_charge_point_is_added_without_touching_the_others(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    coordinator = entry.runtime_data.coordinator
    old = {
        unique_id: hass.states.get(entity.entity_id) for unique_id, entity in entities_of(hass, entry, "CP1").items()
    }

    await add(hass, entry, a_charge_point("CP2"))

    assert entry.runtime_data.coordinator is coordinator
    new = entities_of(hass, entry, "CP2")
    assert len(new) == len(old) > 0
    assert all(hass.states.get(entity.entity_id) for entity in new.values() if not entity.disabled)
    for unique_id, entity in entities_of(hass, entry, "CP1").items():
        before, now = old[unique_id], hass.states.get(entity.entity_id)
        assert before is None if now is None else (before is not None and before.last_changed == now.last_changed)


async def test_many_are_added_in_one_go(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))

    await add(hass, entry, *(a_charge_point(f"CP{number}") for number in range(30)))

    assert len(entry.runtime_data.site.settings.charge_points) == 30
    assert all(entities_of(hass, entry, f"CP{number}") for number in range(30))


async def test_what_is_removed_while_it_is_being_added_leaves_nothing(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up(hass, a_site(free_port()))

    adding = hass.async_create_task(add(hass, entry, *(a_charge_point(f"CP{number}") for number in range(30))))
    for number in range(0, 30, 2):
        await asyncio.sleep(0)
        hass.config_entries.async_remove_subentry(entry, subentry_called(entry, f"CP{number}").subentry_id)
    await adding
    await hass.async_block_till_done()

    left = {f"CP{number}" for number in range(1, 30, 2)}
    assert {point.identity for point in entry.runtime_data.site.settings.charge_points} == left
    assert all(entities_of(hass, entry, identity) for identity in left)
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert {device.name for device in devices} == left | {"Depot"}
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_moving_a_charge_point_links_its_device_anew(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B"), a_charge_point("CP1")))
    cluster_id = subentry_called(entry, "Cluster B").subentry_id
    before = entities_of(hass, entry, "CP1")

    change(hass, entry, "CP1", cluster=cluster_id)
    await hass.async_block_till_done()

    point = the_device(hass, entry, subentry_called(entry, "CP1").subentry_id)
    assert point.via_device_id == the_device(hass, entry, cluster_id).id
    assert entities_of(hass, entry, "CP1").keys() == before.keys()


async def test_names_follow_the_titles(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B"), a_charge_point("CP1")))
    site = entry.runtime_data.site

    hass.config_entries.async_update_entry(entry, title="Depot North")
    hass.config_entries.async_update_subentry(entry, subentry_called(entry, "Cluster B"), title="Row 2")
    hass.config_entries.async_update_subentry(entry, subentry_called(entry, "CP1"), title="Place 1")
    await hass.async_block_till_done()

    assert entry.runtime_data.site is site
    assert (site.settings.name, site.settings.circuits[1].name) == ("Depot North", "Row 2")
    assert the_device(hass, entry, entry.entry_id).name == "Depot North"
    assert the_device(hass, entry, subentry_called(entry, "Row 2").subentry_id).name == "Row 2"
    assert the_device(hass, entry, subentry_called(entry, "Place 1").subentry_id).name == "Place 1"


async def test_a_second_connector_moves_the_first_to_a_device_of_its_own_and_back(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    point_id = subentry_called(entry, "CP1").subentry_id
    first = {key: entity for key, entity in entities_of(hass, entry, "CP1").items() if key.startswith(f"{point_id}/1-")}
    assert {entity.device_id for entity in first.values()} == {the_device(hass, entry, point_id).id}
    assert children(hass, entry) == []

    change(hass, entry, "CP1", rotations=["l1_l2_l3", "l2_l3_l1"])
    await hass.async_block_till_done()

    one, two = children(hass, entry)
    assert (one.name, two.name) == ("Connector 1", "Connector 2")
    assert one.parent_device_id == the_device(hass, entry, point_id).id
    now = entities_of(hass, entry, "CP1")
    assert {now[key].device_id for key in first} == {one.id}
    assert {now[key].entity_id for key in first} == {entity.entity_id for entity in first.values()}
    assert {now[key.replace("/1-", "/2-")].device_id for key in first} == {two.id}

    change(hass, entry, "CP1", rotations=["l1_l2_l3"])
    await hass.async_block_till_done()

    assert children(hass, entry) == []
    now = entities_of(hass, entry, "CP1")
    assert not any(key.startswith(f"{point_id}/2-") for key in now)
    assert {now[key].device_id for key in first} == {the_device(hass, entry, point_id).id}
    assert all(hass.states.get(now[key].entity_id) for key in first if not now[key].disabled)


async def test_a_removed_charge_point_takes_device_entities_and_wishes_with_it(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), a_charge_point("CP2")))
    coordinator = entry.runtime_data.coordinator
    gone = subentry_called(entry, "CP1").subentry_id
    coordinator.wish(f"{gone}/1", cap_a=10.0)

    hass.config_entries.async_remove_subentry(entry, gone)
    await hass.async_block_till_done()

    assert device(hass, entry, gone) is None
    assert [point.identity for point in entry.runtime_data.site.settings.charge_points] == ["CP2"]
    assert f"{gone}/1" not in coordinator.wishes.by_connector
    assert entry.runtime_data.coordinator is coordinator
    assert entities_of(hass, entry, "CP2")


async def test_what_hangs_on_a_removed_cluster_keeps_its_rating_also_after_a_restart(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B", rating=25.0)))
    cluster_id = subentry_called(entry, "Cluster B").subentry_id
    await add(hass, entry, a_charge_point("CP1", cluster=cluster_id))

    hass.config_entries.async_remove_subentry(entry, cluster_id)
    await hass.async_block_till_done()
    for _ in ("as it runs", "restarted"):
        lost = entry.runtime_data.site.settings.circuits[1]
        assert (lost.name, lost.lost, lost.rating_a) == ("Cluster B", True, (25.0, 25.0, 25.0))
        point = the_device(hass, entry, subentry_called(entry, "CP1").subentry_id)
        assert point.via_device_id == the_device(hass, entry, entry.entry_id).id
        assert device(hass, entry, cluster_id) is None
        await hass.config_entries.async_reload(entry.entry_id)

    change(hass, entry, "CP1", cluster="supply")
    await hass.async_block_till_done()
    assert len(entry.runtime_data.site.settings.circuits) == 1
    assert entry.data["known_clusters"] == {}


async def test_a_change_that_does_not_fit_leaves_the_site_as_it_was_and_says_so(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    before = entry.runtime_data.site.settings

    change(hass, entry, "CP1", fallback=60.0, maximum=60.0)
    await hass.async_block_till_done()
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"settings_refused_{entry.entry_id}")
    assert entry.runtime_data.site.settings == before
    assert issue is not None

    change(hass, entry, "CP1", fallback=0.0, maximum=32.0)
    await hass.async_block_till_done()
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"settings_refused_{entry.entry_id}") is None


async def test_only_devices_without_anything_behind_them_can_be_removed(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", rotations=["l1_l2_l3", "l2_l3_l1"])))
    stale = dr.async_get(hass).async_get_or_create(config_entry_id=entry.entry_id, identifiers={(DOMAIN, "stale")})
    live: list[AnyDeviceEntry] = [
        the_device(hass, entry, entry.entry_id),
        the_device(hass, entry, subentry_called(entry, "CP1").subentry_id),
        *children(hass, entry),
    ]

    assert await async_remove_config_entry_device(hass, entry, stale)
    assert not any([await async_remove_config_entry_device(hass, entry, one) for one in live])
