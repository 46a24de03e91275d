"""The console in real browsers that lack, deny or limit something: it works without, or says so."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, FrameLocator, Page, async_playwright, expect

from tests.browser import ARGUMENTS, require_browser
from tests.web.pool import serving
from tests.web.scripted import Scripted
from tests.web.steps import FRAME_SHOWN, banner, sign_in, token

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUPPORTED = "Chrome or Edge 100, Firefox 113, Safari 15.4, or a later version of these"
TOO_OLD = [
    ("delete Object.hasOwn", "Object.hasOwn"),
    ("delete AbortSignal.prototype.throwIfAborted", "AbortSignal.throwIfAborted"),
    (
        "delete RTCPeerConnection.prototype.connectionState",
        "RTCPeerConnection.connectionState",
    ),
]
NO_WEBRTC = "delete globalThis.RTCPeerConnection; delete globalThis.webkitRTCPeerConnection"
THROWING = """globalThis.RTCPeerConnection = class {
    constructor() {
        throw new DOMException("WebRTC is disabled by policy", "NotAllowedError");
    }
    get connectionState() {
        return "new";
    }
}"""
FILL = """() => {
    let piece = "x".repeat(1 << 20);
    for (let n = 0; piece.length > 0; n += 1) {
        try {
            sessionStorage.setItem(`filling-${n}`, piece);
        } catch {
            piece = piece.slice(0, piece.length / 2);
        }
    }
}"""
# Of a profile's content settings, 2 blocks all site data.
NO_SITE_DATA = {"profile": {"default_content_setting_values": {"cookies": 2}}}


@asynccontextmanager
async def profile(folder: Path, preferences: dict[str, Any]) -> AsyncIterator[Page]:
    """Open a page of a browser whose user has set something."""
    default = folder / "Default"
    default.mkdir(parents=True)
    (default / "Preferences").write_text(json.dumps(preferences), encoding="utf-8")
    executable = require_browser()
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            folder, executable_path=executable, args=ARGUMENTS
        )
        yield await context.new_page()
        await context.close()


@asynccontextmanager
async def framing(script: Scripted, address: str, attributes: str) -> AsyncIterator[str]:
    """Serve a page of another site that shows the console in a frame; its address."""
    frame = f'<!doctype html><iframe width="1000" height="800" src="{address}" {attributes}>'

    async def page(request: web.Request) -> web.Response:
        del request
        return web.Response(text=frame, content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", page)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        script.framed_by = "*"
        # Another host name is another site.
        yield f"http://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def drive(within: Page | FrameLocator) -> None:
    """Press Drive, and see that the page drives."""
    await within.locator("li[data-robot-id=demo] [data-action=drive]").click()
    await expect(within.locator("#banner-title")).to_have_text("You drive demo")


# Browsers that are too old.


@pytest.mark.parametrize(("change", "lacking"), TOO_OLD)
async def test_a_browser_that_is_too_old_is_a_sentence_at_load(
    tab: Page, script: Scripted, change: str, lacking: str
) -> None:
    """It names what is missing and what to use; nothing is dialled."""
    await tab.add_init_script(change)
    await tab.goto(f"{script.url}#token={token(3600)}")

    words = f"This browser is too old for robosignal: it lacks {lacking}. Use {SUPPORTED}."
    await expect(tab.locator("#notice")).to_have_text(words)
    assert script.tokens == []


@pytest.mark.parametrize(("change", "lacking"), TOO_OLD)
async def test_a_page_of_ones_own_is_told_so_by_connect(
    tab: Page, script: Scripted, change: str, lacking: str
) -> None:
    """`connect` throws the same sentence, with a code."""
    await tab.add_init_script(change)
    await tab.goto(f"{script.url}icon.svg")
    told = await tab.evaluate(
        """async () => {
            const { connect } = await import("/robosignal.js");
            try {
                connect({ url: "wss://signal.example/prod", token: "t" });
            } catch ({ code, message }) {
                return [code, message];
            }
        }"""
    )

    words = f"This browser is too old for robosignal: it lacks {lacking}. Use {SUPPORTED}."
    assert told == ["unsupported", words]


# Browsers without WebRTC.


@pytest.mark.parametrize(
    ("change", "reason"),
    [(NO_WEBRTC, "it has no WebRTC"), (THROWING, "WebRTC is disabled by policy")],
)
@pytest.mark.parametrize("action", ["drive", "watch"])
async def test_without_webrtc_robots_are_listed_and_driving_is_a_sentence(
    tab: Page, script: Scripted, change: str, reason: str, action: str
) -> None:
    """The page joins nothing for ever: every button works again."""
    await tab.add_init_script(change)
    await sign_in(tab, script)
    await tab.click(f"li[data-robot-id=demo] [data-action={action}]")

    await expect(tab.locator("#notice")).to_contain_text(
        "This browser cannot show or drive a robot"
    )
    await expect(tab.locator("#notice")).to_contain_text(reason)
    await expect(banner(tab)).to_have_text("No robot chosen")
    await expect(tab.locator("li[data-robot-id=demo] [data-action=drive]")).to_be_enabled()
    assert script.asked("offer") == 0


async def test_without_webrtc_nothing_is_taken_over(tab: Page, script: Scripted) -> None:
    """Who drives goes on driving."""
    script.holder = {"userId": "u-alice", "name": "Alice"}
    await tab.add_init_script(NO_WEBRTC)
    await sign_in(tab, script)
    await tab.click("li[data-robot-id=demo] [data-action=take-over]")

    await expect(tab.locator("#notice")).to_contain_text("it has no WebRTC")
    assert script.asked("takeover") == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"urls": "turn:127.0.0.1:9"},
        {"urls": "stun:127.0.0.1:9?transport=udp"},
        {"urls": ["stun:127.0.0.1:99999", "stun:127.0.0.1:9"]},
        {},
    ],
)
async def test_an_ice_server_that_the_browser_refuses_is_left_out_and_said(
    tab: Page, script: Scripted, bad: dict[str, Any]
) -> None:
    """A wrong one doesn't keep the operator from driving."""
    script.welcome = {"iceServers": [bad, {"urls": "stun:127.0.0.1:9"}]}
    await sign_in(tab, script)
    await drive(tab)
    await tab.evaluate(FRAME_SHOWN)

    await expect(tab.locator("#notice")).to_contain_text("The browser refuses the ICE server")


# Storage that is denied or full, and frames.


async def test_without_site_data_a_link_signs_in_and_drives(
    script: Scripted, tmp_path: Path
) -> None:
    """The token is kept in memory; the address is bare all the same."""
    async with profile(tmp_path / "profile", NO_SITE_DATA) as tab:
        await sign_in(tab, script)
        denied = await tab.evaluate(
            "() => { try { return String(sessionStorage); } catch ({ name }) { return name; } }"
        )
        await drive(tab)

        assert (denied, tab.url) == ("SecurityError", script.url)


async def test_without_site_data_signing_in_at_a_pool_is_a_sentence(
    script: Scripted, tmp_path: Path
) -> None:
    """It could not come back; so the page sends no one away."""
    async with serving() as pool, profile(tmp_path / "profile", NO_SITE_DATA) as tab:
        script.connects_to = pool.origin
        script.config = pool.config(script.port)
        await tab.goto(script.url)
        await tab.click("[data-action=sign-in]")

        await expect(tab.locator("#notice")).to_contain_text("keeps nothing for this page")
        await expect(tab.locator("[data-action=sign-in]")).to_be_enabled()
        assert tab.url == script.url


async def test_with_a_full_storage_a_link_signs_in_and_drives(tab: Page, script: Scripted) -> None:
    """A real quota, filled to the last byte."""
    await tab.goto(f"{script.url}icon.svg")
    await tab.evaluate(FILL)
    await sign_in(tab, script)
    await drive(tab)

    assert await tab.evaluate("() => sessionStorage.getItem('robosignal.token')") is None


async def test_what_else_is_stored_under_the_pages_names_is_ignored(
    tab: Page, script: Scripted
) -> None:
    """Text that is no JSON, or not what this page writes, is as good as nothing."""
    async with serving() as pool:
        script.connects_to = pool.origin
        script.config = pool.config(script.port)
        await tab.goto(f"{script.url}icon.svg")
        for kept in ("no json", "7", "[]", '{"token": 7}'):
            await tab.evaluate("(kept) => sessionStorage.setItem('robosignal.tokens', kept)", kept)
            await tab.evaluate("(kept) => sessionStorage.setItem('robosignal.sign-in', kept)", kept)
            await tab.goto(f"{script.url}?code=c&state=s")

            await expect(tab.locator("#notice")).to_contain_text("not begun in this tab")
            await expect(tab.locator("[data-action=sign-in]")).to_be_visible()


async def test_in_a_frame_of_another_site_the_console_drives(tab: Page, script: Scripted) -> None:
    """With or without storage of its own."""
    address = f"{script.url}#token={token(3600)}"
    async with framing(script, address, 'allow="autoplay"') as outer:
        await tab.goto(outer)
        await drive(tab.frame_locator("iframe"))


async def test_in_a_frame_of_no_origin_the_console_says_what_to_do(
    tab: Page, script: Scripted
) -> None:
    """A sandbox without an origin loads no modules: one plain script says so."""
    async with framing(script, script.url, 'sandbox="allow-scripts"') as outer:
        await tab.goto(outer)

        notice = tab.frame_locator("iframe").locator("#notice")
        await expect(notice).to_contain_text("open it in its own tab")


async def test_an_address_in_the_configuration_that_is_none_is_a_sentence(
    browser: Browser, script: Scripted
) -> None:
    """Whatever stops the page at its start is said on it."""
    script.config = {"webSocketUrl": "https://signal.example/prod"}
    tab = await browser.new_page()
    await tab.goto(f"{script.url}#token={token(3600)}")

    await expect(tab.locator("#notice")).to_contain_text(
        "The console could not start: connect: url"
    )
    await tab.close()
