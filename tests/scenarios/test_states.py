"""Every state by every input: random conversations of several people and robots.

The invariants hold after each step, whatever was sent before. A failing case prints as the
list of steps that leads to it.
"""

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, rule

from robosignal.gateway.store import LocalStore
from robosignal.protocol.ids import ConnectionId, SessionId, session_id
from robosignal.server.core.records import Robot, Session
from robosignal.server.core.request import Rules
from tests.scenarios.drawn import PEOPLE, ROBOTS, SEATS, Message, Step, steps
from tests.tokens import signer
from tests.world import Frame, Peer, World

SEED_FRAMES = {"offer", "answer", "ice-candidate", "candidate"}
V1_FRAMES = {
    "offer",
    "answer",
    "ice-candidate",
    "takeover",
    "control-lost",
    "control",
    "control-requested",
    "control-denied",
    "peer-left",
    "replaced",
    "presence",
}
STATUSES = {
    "bad_message": 400,
    "unknown_type": 400,
    "unauthorized": 401,
    "token_expired": 401,
    "forbidden": 403,
    "robot_offline": 404,
    "not_registered": 404,
    "no_session": 404,
    "owned_by_another": 409,
    "robot_busy": 409,
    "too_many_viewers": 409,
    "peer_gone": 410,
    "too_large": 413,
    "try_again": 503,
}
MOST_POSTS = 3
"""Twice to the robot when the holder becomes a viewer, and to one client; besides watchers."""

ENDING = {"unshare", "transfer"}
NO_CONNECTION = ConnectionId("none=")

MAY_CHANGE = {"peer_gone", "robot_offline", "try_again"}
"""Refusals that come of a socket found gone, which is recorded."""


@dataclass
class Play:
    """One conversation, as far as it has gone."""

    world: World
    peers: list[Peer]
    dialects: dict[str, str]
    epochs: dict[str, int]

    def connect(self, person: int, *, v1: bool) -> Peer:
        """Open a connection as one of the people."""
        user, groups = PEOPLE[person]
        peer = self.world.connect(user, v1=v1, groups=groups, ttl_s=600)
        self.dialects[peer.connection_id] = "v1" if v1 else "seed"
        return peer

    def redial(self, n: int, *, v1: bool, older: str) -> None:
        """Open a newer connection for a seat; the older one drains, or is lost."""
        had, self.peers[n] = self.peers[n], self.connect(SEATS[n][0], v1=v1)
        if older == "vanish":
            had.vanish()
        elif older == "disconnect":
            had.disconnect()

    def step(self, step: Step) -> None:
        """Take one step and check what must hold after any."""
        match step:
            case ("redial", n, v1, older):
                self.redial(n, v1=v1, older=older)
            case ("send", n, message):
                self.send(self.peers[n], message)
            case ("come back", n, robot_id, k):
                self.come_back(self.peers[n], robot_id, k)
            case ("hold", robot_id, message):
                self.send_as_holder(robot_id, message)
            case ("vanish", n):
                self.peers[n].vanish()
            case ("disconnect", n):
                self.peers[n].disconnect()
            case ("wait", seconds):
                self.world.pass_seconds(seconds)
        self.check_frames()
        self.check_robots()

    def come_back(self, peer: Peer, robot_id: Any, k: int) -> None:
        """Resume one of the sessions that a connection's user has with a robot."""
        robot, row = (
            self.world.store.robot(robot_id),
            self.world.store.connection(peer.connection_id),
        )
        if robot is None or row is None:
            return
        theirs = [each for each, _ in robot.sessions() if each.user_id == row.user_id]
        if theirs:
            self.send(peer, {"type": "resume", "sessionId": theirs[k % len(theirs)].session_id})

    def send_as_holder(self, robot_id: Any, message: Message) -> None:
        """Send a message from whichever connection holds a robot, if one does."""
        robot = self.world.store.robot(robot_id)
        held = robot.controller.connection_id if robot and robot.controller else None
        for peer in self.world.peers:
            if peer.connection_id == held:
                self.send(peer, message)

    def send(self, peer: Peer, message: Message) -> None:
        """Send a message and check its reply, and that a refusal changed nothing."""
        said = self.spelled(peer, message)
        before, posts = self.world.stored(), self.world.outbox.posts
        reply = peer.send(id="q", **said)
        if reply is None:
            # Only an expired token is answered otherwise: by a last frame, and closing.
            assert (peer.status, peer.is_open) == (401, False)
            return
        assert reply["replyTo"] == "q"
        if reply["type"] == "welcome" and reply["protocol"] == 1:
            self.dialects[peer.connection_id] = "v1"
        if reply["type"] == "error":
            self.check_refusal(peer, reply, before, posts)
        else:
            assert peer.status == 200
        watching = sum(
            len(item.viewers) if isinstance(item, Robot) else item.watcher_user_id is not None
            for item in before.values()
            if item is not None
        )
        # A message that ends all that somebody has tells both ends of each session.
        most = 2 * (MOST_POSTS + watching) if said["type"] in ENDING else MOST_POSTS + watching
        assert self.world.outbox.posts - posts <= most

    def check_refusal(self, peer: Peer, reply: Frame, before: dict[str, Any], posts: int) -> None:
        """Check that the status is the code's, and that a rule's refusal left no trace."""
        assert STATUSES[reply["code"]] == peer.status
        if reply["code"] not in MAY_CHANGE:
            assert self.world.stored() == before
            assert self.world.outbox.posts == posts

    def spelled(self, peer: Peer, message: Message) -> Message:
        """Return the message with ids instead of places."""
        said = dict(message)
        if "session" in said:
            robot, n = said.pop("session")
            said["sessionId"] = self.session(robot, n)
            if said["type"] in {"grant-control", "deny-control"}:
                said["robotId"] = robot
        if "own" in said:
            said["sessionId"] = session_id(said.pop("own"), peer.connection_id)
        if "client" in said:
            said["clientConnectionId"] = self.peers[said.pop("client")].connection_id
        return said

    def session(self, robot: Any, n: int) -> SessionId:
        """Return a session that a robot has, or one that does not exist when it has none."""
        item = self.world.store.robot(robot)
        standing = [session.session_id for session, _ in item.sessions()] if item else []
        return standing[n % len(standing)] if standing else session_id(robot, NO_CONNECTION)

    def check_frames(self) -> None:
        """Check that each receiver was sent only frames that its dialect has."""
        for peer in self.world.peers:
            dialect = self.dialects[peer.connection_id]
            for frame in peer.take():
                if frame["type"] == "error":
                    assert frame["code"] == "token_expired"
                    continue
                assert frame["type"] in (V1_FRAMES if dialect == "v1" else SEED_FRAMES), frame

    def check_robots(self) -> None:
        """Check what must hold of every robot's item."""
        for robot_id in ROBOTS:
            robot = self.world.store.robot(robot_id)  # type: ignore[arg-type]
            if robot is None:
                continue
            assert robot.epoch >= self.epochs.get(robot_id, 0)
            self.epochs[robot_id] = robot.epoch
            assert robot.owner_user_id in ("owner", "boss", "olga", "stranger")
            _check_sessions(robot)


def _check_sessions(robot: Robot) -> None:
    standing: list[Session] = [session for session, _ in robot.sessions()]
    entitled = {robot.owner_user_id, *robot.operators, "boss"}
    assert {each.user_id for each in standing} <= entitled
    assert robot.connection_id not in {each.connection_id for each in standing}
    assert len(standing) == len({each.session_id for each in standing}), standing
    assert len(standing) == len({each.connection_id for each in standing}), standing


def begun() -> Play:
    """Return a world with two robots, each driven, one watched, and six who may interfere."""
    play = Play(World(LocalStore(None), signer(), rules=Rules(viewers=2)), [], {}, {})
    play.peers.extend(play.connect(person, v1=v1) for person, v1 in SEATS)
    play.step(("send", 0, {"type": "register", "robotId": "r1", "instanceId": "run1"}))
    play.step(("send", 1, {"type": "register", "robotId": "r2"}))
    play.world.share("r1", "olga")
    play.world.share("r2", "olga")
    play.step(("send", 2, {"type": "offer", "robotId": "r1", "sdp": "o"}))
    play.step(("send", 3, {"type": "offer", "robotId": "r1", "sdp": "o", "role": "viewer"}))
    play.step(("send", 4, {"type": "offer", "robotId": "r2", "sdp": "o"}))
    return play


class Conversation(RuleBasedStateMachine):
    """Takes random steps; a failure prints them in order, as few as will do."""

    def __init__(self) -> None:
        super().__init__()
        self.play = begun()

    @rule(step=steps)
    def take(self, step: Step) -> None:
        """Take one step."""
        self.play.step(step)


Conversation.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestEveryStateAnswersEveryInputAsTheProtocolSays(Conversation.TestCase):  # type: ignore[misc,valid-type]
    """No internal error, one holder, epochs that rise, no trace of what was refused."""
