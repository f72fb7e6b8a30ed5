"""Does a vehicle that is offered current take any? Sleepers, their one wake-up, and what a vehicle needs to run.

Not every charge point says that its vehicle has had enough, and some vehicles fall asleep when they are paused. One
that draws nothing of its offer for a while *sleeps*: it keeps no place from others where the minima of all do not fit,
is offered no more than its minimum but for what nobody wants, and gets a turn again after a time, because it may have
changed its mind. Before that it is *woken*, once
in a transaction, by taking the offer away for a moment, if it was paused since it last drew or has not drawn yet
(EVerest and evcc do the same). One that runs at a higher offer only *needs* more than it was told at first, as old Zoes
do. All of this moves shares; no worst case knows of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .guard import DrawBound
from .model import Connector

FLOWS_A = 1.0
"""A vehicle that draws less is not charging: electronics and leakage."""

WAKE_AFTER_S = 60.0
"""So long an offer is left alone: some vehicles begin 45 s after it."""

WAKE_PAUSE_S = 15.0
"""So long the offer is taken away: a vehicle has seen it by then."""

WAKE_OFFER_A = 13.0
"""What a sleeper is offered where nobody else wants it: the highest minimum that is known of cars."""

ASLEEP_AFTER_S = 90.0
ASLEEP_FOR_S = 1800.0
"""After this it gets a turn again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What is known of a vehicle that takes nothing, in its present transaction."""

    idle_since: float | None = None
    """Since when (monotonic) it has been measured to draw nothing of an offer of its minimum or more."""
    paused: bool = True
    """Whether it was offered less than its minimum since it last drew, or has not drawn yet: it may sleep."""
    woken_at: float | None = None
    """When its offer was taken away to wake it."""
    asleep_until: float | None = None
    """It sleeps, and gets a turn again then (monotonic)."""
    stalled_a: float = 0.0
    """The highest offer of which it took nothing for long."""
    runs_a: float | None = None
    """The lowest offer at which it was seen to draw."""

    def is_being_woken(self, now: float) -> bool:
        """Return whether its offer is taken away at the moment."""
        return self.woken_at is not None and now < self.woken_at + WAKE_PAUSE_S

    def sleeps(self, now: float) -> bool:
        """Return whether it keeps no place from others now."""
        return self.asleep_until is not None and now < self.asleep_until

    def tries_again(self, now: float) -> bool:
        """Return whether it slept and has a turn again: what it took before says nothing of what it would take."""
        return self.asleep_until is not None and now >= self.asleep_until

    @property
    def needs_a(self) -> float:
        """Return the least at which it is known to run, where it stalled below that; 0: it did not."""
        return self.runs_a if self.runs_a is not None and 0.0 < self.stalled_a < self.runs_a else 0.0


RESTED = Rest()


def observe(rest: Rest, connector: Connector, bound: DrawBound, now: float) -> Rest:
    """Return what is known after the newest measurement; judging the same one again changes nothing."""
    if not bound.draws or rest.is_being_woken(now):
        return rest
    draw, limit = bound.draws[-1], bound.limit_a
    offered = limit is not None and limit >= connector.minimum_a
    settled = draw.at >= bound.changed_at + bound.follows_within_s
    if max(draw.amps) >= FLOWS_A:
        return _runs(rest, limit if offered and settled else None)
    if limit is None or not offered:
        # What it does without an offer says nothing.
        return rest if rest.paused and rest.idle_since is None else replace(rest, paused=True, idle_since=None)
    if not settled:
        return rest
    return _idles(rest, limit, draw.at, now)


def _runs(rest: Rest, offered_a: float | None) -> Rest:
    stalled, runs = rest.stalled_a, rest.runs_a
    if offered_a is not None:
        runs = offered_a if runs is None else min(runs, offered_a)
        if stalled >= offered_a:
            # It had had enough then, and does not need more than it was offered.
            stalled = 0.0
    running = Rest(paused=False, woken_at=rest.woken_at, stalled_a=stalled, runs_a=runs)
    return rest if running == rest else running


def _idles(rest: Rest, limit_a: float, seen_at: float, now: float) -> Rest:
    if rest.idle_since is None:
        return replace(rest, idle_since=seen_at)
    if rest.asleep_until is not None and rest.idle_since < rest.asleep_until <= now:
        # Its turn has begun: what it does with it is looked at anew.
        return replace(rest, idle_since=now)
    idle_s = seen_at - rest.idle_since
    if rest.paused and rest.woken_at is None:
        return replace(rest, woken_at=now, stalled_a=max(rest.stalled_a, limit_a)) if idle_s >= WAKE_AFTER_S else rest
    if idle_s >= ASLEEP_AFTER_S and not rest.sleeps(now):
        return replace(rest, asleep_until=now + ASLEEP_FOR_S, stalled_a=max(rest.stalled_a, limit_a))
    return rest
