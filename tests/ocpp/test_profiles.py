"""The wording of limits."""

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.ocpp.conversation import LimitWish, Terminals
from custom_components.charge_cluster.ocpp.times import ClockOffset, read_stamp
from custom_components.charge_cluster.ocpp.v16.metering import LOWEST_V
from custom_components.charge_cluster.ocpp.v16.profiles import (
    ProfileAbilities,
    Wording,
    fallback_wordings,
    permanent_profile,
    sendable_amps,
    start_wordings,
    temporary_profile,
    transaction_wordings,
)
from custom_components.charge_cluster.ocpp.v16.requests import ChargingProfile, Kind, Purpose, RateUnit

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
) -> ChargingProfile:
    return temporary_profile(
        LimitWish(amps=amps, fallback_a=fallback_a, validity_s=validity_s),
        wording,
        CONNECTOR,
        now=NOW,
        offset=offset,
        proved_phases=proved_phases,
        transaction_id=7,
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


def test_it_has_neither_an_end_nor_a_duration_and_names_its_transaction() -> None:
    profile = worded(16)
    assert (profile.kind, profile.transaction_id, profile.purpose) == (Kind.ABSOLUTE, 7, Purpose.TRANSACTION)
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
