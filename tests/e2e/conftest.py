"""A real Home Assistant process beside a simulated car park, a pair of their own for each test."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from scripts.demo_site.stage import Stage, free_port
from simulator import Scenario

type Opening = Callable[..., Awaitable[Stage]]
"""Takes a scenario, and `strangers` that nobody accepts for now."""

HOME_ASSISTANT_PORT = 18123
"""Away from one that a developer may be running."""


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opening]:
    """Open a car park: everything up, the site set up through the forms, charge points accepted."""
    async with AsyncExitStack() as open_stages:

        async def open_stage(scenario: Scenario, *, strangers: Collection[str] = ()) -> Stage:
            folder = tmp_path / scenario.name
            stage = Stage(scenario, folder, port=free_port(HOME_ASSISTANT_PORT), strangers=strangers)
            return await open_stages.enter_async_context(stage)

        yield open_stage
