"""A small Modbus TCP server for register images, whose faults can be switched on while it runs.

It answers read holding registers (3) and read input registers (4) of the units that it serves, several clients at a
time, and knows nothing of what the registers mean.
"""

import asyncio
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

HEADER = struct.Struct(">HHHBB")
"""Transaction id, protocol id, length, unit, function code."""

REQUEST = struct.Struct(">HH")
"""First register, count."""

READ_HOLDING, READ_INPUT = 3, 4

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
GATEWAY_TARGET_SILENT = 11

MOST_REGISTERS = 125


class NoSuchRegister(Exception):
    """A register is asked for that the device does not have."""


class Image(Protocol):
    """What a unit answers with."""

    def read(self, function: int, address: int, count: int) -> list[int]:
        """Return registers as unsigned 16-bit numbers.

        Raises:
            NoSuchRegister: one of them does not exist for this function.
        """


@dataclass(slots=True, kw_only=True)
class WireFaults:
    """What the server does wrong just now."""

    silent: bool = False
    """Takes requests and answers none."""
    answers_late_s: float = 0.0
    """Real seconds."""
    short_by: int = 0
    """Answers with so many registers fewer than were asked for."""
    wrong_transaction: bool = False
    """Answers under another request's transaction id."""
    exception: int | None = None
    """Answers everything with this exception code."""
    closes: bool = False
    """Closes the connection in place of each answer."""


class ModbusServer:
    """A listening Modbus TCP server."""

    def __init__(self, units: Mapping[int, Image]) -> None:
        """Serve these units; unknown ones are answered as a gateway would, with exception 11."""
        self.faults = WireFaults()
        self.tally: Counter[str] = Counter()
        self.port = 0
        self._host = ""
        self._units = units
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0: any free one, which `port` then tells."""
        self._server = await asyncio.start_server(self._serve, host, port)
        self._host = host
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and end all connections."""
        if self._server is None:
            return
        self._server.close()
        self.disconnect()
        await self._server.wait_closed()
        self._server = None

    async def restart(self) -> None:
        """Come back on the same port."""
        if self._server is None:
            await self.start(self._host, self.port)

    def disconnect(self) -> None:
        """End all connections."""
        for client in tuple(self._clients):
            client.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        self.tally["connections"] += 1
        try:
            while True:
                header = HEADER.unpack(await reader.readexactly(HEADER.size))
                body = await reader.readexactly(max(0, header[2] - 2))
                if header[1] != 0:
                    return
                self.tally["requests"] += 1
                if not await self._answer(writer, header, body):
                    return
        except asyncio.IncompleteReadError, ConnectionError:
            return
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, header: tuple[int, ...], body: bytes) -> bool:
        """Answer one request; return whether the connection goes on."""
        faults = self.faults
        if faults.closes:
            return False
        if faults.silent:
            return True
        if faults.answers_late_s > 0.0:
            await asyncio.sleep(faults.answers_late_s)
        transaction, _, _, unit, function = header
        answer = self._pdu(unit, function, body)
        if faults.wrong_transaction:
            transaction = (transaction + 1) & 0xFFFF
        writer.write(HEADER.pack(transaction, 0, len(answer) + 1, unit, answer[0]) + answer[1:])
        await writer.drain()
        return True

    def _pdu(self, unit: int, function: int, body: bytes) -> bytes:
        image = self._units.get(unit)
        if image is None:
            return bytes((function | 0x80, GATEWAY_TARGET_SILENT))
        if self.faults.exception is not None:
            return bytes((function | 0x80, self.faults.exception))
        if function not in (READ_HOLDING, READ_INPUT):
            return bytes((function | 0x80, ILLEGAL_FUNCTION))
        if len(body) != REQUEST.size:
            return bytes((function | 0x80, ILLEGAL_VALUE))
        address, count = REQUEST.unpack(body)
        if not 1 <= count <= MOST_REGISTERS:
            return bytes((function | 0x80, ILLEGAL_VALUE))
        try:
            registers = image.read(function, address, count)
        except NoSuchRegister:
            return bytes((function | 0x80, ILLEGAL_ADDRESS))
        registers = registers[: max(0, count - self.faults.short_by)]
        return bytes((function, 2 * len(registers))) + struct.pack(f">{len(registers)}H", *registers)
