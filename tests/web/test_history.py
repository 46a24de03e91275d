"""A robot's history in the console: for owner and admin, in place of the list, names as names."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from robosignal.testing import LocalBackend
from robosignal.testing.client import Client
from tests.web.test_layout import SCREENS

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROW = "li[data-robot-id=demo]"
SDP = {"sdp": "o"}


@pytest_asyncio.fixture(loop_scope="module")
async def backend() -> AsyncIterator[LocalBackend]:
    """A backend with a robot that somebody drives and somebody else took over."""
    async with (
        LocalBackend(environment={"LIMITS": "off"}) as served,
        served.connect("demo") as robot,
        served.connect("demo") as owner,
        served.connect("admin", groups=["ADMINS"]) as admin,
    ):
        await robot.request("register", robotId="demo", instanceId="i1")
        await owner.request("share", robotId="demo", userId="olga")
        async with served.connect("olga") as operator:
            await operator.request("accept-share", robotId="demo")
        await owner.request("offer", robotId="demo", payload=SDP)
        await admin.request("offer", robotId="demo", role="viewer", payload=SDP)
        await admin.request("takeover", robotId="demo")
        yield served


async def sign_in(page: Page, backend: LocalBackend, user: str, *groups: str) -> None:
    """Sign in, and wait for the robot's row."""
    await page.goto(f"{backend.page_url}#token={backend.token(user, groups)}")
    await expect(page.locator(ROW)).to_have_attribute("data-online", "true")


@pytest.mark.parametrize("page", SCREENS.values(), ids=SCREENS, indirect=True)
async def test_owner_sees_who_drove_and_who_watched(page: Page, backend: LocalBackend) -> None:
    """The latest first, in place of the list, within the screen's width; and back to the row."""
    await sign_in(page, backend, "demo")
    await page.click(f"{ROW} [data-action=history]")

    did = page.locator("#intervals .did")
    await expect(did).to_have_text(["“admin” drives", "“admin” watched", "“demo” drove"])
    await expect(page.locator("#intervals .end")).to_have_text(
        ["Has not ended.", "Went on as the driver.", "“admin” took over."]
    )
    await expect(page.locator(ROW)).to_be_hidden()
    fits = "() => document.scrollingElement.scrollWidth <= innerWidth"
    assert await page.evaluate(fits)
    await page.click("[data-action=close-aside]")
    await expect(page.locator(ROW)).to_be_focused()


async def test_who_was_there_at_a_time(page: Page, backend: LocalBackend) -> None:
    """A time before it all has no one, and says so."""
    await sign_in(page, backend, "admin", "ADMINS")
    await page.click(f"{ROW} [data-action=history]")
    await expect(page.locator("#intervals .did")).to_have_count(3)
    await page.fill("#history-at", "2024-02-29T14:00")
    await page.click("#history-form button")

    await expect(page.locator("#history-note")).to_contain_text("no one drove or watched")
    await expect(page.locator("#intervals .did")).to_have_count(0)


async def test_an_operator_is_not_offered_it(page: Page, backend: LocalBackend) -> None:
    """The server would refuse it."""
    await sign_in(page, backend, "olga")

    await expect(page.locator(f"{ROW} [data-action=history]")).to_be_hidden()


async def test_earlier_pages_follow(page: Page, backend: LocalBackend) -> None:
    """A page has 50; the button asks for the next ones, until there are no more."""
    async with backend.connect("demo") as client:
        await _view_often(client, 60)
    await sign_in(page, backend, "demo")
    await page.click(f"{ROW} [data-action=history]")
    await expect(page.locator("#intervals .did")).to_have_count(50)
    await page.click("#history-more")

    await expect(page.locator("#intervals .did")).to_have_count(63)
    await expect(page.locator("#history-more")).to_be_hidden()


async def _view_often(client: Client, times: int) -> None:
    for _ in range(times):
        await client.request("offer", robotId="demo", role="viewer", payload=SDP)
        await client.request("bye", robotId="demo")
