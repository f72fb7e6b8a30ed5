"""Tests of a meter: its speed, what it sees, its direction and its ratio, by vehicles that step below it.

A single-phase vehicle shows one phase of the meter, so that one after the other is used until all are covered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ...engine.model import NO_AMPS, PHASES, MeterScope, PhaseAmps, VehicleState
from ..settings import ChargePointSettings, ConnectorSettings, MeterSettings
from ..views import connector_key
from . import analysis
from .analysis import Crossing, Fit, Sight, Step
from .charge_point_tests import Figures, Outcome
from .findings import CommissioningTest, Verdict
from .trial import LEVEL_WITHIN_S, Bench, NoProof, Stairs, Trial
from .witness import Witness

MOST_VEHICLES = 3
"""So many are moved at most: one for each phase."""

RATIO_WITHIN = 0.15
"""A ratio is right when it is this close to 1: chargers measure to 3 %, and a wrong one is off by far more."""

SLOWEST_S = 30.0
"""A meter that is later than this guards nothing."""

SPEED_WATCH_S = 20.0

NOTHING_ELSE_A = 0.5
"""Less than this besides the vehicles, on every phase, is nothing."""


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What steps below a meter showed on it."""

    meter: MeterSettings
    fits: dict[int, Fit] = field(default_factory=dict)
    """The clearest of each phase."""
    crossings: list[Crossing] = field(default_factory=list)
    residues: list[PhaseAmps] = field(default_factory=list)
    """What it showed besides the vehicles."""
    times: list[float] = field(default_factory=list)
    why: str | None = None
    """What kept vehicles from stepping; None: at least one did."""
    stepped: bool = False
    measured: bool = False
    """Whether the vehicles' steps were measured, and not only ordered."""

    def add(self, stairs: Stairs, drawn_a: PhaseAmps) -> None:
        """Take in what the steps of one vehicle showed; `drawn_a` is what all vehicles draw right after the last."""
        steps = stairs.steps_on(self.meter.meter_id)
        if not steps:
            return
        self.stepped = True
        trial = stairs.trial
        self.measured = self.measured or bool(stairs.terminals())
        for phase, one in enumerate(analysis.fits(steps)):
            known = self.fits.get(phase)
            if known is None or _rank(one) > _rank(known):
                self.fits[phase] = one
        self.crossings.extend(_crossings(stairs, self.meter.meter_id, steps))
        self.times = [at for at, _ in trial.witness.meter_samples(self.meter.meter_id)]
        shown = trial.meter_level(self.meter.meter_id, stairs.taken[-1].until)
        if shown is not None and stairs.terminals():
            self.residues.append(analysis.difference(shown, drawn_a))

    def seen(self) -> tuple[int, ...]:
        """Return the phases that show vehicles."""
        return tuple(phase for phase in PHASES if phase in self.fits and self.fits[phase].sight is Sight.SEEN)

    @property
    def clear(self) -> bool:
        """Return whether every phase says clearly whether it shows vehicles."""
        return all(phase in self.fits and self.fits[phase].sight is not Sight.UNCLEAR for phase in PHASES)


def _rank(one: Fit) -> tuple[int, float]:
    order = {Sight.SEEN: 2, Sight.UNSEEN: 1, Sight.UNCLEAR: 0}
    return order[one.sight], one.signal_to_noise


def _crossings(stairs: Stairs, meter_id: str, steps: Sequence[Step]) -> Iterable[Crossing]:
    """Time each step on both sides: between two samples of the draw, and when the meter came to show it."""
    trial = stairs.trial
    draws = list(trial.witness.draws)
    for stair, step in zip(stairs.taken, steps, strict=False):
        own = [(at, max(amps)) for at, amps in draws if stair.at - LEVEL_WITHIN_S < at <= stair.until]
        before = next((amps for at, amps in reversed(own) if at <= stair.at + 1.0), None)
        level = trial.meter_level(meter_id, stair.at)
        if before is None or level is None or max(abs(amps) for amps in step.seen) < analysis.LEAST_STEP_A:
            continue
        moved = [at for at, amps in own if at > stair.at and abs(amps - before) >= abs(step.drawn_a) / 2.0]
        shown = analysis.first_shown(
            list(trial.witness.meters.get(meter_id, ())), since=stair.at, before=level, step=step.seen
        )
        if not moved or shown is None:
            continue
        still = max((at for at, _ in own if stair.at < at < moved[0]), default=stair.at)
        yield Crossing(not_before=still, not_after=moved[0], shown_at=shown)


def _below(bench: Bench, meter: MeterSettings) -> Iterable[tuple[ChargePointSettings, ConnectorSettings, str]]:
    """Return the connectors below a meter with their keys."""
    parents = {circuit.circuit_id: circuit.parent_id for circuit in bench.settings.circuits}
    for point in bench.settings.charge_points:
        for connector in point.connectors:
            circuit_id: str | None = point.circuit_of(connector)
            while circuit_id is not None and circuit_id != meter.circuit_id:
                circuit_id = parents.get(circuit_id)
            if circuit_id == meter.circuit_id:
                yield point, connector, connector_key(point.charge_point_id, connector.number)


def candidates(bench: Bench, meter: MeterSettings) -> list[tuple[ChargePointSettings, ConnectorSettings]]:
    """Return the connectors below a meter that have a vehicle which charges or may, the strongest first."""
    found = []
    for point, connector, key in _below(bench, meter):
        view = bench.connectors.get(key)
        if view is not None and view.online and view.vehicle in {VehicleState.WANTS, VehicleState.SATED}:
            strength = (view.vehicle is VehicleState.WANTS, sum(view.drawn_a or NO_AMPS))
            found.append((strength, point, connector))
    found.sort(key=lambda one: one[0], reverse=True)
    return [(point, connector) for _, point, connector in found]


def expected_phases(bench: Bench, meter: MeterSettings) -> frozenset[int]:
    """Return the phases that charge points below a meter can draw on at all."""
    wired: set[int] = set()
    for _, connector, _ in _below(bench, meter):
        wired.update(PHASES if connector.rotation is None else connector.rotation)
    return frozenset(wired) or frozenset(PHASES)


async def gather(
    bench: Bench,
    meter: MeterSettings,
    *,
    trial_of: Callable[[ChargePointSettings, ConnectorSettings], Trial],
) -> Evidence:
    """Step vehicles below a meter until every phase is covered."""
    evidence = Evidence(meter=meter)
    tried = candidates(bench, meter)[:MOST_VEHICLES]
    if not tried:
        evidence.why = "no_vehicle"
        return evidence
    wanted = expected_phases(bench, meter)
    for point, connector in tried:
        trial = trial_of(point, connector)
        try:
            stairs = await trial.stairs()
        except NoProof as failed:
            evidence.why = evidence.why or failed.why
            continue
        finally:
            trial.release()
        evidence.add(stairs, _drawn_below(bench, meter))
        if wanted <= set(evidence.seen()):
            break
    return evidence


def _drawn_below(bench: Bench, meter: MeterSettings) -> PhaseAmps:
    """Return what the vehicles below draw on the phases of the supply, by their newest measurements."""
    total = [0.0, 0.0, 0.0]
    for _, connector, key in _below(bench, meter):
        view = bench.connectors.get(key)
        if view is None or view.drawn_a is None or connector.rotation is None:
            continue
        for own, phase in enumerate(connector.rotation):
            total[phase] += view.drawn_a[own]
    return (total[0], total[1], total[2])


def judge(test: CommissioningTest, evidence: Evidence, bench: Bench) -> Outcome:
    """Say what the evidence comes to. Raises NoProof."""
    if test is CommissioningTest.METER_SPEED:
        return _speed(evidence, bench)
    if evidence.meter.scope is MeterScope.GENERATION:
        raise NoProof("generation_meter")
    if not evidence.stepped:
        raise NoProof(evidence.why or "no_vehicle")
    if test is CommissioningTest.METER_SCOPE:
        return _scope(evidence)
    if evidence.meter.scope is MeterScope.ALL_BUT_EVS and not evidence.seen() and evidence.clear:
        raise NoProof("sees_no_vehicles")
    if test is CommissioningTest.METER_DIRECTION:
        return _direction(evidence, expected_phases(bench, evidence.meter))
    return _ratio(evidence)


def _speed(evidence: Evidence, bench: Bench) -> Outcome:
    meter = evidence.meter
    interval = analysis.interval_s(evidence.times)
    lag = analysis.lag(evidence.crossings)
    figures: Figures = {
        "interval_s": None if interval is None else round(interval, 1),
        "lag_s": None if lag is None else round(lag.most_s, 1),
        "lag_least_s": None if lag is None else round(lag.least_s, 1),
        "timeout_s": meter.timeout_s,
    }
    if interval is None:
        raise NoProof("meter_silent" if not bench.meters[meter.meter_id].available else "timed_out", **figures)
    if interval + (0.0 if lag is None else lag.least_s) > SLOWEST_S:
        return Outcome(verdict=Verdict.FAILED, figures=figures)
    if lag is None:
        raise NoProof(evidence.why or "noisy", **figures)
    return Outcome(verdict=Verdict.PASSED, figures=figures)


def _scope(evidence: Evidence) -> Outcome:
    configured = evidence.meter.scope
    seen = evidence.seen()
    slope = max((abs(evidence.fits[phase].slope) for phase in seen), default=0.0)
    figures: Figures = {"configured": configured.value, "slope": round(slope, 2)}
    if seen:
        if not evidence.residues:
            raise NoProof("not_measured", **figures)
        besides = [analysis.median_of([residue[phase] for residue in evidence.residues]) for phase in PHASES]
        # Phases with a wrong sign or ratio say nothing of what else flows.
        right = [
            phase for phase in PHASES if phase not in seen or abs(evidence.fits[phase].slope - 1.0) <= RATIO_WITHIN
        ]
        alone = bool(right) and all(abs(besides[phase]) < NOTHING_ELSE_A for phase in right)
        found = MeterScope.EVS_ONLY if alone else MeterScope.EVERYTHING
    elif evidence.clear:
        found = MeterScope.ALL_BUT_EVS
    else:
        raise NoProof("noisy", **figures)
    figures["scope"] = found.value
    if found is configured:
        return Outcome(verdict=Verdict.PASSED, figures=figures)
    if found is MeterScope.EVS_ONLY and configured is MeterScope.EVERYTHING:
        # Nothing else may flow just now: an idle building looks the same.
        raise NoProof("no_other_load", **figures)
    return Outcome(verdict=Verdict.FAILED, figures=figures)


def _direction(evidence: Evidence, wanted: frozenset[int]) -> Outcome:
    seen = evidence.seen()
    figures: Figures = {
        f"sign_l{phase + 1}": (1.0 if evidence.fits[phase].slope > 0 else -1.0) if phase in seen else None
        for phase in PHASES
    }
    if any(figure == -1.0 for figure in figures.values()):
        return Outcome(verdict=Verdict.FAILED, figures=figures)
    if not wanted <= set(seen):
        unclear = any(fit.sight is Sight.UNCLEAR for phase, fit in evidence.fits.items() if phase in wanted)
        raise NoProof("noisy" if unclear else "phase_not_seen", **figures)
    return Outcome(verdict=Verdict.PASSED, figures=figures)


def _ratio(evidence: Evidence) -> Outcome:
    seen = evidence.seen()
    if not evidence.measured:
        raise NoProof("not_measured")
    if not seen:
        raise NoProof("phase_not_seen" if evidence.clear else "noisy")
    shares = {phase: abs(evidence.fits[phase].slope) for phase in seen}
    middle = analysis.median_of(list(shares.values()))
    figures: Figures = {f"ratio_l{phase + 1}": round(shares[phase], 2) if phase in shares else None for phase in PHASES}
    figures |= {
        "configured": evidence.meter.ratio,
        "shown_share": round(middle, 2),
        "ratio": round(evidence.meter.ratio / middle, 3),
    }
    wrong = [phase for phase in seen if _is_off(evidence.fits[phase])]
    if wrong:
        return Outcome(verdict=Verdict.FAILED, figures=figures)
    if any(2.0 * evidence.fits[phase].error > RATIO_WITHIN for phase in seen):
        raise NoProof("noisy", **figures)
    return Outcome(verdict=Verdict.PASSED, figures=figures)


def _is_off(one: Fit) -> bool:
    return abs(abs(one.slope) - 1.0) - 2.0 * one.error > RATIO_WITHIN


async def watch(evidence: Evidence, witness: Witness) -> None:
    """Let a meter that no vehicle steps below be read for a while."""
    meter_id = evidence.meter.meter_id
    await witness.until(lambda: len(witness.meter_samples(meter_id)) >= int(SPEED_WATCH_S), SPEED_WATCH_S)
    evidence.times = [at for at, _ in witness.meter_samples(meter_id)]
