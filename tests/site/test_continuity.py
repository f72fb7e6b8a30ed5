"""A restart that is shorter than the validity changes nothing for the cars (promise 6)."""

import asyncio
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass, replace

import pytest

from custom_components.charge_cluster.engine.model import Reason
from custom_components.charge_cluster.site.standing import KeptStanding
from simulator.vehicle import CarSpec
from tests.site.physical import PhysicalSite, a_site
from tests.virtual_time import VirtualLoop, run_virtually

STEADY_S = 300.0
"""Places, what cars leave over and small raises are settled by then."""
COMES_AFTER_S = 8.0
WATCHED_S = 90.0
CAR_REACTS_S = 10.0
SAMPLES_S = 10.0
DIAL_IN_S = 0.7
"""Charge points dial in one after the other, so long apart."""


@dataclass(frozen=True, slots=True)
class Car:
    """A car, plugged in `COMES_AFTER_S` after the one before."""

    outlet_id: str
    phases: int = 3
    maximum_a: float = 32.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A site where something that was learned makes a difference."""

    points: int
    cars: tuple[Car, ...]
    supply_a: float = 40.0
    cluster_a: float | None = None
    single_phase: bool = False
    fallback_a: float = 0.0
    demand_kw: float | None = None
    idle_s: float = 5.0
    """What passes before cars come."""
    steady_s: float = STEADY_S
    """What passes until nothing moves any more."""
    unbalance_a: float | None = None

    def site(self, loop: VirtualLoop) -> PhysicalSite:
        physical = a_site(
            loop,
            self.points,
            supply_a=self.supply_a,
            base_load_a=10.0,
            declared_a=10.0,
            fallback_a=self.fallback_a,
            cluster_a=self.cluster_a,
            single_phase=self.single_phase,
        )
        supply, *others = physical.settings.circuits
        supply = replace(supply, demand_kw=self.demand_kw, unbalance_a=self.unbalance_a)
        physical.settings = replace(physical.settings, circuits=(supply, *others))
        physical.site = physical._site()
        return physical


SCENES = {
    "modest": Scene(points=2, cars=(Car("P1", maximum_a=8.0), Car("P2"))),
    "single-phase cars": Scene(points=3, cars=(Car("P1", 1), Car("P2", 1), Car("P3", 1))),
    "one of them single-phase": Scene(
        points=4, cars=(Car("P1", 1), Car("P2"), Car("P4", 1)), supply_a=44.0, fallback_a=6.0
    ),
    "two phases": Scene(points=3, cars=(Car("P1", 2), Car("P2"), Car("P3", 1)), supply_a=46.0),
    "single-phase outlets": Scene(
        points=6, cars=tuple(Car(f"P{n}", 1, 9.0 if n == 1 else 32.0) for n in (4, 1, 2, 5)), single_phase=True
    ),
    "a cluster": Scene(
        points=6,
        cars=tuple(Car(f"P{n}", 1 if n == 3 else 3, 7.0 if n % 2 else 32.0) for n in range(1, 7)),
        supply_a=120.0,
        cluster_a=52.0,
    ),
    "balance": Scene(points=3, cars=(Car("P1"), Car("P2"), Car("P3", 1)), supply_a=80.0, unbalance_a=14.0),
    # Until everybody has had its trial.
    "places": Scene(points=5, cars=tuple(Car(f"P{n}") for n in (5, 3, 1, 2, 4)), supply_a=26.0, steady_s=500.0),
    # What was saved early in the clock window lets them have more than the cap in its rest.
    "demand": Scene(points=2, cars=(Car("P1"), Car("P2")), supply_a=100.0, demand_kw=24.0, idle_s=1200.0),
}


async def settle(site: PhysicalSite, scene: Scene) -> None:
    """Have the cars come, and wait until nothing moves any more."""
    await site.run(scene.idle_s)
    for car in scene.cars:
        site.plug(car.outlet_id, maximum_a=car.maximum_a, phases=car.phases)
        await site.run(COMES_AFTER_S)
    await site.run(scene.steady_s)


def drawn(site: PhysicalSite) -> dict[str, float]:
    return {name: max(outlet.drawn) for name, outlet in site.truth.outlets.items()}


async def dial_in_late(site: PhysicalSite) -> None:
    """Have the charge points wait until the site listens again, and then come one after the other."""
    for index, charger in enumerate(site.chargers.values(), start=1):
        charger.online = False
        asyncio.get_running_loop().call_later(8.2 + DIAL_IN_S * index, charger.reconnect)


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_an_orderly_restart_takes_nothing_from_anybody(scene: Scene, *, at_once: bool) -> None:
    physical = scene.site(loop := VirtualLoop())

    async def story() -> None:
        await physical.start()
        await settle(physical, scene)
        before, limits = drawn(physical), dict(zip(physical.site.connectors, physical.limits(), strict=True))
        assert sum(before.values()) > 0.0

        def watch() -> None:
            now = drawn(physical)
            assert all(now[name] >= amps - 0.01 for name, amps in before.items()), (now, before)

        if not at_once:
            await dial_in_late(physical)
        await physical.restart(8)
        await physical.run(WATCHED_S, watch)
        if scene.demand_kw is None:
            assert drawn(physical) == before
            assert dict(zip(physical.site.connectors, physical.limits(), strict=True)) == limits
        await physical.site.stop()

    run_virtually(story(), loop)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_after_a_kill_everybody_is_soon_where_he_was(scene: Scene) -> None:
    """What a killed site finds is seconds old, and limits are told anew; what was learned need not be learned again."""
    physical = scene.site(loop := VirtualLoop())

    async def story() -> None:
        await physical.start()
        await settle(physical, scene)
        found = deepcopy(physical.notebook)
        await physical.run(5)
        before = drawn(physical)
        await physical.kill(8, found)
        await physical.run(WATCHED_S + 60.0)
        now = drawn(physical)
        # A step that was left over may have gone to another.
        assert all(now[name] >= amps - 1.01 for name, amps in before.items()), (now, before)
        assert physical.above_s() == 0.0
        await physical.site.stop()

    run_virtually(story(), loop)


def play(physical: PhysicalSite, story: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await physical.start()
        await story()
        await physical.site.stop()

    run_virtually(whole(), physical.loop)


@pytest.mark.parametrize(
    ("told", "mistakes", "above_s"),
    [(True, False, 0.0), (False, False, 0.0), (False, True, SAMPLES_S + CAR_REACTS_S)],
    ids=["told", "not told", "not told, and it takes limits of another transaction"],
)
def test_a_car_that_was_changed_while_we_were_away_breaks_nothing(
    *, told: bool, mistakes: bool, above_s: float
) -> None:
    """A three-phase car came in the place of a single-phase one; its transaction is told at once, or much later.

    A limit names its transaction. Only where a charger takes it for another one can more flow than was reckoned with,
    until that is measured and the cars have followed.
    """
    physical = SCENES["single-phase cars"].site(VirtualLoop())
    charger = physical.charger(physical.settings.charge_points[0])

    def change() -> None:
        physical.unplug("P1")
        physical.truth.plug("P1", CarSpec(name="another", maximum_a=32.0))
        if told:
            charger.start_transaction()
        else:
            # Its messages wait in a queue: what runs by our books is the transaction that ended.
            charger.runs, charger.refuses = True, not mistakes
            physical.loop.call_later(30.0, tell)

    def tell() -> None:
        charger.stop_transaction()
        charger.refuses = False
        charger.start_transaction()

    async def story() -> None:
        await settle(physical, SCENES["single-phase cars"])
        physical.loop.call_later(3.0, change)
        await physical.restart(8)
        await physical.run(240)
        # The newcomer shares L1 to L3 with the others: 28 A for two cars on each phase.
        assert [max(outlet.drawn) for outlet in physical.truth.outlets.values()] == [14.0, 14.0, 14.0]
        assert physical.above_s() <= above_s

    play(physical, story)


def test_random_moments_after_an_outage_survive_a_restart() -> None:
    physical = a_site(VirtualLoop(), 8, supply_a=300.0)

    def moments() -> dict[str, float]:
        views = physical.site.connectors
        return {key: v.expected_at or 0.0 for key, v in views.items() if v.reason is Reason.RESTARTING}

    async def story() -> None:
        await physical.run(5)
        for number in range(1, 9):
            physical.plug(f"P{number}")
        await physical.run(120)
        await physical.restart(300)
        await physical.run(20)
        before = moments()
        assert len(before) >= 2
        await physical.restart(2)
        await physical.run(2)
        wall = physical.clock.time()
        assert moments() == {key: pytest.approx(at, abs=0.2) for key, at in before.items() if at > wall}
        await physical.run(100)
        assert not moments()

    play(physical, story)


def test_a_long_absence_is_no_service() -> None:
    """Who held a place when we went is not taken for served by the hours in which nobody charged."""
    scene = SCENES["places"]
    physical = scene.site(VirtualLoop())

    async def story() -> None:
        await settle(physical, scene)
        charged = [name for name, amps in drawn(physical).items() if amps > 0.0]
        await physical.restart(6 * 3600.0)
        turns = []
        for _ in range(3):
            await physical.run(900)
            turns.append(frozenset(name for name, amps in drawn(physical).items() if amps > 0.0))
        # Five cars, two places: everybody has had one after three turns.
        assert frozenset(charged).union(*turns) == set(physical.chargers)
        assert any(name in turn for name in charged for turn in turns)

    play(physical, story)


def test_a_turn_goes_on_and_ends_on_the_clock() -> None:
    scene = SCENES["places"]
    physical = scene.site(VirtualLoop())

    async def story() -> None:
        await settle(physical, scene)
        first = drawn(physical)
        # The turn ends while we are away.
        await physical.run(900 - physical.clock.time() % 900 - 4)
        assert drawn(physical) == first
        await dial_in_late(physical)
        await physical.restart(8)
        await physical.run(90)
        second = drawn(physical)
        assert sum(amps > 0.0 for amps in second.values()) == 2
        assert not any(first[name] and second[name] for name in first)

    play(physical, story)


def test_little_is_written_while_nothing_changes() -> None:
    scene = SCENES["a cluster"]
    physical = scene.site(VirtualLoop())
    written: list[str] = []
    keep = physical.notebook.keep_standing

    def count(key: str, standing: KeptStanding | None) -> None:
        written.append(key)
        keep(key, standing)

    physical.notebook.keep_standing = count  # type: ignore[method-assign]  # counts on its way

    async def story() -> None:
        await settle(physical, scene)
        assert 0 < len(written) <= 8 * scene.points
        written.clear()
        await physical.run(600)
        assert not written
        for car in scene.cars:
            physical.unplug(car.outlet_id)
        await physical.run(10)
        assert not physical.notebook.standings

    play(physical, story)


@pytest.mark.parametrize("killed", [False, True])
def test_a_meter_that_repeats_itself_is_not_believed_anew_after_a_restart(*, killed: bool) -> None:
    physical = a_site(VirtualLoop(), 2, supply_a=60.0, base_load_a=10.0, declared_a=20.0)

    async def story() -> None:
        await physical.run(5)
        physical.meters["supply"].frozen = (10.0, 10.3, 10.7)
        physical.plug("P1")
        await physical.run(120)
        assert physical.stale()
        found = deepcopy(physical.notebook)
        await (physical.kill(8, found) if killed else physical.restart(8))
        physical.meters["supply"].frozen = (10.0, 10.3, 10.7)

        def watch() -> None:
            if "supply" in physical.site.circuits:
                assert physical.stale()

        await physical.run(60, watch)
        physical.meters["supply"].frozen = None
        await physical.run(30)
        assert not physical.stale()
        assert not physical.notebook.stuck

    play(physical, story)
