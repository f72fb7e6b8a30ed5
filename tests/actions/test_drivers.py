"""Drivers are added, changed, removed and told by administrators alone, and count at once."""

from datetime import UTC, datetime
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized

from custom_components.charge_cluster.ledger.writer import StoreUnavailable, Writer
from tests.entities.stage import Dial
from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .stage import administrator, answer, ask, member

ANN: dict[str, Any] = {"id_tag": "04AABB", "name": "Ann"}
OF_DRIVERS: dict[str, dict[str, Any]] = {"set_driver": ANN, "remove_driver": {"id_tag": "04AABB"}, "get_drivers": {}}


async def call(hass: HomeAssistant, action: str, **more: Any) -> Any:
    """Call an action about drivers, whether it answers or not."""
    asking = answer if action == "get_drivers" else ask
    return await asking(hass, action, **OF_DRIVERS[action], **more)


async def test_a_driver_is_added_changed_and_removed(hass: HomeAssistant) -> None:
    await set_up(hass, a_site(free_port()))
    until = datetime(2027, 1, 1, tzinfo=UTC)

    await ask(hass, "set_driver", id_tag="04cc", name=" Bob ", enabled=False, expires_at=until.isoformat())
    await ask(hass, "set_driver", by=administrator(hass), **ANN)
    added = await answer(hass, "get_drivers", by=administrator(hass))
    await ask(hass, "set_driver", id_tag="04CC", name="Bob")
    changed = await answer(hass, "get_drivers")
    await ask(hass, "remove_driver", id_tag="04cc")
    removed = await answer(hass, "get_drivers")

    ann = {"id_tag": "04AABB", "name": "Ann", "enabled": True, "expires_at": None}
    bob = {"id_tag": "04CC", "name": "Bob", "enabled": False, "expires_at": "2027-01-01T00:00:00+00:00"}
    assert added == {"drivers": [ann, bob], "complete": True}
    assert changed["drivers"] == [ann, bob | {"enabled": True, "expires_at": None}]
    assert removed["drivers"] == [ann]


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


async def test_a_driver_who_is_not_known_cannot_be_removed(hass: HomeAssistant) -> None:
    await set_up(hass, a_site(free_port()))

    with pytest.raises(ServiceValidationError, match="no driver") as refused:
        await ask(hass, "remove_driver", id_tag="04AABB")

    assert refused.value.translation_key == "unknown_driver"


async def test_an_answer_is_bounded(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custom_components.charge_cluster.actions.drivers.MOST_DRIVERS", 1)
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
        {"id_tag": "x" * 21},
        {"expires_at": "some day"},
    ],
)
async def test_what_cannot_be_is_refused(hass: HomeAssistant, fields: dict[str, Any]) -> None:
    await set_up(hass, a_site(free_port()))

    with pytest.raises(vol.Invalid):
        await ask(hass, "set_driver", **ANN | fields)
