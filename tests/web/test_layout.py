"""The console's layout on four screens: video and controls stay in sight beside the list."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.web.scripted import ALICE, ME, SESSION, Frame, Scripted
from tests.web.steps import FRAME_SHOWN, WAIT_S, banner, drive, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _phone(width: int, height: int) -> dict[str, Any]:
    return {
        "viewport": {"width": width, "height": height},
        "device_scale_factor": 1,
        "is_mobile": True,
        "has_touch": True,
    }


SCREENS = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "small desktop": {"viewport": {"width": 1024, "height": 600}},
    "phone upright": _phone(390, 844),
    "phone across": _phone(844, 390),
}
on_every_screen = pytest.mark.parametrize("page", SCREENS.values(), ids=SCREENS, indirect=True)
upright = pytest.mark.parametrize("page", [SCREENS["phone upright"]], indirect=True)
across = pytest.mark.parametrize("page", [SCREENS["phone across"]], indirect=True)
in_both_schemes = pytest.mark.parametrize(
    "page", [{"color_scheme": scheme} for scheme in ("light", "dark")], indirect=True
)

ROBOTS = 40
ROW = "li[data-robot-id=demo]"
CONTROLS = ("#pad", *(f"#desk [data-action={name}]" for name in ("stop", "release", "leave")))
BUSY = {"code": "robot_busy", "message": "somebody drives this robot", "controlledBy": ALICE}
LONG = "() => { document.querySelector('#notice').textContent = 'Two lines and more. '.repeat(9); }"
# A twentieth of a pixel is rounding.
IN_SIGHT = """selector => {
    const { left, top, right, bottom } =
        document.querySelector(selector).getBoundingClientRect();
    const isInside = left > -0.05 && top > -0.05 &&
        right < innerWidth + 0.05 && bottom < innerHeight + 0.05;
    return isInside && right - left > 0 && bottom - top > 0;
}"""
UNCOVERED = """selector => {
    const element = document.querySelector(selector);
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return [0.2, 0.5, 0.8].every((part) => element.contains(document.elementFromPoint(
        left + (right - left) * part, top + (bottom - top) * part)));
}"""
SCROLL = """where => {
    for (const element of [document.scrollingElement, document.querySelector('#robots')])
        element.scrollTop = where === 'end' ? element.scrollHeight : 0;
}"""
SCROLLABLE = """() => [document.scrollingElement, document.querySelector('#robots')]
    .some((element) => element.scrollHeight > element.clientHeight + 100)"""
OVERFLOW = "() => document.documentElement.scrollWidth - innerWidth"
FOCUSED_COVERED = """() => {
    const { left, top, width, height } = document.activeElement.getBoundingClientRect();
    const found = document.elementFromPoint(left + width / 2, top + height / 2);
    return !document.activeElement.contains(found);
}"""
# WCAG 2.2, 1.4.3: the contrast of each text with the first opaque ground under it. Disabled
# controls are exempt, and so is what lies over the video.
POOR = """() => {
    const parse = (color) => color.match(/[\\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => {
        const [R, G, B] = [r, g, b].map((c) => c / 255)
            .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * R + 0.7152 * G + 0.0722 * B;
    };
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor);
            if (a === 1) return [r, g, b];
        }
        return [255, 255, 255];
    };
    const hasText = (element) => [...element.childNodes].some((node) =>
        node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== '');
    const poor = [];
    for (const element of document.querySelectorAll('body *')) {
        if (!hasText(element) || !element.checkVisibility({ visibilityProperty: true })) continue;
        if (element.disabled || element.closest('#stage, template, script')) continue;
        const [one, other] = [parse(getComputedStyle(element).color), ground(element)]
            .map(luminance).sort((a, b) => b - a);
        const ratio = (one + 0.05) / (other + 0.05);
        if (ratio < 4.5) poor.push(`${element.id || element.className}: ${ratio.toFixed(2)}`);
    }
    return poor;
}"""


def fleet(count: int) -> list[Frame]:
    """Return rows of as many robots that are free."""
    told = {"owner": ME, "relation": "owner", "rev": 1, "validForSeconds": 60, "dialect": "v1"}
    return [
        {"robotId": f"rover-{n:02}", "online": True, "viewers": 0, "metadata": {}, **told}
        for n in range(1, count + 1)
    ]


async def drive_last(page: Page, script: Scripted) -> None:
    """Drive the last of 40 robots."""
    script.fleet = fleet(ROBOTS - 1)
    await drive(page, script)


async def assert_in_sight(page: Page, *selectors: str) -> None:
    """Each of these is whole inside the window, and nothing lies over it."""
    for selector in selectors:
        assert await page.evaluate(IN_SIGHT, selector), selector
        assert await page.evaluate(UNCOVERED, selector), selector


@on_every_screen
async def test_the_video_of_the_last_robot_is_in_sight_wherever_the_list_is(
    page: Page, script: Scripted
) -> None:
    """Drive on the 40th robot: video and controls are in the window, at both ends of the list."""
    await drive_last(page, script)

    await expect(page.locator("#video")).to_be_focused()
    assert await page.locator("#robots li").count() == ROBOTS
    for where in ("as it is", "end", "top"):
        if where != "as it is":
            await page.evaluate(SCROLL, where)
        await assert_in_sight(page, "#video", *CONTROLS)
    assert await page.evaluate(OVERFLOW) <= 0


@on_every_screen
async def test_the_list_scrolls_while_the_video_is_in_sight(page: Page, script: Scripted) -> None:
    """From the video to the list and to both of its ends: the picture and the controls stay."""
    await drive_last(page, script)
    await page.keyboard.press("Escape")

    assert await page.evaluate(SCROLLABLE)
    for where in ("top", "end"):
        await page.evaluate(SCROLL, where)
        await assert_in_sight(page, "#video", *CONTROLS)


@on_every_screen
async def test_a_long_notice_covers_no_control(page: Page, script: Scripted) -> None:
    """A sentence comes over the banner or the video's edge, and moves no control."""
    await drive_last(page, script)
    before = await page.locator("#pad").bounding_box()
    await page.evaluate(LONG)

    await assert_in_sight(page, "#banner-title", *CONTROLS)
    assert await page.evaluate(IN_SIGHT, "#notice")
    assert await page.locator("#pad").bounding_box() == before


@on_every_screen
async def test_the_keyboard_goes_from_the_list_to_the_video_and_back(
    page: Page, script: Scripted
) -> None:
    """Enter on Drive gives the keys to the video; Escape goes to the robot's row, and back."""
    script.fleet = fleet(ROBOTS - 1)
    await sign_in(page, script)
    await page.locator(f"{ROW} [data-action=drive]").focus()
    await page.keyboard.press("Enter")
    await expect(banner(page)).to_have_text("You drive demo")
    await page.evaluate(FRAME_SHOWN)
    await expect(page.locator("#video")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator(ROW)).to_be_focused()
    assert not await page.evaluate(FOCUSED_COVERED)
    await page.keyboard.press("Escape")
    await expect(page.locator("#video")).to_be_focused()
    commanded = script.robot.awaiting({"x": 0, "y": 1})
    await page.keyboard.down("ArrowUp")
    await asyncio.wait_for(commanded, WAIT_S)
    await page.keyboard.up("ArrowUp")


async def test_escape_with_a_key_held_stops_and_only_the_next_one_leaves(
    page: Page, script: Scripted
) -> None:
    """A driver who hits Escape in motion keeps the keys."""
    await drive(page, script)
    await page.keyboard.down("KeyW")
    await page.keyboard.press("Escape")
    await expect(page.locator("#notice")).to_contain_text("Stopped.")
    await expect(page.locator("#video")).to_be_focused()
    await page.keyboard.up("KeyW")
    await page.keyboard.press("Escape")

    await expect(page.locator(ROW)).to_be_focused()


async def test_the_first_tab_skips_to_the_video(page: Page, script: Scripted) -> None:
    """A link that shows up for the keyboard passes 40 rows by; there is none without a video."""
    script.fleet = fleet(ROBOTS - 1)
    await sign_in(page, script)
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).not_to_be_focused()
    await page.click(f"{ROW} [data-action=drive]")
    await expect(banner(page)).to_have_text("You drive demo")
    await page.evaluate("() => document.activeElement.blur()")
    await page.locator(".skip").focus()
    await expect(page.locator(".skip")).to_be_in_viewport()
    await page.keyboard.press("Enter")

    await expect(page.locator("#video")).to_be_focused()


async def test_tab_goes_from_the_video_to_the_controls_and_to_the_list(
    page: Page, script: Scripted
) -> None:
    """No trap: Tab leaves the video, and the last control leads to the robots."""
    await drive(page, script)
    for action in ("stop", "release", "leave", "to-robots"):
        await page.keyboard.press("Tab")
        await expect(page.locator(f"#desk [data-action={action}]")).to_be_focused()
    await page.keyboard.press("Enter")

    await expect(page.locator(ROW)).to_be_focused()


@upright
async def test_no_row_that_has_the_focus_is_under_the_panel(page: Page, script: Scripted) -> None:
    """Shift+Tab up the list: the panel above covers none of what gets the focus."""
    await drive_last(page, script)
    await page.keyboard.press("Escape")
    for _ in range(12):
        await page.keyboard.press("Shift+Tab")
        assert not await page.evaluate(FOCUSED_COVERED)

    await expect(page.locator("#robots button:focus")).to_have_count(1)


@across
async def test_across_the_video_is_as_high_as_the_screen(page: Page, script: Scripted) -> None:
    """No header, no list: the list comes by a button, and goes with the next robot."""
    await drive_last(page, script)
    box = await page.locator("#video").bounding_box()
    assert box is not None
    assert box["height"] == SCREENS["phone across"]["viewport"]["height"]
    assert box["width"] > SCREENS["phone across"]["viewport"]["width"] * 2 / 3
    await expect(page.locator("#fleet")).to_be_hidden()
    await page.tap("#to-robots")
    await expect(page.locator("#fleet")).to_be_visible()
    await assert_in_sight(page, "#video", *CONTROLS)
    await page.tap("#to-video")

    await expect(page.locator("#fleet")).to_be_hidden()
    await expect(page.locator("#video")).to_be_focused()


@on_every_screen
async def test_leaving_goes_back_to_the_robots_row(page: Page, script: Scripted) -> None:
    """The panel folds, and the focus is not lost with it."""
    await drive_last(page, script)
    await page.locator("#actions [data-action=leave]").focus()
    await page.keyboard.press("Enter")

    await expect(banner(page)).to_have_text("No robot chosen")
    await expect(page.locator("#stage")).to_be_hidden()
    await expect(page.locator(ROW)).to_be_focused()
    assert not await page.evaluate(FOCUSED_COVERED)


async def test_a_refused_drive_leaves_the_focus_on_the_button(page: Page, script: Scripted) -> None:
    """The panel has opened and folded; the next Tab is at the robot's other buttons."""
    await sign_in(page, script)
    script.refuse["offer"] = BUSY
    await page.locator(f"{ROW} [data-action=drive]").focus()
    await page.keyboard.press("Enter")

    await expect(page.locator("#notice")).to_contain_text("drives this robot")
    await expect(page.locator(f"{ROW} [data-action=drive]")).to_be_focused()


@in_both_schemes
async def test_every_text_can_be_read(page: Page, script: Scripted) -> None:
    """Contrast of 4.5 at least, idle, driving, with a notice, and after control was lost."""
    script.fleet = fleet(2)
    await sign_in(page, script)
    assert await page.evaluate(POOR) == []
    await page.click(f"{ROW} [data-action=drive]")
    await expect(banner(page)).to_have_text("You drive demo")
    await page.evaluate(LONG)
    assert await page.evaluate(POOR) == []
    script.holder, script.epoch = ALICE, script.epoch + 1
    lost = {"type": "control-lost", "sessionId": SESSION, "by": ALICE, "epoch": script.epoch}
    await script.push(lost)
    await expect(banner(page)).to_have_text("You lost control to “Alice”")

    assert await page.evaluate(POOR) == []
