"""What a site expects of its visitors: learned from stays, told when asked, and weighed where the rule is by need."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from custom_components.charge_cluster.engine.habits import PIECE
from custom_components.charge_cluster.engine.model import SharingRule
from custom_components.charge_cluster.site.foresight import PastStay
from custom_components.charge_cluster.site.records import Kept
from tests.site.physical import Notebook, PhysicalSite, a_site
from tests.virtual_time import VirtualLoop, run_virtually

HOUR_S = 3600.0


def a_site_by_need(loop: VirtualLoop, points: int, **facts: float) -> PhysicalSite:
    """Return a site with 40 A of supply, 10 A of base load and the rule by need."""
    site = a_site(loop, points, **{"supply_a": 40.0, "base_load_a": 10.0, "declared_a": 10.0, **facts})  # type: ignore[arg-type]  # all are amps
    supply, *others = site.settings.circuits
    site.settings = replace(site.settings, circuits=(replace(supply, sharing=SharingRule.NEED), *others))
    site.site = site._site()
    return site


def play(site: PhysicalSite, story: Callable[[PhysicalSite], Awaitable[None]]) -> None:
    async def whole() -> None:
        await site.start()
        await site.run(5)
        await story(site)
        await site.site.stop()

    run_virtually(whole(), site.loop)


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def test_who_leaves_soon_gets_more_than_who_has_all_day(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        for name in ("P1", "P2"):
            site.plug(name, maximum_a=32.0)
        await site.run(90)
        # Of neither is anything known: they share alike.
        assert site.limits() == [14.0, 14.0]
        now = site.clock.time()
        site.site.wish_session("p1/1", departure_at=now + 0.75 * HOUR_S, wanted_wh=15_000.0)
        site.site.wish_session("p2/1", departure_at=now + 9.0 * HOUR_S, wanted_wh=15_000.0)
        await site.run(120)
        soon, late = site.limits()
        assert soon > 18.0
        assert 6.0 <= late <= 28.0 - soon
        assert site.above_s() == 0.0

    play(a_site_by_need(loop, 2), story)


def test_where_nobody_shares_by_need_nothing_is_reckoned(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        assert site.site.foresight.needs == {}

    play(a_site(loop, 1), story)


def test_needs_are_of_those_who_are_here(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        site.plug("P2")
        await site.run(30)
        assert site.site.foresight.needs.keys() == {"p1/1", "p2/1"}
        site.unplug("P1")
        await site.run(30)
        assert site.site.foresight.needs.keys() == {"p2/1"}
        site.unplug("P2")
        await site.run(30)
        assert site.site.foresight.needs == {}

    play(a_site_by_need(loop, 2), story)


def test_a_stay_that_ended_is_learned_and_the_next_is_expected_to_be_like_it(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        for _ in range(6):
            site.plug("P1", maximum_a=16.0)
            await site.run(1800)
            site.unplug("P1")
            await site.run(30)
        assert site.site.foresight.stays == 6
        site.plug("P1", maximum_a=16.0)
        await site.run(60)
        session = site.site.connectors["p1/1"].session
        assert session is not None
        forecast = site.site.foresight.forecast("p1/1", session)
        early, likely, late = (at - session.started_at for at in forecast.departure_at)
        assert early <= likely <= late
        assert likely == pytest.approx(1800.0, abs=60.0)
        assert forecast.energy_wh[1] == pytest.approx(0.5 * 3 * 230 * 16, rel=0.1)
        assert 2.0 < forecast.alike <= 6.0

    play(a_site_by_need(loop, 1), story)


def test_a_plug_that_was_only_tried_teaches_nothing(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(20)
        site.unplug("P1")
        await site.run(120)
        assert site.site.foresight.stays == 0

    play(a_site(loop, 1), story)


def test_a_tag_that_several_vehicles_bring_at_a_time_is_nobodys_own(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        began = site.clock.time() - 86_400.0
        one_after_the_other = [
            PastStay(
                key="p1/1", started_at=began + n * 9e3, ended_at=began + n * 9e3 + 8e3, energy_wh=9e3, id_tag="04AA"
            )
            for n in range(3)
        ]
        at_once = [
            PastStay(key=f"p{n}/1", started_at=began, ended_at=began + 8e3, energy_wh=9e3, id_tag="FREE")
            for n in (1, 2)
        ]
        site.site.foresight.remember([*at_once, *one_after_the_other])
        for tag, stays in (("FREE", 0), ("04aa", 3)):
            site.chargers["P1"].id_tag = tag
            site.plug("P1")
            await site.run(30)
            session = site.site.connectors["p1/1"].session
            assert session is not None
            assert site.site.foresight.forecast("p1/1", session).of_driver == stays
            site.unplug("P1")
            await site.run(30)

    play(a_site(loop, 1), story)


class Remembering(Notebook):
    """A notebook that holds stays of before."""

    def __init__(self, *stays: PastStay) -> None:
        super().__init__()
        self.stays = stays

    async def load(self) -> Kept:
        return replace(await super().load(), stays=self.stays)


def test_what_was_learned_is_there_after_a_restart_and_a_person_can_be_forgotten(loop: VirtualLoop) -> None:
    physical = a_site(loop, 1)
    began = physical.clock.time() - 86_400.0
    physical.notebook = Remembering(
        PastStay(key="p1/1", started_at=began, ended_at=began + 4 * HOUR_S, energy_wh=9e3, id_tag="04aa"),
        PastStay(key="p1/1", started_at=began, ended_at=began + 9 * HOUR_S, energy_wh=9e3, id_tag="04BB"),
    )
    physical.site = physical._site()

    async def story(site: PhysicalSite) -> None:
        assert site.site.foresight.stays == 2
        site.site.foresight.forget("04AA")
        assert site.site.foresight.stays == 1

    play(physical, story)


def test_who_is_forgotten_while_what_is_expected_is_reckoned_is_forgotten(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.chargers["P1"].id_tag = "04AA"
        site.plug("P1")
        await site.run(30)
        foresight, session = site.site.foresight, site.site.connectors["p1/1"].session
        assert session is not None
        assert session.id_tag == "04AA"
        days = [session.started_at - day * 86_400.0 for day in range(PIECE + 1, 0, -1)]
        foresight.remember(
            PastStay(key="p1/1", started_at=came_at, ended_at=came_at + HOUR_S, energy_wh=9e3, id_tag="04AA")
            for came_at in days
        )
        pieces = foresight.foresee("p1/1", session)
        next(pieces)
        foresight.forget("04AA")
        assert list(pieces) == []
        assert foresight.forecast("p1/1", session).of_driver == 0

    play(a_site(loop, 1), story)
