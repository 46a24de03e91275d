"""`python -m benchmarks.first_frame`: the time from Drive to the first frame, in each browser.

Gateway, robot and browser are processes of their own. Then the same with every frame of the
signaling delayed by a time of its own, in both directions, so that they overtake each other.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.tables import Table, describe_machine, format_markdown
from tests.e2e.conftest import Site, serve
from tests.e2e.delaying import delaying
from tests.e2e.tabs import BROWSERS, Tab, launched

RUNS = 20
SHORTEST_S, LONGEST_S = 0.03, 0.09
SEED = 1
ROBOT, OWNER = "rover-1", "olga"
DRIVE = f"li[data-robot-id={ROBOT}] [data-action=drive]"

# Pressed and timed within the page, so that the browser driver's own time is not counted.
PRESS = """selector => new Promise(shown => {
  const pressed = performance.now();
  const video = document.querySelector("video");
  video.requestVideoFrameCallback(() => shown(performance.now() - pressed));
  document.querySelector(selector).click();
})"""
IS_ENABLED = "selector => document.querySelector(selector)?.disabled === false"


def main() -> int:
    """Take the figures and print them; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_frame", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="of each, %(default)s by default")
    runs = parser.parse_args().runs
    sys.stdout.write(f"{describe_machine()}\n\n")
    rows = []
    for signaling, site in _start_sites():
        robot = site.robot(ROBOT, OWNER)
        for name in BROWSERS:
            with launched(name) as browser:
                tab = browser.tab()
                tab.goto(site.link(OWNER))
                rows.append(_row(name, signaling, [_time_first_frame(tab) for _ in range(runs)]))
                tab.close()
        robot.stop()
    head = ("browser", "signaling", "runs", "least", "median", "most")
    sys.stdout.write(
        format_markdown(Table("From Drive to the first frame, in ms", head, tuple(rows)))
    )
    return 0


def _time_first_frame(tab: Tab) -> float:
    tab.wait_for(IS_ENABLED, DRIVE)
    took_ms: float = tab.evaluate(PRESS, DRIVE)
    tab.click("#panel [data-action=leave]")
    return took_ms


def _row(browser: str, signaling: str, took_ms: list[float]) -> tuple[str, ...]:
    figures = (min(took_ms), median(took_ms), max(took_ms))
    return (browser, signaling, str(len(took_ms)), *(f"{figure:.0f}" for figure in figures))


def _start_sites() -> Iterator[tuple[str, Site]]:
    with _serve() as site:
        yield "at once", site
        with delaying(site.page_url, SHORTEST_S, LONGEST_S, SEED) as page_url:
            websocket_url = f"{page_url.replace('http', 'ws', 1)}prod"
            late = f"each frame late by {SHORTEST_S * 1000:.0f} to {LONGEST_S * 1000:.0f} ms"
            yield late, replace(site, page_url=page_url, websocket_url=websocket_url)


@contextmanager
def _serve() -> Iterator[Site]:
    with TemporaryDirectory() as state:
        # One user takes control more often here than a person may.
        site = serve(Path(state), "--unlimited")
        try:
            yield site
        finally:
            site.process.stop()


if __name__ == "__main__":
    sys.exit(main())
