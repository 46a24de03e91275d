"""One signed-in connection to a backend, for tests to send messages over and to read frames."""

from collections.abc import Mapping
from typing import Any

from robosignal.probe.connection import Connection

Frame = dict[str, Any]
"""A frame of the protocol as a dictionary; docs/reference/protocol.md has each of them."""


class Client:
    """A client that is signed in and welcomed. `LocalBackend.connect` makes one."""

    def __init__(self, connection: Connection, welcome: Frame) -> None:
        self.welcome = welcome
        """The server's frame `welcome`, which has the client's `userId`, among other things."""
        self._connection = connection

    async def request(self, type: str, **fields: Any) -> Frame:  # noqa: A002 - the frame's field
        """Send a message and return the frame that replies to it.

        `type` and `fields` are the message's, such as `request("offer", robotId="rover-1",
        payload={...})`; its `id` is added. Raise RequestRefused, with the protocol's `code`, if
        the server refuses it; TimedOut if no reply comes within the client's timeout; Closed if
        the server has closed the connection.
        """
        return (await self._connection.request({"type": type, **fields})).frame

    async def send(self, type: str, **fields: Any) -> None:  # noqa: A002 - the frame's field
        """Send a message without an id, which the server need not reply to.

        Raise Closed if the server has closed the connection.
        """
        await self._connection.send({"type": type, **fields})

    async def receive(self, type: str, **fields: Any) -> Frame:  # noqa: A002 - the frame's field
        """Return the oldest frame of this type with these fields that was not returned before.

        Waits for it if it has not arrived yet; other frames stay to be received later. Raise
        TimedOut if none comes within the client's timeout; Closed if the server has closed the
        connection.
        """
        wanted = {"type": type, **fields}
        received = await self._connection.receive(lambda frame: _has(frame, wanted), type)
        return received.frame


def _has(frame: Frame, wanted: Mapping[str, Any]) -> bool:
    return all(frame.get(name) == value for name, value in wanted.items())
