"""One connector while the site runs: what its charger reports, turned into proof and pictures.

The state here changes with every report; what is decided about it is not made here, nor what its sessions come to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..chargers import ConnectorStatus, DrawSample, HeldBack, NeedsTold, Quirk, QuirkShown, TransactionStarted
from ..engine import guard
from ..engine.guard import DrawBound
from ..engine.model import ChargingMode, Connector, Limit, PhaseAmps, Reason, VehicleState
from ..engine.snapshot import ConnectorFacts
from .foreign import OfferWatch
from .plan import PlanView
from .session import Session
from .session_wish import NO_SESSION_WISH, SessionWish
from .views import ConnectorView
from .wear import NO_WEAR, KeptWear, Starts

FLOWS_BEYOND_A = 1.0
"""A current on a phase that a connector is not said to have is one from here on; less is induced or noise."""

MOST_SOURCES = 8
"""Of limits from outside; the standard knows five."""

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
    needs: NeedsTold | None = None
    """What the vehicle said that it needs."""
    held_back: dict[str, HeldBack] = field(default_factory=dict)
    """Who holds it back at its own site, by source."""
    quirks: set[Quirk] = field(default_factory=set)
    """How its charger treats limits, where a person should know."""
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
    starts: Starts = field(default_factory=Starts)
    wear: KeptWear = NO_WEAR
    """What it has been through, as it is shown."""
    known: ConnectorFacts | None = None
    """What the last pass was told of it."""
    known_wish: SessionWish = NO_SESSION_WISH
    """What its driver wished then."""
    beyond_a: float | None = None
    """What it was measured to draw on phases that it is not said to have; None: nothing."""
    own_priority: int = 0
    """What it has where nothing is plugged in; a session or its driver may have another."""
    own_mode: ChargingMode = ChargingMode.NORMAL
    """What it charges from but for a session that is to be charged now."""
    chosen_mode: ChargingMode | None = None
    """What was chosen for it; None: it has the site's default."""

    def configure(self, connector: Connector, chosen_mode: ChargingMode | None = None) -> None:
        """Take over what is configured and wished of it, whatever its session has."""
        self.connector = connector
        self.chosen_mode = chosen_mode
        self.own_priority, self.own_mode = connector.priority, connector.mode

    def prioritise(self, priority: int) -> bool:
        """Take over the priority that counts now; return whether anything is different by that.

        A session that is to be charged now waits neither for the sun nor for cheap hours; what is off stays so.
        """
        off = self.own_mode is ChargingMode.OFF
        now = not off and self.session is not None and self.session.wish.charge_now
        mode = ChargingMode.NORMAL if now else self.own_mode
        if priority == self.connector.priority and mode is self.connector.mode:
            return False
        self.connector = replace(self.connector, priority=priority, mode=mode)
        return True

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
        session = self.session
        wish = NO_SESSION_WISH if session is None else session.wish
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
            and self.known_wish is wish
        ):
            return known
        self.known_wish = wish
        self.known = ConnectorFacts(
            bound=self.bound,
            vehicle=self.vehicle,
            since=self.since,
            outstanding=outstanding,
            retry_at=self.retry_at,
            proving=proving,
            starts_at=self.starts_at,
            transaction=transaction,
            departure_at=wish.departure_at,
            wanted_wh=wish.wanted_wh,
            charged_wh=0.0 if session is None else session.energy_wh,
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
            self.needs = None
            self.offers = OfferWatch()
            self.starts.saw(0.0)
            if before is not VehicleState.ABSENT:
                self.since = now
        elif self.plugged and self.session is None:
            self.since = now

    def told_needs(self, event: NeedsTold) -> None:
        """Take note of what its vehicle says of itself."""
        if event.soc_percent is not None:
            self.soc_percent = event.soc_percent

    def showed_quirk(self, event: QuirkShown) -> None:
        """Take note of how its charger treats limits."""
        (self.quirks.discard if event.gone else self.quirks.add)(event.quirk)

    def is_held_back(self, event: HeldBack) -> None:
        """Take note of a limit from outside, or of its end."""
        self.held_back.pop(event.source, None)
        if not event.ended and len(self.held_back) < MOST_SOURCES:
            self.held_back[event.source] = event

    def sampled(self, event: DrawSample, now: float) -> None:
        """Take note of a measurement."""
        self.bound = guard.measured(self.bound, self.connector, event.amps, min(event.measured_at, now), now)
        if event.offered_a is not None:
            wanted = self.vehicle is VehicleState.WANTS
            self.offers.take(event.offered_a, self.bound, min(event.measured_at, now), wanted=wanted)
        self.drawn_a = event.amps
        self._look_beyond(event.amps)
        self.starts.saw(max(event.amps))
        self.power_w = event.power_w
        if event.soc_percent is not None:
            self.soc_percent = event.soc_percent
        if event.energy_wh is not None:
            self.energy_wh = event.energy_wh

    def _look_beyond(self, amps: PhaseAmps) -> None:
        """Notice currents on phases that it is not said to have; they last until it charges without them."""
        rotation = self.connector.rotation
        beyond = 0.0 if rotation is None else max(amps[len(rotation) :], default=0.0)
        if beyond >= FLOWS_BEYOND_A:
            self.beyond_a = max(beyond, self.beyond_a or 0.0)
        elif self.beyond_a is not None and max(amps) >= FLOWS_BEYOND_A:
            self.beyond_a = None

    def view(self, circuit_names: dict[str, str], plan: PlanView | None = None) -> ConnectorView:
        """Return the picture of it, with what is planned for its session."""
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
            priority=self.own_priority,
            effective_priority=connector.priority,
            mode=self.own_mode,
            chosen_mode=self.chosen_mode,
            plan=plan,
            session=None if self.session is None else self.session.view(),
            wear=self.wear,
            held_back=tuple(self.held_back.values()),
            phases=len(connector.phases) if limit.phases is None else limit.phases,
            on_one_phase=limit.phases is not None,
        )
