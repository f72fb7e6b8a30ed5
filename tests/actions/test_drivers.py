"""Drivers are added, changed, removed and told by administrators alone, and count at once."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized

from custom_components.charge_cluster.ledger.writer import StoreUnavailable, Writer
from tests.entities.stage import Controls, Dial, plug_in_and_charge
from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .stage import administrator, answer, ask, member

ANN: dict[str, Any] = {"id_tag": "04AABB", "name": "Ann"}
OF_A_CARD: dict[str, Any] = {
    "type": None,
    "group": None,
    "at_once": None,
    "leave_by": None,
    "energy_kwh": None,
    "target_soc": None,
    "battery_kwh": None,
    "battery_entity": None,
}
OF_DRIVERS: dict[str, dict[str, Any]] = {"set_driver": ANN, "remove_driver": {"id_tag": "04AABB"}, "get_drivers": {}}


async def call(hass: HomeAssistant, action: str, **more: Any) -> Any:
    """Call an action about drivers, whether it answers or not."""
    asking = answer if action == "get_drivers" else ask
    return await asking(hass, action, **OF_DRIVERS[action], **more)


async def test_a_driver_is_added_changed_and_removed(hass: HomeAssistant) -> None:
    await set_up(hass, a_site(free_port()))
    until = datetime(2027, 1, 1, tzinfo=UTC)

    await ask(hass, "set_driver", id_tag="04cc", name=" Bob ", enabled=False, expires_at=until.isoformat())
    await ask(hass, "set_driver", by=administrator(hass), **ANN, priority=7)
    added = await answer(hass, "get_drivers", by=administrator(hass))
    await ask(hass, "set_driver", id_tag="04CC", name="Bob")
    changed = await answer(hass, "get_drivers")
    await ask(hass, "remove_driver", id_tag="04cc")
    removed = await answer(hass, "get_drivers")

    ann = {"id_tag": "04AABB", "name": "Ann", "enabled": True, "expires_at": None, "priority": 7} | OF_A_CARD
    until_then = "2027-01-01T00:00:00+00:00"
    bob = {"id_tag": "04CC", "name": "Bob", "enabled": False, "expires_at": until_then, "priority": None} | OF_A_CARD
    assert added == {"drivers": [ann, bob], "complete": True}
    assert changed["drivers"] == [ann, bob | {"enabled": True, "expires_at": None}]
    assert removed["drivers"] == [ann]


async def test_when_a_driver_usually_leaves_and_what_it_takes_is_set_told_and_cleared(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    known = entry.runtime_data.installation.ledger.drivers

    await ask(hass, "set_driver", **ANN, leave_by="16:45", energy_kwh=22.5)
    answered = await answer(hass, "get_drivers")
    driver = known.known("04aabb")
    assert driver is not None
    assert (driver.leave_by_s, driver.usual_wh) == (60_300.0, 22_500.0)
    [told] = answered["drivers"]
    assert (told["leave_by"], told["energy_kwh"]) == ("16:45:00", 22.5)

    await ask(hass, "set_driver", **ANN, leave_by=None, energy_kwh=8)
    [told] = (await answer(hass, "get_drivers"))["drivers"]
    assert (told["leave_by"], told["energy_kwh"]) == (None, 8.0)
    await ask(hass, "set_driver", **ANN)
    [told] = (await answer(hass, "get_drivers"))["drivers"]
    assert (told["leave_by"], told["energy_kwh"]) == (None, None)


async def test_how_full_the_battery_of_a_driver_is_to_be_is_set_told_and_cleared(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    known = entry.runtime_data.installation.ledger.drivers

    battery: dict[str, Any] = {"target_soc": 80, "battery_kwh": 58, "battery_entity": "sensor.car_battery"}
    await ask(hass, "set_driver", **ANN, **battery)
    driver = known.known("04aabb")
    assert driver is not None
    assert (driver.target_soc, driver.battery_wh, driver.battery_entity) == (80.0, 58_000.0, "sensor.car_battery")
    [told] = (await answer(hass, "get_drivers"))["drivers"]
    assert {name: told[name] for name in battery} == battery

    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "set_driver", **ANN, target_soc=80)
    assert refused.value.translation_key == "battery_of_driver_unknown"
    impossible: tuple[dict[str, Any], ...] = (
        {"target_soc": 0},
        {"target_soc": 101},
        {"battery_kwh": 0},
        {"battery_entity": "a battery"},
    )
    for wrong in impossible:
        with pytest.raises(vol.Invalid):
            await ask(hass, "set_driver", **ANN, **(battery | wrong))
    assert known.known("04aabb") == driver
    await ask(hass, "set_driver", **ANN)
    [told] = (await answer(hass, "get_drivers"))["drivers"]
    assert {told[name] for name in battery} == {None}


async def test_a_driver_may_charge_at_once(hass: HomeAssistant, dial: Dial) -> None:
    await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), accept_all_tags=False))
    point = await dial(port, "CP1")

    before = await point.tell("Authorize", {"idTag": "04AABB"})
    await ask(hass, "set_driver", **ANN)
    known = await point.tell("Authorize", {"idTag": "04AABB"})
    await ask(hass, "remove_driver", id_tag="04AABB")
    after = await point.tell("Authorize", {"idTag": "04AABB"})

    statuses = [told[2]["idTagInfo"]["status"] for told in (before, known, after)]
    assert statuses == ["Invalid", "Accepted", "Invalid"]


async def test_the_priority_of_a_driver_counts_for_the_session_that_runs(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", priority=2)))
    connector = Controls(hass, entry, "CP1", 1)
    point = await dial(port, "CP1")
    await plug_in_and_charge(point)

    await ask(hass, "set_driver", id_tag="tag1", name="Ann", priority=7)
    await connector.sees(lambda view: view.effective_priority == 7)
    await ask(hass, "set_driver", id_tag="tag1", name="Ann")
    await connector.sees(lambda view: view.effective_priority == 2)
    await ask(hass, "set_driver", id_tag="tag1", name="Ann", priority=0)
    await connector.sees(lambda view: view.effective_priority == 0)
    await ask(hass, "remove_driver", id_tag="tag1")
    await connector.sees(lambda view: view.effective_priority == 2)


async def test_a_driver_who_is_not_known_cannot_be_removed(hass: HomeAssistant) -> None:
    await set_up(hass, a_site(free_port()))

    with pytest.raises(ServiceValidationError, match="no driver") as refused:
        await ask(hass, "remove_driver", id_tag="04AABB")

    assert refused.value.translation_key == "unknown_driver"


async def test_an_answer_is_bounded(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custom_components.charge_cluster.actions.drivers.MOST_TOLD", 1)
    await set_up(hass, a_site(free_port()))
    await ask(hass, "set_driver", **ANN)
    await ask(hass, "set_driver", id_tag="04CC", name="Bob")

    answered = await answer(hass, "get_drivers")

    assert [driver["name"] for driver in answered["drivers"]] == ["Ann"]
    assert not answered["complete"]


@pytest.mark.parametrize("action", OF_DRIVERS)
async def test_drivers_are_the_affair_of_administrators(hass: HomeAssistant, action: str) -> None:
    await set_up(hass, a_site(free_port()))
    await ask(hass, "set_driver", id_tag="04AABB", name="Anna")

    with pytest.raises(Unauthorized):
        await call(hass, action, by=member(hass))

    assert [driver["name"] for driver in (await answer(hass, "get_drivers"))["drivers"]] == ["Anna"]


@pytest.mark.parametrize("action", OF_DRIVERS)
async def test_where_no_site_runs_no_driver_is_known(hass: HomeAssistant, action: str) -> None:
    entry = await set_up(hass, a_site(free_port()))
    assert await hass.config_entries.async_unload(entry.entry_id)

    with pytest.raises(ServiceValidationError, match="No site runs") as refused:
        await call(hass, action)

    assert refused.value.translation_key == "no_site_runs"


@pytest.mark.parametrize("action", OF_DRIVERS)
async def test_a_ledger_that_cannot_be_used_is_told(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    async def unavailable(_writer: Writer, _work: object) -> None:
        raise StoreUnavailable("disk I/O error")

    await set_up(hass, a_site(free_port()))
    with monkeypatch.context() as broken:
        broken.setattr(Writer, "run", unavailable)
        with pytest.raises(HomeAssistantError) as failed:
            await call(hass, action)

    assert failed.value.translation_key == "ledger_unavailable"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 101},
        {"name": "half a character: \ud800"},
        {"id_tag": ""},
        {"id_tag": "x" * 256},
        {"type": "paper"},
        {"group": ""},
        {"group": "x" * 21},
        *({"leave_by": moment} for moment in ("25:00", "soon", -1)),
        *({"energy_kwh": amount} for amount in (0, -5, 1000.5, math.nan, math.inf, "full")),
        *({"at_once": number} for number in (0, 101, 1.5, "many")),
        {"expires_at": "some day"},
        *({"priority": number} for number in (-1, 11, 2.5, math.nan, "high")),
    ],
)
async def test_what_cannot_be_is_refused(hass: HomeAssistant, fields: dict[str, Any]) -> None:
    await set_up(hass, a_site(free_port()))

    with pytest.raises(vol.Invalid):
        await ask(hass, "set_driver", **ANN | fields)
