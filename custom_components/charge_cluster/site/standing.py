"""How a connector stands in the sharing, in words that outlive us: what was learned of its vehicle, and its place.

Monotonic seconds mean nothing after a restart, so that times are UTC here. What is recalled moves shares alone. It goes
by the session, and what was learned of the vehicle by the transaction as well: another one may be another car. No worst
case rests on it, see `engine.appetite`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isinf

from ..engine.appetite import Appetite
from ..engine.demand import DemandMemory
from ..engine.first_start import BEGUN
from ..engine.obedience import FAITHFUL, Conduct, Obedience
from ..engine.phase_use import ALL_PHASES, PhaseUse
from ..engine.snapshot import ConnectorMemory

TIMES_TO_S = 0.1
"""Times are kept as exactly as this: two clocks never agree to the last digit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptStanding:
    """What the next start must know of a connector beside the proof of its limit; times in UTC POSIX seconds."""

    session_id: str | None = None
    """The session that the rest is about; None: there is none."""
    came_at: float = 0.0
    transaction: str | None = None
    """The transaction in which the next three were learned."""
    phases: tuple[int, ...] | None = None
    alike: bool = False
    upper_a: float | None = None
    queued: bool = False
    place_since: float | None = None
    """Since when it has its place; None: it has none."""
    lost_place_at: float | None = None
    served_s: float = 0.0
    doubted: bool = False
    """Whether it was not seen to keep its limits."""
    forms: int = 0
    """Other forms of a limit that were tried since."""
    one_phase: bool = False
    """Whether its limits are for one phase, where its charge point can be told that."""
    switches: int = 0
    """How often that was changed."""
    cannot_switch: bool = False
    """Whether it was seen not to obey that."""
    starts_at: float | None = None
    """Its random moment after an outage; None: it has none, or it has started."""


NOTHING = KeptStanding()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDemand:
    """What had flowed in a clock window of a circuit with a demand cap."""

    window: int
    used_ws: float
    at: float
    """UTC POSIX seconds."""
    flowing_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The two clocks at one moment, to turn times of the one into those of the other."""

    now: float
    """Monotonic seconds."""
    wall: float
    """UTC POSIX seconds."""

    def utc(self, at: float) -> float:
        """Return the UTC time of a monotonic one."""
        return round((self.wall - self.now + at) / TIMES_TO_S) * TIMES_TO_S

    def monotonic(self, at: float) -> float:
        """Return the monotonic time of a UTC one; a clock that was set back makes nothing lie ahead."""
        return self.now - max(0.0, self.wall - at)


def standing_of(
    memory: ConnectorMemory | None, session_id: str | None, starts_at: float | None, clocks: Clocks
) -> KeptStanding:
    """Return what is to be kept of a connector; `starts_at` in monotonic seconds."""
    moment = None if starts_at is None or starts_at <= clocks.now else clocks.utc(starts_at)
    if memory is None or session_id is None:
        return KeptStanding(starts_at=moment)
    appetite, conduct, use = memory.appetite, memory.conduct, memory.phase_use
    lost = memory.lost_place_at
    return KeptStanding(
        session_id=session_id,
        came_at=clocks.utc(memory.came_at),
        transaction=memory.transaction,
        phases=appetite.phases,
        alike=appetite.alike,
        upper_a=appetite.upper_a,
        queued=memory.queued,
        place_since=clocks.utc(memory.place_since) if memory.holds_place else None,
        lost_place_at=None if isinf(lost) else clocks.utc(lost),
        served_s=memory.served_s,
        doubted=conduct.in_doubt,
        forms=conduct.forms if conduct.in_doubt else 0,
        one_phase=use.one,
        switches=use.switches,
        cannot_switch=use.unable,
        starts_at=moment,
    )


def recalled(kept: KeptStanding, limit_until: float | None, clocks: Clocks) -> ConnectorMemory:
    """Return what the engine remembers by what was kept.

    Args:
        kept: of the session that goes on.
        limit_until: UTC time until which the limit held that was ordered last: after it nobody served anybody.
        clocks: the present moment.
    """
    served, holds, since = kept.served_s, kept.place_since is not None, 0.0
    if kept.place_since is not None:
        since = clocks.monotonic(kept.place_since)
        if limit_until is not None and limit_until < clocks.wall:
            served += max(0.0, limit_until - kept.place_since)
            since = clocks.now
    return ConnectorMemory(
        since=clocks.now,
        came_at=clocks.monotonic(kept.came_at),
        transaction=kept.transaction,
        appetite=Appetite(
            upper_a=kept.upper_a, phases=kept.phases, alike=kept.alike, remembered=kept.phases is not None
        ),
        # It has begun before: that is not done again.
        start=BEGUN,
        queued=kept.queued,
        holds_place=holds,
        place_since=since,
        lost_place_at=-inf if kept.lost_place_at is None else clocks.monotonic(kept.lost_place_at),
        served_s=served,
        # It is doubted, not condemned: measurements from now on say what it does.
        conduct=Conduct(state=Obedience.SUSPECTED, forms=kept.forms) if kept.doubted else FAITHFUL,
        phase_use=_phase_use(kept, limit_until, clocks),
    )


def _phase_use(kept: KeptStanding, limit_until: float | None, clocks: Clocks) -> PhaseUse:
    """Return how many phases it is told to use: its limits go on as they are, where the last one still holds.

    Were the next one for all phases, a vehicle would be switched under load, and take room that nobody made.
    """
    if not kept.switches:
        return ALL_PHASES
    holds = limit_until is not None and limit_until >= clocks.wall
    return PhaseUse(
        one=kept.one_phase and holds, switches=kept.switches, decided_at=clocks.now, unable=kept.cannot_switch
    )


def demand_of(memory: DemandMemory) -> KeptDemand:
    """Return what is to be kept of a demand window."""
    return KeptDemand(window=memory.window, used_ws=memory.used_ws, at=memory.wall, flowing_w=memory.flowing_w)


def recalled_demand(kept: KeptDemand, clocks: Clocks) -> DemandMemory | None:
    """Return what the engine remembers of a demand window; None where the clock was set back meanwhile."""
    if kept.at > clocks.wall:
        return None
    return DemandMemory(
        window=kept.window,
        used_ws=kept.used_ws,
        at=clocks.monotonic(kept.at),
        wall=kept.at,
        flowing_w=kept.flowing_w,
    )
