"""First come, first served: who came first gets all that it can take before the next one gets more than its minimum.

The rule holds among the vehicles below the circuit that it was chosen for. What they have *together*, beside vehicles
of other circuits, is found by the proportional rule first; it is then handed out anew among them, in the order in which
they came. So a circuit with this rule takes nothing from its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .admission import Candidate, Places
from .allocation import ROUNDING_A
from .groups import places_among
from .seat import Seat


def places_by_arrival(
    places: Places, room: Sequence[float], candidates: Sequence[Candidate], groups: Sequence[Sequence[Seat]]
) -> Places:
    """Return the places with those of each group given to who came first among its members; `room` as for `admit`."""
    for group in groups:
        members = {seat.connector.connector_id for seat in group}
        if not members.isdisjoint(key for key, _ in places.waiting):
            # Nobody is served less for having come first: there are no turns among them.
            queue = [_without_turns(candidate) for candidate in candidates if candidate.key in members]
            places = places_among(queue, places, room, candidates, new_turn=False)
    return places


def _without_turns(candidate: Candidate) -> Candidate:
    """Return a candidate that stands in the queue by its arrival alone; who was just paused needs more room yet."""
    just_paused = candidate.paused and not candidate.holds_place
    return replace(candidate, served_s=0.0, holds_place=False, paused=just_paused)


def shares_by_arrival(room: Sequence[float], admitted: Sequence[Seat], groups: Sequence[Sequence[Seat]]) -> None:
    """Hand out anew what the members of each group have together; `room` is what there is for all that are admitted."""
    with_place = {seat.connector.connector_id for seat in admitted}
    left = list(room)
    for seat in admitted:
        for row in seat.share_rows:
            left[row] -= seat.target
    for group in groups:
        members = [seat for seat in group if seat.connector.connector_id in with_place and not seat.scarce]
        # Row by row they have among them what they had, and what nobody could use.
        for seat in members:
            for row in seat.share_rows:
                left[row] += seat.target - seat.minimum
        for seat in members:
            rows = seat.share_rows
            upper = seat.most
            tight = min(rows, key=lambda row: left[row] / rows.count(row))
            extra = max(0.0, min(upper - seat.minimum, left[tight] / rows.count(tight)))
            seat.target = seat.minimum + extra
            seat.row = tight if seat.target < upper - ROUNDING_A else None
            for row in rows:
                left[row] -= extra
