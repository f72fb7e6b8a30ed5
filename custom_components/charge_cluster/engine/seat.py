"""The place of one connector in a pass: what the stages find about it, one after the other.

It is the only thing in the engine that changes: it lives as long as a pass, so that a pass visits every connector a
handful of times and no more. A *row* is one phase of one circuit: row 3·i + p is phase p of circuit i in the order of
`SiteModel.circuits`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .guard import DrawBound
from .model import Connector, Reason
from .snapshot import ConnectorFacts, ConnectorMemory

ROWS_PER_CIRCUIT = 3


@dataclass(slots=True)
class Seat:
    """What the stages of one pass found about one connector."""

    connector: Connector
    facts: ConnectorFacts
    bound: DrawBound
    memory: ConnectorMemory
    rows: tuple[int, ...]
    worst: float
    fallback: float
    upper: float = 0.0
    lower: float = 0.0
    fixed: float | None = None
    """Counts at this whatever is decided; None: it takes part in the sharing."""
    wants: bool = False
    target: float = 0.0
    reason: Reason = Reason.NO_VEHICLE
    row: int | None = None
    """The row that holds it back."""


def whole_steps_below(amps: float, step: float) -> float:
    """Round down to a whole step; a share that is a whole step but for float noise stays."""
    return math.floor(amps / step + 1e-6) * step


def whole_steps_above(amps: float, step: float) -> float:
    """Round up to a whole step, but for float noise."""
    return math.ceil(amps / step - 1e-6) * step
