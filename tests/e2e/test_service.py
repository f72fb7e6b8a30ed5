"""No break in service: restarts, crashes and changes of the configuration, seen from the cars and the charge points."""

import asyncio

import pytest

from .car_parks import CLUSTER_A, a_car_park
from .conftest import Opening
from .witness import Witness

pytestmark = pytest.mark.timeout(240)

ALL_CHARGE_WITHIN_S = 90.0
RELOADED_WITHIN_S = 45.0
"""Home Assistant reloads an entry by itself 30 s after one of its entities was enabled."""

OTHERS = ("P01", "P02", "P03", "P04")


async def test_a_home_assistant_that_is_killed_finds_its_sessions_again(opened: Opening) -> None:
    stage = await opened(a_car_park(name="killed", rating_a=63.0, points=4, cars=4))
    witness = Witness(stage)
    await witness.sees(witness.all_charge, within_s=ALL_CHARGE_WITHIN_S, what="all four cars charge")
    transactions = {identity: witness.transaction(identity) for identity in witness.with_cars()}
    assert None not in transactions.values()

    await stage.home_assistant.kill()
    await witness.watches(witness.all_charge, for_s=2.0, what="cars do not notice")
    await stage.start_again()
    await witness.sees(
        lambda: all(map(witness.online, witness.with_cars())), within_s=90.0, what="charge points are back"
    )
    await witness.sees(witness.all_charge, within_s=60.0, what="all four cars charge again")

    assert {identity: witness.transaction(identity) for identity in witness.with_cars()} == transactions
    assert witness.seconds_above() == 0.0


async def test_sessions_outlive_a_home_assistant_that_is_killed_and_are_recorded_to_their_end(opened: Opening) -> None:
    stage = await opened(a_car_park(name="recorded", rating_a=63.0, points=2, cars=2))
    witness = Witness(stage)
    await witness.sees(witness.all_charge, within_s=ALL_CHARGE_WITHIN_S, what="both cars charge")
    sessions = await stage.running_sessions()
    assert len(sessions) == len(witness.with_cars())

    await stage.home_assistant.kill()
    await stage.start_again()
    await witness.sees(lambda: all(map(witness.online, witness.with_cars())), within_s=90.0, what="they are back")
    assert await stage.running_sessions() == sessions

    witness.site.unplug("P01/1")
    ended = await stage.first_ended_session(within_s=30.0)
    assert ended["energy_kwh"] == pytest.approx(witness.site.truth.sessions[0].delivered_wh / 1000.0, abs=0.02)


async def test_adding_enabling_and_renaming_interrupts_nobody(opened: Opening) -> None:
    stage = await opened(a_car_park(name="changes", rating_a=100.0, points=4, cars=4, spare=1), strangers={"P05"})
    witness = Witness(stage)
    await witness.sees(witness.all_charge, within_s=ALL_CHARGE_WITHIN_S, what="all four cars charge")
    transactions = {identity: witness.transaction(identity) for identity in OTHERS}
    watching = asyncio.create_task(witness.watches(witness.all_charge, for_s=60.0, what="nobody pauses"))

    enabled = await stage.enable_a_disabled_entity()
    await stage.rename_cluster(CLUSTER_A, "Visitors")
    await stage.accept_spare("P05")
    await witness.sees(lambda: witness.online("P05"), within_s=60.0, what="the new charge point is let in")
    await stage.shows(enabled, lambda _state: True, within_s=RELOADED_WITHIN_S)
    await witness.watches(witness.all_charge, for_s=5.0, what="nobody pauses after the reload either")

    assert not watching.done() or watching.exception() is None
    watching.cancel()
    assert witness.redialled() <= {"P05"}
    assert {identity: witness.transaction(identity) for identity in OTHERS} == transactions
    assert witness.seconds_above() == 0.0
