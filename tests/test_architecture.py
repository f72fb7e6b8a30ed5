"""The arrows between the rooms, read from the imports: they go down only.

Every import counts, also those for types alone and those inside functions: a room that must be known to read another
is known to it. What a room may know stands in one table; whoever needs a new arrow argues for it there.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
INTEGRATION = REPOSITORY / "custom_components" / "charge_cluster"
SIMULATOR = REPOSITORY / "simulator"

# The rooms below the coordinator and the others of ours that each may know.
MAY_KNOW: Mapping[str, frozenset[str]] = {
    "engine": frozenset(),
    "ocpp": frozenset(),
    "modbus": frozenset(),
    "ledger": frozenset({"engine", "ocpp"}),
    "chargers": frozenset({"engine", "ocpp", "modbus"}),
    "meters": frozenset({"engine", "ocpp", "modbus"}),
    "tariffs": frozenset({"engine"}),
    "site": frozenset({"chargers", "meters", "tariffs", "ledger", "engine", "ocpp", "modbus"}),
    "report": frozenset({"site", "chargers", "meters", "engine"}),
}

# Below the coordinator only these touch Home Assistant; they are handed in from above.
BRIDGES = frozenset({"chargers.entity", "meters.entity", "tariffs.entity"})

# Home Assistant loads these by their names; whatever two of them share belongs in a room of its own.
LOADED_BY_NAME = frozenset(
    {
        "backup",
        "binary_sensor",
        "button",
        "calendar",
        "condition",
        "config_flow",
        "datetime",
        "diagnostics",
        "event",
        "logbook",
        "number",
        "select",
        "sensor",
        "switch",
        "system_health",
        "trigger",
        "update",
    }
)

# A pass is a function of its snapshot: a clock, chance or anything outside would make the replay another program.
NOT_PURE = frozenset(
    {
        "asyncio",
        "concurrent",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "secrets",
        "shutil",
        "socket",
        "sqlite3",
        "subprocess",
        "tempfile",
        "threading",
        "time",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One name that a module imports, as the path that it has at run time."""

    module: str
    name: str
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A module of the integration, named from the integration's folder; its own __init__ is the empty name."""

    name: str
    ours: tuple[Import, ...]
    others: tuple[Import, ...]
    tree: ast.Module

    @property
    def room(self) -> str:
        """The folder at the top that it lies in, or its own name."""
        return self.name.partition(".")[0]


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def absolute_imports(tree: ast.Module, module: str) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(module=module, name=alias.name, line=node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield Import(module=module, name=node.module or "", line=node.lineno)


def relative_imports(
    tree: ast.Module, module: str, package: tuple[str, ...], known: frozenset[str]
) -> Iterator[Import]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = ".".join(package[: len(package) - node.level + 1])
        target = f"{base}.{node.module}".strip(".") if node.module else base
        for alias in node.names:
            submodule = f"{target}.{alias.name}".strip(".")
            name = submodule if submodule in known else target
            yield Import(module=module, name=name, line=node.lineno)


def module_path(file: Path) -> tuple[str, ...]:
    path = file.relative_to(INTEGRATION).with_suffix("").parts
    return path[:-1] if path[-1] == "__init__" else path


def modules_of_the_integration() -> tuple[Module, ...]:
    files = sorted(INTEGRATION.rglob("*.py"))
    known = frozenset(".".join(module_path(file)) for file in files)

    def read(file: Path) -> Module:
        tree = parsed(file)
        name = ".".join(module_path(file))
        package = file.relative_to(INTEGRATION).parts[:-1]
        return Module(
            name=name,
            ours=tuple(relative_imports(tree, name, package, known)),
            others=tuple(absolute_imports(tree, name)),
            tree=tree,
        )

    return tuple(read(file) for file in files)


MODULES = modules_of_the_integration()


def test_every_room_is_there() -> None:
    assert set(MAY_KNOW) - {module.room for module in MODULES} == set()


@pytest.mark.parametrize("room", MAY_KNOW)
def test_a_room_knows_only_the_rooms_below_it(room: str) -> None:
    allowed = MAY_KNOW[room] | {room}
    upward = [
        str(found)
        for module in MODULES
        if module.room == room
        for found in module.ours
        if found.name.partition(".")[0] not in allowed
    ]
    assert upward == []


def test_below_the_coordinator_only_the_bridges_touch_home_assistant() -> None:
    touching = [
        str(found)
        for module in MODULES
        if module.room in MAY_KNOW and module.name not in BRIDGES
        for found in module.others
        if found.name.partition(".")[0] in {"homeassistant", "voluptuous", "probatio"}
    ]
    assert touching == []


def test_the_bridges_are_handed_in_from_above() -> None:
    reaching = [
        str(found) for module in MODULES if module.room in MAY_KNOW for found in module.ours if found.name in BRIDGES
    ]
    assert reaching == []


def test_the_engine_needs_nothing_but_the_language() -> None:
    impure = [
        str(found)
        for module in MODULES
        if module.room == "engine"
        for found in module.others
        if (top := found.name.partition(".")[0]) not in sys.stdlib_module_names or top in NOT_PURE
    ]
    assert impure == []


def test_the_engine_asks_no_clock() -> None:
    asking = [
        f"{module.name}:{node.lineno}"
        for module in MODULES
        if module.room == "engine"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
        if isinstance(node.value, ast.Name) and node.value.id in {"date", "datetime", "dt"}
    ]
    assert asking == []


def test_the_coordinator_knows_none_of_those_who_listen_to_it() -> None:
    (coordinator,) = (module for module in MODULES if module.name == "coordinator")
    foundations = {"chargers", "configuration", "const", "devices", *MAY_KNOW}
    assert [str(found) for found in coordinator.ours if found.name.partition(".")[0] not in foundations] == []


def test_what_home_assistant_loads_by_name_is_imported_by_nobody() -> None:
    imported = [str(found) for module in MODULES for found in module.ours if found.name in LOADED_BY_NAME]
    assert imported == []


def test_the_place_where_the_parts_are_wired_together_is_imported_by_nobody() -> None:
    assert [str(found) for module in MODULES for found in module.ours if found.name == ""] == []


def test_no_rooms_know_each_other_in_a_circle() -> None:
    knows: dict[str, set[str]] = {}
    for module in MODULES:
        rooms = {found.name.partition(".")[0] for found in module.ours}
        knows.setdefault(module.room, set()).update(rooms - {module.room})
    try:
        TopologicalSorter(knows).prepare()
    except CycleError as circle:
        pytest.fail(" → ".join(circle.args[1]), pytrace=False)


def test_the_integration_finds_itself_wherever_it_is_mounted() -> None:
    fixed = [str(found) for module in MODULES for found in module.others if found.name.startswith("custom_components")]
    assert fixed == []


def test_the_integration_imports_only_what_an_installation_brings() -> None:
    manifest = json.loads((INTEGRATION / "manifest.json").read_text(encoding="utf-8"))
    promised = {canonicalize_name(Requirement(line).name) for line in manifest["requirements"]}
    brought = {canonicalize_name(Requirement(line).name) for line in requires("homeassistant") or ()}
    distributions = packages_distributions()

    def is_brought(top: str) -> bool:
        if top in sys.stdlib_module_names or top in {"homeassistant", "voluptuous"}:  # served by Home Assistant itself
            return True
        return any(canonicalize_name(name) in promised | brought for name in distributions.get(top, ()))

    missing = [
        str(found) for module in MODULES for found in module.others if not is_brought(found.name.partition(".")[0])
    ]
    assert missing == []


def test_the_simulator_is_the_other_side_of_the_wire() -> None:
    crossing = [
        str(found)
        for file in sorted(SIMULATOR.rglob("*.py"))
        for found in absolute_imports(parsed(file), str(file.relative_to(REPOSITORY)))
        if re.match(r"(custom_components|homeassistant|tests)\b", found.name)
    ]
    assert crossing == []
