"""How charging begins again after an outage: at random moments, and only where nothing flows."""

from collections.abc import Awaitable, Callable
from random import Random

import pytest

from custom_components.charge_cluster.chargers import (
    Booted,
    ChargerEvent,
    DeviceIdentity,
    DrawSample,
    WentOffline,
    WentOnline,
)
from custom_components.charge_cluster.engine.guard import unknown_bound
from custom_components.charge_cluster.engine.model import Reason
from custom_components.charge_cluster.site.connector import ConnectorState
from custom_components.charge_cluster.site.proof import connectors_of
from custom_components.charge_cluster.site.restart import TOGETHER_S, Restart
from custom_components.charge_cluster.site.settings import CircuitSettings, SiteSettings
from tests.site.physical import PhysicalSite, a_charge_point, a_site
from tests.virtual_time import VirtualLoop, run_virtually

BOOTED = Booted(identity=DeviceIdentity())
STAGGER_S = 40.0


class Hand:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def synchronised(self) -> bool:
        return True


class Yard:
    """A car park of equal charge points that have all been online for a while."""

    def __init__(self, points: int, *, stagger_s: float = STAGGER_S, after_outage: bool = False) -> None:
        self.clock = Hand()
        self.points = [a_charge_point(f"P{number}") for number in range(points)]
        supply = CircuitSettings(circuit_id="supply", name="Supply", parent_id=None, rating_a=(100.0,) * 3)
        self.settings = SiteSettings(
            site_id="site",
            name="Site",
            circuits=(supply,),
            charge_points=tuple(self.points),
            restart_stagger_s=stagger_s,
        )
        self.restart = Restart(self.clock, Random(7))
        self.restart.begin(self.settings, after_outage=after_outage)
        self.states = {
            key: ConnectorState(
                connector=connector, charge_point_id=point.charge_point_id, number=1, bound=unknown_bound(connector)
            )
            for point in self.points
            for key, connector in connectors_of(point, {}).items()
        }
        if not after_outage:
            self.all_say(WentOnline())
            self.clock.now += 600

    def say(self, number: int, *events: ChargerEvent) -> None:
        for event in events:
            self.restart.heard(self.settings, self.points[number], event)

    def all_say(self, *events: ChargerEvent) -> None:
        for number in range(len(self.points)):
            self.say(number, *events)

    def draws(self, number: int, amps: float) -> None:
        self.say(number, DrawSample(connector=1, amps=(amps,) * 3, measured_at=self.clock.now))

    def waits(self) -> dict[int, float]:
        """Return the seconds that charge points must wait, by their number."""
        facts = self.restart.facts(self.states)
        waits = {int(key[1:-2]): each.starts_at - self.clock.now for key, each in facts.items()}
        return {number: wait for number, wait in waits.items() if wait > 0}


def test_after_an_outage_everybody_has_a_moment_of_its_own_within_the_window() -> None:
    yard = Yard(200)
    yard.all_say(WentOffline())
    yard.clock.now += 120
    yard.all_say(WentOnline(), BOOTED)

    waits = sorted(yard.waits().values())

    assert len(waits) == 200
    assert 0.0 < waits[0] < 2.0
    assert STAGGER_S - 2.0 < waits[-1] <= STAGGER_S
    # Uniform: each quarter of the window has about a quarter of them.
    for quarter in range(4):
        inside = [wait for wait in waits if quarter * 10.0 <= wait < (quarter + 1) * 10.0]
        assert 30 <= len(inside) <= 70


def test_a_power_cut_shorter_than_a_lost_connection_takes_to_be_missed_counts() -> None:
    yard = Yard(6)
    yard.all_say(BOOTED)

    assert len(yard.waits()) == 6


def test_first_ones_back_get_their_moment_as_soon_as_it_is_seen_to_be_an_outage() -> None:
    yard = Yard(8)
    yard.all_say(WentOffline())
    for number in range(3):
        yard.say(number, WentOnline())
        assert yard.waits() == {}
    yard.say(3, WentOnline())
    assert set(yard.waits()) == {0, 1, 2, 3}
    yard.clock.now += 59
    yard.say(4, WentOnline())
    assert 4 in yard.waits()


def test_those_who_already_have_a_moment_keep_it_when_others_come_back() -> None:
    yard = Yard(8)
    yard.all_say(WentOffline())
    for number in range(4):
        yard.say(number, WentOnline())
    before = yard.waits()
    yard.say(0, BOOTED)
    yard.say(5, WentOnline())

    assert {number: wait for number, wait in yard.waits().items() if number in before} == before


@pytest.mark.parametrize(("points", "back"), [(2, 2), (8, 3), (100, 49)])
def test_few_who_come_back_start_at_once(points: int, back: int) -> None:
    yard = Yard(points)
    for number in range(back):
        yard.say(number, WentOffline(), WentOnline())

    assert yard.waits() == {}


def test_many_who_come_back_one_after_the_other_are_no_outage() -> None:
    yard = Yard(6)
    yard.all_say(WentOffline())
    for number in range(6):
        yard.say(number, WentOnline())
        yard.clock.now += TOGETHER_S / 2

    assert yard.waits() == {}


def test_a_car_park_that_is_dialled_in_for_the_first_time_starts_at_once() -> None:
    yard = Yard(6)
    yard.restart = Restart(yard.clock, Random(7))
    yard.all_say(WentOnline(), BOOTED)

    assert yard.waits() == {}


def test_who_charges_already_is_not_touched() -> None:
    yard = Yard(6)
    yard.all_say(WentOffline())
    yard.say(0, WentOnline())
    yard.draws(0, 6.0)
    for number in range(1, 6):
        yard.say(number, WentOnline())
    yard.draws(1, 6.0)
    yard.draws(2, 0.2)

    assert set(yard.waits()) == {2, 3, 4, 5}


def test_a_measurement_from_before_the_outage_shows_nothing() -> None:
    yard = Yard(6)
    old = DrawSample(connector=1, amps=(16.0,) * 3, measured_at=yard.clock.now)
    yard.clock.now += 10
    yard.all_say(WentOffline(), WentOnline(), old)

    assert len(yard.waits()) == 6


def test_no_stagger_is_no_stagger() -> None:
    yard = Yard(6, stagger_s=0.0)
    yard.all_say(WentOffline(), WentOnline())

    assert yard.waits() == {}


def test_moments_are_over_when_they_are_over() -> None:
    yard = Yard(6)
    yard.all_say(WentOffline(), WentOnline())
    yard.clock.now += TOGETHER_S + 1

    assert yard.waits() == {}
    assert all(facts.starts_at == 0.0 for facts in yard.restart.facts(yard.states).values())


def test_a_site_that_was_away_itself_staggers_whoever_dials_in() -> None:
    yard = Yard(6, after_outage=True)
    yard.say(0, WentOnline())

    assert set(yard.waits()) == {0}


# A whole site ---------------------------------------------------------------------------------------------------------


def play(story: Callable[[PhysicalSite], Awaitable[None]], *, points: int, fallback_a: float = 0.0) -> None:
    loop = VirtualLoop()
    physical = a_site(loop, points, supply_a=300.0, fallback_a=fallback_a)

    async def whole() -> None:
        await physical.start()
        await physical.run(5)
        for index in range(points):
            physical.plug(f"P{index + 1}")
        await physical.run(120)
        await story(physical)
        await physical.site.stop()

    run_virtually(whole(), loop)


def charging(site: PhysicalSite) -> int:
    return sum(max(outlet.drawn) > 1.0 for outlet in site.truth.outlets.values())


def test_cars_start_one_after_the_other_after_a_long_absence_and_all_within_the_window() -> None:
    async def story(site: PhysicalSite) -> None:
        assert charging(site) == 8
        await site.restart(300)
        assert charging(site) == 0
        seen = []
        for _ in range(9):
            await site.run(10)
            seen.append(charging(site))
            if Reason.RESTARTING in {view.reason for view in site.site.connectors.values()}:
                assert seen[-1] < 8
        assert seen == sorted(seen)
        assert len(set(seen)) >= 4
        assert seen[-1] == 8

    play(story, points=8)


def test_a_short_absence_changes_nothing() -> None:
    async def story(site: PhysicalSite) -> None:
        await site.restart(10)
        for _ in range(20):
            await site.run(1)
            assert charging(site) == 8

    play(story, points=8)


def test_who_charges_with_its_fallback_while_we_were_away_goes_on() -> None:
    async def story(site: PhysicalSite) -> None:
        await site.restart(300)
        for _ in range(90):
            assert charging(site) == 4
            await site.run(1)

    play(story, points=4, fallback_a=6.0)
