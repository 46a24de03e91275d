"""Frames as the seed would have sent them."""

from typing import Any

from tests.world import Frame, Peer


def as_robot_reads(client: Peer, kind: str, **body: Any) -> Frame:
    """Return a client's message as the seed would have sent it to the robot."""
    return {
        "type": kind,
        "robotId": "r1",
        "from": client.connection_id,
        "to": "r1",
        "clientConnectionId": client.connection_id,
        "payload": body,
        **body,
    }


def as_client_reads(client: Peer, kind: str, **body: Any) -> Frame:
    """Return the robot's message as the seed would have sent it to the client."""
    return {
        "type": kind,
        "robotId": "r1",
        "from": "r1",
        "to": client.connection_id,
        "clientConnectionId": client.connection_id,
        "payload": body,
        **body,
    }
