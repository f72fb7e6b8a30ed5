"""What every test stands on: our integration, loopback only, and one worker for the tests that take the machine.

Fixtures that belong to one room stand in that room's own conftest.
"""

import os
from pathlib import Path

import pytest
from homeassistant import loader
from homeassistant.core import HomeAssistant
from hypothesis import HealthCheck, settings

# The test package brings a folder of the same name; the one imported first is the one that Home Assistant loads from.
import custom_components  # noqa: F401 - imported for its place in sys.modules
from tests.attack import extent

# Times are judged by scripts/benchmark; here a busy machine must not fail a property. Continuous integration judges a
# change by the same examples each time; new ones are searched by developers and by the long run.
settings.register_profile(
    "default",
    deadline=None,
    derandomize="CI" in os.environ,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile("long", settings.get_profile("default"), derandomize=False, max_examples=5_000)


def pytest_configure(config: pytest.Config) -> None:
    """Search properties deeper where the long tests were asked for."""
    settings.load_profile("long" if config.option.markexpr == "" else "default")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in tests/e2e, and keep a module of it on one worker: each test starts a Home Assistant."""
    end_to_end = Path(__file__).parent / "e2e"
    for item in items:
        if end_to_end in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.xdist_group(f"e2e {item.path.stem}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what the attack has run, in this process and those that it shared the work with."""
    told = extent.told(report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome))
    if told is not None:
        terminalreporter.write_line(told)


@pytest.fixture(autouse=True)
def loopback(socket_enabled: None) -> None:
    """Let a test open sockets; Home Assistant's test package still forbids it to connect to any other machine."""


@pytest.fixture
async def hass(hass: HomeAssistant) -> HomeAssistant:
    """Home Assistant, looking for custom integrations in this repository."""
    hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
    return hass
