"""How much of a protective device's curve an overload has used: a report, never a budget.

The target of every decision stays rating − margin. What nobody could foresee may exceed a rating for a while; this
says how far that went against the time that the device in front of the circuit would have carried it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DeviceKind(StrEnum):
    """The protective devices that a circuit may have."""

    MCB_B = "mcb_b"
    """Miniature circuit breaker, IEC 60898-1, characteristic B."""
    MCB_C = "mcb_c"
    MCB_D = "mcb_d"
    MCCB = "mccb"
    """Circuit breaker with settings, IEC 60947-2."""
    FUSE_GG = "fuse_gg"
    """Fuse, IEC 60269, utilisation category gG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectiveDevice:
    """What protects a circuit; the settings other than `rated_a` are those of an MCCB."""

    kind: DeviceKind
    rated_a: float
    """In of a breaker or fuse; Ir (overload setting) of an MCCB."""
    long_delay_s: float = 10.0
    """tr: its delay at 6 × Ir."""
    short_pickup: float = 6.0
    """Isd as a multiple of Ir."""
    short_delay_s: float = 0.1
    """tsd."""
    instantaneous: float = 10.0
    """Ii as a multiple of Ir."""
