"""What came out: rows of figures, each with its target where the design names one, as a table and as JSON.

A figure is shown and not judged: the verdict says whether a target was met here and now, and only `--strict` makes a
miss an error.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

FORM = 1
"""Of the JSON; raised when a reader would have to change."""

PACKAGES = ("homeassistant", "aiohttp", "orjson", "scipy", "ocpp")


class Verdict(StrEnum):
    """How a figure stands to its target."""

    MET = "met"
    MISSED = "missed"
    SHOWN = "shown"
    """There is no target for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure."""

    benchmark: str
    subject: str
    figure: str
    value: float
    unit: str
    target: float | None = None
    """The most that it should be, in the same unit; the least, where more is better."""
    at_least: bool = False
    """Whether more is better."""
    ratio: float | None = None
    """How many times the reference of the same run it is."""
    note: str = ""
    also: Mapping[str, float] = field(default_factory=dict)
    """Further figures of the same thing."""

    @property
    def verdict(self) -> Verdict:
        """Return how it stands to its target."""
        if self.target is None:
            return Verdict.SHOWN
        met = self.value >= self.target if self.at_least else self.value <= self.target
        return Verdict.MET if met else Verdict.MISSED

    def as_line(self) -> str:
        """Return it for a person who waits for the table."""
        return " | ".join(filter(None, _cells(self)))


def this_machine() -> dict[str, str | int]:
    """Return what kind of machine this is; nothing that tells which one."""
    return {
        "cpu": _cpu_model(),
        "cores": os.process_cpu_count() or 1,
        "architecture": platform.machine(),
        "system": platform.system(),
    }


def present_versions() -> dict[str, str]:
    """Return the versions of what is measured and of what it is measured against."""
    found = {"python": platform.python_version(), "implementation": sys.implementation.name}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All figures of one run, and where they were taken."""

    rows: Sequence[Row]
    quick: bool
    machine: Mapping[str, str | int] = field(default_factory=this_machine)
    versions: Mapping[str, str] = field(default_factory=present_versions)

    @property
    def missed(self) -> Sequence[Row]:
        """Return the figures that missed their target."""
        return [row for row in self.rows if row.verdict is Verdict.MISSED]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain objects."""
        return {
            "form": FORM,
            "quick": self.quick,
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "rows": [{**asdict(row), "verdict": row.verdict.value} for row in self.rows],
        }

    def as_table(self) -> str:
        """Return it for a person."""
        header = ("benchmark", "subject", "figure", "value", "target", "verdict", "× reference", "note")
        lines = [header, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
        lines.insert(1, tuple("─" * width for width in widths))
        table = "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )
        where = f"{self.machine['cpu']}, {self.machine['cores']} cores, Python {self.versions['python']}"
        return f"{where}{' – quick: the figures mean nothing' if self.quick else ''}\n\n{table}"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.benchmark,
        row.subject,
        row.figure,
        f"{_number(row.value)} {row.unit}",
        "" if row.target is None else f"{'≥' if row.at_least else '≤'} {row.target:g} {row.unit}",
        "" if row.verdict is Verdict.SHOWN else row.verdict.value,
        "" if row.ratio is None else f"{row.ratio:.2f}",
        "; ".join([*(f"{name} {_number(value)}" for name, value in row.also.items()), *filter(None, [row.note])]),
    )


def _number(value: float) -> str:
    return f"{value:.1e}" if 0 < abs(value) < 1e-4 else f"{value:.4g}"
