"""A driver whose right to drive ends, and is not renewed: what a real browser shows."""

import time

from tests.e2e.conftest import Site
from tests.e2e.processes import run
from tests.e2e.rover import OWNER, ROBOT, running_rover
from tests.e2e.tabs import HAS_TEXT, Open

RIGHT_SECONDS = 30
"""Long enough to sign in and to drive on a busy machine."""
END_MS = 90_000

BANNER = "() => document.querySelector('#panel').dataset.banner"
IS_GREEN = "() => window.banners.includes('you-drive')"
WATCH = """() => {
  const panel = document.querySelector('#panel');
  window.banners = [panel.dataset.banner];
  new MutationObserver(() => window.banners.push(panel.dataset.banner))
    .observe(panel, { attributeFilter: ['data-banner'] });
}"""


def test_a_right_that_ends_is_told_in_words_and_stays_so_until_a_new_sign_in(
    site: Site, open_page: Open
) -> None:
    """The banner is amber, a press moves nothing and says why, and a new link drives."""
    state = str(site.state)
    with running_rover(site.websocket_url, site.token(OWNER)) as rover:
        token = run("token", OWNER, "--ttl", str(RIGHT_SECONDS), "--state", state)
        page = open_page(f"{site.page_url}#token={token}")
        page.click(f"li[data-robot-id={ROBOT}] [data-action=drive]")
        page.wait_for_attribute("#pad", "data-active", "true")
        title = "Your right to drive has ended"
        page.wait_for(HAS_TEXT, "#banner-title", title, timeout_ms=END_MS)
        page.evaluate(WATCH)
        page.evaluate("() => document.querySelector('video').focus()")
        page.hold("KeyW")
        page.wait_for("() => document.querySelector('#notice').textContent.includes('right')")
        page.let_go("KeyW")
        ended = page.evaluate(BANNER)
        rover.wait_for("right to drive has ended")
        time.sleep(2)  # For so long the page could turn green again.
        is_green = page.evaluate(IS_GREEN)
        moved = [line for line in [*rover.lines, *rover.drain()] if line.startswith("moves 1")]
        again = open_page(site.link(OWNER))
        again.click(f"li[data-robot-id={ROBOT}] [data-action=drive]")
        again.wait_for_attribute("#pad", "data-active", "true")
        again.wait_for_text("#banner-title", f"You drive {ROBOT}")

    assert ended == "waiting"
    assert not is_green
    assert moved == []
