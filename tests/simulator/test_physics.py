"""The truth adds up: currents over the tree, energy over time, and the account of what was above a rating."""

import pytest
from hypothesis import given, strategies as st

from simulator.building import LoadChange, LoadProgramme
from simulator.overload import PhaseAccount
from simulator.physics import NOMINAL_VOLTAGE_V, CircuitSpec, OutletSpec, OutletTaken, SiteTruth
from simulator.vehicle import CarSpec


def constant(*amps: float) -> LoadProgramme:
    return LoadProgramme(changes=(LoadChange(at_s=0.0, amps=(amps[0], amps[1], amps[2])),))


def a_site(rotation: tuple[int, ...] = (0, 1, 2), load: LoadProgramme | None = None) -> SiteTruth:
    return SiteTruth(
        [
            CircuitSpec(circuit_id="supply", rating_a=(40.0, 40.0, 40.0), load=load or LoadProgramme()),
            CircuitSpec(circuit_id="a", parent_id="supply", rating_a=(25.0, 25.0, 25.0)),
        ],
        [
            OutletSpec(outlet_id="1", circuit_id="a", rotation=rotation),
            OutletSpec(outlet_id="2", circuit_id="a", rotation=(0, 1, 2)),
        ],
    )


def a_car(phases: int = 3, amps: float = 16.0) -> CarSpec:
    return CarSpec(name="car", phases=phases, maximum_a=amps, reaction_s=0.0, ramp_a_per_s=1000.0)


def charge(site: SiteTruth, outlet: str, amps: float, car: CarSpec | None = None) -> None:
    site.plug(outlet, car or a_car())
    site.outlets[outlet].offer(amps, site.now)


@pytest.mark.parametrize(("rotation", "phase"), [((0, 1, 2), 0), ((1, 2, 0), 1), ((2, 0, 1), 2), ((2,), 2), ((1,), 1)])
def test_a_single_phase_car_loads_the_supply_phase_that_its_point_is_wired_to(
    rotation: tuple[int, ...], phase: int
) -> None:
    site = a_site(rotation)
    charge(site, "1", 16.0, a_car(phases=1))
    site.step(1.0)
    expected = [0.0, 0.0, 0.0]
    expected[phase] = 16.0
    assert site.amps("supply") == tuple(expected)


def test_currents_add_up_over_the_tree() -> None:
    site = a_site(load=constant(5.0, 6.0, 7.0))
    charge(site, "1", 10.0)
    charge(site, "2", 12.0)
    site.step(1.0)
    assert site.amps("a") == (22.0, 22.0, 22.0)
    assert site.amps("supply") == (27.0, 28.0, 29.0)
    assert site.base_load("supply") == (5.0, 6.0, 7.0)
    assert site.base_load("a") == (0.0, 0.0, 0.0)


def test_a_base_load_set_from_outside_replaces_the_programme_until_it_is_given_back() -> None:
    site = a_site(load=constant(5.0, 5.0, 5.0))
    site.set_base_load("supply", (30.0, 1.0, 2.0))
    site.step(1.0)
    assert site.amps("supply") == (30.0, 1.0, 2.0)
    site.set_base_load("supply", None)
    site.step(1.0)
    assert site.amps("supply") == (5.0, 5.0, 5.0)


def test_an_outlet_offers_no_more_than_its_hardware() -> None:
    site = a_site()
    charge(site, "1", 80.0, a_car(amps=63.0))
    site.step(1.0)
    assert site.amps("a") == (32.0, 32.0, 32.0)


def test_the_contactor_stops_a_car_that_goes_on_without_an_offer() -> None:
    site = a_site()
    site.plug("1", CarSpec(name="slow", reaction_s=60.0, ramp_a_per_s=1000.0))
    site.outlets["1"].offer(16.0, site.now)
    for _ in range(65):
        site.step(1.0)
    site.outlets["1"].offer(0.0, site.now)
    for _ in range(5):
        site.step(1.0)
    assert site.amps("a")[0] == 16.0
    site.step(1.0)
    assert site.amps("a")[0] == 0.0


def test_a_loss_of_power_stops_a_car_at_once() -> None:
    site = a_site()
    charge(site, "1", 16.0)
    site.step(1.0)
    site.outlets["1"].cut_off(site.now)
    site.step(0.1)
    assert site.amps("supply") == (0.0, 0.0, 0.0)


def test_two_cars_do_not_fit_into_one_outlet() -> None:
    site = a_site()
    site.plug("1", a_car())
    with pytest.raises(OutletTaken):
        site.plug("1", a_car())


def test_a_session_tells_what_was_wanted_and_delivered() -> None:
    site = a_site()
    charge(site, "1", 16.0, CarSpec(name="x", wanted_kwh=5.0, reaction_s=0.0, ramp_a_per_s=1000.0))
    for _ in range(360):
        site.step(1.0)
    site.unplug("1")
    session = site.sessions[0]
    assert session.unplugged_at == 360.0
    assert session.wanted_wh == 5000.0
    assert session.delivered_wh == pytest.approx(3 * 16.0 * 230.0 / 10.0, rel=0.01)
    assert session.delivered_wh == pytest.approx(site.outlets["1"].register_wh)


def test_export_is_counted_apart_from_import() -> None:
    site = a_site(load=constant(-10.0, 5.0, 0.0))
    for _ in range(360):
        site.step(10.0)
    account = site.accounts["supply"]
    assert account.exported_wh == pytest.approx([10.0 * NOMINAL_VOLTAGE_V, 0.0, 0.0], rel=0.01)
    assert account.imported_wh == pytest.approx([0.0, 5.0 * NOMINAL_VOLTAGE_V, 0.0], rel=0.01)


def test_charging_above_the_rating_is_charged_to_charging() -> None:
    site = a_site(load=constant(30.0, 0.0, 0.0))
    charge(site, "1", 16.0)
    for _ in range(20):
        site.step(0.5)
    account = site.accounts["supply"].phases[0]
    assert (account.charging_s, account.charging_as, account.base_load_s) == (10.0, 60.0, 0.0)
    assert account.highest_a == 46.0
    assert site.accounts["supply"].phases[1].above_s == 0.0


def test_base_load_alone_above_the_rating_is_charged_to_base_load() -> None:
    site = a_site(load=constant(45.0, 0.0, 0.0))
    charge(site, "1", 6.0)
    for _ in range(10):
        site.step(1.0)
    account = site.accounts["supply"].phases[0]
    assert (account.charging_s, account.charging_as) == (0.0, 0.0)
    assert (account.base_load_s, account.base_load_as, account.charging_on_top_as) == (10.0, 50.0, 60.0)


def test_the_longest_excess_is_the_longest_without_a_break() -> None:
    account = PhaseAccount(rating_a=10.0)
    for total, seconds in ((12.0, 3.0), (9.0, 1.0), (11.0, 5.0), (10.0, 1.0), (15.0, 2.0)):
        account.add(total, 0.0, seconds)
    assert account.charging_longest_s == 5.0
    assert account.charging_s == 10.0


loads = st.floats(-20.0, 60.0)


@given(st.lists(st.tuples(loads, st.floats(0.0, 60.0), st.floats(0.01, 5.0)), max_size=40))
def test_the_account_leaves_out_no_second_and_no_ampere_second(flows: list[tuple[float, float, float]]) -> None:
    account = PhaseAccount(rating_a=25.0)
    above_s = above_as = 0.0
    for base, charging, seconds in flows:
        account.add(base + charging, base, seconds)
        if base + charging > 25.0 + 1e-9:
            above_s += seconds
            above_as += (base + charging - 25.0) * seconds
    assert account.above_s == pytest.approx(above_s)
    assert account.above_as == pytest.approx(above_as, abs=1e-6)
    assert account.charging_longest_s <= account.charging_s + 1e-9


@pytest.mark.parametrize(
    ("circuits", "why"),
    [
        ([CircuitSpec(circuit_id="a", parent_id="b", rating_a=(1, 1, 1))], "exactly one supply"),
        ([CircuitSpec(circuit_id="a", rating_a=(1, 1, 1)), CircuitSpec(circuit_id="a", rating_a=(1, 1, 1))], "twice"),
        (
            [
                CircuitSpec(circuit_id="s", rating_a=(1, 1, 1)),
                CircuitSpec(circuit_id="a", parent_id="b", rating_a=(1, 1, 1)),
                CircuitSpec(circuit_id="b", parent_id="a", rating_a=(1, 1, 1)),
            ],
            "own ancestor",
        ),
        (
            [
                CircuitSpec(circuit_id="s", rating_a=(1, 1, 1)),
                CircuitSpec(circuit_id="a", parent_id="x", rating_a=(1, 1, 1)),
            ],
            "does not exist",
        ),
    ],
)
def test_an_impossible_tree_is_refused(circuits: list[CircuitSpec], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        SiteTruth(circuits, [])


@pytest.mark.parametrize("rotation", [(), (0, 1), (0, 0, 1), (3,)])
def test_an_impossible_rotation_is_refused(rotation: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"rotation|phase"):
        a_site(rotation)
