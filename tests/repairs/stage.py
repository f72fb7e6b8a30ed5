"""Words for the tests of the repairs: issues by what they are about, waited for instead of polled."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from homeassistant.components.repairs import RepairsFlowManager, repairs_flow_manager
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from tests.site_entry import DOMAIN

PATIENCE_S = 30.0
REPOSITORY = Path(__file__).parents[2]
TRANSLATION = REPOSITORY / "custom_components" / DOMAIN / "translations" / "en.json"

METER_ENTITIES = ("sensor.l1", "sensor.l2", "sensor.l3")


def words_of(part: str) -> dict[str, Any]:
    """Return the English words of one part of the integration."""
    words: dict[str, Any] = json.loads(TRANSLATION.read_text(encoding="utf-8"))[part]
    return words


def sentences(translation_key: str) -> tuple[str, str]:
    """Return title and description of an issue; one that can be fixed has its description in the form."""
    words = words_of("issues")[translation_key]
    form = words["fix_flow"]["step"]["confirm"] if "fix_flow" in words else words
    return words["title"], form["description"]


class Repairs:
    """The issues of ours that Home Assistant shows."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.hass = hass

    @property
    def issues(self) -> dict[str, ir.IssueEntry]:
        """Return what is shown, by translation key (or `key#2` … where several say the same)."""
        found: dict[str, ir.IssueEntry] = {}
        for issue in ir.async_get(self.hass).issues.values():
            if issue.domain != DOMAIN or not issue.active or issue.translation_key is None:
                continue
            number = sum(known.partition("#")[0] == issue.translation_key for known in found) + 1
            found[issue.translation_key if number == 1 else f"{issue.translation_key}#{number}"] = issue
        return found

    async def until(self, seen: Callable[[dict[str, ir.IssueEntry]], bool]) -> dict[str, ir.IssueEntry]:
        """Wait until what is shown is as it should be."""
        news = asyncio.Event()

        @callback
        def changed(_event: Event[Any]) -> None:
            news.set()

        end = self.hass.bus.async_listen(ir.EVENT_REPAIRS_ISSUE_REGISTRY_UPDATED, changed)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not seen(self.issues):
                    await news.wait()
                    news.clear()
        finally:
            end()
        return self.issues

    async def appears(self, translation_key: str) -> ir.IssueEntry:
        """Wait for an issue and return it."""
        return (await self.until(lambda issues: translation_key in issues))[translation_key]

    async def goes(self, translation_key: str) -> None:
        """Wait until an issue is gone."""
        await self.until(lambda issues: translation_key not in issues)

    def told(self, translation_key: str) -> str:
        """Return what a person reads: title and description with their figures."""
        issue = self.issues[translation_key]
        title, description = sentences(translation_key)
        return f"{title}\n{description}".format(**(issue.translation_placeholders or {}))

    @property
    def flows(self) -> RepairsFlowManager:
        """Return what runs the flows that mend."""
        manager = repairs_flow_manager(self.hass)
        assert manager is not None
        return manager


async def next_tick(site: Any) -> None:
    """Wait until the site has looked for problems once more."""
    looked = asyncio.Event()
    tick = site._tick

    def ticked() -> None:
        tick()
        looked.set()

    site._tick = ticked
    site._tick_timer.cancel()
    asyncio.get_running_loop().call_soon(ticked)
    async with asyncio.timeout(PATIENCE_S):
        await looked.wait()
    site._tick = tick
