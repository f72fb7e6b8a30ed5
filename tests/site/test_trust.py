"""Whom the installation trusts: certificates that it gave out, and those that it took back."""

import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from custom_components.charge_cluster.ocpp.security.authority import RequestRefused
from custom_components.charge_cluster.ocpp.security.own import CertificateFault
from custom_components.charge_cluster.ocpp.security.peer import PeerCertificate, read_peer_certificate
from custom_components.charge_cluster.site.settings import ChargePointSettings
from custom_components.charge_cluster.site.trust import MAX_PER_CHARGE_POINT, MemoryTrustStore, Trust
from tests.ocpp.certificates import certified, request_for
from tests.ocpp.surroundings import SettableClock

DAY_S = 24 * 3600.0


@pytest.fixture
def store() -> MemoryTrustStore:
    return MemoryTrustStore()


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
async def trust(store: MemoryTrustStore, clock: SettableClock) -> Trust:
    return await Trust.open(store, clock)


def a_point(identity: str, *, key: str) -> ChargePointSettings:
    return ChargePointSettings(
        charge_point_id=identity, name=identity, identity=identity, circuit_id="supply", connectors=(), key=key
    )


async def given(trust: Trust, identity: str) -> PeerCertificate:
    """Give a charge point a certificate and return what it then shows."""
    issued = await trust.give(identity, {identity}, request_for(identity))
    authority = await trust.authority()
    return PeerCertificate(
        fingerprint=issued.fingerprint,
        names=frozenset({identity}),
        issuer=authority.issuer,
        not_after=issued.not_after,
    )


async def test_a_certificate_proves_its_own_charge_point_only(trust: Trust) -> None:
    shown = await given(trust, "CP1")

    assert trust.proves("CP1", shown)
    assert not trust.proves("CP2", shown)


async def test_all_of_it_is_there_after_a_restart(trust: Trust, store: MemoryTrustStore, clock: SettableClock) -> None:
    shown, lost = await given(trust, "CP1"), await given(trust, "CP2")
    trust.forget("CP2")
    await trust.expect_key("CP1", "next-key")
    await trust.close()

    kept = json.loads(json.dumps(store.kept))
    again = MemoryTrustStore()
    again.kept = kept
    after = await Trust.open(again, clock)

    assert (await after.authority()).certificate == (await trust.authority()).certificate
    assert after.proves("CP1", shown)
    assert after.is_revoked(lost)
    next_key = after.next_key(a_point("CP1", key="old-key"))
    assert next_key is not None
    assert next_key.key == "next-key"
    assert "next-key" not in repr(next_key)
    assert after.next_key(a_point("CP1", key="next-key")) is None


async def test_what_is_not_remembered_is_not_believed(trust: Trust, clock: SettableClock) -> None:
    """A store that was lost or rolled back takes certificates with it that were given since."""
    shown = await given(trust, "CP1")
    without = MemoryTrustStore()
    authority = await trust.authority()
    without.kept = {"authority": {"certificate": authority.certificate, "key": authority.private_key()}}
    after = await Trust.open(without, clock)

    assert not after.proves("CP1", shown)


async def test_a_removed_charge_point_is_refused_for_good(trust: Trust) -> None:
    shown = await given(trust, "CP1")

    trust.forget("CP1")

    assert not trust.proves("CP1", shown)
    assert trust.is_revoked(shown)
    assert trust.proves("CP1", await given(trust, "CP1"))
    assert not trust.proves("CP1", shown)


async def test_the_one_before_counts_until_the_new_one_is_used(trust: Trust, clock: SettableClock) -> None:
    first = await given(trust, "CP1")
    clock.ahead_s += 600 * DAY_S
    second = await given(trust, "CP1")
    assert trust.proves("CP1", first)
    assert trust.proves("CP1", second)

    trust.came_with("CP1", first)
    assert trust.proves("CP1", second)
    trust.came_with("CP1", second)
    assert not trust.proves("CP1", first)
    assert trust.proves("CP1", second)


async def test_a_charge_point_that_asks_again_and_again_keeps_a_few(trust: Trust, clock: SettableClock) -> None:
    shown = []
    for _ in range(MAX_PER_CHARGE_POINT + 3):
        shown.append(await given(trust, "CP1"))
        clock.ahead_s += 60.0

    assert [trust.proves("CP1", each) for each in shown] == [False] * 3 + [True] * MAX_PER_CHARGE_POINT


async def test_it_does_not_outlive_its_date(trust: Trust, clock: SettableClock) -> None:
    shown = await given(trust, "CP1")
    assert not trust.renewal_due(shown)

    clock.ahead_s += 500 * DAY_S
    assert trust.renewal_due(shown)
    assert trust.proves("CP1", shown)
    clock.ahead_s += 300 * DAY_S
    assert not trust.proves("CP1", shown)


async def test_certificates_of_the_owners_authority_count_by_their_name(trust: Trust) -> None:
    await trust.authority()
    above = certified("Owner", authority=True)
    leaf = certified("CP1", by=above, names=())
    shown = read_peer_certificate(leaf.certificate.public_bytes(Encoding.DER))
    assert shown is not None

    assert trust.proves("CP1", shown)
    assert not trust.proves("CP2", shown)
    trust.forget("CP1", shown)
    assert not trust.proves("CP1", shown)


async def test_nothing_is_signed_for_another_name(trust: Trust) -> None:
    with pytest.raises(RequestRefused):
        await trust.give("CP1", {"CP1"}, request_for("CP2"))
    assert trust.given_to("CP1") is None


async def test_no_authority_is_made_while_the_clock_is_wrong(trust: Trust, clock: SettableClock) -> None:
    clock.right = False
    with pytest.raises(CertificateFault):
        await trust.authority()

    clock.right = True
    assert (await trust.authority()).not_after > clock.time() + 20 * 365 * DAY_S


async def test_an_authority_that_cannot_be_read_is_made_anew(clock: SettableClock) -> None:
    broken = MemoryTrustStore()
    broken.kept = {"authority": {"certificate": "no", "key": "no"}}

    assert (await (await Trust.open(broken, clock)).authority()).certificate
