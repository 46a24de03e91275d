"""The robot's sockets: the current one, the one that is to follow it, the one that it followed.

Knows which is which; never when to dial, or what a frame means.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from robosignal.robot.connection.events import SocketEvent, Which
from robosignal.robot.connection.websocket import Socket
from robosignal.robot.token import TokenSource


class Sockets:
    """Dials and closes as it is told; `tell` brings the events of each socket that is in use."""

    def __init__(self, url: str, token: TokenSource, tell: Callable[[SocketEvent], None]) -> None:
        self._url = url
        self._token = token
        self._tell = tell
        self._sockets: dict[Which, Socket] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._whys: dict[Which, str] = {}

    def dial(self, which: Which) -> None:
        """Open a socket, as the current or the next one."""
        socket = Socket(self._url, self._token, lambda event: self._told(socket, event))
        self._sockets[which] = socket

    def send(self, which: Which, frame: dict[str, Any]) -> None:
        """Write a frame, if there is such a socket."""
        if which in self._sockets:
            self._sockets[which].send(frame)

    def close(self, which: Which, why: str = "no answer") -> None:
        """Write what waits and close; the socket's only further event is why it ended."""
        self._whys[which] = why
        socket = self._sockets.pop(which, None)
        if socket is not None:
            socket.close()
            # The loop itself holds tasks weakly, so one that nobody awaits must be held here.
            self._closing.add(socket.done)
            socket.done.add_done_callback(self._closing.discard)

    def swap(self) -> None:
        """Make the current socket the old one, and the next one the current one."""
        self._sockets["old"] = self._sockets.pop(None)
        self.adopt()

    def adopt(self) -> None:
        """Make the next socket the current one."""
        self._sockets[None] = self._sockets.pop("next")

    def why(self, which: Which) -> str:
        """Return why a socket ended, in words for people."""
        if which in self._sockets:
            return self._sockets[which].why
        return self._whys.get(which, "no answer")

    async def closed(self, seconds: float) -> None:
        """Return when those that are closing are closed, or so much time has passed."""
        if self._closing:
            await asyncio.wait(set(self._closing), timeout=seconds)

    def _told(self, socket: Socket, event: SocketEvent) -> None:
        for which, known in self._sockets.items():
            if known is socket:
                self._tell(replace(event, socket=which))
                return
