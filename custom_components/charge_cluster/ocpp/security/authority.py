"""The embedded certificate authority: certificates for the central system's own port and for charge points.

One authority per Home Assistant, on EC P-256. It signs nothing but what the functions here make: a certificate for this
host, which charge points trust when they know the authority's certificate, and one per charge point out of the request
that the charge point sends. Its private key stays in the `Authority`; nothing shows or logs it.
"""

from __future__ import annotations

import ipaddress
import subprocess
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .own import KeyPair

AUTHORITY_FOR = timedelta(days=365 * 25)
"""As long as a car park lasts: whoever replaces it has to visit every charge point."""
SERVER_FOR = timedelta(days=397)
"""The longest that strict TLS stacks take."""
CHARGE_POINT_FOR = timedelta(days=730)
RENEW_BEFORE = 1 / 3
"""Renewed when only so much of the life is left."""
BACKDATED = timedelta(days=1)
"""The clock of a charge point may be behind."""

MAX_REQUEST = 5500
"""Characters of a signing request, as OCPP bounds it."""
LEAST_RSA_BITS = 2048
MOST_RSA_BITS = 4096
CURVES = ("secp256r1", "secp384r1", "secp521r1")
SIGNED_WITH = ("sha256", "sha384", "sha512")
MAX_NAMES = 32
SERVER_RSA_BITS = 2048
RSA_PATIENCE_S = 60.0
MAKE_RSA_KEY = f"""
import sys
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
key = rsa.generate_private_key(public_exponent=65537, key_size={SERVER_RSA_BITS})
sys.stdout.buffer.write(key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
))
"""
"""A program that prints a new key."""


class RequestRefused(Exception):
    """A signing request is not signed; the text says why and repeats nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """A certificate that was signed for a charge point."""

    chain: str
    """It and the authority's, PEM."""
    fingerprint: str
    """SHA-256, lower-case hexadecimal."""
    not_before: float
    not_after: float


class Authority:
    """Signs certificates."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        """Use `create` or `restore`."""
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, name: str, *, now: float) -> Authority:
        """Make a new authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Charge Cluster"),
                x509.NameAttribute(NameOID.COMMON_NAME, name[:64]),
            ]
        )
        moment = _moment(now)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - BACKDATED)
            .not_valid_after(moment + AUTHORITY_FOR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def restore(cls, certificate: str, key: str) -> Authority:
        """Bring an authority back from what was stored. Raises ValueError."""
        found = x509.load_pem_x509_certificate(certificate.encode())
        private = serialization.load_pem_private_key(key.encode(), password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey) or found.public_key() != private.public_key():
            raise ValueError("this is no certificate authority of ours")
        return cls(found, private)

    @property
    def certificate(self) -> str:
        """Return its certificate (PEM), which charge points have to know."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 fingerprint of its certificate as people compare it."""
        return self._certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def issuer(self) -> str:
        """Return its name as it stands in the certificates that it signed."""
        return self._certificate.subject.rfc4514_string()

    @property
    def not_after(self) -> float:
        """Return until when its certificate is valid, UTC POSIX seconds."""
        return self._certificate.not_valid_after_utc.timestamp()

    def private_key(self) -> str:
        """Return its private key (PEM), for the store alone."""
        return _key_text(self._key)

    # -- this host ----------------------------------------------------------------------------------------------------

    def server_certificates(self, names: Iterable[str], *, now: float) -> tuple[KeyPair, ...]:
        """Issue certificates for this host: one on EC, and one on RSA for charge points that know no other. Blocks."""
        keys = (
            ec.generate_private_key(ec.SECP256R1()),
            _new_rsa_key(),
        )
        wanted = list(dict.fromkeys(names))[:MAX_NAMES]
        return tuple(self._server_certificate(key, wanted, now) for key in keys)

    def _server_certificate(
        self, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, names: list[str], now: float
    ) -> KeyPair:
        moment = _moment(now)
        certificate = (
            self._begun(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]), key.public_key())
            .not_valid_before(moment - BACKDATED)
            .not_valid_after(moment + SERVER_FOR)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_usage(enciphers=isinstance(key, rsa.RSAPrivateKey)), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return KeyPair(
            chain=certificate.public_bytes(serialization.Encoding.PEM).decode() + self.certificate,
            key=_key_text(key),
            not_after=certificate.not_valid_after_utc.timestamp(),
        )

    # -- charge points ------------------------------------------------------------------------------------------------

    def sign(self, request: str, allowed: Collection[str], *, now: float) -> IssuedCertificate:
        """Sign the request of a charge point.

        Only its public key is taken over: the subject is the name that it asked for, which has to be one of those
        allowed, and whatever extensions it asks for are left out.

        Raises:
            RequestRefused: the request is broken, weak, or asks for somebody else's name.
        """
        asked = _read_request(request)
        name = _common_name(asked)
        if name not in allowed:
            raise RequestRefused("it asks for another name than that of the charge point")
        moment = _moment(now)
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Charge Cluster"),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        certificate = (
            self._begun(subject, _checked_key(asked))
            .not_valid_before(moment - BACKDATED)
            .not_valid_after(min(moment + CHARGE_POINT_FOR, self._certificate.not_valid_after_utc))
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(_usage(), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return IssuedCertificate(
            chain=certificate.public_bytes(serialization.Encoding.PEM).decode() + self.certificate,
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
            not_before=certificate.not_valid_before_utc.timestamp(),
            not_after=certificate.not_valid_after_utc.timestamp(),
        )

    def _begun(self, subject: x509.Name, key: CertificatePublicKeyTypes) -> x509.CertificateBuilder:
        """Return what all certificates have in common that are signed here."""
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def due_for_renewal(not_before: float, not_after: float, now: float) -> bool:
    """Return whether a certificate should be replaced by now."""
    return now >= not_after - RENEW_BEFORE * (not_after - not_before)


def _read_request(request: str) -> x509.CertificateSigningRequest:
    if len(request) > MAX_REQUEST:
        raise RequestRefused("it is too long")
    try:
        asked = x509.load_pem_x509_csr(request.encode("ascii"))
        algorithm = asked.signature_hash_algorithm
        genuine = asked.is_signature_valid
    except ValueError, TypeError, UnsupportedAlgorithm:
        raise RequestRefused("it cannot be read") from None
    if not genuine:
        raise RequestRefused("its signature is wrong: it does not hold the key")
    if algorithm is None or algorithm.name not in SIGNED_WITH:
        raise RequestRefused("it is signed with a hash that is too weak")
    return asked


def _checked_key(asked: x509.CertificateSigningRequest) -> CertificatePublicKeyTypes:
    try:
        key = asked.public_key()
    except ValueError, UnsupportedAlgorithm:
        raise RequestRefused("its key cannot be read") from None
    if isinstance(key, rsa.RSAPublicKey) and LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES:
        return key
    raise RequestRefused("its key is too weak or of an unknown kind")


def _common_name(asked: x509.CertificateSigningRequest) -> str:
    try:
        names = asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        raise RequestRefused("its subject cannot be read") from None
    if len(names) != 1 or not isinstance(names[0].value, str):
        raise RequestRefused("it has not exactly one common name")
    return names[0].value


def _usage(*, signs_certificates: bool = False, enciphers: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=enciphers,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _new_rsa_key() -> rsa.RSAPrivateKey:
    """Make an RSA key in a process of its own. Blocks.

    Searching for primes holds the interpreter's lock, and with it the event loop, from whatever thread: for 50 ms, or
    half a second on a small machine.
    """
    try:
        made = subprocess.run(  # noqa: S603 - this very interpreter and a constant program
            [sys.executable, "-I", "-c", MAKE_RSA_KEY], capture_output=True, timeout=RSA_PATIENCE_S, check=True
        )
        # It was made a moment ago, and its check would hold the lock as well.
        key = serialization.load_pem_private_key(made.stdout, password=None, unsafe_skip_rsa_key_validation=True)
    except OSError, ValueError, subprocess.SubprocessError:
        key = None
    if isinstance(key, rsa.RSAPrivateKey):
        return key
    return rsa.generate_private_key(public_exponent=65537, key_size=SERVER_RSA_BITS)


def _key_text(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _moment(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC).replace(microsecond=0)
