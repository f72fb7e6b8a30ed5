"""What a person must mend, shown as Home Assistant's repairs.

The site names its problems; here each becomes an issue that comes and goes with it. A fault that often passes by itself
(a charge point that still boots, a meter that misses some readings) becomes an issue only when it has lasted. What
concerns the whole installation is one issue, however many sites report it.
"""

from asyncio import TimerHandle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import override

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.loader import async_get_loaded_integration
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .coordinator import ChargeClusterConfigEntry
from .site.problems import Problem, ProblemKey, Severity

LASTING_S = 60.0
"""A fault that often passes by itself is shown when it has lasted so long."""

PASSING: Mapping[ProblemKey, str] = {
    ProblemKey.METER_STALE: "meter",
    ProblemKey.METER_UNREACHABLE: "meter",
    ProblemKey.GENERATION_UNSEEN: "meter",
    ProblemKey.FALLBACK_UNPROVED: "fallback",
    ProblemKey.FALLBACK_DOES_NOT_FIT: "fallback",
    ProblemKey.FALLBACK_ABOVE_NEUTRAL: "fallback",
    ProblemKey.FALLBACK_ABOVE_UNBALANCE: "fallback",
    ProblemKey.FALLBACK_ABOVE_POWER: "fallback",
    ProblemKey.G100_FALLBACK_TOO_HIGH: "fallback",
    ProblemKey.PRICES_MISSING: "prices",
    ProblemKey.PRICES_LATE: "prices",
    ProblemKey.TARIFF_UNREADABLE: "prices",
    ProblemKey.HOST_CLOCK: "clock",
    ProblemKey.DRIVERS_UNREADABLE: "drivers",
}
"""The faults that often pass by themselves, by what is at fault: a meter that is now unreachable and now stale is out
of order all the time."""

OF_THE_INSTALLATION = frozenset(
    {
        ProblemKey.LEDGER_UNAVAILABLE,
        ProblemKey.LEDGER_REPLACED,
        ProblemKey.DRIVERS_UNREADABLE,
        ProblemKey.HOST_CLOCK,
    }
)
"""The problems that all sites have together."""

TO_ACKNOWLEDGE = frozenset({ProblemKey.LEDGER_REPLACED})
"""What has happened and cannot be undone: it is shown, over restarts too, until somebody has taken note of it."""

UNSTEADY = frozenset({"fault", "drawn", "offered", "limit"})
"""Placeholders that change with every reading; an issue keeps what they said when it was raised."""

GUIDE = "blob/main/docs/troubleshooting.md"
"""Where the repository explains the problems, one section each."""

SEVERITIES: Mapping[Severity, ir.IssueSeverity] = {
    Severity.ERROR: ir.IssueSeverity.ERROR,
    Severity.WARNING: ir.IssueSeverity.WARNING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A problem as it is shown."""

    key: ProblemKey
    translation_key: str
    severity: ir.IssueSeverity
    placeholders: Mapping[str, str]

    def says_the_same(self, other: Issue | None) -> bool:
        """Return whether another issue tells a person nothing else."""
        return (
            other is not None
            and (self.translation_key, self.severity) == (other.translation_key, other.severity)
            and _steady(self.placeholders) == _steady(other.placeholders)
        )


def _steady(placeholders: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in placeholders.items() if name not in UNSTEADY}


def issue_id(site_id: str, problem: Problem) -> str:
    """Return the id of the issue that a problem becomes."""
    if problem.key in OF_THE_INSTALLATION:
        return problem.key.value
    return f"{problem.key}_{site_id}_{problem.subject}"


def issue_of(problem: Problem, site: str) -> Issue:
    """Return how a problem of a site is shown."""
    placeholders = dict(problem.placeholders)
    if problem.key not in OF_THE_INSTALLATION:
        placeholders["site"] = site
    return Issue(
        key=problem.key,
        translation_key=_translation_key(problem),
        severity=SEVERITIES[problem.severity],
        placeholders=placeholders,
    )


def _translation_key(problem: Problem) -> str:
    """Return the key of its sentences; where a figure or word would make another sentence, there is another key."""
    match problem.key:
        case ProblemKey.LEDGER_REPLACED:
            return f"{problem.key}_{problem.placeholders['source']}"
        case ProblemKey.METER_SCOPE_WRONG:
            return f"{problem.key}_{problem.placeholders['found']}"
        case ProblemKey.METER_STALE if not problem.placeholders.get("fault"):
            return "meter_silent"
        case _:
            return problem.key.value


@callback
def async_watch_problems(hass: HomeAssistant, entry: ChargeClusterConfigEntry) -> CALLBACK_TYPE:
    """Show the problems of a site for as long as they last; return what ends it and takes them back."""
    return SiteWatch(hass, entry).end


class IssueBoard:
    """The issues of all sites; one that several sites report is there until none does any more."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin with none."""
        self._hass = hass
        self._reports: dict[str, dict[str, Issue]] = {}
        """By issue, what each site says of it."""
        self._acknowledged: dict[str, Mapping[str, str]] = {}
        """By issue, what somebody has taken note of; it is known for as long as it can be reported."""
        self._guide = f"{async_get_loaded_integration(hass, DOMAIN).documentation}/{GUIDE}"
        async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._entry_changed)

    @callback
    def show(self, site_id: str, wanted: Mapping[str, Issue]) -> None:
        """Show what a site reports, and nothing else of it."""
        for known in [known for known, reports in self._reports.items() if site_id in reports]:
            if known not in wanted:
                self._withdraw(site_id, known)
        for wanted_id, issue in wanted.items():
            reports = self._reports.setdefault(wanted_id, {})
            if issue.says_the_same(reports.get(site_id)):
                continue
            reports[site_id] = issue
            if self._acknowledged.get(wanted_id) != issue.placeholders:
                self._raise(wanted_id, issue)

    def _raise(self, wanted_id: str, issue: Issue) -> None:
        lasting = issue.key in TO_ACKNOWLEDGE
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            wanted_id,
            data=dict(issue.placeholders) if lasting else None,
            is_fixable=lasting,
            is_persistent=lasting,
            learn_more_url=f"{self._guide}#{issue.key.value.replace('_', '-')}",
            severity=issue.severity,
            translation_key=issue.translation_key,
            translation_placeholders=dict(issue.placeholders),
        )

    def _withdraw(self, site_id: str, known: str) -> None:
        reports = self._reports[known]
        withdrawn = reports.pop(site_id)
        if reports:
            return
        del self._reports[known]
        if withdrawn.key not in TO_ACKNOWLEDGE:
            ir.async_delete_issue(self._hass, DOMAIN, known)

    @callback
    def acknowledge(self, known: str, placeholders: Mapping[str, str]) -> None:
        """Remember that somebody has taken note of an issue, so that it does not come again."""
        self._acknowledged[known] = placeholders

    @callback
    def _entry_changed(self, change: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Take back what waits to be acknowledged when nobody is left whom it concerns."""
        if change is not ConfigEntryChange.REMOVED or entry.domain != DOMAIN:
            return
        if not self._hass.config_entries.async_entries(DOMAIN):
            for key in TO_ACKNOWLEDGE:
                ir.async_delete_issue(self._hass, DOMAIN, key.value)


BOARD: HassKey[IssueBoard] = HassKey(f"{DOMAIN}_issues")


@callback
def _board(hass: HomeAssistant) -> IssueBoard:
    if BOARD not in hass.data:
        hass.data[BOARD] = IssueBoard(hass)
    return hass.data[BOARD]


@dataclass(slots=True)
class _Fault:
    """A fault that may pass by itself."""

    timer: TimerHandle = field(repr=False)
    lasted: bool = False


class SiteWatch:
    """Follows the problems of one site."""

    def __init__(self, hass: HomeAssistant, entry: ChargeClusterConfigEntry) -> None:
        """Show what is wrong now, and listen."""
        self._hass = hass
        self._entry = entry
        self._site = entry.runtime_data.site
        self._board = _board(hass)
        self._faults: dict[tuple[str, str], _Fault] = {}
        """What has not passed yet, by what is at fault and the subject."""
        self._stop_listening = self._site.subscribe("site", self._changed)
        self._changed()

    @callback
    def _changed(self) -> None:
        """Bring the issues in line with the problems."""
        problems = self._site.problems()
        self._follow_faults({fault for problem in problems if (fault := _fault(problem)) is not None})
        site_id = self._site.site_id
        issues = {issue_id(site_id, problem): issue_of(problem, self._entry.title) for problem in self._due(problems)}
        self._board.show(site_id, issues)

    def _due(self, problems: tuple[Problem, ...]) -> Iterator[Problem]:
        """Yield the problems that have lasted long enough to be shown."""
        for problem in problems:
            fault = _fault(problem)
            if fault is None or self._faults[fault].lasted:
                yield problem

    def _follow_faults(self, present: set[tuple[str, str]]) -> None:
        for passed in self._faults.keys() - present:
            self._faults.pop(passed).timer.cancel()
        for fault in present - self._faults.keys():
            self._faults[fault] = _Fault(self._hass.loop.call_later(LASTING_S, partial(self._has_lasted, fault)))

    @callback
    def _has_lasted(self, fault: tuple[str, str]) -> None:
        self._faults[fault].lasted = True
        self._changed()

    @callback
    def end(self) -> None:
        """Stop listening and take back what was shown."""
        self._stop_listening()
        self._follow_faults(set())
        self._board.show(self._site.site_id, {})


def _fault(problem: Problem) -> tuple[str, str] | None:
    """Return what is at fault where it may pass by itself; None: it does not."""
    at_fault = PASSING.get(problem.key)
    return None if at_fault is None else (at_fault, problem.subject)


class Acknowledgement(ConfirmRepairFlow):
    """Has a person confirm that they took note of something that cannot be undone."""

    @override
    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        if user_input is not None:
            noted = {name: str(text) for name, text in (self.data or {}).items()}
            _board(self.hass).acknowledge(self.issue_id, noted)
        return await super().async_step_confirm(user_input)


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow that mends an issue: all that can be mended from here is to be taken note of."""
    del hass, issue_id, data
    return Acknowledgement()
