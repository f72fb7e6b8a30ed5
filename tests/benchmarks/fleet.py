"""A whole fleet in a real Home Assistant: what a message costs, what a charge point weighs, and what storms do.

Home Assistant is a process of its own with its usual parts, the charge points and the supply meter another one, so that
what is measured is all of Home Assistant and nothing of them.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .home import LONGEST_HOLD_MS, MARGIN_A, MAXIMUM_A, Home, free_port, home_assistant, probed, stored_site
from .measuring import percentile
from .program import Program, ProgramEnded, running
from .progress import say
from .report import Row
from .rpc import NAME, Worthless

TARGET_POINTS = 200
"""The size that the targets for a message are meant for."""
TARGET_CPU_MS = 1.5
TARGET_P99_MS = 50.0
TARGET_MB = 0.35
TARGET_ROWS_CHARGING = 20.0
TARGET_ROWS_IDLE = 1.0
TARGET_MANAGED_S = 15.0
MANAGED = "all managed"
"""Every connector holds its fallback and its limit is in our hands."""
SHARED = "all have their share"
"""Every vehicle was seen to draw and was given more than the minimum; until then it charges with that."""
CAUSES_TOLD = 3
PROBED_EVERY_S = 1.0
"""Seldom enough that looking costs nothing to speak of; what holds the loop is noted whenever it does."""
SPARE_A = 4.0
"""For each connector: nobody is held back by the supply."""
SETTLES_WITHIN_S = 120.0
PROBE_WRITES_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a fleet is."""

    points: int
    connectors: int = 1
    """Of each charge point."""

    def __str__(self) -> str:
        each = "" if self.connectors == 1 else f" with {self.connectors} connectors each"
        return f"{self.points} charge points{each} in Home Assistant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    sizes: tuple[Size, ...] = (Size(points=10), Size(points=50), Size(points=200), Size(points=300, connectors=2))
    every_s: float = 10.0
    """Between two MeterValues of a connector."""
    window_s: float = 60.0
    """For which figures are taken, idle and charging."""
    settles_s: float = 20.0
    """After everybody has risen, before figures are taken."""
    off_s: float = 5.0
    """How long the power is away."""
    storms: bool = True
    """Whether the largest size also loses its power."""


QUICK = Extent(sizes=(Size(points=2, connectors=2),), every_s=0.5, window_s=2.0, settles_s=0.0, off_s=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time in which nothing but the usual happened."""

    messages: int
    cpu_s: float
    answers_ms: Sequence[float]
    begun: float
    ended: float
    """UTC POSIX seconds."""


@dataclass(slots=True, kw_only=True)
class Storm:
    """Everybody did the same at once."""

    name: str
    begun: float
    ended: float
    """Monotonic seconds."""
    outcome: str
    """What has come to everybody when it is over."""
    target_s: float | None
    answered_s: float
    """Until everything that they told had been answered."""
    over_s: float | None
    """Until it was over; None: not for all of them in time."""
    over: int
    """For so many of them it was."""


@dataclass(slots=True, kw_only=True)
class Trial:
    """What one size has shown."""

    size: Size
    empty_mb: float = 0.0
    full_mb: float = 0.0
    idle: Window | None = None
    charging: Window | None = None
    storms: list[Storm] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    """What the probe noted."""
    rows: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of the recorder, by window: those of charge points, and all."""


def measure(extent: Extent) -> Iterator[Row]:
    """Yield the figures."""
    smallest: Trial | None = None
    for size in extent.sizes:
        trial = take(size, extent)
        yield from figures_of(trial, smallest, extent)
        smallest = smallest or trial


def take(size: Size, extent: Extent) -> Trial:
    """Let a fleet of one size live, and return what it has shown."""
    folder = Path(tempfile.mkdtemp(prefix="charge-cluster-benchmark-"))
    try:
        trial = asyncio.run(_live(folder, size, extent))
        trial.lines = probed(folder)
        for name, window in (("idle", trial.idle), ("charging", trial.charging)):
            if window is not None:
                trial.rows[name] = recorded(folder / "home-assistant_v2.db", window)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return trial


# What is shown -------------------------------------------------------------------------------------------------------


def figures_of(trial: Trial, smallest: Trial | None, extent: Extent) -> Iterator[Row]:
    """Yield the figures of one size."""
    size, aimed = trial.size, trial.size.points == TARGET_POINTS
    if trial.charging is not None:
        yield from _message_figures(trial, trial.charging, extent, aimed=aimed)
    if smallest is not None and smallest.size.points < size.points:
        grown_mb = (trial.full_mb - smallest.full_mb) / (size.points - smallest.size.points)
        note = f"beyond {smallest.size.points} charge points; {trial.full_mb:.0f} MB in all"
        yield _row(trial, "memory per charge point", grown_mb, "MB", TARGET_MB, note=note)
    connector_minutes = size.points * size.connectors * extent.window_s / 60
    for name, target in (("charging", TARGET_ROWS_CHARGING), ("idle", TARGET_ROWS_IDLE)):
        if name in trial.rows:
            theirs, everything = trial.rows[name]
            yield _row(
                trial,
                f"recorder rows per connector-minute, {name}",
                theirs / connector_minutes,
                "rows",
                target,
                note=f"{everything} rows of all entities in {extent.window_s:g} s",
            )
    yield from _hold_figures(trial)
    for storm in trial.storms:
        yield from _storm_figures(trial, storm)


def _message_figures(trial: Trial, window: Window, extent: Extent, *, aimed: bool) -> Iterator[Row]:
    yield _row(
        trial,
        "CPU of the whole process per MeterValues",
        window.cpu_s * 1e3 / window.messages,
        "ms",
        TARGET_CPU_MS if aimed else None,
        note=f"{window.messages} messages, one every {extent.every_s:g} s of each connector",
        also={"% of a core": window.cpu_s / (window.ended - window.begun) * 100},
    )
    yield _row(trial, "answer, p50", percentile(window.answers_ms, 50), "ms")
    yield _row(trial, "answer, p99", percentile(window.answers_ms, 99), "ms", TARGET_P99_MS if aimed else None)


def _hold_figures(trial: Trial) -> Iterator[Row]:
    """Yield what held the event loop longest while nothing but the usual happened."""
    window = trial.charging
    if window is None:
        return
    ahead_s = time.time() - time.monotonic()
    worst = held(trial.lines, window.begun - ahead_s, window.ended - ahead_s)
    yield _held_row(trial, "longest callback, charging", worst)


def _storm_figures(trial: Trial, storm: Storm) -> Iterator[Row]:
    yield _row(trial, f"{storm.name}, all answered", storm.answered_s, "s", TARGET_MANAGED_S)
    note = "" if storm.over_s is not None else f"{storm.over} of {trial.size.points} in time"
    over_s = storm.ended - storm.begun if storm.over_s is None else storm.over_s
    yield _row(trial, f"{storm.name}, {storm.outcome}", over_s, "s", storm.target_s, note=note)
    yield _held_row(trial, f"{storm.name}, longest callback", held(trial.lines, storm.begun, storm.ended))


def held(lines: Sequence[dict[str, Any]], begun: float, ended: float) -> list[tuple[str, float]]:
    """Return what held the event loop in a time, longest first: by whom and for how many milliseconds."""
    longest: dict[str, float] = defaultdict(float)
    for line in lines:
        if "held_s" in line and begun <= line["at"] <= ended:
            longest[line["by"]] = max(longest[line["by"]], line["held_s"] * 1e3)
    return sorted(longest.items(), key=lambda each: -each[1])


def _held_row(trial: Trial, figure: str, worst: Sequence[tuple[str, float]]) -> Row:
    note = ", ".join(f"{by} {ms:.0f} ms" for by, ms in worst[:CAUSES_TOLD])
    return _row(trial, figure, worst[0][1] if worst else 0.0, "ms", LONGEST_HOLD_MS, note=note)


def _row(
    trial: Trial,
    figure: str,
    value: float,
    unit: str,
    target: float | None = None,
    *,
    note: str = "",
    also: dict[str, float] | None = None,
) -> Row:
    return Row(
        benchmark=NAME,
        subject=str(trial.size),
        figure=figure,
        value=value,
        unit=unit,
        target=target,
        note=note,
        also=also or {},
    )


def recorded(database: Path, window: Window) -> tuple[int, int]:
    """Return how many states the recorder wrote in a window: those of charge points, and all."""
    query = """
        SELECT COUNT(*) FILTER (WHERE states_meta.entity_id LIKE '%.cp0%'), COUNT(*)
        FROM states JOIN states_meta USING (metadata_id) WHERE last_updated_ts BETWEEN ? AND ?
    """
    with closing(sqlite3.connect(database)) as connection:
        theirs, everything = connection.execute(query, (window.begun, window.ended)).fetchone()
    return int(theirs), int(everything)


# What is done --------------------------------------------------------------------------------------------------------


async def _live(folder: Path, size: Size, extent: Extent) -> Trial:
    trial = Trial(size=size)
    identities = [f"CP{number:04d}" for number in range(1, size.points + 1)]
    rating_a = size.points * size.connectors * (MAXIMUM_A + SPARE_A) + MARGIN_A
    async with running("fleet_points") as fleet:
        meter_port = (await fleet.ask(ask="listen"))["meter_port"]
        ocpp_port = free_port()
        site = stored_site(
            identities,
            rating_a=rating_a,
            ocpp_port=ocpp_port,
            meter_port=meter_port,
            connectors=size.connectors,
        )
        async with home_assistant(
            folder, site, benchmark=NAME, sampled_every_s=PROBED_EVERY_S, second_life=True
        ) as home:
            trial.empty_mb = home.rss_mb()
            say(f"{NAME}: {size}: all dial in")
            dial = {"ask": "dial", "port": ocpp_port, "identities": identities, "connectors": size.connectors}
            trial.storms.append(await _storm(fleet, "dialling in at once", MANAGED, TARGET_MANAGED_S, **dial))
            await fleet.ask(ask="report", every_s=extent.every_s)
            await asyncio.sleep(extent.every_s)
            say(f"{NAME}: {size}: idle")
            trial.idle = await _window(fleet, home, extent)
            say(f"{NAME}: {size}: all plug in")
            trial.storms.append(await _storm(fleet, "charging at once", SHARED, None, ask="plug in"))
            await _risen(fleet)
            await asyncio.sleep(extent.settles_s)
            say(f"{NAME}: {size}: charging")
            trial.charging = await _window(fleet, home, extent)
            trial.full_mb = home.rss_mb()
            if extent.storms and size == extent.sizes[-1]:
                say(f"{NAME}: {size}: a power cut")
                cut = {"ask": "power cut", "port": ocpp_port, "off_s": extent.off_s}
                trial.storms.append(await _storm(fleet, "power back after an outage", SHARED, None, **cut))
            await fleet.ask(ask="unplug")
            await asyncio.sleep(PROBE_WRITES_S)
    return trial


async def _storm(fleet: Program, name: str, outcome: str, target_s: float | None, **question: Any) -> Storm:
    begun = time.monotonic()
    answer = await fleet.ask(**question)
    return Storm(
        name=name,
        begun=begun,
        ended=time.monotonic(),
        outcome=outcome,
        target_s=target_s,
        answered_s=answer["answered_s"],
        over_s=answer["over_s"],
        over=answer["over"],
    )


async def _window(fleet: Program, home: Home, extent: Extent) -> Window:
    """Let the usual happen for a while."""
    await fleet.ask(ask="figures")
    begun, cpu_s = time.time(), home.cpu_s()
    await asyncio.sleep(extent.window_s)
    ended, spent_s = time.time(), home.cpu_s() - cpu_s
    figures = await fleet.ask(ask="figures")
    if figures["refusals"] or figures["hung_up"]:
        raise Worthless(f"{figures['refusals']} messages were refused, {figures['hung_up']} charge points hung up on")
    if not (answers_ms := figures["answers_ms"]):
        raise Worthless("nobody was answered")
    return Window(messages=len(answers_ms), cpu_s=spent_s, answers_ms=answers_ms, begun=begun, ended=ended)


async def _risen(fleet: Program) -> None:
    """Wait until everybody has all."""
    begun = time.monotonic()
    while (figures := await fleet.ask(ask="figures"))["least_a"] < MAXIMUM_A - 1.0:
        if time.monotonic() - begun > SETTLES_WITHIN_S:
            raise ProgramEnded(f"not everybody was given all: {figures['least_a']:g} A is the least")
        await asyncio.sleep(1.0)
