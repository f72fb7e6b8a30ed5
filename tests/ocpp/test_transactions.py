"""Transactions: stored before they are answered, once however often they come, and taken up again."""

import asyncio

from custom_components.charge_cluster.ocpp.conversation import TransactionClosed, TransactionOpened
from custom_components.charge_cluster.ocpp.protocols import AuthorisationStatus

from .charge_point import energy, sampled
from .stage import Stage, virtually


@virtually
async def test_a_start_is_answered_after_it_is_stored_and_holds_up_nothing_else(stage: Stage) -> None:
    point = await stage.booted()
    stage.journal.disk.clear()
    start = asyncio.ensure_future(point.start())
    await stage.settle()
    assert not start.done()
    assert (await point.tell("Heartbeat", {}))[0] == 3
    stage.journal.disk.set()
    transaction = await start
    assert stage.journal.stored[transaction].meter_start_wh == 1000
    await stage.settle()
    assert [report.transaction_id for report in stage.heard(TransactionOpened)] == [transaction]


@virtually
async def test_a_resent_start_is_the_same_transaction_whatever_its_id(stage: Stage) -> None:
    point = await stage.booted()
    payload = point.start_payload()
    answers = [await point.tell("StartTransaction", payload, message_id) for message_id in ("a", "a", "b")]
    assert len({answer[2]["transactionId"] for answer in answers}) == 1
    await stage.settle()
    assert len(stage.heard(TransactionOpened)) == 1


@virtually
async def test_a_message_id_that_repeats_after_a_reconnect_is_a_new_message(stage: Stage) -> None:
    point = await stage.booted()
    first = await point.tell("StartTransaction", point.start_payload(), "1")
    await point.stop(first[2]["transactionId"])
    await stage.hang_up(point)
    await asyncio.sleep(10)
    again = await stage.booted()
    second = await again.tell("StartTransaction", again.start_payload(meter=2000), "1")
    assert second[2]["transactionId"] != first[2]["transactionId"]


@virtually
async def test_a_start_without_a_time_that_comes_again_is_the_same(stage: Stage) -> None:
    point = await stage.booted()
    payload = {"connectorId": 1, "idTag": "A", "meterStart": 10}
    first = await point.tell("StartTransaction", payload)
    await asyncio.sleep(5)
    second = await point.tell("StartTransaction", payload)
    assert first[2]["transactionId"] == second[2]["transactionId"]


@virtually
async def test_a_refused_tag_still_gets_a_transaction(stage: Stage) -> None:
    stage.tags.answers["BAD"] = AuthorisationStatus.BLOCKED
    point = await stage.booted()
    assert (await point.tell("Authorize", {"idTag": "BAD"}))[2] == {"idTagInfo": {"status": "Blocked"}}
    answer = await point.tell("StartTransaction", point.start_payload(tag="BAD"))
    assert answer[2]["idTagInfo"]["status"] == "Blocked"
    assert answer[2]["transactionId"] in stage.journal.stored


@virtually
async def test_a_start_that_cannot_be_stored_is_refused_and_control_goes_on(stage: Stage) -> None:
    point = await stage.booted()
    stage.journal.broken = True
    payload = point.start_payload()
    assert (await point.tell("StartTransaction", payload, "a"))[2] == "InternalError"
    # It charges all the same, under an id of its own making.
    await point.measure(sampled(L1=16), transaction_id=4711)
    assert stage.conversation.running_transaction(1) == 4711
    stage.journal.broken = False
    assert (await point.tell("StartTransaction", payload, "a"))[0] == 3


@virtually
async def test_an_end_is_stored_before_it_is_answered(stage: Stage) -> None:
    point = await stage.booted()
    transaction = await point.start()
    stage.journal.broken = True
    assert (await point.stop(transaction, 3000))[2] == "InternalError"
    assert stage.conversation.running_transaction(1) == transaction
    stage.journal.broken = False
    assert (await point.stop(transaction, 3000))[2] == {}
    await stage.settle()
    (closed,) = stage.heard(TransactionClosed)
    assert (closed.transaction_id, closed.meter_start_wh, closed.meter_stop_wh) == (transaction, 1000, 3000)
    assert stage.conversation.running_transaction(1) is None


@virtually
async def test_an_end_of_an_unknown_transaction_is_answered_and_ends_no_other(stage: Stage) -> None:
    point = await stage.booted()
    transaction = await point.start()
    assert (await point.stop(999))[0] == 3
    assert (await point.stop(-1))[0] == 3
    assert [stop.transaction_id for stop in stage.journal.orphans] == [999, -1]
    assert stage.conversation.running_transaction(1) == transaction


@virtually
async def test_an_end_without_a_register_takes_the_last_one_that_was_told(stage: Stage) -> None:
    point = await stage.booted()
    transaction = await point.start()
    await point.measure([energy(1800)], transaction_id=transaction)
    await point.tell("StopTransaction", {"transactionId": transaction, "timestamp": point.stamp()})
    assert stage.journal.stops[-1].meter_stop_wh == 1800


@virtually
async def test_values_sent_with_the_end_are_recorded(stage: Stage) -> None:
    point = await stage.booted()
    transaction = await point.start()
    data = [{"timestamp": point.stamp(), "sampledValue": [energy(1990)]}]
    await point.stop(transaction, 2000, transactionData=data)
    assert [(r.transaction_id, r.energy_wh) for r in stage.journal.records] == [(transaction, 1990)]


@virtually
async def test_a_transaction_goes_on_under_its_id_after_our_restart(stage: Stage) -> None:
    point = await stage.booted()
    transaction = await point.start()
    stage.restart()
    again = await stage.connect()
    await again.measure(sampled(L1=16), transaction_id=transaction)
    await stage.settle()
    (opened,) = stage.heard(TransactionOpened)
    assert (opened.transaction_id, opened.resumed) == (transaction, True)


@virtually
async def test_open_transactions_are_read_as_soon_as_the_disk_allows(stage: Stage) -> None:
    point = await stage.booted()
    transaction = await point.start()
    stage.restart()
    stage.journal.broken = True
    await stage.booted()
    assert stage.heard(TransactionOpened) == []
    stage.journal.broken = False
    await asyncio.sleep(35)
    assert stage.conversation.running_transaction(1) == transaction
    assert stage.heard(TransactionOpened)[0].resumed


@virtually
async def test_an_unknown_transaction_is_adopted_from_its_values(stage: Stage) -> None:
    point = await stage.booted()
    await point.measure([*sampled(L1=16), energy(7000)], transaction_id=555)
    await stage.settle()
    (opened,) = stage.heard(TransactionOpened)
    assert (opened.transaction_id, opened.resumed, opened.meter_start_wh) == (555, True, 7000)
    assert 555 in stage.journal.stored


@virtually
async def test_values_after_the_end_adopt_nothing(stage: Stage) -> None:
    point = await stage.booted()
    transaction = await point.start()
    await point.stop(transaction)
    await point.measure(sampled(L1=0), transaction_id=transaction)
    await stage.settle()
    assert stage.conversation.running_transaction(1) is None
    assert len(stage.heard(TransactionOpened)) == 1


@virtually
async def test_values_after_the_end_adopt_nothing_after_our_restart_either(stage: Stage) -> None:
    point = await stage.booted()
    transaction = await point.start()
    await point.stop(transaction)
    stage.restart()
    again = await stage.booted()
    for _ in range(3):
        await again.measure(sampled(L1=0), transaction_id=transaction)
        await stage.settle()
    assert stage.heard(TransactionOpened) == []
    assert stage.conversation.running_transaction(1) is None


@virtually
async def test_an_id_of_zero_or_less_is_none(stage: Stage) -> None:
    point = await stage.booted()
    for transaction in (0, -1):
        await point.measure(sampled(L1=16), transaction_id=transaction)
    await stage.settle()
    assert stage.heard(TransactionOpened) == []


@virtually
async def test_a_foreign_id_displaces_ours_only_when_it_stays(stage: Stage) -> None:
    point = await stage.booted()
    ours = await point.start()
    await point.measure(sampled(L1=16), transaction_id=888)
    await point.measure(sampled(L1=16), transaction_id=ours)
    await point.measure(sampled(L1=16), transaction_id=888)
    await stage.settle()
    assert stage.conversation.running_transaction(1) == ours
    await point.measure(sampled(L1=16), transaction_id=888)
    await stage.settle()
    assert stage.conversation.running_transaction(1) == 888


@virtually
async def test_an_offline_queue_is_stored_and_leaves_the_present_one_alone(stage: Stage) -> None:
    point = await stage.booted()
    present = await point.start(meter=5000)
    late = await point.tell("StartTransaction", point.start_payload(tag="OLD", meter=100, ago_s=7200))
    old = late[2]["transactionId"]
    assert old != present
    assert stage.conversation.running_transaction(1) == present
    await point.tell("StopTransaction", {"transactionId": old, "meterStop": 900, "timestamp": point.stamp(3600)})
    await stage.settle()
    assert stage.journal.stored[old].meter_stop_wh == 900
    assert stage.conversation.running_transaction(1) == present
    assert [report.transaction_id for report in stage.heard(TransactionOpened)] == [present]
    (closed,) = stage.heard(TransactionClosed)
    assert (closed.transaction_id, closed.late) == (old, True)


@virtually
async def test_the_next_start_ends_one_that_was_never_ended(stage: Stage) -> None:
    point = await stage.booted()
    first = await point.start(meter=1000)
    await point.measure([*sampled(L1=16), energy(1500)], transaction_id=first)
    await asyncio.sleep(60)
    second = await point.start(tag="TAG2", meter=1600)
    await stage.settle()
    assert stage.conversation.running_transaction(1) == second
    (closed,) = stage.heard(TransactionClosed)
    assert (closed.transaction_id, closed.meter_stop_wh, closed.reason) == (first, 1500, "Stale")
    assert (closed.presumed, closed.late) == (True, False)


@virtually
async def test_an_end_that_was_presumed_is_told_late_once_however_often_it_comes(stage: Stage) -> None:
    point = await stage.booted()
    first = await point.start(meter=1000)
    await asyncio.sleep(60)
    second = await point.start(tag="TAG2", meter=1600)
    for _ in range(3):
        await point.stop(first, 1580)
    await stage.settle()
    presumed, late = stage.heard(TransactionClosed)
    assert (presumed.meter_stop_wh, presumed.presumed) == (1000, True)
    assert (late.transaction_id, late.connector, late.late, late.presumed) == (first, 1, True, False)
    assert (late.meter_start_wh, late.meter_stop_wh) == (1000, 1580)
    assert stage.conversation.running_transaction(1) == second


@virtually
async def test_an_end_that_comes_before_the_open_transactions_could_be_read_is_told_late(stage: Stage) -> None:
    point = await stage.booted()
    transaction = await point.start(meter=1000)
    stage.restart()
    stage.journal.broken = True
    again = await stage.booted()
    stage.journal.broken = False
    await again.stop(transaction, 1700)
    await stage.settle()
    (closed,) = stage.heard(TransactionClosed)
    assert (closed.transaction_id, closed.late, closed.meter_stop_wh - closed.meter_start_wh) == (
        transaction,
        True,
        700,
    )


@virtually
async def test_a_resent_end_is_told_once(stage: Stage) -> None:
    point = await stage.booted()
    transaction = await point.start()
    for _ in range(3):
        await point.stop(transaction, 2000)
    await stage.settle()
    assert len(stage.heard(TransactionClosed)) == 1


@virtually
async def test_a_reboot_keeps_the_transaction_and_available_ends_it_after_a_while(stage: Stage) -> None:
    point = await stage.booted()
    transaction = await point.start()
    await stage.hang_up(point)
    await asyncio.sleep(30)
    again = await stage.booted()
    assert stage.conversation.running_transaction(1) == transaction
    await again.status(1, "Available")
    await asyncio.sleep(50)
    assert stage.conversation.running_transaction(1) == transaction
    await asyncio.sleep(20)
    assert stage.conversation.running_transaction(1) is None
    assert stage.journal.stored[transaction].stopped_at is not None


@virtually
async def test_available_with_current_that_flows_ends_nothing(stage: Stage) -> None:
    point = await stage.booted()
    transaction = await point.start()
    await point.status(1, "Available")
    for _ in range(20):
        await asyncio.sleep(10)
        await point.measure(sampled(L1=16), transaction_id=transaction)
    assert stage.conversation.running_transaction(1) == transaction


@virtually
async def test_only_values_of_transactions_are_recorded(stage: Stage) -> None:
    point = await stage.booted()
    await point.measure(sampled(L1=0))
    assert stage.journal.records == []
    transaction = await point.start()
    await point.measure([*sampled(L1=16, L2=15), energy(1100)])
    (record,) = stage.journal.records
    assert (record.transaction_id, record.energy_wh, record.amps) == (transaction, 1100, (16, 15, 0))
