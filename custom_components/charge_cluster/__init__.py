"""Charge Cluster: load management for the charge points of a workplace car park.

Here the parts are wired together and nothing is decided. A site runs in the installation, which belongs to the domain
and outlives the unloading of an entry: Home Assistant reloads entries by itself, and no vehicle shall notice.
"""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import homeassistant.helpers.config_validation as cv
from homeassistant.config_entries import ConfigEntry, signal_discovered_config_entry_removed
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryError, ConfigEntryNotReady
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.device_registry import AnyDeviceEntry
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .addresses import own_names
from .authority_download import AuthorityView
from .batteries import read_battery
from .configuration import site_settings
from .const import DOMAIN, ENTRY_VERSION, PLATFORMS, RELEASE_GRACE_S, Key, SubentryType
from .coordinator import ChargeClusterConfigEntry, SiteCoordinator, SiteRuntime, WishBook, refused_issue_id, subjects_of
from .engine.topology import TopologyError
from .garbage import async_keep_collections_short
from .host_clock import HostClock
from .meters.entity import entity_meters
from .newcomers import discover_again, watch_newcomers, watch_satellites
from .repairs import async_watch_problems
from .report_download import ReportView
from .services import async_setup_services
from .site.installation import CannotListen, Installation, PortInUse
from .site.proof import SettingsError
from .tariffs.entity import entity_sources
from .trust_store import HassTrustStore

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


@dataclass(slots=True)
class Domain:
    """What the domain keeps whether an entry is loaded or not."""

    installation: Installation | None = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the installation is opened, so that entries that are set up together open it once."""


DOMAIN_DATA: HassKey[Domain] = HassKey(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Set up what the domain offers without an entry."""
    del config
    hass.data[DOMAIN_DATA] = Domain()
    async_setup_services(hass)
    hass.http.register_view(ReportView)
    hass.http.register_view(AuthorityView)

    @callback
    def ignored_no_more(entry: ConfigEntry) -> None:
        del entry
        discover_again(hass)

    async_dispatcher_connect(hass, signal_discovered_config_entry_removed(DOMAIN), ignored_no_more)
    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, partial(_close, hass))
    async_keep_collections_short(hass, partial(_charge_points_online, hass))
    return True


@callback
def _charge_points_online(hass: HomeAssistant) -> int:
    """Return how many charge points of all sites are connected."""
    entries: list[ChargeClusterConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    return sum(point.online for entry in entries for point in entry.runtime_data.site.charge_points.values())


async def _close(hass: HomeAssistant, _event: Event) -> None:
    installation = hass.data[DOMAIN_DATA].installation
    if installation is not None:
        hass.data[DOMAIN_DATA].installation = None
        await installation.close()


async def _open(hass: HomeAssistant) -> Installation:
    """Return the installation, opened at the first need."""
    domain = hass.data[DOMAIN_DATA]
    async with domain.opening:
        if domain.installation is None:
            domain.installation = await Installation.open(
                Path(hass.config.path(DOMAIN)),
                clock=await hass.async_add_executor_job(HostClock),
                entity_meters=partial(entity_meters, hass),
                local_zone=dt_util.get_default_time_zone,
                trust_store=HassTrustStore(hass),
                own_names=partial(own_names, hass),
                currency=lambda: hass.config.currency,
                tariff_sources=partial(entity_sources, hass),
                read_battery=partial(read_battery, hass),
            )
            domain.installation.key_taken = partial(_store_key, hass)
        return domain.installation


@callback
def _store_key(hass: HomeAssistant, site_id: str, charge_point_id: str, key: str) -> None:
    """Make the key that a charge point has come over to the configured one."""
    entry = hass.config_entries.async_get_entry(site_id)
    subentry = None if entry is None else entry.subentries.get(charge_point_id)
    if entry is not None and subentry is not None and subentry.data.get(Key.KEY) != key:
        hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, Key.KEY.value: key})


async def async_setup_entry(hass: HomeAssistant, entry: ChargeClusterConfigEntry) -> bool:
    """Start a site, or take over the one that still runs."""
    installation = await _open(hass)
    wishes = WishBook(hass, entry.entry_id)
    await wishes.open(entry.data.get(Key.USUAL_MODE))
    _drop_orphans(hass, entry)
    settings = site_settings(entry)
    try:
        site = await installation.adopt(settings, wishes.by_connector, wishes.usual)
    except CannotListen as error:
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN,
            translation_key="port_in_use" if isinstance(error, PortInUse) else "cannot_listen",
            translation_placeholders={"host": error.host, "port": str(error.port)},
        ) from error
    except (SettingsError, TopologyError) as error:
        raise ConfigEntryError(
            translation_domain=DOMAIN,
            translation_key="impossible_settings",
            translation_placeholders={"fault": str(error)},
        ) from error
    entry.async_on_unload(partial(installation.release, entry.entry_id, RELEASE_GRACE_S))
    entry.async_on_unload(wishes.save)

    coordinator = SiteCoordinator(hass=hass, entry=entry, site=site, wishes=wishes)
    entry.async_on_unload(coordinator.close)
    entry.runtime_data = SiteRuntime(installation=installation, site=site, coordinator=coordinator)
    await coordinator.publish(settings)
    coordinator.remember_clusters(settings)
    entry.async_on_unload(entry.add_update_listener(_configuration_changed))
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    entry.async_on_unload(watch_newcomers(hass, entry))
    entry.async_on_unload(watch_satellites(hass, entry))
    entry.async_on_unload(async_watch_problems(hass, entry))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: ChargeClusterConfigEntry) -> bool:
    """Take the entities down; the site goes on for a while, in case this is a reload."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: ChargeClusterConfigEntry) -> None:
    """Stop a site for good; what it gave to chargers runs out into their fallbacks."""
    domain = hass.data.get(DOMAIN_DATA)
    if domain is not None and domain.installation is not None:
        await domain.installation.remove(entry.entry_id)
        for point in site_settings(entry).charge_points:
            domain.installation.trust.forget(point.identity)
    ir.async_delete_issue(hass, DOMAIN, refused_issue_id(entry.entry_id))
    await WishBook(hass, entry.entry_id).remove()


async def async_migrate_entry(hass: HomeAssistant, entry: ChargeClusterConfigEntry) -> bool:
    """Bring an older entry up to date; one of a newer version is left alone, for the way back up."""
    del hass
    return entry.version <= ENTRY_VERSION


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, device: AnyDeviceEntry
) -> bool:
    """Let a device be removed that nothing configured stands behind; a subentry is removed with its device."""
    del hass
    configured = {(DOMAIN, subject.device_id) for subject in subjects_of(site_settings(entry))}
    return not device.identifiers & configured


async def _configuration_changed(hass: HomeAssistant, entry: ChargeClusterConfigEntry) -> None:
    """Apply what was changed, added, removed or renamed to the running site: nothing is reloaded."""
    _drop_orphans(hass, entry)
    await entry.runtime_data.coordinator.follow_configuration()


@callback
def _drop_orphans(hass: HomeAssistant, entry: ChargeClusterConfigEntry) -> None:
    """Remove the satellites of a master that was removed: nobody can be spoken to through it."""
    for subentry in list(entry.get_subentries_of_type(SubentryType.SATELLITE)):
        # Each removal tells of a change, upon which the others are removed before we come to them here.
        if subentry.data[Key.MASTER] not in entry.subentries and subentry.subentry_id in entry.subentries:
            hass.config_entries.async_remove_subentry(entry, subentry.subentry_id)
