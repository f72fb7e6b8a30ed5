"""Ledgers in a folder of the test, closed with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from custom_components.charge_cluster.ledger import Ledger, store, writer

from .records import WallClock

type OpenLedger = Callable[[], Awaitable[Ledger]]


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
async def open_ledger(folder: Path, clock: WallClock) -> AsyncIterator[OpenLedger]:
    """Open the ledger of the folder, again after a close."""
    opened: list[Ledger] = []

    async def open_it() -> Ledger:
        opened.append(await Ledger.open(folder, clock=clock))
        return opened[-1]

    yield open_it
    for ledger in opened:
        await ledger.close()


@pytest.fixture
async def ledger(open_ledger: OpenLedger) -> Ledger:
    return await open_ledger()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a disk that fails be noticed and tried again at once."""
    monkeypatch.setattr(store, "BUSY_TIMEOUT_S", 0.05)
    monkeypatch.setattr(writer, "GROUP_EVERY_S", 0.05)
    monkeypatch.setattr(writer, "RETRY_EVERY_S", 0.05)
