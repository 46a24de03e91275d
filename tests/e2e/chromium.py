"""A Chromium without emulation, spoken to by its own protocol.

Playwright pretends that every page has the focus and is visible, and answers dialogs; where keys
get lost is just there. Owns the process and its pages; knows nothing of robots.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--password-store=basic",
    "--remote-debugging-port=0",
)
PATIENCE_SECONDS = 30

Json = dict[str, Any]


class Chromium:
    """A running browser."""

    def __init__(self, executable: Path, profile: Path, *arguments: str) -> None:
        self._popen = subprocess.Popen(
            [str(executable), *ARGUMENTS, *arguments, f"--user-data-dir={profile}", "about:blank"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._open = ExitStack()
        self._socket = self._open.enter_context(connect(self._address(), max_size=None))
        self._last_id = 0
        self._events: list[Json] = []

    def _address(self) -> str:
        stderr = self._popen.stderr
        assert stderr is not None
        for line in stderr:
            if "DevTools listening on " in line:
                return line.rpartition(" ")[2].strip()
        raise AssertionError("Chromium has not started")

    def order(self, method: str, session: str | None = None, **params: Any) -> int:
        """Send a command, and await nothing."""
        self._last_id += 1
        to = {} if session is None else {"sessionId": session}
        frame = {"id": self._last_id, "method": method, "params": params, **to}
        self._socket.send(json.dumps(frame))
        return self._last_id

    def call(self, method: str, session: str | None = None, **params: Any) -> Json:
        """Send a command, and return its result."""
        number = self.order(method, session, **params)
        reply = self._next(lambda frame: frame.get("id") == number)
        assert "error" not in reply, (method, reply)
        result: Json = reply["result"]
        return result

    def wait_for(self, event: str, session: str) -> Json:
        """Return the next event of that name, one that has come already included."""
        return self._next(
            lambda frame: frame.get("method") == event and frame.get("sessionId") == session
        )

    def _next(self, wanted: Callable[[Json], bool]) -> Json:
        for place, frame in enumerate(self._events):
            if wanted(frame):
                return self._events.pop(place)
        while True:
            frame = json.loads(self._socket.recv(timeout=PATIENCE_SECONDS))
            if wanted(frame):
                return dict(frame)
            if "method" in frame:
                self._events.append(frame)

    def open(self, url: str, *, new_window: bool = False) -> "Page":
        """Open a page in a tab of its own, which comes to the front."""
        target = self.call("Target.createTarget", url="about:blank", newWindow=new_window)
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = Page(self, target["targetId"], attached["sessionId"])
        page.call("Page.enable")
        page.call("Runtime.enable")
        page.call("Page.navigate", url=url)
        page.wait_for("Page.loadEventFired")
        return page

    def stop(self) -> None:
        """End it, and all its processes."""
        self._open.close()
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        if self._popen.stderr is not None:
            self._popen.stderr.close()


class Page:
    """One tab."""

    def __init__(self, chromium: Chromium, target: str, session: str) -> None:
        self.chromium = chromium
        self.target = target
        self.session = session

    def call(self, method: str, **params: Any) -> Json:
        """Send a command to the page, and return its result."""
        return self.chromium.call(method, self.session, **params)

    def order(self, method: str, **params: Any) -> None:
        """Send a command to the page, and await nothing."""
        self.chromium.order(method, self.session, **params)

    def wait_for(self, event: str) -> Json:
        """Return the page's next event of that name."""
        return self.chromium.wait_for(event, self.session)

    def run(self, script: str) -> Any:
        """Return what an expression, or a promise of it, comes to."""
        parameters = {"expression": script, "awaitPromise": True, "returnByValue": True}
        done = self.call("Runtime.evaluate", **parameters, userGesture=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def close(self) -> None:
        """Close the tab; one that is gone already is no fault."""
        self.chromium.call("Target.closeTarget", targetId=self.target)
