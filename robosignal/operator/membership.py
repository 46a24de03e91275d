"""How a program is and stays with one robot: its offers, requests, renewals and migrations."""

import asyncio
import logging
import math
import secrets
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from av import VideoFrame

from robosignal.operator.commands import LOOP_SECONDS, Standing
from robosignal.operator.control import Control, Role
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
)
from robosignal.operator.feed import Feeds
from robosignal.operator.link import AWAY, Link
from robosignal.operator.peer import Peer
from robosignal.operator.signaling import Frame, Signaling
from robosignal.robot.telemetry import Value

CALL_SECONDS = 30
"""How long `drive` and `view` may take to join a robot."""

ANSWER_SECONDS = 10
RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 10.0
LONGEST_REPEAT_SECONDS = 30.0
CONTROLLER_RENEWS_SECONDS = 20
VIEWER_RENEWS_SECONDS = 120
RENEWAL_CHECK_SECONDS = 0.5
ASKING_SECONDS = 30
"""How long a driver may take to answer a request for control."""

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
    "revoked": "The robot's key was revoked. Waiting for it to come back with another one.",
    "unregistered": AWAY,
    "bye": "The robot ended the session. Joining again.",
}
"""Why a session has ended, by the reason that the server gives."""

DEAD = "Neither the server nor the robot can be reached. Waiting for the server."
OFFLINE = "The connection to the server is lost. Waiting for it."
SILENT = "The robot does not respond. Trying again."

_log = logging.getLogger(__name__)


class _Trouble(Exception):
    """The peer connection is of no use any more: the text says why, for people."""


class Membership:
    """The session with the robot `robot_id`, as it runs; `Session` is what a program sees of it.

    `remove` is called at the end, and `has_video` is whether the robot's video is asked for.
    """

    def __init__(
        self, signaling: Signaling, robot_id: str, remove: Callable[[], None], *, has_video: bool
    ) -> None:
        self.robot_id = robot_id
        self.state: State = "connecting"
        self.why: str | None = None
        self.values: Mapping[str, Value] = MappingProxyType({})
        self.frames = Feeds[VideoFrame](1)
        self.published = Feeds[Mapping[str, Value]](1)
        self.events = Feeds[Event](MOST_EVENTS)
        self.control = Control(self._announce)
        self.link: Link | None = None
        self._loop = asyncio.get_running_loop()
        self._signaling = signaling
        self._remove = remove
        self._has_video = has_video
        self._has_joined = False
        self._has_moved = False
        self._is_withdrawn = False
        self._renew_at = math.inf
        self._asking_until = -math.inf
        self._repeat_at, self._repeat_wait = -math.inf, RETRY_SECONDS
        # Its requests go one by one, so that it moves to another socket only between them.
        self._requesting = asyncio.Lock()
        self._rejoin = asyncio.Event()
        self._pause: str | None = None
        self._tries = 0
        self._calls: list[asyncio.Future[None]] = []
        self._error: OperatorError | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None

    @property
    def is_asking(self) -> bool:
        """Whether this session has asked for control, and waits for the answer."""
        return not self.control.is_driver and self._loop.time() < self._asking_until

    # What the application asks for.

    async def join(self, role: Role) -> None:
        """Offer as this role, and return once the server has let it in. Raise OperatorError."""
        self._require_open()
        if self.control.is_driver or (role == "viewer" and self._has_joined):
            return
        if role == "controller":
            self.control.want, self._is_withdrawn = role, False
        call: asyncio.Future[None] = self._loop.create_future()
        self._calls.append(call)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
            self._spawn(self._renew_when_due())
        elif role == "controller":
            self._rejoin.set()
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await call
        except TimeoutError:
            self._withdraw()
            code = "timeout" if self._signaling.is_online else "offline"
            text = f"the robot could not be joined within {CALL_SECONDS} s: try again"
            raise OperatorError(code, text, self.robot_id) from None
        except asyncio.CancelledError:
            self._withdraw()
            raise
        finally:
            if call in self._calls:
                self._calls.remove(call)
        if role == "controller" and not self.control.is_driver:
            text = "another user drives now: ask for control, or take it over"
            raise OperatorError("robot_busy", text, self.robot_id, self.control.driver)

    def _withdraw(self) -> None:
        """Want no control any more: what an offer on its way gets is given back."""
        if not self.control.is_driver:
            self.control.want, self._is_withdrawn = "viewer", True

    async def claim(self, kind: str) -> None:
        """Send a takeover, or a request for control. Raise OperatorError."""
        self._require_open()
        async with self._requesting:
            await self._resume_if_moved()
            as_of, before = self.control.epoch, self.control.session_id
            ack = await self._signaling.request({"type": kind, "robotId": self.robot_id})
            if ack.get("epoch") is None:
                return
            self.control.adopt_ack(ack, as_of, "controller")
            if self.control.session_id != before:
                # Another session has another peer connection.
                self._rejoin.set()

    async def ask(self) -> None:
        """Ask the driver for control, or get what is free. Raise OperatorError."""
        self._asking_until = self._loop.time() + ASKING_SECONDS
        try:
            await self.claim("request-control")
        except OperatorError:
            self._asking_until = -math.inf
            raise
        # An answer may get lost: the server is asked then.
        self._renew_at = min(self._renew_at, self._asking_until)

    async def request(self, frame: Frame) -> Frame:
        """Send a message of this session, and return the reply. Raise OperatorError."""
        self._require_open()
        async with self._requesting:
            await self._resume_if_moved()
            return await self._signaling.request(frame)

    async def close(self, error: OperatorError) -> None:
        """End it: with `bye`, so that the server frees what it holds. Calls raise `error` then."""
        async with self._requesting:
            if self.control.session_id is not None:
                self._signaling.send({"type": "bye", "sessionId": self.control.session_id})
            self._end(error, None)
            running = [] if self._running is None else [self._running]
            tasks = [each for each in (*running, *self._tasks) if each != asyncio.current_task()]
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._close_link()
        await asyncio.gather(*self._closing)

    def _require_open(self) -> None:
        if self._error is not None:
            error = self._error
            raise OperatorError(error.code, error.text, error.robot_id)

    def _end(self, error: OperatorError, why: str | None) -> None:
        if self._error is None:
            self._error = error
            self.control.end()
            self._set_state("ended", why)
            self._settle(error)
            self.frames.end()
            self.published.end()
            self.events.end()
            self._remove()

    def _settle(self, error: OperatorError | None = None) -> None:
        """Tell the calls that wait: they have what they asked for, or why they do not."""
        calls, self._calls = self._calls, []
        for call in calls:
            if not call.done():
                call.set_result(None) if error is None else call.set_exception(error)

    # Peer connections, one after the other.

    async def _run(self) -> None:
        while self._error is None:
            try:
                await self._signaling.wait_until_online()
            except OperatorError as error:
                self._end(error, error.text)
                break
            if self._pause is not None:
                await self._wait(self._pause)
            self._rejoin.clear()
            self._pause = None
            await self._attempt_until_rejoin()
        await self._close_link()

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
        self._set_state("connecting", None)
        link = await self._open_link()
        link.offer = await link.peer.make_offer()
        await self._send_offer(link)
        self._has_joined = True
        self._settle()
        if not self.control.is_driver:
            self.look_up_soon()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await link.peer.wait_for_answer()
        except TimeoutError:
            raise _Trouble(SILENT) from None
        link.begin()
        while True:
            link.send_due()
            self._check(link)
            await asyncio.sleep(LOOP_SECONDS)

    def _check(self, link: Link) -> None:
        """Set the state by what has arrived. Raise _Trouble if the peer connection is of no use."""
        trouble = link.find_trouble()
        if trouble is None and link.peer.is_complete:
            self._tries = 0
            self._set_state("live", None)
        elif trouble is not None and self._signaling.is_online:
            raise _Trouble(trouble)
        elif trouble is not None:
            self._set_state("waiting", DEAD)

    async def _open_link(self) -> Link:
        await self._close_link()
        servers = self._signaling.welcome.get("iceServers") or []
        if self._signaling.welcome.get("turn"):
            with suppress(OperatorError):
                frame = {"type": "ice-servers", "robotId": self.robot_id}
                servers = (await self._signaling.request(frame))["iceServers"]
        self.link = Link(
            lambda hear: Peer(
                secrets.token_hex(8), servers, hear, self.frames.put, has_video=self._has_video
            ),
            lambda: Standing(self.control.is_driver, self.control.epoch),
            self._hear_refused,
            self.events.put,
            self._publish,
        )
        return self.link

    async def _close_link(self) -> None:
        link, self.link = self.link, None
        if link is not None:
            # In a task of its own: a close that is broken off would leave its sockets open.
            closing = asyncio.create_task(link.peer.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            await asyncio.shield(closing)

    async def _send_offer(self, link: Link) -> None:
        async with self._requesting:
            await self._resume_if_moved()
            as_of, want = self.control.epoch, self.control.want
            frame: Frame = {"type": "offer", "robotId": self.robot_id, "role": want}
            frame |= {"pcId": link.peer.pc_id, "payload": link.offer}
            was_driver = self.control.is_driver
            self.control.adopt_ack(await self._signaling.request(frame), as_of, want)
            if self._is_withdrawn and self.control.is_driver and not was_driver:
                release = {"type": "release-control", "robotId": self.robot_id}
                self.control.give_up(await self._signaling.request(release), None)
            self._is_withdrawn = False
            self._schedule_renewal()

    def _judge(self, failure: BaseException | None) -> None:
        """Decide what follows an attempt that has failed."""
        if isinstance(failure, _Trouble):
            self._pause = str(failure)
        elif isinstance(failure, OperatorError):
            self._judge_error(failure)
        else:
            _log.error("%s: an attempt failed", self.robot_id, exc_info=failure)
            self._judge_error(OperatorError("internal", "the peer connection failed"))

    def _judge_error(self, error: OperatorError) -> None:
        if error.code == "offline":
            self._set_state("waiting", OFFLINE)
        elif error.code == "robot_busy" and self._has_joined:
            self.control.view_instead(error)
            self._settle(error)
        elif self._has_joined and error.code in TRANSIENT:
            if self._calls:
                # A call to drive was told no: it must not turn out to drive a minute later.
                self.control.want = self.control.role or "viewer"
            self._settle(error)
            is_away = error.code in ("robot_offline", "peer_gone")
            self._pause = AWAY if is_away else error.text
        else:
            self._end(error, error.text)

    async def _wait(self, why: str) -> None:
        """Wait before the next attempt, longer each time, or until there is a reason to hurry."""
        self._set_state("waiting", why)
        seconds = min(LONGEST_RETRY_SECONDS, RETRY_SECONDS * 2**self._tries)
        self._tries += 1
        await self._close_link()
        self._rejoin.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rejoin.wait()

    # The session at the server.

    async def _resume_if_moved(self) -> None:
        """Take the session along to the current socket, under the lock of its requests."""
        session_id = self.control.session_id
        if not self._has_moved or session_id is None:
            self._has_moved = False
            return
        as_of, role = self.control.epoch, self.control.role or "viewer"
        try:
            ack = await self._signaling.request({"type": "resume", "sessionId": session_id})
        except OperatorError as error:
            if error.code in TRANSIENT - {"no_session"}:
                raise
            self._has_moved = False
            self._lose(session_id)
            return
        self._has_moved = False
        if self.control.session_id == session_id:
            self.control.adopt_ack(ack, as_of, role)
            self._schedule_renewal()
            if not self.control.is_driver:
                self.look_up_soon()

    async def _resume(self) -> None:
        async with self._requesting:
            await self._resume_if_moved()

    async def _renew_when_due(self) -> None:
        while True:
            await asyncio.sleep(RENEWAL_CHECK_SECONDS)
            if self._signaling.is_online and self._loop.time() >= self._renew_at:
                await self._renew()

    async def _renew(self) -> None:
        """Renew the session. The reply says which role it has, whatever was lost before."""
        session_id = self.control.session_id
        if session_id is None:
            self._renew_at = math.inf
            return
        self._schedule_renewal()
        try:
            pong = await self.request({"type": "ping", "sessionId": session_id})
        except OperatorError as error:
            if error.code == "no_session":
                self._lose(session_id)
            self._renew_at = self._loop.time() + RETRY_SECONDS
            return
        self.control.adopt_pong(pong)
        if not self.control.is_driver:
            self.look_up_soon()

    def _schedule_renewal(self) -> None:
        is_driver = self.control.is_driver
        seconds = CONTROLLER_RENEWS_SECONDS if is_driver else VIEWER_RENEWS_SECONDS
        self._renew_at = self._loop.time() + seconds

    def _lose(self, session_id: str) -> None:
        """Offer for a new session, if the server no longer has this one."""
        if self.control.session_id == session_id:
            self.control.session_id = None
            self._rejoin.set()

    def look_up_soon(self) -> None:
        """Ask the server who drives."""
        self._spawn(self._look_up())

    async def _look_up(self) -> None:
        asked_at = self._loop.time()
        frame = {"type": "robots", "robotIds": [self.robot_id]}
        robots = (await self._signaling.request(frame)).get("robots", [])
        for row in robots:
            if row.get("robotId") == self.robot_id:
                self.control.adopt_listing(row, asked_at)

    async def _repeat_offer(self) -> None:
        """Offer again to a robot that does not know yet that this session drives."""
        link = self.link
        if link is not None and link.offer and self.control.session_id is not None:
            frame = {"type": "offer", "robotId": self.robot_id, "role": "controller"}
            frame |= {"sessionId": self.control.session_id, "pcId": link.peer.pc_id}
            await self.request(frame | {"payload": link.offer})

    # What is told to it.

    def go_offline(self) -> None:
        """Note that the connection to the server is lost."""
        self.control.is_stale = True
        self._has_moved = True

    def move(self) -> None:
        """Take the session along to the socket that is the current one from now on."""
        self._has_moved = True
        if self.control.session_id is not None:
            self._spawn(self._resume())

    def handle(self, frame: Frame) -> None:
        """Take a frame that the server pushes for this robot."""
        now = self._loop.time()
        match frame.get("type"):
            case "answer" | "ice-candidate" as kind:
                self._pass_to_peer(kind, frame)
            case "control":
                self.control.hear_control(frame, now)
            case "control-lost":
                if self.control.hear_lost(frame, now):
                    self._rejoin.set()
            case "control-requested" if self.control.is_driver:
                request = ControlRequested(
                    str(frame.get("sessionId")), read_person(frame.get("by"))
                )
                self.events.put(request)
            case "control-denied" if self.is_asking:
                self._asking_until = -math.inf
                self.events.put(ControlDenied(read_person(frame.get("by"))))
            case "peer-left":
                if self.control.hear_left(frame, now):
                    self._rejoin.set()
                    self._pause = _explain_leaving(frame.get("reason"))

    def _pass_to_peer(self, kind: str, frame: Frame) -> None:
        payload = frame.get("payload")
        if self.link is None or not isinstance(payload, dict):
            return
        # A seed robot names no peer connection; it has only one.
        if frame.get("pcId") in (None, self.link.peer.pc_id):
            self.link.peer.take(kind, payload)

    def _hear_refused(self, epoch: int) -> None:
        """Ask the server about a later epoch that the robot obeys, or tell the robot of ours."""
        if not self.control.is_driver:
            return
        now = self._loop.time()
        if epoch > self.control.epoch:
            self._renew_at = now
        elif now >= self._repeat_at:
            self._repeat_at = now + self._repeat_wait
            self._repeat_wait = min(LONGEST_REPEAT_SECONDS, 2 * self._repeat_wait)
            self._spawn(self._repeat_offer())

    def _publish(self, values: Mapping[str, Value]) -> None:
        self.values = MappingProxyType({**self.values, **values})
        self.published.put(self.values)

    def _announce(self, event: ControlGained | ControlLost | DriverChanged) -> None:
        if isinstance(event, ControlGained):
            self._asking_until = -math.inf
            self._repeat_at, self._repeat_wait = -math.inf, RETRY_SECONDS
        self._schedule_renewal()
        self.events.put(event)

    def _set_state(self, state: State, why: str | None) -> None:
        if (state, why) != (self.state, self.why):
            self.state, self.why = state, why
            self.events.put(StateChanged(state, why))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        # What the server refuses here shows at the next renewal; anything else is a fault.
        if not task.cancelled() and not isinstance(task.exception(), OperatorError | None):
            _log.error("%s: a request failed", self.robot_id, exc_info=task.exception())


def _explain_leaving(reason: object) -> str | None:
    """Return why to wait before joining again, for people; None to join at once."""
    return None if reason == "restarted" else LEFT.get(str(reason), LEFT["bye"])
