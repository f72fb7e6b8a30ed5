"""Who may come in at a listener.

A charge point is let in when a site that uses the listener has it configured and it brings the key that it must bring.
Keys are compared in constant time. Who may charge at it is decided in `authoriser.py`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Iterable

from ..ocpp.protocols import Admission, Credentials
from ..ocpp.security.authority import RequestRefused
from ..ocpp.security.own import CertificateFault
from ..ocpp.security.peer import PeerCertificate
from ..ocpp.versions import OcppVersion
from .settings import ChargePointSettings, Security, SiteSettings, TlsMode
from .trust import Trust

PROFILE_OF_NOTHING = 0
PROFILE_OF_KEYS = 1
PROFILE_OF_KEYS_OVER_TLS = 2
PROFILE_OF_CERTIFICATES = 3
"""The security profiles of OCPP."""


type KeyTaken = Callable[[str, str, str], None]
"""Is told of a site, a charge point and the key that it uses from now on, which has to become the configured one."""


class Door:
    """Knows the charge points of all sites at one listener."""

    def __init__(self, sites: Callable[[], Iterable[SiteSettings]], trust: Trust | None = None) -> None:
        """`sites` gives the settings in force of the sites of the listener; without trust no certificate counts."""
        self._sites = sites
        self._trust = trust
        self.key_taken: KeyTaken | None = None
        """Told when a charge point has come with the key after the one that is configured."""
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

    def admit(self, identity: str, brought: Credentials) -> Admission:
        """Judge a charge point that dials in."""
        found = self.find(identity)
        if found is None:
            revoked = brought.certificate is not None and self._is_revoked(brought.certificate)
            return Admission.CERTIFICATE_REFUSED if revoked else Admission.UNKNOWN
        site, point = found
        by_certificate = point.security is Security.CERTIFICATE or site.tls.clients
        if not brought.secure and (by_certificate or point.security is Security.TLS):
            return Admission.NOT_ENCRYPTED
        if brought.certificate is not None:
            return self._judge_certificate(identity, brought.certificate)
        if by_certificate:
            return Admission.CERTIFICATE_MISSING
        if point.security is Security.PLAIN:
            return Admission.WELCOME
        if brought.password is None or point.key is None:
            return Admission.KEY_MISSING
        if not _is_key(brought.password, point.key):
            return self._judge_next_key(site, point, brought.password)
        taken = self._on_key.pop(identity, None)
        if taken is not None:
            taken()
        return Admission.WELCOME

    def _judge_next_key(self, site: SiteSettings, point: ChargePointSettings, password: bytes) -> Admission:
        """Judge one that has not the configured key: it may have come over to the one after it."""
        following = None if self._trust is None else self._trust.next_key(point)
        if self._trust is None or following is None or not _is_key(password, following.key):
            return Admission.WRONG_KEY
        self._trust.came_with_next_key(point.identity)
        if self.key_taken is not None:
            self.key_taken(site.site_id, point.charge_point_id, following.key)
        return Admission.WELCOME

    def _judge_certificate(self, identity: str, shown: PeerCertificate) -> Admission:
        if self._trust is None or not self._trust.proves(identity, shown):
            return Admission.CERTIFICATE_REFUSED
        self._trust.came_with(identity, shown)
        return Admission.WELCOME

    def _is_revoked(self, shown: PeerCertificate) -> bool:
        return self._trust is not None and self._trust.is_revoked(shown)

    def profile(self, identity: str, brought: Credentials) -> int:
        """Return the security profile, 0 to 3, by which somebody that was let in has proved who it is."""
        found = self.find(identity)
        if brought.certificate is not None:
            return PROFILE_OF_CERTIFICATES
        if found is None or found[1].security is Security.PLAIN or brought.password is None:
            return PROFILE_OF_NOTHING
        return PROFILE_OF_KEYS_OVER_TLS if brought.secure else PROFILE_OF_KEYS

    def version(self, identity: str) -> OcppVersion | None:
        """Return the only version that the owner wants spoken with a charge point; None: the best that it offers."""
        found = self.find(identity)
        return found[1].version if found is not None else None


class DoorCertifier:
    """Signs the certificates of charge points that have proved who they are."""

    def __init__(self, door: Door, trust: Trust) -> None:
        self._door = door
        self._trust = trust

    async def certify(self, identity: str, names: Collection[str], request: str) -> str:
        """Return a certificate with those above it (PEM), for one of the names. Raises RequestRefused."""
        found = self._door.find(identity)
        if found is None or found[1].security is Security.PLAIN:
            raise RequestRefused("nobody has proved to be this charge point")
        if found[0].tls.mode is TlsMode.NONE:
            raise RequestRefused("its site has no TLS to show it at")
        try:
            issued = await self._trust.give(identity, names, request)
        except CertificateFault as fault:
            raise RequestRefused(str(fault)) from fault
        return issued.chain


def _is_key(password: bytes, key: str) -> bool:
    """Compare in constant time; some chargers send the bytes that a key of hexadecimal digits stands for."""
    right = hmac.compare_digest(password, key.encode())
    try:
        packed = bytes.fromhex(key)
    except ValueError:
        return right
    return right | hmac.compare_digest(password, packed)
