"""Charging switched off and on again: shown and kept as wished, acted on at once."""

from homeassistant.core import HomeAssistant

from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .stage import Controls, Dial, draw, held_to, plug_in_and_charge


async def test_charging_is_on_until_somebody_switches_it_off(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    charging = Controls(hass, entry, "CP1", 1).state("switch", "charging")

    assert (charging.name, charging.state) == ("CP1 Charging", "on")


async def test_charging_is_switched_and_kept_while_the_charge_point_is_away(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)

    await connector.ask("switch", "charging", "turn_off")
    assert connector.state("switch", "charging").state == "off"
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert connector.state("switch", "charging").state == "off"
    assert connector.wished.enabled is False

    await connector.ask("switch", "charging", "turn_on")
    assert connector.state("switch", "charging").state == "on"
    assert connector.wished.enabled is True


async def test_a_vehicle_stops_and_goes_on_with_the_switch(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    point = await dial(port, "CP1")
    transaction_id = await plug_in_and_charge(point)
    await held_to(point, 6.0)
    await draw(point, 6.0, transaction_id)

    await connector.ask("switch", "charging", "turn_off")
    await held_to(point, 0.0)
    await connector.ask("switch", "charging", "turn_on")

    await connector.targeted(32.0)


async def test_the_switch_of_one_connector_leaves_the_other_alone(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", rotations=["l1_l2_l3", "l2_l3_l1"])))
    first, second = (Controls(hass, entry, "CP1", number) for number in (1, 2))

    await first.ask("switch", "charging", "turn_off")

    assert first.state("switch", "charging").state == "off"
    assert second.state("switch", "charging").state == "on"
    site = entry.runtime_data.site
    assert [site.connectors[connector.prefix].enabled for connector in (first, second)] == [False, True]
