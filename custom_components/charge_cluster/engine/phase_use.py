"""Three phases or one: what is remembered of a session whose charge point can be told to use one phase alone.

A change is two steps. First the connector is told 0 A and *pauses*, until its current is proved to have stopped and its
vehicle has seen the pilot signal off for a while; then its limits are for the other number of phases. Nothing here
says what may flow: that is the draw bound's affair, which counts all phases until a measurement shows one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .guard import DrawBound, OnePhase

PAUSE_S = 30.0
"""So long the pilot signal stays off before the phases change: IEC 61851-1 gives a car 5 s to stop, and cars have been
seen to need 11 s. A measurement has to show that it did."""

STOPPED_A = 1.0
"""Less is electronics and leakage."""

GIVES_UP_AFTER_S = 120.0
"""A pause ends after this without a change, where the current is not seen to stop."""

SEEN_WITHIN_S = 180.0
"""So long after the decision, or an order, shares reckon with one phase though it has not been seen yet: a pause, and
the time that slow cars (45 s) and slow chargers need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseUse:
    """How many phases a connector is told to use during a session."""

    one: bool = False
    """Whether its limits are for one phase alone."""
    pauses_since: float | None = None
    """Since when it pauses to change that (monotonic); None: it does not."""
    switches: int = 0
    """Changes that were begun."""
    decided_at: float = -math.inf
    """When the last of them was."""
    room_since: float | None = None
    """Since when there has been room for three phases again."""
    unable: bool = False
    """It was measured on several phases though one was ordered: it is not asked for that again in this session."""

    @property
    def becomes_one(self) -> bool:
        """Return whether it is told to use one phase, or will be after its pause."""
        return self.one is (self.pauses_since is None)


ALL_PHASES = PhaseUse()


def begin(use: PhaseUse, now: float) -> PhaseUse:
    """Return what is remembered after a change was decided."""
    return replace(use, pauses_since=now, switches=use.switches + 1, decided_at=now, room_since=None)


def follow(use: PhaseUse, bound: DrawBound, *, able: bool, outstanding: bool, now: float) -> PhaseUse:
    """Return what is remembered after what was proved since the last pass.

    One that does not obey, or is said not to be `able` any more, has all of its phases again by the same way: its
    vehicle is not switched under load, and takes no room that nobody made.
    """
    since = use.pauses_since
    if since is None:
        broken = bound.one_phase is OnePhase.BROKEN
        if use.one and (broken or not able):
            return replace(use, unable=use.unable or broken, pauses_since=now, room_since=None)
        return use if able else ALL_PHASES
    if now - since >= GIVES_UP_AFTER_S:
        return replace(use, pauses_since=None)
    stopped = bound.limit_a == 0.0 and bound.held_a <= STOPPED_A and not bound.in_flight and not outstanding
    if not stopped or now - bound.changed_at < PAUSE_S:
        return use
    return replace(use, one=not use.one, pauses_since=None)


def in_another_transaction(use: PhaseUse) -> PhaseUse:
    """Return what is remembered when another transaction begins: nothing was ordered for it yet."""
    return use if use is ALL_PHASES else replace(use, one=False, pauses_since=None, room_since=None)


def counts_on_one(use: PhaseUse, bound: DrawBound) -> bool:
    """Return whether worst cases may rest on one phase."""
    return use.one and bound.one_phase is OnePhase.SEEN


def shares_on_one(use: PhaseUse, bound: DrawBound, now: float) -> bool:
    """Return whether shares reckon with one phase: where it is seen, or was decided or ordered a moment ago.

    One that was away for a moment is to be seen anew, and the others do not pay for that.
    """
    if not use.becomes_one:
        return False
    ordered = use.one and bound.one_phase is OnePhase.ORDERED and now < bound.one_phase_since + SEEN_WITHIN_S
    return ordered or counts_on_one(use, bound) or now < use.decided_at + SEEN_WITHIN_S
