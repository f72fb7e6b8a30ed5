"""At how many places a card may charge at a time, told to charge points of either generation over real sockets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, override

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.charge_cluster.ocpp.versions import OcppVersion
from tests.entities.stage import Controls
from tests.ocpp.charge_point import ChargePoint
from tests.ocpp.charge_point_2 import ChargePoint2
from tests.ocpp.raw_client import RawClient
from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .stage import ask, device

ANN, BOB, VAN = "04AA0001", "04BB0002", "04CC0003"


class Post:
    """A charge point of one connector, so far as cards go."""

    def __init__(self, point: ChargePoint) -> None:
        self.point = point
        self._transaction = 0

    async def shown(self, tag: str) -> Any:
        """Hold a card to it without a vehicle; return what is said of the card."""
        return (await self.point.tell("Authorize", {"idTag": tag}))[2]["idTagInfo"]

    async def starts(self, tag: str) -> Any:
        """Begin a transaction with a card; return what is said of the card."""
        answer = await self.point.tell("StartTransaction", self.point.start_payload(1, tag))
        self._transaction = answer[2]["transactionId"]
        return answer[2]["idTagInfo"]

    @staticmethod
    def group_of(info: Any) -> str:
        """Return the group that a card was said to belong to."""
        return str(info["parentIdTag"])

    async def was_asked_to_stop(self) -> None:
        """Wait until it is asked to stop its transaction."""
        await self.point.was_asked("RemoteStopTransaction")

    async def ends(self) -> None:
        """End the transaction that it began last."""
        await self.point.stop(self._transaction)


class Post2(Post):
    """One that speaks OCPP 2.0.1."""

    point: ChargePoint2

    @override
    async def shown(self, tag: str) -> Any:
        answer = await self.point.tell("Authorize", {"idToken": {"idToken": tag, "type": "ISO14443"}})
        return answer[2]["idTokenInfo"]

    @override
    async def starts(self, tag: str) -> Any:
        self._transaction += 1
        return (await self.point.begin(f"tx-{self._transaction}", tag=tag))[2]["idTokenInfo"]

    @override
    @staticmethod
    def group_of(info: Any) -> str:
        return str(info["groupIdToken"]["idToken"])

    @override
    async def was_asked_to_stop(self) -> None:
        await self.point.was_asked("RequestStopTransaction")

    @override
    async def ends(self) -> None:
        await self.point.end(f"tx-{self._transaction}")


type DialPost = Callable[[int, str], Awaitable[Post]]


@pytest.fixture(params=[OcppVersion.V16, OcppVersion.V201])
async def dial_post(hass: HomeAssistant, request: pytest.FixtureRequest) -> AsyncIterator[DialPost]:
    """Dial in with a version, boot and report the connector as empty."""
    version = OcppVersion(request.param)
    points: list[ChargePoint] = []

    async def dialled(port: int, identity: str) -> Post:
        client = await RawClient.dial(port, f"/{identity}", protocols=version.subprotocol)
        second = version is OcppVersion.V201
        point = ChargePoint2(client) if second else ChargePoint(client)
        points.append(point)
        assert (await point.boot())["status"] == "Accepted"
        await point.status(1, "Available")
        await hass.async_block_till_done()
        return Post2(point) if second else Post(point)

    yield dialled
    for point in points:
        await point.close()


async def two_posts(hass: HomeAssistant, dial_post: DialPost, **rule: Any) -> tuple[MockConfigEntry, Post, Post]:
    """Set up a site of known drivers with two charge points that have dialled in."""
    points = (a_charge_point("CP1"), a_charge_point("CP2"))
    entry = await set_up(hass, a_site(port := free_port(), *points, authorisation="known", **rule))
    await ask(hass, "set_driver", id_tag=ANN, name="Ann", group="OFFICE")
    await ask(hass, "set_driver", id_tag=BOB, name="Bob", group="OFFICE")
    return entry, await dial_post(port, "CP1"), await dial_post(port, "CP2")


async def test_a_card_of_several_vehicles_needs_no_setting(hass: HomeAssistant, dial_post: DialPost) -> None:
    _, first, second = await two_posts(hass, dial_post)

    told = [await first.starts(ANN), await second.starts(ANN)]

    assert [info["status"] for info in told] == ["Accepted", "Accepted"]


async def test_a_card_that_may_charge_at_one_place_is_concurrent_at_another(
    hass: HomeAssistant, dial_post: DialPost
) -> None:
    entry, first, second = await two_posts(hass, dial_post, concurrency="card")

    assert (await first.starts(ANN))["status"] == "Accepted"
    # Who only asks may have come to stop: OCPP has the word in the answer to a start alone.
    assert (await second.shown(ANN))["status"] == "Accepted"
    assert (await second.starts(ANN))["status"] == "ConcurrentTx"

    await second.was_asked_to_stop()
    event = Controls(hass, entry, "CP2").state("event", "card")
    assert (event.attributes["event_type"], event.attributes["answer"]) == ("refused", "concurrenttx")

    await second.ends()
    await first.ends()
    assert (await second.starts(ANN))["status"] == "Accepted"


async def test_a_group_may_be_one_driver(hass: HomeAssistant, dial_post: DialPost) -> None:
    _, first, second = await two_posts(hass, dial_post, concurrency="group")

    assert (await first.starts(ANN))["status"] == "Accepted"
    told = await second.starts(BOB)

    assert told["status"] == "ConcurrentTx"
    assert second.group_of(told) == "OFFICE"


async def test_what_is_said_of_a_driver_counts_whatever_the_site_lets(hass: HomeAssistant, dial_post: DialPost) -> None:
    _, first, second = await two_posts(hass, dial_post)
    await ask(hass, "set_driver", id_tag=VAN, name="Vans", at_once=1)

    told = [await first.starts(VAN), await second.starts(VAN)]

    assert [info["status"] for info in told] == ["Accepted", "ConcurrentTx"]


async def test_a_start_from_here_that_would_be_one_too_many_is_refused_before_it_goes_out(
    hass: HomeAssistant, dial_post: DialPost
) -> None:
    entry, first, second = await two_posts(hass, dial_post, concurrency="card")
    assert (await first.starts(ANN))["status"] == "Accepted"

    with pytest.raises(ServiceValidationError, match="charge elsewhere") as refused:
        await ask(hass, "start_charging", device(hass, entry, "CP2"), id_tag=ANN, wait=0)

    assert refused.value.translation_key == "id_tag_in_use"
    assert second.point.calls("RemoteStartTransaction") == second.point.calls("RequestStartTransaction") == []
