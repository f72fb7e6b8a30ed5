"""A person at a browser: a dialogue that looks again when Home Assistant says so, before a physical site in fast time.

The dialogue, its steps and their words are the real ones; so are the site and its commissioning. Chargers, vehicles and
meters are the simulator's, and time passes as fast as it can be reckoned.
"""

import asyncio
import selectors
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any, Self, cast

from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.data_entry_flow import EVENT_DATA_ENTRY_FLOW_PROGRESSED, FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.charge_cluster.words import words_of
from simulator.physics import CircuitSpec, OutletSpec
from tests.commissioning.stage import Stage
from tests.site.physical import STEP_S
from tests.site_entry import SUPPLY, subentry_called
from tests.virtual_time import VirtualLoop

PATIENCE_S = 7200.0
"""Of fast time."""


class _Skipping:
    """A selector that waits for nobody: what would be waited for is added to the clock."""

    def __init__(self, waiting: selectors.BaseSelector, now: float) -> None:
        self._waiting = waiting
        self.now = now

    def select(self, timeout: float | None = None) -> Any:
        ready = self._waiting.select(0)
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready

    def __getattr__(self, name: str) -> Any:
        return getattr(self._waiting, name)


@contextmanager
def fast_time() -> Iterator[None]:
    """Let the clock of the running loop jump to the next timer; afterwards it goes on from there as clocks do."""
    loop: Any = asyncio.get_running_loop()
    waiting, clock = loop._selector, loop.time
    skipping = _Skipping(waiting, clock())
    loop._selector, loop.time = skipping, lambda: skipping.now
    try:
        yield
    finally:
        ahead = skipping.now - clock()
        loop._selector, loop.time = waiting, lambda: clock() + ahead


@asynccontextmanager
async def physical_depot(hass: HomeAssistant, entry: MockConfigEntry) -> AsyncIterator[Stage]:
    """Put a physical site in the place of the one that runs behind an entry, a single-phase vehicle at each point."""
    await words_of(hass)  # read from the disk before time is fast
    settings = entry.runtime_data.site.settings
    stage = Stage(
        settings=settings,
        circuits=[CircuitSpec(circuit_id=SUPPLY, rating_a=settings.circuits[0].rating_a)],
        outlets=[
            OutletSpec(outlet_id=point.identity, circuit_id=SUPPLY, rotation=point.connectors[0].rotation or (0, 1, 2))
            for point in settings.charge_points
        ],
        loop=cast("VirtualLoop", hass.loop),
    )
    stage.building = lambda _now: (10.0, 10.0, 10.0)
    with fast_time():
        await stage.start()
        running, entry.runtime_data = entry.runtime_data, replace(entry.runtime_data, site=stage.site)
        life = hass.loop.create_task(_live(stage))
        try:
            for point in settings.charge_points:
                stage.plug(point.identity, phases=1)
            await asyncio.sleep(30.0)
            yield stage
        finally:
            life.cancel()
            entry.runtime_data = running
            await stage.site.stop()
    assert stage.above_s() == 0.0


async def _live(stage: Stage) -> None:
    while True:
        await stage.run(STEP_S)


class Dialogue:
    """The dialogue of a charge point or meter."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry, title: str) -> None:
        """Name what it is about; `opened` opens it."""
        self._hass = hass
        self._entry = entry
        self._title = title
        self._flows = hass.config_entries.subentries
        self._told = asyncio.Event()
        self.step: Any = None
        self.seen: list[Any] = []
        """All progress that was shown."""

    async def opened(self) -> Self:
        """Open it."""
        subentry_id = subentry_called(self._entry, self._title).subentry_id
        self.step = await self._entry.start_subentry_reconfigure_flow(self._hass, subentry_id)
        self._hass.bus.async_listen(EVENT_DATA_ENTRY_FLOW_PROGRESSED, self._progressed)
        return self

    @callback
    def _progressed(self, event: Event[Any]) -> None:
        if event.data["flow_id"] == self.step["flow_id"]:
            self._told.set()

    async def choose(self, option: str) -> None:
        """Choose from a menu."""
        await self.submit({"next_step_id": option})

    async def submit(self, form: dict[str, Any] | None = None) -> None:
        """Press the button."""
        self._told.clear()
        self._show(await self._flows.async_configure(self.step["flow_id"], form or {}))

    async def until(self, step_id: str) -> None:
        """Look again whenever it is told to, until it has come to a step."""
        async with asyncio.timeout(PATIENCE_S):
            while self.step.get("step_id") != step_id:
                await self._told.wait()
                self._told.clear()
                self._show(await self._flows.async_configure(self.step["flow_id"]))

    async def commission(self, *tests: str, **more: Any) -> None:
        """Have tests begin."""
        await self.choose("commission")
        await self.submit({"tests": list(tests)} | more)

    def close(self) -> None:
        """Close it before it has come to its end."""
        self._flows.async_abort(self.step["flow_id"])

    def _show(self, step: Any) -> None:
        self.step = step
        if step["type"] is FlowResultType.SHOW_PROGRESS:
            self.seen.append(step)
