"""Who may come in at a listener, and who may charge.

A charge point is let in when a site that uses the listener has it configured and it brings the key that it must bring.
Keys are compared in constant time. An idTag may charge when the site accepts everybody or knows the driver.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from typing import Protocol

from ..ocpp.protocols import Admission, Authorisation, AuthorisationStatus
from .settings import ChargePointSettings, Security, SiteSettings


class Door:
    """Knows the charge points of all sites at one listener."""

    def __init__(self, sites: Callable[[], Iterable[SiteSettings]]) -> None:
        """`sites` gives the settings in force of the sites that use the listener."""
        self._sites = sites
        self._on_key: dict[str, Callable[[], None]] = {}

    def on_key(self, identity: str, brought: Callable[[], None]) -> None:
        """Have it told once when a charge point brings its key for the first time."""
        self._on_key[identity] = brought

    def find(self, identity: str) -> tuple[SiteSettings, ChargePointSettings] | None:
        """Return the charge point that dials as `identity`."""
        for site in self._sites():
            for point in site.charge_points:
                if point.identity == identity:
                    return site, point
        return None

    def admit(self, identity: str, password: bytes | None, remote: str) -> Admission:  # noqa: ARG002 - Doorkeeper's words
        """Judge a charge point that dials in."""
        found = self.find(identity)
        if found is None:
            return Admission.UNKNOWN
        _, point = found
        if point.security is Security.PLAIN:
            return Admission.WELCOME
        if password is None or point.key is None:
            return Admission.KEY_MISSING
        if not _is_key(password, point.key):
            return Admission.WRONG_KEY
        brought = self._on_key.pop(identity, None)
        if brought is not None:
            brought()
        return Admission.WELCOME


def _is_key(password: bytes, key: str) -> bool:
    """Compare in constant time; some chargers send the bytes that a key of hexadecimal digits stands for."""
    right = hmac.compare_digest(password, key.encode())
    try:
        packed = bytes.fromhex(key)
    except ValueError:
        return right
    return right | hmac.compare_digest(password, packed)


class KnownDriver(Protocol):
    """What must be known of a driver to let it charge."""

    @property
    def enabled(self) -> bool:
        """Return whether it may charge at all."""

    @property
    def expires_at(self) -> float | None:
        """Return until when (UTC POSIX seconds); None: for ever."""


class Drivers(Protocol):
    """Finds drivers by idTag."""

    async def find(self, id_tag: str) -> KnownDriver | None:
        """Return a driver; None: not known."""


class TagAuthoriser:
    """Decides on idTags by the site's rule and the drivers in the ledger."""

    def __init__(self, door: Door, drivers: Drivers, now: Callable[[], float]) -> None:
        self._door = door
        self._drivers = drivers
        self._now = now

    async def authorise(self, charge_point_id: str, id_tag: str) -> Authorisation:
        """Return the decision on an idTag at a charge point (its OCPP identity)."""
        found = self._door.find(charge_point_id)
        if found is None:
            return Authorisation(status=AuthorisationStatus.INVALID)
        site, _ = found
        driver = await self._drivers.find(id_tag)
        if driver is None:
            return Authorisation(
                status=AuthorisationStatus.ACCEPTED if site.accept_all_tags else AuthorisationStatus.INVALID
            )
        if not driver.enabled:
            return Authorisation(status=AuthorisationStatus.BLOCKED)
        if driver.expires_at is not None and driver.expires_at <= self._now():
            return Authorisation(status=AuthorisationStatus.EXPIRED)
        return Authorisation(status=AuthorisationStatus.ACCEPTED, expires_at=driver.expires_at)
