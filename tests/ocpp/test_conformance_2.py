"""The happy paths in OCPP 2.0.1 and 2.1 with somebody else's charge point: the `ocpp` library."""
# mypy: disable-error-code="no-untyped-call,untyped-decorator"
# The library's calls and decorators carry no types.

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from ocpp.routing import on
from ocpp.v21 import ChargePoint as ChargePoint21
from ocpp.v201 import ChargePoint as ChargePoint201, call, call_result

from custom_components.charge_cluster.chargers import LimitOrder, LimitOutcome
from custom_components.charge_cluster.chargers.ocpp import OcppCharger
from custom_components.charge_cluster.ocpp.conversation import Terminals
from custom_components.charge_cluster.ocpp.listener import CentralSystem
from custom_components.charge_cluster.ocpp.versions import OcppVersion

from .surroundings import MemoryJournal
from .test_conformance import Wire

RESULTS: Any = call_result
"""Enumerations and classes of the library are words and dictionaries on the wire."""

OWN_ID = "0f5b7c9e-1111-4222-8333-444455556666"


def now() -> str:
    return datetime.now(UTC).isoformat()


class Answers:
    """What a charge point made of the library does when it is asked; the words are the same in both versions."""

    def __init__(self, wire: Wire) -> None:
        begin: Any = super().__init__
        begin("CP1", wire)
        self.profiles: list[dict[str, Any]] = []
        self.profile_came = asyncio.Event()
        self.configured = asyncio.Event()
        self.started_remotely: list[Any] = []
        self.stopped_remotely: list[str] = []

    @on("GetVariables")
    async def variables(self, get_variable_data: list[Any]) -> Any:
        results = [
            {**asked, "attribute_status": "Accepted", "attribute_value": "A,W"}
            if asked["variable"]["name"] == "RateUnit"
            else {**asked, "attribute_status": "UnknownVariable"}
            for asked in get_variable_data
        ]
        return RESULTS.GetVariables(get_variable_result=results)

    @on("GetBaseReport")
    async def inventory(self, **_: Any) -> Any:
        self.configured.set()
        return RESULTS.GetBaseReport(status="Accepted")

    @on("TriggerMessage")
    async def trigger(self, **_: Any) -> Any:
        return RESULTS.TriggerMessage(status="Accepted")

    @on("GetChargingProfiles")
    async def held(self, **_: Any) -> Any:
        return RESULTS.GetChargingProfiles(status="NoProfiles")

    @on("ClearChargingProfile")
    async def clear(self, **_: Any) -> Any:
        return RESULTS.ClearChargingProfile(status="Unknown")

    @on("SetChargingProfile")
    async def profile(self, evse_id: int, charging_profile: dict[str, Any]) -> Any:
        self.profiles.append({"evse_id": evse_id, **charging_profile})
        self.profile_came.set()
        return RESULTS.SetChargingProfile(status="Accepted")

    @on("RequestStartTransaction")
    async def remote_start(self, id_token: Any, **_: Any) -> Any:
        self.started_remotely.append(id_token)
        return RESULTS.RequestStartTransaction(status="Accepted")

    @on("RequestStopTransaction")
    async def remote_stop(self, transaction_id: str) -> Any:
        self.stopped_remotely.append(transaction_id)
        return RESULTS.RequestStopTransaction(status="Accepted")

    @on("Reset")
    async def restart(self, **_: Any) -> Any:
        return RESULTS.Reset(status="Accepted")


class Library201(Answers, ChargePoint201):
    """In OCPP 2.0.1."""


class Library21(Answers, ChargePoint21):
    """In OCPP 2.1."""


@pytest.fixture(params=[(OcppVersion.V201, Library201), (OcppVersion.V21, Library21)], ids=["2.0.1", "2.1"])
async def library(request: pytest.FixtureRequest, central: CentralSystem) -> AsyncIterator[Any]:
    version, kind = request.param
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"http://127.0.0.1:{central.port}/ocpp/CP1", protocols=[version.subprotocol, "ocpp1.6"]
        ) as socket,
    ):
        assert socket.protocol == version.subprotocol
        point = kind(Wire(socket))
        running = asyncio.create_task(point.start())
        yield point
        running.cancel()
        await asyncio.wait([running])


async def boot(library: Any) -> None:
    message: Any = call.BootNotification
    answer = await told(library, message(charging_station={"model": "M", "vendor_name": "V"}, reason="PowerUp"))
    assert answer.status == "Accepted"
    async with asyncio.timeout(10):
        await library.configured.wait()


async def told(library: Any, message: Any) -> Any:
    return await library.call(message, suppress=False)


async def event(library: Any, kind: str, number: int, register: float, **more: Any) -> Any:
    sampled = [
        {"value": 15.9, "measurand": "Current.Import", "phase": f"L{phase}", "unit_of_measure": {"unit": "A"}}
        for phase in (1, 2, 3)
    ]
    values = [{"timestamp": now(), "sampled_value": [*sampled, {"value": register}]}]
    information = {"transaction_id": OWN_ID, "charging_state": "Charging"}
    message: Any = call.TransactionEvent
    return await told(
        library,
        message(
            event_type=kind,
            timestamp=now(),
            trigger_reason="Authorized",
            seq_no=number,
            transaction_info=information,
            meter_value=values,
            **more,
        ),
    )


async def test_a_session_from_plug_in_to_plug_out(library: Any, central: CentralSystem, journal: MemoryJournal) -> None:
    charger = OcppCharger(central.conversation("CP1"), [Terminals(connector=1)])
    await boot(library)
    status: Any = call.StatusNotification
    await told(library, status(timestamp=now(), connector_status="Occupied", evse_id=1, connector_id=1))
    token = {"id_token": "TAG", "type": "ISO14443"}
    authorise: Any = call.Authorize
    authorised = await told(library, authorise(id_token=token))
    assert authorised.id_token_info["status"] == "Accepted"
    assert await charger.provision_fallback(1, 0) is LimitOutcome.ACCEPTED
    order = LimitOrder(amps=16, fallback_a=0, validity_s=30)
    assert await charger.apply_limit(1, order) is LimitOutcome.ACCEPTED
    library.profile_came.clear()
    answer = await event(library, "Started", 0, 100, evse={"id": 1, "connector_id": 1}, id_token=token)
    assert answer.id_token_info["status"] == "Accepted"
    async with asyncio.timeout(5):
        await library.profile_came.wait()
    assert (library.profiles[-1]["evse_id"], library.profiles[-1]["transaction_id"]) == (1, OWN_ID)
    await event(library, "Updated", 1, 400)
    await charger.stop(1)
    assert library.stopped_remotely == [OWN_ID]
    await event(library, "Ended", 2, 900)
    await told(library, status(timestamp=now(), connector_status="Available", evse_id=1, connector_id=1))
    (stored,) = journal.stored.values()
    assert (stored.meter_start_wh, stored.meter_stop_wh, stored.id_tag, stored.charger_id) == (100, 900, "TAG", OWN_ID)
    assert {record.amps for record in journal.records} == {(15.9, 15.9, 15.9)}
    await charger.close()


async def test_a_start_from_here(library: Any, central: CentralSystem) -> None:
    await boot(library)
    await central.conversation("CP1").start(1, "HERE")
    assert library.started_remotely == [{"id_token": "HERE", "type": "Central"}]


async def test_a_restart_is_answered_before_it_happens(library: Any, central: CentralSystem) -> None:
    await boot(library)
    await central.conversation("CP1").reset(hard=False)
    await boot(library)
    assert central.conversation("CP1").online
