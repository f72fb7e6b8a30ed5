"""The commissioning report of a site as a file that an administrator fetches.

It is written when it is fetched and lies nowhere. A browser that opens a link cannot say who it is: the link is signed
for some minutes, by the person who asked for it or, for automations, by Home Assistant itself.
"""

from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import cast

from aiohttp import web
from homeassistant.components.http import KEY_HASS, KEY_HASS_USER, HomeAssistantView
from homeassistant.components.http.auth import async_sign_path
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import __version__ as home_assistant_version
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import Unauthorized
from homeassistant.helpers import issue_registry as ir
from homeassistant.loader import async_get_loaded_integration
from homeassistant.util import dt as dt_util, slugify

from .const import DOMAIN, ONE_PHASE, Key
from .coordinator import ChargeClusterConfigEntry, refused_issue_id
from .engine.model import PHASES
from .repairs import issue_of
from .report.characters import can_show
from .report.facts import ReportFacts, ToMend, facts_of
from .words import COMMON, words_of

SIGNED_FOR = timedelta(minutes=10)

ENGLISH = "en"
"""What a report is written in where its fonts do not have the letters of a language."""

PRINTED = ("report_", "test_", "verdict_", "finding_", "figure_", "why_")
"""What the keys of words begin with that a report prints."""


@callback
def report_name(entry: ChargeClusterConfigEntry) -> str:
    """Return what the file is called today."""
    return f"{slugify(entry.title)}_commissioning_{dt_util.now():%Y-%m-%d}.pdf"


@callback
def signed_report_path(hass: HomeAssistant, entry: ChargeClusterConfigEntry) -> str:
    """Return a path that the report can be fetched from for some minutes, by whoever has it."""
    return async_sign_path(hass, ReportView.url.format(entry_id=entry.entry_id), SIGNED_FOR)


async def written_report(hass: HomeAssistant, entry: ChargeClusterConfigEntry) -> bytes:
    """Return the report of a site that runs, in the language of this Home Assistant where it can be printed."""
    language = hass.config.language
    words = await words_of(hass)
    if not all(can_show(text) for key, text in words.items() if key.startswith(PRINTED)):
        language = ENGLISH
        words = await words_of(hass, COMMON, language=language)
    issues = await words_of(hass, "issues", language=language)
    version = async_get_loaded_integration(hass, DOMAIN).version
    facts = facts_of(
        entry.runtime_data.site,
        phases=PHASES[:1] if entry.data.get(Key.PHASES) == ONE_PHASE else PHASES,
        to_mend=_to_mend(hass, entry, issues),
        made_at=dt_util.now().replace(microsecond=0),
        software=f"Charge Cluster {version}, Home Assistant {home_assistant_version}",
    )
    return await hass.async_add_executor_job(_write, facts, words)


def _write(facts: ReportFacts, words: dict[str, str]) -> bytes:
    """Return the file, in a thread of its own: the library for it needs a second and 50 MB when it is first loaded."""
    from .report.commissioning_report import commissioning_report  # noqa: PLC0415 - most never ask for a report

    return commissioning_report(facts, words)


@callback
def _to_mend(hass: HomeAssistant, entry: ChargeClusterConfigEntry, words: dict[str, str]) -> Iterator[ToMend]:
    """Yield what is wrong now, as the repairs say it; also what has not lasted long enough to be one."""
    refused = ir.async_get(hass).async_get_issue(DOMAIN, refused_issue_id(entry.entry_id))
    if refused is not None:
        yield _in_words(words, "settings_refused", refused.translation_placeholders or {})
    for problem in entry.runtime_data.site.problems():
        issue = issue_of(problem, entry.title)
        yield _in_words(words, issue.translation_key, dict(issue.placeholders))


def _in_words(words: dict[str, str], key: str, placeholders: dict[str, str]) -> ToMend:
    """Return title and first paragraph of a repair without its mark-up; a placeholder that is not there stays."""
    step = f"{key}.fix_flow.step.confirm"  # where the sentences of repairs stand that are to be confirmed
    title = words.get(f"{key}.title") or words[f"{step}.title"]
    text = words.get(f"{key}.description") or words[f"{step}.description"]
    first = text.partition("\n\n")[0].replace("*", "").replace("`", "")
    filled = _Filled(placeholders)
    return ToMend(title=title.format_map(filled), text=first.format_map(filled))


class _Filled(dict[str, str]):
    """Placeholders of a sentence."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


class ReportView(HomeAssistantView):
    """Writes the report of a site for whoever may have it."""

    url = f"/api/{DOMAIN}/report/{{entry_id}}.pdf"
    name = f"api:{DOMAIN}:report"

    async def get(self, request: web.Request, entry_id: str) -> web.Response:
        """Answer with the file. Raises Unauthorized."""
        user = request[KEY_HASS_USER]
        # Only Home Assistant itself signs as a system user; our action does so for administrators' automations.
        if not (user.is_admin or user.system_generated):
            raise Unauthorized
        hass = request.app[KEY_HASS]
        found = hass.config_entries.async_get_entry(entry_id)
        if found is None or found.domain != DOMAIN or found.state is not ConfigEntryState.LOADED:
            return self.json_message("There is no such site, or it does not run.", HTTPStatus.NOT_FOUND)
        entry = cast("ChargeClusterConfigEntry", found)
        return web.Response(
            body=await written_report(hass, entry),
            content_type="application/pdf",
            headers={
                "Content-Disposition": f'attachment; filename="{report_name(entry)}"',
                "Cache-Control": "no-store",
            },
        )
