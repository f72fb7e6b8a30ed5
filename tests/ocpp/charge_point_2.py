"""A charge point for tests that speaks OCPP 2.0.1 or 2.1; see `charge_point`."""

import time
from collections.abc import Callable
from itertools import count
from typing import Any, override

from custom_components.charge_cluster.ocpp.versions import OcppVersion

from .charge_point import ChargePoint
from .schemas import V21, V201

CHARGING, CONNECTED, SUSPENDED, PAUSED, IDLE = "Charging", "EVConnected", "SuspendedEV", "SuspendedEVSE", "Idle"


def sampled_2(**currents: float) -> list[dict[str, Any]]:
    """Return phase currents as sampled values."""
    return [
        {"measurand": "Current.Import", "phase": phase, "unitOfMeasure": {"unit": "A"}, "value": amps}
        for phase, amps in currents.items()
    ]


def energy_2(register: float, unit: str = "Wh", multiplier: int = 0) -> dict[str, Any]:
    """Return an import register as a sampled value."""
    measure = {"unit": unit, "multiplier": multiplier}
    return {"measurand": "Energy.Active.Import.Register", "unitOfMeasure": measure, "value": register}


def variable(
    component: str, name: str, value: str | None, *, evse: int | None = None, read_only: bool = False
) -> dict[str, Any]:
    """Return a variable as a report tells it."""
    attribute: dict[str, Any] = {"mutability": "ReadOnly" if read_only else "ReadWrite"}
    if value is not None:
        attribute["value"] = value
    where: dict[str, Any] = {"name": component}
    if evse is not None:
        where["evse"] = {"id": evse}
    return {"component": where, "variable": {"name": name}, "variableAttribute": [attribute]}


class ChargePoint2(ChargePoint):
    """Runs one connection in a version of the second generation."""

    def __init__(
        self, client: Any, wall: Callable[[], float] = time.time, *, version: OcppVersion = OcppVersion.V201
    ) -> None:
        super().__init__(client, wall)
        self.schemas = V21 if version is OcppVersion.V21 else V201
        self.variables: dict[tuple[str, str], str] = {
            ("SampledDataCtrlr", "TxUpdatedInterval"): "60",
            ("SampledDataCtrlr", "TxUpdatedMeasurands"): "Energy.Active.Import.Register",
            ("SmartChargingCtrlr", "Available"): "true",
            ("SmartChargingCtrlr", "Enabled"): "true",
        }
        self.answers = {
            "GetVariables": self._get,
            "SetVariables": self._set,
            "GetBaseReport": lambda _: {"status": "Accepted"},
            "TriggerMessage": lambda _: {"status": "Accepted"},
            "SetChargingProfile": lambda _: {"status": "Accepted"},
            "ClearChargingProfile": lambda _: {"status": "Unknown"},
            "GetChargingProfiles": lambda _: {"status": "NoProfiles"},
            "GetCompositeSchedule": lambda _: {"status": "Rejected"},
            "RequestStartTransaction": lambda _: {"status": "Accepted"},
            "RequestStopTransaction": lambda _: {"status": "Accepted"},
        }
        self._events = count()

    def _get(self, payload: Any) -> Any:
        results = []
        for asked in payload["getVariableData"]:
            value = self.variables.get((asked["component"]["name"], asked["variable"]["name"]))
            known = value is not None and "evse" not in asked["component"]
            result = {**asked, "attributeStatus": "Accepted" if known else "UnknownVariable"}
            results.append({**result, "attributeValue": value} if known else result)
        return {"getVariableResult": results}

    def _set(self, payload: Any) -> Any:
        results = []
        for asked in payload["setVariableData"]:
            place = (asked["component"]["name"], asked["variable"]["name"])
            self.variables[place] = asked["attributeValue"]
            results.append(
                {"component": asked["component"], "variable": asked["variable"], "attributeStatus": "Accepted"}
            )
        return {"setVariableResult": results}

    @override
    async def boot(self, reason: str = "PowerUp") -> Any:
        station = {"vendorName": "Sample", "model": "Two", "firmwareVersion": "2.3", "serialNumber": "S1"}
        answer = await self.tell("BootNotification", {"reason": reason, "chargingStation": station})
        return answer[2]

    @override
    async def status(self, connector: int, status: str, error: str = "", *, plug: int = 1) -> None:
        del error
        await self.tell(
            "StatusNotification",
            {"evseId": connector, "connectorId": plug, "connectorStatus": status, "timestamp": self.stamp()},
        )

    async def event(
        self,
        kind: str,
        own_id: str = "tx-1",
        *,
        state: str | None = None,
        evse: int | None = None,
        tag: str | None = None,
        values: list[Any] | None = None,
        trigger: str = "Trigger",
        ago_s: float = 0.0,
        message_id: str | None = None,
        info: dict[str, Any] | None = None,
        **more: Any,
    ) -> Any:
        """Tell what happened to a transaction; return the frame that answers it."""
        payload: dict[str, Any] = {
            "eventType": kind,
            "timestamp": self.stamp(ago_s),
            "triggerReason": trigger,
            "seqNo": next(self._events),
            "transactionInfo": {"transactionId": own_id, **(info or {})},
            **more,
        }
        if state is not None:
            payload["transactionInfo"]["chargingState"] = state
        if evse is not None:
            payload["evse"] = {"id": evse, "connectorId": 1}
        if tag is not None:
            payload["idToken"] = {"idToken": tag, "type": "ISO14443"}
        if values is not None:
            payload["meterValue"] = [{"timestamp": self.stamp(ago_s), "sampledValue": values}]
        return await self.tell("TransactionEvent", payload, message_id)

    async def begin(self, own_id: str = "tx-1", *, meter: float = 1000, tag: str = "TAG1", evse: int = 1) -> Any:
        """Plug in and start to charge."""
        await self.status(evse, "Occupied")
        return await self.event(
            "Started", own_id, evse=evse, tag=tag, state=CHARGING, values=[energy_2(meter)], trigger="Authorized"
        )

    async def end(self, own_id: str = "tx-1", *, meter: float | None = 2000, **more: Any) -> Any:
        """End a transaction."""
        values = None if meter is None else [energy_2(meter)]
        return await self.event("Ended", own_id, values=values, trigger="EVDeparted", **more)

    async def read(self, values: list[Any], evse: int = 1) -> Any:
        """Tell a measurement outside a transaction."""
        meter_value = [{"timestamp": self.stamp(), "sampledValue": values}]
        return await self.tell("MeterValues", {"evseId": evse, "meterValue": meter_value})

    async def report(self, variables: list[Any], *, more: bool = False, request_id: int = 1) -> Any:
        """Tell a part of a report."""
        payload = {
            "requestId": request_id,
            "generatedAt": self.stamp(),
            "reportData": variables,
            "seqNo": 0,
            "tbc": more,
        }
        return await self.tell("NotifyReport", payload)

    @override
    def profiles(self, purpose: str) -> list[Any]:
        sent = (payload["chargingProfile"] for payload in self.calls("SetChargingProfile"))
        return [profile for profile in sent if profile["chargingProfilePurpose"] == purpose]


def limits_of_2(profile: Any) -> list[tuple[int, float]]:
    """Return the periods of a profile as (start, limit)."""
    (schedule,) = profile["chargingSchedule"]
    return [(period["startPeriod"], period["limit"]) for period in schedule["chargingSchedulePeriod"]]
