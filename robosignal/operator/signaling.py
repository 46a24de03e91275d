"""One operator's connection to the server: requests, their replies, and what the server pushes.

The machines of the robot's connection decide when to dial, to redial and to give up.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, assert_never

from msgspec.structs import replace

from robosignal.network import ABNORMAL
from robosignal.operator.errors import OperatorError, read_error
from robosignal.robot.connection import events, token_policy
from robosignal.robot.connection.state import ConnectionState, Timing
from robosignal.robot.connection.token_policy import GiveUp, Report, TokenPolicy
from robosignal.robot.connection.websocket import WebSockets
from robosignal.robot.frames import to_steady_clock
from robosignal.robot.token import TokenSource

REPLY_SECONDS = 10
"""How long a reply may take."""

CLOSE_SECONDS = 3

Frame = dict[str, Any]

REFUSED = "the server refuses the token, or it has expired: sign in again for a new one"


@dataclass(frozen=True, slots=True)
class Listener:
    """Is told of the connection's ups and downs, of another socket, and of pushes."""

    online: Callable[[], None]
    offline: Callable[[], None]
    moved: Callable[[], None]
    frame: Callable[[Frame], None]


class Signaling:
    """Dials at once, and redials until `close`."""

    def __init__(
        self,
        url: str,
        token: TokenSource,
        listener: Listener,
        timing: Timing,
        *,
        is_renewable: bool,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._policy = TokenPolicy(ConnectionState(timing=timing), is_renewable=is_renewable)
        self._sockets = WebSockets(url, token, self._step)
        self._timer: asyncio.TimerHandle | None = None
        self._ids = count(1)
        self._replies: dict[str, asyncio.Future[Frame]] = {}
        self._online = asyncio.Event()
        self._error: OperatorError | None = None
        self.welcome: Frame = {}
        self._step(events.Start())

    @property
    def is_online(self) -> bool:
        """Whether there is a connection that the server has welcomed."""
        return self._online.is_set()

    async def wait_until_online(self) -> None:
        """Return once there is a connection. Raise OperatorError if there will be none."""
        await self._online.wait()
        if self._error is not None:
            raise self._error

    async def request(self, frame: Frame) -> Frame:
        """Send a message, and return the reply to it. Raise OperatorError."""
        if self._error is not None:
            raise self._error
        if not self.is_online:
            raise _offline()
        request_id = str(next(self._ids))
        reply = self._replies[request_id] = self._loop.create_future()
        self._sockets.send(None, frame | {"id": request_id})
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                found: Frame = await reply
        except TimeoutError:
            # A socket on which nothing is answered is dead, and does not know it yet.
            self._hang_up()
            text = f"no reply to {frame['type']} within {REPLY_SECONDS} s: try again"
            raise OperatorError("timeout", text, frame.get("robotId")) from None
        finally:
            del self._replies[request_id]
        if found.get("type") == "error":
            raise read_error(found)
        return found

    def send(self, frame: Frame) -> None:
        """Send a message that wants no reply, if there is a connection."""
        self._sockets.send(None, frame)

    async def close(self) -> None:
        """Write what waits, close the connection, and fail what waits for replies."""
        self._end(OperatorError("closed", "the operator's block has ended"))
        self._step(events.Stop())
        if self._timer is not None:
            self._timer.cancel()
        await self._sockets.wait_closed(CLOSE_SECONDS)

    def _hang_up(self) -> None:
        self._sockets.close(None, "the server does not reply")
        self._step(events.Closed(ABNORMAL))

    def _step(self, event: events.Event) -> None:
        if isinstance(event, events.FrameReceived):
            wall = time.time_ns() // 1_000_000
            event = replace(event, frame=to_steady_clock(event.frame, wall, self._now()))
            if event.socket != "old" and event.frame.get("type") == "welcome":
                self.welcome = event.frame
        jitter = random.random()  # noqa: S311 - spreads redials, protects nothing
        self._policy, outputs = token_policy.step(self._policy, event, self._now(), jitter)
        for output in outputs:
            self._carry_out(output)
        if isinstance(event, events.FrameReceived) and event.socket != "next":
            self._receive(event.frame)

    def _carry_out(self, output: events.Output | Report | GiveUp) -> None:  # noqa: C901 - one for each
        match output:
            case events.Dial(which):
                self._sockets.dial(which)
            case events.Send(frame, which):
                self._sockets.send(which, frame)
            case events.Swap():
                self._sockets.swap()
                self._listener.moved()
            case events.Adopt():
                self._sockets.adopt()
            case events.Wake(at):
                self._wake(at)
            case events.Enter("online"):
                self._online.set()
                self._listener.online()
            case events.Enter("offline"):
                self._go_offline()
            case events.Enter() | events.SignIn() | Report():
                pass
            case events.Close(which):
                self._sockets.close(which)
            case GiveUp():
                self._end(OperatorError("unauthorized", REFUSED))
            case other:
                assert_never(other)

    def _wake(self, at: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at / 1000, self._step, events.Tick())

    def _go_offline(self) -> None:
        if self._error is None:
            self._online.clear()
        self._fail_replies(_offline())
        self._listener.offline()

    def _end(self, error: OperatorError) -> None:
        if self._error is None:
            self._error = error
            self._online.set()
            self._fail_replies(error)

    def _fail_replies(self, error: OperatorError) -> None:
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(error)

    def _receive(self, frame: Frame) -> None:
        reply = self._replies.get(str(frame.get("replyTo")))
        if reply is not None and not reply.done():
            reply.set_result(frame)
        elif "robotId" in frame and "replyTo" not in frame:
            self._listener.frame(frame)

    def _now(self) -> int:
        return int(self._loop.time() * 1000)


def _offline() -> OperatorError:
    return OperatorError("offline", "the connection to the server is lost: try again later")
