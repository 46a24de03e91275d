"""What a seed connection may be sent besides the replies that it asks for.

Knows names and shapes; never who gets which.
"""

from typing import Any

import msgspec
from msgspec import Struct

from robosignal.protocol.ids import ConnectionId, RobotId
from robosignal.protocol.messages import MESSAGES


class SeedRelay(
    Struct,
    frozen=True,
    kw_only=True,
    rename={"sender": "from", "client": "clientConnectionId", "robot_id": "robotId"},
):
    """A relayed message in the seed dialect: the payload both wrapped and at top level."""

    type: str
    robot_id: RobotId
    sender: str
    to: str
    client: ConnectionId
    payload: dict[str, Any]
    sdp: Any = msgspec.UNSET
    candidate: Any = msgspec.UNSET


class SeedError(Struct, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """Tells a seed page why it was refused; `error` is one of the protocol's codes."""

    error: str
    message: str


class SessionLocked(
    Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="session-locked"
):
    """Tells a seed page who holds the robot that it has offered to, for display."""

    robot_id: RobotId
    locked_by: str


class RobotKeepalive(
    Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="candidate"
):
    """Keeps a seed robot's connection from being idle: a candidate message with none in it.

    The seed's robots stop reading at any other type, and pass this over, before an offer and after.
    """

    robot_id: RobotId
    to: RobotId
    candidate: None = None


class PageKeepalive(
    Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="ping"
):
    """Keeps a seed page's connection from being idle: pages ignore a type that they do not know."""

    robot_id: RobotId


OF_EITHER_END = {
    *("ready", "ping", "ice-servers", "bye"),
    *("register", "unregister", "answer", "ice-candidate"),
}
OF_PAGES = frozenset(MESSAGES.keys() - OF_EITHER_END)
"""What only a page sends: a robot never does, not even before it has registered."""
