"""What each event costs: calls to DynamoDB and posts, counted where they leave for AWS.

Warm: this Lambda has met the sender. Cold: it has just started.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from robosignal.server.aws.dynamodb import DynamoStore
from robosignal.server.ice.static import StaticServers
from robosignal.server.ice.turn import TurnServers
from tests.device import DeviceKey
from tests.tables import CONNECTIONS, ROBOTS
from tests.tokens import signer
from tests.world import ICE, Peer, World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Act = Callable[[], object]


@dataclass(frozen=True)
class Budget:
    """What an event may cost: calls to DynamoDB when warm, one more when cold, and posts."""

    calls: int
    posts: int
    cold: int = 1


class Calls:
    """Counts what one client asks of DynamoDB. Queries find watchers, and are counted apart."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.made: list[str] = []
        self._events = client.meta.events
        self._events.register("before-call.dynamodb", self._count)

    def stop(self) -> None:
        """Count no more: other tests use the client as well."""
        self._events.unregister("before-call.dynamodb", self._count)

    def _count(self, model: Any, **_: Any) -> None:
        if model.name != "Query":
            self.made.append(model.name)


@dataclass
class Stage:
    """A world on DynamoDB whose calls are counted."""

    world: World
    client: "DynamoDBClient"
    robots: int = 0

    def chill(self) -> None:
        """Go on as a Lambda that has just started."""
        self.world.run_on(DynamoStore(self.client, CONNECTIONS, ROBOTS))

    def person(self, user: str = "owner", **more: Any) -> Peer:
        """Open a connection that says `ready`, as every v1 client does."""
        peer = self.world.connect(user, **more)
        peer.send(type="ready")
        return peer

    def robot(self) -> tuple[str, Peer]:
        """Register a robot of a new id."""
        self.robots += 1
        robot_id = f"r{self.robots}"
        return robot_id, self.world.robot(robot_id)

    def enrolled(self) -> tuple[str, DeviceKey]:
        """Enrol a robot of a new id; return the id and the robot's key."""
        self.robots += 1
        robot_id, key = f"r{self.robots}", DeviceKey()
        self.world.enroll(key, robot_id)
        return robot_id, key

    def device(self) -> tuple[str, DeviceKey, Peer]:
        """Enrol a robot and let it register by its key."""
        robot_id, key = self.enrolled()
        return robot_id, key, self.world.device_robot(key, robot_id, run="i")

    def redialled(self, robot_id: str, key: DeviceKey) -> Peer:
        """Open a robot's next connection by its key, a second later."""
        self.world.pass_seconds(1)
        robot = self.world.device(key, robot_id)
        robot.send(type="ready")
        return robot

    def coder(self) -> tuple[Peer, str]:
        """Open a connection to enrol a robot of a new id; return it and the code."""
        self.robots += 1
        robot_id = f"r{self.robots}"
        code = self.world.connect("owner").ask(type="create-code", robotId=robot_id)["code"]
        token = DeviceKey().enrolment(code, robot_id, now_s=self.world.now // 1000)
        peer, _ = self.world.dial_device(token)
        peer.send(type="ready")
        return peer, code

    def call(self) -> tuple[str, Peer, Peer, str]:
        """Return a robot's id, the robot, its driver and their session."""
        robot_id, robot = self.robot()
        driver = self.person()
        return robot_id, robot, driver, driver.offer(robot_id)["sessionId"]


def asking(peer: Peer, **message: Any) -> Act:
    """Return what sends a message that must succeed."""

    def act() -> None:
        reply = peer.ask(**message)
        assert peer.status == 200, reply

    return act


def connect(stage: Stage) -> Act:
    """A connection opens."""
    return lambda: stage.world.connect("owner")


def disconnect(stage: Stage) -> Act:
    """A connection that had no session closes."""
    return stage.person().disconnect


def relay_to_robot(stage: Stage) -> Act:
    """A driver's candidate goes to the robot."""
    _, _, driver, session = stage.call()
    return asking(driver, type="ice-candidate", sessionId=session, candidate="c")


def relay_to_client(stage: Stage) -> Act:
    """The robot's answer goes to its driver."""
    _, robot, _, session = stage.call()
    return asking(robot, type="answer", sessionId=session, sdp="a")


def renegotiate(stage: Stage) -> Act:
    """A driver offers again in its session."""
    _, _, driver, session = stage.call()
    return asking(driver, type="offer", sessionId=session, sdp="o")


def first_offer(stage: Stage) -> Act:
    """A first offer takes the free lease."""
    robot_id, _ = stage.robot()
    return asking(stage.person(), type="offer", robotId=robot_id, sdp="o")


def first_offer_watched(stage: Stage) -> Act:
    """The same, while somebody watches the robot."""
    robot_id, _ = stage.robot()
    stage.person().offer(robot_id, role="viewer")
    return asking(stage.person(), type="offer", robotId=robot_id, sdp="o")


def register_new(stage: Stage) -> Act:
    """A robot claims an unknown id."""
    robot_id = f"new{stage.world.now}"
    return asking(stage.person(), type="register", robotId=robot_id, instanceId="i")


def register_restarted(stage: Stage) -> Act:
    """A new process registers while somebody drives."""
    robot_id, _, _, _ = stage.call()
    return asking(stage.person(), type="register", robotId=robot_id, instanceId="i")


def register_redial(stage: Stage) -> Act:
    """The same process registers on a newer socket."""
    robot_id, _ = stage.robot()
    instance = stage.world.item(robot_id).instance_id
    return asking(stage.person(), type="register", robotId=robot_id, instanceId=instance)


def sharing(stage: Stage) -> Act:
    """The owner shares a robot."""
    robot_id, _ = stage.robot()
    return asking(stage.person(), type="share", robotId=robot_id, userId="olga")


def accepting(stage: Stage) -> Act:
    """A user accepts the offer of a robot."""
    robot_id, _ = stage.robot()
    stage.person().ask(type="share", robotId=robot_id, userId="olga")
    return asking(stage.person("olga"), type="accept-share", robotId=robot_id)


def leaving(stage: Stage) -> Act:
    """A user declines the offer of a robot."""
    robot_id, _ = stage.robot()
    stage.person().ask(type="share", robotId=robot_id, userId="olga")
    return asking(stage.person("olga"), type="leave-share", robotId=robot_id)


def inviting(stage: Stage) -> Act:
    """The owner makes an invitation."""
    robot_id, _ = stage.robot()
    return asking(stage.person(), type="invite", robotId=robot_id)


def accepting_an_invitation(stage: Stage) -> Act:
    """A user accepts an invitation."""
    robot_id, _ = stage.robot()
    code = stage.person().ask(type="invite", robotId=robot_id)["code"]
    return asking(stage.person("olga"), type="accept", code=code)


def accepting_again(stage: Stage) -> Act:
    """A user who has accepted an invitation repeats it."""
    robot_id, _ = stage.robot()
    code = stage.person().ask(type="invite", robotId=robot_id)["code"]
    stage.person("olga").ask(type="accept", code=code)
    return asking(stage.person("olga"), type="accept", code=code)


def unsharing(stage: Stage) -> Act:
    """The owner ends a share with who drives."""
    robot_id, _ = stage.robot()
    owner = stage.person()
    stage.world.share(robot_id, "olga")
    stage.world.connect("olga").offer(robot_id)
    return asking(owner, type="unshare", robotId=robot_id, userId="olga")


def transferring(stage: Stage) -> Act:
    """The owner gives away a robot that somebody drives."""
    robot_id, _, _, _ = stage.call()
    return asking(stage.person(), type="transfer", robotId=robot_id, userId="olga")


def takeover_held(stage: Stage) -> Act:
    """An admin takes over from a driver."""
    robot_id, _, _, _ = stage.call()
    return asking(stage.person("boss", groups=["ADMIN"]), type="takeover", robotId=robot_id)


def takeover_free(stage: Stage) -> Act:
    """An owner takes over a free robot."""
    robot_id, _ = stage.robot()
    return asking(stage.person(), type="takeover", robotId=robot_id)


def takeover_watched(stage: Stage) -> Act:
    """An admin takes over from a driver while somebody watches."""
    robot_id, _, _, _ = stage.call()
    stage.person().offer(robot_id, role="viewer")
    return asking(stage.person("boss", groups=["ADMIN"]), type="takeover", robotId=robot_id)


def ping_idle(stage: Stage) -> Act:
    """A client pings and renews nothing."""
    return asking(stage.person(), type="ping")


def ping_robot(stage: Stage) -> Act:
    """A robot renews its presence."""
    robot_id, robot = stage.robot()
    return asking(robot, type="ping", robotId=robot_id)


def ping_holder(stage: Stage) -> Act:
    """A driver renews its lease."""
    _, _, driver, session = stage.call()
    return asking(driver, type="ping", sessionId=session)


def ping_viewer(stage: Stage) -> Act:
    """A viewer renews its place."""
    robot_id, _ = stage.robot()
    viewer = stage.person()
    session = viewer.offer(robot_id, role="viewer")["sessionId"]
    return asking(viewer, type="ping", sessionId=session)


def resume_holder(stage: Stage) -> Act:
    """A driver redials with the same token."""
    _, _, _, session = stage.call()
    return asking(stage.person(), type="resume", sessionId=session)


def resume_renewed(stage: Stage) -> Act:
    """A driver redials with a newer token."""
    _, _, _, session = stage.call()
    return asking(stage.person(ttl_s=7200), type="resume", sessionId=session)


def connect_by_key(stage: Stage) -> Act:
    """A robot connects by its own key."""
    robot_id, key = stage.enrolled()
    return lambda: stage.world.device(key, robot_id)


def connect_by_code(stage: Stage) -> Act:
    """A robot connects to enrol itself."""
    code = stage.world.connect("owner").ask(type="create-code", pattern="rov*")["code"]
    token = DeviceKey().enrolment(code, "rov", now_s=stage.world.now // 1000)
    return lambda: stage.world.dial_device(token)


def register_by_key(stage: Stage) -> Act:
    """A robot registers by its key for the first time."""
    robot_id, key = stage.enrolled()
    robot = stage.redialled(robot_id, key)
    return asking(robot, type="register", robotId=robot_id, instanceId="i")


def restart_by_key(stage: Stage) -> Act:
    """A new process registers by its key while somebody drives."""
    robot_id, key, _ = stage.device()
    stage.person().offer(robot_id)
    robot = stage.redialled(robot_id, key)
    return asking(robot, type="register", robotId=robot_id, instanceId="j")


def redial_by_key(stage: Stage) -> Act:
    """The same process registers by its key on a newer socket."""
    robot_id, key, _ = stage.device()
    robot = stage.redialled(robot_id, key)
    return asking(robot, type="register", robotId=robot_id, instanceId="i")


def relay_by_key(stage: Stage) -> Act:
    """The answer of a robot that has registered by its key goes to its driver."""
    robot_id, _, robot = stage.device()
    session = stage.person().offer(robot_id)["sessionId"]
    return asking(robot, type="answer", sessionId=session, sdp="a")


def enrolling_by_code(stage: Stage) -> Act:
    """A robot enrols itself."""
    robot, code = stage.coder()
    return asking(robot, type="enroll", code=code)


def enrolling_by_owner(stage: Stage) -> Act:
    """An owner lets a robot's first key in."""
    stage.robots += 1
    said = {"robotId": f"r{stage.robots}", "publicKey": DeviceKey().jwk}
    return asking(stage.person(), type="enroll", **said)


def another_key(stage: Stage) -> Act:
    """An owner lets one more key in."""
    robot_id, _ = stage.enrolled()
    jwk = DeviceKey().jwk
    return asking(stage.person(), type="enroll", robotId=robot_id, publicKey=jwk)


def revoking(stage: Stage) -> Act:
    """An owner revokes the key of a robot that somebody drives."""
    robot_id, key, _ = stage.device()
    owner = stage.person()
    stage.person().offer(robot_id)
    return asking(owner, type="revoke-key", robotId=robot_id, kid=key.kid)


def revoking_all(stage: Stage) -> Act:
    """An owner revokes every key of a robot that a user drives."""
    robot_id, _, _ = stage.device()
    owner = stage.person()
    stage.person().offer(robot_id)
    return asking(owner, type="revoke-key", robotId=robot_id, all=True)


def rotating(stage: Stage) -> Act:
    """A robot replaces its key."""
    robot_id, _, robot = stage.device()
    new = DeviceKey()
    proof = new.proof(robot_id, robot.connection_id)
    return asking(robot, type="rotate-key", publicKey=new.jwk, proof=proof)


def making_a_code(stage: Stage) -> Act:
    """An owner makes a code for the robots of a pattern."""
    return asking(stage.person(), type="create-code", pattern="rov*")


EVENTS: dict[str, tuple[Callable[[Stage], Act], Budget]] = {
    "$connect": (connect, Budget(1, 0, cold=0)),
    "$disconnect without sessions": (disconnect, Budget(1, 0, cold=0)),
    "candidate to the robot": (relay_to_robot, Budget(1, 1)),
    "answer to the client": (relay_to_client, Budget(1, 1)),
    "offer in a session": (renegotiate, Budget(1, 1)),
    "first offer": (first_offer, Budget(2, 1)),
    "first offer, one viewer": (first_offer_watched, Budget(3, 2)),
    "register, first claim": (register_new, Budget(2, 0)),
    "register, restarted with a driver": (register_restarted, Budget(2, 2)),
    "register, redial": (register_redial, Budget(3, 1)),
    "share, an offer": (sharing, Budget(4, 0)),
    "accept-share": (accepting, Budget(5, 0)),
    "leave-share": (leaving, Budget(5, 0)),
    "invite": (inviting, Budget(2, 0)),
    "accept": (accepting_an_invitation, Budget(7, 0)),
    "accept, again": (accepting_again, Budget(2, 0)),
    "unshare, who drives": (unsharing, Budget(5, 2)),
    "transfer": (transferring, Budget(2, 2)),
    "takeover, held": (takeover_held, Budget(2, 2)),
    "takeover, free": (takeover_free, Budget(2, 1)),
    "takeover, held, one viewer": (takeover_watched, Budget(3, 3)),
    "resume, same token": (resume_holder, Budget(2, 0)),
    "resume, newer token": (resume_renewed, Budget(2, 1)),
    "ping of nothing": (ping_idle, Budget(0, 0)),
    "ping of a robot": (ping_robot, Budget(1, 0)),
    "ping of a holder": (ping_holder, Budget(1, 0)),
    "ping of a viewer": (ping_viewer, Budget(2, 0)),
    "$connect by key": (connect_by_key, Budget(2, 0, cold=0)),
    "$connect to enrol": (connect_by_code, Budget(2, 0, cold=0)),
    "register by key, first claim": (register_by_key, Budget(2, 0)),
    "register by key, restarted, driven": (restart_by_key, Budget(2, 2)),
    "register by key, redial": (redial_by_key, Budget(3, 1)),
    "answer by key": (relay_by_key, Budget(1, 1)),
    "enroll by code": (enrolling_by_code, Budget(5, 0)),
    "enroll by the owner": (enrolling_by_owner, Budget(1, 0)),
    "enroll one more key": (another_key, Budget(2, 0)),
    "revoke-key, driven": (revoking, Budget(2, 1)),
    "revoke-key, all, driven": (revoking_all, Budget(2, 1)),
    "rotate-key": (rotating, Budget(2, 0)),
    "create-code": (making_a_code, Budget(1, 0)),
}


@pytest.fixture
def stage(dynamodb: "DynamoDBClient", dynamo_store: DynamoStore) -> Stage:
    """An empty world on DynamoDB."""
    return Stage(World(dynamo_store, signer()), dynamodb)


def measured(stage: Stage, calls: Calls, begin: Callable[[Stage], Act], *, cold: bool) -> list[int]:
    """Return an event's calls and posts."""
    act = begin(stage)
    if cold:
        stage.chill()
    calls.made.clear()
    posts = stage.world.outbox.posts
    act()
    return [len(calls.made), stage.world.outbox.posts - posts]


@pytest.fixture
def calls(stage: Stage) -> Iterator[Calls]:
    """The calls that the stage's client makes."""
    counted = Calls(stage.client)
    yield counted
    counted.stop()


def test_a_password_costs_one_call_and_only_where_there_are_any(
    dynamodb: "DynamoDBClient", dynamo_store: DynamoStore
) -> None:
    """The look at the robot's item; the offer after it costs what it cost."""
    costs = []
    for ice in (StaticServers(ICE), TurnServers(("turn:a",), lambda _now: "north", ICE)):
        stage = Stage(World(dynamo_store, signer(), ice=ice), dynamodb)
        robot_id, _ = stage.robot()
        driver = stage.person()
        counted = Calls(dynamodb)
        asking(driver, type="ice-servers", robotId=robot_id)()
        asked = len(counted.made)
        driver.offer(robot_id)
        costs.append((asked, len(counted.made) - asked))
        counted.stop()
        stage.world.event("DISCONNECT", driver, disconnectStatusCode=1006, disconnectReason="")
        driver.world.connect("owner").ask(type="forget", robotId=robot_id)

    assert costs == [(0, 2), (1, 2)]


def test_every_event_keeps_within_its_budget(stage: Stage, calls: Calls) -> None:
    """Prints what each event costs; fails for each that costs more, or less, than is said."""
    wrong = []
    print(f"{'event':36}{'warm':>6}{'cold':>6}{'posts':>7}")  # noqa: T201 - the table is for reading
    for name, (begin, budget) in EVENTS.items():
        stage.world.now += 1
        warm = measured(stage, calls, begin, cold=False)
        cold = measured(stage, calls, begin, cold=True)
        print(f"{name:36}{warm[0]:>6}{cold[0]:>6}{warm[1]:>7}")  # noqa: T201
        said = [budget.calls, budget.posts], [budget.calls + budget.cold, budget.posts]
        if (warm, cold) != said:
            wrong.append((name, warm, cold, said))

    assert wrong == []
