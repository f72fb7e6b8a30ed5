"""Diagnostics tell all that helps and nothing that is secret, whatever it is called and wherever it stands."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from homeassistant.components.diagnostics import REDACTED
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components import diagnostics as downloads
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.charge_cluster.diagnostics import without, without_addresses
from custom_components.charge_cluster.ledger.writer import StoreUnavailable
from custom_components.charge_cluster.site.site import Site
from tests.entities.stage import PATIENCE_S, Controls, Dial, held_to, plug_in_and_charge
from tests.site_entry import (
    DOMAIN,
    SUPPLY,
    Dialled,
    a_charge_point,
    a_cluster,
    a_meter,
    a_site,
    free_port,
    set_up,
    subentry_called,
)

KEY = "0123456789ABCDEF0123456789ABCDEF"
PASSWORD = "correct-horse-battery"
ID_TAG = "TAG-OF-ALICE"
IDENTITY = "ACME-0815"
SERIAL = "SN-4711-XYZ"
METER_HOST = "localhost"
NEWCOMER = "STRANGER-9"

SECRETS = (KEY, PASSWORD, ID_TAG, IDENTITY, SERIAL, METER_HOST, NEWCOMER, "KEYED-1", "127.0.0.1")


def a_modbus_meter(name: str) -> ConfigSubentryData:
    """Return a meter at an address where nobody answers."""
    where = {"host": METER_HOST, "port": 1502, "unit": 1, "profile": "eastron_sdm630"}
    stored = {"circuit": SUPPLY, "scope": "everything"} | where
    return ConfigSubentryData(data=stored, subentry_type="meter", title=name, unique_id=None)


async def of_entry(hass: HomeAssistant, client: ClientSessionGenerator, entry: MockConfigEntry) -> dict[str, Any]:
    """Download what an entry tells."""
    return dict(await downloads.get_diagnostics_for_config_entry(hass, client, entry))


async def of_device(
    hass: HomeAssistant, client: ClientSessionGenerator, entry: MockConfigEntry, device: Any
) -> dict[str, Any]:
    """Download what a device tells."""
    return dict(await downloads.get_diagnostics_for_device(hass, client, entry, device))


async def everything_secret(hass: HomeAssistant, dial: Dial) -> MockConfigEntry:
    """Set up a site in which each secret stands in as many places as there are."""
    entry = await set_up(
        hass,
        a_site(
            port := free_port(),
            a_cluster("Board"),
            a_charge_point(IDENTITY, rotations=["l1_l2_l3", "l2_l3_l1"]),
            a_charge_point("KEYED-1", security="basic", key=KEY),
            a_charge_point("KEYED-2", security="basic", key=PASSWORD),
            a_modbus_meter(f"Meter at {METER_HOST}"),
        ),
    )
    point = await dial(port, IDENTITY, 2)
    await point.tell(
        "BootNotification",
        {"chargePointVendor": "Acme", "chargePointModel": "Wall 11", "chargePointSerialNumber": SERIAL},
    )
    await point.status(1, "Preparing")
    await point.start(1, ID_TAG)
    await point.status(1, "Charging")
    await Controls(hass, entry, IDENTITY, 1).sees(
        lambda view: view.session is not None and view.session.id_tag == ID_TAG
    )
    return entry


async def until(site: Site, subject: str, seen: Callable[[], bool]) -> None:
    """Wait until a subject of a site is as it should be."""
    news = asyncio.Event()
    end = site.subscribe(subject, news.set)
    async with asyncio.timeout(PATIENCE_S):
        while not seen():
            await news.wait()
            news.clear()
    end()


def devices_of(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, Any]:
    """Return all devices by the second part of their identifier."""
    registry = dr.async_get(hass)
    devices = [
        *dr.async_entries_for_config_entry(registry, entry.entry_id),
        *dr.async_child_entries_for_config_entry(registry, entry.entry_id),
    ]
    return {next(iter(device.identifiers))[1]: device for device in devices}


async def test_no_secret_is_told_anywhere(hass: HomeAssistant, hass_client: ClientSessionGenerator, dial: Dial) -> None:
    entry = await everything_secret(hass, dial)
    site: Site = entry.runtime_data.site
    async with Dialled(entry.data["port"], NEWCOMER):
        await until(site, "newcomers", lambda: NEWCOMER in site.newcomers)
        await until(site, "site", lambda: any(METER_HOST in str(problem.placeholders) for problem in site.problems()))
        devices = devices_of(hass, entry)
        assert len(devices) == 8, "a site, a cluster, three charge points, two connectors and a meter"

        whole = await of_entry(hass, hass_client, entry)
        parts = [await of_device(hass, hass_client, entry, device) for device in devices.values()]

    assert len(whole["newcomers"]) == 1
    assert site.charge_points[subentry_called(entry, IDENTITY).subentry_id].identity.serial == SERIAL
    told = json.dumps([whole, *parts]).casefold()
    assert [secret for secret in SECRETS if secret.casefold() in told] == []


async def test_secrets_of_a_site_that_does_not_run_are_not_told_either(
    hass: HomeAssistant, hass_client: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point(IDENTITY, security="basic", key=KEY)))
    device = devices_of(hass, entry)[subentry_called(entry, IDENTITY).subentry_id]
    assert await hass.config_entries.async_unload(entry.entry_id)

    told = await of_entry(hass, hass_client, entry)
    part = await of_device(hass, hass_client, entry, device)

    assert told["state"] == part["state"] == "not_loaded"
    assert told["settings"]["charge_points"] == part["settings"]["charge_points"]
    assert told["settings"]["charge_points"][0]["key"] == REDACTED
    assert [secret for secret in (KEY, IDENTITY) if secret in json.dumps([told, part])] == []


async def test_what_helps_is_told(hass: HomeAssistant, hass_client: ClientSessionGenerator, dial: Dial) -> None:
    depot = a_site(
        port := free_port(),
        a_cluster("Board"),
        a_charge_point("CP1"),
        base_load=20.0,
        device_kind="mcb_c",
        device_rated=63.0,
    )
    entry = await set_up(hass, depot)
    connector = Controls(hass, entry, "CP1", 1)
    point = await dial(port, "CP1")
    await plug_in_and_charge(point)
    await connector.set_number("cap", 6.0)
    await held_to(point, 6.0)
    await connector.sees(lambda view: view.limit_a == 6.0 and view.fallback_confirmed)
    leaves_at = round(time.time()) + 3600.0
    entry.runtime_data.site.wish_session(connector.prefix, departure_at=leaves_at, wanted_wh=77_700.0)
    await connector.sees(lambda view: view.plan is not None and view.plan.impossible)

    told = await of_entry(hass, hass_client, entry)

    assert told["software"].keys() == {DOMAIN, "SQLAlchemy", "alembic", "pymodbus", "SQLite"}
    assert told["ledger"]["available"] is True
    assert told["ledger"]["files"]["ledger.db"] > 0
    assert told["settings"]["listener"] == {"host": REDACTED, "port": port}
    assert {circuit["name"] for circuit in told["settings"]["circuits"]} == {"Depot", "Board"}
    assert told["wishes"][connector.prefix]["cap_a"] == 6.0
    assert told["circuits"]["supply"]["if_all_dies_a"] == [20.0, 20.0, 20.0]
    assert told["circuits"]["supply"]["exposure"]["device"] == "C63"
    assert told["charge_points"][connector.charge_point_id]["identity"]["firmware"] == "1.2"
    assert told["connectors"][connector.prefix]["limit_a"] == 6.0
    session, plan = (told["connectors"][connector.prefix][part] for part in ("session", "plan"))
    personal = [session["id_tag"], *(session["wish"][name] for name in ("departure_at", "wanted_wh"))]
    assert [*personal, session["told_departure_at"], plan["leave_at"], plan["possible_at"]] == [REDACTED] * 6
    assert plan["shortfall_wh"] > 0.0
    assert str(leaves_at) not in json.dumps(told)
    assert 6.0 in {limit["limit_a"] for limit in told["limits"]}


async def test_a_device_tells_of_itself_only(hass: HomeAssistant, hass_client: ClientSessionGenerator) -> None:
    entry = await set_up(
        hass,
        a_site(
            free_port(),
            a_cluster("Board"),
            a_charge_point("CP1", rotations=["l1", "l2"]),
            a_charge_point("CP2"),
            a_meter("Main", ("sensor.l1", "sensor.l2", "sensor.l3")),
        ),
    )
    devices = devices_of(hass, entry)
    first, second, board, meter = (
        subentry_called(entry, title).subentry_id for title in ("CP1", "CP2", "Board", "Main")
    )
    expected = {
        first: ({first}, {f"{first}/1", f"{first}/2"}, set(), set()),
        f"{first}/2": (set(), {f"{first}/2"}, set(), set()),
        second: ({second}, {f"{second}/1"}, set(), set()),
        board: (set(), set(), {board}, set()),
        meter: (set(), set(), set(), {meter}),
        entry.entry_id: (set(), set(), {"supply"}, set()),
    }

    for device_id, (points, connectors, circuits, meters) in expected.items():
        told = await of_device(hass, hass_client, entry, devices[device_id])
        seen = tuple(set(told[kind]) for kind in ("charge_points", "connectors", "circuits", "meters"))
        assert seen == (points, connectors, circuits, meters)
        assert {point["charge_point_id"] for point in told["settings"]["charge_points"]} == points
        assert {problem["subject"] for problem in told["problems"]} <= points | connectors | circuits | meters | {
            device_id
        }


async def test_a_ledger_that_cannot_be_read_is_told(hass: HomeAssistant, hass_client: ClientSessionGenerator) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    ledger = entry.runtime_data.installation.ledger
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable):
            await ledger.limits.latest(entry.entry_id)

        told = await of_entry(hass, hass_client, entry)

        other.execute("ROLLBACK")
    assert told["limits"] is None
    assert told["ledger"]["available"] is False
    assert told["ledger"]["fault"] == "(sqlite3.OperationalError) database is locked"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("AC-1", REDACTED),
        ("Bay 3 (AC-1)", f"Bay 3 ({REDACTED})"),
        ("AC-10 is another", "AC-10 is another"),
        ("AC-1/left answers", f"{REDACTED} answers"),
        ("no answer from 10.0.0.7:502", f"no answer from {REDACTED}:502"),
        ("10.0.0.70", "10.0.0.70"),
        ("7", REDACTED),
        ("connector 7", "connector 7"),
    ],
)
def test_a_secret_is_taken_out_of_a_text_and_nothing_else_is(text: str, left: str) -> None:
    secrets = {"AC-1", "AC-1/left", "10.0.0.7", "7"}

    assert without({"told": [{"in": text}]}, secrets) == {"told": [{"in": left}]}


def test_where_nothing_is_secret_nothing_is_taken_out() -> None:
    assert without({"told": ["", "all", 1, None]}, set()) == {"told": ["", "all", 1, None]}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "[Errno 111] Connect call failed ('192.168.1.7', 502)",
            f"[Errno 111] Connect call failed ('{REDACTED}', 502)",
        ),
        ("10.0.0.7:502 cannot be reached", f"{REDACTED}:502 cannot be reached"),
        ("('fe80::1ff:fe23', 502, 0, 0)", f"('{REDACTED}', 502, 0, 0)"),
        ("[2001:db8:0:0:0:0:2:1]:502", f"[{REDACTED}]:502"),
        ("::ffff:10.0.0.7 is gone", f"{REDACTED} is gone"),
        ("silent since 12:30:45", "silent since 12:30:45"),
        ("currents (400.5, 1.25, 0.0)", "currents (400.5, 1.25, 0.0)"),
        ("999.1.1.1 is no address", "999.1.1.1 is no address"),
    ],
)
def test_a_fault_keeps_all_but_addresses(text: str, left: str) -> None:
    assert without_addresses(text) == left
