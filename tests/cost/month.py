"""One robot's and one driver's life, message by message, as the clients live it.

It says what a robot and a browser send and how big that is, not what it costs.
"""

from typing import Any

from tests.cost.metering import Count, MeteredWorld
from tests.world import Peer

ROBOT = "rover-000017"
OWNER = "3f2a9c1e-7b60-4c1d-9a55-0e8f6d2b4a71"
INSTANCE = "9f86d081884c7d659a2feaa0c55ad015"
METADATA = {"model": "Husky A200", "site": "Hall 3, north gate", "firmware": "2026.11.1"}

# A browser offers every codec that it knows; the robot answers with the few that it takes.
OFFER = {"type": "offer", "sdp": "o" * 6000}
ANSWER = {"type": "answer", "sdp": "a" * 3000}
CANDIDATE = {"candidate": "c" * 110, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "abcd"}


def lived(world: MeteredWorld) -> dict[str, Count]:
    """Return what each event took, by the name that the model gives it."""
    return {**_robot_online(world), **_driven(world)}


def _connected(world: MeteredWorld) -> tuple[Peer, Count]:
    peer = world.connect(OWNER)
    return peer, world.count


def _said(peer: Peer, world: MeteredWorld, **message: Any) -> Count:
    peer.send(**message)
    return world.count


def _register(peer: Peer, world: MeteredWorld) -> Count:
    return _said(
        peer, world, type="register", robotId=ROBOT, instanceId=INSTANCE, metadata=METADATA
    )


def _robot_online(world: MeteredWorld) -> dict[str, Count]:
    """A robot that registers, pings and redials, while its owner's page watches."""
    page, connect = _connected(world)
    found = {"connect": connect, "ready": _said(page, world, type="ready", protocol=1)}
    old, _ = _connected(world)
    _register(old, world)
    found["watch"] = _said(page, world, type="watch")
    found["second list"] = _said(page, world, type="robots")
    found["robot ping"] = _said(old, world, type="ping", id="p", robotId=ROBOT)
    new, _ = _connected(world)
    found["redial"] = _register(new, world)
    old.disconnect()
    found["old robot socket closes"] = world.count
    page.disconnect()
    found["watching page closes"] = world.count
    new.disconnect()
    return found


def _driven(world: MeteredWorld) -> dict[str, Count]:
    """A driver whose page watches, drives, redials once and leaves."""
    robot, _ = _connected(world)
    _register(robot, world)
    page, _ = _connected(world)
    page.send(type="watch")
    found = {
        "offer": _said(page, world, type="offer", id="1", robotId=ROBOT, pcId="pc-1", payload=OFFER)
    }
    session = robot.take()[-1]["sessionId"]
    about = {"sessionId": session, "pcId": "pc-1"}
    found["answer"] = _said(robot, world, type="answer", id="pc-1", payload=ANSWER, **about)
    found["candidate"] = _said(page, world, type="ice-candidate", payload=CANDIDATE, **about)
    found["lease ping"] = _said(page, world, type="ping", sessionId=session)
    # A page redials because its token ends, or has a newer one by then.
    again = world.connect(OWNER, ttl_s=7200)
    again.send(type="watch")
    found["resume"] = _said(again, world, type="resume", id="2", sessionId=session)
    page.disconnect()
    found["old page socket closes"] = world.count
    found["bye"] = _said(again, world, type="bye", id="3", sessionId=session)
    world.give_turn()
    found["ice servers"] = _said(again, world, type="ice-servers", id="4", robotId=ROBOT)
    return found
