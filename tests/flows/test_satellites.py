"""Satellites that show at a master: offered together, accepted without a break for anybody, changed and removed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_IGNORE, SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.flows.test_newcomers import discoveries, submit, until
from tests.ocpp.charge_point import ChargePoint, energy, sampled
from tests.ocpp.raw_client import RawClient
from tests.site_entry import (
    DOMAIN,
    SUPPLY,
    a_charge_point,
    a_cluster,
    a_satellite,
    a_site,
    add,
    free_port,
    set_up,
    settings_form,
    subentry_called,
)

ADVANCED = {"minimum": 6}


class Master:
    """A site with a master that has dialled in with one connector of its own."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry, point: ChargePoint, port: int) -> None:
        self.hass = hass
        self.entry = entry
        self.point = point
        self.port = port
        self.master_id = subentry_called(entry, "NORTH").subentry_id

    @property
    def site(self) -> Any:
        return self.entry.runtime_data.site

    async def shows(self, *numbers: int) -> Any:
        """Show connectors, and return the discovery that is raised for them."""
        for number in numbers:
            await self.point.status(number, "Available")
        await until(lambda: set(numbers) <= set(self.site.charge_points[self.master_id].strangers))
        await self.hass.async_block_till_done()
        return discoveries(self.hass)[0]

    def device(self, device_id: str) -> dr.DeviceEntry | None:
        return dr.async_get(self.hass).async_get_device_by_identifier((DOMAIN, device_id), self.entry.entry_id)

    def form(self, *numbers: int, **changes: Any) -> dict[str, Any]:
        return {
            "connectors": [f"{self.master_id}/{number}" for number in numbers],
            "cluster": SUPPLY,
            "maximum": 16,
            "rotation": "in_turn",
            "advanced": ADVANCED,
        } | changes


@pytest.fixture
async def master(hass: HomeAssistant) -> AsyncIterator[Master]:
    entry = await set_up(hass, a_site(port := free_port(), a_cluster("Row 2"), a_charge_point("NORTH")))
    point = ChargePoint(await RawClient.dial(port, "/NORTH"))
    await point.boot()
    await point.status(1, "Available")
    await hass.async_block_till_done()
    yield Master(hass, entry, point, port)
    await point.close()


async def test_satellites_that_show_are_offered_together_and_become_devices_below_their_master(
    hass: HomeAssistant, master: Master
) -> None:
    coordinator, site = master.entry.runtime_data.coordinator, master.site
    await master.shows(2)
    flow = await master.shows(3, 4, 5)

    assert len(discoveries(hass)) == 1
    shown = await hass.config_entries.flow.async_configure(flow["flow_id"])
    assert shown["step_id"] == "satellites"
    assert shown["description_placeholders"] == {"count": "4", "masters": "NORTH"}
    result = await submit(hass, flow, master.form(2, 3, 4))

    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "satellites_added")
    assert result["description_placeholders"] == {"count": "3", "site": "Depot"}
    assert master.entry.runtime_data.coordinator is coordinator
    assert master.site is site
    assert site.charger(master.master_id).online
    north = master.device(master.master_id)
    assert north is not None
    for number in (2, 3, 4):
        satellite = subentry_called(master.entry, f"NORTH {number}")
        device = master.device(satellite.subentry_id)
        assert device is not None
        assert (device.name, device.via_device_id) == (f"NORTH {number}", north.id)
        assert device.config_subentry_id == satellite.subentry_id
        entities = [
            entity
            for entity in er.async_entries_for_device(er.async_get(hass), device.id, include_disabled_entities=True)
            if entity.unique_id.startswith(f"{master.master_id}/{number}-")
        ]
        assert entities
        assert {entity.config_subentry_id for entity in entities} == {satellite.subentry_id}
    [point] = site.settings.charge_points
    assert [connector.rotation for connector in point.connectors] == [(0, 1, 2), (0, 1, 2), (1, 2, 0), (2, 0, 1)]
    # What was left out waits on, and is offered again.
    assert site.charge_points[master.master_id].strangers == (5,)
    menu = await master.entry.start_reconfigure_flow(hass)
    assert menu["menu_options"] == ["supply", "satellites"]


async def test_a_satellite_charges_on_its_own_circuit_while_the_master_goes_on(
    hass: HomeAssistant, master: Master
) -> None:
    await master.point.status(1, "Preparing")
    running = await master.point.start(1)
    flow = await master.shows(2)
    cluster = subentry_called(master.entry, "Row 2").subentry_id
    await submit(hass, flow, master.form(2, cluster=cluster, rotation="l2"))

    await master.point.status(2, "Preparing")
    await master.point.start(2)
    await master.point.measure([*sampled(L1=9.0), energy(1200)], connector=2)
    await hass.async_block_till_done()
    await until(lambda: master.site.connectors[f"{master.master_id}/2"].drawn_a is not None)

    view = master.site.connectors[f"{master.master_id}/2"]
    assert view.session is not None
    assert (view.phases, view.online) == (1, True)
    assert master.site.connectors[f"{master.master_id}/1"].session.transaction_id == str(running)
    await until(lambda: master.site.circuits[cluster].ev_load_a == (0.0, 9.0, 0.0))
    session = next(
        entity.entity_id
        for entity in er.async_get(hass).entities.values()
        if entity.unique_id == f"{master.master_id}/2-status"
    )
    assert hass.states.get(session) is not None


async def test_until_it_is_accepted_a_connector_that_shows_is_told_to_give_nothing(master: Master) -> None:
    await master.shows(2)

    def held() -> list[Any]:
        return [call for call in master.point.calls("SetChargingProfile") if call["connectorId"] == 2]

    await until(lambda: held() != [])
    [call] = held()
    assert call["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 0.0


async def test_satellites_are_accepted_from_the_site_as_well(hass: HomeAssistant, master: Master) -> None:
    await master.shows(2, 3)
    menu = await master.entry.start_reconfigure_flow(hass)
    await submit(hass, menu, {"next_step_id": "satellites"})
    nobody = await submit(hass, menu, master.form())
    assert nobody["errors"] == {"connectors": "nobody_chosen"}
    result = await submit(hass, menu, master.form(2, 3))

    assert result["reason"] == "satellites_added"
    await hass.async_block_till_done()
    assert discoveries(hass) == []


async def test_a_satellite_that_does_not_fit_is_refused(hass: HomeAssistant, master: Master) -> None:
    flow = await master.shows(2)
    result = await submit(hass, flow, master.form(2, maximum=4))
    assert result["errors"] == {"maximum": "impossible_range"}
    assert result["description_placeholders"]["charge_point"] == "NORTH 2"


async def test_ignored_satellites_come_back_when_that_is_undone(hass: HomeAssistant, master: Master) -> None:
    flow = await master.shows(2)
    await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_IGNORE, "discovery_key": flow["context"]["discovery_key"]},
        data={"unique_id": f"satellites:{master.master_id}", "title": "NORTH (2)"},
    )
    assert discoveries(hass) == []

    [ignored] = [known for known in hass.config_entries.async_entries(DOMAIN) if known.source == SOURCE_IGNORE]
    await hass.config_entries.async_remove(ignored.entry_id)
    await until(lambda: len(discoveries(hass)) == 1)


async def test_a_satellite_is_added_by_hand_and_changed(hass: HomeAssistant, master: Master) -> None:
    flows = hass.config_entries.subentries
    flow = await flows.async_init((master.entry.entry_id, "satellite"), context={"source": SOURCE_USER})
    form = {
        "name": "Post 7",
        "master": master.master_id,
        "number": 7,
        "cluster": SUPPLY,
        "maximum": 16,
        "rotation": "l1_l2_l3",
        "advanced": ADVANCED,
    }
    taken = await flows.async_configure(flow["flow_id"], form | {"number": 1})
    assert taken["errors"] == {"number": "duplicate_connector"}
    result = await flows.async_configure(flow["flow_id"], form)
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    key = f"{master.master_id}/7"
    assert key in master.site.connectors

    cluster = subentry_called(master.entry, "Row 2").subentry_id
    flow = await settings_form(hass, master.entry, "Post 7")
    changed = {name: value for name, value in form.items() if name not in {"master", "number"}}
    result = await flows.async_configure(
        flow["flow_id"], changed | {"name": "Post 7 (gate)", "cluster": cluster, "rotation": "l3"}
    )
    await hass.async_block_till_done()

    assert result["reason"] == "reconfigure_successful"
    [point] = master.site.settings.charge_points
    post = point.connectors[-1]
    assert (point.called(post), point.circuit_of(post), post.rotation) == ("Post 7 (gate)", cluster, (2,))
    device = master.device(subentry_called(master.entry, "Post 7 (gate)").subentry_id)
    assert device is not None
    assert device.name == "Post 7 (gate)"


async def test_a_satellite_needs_a_master(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    flow = await hass.config_entries.subentries.async_init(
        (entry.entry_id, "satellite"), context={"source": SOURCE_USER}
    )
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "no_master")


async def test_a_changed_master_keeps_its_satellites_and_a_removed_one_takes_them_along(
    hass: HomeAssistant, master: Master
) -> None:
    await add(hass, master.entry, a_satellite(master.master_id, 2, "Post 2"), a_satellite(master.master_id, 3))
    assert len(master.site.connectors) == 3
    flow = await settings_form(hass, master.entry, "NORTH")
    form = {
        "name": "North",
        "identity": "NORTH",
        "cluster": SUPPLY,
        "connectors": 2,
        "maximum": 32,
        "rotation": "l1_l2_l3",
        "security": "plain",
        "fallback": 0,
        "advanced": {"minimum": 6, "step": 1, "priority": 0, "onward": False},
    }
    configure = hass.config_entries.subentries.async_configure
    result = await configure(flow["flow_id"], form)
    assert result["errors"] == {"base": "duplicate_connector"}
    result = await configure(flow["flow_id"], form | {"connectors": 1})
    await hass.async_block_till_done()
    assert result["reason"] == "reconfigure_successful"
    assert len(master.site.connectors) == 3

    hass.config_entries.async_remove_subentry(master.entry, master.master_id)
    await hass.async_block_till_done()
    assert master.site.settings.charge_points == ()
    assert [subentry.title for subentry in master.entry.subentries.values()] == ["Row 2"]
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), master.entry.entry_id)
    assert {device.name for device in devices} == {"Depot", "Row 2"}


async def test_a_power_management_unit_has_no_connector_of_its_own(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("PMU", rotations=[])))
    unit = subentry_called(entry, "PMU").subentry_id
    await add(hass, entry, *(a_satellite(unit, number) for number in range(1, 65)))
    [point] = entry.runtime_data.site.settings.charge_points
    assert [connector.number for connector in point.connectors] == list(range(1, 65))
    assert dr.async_child_entries_for_config_entry(dr.async_get(hass), entry.entry_id) == []
    form = await entry.start_subentry_reconfigure_flow(hass, unit)
    assert form["step_id"] == "settings"  # nothing of its own can be tested
