"""Ceilings that somebody outside sets on a circuit for a while: the grid operator, a rule, an automation.

Each source has one cap on a circuit; all that are in force count, so that the lowest wins. A cap that was given for a
time ends by a clock that nobody can set; one that was given until a time of day ends by the wall clock, and only while
that is known to be right. In doubt a cap holds. What happens at its end was said when it was set: it is lifted, or it
stays until somebody clears it, which is what a ceiling wants whose sender may have died.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from ..engine.model import ExternalCap, Limit, Reason
from ..ocpp.protocols import Clock
from .cap import Afterwards, Cap
from .records import SiteRecords
from .views import CapView, ConnectorView

MOST_SOURCES = 16
"""As many may hold one circuit at a time: more is an automation that names a new source with every call."""

CLOCK_STEP_S = 1.0
"""A wall clock that is off by more against the monotonic one was set, or has been slewed as far."""


class TooManySources(ValueError):
    """A circuit is held by as many sources as there may be."""


class NoSuchCap(LookupError):
    """No cap of that source holds the circuit."""


@dataclass(frozen=True, slots=True)
class _Held:
    cap: Cap
    ends_at: float | None
    """Monotonic seconds; None: never, or not known before the wall clock is right."""


type _Place = tuple[str, str]
"""Circuit and source."""


class Caps:
    """All caps of a site that are in force."""

    def __init__(self, records: SiteRecords, clock: Clock, changed: Callable[[], None]) -> None:
        """Begin with none; `take_up` adds what was kept, `changed` is told when somebody sets or clears one."""
        self._records = records
        self._clock = clock
        self._changed = changed
        self._held: dict[_Place, _Held] = {}
        self._offset = self._offset_now()

    # What others do -----------------------------------------------------------------------------------------------

    def take_up(self, kept: Iterable[Cap]) -> None:
        """Go on with the caps of before a restart; their rest is told by the wall clock, once it is right."""
        for cap in kept:
            self._held[cap.circuit_id, cap.source] = _Held(cap, None)
        self.look()

    def hold(self, cap: Cap) -> None:
        """Hold a circuit, in place of what the same source set before.

        Raises:
            TooManySources: it is held by as many others as there may be.
        """
        place = (cap.circuit_id, cap.source)
        others = sum(circuit_id == cap.circuit_id for circuit_id, _source in self._held.keys() - {place})
        if others >= MOST_SOURCES:
            raise TooManySources(cap.circuit_id)
        self.look()
        ends_at = None
        if cap.duration_s is not None:
            ends_at = self._clock.monotonic() + cap.duration_s
            cap = replace(cap, expires_at=self._clock.time() + cap.duration_s)
        elif cap.expires_at is not None and self._clock.synchronised():
            ends_at = self._monotonic(cap.expires_at)
        self._held[place] = _Held(cap, ends_at)
        self._records.keep_cap(cap)
        self._changed()

    def release(self, circuit_id: str, source: str | None = None) -> None:
        """Let go of a circuit: what one source set, or all. Raises NoSuchCap: there is nothing to let go."""
        places = [place for place in self._held if place[0] == circuit_id and source in {None, place[1]}]
        if not places:
            raise NoSuchCap(circuit_id)
        for place in places:
            self._drop(place)
        self._changed()

    def keep_only(self, circuits: Iterable[str]) -> None:
        """Forget the caps of circuits that are gone."""
        there = set(circuits)
        for place in [place for place in self._held if place[0] not in there]:
            self._drop(place)

    # What is in force ---------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take note of the time: what is over is lifted."""
        self._follow_the_wall_clock()
        now = self._clock.monotonic()
        over = [
            place
            for place, held in self._held.items()
            if held.ends_at is not None and now >= held.ends_at and held.cap.after is Afterwards.LIFT
        ]
        for place in over:
            self._drop(place)

    def ceilings(self) -> tuple[ExternalCap, ...]:
        """Return what a pass must know."""
        return tuple(
            ExternalCap(
                circuit_id=cap.circuit_id,
                source=cap.source,
                amps=None if cap.amps is None else (cap.amps, cap.amps, cap.amps),
                watts=cap.watts,
                vehicles_only=cap.vehicles_only,
            )
            for cap in (held.cap for held in self._held.values())
        )

    def of(self, circuit_id: str) -> tuple[CapView, ...]:
        """Return the caps on a circuit, the lowest first."""
        now = self._clock.monotonic()
        held = sorted(
            (held for held in self._held.values() if held.cap.circuit_id == circuit_id),
            key=lambda held: held.cap.equivalent_a,
        )
        return tuple(_view(each, now) for each in held)

    def sources(self) -> Mapping[str, set[str]]:
        """Return who holds each circuit."""
        found: dict[str, set[str]] = {}
        for circuit_id, source in self._held:
            found.setdefault(circuit_id, set()).add(source)
        return found

    def explained(self, view: ConnectorView, limit: Limit) -> ConnectorView:
        """Return the picture of a connector with who holds it and until when, where a cap is the reason."""
        if limit.reason is not Reason.EXTERNAL_CAP or limit.circuit_id is None:
            return view
        caps = self.of(limit.circuit_id)
        if not caps:
            return view
        lifted_at = caps[0].expires_at if caps[0].after == Afterwards.LIFT else None
        return replace(view, reason_source=caps[0].source, expected_at=view.expected_at or lifted_at)

    # Time ---------------------------------------------------------------------------------------------------------

    def _follow_the_wall_clock(self) -> None:
        """Take note of a wall clock that was set, and of one that has become right."""
        offset, right = self._offset_now(), self._clock.synchronised()
        was_set = abs(offset - self._offset) > CLOCK_STEP_S
        if was_set:
            self._offset = offset
        for place, held in list(self._held.items()):
            cap = held.cap
            if cap.expires_at is None:
                continue
            if held.ends_at is None:
                if right:
                    self._held[place] = _Held(cap, self._resumed(cap))
            elif was_set and cap.duration_s is not None:
                moved = replace(cap, expires_at=held.ends_at + offset)
                self._held[place] = _Held(moved, held.ends_at)
                self._records.keep_cap(moved)
            elif was_set and right:
                self._held[place] = _Held(cap, self._monotonic(cap.expires_at))

    def _resumed(self, cap: Cap) -> float | None:
        """Return the end of a cap from before a restart; never more than was given is left."""
        if cap.expires_at is None:
            return None
        ends_at = self._monotonic(cap.expires_at)
        return ends_at if cap.duration_s is None else min(ends_at, self._clock.monotonic() + cap.duration_s)

    def _monotonic(self, wall: float) -> float:
        return self._clock.monotonic() + (wall - self._clock.time())

    def _offset_now(self) -> float:
        return self._clock.time() - self._clock.monotonic()

    def _drop(self, place: _Place) -> None:
        del self._held[place]
        self._records.drop_cap(*place)


def _view(held: _Held, now: float) -> CapView:
    cap = held.cap
    return CapView(
        circuit_id=cap.circuit_id,
        source=cap.source,
        amps=cap.amps,
        watts=cap.watts,
        vehicles_only=cap.vehicles_only,
        expires_at=cap.expires_at,
        after=cap.after.value,
        lapsed=held.ends_at is not None and now >= held.ends_at,
    )
