"""Payloads of each version's messages, valid by the schemas of the Open Charge Alliance, at random."""

from __future__ import annotations

import json
import string
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

from jsonschema import Draft4Validator, Draft6Validator
from jsonschema.exceptions import best_match

LONGEST_TEXT = 40
MOST_ITEMS = 3
OPTIONAL_SHARE = 0.4
DEEPEST = 6

TIMES = ("2026-12-01T10:00:00Z", "2026-12-01T10:00:00.123Z", "2026-12-01T12:00:00+02:00", "1970-01-01T00:00:00Z")
CONNECTORS = (0, 1, 1, 1, 2, 64, 65)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of OCPP, as the schemas have it."""

    subprotocol: str
    package: str
    request: str
    """What the file of a request is called behind the action."""
    told: tuple[str, ...]
    """What charge points tell, most of the time."""
    refusals: frozenset[str]
    """The codes that a refusal may bear."""
    unreadable_id: str | None = None
    """Under which a message is refused whose id cannot be read; None: it is passed over."""

    def __str__(self) -> str:
        return self.subprotocol


OCPP_16 = Version(
    subprotocol="ocpp1.6",
    package="ocpp.v16",
    request="",
    told=(
        "Authorize",
        "BootNotification",
        "DataTransfer",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "SecurityEventNotification",
        "SignCertificate",
        "SignedFirmwareStatusNotification",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
    ),
    refusals=frozenset(
        {
            "NotImplemented",
            "NotSupported",
            "InternalError",
            "ProtocolError",
            "SecurityError",
            "FormationViolation",
            "PropertyConstraintViolation",
            "OccurenceConstraintViolation",
            "TypeConstraintViolation",
            "GenericError",
        }
    ),
)

TOLD_2 = (
    "Authorize",
    "BootNotification",
    "ClearedChargingLimit",
    "DataTransfer",
    "FirmwareStatusNotification",
    "Get15118EVCertificate",
    "GetCertificateStatus",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "NotifyChargingLimit",
    "NotifyCustomerInformation",
    "NotifyDisplayMessages",
    "NotifyEVChargingNeeds",
    "NotifyEVChargingSchedule",
    "NotifyEvent",
    "NotifyMonitoringReport",
    "NotifyReport",
    "PublishFirmwareStatusNotification",
    "ReportChargingProfiles",
    "ReservationStatusUpdate",
    "SecurityEventNotification",
    "SignCertificate",
    "StatusNotification",
    "TransactionEvent",
    "TransactionEvent",
    "TransactionEvent",
)
REFUSALS_2 = frozenset(
    {
        "FormatViolation",
        "GenericError",
        "InternalError",
        "MessageTypeNotSupported",
        "NotImplemented",
        "NotSupported",
        "OccurrenceConstraintViolation",
        "PropertyConstraintViolation",
        "ProtocolError",
        "RpcFrameworkError",
        "SecurityError",
        "TypeConstraintViolation",
    }
)
OCPP_201 = Version(
    subprotocol="ocpp2.0.1",
    package="ocpp.v201",
    request="Request",
    told=TOLD_2,
    refusals=REFUSALS_2,
    unreadable_id="-1",
)
OCPP_21 = Version(
    subprotocol="ocpp2.1",
    package="ocpp.v21",
    request="Request",
    told=TOLD_2,
    refusals=REFUSALS_2,
    unreadable_id="-1",
)

VERSIONS = (OCPP_16, OCPP_201, OCPP_21)


@cache
def actions(version: Version) -> tuple[str, ...]:
    """Return every action that a version knows."""
    names = (entry.name.removesuffix(".json") for entry in (files(version.package) / "schemas").iterdir())
    requests = (name for name in names if name.endswith(version.request) and not name.endswith("Response"))
    return tuple(sorted(name.removesuffix(version.request) for name in requests))


@cache
def schema(version: Version, name: str) -> dict[str, Any] | None:
    """Return a schema by the name of its file; None: there is none."""
    file = files(version.package) / "schemas" / f"{name}.json"
    if not file.is_file():
        return None
    read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8-sig"))
    return read


def request(rng: Random, version: Version, action: str) -> dict[str, Any]:
    """Return a payload of a request that fulfils its schema."""
    return _payload(rng, version, f"{action}{version.request}")


def response(rng: Random, version: Version, action: str) -> dict[str, Any]:
    """Return a payload of an answer that fulfils its schema."""
    return _payload(rng, version, f"{action}Response")


def _payload(rng: Random, version: Version, name: str) -> dict[str, Any]:
    known = schema(version, name)
    if known is None:
        return {}
    made: dict[str, Any] = _value(rng, known, known.get("definitions", {}), "", 0)
    return made


def fault_of(version: Version, name: str, payload: object) -> str | None:
    """Return what is wrong with a payload by the schema of that name; None: nothing, or there is no such schema."""
    judge = _judge(version, name)
    if judge is None:
        return None
    error = best_match(judge.iter_errors(json.loads(json.dumps(payload), parse_float=Decimal)))
    return None if error is None else f"{error.json_path}: {error.message}"


@cache
def _judge(version: Version, name: str) -> Draft4Validator | Draft6Validator | None:
    file = files(version.package) / "schemas" / f"{name}.json"
    if not file.is_file():
        return None
    kind = Draft4Validator if version is OCPP_16 else Draft6Validator
    return kind(json.loads(file.read_text(encoding="utf-8-sig"), parse_float=Decimal))


def _value(rng: Random, shape: dict[str, Any], definitions: dict[str, Any], name: str, depth: int) -> Any:
    if "$ref" in shape:
        shape = definitions[shape["$ref"].rsplit("/", 1)[-1]]
    if "enum" in shape:
        return rng.choice(shape["enum"])
    match shape.get("type"):
        case "object":
            return _object(rng, shape, definitions, depth)
        case "array":
            least = max(1, shape.get("minItems", 1))
            count = rng.randint(least, max(least, min(MOST_ITEMS, shape.get("maxItems", MOST_ITEMS))))
            return [_value(rng, shape["items"], definitions, name, depth + 1) for _ in range(count)]
        case "integer":
            return int(_bounded(rng.choice(CONNECTORS) if name.endswith("Id") else rng.randint(0, 10_000), shape))
        case "number":
            return _bounded(rng.choice((0, 1, 6.0, 16.5, 230, 100_000)), shape)
        case "boolean":
            return rng.random() < 0.5
        case _:
            return _text(rng, shape, name)


def _bounded(number: float, shape: dict[str, Any]) -> Any:
    return min(max(number, shape.get("minimum", number)), shape.get("maximum", number))


def _object(rng: Random, shape: dict[str, Any], definitions: dict[str, Any], depth: int) -> dict[str, Any]:
    required = shape.get("required", ())
    return {
        name: _value(rng, inner, definitions, name, depth + 1)
        for name, inner in shape.get("properties", {}).items()
        if name in required or (depth < DEEPEST and rng.random() < OPTIONAL_SHARE)
    }


def _text(rng: Random, shape: dict[str, Any], name: str) -> str:
    if shape.get("format") == "date-time":
        return rng.choice(TIMES)
    if name == "value":
        return rng.choice(("0", "16.0", "230.00", "6900", "-1", "1e3"))
    longest = min(LONGEST_TEXT, shape.get("maxLength", LONGEST_TEXT))
    return "".join(rng.choices(string.ascii_letters + string.digits, k=rng.randint(1, longest)))
