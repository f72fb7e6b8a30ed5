"""A site as Home Assistant knows it, built for tests: an entry with its clusters, charge points and meters."""

import secrets
import socket
from collections.abc import Iterable, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Self

import aiohttp
from homeassistant.config_entries import ConfigSubentry, ConfigSubentryData
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

DOMAIN = "charge_cluster"
SUPPLY = "supply"


def free_port() -> int:
    """Return a port of the loopback that nobody listens on, and that the system gives to nobody who dials."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def a_cluster(name: str, rating: float = 40.0, **changes: Any) -> ConfigSubentryData:
    """Return a cluster on the supply."""
    stored = {"parent": SUPPLY, "ratings": [rating] * 3} | changes
    return ConfigSubentryData(data=stored, subentry_type="cluster", title=name, unique_id=None)


def a_charge_point(identity: str, **changes: Any) -> ConfigSubentryData:
    """Return a charge point on the supply with one connector and no key."""
    stored = {
        "identity": identity,
        "cluster": SUPPLY,
        "rotations": ["l1_l2_l3"],
        "maximum": 32.0,
        "minimum": 6.0,
        "step": 1.0,
        "priority": 0,
        "fallback": 0.0,
        "security": "plain",
    } | changes
    return ConfigSubentryData(
        data=stored, subentry_type="charge_point", title=identity, unique_id=f"charge_point:{identity}"
    )


def a_satellite(master_id: str, number: int, name: str | None = None, **changes: Any) -> ConfigSubentryData:
    """Return a satellite of a master, on the supply."""
    stored = {
        "master": master_id,
        "number": number,
        "cluster": SUPPLY,
        "maximum": 16.0,
        "rotation": "l1_l2_l3",
        "minimum": 6.0,
    } | changes
    return ConfigSubentryData(
        data=stored,
        subentry_type="satellite",
        title=name or f"Satellite {number}",
        unique_id=f"satellite:{master_id}:{number}",
    )


def a_meter(name: str, entities: Iterable[str], **changes: Any) -> ConfigSubentryData:
    """Return a meter on the supply made of three current sensors."""
    stored = {"circuit": SUPPLY, "scope": "everything", "currents": list(entities)} | changes
    return ConfigSubentryData(data=stored, subentry_type="meter", title=name, unique_id=None)


def a_site(
    port: int, *subentries: ConfigSubentryData, name: str = "Depot", rating: float = 63.0, **changes: Any
) -> MockConfigEntry:
    """Return a site that listens on the loopback."""
    stored: Mapping[str, Any] = {
        "port": port,
        "host": "127.0.0.1",
        "phases": "3",
        "ratings": [rating] * 3,
        "base_load": 10.0,
    } | changes
    return MockConfigEntry(
        domain=DOMAIN, title=name, data=stored, version=1, minor_version=1, subentries_data=subentries
    )


async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> MockConfigEntry:
    """Add a site and start it."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def add(hass: HomeAssistant, entry: MockConfigEntry, *subentries: ConfigSubentryData) -> None:
    """Add subentries to a site, all before it notices the first."""
    for stored in subentries:
        hass.config_entries.async_add_subentry(
            entry,
            ConfigSubentry(
                data=MappingProxyType(dict(stored["data"])),
                subentry_type=stored["subentry_type"],
                title=stored["title"],
                unique_id=stored["unique_id"],
            ),
        )
    await hass.async_block_till_done()


def subentry_called(entry: MockConfigEntry, title: str) -> ConfigSubentry:
    """Return the subentry with this title."""
    return next(subentry for subentry in entry.subentries.values() if subentry.title == title)


async def settings_form(hass: HomeAssistant, entry: MockConfigEntry, title: str) -> Any:
    """Return the form to change a charge point or meter, past the menu."""
    menu = await entry.start_subentry_reconfigure_flow(hass, subentry_called(entry, title).subentry_id)
    return await hass.config_entries.subentries.async_configure(menu["flow_id"], {"next_step_id": "settings"})


class Dialled:
    """A charge point at the other end of the wire that dials in, boots and then keeps quiet."""

    def __init__(self, port: int, identity: str, *, key: str | None = None) -> None:
        """Name the charge point and where it dials."""
        self._url = f"http://127.0.0.1:{port}/{identity}"
        self._auth = None if key is None else aiohttp.BasicAuth(identity, key)

    async def __aenter__(self) -> Self:
        """Dial in and boot."""
        self._session = aiohttp.ClientSession()
        self.socket = await self._session.ws_connect(self._url, protocols=("ocpp1.6",), auth=self._auth)
        await self.socket.send_json(
            [2, "boot-1", "BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "Wall 11"}]
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        await self.socket.close()
        await self._session.close()
