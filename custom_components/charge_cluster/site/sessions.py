"""The sessions of a site: begun, settled, ended, written down and told.

The end of a session is told once its energy is known. A vehicle may leave before the charger has told the end of the
transaction (it was offline, or says first that the connector is free), and the register in that end is what counts. So
the session waits for it, though not for ever; a register that comes later still mends what was written down.

Vehicles also come and go while nobody can see them: the charge point is offline, or we are away. What it tells of
transactions afterwards says who was there: the vehicle of one was unplugged, so that the next is of another vehicle, or
the connector is free again, so that a whole visit is recorded at once.
"""

from __future__ import annotations

import contextlib
import logging
import math
import uuid
from collections.abc import Callable, Iterable
from typing import Unpack

from ..chargers import DrawSample, NeedsTold, TransactionStarted, TransactionStopped
from ..ocpp.listeners import enlist
from ..ocpp.pacing import CalmLog
from ..ocpp.protocols import Clock
from .billing import Billing
from .connector import ConnectorState
from .records import SiteRecords
from .session import Session
from .session_wish import NO_SESSION_WISH, SessionWish, WishChange, WishFault, WishRefused, changed, effective_priority
from .views import SessionEvent

LOGGER = logging.getLogger(__name__)

REGISTER_PATIENCE_S = 90.0
"""So long the end of a session waits for its last register; one that the charger lost is presumed before."""


class Sessions:
    """The sessions at the connectors of one site."""

    def __init__(self, records: SiteRecords, clock: Clock, billing: Billing) -> None:
        """Begin with none; those that were kept are taken up with `resume`."""
        self._records = records
        self._billing = billing
        self._clock = clock
        self._listeners: list[Callable[[SessionEvent], None]] = []
        self._log = CalmLog(LOGGER, clock.monotonic)

    def listen(self, seen: Callable[[SessionEvent], None]) -> Callable[[], None]:
        """Have told what happens to sessions; return what ends it."""
        return enlist(self._listeners, seen)

    def resume(self, state: ConnectorState, kept: Session) -> None:
        """Go on with a session that was kept."""
        if kept.ended_at is None:
            state.session = kept
        else:
            self._wait_for_register(state, kept)

    def follow_vehicle(self, state: ConnectorState) -> None:
        """Begin a session where a vehicle was plugged in, end it where the vehicle left."""
        if state.plugged and state.session is None:
            self._begin(state)
        elif state.absent and state.session is not None:
            self._part(state, state.session, self._clock.time())

    def measured(self, state: ConnectorState, sample: DrawSample) -> None:
        """Take note of the registers in a measurement."""
        session, transaction = state.session, state.transaction
        if session is None:
            return
        first = session.start_energy_wh is None
        if sample.energy_wh is not None:
            session.measure(sample.energy_wh)
        if sample.register_wh is not None and transaction is not None:
            session.charged(transaction.transaction_id, sample.register_wh - transaction.meter_start_wh)
        if sample.energy_wh is not None or sample.register_wh is not None:
            self._billing.measured(state, session)
        if first and session.start_energy_wh is not None:
            self._records.keep_session(state.key, session)

    def transaction_started(self, state: ConnectorState, event: TransactionStarted) -> None:
        """Take note of a transaction that is stored."""
        state.transaction = event
        session = state.session
        if state.has_parted_from(event.transaction_id):
            return
        if session is None:
            # Where the connector is said to be free its word may follow, and a visit that is over is recorded as one.
            if not state.absent and not event.resumed:
                self._begin_unseen(state, event)
        elif session.left_at is not None and event.transaction_id not in session.settled_wh:
            self._part(state, session, self._clipped(session.left_at, session.started_at))
            self._begin_unseen(state, event)
        else:
            session.join(event.transaction_id, event.id_tag)
            self._write(state, session)

    def transaction_stopped(self, state: ConnectorState, event: TransactionStopped) -> None:
        """Take over the register at the end of a transaction."""
        running = state.transaction
        if running is not None and running.transaction_id == event.transaction_id:
            state.transaction = None
            if state.absent and state.session is None and not state.has_parted_from(event.transaction_id):
                self._record_visit(state, running, event)
                return
        if state.session is not None and event.vehicle_left and event.transaction_id == state.session.transaction_id:
            state.session.left_at = event.stopped_at
        for session in (state.session, state.parted):
            if session is not None and event.transaction_id in session.settled_wh:
                self._settle(state, session, event)

    def conclude(self, state: ConnectorState, now: float) -> None:
        """End a session that has waited for its last register long enough; `now` in monotonic seconds."""
        if state.register_due is not None and now >= state.register_due:
            self._tell_end(state)

    def wish_with(self, state: ConnectorState, **changes: Unpack[WishChange]) -> SessionWish:
        """Return what the wish of a session would be with some fields changed. Raises WishRefused."""
        if state.session is None:
            raise WishRefused(WishFault.NOTHING_PLUGGED_IN)
        wish = changed(state.session.wish, self._clock.time(), **changes)
        if wish.target_soc is not None and wish.battery_wh is None:
            id_tag = state.session.id_tag
            if id_tag is None or self._records.driver_profile(id_tag).battery_wh is None:
                raise WishRefused(WishFault.BATTERY_UNKNOWN)
        return wish

    def wish(self, state: ConnectorState, **changes: Unpack[WishChange]) -> None:
        """Change some fields of what is wished of a session. Raises WishRefused."""
        wish = self.wish_with(state, **changes)
        if state.session is not None:
            state.session.take_wish(wish)
            self._write(state, state.session)

    def hear_vehicle(self, state: ConnectorState, told: NeedsTold) -> None:
        """Take note of what a vehicle needs by its own word; what cannot be is not believed.

        It may speak before its session has begun.
        """
        state.needs = told
        session, now = state.session, self._clock.time()
        if session is None:
            return
        wish = NO_SESSION_WISH
        wanted_wh = None if told.energy_wh is None else session.energy_wh + told.energy_wh
        changes: tuple[WishChange, ...] = ({"departure_at": told.departure_at}, {"wanted_wh": wanted_wh})
        for change in changes:
            with contextlib.suppress(WishRefused):
                wish = changed(wish, now, **change)
        if session.hear_vehicle(wish):
            self._write(state, session)

    def priority(self, state: ConnectorState) -> int:
        """Return the priority that a connector has for what is plugged in."""
        session = state.session
        if session is None:
            return state.own_priority
        driver = None if session.id_tag is None else self._records.driver_priority(session.id_tag)
        return effective_priority(session.wish, driver=driver, connector=state.own_priority)

    def falls_overdue(self, state: ConnectorState) -> bool:
        """Return whether the departure of a session has passed since this was asked last."""
        session = state.session
        if session is None or not session.falls_overdue(self._clock.time()):
            return False
        self._records.keep_session(state.key, session)
        return True

    def leave(self, state: ConnectorState) -> None:
        """End what goes on at a connector that is not ours any more, with what is known of it."""
        if state.session is not None:
            self._part(state, state.session, self._clock.time())
        self.conclude(state, math.inf)

    def keep(self, states: Iterable[ConnectorState]) -> None:
        """Write down how the sessions are that go on while the site does not."""
        for state in states:
            if state.session is not None:
                self._write(state, state.session)

    def _begin(self, state: ConnectorState) -> None:
        self._tell_end(state)
        self._open(state, _new(self._clock.time(), state.energy_wh))

    def _begin_unseen(self, state: ConnectorState, event: TransactionStarted) -> None:
        """Begin the session of a vehicle that nobody saw coming, with its transaction."""
        self._tell_end(state)
        earliest = 0.0 if state.parted is None or state.parted.ended_at is None else state.parted.ended_at
        state.since = self._clock.monotonic()
        self._open(state, _new(self._clipped(event.started_at, earliest)))

    def _record_visit(self, state: ConnectorState, began: TransactionStarted, ended: TransactionStopped) -> None:
        """Record a vehicle that came, charged and left while nobody could see it."""
        energy_wh = ended.meter_stop_wh - ended.meter_start_wh
        if energy_wh <= 0:
            return
        self._tell_end(state)
        session = state.parted = _new(self._clipped(began.started_at))
        session.join(began.transaction_id, began.id_tag)
        session.settle(began.transaction_id, energy_wh)
        session.ended_at = self._clipped(ended.stopped_at, session.started_at)
        self._close_account(state, session)
        self._records.session(state.key, session)
        self.tell(session.event("started", state.key, session.started_at))
        self.tell(session.event("ended", state.key, session.ended_at))

    def _clipped(self, at: float, earliest: float = 0.0) -> float:
        """Return a time by the clock of a charger, not later than now."""
        return max(earliest, min(at, self._clock.time()))

    def _open(self, state: ConnectorState, session: Session) -> None:
        transaction = state.transaction
        if transaction is not None and not state.has_parted_from(transaction.transaction_id):
            session.join(transaction.transaction_id, transaction.id_tag)
        state.session = session
        if state.needs is not None:
            self.hear_vehicle(state, state.needs)
        self._write(state, session)
        self.tell(session.event("started", state.key, session.started_at))

    def _part(self, state: ConnectorState, session: Session, at: float) -> None:
        session.ended_at = at
        state.session = None
        self._wait_for_register(state, session)
        if session.settled:
            self._tell_end(state)
        else:
            self._write(state, session)

    def _wait_for_register(self, state: ConnectorState, session: Session) -> None:
        state.parted = session
        state.register_due = self._clock.monotonic() + REGISTER_PATIENCE_S

    def _settle(self, state: ConnectorState, session: Session, event: TransactionStopped) -> None:
        energy_wh = event.meter_stop_wh - event.meter_start_wh
        if energy_wh < 0:
            self._log.warning(
                "The register at the end of transaction %s at %s (%.0f Wh) is below the one at its start (%.0f Wh) and"
                " is ignored; what was measured meanwhile counts",
                event.transaction_id,
                state.key,
                event.meter_stop_wh,
                event.meter_start_wh,
            )
        session.settle(event.transaction_id, energy_wh, presumed=event.presumed)
        if session is state.parted and state.register_due is None:
            self._close_account(state, session)
            self._records.session(state.key, session)
        elif session is state.parted and session.settled:
            self._tell_end(state)
        else:
            self._write(state, session)

    def _tell_end(self, state: ConnectorState) -> None:
        """Tell the end of the session that waits to be told, if there is one."""
        session = state.parted
        if state.register_due is None or session is None or session.ended_at is None:
            return
        state.register_due = None
        self._close_account(state, session)
        self._records.session(state.key, session)
        self._records.keep_session(state.key, None)
        self.tell(session.event("ended", state.key, session.ended_at))

    def _close_account(self, state: ConnectorState, session: Session) -> None:
        """Account for all that a session has taken, as far as that is known by now."""
        self._billing.take(state, session)
        self._billing.book(session)

    def _write(self, state: ConnectorState, session: Session) -> None:
        self._billing.take(state, session)
        self._records.session(state.key, session)
        self._records.keep_session(state.key, session)

    def tell(self, event: SessionEvent) -> None:
        """Tell everybody who listens what happened to a session."""
        for listener in list(self._listeners):
            listener(event)


def _new(started_at: float, start_energy_wh: float | None = None) -> Session:
    return Session(session_id=uuid.uuid4().hex, started_at=started_at, start_energy_wh=start_energy_wh)
