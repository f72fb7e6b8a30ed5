"""The part of a site's form that is about encryption: whose certificate, at which port, and who has to show one.

A private key that was stored is not shown again: where its field is left empty, the stored one stays.
"""

from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from homeassistant.helpers.selector import BooleanSelector, TextSelector, TextSelectorConfig

from ..configuration import tls_settings
from ..const import Key
from ..ocpp.security.own import CertificateFault, authorities, own_certificate
from ..site.settings import TlsMode
from . import advanced, choice, whole_number
from .charge_point import SEPARATORS

STORED = (Key.TLS, Key.TLS_CERTIFICATE, Key.TLS_KEY, Key.TLS_PORT, Key.CLIENT_AUTHORITY)
TEXTS = (Key.TLS_CERTIFICATE, Key.TLS_KEY, Key.CLIENT_AUTHORITY)
"""PEM, or the path of a file."""
CHECKED = (Key.TLS_ONLY, Key.CLIENT_CERTIFICATES)

FIELDS: Mapping[str, Key] = {
    "certificate_unreadable": Key.TLS_CERTIFICATE,
    "certificate_expired": Key.TLS_CERTIFICATE,
    "certificate_not_yet": Key.TLS_CERTIFICATE,
    "host_not_named": Key.TLS_CERTIFICATE,
    "key_unreadable": Key.TLS_KEY,
    "key_encrypted": Key.TLS_KEY,
    "key_unfit": Key.TLS_KEY,
    "key_does_not_match": Key.TLS_KEY,
    "authority_unreadable": Key.CLIENT_AUTHORITY,
    "no_authority": Key.CLIENT_AUTHORITY,
}
"""The field that each fault is about; what is not here may be about several."""


def field_at_fault(fault: CertificateFault, stored: Mapping[str, Any]) -> str:
    """Return the field that a fault is about, "base" where it is the whole."""
    path = fault.placeholders.get("path")
    if path is not None:
        return next((field for field in TEXTS if stored.get(field) == path), "base")
    return FIELDS.get(fault.key, "base")


def encryption() -> dict[vol.Marker, Any]:
    """Return the folded part of a form that asks for encryption."""
    text = TextSelector(TextSelectorConfig(multiline=True))
    fields: Mapping[vol.Marker, Any] = {
        vol.Required(Key.TLS, default=TlsMode.NONE.value): choice("tls", TlsMode),
        vol.Optional(Key.TLS_PORT): whole_number(least=1, most=65535),
        vol.Required(Key.TLS_ONLY, default=False): BooleanSelector(),
        vol.Optional(Key.TLS_NAMES): TextSelector(),
        vol.Optional(Key.TLS_CERTIFICATE): text,
        vol.Optional(Key.TLS_KEY): text,
        vol.Required(Key.CLIENT_CERTIFICATES, default=False): BooleanSelector(),
        vol.Optional(Key.CLIENT_AUTHORITY): text,
    }
    return {vol.Optional(Key.ENCRYPTION): advanced(fields)}


def encryption_fields(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form fields of what is stored: everything but the private key."""
    names = stored.get(Key.TLS_NAMES)
    return {Key.TLS_KEY: None, Key.TLS_NAMES: ", ".join(names) if names else None}


def encryption_as_stored(fields: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored of the answers; without TLS none of it counts, and a key is not kept."""
    if fields.get(Key.TLS, TlsMode.NONE) == TlsMode.NONE:
        return {}
    stored = {key.value: fields[key] for key in STORED if key in fields}
    stored |= {key.value: stored[key].strip() for key in TEXTS if key in stored}
    stored |= {key.value: True for key in CHECKED if fields.get(key)}
    if names := [name for name in SEPARATORS.split(fields.get(Key.TLS_NAMES, "")) if name]:
        stored[Key.TLS_NAMES.value] = names
    if Key.TLS_PORT in stored:
        stored[Key.TLS_PORT.value] = int(stored[Key.TLS_PORT])
    if stored[Key.TLS] != TlsMode.OWN:
        stored.pop(Key.TLS_CERTIFICATE, None)
        stored.pop(Key.TLS_KEY, None)
    elif Key.TLS_KEY not in stored and Key.TLS_KEY in before:
        stored[Key.TLS_KEY.value] = before[Key.TLS_KEY]
    return stored


def check_encryption(stored: Mapping[str, Any], *, now: float, host: str) -> None:
    """Check what is to be stored, as it will be used. Blocks. Raises CertificateFault."""
    settings = tls_settings(stored)
    if settings.mode is TlsMode.OWN:
        own_certificate(settings.certificate, settings.key, now=now, host=host)
    if settings.mode is not TlsMode.NONE and settings.client_authority is not None:
        authorities(settings.client_authority)
