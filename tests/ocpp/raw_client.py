"""A websocket client of our own, down to the bytes: it can do everything that a charge point should not."""

import asyncio
import base64
import json
import os
import ssl
import struct
from typing import Any, Self

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Refused(Exception):
    """The handshake was answered with something else than 101."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers


class _Inbox(asyncio.StreamReader):
    """What came before the other side reset the connection can still be read."""

    def set_exception(self, exc: Exception) -> None:
        self.feed_eof()


class RawClient:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str]) -> None:
        self._reader = reader
        self._writer = writer
        self.headers = headers
        self.pings = 0
        self.close_code: int | None = None
        self._number = 0

    @classmethod
    async def dial(
        cls,
        port: int,
        path: str,
        *,
        protocols: str | None = "ocpp1.6",
        password: bytes | None = None,
        user: str | None = None,
        extensions: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        loop = asyncio.get_running_loop()
        reader = _Inbox(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(lambda: protocol, "127.0.0.1", port, ssl=tls)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: here",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        ]
        if protocols is not None:
            lines.append(f"Sec-WebSocket-Protocol: {protocols}")
        if extensions is not None:
            lines.append(f"Sec-WebSocket-Extensions: {extensions}")
        if password is not None:
            name = user if user is not None else path.rsplit("/", 1)[-1]
            lines.append("Authorization: Basic " + base64.b64encode(name.encode() + b":" + password).decode())
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = int((await reader.readline()).split()[1])
        headers: dict[str, str] = {}
        while (line := (await reader.readline()).strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        if status != 101:
            writer.close()
            raise Refused(status, headers)
        return cls(reader, writer, headers)

    async def send_frame(self, opcode: int, content: bytes) -> None:
        mask = os.urandom(4)
        length = len(content)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
        elif length < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, length)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(content)) if length < 100_000 else None
        if masked is None:
            key = int.from_bytes((mask * (length // 4 + 1))[:length])
            masked = (int.from_bytes(content) ^ key).to_bytes(length)
        self._writer.write(head + mask + masked)
        await self._writer.drain()

    async def send_bytes(self, raw: bytes) -> None:
        self._writer.write(raw)
        await self._writer.drain()

    async def send(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self.send_frame(TEXT, text.encode())

    async def receive(self) -> Any:
        """Return the next message, or None when the connection has ended."""
        while True:
            try:
                first, second = await self._reader.readexactly(2)
                length = second & 0x7F
                if length == 126:
                    (length,) = struct.unpack("!H", await self._reader.readexactly(2))
                elif length == 127:
                    (length,) = struct.unpack("!Q", await self._reader.readexactly(8))
                content = await self._reader.readexactly(length)
            except asyncio.IncompleteReadError, ConnectionError:
                return None
            match first & 0x0F:
                case 1:
                    return json.loads(content)
                case 8:
                    self.close_code = struct.unpack("!H", content[:2])[0] if len(content) >= 2 else None
                    return None
                case 9:
                    self.pings += 1
                    await self.send_frame(PONG, content)
                case 10:
                    return "pong"

    async def call(self, action: str, payload: Any, message_id: Any = None) -> Any:
        """Send a call and return the answer's frame; calls from the other side are not expected meanwhile."""
        self._number += 1
        message_id = message_id if message_id is not None else f"m{self._number}"
        await self.send([2, message_id, action, payload])
        answer = await self.receive()
        assert answer is not None, f"the connection ended with {self.close_code}"
        assert answer[1] == message_id, answer
        return answer

    async def is_served(self) -> bool:
        """Return whether a heartbeat is answered, whatever is asked meanwhile."""
        await self.send([2, "heartbeat", "Heartbeat", {}])
        while (message := await self.receive()) is not None:
            if message[1] == "heartbeat":
                return bool(message[0] == 3)
        return False

    async def closed(self) -> int | None:
        """Read until the connection has ended and return the close code."""
        while await self.receive() is not None:
            pass
        return self.close_code

    def abort(self) -> None:
        """Be gone without a word."""
        self._writer.transport.abort()
