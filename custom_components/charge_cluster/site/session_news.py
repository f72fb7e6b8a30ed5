"""What a driver wants to hear of a session while it goes on: it waits for a place, it has got one, it is done.

Places are given anew with every pass and every turn. A driver is told what has become of the last word, not of every
pass: only changes, and each kind at most once a minute for one connector. What was held back is told when it is due,
if it is still so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..engine.model import Reason, VehicleState
from ..ocpp.protocols import Clock
from .connector import ConnectorState
from .plan import PlanView
from .records import SiteRecords
from .session import Session
from .views import SessionEvent

WAITING, ADMITTED, DONE, IMPOSSIBLE = "waiting", "admitted", "done", "impossible"

TOLD_EVERY_S = 60.0
"""A kind of news is told of one connector at most so often."""

DONE_AFTER_S = 300.0
"""A vehicle that has taken nothing for so long is done: balancing its battery, it pauses for less."""


class SessionNews:
    """What was told of the sessions of one site, and what is to be told next."""

    def __init__(self, clock: Clock, records: SiteRecords, tell: Callable[[SessionEvent], None]) -> None:
        """Begin with nothing told but what sessions know themselves."""
        self._clock = clock
        self._records = records
        self._tell = tell
        self._told_at: dict[tuple[str, str], float] = {}
        """When each kind was told last of a connector (monotonic seconds)."""
        self._rests_since: dict[str, float] = {}
        """Since when the vehicles at connectors have taken nothing of their own accord (monotonic seconds)."""

    def look(self, state: ConnectorState, *, holds_place: bool, plan: PlanView | None = None) -> None:
        """Tell what has changed at a connector since this was asked last."""
        session = state.session
        if session is None:
            self._rests_since.pop(state.key, None)
            return
        if not session.told_waiting and state.queue_position is not None:
            if self._say(state, session, WAITING):
                session.told_waiting = True
                self._records.keep_session(state.key, session)
        elif session.told_waiting and holds_place and self._say(state, session, ADMITTED):
            session.told_waiting = False
            self._records.keep_session(state.key, session)
        if not session.told_done and self._is_done(state, session) and self._say(state, session, DONE):
            session.told_done = True
            self._records.keep_session(state.key, session)
        if plan is not None and plan.impossible is not session.told_impossible:
            self._tell_impossible(state, session, plan)

    def _tell_impossible(self, state: ConnectorState, session: Session, plan: PlanView) -> None:
        """Tell that a wish cannot be met; one that can be met now is news again when it cannot be once more."""
        if not plan.impossible or self._say(state, session, IMPOSSIBLE, plan):
            session.told_impossible = plan.impossible
            self._records.keep_session(state.key, session)

    def forget(self, key: str) -> None:
        """Forget a connector that is gone."""
        self._rests_since.pop(key, None)
        for told in [told for told in self._told_at if told[0] == key]:
            del self._told_at[told]

    def _is_done(self, state: ConnectorState, session: Session) -> bool:
        """Return whether a vehicle has what it wants: as its driver said, or because it has stopped by itself."""
        wanted_wh = session.asked_wh
        rests = state.vehicle is VehicleState.SATED or state.limit.reason is Reason.ASLEEP
        if not rests:
            self._rests_since.pop(state.key, None)
            return wanted_wh is not None and session.energy_wh >= wanted_wh
        now, charged_wh = self._clock.monotonic(), session.energy_wh
        since = self._rests_since.setdefault(state.key, now)
        if charged_wh <= 0.0:
            return False
        return now - since >= DONE_AFTER_S or (wanted_wh is not None and charged_wh >= wanted_wh)

    def _say(self, state: ConnectorState, session: Session, kind: str, plan: PlanView | None = None) -> bool:
        """Tell a kind of news unless it was told a moment ago; return whether it was told."""
        now = self._clock.monotonic()
        if now - self._told_at.get((state.key, kind), now - TOLD_EVERY_S) < TOLD_EVERY_S:
            return False
        self._told_at[state.key, kind] = now
        event = session.event(kind, state.key, self._clock.time())
        if plan is not None:
            event = replace(event, shortfall_wh=plan.shortfall_wh, possible_at=plan.possible_at)
        elif kind != DONE:
            event = replace(event, queue_position=state.queue_position, expected_at=state.limit.expected_at)
        self._tell(event)
        return True
