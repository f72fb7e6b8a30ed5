"""When was a limit seen to be kept? An accepted limit is a word; a measurement taken later is the proof.

A reduction is seen when a measurement has proved it to the draw bound, anything else when the vehicle has had its time
to follow and draws no more.
"""

from __future__ import annotations

from typing import Protocol

from ..chargers import LimitOutcome
from ..engine import guard
from ..engine.snapshot import Command
from .connector import ConnectorState


class SeesLimits(Protocol):
    """Keeps what became of limits."""

    def limit_seen(self, key: str, limit_a: float, seen_a: float, seen_ago_s: float) -> None:
        """Record that the last accepted order for a connector was seen to be kept."""


class Sightings:
    """The accepted limits of a site that nobody has seen yet."""

    def __init__(self, records: SeesLimits) -> None:
        """Begin with none."""
        self._records = records
        self._unseen: dict[str, bool] = {}
        """By connector, whether the limit is a reduction."""

    def ordered(self, state: ConnectorState, command: Command, outcome: LimitOutcome, before_a: float) -> None:
        """Take note of an order that was recorded."""
        if outcome is LimitOutcome.ACCEPTED:
            self._unseen[state.key] = command.amps < before_a

    def sampled(self, state: ConnectorState, now: float) -> None:
        """Take note of a measurement."""
        reduces = self._unseen.get(state.key)
        bound = state.bound
        if reduces is None or bound.limit_a is None or bound.in_flight:
            return
        draw = bound.draws[-1]
        proved = reduces and draw.at > bound.since and bound.held_a <= guard.tolerated_a(bound.limit_a)
        if proved or guard.obeys(bound):
            del self._unseen[state.key]
            self._records.limit_seen(state.key, bound.limit_a, max(draw.amps), now - draw.at)

    def forget(self, key: str) -> None:
        """Forget a connector that is no more."""
        self._unseen.pop(key, None)
