"""What is told of a session while it goes on: once a change, seldom enough, and what is held back in its time."""

from collections.abc import Awaitable, Callable, Iterable
from itertools import pairwise

from custom_components.charge_cluster.chargers import ConnectorStatus
from custom_components.charge_cluster.engine.model import VehicleState
from custom_components.charge_cluster.site.session_news import DONE_AFTER_S, TOLD_EVERY_S
from custom_components.charge_cluster.site.settings import ConnectorWish
from custom_components.charge_cluster.site.views import SessionEvent
from simulator.vehicle import CarSpec
from tests.site.physical import PhysicalSite, a_site
from tests.virtual_time import VirtualLoop, run_virtually

type Story = Callable[[PhysicalSite], Awaitable[None]]

TURN_S = 900.0


def play(story: Story, *, points: int = 2, cluster_a: float = 10.0) -> None:
    """Play a story of a cluster that has room for one vehicle."""
    loop = VirtualLoop()

    async def whole() -> None:
        site = a_site(loop, points, cluster_a=cluster_a, on_time_s=TURN_S)
        await site.start()
        # At the beginning of a turn.
        await site.run(20)
        await site.run(TURN_S - site.clock.time() % TURN_S + 1.0)
        await story(site)
        await site.site.stop()

    run_virtually(whole(), loop)


def news(site: PhysicalSite, key: str) -> list[SessionEvent]:
    """Return what was told of a connector between the beginnings and ends of its sessions."""
    return [event for event in site.told if event.key == key and event.kind not in {"started", "ended"}]


def kinds(events: Iterable[SessionEvent]) -> list[str]:
    """Return what they tell."""
    return [event.kind for event in events]


def test_who_waits_is_told_its_place_and_its_turn_and_when_it_has_come() -> None:
    async def story(site: PhysicalSite) -> None:
        turn_ends = site.clock.time() - site.clock.time() % TURN_S + TURN_S
        site.plug("P1")
        await site.run(60)
        site.plug("P2")
        await site.run(5)
        assert news(site, "p1/1") == []
        [waiting] = news(site, "p2/1")
        assert (waiting.kind, waiting.queue_position, waiting.expected_at) == ("waiting", 1, turn_ends)

        # The turn, or its trial as a newcomer before that.
        await site.run(TURN_S)
        assert kinds(news(site, "p2/1"))[:2] == ["waiting", "admitted"]
        assert kinds(news(site, "p1/1"))[0] == "waiting"
        assert news(site, "p2/1")[1].queue_position is None

    play(story)


def test_who_has_a_place_at_once_is_told_nothing() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(2 * TURN_S)
        assert news(site, "p1/1") == []

    play(story)


def test_places_that_change_often_are_told_once_a_minute_and_in_the_end_as_it_is() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        site.plug("P2")
        for number in range(61):
            for key, now in (("p1/1", number % 2 == 1), ("p2/1", number % 2 == 0)):
                site.site.wish_session(key, charge_now=now)
            await site.run(5)
        await site.run(2 * TOLD_EVERY_S)
        for key, last in (("p1/1", "waiting"), ("p2/1", "admitted")):
            told = news(site, key)
            assert kinds(told)[-1] == last
            assert 4 <= len(told) <= 14
            assert all(one.kind != other.kind for one, other in pairwise(told))
            for kind in ("waiting", "admitted"):
                at = [event.session.started_at + event.duration_s for event in told if event.kind == kind]
                assert all(b - a >= TOLD_EVERY_S for a, b in pairwise(at))

    play(story)


def test_who_does_not_wait_any_more_without_a_place_is_not_told_that_it_has_one() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        site.plug("P2")
        await site.run(5)
        site.site.wish("p2/1", ConnectorWish(enabled=False))
        await site.run(2 * TURN_S)
        assert kinds(news(site, "p2/1")) == ["waiting"]
        site.site.wish("p2/1", ConnectorWish())
        await site.run(TURN_S)
        assert kinds(news(site, "p2/1"))[:2] == ["waiting", "admitted"]

    play(story)


def test_what_was_told_is_not_told_again_after_a_restart() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        site.plug("P2")
        await site.run(5)
        await site.restart(5)
        await site.run(60)
        assert kinds(news(site, "p2/1")) == ["waiting"]
        await site.run(TURN_S)
        assert kinds(news(site, "p2/1"))[:2] == ["waiting", "admitted"]

    play(story)


def plug_briefly(site: PhysicalSite, ends_after_s: float) -> None:
    """Plug a car in that stops by itself after charging for so long."""
    site.truth.plug("P1", CarSpec(name="car at P1", ends_after_s=ends_after_s))
    site.chargers["P1"].plugged()


def test_a_vehicle_that_has_stopped_by_itself_for_a_while_is_done_once() -> None:
    async def story(site: PhysicalSite) -> None:
        plug_briefly(site, 120.0)
        await site.run(140)
        site.chargers["P1"].report_status()
        await site.run(DONE_AFTER_S - 10.0)
        assert news(site, "p1/1") == []
        await site.run(20)
        [done] = news(site, "p1/1")
        assert done.kind == "done"
        assert done.session.energy_wh > 0.0
        await site.restart(5)
        await site.run(2 * DONE_AFTER_S)
        assert kinds(news(site, "p1/1")) == ["done"]

    play(story)


def test_a_vehicle_that_pauses_for_a_moment_is_not_done() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(120)
        for _ in range(4):
            site.chargers["P1"].report(ConnectorStatus(connector=1, vehicle=VehicleState.SATED, status="SuspendedEV"))
            await site.run(DONE_AFTER_S - 10.0)
            site.chargers["P1"].report_status()
            await site.run(30)
        assert news(site, "p1/1") == []

    play(story)


def test_a_vehicle_that_never_charged_is_not_done() -> None:
    async def story(site: PhysicalSite) -> None:
        plug_briefly(site, 0.0)
        site.chargers["P1"].report_status()
        await site.run(2 * DONE_AFTER_S)
        assert news(site, "p1/1") == []

    play(story)


def test_a_vehicle_whose_charger_does_not_say_that_it_takes_nothing_is_done_all_the_same() -> None:
    async def story(site: PhysicalSite) -> None:
        plug_briefly(site, 120.0)
        await site.run(2 * TURN_S)
        assert kinds(news(site, "p1/1")) == ["done"]

    play(story)


def test_a_vehicle_is_done_when_it_has_what_its_driver_wants_and_again_when_that_is_more() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        site.site.wish_session("p1/1", wanted_wh=200.0)
        await site.run(60)
        assert news(site, "p1/1") == []
        await site.run(240)
        [done] = news(site, "p1/1")
        assert (done.kind, done.session.energy_wh >= 200.0) == ("done", True)
        site.site.wish_session("p1/1", wanted_wh=800.0)
        await site.run(120)
        assert len(news(site, "p1/1")) == 1
        await site.run(900)
        assert kinds(news(site, "p1/1")) == ["done", "done"]

    play(story)
