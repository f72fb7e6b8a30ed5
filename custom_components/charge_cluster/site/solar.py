"""What a site can tell of its surplus: whether its meters show any, and how much that is in watts."""

from __future__ import annotations

from collections.abc import Iterable

from ..engine.model import NOMINAL_VOLTAGE_V, MeterScope, SiteModel
from ..engine.snapshot import Decision
from .meter import MeterState
from .settings import MeterSettings, SiteSettings


def shows_export(settings: SiteSettings) -> bool:
    """Return whether a meter of the supply sees all that flows, and so what is exported."""
    return any(_sees_all(meter, settings.circuits[0].circuit_id) for meter in settings.meters)


def has_generation(settings: SiteSettings) -> bool:
    """Return whether somebody told that anything is fed in below the supply."""
    told = any(circuit.generation_a is not None and any(circuit.generation_a) for circuit in settings.circuits)
    return told or any(meter.scope is MeterScope.GENERATION for meter in settings.meters)


def surplus_w(site: SiteModel, decision: Decision, meters: Iterable[MeterState]) -> float | None:
    """Return what would be exported if the vehicles in solar mode drew nothing; None: nobody knows.

    Amps are turned into watts at the measured voltage, or at the nominal one where nobody measures it.
    """
    meter = next((meter for meter in meters if _sees_all(meter.settings, site.supply_id)), None)
    if meter is None:
        return None
    amps = decision.surplus_a
    if amps is None and not site.solar:
        load = decision.circuits[site.supply_id].load_a
        amps = None if load is None else -sum(load)
    if amps is None:
        return None
    volts = None if meter.sample is None else meter.sample.voltage_v
    # A supply of one phase has nothing on the others.
    live = [] if volts is None else [volt for volt in volts if volt > NOMINAL_VOLTAGE_V / 2]
    return amps * (sum(live) / len(live) if live else NOMINAL_VOLTAGE_V)


def _sees_all(meter: MeterSettings, supply_id: str) -> bool:
    return meter.circuit_id == supply_id and meter.scope is MeterScope.EVERYTHING
