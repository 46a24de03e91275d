"""Control that changes hands all the time: what it may cost, and that nobody keeps old news."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from robosignal.gateway.local import Local, Service
from robosignal.gateway.store import LocalStore
from signaling.adapters.limiter import Buckets
from signaling.settings import read_options
from signaling.wire.limits import PUSHES_BURST, TAKEN_BURST
from tests.tokens import signer
from tests.world import Frame, Peer, World


@pytest.fixture
def limited() -> World:
    """A backend with the limits that ship; no time passes unless a test says so."""
    return World(LocalStore(None), signer(), limiter=Buckets())


def seize(peers: list[Peer], times: int) -> list[Frame]:
    """Have these take the robot over in turn, so often in all; return the answers."""
    return [peers[n % len(peers)].ask(type="takeover", robotId="r1") for n in range(times)]


def presences(watcher: Peer) -> list[Frame]:
    """Return what a watcher was pushed."""
    return [frame for frame in watcher.take() if frame["type"] == "presence"]


def test_watchers_are_told_of_each_change_as_long_as_they_are_few(limited: World) -> None:
    """Of as many as happen to a robot that is driven, each at once."""
    limited.robot()
    watcher, owner = limited.connect("owner"), limited.connect("owner")
    watcher.ask(type="watch")
    for _ in range(20):
        owner.offer()
        owner.ask(type="bye", robotId="r1")
        limited.pass_seconds(2)

    assert len(presences(watcher)) == 40


def test_many_changes_of_one_robot_are_told_of_together(limited: World) -> None:
    """A bounded number of rounds, and then how the robot stands last, by the next event."""
    robot = limited.robot()
    watcher = limited.connect("owner")
    watcher.ask(type="watch")
    limited.pass_seconds(60)
    owners = [limited.connect("owner"), limited.connect("owner")]
    seize(owners, TAKEN_BURST)
    at_once = presences(watcher)
    limited.pass_seconds(1)
    stranger = limited.connect("trent")
    stranger.ask(type="ping")
    later = presences(watcher)
    stranger.ask(type="ping")
    robot.ask(type="ping", robotId="r1")

    assert len(at_once) == PUSHES_BURST
    assert [each["rev"] for each in later] == [limited.item().rev]
    assert presences(watcher) == []


def test_a_change_that_is_told_of_pays_what_was_owed(limited: World) -> None:
    """Nobody is told afterwards of how the robot stood before it."""
    limited.robot()
    watcher = limited.connect("owner")
    watcher.ask(type="watch")
    limited.pass_seconds(60)
    owners = [limited.connect("owner"), limited.connect("owner")]
    seize(owners, 10)
    limited.pass_seconds(1)
    seize(owners, 1)
    limited.pass_seconds(60)
    owners[0].ask(type="ping")
    revs = [each["rev"] for each in presences(watcher)]

    assert revs == sorted(set(revs))
    assert revs[-1] == limited.item().rev


def test_one_user_takes_one_robot_so_often(limited: World) -> None:
    """Then they are asked to try again, and may a second later; who holds is told so still."""
    limited.robot()
    owners = [limited.connect("owner"), limited.connect("owner")]
    told = [each.get("code", "ack") for each in seize(owners, TAKEN_BURST + 10)]
    epoch = limited.item().epoch
    outsider = limited.connect("trent").refused(type="takeover", robotId="r1")
    limited.pass_seconds(1)
    (again,) = seize(owners[:1], 1)

    assert told == ["ack"] * TAKEN_BURST + ["try_again", "ack"] * 5
    assert outsider == (403, "forbidden")
    assert (again["type"], again["epoch"]) == ("ack", epoch + 1)
    assert owners[0].ask(type="bye", robotId="r1")["type"] == "ack"


def test_what_one_user_takes_is_not_counted_against_another(limited: World) -> None:
    """An operator who plays with the robot keeps its owner from nothing, nor from another robot."""
    limited.robot()
    limited.robot("r2")
    limited.share("r1", "olga")
    olga, owner = limited.connect("olga"), limited.connect("owner")
    for _ in range(TAKEN_BURST):
        olga.offer()
        olga.ask(type="bye", robotId="r1")

    assert olga.refused(type="offer", robotId="r1", payload={"sdp": "o"}) == (503, "try_again")
    assert owner.ask(type="takeover", robotId="r1")["type"] == "ack"
    assert owner.offer("r2")["type"] == "ack"


async def test_the_local_gateway_pays_by_itself() -> None:
    """Within a second or two, though nobody sends anything more."""

    async def ask(socket: Any, **said: Any) -> Frame:
        await socket.send(json.dumps({"id": "q", **said}))
        while True:
            frame: Frame = json.loads(await socket.recv())
            if frame.get("replyTo") == "q":
                return frame

    async with Local(Service(port=0), read_options({})) as local, asyncio.timeout(30):
        carried = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{local.key.sign('ann')}")]
        url = local.gateway.websocket_url
        async with (
            connect(url, subprotocols=carried) as robot,
            connect(url, subprotocols=carried) as watcher,
            connect(url, subprotocols=carried) as one,
            connect(url, subprotocols=carried) as two,
        ):
            await ask(robot, type="register", robotId="r1", instanceId="i")
            await ask(watcher, type="watch")
            for _ in range(8):
                for each in (one, two):
                    last = await ask(each, type="takeover", robotId="r1")
            newest = (await ask(watcher, type="robots", robotIds=["r1"]))["robots"][0]["rev"]
            pushed = 0
            while pushed < newest:
                pushed = json.loads(await watcher.recv()).get("rev", 0)

    assert last["type"] == "ack"
    assert pushed == newest
