"""The certificate that a charge point shows in the TLS handshake, read as facts.

The handshake has already proved that it holds the private key and that an authority we trust signed the certificate;
whether it is this charge point's certificate is for the doorkeeper to say.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

MAX_NAME = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCertificate:
    """Who a certificate says that its holder is."""

    fingerprint: str
    """SHA-256, lower-case hexadecimal."""
    names: frozenset[str]
    """Common names and serial-number attributes of the subject."""
    issuer: str
    """The name of the authority that signed it."""
    not_after: float
    """UTC POSIX seconds."""


def read_peer_certificate(der: bytes) -> PeerCertificate | None:
    """Return what a certificate says; None: it cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        attributes = [
            attribute
            for oid in (NameOID.COMMON_NAME, NameOID.SERIAL_NUMBER)
            for attribute in certificate.subject.get_attributes_for_oid(oid)
        ]
    except ValueError:
        return None
    return PeerCertificate(
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        names=frozenset(str(attribute.value)[:MAX_NAME] for attribute in attributes),
        issuer=certificate.issuer.rfc4514_string(),
        not_after=certificate.not_valid_after_utc.timestamp(),
    )
