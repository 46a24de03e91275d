"""One operator's connection to the server: requests, their replies, and what the server pushes.

The robot's `Redialer` dials, redials and gives up.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from robosignal.operator.errors import OperatorError, read_error
from robosignal.robot.connection.events import Enter, FrameReceived, Swap
from robosignal.robot.connection.redialer import Callbacks, Redialer
from robosignal.robot.connection.state import ConnectionState, Timing
from robosignal.robot.connection.token_policy import GiveUp, TokenPolicy
from robosignal.robot.token import TokenSource

REPLY_SECONDS = 10
"""How long a reply may take."""

CLOSE_SECONDS = 3

Frame = dict[str, Any]

_log = logging.getLogger(__name__)

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
        policy = TokenPolicy(ConnectionState(timing=timing), is_renewable=is_renewable)
        told = Callbacks(self._tell, self._note_welcome, self._receive, _log.info)
        self._connection = Redialer("operator", url, token, policy, told)
        self._ids = count(1)
        self._replies: dict[str, asyncio.Future[Frame]] = {}
        self._online = asyncio.Event()
        self._error: OperatorError | None = None
        self.welcome: Frame = {}
        self._connection.start()

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
        self._connection.send(frame | {"id": request_id})
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                found: Frame = await reply
        except TimeoutError:
            # A socket on which nothing is answered is dead, and does not know it yet.
            self._connection.hang_up("the server does not reply")
            text = f"no reply to {frame['type']} within {REPLY_SECONDS} s: try again"
            raise OperatorError("timeout", text, frame.get("robotId")) from None
        finally:
            del self._replies[request_id]
        if found.get("type") == "error":
            raise read_error(found)
        return found

    def send(self, frame: Frame) -> None:
        """Send a message that wants no reply, if there is a connection."""
        self._connection.send(frame)

    async def close(self) -> None:
        """Write what waits, close the connection, and fail what waits for replies."""
        self._end(OperatorError("closed", "the operator's block has ended"))
        self._connection.stop()
        await self._connection.wait_closed(CLOSE_SECONDS)

    def _note_welcome(self, event: FrameReceived) -> None:
        if event.socket != "old" and event.frame.get("type") == "welcome":
            self.welcome = event.frame

    def _tell(self, change: Enter | Swap | GiveUp) -> None:
        match change:
            case Enter("online"):
                self._online.set()
                self._listener.online()
            case Enter("offline"):
                self._go_offline()
            case Swap():
                self._listener.moved()
            case GiveUp():
                self._end(OperatorError("unauthorized", REFUSED))

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

    def _receive(self, event: FrameReceived) -> None:
        frame = event.frame
        reply = self._replies.get(str(frame.get("replyTo")))
        if reply is not None and not reply.done():
            reply.set_result(frame)
        elif "robotId" in frame and "replyTo" not in frame:
            self._listener.frame(frame)


def _offline() -> OperatorError:
    return OperatorError("offline", "the connection to the server is lost: try again later")
