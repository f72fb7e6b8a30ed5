"""Certificates of owners and charge points for tests, made the way their tools make them."""

import ipaddress
import ssl
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from custom_components.charge_cluster.ocpp.security.authority import Authority
from custom_components.charge_cluster.ocpp.security.own import KeyPair

type PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def pem_of(key: PrivateKey, password: bytes | None = None) -> str:
    sealed: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        sealed = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed).decode()


def an_authority(name: str = "Test authority") -> Authority:
    """Return an embedded authority as it is when it was just made."""
    return Authority.create(name, now=time.time())


def pairs_of(authority: Authority) -> Sequence[KeyPair]:
    """Return what an authority has the loopback show to charge points."""
    return authority.server_certificates(["127.0.0.1"], now=time.time())


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """A certificate with its key."""

    certificate: x509.Certificate
    private: PrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key(self) -> str:
        return pem_of(self.private)


def certified(
    common_name: str = "127.0.0.1",
    *,
    names: tuple[str, ...] = ("127.0.0.1",),
    by: Certified | None = None,
    key: PrivateKey | None = None,
    authority: bool = False,
    since: timedelta = timedelta(days=-1),
    until: timedelta = timedelta(days=90),
) -> Certified:
    """Return a certificate, signed by itself unless an authority is named."""
    private = key if key is not None else ec_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    general: list[x509.GeneralName] = []
    for name in names:
        try:
            general.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            general.append(x509.DNSName(name))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + since)
        .not_valid_after(now + until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if general:
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    return Certified(certificate=builder.sign(private if by is None else by.private, hashes.SHA256()), private=private)


def request_for(name: str | None, key: PrivateKey | None = None) -> str:
    """Return a signing request (PEM)."""
    attributes = [] if name is None else [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    return request.sign(key or ec_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def serving_context(own: Certified) -> ssl.SSLContext:
    """Return what a port serves TLS with that knows nobody's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(own.pem + own.key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def client_context(trusted: str, own: tuple[str, str] | None = None, folder: Path | None = None) -> ssl.SSLContext:
    """Return what a charge point dials with: whom it trusts, and its own certificate (chain and key) if it has one."""
    context = ssl.create_default_context(cadata=trusted)
    if own is not None:
        assert folder is not None
        chain, key = folder / "own.pem", folder / "own.key"
        chain.write_text(own[0])
        key.write_text(own[1])
        context.load_cert_chain(chain, key)
    return context
