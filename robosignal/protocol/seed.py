"""The frames of the seed dialect: what a seed connection may receive besides replies."""

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
    """A relayed message. Its payload is in `payload` and at the top level."""

    type: str
    robot_id: RobotId
    sender: str
    to: str
    client: ConnectionId
    payload: dict[str, Any]
    sdp: Any = msgspec.UNSET
    candidate: Any = msgspec.UNSET


class SeedError(Struct, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """Tells a seed page why it was refused. `error` is one of the protocol's codes."""

    error: str
    message: str


class SessionLocked(
    Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="session-locked"
):
    """Tells a seed page who drives the robot, for display."""

    robot_id: RobotId
    locked_by: str


class RobotKeepalive(
    Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="candidate"
):
    """Keeps a seed robot's connection from idling: a candidate message without a candidate.

    Seed robots ignore it, before an offer and after one, and stop reading at any other type.
    """

    robot_id: RobotId
    to: RobotId
    candidate: None = None


class PageKeepalive(
    Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="ping"
):
    """Keeps a seed page's connection from idling. Pages ignore an unknown type."""

    robot_id: RobotId


OF_EITHER_END = {
    *("ready", "ping", "ice-servers", "bye"),
    *("register", "unregister", "answer", "ice-candidate"),
}
OF_PAGES = frozenset(MESSAGES.keys() - OF_EITHER_END)
"""What only a page sends, never a robot."""
