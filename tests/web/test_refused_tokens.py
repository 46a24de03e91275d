"""Tokens that the server refuses, and wrong clocks, in a real browser: the server decides."""

import pytest
from playwright.async_api import Page, expect

from tests.web.pool import serving
from tests.web.scripted import Scripted
from tests.web.steps import sign_in, token

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY_MS = 86_400_000
WRONG_CLOCK = """(() => {
    const Right = Date;
    const now = () => Right.now() + AHEAD_MS;
    globalThis.Date = class extends Right {
        constructor(...given) {
            super(...(given.length ? given : [now()]));
        }
        static now() {
            return now();
        }
    };
})()"""
NEW_LINK = "Open a new link"


async def open_refused(tab: Page, script: Scripted) -> None:
    """Open a page whose token is refused, until it says so; from then on none is refused."""
    script.refused = {"*"}
    await tab.goto(f"{script.url}#token={token(expires_s=-1)}")
    await expect(tab.locator("#notice")).to_contain_text(NEW_LINK)
    script.refused = set()


async def set_clock(tab: Page, ahead_ms: int) -> None:
    """Put this tab's clock ahead, or behind."""
    await tab.add_init_script(WRONG_CLOCK.replace("AHEAD_MS", str(ahead_ms)))


@pytest.mark.parametrize("ahead_ms", [DAY_MS, -DAY_MS])
async def test_a_good_token_is_accepted_whatever_the_clock_says(
    tab: Page, script: Scripted, ahead_ms: int
) -> None:
    """The page dials, and the server decides; the operator drives."""
    await set_clock(tab, ahead_ms)
    await sign_in(tab, script)
    await tab.click("li[data-robot-id=demo] [data-action=drive]")

    await expect(tab.locator("#banner-title")).to_have_text("You drive demo")
    await expect(tab.locator("[data-action=sign-in]")).to_be_hidden()


async def test_an_expired_token_asks_for_a_new_link(tab: Page, script: Scripted) -> None:
    """One refused handshake is enough where the clock agrees with the server."""
    script.refused = {"*"}
    await tab.goto(f"{script.url}#token={token(expires_s=-1)}")

    await expect(tab.locator("#notice")).to_contain_text(NEW_LINK)
    await expect(tab.locator("#banner-title")).to_have_text("You are not signed in")
    assert len(script.tokens) == 1


async def test_a_clock_that_is_behind_hides_no_expired_token(tab: Page, script: Scripted) -> None:
    """A server that answers plain requests and refuses three handshakes refuses the token."""
    script.refused = {"*"}
    await set_clock(tab, -DAY_MS)
    await tab.goto(f"{script.url}#token={token(expires_s=-1)}")

    await expect(tab.locator("#notice")).to_contain_text(NEW_LINK)
    assert len(script.tokens) == 3


async def test_a_refused_token_is_kept_and_a_reload_tries_it_again(
    tab: Page, script: Scripted
) -> None:
    """What a browser takes for a refusal may have been none: the server is asked again."""
    await open_refused(tab, script)
    await tab.reload()

    await expect(tab.locator("body")).to_have_attribute("data-state", "online")


async def test_a_server_that_takes_the_token_after_all_ends_the_asking(
    tab: Page, script: Scripted
) -> None:
    """Without a reload: the page dials on, at once when the network comes back."""
    await open_refused(tab, script)
    await tab.evaluate("() => window.dispatchEvent(new Event('online'))")

    await expect(tab.locator("body")).to_have_attribute("data-state", "online")
    await expect(tab.locator("#notice")).to_be_empty()
    await expect(tab.locator("#banner-title")).to_have_text("No robot chosen")


async def test_a_pools_token_that_is_refused_is_refreshed_though_the_clock_is_behind(
    tab: Page, script: Scripted
) -> None:
    """The user does not sign in again: the refresh token fetches what the server takes."""
    async with serving() as pool:
        script.connects_to = pool.origin
        script.config = pool.config(script.port)
        await tab.goto(script.url)
        await tab.click("[data-action=sign-in]")
        await expect(tab.locator("body")).to_have_attribute("data-state", "online")
        script.refused = set(script.tokens)
        await set_clock(tab, -DAY_MS)
        await tab.reload()
        await expect(tab.locator("body")).to_have_attribute("data-state", "online")

        grants = [fields["grant_type"] for fields in pool.exchanges]
        assert grants == ["authorization_code", "refresh_token"]
        assert script.tokens[-1] not in script.refused
