"""What a robot obeys while the network, or its own process, fails: figures of real drives.

The page is a real peer connection, and its packets go over a relay that harms them. Each command
has a speed of its own, so what the motors are told says which command it was, and how old.
`python -m tests.robot.faults` prints the figures of long runs.
"""

import asyncio
import sys
from dataclasses import dataclass, field
from time import monotonic

from robosignal.robot.drive import STILL, Drive
from robosignal.robot.media.consent import keep_consent
from tests.robot.relay import Relay, relay
from tests.robot.server import ALICE, Browser, SignalingServer, browser, robot

COMMAND_SECONDS = 0.05
AGAIN_SECONDS = 0.025
"""How long after a command it goes once more."""

STEP = 1e-6
"""How much faster each command is than the one before it."""


@dataclass
class Record:
    """What was sent and what the motors were told, with the times, in seconds.

    `sent` has each command's number with its `t`, in ms.
    """

    sent: dict[int, int] = field(default_factory=dict)
    told: list[tuple[float, Drive]] = field(default_factory=list)

    def move(self, drive: Drive) -> None:
        """Take what the motors are told."""
        self.told.append((monotonic(), drive))

    def obeyed(self) -> list[tuple[int, float, float]]:
        """Return each motion's number, when it was told, and its age then, in seconds."""
        found = []
        for at, drive in self.told:
            if drive != STILL:
                n = round((drive.y - 0.1) / STEP)
                found.append((n, at, at - self.sent[n] / 1000))
        return found

    def oldest(self) -> float:
        """Return the age of the oldest motion that was obeyed, in seconds; 0 without any."""
        return max((age for _, _, age in self.obeyed()), default=0.0)

    def stops(self) -> int:
        """Return how often the motors were stopped while they ran."""
        pairs = zip(self.told, self.told[1:], strict=False)
        return sum(a[1] != STILL and b[1] == STILL for a, b in pairs)

    def longest_run_on(self) -> float:
        """Return the longest time for which a motion outlasted its command, in seconds."""
        pairs = zip(self.told, self.told[1:], strict=False)
        return max((b[0] - a[0] for a, b in pairs if a[1] != STILL), default=0.0)


class Page:
    """A page that drives: 20 commands a second, each of them twice; zeros while no key is held.

    As pages do, it keeps their rhythm by the clock. It sends no motion while it has heard nothing
    for a second, and after a stop only when `press` is called again.
    """

    def __init__(self, client: Browser, record: Record) -> None:
        self._client = client
        self._record = record
        self.is_pressed = False
        self.is_stubborn = False
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Send nothing more."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        due = monotonic()
        while True:
            self.send(moving=self.is_pressed)
            # As a timer of a page's, it does not make up for what it missed.
            due = max(due + AGAIN_SECONDS, monotonic())
            await asyncio.sleep(due - monotonic())

    def send(self, *, moving: bool) -> None:
        """Send one command."""
        if not self._client.heartbeats:
            return
        newest = int(self._client.newest["t"])
        if moving and not self.is_stubborn and monotonic() - newest / 1000 > 1:
            return
        n = self._client.n + 1
        self._record.sent[n] = newest
        self._client.command(0.1 + n * STEP if moving else 0.0)


async def drive_over(
    path: Relay, seconds: float, *, loss: float, delay: tuple[float, float]
) -> str:
    """Drive for so long over a path that is as bad; return the figures."""
    server, record = SignalingServer(), Record()
    async with (
        server.open(),
        # Without video, which this process would both encode and decode.
        robot(server, on_drive=record.move, video=lambda: None),
        browser(server, "a", "pc-a1", ALICE, drive=True, path=path) as alice,
    ):
        keep_consent(alice.ice)
        await alice.join("controller", 2)
        path.loss, path.delay = loss, delay
        page = Page(alice, record)
        await alice.beat(armed=True)
        page.is_pressed = True
        pause = await _longest_pause(seconds)
        stops, alive = record.stops(), not alice.closed.is_set()
        await page.stop()
        refused = alice.newest["refused"]
        obeyed = record.obeyed()
    return (
        f"{len(record.sent)} sent, {len(obeyed)} obeyed, oldest {record.oldest() * 1000:.0f} ms, "
        f"{stops} stops, {refused}, peer {'lives' if alive else 'LOST'}; "
        f"longest pause of this machine {pause * 1000:.0f} ms"
    )


async def _longest_pause(seconds: float) -> float:
    """Wait for so long; return for how long, at worst, this process did not run, in seconds."""
    worst, until = 0.0, monotonic() + seconds
    while (before := monotonic()) < until:
        await asyncio.sleep(COMMAND_SECONDS)
        worst = max(worst, monotonic() - before - COMMAND_SECONDS)
    return worst


async def main() -> None:
    """Print the figures for 30 % loss each way: so many runs of so many seconds."""
    runs, seconds = (int(text) for text in sys.argv[1:3])
    for seed in range(runs):
        async with relay(seed) as path:
            figures = await drive_over(path, seconds, loss=0.3, delay=(0.02, 0.06))
        sys.stdout.write(f"30 % loss each way, run {seed + 1}: {figures}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
