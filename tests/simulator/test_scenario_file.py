"""Scenarios are data: those that come along can be read, and a wrong one says where and why."""

from pathlib import Path
from typing import Any

import pytest

from simulator import ScenarioError, load_scenario, scenario_names
from simulator.charge_point.misbehaviour import EnergyForm, Misbehaviour, Refusal, Silence
from simulator.charge_point.spec import StartBy
from simulator.meter import MeterKind
from simulator.scenario import Arrival, Fault, FaultKind, Scenario
from simulator.scenario_file import REACTION_S, scenario_of
from simulator.vehicle import CarSpec, Waking


def a_document(**changes: Any) -> dict[str, Any]:
    return {
        "circuits": [{"id": "supply", "rating_a": 63}],
        "charge_points": [{"id": "CP", "circuit": "supply"}],
        **changes,
    }


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_that_comes_along_can_be_read(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.title
    assert scenario.charge_points
    assert scenario.meters


def test_the_expected_scenarios_come_along() -> None:
    expected = {"demo", "step", "meter_dies", "charger_offline", "crowd", "quiet", "habits", "solar", "night"}
    assert expected | {"versions", "oddities"} <= set(scenario_names())


def test_the_demo_has_what_it_promises() -> None:
    demo = load_scenario("demo")
    assert [circuit.parent_id for circuit in demo.circuits] == [None, "supply", "supply"]
    assert len(demo.outlets) >= 12
    assert len(demo.arrivals) == 12
    assert {len(point.connectors) for point in demo.charge_points} == {1, 2}
    assert {arrival.car.phases for arrival in demo.arrivals} == {1, 3}
    assert {outlet.rotation for outlet in demo.outlets} >= {(0, 1, 2), (1, 2, 0), (2, 0, 1), (2,)}
    assert demo.meters[0].kind is MeterKind.SUNSPEC


def test_a_sunny_day_feeds_in_and_tells_who_waits_for_it() -> None:
    sunny = load_scenario("solar")
    load = sunny.circuits[0].load
    assert (max(load.amps_at(60.0)), max(load.amps_at(780.0))) == pytest.approx((8.0, -38.0), abs=0.4)
    assert [point.mode for point in sunny.charge_points] == ["", "minimum_and_solar", "solar"]


def test_a_scenario_is_read_the_same_every_time() -> None:
    assert load_scenario("demo") == load_scenario("demo")


def test_sections_that_are_missing_come_from_the_scenario_below() -> None:
    step, dies = load_scenario("step"), load_scenario("meter_dies")
    assert dies.charge_points == step.charge_points
    assert dies.arrivals == step.arrivals
    assert dies.circuits != step.circuits
    assert dies.faults[0].kind is FaultKind.METER_SILENT


def test_prices_are_read_and_slots_without_a_price_refused() -> None:
    night = load_scenario("night")
    assert night.prices is not None
    assert (night.prices.slot_s, len(night.prices.per_kwh)) == (300.0, 4)
    assert {point.mode for point in night.charge_points} == {"smart"}
    assert all(arrival.car.stays_s and arrival.car.wanted_kwh for arrival in night.arrivals)
    assert scenario_of(a_document()).prices is None
    wrong: list[Any] = [{"slot_s": 300}, {"slot_s": 0, "per_kwh": [0.1]}, {"slot_s": 300, "per_kwh": ["dear"]}]
    for prices in wrong:
        with pytest.raises(ScenarioError, match="per_kwh"):
            scenario_of(a_document(prices=prices))


def test_oddities_are_read_by_their_kinds_and_unknown_ones_are_refused() -> None:
    wrong = {"silence": "after_boot", "pongs_late_s": 3, "writes_nulls": True, "energy": "kwh"}
    row = {"id": "CP", "circuit": "supply", "misbehaviour": wrong, "measurands": ["Voltage"]}
    point = scenario_of(a_document(charge_points=[row])).charge_points[0]
    expected = Misbehaviour(silence=Silence.AFTER_BOOT, pongs_late_s=3.0, writes_nulls=True, energy=EnergyForm.KWH)
    assert point.misbehaviour == expected
    assert point.measurands == ("Voltage",)
    for impossible in ({"misbehaviour": {"energy": "mJ"}}, {"misbehaviour": {"moods": True}}, {"measurands": ["Joy"]}):
        with pytest.raises(ScenarioError):
            scenario_of(a_document(charge_points=[{"id": "CP", "circuit": "supply", **impossible}]))


def test_a_main_meter_measures_a_circuit_that_exists() -> None:
    row = {"id": "CP", "circuit": "supply", "main_meter": "supply"}
    assert scenario_of(a_document(charge_points=[row])).charge_points[0].main_meter == "supply"
    with pytest.raises(ScenarioError, match="attic"):
        scenario_of(a_document(charge_points=[{**row, "main_meter": "attic"}]))


def test_one_number_stands_for_three_phases() -> None:
    scenario = scenario_of(a_document(circuits=[{"id": "supply", "rating_a": [63, 50, 40]}]))
    assert scenario.circuits[0].rating_a == (63.0, 50.0, 40.0)
    assert scenario_of(a_document()).circuits[0].rating_a == (63.0, 63.0, 63.0)


@pytest.mark.parametrize(("stated", "version"), [("1.6", "1.6"), (2.1, "2.1"), ("2.0.1", "2.0.1"), (None, "1.6")])
def test_a_charge_point_speaks_the_version_that_is_stated_with_or_without_quotes(stated: Any, version: str) -> None:
    row = {"id": "CP", "circuit": "supply", **({} if stated is None else {"version": stated})}
    assert scenario_of(a_document(charge_points=[row])).charge_points[0].version == version


def test_a_version_that_does_not_exist_is_refused() -> None:
    row = {"id": "CP", "circuit": "supply", "version": "3.0"}
    with pytest.raises(ScenarioError, match=r"1\.6, 2\.0\.1, 2\.1"):
        scenario_of(a_document(charge_points=[row]))


def test_a_row_of_charge_points_is_numbered_and_turned() -> None:
    row = {"id": "CP-{n}", "count": 4, "circuit": "supply", "rotation": "cycle", "name": "Bay {n}"}
    scenario = scenario_of(a_document(charge_points=[row]))
    assert [point.identity for point in scenario.charge_points] == ["CP-01", "CP-02", "CP-03", "CP-04"]
    assert scenario.charge_points[3].name == "Bay 04"
    assert [outlet.rotation for outlet in scenario.outlets] == [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 1, 2)]


def test_each_connector_is_wired_as_it_says() -> None:
    twin = {
        "id": "CP",
        "circuit": "supply",
        "maximum_a": 20,
        "connectors": [{"rotation": [2, 3, 1]}, {"rotation": [3], "maximum_a": 16}],
    }
    outlets = scenario_of(a_document(charge_points=[twin])).outlets
    assert [(one.outlet_id, one.rotation, one.maximum_a) for one in outlets] == [
        ("CP/1", (1, 2, 0), 20.0),
        ("CP/2", (2,), 16.0),
    ]


def test_a_charge_point_is_described_in_full() -> None:
    point = {
        "id": "CP",
        "circuit": "supply",
        "starts_by": "tag",
        "key": "secret-key-of-a-charge-point",
        "rate_units": ["Power"],
        "defaults_survive_power": False,
        "misbehaviour": {"refuses_profiles": "error", "half_open": True},
    }
    spec = scenario_of(a_document(charge_points=[point])).charge_points[0]
    assert spec.starts_by is StartBy.TAG
    assert spec.rate_units == ("Power",)
    assert not spec.defaults_survive_power
    assert spec.misbehaviour.refuses_profiles is Refusal.ERROR
    assert spec.misbehaviour.half_open
    assert "secret-key" not in repr(spec)


def test_a_car_takes_what_its_vehicle_says_unless_it_says_otherwise() -> None:
    vehicles = {"zoe": {"phases": 3, "minimum_a": 8, "waking": "never"}}
    cars = [{"outlet": "CP/1", "vehicle": "zoe", "phases": 1, "at_s": 5}]
    arrival = scenario_of(a_document(vehicles=vehicles, cars=cars)).arrivals[0]
    assert (arrival.at_s, arrival.car.phases, arrival.car.minimum_a) == (5.0, 1, 8.0)
    assert arrival.car.waking is Waking.NEVER
    assert arrival.car.name == "zoe at CP/1"
    assert REACTION_S[0] <= arrival.car.reaction_s <= REACTION_S[1]


def test_a_row_of_cars_arrives_one_after_the_other() -> None:
    points = [{"id": "CP-{n}", "count": 3, "circuit": "supply"}]
    cars = [{"outlet": "CP-{n}/1", "count": 3, "at_s": 10, "every_s": 5}]
    arrivals = scenario_of(a_document(charge_points=points, cars=cars)).arrivals
    assert [(one.at_s, one.outlet_id) for one in arrivals] == [(10.0, "CP-01/1"), (15.0, "CP-02/1"), (20.0, "CP-03/1")]


@pytest.mark.parametrize(
    ("changes", "where", "why"),
    [
        ({"circuits": None}, "circuits", "missing"),
        ({"circuits": [{"id": "supply"}]}, "circuits[0].rating_a", "missing"),
        ({"circuits": [{"id": "supply", "rating_a": "much"}]}, "circuits[0].rating_a", "amps"),
        ({"circuits": [{"id": "supply", "rating_a": [1, 2]}]}, "circuits[0].rating_a", "three"),
        ({"circuits": [{"id": "supply", "rating_a": -5}]}, "circuits[0].rating_a", "positive"),
        (
            {"circuits": [{"id": "s", "rating_a": 9, "load": {"changes": [{"at_s": 9, "amps": 1}, {"amps": 1}]}}]},
            "circuits[0].load",
            "order",
        ),
        ({"charge_points": [{"id": "CP"}]}, "charge_points[0].circuit", "missing"),
        ({"charge_points": [{"id": "CP", "circuit": "supply", "colour": "red"}]}, "charge_points[0].colour", "known"),
        ({"charge_points": [{"id": "CP", "circuit": "supply", "rotation": [1, 4]}]}, "rotation", "1 to 3"),
        ({"charge_points": [{"id": "CP", "circuit": "supply", "starts_by": "wish"}]}, "starts_by", "plug, tag, remote"),
        ({"charge_points": [{"id": "CP", "circuit": "supply", "whole_amps": 1}]}, "whole_amps", "true or false"),
        ({"charge_points": [{"id": "CP", "circuit": "supply", "steps_a": [6, 10, 8]}]}, "steps_a", "ascending"),
        ({"charge_points": [{"id": "CP", "circuit": "supply", "steps_a": ["6"]}]}, "steps_a", "ascending"),
        ({"charge_points": [{"id": "CP", "circuit": "supply", "sampling_s": 1.5}]}, "sampling_s", "whole number"),
        ({"charge_points": "CP"}, "charge_points", "list"),
        ({"charge_points": ["CP"]}, "charge_points[0]", "mapping"),
        ({"meters": [{"id": "m", "circuit": "nowhere"}]}, "m", "does not exist"),
        ({"meters": [{"id": "CP", "circuit": "supply"}]}, "CP", "twice"),
        ({"cars": [{"outlet": "CP/7"}]}, "CP/7", "does not exist"),
        ({"cars": [{"outlet": "CP/1", "vehicle": "boat"}]}, "cars[0].vehicle", "boat"),
        ({"cars": [{"outlet": "CP/1", "phases": 5}]}, "cars[0]", "1 to 3 phases"),
        ({"faults": [{"kind": "drops", "target": "XX"}]}, "XX", "does not exist"),
        ({"faults": [{"target": "CP"}]}, "faults[0].kind", "missing"),
        ({"faults": [{"kind": "meter_nan", "target": "CP"}]}, "CP", "does not exist"),
        ({"weather": "fine"}, "weather", "known"),
    ],
)
def test_a_wrong_scenario_says_where_and_why(changes: dict[str, Any], where: str, why: str) -> None:
    with pytest.raises(ScenarioError) as wrong:
        scenario_of(a_document(**changes))
    assert where in str(wrong.value)
    assert why in str(wrong.value)


def test_an_unknown_scenario_names_those_that_exist() -> None:
    with pytest.raises(ScenarioError, match="demo"):
        load_scenario("nonsense")


def test_a_file_that_is_no_yaml_says_so(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("circuits: [", encoding="utf-8")
    with pytest.raises(ScenarioError, match="YAML"):
        load_scenario(path)


def test_scenarios_based_on_each_other_are_refused(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{one}.yaml").write_text(f"based_on: {other}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="circle"):
        load_scenario(tmp_path / "a.yaml")


def test_a_scenario_can_be_built_without_a_file() -> None:
    quiet = load_scenario("quiet")
    built = Scenario(
        name="own",
        circuits=quiet.circuits,
        outlets=quiet.outlets,
        charge_points=quiet.charge_points,
        arrivals=(Arrival(at_s=0.0, outlet_id="CP-01/1", car=CarSpec(name="x")),),
        faults=(Fault(kind=FaultKind.REBOOTS, target="*"),),
    )
    assert built.arrivals[0].car.name == "x"
