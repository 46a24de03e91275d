"""Handing control over by consent: ask, grant, deny."""

from typing import Any

import pytest

from tests.world import Peer, World

SDP = {"sdp": "o"}


def drives(world: World, user: str = "owner") -> tuple[Peer, str]:
    """Let a user drive r1; return the connection and the session."""
    peer = world.connect(user, groups=["ADMINS"] if user != "owner" else [])
    return peer, peer.ask(type="offer", robotId="r1", payload=SDP)["sessionId"]


def views(world: World, user: str = "owner") -> tuple[Peer, str]:
    """Let a user watch r1; return the connection and the session."""
    peer = world.connect(user, groups=["ADMINS"] if user != "owner" else [])
    ack = peer.ask(type="offer", robotId="r1", role="viewer", payload=SDP)
    return peer, ack["sessionId"]


def person(user: str) -> dict[str, Any]:
    """Return a user as frames name one."""
    return {"userId": user, "name": user.title()}


def test_the_holder_is_asked(world: World, robot: Peer) -> None:
    """A viewer's request reaches the holder, with who asks; no other client hears of it."""
    holder, _ = drives(world)
    viewer, asking = views(world, "boss")
    robot.take()

    ack = viewer.ask(type="request-control", robotId="r1")

    assert ack == {"type": "ack", "replyTo": "q"}
    assert holder.take() == [
        {"type": "control-requested", "robotId": "r1", "sessionId": asking, "by": person("boss")}
    ]
    assert robot.take() == []


def test_a_grant_moves_the_lease_and_tells_robot_and_holder(world: World, robot: Peer) -> None:
    """The lease moves with a new epoch; the granter stays as a viewer."""
    holder, _ = drives(world)
    viewer, asking = views(world, "boss")
    robot.take()

    ack = holder.ask(type="grant-control", robotId="r1", sessionId=asking)

    told = {
        "type": "control",
        "robotId": "r1",
        "epoch": ack["epoch"],
        "sessionId": asking,
        "person": person("boss"),
    }
    assert ack["epoch"] == 3
    assert robot.take() == [{**told, "rightSeconds": viewer.seconds_left}]
    assert viewer.take() == [told]
    again = holder.ask(type="offer", robotId="r1", payload=SDP)
    assert again["role"] == "viewer"


def test_only_the_holder_grants(world: World, robot: Peer) -> None:
    """A viewer cannot grant itself the lease."""
    drives(world)
    viewer, asking = views(world, "boss")
    robot.take()

    refused = viewer.ask(type="grant-control", robotId="r1", sessionId=asking)

    assert refused["code"] == "no_session"
    assert robot.take() == []


def test_a_denial_is_told_to_the_one_who_asked(world: World, robot: Peer) -> None:
    """The asker hears by whom; nothing changes."""
    holder, _ = drives(world)
    viewer, asking = views(world, "boss")

    holder.ask(type="deny-control", robotId="r1", sessionId=asking)

    assert viewer.take() == [{"type": "control-denied", "robotId": "r1", "by": person("owner")}]
    assert robot.status == 200


def test_a_free_lease_is_granted_at_once(world: World, robot: Peer) -> None:
    """After a release there is no holder to ask: the robot learns who drives."""
    holder, _ = drives(world)
    viewer, asking = views(world, "boss")
    holder.ask(type="release-control", robotId="r1")
    robot.take()
    viewer.take()

    ack = viewer.ask(type="request-control", robotId="r1")

    assert ack["epoch"] == 4
    (told,) = robot.take()
    assert (told["type"], told["sessionId"], told["epoch"]) == ("control", asking, 4)
    (heard,) = holder.take()
    assert (heard["type"], heard["sessionId"]) == ("control", asking)
    assert viewer.take() == []


def test_a_stranger_to_the_session_cannot_ask(world: World, robot: Peer) -> None:
    """Without a session there is nothing to hand the lease to."""
    holder, _ = drives(world)
    other = world.connect("boss", groups=["ADMINS"])

    refused = other.ask(type="request-control", robotId="r1")

    assert (other.status, refused["code"]) == (404, "no_session")
    assert holder.take() == []
    assert robot.status == 200


def test_a_holder_whose_socket_is_gone_goes_into_grace_when_asked(
    world: World, robot: Peer
) -> None:
    """The asker hears peer_gone; half a minute later the lease is free."""
    holder, _ = drives(world)
    viewer, _ = views(world, "boss")
    holder.vanish()

    refused = viewer.ask(type="request-control", robotId="r1")

    assert refused["code"] == "peer_gone"
    world.pass_seconds(31)
    assert viewer.ask(type="request-control", robotId="r1")["epoch"] == 3
    assert robot.status == 200


@pytest.mark.parametrize("kind", ["request-control", "grant-control", "deny-control"])
def test_a_seed_robot_knows_no_handover(world: World, kind: str) -> None:
    """Not even one that was registered in v1 and has viewers: it would hear nothing of it."""
    robot = world.connect("owner")
    robot.send(type="register", robotId="r1", instanceId="run1")
    holder, _ = drives(world)
    viewer, asking = views(world)
    world.connect("owner", v1=False).send(type="register", robotId="r1", instanceId="run1")
    before = world.stored()
    sender = viewer if kind == "request-control" else holder

    refused = sender.refused(type=kind, robotId="r1", sessionId=asking)

    assert refused == (403, "forbidden")
    assert (world.stored(), holder.take(), viewer.take()) == (before, [], [])


def test_who_asks_for_the_free_lease_and_for_no_reply_is_told(world: World, robot: Peer) -> None:
    """By a `control`, since no `ack` tells the epoch."""
    viewer, _ = views(world)
    robot.take()

    assert viewer.send(type="request-control", robotId="r1") is None
    left = {"rightSeconds": viewer.seconds_left}
    assert [frame | left for frame in viewer.take()] == robot.take()
    assert world.item().controller is not None


def test_the_robot_may_be_named_by_to(world: World, robot: Peer) -> None:
    """As in every other message of a client's."""
    holder, _ = drives(world)
    viewer, asking = views(world, "boss")
    robot.take()

    holder.ask(type="deny-control", to="r1", sessionId=asking)
    ack = holder.ask(type="grant-control", to="r1", sessionId=asking)

    assert ack["epoch"] == 3
    assert viewer.types() == ["control-denied", "control"]
    assert viewer.refused(type="bye", to="r2", sessionId=asking) == (404, "no_session")
