"""Offers and shares in the console, against the real backend: accept, decline, watch, leave."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from robosignal.testing import LocalBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def backend() -> AsyncIterator[LocalBackend]:
    """Yield a backend where Carol has offered Vic two robots: one to view, one to drive."""
    async with (
        LocalBackend() as backend,
        backend.connect("carol") as first,
        backend.connect("carol") as second,
        backend.connect("carol") as owner,
    ):
        await first.request("register", robotId="rover-1")
        await second.request("register", robotId="rover-2")
        await owner.request("share", robotId="rover-1", userId="vic", role="viewer")
        await owner.request("share", robotId="rover-2", userId="vic")
        yield backend


async def test_offers_are_accepted_and_declined_and_shares_left(
    page: Page, backend: LocalBackend
) -> None:
    """A viewer by right has no Drive and no Take over; what was left is gone from the list."""
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto(f"{backend.page_url}#token={backend.token('vic')}")
    offers, robots = page.locator("#offers li"), page.locator("#robots li")
    await expect(offers).to_have_count(2)
    await expect(offers.first).to_contain_text("Offered by “carol”: you may watch it")
    await expect(robots).to_have_count(0)

    await offers.first.locator("[data-action=accept-share]").click()

    await expect(robots).to_have_count(1)
    await expect(offers).to_have_count(1)
    await expect(robots.first).to_contain_text("you may watch")
    await expect(robots.first.locator("[data-action=watch]")).to_be_enabled()
    for action in ("drive", "take-over"):
        await expect(robots.first.locator(f"[data-action={action}]")).to_be_hidden()

    await offers.first.locator("[data-action=decline-share]").click()
    await expect(offers).to_have_count(0)
    await robots.first.locator("[data-action=leave-share]").click()
    await expect(robots).to_have_count(0)
