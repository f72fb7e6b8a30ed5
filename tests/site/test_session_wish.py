"""What a driver wishes of its session: taken where it is possible, told to every pass, gone with the vehicle."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from custom_components.charge_cluster.chargers import DrawSample, HeldBack, NeedsTold
from custom_components.charge_cluster.engine.controller import decide
from custom_components.charge_cluster.engine.guard import unknown_bound
from custom_components.charge_cluster.engine.model import SharingRule
from custom_components.charge_cluster.engine.snapshot import Decision, Memory, Snapshot
from custom_components.charge_cluster.site.connector import ConnectorState
from custom_components.charge_cluster.site.proof import connectors_of
from custom_components.charge_cluster.site.session import Session
from custom_components.charge_cluster.site.session_wish import (
    FARTHEST_DEPARTURE_S,
    MOST_WANTED_WH,
    NO_SESSION_WISH,
    SessionWish,
    WishChange,
    WishFault,
    WishRefused,
    changed,
)
from custom_components.charge_cluster.site.settings import MAXIMUM_PRIORITY, ConnectorWish
from custom_components.charge_cluster.site.site import Site
from tests.site.physical import PhysicalSite, a_charge_point, a_site
from tests.virtual_time import VirtualLoop, run_virtually

NOW = 1_800_000_000.0
HOUR_S = 3600.0

type Story = Callable[[PhysicalSite], Awaitable[None]]


def play(story: Story, *, points: int = 1) -> None:
    """Play a story of charge points P1 … that are soon ready."""
    loop = VirtualLoop()

    async def whole() -> None:
        site = a_site(loop, points)
        await site.start()
        await site.run(5)
        await story(site)
        await site.site.stop()

    run_virtually(whole(), loop)


def wish(site: PhysicalSite, key: str = "p1/1") -> SessionWish:
    """Return what counts of the wish of a running session, as it is shown."""
    session = site.site.connectors[key].session
    assert session is not None
    return session.wish


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[Snapshot]:
    """Return what passes were told, as they are made."""
    made: list[Snapshot] = []

    def noted(snapshot: Snapshot, memory: Memory) -> Decision:
        made.append(snapshot)
        return decide(snapshot, memory)

    monkeypatch.setattr("custom_components.charge_cluster.site.site.decide", noted)
    return made


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        *(
            ({"departure_at": at}, WishFault.IMPOSSIBLE_DEPARTURE)
            for at in (NOW - 1.0, NOW, NOW + FARTHEST_DEPARTURE_S + 1.0, math.nan, math.inf)
        ),
        *(
            ({"wanted_wh": wh}, WishFault.IMPOSSIBLE_ENERGY)
            for wh in (0.0, -1.0, MOST_WANTED_WH + 1.0, math.nan, math.inf)
        ),
        *(({"priority": number}, WishFault.IMPOSSIBLE_PRIORITY) for number in (-1, MAXIMUM_PRIORITY + 1)),
    ],
)
def test_what_cannot_be_is_refused(change: WishChange, fault: WishFault) -> None:
    with pytest.raises(WishRefused) as refused:
        changed(NO_SESSION_WISH, NOW, **change)
    assert refused.value.fault is fault


def test_what_is_not_named_stays_and_nothing_is_possible() -> None:
    farthest = NOW + FARTHEST_DEPARTURE_S
    whole = changed(NO_SESSION_WISH, NOW, departure_at=farthest, wanted_wh=MOST_WANTED_WH, priority=0)
    urgent = changed(whole, NOW + 2 * FARTHEST_DEPARTURE_S, charge_now=True)
    assert urgent == SessionWish(departure_at=farthest, wanted_wh=MOST_WANTED_WH, priority=0, charge_now=True)
    assert changed(urgent, NOW, departure_at=None, wanted_wh=None, priority=None, charge_now=False) == NO_SESSION_WISH


def test_a_wish_is_told_to_the_next_pass_with_what_was_charged(passes: list[Snapshot]) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        leaves = site.clock.time() + HOUR_S
        site.site.wish_session("p1/1", departure_at=leaves, wanted_wh=20_000.0)
        await site.run(1)
        assert (passes[-1].facts["p1/1"].departure_at, passes[-1].facts["p1/1"].wanted_wh) == (leaves, 20_000.0)
        assert 0.0 < passes[-1].facts["p1/1"].charged_wh <= site.chargers["P1"].register_wh
        assert wish(site) == SessionWish(departure_at=leaves, wanted_wh=20_000.0)

    play(story)


def test_energy_alone_makes_no_news_of_a_connector() -> None:
    [(key, connector)] = connectors_of(a_charge_point("P1"), {}).items()
    session = Session(session_id="s", started_at=NOW, start_energy_wh=0.0)
    state = ConnectorState(
        connector=connector, charge_point_id="p1", number=1, bound=unknown_bound(connector), session=session
    )
    before = state.facts(0.0)
    session.measure(100.0)
    assert (state.key, state.facts(0.0)) == (key, before)
    assert state.facts(0.0) is before
    state.sampled(DrawSample(connector=1, amps=(1.0, 1.0, 1.0), measured_at=0.0), 0.0)
    assert state.facts(0.0).charged_wh == 100.0


def test_nothing_is_wished_where_nothing_is_plugged_in() -> None:
    async def story(site: PhysicalSite) -> None:
        for key in ("p1/1", "gone/1"):
            with pytest.raises(WishRefused) as refused:
                site.site.wish_session(key, charge_now=True)
            assert refused.value.fault is WishFault.NOTHING_PLUGGED_IN

    play(story)


def test_an_impossible_wish_disturbs_nothing() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(5)
        leaves = site.clock.time() + HOUR_S
        site.site.wish_session("p1/1", departure_at=leaves)
        with pytest.raises(WishRefused):
            site.site.wish_session("p1/1", departure_at=leaves + HOUR_S, wanted_wh=math.nan)
        assert wish(site) == SessionWish(departure_at=leaves)

    play(story)


def test_a_departure_that_has_passed_is_not_known_and_stays_on_record(passes: list[Snapshot]) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(5)
        leaves = site.clock.time() + 60.0
        site.site.wish_session("p1/1", departure_at=leaves, wanted_wh=5_000.0)
        await site.run(58)
        assert (passes[-1].facts["p1/1"].departure_at, wish(site).departure_at) == (leaves, leaves)
        await site.run(5)
        assert (passes[-1].facts["p1/1"].departure_at, wish(site).departure_at) == (None, None)
        assert passes[-1].facts["p1/1"].wanted_wh == wish(site).wanted_wh == 5_000.0

        site.site.wish_session("p1/1", charge_now=True)
        assert wish(site) == SessionWish(wanted_wh=5_000.0, charge_now=True)
        with pytest.raises(WishRefused):
            site.site.wish_session("p1/1", departure_at=leaves)
        [row] = site.notebook.sessions.values()
        assert row.told_departure_at == leaves

        later = site.clock.time() + HOUR_S
        site.site.wish_session("p1/1", departure_at=later)
        assert wish(site).departure_at == later

    play(story)


def test_who_plugs_in_next_has_wishes_of_its_own(passes: list[Snapshot]) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(5)
        site.site.wish_session("p1/1", departure_at=site.clock.time() + HOUR_S, priority=5, charge_now=True)
        site.unplug("P1")
        await site.run(5)
        assert (passes[-1].facts["p1/1"].departure_at, passes[-1].facts["p1/1"].charged_wh) == (None, 0.0)
        site.plug("P1")
        await site.run(5)
        assert wish(site) == NO_SESSION_WISH
        assert passes[-1].facts["p1/1"].departure_at is None

    play(story)


def test_a_wish_outlasts_a_restart() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(5)
        leaves = site.clock.time() + 60.0
        site.site.wish_session("p1/1", departure_at=leaves, wanted_wh=5_000.0, priority=5, charge_now=True)
        whole = wish(site)
        await site.restart(10)
        await site.run(5)
        assert wish(site) == whole
        await site.restart(60)
        await site.run(5)
        assert wish(site) == SessionWish(wanted_wh=5_000.0, priority=5, charge_now=True)

    play(story)


# Priorities ----------------------------------------------------------------------------------------------------------


def crowd(
    story: Story, *, points: int = 2, cluster_a: float = 10.0, sharing: SharingRule | None = None, **priorities: int
) -> None:
    """Play a story of a cluster that has room for one vehicle, or less than all could take."""
    loop = VirtualLoop()

    async def whole() -> None:
        site = a_site(loop, points, cluster_a=cluster_a)
        supply, cluster = site.settings.circuits
        site.settings = replace(
            site.settings,
            circuits=(supply, replace(cluster, sharing=sharing)),
            charge_points=tuple(
                replace(point, priority=priorities.get(point.name, 0)) for point in site.settings.charge_points
            ),
        )
        site.site = Site(site.settings, site.wishes, clock=site.clock, records=site.notebook, wiring=site)
        await site.start()
        await site.run(20)
        await story(site)
        await site.site.stop()

    run_virtually(whole(), loop)


def charging(site: PhysicalSite) -> list[str]:
    """Return the charge points that were decided to give current."""
    return [key.partition("/")[0].upper() for key, view in site.site.connectors.items() if view.target_a > 0.0]


def targets(site: PhysicalSite) -> list[float]:
    """Return what was decided to be given to each connector."""
    return [view.target_a for view in site.site.connectors.values()]


def effective(site: PhysicalSite, key: str = "p1/1") -> int:
    """Return the priority of a connector that counts."""
    return site.site.connectors[key].effective_priority


def test_the_priority_of_a_session_goes_before_its_drivers_and_that_before_its_connectors() -> None:
    async def story(site: PhysicalSite) -> None:
        site.notebook.priorities["TAG"] = 4
        site.chargers["P1"].id_tag = "TAG"
        assert effective(site) == 2
        site.site.wish("p1/1", ConnectorWish(priority=3))
        assert effective(site) == 3
        site.plug("P1")
        assert effective(site) == 4
        site.site.wish_session("p1/1", priority=0)
        assert effective(site) == 0
        site.site.wish_session("p1/1", charge_now=True)
        assert effective(site) == MAXIMUM_PRIORITY + 1
        site.site.wish("p1/1", ConnectorWish(priority=5))
        assert effective(site) == MAXIMUM_PRIORITY + 1
        assert site.site.connectors["p1/1"].priority == 5
        site.site.wish_session("p1/1", charge_now=False, priority=None)
        assert effective(site) == 4
        site.notebook.priorities["TAG"] = 6
        site.site.drivers_changed()
        assert effective(site) == 6
        site.unplug("P1")
        assert effective(site) == 5

    crowd(story, P1=2)


def test_a_priority_outlasts_a_restart_with_its_session() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(5)
        site.site.wish_session("p1/1", charge_now=True)
        await site.restart(10)
        assert effective(site) == MAXIMUM_PRIORITY + 1

    crowd(story)


def test_charging_now_takes_the_place_of_the_highest_class_and_gives_it_back_with_the_session() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        site.plug("P2")
        await site.run(30)
        assert charging(site) == ["P1"]
        site.site.wish_session("p2/1", charge_now=True)
        await site.run(1)
        assert charging(site) == ["P2"]
        await site.run(2000)
        assert charging(site) == ["P2"], "there are no turns with a lower class"
        site.unplug("P2")
        await site.run(60)
        site.plug("P2")
        await site.run(60)
        assert charging(site) == ["P1"]
        assert site.above_s("cluster") == 0.0

    crowd(story, P1=MAXIMUM_PRIORITY)


def test_two_that_charge_now_take_turns() -> None:
    async def story(site: PhysicalSite) -> None:
        served = set()
        for number in (1, 2, 3):
            site.plug(f"P{number}")
        await site.run(5)
        for key in ("p1/1", "p2/1"):
            site.site.wish_session(key, charge_now=True)
        for _ in range(4):
            await site.run(600)
            served.update(charging(site))
        assert served == {"P1", "P2"}

    crowd(story, points=3)


def test_charging_now_is_filled_first_where_shares_go_by_priority() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        site.plug("P2")
        await site.run(60)
        assert targets(site) == [14.0, 6.0]
        site.site.wish_session("p2/1", charge_now=True)
        await site.run(120)
        assert targets(site) == [6.0, 14.0]
        assert site.above_s("cluster") == 0.0

    crowd(story, cluster_a=22.0, sharing=SharingRule.PRIORITY, P1=MAXIMUM_PRIORITY)


def test_however_many_sessions_begin_between_two_passes_the_engine_is_given_one_model(passes: list[Snapshot]) -> None:
    async def story(site: PhysicalSite) -> None:
        site.notebook.priorities["TAG"] = 4
        before = passes[-1].site
        for charger in site.chargers.values():
            charger.id_tag = "TAG"
        for name in site.chargers:
            site.plug(name)
        await site.run(5)
        models = {id(snapshot.site) for snapshot in passes if snapshot.site is not before}
        assert {connector.priority for connector in passes[-1].site.connectors.values()} == {4}
        assert len(models) <= 2

    crowd(story, points=6)


# What vehicles tell over the cable ------------------------------------------------------------------------------------


def tells(
    site: PhysicalSite,
    *,
    departure_at: float | None = None,
    energy_wh: float | None = None,
    soc_percent: float | None = None,
) -> None:
    told = NeedsTold(connector=1, departure_at=departure_at, energy_wh=energy_wh, soc_percent=soc_percent)
    site.chargers["P1"].report(told)


def test_what_a_vehicle_tells_counts_where_its_driver_says_nothing(passes: list[Snapshot]) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        leaves, taken = site.clock.time() + HOUR_S, wh(site)
        tells(site, departure_at=leaves, energy_wh=10_000.0)
        await site.run(1)
        assert wish(site).departure_at == leaves
        assert wish(site).wanted_wh == pytest.approx(10_000.0 + taken, abs=50.0)
        assert passes[-1].facts["p1/1"].departure_at == leaves

    play(story)


def wh(site: PhysicalSite) -> float:
    session = site.site.connectors["p1/1"].session
    assert session is not None
    return session.energy_wh


def test_a_driver_knows_better_and_the_vehicle_may_change_its_own_mind() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        now = site.clock.time()
        tells(site, departure_at=now + HOUR_S, energy_wh=10_000.0)
        site.site.wish_session("p1/1", wanted_wh=5_000.0)
        tells(site, departure_at=now + 2 * HOUR_S, energy_wh=20_000.0)
        assert (wish(site).departure_at, wish(site).wanted_wh) == (now + 2 * HOUR_S, 5_000.0)
        site.site.wish_session("p1/1", departure_at=now + 3 * HOUR_S)
        tells(site, departure_at=now + HOUR_S)
        assert wish(site).departure_at == now + 3 * HOUR_S

    play(story)


def test_what_a_vehicle_cannot_mean_is_not_believed() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        tells(site, departure_at=site.clock.time() - 1.0, energy_wh=9_000.0)
        assert wish(site).departure_at is None
        assert wish(site).wanted_wh is not None

    play(story)


def test_a_vehicle_that_speaks_before_its_session_has_begun_is_heard_and_the_next_one_is_not_taken_for_it() -> None:
    async def story(site: PhysicalSite) -> None:
        leaves = site.clock.time() + HOUR_S
        tells(site, departure_at=leaves, soc_percent=40.0)
        site.plug("P1")
        assert wish(site).departure_at == leaves
        assert site.site.connectors["p1/1"].soc_percent == 40.0
        site.unplug("P1")
        await site.run(5)
        site.plug("P1")
        assert wish(site).departure_at is None

    play(story)


def held_back(site: PhysicalSite) -> list[HeldBack]:
    return list(site.site.connectors["p1/1"].held_back)


def test_who_holds_a_charge_point_back_at_its_own_site_is_shown_until_it_ends() -> None:
    async def story(site: PhysicalSite) -> None:
        operator = HeldBack(connector=0, source="SO", limit_w=4200.0)
        site.chargers["P1"].report(operator)
        site.chargers["P1"].report(HeldBack(connector=2, source="EMS", limit_a=8.0))
        assert held_back(site) == [operator]
        site.chargers["P1"].report(HeldBack(connector=0, source="SO", ended=True))
        assert held_back(site) == []

    play(story)
