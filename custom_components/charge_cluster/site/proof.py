"""What is wrong with a configuration, in numbers, before anything is stored or changed.

The circuit tree must be a tree, ratings must make sense, and for every circuit the fallbacks of all connectors below it
plus the declared worst base load must fit below the rating on every phase: that is what it draws when everything dies.
Faults carry a key for translation and the figures that say what fits.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..engine.model import NO_AMPS, PHASES, Circuit, Connector, PhaseAmps, SiteModel
from ..engine.topology import TopologyError, paths_of
from .settings import ChargePointSettings, CircuitSettings, ConnectorWish, SiteSettings
from .views import connector_key

LEAST_MARGIN_A = 2.0
MARGIN_SHARE = 0.05
"""Kept free below a rating by default: the larger of the two (design, section 2)."""

NO_WISH = ConnectorWish()


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFault:
    """One thing that is wrong; `placeholders` are figures and names for the sentence that `key` stands for."""

    key: str
    field: str
    """The form field that is to blame, "base" where it is the whole."""
    subject: str
    """Id of the circuit or charge point."""
    placeholders: Mapping[str, str] = dataclasses.field(default_factory=dict)


class SettingsError(ValueError):
    """The settings cannot be applied; nothing was changed."""

    def __init__(self, faults: tuple[SettingsFault, ...]) -> None:
        super().__init__("; ".join(f"{fault.key} ({fault.subject}): {dict(fault.placeholders)}" for fault in faults))
        self.faults = faults


def default_margin(rating_a: PhaseAmps) -> float:
    """Return the amps kept free by default below a rating."""
    return max(LEAST_MARGIN_A, MARGIN_SHARE * max(rating_a))


def check(settings: SiteSettings) -> tuple[SettingsFault, ...]:
    """Return everything that keeps these settings from being safe; empty: they can be applied."""
    faults = [*_circuit_faults(settings), *_charge_point_faults(settings)]
    if not faults:
        faults.extend(_proof_faults(settings))
    return tuple(faults)


def with_fitting_fallbacks(settings: SiteSettings) -> SiteSettings:
    """Choose the fallbacks that are left to us: the minimum for all below a circuit where that fits, otherwise 0 A.

    Either all have it or none, because a fallback takes its place also while nobody charges there: were it given to as
    many as fit, nothing would be left for the others, ever, and places could not go round.
    """
    chosen = {p.charge_point_id: _minimum(p) for p in settings.charge_points if p.fallback_automatic}
    tried = _with_fallbacks(settings, chosen)
    if not chosen or _circuit_faults(tried) or _charge_point_faults(tried):
        return _with_fallbacks(settings, dict.fromkeys(chosen, 0.0))
    paths = model_of(settings, {}).paths
    for circuit in sorted(settings.circuits, key=lambda circuit: len(paths[circuit.circuit_id]), reverse=True):
        if any(fault.subject == circuit.circuit_id for fault in _proof_faults(tried)):
            below = [p for p in settings.charge_points if circuit.circuit_id in paths[p.circuit_id]]
            chosen |= {p.charge_point_id: 0.0 for p in below if p.fallback_automatic}
            tried = _with_fallbacks(settings, chosen)
    return tried


def _minimum(charge_point: ChargePointSettings) -> float:
    return max((connector.minimum_a for connector in charge_point.connectors), default=0.0)


def _with_fallbacks(settings: SiteSettings, chosen: Mapping[str, float]) -> SiteSettings:
    points = tuple(
        replace(point, fallback_a=chosen.get(point.charge_point_id, point.fallback_a))
        for point in settings.charge_points
    )
    return replace(settings, charge_points=points)


def circuit_of(settings: CircuitSettings) -> Circuit:
    """Return the engine's circuit."""
    margin = default_margin(settings.rating_a) if settings.margin_a is None else settings.margin_a
    return Circuit(
        circuit_id=settings.circuit_id,
        parent_id=settings.parent_id,
        rating_a=settings.rating_a,
        margin_a=(margin, margin, margin),
        declared_base_load_a=settings.declared_base_load_a,
        sharing=settings.sharing,
    )


def connectors_of(charge_point: ChargePointSettings, wishes: Mapping[str, ConnectorWish]) -> dict[str, Connector]:
    """Return the engine's connectors of a charge point, by key."""
    result = {}
    for connector in charge_point.connectors:
        key = connector_key(charge_point.charge_point_id, connector.number)
        wish = wishes.get(key, NO_WISH)
        result[key] = Connector(
            connector_id=key,
            circuit_id=charge_point.circuit_id,
            rotation=connector.rotation,
            minimum_a=connector.minimum_a,
            maximum_a=connector.maximum_a,
            step_a=charge_point.step_a,
            fallback_a=charge_point.fallback_a,
            cap_a=wish.cap_a,
            enabled=wish.enabled,
            priority=charge_point.priority if wish.priority is None else wish.priority,
        )
    return result


def model_of(settings: SiteSettings, wishes: Mapping[str, ConnectorWish]) -> SiteModel:
    """Return the engine's model. Raises TopologyError."""
    connectors: dict[str, Connector] = {}
    for charge_point in settings.charge_points:
        connectors.update(connectors_of(charge_point, wishes))
    return SiteModel(circuits={c.circuit_id: circuit_of(c) for c in settings.circuits}, connectors=connectors)


def _circuit_faults(settings: SiteSettings) -> list[SettingsFault]:
    faults = []
    for circuit in settings.circuits:
        named = {"circuit": circuit.name}
        if any(not 0 < amps < math.inf for amps in circuit.rating_a):
            faults.append(
                SettingsFault(key="impossible_rating", field="rating", subject=circuit.circuit_id, placeholders=named)
            )
            continue
        margin = circuit.margin_a
        least = min(circuit.rating_a)
        if margin is not None and not 0 <= margin < least:
            figures = named | {"margin": amps_text(margin), "rating": amps_text(least)}
            faults.append(
                SettingsFault(key="impossible_margin", field="margin", subject=circuit.circuit_id, placeholders=figures)
            )
        elif margin is None and default_margin(circuit.rating_a) >= least:
            faults.append(
                SettingsFault(key="impossible_rating", field="rating", subject=circuit.circuit_id, placeholders=named)
            )
        base = circuit.declared_base_load_a
        if base is not None and any(not 0 <= amps < math.inf for amps in base):
            faults.append(
                SettingsFault(
                    key="impossible_base_load", field="base_load", subject=circuit.circuit_id, placeholders=named
                )
            )
    if not faults:
        try:
            paths_of({c.circuit_id: circuit_of(c) for c in settings.circuits})
        except TopologyError as error:
            names = {c.circuit_id: c.name for c in settings.circuits}
            faults.append(
                SettingsFault(
                    key=error.key,
                    field="parent",
                    subject=error.subject,
                    placeholders={"circuit": names.get(error.subject, error.subject)},
                )
            )
    return faults


def _charge_point_faults(settings: SiteSettings) -> list[SettingsFault]:
    faults = []
    circuits = {circuit.circuit_id for circuit in settings.circuits}
    identities: set[str] = set()
    for point in settings.charge_points:
        named = {"charge_point": point.name, "identity": point.identity}
        if point.circuit_id not in circuits:
            faults.append(
                SettingsFault(key="unknown_circuit", field="cluster", subject=point.charge_point_id, placeholders=named)
            )
        if point.identity in identities:
            faults.append(
                SettingsFault(
                    key="duplicate_identity", field="identity", subject=point.charge_point_id, placeholders=named
                )
            )
        identities.add(point.identity)
        for connector in point.connectors:
            figures = named | {
                "minimum": amps_text(connector.minimum_a),
                "maximum": amps_text(connector.maximum_a),
                "fallback": amps_text(point.fallback_a),
            }
            if not 0 < connector.minimum_a <= connector.maximum_a < math.inf:
                faults.append(
                    SettingsFault(
                        key="impossible_range", field="maximum", subject=point.charge_point_id, placeholders=figures
                    )
                )
            elif point.fallback_a and not connector.minimum_a <= point.fallback_a <= connector.maximum_a:
                faults.append(
                    SettingsFault(
                        key="impossible_fallback", field="fallback", subject=point.charge_point_id, placeholders=figures
                    )
                )
    return faults


def _proof_faults(settings: SiteSettings) -> list[SettingsFault]:
    """Return the circuits that would draw more than their rating if everything died."""
    model = model_of(settings, {})
    faults = []
    for circuit in settings.circuits:
        total = list(circuit.declared_base_load_a or NO_AMPS)
        counts: dict[float, int] = {}
        for connector in model.connectors.values():
            if circuit.circuit_id not in model.paths[connector.circuit_id]:
                continue
            for phase in connector.phases:
                total[phase] += connector.fallback_a
            if connector.fallback_a:
                counts[connector.fallback_a] = counts.get(connector.fallback_a, 0) + 1
        worst = max(PHASES, key=lambda phase: total[phase] - circuit.rating_a[phase])
        excess = total[worst] - circuit.rating_a[worst]
        if excess <= 0:
            continue
        base = (circuit.declared_base_load_a or NO_AMPS)[worst]
        faults.append(
            SettingsFault(
                key="fallback_does_not_fit",
                field="base_load" if not counts else "fallback",
                subject=circuit.circuit_id,
                placeholders={
                    "fallback": " + ".join(f"{n} × {amps_text(amps)} A" for amps, n in sorted(counts.items())) or "0 A",
                    "base_load": amps_text(base),
                    "rating": amps_text(circuit.rating_a[worst]),
                    "circuit": circuit.name,
                    "excess": amps_text(excess),
                },
            )
        )
    return faults


def amps_text(amps: float) -> str:
    """Return amps without needless decimals, rounded up so that a stated excess is never too small."""
    return f"{math.ceil(amps * 10 - 1e-9) / 10:g}"
