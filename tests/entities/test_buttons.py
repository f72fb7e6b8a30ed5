"""Buttons ask the charge point over its own connection, and say what became of it."""

import asyncio

import pytest
from homeassistant.const import STATE_UNAVAILABLE, EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from custom_components.charge_cluster.button import charger_of
from custom_components.charge_cluster.chargers import ChargerOffline
from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .stage import Controls, Dial, plug_in_and_charge


@pytest.mark.parametrize(
    ("connector", "key", "shown"),
    [
        (None, "reset", ("Restart", True, EntityCategory.CONFIG)),
        (None, "hard_reset", ("Restart at once", False, EntityCategory.CONFIG)),
        (1, "unlock", ("Unlock plug", False, None)),
        (1, "stop", ("Stop transaction", False, None)),
    ],
)
async def test_what_is_dangerous_is_disabled_until_somebody_wants_it(
    hass: HomeAssistant, connector: int | None, key: str, shown: tuple[str, bool, EntityCategory | None]
) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    button = Controls(hass, entry, "CP1", connector).registered("button", key)

    assert (button.original_name, button.disabled_by is None, button.entity_category) == shown


async def test_a_button_is_there_while_the_charge_point_is(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    charge_point = Controls(hass, entry, "CP1")
    assert charge_point.state("button", "reset").state == STATE_UNAVAILABLE

    point = await dial(port, "CP1")
    await charge_point.until("button", "reset", lambda state: state.state != STATE_UNAVAILABLE)
    point.client.abort()

    await charge_point.until("button", "reset", lambda state: state.state == STATE_UNAVAILABLE)


@pytest.mark.parametrize(("key", "kind"), [("reset", "Soft"), ("hard_reset", "Hard")])
async def test_a_charge_point_is_restarted(hass: HomeAssistant, dial: Dial, key: str, kind: str) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    charge_point = Controls(hass, entry, "CP1")
    if key == "hard_reset":
        await charge_point.enable("button", key)
    point = await dial(port, "CP1")

    await charge_point.press(key)

    assert point.calls("Reset") == [{"type": kind}]


async def test_the_plug_of_the_right_connector_is_released(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", rotations=["l1_l2_l3", "l2_l3_l1"])))
    second = Controls(hass, entry, "CP1", 2)
    await second.enable("button", "unlock")
    point = await dial(port, "CP1", 2)

    await second.press("unlock")

    assert point.calls("UnlockConnector") == [{"connectorId": 2}]


async def test_a_transaction_is_stopped(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    await connector.enable("button", "stop")
    point = await dial(port, "CP1")
    transaction_id = await plug_in_and_charge(point)

    await connector.press("stop")

    assert point.calls("RemoteStopTransaction") == [{"transactionId": transaction_id}]


async def test_where_nothing_runs_there_is_nothing_to_stop(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    await connector.enable("button", "stop")
    point = await dial(port, "CP1")

    with pytest.raises(HomeAssistantError) as refused:
        await connector.press("stop")

    assert refused.value.translation_key == "operation_refused"
    assert point.calls("RemoteStopTransaction") == []


async def test_a_refusal_is_told_in_the_charge_points_own_word(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    await connector.enable("button", "unlock")
    point = await dial(port, "CP1")
    point.answers["UnlockConnector"] = lambda _: {"status": "UnlockFailed"}

    with pytest.raises(HomeAssistantError, match=r"The charge point answered: UnlockFailed") as refused:
        await connector.press("unlock")

    assert refused.value.translation_key == "operation_refused"


async def test_a_connection_that_ends_before_the_answer_is_told(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    charge_point = Controls(hass, entry, "CP1")
    point = await dial(port, "CP1")
    point.silent_on.add("Reset")

    pressing = asyncio.create_task(charge_point.press("reset"))
    await point.was_asked("Reset")
    point.client.abort()

    with pytest.raises(HomeAssistantError) as failed:
        await pressing
    assert failed.value.translation_key == "charger_offline"


async def test_a_charge_point_that_is_just_being_let_go_is_offline(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))

    with pytest.raises(ChargerOffline):
        charger_of(entry.runtime_data.coordinator, "gone")
