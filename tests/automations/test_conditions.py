"""Conditions hold exactly while vehicles charge, wait, or are held back."""

import time

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import condition
from homeassistant.setup import async_setup_component

from custom_components.charge_cluster.engine.model import Reason, VehicleState
from tests.entities.stage import Controls, Dial, draw, plug_in_and_charge
from tests.ocpp.charge_point import ChargePoint
from tests.site_entry import a_charge_point, a_cluster, a_site, add, free_port, set_up, subentry_called

from .stage import Circuit, asking, narrow_site, targets

WAYS = ("entity", "device", "area", "label")


def holds(name: str, target: dict[str, str], **options: object) -> dict[str, object]:
    return {"condition": f"charge_cluster.{name}", "target": target, "options": options}


async def drawing(connector: Controls, point: ChargePoint, amps: float, transaction_id: int) -> None:
    """Let a vehicle draw, and wait until the site has seen it."""
    await draw(point, amps, transaction_id)
    await connector.sees(lambda view: view.drawn_a == (amps, amps, amps))


@pytest.mark.parametrize("way", WAYS)
async def test_a_vehicle_charges_while_current_flows_into_it(hass: HomeAssistant, dial: Dial, way: str) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    target = targets(hass, connector.registered("sensor", "status"))[way]
    charging = await asking(hass, holds("is_charging", target))
    assert not await charging()
    point = await dial(port, "CP1")
    transaction_id = await plug_in_and_charge(point)
    assert not await charging()

    await drawing(connector, point, 16.0, transaction_id)
    assert await charging()
    await drawing(connector, point, 0.4, transaction_id)
    assert not await charging()


async def test_a_charge_point_that_is_away_does_not_charge_for_all_we_know(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    status = connector.registered("sensor", "status").entity_id
    charging = await asking(hass, holds("is_charging", {"entity_id": status}))
    point = await dial(port, "CP1")
    transaction_id = await plug_in_and_charge(point)
    await drawing(connector, point, 16.0, transaction_id)
    assert await charging()

    await point.close()
    await connector.sees(lambda view: not view.online)
    assert not await charging()

    assert await hass.config_entries.async_unload(entry.entry_id)
    assert not await charging()


async def test_a_charge_point_with_a_fault_does_not_charge_by_its_last_measurement(
    hass: HomeAssistant, dial: Dial
) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    status = connector.registered("sensor", "status").entity_id
    charging = await asking(hass, holds("is_charging", {"entity_id": status}))
    point = await dial(port, "CP1")
    await drawing(connector, point, 16.0, await plug_in_and_charge(point))

    await point.status(1, "Faulted", "GroundFailure")
    await connector.until("sensor", "status", lambda state: state.state == VehicleState.FAULTED)

    assert not await charging()


async def test_any_or_all_vehicles_may_be_asked_for(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), a_charge_point("CP2")))
    connectors = [Controls(hass, entry, name, 1) for name in ("CP1", "CP2")]
    both = {"entity_id": [connector.registered("sensor", "status").entity_id for connector in connectors]}
    some = await asking(hass, holds("is_charging", both))  # type: ignore[arg-type]  # a target takes lists as well
    every = holds("is_charging", both, behavior="all")  # type: ignore[arg-type]  # likewise
    all_of_them = await condition.async_from_config(hass, await condition.async_validate_condition_config(hass, every))
    first, second = await dial(port, "CP1"), await dial(port, "CP2")

    await drawing(connectors[0], first, 16.0, await plug_in_and_charge(first))
    assert (await some(), all_of_them.async_check()) == (True, False)
    await drawing(connectors[1], second, 16.0, await plug_in_and_charge(second))
    assert (await some(), all_of_them.async_check()) == (True, True)


async def test_the_device_of_a_charge_point_stands_for_all_its_connectors(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", rotations=["l1_l2_l3", "l2_l3_l1"])))
    second = Controls(hass, entry, "CP1", 2)
    device = Controls(hass, entry, "CP1").registered("event", "session").device_id
    assert device is not None
    assert device != second.registered("sensor", "status").device_id
    charging = await asking(hass, holds("is_charging", {"device_id": device}))
    point = await dial(port, "CP1", 2)
    transaction_id = await plug_in_and_charge(point, 2)
    assert not await charging()

    await draw(point, 16.0, transaction_id, 2)
    await second.sees(lambda view: view.drawn_a == (16.0, 16.0, 16.0))

    assert await charging()


async def test_for_how_long_a_vehicle_charges_cannot_be_asked(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    status = Controls(hass, entry, "CP1", 1).registered("sensor", "status").entity_id
    lasting = holds("is_charging", {"entity_id": status}, **{"for": {"minutes": 5}})
    trigger = {"trigger": "event", "event_type": "asked"}

    assert await async_setup_component(
        hass, "automation", {"automation": [{"triggers": [trigger], "conditions": [lasting], "actions": []}]}
    )

    (automation,) = hass.states.async_all("automation")
    assert automation.state == "unavailable"


async def test_a_vehicle_waits_while_it_is_in_the_queue(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_cluster("West", 8.0)))
    west = subentry_called(entry, "West").subentry_id
    await add(hass, entry, a_charge_point("CP1", cluster=west), a_charge_point("CP2", cluster=west))
    first, second = (Controls(hass, entry, name, 1) for name in ("CP1", "CP2"))
    waits = [
        await condition.async_from_config(
            hass, await condition.async_validate_condition_config(hass, holds("is_waiting", target))
        )
        for connector in (first, second)
        for target in [{"entity_id": connector.registered("sensor", "limit_reason").entity_id}]
    ]
    points = [await dial(port, "CP1"), await dial(port, "CP2")]
    for connector in (first, second):
        await connector.sees(lambda view: view.worst_case_a == 0.0)
    await plug_in_and_charge(points[0])
    await first.until("sensor", "limit_reason", lambda state: state.state == Reason.SHARED)
    assert [wait.async_check() for wait in waits] == [False, False]

    await plug_in_and_charge(points[1])
    await second.until("sensor", "limit_reason", lambda state: state.attributes["queue_position"] == 1)

    assert [wait.async_check() for wait in waits] == [False, True]


@pytest.mark.parametrize("way", WAYS)
async def test_a_ceiling_limits_while_it_holds_back(hass: HomeAssistant, dial: Dial, way: str) -> None:
    site = await narrow_site(hass, dial)
    target = targets(hass, site.cluster.registered("binary_sensor", "limited"))[way]
    limited = await asking(hass, holds("is_limited", target))
    assert not await limited()

    await site.plug_in()
    assert await limited()
    await site.unplug()
    assert not await limited()


@pytest.mark.parametrize(("minutes", "long_enough"), [(4, False), (6, True)])
async def test_a_ceiling_may_have_to_limit_for_a_while(hass: HomeAssistant, minutes: int, long_enough: bool) -> None:
    entry = await set_up(hass, a_site(free_port()))
    entity_id = Circuit(hass, entry).registered("binary_sensor", "limited").entity_id
    limited = await asking(hass, holds("is_limited", {"entity_id": entity_id}, **{"for": {"minutes": 5}}))

    hass.states.async_set(entity_id, "on", timestamp=time.time() - 60 * minutes)

    assert await limited() == long_enough


async def test_what_is_asked_is_enabled_and_found_on_its_device(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    for key in ("status", "limit_reason"):
        registered = Controls(hass, entry, "CP1", 1).registered("sensor", key)
        assert (registered.disabled, registered.entity_category) == (False, None)
