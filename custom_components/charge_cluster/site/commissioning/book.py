"""The findings of one site: the newest of each test, kept in its records, marked when what was tested has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ..records import SiteRecords
from .findings import (
    CHARGE_POINT_TESTS,
    METER_TESTS,
    CommissionedState,
    CommissionedView,
    CommissioningTest,
    Finding,
    Verdict,
)

IN_ORDER = {test: place for place, test in enumerate((*CHARGE_POINT_TESTS, *METER_TESTS))}


NEEDED_OF_CHARGE_POINTS = frozenset(CHARGE_POINT_TESTS) - {CommissioningTest.PHASE_MAP}
"""Tests without which a charge point is not commissioned. Its phases are found by single-phase vehicles alone."""

NEEDED_OF_METERS = frozenset(METER_TESTS)


def summary(findings: Mapping[str, Iterable[Finding]]) -> CommissionedView:
    """Return what the findings about a charge point's connectors, or about a meter, come to."""
    verdicts: dict[str, str] = {}
    states: set[CommissionedState] = set()
    newest: float | None = None
    for subject, found in findings.items():
        number = f"{subject.rpartition('/')[2]} " if len(findings) > 1 else ""
        proved: set[CommissioningTest] = set()
        for finding in found:
            verdicts[f"{number}{finding.test}"] = "outdated" if finding.outdated else finding.verdict.value
            newest = finding.at if newest is None else max(newest, finding.at)
            if finding.outdated:
                states.add(CommissionedState.OUTDATED)
            elif finding.verdict is Verdict.FAILED:
                states.add(CommissionedState.FAILED)
            if finding.verdict is Verdict.PASSED:
                proved.add(finding.test)
        needed = NEEDED_OF_CHARGE_POINTS if "/" in subject else NEEDED_OF_METERS
        if not needed <= proved:
            states.add(CommissionedState.NOT_DONE)
    order = (CommissionedState.FAILED, CommissionedState.OUTDATED, CommissionedState.NOT_DONE)
    state = next((state for state in order if state in states), CommissionedState.DONE)
    if not findings:
        state = CommissionedState.NOT_DONE
    return CommissionedView(state=state, tested_at=newest, verdicts=verdicts)


class FindingBook:
    """What is known by commissioning; the history lies in the records."""

    def __init__(self, records: SiteRecords, changed: Callable[[str], None]) -> None:
        """`changed` is told the subject whose findings are not what they were."""
        self._records = records
        self._changed = changed
        self._newest: dict[str, dict[CommissioningTest, Finding]] = {}

    def load(self, kept: Iterable[Finding]) -> None:
        """Take over what was kept."""
        for finding in sorted(kept, key=lambda finding: finding.at):
            self._take(finding)

    def of(self, subject: str) -> tuple[Finding, ...]:
        """Return what holds of each test of a subject, in the order of the tests."""
        found = self._newest.get(subject)
        return () if not found else tuple(sorted(found.values(), key=lambda finding: IN_ORDER[finding.test]))

    def add(self, finding: Finding) -> None:
        """Keep a finding."""
        self._records.keep_finding(finding)
        self._take(finding)
        self._changed(finding.subject)

    def outdate(self, subject: str, still: Callable[[Finding], bool]) -> None:
        """Mark the findings of a subject that were made with what is not there any more."""
        known = self._newest.get(subject, {})
        old = [finding for finding in known.values() if not finding.outdated and not still(finding)]
        if not old:
            return
        for finding in old:
            known[finding.test] = replace(finding, outdated=True)
        self._records.outdate_findings(subject, [finding.test for finding in old])
        self._changed(subject)

    def _take(self, finding: Finding) -> None:
        """Take over a newer finding; one that proves nothing does not stand in the place of one that does."""
        known = self._newest.setdefault(finding.subject, {})
        before = known.get(finding.test)
        proves = finding.verdict is not Verdict.INCONCLUSIVE
        if proves or before is None or before.verdict is Verdict.INCONCLUSIVE:
            known[finding.test] = finding
