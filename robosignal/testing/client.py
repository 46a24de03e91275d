"""One signed-in connection to a backend, for tests to send messages over and to read frames."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from robosignal.extras import explain
from robosignal.probe.connection import Connection
from robosignal.probe.errors import ProbeError

if TYPE_CHECKING:
    from robosignal.testing.driver import Driver

Frame = dict[str, Any]
"""A frame of the protocol as a dictionary; docs/reference/protocol.md has each of them."""


class PeerClosed(ProbeError):
    """The robot has closed the driver's peer connection, as it does at a takeover."""

    def __str__(self) -> str:
        return "the robot has closed the peer connection"


class Client:
    """A client that is signed in and welcomed. `LocalBackend.connect` makes one.

    `connection` is its open socket, `welcome` the frame that the server has sent on it, and
    `timeout_s` how long each frame may take to arrive, in seconds, above 0.
    """

    def __init__(self, connection: Connection, welcome: Frame, timeout_s: float) -> None:
        self.welcome = welcome
        """The server's frame `welcome`, which has the client's `userId`, among other things."""
        self.timeout_s = timeout_s
        """How long each frame may take to arrive, in seconds."""
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

        `type` and `fields` are the message's, as for `request`. Raise Closed if the server has
        closed the connection.
        """
        await self._connection.send({"type": type, **fields})

    async def receive(self, type: str, **fields: Any) -> Frame:  # noqa: A002 - the frame's field
        """Return the oldest frame of this `type` with these `fields` that was not returned before.

        Waits for it if it has not arrived yet; other frames stay to be received later. Raise
        TimedOut if none comes within the client's timeout; Closed if the server has closed the
        connection.
        """
        wanted = {"type": type, **fields}
        received = await self._connection.receive(lambda frame: _has(frame, wanted), type)
        return received.frame

    async def wait_until_online(self, robot_id: str) -> None:
        """Return once the robot `robot_id`, which this user may drive, is online.

        Raise TimedOut if it does not come online within the client's timeout.
        """
        listed = await self.request("watch")
        if any(each["robotId"] == robot_id and each["online"] for each in listed["robots"]):
            return
        await self.receive("presence", robotId=robot_id, online=True)

    @asynccontextmanager
    async def drive(self, robot_id: str) -> "AsyncIterator[Driver]":
        """Yield a driver with a real peer connection to the robot `robot_id`, for this block.

        Needs the extra `robot`, or raises `robosignal.extras.MissingExtra`. Raise RequestRefused
        with the protocol's code if the server refuses the offer, or with `error` if the robot
        does; TimedOut if the peer connection does not open within the client's timeout.
        """
        try:
            from robosignal.testing.driver import open_driver  # noqa: PLC0415 - loads aiortc
        except ModuleNotFoundError as missing:
            raise explain("Client.drive", "robot", missing) from missing
        async with open_driver(self, robot_id) as driver:
            yield driver


def _has(frame: Frame, wanted: Mapping[str, Any]) -> bool:
    return all(frame.get(name) == value for name, value in wanted.items())
