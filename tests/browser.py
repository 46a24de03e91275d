"""Finds the browsers that the tests drive, and starts Chromium."""

import os
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "no Chromium or Chrome found. Install one: .venv/bin/playwright install chromium"
FIREFOXES = ("firefox-esr", "firefox")
NO_FIREFOX = "no Firefox found. Install one, on Debian: apt-get install firefox-esr"

BrowserName = Literal["chrome", "firefox"]
"""As WebDriver BiDi's clients call them; Chromium is `chrome`."""

# The sandbox needs privileges that a container rarely has; the tests load only their own pages.
# mDNS names for host candidates are off: the peers meet on loopback, where no mDNS answers.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)


def find_browser() -> Path | None:
    """Return ROBOSIGNAL_BROWSER, else one on PATH, else Playwright's own, else None."""
    named = os.environ.get("ROBOSIGNAL_BROWSER")
    if named:
        return Path(named)
    on_path = (shutil.which(name) for name in NAMES)
    return next((Path(found) for found in on_path if found), None) or _playwrights_own()


def find_firefox() -> Path | None:
    """Return ROBOSIGNAL_FIREFOX, else one on PATH, else None."""
    named = os.environ.get("ROBOSIGNAL_FIREFOX")
    on_path = (shutil.which(name) for name in FIREFOXES)
    return Path(named) if named else next((Path(found) for found in on_path if found), None)


def require_browser(name: BrowserName = "chrome") -> Path:
    """Return the browser; without one skip the test, or fail it when CI=true."""
    if name == "firefox":
        return _required(find_firefox(), NO_FIREFOX)
    return _required(find_browser(), MISSING)


@asynccontextmanager
async def launched() -> "AsyncIterator[Browser]":
    """Run Chromium until left; without one skip the test, or fail it when CI=true."""
    from playwright.async_api import async_playwright  # noqa: PLC0415 - only some tests need it

    executable = require_browser()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        await browser.close()


def _required(found: Path | None, missing: str) -> Path:
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def _playwrights_own() -> Path | None:
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright")
    patterns = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*")
    found = sorted(path for pattern in patterns for path in cache.glob(pattern))
    return found[-1] if found else None
