"""Cars and charge points as they are: each habit of the scenario `habits`, with the currents that are expected of it.

The scenario is the one that the simulator plays; here it runs in virtual time around a real site, once for all tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from custom_components.charge_cluster.engine.first_start import SEEN_WITHIN_S
from custom_components.charge_cluster.engine.model import Reason
from custom_components.charge_cluster.site.settings import CircuitSettings, SiteSettings
from custom_components.charge_cluster.site.site import Site
from simulator.scenario import Scenario
from simulator.scenario_file import load_scenario
from tests.site.physical import PhysicalSite, a_charge_point, a_site
from tests.virtual_time import VirtualLoop, run_virtually

RUNS_S = 7200.0
FOLLOWS_S = 40.0
"""Until a limit is in force, followed and measured."""


@dataclass(kw_only=True)
class Trace:
    """What a car was offered and drew, second by second from when it was plugged in."""

    offered_a: list[float] = field(default_factory=list)
    drawn_a: list[tuple[float, float, float]] = field(default_factory=list)
    limits_a: list[float] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    measured_a: list[tuple[float, float, float]] = field(default_factory=list)
    """On its terminals, as the site shows it."""

    def most(self, since: float, until: float) -> float:
        """Return the most that it drew on a phase between two moments."""
        return max(max(drawn) for drawn in self.drawn_a[int(since) : int(until)])

    def begins_at(self, since: float = 0.0) -> int:
        """Return the first second from some time on in which it drew current."""
        return next(at for at, drawn in enumerate(self.drawn_a) if at >= since and max(drawn) >= 1.0)


def built(scenario: Scenario, loop: VirtualLoop) -> PhysicalSite:
    """Return a site of the charge points of a scenario, all on its supply."""
    plain = a_site(loop, 0)
    [circuit] = scenario.circuits
    supply = CircuitSettings(
        circuit_id="supply",
        name="Supply",
        parent_id=None,
        rating_a=circuit.rating_a,
        declared_base_load_a=(60.0, 60.0, 60.0),
    )
    rotations = {outlet.outlet_id: outlet.rotation for outlet in scenario.outlets}
    points = tuple(
        replace(
            a_charge_point(point.identity, rotation=rotations[f"{point.identity}/1"]), steps_a=point.steps_a or None
        )
        for point in scenario.charge_points
    )
    settings: SiteSettings = replace(plain.settings, circuits=(supply,), charge_points=points)
    outlets = [replace(outlet, outlet_id=outlet.outlet_id.removesuffix("/1")) for outlet in scenario.outlets]
    physical = PhysicalSite(settings=settings, circuits=list(scenario.circuits), outlets=outlets, loop=loop)
    for point in scenario.charge_points:
        physical.steps_a[point.identity] = point.steps_a
    return physical


@pytest.fixture(scope="module")
def traces() -> Mapping[str, Trace]:
    """Play the scenario."""
    scenario, loop = load_scenario("habits"), VirtualLoop()
    physical = built(scenario, loop)
    found = {arrival.outlet_id.removesuffix("/1"): Trace() for arrival in scenario.arrivals}

    async def story() -> None:
        await physical.start()
        await physical.run(20)
        for arrival in scenario.arrivals:
            name = arrival.outlet_id.removesuffix("/1")
            physical.truth.plug(name, arrival.car)
            physical.chargers[name].plugged()
        await physical.run(RUNS_S, watch)
        assert physical.above_s() == 0.0
        await physical.site.stop()

    def watch() -> None:
        site: Site = physical.site
        for name, trace in found.items():
            if physical.truth.now % 1.0:
                continue
            outlet, view = physical.truth.outlets[name], site.connectors[f"{name.lower()}/1"]
            trace.offered_a.append(outlet.offered_a)
            trace.drawn_a.append(outlet.drawn)
            trace.limits_a.append(view.limit_a)
            trace.reasons.append(view.reason)
            trace.measured_a.append(view.drawn_a or (0.0, 0.0, 0.0))
            physical.chargers[name].report_change()

    run_virtually(story(), loop)
    return found


def test_all_begin_with_the_minimum(traces: Mapping[str, Trace]) -> None:
    for name, trace in traces.items():
        first = next(amps for amps in trace.offered_a if amps)
        assert first == 6.0, name
        held_s = sum(amps == 6.0 for amps in trace.offered_a[:60])
        assert held_s <= SEEN_WITHIN_S + 5.0, name


def test_a_car_that_tapers_gives_back_what_it_leaves(traces: Mapping[str, Trace]) -> None:
    trace = traces["TAPERS"]
    assert trace.most(150, 300) == 32.0
    tapering = [at for at, drawn in enumerate(trace.drawn_a) if at > 300 and 4.0 < max(drawn) < 24.0]
    assert tapering
    for at in tapering[:: len(tapering) // 5]:
        # Once it was below its offer for a minute, it is offered about an ampere more than it takes.
        if at - tapering[0] > 90:
            assert max(trace.drawn_a[at]) < trace.limits_a[at] <= max(trace.drawn_a[at]) + 6.0
    assert trace.most(RUNS_S - 60, RUNS_S) == 0.0


def test_a_quick_and_a_slow_car_both_reach_their_share(traces: Mapping[str, Trace]) -> None:
    begins = {name: traces[name].begins_at() for name in ("QUICK", "SLOW")}
    assert begins["SLOW"] - begins["QUICK"] == pytest.approx(15.0, abs=2.0)
    for name in begins:
        assert traces[name].most(120, 600) == 16.0
    # Held no longer than it may take to begin, though it was hardly seen by then.
    assert next(at for at, amps in enumerate(traces["SLOW"].offered_a) if amps > 6.0) <= SEEN_WITHIN_S + 15.0


def test_a_car_that_needs_8_a_begins_when_its_share_comes(traces: Mapping[str, Trace]) -> None:
    trace = traces["NEEDS8"]
    assert SEEN_WITHIN_S <= trace.begins_at() <= SEEN_WITHIN_S + FOLLOWS_S
    assert trace.most(120, 600) == 16.0
    assert not any(0.0 < max(drawn) < 6.0 for drawn in trace.drawn_a[120:])


def test_a_single_phase_car_gives_its_other_phases_back(traces: Mapping[str, Trace]) -> None:
    trace = traces["ONEPHASE"]
    assert trace.measured_a[300] == (32.0, 0.0, 0.0)
    # 217 A per phase are too little for ten points of 32 A on all of their phases, but not on those that are used.
    assert trace.reasons[60] is Reason.SHARED
    assert trace.reasons[300] is Reason.FULL_POWER


def test_a_car_that_takes_less_than_it_is_offered_gives_the_rest_back(traces: Mapping[str, Trace]) -> None:
    trace = traces["MODEST"]
    assert trace.most(60, RUNS_S) == 10.0
    assert trace.limits_a[600] == 11.0
    assert trace.reasons[600] is Reason.VEHICLE_TAKES_LESS


def test_a_car_that_was_full_begins_again_by_itself_to_warm_up(traces: Mapping[str, Trace]) -> None:
    trace = traces["WARMS"]
    full = next(at for at, drawn in enumerate(trace.drawn_a) if at > 120 and max(drawn) == 0.0)
    assert full < 1000
    # It keeps an offer of its minimum where there is room, so that it can.
    assert trace.limits_a[full + 300] >= 6.0
    again = trace.begins_at(full + 60)
    assert again - full == pytest.approx(5400.0, abs=30.0)
    assert trace.most(again + 90, again + 800) == 12.0
    assert trace.most(again + 960, RUNS_S) == 0.0


def test_phantom_currents_are_no_phases_in_use(traces: Mapping[str, Trace]) -> None:
    trace = traces["PHANTOM"]
    assert trace.drawn_a[300] == (32.0, 0.4, 0.5)
    assert trace.reasons[300] is Reason.FULL_POWER


def test_a_charger_with_a_list_of_currents_is_told_none_in_between(traces: Mapping[str, Trace]) -> None:
    trace = traces["LISTED"]
    assert set(trace.limits_a) <= {0.0, 6.0, 8.0, 10.0, 13.0, 16.0}
    assert trace.most(120, 600) == 16.0
