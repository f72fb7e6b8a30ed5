"""A charger whose charge point speaks OCPP 2.x, as the site sees it."""

import asyncio
from typing import Any

import pytest

from custom_components.charge_cluster.chargers import (
    ChargerEvent,
    ConnectorStatus,
    DrawSample,
    LimitOrder,
    LimitOutcome,
    Quirk,
    QuirkShown,
    TransactionStarted,
    TransactionStopped,
)
from custom_components.charge_cluster.chargers.ocpp import OcppCharger
from custom_components.charge_cluster.engine.model import VehicleState
from custom_components.charge_cluster.ocpp.conversation import Terminals
from tests.ocpp.charge_point_2 import CHARGING, CONNECTED, IDLE, PAUSED, SUSPENDED, energy_2, limits_of_2, sampled_2
from tests.ocpp.stage import Stage2, virtually_2

CONNECTOR = Terminals(connector=1, phases=3, minimum_a=6, maximum_a=32)


def begin(stage: Stage2, start_tag: str | None = None) -> tuple[OcppCharger, list[ChargerEvent]]:
    """Return a charger and what it tells."""
    charger = OcppCharger(stage.conversation, [CONNECTOR], start_tag=start_tag, monotonic=stage.clock.monotonic)
    events: list[ChargerEvent] = []
    charger.listen(events.append)
    return charger, events


def vehicle(events: list[ChargerEvent]) -> VehicleState:
    return [event for event in events if isinstance(event, ConnectorStatus)][-1].vehicle


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        ({"state": CONNECTED, "trigger": "CablePluggedIn"}, VehicleState.WANTS),
        ({"state": CHARGING, "trigger": "ChargingStateChanged"}, VehicleState.WANTS),
        ({"state": PAUSED, "trigger": "ChargingStateChanged"}, VehicleState.WANTS),
        ({"state": CONNECTED, "trigger": "StopAuthorized"}, VehicleState.SATED),
        ({"state": IDLE, "trigger": "EVCommunicationLost"}, VehicleState.ABSENT),
        ({"trigger": "MeterValuePeriodic"}, VehicleState.WANTS),
    ],
    ids=str,
)
def test_the_state_of_a_transaction_says_what_the_vehicle_wants(told: dict[str, Any], seen: VehicleState) -> None:
    @virtually_2
    async def story(stage: Stage2) -> None:
        point = await stage.booted()
        charger, events = begin(stage)
        await point.begin()
        await point.event("Updated", **told)
        await stage.settle()
        assert vehicle(events) is seen
        await charger.close()

    story(Stage2)


@virtually_2
async def test_a_vehicle_that_takes_nothing_of_what_it_is_offered_has_enough(stage: Stage2) -> None:
    point = await stage.booted()
    charger, events = begin(stage)
    await point.begin()
    for _ in range(8):
        assert await charger.apply_limit(1, LimitOrder(amps=16, fallback_a=0, validity_s=30)) is LimitOutcome.ACCEPTED
        await asyncio.sleep(10)
    await point.event("Updated", state=SUSPENDED, trigger="ChargingStateChanged")
    await stage.settle()
    assert vehicle(events) is VehicleState.SATED
    await charger.close()


@virtually_2
async def test_what_was_promised_before_the_transaction_is_sent_with_it(stage: Stage2) -> None:
    point = await stage.booted()
    charger, events = begin(stage)
    await point.status(1, "Occupied")
    assert await charger.provision_fallback(1, 6) is LimitOutcome.ACCEPTED
    assert await charger.apply_limit(1, LimitOrder(amps=16, fallback_a=6, validity_s=30)) is LimitOutcome.ACCEPTED
    assert point.profiles("TxProfile") == []
    await point.begin()
    await stage.settle()
    (profile,) = point.profiles("TxProfile")
    assert (profile["transactionId"], limits_of_2(profile)[0][1]) == ("tx-1", 16)
    await point.event("Updated", state=CHARGING, values=[*sampled_2(L1=15, L2=15, L3=15), energy_2(1200)])
    await point.end(meter=1800, info={"stoppedReason": "EVDisconnected"})
    await stage.settle()
    (started,) = [event for event in events if isinstance(event, TransactionStarted)]
    (stopped,) = [event for event in events if isinstance(event, TransactionStopped)]
    assert (stopped.transaction_id, stopped.vehicle_left) == (started.transaction_id, True)
    assert stopped.meter_stop_wh - stopped.meter_start_wh == 800
    assert [event.amps for event in events if isinstance(event, DrawSample)] == [(15, 15, 15)]
    await charger.close()


@virtually_2
async def test_a_transaction_that_only_a_cable_began_is_let_in_where_everybody_may_charge(stage: Stage2) -> None:
    point = await stage.booted()
    charger, events = begin(stage, start_tag="FREE")
    await point.event("Started", evse=1, state=CONNECTED, trigger="CablePluggedIn")
    await asyncio.sleep(6)
    (call,) = point.calls("RequestStartTransaction")
    assert (call["evseId"], call["idToken"]["idToken"]) == (1, "FREE")
    await point.event("Updated", state=CHARGING, tag="FREE", trigger="RemoteStart", info={"remoteStartId": 1})
    await asyncio.sleep(120)
    assert len(point.calls("RequestStartTransaction")) == 1
    assert [event.id_tag for event in events if isinstance(event, TransactionStarted)] == [None, "FREE"]
    await charger.close()


@virtually_2
async def test_a_vehicle_that_0_a_ended_is_resumed_though_its_cable_began_another_transaction(stage: Stage2) -> None:
    point = await stage.booted()
    charger, events = begin(stage)
    await charger.provision_fallback(1, 0)
    await point.begin(tag="TAG1")
    await point.event("Updated", state=CHARGING, trigger="ChargingStateChanged")
    await stage.settle()
    assert await charger.apply_limit(1, LimitOrder(amps=0, fallback_a=0, validity_s=30)) is LimitOutcome.ACCEPTED
    await asyncio.sleep(5)
    await point.end(info={"stoppedReason": "Other"})
    await stage.settle()
    await point.event("Started", own_id="tx-2", evse=1, state=CONNECTED, trigger="CablePluggedIn")
    await stage.settle()
    assert vehicle(events) is VehicleState.WANTS
    assert point.calls("RequestStartTransaction") == []

    for _ in range(2):
        await charger.apply_limit(1, LimitOrder(amps=8, fallback_a=0, validity_s=30))
        await stage.settle()
    (call,) = point.calls("RequestStartTransaction")
    assert call["idToken"]["idToken"] == "TAG1"
    await point.event("Updated", own_id="tx-2", state=CHARGING, tag="TAG1", trigger="RemoteStart")
    await asyncio.sleep(60)
    await charger.apply_limit(1, LimitOrder(amps=8, fallback_a=0, validity_s=30))
    await stage.settle()
    assert len(point.calls("RequestStartTransaction")) == 1
    await charger.close()


@virtually_2
async def test_a_profile_of_somebody_else_that_stays_is_told(stage: Stage2) -> None:
    point = await stage.connect(
        GetChargingProfiles=lambda _: {"status": "Accepted"}, ClearChargingProfile=lambda _: "NotSupported"
    )
    await point.boot()
    await stage.settle()
    charger, events = begin(stage)
    storing = asyncio.ensure_future(charger.provision_fallback(1, 6))
    asked = await point.was_asked("GetChargingProfiles")
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 20.0}]}
    await point.tell(
        "ReportChargingProfiles",
        {
            "requestId": asked["requestId"],
            "chargingLimitSource": "CSO",
            "evseId": 1,
            "chargingProfile": [
                {
                    "id": 77,
                    "stackLevel": 8,
                    "chargingProfilePurpose": "TxDefaultProfile",
                    "chargingProfileKind": "Relative",
                    "chargingSchedule": [schedule],
                }
            ],
        },
    )
    assert await storing is LimitOutcome.REFUSED
    shown = [(event.quirk, event.gone) for event in events if isinstance(event, QuirkShown)]
    assert shown == [(Quirk.FOREIGN_PROFILE, False)]

    point.answers["ClearChargingProfile"] = lambda _: {"status": "Accepted"}
    assert await charger.provision_fallback(1, 6) is LimitOutcome.ACCEPTED
    shown = [(event.quirk, event.gone) for event in events if isinstance(event, QuirkShown)]
    assert shown[1:] == [(Quirk.FOREIGN_PROFILE, True)]
    await charger.close()
