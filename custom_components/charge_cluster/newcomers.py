"""Charge points that dial in and that nobody has accepted yet, shown as discoveries.

One discovery per identity, however often it redials and however many sites share the listener; it goes when the
newcomer is accepted elsewhere or stays away. What was ignored is an entry of Home Assistant; deleting that brings the
discovery back.
"""

from collections.abc import Iterator
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


def newcomer_unique_id(identity: str) -> str:
    """Return the unique id under which a newcomer is discovered or ignored."""
    return f"newcomer:{identity}"


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
def discover_again(hass: HomeAssistant) -> None:
    """Raise a discovery for every newcomer that waits and has none."""
    for entry in loaded_sites(hass):
        for identity in entry.runtime_data.site.newcomers:
            discover(hass, identity)


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
        flows = hass.config_entries.flow
        # What 2026.10 has a function for; before it there is no mark for a flow that somebody is busy with.
        for flow in flows.async_progress_by_init_data_type(Newcomer, lambda newcomer: newcomer == Newcomer(identity)):
            if not flow["context"].get("dismiss_protected"):
                flows.async_abort(flow["flow_id"])
