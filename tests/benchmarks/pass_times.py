"""How long a whole pass takes: on a quiet day, when the base load jumps, and when everybody plugs in at once.

A second jump that hides behind the answer to the first is the longest look at the base load that there is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from custom_components.charge_cluster.engine.controller import decide

from .car_parks import a_car_park
from .faults import NAME
from .measuring import timed
from .passes import LivingCarPark
from .progress import say
from .report import Row

TARGET_MS = 10.0
TARGET_CONNECTORS = 1000
SEED = 0
SECOND_JUMP, SECONDS_HIDDEN = 1.5, 3
"""To so many times the first one the base load jumps, and is not proved to for so long: cars may be about to follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    connectors: tuple[int, ...] = (10, 100, 1000)
    passes: int = 40
    warm_up_passes: int = 110
    """A little longer than the engine remembers draws."""
    jump_a: float = 1.0
    """By so much for each connector the base load jumps, which doubles it."""


QUICK = Extent(connectors=(6, 12), passes=3, warm_up_passes=3)


def measure(extent: Extent) -> Iterator[Row]:
    """Yield the figures, size by size, and how they grow."""
    medians: dict[str, list[float]] = {}
    for connectors in extent.connectors:
        say(f"guard: whole passes of {connectors} connectors")
        for kind, calls, note in _kinds(connectors, extent):
            timing = timed(calls)
            medians.setdefault(kind, []).append(timing.median_ms)
            subject = f"pass of {connectors}, {kind}"
            target = TARGET_MS if connectors == TARGET_CONNECTORS else None
            yield Row(
                benchmark=NAME,
                subject=subject,
                figure="CPU, median",
                value=timing.median_ms,
                unit="ms",
                target=target,
                ratio=timing.ratio,
                note=note,
                also={"p95_ms": round(timing.p95_ms, 2)},
            )
    for kind, found in medians.items():
        yield _growth(kind, extent.connectors, found)


type Call = Callable[[], object]


def _kinds(connectors: int, extent: Extent) -> Iterator[tuple[str, Sequence[Call], str]]:
    """Yield the kinds of passes, each with calls that can be repeated."""
    living = LivingCarPark(a_car_park(connectors, SEED))
    arrival = living.second()
    yield "everybody arrives", [partial(decide, arrival, living.memory)] * extent.passes, "nothing kept from before"
    living.carry_out(decide(arrival, living.memory))
    living.live(extent.warm_up_passes)
    quiet = []
    for _ in range(extent.passes):
        snapshot, memory = living.second(), living.memory
        quiet.append(partial(decide, snapshot, memory))
        living.carry_out(decide(snapshot, memory))
    yield "steady", quiet, "a quiet day, full histories, a tenth measured anew"
    jump = living.second(jump_a=extent.jump_a * connectors)
    decision = decide(jump, living.memory)
    reductions = sum(command.reduces for command in decision.commands)
    calls = [partial(decide, jump, living.memory)] * extent.passes
    yield "base load jumps", calls, f"{reductions} reductions in one pass"
    living.carry_out(decision)
    higher_a = SECOND_JUMP * extent.jump_a * connectors
    for _ in range(SECONDS_HIDDEN):
        living.carry_out(decide(living.second(jump_a=higher_a), living.memory))
    hidden = living.second(jump_a=higher_a)
    asked = len(decide(hidden, living.memory).asked)
    calls = [partial(decide, hidden, living.memory)] * extent.passes
    yield "a second jump hides", calls, f"{asked} connectors are asked what they draw"


def _growth(kind: str, connectors: Sequence[int], medians: Sequence[float]) -> Row:
    """Return the exponent with which the time grows from the smallest site to the largest."""
    exponent = math.log(medians[-1] / medians[0]) / math.log(connectors[-1] / connectors[0])
    return Row(
        benchmark=NAME,
        subject=f"pass, {kind}",
        figure="growth from the smallest to the largest",
        value=exponent,
        unit="power of n",
        note="1: proportional; n log n from 10 to 1000 is 1.24",
    )
