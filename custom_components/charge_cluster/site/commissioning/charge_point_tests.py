"""Tests of a charge point that need nobody's hands: how it follows limits, its minimum, 0 A, its phases, its delays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from ...engine.model import PHASES
from . import analysis
from .analysis import Response
from .facts import phases_of, rotation_differs, rotation_key
from .findings import CommissioningTest, Finding, Verdict
from .trial import (
    CHARGES_FROM_A,
    HIGH_A,
    LEAST_SPREAD_A,
    LEVEL_WITHIN_S,
    NOTHING_FLOWS_A,
    ORDERED_WITHIN_S,
    STEP_S,
    NoProof,
    Stair,
    Stairs,
    Trial,
)

type Figures = dict[str, float | str | None]

SETTLES_WITHIN_S = 30.0
"""A vehicle that takes longer to come down is not controlled: a breaker does not wait so long."""

OVERSHOOT_A = 1.5
OVERSHOOT_SHARE = 0.08
"""More above its limit than this, once it has settled, is not keeping it."""

SELDOM_S = 15.0
"""Who measures less often than this shows a step less well than a meter above."""

DELAY_FROM_S = 30.0
"""No vehicle needs so long to begin to follow: what takes longer is a delay of the charge point's own."""

PILOT_MINIMUM_A = 6.0
"""The least that IEC 61851-1 can offer."""

LIKE_A = 0.01
"""Limits that differ by less are the same."""

MINIMUM_STEP_S = 45.0
SETTLING_S = 15.0
"""After a change a measurement counts from here on."""

PAUSE_STAYS_S = 15.0
RESUMES_WITHIN_S = 150.0
"""Cars that fell asleep have been seen to need two minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a test says."""

    verdict: Verdict
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class StairResponse:
    """How one step was followed, by who showed it best."""

    stair: Stair
    response: Response
    source: str


def responses(stairs: Stairs) -> list[StairResponse]:
    """Return how each step was followed: by the connector's own measurements, or by the nearest meter that shows it."""
    trial = stairs.trial
    own = [(at, max(amps)) for at, amps in trial.witness.draws]
    found = []
    for stair in stairs.taken:
        shown = _on_meter(stairs, stair) if trial.sampled_every_s > SELDOM_S or not trial.measures else None
        if shown is not None:
            found.append(StairResponse(stair=stair, response=shown, source="meter"))
        elif trial.measures:
            level = trial.own_level(stair.at + 1.0, stair.at - LEVEL_WITHIN_S)
            before = stair.before_a if level is None else max(level)
            seen = analysis.response(own, at=stair.at, until=stair.until, before_a=before)
            if seen is not None:
                found.append(StairResponse(stair=stair, response=seen, source="charge_point"))
    return found


def _on_meter(stairs: Stairs, stair: Stair) -> Response | None:
    """Return how a meter showed a step of a connector that measures seldom or never, less what flowed before."""
    trial = stairs.trial
    for meter in trial.meters():
        shown = analysis.phases_seen(analysis.fits(stairs.steps_on(meter.meter_id)))
        level = trial.meter_level(meter.meter_id, stair.at)
        if not shown or level is None:
            continue
        own = trial.own_level(stair.at + 1.0, stair.at - LEVEL_WITHIN_S)
        before = stair.before_a if own is None else max(own)
        samples = [
            (at, before + analysis.mean_on(analysis.difference(amps, level), shown))
            for at, amps in trial.witness.meter_samples(meter.meter_id)
        ]
        return analysis.response(samples, at=stair.at, until=stair.until, before_a=before)
    return None


def limit_response(stairs: Stairs) -> Outcome:
    """Say how soon and how exactly limits are followed."""
    found = responses(stairs)
    down = [one for one in found if not one.stair.raises]
    up = [one for one in found if one.stair.raises]
    if len(down) < analysis.A_PAIR or not up:
        raise NoProof("not_measured")
    settled = [one.response.settled_s for one in down]
    # A vehicle that takes less than it is offered is not above its limit, and says nothing of how it follows.
    moved = [one for one in down if one.response.left_after_s is not None]
    beyond = max(one.response.end_a - one.stair.limit_a for one in found)
    slowest = None if None in settled else max(s for s in settled if s is not None)
    raised = [one.response.settled_s for one in up if one.response.settled_s is not None]
    left = [one.response.left_after_s for one in moved if one.response.left_after_s is not None]
    figures: Figures = {
        "steps": float(len(found)),
        "response_s": _round(max(left, default=None)),
        "settling_s": _round(slowest),
        "raise_s": _round(max(raised, default=None)),
        "overshoot_a": _round(max(0.0, beyond)),
        "source": "charge_point" if stairs.trial.measures else "meter",
    }
    ignored = beyond > max(OVERSHOOT_A, OVERSHOOT_SHARE * max(one.stair.limit_a for one in down))
    if ignored:
        return Outcome(verdict=Verdict.FAILED, figures=figures | {"reason": "limit_not_kept"})
    if not moved:
        raise NoProof("step_too_small", **figures)
    if slowest is None:
        raise NoProof("noisy", **figures)
    if max(one.response.unsettled_at_s for one in down) > SETTLES_WITHIN_S:
        return Outcome(verdict=Verdict.FAILED, figures=figures | {"reason": "too_slow"})
    return Outcome(verdict=Verdict.PASSED, figures=figures)


def random_delay(stairs: Stairs) -> Outcome:
    """Say whether steps are followed late by a delay of the charge point's own."""
    found = responses(stairs)
    raises = [_delay(one) for one in found if one.stair.raises]
    reductions = [_delay(one) for one in found if not one.stair.raises]
    if min(len(raises), len(reductions)) < analysis.A_PAIR:
        raise NoProof("not_measured")
    known_raises = [delay for delay in raises if delay is not None]
    known_reductions = [delay for delay in reductions if delay is not None]
    late_up = max(known_raises, default=0.0) > DELAY_FROM_S
    late_down = max(known_reductions, default=0.0) > DELAY_FROM_S
    delayed = "both" if late_up and late_down else "raises" if late_up else "reductions" if late_down else "none"
    figures: Figures = {
        "steps": float(len(found)),
        "raise_delay_s": _round(max(known_raises, default=None)),
        "reduction_delay_s": _round(max(known_reductions, default=None)),
        "delayed": delayed,
    }
    if delayed != "none":
        return Outcome(verdict=Verdict.FAILED, figures=figures)
    if min(len(known_raises), len(known_reductions)) < analysis.A_PAIR:
        raise NoProof("step_too_small", **figures)
    return Outcome(verdict=Verdict.PASSED, figures=figures)


def _delay(one: StairResponse) -> float | None:
    """Return how long a step was provably not followed; None: it never was, which may be the vehicle's own will."""
    return None if one.response.left_after_s is None else one.response.still_at_s


def phase_map(stairs: Stairs) -> Outcome:
    """Say which phases of the supply a vehicle's steps appear on."""
    trial = stairs.trial
    meters = trial.meters()
    if not meters:
        raise NoProof("no_meter")
    used = stairs.terminals()
    configured = trial.connector.rotation
    why, best = "phase_not_seen", None
    for meter in meters:
        fits = analysis.fits(stairs.steps_on(meter.meter_id))
        seen = analysis.phases_seen(fits)
        if seen is None:
            why = "noisy"
        if seen:
            best = (fits, seen)
            break
    if best is None:
        raise NoProof(why, configured=rotation_key(configured))
    fits, seen = best
    figures: Figures = {
        "rotation": rotation_key(seen),
        "configured": rotation_key(configured),
        "own": rotation_key(used) if used else None,
        "steps": float(min(fits[phase].agreeing for phase in seen)),
        "signal_to_noise": _round(min(fits[phase].signal_to_noise for phase in seen)),
    }
    if not used:
        raise NoProof("not_measured", **figures)
    wired = len(PHASES) if configured is None else len(configured)
    if len(used) == len(PHASES) == wired == len(seen):
        # All three rise together: that they are all there is proved, in which order is not.
        raise NoProof("needs_single_phase_vehicle", **figures)
    found = Finding(
        subject="", test=CommissioningTest.PHASE_MAP, verdict=Verdict.PASSED, at=0.0, firmware=None, figures=figures
    )
    if rotation_differs(found, configured) or len(used) != len(seen):
        return Outcome(verdict=Verdict.FAILED, figures=figures)
    return Outcome(verdict=Verdict.PASSED, figures=figures)


async def minimum(trial: Trial) -> Outcome:
    """Find the least current at which the vehicle charges."""
    await trial.charging(trial.highest_a)
    if trial.drawn_a is None:
        raise NoProof("not_measured")
    trial.tell("finding_minimum", None)
    configured = trial.connector.minimum_a
    for amps in _offers(trial, min(PILOT_MINIMUM_A, configured)):
        if await _charges_at(trial, amps):
            verdict = Verdict.FAILED if amps > configured + LIKE_A else Verdict.PASSED
            return Outcome(verdict=verdict, figures={"minimum_a": amps, "configured_a": configured})
    raise NoProof("no_vehicle", configured_a=configured)


def _offers(trial: Trial, least: float) -> Sequence[float]:
    """Return the currents to offer a vehicle one after the other: those that its charge point knows, or whole amps."""
    most = min(HIGH_A, trial.connector.maximum_a)
    steps = trial.point.steps_a
    if steps is not None:
        return [amps for amps in steps if amps <= most]
    return [least + more for more in range(floor(most - least) + 1)]


async def _charges_at(trial: Trial, amps: float) -> bool:
    """Return whether it charges when it is offered just so much. Raises NoProof where that cannot be offered."""
    since = trial.now
    trial.hold(amps, minimum_a=amps)
    if not await trial.until(lambda: abs(trial.view.limit_a - amps) < LIKE_A, ORDERED_WITHIN_S):
        raise NoProof("no_headroom", configured_a=trial.connector.minimum_a)
    patience = SETTLING_S + trial.patience_s(MINIMUM_STEP_S)
    return await trial.until(lambda: _keeps_drawing(trial, amps, since), patience)


def _keeps_drawing(trial: Trial, amps: float, since: float) -> bool:
    """Return whether it draws current, and no more than it is held to, in two measurements long after the change."""
    trial.check_plugged()
    after = [max(drawn) for at, drawn in trial.witness.draws if at >= since + SETTLING_S]
    return len(after) >= analysis.A_PAIR and all(CHARGES_FROM_A <= drawn <= amps + OVERSHOOT_A for drawn in after[-2:])


async def zero_amps(trial: Trial) -> Outcome:
    """Say what 0 A does."""
    await trial.charging(trial.highest_a)
    if trial.drawn_a is None:
        raise NoProof("not_measured")
    trial.tell("pausing", None)
    since = trial.now
    trial.hold(0.0)
    if not await trial.until(lambda: trial.view.limit_a < LIKE_A, ORDERED_WITHIN_S):
        return Outcome(verdict=Verdict.FAILED, figures={"behaviour": "refused", "drawn_a": trial.drawn_a})
    at = trial.now

    def still() -> bool:
        trial.check_plugged()
        return trial.drawn_a is not None and trial.drawn_a < NOTHING_FLOWS_A

    stopped = await trial.until(still, trial.patience_s(STEP_S))
    stops_s = trial.now - at
    figures: Figures = {"drawn_a": _round(trial.drawn_a), "stops_s": _round(stops_s) if stopped else None}
    if not stopped:
        return Outcome(verdict=Verdict.FAILED, figures=figures | {"behaviour": "ignored"})
    await trial.until(lambda: not still(), PAUSE_STAYS_S)
    if not still():
        return Outcome(verdict=Verdict.FAILED, figures=figures | {"behaviour": "ignored"})
    ended = trial.witness.stopped_at is not None and trial.witness.stopped_at > since
    trial.tell("resuming", None)
    trial.hold(trial.highest_a)
    again = trial.now
    resumed = await trial.until(lambda: trial.drawn_a is not None and trial.drawn_a >= CHARGES_FROM_A, RESUMES_WITHIN_S)
    figures |= {
        "behaviour": "transaction_ended" if ended else "paused",
        "resumed": "yes" if resumed else "no",
        "resumes_s": _round(trial.now - again) if resumed else None,
    }
    if not resumed and trial.view.limit_a < trial.connector.minimum_a:
        raise NoProof("no_headroom", **figures)
    return Outcome(verdict=Verdict.FAILED if ended or not resumed else Verdict.PASSED, figures=figures)


def _round(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 1)


__all__ = [
    "LEAST_SPREAD_A",
    "Outcome",
    "limit_response",
    "minimum",
    "phase_map",
    "phases_of",
    "random_delay",
    "responses",
    "zero_amps",
]
