"""Certificates that owners bring, and those that the embedded authority issues."""

import time
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from custom_components.charge_cluster.ocpp.security.authority import Authority, RequestRefused, due_for_renewal
from custom_components.charge_cluster.ocpp.security.own import CertificateFault, authorities, own_certificate
from custom_components.charge_cluster.ocpp.security.peer import read_peer_certificate

from .certificates import certified, ec_key, pem_of, request_for, rsa_key

NOW = time.time()


def fault_of(certificate: str, key: str, host: str | None = None) -> CertificateFault:
    with pytest.raises(CertificateFault) as caught:
        own_certificate(certificate, key, now=NOW, host=host)
    return caught.value


@pytest.mark.parametrize("key", [ec_key(), rsa_key()], ids=["EC", "RSA"])
def test_a_certificate_with_its_key_is_taken_as_text(key: object) -> None:
    own = certified(key=key, names=("charging.example", "*.depot.example", "10.0.0.5"))  # type: ignore[arg-type]  # of both kinds

    for host in ("charging.example", "CHARGING.example", "a.depot.example", "10.0.0.5"):
        assert own_certificate(own.pem, own.key, now=NOW, host=host).not_after > NOW


def test_a_certificate_is_taken_from_files(tmp_path: Path) -> None:
    own = certified()
    (tmp_path / "c.pem").write_text("Some text before\n" + own.pem)
    (tmp_path / "k.pem").write_text(own.key)

    pair = own_certificate(str(tmp_path / "c.pem"), str(tmp_path / "k.pem"), now=NOW)

    assert pair.chain == own.pem


def test_a_text_that_lost_its_line_breaks_is_mended() -> None:
    own = certified()

    assert own_certificate(own.pem.replace("\n", " "), own.key.replace("\n", ""), now=NOW).chain == own.pem


def test_the_chain_goes_along() -> None:
    above = certified("Authority", authority=True)
    own = certified(by=above)

    assert own_certificate(own.pem + above.pem, own.key, now=NOW).chain == own.pem + above.pem


def test_what_is_wrong_is_said() -> None:
    own, other = certified(names=("depot.example",)), certified()
    expired = certified(since=timedelta(days=-9), until=timedelta(days=-2))
    future = certified(since=timedelta(days=2))
    small = certified(key=rsa_key(1024))

    assert fault_of(own.pem, other.key).key == "key_does_not_match"
    assert fault_of(expired.pem, expired.key).key == "certificate_expired"
    assert fault_of(future.pem, future.key).key == "certificate_not_yet"
    assert fault_of("nothing of the kind\nat all", own.key).key == "certificate_unreadable"
    assert fault_of(own.pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----").key == "key_unreadable"
    assert fault_of(own.pem, pem_of(ec_key(), b"secret")).key == "key_encrypted"
    assert fault_of(small.pem, small.key).key == "key_unfit"
    missing = fault_of("/nowhere/at/all.pem", own.key)
    assert (missing.key, missing.placeholders["path"]) == ("file_unreadable", "/nowhere/at/all.pem")
    unnamed = fault_of(own.pem, own.key, host="10.0.0.1")
    assert (unnamed.key, unnamed.placeholders) == ("host_not_named", {"host": "10.0.0.1", "names": "depot.example"})


def test_a_wildcard_is_for_one_level_only() -> None:
    own = certified(names=("*.depot.example",))

    assert fault_of(own.pem, own.key, host="a.b.depot.example").key == "host_not_named"
    assert fault_of(own.pem, own.key, host="depot.example").key == "host_not_named"


def test_a_key_is_never_shown() -> None:
    own = certified()
    pair = own_certificate(own.pem, own.key, now=NOW)

    assert "PRIVATE" not in repr(pair)


def test_only_authorities_count_as_such() -> None:
    above, below = certified("Authority", authority=True), certified()

    assert authorities(above.pem) == above.pem
    with pytest.raises(CertificateFault) as caught:
        authorities(below.pem)
    assert caught.value.key == "no_authority"


# The embedded authority ---------------------------------------------------------------------------------------------


def an_authority() -> Authority:
    return Authority.create("Test authority", now=NOW)


def test_the_authority_comes_back_from_the_store() -> None:
    authority = an_authority()
    again = Authority.restore(authority.certificate, authority.private_key())

    assert again.certificate == authority.certificate
    with pytest.raises(ValueError, match="no certificate authority"):
        Authority.restore(authority.certificate, an_authority().private_key())


def test_it_issues_certificates_for_this_host() -> None:
    pairs = an_authority().server_certificates(["10.0.0.5", "homeassistant.local"], now=NOW)

    for pair in pairs:
        assert own_certificate(pair.chain, pair.key, now=NOW, host="10.0.0.5").chain == pair.chain
        assert own_certificate(pair.chain, pair.key, now=NOW, host="homeassistant.local").chain == pair.chain
    assert len(pairs) == 2


@pytest.mark.parametrize("key", [ec_key(), rsa_key()], ids=["EC", "RSA"])
def test_it_signs_for_the_charge_point_that_asks(key: object) -> None:
    authority = an_authority()

    issued = authority.sign(request_for("CP1", key), {"CP1", "SERIAL"}, now=NOW)  # type: ignore[arg-type]  # of both kinds

    leaf = x509.load_pem_x509_certificates(issued.chain.encode())[0]
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate.encode()))
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    read = read_peer_certificate(leaf.public_bytes(serialization.Encoding.DER))
    assert read is not None
    assert (read.fingerprint, read.names, read.issuer) == (issued.fingerprint, frozenset({"CP1"}), authority.issuer)


def test_it_refuses_what_it_should_not_sign() -> None:
    authority = an_authority()
    genuine = request_for("CP1")
    lines = genuine.splitlines()
    lines[-3] = lines[-3][:10] + ("A" if lines[-3][10] != "A" else "B") + lines[-3][11:]

    for request in (
        request_for("CP2"),
        request_for(None),
        request_for("CP1", rsa_key(1024)),
        "\n".join(lines),
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
        "nothing",
        "ü",
        genuine + " " * 6000,
    ):
        with pytest.raises(RequestRefused) as caught:
            authority.sign(request, {"CP1"}, now=NOW)
        assert "CP2" not in str(caught.value)


def test_a_certificate_is_renewed_in_the_last_third_of_its_life() -> None:
    assert not due_for_renewal(0.0, 90.0, 59.0)
    assert due_for_renewal(0.0, 90.0, 60.0)
