"""A whole site under attack: the real `Site` in virtual time against the simulator's physics, judged at every step.

`World` does two things: it lets anything happen (to cars, posts, meters, the host, the configuration), and it keeps
account of what that excuses. Every current above a rating must be covered by an event that nobody could foresee, for no
longer than the reaction time, and by no more amps than that event brought.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Concatenate, override

from custom_components.charge_cluster.chargers import LimitOutcome
from custom_components.charge_cluster.engine.model import PHASES, MeterScope, PhaseAmps, Reason, SharingRule
from custom_components.charge_cluster.engine.snapshot import Command
from custom_components.charge_cluster.meters import FaultKey, MeterFault, MeterSample, ReportSample
from custom_components.charge_cluster.site.connector import ConnectorState
from custom_components.charge_cluster.site.proof import check
from custom_components.charge_cluster.site.records import Kept, SiteRecords
from custom_components.charge_cluster.site.session import Session
from custom_components.charge_cluster.site.settings import (
    ChargePointSettings,
    CircuitSettings,
    ConnectorSettings,
    ConnectorWish,
    MeterSettings,
    ModbusMeterSettings,
    SiteSettings,
)
from custom_components.charge_cluster.site.site import Site
from simulator.physics import CircuitSpec, OutletSpec, SiteTruth
from simulator.vehicle import CarSpec
from tests.site.physical import Notebook, at_once
from tests.virtual_time import VirtualClock, VirtualLoop

from .judge import STEP_S, VALIDITY_S, Fault, Judge
from .posts import Link, Mood, Post
from .stores import Socket, Store

KNOWN_CURRENTS_A = (6.0, 8.0, 10.0, 13.0, 16.0)
STEPPED = 0.2
"""So many charge points know a few currents only."""


class Diary(Notebook):
    """A notebook whose owner can lose power: what was flushed at earlier times can be had."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed: deque[Kept] = deque(maxlen=40)
        self.changes = 0
        """Limits that changed."""

    @override
    async def load(self) -> Kept:
        sessions = {key: copy.deepcopy(session) for key, session in self.kept_sessions.items()}
        orderly, self.orderly = self.orderly, False
        return replace(self._content(), orderly=orderly, sessions=sessions)

    @override
    def complete(self) -> None:
        self.orderly = True

    @override
    def keep_session(self, key: str, session: Session | None) -> None:
        self.kept_sessions.pop(key, None)
        if session is not None:
            self.kept_sessions[key] = session

    @override
    def ordered(self, state: ConnectorState, command: Command, outcome: LimitOutcome, before_a: float) -> None:
        self.changes += 1

    @override
    def session(self, key: str, session: Session) -> None: ...

    @override
    def demand(
        self, circuit_id: str, minute_start: float, peak_a: PhaseAmps, mean_power_w: float, samples: int
    ) -> None: ...

    def flush(self) -> None:
        """Bring what was written to the disk."""
        self.flushed.append(self._content())

    def _content(self) -> Kept:
        return Kept(
            bounds=dict(self.bounds),
            sessions=dict(self.kept_sessions),
            bases=dict(self.bases),
            stuck=dict(self.stuck),
            unguarded=sorted(self.unguarded),
            standings=dict(self.standings),
            demands=dict(self.demands),
            turn=self.turn,
        )

    def as_of(self, flushes_ago: int | None) -> Diary:
        """Return what the disk held so many flushes ago; None: nothing at all."""
        found = Diary()
        found.orderly = False
        if flushes_ago is not None and self.flushed:
            kept = self.flushed[-min(flushes_ago + 1, len(self.flushed))]
            found.bounds, found.bases, found.kept_sessions = dict(kept.bounds), dict(kept.bases), dict(kept.sessions)
            found.standings, found.demands, found.turn = dict(kept.standings), dict(kept.demands), kept.turn
            found.stuck = dict(kept.stuck)
            found.unguarded = set(kept.unguarded)
            found.flush()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitPlan:
    """One circuit and what may happen on it."""

    circuit_id: str
    parent_id: str | None
    rating_a: PhaseAmps
    declared_a: PhaseAmps | None
    own_most_a: PhaseAmps
    """The most that its own base load, without its children's, ever is."""
    scope: MeterScope | None
    """What its meter sees; None: it has none."""
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostPlan:
    """One charge point with its connectors."""

    name: str
    circuit_id: str
    rotations: tuple[tuple[int, ...], ...]
    """As it is wired, by connector."""
    known: tuple[bool, ...]
    """Whether that is told, by connector."""
    fallback_a: float
    maximum_a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlan:
    """A site to be built."""

    circuits: tuple[CircuitPlan, ...]
    posts: tuple[PostPlan, ...]
    on_time_s: float
    seed: int


class LaggingMeter:
    """A meter that reads the truth, and tells it late, wrongly or not at all."""

    def __init__(self, world: World, circuit_id: str, scope: MeterScope) -> None:
        self.world = world
        self.circuit_id = circuit_id
        self.scope = scope
        self.report: ReportSample | None = None
        self.powered = True
        self.silent = False
        self.lost_phase = False
        self.frozen: PhaseAmps | None = None
        self.lag_s = 0.0
        self.last: PhaseAmps = (0.0, 0.0, 0.0)
        self.told_at = float("-inf")
        """When the newest sample that arrived was measured."""
        self._delivers_at = 0.0
        self._serial = 0

    async def start(self, report: ReportSample) -> None:
        self.report = report

    async def stop(self) -> None:
        self.report = None

    def sample(self, now: float) -> None:
        """Measure; report after the lag."""
        if self.report is None or self.silent or not self.powered:
            return
        if self.lost_phase:
            self.told_at = float("-inf")
            self.report(MeterFault(key=FaultKey.MISSING_PHASE, detail="simulated"))
            return
        truth = self.world.truth
        total, base = truth.amps(self.circuit_id), truth.base_load(self.circuit_id)
        if self.scope is MeterScope.ALL_BUT_EVS:
            total = base
        elif self.scope is MeterScope.EVS_ONLY:
            total = (total[0] - base[0], total[1] - base[1], total[2] - base[2])
        self.last = total if self.frozen is None else self.frozen
        self._delivers_at = max(self._delivers_at, now + self.lag_s)
        if self._delivers_at <= now:
            self._deliver(self._serial, MeterSample(amps=self.last, measured_at=now))
        else:
            sample = MeterSample(amps=self.last, measured_at=now)
            self.world.loop.call_at(self._delivers_at, self._deliver, self._serial, sample)

    def go_dark(self) -> None:
        """Lose what is on its way."""
        self._serial += 1
        self._delivers_at = 0.0

    def _deliver(self, serial: int, sample: MeterSample) -> None:
        if self.report is not None and serial == self._serial and not self.silent and not self.lost_phase:
            self.told_at = sample.measured_at
            self.report(sample)


class World:
    """A site, its physics, and the account of what is excused."""

    def __init__(self, plan: SitePlan, rules: Sequence[SharingRule | None] = (None,)) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.plan = plan
        self.chance = Random(plan.seed)
        self.orders = 0
        self.transactions = 0
        self.host_up = True
        self.circuits = {circuit.circuit_id: circuit for circuit in plan.circuits}
        self.paths = {key: self._path(key) for key in self.circuits}
        self.truth = SiteTruth(
            [
                CircuitSpec(circuit_id=circuit.circuit_id, parent_id=circuit.parent_id, rating_a=circuit.rating_a)
                for circuit in plan.circuits
            ],
            [
                OutletSpec(
                    outlet_id=f"{post.name}/{number}",
                    circuit_id=post.circuit_id,
                    rotation=rotation,
                    maximum_a=post.maximum_a,
                )
                for post in plan.posts
                for number, rotation in enumerate(post.rotations, start=1)
            ],
        )
        self.posts = {post.name: self._post(post) for post in plan.posts}
        self.sockets = [(post, socket) for post in self.posts.values() for socket in post.sockets.values()]
        self.meters: dict[str, LaggingMeter] = {}
        chance = Random(f"rules {plan.seed}")
        self.rules = {circuit.circuit_id: chance.choice(rules) for circuit in plan.circuits}
        """The sharing rule that is chosen for each circuit."""
        self.own_base = dict.fromkeys(self.circuits, (0.0, 0.0, 0.0))
        self.settings = self.first_settings = self._settings()
        self.wishes: dict[str, ConnectorWish] = {}
        self.diary = Diary()
        self.diary_of_the_dead = self.diary
        self.site = self.new_site()
        self.totals_deaths = 0
        self.judge = Judge(self)
        self.removed_at: dict[str, float] = {}
        self.disturbed_at = self.loop.time()
        self.story: deque[str] = deque(maxlen=60)
        self._steps = 0
        self.paths_of_outlets = {
            socket.outlet_id: self.paths[self.plan_of(post.name).circuit_id] for post, socket in self.sockets
        }

    # -- building -----------------------------------------------------------------------------------------------------

    def _path(self, circuit_id: str) -> tuple[str, ...]:
        path = [circuit_id]
        while (parent := self.circuits[path[-1]].parent_id) is not None:
            path.append(parent)
        return tuple(path)

    def plan_of(self, name: str) -> PostPlan:
        return next(post for post in self.plan.posts if post.name == name)

    def _post(self, plan: PostPlan) -> Post:
        sockets = []
        for number in range(1, len(plan.rotations) + 1):
            outlet_id = f"{plan.name}/{number}"
            sockets.append(
                Socket(
                    number=number,
                    key=f"{plan.name.lower()}/{number}",
                    outlet_id=outlet_id,
                    outlet=self.truth.outlets[outlet_id],
                    truth=Store(fallback_a=plan.maximum_a),
                    word=Store(fallback_a=plan.maximum_a),
                )
            )
        return self.new_post(plan.name, sockets)

    def new_post(self, name: str, sockets: list[Socket]) -> Post:
        """Return a post with sockets."""
        return Post(self, name, sockets, self.chance)

    def _settings(self) -> SiteSettings:
        circuits = tuple(
            CircuitSettings(
                circuit_id=circuit.circuit_id,
                name=circuit.circuit_id.title(),
                parent_id=circuit.parent_id,
                rating_a=circuit.rating_a,
                declared_base_load_a=circuit.declared_a,
                sharing=self.rules[circuit.circuit_id],
            )
            for circuit in self.plan.circuits
        )
        meters = tuple(
            MeterSettings(
                meter_id=f"meter of {circuit.circuit_id}",
                name=f"Meter of {circuit.circuit_id}",
                circuit_id=circuit.circuit_id,
                source=ModbusMeterSettings(host="127.0.0.1", port=502, unit=1, profile="sunspec"),
                scope=circuit.scope,
                timeout_s=circuit.timeout_s,
            )
            for circuit in self.plan.circuits
            if circuit.scope is not None
        )
        settings = SiteSettings(
            site_id="site",
            name="Site",
            circuits=circuits,
            charge_points=tuple(self.point(post) for post in self.plan.posts),
            meters=meters,
            validity_s=VALIDITY_S,
            on_time_s=self.plan.on_time_s,
        )
        if check(settings):
            points = tuple(replace(point, fallback_a=0.0) for point in settings.charge_points)
            settings = replace(settings, charge_points=points)
        return settings

    def point(self, plan: PostPlan) -> ChargePointSettings:
        """Return the settings of a charge point as it was planned."""
        return ChargePointSettings(
            charge_point_id=plan.name.lower(),
            name=plan.name,
            identity=plan.name,
            circuit_id=plan.circuit_id,
            connectors=tuple(
                ConnectorSettings(number=number, rotation=rotation if known else None, maximum_a=plan.maximum_a)
                for number, (rotation, known) in enumerate(zip(plan.rotations, plan.known, strict=True), start=1)
            ),
            fallback_a=plan.fallback_a,
            steps_a=KNOWN_CURRENTS_A if Random(f"steps {self.plan.seed} {plan.name}").random() < STEPPED else None,
            switches_phases=any(
                known and len(rotation) == len(PHASES)
                for rotation, known in zip(plan.rotations, plan.known, strict=True)
            ),
        )

    def new_site(self) -> Site:
        """Return a site of the settings in force."""
        return Site(
            self.settings,
            self.wishes,
            clock=self.clock,
            records=self.records(),
            wiring=self,
            chance=Random(self.plan.seed),
            solve=at_once,
        )

    async def prepare(self, settings: SiteSettings) -> None: ...

    async def settle(self, settings: SiteSettings) -> None: ...

    def shut_door(self, point: ChargePointSettings, for_s: float) -> None: ...

    def knocks(self, point: ChargePointSettings) -> int:
        return 0

    def reconfigure(self, charger: object, point: ChargePointSettings) -> None: ...

    def charger(self, settings: ChargePointSettings) -> Post:
        return self.posts[settings.identity]

    def meter(self, settings: MeterSettings) -> LaggingMeter:
        meter = LaggingMeter(self, settings.circuit_id, settings.scope)
        old = self.meters.get(settings.circuit_id)
        if old is not None:
            meter.silent, meter.lost_phase, meter.frozen = old.silent, old.lost_phase, old.frozen
            meter.lag_s, meter.powered = old.lag_s, old.powered
        self.meters[settings.circuit_id] = meter
        return meter

    # -- records ------------------------------------------------------------------------------------------------------

    def records(self) -> SiteRecords:
        """Return where a site that begins now writes to, and finds what was left."""
        return self.diary

    def flush(self) -> None:
        """Bring what was written to the disk."""
        self.diary.flush()

    def close_records(self) -> None:
        """Bring everything to the disk, for a host that stops in good order."""
        self.diary.flush()

    def lose_records(self) -> None:
        """Lose what has not reached the disk, with the host."""
        self.diary_of_the_dead = self.diary
        self.diary = Diary()

    def find_records(self, flushes_ago: int | None, *, orderly: bool) -> None:
        """Find what the disk held when the host stopped (`orderly`), or so many flushes earlier; None: nothing."""
        dead = self.diary_of_the_dead
        self.diary = dead if orderly else dead.as_of(flushes_ago)

    # -- time ---------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the site; the posts dial in one after the other."""
        self.wait(self.site.start())
        for index, post in enumerate(self.posts.values()):
            self.loop.call_later(0.1 + 0.3 * index, post.connect)

    def wait(self, work: object) -> None:
        """Run a coroutine."""
        self.loop.run_until_complete(work)  # type: ignore[arg-type]  # any awaitable

    def at_once[**P](
        self, happening: Callable[Concatenate[World, P], object], *args: P.args, **facts: P.kwargs
    ) -> None:
        """Let something happen inside the loop, in no time."""

        async def happen() -> None:
            happening(self, *args, **facts)

        self.loop.run_until_complete(happen())

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.run_until_complete(self._run(round(seconds / STEP_S)))

    async def _run(self, steps: int) -> None:
        for _ in range(steps):
            await asyncio.sleep(STEP_S)
            self._step(self.loop.time())

    def _step(self, now: float) -> None:
        self._steps += 1
        for post in self.posts.values():
            post.offer(now)
        self.truth.step(STEP_S)
        for post in self.posts.values():
            post.sample(now)
        if self._steps % 2 == 0:
            for meter in self.meters.values():
                meter.sample(now)
        if self._steps % 10 == 0:
            self.flush()
        self.judge.step(now)

    def end(self) -> None:
        """Stop everything."""
        try:
            self.wait(self._stop())
        finally:
            self.loop.close()

    async def _stop(self) -> None:
        await self.site.stop()
        for post in self.posts.values():
            post.host_died()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def picture(self) -> str:
        """Return what is so now, for people."""
        lines = [f"now {self.loop.time():.1f}"]
        for key in self.circuits:
            view = self.site.circuits.get(key)
            lines.append(
                f"  {key}: truth {_text(self.truth.amps(key))} base {_text(self.truth.base_load(key))}"
                f" rating {_text(self.circuits[key].rating_a)} declared {self.circuits[key].declared_a}"
                f" meter {self.circuits[key].scope}"
                + (
                    ""
                    if view is None
                    else f" | believed {view.base_load_a} worst {view.worst_case_a} stale {view.stale}"
                )
            )
        states = self.site._states
        for post, socket in self.sockets:
            state = states.get(socket.key)
            lines.append(
                f"  {socket.outlet_id} on {self.plan_of(post.name).circuit_id} {socket.outlet.spec.rotation}:"
                f" draws {max(socket.outlet.drawn):.1f} offered {socket.outlet.offered_a:.1f} tx {socket.transaction}"
                f" {post.link} {post.mood} online {post.online} samples {post.sample_every_s}"
                f" raises after {post.raise_after_s} stored {socket.truth.fallback_a}"
                + (
                    ""
                    if state is None
                    else f" | limit {state.bound.limit_a} held {state.bound.held_a} in flight {state.bound.in_flight}"
                    f" target {state.limit.amps} {state.limit.reason} {state.vehicle} fallback {state.bound.fallback_a}"
                )
            )
        return "\n".join([*lines, *(f"  - {line}" for line in self.story)])

    def tell(self, what: str) -> None:
        """Note what happened."""
        self.story.append(f"{self.loop.time():.1f} {what}")

    def disturb(self, what: str) -> None:
        """Note that something happened that everybody may notice."""
        self.disturbed_at = self.loop.time()
        self.tell(what)


def _text(amps: PhaseAmps) -> str:
    return "/".join(f"{amp:.1f}" for amp in amps)


__all__ = ["CarSpec", "CircuitPlan", "Fault", "Link", "Mood", "PostPlan", "Reason", "SitePlan", "World"]
