"""A session at a connector, from plug-in to plug-out, and how its energy is made up.

The register that a charger tells at the end of a transaction, less the one at its start, is the energy of that
transaction. What is measured meanwhile counts only until then: many chargers measure seldom, some never.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .battery import StateOfCharge, Target, until_wh
from .bill import Bill
from .session_wish import NO_SESSION_WISH, SessionWish
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
    wish: SessionWish = NO_SESSION_WISH
    """What counts of what its driver said."""
    told_by_vehicle: SessionWish = NO_SESSION_WISH
    """What its vehicle told over the cable; it counts as far as its driver says nothing else."""
    missed_departure_at: float | None = None
    """The departure that has passed while the vehicle still stands there: when it leaves now, nobody knows."""
    told_waiting: bool = False
    """Whether the last that was told is that it waits for a place."""
    told_done: bool = False
    """Whether it was told that the vehicle is done."""
    told_impossible: bool = False
    """Whether it was told that what its driver wishes cannot be had."""
    bill: Bill = field(default_factory=Bill)
    """What it costs so far."""
    phases: int | None = None
    """On how many phases its vehicle was seen to charge; None: not yet."""
    usual_phases: int | None = None
    """On how many that of its driver did the last time."""
    target: Target | None = None
    """How full its battery is to be, by its wish or its driver's profile."""
    soc: StateOfCharge | None = None
    """How full it was when that was told last, where there is a target."""

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

    @property
    def told_departure_at(self) -> float | None:
        """Return the departure that its driver said last, whether that has passed or not."""
        return self.missed_departure_at if self.wish.departure_at is None else self.wish.departure_at

    @property
    def target_wh(self) -> float | None:
        """Return what it takes in all until its target; None: there is none, or how full it is is not known."""
        return None if self.target is None or self.soc is None else until_wh(self.target, self.soc)

    @property
    def asked_wh(self) -> float | None:
        """Return how much it is to take in all, as somebody said it of it; None: nobody did, or it is not known."""
        if self.wish.wanted_wh is not None:
            return self.wish.wanted_wh
        if (by_target := self.target_wh) is not None:
            return by_target
        return None if self.wish.target_soc is None else self.told_by_vehicle.wanted_wh

    def take_wish(self, wish: SessionWish) -> None:
        """Take over a wish in place of the one before."""
        much = (self.wish.wanted_wh, self.wish.target_soc)
        same = (wish.wanted_wh, wish.target_soc) == much
        self.told_done = self.told_done and same
        self.told_impossible = self.told_impossible and same and wish.departure_at == self.wish.departure_at
        self.wish = wish

    def hear_vehicle(self, told: SessionWish) -> bool:
        """Take over what the vehicle told where its driver has said nothing; return whether that changes anything.

        What stands there from the vehicle itself gives way to its newer word.
        """
        before, wish = self.told_by_vehicle, self.wish
        departure_at, wanted_wh = wish.departure_at, wish.wanted_wh
        if told.departure_at is not None and departure_at in {None, before.departure_at}:
            departure_at = told.departure_at
        # How full its driver wants it goes before what it wants itself.
        if told.wanted_wh is not None and wish.target_soc is None and wanted_wh in {None, before.wanted_wh}:
            wanted_wh = told.wanted_wh
        self.told_by_vehicle = told
        if (departure_at, wanted_wh) == (wish.departure_at, wish.wanted_wh):
            return False
        self.take_wish(replace(wish, departure_at=departure_at, wanted_wh=wanted_wh))
        return True

    def falls_overdue(self, now: float) -> bool:
        """Take note of the UTC POSIX time; return whether its departure has passed since this was asked last."""
        departure_at = self.wish.departure_at
        if departure_at is None or departure_at > now:
            return False
        self.missed_departure_at = departure_at
        self.wish = replace(self.wish, departure_at=None)
        return True

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
            wish=self.wish,
            told_departure_at=self.told_departure_at,
            asked_wh=self.asked_wh,
            phases=self.phases,
            target=self.target,
            soc=self.soc,
            costs=self.bill.view(),
        )

    def event(self, kind: str, key: str, at: float) -> SessionEvent:
        """Return what is told of it at a time (UTC POSIX seconds)."""
        return SessionEvent(key=key, kind=kind, session=self.view(), duration_s=max(0.0, at - self.started_at))
