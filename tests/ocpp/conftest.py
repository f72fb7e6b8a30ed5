"""A central system on loopback, with everything around it in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from custom_components.charge_cluster.ocpp.listener import CentralSystem

from .charge_point import ChargePoint
from .raw_client import RawClient
from .surroundings import Door, MemoryJournal, SettableClock, Tags

type Dial = Callable[..., Awaitable[ChargePoint]]


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
