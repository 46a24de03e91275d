import asyncio
import gc
import os

from robosignal.robot.outbox import KEPT, Outbox, posted
from robosignal.robot.peer import Peer
from tests.robot.stage import ALICE, PATIENCE, Stage, browser, robot

SESSIONS = 4


async def one_session(stage: Stage, number: int) -> None:
    """Join, see a frame, drive, and leave."""
    async with browser(stage, "a", f"peer-connection-{number}", ALICE) as alice:
        await alice.join("controller", number)
        assert await alice.number() is not None
        await alice.drive(number)
        await stage.push("peer-left", sessionId=alice.session, reason="bye", epoch=number + 1)
        await asyncio.wait_for(alice.closed.wait(), PATIENCE)


async def settled(before: set[asyncio.Task[object]]) -> set[asyncio.Task[object]]:
    """Return the tasks that have been added and do not end."""
    added = asyncio.all_tasks() - before
    return (await asyncio.wait(added, timeout=PATIENCE))[1] if added else set()


def descriptors() -> int:
    """Return how many files and sockets this process has open."""
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 - no directory whose entries are wanted


async def test_sessions_that_end_leave_nothing_behind() -> None:
    """No task, no peer connection and no open socket outlives its session."""
    stage = Stage()
    async with stage.open(), robot(stage):
        # The first one makes what is made once, such as a pool of threads.
        tasks = asyncio.all_tasks()
        await one_session(stage, 2)
        assert not await settled(tasks)
        opened = descriptors()
        for number in range(SESSIONS):
            await one_session(stage, 4 + 2 * number)
        left = await settled(tasks)
        gc.collect()
        peers = [found for found in gc.get_objects() if isinstance(found, Peer)]

        assert not left
        assert peers == []
        assert descriptors() <= opened


def test_outbox_keeps_so_many_frames_and_no_more() -> None:
    """A server that answers nothing costs a bounded number of frames."""
    box, sends = Outbox(), 0
    for number in range(3 * KEPT):
        box, actions = posted(box, {"n": number}, registered=number % 2 == 0)
        sends += len(actions)

    assert len(box.sent) == KEPT
    assert len(box.waiting) <= KEPT
    assert sends == 3 * KEPT - 1
