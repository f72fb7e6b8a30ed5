"""What the site expects of its visitors: habits learned from stays that ended, and who needs current now.

Nothing here decides about current. The habits are those of the sessions in the ledger, so that they outlive us, are
bounded, and are gone when the records are. Who shares by need is reckoned anew when somebody comes, goes or says
something, and every few minutes; that takes longer than the event loop may be held, so it is done in pieces, one per
turn of the loop. Where no circuit shares by need nothing is reckoned at all.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from ..engine.habits import MOST_STAYS, Arrival, Expectation, Habits, Stay
from ..engine.model import NO_AMPS, SharingRule, SiteModel, VehicleState
from ..engine.needs import NO_PRICES, Need, Visitor, Weighed, weigh_in_pieces
from ..engine.rows import PHASE_ROWS, layout_of
from ..engine.snapshot import Decision
from ..ocpp.protocols import Clock
from .connector import ConnectorState
from .session import Session
from .views import SessionEvent, SessionView

EVERY_S = 300.0
"""Needs are reckoned anew at least so often: what is expected of who is still here changes with time alone."""

APART_S = 5.0
"""And at most so often, however many come and go."""

LEAST_STAY_S = 60.0
LEAST_ENERGY_WH = 100.0
"""Less is a plug that was tried, not a stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastStay:
    """A session that has ended, as habits are learned from it; times in UTC POSIX seconds."""

    key: str
    """Of the connector."""
    started_at: float
    ended_at: float
    energy_wh: float
    id_tag: str | None = None
    departure_at: float | None = None
    """When its driver said that it would leave."""
    wanted_wh: float | None = None
    phases: int | None = None
    """On how many its vehicle charged; None: not known."""


@dataclass(frozen=True, slots=True)
class StillHere:
    """How likely a vehicle is still there later, that is there now; times in UTC POSIX seconds."""

    expectation: Expectation
    now: float
    now_h: float
    """The same on the clock of the expectation."""

    def at(self, when: float) -> float:
        """Return how likely it is still there."""
        return self.expectation.still_here(self.now_h, self.now_h + (when - self.now) / 3600.0)

    def gone_by(self, share: float) -> float:
        """Return by when it has left with that likelihood."""
        return self.now + 3600.0 * (self.expectation.departure_h(self.now_h, share) - self.now_h)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is expected of a session that goes on, as early, likely and late: 10 %, 50 % and 90 %."""

    departure_at: tuple[float, float, float]
    """UTC POSIX seconds."""
    still_here: StillHere
    """The same in full."""
    energy_wh: tuple[float, float, float]
    """Of the whole session."""
    alike: float
    """How many remembered stays it rests on in effect."""
    of_driver: int
    """How many stays of the same driver are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedStay:
    """A stay that is expected as one like it was a few weeks ago; times in UTC POSIX seconds."""

    key: str
    """Of the connector."""
    arrive_at: float
    leave_at: float
    energy_wh: float
    weight: float
    """Its part of what is expected: those of four weeks count a quarter each."""


SHARES = (0.1, 0.5, 0.9)

WEEK_S = 7 * 86_400.0
WEEKS = 4
"""The mean of so many of the same weekdays is expected."""

type _Said = tuple[float | None, float | None]
"""What its driver said of a session: when it leaves, and how much it wants."""


@dataclass(frozen=True, slots=True)
class _Expected:
    """What is expected of a session for as long as nothing new is known of it."""

    session_id: str
    id_tag: str | None
    said: _Said
    expectation: Expectation
    arrived_h: float


class Foresight:
    """What one site expects of its visitors."""

    def __init__(self, clock: Clock, local_zone: Callable[[], tzinfo], changed: Callable[[], None]) -> None:
        """Begin with nothing learned; `changed` is called when needs were reckoned anew."""
        self._clock = clock
        self._zone = local_zone
        self._changed = changed
        self._habits = Habits()
        self._recent: deque[PastStay] = deque(maxlen=MOST_STAYS)
        """Stays of the last weeks, in the order in which they ended."""
        self._shared: set[str] = set()
        """Tags that are nobody's own: two vehicles stood there with the same one at a time."""
        self._tag_until: dict[str, float] = {}
        """When the last stay with a tag ended."""
        self._phases: dict[str, int] = {}
        """On how many phases the vehicle of a tag charged the last time."""
        self._expected: dict[str, _Expected] = {}
        self._prices = NO_PRICES
        self._needs: Mapping[str, Need] = {}
        self._about: frozenset[tuple[str, str, _Said]] = frozenset()
        """The sessions that the needs are about."""
        self._reckoned_at = -math.inf
        self._work: Generator[None, None, Weighed] | None = None
        self._turn: asyncio.Handle | None = None

    @property
    def needs(self) -> Mapping[str, Need]:
        """Return how much each vehicle needs current now, by connector, as far as that was reckoned."""
        return self._needs

    @property
    def stays(self) -> int:
        """Return how many stays are remembered."""
        return len(self._habits.stays)

    # Habits ----------------------------------------------------------------------------------------------------------

    def remember(self, stays: Iterable[PastStay]) -> None:
        """Learn from stays that ended before our start, oldest first."""
        stays = list(stays)
        for past in stays:
            self._look_at_tag(past)
        self._recent.extend(stays)
        self._habits = Habits.of([stay for past in stays if (stay := self._stay(past)) is not None])
        self._expected.clear()

    def seen(self, event: SessionEvent) -> None:
        """Learn from a session that has ended."""
        if event.kind != "ended":
            return
        session = event.session
        past = PastStay(
            key=event.key,
            started_at=session.started_at,
            ended_at=session.started_at + event.duration_s,
            energy_wh=session.energy_wh,
            id_tag=session.id_tag,
            departure_at=session.told_departure_at,
            wanted_wh=session.wish.wanted_wh,
            phases=session.phases,
        )
        self._look_at_tag(past)
        stay = self._stay(past)
        if stay is not None:
            self._habits = self._habits.learn(stay)
            self._recent.append(past)

    def forget(self, id_tag: str) -> None:
        """Forget what was learned of a driver."""
        self._habits = self._habits.forget(id_tag.upper())
        others = [past for past in self._recent if past.id_tag is None or past.id_tag.upper() != id_tag.upper()]
        self._recent = deque(others, maxlen=MOST_STAYS)
        self._phases.pop(id_tag.upper(), None)
        self._expected.clear()

    def _look_at_tag(self, past: PastStay) -> None:
        """Find out tags that chargers or guests share: they say nothing of who came."""
        if past.id_tag is None:
            return
        tag = past.id_tag.upper()
        until = self._tag_until.get(tag, -math.inf)
        if past.started_at < until:
            self._shared.add(tag)
        self._tag_until[tag] = max(until, past.ended_at)
        if past.phases is not None:
            self._phases[tag] = past.phases

    def usual_phases(self, id_tag: str | None) -> int | None:
        """Return on how many phases the vehicle with a tag charged the last time; None: that is not known."""
        tag = None if id_tag is None else id_tag.upper()
        return None if tag is None or tag in self._shared else self._phases.get(tag)

    def _stay(self, past: PastStay) -> Stay | None:
        stayed_s = past.ended_at - past.started_at
        if stayed_s < LEAST_STAY_S or past.energy_wh < LEAST_ENERGY_WH:
            return None
        arrival = self._arrival(past.key, past.started_at, past.id_tag, past.departure_at, past.wanted_wh)
        return Stay(arrival=arrival, stayed_h=stayed_s / 3600.0, taken_wh=past.energy_wh)

    def _arrival(
        self, key: str, started_at: float, id_tag: str | None, departure_at: float | None, wanted_wh: float | None
    ) -> Arrival:
        local = datetime.fromtimestamp(started_at, UTC).astimezone(self._zone())
        tag = None if id_tag is None else id_tag.upper()
        return Arrival(
            arrived_h=local.hour + local.minute / 60.0 + local.second / 3600.0,
            weekday=local.weekday(),
            announced_h=None if departure_at is None else (departure_at - started_at) / 3600.0,
            asked_wh=wanted_wh,
            driver=None if tag in self._shared else tag,
            place=key,
        )

    def foresee(self, key: str, session: SessionView) -> Generator[None]:
        """Reckon in pieces what is expected of a session, so that it is known when it is asked for."""
        yield from self._expect(key, session)

    def forecast(self, key: str, session: SessionView) -> Forecast:
        """Return what is expected of a session that goes on."""
        expected = self._expectation(key, session)
        still_here = StillHere(expected.expectation, self._clock.time(), self._now_h(expected, session))
        early, likely, late = (still_here.gone_by(share) for share in SHARES)
        least, middle, most = (expected.expectation.energy_wh(session.energy_wh, share) for share in SHARES)
        return Forecast(
            departure_at=(early, likely, late),
            still_here=still_here,
            energy_wh=(least, middle, most),
            alike=expected.expectation.alike,
            of_driver=expected.expectation.of_driver,
        )

    def expected_arrivals(self, now: float, until: float) -> list[ExpectedStay]:
        """Return who is expected to come between two UTC POSIX times: the mean of the same weekdays of four weeks.

        Where fewer weeks are known it is the mean of those.
        """
        recent = [past for past in self._recent if past.started_at > now - WEEKS * WEEK_S]
        if not recent:
            return []
        weeks = max(1, min(WEEKS, math.ceil((now - min(past.started_at for past in recent)) / WEEK_S)))
        found = []
        for past in recent:
            ahead_s = math.ceil((now - past.started_at) / WEEK_S) * WEEK_S
            arrive_at = past.started_at + ahead_s
            if now < arrive_at < until and past.ended_at > past.started_at and past.energy_wh >= LEAST_ENERGY_WH:
                found.append(
                    ExpectedStay(
                        key=past.key,
                        arrive_at=arrive_at,
                        leave_at=past.ended_at + ahead_s,
                        energy_wh=past.energy_wh,
                        weight=1.0 / weeks,
                    )
                )
        return found

    def _expectation(self, key: str, session: SessionView) -> _Expected:
        pieces = self._expect(key, session)
        while True:
            try:
                next(pieces)
            except StopIteration as end:
                expected: _Expected = end.value
                return expected

    def _expect(self, key: str, session: SessionView) -> Generator[None, None, _Expected]:
        known, said = self._expected.get(key), _said(session)
        if (
            known is None
            or known.session_id != session.session_id
            or known.id_tag != session.id_tag
            or known.said != said
        ):
            arrival = self._arrival(key, session.started_at, session.id_tag, *said)
            habits = self._habits
            expectation = yield from habits.expect_in_pieces(arrival)
            known = _Expected(session.session_id, session.id_tag, said, expectation, arrival.arrived_h)
            # Meanwhile somebody may have asked to be forgotten.
            if habits is self._habits:
                self._expected[key] = known
        return known

    def _now_h(self, expected: _Expected, session: SessionView) -> float:
        """Return the present on the clock of an expectation, which counts on from the midnight before the arrival."""
        return expected.arrived_h + max(0.0, self._clock.time() - session.started_at) / 3600.0

    # Needs -----------------------------------------------------------------------------------------------------------

    def look(self, model: SiteModel, states: Mapping[str, ConnectorState], decision: Decision | None) -> None:
        """Begin to reckon anew where that is due."""
        if decision is None:
            return
        self._see_phases(states, decision)
        if self._work is not None:
            return
        visiting = [state for state in states.values() if _shares_by_need(state, model)]
        if not visiting:
            self._needs = {}
            return
        about = frozenset(
            (state.key, state.session.session_id, _said(state.session))
            for state in visiting
            if state.session is not None
        )
        waited_s = self._clock.monotonic() - self._reckoned_at
        if waited_s >= EVERY_S or (about != self._about and waited_s >= APART_S):
            self._about, self._reckoned_at = about, self._clock.monotonic()
            self._expected = {key: known for key, known in self._expected.items() if key in states}
            self._work = self._reckon(model, visiting, decision)
            self._next_piece()

    def _see_phases(self, states: Mapping[str, ConnectorState], decision: Decision) -> None:
        """Take note of the phases that vehicles are seen to use, and of those that they used the last time."""
        for key, state in states.items():
            session, remembered = state.session, decision.memory.connectors.get(key)
            if session is None:
                continue
            if session.phases is None:
                session.usual_phases = self.usual_phases(session.id_tag)
            proved = None if remembered is None else remembered.appetite.proved_phases
            # One that was told to use a single phase says nothing of the vehicle.
            if proved is not None and state.limit.phases is None:
                session.phases = len(proved)

    def close(self) -> None:
        """Stop reckoning."""
        if self._turn is not None:
            self._turn.cancel()
        self._turn = self._work = None

    def _next_piece(self) -> None:
        self._turn = asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        assert self._work is not None  # noqa: S101 - it is called while there is work
        try:
            next(self._work)
        except StopIteration as end:
            weighed: Weighed = end.value
            self._needs, self._prices = weighed.needs, weighed.prices
            self._turn = self._work = None
            self._changed()
        else:
            self._next_piece()

    def _reckon(
        self, model: SiteModel, visiting: Sequence[ConnectorState], decision: Decision
    ) -> Generator[None, None, Weighed]:
        room = _room(model, decision, {state.key for state in visiting})
        visitors = []
        for state, session in _sessions(visiting):
            expected = yield from self._expect(state.key, session)
            visitors.append(self._visitor(state, session, expected, model, decision))
            yield
        return (yield from weigh_in_pieces(visitors, room, self._clock.time(), self._prices))

    def _visitor(
        self,
        state: ConnectorState,
        session: SessionView,
        expected: _Expected,
        model: SiteModel,
        decision: Decision,
    ) -> Visitor:
        connector = state.connector
        remembered = decision.memory.connectors.get(state.key)
        appetite = None if remembered is None else remembered.appetite
        phases = connector.phases if appetite is None or appetite.phases is None else appetite.phases
        most = connector.maximum_a if connector.cap_a is None else min(connector.cap_a, connector.maximum_a)
        if appetite is not None and appetite.upper_a is not None:
            most = min(most, appetite.upper_a)
        return Visitor(
            key=state.key,
            rows=tuple(first + phase for first in _first_rows(model, connector.circuit_id) for phase in phases),
            phases=len(phases),
            most_a=max(most, connector.minimum_a),
            minimum_a=connector.minimum_a,
            taken_wh=session.energy_wh,
            expectation=expected.expectation,
            now_h=self._now_h(expected, session),
        )


def _said(session: Session | SessionView) -> _Said:
    return session.told_departure_at, session.wish.wanted_wh


def _sessions(states: Iterable[ConnectorState]) -> Iterable[tuple[ConnectorState, SessionView]]:
    return ((state, state.session.view()) for state in states if state.session is not None)


def _shares_by_need(state: ConnectorState, model: SiteModel) -> bool:
    if state.session is None or state.leaving or state.connector.circuit_id not in model.rules:
        return False
    wants = state.vehicle is VehicleState.WANTS
    return wants and model.rules[state.connector.circuit_id].rule is SharingRule.NEED


def _first_rows(model: SiteModel, circuit_id: str) -> list[int]:
    index_of = layout_of(model).index_of
    return [PHASE_ROWS * index_of[above] for above in model.paths[circuit_id]]


def _room(model: SiteModel, decision: Decision, members: set[str]) -> list[float]:
    """Return what each phase of each circuit has for those who share by need, beside what others may draw now."""
    room: list[float] = []
    for circuit_id, circuit in model.circuits.items():
        decided = decision.circuits.get(circuit_id)
        base = (None if decided is None else decided.base_load_a) or circuit.declared_base_load_a or NO_AMPS
        room += (
            rating - margin - load
            for rating, margin, load in zip(circuit.rating_a, circuit.margin_a, base, strict=True)
        )
    for key, connector in model.connectors.items():
        limit = decision.limits.get(key)
        if key in members or limit is None or not limit.amps:
            continue
        for first in _first_rows(model, connector.circuit_id):
            for phase in connector.phases:
                room[first + phase] -= limit.amps
    return room
