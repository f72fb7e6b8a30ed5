"""From a meter sample that breaks a ceiling to the last reduction on the wire, in a real Home Assistant.

Home Assistant is a process of its own with its usual parts (recorder, history, logbook, frontend, somebody who looks at
the states); charge points and meter are another process, so that what is measured is what they see: from the moment at
which the meter answers with a current that breaks the ceiling to the arrival of the last order for less. A probe inside
Home Assistant says how late its event loop was meanwhile, and what held it.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .home import LONGEST_HOLD_MS, MARGIN_A, MAXIMUM_A, free_port, home_assistant, probed, stored_site
from .measuring import percentile
from .program import Program, ProgramEnded, running
from .progress import say
from .report import Row
from .rpc import Worthless

NAME = "guard"
TARGET_MS = 250.0
TARGET_CONNECTORS = 200

LEAST_A = 8.0
BASE_A_PER_POINT = 1.0
JUMP_A_PER_POINT = 1.05
"""Takes a whole amp from everybody and breaks the rating, not only the margin."""
JUMP_BEYOND_A = 12.0

RISES_WITHIN_S = 420.0
ONLINE_WITHIN_S = 180.0
CAUSES_TOLD = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    connectors: int = TARGET_CONNECTORS
    jumps: int = 50
    pauses_s: tuple[float, float] = (15.5, 18.5)
    """Before each jump: more than the time that a car is given to settle (15 s). One that comes sooner may have to be
    told from cars that still follow the last, which takes seconds (docs/engine.md); here it is the way to the wire."""


QUICK = Extent(connectors=3, jumps=1, pauses_s=(1.0, 2.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """One jump; times of CLOCK_MONOTONIC in s."""

    shown_at: float
    arrived_at: Sequence[float]

    @property
    def last_at(self) -> float:
        """Return when the last reduction arrived."""
        return self.arrived_at[-1]

    @property
    def reductions(self) -> int:
        """Return how many there were."""
        return len(self.arrived_at)

    @property
    def first_ms(self) -> float:
        """Return from the meter's answer to the arrival of the first reduction."""
        return (self.arrived_at[0] - self.shown_at) * 1e3

    @property
    def took_ms(self) -> float:
        """Return from the meter's answer to the arrival of the last reduction."""
        return (self.last_at - self.shown_at) * 1e3


def measure(extent: Extent) -> Iterator[Row]:
    """Yield the figures."""
    folder = Path(tempfile.mkdtemp(prefix="charge-cluster-benchmark-"))
    try:
        jumps, lines = asyncio.run(_run(folder, extent))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    yield from figures_of(extent, jumps, lines)


def figures_of(extent: Extent, jumps: Sequence[Jump], lines: Sequence[dict[str, Any]]) -> Iterator[Row]:
    """Yield the figures of jumps, given what the probe noted."""
    took_ms = [jump.took_ms for jump in jumps]
    subject = f"breach to wire, {extent.connectors} connectors in Home Assistant"
    least, most = min(jump.reductions for jump in jumps), max(jump.reductions for jump in jumps)
    counted = f"{len(jumps)} jumps, {least} to {most} reductions each"
    for name, percent, target, note in (
        ("p50", 50, None, counted),
        ("p99", 99, TARGET_MS if extent.connectors == TARGET_CONNECTORS else None, ""),
        ("longest", 100, None, ""),
    ):
        yield Row(
            benchmark=NAME,
            subject=subject,
            figure=f"last reduction, {name}",
            value=percentile(took_ms, percent),
            unit="ms",
            target=target,
            note=note,
        )
    yield Row(
        benchmark=NAME,
        subject=subject,
        figure="first reduction, p50",
        value=percentile([jump.first_ms for jump in jumps], 50),
        unit="ms",
    )
    meanwhile = [line for line in lines if any(_during(line, jump) for jump in jumps)]
    late_ms = [line["late_s"] * 1e3 for line in meanwhile if "late_s" in line]
    held: dict[str, float] = defaultdict(float)
    for line in meanwhile:
        if "held_s" in line:
            held[line["by"]] = max(held[line["by"]], line["held_s"] * 1e3)
    longest = sorted(held.items(), key=lambda each: -each[1])[:CAUSES_TOLD]
    yield Row(
        benchmark=NAME,
        subject=subject,
        figure="event loop late meanwhile, longest",
        value=max(late_ms, default=0.0),
        unit="ms",
        note=", ".join(f"{by} {ms:.0f} ms" for by, ms in longest if ms > LONGEST_HOLD_MS),
    )


def _during(line: dict[str, Any], jump: Jump) -> bool:
    ends = line["at"] + line.get("late_s", line.get("held_s", 0.0))
    return bool(line["at"] <= jump.last_at and ends >= jump.shown_at)


# Home Assistant ------------------------------------------------------------------------------------------------------


async def _run(folder: Path, extent: Extent) -> tuple[list[Jump], list[dict[str, Any]]]:
    identities = [f"CP{number:03d}" for number in range(1, extent.connectors + 1)]
    base_a = BASE_A_PER_POINT * extent.connectors
    async with running("premises") as premises:
        meter_port = (await premises.ask(ask="listen", base_a=base_a))["meter_port"]
        ocpp_port = free_port()
        rating_a = base_a + extent.connectors * MAXIMUM_A + MARGIN_A
        site = stored_site(identities, rating_a=rating_a, ocpp_port=ocpp_port, meter_port=meter_port)
        async with home_assistant(folder, site, benchmark=NAME):
            say(f"guard: {extent.connectors} charge points dial in")
            await premises.ask(ask="dial", identities=identities, port=ocpp_port)
            jumps = await _jumps(premises, extent, base_a, rating_a)
            await asyncio.sleep(2.0)  # the probe writes once a second
    return jumps, probed(folder)


async def _jumps(premises: Program, extent: Extent, base_a: float, rating_a: float) -> list[Jump]:
    jumps: list[Jump] = []
    by_a = JUMP_A_PER_POINT * extent.connectors + JUMP_BEYOND_A
    now_a = base_a
    await _risen(premises, base_a)
    while len(jumps) < extent.jumps:
        figures = await premises.ask(ask="figures")
        if figures["mean_a"] < LEAST_A + JUMP_A_PER_POINT:
            now_a = base_a
            await _risen(premises, base_a)
        await asyncio.sleep(random.uniform(*extent.pauses_s))
        now_a += by_a
        outcome = await premises.ask(ask="jump", to_a=now_a, rating_a=rating_a)
        if not outcome["arrived_at"] or not outcome["cleared"]:
            reductions = len(outcome["arrived_at"])
            raise Worthless(f"a jump to {now_a:.0f} A was not answered: {reductions} reductions are too few")
        jump = Jump(shown_at=outcome["shown_at"], arrived_at=outcome["arrived_at"])
        jumps.append(jump)
        say(
            f"guard: jump {len(jumps)} of {extent.jumps}: {jump.first_ms:.0f} to {jump.took_ms:.0f} ms,"
            f" {jump.reductions} reductions,"
            f" limits now {outcome['least_a']:g} to {outcome['most_a']:g} A"
        )
    return jumps


async def _risen(premises: Program, base_a: float) -> None:
    """Let the base load be low, and wait until everybody has all."""
    say("guard: everybody rises")
    begun = time.monotonic()
    while True:
        figures = await premises.ask(ask="settle", base_a=base_a)
        if figures["hung_up"]:
            raise Worthless(f"{figures['hung_up']} charge points lost their connection")
        if figures["least_a"] >= MAXIMUM_A - 1.0:
            return
        if time.monotonic() - begun > RISES_WITHIN_S:
            raise ProgramEnded(f"not everybody was given all: {figures}")
        await asyncio.sleep(1.0)
