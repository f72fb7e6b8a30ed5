"""Register values: types, word order, scale and the marks that say "no value"."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from enum import StrEnum


class RegisterType(StrEnum):
    """How a value lies in registers; bytes inside a register always come high first."""

    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    ACC32 = "acc32"
    FLOAT32 = "float32"

    @property
    def registers(self) -> int:
        """Return how many registers a value takes."""
        return 1 if self in {RegisterType.INT16, RegisterType.UINT16} else 2


class WordOrder(StrEnum):
    """Which register of a longer value comes first."""

    BIG = "big"
    LITTLE = "little"


NOT_IMPLEMENTED = {
    RegisterType.INT16: 0x8000,
    RegisterType.UINT16: 0xFFFF,
    RegisterType.INT32: 0x8000_0000,
    RegisterType.UINT32: 0xFFFF_FFFF,
}
"""SunSpec's marks for a value that the device does not have."""


class NoValue(Exception):
    """The device has no value here, or one that is no number."""


def decode(registers: Sequence[int], kind: RegisterType, order: WordOrder = WordOrder.BIG) -> float:
    """Return the raw value. Raises NoValue."""
    words = list(registers)
    if order is WordOrder.LITTLE:
        words.reverse()
    raw = 0
    for word in words:
        raw = raw << 16 | word
    if raw == NOT_IMPLEMENTED.get(kind):
        raise NoValue(f"{kind} is marked as not implemented")
    if kind is RegisterType.FLOAT32:
        value: float = struct.unpack(">f", raw.to_bytes(4, "big"))[0]
        if not math.isfinite(value):
            raise NoValue("the device gives no number")
        return value
    bits = 16 * kind.registers
    if kind in {RegisterType.INT16, RegisterType.INT32} and raw >= 1 << (bits - 1):
        raw -= 1 << bits
    return float(raw)


def text(registers: Sequence[int]) -> str:
    """Return text, two characters a register, without padding."""
    characters = b"".join(register.to_bytes(2, "big") for register in registers)
    return characters.split(b"\x00")[0].decode("latin-1").strip()
