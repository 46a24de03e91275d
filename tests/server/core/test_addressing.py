"""Which robot and which session a message means: every spelling of the protocol."""

from dataclasses import dataclass
from typing import Any

import pytest
from msgspec import structs

from robosignal.protocol.errors import BadMessage, NoSession, Unauthorized
from robosignal.protocol.ids import ConnectionId, RobotId, SessionId, UserId, session_id
from robosignal.protocol.messages import Answer
from robosignal.server.core.addressing import (
    ActiveSession,
    find_named_session,
    find_own_session,
    refresh_sender,
    resolve_robot_id,
)
from robosignal.server.core.records import Connection, Robot, Session
from robosignal.server.core.request import Request, Rules
from robosignal.server.core.steps import Flow, ReadConnection, Step
from robosignal.server.executor import run

NOW = 1_800_000_000_000
ME, OTHER, ROBOTS = ConnectionId("me="), ConnectionId("other="), ConnectionId("robot=")
R1 = RobotId("r1")
MINE, THEIRS = session_id(R1, ME), session_id(R1, OTHER)

CLIENT = Connection(connection_id=ME, user_id=UserId("ann"), ts=NOW, expires_at=NOW, ttl=1)
ROBOT_ROW = structs.replace(CLIENT, connection_id=ROBOTS, robot_id=R1, kind="robot")


def request(sender: Connection) -> Request:
    """Return a request of this sender."""
    return Request(sender, NOW, Rules())


def addressed(**fields: Any) -> Answer:
    """Return a message with this address."""
    return Answer(payload={"sdp": "v=0"}, **fields)


@dataclass
class Rows:
    """A table with one row at most, and how often it was read."""

    row: Connection | None
    reads: int = 0

    def carry_out(self, step: Step) -> Connection | None:
        """Answer a read of the row."""
        assert isinstance(step, ReadConnection)
        self.reads += 1
        return self.row


def named(sender: Connection, rows: Rows, **fields: Any) -> RobotId:
    """Return the robot that such a message of this sender means."""
    flow: Flow[RobotId] = resolve_robot_id(request(sender), addressed(**fields))
    return run(flow, rows.carry_out)


@pytest.mark.parametrize(
    "fields",
    [
        {"robot_id": "r1"},
        {"to": "r1"},
        {"session_id": MINE},
        {"session_id": MINE, "robot_id": "r1"},
        {"robot_id": "r1", "to": "r2"},
        {"robot_id": "r1", "target": "robot"},
        {"to": "r1", "target": "robot"},
    ],
    ids="+".join,
)
def test_a_client_names_a_robot_without_a_read(fields: dict[str, Any]) -> None:
    """By `robotId`, by `to`, or by a session; `target` may say so too."""
    rows = Rows(CLIENT)

    assert named(CLIENT, rows, **fields) == "r1"
    assert rows.reads == 0


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"robot_id": "r1"},
        {"to": OTHER},
        {"client_connection_id": OTHER},
        {"session_id": THEIRS},
        {"to": OTHER, "target": "client"},
        {"robot_id": "r1", "to": OTHER, "target": "client"},
        {"to": "no-robot-of-mine"},
    ],
    ids=lambda fields: "+".join(fields) or "nothing",
)
def test_a_robot_means_itself_without_a_read(fields: dict[str, Any]) -> None:
    """Whatever it says of the client, the robot is the one that it is."""
    rows = Rows(ROBOT_ROW)

    assert named(ROBOT_ROW, rows, **fields) == "r1"
    assert rows.reads == 0


@pytest.mark.parametrize(
    "fields", [{"to": OTHER}, {}, {"robot_id": "r1", "to": OTHER, "target": "client"}]
)
def test_that_the_sender_is_a_robot_may_be_news(fields: dict[str, Any]) -> None:
    """A row from memory may be older than its registration: one read tells."""
    rows = Rows(ROBOT_ROW)

    assert named(structs.replace(ROBOT_ROW, robot_id=None), rows, **fields) == "r1"
    assert rows.reads == 1


def test_a_session_with_another_robot_is_none() -> None:
    """The two names must agree."""
    with pytest.raises(NoSession) as refused:
        named(CLIENT, Rows(CLIENT), session_id=MINE, robot_id="r2")

    assert refused.value.robot_id == "r2"


@pytest.mark.parametrize("fields", [{}, {"to": OTHER}, {"client_connection_id": OTHER}])
def test_a_client_that_names_no_robot_is_told(fields: dict[str, Any]) -> None:
    """A connection's id is no robot's: it ends in an equals sign."""
    with pytest.raises(BadMessage, match="robotId: is missing"):
        named(CLIENT, Rows(CLIENT), **fields)


@pytest.mark.parametrize(
    ("sender", "fields"),
    [
        (CLIENT, {"robot_id": "r1", "target": "client"}),
        (CLIENT, {"session_id": MINE, "target": "client"}),
        (ROBOT_ROW, {"robot_id": "r1", "target": "robot"}),
        (ROBOT_ROW, {"session_id": MINE, "target": "robot"}),
    ],
)
def test_a_target_that_is_not_the_other_end_is_refused(
    sender: Connection, fields: dict[str, Any]
) -> None:
    """It must agree with who the sender is."""
    with pytest.raises(BadMessage, match="target: must be"):
        named(sender, Rows(sender), **fields)


def test_a_robots_connection_may_name_another_robot() -> None:
    """Whether it may send to that one is another question."""
    assert named(ROBOT_ROW, Rows(ROBOT_ROW), robot_id="r2", target="robot") == "r2"


def test_a_robots_row_is_not_read_again() -> None:
    """A robot stays a robot."""
    rows = Rows(None)

    assert run(refresh_sender(request(ROBOT_ROW)), rows.carry_out) == request(ROBOT_ROW)
    assert rows.reads == 0


def test_an_item_that_is_gone_is_no_one() -> None:
    """The connection has ended meanwhile."""
    with pytest.raises(Unauthorized):
        run(refresh_sender(request(CLIENT)), Rows(None).carry_out)


def session(connection: ConnectionId, session: SessionId) -> Session:
    """Return a session."""
    return Session(
        session_id=session,
        user_id=UserId("ann"),
        connection_id=connection,
        connected_at=NOW,
        dialect="v1",
        expires_at=NOW,
        until=NOW,
    )


HELD = session(ME, MINE)
VIEWING = session(OTHER, THEIRS)
REDIALLED = ConnectionId("redialled=")
ROBOT = Robot(
    robot_id=R1,
    owner_user_id=UserId("ann"),
    connection_id=ROBOTS,
    controller=HELD,
    viewers={THEIRS: VIEWING},
)
ONE_MOVED = structs.replace(ROBOT, viewers={THEIRS: session(REDIALLED, THEIRS)})


def found(sender: ConnectionId, robot: Robot, **fields: Any) -> ActiveSession | None:
    """Return the session that a client's message means."""
    row = structs.replace(CLIENT, connection_id=sender)
    return find_own_session(request(row), robot, addressed(**fields))


def test_a_client_means_its_own_session() -> None:
    """Whether it names it or not, with its role."""
    assert found(ME, ROBOT) == ActiveSession(HELD, "controller")
    assert found(ME, ROBOT, session_id=MINE) == ActiveSession(HELD, "controller")
    assert found(OTHER, ROBOT, session_id=THEIRS) == ActiveSession(VIEWING, "viewer")


def test_a_client_means_no_session_of_anothers() -> None:
    """Nor one that has ended, nor one that has moved on from its connection."""
    assert found(ME, ROBOT, session_id=THEIRS) is None
    assert found(REDIALLED, ROBOT, session_id=THEIRS) is None
    assert found(OTHER, ONE_MOVED, session_id=THEIRS) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"session_id": MINE}, ActiveSession(HELD, "controller")),
        ({"session_id": THEIRS}, ActiveSession(VIEWING, "viewer")),
        ({"client_connection_id": OTHER}, ActiveSession(VIEWING, "viewer")),
        ({"to": ME}, ActiveSession(HELD, "controller")),
        ({"to": ME, "client_connection_id": OTHER}, ActiveSession(VIEWING, "viewer")),
        ({"session_id": MINE, "to": OTHER}, ActiveSession(HELD, "controller")),
        ({"session_id": SessionId("r1:ended")}, None),
        ({"to": "none="}, None),
        ({}, None),
    ],
    ids=lambda each: "+".join(each) or "nothing" if isinstance(each, dict) else "",
)
def test_a_robot_means_a_session_by_its_id_or_its_client(
    fields: dict[str, Any], expected: ActiveSession | None
) -> None:
    """The session first, then `clientConnectionId`, then `to`."""
    assert find_named_session(ROBOT, addressed(**fields)) == expected


def test_a_robot_may_name_the_connection_from_before_a_redial() -> None:
    """A seed robot goes on answering to where the offer came from."""
    moved = ONE_MOVED.viewers[THEIRS]

    assert find_named_session(ONE_MOVED, addressed(to=OTHER)) == ActiveSession(moved, "viewer")
    assert find_named_session(ONE_MOVED, addressed(to=REDIALLED)) == ActiveSession(moved, "viewer")
