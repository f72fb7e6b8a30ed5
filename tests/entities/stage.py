"""Words for the tests of the entities: entities found by what they are of, commands as a user gives them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.charge_cluster.site.settings import ConnectorWish
from custom_components.charge_cluster.site.views import ConnectorView
from tests.ocpp.charge_point import ChargePoint, limits_of, sampled
from tests.site_entry import DOMAIN, subentry_called

type Dial = Callable[..., Awaitable[ChargePoint]]

PATIENCE_S = 30.0


class Controls:
    """The entities of one charge point, or of one of its connectors."""

    def __init__(
        self, hass: HomeAssistant, entry: MockConfigEntry, charge_point: str, connector: int | None = None
    ) -> None:
        """Name the charge point by its title, and a connector by its number."""
        self.hass = hass
        self.entry = entry
        self.charge_point_id = subentry_called(entry, charge_point).subentry_id
        self.prefix = self.charge_point_id if connector is None else f"{self.charge_point_id}/{connector}"

    def registered(self, platform: str, key: str) -> er.RegistryEntry:
        """Return what the registry knows of an entity."""
        registry = er.async_get(self.hass)
        entity_id = registry.async_get_entity_id(platform, DOMAIN, f"{self.prefix}-{key}")
        assert entity_id is not None
        entity = registry.async_get(entity_id)
        assert entity is not None
        return entity

    def state(self, platform: str, key: str) -> State:
        """Return the state of an entity."""
        state = self.hass.states.get(self.registered(platform, key).entity_id)
        assert state is not None
        return state

    async def enable(self, platform: str, key: str) -> None:
        """Enable an entity that is disabled by default."""
        entity = self.registered(platform, key)
        assert entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION
        er.async_get(self.hass).async_update_entity(entity.entity_id, disabled_by=None)
        assert await self.hass.config_entries.async_reload(self.entry.entry_id)
        await self.hass.async_block_till_done()

    async def ask(self, platform: str, key: str, action: str, **more: Any) -> None:
        """Call one of Home Assistant's actions on an entity."""
        target = {"entity_id": self.registered(platform, key).entity_id}
        await self.hass.services.async_call(platform, action, target | more, blocking=True)

    async def set_number(self, key: str, value: float) -> None:
        """Set a number."""
        await self.ask("number", key, "set_value", value=value)

    async def press(self, key: str) -> None:
        """Press a button."""
        await self.ask("button", key, "press")

    @property
    def wished(self) -> ConnectorWish:
        """Return what is kept of the wishes for the connector."""
        wishes = self.entry.runtime_data.coordinator.wishes.by_connector
        wish: ConnectorWish = wishes.get(self.prefix, ConnectorWish())
        return wish

    async def targeted(self, amps: float) -> None:
        """Wait until the site means to give the connector so many amps."""
        await self.sees(lambda view: view.target_a == amps)

    async def sees(self, seen: Callable[[ConnectorView], bool]) -> None:
        """Wait until the connector is, in the picture of the site, as it should be."""
        site = self.entry.runtime_data.site
        news = asyncio.Event()
        end = site.subscribe(f"connector:{self.prefix}", news.set)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not seen(site.connectors[self.prefix]):
                    await news.wait()
                    news.clear()
        finally:
            end()

    async def until(self, platform: str, key: str, seen: Callable[[State], bool]) -> State:
        """Wait until the state of an entity is as it should be."""
        news = asyncio.Event()

        @callback
        def changed(_event: Event[EventStateChangedData]) -> None:
            news.set()

        end = self.hass.bus.async_listen(EVENT_STATE_CHANGED, changed)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not seen(self.state(platform, key)):
                    await news.wait()
                    news.clear()
        finally:
            end()
        return self.state(platform, key)


async def change(hass: HomeAssistant, entry: MockConfigEntry, title: str, **changes: Any) -> None:
    """Change what is stored of a charge point, as its form does."""
    subentry = subentry_called(entry, title)
    hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, **changes})
    await hass.async_block_till_done()


async def plug_in_and_charge(point: ChargePoint, connector: int = 1) -> int:
    """Plug a vehicle in that wants current and has none yet; return its transaction."""
    await point.status(connector, "Preparing")
    transaction_id = await point.start(connector)
    await point.status(connector, "Charging")
    await draw(point, 0.0, transaction_id, connector)
    return transaction_id


async def draw(point: ChargePoint, amps: float, transaction_id: int, connector: int = 1) -> None:
    """Report a current on all phases: others are given what is seen to be free."""
    await point.measure(sampled(L1=amps, L2=amps, L3=amps), connector, transaction_id)


async def held_to(point: ChargePoint, amps: float) -> None:
    """Wait until the newest profile for a transaction holds it to so many amps from now on."""
    while True:
        sent = len(point.calls("SetChargingProfile"))
        newest = point.profiles("TxProfile")[-1:]
        if newest and limits_of(newest[0])[0] == (0, amps):
            return
        await point.was_asked("SetChargingProfile", sent + 1, within_s=PATIENCE_S)
