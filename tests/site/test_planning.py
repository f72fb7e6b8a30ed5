"""Plans of a site in virtual time: who waits for cheap hours, who does not, and what is said of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC

import pytest

from custom_components.charge_cluster.chargers import NeedsTold
from custom_components.charge_cluster.engine.bands import economy_7
from custom_components.charge_cluster.engine.model import ChargingMode, Reason
from custom_components.charge_cluster.engine.planned import delay_s
from custom_components.charge_cluster.engine.planner import Plan, PlanTask
from custom_components.charge_cluster.engine.tariff import PriceCurve, PricePoint, Window
from custom_components.charge_cluster.ocpp.listeners import enlist
from custom_components.charge_cluster.site.foresight import PastStay
from custom_components.charge_cluster.site.month_peak import KeptPeak, month_start
from custom_components.charge_cluster.site.plan import PlanView, Said
from custom_components.charge_cluster.site.plan_now import AWAITED_S
from custom_components.charge_cluster.site.session_news import IMPOSSIBLE
from custom_components.charge_cluster.site.session_wish import Profile
from custom_components.charge_cluster.site.settings import ConnectorWish, SiteWish
from custom_components.charge_cluster.tariffs.settings import BandTariff, TariffSettings
from tests.site.physical import PhysicalSite, a_site, at_once
from tests.virtual_time import START_WALL, VirtualLoop, run_virtually

SLOT_S = 900.0
CHEAP_AT = START_WALL + SLOT_S
"""From here on energy is cheap; it is 08:15 UTC then."""
DEAR, CHEAP = 0.40, 0.10
AT_ONCE = SiteWish(mode=ChargingMode.SMART, delay_s=0.0, energy_wh=4000.0)
SMART, OFF_PEAK, NORMAL = ChargingMode.SMART, ChargingMode.OFF_PEAK, ChargingMode.NORMAL


@dataclass
class DearMorning:
    """Prices that fall in a quarter of an hour."""

    cheap_at: float = CHEAP_AT
    cheap: float = CHEAP
    known: bool = True
    windows: tuple[Window, ...] = (Window(CHEAP_AT, CHEAP_AT + 3600.0),)
    demand_objective: float = 0.0
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def curve(self, start: float, end: float) -> PriceCurve:
        if not self.known:
            return PriceCurve()
        until = START_WALL + 7 * 86_400.0
        whole = [PricePoint(START_WALL - 86_400.0, self.cheap_at, DEAR), PricePoint(self.cheap_at, until, self.cheap)]
        return PriceCurve.of(whole).clipped(start, end)

    objective = curve

    def off_peak(self, start: float, end: float) -> tuple[Window, ...]:
        return tuple(window for window in self.windows if window.end > start and window.start < end)

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        return enlist(self.listeners, changed)


class Solver:
    """Counts how often a plan is made, and may fail."""

    def __init__(self) -> None:
        self.tasks: list[PlanTask] = []
        self.fails = False

    async def __call__(self, task: PlanTask) -> Plan:
        self.tasks.append(task)
        await asyncio.sleep(0.2)
        if self.fails:
            raise ValueError("no plan today")
        return await at_once(task)


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def play(
    site: PhysicalSite,
    story: Callable[[PhysicalSite], Awaitable[None]],
    *,
    usual: SiteWish = AT_ONCE,
    prices: DearMorning | None = None,
    solver: Solver | None = None,
    most_above_s: float = 0.0,
) -> None:
    """Play a story at a site where prices fall at 08:15."""

    async def whole() -> None:
        site.usual, site.prices = usual, DearMorning() if prices is None else prices
        site.solve = Solver() if solver is None else solver
        site.site = site._site()
        await site.start()
        await site.run(10)
        await story(site)
        await site.site.stop()
        assert site.above_s() <= most_above_s

    run_virtually(whole(), site.loop)


def drawn(site: PhysicalSite) -> list[float]:
    return [max(outlet.drawn) for outlet in site.truth.outlets.values()]


def plan_of(site: PhysicalSite, number: int = 1) -> PlanView:
    plan = site.site.connectors[f"p{number}/1"].plan
    assert plan is not None
    return plan


def session_id(site: PhysicalSite) -> str:
    session = site.site.connectors["p1/1"].session
    assert session is not None
    return session.session_id


def used_to(site: PhysicalSite, stayed_h: Callable[[int], float], energy_wh: float) -> None:
    """Have remembered how long vehicles stayed that came at this hour on each of 20 working days, oldest first."""
    days = [day for day in range(28, 0, -1) if day % 7 not in {5, 6}]
    site.site.foresight.remember(
        PastStay(
            key="p1/1",
            started_at=(came_at := START_WALL - day * 86_400.0),
            ended_at=came_at + stayed_h(number) * 3600.0,
            energy_wh=energy_wh,
        )
        for number, day in enumerate(days)
    )


async def until(site: PhysicalSite, wall: float) -> None:
    await site.run(wall - site.clock.time())


def test_a_car_waits_for_the_cheap_hour_and_its_contactor_does_not_close_before(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        flowed: list[float] = []
        await site.run(60, watch=lambda: flowed.append(max(drawn(site))))
        view = site.site.connectors["p1/1"]
        assert (view.reason, view.expected_at, view.mode) == (Reason.PLANNED, CHEAP_AT, SMART)
        plan = plan_of(site)
        assert (plan.next_start, plan.leave_by) == (CHEAP_AT, Said.SITE)
        assert plan.energy_wh == pytest.approx(4000.0, abs=300.0)
        assert plan.cost == pytest.approx(4.0 * CHEAP, rel=0.1)
        assert plan.completes_at is not None
        assert CHEAP_AT < plan.completes_at <= CHEAP_AT + 3600.0
        assert not plan.impossible
        await site.run(CHEAP_AT - site.clock.time() - 1.0, watch=lambda: flowed.append(max(drawn(site))))
        assert set(flowed) == {0.0}
        await site.run(90)
        assert drawn(site) == [16.0]
        assert plan_of(site).next_start is None

    play(a_site(loop, 1), story)


def test_a_rise_by_the_tariff_is_put_off_by_the_moment_of_the_session(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(30)
        begins = CHEAP_AT + delay_s(session_id(site), CHEAP_AT, 600.0)
        assert plan_of(site).next_start == pytest.approx(begins)
        await until(site, begins - 2.0)
        assert drawn(site) == [0.0]
        await site.run(60)
        assert max(drawn(site)) >= 6.0

    play(a_site(loop, 1), story, usual=replace(AT_ONCE, delay_s=600.0))


@pytest.mark.parametrize(
    ("cheap", "said", "waits"),
    [
        # One in twenty goes after an hour: that is worth more than a cent.
        (DEAR - 0.01, False, False),
        (DEAR - 0.01, True, True),
    ],
)
def test_who_may_be_gone_by_then_does_not_wait_for_little(
    loop: VirtualLoop, cheap: float, *, said: bool, waits: bool
) -> None:
    two_hours_on = START_WALL + 7200.0

    async def story(site: PhysicalSite) -> None:
        used_to(site, lambda number: 1.0 if number == 9 else 6.0, 4000.0)
        site.plug("P1")
        await site.run(5)
        if said:
            site.site.wish_session("p1/1", departure_at=START_WALL + 6.0 * 3600.0)
        await site.run(60)
        assert (drawn(site) == [0.0]) is waits
        plan = plan_of(site)
        assert plan.next_start == (two_hours_on if waits else None)
        assert plan.leave_by is (Said.DRIVER if said else Said.HABITS)
        assert plan.leave_at == pytest.approx(START_WALL + 6.0 * 3600.0, abs=60.0)
        assert plan.completes_at is not None
        assert (plan.completes_at > two_hours_on) is waits
        assert plan.shortfall_wh == 0.0

    play(a_site(loop, 1), story, prices=DearMorning(cheap_at=two_hours_on, cheap=cheap))


def test_a_first_part_is_charged_at_once_of_who_may_be_gone_and_the_rest_waits(loop: VirtualLoop) -> None:
    """It takes 12 kWh: a fifth and 3 kWh of it flow in half an hour, though it is much cheaper in two hours."""
    two_hours_on, solver = START_WALL + 7200.0, Solver()

    async def story(site: PhysicalSite) -> None:
        used_to(site, lambda number: 1.0 if number == 9 else 6.0, 12_000.0)
        site.plug("P1")
        await site.run(60)
        assert drawn(site) == [16.0]
        plan = plan_of(site)
        assert plan.leave_by is Said.HABITS
        assert plan.completes_at is not None
        assert plan.completes_at > two_hours_on
        await until(site, START_WALL + 3 * SLOT_S + 60.0)
        assert drawn(site) == [0.0]
        plan = plan_of(site)
        assert plan.next_start == two_hours_on
        assert plan.shortfall_wh == 0.0
        session = site.site.connectors["p1/1"].session
        assert session is not None
        # Less than a minimum of it is left for another slot.
        assert session.energy_wh == pytest.approx(0.2 * 12_000.0 + 3000.0, abs=300.0)
        # Who stays is more likely to stay on: that is thought of with each quarter of an hour.
        assert {task.now // SLOT_S for task in solver.tasks} == {START_WALL // SLOT_S + slot for slot in range(4)}
        await until(site, two_hours_on + 60.0)
        assert drawn(site) == [16.0]

    play(a_site(loop, 1), story, prices=DearMorning(cheap_at=two_hours_on, cheap=DEAR - 0.3), solver=solver)


def test_what_is_had_until_the_likely_departure_is_told_and_who_stays_goes_on(loop: VirtualLoop) -> None:
    """Two in three leave after half an hour, and have 11 kWh of 20 by then; the others stay for four hours."""
    half_an_hour_on = START_WALL + 1800.0

    async def story(site: PhysicalSite) -> None:
        used_to(site, lambda number: 4.0 if number % 3 == 0 else 0.5, 20_000.0)
        site.plug("P1", maximum_a=32.0)
        await site.run(60)
        plan = plan_of(site)
        assert plan.leave_at == pytest.approx(half_an_hour_on, abs=60.0)
        assert plan.energy_wh == pytest.approx(11_000.0, abs=400.0)
        assert plan.shortfall_wh == pytest.approx(20_000.0 - plan.energy_wh, abs=100.0)
        assert (plan.completes_at, plan.promised) == (None, False)
        assert plan.slots[-1].end > half_an_hour_on
        flowed: list[float] = []
        await site.run(half_an_hour_on + 90.0 - site.clock.time(), watch=lambda: flowed.append(max(drawn(site))))
        assert min(flowed[60:]) == 32.0
        plan = plan_of(site)
        assert plan.leave_at == pytest.approx(START_WALL + 4.0 * 3600.0, abs=60.0)
        assert plan.shortfall_wh == 0.0
        assert plan.completes_at is not None

    play(a_site(loop, 1), story, prices=DearMorning(cheap_at=START_WALL - 60.0))


def test_who_asks_to_charge_now_does(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(30)
        site.site.wish_session("p1/1", charge_now=True)
        await site.run(60)
        assert drawn(site) == [16.0]
        site.unplug("P1")
        await site.run(30)
        site.plug("P1")
        await site.run(60)
        assert drawn(site) == [0.0]

    play(a_site(loop, 1), story)


def test_who_leaves_before_it_gets_cheap_charges_now(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(30)
        site.site.wish_session("p1/1", departure_at=CHEAP_AT, wanted_wh=1500.0)
        await site.run(60)
        assert max(drawn(site)) >= 6.0
        assert (plan_of(site).leave_by, plan_of(site).impossible) == (Said.DRIVER, False)

    play(a_site(loop, 1), story, usual=replace(AT_ONCE, delay_s=600.0))


def test_a_plan_is_made_anew_for_the_profile_of_the_driver(loop: VirtualLoop) -> None:
    """The site expects it to stay; its driver is known to leave 20 minutes after 8 o'clock, before it is as cheap."""

    async def story(site: PhysicalSite) -> None:
        site.chargers["P1"].id_tag = "ANN"
        site.plug("P1")
        await site.run(60)
        assert (drawn(site), plan_of(site).leave_by) == ([0.0], Said.SITE)
        site.notebook.profiles["ANN"] = Profile(leave_by_s=8 * 3600.0 + 1200.0, usual_wh=3000.0)
        await site.run(60)
        plan = plan_of(site)
        assert (plan.leave_by, plan.leave_at) == (Said.PROFILE, START_WALL + 1200.0)
        assert max(drawn(site)) >= 6.0

    play(a_site(loop, 1), story)


@pytest.mark.parametrize("mode", [SMART, OFF_PEAK, NORMAL])
def test_what_cannot_be_had_is_said_at_once_in_energy_and_time(loop: VirtualLoop, mode: ChargingMode) -> None:
    """22 kW for 15 minutes are 5.5 kWh: 2.5 more take another 7 minutes."""

    async def story(site: PhysicalSite) -> None:
        site.plug("P1", maximum_a=32.0)
        await until(site, START_WALL + 30.0)
        site.site.wish_session("p1/1", departure_at=CHEAP_AT + 30.0, wanted_wh=8000.0)
        await site.run(10)
        plan = plan_of(site)
        assert plan.impossible
        assert plan.shortfall_wh == pytest.approx(2500.0, abs=250.0)
        assert plan.possible_at == pytest.approx(CHEAP_AT + 30.0 + 2500.0 / 22_080.0 * 3600.0, abs=60.0)
        (told,) = [event for event in site.told if event.kind == IMPOSSIBLE]
        assert (told.key, told.shortfall_wh, told.possible_at) == ("p1/1", plan.shortfall_wh, plan.possible_at)
        # It charges all the same, whatever that costs.
        await site.run(60)
        assert drawn(site) == [32.0]
        site.site.wish_session("p1/1", wanted_wh=4000.0)
        await site.run(30)
        now = site.site.connectors["p1/1"].plan
        assert now is None or not now.impossible

    play(a_site(loop, 1), story, usual=replace(AT_ONCE, mode=mode))


def test_where_no_plan_can_be_made_everybody_charges_now(loop: VirtualLoop) -> None:
    solver = Solver()
    solver.fails = True

    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(AWAITED_S + 20.0)
        assert drawn(site) == [16.0]
        assert len(solver.tasks) == 1
        solver.fails = False
        await site.run(60)
        assert drawn(site) == [0.0]

    play(a_site(loop, 1), story, solver=solver)


def test_where_no_price_is_known_everybody_charges_now(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        assert drawn(site) == [16.0]

    play(a_site(loop, 1), story, prices=DearMorning(known=False, windows=()))


def test_off_peak_is_the_hours_of_the_tariff_and_now_where_there_are_none(loop: VirtualLoop) -> None:
    prices = DearMorning()

    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        view = site.site.connectors["p1/1"]
        assert (drawn(site), view.reason, view.expected_at) == ([0.0], Reason.OFF_PEAK, CHEAP_AT)
        await until(site, CHEAP_AT + 60.0)
        assert drawn(site) == [16.0]
        prices.windows = (Window(CHEAP_AT + 7200.0, CHEAP_AT + 9000.0),)
        for changed in list(prices.listeners):
            changed()
        await site.run(30)
        assert drawn(site) == [0.0]
        prices.windows = ()
        for changed in list(prices.listeners):
            changed()
        await site.run(60)
        assert drawn(site) == [16.0]

    play(a_site(loop, 1), story, usual=replace(AT_ONCE, mode=OFF_PEAK), prices=prices)


def test_what_a_driver_asked_for_goes_before_the_hours_of_the_tariff(loop: VirtualLoop) -> None:
    """22 kW in the off-peak half hour are 11 kWh; the rest of what was asked for is charged before."""

    async def story(site: PhysicalSite) -> None:
        site.plug("P1", maximum_a=32.0)
        await site.run(30)
        assert drawn(site) == [0.0]
        site.site.wish_session("p1/1", departure_at=CHEAP_AT + 1800.0, wanted_wh=12_500.0)
        await site.run(60)
        assert max(drawn(site)) >= 6.0
        assert not plan_of(site).impossible

    play(a_site(loop, 1), story, usual=replace(AT_ONCE, mode=OFF_PEAK))


def test_a_tariff_of_the_site_is_what_is_planned_by(loop: VirtualLoop) -> None:
    """Economy 7: the night ends at seven o'clock, and it is eight."""

    async def whole() -> None:
        site = a_site(loop, 1)
        tariff = TariffSettings(tariff_id="t", name="Night", source=BandTariff(bands=economy_7(0.3, 0.1)))
        site.settings, site.usual = replace(site.settings, tariffs=(tariff,)), AT_ONCE
        site.site = site._site()
        await site.start()
        site.plug("P1")
        await site.run(30)
        site.site.wish_session("p1/1", departure_at=START_WALL + 86_400.0)
        await site.run(30)
        assert drawn(site) == [0.0]
        plan = plan_of(site)
        assert plan.next_start == START_WALL + 16.5 * 3600.0
        assert plan.cost == pytest.approx(4.0 * 0.1, rel=0.02)
        await site.site.stop()

    run_virtually(whole(), loop)


def test_a_restart_goes_on_with_the_plan_though_no_price_is_known_yet(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(30)
        site.prices = DearMorning(known=False, windows=())
        await site.restart(5)
        flowed: list[float] = []
        await site.run(120, watch=lambda: flowed.append(max(drawn(site))))
        assert set(flowed) == {0.0}
        assert plan_of(site).next_start == CHEAP_AT
        await until(site, CHEAP_AT + 60.0)
        assert drawn(site) == [16.0]

    play(a_site(loop, 1), story)


def test_a_night_is_charged_at_the_fallback_though_nobody_leads(loop: VirtualLoop) -> None:
    """Home Assistant goes away in the dear hours: the charger waits for the cheap ones, and has its fallback then."""

    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        charger = site.chargers["P1"]
        assert [(step.at - CHEAP_AT, step.amps) for step in charger.afterwards] == [(-SLOT_S, 0.0), (0.0, 6.0)]
        await site.site.stop()
        flowed: list[float] = []
        await site.run(CHEAP_AT - site.clock.time() - 1.0, watch=lambda: flowed.append(max(drawn(site))))
        assert set(flowed) == {0.0}
        await site.run(60)
        assert drawn(site) == [6.0]
        await site.begin_anew()

    play(a_site(loop, 1, fallback_a=6.0), story, usual=replace(AT_ONCE, energy_wh=3000.0))


def test_all_charge_in_the_cheap_hour_though_passes_keep_the_fallback_of_each(loop: VirtualLoop) -> None:
    """There is next to nothing beside the fallbacks: one after the other would leave most of it unused."""

    async def story(site: PhysicalSite) -> None:
        for number in range(1, 7):
            site.plug(f"P{number}")
        await site.run(60)
        assert drawn(site) == [0.0] * 6
        await until(site, CHEAP_AT + 120.0)
        assert min(drawn(site)) >= 6.0

    site = a_site(loop, 6, supply_a=63.0, declared_a=20.0, fallback_a=6.0)
    play(site, story, usual=replace(AT_ONCE, energy_wh=4000.0, leave_by_s=10.0 * 3600.0))


def test_who_needs_all_of_its_fallback_is_never_paused_by_itself(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        assert site.chargers["P1"].afterwards == ()

    play(a_site(loop, 1, fallback_a=6.0), story, usual=replace(AT_ONCE, energy_wh=60_000.0))


def test_a_plan_is_made_anew_when_something_changes_and_only_then(loop: VirtualLoop) -> None:
    solver = Solver()

    async def story(site: PhysicalSite) -> None:
        site.plug("P1", maximum_a=32.0)
        await site.run(SLOT_S + 60.0)
        assert len(solver.tasks) == 1
        site.plug("P2", maximum_a=32.0)
        site.plug("P3", maximum_a=32.0)
        await site.run(60)
        assert len(solver.tasks) == 2
        site.site.wish_session("p2/1", wanted_wh=9000.0)
        await site.run(30)
        assert len(solver.tasks) == 3
        wanted = [session.wanted_wh for session in solver.tasks[-1].sessions]
        assert wanted == [pytest.approx(amount, abs=1000.0) for amount in (14_000.0, 8500.0, 19_500.0)]

    play(
        a_site(loop, 3),
        story,
        solver=solver,
        prices=DearMorning(cheap_at=START_WALL - 60.0),
        usual=replace(AT_ONCE, energy_wh=20_000.0),
    )


def test_a_car_that_takes_less_than_planned_is_planned_anew_at_once(loop: VirtualLoop) -> None:
    """Of a car that nobody has seen yet all that the connector gives is expected, until it takes 10 A."""
    solver = Solver()

    async def story(site: PhysicalSite) -> None:
        site.plug("P1", maximum_a=10.0)
        await site.run(20)
        assert solver.tasks[0].sessions[0].maximum_a == 32.0
        await site.run(160)
        assert site.clock.time() < CHEAP_AT
        assert len(solver.tasks) == 2
        assert solver.tasks[1].sessions[0].maximum_a == pytest.approx(10.0, abs=1.5)

    play(
        a_site(loop, 1),
        story,
        solver=solver,
        prices=DearMorning(cheap_at=START_WALL - 60.0),
        usual=replace(AT_ONCE, energy_wh=20_000.0),
    )


def test_a_car_is_planned_on_the_phases_that_its_driver_s_used_the_last_time(loop: VirtualLoop) -> None:
    """It comes, charges on one phase, leaves and comes again; then somebody forgets it, and a stranger comes."""
    solver = Solver()

    def planned_on() -> tuple[int, ...]:
        return tuple(solver.tasks[-1].sessions[0].phases)

    async def story(site: PhysicalSite) -> None:
        site.chargers["P1"].id_tag = "ANN"
        site.plug("P1", maximum_a=16.0, phases=1)
        await site.run(20)
        assert planned_on() == (0, 1, 2)
        await site.run(300)
        assert planned_on() == (0,)
        site.unplug("P1")
        await site.run(120)
        for id_tag, forgotten, phases in (("ANN", False, (0,)), ("BOB", False, (0, 1, 2)), ("ANN", True, (0, 1, 2))):
            site.chargers["P1"].id_tag = id_tag
            if forgotten:
                site.site.foresight.forget("ann")
            site.plug("P1", maximum_a=16.0, phases=1)
            await site.run(20)
            assert planned_on() == phases
            site.unplug("P1")
            await site.run(120)

    play(
        a_site(loop, 1),
        story,
        solver=solver,
        prices=DearMorning(cheap_at=START_WALL - 60.0),
        usual=replace(AT_ONCE, energy_wh=20_000.0),
    )


def test_a_car_is_planned_as_it_says_itself(loop: VirtualLoop) -> None:
    solver = Solver()

    async def story(site: PhysicalSite) -> None:
        site.plug("P1", maximum_a=16.0, phases=1)
        site.chargers["P1"].report(NeedsTold(connector=1, phases=1, most_a=16.0))
        await site.run(20)
        (session,) = solver.tasks[-1].sessions
        assert (session.phases, session.maximum_a) == ((0,), 16.0)

    play(a_site(loop, 1), story, solver=solver)


def test_where_reality_is_short_the_plan_adapts_with_the_next_slot(loop: VirtualLoop) -> None:
    solver = Solver()

    async def story(site: PhysicalSite) -> None:
        site.plug("P1", maximum_a=32.0)
        await site.run(120)
        assert drawn(site) == [32.0]
        site.truth.set_base_load("supply", (86.0,) * 3)
        await until(site, CHEAP_AT + 20.0)
        assert len(solver.tasks) == 2
        free = solver.tasks[-1].free_a["supply"]
        assert free[0][0] == pytest.approx(9.0, abs=2.0)

    play(
        a_site(loop, 1),
        story,
        solver=solver,
        prices=DearMorning(cheap_at=START_WALL - 60.0),
        usual=replace(AT_ONCE, energy_wh=20_000.0),
        most_above_s=12.0,
    )


def test_the_site_says_how_connectors_charge_that_nobody_chose_a_mode_for(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.site.wish("p2/1", ConnectorWish(mode=NORMAL))
        for name in ("P1", "P2", "P3"):
            site.plug(name)
        site.site.wish("p3/1", ConnectorWish(mode=ChargingMode.OFF))
        await site.run(90)
        assert drawn(site) == [0.0, 16.0, 0.0]
        modes = [(view.mode, view.chosen_mode) for view in site.site.connectors.values()]
        assert modes == [(SMART, None), (NORMAL, NORMAL), (ChargingMode.OFF, ChargingMode.OFF)]
        site.site.wish_session("p3/1", charge_now=True)
        site.site.wish_usual(replace(AT_ONCE, mode=NORMAL))
        await site.run(60)
        # What is off stays off, whoever asks.
        assert drawn(site) == [16.0, 16.0, 0.0]
        assert site.site.connectors["p3/1"].reason is Reason.SWITCHED_OFF

    play(a_site(loop, 3), story)


def test_who_charges_when_it_is_put_by_plan_goes_on_until_the_plan_is_made(loop: VirtualLoop) -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        assert drawn(site) == [16.0]
        site.site.wish_usual(AT_ONCE)
        await site.run(30)
        assert drawn(site) == [0.0]
        assert site.site.connectors["p1/1"].reason is Reason.PLANNED

    play(a_site(loop, 1), story, usual=replace(AT_ONCE, mode=NORMAL))


def test_prices_of_five_minutes_are_planned_in_slots_of_five_minutes(loop: VirtualLoop) -> None:
    """Of three short slots the middle one is cheap: all is taken there, and nothing before or after."""

    class Short(DearMorning):
        def curve(self, start: float, end: float) -> PriceCurve:
            first = START_WALL + 600.0
            points = [PricePoint(first - 86_400.0, first, DEAR), PricePoint(first, first + 300.0, CHEAP)]
            return PriceCurve.of([*points, PricePoint(first + 300.0, first + 86_400.0, DEAR)]).clipped(start, end)

        objective = curve

    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await until(site, START_WALL + 60.0)
        site.site.wish_session("p1/1", departure_at=START_WALL + 3600.0, wanted_wh=700.0)
        await until(site, START_WALL + 590.0)
        assert drawn(site) == [0.0]
        await until(site, START_WALL + 690.0)
        # 0.7 kWh in five minutes are 8.4 kW.
        assert drawn(site) == [12.0]
        await until(site, START_WALL + 960.0)
        assert drawn(site) == [0.0]
        session = site.site.connectors["p1/1"].session
        assert session is not None
        assert session.energy_wh == pytest.approx(700.0, abs=100.0)

    play(a_site(loop, 1), story, prices=Short())


@pytest.mark.parametrize("demand_charge", [0.0, 90.0])
def test_a_demand_charge_keeps_the_demand_below_the_peak_of_the_month(loop: VirtualLoop, demand_charge: float) -> None:
    """13.8 kW flow anyway, and each of three cars takes 11 kW: the peak of 28 kW is kept by one after the other."""
    peak_w = 28_000.0
    prices = DearMorning(demand_objective=demand_charge)
    solver = Solver()

    async def story(site: PhysicalSite) -> None:
        for number in (1, 2, 3):
            site.plug(f"P{number}")
        await site.run(20)
        for number in (1, 2, 3):
            site.site.wish_session(f"p{number}/1", departure_at=CHEAP_AT + 5400.0, wanted_wh=3000.0)
        await until(site, CHEAP_AT + 5400.0)
        taken = [view.session.energy_wh for view in site.site.connectors.values() if view.session is not None]
        assert min(taken) >= 2800.0
        minutes: dict[int, list[float]] = {}
        for circuit_id, start, _, power_w in site.notebook.minutes:
            if circuit_id == "supply":
                minutes.setdefault(int(start // SLOT_S), []).append(power_w)
        demands = [sum(powers) / len(powers) for powers in minutes.values() if len(powers) >= 8]
        assert (max(demands) <= peak_w) is (demand_charge > 0.0)
        assert (solver.tasks[-1].peak is not None) is (demand_charge > 0.0)
        kept = site.notebook.peak
        assert kept is not None
        assert (kept.watts > peak_w) is (demand_charge == 0.0)

    site = a_site(loop, 3)
    site.notebook.peak = KeptPeak(start=month_start(START_WALL, UTC), watts=peak_w)
    play(site, story, prices=prices, solver=solver)
