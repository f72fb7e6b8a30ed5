"""The reaction time of a circuit: what it is made of, and for whom it is longer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from custom_components.charge_cluster.engine.guard import CAR_SETTLING_S, CLOCK_SLACK_S
from custom_components.charge_cluster.site.reaction import ASKED_S, PASS_S, WIRE_S
from tests.site.physical import PhysicalSite, a_site
from tests.virtual_time import VirtualLoop, run_virtually

METER_S = 1.0
ONE_JUMP_S = METER_S + PASS_S + WIRE_S + CAR_SETTLING_S
"""What a jump takes before which nothing happened."""
ON_DEMAND_S = ONE_JUMP_S + CLOCK_SLACK_S + ASKED_S


def shown_s(change: Callable[[PhysicalSite], None], *, cluster_a: float | None = None) -> dict[str, float]:
    """Return the reaction times that are shown of a site of two charge points, by circuit."""
    loop = VirtualLoop()
    site = a_site(loop, 2, cluster_a=cluster_a)
    shown = {}

    async def story() -> None:
        await site.start()
        change(site)
        for name in site.chargers:
            site.plug(name)
        await site.run(120)
        shown.update({key: view.reaction_time_s for key, view in site.site.circuits.items()})
        await site.site.stop()

    run_virtually(story(), loop)
    return shown


def nothing(_: PhysicalSite) -> None: ...


def test_it_includes_the_time_in_which_cars_that_follow_another_jump_can_be_told_from_this_one() -> None:
    assert shown_s(nothing) == {"supply": pytest.approx(ON_DEMAND_S)}


@pytest.mark.parametrize(
    ("sample_every_s", "known_after_s"), [(1.0, 2.0), (5.0, 10.0), (10.0, CAR_SETTLING_S), (60.0, CAR_SETTLING_S)]
)
def test_who_does_not_measure_on_demand_makes_it_longer(sample_every_s: float, known_after_s: float) -> None:
    def slower(site: PhysicalSite) -> None:
        site.chargers["P2"].measures_on_demand = False
        site.chargers["P2"].sample_every_s = sample_every_s

    longer = max(ON_DEMAND_S, ONE_JUMP_S + CLOCK_SLACK_S + known_after_s)
    assert shown_s(slower) == {"supply": pytest.approx(longer)}


def test_who_never_measures_is_waited_for_as_long_as_a_car_needs() -> None:
    def blind(site: PhysicalSite) -> None:
        site.chargers["P1"].measures_on_demand = site.chargers["P1"].measures = False

    assert shown_s(blind) == {"supply": pytest.approx(ONE_JUMP_S + CLOCK_SLACK_S + CAR_SETTLING_S)}


def test_who_is_away_is_told_nothing_and_counts_for_nothing() -> None:
    def away(site: PhysicalSite) -> None:
        site.chargers["P2"].measures_on_demand = False
        site.chargers["P2"].lose_connection()

    assert shown_s(away) == {"supply": pytest.approx(ON_DEMAND_S)}


def test_a_circuit_without_a_meter_has_that_of_the_meter_above_it() -> None:
    assert shown_s(nothing, cluster_a=40.0) == dict.fromkeys(("supply", "cluster"), pytest.approx(ON_DEMAND_S))
