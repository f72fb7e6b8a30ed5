"""What the guard makes of findings: credit only where it is proved and holds, doubt until the contrary is proved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.engine import guard
from custom_components.charge_cluster.engine.model import Connector
from custom_components.charge_cluster.site.commissioning.book import summary
from custom_components.charge_cluster.site.commissioning.facts import (
    MOST_DELAY_S,
    SETTLING_MARGIN,
    Hold,
    facts_of,
    phases_of,
    rotation_differs,
    rotation_key,
)
from custom_components.charge_cluster.site.commissioning.findings import (
    CHARGE_POINT_TESTS,
    METER_TESTS,
    CommissionedState,
    CommissioningTest,
    Finding,
    Verdict,
)
from custom_components.charge_cluster.site.settings import ConnectorWish
from tests.commissioning.stage import Stage, a_stage, play
from tests.virtual_time import VirtualLoop

Check = CommissioningTest


def found(test: Check, verdict: Verdict = Verdict.PASSED, **figures: float | str | None) -> Finding:
    return Finding(subject="p1/1", test=test, verdict=verdict, at=1.0, firmware="1.0", figures=figures)


def test_a_settling_time_is_credited_with_its_margin_where_only_the_meter_showed_it() -> None:
    by_meter = found(Check.LIMIT_RESPONSE, settling_s=8.0, source="meter")
    assert facts_of([by_meter], None).settling_s == SETTLING_MARGIN * 8.0
    for proves_nothing in (
        replace(by_meter, outdated=True),
        replace(by_meter, verdict=Verdict.FAILED),
        replace(by_meter, verdict=Verdict.INCONCLUSIVE),
        found(Check.LIMIT_RESPONSE, settling_s=8.0, source="charge_point"),
    ):
        assert facts_of([proves_nothing], None).settling_s is None


def test_a_delay_takes_the_settling_time_away_and_is_bounded() -> None:
    settling = found(Check.LIMIT_RESPONSE, settling_s=8.0, source="meter")
    delay = found(Check.RANDOM_DELAY, Verdict.FAILED, raise_delay_s=40.0, reduction_delay_s=None)
    facts = facts_of([settling, delay], None)
    assert (facts.settling_s, facts.delay_s) == (None, 60.0)
    long = found(Check.RANDOM_DELAY, Verdict.FAILED, raise_delay_s=400.0, reduction_delay_s=10.0)
    assert facts_of([long], None).delay_s == MOST_DELAY_S
    assert guard.CAR_SETTLING_S + MOST_DELAY_S <= guard.HISTORY_S


@pytest.mark.parametrize("test", [Check.CONNECTION_LOSS, Check.POWER_CYCLE])
def test_a_fallback_that_was_not_kept_is_in_doubt_over_new_firmware_until_a_test_passes(test: Check) -> None:
    failed = found(test, Verdict.FAILED, fallback_a=32.0)
    assert not facts_of([failed], None).fallback_kept
    assert not facts_of([replace(failed, outdated=True)], None).fallback_kept
    assert facts_of([replace(failed, verdict=Verdict.PASSED)], None).fallback_kept
    assert not facts_of([], Hold(fallback_in_doubt=True)).fallback_kept


@given(cap=st.none() | st.floats(0.0, 80.0), test=st.none() | st.floats(0.0, 80.0))
def test_a_test_never_lifts_a_cap(cap: float | None, test: float | None) -> None:
    held = facts_of([], Hold(cap_a=test)).capped(cap)
    for limit in (cap, test):
        assert limit is None or (held is not None and held <= limit)
    assert (held is None) == (cap is None and test is None)


@given(rotation=st.permutations([0, 1, 2]).map(tuple), terminal=st.integers(0, 2), seen=st.integers(0, 2))
def test_a_rotation_differs_when_the_terminal_is_seen_on_another_phase(
    rotation: tuple[int, ...], terminal: int, seen: int
) -> None:
    finding = found(Check.PHASE_MAP, rotation=rotation_key((seen,)), own=rotation_key((terminal,)))
    assert rotation_differs(finding, rotation) is (rotation[terminal] != seen)
    assert phases_of(rotation_key(rotation)) == rotation
    assert not rotation_differs(finding, None)
    assert not rotation_differs(replace(finding, verdict=Verdict.INCONCLUSIVE), rotation)


def test_a_low_draw_proves_nothing_before_a_delayed_raise_can_have_been_followed() -> None:
    prompt = Connector(connector_id="a", circuit_id="supply", rotation=(0, 1, 2), fallback_a=0.0)
    for delay_s, proved_at in ((0.0, 40.0), (60.0, 100.0)):
        connector = replace(prompt, delay_s=delay_s)
        bound = guard.unknown_bound(connector)
        bound = guard.fallback_stored(guard.went_online(bound, connector, 0.0), 0.0, idle=True, now=0.0)
        bound = guard.accepted(guard.sent(bound, 32.0, 10.0), 32.0, 10.1, 45.0)
        bound = guard.accepted(guard.sent(bound, 6.0, 20.0), 6.0, 20.1, 55.0)
        bound = guard.at_time(bound, connector, 20.2)
        early = guard.measured(bound, connector, (6.0, 6.0, 6.0), proved_at - 10.0, proved_at - 9.9)
        assert early.held_a == (32.0 if proved_at - 10.0 <= 20.1 + 15.0 + delay_s else 6.0)
        late = guard.measured(bound, connector, (6.0, 6.0, 6.0), proved_at, proved_at + 0.1)
        assert late.held_a == 6.0


def test_a_connector_without_measurement_is_credited_by_the_time_that_the_meter_showed() -> None:
    async def story(stage: Stage) -> None:
        stage.post("P1").measures = False
        stage.plug("P1")
        await stage.run(60)
        outcome = await stage.commission("p1/1", Check.LIMIT_RESPONSE)
        finding = outcome[Check.LIMIT_RESPONSE]
        assert finding.verdict is Verdict.PASSED
        assert finding.figures["source"] == "meter"
        settling = stage.site.commissioning.facts("p1/1").settling_s
        assert settling is not None
        assert 8.0 <= settling <= 25.0
        await stage.run(90)
        assert stage.site.connectors["p1/1"].worst_case_a >= 16.0
        stage.site.wish("p1/1", ConnectorWish(cap_a=6.0))
        await stage.run(3)
        assert stage.site.connectors["p1/1"].worst_case_a > 6.0
        await stage.run(settling + 3)
        assert stage.site.connectors["p1/1"].worst_case_a == 6.0

    play(a_stage(VirtualLoop()), story)


def test_a_device_is_done_when_everything_passed_and_failed_when_anything_failed() -> None:
    every = [found(test) for test in CHARGE_POINT_TESTS]
    assert summary({"p1/1": every}).state is CommissionedState.DONE
    assert summary({"p1/1": every, "p1/2": every[:3]}).state is CommissionedState.NOT_DONE
    assert summary({"p1/1": every, "p1/2": []}).verdicts["1 minimum"] == "passed"
    failed = [*every[:-1], replace(every[-1], verdict=Verdict.FAILED)]
    assert summary({"p1/1": failed}).state is CommissionedState.FAILED
    old = [replace(finding, outdated=True) for finding in every]
    assert summary({"p1/1": old}).state is CommissionedState.OUTDATED
    assert summary({"meter": [found(test) for test in METER_TESTS]}).state is CommissionedState.DONE
    assert summary({}).state is CommissionedState.NOT_DONE
    assert summary({"p1/1": []}).tested_at is None
