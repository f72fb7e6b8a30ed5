"""What the guard makes of findings: facts about a connector, and the problems that a person must mend.

A credit (a settling time) is given only by a finding that passed and still holds. What speaks against a charge point
stays in force until a later test says otherwise: new firmware makes a finding old, not the charge point safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from ...engine.model import PHASES
from ..problems import Problem, ProblemKey, Severity
from ..settings import ChargePointSettings, ConnectorSettings, MeterSettings, SiteSettings
from ..views import connector_key
from .findings import CommissioningTest, Finding, Verdict

SETTLING_MARGIN = 1.5
"""A settling time is credited with so much on top of the longest that was seen."""

MOST_DELAY_S = 75.0
"""The longest delay of its own that a charge point is reckoned with: with the car it is as long as the engine's
history. One that delays longer has to be told not to."""

type FindingsOf = Callable[[str], Iterable[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What a running test asks of a connector for a while, beside what its user and its settings say."""

    cap_a: float | None = None
    minimum_a: float | None = None
    fallback_in_doubt: bool = False
    """Whether it must count at its hardware maximum, because its fallback is what is tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommissionedFacts:
    """What commissioning says about a connector, and what a test asks of it right now."""

    settling_s: float | None = None
    """After so long a reduction counts without a measurement; None: not proved, or it measures by itself."""
    delay_s: float = 0.0
    """How much later than others it may follow a limit, because it adds a delay of its own."""
    fallback_kept: bool = True
    """False: it was seen to draw more than its fallback after a loss of connection or power."""
    hold: Hold = Hold()

    def capped(self, cap_a: float | None) -> float | None:
        """Return a user's cap together with that of a test."""
        if self.hold.cap_a is None:
            return cap_a
        return self.hold.cap_a if cap_a is None else min(cap_a, self.hold.cap_a)


NO_FACTS = CommissionedFacts()


def facts_of(findings: Iterable[Finding], hold: Hold | None) -> CommissionedFacts:
    """Return what the newest findings about a connector come to, and a test under way."""
    by_test = {finding.test: finding for finding in findings}
    if not by_test and hold is None:
        return NO_FACTS
    holding = Hold() if hold is None else hold
    delay = _delay(by_test.get(CommissioningTest.RANDOM_DELAY))
    lost = any(
        _failed(by_test.get(test)) for test in (CommissioningTest.CONNECTION_LOSS, CommissioningTest.POWER_CYCLE)
    )
    return CommissionedFacts(
        settling_s=None if delay else _settling(by_test.get(CommissioningTest.LIMIT_RESPONSE)),
        delay_s=delay,
        fallback_kept=not lost and not holding.fallback_in_doubt,
        hold=holding,
    )


def _failed(finding: Finding | None) -> bool:
    return finding is not None and finding.verdict is Verdict.FAILED


def _settling(finding: Finding | None) -> float | None:
    """Return the settling time to credit: only where the meter alone showed it, for a connector that does not measure.

    Where a connector measures, its measurement decides (promise 1), not the time.
    """
    if finding is None or finding.verdict is not Verdict.PASSED or finding.outdated:
        return None
    settled = finding.figures.get("settling_s")
    if finding.figures.get("source") != "meter" or not isinstance(settled, (int, float)):
        return None
    return SETTLING_MARGIN * settled


def _delay(finding: Finding | None) -> float:
    if finding is None or not _failed(finding):
        return 0.0
    delays = (finding.figures.get("raise_delay_s"), finding.figures.get("reduction_delay_s"))
    longest = max((delay for delay in delays if isinstance(delay, (int, float))), default=0.0)
    return min(MOST_DELAY_S, SETTLING_MARGIN * longest)


# Problems -----------------------------------------------------------------------------------------------------------


def problems_found(settings: SiteSettings, findings: FindingsOf) -> list[Problem]:
    """Return what commissioning found that the settings do not fit, or that is not safe."""
    found: list[Problem] = []
    for point in settings.charge_points:
        for connector in point.connectors:
            key = connector_key(point.charge_point_id, connector.number)
            found.extend(_connector_problems(point, connector, key, findings(key)))
    for meter in settings.meters:
        found.extend(_meter_problems(meter, findings(meter.meter_id)))
    return found


def _connector_problems(
    point: ChargePointSettings, connector: ConnectorSettings, key: str, findings: Iterable[Finding]
) -> list[Problem]:
    problems = []
    named = {"charge_point": point.name, "connector": str(connector.number)}
    for finding in findings:
        placeholders: Mapping[str, str] | None = None
        problem, severity = ProblemKey.COMMISSIONING_FAILED, Severity.WARNING
        match finding.test:
            case CommissioningTest.PHASE_MAP if rotation_differs(finding, connector.rotation):
                problem, severity = ProblemKey.ROTATION_MISMATCH, Severity.ERROR
                placeholders = {
                    "found": rotation_text(str(finding.figures["rotation"])),
                    "configured": rotation_text(rotation_key(connector.rotation)),
                    "own": rotation_text(str(finding.figures.get("own", ""))),
                }
            case CommissioningTest.CONNECTION_LOSS | CommissioningTest.POWER_CYCLE if _failed(finding):
                problem, severity = ProblemKey.FALLBACK_NOT_KEPT, Severity.ERROR
                placeholders = {
                    "found": _text(finding.figures.get("fallback_a")),
                    "fallback": _text(point.fallback_a),
                    "maximum": _text(connector.maximum_a),
                }
            case CommissioningTest.RANDOM_DELAY if _failed(finding):
                problem = ProblemKey.DELAYS_BY_ITSELF
                placeholders = {
                    "raise_delay": _text(finding.figures.get("raise_delay_s")),
                    "reduction_delay": _text(finding.figures.get("reduction_delay_s")),
                }
            case CommissioningTest.MINIMUM if _above(finding.figures.get("minimum_a"), connector.minimum_a):
                problem = ProblemKey.MINIMUM_TOO_LOW
                placeholders = {
                    "found": _text(finding.figures["minimum_a"]),
                    "configured": _text(connector.minimum_a),
                }
            case CommissioningTest.LIMIT_RESPONSE | CommissioningTest.ZERO_AMPS if _failed(finding):
                placeholders = {}
        if placeholders is not None and not finding.outdated:
            problems.append(
                Problem(key=problem, subject=f"{key}", severity=severity, placeholders=named | dict(placeholders))
            )
    return _once(problems)


def _meter_problems(meter: MeterSettings, findings: Iterable[Finding]) -> list[Problem]:
    problems = []
    for finding in findings:
        if not _failed(finding) or finding.outdated:
            continue
        named = {"meter": meter.name}
        match finding.test:
            case CommissioningTest.METER_DIRECTION:
                wrong = [f"L{phase + 1}" for phase in PHASES if finding.figures.get(f"sign_l{phase + 1}") == -1]
                key, named = ProblemKey.METER_INVERTED, named | {"phases": ", ".join(wrong)}
            case CommissioningTest.METER_RATIO:
                key = ProblemKey.METER_RATIO_WRONG
                named = named | {
                    "found": _text(finding.figures.get("shown_share")),
                    "ratio": _text(finding.figures.get("ratio")),
                    "configured": _text(meter.ratio),
                }
            case CommissioningTest.METER_SCOPE:
                key = ProblemKey.METER_SCOPE_WRONG
                named = named | {"found": str(finding.figures.get("scope"))}
            case _:
                key = ProblemKey.METER_TOO_SLOW
                named = named | {
                    "interval": _text(finding.figures.get("interval_s")),
                    "lag": _text(finding.figures.get("lag_least_s")),
                }
        problems.append(Problem(key=key, subject=meter.meter_id, severity=Severity.ERROR, placeholders=named))
    return problems


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """Return one problem of each kind: the first."""
    return list({problem.key: problem for problem in reversed(list(problems))}.values())


def rotation_differs(finding: Finding, configured: tuple[int, ...] | None) -> bool:
    """Return whether the phases that were found are not those that are configured."""
    rotation = finding.figures.get("rotation")
    own = finding.figures.get("own")
    if finding.verdict is Verdict.INCONCLUSIVE or configured is None:
        return False
    if not isinstance(rotation, str) or not isinstance(own, str):
        return False
    terminals = phases_of(own)
    if any(terminal >= len(configured) for terminal in terminals):
        return True
    return {configured[terminal] for terminal in terminals} != set(phases_of(rotation))


def rotation_key(rotation: tuple[int, ...] | None) -> str:
    """Return phases as figures name them ("l2_l3_l1"); "unknown" where there are none."""
    return "unknown" if rotation is None else "_".join(f"l{phase + 1}" for phase in rotation)


def phases_of(key: str) -> tuple[int, ...]:
    """Return the phases that a figure names."""
    return tuple(int(part[1]) - 1 for part in key.split("_") if part in {"l1", "l2", "l3"})


def rotation_text(key: str) -> str:
    """Return phases as people read them."""
    return ", ".join(f"L{phase + 1}" for phase in phases_of(key)) or "—"


def meter_fingerprint(meter: MeterSettings) -> str:
    """Return a short key of what a finding about a meter holds for: it is outdated when this changes."""
    said = f"{meter.source!r}:{meter.circuit_id}:{meter.scope}:{meter.ratio:g}:{meter.inverted}"
    return sha256(said.encode()).hexdigest()[:12]


def _above(found: float | str | None, configured: float) -> bool:
    return isinstance(found, (int, float)) and found > configured + 0.01


def _text(figure: float | str | None) -> str:
    return "—" if figure is None else figure if isinstance(figure, str) else f"{round(figure, 1):g}"
