"""Every state by every input: random conversations of several people and robots.

The invariants hold after each step, whatever was sent before. A failing case prints as the
list of steps that leads to it.
"""

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from robosignal.gateway.store import LocalStore
from signaling.core.records import Robot, Session
from signaling.core.request import Rules
from signaling.wire.ids import ConnectionId, SessionId, session_id
from tests.tokens import signer
from tests.world import Frame, Peer, World

SEED_FRAMES = {"offer", "answer", "ice-candidate", "candidate", "admin-takeover"}
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

MAY_CHANGE = {"peer_gone", "robot_offline", "try_again"}
"""Refusals that come of a socket found gone, which is recorded."""

PEOPLE = (
    ("owner", ()),
    ("olga", ()),
    ("boss", ("ADMIN",)),
    ("stranger", ()),
)
ROBOTS = ("r1", "r2")
PEERS = 6

NOBODY = ConnectionId("nobody=")

Step = tuple[Any, ...]
Message = dict[str, Any]
Messages = st.SearchStrategy[Message]

SEATS = (
    (0, True),
    (0, False),
    (0, True),
    (0, True),
    (1, False),
    (1, True),
    (2, True),
    (3, True),
)
"""Who sits at each connection as a conversation begins, and whether they speak v1."""

seats = st.integers(0, len(SEATS) - 1)
machines = st.integers(0, 1)
drivers = st.integers(2, len(SEATS) - 1)


def among(*choices: Any) -> st.SearchStrategy[Any]:
    """Return any of these."""
    return st.sampled_from(choices)


def merged(*parts: Messages) -> Messages:
    """Return messages with the fields of every part."""
    return st.tuples(*parts).map(lambda each: {k: v for part in each for k, v in part.items()})


def field(name: str, values: st.SearchStrategy[Any]) -> Messages:
    """Return messages with one field."""
    return values.map(lambda value: {name: value})


def kind(*names: str, **more: Any) -> Messages:
    """Return messages of one of these types."""
    return among(*({"type": name, **more} for name in names))


def weighted(*choices: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Return any of these, each as often as its weight says."""
    return among(*(each for weight, each in choices for _ in range(weight))).flatmap(lambda s: s)


robots = field("robotId", among(*ROBOTS))
standing = field("session", st.tuples(among(*ROBOTS), st.integers(0, 3)))
"""The n-th session that stands with a robot."""
own = field("own", among(*ROBOTS))
"""The session that the sender would open with a robot."""
client = field("client", seats)
roles = among({}, {"role": "viewer"}, {"role": "controller"})
targets = among({}, {}, {}, {"target": "robot"}, {"target": "client"})
instances = among({}, {"instanceId": "run1"}, {"instanceId": "run2"}, {"force": True})

ends = st.one_of(robots, robots, standing, own, client, merged(robots, client))
bodies = among(
    {"type": "answer", "sdp": "a"},
    {"type": "ice-candidate", "candidate": "c"},
    {"type": "Candidate", "candidate": None},
    {"type": "bye"},
    {"type": "offer", "sdp": "o"},
)
offers = merged(kind("offer", sdp="o"), robots, roles)
registers = merged(kind("register"), robots, instances)

from_drivers = weighted(
    (4, offers),
    (2, merged(kind("takeover"), robots)),
    (1, merged(kind("release-control"), robots)),
    (3, merged(kind("resume"), standing)),
    (2, merged(kind("ping"), standing)),
    (2, merged(kind("request-control"), robots)),
    (1, kind("watch", "unwatch")),
    (1, registers),
    (4, merged(bodies, ends)),
)
from_holders = weighted(
    (3, merged(kind("grant-control"), field("session", st.tuples(among("r1"), st.integers(1, 3))))),
    (1, merged(kind("deny-control"), standing)),
    (1, merged(kind("release-control"), robots)),
    (2, merged(kind("ping"), standing)),
    (2, offers),
    (1, merged(bodies, ends)),
)
from_machines = weighted(
    (6, merged(bodies, standing)),
    (2, merged(bodies, client)),
    (1, merged(kind("ping"), robots)),
    (1, merged(kind("ping"), robots, standing)),
    (1, merged(kind("register", instanceId="run1"), robots)),
)
from_anyone = st.one_of(
    merged(bodies, ends, targets),
    merged(kind("takeover", "release-control", "request-control"), ends, targets),
    merged(kind("grant-control", "deny-control"), robots, own),
    kind("watch", all=True),
    merged(kind("ping"), robots, standing),
    merged(kind("unregister"), robots),
    merged(kind("resume"), own),
    registers,
    kind("robots", "nonsense", "ice-servers", "ready"),
    kind("ready", protocol=1),
)


def sends(who: st.SearchStrategy[int], what: Messages) -> st.SearchStrategy[Step]:
    """Return steps in which one of these sends one of those."""
    return st.tuples(st.just("send"), who, what)


steps: st.SearchStrategy[Step] = weighted(
    (10, sends(drivers, from_drivers)),
    (4, sends(machines, from_machines)),
    (2, st.tuples(st.just("come back"), drivers, among(*ROBOTS), st.integers(0, 3))),
    (4, st.tuples(st.just("hold"), among("r1", "r1", "r2"), from_holders)),
    (2, sends(seats, from_anyone)),
    (1, st.tuples(st.just("redial"), seats, st.booleans(), among("drain", "vanish"))),
    (2, st.tuples(st.just("redial"), drivers, st.just(value=True), among("drain", "disconnect"))),
    (1, st.tuples(among("vanish", "disconnect"), seats)),
    (2, st.tuples(st.just("wait"), among(1, 20, 29, 31, 61, 301))),
)


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
        assert self.world.outbox.posts - posts <= MOST_POSTS + watching

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
        """Return a session that stands with a robot, or one that does not when none does."""
        item = self.world.store.robot(robot)
        standing = [session.session_id for session, _ in item.sessions()] if item else []
        return standing[n % len(standing)] if standing else session_id(robot, NOBODY)

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
