"""Robots' own keys in the console: add a robot, approve its key, end the key of a stolen robot."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from robosignal.probe.connection import dial, resolve
from robosignal.testing import LocalBackend
from robosignal.testing.client import Client
from tests.device import DeviceKey
from tests.web.test_layout import FOCUSED_COVERED, OVERFLOW, POOR, SCREENS, assert_in_sight

pytestmark = pytest.mark.asyncio(loop_scope="module")

on_desktop_and_phone = pytest.mark.parametrize(
    "page", [SCREENS["desktop"], SCREENS["phone upright"]], ids=["desktop", "phone"], indirect=True
)
on_every_screen = pytest.mark.parametrize("page", SCREENS.values(), ids=SCREENS, indirect=True)
CUT_OFF = "element => element.scrollWidth > element.clientWidth"
MEASURE_OFFLINE = """robotId => {
    const row = document.querySelector(`li[data-robot-id="${robotId}"]`);
    window.offlineAfterMs = new Promise((offline) => {
        const revoke = document.querySelector("[data-action=revoke-for-good]");
        revoke.addEventListener("click", () => {
            const began = performance.now();
            new MutationObserver(() => row.dataset.online === "false" &&
                offline(performance.now() - began)).observe(row, { attributes: true });
        });
    });
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def backend() -> AsyncIterator[LocalBackend]:
    """Yield a backend without limits."""
    async with LocalBackend(environment={"LIMITS": "off"}) as served:
        yield served


@asynccontextmanager
async def dialled(backend: LocalBackend, token: str) -> AsyncIterator[Client]:
    """Yield a robot's connection, by an assertion of its own."""
    connection = await dial(backend.url, token, await resolve(backend.url, 10), 10)
    try:
        welcome = await connection.request({"type": "ready", "protocol": 1}, "welcome")
        yield Client(connection, welcome.frame, 10)
    finally:
        await connection.close()


async def enroll(backend: LocalBackend, key: DeviceKey, code: str, robot_id: str) -> dict[str, Any]:
    """Enrol as a robot does, by the code that a person has typed; return the reply."""
    token = key.enrolment(code, robot_id, now_s=int(time.time()), aud=backend.url)
    async with dialled(backend, token) as robot:
        return await robot.request("enroll", code=code)


@asynccontextmanager
async def running(backend: LocalBackend, key: DeviceKey, robot_id: str) -> AsyncIterator[Client]:
    """Yield a robot that has connected by its own key, and registered."""
    token = key.assertion(robot_id, now_s=int(time.time()), aud=backend.url)
    async with dialled(backend, token) as robot:
        await robot.request("register", robotId=robot_id, instanceId="i1")
        yield robot


async def sign_in(page: Page, backend: LocalBackend, user: str, *groups: str) -> None:
    """Sign in, and wait until the server is there."""
    await page.goto(f"{backend.page_url}#token={backend.token(user, groups)}")
    await expect(page.locator("#connection-text")).to_have_text("Online")


async def make_code(page: Page, which: str, **more: str) -> str:
    """Make a code with the form; return it from the line to type."""
    await page.click("#add-robot")
    await page.fill("#add-which", which)
    for field, value in more.items():
        await page.fill(f"#add-{field}", value)
    await page.click("#add-form [type=submit]")
    await expect(page.locator("#add-line")).to_be_visible()
    return (await page.inner_text("#add-line")).split()[4]


def row(robot_id: str) -> str:
    """Return the selector of a robot's row."""
    return f"#robots li[data-robot-id='{robot_id}']"


@on_desktop_and_phone
async def test_a_robot_is_added_by_the_line_that_the_page_shows(
    page: Page, backend: LocalBackend
) -> None:
    """The line can be copied; the robot that enrolled is told of, and appears online by itself."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await sign_in(page, backend, "demo")
    code = await make_code(page, "rover-1")
    line = f"robosignal robot enroll {backend.url} {code}"
    await expect(page.locator("#add-line")).to_have_text(line)
    await expect(page.locator("#add-until")).to_contain_text("lasts until")
    await expect(page.locator("#add-copy")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#add-note")).to_have_text("Copied.")
    assert await page.evaluate("navigator.clipboard.readText()") == line
    assert await page.evaluate(OVERFLOW) <= 0

    key = DeviceKey()
    await enroll(backend, key, code, "rover-1")
    await expect(page.locator("#added li")).to_contain_text(["rover-1 has enrolled."])
    async with running(backend, key, "rover-1"):
        await page.click("#add [data-action=close-aside]")
        await expect(page.locator(row("rover-1"))).to_have_attribute("data-online", "true")
    await expect(page.locator("#add-robot")).to_be_focused()


async def test_many_robots_by_one_code(page: Page, backend: LocalBackend) -> None:
    """A pattern asks how many, and each robot names its id."""
    await sign_in(page, backend, "demo")
    await page.click("#add-robot")
    await expect(page.locator("#add-uses-field")).to_be_hidden()
    await page.fill("#add-which", "rover-*")
    await expect(page.locator("#add-uses-field")).to_be_visible()
    await page.click("#add [data-action=close-aside]")
    code = await make_code(page, "rover-*", uses="2", hours="1")
    await expect(page.locator("#add-line")).to_contain_text("--robot-id ID")

    for number in (1, 2):
        await enroll(backend, DeviceKey(), code, f"rover-{number}")
    await expect(page.locator("#added li")).to_contain_text(["rover-1 has", "rover-2 has"])


@on_desktop_and_phone
async def test_a_key_that_waits_is_compared_and_approved(page: Page, backend: LocalBackend) -> None:
    """The robot cannot connect before; its whole fingerprint is in sight."""
    await sign_in(page, backend, "demo")
    await page.click("#add-robot")
    await page.fill("#add-which", "rover-1")
    await page.check("#add-approve")
    await page.click("#add-form [type=submit]")
    await expect(page.locator("#add-line")).to_be_visible()
    code = (await page.inner_text("#add-line")).split()[4]
    key = DeviceKey()
    reply = await enroll(backend, key, code, "rover-1")
    assert reply["pending"] is True
    async with backend.connect("demo") as owner:
        listed = (await owner.request("keys", robotId="rover-1"))["keys"]
    await page.click("#added [data-action=keys]")

    waiting = page.locator("#key-list li[data-pending=true]")
    await expect(waiting.locator(".fingerprint")).to_have_text(listed[0]["fingerprint"])
    await expect(waiting.locator(".compare")).to_be_visible()
    assert await page.evaluate(OVERFLOW) <= 0
    assert await waiting.locator(".fingerprint").evaluate(CUT_OFF) is False
    await waiting.locator("[data-action=approve-key]").click()
    await expect(page.locator("#key-list li[data-pending=false]")).to_have_count(1)
    await expect(page.locator("#key-list .key-facts")).to_contain_text("by you. Not used yet.")
    async with running(backend, key, "rover-1"):
        await expect(page.locator("#key-list .key-facts")).to_contain_text("Last used")
        await page.click("#keys [data-action=close-aside]")
        await expect(page.locator(row("rover-1"))).to_have_attribute("data-online", "true")


@asynccontextmanager
async def enrolled(backend: LocalBackend, robot_id: str = "rover-1") -> AsyncIterator[DeviceKey]:
    """Yield the key of a robot that runs, is `demo`'s, and is shared with `olga`."""
    key = DeviceKey()
    async with backend.connect("demo") as owner:
        await owner.request("enroll", robotId=robot_id, publicKey=key.jwk)
        await owner.request("share", robotId=robot_id, userId="olga")
    async with backend.connect("olga") as operator:
        await operator.request("accept-share", robotId=robot_id)
        async with running(backend, key, robot_id):
            yield key


async def test_a_stolen_robot_is_offline_within_a_second(
    page: Page, browser: Browser, backend: LocalBackend, record_property: Any
) -> None:
    """One button and one confirmation, by the keyboard; the driver's page says why."""
    driver = await browser.new_page()
    async with enrolled(backend) as key:
        await sign_in(driver, backend, "olga")
        await driver.click(f"{row('rover-1')} [data-action=drive]")
        await expect(driver.locator("#banner-title")).to_contain_text("rover-1")
        await sign_in(page, backend, "demo")
        await expect(page.locator(row("rover-1"))).to_have_attribute("data-driver", "olga")
        await page.focus(f"{row('rover-1')} [data-action=keys]")
        await page.keyboard.press("Enter")
        await page.focus("#key-list [data-action=revoke-key]")
        await page.keyboard.press("Enter")
        await expect(page.locator("#key-list [data-action=keep-key]")).to_be_focused()
        await page.keyboard.press("Shift+Tab")
        await page.evaluate(MEASURE_OFFLINE, "rover-1")
        await page.keyboard.press("Enter")

        offline_ms = await page.evaluate("window.offlineAfterMs")
        record_property("figure", f"offline {offline_ms:.0f} ms after Revoke")
        await expect(driver.locator("#banner-text")).to_contain_text("key was revoked")
        await expect(page.locator("#keys-note")).to_contain_text("no key of its own")
        await expect(page.locator("#keys-title")).to_be_focused()
        await page.click("#keys [data-action=close-aside]")
        await expect(page.locator(row("rover-1"))).to_have_attribute("data-online", "false")
        with pytest.raises(Exception, match="401"):
            async with running(backend, key, "rover-1"):
                pass
    await driver.close()


async def test_a_key_is_kept_unless_revocation_is_confirmed(
    page: Page, backend: LocalBackend
) -> None:
    """The button alone ends nothing."""
    async with enrolled(backend):
        await sign_in(page, backend, "demo")
        await page.click(f"{row('rover-1')} [data-action=keys]")
        await page.click("#key-list [data-action=revoke-key]")
        await page.click("#key-list [data-action=keep-key]")

        await expect(page.locator("#key-list [data-action=revoke-key]")).to_be_focused()
        await expect(page.locator("#key-list .fingerprint")).to_have_count(1)
        await page.click("#keys [data-action=close-aside]")
        await expect(page.locator(row("rover-1"))).to_have_attribute("data-online", "true")


async def test_a_robot_is_forgotten(page: Page, backend: LocalBackend) -> None:
    """Its row goes."""
    async with enrolled(backend):
        await sign_in(page, backend, "demo")
        await page.click(f"{row('rover-1')} [data-action=keys]")
        await page.click("[data-action=forget-robot]")
        await page.click("[data-action=forget-for-good]")

        await expect(page.locator(row("rover-1"))).to_have_count(0)
        await expect(page.locator("#add-robot")).to_be_focused()


async def test_an_operator_sees_no_keys(page: Page, backend: LocalBackend) -> None:
    """The server would refuse it."""
    async with enrolled(backend):
        await sign_in(page, backend, "olga")
        await expect(page.locator(row("rover-1"))).to_be_visible()

        await expect(page.locator(f"{row('rover-1')} [data-action=keys]")).to_be_hidden()


async def test_refusals_are_sentences(page: Page, backend: LocalBackend) -> None:
    """Another user's id, a pattern that is too short, and a robot that has a key."""
    async with enrolled(backend), backend.connect("mallory") as other:
        await other.request("register", robotId="theirs", instanceId="i1")
        await sign_in(page, backend, "demo")
        note = page.locator("#add-note")
        await page.click("#add-robot")
        for which, words in (
            ("theirs", "."),
            ("r*", "Pattern"),
            ("rover-1", "has a key already"),
        ):
            await page.fill("#add-which", which)
            await page.click("#add-form [type=submit]")
            await expect(note).to_contain_text(words)
            await expect(page.locator("#add-code")).to_be_hidden()
            text = await note.inner_text()
            assert text[0].isupper(), text
            assert text.endswith("."), text


@on_every_screen
async def test_layout(page: Page, backend: LocalBackend) -> None:
    """Form and keys fit each screen, and what has the focus is in sight."""
    async with enrolled(backend), backend.connect("demo") as owner:
        made = await owner.request("create-code", robotId="rover-1", approve=True)
        await enroll(backend, DeviceKey(), made["code"], "rover-1")
        await sign_in(page, backend, "demo", "ADMINS")
        await expect(page.locator(row("rover-1"))).to_be_visible()
        await page.click("#add-robot")
        await page.fill("#add-which", "rover-*")
        await page.click("#add-form [type=submit]")
        await expect(page.locator("#add-line")).to_be_visible()
        assert await page.evaluate(OVERFLOW) <= 0
        assert not await page.evaluate(FOCUSED_COVERED)
        await page.click("#add [data-action=close-aside]")
        await page.click(f"{row('rover-1')} [data-action=keys]")
        await expect(page.locator("#key-list li")).to_have_count(2)
        assert await page.evaluate(POOR) == []
        await page.locator("#key-list [data-action=revoke-key]").first.click()
        assert await page.evaluate(OVERFLOW) <= 0
        assert await page.evaluate(POOR) == []
        assert not await page.evaluate(FOCUSED_COVERED)


@on_every_screen
async def test_a_driver_who_looks_at_keys_keeps_stop(page: Page, backend: LocalBackend) -> None:
    """With a session open, form and keys are beside the panel, or below it."""
    async with enrolled(backend):
        await sign_in(page, backend, "demo")
        await page.click(f"{row('rover-1')} [data-action=drive]")
        await expect(page.locator("#banner-title")).to_contain_text("rover-1")
        if not await page.locator("#add-robot").is_visible():
            await page.click("#to-robots")
        await page.click("#add-robot")
        await expect(page.locator("#add-which")).to_be_focused()
        await assert_in_sight(page, "#desk [data-action=stop]")
        await page.click("#add [data-action=close-aside]")
        await page.click(f"{row('rover-1')} [data-action=keys]")
        await expect(page.locator("#key-list li")).to_have_count(1)

        await assert_in_sight(page, "#desk [data-action=stop]")
        assert await page.evaluate(OVERFLOW) <= 0
