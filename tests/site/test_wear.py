"""What wears out is counted: starts of current and limits that are written."""

from __future__ import annotations

from dataclasses import replace

from custom_components.charge_cluster.site.wear import WEAR_EVERY_S, KeptWear, Starts
from tests.site.physical import PhysicalSite, a_site
from tests.virtual_time import VirtualLoop, run_virtually

KEY = "p1/1"


def shown(site: PhysicalSite) -> KeptWear:
    return site.site.connectors[KEY].wear


async def charge(site: PhysicalSite, times: int) -> None:
    """Let a car come, charge and leave so often."""
    for _ in range(times):
        site.plug("P1")
        await site.run(60)
        site.unplug("P1")
        await site.run(30)


async def begun(site: PhysicalSite) -> None:
    await site.start()
    await site.run(5)


def test_starts_and_writes_are_counted_shown_and_kept() -> None:
    async def story(site: PhysicalSite) -> None:
        await begun(site)
        await charge(site, 3)
        assert shown(site).starts == 0  # a total is shown every five minutes
        await site.run(WEAR_EVERY_S)
        assert shown(site).starts == 3
        assert shown(site).passing_writes == len(site.chargers["P1"].calls)
        assert shown(site).lasting_writes == site.chargers["P1"].fallbacks_stored
        assert site.notebook.wear[KEY] == shown(site)
        await site.site.stop()

    loop = VirtualLoop()
    run_virtually(story(a_site(loop, 1)), loop)


def test_a_total_goes_on_after_a_restart_and_a_charging_car_is_no_start() -> None:
    async def story(site: PhysicalSite) -> None:
        await begun(site)
        await charge(site, 2)
        site.plug("P1")
        await site.run(60)
        await site.restart(away_s=5.0)
        await site.run(5)
        assert shown(site).starts == 3
        writes = shown(site).passing_writes
        await site.run(WEAR_EVERY_S + 10)
        assert shown(site).starts == 3
        assert shown(site).passing_writes > writes
        await site.site.stop()

    loop = VirtualLoop()
    run_virtually(story(a_site(loop, 1)), loop)


def test_what_is_written_down_of_wear_is_little() -> None:
    async def story(site: PhysicalSite) -> None:
        await begun(site)
        totals: list[KeptWear] = []

        def watch() -> None:
            if site.notebook.wear.get(KEY) not in [None, *totals]:
                totals.append(site.notebook.wear[KEY])

        site.plug("P1")
        await site.run(1800, watch)
        assert 4 <= len(totals) <= 1800 / WEAR_EVERY_S + 1
        await site.site.stop()

    loop = VirtualLoop()
    run_virtually(story(a_site(loop, 1)), loop)


def test_a_connector_that_is_removed_leaves_no_total() -> None:
    async def story(site: PhysicalSite) -> None:
        await begun(site)
        await charge(site, 1)
        await site.run(WEAR_EVERY_S)
        assert site.notebook.wear
        await site.site.apply(replace(site.settings, charge_points=()))
        await site.run(120)
        assert not site.notebook.wear
        await site.site.stop()

    loop = VirtualLoop()
    run_virtually(story(a_site(loop, 1)), loop)


def test_current_that_flows_when_nobody_knew_before_is_no_start() -> None:
    starts = Starts()
    for amps in (16.0, 0.4, 6.0, 16.0, 0.0, 0.0, 1.0):
        starts.saw(amps)
    assert starts.count == 2
