"""A card shown twice while a session waits for cheap hours: it charges now, and a swipe that stops still stops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from custom_components.charge_cluster.engine.model import ChargingMode
from custom_components.charge_cluster.ocpp.protocols import AuthorisationStatus
from custom_components.charge_cluster.site.cards import ShownCard
from custom_components.charge_cluster.site.swipes import AGAIN_WITHIN_S, NOT_BEFORE_S, STOPS_WITHIN_S
from tests.site.physical import PhysicalSite, WirelessCharger, a_site
from tests.virtual_time import VirtualLoop

from .test_planning import AT_ONCE, DearMorning, play

CARD = "04A1B2C3"


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def swipe(site: PhysicalSite, *, card: str = CARD, accepted: bool = True) -> None:
    """Have the charge point ask about a card that is held to it."""
    status = AuthorisationStatus.ACCEPTED if accepted else AuthorisationStatus.INVALID
    shown = ShownCard(
        charge_point_id="p1", connector=None, id_tag=card, kind=None, shown_at=site.clock.time(), status=status
    )
    site.site.cards.shown(shown, driver=None)


def charges_now(site: PhysicalSite) -> bool:
    session = site.site.connectors["p1/1"].session
    return session is not None and session.wish.charge_now


def tell(story: Callable[[PhysicalSite, WirelessCharger], Awaitable[None]], loop: VirtualLoop, **more: object) -> None:
    """Play a story with a car whose driver has started with a card, and that waits for cheap hours."""

    async def whole(site: PhysicalSite) -> None:
        point = site.chargers["P1"]
        point.id_tag = CARD
        swipe(site)
        site.plug("P1")
        await site.run(NOT_BEFORE_S + 5.0)
        assert max(site.truth.outlets["P1"].drawn) == 0.0
        await story(site, point)

    play(a_site(loop, 1), whole, prices=DearMorning(), usual=more.get("usual", AT_ONCE))  # type: ignore[arg-type]  # by name


def test_a_card_that_is_shown_again_and_stops_nothing_means_now(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite, point: WirelessCharger) -> None:
        swipe(site)
        await site.run(STOPS_WITHIN_S - 3.0)
        assert not charges_now(site)
        await site.run(6.0)
        assert charges_now(site)
        await site.run(40.0)
        assert max(site.truth.outlets["P1"].drawn) > 0.0

    tell(story, loop)


def test_a_swipe_that_stops_has_stopped_and_the_next_one_means_now(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite, point: WirelessCharger) -> None:
        swipe(site)
        await site.run(2.0)
        point.stop_transaction()
        await site.run(STOPS_WITHIN_S + 5.0)
        assert not point.runs
        assert not charges_now(site)
        swipe(site)
        await site.run(1.0)
        point.start_transaction()
        await site.run(2.0)
        assert charges_now(site)

    tell(story, loop)


@pytest.mark.parametrize("what", ["by itself", "late", "another card", "refused", "another car"])
def test_nothing_else_is_taken_for_it(loop: VirtualLoop, what: str) -> None:
    async def story(site: PhysicalSite, point: WirelessCharger) -> None:
        await site.run(60.0)
        point.stop_transaction()
        if what == "late":
            await site.run(AGAIN_WITHIN_S + 5.0)
        if what == "another car":
            site.unplug("P1")
            await site.run(5.0)
        if what == "another card":
            point.id_tag = "04FFFFFF"
        if what != "by itself":
            swipe(site, card=point.id_tag or CARD, accepted=what != "refused")
        await site.run(1.0)
        if what == "another car":
            site.plug("P1")
        else:
            point.start_transaction()
        await site.run(STOPS_WITHIN_S + 5.0)
        assert not charges_now(site)

    tell(story, loop)


def test_who_charges_anyhow_gains_no_turn_by_it(loop: VirtualLoop) -> None:
    async def whole(site: PhysicalSite) -> None:
        site.chargers["P1"].id_tag = CARD
        site.plug("P1")
        await site.run(30.0)
        swipe(site)
        await site.run(STOPS_WITHIN_S + 5.0)
        assert not charges_now(site)

    play(a_site(loop, 1), whole, usual=AT_ONCE.__class__(mode=ChargingMode.NORMAL))
