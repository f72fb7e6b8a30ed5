"""Answers out of the records: sessions, limits and demand, bounded, and idTags for administrators alone."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.charge_cluster.ledger import Ledger
from custom_components.charge_cluster.ledger.limits import LimitRecord
from custom_components.charge_cluster.ledger.sessions import SessionRecord
from custom_components.charge_cluster.ledger.writer import StoreUnavailable, Writer
from tests.entities.stage import Controls, Dial, plug_in_and_charge
from tests.ocpp.charge_point import energy, sampled
from tests.site_entry import (
    SUPPLY,
    a_charge_point,
    a_cluster,
    a_meter,
    a_site,
    add,
    free_port,
    set_up,
    subentry_called,
)

from .stage import administrator, answer, ask, device, member

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
READING = ["get_sessions", "get_limits", "get_demand"]


def ago(seconds: float) -> str:
    """Return a time in the past as a caller gives it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


@dataclass
class Books:
    """The records of a site, to write into."""

    entry: MockConfigEntry

    @property
    def ledger(self) -> Ledger:
        ledger: Ledger = self.entry.runtime_data.installation.ledger
        return ledger

    def connector(self, title: str, number: int = 1) -> str:
        return f"{subentry_called(self.entry, title).subentry_id}/{number}"

    def session(self, name: str, connector: str, *, ago_s: float, lasted_s: float | None = HOUR_S) -> None:
        began = time.time() - ago_s
        self.ledger.sessions.record(
            SessionRecord(
                site_id=self.entry.entry_id,
                session_id=name,
                connector=connector,
                started_at=began,
                ended_at=None if lasted_s is None else began + lasted_s,
                energy_wh=8123.4,
                id_tag="04AA",
                transaction_id="7",
            )
        )

    def limit(self, connector: str, amps: float, *, ago_s: float, **more: Any) -> None:
        told: dict[str, Any] = {"reason": "shared", "circuit_id": SUPPLY, "outcome": "accepted", "drawn_a": 15.5} | more
        at = time.time() - ago_s
        record = LimitRecord(site_id=self.entry.entry_id, connector=connector, at=at, limit_a=amps, **told)
        self.ledger.limits.record(record)


async def a_car_park(hass: HomeAssistant) -> Books:
    """Return the records of a site with two charge points, one of them in a cluster."""
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B"), a_charge_point("CP1")))
    cluster = subentry_called(entry, "Cluster B").subentry_id
    await add(hass, entry, a_charge_point("CP2", cluster=cluster, rotations=["l1_l2_l3", "l2_l3_l1"]))
    return Books(entry)


# Sessions -----------------------------------------------------------------------------------------------------------


async def test_a_running_session_is_told_as_it_is_now(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    point = await dial(port, "CP1")
    transaction_id = await plug_in_and_charge(point)
    for register_wh in (1000, 1055.6):
        await point.measure([*sampled(L1=16, L2=16, L3=16), energy(register_wh)], 1, transaction_id)
    await Controls(hass, entry, "CP1", 1).sees(lambda view: view.session is not None and view.session.energy_wh > 0)

    [session] = (await answer(hass, "get_sessions"))["sessions"]

    assert session["connector"] == "CP1"
    assert session["device_id"] == device(hass, entry, "CP1")
    assert (session["running"], session["ended_at"], session["energy_kwh"]) == (True, None, 0.056)
    assert session["transaction_id"] == str(transaction_id)
    assert 0 <= session["duration_s"] < 60
    assert session["id_tag"] == "TAG1"


async def test_finished_sessions_are_told_newest_first(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    books.session("older", books.connector("CP2", 2), ago_s=30 * HOUR_S)
    books.session("newer", books.connector("CP1"), ago_s=2 * HOUR_S)

    answered = await answer(hass, "get_sessions")

    newer, older = answered["sessions"]
    assert (newer["session_id"], older["session_id"]) == ("newer", "older")
    assert (newer["connector"], older["connector"]) == ("CP1", "CP2 (2)")
    assert older["device_id"] == device(hass, books.entry, "CP2", 2)
    assert (newer["running"], newer["duration_s"], newer["energy_kwh"]) == (False, 3600, 8.123)
    assert answered["complete"]


async def test_who_charged_is_told_to_administrators_alone(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    books.session("one", books.connector("CP1"), ago_s=2 * HOUR_S)

    [by_nobody] = (await answer(hass, "get_sessions"))["sessions"]
    [by_administrator] = (await answer(hass, "get_sessions", by=administrator(hass)))["sessions"]
    [by_member] = (await answer(hass, "get_sessions", by=member(hass)))["sessions"]

    assert by_nobody["id_tag"] == by_administrator["id_tag"] == "04AA"
    personal = {"id_tag", "departure", "wanted_kwh"}
    assert by_member == {name: value for name, value in by_nobody.items() if name not in personal}


@pytest.mark.parametrize(
    ("title", "connector", "told"),
    [
        ("CP1", None, ["one"]),
        ("CP2", None, ["three", "two"]),
        ("CP2", 1, ["two"]),
        ("Cluster B", None, ["three", "two"]),
        (None, None, ["gone", "three", "two", "one"]),
    ],
)
async def test_sessions_of_a_device_are_those_below_it(
    hass: HomeAssistant, title: str | None, connector: int | None, told: list[str]
) -> None:
    books = await a_car_park(hass)
    books.session("one", books.connector("CP1"), ago_s=5 * HOUR_S)
    books.session("two", books.connector("CP2", 1), ago_s=4 * HOUR_S)
    books.session("three", books.connector("CP2", 2), ago_s=3 * HOUR_S)
    books.session("gone", "removed/1", ago_s=2 * HOUR_S)

    answered = await answer(hass, "get_sessions", device(hass, books.entry, title, connector))

    assert [session["session_id"] for session in answered["sessions"]] == told


async def test_a_session_of_a_connector_that_is_gone_is_still_told(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    books.session("gone", "removed/1", ago_s=2 * HOUR_S, lasted_s=None)

    [session] = (await answer(hass, "get_sessions", config_entry_id=books.entry.entry_id))["sessions"]

    assert (session["connector"], session["device_id"]) == (None, None)
    assert (session["running"], session["ended_at"], session["duration_s"]) == (False, None, None)


async def test_sessions_of_several_devices_are_told_once(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    books.session("one", books.connector("CP1"), ago_s=3 * HOUR_S)
    books.session("two", books.connector("CP2", 2), ago_s=2 * HOUR_S)
    devices = [device(hass, books.entry, "CP1"), device(hass, books.entry, "Cluster B"), device(hass, books.entry)]

    some = await answer(hass, "get_sessions", *devices[:2])
    every = await answer(hass, "get_sessions", *devices)

    assert some == every
    assert [session["session_id"] for session in some["sessions"]] == ["two", "one"]


async def test_sessions_are_those_that_touch_the_span(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    books.session("before", books.connector("CP1"), ago_s=10 * HOUR_S)
    books.session("into", books.connector("CP1"), ago_s=6.5 * HOUR_S)
    books.session("within", books.connector("CP1"), ago_s=5 * HOUR_S)
    books.session("after", books.connector("CP1"), ago_s=1.5 * HOUR_S)

    answered = await answer(hass, "get_sessions", start=ago(6 * HOUR_S), end=ago(2 * HOUR_S))

    assert [session["session_id"] for session in answered["sessions"]] == ["within", "into"]


async def test_a_long_span_is_told_whole_and_once(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    names = [f"day {days}" for days in range(1, 200, 3)]
    for days, name in zip(range(1, 200, 3), names, strict=True):
        books.session(name, books.connector("CP1"), ago_s=days * DAY_S, lasted_s=4 * DAY_S)

    answered = await answer(hass, "get_sessions", start=ago(195 * DAY_S))

    assert [session["session_id"] for session in answered["sessions"]] == names[:66]


async def test_an_answer_is_as_long_as_was_asked_for(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    for number in range(4):
        books.session(f"{number}", books.connector("CP1"), ago_s=(number + 1) * HOUR_S)

    three = await answer(hass, "get_sessions", limit=3)
    four = await answer(hass, "get_sessions", limit=4)

    assert ([session["session_id"] for session in three["sessions"]], three["complete"]) == (["0", "1", "2"], False)
    assert (len(four["sessions"]), four["complete"]) == (4, True)


# Limits -------------------------------------------------------------------------------------------------------------


async def test_a_limit_that_was_sent_is_in_the_log(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    point = await dial(port, "CP1")
    await plug_in_and_charge(point)
    await connector.sees(lambda view: view.limit_a > 0)

    told = (await answer(hass, "get_limits", device(hass, entry, "CP1")))["limits"]

    newest, *older = told
    fallback_a = entry.runtime_data.site.connectors[connector.prefix].fallback_a
    # What was in force before: the limit before it, or the fallback, at which a transaction begins whatever was told.
    before = [*(limit["to_a"] for limit in older), fallback_a]
    assert all(limit["from_a"] in (told_a, fallback_a) for limit, told_a in zip(told, before, strict=True))
    assert newest["connector"] == "CP1"
    assert newest["to_a"] == entry.runtime_data.site.connectors[connector.prefix].limit_a
    assert (newest["sent"], newest["accepted"]) == (True, True)
    assert newest["because"].startswith("CP1 may draw ")


async def test_limits_are_told_newest_first_with_what_was_before(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    connector = books.connector("CP1")
    books.limit(connector, 16.0, ago_s=400)
    books.limit(connector, 10.0, ago_s=300, outcome="refused")
    books.limit(connector, 8.0, ago_s=200, outcome="unknown", drawn_a=None)
    books.limit(connector, 6.0, ago_s=100, reason="waiting_turn", circuit_id=None)

    told = (await answer(hass, "get_limits", device(hass, books.entry, "CP1")))["limits"]

    assert [(limit["from_a"], limit["to_a"]) for limit in told] == [(16, 6), (16, 8), (16, 10), (None, 16)]
    assert [limit["accepted"] for limit in told] == [True, None, False, True]
    assert [limit["drawn_a"] for limit in told] == [15.5, None, 15.5, 15.5]
    assert [limit["seen_a"] for limit in told] == [None] * 4
    assert [limit["circuit"] for limit in told] == [None, "Depot", "Depot", "Depot"]
    assert told[0]["because"] == (
        "CP1 may draw 6 A and waits for its turn: what all vehicles below Depot need at least does not fit together."
    )
    assert told[3]["because"] == "CP1 may draw 16 A: the current of Depot is shared among the vehicles below it."


async def test_limits_of_a_cluster_are_those_of_its_connectors(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    for number in range(6):
        books.limit(books.connector("CP1"), 20.0 + number, ago_s=600 - 10 * number)
        books.limit(books.connector("CP2", 1 + number % 2), 10.0 + number, ago_s=605 - 10 * number)

    cluster = await answer(hass, "get_limits", device(hass, books.entry, "Cluster B"), limit=4)
    site = await answer(hass, "get_limits", limit=12)

    assert [limit["to_a"] for limit in cluster["limits"]] == [15, 14, 13, 12]
    assert [limit["connector"] for limit in cluster["limits"][:2]] == ["CP2 (2)", "CP2 (1)"]
    assert not cluster["complete"]
    assert [limit["to_a"] for limit in site["limits"]][:4] == [25, 15, 24, 14]
    assert site["complete"]


async def test_of_many_connectors_no_limit_is_left_out_between(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.charge_cluster.actions.records.MOST_READ", 6)
    books = await a_car_park(hass)
    for number in range(4):
        books.limit(books.connector("CP2", 1), 10.0 + number, ago_s=100 - number)
    books.limit(books.connector("CP2", 2), 30.0, ago_s=200)

    answered = await answer(hass, "get_limits", device(hass, books.entry, "Cluster B"))

    assert [limit["to_a"] for limit in answered["limits"]] == [13, 12, 11]
    assert not answered["complete"]


async def test_a_limit_of_a_connector_that_is_gone_is_still_told(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    books.limit("removed/1", 12.0, ago_s=10, reason="of another version", outcome="odd", circuit_id="gone")

    [limit] = (await answer(hass, "get_limits"))["limits"]

    assert (limit["connector"], limit["device_id"], limit["circuit"], limit["because"]) == (None, None, None, None)
    assert (limit["reason"], limit["accepted"]) == ("of another version", None)


# Demand -------------------------------------------------------------------------------------------------------------


async def test_demand_is_told_minute_by_minute(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    cluster = subentry_called(books.entry, "Cluster B").subentry_id
    noon = datetime(2026, 9, 21, 12, tzinfo=UTC)
    for minute in range(3):
        at = noon.timestamp() + 60 * minute
        books.ledger.demand.record(books.entry.entry_id, SUPPLY, at, (40.126, 38.0, 30.0 + minute), 25_000.4, 60)
        books.ledger.demand.record(books.entry.entry_id, cluster, at, (16.0, 16.0, 16.0), 11_000.0, 60)
    span: dict[str, Any] = {"start": noon.isoformat(), "end": (noon + timedelta(minutes=2)).isoformat()}

    site = await answer(hass, "get_demand", **span)
    below = await answer(hass, "get_demand", device(hass, books.entry, "Cluster B"), **span)

    assert [circuit["circuit"] for circuit in site["circuits"]] == ["Depot", "Cluster B"]
    assert site["circuits"][0]["device_id"] == device(hass, books.entry)
    assert site["circuits"][0]["minutes"] == [
        {"start": "2026-09-21T12:00:00+00:00", "l1_a": 40.13, "l2_a": 38, "l3_a": 30, "mean_power_w": 25_000},
        {"start": "2026-09-21T12:01:00+00:00", "l1_a": 40.13, "l2_a": 38, "l3_a": 31, "mean_power_w": 25_000},
    ]
    assert below == {"circuits": [site["circuits"][1]]}


@pytest.mark.parametrize(
    ("title", "days", "refused"), [("Cluster B", 31, False), ("Cluster B", 32, True), (None, 16, True)]
)
async def test_so_much_demand_is_told_at_once(hass: HomeAssistant, title: str | None, days: int, refused: bool) -> None:
    books = await a_car_park(hass)
    end = datetime.now(UTC)
    span: dict[str, Any] = {"start": (end - timedelta(days=days)).isoformat(), "end": end.isoformat()}
    about = device(hass, books.entry, title)

    if not refused:
        assert (await answer(hass, "get_demand", about, **span))["circuits"][0]["minutes"] == []
        return
    with pytest.raises(ServiceValidationError) as error:
        await answer(hass, "get_demand", about, **span)
    assert error.value.translation_key == "too_many_minutes"


async def test_a_charge_point_has_no_demand(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)

    with pytest.raises(ServiceValidationError) as refused:
        await answer(hass, "get_demand", device(hass, books.entry, "CP1"))

    assert refused.value.translation_key == "needs_circuit"


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["get_sessions", "get_demand"])
@pytest.mark.parametrize(
    ("start_s", "end_s", "key"), [(1.0, 2.0, "ends_before_it_starts"), (367 * DAY_S, 0.0, "too_long")]
)
async def test_an_impossible_span_is_refused(
    hass: HomeAssistant, action: str, start_s: float, end_s: float, key: str
) -> None:
    await a_car_park(hass)

    with pytest.raises(ServiceValidationError) as refused:
        await answer(hass, action, start=ago(start_s), end=ago(end_s))

    assert refused.value.translation_key == key


@pytest.mark.parametrize("fields", [{"limit": 0}, {"limit": 1001}, {"start": "soon"}, {"start": "0001-01-01 00:00:00"}])
async def test_impossible_fields_are_refused(hass: HomeAssistant, fields: dict[str, Any]) -> None:
    await hass.config.async_set_time_zone("Asia/Tokyo")
    await a_car_park(hass)

    with pytest.raises(vol.Invalid):
        await answer(hass, "get_sessions", **fields)


@pytest.mark.parametrize("action", READING)
async def test_either_devices_are_named_or_a_site(hass: HomeAssistant, action: str) -> None:
    books = await a_car_park(hass)

    with pytest.raises(vol.Invalid):
        await answer(hass, action, device(hass, books.entry), config_entry_id=books.entry.entry_id)


@pytest.mark.parametrize("action", READING)
async def test_of_several_sites_one_must_be_named(hass: HomeAssistant, action: str) -> None:
    await a_car_park(hass)
    other = await set_up(hass, a_site(free_port(), name="Yard"))

    with pytest.raises(ServiceValidationError):
        await answer(hass, action)
    assert await answer(hass, action, config_entry_id=other.entry_id)


@pytest.mark.parametrize("action", ["get_sessions", "get_limits", "get_demand"])
async def test_a_meter_has_no_records(hass: HomeAssistant, action: str) -> None:
    entry = await set_up(hass, a_site(free_port(), a_meter("Meter", ["sensor.l1", "sensor.l2", "sensor.l3"])))

    with pytest.raises(ServiceValidationError, match="Meter"):
        await answer(hass, action, device(hass, entry, "Meter"))


async def unavailable(_writer: Writer, _work: object) -> None:
    """Fail as a disk does."""
    raise StoreUnavailable("disk I/O error")


@pytest.mark.parametrize("action", READING)
async def test_a_ledger_that_cannot_be_read_is_told(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    await a_car_park(hass)
    with monkeypatch.context() as broken:
        broken.setattr(Writer, "run", unavailable)
        with pytest.raises(HomeAssistantError) as failed:
            await answer(hass, action)

    assert failed.value.translation_key == "ledger_unavailable"


# Old records --------------------------------------------------------------------------------------------------------


async def test_old_records_are_deleted_and_sessions_stay(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    books.session("old", books.connector("CP1"), ago_s=40 * DAY_S)
    books.limit(books.connector("CP1"), 10.0, ago_s=31 * DAY_S)
    books.limit(books.connector("CP1"), 12.0, ago_s=29 * DAY_S)

    await ask(hass, "purge", by=administrator(hass), keep_days=30)

    assert [limit["to_a"] for limit in (await answer(hass, "get_limits"))["limits"]] == [12]
    assert len((await answer(hass, "get_sessions", start=ago(50 * DAY_S)))["sessions"]) == 1


async def test_only_administrators_may_delete_records(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    books.limit(books.connector("CP1"), 10.0, ago_s=31 * DAY_S)

    with pytest.raises(Unauthorized):
        await ask(hass, "purge", by=member(hass), keep_days=30)

    assert len((await answer(hass, "get_limits"))["limits"]) == 1


@pytest.mark.parametrize("days", [0, -1, 36_501, "all"])
async def test_an_impossible_number_of_days_is_refused(hass: HomeAssistant, days: Any) -> None:
    await a_car_park(hass)

    with pytest.raises(vol.Invalid):
        await ask(hass, "purge", keep_days=days)


async def test_where_no_site_runs_nothing_can_be_deleted(hass: HomeAssistant) -> None:
    books = await a_car_park(hass)
    assert await hass.config_entries.async_unload(books.entry.entry_id)

    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "purge", keep_days=30)

    assert refused.value.translation_key == "no_site_runs"
