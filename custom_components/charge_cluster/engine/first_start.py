"""How a vehicle of a session begins: with its minimum, until it is seen to draw, and with its share from then on.

What a vehicle does at its first current is not known: how many phases it uses, whether it keeps to its offer, how it
takes up current. All of that is learned from a few amps as well as from many, and what it costs is half a minute. So
the first *raise* of a session goes no higher than the minimum. Its share is its own meanwhile, and nobody is told less
for this: who begins by itself with more (a fallback above the minimum) goes on with that.
"""

from __future__ import annotations

from dataclasses import dataclass

from .guard import DrawBound
from .model import Connector
from .rest import FLOWS_A
from .steps import current_above

SEEN_WITHIN_S = 30.0
"""Who was not seen to draw its first offer for so long is offered its share: it needs more to begin, does not want
any, or nobody measures it. The slowest cars have begun by then, and most charge points have reported twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStart:
    """What is known of the beginning of a session."""

    offered_at: float | None = None
    """Since when (monotonic) it has been offered its minimum or more; None: it was not yet."""
    over: bool = False
    unseen: bool = False
    """Whether it is over without a measurement: the next session is not held either, as nothing would be seen of it."""


NOT_BEGUN = FirstStart()
BEGUN = FirstStart(over=True)
UNSEEN = FirstStart(over=True, unseen=True)


def of_next(start: FirstStart) -> FirstStart:
    """Return what is known of the beginning of the next session at a connector."""
    return UNSEEN if start.unseen else NOT_BEGUN


def observe(start: FirstStart, connector: Connector, bound: DrawBound, since: float, now: float) -> FirstStart:
    """Return what is known of the beginning of the session that began at `since`."""
    if start.over and not start.unseen:
        return start
    # What is told when a vehicle leaves is no measurement of the next one.
    measured = bool(bound.draws) and bound.draws[-1].at > since
    if measured and (start.over or max(bound.draws[-1].amps) >= FLOWS_A):
        return BEGUN
    if start.over:
        return start
    offered_at = start.offered_at
    if offered_at is None:
        if bound.limit_a is None or bound.limit_a < connector.minimum_a:
            return start
        offered_at = max(since, bound.changed_at)
    if now - offered_at >= SEEN_WITHIN_S:
        return BEGUN if measured else UNSEEN
    return start if start.offered_at is not None else FirstStart(offered_at=offered_at)


def first_offer(connector: Connector) -> float:
    """Return what a vehicle is offered first: enough to begin on any number of phases."""
    least, single = connector.minimum_a, connector.minimum_single_phase_a
    return current_above(connector, least if single is None else max(least, single))
