"""One guarded pymodbus link per endpoint, shared by all units behind it.

The library is used for one request at a time and never trusted to recover: no hidden retries, no reconnection of its
own, and the connection is dropped on any doubt: the late answer of a serial device would otherwise be taken for that to
the next question. A reply with another number of registers than asked is a fault. Cancellation is honoured
even where the library swallows it (pymodbus 3.13).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum

from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

TIMEOUT_S = 2.0
MOST_REGISTERS = 125
BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Waits before connection attempts after so many failures in a row."""

HOLDING, INPUT = 3, 4
"""Function codes."""

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2


class Framing(StrEnum):
    """How requests are framed on the TCP connection."""

    TCP = "tcp"
    RTU = "rtu"
    """Modbus RTU through a transparent serial gateway."""


class LinkFault(Exception):
    """Nothing usable came back; `key` names the fault: unreachable, timeout, short_reply or link."""

    def __init__(self, key: str, detail: str) -> None:
        super().__init__(detail)
        self.key = key
        self.detail = detail


class DeviceFault(Exception):
    """The device answered with a Modbus exception."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code}")
        self.code = code


class ModbusLink:
    """One TCP endpoint."""

    def __init__(self, host: str, port: int, *, framing: Framing = Framing.TCP, timeout_s: float = TIMEOUT_S) -> None:
        """Prepare; the connection is made at the first request."""
        self.host = host
        self.port = port
        self._framer = FramerType.RTU if framing is Framing.RTU else FramerType.SOCKET
        self._timeout_s = timeout_s
        self._lock = asyncio.Lock()
        self._client: AsyncModbusTcpClient | None = None
        self._failures = 0
        self._not_before = 0.0
        self.connections = 0
        """How many connections were made: who read over one of them may meet another device over the next."""

    async def read(self, function: int, address: int, count: int, unit: int) -> list[int]:
        """Return registers (`function` 3: holding, 4: input).

        Raises:
            LinkFault: no connection, no answer, or one that is not ours.
            DeviceFault: the device refused.
            ValueError: more registers than a request can have.
        """
        if not 1 <= count <= MOST_REGISTERS:
            raise ValueError(f"{count} registers cannot be read at once")
        async with self._lock:
            client = await self._connected()
            task = asyncio.current_task()
            before = 0 if task is None else task.cancelling()
            ask = client.read_holding_registers if function == HOLDING else client.read_input_registers
            try:
                async with asyncio.timeout(2 * self._timeout_s + 0.2):
                    reply = await ask(address, count=count, device_id=unit)
            except (ModbusException, OSError, TimeoutError) as error:
                self._drop()
                if task is not None and task.cancelling() > before:
                    raise asyncio.CancelledError from error
                raise LinkFault("timeout", f"no usable answer from {self.host}:{self.port}: {error}") from error
            except asyncio.CancelledError:
                self._drop()
                raise
            if reply.function_code & 0x7F != function:
                self._drop()
                raise LinkFault("link", f"the answer to another request: function {reply.function_code}")
            if reply.isError():
                raise DeviceFault(int(getattr(reply, "exception_code", 0)))
            registers: list[int] = list(reply.registers)
            if len(registers) != count:
                self._drop()
                raise LinkFault("short_reply", f"{len(registers)} registers instead of {count}")
            return registers

    async def close(self) -> None:
        """Close the connection."""
        async with self._lock:
            self._drop()

    def drop_now(self) -> None:
        """Close the connection without waiting for a request under way, which then fails."""
        self._drop()

    async def _connected(self) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        self._drop()
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before:
            raise LinkFault("unreachable", f"{self.host}:{self.port} was not reachable a moment ago")
        client = AsyncModbusTcpClient(
            self.host, port=self.port, framer=self._framer, timeout=self._timeout_s, retries=0, reconnect_delay=0
        )
        task = asyncio.current_task()
        before = 0 if task is None else task.cancelling()
        fault = "no answer"
        try:
            async with asyncio.timeout(self._timeout_s + 0.5):
                connected = await client.connect()
        except (ModbusException, OSError, TimeoutError) as error:
            client.close()
            if task is not None and task.cancelling() > before:
                raise asyncio.CancelledError from error
            connected, fault = False, str(error) or fault
        except asyncio.CancelledError:
            client.close()
            raise
        if not connected:
            client.close()
            self._not_before = loop.time() + BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
            self._failures += 1
            raise LinkFault("unreachable", f"{self.host}:{self.port} cannot be reached: {fault}")
        self._failures = 0
        self.connections += 1
        self._client = client
        return client

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class ModbusLinks:
    """The links of an installation, one per endpoint, closed by the last user."""

    def __init__(self) -> None:
        """Begin without links."""
        self._links: dict[tuple[str, int, Framing], tuple[ModbusLink, int]] = {}

    def acquire(self, host: str, port: int, framing: Framing = Framing.TCP) -> tuple[ModbusLink, Callable[[], None]]:
        """Return the link to an endpoint and what gives it back."""
        key = (host, port, framing)
        link, users = self._links.get(key, (None, 0))
        if link is None:
            link = ModbusLink(host, port, framing=framing)
        self._links[key] = (link, users + 1)
        given_back = False

        def release() -> None:
            nonlocal given_back
            if given_back:
                return
            given_back = True
            kept, left = self._links.get(key, (link, 1))
            if left > 1:
                self._links[key] = (kept, left - 1)
                return
            self._links.pop(key, None)
            kept.drop_now()

        return link, release

    async def close(self) -> None:
        """Close every link."""
        links = [link for link, _ in self._links.values()]
        self._links.clear()
        for link in links:
            await link.close()
