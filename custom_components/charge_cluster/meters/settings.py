"""What a meter is configured to be."""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.model import MeterScope


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusMeterSettings:
    """A meter over Modbus TCP."""

    host: str
    port: int
    unit: int
    profile: str
    """Key of a device profile ("sunspec", "eastron_sdm630")."""
    interval_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityMeterSettings:
    """A meter made of Home Assistant entities: three currents, or three powers with optional voltages."""

    currents: tuple[str, str, str] | None = None
    powers: tuple[str, str, str] | None = None
    voltages: tuple[str, str, str] | None = None
    inverted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OcppMeterSettings:
    """The meter that a charge point has of its own (connector 0): a master's, of all its satellites."""

    charge_point_id: str
    identity: str | None
    """Under which the charge point dials in; None: it is not configured any more."""
    interval_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSettings:
    """The meter that guards a circuit."""

    meter_id: str
    name: str
    circuit_id: str
    source: ModbusMeterSettings | EntityMeterSettings | OcppMeterSettings
    scope: MeterScope = MeterScope.EVERYTHING
    ratio: float = 1.0
    """Multiplies the currents (a CT ratio not set in the meter)."""
    inverted: bool = False
    timeout_s: float | None = None
    """None: max(10 s, 3 × the learned interval)."""
