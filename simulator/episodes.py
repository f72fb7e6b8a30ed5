"""What was drawn while something was wrong: an account of its own for each fault, and for each jump of a load.

An episode begins with its fault and ends some time after it was mended, or when the next fault begins: what happens
then is put down to that one. A jump of the load within a fault's episode belongs to the fault.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .overload import CircuitAccount
from .physics import SiteTruth

AFTERMATH_S = 25.0
"""What a fault did may flow so long after it was mended: a sample, an order and a slow car."""

CHARGES_A = 5.5
"""From here on a car charges; the least that a pilot signal offers is 6 A, and cars stay a little below."""

LOST_A = 0.5
"""A car that draws by less than this less has lost nothing worth telling."""

JUMP_KIND = "base_load_jumps"


@dataclass(slots=True)
class OutletLoss:
    """What the car at one outlet lost against what it drew before."""

    before_a: float
    least_a: float
    lost_wh: float = 0.0
    """Against drawing as before all the time."""
    paused_s: float = 0.0
    """Seconds in which a car that charged before did not."""


@dataclass(slots=True, kw_only=True)
class Episode:
    """One fault and what flowed in its time."""

    kind: str
    target: str
    began_at: float
    circuits: Mapping[str, CircuitAccount]
    outlets: dict[str, OutletLoss]
    mended_at: float | None = None
    """When the fault ended; a jump ends as it begins."""
    ended_at: float | None = None

    def add(self, truth: SiteTruth, dt: float) -> None:
        """Count `dt` seconds of what flows."""
        for circuit_id, account in self.circuits.items():
            account.add(truth.amps(circuit_id), truth.base_load(circuit_id), truth.volts, dt)
        for outlet_id, loss in self.outlets.items():
            outlet = truth.outlets[outlet_id]
            if outlet.car is None or outlet.car.sated:
                continue
            drawn = max(outlet.drawn)
            loss.least_a = min(loss.least_a, drawn)
            missing = loss.before_a - drawn
            if missing > LOST_A:
                phases = sum(amps > 0.0 for amps in outlet.drawn) or outlet.phases
                loss.lost_wh += missing * phases * truth.volts * dt / 3600.0
            if loss.before_a >= CHARGES_A > drawn:
                loss.paused_s += dt


@dataclass(slots=True)
class Episodes:
    """All episodes of a simulation, and those that go on."""

    truth: SiteTruth
    all: list[Episode] = field(default_factory=list)

    def begin(self, kind: str, target: str) -> None:
        """Open an episode; those whose faults are mended end here."""
        now = self.truth.now
        for episode in self._open():
            if episode.mended_at is not None:
                episode.ended_at = now
        self.all.append(
            Episode(
                kind=kind,
                target=target,
                began_at=now,
                circuits={
                    circuit_id: CircuitAccount(account.rating_a) for circuit_id, account in self.truth.accounts.items()
                },
                outlets={
                    outlet_id: OutletLoss(max(outlet.drawn), max(outlet.drawn))
                    for outlet_id, outlet in self.truth.outlets.items()
                    if outlet.car is not None
                },
            )
        )

    def mend(self, kind: str, target: str) -> None:
        """Note that a fault ended; its aftermath begins."""
        for episode in self._open():
            if (episode.kind, episode.target) == (kind, target) and episode.mended_at is None:
                episode.mended_at = self.truth.now

    def jump(self, circuit_id: str) -> None:
        """Note a jump of a load: an episode where nothing else is wrong."""
        if all(episode.kind == JUMP_KIND or episode.mended_at is not None for episode in self._open()):
            self.begin(JUMP_KIND, circuit_id)
            self.mend(JUMP_KIND, circuit_id)

    def add(self, dt: float) -> None:
        """Count `dt` seconds."""
        for episode in self._open():
            episode.add(self.truth, dt)
            if episode.mended_at is not None and self.truth.now - episode.mended_at >= AFTERMATH_S:
                episode.ended_at = self.truth.now

    def _open(self) -> list[Episode]:
        return [episode for episode in self.all if episode.ended_at is None]
