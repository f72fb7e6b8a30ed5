"""One meter while the site runs: its newest sample, how old it may get, and what it says to the engine."""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.model import MeterReading
from ..meters import FaultKey, Meter, MeterFault, MeterSample
from .commissioning.findings import CommissionedView
from .settings import MeterSettings
from .views import MeterView

LEAST_TIMEOUT_S = 10.0
TIMEOUT_INTERVALS = 3.0
"""A meter is stale after the larger of 10 s and three of its learned intervals (promise 4)."""

FIRST_INTERVAL_S = 1.0
LEARNING_RATE = 0.1

SILENT_FAULTS = frozenset(
    {FaultKey.UNREACHABLE, FaultKey.TIMEOUT, FaultKey.LINK, FaultKey.REFUSED, FaultKey.SHORT_REPLY}
)
"""Faults of the way to the meter: its last sample stays good until it is too old."""


@dataclass(slots=True, kw_only=True)
class MeterState:
    """What is known of one meter."""

    settings: MeterSettings
    meter: Meter
    sample: MeterSample | None = None
    fault: MeterFault | None = None
    interval_s: float = FIRST_INTERVAL_S
    started_at: float
    """Monotonic seconds."""

    @property
    def timeout_s(self) -> float:
        """Return the age from which its sample counts as stale."""
        if self.settings.timeout_s is not None:
            return self.settings.timeout_s
        return max(LEAST_TIMEOUT_S, TIMEOUT_INTERVALS * self.interval_s)

    def take(self, report: MeterSample | MeterFault) -> None:
        """Take note of a sample or a fault."""
        if isinstance(report, MeterFault):
            self.fault = report
            if report.key not in SILENT_FAULTS:
                # The meter answers, but not with currents: no older sample speaks for it any more.
                self.sample = None
            return
        if self.sample is not None and report.measured_at > self.sample.measured_at:
            gap = report.measured_at - self.sample.measured_at
            self.interval_s += LEARNING_RATE * (min(gap, LEAST_TIMEOUT_S * 6) - self.interval_s)
        self.sample = report
        self.fault = None

    def reading(self) -> MeterReading | None:
        """Return what the engine may use."""
        if self.sample is None:
            return None
        return MeterReading(
            circuit_id=self.settings.circuit_id,
            amps=self.sample.amps,
            measured_at=self.sample.measured_at,
            timeout_s=self.timeout_s,
            scope=self.settings.scope,
        )

    def unheard(self, now: float) -> bool:
        """Return whether it was started a moment ago and has had no time to report."""
        return self.sample is None and self.fault is None and now - self.started_at < self.timeout_s

    def available(self, now: float) -> bool:
        """Return whether its sample is good."""
        return self.sample is not None and now - self.sample.measured_at <= self.timeout_s

    def view(self, now: float, commissioned: CommissionedView) -> MeterView:
        """Return the picture of it."""
        sample = self.sample
        return MeterView(
            meter_id=self.settings.meter_id,
            available=self.available(now),
            amps=None if sample is None else sample.amps,
            power_w=None if sample is None else sample.power_w,
            energy_import_wh=None if sample is None else sample.energy_import_wh,
            energy_export_wh=None if sample is None else sample.energy_export_wh,
            voltage_v=None if sample is None else sample.voltage_v,
            age_s=None if sample is None else max(0.0, now - sample.measured_at),
            fault=None if self.fault is None else self.fault.key.value,
            commissioned=commissioned,
        )
