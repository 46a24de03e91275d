"""People at random over a whole backend, and the robot's logic at the far end of a bad network.

Its frames wait under way: in which order they come, and which are lost or come twice, the seed
says. What it sends is carried out at once, and the replies wait like any frame.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from robosignal.gateway.store import LocalStore
from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import InstanceId, RobotId, SessionId
from robosignal.robot.session import events, machine
from robosignal.robot.session.registration import Identity, Registration
from robosignal.robot.session.state import RobotState
from tests.tokens import signer
from tests.world import Frame, Peer, World

ROBOT = RobotId("r1")
DAY_S = 86_400
USERS: dict[str, list[str]] = {"owner": [], "bob": [], "boss": ["ADMINS"]}
"""Each user's groups; bob is an operator."""

FORWARD = '{"type":"command","n":1,"drive":{"x":0,"y":1}}'
HEARTBEAT_S = 121
LATE_S = (1, 5, 31, 61, 301)
"""What may pass at once: less and more than each of grace, lease and place."""


class Network:
    """What is under way to the robot, and how it comes."""

    def __init__(self, random: Random, *, orderly: bool, lossy: bool) -> None:
        self.lossy = lossy
        self._orderly = orderly
        self._random = random
        self._under_way: list[tuple[Peer, Frame]] = []

    def take(self, peer: Peer, frame: Frame) -> None:
        """Have a frame on its way, unless it is lost."""
        if not (self.lossy and self._random.random() < 0.05):
            self._under_way.append((peer, frame))

    def deliver(self) -> tuple[Peer, Frame] | None:
        """Return what comes next; None if nothing is under way."""
        if not self._under_way:
            return None
        at = 0 if self._orderly else self._random.randrange(len(self._under_way))
        twice = self.lossy and self._random.random() < 0.05
        return self._under_way[at] if twice else self._under_way.pop(at)


class Simulation:
    """A backend, a robot, and people who act as the seed says.

    While the network is lossy, AWS is now and then too busy for a post as well. If the robot may
    be `forgotten`, there may be no such robot until its next heartbeat.
    """

    def __init__(
        self, seed: int, *, orderly: bool = False, lossy: bool = False, forgotten: bool = False
    ) -> None:
        self.random = Random(seed)  # noqa: S311 - chooses tests, protects nothing
        self.world = World(LocalStore(None), signer())
        self.network = Network(self.random, orderly=orderly, lossy=False)
        self.robot = RobotState(Registration(Identity(ROBOT, InstanceId("run-1"))))
        self.sockets: list[Peer] = []
        self.people: list[tuple[str, Peer]] = []
        self.acts = (*ACTS, _forget) if forgotten else ACTS
        self.registers = self.dials = 0
        self.redial()
        self.settle()
        self.world.share(ROBOT, "bob")
        for _ in range(3):
            self.join()
        self.network.lossy = lossy
        self.world.outbox.before_post = self._throttle

    def act(self) -> None:
        """Have somebody do something, or time pass, or a frame come."""
        self.random.choice(self.acts)(self)
        self._collect()

    def someone(self) -> tuple[str, Peer]:
        """Return one of the people."""
        return self.random.choice(self.people)

    def send(self, **message: Any) -> None:
        """Have someone send this to the robot's backend."""
        self.someone()[1].ask(robotId=ROBOT, **message)

    def session(self, peer: Peer) -> str | None:
        """Return the session that this connection has."""
        item = self.world.store.robot(ROBOT)
        found = item and item.session_at(peer.connection_id)
        return found[0].session_id if found else None

    def join(self, user: str | None = None) -> Peer:
        """Have somebody connect."""
        user = user or self.random.choice(list(USERS))
        peer = self.world.connect(user, groups=USERS[user], ttl_s=DAY_S)
        self.people.append((user, peer))
        return peer

    def redial(self) -> None:
        """Open the robot's next socket; the one before may drain, those before that are closed."""
        self.sockets = [*self.sockets[-1:], self.world.connect("owner", ttl_s=DAY_S)]
        self.dials += 1
        self._step(events.Frame(self._welcome()))

    def lose(self) -> None:
        """Lose the robot's sockets, then open another one."""
        for socket in self.sockets:
            socket.disconnect()
        self.sockets = []
        self._step(events.Offline())
        self.redial()

    def deliver(self) -> bool:
        """Have a frame come; whether there was one."""
        came = self.network.deliver()
        if came is not None and came[0] in self.sockets:
            old = None if came[0] is self.sockets[-1] else "old"
            self._step(events.Frame(came[1], old))  # type: ignore[arg-type]
        return came is not None

    def settle(self) -> None:
        """Have everything come that is under way."""
        self._collect()
        while self.deliver():
            self._collect()

    def beat(self) -> None:
        """Let a heartbeat pass, and have everything come."""
        self.world.pass_seconds(HEARTBEAT_S)
        self.tick()
        self.settle()

    def tick(self) -> None:
        """Have the robot do what is due."""
        due = machine.next_due(self.robot)
        if due is not None and due <= self.world.now:
            self._step(events.Tick())

    def sessions(self) -> set[str]:
        """Return the sessions that stand."""
        return {session.session_id for session, _ in self.world.item().sessions()}

    def command(self, session: SessionId) -> bool:
        """Have a session's page send a command; whether the robot has moved."""
        pc = self.robot.peers[session].pc_id
        asked = self._step(events.Message(session, pc, FORWARD))
        return any(isinstance(action, events.Move) for action in asked)

    def _step(self, event: events.Event) -> list[events.Action]:
        self.robot, asked = machine.step(self.robot, event, self.world.now)
        for action in asked:
            self._carry_out(action)
        return asked

    def _carry_out(self, action: events.Action) -> None:
        match action:
            case events.Send(frame):
                self.registers += frame["type"] == "register"
                socket = self.sockets[-1]
                reply = socket.send(**frame)
                self._collect()
                if reply is not None:
                    self.network.take(socket, reply)
            case events.Open(session, pc) | events.Renegotiate(session, pc):
                self._step(events.Answered(session, pc, "v=1"))
            case events.Quit(text):
                raise AssertionError(text)
            case _:
                pass

    def _collect(self) -> None:
        for socket in self.sockets:
            for frame in socket.take():
                self.network.take(socket, frame)

    def _throttle(self) -> None:
        if self.network.lossy and self.random.random() < 0.05:
            raise TryAgain

    def _welcome(self) -> Frame:
        reply = self.sockets[-1].send(type="ready", protocol=1)
        assert reply is not None
        return reply


def _offer(simulation: Simulation) -> None:
    pc = f"pc-{simulation.random.randrange(1000):03}"
    simulation.send(type="offer", role="controller", pcId=pc, payload={"sdp": "v=0"})


def _view(simulation: Simulation) -> None:
    pc = f"pc-{simulation.random.randrange(1000):03}"
    simulation.send(type="offer", role="viewer", pcId=pc, payload={"sdp": "v=0"})


def _grant(simulation: Simulation) -> None:
    item = simulation.world.store.robot(ROBOT)
    viewers = list(item.viewers) if item else []
    if viewers:
        simulation.send(type="grant-control", sessionId=simulation.random.choice(viewers))


def _ping(simulation: Simulation) -> None:
    peer = simulation.someone()[1]
    session = simulation.session(peer)
    if session is not None:
        peer.ask(type="ping", sessionId=session)


def _resume(simulation: Simulation) -> None:
    user, peer = simulation.someone()
    session = simulation.session(peer)
    if session is not None:
        simulation.join(user).ask(type="resume", sessionId=session)
        if simulation.random.random() < 0.5:
            _gone(simulation, user, peer)


def _drop(simulation: Simulation) -> None:
    if len(simulation.people) > 1:
        _gone(simulation, *simulation.someone())


def _gone(simulation: Simulation, user: str, peer: Peer) -> None:
    peer.disconnect()
    simulation.people.remove((user, peer))


def _redial(simulation: Simulation) -> None:
    if simulation.robot.registration.is_registered:
        simulation.redial()


def _pass(simulation: Simulation) -> None:
    simulation.world.pass_seconds(simulation.random.choice(LATE_S))
    simulation.tick()


def _forget(simulation: Simulation) -> None:
    simulation.join("boss").ask(type="forget", robotId=ROBOT)


def _asking(kind: str) -> Callable[[Simulation], None]:
    return lambda simulation: simulation.send(type=kind)


ACTS: tuple[Callable[[Simulation], object], ...] = (
    _offer,
    _offer,
    _view,
    _grant,
    _ping,
    _resume,
    _drop,
    _redial,
    _pass,
    Simulation.join,
    Simulation.lose,
    *[Simulation.deliver] * 4,
    *map(_asking, ("takeover", "request-control", "release-control", "bye")),
)
