"""What is known of the connectors of one charge point: their state, their measurements, their registers."""

from __future__ import annotations

from dataclasses import dataclass, field

from .conversation import Amps, Measured, StatusReported, Terminals
from .metering import EnergyPace, EnergyRegister, Sample, drawn_amps

_BUSY = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE"})

CARRIES_A = 1.0
"""A phase with at least this is in use by the vehicle."""


@dataclass(slots=True, kw_only=True)
class ConnectorState:
    """One connector as it was last told."""

    connector: int
    status: StatusReported | None = None
    status_at: float = 0.0
    """When the status changed last; monotonic."""
    measured: Measured | None = None
    register: EnergyRegister = field(default_factory=EnergyRegister)
    pace: EnergyPace = field(default_factory=EnergyPace)
    proved_phases: int = 1
    """Phases that the vehicle of the running transaction was seen to draw on at the same time."""

    @property
    def busy(self) -> bool:
        """Return whether the charger's own word means that a transaction runs."""
        return self.status is not None and self.status.status in _BUSY

    def take_status(self, status: StatusReported, now: float) -> bool:
        """Take a state and return whether it is news."""
        news = self.status != status
        if self.status is None or self.status.status != status.status:
            self.status_at = now
        self.status = status
        return news

    def take_sample(self, sample: Sample, terminals: Terminals, at: float) -> Measured | None:
        """Take a sample and return the report of it; None where it tells nothing of what flows."""
        energy_wh = self.register.total_wh
        if sample.energy_wh is not None:
            rated_w = terminals.maximum_a * 253.0 * terminals.phases
            energy_wh = self.register.feed(sample.energy_wh, at, rated_w)
        self.pace.feed(sample, energy_wh if sample.energy_wh is not None else None, at)
        if self.pace.watts is not None:
            sample.total_w = self.pace.watts
        amps = drawn_amps(sample, terminals)
        if amps is None:
            return None
        self._prove_phases(sample)
        self.measured = Measured(
            connector=self.connector,
            amps=amps,
            at=at,
            power_w=_power(sample, amps),
            energy_wh=energy_wh,
            register_wh=sample.energy_wh,
            voltage_v=sample.voltage_v,
            temperature_c=sample.temperature_c,
            soc_percent=sample.soc_percent,
            offered_a=sample.offered_a,
        )
        return self.measured

    def new_vehicle(self) -> None:
        """Forget what was learned of the vehicle."""
        self.forget_phases()

    def forget_phases(self) -> None:
        """Forget on how many phases the vehicle was seen to draw."""
        self.proved_phases = 1

    def _prove_phases(self, sample: Sample) -> None:
        carrying = sum(1 for amps in sample.amps if amps is not None and amps >= CARRIES_A)
        self.proved_phases = max(self.proved_phases, carrying)


def _power(sample: Sample, amps: Amps) -> float | None:
    if sample.power_w is not None:
        return max(0.0, sample.power_w)
    volts = sample.voltage_v
    if volts is None or all(told is None for told in sample.amps):
        return None
    return sum(a * v for a, v in zip(amps, volts, strict=True))
