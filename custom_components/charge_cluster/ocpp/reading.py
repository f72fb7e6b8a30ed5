"""Single fields of what a charge point tells, read with every tolerance that the field demands, in any version.

Unknown fields are ignored, `null` counts as missing, `1.0` is 1, long strings are cut. A field without which a message
means nothing raises a `CallFault`, which is answered with a CALLERROR; it never quotes what was sent.
"""

from __future__ import annotations

import math

from .conversation import Notice, Noticed
from .frames import ErrorCode, JsonObject
from .rpc import CallFault
from .times import read_stamp

MAX_CONNECTORS = 64
"""Connectors of one charge point; a master with satellites has been seen with 32."""
TEXT_LENGTH = 64
TECHNICAL_LENGTH = 255
ID_TAG_LENGTH = 64
"""20 in 1.6 and 36 in 2.x by the specification; longer ones have been seen."""
MAX_WHOLE = 2**31 - 1
MAX_METER_VALUES = 100
"""Meter values of one message; one at a time is usual, offline ones come bundled."""


def text(payload: JsonObject, key: str, length: int = TEXT_LENGTH) -> str | None:
    """Return a short text, without what cannot be printed."""
    raw = payload.get(key)
    if not isinstance(raw, str):
        return None
    return "".join(c for c in raw[:length] if c.isprintable()).strip() or None


def whole(payload: JsonObject, key: str) -> int | None:
    """Return a whole number that fits into 32 bits."""
    raw = payload.get(key)
    if isinstance(raw, str):
        try:
            raw = float(raw)
        except ValueError:
            return None
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        return None
    return int(raw) if abs(raw) <= MAX_WHOLE else None


def id_tag(raw: object, length: int = ID_TAG_LENGTH) -> str | None:
    """Return an idTag, if there is one."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        raw = str(raw)
    if not isinstance(raw, str):
        return None
    return raw.strip()[:length] or None


def security_event(payload: JsonObject) -> Noticed | None:
    """Return what happened to a charger's security, in every version alike; None: it does not say."""
    name = text(payload, "type")
    if name is None:
        return None
    details, at = text(payload, "techInfo", TECHNICAL_LENGTH), read_stamp(payload.get("timestamp"))
    return Noticed(what=Notice.SECURITY, name=name, details=details, at=at)


def objects(raw: object, most: int = MAX_METER_VALUES) -> tuple[JsonObject, ...]:
    """Return the objects of a list; one alone is taken as a list of one."""
    if isinstance(raw, dict):
        return (raw,)
    if not isinstance(raw, list):
        return ()
    return tuple(item for item in raw[:most] if isinstance(item, dict))


def inner(payload: JsonObject, key: str) -> JsonObject:
    """Return an object within, an empty one where there is none."""
    raw = payload.get(key)
    return raw if isinstance(raw, dict) else {}


def numbered(payload: JsonObject, key: str) -> int:
    """Return the number of a connector (0: the charge point). Raises CallFault."""
    number = whole(payload, key)
    if number is None:
        raise missing(key)
    if not 0 <= number <= MAX_CONNECTORS:
        raise CallFault(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, "there is no such connector")
    return number


def missing(field: str) -> CallFault:
    """Return the fault of a message without a field."""
    return CallFault(ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, f"{field} is missing")
