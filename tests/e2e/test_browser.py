"""What a person sees: the log-in, the site with its devices, a charge point with live values."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from scripts.demo_site.browser import find_browser, go_to, logged_in, logged_out, opened_browser
from scripts.demo_site.commissioning import DOMAIN
from scripts.demo_site.stage import PASSWORD, USER, Stage

from .car_parks import a_car_park
from .conftest import Opening
from .witness import Witness

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(find_browser() is None, reason="there is no Chromium on this system"),
]

PICTURES = Path(__file__).resolve().parents[2] / "test-results"
ALL_CHARGE_WITHIN_S = 90.0
SHOWN_WITHIN_MS = 60_000.0
CHARGES_WITHIN_MS = 60_000.0


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    executable = find_browser()
    assert executable is not None
    async with opened_browser(executable) as opened:
        yield opened


async def test_a_person_logs_in_and_sees_the_site_and_a_charge_point_live(opened: Opening, browser: Browser) -> None:
    stage = await opened(a_car_park(name="seen", rating_a=63.0, points=3, cars=2, spare=1), strangers={"P04"})
    witness = Witness(stage)
    await witness.sees(witness.all_charge, within_s=ALL_CHARGE_WITHIN_S, what="both cars charge")
    await stage.commissioning.all_waiting(["P04"])

    await _log_in(browser, stage)
    page = await logged_in(browser, stage.client)
    complaints = list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))

    await go_to(page, f"{stage.client.url}/config/integrations/integration/{DOMAIN}")
    for name in ("Car park", "Cluster A", "Cluster B", "Bay 01", "Supply meter"):
        await expect(page.get_by_text(name, exact=True).first).to_be_visible(timeout=SHOWN_WITHIN_MS)
    await _picture(page, "integration")

    await go_to(page, f"{stage.client.url}/config/integrations/dashboard")
    await expect(page.get_by_text(re.compile("P04")).first).to_be_visible(timeout=SHOWN_WITHIN_MS)
    await _picture(page, "discovered")

    await go_to(page, f"{stage.client.url}/config/devices/device/{await stage.device_of('P01')}")
    await _shows_charging(page, "Limit")
    await witness.sees(lambda: witness.supply_a() > 50.0, within_s=120.0, what="both cars draw all that they take")
    limit = await stage.entity_of("P01", "limit")
    before = await stage.shows(limit, is_number, within_s=10.0)
    witness.site.set_base_load("supply", (38.0, 38.0, 38.0))
    await stage.shows(limit, lambda state: is_number(state) and float(state) < float(before), within_s=60.0)
    await _picture(page, "charge-point")

    assert complaints == []


def is_number(state: str) -> bool:
    return state not in {"unknown", "unavailable"}


async def _log_in(browser: Browser, stage: Stage) -> None:
    """Log in through the form."""
    page = await logged_out(browser)
    await page.goto(stage.client.url)
    await page.locator("input[name=username]").fill(USER, timeout=SHOWN_WITHIN_MS)
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.locator("home-assistant-main").wait_for(state="attached", timeout=SHOWN_WITHIN_MS)
    await page.close()


async def _shows_charging(page: Page, name: str) -> None:
    """See that a row of the page shows a current that a car charges with (6 A or more), be it after a pause."""
    row = page.locator("hui-sensor-entity-row, hui-number-entity-row").filter(has_text=name).first
    await expect(row).to_contain_text(re.compile(r"\b([6-9]|[1-9]\d+)(\.\d+)?\s*A"), timeout=CHARGES_WITHIN_MS)


async def _picture(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURES / f"{name}.png")
