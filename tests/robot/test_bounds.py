import asyncio
import gc
import os
from typing import Any

from robosignal.robot.media.peer import Peer
from robosignal.robot.session import machine
from robosignal.robot.session.events import Frame, Send, Tick
from robosignal.robot.session.pending import OUTGOING, PUSHES, Outbox
from robosignal.robot.session.registration import Identity, Registration
from robosignal.robot.session.state import RobotState
from tests.robot.server import (
    ALICE,
    INSTANCE,
    PATIENCE,
    ROBOT,
    WELCOME,
    SignalingServer,
    browser,
    robot,
    session,
)

SESSIONS = 4


async def one_session(server: SignalingServer, number: int) -> None:
    """Join, see a frame, drive, and leave."""
    async with browser(server, "a", f"peer-connection-{number}", ALICE) as alice:
        await alice.join("controller", number)
        assert await alice.number() is not None
        await alice.drive(number)
        await server.push("peer-left", sessionId=alice.session, reason="bye", epoch=number + 1)
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
    server = SignalingServer()
    async with server.open(), robot(server):
        # The first one makes what is made once, such as a pool of threads.
        tasks = asyncio.all_tasks()
        await one_session(server, 2)
        assert not await settled(tasks)
        opened = descriptors()
        for number in range(SESSIONS):
            await one_session(server, 4 + 2 * number)
        left = await settled(tasks)
        gc.collect()
        peers = [found for found in gc.get_objects() if isinstance(found, Peer)]

        assert not left
        assert peers == []
        assert descriptors() <= opened


def test_outbox_keeps_so_many_frames_and_no_more() -> None:
    """A server that answers nothing costs a bounded number of frames."""
    box, sends = Outbox(), 0
    for number in range(3 * OUTGOING):
        box, actions = box.post({"n": number}, is_registered=number % 2 == 0)
        sends += len(actions)

    assert len(box.unanswered) == OUTGOING
    assert len(box.waiting) <= OUTGOING
    assert sends == 3 * OUTGOING - 1


def test_no_flood_of_frames_hides_who_drives() -> None:
    """Whatever else comes between `register` and its answer, a takeover is not pushed out."""
    first, second = session("a"), session("b")
    seen = RobotState(Registration(Identity(ROBOT, INSTANCE)))
    takeover = {"type": "takeover", "robotId": ROBOT, "by": ALICE, "reason": "owner"}
    candidate = {"type": "ice-candidate", "robotId": ROBOT, "sessionId": first, "role": "viewer"}
    control = {"epoch": 2, "sessionId": first}
    standing = {"type": "registered", "replyTo": "register-1", "robotId": ROBOT, "control": control}
    intervals = {"heartbeatSeconds": 120, "leaseSeconds": 300, "iceServers": [], "sessions": []}
    came: list[dict[str, Any]] = [
        WELCOME,
        takeover | {"sessionId": second, "epoch": 3},
        *[candidate | {"payload": {"candidate": "candidate:1"}}] * (2 * PUSHES),
        standing | intervals,
    ]
    for frame in came:
        seen, _ = machine.step(seen, Frame(frame), 0)

    assert (seen.control.fence.epoch, seen.control.fence.holder) == (3, second)


class Forgetful:
    """A server that registers the robot, and knows nothing of it when it is asked for more."""

    def __init__(self) -> None:
        """Bring a robot to its welcome."""
        self.seen = RobotState(Registration(Identity(ROBOT, INSTANCE)))
        self.now = 0
        self.sent: list[dict[str, Any]] = []
        self.registers = 0
        self.tell(Frame(WELCOME))

    def tell(self, event: Frame | Tick) -> None:
        """Tell the robot of an event, and keep what it sends."""
        self.seen, actions = machine.step(self.seen, event, self.now)
        frames = [action.frame for action in actions if isinstance(action, Send)]
        asked = [frame for frame in frames if frame["type"] == "register"]
        assert not asked or not any(frame["type"] == "register" for frame in self.sent)
        self.registers += len(asked)
        self.sent = [*asked, *self.sent, *(frame for frame in frames if frame not in asked)]

    def stranger(self, number: int) -> None:
        """Push a frame of a session that the robot does not know: it says `bye`."""
        frame = {"type": "answer", "robotId": ROBOT, "role": "viewer", "payload": {"sdp": "x"}}
        self.tell(Frame(frame | {"sessionId": f"{ROBOT}:{number}"}))

    def answer(self) -> None:
        """Answer what the robot has sent; `register` first, as replies may overtake each other."""
        while self.sent:
            frame = self.sent.pop(0)
            self.now += 1
            if frame["type"] == "register":
                told = {
                    "robotId": ROBOT,
                    "control": {"epoch": 2},
                    "sessions": [],
                    "leaseSeconds": 300,
                }
                fixed = {"type": "registered", "heartbeatSeconds": 10, "iceServers": []}
                self.tell(Frame(fixed | told | {"replyTo": frame["id"]}))
            elif "id" in frame:
                refusal = {"type": "error", "code": "not_registered", "message": "register first"}
                self.tell(Frame(refusal | {"replyTo": frame["id"]}))


def test_however_much_is_refused_at_once_the_robot_registers_again_once() -> None:
    """What was sent before the last registration was refused for want of the one before."""
    server = Forgetful()
    server.answer()
    for number in range(100):
        server.stranger(number)
    server.answer()

    assert server.registers == 2


def test_a_server_that_never_knows_the_robot_is_asked_less_and_less_often() -> None:
    """At once, then after 1 s, 2 s, 4 s and so on up to a minute; one at a time."""
    server = Forgetful()
    at: list[int] = []
    while server.now < 600_000:
        before = server.registers
        server.stranger(server.now)
        server.answer()
        server.now += 100
        server.tell(Tick())
        at += [server.now // 1000] * (server.registers - before)

    assert at[:8] == [0, 1, 3, 7, 15, 31, 63, 123]
    assert len(at) == 15


def test_a_robot_that_was_known_for_long_registers_again_at_once() -> None:
    """A lapse now and then is no fight of two devices."""
    server = Forgetful()
    server.answer()
    for lapse in range(5):
        server.stranger(lapse)
        server.answer()
        server.now += 130_000

    assert server.registers == 6
