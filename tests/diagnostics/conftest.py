"""What these tests share: a Home Assistant of the test's own, a right clock and charge points that are hung up."""

from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant

# The charge point at the other end is the one of the controls.
from tests.entities.conftest import dial  # noqa: F401 - a fixture


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> None:
    """Keep what is written out of the test package's folder."""
    hass.config.config_dir = str(tmp_path)


@pytest.fixture(autouse=True)
def right_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of the host be right, whatever keeps it."""
    monkeypatch.setattr("custom_components.charge_cluster.host_clock.ask_kernel", lambda: True)
