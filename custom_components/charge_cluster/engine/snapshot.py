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
from .first_start import NOT_BEGUN, FirstStart
from .guard import DrawBound
from .model import ExternalCap, Limit, MeterReading, PhaseAmps, Reason, SiteModel, VehicleState
from .obedience import FAITHFUL, Conduct, LimitForm
from .phase_use import ALL_PHASES, PhaseUse
from .planned import PlannedNow
from .rest import RESTED, Rest
from .surplus import SolarMemory

if TYPE_CHECKING:
    from .needs import Need
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
    departure_at: float | None = None
    """When its driver leaves (UTC POSIX seconds), as told; None: not known, or that has passed."""
    wanted_wh: float | None = None
    """What its driver wants of the whole session; None: not known."""
    charged_wh: float = 0.0
    """What the session has taken, as was known when something else happened last: it alone is no news of a connector,
    as its seat is taken over from pass to pass while these facts are the same object (`observing.take_seats`)."""


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
    needs: Mapping[str, Need] = field(default_factory=dict)
    """What is reckoned of vehicles that share by need, by connector; whoever is missing was not reckoned with yet."""
    plans: Mapping[str, PlannedNow] = field(default_factory=dict)
    """What is planned now for vehicles that charge off-peak or by a plan, by connector; whoever is missing has no plan
    and charges now."""
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
    start: FirstStart = NOT_BEGUN
    """How its vehicle begins in this session."""
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
    phase_use: PhaseUse = ALL_PHASES
    """Whether it is told to use one phase, where its charge point can be told so."""

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
            start=self.start,
            queued=True,
            holds_place=place_since is not None,
            place_since=self.place_since if place_since is None else place_since,
            lost_place_at=self.lost_place_at,
            served_s=served_s,
            conduct=self.conduct,
            phase_use=self.phase_use,
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
    solar: SolarMemory | None = None
    """None: nobody charges from what would be exported."""
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
    phases: int | None = None
    """1: for one phase alone; None: for all that its connector has."""
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
    """Connectors that should be measured now: whether an overload is theirs, or what the sun leaves, is not known."""
    surplus_a: float | None = None
    """What would be exported if the vehicles in solar mode drew nothing, all phases together; below zero: what lacks.
    None: nobody is in that mode, or it is not known."""
