"""Commissioning of one site: who is tested, one at a time, and what is found is kept.

A run moves a connector only through a temporary cap beside the user's own, so that the guard stays in charge and no
test can exceed a ceiling. Whatever happens, the cap is taken back and the door is opened at the end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...chargers import Booted, ChargerEvent, WentOnline
from ...meters import MeterFault, MeterSample
from ...ocpp.protocols import Clock
from ..connector import ConnectorState
from ..dispatch import EXPIRY_SLACK_S
from ..problems import Problem
from ..records import SiteRecords
from ..settings import ChargePointSettings, ConnectorSettings, MeterSettings
from ..views import connector_key
from . import charge_point_tests, meter_tests
from .absence_tests import connection_loss, power_cycle
from .book import FindingBook, summary
from .charge_point_tests import Outcome
from .facts import CommissionedFacts, Hold, facts_of, meter_fingerprint, problems_found
from .findings import (
    BY_HAND,
    CHARGE_POINT_TESTS,
    METER_TESTS,
    CommissionedView,
    CommissioningTest,
    Finding,
    Progress,
    Verdict,
)
from .trial import Bench, NoProof, Shutter, Stairs, Trial
from .witness import Witness

LOGGER = logging.getLogger(__name__)

RUN_AT_MOST_S = 3600.0
"""A run that takes longer is ended, and put back."""

ON_STAIRS = frozenset({CommissioningTest.LIMIT_RESPONSE, CommissioningTest.PHASE_MAP, CommissioningTest.RANDOM_DELAY})
"""Tests that judge the same steps."""

SETTINGS_KEY = "settings_key"
"""Figure of a meter's findings: what its settings were."""

type ShowProgress = Callable[[Progress], None]
"""Is told every new step."""

type Confirm = Callable[[str], Awaitable[None]]
"""Shows a request to a person ("pull_network", "restore_network", "cut_power", "restore_power") and returns when that
person says that it is done. The run goes on as soon as it is said *or seen* (then the call is cancelled)."""


class AlreadyRunning(Exception):
    """Something at this site is being tested; `subject` is it."""

    def __init__(self, subject: str) -> None:
        super().__init__(subject)
        self.subject = subject


class UnknownSubject(Exception):
    """The site has no such connector or meter."""


@dataclass(slots=True, kw_only=True)
class _Run:
    """A run under way."""

    subject: str
    tests: tuple[CommissioningTest, ...]
    show: ShowProgress | None
    confirm: Confirm | None
    simulate: bool
    findings: dict[CommissioningTest, Finding] = field(default_factory=dict)
    test: CommissioningTest | None = None
    witnesses: list[Witness] = field(default_factory=list)
    shut: set[str] = field(default_factory=set)
    """Charge points whose door was shut."""
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Commissioning:
    """`site.commissioning`: the guided tests of one site."""

    def __init__(
        self,
        bench: Bench,
        *,
        clock: Clock,
        records: SiteRecords,
        shutter: Shutter,
        tell: Callable[[str], None],
    ) -> None:
        """`tell` is told the subject ("commissioning:<subject>") that something is new about."""
        self._bench = bench
        self._clock = clock
        self._records = records
        self._shutter = shutter
        self._tell_listeners = tell
        self._book = FindingBook(records, self._changed)
        self._summaries: dict[tuple[str, ...], CommissionedView] = {}
        self._holds: dict[str, Hold] = {}
        self._run: _Run | None = None
        self._problems: list[Problem] | None = None
        self.progress: Progress | None = None
        """Where the run under way is; None: nothing runs."""

    # What others may ask -------------------------------------------------------------------------------------------

    def tests_for(self, subject: str) -> tuple[CommissioningTest, ...]:
        """Return the tests that a connector key or meter id can be put to, in their order. Raises UnknownSubject."""
        if self._meter(subject) is not None:
            return METER_TESTS
        if self._connector(subject) is not None:
            return CHARGE_POINT_TESTS
        raise UnknownSubject(subject)

    async def run(
        self,
        subject: str,
        tests: Sequence[CommissioningTest] = (),
        *,
        progress: ShowProgress | None = None,
        confirm: Confirm | None = None,
        simulate: bool = False,
    ) -> tuple[Finding, ...]:
        """Put a connector (key) or meter (id) to tests, keep and return what was found, one finding for each test.

        Args:
            subject: connector key ("<charge_point_id>/<number>") or meter id.
            tests: those wanted; empty: all that need nobody's hands, and those that do only where `confirm` or
                `simulate` is given.
            progress: is told each new step.
            confirm: asks a person. None: a test that needs one waits until it is seen or `answer` is called, for at
                most five minutes.
            simulate: the network is not pulled by a person: the connection is closed and refused from here. A power
                cycle cannot be simulated.

        `cancel` ends it: everything is put back, and what was not finished is INCONCLUSIVE with why "cancelled". Where
        the task that waits is cancelled, the same is kept, and the cancellation goes on.

        Raises:
            AlreadyRunning: one at a time.
            UnknownSubject: it is not there.
            ValueError: a test is not one for this kind of subject.
        """
        if self._run is not None:
            raise AlreadyRunning(self._run.subject)
        possible = self.tests_for(subject)
        if not set(tests) <= set(possible):
            raise ValueError(f"{subject} cannot be put to {', '.join(set(tests) - set(possible))}")
        run = self._run = _Run(
            subject=subject,
            tests=tuple(test for test in possible if test in tests)
            if tests
            else self._usual(possible, confirm, simulate=simulate),
            show=progress,
            confirm=confirm,
            simulate=simulate,
        )
        # Begun at once: what is cancelled before it began would conclude nothing.
        run.task = asyncio.get_running_loop().create_task(self._carry_out(run), eager_start=True)
        try:
            await asyncio.wait({run.task})
        except asyncio.CancelledError:
            run.task.cancel()
            await asyncio.wait({run.task})
            raise
        finally:
            self._close(run)
        if not run.task.cancelled():
            run.task.result()
        return tuple(run.findings[test] for test in run.tests)

    def answer(self) -> None:
        """Take note that the person has done what `progress.request` asks for; another way than `confirm`."""
        if self._run is not None and self.progress is not None and self.progress.request is not None:
            self._run.answered.set()

    def cancel(self) -> bool:
        """End the run under way after it has put everything back; return whether there was one."""
        if self._run is None or self._run.task is None:
            return False
        self._run.task.cancel()
        return True

    async def close(self) -> None:
        """End what runs, because the site ends."""
        run = self._run
        if run is not None and run.task is not None:
            run.task.cancel()
            await asyncio.wait({run.task})

    def findings(self, subject: str) -> tuple[Finding, ...]:
        """Return the newest finding of each test of a subject, in the order of the tests."""
        return self._book.of(subject)

    async def history(self, subject: str) -> tuple[Finding, ...]:
        """Return all kept findings of a subject, newest first (at most 20 of each test). Raises StoreUnavailable."""
        return tuple(await self._records.finding_history(subject))

    def summary(self, subjects: Sequence[str]) -> CommissionedView:
        """Return what commissioning has come to for the connectors of a charge point, or for a meter."""
        key = tuple(subjects)
        known = self._summaries.get(key)
        if known is None:
            known = self._summaries[key] = summary({subject: self._book.of(subject) for subject in key})
        return known

    def facts(self, key: str) -> CommissionedFacts:
        """Return what commissioning says about a connector now."""
        return facts_of(self._book.of(key), self._holds.get(key))

    def problems(self) -> tuple[Problem, ...]:
        """Return what was found that a person must mend."""
        if self._problems is None:
            self._problems = problems_found(self._bench.settings, self._book.of)
        return tuple(self._problems)

    # What the site tells -------------------------------------------------------------------------------------------

    def load(self, kept: Sequence[Finding]) -> None:
        """Take over what was kept."""
        self._book.load(kept)
        self.settings_changed()

    def settings_changed(self) -> None:
        """Take note of new settings: findings about a meter that is set otherwise now are outdated."""
        self._problems = None
        for meter in self._bench.settings.meters:
            self._book.outdate(meter.meter_id, partial(_was_set_so, meter_fingerprint(meter)))

    def heard(self, point: ChargePointSettings, event: ChargerEvent) -> None:
        """Take note of what a charge point said, after the site did."""
        if isinstance(event, (Booted, WentOnline)):
            self._compare_firmware(point)
        if self._run is not None:
            for witness in self._run.witnesses:
                witness.heard(point.charge_point_id, event)

    def accepted(self, state: ConnectorState) -> None:
        """Take note that the proof about a connector changed; of interest is a limit that was accepted."""
        bound = state.bound
        if self._run is None or bound.limit_a is None:
            return
        for witness in self._run.witnesses:
            if (witness.charge_point_id, witness.number) == (state.charge_point_id, state.number):
                lasting = self._bench.settings.validity_s + EXPIRY_SLACK_S
                at = self._clock.monotonic() if bound.expires_at is None else bound.expires_at - lasting
                witness.accepted(bound.limit_a, at)

    def metered(self, meter_id: str, report: MeterSample | MeterFault) -> None:
        """Take note of a reading."""
        if self._run is not None:
            for witness in self._run.witnesses:
                witness.metered(meter_id, report)

    def _compare_firmware(self, point: ChargePointSettings) -> None:
        view = self._bench.charge_points.get(point.charge_point_id)
        firmware = None if view is None else view.identity.firmware
        if firmware is None:
            return
        for connector in point.connectors:
            key = connector_key(point.charge_point_id, connector.number)
            self._book.outdate(key, partial(_was_tested_with, firmware))

    # The run -------------------------------------------------------------------------------------------------------

    def _usual(
        self, possible: Sequence[CommissioningTest], confirm: Confirm | None, *, simulate: bool
    ) -> tuple[CommissioningTest, ...]:
        left_out = set(BY_HAND) if confirm is None else set()
        if simulate:
            left_out.discard(CommissioningTest.CONNECTION_LOSS)
        return tuple(test for test in possible if test not in left_out)

    async def _carry_out(self, run: _Run) -> None:
        why = "cancelled"
        try:
            async with asyncio.timeout(RUN_AT_MOST_S):
                meter = self._meter(run.subject)
                if meter is not None:
                    await self._test_meter(run, meter)
                else:
                    await self._test_connector(run)
        except TimeoutError:
            why = "timed_out"
            LOGGER.warning("The tests of %s took too long and were ended", run.subject)
        finally:
            self._put_back(run)
            for test in run.tests:
                if test not in run.findings:
                    self._conclude(run, test, _nothing_proved(why))

    async def _test_connector(self, run: _Run) -> None:
        found = self._connector(run.subject)
        if found is None:
            return
        trial = self._trial(run, *found)
        stairs: Stairs | NoProof | None = None
        for test in run.tests:
            run.test = test
            self._say(run, "preparing", None)
            try:
                if test in ON_STAIRS:
                    if stairs is None:
                        stairs = await self._stairs(run, trial)
                    outcome = self._judge_stairs(test, stairs)
                else:
                    outcome = await self._carry_out_one(run, test, trial)
            except NoProof as failed:
                outcome = _nothing_proved(failed.why, failed.figures)
            finally:
                self._put_back(run)
            self._conclude(run, test, outcome)

    async def _stairs(self, run: _Run, trial: Trial) -> Stairs | NoProof:
        try:
            return await trial.stairs(seek_delay=CommissioningTest.RANDOM_DELAY in run.tests)
        except NoProof as failed:
            return failed

    def _judge_stairs(self, test: CommissioningTest, stairs: Stairs | NoProof) -> Outcome:
        if isinstance(stairs, NoProof):
            raise NoProof(stairs.why, **stairs.figures)
        match test:
            case CommissioningTest.LIMIT_RESPONSE:
                return charge_point_tests.limit_response(stairs)
            case CommissioningTest.PHASE_MAP:
                return charge_point_tests.phase_map(stairs)
            case _:
                return charge_point_tests.random_delay(stairs)

    async def _carry_out_one(self, run: _Run, test: CommissioningTest, trial: Trial) -> Outcome:
        match test:
            case CommissioningTest.MINIMUM:
                return await charge_point_tests.minimum(trial)
            case CommissioningTest.ZERO_AMPS:
                return await charge_point_tests.zero_amps(trial)
            case CommissioningTest.CONNECTION_LOSS:
                return await connection_loss(trial, simulate=run.simulate)
            case _:
                return await power_cycle(trial)

    async def _test_meter(self, run: _Run, meter: MeterSettings) -> None:
        run.test = run.tests[0]
        self._say(run, "preparing", None)
        evidence = await meter_tests.gather(self._bench, meter, trial_of=partial(self._trial, run))
        self._put_back(run)
        if not evidence.times:
            witness = Witness(self._clock, "", 0)
            run.witnesses.append(witness)
            self._say(run, "reading_meter", None)
            await meter_tests.watch(evidence, witness)
        for test in run.tests:
            run.test = test
            self._say(run, "analysing", None)
            try:
                outcome = meter_tests.judge(test, evidence, self._bench)
            except NoProof as failed:
                outcome = _nothing_proved(failed.why, failed.figures)
            outcome.figures[SETTINGS_KEY] = meter_fingerprint(meter)
            self._conclude(run, test, outcome)

    def _trial(self, run: _Run, point: ChargePointSettings, connector: ConnectorSettings) -> Trial:
        witness = Witness(self._clock, point.charge_point_id, connector.number)
        run.witnesses.append(witness)
        return Trial(
            self._bench,
            point,
            connector,
            clock=self._clock,
            witness=witness,
            shutter=_Doors(self._shutter, run),
            hold=self._hold,
            tell=partial(self._say, run),
            confirm=partial(self._ask, run),
        )

    def _hold(self, key: str, hold: Hold | None) -> None:
        if hold is None:
            if self._holds.pop(key, None) is None:
                return
        elif self._holds.get(key) == hold:
            return
        else:
            self._holds[key] = hold
        self._bench.recommission(key)

    def _put_back(self, run: _Run) -> None:
        """Take every cap back and open every door."""
        for key in list(self._holds):
            self._hold(key, None)
        for charge_point_id in list(run.shut):
            point = self._point(charge_point_id)
            if point is not None:
                self._shutter.shut_door(point, 0.0)
        run.shut.clear()

    def _conclude(self, run: _Run, test: CommissioningTest, outcome: Outcome) -> None:
        finding = Finding(
            subject=run.subject,
            test=test,
            verdict=outcome.verdict,
            at=self._clock.time(),
            firmware=self._firmware(run.subject),
            figures=outcome.figures,
        )
        run.findings[test] = finding
        self._book.add(finding)

    def _close(self, run: _Run) -> None:
        self._put_back(run)
        self._run = None
        self.progress = None
        self._tell_listeners(f"commissioning:{run.subject}")

    async def _ask(self, run: _Run, request: str) -> None:
        """Wait until a person says that it is done, by `confirm` or by `answer`."""
        run.answered.clear()
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(run.answered.wait())]
        if run.confirm is not None:
            waits.append(asyncio.ensure_future(run.confirm(request)))
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        for finished in done:
            finished.result()

    def _say(self, run: _Run, step: str, request: str | None) -> None:
        if run.test is None:
            return
        progress = Progress(
            subject=run.subject,
            test=run.test,
            step=step,
            done=len(run.findings) / max(1, len(run.tests)),
            request=request,
        )
        if progress == self.progress:
            return
        self.progress = progress
        if run.show is not None:
            run.show(progress)
        self._tell_listeners(f"commissioning:{run.subject}")

    def _changed(self, subject: str) -> None:
        """Take note of a new or outdated finding."""
        self._problems = None
        self._summaries.clear()
        self._tell_listeners(f"commissioning:{subject}")
        self._bench.recommission(subject)

    # Who is who ----------------------------------------------------------------------------------------------------

    def _firmware(self, subject: str) -> str | None:
        found = self._connector(subject)
        view = None if found is None else self._bench.charge_points.get(found[0].charge_point_id)
        return None if view is None else view.identity.firmware

    def _meter(self, subject: str) -> MeterSettings | None:
        return next((meter for meter in self._bench.settings.meters if meter.meter_id == subject), None)

    def _point(self, charge_point_id: str) -> ChargePointSettings | None:
        points = self._bench.settings.charge_points
        return next((point for point in points if point.charge_point_id == charge_point_id), None)

    def _connector(self, subject: str) -> tuple[ChargePointSettings, ConnectorSettings] | None:
        for point in self._bench.settings.charge_points:
            for connector in point.connectors:
                if connector_key(point.charge_point_id, connector.number) == subject:
                    return point, connector
        return None


class _Doors:
    """The doors that one run has shut, so that they are opened at its end."""

    def __init__(self, shutter: Shutter, run: _Run) -> None:
        self._shutter = shutter
        self._run = run

    def shut_door(self, point: ChargePointSettings, for_s: float) -> None:
        """Close the connection of a charge point and refuse it for so long; 0: let it in again."""
        if for_s > 0.0:
            self._run.shut.add(point.charge_point_id)
        else:
            self._run.shut.discard(point.charge_point_id)
        self._shutter.shut_door(point, for_s)

    def knocks(self, point: ChargePointSettings) -> int:
        """Return how often it was refused since the door was shut."""
        return self._shutter.knocks(point)


def _was_set_so(settings_key: str, finding: Finding) -> bool:
    return finding.figures.get(SETTINGS_KEY) == settings_key


def _was_tested_with(firmware: str, finding: Finding) -> bool:
    """Return whether a finding holds for a firmware; one that was not told then is taken to be the same."""
    return finding.firmware in {None, firmware}


def _nothing_proved(why: str, figures: dict[str, float | str | None] | None = None) -> Outcome:
    return Outcome(verdict=Verdict.INCONCLUSIVE, figures={**(figures or {}), "why": why})
