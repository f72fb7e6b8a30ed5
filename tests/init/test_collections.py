"""Full garbage collections hold the event loop; what Home Assistant has loaded is left out of them."""

import gc
import weakref
from collections.abc import Iterator

import pytest
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.setup import async_setup_component

from custom_components.charge_cluster.const import DOMAIN
from custom_components.charge_cluster.garbage import FEWEST, Fleet, leave_out


@pytest.fixture(autouse=True)
def nothing_is_frozen() -> Iterator[None]:
    before = gc.get_freeze_count()
    gc.unfreeze()
    yield
    gc.unfreeze()
    if before:
        gc.freeze()


async def test_what_is_loaded_is_left_out_of_collections_once_home_assistant_has_started(hass: HomeAssistant) -> None:
    hass.set_state(CoreState.not_running)
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done()
    assert not gc.get_freeze_count()
    hass.set_state(CoreState.running)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await hass.async_block_till_done()
    assert gc.get_freeze_count()


async def test_who_froze_something_already_is_left_alone(hass: HomeAssistant) -> None:
    gc.freeze()
    before = gc.get_freeze_count()
    made: list[list[int]] = [[] for _ in range(10_000)]
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done()
    assert len(made) == 10_000
    assert gc.get_freeze_count() <= before, "what was made since is no part of it"


def rests(fleet_of: list[int]) -> list[int]:
    """Return at which counts a fleet was taken to have come to rest, counted once a minute."""
    found: list[int] = []
    fleet = Fleet(lambda: found.append(online))
    for online in fleet_of:
        fleet.counts(online)
    return found


def test_what_came_with_a_fleet_is_left_out_once_it_has_dialled_in_and_rests() -> None:
    assert rests([0, 150, 200, 200, 200]) == [200]


def test_a_fleet_that_comes_and_goes_does_not_rest() -> None:
    assert rests([180, 200, 190, 200, 199]) == []


def test_a_few_charge_points_are_not_worth_it() -> None:
    assert rests([FEWEST - 1] * 5) == []


def test_it_is_done_again_only_for_a_fleet_that_is_much_larger() -> None:
    assert rests([100, 100, 149, 149, 90, 90, 100, 100, 150, 150, 150]) == [100, 150]


def test_garbage_is_collected_before_what_lives_is_left_out() -> None:
    gone = Gone()
    gone.itself = gone
    watch = weakref.ref(gone)
    del gone
    leave_out()
    assert watch() is None
    assert gc.get_freeze_count()


class Gone:
    """Part of a circle."""

    itself: Gone
