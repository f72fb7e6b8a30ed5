"""What the tests of the forms share: a Home Assistant that writes into a folder of the test."""

from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> None:
    """Keep what is written out of the test package's folder."""
    hass.config.config_dir = str(tmp_path)
