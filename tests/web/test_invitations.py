"""Invitations in the console: made, sent as a link or a code, and accepted."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, expect

from robosignal.testing import LocalBackend
from robosignal.testing.client import Client
from tests.web.pool import serving
from tests.web.scripted import Scripted
from tests.web.test_layout import FOCUSED_COVERED, OVERFLOW, POOR, SCREENS
from tests.web.test_sharing import ROBOT, ROW, open_sharing, shares

pytestmark = pytest.mark.asyncio(loop_scope="module")

on_desktop_and_phone = pytest.mark.parametrize(
    "page", [SCREENS["desktop"], SCREENS["phone upright"]], ids=["desktop", "phone"], indirect=True
)
on_every_screen = pytest.mark.parametrize("page", SCREENS.values(), ids=SCREENS, indirect=True)
in_both_schemes = pytest.mark.parametrize(
    "page", [{"color_scheme": scheme} for scheme in ("light", "dark")], indirect=True
)
HOUR_MS = 3_600_000
UNKNOWN = "AAAA-BBBB-CCCC-DDDD"


@pytest_asyncio.fixture(loop_scope="module")
async def backend() -> AsyncIterator[LocalBackend]:
    """Yield a backend without limits."""
    async with LocalBackend(environment={"LIMITS": "off"}) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def owner(backend: LocalBackend) -> AsyncIterator[Client]:
    """Yield a connection of Ann's, whose robot is online."""
    async with backend.connect("ann") as robot, backend.connect("ann") as owner:
        await robot.request("register", robotId=ROBOT, instanceId="i1")
        yield owner


async def arrive(page: Page, backend: LocalBackend, user: str) -> None:
    """Sign in, and wait until the server is there."""
    await page.goto(f"{backend.page_url}#token={backend.token(user)}")
    await expect(page.locator("#connection-text")).to_have_text("Online")


async def code_of(owner: Client, **more: object) -> str:
    """Return an invitation of Ann's."""
    return str((await owner.request("invite", robotId=ROBOT, **more))["code"])


@on_desktop_and_phone
async def test_somebody_is_invited_by_a_link_and_accepts_after_signing_in(
    page: Page, browser: Browser, backend: LocalBackend, owner: Client
) -> None:
    """The code is shown once; no server is sent the link's, and the address loses it at once."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await open_sharing(page, backend, "ann")
    await page.click("#invite-part summary")
    await page.select_option("#invite-role", "viewer")
    await page.fill("#invite-hours", "2")
    await page.click("#invite-form [type=submit]")
    await expect(page.locator("#invite-copy")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#invite-note")).to_have_text("Copied.")
    link = str(await page.evaluate("navigator.clipboard.readText()"))
    code = await page.inner_text("#invite-text")
    assert link == await page.inner_text("#invite-link") == f"{backend.page_url}#accept={code}"
    await expect(page.locator("#invite-ends")).to_contain_text("for one person")
    assert await page.evaluate(OVERFLOW) <= 0

    guest = await browser.new_page()
    asked: list[Request] = []
    guest.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - it sets attributes
    await guest.goto(link)
    await expect(guest.locator("#banner-title")).to_have_text("You are not signed in")
    await expect(guest.locator("#notice")).to_contain_text("open the invitation in the same tab")
    assert guest.url == backend.page_url
    await guest.goto(f"{backend.page_url}#token={backend.token('vic')}")
    await expect(guest.locator("#accept-text")).to_contain_text("You were sent this invitation")
    await expect(guest.locator("#accept-code")).to_have_value(code)
    await expect(guest.locator("#accept-submit")).to_be_focused()
    await guest.keyboard.press("Enter")

    await expect(guest.locator("#notice")).to_have_text(
        f"{ROBOT} is in your list: you may watch it."
    )
    await expect(guest.locator(ROW)).to_be_focused()
    await expect(guest.locator(f"{ROW} [data-action=drive]")).to_be_hidden()
    assert asked
    assert not [each.url for each in asked if code in each.url + str(each.post_data)]
    assert await shares(owner) == [{"userId": "vic", "role": "viewer"}]
    await expect(page.locator("#share-list")).to_contain_text("“vic”")
    await guest.reload()
    await expect(guest.locator(ROW)).to_be_visible()
    await expect(guest.locator("#accept")).to_be_hidden()
    await guest.close()


async def test_a_code_is_typed(page: Page, backend: LocalBackend, owner: Client) -> None:
    """Above the list; there users also read their own id, for a share without a code."""
    ends = int(time.time() * 1000) + HOUR_MS
    code = await code_of(owner, until=ends)
    await arrive(page, backend, "olga")
    await page.click("#have-code")
    await expect(page.locator("#accept-code")).to_be_focused()
    await expect(page.locator("#accept-me")).to_have_text("olga")
    await page.fill("#accept-code", f"  {code.lower()} ")
    await page.keyboard.press("Enter")

    await expect(page.locator(ROW)).to_be_focused()
    await expect(page.locator(f"{ROW} [data-action=drive]")).to_be_enabled()
    await expect(page.locator("#notice")).to_contain_text("you may drive it")
    assert await shares(owner) == [{"userId": "olga", "role": "operator", "until": ends}]


async def test_a_code_that_is_not_taken_says_so_at_the_field(
    page: Page, backend: LocalBackend, owner: Client
) -> None:
    """A wrong code, one that another user has used up, and one's own."""
    used = await code_of(owner)
    async with backend.connect("vic") as vic:
        await vic.request("accept", code=used)
    await arrive(page, backend, "olga")
    await page.click("#have-code")
    wrong = page.locator("#accept-code-wrong")
    for code in (UNKNOWN, used):
        await page.fill("#accept-code", code)
        await page.click("#accept-submit")
        await expect(wrong).to_contain_text("This invitation is not valid")
        await expect(page.locator("#accept-code")).to_be_focused()
        await expect(page.locator("#accept-code")).to_have_attribute("aria-invalid", "true")
    await page.fill("#accept-code", "?")
    await page.click("#accept-submit")
    await expect(wrong).to_contain_text("The code ")
    await page.click("#accept [data-action=close-aside]")
    await expect(page.locator("#have-code")).to_be_focused()
    await arrive(page, backend, "ann")
    await page.click("#have-code")
    await page.fill("#accept-code", await code_of(owner))
    await page.click("#accept-submit")
    await expect(wrong).to_have_text(f"The code is for other users: you own {ROBOT}.")


async def test_an_invitation_that_is_opened_in_a_page_loads_nothing_again(
    page: Page, backend: LocalBackend, owner: Client
) -> None:
    """So a driver goes on driving; put away, it does not come back."""
    await arrive(page, backend, "olga")
    await page.evaluate("window.isSame = true")
    code = await code_of(owner)
    await page.goto(f"{backend.page_url}#accept={code}")
    await expect(page.locator("#accept-code")).to_have_value(code)
    assert page.url == backend.page_url
    assert await page.evaluate("window.isSame") is True
    await page.click("#accept [data-action=close-aside]")
    await page.reload()

    await expect(page.locator("#connection-text")).to_have_text("Online")
    await expect(page.locator("#accept")).to_be_hidden()
    assert await shares(owner) == []


async def test_an_invitation_waits_while_its_user_signs_in_at_the_pool(
    page: Page, script: Scripted
) -> None:
    """The page goes to the pool and comes back, and then asks."""
    async with serving() as pool:
        script.connects_to = pool.origin
        script.config = pool.config(script.port)
        await page.goto(f"{script.url}#accept={UNKNOWN}")
        await expect(page.locator("#notice")).to_have_text("Sign in to accept the invitation.")
        await page.click("header [data-action=sign-in]")

        await expect(page.locator("#accept-code")).to_have_value(UNKNOWN)
        assert pool.exchanges
        assert UNKNOWN not in str([*pool.exchanges, *pool.codes.values()])


@pytest.mark.usefixtures("owner")
async def test_a_code_is_gone_when_the_panel_closes(page: Page, backend: LocalBackend) -> None:
    """It is shown once; a refusal is at its field."""
    await open_sharing(page, backend, "ann")
    await page.click("#invite-part summary")
    await page.fill("#invite-until", "2020-01-01T10:00")
    await page.click("#invite-form [type=submit]")
    await expect(page.locator("#invite-until-wrong")).to_contain_text("The end must be in the")
    await expect(page.locator("#invite-until")).to_be_focused()
    await page.fill("#invite-until", "")
    await page.click("#invite-form [type=submit]")
    await expect(page.locator("#invite-text")).not_to_have_text("")
    await page.click("#sharing [data-action=close-aside]")

    await expect(page.locator(ROW)).to_be_focused()
    assert await page.locator("#invite-text").text_content() == ""
    assert await page.locator("#invite-link").text_content() == ""


async def test_an_admin_invites_to_others_robots(
    page: Page, backend: LocalBackend, owner: Client
) -> None:
    """The code is as good as the owner's."""
    await open_sharing(page, backend, "boss", "ADMINS")
    await page.click("#invite-part summary")
    await page.click("#invite-form [type=submit]")
    await expect(page.locator("#invite-made")).to_be_visible()

    async with backend.connect("vic") as vic:
        await vic.request("accept", code=await page.inner_text("#invite-text"))
    assert await shares(owner) == [{"userId": "vic", "role": "operator"}]


@on_every_screen
@pytest.mark.usefixtures("owner")
async def test_layout(page: Page, backend: LocalBackend) -> None:
    """What is shown fits each screen, and what has the focus is in sight."""
    await open_sharing(page, backend, "ann")
    await page.click("#invite-part summary")
    await page.click("#invite-form [type=submit]")
    await expect(page.locator("#invite-copy")).to_be_focused()
    assert await page.evaluate(OVERFLOW) <= 0
    assert not await page.evaluate(FOCUSED_COVERED)
    await page.click("#sharing [data-action=close-aside]")
    await page.click("#have-code")

    assert await page.evaluate(OVERFLOW) <= 0
    assert not await page.evaluate(FOCUSED_COVERED)


@in_both_schemes
@pytest.mark.usefixtures("owner")
async def test_contrast(page: Page, backend: LocalBackend) -> None:
    """Everything can be read, refusals too."""
    await open_sharing(page, backend, "ann")
    await page.click("#invite-part summary")
    await page.click("#invite-form [type=submit]")
    await expect(page.locator("#invite-made")).to_be_visible()
    assert await page.evaluate(POOR) == []
    await page.click("#sharing [data-action=close-aside]")
    await page.click("#have-code")
    await page.fill("#accept-code", UNKNOWN)
    await page.click("#accept-submit")
    await expect(page.locator("#accept-code-wrong")).not_to_have_text("")

    assert await page.evaluate(POOR) == []
