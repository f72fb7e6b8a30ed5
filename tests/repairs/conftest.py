"""What the tests of the repairs share: a Home Assistant of the test's own with repairs, and faults that show soon."""

from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from custom_components.charge_cluster import repairs

# The charge point at the other end is the one of the controls.
from tests.entities.conftest import dial  # noqa: F401 - a fixture

from .stage import Repairs


@pytest.fixture
async def shown(hass: HomeAssistant, tmp_path: Path) -> Repairs:
    """Keep what is written out of the test package's folder, and return what is shown."""
    hass.config.config_dir = str(tmp_path)
    assert await async_setup_component(hass, "repairs", {})
    return Repairs(hass)


@pytest.fixture(autouse=True)
def right_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of the host be right, whatever keeps it."""
    monkeypatch.setattr("custom_components.charge_cluster.host_clock.ask_kernel", lambda: True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show at once what is otherwise shown when it has lasted."""
    monkeypatch.setattr(repairs, "LASTING_S", 0.0)
