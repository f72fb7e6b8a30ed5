"""The OCPP-J messages as they are on the wire: CALL, CALLRESULT, CALLERROR, and in 2.1 CALLRESULTERROR and SEND.

Reading is tolerant (numbers as message ids, extra elements at the end) and bounded: a frame over `MAX_FRAME_BYTES` is
not parsed, and orjson refuses deep nesting and infinite numbers by itself. What cannot be read becomes a `FrameFault`
that says what to answer, if anything. Nothing of a peer's payload is ever put into an error or a log line.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from .versions import OcppVersion

MAX_FRAME_BYTES = 256 * 1024
"""Chargers have been seen to send 60 kB; a full GetConfiguration answer of a large one stays well below this."""

MAX_MESSAGE_ID = 128
"""The specification allows 36 characters."""

MAX_ACTION = 64
MAX_DESCRIPTION = 255

type JsonObject = dict[str, Any]
type MessageId = str | int | float

CALL = 2
CALLRESULT = 3
CALLERROR = 4
CALLRESULTERROR = 5
"""Only in 2.1: an answer of ours could not be used."""
SEND = 6
"""Only in 2.1: a message that nobody answers."""

UNREADABLE_ID = "-1"
"""What a message is answered under in 2.x whose id cannot be read."""


class ErrorCode(StrEnum):
    """What a CALLERROR may say, in the spelling of OCPP 1.6 where it has the word."""

    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    INTERNAL_ERROR = "InternalError"
    PROTOCOL_ERROR = "ProtocolError"
    SECURITY_ERROR = "SecurityError"
    FORMATION_VIOLATION = "FormationViolation"
    PROPERTY_CONSTRAINT_VIOLATION = "PropertyConstraintViolation"
    OCCURRENCE_CONSTRAINT_VIOLATION = "OccurenceConstraintViolation"
    TYPE_CONSTRAINT_VIOLATION = "TypeConstraintViolation"
    GENERIC_ERROR = "GenericError"
    MESSAGE_TYPE_NOT_SUPPORTED = "MessageTypeNotSupported"
    RPC_FRAMEWORK_ERROR = "RpcFrameworkError"

    def spelled(self, version: OcppVersion) -> str:
        """Return it as it is written in a version."""
        return (_SPELLED_IN_2 if version.is_2 else _SPELLED_IN_16).get(self, self.value)


_SPELLED_IN_16 = {
    ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED: ErrorCode.PROTOCOL_ERROR.value,
    ErrorCode.RPC_FRAMEWORK_ERROR: ErrorCode.FORMATION_VIOLATION.value,
}
_SPELLED_IN_2 = {
    ErrorCode.FORMATION_VIOLATION: "FormatViolation",
    ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION: "OccurrenceConstraintViolation",
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request."""

    message_id: MessageId
    action: str
    payload: JsonObject


@dataclass(frozen=True, slots=True)
class CallResult:
    """The answer to a request."""

    message_id: MessageId
    payload: JsonObject


@dataclass(frozen=True, slots=True)
class CallError:
    """The refusal of a request; `code` is any word, vendors invent their own."""

    message_id: MessageId
    code: str
    description: str


@dataclass(frozen=True, slots=True)
class CallResultError:
    """The peer could not use an answer of ours."""

    message_id: MessageId
    code: str


@dataclass(frozen=True, slots=True)
class Sent:
    """Something that is told without being answered."""

    message_id: MessageId
    action: str
    payload: JsonObject


type Message = Call | CallResult | CallError | CallResultError | Sent


class FrameFault(Exception):
    """A frame that is no message. With a `message_id` it can be answered with a CALLERROR of this `code`."""

    def __init__(
        self,
        description: str,
        *,
        message_id: MessageId | None = None,
        code: ErrorCode = ErrorCode.FORMATION_VIOLATION,
    ) -> None:
        super().__init__(description)
        self.description = description
        self.message_id = message_id
        self.code = code


def parse(frame: str | bytes, version: OcppVersion = OcppVersion.V16) -> Message:
    """Read one frame.

    Raises:
        FrameFault: it is too long, no JSON, or no message of this version.
    """
    if len(frame) > MAX_FRAME_BYTES:
        raise _unreadable("the frame is too long", version)
    try:
        parts = orjson.loads(frame)
    except orjson.JSONDecodeError:
        raise _unreadable("the frame is not JSON", version) from None
    match parts:
        case [2, raw_id, *rest]:
            return Call(*_request(raw_id, rest, version))
        case [3, raw_id, dict() as payload, *_]:
            return CallResult(_message_id(raw_id), payload)
        case [4, raw_id, *rest]:
            code, description = (*rest, "", "")[:2]
            return CallError(_message_id(raw_id), str(code)[:MAX_ACTION], str(description)[:MAX_DESCRIPTION])
        case [5, raw_id, *rest] if version is OcppVersion.V21:
            (code,) = (*rest, "")[:1]
            return CallResultError(_message_id(raw_id), str(code)[:MAX_ACTION])
        case [6, raw_id, *rest] if version is OcppVersion.V21:
            try:
                return Sent(*_request(raw_id, rest, version))
            except FrameFault as fault:
                raise FrameFault(fault.description) from None
    raise _no_message(parts, version)


_ANSWERS = frozenset({CALLRESULT, CALLERROR, CALLRESULTERROR})
_KINDS = _ANSWERS | {CALL, SEND}


def _no_message(parts: object, version: OcppVersion) -> FrameFault:
    """Return the fault of something that is JSON and no message."""
    match parts:
        case [int() as kind, raw_id, *_] if version.is_2 and kind not in _KINDS:
            return FrameFault(
                "there is no such type of message",
                message_id=_message_id(raw_id),
                code=ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED,
            )
        case [int() as kind, *_] if kind in _ANSWERS:
            # An answer is never answered, or two sides that do not understand each other would never end.
            return FrameFault("the frame is not an OCPP message")
    return _unreadable("the frame is not an OCPP message", version)


def _unreadable(description: str, version: OcppVersion) -> FrameFault:
    """Return the fault of a frame whose id nobody knows."""
    if not version.is_2:
        return FrameFault(description)
    return FrameFault(description, message_id=UNREADABLE_ID, code=ErrorCode.RPC_FRAMEWORK_ERROR)


def encode_call(message_id: str, action: str, payload: JsonObject) -> bytes:
    """Return a request as it goes over the wire."""
    return orjson.dumps([CALL, message_id, action, payload])


def encode_result(message_id: MessageId, payload: JsonObject) -> bytes:
    """Return an answer as it goes over the wire."""
    return orjson.dumps([CALLRESULT, message_id, payload])


def encode_error(
    message_id: MessageId, code: ErrorCode, description: str, version: OcppVersion = OcppVersion.V16
) -> bytes:
    """Return a refusal as it goes over the wire; errorDetails stay empty so that nothing is echoed."""
    return orjson.dumps([CALLERROR, message_id, code.spelled(version), description[:MAX_DESCRIPTION], {}])


def _message_id(raw: object) -> MessageId:
    if isinstance(raw, str) and 0 < len(raw) <= MAX_MESSAGE_ID:
        return raw
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return raw
    raise FrameFault("the frame has no message id")


def _request(raw_id: object, rest: list[Any], version: OcppVersion) -> tuple[MessageId, str, JsonObject]:
    """Return id, action and payload of a message that asks or tells something."""
    try:
        message_id = _message_id(raw_id)
    except FrameFault as fault:
        raise _unreadable(fault.description, version) from None
    match rest:
        case [action, payload, *_]:
            pass
        case _:
            raise FrameFault("a call has four elements", message_id=message_id)
    if not isinstance(action, str) or not 0 < len(action) <= MAX_ACTION:
        raise FrameFault("the action is not a name", message_id=message_id)
    if payload is None:
        payload = {}
    if not isinstance(payload, dict):
        raise FrameFault("the payload is not an object", message_id=message_id)
    return message_id, action, payload
