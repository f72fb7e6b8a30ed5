"""Words for the tests of automations: one that tells what it was told, targets of every kind, sites with a meter."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant, ServiceCall, State
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    label_registry as lr,
)
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from tests.entities.stage import Controls, Dial, draw, plug_in_and_charge
from tests.ocpp.charge_point import ChargePoint, energy, sampled
from tests.site_entry import a_charge_point, a_cluster, a_meter, a_site, add, free_port, set_up, subentry_called

METER_ENTITIES = ("sensor.m1", "sensor.m2", "sensor.m3")
ASKED = "asked"

type Told = list[ServiceCall]


class Circuit(Controls):
    """The entities of the supply or a cluster."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry, title: str | None = None) -> None:
        """Name a cluster by its title; None: the supply."""
        self.hass = hass
        self.entry = entry
        self.prefix = f"{entry.entry_id}/supply" if title is None else subentry_called(entry, title).subentry_id


async def automate(hass: HomeAssistant, **config: Any) -> Told:
    """Set up an automation and return what it tells, as it tells it."""
    told: Told = async_mock_service(hass, "test", "told")
    tell = {"action": "test.told", "data": config.pop("data", {"who": "{{ trigger.entity_id }}"})}
    automation = {"alias": "A", "mode": "queued", "actions": [tell], **config}
    assert await async_setup_component(hass, "automation", {"automation": [automation]})
    await hass.async_block_till_done()
    assert hass.states.get("automation.a") is not None
    assert hass.states.is_state("automation.a", "on")
    return told


async def asking(hass: HomeAssistant, *conditions: Mapping[str, Any]) -> Callable[[], Awaitable[bool]]:
    """Return how to ask whether conditions hold now."""
    told = await automate(
        hass, triggers=[{"trigger": "event", "event_type": ASKED}], conditions=list(conditions), data={}
    )

    async def hold() -> bool:
        told.clear()
        hass.bus.async_fire(ASKED)
        await hass.async_block_till_done()
        return bool(told)

    return hold


def targets(hass: HomeAssistant, entity: er.RegistryEntry) -> dict[str, dict[str, str]]:
    """Return one target of each kind that covers an entity, its device by area and label."""
    area = ar.async_get(hass).async_create("Car park")
    label = lr.async_get(hass).async_create("Charging")
    assert entity.device_id is not None
    dr.async_get(hass).async_update_device(entity.device_id, area_id=area.id, labels={label.label_id})
    return {
        "entity": {"entity_id": entity.entity_id},
        "device": {"device_id": entity.device_id},
        "area": {"area_id": area.id},
        "label": {"label_id": label.label_id},
    }


def show_meter(hass: HomeAssistant, *amps: float | str) -> None:
    """Let the three sensors of the meter show these currents."""
    for entity, value in zip(METER_ENTITIES, amps, strict=True):
        hass.states.async_set(entity, str(value), {"unit_of_measurement": "A"}, force_update=True)


async def metered_site(hass: HomeAssistant) -> MockConfigEntry:
    """Return a site whose supply has a meter that is trusted."""
    show_meter(hass, 20.0, 15.0, 5.0)
    entry = await set_up(hass, a_site(free_port(), a_meter("Main", METER_ENTITIES)))
    await Circuit(hass, entry).until("binary_sensor", "stale", lambda state: state.state == "off")
    return entry


async def lose_meter(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Let the meter of the supply be lost, and wait until that is told."""
    show_meter(hass, 20.0, STATE_UNAVAILABLE, 5.0)
    await Circuit(hass, entry).until("binary_sensor", "stale", lambda state: state.state == "on")
    await hass.async_block_till_done()


class NarrowSite:
    """A site with a cluster that is narrower than what one vehicle could take."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry, point: ChargePoint) -> None:
        """Take over what `narrow_site` has set up."""
        self.hass = hass
        self.entry = entry
        self.point = point
        self.cluster = Circuit(hass, entry, "West")
        self.transaction_id = 0

    async def plug_in(self) -> None:
        """Plug a vehicle in that wants more than there is; wait until that is told."""
        self.transaction_id = await plug_in_and_charge(self.point)
        await self._limited("on")

    async def unplug(self) -> None:
        """Take the vehicle away; wait until nothing is held back."""
        await draw(self.point, 0.0, self.transaction_id)
        await unplug(self.point, self.transaction_id)
        await self._limited("off")

    async def _limited(self, state: str) -> None:
        await self.cluster.until("binary_sensor", "limited", lambda shown: shown.state == state)
        await self.hass.async_block_till_done()


async def narrow_site(hass: HomeAssistant, dial: Dial) -> NarrowSite:
    """Set up the site, with its charge point connected and nobody plugged in."""
    entry = await set_up(hass, a_site(port := free_port(), a_cluster("West", 16.0)))
    await add(hass, entry, a_charge_point("CP1", cluster=subentry_called(entry, "West").subentry_id))
    point = await dial(port, "CP1")
    site = NarrowSite(hass, entry, point)
    await Controls(hass, entry, "CP1", 1).sees(lambda view: view.worst_case_a == 0.0)
    await hass.async_block_till_done()
    return site


class Queue:
    """A cluster with room for one vehicle: CP1 has the place, CP2 comes later."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry, first: ChargePoint, second: ChargePoint) -> None:
        """Take over what `queue` has set up."""
        self.hass = hass
        self.entry = entry
        self._first = first
        self._second = second
        self._transactions: list[int] = []
        self.place = Controls(hass, entry, "CP2")
        self.connector = Controls(hass, entry, "CP2", 1)

    async def wait(self) -> State:
        """Let a vehicle come that has to wait; return what is told of it."""
        self._transactions.append(await plug_in_and_charge(self._second))
        return await self._told("waiting")

    async def admit(self) -> State:
        """Let the first vehicle leave; return what is told of the one that waited."""
        await draw(self._first, 0.0, self._transactions[0])
        await unplug(self._first, self._transactions[0])
        return await self._told("admitted")

    async def finish(self) -> State:
        """Let it have the 2 kWh that its driver wants; return what is told of it."""
        self.entry.runtime_data.site.wish_session(self.connector.prefix, wanted_wh=2000.0)
        for register_wh in (1000, 3000):
            await self._second.measure([*sampled(L1=7, L2=7, L3=7), energy(register_wh)], 1, self._transactions[1])
        return await self._told("done")

    async def leave(self) -> State:
        """Let it leave; return what is told of it."""
        await unplug(self._second, self._transactions[1], 1, 3000)
        return await self._told("ended")

    async def begin(self) -> None:
        """Let the first vehicle come."""
        self._transactions.append(await plug_in_and_charge(self._first))
        await Controls(self.hass, self.entry, "CP1", 1).targeted(8.0)

    async def _told(self, kind: str) -> State:
        told = await self.place.until("event", "session", lambda state: state.attributes["event_type"] == kind)
        await self.hass.async_block_till_done()
        return told


async def queue(hass: HomeAssistant, dial: Dial) -> Queue:
    """Set up the cluster with its charge points connected, and let the first vehicle come."""
    entry = await set_up(hass, a_site(port := free_port(), a_cluster("West", 10.0)))
    west = subentry_called(entry, "West").subentry_id
    await add(hass, entry, a_charge_point("CP1", cluster=west), a_charge_point("CP2", cluster=west))
    line = Queue(hass, entry, await dial(port, "CP1"), await dial(port, "CP2"))
    for name in ("CP1", "CP2"):
        await Controls(hass, entry, name, 1).sees(lambda view: view.worst_case_a == 0.0)
    await line.begin()
    return line


async def unplug(point: ChargePoint, transaction_id: int, connector: int = 1, register_wh: int = 1000) -> None:
    """End a transaction and take the vehicle away."""
    await point.stop(transaction_id, register_wh)
    await point.status(connector, "Finishing")
    await point.status(connector, "Available")
