"""Virtual time: one clock for the whole simulated site, and a clock of its own for each charge point on top.

Everything that happens *inside* the simulated site (cars, building load, sampling intervals, reboots, back-off) waits
in virtual seconds; only what waits for the peer at the other end of a wire (time-outs of calls) counts in real
seconds. With a real Home Assistant attached the factor is 1; without one it may be larger.
"""

import asyncio
import time
from datetime import UTC, datetime


class SimClock:
    """Virtual seconds since the start of the simulation, running `factor` times as fast as real time."""

    def __init__(self, *, factor: float = 1.0, starts_at: float | None = None) -> None:
        """Start the clock now; `starts_at` is the UTC POSIX time that it shows at first (None: the host's)."""
        if not factor > 0.0:
            raise ValueError(f"a clock must run forwards, so factor {factor} is impossible")
        self.factor = factor
        self._origin = time.monotonic()
        self._utc_origin = time.time() if starts_at is None else starts_at

    def now(self) -> float:
        """Return virtual seconds since the start."""
        return (time.monotonic() - self._origin) * self.factor

    def utc(self) -> float:
        """Return the true virtual time as UTC POSIX seconds."""
        return self._utc_origin + self.now()

    async def sleep(self, seconds: float) -> None:
        """Sleep for virtual seconds."""
        await asyncio.sleep(max(0.0, seconds) / self.factor)

    async def sleep_until(self, moment: float) -> None:
        """Sleep until a virtual moment."""
        await self.sleep(moment - self.now())


class PointClock:
    """The clock inside one charge point: wrong by an offset and a drift, unless it takes the central system's time."""

    def __init__(self, truth: SimClock, *, offset_s: float = 0.0, drift_ppm: float = 0.0) -> None:
        """Be `offset_s` ahead of the true time now and gain `drift_ppm` microseconds a second."""
        self._truth = truth
        self._offset_s = offset_s
        self._drift = drift_ppm * 1e-6
        self._set_at = truth.now()

    def utc(self) -> float:
        """Return what this clock shows, as UTC POSIX seconds."""
        return self._truth.utc() + self._offset_s + (self._truth.now() - self._set_at) * self._drift

    def text(self) -> str:
        """Return what this clock shows, as OCPP writes it."""
        return utc_text(self.utc())

    def set(self, utc: float) -> None:
        """Take over a time that the central system told."""
        self._offset_s = utc - self._truth.utc()
        self._set_at = self._truth.now()


def utc_text(utc: float) -> str:
    """Return UTC POSIX seconds as ISO 8601 with milliseconds and Z."""
    return datetime.fromtimestamp(utc, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_of(text: str) -> float:
    """Return the UTC POSIX seconds of an ISO 8601 text; one without a zone is taken as UTC.

    Raises:
        ValueError: the text is no date and time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()
