"""What a driver wishes of a session, on entities: taken while a vehicle is there, gone with it, refused in words."""

import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from tests.automations.stage import unplug
from tests.ocpp.charge_point import ChargePoint, energy, sampled
from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .stage import Controls, Dial, held_to, plug_in_and_charge

WISHES = (
    ("datetime", "departure"),
    ("number", "wanted_energy"),
    ("switch", "charge_now"),
    ("sensor", "expected_energy"),
)


async def set_departure(connector: Controls, at: datetime) -> None:
    """Say when the driver leaves."""
    await connector.ask("datetime", "departure", "set_value", datetime=at.isoformat())


class Parked:
    """A connector with all its entities of a session, and its charge point."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry, point: ChargePoint) -> None:
        """Take over what `parking` has set up."""
        self.hass = hass
        self.entry = entry
        self.connector = Controls(hass, entry, "CP1", 1)
        self.point = point

    def shown(self) -> list[str]:
        """Return the states of the entities."""
        return [self.connector.state(*wish).state for wish in WISHES]


async def parking(hass: HomeAssistant, dial: Dial, **changes: Any) -> Parked:
    """Set up a site with a charge point that is connected and free, and enable what is off."""
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", **changes)))
    connector = Controls(hass, entry, "CP1", 1)
    for platform, key in WISHES:
        entity = connector.registered(platform, key)
        assert entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION
        er.async_get(hass).async_update_entity(entity.entity_id, disabled_by=None)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    return Parked(hass, entry, await dial(port, "CP1"))


async def test_wishes_are_taken_while_a_vehicle_is_there_and_go_with_it(hass: HomeAssistant, dial: Dial) -> None:
    parked = await parking(hass, dial)
    connector = parked.connector
    names = [connector.state(*wish).name for wish in WISHES]
    assert names == ["CP1 Departure", "CP1 Energy wanted", "CP1 Charge now", "CP1 Expected energy by departure"]
    assert parked.shown() == [STATE_UNKNOWN, STATE_UNKNOWN, "off", STATE_UNKNOWN]
    leaves = dt_util.utcnow().replace(microsecond=0) + timedelta(hours=8)

    transaction_id = await plug_in_and_charge(parked.point)
    await set_departure(connector, leaves)
    await connector.set_number("wanted_energy", 30.5)
    await connector.ask("switch", "charge_now", "turn_on")

    assert parked.shown()[:3] == [leaves.isoformat(), "30.5", "on"]
    view = parked.entry.runtime_data.site.connectors[connector.prefix]
    assert view.effective_priority == 11

    await connector.set_number("wanted_energy", 0)
    await connector.ask("switch", "charge_now", "turn_off")
    assert parked.shown()[1:3] == [STATE_UNKNOWN, "off"]

    await unplug(parked.point, transaction_id)
    await connector.sees(lambda view: view.session is None)
    assert parked.shown() == [STATE_UNKNOWN, STATE_UNKNOWN, "off", STATE_UNKNOWN]


async def test_how_full_the_battery_is_to_be_takes_the_place_of_an_energy(hass: HomeAssistant, dial: Dial) -> None:
    parked = await parking(hass, dial)
    connector = parked.connector
    await connector.enable("number", "target_soc")
    assert connector.state("number", "target_soc").name == "CP1 Target state of charge"
    await plug_in_and_charge(parked.point)
    await connector.set_number("wanted_energy", 20)

    with pytest.raises(ServiceValidationError) as refused:
        await connector.set_number("target_soc", 80)
    assert refused.value.translation_key == "battery_unknown"
    parked.entry.runtime_data.site.wish_session(connector.prefix, battery_wh=50_000.0)
    await connector.set_number("target_soc", 80)
    assert (connector.state("number", "target_soc").state, parked.shown()[1]) == ("80.0", STATE_UNKNOWN)
    await connector.set_number("target_soc", 0)
    assert connector.state("number", "target_soc").state == STATE_UNKNOWN
    await connector.set_number("target_soc", 70)
    await connector.set_number("wanted_energy", 10)
    assert (connector.state("number", "target_soc").state, parked.shown()[1]) == (STATE_UNKNOWN, "10.0")


async def test_wishes_hold_over_a_reload(hass: HomeAssistant, dial: Dial) -> None:
    parked = await parking(hass, dial)
    await plug_in_and_charge(parked.point)
    await set_departure(parked.connector, dt_util.utcnow() + timedelta(hours=8))
    await parked.connector.ask("switch", "charge_now", "turn_on")
    before = parked.shown()

    assert await hass.config_entries.async_reload(parked.entry.entry_id)
    await hass.async_block_till_done()

    assert parked.shown()[:3] == before[:3]


async def test_the_energy_by_departure_is_what_was_taken_and_what_the_limit_gives(
    hass: HomeAssistant, dial: Dial
) -> None:
    parked = await parking(hass, dial)
    connector = parked.connector
    transaction_id = await plug_in_and_charge(parked.point)
    await held_to(parked.point, 32.0)
    await connector.sees(lambda view: view.limit_a == 32.0)
    await parked.point.measure([*sampled(L1=31, L2=31, L3=31), energy(1000.0)], 1, transaction_id)
    await parked.point.measure([*sampled(L1=31, L2=31, L3=31), energy(6000.0)], 1, transaction_id)
    await set_departure(connector, dt_util.utcnow() + timedelta(hours=1, seconds=1))
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=61))

    # 5 kWh, and an hour of 3 × 32 A at 230 V.
    await connector.until("sensor", "expected_energy", lambda state: state.state != STATE_UNKNOWN)
    assert float(connector.state("sensor", "expected_energy").state) == pytest.approx(5.0 + 22.08, abs=0.1)

    await connector.set_number("wanted_energy", 20)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=122))
    await hass.async_block_till_done()
    assert float(connector.state("sensor", "expected_energy").state) == 20.0


async def test_nothing_can_be_wished_where_nothing_is_plugged_in(hass: HomeAssistant, dial: Dial) -> None:
    parked = await parking(hass, dial)
    connector = parked.connector

    for asked in (
        set_departure(connector, dt_util.utcnow() + timedelta(hours=8)),
        connector.set_number("wanted_energy", 20),
        connector.ask("switch", "charge_now", "turn_on"),
    ):
        with pytest.raises(ServiceValidationError, match="Nothing is plugged in at CP1") as refused:
            await asked
        assert refused.value.translation_key == "nothing_plugged_in"
    assert parked.shown() == [STATE_UNKNOWN, STATE_UNKNOWN, "off", STATE_UNKNOWN]


@pytest.mark.parametrize("ahead", [timedelta(seconds=-1), timedelta(days=7, minutes=1)])
async def test_an_impossible_departure_is_refused_with_what_fits(
    hass: HomeAssistant, dial: Dial, ahead: timedelta
) -> None:
    parked = await parking(hass, dial)
    await plug_in_and_charge(parked.point)

    with pytest.raises(ServiceValidationError) as refused:
        await set_departure(parked.connector, dt_util.utcnow() + ahead)

    latest = dt_util.now() + timedelta(days=7)
    assert refused.value.translation_key == "impossible_departure"
    assert f"until {latest:%Y-%m-%d}" in str(refused.value)
    assert parked.shown()[0] == STATE_UNKNOWN


async def test_an_energy_that_is_no_number_is_refused(hass: HomeAssistant, dial: Dial) -> None:
    parked = await parking(hass, dial)
    await plug_in_and_charge(parked.point)

    with pytest.raises(ServiceValidationError, match="at most 1000 kWh") as refused:
        await parked.connector.set_number("wanted_energy", math.nan)

    assert refused.value.translation_key == "impossible_energy"
    assert parked.shown()[1] == STATE_UNKNOWN
