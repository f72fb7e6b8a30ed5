"""How a charge point dials over TLS: whom it trusts, what it shows, and how it comes to a certificate of its own.

It trusts the roots for central systems that it holds, and nobody else: without one nobody is trusted. One that is to
prove itself by a certificate asks for it by itself when it has none, and anew when the one that it has runs out soon.
"""

import secrets
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .certificates import Certificates, OwnCertificate
from .spec import OcppVersion, Security

ROOT_KINDS = ("CentralSystemRootCertificate", "CSMSRootCertificate")
"""What OCPP 1.6 and 2.x call the roots that central systems are checked against."""

RENEW_BEFORE_S = 30 * 86_400.0
"""A certificate that runs out so soon is asked for anew, as OCPP 2.x demands (A02)."""

ASK_AGAIN_S = 60.0
"""Virtual seconds after a request that led to nothing."""

PROFILES = {Security.PLAIN: "1", Security.TLS: "2", Security.CERTIFICATE: "3"}
"""The security profiles of OCPP; without a key, PLAIN is 0."""


class Encryption:
    """The TLS of one charge point."""

    def __init__(self, security: Security, version: OcppVersion, certificates: Certificates) -> None:
        """Dial as the charge point was set up to."""
        self._security = security
        self._root_kind = ROOT_KINDS[version is not OcppVersion.V16]
        self._certificates = certificates
        self._made: tuple[tuple[str, ...], OwnCertificate | None, ssl.SSLContext] | None = None
        self._asked_at = float("-inf")

    @property
    def wanted(self) -> bool:
        """Return whether it dials over TLS."""
        return self._security is not Security.PLAIN

    @property
    def shows_certificate(self) -> bool:
        """Return whether it proves by a certificate who it is, and so needs no key."""
        return self._security is Security.CERTIFICATE and self._certificates.own is not None

    def trust(self, pem: str) -> None:
        """Take the root of a central system, as an installer loads it into the charge point."""
        self._certificates.install(self._root_kind, pem)

    def context(self) -> ssl.SSLContext | None:
        """Return what a connection is made with; None: it is not encrypted."""
        if not self.wanted:
            return None
        own = self._certificates.own if self.shows_certificate else None
        roots = tuple(_text(root.certificate) for root in self._certificates.installed(ROOT_KINDS))
        if self._made is None or self._made[:2] != (roots, own):
            self._made = (roots, own, _context(roots, own))
        return self._made[2]

    def ask_when_due(self, now: float, utc: float, ask: Callable[[], None]) -> None:
        """Have a certificate asked for where there is none or the one that there is runs out soon."""
        if self._security is not Security.CERTIFICATE or now - self._asked_at < ASK_AGAIN_S:
            return
        own = self._certificates.own
        if own is None or own.not_after - utc < RENEW_BEFORE_S:
            self._asked_at = now
            ask()


def _context(roots: tuple[str, ...], own: OwnCertificate | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if roots:
        context.load_verify_locations(cadata="".join(roots))
    if own is not None:
        _show(context, own)
    return context


def _show(context: ssl.SSLContext, own: OwnCertificate) -> None:
    """Show a certificate; the library takes files only, so the key is written encrypted."""
    password = secrets.token_bytes(24).hex().encode()
    sealed = own.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    with tempfile.TemporaryDirectory(prefix="simulator_") as folder:
        chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
        chain.write_text("".join(_text(certificate) for certificate in own.chain), encoding="ascii")
        key.write_bytes(sealed)
        context.load_cert_chain(chain, key, password)


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
