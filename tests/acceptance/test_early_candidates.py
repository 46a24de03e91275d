"""Candidates before their offer: every order of an offer and four candidates makes a session.

A real backend in the middle, and the shipped robot's logic at its end.
"""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from robosignal.gateway.store import LocalStore
from robosignal.protocol.ids import InstanceId, RobotId
from robosignal.robot.session import events, machine
from robosignal.robot.session.registration import Identity, Registration
from robosignal.robot.session.state import RobotState
from tests.tokens import signer
from tests.world import Frame, Peer, World

ROBOT = RobotId("r1")
OFFER, ANSWER = "v=0 offer", "v=0 answer"
CANDIDATES = [f"candidate:{n} 1 udp 2122260223 192.0.2.{n} 50123 typ host" for n in range(4)]
ORDERS = list(permutations(range(5)))
PC = "pc-1"


class Machine:
    """A robot's logic on a connection to the backend; it answers whatever it opens."""

    def __init__(self, world: World) -> None:
        self.peer: Peer = world.connect("owner")
        self.opened: list[str] = []
        self.added: list[str] = []
        self.wrong: list[events.Action] = []
        self._world = world
        self._robot = RobotState(Registration(Identity(ROBOT, InstanceId("run-1"))))
        self.hear([self.peer.ask(type="ready", protocol=1)])

    def hear(self, frames: Sequence[Frame]) -> None:
        """Take these frames in this order."""
        for frame in frames:
            self._step(events.Frame(frame))

    def _step(self, event: events.Event) -> None:
        self._robot, asked = machine.step(self._robot, event, self._world.now)
        for action in asked:
            self._carry_out(action)

    def _carry_out(self, action: events.Action) -> None:
        match action:
            case events.Send(frame):
                reply = self.peer.send(**frame)
                self.hear([] if reply is None else [reply])
            case events.Open(session, pc, sdp):
                self.opened.append(sdp)
                self._step(events.Answered(session, pc, ANSWER))
            case events.Add(_, _, candidate):
                # None can be added before the peer connection is there.
                assert self.opened
                self.added.append(candidate.candidate)
            case events.Renegotiate() | events.Shut() | events.Quit():
                self.wrong.append(action)


def began() -> tuple[World, Machine]:
    """Return a backend with a robot on it."""
    world = World(LocalStore(None), signer())
    return world, Machine(world)


def established(robot: Machine, client: Peer) -> dict[str, list[Any]]:
    """Return what the robot opened, added and did besides, and what its client was sent."""
    told = [frame["payload"]["sdp"] for frame in client.frames if frame["type"] == "answer"]
    return {"opened": robot.opened, "added": robot.added, "besides": robot.wrong, "told": told}


def expected(order: Sequence[int]) -> dict[str, list[Any]]:
    """Return what there is after the offer, 0, and the candidates came in this order."""
    added = [CANDIDATES[at - 1] for at in order if at]
    return {"opened": [OFFER], "added": added, "besides": [], "told": [ANSWER]}


@pytest.mark.parametrize("pc", [{"pcId": PC}, {}], ids=["named", "nameless"])
def test_every_order_in_which_frames_of_a_v1_client_can_come_makes_a_session(
    pc: dict[str, str],
) -> None:
    """The client holds its candidates until its offer is acknowledged; the network does not."""
    ends = []
    for order in ORDERS:
        world, robot = began()
        client = world.connect("owner")
        session = client.offer(ROBOT, payload={"sdp": OFFER}, **pc)["sessionId"]
        for seq, candidate in enumerate(CANDIDATES, 1):
            said = {"sessionId": session, "seq": seq, "payload": {"candidate": candidate}, **pc}
            assert client.ask(type="ice-candidate", **said)["type"] == "ack"
        frames = robot.peer.take()
        robot.hear([frames[at] for at in order])
        ends.append(established(robot, client))

    assert ends == [expected(order) for order in ORDERS]


@pytest.mark.parametrize("word", ["candidate", "ice-candidate"])
@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
def test_every_order_in_which_a_seed_client_can_send_makes_a_session(
    word: str, *, backwards: bool
) -> None:
    """It cannot hold its candidates, so what overtakes the offer is relayed, and kept."""
    said: list[dict[str, Any]] = [{"type": "offer", "sdp": OFFER}]
    said += [{"type": word, "candidate": candidate} for candidate in CANDIDATES]
    ends = []
    for order in ORDERS:
        world, robot = began()
        client = world.connect("owner", v1=False)
        for at in order:
            client.send(to=ROBOT, **said[at])
            assert client.status == 200
        robot.hear(robot.peer.take()[:: -1 if backwards else 1])
        ends.append(established(robot, client))

    assert ends == [expected(order[:: -1 if backwards else 1]) for order in ORDERS]
