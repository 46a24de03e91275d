"""Helpers for the tests of sharing."""

from tests.world import Peer


def shares(owner: Peer, *users: str) -> None:
    """Share r1 with these users."""
    for user in users:
        owner.ask(type="share", robotId="r1", userId=user)


def listed(peer: Peer) -> list[tuple[str, str]]:
    """Return each robot of a user's list, and what they are to it."""
    return [(each["robotId"], each["relation"]) for each in peer.ask(type="robots")["robots"]]
