import asyncio
import gc
import os
from typing import Any

from robosignal.robot import logic
from robosignal.robot.actions import Frame
from robosignal.robot.outbox import KEPT, Outbox, posted
from robosignal.robot.peer import Peer
from robosignal.robot.presence import Presence
from robosignal.robot.state import Robot
from tests.robot.stage import (
    ALICE,
    INSTANCE,
    PATIENCE,
    ROBOT,
    WELCOME,
    Stage,
    browser,
    robot,
    session,
)

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


def test_no_flood_of_frames_hides_who_drives() -> None:
    """Whatever else comes between `register` and its answer, a takeover is not pushed out."""
    first, second = session("a"), session("b")
    seen = Robot(Presence(ROBOT, INSTANCE))
    takeover = {"type": "takeover", "robotId": ROBOT, "by": ALICE, "reason": "owner"}
    candidate = {"type": "ice-candidate", "robotId": ROBOT, "sessionId": first, "role": "viewer"}
    control = {"epoch": 2, "sessionId": first}
    standing = {"type": "registered", "replyTo": "register-1", "robotId": ROBOT, "control": control}
    intervals = {"heartbeatSeconds": 120, "leaseSeconds": 300, "iceServers": [], "sessions": []}
    came: list[dict[str, Any]] = [
        WELCOME,
        takeover | {"sessionId": second, "epoch": 3},
        *[candidate | {"payload": {"candidate": "candidate:1"}}] * (2 * logic.DEFERRED),
        standing | intervals,
    ]
    for frame in came:
        seen, _ = logic.step(seen, Frame(frame), 0)

    assert (seen.fence.epoch, seen.fence.holder) == (3, second)
