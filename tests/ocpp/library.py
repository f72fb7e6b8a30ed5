"""A charge point made of the `ocpp` library that knows every operation of its version and says yes to all.

The library judges each call by the schema of the Open Charge Alliance before it gets here, and our answers to its own.
"""
# mypy: disable-error-code="no-untyped-call,untyped-decorator"
# The library's calls and decorators carry no types.

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.resources import files
from typing import Any

import aiohttp
from ocpp.charge_point import camel_to_snake_case
from ocpp.routing import on

from custom_components.charge_cluster.ocpp.versions import OcppVersion

from .tables import FROM_CHARGE_POINT, PACKAGES, schemas

MOMENT = "2026-12-01T10:00:00Z"
SAMPLES = {"string": "a", "integer": 1, "number": 1.0, "boolean": True}

DIFFERS: dict[str, dict[str, Any]] = {
    "UnlockConnector": {"status": "Unlocked"},
    "CustomerInformation": {"status": "Rejected"},
    "GetBaseReport": {"status": "Rejected"},
    "GetChargingProfiles": {"status": "NoProfiles"},
    "GetDERControl": {"status": "Rejected"},
    "GetDisplayMessages": {"status": "Unknown"},
    "GetMonitoringReport": {"status": "Rejected"},
    "GetReport": {"status": "Rejected"},
}
"""Answers that are not simply "Accepted": nothing is to come after those that are answered in parts."""


class Wire:
    """What the library wants of a connection, over aiohttp."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def recv(self) -> str:
        return await self._socket.receive_str()

    async def send(self, message: str) -> None:
        await self._socket.send_str(message)


def least(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """Return the smallest payload that a schema lets pass; of several words the friendliest."""
    if "$ref" in schema:
        return least(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema:
        return "Accepted" if "Accepted" in schema["enum"] else schema["enum"][0]
    if schema.get("format") == "date-time":
        return MOMENT
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {name: least(fields[name], definitions) for name in schema.get("required", ())}
        case "array":
            return [least(schema["items"], definitions)] * schema.get("minItems", 1)
        case str(kind):
            return SAMPLES[kind]
    return {}


def request(version: OcppVersion, operation: str) -> dict[str, Any]:
    """Return the smallest payload of an operation."""
    schema = schemas(version)[operation]
    payload: dict[str, Any] = least(schema, schema.get("definitions", {}))
    return payload


def response(version: OcppVersion, operation: str) -> dict[str, Any]:
    """Return the smallest answer to an operation."""
    file = files(f"ocpp.{PACKAGES[version]}") / "schemas" / f"{operation}Response.json"
    schema = json.loads(file.read_text(encoding="utf-8-sig"))
    answer: dict[str, Any] = least(schema, schema.get("definitions", {}))
    return answer | DIFFERS.get(operation, {})


class Noting:
    """Keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._news = asyncio.Condition()

    async def note(self, operation: str, said: dict[str, Any]) -> None:
        async with self._news:
            self.asked.append((operation, said))
            self._news.notify_all()

    async def was_asked(self, operation: str) -> dict[str, Any]:
        """Wait for a call of this name and return what it said."""
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: any(name == operation for name, _ in self.asked))
        return self.last(operation)

    def last(self, operation: str) -> dict[str, Any]:
        return [said for name, said in self.asked if name == operation][-1]


def _handler(noting: Noting, result: Callable[..., Any], operation: str, answer: dict[str, Any]) -> Any:
    async def handle(_self: Any, **said: Any) -> Any:
        await noting.note(operation, said)
        return result(**camel_to_snake_case(answer))

    handle.__name__ = f"on_{operation}"
    return on(operation)(handle)


def library(version: OcppVersion, wire: Wire) -> tuple[Any, Noting]:
    """Return a charge point of the library, and what keeps what it is asked."""
    package = import_module(f"ocpp.{PACKAGES[version]}")
    noting = Noting()
    operations = set(schemas(version)) - FROM_CHARGE_POINT
    handlers = {
        f"on_{operation}": _handler(
            noting, getattr(package.call_result, operation), operation, response(version, operation)
        )
        for operation in operations
    }
    kind = type(f"Library{PACKAGES[version]}", (package.ChargePoint,), handlers)
    return kind("CP1", wire), noting


@asynccontextmanager
async def dialled_in(port: int, version: OcppVersion) -> AsyncIterator[tuple[Any, Noting]]:
    """Dial in and boot."""
    package = import_module(f"ocpp.{PACKAGES[version]}")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{port}/ocpp/CP1", protocols=[version.subprotocol]) as socket,
    ):
        assert socket.protocol == version.subprotocol
        point, noting = library(version, Wire(socket))
        running = asyncio.create_task(point.start())
        if version is OcppVersion.V16:
            boot = package.call.BootNotification(charge_point_model="M", charge_point_vendor="V")
        else:
            station = {"model": "M", "vendor_name": "V"}
            boot = package.call.BootNotification(charging_station=station, reason="PowerUp")
        await point.call(boot, suppress=False)
        yield point, noting
        running.cancel()
        await asyncio.wait([running])
