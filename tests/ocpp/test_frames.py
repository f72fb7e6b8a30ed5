"""The frame parser: tolerant, bounded, and never surprised."""

import json

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.ocpp.frames import (
    MAX_FRAME_BYTES,
    Call,
    CallError,
    CallResult,
    CallResultError,
    ErrorCode,
    FrameFault,
    Message,
    Sent,
    encode_call,
    encode_error,
    encode_result,
    parse,
)
from custom_components.charge_cluster.ocpp.versions import OcppVersion

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


VERSIONS = st.sampled_from(OcppVersion)


def parsed_or_fault(frame: str | bytes, version: OcppVersion) -> Message | FrameFault:
    try:
        return parse(frame, version)
    except FrameFault as fault:
        return fault


@given(st.text() | st.binary(), VERSIONS)
def test_any_text_is_a_message_or_a_fault(frame: str | bytes, version: OcppVersion) -> None:
    parsed_or_fault(frame, version)


@given(st.lists(ANYTHING, max_size=6), VERSIONS)
def test_any_json_list_is_a_message_or_a_fault(parts: list[object], version: OcppVersion) -> None:
    parsed_or_fault(json.dumps(parts), version)


@given(st.sampled_from([2, 3, 4, 5, 6]), st.lists(ANYTHING, min_size=1, max_size=4), VERSIONS)
def test_near_messages_are_messages_or_faults(kind: int, rest: list[object], version: OcppVersion) -> None:
    parsed_or_fault(json.dumps([kind, *rest]), version)


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
    fault = parsed_or_fault(json.dumps([2, "1", {"idTag": secret * 20}, {}]), OcppVersion.V21)
    assert isinstance(fault, FrameFault)
    assert fault.description == "the action is not a name"


def test_an_error_echoes_nothing() -> None:
    assert json.loads(encode_error("1", ErrorCode.INTERNAL_ERROR, "no")) == [4, "1", "InternalError", "no", {}]


def fault_of(frame: str, version: OcppVersion) -> tuple[object, str]:
    with pytest.raises(FrameFault) as caught:
        parse(frame, version)
    return caught.value.message_id, caught.value.code.spelled(version)


def test_what_2_1_adds_is_read_there_alone() -> None:
    told, broken = '[6,"7","NotifyPeriodicEventStream",{"id":1}]', '[5,"7","FormatViolation","",{}]'
    assert parse(told, OcppVersion.V21) == Sent("7", "NotifyPeriodicEventStream", {"id": 1})
    assert parse(broken, OcppVersion.V21) == CallResultError("7", "FormatViolation")
    assert fault_of(told, OcppVersion.V16)[0] is None
    assert fault_of(broken, OcppVersion.V201)[0] is None


@pytest.mark.parametrize("version", [OcppVersion.V201, OcppVersion.V21])
@pytest.mark.parametrize(
    "frame", ["nonsense", "{}", "[]", '["2","1","Heartbeat",{}]', '[2,null,"Heartbeat",{}]', "[2]"]
)
def test_whose_id_cannot_be_read_is_answered_under_minus_one_in_2(frame: str, version: OcppVersion) -> None:
    assert fault_of(frame, version) == ("-1", "RpcFrameworkError")
    assert fault_of(frame, OcppVersion.V16)[0] is None


def test_an_unknown_type_is_named_in_2() -> None:
    assert fault_of('[9,"1","Heartbeat",{}]', OcppVersion.V201) == ("1", "MessageTypeNotSupported")


@pytest.mark.parametrize("frame", ['[3,"1",[]]', '[5,"1"]', "[3,null,{}]", "[4]", '[6,"1","",{}]'])
def test_an_answer_that_cannot_be_read_is_never_answered(frame: str) -> None:
    """Or two sides that do not understand each other would never end."""
    parsed = parsed_or_fault(frame, OcppVersion.V21)
    assert not isinstance(parsed, FrameFault) or parsed.message_id is None


def test_a_word_is_spelled_as_the_version_has_it() -> None:
    broken = ErrorCode.FORMATION_VIOLATION
    assert broken.spelled(OcppVersion.V16) == "FormationViolation"
    assert broken.spelled(OcppVersion.V201) == "FormatViolation"
    missing = json.loads(encode_error("1", ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, "", OcppVersion.V21))
    assert missing[2] == "OccurrenceConstraintViolation"
    assert (
        json.loads(encode_error("1", ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, ""))[2]
        == "OccurenceConstraintViolation"
    )
