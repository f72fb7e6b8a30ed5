"""What the tests of the entities share: a Home Assistant of the test's own, and charge points that are hung up."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant

from tests.ocpp.charge_point import ChargePoint
from tests.ocpp.raw_client import RawClient

from .stage import Dial


@pytest.fixture(autouse=True)
def own_folder(hass: HomeAssistant, tmp_path: Path) -> None:
    """Keep what is written out of the test package's folder."""
    hass.config.config_dir = str(tmp_path)


@pytest.fixture(autouse=True)
def right_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of the host be right, whatever keeps it."""
    monkeypatch.setattr("custom_components.charge_cluster.host_clock.ask_kernel", lambda: True)


@pytest.fixture
async def dial(hass: HomeAssistant) -> AsyncIterator[Dial]:
    """Dial in, boot and report connectors as empty."""
    points: list[ChargePoint] = []

    async def dialled(port: int, identity: str, connectors: int = 1) -> ChargePoint:
        point = ChargePoint(await RawClient.dial(port, f"/{identity}"))
        points.append(point)
        point.answers |= dict.fromkeys(("Reset", "ChangeAvailability"), lambda _: {"status": "Accepted"})
        point.answers["UnlockConnector"] = lambda _: {"status": "Unlocked"}
        assert (await point.boot())["status"] == "Accepted"
        for connector in range(1, connectors + 1):
            await point.status(connector, "Available")
        await hass.async_block_till_done()
        return point

    yield dialled
    for point in points:
        await point.close()
