"""How a figure of speed is taken so that it means the same tomorrow.

Times are the CPU time of the thread that calls: pure Python never waits, so on a quiet machine that is the time that
passes, and on a busy one it leaves the neighbours out. Each call is timed beside a fixed piece of Python, turn by turn;
the ratio of the two is what may be compared between machines and over the years. The garbage collector is off while a
call is timed, and what was there before is frozen, so that a figure does not depend on what else was loaded.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heappop, heappush
from statistics import median

REFERENCE_STEPS = 4_000
"""Makes the reference take a few milliseconds on the machines of its day; changing it voids every recorded ratio."""

MS_PER_NS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long one call took, in milliseconds of CPU."""

    median_ms: float
    p95_ms: float
    reference_ms: float
    """What the reference took in the same minute."""

    @property
    def ratio(self) -> float:
        """Return the call's median in units of the reference."""
        return self.median_ms / self.reference_ms


def reference() -> float:
    """Do a fixed piece of work of the engine's kind: a heap, tuples, a dictionary and floats."""
    heap: list[tuple[float, int]] = []
    sums: dict[int, float] = {}
    seed = 12345
    for step in range(REFERENCE_STEPS):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        heappush(heap, (seed * 1e-3, step))
        if step % 3 == 0:
            level, at = heappop(heap)
            key = at % 64
            sums[key] = sums.get(key, 0.0) + level / (1.0 + at)
    return sum(sums.values())


def cpu_ms(call: Callable[[], object]) -> float:
    """Return the milliseconds of CPU that one call takes in this thread."""
    begun = time.thread_time_ns()
    call()
    return (time.thread_time_ns() - begun) * MS_PER_NS


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the garbage collector out of what is timed."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def timed(calls: Sequence[Callable[[], object]], *, warm_up: int = 3) -> Timing:
    """Time each call once, in turns with the reference, after the first few were made for nothing.

    Args:
        calls: the same call many times, or many of a kind.
        warm_up: so many of the calls are made beforehand, untimed.
    """
    for call in calls[:warm_up]:
        call()
        reference()
    taken: list[float] = []
    references: list[float] = []
    with undisturbed():
        for call in calls:
            taken.append(cpu_ms(call))
            references.append(cpu_ms(reference))
    return Timing(median_ms=median(taken), p95_ms=percentile(taken, 95), reference_ms=median(references))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
