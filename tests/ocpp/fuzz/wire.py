"""Websocket frames down to the bit, right or wrong."""

from __future__ import annotations

import struct
from itertools import cycle

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = b"\x37\xfa\x21\x3d"


def frame(
    opcode: int,
    content: bytes = b"",
    *,
    last: bool = True,
    reserved: int = 0,
    masked: bool = True,
    said: int | None = None,
) -> bytes:
    """Return a frame as a client sends it.

    Args:
        last: whether the message ends with it.
        reserved: the three reserved bits.
        said: the length that its head tells, if not the real one.
    """
    length = len(content) if said is None else said
    first = (0x80 if last else 0) | reserved << 4 | opcode
    mask = 0x80 if masked else 0
    if length < 126:
        head = struct.pack("!BB", first, mask | length)
    elif length < 65536:
        head = struct.pack("!BBH", first, mask | 126, length)
    else:
        head = struct.pack("!BBQ", first, mask | 127, length)
    return head + (KEY + _masked(content) if masked else content)


def _masked(content: bytes) -> bytes:
    if len(content) < 1000:
        return bytes(byte ^ key for byte, key in zip(content, cycle(KEY)))
    stream = (KEY * (len(content) // 4 + 1))[: len(content)]
    return (int.from_bytes(content) ^ int.from_bytes(stream)).to_bytes(len(content))


def unmasked(raw: bytes) -> bytes:
    """Return the content of a frame, as far as it is told on the first lines of a report."""
    _, second = raw[:2]
    head = 2 + {126: 2, 127: 8}.get(second & 0x7F, 0)
    return _masked(raw[head + len(KEY) :])
