"""Adding, changing and removing clusters while the site runs."""

from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.charge_cluster.engine.exposure import DeviceKind, ProtectiveDevice
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


async def test_a_neutral_below_the_fallbacks_is_refused_with_the_figures(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B", rating=63.0, base_load=7.0)))
    below = subentry_called(entry, "Cluster B").subentry_id
    await add(hass, entry, *(a_charge_point(f"CP{n}", cluster=below, fallback=16.0) for n in (1, 2)))

    form = filled_in(rating=63, base_load=7, advanced={"neutral": 35})
    result = await changed(hass, entry, "Cluster B", form)

    assert result["errors"] == {"base": "fallback_above_neutral"}
    assert result["description_placeholders"] == {
        "fallback": "2 × 16 A",
        "base_load": "7",
        "neutral": "35",
        "circuit": "Cluster B",
        "excess": "4",
    }
    assert entry.runtime_data.site.settings.circuits[1].neutral_a is None


async def test_an_unbalance_limit_below_the_fallbacks_is_refused_and_0_a_fits(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B", rating=63.0)))
    below = subentry_called(entry, "Cluster B").subentry_id
    await add(hass, entry, a_charge_point("CP1", cluster=below, fallback=16.0))
    form = filled_in(rating=63, advanced={"unbalance": 10})

    refused = await changed(hass, entry, "Cluster B", form)
    assert refused["errors"] == {"base": "fallback_above_unbalance"}
    assert refused["description_placeholders"]["excess"] == "6"

    hass.config_entries.async_remove_subentry(entry, subentry_called(entry, "CP1").subentry_id)
    await add(hass, entry, a_charge_point("CP2", cluster=below, fallback=0.0))
    taken = await changed(hass, entry, "Cluster B", form)
    assert taken["reason"] == "reconfigure_successful"


async def test_a_cluster_may_be_told_in_full(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    figures = {"neutral": 35, "unbalance": 20, "power": 25, "demand": 20, "demand_window": "30", "generation": 10}
    breaker = {"device_kind": "mccb", "device_rated": 40, "long_delay": 5, "short_pickup": 4, "instantaneous": 8}

    result = await added(hass, entry, filled_in(advanced=figures, protection=breaker))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    cluster = entry.runtime_data.site.settings.circuits[1]
    assert (cluster.neutral_a, cluster.unbalance_a, cluster.power_kva) == (35.0, 20.0, 25.0)
    assert (cluster.demand_kw, cluster.demand_window_min) == (20.0, 30)
    assert (cluster.generation_a, cluster.generation_credit) == ((10.0, 10.0, 10.0), False)
    assert cluster.device == ProtectiveDevice(
        kind=DeviceKind.MCCB, rated_a=40.0, long_delay_s=5.0, short_pickup=4.0, instantaneous=8.0
    )


async def test_a_form_shows_what_protects_a_cluster_and_takes_it_back(hass: HomeAssistant) -> None:
    fuse: dict[str, Any] = {"device_kind": "fuse_gg", "device_rated": 40.0, "neutral": 30.0}
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B", **fuse)))

    flow = await entry.start_subentry_reconfigure_flow(hass, subentry_called(entry, "Cluster B").subentry_id)
    assert flow["data_schema"] is not None
    [protection] = [field for marker, field in flow["data_schema"].schema.items() if marker == "protection"]
    shown = {str(marker): (marker.description or {}).get("suggested_value") for marker in protection.schema.schema}
    assert (shown["device_kind"], shown["device_rated"]) == ("fuse_gg", 40.0)

    await hass.config_entries.subentries.async_configure(flow["flow_id"], filled_in(rating=40))
    await hass.async_block_till_done()
    cluster = entry.runtime_data.site.settings.circuits[1]
    assert (cluster.device, cluster.neutral_a) == (None, None)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"advanced": {"neutral": 2}}, "impossible_neutral"),
        ({"advanced": {"power": 1}}, "impossible_power"),
        ({"protection": {"device_kind": "mcb_b", "device_rated": 32}}, "rating_above_device"),
        ({"protection": {"device_kind": "mcb_b", "device_rated": 160}}, "impossible_device"),
        ({"protection": {"device_kind": "mcb_b"}}, "device_rating_missing"),
        ({"protection": {"device_rated": 63}}, "device_kind_missing"),
        (
            {"protection": {"device_kind": "mccb", "device_rated": 63, "short_pickup": 11}},
            "impossible_device_settings",
        ),
    ],
)
async def test_impossible_figures_of_a_cluster_are_refused(
    hass: HomeAssistant, changes: dict[str, Any], key: str
) -> None:
    entry = await set_up(hass, a_site(free_port()))

    result = await added(hass, entry, filled_in(**changes))

    assert result["errors"] == {"base": key}
