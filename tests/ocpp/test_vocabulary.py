"""The check of what somebody writes by hand: it lets pass what the schemas of the Open Charge Alliance let pass."""

import json
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

import pytest
from hypothesis import given, strategies as st
from hypothesis.strategies import DataObject, SearchStrategy
from jsonschema import Draft4Validator, Draft6Validator, ValidationError

from custom_components.charge_cluster.ocpp.versions import OcppVersion
from custom_components.charge_cluster.ocpp.vocabulary import Fault, PayloadFault, vocabulary

from .tables import FOLDER, FROM_CHARGE_POINT, NEVER, PACKAGES, schemas, written

DEEPEST = 4
"""Optional fields that lie deeper are left out of made-up payloads."""
ALL = [(version, operation) for version in OcppVersion for operation in vocabulary(version).operations]


@cache
def schema_of(version: OcppVersion, operation: str) -> dict[str, Any]:
    found: dict[str, Any] = schemas(version)[operation]
    return found


def by_schema(version: OcppVersion, operation: str, payload: Any) -> bool:
    validator = Draft4Validator if version is OcppVersion.V16 else Draft6Validator
    try:
        validator(schema_of(version, operation)).validate(payload)
    except ValidationError:
        return False
    return True


def by_us(version: OcppVersion, operation: str, payload: Any) -> bool:
    try:
        fitted = vocabulary(version).fitted(operation, payload)
    except PayloadFault:
        return False
    assert by_schema(version, operation, fitted)
    return True


def made(schema: dict[str, Any], definitions: dict[str, Any], depth: int) -> SearchStrategy[Any]:
    """Return payloads that a schema lets pass."""
    if "$ref" in schema:
        return made(definitions[schema["$ref"].rpartition("/")[2]], definitions, depth)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object":
            needed = set(schema.get("required", ()))
            fields = schema.get("properties", {})
            always = {name: made(fields[name], definitions, depth - 1) for name in needed}
            maybe = {
                name: made(field, definitions, depth - 1)
                for name, field in fields.items()
                if name not in needed and depth > 0
            }
            return st.fixed_dictionaries(always, optional=maybe)
        case "array":
            least = schema.get("minItems", 0)
            most = min(schema.get("maxItems", least + 1), least + 1)
            return st.lists(made(schema["items"], definitions, depth - 1), min_size=least, max_size=most)
        case "string" if schema.get("format") == "date-time":
            moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001 - hypothesis adds the zone
            return moments.map(lambda moment: moment.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z"))
        case "string":
            return st.text(st.characters(exclude_categories=["Cs"]), max_size=min(schema.get("maxLength", 20), 20))
        case "integer":
            return st.integers(int(schema.get("minimum", -(2**31) + 1)), int(schema.get("maximum", 2**31 - 1)))
        case "number":
            low, high = schema.get("minimum", -1e6), schema.get("maximum", 1e6)
            return st.floats(low, high, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-9)
        case "boolean":
            return st.booleans()
        case _:
            return st.text(max_size=3)


@cache
def payloads(version: OcppVersion, operation: str) -> SearchStrategy[Any]:
    schema = schema_of(version, operation)
    return made(schema, schema.get("definitions", {}), DEEPEST)


@pytest.mark.parametrize("version", PACKAGES)
def test_the_tables_are_what_the_schemas_say(version: str) -> None:
    assert (FOLDER / f"{version}.json").read_text(encoding="utf-8") == written(version)


@pytest.mark.parametrize("version", OcppVersion)
def test_types_of_one_name_are_the_same_in_all_operations(version: OcppVersion) -> None:
    def bare(content: Any) -> Any:
        if isinstance(content, dict):
            left_out = {"description", "javaType", "comment", "default"}
            return {key: bare(item) for key, item in content.items() if key not in left_out}
        return [bare(item) for item in content] if isinstance(content, list) else content

    seen: dict[str, str] = {}
    for name, schema in schemas(version).items():
        if name in FROM_CHARGE_POINT or name in NEVER:
            continue
        for kind, definition in schema.get("definitions", {}).items():
            assert seen.setdefault(kind, json.dumps(bare(definition))) == json.dumps(bare(definition)), (name, kind)


@given(data=st.data())
def test_what_the_schema_lets_pass_passes_unchanged(data: DataObject) -> None:
    version, operation = data.draw(st.sampled_from(ALL))
    payload = data.draw(payloads(version, operation))

    assert by_schema(version, operation, payload)
    assert by_us(version, operation, payload)


@given(data=st.data())
def test_what_is_spoiled_passes_only_where_the_schema_lets_the_result_pass(data: DataObject) -> None:
    version, operation = data.draw(st.sampled_from(ALL))
    payload = data.draw(payloads(version, operation))
    place = payload
    while isinstance(place, dict) and (inner := [value for value in place.values() if isinstance(value, dict)]):
        if data.draw(st.booleans()):
            break
        place = data.draw(st.sampled_from(inner))
    wrong = st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=600), st.lists(st.integers(), max_size=3), st.just({})
    )
    match data.draw(st.sampled_from(["without", "with more", "with something else"])):
        case "without" if place:
            del place[data.draw(st.sampled_from(sorted(place)))]
        case "with something else" if place:
            place[data.draw(st.sampled_from(sorted(place)))] = data.draw(wrong)
        case _:
            place["surelyUnknown"] = data.draw(wrong)

    # What `by_us` lets pass it has held against the schema; what it refuses must be refused by the schema too, but for
    # numbers that no charge point can hold and times that the schema does not look at.
    if not by_us(version, operation, payload) and by_schema(version, operation, payload):
        with pytest.raises(PayloadFault) as refused:
            vocabulary(version).fitted(operation, payload)
        assert refused.value.fault is Fault.RANGE or refused.value.wanted.startswith("2026-")


@pytest.mark.parametrize(
    ("payload", "fitted"),
    [
        ({"key": "A", "value": 60}, {"key": "A", "value": "60"}),
        ({"key": "A", "value": 2.5}, {"key": "A", "value": "2.5"}),
        ({"key": 7, "value": "x"}, {"key": "7", "value": "x"}),
    ],
)
def test_a_number_where_a_text_is_wanted_is_written_as_one(payload: Any, fitted: Any) -> None:
    assert vocabulary(OcppVersion.V16).fitted("ChangeConfiguration", payload) == fitted


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert vocabulary(OcppVersion.V16).fitted("UnlockConnector", {"connectorId": 1.0}) == {"connectorId": 1}


def test_what_is_empty_counts_as_left_out() -> None:
    wanted = {"requestedMessage": "Heartbeat", "connectorId": None}
    assert vocabulary(OcppVersion.V16).fitted("TriggerMessage", wanted) == {"requestedMessage": "Heartbeat"}


@pytest.mark.parametrize(
    "moment",
    [
        "2026-12-01T10:00:00Z",
        "2026-12-01T10:00:00",
        "2026-12-01T11:00:00+01:00",
        "2026-12-01 10:00:00",
        datetime(2026, 12, 1, 10),  # noqa: DTZ001 - as YAML gives a time without zone
        datetime(2026, 12, 1, 12, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_times_are_written_as_ocpp_writes_them(moment: Any) -> None:
    payload = {"location": "https://x", "retrieveDate": moment}
    assert vocabulary(OcppVersion.V16).fitted("UpdateFirmware", payload)["retrieveDate"] == "2026-12-01T10:00:00.000Z"


@pytest.mark.parametrize(
    ("version", "operation", "payload", "fault", "place"),
    [
        (OcppVersion.V16, "Nonsense", {}, Fault.UNKNOWN_OPERATION, "Nonsense"),
        (OcppVersion.V16, "GetVariables", {}, Fault.UNKNOWN_OPERATION, "GetVariables"),
        (OcppVersion.V201, "ChangeConfiguration", {}, Fault.UNKNOWN_OPERATION, "ChangeConfiguration"),
        (OcppVersion.V16, "BootNotification", {}, Fault.UNKNOWN_OPERATION, "BootNotification"),
        (OcppVersion.V16, "Reset", {}, Fault.MISSING, "Reset.type"),
        (OcppVersion.V16, "Reset", {"type": None}, Fault.MISSING, "Reset.type"),
        (OcppVersion.V16, "Reset", {"type": "Warm"}, Fault.CHOICE, "Reset.type"),
        (OcppVersion.V16, "Reset", {"type": "Soft", "when": 1}, Fault.UNKNOWN_FIELD, "Reset.when"),
        (OcppVersion.V16, "UnlockConnector", {"connectorId": "one"}, Fault.KIND, "UnlockConnector.connectorId"),
        (OcppVersion.V16, "UnlockConnector", {"connectorId": True}, Fault.KIND, "UnlockConnector.connectorId"),
        (OcppVersion.V16, "UnlockConnector", {"connectorId": 2**40}, Fault.RANGE, "UnlockConnector.connectorId"),
        (
            OcppVersion.V16,
            "ChangeConfiguration",
            {"key": "k" * 51, "value": ""},
            Fault.LENGTH,
            "ChangeConfiguration.key",
        ),
        (OcppVersion.V16, "GetConfiguration", {"key": "HeartbeatInterval"}, Fault.KIND, "GetConfiguration.key"),
        (OcppVersion.V16, "GetConfiguration", {"key": ["a", "\ud800"]}, Fault.KIND, "GetConfiguration.key[1]"),
        (OcppVersion.V201, "GetVariables", {"getVariableData": []}, Fault.COUNT, "GetVariables.getVariableData"),
        (
            OcppVersion.V201,
            "GetLog",
            {"customData": {"vendorId": "x", "d": object()}},
            Fault.KIND,
            "GetLog.customData.d",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(
    version: OcppVersion, operation: str, payload: Any, fault: Fault, place: str
) -> None:
    with pytest.raises(PayloadFault) as refused:
        vocabulary(version).fitted(operation, payload)

    assert (refused.value.fault, refused.value.place) == (fault, place)


def test_a_payload_without_a_bottom_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(1000):
        deep = {"more": deep}
    with pytest.raises(PayloadFault):
        vocabulary(OcppVersion.V201).fitted("ClearCache", {"customData": {"vendorId": "x", "deep": deep}})
