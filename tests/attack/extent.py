"""What the attack has truly run, added up over all of its parts in whichever process they ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

import pytest

ATTACK = "attack "
"""Begins the names of the properties that a part records of itself."""


@dataclass(slots=True, kw_only=True)
class Totals:
    """What was tried altogether."""

    steps: int = 0
    seconds: float = 0.0
    examples: int = 0
    orders: int = 0
    over_s: float = 0.0
    calms: int = 0
    deaths: int = 0


def record(totals: Totals, before: Totals, record_property: Callable[[str, object], None]) -> None:
    """Record what a part has run."""
    for what in fields(Totals):
        record_property(ATTACK + what.name, getattr(totals, what.name) - getattr(before, what.name))


def told(reports: Iterable[object]) -> str | None:
    """Return what the parts among some reports have run; None: there are none."""
    totals: Counter[str] = Counter()
    parts = failed = 0
    for report in reports:
        if not isinstance(report, pytest.TestReport):
            continue
        amounts = {name: amount for name, amount in report.user_properties if name.startswith(ATTACK)}
        if report.when == "call" and amounts:
            parts += 1
            failed += report.failed
            for name, amount in amounts.items():
                assert isinstance(amount, int | float)
                totals[name.removeprefix(ATTACK)] += amount  # type: ignore[assignment]  # seconds have fractions
    if not parts:
        return None
    return (
        f"attack: {totals['steps']} steps in {totals['examples']} stories of {parts} parts, of which {failed} failed;"
        f" {totals['seconds'] / 3600.0:.1f} h of virtual time, {totals['orders']} orders, {totals['deaths']} deaths,"
        f" {totals['calms']} calms, {totals['over_s']:.0f} s above a rating"
    )
