"""Transactions in OCPP 2.0.1 and 2.1: in any order, once however often they come, and taken up again."""

import asyncio
from itertools import permutations
from typing import Any

import pytest

from custom_components.charge_cluster.ocpp.conversation import (
    Measured,
    Terminals,
    TransactionClosed,
    TransactionOpened,
)
from custom_components.charge_cluster.ocpp.protocols import AuthorisationStatus, StoredTransaction

from .charge_point_2 import CHARGING, CONNECTED, PAUSED, energy_2, sampled_2
from .stage import Stage2, Stage21, virtually_2

KINDS = [Stage2, Stage21]


def the_one(stage: Stage2) -> StoredTransaction:
    (stored,) = stage.journal.stored.values()
    return stored


@virtually_2
async def test_a_transaction_is_stored_under_our_number_and_the_chargers_id(stage: Stage2) -> None:
    point = await stage.booted()
    answer = await point.begin("own-1", meter=1000, tag="TAG1")
    assert answer[2] == {"idTokenInfo": {"status": "Accepted"}}
    stored = the_one(stage)
    assert (stored.charger_id, stored.connector, stored.id_tag, stored.meter_start_wh) == ("own-1", 1, "TAG1", 1000)
    await stage.settle()
    (opened,) = stage.heard(TransactionOpened)
    assert (opened.transaction_id, opened.resumed) == (stored.transaction_id, False)
    assert stage.conversation.running_transaction(1) == stored.transaction_id
    await point.end("own-1", meter=3000, info={"stoppedReason": "EVDisconnected"})
    await stage.settle()
    (closed,) = stage.heard(TransactionClosed)
    assert (closed.meter_start_wh, closed.meter_stop_wh, closed.reason, closed.late) == (
        1000,
        3000,
        "EVDisconnected",
        False,
    )
    assert the_one(stage).meter_stop_wh == 3000


@virtually_2
async def test_an_event_is_stored_before_it_is_answered(stage: Stage2) -> None:
    point = await stage.booted()
    stage.journal.disk.clear()
    begin = asyncio.ensure_future(point.begin())
    await stage.settle()
    assert not begin.done()
    assert (await point.tell("Heartbeat", {}))[0] == 3
    stage.journal.disk.set()
    await begin
    assert the_one(stage).meter_start_wh == 1000


@virtually_2
async def test_what_cannot_be_stored_is_refused_and_taken_when_it_comes_again(stage: Stage2) -> None:
    point = await stage.booted()
    stage.journal.broken = True
    assert (await point.begin())[2] == "InternalError"
    assert (await point.event("Updated", values=[energy_2(1500)]))[2] == "InternalError"
    assert (await point.end())[2] == "InternalError"
    stage.journal.broken = False
    await point.begin()
    await point.end()
    assert (the_one(stage).meter_start_wh, the_one(stage).meter_stop_wh) == (1000, 2000)


@virtually_2
async def test_an_event_that_comes_again_changes_nothing(stage: Stage2) -> None:
    """Chargers have been seen whose numbers are always 0."""
    point = await stage.booted()
    for message_id in ("a", "a", "b"):
        await point.event(
            "Started", evse=1, tag="T", state=CHARGING, values=[energy_2(10)], message_id=message_id, seqNo=0
        )
    for message_id in ("c", "c", "d"):
        await point.end(meter=500, message_id=message_id, seqNo=0)
    await stage.settle()
    assert (the_one(stage).meter_start_wh, the_one(stage).meter_stop_wh) == (10, 500)
    assert len(stage.heard(TransactionOpened)) == 1
    assert len(stage.heard(TransactionClosed)) == 1


@virtually_2
async def test_gaps_in_the_numbers_are_none_of_our_business(stage: Stage2) -> None:
    point = await stage.booted()
    await point.event("Started", evse=1, tag="T", values=[energy_2(10)], seqNo=7)
    await point.event("Updated", values=[energy_2(60)], seqNo=1007)
    await point.end(meter=500, seqNo=3)
    assert the_one(stage).meter_stop_wh == 500


@virtually_2
async def test_whose_it_is_may_be_told_after_the_start(stage: Stage2) -> None:
    point = await stage.booted()
    await point.event("Started", evse=1, state=CONNECTED, trigger="CablePluggedIn", values=[energy_2(10)])
    answer = await point.event("Updated", tag="TAG1", state=CHARGING, trigger="Authorized")
    assert answer[2] == {"idTokenInfo": {"status": "Accepted"}}
    await point.event("Updated", tag="TAG2", trigger="StopAuthorized")
    assert the_one(stage).id_tag == "TAG1"
    await stage.settle()
    told = [(report.id_tag, report.resumed) for report in stage.heard(TransactionOpened)]
    assert told == [(None, False), ("TAG1", True)]


@virtually_2
async def test_a_start_without_a_register_begins_with_the_first_that_is_told(stage: Stage2) -> None:
    point = await stage.booted()
    await point.event("Started", evse=1, tag="T", state=CHARGING)
    await point.event("Updated", values=[*sampled_2(L1=10), energy_2(5_000_000)])
    await point.event("Updated", values=[*sampled_2(L1=10), energy_2(5_000_200)])
    assert the_one(stage).meter_start_wh == 5_000_000
    await point.end(meter=5_001_000)
    await stage.settle()
    # Whoever counts hears of the beginning before the first register.
    told = [report for report in stage.reports if isinstance(report, TransactionOpened | Measured)]
    assert isinstance(told[1], TransactionOpened)
    assert told[1].meter_start_wh == 5_000_000
    (closed,) = stage.heard(TransactionClosed)
    assert closed.meter_stop_wh - closed.meter_start_wh == 1000


@virtually_2
async def test_wh_and_kwh_may_stand_in_one_transaction(stage: Stage2) -> None:
    point = await stage.booted()
    await point.begin(meter=1000)
    await point.event("Updated", values=[energy_2(1500)])
    await point.event("Ended", values=[energy_2(2.25, "kWh")])
    assert the_one(stage).meter_stop_wh == 2250


@virtually_2
async def test_an_end_without_a_register_takes_the_last_one_that_was_told(stage: Stage2) -> None:
    point = await stage.booted()
    await point.begin()
    await point.event("Updated", values=[energy_2(1800)])
    await point.end(meter=None)
    assert the_one(stage).meter_stop_wh == 1800


@virtually_2
async def test_values_of_events_are_measured_and_recorded(stage: Stage2) -> None:
    point = await stage.booted()
    await point.begin()
    await point.event("Updated", state=CHARGING, values=[*sampled_2(L1=16, L2=15, L3=16), energy_2(1200)])
    await stage.settle()
    assert stage.heard(Measured)[-1].amps == (16, 15, 16)
    record = stage.journal.records[-1]
    assert (record.transaction_id, record.energy_wh, record.amps) == (the_one(stage).transaction_id, 1200, (16, 15, 16))


@virtually_2
async def test_periodic_values_may_come_outside_the_transaction(stage: Stage2) -> None:
    point = await stage.booted()
    await point.begin()
    await point.read([*sampled_2(L1=16), energy_2(1200)])
    assert stage.journal.records[-1].transaction_id == the_one(stage).transaction_id


# After our restart, and unknown ones ----------------------------------------------------------------------------------


@virtually_2
async def test_a_transaction_goes_on_after_our_restart(stage: Stage2) -> None:
    point = await stage.booted()
    await point.begin("own-1")
    stage.restart()
    again = await stage.connect()
    await again.event("Updated", "own-1", state=PAUSED, values=[energy_2(1500)])
    await stage.settle()
    (opened,) = stage.heard(TransactionOpened)
    assert (opened.transaction_id, opened.resumed, opened.meter_start_wh) == (the_one(stage).transaction_id, True, 1000)
    assert stage.conversation.own_id_at(1) == "own-1"


@pytest.mark.parametrize(
    ("answer", "runs"),
    [
        ({"ongoingIndicator": True, "messagesInQueue": False}, True),
        ({"ongoingIndicator": False, "messagesInQueue": True}, True),
        ({"ongoingIndicator": False, "messagesInQueue": False}, False),
        ({"messagesInQueue": False}, True),
        ("NotImplemented", True),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_transaction_that_the_charger_lost_is_ended_when_it_dials_in(
    answer: Any, runs: bool, kind: type[Stage2]
) -> None:
    @virtually_2
    async def story(stage: Stage2) -> None:
        point = await stage.booted()
        await point.begin("own", meter=1000)
        await point.event("Updated", "own", values=[energy_2(1700)])
        await stage.hang_up(point)
        again = await stage.booted(GetTransactionStatus=lambda _: answer)
        assert again.calls("GetTransactionStatus") == [{"transactionId": "own"}]
        await stage.settle()
        assert (stage.conversation.running_transaction(1) is not None) is runs
        assert [report.meter_stop_wh for report in stage.heard(TransactionClosed)] == ([] if runs else [1700])
        assert stage.is_online()

    story(kind)


@virtually_2
async def test_an_unknown_transaction_is_adopted_where_its_evse_is_known(stage: Stage2) -> None:
    point = await stage.booted()
    await point.event("Updated", "foreign", state=CHARGING, values=[*sampled_2(L1=16), energy_2(7000)])
    await stage.settle()
    (opened,) = stage.heard(TransactionOpened)
    assert (opened.connector, opened.resumed, opened.meter_start_wh) == (1, True, 7000)
    assert stage.conversation.own_id_at(1) == "foreign"
    # Its start comes late and says more.
    await point.event("Started", "foreign", evse=1, tag="TAG1", values=[energy_2(6000)], ago_s=600, offline=True)
    await stage.settle()
    assert (the_one(stage).id_tag, the_one(stage).meter_start_wh) == ("TAG1", 6000)
    assert stage.heard(TransactionOpened)[-1].meter_start_wh == 6000
    assert len(stage.heard(TransactionClosed)) == 0


@virtually_2
async def test_an_unknown_one_whose_evse_nobody_tells_waits_for_its_start(stage: Stage2) -> None:
    stage.conversation.describe(Terminals(connector=2))
    point = await stage.booted()
    await point.event("Updated", "foreign", state=CHARGING, values=[energy_2(7000)])
    await stage.settle()
    assert stage.heard(TransactionOpened) == []
    await point.event("Started", "foreign", evse=2, tag="TAG1", values=[energy_2(6000)], ago_s=600)
    await stage.settle()
    (opened,) = stage.heard(TransactionOpened)
    assert (opened.connector, opened.meter_start_wh) == (2, 6000)


@virtually_2
async def test_a_newer_transaction_ends_one_that_was_never_ended(stage: Stage2) -> None:
    point = await stage.booted()
    await point.begin("first", meter=1000)
    await point.event("Updated", "first", values=[energy_2(1500)])
    await asyncio.sleep(60)
    await point.begin("second", meter=1600)
    await stage.settle()
    (closed,) = stage.heard(TransactionClosed)
    assert (closed.meter_stop_wh, closed.presumed) == (1500, True)
    await point.end("first", meter=1590, ago_s=30)
    await stage.settle()
    assert stage.conversation.own_id_at(1) == "second"
    late = stage.heard(TransactionClosed)[-1]
    assert (late.late, late.meter_stop_wh) == (True, 1590)


@virtually_2
async def test_what_is_told_after_the_end_adopts_nothing(stage: Stage2) -> None:
    point = await stage.booted()
    await point.begin()
    await point.end()
    await point.event("Updated", values=[*sampled_2(L1=0), energy_2(2000)], ago_s=5)
    await stage.settle()
    assert stage.conversation.running_transaction(1) is None
    stage.restart()
    again = await stage.booted()
    await again.event("Updated", values=[*sampled_2(L1=0), energy_2(2000)], ago_s=5)
    await stage.settle()
    assert stage.conversation.running_transaction(1) is None
    assert stage.conversation.own_id_at(1) is None
    assert len(stage.journal.stored) == 1


# Offline --------------------------------------------------------------------------------------------------------------

QUEUE: dict[str, dict[str, Any]] = {
    "Started": {"evse": 1, "tag": "OLD", "values": [energy_2(100)], "ago_s": 7200},
    "Updated": {"values": [energy_2(500)], "ago_s": 5400},
    "Ended": {"values": [energy_2(900)], "ago_s": 3600, "info": {"stoppedReason": "EVDisconnected"}},
}


@pytest.mark.parametrize("running", [False, True], ids=["nothing runs", "another one runs"])
@pytest.mark.parametrize("order", list(permutations(QUEUE)), ids="-".join)
@pytest.mark.parametrize("kind", KINDS)
def test_an_offline_queue_in_any_order_gives_the_same_record(
    order: tuple[str, ...], running: bool, kind: type[Stage2]
) -> None:
    @virtually_2
    async def story(stage: Stage2) -> None:
        point = await stage.booted()
        if running:
            await point.begin("present", meter=5000)
        for told in order:
            await point.event(told, "old", offline=True, **QUEUE[told])
        await stage.settle()
        (old,) = [stored for stored in stage.journal.stored.values() if stored.charger_id == "old"]
        assert (old.connector, old.id_tag, old.meter_start_wh, old.meter_stop_wh, old.stop_reason) == (
            1,
            "OLD",
            100,
            900,
            "EVDisconnected",
        )
        assert old.started_at == pytest.approx(stage.clock.time() - 7200, abs=5)
        assert stage.conversation.own_id_at(1) == ("present" if running else None)
        last = [closed for closed in stage.heard(TransactionClosed) if closed.transaction_id == old.transaction_id][-1]
        assert last.meter_stop_wh - last.meter_start_wh == 800
        assert {opened.connector for opened in stage.heard(TransactionOpened)} <= {1}

    story(kind)


@virtually_2
async def test_old_events_do_not_turn_the_chargers_clock_back(stage: Stage2) -> None:
    point = await stage.booted()
    for _ in range(3):
        await asyncio.sleep(10)
        await point.read(sampled_2(L1=0))
    known = stage.conversation.charger_clock.offset
    for kind, told in QUEUE.items():
        await point.event(kind, "old", offline=True, **told)
    assert stage.conversation.charger_clock.offset == known


# Tokens ---------------------------------------------------------------------------------------------------------------


@virtually_2
async def test_tokens_are_judged_by_text_and_type(stage: Stage2) -> None:
    stage.tags.answers["BAD"] = AuthorisationStatus.BLOCKED
    point = await stage.booted()
    bad = {"idToken": {"idToken": "BAD", "type": "ISO14443"}}
    assert (await point.tell("Authorize", bad))[2] == {"idTokenInfo": {"status": "Blocked"}}
    assert (await point.tell("Authorize", {}))[2] == {"idTokenInfo": {"status": "Invalid"}}
    assert (await point.tell("Authorize", {"idToken": "GOOD"}))[2] == {"idTokenInfo": {"status": "Accepted"}}


@virtually_2
async def test_a_charger_that_goes_on_with_a_refused_transaction_is_told_to_stop(stage: Stage2) -> None:
    stage.tags.answers["BAD"] = AuthorisationStatus.BLOCKED
    point = await stage.booted()
    answer = await point.begin("own", tag="BAD")
    assert answer[2] == {"idTokenInfo": {"status": "Blocked"}}
    assert the_one(stage).id_tag == "BAD"
    await asyncio.sleep(15)
    assert point.calls("RequestStopTransaction") == [{"transactionId": "own"}]


@virtually_2
async def test_an_event_without_a_token_is_answered_without_a_judgement(stage: Stage2) -> None:
    point = await stage.booted()
    assert (await point.event("Started", evse=1))[2] == {}
    nothing_shown = {"idToken": "", "type": "NoAuthorization"}
    assert (await point.event("Updated", idToken=nothing_shown))[2] == {"idTokenInfo": {"status": "Accepted"}}
    assert the_one(stage).id_tag is None
