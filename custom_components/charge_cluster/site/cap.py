"""A ceiling that somebody outside set on a circuit: what it is, whose it is, until when, and what comes then."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..engine.model import NOMINAL_VOLTAGE_V, PHASES


class CapSource(StrEnum):
    """Sources that are known by name; an automation may give any other."""

    GRID_OPERATOR = "grid_operator"
    SECTION_14A = "section_14a"
    """§14a EnWG (Germany): the vehicles are dimmed, everything else is not touched."""
    G100 = "g100"
    """EREC G100 (Great Britain): a customer limitation scheme for import."""


class Afterwards(StrEnum):
    """What becomes of a cap when its time is over."""

    KEEP = "keep"
    """It stays until it is cleared or set anew: whoever should have renewed it may have failed."""
    LIFT = "lift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """A ceiling as it was set; one of `amps` and `watts` is given."""

    circuit_id: str
    source: str
    amps: float | None = None
    """On each phase."""
    watts: float | None = None
    """Three-phase power."""
    vehicles_only: bool = False
    """Whether it bounds the vehicles below the circuit and not all that flows through it."""
    duration_s: float | None = None
    """Given for so long; None: until `expires_at`, or for ever."""
    expires_at: float | None = None
    """UTC POSIX seconds; where a duration was given, what the wall clock will probably show then."""
    after: Afterwards = Afterwards.LIFT

    @property
    def equivalent_a(self) -> float:
        """Return amps per phase by which caps can be compared."""
        if self.amps is not None:
            return self.amps
        return 0.0 if self.watts is None else self.watts / (len(PHASES) * NOMINAL_VOLTAGE_V)
