"""Adding, changing and removing clusters while the site runs."""

from typing import Any

from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.site_entry import SUPPLY, a_charge_point, a_cluster, a_site, add, free_port, set_up, subentry_called


def filled_in(**changes: Any) -> dict[str, Any]:
    """Return a form as most fill it in."""
    return {"name": "Cluster B", "parent": SUPPLY, "rating": 40, "advanced": {}} | changes


async def added(hass: HomeAssistant, entry: MockConfigEntry, form: dict[str, Any]) -> Any:
    """Return what became of a form for a new cluster."""
    flow = await hass.config_entries.subentries.async_init((entry.entry_id, "cluster"), context={"source": SOURCE_USER})
    result = await hass.config_entries.subentries.async_configure(flow["flow_id"], form)
    await hass.async_block_till_done()
    return result


async def changed(hass: HomeAssistant, entry: MockConfigEntry, name: str, form: dict[str, Any]) -> Any:
    """Return what became of a form that changes a cluster."""
    flow = await entry.start_subentry_reconfigure_flow(hass, subentry_called(entry, name).subentry_id)
    result = await hass.config_entries.subentries.async_configure(flow["flow_id"], form)
    await hass.async_block_till_done()
    return result


async def test_a_cluster_joins_the_running_site(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    site = entry.runtime_data.site

    result = await added(
        hass, entry, filled_in(base_load=5, advanced={"rating_l3": 32, "sharing": "equal", "ways": 12})
    )

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.runtime_data.site is site
    cluster = site.settings.circuits[1]
    assert cluster.name == "Cluster B"
    assert cluster.parent_id == SUPPLY
    assert cluster.rating_a == (40.0, 40.0, 32.0)
    assert cluster.declared_base_load_a == (5.0, 5.0, 5.0)
    assert (cluster.sharing, cluster.ways) == ("equal", 12)


async def test_a_cluster_may_hang_on_another(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster A")))
    above = subentry_called(entry, "Cluster A").subentry_id

    await added(hass, entry, filled_in(parent=above))

    assert entry.runtime_data.site.settings.circuits[2].parent_id == above


async def test_a_cluster_cannot_be_fed_by_itself(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster A")))
    above = subentry_called(entry, "Cluster A").subentry_id
    await added(hass, entry, filled_in(parent=above))
    below = subentry_called(entry, "Cluster B").subentry_id

    result = await changed(hass, entry, "Cluster A", filled_in(name="Cluster A", parent=below))

    assert result["errors"] == {"parent": "own_ancestor"}
    assert entry.runtime_data.site.settings.circuits[1].parent_id == SUPPLY


async def test_two_clusters_of_one_name_are_refused(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B")))

    result = await added(hass, entry, filled_in(name="cluster b"))

    assert result["errors"] == {"name": "name_taken"}


async def test_a_cluster_needs_a_name(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))

    result = await added(hass, entry, filled_in(name=" "))

    assert result["errors"] == {"name": "name_missing"}


async def test_a_base_load_above_the_rating_is_refused(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))

    result = await added(hass, entry, filled_in(base_load=45))

    assert result["errors"] == {"base_load": "fallback_does_not_fit"}
    assert result["description_placeholders"]["excess"] == "5"


async def test_changing_a_cluster_keeps_its_own_name_and_changes_the_site(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B", rating=40.0)))

    result = await changed(hass, entry, "Cluster B", filled_in(rating=50))

    assert result["reason"] == "reconfigure_successful"
    assert entry.runtime_data.site.settings.circuits[1].rating_a == (50.0, 50.0, 50.0)


async def test_a_rating_below_the_fallbacks_is_refused_with_the_figures(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B", rating=40.0)))
    below = a_charge_point("CP1", cluster=subentry_called(entry, "Cluster B").subentry_id, fallback=16.0)
    await add(hass, entry, below)

    result = await changed(hass, entry, "Cluster B", filled_in(rating=10))

    assert result["errors"] == {"base": "fallback_does_not_fit"}
    assert result["description_placeholders"] == {
        "fallback": "1 × 16 A",
        "base_load": "0",
        "rating": "10",
        "circuit": "Cluster B",
        "excess": "6",
    }
