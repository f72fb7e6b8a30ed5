"""Pictures of circuits and the list of problems, made from the outcome of a pass and what is known beside it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from ..chargers import Quirk
from ..engine.fallback_proof import Ceiling
from ..engine.model import NO_AMPS, MeterScope, PhaseAmps, SiteModel
from ..engine.obedience import FAITHFUL, Obedience
from ..engine.snapshot import CircuitDecision, ConnectorMemory, Decision
from ..ocpp.protocols import Clock
from .authorisation import WITHOUT_A_NAME
from .cap import CapSource
from .caps import Caps
from .charge_point import ChargePointState
from .connector import ConnectorState
from .exposure import Exposures, ExposureView
from .grid_rules import fail_safe_time, fallback_excess
from .meter import MeterState
from .problems import Problem, ProblemKey, Severity
from .proof import KILO, amps_text
from .reaction import reaction_times
from .readings import guard_timeouts
from .records import SiteRecords
from .settings import SiteSettings
from .solar import surplus_w
from .views import G100_ALLOWED_S, CapView, CircuitView, FailSafeTime, connector_key

REFUSED_OFTEN = 3
"""A limit refused so often in a row is a problem that a person must look at."""

STRANGER_DRAWS_A = 1.0
"""From here on something charges at a connector that is not configured."""

SHORTFALLS: Mapping[Ceiling, ProblemKey] = {
    Ceiling.RATING: ProblemKey.FALLBACK_DOES_NOT_FIT,
    Ceiling.NEUTRAL: ProblemKey.FALLBACK_ABOVE_NEUTRAL,
    Ceiling.UNBALANCE: ProblemKey.FALLBACK_ABOVE_UNBALANCE,
    Ceiling.POWER: ProblemKey.FALLBACK_ABOVE_POWER,
}
"""What it is called where a fallback does not fit below a ceiling."""

type CircuitMatter = tuple[
    CircuitDecision, float, float, tuple[CapView, ...], ExposureView | None, FailSafeTime, float | None
]
"""All that the picture of a circuit is made of."""


def circuit_views(  # noqa: PLR0917 - a picture is put together from all that is known
    settings: SiteSettings,
    site: SiteModel,
    decision: Decision,
    states: Mapping[str, ConnectorState],
    meters: Mapping[str, MeterState],
    following_s: Mapping[str, float],
    caps: Caps,
    exposures: Exposures,
    made_of: dict[str, CircuitMatter],
) -> dict[str, CircuitView]:
    """Return the pictures of the circuits where something is not as `made_of` has it, which is kept up."""
    power: dict[str, float] = dict.fromkeys(site.circuits, 0.0)
    for state in states.values():
        drawn = state.power_now_w
        if drawn:
            connector = site.connectors.get(state.key)
            if connector is not None:
                for circuit_id in site.paths[connector.circuit_id]:
                    power[circuit_id] += drawn
    reactions = reaction_times(site, meters.values(), following_s)
    timeouts = guard_timeouts(meters.values())
    surplus = surplus_w(site, decision, meters.values())
    views = {}
    for circuit_id, circuit in decision.circuits.items():
        held, exposure = caps.of(circuit_id), exposures.view(circuit_id)
        fail_safe = fail_safe_time(settings, timeouts.get(circuit_id))
        fed_in = surplus if circuit_id == site.supply_id else None
        matter = (circuit, reactions[circuit_id], power[circuit_id], held, exposure, fail_safe, fed_in)
        if made_of.get(circuit_id) == matter:
            continue
        made_of[circuit_id] = matter
        views[circuit_id] = CircuitView(
            circuit_id=circuit_id,
            load_a=None if circuit.load_a is None else _shown(circuit.load_a),
            ev_load_a=_shown(circuit.ev_load_a),
            ev_power_w=round(power[circuit_id]),
            base_load_a=None if circuit.base_load_a is None else _shown(circuit.base_load_a),
            headroom_a=_shown(circuit.headroom_a),
            worst_case_a=_shown(circuit.worst_case_a),
            if_all_dies_a=_shown(circuit.proof.amps),
            fallbacks_a=_shown(circuit.proof.fallbacks),
            fallback_fits=circuit.proof.fits,
            limited=circuit.limited,
            stale=circuit.stale,
            reaction_time_s=reactions[circuit_id],
            waiting=circuit.waiting,
            charging=circuit.charging,
            demand_w=None if circuit.demand_w is None else round(circuit.demand_w),
            caps=held,
            exposure=exposure,
            fail_safe=fail_safe,
            surplus_w=None if fed_in is None else round(fed_in),
        )
    return views


def _shown(amps: PhaseAmps) -> PhaseAmps:
    return (round(amps[0], 1), round(amps[1], 1), round(amps[2], 1))


def problems_of(  # noqa: PLR0917 - everything that can go wrong is looked at in one place
    settings: SiteSettings,
    decision: Decision | None,
    states: Mapping[str, ConnectorState],
    meters: Mapping[str, MeterState],
    records: SiteRecords,
    clock: Clock,
    unguarded: Collection[str],
    caps: Caps,
) -> tuple[Problem, ...]:
    """Return what a person must mend, in a stable order."""
    found: list[Problem] = []
    names = {circuit.circuit_id: circuit.name for circuit in settings.circuits}
    if not records.available:
        found.append(Problem(key=ProblemKey.LEDGER_UNAVAILABLE, subject=settings.site_id, severity=Severity.ERROR))
    if records.replaced is not None:
        found.append(
            Problem(
                key=ProblemKey.LEDGER_REPLACED,
                subject=settings.site_id,
                severity=Severity.WARNING,
                placeholders={"source": records.replaced},
            )
        )
    if not records.drivers_known and any(settings.mode_at(p) not in WITHOUT_A_NAME for p in settings.charge_points):
        found.append(Problem(key=ProblemKey.DRIVERS_UNREADABLE, subject=settings.site_id, severity=Severity.ERROR))
    if not clock.synchronised():
        found.append(Problem(key=ProblemKey.HOST_CLOCK, subject=settings.site_id, severity=Severity.ERROR))
    for circuit in settings.circuits:
        named = {"circuit": circuit.name}
        if circuit.lost:
            found.append(
                Problem(
                    key=ProblemKey.CLUSTER_MISSING,
                    subject=circuit.circuit_id,
                    severity=Severity.ERROR,
                    placeholders=named,
                )
            )
        if circuit.circuit_id in unguarded:
            found.append(
                Problem(
                    key=ProblemKey.METER_MISSING,
                    subject=circuit.circuit_id,
                    severity=Severity.ERROR,
                    placeholders=named,
                )
            )
    if decision is not None:
        found.extend(_circuit_problems(decision, names))
    found.extend(_meter_problems(meters, clock.monotonic()))
    found.extend(_cap_problems(settings, meters, caps, names))
    if decision is not None:
        found.extend(_cap_fallback_problems(decision, caps, names))
    found.extend(_connector_problems(settings, states, decision, clock))
    return tuple(found)


def _circuit_problems(decision: Decision, names: Mapping[str, str]) -> list[Problem]:
    found = []
    for circuit_id, circuit in decision.circuits.items():
        named = {"circuit": names.get(circuit_id, circuit_id)}
        for shortfall in circuit.proof.shortfalls:
            in_kilo = KILO if shortfall.ceiling is Ceiling.POWER else 1.0
            figures = {"worst": shortfall.total, "most": shortfall.most, "excess": shortfall.excess}
            found.append(
                Problem(
                    key=SHORTFALLS[shortfall.ceiling],
                    subject=circuit_id,
                    severity=Severity.ERROR,
                    placeholders=named | {name: amps_text(figure / in_kilo) for name, figure in figures.items()},
                )
            )
        if not circuit.proof.declared:
            found.append(
                Problem(
                    key=ProblemKey.BASE_LOAD_UNDECLARED,
                    subject=circuit_id,
                    severity=Severity.WARNING,
                    placeholders=named,
                )
            )
    return found


def _meter_problems(meters: Mapping[str, MeterState], now: float) -> list[Problem]:
    found = []
    for meter in meters.values():
        if meter.available(now):
            continue
        found.append(
            Problem(
                key=_meter_problem(meter),
                subject=meter.settings.meter_id,
                severity=Severity.WARNING if meter.settings.scope is MeterScope.GENERATION else Severity.ERROR,
                placeholders={"meter": meter.settings.name, "fault": "" if meter.fault is None else meter.fault.detail},
            )
        )
    return found


def _cap_problems(
    settings: SiteSettings, meters: Mapping[str, MeterState], caps: Caps, names: Mapping[str, str]
) -> list[Problem]:
    """Return the circuits that a customer limitation scheme holds more slowly than it may."""
    found = []
    timeouts = guard_timeouts(meters.values())
    for circuit_id, sources in caps.sources().items():
        time = fail_safe_time(settings, timeouts.get(circuit_id))
        if CapSource.G100 not in sources or time.fits_g100:
            continue
        figures = {
            "detection": time.detection_s,
            "validity": time.validity_s,
            "reaction": time.reaction_s,
            "total": time.total_s,
            "allowed": G100_ALLOWED_S,
            "timeout": max(0.0, math.floor(time.detection_that_fits_s)),
        }
        found.append(
            Problem(
                key=ProblemKey.G100_TOO_SLOW,
                subject=circuit_id,
                severity=Severity.ERROR,
                placeholders={"circuit": names.get(circuit_id, circuit_id)}
                | {name: amps_text(figure) for name, figure in figures.items()},
            )
        )
    return found


def _cap_fallback_problems(decision: Decision, caps: Caps, names: Mapping[str, str]) -> list[Problem]:
    """Return the circuits that stay above a customer limitation scheme's ceiling when everything has died."""
    found = []
    for circuit_id, sources in caps.sources().items():
        circuit = decision.circuits.get(circuit_id)
        if CapSource.G100 not in sources or circuit is None:
            continue
        proof = circuit.proof
        for cap in caps.of(circuit_id):
            excess = fallback_excess(cap, proof.fallbacks, proof.amps)
            if cap.source == CapSource.G100 and excess > 0.0:
                ceiling = cap.watts if cap.amps is None else cap.amps
                figures = {"cap": ceiling or 0.0, "excess": excess, "worst": (ceiling or 0.0) + excess}
                found.append(
                    Problem(
                        key=ProblemKey.G100_FALLBACK_TOO_HIGH,
                        subject=circuit_id,
                        severity=Severity.ERROR,
                        placeholders={"circuit": names.get(circuit_id, circuit_id)}
                        | {name: _with_unit(figure, cap) for name, figure in figures.items()},
                    )
                )
    return found


def _with_unit(figure: float, cap: CapView) -> str:
    """Return a figure as its cap is given."""
    return f"{amps_text(figure / KILO)} kW" if cap.amps is None else f"{amps_text(figure)} A"


def _meter_problem(meter: MeterState) -> ProblemKey:
    if meter.settings.scope is MeterScope.GENERATION:
        return ProblemKey.GENERATION_UNSEEN
    unreachable = meter.fault is not None and meter.fault.key == "unreachable"
    return ProblemKey.METER_UNREACHABLE if unreachable else ProblemKey.METER_STALE


def _connector_problems(
    settings: SiteSettings, states: Mapping[str, ConnectorState], decision: Decision | None, clock: Clock
) -> list[Problem]:
    found: list[Problem] = []
    names = {point.charge_point_id: point.name for point in settings.charge_points}
    for state in states.values():
        if state.leaving or state.charge_point_id not in names:
            continue
        remembered = None if decision is None else decision.memory.connectors.get(state.key)
        signs = _signs(state, remembered, clock)
        if not signs:
            continue
        placeholders = {
            "charge_point": names[state.charge_point_id],
            "connector": str(state.number),
            "maximum": amps_text(state.connector.maximum_a),
            "fallback": amps_text(state.connector.fallback_a),
        }
        for figures in signs.values():
            placeholders |= figures
        found.extend(
            Problem(key=key, subject=state.key, severity=Severity.WARNING, placeholders=placeholders) for key in signs
        )
    return found


def stranger_problems(points: Iterable[ChargePointState]) -> tuple[Problem, ...]:
    """Return the connectors that nobody has configured and that draw current though they are told not to."""
    return tuple(
        Problem(
            key=ProblemKey.STRANGER_DRAWS,
            subject=connector_key(point.settings.charge_point_id, number),
            severity=Severity.ERROR,
            placeholders={
                "charge_point": point.settings.name,
                "connector": str(number),
                "drawn": amps_text(drawn_a),
            },
        )
        for point in points
        for number, drawn_a in sorted(point.strangers.items())
        if drawn_a >= STRANGER_DRAWS_A
    )


def _signs(state: ConnectorState, remembered: ConnectorMemory | None, clock: Clock) -> dict[ProblemKey, dict[str, str]]:
    """Return what is wrong with a connector, each with its figures."""
    signs: dict[ProblemKey, dict[str, str]] = {}
    conduct = FAITHFUL if remembered is None else remembered.conduct
    if remembered is not None and remembered.phase_use.unable:
        signs[ProblemKey.PHASES_NOT_SWITCHED] = {}
    if state.beyond_a is not None:
        signs[ProblemKey.MORE_PHASES] = {"beyond": amps_text(state.beyond_a)}
    if conduct.state is Obedience.IGNORES and state.bound.online:
        signs[ProblemKey.LIMIT_IGNORED] = {
            "drawn": amps_text(max(state.drawn_a or NO_AMPS)),
            "limit": amps_text(state.limit_a),
            "since": _moment(conduct.since, clock),
        }
    if state.offers.foreign and state.offers.offered_a is not None and not conduct.in_doubt:
        signs[ProblemKey.FOREIGN_LIMIT] = {
            "offered": amps_text(state.offers.offered_a),
            "limit": amps_text(state.limit_a),
            "since": _moment(state.offers.differs_since, clock),
        }
    if state.refusals >= REFUSED_OFTEN:
        signs[ProblemKey.LIMIT_REFUSED] = {}
    if Quirk.LIMITS_WITHOUT_END in state.quirks:
        signs[ProblemKey.LIMIT_WITHOUT_END] = {}
    if Quirk.FOREIGN_PROFILE in state.quirks:
        signs[ProblemKey.FOREIGN_PROFILE] = {}
    if Quirk.ZERO_ENDS_TRANSACTIONS in state.quirks:
        signs[ProblemKey.ZERO_ENDS_TRANSACTIONS] = {"minimum": amps_text(state.connector.minimum_a)}
    if state.bound.fallback_a is None:
        signs[ProblemKey.FALLBACK_UNPROVED] = {}
    return signs


def _moment(at: float | None, clock: Clock) -> str:
    """Return a monotonic time as a date and time of day."""
    if at is None:
        return "—"
    return f"{datetime.fromtimestamp(clock.time() - clock.monotonic() + at, UTC):%Y-%m-%d %H:%M} UTC"
