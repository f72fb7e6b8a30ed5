"""What rules of sharing come to in a staff car park: the engine's, beside those of the literature and the limit.

Each is replayed at several sizes of the supply, month by month; the figures are those of all months together. A rule
that learns is given the month before them. The limit is a linear programme over the same sessions in the same run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .energy_limit import most_wh
from .engine_rules import engine_rules
from .made_up_sessions import made_up
from .need_rule import need_rules
from .plain_rules import plain_rules
from .progress import say
from .replay import Decider, Fared, fared, replay
from .report import Row
from .staff_car_park import NoRecording, Recording, Session, read

NAME = "shares"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The least that a rule should come to."""

    of_limit_pct: float
    jain: float
    worst_tenth_pct: float


TARGETS: Mapping[tuple[str, str, float], Target] = {
    ("engine, need", "typed", 100.0): Target(of_limit_pct=96.0, jain=0.95, worst_tenth_pct=41.0),
}
"""By rule, what it knows, and amps of the supply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    recording: Path | None = None
    """None: sessions are made up."""
    supply_a: tuple[float, ...] = (80.0, 100.0, 125.0, 160.0)
    learned_from: int = 5
    """The month that a rule may learn from beforehand."""
    months: tuple[int, ...] = (6, 7, 8)
    days: int | None = None
    """So many of each month; None: all."""


QUICK = Extent(supply_a=(100.0,), months=(6,), days=5)


def measure(extent: Extent) -> Iterator[Row]:
    """Yield the figures, size by size.

    Raises:
        NoRecording: there is none where there should be one, or it has no sessions in these months.
    """
    recording = made_up() if extent.recording is None else read(extent.recording)
    months = [recording.month(month, extent.days) for month in extent.months]
    if not all(months):
        raise NoRecording(f"{recording.source}: there are no sessions in one of the months {extent.months}")
    past = recording.month(extent.learned_from)
    for supply_a in extent.supply_a:
        say(f"shares: staff car park at {supply_a:g} A, linear programmes")
        limit_wh = sum(most_wh(sessions, supply_a) for sessions in months)
        yield _limit_row(supply_a, limit_wh, months, recording)
        deciders: list[Decider] = [*plain_rules(), *engine_rules(), *need_rules()]
        for decider in deciders:
            say(f"shares: staff car park at {supply_a:g} A, {_title(decider)}")
            cars = [car for sessions in months for car in replay(sessions, supply_a, decider, past)]
            of_limit_pct = 100.0 * sum(car.taken_wh for car in cars) / limit_wh
            yield from _rows(supply_a, decider, fared(cars), of_limit_pct)


def _title(decider: Decider) -> str:
    return f"{decider.name} ({decider.knows})"


def _limit_row(supply_a: float, limit_wh: float, months: Sequence[Sequence[Session]], recording: Recording) -> Row:
    sessions = [session for month in months for session in month]
    return Row(
        benchmark=NAME,
        subject=f"staff car park, {supply_a:g} A: limit",
        figure="energy that can be met",
        value=100.0 * limit_wh / sum(session.need_wh for session in sessions),
        unit="%",
        note=f"{recording.source}, {len(sessions)} sessions",
    )


def _rows(supply_a: float, decider: Decider, came_to: Fared, of_limit_pct: float) -> Iterator[Row]:
    subject = f"staff car park, {supply_a:g} A: {_title(decider)}"
    target = TARGETS.get((decider.name, decider.knows, supply_a))
    yield Row(
        benchmark=NAME,
        subject=subject,
        figure="energy met, of the limit",
        value=of_limit_pct,
        unit="%",
        target=None if target is None else target.of_limit_pct,
        at_least=True,
        also={
            "met_pct": round(came_to.met_pct, 2),
            "jain": round(came_to.jain, 4),
            "worst_tenth_pct": round(came_to.worst_tenth_pct, 1),
            "starts": round(came_to.starts, 2),
        },
    )
    if target is None:
        return
    fairness = (
        ("Jain index", came_to.jain, "", target.jain),
        ("worst tenth of the sessions", came_to.worst_tenth_pct, "%", target.worst_tenth_pct),
    )
    for figure, value, unit, least in fairness:
        yield Row(benchmark=NAME, subject=subject, figure=figure, value=value, unit=unit, target=least, at_least=True)
