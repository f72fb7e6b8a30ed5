"""A real Home Assistant process beside a simulated car park, a pair of their own for each test."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from scripts.demo_site.commissioning import DEFAULT_ON_TIME_MIN
from scripts.demo_site.stage import Ports, Stage
from simulator import Scenario

from ..site_entry import free_port

type Opening = Callable[..., Awaitable[Stage]]
"""Takes a scenario; `strangers` that nobody accepts for now, and `on_time_min`, how long a place is kept."""


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opening]:
    """Open a car park: everything up, the site set up through the forms, charge points accepted."""
    async with AsyncExitStack() as open_stages:

        async def open_stage(
            scenario: Scenario, *, strangers: Collection[str] = (), on_time_min: float = DEFAULT_ON_TIME_MIN
        ) -> Stage:
            stage = Stage(
                scenario,
                tmp_path / scenario.name,
                ports=Ports(home_assistant=free_port(), ocpp=free_port(), meter=free_port()),
                strangers=strangers,
                on_time_min=on_time_min,
            )
            return await open_stages.enter_async_context(stage)

        yield open_stage
