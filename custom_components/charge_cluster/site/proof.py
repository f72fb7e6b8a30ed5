"""What is wrong with a configuration, in numbers, before anything is stored or changed.

The circuit tree must be a tree, ratings must make sense, and what every circuit draws when everything dies (the
fallbacks of all connectors below it plus the declared worst base load) must fit below the ceilings that it always has.
Faults carry a key for translation and the figures that say what fits.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from ..engine.exposure import ImpossibleDevice, ProtectiveDevice, check_device
from ..engine.fallback_proof import Ceiling, FallbackProof, Shortfall, fallback_proofs
from ..engine.model import (
    HIGHEST_VOLTAGE_V,
    NO_AMPS,
    PHASES,
    ChargingMode,
    Circuit,
    Connector,
    DemandCap,
    PhaseAmps,
    Reason,
    SiteModel,
)
from ..engine.rows import layout_of
from ..engine.steps import known_below
from ..engine.topology import TopologyError, are_steps, paths_of
from .commissioning.facts import NO_FACTS, CommissionedFacts
from .settings import (
    ChargePointSettings,
    CircuitSettings,
    ConnectorSettings,
    ConnectorWish,
    Security,
    SiteSettings,
    TlsMode,
)
from .views import connector_key

LEAST_MARGIN_A = 2.0
MARGIN_SHARE = 0.05
"""Kept free below a rating by default: the larger of the two (design, section 2)."""

KILO = 1000.0
SECONDS_A_MINUTE = 60.0

DEMAND_WINDOWS_MIN = (15, 30, 60)
"""Clock minutes over which demand is averaged, as grid operators bill it."""

LONGEST_STAGGER_S = 1800.0
"""As long as a charge point may have to be able to delay a start (UK SI 2021/1467, regulation 11)."""

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


def margin_of(settings: CircuitSettings) -> float:
    """Return the amps kept free below the rating of a circuit."""
    return default_margin(settings.rating_a) if settings.margin_a is None else settings.margin_a


def check(settings: SiteSettings) -> tuple[SettingsFault, ...]:
    """Return everything that keeps these settings from being safe; empty: they can be applied."""
    faults = [*_circuit_faults(settings), *_charge_point_faults(settings), *_stagger_faults(settings)]
    faults.extend(_tls_faults(settings))
    if not faults:
        faults.extend(_proof_faults(settings))
    return tuple(faults)


def _tls_faults(settings: SiteSettings) -> Iterator[SettingsFault]:
    """Yield the charge points that have to come over TLS where none is spoken."""
    if settings.tls.mode is not TlsMode.NONE:
        return
    for point in settings.charge_points:
        if point.security in (Security.TLS, Security.CERTIFICATE):
            yield SettingsFault(
                key="tls_is_off",
                field="security",
                subject=point.charge_point_id,
                placeholders={"charge_point": point.name},
            )


def with_fitting_fallbacks(settings: SiteSettings) -> SiteSettings:
    """Choose the fallbacks that are left to us: the minimum for all below a circuit where that fits, otherwise 0 A.

    Either all have it or none, because a fallback takes its place also while nobody charges there: were it given to as
    many as fit, nothing would be left for the others, ever, and places could not go round.
    """
    chosen = {p.charge_point_id: _minimum(p) for p in settings.charge_points if p.fallback_automatic}
    tried = _with_fallbacks(settings, chosen)
    if not chosen or _circuit_faults(tried) or _charge_point_faults(tried):
        return _with_fallbacks(settings, dict.fromkeys(chosen, 0.0))
    model = _demand_as_power(tried)
    paths, proofs = model.paths, _proofs(model)
    for circuit in sorted(settings.circuits, key=lambda circuit: len(paths[circuit.circuit_id]), reverse=True):
        if not proofs[circuit.circuit_id].fits:
            below = [p for p in settings.charge_points if any(circuit.circuit_id in paths[c] for c in p.circuits)]
            chosen |= {p.charge_point_id: 0.0 for p in below if p.fallback_automatic}
            tried = _with_fallbacks(settings, chosen)
            proofs = _proofs(_demand_as_power(tried))
    return tried


def _demand_as_power(settings: SiteSettings) -> SiteModel:
    """Return the engine's model with every demand cap as a ceiling of its circuit's power.

    The proof does not judge demand. But what is chosen for people must not break their cap while they are away, and
    must leave something of it to those who charge: fallbacks have their place in it as in any other ceiling.
    """
    circuits = tuple(
        c
        if c.demand_kw is None
        else replace(c, power_kva=min(c.demand_kw, math.inf if c.power_kva is None else c.power_kva))
        for c in settings.circuits
    )
    return model_of(replace(settings, circuits=circuits), {})


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
    margin = margin_of(settings)
    return Circuit(
        circuit_id=settings.circuit_id,
        parent_id=settings.parent_id,
        rating_a=settings.rating_a,
        margin_a=(margin, margin, margin),
        declared_base_load_a=settings.declared_base_load_a,
        sharing=settings.sharing,
        neutral_a=settings.neutral_a,
        unbalance_a=settings.unbalance_a,
        power_va=None if settings.power_kva is None else KILO * settings.power_kva,
        demand=_demand_cap(settings),
        generation_a=uncredited_generation(settings),
    )


def uncredited_generation(settings: CircuitSettings) -> PhaseAmps:
    """Return what generation and storage may hide from the meter, without what the electrician grants credit for."""
    return NO_AMPS if settings.generation_a is None or settings.generation_credit else settings.generation_a


def _demand_cap(settings: CircuitSettings) -> DemandCap | None:
    if settings.demand_kw is None:
        return None
    return DemandCap(mean_w=KILO * settings.demand_kw, window_s=SECONDS_A_MINUTE * settings.demand_window_min)


def _nothing_commissioned(_key: str) -> CommissionedFacts:
    return NO_FACTS


def connectors_of(
    charge_point: ChargePointSettings,
    wishes: Mapping[str, ConnectorWish],
    commissioned: Callable[[str], CommissionedFacts] = _nothing_commissioned,
    usual_mode: ChargingMode = ChargingMode.NORMAL,
) -> dict[str, Connector]:
    """Return the engine's connectors of a charge point, by key; `usual_mode` is that of those that have none chosen."""
    result = {}
    for connector in charge_point.connectors:
        key = connector_key(charge_point.charge_point_id, connector.number)
        wish = wishes.get(key, NO_WISH)
        facts = commissioned(key)
        mode = usual_mode if wish.mode is None else wish.mode
        result[key] = Connector(
            connector_id=key,
            circuit_id=charge_point.circuit_of(connector),
            rotation=connector.rotation,
            minimum_a=connector.minimum_a if facts.hold.minimum_a is None else facts.hold.minimum_a,
            # A test that looks for the minimum holds it to one for any number of phases.
            minimum_single_phase_a=connector.minimum_single_phase_a if facts.hold.minimum_a is None else None,
            maximum_a=connector.maximum_a,
            step_a=charge_point.step_a,
            steps_a=charge_point.steps_a,
            fallback_a=charge_point.fallback_a,
            cap_a=facts.capped(wish.cap_a),
            cap_reason=Reason.USER_CAP if facts.capped(wish.cap_a) == wish.cap_a else Reason.COMMISSIONING,
            enabled=wish.enabled,
            priority=charge_point.priority if wish.priority is None else wish.priority,
            settling_s=facts.settling_s,
            delay_s=facts.delay_s,
            fallback_kept=facts.fallback_kept,
            # A test waits neither for the sun nor for cheap hours.
            mode=mode if facts.hold == NO_FACTS.hold or mode is ChargingMode.OFF else ChargingMode.NORMAL,
            switches_phases=charge_point.switches_phases,
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
        faults.extend(_figure_faults(circuit))
        if circuit.device is not None:
            faults.extend(_device_faults(circuit, circuit.device))
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


def _figure_faults(circuit: CircuitSettings) -> Iterator[SettingsFault]:
    """Yield what is impossible about the figures beyond the rating."""

    def fault(key: str, field: str, **figures: float) -> SettingsFault:
        shown = {name: figure_text(figure) for name, figure in figures.items()}
        return SettingsFault(
            key=key, field=field, subject=circuit.circuit_id, placeholders={"circuit": circuit.name} | shown
        )

    margin = margin_of(circuit)
    # As the engine counts it where nobody measures the voltage: with less, nothing would ever be left for vehicles.
    least_kva = len(PHASES) * HIGHEST_VOLTAGE_V * margin / KILO
    if circuit.neutral_a is not None and not margin < circuit.neutral_a < math.inf:
        yield fault("impossible_neutral", "neutral", neutral=circuit.neutral_a, margin=margin)
    if circuit.unbalance_a is not None and not 0 < circuit.unbalance_a < math.inf:
        yield fault("impossible_unbalance", "unbalance", unbalance=circuit.unbalance_a)
    if circuit.power_kva is not None and not least_kva < circuit.power_kva < math.inf:
        yield fault("impossible_power", "power", power=circuit.power_kva, least=least_kva)
    if circuit.demand_kw is not None and not 0 < circuit.demand_kw < math.inf:
        yield fault("impossible_demand", "demand", demand=circuit.demand_kw)
    if circuit.demand_window_min not in DEMAND_WINDOWS_MIN:
        yield fault("impossible_demand_window", "demand_window", window=circuit.demand_window_min)
    if circuit.generation_a is not None:
        worst = next((amps for amps in circuit.generation_a if not 0 <= amps < math.inf), None)
        if worst is not None:
            yield fault("impossible_generation", "generation", generation=worst)


def _device_faults(circuit: CircuitSettings, device: ProtectiveDevice) -> Iterator[SettingsFault]:
    """Yield what is impossible about the protective device of a circuit."""
    rating = max(circuit.rating_a)
    try:
        check_device(device)
    except ImpossibleDevice as impossible:
        key, figures = impossible.key, dict(impossible.figures)
    else:
        if device.rated_a >= rating:
            return
        key, figures = "rating_above_device", {"rated": device.rated_a, "rating": rating}
    shown = {name: figure_text(figure) for name, figure in figures.items()}
    yield SettingsFault(
        key=key, field="device_rated", subject=circuit.circuit_id, placeholders={"circuit": circuit.name} | shown
    )


def _stagger_faults(settings: SiteSettings) -> Iterator[SettingsFault]:
    if not 0 <= settings.restart_stagger_s <= LONGEST_STAGGER_S:
        figures = {"stagger": figure_text(settings.restart_stagger_s), "most": figure_text(LONGEST_STAGGER_S)}
        yield SettingsFault(
            key="impossible_stagger", field="restart_stagger", subject=settings.site_id, placeholders=figures
        )


def _charge_point_faults(settings: SiteSettings) -> list[SettingsFault]:
    faults = []
    circuits = {circuit.circuit_id for circuit in settings.circuits}
    identities: set[str] = set()
    for point in settings.charge_points:
        named = {"charge_point": point.name, "identity": point.identity}
        if not point.circuits <= circuits:
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
        wired = [connector.rotation for connector in point.connectors]
        if point.switches_phases and not any(phases is not None and len(phases) == len(PHASES) for phases in wired):
            faults.append(
                SettingsFault(
                    key="no_phases_to_switch", field="rotation", subject=point.charge_point_id, placeholders=named
                )
            )
        numbers: set[int] = set()
        for connector in point.connectors:
            if connector.number in numbers:
                faults.append(
                    SettingsFault(
                        key="duplicate_connector",
                        field="number",
                        subject=point.charge_point_id,
                        placeholders=named | {"number": str(connector.number)},
                    )
                )
            numbers.add(connector.number)
            figures = {
                "charge_point": point.name if connector.satellite is None else connector.satellite.name,
                "identity": point.identity,
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
            else:
                faults.extend(_step_faults(point, connector, figures))
                faults.extend(_single_phase_faults(point, connector, figures))
    return faults


def _step_faults(
    point: ChargePointSettings, connector: ConnectorSettings, figures: Mapping[str, str]
) -> Iterator[SettingsFault]:
    """Yield what is impossible about the list of the currents that a charge point knows."""
    steps = point.steps_a
    if steps is None:
        return
    if not are_steps(steps, connector.minimum_a, connector.maximum_a):
        yield SettingsFault(
            key="impossible_steps", field="steps", subject=point.charge_point_id, placeholders=dict(figures)
        )
    elif point.fallback_a and point.fallback_a not in steps:
        shown = {**figures, "steps": ", ".join(amps_text(amps) for amps in steps)}
        yield SettingsFault(
            key="fallback_between_steps", field="fallback", subject=point.charge_point_id, placeholders=shown
        )


def _single_phase_faults(
    point: ChargePointSettings, connector: ConnectorSettings, figures: Mapping[str, str]
) -> Iterator[SettingsFault]:
    """Yield what is impossible about the minimum on one phase: there must be a current that reaches it."""
    single = connector.minimum_single_phase_a
    if single is None:
        return
    most = known_below(connector.maximum_a, point.step_a, point.steps_a)
    if not connector.minimum_a <= single <= most:
        yield SettingsFault(
            key="impossible_single_phase_minimum",
            field="minimum_single_phase",
            subject=point.charge_point_id,
            placeholders={**figures, "single": amps_text(single), "most": amps_text(most)},
        )


def _proof_faults(settings: SiteSettings) -> Iterator[SettingsFault]:
    """Yield the ceilings that would not hold if everything died, as the engine reckons it of a running site."""
    model = model_of(settings, {})
    proofs = _proofs(model)
    for circuit in settings.circuits:
        for shortfall in proofs[circuit.circuit_id].shortfalls:
            yield _shortfall_fault(circuit, shortfall, model)


def _proofs(model: SiteModel) -> dict[str, FallbackProof]:
    """Return what each circuit would draw if every charge point kept the fallback that is configured."""
    configured = ((connector, connector.fallback_a) for connector in model.connectors.values())
    return fallback_proofs(model, layout_of(model), configured)


def _shortfall_fault(circuit: CircuitSettings, shortfall: Shortfall, model: SiteModel) -> SettingsFault:
    fallback = _fallback_text(model, circuit.circuit_id, shortfall.phase)
    figures = {"fallback": fallback or "0 A", "circuit": circuit.name}
    subject, field = circuit.circuit_id, "fallback" if fallback else "base_load"
    if shortfall.ceiling is Ceiling.POWER:
        figures |= {
            "total": amps_text(shortfall.total / KILO),
            "power": figure_text(shortfall.most / KILO),
            "excess": amps_text(shortfall.excess / KILO),
            "voltage": figure_text(HIGHEST_VOLTAGE_V),
        }
        return SettingsFault(key="fallback_above_power", field=field, subject=subject, placeholders=figures)
    figures["excess"] = amps_text(shortfall.excess)
    if shortfall.ceiling is Ceiling.UNBALANCE:
        figures["unbalance"] = amps_text(shortfall.most)
        return SettingsFault(key="fallback_above_unbalance", field=field, subject=subject, placeholders=figures)
    base = circuit.declared_base_load_a or NO_AMPS
    figures["base_load"] = amps_text(0.0 if shortfall.phase is None else base[shortfall.phase])
    if shortfall.ceiling is Ceiling.NEUTRAL:
        figures["neutral"] = amps_text(shortfall.most)
        return SettingsFault(key="fallback_above_neutral", field=field, subject=subject, placeholders=figures)
    figures["rating"] = amps_text(shortfall.most)
    return SettingsFault(key="fallback_does_not_fit", field=field, subject=subject, placeholders=figures)


def _fallback_text(model: SiteModel, circuit_id: str, phase: int | None) -> str:
    """Return the fallbacks below a circuit, on one phase or on any: "3 × 16 A"; empty: there is none."""
    counts = Counter(
        connector.fallback_a
        for connector in model.connectors.values()
        if connector.fallback_a
        and circuit_id in model.paths[connector.circuit_id]
        and (phase is None or phase in connector.phases)
    )
    return " + ".join(f"{count} × {amps_text(amps)} A" for amps, count in sorted(counts.items()))


def amps_text(amps: float) -> str:
    """Return amps without needless decimals, rounded up so that a stated excess is never too small."""
    return f"{math.ceil(amps * 10 - 1e-9) / 10:g}"


def figure_text(figure: float) -> str:
    """Return any figure as a form may have been given it, without needless decimals; not only finite ones."""
    return f"{round(figure, 2):g}" if math.isfinite(figure) else str(figure)
