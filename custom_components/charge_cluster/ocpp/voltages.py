"""The voltages of the grid that limits and measurements reckon with, phase to neutral."""

NOMINAL_V = 230.0
LOWEST_V = 0.94 * NOMINAL_V
"""Power that is divided by it gives no fewer amps than flow."""
