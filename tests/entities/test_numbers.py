"""A cap and a priority: shown and kept as wished, possible as the settings say, acted on at once."""

import logging
import math

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er

from custom_components.charge_cluster.coordinator import Subject, SubjectKind
from custom_components.charge_cluster.number import connector_numbers
from tests.site_entry import a_charge_point, a_site, add, free_port, set_up

from .stage import Controls, Dial, change, draw, held_to, plug_in_and_charge


async def test_without_a_wish_the_cap_is_what_the_hardware_allows(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", maximum=20.0, minimum=8.0, step=0.5)))
    connector = Controls(hass, entry, "CP1", 1)

    cap = connector.state("number", "cap")

    assert cap.name == "CP1 Cap"
    assert (cap.state, cap.attributes["unit_of_measurement"]) == ("20.0", "A")
    assert [cap.attributes[name] for name in ("min", "max", "step")] == [8.0, 20.0, 0.5]


async def test_a_cap_is_set_and_kept_while_the_charge_point_is_away(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)

    await connector.set_number("cap", 10)
    assert connector.state("number", "cap").state == "10.0"
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()

    assert connector.state("number", "cap").state == "10.0"
    assert connector.wished.cap_a == 10.0


async def test_a_cap_is_sent_to_the_charge_point_at_once(hass: HomeAssistant, dial: Dial) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", fallback=16.0)))
    connector = Controls(hass, entry, "CP1", 1)
    point = await dial(port, "CP1")
    transaction_id = await plug_in_and_charge(point)
    # It begins at its fallback.
    await connector.sees(lambda view: view.limit_a == 16.0)
    await draw(point, 15.0, transaction_id)

    await connector.set_number("cap", 10)

    await held_to(point, 10.0)


async def test_each_connector_has_a_cap_of_its_own(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", rotations=["l1_l2_l3", "l2_l3_l1"])))
    first, second = (Controls(hass, entry, "CP1", number) for number in (1, 2))

    await second.set_number("cap", 16)

    assert first.state("number", "cap").state == "32.0"
    assert second.state("number", "cap").state == "16.0"
    assert (first.wished.cap_a, second.wished.cap_a) == (None, 16.0)


@pytest.mark.parametrize(
    ("amps", "refusal"), [(5.9, "out_of_range"), (32.1, "out_of_range"), (math.nan, "cap_refused")]
)
async def test_an_impossible_cap_is_refused_and_changes_nothing(hass: HomeAssistant, amps: float, refusal: str) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    await connector.set_number("cap", 10)

    with pytest.raises(ServiceValidationError) as refused:
        await connector.set_number("cap", amps)

    assert refused.value.translation_key == refusal
    assert connector.state("number", "cap").state == "10.0"
    assert connector.wished.cap_a == 10.0


async def test_a_refused_cap_says_what_is_possible(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", maximum=16.0)))

    with pytest.raises(
        ServiceValidationError, match=r"A cap of nan A is not possible here: this connector takes 6 to 16 A"
    ):
        await Controls(hass, entry, "CP1", 1).set_number("cap", math.nan)


async def test_the_range_of_a_cap_follows_the_settings(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    await connector.set_number("cap", 20)

    await change(hass, entry, "CP1", maximum=16.0, minimum=8.0)
    cap = connector.state("number", "cap")
    assert [cap.attributes[name] for name in ("min", "max")] == [8.0, 16.0]
    assert cap.state == "16.0"
    with pytest.raises(ServiceValidationError):
        await connector.set_number("cap", 7)

    await change(hass, entry, "CP1", maximum=32.0)
    assert connector.state("number", "cap").state == "20.0"


async def test_a_cap_begins_at_the_first_step_that_reaches_the_minimum(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", minimum=6.5, step=1.0)))

    assert Controls(hass, entry, "CP1", 1).state("number", "cap").attributes["min"] == 7.0


async def test_a_cap_begins_at_the_first_current_that_the_charge_point_knows(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", steps=[8.0, 10.0, 13.0])))

    assert Controls(hass, entry, "CP1", 1).state("number", "cap").attributes["min"] == 8.0


async def test_a_cap_at_the_maximum_is_none(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", maximum=16.0)))
    connector = Controls(hass, entry, "CP1", 1)
    await connector.set_number("cap", 10)

    await connector.set_number("cap", 16)
    assert connector.wished.cap_a is None
    await change(hass, entry, "CP1", maximum=32.0)

    assert connector.state("number", "cap").state == "32.0"


async def test_a_change_elsewhere_writes_no_cap(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    before = connector.state("number", "cap").last_reported

    await add(hass, entry, a_charge_point("CP2"))

    assert connector.state("number", "cap").last_reported == before


async def test_a_cap_can_be_set_in_the_unit_that_a_user_chose(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    er.async_get(hass).async_update_entity_options(
        connector.registered("number", "cap").entity_id, "number", {"unit_of_measurement": "mA"}
    )
    await hass.async_block_till_done()
    assert connector.state("number", "cap").state == "32000.0"

    await connector.set_number("cap", 12_000)

    assert connector.wished.cap_a == 12.0
    assert connector.state("number", "cap").state == "12000.0"


async def test_a_priority_is_that_of_the_charge_point_until_it_is_set(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", priority=3)))
    connector = Controls(hass, entry, "CP1", 1)
    await connector.enable("number", "priority")
    assert connector.state("number", "priority").state == "3"

    await connector.set_number("priority", 7)
    await change(hass, entry, "CP1", priority=4)
    assert connector.state("number", "priority").state == "7"
    assert entry.runtime_data.site.connectors[connector.prefix].priority == 7

    await connector.set_number("priority", 4)
    await change(hass, entry, "CP1", priority=1)
    assert connector.state("number", "priority").state == "1"


@pytest.mark.parametrize(
    ("priority", "refusal"),
    [(-1, "out_of_range"), (11, "out_of_range"), (2.5, "priority_refused"), (math.nan, "priority_refused")],
)
async def test_an_impossible_priority_is_refused(hass: HomeAssistant, priority: float, refusal: str) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    connector = Controls(hass, entry, "CP1", 1)
    await connector.enable("number", "priority")

    with pytest.raises(ServiceValidationError) as refused:
        await connector.set_number("priority", priority)

    assert refused.value.translation_key == refusal
    assert connector.wished.priority is None


async def test_a_connector_that_is_taken_away_takes_its_numbers_along(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1", rotations=["l1_l2_l3", "l2_l3_l1"])))
    second = Controls(hass, entry, "CP1", 2)
    entity_id = second.registered("number", "cap").entity_id

    await change(hass, entry, "CP1", rotations=["l1_l2_l3"])

    assert hass.states.get(entity_id) is None
    assert er.async_get(hass).async_get(entity_id) is None
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_connector_that_is_gone_before_its_numbers_were_made_gets_none(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    charge_point_id = Controls(hass, entry, "CP1").charge_point_id
    gone = Subject(
        kind=SubjectKind.CONNECTOR,
        subject_id=f"{charge_point_id}/2",
        subentry_id=charge_point_id,
        device_id=charge_point_id,
    )

    assert connector_numbers(entry.runtime_data.coordinator, gone) == []
