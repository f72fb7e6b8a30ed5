"""What samples of a draw and of a meter prove about each other; pure functions over times (s) and currents (A).

One idea carries all of it: a draw that is moved up and down several times by a known amount is found again on a meter
by what follows it *every* time. What happens once may be the building. So each answer comes with how many steps agree
and how far the signal stands out of the noise, and where that is not enough, nothing is claimed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import median

from ...engine.model import NO_AMPS, PHASES, PhaseAmps

LEAST_STEPS = 3
"""Steps that must agree before anything is claimed."""

AGREEING_SHARE = 2 / 3
"""Of all steps must agree."""

AGREES_WITHIN = 0.3
"""A step agrees whose size differs by no more than this share (or by 1 A) from what the others say."""
AGREES_WITHIN_A = 1.0

LEAST_SIGNAL_TO_NOISE = 4.0

A_PAIR = 2
"""Two measurements that agree."""

SEEN_FROM = 0.25
"""A phase shows the draw from this share on: with a wrong ratio too, and without the vehicle not."""

NOISE_FLOOR_A = 0.1
"""The least noise that is reckoned with: the resolution of meters."""

SIGMA_OF_MAD = 1.4826
"""Standard deviation over median absolute deviation, of normal noise."""

LEAST_STEP_A = 3.0
"""A step of a vehicle that a meter can be expected to show."""

MOVED_SHARE = 0.25
MOVED_A = 1.0
"""From here on a draw has left where it was: this share of the step, at least so many A."""

REACHED_A = 0.75
REACHED_SHARE = 0.03
"""A draw that is so close to where it ends has settled (chargers regulate to within 3 %)."""

type Sample = tuple[float, PhaseAmps]
"""Time (monotonic s) and currents of three phases or terminals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What flowed for a while."""

    amps: PhaseAmps
    """Medians."""
    spread: PhaseAmps
    """Standard deviations, robust against a few outliers."""
    samples: int


def level(samples: Sequence[Sample], since: float, until: float) -> Level | None:
    """Return what flowed from `since` up to `until`, both included; None: nothing was sampled."""
    within = [amps for at, amps in samples if since <= at <= until]
    if not within:
        return None
    columns = [[amps[phase] for amps in within] for phase in PHASES]
    middle = [median(column) for column in columns]
    spread = [
        SIGMA_OF_MAD * median(abs(amps - m) for amps in column) for column, m in zip(columns, middle, strict=True)
    ]
    return Level(amps=(middle[0], middle[1], middle[2]), spread=(spread[0], spread[1], spread[2]), samples=len(within))


def difference(after: PhaseAmps, before: PhaseAmps) -> PhaseAmps:
    """Return what was added, phase by phase."""
    return (after[0] - before[0], after[1] - before[1], after[2] - before[2])


# The response to a step ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """How a current followed one change of its limit; times are s since the change."""

    left_after_s: float | None
    """It had left its old value by then; None: it never did."""
    still_at_s: float
    """It was still there then: the delay is proved to be at least as long."""
    settled_s: float | None
    """From then on it stayed where it ends; None: it never did."""
    unsettled_at_s: float
    """It was still elsewhere then: it is proved to have taken at least as long."""
    overshoot_a: float
    """The most by which it went beyond where it ends, against the direction of a raise or a reduction."""
    end_a: float


def response(samples: Sequence[tuple[float, float]], *, at: float, until: float, before_a: float) -> Response | None:
    """Return how a current followed a change at `at`, watched up to `until`; None: it was not sampled since."""
    after = [(when - at, amps) for when, amps in samples if at < when <= until]
    if not after:
        return None
    end = median(amps for _, amps in after[-3:])
    step = end - before_a
    moved = max(MOVED_A, MOVED_SHARE * abs(step))
    left = next((when for when, amps in after if abs(amps - before_a) > moved), None)
    still = max((when for when, amps in after if left is None or when < left), default=0.0)
    within = max(REACHED_A, REACHED_SHARE * abs(end))
    settled: float | None = None
    for when, amps in reversed(after):
        if abs(amps - end) > within:
            break
        settled = when
    sign = 1.0 if step >= 0.0 else -1.0
    overshoot = max((sign * (amps - end) for _, amps in after), default=0.0)
    return Response(
        left_after_s=left,
        still_at_s=still,
        settled_s=settled,
        unsettled_at_s=max((when for when, amps in after if settled is None or when < settled), default=0.0),
        overshoot_a=max(0.0, overshoot),
        end_a=end,
    )


# Steps found again on a meter ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One known step of a draw, and what a meter showed of it."""

    drawn_a: float
    """By how much the draw of each terminal in use rose (falling: negative)."""
    seen: PhaseAmps
    """By how much the meter rose, phase by phase."""


class Sight(StrEnum):
    """Whether a phase shows a draw."""

    SEEN = "seen"
    UNSEEN = "unseen"
    UNCLEAR = "unclear"
    """The building moves too much to say, or there were too few steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a phase of a meter follows a draw."""

    sight: Sight
    slope: float
    """A on the meter for each A drawn."""
    error: float
    """Standard error of the slope."""
    agreeing: int
    """Steps that agree with the slope."""
    signal_to_noise: float


def fit(steps: Sequence[Step], phase: int) -> Fit:
    """Return how one phase follows the steps of a draw."""
    used = [(step.drawn_a, step.seen[phase]) for step in steps if abs(step.drawn_a) >= LEAST_STEP_A]
    if not used:
        return Fit(sight=Sight.UNCLEAR, slope=0.0, error=math.inf, agreeing=0, signal_to_noise=0.0)
    slope = median(seen / drawn for drawn, seen in used)
    residuals = [seen - slope * drawn for drawn, seen in used]
    # The median alone would call five calm steps beside one jump silent, and few steps tell little of the noise.
    noise = max(NOISE_FLOOR_A, SIGMA_OF_MAD * median(abs(residual) for residual in residuals))
    strength = math.sqrt(sum(drawn * drawn for drawn, _ in used))
    error = noise / strength * (1.0 + 2.0 / len(used))
    signal = abs(slope) * strength / math.sqrt(len(used))
    agreeing = sum(
        abs(residual) <= max(AGREES_WITHIN * abs(slope * drawn), AGREES_WITHIN_A)
        for (drawn, _), residual in zip(used, residuals, strict=True)
    )
    enough = agreeing >= LEAST_STEPS and agreeing >= AGREEING_SHARE * len(used)
    if not enough:
        sight = Sight.UNCLEAR
    elif abs(slope) >= SEEN_FROM and signal >= LEAST_SIGNAL_TO_NOISE * noise:
        sight = Sight.SEEN
    elif abs(slope) + 3.0 * error < SEEN_FROM:
        sight = Sight.UNSEEN
    else:
        sight = Sight.UNCLEAR
    return Fit(sight=sight, slope=slope, error=error, agreeing=agreeing, signal_to_noise=signal / noise)


def fits(steps: Sequence[Step]) -> tuple[Fit, Fit, Fit]:
    """Return how each phase of a meter follows the steps of a draw."""
    return (fit(steps, 0), fit(steps, 1), fit(steps, 2))


def phases_seen(found: Sequence[Fit]) -> tuple[int, ...] | None:
    """Return the phases that show a draw; None: it cannot be said of all of them."""
    if any(one.sight is Sight.UNCLEAR for one in found):
        return None
    return tuple(phase for phase in PHASES if found[phase].sight is Sight.SEEN)


# The meter by itself ------------------------------------------------------------------------------------------------


def interval_s(times: Sequence[float]) -> float | None:
    """Return the usual time between samples; None: there were fewer than three."""
    gaps = [later - earlier for earlier, later in pairwise(times) if later > earlier]
    return median(gaps) if len(gaps) >= LEAST_STEPS - 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How much later than the truth a meter is, as far as it is proved."""

    least_s: float
    most_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """When a step happened, between two samples of the draw, and when the meter's own times say that it did."""

    not_before: float
    not_after: float
    """The first sample of the draw that shows it."""
    shown_at: float
    """When the first sample of the meter that shows it came in."""


def lag(crossings: Sequence[Crossing]) -> Lag | None:
    """Return the lag of a meter by cross timing; None: too few steps."""
    if len(crossings) < LEAST_STEPS:
        return None
    # Each crossing bounds the lag from both sides. The middle one is believed: one may have met a step of the building.
    least = median(max(0.0, crossing.shown_at - crossing.not_after) for crossing in crossings)
    most = median(max(0.0, crossing.shown_at - crossing.not_before) for crossing in crossings)
    return Lag(least_s=least, most_s=max(most, least))


def first_shown(
    samples: Sequence[tuple[float, float, PhaseAmps]], *, since: float, before: PhaseAmps, step: PhaseAmps
) -> float | None:
    """Return when the first sample came in that shows at least half a step, on the phase where that is largest.

    Samples are (measured at, came in at, A). None: none does.
    """
    phase = max(PHASES, key=lambda p: abs(step[p]))
    half = step[phase] / 2.0
    for _, arrived, amps in samples:
        moved = amps[phase] - before[phase]
        if arrived > since and moved * half > 0.0 and abs(moved) >= abs(half):
            return arrived
    return None


def mean_on(amps: PhaseAmps, phases: Sequence[int]) -> float:
    """Return the mean of some phases; 0 where there are none."""
    return sum(amps[phase] for phase in phases) / len(phases) if phases else 0.0


def median_of(figures: Sequence[float]) -> float:
    """Return the middle of some figures; 0 where there are none."""
    return median(figures) if figures else 0.0


def terminals_in_use(steps: Sequence[PhaseAmps]) -> tuple[int, ...]:
    """Return the terminals that a vehicle draws on, by its own steps."""
    if not steps:
        return ()
    sizes = [median(abs(step[phase]) for step in steps) for phase in PHASES]
    return tuple(phase for phase in PHASES if sizes[phase] >= max(1.0, 0.5 * max(sizes)))


def highest_lasting(
    samples: Sequence[Sample], phases: Sequence[int], *, since: float, until: float, window_s: float
) -> Level | None:
    """Return the window in which most flowed on some phases; None: nothing was sampled."""
    ends = [at for at, _ in samples if since + window_s <= at <= until]
    levels = [one for end in ends if (one := level(samples, end - window_s, end)) is not None]
    return max(levels, key=lambda one: mean_on(one.amps, phases), default=level(samples, since, until))


def energy_amps(energy_wh: float, *, seconds: float, terminals: int, volts: float) -> float:
    """Return the mean current of an energy, on each terminal in use."""
    return energy_wh * 3600.0 / (seconds * terminals * volts) if seconds > 0.0 and terminals else 0.0


__all__ = [
    "NO_AMPS",
    "Crossing",
    "Fit",
    "Lag",
    "Level",
    "Response",
    "Sample",
    "Sight",
    "Step",
    "difference",
    "energy_amps",
    "first_shown",
    "fit",
    "fits",
    "highest_lasting",
    "interval_s",
    "lag",
    "level",
    "mean_on",
    "median_of",
    "phases_seen",
    "response",
    "terminals_in_use",
]
