"""What happened in the site, published to Home Assistant, and no more.

The site tells who is concerned by a change; the coordinator passes that on to exactly the entities of that subject, so
that one reading of one charge point never walks over the entities of three hundred. It knows which subjects are
configured and creates the entities of a subject in every platform when it appears, while everything else goes on, and
it keeps what users set on entities.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from functools import partial
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .chargers import ChargerNoticed, ForAutomations
from .configuration import clusters_to_remember, site_settings
from .const import DOMAIN, EVENT_NOTICE, EVENT_PROGRESS, Key
from .devices import AT_A_TIME, DeviceMissing, SiteDevices
from .engine.model import ChargingMode
from .engine.topology import TopologyError
from .site.installation import CannotListen, Installation
from .site.proof import SettingsError
from .site.settings import ConnectorWish, SiteSettings, SiteWish
from .site.site import Site
from .site.tariffs import shown_of
from .site.views import ChargePointView, CircuitView, ConnectorView, MeterView, SessionEvent, connector_key

WISHES_VERSION = 1
OF_SITE = "site"
"""Under this is stored what is wished of the site itself; keys of connectors have a stroke in them."""

WISHES_SAVE_DELAY_S = 1.0
"""So that a slider which is dragged writes once."""

type ChargeClusterConfigEntry = ConfigEntry[SiteRuntime]
type EntityFactory = Callable[[SiteCoordinator, Subject], Iterable[Entity]]
"""Makes the entities that one platform has of one subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRuntime:
    """What lives as long as a config entry is loaded."""

    installation: Installation
    """Everything of the domain that outlives an unload: listener, conversations, ledger."""
    site: Site
    coordinator: SiteCoordinator


class SubjectKind(StrEnum):
    """What entities can be about."""

    SITE = "site"
    CIRCUIT = "circuit"
    CHARGE_POINT = "charge_point"
    CONNECTOR = "connector"
    METER = "meter"
    TARIFF = "tariff"
    """What the tariffs of a site say of one thing: prices, emissions, off-peak times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing that entities are about."""

    kind: SubjectKind
    subject_id: str
    """Of the view: circuit id, charge point id, connector key, meter id; for the site, its own."""
    subentry_id: str | None
    """The subentry that its entities and its device belong to; None: the entry itself."""
    device_id: str
    """Second part of the identifier of the device that its entities sit on."""
    child: bool = False
    """Whether that device is a child of its charge point's."""
    prefix: str | None = None
    """Of unique ids, where the subject's id is not unique beyond its site."""

    @property
    def unique_prefix(self) -> str:
        """Return what its unique ids begin with."""
        return self.subject_id if self.prefix is None else self.prefix

    @property
    def topic(self) -> str:
        """Return the name under which the site notifies about it."""
        return "site" if self.kind is SubjectKind.SITE else f"{self.kind}:{self.subject_id}"


@dataclass(frozen=True, slots=True)
class _Platform:
    add: AddConfigEntryEntitiesCallback
    factories: Mapping[SubjectKind, EntityFactory]


class SiteCoordinator:
    """Publishes one site."""

    def __init__(
        self,
        *,
        hass: HomeAssistant,
        entry: ChargeClusterConfigEntry,
        site: Site,
        wishes: WishBook,
    ) -> None:
        """Take over a site that runs; `configure` publishes it."""
        self.hass = hass
        self.entry = entry
        self.site = site
        self.wishes = wishes
        self.devices = SiteDevices(hass, entry)
        self.changing = asyncio.Lock()
        """Held while settings are applied, so that changes take effect one after the other."""
        self._change_waits = False
        self._platforms: list[_Platform] = []
        self._subjects: dict[str, Subject] = {}
        self._listening: dict[str, CALLBACK_TYPE] = {}
        self._end_telling: CALLBACK_TYPE | None = None

    # What the site shows -----------------------------------------------------------------------------------------

    def connector(self, key: str) -> ConnectorView | None:
        """Return a connector as it is now; None: the site does not have it (any more)."""
        return self.site.connectors.get(key)

    def charge_point(self, charge_point_id: str) -> ChargePointView | None:
        """Return a charge point as it is now."""
        return self.site.charge_points.get(charge_point_id)

    def circuit(self, circuit_id: str) -> CircuitView | None:
        """Return a circuit as it is now."""
        return self.site.circuits.get(circuit_id)

    def meter(self, meter_id: str) -> MeterView | None:
        """Return a meter as it is now."""
        return self.site.meters.get(meter_id)

    def subjects(self, kind: SubjectKind) -> tuple[Subject, ...]:
        """Return everything of one kind that is published now."""
        return tuple(subject for subject in self._subjects.values() if subject.kind is kind)

    @callback
    def listen(self, subject: Subject, changed: Callable[[], None]) -> CALLBACK_TYPE:
        """Have changes of one subject told; return what ends it."""
        return self.site.subscribe(subject.topic, changed)

    @callback
    def on_session(self, seen: Callable[[SessionEvent], None]) -> CALLBACK_TYPE:
        """Have told what happens to sessions; return what ends it."""
        return self.site.on_session(seen)

    # What users set ----------------------------------------------------------------------------------------------

    @callback
    def wish(self, key: str, **changes: Any) -> None:
        """Change what is wished of a connector (fields of `ConnectorWish`), now and after a restart."""
        self.site.wish(key, self.wishes.change(key, **changes))

    @callback
    def wish_usual(self, **changes: Any) -> None:
        """Change what holds where nobody says anything else (fields of `SiteWish`), now and after a restart."""
        self.site.wish_usual(self.wishes.change_usual(**changes))

    # What is configured ------------------------------------------------------------------------------------------

    async def follow_configuration(self) -> None:
        """Apply what the entry and its subentries say now; the rest of the site does not notice."""
        if self._change_waits:  # whoever waits will see this change too
            return
        self._change_waits = True
        async with self.changing:
            self._change_waits = False
            settings = site_settings(self.entry)
            self.remember_clusters(settings)
            if settings != self.site.settings:
                try:
                    await self.site.apply(settings)
                except (SettingsError, TopologyError, CannotListen) as error:
                    self._report_refused(error)
                    return
                await self.publish(settings)
            ir.async_delete_issue(self.hass, DOMAIN, refused_issue_id(self.entry.entry_id))

    @callback
    def remember_clusters(self, settings: SiteSettings) -> None:
        """Store what the clusters are, so that what hangs on one keeps its rating if it is removed."""
        remembered = clusters_to_remember(settings)
        if remembered != self.entry.data.get(Key.KNOWN_CLUSTERS, {}):
            data = {**self.entry.data, Key.KNOWN_CLUSTERS.value: remembered}
            self.hass.config_entries.async_update_entry(self.entry, data=data)

    def _report_refused(self, error: Exception) -> None:
        """Say that the site runs on with what it was before."""
        ir.async_create_issue(
            self.hass,
            DOMAIN,
            refused_issue_id(self.entry.entry_id),
            is_fixable=False,
            severity=ir.IssueSeverity.ERROR,
            translation_key="settings_refused",
            translation_placeholders={"site": self.entry.title, "fault": str(error)},
        )

    # Entities ----------------------------------------------------------------------------------------------------

    @callback
    def add_platform(
        self,
        add: AddConfigEntryEntitiesCallback,
        *,
        site: EntityFactory | None = None,
        circuit: EntityFactory | None = None,
        charge_point: EntityFactory | None = None,
        connector: EntityFactory | None = None,
        meter: EntityFactory | None = None,
        tariff: EntityFactory | None = None,
    ) -> None:
        """Let a platform make its entities for every subject that is there and every one that comes."""
        named = {
            SubjectKind.SITE: site,
            SubjectKind.CIRCUIT: circuit,
            SubjectKind.CHARGE_POINT: charge_point,
            SubjectKind.CONNECTOR: connector,
            SubjectKind.METER: meter,
            SubjectKind.TARIFF: tariff,
        }
        platform = _Platform(add, {kind: factory for kind, factory in named.items() if factory is not None})
        self._platforms.append(platform)
        for subject in self._subjects.values():
            self._populate(platform, subject)

    async def publish(self, settings: SiteSettings) -> None:
        """Bring devices and entities in line with what is configured, touching only what differs."""
        before, after = self._subjects, {subject.topic: subject for subject in subjects_of(settings)}
        await self.devices.link(settings, self.site.charge_points)
        for topic, subject in before.items():
            if topic not in after:
                self._forget(subject)
            elif after[topic].device_id != subject.device_id:
                self._move(after[topic])
        self.devices.tidy(settings, children={subject.device_id for subject in after.values() if subject.child})
        self._subjects = after
        self._listen_to_charge_points()
        self.wishes.keep(subject.subject_id for subject in self.subjects(SubjectKind.CONNECTOR))
        fresh = [subject for topic, subject in after.items() if topic not in before]
        await self._populate_all(tuple(self._platforms), fresh)

    async def _populate_all(self, platforms: tuple[_Platform, ...], subjects: list[Subject]) -> None:
        """Add the entities of new subjects; a platform that registers meanwhile sees to them itself."""
        for number, subject in enumerate(subjects, start=1):
            for platform in platforms:
                self._populate(platform, subject)
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)

    def _listen_to_charge_points(self) -> None:
        """Keep the devices of charge points told of what these say of themselves, and automations of what they do."""
        if self._end_telling is None:
            self._end_telling = self.site.on_told(self._told)
        present = {subject.topic: subject for subject in self.subjects(SubjectKind.CHARGE_POINT)}
        for topic in self._listening.keys() - present.keys():
            self._listening.pop(topic)()
        for topic in present.keys() - self._listening.keys():
            describe = partial(self._describe, present[topic].subject_id)
            self._listening[topic] = self.site.subscribe(topic, describe)

    @callback
    def _describe(self, charge_point_id: str) -> None:
        view = self.charge_point(charge_point_id)
        if view is not None:
            self.devices.describe(charge_point_id, view.identity)

    @callback
    def _told(self, charge_point_id: str, told: ForAutomations) -> None:
        """Pass on to automations what a charge point tells."""
        try:
            device = self.devices.find(charge_point_id, child=False)
        except DeviceMissing:
            return
        data = asdict(told)
        if isinstance(told, ChargerNoticed):
            data["at"] = None if told.at is None else dt_util.utc_from_timestamp(round(told.at)).isoformat()
        event = EVENT_NOTICE if isinstance(told, ChargerNoticed) else EVENT_PROGRESS
        self.hass.bus.async_fire(event, {ATTR_DEVICE_ID: device.id, **data})

    @callback
    def close(self) -> None:
        """Stop listening to the site, which may go on."""
        if self._end_telling is not None:
            self._end_telling()
            self._end_telling = None
        while self._listening:
            self._listening.popitem()[1]()

    def _populate(self, platform: _Platform, subject: Subject) -> None:
        factory = platform.factories.get(subject.kind)
        removed = subject.subentry_id is not None and subject.subentry_id not in self.entry.subentries
        if factory is not None and not removed:
            platform.add(list(factory(self, subject)), config_subentry_id=subject.subentry_id)

    def _registered(self, subject: Subject) -> list[er.RegistryEntry]:
        """Return the registered entities of a subject, disabled ones too."""
        registered = er.async_entries_for_config_entry(er.async_get(self.hass), self.entry.entry_id)
        return [entity for entity in registered if entity.unique_id.startswith(f"{subject.unique_prefix}-")]

    def _forget(self, subject: Subject) -> None:
        """Remove the entities of something that is gone; with a whole subentry Home Assistant has done so already."""
        registry = er.async_get(self.hass)
        for entity in self._registered(subject):
            registry.async_remove(entity.entity_id)

    def _move(self, subject: Subject) -> None:
        """Put the entities of a connector on the device where they now belong."""
        registry = er.async_get(self.hass)
        device_id = self.devices.find(subject.device_id, child=subject.child).id
        for entity in self._registered(subject):
            registry.async_update_entity(entity.entity_id, device_id=device_id)


def refused_issue_id(entry_id: str) -> str:
    """Return the id of the issue that says that a change could not be applied."""
    return f"settings_refused_{entry_id}"


def subjects_of(settings: SiteSettings) -> Iterator[Subject]:
    """Yield everything that a site shows, in the order in which devices must be there."""
    site_id = settings.site_id
    yield Subject(kind=SubjectKind.SITE, subject_id=site_id, subentry_id=None, device_id=site_id)
    for shown in shown_of(settings.tariffs):
        yield Subject(
            kind=SubjectKind.TARIFF,
            subject_id=shown,
            subentry_id=None,
            device_id=site_id,
            prefix=f"{site_id}/{shown}",
        )
    for circuit in settings.circuits:
        if circuit.lost:
            continue
        supply = circuit.parent_id is None
        yield Subject(
            kind=SubjectKind.CIRCUIT,
            subject_id=circuit.circuit_id,
            subentry_id=None if supply else circuit.circuit_id,
            device_id=site_id if supply else circuit.circuit_id,
            prefix=f"{site_id}/{circuit.circuit_id}" if supply else None,
        )
    for charge_point in settings.charge_points:
        charge_point_id = charge_point.charge_point_id
        several = len(charge_point.own_connectors) > 1
        yield Subject(
            kind=SubjectKind.CHARGE_POINT,
            subject_id=charge_point_id,
            subentry_id=charge_point_id,
            device_id=charge_point_id,
        )
        for connector in charge_point.connectors:
            key = connector_key(charge_point_id, connector.number)
            if connector.satellite is not None:
                satellite_id = connector.satellite.satellite_id
                yield Subject(
                    kind=SubjectKind.CONNECTOR, subject_id=key, subentry_id=satellite_id, device_id=satellite_id
                )
                continue
            yield Subject(
                kind=SubjectKind.CONNECTOR,
                subject_id=key,
                subentry_id=charge_point_id,
                device_id=key if several else charge_point_id,
                child=several,
            )
    for meter in settings.meters:
        yield Subject(
            kind=SubjectKind.METER,
            subject_id=meter.meter_id,
            subentry_id=meter.meter_id,
            device_id=meter.meter_id,
        )


class WishBook:
    """What users set on connectors, kept in a file of its own beside the configuration."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Name the file of a site; `open` reads it."""
        self._store: Store[dict[str, dict[str, Any]]] = Store(
            hass, WISHES_VERSION, f"{DOMAIN}.{entry_id}.wishes", private=True, atomic_writes=True
        )
        self._wishes: dict[str, ConnectorWish] = {}
        self._usual = SiteWish()

    async def open(self, usual_mode: str | None = None) -> None:
        """Read what was set before; nothing was: begin with the mode that was chosen when the site was set up."""
        stored = await self._store.async_load() or {}
        begun = OF_SITE in stored or usual_mode is None
        self._usual = _usual(stored.pop(OF_SITE, {}) if begun else {"mode": usual_mode})
        self._wishes = {key: _wish(wish) for key, wish in stored.items()}
        if not begun:
            self._save_soon()

    @property
    def by_connector(self) -> Mapping[str, ConnectorWish]:
        """Return all that is wished, by connector key."""
        return self._wishes

    @callback
    def change(self, key: str, **changes: Any) -> ConnectorWish:
        """Change some fields of a wish and have it written soon."""
        wish = replace(self._wishes.get(key, ConnectorWish()), **changes)
        self._wishes[key] = wish
        self._save_soon()
        return wish

    @property
    def usual(self) -> SiteWish:
        """Return what holds where nobody says anything else."""
        return self._usual

    @callback
    def change_usual(self, **changes: Any) -> SiteWish:
        """Change some fields of that and have it written soon."""
        self._usual = replace(self._usual, **changes)
        self._save_soon()
        return self._usual

    @callback
    def keep(self, keys: Iterable[str]) -> None:
        """Forget what was wished of connectors that are gone."""
        kept = set(keys)
        if self._wishes.keys() <= kept:
            return
        self._wishes = {key: wish for key, wish in self._wishes.items() if key in kept}
        self._save_soon()

    def _save_soon(self) -> None:
        self._store.async_delay_save(self._stored, WISHES_SAVE_DELAY_S)

    async def save(self) -> None:
        """Write now, before somebody else opens the file."""
        await self._store.async_save(self._stored())

    def _stored(self) -> dict[str, dict[str, Any]]:
        return {OF_SITE: asdict(self._usual)} | {key: asdict(wish) for key, wish in self._wishes.items()}

    async def remove(self) -> None:
        """Delete the file."""
        await self._store.async_remove()


def _known(stored: Mapping[str, Any], kind: type[ConnectorWish | SiteWish]) -> dict[str, Any]:
    """Return what is stored without the fields that this version does not know."""
    known = {field.name for field in fields(kind)}
    return {name: value for name, value in stored.items() if name in known}


def _wish(stored: Mapping[str, Any]) -> ConnectorWish:
    """Read a stored wish."""
    wish = _known(stored, ConnectorWish)
    if wish.get("mode") in ChargingMode:
        return ConnectorWish(**{**wish, "mode": ChargingMode(wish["mode"])})
    return ConnectorWish(**{**wish, "mode": None})


def _usual(stored: Mapping[str, Any]) -> SiteWish:
    """Read what is stored of the site."""
    usual = _known(stored, SiteWish)
    mode = ChargingMode(usual["mode"]) if usual.get("mode") in ChargingMode else SiteWish().mode
    return SiteWish(**{**usual, "mode": mode})
