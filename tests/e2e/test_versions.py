"""Charge points of every version in one car park, in a real Home Assistant over real sockets."""

import asyncio

import pytest

from scripts.demo_site.client import Json
from scripts.demo_site.figures import sessions_of
from scripts.demo_site.stage import Stage
from simulator.charge_point import OcppVersion

from .car_parks import a_car_park
from .conftest import Opening
from .witness import REACTION_S, USED_WITHIN_S, Witness

pytestmark = pytest.mark.timeout(240)

ALL_CHARGE_WITHIN_S = 90.0


async def ended_sessions(stage: Stage, count: int) -> list[Json]:
    """Wait until so many sessions are recorded to their end."""
    async with asyncio.timeout(60.0):
        while True:
            recorded = await sessions_of(stage.client, stage.site)
            ended = [session for session in recorded if session["ended_at"] is not None]
            if len(ended) >= count:
                return ended
            await asyncio.sleep(1.0)


async def test_charge_points_of_every_version_share_a_supply_and_their_sessions_are_recorded(opened: Opening) -> None:
    park = a_car_park(
        name="versions", rating_a=100.0, points=6, cars=6, worst_base_load_a=55.0, versions=tuple(OcppVersion)
    )
    stage = await opened(park)
    witness = Witness(stage)
    await witness.sees(witness.all_charge, within_s=ALL_CHARGE_WITHIN_S, what="all six cars charge")
    await witness.sees(lambda: witness.supply_a() > 85.0, within_s=USED_WITHIN_S, what="the supply is well used")

    witness.site.set_base_load("supply", (50.0, 50.0, 50.0))
    await witness.sees(lambda: not witness.within_ratings(), within_s=5.0, what="the jump overloads the supply")
    await witness.sees(witness.within_ratings, within_s=REACTION_S, what="all give way to the building")
    await witness.watches(witness.within_ratings, for_s=10.0, what="nothing creeps back")
    witness.site.set_base_load("supply", None)
    await witness.sees(witness.all_charge, within_s=60.0, what="everybody charges")

    for identity in ("P01", "P02", "P03"):
        witness.site.unplug(f"{identity}/1")
    await witness.sees(lambda: len(witness.charging()) == 3, within_s=20.0, what="three of them have left")
    assert witness.seconds_above() <= REACTION_S
    assert witness.redialled() == set()
    sessions = await ended_sessions(stage, 3)
    # The first is accepted by itself and has a name of its own.
    assert {session["connector"] for session in sessions} == {"Bay 01", "P02", "P03"}
    assert all(session["energy_kwh"] > 0 for session in sessions)
