"""Peers that are slow, half-hearted or greedy before they have said who they are, and those that do not read."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest

from custom_components.charge_cluster.ocpp import entrance, listener
from custom_components.charge_cluster.ocpp.listener import CentralSystem, Wire
from custom_components.charge_cluster.ocpp.security.contexts import server_context

from .certificates import an_authority, client_context, pairs_of
from .raw_client import PING, RawClient, Refused
from .surroundings import Door, MemoryJournal, SettableClock, Tags


@pytest.fixture
async def system(clock: SettableClock) -> AsyncIterator[CentralSystem]:
    system = CentralSystem(
        host="127.0.0.1",
        port=0,
        doorkeeper=Door(CP1=None, CP2=b"right-key"),
        journal=MemoryJournal(),
        authoriser=Tags(),
        clock=clock,
    )
    await system.start()
    authority = an_authority()
    await system.rewire(Wire(tls=server_context(pairs_of(authority), [])))
    yield system
    await system.close()


async def ended(reader: asyncio.StreamReader) -> bool:
    """Wait until the other side has hung up."""
    try:
        async with asyncio.timeout(10):
            while await reader.read(65536):
                pass
    except ConnectionError:
        pass
    return True


HALF_A_HANDSHAKE = bytes([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
HALF_A_REQUEST = b"GET /CP1 HTTP/1.1\r\nHost: here\r\nX-Slow: "


@pytest.mark.parametrize("word", [b"", HALF_A_HANDSHAKE, HALF_A_REQUEST], ids=["silent", "handshake", "headers"])
async def test_whoever_does_not_come_to_the_point_is_sent_away(
    system: CentralSystem, clock: SettableClock, word: bytes
) -> None:
    well_behaved = await RawClient.dial(system.port, "/CP1")
    reader, writer = await asyncio.open_connection("127.0.0.1", system.port)
    writer.write(word)
    await writer.drain()
    await asyncio.sleep(0.1)

    clock.ahead_s += entrance.ARRIVAL_PATIENCE_S

    assert await ended(reader)
    assert await well_behaved.is_served()


async def test_headers_that_trickle_in_gain_no_time(system: CentralSystem, clock: SettableClock) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", system.port)
    writer.write(HALF_A_REQUEST)

    async def trickle() -> None:
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.05)

    trickling = asyncio.ensure_future(trickle())
    await asyncio.sleep(0.2)
    clock.ahead_s += entrance.ARRIVAL_PATIENCE_S
    assert await ended(reader)
    trickling.cancel()


async def test_a_refused_peer_cannot_keep_its_socket(system: CentralSystem, clock: SettableClock) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", system.port)
    writer.write(b"GET /CP1 HTTP/1.1\r\nHost: here\r\n\r\n")
    assert b" 404 " in await reader.readline()

    clock.ahead_s += entrance.ARRIVAL_PATIENCE_S

    assert await ended(reader)


async def test_one_address_has_a_bounded_number_on_their_way_in(
    system: CentralSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrance, "MAX_ARRIVING_PER_ADDRESS", 5)
    loitering = [await asyncio.open_connection("127.0.0.1", system.port) for _ in range(5)]
    await asyncio.sleep(0.1)

    reader, _ = await asyncio.open_connection("127.0.0.1", system.port)
    assert await ended(reader)
    for _, writer in loitering:
        writer.close()
    await asyncio.sleep(0.1)
    assert await (await RawClient.dial(system.port, "/CP1")).is_served()


async def test_a_full_entrance_makes_room_at_the_cost_of_the_greediest(
    system: CentralSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrance, "MAX_ARRIVING", 5)
    monkeypatch.setattr(entrance, "MAX_ARRIVING_PER_ADDRESS", 5)
    loop = asyncio.get_running_loop()
    greedy = []
    for _ in range(5):
        raw = socket.socket()
        raw.setblocking(False)
        raw.bind(("127.0.0.2", 0))
        await loop.sock_connect(raw, ("127.0.0.1", system.port))
        greedy.append(raw)
    await asyncio.sleep(0.1)

    assert await (await RawClient.dial(system.port, "/CP1")).is_served()
    assert await loop.sock_recv(greedy[0], 1) == b""
    for raw in greedy:
        raw.close()


async def test_an_address_that_knocks_too_often_is_sent_away(
    system: CentralSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    await system.close()
    monkeypatch.setattr(entrance, "KNOCKS_BURST", 3.0)
    monkeypatch.setattr(entrance, "KNOCKS_PER_S", 0.001)
    await system.start()
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", system.port)
        writer.close()

    reader, _ = await asyncio.open_connection("127.0.0.1", system.port)
    assert await ended(reader)


async def test_who_fails_often_waits_and_who_is_right_does_not(
    system: CentralSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "FAILURE_DELAY_S", 1.0)

    async def fail() -> float:
        began = time.monotonic()
        with pytest.raises(Refused):
            await RawClient.dial(system.port, "/CP2", password=b"wrong-key")
        return time.monotonic() - began

    for _ in range(int(listener.FAILURES_BURST)):
        await fail()
    late = asyncio.ensure_future(fail())
    await asyncio.sleep(0.05)
    client = await RawClient.dial(system.port, "/CP2", password=b"right-key")

    assert await client.is_served()
    assert not late.done()
    assert await late >= 1.0


@pytest.mark.parametrize("over_tls", [False, True])
async def test_a_peer_that_does_not_read_is_hung_up_on(
    clock: SettableClock, monkeypatch: pytest.MonkeyPatch, over_tls: bool
) -> None:
    monkeypatch.setattr(listener, "MAX_UNREAD_BYTES", 32 * 1024)
    system = CentralSystem(
        host="127.0.0.1",
        port=0,
        doorkeeper=Door(CP1=None),
        journal=MemoryJournal(),
        authoriser=Tags(),
        clock=clock,
        inbound_rate_per_s=1e6,
    )
    await system.start()
    tls = None
    if over_tls:
        authority = an_authority()
        await system.rewire(Wire(plain=False, tls=server_context(pairs_of(authority), [])))
        tls = client_context(authority.certificate)
    client = await RawClient.dial(system.port, "/CP1", tls=tls)

    async def pour() -> None:
        content = b"x" * 120
        while True:
            await client.send_frame(PING, content)

    pouring = asyncio.ensure_future(pour())
    async with asyncio.timeout(60):
        while system.brought("CP1") is not None:
            clock.ahead_s += 2.0
            await asyncio.sleep(0.5)
    pouring.cancel()
    await asyncio.gather(pouring, return_exceptions=True)
    await system.close()
