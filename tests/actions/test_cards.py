"""Cards that are shown: Home Assistant decides, and the owner takes up a card that was just held to a charge point."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import HomeAssistant, State
from homeassistant.exceptions import ServiceValidationError, Unauthorized
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.entities.stage import Controls, Dial
from tests.ocpp.charge_point import ChargePoint
from tests.ocpp.raw_client import RawClient
from tests.ocpp.test_local_list import Keeper
from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .stage import answer, ask, device, member

EVE = "04EE11223344"
PATIENCE_S = 20.0


async def shown(point: ChargePoint, tag: str) -> str:
    """Hold a card to a charge point; return what it was told."""
    told = await point.tell("Authorize", {"idTag": tag})
    return str(told[2]["idTagInfo"]["status"])


async def asked(hass: HomeAssistant, entry: MockConfigEntry) -> State:
    """Wait until Home Assistant is asked about a card; return the event."""
    return await Controls(hass, entry, "CP1").until(
        "event", "card", lambda state: state.attributes.get("event_type") == "asked"
    )


@pytest.mark.parametrize(("accept", "status"), [(True, "Accepted"), (False, "Invalid")])
async def test_home_assistant_decides(hass: HomeAssistant, dial: Dial, accept: bool, status: str) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), authorisation="known_or_ask"))
    point = await dial(port, "CP1")

    waiting = asyncio.ensure_future(shown(point, EVE))
    event = await asked(hass, entry)
    known = await answer(hass, "get_cards")
    decided = await answer(hass, "answer_authorisation", decision_id=event.attributes["decision_id"], accept=accept)

    assert await waiting == status
    assert decided == {"in_time": True}
    assert EVE not in str(event)
    assert event.attributes["card"] == "…44"
    (question,) = known["questions"]
    assert (question["id_tag"], question["charge_point"]) == (EVE, "CP1")
    assert question["device_id"] == device(hass, entry, "CP1")
    last = Controls(hass, entry, "CP1").state("event", "card")
    assert last.attributes["event_type"] == ("accepted" if accept else "refused")
    assert last.attributes["answer"] == status.lower()


async def test_a_card_that_was_just_shown_is_taken_up(hass: HomeAssistant, dial: Dial) -> None:
    site = a_site(port := free_port(), a_charge_point("CP1"), a_charge_point("CP2"), authorisation="known")
    entry = await set_up(hass, site)
    first, second = await dial(port, "CP1"), await dial(port, "CP2")
    assert await shown(first, EVE) == "Invalid"
    assert await shown(second, "OTHER") == "Invalid"

    before = await answer(hass, "get_cards", device(hass, entry, "CP1"))
    taken = await answer(hass, "take_up_card", device(hass, entry, "CP1"), name="Eve", group="OFFICE")
    after = await answer(hass, "get_cards")

    assert [card["id_tag"] for card in before["cards"]] == [EVE]
    assert before["cards"][0]["answer"] == "Unknown"
    assert taken["driver"]["id_tag"] == EVE
    assert taken["driver"]["group"] == "OFFICE"
    assert [card["id_tag"] for card in after["cards"]] == ["OTHER"]
    assert await shown(first, EVE.lower()) == "Accepted"
    event = Controls(hass, entry, "CP1").state("event", "card")
    assert (event.attributes["event_type"], event.attributes["driver"]) == ("accepted", "Eve")


async def test_where_no_card_was_shown_none_is_taken_up(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    with pytest.raises(ServiceValidationError, match="CP1") as refused:
        await ask(hass, "take_up_card", device(hass, entry, "CP1"), name="Eve")

    assert refused.value.translation_key == "no_card_shown"


async def test_there_is_nothing_to_decide_that_nobody_asked(hass: HomeAssistant) -> None:
    await set_up(hass, a_site(free_port()))

    with pytest.raises(ServiceValidationError, match="nothing to decide"):
        await ask(hass, "answer_authorisation", decision_id="0" * 32, accept=True)
    with pytest.raises(vol.Invalid):
        await ask(hass, "answer_authorisation", decision_id="the first", accept=True)


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("get_cards", {}),
        ("take_up_card", {"name": "Eve"}),
        ("answer_authorisation", {"decision_id": "0" * 32, "accept": True}),
    ],
)
async def test_cards_are_the_affair_of_administrators(hass: HomeAssistant, action: str, fields: dict[str, Any]) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    devices = (device(hass, entry, "CP1"),) if action == "take_up_card" else ()

    with pytest.raises(Unauthorized):
        await answer(hass, action, *devices, by=member(hass), **fields)


async def test_charging_without_a_card_is_for_where_everybody_may(hass: HomeAssistant, dial: Dial) -> None:
    free = a_charge_point("CP1", authorisation="free")
    carded = a_charge_point("CP2", authorisation="everybody")
    await set_up(hass, a_site(port := free_port(), free, carded, authorisation="known"))
    first, second = await dial(port, "CP1"), await dial(port, "CP2")

    await first.status(1, "Preparing")
    await second.status(1, "Preparing")

    assert await first.was_asked("RemoteStartTransaction") == {"connectorId": 1, "idTag": "CHARGECLUSTER"}
    assert second.calls("RemoteStartTransaction") == []
    assert await shown(second, "ANYBODY") == "Accepted"


async def test_what_is_started_from_here_is_not_asked_about_again(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), authorisation="ask"))
    point = await dial(port, "CP1")

    await ask(hass, "start_charging", device(hass, entry, "CP1"), id_tag="VISITOR", wait=0)
    started = await point.tell("StartTransaction", point.start_payload(tag="VISITOR"))

    assert started[2]["idTagInfo"]["status"] == "Accepted"


async def test_a_charge_point_keeps_the_drivers_for_when_it_is_offline(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.charge_cluster.site.installation.TELL_TOKENS_S", 0.0)
    await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), authorisation="known"))
    await ask(hass, "set_driver", id_tag="04AA", name="Ann", group="OFFICE")
    keeper = Keeper()
    point = ChargePoint(await RawClient.dial(port, "/CP1"))
    point.answers |= keeper.answers()
    await point.boot()

    first = await point.was_asked("SendLocalList")
    await ask(hass, "set_driver", id_tag="04BB", name="Bob")
    await ask(hass, "set_driver", id_tag="04AA", name="Ann", enabled=False)
    while set(keeper.tokens) != {"04BB"}:
        await point.was_asked("SendLocalList", len(point.calls("SendLocalList")) + 1)
    await point.close()

    assert first["updateType"] == "Full"
    assert first["localAuthorizationList"] == [
        {"idTag": "04AA", "idTagInfo": {"status": "Accepted", "parentIdTag": "OFFICE"}}
    ]
    assert set(keeper.kinds()[1:]) == {"Differential"}
    assert keeper.keys["AllowOfflineTxForUnknownId"] == "false"


async def test_who_has_run_out_leaves_the_list_of_a_charge_point_by_itself(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.charge_cluster.site.installation.TELL_TOKENS_S", 0.1)
    await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), authorisation="everybody"))
    until = dt_util.utcnow() + timedelta(seconds=3)
    await ask(hass, "set_driver", id_tag="04AA", name="Ann", expires_at=until.isoformat())
    keeper = Keeper()
    point = ChargePoint(await RawClient.dial(port, "/CP1"))
    point.answers |= keeper.answers()
    await point.boot()

    async with asyncio.timeout(PATIENCE_S):
        while "04AA" not in keeper.tokens:
            await point.was_asked("SendLocalList", len(point.calls("SendLocalList")) + 1)
    await point.close()
    assert dt_util.utcnow() >= until
    assert point.calls("SendLocalList")[-1]["localAuthorizationList"] == [
        {"idTag": "04AA", "idTagInfo": {"status": "Blocked"}}
    ]
