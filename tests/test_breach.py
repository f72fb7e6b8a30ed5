"""The benchmark from breach to wire: its figures are those of its jumps, and it runs with a real Home Assistant."""

import time

import pytest

from simulator.meter_images import SunSpecImage
from tests.benchmarks import breach
from tests.benchmarks.breach import Extent, Jump, figures_of
from tests.benchmarks.premises import CURRENTS_AT, FOLLOWS_AFTER_S, LimitedPoint, Premises
from tests.benchmarks.report import Row, Verdict

READ_HOLDING = 3


def rows_of(jumps: list[Jump], lines: list[dict[str, object]]) -> dict[str, Row]:
    return {row.figure: row for row in figures_of(Extent(jumps=len(jumps)), jumps, lines)}


def test_the_last_reduction_counts() -> None:
    rows = rows_of([Jump(shown_at=10.0, arrived_at=(10.05, 10.06, 10.2))], [])
    assert rows["last reduction, p99"].value == pytest.approx(200.0)
    assert rows["last reduction, p99"].verdict is Verdict.MET
    assert rows["first reduction, p50"].value == pytest.approx(50.0)


def test_one_late_reduction_of_one_jump_misses_the_target() -> None:
    good = [Jump(shown_at=10.0 * n, arrived_at=(10.0 * n + 0.1,)) for n in range(1, 50)]
    rows = rows_of([*good, Jump(shown_at=900.0, arrived_at=(900.1, 900.3))], [])
    assert rows["last reduction, p99"].verdict is Verdict.MISSED
    assert rows["last reduction, p50"].value == pytest.approx(100.0)


def test_only_what_held_the_loop_between_breach_and_wire_is_told() -> None:
    jump = Jump(shown_at=10.0, arrived_at=(10.2,))
    lines: list[dict[str, object]] = [
        {"at": 9.9, "late_s": 0.15},
        {"at": 10.1, "held_s": 0.03, "by": "Site._pass"},
        {"at": 10.1, "held_s": 0.01, "by": "too short to name"},
        {"at": 10.3, "late_s": 0.9},
        {"at": 10.3, "held_s": 0.9, "by": "afterwards"},
    ]
    late = rows_of([jump], lines)["event loop late meanwhile, longest"]
    assert late.value == pytest.approx(150.0)
    assert late.note == "Site._pass 30 ms"


async def test_the_meter_shows_what_flows_and_the_car_follows_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    premises = Premises(base_a=100.0)
    point = LimitedPoint("CP1", premises)
    premises.points.append(point)
    for limit in (20.0, 10.0):
        schedule = {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
        profile = {"chargingProfilePurpose": "TxProfile", "chargingSchedule": schedule}
        assert point.answer("SetChargingProfile", {"csChargingProfiles": profile}) == {"status": "Accepted"}
        assert premises.flowing_a(now) == pytest.approx(100.0 if limit == 20.0 else 120.0)
        now += FOLLOWS_AFTER_S
        assert premises.flowing_a(now) == pytest.approx(100.0 + limit)
    assert premises.arrived_at == [1000.0 + FOLLOWS_AFTER_S]
    shown = premises.read(READ_HOLDING, CURRENTS_AT + 1, 1)
    assert shown == [0]  # currents as they were before anybody asked for the whole block
    currents = premises.read(READ_HOLDING, CURRENTS_AT, 4)
    assert currents[1] == pytest.approx(110, abs=1)
    assert premises.shown_at == now
    assert isinstance(premises.image, SunSpecImage)


@pytest.mark.e2e
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("socket_enabled")
def test_a_breach_is_answered_inside_a_real_home_assistant() -> None:
    rows = {row.figure: row for row in breach.measure(breach.QUICK)}
    assert 0.0 < rows["first reduction, p50"].value <= rows["last reduction, p50"].value < 10_000.0
    assert rows["last reduction, p50"].note == "1 jumps, 3 to 3 reductions each"
    assert rows["last reduction, p99"].target is None  # for the full size only
