"""The frame parser: tolerant, bounded, and never surprised."""

import json

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.ocpp.frames import (
    MAX_FRAME_BYTES,
    Call,
    CallError,
    CallResult,
    ErrorCode,
    FrameFault,
    encode_call,
    encode_error,
    encode_result,
    parse,
)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def parsed_or_fault(frame: str | bytes) -> Call | CallResult | CallError | FrameFault:
    try:
        return parse(frame)
    except FrameFault as fault:
        return fault


@given(st.text() | st.binary())
def test_any_text_is_a_message_or_a_fault(frame: str | bytes) -> None:
    parsed_or_fault(frame)


@given(st.lists(ANYTHING, max_size=6))
def test_any_json_list_is_a_message_or_a_fault(parts: list[object]) -> None:
    parsed_or_fault(json.dumps(parts))


@given(st.sampled_from([2, 3, 4]), st.lists(ANYTHING, min_size=1, max_size=4))
def test_near_messages_are_messages_or_faults(kind: int, rest: list[object]) -> None:
    parsed_or_fault(json.dumps([kind, *rest]))


def test_a_call_is_read() -> None:
    assert parse('[2,"19","Heartbeat",{}]') == Call("19", "Heartbeat", {})


def test_a_call_survives_the_round_trip() -> None:
    assert parse(encode_call("a", "Reset", {"type": "Soft"})) == Call("a", "Reset", {"type": "Soft"})


def test_an_answer_survives_the_round_trip() -> None:
    assert parse(encode_result(17, {"status": "Accepted"})) == CallResult(17, {"status": "Accepted"})


@pytest.mark.parametrize("message_id", [7, 7.5, "8", "x" * 128])
def test_odd_message_ids_are_repeated_as_they_came(message_id: object) -> None:
    message = parse(json.dumps([2, message_id, "Heartbeat", {}]))
    assert message.message_id == message_id
    assert json.loads(encode_result(message.message_id, {}))[1] == message_id


def test_extra_elements_and_a_null_payload_are_tolerated() -> None:
    assert parse('[2,"1","Heartbeat",null,"extra"]') == Call("1", "Heartbeat", {})


@pytest.mark.parametrize(
    "tail", ["", ',"VendorCode"', ',"VendorCode","why"', ',"VendorCode","why",{"x":1},2', ",5,null"]
)
def test_a_refusal_is_read_however_long_it_is(tail: str) -> None:
    assert isinstance(parse(f'[4,"1"{tail}]'), CallError)


@pytest.mark.parametrize("frame", ['[2,"1"]', '[2,"1","X"]', '[2,"1",{},{}]', '[2,"1","X",[]]', '[2,"1","",{}]'])
def test_a_broken_call_with_an_id_can_be_answered(frame: str) -> None:
    with pytest.raises(FrameFault) as caught:
        parse(frame)
    assert caught.value.message_id == "1"
    assert caught.value.code is ErrorCode.FORMATION_VIOLATION


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "[]",
        "{}",
        "2",
        "[2]",
        '[2,null,"X",{}]',
        '[2,"","X",{}]',
        '["2","1","X",{}]',
        '[true,"1","X",{}]',
        '[3,"1"]',
        '[3,"1",[]]',
        '[5,"1","X","y",{}]',
        "[2,[],{},{}]",
        "[" * 100_000,
        '[2,"1","X",' + '{"a":' * 5000 + "1" + "}" * 5000 + "]",
        f'[2,{"9" * 5000},"X",{{}}]',
        '[2,NaN,"X",{}]',
        b"\xff\xfe",
    ],
)
def test_what_is_no_message_is_a_fault_without_an_answer(frame: str | bytes) -> None:
    with pytest.raises(FrameFault) as caught:
        parse(frame)
    assert caught.value.message_id is None


def test_a_frame_that_is_too_long_is_not_parsed() -> None:
    with pytest.raises(FrameFault, match="too long"):
        parse('[2,"1","X",{"a":"' + "x" * MAX_FRAME_BYTES + '"}]')


@given(st.text(min_size=1))
def test_a_fault_never_quotes_what_was_sent(secret: str) -> None:
    fault = parsed_or_fault(json.dumps([2, "1", {"idTag": secret * 20}, {}]))
    assert isinstance(fault, FrameFault)
    assert fault.description == "the action is not a name"


def test_an_error_echoes_nothing() -> None:
    assert json.loads(encode_error("1", ErrorCode.INTERNAL_ERROR, "no")) == [4, "1", "InternalError", "no", {}]
