"""How charging begins again: when the site has just started, and when many charge points come back from an outage.

A supply that returns would be hit by all cars in the same second, and not only at one site. So when many come back
together, each connector starts at a random moment of its own. What charges already goes on, and nobody is cut for it;
what is decided about amounts is decided elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random

from ..chargers import Booted, ChargerEvent, DrawSample, WentOffline, WentOnline
from ..engine.model import INDUCED_CURRENT_A, VehicleState
from ..engine.snapshot import ConnectorFacts
from ..ocpp.protocols import Clock
from .connector import ConnectorState
from .settings import ChargePointSettings, SiteSettings
from .views import connector_key

STARTING_S = 15.0
"""After its start a site raises nobody for so long, unless it has heard of everything before."""

TOGETHER_S = 60.0
"""Charge points that come back within so long of each other come back together."""

FEWEST = 3
"""Fewer than so many connectors hit no supply."""

MOST_OF = 0.5
"""Share of all connectors that come back together after an outage of the supply."""


class Restart:
    """Knows who has come back, and when each may start."""

    def __init__(self, clock: Clock, chance: Random | None = None) -> None:
        """Begin with nothing known; `chance` picks the moments."""
        self._clock = clock
        self._chance = Random() if chance is None else chance  # noqa: S311 - spreads load, keeps no secret
        self._began_at: float | None = None
        self._heard_all = False
        self._online_since: dict[str, float] = {}
        self._dark: set[str] = set()
        self._returned: dict[str, float] = {}
        """When connectors came back, for `TOGETHER_S`."""
        self._charging: set[str] = set()
        """Those of them that were seen to charge since."""
        self._starts: dict[str, float] = {}
        self._open_until = -math.inf
        """Until then whoever comes back belongs to an outage of many."""

    # The site itself ----------------------------------------------------------------------------------------------

    def begin(self, settings: SiteSettings, *, after_outage: bool, moments: Mapping[str, float] | None = None) -> None:
        """Take note that the site starts, perhaps later than limits last: everybody has been on its own then.

        `moments` are those that were picked before and lie ahead, by connector (monotonic seconds).
        """
        now = self._began_at = self._clock.monotonic()
        self._starts.update(moments or {})
        keys = _keys(settings.charge_points)
        if after_outage and len(keys) >= FEWEST:
            self._dark.update(keys)
            self._open_until = now + TOGETHER_S

    def starting(self, states: Iterable[ConnectorState]) -> bool:
        """Return whether the site started a moment ago and has not heard of everything yet."""
        if self._heard_all or self._began_at is None:
            return False
        waiting = any(state.vehicle is VehicleState.UNKNOWN for state in states if not state.leaving)
        self._heard_all = not waiting or self._clock.monotonic() - self._began_at >= STARTING_S
        return not self._heard_all

    @property
    def moments(self) -> Mapping[str, float]:
        """Return when connectors start that were picked a moment (monotonic seconds)."""
        return self._starts

    # Charge points ------------------------------------------------------------------------------------------------

    def heard(self, settings: SiteSettings, point: ChargePointSettings, event: ChargerEvent) -> None:
        """Take note of what a charge point says."""
        match event:
            case WentOffline():
                self._went_dark(_keys([point]))
            case WentOnline() | Booted():
                self._came_back(settings, _keys([point]), booted=isinstance(event, Booted))
            case DrawSample():
                self._drew(connector_key(point.charge_point_id, event.connector), event)

    def _went_dark(self, keys: Iterable[str]) -> None:
        for key in keys:
            if key in self._online_since:
                self._dark.add(key)
            self._charging.discard(key)

    def _came_back(self, settings: SiteSettings, keys: list[str], *, booted: bool) -> None:
        now = self._clock.monotonic()
        # A charge point that restarts sooner than its connection is missed has been dark as well; one that dials in for
        # the first time has not.
        back = [key for key in keys if key in self._dark or (booted and self._online_for(key, now) > TOGETHER_S)]
        for key in keys:
            self._online_since.setdefault(key, now)
        if not back:
            return
        self._dark.difference_update(back)
        self._charging.difference_update(back)
        self._returned = {key: at for key, at in self._returned.items() if now - at <= TOGETHER_S}
        self._returned.update(dict.fromkeys(back, now))
        if len(self._returned) >= max(FEWEST, MOST_OF * len(_keys(settings.charge_points))):
            self._open_until = now + TOGETHER_S
        if now <= self._open_until and settings.restart_stagger_s > 0:
            self._stagger(back, now, settings.restart_stagger_s)

    def _stagger(self, back: list[str], now: float, within_s: float) -> None:
        """Give a moment to those that just came back, and to those before them that have none and do not charge."""
        for key in back:
            if self._starts.get(key, -math.inf) <= now:
                self._starts[key] = now + self._chance.uniform(0.0, within_s)
        for key in self._returned:
            if key not in self._charging and key not in self._starts:
                self._starts[key] = now + self._chance.uniform(0.0, within_s)

    def _drew(self, key: str, sample: DrawSample) -> None:
        at = self._returned.get(key)
        if at is not None and sample.measured_at >= at and max(sample.amps) > INDUCED_CURRENT_A:
            self._charging.add(key)
            self._starts.pop(key, None)

    def _online_for(self, key: str, now: float) -> float:
        return now - self._online_since.get(key, now)

    # The pass -----------------------------------------------------------------------------------------------------

    def facts(self, states: Mapping[str, ConnectorState]) -> dict[str, ConnectorFacts]:
        """Return what a pass may know of each connector, with the moment at which it starts where it has one."""
        now = self._clock.monotonic()
        facts = {key: state.facts(now) for key, state in states.items()}
        if not self._starts:
            return facts
        if now > self._open_until:
            self._starts = {key: at for key, at in self._starts.items() if at > now}
        for key, at in self._starts.items():
            if key in facts:
                facts[key] = replace(facts[key], starts_at=at)
        return facts


def _keys(points: Iterable[ChargePointSettings]) -> list[str]:
    return [connector_key(point.charge_point_id, c.number) for point in points for c in point.connectors]
