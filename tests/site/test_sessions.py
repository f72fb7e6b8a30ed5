"""Sessions of a whole site in virtual time: the registers of their transactions are the authority on their energy."""

from collections.abc import Awaitable, Callable

import pytest

from custom_components.charge_cluster.chargers import WentOnline
from custom_components.charge_cluster.site.session import Session
from custom_components.charge_cluster.site.sessions import REGISTER_PATIENCE_S
from custom_components.charge_cluster.site.views import SessionEvent
from simulator.vehicle import CarSpec
from tests.site.physical import PhysicalSite, a_site
from tests.virtual_time import VirtualLoop, run_virtually

type Story = Callable[[PhysicalSite], Awaitable[None]]


def play(story: Story, *, measures: bool = True) -> None:
    """Play a story of a charge point P1 that is soon ready, and measures or does not."""
    loop = VirtualLoop()

    async def whole() -> None:
        site = a_site(loop, 1)
        await site.start()
        site.chargers["P1"].measures = measures
        await site.run(5)
        await story(site)
        await site.site.stop()

    run_virtually(whole(), loop)


def drawn_wh(site: PhysicalSite) -> float:
    """Return the truth."""
    return site.chargers["P1"].register_wh


def shown(site: PhysicalSite) -> float:
    """Return the energy of the running session as it is shown."""
    session = site.site.connectors["p1/1"].session
    assert session is not None
    return session.energy_wh


def ends(site: PhysicalSite) -> list[SessionEvent]:
    """Return the ends of sessions that were told."""
    return [event for event in site.told if event.kind == "ended"]


def row(site: PhysicalSite, event: SessionEvent) -> Session:
    """Return what was recorded of a session."""
    return site.notebook.sessions[event.session.session_id]


def test_a_charge_point_that_never_measures_ends_with_the_energy_of_its_registers() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(300)
        assert shown(site) == 0.0
        site.chargers["P1"].stop_transaction()
        assert shown(site) == drawn_wh(site) > 100.0
        site.unplug("P1")
        [ended] = ends(site)
        assert ended.session.energy_wh == row(site, ended).energy_wh == drawn_wh(site)
        assert row(site, ended).ended_at is not None
        assert site.notebook.kept_sessions == {}

    play(story, measures=False)


def test_what_was_measured_counts_until_the_register_at_the_end_comes() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(307)
        assert 0.9 * drawn_wh(site) < shown(site) < drawn_wh(site)
        site.unplug("P1")
        [ended] = ends(site)
        assert ended.session.energy_wh == drawn_wh(site)

    play(story)


def test_what_flowed_before_the_first_measurement_counts_from_the_register_at_the_start() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(300)
        site.chargers["P1"].measures = True
        await site.run(10)
        assert 0.9 * drawn_wh(site) < shown(site) <= drawn_wh(site)

    play(story, measures=False)


def test_an_end_that_comes_after_the_vehicle_left_is_waited_for() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(300)
        charger = site.chargers["P1"]
        site.truth.unplug("P1")
        charger.report_status()
        assert site.site.connectors["p1/1"].session is None
        [recorded] = site.notebook.sessions.values()
        assert recorded.ended_at is not None
        await site.run(60)
        assert ends(site) == []
        charger.stop_transaction()
        [ended] = ends(site)
        assert ended.session.energy_wh == row(site, ended).energy_wh == drawn_wh(site)
        assert ended.duration_s == pytest.approx(300, abs=1)

    play(story, measures=False)


def test_an_end_that_does_not_come_is_not_waited_for_for_ever_and_mends_the_record_when_it_does() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(300)
        charger = site.chargers["P1"]
        charger.lose_connection()
        charger.reconnect()
        site.truth.unplug("P1")
        charger.report_status()
        await site.run(REGISTER_PATIENCE_S + 2)
        [ended] = ends(site)
        assert ended.session.energy_wh == row(site, ended).energy_wh == 0.0
        charger.stop_transaction(late=True)
        assert row(site, ended).energy_wh == drawn_wh(site) > 100.0
        assert ends(site) == [ended]

    play(story, measures=False)


def test_a_late_end_mends_one_record_and_leaves_the_next_session_alone() -> None:
    async def story(site: PhysicalSite) -> None:
        charger = site.chargers["P1"]
        site.plug("P1")
        await site.run(300)
        first_wh = drawn_wh(site)
        charger.stop_transaction(register_wh=10.0, presumed=True)
        site.truth.unplug("P1")
        charger.report_status()
        first_start = charger.meter_start_wh
        site.plug("P1")
        await site.run(300)
        second_start = charger.meter_start_wh
        limit_a = site.site.connectors["p1/1"].limit_a
        charger.transaction, charger.meter_start_wh = 1, first_start
        charger.stop_transaction(register_wh=first_wh, late=True)
        assert site.site.connectors["p1/1"].limit_a == limit_a > 0
        charger.transaction, charger.meter_start_wh = 2, second_start
        site.unplug("P1")
        first, second = ends(site)
        assert first.session.energy_wh == 10.0
        assert row(site, first).energy_wh == first_wh
        assert second.session.energy_wh == row(site, second).energy_wh == drawn_wh(site) - first_wh

    play(story, measures=False)


def test_the_next_vehicle_waits_for_no_register_of_the_last() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        site.truth.unplug("P1")
        site.chargers["P1"].report_status()
        site.plug("P1")
        assert [event.kind for event in site.told] == ["started", "ended", "started"]
        second = site.told[-1].session
        assert second.transaction_id is None
        assert site.site.connectors["p1/1"].session is not None
        assert site.notebook.kept_sessions["p1/1"].session_id == second.session_id

    play(story)


def test_transactions_of_one_session_add_up_and_nothing_counts_twice() -> None:
    async def story(site: PhysicalSite) -> None:
        charger = site.chargers["P1"]
        site.plug("P1")
        charged_wh = 0.0
        for _ in range(3):
            await site.run(107)
            charged_wh += drawn_wh(site) - charger.meter_start_wh
            charger.stop_transaction()
            assert shown(site) == pytest.approx(charged_wh)
            await site.run(11)
            charger.start_transaction()
        await site.run(107)
        assert charged_wh < shown(site) <= drawn_wh(site)
        charged_wh += drawn_wh(site) - charger.meter_start_wh
        site.unplug("P1")
        [ended] = ends(site)
        assert ended.session.energy_wh == pytest.approx(charged_wh)
        assert ended.session.transaction_id == "4"

    play(story)


def test_a_register_that_ran_backwards_is_ignored_and_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def story(site: PhysicalSite) -> None:
        charger = site.chargers["P1"]
        site.plug("P1")
        await site.run(300)
        measured_wh = shown(site)
        assert measured_wh > 100.0
        charger.stop_transaction(register_wh=-5.0)
        assert shown(site) == measured_wh
        site.truth.unplug("P1")
        charger.report_status()
        [ended] = ends(site)
        assert ended.session.energy_wh == row(site, ended).energy_wh == measured_wh

    play(story)
    [line] = [record.getMessage() for record in caplog.records if "register" in record.getMessage()]
    assert line.startswith(
        "The register at the end of transaction 1 at p1/1 (-5 Wh) is below the one at its start (0 Wh)"
    )


def test_a_presumed_end_takes_nothing_away_that_was_measured() -> None:
    async def story(site: PhysicalSite) -> None:
        charger = site.chargers["P1"]
        site.plug("P1")
        await site.run(300)
        measured_wh = shown(site)
        charger.stop_transaction(register_wh=5.0, presumed=True)
        assert shown(site) == measured_wh > 5.0

    play(story)


def test_an_end_that_is_still_owed_is_waited_for_over_a_restart() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(300)
        site.truth.unplug("P1")
        site.chargers["P1"].report_status()
        await site.restart(5)
        assert ends(site) == []
        site.chargers["P1"].stop_transaction(late=True)
        [ended] = ends(site)
        assert ended.session.energy_wh == row(site, ended).energy_wh == drawn_wh(site) > 100.0
        assert ended.duration_s == pytest.approx(300, abs=1)

    play(story, measures=False)


def test_a_session_goes_on_over_a_restart_with_what_its_transactions_came_to() -> None:
    async def story(site: PhysicalSite) -> None:
        charger = site.chargers["P1"]
        site.plug("P1")
        await site.run(200)
        charger.stop_transaction()
        charger.start_transaction()
        await site.restart(5)
        await site.run(200)
        site.unplug("P1")
        [ended] = ends(site)
        assert ended.session.energy_wh == pytest.approx(drawn_wh(site))
        assert [event.kind for event in site.told] == ["started", "ended"]

    play(story, measures=False)


def test_the_end_of_a_session_at_a_charge_point_that_is_removed_is_told() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(60)
        site.truth.unplug("P1")
        site.chargers["P1"].report_status()
        loop = site.loop
        await site.site.apply(a_site(loop, 0).settings)
        await site.run(REGISTER_PATIENCE_S + 2)
        assert len(ends(site)) == 1
        assert site.notebook.kept_sessions == {}

    play(story)


def test_a_session_at_a_charge_point_that_is_removed_ends_with_what_is_known_of_it() -> None:
    async def story(site: PhysicalSite) -> None:
        site.plug("P1")
        await site.run(120)
        known = site.site.connectors["p1/1"].session
        assert known is not None
        await site.site.apply(a_site(site.loop, 0).settings)
        await site.run(120)
        [end] = ends(site)
        assert end.session.energy_wh >= known.energy_wh > 0.0
        assert site.notebook.sessions[known.session_id].ended_at is not None
        assert site.notebook.kept_sessions == {}

    play(story)


async def change_vehicles(site: PhysicalSite, *, stays: bool) -> tuple[float, float, float]:
    """Let the vehicle at P1 leave and another one come, unheard; it may leave as well.

    Return when the first left, when the second came (UTC POSIX seconds), and what the first charged.
    """
    charger = site.chargers["P1"]
    site.truth.unplug("P1")
    charger.fallback_a = 16.0
    left_at, first_wh = site.clock.time(), drawn_wh(site)
    await site.run(20)
    site.truth.plug("P1", CarSpec(name="second", maximum_a=16.0))
    came_at = site.clock.time()
    await site.run(60)
    if not stays:
        site.truth.unplug("P1")
    return left_at, came_at, first_wh


def tell_of(site: PhysicalSite, left_at: float, came_at: float, first_wh: float, *, vehicle_left: bool = True) -> None:
    """Let the charge point at P1 tell of the transactions that nobody heard of, as a queue does."""
    charger = site.chargers["P1"]
    charger.stop_transaction(register_wh=first_wh, at=left_at, vehicle_left=vehicle_left)
    charger.start_transaction(at=came_at, register_wh=first_wh)


def test_vehicles_that_change_while_the_charge_point_is_offline_have_a_session_each() -> None:
    async def story(site: PhysicalSite) -> None:
        charger = site.chargers["P1"]
        site.plug("P1")
        await site.run(107)
        charger.lose_connection()
        left_at, came_at, first_wh = await change_vehicles(site, stays=True)
        charger.runs = False
        charger.reconnect()
        tell_of(site, left_at, came_at, first_wh)
        assert [event.kind for event in site.told] == ["started", "ended", "started"]
        await site.run(157)
        assert shown(site) == pytest.approx(drawn_wh(site) - first_wh, rel=0.1)
        site.unplug("P1")
        first, second = (row(site, end) for end in ends(site))
        assert (first.energy_wh, first.ended_at) == (first_wh, left_at)
        assert (second.energy_wh, second.started_at) == (drawn_wh(site) - first_wh, came_at)
        assert len(site.notebook.sessions) == 2

    play(story)


def test_vehicles_that_change_while_the_site_is_away_have_a_session_each() -> None:
    async def story(site: PhysicalSite) -> None:
        charger = site.chargers["P1"]
        site.plug("P1")
        await site.run(107)
        await site.site.stop()
        left_at, came_at, first_wh = await change_vehicles(site, stays=True)
        charger.runs = False
        await site.begin_anew()
        tell_of(site, left_at, came_at, first_wh)
        site.unplug("P1")
        first, second = (row(site, end) for end in ends(site))
        assert (first.energy_wh, first.ended_at) == (first_wh, left_at)
        assert (second.energy_wh, second.started_at) == (drawn_wh(site) - first_wh, came_at)
        assert len(site.notebook.sessions) == 2

    play(story)


def test_a_vehicle_that_stays_has_one_session_whatever_ended_its_transactions() -> None:
    async def story(site: PhysicalSite) -> None:
        charger = site.chargers["P1"]
        site.plug("P1")
        await site.run(107)
        charger.lose_connection()
        await site.run(20)
        charger.runs = False
        charger.reconnect()
        tell_of(site, site.clock.time() - 10, site.clock.time() - 5, drawn_wh(site), vehicle_left=False)
        await site.run(60)
        site.unplug("P1")
        [end] = ends(site)
        assert row(site, end).energy_wh == drawn_wh(site)
        assert len(site.notebook.sessions) == 1

    play(story)


@pytest.mark.parametrize("away", [False, True], ids=["the charge point is offline", "the site is away"])
@pytest.mark.parametrize("free_first", [False, True], ids=["transactions first", "free first"])
def test_a_visit_that_nobody_saw_is_recorded_once(away: bool, free_first: bool) -> None:
    async def story(site: PhysicalSite) -> None:
        charger = site.chargers["P1"]
        charger.lose_connection()
        if away:
            await site.site.stop()
        site.truth.plug("P1", CarSpec(name="unseen", maximum_a=16.0))
        charger.fallback_a = 16.0
        came_at = site.clock.time()
        await site.run(60)
        site.truth.unplug("P1")
        left_at = site.clock.time()
        await site.run(20)
        if away:
            await site.begin_anew()
        charger.online = True
        charger.report(WentOnline())
        if free_first:
            charger.report_status()
        for _ in range(2):
            charger.start_transaction(at=came_at, register_wh=0.0)
            charger.stop_transaction(at=left_at, vehicle_left=True)
            charger.transaction -= 1
        charger.report_status()
        [recorded] = site.notebook.sessions.values()
        assert (recorded.started_at, recorded.energy_wh) == (came_at, drawn_wh(site))
        assert drawn_wh(site) > 100.0
        # Where nobody knew that the connector was free, the visit ends when it is said to be.
        assert recorded.ended_at == (site.clock.time() if away and not free_first else left_at)
        assert [event.kind for event in site.told] == ["started", "ended"]
        assert site.notebook.kept_sessions == {}

    play(story)


def test_a_start_that_comes_before_the_word_of_the_vehicle_begins_no_session_of_its_own() -> None:
    async def story(site: PhysicalSite) -> None:
        charger = site.chargers["P1"]
        site.truth.plug("P1", CarSpec(name="car", maximum_a=16.0))
        charger.start_transaction()
        assert site.told == []
        charger.report_status()
        await site.run(60)
        site.unplug("P1")
        [end] = ends(site)
        assert row(site, end).energy_wh == drawn_wh(site)
        assert len(site.notebook.sessions) == 1

    play(story)
