"""What is excused and what is not: every current above a rating is held against the events that nobody could foresee.

A current above a rating must be covered by such an event, for no longer than the reaction time, and by no more amps
than it brought. What that means for each kind of fault stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, override

from custom_components.charge_cluster.engine.model import MeterScope, PhaseAmps

from .posts import Mood, Post
from .stores import Socket

if TYPE_CHECKING:
    from .world import World

STEP_S = 0.5
EXACT_A = 1e-6
SLOWEST_CAR_S = 11.0
"""Reaction of the slowest car drawn; `guard.CAR_SETTLING_S` allows for 15 s with its charger."""
RISES_LATE_S = 20.0
"""A raise that was ordered before a jump could be known is drawn at most so long after it."""
VALIDITY_S = 30.0
RUNS_OUT_S = VALIDITY_S + 5.0 + 15.0


@dataclass(slots=True)
class Excuse:
    """What nobody could foresee: amps per phase that may be above a rating until a time."""

    circuit_id: str
    amps: PhaseAmps
    at: float
    until: float
    what: str
    runs_out_at: float
    """Until then those who do not carry out orders may keep it up."""


@dataclass(slots=True)
class Over:
    """A time above a rating without a break."""

    since: float
    worst_a: float = 0.0


@dataclass(slots=True, kw_only=True)
class Fault(AssertionError):
    """A promise that was broken."""

    story: str

    @override
    def __str__(self) -> str:
        return self.story


class Judge:
    """Keeps account of what happened to a world, and judges what flows."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.excuses: list[Excuse] = []
        self.unjudged_until: dict[str, float] = {}
        self.stale_since: dict[str, float] = {}
        self.over_s = 0.0
        self._stale_until: dict[str, float] = {}
        self._over: dict[tuple[str, int], Over] = {}

    def step(self, now: float) -> None:
        """Judge what flows now."""
        self._note_staleness(now)
        self._note_unruly(now)
        self._judge_all(now)

    def reaction_s(self, circuit_id: str) -> float:
        """Return T of a circuit: lag and interval of the meters above, the pass, the grace, the wire and the car."""
        meters = self.world.meters
        lag = max((meters[key].lag_s for key in self.world.paths[circuit_id] if key in meters), default=0.0)
        return lag + 1.0 + 0.2 + 1.0 + 3.0 + SLOWEST_CAR_S + 2 * STEP_S

    def timeout_s(self, circuit_id: str) -> float:
        """Return after how long without a sample a meter is stale."""
        configured = self.world.circuits[circuit_id].timeout_s
        return 10.0 if configured is None else configured

    def excuse(
        self, circuit_ids: tuple[str, ...], amps: PhaseAmps, what: str, *, extra_s: float = 0.0, late_s: float = 0.0
    ) -> None:
        """Note what nobody could foresee; `extra_s`: until it can be seen, `late_s`: until it shows."""
        now = self.world.loop.time()
        for circuit_id in circuit_ids:
            until = now + self.reaction_s(circuit_id) + extra_s + late_s
            self.excuses.append(Excuse(circuit_id, amps, now, until, what, until + RUNS_OUT_S))

    def _note_staleness(self, now: float) -> None:
        for key, meter in self.world.meters.items():
            if meter.lost_phase or now - meter.told_at > self.timeout_s(key) + 1.0:
                self.stale_since.setdefault(key, now)
            elif self.stale_since.pop(key, None) is not None:
                self._stale_until[key] = now

    def _note_unruly(self, now: float) -> None:
        for post, socket in self.world.sockets:
            drawn = max(socket.outlet.drawn)
            over = drawn - socket.most_entitled_a
            if over <= 0.01:
                socket.over_a = 0.0
                continue
            if over > socket.over_a + 0.01:
                rise = over - socket.over_a
                detected = max(30.0, 2 * post.sample_every_s) + 15.0
                phases = socket.outlet.spec.rotation
                amps = tuple(rise if phase in phases else 0.0 for phase in (0, 1, 2))
                self.excuse(
                    self.world.paths_of_outlets[socket.outlet_id],
                    (amps[0], amps[1], amps[2]),
                    f"{socket.outlet_id} draws {over:.1f} A more than it accepted",
                    extra_s=detected,
                )
            socket.over_a = over

    def _judge_all(self, now: float) -> None:
        for circuit_id, circuit in self.world.circuits.items():
            total = self.world.truth.amps(circuit_id)
            for phase in (0, 1, 2):
                excess = total[phase] - circuit.rating_a[phase]
                if excess > EXACT_A:
                    self.over_s += STEP_S
                    self._judge_excess(circuit_id, phase, excess, now)
                else:
                    self._over.pop((circuit_id, phase), None)

    def _judge_excess(self, circuit_id: str, phase: int, excess: float, now: float) -> None:
        if now < self.unjudged_until.get(circuit_id, 0.0):
            return
        over = self._over.setdefault((circuit_id, phase), Over(now))
        over.worst_a = max(over.worst_a, excess)
        kept = [excuse for excuse in self.excuses if excuse.circuit_id == circuit_id and now <= excuse.runs_out_at]
        active = [excuse for excuse in kept if now <= excuse.until]
        covered = sum(excuse.amps[phase] for excuse in active)
        nobody = max(0.0, self._beyond_control(circuit_id, phase, now))
        covered += min(sum(e.amps[phase] for e in kept if e not in active), nobody)
        undeclared = 0.0 if self._seen(circuit_id) else self._unseen_a(circuit_id)[phase]
        if self.lost_its_meter(circuit_id):
            undeclared += self.world.truth.base_load(circuit_id)[phase]
        covered += undeclared
        covered = max(covered, self._beyond_us(circuit_id, phase))
        if excess > covered + 0.01:
            rating = self.world.circuits[circuit_id].rating_a[phase]
            raise Fault(
                story=f"{circuit_id} L{phase + 1} is {excess:.2f} A above {rating} A"
                f" at {now:.1f} (since {over.since:.1f}); excused are {covered:.2f} A: {active}\n{self.world.picture()}"
            )
        newest = max((e.at for e in self.excuses if e.circuit_id == circuit_id and e.amps[phase] > 0.0), default=0.0)
        longest = max((e.until - e.at for e in active if e.amps[phase] > 0.0), default=0.0)
        lasting = max(undeclared, self._beyond_us(circuit_id, phase)) + nobody
        if now - max(over.since, newest) > longest and excess > lasting + 0.01:
            since = f"{circuit_id} L{phase + 1} is above its rating since {over.since}"
            raise Fault(story=f"{since}\n{self.world.picture()}")

    def _beyond_control(self, circuit_id: str, phase: int, now: float) -> float:
        """Return by how much what cannot be told anything now is above the rating by itself."""
        alone = self._sum(circuit_id, lambda post, _: 1.0 if post.uncontrolled(now) else 0.0)
        base = self.world.truth.base_load(circuit_id)
        return base[phase] + alone[phase] - self.world.circuits[circuit_id].rating_a[phase]

    def _beyond_us(self, circuit_id: str, phase: int) -> float:
        """Return by how much what disobeys or does not belong to us is above the rating by itself.

        What the fallbacks are given room for is taken by who disobeys, or by a base load that nobody declared; who went
        to its fallback by itself a moment ago comes on top, until it was told otherwise.
        """
        foreign = self.foreign_a(circuit_id)[phase]
        total = self.world.truth.base_load(circuit_id)[phase] + foreign
        if foreign > 0.0 or self.world.circuits[circuit_id].declared_a is None:
            total += self._fallen_back_a(circuit_id)[phase]
        return max(0.0, total - self.world.circuits[circuit_id].rating_a[phase])

    def lost_its_meter(self, circuit_id: str) -> bool:
        """Return whether neither a meter nor the settings say what flows: then it passes for nothing, in the end."""
        return not self._metered(circuit_id) and self.world.circuits[circuit_id].declared_a is None

    def _metered(self, circuit_id: str) -> bool:
        return any(meter.circuit_id == circuit_id for meter in self.world.settings.meters)

    def _seen(self, circuit_id: str) -> bool:
        """Return whether a meter shows what flows through a circuit, and has for long enough."""
        meter = self.world.meters.get(circuit_id)
        if meter is None or meter.scope is not MeterScope.EVERYTHING or not self._metered(circuit_id):
            return False
        if circuit_id in self.stale_since:
            return False
        seen_for = self.world.loop.time() - self._stale_until.get(circuit_id, 0.0)
        return seen_for > self.reaction_s(circuit_id) + RISES_LATE_S

    def drawn_of(self, socket: Socket) -> PhaseAmps:
        """Return what an outlet draws, by supply phase."""
        drawn = [0.0, 0.0, 0.0]
        for terminal, supply in enumerate(socket.outlet.spec.rotation):
            drawn[supply] += socket.outlet.drawn[terminal]
        return (drawn[0], drawn[1], drawn[2])

    def _is_foreign(self, post: Post, socket: Socket) -> bool:
        return post.name in self.world.removed_at or socket.over_a > 0.01 or post.mood in (Mood.WILD, Mood.IGNORES)

    def foreign_a(self, circuit_id: str) -> PhaseAmps:
        """Return what flows to outlets below a circuit that disobey or do not belong to us."""
        return self._sum(circuit_id, lambda post, socket: 1.0 if self._is_foreign(post, socket) else 0.0)

    def _unseen_a(self, circuit_id: str) -> PhaseAmps:
        """Return what flows below a circuit whose meter does not show it, and what nobody else tells either.

        What was removed is a base load that nobody declared. Who disobeys while it is away counts at its fallback.
        """

        def part(post: Post, socket: Socket) -> float:
            if post.name in self.world.removed_at:
                return 1.0
            drawn = max(socket.outlet.drawn)
            return 0.0 if post.online or drawn <= 0.0 else socket.over_a / drawn

        return self._sum(circuit_id, part)

    def _sum(self, circuit_id: str, part: Callable[[Post, Socket], float]) -> PhaseAmps:
        total = [0.0, 0.0, 0.0]
        for post, socket in self.world.sockets:
            if circuit_id in self.world.paths_of_outlets[socket.outlet_id]:
                share = part(post, socket)
                for phase, amps in enumerate(self.drawn_of(socket)):
                    total[phase] += share * amps
        return (total[0], total[1], total[2])

    def _fallen_back_a(self, circuit_id: str) -> PhaseAmps:
        """Return what flows below a circuit to outlets that went to their fallback by themselves a moment ago.

        Nobody can tell them otherwise yet, or orders may not have reached them lately.
        """

        def part(post: Post, socket: Socket) -> float:
            drawn = max(socket.outlet.drawn)
            now = self.world.loop.time()
            told = now > socket.fallen_until and not post.uncontrolled(now)
            if told or self._is_foreign(post, socket) or drawn <= 0.0:
                return 0.0
            return min(drawn, socket.truth.fallback_a) / drawn

        return self._sum(circuit_id, part)
