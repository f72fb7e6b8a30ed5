"""A charge point over OCPP as the site sees it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, cast

import pytest

from custom_components.charge_cluster.chargers import (
    Booted,
    ChargerEvent,
    ChargerOffline,
    ConnectorStatus,
    DrawSample,
    HeldBack,
    LimitForm,
    LimitOrder,
    LimitOutcome,
    NeedsTold,
    OperationRefused,
    Quirk,
    QuirkShown,
    StrangerSeen,
    TransactionStarted,
    TransactionStopped,
    WentOffline,
    WentOnline,
    measures_on_demand,
)
from custom_components.charge_cluster.chargers.ocpp import OcppCharger
from custom_components.charge_cluster.engine.model import VehicleState
from custom_components.charge_cluster.ocpp.conversation import (
    ChargingNeeds,
    Conversation,
    DeviceFacts,
    LimitFromOutside,
    Report,
    Terminals,
)
from custom_components.charge_cluster.ocpp.experience import ABLE, UNABLE
from tests.ocpp.charge_point import ChargePoint, energy, limits_of, sampled
from tests.ocpp.stage import Stage, virtually as on_stage
from tests.ocpp.test_experience import Memory

CONNECTOR = Terminals(connector=1, phases=3, minimum_a=6, maximum_a=32)


def order(amps: float, fallback_a: float = 0.0) -> LimitOrder:
    return LimitOrder(amps=amps, fallback_a=fallback_a, validity_s=30)


class Scene:
    """A charger with a charge point behind it, and what it told."""

    def __init__(self, stage: Stage, point: ChargePoint, start_tag: str | None = None) -> None:
        self.stage = stage
        self.point = point
        self.charger = OcppCharger(
            stage.conversation, [CONNECTOR], start_tag=start_tag, monotonic=stage.clock.monotonic
        )
        self.events: list[ChargerEvent] = []
        self.end_listening = self.charger.listen(self.events.append)

    def heard[E](self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def vehicle(self) -> VehicleState:
        return self.heard(ConnectorStatus)[-1].vehicle

    async def status(self, status: str, error: str = "NoError") -> None:
        await self.point.status(1, status, error)
        await self.stage.settle()

    async def draws(self, amps: float) -> None:
        await self.point.measure([*sampled(L1=amps, L2=amps, L3=amps), energy(1000)])
        await self.stage.settle()

    async def start(self) -> int:
        transaction = await self.point.start()
        await self.stage.settle()
        return transaction

    async def order(self, amps: float, fallback_a: float = 0.0) -> LimitOutcome:
        return await self.charger.apply_limit(1, order(amps, fallback_a))

    def limits(self) -> list[float]:
        return [limits_of(profile)[0][1] for profile in self.point.profiles("TxProfile")]


def virtually(
    story: Callable[[Scene], Coroutine[Any, Any, None]], *, start_tag: str | None = None
) -> Callable[[], None]:
    """Make a test of a story with a charger whose charge point has booted."""

    async def play(stage: Stage) -> None:
        point = await stage.booted()
        scene = Scene(stage, point, start_tag)
        await story(scene)
        await scene.charger.close()

    play.__name__ = story.__name__
    play.__module__ = story.__module__
    return on_stage(play)


# -- 0 A that ends transactions -----------------------------------------------------------------------------------


async def paused_to_death(scene: Scene, transaction: int, reason: str | None = None, after_s: float = 5.0) -> None:
    """Tell 0 A, upon which the charge point ends its transaction and says that the vehicle is still there."""
    assert await scene.order(0) is LimitOutcome.ACCEPTED
    await asyncio.sleep(after_s)
    more: dict[str, Any] = {} if reason is None else {"reason": reason}
    await scene.point.stop(transaction, **more)
    await scene.status("Finishing")


@virtually
async def test_who_was_ended_by_0_a_still_wants_and_is_started_again_when_there_is_current(scene: Scene) -> None:
    await scene.status("Charging")
    transaction = await scene.start()
    await scene.order(10)
    await paused_to_death(scene, transaction)
    assert scene.vehicle() is VehicleState.WANTS
    assert scene.point.calls("RemoteStartTransaction") == []
    await scene.charger.provision_fallback(1, 0)
    assert await scene.order(8) is LimitOutcome.ACCEPTED
    await scene.stage.settle()
    assert scene.point.calls("RemoteStartTransaction") == [{"connectorId": 1, "idTag": "TAG1"}]
    await scene.order(8)
    await scene.stage.settle()
    assert len(scene.point.calls("RemoteStartTransaction")) == 1
    await scene.point.start(meter=3000)
    await scene.stage.settle()
    assert scene.limits()[-1] == 8


@virtually
async def test_a_charge_point_that_does_not_start_again_is_not_asked_for_ever(scene: Scene) -> None:
    await scene.status("Charging")
    transaction = await scene.start()
    await paused_to_death(scene, transaction)
    await scene.charger.provision_fallback(1, 0)
    for _ in range(10):
        await scene.order(8)
        await asyncio.sleep(50)
    assert len(scene.point.calls("RemoteStartTransaction")) == 3
    await scene.order(8)
    assert scene.vehicle() is not VehicleState.WANTS


def zero_quirks(scene: Scene) -> list[bool]:
    """Return whether it was said to be gone, each time that it was told of."""
    return [event.gone for event in scene.heard(QuirkShown) if event.quirk is Quirk.ZERO_ENDS_TRANSACTIONS]


@virtually
async def test_twice_in_a_row_is_told_and_a_pause_that_is_outlived_ends_it(scene: Scene) -> None:
    await scene.status("Charging")
    for number in (1, 2):
        transaction = await scene.point.start(meter=1000 * number)
        await scene.stage.settle()
        await scene.order(10)
        await paused_to_death(scene, transaction)
        assert zero_quirks(scene) == [False] * (number - 1)
        await scene.status("Charging")
    await scene.point.start(meter=5000)
    await scene.stage.settle()
    await scene.order(0)
    await asyncio.sleep(90)
    await scene.order(10)
    assert zero_quirks(scene) == [False, True]


@on_stage
async def test_what_others_of_the_model_make_of_0_a_is_known_after_a_restart(stage: Stage) -> None:
    memory = Memory()
    stage.services = replace(stage.services, memory=memory)
    stage.restart()
    scene = Scene(stage, await stage.booted())
    await scene.status("Charging")
    for number in (1, 2):
        transaction = await scene.point.start(meter=1000 * number)
        await stage.settle()
        await scene.order(10)
        await paused_to_death(scene, transaction)
        await scene.status("Charging")
    await scene.charger.close()
    assert memory.found["Sample|One|1.2"]["zero"] == UNABLE

    stage.restart()
    scene = Scene(stage, await stage.connect())
    await scene.point.boot()
    await stage.settle()
    assert zero_quirks(scene) == [False]
    await scene.start()
    await scene.order(0)
    await asyncio.sleep(90)
    await scene.order(10)
    assert zero_quirks(scene) == [False, True]
    assert memory.found["Sample|One|1.2"]["zero"] == ABLE
    await scene.charger.close()


@pytest.mark.parametrize(
    ("reason", "after_s"),
    [("Remote", 5.0), ("Local", 5.0), ("EVDisconnected", 5.0), ("PowerLoss", 5.0), (None, 90.0)],
    ids=["remote", "local", "unplugged", "outage", "much later"],
)
def test_an_end_that_has_another_reason_is_none_of_its_doing(reason: str | None, after_s: float) -> None:
    @virtually
    async def story(scene: Scene) -> None:
        await scene.status("Charging")
        transaction = await scene.start()
        await paused_to_death(scene, transaction, reason, after_s)
        assert scene.vehicle() is not VehicleState.WANTS
        await scene.order(8)
        await scene.stage.settle()
        assert scene.point.calls("RemoteStartTransaction") == []

    story()


@virtually
async def test_the_next_vehicle_is_not_started_for_the_driver_of_the_one_before(scene: Scene) -> None:
    await scene.status("Charging")
    transaction = await scene.start()
    await paused_to_death(scene, transaction)
    await scene.status("Available")
    await scene.status("Preparing")
    await scene.charger.provision_fallback(1, 0)
    await scene.order(8)
    await asyncio.sleep(60)
    assert scene.point.calls("RemoteStartTransaction") == []


@on_stage
async def test_a_charge_point_whose_limits_have_no_end_is_told_of(stage: Stage) -> None:
    keys = {"ChargingScheduleMaxPeriods": "1", "ChargeProfileMaxStackLevel": "0"}
    entries = [{"key": key, "readonly": True, "value": value} for key, value in keys.items()]
    point = await stage.booted(GetConfiguration=lambda _: {"configurationKey": entries})
    scene = Scene(stage, point)
    await scene.status("Charging")
    await scene.start()
    await scene.order(10, 6)
    assert scene.heard(QuirkShown) == [QuirkShown(connector=1, quirk=Quirk.LIMITS_WITHOUT_END)]
    later: list[ChargerEvent] = []
    scene.charger.listen(later.append)
    assert QuirkShown(connector=1, quirk=Quirk.LIMITS_WITHOUT_END) in later


# -- what it tells ------------------------------------------------------------------------------------------------


@on_stage
async def test_it_tells_what_happens_in_the_sites_words(stage: Stage) -> None:
    point = await stage.connect()
    scene = Scene(stage, point)
    await point.boot()
    await scene.status("Preparing")
    transaction = await scene.start()
    await scene.draws(9)
    await point.stop(transaction, 2500, reason="EVDisconnected")
    await stage.hang_up(point)
    assert [type(event) for event in scene.events] == [
        WentOffline,
        Booted,
        WentOnline,
        ConnectorStatus,
        TransactionStarted,
        DrawSample,
        TransactionStopped,
        WentOffline,
    ]
    (started,) = scene.heard(TransactionStarted)
    (stopped,) = scene.heard(TransactionStopped)
    (draw,) = scene.heard(DrawSample)
    assert (started.transaction_id, started.id_tag, started.resumed) == (str(transaction), "TAG1", False)
    assert (stopped.meter_start_wh, stopped.meter_stop_wh) == (1000, 2500)
    assert (stopped.presumed, stopped.late, stopped.vehicle_left) == (False, False, True)
    assert (draw.amps, draw.energy_wh) == ((9, 9, 9), 1000)
    assert scene.charger.identity.firmware == "1.2"
    await scene.charger.close()


@virtually
async def test_who_listens_later_hears_the_present_state(scene: Scene) -> None:
    await scene.status("Charging")
    await scene.start()
    await scene.draws(9)
    later: list[ChargerEvent] = []
    scene.charger.listen(later.append)
    assert [type(event) for event in later] == [WentOnline, ConnectorStatus, DrawSample, TransactionStarted]
    assert isinstance(later[-1], TransactionStarted)
    assert later[-1].resumed


@virtually
async def test_an_end_that_nobody_told_is_presumed_and_the_real_one_is_late(scene: Scene) -> None:
    first = await scene.start()
    await asyncio.sleep(1)
    await scene.point.start(tag="TAG2", meter=2500)
    await scene.draws(9)
    await scene.order(10)
    await scene.point.stop(first, 2400)
    await scene.stage.settle()
    presumed, late = scene.heard(TransactionStopped)
    assert (presumed.transaction_id, presumed.presumed, presumed.late) == (str(first), True, False)
    assert (late.transaction_id, late.presumed, late.late) == (str(first), False, True)
    assert [presumed.vehicle_left, late.vehicle_left] == [False, False], "nobody said so"
    assert (late.meter_start_wh, late.meter_stop_wh) == (1000, 2400)
    # The younger one is still there for the order and for those who listen later.
    later: list[ChargerEvent] = []
    scene.charger.listen(later.append)
    assert any(isinstance(event, TransactionStarted) and event.id_tag == "TAG2" for event in later)


@virtually
async def test_a_connector_that_is_not_configured_is_told_of_and_held_at_nothing_until_it_is(scene: Scene) -> None:
    await scene.point.status(2, "Charging")
    await scene.stage.settle()
    assert scene.heard(ConnectorStatus) == []
    assert scene.heard(StrangerSeen) == [StrangerSeen(connector=2)]
    [held] = [call for call in scene.point.calls("SetChargingProfile") if call["connectorId"] == 2]
    assert held["csChargingProfiles"]["chargingProfilePurpose"] == "TxDefaultProfile"
    assert limits_of(held["csChargingProfiles"]) == [(0, 0.0)]
    scene.charger.reconfigure([CONNECTOR, Terminals(connector=2)], start_tag=None)
    assert [event.connector for event in scene.heard(ConnectorStatus)] == [2]
    later: list[ChargerEvent] = []
    scene.charger.listen(later.append)
    assert not any(isinstance(event, StrangerSeen) for event in later)


@virtually
async def test_a_transaction_at_a_connector_that_is_not_configured_gets_nothing(scene: Scene) -> None:
    await scene.point.status(2, "Preparing")
    await scene.stage.settle()
    transaction = await scene.point.start(connector=2)
    await scene.stage.settle()
    [held] = scene.point.profiles("TxProfile")
    assert held["transactionId"] == transaction
    assert {limit for _, limit in limits_of(held)} == {0.0}
    assert scene.heard(TransactionStarted) == []


@virtually
async def test_a_connector_that_is_not_configured_and_draws_all_the_same_is_told_so_again(scene: Scene) -> None:
    async def draws(amps: float) -> None:
        await scene.point.measure([*sampled(L1=amps, L2=amps, L3=amps)], connector=2)
        await scene.stage.settle()

    await draws(0.0)
    await draws(9.0)
    await draws(9.0)
    defaults = len(scene.point.profiles("TxDefaultProfile"))
    await asyncio.sleep(61)
    await draws(8.0)
    await draws(0.0)
    assert [event.drawn_a for event in scene.heard(StrangerSeen)] == [0.0, 9.0, 0.0]
    assert len(scene.point.profiles("TxDefaultProfile")) == defaults  # it is known to hold that already
    assert scene.heard(DrawSample) == []


@virtually
async def test_after_a_boot_a_connector_that_is_not_configured_is_told_again(scene: Scene) -> None:
    await scene.point.status(2, "Available")
    await scene.stage.settle()
    await scene.point.boot()
    await scene.stage.settle()
    held = [call for call in scene.point.calls("SetChargingProfile") if call["connectorId"] == 2]
    assert len(held) == 2


@virtually
async def test_a_connector_that_is_not_configured_any_more_is_held_at_nothing(scene: Scene) -> None:
    await scene.status("Charging")
    scene.charger.reconfigure([Terminals(connector=2)], start_tag=None)
    await scene.stage.settle()
    assert scene.heard(StrangerSeen) == [StrangerSeen(connector=1)]
    assert limits_of(scene.point.profiles("TxDefaultProfile")[-1]) == [(0, 0.0)]


@virtually
async def test_letting_go_leaves_the_conversation_alone(scene: Scene) -> None:
    await scene.charger.close()
    before = len(scene.events)
    await scene.status("Charging")
    assert len(scene.events) == before
    assert scene.stage.conversation.online
    again = OcppCharger(scene.stage.conversation, [CONNECTOR], monotonic=scene.stage.clock.monotonic)
    later: list[ChargerEvent] = []
    again.listen(later.append)
    assert any(isinstance(event, ConnectorStatus) and event.status == "Charging" for event in later)
    await again.close()


@virtually
async def test_it_measures_on_demand_where_its_charge_point_does(scene: Scene) -> None:
    able = measures_on_demand(scene.charger)
    assert able is not None
    await able.measure(1)
    (asked,) = [payload for payload in scene.point.calls("TriggerMessage") if "connectorId" in payload]
    assert asked == {"requestedMessage": "MeterValues", "connectorId": 1}
    scene.point.answers["TriggerMessage"] = lambda _: {"status": "NotImplemented"}
    with pytest.raises(OperationRefused):
        await able.measure(1)
    assert measures_on_demand(scene.charger) is None
    await scene.stage.hang_up(scene.point)
    with pytest.raises(ChargerOffline):
        await able.measure(1)


# -- what a status says of the vehicle ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "vehicle"),
    [
        ("Available", VehicleState.ABSENT),
        ("Reserved", VehicleState.ABSENT),
        ("Preparing", VehicleState.WANTS),
        ("Charging", VehicleState.WANTS),
        ("SuspendedEVSE", VehicleState.WANTS),
        ("Finishing", VehicleState.SATED),
        ("Unavailable", VehicleState.FAULTED),
        ("Faulted", VehicleState.FAULTED),
        ("Confused", VehicleState.UNKNOWN),
    ],
)
def test_a_status_says_something_of_the_vehicle(status: str, vehicle: VehicleState) -> None:
    @virtually
    async def story(scene: Scene) -> None:
        await scene.status(status)
        assert scene.vehicle() is vehicle
        assert scene.heard(ConnectorStatus)[-1].status == status

    story()


@pytest.mark.parametrize("status", ["SuspendedEV", "Finishing", "Available", "Confused"])
def test_current_that_flows_outweighs_the_word(status: str) -> None:
    @virtually
    async def story(scene: Scene) -> None:
        await scene.status(status)
        await scene.draws(8)
        assert scene.vehicle() is VehicleState.WANTS

    story()


@virtually
async def test_a_fault_stays_a_fault_with_its_error(scene: Scene) -> None:
    await scene.status("Faulted", "GroundFailure")
    await scene.draws(8)
    assert scene.heard(ConnectorStatus)[-1].vehicle is VehicleState.FAULTED
    assert scene.heard(ConnectorStatus)[-1].error == "GroundFailure"


@virtually
async def test_a_vehicle_that_is_offered_nothing_has_not_said_no(scene: Scene) -> None:
    await scene.status("Charging")
    await scene.start()
    await scene.order(0)
    await scene.status("SuspendedEV")
    assert scene.vehicle() is VehicleState.WANTS


@virtually
async def test_a_vehicle_that_leaves_its_minimum_for_a_minute_is_sated(scene: Scene) -> None:
    await scene.status("Charging")
    await scene.start()
    await scene.order(6)
    await scene.status("SuspendedEV")
    for _ in range(5):
        await asyncio.sleep(10)
        await scene.order(6)
        assert scene.vehicle() is VehicleState.WANTS
    await asyncio.sleep(10)
    await scene.order(6)
    assert scene.vehicle() is VehicleState.SATED


@virtually
async def test_a_sated_vehicle_stays_so_when_the_offer_is_withdrawn_and_wants_when_it_says_so(scene: Scene) -> None:
    await scene.status("Charging")
    await scene.start()
    for _ in range(8):
        await scene.order(16)
        await asyncio.sleep(10)
    await scene.status("SuspendedEV")
    assert scene.vehicle() is VehicleState.SATED
    await scene.order(0)
    assert scene.vehicle() is VehicleState.SATED
    await scene.status("Charging")
    assert scene.vehicle() is VehicleState.WANTS


@virtually
async def test_the_same_state_is_told_once(scene: Scene) -> None:
    for _ in range(3):
        await scene.status("Charging")
        await scene.draws(9)
    assert len(scene.heard(ConnectorStatus)) == 1


# -- orders -------------------------------------------------------------------------------------------------------


@virtually
async def test_a_running_transaction_is_limited(scene: Scene) -> None:
    await scene.status("Charging")
    await scene.start()
    assert await scene.order(10) is LimitOutcome.ACCEPTED
    assert scene.limits() == [10]


@virtually
async def test_an_order_for_one_phase_is_worded_so(scene: Scene) -> None:
    await scene.status("Charging")
    await scene.start()
    assert await scene.charger.apply_limit(1, replace(order(8, 6), phases=1)) is LimitOutcome.ACCEPTED
    periods = scene.point.profiles("TxProfile")[-1]["chargingSchedule"]["chargingSchedulePeriod"]
    assert [(period["limit"], period["numberPhases"]) for period in periods] == [(8, 1), (6, 3)]


@virtually
async def test_an_order_in_another_form_is_worded_otherwise_and_so_are_those_after_it(scene: Scene) -> None:
    await scene.status("Charging")
    await scene.start()
    await scene.order(10)
    assert await scene.charger.apply_limit(1, replace(order(8), form=LimitForm.OTHER)) is LimitOutcome.ACCEPTED
    await scene.order(7)
    units = [profile["chargingSchedule"]["chargingRateUnit"] for profile in scene.point.profiles("TxProfile")]
    assert units == ["A", "W", "W"]


@virtually
async def test_what_it_says_that_it_offers_is_told(scene: Scene) -> None:
    offered = {"measurand": "Current.Offered", "unit": "A", "value": "13"}
    await scene.point.measure([*sampled(L1=7, L2=7, L3=7), offered])
    await scene.stage.settle()
    assert scene.heard(DrawSample)[-1].offered_a == 13
    await scene.draws(7)
    assert scene.heard(DrawSample)[-1].offered_a is None


class Teller:
    """A conversation that tells what a test wants told, whatever version it would be in."""

    identity, online, device, expiry_error_s = "CP1", True, DeviceFacts(), 0.0

    def __init__(self) -> None:
        self.tell: Callable[[Report], None] = lambda _: None

    def listen(self, listener: Callable[[Report], None]) -> Callable[[], None]:
        self.tell = listener
        return lambda: None

    def describe(self, terminals: Terminals) -> None: ...


def test_what_a_vehicle_needs_and_who_holds_it_back_is_told_of_connectors_that_are_configured() -> None:
    teller, events = Teller(), list[ChargerEvent]()
    charger = OcppCharger(cast("Conversation", teller), [CONNECTOR])
    charger.listen(events.append)
    events.clear()
    for connector in (1, 2):
        teller.tell(ChargingNeeds(connector=connector, departure_at=5.0, energy_wh=7.0, most_a=16.0, phases=3))
    for connector in (0, 1, 2):
        teller.tell(LimitFromOutside(connector=connector, source="SO", limit_w=4200.0))
    teller.tell(LimitFromOutside(connector=0, source="SO", ended=True))
    assert events == [
        NeedsTold(connector=1, departure_at=5.0, energy_wh=7.0, most_a=16.0, phases=3),
        HeldBack(connector=0, source="SO", limit_w=4200.0),
        HeldBack(connector=1, source="SO", limit_w=4200.0),
        HeldBack(connector=0, source="SO", ended=True),
    ]


@virtually
async def test_what_was_promised_to_an_idle_connector_is_sent_when_a_transaction_starts(scene: Scene) -> None:
    await scene.status("Preparing")
    await scene.charger.provision_fallback(1, 0)
    assert await scene.order(16) is LimitOutcome.ACCEPTED
    assert scene.limits() == []
    await asyncio.sleep(12)
    transaction = await scene.start()
    (profile,) = scene.point.profiles("TxProfile")
    assert profile["transactionId"] == transaction
    (_, first), (expires, second) = limits_of(profile)
    assert (first, second) == (16, 0)
    assert expires <= 30 - 12 + 2 + 1


@virtually
async def test_a_promise_that_has_run_out_is_not_kept(scene: Scene) -> None:
    await scene.status("Preparing")
    await scene.charger.provision_fallback(1, 0)
    await scene.order(16)
    await asyncio.sleep(31)
    await scene.start()
    assert scene.limits() == []


@virtually
async def test_a_transaction_that_starts_under_an_order_gets_that_order(scene: Scene) -> None:
    await scene.status("Preparing")
    await scene.charger.provision_fallback(1, 8)
    await scene.order(16, 8)
    scene.point.silent_on = {"SetChargingProfile"}
    lower = asyncio.ensure_future(scene.order(6, 8))
    await scene.stage.settle()
    scene.point.silent_on = set()
    start = asyncio.ensure_future(scene.point.start())
    await scene.stage.settle()
    await scene.point.answer_late({"status": "Accepted"})
    await asyncio.wait([start, lower])
    assert lower.result() is LimitOutcome.ACCEPTED
    assert scene.limits() == [6]


@virtually
async def test_refused_unknown_and_unsent_are_told_apart(scene: Scene) -> None:
    await scene.status("Charging")
    await scene.start()
    scene.point.answers["SetChargingProfile"] = lambda _: {"status": "Rejected"}
    assert await scene.order(10) is LimitOutcome.REFUSED
    scene.point.silent_on = {"SetChargingProfile"}
    assert await scene.order(10) is LimitOutcome.UNKNOWN
    assert await scene.order(10) is LimitOutcome.NOT_SENT


@virtually
async def test_operations_are_carried_out_or_refused(scene: Scene) -> None:
    with pytest.raises(OperationRefused) as caught:
        await scene.charger.stop(1)
    assert caught.value.answer == "NoTransaction"
    transaction = await scene.start()
    await scene.charger.stop(1)
    assert scene.point.calls("RemoteStopTransaction") == [{"transactionId": transaction}]
    await scene.charger.refresh()
    await scene.charger.start(1, "TAG")
    scene.point.answers["Reset"] = lambda _: {"status": "Rejected"}
    with pytest.raises(OperationRefused):
        await scene.charger.reset(hard=True)
    await scene.stage.hang_up(scene.point)
    with pytest.raises(ChargerOffline):
        await scene.charger.unlock(1)
    with pytest.raises(ChargerOffline):
        await scene.charger.set_availability(1, operative=True)


# -- starting by itself -------------------------------------------------------------------------------------------


def freely(story: Callable[[Scene], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    return virtually(story, start_tag="FREE")


@freely
async def test_a_vehicle_that_does_not_start_by_itself_is_started(scene: Scene) -> None:
    await scene.status("Available")
    await scene.status("Preparing")
    await asyncio.sleep(4)
    assert scene.point.calls("RemoteStartTransaction") == []
    await asyncio.sleep(2)
    assert scene.point.calls("RemoteStartTransaction") == [{"connectorId": 1, "idTag": "FREE"}]


@freely
async def test_a_vehicle_that_starts_by_itself_is_left_alone(scene: Scene) -> None:
    await scene.status("Preparing")
    await scene.start()
    await asyncio.sleep(120)
    assert scene.point.calls("RemoteStartTransaction") == []


@freely
async def test_starting_is_tried_a_second_time_and_then_given_up(scene: Scene) -> None:
    scene.point.answers["RemoteStartTransaction"] = lambda _: {"status": "Rejected"}
    await scene.status("Preparing")
    for _ in range(60):
        await asyncio.sleep(10)
        await scene.status("Preparing")
    assert len(scene.point.calls("RemoteStartTransaction")) == 2


@freely
async def test_a_vehicle_that_was_stopped_is_not_started_again_before_it_has_left(scene: Scene) -> None:
    await scene.status("Preparing")
    transaction = await scene.start()
    await scene.point.stop(transaction)
    await scene.status("Finishing")
    await scene.status("Preparing")
    await asyncio.sleep(60)
    assert scene.point.calls("RemoteStartTransaction") == []
    await scene.status("Available")
    await scene.status("Preparing")
    await asyncio.sleep(6)
    assert len(scene.point.calls("RemoteStartTransaction")) == 1


@freely
async def test_a_vehicle_that_leaves_in_time_is_not_started(scene: Scene) -> None:
    await scene.status("Preparing")
    await asyncio.sleep(3)
    await scene.status("Available")
    await asyncio.sleep(10)
    assert scene.point.calls("RemoteStartTransaction") == []


@virtually
async def test_nobody_is_started_where_not_everybody_may_charge(scene: Scene) -> None:
    await scene.status("Preparing")
    await asyncio.sleep(60)
    assert scene.point.calls("RemoteStartTransaction") == []


@virtually
async def test_a_promise_ends_with_its_transaction(scene: Scene) -> None:
    await scene.status("Preparing")
    await scene.charger.provision_fallback(1, 0)
    transaction = await scene.start()
    assert await scene.order(16) is LimitOutcome.ACCEPTED
    before = len(scene.limits())
    await scene.point.stop(transaction)
    await scene.status("Available")
    await scene.status("Preparing")
    await scene.start()
    await asyncio.sleep(2)
    assert len(scene.limits()) == before
