"""The guarded link: one request at a time, dropped on any doubt, never the answer to another question."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

import pytest
from pymodbus.framer.rtu import FramerRTU

from custom_components.charge_cluster.modbus.link import (
    HOLDING,
    INPUT,
    MOST_REGISTERS,
    DeviceFault,
    Framing,
    LinkFault,
    ModbusLink,
    ModbusLinks,
)
from simulator.modbus_server import ModbusServer

from .wire import Registers, Request, WireServer, framed

TIMEOUT_S = 0.15


@pytest.fixture
async def server() -> AsyncIterator[ModbusServer]:
    """A device whose holding registers hold their own address, and one with input registers."""
    own_address = {address: address for address in range(200)}
    server = ModbusServer({1: Registers(HOLDING, own_address), 2: Registers(INPUT, own_address)})
    await server.start("127.0.0.1", 0)
    yield server
    await server.stop()


@pytest.fixture
async def link(server: ModbusServer) -> AsyncIterator[ModbusLink]:
    link = ModbusLink("127.0.0.1", server.port, timeout_s=TIMEOUT_S)
    yield link
    await link.close()


async def fault_of(link: ModbusLink, *, unit: int = 1) -> str:
    with pytest.raises(LinkFault) as caught:
        await link.read(HOLDING, 0, 2, unit)
    return caught.value.key


# What is asked is answered ------------------------------------------------------------------------------------------


async def test_registers_are_read_over_one_connection(server: ModbusServer, link: ModbusLink) -> None:
    assert await link.read(HOLDING, 5, 3, 1) == [5, 6, 7]
    assert await link.read(INPUT, 100, 1, 2) == [100]
    assert (server.tally["connections"], link.connections) == (1, 1)


@pytest.mark.parametrize("count", [0, -1, MOST_REGISTERS + 1])
async def test_more_than_a_request_can_have_is_not_asked(server: ModbusServer, link: ModbusLink, count: int) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        await link.read(HOLDING, 0, count, 1)
    assert server.tally["requests"] == 0


async def test_the_most_that_a_request_can_have_is_read(link: ModbusLink) -> None:
    assert len(await link.read(HOLDING, 0, MOST_REGISTERS, 1)) == MOST_REGISTERS


async def test_a_refusal_is_told_with_its_code_and_keeps_the_connection(server: ModbusServer, link: ModbusLink) -> None:
    with pytest.raises(DeviceFault) as caught:
        await link.read(HOLDING, 5000, 2, 1)
    assert caught.value.code == 2
    server.faults.exception = 6
    with pytest.raises(DeviceFault, match="6"):
        await link.read(HOLDING, 0, 2, 1)
    server.faults.exception = None
    assert await link.read(HOLDING, 0, 2, 1) == [0, 1]
    assert server.tally["connections"] == 1


async def test_registers_come_through_a_serial_gateway_too() -> None:
    def answer(request: bytes) -> bytes:
        unit, function, address, count, _crc = struct.unpack(">BBHHH", request)
        values = struct.pack(f">{count}H", *range(address, address + count))
        pdu = bytes((unit, function, len(values))) + values
        return pdu + FramerRTU.compute_CRC(pdu).to_bytes(2, "big")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                writer.write(answer(await reader.readexactly(8)))
        writer.close()

    gateway = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with gateway:
        port = gateway.sockets[0].getsockname()[1]
        link = ModbusLink("127.0.0.1", port, framing=Framing.RTU, timeout_s=TIMEOUT_S)
        assert await link.read(HOLDING, 7, 2, 3) == [7, 8]
        await link.close()


# Any doubt ends the connection --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "value", "key"),
    [
        ("silent", True, "timeout"),
        ("closes", True, "timeout"),
        ("wrong_transaction", True, "timeout"),
        ("short_by", 1, "short_reply"),
        ("short_by", 2, "short_reply"),
    ],
)
async def test_what_cannot_be_trusted_ends_the_connection_and_the_next_read_is_good(
    server: ModbusServer, link: ModbusLink, fault: str, value: object, key: str
) -> None:
    await link.read(HOLDING, 0, 2, 1)
    setattr(server.faults, fault, value)
    assert await fault_of(link) == key
    setattr(server.faults, fault, type(value)())
    assert await link.read(HOLDING, 0, 2, 1) == [0, 1]
    assert server.tally["connections"] == 2


async def test_a_late_answer_is_not_taken_for_that_to_the_next_question() -> None:
    # Like a serial device behind a gateway it has no transaction id to tell its answers apart.
    async with WireServer(lambda request: request.answered(transaction=0)) as slow:
        link = ModbusLink("127.0.0.1", slow.port, timeout_s=TIMEOUT_S)
        assert await link.read(HOLDING, 1, 2, 1) == [1, 2]
        slow.gate.clear()
        late = asyncio.create_task(link.read(HOLDING, 10, 2, 1))
        next_one = asyncio.create_task(link.read(HOLDING, 20, 2, 1))
        with pytest.raises(LinkFault):
            await late
        slow.gate.set()
        assert await next_one == [20, 21]
        assert slow.connections == 2
        await link.close()


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(lambda request: request.answered(unit=9), id="another unit"),
        pytest.param(lambda request: request.answered(transaction=request.transaction + 7), id="another transaction"),
        pytest.param(lambda request: request.answered(function=INPUT), id="another function"),
        pytest.param(lambda request: request.answered(function=0x17), id="a function that also has registers"),
        pytest.param(lambda request: request.answered([1, 2, 3]), id="more registers"),
        pytest.param(lambda request: request.answered([]), id="no registers"),
        pytest.param(lambda request: request.answered()[:-1], id="cut off"),
        pytest.param(lambda _request: b"HTTP/1.1 400 Bad Request\r\n\r\n", id="another protocol"),
        pytest.param(lambda _request: bytes(40), id="zeros"),
        pytest.param(
            lambda request: framed(b"\x03\xff\x00\x01", transaction=request.transaction, unit=1), id="a false length"
        ),
        pytest.param(
            lambda request: framed(b"\x03\x03\x00\x01\x02", transaction=request.transaction, unit=1),
            id="half a register",
        ),
        pytest.param(lambda request: framed(b"\x03", transaction=request.transaction, unit=1), id="a bare function"),
        pytest.param(lambda request: framed(b"\x6f\x01", transaction=request.transaction, unit=1), id="no function"),
    ],
)
async def test_the_answer_of_a_stranger_is_never_believed(stranger: object) -> None:
    async with WireServer(lambda request: request.answered()) as server:
        link = ModbusLink("127.0.0.1", server.port, timeout_s=TIMEOUT_S)
        assert await link.read(HOLDING, 30, 2, 1) == [30, 31]
        server.answer = stranger  # type: ignore[assignment] # parametrize forgets types
        await fault_of(link)
        server.answer = Request.answered
        assert await link.read(HOLDING, 40, 2, 1) == [40, 41]
        assert server.connections == 2
        await link.close()


async def test_an_answer_in_pieces_is_put_together() -> None:
    async with WireServer(lambda request: request.answered()[:5]) as server:
        link = ModbusLink("127.0.0.1", server.port, timeout_s=2.0)
        reading = asyncio.create_task(link.read(HOLDING, 30, 2, 1))
        request = await server.requests.get()
        (client,) = server._clients
        client.write(request.answered()[5:])
        assert await reading == [30, 31]
        await link.close()


# One at a time ------------------------------------------------------------------------------------------------------


async def test_only_one_request_is_under_way(server: ModbusServer) -> None:
    async with WireServer(Request.answered) as slow:
        link = ModbusLink("127.0.0.1", slow.port, timeout_s=2.0)
        slow.gate.clear()
        reads = [asyncio.create_task(link.read(HOLDING, address, 1, 1)) for address in (1, 2, 3)]
        assert (await slow.requests.get()).address == 1
        assert slow.requests.empty()
        slow.gate.set()
        assert await asyncio.gather(*reads) == [[1], [2], [3]]
        assert slow.connections == 1
        await link.close()


async def test_a_read_that_is_cancelled_is_cancelled_and_leaves_no_answer_behind() -> None:
    async with WireServer(Request.answered) as slow:
        link = ModbusLink("127.0.0.1", slow.port, timeout_s=2.0)
        slow.gate.clear()
        reading = asyncio.create_task(link.read(HOLDING, 1, 1, 1))
        await slow.requests.get()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert reading.cancelled()
        slow.gate.set()
        assert await link.read(HOLDING, 2, 1, 1) == [2]
        assert slow.connections == 2
        await link.close()


async def test_a_deadline_of_the_caller_holds() -> None:
    async with WireServer(Request.answered) as slow:
        link = ModbusLink("127.0.0.1", slow.port, timeout_s=5.0)
        slow.gate.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await link.read(HOLDING, 1, 1, 1)
        slow.gate.set()
        assert await link.read(HOLDING, 2, 1, 1) == [2]
        await link.close()


async def test_one_that_waits_its_turn_can_be_cancelled_without_disturbing_who_is_asking() -> None:
    async with WireServer(Request.answered) as slow:
        link = ModbusLink("127.0.0.1", slow.port, timeout_s=2.0)
        slow.gate.clear()
        asking = asyncio.create_task(link.read(HOLDING, 1, 1, 1))
        await slow.requests.get()
        waiting = asyncio.create_task(link.read(HOLDING, 2, 1, 1))
        await asyncio.sleep(0)  # it has begun to wait
        waiting.cancel()
        slow.gate.set()
        assert await asking == [1]
        assert (await asyncio.gather(waiting, return_exceptions=True))[0].__class__ is asyncio.CancelledError
        assert slow.connections == 1
        await link.close()


# Nobody there -------------------------------------------------------------------------------------------------------


async def test_nobody_there_is_said_and_not_asked_all_the_time(server: ModbusServer, link: ModbusLink) -> None:
    await server.stop()
    assert await fault_of(link) == "unreachable"
    assert await fault_of(link) == "unreachable"
    with pytest.raises(LinkFault, match="a moment ago"):
        await link.read(HOLDING, 0, 1, 1)
    await server.restart()
    link._not_before = 0.0  # the moment is over
    assert await link.read(HOLDING, 0, 1, 1) == [0]


async def test_a_device_that_went_and_came_back_is_found_again(server: ModbusServer, link: ModbusLink) -> None:
    assert await link.read(HOLDING, 0, 1, 1) == [0]
    await server.stop()
    assert await fault_of(link) in {"timeout", "unreachable"}
    await server.restart()
    assert await link.read(HOLDING, 0, 1, 1) == [0]
    assert link.connections == 2


# Shared links -------------------------------------------------------------------------------------------------------


async def test_an_endpoint_has_one_link_until_its_last_user_gives_it_back(server: ModbusServer) -> None:
    links = ModbusLinks()
    first, release_first = links.acquire("127.0.0.1", server.port)
    second, release_second = links.acquire("127.0.0.1", server.port)
    other, release_other = links.acquire("127.0.0.1", server.port, Framing.RTU)
    assert first is second
    assert other is not first
    await first.read(HOLDING, 0, 1, 1)
    release_first()
    release_first()
    assert await second.read(HOLDING, 1, 1, 1) == [1]
    assert server.tally["connections"] == 1, "who is left keeps the connection"
    release_second()
    third, release_third = links.acquire("127.0.0.1", server.port)
    assert third is not first
    release_third()
    release_other()
    await links.close()


async def test_closing_all_ends_the_connections() -> None:
    async with WireServer(Request.answered) as server:
        links = ModbusLinks()
        link, release = links.acquire("127.0.0.1", server.port)
        await link.read(HOLDING, 0, 1, 1)
        (client,) = server._clients
        await links.close()
        await client.wait_closed()
        release()
