"""What we ask of a charge point in OCPP 2.x, as typed builders: strict, so that no charger has to guess.

Strings are cut to the lengths of the specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NotRequired, TypedDict

from ..frames import JsonObject
from ..tokens import TokenType

TOKEN_LENGTH = 36
NAME_LENGTH = 50
VALUE_LENGTH = 1000
TRANSACTION_ID_LENGTH = 36


class ResetKind(StrEnum):
    """How thorough a restart is."""

    ON_IDLE = "OnIdle"
    IMMEDIATE = "Immediate"


class Triggered(StrEnum):
    """What a charge point can be asked to send."""

    BOOT = "BootNotification"
    HEARTBEAT = "Heartbeat"
    METER_VALUES = "MeterValues"
    STATUS = "StatusNotification"
    TRANSACTION = "TransactionEvent"


class ReportBase(StrEnum):
    """How much of itself a charge point is asked to tell."""

    CONFIGURATION = "ConfigurationInventory"
    FULL = "FullInventory"
    SUMMARY = "SummaryInventory"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a variable of the device model is."""

    component: str
    variable: str
    variable_instance: str | None = None
    evse: int | None = None


class _Evse(TypedDict):
    id: int
    connectorId: NotRequired[int]


class _Component(TypedDict):
    name: str
    evse: NotRequired[_Evse]


class _Variable(TypedDict):
    name: str
    instance: NotRequired[str]


class _Named(TypedDict):
    component: _Component
    variable: _Variable


class _Set(_Named):
    attributeValue: str


def _named(place: Place) -> _Named:
    component: _Component = {"name": place.component[:NAME_LENGTH]}
    if place.evse is not None:
        component["evse"] = {"id": place.evse}
    variable: _Variable = {"name": place.variable[:NAME_LENGTH]}
    if place.variable_instance is not None:
        variable["instance"] = place.variable_instance[:NAME_LENGTH]
    return {"component": component, "variable": variable}


def get_variables(places: Sequence[Place]) -> JsonObject:
    """Ask for variables."""
    return {"getVariableData": [_named(place) for place in places]}


def set_variables(values: Sequence[tuple[Place, str]]) -> JsonObject:
    """Ask to set variables."""
    settings: list[_Set] = [{**_named(place), "attributeValue": value[:VALUE_LENGTH]} for place, value in values]
    return {"setVariableData": settings}


def get_base_report(request_id: int, base: ReportBase) -> JsonObject:
    """Ask for a report of the device model, which comes in parts."""
    return {"requestId": request_id, "reportBase": base.value}


def trigger_message(message: Triggered, evse: int | None = None, connector: int | None = None) -> JsonObject:
    """Ask to send a message now."""
    payload: JsonObject = {"requestedMessage": message.value}
    if evse is not None:
        payload["evse"] = {"id": evse} if connector is None else {"id": evse, "connectorId": connector}
    return payload


def request_start_transaction(evse: int, id_tag: str, remote_start_id: int, kind: TokenType) -> JsonObject:
    """Ask to start a transaction; always with the EVSE, chargers have been seen to refuse it without."""
    token = {"idToken": id_tag[:TOKEN_LENGTH], "type": kind.value}
    return {"evseId": evse, "idToken": token, "remoteStartId": remote_start_id}


def request_stop_transaction(charger_id: str) -> JsonObject:
    """Ask to stop a transaction."""
    return {"transactionId": charger_id[:TRANSACTION_ID_LENGTH]}


def get_transaction_status(charger_id: str) -> JsonObject:
    """Ask whether a transaction still runs."""
    return {"transactionId": charger_id[:TRANSACTION_ID_LENGTH]}


def reset(kind: ResetKind) -> JsonObject:
    """Ask to restart."""
    return {"type": kind.value}


def unlock_connector(evse: int, connector: int) -> JsonObject:
    """Ask to release the plug."""
    return {"evseId": evse, "connectorId": connector}


def change_availability(evse: int, *, operative: bool) -> JsonObject:
    """Ask to take an EVSE (0: the station) out of service or back."""
    payload: JsonObject = {"operationalStatus": "Operative" if operative else "Inoperative"}
    if evse > 0:
        payload["evse"] = {"id": evse}
    return payload
