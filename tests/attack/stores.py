"""What the connectors of a post hold: limits by its own clock, stored fallbacks, and what it said of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from custom_components.charge_cluster.chargers import LimitOrder
from simulator.physics import Outlet

OBEYED_WITHIN_S = 13.0
"""A car and its charger have followed an order after this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A limit of a transaction: truly by the post's own clock, by its word by ours."""

    amps: float
    start: float
    until: float
    then_a: float
    phases: int | None = None
    """How many phases it is for; None, and once it has run out: all."""

    def at(self, clock: float) -> float | None:
        """Return what it allows; None: it has not begun."""
        if clock < self.start:
            return None
        return self.amps if clock < self.until else self.then_a


@dataclass(slots=True, kw_only=True)
class Store:
    """What a connector holds: truly, or as far as it said."""

    fallback_a: float
    limit: Held | None = None
    start_limit: tuple[float, float] | None = None
    """Amps and until when."""

    def governed(self, clock: float) -> bool:
        """Return whether what it offers was ordered for now; what a start was limited to beforehand was not."""
        return self.limit is not None and self.limit.start <= clock < self.limit.until

    def phases(self, clock: float) -> int | None:
        """Return how many phases it connects in a transaction; None: all."""
        return self.limit.phases if self.limit is not None and self.governed(clock) else None

    def offer(self, clock: float) -> float:
        """Return what it offers in a transaction."""
        if self.limit is not None and (amps := self.limit.at(clock)) is not None:
            return amps
        if self.start_limit is not None and clock < self.start_limit[1]:
            return self.start_limit[0]
        return self.fallback_a


@dataclass(slots=True, kw_only=True)
class Promise:
    """What was promised while no transaction ran."""

    order: LimitOrder
    until: float


@dataclass(slots=True, kw_only=True)
class Socket:
    """One connector of a post."""

    number: int
    key: str
    outlet_id: str
    outlet: Outlet
    truth: Store
    word: Store
    """What it holds by its word."""
    transaction: int | None = None
    """The one that runs."""
    began_wh: float = 0.0
    """Its register at the start of it."""
    began_at: float = 0.0
    """UTC POSIX seconds."""
    known: int | None = None
    """The one that we know of."""
    stored: int | None = None
    """The one whose start we hold on the disk."""
    fallback_known: float | None = None
    start_known: tuple[float, float] | None = None
    promise: Promise | None = None
    changes: list[tuple[float, Held]] = field(default_factory=list)
    """Limits that were taken and are carried out a moment later."""
    newest: LimitOrder | None = None
    asking: int = 0
    entitled: deque[tuple[float, float]] = field(default_factory=deque)
    """What it may have offered in the last seconds by its word: the most, and what is the most once that is over."""
    over_a: float = 0.0
    """By how much it drew more than that."""
    by_itself_since: float | None = None
    """Since when it offers its stored fallback by itself: it booted, its clock was set, its limit ran out."""
    fallen_until: float = float("-inf")
    """Until then its car may still draw what it offered by itself a moment ago, before it could be told otherwise."""

    @property
    def most_entitled_a(self) -> float:
        """Return the most that it may have offered in the last seconds by its word."""
        return self.entitled[0][1] if self.entitled else 0.0

    def entitle(self, amps: float, now: float) -> None:
        """Note what it may offer now by its word."""
        entitled = self.entitled
        while entitled and entitled[-1][1] <= amps:
            entitled.pop()
        entitled.append((now, amps))
        while entitled[0][0] < now - OBEYED_WITHIN_S:
            entitled.popleft()
