"""What the repository promises as a whole: nothing of one machine in it, requirements that agree, texts in place."""

import ast
import json
import re
import string
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

REPOSITORY = Path(__file__).parents[1]
INTEGRATION = REPOSITORY / "custom_components" / "charge_cluster"
LOCKS = tuple(sorted(path.name for path in (REPOSITORY / "requirements").glob("*.txt")))

ONE_MACHINE = re.compile(r"(?<![\w.-])/(?:work|root|home/\w+|Users/\w+|mnt/\w+)/")
REGISTRY = re.compile(
    r"https?://[^\s\"]*(?:/simple(?:/|$|\")|/packages/[0-9a-f]{2}/|/debian(?:/|$|\s))"
    r"|https?://registry\."
    r"|\b(?:pypi|pythonhosted|npmjs)\.(?:org|com)/"
    r"|\bdeb\.debian\.org"
)


def tracked_files() -> tuple[Path, ...]:
    try:
        command = ["git", "ls-files", "-z"]
        listing = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)  # noqa: S603 - a fixed command
    except OSError, subprocess.CalledProcessError:
        pytest.skip("not a git checkout")
    return tuple(REPOSITORY / name for name in listing.stdout.split("\0") if name)


def lines_matching(pattern: re.Pattern[str]) -> Iterator[str]:
    for file in tracked_files():
        if not file.is_file() or file.suffix in {".svg", ".gz", ".png"} or file == Path(__file__):
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if pattern.search(line):
                yield f"{file.relative_to(REPOSITORY)}:{number}: {line.strip()[:100]}"


def json_of(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def pins(name: str) -> Mapping[str, Version]:
    text = (REPOSITORY / "requirements" / name).read_text(encoding="utf-8")
    found = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)", text, re.MULTILINE)
    return {package: Version(version) for package, version in found}


@pytest.fixture(scope="module")
def english() -> dict[str, Any]:
    return json_of(INTEGRATION / "translations" / "en.json")


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return json_of(INTEGRATION / "manifest.json")


class TestNothingOfOneMachine:
    def test_no_path_of_a_machine(self) -> None:
        assert list(lines_matching(ONE_MACHINE)) == []

    def test_no_address_of_a_registry(self) -> None:
        assert list(lines_matching(REGISTRY)) == []

    @pytest.mark.parametrize("program", ["setup", "test", "lint", "lock", "python-from-debian"])
    def test_programs_can_be_run(self, program: str) -> None:
        assert (REPOSITORY / "scripts" / program).stat().st_mode & 0o100


class TestRequirements:
    @pytest.mark.parametrize("name", LOCKS)
    def test_every_pin_is_exact_and_hashed(self, name: str) -> None:
        text = (REPOSITORY / "requirements" / name).read_text(encoding="utf-8").replace("\\\n", " ")
        entries = [line for line in text.splitlines() if line and not line.startswith("#")]
        assert [
            line[:60] for line in entries if not re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+\s.*--hash=sha256:", line)
        ] == []

    @pytest.mark.parametrize("name", LOCKS)
    def test_no_lock_says_where_to_fetch_from(self, name: str) -> None:
        assert not re.search(
            r"://|--(?:extra-)?index-url|--find-links", (REPOSITORY / "requirements" / name).read_text()
        )

    @pytest.mark.parametrize("name", ["test.txt", "floor.txt"])
    def test_what_is_tested_is_what_the_manifest_allows(self, name: str, manifest: dict[str, Any]) -> None:
        pinned = pins(name)
        outside = [
            line
            for line in manifest["requirements"]
            if pinned[Requirement(line).name.lower()] not in Requirement(line).specifier
        ]
        assert outside == []

    def test_the_floor_is_the_one_that_is_promised_to_users(self) -> None:
        assert pins("floor.txt")["homeassistant"] == Version(json_of(REPOSITORY / "hacs.json")["homeassistant"])


class TestManifest:
    def test_keys_stand_in_the_order_that_home_assistant_wants(self, manifest: dict[str, Any]) -> None:
        assert list(manifest) == ["domain", "name", *sorted(manifest.keys() - {"domain", "name"})]

    def test_requirements_stand_in_order(self, manifest: dict[str, Any]) -> None:
        assert manifest["requirements"] == sorted(manifest["requirements"], key=str.lower)

    def test_it_names_its_own_folder(self, manifest: dict[str, Any]) -> None:
        assert manifest["domain"] == INTEGRATION.name

    def test_its_version_is_the_newest_of_the_changelog(self, manifest: dict[str, Any]) -> None:
        changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
        released = re.search(r"^## \[?(\d+\.\d+\.\d+)", changelog, re.MULTILINE)
        assert released
        assert released[1] == manifest["version"]


def raised_keys() -> Iterator[str]:
    """The translation keys of every error raised with one, where it is written out."""
    for file in sorted(INTEGRATION.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
                continue
            for keyword in node.exc.keywords:
                if keyword.arg == "translation_key" and isinstance(keyword.value, ast.Constant):
                    yield str(keyword.value.value)


def leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        here = f"{path}.{key}".lstrip(".")
        if isinstance(value, Mapping):
            yield from leaves(value, here)
        else:
            yield here, str(value)


def placeholders(text: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name)


class TestTexts:
    def test_every_error_that_is_raised_has_its_text(self, english: dict[str, Any]) -> None:
        assert set(raised_keys()) - set(english.get("exceptions", {})) == set()

    def test_every_action_has_its_text_and_every_text_its_action(self, english: dict[str, Any]) -> None:
        actions = INTEGRATION / "services.yaml"
        described = yaml.safe_load(actions.read_text(encoding="utf-8")) if actions.exists() else {}
        assert set(english.get("services", {})) == set(described)

    def test_every_icon_belongs_to_an_entity(self, english: dict[str, Any]) -> None:
        icons = json_of(INTEGRATION / "icons.json").get("entity", {})
        orphans = [
            f"{platform}.{key}"
            for platform, entities in icons.items()
            for key in entities
            if key not in english["entity"].get(platform, {})
        ]
        assert orphans == []

    def test_texts_hold_neither_markup_nor_addresses(self, english: dict[str, Any]) -> None:
        assert [path for path, text in leaves(english) if re.search(r"</?\w+>|https?://|\[%key:", text)] == []

    def test_texts_have_no_blanks_around_them(self, english: dict[str, Any]) -> None:
        assert [path for path, text in leaves(english) if text != text.strip() or not text] == []

    def test_every_translation_says_what_english_says(self, english: dict[str, Any]) -> None:
        wanted = {path: placeholders(text) for path, text in leaves(english)}
        for file in (INTEGRATION / "translations").glob("*.json"):
            said = {path: placeholders(text) for path, text in leaves(json_of(file))}
            assert said == wanted, file.name


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    scale: dict[str, Any] = yaml.safe_load((INTEGRATION / "quality_scale.yaml").read_text(encoding="utf-8"))
    rules: dict[str, Any] = scale["rules"]
    return rules


class TestQualityScale:
    def test_every_rule_is_answered(self, answers: dict[str, Any]) -> None:
        assert len(answers) == 54

    def test_what_is_not_done_gives_its_reason(self, answers: dict[str, Any]) -> None:
        reasoned = {rule for rule, answer in answers.items() if answer == "done" or answer["comment"]}
        assert answers.keys() - reasoned == set()
