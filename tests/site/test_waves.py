"""A jump of the base load takes from vehicles what it needs, once."""

from dataclasses import replace

import pytest

from simulator.vehicle import CarSpec
from tests.site.physical import PhysicalSite, a_site
from tests.virtual_time import VirtualLoop, run_virtually

POINTS = 20
MAXIMUM_A = 32.0
BASE_A = 20.0
MARGIN_A = 4.0
JUMP_A = 1.11 * POINTS
"""A little more than an amp from everybody."""
ANSWERED_S = 2
SETTLED_S = 17
"""Longer than cars are given to settle; every charger has reported since."""


def a_full_site(loop: VirtualLoop) -> PhysicalSite:
    """Return a site that gives everybody all and has nothing left."""
    rating_a = POINTS * MAXIMUM_A + BASE_A + MARGIN_A
    plain = a_site(loop, POINTS, supply_a=rating_a, base_load_a=BASE_A, declared_a=rating_a)
    circuits = tuple(replace(circuit, margin_a=MARGIN_A) for circuit in plain.settings.circuits)
    settings = replace(plain.settings, circuits=circuits)
    return PhysicalSite(settings=settings, circuits=plain.circuits, outlets=plain.outlets, loop=loop)


def test_what_a_jump_took_is_not_taken_a_second_time() -> None:
    loop = VirtualLoop()
    site = a_full_site(loop)
    left_a: list[float] = []

    async def story() -> None:
        site.truth.set_base_load("supply", (BASE_A,) * 3)
        await site.start()
        await site.run(5)
        for name, charger in site.chargers.items():
            site.truth.plug(name, CarSpec(name="car", maximum_a=MAXIMUM_A, reaction_s=3.0, battery_kwh=500.0))
            charger.plugged()
        await site.run(400)
        assert sum(site.limits()) == POINTS * MAXIMUM_A
        for jumps in range(1, 5):
            base_a = BASE_A + jumps * JUMP_A
            site.truth.set_base_load("supply", (base_a,) * 3)
            for _ in range(SETTLED_S):
                await site.run(1)
                left_a.append(POINTS * MAXIMUM_A + BASE_A - base_a - sum(site.limits()))
        await site.site.stop()

    run_virtually(story(), loop)
    answered = [left for second, left in enumerate(left_a) if second % SETTLED_S >= ANSWERED_S]
    assert answered == pytest.approx([0.0] * len(answered), abs=2.5)
