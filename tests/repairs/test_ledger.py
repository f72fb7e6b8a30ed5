"""That records were lost is told until somebody has taken note; that none can be written, while none can."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import flush_store

from custom_components.charge_cluster.ledger import LedgerState
from tests.site_entry import DOMAIN, a_site, free_port, set_up

from .stage import Repairs, next_tick

FRESH = "ledger_replaced_fresh"


@pytest.fixture
def damaged(hass: HomeAssistant, shown: Repairs) -> Path:
    """Let the ledger be no database when it is opened, and have no snapshot."""
    path = Path(hass.config.path(DOMAIN)) / "ledger.db"
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    return path


async def acknowledge(shown: Repairs, issue_id: str) -> None:
    """Open the form of a repair and submit it."""
    flow = await shown.flows.async_init(DOMAIN, context={"issue_id": issue_id}, data={"issue_id": issue_id})
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "confirm")
    flow = await shown.flows.async_configure(flow["flow_id"], {})
    assert flow["type"] is FlowResultType.CREATE_ENTRY


async def test_a_replaced_ledger_is_told_until_somebody_confirms(
    hass: HomeAssistant, shown: Repairs, damaged: Path
) -> None:
    entry = await set_up(hass, a_site(free_port()))
    issue = await shown.appears(FRESH)
    assert (issue.issue_id, issue.severity) == ("ledger_replaced", ir.IssueSeverity.WARNING)
    assert (issue.is_fixable, issue.is_persistent) == (True, True)

    await acknowledge(shown, issue.issue_id)
    assert shown.issues == {}

    await next_tick(entry.runtime_data.site)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert [problem.key for problem in entry.runtime_data.site.problems()] == ["ledger_replaced"]
    assert shown.issues == {}


async def test_from_the_snapshot_is_another_sentence(hass: HomeAssistant, shown: Repairs, damaged: Path) -> None:
    with closing(sqlite3.connect(damaged.with_name("ledger.snapshot.db"))) as snapshot:
        snapshot.execute("CREATE TABLE something (told TEXT)")

    await set_up(hass, a_site(free_port()))

    await shown.appears("ledger_replaced_snapshot")
    assert "sessions, transactions and limits since then are missing" in shown.told("ledger_replaced_snapshot")


async def test_two_sites_tell_it_once_and_a_reload_does_not_confirm_it(
    hass: HomeAssistant, shown: Repairs, damaged: Path
) -> None:
    one, other = [await set_up(hass, a_site(free_port(), name=name)) for name in ("North", "South")]
    await shown.appears(FRESH)
    assert list(shown.issues) == [FRESH]

    for entry in (one, other):
        assert await hass.config_entries.async_unload(entry.entry_id)

    assert list(shown.issues) == [FRESH]


async def test_it_is_still_told_after_a_restart(hass: HomeAssistant, shown: Repairs, damaged: Path) -> None:
    entry = await set_up(hass, a_site(free_port()))
    await shown.appears(FRESH)
    registry = ir.async_get(hass)
    await flush_store(registry._store)
    registry.issues.clear()
    await registry._async_load()
    entry.runtime_data.installation.ledger.state = LedgerState(available=True)
    await next_tick(entry.runtime_data.site)

    assert entry.runtime_data.site.problems() == ()
    await acknowledge(shown, shown.issues[FRESH].issue_id)

    assert shown.issues == {}


async def test_it_goes_with_the_last_site(hass: HomeAssistant, shown: Repairs, damaged: Path) -> None:
    one, other = [await set_up(hass, a_site(free_port(), name=name)) for name in ("North", "South")]
    await shown.appears(FRESH)

    await hass.config_entries.async_remove(one.entry_id)
    assert list(shown.issues) == [FRESH]

    await hass.config_entries.async_remove(other.entry_id)
    assert shown.issues == {}


async def test_a_ledger_that_cannot_be_written_is_told_while_it_cannot(hass: HomeAssistant, shown: Repairs) -> None:
    entry = await set_up(hass, a_site(free_port()))
    ledger = entry.runtime_data.installation.ledger
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ledger.kept.put(entry.entry_id, "bound", "somebody", {})

        issue = await shown.appears("ledger_unavailable")

        assert issue.severity is ir.IssueSeverity.ERROR
        other.execute("ROLLBACK")

    await shown.goes("ledger_unavailable")
