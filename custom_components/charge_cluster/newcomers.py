"""Charge points that dial in and that nobody has accepted yet, shown as discoveries.

One discovery per identity, however often it redials and however many sites share the listener; it goes when the
newcomer is accepted elsewhere or stays away. What was ignored is an entry of Home Assistant; deleting that brings the
discovery back.

What a charge point that was accepted tells of connectors that are not configured is shown in the same way: one
discovery per charge point for all of them, as an electrician adds satellites to a master by the dozen.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from homeassistant.config_entries import SOURCE_INTEGRATION_DISCOVERY, ConfigEntryState
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import discovery_flow
from homeassistant.helpers.discovery_flow import DiscoveryKey

from .const import DOMAIN
from .coordinator import ChargeClusterConfigEntry
from .site.views import NewcomerView


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What a discovery is about."""

    identity: str


@dataclass(frozen=True, slots=True)
class NewSatellites:
    """What a discovery of connectors is about."""

    entry_id: str
    charge_point_id: str


def satellites_unique_id(charge_point_id: str) -> str:
    """Return the unique id under which connectors that appeared at a charge point are discovered or ignored."""
    return f"satellites:{charge_point_id}"


def newcomer_unique_id(identity: str) -> str:
    """Return the unique id under which a newcomer is discovered or ignored."""
    return f"newcomer:{identity}"


NUMBER_AT_END = re.compile(r"[\W_]*\d+$")
"""What tells one charge point of a series from the next."""

LEAST_STEM = 2
"""Shorter beginnings are shared by chance."""


def stem_of(identity: str) -> str:
    """Return what the identities of a series begin with: "NORTH" of "NORTH-07"."""
    return NUMBER_AT_END.sub("", identity)


def family_of(identity: str, newcomers: Mapping[str, NewcomerView]) -> tuple[str, ...]:
    """Return the newcomers that seem to belong to one cluster with this one, itself among them, by their names.

    They are of one maker, as far as that is known, and dial from one address, as those behind a master do, or are
    numbered in one series. That is a suggestion, no proof.
    """
    own = newcomers.get(identity)
    if own is None:
        return ()

    def related(other: NewcomerView) -> bool:
        vendors = {own.identity_report.vendor, other.identity_report.vendor} - {None}
        stem = stem_of(own.identity)
        in_series = len(stem) >= LEAST_STEM and stem == stem_of(other.identity)
        return len(vendors) <= 1 and (own.remote == other.remote or in_series)

    return tuple(sorted(name for name, other in newcomers.items() if name == identity or related(other)))


@callback
def loaded_sites(hass: HomeAssistant) -> list[ChargeClusterConfigEntry]:
    """Return the entries of all sites that run."""
    return [entry for entry in hass.config_entries.async_entries(DOMAIN) if entry.state is ConfigEntryState.LOADED]


@callback
def sites_with(hass: HomeAssistant, identity: str) -> Iterator[tuple[ChargeClusterConfigEntry, NewcomerView]]:
    """Yield the sites at whose listener a newcomer waits."""
    for entry in loaded_sites(hass):
        view = entry.runtime_data.site.newcomers.get(identity)
        if view is not None:
            yield entry, view


@callback
def watch_newcomers(hass: HomeAssistant, entry: ChargeClusterConfigEntry) -> CALLBACK_TYPE:
    """Raise a discovery for each newcomer of a site, take it back when it is gone; return what ends it."""
    site = entry.runtime_data.site
    raised: set[str] = set()

    @callback
    def changed() -> None:
        present = set(site.newcomers)
        for identity in present - raised:
            # A moment later all sites of the listener know it, so that the discovery sees them all.
            hass.loop.call_soon(discover, hass, identity)
        for identity in raised - present:
            dismiss(hass, identity)
        raised.clear()
        raised.update(present)

    changed()
    return site.subscribe("newcomers", changed)


@callback
def watch_satellites(hass: HomeAssistant, entry: ChargeClusterConfigEntry) -> CALLBACK_TYPE:
    """Raise a discovery for each charge point that shows connectors which are not configured; return what ends it."""
    site = entry.runtime_data.site
    raised: set[str] = set()

    @callback
    def changed() -> None:
        present = {point.charge_point_id for point in site.charge_points.values() if point.strangers}
        for charge_point_id in present - raised:
            # They come one by one: a moment later more of them are known.
            hass.loop.call_soon(discover_satellites, hass, entry.entry_id, charge_point_id)
        for charge_point_id in raised - present:
            _abort(hass, NewSatellites(entry.entry_id, charge_point_id))
        raised.clear()
        raised.update(present)

    changed()
    return site.subscribe("strangers", changed)


@callback
def discover_again(hass: HomeAssistant) -> None:
    """Raise a discovery for every newcomer that waits and has none."""
    for entry in loaded_sites(hass):
        for identity in entry.runtime_data.site.newcomers:
            discover(hass, identity)
        for point in entry.runtime_data.site.charge_points.values():
            if point.strangers:
                discover_satellites(hass, entry.entry_id, point.charge_point_id)


@callback
def discover_satellites(hass: HomeAssistant, entry_id: str, charge_point_id: str) -> None:
    """Raise the discovery of the connectors that a charge point shows and that are not configured."""
    discovery_flow.async_create_flow(
        hass,
        DOMAIN,
        context={"source": SOURCE_INTEGRATION_DISCOVERY},
        data=NewSatellites(entry_id, charge_point_id),
        discovery_key=DiscoveryKey(domain=DOMAIN, key=satellites_unique_id(charge_point_id), version=1),
    )


@callback
def discover(hass: HomeAssistant, identity: str) -> None:
    """Raise the discovery of a newcomer."""
    discovery_flow.async_create_flow(
        hass,
        DOMAIN,
        context={"source": SOURCE_INTEGRATION_DISCOVERY},
        data=Newcomer(identity),
        discovery_key=DiscoveryKey(domain=DOMAIN, key=identity, version=1),
    )


@callback
def dismiss(hass: HomeAssistant, identity: str) -> None:
    """Take a discovery back unless another site still shows the newcomer or somebody is busy with it."""
    if next(sites_with(hass, identity), None) is None:
        _abort(hass, Newcomer(identity))


@callback
def _abort(hass: HomeAssistant, about: Newcomer | NewSatellites) -> None:
    """End a discovery that nobody is busy with."""
    flows = hass.config_entries.flow
    # What 2026.10 has a function for; before it there is no mark for a flow that somebody is busy with.
    for flow in flows.async_progress_by_init_data_type(type(about), about.__eq__):
        if not flow["context"].get("dismiss_protected"):
            flows.async_abort(flow["flow_id"])
