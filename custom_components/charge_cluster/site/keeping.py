"""What a site hands on to its next start: the proof about each connector, base loads, sessions not yet at their end.

Monotonic seconds mean nothing after a restart, so that what is kept carries the wall clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..engine import guard
from ..engine.base_load import BaseMemory
from ..engine.guard import DrawBound
from ..engine.model import Connector, PhaseAmps
from ..engine.snapshot import Memory
from ..ocpp.protocols import Clock
from .cap import Cap
from .commissioning.findings import Finding
from .connector import ConnectorState
from .exposure import KeptExposure
from .records import Kept, KeptBound, SiteRecords
from .session import Session

KEPT_BASE_STEP_A = 1.0
"""A believed base load is written down again when it moved so far."""


class Keeping:
    """Writes down what the next start needs, and finds what the last one left."""

    def __init__(self, records: SiteRecords, clock: Clock) -> None:
        """Begin with nothing; `load` finds what was kept."""
        self._records = records
        self._clock = clock
        self._kept = Kept()
        self._bases: dict[str, PhaseAmps] = {}

    async def load(self) -> Memory:
        """Find what was kept; return what the engine remembers by it."""
        self._kept = await self._records.load()
        return Memory(circuits={key: BaseMemory(settled=amps) for key, amps in self._kept.bases.items()})

    def caps(self) -> Sequence[Cap]:
        """Return the ceilings from outside that were in force."""
        return self._kept.caps

    def exposures(self) -> Mapping[str, KeptExposure]:
        """Return what was carried above ratings, by circuit."""
        return self._kept.exposures

    def after_outage(self, wall: float) -> bool:
        """Return whether every limit that was kept had run out at this time (UTC POSIX seconds)."""
        return bool(self._kept.bounds) and all((b.expires_at or 0.0) < wall for b in self._kept.bounds.values())

    def bound(self, connector: Connector, now: float) -> DrawBound:
        """Return what is proved of a connector at the monotonic time `now`; nothing where nothing was kept."""
        kept = self._kept.bounds.get(connector.connector_id)
        if kept is None:
            return guard.unknown_bound(connector)
        expires = None if kept.expires_at is None else now + (kept.expires_at - self._clock.time())
        return guard.remembered_bound(
            connector,
            limit_a=kept.limit_a,
            held_a=kept.held_a,
            fallback_a=kept.fallback_a,
            expires_at=expires,
            now=now,
        )

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
                fallback_a=None if bound.fallback_a is None else max(bound.fallback_a, bound.ends_a),
            )
        )

    def keep_bounds(self, states: Iterable[ConnectorState]) -> None:
        """Keep what is proved of all connectors."""
        for state in states:
            self.keep_bound(state)

    def keep_bases(self, memory: Memory) -> None:
        """Keep the believed base loads where they moved."""
        for circuit_id, circuit in memory.circuits.items():
            believed, kept = circuit.settled, self._bases.get(circuit_id)
            if believed is None or (kept is not None and _distance(believed, kept) < KEPT_BASE_STEP_A):
                continue
            self._bases[circuit_id] = believed
            self._records.keep_base(circuit_id, believed)


def _distance(one: PhaseAmps, other: PhaseAmps) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))
