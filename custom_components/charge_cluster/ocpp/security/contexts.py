"""What TLS is made of at the port of charge points: certificates, versions, ciphers, and whose certificates count.

A new certificate makes a new context, which counts for whoever dials after it; connections that stand keep theirs.
"""

from __future__ import annotations

import secrets
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from .own import CertificateFault, KeyPair

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
    ":ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"
    ":ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    ":AES128-GCM-SHA256:AES256-GCM-SHA384"
)
"""For TLS 1.2; the four that OCPP demands of a central system are among them. The last two, without forward secrecy,
are for charge points that know nothing better. TLS 1.3 has its own, all of them good."""


def server_context(pairs: Iterable[KeyPair], clients_of: Iterable[str]) -> ssl.SSLContext:
    """Return the context of a port. Blocks.

    Args:
        pairs: certificates for this host, at most one on each kind of key.
        clients_of: authorities (PEM) whose certificates charge points may show. They are asked for one and need not
            have it: who has to is decided at the door, where it can be said why.

    Raises:
        CertificateFault: the library does not take them.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    try:
        context.set_ciphers(CIPHERS)
        for pair in pairs:
            _load(context, pair)
        known = "".join(clients_of)
        if known:
            context.load_verify_locations(cadata=known)
            context.verify_mode = ssl.CERT_OPTIONAL
    except ssl.SSLError as error:
        raise CertificateFault("tls_unfit", cause=error.reason or "unknown") from None
    return context


def _load(context: ssl.SSLContext, pair: KeyPair) -> None:
    """Load a certificate and its key; the library takes files only, so the key is written encrypted."""
    password = secrets.token_bytes(24).hex().encode()
    # It was checked when it was read or made, and the check of an RSA key holds the event loop for a third of a second.
    key = serialization.load_pem_private_key(pair.key.encode(), password=None, unsafe_skip_rsa_key_validation=True)
    sealed = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    with tempfile.TemporaryDirectory(prefix="charge_cluster_") as folder:
        certificate_file, key_file = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        certificate_file.write_text(pair.chain, encoding="ascii")
        key_file.write_bytes(sealed)
        context.load_cert_chain(certificate_file, key_file, password)
