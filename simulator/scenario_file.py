"""Reads a scenario from YAML, and says exactly what is wrong with one that cannot be read.

A file may build upon another (`based_on`): sections that it does not have are taken from there. Rows of charge points
and of cars can be written once with a `count`; `{n}` in their texts counts from 1. Phases and rotations are written 1
to 3.
"""

import random
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import NoReturn, get_args, get_type_hints

import yaml

from .building import LoadChange, LoadProgramme, SupplyAmps
from .charge_point import ChargePointSpec, ConnectorSpec, Misbehaviour
from .charge_point.measurands import MEASURANDS
from .charge_point.spec import (
    AfterPowerCut,
    AtZero,
    MessageIds,
    NewKey,
    OcppVersion,
    Security,
    StartBy,
    StationMaximum,
    WattsBy,
)
from .meter import MeterKind, MeterSpec, Sees
from .physics import CircuitSpec, OutletSpec
from .scenario import Arrival, Fault, FaultKind, Prices, Scenario
from .vehicle import CarSpec, Waking

SCENARIOS = Path(__file__).parent / "scenarios"

REACTION_S = (5.0, 12.0)
"""Bounds of the reaction time of a car that is given none."""

PHASES = (1, 2, 3)

CYCLE = "cycle"
"""As a rotation: each next charge point of a row is wired one phase further."""


class ScenarioError(Exception):
    """A scenario cannot be read; the text says where and why."""


def scenario_names() -> list[str]:
    """Return the names of the scenarios that come with the simulator."""
    return sorted(path.stem for path in SCENARIOS.glob("*.yaml"))


def load_scenario(name: str | Path) -> Scenario:
    """Read a scenario that comes with the simulator by its name, or any other by its path.

    Raises:
        ScenarioError: it does not exist, or something in it is wrong.
    """
    path = Path(name)
    if path.suffix != ".yaml":
        path = SCENARIOS / f"{name}.yaml"
    return scenario_of(_document(path), name=path.stem, folder=path.parent)


def scenario_of(document: object, *, name: str = "scenario", folder: Path = SCENARIOS) -> Scenario:
    """Return the scenario that a YAML document states.

    Raises:
        ScenarioError: something in it is wrong.
    """
    top = _Section(_with_base(document, folder, depth=0), name)
    seed = top.whole("seed", 0)
    outlets, points = _charge_points(top, seed)
    title, duration = top.text("title", ""), top.number_or_none("duration_s")
    circuits = tuple(_circuits(top, seed))
    meters = tuple(_meter(section) for section in top.sections("meters"))
    arrivals = tuple(sorted(_arrivals(top, seed), key=lambda arrival: arrival.at_s))
    faults = tuple(_fault(section) for section in top.sections("faults"))
    prices = _prices(top.section("prices")) if top.has("prices") else None
    powers_up = top.number("powers_up_within_s", 2.0)
    top.done()
    try:
        return Scenario(
            name=name,
            title=title,
            seed=seed,
            duration_s=duration,
            circuits=circuits,
            outlets=tuple(outlets),
            charge_points=tuple(points),
            meters=meters,
            arrivals=arrivals,
            faults=faults,
            prices=prices,
            powers_up_within_s=powers_up,
        )
    except ValueError as wrong:
        raise ScenarioError(f"{name}: {wrong}") from None


def _document(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ScenarioError(f"there is no scenario {path.stem}; there are {', '.join(scenario_names())}") from None
    except yaml.YAMLError as wrong:
        raise ScenarioError(f"{path.name} is no YAML: {wrong}") from None


def _with_base(document: object, folder: Path, *, depth: int) -> object:
    if not isinstance(document, Mapping) or "based_on" not in document:
        return document
    if depth > len(list(folder.glob("*.yaml"))):
        raise ScenarioError("scenarios are based on each other in a circle")
    base = _with_base(_document(folder / f"{document['based_on']}.yaml"), folder, depth=depth + 1)
    if not isinstance(base, Mapping):
        raise ScenarioError(f"{document['based_on']}: a mapping is expected")
    return {**base, **{key: value for key, value in document.items() if key != "based_on"}}


class _Section:
    """One mapping of the document; every error names its place."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, Mapping):
            raise ScenarioError(f"{path}: a mapping is expected")
        self.path = path
        self._left = {str(key): one for key, one in value.items()}

    def wrong(self, key: str, what: str) -> NoReturn:
        raise ScenarioError(f"{self.path}.{key}: {what}")

    def has(self, key: str) -> bool:
        return self._left.get(key) is not None

    def take(self, key: str) -> object:
        return self._left.pop(key, None)

    def need(self, key: str) -> object:
        if not self.has(key):
            self.wrong(key, "is missing")
        return self.take(key)

    def text(self, key: str, default: str | None = None) -> str:
        found = self.need(key) if default is None else self.take(key)
        if found is None and default is not None:
            return default
        if isinstance(found, bool) or not isinstance(found, str | int):
            self.wrong(key, "a text is expected")
        return str(found)

    def number_or_none(self, key: str) -> float | None:
        found = self.take(key)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float):
            self.wrong(key, "a number is expected")
        return float(found)

    def number(self, key: str, default: float | None = None) -> float:
        if default is None and not self.has(key):
            self.wrong(key, "is missing")
        found = self.number_or_none(key)
        return found if found is not None else (default or 0.0)

    def whole(self, key: str, default: int | None = None) -> int:
        found = self.number(key, None if default is None else float(default))
        if not found.is_integer():
            self.wrong(key, "a whole number is expected")
        return int(found)

    def flag(self, key: str, *, default: bool) -> bool:
        found = self.take(key)
        if found is None:
            return default
        if not isinstance(found, bool):
            self.wrong(key, "true or false is expected")
        return found

    def choice[Choice: StrEnum](self, key: str, choices: type[Choice], default: Choice) -> Choice:
        found = self.choice_or_none(key, choices)
        return default if found is None else found

    def choice_or_none[Choice: StrEnum](self, key: str, choices: type[Choice]) -> Choice | None:
        found = self.take(key)
        if found is None:
            return None
        if found not in list(choices):
            self.wrong(key, f"one of {', '.join(choices)} is expected, not {found}")
        return choices(str(found))

    def amps(self, key: str) -> SupplyAmps:
        return _three(self, key, self.need(key))

    def items(self, key: str) -> list[object]:
        found = self.take(key)
        if found is None:
            return []
        if not isinstance(found, list):
            self.wrong(key, "a list is expected")
        return found

    def sections(self, key: str) -> Iterator[_Section]:
        for index, item in enumerate(self.items(key)):
            yield _Section(item, f"{self.path}.{key}[{index}]")

    def section(self, key: str) -> _Section:
        found = self.take(key)
        return _Section({} if found is None else found, f"{self.path}.{key}")

    def rows(self, key: str) -> Iterator[tuple[int, _Section]]:
        """Return the sections of a list, those with a `count` as often as it says, with the number of each."""
        for section in self.sections(key):
            count = section.whole("count", 1)
            for number in range(1, count + 1):
                yield number, _Section(section.numbered(number), section.path)

    def rest(self) -> dict[str, object]:
        """Take all that was not asked for yet."""
        rest, self._left = self._left, {}
        return rest

    def numbered(self, number: int) -> dict[str, object]:
        """Return the texts of this section with a number put in."""
        return {name: _numbered(value, number) for name, value in self._left.items()}

    def done(self) -> None:
        """Refuse what nobody asked for."""
        for key in self._left:
            self.wrong(key, "is not known here")


def _numbered(value: object, number: int) -> object:
    return value.replace("{n}", f"{number:02d}") if isinstance(value, str) else value


def _three(section: _Section, key: str, found: object) -> SupplyAmps:
    values = [found] * 3 if isinstance(found, int | float) and not isinstance(found, bool) else found
    if not isinstance(values, list) or len(values) != len(PHASES):
        section.wrong(key, "amps for all phases, or a list of three, are expected")
    amps = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            section.wrong(key, "amps for all phases, or a list of three, are expected")
        amps.append(float(value))
    return (amps[0], amps[1], amps[2])


def _circuits(top: _Section, seed: int) -> Iterator[CircuitSpec]:
    if not top.has("circuits"):
        top.wrong("circuits", "is missing")
    for number, section in enumerate(top.sections("circuits")):
        circuit_id = section.text("id")
        circuit = CircuitSpec(
            circuit_id=circuit_id,
            name=section.text("name", circuit_id),
            parent_id=section.text("parent", "") or None,
            rating_a=section.amps("rating_a"),
            load=_load(section.section("load"), seed + number),
        )
        if min(circuit.rating_a) <= 0.0:
            section.wrong("rating_a", "a rating is positive")
        section.done()
        yield circuit


def _load(section: _Section, seed: int) -> LoadProgramme:
    changes = []
    for change in section.sections("changes"):
        over = change.number("over_s", 0.0)
        changes.append(LoadChange(at_s=change.number("at_s", 0.0), amps=change.amps("amps"), over_s=over))
        change.done()
    try:
        load = LoadProgramme(
            changes=tuple(changes),
            noise_a=section.number("noise_a", 0.0),
            noise_period_s=section.number("noise_period_s", 5.0),
            seed=seed,
            repeat_s=section.number_or_none("repeat_s"),
        )
    except ValueError as wrong:
        raise ScenarioError(f"{section.path}: {wrong}") from None
    section.done()
    return load


def _charge_points(top: _Section, seed: int) -> tuple[list[OutletSpec], list[ChargePointSpec]]:
    outlets: list[OutletSpec] = []
    points: list[ChargePointSpec] = []
    for number, section in top.rows("charge_points"):
        identity, circuit_id = section.text("id"), section.text("circuit")
        rotation = section.take("rotation")
        maximum = section.number("maximum_a", 32.0)
        own = list(section.sections("connectors")) or [_Section({}, f"{section.path}.connectors[0]")]
        connectors = []
        for position, connector in enumerate(own, start=1):
            wired = _rotation(connector, connector.take("rotation") or rotation, number + position - 2)
            outlet = OutletSpec(
                outlet_id=f"{identity}/{position}",
                circuit_id=circuit_id,
                rotation=wired,
                maximum_a=connector.number("maximum_a", maximum),
            )
            connector.done()
            outlets.append(outlet)
            connectors.append(
                ConnectorSpec(
                    number=position,
                    outlet_id=outlet.outlet_id,
                    maximum_a=outlet.maximum_a,
                    rotation=wired,
                )
            )
        points.append(_charge_point(section, identity, tuple(connectors), random.Random(f"{seed}:{identity}")))
        section.done()
    return outlets, points


def _rotation(section: _Section, found: object, turn: int) -> tuple[int, ...]:
    if found is None:
        return (0, 1, 2)
    if found == CYCLE:
        return (turn % 3, (turn + 1) % 3, (turn + 2) % 3)
    if not isinstance(found, list) or not all(isinstance(phase, int) and phase in PHASES for phase in found):
        section.wrong("rotation", f'a list of phases 1 to 3, or "{CYCLE}", is expected')
    return tuple(phase - 1 for phase in found)


def _charge_point(
    section: _Section, identity: str, connectors: tuple[ConnectorSpec, ...], dice: random.Random
) -> ChargePointSpec:
    default = ChargePointSpec(identity=identity, connectors=connectors)
    units = tuple(str(unit) for unit in section.items("rate_units")) or default.rate_units
    if not set(units) <= {"Current", "Power"}:
        section.wrong("rate_units", "Current and Power are the possible units")
    return ChargePointSpec(
        identity=identity,
        connectors=connectors,
        version=_version(section),
        name=section.text("name", identity),
        mode=section.text("mode", default.mode),
        vendor=section.text("vendor", default.vendor),
        model=section.text("model", default.model),
        firmware=section.text("firmware", default.firmware),
        starts_by=section.choice("starts_by", StartBy, default.starts_by),
        id_tag=section.text("id_tag", default.id_tag),
        key=section.text("key", "") or None,
        security=section.choice("security", Security, default.security),
        key_is_hex=section.flag("key_is_hex", default=default.key_is_hex),
        clock_offset_s=section.number("clock_offset_s", round(dice.uniform(-2.0, 2.0), 2)),
        clock_drift_ppm=section.number("clock_drift_ppm", 0.0),
        takes_time=section.flag("takes_time", default=default.takes_time),
        sampling_s=section.whole("sampling_s", default.sampling_s),
        measurands=_measurands(section, default),
        boot_s=section.number("boot_s", default.boot_s),
        boots_on_reconnect=section.flag("boots_on_reconnect", default=default.boots_on_reconnect),
        rate_units=units,
        stack_levels=section.whole("stack_levels", default.stack_levels),
        schedule_periods=section.whole("schedule_periods", default.schedule_periods),
        profiles=section.whole("profiles", default.profiles),
        defaults_survive_power=section.flag("defaults_survive_power", default=default.defaults_survive_power),
        applies_after_s=section.number("applies_after_s", default.applies_after_s),
        steps_a=_steps(section),
        whole_amps=section.flag("whole_amps", default=default.whole_amps),
        switches_phases=section.flag("switches_phases", default=default.switches_phases),
        watts_by=section.choice("watts_by", WattsBy, default.watts_by),
        station_maximum=section.choice("station_maximum", StationMaximum, default.station_maximum),
        at_zero=section.choice("at_zero", AtZero, default.at_zero),
        new_key=section.choice("new_key", NewKey, default.new_key),
        after_power_cut=section.choice("after_power_cut", AfterPowerCut, default.after_power_cut),
        message_ids=section.choice("message_ids", MessageIds, default.message_ids),
        register_per_transaction=section.flag("register_per_transaction", default=False),
        begins_with_plug=section.flag("begins_with_plug", default=default.begins_with_plug),
        vendor_settings=section.whole("vendor_settings", default.vendor_settings),
        main_meter=section.text("main_meter", default.main_meter),
        security_events=section.flag("security_events", default=default.security_events),
        misbehaviour=_misbehaviour(section.section("misbehaviour")),
    )


def _measurands(section: _Section, default: ChargePointSpec) -> tuple[str, ...]:
    if not section.has("measurands"):
        return default.measurands
    names = tuple(str(name) for name in section.items("measurands"))
    for name in names:
        if name not in MEASURANDS:
            section.wrong("measurands", f"{name} is none of {', '.join(MEASURANDS)}")
    return names


def _version(section: _Section) -> OcppVersion:
    found = section.take("version")
    version = OcppVersion.V16 if found is None else str(found)  # without quotes YAML reads 2.1 as a number
    if version not in list(OcppVersion):
        section.wrong("version", f"one of {', '.join(OcppVersion)} is expected, not {found}")
    return OcppVersion(version)


def _steps(section: _Section) -> tuple[float, ...]:
    steps: list[float] = []
    for amps in section.items("steps_a"):
        if isinstance(amps, bool) or not isinstance(amps, int | float) or amps <= max(steps, default=0.0):
            section.wrong("steps_a", "a list of amps in ascending order is expected")
        steps.append(float(amps))
    return tuple(steps)


def _misbehaviour(section: _Section) -> Misbehaviour:
    misbehaviour = Misbehaviour()
    for name, kind in get_type_hints(Misbehaviour).items():
        if kind is bool:
            setattr(misbehaviour, name, section.flag(name, default=False))
        elif kind is float:
            setattr(misbehaviour, name, section.number(name, 0.0))
        else:
            setattr(misbehaviour, name, section.choice_or_none(name, get_args(kind)[0]))
    section.done()
    return misbehaviour


def _meter(section: _Section) -> MeterSpec:
    meter = MeterSpec(
        meter_id=section.text("id"),
        circuit_id=section.text("circuit"),
        kind=section.choice("kind", MeterKind, MeterKind.SUNSPEC),
        unit=section.whole("unit", 1),
        interval_s=section.number("interval_s", 1.0),
        latency_s=section.number("latency_s", 0.2),
        error=section.number("error", 0.0),
        sees=section.choice("sees", Sees, Sees.EVERYTHING),
        base_address=section.whole("base_address", 40000),
    )
    section.done()
    return meter


def _prices(section: _Section) -> Prices:
    slot_s = section.number("slot_s")
    per_kwh: list[float] = []
    for price in section.items("per_kwh"):
        if isinstance(price, bool) or not isinstance(price, int | float):
            section.wrong("per_kwh", "a list of prices is expected")
        per_kwh.append(float(price))
    if slot_s <= 0.0 or not per_kwh:
        section.wrong("per_kwh", "slots of some length, and a price for each, are expected")
    section.done()
    return Prices(slot_s=slot_s, per_kwh=tuple(per_kwh))


def _arrivals(top: _Section, seed: int) -> Iterator[Arrival]:
    vehicles = top.take("vehicles") or {}
    if not isinstance(vehicles, Mapping):
        top.wrong("vehicles", "a mapping is expected")
    for number, section in top.rows("cars"):
        at_s = section.number("at_s", 0.0) + section.number("every_s", 0.0) * (number - 1)
        outlet_id = section.text("outlet")
        kind = section.text("vehicle", "")
        if kind and kind not in vehicles:
            section.wrong("vehicle", f"{kind} is not among the vehicles")
        merged = {**vehicles.get(kind, {}), **section.rest()}
        name = str(merged.setdefault("name", f"{kind or 'car'} at {outlet_id}"))
        car = _car(_Section(merged, section.path), random.Random(f"{seed}:{name}:{at_s}"))
        yield Arrival(at_s=at_s, outlet_id=outlet_id, car=car)


def _car(section: _Section, dice: random.Random) -> CarSpec:
    default = CarSpec(name="")
    try:
        car = CarSpec(
            name=section.text("name"),
            phases=section.whole("phases", default.phases),
            maximum_a=section.number("maximum_a", default.maximum_a),
            minimum_a=section.number("minimum_a", default.minimum_a),
            battery_kwh=section.number("battery_kwh", default.battery_kwh),
            soc=section.number("soc", default.soc),
            wanted_kwh=section.number_or_none("wanted_kwh"),
            draws_at_most_a=section.number_or_none("draws_at_most_a"),
            ends_after_s=section.number_or_none("ends_after_s"),
            taper_from_soc=section.number("taper_from_soc", default.taper_from_soc),
            efficiency=section.number("efficiency", default.efficiency),
            reaction_s=section.number("reaction_s", round(dice.uniform(*REACTION_S), 1)),
            ramp_a_per_s=section.number("ramp_a_per_s", default.ramp_a_per_s),
            phantom_a=section.amps("phantom_a") if section.has("phantom_a") else default.phantom_a,
            again_after_s=section.number_or_none("again_after_s"),
            again_for_s=section.number("again_for_s", default.again_for_s),
            again_a=section.number("again_a", default.again_a),
            sleeps_after_s=section.number_or_none("sleeps_after_s"),
            waking=section.choice("waking", Waking, default.waking),
            ignores_pilot=section.flag("ignores_pilot", default=False),
            id_tag=section.text("id_tag", "") or None,
            tag_after_s=section.number("tag_after_s", default.tag_after_s),
            iso15118=section.flag("iso15118", default=default.iso15118),
            stays_s=section.number_or_none("stays_s"),
        )
    except ValueError as wrong:
        raise ScenarioError(f"{section.path}: {wrong}") from None
    section.done()
    return car


def _fault(section: _Section) -> Fault:
    kind = section.choice_or_none("kind", FaultKind)
    if kind is None:
        section.wrong("kind", "is missing")
    value = section.take("value")
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        section.wrong("value", "a text or a number is expected")
    fault = Fault(
        kind=kind,
        target=section.text("target"),
        at_s=section.number("at_s", 0.0),
        for_s=section.number_or_none("for_s"),
        value=value,
    )
    section.done()
    return fault
