"""Signing in at a user pool, in a real browser, against a pool that checks what PKCE asks for."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from tests.web.pool import CLIENT, Pool, challenge_of, serving
from tests.web.scripted import Scripted
from tests.web.steps import sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def pool(script: Scripted) -> AsyncIterator[Pool]:
    """Yield a user pool that the console's configuration names."""
    async with serving() as pool:
        script.connects_to = pool.origin
        script.config = pool.config(script.port)
        yield pool


async def enter(page: Page, script: Scripted) -> None:
    """Open the page without a link, press Sign in, and come back signed in."""
    await page.goto(script.url)
    await page.click("[data-action=sign-in]")
    await expect(page.locator("li[data-robot-id=demo]")).to_be_visible()


async def test_signing_in_leads_to_the_robots(page: Page, script: Scripted, pool: Pool) -> None:
    """One press: there and back, the code proved by its verifier, and the name's token dialled."""
    await enter(page, script)

    assert [fields["grant_type"] for fields in pool.exchanges] == ["authorization_code"]
    assert script.tokens[0].split(".")[1] in await page.evaluate(
        "() => JSON.parse(sessionStorage.getItem('robosignal.tokens')).token"
    )
    assert page.url == script.url


async def test_the_verifier_is_told_only_with_the_code(
    page: Page, script: Scripted, pool: Pool
) -> None:
    """The address has the challenge of what the exchange then proves, and nothing more."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await enter(page, script)
    verifier = pool.exchanges[0]["code_verifier"]

    assert any(f"code_challenge={challenge_of(verifier)}" in url for url in asked)
    assert not any(verifier in url for url in asked)


async def test_a_reload_is_still_signed_in(page: Page, script: Scripted, pool: Pool) -> None:
    """The tokens are this tab's; nothing is exchanged again."""
    await enter(page, script)
    await page.reload()

    await expect(page.locator("li[data-robot-id=demo]")).to_be_visible()
    assert len(pool.exchanges) == 1


async def test_a_token_near_its_end_is_refreshed_before_it_is_dialled(
    page: Page, script: Scripted, pool: Pool
) -> None:
    """A reload after most of the token's life dials with a fresh one."""
    await enter(page, script)
    await page.evaluate(
        """() => {
            const kept = JSON.parse(sessionStorage.getItem("robosignal.tokens"));
            const due = JSON.stringify({ ...kept, refreshAt: 0 });
            sessionStorage.setItem("robosignal.tokens", due);
        }"""
    )
    await page.reload()
    await expect(page.locator("li[data-robot-id=demo]")).to_be_visible()

    assert pool.exchanges[-1]["grant_type"] == "refresh_token"
    assert script.tokens[0] != script.tokens[1]


async def test_signing_out_ends_the_visit_here_and_there(
    page: Page, script: Scripted, pool: Pool
) -> None:
    """The refresh token is revoked, the pool's visit ended, and the page asks to sign in."""
    await enter(page, script)
    await page.click("[data-action=sign-out]")

    await expect(page.locator("[data-action=sign-in]")).to_be_visible()
    assert (pool.revoked, pool.signed_out) == (["refresh-1"], [CLIENT])
    assert await page.evaluate("() => sessionStorage.length") == 0


async def test_a_refused_sign_in_is_a_sentence(page: Page, script: Scripted, pool: Pool) -> None:
    """Who presses Cancel over there comes back to a page that says so."""
    pool.denies = True
    await page.goto(script.url)
    await page.click("[data-action=sign-in]")

    await expect(page.locator("#notice")).to_contain_text("refused (access_denied)")
    await expect(page.locator("[data-action=sign-in]")).to_be_visible()
    assert page.url == script.url


async def test_a_code_that_somebody_else_sent_does_not_sign_in(
    page: Page, script: Scripted, pool: Pool
) -> None:
    """A link with a code and a state of another's: nothing is exchanged, and the page says why."""
    await page.goto(f"{script.url}?code=theirs&state=theirs")

    await expect(page.locator("#notice")).to_contain_text("not begun in this tab")
    assert (pool.exchanges, page.url) == ([], script.url)


async def test_a_link_with_a_token_needs_no_pool(page: Page, script: Scripted, pool: Pool) -> None:
    """`#token=` goes on working where a pool is configured."""
    await sign_in(page, script)

    assert pool.exchanges == []


@pytest.mark.parametrize("brought", ["token", "code"])
async def test_a_link_is_taken_out_of_the_address_before_anything_else(
    script: Scripted, page: Page, brought: str
) -> None:
    """Though the rest of the console never comes: no entry of the history has it any more."""
    held: asyncio.Future[Route] = asyncio.get_running_loop().create_future()

    def hold(route: Route) -> None:
        held.set_result(route)

    await page.route("**/console.js", hold)
    await page.goto(f"{script.url}#{brought}=s3cret", wait_until="commit")
    await page.wait_for_function("() => location.hash === ''")
    entries = await page.evaluate("() => navigation.entries().map(({ url }) => url)")
    await (await held).fulfill(body="", content_type="text/javascript")

    assert entries[-1] == script.url
    assert not any("s3cret" in url for url in entries)


async def test_signing_out_of_a_link_forgets_its_token(page: Page, script: Scripted) -> None:
    """Without a pool the page says again how to sign in."""
    await sign_in(page, script)
    await page.click("[data-action=sign-out]")

    await expect(page.locator("#notice")).to_contain_text("Open the link")
    assert await page.evaluate("() => sessionStorage.length") == 0
