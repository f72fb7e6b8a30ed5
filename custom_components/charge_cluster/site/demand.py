"""The demand of each circuit, minute by minute: the highest current of each phase and the mean power."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..engine.model import NO_AMPS, NOMINAL_VOLTAGE_V, PhaseAmps
from ..engine.snapshot import Decision
from .month_peak import MonthPeak
from .records import SiteRecords

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


class DemandBook:
    """Writes down the demand of all circuits of a site."""

    def __init__(self, records: SiteRecords, peak: MonthPeak) -> None:
        """Begin without a circuit; `keep_only` says which there are. `peak` is told of the supply."""
        self._records = records
        self._peak = peak
        self._supply_id: str | None = None
        self._meters: dict[str, DemandMeter] = {}

    def keep_only(self, circuits: Iterable[str], supply_id: str) -> None:
        """Follow these circuits, going on with those that were followed before."""
        self._supply_id = supply_id
        self._meters = {key: self._meters.get(key, DemandMeter()) for key in circuits}

    def add(self, decision: Decision, powers_w: Mapping[str, float], wall: float) -> None:
        """Take what a pass found; `powers_w` has the circuits whose power is measured."""
        for circuit_id, circuit in decision.circuits.items():
            if circuit.load_a is None:
                continue
            power_w = powers_w.get(circuit_id, sum(circuit.load_a) * NOMINAL_VOLTAGE_V)
            self._record(circuit_id, self._meters[circuit_id].add(wall, circuit.load_a, power_w))

    def close(self) -> None:
        """Write down the minutes so far."""
        for circuit_id, meter in self._meters.items():
            self._record(circuit_id, meter.close())

    def _record(self, circuit_id: str, minute: DemandMinute | None) -> None:
        if minute is None:
            return
        self._records.demand(circuit_id, minute.minute_start, minute.peak_a, minute.mean_power_w, minute.samples)
        if circuit_id == self._supply_id:
            self._peak.take(minute.minute_start, minute.mean_power_w)
