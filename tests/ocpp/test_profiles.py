"""The wording of limits."""

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.ocpp.conversation import Afterwards, LimitWish, Terminals
from custom_components.charge_cluster.ocpp.profiles import (
    ChargingProfile,
    Kind,
    ProfileAbilities,
    Purpose,
    RateUnit,
    Wording,
    fallback_wordings,
    permanent_profile,
    sendable_amps,
    start_wordings,
    temporary_profile,
    transaction_wordings,
)
from custom_components.charge_cluster.ocpp.times import ClockOffset, read_stamp
from custom_components.charge_cluster.ocpp.voltages import LOWEST_V

NOW = 1_795_000_000.0
CONNECTOR = Terminals(connector=2, phases=3, minimum_a=6, maximum_a=32)
TX = Wording(purpose=Purpose.TRANSACTION, level=2, unit=RateUnit.AMPS)
SURE = ClockOffset(offset_s=0, uncertainty_s=2)


def worded(
    amps: float,
    *,
    fallback_a: float = 0,
    wording: Wording = TX,
    offset: ClockOffset = SURE,
    proved_phases: int = 1,
    validity_s: float = 30,
    phases: int | None = None,
) -> ChargingProfile:
    return temporary_profile(
        LimitWish(amps=amps, fallback_a=fallback_a, validity_s=validity_s, phases=phases),
        wording,
        CONNECTOR,
        now=NOW,
        offset=offset,
        proved_phases=proved_phases,
        transaction=7,
    )


def at(profile: ChargingProfile, charger_time: float) -> float:
    """Return the limit that a conforming charger applies at a time of its own clock."""
    start = read_stamp(profile.starts_at)
    assert start is not None
    assert charger_time >= start, "the profile is not active yet"
    return [period.limit for period in profile.periods if start + period.start_s <= charger_time][-1]


def test_a_limit_passes_into_its_fallback_after_the_validity() -> None:
    profile = worded(16, fallback_a=6)
    assert [at(profile, NOW + s) for s in (0, 29, 31)] == [16, 16, 6]


SIX = ProfileAbilities(max_periods=6)
NIGHT = (Afterwards(NOW - 600.0, 0.0), Afterwards(NOW + 7200.0, 6.0), Afterwards(NOW + 9000.0, 0.0))


def planned(
    *,
    fallback_a: float = 6.0,
    wording: Wording = TX,
    abilities: ProfileAbilities = SIX,
    night: tuple[Afterwards, ...] = NIGHT,
) -> ChargingProfile:
    """Return a limit of 16 A for 30 s with a plan behind it."""
    wish = LimitWish(amps=16, fallback_a=fallback_a, validity_s=30, afterwards=night)
    return temporary_profile(
        wish, wording, CONNECTOR, now=NOW, offset=SURE, proved_phases=3, transaction=7, abilities=abilities
    )


def test_a_plan_follows_a_limit_within_the_fallback() -> None:
    profile = planned(night=(*NIGHT, Afterwards(NOW + 9900.0, 32.0)))
    assert [at(profile, NOW + s) for s in (0, 29, 31, 7199, 7201, 9001, 9901)] == [16, 16, 0, 0, 6, 0, 6]


def test_a_plan_is_for_transactions_and_for_who_says_that_it_holds_so_much() -> None:
    plain = [(0, 16), (32, 6)]
    default = Wording(purpose=Purpose.DEFAULT, level=1, unit=RateUnit.AMPS)
    others = (
        planned(wording=default),
        planned(abilities=ProfileAbilities()),
        planned(abilities=ProfileAbilities(max_periods=3)),
    )
    for profile in others:
        assert [(period.start_s, period.limit) for period in profile.periods] == plain


@given(
    st.lists(st.tuples(st.floats(-3600.0, 90_000.0), st.floats(0.0, 40.0)), max_size=6),
    st.sampled_from([0.0, 6.0, 16.0]),
)
def test_whatever_is_planned_nothing_comes_above_the_fallback(
    steps: list[tuple[float, float]], fallback_a: float
) -> None:
    """What the proof reckons with: from the validity on no more than the fallback, for ever."""
    night = tuple(Afterwards(NOW + seconds, amps) for seconds, amps in sorted(steps))
    profile = planned(fallback_a=fallback_a, night=night, abilities=ProfileAbilities(max_periods=20))
    limit, *ends = profile.periods
    assert (limit.start_s, ends[0].start_s) == (0, 32)
    assert [period.start_s for period in ends] == sorted({period.start_s for period in ends})
    assert all(period.limit <= fallback_a for period in ends)


def test_a_limit_for_one_phase_ends_in_a_fallback_for_all() -> None:
    profile = worded(16, fallback_a=6, phases=1)
    assert [(period.limit, period.phases) for period in profile.periods] == [(16, 1), (6, 3)]
    assert [period.phases for period in worded(16).periods] == [3, 3]


def test_a_limit_in_watts_for_one_phase_is_for_the_current_of_that_phase() -> None:
    in_watts = Wording(purpose=Purpose.TRANSACTION, level=2, unit=RateUnit.WATTS)
    first, fallback = worded(10, fallback_a=6, phases=1, wording=in_watts, proved_phases=3).periods
    assert (first.limit, first.phases) == (10 * LOWEST_V, 1)
    assert fallback.phases is None


def test_it_has_neither_an_end_nor_a_duration_and_names_its_transaction() -> None:
    profile = worded(16)
    assert (profile.kind, profile.transaction, profile.purpose) == (Kind.ABSOLUTE, 7, Purpose.TRANSACTION)
    assert profile.periods[-1].start_s > 0


@given(
    st.floats(min_value=-86400 * 365, max_value=86400 * 365),
    st.floats(min_value=1, max_value=30),
    st.floats(min_value=-1, max_value=1),
    st.floats(min_value=10, max_value=900),
)
def test_whatever_the_clock_it_is_active_now_and_over_within_the_error(
    offset_s: float, uncertainty_s: float, error: float, validity_s: float
) -> None:
    profile = worded(16, offset=ClockOffset(offset_s=offset_s, uncertainty_s=uncertainty_s), validity_s=validity_s)
    truth = NOW + offset_s + error * uncertainty_s
    assert at(profile, truth + max(0, validity_s - uncertainty_s - 0.01)) == 16 or uncertainty_s >= validity_s
    assert at(profile, truth + validity_s + uncertainty_s + 1.01) == 0


@given(st.floats(min_value=0, max_value=100))
def test_nothing_between_zero_and_the_minimum_is_sent_nor_more_than_was_meant(amps: float) -> None:
    sent = sendable_amps(amps, CONNECTOR)
    assert sent == 0 or CONNECTOR.minimum_a <= sent <= min(amps + 1e-6, CONNECTOR.maximum_a)
    assert round(sent, 1) == sent
    assert amps < 6 or sent > min(amps, 32) - 0.1 - 1e-6


@pytest.mark.parametrize(
    ("amps", "sent"), [(7.3, 7.3), (0.1 + 0.2 + 9, 9.3), (7.25, 7.2), (10, 10), (5.99, 0), (99, 32)]
)
def test_one_decimal_rounding_down(amps: float, sent: float) -> None:
    assert sendable_amps(amps, CONNECTOR) == sent


def test_what_is_no_number_is_zero() -> None:
    assert sendable_amps(float("nan"), CONNECTOR) == 0


@given(
    st.floats(min_value=6, max_value=32),
    st.integers(min_value=1, max_value=3),
    st.floats(min_value=LOWEST_V, max_value=253),
)
def test_watts_never_allow_more_amps_than_meant(amps: float, proved_phases: int, voltage_v: float) -> None:
    wording = Wording(purpose=Purpose.TRANSACTION, level=2, unit=RateUnit.WATTS)
    profile = worded(amps, wording=wording, proved_phases=proved_phases)
    assert profile.periods[0].limit / voltage_v / proved_phases <= amps + 1e-6
    assert profile.periods[0].phases is None


def test_a_limit_in_amps_says_how_many_phases() -> None:
    assert [period.phases for period in worded(16).periods] == [3, 3]


def test_the_permanent_fallback_needs_no_clock() -> None:
    profile = permanent_profile(6, fallback_wordings(ProfileAbilities())[0], CONNECTOR)
    assert (profile.kind, profile.starts_at, profile.stack_level) == (Kind.RELATIVE, None, 0)
    assert [(period.start_s, period.limit) for period in profile.periods] == [(0, 6)]


def test_a_charger_that_refuses_a_relative_fallback_gets_an_absolute_one() -> None:
    kinds = [wording.kind for wording in fallback_wordings(ProfileAbilities(units=(RateUnit.AMPS,)))]
    assert kinds == [Kind.RELATIVE, Kind.ABSOLUTE]


def test_the_same_use_has_the_same_id_and_no_other_use_has_it() -> None:
    abilities = ProfileAbilities(units=(RateUnit.AMPS,))
    ids = {
        (connector, use): {
            permanent_profile(0, wording, Terminals(connector=connector)).profile_id for wording in wordings
        }
        for connector in (1, 2, 12)
        for use, wordings in (
            ("fallback", fallback_wordings(abilities)),
            ("start", start_wordings(abilities)),
            ("transaction", transaction_wordings(abilities)[:2]),
        )
    }
    assert all(len(found) == 1 for found in ids.values())
    assert len(set().union(*ids.values())) == len(ids)


def test_stack_levels_stay_within_what_the_charger_allows() -> None:
    only_zero = ProfileAbilities(max_level=0)
    assert {wording.level for wording in transaction_wordings(only_zero)} == {0}
    assert start_wordings(only_zero) == ()
    assert {wording.level for wording in transaction_wordings(ProfileAbilities(max_level=1))} == {0, 1}


def test_a_limit_lies_above_the_fallback() -> None:
    abilities = ProfileAbilities()
    assert transaction_wordings(abilities)[0].level > fallback_wordings(abilities)[0].level
    assert start_wordings(abilities)[0].level > fallback_wordings(abilities)[0].level
