"""What the demo says of a run: when it calls a ceiling broken, and which log records it counts."""

from typing import Any

import pytest

from scripts.demo_site.account import (
    REACTION_S,
    SESSIONS_SHOWN,
    errors_logged,
    faults_of,
    jumps,
    sessions_of,
    table_of,
)
from simulator.building import LoadChange, LoadProgramme


def an_account(*, by_charging_s: float = 0.0, longest_s: float = 0.0, explained_s: float = 0.0) -> dict[str, Any]:
    phase = {
        "rating_a": 63.0,
        "highest_a": 70.0,
        "by_charging_s": by_charging_s,
        "by_charging_longest_s": longest_s,
    }
    return {"circuits": {"a": {"name": "Cluster A", "explained_s": explained_s, "phases": {"L1": phase}}}}


def test_a_run_within_its_ratings_has_no_fault() -> None:
    assert faults_of(an_account()) == []


def test_a_jump_of_the_base_load_explains_its_reaction_time() -> None:
    assert faults_of(an_account(by_charging_s=18.0, longest_s=18.0, explained_s=REACTION_S)) == []


def test_time_above_a_rating_that_nothing_explains_is_a_fault_that_names_the_circuit() -> None:
    (fault,) = faults_of(an_account(by_charging_s=1.0, longest_s=1.0))
    assert fault.startswith("Cluster A L1: 1.0 s above 63 A")


def test_one_excess_may_not_use_up_what_several_jumps_explain() -> None:
    assert len(faults_of(an_account(by_charging_s=30.0, longest_s=30.0, explained_s=3 * REACTION_S))) == 1


def a_fault(*, longest_s: float, promised_s: float = REACTION_S) -> dict[str, Any]:
    return {
        "kind": "half_open",
        "target": "CP-A01",
        "began_at_s": 125.0,
        "ended_at_s": 160.0,
        "promised_s": promised_s,
        "over_s": longest_s,
        "over_as": 31.0,
        "over_longest_s": longest_s,
        "highest_a": 103.3,
        "rating_a": 100.0,
        "lost": {"CP-A02/1": {"before_a": 10.0, "least_a": 0.0, "lost_kwh": 0.05, "paused_s": 12.0}},
    }


def test_a_fault_may_keep_current_above_a_rating_for_what_was_promised_and_no_longer() -> None:
    within = an_account() | {"faults": [a_fault(longest_s=REACTION_S)]}
    beyond = an_account() | {"faults": [a_fault(longest_s=REACTION_S + 0.5)]}
    assert faults_of(within) == []
    (fault,) = faults_of(beyond)
    assert fault.startswith("half_open at CP-A01, 125 s: 20.5 s at a stretch above a rating")


def test_what_a_fault_promises_beyond_the_reaction_time_counts_all_in_all_too() -> None:
    explained = {"faults": [a_fault(longest_s=45.0, promised_s=50.0)]}
    account = an_account(by_charging_s=45.0, longest_s=45.0, explained_s=REACTION_S)
    assert faults_of(account | explained) == []
    assert len(faults_of(account)) == 1


def test_the_table_tells_what_each_fault_cost() -> None:
    _, _, row = table_of(an_account() | {"faults": [a_fault(longest_s=9.5)]})
    for told in ("125 s", "half open", "CP-A01", "20 s", "9.5 s", "103.3 of 100 A", "0.05 kWh by 1, 1 paused"):
        assert told in row


def test_without_faults_there_is_no_table() -> None:
    assert table_of(an_account() | {"faults": []}) == []


def a_load(*changes: tuple[float, float, float], repeat_s: float | None = None) -> LoadProgramme:
    """Return a load from (time, amps on all phases, duration of the change)."""
    return LoadProgramme(
        changes=tuple(LoadChange(at_s=at, amps=(amps,) * 3, over_s=over) for at, amps, over in changes),
        repeat_s=repeat_s,
    )


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (a_load((0, 20, 0)), 0),
        (a_load((0, 20, 0), (100, 40, 0)), 1),
        (a_load((0, 20, 0), (100, 40, 30)), 1),
        (a_load((0, 20, 0), (100, 40, 120)), 0),  # slow enough to be followed
        (a_load((0, 20, 0), (100, 21, 0)), 0),  # within the margin
        (a_load((0, 40, 0), (100, 20, 0)), 0),  # a fall
        (a_load((0, 20, 0), (500, 40, 0)), 0),  # not yet
        (a_load((0, 20, 0), (100, 40, 0), repeat_s=150), 2),
        (a_load((0, 40, 0), (100, 20, 0), repeat_s=150), 1),  # it jumps where it begins again
    ],
)
def test_jumps_of_the_base_load_are_counted(load: LoadProgramme, expected: int) -> None:
    assert jumps(load, 290.0) == expected


LOG = """\
2026-11-23 13:46:06.353 WARNING (Sync) [loader] custom_components/charge_cluster has not been tested by Home Assistant
2026-11-23 13:46:06.569 ERROR (MainThread) [haffmpeg.core] FFmpeg fails
Traceback (most recent call last):
  File "site-packages/haffmpeg/core.py", line 130, in open
2026-11-23 13:46:07.000 ERROR (MainThread) [homeassistant.helpers.entity] Update failed
Traceback (most recent call last):
  File "/config/custom_components/charge_cluster/sensor.py", line 12, in native_value
KeyError: 'x'
2026-11-23 13:46:08.000 WARNING (MainThread) [custom_components.charge_cluster.ocpp] it is odd
2026-11-23 13:46:09.000 ERROR (MainThread) [custom_components.charge_cluster.site] something wrong
""".splitlines()


def test_errors_of_ours_are_those_of_our_loggers_and_those_with_our_code_in_their_traceback() -> None:
    errors, warnings = errors_logged(LOG)
    assert [error.splitlines()[0].rpartition("] ")[2] for error in errors] == ["Update failed", "something wrong"]
    assert errors[0].endswith("KeyError: 'x'")
    assert warnings == 1


def a_session(car: str, wanted_kwh: float, delivered_kwh: float, starts: int) -> dict[str, Any]:
    return {
        "car": car,
        "outlet": "CP-A01/1",
        "wanted_kwh": wanted_kwh,
        "delivered_kwh": delivered_kwh,
        "starts": starts,
        "phase_switches": 1,
    }


def test_what_each_car_wanted_and_got_is_told_with_how_often_it_was_switched() -> None:
    sessions = [a_session("blue", 20.0, 15.0, 2), a_session("full", 0.0, 0.0, 0)]
    energy = {"wanted_kwh": 20.0, "delivered_kwh": 15.0}
    _, _, blue, full, total = sessions_of({"sessions": sessions, "energy": energy})
    assert blue.split() == ["blue", "CP-A01/1", "20.0", "15.0", "75", "%", "2", "1"]
    assert full.split() == ["full", "CP-A01/1", "0.0", "0.0", "–", "0", "1"]
    assert total == "15.0 of 20.0 kWh wanted, 1.0 starts a session"


def test_a_long_run_tells_of_its_first_sessions_one_by_one() -> None:
    sessions = [a_session(f"car {number}", 1.0, 1.0, 1) for number in range(SESSIONS_SHOWN + 3)]
    rows = sessions_of({"sessions": sessions, "energy": {"wanted_kwh": 63.0, "delivered_kwh": 63.0}})
    assert len(rows) == SESSIONS_SHOWN + 4
    assert rows[-2] == "… and 3 more"


def test_without_sessions_there_is_no_table_of_them() -> None:
    assert sessions_of({"sessions": [], "energy": {"wanted_kwh": 0.0, "delivered_kwh": 0.0}}) == []
