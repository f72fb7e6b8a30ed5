"""What a vehicle could take: how much of its offer it draws, and on which phases.

A vehicle that stays below its offer gives the rest back; as soon as it draws all of the smaller offer, it is offered
everything again. That it draws all of an offer which is smaller still, because others need theirs, says nothing. A
single-phase car on a three-phase connector is learned from what it draws, for the transaction only.

What was learned before a restart of ours is *remembered*: shares reckon with it, so that nobody is moved, but it proves
nothing. Worst cases do not know of it until the vehicle has shown the same again for as long as it takes to learn it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .guard import DrawBound
from .model import INDUCED_CURRENT_A, Connector, PhaseAmps

RELEASE_AFTER_S = 60.0
"""A vehicle that was below its offer for this long gives the rest back (openWB and WARP use 60 s)."""

RELEASED_BELOW_A = 1.5
"""How far below its offer a vehicle must stay to give anything back."""

SPARE_A = 1.0
"""What is left above the draw, so that a vehicle that wants more can show it."""

TAKES_ALL_WITHIN_A = 0.5

PHASES_LEARNED_AFTER_S = 60.0
PHASES_LEARNED_AT_A = 4.0
"""A phase map is learned only while a real charging current flows."""

UNLIKE_A = 1.0
UNLIKE_SHARE = 0.1
"""Phases of a charger differ by less than the larger of the two while its vehicle draws on all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appetite:
    """What was learned of the vehicle in its present transaction."""

    upper_a: float | None = None
    """The most that it is offered; None: no bound known."""
    below_since: float | None = None
    same_phases_since: float | None = None
    seen_phases: tuple[int, ...] = ()
    phases: tuple[int, ...] | None = None
    """Supply phases that it uses; None: not learned."""
    alike: bool = False
    """Whether its last draw was the same on all phases, or nothing; some cars taper on one phase."""
    remembered: bool = False
    """Whether `phases` were learned before our start and have not been proved since: they lower no worst case."""

    @property
    def proved_phases(self) -> tuple[int, ...] | None:
        """Return the phases that worst cases may rest on."""
        return None if self.remembered else self.phases


UNKNOWN_APPETITE = Appetite()


def observe(appetite: Appetite, connector: Connector, bound: DrawBound, *, on_one_phase: bool = False) -> Appetite:
    """Return what is known after the newest measurement; judging the same one again changes nothing.

    What a vehicle draws while it is told to use one phase (`on_one_phase`) does not say which ones it could use.
    """
    if not bound.draws:
        return appetite
    draw = bound.draws[-1]
    appetite = _unseen(appetite) if on_one_phase else _phases(appetite, connector, draw.amps, draw.at)
    alike = _loads_alike(draw.amps)
    if alike is not appetite.alike:
        appetite = replace(appetite, alike=alike)
    if appetite.upper_a is not None and max(draw.amps) > appetite.upper_a + TAKES_ALL_WITHIN_A:
        # It was offered more for a moment, and takes it.
        appetite = replace(appetite, upper_a=None, below_since=None)
    limit = bound.limit_a
    if limit is None or limit < connector.minimum_a or draw.at < bound.changed_at + bound.follows_within_s:
        return appetite
    drawn = max(draw.amps)
    if drawn >= limit - TAKES_ALL_WITHIN_A:
        known = appetite.upper_a
        upper = known if known is not None and drawn < known - TAKES_ALL_WITHIN_A else None
        if upper == known and appetite.below_since is None:
            return appetite
        return replace(appetite, upper_a=upper, below_since=None)
    if drawn > limit - RELEASED_BELOW_A:
        return appetite if appetite.below_since is None else replace(appetite, below_since=None)
    since = draw.at if appetite.below_since is None else appetite.below_since
    if draw.at - since < RELEASE_AFTER_S:
        return replace(appetite, below_since=since)
    return replace(appetite, below_since=since, upper_a=max(connector.minimum_a, math.ceil(drawn) + SPARE_A))


def _loads_alike(drawn: PhaseAmps) -> bool:
    return min(drawn) >= max(drawn) - max(UNLIKE_A, UNLIKE_SHARE * max(drawn))


def _unseen(appetite: Appetite) -> Appetite:
    """Return what is known without what was being learned of its phases."""
    if appetite.same_phases_since is None:
        return appetite
    return replace(appetite, seen_phases=(), same_phases_since=None)


def _phases(appetite: Appetite, connector: Connector, amps: PhaseAmps, at: float) -> Appetite:
    if connector.rotation is None or len(connector.rotation) == 1:
        return appetite
    most = max(amps)
    if most < PHASES_LEARNED_AT_A:
        return appetite
    used = tuple(phase for phase in connector.phases if amps[phase] > max(INDUCED_CURRENT_A, 0.1 * most))
    if appetite.phases is not None and not set(used) <= set(appetite.phases):
        return replace(appetite, phases=None, remembered=False, seen_phases=used, same_phases_since=at)
    if used != appetite.seen_phases or appetite.same_phases_since is None:
        return replace(appetite, seen_phases=used, same_phases_since=at)
    unproved = appetite.phases is None or appetite.remembered
    if unproved and at - appetite.same_phases_since >= PHASES_LEARNED_AFTER_S:
        # One that remembered more phases than it uses now keeps them: it may use them again.
        return replace(appetite, phases=appetite.phases or used, remembered=False)
    return appetite
