"""The spelling of charging profiles in OCPP 2.0.1 and 2.1."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.ocpp.conversation import LimitWish, Terminals
from custom_components.charge_cluster.ocpp.profiles import (
    ChargingProfile,
    Ending,
    Purpose,
    RateUnit,
    Wording,
    fallback_wordings,
    later_profile,
    permanent_profile,
    start_wordings,
    station_profile,
    temporary_profile,
    transaction_wordings,
)
from custom_components.charge_cluster.ocpp.times import ClockOffset
from custom_components.charge_cluster.ocpp.v2.profiles import Dialect2
from custom_components.charge_cluster.ocpp.voltages import LOWEST_V

from .schemas import V21, V201, conforms

SURE = ClockOffset(offset_s=0, uncertainty_s=2)
TRANSACTION = "b3f1c2de-0000-4000-8000-1234567890ab"
WATTS = {"RateUnit": "W"}

AMPS = st.floats(min_value=0, max_value=500)
VARIABLES = st.fixed_dictionaries(
    {},
    optional={
        "RateUnit": st.sampled_from(["A", "W", "A,W", "", "Smoke"]),
        "ProfileStackLevel": st.sampled_from(["0", "1", "2", "8", "many", "-1", "1e400"]),
        "PeriodsPerSchedule": st.sampled_from(["0", "1", "2", "24"]),
        "ACPhaseSwitchingSupported": st.sampled_from(["true", "false", "TRUE "]),
        "MaxExternalConstraintsId": st.sampled_from(["0", "20000", "2147400000", "9e99", "-4"]),
    },
)


def dialect(variables: Mapping[str, str] | None = None, *, version: str = V21) -> Dialect2:
    values = dict(variables or {})
    return Dialect2(lambda name, evse: values.get(name) if evse is None else None, lambda: 2, speaks_21=version == V21)


def limit(
    spoken: Dialect2, amps: float, *, phases: int | None = None, proved_phases: int = 1, wording: Wording | None = None
) -> ChargingProfile:
    return temporary_profile(
        LimitWish(amps=amps, fallback_a=6, validity_s=30, phases=phases),
        wording or transaction_wordings(spoken.abilities)[0],
        Terminals(connector=2),
        now=1.8e9,
        offset=SURE,
        proved_phases=proved_phases,
        transaction=TRANSACTION,
        abilities=spoken.abilities,
    )


def periods(payload: Any) -> Any:
    (schedule,) = payload["chargingProfile"]["chargingSchedule"]
    return schedule["chargingSchedulePeriod"]


@pytest.mark.parametrize("version", [V201, V21])
@given(VARIABLES, AMPS, AMPS, st.floats(1, 3600), st.floats(-1e9, 1e9), st.integers(1, 3), st.data())
def test_every_profile_of_every_wording_fulfils_its_schema(  # noqa: PLR0917 - one argument for each thing that varies
    version: str,
    variables: dict[str, str],
    amps: float,
    fallback_a: float,
    validity_s: float,
    offset_s: float,
    phases: int,
    data: st.DataObject,
) -> None:
    spoken = dialect(variables, version=version)
    abilities = spoken.abilities
    terminals = Terminals(connector=3, phases=phases, maximum_a=125)
    wording = data.draw(st.sampled_from((*transaction_wordings(abilities), *start_wordings(abilities))))
    wish = LimitWish(
        amps=amps, fallback_a=fallback_a, validity_s=validity_s, phases=data.draw(st.sampled_from([None, 1]))
    )
    offset = ClockOffset(offset_s=offset_s, uncertainty_s=5)
    proved = data.draw(st.integers(1, phases))
    profiles = [
        temporary_profile(
            wish,
            wording,
            terminals,
            now=1.8e9,
            offset=offset,
            proved_phases=proved,
            transaction=TRANSACTION,
            abilities=abilities,
        ),
        permanent_profile(fallback_a, data.draw(st.sampled_from(fallback_wordings(abilities))), terminals),
        station_profile(amps, fallback_a, abilities.units[0], terminals, held_s=900, now=1.8e9, offset=offset),
    ]
    if wording.ending is Ending.LATER:
        profiles.append(
            later_profile(
                wish, wording, terminals, now=1.8e9, offset=offset, proved_phases=proved, transaction=TRANSACTION
            )
        )
    for profile in profiles:
        payload = spoken.set_profile(3, profile)
        assert conforms("SetChargingProfile", payload, version)
        assert len(periods(payload)) <= (abilities.max_periods or 3) or profile.purpose is Purpose.STATION_MAXIMUM
        assert all(period.get("phaseToUse") is None or period["numberPhases"] == 1 for period in periods(payload))
    assert conforms("ClearChargingProfile", spoken.clear_profile(spoken.wire_id(profiles[0].profile_id)), version)
    assert conforms("GetCompositeSchedule", spoken.composite_schedule(3, 86400, abilities.units[0]), version)


def test_a_limit_names_its_evse_its_transaction_and_passes_into_its_fallback() -> None:
    spoken = dialect(version=V201)
    payload = spoken.set_profile(2, limit(spoken, 16))
    profile = payload["chargingProfile"]
    assert (payload["evseId"], profile["chargingProfilePurpose"], profile["transactionId"]) == (
        2,
        "TxProfile",
        TRANSACTION,
    )
    assert [(period["limit"], period["numberPhases"]) for period in periods(payload)] == [(16, 3), (6, 3)]
    assert "maxOfflineDuration" not in profile
    assert "duration" not in profile["chargingSchedule"][0]


def test_in_2_1_a_limit_is_over_for_good_when_its_charger_was_offline_for_its_validity() -> None:
    spoken = dialect()
    profile = spoken.set_profile(2, limit(spoken, 16))["chargingProfile"]
    assert (profile["maxOfflineDuration"], profile["invalidAfterOfflineDuration"]) == (30, True)


def test_the_fallback_holds_however_long_the_charger_is_offline() -> None:
    spoken = dialect()
    profile = permanent_profile(6, fallback_wordings(spoken.abilities)[0], Terminals(connector=2))
    assert "maxOfflineDuration" not in spoken.set_profile(2, profile)["chargingProfile"]


def test_a_phase_is_named_only_to_an_evse_that_can_switch() -> None:
    fixed, switching = dialect(), dialect({"ACPhaseSwitchingSupported": "true"})
    assert [period.get("phaseToUse") for period in periods(fixed.set_profile(2, limit(fixed, 16, phases=1)))] == [
        None,
        None,
    ]
    told = periods(switching.set_profile(2, limit(switching, 16, phases=1)))
    assert [(period["numberPhases"], period.get("phaseToUse")) for period in told] == [(1, 1), (3, None)]
    assert all("phaseToUse" not in period for period in periods(switching.set_profile(2, limit(switching, 16))))


def test_what_an_evse_says_of_itself_goes_before_what_the_station_says() -> None:
    told = {(None): "true", 1: "false"}
    spoken = Dialect2(
        lambda name, evse: told.get(evse) if name == "ACPhaseSwitchingSupported" else None, lambda: 2, speaks_21=True
    )
    asked = [periods(spoken.set_profile(evse, limit(spoken, 16, phases=1)))[0].get("phaseToUse") for evse in (1, 2)]
    assert asked == [None, 1]


def test_in_2_1_watts_are_told_for_each_phase_while_one_is_all_that_is_proved() -> None:
    spoken = dialect(WATTS)
    first = periods(spoken.set_profile(2, limit(spoken, 10)))[0]
    assert first["limit"] == first["limit_L2"] == first["limit_L3"] == pytest.approx(10 * LOWEST_V, abs=0.1)
    proved = periods(spoken.set_profile(2, limit(spoken, 10, proved_phases=3)))[0]
    assert proved["limit"] == pytest.approx(30 * LOWEST_V, abs=0.1)
    assert "limit_L2" not in proved
    before = dialect(WATTS, version=V201)
    assert "limit_L2" not in periods(before.set_profile(2, limit(before, 10)))[0]


@given(st.floats(min_value=6, max_value=32), st.floats(min_value=LOWEST_V, max_value=253))
def test_watts_for_each_phase_never_allow_more_amps_than_meant(amps: float, voltage_v: float) -> None:
    spoken = dialect(WATTS)
    first = periods(spoken.set_profile(2, limit(spoken, amps)))[0]
    assert max(first["limit"], first["limit_L2"], first["limit_L3"]) / voltage_v <= amps + 1e-6


def test_ids_keep_clear_of_those_for_limits_from_outside() -> None:
    ids = [
        dialect(variables).set_profile(2, limit(dialect(), 16))["chargingProfile"]["id"]
        for variables in ({}, {"MaxExternalConstraintsId": "2147400000"}, {"MaxExternalConstraintsId": "-5"})
    ]
    assert ids[0] == ids[2]
    assert 2147400000 < ids[1] < 2**31


@pytest.mark.parametrize(
    ("told", "units"),
    [
        ("A", (RateUnit.AMPS,)),
        ("W", (RateUnit.WATTS,)),
        ("A,W", (RateUnit.AMPS, RateUnit.WATTS)),
        ("", (RateUnit.AMPS, RateUnit.WATTS)),
    ],
)
def test_units_are_those_that_the_charger_names(told: str, units: tuple[RateUnit, ...]) -> None:
    assert dialect({"RateUnit": told}).abilities.units == units


def composite(**more: Any) -> Any:
    schedule = {
        "evseId": 2,
        "duration": 86400,
        "scheduleStart": "2026-12-01T00:00:00Z",
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}],
        **more,
    }
    return {"status": "Accepted", "schedule": schedule}


def test_a_composite_schedule_is_read() -> None:
    assert conforms("GetCompositeScheduleResponse", composite(), V201)
    read = dialect().read_composite(composite())
    assert read is not None
    assert (read.unit, read.limits) == (RateUnit.AMPS, (6.0,))


def test_of_limits_for_each_phase_the_highest_counts_in_amps_and_the_sum_in_watts() -> None:
    apart = [{"startPeriod": 0, "limit": 6, "limit_L2": 16, "limit_L3": 0}]
    in_amps = dialect().read_composite(composite(chargingSchedulePeriod=apart))
    in_watts = dialect().read_composite(composite(chargingSchedulePeriod=apart, chargingRateUnit="W"))
    assert in_amps is not None
    assert in_watts is not None
    assert (in_amps.limits, in_watts.limits) == ((16,), (22,))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"status": "Rejected"},
        {"status": "Accepted"},
        {"status": "Accepted", "schedule": []},
        composite(chargingSchedulePeriod=[]),
        composite(chargingSchedulePeriod=[{"startPeriod": 0}]),
        composite(chargingSchedulePeriod=[{"startPeriod": 0, "limit": -1}]),
        composite(chargingSchedulePeriod=[{"startPeriod": 0, "limit": 6, "limit_L2": "x"}]),
        composite(chargingSchedulePeriod=[{"startPeriod": 0, "limit": True}]),
        composite(chargingSchedulePeriod=["x"]),
        composite(chargingSchedulePeriod=[{"limit": 6}] * 5000),
        composite(chargingRateUnit=["A"]),
        composite(chargingRateUnit="VA"),
    ],
    ids=[
        "nothing",
        "rejected",
        "no schedule",
        "a list",
        "no periods",
        "no limit",
        "negative",
        "a word for a phase",
        "a truth",
        "no period",
        "flood",
        "a list for a unit",
        "no unit",
    ],
)
def test_what_cannot_be_read_says_nothing(answer: Any) -> None:
    assert dialect().read_composite(answer) is None
