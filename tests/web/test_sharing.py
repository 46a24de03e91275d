"""A robot's shares in the console, against the real backend: share, change, end, give away."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from robosignal.robot import Robot
from robosignal.testing import LocalBackend
from robosignal.testing.client import Client
from tests.web.test_layout import FOCUSED_COVERED, OVERFLOW, POOR, SCREENS, assert_in_sight

pytestmark = pytest.mark.asyncio(loop_scope="module")

on_every_screen = pytest.mark.parametrize("page", SCREENS.values(), ids=SCREENS, indirect=True)
in_both_schemes = pytest.mark.parametrize(
    "page", [{"color_scheme": scheme} for scheme in ("light", "dark")], indirect=True
)
in_berlin = pytest.mark.parametrize(
    "page", [{"timezone_id": "Europe/Berlin", "locale": "en-GB"}], indirect=True
)
ROBOT = "rover-1"
ROW = f"#robots li[data-robot-id='{ROBOT}']"
MARKUP = "<img src=x onerror=alert(1)>"
DAY_MS = 86_400_000
WAIT_S = 20
SHARE_MS = 15_000


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


async def sign_in(page: Page, backend: LocalBackend, user: str, *groups: str) -> None:
    """Sign in, and wait for the robot's row."""
    await page.goto(f"{backend.page_url}#token={backend.token(user, groups)}")
    await expect(page.locator(ROW)).to_be_visible()


async def open_sharing(page: Page, backend: LocalBackend, user: str, *groups: str) -> None:
    """Sign in, and open the robot's Sharing."""
    await sign_in(page, backend, user, *groups)
    await page.click(f"{ROW} [data-action=sharing]")
    await expect(page.locator("#sharing-title")).to_have_text(ROBOT)
    await expect(page.locator("#sharing-title")).to_be_focused()


def shown(page: Page, words: str) -> Locator:
    """Return the share on the screen that has these words."""
    return page.locator("#share-list li").filter(has_text=words)


async def fill_share(page: Page, whom: str, **more: str) -> None:
    """Fill the form for a new share and send it."""
    await page.click("#share-summary")
    if "with_" in more:
        await page.select_option("#share-with", more["with_"])
    await page.fill("#share-id", whom)
    if "role" in more:
        await page.select_option("#share-role", more["role"])
    if "until" in more:
        await page.fill("#share-until", more["until"])
    await page.click("#share-submit")


async def shares(owner: Client) -> list[dict[str, Any]]:
    """Return what the server has."""
    found: list[dict[str, Any]] = (await owner.request("shares", robotId=ROBOT))["shares"]
    return found


async def share_and_accept(backend: LocalBackend, owner: Client, user: str, **more: Any) -> None:
    """Share the robot with a user who accepts it."""
    await owner.request("share", robotId=ROBOT, userId=user, **more)
    async with backend.connect(user) as other:
        await other.request("accept-share", robotId=ROBOT)


@in_berlin
async def test_a_share_is_offered_until_a_time_that_is_clearly_local(
    page: Page, backend: LocalBackend, owner: Client
) -> None:
    """The form says which time it means, zone included; the server has that very one."""
    await open_sharing(page, backend, "ann")
    await expect(page.locator("#sharing-note")).to_contain_text("Only the owner")
    await expect(page.locator("#sharing-owner")).to_have_text("You own it.")
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 3 * 86_400))
    await page.click("#share-summary")
    await expect(page.locator("#share-until-hint")).to_have_text("No end.")
    await page.click("#share-summary")
    await fill_share(page, "olga", role="viewer", until=f"{day}T18:30")

    await expect(page.locator("#sharing-note")).to_contain_text("Offered to “olga”")
    await expect(shown(page, "“olga”")).to_contain_text(
        "Offered, not accepted yet: may watch until"
    )
    (share,) = await shares(owner)
    zone = await page.evaluate("t => new Date(t).getTimezoneOffset()", share["until"])
    utc = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(share["until"] / 1000 - zone * 60))
    assert zone in (-60, -120)
    assert utc == f"{day}T18:30"
    assert (share["userId"], share["role"], share["offered"]) == ("olga", "viewer", True)
    await expect(shown(page, "“olga”")).to_contain_text(("18:30 CET", "18:30 CEST")[zone == -120])


async def test_an_offer_that_is_accepted_says_so_by_itself(
    page: Page, backend: LocalBackend, owner: Client
) -> None:
    """Without a press, while the panel is open."""
    await owner.request("share", robotId=ROBOT, userId="olga")
    await open_sharing(page, backend, "ann")
    await expect(shown(page, "“olga”")).to_contain_text("not accepted")

    async with backend.connect("olga") as other:
        await other.request("accept-share", robotId=ROBOT)

    await expect(shown(page, "“olga”").locator("[data-field=right]")).to_have_text("May drive.")


async def test_role_and_end_of_a_share_are_changed(
    page: Page, backend: LocalBackend, owner: Client
) -> None:
    """The form has what there is; the share stays accepted, and Cancel changes nothing."""
    ends = (int(time.time()) // 60 + 3 * 24 * 60) * 60_000
    await share_and_accept(backend, owner, "olga", until=ends)
    await open_sharing(page, backend, "ann")
    change = shown(page, "“olga”").locator("[data-action=change-share]")
    await change.click()
    await expect(page.locator("#share-role")).to_be_focused()
    await expect(page.locator("#share-role")).to_have_value("operator")
    await expect(page.locator("#share-id")).to_be_hidden()
    kept = await page.evaluate("() => new Date(document.getElementById('share-until').value) - 0")
    assert kept == ends
    await page.select_option("#share-role", "viewer")
    await page.click("#share-cancel")
    await expect(page.locator("#share-summary")).to_be_focused()
    await expect(page.locator("#share-summary")).to_contain_text("Share with")
    assert [each["role"] for each in await shares(owner)] == ["operator"]

    await change.click()
    await page.select_option("#share-role", "viewer")
    await page.fill("#share-until", "")
    await page.click("#share-submit")

    await expect(shown(page, "“olga”").locator("[data-field=right]")).to_have_text("May watch.")
    await expect(page.locator("#sharing-note")).to_have_text("Changed.")
    assert await shares(owner) == [{"userId": "olga", "role": "viewer"}]


async def test_a_share_with_a_group_of_ones_token(
    page: Page, backend: LocalBackend, owner: Client
) -> None:
    """The groups of the token are proposed; another one is refused at the field."""
    await open_sharing(page, backend, "ann", "crew")
    await fill_share(page, "others", with_="group")
    wrong = page.locator("#share-id-wrong")
    await expect(wrong).to_have_text(
        "The group must be a group of your token: only admins share with others."
    )
    await expect(page.locator("#share-id")).to_be_focused()
    await expect(page.locator("#share-id")).to_have_attribute("aria-invalid", "true")
    assert await page.locator("#share-groups option").evaluate_all(
        "options => options.map((option) => option.value)"
    ) == ["crew"]
    await page.fill("#share-id", "crew")
    await page.click("#share-submit")

    await expect(shown(page, "Everyone in the group “crew”")).to_contain_text("May drive.")
    await expect(wrong).to_have_text("")
    assert await shares(owner) == [{"group": "crew", "role": "operator"}]


@pytest.mark.parametrize(
    ("said", "field", "words"),
    [
        (("ann", ""), "id", "The user id is the owner, who needs no share."),
        (("#ann", ""), "id", "must not begin with #"),
        (("olga", "2020-01-01T10:00"), "until", "The end must be in the future"),
    ],
)
@pytest.mark.usefixtures("owner")
async def test_refusals_are_sentences_at_the_field(
    page: Page, backend: LocalBackend, said: tuple[str, str], field: str, words: str
) -> None:
    """The field has the focus, and a screen reader reads the sentence with it."""
    whom, until = said
    await open_sharing(page, backend, "ann")
    await fill_share(page, whom, until=until)

    await expect(page.locator(f"#share-{field}-wrong")).to_contain_text(words)
    place = page.locator(f"#share-{field}")
    await expect(place).to_be_focused()
    await expect(place).to_have_attribute("aria-invalid", "true")
    assert f"share-{field}-wrong" in str(await place.get_attribute("aria-describedby"))


async def test_an_offer_is_withdrawn_with_one_press(
    page: Page, backend: LocalBackend, owner: Client
) -> None:
    """It gave no right, so nothing ends; what a user is called is text."""
    await owner.request("share", robotId=ROBOT, userId=MARKUP)
    await open_sharing(page, backend, "ann")
    item = shown(page, f"“{MARKUP}”")
    button = item.locator("[data-action=end-share]")
    await expect(button).to_have_accessible_name(f"Withdraw: “{MARKUP}”")
    assert await page.locator("#sharing img").count() == 0
    await button.click()

    await expect(page.locator("#sharing-note")).to_have_text("Withdrawn.")
    await expect(page.locator("#share-list li")).to_have_count(0)
    await expect(page.locator("#sharing-title")).to_be_focused()
    assert await shares(owner) == []


async def test_a_share_that_has_ended_says_so_and_is_removed(
    page: Page, backend: LocalBackend, owner: Client
) -> None:
    """It gives no right, so it is no question whether to end it."""
    await share_and_accept(backend, owner, "olga", until=int(time.time() * 1000) + 700)
    await open_sharing(page, backend, "ann")
    await expect(shown(page, "“olga”")).to_contain_text("Ended ")
    await page.click("#share-list [data-action=end-share]")

    await expect(page.locator("#share-list li")).to_have_count(0)
    assert await shares(owner) == []


@asynccontextmanager
async def driven_by_olga(
    backend: LocalBackend, driver: Page, lasts_ms: int | None = None
) -> AsyncIterator[None]:
    """Have a real robot of Ann's that Olga drives in her page; her share may end by itself."""
    stop = asyncio.Event()
    robot = Robot(backend.url, ROBOT, token=backend.token("ann"), on_drive=lambda _: None)
    running = asyncio.create_task(robot.run(stop=stop))
    try:
        async with backend.connect("ann") as owner:
            await owner.wait_until_online(ROBOT)
            until = None if lasts_ms is None else int(time.time() * 1000) + lasts_ms
            await share_and_accept(backend, owner, "olga", until=until)
        await sign_in(driver, backend, "olga")
        await driver.click(f"{ROW} [data-action=drive]")
        await expect(driver.locator("#banner-title")).to_have_text(f"You drive {ROBOT}")
        await expect(driver.locator(f"{ROW} .status")).to_contain_text("You drive")
        yield
    finally:
        stop.set()
        await asyncio.wait_for(running, WAIT_S)


async def test_a_driver_whose_share_is_ended_loses_the_session_at_once(
    page: Page, browser: Browser, backend: LocalBackend, record_property: Any
) -> None:
    """By a press and its confirmation; the driver's page says why, and the robot's row goes."""
    driver = await browser.new_page()
    async with driven_by_olga(backend, driver):
        await open_sharing(page, backend, "ann")
        end = shown(page, "“olga”").locator("[data-action=end-share]")
        await end.press("Enter")
        keep = page.locator("#share-list [data-action=keep-share]")
        await expect(keep).to_be_focused()
        await expect(shown(page, "“olga”")).to_contain_text("even one that drives")
        await keep.press("Enter")
        await expect(end).to_be_focused()
        await expect(driver.locator("#banner-title")).to_have_text(f"You drive {ROBOT}")
        await end.press("Enter")
        began = time.monotonic()
        await page.press("#share-list [data-action=end-share-now]", "Enter")

        await expect(driver.locator("#banner-title")).not_to_have_text(f"You drive {ROBOT}")
        record_property("figure", f"not driving {(time.monotonic() - began) * 1000:.0f} ms after")
        await expect(driver.locator("#panel")).to_have_attribute("data-banner", "ended")
        await expect(driver.locator("#banner-text")).to_contain_text(
            "Your right to this robot has ended"
        )
        await expect(driver.locator(ROW)).to_have_count(0)
        await expect(page.locator("#share-list li")).to_have_count(0)
        await expect(page.locator("#sharing-note")).to_have_text("Ended.")
    await driver.close()


async def test_a_driver_whose_share_ends_by_itself_is_told_in_the_list_too(
    page: Page, backend: LocalBackend
) -> None:
    """At the share's end the row no longer says that Olga drives, without another list."""
    async with driven_by_olga(backend, page, SHARE_MS):
        await expect(page.locator("#banner-title")).to_have_text(
            "Your right to drive has ended", timeout=2 * SHARE_MS
        )
        await expect(page.locator(f"{ROW} .status")).to_contain_text(
            "Your right to drive has ended"
        )


async def test_the_robot_is_given_to_another_owner(
    page: Page, backend: LocalBackend, owner: Client
) -> None:
    """Only with the robot's id typed; then its row goes, and a sentence says whose it is."""
    await share_and_accept(backend, owner, "olga")
    await open_sharing(page, backend, "ann")
    await page.click("#transfer-part summary")
    await page.fill("#transfer-id", "carol")
    await page.fill("#transfer-robot", "rover")
    await page.click("#transfer-submit")
    await expect(page.locator("#transfer-robot-wrong")).to_contain_text(f"Type {ROBOT} here")
    await expect(page.locator("#transfer-robot")).to_be_focused()
    await page.fill("#transfer-robot", ROBOT)
    await page.click("#transfer-submit")

    await expect(page.locator("#notice")).to_contain_text(f"{ROBOT} belongs to “carol” now.")
    await expect(page.locator(ROW)).to_have_count(0)
    await expect(page.locator("#add-robot")).to_be_focused()
    async with backend.connect("carol") as carol:
        assert await shares(carol) == [{"userId": "olga", "role": "operator"}]


@pytest.mark.usefixtures("owner")
async def test_a_transfer_to_a_user_id_that_is_none_is_refused_at_the_field(
    page: Page, backend: LocalBackend
) -> None:
    """And nothing is given away."""
    await open_sharing(page, backend, "ann")
    await page.click("#transfer-part summary")
    await page.fill("#transfer-id", "#carol")
    await page.fill("#transfer-robot", ROBOT)
    await page.click("#transfer-submit")

    await expect(page.locator("#transfer-id-wrong")).to_contain_text("must not begin with #")
    await expect(page.locator("#transfer-id")).to_be_focused()


async def test_an_admin_shares_changes_ends_and_gives_away_others_robots(
    page: Page, backend: LocalBackend, owner: Client
) -> None:
    """With any group, even with a share of their own that makes them an operator in lists."""
    await share_and_accept(backend, owner, "boss")
    await open_sharing(page, backend, "boss", "ADMINS")
    await expect(page.locator("#sharing-owner")).to_have_text("“ann” owns it.")
    await fill_share(page, "any group", with_="group")
    await expect(shown(page, "any group")).to_contain_text("May drive.")
    await shown(page, "any group").locator("[data-action=change-share]").click()
    await page.select_option("#share-role", "viewer")
    await page.click("#share-submit")
    await expect(shown(page, "any group")).to_contain_text("May watch.")
    await shown(page, "any group").locator("[data-action=end-share]").click()
    await shown(page, "any group").locator("[data-action=end-share-now]").click()
    await expect(shown(page, "any group")).to_have_count(0)
    assert [each["userId"] for each in await shares(owner)] == ["boss"]
    await page.click("#transfer-part summary")
    await page.fill("#transfer-id", "carol")
    await page.fill("#transfer-robot", ROBOT)
    await page.click("#transfer-submit")

    await expect(page.locator("#notice")).to_contain_text("belongs to “carol”")
    await expect(page.locator(ROW)).to_be_focused()
    await expect(page.locator(f"{ROW} .status")).to_contain_text("owned by “carol”")


@pytest.mark.parametrize("role", ["operator", "viewer"])
async def test_who_is_not_the_owner_sees_no_sharing(
    page: Page, backend: LocalBackend, owner: Client, role: str
) -> None:
    """The server would refuse it."""
    await share_and_accept(backend, owner, "olga", role=role)
    await sign_in(page, backend, "olga")

    await expect(page.locator(f"{ROW} [data-action=watch]")).to_be_visible()
    await expect(page.locator(f"{ROW} [data-action=sharing]")).to_be_hidden()


async def test_two_presses_share_once(page: Page, backend: LocalBackend, owner: Client) -> None:
    """While the server has not answered, the panel is busy and its buttons do nothing."""
    await open_sharing(page, backend, "ann")
    await page.click("#share-summary")
    await page.fill("#share-id", "olga")
    busy = await page.evaluate(
        """() => {
            const sent = [];
            const send = WebSocket.prototype.send;
            WebSocket.prototype.send = function (text) {
                sent.push(JSON.parse(text).type);
                send.call(this, text);
            };
            const button = document.getElementById("share-submit");
            button.click();
            const busy = document.getElementById("sharing").getAttribute("aria-busy");
            const disabled = button.getAttribute("aria-disabled");
            button.click();
            return [busy, disabled, sent.filter((type) => type === "share").length];
        }"""
    )

    assert busy == ["true", "true", 1]
    await expect(shown(page, "“olga”")).to_be_visible()
    await expect(page.locator("#sharing")).to_have_attribute("aria-busy", "false")
    assert len(await shares(owner)) == 1


@on_every_screen
async def test_layout(page: Page, backend: LocalBackend, owner: Client) -> None:
    """List and forms fit each screen, what has the focus is in sight, and a driver keeps STOP."""
    await owner.request("share", robotId=ROBOT, userId=MARKUP)
    await share_and_accept(backend, owner, "o" * 100, until=int(time.time() * 1000) + DAY_MS)
    await sign_in(page, backend, "ann")
    await page.click(f"{ROW} [data-action=drive]")
    await expect(page.locator("#banner-title")).to_contain_text(ROBOT)
    if not await page.locator(f"{ROW} [data-action=sharing]").is_visible():
        await page.click("#to-robots")
    await page.click(f"{ROW} [data-action=sharing]")
    await expect(page.locator("#share-list li")).to_have_count(2)
    assert await page.evaluate(OVERFLOW) <= 0
    await page.locator("#share-list [data-action=end-share]").last.click()
    await expect(page.locator("#share-list [data-action=keep-share]").last).to_be_focused()
    assert not await page.evaluate(FOCUSED_COVERED)
    await page.locator("#share-list [data-action=change-share]").first.click()
    await expect(page.locator("#share-role")).to_be_focused()
    assert not await page.evaluate(FOCUSED_COVERED)
    for part in ("invite", "transfer"):
        await page.click(f"#{part}-part summary")
    assert await page.evaluate(OVERFLOW) <= 0
    await assert_in_sight(page, "#desk [data-action=stop]")


@in_both_schemes
async def test_contrast(page: Page, backend: LocalBackend, owner: Client) -> None:
    """Everything of the panel can be read, refusals too."""
    await share_and_accept(backend, owner, "olga")
    await open_sharing(page, backend, "ann")
    await shown(page, "“olga”").locator("[data-action=end-share]").click()
    await fill_share(page, "ann")
    await expect(page.locator("#share-id-wrong")).not_to_have_text("")
    for part in ("invite", "transfer"):
        await page.click(f"#{part}-part summary")

    assert await page.evaluate(POOR) == []
