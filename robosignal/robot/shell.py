"""The robot as a running program: sockets, timers and peers around the pure logic.

Knows how to carry out what the logic asks for; decides nothing itself.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, assert_never

from aiortc import MediaStreamTrack
from msgspec.structs import replace

from robosignal.network import ABNORMAL
from robosignal.protocol.ids import SessionId
from robosignal.robot import actions, admission, logic, signals
from robosignal.robot.admission import Admission
from robosignal.robot.camera import Camera, CameraTrack
from robosignal.robot.frames import PcId, Unreadable, parse, steadied
from robosignal.robot.ice import configuration
from robosignal.robot.link import Attempt, Connection, Phase, Span
from robosignal.robot.motors import Motors, Mover
from robosignal.robot.peer import Peer
from robosignal.robot.peers import Peers
from robosignal.robot.presence import Presence
from robosignal.robot.sockets import Sockets
from robosignal.robot.state import Robot
from robosignal.robot.token import TokenSource

FAREWELL_SECONDS = 5
"""How long closing the socket and the peers may take at the end."""

Video = Callable[[], MediaStreamTrack | None]
"""Makes the video track of one peer, which owns and stops it; None for a peer without video."""


class Shell:
    """Carries out the outputs of the connection's logic and the actions of the robot's."""

    def __init__(
        self,
        url: str,
        token: TokenSource,
        presence: Presence,
        span: Span,
        log: logging.Logger,
        *,
        is_renewable: bool,
        move: Mover | None = None,
        video: Video | None = None,
    ) -> None:
        self._log = log
        self._loop = asyncio.get_running_loop()
        connection = Connection(heartbeats=False, span=span)
        self._admission = Admission(connection, renewable=is_renewable)
        self._robot = Robot(presence)
        self._camera = Camera(presence.robot_id, time.monotonic)
        # The picture's marker comes last: it drives as the motors do.
        movers = [*([] if move is None else [move]), self._camera.move]
        self._motors = Motors(presence.robot_id, movers, log)
        self._video = video or (lambda: CameraTrack(self._camera))
        self._ice = configuration([])
        self._sockets = Sockets(url, token, self._take_from_socket)
        self._peers = Peers(self._open, self._drives, self._take_from_peer)
        self._redial: asyncio.TimerHandle | None = None
        self._due: asyncio.TimerHandle | None = None
        self._ended: asyncio.Future[int] = self._loop.create_future()

    async def run(self, stop: asyncio.Event) -> int:
        """Connect, and return the exit code once `stop` is set or going on is of no use."""
        stopping = asyncio.ensure_future(stop.wait())
        waited: set[asyncio.Future[Any]] = {stopping, self._ended}
        self._on_connection(signals.Start())
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            try:
                await self._leave()
            finally:
                self._motors.close()
        return self._ended.result() if self._ended.done() else 0

    async def _leave(self) -> None:
        # First of all the motors: no command and no timer follows that could stop them.
        self._take_from_peer(actions.Stop())
        if self._admission.online and not self._ended.done():
            self._send({"type": "unregister", "robotId": self._robot.presence.robot_id})
        self._on_connection(signals.Stop())
        for timer in (self._redial, self._due):
            if timer is not None:
                timer.cancel()
        await self._peers.closed(FAREWELL_SECONDS)
        await self._sockets.closed(FAREWELL_SECONDS)
        await self._motors.closed()

    def _end(self, text: str) -> None:
        self._log.error("%s: %s", self._robot.presence.robot_id, text)
        if not self._ended.done():
            self._ended.set_result(1)

    def _now(self) -> int:
        return int(self._loop.time() * 1000)

    def _take_from_socket(self, event: signals.Event) -> None:
        with self._surviving():
            self._on_connection(self._readable(event))

    def _readable(self, event: signals.Event) -> signals.Event:
        """Return what a socket's event is: one whose welcome cannot be read is of no use."""
        if not isinstance(event, signals.FrameCame) or event.socket == "old":
            return event
        frame = event.frame
        if frame.get("type") != "welcome" or not isinstance(parse(frame), Unreadable):
            return event
        return self._hang_up("the server's welcome cannot be read", event.socket)

    def _hang_up(self, why: str, which: signals.Which = None) -> signals.Closed:
        self._sockets.close(which, why)
        return signals.Closed(ABNORMAL, which)

    def _take_from_peer(self, event: actions.Event) -> None:
        with self._surviving():
            self._on_robot(event)

    @contextmanager
    def _surviving(self, asked: admission.Told | actions.Action | None = None) -> Iterator[None]:
        # The logic is pure, so an event that it fails on has changed nothing; and each thing that
        # it asks for is tried. A fault of ours costs that much, and not the drivers' video.
        try:
            yield
        except Exception:  # noqa: BLE001 - the entry of all events
            what = "ignores what it fails on" if asked is None else f"fails to {_named(asked)}"
            self._log.exception("%s: %s", self._robot.presence.robot_id, what)

    def _on_connection(self, event: signals.Event) -> None:
        if isinstance(event, signals.FrameCame):
            wall = time.time_ns() // 1_000_000
            event = replace(event, frame=steadied(event.frame, wall, self._now()))
        before = self._admission.connection
        jitter = random.random()  # noqa: S311 - spreads redials, protects nothing
        self._admission, told = admission.step(self._admission, event, self._now(), jitter)
        for output in told:
            with self._surviving(output):
                self._put_out(output)
        self._tell_losses(before)
        if isinstance(event, signals.FrameCame):
            self._pass_on(event, swapped=signals.Swap() in told)

    def _pass_on(self, event: signals.FrameCame, *, swapped: bool) -> None:
        # Before its welcome, the next socket has nothing to say to the robot.
        if self._ended.done() or (event.socket == "next" and not swapped):
            return
        self._on_robot(actions.Frame(event.frame, "old" if event.socket == "old" else None))

    def _put_out(self, output: admission.Told) -> None:  # noqa: C901 - one for each output
        match output:
            case signals.Dial(which):
                self._sockets.dial(which)
            case signals.Send(frame, which):
                self._sockets.send(which, frame)
            case signals.Swap():
                self._sockets.swap()
            case signals.Adopt():
                self._sockets.adopt()
            case signals.Wake(at):
                self._wake(at)
            case signals.Enter("offline"):
                self._on_robot(actions.Offline())
            case signals.Enter() | signals.SignIn():
                pass
            case signals.Close(which):
                self._sockets.close(which)
            case admission.Say(text):
                self._say(text)
            case admission.GiveUp(text):
                self._end(text)
            case other:
                assert_never(other)

    def _wake(self, at: int) -> None:
        if self._redial is not None:
            self._redial.cancel()
        self._redial = self._loop.call_at(at / 1000, self._take_from_socket, signals.Tick())

    def _tell_losses(self, before: Connection) -> None:
        now = self._admission.connection
        if isinstance(now.current, Attempt) and now.current != before.current:
            self._tell_loss("offline", None, now.current)
        if now.next is not None and now.next != before.next:
            self._tell_loss("cannot redial yet", "next", now.next)

    def _tell_loss(self, what: str, which: signals.Which, attempt: Attempt) -> None:
        if attempt.phase is Phase.WAITING:
            seconds = (attempt.due - self._now()) / 1000
            why = self._sockets.why(which)
            self._say(f"{what}: {why}; dials again in {seconds:.1f} s")

    def _send(self, frame: dict[str, Any]) -> None:
        self._sockets.send(None, frame)

    def _on_robot(self, event: actions.Event) -> None:
        self._robot, asked = logic.step(self._robot, event, self._now())
        # First the timer: whatever fails below, the robot stops when commands cease.
        if self._due is not None:
            self._due.cancel()
        due = logic.next_due(self._robot)
        if due is not None:
            self._due = self._loop.call_at(due / 1000, self._take_from_peer, actions.Tick())
        for action in asked:
            with self._surviving(action):
                self._carry_out(action)

    def _carry_out(self, action: actions.Action) -> None:  # noqa: C901 - one for each action
        match action:
            case actions.Send(frame):
                self._send(frame)
            case actions.Open(session, pc, sdp) | actions.Renegotiate(session, pc, sdp):
                self._peers.offer(session, pc, sdp)
            case actions.Add(session, pc, candidate):
                self._peers.add(session, pc, candidate)
            case actions.Say(session, pc, data):
                self._peers.say(session, pc, data)
            case actions.Shut(session, pc):
                self._peers.shut(session, pc)
            case actions.Move(drive):
                self._motors.move(drive)
            case actions.Show(driver, epoch):
                self._camera.show(driver, epoch)
            case actions.UseIce(servers):
                self._ice = configuration(servers)
            case actions.Log(text):
                self._say(text)
            case actions.Redial(text):
                self._loop.call_soon(self._take_from_socket, self._hang_up(text))
            case actions.Quit(text):
                self._end(text)
            case other:
                assert_never(other)

    def _open(self, session: SessionId, pc: PcId, tell: Callable[[actions.Event], None]) -> Peer:
        return Peer(session, pc, self._ice, self._filmed, tell)

    def _drives(self, session: SessionId) -> bool:
        return self._robot.fence.obeys(session)

    def _filmed(self) -> MediaStreamTrack | None:
        try:
            return self._video()
        except Exception:
            self._log.exception("%s: has no video to give", self._robot.presence.robot_id)
            raise

    def _say(self, text: str) -> None:
        self._log.info("%s: %s", self._robot.presence.robot_id, text)


def _named(asked: admission.Told | actions.Action) -> str:
    """Return which thing was asked for, and of whom; never what was to be sent or said."""
    name = type(asked).__name__.lower()
    session: SessionId | None = getattr(asked, "session_id", None)
    return name if session is None else f"{name} {session}"
