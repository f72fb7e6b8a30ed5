"""A headless browser in front of Home Assistant, logged in as its owner.

The browser is the system's Chromium, driven through Playwright. A token put into its storage stands for the log-in
form, where the form itself is not what is looked at.
"""

import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from .client import HomeAssistantClient

NAMES = ("chromium", "chromium-browser", "google-chrome")

SWITCHES = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

SHOWN_WITHIN_MS = 60_000.0
TOKEN_LIVES_MS = 24 * 3600 * 1000


def find_browser() -> str | None:
    """Return the path of the system's Chromium, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name)) is not None), None)


@asynccontextmanager
async def opened_browser(executable: str) -> AsyncIterator[Browser]:
    """Run a browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=list(SWITCHES))
        try:
            yield browser
        finally:
            await browser.close()


async def logged_in(
    browser: Browser, client: HomeAssistantClient, *, width: int = 1280, height: int = 800, dark: bool = False
) -> Page:
    """Return a page that is logged in, with nothing on it yet."""
    context = await _context(browser, width=width, height=height, dark=dark)
    tokens = {
        "access_token": client.token,
        "token_type": "Bearer",
        "expires_in": TOKEN_LIVES_MS // 1000,
        "hassUrl": client.url,
        "clientId": f"{client.url}/",
        "expires": int(time.time() * 1000) + TOKEN_LIVES_MS,
        "refresh_token": "",
    }
    await context.add_init_script(f"localStorage.setItem('hassTokens', {json.dumps(json.dumps(tokens))})")
    return await context.new_page()


async def logged_out(browser: Browser) -> Page:
    """Return a page of somebody who is not logged in."""
    return await (await _context(browser, width=1280, height=800, dark=False)).new_page()


async def go_to(page: Page, url: str) -> None:
    """Open a page of Home Assistant's interface, and wait until it shows more than its loading screen."""
    await page.goto(url)
    await page.locator("home-assistant-main partial-panel-resolver > *").first.wait_for(
        state="attached", timeout=SHOWN_WITHIN_MS
    )
    await page.locator("#ha-launch-screen").wait_for(state="detached", timeout=SHOWN_WITHIN_MS)


async def _context(browser: Browser, *, width: int, height: int, dark: bool) -> BrowserContext:
    return await browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=1.5,
        color_scheme="dark" if dark else "light",
        locale="en-GB",
        timezone_id="Europe/Amsterdam",
    )
