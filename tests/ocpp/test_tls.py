"""Charge points that dial in over TLS, at real sockets: with the owner's certificate, with the embedded authority's."""

import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from custom_components.charge_cluster.ocpp.listener import CentralSystem, Wire
from custom_components.charge_cluster.ocpp.protocols import Admission, Credentials
from custom_components.charge_cluster.ocpp.security.contexts import server_context
from custom_components.charge_cluster.ocpp.security.own import own_certificate

from .certificates import (
    an_authority,
    certified,
    client_context,
    ec_key,
    pairs_of,
    pem_of,
    request_for,
    rsa_key,
)
from .raw_client import RawClient, Refused
from .surroundings import Door, MemoryJournal, SettableClock, Tags


class Ledger(Door):
    """A door that remembers what was brought to it, and believes certificates by their fingerprints."""

    def __init__(self) -> None:
        super().__init__(CP1=b"right-key", CP2=None)
        self.brought: list[Credentials] = []
        self.certificates: dict[str, str] = {}
        self.only_encrypted = False

    def admit(self, identity: str, brought: Credentials) -> Admission:
        self.brought.append(brought)
        if self.only_encrypted and not brought.secure:
            return Admission.NOT_ENCRYPTED
        if brought.certificate is not None:
            right = self.certificates.get(brought.certificate.fingerprint) == identity
            return Admission.WELCOME if right else Admission.CERTIFICATE_REFUSED
        return super().admit(identity, brought)


@pytest.fixture
def gatekeeper() -> Ledger:
    return Ledger()


@pytest.fixture
async def system(gatekeeper: Ledger) -> AsyncIterator[CentralSystem]:
    system = CentralSystem(
        host="127.0.0.1",
        port=0,
        doorkeeper=gatekeeper,
        journal=MemoryJournal(),
        authoriser=Tags(),
        clock=SettableClock(),
    )
    await system.start()
    yield system
    await system.close()


async def test_the_owners_certificate_serves_chargers_that_trust_it(system: CentralSystem, gatekeeper: Ledger) -> None:
    own = certified()
    pair = own_certificate(own.pem, own.key, now=time.time(), host="127.0.0.1")
    await system.rewire(Wire(plain=False, tls=server_context([pair], [])))

    client = await RawClient.dial(system.port, "/CP1", password=b"right-key", tls=client_context(own.pem))

    assert await client.is_served()
    assert gatekeeper.brought[-1].secure
    with pytest.raises(ssl.SSLCertVerificationError):
        await RawClient.dial(system.port, "/CP1", password=b"right-key", tls=client_context(certified().pem))


async def test_one_port_takes_both_and_a_charger_moves_over_when_it_is_told(
    system: CentralSystem, gatekeeper: Ledger
) -> None:
    authority = an_authority()
    before = await RawClient.dial(system.port, "/CP2")
    await system.rewire(Wire(plain=True, tls=server_context(pairs_of(authority), [authority.certificate])))

    assert await before.is_served()  # nobody was interrupted
    plain = await RawClient.dial(system.port, "/CP1", password=b"right-key")
    assert await plain.is_served()
    assert [brought.secure for brought in gatekeeper.brought[-1:]] == [False]
    moved = await RawClient.dial(system.port, "/CP1", password=b"right-key", tls=client_context(authority.certificate))
    assert await moved.is_served()
    assert gatekeeper.brought[-1].secure
    assert await plain.closed() == 1000  # the newest connection wins


async def test_tls_may_have_a_port_of_its_own(system: CentralSystem) -> None:
    authority = an_authority()
    context = server_context(pairs_of(authority), [])
    await system.rewire(Wire(plain=True, tls=context, tls_port=0))
    port = system.tls_port
    assert port is not None
    assert port != system.port

    over_tls = await RawClient.dial(port, "/CP1", password=b"right-key", tls=client_context(authority.certificate))
    plain = await RawClient.dial(system.port, "/CP2")
    assert await over_tls.is_served()
    assert await plain.is_served()

    await system.rewire(Wire(plain=True, tls=context))
    assert await over_tls.is_served()  # the port is shut, the connection stands
    with pytest.raises(ConnectionError):
        await RawClient.dial(port, "/CP1", tls=client_context(authority.certificate))


async def test_where_only_tls_is_taken_a_plain_charger_does_not_get_in(system: CentralSystem) -> None:
    authority = an_authority()
    await system.rewire(Wire(plain=False, tls=server_context(pairs_of(authority), [])))

    with pytest.raises((ConnectionError, IndexError)):
        await RawClient.dial(system.port, "/CP2")


async def test_a_new_certificate_counts_for_those_who_come_after_it(system: CentralSystem) -> None:
    first, second = an_authority(), an_authority()
    await system.rewire(Wire(tls=server_context(pairs_of(first), [])))
    standing = await RawClient.dial(system.port, "/CP2", tls=client_context(first.certificate))

    await system.rewire(Wire(tls=server_context(pairs_of(second), [])))

    assert await standing.is_served()
    after = await RawClient.dial(system.port, "/CP1", password=b"right-key", tls=client_context(second.certificate))
    assert await after.is_served()
    with pytest.raises(ssl.SSLCertVerificationError):
        await RawClient.dial(system.port, "/CP2", tls=client_context(first.certificate))


@pytest.mark.parametrize(
    "ciphers", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "AES128-GCM-SHA256"]
)
async def test_chargers_of_either_kind_of_cryptography_are_served(system: CentralSystem, ciphers: str) -> None:
    authority = an_authority()
    await system.rewire(Wire(tls=server_context(pairs_of(authority), [])))
    context = client_context(authority.certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)

    assert await (await RawClient.dial(system.port, "/CP2", tls=context)).is_served()


async def test_what_is_older_than_tls_1_2_is_refused(system: CentralSystem) -> None:
    authority = an_authority()
    await system.rewire(Wire(tls=server_context(pairs_of(authority), [])))
    context = client_context(authority.certificate)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises((ssl.SSLError, ConnectionError)):
        await RawClient.dial(system.port, "/CP2", tls=context)


@pytest.mark.parametrize("kind", ["EC", "RSA"])
async def test_a_charger_proves_itself_by_its_certificate(
    system: CentralSystem, gatekeeper: Ledger, tmp_path: Path, kind: str
) -> None:
    authority = an_authority()
    await system.rewire(Wire(plain=False, tls=server_context(pairs_of(authority), [authority.certificate])))
    key = ec_key() if kind == "EC" else rsa_key()
    issued = authority.sign(request_for("CP1", key), {"CP1"}, now=time.time())
    gatekeeper.certificates[issued.fingerprint] = "CP1"
    context = client_context(authority.certificate, (issued.chain, pem_of(key)), tmp_path)

    client = await RawClient.dial(system.port, "/CP1", tls=context)

    assert await client.is_served()
    shown = gatekeeper.brought[-1].certificate
    assert shown is not None
    assert (shown.names, shown.fingerprint) == (frozenset({"CP1"}), issued.fingerprint)
    with pytest.raises(Refused) as refused:
        await RawClient.dial(system.port, "/CP2", tls=context)
    assert refused.value.status == 403


async def test_a_certificate_of_somebody_unknown_ends_the_handshake(system: CentralSystem, tmp_path: Path) -> None:
    authority, stranger = an_authority(), an_authority()
    await system.rewire(Wire(plain=False, tls=server_context(pairs_of(authority), [authority.certificate])))
    key = ec_key()
    forged = stranger.sign(request_for("CP1", key), {"CP1"}, now=time.time())
    context = client_context(authority.certificate, (forged.chain, pem_of(key)), tmp_path)

    with pytest.raises((ssl.SSLError, ConnectionError, IndexError)):
        await RawClient.dial(system.port, "/CP1", password=b"right-key", tls=context)


async def test_who_has_to_come_encrypted_is_told_so(system: CentralSystem, gatekeeper: Ledger) -> None:
    gatekeeper.only_encrypted = True

    with pytest.raises(Refused) as refused:
        await RawClient.dial(system.port, "/CP1", password=b"right-key")

    assert refused.value.status == 403
    assert system.turned_away == {"CP1": Admission.NOT_ENCRYPTED}


def test_the_keys_files_are_gone_when_the_context_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    server_context(pairs_of(an_authority()), [])

    assert list(tmp_path.iterdir()) == []
