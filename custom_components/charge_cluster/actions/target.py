"""What an action is about: devices of ours, and what lies below them.

A device stands for all that sits on it: a charge point with one connector for both, the site's for its supply too. A
cluster or a site stands for everything below it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.service import async_get_config_entry, async_get_device_and_config_entry

from ..const import DOMAIN
from ..coordinator import ChargeClusterConfigEntry, Subject, SubjectKind
from ..devices import DeviceMissing
from ..ledger import Ledger
from ..newcomers import loaded_sites
from ..site.installation import Installation
from ..site.settings import ChargePointSettings, CircuitSettings, ConnectorSettings, SiteSettings
from ..site.site import Site
from ..site.views import connector_key

MOST_DEVICES = 500
"""In one call: more than the charge points of a large site."""

WHAT = "what"
"""Either devices are named or a site."""

DEVICES = {
    vol.Required(ATTR_DEVICE_ID): vol.All(cv.ensure_list, [cv.string], vol.Length(min=1, max=MOST_DEVICES)),
}
"""Schema of an action that needs to be told what it is about."""

DEVICES_OR_SITE = {
    vol.Exclusive(ATTR_DEVICE_ID, WHAT): vol.All(cv.ensure_list, [cv.string], vol.Length(min=1, max=MOST_DEVICES)),
    vol.Exclusive(ATTR_CONFIG_ENTRY_ID, WHAT): cv.string,
}
"""Schema of an action that is about a whole site where no devices are named, the only one where no site is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A device of ours that an action is about."""

    entry: ChargeClusterConfigEntry
    name: str
    subjects: Mapping[SubjectKind, str]
    """Ids of all that sits on the device, by kind."""

    @property
    def site(self) -> Site:
        """Return the site that it belongs to."""
        return self.entry.runtime_data.site

    @property
    def circuit_id(self) -> str | None:
        """Return the circuit that it is: of a site, the supply."""
        return self.subjects.get(SubjectKind.CIRCUIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A connector of a running site."""

    entry: ChargeClusterConfigEntry
    charge_point: ChargePointSettings
    number: int

    @property
    def key(self) -> str:
        """Return its id within the site."""
        return connector_key(self.charge_point.charge_point_id, self.number)

    @property
    def name(self) -> str:
        """Return how it is called: as its charge point where that has no other."""
        return self.charge_point.called(self.connector)

    @property
    def connector(self) -> ConnectorSettings:
        """Return what is configured of it."""
        return next(connector for connector in self.charge_point.connectors if connector.number == self.number)

    @property
    def circuit_id(self) -> str:
        """Return the circuit that feeds it."""
        return self.charge_point.circuit_of(self.connector)

    @property
    def device_id(self) -> str | None:
        """Return the id of its device in Home Assistant."""
        satellite = self.connector.satellite
        if satellite is not None:
            return device_id_of(self.entry, satellite.satellite_id)
        several = len(self.charge_point.own_connectors) > 1
        return device_id_of(self.entry, self.key if several else self.charge_point.charge_point_id, child=several)


@callback
def device_id_of(entry: ChargeClusterConfigEntry, identifier: str, *, child: bool = False) -> str | None:
    """Return the id in Home Assistant of a device of ours; None: there is none (any more)."""
    try:
        return entry.runtime_data.coordinator.devices.find(identifier, child=child).id
    except DeviceMissing:
        return None


@callback
def site_of(hass: HomeAssistant, call: ServiceCall) -> ChargeClusterConfigEntry:
    """Return the site that a call names, or the only one. Raises ServiceValidationError."""
    named = call.data.get(ATTR_CONFIG_ENTRY_ID)
    return cast("ChargeClusterConfigEntry", async_get_config_entry(hass, DOMAIN, named))


@callback
def targets_of(hass: HomeAssistant, call: ServiceCall) -> list[Target]:
    """Return what a call is about: the devices that it names, or a site. Raises ServiceValidationError."""
    if ATTR_DEVICE_ID not in call.data:
        entry = site_of(hass, call)
        return [Target(entry=entry, name=entry.title, subjects=_on_device(_by_device(entry), {entry.entry_id}))]
    return _targets(hass, call.data[ATTR_DEVICE_ID])


def _targets(hass: HomeAssistant, device_ids: Iterable[str]) -> list[Target]:
    known: dict[str, Mapping[str, list[Subject]]] = {}
    targets = []
    for device_id in dict.fromkeys(device_ids):
        device, owner = _device_and_owner(hass, device_id)
        entry = cast("ChargeClusterConfigEntry", owner)
        if entry.entry_id not in known:
            known[entry.entry_id] = _by_device(entry)
        identifiers = {identifier for domain, identifier in device.identifiers if domain == DOMAIN}
        name = device.name_by_user or device.name or device_id
        subjects = _on_device(known[entry.entry_id], identifiers)
        if not subjects:
            raise _unfit("device_gone", name)
        targets.append(Target(entry=entry, name=name, subjects=subjects))
    return targets


def _device_and_owner(hass: HomeAssistant, device_id: str) -> tuple[dr.AnyDeviceEntry, ConfigEntry]:
    """Return a device of ours and its entry; before 2026.10 a child device has one by its parent only.

    Raises:
        ServiceValidationError: there is no such device, it is not ours, or its site does not run.
    """
    named = dr.async_get(hass).async_get(device_id)
    if isinstance(named, dr.ChildDeviceEntry):
        return named, async_get_device_and_config_entry(hass, DOMAIN, named.parent_device_id)[1]
    return async_get_device_and_config_entry(hass, DOMAIN, device_id)


def _by_device(entry: ChargeClusterConfigEntry) -> Mapping[str, list[Subject]]:
    by_device: dict[str, list[Subject]] = {}
    for kind in SubjectKind:
        for subject in entry.runtime_data.coordinator.subjects(kind):
            by_device.setdefault(subject.device_id, []).append(subject)
    return by_device


def _on_device(by_device: Mapping[str, list[Subject]], identifiers: Iterable[str]) -> dict[SubjectKind, str]:
    return {subject.kind: subject.subject_id for identifier in identifiers for subject in by_device.get(identifier, ())}


# What lies below ----------------------------------------------------------------------------------------------------


def circuits_below(settings: SiteSettings, circuit_id: str) -> list[CircuitSettings]:
    """Return a circuit and all below it, that one first."""
    below = {circuit_id}
    found = [circuit for circuit in settings.circuits if circuit.circuit_id == circuit_id]
    waiting = [circuit for circuit in settings.circuits if circuit.circuit_id != circuit_id]
    while fed := [circuit for circuit in waiting if circuit.parent_id in below]:
        below.update(circuit.circuit_id for circuit in fed)
        found.extend(fed)
        waiting = [circuit for circuit in waiting if circuit.circuit_id not in below]
    return found


@callback
def charge_points_below(target: Target) -> list[ChargePointSettings]:
    """Return the charge point that a target is, or all below it."""
    settings = target.site.settings
    charge_point_id = target.subjects.get(SubjectKind.CHARGE_POINT)
    if charge_point_id is not None:
        return [point for point in settings.charge_points if point.charge_point_id == charge_point_id]
    if target.circuit_id is None:
        return []
    circuits = {circuit.circuit_id for circuit in circuits_below(settings, target.circuit_id)}
    return [point for point in settings.charge_points if point.circuit_id in circuits]


@callback
def places_below(target: Target) -> list[Place]:
    """Return the connector that a target is, or all below it. Raises ServiceValidationError: it is a meter."""
    if SubjectKind.METER in target.subjects:
        raise _unfit("no_connectors", target.name)
    places = _places(target.entry, target.site.settings.charge_points)
    key, point_id = target.subjects.get(SubjectKind.CONNECTOR), target.subjects.get(SubjectKind.CHARGE_POINT)
    if point_id is not None:
        # The device of a master stands for its satellites too.
        return [place for place in places if place.charge_point.charge_point_id == point_id]
    if key is not None:
        return [place for place in places if place.key == key]
    if target.circuit_id is None:
        return []
    circuits = {circuit.circuit_id for circuit in circuits_below(target.site.settings, target.circuit_id)}
    return [place for place in places if place.circuit_id in circuits]


@callback
def places_of(entry: ChargeClusterConfigEntry) -> dict[str, Place]:
    """Return all connectors of a site by their keys."""
    return {place.key: place for place in _places(entry, entry.runtime_data.site.settings.charge_points)}


def _places(entry: ChargeClusterConfigEntry, charge_points: Iterable[ChargePointSettings]) -> Iterator[Place]:
    for point in charge_points:
        for connector in point.connectors:
            yield Place(entry=entry, charge_point=point, number=connector.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an action asks about one site."""

    entry: ChargeClusterConfigEntry
    keys: frozenset[str] | None
    """Of the connectors; None: all, also those that are gone."""

    def covers(self, key: str) -> bool:
        """Return whether a connector is asked about."""
        return self.keys is None or key in self.keys


@callback
def scopes_of(targets: Iterable[Target]) -> list[Scope]:
    """Return what targets ask about each site. Raises ServiceValidationError: one is a meter."""
    scopes: dict[str, Scope] = {}
    for target in targets:
        entry_id = target.entry.entry_id
        keys = None
        if SubjectKind.SITE not in target.subjects:
            keys = frozenset(place.key for place in places_below(target))
        known = scopes.get(entry_id)
        if known is not None and keys is not None:
            keys = None if known.keys is None else known.keys | keys
        scopes[entry_id] = Scope(entry=target.entry, keys=keys)
    return list(scopes.values())


@callback
def the_connector(target: Target) -> Place:
    """Return the connector that a target is. Raises ServiceValidationError: it is none, or more than one."""
    if SubjectKind.CONNECTOR not in target.subjects:
        raise _unfit("needs_connector", target.name)
    place = places_of(target.entry).get(target.subjects[SubjectKind.CONNECTOR])
    if place is None:
        raise _unfit("device_gone", target.name)
    return place


@callback
def the_charge_points(target: Target) -> list[ChargePointSettings]:
    """Return the charge points that a target stands for. Raises ServiceValidationError: there are none."""
    points = charge_points_below(target)
    if not points:
        raise _unfit("needs_charge_point", target.name)
    return points


@callback
def the_charge_point(target: Target) -> ChargePointSettings:
    """Return the charge point that a target is. Raises ServiceValidationError: it is none, or several."""
    points = the_charge_points(target)
    if SubjectKind.CHARGE_POINT not in target.subjects or len(points) != 1:
        raise _unfit("needs_charge_point", target.name)
    return points[0]


@callback
def the_circuits(target: Target) -> list[CircuitSettings]:
    """Return the circuits that a target stands for: of a site, all. Raises ServiceValidationError: it is none."""
    if target.circuit_id is None:
        raise _unfit("needs_circuit", target.name)
    settings = target.site.settings
    if SubjectKind.SITE in target.subjects:
        return [circuit for circuit in settings.circuits if not circuit.lost]
    return [circuit for circuit in settings.circuits if circuit.circuit_id == target.circuit_id]


@callback
def the_circuit(hass: HomeAssistant, device_id: str) -> tuple[ChargeClusterConfigEntry, str]:
    """Return the site and the circuit that a device is. Raises ServiceValidationError: it is none."""
    [target] = _targets(hass, [device_id])
    if target.circuit_id is None:
        raise _unfit("needs_circuit", target.name)
    return target.entry, target.circuit_id


@callback
def the_ledger(hass: HomeAssistant) -> Ledger:
    """Return the ledger that all sites share. Raises ServiceValidationError: no site runs."""
    return the_installation(hass).ledger


@callback
def the_installation(hass: HomeAssistant) -> Installation:
    """Return what all sites share. Raises ServiceValidationError: no site runs."""
    for entry in loaded_sites(hass):
        return entry.runtime_data.installation
    raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_site_runs")


def _unfit(key: str, device: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders={"device": device}
    )
