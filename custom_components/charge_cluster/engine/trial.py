"""A trial for who was just plugged in: its driver sees it start, and whether and how it charges is learned.

Where the minima of all do not fit, a newcomer would wait for the next turn of the clock. Instead it takes, at once, the
place of somebody who has had its own for long enough and has been served most; places go round as always from then on.
One takes one place at most, so that a newcomer never costs more than one switch of another, and that one would have had
to go at the end of the turn at the latest. Nobody gives way to a lower priority.
"""

from __future__ import annotations

from collections.abc import Sequence, Set as AbstractSet

from .admission import Candidate, Places
from .allocation import ROUNDING_A

TRIAL_S = 210.0
"""A trial lasts at least so long, as with WARP chargers. Whoever has had a place for so long may have to give it up to
a newcomer, so that one waits no longer than this where there are as many places as newcomers at a time."""

NEWCOMERS_A_PASS = 4
"""So many newcomers are looked at in one pass; the next ones have theirs a moment later."""


def with_trials(
    places: Places,
    room: Sequence[float],
    candidates: Sequence[Candidate],
    had_s: float,
    of_their_own: AbstractSet[str] = frozenset(),
) -> Places:
    """Return the places with those of newcomers; who has held one for `had_s` may have to give it up.

    Args:
        places: as `admit` gave them.
        room: as for `admit`.
        candidates: as for `admit`.
        had_s: see above.
        of_their_own: those among whom places go by another rule: no newcomer has a trial there.
    """
    untried = {c.key: c for c in candidates if c.untried and c.key not in of_their_own}
    newcomers = [untried[key] for key, _ in places.waiting if key in untried][:NEWCOMERS_A_PASS]
    holders = [
        candidate
        for candidate in candidates
        if candidate.key in places.admitted and candidate.holds_place and candidate.place_s >= had_s
    ]
    if not newcomers or not holders:
        return places
    holders.sort(key=lambda c: (c.priority, -c.served_s, c.key))
    left = list(room)
    for candidate in candidates:
        counted = _extra(candidate) if candidate.key in places.admitted else 0.0
        for row in candidate.rows:
            left[row] -= candidate.reserved_a + counted
    admitted, waiting = set(places.admitted), dict(places.waiting)
    for newcomer in newcomers:
        giver = next((holder for holder in holders if _makes_room(holder, newcomer, left)), None)
        if giver is None:
            continue
        holders.remove(giver)
        _take(giver, left, -1.0)
        _take(newcomer, left, 1.0)
        admitted.remove(giver.key)
        admitted.add(newcomer.key)
        waiting[giver.key] = waiting.pop(newcomer.key)
    return Places(frozenset(admitted), tuple(waiting.items()))


def _extra(candidate: Candidate) -> float:
    return max(0.0, candidate.minimum_a - candidate.reserved_a)


def _take(candidate: Candidate, left: list[float], times: float) -> None:
    extra = _extra(candidate)
    for row in candidate.rows:
        left[row] -= times * extra


def _makes_room(holder: Candidate, newcomer: Candidate, left: Sequence[float]) -> bool:
    """Return whether the newcomer fits once the holder gave up its place, and may have it by its priority."""
    if holder.priority > newcomer.priority:
        return False
    needed, freed = _extra(newcomer), _extra(holder)
    return all(
        left[row] + freed * holder.rows.count(row) >= needed * newcomer.rows.count(row) - ROUNDING_A
        for row in newcomer.rows
    )
