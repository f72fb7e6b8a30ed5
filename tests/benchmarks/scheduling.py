"""What charging by price comes to in a staff car park, how near plans are to the linear programme, and what they take.

The same car park as in `staff_shares`, lived through again with a price of each hour. The days are the first ones of
each month; a rule that learns is given all months before it, from May on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median

from custom_components.charge_cluster.engine.planner import PlanTask, plan

from .day_ahead import DayAhead
from .energy_limit import cheapest
from .made_up_sessions import made_up
from .measuring import percentile, timed
from .need_rule import LOCAL
from .plan_oracle import best_plan
from .plan_rules import Alone, Knowledge, Price, Priced, Together, charge_now
from .plan_tasks import a_plan_task
from .progress import say
from .replay import Decider, Fared, fared, replay
from .report import Row
from .staff_car_park import NoRecording, Session, read

NAME = "scheduling"

TARGET_MS = {100: 100.0, 300: 400.0}
TARGET_GAP_PCT = 0.5
ENOUGH_OF_IT_PCT = 0.05
"""Two rules meet as much energy when they are no further apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    recording: Path | None = None
    """None: sessions are made up."""
    supply_a: tuple[float, ...] = (160.0,)
    learned_from: int = 5
    """All that is recorded before a month, from this one on, may be learned from."""
    months: tuple[int, ...] = (6, 7, 8)
    days: int | None = 4
    """So many of each month, from its first session on; None: all."""
    sessions: tuple[int, ...] = (100, 300)
    seeds: int = 5


LONG = Extent(supply_a=(100.0, 160.0), days=None, seeds=20)
QUICK = Extent(supply_a=(160.0,), months=(6,), days=1, sessions=(12,), seeds=2)


def measure(extent: Extent) -> Iterator[Row]:
    """Yield the figures.

    Raises:
        NoRecording: there is none where there should be one, or it has no sessions in these months.
    """
    for sessions in extent.sessions:
        yield from _solves(sessions, extent.seeds)
    recording = made_up() if extent.recording is None else read(extent.recording)
    months = [recording.month(month, extent.days) for month in extent.months]
    if not all(months):
        raise NoRecording(f"{recording.source}: there are no sessions in one of the months {extent.months}")
    pasts = [
        [session for before in range(extent.learned_from, month) for session in recording.month(before)]
        for month in extent.months
    ]
    price = DayAhead(zone=LOCAL, first=date(2019, 4, 1)).at
    for supply_a in extent.supply_a:
        yield from _car_park(supply_a, months, pasts, price, recording.source)


# One plan -------------------------------------------------------------------------------------------------------------


def _solves(sessions: int, seeds: int) -> Iterator[Row]:
    say(f"scheduling: plans of {sessions} sessions")
    tasks = [a_plan_task(sessions, seed) for seed in range(seeds)]
    timing = timed([partial(plan, task) for task in tasks])
    subject = f"plan, {sessions} sessions × {tasks[0].grid.count} slots"
    yield Row(
        benchmark=NAME,
        subject=subject,
        figure="CPU, median",
        value=timing.median_ms,
        unit="ms",
        target=TARGET_MS.get(sessions),
        ratio=timing.ratio,
        also={"p95_ms": round(timing.p95_ms, 1)},
    )
    yield from _gaps(subject, tasks)


def _gaps(subject: str, tasks: Sequence[PlanTask]) -> Iterator[Row]:
    """Yield how far plans are from the linear programme: at any current, and as chargers can."""
    for how, judged in (("any current", [_at_any_current(task) for task in tasks]), ("whole amps, 6 A", tasks)):
        gaps, short = [], []
        for task in judged:
            alone = replace(task, expected=())
            made, most = plan(alone), best_plan(alone)
            best = best_plan(alone, energy_wh=made.energy_wh)
            if most.energy_wh > 0.0 and best.cost:
                short.append(100.0 * (1.0 - made.energy_wh / most.energy_wh))
                gaps.append(100.0 * (made.cost - best.cost) / abs(best.cost))
        if gaps:
            yield Row(
                benchmark=NAME,
                subject=f"{subject}: {how}",
                figure="dearer than LP at equal energy, mean",
                value=sum(gaps) / len(gaps),
                unit="%",
                target=TARGET_GAP_PCT if how == "any current" else None,
                also={
                    "worst_pct": round(max(gaps), 2),
                    "energy_less_than_lp_pct": round(sum(short) / len(short), 3),
                    "worst_energy_pct": round(max(short), 2),
                },
                note=f"{len(gaps)} tasks",
            )


def _at_any_current(task: PlanTask) -> PlanTask:
    return replace(task, sessions=[replace(session, minimum_a=0.0, step_a=0.0) for session in task.sessions])


# A car park -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Came:
    """What a rule came to."""

    fared: Fared
    cost_per_kwh: float


def _car_park(
    supply_a: float,
    months: Sequence[Sequence[Session]],
    pasts: Sequence[Sequence[Session]],
    price: Price,
    source: str,
) -> Iterator[Row]:
    where = f"staff car park, {supply_a:g} A"
    say(f"scheduling: {where}, linear programmes")
    best = [cheapest(sessions, supply_a, price) for sessions in months]
    needed_wh = sum(session.need_wh for sessions in months for session in sessions)
    met_wh, cost = sum(wh for wh, _ in best), sum(cost for _, cost in best)
    yield Row(
        benchmark=NAME,
        subject=f"{where}: limit (true, arrivals too)",
        figure="cost",
        value=1000.0 * cost / met_wh,
        unit="EUR/kWh",
        also={"met_pct": round(100.0 * met_wh / needed_wh, 2)},
        note=f"{source}, {sum(map(len, months))} sessions",
    )
    ours = [Together(knowledge, price) for knowledge in Knowledge]
    rules: list[Decider] = [charge_now(), Alone(price, contiguous=False), Alone(price, contiguous=True), *ours]
    came: dict[str, _Came] = {}
    for rule in rules:
        say(f"scheduling: {where}, {rule.name} ({rule.knows})")
        title = f"{rule.name} ({rule.knows})"
        came[title] = _replayed(rule, supply_a, months, pasts, price)
        yield from _row(where, title, came[title])
    yield from _verdicts(where, came)
    for rule in ours:
        ms = [1000.0 * taken for taken in rule.solved_s]
        yield Row(
            benchmark=NAME,
            subject=f"{where}: {rule.name} ({rule.knows})",
            figure="CPU of a plan, median",
            value=median(ms),
            unit="ms",
            also={"p99_ms": round(percentile(ms, 99), 1), "plans": float(len(ms))},
        )
    yield from _gaps(f"{where}: plans on the way", ours[0].tasks)


def _replayed(
    rule: Decider,
    supply_a: float,
    months: Sequence[Sequence[Session]],
    pasts: Sequence[Sequence[Session]],
    price: Price,
) -> _Came:
    priced = Priced(rule, price)
    cars = [
        car for sessions, past in zip(months, pasts, strict=True) for car in replay(sessions, supply_a, priced, past)
    ]
    taken_wh = sum(car.taken_wh for car in cars)
    return _Came(fared=fared(cars), cost_per_kwh=1000.0 * priced.cost / taken_wh)


def _row(where: str, title: str, came: _Came) -> Iterator[Row]:
    yield Row(
        benchmark=NAME,
        subject=f"{where}: {title}",
        figure="cost",
        value=came.cost_per_kwh,
        unit="EUR/kWh",
        also={
            "met_pct": round(came.fared.met_pct, 2),
            "worst_tenth_pct": round(came.fared.worst_tenth_pct, 1),
            "jain": round(came.fared.jain, 4),
            "starts": round(came.fared.starts, 2),
        },
    )


def _verdicts(where: str, came: dict[str, _Came]) -> Iterator[Row]:
    """Yield how ours, with learned departures, stands to charge-now and to rules that plan each car alone."""
    subject = f"{where}: ours ({Knowledge.LEARNED})"
    ours = came[f"ours ({Knowledge.LEARNED})"]
    now = next(each for title, each in came.items() if title.startswith("water-fill"))
    yield Row(
        benchmark=NAME,
        subject=subject,
        figure="energy met",
        value=ours.fared.met_pct,
        unit="%",
        target=now.fared.met_pct,
        at_least=True,
        note="target: charge-now",
    )
    as_much = [
        each.cost_per_kwh
        for title, each in came.items()
        if not title.startswith("ours") and each.fared.met_pct >= ours.fared.met_pct - ENOUGH_OF_IT_PCT
    ]
    yield Row(
        benchmark=NAME,
        subject=subject,
        figure="cost",
        value=ours.cost_per_kwh,
        unit="EUR/kWh",
        target=min([*as_much, now.cost_per_kwh]),
        note="target: the cheapest rule that meets as much energy, or charge-now",
    )
