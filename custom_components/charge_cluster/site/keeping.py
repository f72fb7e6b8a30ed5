"""What a site hands on to its next start: the proof about each connector, base loads, sessions not yet at their end.

Monotonic seconds mean nothing after a restart, so that what is kept carries the wall clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..engine import guard
from ..engine.base_load import BaseMemory
from ..engine.guard import DrawBound
from ..engine.model import Connector, MeterReading, PhaseAmps
from ..engine.snapshot import ConnectorMemory, Memory
from ..ocpp.protocols import Clock
from .billing import MonthView
from .cap import Cap
from .commissioning.findings import Finding
from .connector import ConnectorState
from .dispatch import EXPIRY_SLACK_S
from .exposure import KeptExposure
from .foresight import PastStay
from .month_peak import KeptPeak
from .plan import KeptPlan
from .readings import guarded_circuits
from .records import Kept, KeptBound, SiteRecords
from .session import Session
from .settings import SiteSettings
from .standing import NOTHING, Clocks, KeptStanding, demand_of, recalled, recalled_demand, standing_of
from .wear import KeptWear

KEPT_BASE_STEP_A = 1.0
"""A believed base load is written down again when it moved so far."""

STANDING_EVERY_S = 5.0
"""How a connector stands is written down at most so often."""

DEMAND_EVERY_S = 10.0
"""What flows in a demand window is written down so often."""


class Keeping:
    """Writes down what the next start needs, and finds what the last one left."""

    def __init__(self, records: SiteRecords, clock: Clock) -> None:
        """Begin with nothing; `load` finds what was kept."""
        self._records = records
        self._clock = clock
        self._kept = Kept()
        self._unclaimed: dict[str, KeptBound] = {}
        """What is proved of connectors that have not been taken up since."""
        self._bases: dict[str, PhaseAmps] = {}
        self._stuck: dict[str, PhaseAmps] = {}
        """What meters repeat, as it was kept last."""
        self._recalled: dict[str, ConnectorMemory] = {}
        """What is remembered of connectors that have not been taken up since."""
        self._seen: dict[str, tuple[ConnectorMemory | None, str | None, float | None]] = {}
        """What was looked at last of each connector; its standing follows from it."""
        self._standings: dict[str, KeptStanding] = {}
        self._standing_due: dict[str, float] = {}
        """Not before this (monotonic seconds) is a connector's standing written down again."""
        self._demand_due = 0.0
        self._turn: int | None = None

    async def load(self) -> Memory:
        """Find what was kept; return what the engine remembers by it."""
        self._kept = await self._records.load()
        self._unclaimed = dict(self._kept.bounds)
        clocks = self._clocks()
        self._standings = dict(self._kept.standings)
        self._recalled = {key: recalled(kept, self._limit_until(key), clocks) for key, kept in self._going_on()}
        self._turn = self._kept.turn
        self._stuck = dict(self._kept.stuck)
        demands = {key: recalled_demand(kept, clocks) for key, kept in self._kept.demands.items()}
        return Memory(
            connectors=dict(self._recalled),
            circuits={key: self._base(key, clocks.now) for key in self._kept.bases.keys() | self._kept.stuck.keys()},
            demands={key: demand for key, demand in demands.items() if demand is not None},
            turn=self._turn,
        )

    def _base(self, circuit_id: str, now: float) -> BaseMemory:
        """Return what is remembered of a circuit's base load, and of a meter that was caught repeating itself."""
        settled, repeated = self._kept.bases.get(circuit_id), self._kept.stuck.get(circuit_id)
        if repeated is None:
            return BaseMemory(settled=settled)
        reading = MeterReading(circuit_id=circuit_id, amps=repeated, measured_at=now, timeout_s=0.0)
        return BaseMemory(settled=settled, readings=(reading,), stuck=True)

    def _going_on(self) -> Iterable[tuple[str, KeptStanding]]:
        """Return how those connectors stood whose session goes on."""
        for key, kept in self._kept.standings.items():
            session = self._kept.sessions.get(key)
            if session is not None and session.ended_at is None and session.session_id == kept.session_id:
                yield key, kept

    def _limit_until(self, key: str) -> float | None:
        bound = self._kept.bounds.get(key)
        return None if bound is None else bound.expires_at

    def _clocks(self) -> Clocks:
        return Clocks(now=self._clock.monotonic(), wall=self._clock.time())

    def since(self, key: str, now: float) -> float:
        """Return since when (monotonic seconds) a connector is what it is: from our start on what is remembered."""
        remembered = self._recalled.pop(key, None)
        return now if remembered is None else remembered.since

    def moments(self) -> dict[str, float]:
        """Return the random moments after an outage that lie ahead, by connector (monotonic seconds)."""
        clocks = self._clocks()
        ahead = {key: (kept.starts_at or 0.0) - clocks.wall for key, kept in self._kept.standings.items()}
        return {key: clocks.now + wait for key, wait in ahead.items() if wait > 0.0}

    def caps(self) -> Sequence[Cap]:
        """Return the ceilings from outside that were in force."""
        return self._kept.caps

    def exposures(self) -> Mapping[str, KeptExposure]:
        """Return what was carried above ratings, by circuit."""
        return self._kept.exposures

    def stays(self) -> Sequence[PastStay]:
        """Return the stays that habits are learned from, oldest first."""
        return self._kept.stays

    def plans(self) -> Mapping[str, KeptPlan]:
        """Return what was planned for sessions, by connector key."""
        return self._kept.plans

    def usual_loads(self) -> Mapping[tuple[str, int], Sequence[PhaseAmps | None]]:
        """Return the usual base loads, by circuit and weekday."""
        return self._kept.usual_loads

    def month(self) -> MonthView | None:
        """Return what the sessions of a month had cost."""
        return self._kept.month

    def peak(self) -> KeptPeak | None:
        """Return the highest demand of a month."""
        return self._kept.peak

    def wear(self) -> Mapping[str, KeptWear]:
        """Return what connectors had been through, by their key."""
        return self._kept.wear

    def after_outage(self) -> bool:
        """Return whether every limit that was kept has run out by now."""
        wall = self._clock.time()
        return bool(self._kept.bounds) and all((b.expires_at or 0.0) < wall for b in self._kept.bounds.values())

    def bound(self, connector: Connector, now: float, validity_s: float) -> DrawBound:
        """Return what is proved of a connector at the monotonic time `now`, the first time that it is asked for.

        A site that was killed may have sent another limit after what was written last (up to 5 s), a higher or a lower
        one. It has run out `validity_s` later; until then it may be anything. It may have raised its fallback too,
        which counts, but is not sent again before there is room for it.
        """
        kept = self._unclaimed.pop(connector.connector_id, None)
        if kept is None:
            return guard.unknown_bound(connector)
        if not self._kept.orderly:
            return guard.remembered_bound(
                connector,
                limit_a=None,
                held_a=connector.maximum_a,
                fallback_a=kept.fallback_a,
                fallback_sent_a=connector.fallback_a,
                expires_at=now + validity_s + EXPIRY_SLACK_S,
                now=now,
            )
        expires = None if kept.expires_at is None else now + (kept.expires_at - self._clock.time())
        return guard.remembered_bound(
            connector,
            limit_a=kept.limit_a,
            held_a=kept.held_a,
            fallback_a=kept.fallback_a,
            expires_at=expires,
            now=now,
            one_phase=kept.one_phase,
        )

    def unguarded(self, settings: SiteSettings) -> set[str]:
        """Return the circuits whose meter was taken away and that have no other."""
        there = {circuit.circuit_id for circuit in settings.circuits}
        return (set(self._kept.unguarded) & there) - guarded_circuits(settings.meters)

    def keep_unguarded(self, before: set[str], now: set[str]) -> None:
        """Keep which circuits lost their meter, where that changed."""
        for circuit_id in before ^ now:
            self._records.keep_unguarded(circuit_id, lost=circuit_id in now)

    def findings(self) -> Sequence[Finding]:
        """Return what commissioning had found."""
        return self._kept.findings

    def session(self, key: str) -> Session | None:
        """Return the session of a connector whose end had not been told."""
        return self._kept.sessions.get(key)

    def keep_bound(self, state: ConnectorState) -> None:
        """Keep what is proved of a connector."""
        bound = state.bound
        expires = bound.expires_at
        self._records.keep_bound(
            KeptBound(
                key=state.key,
                limit_a=bound.limit_a,
                held_a=max((bound.held_a, *bound.in_flight)),
                expires_at=None if expires is None else self._clock.time() + (expires - self._clock.monotonic()),
                fallback_a=None if bound.fallback_a is None else guard.stored_at_most_a(bound),
                one_phase=bound.one_phase is guard.OnePhase.SEEN,
            )
        )

    def keep_bounds(self, states: Iterable[ConnectorState]) -> None:
        """Keep what is proved of all connectors."""
        for state in states:
            self.keep_bound(state)

    def hand_on(self, memory: Memory, states: Mapping[str, ConnectorState], moments: Mapping[str, float]) -> None:
        """Keep all that the engine remembers as it is now, for a stop."""
        self._standing_due.clear()
        self._demand_due = 0.0
        self.keep_up(memory, states, moments)

    def keep_up(self, memory: Memory, states: Mapping[str, ConnectorState], moments: Mapping[str, float]) -> None:
        """Keep what the engine remembers where it changed; `moments` as in `moments()`."""
        clocks = self._clocks()
        self._keep_bases(memory)
        for key, state in states.items():
            session_id = None if state.session is None else state.session.session_id
            looked_at = (memory.connectors.get(key), session_id, moments.get(key))
            if looked_at != self._seen.get(key) and clocks.now >= self._standing_due.get(key, 0.0):
                self._seen[key] = looked_at
                self._keep_standing(key, standing_of(*looked_at, clocks), clocks)
        for key in self._standings.keys() - states.keys():
            self._keep_standing(key, NOTHING, clocks)
        if clocks.now >= self._demand_due:
            self._demand_due = clocks.now + DEMAND_EVERY_S
            for circuit_id, demand in memory.demands.items():
                self._records.keep_demand(circuit_id, demand_of(demand))
        if memory.turn is not None and memory.turn != self._turn:
            self._turn = memory.turn
            self._records.keep_turn(memory.turn)

    def _keep_standing(self, key: str, standing: KeptStanding, clocks: Clocks) -> None:
        if standing == self._standings.get(key, NOTHING):
            return
        self._standing_due[key] = clocks.now + STANDING_EVERY_S
        if standing == NOTHING:
            del self._standings[key]
        else:
            self._standings[key] = standing
        self._records.keep_standing(key, None if standing == NOTHING else standing)

    def _keep_bases(self, memory: Memory) -> None:
        """Keep the believed base loads where they moved, and which meters are stuck."""
        repeated = {key: circuit.readings[-1].amps for key, circuit in memory.circuits.items() if circuit.stuck}
        for circuit_id in self._stuck.keys() | repeated.keys():
            if self._stuck.get(circuit_id) != repeated.get(circuit_id):
                self._records.keep_stuck(circuit_id, repeated.get(circuit_id))
        self._stuck = repeated
        for circuit_id, circuit in memory.circuits.items():
            believed, kept = circuit.settled, self._bases.get(circuit_id)
            if believed is None or (kept is not None and _distance(believed, kept) < KEPT_BASE_STEP_A):
                continue
            self._bases[circuit_id] = believed
            self._records.keep_base(circuit_id, believed)


def _distance(one: PhaseAmps, other: PhaseAmps) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))
