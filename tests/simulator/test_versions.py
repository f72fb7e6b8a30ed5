"""Sites of all versions, and of odd charge points beside good ones, run; the `ocpp` library hears 2.x on its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from ocpp import routing
from ocpp.charge_point import ChargePoint as LibraryChargePoint
from ocpp.v21 import ChargePoint as Peer21, call as call_21, call_result as result_21
from ocpp.v201 import ChargePoint as Peer201, call as call_201, call_result as result_201

from simulator import Scenario, SimClock, SimulatedSite, load_scenario
from simulator.charge_point import OcppVersion

from .central_system import CentralSystem, now_text
from .conftest import RunSite
from .stories import OUTLET, a_car

FACTOR = 10.0

type Handler = Callable[..., Awaitable[Any]]

hears: Callable[[str], Callable[[Handler], Handler]] = routing.on


class TestScenarios:
    async def test_all_versions_charge_side_by_side_and_all_that_they_say_conforms(
        self, central: CentralSystem, run_site: RunSite
    ) -> None:
        site = await run_site(load_scenario("versions"), factor=FACTOR)
        await site.all_accepted()
        spoken = {identity: peer.subprotocol for identity, peer in central.peers.items()}
        assert spoken["CP-A16"] == "ocpp1.6"
        assert spoken["MASTER-A"] == "ocpp2.0.1"
        assert spoken["CP-B21W"] == "ocpp2.1"
        over_tls = {identity for identity, peer in central.peers.items() if peer.secure}
        assert over_tls == {"CP-A201", "CP-A21", "CP-B16", "CP-B21"}
        early = [arrival.outlet_id for arrival in site.scenario.arrivals if arrival.at_s < 200.0]
        await site.until(lambda: all(site.truth.outlets[outlet].register_wh > 0.0 for outlet in early), within_s=60.0)
        asking = {one.identity for one in central.heard if one.action == "SignCertificate"}
        assert asking == {"CP-A201", "CP-B16", "CP-B21"}
        of_master = {
            one.payload["evse"]["id"]
            for one in central.heard
            if one.identity == "MASTER-A" and one.action == "TransactionEvent"
        }
        assert of_master == {1, 2, 4}
        assert any(one.action == "NotifyEVChargingNeeds" for one in central.heard)

    async def test_odd_charge_points_charge_and_the_good_ones_conform_all_the_same(
        self, central: CentralSystem, run_site: RunSite
    ) -> None:
        central.tolerant = True
        site = await run_site(load_scenario("oddities"), factor=FACTOR)
        early = [arrival.outlet_id for arrival in site.scenario.arrivals if arrival.at_s < 200.0]
        await site.until(lambda: all(site.truth.outlets[outlet].register_wh > 0.0 for outlet in early), within_s=60.0)
        connected = {point.identity for point in site.scenario.charge_points}
        assert set(central.peers) == connected
        assert {identity for identity in central.breached if identity.startswith("GOOD-")} == set()
        assert {"ODD-CONNECT", "ODD-WRITING"} & central.breached
        quiet = {identity for identity in connected if not any(one.identity == identity for one in central.heard)}
        assert quiet == set()

    def test_every_group_of_oddities_has_a_charge_point(self) -> None:
        points = load_scenario("oddities").charge_points
        odd = [point for point in points if point.identity.startswith("ODD-")]
        assert len(odd) >= 16
        assert {point.version for point in points} == set(OcppVersion)
        good = [point for point in points if point.identity.startswith("GOOD-")]
        assert all(point.misbehaviour == type(point.misbehaviour)() for point in good)


@dataclass
class Words:
    """A version of OCPP as the library knows it."""

    peer: type[LibraryChargePoint]
    call: ModuleType
    result: ModuleType


WORDS = {
    OcppVersion.V201: Words(Peer201, call_201, result_201),
    OcppVersion.V21: Words(Peer21, call_21, result_21),
}


class Socket:
    """A websocket of aiohttp with the words that the library uses."""

    def __init__(self, websocket: web.WebSocketResponse) -> None:
        self._websocket = websocket
        self.subprotocol = websocket.ws_protocol

    async def recv(self) -> str:
        message = await self._websocket.receive()
        if message.type is not WSMsgType.TEXT:
            raise ConnectionError
        return str(message.data)

    async def send(self, text: str) -> None:
        await self._websocket.send_str(text)


@dataclass
class LibraryCentralSystem:
    """A central system that is nothing but the library, with its own validation of every message."""

    words: Words
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    peer: Any = None
    url: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(protocols=("ocpp2.0.1", "ocpp2.1"))
        await websocket.prepare(request)
        self.peer = _peer(self, self.words)(request.match_info["identity"], Socket(websocket))
        with suppress(ConnectionError):
            await self.peer.start()
        return websocket

    def hear(self, action: str, payload: dict[str, Any]) -> None:
        self.heard.append((action, payload))
        self.changed.set()

    async def wait(self, met: Callable[[str, dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while True:
                for action, payload in self.heard:
                    if met(action, payload):
                        return payload
                self.changed.clear()
                await self.changed.wait()


def _peer(system: LibraryCentralSystem, words: Words) -> type[LibraryChargePoint]:
    result = words.result

    class Peer(words.peer):  # type: ignore[name-defined,misc] # the version is chosen while the test runs
        @hears("BootNotification")
        async def boot(self, **payload: Any) -> Any:
            system.hear("BootNotification", payload)
            return result.BootNotification(current_time=now_text(), interval=300, status="Accepted")

        @hears("StatusNotification")
        async def status(self, **payload: Any) -> Any:
            system.hear("StatusNotification", payload)
            return result.StatusNotification()

        @hears("TransactionEvent")
        async def event(self, **payload: Any) -> Any:
            system.hear("TransactionEvent", payload)
            return result.TransactionEvent(id_token_info={"status": "Accepted"})

        @hears("NotifyReport")
        async def report(self, **payload: Any) -> Any:
            system.hear("NotifyReport", payload)
            return result.NotifyReport()

    return Peer


@pytest.fixture
async def library(version: OcppVersion) -> AsyncIterator[LibraryCentralSystem]:
    system = LibraryCentralSystem(WORDS[version])
    application = web.Application()
    application.router.add_get("/ocpp/{identity}", system.serve)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    system.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/ocpp"
    yield system
    await runner.cleanup()


async def test_the_ocpp_library_can_run_a_charge_point(
    version: OcppVersion, library: LibraryCentralSystem, point_2: Callable[..., Scenario]
) -> None:
    call = library.words.call
    site = SimulatedSite(point_2(), clock=SimClock(factor=25.0))
    await site.start(library.url)
    try:
        await site.all_accepted()
        answer = await library.peer.call(call.GetBaseReport(request_id=1, report_base="FullInventory"))
        assert answer.status == "Accepted"
        await library.wait(lambda action, payload: action == "NotifyReport" and payload.get("tbc") is False)
        site.plug(OUTLET, a_car())
        started = await library.wait(
            lambda action, payload: action == "TransactionEvent" and payload["event_type"] == "Started"
        )
        profile = {
            "id": 1,
            "stack_level": 0,
            "charging_profile_purpose": "TxProfile",
            "charging_profile_kind": "Absolute",
            "transaction_id": started["transaction_info"]["transaction_id"],
            "charging_schedule": [
                {
                    "id": 1,
                    "charging_rate_unit": "A",
                    "charging_schedule_period": [{"start_period": 0, "limit": 9.0}],
                }
            ],
        }
        answer = await library.peer.call(call.SetChargingProfile(evse_id=1, charging_profile=profile))
        assert answer.status == "Accepted"
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 9.0)
        identity = started["transaction_info"]["transaction_id"]
        answer = await library.peer.call(call.RequestStopTransaction(transaction_id=identity))
        assert answer.status == "Accepted"
        await library.wait(lambda action, payload: action == "TransactionEvent" and payload["event_type"] == "Ended")
    finally:
        await site.stop()
