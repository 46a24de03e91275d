"""What a seed connection may be sent besides its replies: relays.

Knows names and shapes; never who gets which.
"""

from typing import Any

import msgspec
from msgspec import Struct

from signaling.wire.ids import ConnectionId, RobotId


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
