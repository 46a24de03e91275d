"""One session with one robot, through redials, restarts of the robot and changes of driver."""

import asyncio
import logging
import math
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Literal, assert_never

from av import VideoFrame

from robosignal.operator.channels import (
    Capabilities,
    Heartbeat,
    Message,
    Pong,
    Refused,
    Stop,
    Telemetry,
    encode_values,
    name_values,
    read_controls,
)
from robosignal.operator.commands import LOOP_SECONDS, Blocked, CommandSender, Standing
from robosignal.operator.errors import OperatorError, read_person
from robosignal.operator.events import (
    ControlDenied,
    ControlGained,
    ControlLost,
    ControlRequested,
    DriverChanged,
    Event,
    State,
    StateChanged,
    Stopped,
    StopRefused,
)
from robosignal.operator.feed import Feeds
from robosignal.operator.peer import Peer
from robosignal.operator.signaling import Frame, Signaling
from robosignal.protocol.frames import Person
from robosignal.robot.controls import Control, Given
from robosignal.robot.drive import Drive
from robosignal.robot.telemetry import Field, Value

Role = Literal["controller", "viewer"]

CALL_SECONDS = 30
"""How long `drive`, `view` and `take_over` may take to join a robot."""

ANSWER_SECONDS = 10
PATH_SECONDS = 15
SILENCE_MS = 10_000
"""How long the robot may be silent before a new peer connection is offered."""

RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 10.0
LONGEST_REPEAT_SECONDS = 30.0
CONTROLLER_RENEWS_SECONDS = 20
VIEWER_RENEWS_SECONDS = 120
REQUEST_SECONDS = 30
MOST_EVENTS = 256

TRANSIENT = frozenset(
    {
        "robot_offline",
        "peer_gone",
        "no_session",
        "too_many_viewers",
        "rate_limited",
        "try_again",
        "internal",
        "token_expired",
        "timeout",
        "offline",
    }
)
"""Errors after which another try may succeed; all others end the session."""

LEFT = {
    "evicted": "Your access to the robot has changed. Joining again.",
    "restarted": "The robot has restarted. Joining again.",
    "revoked": "The robot's key was revoked. Waiting for it to come back with another one.",
    "unregistered": "The robot went away. Waiting for it to come back.",
    "bye": "The robot ended the session. Joining again.",
}
"""Why a session has ended, by the reason that the server gives."""

DEAD = "Neither the server nor the robot can be reached. Waiting for the server."
SILENT = "The robot does not respond. Trying again."
PATHLESS = "The robot answers, but no path for media opens to it. A TURN server may be needed."
ENDED = "the session has ended: drive or view the robot again"

_log = logging.getLogger(__name__)


class _Trouble(Exception):
    """The peer connection is of no use any more: the text says why, for people."""


class Session:
    """A session with one robot, through redials, restarts of the robot and changes of driver.

    `Operator.drive`, `view` and `take_over` return one. It ends when it is left, or when the server
    forbids it. Use it on the event loop on which the operator runs, and do not block that: a
    program that does not run sends no commands, and the robot stops.
    """

    def __init__(
        self,
        signaling: Signaling,
        robot_id: str,
        remove: Callable[["Session"], None],
        *,
        has_video: bool,
    ) -> None:
        """Be made by an `Operator`.

        `signaling` is its connection, `robot_id` the robot's id, `remove` is told of the end, and
        `has_video` is whether the robot's video is asked for.
        """
        self._loop = asyncio.get_running_loop()
        self._signaling = signaling
        self._robot_id = robot_id
        self._remove = remove
        self._has_video = has_video
        # What the application sees.
        self._state: State = "connecting"
        self._why: str | None = None
        self._role: Role | None = None
        self._epoch = 0
        self._driver: Person | None = None
        self._lost_to: Person | None = None
        self._is_stale = True
        self._telemetry: Mapping[str, Value] = MappingProxyType({})
        self._telemetry_n = -1
        self._held: Mapping[str, Value] = MappingProxyType({})
        # What the server knows.
        self._want: Role = "viewer"
        self._session_id: str | None = None
        self._driver_id: str | None = None
        self._has_joined = False
        self._has_moved = False
        self._was_evicted = False
        self._heard_at = -math.inf
        self._renew_at = math.inf
        self._asking_until = -math.inf
        # Its requests go one by one, so that it moves to another socket only between them.
        self._requesting = asyncio.Lock()
        self._peer: Peer | None = None
        self._sender: CommandSender | None = None
        self._offer: dict[str, str] | None = None
        self._repeat_at, self._repeat_wait = -math.inf, RETRY_SECONDS
        self._controls: tuple[Control | None, ...] = ()
        self._rejoin = asyncio.Event()
        self._pause: str | None = None
        self._tries = 0
        self._calls: list[asyncio.Future[None]] = []
        self._holders = 0
        self._error: OperatorError | None = None
        self._frames = Feeds[VideoFrame](1)
        self._values = Feeds[Mapping[str, Value]](1)
        self._events = Feeds[Event](MOST_EVENTS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None

    # What is known.

    @property
    def robot_id(self) -> str:
        """The robot's id."""
        return self._robot_id

    @property
    def state(self) -> State:
        """How far it is.

        `connecting`; `live` once everything that the robot declared has arrived; `waiting` for the
        robot, for a path to it, or for the server; or `ended`.
        """
        return self._state

    @property
    def why(self) -> str | None:
        """A sentence for people while it is `waiting` or `ended`."""
        return self._why

    @property
    def role(self) -> Role | None:
        """`controller` if this session drives, `viewer` if not; None before the server's word."""
        return self._role

    @property
    def driver(self) -> Person | None:
        """Who drives, if it is not this session; None if no one does, or if `is_stale`."""
        return self._driver

    @property
    def is_free(self) -> bool:
        """Whether no one drives, as far as this session knows: `request_control` gets it then."""
        return self._role == "viewer" and self._driver is None and not self._is_stale

    @property
    def is_stale(self) -> bool:
        """Whether it is unknown who drives; `driver` is then the last one known."""
        return self._is_stale and self._role != "controller"

    @property
    def lost_to(self) -> Person | None:
        """Who took control from this session, until control moves on."""
        return self._lost_to

    @property
    def epoch(self) -> int:
        """The robot's epoch, the highest that the server has sent; it rises with each driver."""
        return self._epoch

    @property
    def is_asking(self) -> bool:
        """Whether this session has asked for control, up to 30 s ago, and has no answer yet."""
        return self._role == "viewer" and self._loop.time() < self._asking_until

    @property
    def blocked(self) -> Blocked | None:
        """Why no motion is sent though this session drives; None if it is sent.

        `undeclared`: the robot has not yet said how it takes commands; `stopped`: somebody has
        stopped it; `right-ended`: the user's right to drive has ended; `silent`: the robot has not
        been heard for as long as its freshness limit; `unarmed`: it waits for a command with
        nothing in it, which is sent without being asked for.
        """
        if self._role != "controller":
            return None
        return "undeclared" if self._sender is None else self._sender.blocked

    @property
    def stopped_by(self) -> str | None:
        """The name of who has stopped the robot; None if no one has."""
        return None if self._sender is None else self._sender.stopped_by

    @property
    def controls(self) -> tuple[Control, ...]:
        """What the robot declares that can be moved: `Axis`, `Button` and `Choice`."""
        return tuple(each for each in self._controls if each is not None)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of telemetry that the robot declares."""
        return () if self._capabilities is None else tuple(self._capabilities.telemetry)

    @property
    def command_hz(self) -> float:
        """How many commands a second the robot asks for while something is to move."""
        return 20.0 if self._capabilities is None else self._capabilities.command_hz

    @property
    def values(self) -> Mapping[str, Value]:
        """The newest telemetry, by the names of the fields."""
        return self._telemetry

    @property
    def held(self) -> Mapping[str, Value]:
        """Where the controls are that a stop leaves as they are, by name."""
        return self._held

    def frames(self) -> AsyncIterator[VideoFrame]:
        """Return an iterator over the robot's video, of its first camera, as `av.VideoFrame`.

        It has the newest picture, and leaves out those before that its reader had no time for. It
        goes on through new peer connections, and ends with the session.
        """
        return self._frames.open()

    def telemetry(self) -> AsyncIterator[Mapping[str, Value]]:
        """Return an iterator over the robot's telemetry: each time all values, by name.

        It begins with what is known. It has the newest values, and leaves out those before that its
        reader had no time for. The robot publishes them at each change, and once a second at least.
        It ends with the session.
        """
        return self._values.open(self._telemetry or None)

    def events(self) -> AsyncIterator[Event]:
        """Return an iterator over what happens from now on to control, stops and state.

        The newest 256 that were not read are kept. It ends with the session.
        """
        return self._events.open()

    # Commands.

    def drive(self, x: float, y: float) -> bool:
        """Send one drive command, and return whether it was sent.

        `x` is to the right and `y` ahead; beyond -1 to 1 they are cut off. It is in force for
        500 ms unless the robot declares another time, so repeat it while the robot should move, 20
        times a second. While nothing is sent, the session itself sends commands with nothing in
        them.

        It is not sent if this session does not drive, if `blocked` says why no motion is sent, or
        if the channel cannot carry it in time. Once motion was interrupted, by a stop or a silence,
        no more of it is sent until `drive(0, 0)` was called, or for the time of one command
        nothing was: nothing goes on by itself. Raise ValueError if a number is not finite.
        """
        for name, value in (("x", x), ("y", y)):
            if not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number, not {value!r}")
        if self._role != "controller" or self._sender is None:
            return False
        return self._sender.send_drive(Drive(_clamp(x), _clamp(y)))

    def command(self, values: Mapping[str, Given]) -> bool:
        """Send values of the robot's controls, and return whether they were sent.

        `values` are by the names in `controls`: a number for an axis, in its unit, cut off at its
        range; whether a button is pressed; an option of a choice. A control that is left out rests,
        or stays where it is if it holds. They are in force for as long as a drive, and go to the
        robot in one command with it: repeat them `command_hz` times a second. They are not sent for
        the reasons that `drive` names. Raise ValueError for a name that the robot does not declare,
        or a value that its control cannot have.
        """
        if self._role != "controller" or self._sender is None or self._capabilities is None:
            return False
        return self._sender.send_values(encode_values(self._controls, values))

    def stop(self) -> bool:
        """Ask the robot to stop, and to obey no one until `clear_stop`.

        A user who may drive the robot may do so, viewers included. It is a request over a network,
        and no safety function. Return whether it was sent: False if no data channel is open, or if
        the robot is too old to know it.
        """
        return self._sender is not None and self._sender.stop()

    def clear_stop(self) -> bool:
        """Ask the robot to let itself be driven again: the driver and the owner may.

        Return whether it was sent: False if the data channel is not open.
        """
        return self._sender is not None and self._sender.clear_stop()

    # Control.

    async def take_over(self) -> None:
        """Take control from the session that has it.

        The owner and admins may, and the driver's own user from another connection. Raise
        OperatorError: `forbidden`, `robot_offline`, `timeout`, `offline`, `no_session`, `closed`.
        """
        await self._claim("takeover")

    async def request_control(self) -> bool:
        """Ask the driver for control, and return whether this session drives already.

        It does if no one drove. Otherwise the event `ControlGained` or `ControlDenied` tells the
        driver's answer; after 30 s there will be none. Raise OperatorError as `take_over`.
        """
        if self._role != "controller":
            self._asking_until = self._loop.time() + REQUEST_SECONDS
            try:
                await self._claim("request-control")
            except OperatorError:
                self._asking_until = -math.inf
                raise
            # An answer may get lost: the server is asked then.
            self._renew_at = min(self._renew_at, self._asking_until)
        return self._role == "controller"

    async def release(self) -> None:
        """Give control up and go on viewing.

        Raise OperatorError: `not_controller` if this session does not drive, else as `take_over`.
        """
        ack = await self._request({"type": "release-control", "robotId": self._robot_id})
        self._give_up(ack, None)

    async def grant(self, session_id: str) -> None:
        """Hand control over to a viewer, and go on viewing.

        `session_id` is the viewer's, as `ControlRequested` has it. Raise OperatorError:
        `no_session` if the viewer has left, else as `release`.
        """
        frame = {"type": "grant-control", "robotId": self._robot_id, "sessionId": session_id}
        self._give_up(await self._request(frame), session_id)
        self._spawn(self._look_up())

    async def deny(self, session_id: str) -> None:
        """Keep control, and tell the viewer who asked for it.

        `session_id` is the viewer's, as `ControlRequested` has it. Raise OperatorError as `grant`.
        """
        await self._request(
            {"type": "deny-control", "robotId": self._robot_id, "sessionId": session_id}
        )

    async def leave(self) -> None:
        """Leave the session.

        Calls of `drive`, `view` and `take_over` for the same robot return the same session, and
        each holds it: it ends when `leave` has been called once for each of them.
        """
        self._holders -= 1
        if self._holders <= 0:
            await self._close(OperatorError("no_session", ENDED, self._robot_id))

    # The life of it, which the operator begins and ends.

    async def _join(self, role: Role) -> None:
        """Offer as this role, and return once the server has let it in. Raise OperatorError."""
        if self._error is not None:
            raise self._error
        call: asyncio.Future[None] = self._loop.create_future()
        if role == "controller" and self._role == "controller":
            return
        if role == "viewer" and self._has_joined:
            return
        self._calls.append(call)
        if role == "controller":
            self._want = role
        if self._running is None:
            self._running = asyncio.create_task(self._run())
            self._spawn(self._renew_when_due())
        else:
            self._rejoin.set()
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await call
        except TimeoutError:
            self._want = self._role or "viewer"
            code = "timeout" if self._signaling.is_online else "offline"
            text = f"the robot could not be joined within {CALL_SECONDS} s: try again"
            raise OperatorError(code, text, self._robot_id) from None
        finally:
            if call in self._calls:
                self._calls.remove(call)

    async def _close(self, error: OperatorError) -> None:
        """End it: with `bye`, so that the server frees what it holds."""
        async with self._requesting:
            if self._session_id is not None:
                self._signaling.send({"type": "bye", "sessionId": self._session_id})
            self._end(error, None)
            current = asyncio.current_task()
            tasks = [each for each in (self._running, *self._tasks) if each not in (None, current)]
            for task in tasks:
                task.cancel()  # type: ignore[union-attr]
        await asyncio.gather(*tasks, return_exceptions=True)  # type: ignore[arg-type]
        await self._close_peer()

    def _end(self, error: OperatorError, why: str | None) -> None:
        if self._error is None:
            self._error = error
            self._session_id, self._role, self._sender = None, None, None
            self._set_state("ended", why)
            self._settle(error)
            for feeds in (self._frames, self._values, self._events):
                feeds.end()
            self._remove(self)

    def _settle(self, error: OperatorError | None = None) -> None:
        """Tell the calls that wait: they have what they asked for, or why they do not."""
        calls, self._calls = self._calls, []
        for call in calls:
            if not call.done():
                call.set_result(None) if error is None else call.set_exception(error)

    async def _run(self) -> None:
        while self._error is None:
            try:
                await self._signaling.wait_until_online()
            except OperatorError as error:
                self._end(error, error.text)
                return
            if self._pause is not None:
                await self._wait(self._pause)
            self._rejoin.clear()
            self._pause = None
            await self._attempt_until_rejoin()
        await self._close_peer()

    async def _attempt_until_rejoin(self) -> None:
        attempt = asyncio.create_task(self._attempt())
        rejoin = asyncio.create_task(self._rejoin.wait())
        try:
            await asyncio.wait({attempt, rejoin}, return_when=asyncio.FIRST_COMPLETED)
            if not attempt.done():
                # An offer that is on its way is waited for: its reply says what the server knows.
                async with self._requesting:
                    attempt.cancel()
        finally:
            rejoin.cancel()
            attempt.cancel()
            await asyncio.wait({attempt, rejoin})
        if not attempt.cancelled():
            self._judge(attempt.exception())

    async def _attempt(self) -> None:
        """Open a peer connection and use it; raise what ends it."""
        if self._state == "live":
            self._set_state("connecting", None)
        peer, sender = await self._open_peer()
        self._offer = await peer.make_offer()
        await self._send_offer(peer, self._offer)
        self._has_joined = True
        self._settle()
        if self._role == "viewer":
            self._spawn(self._look_up())
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await peer.wait_for_answer()
        except TimeoutError:
            raise _Trouble(SILENT) from None
        await self._use(peer, sender)

    async def _open_peer(self) -> tuple[Peer, CommandSender]:
        await self._close_peer()
        servers = self._signaling.welcome.get("iceServers") or []
        if self._signaling.welcome.get("turn"):
            with suppress(OperatorError):
                frame = {"type": "ice-servers", "robotId": self._robot_id}
                servers = (await self._signaling.request(frame))["iceServers"]
        self._telemetry_n = -1
        self._controls = ()
        peer = Peer(
            secrets.token_hex(8),
            servers,
            self._hear,
            self._frames.put,
            has_video=self._has_video,
        )
        self._sender = CommandSender(
            peer.channels, lambda: self._loop.time() * 1000, self._stand, self._hear_refused
        )
        self._peer = peer
        return peer, self._sender

    async def _close_peer(self) -> None:
        peer, self._peer, self._sender, self._offer = self._peer, None, None, None
        if peer is not None:
            await peer.close()

    async def _send_offer(self, peer: Peer, payload: dict[str, str]) -> None:
        async with self._requesting:
            await self._resume_if_moved()
            as_of, want = self._epoch, self._want
            frame = {"type": "offer", "robotId": self._robot_id, "role": want}
            ack = await self._signaling.request(frame | {"pcId": peer.pc_id, "payload": payload})
            self._adopt_ack(ack, as_of, want)

    async def _use(self, peer: Peer, sender: CommandSender) -> None:
        """Send what is due over a peer connection until it is of no use; then raise _Trouble."""
        path_due = self._loop.time() + PATH_SECONDS
        is_open = False
        while True:
            if peer.channels.opened.is_set() and not is_open:
                is_open = True
                sender.open()
            sender.repeat()
            trouble = self._find_trouble(peer, sender, path_due)
            if trouble is not None and self._signaling.is_online:
                raise _Trouble(trouble)
            if trouble is not None:
                self._set_state("waiting", DEAD)
            elif peer.is_complete:
                self._tries = 0
                self._set_state("live", None)
            await asyncio.sleep(LOOP_SECONDS)

    def _find_trouble(self, peer: Peer, sender: CommandSender, path_due: float) -> str | None:
        if peer.is_lost:
            return LEFT["unregistered"] if peer.channels.opened.is_set() else PATHLESS
        if not peer.is_connected and self._loop.time() >= path_due:
            return PATHLESS
        is_silent = math.isfinite(sender.silence_ms) and sender.silence_ms >= SILENCE_MS
        return LEFT["unregistered"] if is_silent else None

    def _judge(self, failure: BaseException | None) -> None:
        """Decide what follows an attempt that has failed."""
        if isinstance(failure, _Trouble):
            self._pause = str(failure)
        elif isinstance(failure, OperatorError):
            self._judge_error(failure)
        else:
            _log.error("%s: an attempt failed", self._robot_id, exc_info=failure)
            self._judge_error(OperatorError("internal", "the peer connection failed"))

    def _judge_error(self, error: OperatorError) -> None:
        if error.code == "offline":
            self._set_state("waiting", "The connection to the server is lost. Waiting for it.")
        elif error.code == "robot_busy" and self._has_joined:
            self._view_instead(error)
        elif self._has_joined and error.code in TRANSIENT:
            if self._calls:
                self._want = self._role or "viewer"
            self._settle(error)
            is_away = error.code in ("robot_offline", "peer_gone")
            self._pause = LEFT["unregistered"] if is_away else error.text
        else:
            self._end(error, error.text)

    def _view_instead(self, error: OperatorError) -> None:
        """Another session has the control that this one asked for: it views, and asks no more."""
        lost_to = None if error.is_you else error.driver
        self._adopt("viewer", self._epoch, error.driver, lost_to, is_known=True)
        self._settle(error)

    async def _wait(self, why: str) -> None:
        """Wait before the next attempt, longer each time, or until there is a reason to hurry."""
        self._set_state("waiting", why)
        seconds = min(LONGEST_RETRY_SECONDS, RETRY_SECONDS * 2**self._tries)
        self._tries += 1
        await self._close_peer()
        self._rejoin.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rejoin.wait()

    # Its requests.

    async def _request(self, frame: Frame) -> Frame:
        if self._error is not None:
            raise self._error
        async with self._requesting:
            await self._resume_if_moved()
            return await self._signaling.request(frame)

    async def _claim(self, kind: str) -> None:
        """Ask for what may make this session the driver."""
        if self._error is not None:
            raise self._error
        async with self._requesting:
            await self._resume_if_moved()
            as_of, before = self._epoch, self._session_id
            ack = await self._signaling.request({"type": kind, "robotId": self._robot_id})
            if ack.get("epoch") is None:
                return
            self._adopt_ack(ack, as_of, "controller")
            if self._session_id != before:
                # Another session has another peer connection.
                self._rejoin.set()

    async def _resume_if_moved(self) -> None:
        """Take the session along to the current socket, under the lock of its requests."""
        if not self._has_moved or self._session_id is None:
            self._has_moved = False
            return
        as_of, session_id = self._epoch, self._session_id
        try:
            ack = await self._signaling.request({"type": "resume", "sessionId": session_id})
        except OperatorError as error:
            if error.code in TRANSIENT - {"no_session"}:
                raise
            self._has_moved = False
            self._lose_session()
            return
        self._has_moved = False
        if self._session_id == session_id:
            self._adopt_ack(ack, as_of, self._role or "viewer")
            if self._role == "viewer":
                self._spawn(self._look_up())

    async def _resume(self) -> None:
        async with self._requesting:
            await self._resume_if_moved()

    async def _renew_when_due(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            if self._signaling.is_online and self._loop.time() >= self._renew_at:
                await self._renew()

    async def _renew(self) -> None:
        """Renew the session. The reply says which role it has, whatever was lost before."""
        session_id = self._session_id
        if session_id is None:
            self._renew_at = math.inf
            return
        self._schedule_renewal()
        try:
            pong = await self._request({"type": "ping", "sessionId": session_id})
        except OperatorError as error:
            if error.code == "no_session" and session_id == self._session_id:
                self._lose_session()
            self._renew_at = self._loop.time() + RETRY_SECONDS
            return
        role, epoch = pong.get("role"), pong.get("epoch")
        if role is None or epoch is None or pong.get("sessionId") != self._session_id:
            return
        if epoch > self._epoch or (epoch == self._epoch and role != self._role):
            self._adopt(role, epoch, None, None, is_known=False)
        if self._role == "viewer":
            await self._look_up()

    async def _look_up(self) -> None:
        """Find out who drives."""
        asked_at = self._loop.time()
        try:
            frame = {"type": "robots", "robotIds": [self._robot_id]}
            robots = (await self._signaling.request(frame)).get("robots", [])
        except OperatorError:
            return
        row = next((each for each in robots if each.get("robotId") == self._robot_id), None)
        if row is None or self._role != "viewer" or asked_at < self._heard_at:
            return
        driver = read_person(row.get("controlledBy"))
        lost_to = self._lost_to if self._lost_to == driver else None
        self._adopt("viewer", self._epoch, driver, lost_to, is_known=True)

    async def _repeat_offer(self) -> None:
        """Offer again to a robot that does not know yet that this session drives."""
        if self._peer is None or self._offer is None or self._session_id is None:
            return
        frame = {"type": "offer", "robotId": self._robot_id, "role": "controller"}
        frame |= {"sessionId": self._session_id, "pcId": self._peer.pc_id}
        with suppress(OperatorError):
            await self._request(frame | {"payload": self._offer})

    def _schedule_renewal(self) -> None:
        is_driver = self._role == "controller"
        seconds = CONTROLLER_RENEWS_SECONDS if is_driver else VIEWER_RENEWS_SECONDS
        self._renew_at = self._loop.time() + seconds

    def _lose_session(self) -> None:
        """The server no longer has this session: offer for a new one."""
        self._session_id = None
        self._rejoin.set()

    # What the server says.

    def _go_online(self) -> None:
        self._move()

    def _go_offline(self) -> None:
        self._is_stale = True
        self._has_moved = True

    def _move(self) -> None:
        """Take the session along to the socket that is the current one from now on."""
        self._has_moved = True
        if self._session_id is not None:
            self._spawn(self._resume())

    def _handle(self, frame: Frame) -> None:
        """Take a frame that the server pushes for this robot."""
        match frame.get("type"):
            case "answer" | "ice-candidate" as kind:
                payload = frame.get("payload")
                is_ours = self._peer is not None and frame.get("pcId") in (None, self._peer.pc_id)
                if is_ours and self._peer is not None and isinstance(payload, dict):
                    self._peer.take(kind, payload)
            case "control":
                self._handle_control(frame)
            case "control-lost":
                self._handle_control_lost(frame)
            case "control-requested" if self._role == "controller":
                by = read_person(frame.get("by"))
                self._events.put(ControlRequested(frame["sessionId"], by))
            case "control-denied" if self.is_asking:
                self._asking_until = -math.inf
                self._events.put(ControlDenied(read_person(frame.get("by"))))
            case "peer-left":
                self._handle_peer_left(frame)

    def _handle_control(self, frame: Frame) -> None:
        epoch = frame.get("epoch", 0)
        if epoch < self._epoch:
            return
        self._driver_id = frame.get("sessionId")
        self._heard_at = self._loop.time()
        if self._driver_id is not None and self._driver_id == self._session_id:
            self._adopt("controller", epoch, None, None, is_known=True)
            return
        driver = read_person(frame.get("person"))
        is_taken = self._role == "controller" or self._lost_to == driver
        self._adopt("viewer", epoch, driver, driver if is_taken else None, is_known=True)

    def _handle_control_lost(self, frame: Frame) -> None:
        epoch, session_id = frame.get("epoch", 0), frame.get("sessionId")
        if epoch < self._epoch or self._session_id not in (None, session_id):
            return
        by = read_person(frame.get("by"))
        self._driver_id, self._heard_at = None, self._loop.time()
        self._adopt("viewer", epoch, by, by, is_known=True)
        self._lose_session()

    def _handle_peer_left(self, frame: Frame) -> None:
        if frame.get("sessionId") != self._session_id:
            return
        reason = frame.get("reason", "bye")
        self._was_evicted = reason == "evicted"
        want = self._want
        # A robot that was forgotten counts its epochs from 1 again.
        epoch = 0 if self._was_evicted else max(self._epoch, frame.get("epoch") or 0)
        self._heard_at = self._loop.time()
        self._adopt("viewer", epoch, None, None, is_known=False)
        self._want = want
        self._lose_session()
        if reason != "restarted":
            self._pause = LEFT.get(reason, LEFT["bye"])

    def _adopt_ack(self, ack: Frame, as_of: int, asked: Role) -> None:
        """Take over what a reply says, unless a push has overtaken it: that is newer."""
        epoch: int = ack.get("epoch", self._epoch)
        self._session_id = ack.get("sessionId") or self._session_id
        is_late = not self._was_evicted and as_of <= epoch < self._epoch
        self._was_evicted = False
        role: Role = ack.get("role") or asked
        if is_late:
            epoch = self._epoch
            role = "controller" if self._driver_id == self._session_id else "viewer"
        driver = self._driver if role == "viewer" else None
        self._adopt(role, epoch, driver, self._lost_to, is_known=not self._is_stale)

    def _give_up(self, ack: Frame, session_id: str | None) -> None:
        epoch = ack.get("epoch", self._epoch)
        if epoch >= self._epoch:
            self._driver_id = session_id
            self._adopt("viewer", epoch, None, None, is_known=session_id is None)

    def _adopt(
        self,
        role: Role,
        epoch: int,
        driver: Person | None,
        lost_to: Person | None,
        *,
        is_known: bool,
    ) -> None:
        """Take over who drives at which epoch, and tell what has changed."""
        was_driver, is_driver = self._role == "controller", role == "controller"
        has_changed = driver != self._driver
        self._role, self._epoch, self._want = role, epoch, role
        self._driver = None if is_driver else driver
        self._lost_to = None if is_driver else lost_to
        self._is_stale = not (is_known or is_driver)
        self._schedule_renewal()
        if is_driver:
            self._asking_until = -math.inf
            self._driver_id = self._session_id
        if is_driver and not was_driver:
            self._events.put(ControlGained(epoch))
        elif was_driver and not is_driver:
            self._events.put(ControlLost(lost_to, epoch))
        elif has_changed and not is_driver:
            self._events.put(DriverChanged(driver, epoch))

    # What the robot says.

    def _stand(self) -> Standing:
        return Standing(self._role == "controller", self._epoch)

    def _hear(self, message: Message) -> None:
        if self._sender is None or self._peer is None:
            return
        match message:
            case Heartbeat():
                self._sender.hear(message)
                if message.held:
                    names = [each.name if each is not None else "" for each in self._controls]
                    self._held = MappingProxyType(name_values(names, message.held))
            case Capabilities():
                self._sender.capabilities = message
                self._controls = read_controls(message)
                if message.telemetry:
                    self._peer.channels.open_telemetry()
            case Telemetry():
                self._hear_telemetry(message)
            case Stop(by):
                self._sender.stopped_by = by
                self._events.put(Stopped(by))
            case Refused(what=str(what)):
                self._events.put(StopRefused(what))
            case Refused(epoch=epoch):
                self._hear_refused(epoch)
            case Pong():
                pass
            case other:
                assert_never(other)

    def _hear_telemetry(self, message: Telemetry) -> None:
        if message.n > self._telemetry_n:
            self._telemetry_n = message.n
            names = [each.name for each in self.fields]
            newest = {**self._telemetry, **name_values(names, message.values)}
            self._telemetry = MappingProxyType(newest)
            self._values.put(self._telemetry)

    def _hear_refused(self, epoch: int) -> None:
        """The robot obeys another epoch than ours: one of us has not heard of a change."""
        if self._role != "controller":
            return
        now = self._loop.time()
        if epoch > self._epoch:
            self._renew_at = now
        elif now >= self._repeat_at:
            self._repeat_at = now + self._repeat_wait
            self._repeat_wait = min(LONGEST_REPEAT_SECONDS, 2 * self._repeat_wait)
            self._spawn(self._repeat_offer())

    @property
    def _capabilities(self) -> Capabilities | None:
        return None if self._sender is None else self._sender.capabilities

    def _set_state(self, state: State, why: str | None) -> None:
        if (state, why) != (self._state, self._why):
            self._state, self._why = state, why
            self._events.put(StateChanged(state, why))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            failure = task.exception()
            if failure is not None and not isinstance(failure, OperatorError):
                _log.error("%s: a request failed", self._robot_id, exc_info=failure)


def _clamp(value: float) -> float:
    return max(-1.0, min(1.0, float(value)))
