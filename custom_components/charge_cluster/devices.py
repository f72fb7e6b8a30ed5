"""Devices: the site, its clusters, charge points and meters, and connectors where a charge point has several.

A cluster, a charge point and a meter are main devices of their own subentry, linked to what feeds them and linked anew
when they are moved. The connectors of a charge point with more than one are its child devices; a satellite is a main
device of its own subentry, linked to its master. All identifiers are ids of ours, so that a new OCPP identity or a new
name keeps the device.
"""

import asyncio
from collections.abc import Iterator, Mapping

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import AnyDeviceEntry, DeviceEntryType

from .chargers import DeviceIdentity
from .const import DOMAIN
from .site.settings import (
    ChargePointSettings,
    CircuitSettings,
    MeterSettings,
    SatelliteSettings,
    SiteSettings,
)
from .site.views import ChargePointView, connector_key

AT_A_TIME = 10
"""Devices linked before others get their turn: a fleet that is accepted together must not hold up the rest."""


type _Linked = ChargePointSettings | SatelliteSettings | MeterSettings


class DeviceMissing(LookupError):
    """A device of ours is not in the registry."""


class SiteDevices:
    """The devices of one site in Home Assistant's registry."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Begin without knowing any."""
        self._registry = dr.async_get(hass)
        self._entry = entry
        self._entry_id = entry.entry_id
        self._linked: dict[str, tuple[_Linked, str]] = {}
        """What each charge point, satellite and meter was, and what it hung on, when it was linked last."""
        self._described: dict[str, DeviceIdentity] = {}

    async def link(self, settings: SiteSettings, charge_points: Mapping[str, ChargePointView]) -> None:
        """Register every configured device, each after the one that it hangs on."""
        site = self._registry.async_get_or_create(
            config_entry_id=self._entry_id,
            identifiers={(DOMAIN, settings.site_id)},
            entry_type=DeviceEntryType.SERVICE,
            name=settings.name,
        )
        above = {circuit.circuit_id: site.id for circuit in settings.circuits}
        for cluster in clusters_top_down(settings.circuits):
            if cluster.circuit_id not in self._entry.subentries:
                continue
            above[cluster.circuit_id] = self._registry.async_get_or_create(
                config_entry_id=self._entry_id,
                config_subentry_id=cluster.circuit_id,
                identifiers={(DOMAIN, cluster.circuit_id)},
                entry_type=DeviceEntryType.SERVICE,
                name=cluster.name,
                via_device_id=above.get(cluster.parent_id or "", site.id),
            ).id
        for meter in settings.meters:
            self._link_meter(meter, above.get(meter.circuit_id, site.id))
        for number, charge_point in enumerate(settings.charge_points, start=1):
            self._link_charge_point(charge_point, above.get(charge_point.circuit_id, site.id))
            view = charge_points.get(charge_point.charge_point_id)
            if view is not None:
                self.describe(charge_point.charge_point_id, view.identity)
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)

    def _link_meter(self, meter: MeterSettings, above: str) -> None:
        if self._is_linked(meter.meter_id, meter, above):
            return
        self._registry.async_get_or_create(
            config_entry_id=self._entry_id,
            config_subentry_id=meter.meter_id,
            identifiers={(DOMAIN, meter.meter_id)},
            name=meter.name,
            via_device_id=above,
        )

    def _link_charge_point(self, charge_point: ChargePointSettings, above: str) -> None:
        charge_point_id = charge_point.charge_point_id
        if self._is_linked(charge_point_id, charge_point, above):
            return
        device = self._registry.async_get_or_create(
            config_entry_id=self._entry_id,
            config_subentry_id=charge_point_id,
            identifiers={(DOMAIN, charge_point_id)},
            name=charge_point.name,
            via_device_id=above,
        )
        for connector in charge_point.connectors:
            if connector.satellite is not None:
                self._link_satellite(connector.satellite, device.id)
        if len(charge_point.own_connectors) == 1:
            return
        for connector in charge_point.own_connectors:
            self._registry.async_get_or_create_child(
                config_entry_id=self._entry_id,
                config_subentry_id=charge_point_id,
                identifiers={(DOMAIN, connector_key(charge_point_id, connector.number))},
                parent_device_id=device.id,
                translation_key="connector",
                translation_placeholders={"number": str(connector.number)},
            )

    def _link_satellite(self, satellite: SatelliteSettings, master: str) -> None:
        if self._is_linked(satellite.satellite_id, satellite, master):
            return
        self._registry.async_get_or_create(
            config_entry_id=self._entry_id,
            config_subentry_id=satellite.satellite_id,
            identifiers={(DOMAIN, satellite.satellite_id)},
            name=satellite.name,
            via_device_id=master,
        )

    def _is_linked(self, device_id: str, settings: _Linked, above: str) -> bool:
        """Return whether there is nothing to link: it is as it was, or was removed while others were linked."""
        if device_id not in self._entry.subentries or self._linked.get(device_id) == (settings, above):
            return True
        self._linked[device_id] = (settings, above)
        return False

    @callback
    def describe(self, charge_point_id: str, identity: DeviceIdentity) -> None:
        """Write down what a charge point says of itself; what it does not say now stays as it said it last."""
        if self._described.get(charge_point_id) == identity:
            return
        self._described[charge_point_id] = identity
        device = self._registry.async_get_device_by_identifier((DOMAIN, charge_point_id), self._entry_id)
        if device is None:
            return
        self._registry.async_update_device(
            device.id,
            manufacturer=identity.vendor or device.manufacturer,
            model=identity.model or device.model,
            serial_number=identity.serial or device.serial_number,
            sw_version=identity.firmware or device.sw_version,
        )

    @callback
    def find(self, device_id: str, *, child: bool) -> AnyDeviceEntry:
        """Return a device by the second part of its identifier. Raises DeviceMissing."""
        registry = self._registry
        find = registry.async_get_child_device_by_identifier if child else registry.async_get_device_by_identifier
        device = find((DOMAIN, device_id), self._entry_id)
        if device is None:
            raise DeviceMissing(device_id)
        return device

    @callback
    def tidy(self, settings: SiteSettings, *, children: set[str]) -> None:
        """Remove the devices of connectors that are gone or sit on their charge point's device again."""
        kept = {(DOMAIN, device_id) for device_id in children}
        for device in dr.async_child_entries_for_config_entry(self._registry, self._entry_id):
            if not device.identifiers & kept:
                self._registry.async_remove_device(device.id)
        present = {point.charge_point_id for point in settings.charge_points}
        present |= {
            connector.satellite.satellite_id
            for point in settings.charge_points
            for connector in point.connectors
            if connector.satellite is not None
        }
        present |= {meter.meter_id for meter in settings.meters}
        for gone in self._linked.keys() - present:
            del self._linked[gone]
            self._described.pop(gone, None)


def clusters_top_down(circuits: tuple[CircuitSettings, ...]) -> Iterator[CircuitSettings]:
    """Yield the clusters that are configured, each after the one above it."""
    waiting = {circuit.circuit_id: circuit for circuit in circuits if circuit.parent_id is not None}
    while waiting:
        ready = [circuit for circuit in waiting.values() if circuit.parent_id not in waiting]
        if not ready:
            return
        for circuit in ready:
            del waiting[circuit.circuit_id]
            if not circuit.lost:
                yield circuit
