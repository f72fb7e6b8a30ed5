"""The exact account of what flowed through a circuit: highest currents, and how long and how far above its rating.

Ratings are known here for the account alone; nothing in the simulated site acts on them. Time above the rating is
split by cause: while base load alone was within the rating, charging caused it; while base load alone was above the
rating, it did, and what charging put on top is counted apart.
"""

from dataclasses import dataclass

from .building import SupplyAmps

TOLERANCE_A = 1e-9
"""Below this an excess is rounding."""


@dataclass(slots=True)
class PhaseAccount:
    """One phase of one circuit."""

    rating_a: float
    highest_a: float = 0.0
    highest_base_load_a: float = 0.0
    highest_charging_a: float = 0.0
    charging_s: float = 0.0
    """Seconds above the rating while base load alone was within it."""
    charging_as: float = 0.0
    """Ampere-seconds above the rating in that time."""
    charging_longest_s: float = 0.0
    """The longest of those times without a break."""
    base_load_s: float = 0.0
    """Seconds above the rating while base load alone was above it."""
    base_load_as: float = 0.0
    """Ampere-seconds of base load above the rating in that time."""
    charging_on_top_as: float = 0.0
    """Ampere-seconds that charging added while base load alone was above the rating."""
    _running_s: float = 0.0

    @property
    def above_s(self) -> float:
        """Return all seconds above the rating."""
        return self.charging_s + self.base_load_s

    @property
    def above_as(self) -> float:
        """Return all ampere-seconds above the rating."""
        return self.charging_as + self.base_load_as + self.charging_on_top_as

    def add(self, total_a: float, base_a: float, dt: float) -> None:
        """Count `dt` seconds in which `total_a` flowed, `base_a` of it base load."""
        self.highest_a = max(self.highest_a, total_a)
        self.highest_base_load_a = max(self.highest_base_load_a, base_a)
        self.highest_charging_a = max(self.highest_charging_a, total_a - base_a)
        if total_a <= self.rating_a + TOLERANCE_A:
            self._running_s = 0.0
            return
        if base_a > self.rating_a + TOLERANCE_A:
            self._running_s = 0.0
            self.base_load_s += dt
            self.base_load_as += (base_a - self.rating_a) * dt
            self.charging_on_top_as += (total_a - base_a) * dt
            return
        self.charging_s += dt
        self.charging_as += (total_a - self.rating_a) * dt
        self._running_s += dt
        self.charging_longest_s = max(self.charging_longest_s, self._running_s)

    def report(self) -> dict[str, float]:
        """Return the account as plain figures."""
        return {
            "rating_a": self.rating_a,
            "highest_a": round(self.highest_a, 3),
            "highest_base_load_a": round(self.highest_base_load_a, 3),
            "highest_charging_a": round(self.highest_charging_a, 3),
            "above_s": round(self.above_s, 3),
            "above_as": round(self.above_as, 3),
            "charging_s": round(self.charging_s, 3),
            "charging_as": round(self.charging_as, 3),
            "charging_longest_s": round(self.charging_longest_s, 3),
            "base_load_s": round(self.base_load_s, 3),
            "base_load_as": round(self.base_load_as, 3),
            "charging_on_top_as": round(self.charging_on_top_as, 3),
        }


class CircuitAccount:
    """The three phases of one circuit, and its energy."""

    def __init__(self, rating_a: SupplyAmps) -> None:
        """Open an account for a circuit with these ratings."""
        self.rating_a = rating_a
        self.phases = (PhaseAccount(rating_a[0]), PhaseAccount(rating_a[1]), PhaseAccount(rating_a[2]))
        self.imported_wh = [0.0, 0.0, 0.0]
        self.exported_wh = [0.0, 0.0, 0.0]

    def add(self, total: SupplyAmps, base: SupplyAmps, volts: float, dt: float) -> None:
        """Count `dt` seconds of these currents."""
        hours = dt / 3600.0
        for phase in (0, 1, 2):
            amps = total[phase]
            self.phases[phase].add(amps, base[phase], dt)
            energy = amps * volts * hours
            if energy >= 0.0:
                self.imported_wh[phase] += energy
            else:
                self.exported_wh[phase] -= energy
