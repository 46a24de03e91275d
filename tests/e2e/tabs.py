"""Tabs of Chromium and Firefox under one interface, so that one test source runs in both.

`tests/web/browsers.js` does the driving, by WebDriver BiDi; which pages are opened, and what is
expected of them, is decided by the tests.
"""

import itertools
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.browser import BrowserName, require_browser
from tests.web.test_javascript import HERE, NODE_BIN, require_node, require_package

# No flag that changes WebRTC: candidates are hidden behind mDNS names here as for everyone.
ARGUMENTS: dict[BrowserName, tuple[str, ...]] = {
    "chrome": ("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    "firefox": (),
}
BROWSERS = sorted(ARGUMENTS)
PATIENCE_MS = 15_000

TEXT = "selector => document.querySelector(selector)?.textContent"
IS_ENABLED = "selector => document.querySelector(selector)?.disabled === false"
HAS_TEXT = "(selector, text) => document.querySelector(selector)?.textContent === text"
HAS_ATTRIBUTE = """(selector, name, value) =>
    document.querySelector(selector)?.getAttribute(name) === value"""


class Driver:
    """A node process that drives one browser, asked one thing after the other."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, what: str, **fields: Any) -> Any:
        """Return what the browser answers; raise AssertionError with what went wrong."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"do": what, **fields}) + "\n")
        stdin.flush()
        reply = json.loads(stdout.readline() or '{"error": "the driver has ended"}')
        assert "error" not in reply, f"{what} {fields}: {reply['error']}"
        return reply["value"]


@dataclass(frozen=True)
class Tab:
    """One page, with a storage of its own."""

    driver: Driver
    name: str

    def goto(self, url: str) -> None:
        """Open an address."""
        self._call("page", "goto", url)

    def reload(self) -> None:
        """Load the page again."""
        self._call("page", "reload")

    def click(self, selector: str) -> None:
        """Press a button as soon as it is enabled."""
        self.wait_for(IS_ENABLED, selector)
        self._call("page", "click", selector)

    def hold(self, key: str) -> None:
        """Press a key and keep it down."""
        self._call("keyboard", "down", key)

    def let_go(self, key: str) -> None:
        """Release a key."""
        self._call("keyboard", "up", key)

    def evaluate(self, script: str, *args: Any) -> Any:
        """Return what a function returns in the page."""
        return self.driver.ask("evaluate", tab=self.name, script=script, args=args)

    def wait_for(self, script: str, *args: Any, timeout_ms: int = PATIENCE_MS) -> Any:
        """Return the first true thing that a function returns in the page."""
        asked = {"script": script, "args": args, "timeoutMs": timeout_ms}
        found = self.driver.ask("wait", tab=self.name, **asked)
        assert found, f"never true: {script} of {args}"
        return found

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until an element reads like that, and like nothing else."""
        shown = f"; it reads {self.evaluate(TEXT, selector)!r}"
        try:
            self.wait_for(HAS_TEXT, selector, text)
        except AssertionError:
            shown = f"; it reads {self.evaluate(TEXT, selector)!r}"
            raise AssertionError(f"{selector} never read {text!r}{shown}") from None

    def wait_for_attribute(self, selector: str, name: str, value: str) -> None:
        """Wait until an element's attribute has that value."""
        self.wait_for(HAS_ATTRIBUTE, selector, name, value)

    def close(self) -> list[str]:
        """Close it, and return the errors that its scripts have thrown."""
        found: list[str] = self.driver.ask("close", tab=self.name)
        return found

    def _call(self, on: str, method: str, *args: Any) -> None:
        self.driver.ask("call", tab=self.name, on=on, method=method, args=args)


@dataclass(frozen=True)
class Launched:
    """A browser that runs."""

    name: BrowserName
    driver: Driver
    numbers: Iterator[int]

    def tab(self) -> Tab:
        """Return a new tab of a person of their own."""
        name = f"tab-{next(self.numbers)}"
        self.driver.ask("open", tab=name)
        return Tab(self.driver, name)


@contextmanager
def launched(name: BrowserName, within: tuple[str, ...] = ()) -> Iterator[Launched]:
    """Run a browser until left; skip the test without one, or fail it when CI=true.

    `within` is what its command line begins with.
    """
    executable = require_browser(name)
    require_node()
    require_package("puppeteer-core")
    command = [*within, str(NODE_BIN / "node"), "browsers.js"]
    pipe = subprocess.PIPE
    # Its input ends with the block, and it with its input.
    with subprocess.Popen(command, cwd=HERE, stdin=pipe, stdout=pipe, text=True) as process:
        driver = Driver(process)
        driver.ask("launch", name=name, executable=str(executable), arguments=ARGUMENTS[name])
        yield Launched(name, driver, itertools.count(1))


Open = Callable[[str], Tab]
