"""A session at a connector, from plug-in to plug-out, and how its energy is made up.

The register that a charger tells at the end of a transaction, less the one at its start, is the energy of that
transaction. What is measured meanwhile counts only until then: many chargers measure seldom, some never.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .views import SessionEvent, SessionView

MOST_TRANSACTIONS = 64
"""Of one session; the oldest beyond them are known by their sum alone."""

MOST_RUNNING_WH = 1_000_000.0
"""Nobody charges as much at once: some start each transaction at 0 and measure with a register that does not."""


@dataclass(slots=True, kw_only=True)
class Session:
    """A session; what it consists of is kept over a restart."""

    session_id: str
    started_at: float
    """UTC POSIX seconds."""
    start_energy_wh: float | None
    """The monotonic register from which on is counted what no transaction has settled yet; None: from the next one."""
    id_tag: str | None = None
    ended_at: float | None = None
    """When the vehicle left; UTC POSIX seconds."""
    counted_wh: float = 0.0
    """What was measured since the last transaction was settled."""
    settled_wh: dict[str, float | None] = field(default_factory=dict)
    """The energy of each transaction by its own registers, oldest first; None: its last register is not known yet."""
    earlier_wh: float = 0.0
    """What older transactions came to."""
    left_at: float | None = None
    """When its vehicle left by the charger's word and clock, where nobody has seen the connector free since."""

    @property
    def energy_wh(self) -> float:
        """Return the energy as far as it is known."""
        return self.earlier_wh + sum(wh for wh in self.settled_wh.values() if wh is not None) + self.counted_wh

    @property
    def settled(self) -> bool:
        """Return whether the last register of each of its transactions is known."""
        return None not in self.settled_wh.values()

    @property
    def transaction_id(self) -> str | None:
        """Return its newest transaction."""
        return next(reversed(self.settled_wh), None)

    def join(self, transaction_id: str, id_tag: str | None) -> None:
        """Take note of a transaction that runs in it."""
        self.id_tag = id_tag or self.id_tag
        self.settled_wh.setdefault(transaction_id, None)
        if len(self.settled_wh) > MOST_TRANSACTIONS:
            oldest = next(iter(self.settled_wh))
            self.earlier_wh += self.settled_wh.pop(oldest) or 0.0

    def measure(self, energy_wh: float) -> None:
        """Take note of the monotonic register."""
        if self.start_energy_wh is None:
            self.start_energy_wh = energy_wh - self.counted_wh
        self.counted_wh = max(self.counted_wh, energy_wh - self.start_energy_wh)

    def charged(self, transaction_id: str, energy_wh: float) -> None:
        """Take note of what one of its transactions came to until now, by that one's own register."""
        running = transaction_id in self.settled_wh and self.settled_wh[transaction_id] is None
        if running and energy_wh <= MOST_RUNNING_WH:
            self.counted_wh = max(self.counted_wh, energy_wh)

    def settle(self, transaction_id: str, energy_wh: float, *, presumed: bool = False) -> None:
        """Take over the energy of one of its transactions by that one's own registers.

        Args:
            energy_wh: the register at the end less the one at the start; a negative one is none, and what was measured
                stays.
            presumed: nobody told of the end, so that more may have been measured.
        """
        usable = energy_wh >= 0
        if self.settled_wh[transaction_id] is not None:
            if usable:
                self.settled_wh[transaction_id] = energy_wh
            return
        if not usable:
            energy_wh = self.counted_wh
        self.settled_wh[transaction_id] = max(energy_wh, self.counted_wh) if presumed else energy_wh
        self.counted_wh = 0.0
        self.start_energy_wh = None

    def view(self) -> SessionView:
        """Return the picture of it."""
        return SessionView(
            session_id=self.session_id,
            started_at=self.started_at,
            energy_wh=self.energy_wh,
            id_tag=self.id_tag,
            transaction_id=self.transaction_id,
        )

    def event(self, kind: str, key: str, at: float) -> SessionEvent:
        """Return what is told of it at a time (UTC POSIX seconds)."""
        return SessionEvent(key=key, kind=kind, session=self.view(), duration_s=max(0.0, at - self.started_at))
