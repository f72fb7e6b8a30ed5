"""The currents that a charger knows: multiples of a step, or a list of its own (6, 8, 10, 13, 16 A).

A share is rounded *down* to one of them, a minimum *up*: a charger that is told a current in between chooses one by
itself, and it might be the higher. Nothing here costs more for a charger without a list than the rounding it had.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right

from .model import Connector

NOISE_A = 1e-6
"""A share that is one of the currents but for float noise stays."""


def known_below(amps: float, step_a: float, steps_a: tuple[float, ...] | None) -> float:
    """Return the highest current that a charger knows and that is not above `amps`; 0: there is none."""
    if steps_a is None:
        return whole_steps_below(amps, step_a)
    above = bisect_right(steps_a, amps + NOISE_A)
    return steps_a[above - 1] if above else 0.0


def known_above(amps: float, step_a: float, steps_a: tuple[float, ...] | None) -> float:
    """Return the lowest current that a charger knows and that is not below `amps`; infinite: there is none."""
    if steps_a is None:
        return whole_steps_above(amps, step_a)
    at = bisect_left(steps_a, amps - NOISE_A)
    return steps_a[at] if at < len(steps_a) else math.inf


def current_below(connector: Connector, amps: float) -> float:
    """Return the highest current that the charger of a connector knows and that is not above `amps`."""
    if connector.steps_a is None:
        return whole_steps_below(amps, connector.step_a)
    return known_below(amps, connector.step_a, connector.steps_a)


def current_above(connector: Connector, amps: float) -> float:
    """Return the lowest current that the charger of a connector knows and that is not below `amps`."""
    if connector.steps_a is None:
        return whole_steps_above(amps, connector.step_a)
    return known_above(amps, connector.step_a, connector.steps_a)


def step_from(connector: Connector, amps: float) -> float:
    """Return by how much more than `amps` the next current is that the charger knows; infinite: there is none."""
    steps = connector.steps_a
    if steps is None:
        return connector.step_a
    at = bisect_right(steps, amps + NOISE_A)
    return steps[at] - amps if at < len(steps) else math.inf


def whole_steps_below(amps: float, step: float) -> float:
    """Round down to a whole step; a share that is a whole step but for float noise stays."""
    return math.floor(amps / step + 1e-6) * step


def whole_steps_above(amps: float, step: float) -> float:
    """Round up to a whole step, but for float noise."""
    return math.ceil(amps / step - 1e-6) * step
