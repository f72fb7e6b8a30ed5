"""Measurements that a charge point is asked for: sent where it can, not asked for in vain, and never before a limit."""

from __future__ import annotations

import asyncio

import pytest

from custom_components.charge_cluster.ocpp.conversation import LimitWish, Measured, NotReachable, Outcome, Refused
from custom_components.charge_cluster.ocpp.on_demand import MISSED_OFTEN
from custom_components.charge_cluster.ocpp.rpc import QUESTION_TIMEOUT_S

from .charge_point import ChargePoint, sampled
from .stage import Stage, virtually

WISH = LimitWish(amps=10, fallback_a=0, validity_s=30)


def asked(point: ChargePoint) -> list[int]:
    """Return the connectors that a measurement was asked of, oldest first; those of the set-up have none running."""
    return [
        payload["connectorId"]
        for payload in point.calls("TriggerMessage")
        if payload["requestedMessage"] == "MeterValues"
    ]


async def draws(stage: Stage, point: ChargePoint, amps: float) -> None:
    await point.measure(sampled(L1=amps, L2=amps, L3=amps))
    await stage.settle()


@virtually
async def test_it_is_asked_for_the_connector_and_what_comes_is_a_measurement(stage: Stage) -> None:
    point = await stage.booted()
    assert stage.conversation.measures_on_demand
    await stage.conversation.measure(1)
    assert asked(point) == [1]
    await draws(stage, point, 9)
    assert [report.amps for report in stage.heard(Measured)] == [(9, 9, 9)]
    assert stage.conversation.measures_on_demand


@pytest.mark.parametrize("answer", [{"status": "NotImplemented"}, {"status": "Rejected"}, "NotSupported"])
def test_who_was_asked_for_its_state_in_vain_is_not_asked_to_measure(answer: object) -> None:
    @virtually
    async def story(stage: Stage) -> None:
        await stage.booted(TriggerMessage=lambda _: answer)
        assert not stage.conversation.measures_on_demand

    story()


@pytest.mark.parametrize("answer", [{"status": "NotImplemented"}, "InternalError"])
def test_who_says_that_it_cannot_is_not_asked_again(answer: object) -> None:
    @virtually
    async def story(stage: Stage) -> None:
        point = await stage.booted()
        point.answers["TriggerMessage"] = lambda _: answer
        with pytest.raises(Refused):
            await stage.conversation.measure(1)
        assert not stage.conversation.measures_on_demand

    story()


@virtually
async def test_who_does_not_answer_is_not_asked_any_more_before_it_dials_in_anew(stage: Stage) -> None:
    point = await stage.booted()
    point.silent_on = {"TriggerMessage"}
    for _ in range(MISSED_OFTEN):
        assert stage.conversation.measures_on_demand
        with pytest.raises(NotReachable):
            await stage.conversation.measure(1)
    assert not stage.conversation.measures_on_demand
    assert stage.is_online()
    await stage.hang_up(point)
    await stage.booted()
    assert stage.conversation.measures_on_demand


@virtually
async def test_a_limit_does_not_wait_long_behind_a_question_without_an_answer(stage: Stage) -> None:
    point = await stage.booted()
    await point.start()
    await stage.settle()
    point.silent_on = {"TriggerMessage"}
    question = asyncio.ensure_future(stage.conversation.measure(1))
    await stage.settle()
    begun = stage.clock.monotonic()
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.ACCEPTED
    assert stage.clock.monotonic() - begun <= QUESTION_TIMEOUT_S
    with pytest.raises(NotReachable):
        await question


@virtually
async def test_who_accepts_and_sends_nothing_is_asked_a_few_times_only(stage: Stage) -> None:
    point = await stage.booted()
    for _ in range(MISSED_OFTEN):
        assert stage.conversation.measures_on_demand
        await stage.conversation.measure(1)
    await stage.conversation.measure(1)
    assert not stage.conversation.measures_on_demand
    assert len(asked(point)) == MISSED_OFTEN + 1


@virtually
async def test_who_measures_before_it_answers_is_asked_again_and_again(stage: Stage) -> None:
    point = await stage.booted()
    point.silent_on = {"TriggerMessage"}
    for _ in range(2 * MISSED_OFTEN):
        question = asyncio.ensure_future(stage.conversation.measure(1))
        await stage.settle()
        await draws(stage, point, 9)
        await point.answer_late({"status": "Accepted"})
        await question
    assert stage.conversation.measures_on_demand


@virtually
async def test_one_measurement_that_comes_is_proof_that_it_can(stage: Stage) -> None:
    point = await stage.booted()
    for _ in range(MISSED_OFTEN):
        await stage.conversation.measure(1)
    await draws(stage, point, 9)
    for _ in range(MISSED_OFTEN):
        await stage.conversation.measure(1)
    assert stage.conversation.measures_on_demand


@virtually
async def test_a_limit_goes_before_a_question_that_waits(stage: Stage) -> None:
    point = await stage.booted()
    transaction = await point.start()
    await stage.settle()
    assert transaction == stage.conversation.running_transaction(1)
    point.asked.clear()
    point.silent_on = {"Reset"}
    reset = asyncio.ensure_future(stage.conversation.reset(hard=False))
    await stage.settle()
    question = asyncio.ensure_future(stage.conversation.measure(1))
    await stage.settle()
    limit = asyncio.ensure_future(stage.conversation.hold_limit(1, WISH))
    await stage.settle()
    await point.answer_late({"status": "Accepted"})
    await asyncio.gather(reset, question, limit)
    assert [action for action, _ in point.asked] == ["Reset", "SetChargingProfile", "TriggerMessage"]


@virtually
async def test_a_question_takes_the_place_of_one_that_still_waits(stage: Stage) -> None:
    point = await stage.booted()
    point.asked.clear()
    point.silent_on = {"Reset"}
    reset = asyncio.ensure_future(stage.conversation.reset(hard=False))
    await stage.settle()
    first = asyncio.ensure_future(stage.conversation.measure(1))
    await stage.settle()
    second = asyncio.ensure_future(stage.conversation.measure(1))
    await stage.settle()
    await point.answer_late({"status": "Accepted"})
    with pytest.raises(NotReachable):
        await first
    await asyncio.gather(reset, second)
    assert asked(point) == [1]
    assert stage.conversation.measures_on_demand


@virtually
async def test_who_is_away_cannot_be_asked(stage: Stage) -> None:
    point = await stage.booted()
    await stage.hang_up(point)
    with pytest.raises(NotReachable):
        await stage.conversation.measure(1)
