"""Values out of registers: what was put in comes out, and the marks for "no value" are none."""

import math
import struct

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.modbus.values import NoValue, RegisterType, WordOrder, decode, text

CODES = {
    RegisterType.INT16: ">h",
    RegisterType.UINT16: ">H",
    RegisterType.INT32: ">i",
    RegisterType.UINT32: ">I",
    RegisterType.ACC32: ">I",
    RegisterType.FLOAT32: ">f",
}
RANGES = {
    RegisterType.INT16: st.integers(-(2**15) + 1, 2**15 - 1),
    RegisterType.UINT16: st.integers(0, 2**16 - 2),
    RegisterType.INT32: st.integers(-(2**31) + 1, 2**31 - 1),
    RegisterType.UINT32: st.integers(0, 2**32 - 2),
    RegisterType.ACC32: st.integers(0, 2**32 - 1),
    RegisterType.FLOAT32: st.floats(width=32, allow_nan=False, allow_infinity=False),
}
VALUES = st.sampled_from(RegisterType).flatmap(lambda kind: st.tuples(st.just(kind), RANGES[kind]))


def registers(kind: RegisterType, value: float, order: WordOrder = WordOrder.BIG) -> list[int]:
    raw = struct.pack(CODES[kind], value)
    words = list(struct.unpack(f">{len(raw) // 2}H", raw))
    return words if order is WordOrder.BIG else words[::-1]


@given(value=VALUES, order=st.sampled_from(WordOrder))
def test_what_was_put_in_comes_out(value: tuple[RegisterType, float], order: WordOrder) -> None:
    kind, number = value
    words = registers(kind, number, order)
    assert len(words) == kind.registers
    assert decode(words, kind, order) == number


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (RegisterType.INT16, [0x8000]),
        (RegisterType.UINT16, [0xFFFF]),
        (RegisterType.INT32, [0x8000, 0x0000]),
        (RegisterType.UINT32, [0xFFFF, 0xFFFF]),
        (RegisterType.FLOAT32, registers(RegisterType.FLOAT32, math.nan)),
        (RegisterType.FLOAT32, registers(RegisterType.FLOAT32, math.inf)),
        (RegisterType.FLOAT32, registers(RegisterType.FLOAT32, -math.inf)),
        (RegisterType.FLOAT32, [0xFFFF, 0xFFFF]),
    ],
    ids=str,
)
def test_the_marks_for_no_value_are_no_value(kind: RegisterType, words: list[int]) -> None:
    with pytest.raises(NoValue):
        decode(words, kind)
    with pytest.raises(NoValue):
        decode(words[::-1], kind, WordOrder.LITTLE)


@given(words=st.lists(st.integers(0, 0xFFFF), min_size=2, max_size=2))
def test_any_registers_are_a_finite_number_or_no_value(words: list[int]) -> None:
    for kind in RegisterType:
        try:
            assert math.isfinite(decode(words[: kind.registers], kind))
        except NoValue:
            continue


def test_text_ends_at_its_padding() -> None:
    assert text([0x4142, 0x4300, 0x4445]) == "ABC"
    assert text([0x2041, 0x4220, 0x2020]) == "AB"
    assert text([0xFFFF]) == "ÿÿ"
    assert text([]) == ""
