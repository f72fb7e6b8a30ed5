"""The three OCPP-J messages as they are on the wire: CALL, CALLRESULT, CALLERROR.

Reading is tolerant (numbers as message ids, extra elements at the end) and bounded: a frame over `MAX_FRAME_BYTES` is
not parsed, and orjson refuses deep nesting and infinite numbers by itself. What cannot be read becomes a `FrameFault`
that says what to answer, if anything. Nothing of a peer's payload is ever put into an error or a log line.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

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


class ErrorCode(StrEnum):
    """What a CALLERROR may say, in the spelling of OCPP 1.6."""

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


type Message = Call | CallResult | CallError


class FrameFault(Exception):
    """A frame that is no message. With a `message_id` it can be answered with a CALLERROR of this `code`."""

    def __init__(self, description: str, *, message_id: MessageId | None = None) -> None:
        super().__init__(description)
        self.description = description
        self.message_id = message_id
        self.code = ErrorCode.FORMATION_VIOLATION


def parse(frame: str | bytes) -> Message:
    """Read one frame.

    Raises:
        FrameFault: it is too long, no JSON, or no OCPP message.
    """
    if len(frame) > MAX_FRAME_BYTES:
        raise FrameFault("the frame is too long")
    try:
        parts = orjson.loads(frame)
    except orjson.JSONDecodeError:
        raise FrameFault("the frame is not JSON") from None
    match parts:
        case [2, raw_id, *rest]:
            return _call(_message_id(raw_id), rest)
        case [3, raw_id, dict() as payload, *_]:
            return CallResult(_message_id(raw_id), payload)
        case [4, raw_id, *rest]:
            code, description = (*rest, "", "")[:2]
            return CallError(_message_id(raw_id), str(code)[:MAX_ACTION], str(description)[:MAX_DESCRIPTION])
    raise FrameFault("the frame is not an OCPP message")


def encode_call(message_id: str, action: str, payload: JsonObject) -> bytes:
    """Return a request as it goes over the wire."""
    return orjson.dumps([CALL, message_id, action, payload])


def encode_result(message_id: MessageId, payload: JsonObject) -> bytes:
    """Return an answer as it goes over the wire."""
    return orjson.dumps([CALLRESULT, message_id, payload])


def encode_error(message_id: MessageId, code: ErrorCode, description: str) -> bytes:
    """Return a refusal as it goes over the wire; errorDetails stay empty so that nothing is echoed."""
    return orjson.dumps([CALLERROR, message_id, code.value, description[:MAX_DESCRIPTION], {}])


def _message_id(raw: object) -> MessageId:
    if isinstance(raw, str) and 0 < len(raw) <= MAX_MESSAGE_ID:
        return raw
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return raw
    raise FrameFault("the frame has no message id")


def _call(message_id: MessageId, rest: list[Any]) -> Call:
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
    return Call(message_id, action, payload)
