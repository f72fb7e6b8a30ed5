"""Commissioning as an electrician does it: a dialogue in a browser leads through a test, with a report of it."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from scripts.demo_site.browser import find_browser, go_to, logged_in, opened_browser
from scripts.demo_site.commissioning import DOMAIN
from scripts.demo_site.stage import Stage
from simulator.faults import FaultKind
from tests.report.stage import text_of

from .car_parks import a_car_park
from .conftest import Opening
from .witness import Witness

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(find_browser() is None, reason="there is no Chromium on this system"),
]

PICTURES = Path(__file__).resolve().parents[2] / "test-results"
SHOWN_WITHIN_MS = 20_000.0
TESTED_WITHIN_MS = 150_000.0
BY_OTHERS = (
    "Response to limits",
    "Least current",
    "Pausing at 0 A",
    "Phases of the supply",
    "Delay of its own",
    "Power cycle",
)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    executable = find_browser()
    assert executable is not None
    async with opened_browser(executable) as opened:
        yield opened


async def test_the_cable_is_pulled_when_the_dialogue_asks_for_it_and_the_finding_is_signed(
    opened: Opening, browser: Browser
) -> None:
    stage = await opened(a_car_park(name="tested", rating_a=63.0, points=1, cars=1))
    witness = Witness(stage)
    await witness.sees(witness.all_charge, within_s=90.0, what="the car charges")
    page = await logged_in(browser, stage.client)

    dialogue = await _opened_dialogue(page, stage)
    await dialogue.get_by_text("Commission: put it to guided tests").click()
    for test in BY_OTHERS:
        # The tick is drawn above the box.
        await dialogue.get_by_role("checkbox", name=test).click(force=True, timeout=SHOWN_WITHIN_MS)
    await dialogue.get_by_role("button", name="Next").click()

    await expect(dialogue.get_by_text("Bay 01: Loss of connection.")).to_be_visible(timeout=SHOWN_WITHIN_MS)
    await expect(dialogue.get_by_text("Pull the network cable of Bay 01")).to_be_visible(timeout=TESTED_WITHIN_MS)
    await _picture(page, "commissioning")
    await dialogue.get_by_role("button", name="Done").click()
    witness.site.fault(FaultKind.DROPS, "P01")
    await expect(dialogue.get_by_text("Plug the network cable of Bay 01 in")).to_be_visible(timeout=TESTED_WITHIN_MS)
    witness.site.mend(FaultKind.DROPS, "P01")

    # Nobody presses a button: it is seen that the charge point is back.
    await expect(dialogue.get_by_text("What was found at Bay 01")).to_be_visible(timeout=TESTED_WITHIN_MS)
    await expect(dialogue.get_by_text("After its connection was lost it drew 0 A")).to_be_visible()
    await dialogue.get_by_role("button", name="Finish").click()
    await expect(dialogue.get_by_text("All tests were passed.")).to_be_visible(timeout=SHOWN_WITHIN_MS)

    text = text_of(await _report(stage))
    assert text.startswith("Commissioning report Car park")
    assert "Loss of connection Passed After its connection was lost it drew 0 A" in text
    assert witness.seconds_above() == 0.0


async def _opened_dialogue(page: Page, stage: Stage) -> Locator:
    await go_to(page, f"{stage.client.url}/config/integrations/integration/{DOMAIN}")
    row = page.locator("ha-config-sub-entry-row").filter(has_text="Bay 01").first
    await row.get_by_role("button", name="Change or test charge point").click(timeout=SHOWN_WITHIN_MS)
    return page.locator("dialog-data-entry-flow")


async def _report(stage: Stage) -> bytes:
    """Return the report as somebody fetches it who has the link."""
    async with stage.client.websocket() as socket:
        told = await socket.call(
            "call_service", domain=DOMAIN, service="commissioning_report", return_response=True, service_data={}
        )
    async with aiohttp.ClientSession() as stranger, stranger.get(stage.client.url + told["response"]["url"]) as reply:
        assert reply.status == HTTPStatus.OK
        return await reply.read()


async def _picture(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURES / f"{name}.png")
