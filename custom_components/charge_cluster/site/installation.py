"""Everything of one Home Assistant that outlives an unload of an entry: the ledger, listeners and running sites.

A site that is released goes on for a while, so that a reload that Home Assistant makes by itself (it does when a
disabled entity is enabled) finds it as it left it. Sites that name the same host and port share one listener.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path

from ..chargers import Charger, DeviceIdentity
from ..chargers.ocpp import OcppCharger
from ..ledger import Ledger
from ..meters import Meter
from ..meters.modbus import ModbusMeter
from ..meters.ocpp import OcppMeter
from ..modbus.link import ModbusLinks
from ..ocpp.conversation import NotReachable, Refused, Terminals
from ..ocpp.listener import CannotListen, CentralSystem, PortInUse
from ..ocpp.local_list import TokenPolicy
from ..ocpp.partner import Partner
from ..ocpp.protocols import Admission, AuthorisationStatus, Clock, Purpose
from ..ocpp.security.enrolment import Given
from ..ocpp.security.peer import PeerCertificate
from ..ocpp.waiting_room import Newcomer
from ..tariffs import SourceFactory
from .authoriser import FREE_TAG, TokenAuthoriser, may_start
from .battery import ReadBattery, nothing_read
from .door import PROFILE_OF_CERTIFICATES, Door, DoorCertifier, KeyTaken
from .in_use import TokensInUse
from .ledger_records import LedgerRecords
from .model_memory import ModelBook
from .problems import Problem, ProblemKey, Severity
from .rotation import Rotated, rotate_key
from .settings import (
    NOTHING_CHOSEN,
    AuthorisationMode,
    ChargePointSettings,
    ConnectorWish,
    EntityMeterSettings,
    ListenerSettings,
    MeterSettings,
    OcppMeterSettings,
    Security,
    SiteSettings,
    SiteWish,
    TlsMode,
    TlsSettings,
)
from .site import Site
from .token_policy import TokenPolicies
from .trust import Trust, TrustStore
from .views import NewcomerView
from .wires import LOOK_EVERY_S, TlsKeeper

LOGGER = logging.getLogger(__name__)

TELL_TOKENS_S = 5.0
"""So long it is waited for more changes of drivers before charge points are told."""
LOOK_AT_TOKENS_S = 3600.0
"""While the time of any driver runs out it is looked at least this often who has run out: the clock may be set."""

type EntityMeterFactory = Callable[[MeterSettings, EntityMeterSettings], Meter]

__all__ = ["CannotListen", "Installation", "PortInUse"]


@dataclass(slots=True, eq=False)
class _Listener:
    """A central system and the sites that use it."""

    central: CentralSystem
    door: Door
    keeper: TlsKeeper
    sites: set[str] = field(default_factory=set)
    stop_watching: Callable[[], None] | None = None
    rewiring: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class _Running:
    """A site that runs and, when it was released, what will end it."""

    site: Site
    wiring: _SiteWiring
    ending: asyncio.TimerHandle | None = None


RENEW_AGAIN_AFTER_S = 24 * 3600.0
KEY_PATIENCE_S = 7 * 24 * 3600.0
"""A charge point that was given a key so long ago and has not come with it is a matter for a person."""


class NoKey(Exception):
    """The charge point comes without a key, by choice."""


async def _have_renewed(partner: Partner) -> None:
    """Have a charge point ask for a new certificate."""
    try:
        await partner.request_certificate()
    except (NotReachable, Refused) as failure:
        LOGGER.warning("%s could not be asked to renew its certificate: %s", partner.identity, type(failure).__name__)


class Installation:
    """The domain's own things; one per Home Assistant."""

    def __init__(
        self,
        ledger: Ledger,
        trust: Trust,
        *,
        clock: Clock,
        entity_meters: EntityMeterFactory,
        local_zone: Callable[[], tzinfo],
        currency: Callable[[], str],
        tariff_sources: SourceFactory | None,
        read_battery: ReadBattery,
        own_names: Callable[[], Sequence[str]],
        models: ModelBook,
    ) -> None:
        """Use `open`."""
        self.trust = trust
        self._own_names = own_names
        self._keeping: asyncio.Task[None] | None = None
        self._renew_again: dict[str, float] = {}
        """When a charge point may next be asked to renew its certificate, monotonic."""
        self.key_taken: KeyTaken | None = None
        """Told when a charge point has come over to the key that it was given."""
        self._local_zone = local_zone
        self._currency = currency
        self._tariff_sources = tariff_sources
        self._read_battery = read_battery
        self.ledger = ledger
        self.models = models
        self.clock = clock
        self.entity_meters = entity_meters
        self.links = ModbusLinks()
        self._running: dict[str, _Running] = {}
        self._in_use = TokensInUse(ledger.drivers, self.sites, clock)
        self._listeners: dict[ListenerSettings, _Listener] = {}
        self._changing = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        clock: Clock,
        entity_meters: EntityMeterFactory,
        local_zone: Callable[[], tzinfo],
        trust_store: TrustStore,
        own_names: Callable[[], Sequence[str]],
        currency: Callable[[], str],
        tariff_sources: SourceFactory | None = None,
        read_battery: ReadBattery = nothing_read,
    ) -> Installation:
        """Open the ledger in a folder; a broken one is set aside and reported, not raised.

        Args:
            trust_store: keeps the certificate authority and other secrets.
            own_names: what this host is called by charge points, best first.
            currency: of all prices (ISO 4217).
            tariff_sources: makes what tells prices; None: nobody does.
            read_battery: tells how full a vehicle is by an entity.
        """
        trust = await Trust.open(trust_store, clock)
        ledger = await Ledger.open(folder, clock=clock)
        return cls(
            ledger,
            trust,
            clock=clock,
            entity_meters=entity_meters,
            local_zone=local_zone,
            currency=currency,
            tariff_sources=tariff_sources,
            read_battery=read_battery,
            own_names=own_names,
            models=await ModelBook.open(ledger),
        )

    def sites(self) -> Mapping[str, Site]:
        """Return the sites that run."""
        return {site_id: running.site for site_id, running in self._running.items()}

    async def adopt(
        self, settings: SiteSettings, wishes: Mapping[str, ConnectorWish], usual: SiteWish = NOTHING_CHOSEN
    ) -> Site:
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
                running.site.wish_usual(usual)
                for key, wish in wishes.items():
                    running.site.wish(key, wish)
                return running.site
            return await self._start(settings, wishes, usual)

    async def _start(self, settings: SiteSettings, wishes: Mapping[str, ConnectorWish], usual: SiteWish) -> Site:
        records = LedgerRecords(self.ledger, settings.site_id)
        wiring = _SiteWiring(self, records)
        site = Site(
            settings,
            wishes,
            clock=self.clock,
            records=records,
            wiring=wiring,
            local_zone=self._local_zone,
            currency=self._currency,
            tariff_sources=self._tariff_sources,
            read_battery=self._read_battery,
            usual=usual,
        )
        self._running[settings.site_id] = _Running(site, wiring)
        wiring.site = site
        try:
            await site.start()
        except CannotListen:
            del self._running[settings.site_id]
            raise
        return site

    async def forget_habits(self, id_tag: str) -> int:
        """Forget what was learned of a driver's habits; return of how many sessions. Raises StoreUnavailable."""
        forgotten = await self.ledger.sessions.forget(id_tag)
        for running in self._running.values():
            running.site.foresight.forget(id_tag)
        return forgotten

    def may_start(
        self,
        settings: SiteSettings,
        point: ChargePointSettings,
        id_tag: str,
        *,
        connector: int | None,
        purpose: Purpose,
    ) -> AuthorisationStatus:
        """Return whether a transaction may be started from here with a token, or a place may be kept for it."""
        known = self.ledger.drivers.known(id_tag)
        elsewhere = self._in_use.elsewhere(point, connector, id_tag, None if known is None else known.group)
        return may_start(settings, point, known, self.clock.time(), elsewhere=elsewhere, purpose=purpose)

    def drivers_changed(self) -> None:
        """Take note that drivers may have another priority than before."""
        for running in self._running.values():
            running.site.drivers_changed()
            running.wiring.drivers_changed()

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
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
            self._keeping = None
        await self.links.close()
        await self.trust.close()
        await self.ledger.close()

    def profile_of(self, settings: SiteSettings, identity: str) -> int | None:
        """Return the security profile by which a charge point is connected; None: it is not."""
        listener = self._listeners.get(settings.listener)
        brought = None if listener is None else listener.central.brought(identity)
        return None if listener is None or brought is None else listener.door.profile(identity, brought)

    # Listeners -----------------------------------------------------------------------------------------------------

    async def listener(self, settings: ListenerSettings, site_id: str, tls: TlsSettings) -> _Listener:
        """Return the listener at a host and port, opened at the first need. Raises CannotListen.

        Args:
            tls: what the site wants of one that is opened for it.
        """
        known = self._listeners.get(settings)
        if known is None:
            door = Door(partial(self._settings_at, settings), self.trust)
            door.key_taken = self._take_key
            keeper = TlsKeeper(self.trust, self.clock, settings.host, self._own_names)
            authoriser = self._authoriser_at(door)
            central = CentralSystem(
                host=settings.host,
                port=settings.port,
                doorkeeper=door,
                journal=self.ledger.journal,
                authoriser=authoriser,
                memory=self.models,
                clock=self.clock,
                wire=await keeper.wire(tls),
                certifier=DoorCertifier(door, self.trust),
            )
            known = _Listener(central, door, keeper)
            await central.start()
            if self._keeping is None:
                self._keeping = asyncio.get_running_loop().create_task(self._keep_wires())
            self._listeners[settings] = known
            known.stop_watching = central.watch_newcomers(partial(self._newcomer, known))
        known.sites.add(site_id)
        return known

    def _authoriser_at(self, door: Door) -> TokenAuthoriser:
        return TokenAuthoriser(
            door, self.ledger.drivers, self.sites, self._in_use, self.clock, learned=self.drivers_changed
        )

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

    def _take_key(self, site_id: str, charge_point_id: str, key: str) -> None:
        if self.key_taken is not None:
            self.key_taken(site_id, charge_point_id, key)

    async def secure(self, settings: ListenerSettings) -> None:
        """Bring what a listener takes to what its sites want, and tell them what is wrong with it."""
        known = self._listeners.get(settings)
        if known is None:
            return
        async with known.rewiring:
            sites = self._settings_at(settings)
            wanted = next((site.tls for site in sites if site.tls.mode is not TlsMode.NONE), TlsSettings())
            wire = await known.keeper.wire(wanted)
            try:
                await known.central.rewire(wire)
            except CannotListen as error:
                known.keeper.cannot_listen(str(error))
        for site in sites:
            running = self._running.get(site.site_id)
            if running is not None:
                running.site.problems_at_door = known.keeper.problems(site.site_id) + self._keys_not_changed(site)

    async def _keep_wires(self) -> None:
        """Look again and again whether a certificate has to be made or read anew."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for settings, listener in list(self._listeners.items()):
                await self.secure(settings)
                self._renew_certificates(listener.central)

    def _renew_certificates(self, central: CentralSystem) -> None:
        """Have those ask for a new certificate who come with one that will run out, at most once a day each."""
        now = self.clock.monotonic()
        for identity, brought in central.connected().items():
            if brought.certificate is None or not self.trust.renewal_due(brought.certificate):
                continue
            if now >= self._renew_again.get(identity, now):
                self._renew_again[identity] = now + RENEW_AGAIN_AFTER_S
                task = asyncio.get_running_loop().create_task(_have_renewed(central.conversation(identity)))
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)

    def _keys_not_changed(self, site: SiteSettings) -> tuple[Problem, ...]:
        """Return the charge points that were given a key long ago and have not come with it."""
        late = self.clock.time() - KEY_PATIENCE_S
        return tuple(
            Problem(
                key=ProblemKey.KEY_NOT_CHANGED,
                subject=point.charge_point_id,
                severity=Severity.WARNING,
                placeholders={
                    "charge_point": point.name,
                    "date": f"{datetime.fromtimestamp(following.since, UTC):%Y-%m-%d}",
                },
            )
            for point in site.charge_points
            if (following := self.trust.next_key(point)) is not None
            and following.since < late
            and self.profile_of(site, point.identity) != PROFILE_OF_CERTIFICATES
        )

    async def rotate_key(self, settings: SiteSettings, point: ChargePointSettings) -> Rotated:
        """Give a charge point another key over its connection. Raises NotReachable, NoKey."""
        if point.security is Security.PLAIN or point.key is None:
            raise NoKey(point.name)
        return await rotate_key(self._partner(settings, point), point, self.trust)

    async def renew_certificate(
        self, settings: SiteSettings, point: ChargePointSettings, within_s: float
    ) -> Given | None:
        """Have a charge point ask for a certificate, and give it; None: it did not ask in time.

        Raises:
            NotReachable, Refused: it cannot be asked, or will not.
        """
        partner = self._partner(settings, point)
        given = partner.enrolment.next_given()
        try:
            await partner.request_certificate()
            async with asyncio.timeout(within_s):
                return await given
        except TimeoutError:
            return None
        finally:
            given.cancel()

    def _partner(self, settings: SiteSettings, point: ChargePointSettings) -> Partner:
        """Return the other side of a charge point's conversation. Raises NotReachable."""
        listener = self._listeners.get(settings.listener)
        if listener is None:
            raise NotReachable(point.identity)
        return listener.central.conversation(point.identity)

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
        self._policies: TokenPolicies | None = None
        self._telling: asyncio.TimerHandle | None = None
        self.site: Site | None = None

    async def prepare(self, settings: SiteSettings) -> None:
        """Open the listener that the settings name, before the old one is left."""
        if self._listening is not None and self._listening[0] == settings.listener:
            return
        listener = await self._installation.listener(settings.listener, settings.site_id, settings.tls)
        if self._listening is not None:
            self._leaving = self._listening[0]
            self._known = {}
        self._listening = (settings.listener, listener)

    def charger(self, point: ChargePointSettings) -> Charger:
        """Return the charger behind the conversation of a charge point."""
        conversation = self._listener.central.conversation(point.identity)
        return OcppCharger(conversation, _terminals(point), start_tag=self._start_tag(point))

    def reconfigure(self, charger: Charger, point: ChargePointSettings) -> None:
        """Tell a charger what changed about it."""
        if isinstance(charger, OcppCharger):
            charger.reconfigure(_terminals(point), start_tag=self._start_tag(point))

    def _start_tag(self, point: ChargePointSettings) -> str | None:
        """Return in whose name vehicles are started that do not start by themselves; None: they show a card."""
        free = self.site is not None and self.site.settings.mode_at(point) is AuthorisationMode.FREE
        return FREE_TAG if free else None

    def meter(self, settings: MeterSettings) -> Meter:
        """Return the meter that the settings describe."""
        source = settings.source
        if isinstance(source, EntityMeterSettings):
            return self._installation.entity_meters(settings, source)
        if isinstance(source, OcppMeterSettings):
            known = None if source.identity is None else self._listener.central.conversation(source.identity)
            return OcppMeter(settings, source, conversation=known, clock=self._installation.clock)
        return ModbusMeter(settings, source, links=self._installation.links, clock=self._installation.clock)

    def shut_door(self, point: ChargePointSettings, for_s: float) -> None:
        """Close the connection of a charge point and refuse it for so long; 0: let it in again."""
        self._listener.central.shut_out(point.identity, for_s)

    def knocks(self, point: ChargePointSettings) -> int:
        """Return how often it was refused since the door was shut."""
        return self._listener.central.knocks(point.identity)

    async def settle(self, settings: SiteSettings) -> None:
        """Have the door judge anew whoever is concerned by a change."""
        await self._installation.secure(settings.listener)
        central = self._listener.central
        wanted = {point.identity: point for point in settings.charge_points}
        for identity in self._known.keys() - wanted.keys():
            self._installation.trust.forget(identity, _shown(central, identity))
            await central.forget(identity)
        for identity, point in wanted.items():
            before = self._known.get(identity)
            if before is not None and _at_the_door(before) == _at_the_door(point):
                continue
            if before is not None and before.key != point.key and self._installation.trust.next_key(point) is not None:
                # The owner made another key while one was on its way.
                await self._installation.trust.drop_key(identity)
            self._let_in(central, point, changed=before is not None, starting=not self._settled)
        self._known = wanted
        self._keep_tokens()
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
        brought = central.brought(identity)
        by_key = brought is not None and brought.certificate is None
        if brought is not None and by_key and self._listener.door.admit(identity, brought) is Admission.WELCOME:
            # It came with what is now configured: there is nothing to give it.
            central.reconsider(identity)
            return
        gives = point.security is not Security.PLAIN and point.key is not None
        waits = identity in central.newcomers
        connected = changed and central.conversation(identity).online
        if gives and (waits or connected):
            self._records.key_is_due(identity, due=True)
        if gives and ((starting and identity in self._records.keys_due) or waits or connected):
            self._listener.door.on_key(identity, partial(self._records.key_is_due, identity, due=False))
            central.reconsider(identity, provision_key=point.key)
        else:
            central.reconsider(identity)

    # What charge points decide while they cannot ask ----------------------------------------------------------------

    def drivers_changed(self) -> None:
        """Have charge points told soon of other tokens, once though many change."""
        loop = asyncio.get_running_loop()
        if self._telling is not None and self._telling.when() <= loop.time() + TELL_TOKENS_S:
            return
        if self._telling is not None:
            self._telling.cancel()
        self._telling = loop.call_later(TELL_TOKENS_S, self._keep_tokens)

    def _keep_tokens(self) -> None:
        """Say to every charge point what it is to decide without us; while nobody is known that is left alone."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        drivers = self._installation.ledger.drivers
        if self.site is None or self._listening is None or not drivers.learned:
            return
        if self._policies is None:
            self._policies = TokenPolicies(self._records.list_numbers)
        settings, known, now = self.site.settings, drivers.everybody(), self._installation.clock.time()
        made: dict[AuthorisationMode, TokenPolicy] = {}
        for point in self._known.values():
            mode = settings.mode_at(point)
            if mode not in made:
                made[mode], number = self._policies.policy(mode, settings.authorisation.unanswered, known, now)
                self._records.keep_list_number(mode.value, number)
            self._listener.central.conversation(point.identity).keep_tokens(made[mode])
        runs_out = min((d.expires_at for d in known if d.expires_at is not None and d.expires_at > now), default=None)
        if runs_out is not None:
            # Where the rule lets everybody in, who has run out becomes one who is listed.
            soon = min(runs_out - now, LOOK_AT_TOKENS_S) + TELL_TOKENS_S
            self._telling = asyncio.get_running_loop().call_later(soon, self._keep_tokens)

    async def close(self) -> None:
        """Leave the listener."""
        if self._telling is not None:
            self._telling.cancel()
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


def _at_the_door(point: ChargePointSettings) -> tuple[object, ...]:
    """Return what of a charge point's settings matters when it dials in."""
    return (point.key, point.security, point.version)


def _shown(central: CentralSystem, identity: str) -> PeerCertificate | None:
    """Return the certificate with which a charge point is connected."""
    brought = central.brought(identity)
    return None if brought is None else brought.certificate


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
