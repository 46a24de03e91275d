"""The robot as a running program: sockets, timers and peers around the pure logic.

Knows how to carry out what the logic asks for; decides nothing itself.
"""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, assert_never

from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from robosignal.robot import actions, connection, logic
from robosignal.robot.camera import Camera, CameraTrack
from robosignal.robot.connection import Connection
from robosignal.robot.frames import PcId
from robosignal.robot.ice import configuration
from robosignal.robot.peer import Peer
from robosignal.robot.presence import Presence
from robosignal.robot.socket import Socket
from robosignal.robot.state import Robot
from signaling.wire.ids import InstanceId, RobotId, SessionId

FAREWELL_SECONDS = 5
"""How long closing the socket and the peers may take at the end."""


async def run(
    url: str,
    robot_id: RobotId,
    token: str,
    *,
    log: logging.Logger,
    stop: asyncio.Event | None = None,
    instance_id: InstanceId | None = None,
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Be this robot until `stop` is set, and return the exit code.

    0 after `stop`, which makes the robot unregister; 1 when going on would be of no use: the
    token is refused, the robot may not register, or another device bears its id. The log's last
    line then says what to do. `instance_id` is random for each run unless given.
    """
    try:
        parse_uri(url)
    except InvalidURI:
        log.error("%s: --url must be a WebSocket URL, such as ws://127.0.0.1:8080/prod", robot_id)  # noqa: TRY400
        return 1
    for chatty in ("aiortc", "aioice"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    instance = instance_id or InstanceId(secrets.token_hex(16))
    client = Client(url, token, Presence(robot_id, instance, metadata or {}), log)
    return await client.run(stop or asyncio.Event())


class Client:
    """Carries out the outputs of the connection's logic and the actions of the robot's."""

    def __init__(self, url: str, token: str, presence: Presence, log: logging.Logger) -> None:
        self._url = url
        self._token = token
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(heartbeats=False)
        self._robot = Robot(presence)
        self._camera = Camera(presence.robot_id, time.monotonic)
        self._ice = configuration([])
        self._socket: Socket | None = None
        self._peers: dict[tuple[SessionId, PcId], Peer] = {}
        self._redial: asyncio.TimerHandle | None = None
        self._due: asyncio.TimerHandle | None = None
        self._farewells: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[int] = self._loop.create_future()

    async def run(self, stop: asyncio.Event) -> int:
        """Connect, and return the exit code once `stop` is set or going on is of no use."""
        stopping = asyncio.ensure_future(stop.wait())
        waited: set[asyncio.Future[Any]] = {stopping, self._ended}
        self._on_connection(connection.Start())
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await self._leave()
        return self._ended.result() if self._ended.done() else 0

    async def _leave(self) -> None:
        if self._connection.phase is connection.Phase.ONLINE and not self._ended.done():
            self._send({"type": "unregister", "robotId": self._robot.presence.robot_id})
        self._on_connection(connection.Stop())
        for timer in (self._redial, self._due):
            if timer is not None:
                timer.cancel()
        for peer in self._peers.values():
            self._farewell(peer.close())
        self._peers.clear()
        if self._farewells:
            await asyncio.wait(set(self._farewells), timeout=FAREWELL_SECONDS)

    def _end(self, text: str) -> None:
        self._log.error("%s: %s", self._robot.presence.robot_id, text)
        if not self._ended.done():
            self._ended.set_result(1)

    def _now(self) -> int:
        return int(self._loop.time() * 1000)

    def _take_from_socket(self, event: connection.Event) -> None:
        with self._surviving():
            self._on_connection(event)

    def _take_from_peer(self, event: actions.Event) -> None:
        with self._surviving():
            self._on_robot(event)

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        # The logic is pure, so an event that it fails on has changed nothing: a fault of ours
        # costs that event, and not the drivers' video.
        try:
            yield
        except Exception:  # noqa: BLE001 - the entry of all events
            self._log.exception("%s: ignores what it fails on", self._robot.presence.robot_id)

    def _on_connection(self, event: connection.Event) -> None:
        jitter = random.random()  # noqa: S311 - spreads redials, protects nothing
        self._connection, outputs = connection.step(self._connection, event, self._now(), jitter)
        for output in outputs:
            self._put_out(output)
        if isinstance(event, connection.FrameCame) and not self._ended.done():
            self._on_robot(actions.Frame(event.frame))

    def _put_out(self, output: connection.Output) -> None:
        match output:
            case connection.Dial():
                self._socket = Socket(self._url, self._token, self._take_from_socket)
            case connection.Send(frame):
                self._send(frame)
            case connection.Wake(at):
                self._wake(at)
            case connection.Enter(state):
                self._entered(state)
            case connection.SignIn():
                self._end(
                    "the token is refused or expired: sign in again, and pass the new --token"
                )
            case connection.Close():
                self._hang_up()
            case other:
                assert_never(other)

    def _wake(self, at: int) -> None:
        if self._redial is not None:
            self._redial.cancel()
        self._redial = self._loop.call_at(at / 1000, self._take_from_socket, connection.Tick())
        if self._connection.phase is connection.Phase.WAITING and self._socket is not None:
            seconds = (at - self._now()) / 1000
            self._say(f"offline: {self._socket.why}; dials again in {seconds:.1f} s")

    def _entered(self, state: str) -> None:
        if state == "offline":
            self._on_robot(actions.Offline())

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._keep(self._socket.done)

    def _send(self, frame: dict[str, Any]) -> None:
        if self._socket is not None:
            self._socket.send(frame)

    def _on_robot(self, event: actions.Event) -> None:
        self._robot, asked = logic.step(self._robot, event, self._now())
        for action in asked:
            self._carry_out(action)
        if self._due is not None:
            self._due.cancel()
        due = logic.next_due(self._robot)
        if due is not None:
            self._due = self._loop.call_at(due / 1000, self._take_from_peer, actions.Tick())

    def _carry_out(self, action: actions.Action) -> None:  # noqa: C901 - one for each action
        match action:
            case actions.Send(frame):
                self._send(frame)
            case actions.Open(session, pc, sdp):
                self._open(session, pc).offer(sdp)
            case actions.Renegotiate(session, pc, sdp):
                self._peers[session, pc].offer(sdp)
            case actions.Add(session, pc, candidate):
                self._peers[session, pc].add(candidate)
            case actions.Say(session, pc, data):
                self._peers[session, pc].say(data)
            case actions.Shut(session, pc):
                self._farewell(self._peers.pop((session, pc)).close())
            case actions.Move(drive):
                self._camera.move(drive)
            case actions.Show(driver, epoch):
                self._camera.show(driver, epoch)
            case actions.UseIce(servers):
                self._ice = configuration(servers)
            case actions.Log(text):
                self._say(text)
            case actions.Quit(text):
                self._end(text)
            case other:
                assert_never(other)

    def _open(self, session: SessionId, pc: PcId) -> Peer:
        peer = Peer(session, pc, self._ice, CameraTrack(self._camera), self._take_from_peer)
        self._peers[session, pc] = peer
        return peer

    def _farewell(self, closing: Coroutine[Any, Any, None]) -> None:
        self._keep(asyncio.create_task(closing))

    def _keep(self, task: asyncio.Task[None]) -> None:
        # The loop itself holds tasks weakly, so one that nobody awaits must be held here.
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    def _say(self, text: str) -> None:
        self._log.info("%s: %s", self._robot.presence.robot_id, text)
