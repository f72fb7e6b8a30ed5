"""Every limit explains itself, in a sentence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.charge_cluster.actions.sentences import Sentences
from custom_components.charge_cluster.engine.model import Reason
from tests.entities.stage import Controls, Dial, plug_in_and_charge
from tests.site_entry import a_charge_point, a_cluster, a_meter, a_site, free_port, set_up

from .stage import administrator, answer, ask, device, member


async def test_a_connector_without_connection_is_explained_to_everybody(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    await Controls(hass, entry, "CP1", 1).sees(lambda view: view.reason is Reason.OFFLINE)

    [explained] = (await answer(hass, "explain", by=member(hass)))["connectors"]

    assert explained == {
        "connector": "CP1",
        "device_id": device(hass, entry, "CP1"),
        "limit_a": 0.0,
        "target_a": 0.0,
        "reason": "offline",
        "circuit": None,
        "source": None,
        "expected_at": None,
        "queue_position": None,
        "sentence": "CP1 has no connection: it goes by itself to its fallback of 0 A.",
    }


async def test_a_vehicle_that_charges_is_explained(hass: HomeAssistant, dial: Dial) -> None:
    point = a_charge_point("CP1", minimum=16.0, maximum=16.0)
    entry = await set_up(hass, a_site(port := free_port(), point, base_load=0.0))
    connector = Controls(hass, entry, "CP1", 1)
    await plug_in_and_charge(await dial(port, "CP1"))
    await connector.sees(lambda view: view.limit_a == 16.0 and view.reason is Reason.FULL_POWER)

    [explained] = (await answer(hass, "explain", device(hass, entry, "CP1")))["connectors"]

    assert explained["sentence"] == "CP1 may draw 16 A: all that it can take."
    assert (explained["limit_a"], explained["target_a"], explained["reason"]) == (16.0, 16.0, "full_power")


async def test_a_vehicle_that_begins_is_explained(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), base_load=0.0))
    connector = Controls(hass, entry, "CP1", 1)
    await plug_in_and_charge(await dial(port, "CP1"))
    await connector.sees(lambda view: view.limit_a == 6.0 and view.reason is Reason.FIRST_START)

    [explained] = (await answer(hass, "explain", device(hass, entry, "CP1")))["connectors"]

    assert explained["sentence"].startswith("CP1 may draw 6 A for a moment: its vehicle begins")
    assert explained["sentence"].endswith("It is to get 32 A.")


async def test_connectors_are_explained_once_in_the_order_of_the_configuration(hass: HomeAssistant) -> None:
    site = a_site(free_port(), a_charge_point("CP1"), a_charge_point("CP2", rotations=["l1_l2_l3", "l2_l3_l1"]))
    entry = await set_up(hass, site)

    answered = await answer(hass, "explain", device(hass, entry), device(hass, entry, "CP2"))
    second = await answer(hass, "explain", device(hass, entry, "CP2", 2))

    assert [explained["connector"] for explained in answered["connectors"]] == ["CP1", "CP2 (1)", "CP2 (2)"]
    assert second["connectors"] == [answered["connectors"][2]]


async def test_a_cluster_without_charge_points_has_nothing_to_explain(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), a_cluster("Cluster B")))

    assert await answer(hass, "explain", device(hass, entry, "Cluster B")) == {"connectors": []}


async def test_a_connector_that_is_just_being_let_go_is_left_out(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), a_charge_point("CP2")))
    del entry.runtime_data.site.connectors[Controls(hass, entry, "CP1", 1).prefix]

    assert [told["connector"] for told in (await answer(hass, "explain"))["connectors"]] == ["CP2"]


async def test_a_meter_is_not_explained(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_meter("Meter", ["sensor.l1", "sensor.l2", "sensor.l3"])))

    with pytest.raises(ServiceValidationError) as refused:
        await answer(hass, "explain", device(hass, entry, "Meter"))

    assert refused.value.translation_key == "no_connectors"


@pytest.mark.parametrize("reason", Reason)
async def test_every_reason_has_its_sentence(hass: HomeAssistant, reason: Reason) -> None:
    await set_up(hass, a_site(free_port()))

    sentence = (await Sentences.load(hass)).reason(reason, connector="CP1", circuit="Depot", limit_a=7.5, fallback_a=6)

    assert "CP1" in sentence
    assert sentence.endswith(".")
    assert "{" not in sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "CP1 may draw 6 A: a user capped it."),
        ({"target_a": 10.0}, "CP1 may draw 6 A: a user capped it. It is to get 10 A."),
        ({"target_a": 10.0, "online": False}, "CP1 may draw 6 A: a user capped it."),
        (
            {"phases": 1, "on_one_phase": True},
            "CP1 may draw 6 A: a user capped it. It charges on one phase for now, so that there is room for all.",
        ),
        ({"phases": 1}, "CP1 may draw 6 A: a user capped it."),
        ({"queue_position": 3}, "CP1 may draw 6 A: a user capped it. In the queue it is number 3."),
        (
            {"expected_at": datetime(2026, 9, 21, 12, 5, tzinfo=UTC).timestamp()},
            "CP1 may draw 6 A: a user capped it. This is expected to change at 14:05.",
        ),
    ],
)
async def test_what_is_known_beyond_the_reason_is_said(hass: HomeAssistant, changes: dict[str, Any], said: str) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    [view] = entry.runtime_data.site.connectors.values()
    view = replace(view, reason=Reason.USER_CAP, online=True, limit_a=6.0, target_a=6.0)

    sentence = (await Sentences.load(hass)).whole(replace(view, **changes), connector="CP1", site="Depot")

    assert sentence == said


async def test_who_leaves_when_is_told_to_administrators_who_ask_for_it_alone(hass: HomeAssistant, dial: Dial) -> None:
    await hass.config.async_set_time_zone("UTC")
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), base_load=0.0))
    connector = Controls(hass, entry, "CP1", 1)
    await plug_in_and_charge(await dial(port, "CP1"))
    await connector.sees(lambda view: view.session is not None)
    leaves = (dt_util.utcnow() + timedelta(hours=1)).replace(second=0, microsecond=0)
    cp1 = device(hass, entry, "CP1")
    await ask(hass, "set_session", cp1, departure=leaves.isoformat(), energy_kwh=80)
    await connector.sees(lambda view: view.plan is not None and view.plan.impossible)

    async def told(*about: str, by: MockUser) -> str:
        [explained] = (await answer(hass, "explain", *about, by=by))["connectors"]
        return str(explained)

    in_person: tuple[tuple[str, ...], ...] = ((cp1,), (device(hass, entry), cp1))
    for about in in_person:
        sentence = await told(*about, by=administrator(hass))
        assert any(f"for by {leaves:{clock}}:" in sentence for clock in ("%H:%M", "%Y-%m-%d %H:%M"))
    others: tuple[tuple[tuple[str, ...], MockUser], ...] = (
        ((cp1,), member(hass)),
        ((), administrator(hass)),
        ((device(hass, entry),), administrator(hass)),
    )
    for about, who in others:
        sentence = await told(*about, by=who)
        assert "It cannot have all that was asked for in time: " in sentence
        assert f"{leaves:%H:%M}" not in sentence
        assert "could have that by" not in sentence


async def test_a_reason_names_its_circuit_or_the_site(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    [view] = entry.runtime_data.site.connectors.values()
    view = replace(view, reason=Reason.SHARED, limit_a=8.0, target_a=8.0)
    sentences = await Sentences.load(hass)

    named = sentences.whole(replace(view, reason_circuit="Cluster B"), connector="CP1", site="Depot")
    unnamed = sentences.whole(view, connector="CP1", site="Depot")

    assert named == "CP1 may draw 8 A: the current of Cluster B is shared among the vehicles below it."
    assert unnamed == "CP1 may draw 8 A: the current of Depot is shared among the vehicles below it."


async def test_a_language_without_sentences_is_answered_in_english(hass: HomeAssistant) -> None:
    hass.config.language = "de"
    await set_up(hass, a_site(free_port(), a_charge_point("CP1")))

    [explained] = (await answer(hass, "explain"))["connectors"]

    assert explained["sentence"].startswith("CP1 ")
