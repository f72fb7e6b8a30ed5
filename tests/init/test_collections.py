"""Full garbage collections hold the event loop; what Home Assistant has loaded is left out of them."""

import gc
from collections.abc import Iterator

import pytest
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.setup import async_setup_component

from custom_components.charge_cluster.const import DOMAIN


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
