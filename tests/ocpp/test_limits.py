"""How a charge point is made to hold a limit, and what is said of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from custom_components.charge_cluster.ocpp.conversation import (
    Afterwards,
    LimitAnsweredLate,
    LimitWish,
    Outcome,
    Terminals,
)

from .charge_point import ChargePoint, limits_of, sampled
from .stage import Stage, virtually


def wish(amps: float, fallback_a: float = 0.0) -> LimitWish:
    return LimitWish(amps=amps, fallback_a=fallback_a, validity_s=30)


def taking(good: Callable[[Any], bool], otherwise: Any = None) -> Callable[[Any], Any]:
    """Answer SetChargingProfile by what the profile is."""

    def answer(payload: Any) -> Any:
        return {"status": "Accepted"} if good(payload["csChargingProfiles"]) else otherwise or {"status": "Rejected"}

    return answer


def configured(**keys: str) -> Callable[[Any], Any]:
    entries = [{"key": key, "readonly": True, "value": value} for key, value in keys.items()]
    return lambda _: {"configurationKey": entries}


async def charging(stage: Stage, **answers: Callable[[Any], Any]) -> tuple[ChargePoint, int]:
    point = await stage.booted(**answers)
    await point.status(1, "Charging")
    return point, await point.start()


@virtually
async def test_a_running_transaction_gets_a_profile_of_its_own(stage: Stage) -> None:
    point, transaction = await charging(stage)
    assert await stage.conversation.hold_limit(1, wish(10.25, 6)) is Outcome.ACCEPTED
    (profile,) = point.profiles("TxProfile")
    assert profile["transactionId"] == transaction
    assert [limit for _, limit in limits_of(profile)] == [10.2, 6.0]
    assert "duration" not in profile["chargingSchedule"]
    assert "validTo" not in profile


@virtually
async def test_a_renewal_overwrites_and_nothing_is_cleared(stage: Stage) -> None:
    point, _ = await charging(stage)
    for amps in (10, 12, 12):
        await stage.conversation.hold_limit(1, wish(amps))
    ids = {(p["chargingProfileId"], p["stackLevel"]) for p in point.profiles("TxProfile")}
    assert len(ids) == 1
    assert len(point.profiles("TxProfile")) == 3
    assert point.calls("ClearChargingProfile") == []


@virtually
async def test_the_start_of_a_limit_is_in_the_chargers_own_time(stage: Stage) -> None:
    point = await stage.booted()
    point.clock_error_s = 86_400
    await point.status(1, "Charging")
    await point.start()
    await stage.conversation.hold_limit(1, wish(10))
    start = point.profiles("TxProfile")[0]["chargingSchedule"]["startSchedule"]
    assert start[:16] == point.stamp(ago_s=2)[:16] or start[:16] == point.stamp(ago_s=5)[:16]


@virtually
async def test_an_idle_connector_with_its_fallback_stored_needs_no_word(stage: Stage) -> None:
    point = await stage.booted()
    await point.status(1, "Preparing")
    assert await stage.conversation.store_fallback(1, 6) is Outcome.ACCEPTED
    writes = len(point.calls("SetChargingProfile"))
    assert await stage.conversation.hold_limit(1, wish(6, 6)) is Outcome.ACCEPTED
    assert await stage.conversation.hold_limit(1, wish(16, 6)) is Outcome.ACCEPTED
    assert len(point.calls("SetChargingProfile")) == writes


@virtually
async def test_an_idle_connector_is_held_below_its_fallback_by_a_default_profile_written_rarely(stage: Stage) -> None:
    point = await stage.booted()
    await point.status(1, "Preparing")
    await stage.conversation.store_fallback(1, 6)
    for _ in range(30):
        assert await stage.conversation.hold_limit(1, wish(0, 6)) is Outcome.ACCEPTED
        await asyncio.sleep(10)
    above = [profile for profile in point.profiles("TxDefaultProfile") if profile["stackLevel"] > 0]
    assert len(above) == 1
    assert [limit for _, limit in limits_of(above[0])] == [0, 6]


@virtually
async def test_without_a_known_fallback_an_idle_connector_is_held_at_it(stage: Stage) -> None:
    point = await stage.booted()
    await point.status(1, "Preparing")
    assert await stage.conversation.hold_limit(1, wish(16, 6)) is Outcome.ACCEPTED
    (profile,) = point.profiles("TxDefaultProfile")
    assert [limit for _, limit in limits_of(profile)] == [6, 6]


@virtually
async def test_an_idle_connector_that_cannot_be_held_lower_is_not_said_to_be(stage: Stage) -> None:
    point = await stage.booted(GetConfiguration=configured(ChargeProfileMaxStackLevel="0"))
    await point.status(1, "Preparing")
    await stage.conversation.store_fallback(1, 6)
    assert await stage.conversation.hold_limit(1, wish(0, 6)) is Outcome.REFUSED


@virtually
async def test_a_transaction_that_nobody_told_of_proves_nothing(stage: Stage) -> None:
    point = await stage.booted()
    await point.status(1, "Charging")
    await stage.conversation.store_fallback(1, 0)
    assert await stage.conversation.hold_limit(1, wish(10)) is Outcome.UNKNOWN


@virtually
async def test_a_transaction_under_an_id_of_the_chargers_own_is_limited_under_it(stage: Stage) -> None:
    point = await stage.booted()
    stage.journal.broken = True
    await point.status(1, "Charging")
    await point.measure(sampled(L1=16), transaction_id=4711)
    assert await stage.conversation.hold_limit(1, wish(10)) is Outcome.ACCEPTED
    assert point.profiles("TxProfile")[0]["transactionId"] == 4711


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"status": "Accepted"}, Outcome.ACCEPTED),
        ({"status": "Rejected"}, Outcome.REFUSED),
        ({"status": "NotSupported"}, Outcome.REFUSED),
        ("NotImplemented", Outcome.REFUSED),
        ("PropertyConstraintViolation", Outcome.REFUSED),
        ("InternalError", Outcome.UNKNOWN),
        ("VendorTrouble", Outcome.UNKNOWN),
        ({"status": "Perhaps"}, Outcome.UNKNOWN),
        ({}, Outcome.UNKNOWN),
    ],
    ids=str,
)
def test_only_a_clear_answer_is_taken_for_one(answer: Any, outcome: Outcome) -> None:
    @virtually
    async def story(stage: Stage) -> None:
        await charging(stage, SetChargingProfile=lambda _: answer)
        assert await stage.conversation.hold_limit(1, wish(10)) is outcome

    story()


@virtually
async def test_a_charger_that_takes_watts_only_is_found_out_and_remembered(stage: Stage) -> None:
    point, _ = await charging(
        stage, SetChargingProfile=taking(lambda p: p["chargingSchedule"]["chargingRateUnit"] == "W")
    )
    assert await stage.conversation.hold_limit(1, wish(10)) is Outcome.ACCEPTED
    tried = len(point.calls("SetChargingProfile"))
    assert await stage.conversation.hold_limit(1, wish(12)) is Outcome.ACCEPTED
    assert len(point.calls("SetChargingProfile")) == tried + 1
    # One phase is all that is proved, at the lowest voltage.
    assert limits_of(point.profiles("TxProfile")[-1])[0][1] == pytest.approx(12 * 216.2, abs=0.1)


@virtually
async def test_a_charger_that_has_not_taken_in_its_transaction_yet_is_asked_again_in_the_same_words(
    stage: Stage,
) -> None:
    point, transaction = await charging(stage)
    hasty = iter([{"status": "Rejected"}])
    point.answers["SetChargingProfile"] = lambda _: next(hasty, {"status": "Accepted"})
    assert await stage.conversation.hold_limit(1, wish(10)) is Outcome.ACCEPTED
    first, second = point.profiles("TxProfile")
    assert first["transactionId"] == second["transactionId"] == transaction
    assert first["chargingSchedule"]["chargingRateUnit"] == second["chargingSchedule"]["chargingRateUnit"] == "A"
    assert first["stackLevel"] == second["stackLevel"]


@virtually
async def test_a_charger_that_took_amps_once_is_never_told_watts(stage: Stage) -> None:
    point, _ = await charging(stage)
    assert await stage.conversation.store_fallback(1, 6.0) is Outcome.ACCEPTED
    point.answers["SetChargingProfile"] = lambda _: {"status": "Rejected"}
    assert await stage.conversation.hold_limit(1, wish(10, 6)) is Outcome.REFUSED
    assert {
        p["csChargingProfiles"]["chargingSchedule"]["chargingRateUnit"] for p in point.calls("SetChargingProfile")
    } == {"A"}


@virtually
async def test_a_charger_that_says_watts_is_told_watts_at_once(stage: Stage) -> None:
    point, _ = await charging(
        stage,
        GetConfiguration=configured(ChargingScheduleAllowedChargingRateUnit="Power", MeterValueSampleInterval="10"),
    )
    await stage.conversation.hold_limit(1, wish(10))
    assert [p["chargingSchedule"]["chargingRateUnit"] for p in point.profiles("TxProfile")] == ["W"]


@virtually
async def test_watts_count_for_three_phases_once_three_were_measured(stage: Stage) -> None:
    point, transaction = await charging(stage, GetConfiguration=configured(ChargingScheduleAllowedChargingRateUnit="W"))
    await point.measure(sampled(L1=8, L2=8, L3=8), transaction_id=transaction)
    await stage.conversation.hold_limit(1, wish(10))
    assert limits_of(point.profiles("TxProfile")[-1])[0][1] == pytest.approx(3 * 10 * 216.2, abs=0.1)
    await point.stop(transaction)
    await point.start(meter=2000)
    await stage.conversation.hold_limit(1, wish(10))
    assert limits_of(point.profiles("TxProfile")[-1])[0][1] == pytest.approx(10 * 216.2, abs=0.1)


@virtually
async def test_a_stack_level_that_is_refused_is_lowered(stage: Stage) -> None:
    point, _ = await charging(
        stage, SetChargingProfile=taking(lambda p: p["stackLevel"] == 0, "PropertyConstraintViolation")
    )
    assert await stage.conversation.hold_limit(1, wish(10)) is Outcome.ACCEPTED
    assert point.profiles("TxProfile")[-1]["stackLevel"] == 0


@virtually
async def test_a_charger_that_knows_default_profiles_only_is_limited_by_them(stage: Stage) -> None:
    point, _ = await charging(
        stage, SetChargingProfile=taking(lambda p: p["chargingProfilePurpose"] == "TxDefaultProfile")
    )
    assert await stage.conversation.hold_limit(1, wish(10, 6)) is Outcome.ACCEPTED
    last = point.profiles("TxDefaultProfile")[-1]
    assert [limit for _, limit in limits_of(last)] == [10, 6]
    assert "transactionId" not in last


@virtually
async def test_each_transaction_is_worth_a_new_trial_of_a_profile_of_its_own(stage: Stage) -> None:
    point, transaction = await charging(
        stage, SetChargingProfile=taking(lambda p: p["chargingProfilePurpose"] == "TxDefaultProfile")
    )
    assert await stage.conversation.hold_limit(1, wish(10)) is Outcome.ACCEPTED
    refused = len(point.profiles("TxProfile"))
    assert await stage.conversation.hold_limit(1, wish(12)) is Outcome.ACCEPTED
    assert len(point.profiles("TxProfile")) == refused
    await point.stop(transaction)
    point.answers["SetChargingProfile"] = lambda _: {"status": "Accepted"}
    following = await point.start(meter=2000)
    assert await stage.conversation.hold_limit(1, wish(14)) is Outcome.ACCEPTED
    assert point.profiles("TxProfile")[-1]["transactionId"] == following


@virtually
async def test_a_default_profile_is_no_way_out_once_the_transaction_has_its_own(stage: Stage) -> None:
    point, _ = await charging(stage)
    await stage.conversation.hold_limit(1, wish(16))
    point.answers["SetChargingProfile"] = taking(lambda p: p["chargingProfilePurpose"] == "TxDefaultProfile")
    assert await stage.conversation.hold_limit(1, wish(6)) is Outcome.REFUSED
    assert point.profiles("TxDefaultProfile") == []


@virtually
async def test_a_charger_that_refuses_everything_is_not_flooded(stage: Stage) -> None:
    point, _ = await charging(stage, SetChargingProfile=lambda _: {"status": "Rejected"})
    for _ in range(6):
        assert await stage.conversation.hold_limit(1, wish(10)) is Outcome.REFUSED
        await asyncio.sleep(5)
    ladder = len(point.profiles("TxProfile")) + len(point.profiles("TxDefaultProfile")) - 5
    assert ladder <= 7


@virtually
async def test_a_newer_wish_replaces_an_older_one_that_waits(stage: Stage) -> None:
    point, _ = await charging(stage)
    point.silent_on = {"GetConfiguration"}
    blocking = asyncio.ensure_future(stage.conversation._ask("GetConfiguration", {}))
    await stage.settle()
    old = asyncio.ensure_future(stage.conversation.hold_limit(1, wish(16)))
    await stage.settle()
    new = asyncio.ensure_future(stage.conversation.hold_limit(1, wish(6)))
    await asyncio.wait([blocking, old, new])
    assert (old.result(), new.result()) == (Outcome.NOT_SENT, Outcome.ACCEPTED)
    assert [limits_of(profile)[0][1] for profile in point.profiles("TxProfile")] == [6]
    assert blocking.exception() is not None


@virtually
async def test_an_older_wish_does_not_try_again_after_a_newer_one(stage: Stage) -> None:
    point, _ = await charging(stage)
    point.silent_on = {"SetChargingProfile"}
    old = asyncio.ensure_future(stage.conversation.hold_limit(1, wish(16)))
    await point.was_asked("SetChargingProfile")
    point.silent_on = set()
    new = asyncio.ensure_future(stage.conversation.hold_limit(1, wish(6)))
    await stage.settle()
    await point.answer_late({"status": "Rejected"})
    await asyncio.wait([old, new])
    assert (old.result(), new.result()) == (Outcome.NOT_SENT, Outcome.ACCEPTED)
    assert [limits_of(profile)[0][1] for profile in point.profiles("TxProfile")] == [16, 6]


@virtually
async def test_an_answer_that_comes_late_is_reported(stage: Stage) -> None:
    point, _ = await charging(stage)
    point.silent_on = {"SetChargingProfile", "GetConfiguration"}
    assert await stage.conversation.hold_limit(1, wish(16)) is Outcome.UNKNOWN
    await point.answer_late({"status": "Accepted"})
    await stage.settle()
    assert stage.heard(LimitAnsweredLate) == [LimitAnsweredLate(connector=1, limit_a=16, accepted=True)]
    assert stage.is_online()


@virtually
async def test_an_ended_connection_leaves_an_answer_unknown(stage: Stage) -> None:
    point, _ = await charging(stage)
    point.silent_on = {"SetChargingProfile"}
    order = asyncio.ensure_future(stage.conversation.hold_limit(1, wish(16)))
    await point.was_asked("SetChargingProfile")
    await stage.hang_up(point)
    assert await order is Outcome.UNKNOWN


@virtually
async def test_the_fallback_is_written_once(stage: Stage) -> None:
    point = await stage.booted()
    for _ in range(3):
        assert await stage.conversation.store_fallback(1, 6) is Outcome.ACCEPTED
    (profile,) = point.profiles("TxDefaultProfile")
    assert (profile["stackLevel"], limits_of(profile)) == (0, [(0, 6)])
    assert await stage.conversation.store_fallback(1, 0) is Outcome.ACCEPTED
    assert len(point.profiles("TxDefaultProfile")) == 2


@virtually
async def test_a_fallback_that_the_charger_shows_is_not_written(stage: Stage) -> None:
    def shown(payload: Any) -> Any:
        schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]}
        return {"status": "Accepted", "connectorId": payload["connectorId"], "chargingSchedule": schedule}

    point = await stage.booted(GetCompositeSchedule=shown)
    assert await stage.conversation.store_fallback(1, 6) is Outcome.ACCEPTED
    assert point.calls("SetChargingProfile") == []
    assert await stage.conversation.store_fallback(1, 0) is Outcome.ACCEPTED
    assert len(point.calls("SetChargingProfile")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "Accepted"},
        {"status": "Accepted", "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": []}},
        {
            "status": "Accepted",
            "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"limit": -1}]},
        },
        {
            "status": "Accepted",
            "chargingSchedule": {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"limit": 6}]},
        },
        {"status": "Accepted", "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": ["x"]}},
    ],
    ids=str,
)
def test_an_odd_composite_schedule_proves_no_fallback(answer: Any) -> None:
    @virtually
    async def story(stage: Stage) -> None:
        point = await stage.booted(GetCompositeSchedule=lambda _: answer)
        assert await stage.conversation.store_fallback(1, 6) is Outcome.ACCEPTED
        assert len(point.calls("SetChargingProfile")) == 1

    story()


@virtually
async def test_after_a_reboot_the_fallback_is_found_out_again(stage: Stage) -> None:
    point = await stage.booted()
    await stage.conversation.store_fallback(1, 6)
    await point.boot()
    await stage.settle()
    await stage.conversation.store_fallback(1, 6)
    assert len(point.profiles("TxDefaultProfile")) == 2


@virtually
async def test_a_relative_fallback_that_is_refused_is_written_absolute(stage: Stage) -> None:
    point = await stage.booted(SetChargingProfile=taking(lambda p: p["chargingProfileKind"] == "Absolute"))
    assert await stage.conversation.store_fallback(1, 6) is Outcome.ACCEPTED
    assert point.profiles("TxDefaultProfile")[-1]["chargingSchedule"]["startSchedule"].startswith("2020")


@virtually
async def test_a_quirk_limits_by_default_profiles_from_the_beginning(stage: Stage) -> None:
    stage.conversation.limit_by_default_profile(wanted=True)
    point, _ = await charging(stage)
    await stage.conversation.hold_limit(1, wish(10))
    assert point.profiles("TxProfile") == []
    assert [limit for _, limit in limits_of(point.profiles("TxDefaultProfile")[-1])] == [10, 0]


@virtually
async def test_a_single_phase_connector_is_told_one_phase(stage: Stage) -> None:
    stage.conversation.describe(Terminals(connector=1, phases=1))
    point, _ = await charging(stage)
    await stage.conversation.hold_limit(1, wish(10))
    periods = point.profiles("TxProfile")[0]["chargingSchedule"]["chargingSchedulePeriod"]
    assert {period["numberPhases"] for period in periods} == {1}


def periods_of(point: ChargePoint) -> list[tuple[float, int | None]]:
    """Return limit and number of phases of each period of the newest profile of a transaction."""
    schedule = point.profiles("TxProfile")[-1]["chargingSchedule"]
    return [(period["limit"], period.get("numberPhases")) for period in schedule["chargingSchedulePeriod"]]


@virtually
async def test_a_limit_for_one_phase_says_so_and_its_fallback_is_for_all(stage: Stage) -> None:
    point, _ = await charging(stage)
    await stage.conversation.hold_limit(1, LimitWish(amps=10, fallback_a=6, validity_s=30, phases=1))
    assert periods_of(point) == [(10, 1), (6, 3)]
    await stage.conversation.hold_limit(1, wish(10, 6))
    assert periods_of(point) == [(10, 3), (6, 3)]


@virtually
async def test_what_was_seen_of_phases_holds_no_more_after_a_limit_for_one_phase(stage: Stage) -> None:
    point, transaction = await charging(stage, GetConfiguration=configured(ChargingScheduleAllowedChargingRateUnit="W"))
    await point.measure(sampled(L1=10.0, L2=10.0, L3=10.0), 1, transaction)
    await stage.conversation.hold_limit(1, wish(10))
    on_three = periods_of(point)[0][0]
    await stage.conversation.hold_limit(1, LimitWish(amps=10, fallback_a=0, validity_s=30, phases=1))
    await stage.conversation.hold_limit(1, wish(10))
    assert periods_of(point)[0][0] * 3 == pytest.approx(on_three, abs=0.3)


@virtually
async def test_nobody_is_asked_who_is_not_there(stage: Stage) -> None:
    assert await stage.conversation.hold_limit(1, wish(10)) is Outcome.NOT_SENT
    assert await stage.conversation.store_fallback(1, 6) is Outcome.NOT_SENT


# A charger that holds one period in a profile -------------------------------------------------------------------------


def wish_with_plan(stage: Stage) -> LimitWish:
    """Return a limit behind which a charger is to wait for two hours, and then to have its fallback."""
    now = stage.clock.time()
    plan = (Afterwards(now - 60.0, 0.0), Afterwards(now + 7200.0, 6.0))
    return LimitWish(amps=16, fallback_a=6, validity_s=30, afterwards=plan)


@virtually
async def test_a_plan_is_handed_over_to_who_holds_so_many_periods(stage: Stage) -> None:
    """The charge point checks what it is sent by the schema."""
    point, _ = await charging(stage, GetConfiguration=configured(ChargingScheduleMaxPeriods="6"))
    assert await stage.conversation.hold_limit(1, wish_with_plan(stage)) is Outcome.ACCEPTED
    (profile,) = point.profiles("TxProfile")
    assert [limit for _, limit in limits_of(profile)] == [16, 0, 6]
    assert limits_of(profile)[-1][0] >= 7200


@virtually
async def test_a_limit_goes_before_the_plan_behind_it(stage: Stage) -> None:
    """One that says that it holds six periods and takes two has its limit at once, and is not asked again."""
    taken = taking(lambda profile: len(profile["chargingSchedule"]["chargingSchedulePeriod"]) <= 2)
    keys = configured(ChargingScheduleMaxPeriods="6")
    point, _ = await charging(stage, GetConfiguration=keys, SetChargingProfile=taken)
    for _ in range(3):
        assert await stage.conversation.hold_limit(1, wish_with_plan(stage)) is Outcome.ACCEPTED
    sent = [[limit for _, limit in limits_of(profile)] for profile in point.profiles("TxProfile")]
    assert sent == [[16, 0, 6], [16, 6], [16, 6], [16, 6]]


ONE_PERIOD = configured(ChargingScheduleMaxPeriods="1")


@virtually
async def test_where_one_period_is_all_a_second_profile_above_the_limit_takes_over_at_its_end(stage: Stage) -> None:
    point, transaction = await charging(stage, GetConfiguration=ONE_PERIOD)
    assert await stage.conversation.hold_limit(1, wish(16, 6)) is Outcome.ACCEPTED
    end, limit = point.profiles("TxProfile")
    assert (limits_of(limit), limits_of(end)) == ([(0, 16.0)], [(0, 6.0)])
    assert limit["transactionId"] == end["transactionId"] == transaction
    assert end["stackLevel"] == limit["stackLevel"] + 1
    assert end["chargingProfileId"] != limit["chargingProfileId"]
    assert end["validFrom"] == end["chargingSchedule"]["startSchedule"]
    assert end["validFrom"][:19] == point.stamp(ago_s=-30)[:19]


@virtually
async def test_a_renewal_puts_the_end_off_before_it_raises_the_limit(stage: Stage) -> None:
    point, _ = await charging(stage, GetConfiguration=ONE_PERIOD)
    await stage.conversation.hold_limit(1, wish(10, 6))
    await asyncio.sleep(10)
    await stage.conversation.hold_limit(1, wish(16, 6))
    ends = [profile["validFrom"] for profile in point.profiles("TxProfile") if "validFrom" in profile]
    assert [("validFrom" in profile) for profile in point.profiles("TxProfile")] == [True, False, True, False]
    assert ends[1] > ends[0]
    assert len({(p["chargingProfileId"], p["stackLevel"]) for p in point.profiles("TxProfile")}) == 2


@virtually
async def test_a_limit_whose_end_is_not_known_to_be_taken_does_not_go_out(stage: Stage) -> None:
    point, _ = await charging(stage, GetConfiguration=ONE_PERIOD)
    point.answers["SetChargingProfile"] = lambda _: "InternalError"
    assert await stage.conversation.hold_limit(1, wish(16, 6)) is Outcome.UNKNOWN
    assert ["validFrom" in profile for profile in point.profiles("TxProfile")] == [True]


@virtually
async def test_the_end_is_within_the_levels_that_the_charger_has(stage: Stage) -> None:
    keys = configured(ChargingScheduleMaxPeriods="1", ChargeProfileMaxStackLevel="2")
    point, _ = await charging(stage, GetConfiguration=keys)
    assert await stage.conversation.hold_limit(1, wish(16, 6)) is Outcome.ACCEPTED
    assert [profile["stackLevel"] for profile in point.profiles("TxProfile")] == [2, 1]


@virtually
async def test_a_limit_that_cannot_end_is_never_above_the_fallback(stage: Stage) -> None:
    keys = configured(ChargingScheduleMaxPeriods="1", ChargeProfileMaxStackLevel="0")
    point, _ = await charging(stage, GetConfiguration=keys)
    assert await stage.conversation.hold_limit(1, wish(16, 6)) is Outcome.ACCEPTED
    assert await stage.conversation.hold_limit(1, wish(0, 6)) is Outcome.ACCEPTED
    assert [limits_of(profile) for profile in point.profiles("TxProfile")] == [[(0, 6.0)], [(0, 0.0)]]


@virtually
async def test_a_charger_that_refuses_a_profile_for_later_is_kept_at_its_fallback(stage: Stage) -> None:
    point, _ = await charging(
        stage, GetConfiguration=ONE_PERIOD, SetChargingProfile=taking(lambda profile: "validFrom" not in profile)
    )
    assert await stage.conversation.hold_limit(1, wish(16, 6)) is Outcome.ACCEPTED
    assert [limits_of(p) for p in point.profiles("TxProfile") if "validFrom" not in p] == [[(0, 6.0)]]


@virtually
async def test_an_idle_connector_is_held_below_its_fallback_by_a_single_period(stage: Stage) -> None:
    point = await stage.booted(GetConfiguration=ONE_PERIOD)
    await point.status(1, "Preparing")
    await stage.conversation.store_fallback(1, 6)
    assert await stage.conversation.hold_limit(1, wish(0, 6)) is Outcome.ACCEPTED
    above = [profile for profile in point.profiles("TxDefaultProfile") if profile["stackLevel"] > 0]
    assert [limits_of(profile) for profile in above] == [[(0, 0.0)]]


@virtually
async def test_a_charger_with_two_periods_has_no_maximum_of_three(stage: Stage) -> None:
    keys = configured(NumberOfConnectors="1", ChargingScheduleMaxPeriods="2")
    point, _ = await charging(stage, GetConfiguration=keys)
    for _ in range(5):
        assert await stage.conversation.hold_limit(1, reworded(16)) is Outcome.ACCEPTED
    assert point.profiles("ChargePointMaxProfile") == []
    assert {len(limits_of(profile)) for profile in point.profiles("TxProfile")} == {2}


# A charger that does not obey -----------------------------------------------------------------------------------------


def reworded(amps: float, fallback_a: float = 6.0) -> LimitWish:
    return LimitWish(amps=amps, fallback_a=fallback_a, validity_s=30, reworded=True)


ONE_CONNECTOR = configured(NumberOfConnectors="1")


@virtually
async def test_what_is_not_obeyed_in_amps_is_said_in_watts_and_stays_so(stage: Stage) -> None:
    point, _ = await charging(stage)
    assert await stage.conversation.hold_limit(1, wish(16, 6)) is Outcome.ACCEPTED
    assert await stage.conversation.hold_limit(1, reworded(10)) is Outcome.ACCEPTED
    assert await stage.conversation.hold_limit(1, wish(8, 6)) is Outcome.ACCEPTED
    profiles = point.profiles("TxProfile")
    assert [profile["chargingSchedule"]["chargingRateUnit"] for profile in profiles] == ["A", "W", "W"]
    # Nobody knows on how many phases it draws: the watts are safe on one.
    assert limits_of(profiles[1])[0][1] == pytest.approx(10 * 216.2, abs=0.1)
    assert len({(profile["chargingProfileId"], profile["stackLevel"]) for profile in profiles}) == 1
    assert point.calls("ClearChargingProfile") == []


@virtually
async def test_watts_are_those_of_the_phases_that_are_proved(stage: Stage) -> None:
    point, transaction = await charging(stage)
    await point.measure(sampled(L1=16, L2=16, L3=16), transaction_id=transaction)
    await stage.conversation.hold_limit(1, wish(16, 6))
    await stage.conversation.hold_limit(1, reworded(10))
    assert limits_of(point.profiles("TxProfile")[-1])[0][1] == pytest.approx(3 * 10 * 216.2, abs=0.1)


@virtually
async def test_the_next_form_is_a_default_profile_beside_the_usual_one_never_above_the_fallback(stage: Stage) -> None:
    point, _ = await charging(stage)
    await stage.conversation.store_fallback(1, 6)
    await stage.conversation.hold_limit(1, wish(16, 6))
    for _ in range(2):
        assert await stage.conversation.hold_limit(1, reworded(16)) is Outcome.ACCEPTED
    above = [profile for profile in point.profiles("TxDefaultProfile") if profile["stackLevel"] > 0]
    assert [limits_of(profile)[0][1] for profile in above] == [6.0]
    last = point.profiles("TxProfile")[-1]
    assert last["chargingSchedule"]["chargingRateUnit"] == "A"
    assert limits_of(last)[0][1] == 16.0


@virtually
async def test_a_default_profile_that_stands_is_not_written_with_every_renewal(stage: Stage) -> None:
    point, _ = await charging(stage, GetConfiguration=configured(ChargingScheduleAllowedChargingRateUnit="Current"))
    await stage.conversation.store_fallback(1, 10)
    await stage.conversation.hold_limit(1, reworded(6, 10))
    for amps in (6, 6, 6, 6.5, 6.9, 6, 6):
        await stage.conversation.hold_limit(1, wish(amps, 10))
        await asyncio.sleep(10)
    above = [profile for profile in point.profiles("TxDefaultProfile") if profile["stackLevel"] > 0]
    assert [limits_of(profile)[0][1] for profile in above] == [6.0]
    await stage.conversation.hold_limit(1, wish(9, 10))
    await stage.conversation.hold_limit(1, wish(0, 10))
    above = [profile for profile in point.profiles("TxDefaultProfile") if profile["stackLevel"] > 0]
    assert [limits_of(profile)[0][1] for profile in above] == [6.0, 9.0, 0.0]
    assert len(point.profiles("TxProfile")) == 10


@virtually
async def test_the_maximum_of_a_charge_point_is_a_last_form_where_it_has_one_connector(stage: Stage) -> None:
    point, _ = await charging(stage, GetConfiguration=ONE_CONNECTOR)
    await stage.conversation.store_fallback(1, 6)
    for _ in range(3):
        assert await stage.conversation.hold_limit(1, reworded(16)) is Outcome.ACCEPTED
    (maximum,) = point.profiles("ChargePointMaxProfile")
    assert [payload["connectorId"] for payload in point.calls("SetChargingProfile")][-1] == 0
    assert [limit for _, limit in limits_of(maximum)] == [6.0, 6.0, 32.0]
    # It ends by itself, should nobody take it back.
    assert limits_of(maximum)[-1][0] >= 86_400


@virtually
async def test_a_maximum_that_is_not_obeyed_either_is_taken_back_and_all_is_as_usual(stage: Stage) -> None:
    point, _ = await charging(
        stage, GetConfiguration=ONE_CONNECTOR, ClearChargingProfile=lambda _: {"status": "Accepted"}
    )
    await stage.conversation.store_fallback(1, 6)
    for _ in range(4):
        await stage.conversation.hold_limit(1, reworded(16))
    (maximum,) = point.profiles("ChargePointMaxProfile")
    assert point.calls("ClearChargingProfile")[-1] == {"id": maximum["chargingProfileId"]}
    assert point.profiles("TxProfile")[-1]["chargingSchedule"]["chargingRateUnit"] == "A"


@virtually
async def test_a_charge_point_with_two_connectors_is_never_limited_as_a_whole(stage: Stage) -> None:
    point, _ = await charging(stage, GetConfiguration=configured(NumberOfConnectors="2"))
    for _ in range(5):
        await stage.conversation.hold_limit(1, reworded(16))
    assert point.profiles("ChargePointMaxProfile") == []


@virtually
async def test_a_form_that_is_refused_is_passed_over(stage: Stage) -> None:
    in_amps = taking(lambda profile: profile["chargingSchedule"]["chargingRateUnit"] == "A")
    point, _ = await charging(stage, SetChargingProfile=in_amps)
    await stage.conversation.hold_limit(1, wish(16, 6))
    assert await stage.conversation.hold_limit(1, reworded(6)) is Outcome.ACCEPTED
    assert point.profiles("TxDefaultProfile")[-1]["chargingSchedule"]["chargingRateUnit"] == "A"


@virtually
async def test_a_charger_that_knows_one_form_only_gets_that_again(stage: Stage) -> None:
    keys = configured(ChargingScheduleAllowedChargingRateUnit="Current", ChargeProfileMaxStackLevel="0")
    point, _ = await charging(stage, GetConfiguration=keys)
    await stage.conversation.hold_limit(1, wish(16, 6))
    assert await stage.conversation.hold_limit(1, reworded(6)) is Outcome.ACCEPTED
    assert [limits_of(profile)[0][1] for profile in point.profiles("TxProfile")] == [16.0, 6.0]


@virtually
async def test_the_form_is_remembered_over_transactions_and_forgotten_with_a_restart(stage: Stage) -> None:
    point, transaction = await charging(stage)
    await stage.conversation.hold_limit(1, reworded(10))
    await point.stop(transaction)
    await point.start()
    await stage.conversation.hold_limit(1, wish(10, 6))
    assert point.profiles("TxProfile")[-1]["chargingSchedule"]["chargingRateUnit"] == "W"
    writes = len(point.profiles("TxProfile"))
    await asyncio.sleep(60)
    await point.boot()
    await stage.settle()
    await point.start(meter=3000)
    assert await stage.conversation.hold_limit(1, wish(10, 6)) is Outcome.ACCEPTED
    assert [p["chargingSchedule"]["chargingRateUnit"] for p in point.profiles("TxProfile")[writes:]] == ["A"]


@virtually
async def test_an_idle_connector_has_no_form_to_try(stage: Stage) -> None:
    point = await stage.booted()
    await point.status(1, "Preparing")
    await stage.conversation.store_fallback(1, 6)
    await stage.conversation.hold_limit(1, reworded(16))
    await point.status(1, "Charging")
    await point.start()
    await stage.conversation.hold_limit(1, wish(10, 6))
    assert point.profiles("TxProfile")[-1]["chargingSchedule"]["chargingRateUnit"] == "A"


@virtually
async def test_profiles_are_counted_by_whether_they_outlive_their_transaction(stage: Stage) -> None:
    point, _ = await charging(stage)
    before = stage.conversation.profile_writes(1)
    for amps in (10, 12, 12):
        await stage.conversation.hold_limit(1, wish(amps))
    await stage.conversation.store_fallback(1, 6.0)
    # It is known to hold that one: nothing goes out.
    await stage.conversation.store_fallback(1, 6.0)
    after = stage.conversation.profile_writes(1)
    assert after.passing - before.passing == len(point.profiles("TxProfile")) == 3
    assert after.lasting - before.lasting == len(point.profiles("TxDefaultProfile")) == 1
    assert stage.conversation.profile_writes(2).passing == 0
