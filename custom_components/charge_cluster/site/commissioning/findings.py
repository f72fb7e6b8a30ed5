"""What a commissioning test found about one connector or meter: kept, shown, used by the guard, signed by a person.

A finding holds for the firmware that it was made with. Figures are in A, s and shares; what a person reads is made from
`test`, `verdict` and `figures` by the translations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class CommissioningTest(StrEnum):
    """The tests that there are."""

    LIMIT_RESPONSE = "limit_response"
    """How soon and how exactly the vehicle follows a limit down and up: response and settling time."""
    MINIMUM = "minimum"
    """The least current at which it charges."""
    ZERO_AMPS = "zero_amps"
    """What 0 A does: pauses, ends the transaction, is not obeyed; whether it resumes."""
    PHASE_MAP = "phase_map"
    """Supply phases that its steps in draw appear on at the meter."""
    CONNECTION_LOSS = "connection_loss"
    """What it falls back to, and when, after its connection is pulled."""
    POWER_CYCLE = "power_cycle"
    """What it starts with after its power was cut while nobody talks to it."""
    RANDOM_DELAY = "random_delay"
    """Whether it delays increases or reductions by itself."""

    METER_DIRECTION = "meter_direction"
    """Whether steps of a known draw appear with the right sign, phase by phase."""
    METER_RATIO = "meter_ratio"
    """Whether they appear in the right size."""
    METER_SCOPE = "meter_scope"
    """Whether it sees vehicles at all, and what else."""
    METER_SPEED = "meter_speed"
    """Interval and lag of its readings."""


CHARGE_POINT_TESTS = (
    CommissioningTest.LIMIT_RESPONSE,
    CommissioningTest.MINIMUM,
    CommissioningTest.ZERO_AMPS,
    CommissioningTest.PHASE_MAP,
    CommissioningTest.RANDOM_DELAY,
    CommissioningTest.CONNECTION_LOSS,
    CommissioningTest.POWER_CYCLE,
)
METER_TESTS = (
    CommissioningTest.METER_SPEED,
    CommissioningTest.METER_SCOPE,
    CommissioningTest.METER_DIRECTION,
    CommissioningTest.METER_RATIO,
)

BY_HAND = frozenset({CommissioningTest.CONNECTION_LOSS, CommissioningTest.POWER_CYCLE})
"""Tests that need a person; the first can be simulated."""


class Verdict(StrEnum):
    """What a test says."""

    PASSED = "passed"
    FAILED = "failed"
    """It behaves in a way that the settings do not fit, or that is not safe."""
    INCONCLUSIVE = "inconclusive"
    """Nothing was proved: no vehicle, too noisy a building, an abort; `figures["why"]` is a translation key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one test."""

    subject: str
    """Connector key or meter id."""
    test: CommissioningTest
    verdict: Verdict
    at: float
    """UTC POSIX seconds."""
    firmware: str | None
    """Of the charge point or meter when it was tested; None: not told."""
    figures: Mapping[str, float | str | None] = field(default_factory=dict)
    """What was measured, by name: `settling_s`, `minimum_a`, `rotation` ("l2_l3_l1"), `fallback_a`, `sign_l1` …"""
    outdated: bool = False
    """Whether what was tested has changed since (firmware, settings of the meter): it is shown, and proves nothing."""


class CommissionedState(StrEnum):
    """How far a charge point or meter is commissioned."""

    NOT_DONE = "not_done"
    """Not every test has proved something yet."""
    DONE = "done"
    OUTDATED = "outdated"
    """It was, with other firmware or settings."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommissionedView:
    """What commissioning has come to, for a device."""

    state: CommissionedState = CommissionedState.NOT_DONE
    tested_at: float | None = None
    """UTC POSIX seconds of the newest finding; None: there is none."""
    verdicts: Mapping[str, str] = field(default_factory=dict)
    """Of each test that was made ("1 limit_response" where there are several connectors), "outdated" where it is."""


NOT_COMMISSIONED = CommissionedView()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a running test is."""

    subject: str
    test: CommissioningTest
    step: str
    """Translation key of what happens now."""
    done: float
    """Share of the whole run, 0 to 1."""
    request: str | None = None
    """Translation key of what a person must do now ("pull_network", "restore_network", "cut_power", "restore_power");
    the run waits until it is seen or answered. None: nothing."""
