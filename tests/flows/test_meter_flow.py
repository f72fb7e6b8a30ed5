"""Adding and changing meters: over Modbus, asked over a real connection, and out of sensors."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.charge_cluster.site.settings import EntityMeterSettings, ModbusMeterSettings
from simulator.meter_images import MeterReading, SunSpecImage
from simulator.modbus_server import ModbusServer
from tests.site_entry import (
    DOMAIN,
    SUPPLY,
    a_cluster,
    a_meter,
    a_site,
    free_port,
    set_up,
    settings_form,
    subentry_called,
)

CURRENTS = ["sensor.l1", "sensor.l2", "sensor.l3"]
POWERS = ["sensor.p1", "sensor.p2", "sensor.p3"]
VOLTAGES = ["sensor.u1", "sensor.u2", "sensor.u3"]


@pytest.fixture
async def server(hass: HomeAssistant) -> AsyncIterator[ModbusServer]:
    """A SunSpec meter at unit 2 that reads 12.3 / -4 / 56.7 A, and outlives the sites that ask it."""
    image = SunSpecImage(serial="4711")
    image.show(MeterReading(amps=(12.3, -4.0, 56.7), volts=(230.0, 230.0, 230.0)))
    running = ModbusServer({2: image})
    await running.start("127.0.0.1", 0)
    yield running
    for entry in hass.config_entries.async_entries(DOMAIN):
        await hass.config_entries.async_remove(entry.entry_id)
    await running.stop()


@pytest.fixture(autouse=True)
def sensors(hass: HomeAssistant) -> None:
    """Sensors that could make a meter."""
    for entities, unit in ((CURRENTS, "A"), (POWERS, "kW"), (VOLTAGES, "V")):
        for entity_id in entities:
            hass.states.async_set(entity_id, "10.5", {"unit_of_measurement": unit})
    hass.states.async_set("sensor.dead", "unavailable", {"unit_of_measurement": "A"})


def modbus_form(port: int, **changes: Any) -> dict[str, Any]:
    """Return a form of a meter over Modbus as most fill it in."""
    advanced = {"interval": 1, "inverted": False} | changes.pop("advanced", {})
    return {
        "name": "Supply meter",
        "circuit": SUPPLY,
        "host": "127.0.0.1",
        "port": port,
        "scope": "everything",
        "advanced": advanced,
    } | changes


def entity_form(**changes: Any) -> dict[str, Any]:
    """Return a form of a meter out of sensors as most fill it in."""
    advanced = {"inverted": False} | changes.pop("advanced", {})
    form = {"name": "Supply meter", "circuit": SUPPLY, "currents": CURRENTS, "scope": "everything"}
    return {name: value for name, value in (form | changes).items() if value is not None} | {"advanced": advanced}


async def added(hass: HomeAssistant, entry: MockConfigEntry, kind: str, form: dict[str, Any]) -> Any:
    """Return what became of a form for a new meter."""
    menu = await hass.config_entries.subentries.async_init((entry.entry_id, "meter"), context={"source": SOURCE_USER})
    assert menu["type"] is FlowResultType.MENU
    await hass.config_entries.subentries.async_configure(menu["flow_id"], {"next_step_id": kind})
    return await submitted(hass, menu, form)


async def submitted(hass: HomeAssistant, flow: Any, form: dict[str, Any]) -> Any:
    """Return what became of a form."""
    result = await hass.config_entries.subentries.async_configure(flow["flow_id"], form)
    await hass.async_block_till_done()
    return result


async def test_a_meter_over_modbus_is_identified_shown_and_guards(hass: HomeAssistant, server: ModbusServer) -> None:
    entry = await set_up(hass, a_site(free_port()))

    step = await added(hass, entry, "modbus", modbus_form(server.port))
    assert step["step_id"] == "found"
    assert step["description_placeholders"] == {
        "meter": "Simulated Supply meter 4711",
        "unit": "2",
        "currents": "12.3 A / -4.0 A / 56.7 A",
    }
    result = await submitted(hass, step, {})

    assert result["type"] is FlowResultType.CREATE_ENTRY
    [meter] = entry.runtime_data.site.settings.meters
    assert meter.source == ModbusMeterSettings(host="127.0.0.1", port=server.port, unit=2, profile="sunspec")


async def test_ratio_and_sign_are_seen_before_they_are_stored(hass: HomeAssistant, server: ModbusServer) -> None:
    entry = await set_up(hass, a_site(free_port()))

    form = modbus_form(server.port, unit=2, advanced={"ratio": 10, "inverted": True, "timeout": 30})
    step = await added(hass, entry, "modbus", form)
    await submitted(hass, step, {})

    assert step["description_placeholders"]["currents"] == "-123.0 A / 40.0 A / -567.0 A"
    [meter] = entry.runtime_data.site.settings.meters
    assert (meter.ratio, meter.inverted, meter.timeout_s) == (10.0, True, 30)


async def test_a_meter_that_is_not_there_is_refused(hass: HomeAssistant, server: ModbusServer) -> None:
    entry = await set_up(hass, a_site(free_port()))

    nobody = await added(hass, entry, "modbus", modbus_form(port := free_port()))
    other_unit = await added(hass, entry, "modbus", modbus_form(server.port, unit=9))

    assert nobody["errors"] == {"host": "meter_unreachable"}
    assert nobody["description_placeholders"]["port"] == str(port)
    assert other_unit["errors"] in ({"base": "meter_unknown"}, {"host": "meter_silent"})
    assert entry.runtime_data.site.settings.meters == ()


async def test_a_silent_meter_can_be_described_anew_but_not_moved(hass: HomeAssistant) -> None:
    port = free_port()
    at = {"host": "127.0.0.1", "port": port, "unit": 1, "profile": "sunspec", "interval": 1.0}
    silent = a_meter("Supply meter", CURRENTS, **at)
    entry = await set_up(hass, a_site(free_port(), silent))

    flow = await settings_form(hass, entry, "Supply meter")
    assert flow["step_id"] == "modbus"
    moved = await submitted(hass, flow, modbus_form(free_port(), unit=1))
    described = await submitted(hass, flow, modbus_form(port, unit=1, advanced={"ratio": 5}))

    assert moved["errors"] == {"host": "meter_unreachable"}
    assert described["reason"] == "reconfigure_successful"
    [meter] = entry.runtime_data.site.settings.meters
    assert meter.ratio == 5.0


async def test_one_meter_is_not_added_twice(hass: HomeAssistant, server: ModbusServer) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B")))
    await submitted(hass, await added(hass, entry, "modbus", modbus_form(server.port)), {})

    elsewhere = modbus_form(
        server.port, name="Meter B", unit=2, circuit=subentry_called(entry, "Cluster B").subentry_id
    )
    result = await submitted(hass, await added(hass, entry, "modbus", elsewhere), {})

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_three_currents_make_a_meter(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))

    result = await added(hass, entry, "entities", entity_form(scope="all_but_evs"))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    [meter] = entry.runtime_data.site.settings.meters
    assert meter.source == EntityMeterSettings(currents=("sensor.l1", "sensor.l2", "sensor.l3"))
    assert meter.scope == "all_but_evs"


async def test_three_powers_with_voltages_make_a_meter(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))

    form = entity_form(currents=None, powers=POWERS, voltages=VOLTAGES)
    await added(hass, entry, "entities", form)

    [meter] = entry.runtime_data.site.settings.meters
    assert meter.source == EntityMeterSettings(
        powers=("sensor.p1", "sensor.p2", "sensor.p3"), voltages=("sensor.u1", "sensor.u2", "sensor.u3")
    )


@pytest.mark.parametrize(
    ("wrong", "errors"),
    [
        ({"name": " "}, {"name": "name_missing"}),
        ({"currents": None}, {"currents": "currents_or_powers"}),
        ({"powers": POWERS}, {"currents": "currents_or_powers"}),
        ({"currents": CURRENTS[:2]}, {"currents": "three_needed"}),
        ({"currents": [CURRENTS[0]] * 3}, {"currents": "three_needed"}),
        ({"currents": [*CURRENTS[:2], "sensor.dead"]}, {"currents": "not_numeric"}),
        ({"currents": [*CURRENTS[:2], "sensor.none"]}, {"currents": "not_numeric"}),
        ({"currents": [*CURRENTS[:2], "sensor.u1"]}, {"currents": "wrong_unit"}),
    ],
)
async def test_what_makes_no_meter_is_refused(
    hass: HomeAssistant, wrong: dict[str, Any], errors: dict[str, str]
) -> None:
    entry = await set_up(hass, a_site(free_port()))

    result = await added(hass, entry, "entities", entity_form(**wrong))

    assert result["errors"] == errors


async def test_a_circuit_has_one_guard_and_a_meter_a_name_of_its_own(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_meter("Old meter", CURRENTS)))

    second = await added(hass, entry, "entities", entity_form(name="old meter"))

    assert second["errors"] == {"name": "name_taken", "circuit": "already_guarded"}
    assert second["description_placeholders"]["meter"] == "Old meter"


async def test_a_meter_is_moved_to_another_circuit(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B"), a_meter("Meter", CURRENTS)))
    cluster_id = subentry_called(entry, "Cluster B").subentry_id

    flow = await settings_form(hass, entry, "Meter")
    assert flow["step_id"] == "entities"
    result = await submitted(hass, flow, entity_form(name="Meter", circuit=cluster_id))

    assert result["reason"] == "reconfigure_successful"
    [meter] = entry.runtime_data.site.settings.meters
    assert meter.circuit_id == cluster_id


async def test_beside_its_guard_a_circuit_may_have_one_meter_of_its_generation(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_meter("Old meter", CURRENTS), generation=20.0))

    first = await added(hass, entry, "entities", entity_form(name="Roof", currents=CURRENTS, scope="generation"))
    second = await added(hass, entry, "entities", entity_form(name="Battery", scope="generation"))

    assert first["type"] is FlowResultType.CREATE_ENTRY
    assert [meter.scope for meter in entry.runtime_data.site.settings.meters] == ["everything", "generation"]
    assert second["errors"] == {"circuit": "generation_measured"}


async def test_a_meter_of_generation_needs_to_know_what_counts_while_it_is_silent(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))

    result = await added(hass, entry, "entities", entity_form(name="Roof", scope="generation"))

    assert result["errors"] == {"circuit": "generation_undeclared"}
    assert result["description_placeholders"]["circuit"] == "Depot"
    assert entry.runtime_data.site.settings.meters == ()


async def test_a_meter_of_generation_does_not_keep_a_guard_out(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_meter("Roof", CURRENTS, scope="generation")))

    result = await added(hass, entry, "entities", entity_form())

    assert result["type"] is FlowResultType.CREATE_ENTRY
