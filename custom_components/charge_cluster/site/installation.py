"""Everything of one Home Assistant that outlives an unload of an entry: the ledger, listeners and running sites.

A site that is released goes on for a while, so that a reload that Home Assistant makes by itself (it does when a
disabled entity is enabled) finds it as it left it. Sites that name the same host and port share one listener.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..chargers import Charger, DeviceIdentity
from ..chargers.ocpp import OcppCharger
from ..ledger import Ledger
from ..meters import Meter
from ..meters.modbus import ModbusMeter
from ..modbus.link import ModbusLinks
from ..ocpp.conversation import Terminals
from ..ocpp.listener import CannotListen, CentralSystem, PortInUse
from ..ocpp.protocols import Clock
from ..ocpp.waiting_room import Newcomer
from .door import Door, TagAuthoriser
from .ledger_records import LedgerRecords
from .settings import (
    ChargePointSettings,
    ConnectorWish,
    EntityMeterSettings,
    ListenerSettings,
    MeterSettings,
    Security,
    SiteSettings,
)
from .site import Site
from .views import NewcomerView

LOGGER = logging.getLogger(__name__)

FREE_TAG = "CHARGECLUSTER"
"""The idTag of transactions that are started from here where everybody may charge."""

type EntityMeterFactory = Callable[[MeterSettings, EntityMeterSettings], Meter]

__all__ = ["CannotListen", "Installation", "PortInUse"]


@dataclass(slots=True, eq=False)
class _Listener:
    """A central system and the sites that use it."""

    central: CentralSystem
    door: Door
    sites: set[str] = field(default_factory=set)
    stop_watching: Callable[[], None] | None = None


@dataclass(slots=True)
class _Running:
    """A site that runs and, when it was released, what will end it."""

    site: Site
    wiring: _SiteWiring
    ending: asyncio.TimerHandle | None = None


class Installation:
    """The domain's own things; one per Home Assistant."""

    def __init__(self, ledger: Ledger, clock: Clock, entity_meters: EntityMeterFactory) -> None:
        """Use `open`."""
        self.ledger = ledger
        self.clock = clock
        self.entity_meters = entity_meters
        self.links = ModbusLinks()
        self._running: dict[str, _Running] = {}
        self._listeners: dict[ListenerSettings, _Listener] = {}
        self._changing = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, folder: Path, *, clock: Clock, entity_meters: EntityMeterFactory) -> Installation:
        """Open the ledger in a folder; a broken one is set aside and reported, not raised."""
        return cls(await Ledger.open(folder, clock=clock), clock, entity_meters)

    def sites(self) -> Mapping[str, Site]:
        """Return the sites that run."""
        return {site_id: running.site for site_id, running in self._running.items()}

    async def adopt(self, settings: SiteSettings, wishes: Mapping[str, ConnectorWish]) -> Site:
        """Start a site, or take over the one that still runs and change what differs.

        Raises:
            PortInUse: the listener's port belongs to somebody else.
            CannotListen: the host is not ours.
            SettingsError: the settings are not safe or not possible.
        """
        async with self._changing:
            running = self._running.get(settings.site_id)
            if running is not None:
                if running.ending is not None:
                    running.ending.cancel()
                    running.ending = None
                await running.site.apply(settings)
                for key, wish in wishes.items():
                    running.site.wish(key, wish)
                return running.site
            return await self._start(settings, wishes)

    async def _start(self, settings: SiteSettings, wishes: Mapping[str, ConnectorWish]) -> Site:
        records = LedgerRecords(self.ledger, settings.site_id)
        wiring = _SiteWiring(self, records)
        site = Site(settings, wishes, clock=self.clock, records=records, wiring=wiring)
        self._running[settings.site_id] = _Running(site, wiring)
        wiring.site = site
        try:
            await site.start()
        except CannotListen:
            del self._running[settings.site_id]
            raise
        return site

    def release(self, site_id: str, grace_s: float = 60.0) -> None:
        """Let a site go on for a while after its entry was unloaded, and stop it then."""
        running = self._running.get(site_id)
        if running is None or running.ending is not None:
            return
        running.ending = asyncio.get_running_loop().call_later(grace_s, partial(self._end_soon, site_id))

    def _end_soon(self, site_id: str) -> None:
        task = asyncio.get_running_loop().create_task(self.remove(site_id))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def remove(self, site_id: str) -> None:
        """Stop a site now; its chargers go to their fallbacks when their limits run out."""
        async with self._changing:
            running = self._running.pop(site_id, None)
            if running is None:
                return
            if running.ending is not None:
                running.ending.cancel()
            await running.site.stop()
            await running.wiring.close()

    async def close(self) -> None:
        """Stop everything and close the ledger."""
        for site_id in list(self._running):
            await self.remove(site_id)
        await self.links.close()
        await self.ledger.close()

    # Listeners -----------------------------------------------------------------------------------------------------

    async def listener(self, settings: ListenerSettings, site_id: str) -> _Listener:
        """Return the listener at a host and port, opened at the first need. Raises CannotListen."""
        known = self._listeners.get(settings)
        if known is None:
            door = Door(partial(self._settings_at, settings))
            authoriser = TagAuthoriser(door, self.ledger.drivers, self.clock.time)
            central = CentralSystem(
                host=settings.host,
                port=settings.port,
                doorkeeper=door,
                journal=self.ledger.journal,
                authoriser=authoriser,
                clock=self.clock,
            )
            known = _Listener(central, door)
            await central.start()
            self._listeners[settings] = known
            known.stop_watching = central.watch_newcomers(partial(self._newcomer, known))
        known.sites.add(site_id)
        return known

    async def leave(self, settings: ListenerSettings, site_id: str) -> None:
        """Take note that a site does not use a listener any more; the last one closes it."""
        known = self._listeners.get(settings)
        if known is None:
            return
        known.sites.discard(site_id)
        if not known.sites:
            del self._listeners[settings]
            if known.stop_watching is not None:
                known.stop_watching()
            await known.central.close()

    def _settings_at(self, listener: ListenerSettings) -> list[SiteSettings]:
        found = (running.site.settings for running in self._running.values())
        return [settings for settings in found if settings.listener == listener]

    def _newcomer(self, listener: _Listener, _identity: str, _newcomer: Newcomer | None) -> None:
        """Show the waiting room to the sites of its listener."""
        waiting = listener.central.newcomers
        views = {name: _newcomer_view(waiting[name]) for name in waiting}
        for site_id in listener.sites:
            running = self._running.get(site_id)
            if running is not None:
                running.site.show_newcomers(views)


class _SiteWiring:
    """Connects one site to its listener, conversations and meters."""

    def __init__(self, installation: Installation, records: LedgerRecords) -> None:
        self._installation = installation
        self._records = records
        self._listening: tuple[ListenerSettings, _Listener] | None = None
        self._leaving: ListenerSettings | None = None
        self._known: dict[str, ChargePointSettings] = {}
        self._settled = False
        self.site: Site | None = None

    async def prepare(self, settings: SiteSettings) -> None:
        """Open the listener that the settings name, before the old one is left."""
        if self._listening is not None and self._listening[0] == settings.listener:
            return
        listener = await self._installation.listener(settings.listener, settings.site_id)
        if self._listening is not None:
            self._leaving = self._listening[0]
            self._known = {}
        self._listening = (settings.listener, listener)

    def charger(self, point: ChargePointSettings) -> Charger:
        """Return the charger behind the conversation of a charge point."""
        conversation = self._listener.central.conversation(point.identity)
        return OcppCharger(conversation, _terminals(point), start_tag=self._start_tag)

    def reconfigure(self, charger: Charger, point: ChargePointSettings) -> None:
        """Tell a charger what changed about it."""
        if isinstance(charger, OcppCharger):
            charger.reconfigure(_terminals(point), start_tag=self._start_tag)

    @property
    def _start_tag(self) -> str | None:
        return FREE_TAG if self.site is not None and self.site.settings.accept_all_tags else None

    def meter(self, settings: MeterSettings) -> Meter:
        """Return the meter that the settings describe."""
        source = settings.source
        if isinstance(source, EntityMeterSettings):
            return self._installation.entity_meters(settings, source)
        return ModbusMeter(settings, source, links=self._installation.links, clock=self._installation.clock)

    def shut_door(self, point: ChargePointSettings, for_s: float) -> None:
        """Close the connection of a charge point and refuse it for so long; 0: let it in again."""
        self._listener.central.shut_out(point.identity, for_s)

    def knocks(self, point: ChargePointSettings) -> int:
        """Return how often it was refused since the door was shut."""
        return self._listener.central.knocks(point.identity)

    async def settle(self, settings: SiteSettings) -> None:
        """Have the door judge anew whoever is concerned by a change."""
        central = self._listener.central
        wanted = {point.identity: point for point in settings.charge_points}
        for identity in self._known.keys() - wanted.keys():
            await central.forget(identity)
        for identity, point in wanted.items():
            before = self._known.get(identity)
            if before is not None and (before.key, before.security) == (point.key, point.security):
                continue
            self._let_in(central, point, changed=before is not None, starting=not self._settled)
        self._known = wanted
        self._settled = True
        if self._leaving is not None:
            leaving, self._leaving = self._leaving, None
            await self._installation.leave(leaving, settings.site_id)

    def _let_in(self, central: CentralSystem, point: ChargePointSettings, *, changed: bool, starting: bool) -> None:
        """Judge a charge point anew; one that waits at the door or is connected is given its key over OCPP.

        Whoever was let in already, or waited when the owner accepted it, is trusted to take the key. Whoever was
        configured before it dialled in must bring it.
        """
        identity = point.identity
        gives = point.security is Security.BASIC and point.key is not None
        waits = identity in central.newcomers
        connected = changed and central.conversation(identity).online
        if gives and (waits or connected):
            self._records.key_is_due(identity, due=True)
        if gives and ((starting and identity in self._records.keys_due) or waits or connected):
            self._listener.door.on_key(identity, partial(self._records.key_is_due, identity, due=False))
            central.reconsider(identity, provision_key=point.key)
        else:
            central.reconsider(identity)

    async def close(self) -> None:
        """Leave the listener."""
        if self._listening is not None:
            settings, listener = self._listening
            self._listening = None
            for identity in self._known:
                await listener.central.forget(identity)
            if self.site is not None:
                await self._installation.leave(settings, self.site.site_id)

    @property
    def _listener(self) -> _Listener:
        if self._listening is None:
            raise RuntimeError("a site uses its wiring only after it was prepared")
        return self._listening[1]


def _terminals(point: ChargePointSettings) -> list[Terminals]:
    return [
        Terminals(
            connector=connector.number,
            phases=3 if connector.rotation is None else len(connector.rotation),
            minimum_a=connector.minimum_a,
            maximum_a=connector.maximum_a,
        )
        for connector in point.connectors
    ]


def _newcomer_view(newcomer: Newcomer) -> NewcomerView:
    device = newcomer.device
    return NewcomerView(
        identity=newcomer.identity,
        remote=newcomer.remote,
        first_seen_at=newcomer.first_seen_at,
        identity_report=DeviceIdentity(
            vendor=device.vendor, model=device.model, serial=device.serial, firmware=device.firmware
        ),
        connectors=newcomer.connectors,
    )
