"""One pass: observe → budget → admit → share → switch phases → guard → commands.

`decide` is a pure function of a snapshot and a small memory. Its stages run in this order; each takes what the ones
before it found and answers one question. Each has a room of its own; the commands stand below.
"""

from __future__ import annotations

from collections.abc import Mapping

from .allocation import ROUNDING_A
from .budget import budget_for
from .guard import BEFORE_START, ONE_PHASE
from .model import Reason, VehicleState
from .obedience import LimitForm
from .observing import PLUGGED_IN, take_seats
from .outcome import outcome
from .phase_switching import switch_phases
from .raising import safe_raises, unproved_limits
from .rows import layout_of
from .seat import Seat, sums_of
from .sharing import admit_candidates, share_out
from .snapshot import Command, Decision, Memory, Snapshot
from .solar import follow_sun, with_sun


def decide(snapshot: Snapshot, memory: Memory) -> Decision:
    """Run one pass."""
    layout = layout_of(snapshot.site, capped_in_watts=any(cap.watts is not None for cap in snapshot.caps))
    seats = take_seats(snapshot, memory, layout)
    sun = follow_sun(snapshot, memory, seats)
    sums = sums_of(layout, seats)
    budget = budget_for(snapshot, memory, seats, layout, sums)
    places = admit_candidates(snapshot, memory, seats, budget, sums)
    share_out(snapshot, seats, places, budget, sun)
    if snapshot.site.switching:
        switch_phases(snapshot, memory, seats, places, budget, sums)
    raises = safe_raises(snapshot, seats, budget, sums)
    commands = _commands(snapshot, seats, raises.limits, unproved_limits(snapshot, seats, budget, sums))
    decision = outcome(snapshot, seats, budget, places, commands, raises.fallbacks, sums)
    return decision if sun is None else with_sun(decision, sun)


# --- commands: what is sent, in which order? -------------------------------------------------------------------------


def _commands(
    snapshot: Snapshot, seats: Mapping[str, Seat], raises: Mapping[str, float], unproved: Mapping[str, float]
) -> list[Command]:
    reductions: list[Command] = []
    increases: list[Command] = []
    renewals: list[Command] = []
    now, renewed_after = snapshot.now, snapshot.validity_s / 3
    for connector_id, seat in seats.items():
        bound, facts = seat.bound, seat.facts
        if not bound.online or facts.vehicle is VehicleState.UNKNOWN:
            continue
        in_flight = bound.in_flight
        ordered = in_flight[-1] if in_flight and facts.outstanding else bound.limit_a
        target = seat.target
        if ordered is None or seat.unproved:
            # Which limit is in force is not known.
            amps = unproved.get(connector_id)
            if amps is not None and now >= facts.retry_at:
                reductions.append(_command(snapshot, seat, amps, reduces=True))
        elif target < ordered - ROUNDING_A or seat.form is LimitForm.OTHER:
            if now >= facts.retry_at:
                reductions.append(_command(snapshot, seat, min(target, ordered), reduces=True))
        elif connector_id in raises:
            increases.append(_command(snapshot, seat, raises[connector_id], reduces=False))
        elif not (in_flight and facts.outstanding) and now >= facts.retry_at and _due(seat, now, renewed_after):
            renewals.append(_command(snapshot, seat, ordered, reduces=False, renews=True))
        if seat.fixed is None and ordered is not None and target > ordered and connector_id not in raises:
            seat.reason = _why_not_yet(snapshot, seat)
    return [*reductions, *increases, *renewals]


def _due(seat: Seat, now: float, renewed_after: float) -> bool:
    """Return whether a limit is sent again: at a third of its validity, where it would run out.

    Once it is sent to whom something was sent before our start: what is remembered may be older than that.
    """
    bound = seat.bound
    if bound.ordered_at == BEFORE_START:
        return seat.facts.vehicle in PLUGGED_IN
    fallback = seat.connector.fallback_a
    differs = bool(bound.in_flight) or bound.limit_a != fallback or bound.ends_a != fallback
    late = bound.ordered_at is None or now - bound.ordered_at >= renewed_after
    return bound.expires_at is not None and differs and late


def _command(snapshot: Snapshot, seat: Seat, amps: float, *, reduces: bool, renews: bool = False) -> Command:
    return Command(
        connector_id=seat.connector.connector_id,
        amps=amps,
        reason=seat.reason,
        reduces=reduces,
        renews=renews,
        form=seat.form,
        phases=ONE_PHASE if seat.one_phase else None,
        decided_at=snapshot.wall,
    )


def _why_not_yet(snapshot: Snapshot, seat: Seat) -> Reason:
    if snapshot.starting:
        return Reason.STARTING
    if seat.bound.fallback_a is None:
        return Reason.FALLBACK_UNPROVED
    if (seat.bound.limit_a or 0.0) < seat.lower:
        return Reason.RESTARTING if snapshot.now < seat.facts.starts_at else Reason.WAITING_RELEASE
    return Reason.FIRST_START if seat.target > seat.rises_to else seat.reason
