"""The happy paths with somebody else's charge point: the `ocpp` library, which validates everything that we send."""
# mypy: disable-error-code="no-untyped-call,untyped-decorator"
# The library's calls and decorators carry no types.

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from ocpp.routing import on
from ocpp.v16 import ChargePoint as LibraryChargePoint, call, call_result
from ocpp.v16.enums import (
    Action,
    ChargePointErrorCode,
    ChargePointStatus,
    ChargingProfileStatus,
    ConfigurationStatus,
    Reason,
    RegistrationStatus,
    RemoteStartStopStatus,
    ResetStatus,
    TriggerMessageStatus,
)

from custom_components.charge_cluster.chargers import LimitOrder, LimitOutcome
from custom_components.charge_cluster.chargers.ocpp import OcppCharger
from custom_components.charge_cluster.ocpp.conversation import Outcome, Terminals
from custom_components.charge_cluster.ocpp.listener import CentralSystem

from .surroundings import MemoryJournal


def now() -> str:
    return datetime.now(UTC).isoformat()


class Wire:
    """What the library wants of a connection, over aiohttp."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def recv(self) -> str:
        return await self._socket.receive_str()

    async def send(self, message: str) -> None:
        await self._socket.send_str(message)


class Library(LibraryChargePoint):
    """A charge point made of the library."""

    def __init__(self, wire: Wire) -> None:
        super().__init__("CP1", wire)
        self.profiles: list[dict[str, Any]] = []
        self.profile_came = asyncio.Event()
        self.configured = asyncio.Event()
        self.started_remotely: list[str] = []
        self.stopped_remotely: list[int] = []

    @on(Action.get_configuration)
    async def configuration(self, **_: Any) -> call_result.GetConfiguration:
        return call_result.GetConfiguration(
            configuration_key=[{"key": "ChargeProfileMaxStackLevel", "readonly": True, "value": "8"}]
        )

    @on(Action.change_configuration)
    async def change(self, **_: Any) -> call_result.ChangeConfiguration:
        self.configured.set()
        return call_result.ChangeConfiguration(status=ConfigurationStatus.accepted)

    @on(Action.trigger_message)
    async def trigger(self, **_: Any) -> call_result.TriggerMessage:
        return call_result.TriggerMessage(status=TriggerMessageStatus.accepted)

    @on(Action.set_charging_profile)
    async def profile(self, connector_id: int, cs_charging_profiles: dict[str, Any]) -> call_result.SetChargingProfile:
        self.profiles.append(cs_charging_profiles)
        self.profile_came.set()
        return call_result.SetChargingProfile(status=ChargingProfileStatus.accepted)

    @on(Action.remote_start_transaction)
    async def remote_start(self, id_tag: str, **_: Any) -> call_result.RemoteStartTransaction:
        self.started_remotely.append(id_tag)
        return call_result.RemoteStartTransaction(status=RemoteStartStopStatus.accepted)

    @on(Action.remote_stop_transaction)
    async def remote_stop(self, transaction_id: int) -> call_result.RemoteStopTransaction:
        self.stopped_remotely.append(transaction_id)
        return call_result.RemoteStopTransaction(status=RemoteStartStopStatus.accepted)

    @on(Action.reset)
    async def restart(self, **_: Any) -> call_result.Reset:
        return call_result.Reset(status=ResetStatus.accepted)


@pytest.fixture
async def library(central: CentralSystem) -> AsyncIterator[Library]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{central.port}/ocpp/CP1", protocols=["ocpp1.6"]) as socket,
    ):
        assert socket.protocol == "ocpp1.6"
        point = Library(Wire(socket))
        running = asyncio.create_task(point.start())
        yield point
        running.cancel()
        await asyncio.wait([running])


async def boot(library: Library) -> None:
    answer = await library.call(call.BootNotification(charge_point_model="M", charge_point_vendor="V"))
    assert answer.status == RegistrationStatus.accepted
    async with asyncio.timeout(5):
        await library.configured.wait()


async def status(library: Library, word: str) -> None:
    await library.call(
        call.StatusNotification(
            connector_id=1, error_code=ChargePointErrorCode.no_error, status=ChargePointStatus(word), timestamp=now()
        ),
        suppress=False,
    )


async def test_a_session_from_plug_in_to_plug_out(
    library: Library, central: CentralSystem, journal: MemoryJournal
) -> None:
    charger = OcppCharger(central.conversation("CP1"), [Terminals(connector=1)])
    await boot(library)
    await status(library, "Preparing")
    authorised = await library.call(call.Authorize(id_tag="TAG"), suppress=False)
    assert authorised.id_tag_info["status"] == "Accepted"
    assert await charger.provision_fallback(1, 0) is LimitOutcome.ACCEPTED
    order = LimitOrder(amps=16, fallback_a=0, validity_s=30)
    assert await charger.apply_limit(1, order) is LimitOutcome.ACCEPTED
    library.profile_came.clear()
    started = await library.call(
        call.StartTransaction(connector_id=1, id_tag="TAG", meter_start=100, timestamp=now()), suppress=False
    )
    async with asyncio.timeout(5):
        await library.profile_came.wait()
    assert library.profiles[-1]["transaction_id"] == started.transaction_id
    await status(library, "Charging")
    sampled = [
        {"value": "15.9", "measurand": "Current.Import", "phase": f"L{phase}", "unit": "A"} for phase in (1, 2, 3)
    ]
    await library.call(
        call.MeterValues(
            connector_id=1,
            transaction_id=started.transaction_id,
            meter_value=[{"timestamp": now(), "sampled_value": sampled}],
        ),
        suppress=False,
    )
    await charger.stop(1)
    assert library.stopped_remotely == [started.transaction_id]
    await library.call(
        call.StopTransaction(
            meter_stop=900, timestamp=now(), transaction_id=started.transaction_id, reason=Reason.remote, id_tag="TAG"
        ),
        suppress=False,
    )
    await status(library, "Available")
    stored = journal.stored[started.transaction_id]
    assert (stored.meter_start_wh, stored.meter_stop_wh, stored.id_tag) == (100, 900, "TAG")
    assert [record.amps for record in journal.records] == [(15.9, 15.9, 15.9)]
    await charger.close()


async def test_a_start_from_here(library: Library, central: CentralSystem) -> None:
    await boot(library)
    await central.conversation("CP1").start(1, "HERE")
    assert library.started_remotely == ["HERE"]


async def test_a_restart_is_answered_before_it_happens(library: Library, central: CentralSystem) -> None:
    await boot(library)
    await central.conversation("CP1").reset(hard=False)
    await boot(library)
    assert central.conversation("CP1").online


async def test_a_library_that_knows_no_such_call_refuses_it_without_harm(
    library: Library, central: CentralSystem
) -> None:
    await boot(library)
    conversation = central.conversation("CP1")
    # It does not know GetCompositeSchedule, which is asked for first.
    assert await conversation.store_fallback(1, 6) is Outcome.ACCEPTED
    heartbeat = await library.call(call.Heartbeat(), suppress=False)
    assert heartbeat.current_time
