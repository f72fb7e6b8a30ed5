"""What operations there are in each version of OCPP, and what their payloads have to be.

The tables beside this module say of every operation that a central system may start which fields it has, of which kind
and length, and which are needed. They are facts from the specification's schemas in a short notation:

* `"s50"` a text of at most 50 characters, `"i:0:10"` a whole number in a range, `"n"` a number, `"b"` yes or no,
  `"t"` a time, `"a"` anything, `"@Name"` one of the table's types;
* a list: one of these words; `{"[]": kind}`: a list, with `minItems` and `maxItems`;
* an object: its fields, those with an exclamation mark needed; `"..."` says that further ones are allowed.

A person writes payloads by hand and in YAML, so what can mean one thing only is put right (a number where a text is
wanted, `16.0` for 16, a time without zone); everything else is refused with its place. What charge points send is never
judged here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..frames import JsonObject
from ..times import read_stamp, stamp
from ..versions import OcppVersion

MOST_DEPTH = 12
"""Deeper than any payload of the specifications goes, but for one type that holds itself."""
MOST_CHARACTERS = 100_000
"""Of a text without a length of its own."""
MOST_ITEMS = 1000
MOST_WHOLE = 2**31 - 1
MOST_NUMBER = 2.0**53
MOST_CHOICES_NAMED = 12


class Fault(StrEnum):
    """What is wrong with a payload; each has its sentence in the translations."""

    UNKNOWN_OPERATION = "payload_operation"
    MISSING = "payload_missing"
    UNKNOWN_FIELD = "payload_unknown"
    KIND = "payload_kind"
    LENGTH = "payload_length"
    CHOICE = "payload_choice"
    RANGE = "payload_range"
    COUNT = "payload_count"


class PayloadFault(Exception):
    """A payload is not what the version wants; `place` says where, `wanted` what would fit."""

    def __init__(self, fault: Fault, place: str, wanted: str = "") -> None:
        super().__init__(f"{place}: {fault} {wanted}".strip())
        self.fault = fault
        self.place = place
        self.wanted = wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The operations of one version."""

    version: OcppVersion
    operations: Mapping[str, Any]
    types: Mapping[str, Any]

    def fitted(self, operation: str, payload: JsonObject) -> JsonObject:
        """Return a payload as it may go out. Raises PayloadFault."""
        kind = self.operations.get(operation)
        if kind is None:
            raise PayloadFault(Fault.UNKNOWN_OPERATION, operation, self.version)
        fitted: JsonObject = self._fit(kind, payload, operation, MOST_DEPTH)
        return fitted

    def _fit(self, kind: Any, value: Any, place: str, depth: int) -> Any:
        if depth == 0:
            raise PayloadFault(Fault.KIND, place, "a payload that is less deep")
        if isinstance(kind, list):
            if value not in kind:
                raise PayloadFault(Fault.CHOICE, place, _named(kind))
            return value
        if isinstance(kind, dict):
            return (self._list if "[]" in kind else self._object)(kind, value, place, depth)
        if kind.startswith("@"):
            return self._fit(self.types[kind[1:]], value, place, depth)
        return self._anything(value, place, depth) if kind == "a" else _simple(kind, value, place)

    def _object(self, fields: Mapping[str, Any], value: Any, place: str, depth: int) -> JsonObject:
        if not isinstance(value, dict):
            raise PayloadFault(Fault.KIND, place, "an object")
        known = dict(_fields(fields))
        fitted: JsonObject = {}
        for name, content in value.items():
            where = f"{place}.{name}"
            if name not in known:
                if "..." not in fields:
                    raise PayloadFault(Fault.UNKNOWN_FIELD, where, _named(list(known)))
                fitted[str(name)] = self._anything(content, where, depth - 1)
            elif content is not None:
                fitted[name] = self._fit(known[name][0], content, where, depth - 1)
        for name, (_, needed) in known.items():
            if needed and name not in fitted:
                raise PayloadFault(Fault.MISSING, f"{place}.{name}")
        return fitted

    def _list(self, kind: Mapping[str, Any], value: Any, place: str, depth: int) -> list[Any]:
        if not isinstance(value, list):
            raise PayloadFault(Fault.KIND, place, "a list")
        least, most = kind.get("minItems", 0), kind.get("maxItems", MOST_ITEMS)
        if not least <= len(value) <= most:
            raise PayloadFault(Fault.COUNT, place, f"{least}–{most}")
        return [self._fit(kind["[]"], item, f"{place}[{number}]", depth - 1) for number, item in enumerate(value)]

    def _anything(self, value: Any, place: str, depth: int) -> Any:
        if depth <= 0:
            raise PayloadFault(Fault.KIND, place, "a payload that is less deep")
        match value:
            case dict():
                return {str(name): self._anything(item, f"{place}.{name}", depth - 1) for name, item in value.items()}
            case list():
                return [self._anything(item, place, depth - 1) for item in value[:MOST_ITEMS]]
            case str():
                return _text(value, place, MOST_CHARACTERS)
            case None | bool():
                return value
            case int() | float():
                return _number(value, place)
            case _:
                raise PayloadFault(Fault.KIND, place, "text, number, list or object")


def _read(version: OcppVersion) -> Vocabulary:
    table = json.loads((Path(__file__).parent / f"{version}.json").read_text("utf-8"))
    return Vocabulary(version=version, operations=table["operations"], types=table["types"])


_VOCABULARIES = {version: _read(version) for version in OcppVersion}
"""Read with this module, which Home Assistant imports off its event loop; they are small."""


def vocabulary(version: OcppVersion) -> Vocabulary:
    """Return the operations of a version."""
    return _VOCABULARIES[version]


def _fields(fields: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, bool]]]:
    for name, kind in fields.items():
        if name != "...":
            yield name.removesuffix("!"), (kind, name.endswith("!"))


def _named(choices: list[str]) -> str:
    named = ", ".join(choices[:MOST_CHOICES_NAMED])
    return named if len(choices) <= MOST_CHOICES_NAMED else f"{named}, …"


def _simple(kind: str, value: Any, place: str) -> str | bool | int | float:
    name, *bounds = kind.split(":")
    match name[0]:
        case "s":
            return _text(value, place, int(name[1:] or MOST_CHARACTERS))
        case "t":
            return _time(value, place)
        case "i":
            return _in_range(_whole(value, place), bounds, place)
        case "n":
            return _in_range(_number(value, place), bounds, place)
    if not isinstance(value, bool):
        raise PayloadFault(Fault.KIND, place, "true or false")
    return value


def _text(value: Any, place: str, most: int) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _is_text(value):
        raise PayloadFault(Fault.KIND, place, "text")
    if len(value) > most:
        raise PayloadFault(Fault.LENGTH, place, str(most))
    return value


def _is_text(value: str) -> bool:
    """Return whether it can be sent: half a character cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _time(value: Any, place: str) -> str:
    if isinstance(value, datetime):
        return stamp(value.replace(tzinfo=value.tzinfo or UTC).timestamp())
    moment = read_stamp(value)
    if moment is None:
        raise PayloadFault(Fault.KIND, place, "2026-01-31T12:00:00Z")
    return stamp(moment)


def _whole(value: Any, place: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PayloadFault(Fault.KIND, place, "a whole number")
    if abs(value) > MOST_WHOLE:
        raise PayloadFault(Fault.RANGE, place, f"{-MOST_WHOLE}–{MOST_WHOLE}")
    return value


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PayloadFault(Fault.KIND, place, "a number")
    if not abs(value) <= MOST_NUMBER:  # what is no number is not smaller than any
        raise PayloadFault(Fault.RANGE, place, f"±{MOST_NUMBER:g}")
    return value


def _in_range[N: (int, float)](value: N, bounds: list[str], place: str) -> N:
    low, high = bounds or ("", "")
    if (low and value < float(low)) or (high and value > float(high)):
        raise PayloadFault(Fault.RANGE, place, f"{low or '…'}–{high or '…'}")
    return value
