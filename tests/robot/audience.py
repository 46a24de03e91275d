"""Many who watch one robot, with a takeover now and then; what each of them sees is counted."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiortc.mediastreams import MediaStreamError

from tests.robot import camera_robot
from tests.robot.server import PATIENCE, Browser, SignalingServer

LETTERS = "abcdefghijklmnopqrstuvwxyz"
END_SECONDS = 5
"""How long a robot may take to end after SIGTERM."""


STARTING_SECONDS = 60
"""It imports much, and draws its pictures, on a machine that may be busy."""


@dataclass
class Viewer:
    """One who watches; `shown` counts pictures that differ from the one before."""

    letter: str
    browser: Browser
    shown: int = 0
    connections: int = 1
    last: int | None = None
    watching: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def person(self) -> dict[str, str]:
        """Who it is."""
        return {"userId": f"u-{self.letter}", "name": self.letter.upper()}

    async def watch(self) -> None:
        """Count pictures until the connection ends."""
        try:
            while True:
                number = await self.browser.number()
                self.shown += number is not None and number != self.last
                self.last = number
        except MediaStreamError:
            pass

    async def receive(self) -> None:
        """Count pictures that have come whole, without a look at them."""
        track = self.browser.track
        try:
            while True:
                time = (await track.recv()).pts
                self.shown += time != self.last
                self.last = time
        except MediaStreamError:
            pass


class Audience:
    """Those who watch a robot; the first of them drives until somebody takes over.

    With `looks`, what counts is the number that each picture shows.
    """

    def __init__(self, server: SignalingServer, *, looks: bool = True) -> None:
        self.viewers: list[Viewer] = []
        self._server = server
        self._looks = looks
        self._driver = 0
        self._epoch = 2

    async def add(self) -> None:
        """Have one more watch."""
        letter = LETTERS[len(self.viewers)]
        viewer = Viewer(letter, None)  # type: ignore[arg-type]
        await self._connect(viewer, is_driver=not self.viewers)
        self.viewers.append(viewer)

    async def take_over(self) -> Viewer:
        """Have the next one drive, and who drove before watch again; return who drives now."""
        displaced = self.viewers[self._driver]
        self._driver = (self._driver + 1) % len(self.viewers)
        driver = self.viewers[self._driver]
        self._epoch += 1
        await self._server.push(
            "takeover",
            by=driver.person,
            reason="owner",
            sessionId=driver.browser.session,
            epoch=self._epoch,
        )
        await asyncio.wait_for(displaced.browser.closed.wait(), PATIENCE)
        await self._disconnect(displaced)
        displaced.connections += 1
        await self._connect(displaced, is_driver=False)
        return driver

    async def count(self, seconds: float) -> list[int]:
        """Return how many new pictures each has seen in so many seconds."""
        before = [viewer.shown for viewer in self.viewers]
        await asyncio.sleep(seconds)
        return [viewer.shown - had for viewer, had in zip(self.viewers, before, strict=True)]

    async def close(self) -> None:
        """Have all of them leave."""
        for viewer in self.viewers:
            await self._disconnect(viewer)

    async def _connect(self, viewer: Viewer, *, is_driver: bool) -> None:
        pc = f"pc-{viewer.letter}{viewer.connections}"
        viewer.browser = Browser(self._server, viewer.letter, pc, viewer.person)
        await viewer.browser.join(*(("controller", self._epoch) if is_driver else ("viewer",)))
        watch = viewer.watch if self._looks else viewer.receive
        viewer.watching = asyncio.create_task(watch())

    async def _disconnect(self, viewer: Viewer) -> None:
        assert viewer.watching is not None
        viewer.watching.cancel()
        await asyncio.gather(viewer.watching, return_exceptions=True)
        await viewer.browser.close()


@dataclass(frozen=True)
class RobotProcess:
    """A robot in a process of its own."""

    process: Process
    log: Path

    def cpu_seconds(self) -> float:
        """Return what processor time it has used, in user and kernel mode (proc(5))."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def terminate(self) -> tuple[int, float]:
        """Send SIGTERM; return its exit code, and how long it took to end, in seconds."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(self.process.wait(), 4 * END_SECONDS)
        return code, time.monotonic() - began


@asynccontextmanager
async def camera_robot_process(
    server: SignalingServer,
    directory: Path,
    *,
    pixels: str,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[RobotProcess]:
    """Run `camera_robot.py` until left, or until it ends."""
    log = directory / "robot.log"
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            camera_robot.__file__,
            server.url,
            f"--pixels={pixels}",
            stdout=written,
            stderr=written,
            env={**os.environ, **(environment or {})},
        )
    try:
        registering = asyncio.create_task(server.frame("register", STARTING_SECONDS))
        ending = asyncio.create_task(process.wait())
        await asyncio.wait({registering, ending}, return_when=asyncio.FIRST_COMPLETED)
        assert not ending.done(), log.read_text()
        await registering
        yield RobotProcess(process, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
