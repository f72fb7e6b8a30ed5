"""What a pass is given, what it remembers and what it decides.

All of it is immutable, so that the same snapshot and memory lead to the same decision: live, in a replay and in a test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .appetite import UNKNOWN_APPETITE, Appetite
from .base_load import BaseMemory
from .demand import DemandMemory
from .fallback_proof import FallbackProof
from .guard import DrawBound
from .model import ExternalCap, Limit, MeterReading, PhaseAmps, Reason, SiteModel, VehicleState
from .obedience import FAITHFUL, Conduct, LimitForm
from .rest import RESTED, Rest

if TYPE_CHECKING:
    from .seat import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorFacts:
    """What is known of a connector at the time of a pass."""

    bound: DrawBound
    vehicle: VehicleState
    since: float
    """When the vehicle was plugged in, or the state began (monotonic)."""
    outstanding: bool = False
    """Whether a call with a limit has not been answered yet."""
    retry_at: float = 0.0
    """Not before this is an order sent again that failed."""
    proving: bool = False
    """Whether its fallback is being stored right now: shares reckon with success, raises do not."""
    starts_at: float = 0.0
    """Not before this does it rise from nothing: its random moment after an outage."""
    transaction: str | None = None
    """The transaction that runs; None: none, or it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that a pass may know."""

    now: float
    wall: float
    site: SiteModel
    facts: Mapping[str, ConnectorFacts]
    meters: Mapping[str, MeterReading | None]
    """By circuit, for every circuit that has a meter; None: no usable reading."""
    generation: Mapping[str, MeterReading | None] = field(default_factory=dict)
    """By circuit, where a meter shows what generation and storage feed in; None: no usable reading."""
    caps: Sequence[ExternalCap] = ()
    """Ceilings from outside that are in force now."""
    unheard: frozenset[str] = frozenset()
    """Circuits whose meter was started a moment ago and has not had the time to report."""
    starting: bool = False
    """Whether the site started a moment ago and has not heard of everything yet: nothing is raised."""
    validity_s: float = 30.0
    on_time_s: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorMemory:
    """What is remembered of a connector from pass to pass."""

    since: float
    """The session that this is about."""
    came_at: float = 0.0
    """When its vehicle came, by which it stands in the queue; before a restart of ours, perhaps."""
    transaction: str | None = None
    """The transaction that the appetite is about."""
    appetite: Appetite = UNKNOWN_APPETITE
    rest: Rest = RESTED
    """Whether the vehicle takes nothing of its offer in that transaction."""
    queued: bool = False
    """Whether it has entered the queue; it begins with as little service as who has least then."""
    holds_place: bool = False
    place_since: float = 0.0
    """When it got the place that it holds."""
    lost_place_at: float = -math.inf
    served_s: float = 0.0
    """How long it had places before the one that it holds."""
    conduct: Conduct = FAITHFUL
    """Whether it keeps its limits."""

    def entering(self, served_s: float, *, place_since: float | None) -> ConnectorMemory:
        """Return the memory after it entered the queue, with a place or without.

        Spelled out: a whole car park may plug in within one pass, and `replace` costs twice as much.
        """
        return ConnectorMemory(
            since=self.since,
            came_at=self.came_at,
            transaction=self.transaction,
            appetite=self.appetite,
            rest=self.rest,
            queued=True,
            holds_place=place_since is not None,
            place_since=self.place_since if place_since is None else place_since,
            lost_place_at=self.lost_place_at,
            served_s=served_s,
            conduct=self.conduct,
        )

    def served(self, now: float) -> float:
        """Return how long it has had a place in all, in seconds."""
        return self.served_s + (now - self.place_since) if self.holds_place else self.served_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The explicit memory of the controller."""

    connectors: Mapping[str, ConnectorMemory] = field(default_factory=dict)
    circuits: Mapping[str, BaseMemory] = field(default_factory=dict)
    demands: Mapping[str, DemandMemory] = field(default_factory=dict)
    """By circuit, where it has a demand cap."""
    turn: int | None = None
    at: float | None = None
    room: Room | None = field(default=None, repr=False, compare=False)
    """What the last pass left for speed; without it the next one is the same and slower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A limit to be sent."""

    connector_id: str
    amps: float
    reason: Reason
    reduces: bool
    renews: bool = False
    """Nothing changes; only the validity starts anew."""
    form: LimitForm = LimitForm.USUAL
    decided_at: float | None = None
    """UTC POSIX seconds of the pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitDecision:
    """What a pass found about a circuit."""

    base_load_a: PhaseAmps | None
    """Upper bound; None: not known."""
    load_a: PhaseAmps | None
    """All that flows by its meter, or by its vehicles and its declared base load; None: not known."""
    ev_load_a: PhaseAmps
    worst_case_a: PhaseAmps
    headroom_a: PhaseAmps
    proof: FallbackProof
    limited: bool
    stale: bool
    waiting: int
    charging: int
    demand_w: float | None = None
    """Mean power of the running clock window if nothing more flowed in it; None: it has no demand cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome of a pass."""

    limits: Mapping[str, Limit]
    """The limit decided for every connector, with its reason."""
    commands: Sequence[Command]
    """In order: reductions, then raises, then renewals."""
    circuits: Mapping[str, CircuitDecision]
    bounds: Mapping[str, DrawBound]
    """The draw bounds as time has made them."""
    queue: Sequence[str]
    """Connectors that wait for a place, the next one first."""
    memory: Memory
    fallbacks: Sequence[str] = ()
    """Connectors whose fallback may be raised to the configured one now."""
    asked: Sequence[str] = ()
    """Connectors that should be measured now: whether an overload is theirs is not known."""
