"""A certificate that the owner brings: read, and checked for everything that would keep charge points out.

Certificate and key come as text (PEM) or as the path of a file. A fault says what is wrong in a word that a form can
show; it never repeats anything of a key.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID

PEM_MARK = "-----BEGIN "
BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
MAX_PEM = 64 * 1024
MAX_PATH = 1024

LEAST_RSA_BITS = 2048
MOST_RSA_BITS = 8192


WORDS: Mapping[str, str] = {
    "certificate_unreadable": "the certificate is no PEM",
    "file_unreadable": "the file {path} cannot be read ({cause})",
    "key_unreadable": "the private key cannot be read",
    "key_encrypted": "the private key is protected by a password",
    "key_unfit": "the private key is neither RSA of 2048 bits and more nor EC",
    "key_does_not_match": "the private key is not that of the certificate",
    "certificate_expired": "the certificate ran out on {date}",
    "certificate_not_yet": "the certificate counts only from {date} on",
    "host_not_named": "the certificate is not for {host}, but for {names}",
    "authority_unreadable": "the certificate of the authority is no PEM",
    "no_authority": "what is given as an authority may not sign certificates",
    "tls_unfit": "the certificate is of no use for TLS ({cause})",
    "tls_port_unavailable": "the port for TLS cannot be opened ({cause})",
    "clock_not_set": "the clock of this host is not set yet",
}
"""What each fault means, for logs and repairs; forms have sentences of their own."""


class CertificateFault(Exception):
    """A certificate or its key is of no use; `key` names the reason, the placeholders belong to its sentence."""

    def __init__(self, key: str, **placeholders: str) -> None:
        super().__init__(WORDS[key].format_map(placeholders))
        self.key = key
        self.placeholders = placeholders


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A certificate with those that stand above it, and its private key; both PEM."""

    chain: str
    key: str = field(repr=False)
    not_after: float
    """UTC POSIX seconds."""


def own_certificate(certificate: str, key: str, *, now: float, host: str | None = None) -> KeyPair:
    """Read a certificate and its key, each as text or from a file, and check them. Blocks.

    Args:
        now: UTC POSIX seconds.
        host: the name or address that charge points dial; None: not known, so not checked.

    Raises:
        CertificateFault: they would not do.
    """
    chain = _text(certificate, "certificate_unreadable")
    try:
        certificates = x509.load_pem_x509_certificates(chain.encode())
    except ValueError:
        raise CertificateFault("certificate_unreadable") from None
    leaf = certificates[0]
    private = _private_key(_text(key, "key_unreadable"))
    if _public(leaf.public_key()) != _public(private.public_key()):
        raise CertificateFault("key_does_not_match")
    _check_time(leaf, now)
    if host is not None and not names_host(leaf, host):
        raise CertificateFault("host_not_named", host=host, names=", ".join(sorted(names_of(leaf))[:8]) or "–")
    return KeyPair(
        chain="".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in certificates),
        key=private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        not_after=leaf.not_valid_after_utc.timestamp(),
    )


def authorities(certificates: str) -> str:
    """Return the certificates of authorities, given as text or as a file, as text. Blocks. Raises CertificateFault."""
    text = _text(certificates, "authority_unreadable")
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise CertificateFault("authority_unreadable") from None
    for each in found:
        try:
            is_authority = each.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound, ValueError:
            is_authority = False
        if not is_authority:
            raise CertificateFault("no_authority")
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in found)


def _text(given: str, fault: str) -> str:
    """Return what was given, or what is in the file that it names."""
    text = given.strip()
    if PEM_MARK in text:
        return _blocks(text[:MAX_PEM])
    if not text or "\n" in text or len(text) > MAX_PATH:
        raise CertificateFault(fault)
    try:
        with Path(text).open(encoding="ascii", errors="replace") as file:
            return _blocks(file.read(MAX_PEM))
    except OSError as error:
        raise CertificateFault("file_unreadable", path=text, cause=error.strerror or type(error).__name__) from None


def _blocks(text: str) -> str:
    """Return the blocks of a PEM text; where it was pasted into one line, its breaks are put back."""
    return "".join(
        f"-----BEGIN {kind}-----\n" + "\n".join(body.split()) + f"\n-----END {kind}-----\n"
        for kind, body in BLOCK.findall(text)
    )


def _private_key(pem: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        # Whether an RSA key is sound is not looked into: that would hold the event loop for a third of a second, from
        # whatever thread, and one that is not its certificate's is found out below.
        key = serialization.load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        raise CertificateFault("key_encrypted") from None
    except ValueError, UnsupportedAlgorithm:
        raise CertificateFault("key_unreadable") from None
    if isinstance(key, rsa.RSAPrivateKey) and LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key
    raise CertificateFault("key_unfit")


def _public(key: object) -> bytes:
    encode = getattr(key, "public_bytes", None)
    if encode is None:
        return b""
    encoded: bytes = encode(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _check_time(certificate: x509.Certificate, now: float) -> None:
    if certificate.not_valid_after_utc.timestamp() <= now:
        raise CertificateFault("certificate_expired", date=f"{certificate.not_valid_after_utc:%Y-%m-%d}")
    if certificate.not_valid_before_utc.timestamp() > now:
        raise CertificateFault("certificate_not_yet", date=f"{certificate.not_valid_before_utc:%Y-%m-%d}")


def names_of(certificate: x509.Certificate) -> frozenset[str]:
    """Return the host names and addresses that a certificate is for."""
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    except x509.ExtensionNotFound, ValueError:
        return frozenset()
    if not isinstance(extension.value, x509.SubjectAlternativeName):
        return frozenset()
    names = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return frozenset([*(name.casefold() for name in names), *(str(address) for address in addresses)])


def names_host(certificate: x509.Certificate, host: str) -> bool:
    """Return whether a certificate is for a host, by name, by wildcard or by address."""
    names = names_of(certificate)
    try:
        return str(ipaddress.ip_address(host)) in names
    except ValueError:
        wanted = host.casefold().rstrip(".")
        _, _, parent = wanted.partition(".")
        return wanted in names or f"*.{parent}" in names
