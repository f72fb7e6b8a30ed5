"""A backup holds a whole ledger, however busy the live one is; a ledger that cannot be copied stops no backup."""

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from homeassistant.components.backup import async_get_manager
from homeassistant.components.backup.manager import BackupManager
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from custom_components.charge_cluster.ledger import Ledger, LedgerState
from tests.entities.stage import Dial, plug_in_and_charge
from tests.site_entry import a_charge_point, a_site, free_port, set_up


async def the_manager(hass: HomeAssistant) -> BackupManager:
    """Start Home Assistant's backup and return what asks all integrations."""
    assert await async_setup_component(hass, "backup", {})
    await hass.async_block_till_done()
    return async_get_manager(hass)


def transactions(path: Path) -> list[str]:
    """Return whose transactions a file holds."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [tag for (tag,) in connection.execute("SELECT id_tag FROM charge_transaction")]


def packed(folder: Path) -> set[str]:
    """Return what the only backup in a folder holds of the configuration."""
    (path,) = (folder / "backups").glob("*.tar")
    with tarfile.open(path) as outer:
        inner = outer.extractfile("homeassistant.tar.gz")
        assert inner is not None
        with tarfile.open(fileobj=inner) as files:
            return set(files.getnames())


def cut(path: Path) -> None:
    """Leave the beginning of a file, as a copy that was interrupted would."""
    path.write_bytes(path.read_bytes()[:5000])


async def test_a_backup_holds_what_was_recorded(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    ledger: Ledger = entry.runtime_data.installation.ledger
    point = await dial(port, "CP1")
    await plug_in_and_charge(point)
    manager = await the_manager(hass)
    assert not ledger.snapshot_path.exists()

    await manager.async_pre_backup_actions()
    await point.status(1, "Finishing")
    await manager.async_post_backup_actions()

    assert transactions(ledger.snapshot_path) == ["TAG1"]


async def test_the_copy_is_part_of_the_backup_that_a_person_makes(hass: HomeAssistant) -> None:
    await set_up(hass, a_site(free_port()))
    manager = await the_manager(hass)

    await manager.async_create_backup(
        agent_ids=["backup.local"],
        include_addons=None,
        include_all_addons=False,
        include_database=False,
        include_folders=None,
        include_homeassistant=True,
        name="Before the holidays",
        password=None,
    )
    await hass.async_block_till_done(wait_background_tasks=True)

    assert {"data/charge_cluster/ledger.db", "data/charge_cluster/ledger.snapshot.db"} <= packed(
        Path(hass.config.config_dir)
    )


async def test_what_was_backed_up_takes_the_place_of_a_damaged_ledger(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    installation = entry.runtime_data.installation
    await plug_in_and_charge(await dial(port, "CP1"))
    manager = await the_manager(hass)
    await manager.async_pre_backup_actions()
    await manager.async_post_backup_actions()
    await installation.close()
    path: Path = installation.ledger.path
    cut(path)

    restored = await Ledger.open(path.parent, clock=installation.clock)

    assert restored.state == LedgerState(available=True, replaced_with="snapshot")
    await restored.close()
    assert transactions(path) == ["TAG1"]


async def test_a_ledger_that_cannot_be_copied_stops_no_backup(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up(hass, a_site(free_port()))
    ledger: Ledger = entry.runtime_data.installation.ledger
    manager = await the_manager(hass)
    await manager.async_pre_backup_actions()
    before = ledger.snapshot_path.read_bytes()

    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        await manager.async_pre_backup_actions()
        await manager.async_post_backup_actions()
        other.execute("ROLLBACK")

    assert "The backup has no new copy of the ledger: (sqlite3.OperationalError) database is locked" in caplog.text
    assert ledger.snapshot_path.read_bytes() == before


async def test_where_no_site_runs_there_is_nothing_to_copy(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    ledger: Ledger = entry.runtime_data.installation.ledger
    assert await hass.config_entries.async_unload(entry.entry_id)
    manager = await the_manager(hass)

    await manager.async_pre_backup_actions()
    await manager.async_post_backup_actions()

    assert not ledger.snapshot_path.exists()
