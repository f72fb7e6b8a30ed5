"""What a charge point tells in OCPP 1.6, read with every tolerance that the field demands.

Unknown fields are ignored, `null` counts as missing, `1.0` is 1, long strings are cut. A field without which a message
means nothing raises a `CallFault`, which is answered with a CALLERROR; it never quotes what was sent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..conversation import DeviceFacts
from ..frames import ErrorCode, JsonObject
from ..rpc import CallFault
from ..times import read_stamp

MAX_CONNECTORS = 64
"""Connectors of one charge point; a master with satellites has been seen with 32."""
TEXT_LENGTH = 64
ID_TAG_LENGTH = 64
"""20 by the specification; longer ones have been seen."""
MAX_TRANSACTION_ID = 2**31 - 1
MAX_METER_VALUES = 100
"""Meter values of one message; one at a time is usual, offline ones come bundled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusNotice:
    """StatusNotification."""

    connector: int
    status: str
    error: str | None
    stamped_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartNotice:
    """StartTransaction."""

    connector: int
    id_tag: str | None
    meter_start_wh: int
    stamped_at: float | None
    reservation_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopNotice:
    """StopTransaction."""

    transaction_id: int
    id_tag: str | None
    meter_stop_wh: int | None
    stamped_at: float | None
    reason: str | None
    values: tuple[JsonObject, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterNotice:
    """MeterValues; a transaction id of 0 or less is none."""

    connector: int
    transaction_id: int | None
    values: tuple[JsonObject, ...]


def read_boot(payload: JsonObject) -> DeviceFacts:
    """Return who boots."""
    return DeviceFacts(
        vendor=_text(payload, "chargePointVendor"),
        model=_text(payload, "chargePointModel"),
        serial=_text(payload, "chargePointSerialNumber") or _text(payload, "chargeBoxSerialNumber"),
        firmware=_text(payload, "firmwareVersion"),
    )


def read_status(payload: JsonObject) -> StatusNotice:
    """Return the state of a connector (0: of the charge point). Raises CallFault."""
    status = _text(payload, "status")
    if status is None:
        raise _missing("status")
    error = _text(payload, "errorCode")
    if error == "NoError":
        error = None
    if error == "OtherError":
        error = _text(payload, "vendorErrorCode") or _text(payload, "info") or error
    return StatusNotice(
        connector=_connector(payload), status=status, error=error, stamped_at=read_stamp(payload.get("timestamp"))
    )


def read_start(payload: JsonObject) -> StartNotice:
    """Return the start of a transaction. Raises CallFault."""
    connector = _connector(payload)
    if connector == 0:
        raise CallFault(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, "a transaction needs a connector")
    meter_start = _whole(payload, "meterStart")
    return StartNotice(
        connector=connector,
        id_tag=read_id_tag(payload),
        meter_start_wh=0 if meter_start is None else meter_start,
        stamped_at=read_stamp(payload.get("timestamp")),
        reservation_id=_whole(payload, "reservationId"),
    )


def read_stop(payload: JsonObject) -> StopNotice:
    """Return the end of a transaction. Raises CallFault."""
    transaction_id = _whole(payload, "transactionId")
    if transaction_id is None:
        raise _missing("transactionId")
    return StopNotice(
        transaction_id=transaction_id,
        id_tag=read_id_tag(payload),
        meter_stop_wh=_whole(payload, "meterStop"),
        stamped_at=read_stamp(payload.get("timestamp")),
        reason=_text(payload, "reason"),
        values=_objects(payload.get("transactionData")),
    )


def read_meter_values(payload: JsonObject) -> MeterNotice:
    """Return what was measured, not yet understood. Raises CallFault."""
    transaction_id = _whole(payload, "transactionId")
    return MeterNotice(
        connector=_connector(payload),
        transaction_id=transaction_id if transaction_id is not None and transaction_id > 0 else None,
        values=_objects(payload.get("meterValue")),
    )


def read_id_tag(payload: JsonObject) -> str | None:
    """Return the idTag, if there is one."""
    raw = payload.get("idTag")
    if isinstance(raw, int) and not isinstance(raw, bool):
        raw = str(raw)
    if not isinstance(raw, str):
        return None
    return raw.strip()[:ID_TAG_LENGTH] or None


def read_word(payload: JsonObject, key: str) -> str | None:
    """Return a short text of an answer."""
    return _text(payload, key)


def _objects(raw: object) -> tuple[JsonObject, ...]:
    if isinstance(raw, dict):
        return (raw,)
    if not isinstance(raw, list):
        return ()
    return tuple(item for item in raw[:MAX_METER_VALUES] if isinstance(item, dict))


def _connector(payload: JsonObject) -> int:
    connector = _whole(payload, "connectorId")
    if connector is None:
        raise _missing("connectorId")
    if not 0 <= connector <= MAX_CONNECTORS:
        raise CallFault(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, "there is no such connector")
    return connector


def _text(payload: JsonObject, key: str) -> str | None:
    raw = payload.get(key)
    if not isinstance(raw, str):
        return None
    return "".join(c for c in raw[:TEXT_LENGTH] if c.isprintable()).strip() or None


def _whole(payload: JsonObject, key: str) -> int | None:
    raw = payload.get(key)
    if isinstance(raw, str):
        try:
            raw = float(raw)
        except ValueError:
            return None
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        return None
    return int(raw) if abs(raw) <= MAX_TRANSACTION_ID else None


def _missing(field: str) -> CallFault:
    return CallFault(ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, f"{field} is missing")
