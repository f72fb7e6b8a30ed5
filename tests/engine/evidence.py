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
FLOWS_A = 4.0

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
    pending_phases: list[int | None] = field(default_factory=list)
    """How many phases each of the orders without an answer is for; None: all."""
    taken_phases: int | None = None
    """How many the order was for that was accepted last."""
    one_since: float | None = None
    """Since when all that it may hold is for one phase alone."""
    was_one: bool = False
    """Whether it was ever told so."""
    alone: bool = False
    """Whether it was measured since to draw on one phase alone."""

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

    @property
    def by_itself_a(self) -> float:
        """Return what it goes to when it hears nothing."""
        return self.connector.maximum_a if self.fallback_a is None else self.fallback_a

    @property
    def keeps_to_one(self) -> bool:
        """Return whether it is proved to draw on one phase alone while its limit holds."""
        return self.alone and self.online and self.plugged

    def is_sent(self, amps: float, phases: int | None = None) -> None:
        """Count an order."""
        self.pending.append(amps)
        self.pending_phases.append(phases)
        if phases is None:
            self.uses_all()

    def out_of_sight(self, now: float) -> None:
        """Take note that it could not be seen for a while: what it was told is to be seen anew."""
        self.alone = False
        if self.one_since is not None:
            self.one_since = now

    def uses_all(self) -> None:
        """Take note that it may draw on all of its phases."""
        self.one_since, self.alone = None, False

    def accepts(self, now: float) -> float | None:
        """Let it answer that it carried out the oldest order that it may still answer; return the amps."""
        if self.lost == len(self.pending):
            return None
        # It does one after the other: those before that got no answer were carried out or never will be.
        self.unproved_a = max(self.unproved_a, self.limit_a or 0.0, *self.pending[: self.lost + 1])
        amps = self.pending[self.lost]
        self.taken_phases = self.pending_phases[self.lost]
        self.pending_phases = self.pending_phases[self.lost + 1 :]
        self.pending, self.lost = self.pending[self.lost + 1 :], 0
        if self.taken_phases is None or self.pending:
            self.uses_all()
        elif self.one_since is None:
            self.one_since, self.was_one = now, True
        if amps != self.limit_a:
            self.limit_since = now
        self.limit_a, self.expires_at = amps, now + VALIDITY_S
        return amps

    def refuses(self) -> float | None:
        """Let it refuse the oldest order that it may still answer; return the amps."""
        if self.lost == len(self.pending):
            return None
        self.pending_phases.pop(self.lost)
        return self.pending.pop(self.lost)

    def draws(self, amps: float, now: float, *, elsewhere_a: float = 0.0) -> None:
        """Let it be measured now: what it draws on its first phase at least, and on the others."""
        if elsewhere_a > 0.0:
            self.alone = False
        elif self.one_since is not None and now >= self.one_since + SETTLING_S and amps >= FLOWS_A:
            self.alone = True
        shown = self.limit_a is not None and not self.pending and now > self.limit_since and amps <= self.limit_a
        self.unproved_a = amps if shown else max(self.unproved_a, amps)

    def passes(self, now: float) -> None:
        """Let time pass: a limit that nobody renewed runs out, and a car follows what its charger fell back to."""
        if not self.online and self.expires_at is not None and now >= self.expires_at:
            self.unproved_a = max(self.unproved_a, self.limit_a or 0.0)
            self.limit_a = self.connector.maximum_a if self.fallback_a is None else self.fallback_a
            self.limit_since, self.expires_at = self.expires_at, None
            self.uses_all()
        settled = not self.online and self.expires_at is None and now >= self.limit_since + SETTLING_S
        if self.limit_a is not None and not self.pending and (settled or (self.online and not self.plugged)):
            self.unproved_a = self.limit_a


def commitments(
    site: SiteModel,
    evidence: dict[str, Evidence],
    of: Callable[[Evidence], float],
    elsewhere: Callable[[Evidence], float],
) -> Rows:
    """Return what all chargers together may draw in each row of each circuit, given what one may.

    `elsewhere` is what one may draw on its other phases that is proved to draw on the first alone.
    """
    kinds: tuple[int | str, ...] = (0, 1, 2, "sum", "alone 0", "alone 1", "alone 2")
    rows: Rows = {(circuit_id, kind): 0.0 for circuit_id in site.circuits for kind in kinds}
    for known in evidence.values():
        rotation, amps = known.connector.rotation, of(known)
        for circuit_id in site.paths[known.connector.circuit_id]:
            for own, phase in enumerate((0, 1, 2) if rotation is None else rotation):
                there = elsewhere(known) if own and known.keeps_to_one else amps
                rows[circuit_id, phase] += there
                rows[circuit_id, "sum"] += there
            if rotation is not None and (len(rotation) == 1 or known.was_one):
                rows[circuit_id, f"alone {rotation[0]}"] += amps
    return rows
