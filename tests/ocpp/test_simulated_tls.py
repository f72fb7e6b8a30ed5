"""Simulated charge points of every version at the listener over TLS: by keys, and by certificates of their own."""

import time
from collections.abc import AsyncIterator, Collection
from datetime import timedelta

import pytest

from custom_components.charge_cluster.ocpp.listener import CentralSystem, Wire
from custom_components.charge_cluster.ocpp.protocols import Admission, Credentials
from custom_components.charge_cluster.ocpp.security import authority as authorities
from custom_components.charge_cluster.ocpp.security.contexts import server_context
from simulator import Scenario, SimClock, SimulatedSite
from simulator.charge_point import ChargePointSpec, ConnectorSpec, OcppVersion
from simulator.charge_point.spec import Security
from simulator.physics import CircuitSpec, OutletSpec

from .certificates import an_authority, pairs_of
from .surroundings import MemoryJournal, SettableClock, Tags

KEY = "0123456789abcdef"


class House:
    """Lets in who comes over TLS with the key or with a certificate that was given out here, and gives them out."""

    def __init__(self) -> None:
        self.authority = an_authority()
        self.given: list[str] = []
        self.shown: list[str | None] = []
        """What those showed that came in: the fingerprints of certificates; None: the key."""

    def admit(self, identity: str, brought: Credentials) -> Admission:
        if not brought.secure:
            return Admission.NOT_ENCRYPTED
        if brought.certificate is not None:
            if brought.certificate.fingerprint not in self.given or identity not in brought.certificate.names:
                return Admission.CERTIFICATE_REFUSED
            self.shown.append(brought.certificate.fingerprint)
            return Admission.WELCOME if brought.password is None else Admission.WRONG_KEY
        if brought.password != KEY.encode():
            return Admission.WRONG_KEY
        self.shown.append(None)
        return Admission.WELCOME

    def version(self, identity: str) -> None:
        """Speak any version with anybody."""

    async def certify(self, identity: str, names: Collection[str], request: str) -> str:
        signed = self.authority.sign(request, names, now=time.time())
        self.given.append(signed.fingerprint)
        return signed.chain


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def system(house: House) -> AsyncIterator[CentralSystem]:
    system = CentralSystem(
        host="127.0.0.1",
        port=0,
        doorkeeper=house,
        journal=MemoryJournal(),
        authoriser=Tags(),
        clock=SettableClock(),
        certifier=house,
    )
    await system.start()
    context = server_context(pairs_of(house.authority), [house.authority.certificate])
    await system.rewire(Wire(plain=True, tls=context))
    yield system
    await system.close()


@pytest.fixture(params=list(OcppVersion))
def version(request: pytest.FixtureRequest) -> OcppVersion:
    return OcppVersion(request.param)


def a_site(version: OcppVersion, security: Security) -> SimulatedSite:
    point = ChargePointSpec(
        identity="CP1",
        serial="CP1",
        connectors=(ConnectorSpec(number=1, outlet_id="CP1/1"),),
        version=version,
        key=KEY,
        security=security,
        boot_s=0.1,
    )
    return SimulatedSite(
        Scenario(
            name="one",
            circuits=(CircuitSpec(circuit_id="supply", name="Supply", rating_a=(100.0,) * 3),),
            outlets=(OutletSpec(outlet_id="CP1/1", circuit_id="supply"),),
            charge_points=(point,),
        ),
        clock=SimClock(factor=5.0),
    )


@pytest.fixture
async def sites() -> AsyncIterator[list[SimulatedSite]]:
    running: list[SimulatedSite] = []
    yield running
    for site in running:
        await site.stop()


async def dialled(
    sites: list[SimulatedSite], system: CentralSystem, version: OcppVersion, security: Security, trusted: str | None
) -> SimulatedSite:
    site = a_site(version, security)
    sites.append(site)
    await site.start(f"ws://127.0.0.1:{system.port}/ocpp", trusted=trusted)
    return site


async def test_a_charge_point_comes_over_tls_with_its_key_where_it_knows_the_authority(
    sites: list[SimulatedSite], system: CentralSystem, house: House, version: OcppVersion
) -> None:
    astray = await dialled(sites, system, version, Security.TLS, an_authority("Other").certificate)
    await astray.until(lambda: astray.charge_points["CP1"].tally["connections refused"] > 0)
    assert house.shown == []

    site = await dialled(sites, system, version, Security.TLS, house.authority.certificate)

    await site.all_accepted()
    assert house.shown == [None]
    shown, _ = site.charge_points["CP1"].configuration.shown(["SecurityProfile"])
    assert [setting["value"] for setting in shown] == ["2"]


async def test_it_asks_for_a_certificate_comes_back_with_it_and_renews_it(
    sites: list[SimulatedSite],
    system: CentralSystem,
    house: House,
    version: OcppVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("simulator.charge_point.encryption.ASK_AGAIN_S", 1.0)
    monkeypatch.setattr("custom_components.charge_cluster.ocpp.security.enrolment.AGAIN_AFTER_S", 0.0)
    monkeypatch.setattr(authorities, "CHARGE_POINT_FOR", timedelta(days=29))
    site = await dialled(sites, system, version, Security.CERTIFICATE, house.authority.certificate)

    await site.until(lambda: len(house.shown) >= 2)
    assert house.shown[:2] == [None, house.given[0]]

    # It runs out within a month: another is asked for over the connection that the first one opened.
    monkeypatch.setattr(authorities, "CHARGE_POINT_FOR", timedelta(days=730))
    await site.until(lambda: house.shown[-1] not in {None, house.given[0]})
    await site.until(lambda: site.charge_points["CP1"].connected)
    asked = len(house.given)
    await site.clock.sleep(3.0)
    assert house.shown[-1] == house.given[-1]
    assert len(house.given) - asked <= 1  # one may have been under way
    own = site.charge_points["CP1"].certificates.own
    assert own is not None
    assert own.not_after > time.time() + 700 * 86_400
