"""One connector on trial: what all its tests need. Holding it to a current, asking a person, and walking the stairs.

The *stairs* are a handful of steps of a known draw, down and up. A step goes on as soon as it is seen to have settled,
on the charge point's own measurements and on the meters above it, and only then is the next one taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...engine.model import PHASES, MeterScope, PhaseAmps, VehicleState
from ...engine.steps import known_below
from ...ocpp.protocols import Clock
from ..settings import ChargePointSettings, ConnectorSettings, MeterSettings, SiteSettings
from ..views import ChargePointView, CircuitView, ConnectorView, MeterView, connector_key
from . import analysis
from .analysis import Step
from .facts import Hold
from .witness import Witness

HIGH_A = 16.0
"""What a vehicle is raised to, where nothing allows less: nearly all three-phase cars take it."""

LEAST_SPREAD_A = 4.0
"""Between the two currents that a vehicle is moved between."""

CHARGES_FROM_A = 3.0

CYCLES = 3
"""Down and up; six steps."""

ORDERED_WITHIN_S = 90.0
"""A limit is in force at the latest after this, or there is no room for it."""

STEP_S = 75.0
"""A step is given no longer to settle."""

DELAYED_STEP_S = 330.0
"""Where a delay of its own is looked for, one raise that is not followed is waited for so long."""

UNMEASURED_STEP_S = 20.0
"""A step that nobody measures takes so long."""

SAMPLES_OF_A_STEP = 2.5
LONGEST_PATIENCE_S = 200.0
"""Charge points that measure once a minute are given the time for two measurements."""

LEVEL_WITHIN_S = 150.0
"""A measurement before a step is no older than this."""

QUIET_S = 4.0
"""A meter is read for so long before and after a step."""

MOST_WINDOW_S = 12.0
METER_PATIENCE_S = 45.0
"""A meter that shows nothing of a step for so long does not see it."""

NOTHING_FLOWS_A = 1.0
PERSON_S = 300.0
"""So long a person has to do what is asked."""


class NoProof(Exception):
    """Nothing can be said; `why` is a translation key."""

    def __init__(self, why: str, **figures: float | str | None) -> None:
        super().__init__(why)
        self.why = why
        self.figures = figures


class Bench(Protocol):
    """A site, as far as tests may touch it."""

    @property
    def settings(self) -> SiteSettings:
        """Return what is configured."""

    @property
    def connectors(self) -> Mapping[str, ConnectorView]:
        """Return the pictures of the connectors."""

    @property
    def charge_points(self) -> Mapping[str, ChargePointView]:
        """Return the pictures of the charge points."""

    @property
    def circuits(self) -> Mapping[str, CircuitView]:
        """Return the pictures of the circuits."""

    @property
    def meters(self) -> Mapping[str, MeterView]:
        """Return the pictures of the meters."""

    def recommission(self, subject: str) -> None:
        """Take note that what commissioning says of a connector or a meter has changed."""


class Shutter(Protocol):
    """What can keep a charge point from talking to us."""

    def shut_door(self, point: ChargePointSettings, for_s: float) -> None:
        """Close the connection of a charge point and refuse it for so long; 0: let it in again."""

    def knocks(self, point: ChargePointSettings) -> int:
        """Return how often it was refused since the door was shut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stair:
    """One step of the stairs, as it was."""

    at: float
    """When the limit was accepted (monotonic)."""
    until: float
    before_a: float
    limit_a: float

    @property
    def raises(self) -> bool:
        """Return whether it goes up."""
        return self.limit_a > self.before_a


class Trial:
    """One connector on trial."""

    def __init__(
        self,
        bench: Bench,
        point: ChargePointSettings,
        connector: ConnectorSettings,
        *,
        clock: Clock,
        witness: Witness,
        shutter: Shutter | None,
        hold: Callable[[str, Hold | None], None],
        tell: Callable[[str, str | None], None],
        confirm: Callable[[str], Awaitable[None]],
    ) -> None:
        """`hold` puts a hold on the connector, `tell` says the step and the request, `confirm` asks a person."""
        self.bench = bench
        self.point = point
        self.connector = connector
        self.key = connector_key(point.charge_point_id, connector.number)
        self.clock = clock
        self.witness = witness
        self.shutter = shutter
        self._hold = hold
        self.tell = tell
        self._confirm = confirm
        self._doubted = False

    # What is so now ------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Return the monotonic time."""
        return self.clock.monotonic()

    @property
    def view(self) -> ConnectorView:
        """Return the picture of the connector. Raises NoProof where it is gone."""
        view = self.bench.connectors.get(self.key)
        if view is None:
            raise NoProof("settings_changed")
        return view

    @property
    def drawn_a(self) -> float | None:
        """Return what it draws by its own newest measurement; None: it does not measure."""
        drawn = self.view.drawn_a
        return None if drawn is None else max(drawn)

    @property
    def measures(self) -> bool:
        """Return whether it measures by itself."""
        return len(self.witness.draws) > 0

    @property
    def sampled_every_s(self) -> float:
        """Return how often it measures by itself, as far as is known."""
        return analysis.interval_s([at for at, _ in list(self.witness.draws)[-10:]]) or 0.0

    def patience_s(self, usual_s: float) -> float:
        """Return how long to wait for measurements: longer where they are seldom."""
        return max(usual_s, min(LONGEST_PATIENCE_S, SAMPLES_OF_A_STEP * self.sampled_every_s))

    def path(self) -> list[str]:
        """Return the circuits above it, the nearest first."""
        parents = {circuit.circuit_id: circuit.parent_id for circuit in self.bench.settings.circuits}
        found: list[str] = []
        circuit_id: str | None = self.point.circuit_of(self.connector)
        while circuit_id is not None and circuit_id not in found:
            found.append(circuit_id)
            circuit_id = parents.get(circuit_id)
        return found

    def meters(self) -> list[MeterSettings]:
        """Return the meters above it that work, the nearest first."""
        path = self.path()
        above = [m for m in self.bench.settings.meters if m.circuit_id in path and m.scope is not MeterScope.GENERATION]
        working = [m for m in above if (view := self.bench.meters.get(m.meter_id)) is not None and view.available]
        return sorted(working, key=lambda meter: path.index(meter.circuit_id))

    @property
    def highest_a(self) -> float:
        """Return the current that it is raised to in tests."""
        most = min(HIGH_A, self.connector.maximum_a)
        return known_below(most, self.point.step_a, self.point.steps_a)

    def check_plugged(self) -> None:
        """Raise NoProof where no vehicle is there any more."""
        if self.view.vehicle is VehicleState.ABSENT:
            raise NoProof("unplugged")

    # Moving it -----------------------------------------------------------------------------------------------------

    def hold(self, cap_a: float | None, *, minimum_a: float | None = None) -> None:
        """Hold it to a current."""
        self._hold(self.key, Hold(cap_a=cap_a, minimum_a=minimum_a, fallback_in_doubt=self._doubted))

    def release(self) -> None:
        """Let it do again what its user, its settings and the guard say."""
        self._doubted = False
        self._hold(self.key, None)

    def doubt_fallback(self, *, cap_a: float) -> None:
        """Have it counted at its hardware maximum, because its fallback is what is tested."""
        self._doubted = True
        self.hold(cap_a)

    async def until(self, true: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something is true; return whether it is."""
        return await self.witness.until(true, timeout_s)

    async def charging(self, amps: float) -> None:
        """Bring the vehicle to draw current, held to `amps`. Raises NoProof."""
        self.tell("waiting_for_charging", None)
        if not self.view.online:
            raise NoProof("offline")
        if self.view.vehicle in {VehicleState.ABSENT, VehicleState.UNKNOWN, VehicleState.FAULTED}:
            raise NoProof("no_vehicle")
        self.hold(amps)

        def draws() -> bool:
            self.check_plugged()
            drawn = self.drawn_a
            view = self.view
            granted = view.limit_a >= min(amps, self.connector.minimum_a + LEAST_SPREAD_A) - 0.01
            fits = view.limit_a <= amps + 0.01
            return granted and fits and (drawn is None or drawn >= CHARGES_FROM_A)

        if await self.until(draws, ORDERED_WITHIN_S):
            return
        if self.view.limit_a < self.connector.minimum_a + LEAST_SPREAD_A - 0.01:
            raise NoProof("no_headroom")
        raise NoProof("no_vehicle")

    async def move(self, amps: float, *, patience_s: float = STEP_S) -> Stair:
        """Take one step and wait until it has settled. Raises NoProof."""
        self.check_plugged()
        since, before = self.now, self.view.limit_a
        lower = amps < before
        self.tell("step_down" if lower else "step_up", None)
        self.hold(amps)
        least = amps if lower else before + LEAST_SPREAD_A - 0.01

        def ordered() -> bool:
            self.check_plugged()
            limit = self.view.limit_a
            return limit <= amps + 0.01 if lower else limit >= least

        if not await self.until(ordered, ORDERED_WITHIN_S):
            raise NoProof("not_accepted" if lower else "no_headroom")
        answer = self.witness.last_change(since)
        at = self.now if answer is None else answer.at
        limit = self.view.limit_a
        known = {meter.meter_id: self.meter_level(meter.meter_id, at) for meter in self.meters()}
        await self.until(lambda: self._settled(at, before, limit, known), self.patience_s(patience_s))
        self.check_plugged()
        return Stair(at=at, until=self.now, before_a=before, limit_a=limit)

    def _settled(self, at: float, before_a: float, limit_a: float, known: Mapping[str, PhaseAmps | None]) -> bool:
        """Return whether a step is over, as far as anybody shows it."""
        self.check_plugged()
        drawn: PhaseAmps | None = None
        if self.measures:
            after = [amps for when, amps in self.witness.draws if when > at + 1.0]
            if len(after) < analysis.A_PAIR:
                return False
            drawn, last = after[-1], after[-2]
            steady = abs(max(drawn) - max(last)) <= analysis.REACHED_A
            earlier = self.own_level(at, at - LEVEL_WITHIN_S)
            moved = earlier is None or abs(max(drawn) - max(earlier)) >= analysis.MOVED_A
            if not (steady and moved):
                return False
        for meter_id, level in known.items():
            if level is None or self.now - at >= METER_PATIENCE_S:
                continue
            step = abs(limit_a - before_a)
            recent = self.meter_level(meter_id, self.now)
            before = self.meter_level(meter_id, self.now - self.window_s(meter_id))
            if recent is None or before is None:
                return False
            shown = max(abs(recent[p] - level[p]) for p in PHASES) >= step / 4.0
            rests = max(abs(recent[p] - before[p]) for p in PHASES) <= max(analysis.REACHED_A, step / 10.0)
            if not (shown and rests):
                return False
        return self.measures or self.now - at >= UNMEASURED_STEP_S

    # What was seen -------------------------------------------------------------------------------------------------

    def window_s(self, meter_id: str) -> float:
        """Return how long a meter is read for a level: at least three of its samples."""
        interval = analysis.interval_s([at for at, _ in self.witness.meter_samples(meter_id)][-30:])
        return min(MOST_WINDOW_S, max(QUIET_S, 3.5 * (interval or 1.0)))

    def meter_level(self, meter_id: str, until: float, since: float | None = None) -> PhaseAmps | None:
        """Return what a meter showed up to a time."""
        start = until - self.window_s(meter_id) if since is None else since
        level = analysis.level(self.witness.meter_samples(meter_id), start, until)
        return None if level is None else level.amps

    def own_level(self, until: float, since: float) -> PhaseAmps | None:
        """Return what the connector measured last between two times."""
        draws = [amps for at, amps in self.witness.draws if since < at <= until]
        return draws[-1] if draws else None

    async def stairs(self, *, seek_delay: bool = False) -> Stairs:
        """Walk the stairs. Raises NoProof."""
        low, high = self.connector.minimum_a, self.highest_a
        if high - low < LEAST_SPREAD_A:
            raise NoProof("step_too_small")
        await self.charging(high)
        # Rest once at the top, so that the first step begins from a known level. What was measured while it was away
        # and is told only now says nothing of that.
        since = self.now
        patience = STEP_S if self.drawn_a is None else LONGEST_PATIENCE_S
        await self.until(lambda: self._rested(high, since), patience)
        taken: list[Stair] = []
        sought = not seek_delay
        for _ in range(CYCLES):
            taken.append(await self.move(low))
            stair = await self.move(high)
            if not sought and self._unmoved(stair):
                sought = True
                stair = await self._wait_for_delayed(stair)
            taken.append(stair)
        return Stairs(self, taken)

    async def _wait_for_delayed(self, stair: Stair) -> Stair:
        """Give a raise that is not followed the time that a delay of the charge point's own may take."""
        self.tell("looking_for_delay", None)
        await self.until(lambda: not self._unmoved(stair), DELAYED_STEP_S)
        return Stair(at=stair.at, until=self.now, before_a=stair.before_a, limit_a=stair.limit_a)

    def _rested(self, high: float, since: float) -> bool:
        self.check_plugged()
        rested = [max(amps) for at, amps in self.witness.draws if at >= since]
        return (
            len(rested) >= analysis.A_PAIR
            and max(rested[-2:]) - min(rested[-2:]) <= analysis.REACHED_A
            and CHARGES_FROM_A <= rested[-1] <= high + analysis.REACHED_A
        )

    def _unmoved(self, stair: Stair) -> bool:
        """Return whether nothing moved after a step, by its own measurements."""
        self.check_plugged()
        before = self.own_level(stair.at, stair.at - LEVEL_WITHIN_S)
        now = self.own_level(self.now, stair.at)
        return before is not None and now is not None and max(now) - max(before) < analysis.MOVED_A

    # Asking --------------------------------------------------------------------------------------------------------

    async def ask(self, request: str, seen: Callable[[], bool], *, step: str = "waiting_for_request") -> bool:
        """Ask a person for something; return when it is said (True) or seen to be done (False).

        Raises:
            NoProof: neither came in time.
        """
        self.tell(step, request)
        said = asyncio.ensure_future(self._confirm(request))
        try:
            done = await self.until(lambda: said.done() or seen(), PERSON_S)
            confirmed = said.done()
            if confirmed:
                said.result()
        finally:
            said.cancel()
            self.tell(step, None)
        if not done:
            raise NoProof("not_confirmed")
        return confirmed and not seen()


class Stairs:
    """The steps that a connector took, and what its own measurements and the meters say of each."""

    def __init__(self, trial: Trial, taken: Sequence[Stair]) -> None:
        """Begin with the steps as they were ordered."""
        self.trial = trial
        self.taken = list(taken)

    def own_steps(self) -> list[PhaseAmps | None]:
        """Return by how much the draw of each terminal rose at each step; None: not measured."""
        steps: list[PhaseAmps | None] = []
        for stair in self.taken:
            before = self.trial.own_level(stair.at + 1.0, stair.at - LEVEL_WITHIN_S)
            after = self.trial.own_level(stair.until, stair.at + 1.0)
            steps.append(None if before is None or after is None else analysis.difference(after, before))
        return steps

    def terminals(self) -> tuple[int, ...]:
        """Return the terminals that the vehicle draws on; empty: not measured."""
        return analysis.terminals_in_use([step for step in self.own_steps() if step is not None])

    def steps_on(self, meter_id: str) -> list[Step]:
        """Return the steps as a meter showed them; where the connector does not measure, by its limits."""
        used = self.terminals()
        found = []
        for stair, own in zip(self.taken, self.own_steps(), strict=True):
            before = self.trial.meter_level(meter_id, stair.at)
            after = self.trial.meter_level(meter_id, stair.until)
            if before is None or after is None:
                continue
            drawn = stair.limit_a - stair.before_a if own is None or not used else analysis.mean_on(own, used)
            found.append(Step(drawn_a=drawn, seen=analysis.difference(after, before)))
        return found
