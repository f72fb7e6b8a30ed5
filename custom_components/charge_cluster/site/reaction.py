"""The reaction time T of each circuit: how long an overload that nobody could foresee may last.

A jump of the base load is shown by the next sample of the meter, answered by a pass, sent, and followed by the cars.
Where reductions are under way already, what the meter shows may be the current of cars that have not followed yet; T
includes the time after which the two are told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..chargers import measures_on_demand
from ..engine.guard import CAR_SETTLING_S, CLOCK_SLACK_S
from ..engine.model import SiteModel
from ..engine.obedience import sample_interval_s
from .charge_point import ChargePointState
from .connector import ConnectorState
from .dispatch import ASKED_AGAIN_AFTER_S
from .meter import MeterState
from .readings import guards

PASS_S = 0.1
WIRE_S = 1.0
"""A limit to a charger and its answer; measured answers are faster, busy chargers slower."""

ASKED_S = ASKED_AGAIN_AFTER_S + WIRE_S
"""A charger that measures on demand tells within this what its vehicle draws: it may just have been asked."""

SAMPLES = 2
"""Others tell within so many of their sample intervals: one sample may be lost."""


LOOKED_AT_EVERY = 5
"""What is shown of it changes slowly: it is worked out anew at every fifth look."""


class Following:
    """After how long cars below each circuit have followed an order for sure, as of a few seconds ago."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.within_s: Mapping[str, float] = {}
        """By circuit."""
        self._looks = 0

    def look(
        self, site: SiteModel, states: Mapping[str, ConnectorState], points: Mapping[str, ChargePointState]
    ) -> None:
        """Work it out where that is due."""
        if self._looks % LOOKED_AT_EVERY == 0:
            self.within_s = following_times(site, states, points)
        self._looks += 1


def following_times(
    site: SiteModel, states: Mapping[str, ConnectorState], points: Mapping[str, ChargePointState]
) -> dict[str, float]:
    """Return the seconds from an order on after which all cars below each circuit have followed and are known to have.

    One more order may be under way already when a jump comes: so the doubt about that is included.
    """
    longest = dict.fromkeys(site.circuits, CAR_SETTLING_S)
    for key, state in states.items():
        connector, point = site.connectors.get(key), points.get(state.charge_point_id)
        if connector is None or point is None or not state.bound.online:
            continue
        seconds = state.bound.follows_within_s + _doubt_s(state, point)
        for circuit_id in site.paths[connector.circuit_id]:
            longest[circuit_id] = max(longest[circuit_id], seconds)
    return longest


def _doubt_s(state: ConnectorState, point: ChargePointState) -> float:
    """Return how long it may be unknown whether a vehicle has followed an order.

    Who sends nothing is taken to have followed when a car must have.
    """
    known_after = state.bound.follows_within_s
    interval = sample_interval_s(state.bound)
    if interval is not None:
        known_after = min(known_after, SAMPLES * round(interval))
    if measures_on_demand(point.charger) is not None:
        known_after = min(known_after, ASKED_S)
    return CLOCK_SLACK_S + known_after


def reaction_times(site: SiteModel, meters: Iterable[MeterState], following_s: Mapping[str, float]) -> dict[str, float]:
    """Return T of each circuit, in s: the slowest of the meters above it and of what they have to be told apart for."""
    intervals = {meter.settings.circuit_id: meter.interval_s for meter in guards(meters)}
    times = {}
    for circuit_id, path in site.paths.items():
        seen = [(intervals[above], following_s.get(above, CAR_SETTLING_S)) for above in path if above in intervals]
        own = following_s.get(circuit_id, CAR_SETTLING_S)
        interval, follows = max((i for i, _ in seen), default=0.0), max((f for _, f in seen), default=own)
        times[circuit_id] = round(interval + PASS_S + WIRE_S + follows, 1)
    return times
