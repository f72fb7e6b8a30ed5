"""A server that answers with the bytes that a test gives it, and images whose registers a test writes."""

import asyncio
import struct
from collections.abc import Callable, Mapping
from typing import Self

from simulator.modbus_server import NoSuchRegister

REQUEST = struct.Struct(">HHHBBHH")
"""Transaction id, protocol id, length, unit, function code, first register, count."""

type Answer = Callable[["Request"], bytes]


class Request:
    """A request as it came, and what could be answered to it."""

    def __init__(self, frame: bytes) -> None:
        self.transaction, _, _, self.unit, self.function, self.address, self.count = REQUEST.unpack(frame)

    def answered(
        self,
        registers: list[int] | None = None,
        *,
        transaction: int | None = None,
        unit: int | None = None,
        function: int | None = None,
    ) -> bytes:
        """Return an answer with these registers (as many as were asked for where none are given)."""
        values = [self.address + n for n in range(self.count)] if registers is None else registers
        pdu = bytes((self.function if function is None else function, 2 * len(values)))
        pdu += struct.pack(f">{len(values)}H", *values)
        return framed(
            pdu,
            transaction=self.transaction if transaction is None else transaction,
            unit=self.unit if unit is None else unit,
        )

    def refused(self, code: int) -> bytes:
        """Return an exception."""
        return framed(bytes((self.function | 0x80, code)), transaction=self.transaction, unit=self.unit)


def framed(pdu: bytes, *, transaction: int, unit: int) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


class WireServer:
    """Listens on loopback; `answer` gives the bytes to each request; while `gate` is clear none is sent."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.gate = asyncio.Event()
        self.gate.set()
        self.requests: asyncio.Queue[Request] = asyncio.Queue()
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.disconnect()
        await self._server.wait_closed()

    def disconnect(self) -> None:
        """End all connections."""
        for client in tuple(self._clients):
            client.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._clients.add(writer)
        try:
            while True:
                request = Request(await reader.readexactly(REQUEST.size))
                self.requests.put_nowait(request)
                await self.gate.wait()
                writer.write(self.answer(request))
                await writer.drain()
        except asyncio.IncompleteReadError, ConnectionError:
            return
        finally:
            self._clients.discard(writer)
            writer.close()


class Registers:
    """A unit whose registers a test writes, for one function code."""

    def __init__(self, function: int, registers: Mapping[int, int]) -> None:
        self.function = function
        self.registers = dict(registers)

    def read(self, function: int, address: int, count: int) -> list[int]:
        wanted = range(address, address + count)
        if function != self.function or any(register not in self.registers for register in wanted):
            raise NoSuchRegister
        return [self.registers[register] for register in wanted]


def chain(base: int, *models: tuple[int, list[int]]) -> dict[int, int]:
    """Return a SunSpec map: the marker, models with their registers, the end."""
    words = [0x5375, 0x6E53]
    for number, content in models:
        words += [number, len(content), *content]
    words += [0xFFFF, 0]
    return {base + offset: word for offset, word in enumerate(words)}
