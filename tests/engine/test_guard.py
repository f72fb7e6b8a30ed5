"""What is proved about one charger: what counts, what frees current, and what is forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine import guard
from custom_components.charge_cluster.engine.base_load import BaseMemory, follow
from custom_components.charge_cluster.engine.guard import (
    CAR_SETTLING_S,
    CLOCK_SLACK_S,
    HISTORY_S,
    MAX_HISTORY,
    DrawBound,
)
from custom_components.charge_cluster.engine.model import Connector, MeterReading, PhaseAmps

from .sites import a_connector, all_phases

CONNECTOR = a_connector("a", fallback_a=6.0)


def online(amps: float, now: float = 0.0) -> DrawBound:
    """Return a bound that is proved to be at a limit, with its fallback in place."""
    bound = guard.went_online(guard.unknown_bound(CONNECTOR), CONNECTOR, now)
    bound = guard.fallback_stored(bound, 6.0, idle=True, now=now)
    bound = guard.idle(bound, now)
    bound = guard.accepted(guard.sent(bound, amps, now), amps, now, now + 30.0)
    assert guard.worst_case_a(CONNECTOR, bound) == max(6.0, amps)
    return bound


def worst(bound: DrawBound) -> float:
    return guard.worst_case_a(CONNECTOR, bound)


def test_who_was_never_heard_of_counts_at_its_hardware() -> None:
    assert worst(guard.unknown_bound(CONNECTOR)) == 32.0


def test_a_connection_proves_nothing_and_a_second_one_changes_nothing() -> None:
    bound = guard.went_online(guard.unknown_bound(CONNECTOR), CONNECTOR, 0.0)
    assert worst(bound) == 32.0
    assert guard.went_online(bound, CONNECTOR, 5.0) is bound


def test_going_offline_twice_is_going_offline_once() -> None:
    bound = guard.went_offline(online(16.0), 1.0)
    assert guard.went_offline(bound, 9.0) is bound
    assert bound.offline_since == 1.0


def test_a_raise_counts_when_it_is_sent() -> None:
    assert worst(guard.sent(online(10.0), 20.0, 1.0)) == 20.0


def test_a_reduction_frees_nothing_until_a_later_measurement_shows_it() -> None:
    bound = guard.sent(online(20.0), 8.0, 100.0)
    assert worst(bound) == 20.0
    bound = guard.accepted(bound, 8.0, 101.0, 131.0)
    assert worst(bound) == 20.0
    early = guard.measured(bound, CONNECTOR, all_phases(20.0), 100.5, 101.0)
    assert worst(early) == 20.0
    still_high = guard.measured(early, CONNECTOR, all_phases(20.0), 103.0, 103.0)
    assert worst(still_high) == 20.0
    shown = guard.measured(still_high, CONNECTOR, all_phases(8.0), 108.0, 108.0)
    assert worst(shown) == 8.0


def test_a_car_that_may_still_follow_an_older_offer_has_to_be_seen_after_it_settled() -> None:
    bound = guard.sent(online(6.0), 20.0, 100.0)
    bound = guard.accepted(bound, 20.0, 100.0, 130.0)
    bound = guard.accepted(guard.sent(bound, 8.0, 103.0), 8.0, 103.0, 133.0)
    soon = guard.measured(bound, CONNECTOR, all_phases(6.0), 105.0, 105.0)
    assert worst(soon) == 20.0
    late = guard.measured(soon, CONNECTOR, all_phases(8.0), 103.5 + CAR_SETTLING_S, 119.0)
    assert worst(late) == 8.0


def test_a_car_that_was_only_told_less_and_less_is_seen_to_come_down_at_once() -> None:
    bound = guard.accepted(guard.sent(online(20.0), 12.0, 100.0), 12.0, 100.0, 130.0)
    bound = guard.accepted(guard.sent(bound, 8.0, 104.0), 8.0, 104.0, 134.0)
    between = guard.measured(bound, CONNECTOR, all_phases(12.0), 105.0, 105.0)
    assert worst(between) == 20.0
    seen = guard.measured(between, CONNECTOR, all_phases(8.0), 107.0, 107.0)
    assert worst(seen) == 8.0


def test_a_car_that_was_told_more_in_between_is_not() -> None:
    bound = online(20.0)
    for at, amps in ((100.0, 8.0), (103.0, 12.0), (106.0, 8.0)):
        bound = guard.accepted(guard.sent(bound, amps, at), amps, at, at + 30.0)
    soon = guard.measured(bound, CONNECTOR, all_phases(8.0), 107.0, 107.0)
    assert worst(soon) == 20.0


def test_a_car_that_obeys_draws_at_most_what_it_was_told_in_the_time_that_it_has() -> None:
    bound = online(20.0)
    for at, amps in ((100.0, 12.0), (110.0, 8.0)):
        bound = guard.accepted(guard.sent(bound, amps, at), amps, at, at + 30.0)
    settled = CAR_SETTLING_S + CLOCK_SLACK_S
    told = {at: guard.told_at_most_a(bound, at) for at in (100.0 + settled, 101.0 + settled, 111.0 + settled)}
    assert list(told.values()) == [20.0, 12.0, 8.0]
    assert guard.comes_down(bound, 111.0)
    # Of one that was seen not to obey nobody knows, nor of one whose limit is not known.
    ignores = guard.measured(bound, CONNECTOR, all_phases(20.0), 130.0, 130.0)
    assert guard.told_at_most_a(ignores, 140.0) is None
    assert guard.told_at_most_a(guard.unknown_bound(CONNECTOR), 140.0) is None


def test_what_was_measured_within_the_tolerance_is_not_waited_for_longer_than_a_car_needs() -> None:
    bound = guard.accepted(guard.sent(online(32.0), 31.0, 100.0), 31.0, 100.0, 130.0)
    bound = guard.measured(bound, CONNECTOR, all_phases(31.8), 105.0, 105.0)
    assert worst(bound) == 31.8
    assert guard.comes_down(bound, 106.0)
    assert not guard.comes_down(bound, 101.0 + CAR_SETTLING_S)


def test_a_car_that_was_seen_to_come_down_is_looked_at_a_second_time() -> None:
    bound = online(20.0)
    assert not guard.comes_down(bound, 99.0)
    bound = guard.accepted(guard.sent(bound, 8.0, 100.0), 8.0, 100.0, 130.0)
    bound = guard.measured(bound, CONNECTOR, all_phases(8.0), 105.0, 105.0)
    assert guard.comes_down(bound, 105.0 + CLOCK_SLACK_S)
    assert not guard.comes_down(bound, 105.0 + 2 * CLOCK_SLACK_S)


def test_a_measurement_that_is_older_than_the_last_is_passed_over() -> None:
    bound = guard.measured(online(20.0), CONNECTOR, all_phases(20.0), 50.0, 50.0)
    assert guard.measured(bound, CONNECTOR, all_phases(0.0), 40.0, 51.0) is bound


def test_who_draws_more_than_its_limit_counts_at_what_it_draws() -> None:
    bound = guard.measured(online(8.0), CONNECTOR, all_phases(31.0), 40.0, 40.0)
    assert worst(bound) == 31.0
    assert guard.obeys(bound) is False


def test_a_refused_limit_leaves_the_one_before() -> None:
    bound = guard.refused(guard.sent(online(20.0), 8.0, 1.0), 8.0)
    assert bound.limit_a == 20.0
    assert not bound.in_flight
    assert worst(bound) == 20.0


def test_answers_overtake_older_orders_and_no_newer_ones() -> None:
    bound = online(6.0)
    for amps in (10.0, 16.0, 12.0):
        bound = guard.sent(bound, amps, 1.0)
    bound = guard.accepted(bound, 16.0, 2.0, 32.0)
    assert bound.in_flight == (12.0,)
    assert worst(bound) == 16.0


def test_an_answer_to_what_nobody_remembers_counts_all_the_same() -> None:
    assert worst(guard.accepted(online(6.0), 14.0, 2.0, 32.0)) == 14.0


def test_a_limit_runs_out_into_the_fallback_only_when_nobody_renews_it() -> None:
    bound = online(20.0)
    assert guard.at_time(bound, CONNECTOR, 500.0).limit_a == 20.0
    gone = guard.went_offline(bound, 10.0)
    assert worst(guard.at_time(gone, CONNECTOR, 29.0)) == 20.0
    fell_back = guard.at_time(gone, CONNECTOR, 31.0)
    assert fell_back.limit_a == 6.0
    assert worst(guard.at_time(fell_back, CONNECTOR, 30.0 + CAR_SETTLING_S)) == 6.0


def test_a_fallback_that_was_never_proved_counts_as_the_hardware() -> None:
    bound = guard.went_online(guard.unknown_bound(CONNECTOR), CONNECTOR, 0.0)
    bound = guard.accepted(guard.sent(bound, 8.0, 0.0), 8.0, 0.0, 30.0)
    bound = guard.measured(bound, CONNECTOR, all_phases(8.0), 20.0, 20.0)
    assert bound.held_a == 8.0
    assert worst(bound) == 32.0


@pytest.mark.parametrize("kept", [True, False])
def test_where_a_fallback_is_not_proved_nobody_knows_what_it_went_to(kept: bool) -> None:
    """A limit below what it may be at most would pass for a reduction, and be a raise for a charger at 0 A."""
    connector = replace(CONNECTOR, fallback_kept=kept)
    for change in (guard.transaction_began, guard.transaction_ended, guard.rebooted):
        after = change(online(8.0), connector, 5.0)
        assert after.limit_a == (6.0 if kept else None)
        assert worst(after) == (8.0 if kept else 32.0)
    unproved = guard.accepted(guard.went_online(guard.unknown_bound(CONNECTOR), CONNECTOR, 0.0), 8.0, 0.0, 30.0)
    away = guard.at_time(guard.went_offline(unproved, 1.0), CONNECTOR, 40.0)
    assert away.limit_a is None


def test_a_higher_fallback_counts_from_when_it_is_sent_and_a_lower_one_from_when_it_is_stored() -> None:
    bound = guard.fallback_sent(online(6.0), 10.0)
    assert worst(bound) == 10.0
    assert worst(guard.fallback_sent(bound, 8.0)) == 10.0
    assert worst(guard.fallback_stored(bound, 8.0, idle=False, now=1.0)) == 8.0
    unknown = guard.unknown_bound(CONNECTOR)
    assert worst(guard.fallback_sent(unknown, 8.0)) == 32.0


def test_over_a_restart_of_ours_what_was_proved_counts_until_it_runs_out() -> None:
    bound = guard.remembered_bound(CONNECTOR, limit_a=16.0, held_a=16.0, fallback_a=6.0, expires_at=20.0, now=0.0)
    assert worst(bound) == 16.0
    assert worst(guard.at_time(bound, CONNECTOR, 20.0 + CAR_SETTLING_S)) == 6.0
    nothing = guard.remembered_bound(CONNECTOR, limit_a=None, held_a=8.0, fallback_a=None, expires_at=None, now=0.0)
    assert worst(nothing) == 32.0


def test_the_settling_time_proved_at_commissioning_stands_for_a_measurement() -> None:
    proved = replace(CONNECTOR, settling_s=8.0)
    bound = guard.accepted(guard.sent(online(20.0), 8.0, 10.0), 8.0, 10.0, 40.0)
    assert guard.worst_case_a(proved, guard.at_time(bound, proved, 17.0)) == 20.0
    assert guard.worst_case_a(proved, guard.at_time(bound, proved, 18.0)) == 8.0
    above = guard.measured(bound, proved, all_phases(20.0), 12.0, 12.0)
    assert guard.worst_case_a(proved, guard.at_time(above, proved, 30.0)) == 20.0


def test_an_empty_connector_holds_no_more_than_its_limit() -> None:
    bound = guard.accepted(guard.sent(online(20.0), 8.0, 10.0), 8.0, 10.0, 40.0)
    assert worst(guard.unplugged(bound, 12.0)) == 8.0
    pending = guard.sent(bound, 6.0, 11.0)
    assert worst(guard.unplugged(pending, 12.0)) == 20.0


def test_unknown_rotation_is_drawn_somewhere_but_on_no_phase_for_sure() -> None:
    unknown = a_connector("a", rotation=None)
    bound = guard.went_online(guard.unknown_bound(unknown), unknown, 0.0)
    bound = guard.measured(bound, unknown, (10.0, 0.0, 0.0), 1.0, 1.0)
    assert bound.draws[-1].amps == (10.0, 10.0, 10.0)
    assert guard.drawn_at(bound, unknown, 1.5)[0] == (0.0, 0.0, 0.0)


def test_what_was_drawn_between_two_samples_lies_between_them() -> None:
    bound = online(20.0, now=-60.0)
    bound = guard.measured(bound, CONNECTOR, all_phases(18.0), 0.0, 0.0)
    bound = guard.measured(bound, CONNECTOR, all_phases(16.0), 10.0, 10.0)
    assert guard.drawn_at(bound, CONNECTOR, 5.0)[0] == (16.0, 16.0, 16.0)
    assert guard.most_at(bound, CONNECTOR, 5.0) == (18.0, 18.0, 18.0)


def test_a_raise_between_two_samples_may_have_been_followed_by_then() -> None:
    bound = guard.measured(online(10.0, now=-60.0), CONNECTOR, all_phases(10.0), 0.0, 0.0)
    bound = guard.accepted(guard.sent(bound, 20.0, 1.0), 20.0, 1.0, 31.0)
    bound = guard.measured(bound, CONNECTOR, all_phases(10.0), 5.0, 5.0)
    assert guard.most_at(bound, CONNECTOR, 4.0) == (20.0, 20.0, 20.0)
    assert guard.drawn_at(bound, CONNECTOR, 4.0)[0] == (10.0, 10.0, 10.0)


def test_a_reduction_that_nobody_has_measured_since_may_have_been_followed_at_once() -> None:
    bound = guard.measured(online(20.0, now=-60.0), CONNECTOR, all_phases(20.0), 0.0, 0.0)
    bound = guard.sent(bound, 8.0, 1.0)
    assert guard.drawn_at(bound, CONNECTOR, 2.0)[0] == (8.0, 8.0, 8.0)
    seen = guard.measured(bound, CONNECTOR, all_phases(20.0), 3.0, 3.0)
    assert guard.drawn_at(seen, CONNECTOR, 2.0)[0] == (20.0, 20.0, 20.0)


def test_an_old_sample_says_nothing_of_now() -> None:
    bound = guard.measured(online(20.0), CONNECTOR, all_phases(20.0), 1.0, 1.0)
    assert guard.drawn_at(bound, CONNECTOR, 2.0 + HISTORY_S)[0] == (0.0, 0.0, 0.0)


def test_a_flood_of_samples_costs_bounded_memory() -> None:
    bound = online(20.0)
    for number in range(3 * MAX_HISTORY):
        at = 40.0 + number / 100.0
        bound = guard.measured(bound, CONNECTOR, all_phases(float(number % 7)), at, at)
        bound = guard.sent(bound, float(6 + number % 9), at)
    assert len(bound.draws) <= MAX_HISTORY
    assert len(bound.orders) <= MAX_HISTORY + 1


@pytest.mark.parametrize(("drawn", "obeys"), [(8.2, True), (9.5, False)])
def test_small_excess_is_the_meters(drawn: float, obeys: bool) -> None:
    bound = guard.measured(online(8.0), CONNECTOR, all_phases(drawn), 2.0 + CAR_SETTLING_S, 18.0)
    assert guard.obeys(bound) is obeys


@given(
    story=st.lists(
        st.tuples(
            st.sampled_from(["send", "accept", "refuse", "measure", "drop", "back", "wait"]), st.floats(0.0, 32.0)
        ),
        max_size=30,
    )
)
def test_no_story_brings_the_worst_case_below_an_unproved_order_or_the_fallback(story: list[tuple[str, float]]) -> None:
    """Promise 1: limits in flight and the fallback always count, and a draw counts at once."""
    bound, now = online(16.0), 20.0
    for what, amps in story:
        now += 1.0
        match what:
            case "send":
                bound = guard.sent(bound, amps, now)
            case "accept" if bound.in_flight:
                bound = guard.accepted(bound, bound.in_flight[0], now, now + 30.0)
            case "refuse" if bound.in_flight:
                bound = guard.refused(bound, bound.in_flight[-1])
            case "measure":
                bound = guard.measured(bound, CONNECTOR, all_phases(amps), now, now)
                assert worst(bound) >= amps
            case "drop":
                bound = guard.went_offline(bound, now)
            case "back":
                bound = guard.went_online(bound, CONNECTOR, now)
            case _:
                now += 10.0
        bound = guard.at_time(bound, CONNECTOR, now)
        assert worst(bound) >= max((6.0, *bound.in_flight))
        assert bound.limit_a is None or worst(bound) >= bound.limit_a


def test_a_car_that_stopped_by_itself_is_no_base_load_that_fell() -> None:
    """Until its charger reports both look the same; what was given to others comes on top when it goes on."""
    bound = guard.measured(online(16.0), CONNECTOR, all_phases(16.0), 20.0, 20.0)
    memory = BaseMemory()

    def shown(amps: float, at: float, bound: DrawBound) -> PhaseAmps:
        nonlocal memory
        reading = MeterReading(circuit_id="supply", amps=all_phases(amps), measured_at=at, timeout_s=10.0)
        memory, load = follow(memory, reading, [(CONNECTOR, bound)], at)
        return load.upper

    assert shown(46.0, 20.0, bound) == all_phases(30.0)
    assert shown(30.0, 21.0, bound) == all_phases(30.0)
    stopped = guard.measured(bound, CONNECTOR, all_phases(0.0), 22.0, 22.0)
    assert shown(30.0, 22.0, stopped) == all_phases(30.0)
    # A base load that did fall is believed with the next report.
    still = guard.measured(stopped, CONNECTOR, all_phases(0.0), 32.0, 32.0)
    shown(20.0, 30.0, still)
    assert memory.settled == all_phases(20.0)


@pytest.mark.parametrize("orders_at", [None, 8.0])
def test_an_overload_that_the_meter_shows_is_believed_though_nothing_proves_a_jump(orders_at: float | None) -> None:
    """After a start little is known of the vehicles: all that the meter shows may be theirs, or nothing."""
    bound = guard.went_online(guard.unknown_bound(CONNECTOR), CONNECTOR, 0.0)
    if orders_at is not None:
        bound = guard.sent(bound, 6.0, orders_at)
    memory = BaseMemory(settled=all_phases(20.0))
    believed = {}
    for second in range(20):
        shown = MeterReading(
            circuit_id="supply", amps=all_phases(110.0 + 0.1 * (second % 3)), measured_at=float(second), timeout_s=10.0
        )
        memory, load = follow(memory, shown, [(CONNECTOR, bound)] * 4, float(second), all_phases(100.0))
        believed[second] = load.believed[0]
    assert believed[14] == 20.0
    # Who was told something a moment ago is given the time to follow.
    assert believed[19] == (pytest.approx(110.0, abs=0.3) if orders_at is None else 20.0)


def test_a_measurement_proves_a_reduction_though_the_renewal_of_the_limit_is_under_way() -> None:
    """Samples and renewals every ten seconds met each other for ever, so that what was freed was never given on."""
    connector = Connector(connector_id="c", circuit_id="supply", rotation=(0, 1, 2))
    bound = guard.went_online(guard.unknown_bound(connector), connector, 0.0)
    bound = guard.fallback_stored(bound, 0.0, idle=False, now=0.0)
    for amps, at in ((17.0, 1.0), (13.0, 60.0)):
        bound = guard.accepted(guard.sent(bound, amps, at), amps, at, expires_at=at + 30.0)
    renewed = guard.sent(bound, 13.0, 90.0)
    assert guard.measured(renewed, connector, (13.0, 13.0, 13.0), 90.0, 90.0).held_a == 13.0
    lowered = guard.sent(bound, 8.0, 90.0)
    assert guard.measured(lowered, connector, (13.0, 13.0, 13.0), 90.0, 90.0).held_a > 13.0
