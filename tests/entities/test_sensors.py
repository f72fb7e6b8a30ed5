"""What is told of connectors, circuits and meters: true, named, in its unit, and within the recorder's budget."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.charge_cluster.engine.model import Reason, VehicleState
from custom_components.charge_cluster.meters import FaultKey
from custom_components.charge_cluster.sensors.meter import NO_FAULT
from custom_components.charge_cluster.site.exposure import ExposureView
from tests.ocpp.charge_point import energy, sampled
from tests.site_entry import DOMAIN, a_charge_point, a_cluster, a_meter, a_site, add, free_port, set_up, subentry_called

from .stage import PATIENCE_S, Controls, Dial, draw, held_to, plug_in_and_charge

METER_ENTITIES = ("sensor.m1", "sensor.m2", "sensor.m3")
ROWS_PER_MINUTE_CHARGING = 20


class Told(Controls):
    """The entities of a circuit or a meter."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry, prefix: str) -> None:
        """Name the subject by what its unique ids begin with."""
        self.hass = hass
        self.entry = entry
        self.prefix = prefix

    @classmethod
    def of_supply(cls, hass: HomeAssistant, entry: MockConfigEntry) -> Told:
        """Return the entities of the supply."""
        return cls(hass, entry, f"{entry.entry_id}/supply")

    @classmethod
    def of(cls, hass: HomeAssistant, entry: MockConfigEntry, title: str) -> Told:
        """Return the entities of a cluster, charge point or meter."""
        return cls(hass, entry, subentry_called(entry, title).subentry_id)


def show_meter(hass: HomeAssistant, *amps: float | str) -> None:
    """Let the three sensors of the meter show these currents."""
    for entity, value in zip(METER_ENTITIES, amps, strict=True):
        hass.states.async_set(entity, str(value), {"unit_of_measurement": "A"}, force_update=True)


async def overloaded(entry: MockConfigEntry, so: Callable[[ExposureView], bool]) -> None:
    """Wait until the supply was overloaded so far."""
    site = entry.runtime_data.site
    news = asyncio.Event()
    end = site.subscribe("circuit:supply", news.set)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not so(site.circuits["supply"].exposure):
                await news.wait()
                news.clear()
    finally:
        end()


def enabled(hass: HomeAssistant, entry: MockConfigEntry, prefix: str) -> set[str]:
    """Return platform and key of the entities of a subject that are shown without being asked for."""
    registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {
        f"{entity.domain}.{entity.unique_id.removeprefix(f'{prefix}-')}"
        for entity in registered
        if entity.unique_id.startswith(f"{prefix}-") and entity.disabled_by is None
    }


async def test_eight_entities_of_a_connector_are_shown_unless_more_are_wanted(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    assert enabled(hass, entry, f"{subentry_called(entry, 'CP1').subentry_id}/1") == {
        "sensor.status",
        "sensor.power",
        "sensor.energy",
        "sensor.limit",
        "sensor.limit_reason",
        "sensor.session_energy",
        "switch.charging",
        "number.cap",
    }


async def test_a_session_is_told_from_plug_in_to_plug_out(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    point = await dial(port, "CP1")
    await connector.until("sensor", "status", lambda state: state.state == VehicleState.ABSENT)
    assert connector.state("sensor", "session_energy").state == STATE_UNKNOWN

    transaction_id = await plug_in_and_charge(point)
    await held_to(point, 6.0)
    power = {"measurand": "Power.Active.Import", "unit": "kW", "value": "7.4"}
    await point.measure([*sampled(L1=6.0, L2=6.0, L3=6.0), power, energy(3500.0)], 1, transaction_id)
    await hass.async_block_till_done()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=61))
    await hass.async_block_till_done()

    assert connector.state("sensor", "status").state == VehicleState.WANTS
    assert float(connector.state("sensor", "power").state) == pytest.approx(7.4)
    assert connector.state("sensor", "power").attributes["unit_of_measurement"] == "kW"
    total = connector.state("sensor", "energy")
    assert float(total.state) == pytest.approx(3.5)
    assert (total.attributes["state_class"], total.attributes["device_class"]) == ("total_increasing", "energy")
    session = connector.state("sensor", "session_energy")
    assert float(session.state) == pytest.approx(2.5)  # the register stood at 1 kWh when it began
    assert session.attributes["last_reset"] is not None
    await connector.until("sensor", "limit", lambda state: state.state == "6.0")

    await point.stop(transaction_id, 3600)
    await point.status(1, "Available")

    await connector.until("sensor", "status", lambda state: state.state == VehicleState.ABSENT)
    gone = await connector.until("sensor", "session_energy", lambda state: state.state == STATE_UNKNOWN)
    assert "last_reset" not in gone.attributes


async def test_a_limit_explains_itself(hass: HomeAssistant, dial: Dial) -> None:
    cluster = a_cluster("West", 16.0)
    entry = a_site(port := free_port(), cluster)
    await set_up(hass, entry)
    west = subentry_called(entry, "West").subentry_id
    await add(hass, entry, a_charge_point("CP1", cluster=west))
    connector = Controls(hass, entry, "CP1", 1)
    point = await dial(port, "CP1")

    await connector.sees(lambda view: view.worst_case_a == 0.0)

    await plug_in_and_charge(point)

    reason = await connector.until("sensor", "limit_reason", lambda state: state.state == Reason.SHARED)
    assert reason.attributes["circuit"] == "West"
    assert reason.attributes["queue_position"] is None


async def test_a_charge_point_that_goes_is_told_at_once(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    connection = Told.of(hass, entry, "CP1")
    assert connection.state("binary_sensor", "connected").state == "off"
    point = await dial(port, "CP1")
    await connection.until("binary_sensor", "connected", lambda state: state.state == "on")

    await point.close()

    await connection.until("binary_sensor", "connected", lambda state: state.state == "off")
    await connector.until("sensor", "limit_reason", lambda state: state.state == Reason.OFFLINE)
    for key in ("status", "power", "energy", "limit"):
        assert connector.state("sensor", key).state == STATE_UNAVAILABLE


async def test_what_is_disabled_tells_the_truth_when_enabled(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", fallback=6.0)))
    connector = Controls(hass, entry, "CP1", 1)
    registry = er.async_get(hass)
    for platform, key in [
        *(("sensor", key) for key in ("current_l1", "current_l2", "current_l3", "session_start", "session_duration")),
        *(("sensor", key) for key in ("soc", "queue_position", "target", "worst_case", "fallback", "charger_status")),
        ("sensor", "error_code"),
        ("sensor", "phases"),
        ("binary_sensor", "plugged_in"),
        ("binary_sensor", "fallback_confirmed"),
    ]:
        registry.async_update_entity(connector.registered(platform, key).entity_id, disabled_by=None)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    point = await dial(port, "CP1")

    transaction_id = await plug_in_and_charge(point)
    # Its fallback is what it starts with, so that no profile of the transaction's own need say so.
    await connector.sees(lambda view: view.session is not None and view.limit_a == 6.0)
    soc = {"measurand": "SoC", "unit": "Percent", "value": "41"}
    await point.measure([*sampled(L1=6.0, L2=5.0, L3=4.0), soc], 1, transaction_id)
    await connector.until("binary_sensor", "plugged_in", lambda state: state.state == "on")
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=61))
    await hass.async_block_till_done()

    drawn = [float(connector.state("sensor", f"current_l{phase}").state) for phase in (1, 2, 3)]
    assert drawn == [6.0, 5.0, 4.0]
    assert float(connector.state("sensor", "soc").state) == 41.0
    assert float(connector.state("sensor", "target").state) == 32.0
    assert float(connector.state("sensor", "worst_case").state) == 32.0
    assert float(connector.state("sensor", "fallback").state) == 6.0
    assert connector.state("sensor", "charger_status").state == "Charging"
    assert connector.state("sensor", "phases").state == "3"
    assert connector.state("sensor", "queue_position").state == STATE_UNKNOWN
    began = dt_util.parse_datetime(connector.state("sensor", "session_start").state)
    assert began is not None
    assert abs((dt_util.utcnow() - began).total_seconds()) < 60.0
    assert 0.0 <= float(connector.state("sensor", "session_duration").state) < 1.0  # in minutes


async def test_the_supply_tells_load_headroom_and_who_charges(hass: HomeAssistant, dial: Dial) -> None:
    show_meter(hass, 20.0, 15.0, 5.0)
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), a_meter("Main", METER_ENTITIES)))
    supply = Told.of_supply(hass, entry)
    await supply.until("sensor", "load_l1", lambda state: state.state == "20.0")
    # 63 A less a margin of 5 % and the load.
    assert float(supply.state("sensor", "headroom_l1").state) == pytest.approx(63.0 - 3.15 - 20.0, abs=0.06)
    assert float(supply.state("sensor", "headroom_l3").state) == pytest.approx(63.0 - 3.15 - 5.0, abs=0.06)
    assert supply.state("sensor", "vehicles_charging").state == "0"
    assert supply.state("binary_sensor", "stale").state == "off"
    dies = supply.state("sensor", "if_all_dies")
    assert float(dies.state) == max(dies.attributes[key] for key in ("l1", "l2", "l3"))

    point = await dial(port, "CP1")
    transaction_id = await plug_in_and_charge(point)
    await held_to(point, 6.0)
    await draw(point, 6.0, transaction_id)

    await supply.until("sensor", "vehicles_charging", lambda state: state.state == "1")


async def test_a_meter_that_is_lost_is_told_at_once(hass: HomeAssistant) -> None:
    show_meter(hass, 20.0, 15.0, 5.0)
    entry = await set_up(hass, a_site(free_port(), a_meter("Main", METER_ENTITIES)))
    supply, meter = Told.of_supply(hass, entry), Told.of(hass, entry, "Main")
    await meter.until("binary_sensor", "reachable", lambda state: state.state == "on")
    assert [meter.state("sensor", f"current_l{phase}").state for phase in (1, 2, 3)] == ["20.0", "15.0", "5.0"]
    assert meter.state("sensor", "fault").state == NO_FAULT

    show_meter(hass, 20.0, STATE_UNAVAILABLE, 5.0)

    await supply.until("binary_sensor", "stale", lambda state: state.state == "on")
    assert meter.state("binary_sensor", "reachable").state == "off"
    assert meter.state("sensor", "fault").state == FaultKey.ENTITY_UNAVAILABLE
    assert meter.state("sensor", "current_l1").state == STATE_UNAVAILABLE
    assert supply.state("sensor", "load_l1").state == STATE_UNKNOWN


async def test_demand_is_shown_where_it_is_capped(hass: HomeAssistant) -> None:
    show_meter(hass, 20.0, 15.0, 5.0)
    meter = a_meter("Main", METER_ENTITIES)
    west = a_cluster("West")
    entry = await set_up(hass, a_site(free_port(), west, meter, demand=40.0, demand_window=30))

    demand = await Told.of_supply(hass, entry).until("sensor", "demand", lambda state: state.state != STATE_UNKNOWN)

    assert 0.0 <= float(demand.state) <= 40.0
    assert demand.attributes["unit_of_measurement"] == "kW"
    assert "sensor.demand" not in enabled(hass, entry, subentry_called(entry, "West").subentry_id)


async def test_the_surplus_is_shown_where_something_is_generated(hass: HomeAssistant) -> None:
    show_meter(hass, -20.0, 15.0, -15.0)
    meter = a_meter("Main", METER_ENTITIES)
    entry = await set_up(hass, a_site(free_port(), a_cluster("West"), meter, generation=40.0))

    surplus = await Told.of_supply(hass, entry).until("sensor", "surplus", lambda state: state.state != STATE_UNKNOWN)

    assert float(surplus.state) == pytest.approx(20.0 * 0.23)
    assert (surplus.name, surplus.attributes["unit_of_measurement"]) == ("Depot Surplus", "kW")
    registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert sum(entity.unique_id.endswith("-surplus") for entity in registered) == 1


async def test_the_surplus_is_not_shown_unasked_where_nothing_is_generated(hass: HomeAssistant) -> None:
    show_meter(hass, 5.0, 5.0, 5.0)
    entry = await set_up(hass, a_site(free_port(), a_meter("Main", METER_ENTITIES)))

    assert "sensor.surplus" not in enabled(hass, entry, f"{entry.entry_id}/supply")


async def test_overload_exposure_is_shown_where_a_device_is_told(hass: HomeAssistant) -> None:
    west, east = a_cluster("West", device_kind="mcb_c", device_rated=40.0), a_cluster("East")
    entry = await set_up(hass, a_site(free_port(), west, east))

    shown = {
        title: "sensor.overload_exposure" in enabled(hass, entry, subentry_called(entry, title).subentry_id)
        for title in ("West", "East")
    }

    assert shown == {"West": True, "East": False}
    assert "sensor.overload_exposure" not in enabled(hass, entry, f"{entry.entry_id}/supply")
    assert Told.of(hass, entry, "East").registered("sensor", "overload_exposure").entity_category == "diagnostic"


async def test_overload_exposure_tells_how_much_of_the_curve_was_used(hass: HomeAssistant) -> None:
    show_meter(hass, 20.0, 15.0, 5.0)
    meter = a_meter("Main", METER_ENTITIES)
    entry = await set_up(hass, a_site(free_port(), meter, device_kind="mcb_b", device_rated=63.0))
    supply = Told.of_supply(hass, entry)
    quiet = await supply.until("sensor", "overload_exposure", lambda state: state.state == "0")
    assert quiet.attributes["device"] == "B63"
    assert quiet.attributes["seconds_above_rating"] == 0
    assert quiet.attributes["since"] is None

    show_meter(hass, 250.0, 15.0, 5.0)
    await overloaded(entry, lambda exposure: exposure.share_percent == 100 and exposure.above_s > 0)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=61))

    full = await supply.until("sensor", "overload_exposure", lambda state: state.state == "100")
    assert full.attributes["unit_of_measurement"] == "%"
    assert full.attributes["seconds_above_rating"] >= 1
    assert full.attributes["ampere_seconds"] >= 187
    assert full.attributes["highest"] == pytest.approx(250 / 63, abs=0.01)
    assert full.attributes["since"] is not None
    assert full.attributes["day_highest_share"] == 100

    show_meter(hass, 250.0, STATE_UNAVAILABLE, 5.0)
    await supply.until("sensor", "overload_exposure", lambda state: state.state == STATE_UNKNOWN)


async def test_a_supply_of_one_phase_has_no_sensors_of_others(hass: HomeAssistant) -> None:
    entry = a_site(free_port(), a_charge_point("CP1", rotations=["l1"]), a_meter("Main", METER_ENTITIES), phases="1")
    await set_up(hass, entry)

    keys = {entity.unique_id for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)}

    assert any(key.endswith("_l1") for key in keys)
    assert not [key for key in keys if key.endswith(("_l2", "_l3"))]


async def test_a_minute_of_charging_stays_within_the_recorders_budget(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    point = await dial(port, "CP1")
    transaction_id = await plug_in_and_charge(point)
    await held_to(point, 6.0)
    await draw(point, 6.0, transaction_id)
    await connector.until("sensor", "limit", lambda state: state.state == "6.0")
    rows: Counter[str] = Counter()

    @callback
    def count(event: Event[EventStateChangedData]) -> None:
        entity = er.async_get(hass).async_get(event.data["entity_id"])
        if entity is not None and entity.platform == DOMAIN and entity.unique_id.startswith(f"{connector.prefix}-"):
            rows[entity.unique_id] += 1

    hass.bus.async_listen(EVENT_STATE_CHANGED, count)
    for sample in range(30):
        amps = 6.0 if sample % 2 else 4.8
        watts = {"measurand": "Power.Active.Import", "unit": "W", "value": str(amps * 690.0)}
        values = [*sampled(L1=amps, L2=amps, L3=amps), watts, energy(1000.0 + 40.0 * sample)]
        await point.measure(values, 1, transaction_id)
        await hass.async_block_till_done()
        if sample % 5 == 4:  # six times in the minute, which is told every two seconds
            async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=11))
            await hass.async_block_till_done()

    assert rows.total() > 0
    assert rows.total() <= ROWS_PER_MINUTE_CHARGING, rows


async def test_an_idle_connector_writes_nothing(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    point = await dial(port, "CP1")
    await connector.until("sensor", "status", lambda state: state.state == VehicleState.ABSENT)
    await connector.until("sensor", "limit_reason", lambda state: state.state == Reason.NO_VEHICLE)
    await point.measure([*sampled(L1=0.0, L2=0.0, L3=0.0), energy(1000.0)])
    await hass.async_block_till_done()
    rows: list[str] = []

    @callback
    def count(event: Event[EventStateChangedData]) -> None:
        rows.append(event.data["entity_id"])

    hass.bus.async_listen(EVENT_STATE_CHANGED, count)
    for _ in range(6):
        await point.measure([*sampled(L1=0.1, L2=0.0, L3=0.1), energy(1000.0)])
        await point.status(1, "Available")
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=11))
        await hass.async_block_till_done()

    assert [row for row in rows if "cp1" in row] == []
