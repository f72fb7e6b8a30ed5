"""What may flow at most, kept a second time and straight from the promise, to judge the decisions by.

It knows a charger only by what was told to it and what it showed: its limit, the limits on their way, what it drew, and
where it goes by itself. Nothing here is taken from the engine but the facts of the configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from custom_components.charge_cluster.engine.model import Connector, SiteModel

VALIDITY_S = 30.0
SETTLING_S = 15.0

type Rows = dict[tuple[str, int | str], float]
"""Amps by circuit and phase; "sum" of the phases; "alone 0" to "alone 2" for what loads one phase only."""


@dataclass(kw_only=True)
class Evidence:
    """What is known of one charger, in the words of the promise."""

    connector: Connector
    fallback_a: float | None = None
    """What is stored in it; None: nothing that was proved."""
    limit_a: float | None = None
    limit_since: float = 0.0
    expires_at: float | None = None
    unproved_a: float = field(init=False)
    """The most that it had or drew since a measurement showed that it had come down."""
    pending: list[float] = field(default_factory=list)
    """Orders without an answer, the oldest first."""
    lost: int = 0
    """How many of them will never have one."""
    online: bool = True
    plugged: bool = False

    def __post_init__(self) -> None:
        self.unproved_a = self.connector.maximum_a

    @property
    def worst_a(self) -> float:
        """Return the largest of its limit, limits in flight, what it was seen to draw, and its fallback."""
        by_itself = self.connector.maximum_a if self.fallback_a is None else self.fallback_a
        return max(self.unproved_a, by_itself, self.limit_a or 0.0, *self.pending)

    @property
    def led_a(self) -> float:
        """Return the same while its limit holds, where one is known of a running transaction."""
        if not self.online or not self.plugged or self.limit_a is None:
            return self.worst_a
        return max(self.unproved_a, self.limit_a, *self.pending)

    def is_sent(self, amps: float) -> None:
        """Count an order."""
        self.pending.append(amps)

    def accepts(self, now: float) -> float | None:
        """Let it answer that it carried out the oldest order that it may still answer; return the amps."""
        if self.lost == len(self.pending):
            return None
        # It does one after the other: those before that got no answer were carried out or never will be.
        self.unproved_a = max(self.unproved_a, self.limit_a or 0.0, *self.pending[: self.lost + 1])
        amps = self.pending[self.lost]
        self.pending, self.lost = self.pending[self.lost + 1 :], 0
        if amps != self.limit_a:
            self.limit_since = now
        self.limit_a, self.expires_at = amps, now + VALIDITY_S
        return amps

    def refuses(self) -> float | None:
        """Let it refuse the oldest order that it may still answer; return the amps."""
        return None if self.lost == len(self.pending) else self.pending.pop(self.lost)

    def draws(self, amps: float, now: float) -> None:
        """Let it be measured now."""
        shown = self.limit_a is not None and not self.pending and now > self.limit_since and amps <= self.limit_a
        self.unproved_a = amps if shown else max(self.unproved_a, amps)

    def passes(self, now: float) -> None:
        """Let time pass: a limit that nobody renewed runs out, and a car follows what its charger fell back to."""
        if not self.online and self.expires_at is not None and now >= self.expires_at:
            self.unproved_a = max(self.unproved_a, self.limit_a or 0.0)
            self.limit_a = self.connector.maximum_a if self.fallback_a is None else self.fallback_a
            self.limit_since, self.expires_at = self.expires_at, None
        settled = not self.online and self.expires_at is None and now >= self.limit_since + SETTLING_S
        if self.limit_a is not None and not self.pending and (settled or (self.online and not self.plugged)):
            self.unproved_a = self.limit_a


def commitments(site: SiteModel, evidence: dict[str, Evidence], of: Callable[[Evidence], float]) -> Rows:
    """Return what all chargers together may draw in each row of each circuit, given what one may."""
    kinds: tuple[int | str, ...] = (0, 1, 2, "sum", "alone 0", "alone 1", "alone 2")
    rows: Rows = {(circuit_id, kind): 0.0 for circuit_id in site.circuits for kind in kinds}
    for known in evidence.values():
        rotation, amps = known.connector.rotation, of(known)
        for circuit_id in site.paths[known.connector.circuit_id]:
            for phase in (0, 1, 2) if rotation is None else rotation:
                rows[circuit_id, phase] += amps
                rows[circuit_id, "sum"] += amps
            if rotation is not None and len(rotation) == 1:
                rows[circuit_id, f"alone {rotation[0]}"] += amps
    return rows
