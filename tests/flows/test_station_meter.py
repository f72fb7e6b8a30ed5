"""The meter that a master has of its own, chosen in the dialogue and read over a real connection."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.charge_cluster.site.settings import OcppMeterSettings
from custom_components.charge_cluster.subentries import meter as meter_form
from tests.flows.test_newcomers import until
from tests.flows.test_satellites import Master
from tests.ocpp.charge_point import ChargePoint, sampled
from tests.ocpp.raw_client import RawClient
from tests.site_entry import (
    SUPPLY,
    a_charge_point,
    a_cluster,
    a_site,
    free_port,
    set_up,
    settings_form,
    subentry_called,
)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait little for a charge point that tells nothing."""
    monkeypatch.setattr(meter_form, "STATION_PATIENCE_S", 0.3)


@pytest.fixture
async def master(hass: HomeAssistant) -> AsyncIterator[Master]:
    entry = await set_up(hass, a_site(port := free_port(), a_cluster("Row 2"), a_charge_point("NORTH")))
    point = ChargePoint(await RawClient.dial(port, "/NORTH"))
    await point.boot()
    await point.status(1, "Available")
    await hass.async_block_till_done()
    yield Master(hass, entry, point, port)
    await point.close()


def form(master: Master, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Meter North",
        "circuit": subentry_called(master.entry, "Row 2").subentry_id,
        "charge_point": master.master_id,
        "scope": "evs_only",
        "advanced": {"inverted": False, "interval": 10},
    } | changes


async def station_step(hass: HomeAssistant, master: Master) -> Any:
    flows = hass.config_entries.subentries
    menu = await flows.async_init((master.entry.entry_id, "meter"), context={"source": SOURCE_USER})
    assert menu["menu_options"] == ["modbus", "entities", "station"]
    return await flows.async_configure(menu["flow_id"], {"next_step_id": "station"})


async def test_what_it_reads_is_shown_and_then_guards_the_cluster(hass: HomeAssistant, master: Master) -> None:
    configure = hass.config_entries.subentries.async_configure
    await master.point.measure(sampled(L1=9.0, L2=8.0, L3=7.0), connector=0)
    flow = await station_step(hass, master)
    found = await configure(flow["flow_id"], form(master))
    assert found["step_id"] == "station_found"
    assert found["description_placeholders"] == {"charge_point": "NORTH", "currents": "9.0 A / 8.0 A / 7.0 A"}
    result = await configure(flow["flow_id"], {})
    await hass.async_block_till_done()

    assert result["type"] is FlowResultType.CREATE_ENTRY
    [meter] = master.site.settings.meters
    assert meter.source == OcppMeterSettings(charge_point_id=master.master_id, identity="NORTH", interval_s=10.0)
    await until(lambda: master.site.meters[meter.meter_id].amps == (9.0, 8.0, 7.0))
    await master.point.was_asked("ChangeConfiguration")
    await until(
        lambda: any(call["key"] == "ClockAlignedDataInterval" for call in master.point.calls("ChangeConfiguration"))
    )
    await master.point.measure(sampled(L1=19.0, L2=18.0, L3=17.0), connector=0)
    await until(lambda: master.site.meters[meter.meter_id].amps == (19.0, 18.0, 17.0))
    cluster = master.site.circuits[meter.circuit_id]
    assert not cluster.stale

    # It is described anew without being asked again.
    changed = await settings_form(hass, master.entry, "Meter North")
    assert changed["step_id"] == "station"
    result = await configure(changed["flow_id"], form(master, scope="everything", circuit=SUPPLY))
    await hass.async_block_till_done()
    assert result["reason"] == "reconfigure_successful"
    [meter] = master.site.settings.meters
    assert (meter.scope, meter.circuit_id) == ("everything", SUPPLY)

    # With its master it goes.
    hass.config_entries.async_remove_subentry(master.entry, master.master_id)
    await hass.async_block_till_done()
    [meter] = master.site.settings.meters
    assert isinstance(meter.source, OcppMeterSettings)
    assert meter.source.identity is None
    assert master.site.meters[meter.meter_id].fault == "unreachable"


async def test_one_that_tells_nothing_or_not_enough_is_not_stored(hass: HomeAssistant, master: Master) -> None:
    configure = hass.config_entries.subentries.async_configure
    flow = await station_step(hass, master)
    nothing = await configure(flow["flow_id"], form(master))
    await master.point.measure(sampled(L1=9.0), connector=0)
    one_phase = await configure(flow["flow_id"], form(master))
    await master.point.close()
    await until(lambda: not master.site.charger(master.master_id).online)
    away = await configure(flow["flow_id"], form(master))

    assert nothing["errors"] == {"charge_point": "station_tells_nothing"}
    assert one_phase["errors"] == {"charge_point": "station_phases_missing"}
    assert away["errors"] == {"charge_point": "station_unreachable"}
    assert away["description_placeholders"] == {"charge_point": "NORTH"}


async def test_a_site_without_charge_points_has_none(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    flows = hass.config_entries.subentries
    menu = await flows.async_init((entry.entry_id, "meter"), context={"source": SOURCE_USER})
    result = await flows.async_configure(menu["flow_id"], {"next_step_id": "station"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "no_charge_point")
