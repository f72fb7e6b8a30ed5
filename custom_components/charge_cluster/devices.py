"""Devices: the site, its clusters, charge points and meters, and connectors where a charge point has several.

A cluster, a charge point and a meter are main devices of their own subentry, linked to what feeds them and linked anew
when they are moved. The connectors of a charge point with more than one are its child devices. All identifiers are ids
of ours, so that a new OCPP identity or a new name keeps the device.
"""

from collections.abc import Iterator, Mapping

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import AnyDeviceEntry, DeviceEntryType

from .chargers import DeviceIdentity
from .const import DOMAIN
from .site.settings import ChargePointSettings, CircuitSettings, SiteSettings
from .site.views import ChargePointView, connector_key


class DeviceMissing(LookupError):
    """A device of ours is not in the registry."""


@callback
def link_devices(
    hass: HomeAssistant, entry: ConfigEntry, settings: SiteSettings, charge_points: Mapping[str, ChargePointView]
) -> None:
    """Register every configured device, each after the one that it hangs on."""
    registry = dr.async_get(hass)
    site = registry.async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, settings.site_id)},
        entry_type=DeviceEntryType.SERVICE,
        name=settings.name,
    )
    above = {circuit.circuit_id: site.id for circuit in settings.circuits}
    for cluster in clusters_top_down(settings.circuits):
        above[cluster.circuit_id] = registry.async_get_or_create(
            config_entry_id=entry.entry_id,
            config_subentry_id=cluster.circuit_id,
            identifiers={(DOMAIN, cluster.circuit_id)},
            entry_type=DeviceEntryType.SERVICE,
            name=cluster.name,
            via_device_id=above.get(cluster.parent_id or "", site.id),
        ).id
    for charge_point in settings.charge_points:
        view = charge_points.get(charge_point.charge_point_id)
        _link_charge_point(
            registry,
            entry,
            charge_point,
            identity=DeviceIdentity() if view is None else view.identity,
            above=above.get(charge_point.circuit_id, site.id),
        )
    for meter in settings.meters:
        registry.async_get_or_create(
            config_entry_id=entry.entry_id,
            config_subentry_id=meter.meter_id,
            identifiers={(DOMAIN, meter.meter_id)},
            name=meter.name,
            via_device_id=above.get(meter.circuit_id, site.id),
        )


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


def _link_charge_point(
    registry: dr.DeviceRegistry,
    entry: ConfigEntry,
    charge_point: ChargePointSettings,
    *,
    identity: DeviceIdentity,
    above: str,
) -> None:
    device = registry.async_get_or_create(
        config_entry_id=entry.entry_id,
        config_subentry_id=charge_point.charge_point_id,
        identifiers={(DOMAIN, charge_point.charge_point_id)},
        name=charge_point.name,
        via_device_id=above,
    )
    _describe(registry, device, identity)
    if len(charge_point.connectors) > 1:
        for connector in charge_point.connectors:
            registry.async_get_or_create_child(
                config_entry_id=entry.entry_id,
                config_subentry_id=charge_point.charge_point_id,
                identifiers={(DOMAIN, connector_key(charge_point.charge_point_id, connector.number))},
                parent_device_id=device.id,
                translation_key="connector",
                translation_placeholders={"number": str(connector.number)},
            )


def _describe(registry: dr.DeviceRegistry, device: dr.DeviceEntry, identity: DeviceIdentity) -> None:
    """Write down what a charge point says of itself; what it does not say now stays as it said it last."""
    registry.async_update_device(
        device.id,
        manufacturer=identity.vendor or device.manufacturer,
        model=identity.model or device.model,
        serial_number=identity.serial or device.serial_number,
        sw_version=identity.firmware or device.sw_version,
    )


@callback
def describe_charge_point(
    hass: HomeAssistant, entry: ConfigEntry, charge_point_id: str, identity: DeviceIdentity
) -> None:
    """Write down what a charge point said of itself when it booted."""
    registry = dr.async_get(hass)
    device = registry.async_get_device_by_identifier((DOMAIN, charge_point_id), entry.entry_id)
    if device is not None:
        _describe(registry, device, identity)


@callback
def find_device(hass: HomeAssistant, entry: ConfigEntry, device_id: str, *, child: bool) -> AnyDeviceEntry:
    """Return a device by the second part of its identifier. Raises DeviceMissing."""
    registry = dr.async_get(hass)
    find = registry.async_get_child_device_by_identifier if child else registry.async_get_device_by_identifier
    device = find((DOMAIN, device_id), entry.entry_id)
    if device is None:
        raise DeviceMissing(device_id)
    return device


@callback
def remove_child_devices(hass: HomeAssistant, entry: ConfigEntry, *, keep: set[str]) -> None:
    """Remove the devices of connectors that are gone, or that sit on their charge point's device again."""
    registry = dr.async_get(hass)
    kept = {(DOMAIN, device_id) for device_id in keep}
    for device in dr.async_child_entries_for_config_entry(registry, entry.entry_id):
        if not device.identifiers & kept:
            registry.async_remove_device(device.id)
