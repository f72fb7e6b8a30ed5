"""What charging profiles allow at a moment: purposes, stack levels, kinds, validity, units."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from simulator.profiles import (
    DAY_S,
    WEEK_S,
    CompositePeriod,
    ImpossibleProfile,
    Kind,
    Period,
    Profile,
    Purpose,
    RateUnit,
    Recurrency,
    Schedule,
    Stacks,
    Wiring,
    composite,
    limit_at,
    profile_of,
)

NOON = 1_790_000_000.0
WIRING = Wiring(maximum_a=32.0)


def a_profile(*limits: float | tuple[float, float], **changes: Any) -> Profile:
    """Return an absolute profile from noon with limits, each alone or with its start."""
    periods = tuple(
        Period(start_s=limit[0], limit=limit[1]) if isinstance(limit, tuple) else Period(start_s=0.0, limit=limit)
        for limit in limits
    )
    schedule = Schedule(
        unit=changes.pop("unit", RateUnit.AMPS),
        periods=periods,
        start=changes.pop("start", NOON),
        duration_s=changes.pop("duration_s", None),
        minimum_rate=changes.pop("minimum_rate", None),
    )
    facts: dict[str, Any] = {
        "profile_id": 1,
        "stack_level": 0,
        "purpose": Purpose.DEFAULT,
        "kind": Kind.ABSOLUTE,
        **changes,
    }
    return Profile(schedule=schedule, **facts)


def default(*profiles: Profile) -> Stacks:
    return Stacks(default=profiles)


def test_without_a_profile_the_hardware_is_the_limit() -> None:
    assert limit_at(Stacks(), NOON, WIRING) == 32.0


def test_a_profile_never_raises_the_limit_above_the_hardware() -> None:
    assert limit_at(default(a_profile(80.0)), NOON, WIRING) == 32.0


def test_the_two_period_wording_falls_back_by_itself() -> None:
    stacks = default(a_profile((0.0, 16.0), (30.0, 6.0)))
    assert [limit_at(stacks, NOON + s, WIRING) for s in (0.0, 29.9, 30.0, 1e6)] == [16.0, 16.0, 6.0, 6.0]


def test_before_its_start_an_absolute_schedule_says_nothing() -> None:
    assert limit_at(default(a_profile(10.0)), NOON - 0.1, WIRING) == 32.0


def test_an_absolute_schedule_without_a_start_begins_when_it_is_installed() -> None:
    stacks = default(a_profile((0.0, 10.0), (60.0, 12.0), start=None, installed_at=NOON))
    assert limit_at(stacks, NOON - 1.0, WIRING) == 32.0
    assert limit_at(stacks, NOON + 59.0, WIRING) == 10.0
    assert limit_at(stacks, NOON + 60.0, WIRING) == 12.0


class TestStacks:
    def test_the_highest_stack_level_rules(self) -> None:
        stacks = default(a_profile(10.0, stack_level=1), a_profile(20.0, stack_level=5), a_profile(8.0, stack_level=3))
        assert limit_at(stacks, NOON, WIRING) == 20.0

    def test_a_lower_level_rules_where_the_higher_is_not_valid_yet(self) -> None:
        stacks = default(a_profile(10.0), a_profile(20.0, stack_level=5, valid_from=NOON + 60.0))
        assert limit_at(stacks, NOON + 59.0, WIRING) == 10.0
        assert limit_at(stacks, NOON + 60.0, WIRING) == 20.0

    def test_a_lower_level_rules_again_once_the_higher_is_no_more_valid(self) -> None:
        stacks = default(a_profile(10.0), a_profile(20.0, stack_level=5, valid_to=NOON + 60.0))
        assert limit_at(stacks, NOON + 59.9, WIRING) == 20.0
        assert limit_at(stacks, NOON + 60.0, WIRING) == 10.0

    def test_a_lower_level_rules_again_once_the_duration_has_ended(self) -> None:
        stacks = default(a_profile(10.0), a_profile(20.0, stack_level=5, duration_s=60.0))
        assert limit_at(stacks, NOON + 60.0, WIRING) == 10.0

    def test_on_some_chargers_an_expired_schedule_leaves_no_limit(self) -> None:
        stacks = default(a_profile(10.0), a_profile(20.0, stack_level=5, duration_s=60.0))
        assert limit_at(stacks, NOON + 60.0, WIRING, expired_prevails=True) == 32.0

    def test_a_transaction_profile_replaces_the_default_upwards_too(self) -> None:
        stacks = Stacks(
            default=(a_profile(6.0, stack_level=7),),
            transaction=(a_profile(20.0, purpose=Purpose.TRANSACTION),),
            transaction_began=NOON,
        )
        assert limit_at(stacks, NOON, WIRING) == 20.0

    def test_without_a_transaction_its_profiles_say_nothing(self) -> None:
        stacks = Stacks(default=(a_profile(6.0),), transaction=(a_profile(20.0, purpose=Purpose.TRANSACTION),))
        assert limit_at(stacks, NOON, WIRING) == 6.0

    def test_where_a_transaction_profile_has_ended_the_default_rules_again(self) -> None:
        ends = a_profile(20.0, purpose=Purpose.TRANSACTION, duration_s=60.0)
        stacks = Stacks(default=(a_profile(6.0),), transaction=(ends,), transaction_began=NOON)
        assert limit_at(stacks, NOON + 61.0, WIRING) == 6.0

    @pytest.mark.parametrize(("station", "expected"), [(10.0, 10.0), (25.0, 20.0)])
    def test_the_station_maximum_bounds_whatever_else_is_allowed(self, station: float, expected: float) -> None:
        stacks = Stacks(
            station=(a_profile(station, purpose=Purpose.STATION),),
            transaction=(a_profile(20.0, purpose=Purpose.TRANSACTION),),
            transaction_began=NOON,
        )
        assert limit_at(stacks, NOON, WIRING) == expected


class TestKinds:
    def test_a_relative_schedule_counts_from_the_start_of_the_transaction(self) -> None:
        relative = a_profile((0.0, 16.0), (30.0, 6.0), kind=Kind.RELATIVE, purpose=Purpose.TRANSACTION)
        stacks = Stacks(transaction=(relative,), transaction_began=NOON)
        assert limit_at(stacks, NOON + 10.0, WIRING) == 16.0
        assert limit_at(stacks, NOON + 3600.0, WIRING) == 6.0

    def test_a_short_relative_schedule_in_mid_session_is_already_over(self) -> None:
        relative = a_profile(16.0, kind=Kind.RELATIVE, purpose=Purpose.TRANSACTION, duration_s=60.0)
        stacks = Stacks(default=(a_profile(6.0),), transaction=(relative,), transaction_began=NOON - 600.0)
        assert limit_at(stacks, NOON, WIRING) == 6.0

    def test_without_a_transaction_a_relative_schedule_would_begin_now(self) -> None:
        relative = a_profile((0.0, 16.0), (30.0, 6.0), kind=Kind.RELATIVE)
        assert limit_at(default(relative), NOON + 1e6, WIRING) == 16.0

    @pytest.mark.parametrize(("recurrency", "every"), [(Recurrency.DAILY, DAY_S), (Recurrency.WEEKLY, WEEK_S)])
    def test_a_recurring_schedule_begins_again(self, recurrency: Recurrency, every: float) -> None:
        recurring = a_profile((0.0, 8.0), (3600.0, 20.0), kind=Kind.RECURRING, recurrency=recurrency)
        stacks = default(recurring)
        for times in (0, 1, 5):
            assert limit_at(stacks, NOON + times * every, WIRING) == 8.0
            assert limit_at(stacks, NOON + times * every + 3600.0, WIRING) == 20.0
        assert limit_at(stacks, NOON - 1.0, WIRING) == 32.0

    def test_between_two_recurrences_a_schedule_with_a_duration_says_nothing(self) -> None:
        recurring = a_profile(8.0, kind=Kind.RECURRING, recurrency=Recurrency.DAILY, duration_s=3600.0)
        assert limit_at(default(recurring), NOON + DAY_S + 3600.0, WIRING) == 32.0


class TestUnits:
    @pytest.mark.parametrize(("phases", "amps"), [(3, 10.0), (1, 30.0)])
    def test_watts_are_the_sum_over_the_phases_of_the_connector(self, phases: int, amps: float) -> None:
        stacks = default(a_profile(6900.0, unit=RateUnit.WATTS))
        assert limit_at(stacks, NOON, Wiring(maximum_a=32.0, phases=phases)) == pytest.approx(amps)

    def test_a_period_for_fewer_phases_divides_by_those(self) -> None:
        profile = a_profile(6900.0, unit=RateUnit.WATTS)
        single = Profile(
            profile_id=1,
            stack_level=0,
            purpose=Purpose.DEFAULT,
            kind=Kind.ABSOLUTE,
            schedule=Schedule(
                unit=RateUnit.WATTS,
                periods=(Period(start_s=0.0, limit=6900.0, phases=1),),
                start=profile.schedule.start,
            ),
        )
        assert limit_at(default(single), NOON, WIRING) == pytest.approx(30.0)

    def test_amps_are_amps_on_each_phase(self) -> None:
        assert limit_at(default(a_profile(10.0)), NOON, Wiring(maximum_a=32.0, phases=1)) == 10.0

    def test_below_the_minimum_charging_rate_it_pauses(self) -> None:
        assert limit_at(default(a_profile(7.0, minimum_rate=8.0)), NOON, WIRING) == 0.0


class TestComposite:
    def test_layers_are_laid_over_each_other(self) -> None:
        stacks = Stacks(
            station=(a_profile((0.0, 25.0), (150.0, 12.0), purpose=Purpose.STATION),),
            default=(
                a_profile(10.0),
                a_profile((0.0, 20.0), (60.0, 14.0), stack_level=3, start=NOON + 30.0, duration_s=90.0),
            ),
        )
        assert composite(stacks, NOON, 300.0, WIRING) == tuple(
            CompositePeriod(start_s=start, amps=amps)
            for start, amps in ((0.0, 10.0), (30.0, 20.0), (90.0, 14.0), (120.0, 10.0))
        )

    def test_a_recurring_schedule_appears_as_often_as_it_recurs(self) -> None:
        recurring = a_profile(8.0, kind=Kind.RECURRING, recurrency=Recurrency.DAILY, duration_s=3600.0)
        periods = composite(default(recurring), NOON, 2 * DAY_S, WIRING)
        assert [(period.start_s, period.amps) for period in periods] == [
            (0.0, 8.0),
            (3600.0, 32.0),
            (DAY_S, 8.0),
            (DAY_S + 3600.0, 32.0),
        ]

    def test_a_validity_that_ends_inside_the_window_changes_the_limit(self) -> None:
        periods = composite(default(a_profile(8.0, valid_to=NOON + 45.0)), NOON, 100.0, WIRING)
        assert [(period.start_s, period.amps) for period in periods] == [(0.0, 8.0), (45.0, 32.0)]


steps = st.integers(0, 40).map(lambda tens: tens * 10.0)
maybe = st.none() | steps


@st.composite
def profiles(draw: st.DrawFn, purpose: Purpose) -> Profile:
    starts = sorted(draw(st.sets(steps, max_size=3)) | {0.0})
    periods = tuple(Period(start_s=start, limit=float(draw(st.integers(0, 40)))) for start in starts)
    kind = draw(st.sampled_from(Kind))
    valid_from, valid_to = draw(maybe), draw(maybe)
    return Profile(
        profile_id=draw(st.integers(1, 99)),
        stack_level=draw(st.integers(0, 4)),
        purpose=purpose,
        kind=kind,
        recurrency=Recurrency.DAILY if kind is Kind.RECURRING else None,
        valid_from=None if valid_from is None else NOON + valid_from,
        valid_to=None if valid_to is None else NOON + valid_to,
        installed_at=NOON,
        schedule=Schedule(
            unit=draw(st.sampled_from(RateUnit)),
            periods=periods,
            start=draw(st.none() | steps.map(lambda s: NOON + s - 200.0)),
            duration_s=draw(st.none() | steps.filter(bool)),
        ),
    )


def of(purpose: Purpose) -> st.SearchStrategy[tuple[Profile, ...]]:
    return st.lists(profiles(purpose), max_size=3).map(tuple)


all_stacks = st.builds(
    Stacks,
    station=of(Purpose.STATION),
    default=of(Purpose.DEFAULT),
    transaction=of(Purpose.TRANSACTION),
    transaction_began=st.none() | steps.map(lambda s: NOON + s - 300.0),
)


@given(stacks=all_stacks, elapsed=st.floats(0.0, 499.9))
def test_the_composite_says_at_every_moment_what_the_profiles_say(stacks: Stacks, elapsed: float) -> None:
    periods = composite(stacks, NOON, 500.0, WIRING)
    holding = [period for period in periods if period.start_s <= elapsed][-1]
    assert holding.amps == limit_at(stacks, NOON + holding.start_s, WIRING, reference=NOON)
    assert holding.amps == limit_at(stacks, NOON + elapsed, WIRING, reference=NOON)


@given(stacks=all_stacks, elapsed=steps)
def test_nothing_allows_more_than_the_hardware_or_less_than_nothing(stacks: Stacks, elapsed: float) -> None:
    assert 0.0 <= limit_at(stacks, NOON + elapsed, WIRING) <= 32.0


def a_payload(**changes: Any) -> dict[str, Any]:
    return {
        "chargingProfileId": 7,
        "stackLevel": 2,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
        "transactionId": 12,
        "validTo": "2026-11-23T13:00:00Z",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "startSchedule": "2026-11-23T12:00:00Z",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}, {"startPeriod": 30, "limit": 6.0}],
        },
        **changes,
    }


def test_a_payload_is_read_whole() -> None:
    profile = profile_of(a_payload(), installed_at=5.0)
    assert (profile.profile_id, profile.stack_level, profile.transaction_id) == (7, 2, 12)
    assert profile.purpose is Purpose.TRANSACTION
    assert profile.schedule.start == 1_795_435_200.0
    assert profile.valid_to == 1_795_438_800.0
    assert [(period.start_s, period.limit) for period in profile.schedule.periods] == [(0.0, 16.0), (30.0, 6.0)]


def with_schedule(**changes: Any) -> dict[str, Any]:
    return a_payload(chargingSchedule={**a_payload()["chargingSchedule"], **changes})


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (None, "TypeConstraintViolation"),
        ({}, "OccurenceConstraintViolation"),
        (a_payload(stackLevel="high"), "TypeConstraintViolation"),
        (a_payload(stackLevel=True), "TypeConstraintViolation"),
        (a_payload(stackLevel=1.5), "TypeConstraintViolation"),
        (a_payload(chargingProfilePurpose="Fun"), "PropertyConstraintViolation"),
        (a_payload(chargingProfileKind="Recurring"), "OccurenceConstraintViolation"),
        (a_payload(validTo="tomorrow"), "FormationViolation"),
        (with_schedule(chargingSchedulePeriod=[]), "OccurenceConstraintViolation"),
        (with_schedule(chargingSchedulePeriod=[{"startPeriod": 5, "limit": 6}]), "PropertyConstraintViolation"),
        (with_schedule(chargingRateUnit="kW"), "PropertyConstraintViolation"),
    ],
)
def test_a_broken_payload_is_refused_with_the_code_for_it(payload: object, code: str) -> None:
    with pytest.raises(ImpossibleProfile) as refused:
        profile_of(payload, installed_at=0.0)
    assert refused.value.code == code
