"""A stolen robot, in a real browser: its key is revoked while it is driven."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from robosignal.testing import LocalBackend
from tests.e2e.processes import Process
from tests.e2e.tabs import Open

ROBOT = "rover-1"
OWNER = "olga"

# Notes each peer connection of the page; the module has taken the constructor already.
COUNT_PEERS = """() => {
  window.peers = new Set();
  const real = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function (...given) {
    window.peers.add(this);
    return real.apply(this, given);
  };
}"""
OPEN_PEERS = "() => [...window.peers].filter((one) => one.connectionState !== 'closed').length"


@pytest.fixture
def backend() -> Iterator[LocalBackend]:
    """A backend in a thread of its own."""
    with LocalBackend() as found:
        yield found


def ask(backend: LocalBackend, kind: str, **fields: Any) -> dict[str, Any]:
    """Have the owner send a message, and return the reply."""

    async def send() -> dict[str, Any]:
        async with backend.connect(OWNER) as owner:
            return await owner.request(kind, **fields)

    # The browser's driver has an event loop on this thread.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, send()).result()


def test_a_revoked_robots_driver_is_cut_off_and_told_why(
    backend: LocalBackend,
    tmp_path: Path,
    open_page: Open,
    record_property: Callable[[str, object], None],
) -> None:
    """The page closes its peer connection, which the thief would keep open."""
    file = ("--file", str(tmp_path / "robot.json"))
    code = ask(backend, "create-code", robotId=ROBOT)["code"]
    assert Process("robot", "enroll", backend.url, code, *file).ended() == 0
    robot = Process("robot", "--url", backend.url, *file)
    robot.wait_for(f"^{ROBOT}: online")
    page = open_page(f"{backend.page_url}#token={backend.token(OWNER)}")
    page.evaluate(COUNT_PEERS)
    page.click(f"li[data-robot-id={ROBOT}] [data-action=drive]")
    page.wait_for_text("#banner-title", f"You drive {ROBOT}")
    assert page.evaluate(OPEN_PEERS) == 1
    (key,) = ask(backend, "keys", robotId=ROBOT)["keys"]

    began = time.monotonic()
    ask(backend, "revoke-key", robotId=ROBOT, kid=key["kid"])
    page.wait_for(f"() => ({OPEN_PEERS})() === 0")
    took = time.monotonic() - began
    record_property("figure", f"from the revocation's connection to a closed peer: {took:.2f} s")

    page.wait_for("() => document.body.textContent.includes('key was revoked')")
    robot.wait_for(f"^{ROBOT}: offline: the server refuses its key")
    assert robot.stop() == 0
