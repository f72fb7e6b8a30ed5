"""Commissioning in a dialogue: what is to be tested, what happens, what a person must do, and what was found.

The tests run beside the dialogue, which shows where they are. Between two pictures it waits for the next news; where a
person is needed it shows a form with a button, which goes on by itself when what was asked for is seen. Closing the
dialogue ends the tests: the site puts everything back.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast, override

import voluptuous as vol
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import AbortFlow, FlowResultType
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.util import dt as dt_util

from ..chargers import GetsKnown
from ..const import Key, SubentryType
from ..coordinator import ChargeClusterConfigEntry
from ..report.finding_words import FindingWords
from ..site.commissioning.findings import CommissioningTest, Finding, Progress, Verdict
from ..site.commissioning.runner import AlreadyRunning, UnknownSubject
from ..site.site import Site
from ..site.views import connector_key
from ..words import words_of
from . import FormFaults

REQUESTS = frozenset({"pull_network", "restore_network", "cut_power", "restore_power"})
"""What a person may be asked for: a step each."""


class GuidedRun:
    """Tests of one connector or meter that run beside a dialogue."""

    def __init__(
        self,
        hass: HomeAssistant,
        site: Site,
        subject: str,
        tests: Iterable[CommissioningTest],
        *,
        simulate: bool,
        news: Callable[[], None],
    ) -> None:
        """Begin; `news` is called when there is something else to show."""
        self._hass = hass
        self._commissioning = site.commissioning
        self._tell = news
        self._something_new = asyncio.Event()
        self._answered: str | None = None
        """The request that the person has fulfilled, while it still stands."""
        self._waiting: asyncio.Task[None] | None = None
        self.subject = subject
        self.progress: Progress | None = None
        self._task = hass.async_create_background_task(
            self._commissioning.run(subject, tuple(tests), progress=self._show, simulate=simulate),
            f"Commissioning of {subject}",
            eager_start=True,
        )
        self._task.add_done_callback(self._ended)

    @property
    def fault(self) -> BaseException | None:
        """Return why it did not begin."""
        return self._task.exception() if self._task.done() and not self._task.cancelled() else None

    @property
    def over(self) -> bool:
        """Return whether it has ended."""
        return self._task.done()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return what was found, once it is over; nothing where it was broken off."""
        return () if self._task.cancelled() else self._task.result()

    @property
    def request(self) -> str | None:
        """Return what a person must do now."""
        asked = None if self.over or self.progress is None else self.progress.request
        return None if asked == self._answered else asked

    @callback
    def answer(self) -> None:
        """Take note that the person has done what was asked for."""
        self._answered = self.request
        self._commissioning.answer()

    def next_news(self) -> asyncio.Task[None]:
        """Return a task that ends when there is something else to show."""
        if self._waiting is None or self._waiting.done():
            self._something_new.clear()
            self._waiting = self._hass.async_create_background_task(
                self._wait(), f"News of the commissioning of {self.subject}"
            )
        return self._waiting

    async def _wait(self) -> None:
        if not self.over:
            await self._something_new.wait()

    @callback
    def cancel(self) -> None:
        """End it; the site puts everything back."""
        self._task.cancel()

    @callback
    def _show(self, progress: Progress) -> None:
        self.progress = progress
        if progress.request != self._answered:
            self._answered = None
        self._something_new.set()
        self._tell()

    @callback
    def _ended(self, _task: asyncio.Task[tuple[Finding, ...]]) -> None:
        self._something_new.set()
        self._tell()


class CommissioningFlow(ConfigSubentryFlow):
    """The steps of commissioning in the flow of a charge point or meter; their settings are asked for elsewhere."""

    _run: GuidedRun | None = None
    _words: FindingWords

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what is to be done; where nothing can be tested, there is nothing to ask."""
        del user_input
        if not self._subjects():
            return await self.async_step_settings()
        options = ["settings", "commission", *(["findings"] if self._found() else [])]
        return self.async_show_menu(
            step_id="reconfigure",
            menu_options=options,
            description_placeholders={"name": self._get_reconfigure_subentry().title},
        )

    async def async_step_settings(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for changed settings."""
        raise NotImplementedError

    # What is to be tested ------------------------------------------------------------------------------------------

    async def async_step_commission(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what is to be tested, and begin."""
        subjects = self._subjects()
        if not subjects:
            return self.async_abort(reason="not_running")
        faults = FormFaults()
        if user_input is not None:
            subject = user_input.get(Key.CONNECTOR, next(iter(subjects)))
            tests = [CommissioningTest(test) for test in user_input[Key.TESTS]]
            if tests:
                await self._begin(subject, tests, faults, simulate=user_input.get(Key.SIMULATE, False))
            else:
                faults.add("no_tests", field=Key.TESTS)
            if not faults:
                return self._shown()
        schema = self._what_to_test(subjects)
        return self.async_show_form(
            step_id="commission",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=faults.errors,
            description_placeholders={"name": self._get_reconfigure_subentry().title, **faults.placeholders},
            last_step=False,
        )

    def _what_to_test(self, subjects: dict[str, str]) -> vol.Schema:
        possible = self._site.commissioning.tests_for(next(iter(subjects)))
        fields: dict[vol.Marker, Any] = {}
        if len(subjects) > 1:
            options = [SelectOptionDict(value=subject, label=name) for subject, name in subjects.items()]
            fields[vol.Required(Key.CONNECTOR, default=next(iter(subjects)))] = SelectSelector(
                SelectSelectorConfig(options=options, mode=SelectSelectorMode.DROPDOWN)
            )
        fields[vol.Required(Key.TESTS, default=[test.value for test in possible])] = SelectSelector(
            SelectSelectorConfig(
                options=[test.value for test in possible],
                translation_key="commissioning_test",
                multiple=True,
                mode=SelectSelectorMode.LIST,
            )
        )
        if CommissioningTest.CONNECTION_LOSS in possible:
            fields[vol.Required(Key.SIMULATE, default=False)] = BooleanSelector()
        return vol.Schema(fields)

    async def _begin(
        self, subject: str, tests: Iterable[CommissioningTest], faults: FormFaults, *, simulate: bool
    ) -> None:
        self._words = FindingWords(await words_of(self.hass))
        run = GuidedRun(self.hass, self._site, subject, tests, simulate=simulate, news=self._news)
        match run.fault:
            case None:
                self._run = run
            case AlreadyRunning() as running:
                faults.add("commissioning_runs", subject=self._name_of(running.subject))
            case UnknownSubject():
                faults.add("subject_gone")
            case other:
                raise other

    # While it runs -------------------------------------------------------------------------------------------------

    async def async_step_testing(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Show what happens."""
        del user_input
        run = self._running
        if run.over:
            return self.async_show_progress_done(next_step_id="result")
        if run.request in REQUESTS:
            return self.async_show_progress_done(next_step_id=run.request)
        return self._progress(run)

    def _shown(self) -> SubentryFlowResult:
        """Return what is to be seen now, coming from a form."""
        run = self._running
        if run.over:
            return self._result()
        if run.request in REQUESTS:
            return self._request(run.request)
        return self._progress(run)

    def _progress(self, run: GuidedRun) -> SubentryFlowResult:
        progress = run.progress
        return self.async_show_progress(
            step_id="testing",
            progress_action="preparing" if progress is None else progress.step,
            description_placeholders={
                "name": self._name_of(run.subject),
                "test": "" if progress is None else self._words.test(progress.test),
                "percent": "0" if progress is None else f"{100.0 * progress.done:.0f}",
            },
            progress_task=run.next_news(),
        )

    def _request(self, request: str) -> SubentryFlowResult:
        return self.async_show_form(
            step_id=request,
            data_schema=vol.Schema({}),
            description_placeholders={"name": self._name_of(self._running.subject)},
            last_step=False,
        )

    async def async_step_pull_network(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Have the network cable pulled."""
        return self._asked("pull_network", done=user_input is not None)

    async def async_step_restore_network(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Have the network cable plugged in again."""
        return self._asked("restore_network", done=user_input is not None)

    async def async_step_cut_power(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Have the power cut."""
        return self._asked("cut_power", done=user_input is not None)

    async def async_step_restore_power(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Have the power restored."""
        return self._asked("restore_power", done=user_input is not None)

    def _asked(self, request: str, *, done: bool) -> SubentryFlowResult:
        """Go on when the person has done it; whoever only looks sees what is to be seen now."""
        if done and self._running.request == request:
            self._running.answer()
        return self._shown()

    @callback
    def _news(self) -> None:
        """Have the dialogue look again where it shows a request that does not stand any more."""
        run = self._run
        if run is None:
            return
        if run.progress is not None:
            self.async_update_progress(run.progress.done)
        step = self.cur_step
        if step is not None and step["type"] is FlowResultType.FORM and step["step_id"] in REQUESTS - {run.request}:
            self.async_notify_flow_changed()

    @callback
    @override
    def async_remove(self) -> None:
        """End the tests with the dialogue."""
        if self._run is not None:
            self._run.cancel()

    # What was found ------------------------------------------------------------------------------------------------

    async def async_step_result(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Show what was found, and end."""
        findings = self._running.findings
        if not findings:
            return self.async_abort(reason="commissioning_broken_off")
        if user_input is None:
            return self._result()
        passed = all(finding.verdict is Verdict.PASSED for finding in findings)
        return self.async_abort(reason="commissioning_passed" if passed else "commissioning_ended")

    def _result(self) -> SubentryFlowResult:
        run = self._running
        if not run.findings:
            return self.async_abort(reason="commissioning_broken_off")
        return self.async_show_form(
            step_id="result",
            data_schema=vol.Schema({}),
            description_placeholders={
                "name": self._name_of(run.subject),
                "findings": "\n".join(self._line(finding) for finding in run.findings),
            },
            last_step=True,
        )

    async def async_step_findings(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Show what was found last, and go back."""
        if user_input is not None:
            return await self.async_step_reconfigure()
        words = await words_of(self.hass)
        self._words = FindingWords(words)
        parts = []
        for subject, name in self._subjects().items():
            lines = [self._line(finding, dated=True) for finding in self._site.findings(subject)]
            if lines:
                parts.append("\n".join([f"**{name}**", "", *lines]))
        if ways := self._ways(words):
            parts.append("\n".join([f"**{words['ways']}**", "", *ways]))
        return self.async_show_form(
            step_id="findings",
            data_schema=vol.Schema({}),
            description_placeholders={"findings": "\n\n".join(parts)},
            last_step=False,
        )

    def _line(self, finding: Finding, *, dated: bool = False) -> str:
        told = f"- **{self._words.test(finding.test)}**: {self._words.verdict(finding.verdict)}. "
        told += self._words.sentence(finding)
        if not dated:
            return told
        when = dt_util.as_local(dt_util.utc_from_timestamp(finding.at))
        made_with = "" if finding.firmware is None else f", {finding.firmware}"
        return f"{told} ({when:%Y-%m-%d %H:%M}{made_with})"

    def _ways(self, words: Mapping[str, str]) -> list[str]:
        """Return what a first contact found out about the charge point, a line each; nothing of a meter."""
        point_ids = {subject.rpartition("/")[0] for subject in self._subjects()} - {""}
        lines: list[str] = []
        for point_id in point_ids:
            charger = self._site.charger(point_id)
            if not isinstance(charger, GetsKnown):
                continue
            known = charger.acquaintance
            for topic, (stage, finding) in known.topics.items():
                told = "" if finding is None else f": `{finding}`"
                lines.append(f"- {words[f'way_{topic}']}: {words[f'way_is_{stage}']}{told}")
            lines.extend(f"- {words[f'quirk_{quirk}']}" for quirk in known.quirks)
        return lines

    # Who is who ----------------------------------------------------------------------------------------------------

    @property
    def _running(self) -> GuidedRun:
        if self._run is None:
            raise AbortFlow("commissioning_broken_off")
        return self._run

    @property
    def _site(self) -> Site:
        return cast("ChargeClusterConfigEntry", self._get_entry()).runtime_data.site

    def _subjects(self) -> dict[str, str]:
        """Return the connectors, or the meter, that this is about, with their names; none while the site rests."""
        if self._get_entry().state is not ConfigEntryState.LOADED:
            return {}
        subentry, settings = self._get_reconfigure_subentry(), self._site.settings
        if subentry.subentry_type == SubentryType.METER:
            meters = [meter.meter_id for meter in settings.meters]
            return {subentry.subentry_id: subentry.title} if subentry.subentry_id in meters else {}
        return {
            connector_key(point.charge_point_id, connector.number): point.called(connector)
            for point in settings.charge_points
            for connector in point.connectors
            if subentry.subentry_id
            == (point.charge_point_id if connector.satellite is None else connector.satellite.satellite_id)
        }

    def _found(self) -> bool:
        return any(self._site.findings(subject) for subject in self._subjects())

    def _name_of(self, subject: str) -> str:
        """Return what a connector or meter of the site is called."""
        for point in self._site.settings.charge_points:
            for connector in point.connectors:
                if connector_key(point.charge_point_id, connector.number) == subject:
                    return point.called(connector)
        subentry = self._get_entry().subentries.get(subject)
        return subject if subentry is None else subentry.title
