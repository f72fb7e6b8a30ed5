"""A master with satellites, judged by the physical truth: one conversation, many posts on circuits of their own."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from custom_components.charge_cluster.chargers import (
    ChargerEvent,
    ConnectorStatus,
    DeviceIdentity,
    DrawSample,
    LimitOrder,
    LimitOutcome,
    ReportEvent,
    StrangerSeen,
    TransactionStarted,
    TransactionStopped,
    WentOffline,
    WentOnline,
)
from custom_components.charge_cluster.site.proof import check, with_fitting_fallbacks
from custom_components.charge_cluster.site.settings import (
    ChargePointSettings,
    CircuitSettings,
    ConnectorSettings,
    SatelliteSettings,
)
from simulator.physics import CircuitSpec, OutletSpec
from tests.site.physical import PhysicalSite, WirelessCharger, a_site
from tests.virtual_time import VirtualLoop, run_virtually

POSTS = 6


class Master:
    """One charge point in front of many posts, which are its connectors by number."""

    def __init__(self, posts: dict[int, WirelessCharger]) -> None:
        self.posts = posts
        self.identity = DeviceIdentity(vendor="Simulated", model="Master")
        self.listeners: list[ReportEvent] = []
        for number, post in posts.items():
            post.listeners.append(partial(self._pass_on, number))

    @property
    def online(self) -> bool:
        return self.posts[1].online

    def _pass_on(self, number: int, event: ChargerEvent) -> None:
        match event:
            case ConnectorStatus() | DrawSample() | TransactionStarted() | TransactionStopped():
                self.tell(replace(event, connector=number))
            case _:
                pass

    def tell(self, event: ChargerEvent) -> None:
        for listener in list(self.listeners):
            listener(event)

    def listen(self, report: ReportEvent) -> Callable[[], None]:
        self.listeners.append(report)
        report(WentOnline())
        for post in self.posts.values():
            post.report_state()
        return lambda: self.listeners.remove(report)

    def lose_connection(self) -> None:
        for post in self.posts.values():
            post.online = False
        self.tell(WentOffline())

    async def apply_limit(self, connector: int, order: LimitOrder) -> LimitOutcome:
        return await self.posts[connector].apply_limit(1, order)

    async def provision_fallback(self, connector: int, fallback_a: float) -> LimitOutcome:
        return await self.posts[connector].provision_fallback(1, fallback_a)

    async def measure(self, connector: int) -> None:
        await self.posts[connector].measure(1)

    @property
    def measures_on_demand(self) -> bool:
        return True

    async def close(self) -> None:
        self.listeners.clear()


class MasterSite(PhysicalSite):
    """A site whose only charge point is a master."""

    master: Master

    def charger(self, settings: ChargePointSettings) -> Master:  # type: ignore[override]  # it has many posts
        posts = {number: super(MasterSite, self).charger(_post(number)) for number in range(1, POSTS + 1)}
        self.master = Master(posts)
        return self.master


def _post(number: int) -> ChargePointSettings:
    return ChargePointSettings(
        charge_point_id=f"post{number}", name=f"P{number}", identity=f"P{number}", circuit_id="supply", connectors=()
    )


def a_satellite(number: int, circuit_id: str = "cluster") -> ConnectorSettings:
    return ConnectorSettings(
        number=number,
        rotation=(number % 3, (number + 1) % 3, (number + 2) % 3),
        satellite=SatelliteSettings(satellite_id=f"s{number}", name=f"Post {number}", circuit_id=circuit_id),
    )


def play(story: Callable[[MasterSite], Awaitable[None]], *, fallback_a: float = 0.0, cluster_a: float = 50.0) -> None:
    """Play a story of a master on the supply of 100 A: its own connector there, five satellites on a cluster."""
    loop = VirtualLoop()
    plain = a_site(loop, 0)
    cluster = CircuitSettings(circuit_id="cluster", name="Cluster", parent_id="supply", rating_a=(cluster_a,) * 3)
    own = ConnectorSettings(number=1, rotation=(0, 1, 2))
    master = ChargePointSettings(
        charge_point_id="north",
        name="Master North",
        identity="NORTH",
        circuit_id="supply",
        connectors=(own, *(a_satellite(number) for number in range(2, POSTS + 1))),
        fallback_a=fallback_a,
    )
    settings = replace(plain.settings, circuits=(*plain.settings.circuits, cluster), charge_points=(master,))
    site = MasterSite(
        settings=settings,
        circuits=[*plain.circuits, CircuitSpec(circuit_id="cluster", parent_id="supply", rating_a=(cluster_a,) * 3)],
        outlets=[
            OutletSpec(
                outlet_id=f"P{connector.number}",
                circuit_id=master.circuit_of(connector),
                rotation=connector.rotation or (0, 1, 2),
            )
            for connector in master.connectors
        ],
        loop=loop,
    )
    site.truth.set_base_load("supply", (20.0,) * 3)

    async def whole() -> None:
        await site.start()
        await site.run(5)
        for number in range(1, POSTS + 1):
            site.plug(f"P{number}", maximum_a=16.0)
        await story(site)
        assert site.above_s() == 0.0
        assert site.above_s("cluster") == 0.0
        await site.site.stop()

    run_virtually(whole(), loop)


def test_satellites_share_their_own_circuit_and_the_master_has_its_own() -> None:
    async def story(site: MasterSite) -> None:
        await site.run(180)
        limits = {key: view.limit_a for key, view in site.site.connectors.items()}
        assert limits["north/1"] >= 16.0
        satellites = [limit for key, limit in limits.items() if key != "north/1"]
        # 50 A less the margin of 2.5 A, for five.
        assert 45.0 <= sum(satellites) <= 47.5

    play(story)


def test_a_master_that_goes_offline_takes_all_its_satellites_with_it() -> None:
    async def story(site: MasterSite) -> None:
        await site.run(180)
        before = site.site.circuits["cluster"].worst_case_a
        assert max(before) > 40.0

        site.master.lose_connection()
        await site.run(1)

        # Nobody has let go of anything yet: all count at their limits, and none of it is given away.
        assert {view.online for view in site.site.connectors.values()} == {False}
        assert site.site.circuits["cluster"].worst_case_a >= before
        await site.run(site.settings.validity_s + 60.0)
        # Then each has passed into its fallback, and counts at that, one as the other.
        assert {view.worst_case_a for view in site.site.connectors.values()} == {6.0}
        assert site.site.circuits["cluster"].worst_case_a == (30.0, 30.0, 30.0)
        assert {charger.offer(site.loop.time()) for charger in site.chargers.values()} == {6.0}

    play(story, fallback_a=6.0)


def test_a_stranger_is_shown_and_becomes_a_satellite_while_the_others_charge() -> None:
    async def story(site: MasterSite) -> None:
        await site.run(120)
        sessions = {key: view.session for key, view in site.site.connectors.items()}
        shown: list[tuple[int, ...]] = []
        site.site.subscribe("strangers", lambda: shown.append(site.site.charge_points["north"].strangers))
        site.master.tell(StrangerSeen(connector=7))
        site.master.tell(StrangerSeen(connector=8))
        site.master.tell(StrangerSeen(connector=7))
        assert shown == [(7,), (7, 8)]

        [master] = site.settings.charge_points
        with_it = replace(master, connectors=(*master.connectors, a_satellite(7)))
        await site.site.apply(replace(site.settings, charge_points=(with_it,)))

        assert site.site.charge_points["north"].strangers == (8,)
        assert shown[-1] == (8,)
        assert "north/7" in site.site.connectors
        assert {key: site.site.connectors[key].session is not None for key in sessions} == dict.fromkeys(sessions, True)

    play(story)


def test_a_stranger_that_draws_is_a_problem_for_as_long_as_it_does() -> None:
    async def story(site: MasterSite) -> None:
        def problems() -> list[tuple[str, str]]:
            return [(p.subject, p.placeholders["drawn"]) for p in site.site.problems() if p.key == "stranger_draws"]

        site.master.tell(StrangerSeen(connector=7))
        await site.run(2)
        assert problems() == []
        site.master.tell(StrangerSeen(connector=7, drawn_a=13.0))
        await site.run(2)
        assert problems() == [("north/7", "13")]
        site.master.tell(StrangerSeen(connector=7, drawn_a=0.0))
        await site.run(2)
        assert problems() == []

    play(story)


def test_fallbacks_are_chosen_for_every_circuit_that_a_master_feeds() -> None:
    loop = VirtualLoop()
    try:
        settings = a_site(loop, 0).settings
    finally:
        loop.close()
    small = CircuitSettings(circuit_id="cluster", name="Cluster", parent_id="supply", rating_a=(25.0,) * 3)
    master = ChargePointSettings(
        charge_point_id="north",
        name="Master North",
        identity="NORTH",
        circuit_id="supply",
        connectors=tuple(a_satellite(number) for number in range(1, 6)),
        fallback_automatic=True,
    )
    settings = replace(settings, circuits=(*settings.circuits, small), charge_points=(master,))
    assert with_fitting_fallbacks(settings).charge_points[0].fallback_a == 0.0  # 5 × 6 A do not fit below 25 A
    fewer = replace(master, connectors=master.connectors[:3])
    settings = replace(settings, charge_points=(fewer,))
    assert with_fitting_fallbacks(settings).charge_points[0].fallback_a == 6.0


def test_two_connectors_of_one_number_are_refused() -> None:
    loop = VirtualLoop()
    try:
        settings = a_site(loop, 1).settings
    finally:
        loop.close()
    [point] = settings.charge_points
    twice = replace(point, connectors=(*point.connectors, a_satellite(1, "supply")))
    elsewhere = replace(point, connectors=(*point.connectors, a_satellite(2, "nowhere")))
    assert [fault.key for fault in check(replace(settings, charge_points=(twice,)))] == ["duplicate_connector"]
    assert [fault.key for fault in check(replace(settings, charge_points=(elsewhere,)))] == ["unknown_circuit"]
