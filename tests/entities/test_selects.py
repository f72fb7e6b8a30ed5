"""The charging mode: shown and kept as wished, refused where nothing shows an export, acted on at once."""

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError

from custom_components.charge_cluster.coordinator import WISHES_VERSION
from custom_components.charge_cluster.engine.model import ChargingMode, Reason
from tests.site_entry import DOMAIN, a_charge_point, a_meter, a_site, free_port, set_up

from .stage import Controls, Dial, held_to, plug_in_and_charge

METER_ENTITIES = [f"sensor.grid_l{phase}" for phase in (1, 2, 3)]


def show_meter(hass: HomeAssistant, amps: float) -> None:
    """Let the sensors of the supply show a current on each phase."""
    for entity in METER_ENTITIES:
        hass.states.async_set(entity, str(amps), {"unit_of_measurement": "A"}, force_update=True)


async def choose(connector: Controls, mode: str) -> None:
    await connector.ask("select", "mode", "select_option", option=mode)


async def test_a_connector_charges_as_the_site_until_somebody_chooses(hass: HomeAssistant) -> None:
    show_meter(hass, 5.0)
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), a_meter("Main", METER_ENTITIES)))

    mode = Controls(hass, entry, "CP1", 1).state("select", "mode")

    assert (mode.name, mode.state) == ("CP1 Charging mode", "as_the_site")
    modes = ["normal", "off_peak", "smart", "solar", "minimum_and_solar", "off"]
    assert mode.attributes["options"] == ["as_the_site", *modes]
    usual = hass.states.get("select.depot_usual_charging_mode")
    assert usual is not None
    assert (usual.state, usual.attributes["options"]) == ("normal", modes)


async def test_a_mode_is_chosen_and_kept_while_the_charge_point_is_away(hass: HomeAssistant) -> None:
    show_meter(hass, 5.0)
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), a_meter("Main", METER_ENTITIES)))
    connector = Controls(hass, entry, "CP1", 1)

    await choose(connector, "minimum_and_solar")
    assert connector.state("select", "mode").state == "minimum_and_solar"
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()

    assert connector.state("select", "mode").state == "minimum_and_solar"
    assert connector.wished.mode is ChargingMode.MINIMUM_AND_SOLAR


@pytest.mark.parametrize("meter", [None, "all_but_evs", "evs_only", "generation"])
async def test_the_sun_is_refused_where_no_meter_shows_an_export(hass: HomeAssistant, meter: str | None) -> None:
    show_meter(hass, 5.0)
    meters = [] if meter is None else [a_meter("Main", METER_ENTITIES, scope=meter)]
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), *meters))
    connector = Controls(hass, entry, "CP1", 1)
    if meter != "generation":  # where something is generated it is there unasked
        await connector.enable("select", "mode")

    with pytest.raises(ServiceValidationError, match="No meter shows what is exported here"):
        await choose(connector, "solar")
    with pytest.raises(ServiceValidationError, match="No meter shows what is exported here"):
        await hass.services.async_call(
            "select",
            "select_option",
            {"entity_id": "select.depot_usual_charging_mode", "option": "solar"},
            blocking=True,
        )

    assert connector.state("select", "mode").state == "as_the_site"
    assert connector.wished.mode is None
    await choose(connector, "normal")
    assert connector.state("select", "mode").state == "normal"
    await choose(connector, "as_the_site")
    assert connector.state("select", "mode").state == "as_the_site"


async def test_a_mode_that_a_later_version_knows_is_that_of_the_site(
    hass: HomeAssistant, hass_storage: dict[str, object]
) -> None:
    show_meter(hass, 5.0)
    entry = a_site(free_port(), a_charge_point("CP1"), a_meter("Main", METER_ENTITIES))
    connector = Controls(hass, entry, "CP1", 1)
    name = f"{DOMAIN}.{entry.entry_id}.wishes"
    wishes = {connector.prefix: {"cap_a": 10.0, "mode": "lunar"}}
    hass_storage[name] = {"version": WISHES_VERSION, "minor_version": 1, "key": name, "data": wishes}

    await set_up(hass, entry)

    assert connector.state("select", "mode").state == "as_the_site"
    assert connector.state("number", "cap").state == "10.0"


async def test_a_vehicle_waits_for_the_sun_and_is_told_so(hass: HomeAssistant, dial: Dial) -> None:
    show_meter(hass, 5.0)
    port = free_port()
    entry = await set_up(hass, a_site(port, a_charge_point("CP1"), a_meter("Main", METER_ENTITIES)))
    connector = Controls(hass, entry, "CP1", 1)
    await choose(connector, "solar")
    point = await dial(port, "CP1")

    await plug_in_and_charge(point)
    reason = await connector.until("sensor", "limit_reason", lambda state: state.state == Reason.SURPLUS)
    assert reason.attributes["circuit"] == "Depot"
    assert reason.attributes["expected_at"] is None
    await choose(connector, "normal")

    show_meter(hass, 5.0)
    await held_to(point, 32.0)
