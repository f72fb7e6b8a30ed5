"""The fault table: what each fault costs at its worst moment, on a site that is full to its ceiling.

The real site loop runs in virtual time against the physics of the simulated site (the world that the attack uses), and
what is told is what truly flowed. Every fault strikes together with a jump of the base load from a third of the
declared worst to all of it, at several moments of which the worst counts: while cars still rise, and at different
places of the rhythm in which chargers and meter report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, override

from custom_components.charge_cluster.engine.exposure import DeviceKind, Exposure, ProtectiveDevice, follow
from custom_components.charge_cluster.engine.model import MeterScope, PhaseAmps
from custom_components.charge_cluster.ledger.store import FILE
from custom_components.charge_cluster.site.records import SiteRecords
from simulator.physics import NOMINAL_VOLTAGE_V
from simulator.vehicle import CarSpec
from tests.attack import happenings
from tests.attack.judge import RUNS_OUT_S, SLOWEST_CAR_S, STEP_S, Judge
from tests.attack.posts import Link, Mood, Post
from tests.attack.stores import Socket
from tests.attack.world import CircuitPlan, PostPlan, SitePlan, World

from .bookkeeping import Charged, Record, lost, sessions_in, transactions_in
from .journalled_post import JournalledPost
from .ledger_life import Life
from .progress import say
from .report import Row

NAME = "guard"

SUPPLY_A, CLUSTER_A = 100.0, 63.0
QUIET_A, WORST_A = 15.0, 45.0
"""The base load before a fault, and the declared worst that it jumps to with it."""
DEVICES = {
    "supply": ProtectiveDevice(kind=DeviceKind.FUSE_GG, rated_a=SUPPLY_A),
    "cluster": ProtectiveDevice(kind=DeviceKind.MCB_C, rated_a=CLUSTER_A),
}
POSTS_OF_CLUSTER, POSTS_OF_SUPPLY = 5, 3
SAMPLE_EVERY_S = 10.0

MOMENTS_S = (25.0, 120.0, 121.5, 124.0, 127.0)
"""After the cars were plugged in: while they rise, and when all is settled."""
WATCHED_S = 150.0
CLOSING_S = 90.0

STEPS_APART_S = 6.0
"""A car is given 15 s to settle."""

METER_TIMEOUT_S = 10.0
NOTICED_S = max(30.0, 2 * SAMPLE_EVERY_S)
"""A charger that disobeys is noticed within this (or two of its sample intervals)."""

COMMITTED_WITHIN_S = 5.0
"""What is written from time to time is on the disk after so long (promise 7)."""
CHARGED_BETWEEN_SAMPLES_WH = 32.0 * 3 * NOMINAL_VOLTAGE_V * SAMPLE_EVERY_S / 3600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of the table."""

    name: str
    happens: Callable[[Trial], None]
    promised: Callable[[float], float] | None
    """The seconds above a rating that are promised, given the reaction time; None: nobody can observe it."""
    bound: str = ""
    """What bounds it where nobody can."""


@dataclass(slots=True)
class Tally:
    """What flowed through the circuits since the fault."""

    exposures: dict[tuple[str, int], Exposure] = field(default_factory=dict)

    def add(self, circuit_id: str, rating_a: PhaseAmps, amps: PhaseAmps) -> None:
        """Count one step."""
        for phase in (0, 1, 2):
            row = (circuit_id, phase)
            before = self.exposures.get(row, Exposure())
            self.exposures[row] = follow(before, DEVICES[circuit_id], rating_a[phase], amps[phase], STEP_S)

    @property
    def worst(self) -> Exposure:
        """Return the row that was above its rating for longest."""
        return max(self.exposures.values(), key=lambda e: (e.above_s, e.above_as, e.highest_a))

    @property
    def share(self) -> float:
        """Return the largest share of a curve that was used."""
        return max(exposure.most_used for exposure in self.exposures.values())


class Counter(Judge):
    """Counts what the attack would judge."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(trial)
        self.trial = trial

    @override
    def step(self, now: float) -> None:
        self.trial.count()


class Trial(World):
    """A full site to which one thing happens, with the real ledger; nothing is judged, everything is counted."""

    def __init__(self) -> None:
        self._disk = TemporaryDirectory(prefix="charge_cluster_trial_")
        self._life: Life | None = None
        self._holds_back = False
        self._seen_wh: dict[str, float] = {}
        """What had been charged at connectors that were removed meanwhile."""
        super().__init__(_plan())
        self.tally: Tally | None = None
        self.stumbled: Exception | None = None
        """What went wrong in a callback, which the loop would only log."""
        self.loop.set_exception_handler(self._note)
        self.judge = Counter(self)
        for post in self.posts.values():
            post.wire_s, post.apply_s, post.raise_after_s = 0.05, 0.5, 0.0
            post.sample_every_s, post.clock_error_s = SAMPLE_EVERY_S, 0.0
            post.can_measure_on_demand = True

    @override
    def new_post(self, name: str, sockets: list[Socket]) -> Post:
        return JournalledPost(self, name, sockets, lambda: self.ledger)

    # The ledger ------------------------------------------------------------------------------------------------------

    @property
    def ledger_path(self) -> Path:
        """Return the database file."""
        return self._folder / FILE

    @property
    def _folder(self) -> Path:
        return Path(self._disk.name) / "ledger"

    @property
    def ledger(self) -> Life:
        """Return the ledger of the present host, opened at the first need."""
        if self._life is None:
            self._life = Life(self._folder, self.settings.site_id, self.clock)
        return self._life

    @override
    def records(self) -> SiteRecords:
        return self.ledger.records

    @override
    def flush(self) -> None:
        if self._life is not None and not self._holds_back:
            self._life.commit()

    @override
    def close_records(self) -> None:
        self.ledger.close()

    @override
    def lose_records(self) -> None:
        if self._life is not None:
            self._life.kill()
            self._life = None

    @override
    def find_records(self, flushes_ago: int | None, *, orderly: bool) -> None:
        """Find what the disk holds, whatever that is."""

    @override
    def end(self) -> None:
        try:
            super().end()
        finally:
            self.lose_records()
            self._disk.cleanup()

    # What happens ----------------------------------------------------------------------------------------------------

    def _note(self, _loop: object, context: dict[str, Any]) -> None:
        self.stumbled = context.get("exception") or RuntimeError(context["message"])

    @override
    def run(self, seconds: float) -> None:
        super().run(seconds)
        if self.stumbled is not None:
            raise self.stumbled

    def count(self) -> None:
        """Take what flows into account."""
        if self.tally is not None:
            for circuit_id, circuit in self.circuits.items():
                self.tally.add(circuit_id, circuit.rating_a, self.truth.amps(circuit_id))

    def fill(self) -> None:
        """Start the site and plug a car in everywhere."""
        self._base(QUIET_A)
        self.begin()
        self.run(8.0)
        for post, socket in self.sockets:
            car = CarSpec(
                name=f"car at {post.name}", maximum_a=32.0, reaction_s=SLOWEST_CAR_S, battery_kwh=300.0, soc=0.1
            )
            self.at_once(happenings.plug, post, socket, car, 1.0)

    def jump(self, to_a: float = WORST_A) -> None:
        """Let the building draw more: all that was declared."""
        self._base(to_a)

    def _base(self, amps: float) -> None:
        self.own_base["supply"] = (amps, amps, amps)
        self.truth.set_base_load("supply", (amps, amps, amps))

    @property
    def first(self) -> Post:
        """Return the post that a fault befalls."""
        return self.posts["P1"]

    def run_up_to(self, moment_s: float) -> None:
        """Let time pass, with nothing committed for as long as may be: a kill at its end costs as much as it can."""
        self.run(moment_s - COMMITTED_WITHIN_S)
        self.flush()
        self._holds_back = True
        self.run(COMMITTED_WITHIN_S)
        self._holds_back = False

    def remove(self, post: Post) -> None:
        """Remove a charge point; what flows there from now on is nobody's to record."""
        for socket in post.sockets.values():
            car = socket.outlet.car
            self._seen_wh[socket.key] = 0.0 if car is None else car.delivered_wh
        happenings.remove_point(self, post)

    def make_well(self) -> None:
        """Make all well again, let everybody leave, and have it on the disk."""
        self.tally = None
        if not self.host_up:
            happenings.revive(self, None)
        self.run(30.0)
        self.at_once(happenings.heal)
        self.run(30.0)
        for post, socket in self.sockets:
            self.at_once(happenings.unplug, post, socket)
        self.run(CLOSING_S)
        self.flush()

    def lost(self) -> int:
        """Return how many sessions and transactions are not on record as they were."""
        return lost(self._sessions(), sessions_in(self.ledger_path)) + lost(
            self._transactions(), self._of_those_that_are_ours(transactions_in(self.ledger_path))
        )

    def _sessions(self) -> Iterator[Charged]:
        keys = {socket.outlet_id: socket.key for _, socket in self.sockets}
        for session in self.truth.sessions:
            key = keys[session.outlet_id]
            seen_wh = self._seen_wh.get(key)
            if seen_wh is None:
                yield Charged(connector=key, energy_wh=session.delivered_wh)
            else:
                yield Charged(connector=key, energy_wh=seen_wh, unseen_wh=CHARGED_BETWEEN_SAMPLES_WH)

    def _transactions(self) -> Iterator[Charged]:
        for post in self.posts.values():
            if isinstance(post, JournalledPost):
                yield from self._of_those_that_are_ours(post.ended)

    def _of_those_that_are_ours[T: (Charged, Record)](self, found: Iterable[T]) -> list[T]:
        """Leave out transactions of charge points that were removed: their end is told to nobody."""
        return [each for each in found if each.connector not in self._seen_wh]


def _plan() -> SitePlan:
    nothing: PhaseAmps = (0.0, 0.0, 0.0)
    supply = CircuitPlan(
        circuit_id="supply",
        parent_id=None,
        rating_a=(SUPPLY_A,) * 3,
        declared_a=(WORST_A,) * 3,
        own_most_a=(WORST_A,) * 3,
        scope=MeterScope.EVERYTHING,
    )
    cluster = CircuitPlan(
        circuit_id="cluster",
        parent_id="supply",
        rating_a=(CLUSTER_A,) * 3,
        declared_a=None,
        own_most_a=nothing,
        scope=None,
    )
    homes = ["cluster"] * POSTS_OF_CLUSTER + ["supply"] * POSTS_OF_SUPPLY
    posts = tuple(
        PostPlan(
            name=f"P{index + 1}",
            circuit_id=circuit_id,
            rotations=((index % 3, (index + 1) % 3, (index + 2) % 3),),
            known=(True,),
            fallback_a=6.0,
            maximum_a=32.0,
        )
        for index, circuit_id in enumerate(homes)
    )
    return SitePlan(circuits=(supply, cluster), posts=posts, on_time_s=900.0, seed=1)


# What may happen ------------------------------------------------------------------------------------------------------


def _mood(mood: Mood, late_s: float = 0.0) -> Callable[[Trial], None]:
    return lambda trial: trial.at_once(happenings.take_mood, trial.first, mood, late_s)


def _link(link: Link) -> Callable[[Trial], None]:
    return lambda trial: trial.at_once(happenings.break_link, trial.first, link)


def _meter(what: str, lag_s: float = 0.0) -> Callable[[Trial], None]:
    return lambda trial: trial.at_once(happenings.trouble_meter, "supply", what, lag_s)


def _power(seconds: float, *, forgets: bool = False) -> Callable[[Trial], None]:
    return lambda trial: trial.at_once(happenings.cut_power, trial.first, seconds, resumes=True, forgets=forgets)


def _all_lose_power(trial: Trial) -> None:
    for post in trial.posts.values():
        trial.at_once(happenings.cut_power, post, 5.0, resumes=True, forgets=False)


def _restart(away_s: float, *, orderly: bool) -> Callable[[Trial], None]:
    return lambda trial: happenings.restart(trial, away_s, orderly=orderly, memory=None)


def _outage(*, host_too: bool) -> Callable[[Trial], None]:
    return lambda trial: happenings.outage(trial, 8.0, host_too=host_too, memory=None)


def _in_steps(count: int) -> Callable[[Trial], None]:
    """Let the building come to the same in equal steps, each before the cars have followed the one before."""

    def happens(trial: Trial) -> None:
        by_a = (WORST_A - QUIET_A) / count
        trial.jump(QUIET_A + by_a)
        for step in range(1, count):
            trial.loop.call_later(step * STEPS_APART_S, trial.jump, QUIET_A + (step + 1) * by_a)

    return happens


def _frozen_while_a_car_leaves(trial: Trial) -> None:
    trial.at_once(happenings.trouble_meter, "supply", "frozen", 0.0)
    leaving = trial.posts["P8"]
    trial.at_once(happenings.unplug, leaving, leaving.sockets[1])


def _removed(trial: Trial) -> None:
    trial.remove(trial.first)


def _clock(seconds: float) -> Callable[[Trial], None]:
    return lambda trial: trial.at_once(happenings.step_post_clock, trial.first, seconds)


def _die(trial: Trial) -> None:
    trial.at_once(happenings.kill)


def _nothing(_: Trial) -> None: ...


def _reaction(reaction_s: float) -> float:
    return reaction_s


def _timeout(reaction_s: float) -> float:
    return METER_TIMEOUT_S + reaction_s


def _noticed(reaction_s: float) -> float:
    return NOTICED_S + reaction_s


def _runs_out(_: float) -> float:
    return RUNS_OUT_S


FAULTS = (
    Fault("the building alone: 30 A more in one step", _nothing, _reaction),
    Fault("the building in two steps of 15 A, 6 s apart", _in_steps(2), lambda reaction_s: reaction_s + STEPS_APART_S),
    Fault(
        "the building in three steps of 10 A, 6 s apart",
        _in_steps(3),
        lambda reaction_s: reaction_s + 2 * STEPS_APART_S,
    ),
    Fault("meter silent", _meter("silent"), _timeout),
    Fault("meter loses a phase (or gives NaN)", _meter("phase"), _reaction),
    Fault("meter 10 s late", _meter("lag", 9.0), lambda reaction_s: reaction_s + 9.0),
    Fault("meter 60 s late", _meter("lag", 60.0), _timeout),
    Fault("meter repeats itself with fresh times", _meter("frozen"), None, "until our cars step by 3 A"),
    Fault("the same, and a car leaves", _frozen_while_a_car_leaves, None, "until our cars step by 3 A"),
    Fault("charge point offline", _link(Link.DOWN), _reaction),
    Fault("charge point half open", _link(Link.HALF_OPEN), _reaction),
    Fault("charge point hears nothing, reports", _link(Link.DEAF), _reaction),
    Fault("answers 6 s late", _mood(Mood.OBEYS, 6.0), lambda reaction_s: reaction_s + 6.0),
    Fault("loses orders", _mood(Mood.LOSES_ORDERS), _reaction),
    Fault("loses answers", _mood(Mood.LOSES_ANSWERS), _reaction),
    Fault("refuses limits", _mood(Mood.REFUSES), _reaction),
    Fault("accepts limits and stays as it was", _mood(Mood.IGNORES), _noticed),
    Fault("accepts limits and gives all it can", _mood(Mood.WILD), _noticed),
    Fault("charge point reboots", _power(0.5), _reaction),
    Fault("power cut of a charge point, 12 s", _power(12.0), _reaction),
    Fault("the same, and it forgets its fallback", _power(12.0, forgets=True), _noticed),
    Fault("power cut of all charge points", _all_lose_power, _reaction),
    Fault("power cut of the site", _outage(host_too=False), _reaction),
    Fault("power cut of the site and the host", _outage(host_too=True), _reaction),
    Fault("clock of a charge point an hour ahead", _clock(3600.0), _reaction),
    Fault("clock of a charge point a minute behind", _clock(-60.0), _reaction),
    Fault("charge point removed while it charges", _removed, _reaction),
    Fault("Home Assistant restarts, 8 s", _restart(8.0, orderly=True), lambda reaction_s: reaction_s + 8.0),
    Fault("Home Assistant restarts, 45 s", _restart(45.0, orderly=True), _runs_out),
    Fault(
        "killed, back after 8 s with a memory 5 s old",
        _restart(8.0, orderly=False),
        lambda reaction_s: reaction_s + 8.0,
    ),
    Fault("killed, back after 45 s with a memory 5 s old", _restart(45.0, orderly=False), _runs_out),
    Fault("everything dies and stays dead", _die, _runs_out),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one fault came to at one moment."""

    worst: Exposure
    share: float
    reaction_s: float
    lost: int


def strike(fault: Fault, moment_s: float, watched_s: float = WATCHED_S) -> Outcome:
    """Let a fault befall a full site at a moment."""
    trial = Trial()
    try:
        trial.fill()
        trial.run_up_to(moment_s)
        reaction_s = trial.site.circuits["supply"].reaction_time_s
        trial.tally = tally = Tally()
        trial.jump()
        fault.happens(trial)
        trial.run(watched_s)
        worst, share = tally.worst, tally.share
        trial.make_well()
        return Outcome(worst=worst, share=share, reaction_s=reaction_s, lost=trial.lost())
    finally:
        trial.end()


def measure(moments_s: tuple[float, ...] = MOMENTS_S, faults: tuple[Fault, ...] = FAULTS) -> Iterator[Row]:
    """Yield the table, a row for each fault."""
    for fault in faults:
        say(f"guard: {fault.name}")
        outcomes = [strike(fault, moment_s) for moment_s in moments_s]
        worst = max(outcomes, key=lambda o: (o.worst.above_s, o.worst.above_as))
        promised = None if fault.promised is None else round(fault.promised(worst.reaction_s), 1)
        yield Row(
            benchmark=NAME,
            subject=fault.name,
            figure="above a rating",
            value=worst.worst.above_s,
            unit="s",
            target=promised,
            also={
                "above_as": round(max(o.worst.above_as for o in outcomes), 1),
                "highest_a": round(max(o.worst.highest_a for o in outcomes), 1),
                "share_of_curve_percent": round(100 * max(o.share for o in outcomes), 2),
                "records_lost": max(o.lost for o in outcomes),
            },
            note=fault.bound,
        )
