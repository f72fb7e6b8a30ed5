"""The certificates that a charge point holds, and the key that it has signed for itself.

Roots are known by the hashes that OCPP names them with (RFC 6960: SHA-256 of the issuer's name and key, and the serial
number). The charge point's own key never leaves this room but for what it dials with.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

MOST_INSTALLED = 10

type HashData = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A certificate that others are checked against."""

    kind: str
    certificate: x509.Certificate

    @property
    def hash_data(self) -> HashData:
        """Return what OCPP names it by."""
        key = self.certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return {
            "hashAlgorithm": "SHA256",
            "issuerNameHash": sha256(self.certificate.issuer.public_bytes()).hexdigest(),
            "issuerKeyHash": sha256(_bit_string(key)).hexdigest(),
            "serialNumber": f"{self.certificate.serial_number:x}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCertificate:
    """What the charge point proves with who it is."""

    chain: tuple[x509.Certificate, ...]
    """Its own certificate first."""
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def not_after(self) -> float:
        """Return until when it counts, in UTC POSIX seconds."""
        return self.chain[0].not_valid_after_utc.timestamp()


class Certificates:
    """All certificates of one charge point; they survive a loss of power."""

    def __init__(self) -> None:
        """Begin without any."""
        self._roots: list[Root] = []
        self._next_key: ec.EllipticCurvePrivateKey | None = None
        """Of the request that is under way; the certificate in use keeps its own."""
        self._own: OwnCertificate | None = None

    @property
    def own(self) -> OwnCertificate | None:
        """Return the charge point's own certificate; None: it has none."""
        return self._own

    def installed(self, kinds: Iterable[str] = ()) -> list[Root]:
        """Return the roots of some kinds, of all kinds where none is named."""
        wanted = set(kinds)
        return [root for root in self._roots if not wanted or root.kind in wanted]

    def install(self, kind: str, pem: str) -> str:
        """Take a root; return the status of the answer."""
        try:
            root = Root(kind=kind, certificate=x509.load_pem_x509_certificate(pem.encode()))
        except ValueError:
            return "Rejected"
        kept = [one for one in self._roots if one.hash_data != root.hash_data or one.kind != kind]
        if len(kept) >= MOST_INSTALLED:
            return "Failed"
        self._roots = [*kept, root]
        return "Accepted"

    def delete(self, hash_data: HashData) -> str:
        """Remove the root that hashes name; return the status of the answer."""
        named = {name: str(value).lower() for name, value in hash_data.items()}
        left = [root for root in self._roots if _named(root) != named]
        if len(left) == len(self._roots):
            return "NotFound"
        self._roots = left
        return "Accepted"

    def request(self, name: str, organisation: str) -> str:
        """Make a new key and return the request for its certificate, as PEM."""
        key = self._next_key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64]),
                x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organisation[:64] or "Simulated"),
            ]
        )
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        return request.public_bytes(serialization.Encoding.PEM).decode()

    def take_signed(self, chain: str) -> str:
        """Take the certificate for the key that was made last; return the status of the answer."""
        try:
            certificates = tuple(x509.load_pem_x509_certificates(chain.encode()))
        except ValueError:
            return "Rejected"
        key = self._next_key
        if key is None or certificates[0].public_key() != key.public_key():
            return "Rejected"
        if not all(_issued(above, below) for below, above in pairwise(certificates)):
            return "Rejected"
        self._own, self._next_key = OwnCertificate(chain=certificates, key=key), None
        return "Accepted"


def _named(root: Root) -> dict[str, str]:
    return {name: value.lower() for name, value in root.hash_data.items()}


def _issued(above: x509.Certificate, below: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
    except ValueError, TypeError, InvalidSignature:
        return False
    return True


def _bit_string(key_info: bytes) -> bytes:
    """Return the bare key inside a SubjectPublicKeyInfo: all that follows the header of its BIT STRING."""
    algorithm = _after_header(key_info, 0)
    bits = algorithm + _length(key_info, algorithm)
    return key_info[_after_header(key_info, bits) + 1 :]


def _after_header(der: bytes, at: int) -> int:
    return at + 2 + (der[at + 1] & 0x7F if der[at + 1] & 0x80 else 0)


def _length(der: bytes, at: int) -> int:
    """Return how long an element is, its header included."""
    start = _after_header(der, at)
    body = der[at + 1] if start == at + 2 else int.from_bytes(der[at + 2 : start])
    return start - at + body
