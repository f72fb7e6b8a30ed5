"""The tables of `docs/ocpp.md` are whole, and every test that they name exists.

`python -m tests.ocpp.test_conformance_table` prints rows for messages that are missing, to be filled in.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from custom_components.charge_cluster.ocpp.forbidden import NEVER
from custom_components.charge_cluster.ocpp.quirks import Quirk
from custom_components.charge_cluster.ocpp.versions import OcppVersion

from .tables import FROM_CHARGE_POINT, schemas

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "ocpp.md"

BOTH = "DataTransfer"
SUPPORTED = {"yes", "answered", "no"}
OCTT = "Test cases of the Open Charge Alliance"
MAKES = "Makes that are known for something"

CASES = {
    *("001", "003", "004", "005", "007", "010", "011_1", "011_2", "012", "013", "014", "017", "018", "019", "021"),
    *("023_1", "023_2", "023_3", "024", "026", "028", "030", "031", "032_1", "037", "039", "040", "042", "043", "044"),
    *("045", "046", "047", "048", "049", "050", "051", "052", "053", "054", "055", "056", "057", "059", "061", "064"),
    *("066", "067", "073", "074", "075", "076", "077", "078", "079", "080", "081", "083", "085", "086", "087", "088"),
}
"""Numbers of the cases for central systems, as far as they are known."""


@cache
def rows(heading: str) -> tuple[tuple[str, ...], ...]:
    """Return the rows of the table under a heading."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return tuple(tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[1:])


def begun_by(message: str) -> str:
    if message == BOTH:
        return "both"
    return "charge point" if message in FROM_CHARGE_POINT else "central system"


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the tests in a file."""
    file = TESTS / path if "/" in path else TESTS / "ocpp" / path
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


def missing_tests(cell: str) -> list[str]:
    """Return the tests that a cell names and that do not exist."""
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", cell)
    assert named, cell
    return [f"{path}::{name}" for path, name in named if name not in names_in(path)]


@pytest.mark.parametrize("version", OcppVersion)
def test_no_message_is_missing_and_none_is_made_up(version: OcppVersion) -> None:
    assert [row[0] for row in rows(f"OCPP {version}")] == sorted(schemas(version))


@pytest.mark.parametrize("version", OcppVersion)
def test_each_says_who_begins_whether_it_is_supported_and_how_or_why_not(version: OcppVersion) -> None:
    for message, begun, supported, how, _ in rows(f"OCPP {version}"):
        assert begun == begun_by(message), message
        assert supported in SUPPORTED, message
        assert how, message


@pytest.mark.parametrize("version", OcppVersion)
def test_every_test_that_is_named_exists(version: OcppVersion) -> None:
    assert [lost for row in rows(f"OCPP {version}") for lost in missing_tests(row[-1])] == []


@pytest.mark.parametrize("version", OcppVersion)
def test_what_is_not_sent_for_anybody_says_who_decides(version: OcppVersion) -> None:
    refused = [row for row in rows(f"OCPP {version}") if row[0] in NEVER]

    assert refused
    assert [row[0] for row in refused if "by the site" not in row[3] and "books of the site" not in row[3]] == []


def test_every_case_of_the_alliances_tool_has_its_test() -> None:
    told: set[str] = set()
    for numbers, about, shown in rows(OCTT):
        assert about
        assert missing_tests(shown) == []
        told |= set(numbers.split(", "))

    assert told == CASES


def test_each_kind_of_quirk_of_a_make_has_its_test() -> None:
    told = rows(MAKES)

    assert len(told) == len(Quirk)
    assert [lost for row in told for lost in missing_tests(row[-1])] == []


if __name__ == "__main__":
    for known in OcppVersion:
        present = {row[0] for row in rows(f"OCPP {known}")}
        for absent in sorted(set(schemas(known)) - present):
            print(f"OCPP {known}: | {absent} | {begun_by(absent)} | yes |  | `` |")  # noqa: T201 - to be copied
