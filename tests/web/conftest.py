"""What the tests in a real browser share: a browser, a page that must not err, a server."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser import launched
from tests.web.scripted import Scripted, scripted


@pytest_asyncio.fixture(loop_scope="module")
async def script() -> AsyncIterator[Scripted]:
    """Yield a scripted server that serves the console."""
    async with scripted() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Yield a browser; each test has its own page, and its own storage, in it."""
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """Yield a page that may write no error: a mishap is a sentence for the operator.

    The options of its context are the fixture's parameter, if it has one.
    """
    opened = await browser.new_page(**getattr(request, "param", {}))
    opened.set_default_timeout(10_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    yield opened
    await opened.close()

    assert errors == []


@pytest_asyncio.fixture(loop_scope="module")
async def tab(browser: Browser) -> AsyncIterator[Page]:
    """Yield a page in which no script may fail; the browser itself tells of refused handshakes."""
    opened = await browser.new_page()
    opened.set_default_timeout(10_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    await opened.close()

    assert errors == []
