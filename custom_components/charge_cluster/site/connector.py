"""One connector while the site runs: what its charger reports, turned into proof and pictures.

The state here changes with every report; what is decided about it is not made here, nor what its sessions come to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..chargers import ConnectorStatus, DrawSample, TransactionStarted
from ..engine import guard
from ..engine.guard import DrawBound
from ..engine.model import Connector, Limit, PhaseAmps, Reason, VehicleState
from ..engine.snapshot import ConnectorFacts
from .foreign import OfferWatch
from .session import Session
from .views import ConnectorView

PLUGGED = frozenset({VehicleState.WANTS, VehicleState.SATED})


@dataclass(slots=True, kw_only=True)
class ConnectorState:
    """What is known of one connector."""

    connector: Connector
    charge_point_id: str
    number: int
    bound: DrawBound
    vehicle: VehicleState = VehicleState.UNKNOWN
    since: float = 0.0
    status: str | None = None
    error: str | None = None
    drawn_a: PhaseAmps | None = None
    power_w: float | None = None
    energy_wh: float | None = None
    soc_percent: float | None = None
    transaction: TransactionStarted | None = None
    """The one that runs."""
    session: Session | None = None
    parted: Session | None = None
    """The last session whose vehicle left."""
    register_due: float | None = None
    """Until then (monotonic seconds) the end of that session waits for its last register; None: it has been told."""
    limit: Limit = field(default_factory=lambda: Limit(amps=0.0, reason=Reason.STARTING))
    queue_position: int | None = None
    outstanding: int = 0
    """Calls with a limit that have not been answered."""
    retry_at: float = 0.0
    proving_until: float = float("-inf")
    """Until then its fallback is being stored, or it is given the time to dial in for the first time."""
    refusals: int = 0
    """Refused limits in a row."""
    leaving: bool = False
    """Removed from the configuration: it counts until its limit has run out."""
    starts_at: float = 0.0
    """Its random moment after an outage (monotonic seconds); before it, it does not rise from nothing."""
    offers: OfferWatch = field(default_factory=OfferWatch)
    """What it says that it offers the vehicle."""
    known: ConnectorFacts | None = None
    """What the last pass was told of it."""

    @property
    def key(self) -> str:
        """Return its id in the site."""
        return self.connector.connector_id

    @property
    def plugged(self) -> bool:
        """Return whether a vehicle is there."""
        return self.vehicle in PLUGGED

    @property
    def absent(self) -> bool:
        """Return whether surely no vehicle is there."""
        return self.vehicle is VehicleState.ABSENT

    def has_parted_from(self, transaction_id: str) -> bool:
        """Return whether a transaction is of a vehicle that has left."""
        return self.parted is not None and transaction_id in self.parted.settled_wh

    @property
    def power_now_w(self) -> float:
        """Return what it draws, by its own measurement or its currents at nominal voltage."""
        if self.power_w is not None:
            return self.power_w
        return 0.0 if self.drawn_a is None else sum(self.drawn_a) * 230.0

    @property
    def fallback_a(self) -> float:
        """Return the fallback to go by now: a higher one than is proved has to wait until there is room for it."""
        stored, wanted = self.bound.fallback_a, self.connector.fallback_a
        return wanted if stored is None else min(stored, wanted)

    @property
    def limit_a(self) -> float:
        """Return the limit in force; until one is known, the fallback that it is meant to be at."""
        return self.connector.fallback_a if self.bound.limit_a is None else self.bound.limit_a

    def facts(self, now: float) -> ConnectorFacts:
        """Return what a pass may know of it: the same object as last time while nothing is new."""
        known = self.known
        outstanding, proving = self.outstanding > 0, now < self.proving_until
        transaction = None if self.transaction is None else self.transaction.transaction_id
        if (
            known is not None
            and known.bound is self.bound
            and known.vehicle is self.vehicle
            and known.since == self.since
            and known.outstanding is outstanding
            and known.retry_at == self.retry_at
            and known.proving is proving
            and known.starts_at == self.starts_at
            and known.transaction == transaction
        ):
            return known
        self.known = ConnectorFacts(
            bound=self.bound,
            vehicle=self.vehicle,
            since=self.since,
            outstanding=outstanding,
            retry_at=self.retry_at,
            proving=proving,
            starts_at=self.starts_at,
            transaction=transaction,
        )
        return self.known

    def went_online(self, now: float) -> None:
        """Take note of a connection."""
        self.bound = guard.went_online(self.bound, self.connector, now)
        self.retry_at = 0.0

    def went_offline(self, now: float) -> None:
        """Take note of a lost connection; a session goes on, as the vehicle is still there."""
        self.bound = guard.went_offline(self.bound, now)

    def decided(self, bound: DrawBound, limit: Limit) -> bool:
        """Take over what a pass found; return whether it shows."""
        shows = limit != self.limit
        if bound is not self.bound:
            before = guard.worst_case_a(self.connector, self.bound)
            shows = shows or before != guard.worst_case_a(self.connector, bound)
            self.bound = bound
        self.limit = limit
        return shows

    def booted(self, now: float) -> None:
        """Take note of a restart of the charger: it is at its fallback until told otherwise."""
        self.bound = guard.rebooted(self.bound, self.connector, now)

    def status_changed(self, event: ConnectorStatus, now: float) -> None:
        """Take note of a status."""
        self.status, self.error = event.status, event.error
        before, self.vehicle = self.vehicle, event.vehicle
        if event.vehicle is VehicleState.ABSENT:
            self.bound = guard.unplugged(self.bound, now)
            self.drawn_a = (0.0, 0.0, 0.0) if self.drawn_a is not None else None
            self.power_w = 0.0 if self.power_w is not None else None
            self.soc_percent = None
            self.offers = OfferWatch()
            if before is not VehicleState.ABSENT:
                self.since = now
        elif self.plugged and self.session is None:
            self.since = now

    def sampled(self, event: DrawSample, now: float) -> None:
        """Take note of a measurement."""
        self.bound = guard.measured(self.bound, self.connector, event.amps, min(event.measured_at, now), now)
        if event.offered_a is not None:
            wanted = self.vehicle is VehicleState.WANTS
            self.offers.take(event.offered_a, self.bound, min(event.measured_at, now), wanted=wanted)
        self.drawn_a = event.amps
        self.power_w = event.power_w
        if event.soc_percent is not None:
            self.soc_percent = event.soc_percent
        if event.energy_wh is not None:
            self.energy_wh = event.energy_wh

    def view(self, circuit_names: dict[str, str]) -> ConnectorView:
        """Return the picture of it."""
        connector, bound, limit = self.connector, self.bound, self.limit
        return ConnectorView(
            key=self.key,
            online=bound.online,
            vehicle=self.vehicle,
            status=self.status,
            error=self.error,
            limit_a=self.limit_a,
            target_a=limit.amps,
            reason=limit.reason,
            reason_circuit=None if limit.circuit_id is None else circuit_names.get(limit.circuit_id, limit.circuit_id),
            expected_at=limit.expected_at,
            queue_position=self.queue_position,
            drawn_a=self.drawn_a,
            power_w=self.power_w,
            energy_wh=self.energy_wh,
            soc_percent=self.soc_percent,
            worst_case_a=guard.worst_case_a(connector, bound),
            fallback_a=connector.fallback_a,
            fallback_confirmed=connector.fallback_kept and bound.fallback_a == connector.fallback_a,
            cap_a=connector.maximum_a if connector.cap_a is None else connector.cap_a,
            enabled=connector.enabled,
            priority=connector.priority,
            session=None if self.session is None else self.session.view(),
        )
