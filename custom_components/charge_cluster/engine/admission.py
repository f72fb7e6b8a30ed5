"""Who may run when the minima do not fit together: places, turns and how long a place is kept.

Every vehicle that wants current is a candidate with a minimum. Candidates are admitted one by one in queue order, each
if its minimum still fits in all of its rows. For single-phase candidates with one common minimum the places form a
laminar matroid, so that this greedy rule is exactly optimal; otherwise it is feasible and fair over time. The queue
orders by priority, then by who holds a place in the running turn, then by the least service so far (deficit round
robin, Shreedhar & Varghese 1996). Turns change on the clock (every `on_time_s`), so that all change together and a
driver can be told when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .allocation import ROUNDING_A

RESTART_ROOM_A = 1.0
"""So much more than its minimum must fit before a vehicle that was just paused is admitted again; it would flap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A vehicle that wants current."""

    key: str
    rows: tuple[int, ...]
    """Where it stands more than once it needs its current as many times."""
    minimum_a: float
    reserved_a: float
    """What it counts even without a place (its fallback)."""
    priority: int
    holds_place: bool
    """Whether it had a place in the pass before."""
    paused: bool
    """Whether it lost a place a moment ago."""
    served_s: float
    """How long it has had a place; who has less comes first."""
    since: float
    """When it began to want."""
    most_a: float = 0.0
    """The most that it can take."""
    spoken_a: float = 0.0
    """What it speaks for in its rows with a place: once all of a row is spoken for, no other that speaks for anything
    gets one there, unless its minimum fits beside all that those with a place can take. Few that get much finish
    sooner than many that get little."""
    untried: bool = False
    """Whether it has had no place since it came."""
    place_s: float = 0.0
    """How long it has had the place that it holds."""


@dataclass(frozen=True, slots=True)
class Places:
    """Who is admitted, and the others in the order of their turn with the row that has no room for them."""

    admitted: frozenset[str]
    waiting: tuple[tuple[str, int], ...]


def turn_of(wall: float, on_time_s: float) -> int:
    """Return the number of the turn on the clock that a UTC time falls in."""
    return int(wall // on_time_s)


def turn_ends(wall: float, on_time_s: float) -> float:
    """Return the UTC time at which the running turn ends."""
    return (turn_of(wall, on_time_s) + 1) * on_time_s


def admit(room: Sequence[float], candidates: Sequence[Candidate], *, new_turn: bool) -> Places:
    """Return who gets a place; `room` is what is left per row after everything that is not a candidate.

    In a new turn places are given by the least service; in a running turn who holds a place keeps it while it fits.
    """
    queue = sorted(
        candidates,
        key=lambda c: (-c.priority, not c.holds_place and not new_turn, c.served_s, c.since, c.key),
    )
    left = list(room)
    # What is not spoken for yet, and what nobody with a place could take.
    unspoken, idle = list(room), list(room)
    for candidate in queue:
        for row in candidate.rows:
            left[row] -= candidate.reserved_a
    admitted: set[str] = set()
    waiting: list[tuple[str, int]] = []
    for candidate in queue:
        extra = max(0.0, candidate.minimum_a - candidate.reserved_a)
        needed = extra + (RESTART_ROOM_A if candidate.paused and not candidate.holds_place and not new_turn else 0.0)
        rows = candidate.rows
        tight = next((row for row in rows if left[row] < needed * rows.count(row) - ROUNDING_A), None)
        if tight is None and candidate.spoken_a:
            tight = next((row for row in rows if unspoken[row] <= ROUNDING_A), None)
            if tight is not None and all(idle[row] >= needed * rows.count(row) - ROUNDING_A for row in rows):
                tight = None
        if tight is None:
            admitted.add(candidate.key)
            for row in rows:
                left[row] -= extra
                unspoken[row] -= candidate.spoken_a
                idle[row] -= candidate.most_a
        else:
            waiting.append((candidate.key, tight))
    return Places(frozenset(admitted), tuple(waiting))
