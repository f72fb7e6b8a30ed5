"""Charge points of all versions at one central system, over real sockets."""

import asyncio
from collections.abc import Callable

import pytest

from custom_components.charge_cluster.ocpp.conversation import (
    LimitWish,
    Outcome,
    Report,
    StatusReported,
    Terminals,
    TransactionOpened,
)
from custom_components.charge_cluster.ocpp.listener import CentralSystem
from custom_components.charge_cluster.ocpp.versions import OcppVersion

from .charge_point_2 import CHARGING, ChargePoint2, energy_2
from .conftest import Dial, Dial2
from .raw_client import TEXT, RawClient
from .surroundings import Door, MemoryJournal

WISH = LimitWish(amps=10, fallback_a=0, validity_s=30)
OF_2 = [OcppVersion.V201, OcppVersion.V21]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - this is for what no event tells of
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("version", OF_2)
async def test_each_speaks_its_own_version_side_by_side(
    central: CentralSystem, dial: Dial, dial_2: Dial2, version: OcppVersion
) -> None:
    old, new = await dial("CP1"), await dial_2("CP2", version=version)
    await asyncio.gather(old.boot(), new.boot())
    await until(lambda: all(central.conversation(identity).online for identity in ("CP1", "CP2")))
    assert central.conversation("CP1").version is OcppVersion.V16
    assert central.conversation("CP2").version is version
    await new.was_asked("GetBaseReport")
    await old.was_asked("GetConfiguration")


async def test_a_charge_point_may_come_back_with_another_version(
    central: CentralSystem, dial: Dial, dial_2: Dial2, journal: MemoryJournal
) -> None:
    """Whoever listens to it goes on, and what runs is the same transaction."""
    partner = central.conversation("CP1")
    partner.describe(Terminals(connector=1, maximum_a=20))
    heard: list[Report] = []
    partner.listen(heard.append)
    old = await dial("CP1")
    await old.boot()
    await old.status(1, "Charging")
    number = await old.start()
    new = await dial_2("CP1")
    await new.boot("FirmwareUpdate")
    await new.begin("own", meter=1500)
    assert central.conversation("CP1") is partner
    assert (partner.version, partner.device.model) == (OcppVersion.V201, "Two")
    await until(lambda: partner.online)
    assert await partner.hold_limit(1, LimitWish(amps=32, fallback_a=0, validity_s=30)) is Outcome.ACCEPTED
    (profile,) = new.profiles("TxProfile")
    assert profile["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 20
    await until(lambda: len([report for report in heard if isinstance(report, TransactionOpened)]) == 2)
    assert journal.stored[number].stopped_at is not None
    back = await dial("CP1")
    await back.boot()
    await until(lambda: partner.version is OcppVersion.V16)
    assert [report.status for report in heard if isinstance(report, StatusReported)][-1] == "Charging"


@pytest.mark.parametrize("version", OF_2)
async def test_a_stranger_waits_answered_and_powerless(
    central: CentralSystem, dial_2: Dial2, journal: MemoryJournal, version: OcppVersion
) -> None:
    stranger: ChargePoint2 = await dial_2("NEW", version=version)
    answer = await stranger.boot()
    assert (answer["status"], answer["interval"]) == ("Pending", 30)
    await stranger.status(0, "Available")
    await stranger.status(2, "Available")
    assert "currentTime" in (await stranger.tell("Heartbeat", {}))[2]
    token = {"idToken": {"idToken": "A", "type": "Central"}}
    assert (await stranger.tell("Authorize", token))[2] == {"idTokenInfo": {"status": "Invalid"}}
    refused = await stranger.event("Started", evse=1, tag="A", state=CHARGING, values=[energy_2(5)])
    assert refused[2] == {"idTokenInfo": {"status": "Invalid"}}
    assert (await stranger.event("Ended"))[2] == {}
    assert (await stranger.read([energy_2(5)]))[2] == {}
    assert (await stranger.report([]))[2] == {}
    assert (await stranger.tell("DataTransfer", {"vendorId": "x"}))[2] == {"status": "Rejected"}
    assert (await stranger.tell("SignCertificate", {"csr": "x"}))[2] == {"status": "Rejected"}
    assert (await stranger.tell("Dance", {}))[2] == "NotImplemented"
    assert stranger.asked == []
    assert journal.stored == {}
    newcomer = central.newcomers["NEW"]
    assert (newcomer.device.model, newcomer.connectors) == ("Two", 2)


async def test_an_accepted_stranger_is_asked_to_boot_without_losing_its_connection(
    central: CentralSystem, dial_2: Dial2, door: Door
) -> None:
    stranger = await dial_2("NEW")
    await stranger.boot()
    door.keys["NEW"] = None
    central.reconsider("NEW")
    assert (await stranger.was_asked("TriggerMessage"))["requestedMessage"] == "BootNotification"
    assert (await stranger.boot("Triggered"))["status"] == "Accepted"
    await until(lambda: central.conversation("NEW").online)


@pytest.mark.parametrize("version", OF_2)
async def test_a_broken_frame_is_answered_as_the_version_wants(central: CentralSystem, version: OcppVersion) -> None:
    client = await RawClient.dial(central.port, "/CP1", protocols=version.subprotocol)
    for frame, answer in (
        ("nonsense", ["-1", "RpcFrameworkError"]),
        ('[2,"7"]', ["7", "FormatViolation"]),
        ('[9,"8",{}]', ["8", "MessageTypeNotSupported"]),
        ('[2,"9","Dance",{}]', ["9", "NotImplemented"]),
        ('[2,"10","StatusNotification",{}]', ["10", "OccurrenceConstraintViolation"]),
    ):
        await client.send_frame(TEXT, frame.encode())
        received = await client.receive()
        assert (received[0], received[1:3], received[4]) == (4, answer, {})
    client.abort()


async def test_an_answer_of_ours_that_could_not_be_used_ends_nothing(central: CentralSystem) -> None:
    client = await RawClient.dial(central.port, "/CP1", protocols="ocpp2.1")
    await client.send([5, "x", "FormatViolation", "no", {}])
    assert (await client.call("Heartbeat", {}))[0] == 3
    client.abort()


async def test_the_owner_may_insist_on_a_version(central: CentralSystem, door: Door) -> None:
    door.versions["CP1"] = OcppVersion.V16
    both = "ocpp2.1, ocpp2.0.1, ocpp1.6"
    client = await RawClient.dial(central.port, "/CP1", protocols=both)
    assert client.headers["sec-websocket-protocol"] == "ocpp1.6"
    door.versions["CP1"] = OcppVersion.V201
    central.reconsider("CP1")
    assert await client.closed() == 1001
    again = await RawClient.dial(central.port, "/CP1", protocols=both)
    assert again.headers["sec-websocket-protocol"] == "ocpp2.0.1"
    central.reconsider("CP1")
    assert (await again.call("Heartbeat", {}))[0] == 3
    again.abort()
    refused = await RawClient.dial(central.port, "/CP1", protocols="ocpp1.6")
    assert await refused.closed() == 1002


async def test_without_an_offer_the_version_is_what_the_owner_says(central: CentralSystem, door: Door) -> None:
    door.versions["CP1"] = OcppVersion.V201
    client = await RawClient.dial(central.port, "/CP1", protocols=None)
    answer = await client.call("BootNotification", {"reason": "PowerUp", "chargingStation": {"model": "M"}})
    assert answer[2]["status"] == "Accepted"
    await until(lambda: central.conversation("CP1").device.model == "M")
    assert central.conversation("CP1").version is OcppVersion.V201
    client.abort()
