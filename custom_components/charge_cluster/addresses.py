"""What this host is called by those who dial it, and what charge points dial."""

from ipaddress import ip_address

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.network import NoURLAvailableError, get_url
from homeassistant.util.network import is_ip_address, is_loopback
from yarl import URL

from .const import DEFAULT_PORT, Key
from .site.settings import EVERY_ADDRESS, TlsMode

NAME_AT_HOME = "homeassistant.local"
"""What Home Assistant is called on most networks."""


@callback
def dial_address(hass: HomeAssistant, entry: ConfigEntry) -> str:
    """Return the address that charge points dial, to which they append their identity."""
    port = int(entry.data.get(Key.PORT, DEFAULT_PORT))
    scheme = "ws"
    if entry.data.get(Key.TLS, TlsMode.NONE) != TlsMode.NONE:
        scheme, port = "wss", int(entry.data.get(Key.TLS_PORT, port))
    return str(
        URL.build(scheme=scheme, host=dial_host(hass, entry.data.get(Key.HOST, EVERY_ADDRESS)), port=port, path="/")
    )


@callback
def dial_host(hass: HomeAssistant, listening: str) -> str:
    """Return this computer as charge points can find it: by a number where that is known, as many know no names."""
    if listening != EVERY_ADDRESS:
        return listening
    named = _named(hass) or NAME_AT_HOME
    if is_ip_address(named) or not (number := _number(hass)):
        return named
    return number


@callback
def own_names(hass: HomeAssistant) -> list[str]:
    """Return all that this computer may be called by charge points, for its certificate."""
    found = [_number(hass), _named(hass), NAME_AT_HOME]
    return list(dict.fromkeys(name for name in found if name))


def _named(hass: HomeAssistant) -> str | None:
    try:
        return URL(get_url(hass, allow_external=False, allow_cloud=False)).host
    except NoURLAvailableError:
        return None


def _number(hass: HomeAssistant) -> str | None:
    if hass.config.api is None or is_loopback(ip_address(hass.config.api.local_ip)):
        return None
    return hass.config.api.local_ip
