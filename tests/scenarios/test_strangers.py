"""What strangers order at a robot's item: refused as before, and not at the cost of its owner."""

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pytest

from robosignal.gateway.store import LocalStore
from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import RobotId
from robosignal.server.core.conditional_writes import Condition, Exists, Put, Write
from robosignal.server.core.records import Robot
from robosignal.server.core.steps import ConditionFailed, Written
from tests.tokens import signer
from tests.world import Peer, World

if TYPE_CHECKING:
    from robosignal.server.ports import Store

WRITES_PER_SECOND = 1000
READS_PER_SECOND = 3000
"""What one DynamoDB partition key takes; AWS, "Best practices for designing partition keys"."""

FLOOD = 1200
"""Messages of strangers within one second."""

SESSION = "r1:AAAAAAAAAAAAAAAAAAAAAA"
PAYLOAD = {"sdp": "o"}

SAID: dict[str, dict[str, Any]] = {
    "offer": {"type": "offer", "robotId": "r1", "payload": PAYLOAD},
    "offer as viewer": {"type": "offer", "robotId": "r1", "payload": PAYLOAD, "role": "viewer"},
    "takeover": {"type": "takeover", "robotId": "r1"},
    "ping of a robot": {"type": "ping", "robotId": "r1"},
    "ping of a session": {"type": "ping", "sessionId": SESSION},
    "forget": {"type": "forget", "robotId": "r1"},
    "transfer": {"type": "transfer", "robotId": "r1", "userId": "mallory"},
    "register": {"type": "register", "robotId": "r1", "instanceId": "i"},
    "register again": {"type": "register", "robotId": "r1", "instanceId": "run-0001"},
    "unregister": {"type": "unregister", "robotId": "r1"},
    "resume": {"type": "resume", "sessionId": SESSION},
    "share": {"type": "share", "robotId": "r1", "userId": "mallory"},
    "shares": {"type": "shares", "robotId": "r1"},
    "accept-share": {"type": "accept-share", "robotId": "r1"},
    "invite": {"type": "invite", "robotId": "r1"},
    "accept": {"type": "accept", "code": "AAAA-AAAA-AAAA-AAAA"},
    "unshare": {"type": "unshare", "robotId": "r1", "userId": "owner"},
    "release-control": {"type": "release-control", "robotId": "r1"},
    "request-control": {"type": "request-control", "robotId": "r1"},
    "grant-control": {"type": "grant-control", "robotId": "r1", "sessionId": SESSION},
    "bye": {"type": "bye", "robotId": "r1"},
    "candidate": {"type": "ice-candidate", "robotId": "r1", "candidate": "c"},
}


class HotKey:
    """A store whose robots' items take so many reads and writes a second each, as on DynamoDB.

    A write that its condition refuses counts like any other.
    """

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self.world: World
        self.used: Counter[tuple[str, RobotId, int]] = Counter()

    def __getattr__(self, name: str) -> Any:
        """Return the store's own method."""
        return getattr(self._store, name)

    def writes(self, robot: str = "r1") -> int:
        """Return how many writes this robot has taken in all."""
        return sum(n for (kind, which, _), n in self.used.items() if (kind, which) == ("w", robot))

    def write_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Write, unless the key is too busy."""
        self._use("w", robot, WRITES_PER_SECOND)
        return self._store.write_robot(robot, write)

    def remove_robot(self, robot: RobotId, when: Condition) -> bool:
        """Delete, unless the key is too busy."""
        self._use("w", robot, WRITES_PER_SECOND)
        return self._store.remove_robot(robot, when)

    def robot(self, robot: RobotId) -> Robot | None:
        """Read, unless the key is too busy."""
        self._use("r", robot, READS_PER_SECOND)
        return self._store.robot(robot)

    def check_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Read, unless the key is too busy."""
        self._use("r", robot, READS_PER_SECOND)
        return self._store.check_robot(robot, write)

    def _use(self, kind: str, robot: RobotId, at_most: int) -> None:
        key = kind, robot, self.world.now // 1000
        if self.used[key] >= at_most:
            raise TryAgain
        self.used[key] += 1


@pytest.fixture
def hot() -> HotKey:
    """A store whose keys have DynamoDB's throughput, with a backend over it."""
    store = HotKey(LocalStore(None))
    store.world = World(cast("Store", LocalStore(None)), signer())
    store.world.run_on(cast("Store", store))
    return store


def strangers(world: World, users: int, sockets: int) -> list[Peer]:
    """Return the connections of so many users, so many each."""
    return [world.connect(f"mallory{user}") for user in range(users) for _ in range(sockets)]


def codes(peers: list[Peer], messages: int, said: dict[str, Any]) -> Counter[str]:
    """Have them send so many messages in turn at one moment; return the answers' codes."""
    replies = [peers[number % len(peers)].ask(**said) for number in range(messages)]
    return Counter(str(reply.get("code", reply["type"])) for reply in replies)


@pytest.mark.parametrize("said", SAID.values(), ids=SAID.keys())
@pytest.mark.parametrize(("users", "sockets"), [(1, 1), (1, 50), (50, 1)])
def test_strangers_do_not_delay_the_owner(
    hot: HotKey, said: dict[str, Any], users: int, sockets: int
) -> None:
    """From one connection, from many of one user, or from many users: all hear what they heard."""
    world = hot.world
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    owner = world.connect("owner")
    outsiders = strangers(world, users, sockets)
    expected = world.connect("trent").refused(**said)[1]
    world.now += 1000 - world.now % 1000
    began = hot.writes()

    told = codes(outsiders, FLOOD, said)
    spent = hot.writes() - began

    assert told == {expected: FLOOD}
    assert spent <= 20
    assert owner.ask(type="takeover", robotId="r1")["type"] == "ack"
    assert robot.ask(type="ping", robotId="r1")["type"] == "pong"
    assert owner.ask(type="ping", sessionId=session)["code"] == "no_session"
    assert owner.ask(type="unshare", robotId="r1", userId="olga")["type"] == "ack"


def test_who_was_refused_and_may_now_is_let_in_at_once(hot: HotKey) -> None:
    """The read decides nothing that the write would not: a share is seen by the next offer."""
    world = hot.world
    world.robot("r1", "owner")
    olga = world.connect("olga")
    codes([olga], 30, SAID["offer"])
    world.share("r1", "olga")

    assert olga.offer()["type"] == "ack"


def test_an_honest_first_try_is_written_without_a_read(hot: HotKey) -> None:
    """Also while strangers are kept from the robot, by a user who has something there."""
    world = hot.world
    world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    codes(strangers(world, 20, 1), 100, SAID["takeover"])
    hot.used.clear()

    driver.ask(type="ping", sessionId=session)
    calls = Counter(kind for kind, _, _ in hot.used.elements())

    assert calls == {"w": 1}


@pytest.mark.parametrize("role", ["controller", "viewer"])
def test_renewals_closer_than_a_second_are_answered_and_not_written(hot: HotKey, role: str) -> None:
    """A viewer's ping is two writes, the first of them refused, and there may be ten viewers."""
    world = hot.world
    robot = world.robot("r1", "owner")
    peer = world.connect("owner")
    session = peer.offer(role=role)["sessionId"]
    first = peer.ask(type="ping", sessionId=session)
    robot.ask(type="ping", robotId="r1")
    began = hot.writes()
    pongs = [peer.ask(type="ping", sessionId=session) for _ in range(50)]
    others = [robot.ask(type="ping", robotId="r1")["type"] for _ in range(50)]
    spent = hot.writes() - began
    world.pass_seconds(20)
    peer.ask(type="ping", sessionId=session)
    (held,) = (each for each, _ in world.item().sessions())

    assert pongs == [first] * 50
    assert set(others) == {"pong"}
    assert spent == 0
    assert held.until == world.now + (60_000 if role == "controller" else 300_000)


def test_a_renewal_that_lengthens_is_written_however_soon_it_comes(hot: HotKey) -> None:
    """What was shortened just after the last one is as long again."""
    world = hot.world
    world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    driver.ask(type="ping", sessionId=session)
    sooner = (Put(("controller", "until"), world.now + 30_000),)
    hot.write_robot(RobotId("r1"), Write("shorten", Exists(("ownerUserId",)), sooner))
    driver.ask(type="ping", sessionId=session)
    held = world.item().controller

    assert held is not None
    assert held.until == world.now + 60_000
