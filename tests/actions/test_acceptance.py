"""Many charge points are accepted in one call: all of them or none, and their keys are in the answer."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError, Unauthorized
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.entities.stage import Dial
from tests.site_entry import Dialled, a_charge_point, a_cluster, a_site, free_port, set_up, subentry_called

from .stage import administrator, answer, device, member

PATIENCE_S = 10.0


async def accept(hass: HomeAssistant, *identities: str, **fields: Any) -> Any:
    """Accept charge points, at most 16 A each unless said otherwise."""
    return await answer(hass, "accept_charge_points", identities=list(identities), **{"maximum": 16} | fields)


async def newcomers(entry: MockConfigEntry, seen: Callable[[set[str]], bool]) -> None:
    """Wait until those who wait at the door are as they should be."""
    site = entry.runtime_data.site
    news = asyncio.Event()
    end = site.subscribe("newcomers", news.set)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not seen(set(site.newcomers)):
                await news.wait()
                news.clear()
    finally:
        end()


def identities_of(entry: MockConfigEntry) -> list[str]:
    """Return the charge points that the entry has."""
    return [subentry.data["identity"] for subentry in entry.get_subentries_of_type("charge_point")]


async def test_those_who_wait_are_accepted_and_told_their_keys(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port()))
    async with Dialled(port, "CP1"), Dialled(port, "CP2"):
        await newcomers(entry, lambda waiting: waiting == {"CP1", "CP2"})

        answered = await accept(hass, "CP1", "CP2", by=administrator(hass))
        await hass.async_block_till_done()

        await newcomers(entry, lambda waiting: not waiting)
        points = entry.runtime_data.site.settings.charge_points
        assert [(point.name, point.identity) for point in points] == [("CP1", "CP1"), ("CP2", "CP2")]
        assert [told["key"] for told in answered["charge_points"]] == [point.key for point in points]
        assert len({point.key for point in points if point.key}) == 2
        assert [(told["identity"], told["waiting"], told["url"]) for told in answered["charge_points"]] == [
            ("CP1", True, f"ws://127.0.0.1:{port}/CP1"),
            ("CP2", True, f"ws://127.0.0.1:{port}/CP2"),
        ]


async def test_who_is_yet_to_dial_in_must_bring_the_key(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port()))

    [told] = (await accept(hass, "CP1"))["charge_points"]
    await hass.async_block_till_done()

    assert not told["waiting"]
    another = {"Authorization": aiohttp.encode_basic_auth("CP1", "another")}
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"http://127.0.0.1:{port}/CP1", protocols=("ocpp1.6",), headers=another)
    async with Dialled(port, "CP1", key=told["key"]) as point:
        assert (await point.socket.receive_json(timeout=PATIENCE_S))[2]["status"] == "Accepted"
    assert identities_of(entry) == ["CP1"]


async def test_without_security_there_is_no_key(hass: HomeAssistant, dial: Dial) -> None:
    await set_up(hass, a_site(port := free_port()))

    [told] = (await accept(hass, "CP1", security="plain"))["charge_points"]
    await hass.async_block_till_done()

    assert told["key"] is None
    await dial(port, "CP1")


async def test_they_are_made_as_was_said(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_cluster("Cluster B", rating=63.0)))
    about: dict[str, Any] = {"maximum": 22.5, "rotation": "l2_l3_l1", "connectors": 2, "fallback": 8}

    [told] = (await accept(hass, "CP1", cluster=device(hass, entry, "Cluster B"), **about))["charge_points"]
    await hass.async_block_till_done()

    [point] = entry.runtime_data.site.settings.charge_points
    assert point.circuit_id == subentry_called(entry, "Cluster B").subentry_id
    assert [(each.maximum_a, each.rotation) for each in point.connectors] == [(22.5, (1, 2, 0))] * 2
    assert (point.fallback_a, told["connectors"]) == (8.0, 2)


async def test_the_sites_own_device_stands_for_its_supply(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    other = await set_up(hass, a_site(free_port(), name="Yard"))

    await accept(hass, "CP1", cluster=device(hass, other))
    await accept(hass, "CP2", config_entry_id=entry.entry_id)
    await hass.async_block_till_done()

    assert (identities_of(entry), identities_of(other)) == (["CP2"], ["CP1"])
    assert other.runtime_data.site.settings.charge_points[0].circuit_id == "supply"


async def test_phases_go_round(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), rating=200.0))

    await accept(hass, "CP1", "CP2", "CP3", "CP4", rotation="in_turn")
    await hass.async_block_till_done()

    points = entry.runtime_data.site.settings.charge_points
    assert [point.connectors[0].rotation for point in points] == [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 1, 2)]


async def test_a_whole_car_park_is_accepted_at_once(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), rating=400.0))
    identities = [f"CP{number:03}" for number in range(60)]

    answered = await accept(hass, *identities, " CP000 ")
    await hass.async_block_till_done()

    assert identities_of(entry) == identities
    assert len({told["key"] for told in answered["charge_points"]}) == 60


@pytest.mark.parametrize(
    ("identities", "fields", "key", "said"),
    [
        (["CP9", "no blanks"], {}, "invalid_identity", "no blanks is no identity"),
        (["CP9", "CP1"], {}, "identity_taken", "A charge point of Depot has the identity CP1 already"),
        (["CP9", "cp1"], {}, "name_taken", "A charge point is called cp1 already"),
        (["CP8", "cp8"], {}, "name_taken", "A charge point is called cp8 already"),
        (
            ["CP8", "CP9"],
            {"fallback": 16, "maximum": 32},
            "impossible_settings",
            "This does not fit: 2 × 16 A of fallback + 10 A declared base load exceed the 40 A of Depot by 2 A",
        ),
        (
            ["CP9"],
            {"maximum": 5},
            "impossible_settings",
            "This does not fit: A current from 6 A to 5 A is not possible for CP9",
        ),
    ],
)
async def test_all_are_accepted_or_none(
    hass: HomeAssistant, identities: list[str], fields: dict[str, Any], key: str, said: str
) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1"), rating=40.0))

    with pytest.raises(ServiceValidationError) as refused:
        await accept(hass, *identities, **fields)
    await hass.async_block_till_done()

    assert refused.value.translation_key == key
    assert str(refused.value).startswith(said)
    assert identities_of(entry) == ["CP1"]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            {"neutral": 40.0},
            "2 × 16 A of fallback + 10 A declared base load on one phase exceed the neutral's 40 A of Depot by 2 A",
        ),
        (
            {"unbalance": 20.0},
            "2 × 16 A of fallback on one phase alone exceed the 20 A unbalance limit of Depot by 12 A",
        ),
        (
            {"power": 30.0},
            "At 253 V, Depot could carry 31.9 kVA if everything died",
        ),
    ],
)
async def test_fallbacks_that_another_ceiling_does_not_hold_are_refused_with_the_figures(
    hass: HomeAssistant, told: dict[str, Any], said: str
) -> None:
    entry = await set_up(hass, a_site(free_port(), **told))

    with pytest.raises(ServiceValidationError) as refused:
        await accept(hass, "CP1", "CP2", fallback=16)

    assert str(refused.value).startswith(f"This does not fit: {said}")
    assert identities_of(entry) == []


async def test_a_site_of_one_phase_cannot_have_three(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), phases="1"))

    with pytest.raises(ServiceValidationError, match="At Depot") as refused:
        await accept(hass, "CP1", rotation="l1_l2_l3")

    assert refused.value.translation_key == "impossible_rotation"
    assert identities_of(entry) == []


async def test_a_cluster_of_another_site_is_refused(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    other = await set_up(hass, a_site(free_port(), name="Yard"))

    with pytest.raises(ServiceValidationError, match="belongs to Yard") as elsewhere:
        await accept(hass, "CP2", config_entry_id=entry.entry_id, cluster=device(hass, other))
    with pytest.raises(ServiceValidationError, match="CP1 is neither a site nor a cluster") as none:
        await accept(hass, "CP2", cluster=device(hass, entry, "CP1"))

    assert (elsewhere.value.translation_key, none.value.translation_key) == ("cluster_elsewhere", "needs_circuit")
    assert (identities_of(entry), identities_of(other)) == (["CP1"], [])


@pytest.mark.parametrize(
    "fields",
    [
        {"identities": []},
        {"identities": [f"CP{number}" for number in range(501)]},
        {"maximum": 0.5},
        {"maximum": 501},
        {"maximum": "nan"},
        {"rotation": "l4"},
        {"connectors": 0},
        {"connectors": 65},
        {"fallback": -1},
        {"security": "hope"},
        {"key": "chosen"},
    ],
)
async def test_impossible_fields_are_refused(hass: HomeAssistant, fields: dict[str, Any]) -> None:
    entry = await set_up(hass, a_site(free_port()))
    usual: dict[str, Any] = {"identities": ["CP1"], "maximum": 16}

    with pytest.raises(vol.Invalid):
        await answer(hass, "accept_charge_points", **usual | fields)

    assert identities_of(entry) == []


async def test_only_administrators_accept(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))

    with pytest.raises(Unauthorized):
        await accept(hass, "CP1", by=member(hass))

    assert identities_of(entry) == []


# Satellites -----------------------------------------------------------------------------------------------------------


async def test_satellites_that_appeared_are_accepted_and_such_that_are_yet_to_appear(
    hass: HomeAssistant, dial: Dial
) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("NORTH"), a_cluster("Row 2")))
    point = await dial(port, "NORTH")
    master = subentry_called(entry, "NORTH").subentry_id
    with pytest.raises(ServiceValidationError) as none:
        await answer(hass, "accept_satellites", device(hass, entry, "NORTH"), maximum=16)
    assert none.value.translation_key == "no_satellites"
    for number in (2, 3):
        await point.status(number, "Available")
    site = entry.runtime_data.site
    shown = asyncio.Event()
    end = site.subscribe("strangers", shown.set)
    async with asyncio.timeout(PATIENCE_S):
        while set(site.charge_points[master].strangers) != {2, 3}:
            await shown.wait()
            shown.clear()
    end()

    accepted = await answer(hass, "accept_satellites", device(hass, entry, "NORTH"), maximum=16, rotation="in_turn")
    await hass.async_block_till_done()
    further = await answer(
        hass,
        "accept_satellites",
        device(hass, entry, "NORTH"),
        numbers=[7],
        maximum=10,
        minimum=8,
        cluster=device(hass, entry, "Row 2"),
    )
    await hass.async_block_till_done()

    assert [(one["name"], one["number"], one["appeared"]) for one in accepted["satellites"]] == [
        ("NORTH 2", 2, True),
        ("NORTH 3", 3, True),
    ]
    assert further["satellites"] == [{"name": "NORTH 7", "number": 7, "appeared": False}]
    [settings] = site.settings.charge_points
    assert [connector.number for connector in settings.connectors] == [1, 2, 3, 7]
    last = settings.connectors[-1]
    assert (last.maximum_a, last.minimum_a) == (10, 8)
    assert settings.circuit_of(last) == subentry_called(entry, "Row 2").subentry_id
    assert not site.charge_points[master].strangers
    assert device(hass, entry, "NORTH 7")
    with pytest.raises(ServiceValidationError, match="2 of NORTH") as taken:
        await answer(hass, "accept_satellites", device(hass, entry, "NORTH"), numbers=[2, 9], maximum=16)
    assert taken.value.translation_key == "satellite_taken"


@pytest.mark.parametrize(
    ("about", "fields", "key"),
    [
        ("Row 2", {}, "needs_charge_point"),
        ("NORTH", {"numbers": [2], "maximum": 16, "minimum": 32}, "impossible_settings"),
    ],
)
async def test_satellites_that_would_not_do_are_refused_and_none_is_added(
    hass: HomeAssistant, about: str, fields: dict[str, Any], key: str
) -> None:
    entry = await set_up(hass, a_site(free_port(), a_charge_point("NORTH"), a_cluster("Row 2")))

    with pytest.raises(ServiceValidationError) as refused:
        await answer(hass, "accept_satellites", device(hass, entry, about), **{"maximum": 16} | fields)

    assert refused.value.translation_key == key
    assert entry.get_subentries_of_type("satellite") == []
