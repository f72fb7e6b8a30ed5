"""The central system over real sockets: the door, the waiting room, and everything that a peer can do wrong."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable

import pytest

from custom_components.charge_cluster.ocpp import listener
from custom_components.charge_cluster.ocpp.conversation import Reachable, Report, Unreachable
from custom_components.charge_cluster.ocpp.listener import CannotListen, CentralSystem, PortInUse
from custom_components.charge_cluster.ocpp.protocols import Admission
from custom_components.charge_cluster.ocpp.waiting_room import Newcomer

from .charge_point import ChargePoint, sampled
from .conftest import Dial
from .fuzz.doors import request
from .raw_client import BINARY, PING, TEXT, RawClient, Refused
from .surroundings import Door, MemoryJournal, SettableClock, Tags

KEY = b"0123456789abcdef0123"


@pytest.fixture
async def raw(central: CentralSystem) -> AsyncIterator[RawClient]:
    client = await RawClient.dial(central.port, "/ocpp/CP1")
    yield client
    client.abort()


async def until(condition: Callable[[], object], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - this is for what no event tells of
            await asyncio.sleep(0.005)


# -- the socket ---------------------------------------------------------------------------------------------------


async def test_a_port_that_is_taken_is_told_by_name(central: CentralSystem) -> None:
    other = CentralSystem(
        host="127.0.0.1",
        port=central.port,
        doorkeeper=Door(),
        journal=MemoryJournal(),
        authoriser=Tags(),
        clock=SettableClock(),
    )
    with pytest.raises(PortInUse) as caught:
        await other.start()
    assert (caught.value.host, caught.value.port) == ("127.0.0.1", central.port)


async def test_a_host_that_is_not_ours_is_told_by_name() -> None:
    system = CentralSystem(
        host="192.0.2.1", port=0, doorkeeper=Door(), journal=MemoryJournal(), authoriser=Tags(), clock=SettableClock()
    )
    with pytest.raises(CannotListen) as caught:
        await system.start()
    assert not isinstance(caught.value, PortInUse)


@pytest.mark.parametrize(
    ("offers", "agreed"),
    [
        ("ocpp1.6", "ocpp1.6"),
        ("ocpp1.6,ocpp2.0.1", "ocpp2.0.1"),
        ("ocpp2.0.1, ocpp2.1", "ocpp2.1"),
        ("ocpp2.0, OCPP1.6", "OCPP1.6"),
        (None, None),
    ],
)
async def test_a_charger_is_spoken_to_whatever_it_offers(
    central: CentralSystem, offers: str | None, agreed: str | None
) -> None:
    client = await RawClient.dial(central.port, "/CP1", protocols=offers)
    assert client.headers.get("sec-websocket-protocol") == agreed
    assert (await client.call("Heartbeat", {}))[0] == 3
    client.abort()


async def test_a_charger_that_speaks_only_what_we_do_not_is_hung_up_on(central: CentralSystem) -> None:
    client = await RawClient.dial(central.port, "/CP1", protocols="ocpp2.0")
    assert "sec-websocket-protocol" not in client.headers
    assert await client.closed() == 1002


async def test_compression_is_not_agreed_to(central: CentralSystem) -> None:
    client = await RawClient.dial(central.port, "/CP1", extensions="permessage-deflate; client_max_window_bits")
    assert "sec-websocket-extensions" not in client.headers
    client.abort()


@pytest.mark.parametrize("path", ["/", "/%00", "/%ff%fe", "/" + "x" * 100])
async def test_an_address_without_identity_is_refused(central: CentralSystem, path: str) -> None:
    with pytest.raises(Refused) as caught:
        await RawClient.dial(central.port, path)
    assert caught.value.status == 404


async def test_what_is_not_even_http_disturbs_nobody(central: CentralSystem, raw: RawClient) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", central.port)
    writer.write(os.urandom(4096) + b"\r\n\r\n")
    await writer.drain()
    assert b"400" in await reader.readline()
    writer.close()
    assert (await raw.call("Heartbeat", {}))[0] == 3


@pytest.mark.parametrize(
    "said",
    [
        b"SECRET\r\n\r\n",
        b"GET /CP1 HTTP/1.1\r\nContent-Length: -1SECRET\r\n\r\n",
        request("/CP1", Sec_WebSocket_Version="SECRET"),
        request("/CP1", Sec_WebSocket_Key="SECRET"),
        request("/CP1", Sec_WebSocket_Protocol="SECRET"),
    ],
    ids=range(5),
)
async def test_the_door_repeats_nothing_and_logs_little(
    central: CentralSystem, caplog: pytest.LogCaptureFixture, said: bytes
) -> None:
    for _ in range(50):
        reader, writer = await asyncio.open_connection("127.0.0.1", central.port)
        writer.write(said)
        heard = await reader.readline()
        assert heard.split()[1] in (b"400", b"101")
        assert b"SECRET" not in heard + await reader.read(2000)
        writer.close()
    lines = [record for record in caplog.records if record.levelno >= logging.INFO]
    # What asyncio says of a machine that is busy is nobody's here.
    assert len([line for line in lines if line.name != "asyncio"]) <= 6
    assert not [line for line in lines if line.exc_info or "SECRET" in line.getMessage()]


async def test_who_dials_again_and_again_cannot_fill_the_log(
    central: CentralSystem, caplog: pytest.LogCaptureFixture
) -> None:
    for identity in ("CP1", "STRANGER"):
        for number in range(10):
            client = await RawClient.dial(central.port, f"/{identity}{number if identity == 'STRANGER' else ''}")
            for _ in range(3):
                await client.send("garbage")
            await client.call("Heartbeat", {})
            client.abort()
    unusable = [record for record in caplog.records if "unusable" in record.getMessage()]
    assert len(unusable) == 10, "five lines of the charge point and five of all strangers together"


async def test_a_ping_is_answered(raw: RawClient) -> None:
    await raw.send_frame(PING, b"hello")
    assert await raw.receive() == "pong"


async def test_json_in_a_binary_frame_is_taken(raw: RawClient) -> None:
    await raw.send_frame(BINARY, b'[2,"1","Heartbeat",{}]')
    assert (await raw.receive())[:2] == [3, "1"]


# -- bad frames ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "garbage",
        "[" * 100_000,
        '[2,"1","X",' + '{"a":' * 3000 + "1" + "}" * 3000 + "]",
        "[" + "9" * 5000 + "]",
        '[2,"1",{},{}]',
        '[3,"nobody-asked",{}]',
        '[4,"nobody-asked","X","",{}]',
        "[3,[],{}]",
        '["2","1","Heartbeat",{}]',
        "null",
    ],
    ids=range(11),
)
async def test_a_bad_frame_costs_its_charger_nothing_but_itself(raw: RawClient, frame: str) -> None:
    await raw.send(frame)
    await raw.send([2, "after", "Heartbeat", {}])
    while (answer := await raw.receive())[1] != "after":
        assert answer[0] == 4
    assert answer[0] == 3


async def test_a_frame_that_is_too_long_ends_its_own_connection_only(central: CentralSystem, raw: RawClient) -> None:
    other = await RawClient.dial(central.port, "/CP2")
    await raw.send_frame(TEXT, b"x" * 300_000)
    assert await raw.closed() == 1009
    assert (await other.call("Heartbeat", {}))[0] == 3
    other.abort()


async def test_text_that_is_no_text_ends_its_own_connection_only(central: CentralSystem, raw: RawClient) -> None:
    other = await RawClient.dial(central.port, "/CP2")
    await raw.send_frame(TEXT, b"\xff\xfe\xfd")
    await raw.closed()
    assert (await other.call("Heartbeat", {}))[0] == 3
    other.abort()


async def test_neither_tags_nor_keys_reach_the_log(
    central: CentralSystem, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    door.keys["SAFE"] = KEY
    with pytest.raises(Refused):
        await RawClient.dial(central.port, "/SAFE", password=b"WRONGSECRET")
    client = await RawClient.dial(central.port, "/SAFE", password=KEY)
    await client.call("Authorize", {"idTag": "TAGSECRET"})
    await client.send('[2,"1",{"idTag":"TAGSECRET"},{}]')
    await client.receive()
    await client.send("TAGSECRET")
    await client.call("Heartbeat", {})
    client.abort()
    for secret in ("WRONGSECRET", "TAGSECRET", KEY.decode()):
        assert secret not in caplog.text


# -- several sockets of one identity ------------------------------------------------------------------------------


async def test_the_newest_connection_wins_and_the_old_ones_calls_fail_at_once(
    central: CentralSystem, dial: Dial
) -> None:
    old = await dial()
    await old.boot()
    old.silent_on = {"UnlockConnector"}
    unlock = asyncio.ensure_future(central.conversation("CP1").unlock(1))
    await old.was_asked("UnlockConnector")
    new = await dial()
    async with asyncio.timeout(1):
        await asyncio.wait([unlock])
    assert unlock.exception() is not None
    await old.ended.wait()
    assert old.client.close_code == 1000
    await new.boot()
    await new.was_asked("GetConfiguration")
    assert central.conversation("CP1").online


async def test_the_end_of_an_old_connection_does_not_make_the_new_one_offline(
    central: CentralSystem, dial: Dial
) -> None:
    heard: list[Report] = []
    central.conversation("CP1").listen(heard.append)
    old = await dial()
    await old.boot()
    new = await dial()
    await new.boot()
    await old.ended.wait()
    await new.was_asked("GetConfiguration")
    assert [type(r) for r in heard if isinstance(r, Reachable | Unreachable)] == [
        Unreachable,
        Reachable,
        Unreachable,
        Reachable,
    ]


async def test_repeated_message_ids_after_a_reconnect_are_new_messages(
    central: CentralSystem, dial: Dial, journal: MemoryJournal
) -> None:
    for number in range(3):
        point = await dial()
        assert (await point.tell("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}, "1"))[0] == 3
        answer = await point.tell("StartTransaction", point.start_payload(meter=number), "2")
        await point.stop(answer[2]["transactionId"])
    assert len(journal.stored) == 3


async def test_what_was_being_stored_when_the_connection_ended_is_stored(dial: Dial, journal: MemoryJournal) -> None:
    point = await dial()
    await point.boot()
    journal.disk.clear()
    start = asyncio.ensure_future(point.tell("StartTransaction", point.start_payload()))
    await point.tell("Heartbeat", {})
    point.client.abort()
    journal.disk.set()
    await until(lambda: journal.stored)
    start.cancel()


# -- keys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", [None, b"wrong", KEY + b"x", b""], ids=repr)
async def test_without_the_right_key_nobody_gets_in(central: CentralSystem, door: Door, password: bytes | None) -> None:
    door.keys["SAFE"] = KEY
    with pytest.raises(Refused) as caught:
        await RawClient.dial(central.port, "/SAFE", password=password)
    assert caught.value.status == 401
    assert caught.value.headers["www-authenticate"].startswith("Basic")
    expected = Admission.KEY_MISSING if password is None else Admission.WRONG_KEY
    assert central.turned_away == {"SAFE": expected}


async def test_the_right_key_gets_in_and_is_no_trouble_any_more(central: CentralSystem, door: Door) -> None:
    door.keys["SAFE"] = KEY
    with pytest.raises(Refused):
        await RawClient.dial(central.port, "/SAFE")
    client = await RawClient.dial(central.port, "/SAFE", password=KEY)
    assert (await client.call("Heartbeat", {}))[0] == 3
    assert central.turned_away == {}
    client.abort()


async def test_another_user_name_is_refused(central: CentralSystem, door: Door) -> None:
    door.keys["SAFE"] = KEY
    with pytest.raises(Refused) as caught:
        await RawClient.dial(central.port, "/SAFE", password=KEY, user="OTHER")
    assert caught.value.status == 401


async def test_a_wrong_key_does_not_end_the_connection_with_the_right_one(central: CentralSystem, door: Door) -> None:
    door.keys["SAFE"] = KEY
    good = await RawClient.dial(central.port, "/SAFE", password=KEY)
    with pytest.raises(Refused):
        await RawClient.dial(central.port, "/SAFE", password=b"guess")
    assert (await good.call("Heartbeat", {}))[0] == 3
    good.abort()


# -- the waiting room ---------------------------------------------------------------------------------------------


async def test_a_stranger_waits_answered_and_powerless(
    central: CentralSystem, dial: Dial, journal: MemoryJournal
) -> None:
    seen: list[tuple[str, Newcomer | None]] = []
    central.watch_newcomers(lambda identity, newcomer: seen.append((identity, newcomer)))
    stranger = await dial("NEW")
    answer = await stranger.boot()
    assert (answer["status"], answer["interval"]) == ("Pending", 30)
    await stranger.status(0, "Available")
    await stranger.status(2, "Available")
    assert "currentTime" in (await stranger.tell("Heartbeat", {}))[2]
    assert (await stranger.tell("Authorize", {"idTag": "A"}))[2]["idTagInfo"]["status"] == "Invalid"
    start = await stranger.tell("StartTransaction", stranger.start_payload())
    assert start[2]["idTagInfo"]["status"] == "Invalid"
    assert (await stranger.measure(sampled(L1=16), transaction_id=5))[0] == 3
    assert (await stranger.stop(5))[0] == 3
    assert (await stranger.tell("Dance", {}))[0] == 4
    assert stranger.asked == []
    assert journal.stored == {}
    assert journal.stops == []
    newcomer = central.newcomers["NEW"]
    assert (newcomer.device.model, newcomer.connectors, newcomer.remote) == ("One", 2, "127.0.0.1")
    assert [identity for identity, _ in seen] == ["NEW"] * 3


async def test_a_stranger_that_leaves_is_no_newcomer_any_more(central: CentralSystem, dial: Dial) -> None:
    seen: list[Newcomer | None] = []
    stranger = await dial("NEW")
    await stranger.boot()
    central.watch_newcomers(lambda _, newcomer: seen.append(newcomer))
    stranger.client.abort()
    await until(lambda: seen[-1] is None)
    assert central.newcomers == {}


async def test_what_is_left_of_a_stranger_that_said_too_much_is_not_read_for_minutes(central: CentralSystem) -> None:
    gone = asyncio.Event()
    central.watch_newcomers(lambda _, newcomer: gone.set() if newcomer is None else None)
    client = await RawClient.dial(central.port, "/ocpp/NEW")
    for _ in range(600):
        await client.send("rubbish")  # nothing that is answered, so that nobody notices by writing
    client.abort()

    async with asyncio.timeout(10):
        await gone.wait()


async def test_an_accepted_stranger_is_taken_in_without_losing_its_connection(
    central: CentralSystem, dial: Dial, door: Door
) -> None:
    stranger = await dial("NEW")
    await stranger.boot()
    door.keys["NEW"] = None
    central.reconsider("NEW")
    assert central.newcomers == {}
    assert central.conversation("NEW").device.model == "One"
    trigger = await stranger.was_asked("TriggerMessage")
    assert trigger["requestedMessage"] == "BootNotification"
    assert (await stranger.boot())["status"] == "Accepted"
    await stranger.was_asked("GetConfiguration")
    assert central.conversation("NEW").online


async def test_an_accepted_stranger_without_key_is_given_one_and_has_to_bring_it_next_time(
    central: CentralSystem, dial: Dial, door: Door
) -> None:
    stranger = await dial("NEW")
    await stranger.boot()
    door.keys["NEW"] = KEY
    central.reconsider("NEW", provision_key=KEY.decode())
    await stranger.boot()
    await until(lambda: any(p["key"] == "AuthorizationKey" for p in stranger.calls("ChangeConfiguration")))
    (given,) = [p["value"] for p in stranger.calls("ChangeConfiguration") if p["key"] == "AuthorizationKey"]
    assert given == KEY.decode()
    await stranger.tell("Heartbeat", {})
    await stranger.tell("Heartbeat", {})
    with pytest.raises(Refused):
        await dial("NEW")
    assert (await (await dial("NEW", password=KEY)).boot())["status"] == "Accepted"


async def test_one_that_did_not_take_its_key_yet_is_still_let_in(
    central: CentralSystem, dial: Dial, door: Door
) -> None:
    stranger = await dial("NEW", password=b"its own")
    await stranger.boot()
    door.keys["NEW"] = KEY
    central.reconsider("NEW", provision_key=KEY.decode())
    again = await dial("NEW", password=b"its own")
    again.answers["ChangeConfiguration"] = lambda p: {
        "status": "Rejected" if p["key"] == "AuthorizationKey" else "Accepted"
    }
    assert (await again.boot())["status"] == "Accepted"
    await until(lambda: any(p["key"] == "AuthorizationKey" for p in again.calls("ChangeConfiguration")))
    assert (await (await dial("NEW")).boot())["status"] == "Accepted"


async def test_without_trust_a_stranger_with_another_key_is_hung_up_on(
    central: CentralSystem, dial: Dial, door: Door
) -> None:
    stranger = await dial("NEW", password=b"its own")
    await stranger.boot()
    door.keys["NEW"] = KEY
    central.reconsider("NEW")
    await stranger.ended.wait()
    assert stranger.client.close_code == 1008


async def test_a_removed_charge_point_waits_again(central: CentralSystem, dial: Dial, door: Door) -> None:
    point = await dial()
    await point.boot()
    del door.keys["CP1"]
    central.reconsider("CP1")
    assert "CP1" in central.newcomers
    assert not central.conversation("CP1").online
    assert (await point.boot())["status"] == "Pending"


async def test_a_forgotten_charge_point_has_to_dial_again(central: CentralSystem, dial: Dial, door: Door) -> None:
    point = await dial()
    await point.boot()
    del door.keys["CP1"]
    await central.forget("CP1")
    await point.ended.wait()
    assert (await (await dial()).boot())["status"] == "Pending"


async def test_the_waiting_room_is_bounded_and_known_ones_still_get_in(
    central: CentralSystem, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MAX_NEWCOMERS", 3)
    for number in range(3):
        await dial(f"NEW{number}")
    with pytest.raises(Refused) as caught:
        await dial("NEW3")
    assert caught.value.status == 503
    assert (await (await dial("CP1")).boot())["status"] == "Accepted"


async def test_connections_are_bounded_but_one_may_come_again(
    central: CentralSystem, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 1)
    await dial("CP1")
    with pytest.raises(Refused):
        await dial("CP2")
    await dial("CP1")


async def test_strangers_of_one_address_are_slowed_down_and_known_ones_are_not(
    journal: MemoryJournal, door: Door, tags: Tags, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "STRANGER_BURST", 2.0)
    monkeypatch.setattr(listener, "STRANGER_RATE_PER_S", 0.001)
    system = CentralSystem(host="127.0.0.1", port=0, doorkeeper=door, journal=journal, authoriser=tags, clock=clock)
    await system.start()
    door.keys["SAFE"] = KEY
    statuses = []
    for _ in range(4):
        with pytest.raises(Refused) as caught:
            await RawClient.dial(system.port, "/SAFE", password=b"guess")
        statuses.append(caught.value.status)
    assert statuses == [401, 401, 429, 429]
    client = await RawClient.dial(system.port, "/SAFE", password=KEY)
    assert (await client.call("Heartbeat", {}))[0] == 3
    client.abort()
    await system.close()


# -- life ---------------------------------------------------------------------------------------------------------


async def test_a_silent_connection_is_pinged_and_any_frame_counts_as_life(
    central: CentralSystem, raw: RawClient, clock: SettableClock
) -> None:
    await raw.call("Heartbeat", {})
    link = central._connections["CP1"].link
    clock.ahead_s += 170
    put_forward = clock.monotonic()
    listening = asyncio.ensure_future(raw.receive())
    # The pong that the client sends counts as life: another 170 s pass without harm.
    await until(lambda: link.heard_at >= put_forward)
    clock.ahead_s += 170
    await until(lambda: raw.pings > 1)
    assert not listening.done()
    listening.cancel()


async def test_a_connection_that_is_silent_for_long_is_hung_up_on(
    central: CentralSystem, raw: RawClient, clock: SettableClock
) -> None:
    await raw.call("Heartbeat", {})
    clock.ahead_s += 200
    assert await raw.closed() == 1001


async def test_a_connection_that_cannot_be_looked_after_costs_nobody_else_anything(
    central: CentralSystem, raw: RawClient, clock: SettableClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Gone:
        """A transport whose own parts have left it."""

        def get_write_buffer_size(self) -> int:
            raise RuntimeError("nothing lies beneath")

        def abort(self) -> None:
            """Nothing is left to abort."""

    await raw.call("Heartbeat", {})
    other = await RawClient.dial(central.port, "/ocpp/CP2")
    await other.call("Heartbeat", {})
    central._connections["CP1"].transport = Gone()  # type: ignore[assignment]  # what is left of one
    clock.ahead_s += 200
    assert await other.closed() == 1001
    assert "nothing lies beneath" in caplog.text


async def test_closing_hangs_up_on_everybody(
    journal: MemoryJournal, door: Door, tags: Tags, clock: SettableClock
) -> None:
    system = CentralSystem(host="127.0.0.1", port=0, doorkeeper=door, journal=journal, authoriser=tags, clock=clock)
    await system.start()
    points = [ChargePoint(await RawClient.dial(system.port, f"/{identity}")) for identity in ("CP1", "CP2", "NEW")]
    for point in points:
        await point.boot()
    port = system.port
    await system.close()
    for point in points:
        await point.ended.wait()
        await point.close()
    with pytest.raises(ConnectionRefusedError):
        await RawClient.dial(port, "/CP1")


async def test_many_dial_in_at_once_and_all_are_set_up(central: CentralSystem, door: Door, dial: Dial) -> None:
    identities = [f"N{number}" for number in range(60)]
    door.keys |= dict.fromkeys(identities)
    points = await asyncio.gather(*(dial(identity) for identity in identities))
    await asyncio.gather(*(point.boot() for point in points))
    await asyncio.gather(*(point.was_asked("ChangeConfiguration") for point in points))
    assert all(central.conversation(identity).online for identity in identities)


# -- shut out for a while --------------------------------------------------------------------------------------------


async def test_one_that_is_shut_out_is_hung_up_on_and_refused_until_the_door_opens(central: CentralSystem) -> None:
    client = await RawClient.dial(central.port, "/CP1")
    assert (await client.call("Heartbeat", {}))[0] == 3
    central.shut_out("CP1", 60.0)
    await until(lambda: not central.conversation("CP1").online)
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await RawClient.dial(central.port, "/CP1")
        assert refused.value.status == 503
    assert central.knocks("CP1") == 2
    other = await RawClient.dial(central.port, "/CP2")
    assert (await other.call("Heartbeat", {}))[0] == 3
    central.shut_out("CP1", 0.0)
    again = await RawClient.dial(central.port, "/CP1")
    assert (await again.call("Heartbeat", {}))[0] == 3
    assert central.knocks("CP1") == 0
    for each in (client, other, again):
        each.abort()


async def test_the_door_opens_by_itself(central: CentralSystem) -> None:
    central.shut_out("CP1", 0.05)
    await asyncio.sleep(0.06)  # its time is what this is about
    client = await RawClient.dial(central.port, "/CP1")
    assert (await client.call("Heartbeat", {}))[0] == 3
    client.abort()
