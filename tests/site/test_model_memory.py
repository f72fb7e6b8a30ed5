"""What is remembered of models: kept over restarts, for all sites, bounded."""

from pathlib import Path

import pytest

from custom_components.charge_cluster.ledger import Ledger
from custom_components.charge_cluster.site import model_memory
from custom_components.charge_cluster.site.model_memory import ModelBook
from tests.ledger.records import WallClock as HostClock


async def test_what_was_found_is_there_after_a_restart(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path, clock=HostClock())
    book = await ModelBook.open(ledger)
    assert book.recall("A|B|1") == {}
    book.keep("A|B|1", "composite", "unable")
    book.keep("A|B|1", "measurands", "Voltage")
    assert book.recall("A|B|1") == {"composite": "unable", "measurands": "Voltage"}
    await ledger.close()

    ledger = await Ledger.open(tmp_path, clock=HostClock())
    again = await ModelBook.open(ledger)
    assert again.recall("A|B|1") == {"composite": "unable", "measurands": "Voltage"}
    assert again.recall("A|B|2") == {}
    await ledger.close()


async def test_names_that_are_made_up_fill_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_memory, "MOST_MODELS", 2)
    ledger = await Ledger.open(tmp_path, clock=HostClock())
    book = await ModelBook.open(ledger)
    for number in range(5):
        book.keep(f"A|B|{number}", "composite", "able")
    book.keep("A|B|0", "measurands", "Voltage")
    assert [bool(book.recall(f"A|B|{number}")) for number in range(5)] == [True, True, False, False, False]
    assert book.recall("A|B|0")["measurands"] == "Voltage"
    await ledger.close()
