"""Helpers for the tests of sharing."""

from typing import Any

from tests.world import Peer


def shares(owner: Peer, *users: str) -> None:
    """Share r1 with these users."""
    for user in users:
        owner.ask(type="share", robotId="r1", userId=user)


def listed(peer: Peer) -> list[tuple[str, str]]:
    """Return each robot of a user's list, and what they are to it."""
    return [(each["robotId"], each["relation"]) for each in peer.ask(type="robots")["robots"]]


def evicted(session: str, *, epoch: int) -> dict[str, Any]:
    """Return the frame that says that a right has ended the driver's session."""
    return {
        "type": "peer-left",
        "robotId": "r1",
        "sessionId": session,
        "reason": "evicted",
        "epoch": epoch,
    }
