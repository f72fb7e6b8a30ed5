"""The base load that is usual at an hour of the week: learned from what was seen, robust, and near to the present."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC

import pytest

from custom_components.charge_cluster.engine.model import PhaseAmps
from custom_components.charge_cluster.engine.snapshot import CircuitDecision, Decision
from custom_components.charge_cluster.engine.tariff import Grid
from custom_components.charge_cluster.site.usual_load import MOVES, ODD_A, QUARTERS, SEEN_FOR, UsualLoads
from tests.engine.closed_loop import Stage
from tests.engine.sites import a_connector, a_stage, all_phases

MONDAY = 1_799_625_600.0
"""2027-01-11 00:00 UTC."""
DAY_S = 86_400.0
QUARTER_S = 900.0


@dataclass
class Shelf:
    kept: dict[tuple[str, int], Sequence[PhaseAmps | None]] = field(default_factory=dict)

    def keep_usual_load(self, circuit_id: str, weekday: int, day: Sequence[PhaseAmps | None] | None) -> None:
        self.kept.pop((circuit_id, weekday), None)
        if day is not None:
            self.kept[circuit_id, weekday] = day


@pytest.fixture(scope="module")
def decision() -> Decision:
    """Return what a pass may find."""
    stage: Stage = a_stage(a_connector("c"))
    stage.run(2)
    assert stage.decision is not None
    return stage.decision


def with_base(decision: Decision, amps: float | None, *, stale: bool = False) -> Decision:
    circuit: CircuitDecision = decision.circuits["supply"]
    base = None if amps is None else all_phases(amps)
    return replace(decision, circuits={"supply": replace(circuit, base_load_a=base, stale=stale)})


def see(loads: UsualLoads, decision: Decision, at: float, amps: float, passes: int = SEEN_FOR) -> None:
    """Let a quarter of an hour pass with this base load, and the next begin."""
    for number in range(passes):
        loads.look(with_base(decision, amps), at + number)
    loads.look(None, at + QUARTER_S)


def expected(loads: UsualLoads, start: float, *, now: float = MONDAY - 30 * DAY_S, present: float = 7.0) -> float:
    return loads.expected("supply", Grid(start, QUARTER_S, 1), now, all_phases(present))[0][0]


def test_what_was_never_seen_is_as_it_is_now(decision: Decision) -> None:
    assert expected(UsualLoads(Shelf(), lambda: UTC), MONDAY) == 7.0


def test_an_hour_of_the_week_is_remembered_and_moves_slowly(decision: Decision) -> None:
    loads = UsualLoads(Shelf(), lambda: UTC)
    see(loads, decision, MONDAY, 30.0)
    assert expected(loads, MONDAY + 7 * DAY_S) == pytest.approx(30.0)
    see(loads, decision, MONDAY + 7 * DAY_S, 34.0)
    assert expected(loads, MONDAY + 14 * DAY_S) == pytest.approx(30.0 + 4.0 * MOVES)


def test_an_odd_week_is_no_new_habit(decision: Decision) -> None:
    loads = UsualLoads(Shelf(), lambda: UTC)
    see(loads, decision, MONDAY, 10.0)
    see(loads, decision, MONDAY + 7 * DAY_S, 300.0)
    assert expected(loads, MONDAY + 14 * DAY_S) == pytest.approx(10.0 + ODD_A * MOVES)


def test_other_days_like_it_stand_in_for_one_that_was_never_seen(decision: Decision) -> None:
    loads = UsualLoads(Shelf(), lambda: UTC)
    see(loads, decision, MONDAY, 30.0)
    see(loads, decision, MONDAY + DAY_S, 40.0)
    assert expected(loads, MONDAY + 2 * DAY_S) == pytest.approx(35.0)
    assert expected(loads, MONDAY + 5 * DAY_S) == 7.0


def test_the_near_future_is_like_the_present(decision: Decision) -> None:
    loads = UsualLoads(Shelf(), lambda: UTC)
    for quarter in range(QUARTERS):
        see(loads, decision, MONDAY + quarter * QUARTER_S, 20.0)
    now = MONDAY + 7 * DAY_S
    soon, later = (expected(loads, now + wait, now=now, present=50.0) for wait in (0.0, 6 * 3600.0))
    assert soon == pytest.approx(50.0)
    assert later == pytest.approx(20.0, abs=0.2)


def test_what_is_not_known_or_hardly_seen_teaches_nothing(decision: Decision) -> None:
    loads = UsualLoads(Shelf(), lambda: UTC)
    see(loads, decision, MONDAY, 30.0, passes=SEEN_FOR - 1)
    for number in range(SEEN_FOR):
        loads.look(with_base(decision, 99.0, stale=True), MONDAY + 2 * QUARTER_S + number)
        loads.look(with_base(decision, None), MONDAY + 2 * QUARTER_S + number)
    loads.look(None, MONDAY + 3 * QUARTER_S)
    assert expected(loads, MONDAY) == 7.0
    assert expected(loads, MONDAY + 2 * QUARTER_S) == 7.0


def test_it_is_kept_and_forgotten_with_its_circuit(decision: Decision) -> None:
    shelf = Shelf()
    loads = UsualLoads(shelf, lambda: UTC)
    see(loads, decision, MONDAY, 30.0)
    anew = UsualLoads(shelf, lambda: UTC)
    anew.restore({place: tuple(day) for place, day in shelf.kept.items()})
    assert expected(anew, MONDAY) == pytest.approx(30.0)
    anew.keep_only({})
    assert shelf.kept == {}
