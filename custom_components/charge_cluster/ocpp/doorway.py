"""What a charge point says when it dials in, before a word of OCPP: who it is, its key, the versions it offers.

Pure functions over the request's headers; whether it may enter is decided elsewhere.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote

from .versions import Agreed, OcppVersion, agree

MAX_IDENTITY = 64
"""The specification allows 48 characters (2.x), 1.6 says 20 in places; longer serial numbers have been seen."""
MAX_CREDENTIALS = 512


class Refusal(StrEnum):
    """Why somebody is turned away before anything else."""

    NO_IDENTITY = "the address does not end in an identity"
    NO_WEBSOCKET = "this address takes websocket connections only"
    OTHER_USER = "the user name is not the identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A charge point at the door."""

    identity: str
    remote: str
    password: bytes | None = field(repr=False)
    offered: tuple[str, ...]

    def agree(self, pinned: OcppVersion | None) -> Agreed | None:
        """Return what to speak, or None where nothing that is offered fits; see `versions.agree`."""
        return agree(self.offered, pinned)


def arrival(path: str, remote: str | None, headers: Mapping[str, str]) -> Arrival | Refusal:
    """Read a request. `path` is still percent-encoded."""
    identity = identity_of(path)
    if identity is None:
        return Refusal.NO_IDENTITY
    if headers.get("Upgrade", "").strip().casefold() != "websocket":
        return Refusal.NO_WEBSOCKET
    credentials = _credentials(headers.get("Authorization", ""))
    password = None
    if credentials is not None:
        user, separator, password = _split(credentials, identity)
        if not separator or user != identity.encode():
            return Refusal.OTHER_USER
    offers = headers.get("Sec-WebSocket-Protocol", "")
    return Arrival(
        identity=identity,
        remote=remote or "unknown",
        password=password,
        offered=tuple(offer.strip()[:40] for offer in offers.split(",") if offer.strip())[:16],
    )


def identity_of(path: str) -> str | None:
    """Return the last part of a path, percent-decoded, or None where it cannot be an identity."""
    last = path.split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1]
    identity = unquote(last, errors="strict") if _is_utf8(last) else ""
    if not 0 < len(identity) <= MAX_IDENTITY or not identity.isprintable() or identity != identity.strip():
        return None
    return identity


def _is_utf8(quoted: str) -> bool:
    try:
        unquote(quoted, errors="strict")
    except UnicodeDecodeError:
        return False
    return True


def _credentials(header: str) -> bytes | None:
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.casefold() != "basic" or len(encoded) > MAX_CREDENTIALS:
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error, ValueError:
        return None


def _split(credentials: bytes, identity: str) -> tuple[bytes, bool, bytes]:
    """Split user name and password; an identity may itself contain a colon."""
    own = identity.encode() + b":"
    if credentials.startswith(own):
        return identity.encode(), True, credentials[len(own) :]
    user, separator, password = credentials.partition(b":")
    return user, bool(separator), password
