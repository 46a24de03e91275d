"""What the tests with the seed's robots and pages share: a backend, a browser, pages in it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio
from playwright.async_api import Browser, Page

from robosignal.testing import LocalBackend
from tests.browser import launched

OpenPage = Callable[[], Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="module")
async def backend() -> AsyncIterator[LocalBackend]:
    """Yield a backend that keeps nothing, on a free port."""
    async with LocalBackend() as backend:
        yield backend


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Yield a browser for the tests of one file."""
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def new_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """Yield what opens a page with a storage of its own; none may raise an error."""
    errors: list[str] = []
    contexts = []

    async def opened() -> Page:
        context = await browser.new_context()
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield opened
    for context in contexts:
        await context.close()

    assert errors == []
