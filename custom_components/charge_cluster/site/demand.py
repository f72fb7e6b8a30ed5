"""The demand of one circuit, minute by minute: the highest current of each phase and the mean power."""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.model import NO_AMPS, PhaseAmps

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandMinute:
    """A minute that is over."""

    minute_start: float
    """UTC POSIX seconds."""
    peak_a: PhaseAmps
    mean_power_w: float
    samples: int


@dataclass(slots=True)
class DemandMeter:
    """Gathers the running minute of a circuit."""

    minute: int = -1
    peak_a: PhaseAmps = NO_AMPS
    power_sum_w: float = 0.0
    samples: int = 0

    def add(self, wall: float, amps: PhaseAmps, power_w: float) -> DemandMinute | None:
        """Take a sample; return the minute before when this one begins a new one."""
        minute = int(wall // MINUTE_S)
        done = None
        if minute != self.minute:
            done = self.close()
            self.minute, self.peak_a, self.power_sum_w, self.samples = minute, amps, 0.0, 0
        peak = self.peak_a
        self.peak_a = (max(peak[0], amps[0]), max(peak[1], amps[1]), max(peak[2], amps[2]))
        self.power_sum_w += power_w
        self.samples += 1
        return done

    def close(self) -> DemandMinute | None:
        """Return the minute so far; None: it is empty."""
        if not self.samples:
            return None
        return DemandMinute(
            minute_start=self.minute * MINUTE_S,
            peak_a=self.peak_a,
            mean_power_w=self.power_sum_w / self.samples,
            samples=self.samples,
        )
