"""Helpers for the tests of sharing."""

from typing import Any

from tests.world import Peer, World


def shares(owner: Peer, *users: str) -> None:
    """Share r1 with these users, who accept it."""
    for user in users:
        assert owner.ask(type="share", robotId="r1", userId=user)["type"] == "ack"
        accepts(owner.world, user)


def accepts(world: World, *users: str) -> None:
    """Let these users accept the offer of r1, each on a connection that then ends."""
    for user in users:
        peer = world.connect(user)
        assert peer.ask(type="accept-share", robotId="r1") == {"type": "ack", "replyTo": "q"}
        peer.disconnect()


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
