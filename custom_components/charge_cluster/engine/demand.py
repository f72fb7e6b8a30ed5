"""The demand cap of a circuit: what has flowed in the running clock window, and what the rest of it allows.

Capacity tariffs bill the mean power of clock windows. What is left of the running window is spread over its rest, so
that current is taken back early and gently, and not at the end. What flowed while nobody looked (before a start, over
a step of the clock) counts at the cap itself, or at what flowed before and after it where that is more: then the rest
of the window is held to the cap and no more.
"""

from __future__ import annotations

from dataclasses import dataclass

from .model import DemandCap

CLOCK_STEP_S = 5.0
"""The two clocks differ by more than this only when somebody set one."""

SHORTEST_REST_S = 30.0
"""What is left is never spread over less: limits take effect only after the cars have followed."""

UNSEEN_AFTER_S = 10.0
"""Passes are a second apart; over a longer time nobody looked."""

BURST = 1.5
"""What was saved early in a window raises its rest to this multiple of the cap at most: the next window would begin
with currents that have to be taken back at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandMemory:
    """What has flowed in the running window."""

    window: int
    used_ws: float
    at: float
    """Monotonic seconds."""
    wall: float
    flowing_w: float


def follow_demand(
    memory: DemandMemory | None, cap: DemandCap, flowing_w: float, now: float, wall: float
) -> DemandMemory:
    """Return the memory after `flowing_w` (import, upper bound) was seen to flow."""
    window = int(wall // cap.window_s)
    elapsed = wall - window * cap.window_s
    if memory is None or abs((wall - memory.wall) - (now - memory.at)) > CLOCK_STEP_S:
        used = cap.mean_w * elapsed
    else:
        # Of the two ends the higher one counts for the time between them.
        flowed = max(memory.flowing_w, flowing_w)
        if now - memory.at > UNSEEN_AFTER_S:
            flowed = max(flowed, cap.mean_w)
        if memory.window == window:
            used = memory.used_ws + flowed * (now - memory.at)
        else:
            used = flowed * min(elapsed, now - memory.at)
    return DemandMemory(window=window, used_ws=used, at=now, wall=wall, flowing_w=flowing_w)


def allowed_w(memory: DemandMemory, cap: DemandCap) -> float:
    """Return the power that may flow for the rest of the window; 0 where its energy is used up."""
    rest = max((memory.window + 1) * cap.window_s - memory.wall, SHORTEST_REST_S)
    left = cap.mean_w * cap.window_s - memory.used_ws
    return min(max(left / rest, 0.0), BURST * cap.mean_w)


def mean_w(memory: DemandMemory, cap: DemandCap) -> float:
    """Return the mean of the running window if nothing more flowed in it."""
    return memory.used_ws / cap.window_s
