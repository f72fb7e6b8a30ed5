"""Cases of the Open Charge Alliance's tool for central systems that no other test plays; `docs/ocpp.md` lists all."""

import asyncio
from typing import Any

import pytest

from custom_components.charge_cluster.ocpp.conversation import (
    Notice,
    Noticed,
    Refused,
    TransactionClosed,
    TransactionOpened,
)
from custom_components.charge_cluster.ocpp.operations import CertificateUse, Message
from custom_components.charge_cluster.ocpp.protocols import AuthorisationStatus

from .stage import Stage, virtually

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


@virtually
async def test_tc_004_a_card_before_the_plug(stage: Stage) -> None:
    point = await stage.booted()
    assert (await point.tell("Authorize", {"idTag": "TAG1"}))[2]["idTagInfo"]["status"] == "Accepted"
    await point.status(1, "Preparing")
    transaction_id = await point.start()
    await point.status(1, "Charging")
    await stage.settle()

    assert [report.transaction_id for report in stage.heard(TransactionOpened)] == [transaction_id]


@pytest.mark.parametrize("reason", ["EVDisconnected", "Local", "Remote", "PowerLoss"])
def test_tc_005_a_transaction_ends_for_the_reason_that_is_told(reason: str) -> None:
    @virtually
    async def story(stage: Stage) -> None:
        point = await stage.booted()
        transaction_id = await point.start()
        await point.stop(transaction_id, reason=reason)
        await stage.settle()
        assert [report.reason for report in stage.heard(TransactionClosed)] == [reason]

    story()


@virtually
async def test_tc_007_a_start_without_asking_before_is_judged_then(stage: Stage) -> None:
    point = await stage.booted()
    answer = await point.tell("StartTransaction", point.start_payload())

    assert answer[2]["idTagInfo"] == {"status": "Accepted"}
    assert point.calls("Authorize") == []


@virtually
async def test_tc_011_2_a_remote_start_that_nobody_follows_leaves_nothing_behind(stage: Stage) -> None:
    point = await stage.booted()
    await stage.conversation.start(1, "TAG1")
    await point.status(1, "Preparing")
    await asyncio.sleep(300)
    await point.status(1, "Available")

    assert stage.conversation.running_transaction(1) is None
    assert stage.heard(TransactionOpened) == []


@virtually
async def test_tc_012_a_transaction_is_stopped_from_here(stage: Stage) -> None:
    point = await stage.booted()
    transaction_id = await point.start()
    await stage.conversation.stop(1)
    await point.stop(transaction_id, reason="Remote")
    await stage.settle()

    assert point.calls("RemoteStopTransaction") == [{"transactionId": transaction_id}]
    assert stage.conversation.running_transaction(1) is None


@pytest.mark.parametrize(("answer", "word"), [("UnlockFailed", "UnlockFailed"), ("NotSupported", "NotSupported")])
def test_tc_030_a_plug_that_is_not_released_is_told(answer: str, word: str) -> None:
    @virtually
    async def story(stage: Stage) -> None:
        point = await stage.booted(UnlockConnector=lambda _: {"status": answer})
        await point.start()
        with pytest.raises(Refused, match=word):
            await stage.conversation.unlock(1)
        assert stage.conversation.running_transaction(1) is not None

    story()


@virtually
async def test_tc_018_a_plug_is_released_with_and_without_a_transaction(stage: Stage) -> None:
    point = await stage.booted(UnlockConnector=lambda _: {"status": "Unlocked"})
    await stage.conversation.unlock(1)
    await point.start()
    await stage.conversation.unlock(1)

    assert point.calls("UnlockConnector") == [{"connectorId": 1}] * 2


@virtually
async def test_tc_031_a_connector_that_there_is_not_cannot_be_unlocked(stage: Stage) -> None:
    await stage.booted(
        UnlockConnector=lambda asked: {"status": "Unlocked" if asked["connectorId"] == 1 else "NotSupported"}
    )

    with pytest.raises(Refused, match="NotSupported"):
        await stage.conversation.unlock(9)


@virtually
async def test_tc_026_a_remote_start_that_is_refused_is_told(stage: Stage) -> None:
    await stage.booted(RemoteStartTransaction=lambda _: {"status": "Rejected"})

    with pytest.raises(Refused, match="Rejected"):
        await stage.conversation.start(1, "TAG1")


@virtually
async def test_tc_028_a_remote_stop_that_is_refused_is_told(stage: Stage) -> None:
    point = await stage.booted(RemoteStopTransaction=lambda _: {"status": "Rejected"})
    with pytest.raises(Refused, match="NoTransaction"):
        await stage.conversation.stop(1)
    await point.start()
    with pytest.raises(Refused, match="Rejected"):
        await stage.conversation.stop(1)


@virtually
async def test_tc_032_1_a_transaction_that_a_power_cut_ended_is_told_after_the_boot(stage: Stage) -> None:
    point = await stage.booted()
    transaction_id = await point.start()
    await stage.hang_up(point)
    await asyncio.sleep(60)
    again = await stage.booted()
    await again.stop(transaction_id, reason="PowerLoss")
    await stage.settle()

    assert [(report.transaction_id, report.reason) for report in stage.heard(TransactionClosed)] == [
        (transaction_id, "PowerLoss")
    ]


@pytest.mark.parametrize("status", ["Invalid", "Expired", "Blocked"])
def test_tc_037_3_a_start_from_offline_with_a_tag_that_may_not_gets_a_transaction_and_the_word(status: str) -> None:
    @virtually
    async def story(stage: Stage) -> None:
        stage.tags.answers["TAG1"] = AuthorisationStatus(status)
        point = await stage.booted()
        answer = await point.tell("StartTransaction", point.start_payload(ago_s=600))
        assert answer[2]["idTagInfo"]["status"] == status
        assert answer[2]["transactionId"] > 0

    story()


@virtually
async def test_tc_039_a_whole_transaction_from_offline_keeps_its_own_times(stage: Stage) -> None:
    point = await stage.booted()
    started = await point.tell("StartTransaction", point.start_payload(ago_s=3600))
    stop = {"transactionId": started[2]["transactionId"], "meterStop": 5000, "timestamp": point.stamp(1800)}
    await point.tell("StopTransaction", stop)

    [stored] = stage.journal.stored.values()
    assert stored.stopped_at is not None
    assert stored.stopped_at - stored.started_at == pytest.approx(1800, abs=1)


@pytest.mark.parametrize("status", ["Faulted", "Occupied", "Rejected", "Unavailable"])
def test_tc_048_a_connector_that_cannot_be_reserved_says_why(status: str) -> None:
    @virtually
    async def story(stage: Stage) -> None:
        await stage.booted(ReserveNow=lambda _: {"status": status})
        with pytest.raises(Refused, match=status):
            await stage.conversation.operations.reserve(1, "TAG1", stage.clock.time() + 60)

    story()


@virtually
async def test_tc_052_a_reservation_that_there_is_not_cannot_be_cancelled(stage: Stage) -> None:
    await stage.booted(CancelReservation=lambda _: {"status": "Rejected"})

    with pytest.raises(Refused, match="Rejected"):
        await stage.conversation.operations.cancel_reservation(reservation_id=5)


@pytest.mark.parametrize("status", ["Rejected", "NotImplemented"])
def test_tc_055_a_message_that_is_not_sent_is_told(status: str) -> None:
    @virtually
    async def story(stage: Stage) -> None:
        point = await stage.booted()
        point.answers["TriggerMessage"] = lambda _: {"status": status}
        with pytest.raises(Refused, match=status):
            await stage.conversation.operations.trigger(Message.METER_VALUES, 1)

    story()


@pytest.mark.parametrize("status", ["Rejected", "Failed"])
def test_tc_077_a_certificate_that_is_not_taken_is_told(status: str) -> None:
    @virtually
    async def story(stage: Stage) -> None:
        await stage.booted(InstallCertificate=lambda _: {"status": status})
        with pytest.raises(Refused, match=status):
            await stage.conversation.operations.install_certificate(CertificateUse.CENTRAL_SYSTEM, PEM)

    story()


@virtually
async def test_tc_078_a_security_event_is_answered_and_told(stage: Stage) -> None:
    point = await stage.booted()
    event: dict[str, Any] = {"type": "InvalidCentralSystemCertificate", "timestamp": point.stamp()}

    assert (await point.tell("SecurityEventNotification", event))[2] == {}
    assert (await point.tell("SecurityEventNotification", {}))[2] == {}
    await stage.settle()
    assert [(told.what, told.name) for told in stage.heard(Noticed)] == [
        (Notice.SECURITY, "InvalidCentralSystemCertificate")
    ]
