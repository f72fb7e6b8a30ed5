"""What a plan says of a connector at this moment, and what a random delay makes of it.

The plan of all sessions is made elsewhere and seldom. A pass is told what it says now: the most that a vehicle is to
have, or that it is to have nothing yet. That only lowers what it takes part with: every ceiling, every fallback and
every place is found as without a plan, and who has none charges at once.

Where prices change, whole towns would begin in the same second. So a vehicle begins, or gets more, a while after the
plan says so (SI 2021/1467: up to 600 s by default, up to 1800 s). The moment follows from the session and the slot
alone: it is drawn once, however often it is asked for, and stays the same after a restart. To get less never waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from .model import Connector, Reason
from .steps import current_above

USUAL_DELAY_S = 600.0
MOST_DELAY_S = 1800.0
"""SI 2021/1467, regulation 11."""

DRAWN_BYTES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNow:
    """What a plan says of a connector now. The same object is passed on for as long as nothing else is said."""

    amps: float
    """The most per phase; 0: nothing yet, infinite: as much as there is."""
    reason: Reason
    """`PLANNED` or `OFF_PEAK`."""
    next_at: float | None = None
    """UTC POSIX seconds from which on it says more; None: not known, or never."""


def upper_by_plan(planned: PlannedNow, connector: Connector, lower: float, upper: float) -> float:
    """Return the most that a vehicle takes part with: what is planned, but no less than it can charge with."""
    amps = planned.amps
    if amps >= upper:
        return upper
    return min(upper, max(lower, current_above(connector, amps)))


def delayed(
    amps_at: Callable[[float], float],
    now: float,
    *,
    step_s: float,
    most_s: float,
    seed: str,
    prompted_at: float = -math.inf,
) -> tuple[float, float | None]:
    """Return what a plan says now with each rise of it put off, and when one that is put off takes place (UTC).

    Args:
        amps_at: what the plan says at a time; it changes at multiples of `step_s` only.
        most_s: each rise is put off by a random time up to this.
        seed: of the session.
        prompted_at: when its driver came or said something last: what follows from that is not put off.
    """
    amps, until = amps_at(now), None
    begins = math.floor(now / step_s) * step_s
    while begins > now - most_s and begins > prompted_at:
        before = amps_at(begins - step_s)
        if before < amps_at(begins) and before < amps:
            takes_place = begins + delay_s(seed, begins, most_s)
            if takes_place > now:
                amps, until = before, takes_place
        begins -= step_s
    return amps, until


def delay_s(seed: str, begins: float, most_s: float) -> float:
    """Return by how long what begins in a session at a time is put off."""
    drawn = int.from_bytes(blake2b(f"{seed}/{round(begins)}".encode(), digest_size=DRAWN_BYTES).digest())
    return most_s * drawn / (1 << 8 * DRAWN_BYTES)
