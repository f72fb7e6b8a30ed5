"""Charge points that seem to belong together: suggested as one cluster, accepted together or alone."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.charge_cluster.chargers import DeviceIdentity
from custom_components.charge_cluster.newcomers import family_of, stem_of
from custom_components.charge_cluster.site.views import NewcomerView
from tests.flows.test_newcomers import discoveries, submit, until, waits
from tests.site_entry import SUPPLY, Dialled, a_cluster, a_site, free_port, set_up, subentry_called


def a_newcomer(identity: str, remote: str = "10.0.0.9", vendor: str | None = "Acme") -> NewcomerView:
    return NewcomerView(
        identity=identity,
        remote=remote,
        first_seen_at=0.0,
        identity_report=DeviceIdentity(vendor=vendor),
        connectors=None,
    )


def family(identity: str, *newcomers: NewcomerView) -> tuple[str, ...]:
    return family_of(identity, {newcomer.identity: newcomer for newcomer in newcomers})


@pytest.mark.parametrize(
    ("identity", "stem"), [("NORTH-07", "NORTH"), ("CP12", "CP"), ("4711", ""), ("A_1", "A"), ("Place", "Place")]
)
def test_a_series_is_known_by_what_stands_before_its_numbers(identity: str, stem: str) -> None:
    assert stem_of(identity) == stem


def test_those_behind_one_address_belong_together() -> None:
    assert family("A", a_newcomer("A"), a_newcomer("B"), a_newcomer("C", "10.0.0.10")) == ("A", "B")


def test_those_of_one_series_belong_together_wherever_they_dial_from() -> None:
    others = (a_newcomer("NORTH-02", "10.0.0.2"), a_newcomer("SOUTH-01", "10.0.0.3"))
    assert family("NORTH-01", a_newcomer("NORTH-01", "10.0.0.1"), *others) == ("NORTH-01", "NORTH-02")


def test_those_of_different_makers_do_not() -> None:
    assert family("A1", a_newcomer("A1"), a_newcomer("A2", vendor="Other"), a_newcomer("A3", vendor=None)) == (
        "A1",
        "A3",
    )


def test_plain_numbers_are_no_series_and_who_left_has_no_family() -> None:
    assert family("4711", a_newcomer("4711", "10.0.0.1"), a_newcomer("4712", "10.0.0.2")) == ("4711",)
    assert family("gone", a_newcomer("A")) == ()


def together(*identities: str, **changes: Any) -> dict[str, Any]:
    return {
        "identities": list(identities),
        "cluster": SUPPLY,
        "new_cluster": "North",
        "rating": 40,
        "maximum": 16,
        "rotation": "in_turn",
        "security": "plain",
    } | changes


async def test_a_family_is_accepted_as_one_cluster(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_cluster("Row 2")))
    site = entry.runtime_data.site
    identities = [f"NORTH-{number}" for number in range(1, 5)]

    async with AsyncExitStack() as wires:
        for identity in identities:
            await wires.enter_async_context(Dialled(port, identity))
        await until(lambda: all(waits(entry, identity) for identity in identities))
        await until(lambda: len(discoveries(hass)) == 4)
        flow = next(flow for flow in discoveries(hass) if flow["context"]["unique_id"] == "newcomer:NORTH-2")
        # The first of them dialled in alone: its dialogue knows of the others when it is opened.
        menu = await hass.config_entries.flow.async_configure(flow["flow_id"])
        assert (menu["type"], menu["step_id"]) == (FlowResultType.MENU, "family")
        assert menu["menu_options"] == ["together", "alone"]
        assert menu["description_placeholders"] == {
            "identity": "NORTH-2",
            "remote": "127.0.0.1",
            "count": "3",
            "others": "NORTH-1, NORTH-3, NORTH-4",
        }
        form = await submit(hass, flow, {"next_step_id": "together"})
        assert form["step_id"] == "together"
        taken = await submit(hass, flow, together(*identities, new_cluster="Row 2"))
        unrated = await submit(hass, flow, {k: v for k, v in together(*identities).items() if k != "rating"})
        small = await submit(hass, flow, together(*identities, rating=1.5))
        keys = await submit(hass, flow, together(*identities[:3]))
        assert entry.runtime_data.site.settings.charge_points == ()
        result = await submit(hass, flow, {})

        assert taken["errors"] == {"new_cluster": "name_taken"}
        assert unrated["errors"] == {"rating": "rating_missing"}
        assert small["errors"] == {"rating": "impossible_rating"}
        assert keys["step_id"] == "keys"
        assert (result["reason"], result["description_placeholders"]) == ("charge_points_added", {"count": "3"})
        cluster = subentry_called(entry, "North")
        assert entry.runtime_data.site is site
        assert [point.identity for point in site.settings.charge_points] == identities[:3]
        assert {point.circuit_id for point in site.settings.charge_points} == {cluster.subentry_id}
        assert site.settings.circuits[-1].rating_a == (40.0, 40.0, 40.0)
        await until(lambda: list(site.newcomers) == ["NORTH-4"])
        await until(lambda: len(discoveries(hass)) == 1)


async def test_one_of_a_family_is_accepted_alone(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port()))

    async with Dialled(port, "NORTH-1"), Dialled(port, "NORTH-2"):
        await until(lambda: waits(entry, "NORTH-1") and waits(entry, "NORTH-2"))
        await until(lambda: len(discoveries(hass)) == 2)
        flow = discoveries(hass)[0]
        await hass.config_entries.flow.async_configure(flow["flow_id"])
        form = await submit(hass, flow, {"next_step_id": "alone"})
        assert form["step_id"] == "charge_point"


async def test_many_are_made_a_cluster_from_the_site_as_well(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port()))

    async with Dialled(port, "A"), Dialled(port, "B"):
        await until(lambda: waits(entry, "A") and waits(entry, "B"))
        menu = await entry.start_reconfigure_flow(hass)
        await submit(hass, menu, {"next_step_id": "waiting"})
        await submit(hass, menu, together("A", "B"))
        await submit(hass, menu, {})

        cluster = subentry_called(entry, "North")
        points = entry.runtime_data.site.settings.charge_points
        assert {(point.identity, point.circuit_id) for point in points} == {
            ("A", cluster.subentry_id),
            ("B", cluster.subentry_id),
        }


async def test_a_family_that_left_meanwhile_ends_kindly(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port()))

    async with Dialled(port, "A"), Dialled(port, "B"):
        await until(lambda: waits(entry, "A") and waits(entry, "B"))
        await until(lambda: len(discoveries(hass)) == 2)
        flow = discoveries(hass)[0]
        await hass.config_entries.flow.async_configure(flow["flow_id"])
        form = await submit(hass, flow, {"next_step_id": "together"})
        site = entry.runtime_data.site
        waiting, site.newcomers = site.newcomers, {}
        gone = await submit(hass, flow, together("A", "B"))
        site.newcomers = waiting
        assert form["step_id"] == "together"
        assert (gone["type"], gone["reason"]) == (FlowResultType.ABORT, "newcomer_gone")
