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
        settled = not bound.in_flight and at >= bound.changed_at + bound.follows_within_s
        if limit is None or not settled or not wanted or self.reworded:
            self._agrees()
            return
        tolerance = max(ALIKE_A, ALIKE * limit)
        if abs(offered_a - limit) <= tolerance:
            self.highest_a = max(self.highest_a or 0.0, offered_a)
            self._agrees()
        elif self.highest_a is None or (offered_a < limit and self.highest_a < limit - tolerance):
            # It never offered so much: a cable may not carry more.
            self._agrees()
        else:
            self.differs_since = at if self.differs_since is None else self.differs_since
            self.foreign = at - self.differs_since > FOREIGN_AFTER_S

    def _agrees(self) -> None:
        self.differs_since = None
        self.foreign = False
