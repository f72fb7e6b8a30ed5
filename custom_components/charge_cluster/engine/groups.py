"""Vehicles that share by a rule of their own below the circuit that it was chosen for.

What they have *together*, beside vehicles of other circuits, is found by the usual rules first; who has a place, and
how much of it, is then decided anew among them. So a circuit with such a rule takes nothing from its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .admission import Candidate, Places, admit
from .model import SharingRule, SiteModel
from .seat import Seat


def groups_below(site: SiteModel, seats: Iterable[Seat], rule: SharingRule) -> list[list[Seat]]:
    """Return the vehicles below each circuit for which a rule was chosen, in the order in which they came."""
    roots = {
        circuit_id: chosen.circuit_id
        for circuit_id, chosen in site.rules.items()
        if chosen.rule is rule and chosen.circuit_id is not None
    }
    if not roots:
        return []
    below: dict[str, list[Seat]] = {}
    for seat in seats:
        root = roots.get(seat.connector.circuit_id)
        if root is not None:
            below.setdefault(root, []).append(seat)
    for members in below.values():
        members.sort(key=lambda seat: (seat.memory.came_at, seat.connector.connector_id))
    return [below[root] for root in sorted(below)]


def places_among(
    queue: Sequence[Candidate],
    places: Places,
    room: Sequence[float],
    candidates: Sequence[Candidate],
    *,
    new_turn: bool,
) -> Places:
    """Return the places with those of some candidates given anew, in the room that the others leave them.

    Args:
        queue: the candidates that it is about, as they stand among themselves.
        places: those that were given, to whom it is not about as well.
        room: as for `admit`.
        candidates: all of them.
        new_turn: as for `admit`.
    """
    members = {candidate.key for candidate in queue}
    left = list(room)
    for candidate in candidates:
        counted = max(candidate.minimum_a, candidate.reserved_a)
        if candidate.key in members:
            continue
        for row in candidate.rows:
            left[row] -= counted if candidate.key in places.admitted else candidate.reserved_a
    anew = admit(left, queue, new_turn=new_turn)
    others = tuple(pair for pair in places.waiting if pair[0] not in members)
    return Places((places.admitted - members) | anew.admitted, (*others, *anew.waiting))
