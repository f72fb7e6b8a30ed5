"""A central system on loopback, with everything around it in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from custom_components.charge_cluster.ocpp.listener import CentralSystem
from custom_components.charge_cluster.ocpp.versions import OcppVersion

from .charge_point import ChargePoint
from .charge_point_2 import ChargePoint2
from .raw_client import RawClient
from .surroundings import Door, MemoryJournal, SettableClock, Tags

type Dial = Callable[..., Awaitable[ChargePoint]]
type Dial2 = Callable[..., Awaitable[ChargePoint2]]


@pytest.fixture
async def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def door() -> Door:
    return Door(CP1=None, CP2=None)


@pytest.fixture
def tags() -> Tags:
    return Tags()


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
async def central(journal: MemoryJournal, door: Door, tags: Tags, clock: SettableClock) -> AsyncIterator[CentralSystem]:
    system = CentralSystem(host="127.0.0.1", port=0, doorkeeper=door, journal=journal, authoriser=tags, clock=clock)
    await system.start()
    yield system
    journal.disk.set()
    await system.close()


@pytest.fixture
async def dial(central: CentralSystem) -> AsyncIterator[Dial]:
    """Connect a charge point; it goes with the test."""
    points: list[ChargePoint] = []

    async def connect(identity: str = "CP1", *, password: bytes | None = None) -> ChargePoint:
        client = await RawClient.dial(central.port, f"/ocpp/{identity}", password=password)
        points.append(ChargePoint(client))
        return points[-1]

    yield connect
    for point in points:
        await point.close()


@pytest.fixture
async def dial_2(central: CentralSystem) -> AsyncIterator[Dial2]:
    """Connect a charge point of the second generation; it goes with the test."""
    points: list[ChargePoint2] = []

    async def connect(identity: str = "CP1", *, version: OcppVersion = OcppVersion.V201) -> ChargePoint2:
        client = await RawClient.dial(central.port, f"/ocpp/{identity}", protocols=version.subprotocol)
        points.append(ChargePoint2(client, version=version))
        return points[-1]

    yield connect
    for point in points:
        await point.close()
