"""What happens at a site while something is tested: every draw, limit, connection and meter sample with its time.

Nothing is kept while nothing is tested. Times are monotonic seconds; what came in late is kept with both its times.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ...chargers import (
    ChargerEvent,
    DrawSample,
    TransactionStarted,
    TransactionStopped,
    WentOffline,
    WentOnline,
)
from ...engine.model import PhaseAmps
from ...meters import MeterFault, MeterSample
from ...ocpp.protocols import Clock
from .analysis import Sample

MOST_KEPT = 5_000
"""Of each kind: an hour of samples a second."""


@dataclass(frozen=True, slots=True)
class LimitAnswer:
    """A limit was accepted, new or renewed."""

    at: float
    amps: float


class Witness:
    """Takes note of one connector and the meters above it."""

    def __init__(self, clock: Clock, charge_point_id: str, number: int) -> None:
        """Begin to listen."""
        self._clock = clock
        self.charge_point_id = charge_point_id
        self.number = number
        self.draws: deque[Sample] = deque(maxlen=MOST_KEPT)
        """On the connector's own terminals."""
        self.registers: deque[tuple[float, float]] = deque(maxlen=MOST_KEPT)
        """Time and Wh."""
        self.limits: deque[LimitAnswer] = deque(maxlen=MOST_KEPT)
        self.meters: dict[str, deque[tuple[float, float, PhaseAmps]]] = {}
        """By meter: measured at, came in at, A."""
        self.online_at: list[tuple[float, bool]] = []
        self.stopped_at: float | None = None
        """When its transaction ended; None: it goes on, as far as was told."""
        self.started_at: float | None = None
        """When the one that runs began, by what the charge point says (UTC POSIX seconds); None: not told."""
        self._news = asyncio.Event()

    def heard(self, charge_point_id: str, event: ChargerEvent) -> None:
        """Take note of what a charge point says."""
        if charge_point_id != self.charge_point_id:
            return
        now = self._clock.monotonic()
        match event:
            case WentOnline():
                self.online_at.append((now, True))
            case WentOffline():
                self.online_at.append((now, False))
            case DrawSample() if event.connector == self.number:
                if not self.draws or event.measured_at > self.draws[-1][0]:
                    self.draws.append((event.measured_at, event.amps))
                if event.energy_wh is not None:
                    self.registers.append((event.measured_at, event.energy_wh))
            case TransactionStopped() if event.connector == self.number and not event.late:
                self.stopped_at = now
                self.started_at = None
            case TransactionStarted() if event.connector == self.number:
                self.stopped_at = None
                self.started_at = event.started_at
            case _:
                # Statuses are read from the pictures of the site.
                pass
        self._news.set()

    def accepted(self, limit_a: float, at: float) -> None:
        """Take note that a limit was accepted."""
        if not self.limits or self.limits[-1].at < at:
            self.limits.append(LimitAnswer(at, limit_a))
        self._news.set()

    def metered(self, meter_id: str, report: MeterSample | MeterFault) -> None:
        """Take note of a reading."""
        if isinstance(report, MeterFault):
            return
        kept = self.meters.setdefault(meter_id, deque(maxlen=MOST_KEPT))
        if not kept or report.measured_at > kept[-1][0]:
            kept.append((report.measured_at, self._clock.monotonic(), report.amps))
        self._news.set()

    def meter_samples(self, meter_id: str) -> list[Sample]:
        """Return what a meter showed, by the time that it says."""
        return [(measured, amps) for measured, _, amps in self.meters.get(meter_id, ())]

    async def until(self, true: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something is true, at most so long; return whether it is."""
        ends = self._clock.monotonic() + timeout_s
        while not true():
            left = ends - self._clock.monotonic()
            if left <= 0.0:
                return False
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, 1.0)):
                    await self._news.wait()
        return True

    def last_change(self, since: float) -> LimitAnswer | None:
        """Return the acceptance from which on the limit is what it is now, no older than `since`."""
        newest: LimitAnswer | None = None
        for answer in reversed(self.limits):
            if answer.at < since or (newest is not None and answer.amps != newest.amps):
                break
            newest = answer
        return newest
