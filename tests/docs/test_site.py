"""`make docs`: the site builds without a warning, and a reader's browser asks only its files."""

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.browser import ARGUMENTS, require_browser
from tests.docs.pages import ROOT

PAGES = sorted(path.relative_to(ROOT / "docs") for path in (ROOT / "docs").glob("**/*.md"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    out = tmp_path_factory.mktemp("site")
    options = ["-q", "-W", "--keep-going", "-n", "-d", str(out / "doctrees"), "-c", "tools/docs"]
    build = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "docs", str(out / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (build.returncode, build.stdout, build.stderr) == (0, "", "")
    return out / "html"


@pytest.mark.parametrize("name", PAGES, ids=str)
def test_every_page_is_in_the_site(site: Path, name: Path) -> None:
    """A page outside every table of contents would be a warning, and so an error."""
    assert (site / name.with_suffix(".html")).is_file()


def test_the_interfaces_come_from_the_source(site: Path) -> None:
    """The robot's class and the browser's functions have their own entries."""
    python = (site / "reference" / "python-api.html").read_text(encoding="utf-8")
    browser = (site / "reference" / "browser-api.html").read_text(encoding="utf-8")

    assert 'id="robosignal.robot' in python
    assert 'id="connect"' in browser
    assert 'id="drivewithkeys"' in browser


def test_a_reader_asks_no_third_party(site: Path) -> None:
    """Pages, search and all: every request is for a file of the site."""
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require_browser(), args=ARGUMENTS)
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        for name in ["index", "reference/protocol", "reference/browser-api", "search"]:
            page.goto((site / f"{name}.html").as_uri())
        browser.close()

    assert len(asked) > len(PAGES) // 2
    assert [url for url in asked if not url.startswith(site.as_uri())] == []
