"""The tables of `ocpp/vocabulary`, made from the schemas that the `ocpp` package ships.

`python -m tests.ocpp.tables` writes them anew; a test holds that what is committed is what comes out.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from custom_components.charge_cluster.ocpp.forbidden import NEVER

FOLDER = Path(__file__).parents[2] / "custom_components" / "charge_cluster" / "ocpp" / "vocabulary"
PACKAGES = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}

FROM_CHARGE_POINT = {
    "Authorize",
    "BatterySwap",
    "BootNotification",
    "ClearedChargingLimit",
    "ClosePeriodicEventStream",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Get15118EVCertificate",
    "GetCertificateChainStatus",
    "GetCertificateStatus",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "NotifyChargingLimit",
    "NotifyCustomerInformation",
    "NotifyDERAlarm",
    "NotifyDERStartStop",
    "NotifyDisplayMessages",
    "NotifyEVChargingNeeds",
    "NotifyEVChargingSchedule",
    "NotifyEvent",
    "NotifyMonitoringReport",
    "NotifyPeriodicEventStream",
    "NotifyPriorityCharging",
    "NotifyReport",
    "NotifySettlement",
    "OpenPeriodicEventStream",
    "PublishFirmwareStatusNotification",
    "PullDynamicScheduleUpdate",
    "ReportChargingProfiles",
    "ReportDERControl",
    "ReservationStatusUpdate",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
    "TransactionEvent",
    "VatNumberValidation",
}
"""Messages that a charge point alone begins; what is not here is for the central system to begin."""


def schemas(version: str) -> dict[str, Any]:
    """Return the schemas of all requests of a version."""
    found = {}
    for file in (files(f"ocpp.{PACKAGES[version]}") / "schemas").iterdir():
        name = file.name.removesuffix(".json")
        if not name.endswith("Response"):
            found[name.removesuffix("Request")] = json.loads(file.read_text(encoding="utf-8-sig"))
    return found


def table(version: str) -> dict[str, Any]:
    """Return the table of what a central system of this version may be asked to send."""
    types: dict[str, Any] = {}
    operations = {}
    for name, schema in sorted(schemas(version).items()):
        if name not in FROM_CHARGE_POINT and name not in NEVER:
            operations[name] = _kind(schema, schema.get("definitions", {}), types)
    return {"operations": operations, "types": dict(sorted(types.items()))}


def _kind(schema: dict[str, Any], definitions: dict[str, Any], types: dict[str, Any]) -> Any:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in types:
            types[name] = None
            types[name] = _kind(definitions[name], definitions, types)
        return f"@{name}"
    if "enum" in schema:
        return schema["enum"]
    match schema.get("type"):
        case "object":
            needed = schema.get("required", ())
            fields = {
                f"{name}!" if name in needed else name: _kind(field, definitions, types)
                for name, field in schema.get("properties", {}).items()
            }
            return fields if schema.get("additionalProperties") is False else {**fields, "...": "a"}
        case "array":
            counts = {key: schema[key] for key in ("minItems", "maxItems") if key in schema}
            return {"[]": _kind(schema["items"], definitions, types), **counts}
        case "string":
            return "t" if schema.get("format") == "date-time" else f"s{schema.get('maxLength', '')}"
        case "integer" | "number" as kind:
            bounds = f":{schema.get('minimum', '')}:{schema.get('maximum', '')}"
            return kind[0] + ("" if bounds == "::" else bounds)
        case "boolean":
            return "b"
        case _:
            return "a"


def written(version: str) -> str:
    """Return a table as its file holds it: one line for each operation and type."""
    made = table(version)
    groups = []
    for group, members in made.items():
        lines = ",\n".join(
            f"{json.dumps(name)}: {json.dumps(kind, ensure_ascii=False)}" for name, kind in members.items()
        )
        groups.append(f"{json.dumps(group)}: {{\n{lines}\n}}")
    return "{\n" + ",\n".join(groups) + "\n}\n"


if __name__ == "__main__":
    for known in PACKAGES:
        (FOLDER / f"{known}.json").write_text(written(known), encoding="utf-8")
