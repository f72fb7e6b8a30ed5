"""If everything dies now: what does each circuit draw, and which of its ceilings does that break?

Every charge point then goes to its fallback, and the building may draw what was declared as its worst. One reckoning
serves the forms, which ask it of what is configured, and every pass, which asks it of what is proved to be stored.

It judges the ceilings that are always there. A demand cap and caps from outside are not among them: the first is an
amount of energy in a window, the second end by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from .guard import SAME_A
from .model import HIGHEST_VOLTAGE_V, NO_AMPS, PHASES, Circuit, Connector, PhaseAmps, SiteModel, plus
from .rows import Layout, total_of


class Ceiling(StrEnum):
    """The ceilings of a circuit that its fallbacks must fit below."""

    RATING = "rating"
    NEUTRAL = "neutral"
    UNBALANCE = "unbalance"
    POWER = "power"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """A ceiling that would be exceeded; in A, or in VA where it is that of power."""

    ceiling: Ceiling
    phase: int | None
    """The phase that is worst; None: it is about the sum."""
    total: float
    most: float

    @property
    def excess(self) -> float:
        """Return by how much it would be exceeded."""
        return self.total - self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackProof:
    """What a circuit would draw if everything died now."""

    amps: PhaseAmps
    """Fallbacks plus the declared worst base load."""
    fallbacks: PhaseAmps
    """What of it are fallbacks."""
    shortfalls: tuple[Shortfall, ...]
    """The ceilings that this would break, each once."""
    declared: bool
    """Whether a worst base load was declared for the circuit or none is needed."""

    @property
    def fits(self) -> bool:
        """Return whether the proof holds."""
        return not self.shortfalls


def fallback_proofs(
    site: SiteModel, layout: Layout, fallbacks: Iterable[tuple[Connector, float]]
) -> dict[str, FallbackProof]:
    """Return the proof of every circuit by what each connector goes to by itself."""
    sums = [0.0] * len(layout)
    for connector, amps in fallbacks:
        if amps:
            first = layout.first_row(connector.circuit_id)
            for phase in connector.phases:
                sums[first + phase] += amps
    layout.climb(sums)
    return {
        circuit_id: _proof(circuit, (sums[first], sums[first + 1], sums[first + 2]))
        for circuit_id, circuit in site.circuits.items()
        for first in (layout.first_row(circuit_id),)
    }


def _proof(circuit: Circuit, fallbacks: PhaseAmps) -> FallbackProof:
    declared = circuit.declared_base_load_a or NO_AMPS
    total = plus(declared, fallbacks)
    return FallbackProof(
        amps=total,
        fallbacks=fallbacks,
        shortfalls=tuple(s for s in _loads(circuit, fallbacks, total) if s.excess > SAME_A),
        declared=circuit.declared_base_load_a is not None or circuit.parent_id is not None,
    )


def _loads(circuit: Circuit, fallbacks: PhaseAmps, total: PhaseAmps) -> Iterator[Shortfall]:
    """Yield what each ceiling would carry at most, on its worst phase.

    A vehicle may take its fallback on any phases that its outlet has, on one alone as well. So the current of the
    neutral conductor, and the difference between two phases, is greatest when everybody is on the same phase and
    nothing flows on the others.
    """
    rating = circuit.rating_a
    worst = max(PHASES, key=lambda phase: total[phase] - rating[phase])
    yield Shortfall(ceiling=Ceiling.RATING, phase=worst, total=total[worst], most=rating[worst])
    charging = [phase for phase in PHASES if fallbacks[phase]]
    if circuit.neutral_a is not None and charging:
        # A base load that is above it on each phase for itself may be spread over all three, and is the building's own.
        worst = max(charging, key=total.__getitem__)
        yield Shortfall(ceiling=Ceiling.NEUTRAL, phase=worst, total=total[worst], most=circuit.neutral_a)
    if circuit.unbalance_a is not None and charging:
        # How far the building's own phases differ is not told by the most that each of them draws.
        worst = max(charging, key=fallbacks.__getitem__)
        yield Shortfall(ceiling=Ceiling.UNBALANCE, phase=worst, total=fallbacks[worst], most=circuit.unbalance_a)
    if circuit.power_va is not None:
        power = HIGHEST_VOLTAGE_V * total_of(total)
        yield Shortfall(ceiling=Ceiling.POWER, phase=None, total=power, most=circuit.power_va)
