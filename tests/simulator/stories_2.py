"""Words that the tests of OCPP 2.x charge points share."""

from typing import Any

from simulator.charge_point import OcppVersion

from .central_system import CentralSystem, Heard, Payload

POINT = "CP-01"

VERSIONS = (OcppVersion.V201, OcppVersion.V21)


def a_profile_2(*limits: tuple[int, float], purpose: str = "TxDefaultProfile", **changes: Any) -> Payload:
    schedule = {
        "id": 1,
        "chargingRateUnit": changes.pop("unit", "A"),
        "chargingSchedulePeriod": [
            {"startPeriod": start, "limit": limit, **changes.pop("period", {})} for start, limit in limits
        ],
    }
    return {
        "id": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [schedule],
        **changes,
    }


async def limit_2(central: CentralSystem, *limits: tuple[int, float], evse: int = 1, **changes: Any) -> Payload:
    profile = a_profile_2(*limits, **changes)
    return await central.call(POINT, "SetChargingProfile", {"evseId": evse, "chargingProfile": profile})


async def event(central: CentralSystem, kind: str, *, after: int = 0, **fields: object) -> Heard:
    """Return the first event of a transaction of a kind whose payload, or whose transactionInfo, has these fields."""

    def told(one: Heard) -> bool:
        if one.action != "TransactionEvent" or one.payload["eventType"] != kind:
            return False
        stated = {**one.payload, **one.payload["transactionInfo"]}
        return all(stated.get(name) == value for name, value in fields.items())

    return await central.wait_for(told, after=after)


def events(central: CentralSystem, identity: str = POINT) -> list[Payload]:
    return [one.payload for one in central.heard if one.action == "TransactionEvent" and one.identity == identity]


def sampled(payload: Payload, measurand: str) -> list[float]:
    """Return the values of a measurand that an event or MeterValues report."""
    return [
        value["value"]
        for one in payload.get("meterValue", [])
        for value in one["sampledValue"]
        if value["measurand"] == measurand
    ]


def variable(component: str, name: str, *, evse: int | None = None, instance: str | None = None) -> Payload:
    named: Payload = {"component": {"name": component}, "variable": {"name": name}}
    if evse is not None:
        named["component"]["evse"] = {"id": evse}
    if instance is not None:
        named["variable"]["instance"] = instance
    return named


async def set_variable(central: CentralSystem, component: str, name: str, value: str) -> str:
    asked = {**variable(component, name), "attributeValue": value}
    answer = await central.call(POINT, "SetVariables", {"setVariableData": [asked]})
    return str(answer["setVariableResult"][0]["attributeStatus"])
