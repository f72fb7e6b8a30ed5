"""Setting up, unloading, reloading and removing a site; and what Home Assistant does by itself."""

import socket
from datetime import timedelta

import pytest
from homeassistant.config_entries import RELOAD_AFTER_UPDATE_DELAY, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.charge_cluster import DOMAIN_DATA
from custom_components.charge_cluster.site.installation import Installation
from tests.site_entry import DOMAIN, a_charge_point, a_cluster, a_site, add, free_port, set_up, subentry_called


def the_installation(hass: HomeAssistant) -> Installation:
    """Return what the domain has open."""
    installation = hass.data[DOMAIN_DATA].installation
    assert installation is not None
    return installation


def listens(port: int) -> bool:
    """Return whether somebody listens on a port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_a_site_that_is_set_up_listens(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))

    assert entry.state is ConfigEntryState.LOADED
    assert listens(port)
    assert set(the_installation(hass).sites()) == {entry.entry_id}


async def test_two_sites_share_one_installation_and_one_port(hass: HomeAssistant) -> None:
    port = free_port()
    first, second = a_site(port), a_site(port, name="Office")
    for entry in (first, second):
        entry.add_to_hass(hass)
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done()

    assert first.runtime_data.installation is second.runtime_data.installation
    assert first.state is second.state is ConfigEntryState.LOADED


async def test_a_reload_keeps_the_very_same_site(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    site, coordinator = entry.runtime_data.site, entry.runtime_data.coordinator

    assert await hass.config_entries.async_unload(entry.entry_id)
    assert listens(port)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    assert entry.runtime_data.site is site
    assert entry.runtime_data.coordinator is not coordinator


async def test_enabling_an_entity_reloads_the_entry_and_not_the_site(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    site, coordinator = entry.runtime_data.site, entry.runtime_data.coordinator
    registry = er.async_get(hass)
    disabled = next(
        entity
        for entity in er.async_entries_for_config_entry(registry, entry.entry_id)
        if entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    )

    registry.async_update_entity(disabled.entity_id, disabled_by=None)
    await hass.async_block_till_done()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=RELOAD_AFTER_UPDATE_DELAY + 1))
    await hass.async_block_till_done()

    assert entry.runtime_data.coordinator is not coordinator
    assert entry.runtime_data.site is site
    assert hass.states.get(disabled.entity_id) is not None


async def test_what_changed_while_the_entry_was_unloaded_is_applied_when_it_is_taken_over(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    site = entry.runtime_data.site
    await hass.config_entries.async_unload(entry.entry_id)

    hass.config_entries.async_update_entry(entry, data={**entry.data, "ratings": [80.0] * 3})
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    assert entry.runtime_data.site is site
    assert site.settings.circuits[0].rating_a == (80.0, 80.0, 80.0)


async def test_removing_the_entry_stops_the_site_at_once(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port()))

    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()

    assert the_installation(hass).sites() == {}
    assert not listens(port)


async def test_the_end_of_home_assistant_closes_everything(hass: HomeAssistant) -> None:
    await set_up(hass, a_site(port := free_port()))

    await hass.async_stop(force=True)

    assert hass.data[DOMAIN_DATA].installation is None
    assert not listens(port)


async def test_a_port_in_use_is_tried_again(hass: HomeAssistant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        entry = a_site(other.getsockname()[1])
        entry.add_to_hass(hass)
        assert not await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()

    assert (entry.state, entry.error_reason_translation_key) == (ConfigEntryState.SETUP_RETRY, "port_in_use")
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED


async def test_impossible_settings_say_why(hass: HomeAssistant) -> None:
    entry = a_site(free_port(), base_load=70.0)
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(entry.entry_id)

    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert entry.error_reason_translation_key == "impossible_settings"


@pytest.mark.parametrize(("version", "state"), [(1, ConfigEntryState.LOADED), (2, ConfigEntryState.MIGRATION_ERROR)])
async def test_an_entry_of_a_newer_version_is_left_alone(
    hass: HomeAssistant, version: int, state: ConfigEntryState
) -> None:
    site = a_site(free_port())
    entry = MockConfigEntry(domain=site.domain, title=site.title, data=site.data, version=version)
    entry.add_to_hass(hass)

    await hass.config_entries.async_setup(entry.entry_id)

    assert entry.state is state


async def test_what_users_set_survives_a_restart(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    key = f"{subentry_called(entry, 'CP1').subentry_id}/1"

    entry.runtime_data.coordinator.wish(key, cap_a=10.0)
    entry.runtime_data.coordinator.wish(key, enabled=False)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=5))
    await hass.async_block_till_done()
    await hass.config_entries.async_reload(entry.entry_id)

    wish = entry.runtime_data.coordinator.wishes.by_connector[key]
    assert (wish.cap_a, wish.enabled, wish.priority) == (10.0, False, None)


async def test_a_cluster_removed_while_the_site_was_not_loaded_keeps_its_last_rating(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B", rating=40.0)))
    cluster_id = subentry_called(entry, "Cluster B").subentry_id
    hass.config_entries.async_update_subentry(
        entry, subentry_called(entry, "Cluster B"), data={"parent": "supply", "ratings": [32.0] * 3}
    )
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(entry.entry_id)

    hass.config_entries.async_remove_subentry(entry, cluster_id)
    await add(hass, entry, a_charge_point("CP1", cluster=cluster_id))
    assert await hass.config_entries.async_setup(entry.entry_id)

    lost = entry.runtime_data.site.settings.circuits[1]
    assert (lost.circuit_id, lost.lost, lost.rating_a) == (cluster_id, True, (32.0, 32.0, 32.0))
