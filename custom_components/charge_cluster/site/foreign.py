"""Does something else set limits on a connector, too?

A charger that reports what it offers its vehicle shows whose orders it follows. Reports differ from limits for many
good reasons: cables, temperature, rounding, a charger's own idea of the figure. So only a change is believed: what was
offered was the limit once, and now, without an order of ours, it is something else and stays so.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.guard import DrawBound

FOREIGN_AFTER_S = 30.0
"""A report that differs for so long follows somebody else."""

ALIKE_A = 1.0
ALIKE = 0.1
"""A report within the larger of the two of a limit is the limit: whole amps, or watts at another voltage."""


@dataclass(slots=True, kw_only=True)
class OfferWatch:
    """What a charger said that it offers, during one session."""

    offered_a: float | None = None
    """As it was told last."""
    highest_a: float | None = None
    """The most that was offered as it was ordered; None: its reports have not been seen to follow orders."""
    differs_since: float | None = None
    """Since when (monotonic) it is something else; None: it is not."""
    differs_a: float = 0.0
    """What it is."""
    foreign: bool = False
    """Whether something else has set a limit."""
    reworded: bool = False
    """Whether limits were worded otherwise because they were not obeyed: the reports prove nothing then."""

    def take(self, offered_a: float, bound: DrawBound, at: float, *, wanted: bool) -> None:
        """Take a report.

        Args:
            bound: with the limit in force.
            at: when it was measured, monotonic.
            wanted: whether the vehicle wants current; many chargers offer nothing to one that does not.
        """
        self.offered_a = offered_a
        limit = bound.limit_a
        if limit is None or not wanted or self.reworded:
            self._forget()
        elif self.differs_since is not None:
            self._goes_on(offered_a, limit, at, self.differs_since)
        elif not bound.in_flight and at >= bound.changed_at + bound.follows_within_s:
            self._compare(offered_a, limit, at)

    def _compare(self, offered_a: float, limit: float, at: float) -> None:
        if _alike(offered_a, limit):
            self.highest_a = max(self.highest_a or 0.0, offered_a)
        elif self.highest_a is not None and (
            offered_a > limit or self.highest_a >= limit or _alike(self.highest_a, limit)
        ):
            # Where it never offered so much, a cable may not carry more.
            self.differs_since, self.differs_a = at, offered_a

    def _goes_on(self, offered_a: float, limit: float, at: float, since: float) -> None:
        """Follow a difference: it is not over when our own limit comes down to it, as a vehicle seems to take less."""
        if not _alike(offered_a, self.differs_a):
            if _alike(offered_a, limit):
                self._forget()
                return
            self.differs_a = offered_a
        self.foreign = at - since > FOREIGN_AFTER_S

    def _forget(self) -> None:
        self.differs_since = None
        self.foreign = False


def _alike(offered_a: float, limit: float) -> bool:
    return abs(offered_a - limit) <= max(ALIKE_A, ALIKE * limit)
