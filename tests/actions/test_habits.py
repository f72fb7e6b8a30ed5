"""Habits by action: what is expected of a session and on what that rests, for administrators; a person is forgotten."""

from datetime import timedelta

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError, Unauthorized
from homeassistant.util import dt as dt_util

from custom_components.charge_cluster.ledger.sessions import SessionRecord
from custom_components.charge_cluster.site.foresight import PastStay
from tests.entities.stage import Controls, Dial, plug_in_and_charge
from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .stage import answer, ask, device, member


async def test_what_is_expected_of_a_session_is_told_with_how_sure_it_is(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), a_charge_point("CP2")))
    key = Controls(hass, entry, "CP1", 1).prefix
    now = dt_util.utcnow().timestamp()
    entry.runtime_data.site.foresight.remember(
        PastStay(key=key, started_at=now - days * 86_400.0, ended_at=now - days * 86_400.0 + 7200.0, energy_wh=9_000.0)
        for days in range(1, 15)
    )
    await plug_in_and_charge(await dial(port, "CP1"))

    told = await answer(hass, "get_habits")

    assert told["sites"] == [{"site": entry.title, "stays": 14}]
    [session] = told["sessions"]
    assert session["connector"] == "CP1"
    assert session["device_id"] == device(hass, entry, "CP1")
    likely = dt_util.parse_datetime(session["departure"]["likely"])
    assert likely is not None
    assert abs(likely - dt_util.utcnow() - timedelta(hours=2)) < timedelta(minutes=2)
    assert session["departure"]["early"] <= session["departure"]["likely"] <= session["departure"]["late"]
    assert session["energy_kwh"]["likely"] == 9.0
    assert 1.0 < session["alike_stays"] <= 14.0
    assert session["stays_of_driver"] == 0


async def test_a_person_is_forgotten_and_the_record_stays(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    ledger = entry.runtime_data.installation.ledger
    now = dt_util.utcnow().timestamp()
    for number, tag in enumerate(("04AA", "04aa", "04BB")):
        record = SessionRecord(
            site_id=entry.entry_id,
            session_id=f"s{number}",
            connector="cp1/1",
            started_at=now - 9_000.0,
            ended_at=now - 100.0,
            energy_wh=5_000.0,
            id_tag=tag,
            transaction_id=None,
        )
        ledger.sessions.record(record)
        assert record.ended_at is not None
    stays = [PastStay(key="cp1/1", started_at=0.0, ended_at=9_000.0, energy_wh=5e3, id_tag=t) for t in ("04AA", "04BB")]
    entry.runtime_data.site.foresight.remember(stays)

    assert await answer(hass, "forget_habits", id_tag="04aa") == {"sessions": 2}

    assert (await answer(hass, "get_habits"))["sites"] == [{"site": entry.title, "stays": 1}]
    assert len(await ledger.sessions.for_habits(entry.entry_id, 10)) == 1
    assert len(await ledger.sessions.newest(entry.entry_id, now - 10_000.0, now, count=10)) == 3
    assert await answer(hass, "forget_habits", id_tag="04aa") == {"sessions": 0}


async def test_who_is_removed_is_forgotten_too(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    entry.runtime_data.site.foresight.remember(
        [PastStay(key="cp1/1", started_at=0.0, ended_at=9_000.0, energy_wh=5e3, id_tag="04AA")]
    )
    await ask(hass, "set_driver", id_tag="04AA", name="Ann")
    await ask(hass, "remove_driver", id_tag="04aa")
    assert entry.runtime_data.site.foresight.stays == 0


async def test_habits_are_for_administrators(hass: HomeAssistant) -> None:
    await set_up(hass, a_site(free_port()))
    with pytest.raises(Unauthorized):
        await answer(hass, "get_habits", by=member(hass))
    with pytest.raises(Unauthorized):
        await answer(hass, "forget_habits", by=member(hass), id_tag="04AA")


async def test_without_a_site_there_is_nobody_to_forget(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(ServiceValidationError):
        await answer(hass, "forget_habits", id_tag="04AA")
