"""Setting a site up and changing it, through the forms that people fill in."""

import socket
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER, ConfigEntryState, ConfigFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.charge_cluster.engine.exposure import DeviceKind, ProtectiveDevice
from custom_components.charge_cluster.engine.model import ChargingMode
from custom_components.charge_cluster.site.settings import (
    AuthorisationMode,
    AuthorisationSettings,
    Concurrency,
    Unanswered,
)
from tests.site_entry import DOMAIN, a_charge_point, a_site, free_port, set_up


def filled_in(port: int, **changes: Any) -> dict[str, Any]:
    """Return a form as most fill it in."""
    advanced = {"host": "127.0.0.1"} | changes.pop("advanced", {})
    return {"name": "Depot", "rating": 63, "phases": "3", "base_load": 20, "port": port, "advanced": advanced} | changes


async def submitted(hass: HomeAssistant, form: dict[str, Any]) -> Any:
    """Return what became of a form for a new site."""
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert flow["type"] is FlowResultType.FORM
    result = await hass.config_entries.flow.async_configure(flow["flow_id"], form)
    await hass.async_block_till_done()
    return result


async def test_a_filled_in_form_becomes_a_site_that_runs(hass: HomeAssistant) -> None:
    result = await submitted(hass, filled_in(port := free_port()))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    entry = result["result"]
    assert entry.title == "Depot"
    assert entry.state is ConfigEntryState.LOADED
    settings = entry.runtime_data.site.settings
    assert settings.listener.port == port
    assert settings.circuits[0].rating_a == (63.0, 63.0, 63.0)
    assert settings.circuits[0].declared_base_load_a == (20.0, 20.0, 20.0)


@pytest.mark.parametrize(("country", "offered"), [("GB", "off_peak"), ("DE", "normal")])
async def test_off_peak_hours_are_offered_at_set_up_and_what_is_chosen_stays(
    hass: HomeAssistant, country: str, offered: str
) -> None:
    hass.config.country = country
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert flow["data_schema"] is not None
    suggested = {str(field): (field.description or {}).get("suggested_value") for field in flow["data_schema"].schema}
    assert suggested["usual_mode"] == offered
    form = filled_in(free_port(), usual_mode="smart")
    entry = (await hass.config_entries.flow.async_configure(flow["flow_id"], form))["result"]
    await hass.async_block_till_done()
    assert entry.runtime_data.site.usual.mode == "smart"

    entry.runtime_data.coordinator.wish_usual(mode=ChargingMode.OFF)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert entry.runtime_data.site.usual.mode == "off"


async def test_phases_may_have_ratings_of_their_own(hass: HomeAssistant) -> None:
    result = await submitted(hass, filled_in(free_port(), advanced={"rating_l2": 50, "margin": 4, "sharing": "equal"}))

    supply = result["result"].runtime_data.site.settings.circuits[0]
    assert supply.rating_a == (63.0, 50.0, 63.0)
    assert supply.margin_a == 4.0
    assert supply.sharing == "equal"


async def test_a_base_load_above_the_rating_is_refused_with_the_figures(hass: HomeAssistant) -> None:
    result = await submitted(hass, filled_in(free_port(), base_load=70))

    assert result["errors"] == {"base_load": "fallback_does_not_fit"}
    assert result["description_placeholders"]["excess"] == "7"
    assert result["description_placeholders"]["circuit"] == "Depot"


async def test_a_margin_that_leaves_nothing_is_refused(hass: HomeAssistant) -> None:
    result = await submitted(hass, filled_in(free_port(), advanced={"margin": 63}))

    assert result["errors"] == {"base": "impossible_margin"}


async def test_a_port_that_is_in_use_is_refused_and_the_form_can_be_mended(hass: HomeAssistant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
        result = await hass.config_entries.flow.async_configure(flow["flow_id"], filled_in(taken))
        assert result["errors"] == {"port": "port_unavailable"}
        assert result["description_placeholders"] is not None
        assert result["description_placeholders"]["port"] == str(taken)

    result = await hass.config_entries.flow.async_configure(flow["flow_id"], filled_in(taken))
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_an_address_that_is_none_is_refused(hass: HomeAssistant) -> None:
    result = await submitted(hass, filled_in(free_port(), advanced={"host": "not an address"}))

    assert result["errors"] == {"base": "invalid_host"}


async def test_a_name_of_blanks_is_none(hass: HomeAssistant) -> None:
    result = await submitted(hass, filled_in(free_port(), name="  "))

    assert result["errors"] == {"name": "name_missing"}


async def test_two_sites_may_share_a_port_but_not_a_name(hass: HomeAssistant) -> None:
    port = free_port()
    await submitted(hass, filled_in(port))

    same_name = await submitted(hass, filled_in(port, name="depot"))
    other_name = await submitted(hass, filled_in(port, name="Office"))

    assert same_name["errors"] == {"name": "name_taken"}
    assert other_name["type"] is FlowResultType.CREATE_ENTRY
    assert other_name["result"].state is ConfigEntryState.LOADED


async def test_reconfiguring_changes_the_running_site_without_a_reload(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port()))
    site = entry.runtime_data.site

    flow = await entry.start_reconfigure_flow(hass)
    assert flow["step_id"] == "supply"
    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], filled_in(port, name="Depot North", rating=80)
    )
    await hass.async_block_till_done()

    assert result["reason"] == "reconfigure_successful"
    assert entry.title == "Depot North"
    assert entry.runtime_data.site is site
    assert site.settings.name == "Depot North"
    assert site.settings.circuits[0].rating_a == (80.0, 80.0, 80.0)


async def test_the_form_to_reconfigure_shows_what_is_set(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), rating=63.0))

    flow = await entry.start_reconfigure_flow(hass)

    assert flow["data_schema"] is not None
    assert flow["data_schema"] is not None
    suggested = {str(field): field.description for field in flow["data_schema"].schema}
    assert suggested["name"] == {"suggested_value": "Depot"}
    assert suggested["rating"] == {"suggested_value": 63.0}


async def test_a_rating_that_the_fallbacks_do_not_fit_is_refused(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", fallback=16.0)))

    flow = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(flow["flow_id"], filled_in(port, rating=30, base_load=20))

    assert result["errors"] == {"base": "fallback_does_not_fit"}
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["fallback"] == "1 × 16 A"
    assert result["description_placeholders"]["excess"] == "6"
    assert entry.runtime_data.site.settings.circuits[0].rating_a == (63.0, 63.0, 63.0)


async def test_a_neutral_that_the_fallbacks_do_not_fit_is_refused(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", fallback=16.0)))

    flow = await entry.start_reconfigure_flow(hass)
    form = filled_in(port, base_load=20, advanced={"neutral": 30})
    result = await hass.config_entries.flow.async_configure(flow["flow_id"], form)

    assert result["errors"] == {"base": "fallback_above_neutral"}
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["excess"] == "6"
    assert entry.runtime_data.site.settings.circuits[0].neutral_a is None


async def test_a_supply_may_be_told_in_full(hass: HomeAssistant) -> None:
    figures = {"neutral": 50, "power": 43, "demand": 40, "generation": 20, "generation_credit": True}
    fuse = {"device_kind": "fuse_gg", "device_rated": 63}
    form = filled_in(free_port(), advanced=figures | {"restart_stagger": 120}, protection=fuse)

    result = await submitted(hass, form)

    settings = result["result"].runtime_data.site.settings
    supply = settings.circuits[0]
    assert (supply.neutral_a, supply.power_kva, supply.demand_kw, supply.demand_window_min) == (50.0, 43.0, 40.0, 15)
    assert (supply.generation_a, supply.generation_credit) == ((20.0, 20.0, 20.0), True)
    assert supply.device == ProtectiveDevice(kind=DeviceKind.FUSE_GG, rated_a=63.0)
    assert settings.restart_stagger_s == 120.0


async def test_nothing_is_assumed_of_a_supply_that_is_told_no_more_than_its_rating(hass: HomeAssistant) -> None:
    result = await submitted(hass, filled_in(free_port()))

    supply = result["result"].runtime_data.site.settings.circuits[0]
    assert (supply.neutral_a, supply.unbalance_a, supply.power_kva, supply.demand_kw) == (None,) * 4
    assert (supply.generation_a, supply.device) == (None, None)


async def test_a_supply_that_carries_more_than_its_fuse_is_refused_with_the_figures(hass: HomeAssistant) -> None:
    fuse = {"device_kind": "fuse_gg", "device_rated": 50}

    result = await submitted(hass, filled_in(free_port(), protection=fuse))

    assert result["errors"] == {"base": "rating_above_device"}
    assert result["description_placeholders"] == {"circuit": "Depot", "rated": "50", "rating": "63"}


async def test_who_may_charge_is_chosen_and_changed(hass: HomeAssistant) -> None:
    more = {"unanswered": "known", "ask_timeout": 20, "concurrency": "group"}
    form = filled_in(port := free_port(), authorisation="ask", advanced=more)
    entry = (await submitted(hass, form))["result"]
    chosen = entry.runtime_data.site.settings.authorisation

    context = ConfigFlowContext(source=SOURCE_RECONFIGURE, entry_id=entry.entry_id)
    flow = await hass.config_entries.flow.async_init(DOMAIN, context=context)
    await hass.config_entries.flow.async_configure(flow["flow_id"], filled_in(port, authorisation="everybody"))
    await hass.async_block_till_done()

    assert chosen == AuthorisationSettings(
        mode=AuthorisationMode.ASK,
        unanswered=Unanswered.KNOWN,
        time_out_s=20.0,
        concurrency=Concurrency.GROUP,
    )
    assert entry.runtime_data.site.settings.authorisation == AuthorisationSettings(mode=AuthorisationMode.EVERYBODY)


async def test_what_was_stored_before_there_was_a_choice_is_shown_as_it_was(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port(), accept_all_tags=False))
    assert entry.runtime_data.site.settings.authorisation.mode is AuthorisationMode.KNOWN

    flow = await entry.start_reconfigure_flow(hass)
    assert flow["data_schema"] is not None
    assert flow["data_schema"] is not None
    suggested = {str(field): field.description for field in flow["data_schema"].schema}
    assert suggested["authorisation"] == {"suggested_value": "known"}
    await hass.config_entries.flow.async_configure(flow["flow_id"], filled_in(port, authorisation="known"))
    await hass.async_block_till_done()

    assert "accept_all_tags" not in entry.data
    assert entry.runtime_data.site.settings.authorisation.mode is AuthorisationMode.KNOWN
