"""Charge points of every version ask for certificates, change their keys and tell security events, at real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from typing import Any

import pytest

from custom_components.charge_cluster.ocpp.conversation import KeyOutcome, NotReachable, Refused, Report
from custom_components.charge_cluster.ocpp.listener import CentralSystem
from custom_components.charge_cluster.ocpp.security.authority import RequestRefused
from custom_components.charge_cluster.ocpp.security.enrolment import Given
from custom_components.charge_cluster.ocpp.versions import OcppVersion

from .certificates import an_authority, request_for
from .charge_point import ChargePoint
from .charge_point_2 import ChargePoint2
from .raw_client import RawClient
from .surroundings import Door, MemoryJournal, SettableClock, Tags

OFFERS = {OcppVersion.V16: "ocpp1.6", OcppVersion.V201: "ocpp2.0.1", OcppVersion.V21: "ocpp2.1"}
TRIGGERS = {
    OcppVersion.V16: ("ExtendedTriggerMessage", "SignChargePointCertificate"),
    OcppVersion.V201: ("TriggerMessage", "SignChargingStationCertificate"),
    OcppVersion.V21: ("TriggerMessage", "SignChargingStationCertificate"),
}


class Signer:
    """Signs with an authority, under the names that it is given."""

    def __init__(self) -> None:
        self.authority = an_authority()
        self.names: list[frozenset[str]] = []
        self.refuses = False

    async def certify(self, identity: str, names: Collection[str], request: str) -> str:
        assert identity == "CP1"
        self.names.append(frozenset(names))
        if self.refuses:
            raise RequestRefused("not today")
        return self.authority.sign(request, names, now=time.time()).chain


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.fixture(params=list(OFFERS), ids=[version.value for version in OFFERS])
def version(request: pytest.FixtureRequest) -> OcppVersion:
    wanted: OcppVersion = request.param
    return wanted


@pytest.fixture
async def system(signer: Signer, clock: SettableClock) -> AsyncIterator[CentralSystem]:
    system = CentralSystem(
        host="127.0.0.1",
        port=0,
        doorkeeper=Door(CP1=None),
        journal=MemoryJournal(),
        authoriser=Tags(),
        clock=clock,
        certifier=signer,
    )
    await system.start()
    yield system
    await system.close()


@pytest.fixture
async def point(system: CentralSystem, version: OcppVersion) -> AsyncIterator[ChargePoint]:
    """A charge point that has booted and is set up."""
    heard: asyncio.Queue[Report] = asyncio.Queue()
    system.conversation("CP1").listen(heard.put_nowait)
    client = await RawClient.dial(system.port, "/CP1", protocols=OFFERS[version])
    point = ChargePoint(client) if version is OcppVersion.V16 else ChargePoint2(client, version=version)
    action, _ = TRIGGERS[version]
    point.answers[action] = lambda _: {"status": "Accepted"}
    point.answers["CertificateSigned"] = lambda _: {"status": "Accepted"}
    await point.boot()
    async with asyncio.timeout(20):
        while not system.conversation("CP1").online:
            await heard.get()
    yield point
    await point.close()


async def asked(point: ChargePoint, **payload: Any) -> Any:
    """Ask for a certificate and return the answer."""
    return (await point.tell("SignCertificate", payload))[2]


async def test_a_request_is_signed_and_the_certificate_is_brought(
    system: CentralSystem, point: ChargePoint, version: OcppVersion, signer: Signer
) -> None:
    partner = system.conversation("CP1")
    given = partner.enrolment.next_given()
    await partner.request_certificate()
    action, message = TRIGGERS[version]
    assert {"requestedMessage": message} in [payload for name, payload in point.asked if name == action]

    assert await asked(point, csr=request_for("CP1")) == {"status": "Accepted"}

    brought = await point.was_asked("CertificateSigned")
    assert signer.authority.certificate in brought["certificateChain"]
    assert await asyncio.wait_for(given, 10) is Given.ACCEPTED
    assert "CP1" in signer.names[0]


async def test_the_serial_number_that_it_tells_is_a_name_of_it_too(point: ChargePoint, signer: Signer) -> None:
    if not isinstance(point, ChargePoint2):
        pytest.skip("it tells none")

    await asked(point, csr=request_for("S1"))

    assert await point.was_asked("CertificateSigned")
    assert signer.names == [frozenset({"CP1", "S1"})]


async def test_a_kind_of_certificate_is_repeated_and_those_for_vehicles_are_refused(point: ChargePoint) -> None:
    if not isinstance(point, ChargePoint2):
        pytest.skip("there is one kind only")

    assert await asked(point, csr="x", certificateType="V2GCertificate") == {"status": "Rejected"}
    await asked(point, csr=request_for("CP1"), certificateType="ChargingStationCertificate")
    assert (await point.was_asked("CertificateSigned"))["certificateType"] == "ChargingStationCertificate"


async def test_what_is_not_signed_is_not_brought(system: CentralSystem, point: ChargePoint, signer: Signer) -> None:
    signer.refuses = True
    given = system.conversation("CP1").enrolment.next_given()

    assert await asked(point, csr=request_for("CP1")) == {"status": "Accepted"}

    assert await asyncio.wait_for(given, 10) is Given.NOT_SIGNED
    assert not point.calls("CertificateSigned")


async def test_one_that_will_not_ask_is_told(system: CentralSystem, point: ChargePoint, version: OcppVersion) -> None:
    action, _ = TRIGGERS[version]
    point.answers[action] = lambda _: {"status": "NotImplemented"}

    with pytest.raises(Refused):
        await system.conversation("CP1").request_certificate()
    del point.answers[action]
    with pytest.raises(Refused):
        await system.conversation("CP1").request_certificate()


async def test_nobody_asks_one_that_is_away(system: CentralSystem) -> None:
    partner = system.conversation("CP1")

    with pytest.raises(NotReachable):
        await partner.request_certificate()
    with pytest.raises(NotReachable):
        await partner.change_key("00112233445566778899")


async def test_a_key_is_taken(system: CentralSystem, point: ChargePoint) -> None:
    assert await system.conversation("CP1").change_key("00112233445566778899") is KeyOutcome.TAKEN

    told = str(point.asked)
    assert "AuthorizationKey" in told or "BasicAuthPassword" in told
