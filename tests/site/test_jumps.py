"""Jumps of the base load that come before the cars have followed the last one.

While reductions are under way, what a meter shows too much may be the current of cars that have not come down yet, or
another jump. Each jump has to be over within the reaction time that is shown, whatever came before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

import pytest

from custom_components.charge_cluster.site.dispatch import ASKED_AGAIN_AFTER_S
from simulator.vehicle import CarSpec
from tests.site.physical import STEP_S, PhysicalSite, a_site
from tests.virtual_time import VirtualLoop, run_virtually

POINTS = 10
MAXIMUM_A, BASE_A, MARGIN_A = 32.0, 20.0, 4.0
RATING_A = POINTS * MAXIMUM_A + BASE_A + MARGIN_A
REACTIONS_S = (3.0, 11.0)
"""Of the fastest car and of the slowest that has been seen."""
GAPS_S = (2.0, 14.0)
"""A car is given 15 s to settle."""
JUMPS_A = (0.6 * POINTS, 2.6 * POINTS)
FILLED_S = 350.0
WATCHED_S = 60.0
ROUNDING_A = 1.0


@dataclass(kw_only=True)
class Trial:
    """A site that gives everybody all and has nothing left, and the jumps that befall it."""

    seed: int
    jumps: int
    on_demand: bool = True
    sample_every_s: float = 10.0
    measures: bool = True
    loop: VirtualLoop = field(default_factory=VirtualLoop)
    jumped: list[tuple[float, float]] = field(default_factory=list)
    """When the base load rose by how much."""
    above_a: list[tuple[float, float]] = field(default_factory=list)
    """When so much more than the rating flowed."""
    left_a: list[float] = field(default_factory=list)
    """What limits and base load leave below the ceiling."""
    shown_s: float = 0.0
    """The reaction time that is shown."""

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        plain = a_site(self.loop, POINTS, supply_a=RATING_A, base_load_a=BASE_A, declared_a=RATING_A)
        circuits = tuple(replace(circuit, margin_a=MARGIN_A) for circuit in plain.settings.circuits)
        settings = replace(plain.settings, circuits=circuits)
        self.site = PhysicalSite(settings=settings, circuits=plain.circuits, outlets=plain.outlets, loop=self.loop)

    def play(self) -> Trial:
        """Let it happen."""
        run_virtually(self._story(), self.loop)
        return self

    async def _story(self) -> None:
        await self.site.start()
        await self.site.run(5)
        car_of: dict[str, CarSpec] = {}
        for name, charger in self.site.chargers.items():
            charger.measures_on_demand, charger.measures = self.on_demand, self.measures
            charger.sample_every_s = self.sample_every_s
            car = CarSpec(
                name="car", maximum_a=MAXIMUM_A, reaction_s=self.chance.uniform(*REACTIONS_S), battery_kwh=500.0
            )
            car_of[name] = car
            self.site.truth.plug(name, car)
            charger.plugged()
        if not self.measures:
            # That nobody measures is found with the first car; it would be held to its first current as all others.
            await self.site.run(60)
            for name in self.site.chargers:
                self.site.unplug(name)
            await self.site.run(30)
            for name, charger in self.site.chargers.items():
                self.site.truth.plug(name, car_of[name])
                charger.plugged()
        # Jumps come at any place of the rhythm in which chargers report.
        await self.site.run(FILLED_S + STEP_S * self.chance.randrange(20))
        assert sum(self.site.limits()) == POINTS * MAXIMUM_A
        base_a = BASE_A
        for number in range(self.jumps):
            by_a = self.chance.uniform(*JUMPS_A)
            base_a += by_a
            self.site.truth.set_base_load("supply", (base_a,) * 3)
            self.jumped.append((self.loop.time(), by_a))
            last = number == self.jumps - 1
            gap_s = WATCHED_S if last else STEP_S * round(self.chance.uniform(*GAPS_S) / STEP_S)
            await self.site.run(gap_s, watch=self._watch)
            self.shown_s = self.site.site.circuits["supply"].reaction_time_s
        await self.site.site.stop()

    def _watch(self) -> None:
        self.above_a.append((self.loop.time(), max(self.site.truth.amps("supply")) - RATING_A))
        base_a = BASE_A + sum(by_a for _, by_a in self.jumped)
        self.left_a.append(RATING_A - MARGIN_A - base_a - sum(self.site.limits()))

    def not_excused(self) -> list[tuple[float, float]]:
        """Return when more flowed than the jumps of the reaction time before can be the reason for."""
        return [
            (now, above)
            for now, above in self.above_a
            if above > sum(by_a for at, by_a in self.jumped if now - at <= self.shown_s) + 0.01
        ]

    def asked_at(self) -> list[list[float]]:
        """Return when each charge point was asked for a measurement."""
        return [charger.asked_at for charger in self.site.chargers.values()]


@pytest.mark.parametrize(
    ("seed", "jumps"), [(0, 2), (3, 2), (26, 2), (2, 3), (4, 3), (8, 3), (22, 3), (24, 3), (25, 3), (5, 6)]
)
def test_jumps_that_follow_each_other_are_each_over_within_the_reaction_time(seed: int, jumps: int) -> None:
    trial = Trial(seed=seed, jumps=jumps).play()
    assert trial.not_excused() == []
    assert max(above for _, above in trial.above_a) > 0.0


@pytest.mark.parametrize(("sample_every_s", "measures"), [(5.0, True), (10.0, True), (30.0, True), (10.0, False)])
@pytest.mark.parametrize("seed", [4, 22])
def test_so_they_are_where_nobody_measures_on_demand_and_the_time_is_longer(
    seed: int, sample_every_s: float, measures: bool
) -> None:
    trial = Trial(seed=seed, jumps=3, on_demand=False, sample_every_s=sample_every_s, measures=measures).play()
    assert trial.not_excused() == []
    assert trial.asked_at() == [[]] * POINTS


@pytest.mark.parametrize("seed", range(6))
def test_one_jump_takes_what_it_needs_though_cars_follow_one_after_the_other(seed: int) -> None:
    trial = Trial(seed=seed, jumps=1).play()
    # From the answer on: the meter shows the jump within a second.
    answered = trial.left_a[round(2.0 / STEP_S) :]
    assert max(answered) <= ROUNDING_A + 1e-6
    assert min(answered) >= -1e-6


def test_only_while_an_overload_is_shown_is_anybody_asked_and_not_too_often() -> None:
    trial = Trial(seed=3, jumps=2).play()
    first, last = trial.jumped[0][0], max(now for now, above in trial.above_a if above > 0.0)
    for asked_at in trial.asked_at():
        assert asked_at
        assert all(first < at <= last + 1.0 for at in asked_at)
        assert all(later - earlier >= ASKED_AGAIN_AFTER_S - 1e-6 for earlier, later in pairwise(asked_at))
