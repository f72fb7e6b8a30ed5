"""What the site means by a meter: one Protocol, whatever is behind it.

A meter delivers samples when they come; whether one is too old is judged by the site from `measured_at`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ..engine.model import PhaseAmps

IMPLAUSIBLE_A = 20_000.0
"""No supply that this is made for carries as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSample:
    """Three phase currents at one time."""

    amps: PhaseAmps
    """Signed, import positive."""
    measured_at: float
    """Monotonic seconds of the report; never later than the arrival."""
    power_w: float | None = None
    """Import positive."""
    energy_import_wh: float | None = None
    energy_export_wh: float | None = None
    voltage_v: PhaseAmps | None = None


class FaultKey(StrEnum):
    """What can be wrong with a reading."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    LINK = "link"
    """The answer to another request, or no answer that the protocol allows."""
    SHORT_REPLY = "short_reply"
    REFUSED = "refused"
    OTHER_DEVICE = "other_device"
    MISSING_PHASE = "missing_phase"
    IMPLAUSIBLE = "implausible"
    MISSING_ENTITY = "missing_entity"
    ENTITY_UNAVAILABLE = "entity_unavailable"
    ENTITY_UNKNOWN = "entity_unknown"
    NOT_NUMERIC = "not_numeric"
    NOT_A_NUMBER = "not_a_number"
    WRONG_UNIT = "wrong_unit"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterFault:
    """A reading that cannot be used; `key` names the fault for translations, `detail` says what was read."""

    key: FaultKey
    detail: str


def plausible(amps: PhaseAmps) -> bool:
    """Return whether phase currents can be true."""
    return all(math.isfinite(amp) and abs(amp) <= IMPLAUSIBLE_A for amp in amps)


type ReportSample = Callable[[MeterSample | MeterFault], None]


class Meter(Protocol):
    """A meter that reports by itself once started."""

    async def start(self, report: ReportSample) -> None:
        """Begin to report; an unreachable device is a fault that is reported, not raised, and is tried again."""

    async def stop(self) -> None:
        """End reporting and free the link."""
