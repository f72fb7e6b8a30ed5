"""Three phases or one: who is switched for whom, how that is done, and what counts meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custom_components.charge_cluster.engine import guard
from custom_components.charge_cluster.engine.budget import budget_for
from custom_components.charge_cluster.engine.guard import OnePhase
from custom_components.charge_cluster.engine.model import Connector, Reason
from custom_components.charge_cluster.engine.observing import take_seats
from custom_components.charge_cluster.engine.phase_switching import (
    MOST_SWITCHES,
    ROOM_FOR_S,
    SWITCHES_APART_S,
    switch_phases,
)
from custom_components.charge_cluster.engine.phase_use import PAUSE_S, PhaseUse, counts_on_one
from custom_components.charge_cluster.engine.rows import layout_of
from custom_components.charge_cluster.engine.seat import sums_of
from custom_components.charge_cluster.engine.sharing import admit_candidates, share_out

from .closed_loop import Car, Stage
from .sites import a_circuit, a_connector, a_stage, all_phases

NO_LOAD = all_phases(0.0)

# 23 A for vehicles: three minima on three phases.
NARROW = a_circuit(rating_a=23.0, margin_a=2.0, declared_a=0.0)


def a_narrow_stage(*connectors: Connector, **facts: object) -> Stage:
    """Return a stage whose supply carries three vehicles at their minimum on all phases."""
    return a_stage(*connectors, circuits=(NARROW,), base_load=lambda _: NO_LOAD, **facts)


def switching(key: str, rotation: tuple[int, ...] = (0, 1, 2)) -> Connector:
    """Return a connector whose charge point can switch phases."""
    return a_connector(key, rotation=rotation, switches_phases=True)


FOUR = (
    switching("c1"),
    switching("c2", (1, 2, 0)),
    switching("c3", (2, 0, 1)),
    switching("c4"),
)


def crowded(*connectors: Connector, **facts: object) -> Stage:
    """Return a stage on which four vehicles with three phases want what three of them can have."""
    stage = a_narrow_stage(*(connectors or FOUR), **facts)
    for key in list(stage.chargers)[:3]:
        stage.plug(key, Car())
    stage.run(120.0)
    for key in list(stage.chargers)[3:]:
        stage.plug(key, Car())
    return stage


def charging(stage: Stage) -> set[str]:
    """Return who charges now."""
    return {key for key, amps in stage.drawn().items() if amps > 0.0}


def on_one_phase(stage: Stage) -> set[str]:
    """Return whose limit is for one phase."""
    assert stage.decision is not None
    return {key for key, limit in stage.decision.limits.items() if limit.phases == 1}


def test_a_vehicle_leaves_two_phases_for_one_that_waits_and_all_charge() -> None:
    stage = crowded()
    stage.run_until(lambda: len(charging(stage)) == 4, within_s=240.0)
    assert on_one_phase(stage)
    stage.run(300.0)
    assert len(charging(stage)) == 4
    assert not stage.over_s


def test_without_the_setting_places_rotate_as_before() -> None:
    stage = crowded(*(replace(connector, switches_phases=False) for connector in FOUR))
    stage.run(600.0)
    assert not on_one_phase(stage)
    assert len(charging(stage)) <= 3


def test_charging_stands_still_before_the_phases_change() -> None:
    stage = crowded()
    stage.run_until(lambda: Reason.PHASE_SWITCH in stage.reasons().values(), within_s=60.0)
    [key, *_] = [key for key, reason in stage.reasons().items() if reason is Reason.PHASE_SWITCH]
    charger = stage.chargers[key]
    stage.run_until(lambda: charger.phases != [], within_s=120.0)
    (paused_at, paused_a), (began_at, began_a) = charger.offers[-3], charger.offers[-1]
    assert (paused_a, began_a) == (0.0, charger.connector.minimum_a)
    assert began_at - paused_at >= PAUSE_S
    assert charger.phases == [(began_at, 1)]


@pytest.mark.parametrize(("left_a", "switched"), [(20.0, False), (10.0, True), (6.5, False)])
def test_a_vehicle_is_switched_for_itself_where_one_phase_fits_below_a_small_budget(
    left_a: float, switched: bool
) -> None:
    circuit = replace(NARROW, power_va=253.0 * 60.0)
    stage = a_stage(switching("c1"), circuits=(circuit,), base_load=lambda _: NO_LOAD)
    stage.plug("c1", Car())
    stage.run(120.0)
    snapshot, memory = stage.snapshot(), stage.memory
    layout = layout_of(snapshot.site)
    seats = take_seats(snapshot, memory, layout)
    sums = sums_of(layout, seats)
    budget = budget_for(snapshot, memory, seats, layout, sums)
    # What shares may use of all phases together; increases may rest on more.
    assert layout.power_at is not None
    budget.share[layout.power_at] = left_a
    places = admit_candidates(snapshot, memory, seats, budget, sums)
    share_out(snapshot, seats, places, budget, None)
    switch_phases(snapshot, memory, seats, places, budget, sums)
    assert (seats["c1"].memory.phase_use.pauses_since is not None) is switched


def test_nobody_is_switched_for_a_row_that_would_stay_tight() -> None:
    # Single-phase vehicles fill the first phase, which is where the only switchable one would remain.
    stage = a_narrow_stage(switching("c1"), *(a_connector(f"s{n}", rotation=(0,)) for n in range(3)))
    stage.plug("c1", Car())
    stage.run(120.0)
    for key in ("s0", "s1", "s2"):
        stage.plug(key, Car(phases=1))
    stage.run(600.0)
    assert not on_one_phase(stage)


def test_a_vehicle_that_uses_one_phase_anyhow_is_left_alone() -> None:
    stage = a_narrow_stage(*FOUR)
    for key in ("c1", "c2", "c3"):
        stage.plug(key, Car(phases=1))
    stage.run(180.0)
    stage.plug("c4", Car())
    stage.run(300.0)
    assert not on_one_phase(stage)


def test_a_vehicle_goes_back_to_three_phases_when_there_is_room_again() -> None:
    stage = crowded()
    stage.run_until(lambda: len(charging(stage)) == 4, within_s=240.0)
    for key in ("c2", "c3", "c4"):
        if key not in on_one_phase(stage):
            stage.unplug(key)
    [first, *_] = sorted(on_one_phase(stage))
    left = stage.now
    decided = stage.memory.connectors[first].phase_use.decided_at
    stage.run_until(lambda: not on_one_phase(stage), within_s=2 * SWITCHES_APART_S)
    assert stage.now - left >= ROOM_FOR_S
    assert stage.memory.connectors[first].phase_use.decided_at - decided >= SWITCHES_APART_S
    stage.run_until(lambda: stage.chargers[first].on_terminals(stage.now)[2] > 0.0, within_s=120.0)
    assert not stage.over_s


@pytest.mark.parametrize("change", [{"switches_phases": False}, {"rotation": None}, {"rotation": (1,)}])
def test_one_that_is_said_not_to_switch_any_more_has_its_phases_back_through_a_pause(change: dict[str, object]) -> None:
    stage = crowded()
    stage.run_until(lambda: len(charging(stage)) == 4, within_s=240.0)
    stage.run(60.0)
    [key, *_] = sorted(on_one_phase(stage))
    charger = stage.chargers[key]
    before = len(charger.phases)
    stage.change(key, **change)
    stage.run_until(lambda: len(charger.phases) > before, within_s=120.0)
    assert charger.offers[-1][1] == 0.0
    stage.run(120.0)
    assert key not in on_one_phase(stage)
    if "rotation" not in change:
        assert not stage.over_s


def age(stage: Stage) -> None:
    """Let all that was decided about phases be long ago."""
    connectors = {
        key: replace(known, phase_use=replace(known.phase_use, decided_at=-1e6, room_since=-1e6))
        for key, known in stage.memory.connectors.items()
    }
    stage.memory = replace(stage.memory, connectors=connectors, room=None)


def test_a_session_is_switched_a_few_times_only() -> None:
    able, unable = FOUR[:2], (replace(connector, switches_phases=False) for connector in FOUR[2:])
    stage = crowded(*able, *unable)
    for _ in range(MOST_SWITCHES):
        stage.run(240.0)
        stage.unplug("c3")
        stage.unplug("c4")
        stage.run(40.0)
        age(stage)
        stage.run(240.0)
        age(stage)
        stage.plug("c3", Car())
        stage.plug("c4", Car())
    stage.run(240.0)
    for key in ("c1", "c2"):
        assert stage.memory.connectors[key].phase_use.switches == len(stage.chargers[key].phases) == MOST_SWITCHES


@pytest.mark.parametrize("switches_after_s", [None, 25.0, 90.0])
def test_a_charger_that_does_not_switch_in_time_is_not_asked_again_and_overloads_nothing(
    switches_after_s: float | None,
) -> None:
    stage = crowded()
    for charger in stage.chargers.values():
        charger.switches_after_s = switches_after_s
    stage.run(700.0)
    assert not stage.over_s
    asked = [key for key, memory in stage.memory.connectors.items() if memory.phase_use.switches]
    assert asked
    if switches_after_s is None:
        assert all(stage.memory.connectors[key].phase_use.unable for key in asked)
        assert not on_one_phase(stage)


def test_all_phases_count_until_one_is_measured() -> None:
    stage = crowded()
    stage.run_until(lambda: bool(on_one_phase(stage)), within_s=120.0)
    assert stage.memory.room is not None
    [key, *_] = on_one_phase(stage)
    while stage.bounds[key].one_phase is not OnePhase.SEEN:
        assert len(stage.memory.room.seats[key].rows) == 3
        stage.step()
    assert len(stage.memory.room.seats[key].rows) == 1
    assert stage.chargers[key].on_terminals(stage.now) == (6.0, 0.0, 0.0)


def test_all_phases_count_from_the_order_for_three_on() -> None:
    connector = switching("c1")
    bound = guard.unknown_bound(connector)
    bound = guard.accepted(guard.sent(bound, 6.0, 0.0, phases=1), 6.0, 0.0, 30.0, phases=1)
    bound = guard.measured(bound, connector, (6.0, 0.0, 0.0), 20.0, 20.0)
    assert bound.one_phase is OnePhase.SEEN
    assert guard.sent(bound, 6.0, 21.0, phases=1).one_phase is OnePhase.SEEN
    assert guard.sent(bound, 6.0, 21.0).one_phase is None


@pytest.mark.parametrize(
    ("one", "known", "counts"),
    [
        (True, OnePhase.SEEN, True),
        (True, OnePhase.ORDERED, False),
        (True, OnePhase.BROKEN, False),
        (True, None, False),
        # Three are about to be ordered.
        (False, OnePhase.SEEN, False),
    ],
)
def test_worst_cases_rest_on_one_phase_only_while_that_is_ordered_and_seen(
    one: bool, known: OnePhase | None, counts: bool
) -> None:
    bound = replace(guard.unknown_bound(switching("c1")), one_phase=known)
    assert counts_on_one(PhaseUse(one=one), bound) is counts


@pytest.mark.parametrize(
    ("amps", "at", "known"),
    [
        ((6.0, 0.0, 0.0), 20.0, OnePhase.SEEN),
        ((6.0, 0.3, 0.3), 20.0, OnePhase.SEEN),
        ((6.0, 6.0, 6.0), 20.0, OnePhase.BROKEN),
        ((6.0, 0.0, 1.5), 20.0, OnePhase.BROKEN),
        ((0.0, 6.0, 0.0), 20.0, OnePhase.BROKEN),
        ((2.0, 0.0, 0.0), 20.0, OnePhase.ORDERED),
        ((0.0, 0.0, 0.0), 20.0, OnePhase.ORDERED),
        ((6.0, 0.0, 0.0), 10.0, OnePhase.ORDERED),
        ((6.0, 6.0, 6.0), 10.0, OnePhase.ORDERED),
    ],
)
def test_what_a_measurement_says_of_one_phase(amps: tuple[float, float, float], at: float, known: OnePhase) -> None:
    connector = switching("c1", (1, 2, 0))
    bound = guard.unknown_bound(connector)
    bound = guard.accepted(guard.sent(bound, 6.0, 0.0, phases=1), 6.0, 0.0, 30.0, phases=1)
    assert guard.measured(bound, connector, amps, at, at).one_phase is known


def test_one_that_was_seen_on_one_phase_and_draws_on_another_counts_on_all_at_once() -> None:
    connector = switching("c1")
    bound = guard.unknown_bound(connector)
    bound = guard.accepted(guard.sent(bound, 6.0, 0.0, phases=1), 6.0, 0.0, 30.0, phases=1)
    bound = guard.measured(bound, connector, (6.0, 0.0, 0.0), 20.0, 20.0)
    bound = guard.measured(bound, connector, (6.0, 6.0, 6.0), 30.0, 30.0)
    assert bound.one_phase is OnePhase.BROKEN
    again = guard.accepted(guard.sent(bound, 6.0, 31.0, phases=1), 6.0, 31.0, 60.0, phases=1)
    assert guard.measured(again, connector, (6.0, 0.0, 0.0), 50.0, 50.0).one_phase is OnePhase.BROKEN


def test_an_acceptance_proves_nothing_while_an_order_for_three_phases_is_on_its_way() -> None:
    connector = switching("c1")
    bound = guard.sent(guard.unknown_bound(connector), 6.0, 0.0, phases=1)
    bound = guard.sent(bound, 8.0, 1.0)
    assert guard.accepted(bound, 6.0, 2.0, 30.0, phases=1).one_phase is None


def test_what_ends_a_limit_ends_what_was_seen_of_its_phases() -> None:
    connector = switching("c1")
    bound = guard.went_online(guard.unknown_bound(connector), connector, 0.0)
    bound = guard.accepted(guard.sent(bound, 6.0, 0.0, phases=1), 6.0, 0.0, 30.0, phases=1)
    bound = guard.measured(bound, connector, (6.0, 0.0, 0.0), 20.0, 20.0)
    assert guard.rebooted(bound, connector, 21.0).one_phase is None
    assert guard.transaction_ended(bound, connector, 21.0).one_phase is None
    assert guard.transaction_began(bound, connector, 21.0).one_phase is None


def test_one_that_was_away_is_to_be_seen_on_one_phase_anew() -> None:
    connector = switching("c1")
    bound = guard.went_online(guard.unknown_bound(connector), connector, 0.0)
    bound = guard.accepted(guard.sent(bound, 6.0, 0.0, phases=1), 6.0, 0.0, 60.0, phases=1)
    bound = guard.measured(bound, connector, (6.0, 0.0, 0.0), 20.0, 20.0)
    back = guard.went_online(guard.went_offline(bound, 21.0), connector, 40.0)
    assert back.one_phase is OnePhase.ORDERED
    assert guard.measured(back, connector, (6.0, 0.0, 0.0), 50.0, 50.0).one_phase is OnePhase.ORDERED
    assert guard.measured(back, connector, (6.0, 0.0, 0.0), 56.0, 56.0).one_phase is OnePhase.SEEN
    late = guard.went_online(guard.went_offline(bound, 21.0), connector, 61.0)
    assert late.one_phase is None
